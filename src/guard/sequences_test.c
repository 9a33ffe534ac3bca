/* SPDX-License-Identifier: Apache-2.0 */
/* Packet sequences of a file (JSON Lines: version, bytes to send, whether the server must close) through the guard: it
 * closes where the specification makes the server close, and changes nothing where not. The first argument is the file;
 * without one, or where it is missing, the test is skipped. */
#include "guard/guard_test.h"
#include "guard/json.h"

enum { SKIPPED = 77 };

static struct slice member(struct slice object, const char *name, enum json_kind *kind) {
    struct slice inside = json_inside(object), one, text;
    while (json_next(&inside, true, &one, kind, &text))
        if (json_string_eq(one, slice_str(name))) return text;
    *kind = JSON_BAD;
    return (struct slice){0};
}

static char *hex_of(struct slice message) {
    enum json_kind kind;
    struct slice s = member(message, "payload", &kind);
    char *copy = calloc(1, s.n + 1);
    if (s.n) memcpy(copy, s.p, s.n);
    return copy;
}

/* unconnected tells whether the sequence is one that begins without a CONNECT. */
static bool unconnected(struct slice name) { return slice_holds(name, SLICE("3.1.0-1")); }

/* broker_left tells whether the broker ends the connection after these bytes. */
static bool broker_left(const char *hex) {
    struct slice s = test_hex(hex);
    bool left = s.n > 3 && s.p[0] >> 4 == MQTT_CONNACK && s.p[3] != 0;
    free((void *)s.p);
    return left;
}

/* ended tells whether the connection is over: by the guard, by the broker, by a DISCONNECT, or in time. */
static bool ended(struct tube *t) {
    struct guard_out out;
    if (t->closed || t->s.conv.closed[GUARD_CLIENT]) return true;
    guard_expire(t->g, &t->s, t->now + INT64_C(61000000000), &out);
    return out.close && t->s.state == GUARD_CLOSING && tube_saw(t, "time.connect");
}

static void sequence(struct slice line, unsigned number) {
    static const char *const hello[] = {[3] = "1011 0006 'MQIsdp' 03 02 003c 0003 'cid'",
                                        [4] = "100f 0004 'MQTT' 04 02 003c 0003 'cid'",
                                        [5] = "1010 0004 'MQTT' 05 02 003c 00 0003 'cid'"};
    enum json_kind kind, closes;
    struct slice inside, one, nothing, name = member(line, "name", &kind), group = member(line, "group", &kind);
    double version = json_number(member(line, "ver", &kind));
    (void)member(line, "expect_disconnect", &closes);
    struct tube t;
    if (slice_eq(name, SLICE("NanoMQ CWE-119")))
        return; /* a well-formed CONNECT with a password: whether it is right is the broker's */
    tube_make(&t, NULL);
    bool first = true;
    struct writer sent = wr_grow();
    for (inside = json_inside(member(line, "msgs", &kind)); json_next(&inside, false, &nothing, &kind, &one);) {
        struct slice type = member(one, "type", &kind);
        char *hex = hex_of(one);
        bool connects = hex[0] == '1';
        if (first && !connects && !unconnected(name) && version >= 3 && version <= 5) {
            tube_hex(&t, GUARD_CLIENT, hello[(int)version]);
            tube_hex(&t, GUARD_BROKER, version == 5 ? "2009 00 00 06 22000A 210014" : "2002 00 00");
            wr_reset(&t.got[0]);
            wr_reset(&t.got[1]);
        }
        first = false;
        if (json_string_eq(type, SLICE("send"))) {
            struct slice bytes = test_hex(hex);
            wr_slice(&sent, bytes);
            tube_send(&t, GUARD_CLIENT, bytes);
            free((void *)bytes.p);
        } else if (json_string_eq(type, SLICE("recv")) && hex[0] != 'E') {
            tube_hex(&t, GUARD_BROKER, hex);
            if (broker_left(hex)) t.closed = GUARD_CLOSE_SOON;
        }
        free(hex);
    }
    if (closes == JSON_FALSE) {
        CHECK(!t.closed, "line %u, %.*s: %.*s: stays open (%s)", number, (int)group.n, group.p, (int)name.n, name.p,
              t.rules);
        CHECK(slice_eq(wr_done(&sent), wr_done(&t.got[GUARD_BROKER])), "line %u, %.*s: %.*s: nothing is changed",
              number, (int)group.n, group.p, (int)name.n, name.p);
    } else {
        CHECK(ended(&t), "line %u, %.*s: %.*s: is closed (%s)", number, (int)group.n, group.p, (int)name.n, name.p,
              t.rules);
    }
    wr_free(&sent);
    tube_free(&t);
}

int main(int argc, char **argv) {
    FILE *f = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (!f) return SKIPPED;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    for (unsigned number = 1; (n = getline(&line, &cap, f)) > 0; number++)
        sequence(slice_of(line, (size_t)n - 1), number);
    free(line);
    fclose(f);
    return test_failures != 0;
}
