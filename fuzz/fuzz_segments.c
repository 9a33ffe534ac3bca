/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: whatever the order of TCP's segments, and however often they come, each message is read once, in order.
 *
 * Input: one byte, how many messages; a byte for each, how long it is; then segments: two bytes where in the stream,
 * one byte how long. What did not come by then comes in order at the end. */
#include "fuzz_fields.h"

#include "analyse/dissect.h"
#include "proto/fields.h"

enum { MESSAGES_MOST = 16, PAYLOAD_MOST = 64, STREAM_MOST = MESSAGES_MOST * (5 + PAYLOAD_MOST), SEGMENTS_MOST = 48 };
enum { HEADERS = 40, REST = 50, LINK_RAW = 101, SYN = 2, ACK = 0x10, MS = 1000 * 1000 };

struct talk {
    struct dissector ds;
    struct packet pkt;
    uint8_t stream[STREAM_MOST];
    size_t n;
    unsigned messages, read;
};

static void put16(uint8_t *p, unsigned v) { p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v; }
static void put32(uint8_t *p, uint32_t v) { put16(p, v >> 16), put16(p + 2, v & 0xffff); }

/* topics_check takes note of the messages a packet completed: the one that is next, each time. */
static void topics_check(struct talk *t, const struct decode *d) {
    for (uint32_t i = 0; i < d->out->n; i++) {
        const struct fval *f = &d->out->v[i];
        if (f->id != FID_MQTT_TOPIC) continue;
        FUZZ_CHECK(f->s.n == 1 && f->s.p[0] == 'a' + t->read);
        t->read++;
    }
}

/* segment_send hands a segment of the client, or the server's SYN, to the dissector. */
static void segment_send(struct talk *t, bool client, uint32_t seq, uint8_t flags, struct slice data) {
    uint8_t *p = calloc(1, HEADERS + data.n), *tcp = p + 20;
    if (!p) abort();
    p[0] = 0x45, p[8] = 64, p[9] = 6;
    put16(p + 2, (unsigned)(HEADERS + data.n));
    put32(p + 12, client ? 0x0a000001 : 0x0a000002);
    put32(p + 16, client ? 0x0a000002 : 0x0a000001);
    put16(tcp, client ? 40000 : 1883);
    put16(tcp + 2, client ? 1883 : 40000);
    put32(tcp + 4, seq);
    put32(tcp + 8, flags & ACK ? 1 : 0);
    tcp[12] = 0x50, tcp[13] = flags;
    put16(tcp + 14, 0xffff);
    if (data.n) memcpy(p + HEADERS, data.p, data.n);
    t->pkt.number++;
    t->pkt.ts += MS;
    t->pkt.data = slice_of(p, HEADERS + data.n);
    t->pkt.len = (uint32_t)t->pkt.data.n;
    const struct decode *d = dissector_packet(&t->ds, &t->pkt);
    topics_check(t, d);
    dissector_shown(&t->ds);
    free(p);
}

static void data_send(struct talk *t, size_t at, size_t n) {
    struct slice all = slice_of(t->stream, t->n);
    segment_send(t, true, (uint32_t)(1 + at), ACK, slice_head(slice_tail(all, at), n));
}

static void stream_make(struct talk *t, struct reader *r) {
    t->messages = 1 + rd_u8(r) % MESSAGES_MOST;
    for (unsigned i = 0; i < t->messages; i++) {
        uint8_t *p = t->stream + t->n;
        size_t payload = rd_u8(r) % PAYLOAD_MOST;
        p[0] = 0x30, p[1] = (uint8_t)(3 + payload);
        put16(p + 2, 1);
        p[4] = (uint8_t)('a' + i);
        memset(p + 5, 'x', payload);
        t->n += 5 + payload;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct want want;
    static struct talk t;
    struct capture_interface iface = {.ticks = 1000000, .linktype = LINK_RAW};
    struct reader r = rd_init(slice_of(data, size), data);
    memset(&t, 0, sizeof t);
    t.pkt = (struct packet){.iface = &iface, .has_ts = true, .ts = 1700000000000000000};
    want_all(&want);
    if (dissector_make(&t.ds, &want) != OK) abort();
    stream_make(&t, &r);
    segment_send(&t, true, 0, SYN, (struct slice){0});
    segment_send(&t, false, 0, SYN | ACK, (struct slice){0});
    for (int i = 0; i < SEGMENTS_MOST && rd_left(&r) >= 3; i++) {
        size_t at = rd_be16(&r) % t.n, n = rd_u8(&r);
        data_send(&t, at, n + 1);
    }
    for (size_t at = 0; at < t.n; at += REST) data_send(&t, at, REST);
    FUZZ_CHECK(t.read == t.messages);
    dissector_free(&t.ds);
    return 0;
}
