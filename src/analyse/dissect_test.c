/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of MQTT messages, cut into segments in any way, sent in any order, twice or overlapping, is the same
 * messages; a hole is said, not guessed over. */
#undef NDEBUG
#include "analyse/dissect.h"
#include "proto/protos.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGES = 40, STREAM_MAX = 64 * 1024, SEGMENTS_MAX = 1 << 16, HEADERS = 40, ROUNDS = 200 };

static uint8_t stream[STREAM_MAX];
static size_t stream_len;
static uint32_t state = 1;

static uint32_t pick(uint32_t below) { /* xorshift: the same numbers on every run */
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return below ? state % below : 0;
}

static void byte(uint8_t b) { stream[stream_len++] = b; }

/* PUBLISH with topic t/NNN and a payload of n bytes. */
static void publish(unsigned number, size_t n) {
    size_t rest = 2 + 5 + n;
    byte(0x30);
    do {
        byte((uint8_t)((rest & 127) | (rest > 127 ? 128 : 0)));
        rest >>= 7;
    } while (rest);
    char topic[8];
    snprintf(topic, sizeof topic, "t/%03u", number % 1000);
    byte(0);
    byte(5);
    memcpy(stream + stream_len, topic, 5);
    stream_len += 5;
    memset(stream + stream_len, 'x', n);
    stream_len += n;
}

struct segment {
    uint32_t off, len;
};

static void be(uint8_t *p, uint32_t v, int n) {
    for (int i = n - 1; i >= 0; i--, v >>= 8) p[i] = (uint8_t)v;
}

/* sent decodes one segment. */
static const struct decode *sent(struct dissector *ds, struct segment s, uint64_t frame) {
    static uint8_t bytes[STREAM_MAX + HEADERS];
    static const struct capture_interface raw = {.linktype = 101, .ticks = 1000000};
    memset(bytes, 0, HEADERS);
    bytes[0] = 0x45;
    be(bytes + 2, HEADERS + s.len, 2);
    bytes[8] = 64;
    bytes[9] = 6;
    be(bytes + 12, 0x0a000001, 4);
    be(bytes + 16, 0x0a000002, 4);
    be(bytes + 20, 40000, 2);
    be(bytes + 22, 1883, 2);
    be(bytes + 24, 0xfffff000u + s.off, 4); /* the numbers wrap on the way */
    bytes[32] = 0x50;
    bytes[33] = 0x10;
    memcpy(bytes + HEADERS, stream + s.off, s.len);
    struct packet p = {.number = frame,
                       .ts = (int64_t)frame * 1000,
                       .has_ts = true,
                       .len = HEADERS + s.len,
                       .data = slice_of(bytes, HEADERS + s.len),
                       .iface = &raw};
    return dissector_packet(ds, &p);
}

/* send decodes one segment and appends the numbers of the topics seen. */
static void send(struct dissector *ds, struct segment s, uint64_t frame, unsigned *seen, size_t *count) {
    const struct decode *d = sent(ds, s, frame);
    for (uint32_t i = 0; i < d->out->n; i++) {
        const struct fval *f = &d->out->v[i];
        if (f->id != FID_MQTT_TOPIC) continue;
        assert(f->s.n == 5 && *count < 2 * MESSAGES);
        seen[(*count)++] = (unsigned)atoi((const char[]){(char)f->s.p[2], (char)f->s.p[3], (char)f->s.p[4], 0});
    }
}

static size_t cut(struct segment *out, uint32_t most) {
    size_t n = 0;
    for (uint32_t at = 0; at < stream_len; n++) {
        uint32_t left = (uint32_t)stream_len - at, len = 1 + pick(most);
        out[n] = (struct segment){at, len < left ? len : left};
        at += out[n].len;
        assert(n + 1 < SEGMENTS_MAX);
    }
    return n;
}

/* disorder moves segments at most `reach` places, repeats some and lets some reach back over their neighbour. */
static size_t disorder(struct segment *s, size_t n, uint32_t reach) {
    for (size_t i = 2; i < n; i++) { /* the first stays: it says where the stream starts */
        size_t j = i + pick(reach);
        if (j >= n) continue;
        struct segment t = s[i];
        s[i] = s[j];
        s[j] = t;
    }
    for (size_t i = 1; i < n; i++) {
        uint32_t back = pick(4) ? 0 : pick(30);
        if (back > s[i].off) back = s[i].off;
        s[i].off -= back;
        s[i].len += back;
    }
    size_t copies = n / 7 < SEGMENTS_MAX - n ? n / 7 : SEGMENTS_MAX - n;
    for (size_t i = 0; i < copies; i++) s[n + i] = s[pick((uint32_t)n)];
    return n + copies;
}

static void round_test(const struct want *want, uint32_t most, uint32_t reach) {
    static struct segment s[SEGMENTS_MAX];
    unsigned seen[2 * MESSAGES];
    size_t count = 0;
    struct dissector *ds = calloc(1, sizeof *ds);
    assert(ds && dissector_make(ds, want) == OK);
    size_t n = disorder(s, cut(s, most), reach);
    for (size_t i = 0; i < n; i++) send(ds, s[i], i + 1, seen, &count);
    assert(count == MESSAGES);
    for (unsigned i = 0; i < MESSAGES; i++) assert(seen[i] == i);
    dissector_free(ds);
    free(ds);
}

static void gap_test(const struct want *want) {
    unsigned seen[2 * MESSAGES];
    size_t count = 0;
    struct dissector *ds = calloc(1, sizeof *ds);
    assert(ds && dissector_make(ds, want) == OK);
    send(ds, (struct segment){0, 100}, 1, seen, &count);
    size_t before = count;
    for (uint32_t at = 1100; at + 100 < stream_len; at += 100) send(ds, (struct segment){at, 100}, at, seen, &count);
    for (size_t i = before; i + 1 < count; i++) assert(seen[i] < seen[i + 1]);
    dissector_free(ds);
    free(ds);
}

static bool is_data(const struct decode *d) { return d->layer[d->layers - 1].proto == &proto_data; }

static void unseen_test(void) {
    struct want want;
    struct dissector *ds = calloc(1, sizeof *ds);
    want_all(&want);
    assert(ds && dissector_make(ds, &want) == OK);
    assert(!is_data(sent(ds, (struct segment){100, 0}, 1)));
    assert(is_data(sent(ds, (struct segment){99, 1}, 2)));
    assert(!is_data(sent(ds, (struct segment){99, 1}, 3)));
    dissector_free(ds);
    assert(dissector_make(ds, &want) == OK);
    sent(ds, (struct segment){3000, 0}, 1);
    const struct decode *d = sent(ds, (struct segment){0, 3000}, 2);
    assert(d->layer[d->layers - 1].proto == &proto_mqtt);
    dissector_free(ds);
    free(ds);
}

int main(void) {
    struct want want = {0};
    want_add(&want, FID_MQTT_TOPIC);
    for (unsigned i = 0; i < MESSAGES; i++) publish(i, pick(i % 5 ? 200 : 3000));
    for (unsigned i = 0; i < ROUNDS; i++) round_test(&want, 1 + pick(2000), 1 + pick(20));
    puts("ok any cut, order, repetition and overlap of segments gives the same messages, once each");
    unseen_test();
    puts("ok a byte that keeps a connection alive is shown where it was not seen before, and what a number ran ahead "
         "of");
    gap_test(&want);
    puts("ok behind a hole no message is invented");
    return 0;
}
