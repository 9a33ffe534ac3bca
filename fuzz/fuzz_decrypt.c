/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: TLS in both directions of a TCP conversation, with the keys of its sessions.
 *
 * Input: two bytes length and a key log; then pieces: one byte (bit 0 the side, bit 1: the piece was lost), two bytes
 * length, the bytes. A pre-shared key is always there. What was decrypted must have been verified: nothing can be
 * checked here but that the fields are sound. */
#include "fuzz_fields.h"

#include "analyse/dissect.h"
#include "proto/tls/tls_keys.h"

enum {
    LINK_RAW = 101,
    IP_HEAD = 20,
    TCP_HEAD = 20,
    HEADS = IP_HEAD + TCP_HEAD,
    MS = 1000 * 1000,
    CLIENT_PORT = 40000,
    TLS_PORT = 443
};

struct line {
    struct dissector *ds;
    struct packet *p;
    uint32_t seq[2];
};

static void be16(uint8_t *to, unsigned v) {
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
}

static void be32(uint8_t *to, uint32_t v) {
    be16(to, v >> 16);
    be16(to + 2, v & 0xffff);
}

/* piece_send makes a TCP segment of a piece and hands it to the dissector, without a byte of room behind it. */
static void piece_send(struct line *l, unsigned side, struct slice piece, uint8_t flags, bool lost) {
    uint8_t *b = calloc(1, HEADS + piece.n);
    if (!b) abort();
    b[0] = 0x45;
    be16(b + 2, (unsigned)(HEADS + piece.n));
    b[8] = 64;
    b[9] = 6;
    be32(b + 12, 0x0a000001 + side);
    be32(b + 16, 0x0a000002 - side);
    be16(b + IP_HEAD, side ? TLS_PORT : CLIENT_PORT);
    be16(b + IP_HEAD + 2, side ? CLIENT_PORT : TLS_PORT);
    be32(b + IP_HEAD + 4, l->seq[side]);
    be32(b + IP_HEAD + 8, l->seq[!side]);
    b[IP_HEAD + 12] = 0x50;
    b[IP_HEAD + 13] = flags;
    be16(b + IP_HEAD + 14, 65535);
    if (piece.n) memcpy(b + HEADS, piece.p, piece.n);
    l->seq[side] += (uint32_t)piece.n + (flags & 2 ? 1 : 0);
    if (!lost) {
        l->p->number++;
        l->p->ts += MS;
        l->p->data = slice_of(b, HEADS + piece.n);
        l->p->len = (uint32_t)(HEADS + piece.n);
        fuzz_fields(dissector_packet(l->ds, l->p)->out, 0);
        dissector_shown(l->ds);
    }
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct want want;
    static struct dissector ds;
    static struct tls_keys keys;
    struct capture_interface iface = {.ticks = 1000000, .linktype = LINK_RAW};
    struct packet p = {.iface = &iface, .has_ts = true, .ts = 1700000000000000000};
    struct line l = {.ds = &ds, .p = &p};
    struct reader r = rd_init(slice_of(data, size), data);
    char text[64];
    struct writer why = wr_fixed(text, sizeof text);
    size_t n = rd_be16(&r);
    struct slice log = rd_take(&r, n < rd_left(&r) ? n : rd_left(&r));
    want_all(&want);
    memset(&ds, 0, sizeof ds);
    tls_keys_make(&keys);
    tls_keys_log(&keys, log, TLS_FROM_LOG, true);
    FUZZ_CHECK(tls_keys_psk(&keys, SLICE("000102030405060708090a0b0c0d0e0f"), &why));
    if (dissector_make(&ds, &want) != OK) abort();
    ds.driver.d.tls_keys = &keys;
    piece_send(&l, 0, (struct slice){0}, 2, false);
    piece_send(&l, 1, (struct slice){0}, 0x12, false);
    while (rd_left(&r) >= 3) {
        uint8_t how = rd_u8(&r);
        n = rd_be16(&r);
        struct slice piece = rd_take(&r, n < rd_left(&r) ? n : rd_left(&r));
        piece_send(&l, how & 1, piece, 0x18, how & 2);
        piece_send(&l, !(how & 1), (struct slice){0}, 0x10, false);
    }
    dissector_free(&ds);
    tls_keys_free(&keys);
    return 0;
}
