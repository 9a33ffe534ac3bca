/* SPDX-License-Identifier: Apache-2.0 */
/* Classic pcap (draft-ietf-opsawg-pcap): file header of 24 bytes, then packet header and bytes. Variants known: either
 * byte order, microseconds and nanoseconds, Kuznetzov's longer packet header and its relatives (which share magic
 * numbers with others and are told apart by which layout makes sense of the first packets), Ixia's, FCS length in the
 * link type. */
#include "io/capture/capfile_in.h"

#define PCAP_HEADER 24u
/* Packets walked to find out a variant. */
#define PCAP_TRY_PACKETS 8

struct pcap_variant {
    uint32_t magic;
    uint32_t time_unit;     /* ns */
    uint8_t extra;          /* bytes after the file header */
    uint8_t header_size[3]; /* possible sizes of the packet header, the usual one first; 0: no more */
};

static const struct pcap_variant variants[] = {
    {0xa1b2c3d4, 1000, 0, {16, 24, 20}},
    {0xa1b23c4d, 1, 0, {16}},
    {0xa1b2cd34, 1000, 0, {24, 28}},
    {0x1c0001ac, 1, 4, {16}}, /* Ixia, hardware clock */
    {0x1c0001ab, 1, 4, {16}}, /* Ixia, software clock */
};

static const struct pcap_variant *variant_of(uint32_t magic) {
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (variants[i].magic == magic) return &variants[i];
    return NULL;
}

/* sane_packets counts the packets at the start that a header size makes sense of. */
static int sane_packets(const struct capfile *c, uint8_t header_size) {
    int n = 0;
    for (size_t at = c->pos; n < PCAP_TRY_PACKETS && c->end - at >= header_size; n++) {
        const uint8_t *p = c->buf + at;
        uint32_t fraction = cf_u32(c, p + 4), got = cf_u32(c, p + 8), len = cf_u32(c, p + 12);
        /* no empty packets: a wrong size that lands in zeros would make sense of them */
        if (fraction >= 1000000 || !got || got > len || len > CAPFILE_PACKET_MAX) break;
        at += header_size;
        if (got > c->end - at) break;
        at += got;
    }
    return n;
}

static uint8_t pick_header_size(struct capfile *c, const struct pcap_variant *v) {
    uint8_t best = v->header_size[0];
    if (!v->header_size[1]) return best;
    /* only what is there already is looked at: a pipe must not wait for more than its next packet */
    int most = sane_packets(c, best);
    for (int i = 1; i < 3 && v->header_size[i] && most < PCAP_TRY_PACKETS; i++) {
        int n = sane_packets(c, v->header_size[i]);
        if (n > most && n > 1) most = n, best = v->header_size[i];
    }
    return best;
}

static int pcap_next(struct capfile *c, struct packet *pkt) {
    uint64_t at = c->record = cf_offset(c);
    size_t head = c->header_size;
    if (!cf_need(c, head)) return cf_short(c, at, "a packet's header");
    const uint8_t *p = cf_at(c);
    uint32_t got = cf_u32(c, p + 8), len = cf_u32(c, p + 12);
    if (__builtin_expect(c->lengths_swapped || (c->lengths_maybe_swapped && got > len), 0)) {
        uint32_t t = got;
        got = len;
        len = t;
    }
    if (got > CAPFILE_PACKET_MAX)
        return cf_error(c, ERR_DAMAGED, at, "packet of %u bytes is larger than %u", got, CAPFILE_PACKET_MAX);
    if (!cf_need(c, head + got)) return cf_short(c, at, "a packet");
    p = cf_at(c);
    *pkt = (struct packet){
        .number = ++c->packets,
        .ts = (int64_t)cf_u32(c, p) * 1000000000 + (int64_t)cf_u32(c, p + 4) * c->time_unit,
        .has_ts = true,
        .len = len,
        .data = {p + head, got},
        .iface = c->pcap_iface,
        .offset = at,
    };
    c->pos += head + got;
    return OK;
}

static bool pcap_glance(const struct capfile *c, const uint8_t *p, size_t n, struct slice *frame, size_t *size) {
    if (n < c->header_size) return false;
    uint32_t got = cf_u32(c, p + 8);
    if (got > n - c->header_size) return false;
    *frame = slice_of(p + c->header_size, got);
    *size = c->header_size + got;
    return true;
}

static void set_lengths_order(struct capfile *c, uint16_t major, uint16_t minor) {
    /* Files of versions before 2.3 have the two lengths the other way round, 2.3 either way; 543.0 is DG/UX. */
    c->lengths_swapped = (major == 2 && minor < 3) || (major == 543 && minor == 0);
    c->lengths_maybe_swapped = major == 2 && minor == 3;
}

static int pcap_interface(struct capfile *c, const uint8_t *p) {
    struct capture_interface *i = arena_get(&c->arena, sizeof *i);
    if (!i) return cf_error(c, ERR_NOMEM, 0, "out of memory");
    uint32_t network = cf_u32(c, p + 20);
    *i = (struct capture_interface){
        .linktype = network & 0xffff,
        .snaplen = cf_u32(c, p + 16),
        .ticks = 1000000000 / c->time_unit,
        /* bit 26: the FCS length, in units of 16 bits, stands in the top four bits */
        .fcs_len = network & 0x04000000 ? (uint8_t)((network >> 28) * 2) : 0,
    };
    c->pcap_iface = i;
    return OK;
}

int pcap_start(struct capfile *c) {
    if (c->end < 4) return ERR_FORMAT;
    const struct pcap_variant *v = variant_of(load_le32(c->buf));
    if (!v) {
        v = variant_of(load_be32(c->buf));
        c->swap = true;
    }
    if (!v) return ERR_FORMAT;
    if (!cf_need(c, PCAP_HEADER + v->extra)) return cf_short(c, 0, "the file header");
    const uint8_t *p = cf_at(c);
    uint16_t major = cf_u16(c, p + 4), minor = cf_u16(c, p + 6);
    if (major < 2) return cf_error(c, ERR_UNSUPPORTED, 4, "pcap version %u.%u is not known", major, minor);
    c->time_unit = v->time_unit;
    set_lengths_order(c, major, minor);
    int r = pcap_interface(c, p);
    if (r < 0) return r;
    c->pos += PCAP_HEADER + v->extra;
    c->header_size = pick_header_size(c, v);
    c->next = pcap_next;
    c->glance = pcap_glance;
    return OK;
}
