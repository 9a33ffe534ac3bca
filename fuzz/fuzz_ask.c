/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: what is asked of `weir serve` about captures on demand. A name of a device either is refused with a
 * reason or has a usual form that means the same, and a capture filter libpcap takes; what stands in JSON becomes
 * UTF-8. */
#include "fuzz.h"

#include "base/utf8.h"
#include "guard/json.h"
#include "io/capture/live.h"
#include "serve/demand/device.h"

static void again_check(const struct device *d) {
    static const char *const heads[] = {[DEVICE_ADDRESS] = "ip:",
                                        [DEVICE_PREFIX] = "ip:",
                                        [DEVICE_MAC] = "mac:",
                                        [DEVICE_CLIENT] = "mqtt:",
                                        [DEVICE_INTERFACE] = "interface:"};
    char text[DEVICE_ID_MAX + 32], reason[128];
    struct writer why = wr_fixed(reason, sizeof reason);
    struct device same;
    snprintf(text, sizeof text, "%s%s", heads[d->kind], d->text);
    FUZZ_CHECK(device_parse(&same, text, &why));
    FUZZ_CHECK(same.kind == d->kind && strcmp(same.text, d->text) == 0);
}

static void filter_check(const struct device *d) {
    char filter[DEVICE_ID_MAX + 64], reason[512];
    struct writer w = wr_fixed(filter, sizeof filter - 1), why = wr_fixed(reason, sizeof reason);
    device_filter(d, "port 1883", &w);
    FUZZ_CHECK(!w.err);
    *w.p = 0;
    FUZZ_CHECK(live_filter_check(filter, false, &why) == OK);
}

static void device_use(struct slice in) {
    char text[4096], reason[256];
    struct writer why = wr_fixed(reason, sizeof reason);
    struct device d;
    size_t n = in.n < sizeof text - 1 ? in.n : sizeof text - 1;
    if (n) memcpy(text, in.p, n);
    text[n] = 0;
    if (!device_parse(&d, text, &why)) {
        FUZZ_CHECK(wr_len(&why) > 0);
        return;
    }
    again_check(&d);
    filter_check(&d);
}

static void json_use(struct slice in) {
    struct slice text, inside, name;
    enum json_kind kind;
    if (json_value(&in, &text) != JSON_OBJECT) return;
    inside = json_inside(text);
    while (json_next(&inside, true, &name, &kind, &text)) {
        char out[256];
        struct writer w = wr_fixed(out, sizeof out);
        if (kind == JSON_NUMBER) (void)json_number(text);
        if (kind == JSON_STRING && json_string_read(text, &w) && !w.err) FUZZ_CHECK(utf8_valid(wr_done(&w)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    device_use(slice_of(data, size));
    json_use(slice_of(data, size));
    return 0;
}
