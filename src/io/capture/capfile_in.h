/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the capture file reader share; nobody else includes it. */
#ifndef WEIR_IO_CAPFILE_IN_H
#define WEIR_IO_CAPFILE_IN_H

#include "base/arena.h"
#include "base/reader.h"
#include "io/capture/capfile.h"
#include "io/capture/source.h"

/* First size of the buffer: room for the largest packet and then some. */
#define CAPFILE_BUFFER (512u << 10)
_Static_assert(CAPFILE_BUFFER > CAPFILE_PACKET_MAX + 1024, "a packet fits the buffer");

/* block is a pcapng block that stands complete in the buffer. */
struct block {
    uint32_t type; /* 0: none, a classic pcap has no blocks */
    uint64_t at;   /* offset in the file */
    struct slice body;
};

struct capfile {
    struct source src;
    uint8_t *buf; /* bytes buf[pos..end) are read and not used */
    size_t pos, end, cap;
    size_t piece;  /* bytes of the next read, 0: as many as fit; after a jump nobody knows how many will be used */
    uint64_t base; /* offset of buf[0] in the (decompressed) file */
    bool eof;
    bool swap; /* the file's byte order is not little-endian */
    int (*next)(struct capfile *c, struct packet *pkt);
    bool (*glance)(const struct capfile *c, const uint8_t *p, size_t n, struct slice *frame, size_t *size);
    uint64_t ahead; /* offset in the file where the next glance begins */
    uint64_t packets;
    uint64_t record, record_unread; /* where the record being read begins, and `unread` before it */
    uint64_t unread;                /* records that are no packets and yet take a number, as in Wireshark */
    int err;
    char *name;
    char why[512];
    struct arena arena; /* interfaces and their strings */
    /* pcap */
    struct capture_interface *pcap_iface;
    uint8_t header_size; /* bytes of a packet's header */
    bool lengths_swapped, lengths_maybe_swapped;
    uint32_t time_unit; /* ns */
    /* pcapng */
    const struct capture_interface **ifaces; /* of the present section */
    uint32_t iface_count, iface_room;
    uint32_t section;
    void (*on_secrets)(void *to, uint32_t type, struct slice bytes);
    void *secrets_to;
    bool secrets_only; /* packets are passed over */
    void (*on_block)(void *to, const struct capfile_block *b);
    void *block_to;
    bool blocks_listed; /* capfile_list_blocks */
    struct block block; /* the last one read, the present packet's */
};

static inline uint32_t cf_u32(const struct capfile *c, const uint8_t *p) {
    return c->swap ? load_be32(p) : load_le32(p);
}
static inline uint16_t cf_u16(const struct capfile *c, const uint8_t *p) {
    return c->swap ? load_be16(p) : load_le16(p);
}
static inline uint64_t cf_u64(const struct capfile *c, const uint8_t *p) {
    return c->swap ? load_be64(p) : load_le64(p);
}

/* cf_fill reads until n bytes (at most CAPFILE_BLOCK_MAX) stand at pos; false where the input ends before. */
bool cf_fill(struct capfile *c, size_t n) MUST_USE;
static inline bool cf_need(struct capfile *c, size_t n) {
    return __builtin_expect(c->end - c->pos >= n, 1) || cf_fill(c, n);
}
/* cf_skip passes over n bytes; false where the input ends before. */
bool cf_skip(struct capfile *c, uint64_t n) MUST_USE;
static inline const uint8_t *cf_at(const struct capfile *c) { return c->buf + c->pos; }
static inline uint64_t cf_offset(const struct capfile *c) { return c->base + c->pos; }
/* cf_error notes the error line "FILE: byte AT: ..." and returns the code. */
int cf_error(struct capfile *c, int code, uint64_t at, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* cf_short is the answer where the input ended in what began at `at`: the source's own error, ERR_END where nothing of
 * it was there and the end is a regular one, else ERR_CUT. */
int cf_short(struct capfile *c, uint64_t at, const char *what);

/* pcap_start and pcapng_start look at the first bytes: OK, ERR_FORMAT where they are not theirs, or an error. */
int pcap_start(struct capfile *c) MUST_USE;
int pcapng_start(struct capfile *c) MUST_USE;

#endif
