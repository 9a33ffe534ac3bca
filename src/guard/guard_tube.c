/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/guard_test.h"

#include "base/hex.h"
#include "proto/mqtt/mqtt_write.h"

int test_failures;

struct slice test_hex(const char *text) {
    struct writer w = wr_grow();
    int half = -1;
    for (const char *p = text; *p; p++) {
        if (*p == '\'') {
            for (p++; *p && *p != '\''; p++) wr_c(&w, *p);
            continue;
        }
        int digit = hex_digit(*p);
        if (digit < 0) continue;
        if (half >= 0) wr_c(&w, (char)(half << 4 | digit));
        half = half >= 0 ? -1 : digit;
    }
    struct slice s = wr_done(&w);
    uint8_t *copy = malloc(s.n ? s.n : 1);
    if (s.n) memcpy(copy, s.p, s.n);
    wr_free(&w);
    return slice_of(copy, s.n);
}

static void noted(void *to, const struct guard_event *e) {
    struct tube *t = to;
    struct writer w = wr_fixed(t->last, sizeof t->last - 1);
    size_t n = strlen(t->rules);
    t->events++;
    snprintf(t->rules + n, sizeof t->rules - n, "%s%s ", e->would || e->action < GUARD_DROP ? "!" : "", e->rule);
    guard_event_json(&w, e, 0);
    *w.p = 0;
}

static void settle(struct tube *t, enum guard_side side, const struct guard_out *out) {
    CHECK(out->consumed <= wr_len(&t->held[side]), "no more is consumed than there is");
    wr_slice(&t->got[1 - side], out->forward);
    for (int i = 0; i < GUARD_SIDES; i++) wr_slice(&t->got[i], out->inject[i]);
    size_t left = wr_len(&t->held[side]) - out->consumed;
    if (out->consumed) memmove(t->held[side].buf, t->held[side].buf + out->consumed, left);
    if (out->consumed) t->held[side].p = t->held[side].buf + left;
    if (out->close) t->closed = out->close;
}

void tube_again(struct tube *t) {
    struct guard_peer peer = {
        .client = {4, {192, 0, 2, 7}}, .local = {4, {192, 0, 2, 1}}, .client_port = 50000, .local_port = 1883, .id = 1};
    struct guard_out out;
    if (t->s.talker) guard_end(t->g, &t->s, t->now);
    for (int i = 0; i < GUARD_SIDES; i++) {
        wr_reset(&t->held[i]);
        wr_reset(&t->got[i]);
    }
    t->closed = 0;
    t->rules[0] = 0;
    guard_open(t->g, &t->s, &peer, t->now, &out);
    settle(t, GUARD_CLIENT, &out);
}

void tube_make(struct tube *t, const char *yaml) {
    struct guard_mistakes mistakes;
    *t = (struct tube){.now = 1000000000000};
    int rc = guard_config_make(&t->config, slice_str(yaml), &mistakes);
    for (size_t i = 0; i < mistakes.count; i++)
        fprintf(stderr, "line %u column %u: %s\n", mistakes.list[i].line, mistakes.list[i].column,
                mistakes.list[i].text);
    guard_mistakes_free(&mistakes);
    if (rc) exit(99);
    if (guard_make(&t->g, t->config->policy, NULL, &(struct guard_options){.event = noted, .to = t})) exit(99);
    for (int i = 0; i < GUARD_SIDES; i++) {
        t->held[i] = wr_grow();
        t->got[i] = wr_grow();
    }
    tube_again(t);
}

void tube_free(struct tube *t) {
    guard_end(t->g, &t->s, t->now);
    guard_free(t->g);
    guard_config_free(t->config);
    for (int i = 0; i < GUARD_SIDES; i++) {
        wr_free(&t->held[i]);
        wr_free(&t->got[i]);
    }
}

void tube_send(struct tube *t, enum guard_side from, struct slice bytes) {
    struct guard_out out;
    if (t->closed) return;
    wr_slice(&t->held[from], bytes);
    do {
        /* A copy of exact size, so that a sanitizer sees a read behind the end. */
        struct slice held = wr_done(&t->held[from]);
        uint8_t *copy = malloc(held.n ? held.n : 1);
        if (held.n) memcpy(copy, held.p, held.n);
        guard_feed(t->g, &t->s, from, slice_of(copy, held.n), t->now, &out);
        CHECK(out.needed == 0 || out.needed > held.n - out.consumed, "what is needed is more than there is");
        settle(t, from, &out);
        free(copy);
    } while (out.again && !t->closed);
}

void tube_hex(struct tube *t, enum guard_side from, const char *hex) {
    struct slice s = test_hex(hex);
    tube_send(t, from, s);
    free((void *)s.p);
}

bool tube_got(struct tube *t, enum guard_side at, const char *hex) {
    struct slice want = test_hex(hex);
    bool same = slice_eq(wr_done(&t->got[at]), want);
    if (!same) {
        fprintf(stderr, "side %d got ", at);
        for (size_t i = 0; i < wr_len(&t->got[at]); i++) fprintf(stderr, "%02x", (uint8_t)t->got[at].buf[i]);
        fprintf(stderr, "\n");
    }
    wr_reset(&t->got[at]);
    free((void *)want.p);
    return same;
}

void tube_up(struct tube *t, int version, const char *client) {
    struct writer w = wr_grow();
    struct mqtt_connect c = {
        .version = (uint8_t)version, .flags = MQTT_CLEAN, .keep_alive = 60, .client_id = slice_str(client)};
    uint8_t takes[] = {MQTT_P_ALIAS_MAX, 0, 10};
    if (version == 5) c.properties = slice_of(takes, sizeof takes);
    (void)mqtt_write_connect(&w, &c);
    tube_send(t, GUARD_CLIENT, wr_done(&w));
    CHECK(slice_eq(wr_done(&t->got[GUARD_BROKER]), wr_done(&w)), "CONNECT of %s is forwarded", client);
    wr_free(&w);
    tube_hex(t, GUARD_BROKER, version == 5 ? "2006 00 00 03 22 000a" : "2002 00 00");
    CHECK(t->s.state == GUARD_UP, "the session of %s is up", client);
    wr_reset(&t->got[GUARD_CLIENT]);
    wr_reset(&t->got[GUARD_BROKER]);
}

bool tube_saw(const struct tube *t, const char *rule) {
    char word[200];
    snprintf(word, sizeof word, " %s ", rule);
    char all[sizeof t->rules + 2];
    snprintf(all, sizeof all, " %s", t->rules);
    return strstr(all, word) != NULL;
}

struct slice test_publish(int version, int qos, unsigned id, const char *topic, const char *payload) {
    struct writer w = wr_grow();
    (void)mqtt_write_publish(&w, &(struct mqtt_publish){.version = (uint8_t)version,
                                                        .qos = (uint8_t)qos,
                                                        .id = (uint16_t)id,
                                                        .topic = slice_str(topic),
                                                        .payload = slice_str(payload)});
    struct slice s = wr_done(&w);
    uint8_t *copy = malloc(s.n + 1);
    memcpy(copy, s.p, s.n);
    wr_free(&w);
    return slice_of(copy, s.n);
}
