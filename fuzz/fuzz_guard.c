/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: bytes of both sides into the guard, under several policies.
 *
 * Input: one byte (the policy), then pieces: one byte (bit 0 side, bit 7 time passes), two bytes length, the bytes, as
 * fuzz_mqtt has them. What must hold: no byte is forwarded twice or out of nowhere, no more is held than was promised,
 * nothing passes once the session is over, and a session that is over owns nothing. */
#include "fuzz.h"

#include "guard/config/config.h"

#include <string.h>

enum { HELD_MAX = 1 << 20, POLICIES = 4 };

static const char *const policies[POLICIES] = {
    "",
    "payload_window: 16\ntopics: {rules: [{deny: all, to: ['a/#', '+/b', 'c/%c/#']}, {allow: all, to: '#', clients: "
    "'x*'}]}\n"
    "max: {in_flight: 4, topic_aliases: 3, subscriptions: 4, filters: 3}\npayloads: [{to: '#', must: [json, utf8], "
    "max: 100}]\n",
    "mode: log\npayload_window: 0\nbeyond_window: refuse\ntopics: {default: deny, subscriptions: narrow}\n"
    "limits: [{what: publishes, per: client, max: 2, window: 1s, action: ban 1s}]\n",
    "topics: {subscriptions: narrow, rules: [{deny: [subscribe, receive], to: 'a/#'}]}\nbeyond_window: "
    "refuse\npayload_window: 8\n"
    "anomalies: {utf8: ignore, nul: log, flags: ignore, malformed: log, connect_again: ignore, closed: ignore, side: "
    "ignore}\n",
};

struct side {
    uint8_t *bytes;
    size_t n;
};

static void side_add(struct side *s, struct slice in) {
    uint8_t *grown = malloc(s->n + in.n ? s->n + in.n : 1);
    if (!grown) abort();
    if (s->n) memcpy(grown, s->bytes, s->n);
    if (in.n) memcpy(grown + s->n, in.p, in.n);
    free(s->bytes);
    s->bytes = grown;
    s->n += in.n;
}

static void side_drop(struct side *s, size_t n) {
    struct side rest = {0};
    side_add(&rest, slice_of(s->bytes + n, s->n - n));
    free(s->bytes);
    *s = rest;
}

/* told reads every record as it would be written. */
static void told(void *to, const struct guard_event *e) {
    char buf[8192];
    struct writer w = wr_fixed(buf, sizeof buf);
    (void)to;
    guard_event_json(&w, e, 0);
    FUZZ_CHECK(!w.err && wr_len(&w) > 2 && buf[wr_len(&w) - 1] == '\n' && !memchr(buf, '\n', wr_len(&w) - 1));
    guard_event_login(&w, e, 0);
}

static volatile uint8_t sink;

static void touch(struct slice s) {
    for (size_t i = 0; i < s.n; i++) sink ^= s.p[i];
}

static bool feed(struct guard *g, struct guard_session *s, enum guard_side from, struct side *in, int64_t now,
                 size_t hold) {
    struct guard_out out;
    do {
        guard_feed(g, s, from, slice_of(in->bytes, in->n), now, &out);
        FUZZ_CHECK(out.consumed <= in->n);
        FUZZ_CHECK(!out.again || out.consumed);
        FUZZ_CHECK(out.close || out.needed == 0 || out.needed > in->n - out.consumed);
        bool part =
            out.forward.n == 0 || (out.forward.p >= in->bytes && out.forward.p + out.forward.n <= in->bytes + in->n);
        FUZZ_CHECK(part ? out.forward.n <= out.consumed : out.forward.n > 0);
        touch(out.forward);
        for (int i = 0; i < GUARD_SIDES; i++) touch(out.inject[i]);
        side_drop(in, out.consumed);
        if (out.close) return false;
    } while (out.again);
    FUZZ_CHECK(in->n <= hold);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct guard_config *config[POLICIES];
    static struct guard *guards[POLICIES];
    static int64_t began;
    struct reader r = rd_init(slice_of(data, size), data);
    unsigned which = rd_u8(&r) % POLICIES;
    struct guard_mistakes m;
    if (!config[which]) {
        int rc = guard_config_make(&config[which], slice_str(policies[which]), &m);
        guard_mistakes_free(&m);
        if (rc) return 0; /* built without YAML */
        if (guard_make(&guards[which], config[which]->policy, NULL, &(struct guard_options){.event = told})) abort();
    }
    struct guard *g = guards[which];
    struct guard_session s;
    struct guard_out out;
    struct guard_peer peer = {
        .client = {4, {192, 0, 2, 7}}, .local = {4, {192, 0, 2, 1}}, .client_port = 50000, .local_port = 1883};
    size_t hold = guard_hold_max(config[which]->policy);
    struct side sides[GUARD_SIDES] = {0};
    int64_t now = began += INT64_C(100000000000000); /* limits and bans forget the run before */
    bool open = guard_open(g, &s, &peer, now, &out);
    while (open && rd_left(&r) >= 3) {
        uint8_t head = rd_u8(&r);
        size_t n = rd_be16(&r);
        struct slice piece = rd_take(&r, n < rd_left(&r) ? n : rd_left(&r));
        if (head & 0x80) {
            now += INT64_C(7000000000);
            guard_expire(g, &s, now, &out);
            open = !out.close;
        }
        if (!open || sides[head & 1].n + piece.n > HELD_MAX) break;
        side_add(&sides[head & 1], piece);
        open = feed(g, &s, head & 1, &sides[head & 1], now, hold);
    }
    guard_feed(g, &s, GUARD_CLIENT, SLICE("\xc0\0"), now, &out);
    FUZZ_CHECK(open || out.forward.n == 0);
    guard_end(g, &s, now);
    for (int i = 0; i < GUARD_SIDES; i++) free(sides[i].bytes);
    return 0;
}
