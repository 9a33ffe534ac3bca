/* SPDX-License-Identifier: Apache-2.0 */
/* Every way of breaking a packet fits some packet, changes it, and survives packets that are no good to begin with. */
#undef NDEBUG
#include "craft/craft.h"
#include "craft/mqtt_break.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const right[] = {"MQTT(type='CONNECT',clientid='x')",
                                    "MQTT(type='PUBLISH',topic='a',value='b')",
                                    "MQTT(type='PUBLISH',topic='a',QOS=1)",
                                    "MQTT(type='PUBACK',msgid=3)",
                                    "MQTT(type='SUBSCRIBE',topic='a',QOS=1)",
                                    "MQTT(type='UNSUBSCRIBE',topic='a')",
                                    "MQTT(type='PINGREQ')",
                                    "MQTT(type='DISCONNECT')"};
enum { RIGHT = sizeof right / sizeof *right };

int main(void) {
    char buf[256];
    for (size_t b = 0; b < mqtt_breaks_count; b++) {
        int fits = 0;
        uint8_t version = mqtt_breaks[b].versions ? mqtt_breaks[b].versions : 4;
        for (size_t i = 0; i < RIGHT; i++) {
            struct craft_env env = {.mqtt_version = version};
            struct writer why = wr_fixed(buf, sizeof buf), out = wr_grow();
            struct craft *c;
            struct slice s;
            assert(craft_make(&c, right[i], &env, &why) == OK && craft_packet(c, 0, &s, &why) == OK);
            if (mqtt_break_apply((int)b, version, s, &out)) {
                assert(!slice_eq(wr_done(&out), s));
                fits++;
            } else {
                assert(!wr_len(&out));
            }
            for (size_t n = 0; n <= s.n; n++) { /* cut anywhere */
                uint8_t *exact = malloc(n + 1);
                memcpy(exact, s.p, n);
                wr_reset(&out);
                (void)mqtt_break_apply((int)b, version, slice_of(exact, n), &out);
                free(exact);
            }
            wr_free(&out);
            craft_free(c);
        }
        if (!fits) fprintf(stderr, "%s fits nothing\n", mqtt_breaks[b].name);
        assert(fits && mqtt_break_find(mqtt_breaks[b].name) == (int)b);
    }
    assert(mqtt_break_find("nonsense") < 0);
    puts("ok every break fits a packet and changes it");
    return 0;
}
