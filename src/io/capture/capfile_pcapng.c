/* SPDX-License-Identifier: Apache-2.0 */
/* pcapng (draft-ietf-opsawg-pcapng): blocks of type, length, body, length. A section header sets the byte order and
 * empties the list of interfaces. Blocks that are no packets and nobody asks for are passed over without being held in
 * memory. An option that does not fit its block ends the list of options, not the file. */
#include "io/capture/capfile_in.h"
#include <stdlib.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET_OBSOLETE 2u
#define BLOCK_SIMPLE 3u
#define BLOCK_ENHANCED 6u
#define BLOCK_JOURNAL 9u
#define BLOCK_SECRETS 10u
#define BLOCK_CUSTOM 0xbadu
#define BLOCK_CUSTOM_NO_COPY 0x40000badu
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define BLOCK_MIN 12u

enum { OPT_END = 0, OPT_COMMENT = 1 };
enum { IF_NAME = 2, IF_DESCRIPTION = 3, IF_TSRESOL = 9, IF_FILTER = 11, IF_FCSLEN = 13, IF_TSOFFSET = 14 };
enum { EPB_FLAGS = 2, EPB_DROPCOUNT = 4 };

struct option {
    uint16_t code;
    struct slice value;
};

/* next_option takes one option off s; false at the end of the list. */
static bool next_option(const struct capfile *c, struct slice *s, struct option *o) {
    if (s->n < 4) return false;
    o->code = cf_u16(c, s->p);
    size_t n = cf_u16(c, s->p + 2);
    if (o->code == OPT_END || n > s->n - 4) return false;
    o->value = slice_of(s->p + 4, n);
    *s = slice_tail(*s, 4 + ((n + 3) & ~(size_t)3));
    return true;
}

/* text cuts a string at its first NUL, which some writers put there. */
static struct slice text(struct slice s) {
    const uint8_t *nul = s.n ? memchr(s.p, 0, s.n) : NULL;
    return nul ? slice_of(s.p, (size_t)(nul - s.p)) : s;
}

static uint64_t ticks_of(uint8_t tsresol) {
    unsigned power = tsresol & 0x7f;
    uint64_t ticks = 1;
    if (tsresol & 0x80) return (uint64_t)1 << (power > 63 ? 63 : power);
    for (power = power > 19 ? 19 : power; power; power--) ticks *= 10;
    return ticks;
}

static struct slice keep(struct capfile *c, struct slice s) { return arena_copy(&c->arena, text(s)); }

static void interface_option(struct capfile *c, struct capture_interface *i, struct option o) {
    switch (o.code) {
    case IF_NAME: i->name = keep(c, o.value); break;
    case IF_DESCRIPTION: i->description = keep(c, o.value); break;
    case IF_FILTER: /* the first byte tells text (0) from machine code */
        if (o.value.n && o.value.p[0] == 0) i->filter = keep(c, slice_tail(o.value, 1));
        break;
    case IF_TSRESOL:
        if (o.value.n == 1) i->ticks = ticks_of(o.value.p[0]);
        break;
    case IF_FCSLEN:
        if (o.value.n == 1) i->fcs_len = o.value.p[0];
        break;
    case IF_TSOFFSET:
        if (o.value.n == 8) i->offset = (int64_t)cf_u64(c, o.value.p);
        break;
    default: break;
    }
}

static bool list_interface(struct capfile *c, const struct capture_interface *i) {
    if (c->iface_count == c->iface_room) {
        uint32_t room = c->iface_room ? c->iface_room * 2 : 8;
        void *list = realloc(c->ifaces, room * sizeof *c->ifaces);
        if (!list) return false;
        c->ifaces = list;
        c->iface_room = room;
    }
    c->ifaces[c->iface_count++] = i;
    return true;
}

static int read_interface(struct capfile *c, const struct block *b) {
    if (b->body.n < 8)
        return cf_error(c, ERR_DAMAGED, b->at, "an interface block of %zu bytes is too small", b->body.n);
    struct capture_interface *i = arena_get(&c->arena, sizeof *i);
    if (!i || c->arena.held >= CAPFILE_INTERFACES_MAX - (128u << 10))
        return cf_error(c, ERR_LIMIT, b->at, "more interfaces than fit %u bytes", CAPFILE_INTERFACES_MAX);
    *i = (struct capture_interface){
        .linktype = cf_u16(c, b->body.p),
        .snaplen = cf_u32(c, b->body.p + 4),
        .id = c->iface_count,
        .ticks = 1000000,
        .has_name = true,
    };
    struct slice options = slice_tail(b->body, 8);
    struct option o;
    while (next_option(c, &options, &o)) interface_option(c, i, o);
    return list_interface(c, i) ? OK : cf_error(c, ERR_NOMEM, b->at, "out of memory");
}

/* stamp_read gives the packet its time: an unsigned count of the interface's units since 1970
 * [draft-ietf-opsawg-pcapng 4.3]. */
static void stamp_read(struct packet *p, uint64_t stamp) {
    const struct capture_interface *i = p->iface;
    const uint64_t second = 1000000000, era_end = (uint64_t)1 << 62;
    __int128 ns;
    if (i->ticks == 1000000 && !i->offset && stamp < era_end / 1000) { /* as nearly all */
        p->ts = (int64_t)(stamp * 1000);
        p->era = 0;
        return;
    }
    if (i->ticks == second) {
        ns = stamp;
    } else if (i->ticks == 1000000) {
        ns = (__int128)stamp * 1000;
    } else {
        uint64_t whole = stamp / i->ticks;
        ns = (__int128)whole * second + (__int128)(stamp - whole * i->ticks) * second / i->ticks;
    }
    ns += (__int128)i->offset * second;
    if (ns > MOMENT_MAX) ns = MOMENT_MAX;
    if (ns < -MOMENT_MAX) ns = -MOMENT_MAX;
    p->ts = moment_ns(ns);
    p->era = moment_era(ns);
}

static void packet_options(const struct capfile *c, struct slice options, struct packet *pkt) {
    struct option o;
    size_t comments = 0;
    while (next_option(c, &options, &o)) {
        if (o.code == OPT_COMMENT && comments < sizeof pkt->comments / sizeof *pkt->comments) {
            pkt->comments[comments++] = text(o.value);
        } else if (o.code == EPB_FLAGS && o.value.n == 4) {
            pkt->flags = cf_u32(c, o.value.p);
            pkt->has_flags = true;
        } else if (o.code == EPB_DROPCOUNT && o.value.n == 8) {
            pkt->drops = cf_u64(c, o.value.p);
            pkt->has_drops = true;
        }
    }
}

/* place_packet fills what all packet blocks share; data begins `head` bytes into the body. */
static int place_packet(struct capfile *c, const struct block *b, struct packet *pkt, uint32_t id, size_t head,
                        uint32_t got) {
    if (id >= c->iface_count)
        return cf_error(c, ERR_DAMAGED, b->at, "packet of interface %u, but the section has %u", id, c->iface_count);
    if (got > CAPFILE_PACKET_MAX)
        return cf_error(c, ERR_DAMAGED, b->at, "packet of %u bytes is larger than %u", got, CAPFILE_PACKET_MAX);
    if (got > b->body.n - head)
        return cf_error(c, ERR_DAMAGED, b->at, "packet of %u bytes in a block with room for %zu", got,
                        b->body.n - head);
    pkt->number = ++c->packets + c->unread;
    pkt->iface = c->ifaces[id];
    pkt->section = c->section;
    pkt->offset = b->at;
    pkt->data = slice_of(b->body.p + head, got);
    return OK;
}

static int too_small(struct capfile *c, const struct block *b) {
    return cf_error(c, ERR_DAMAGED, b->at, "a packet block of %zu bytes is too small", b->body.n + BLOCK_MIN);
}

static int read_enhanced(struct capfile *c, const struct block *b, struct packet *pkt) {
    if (b->body.n < 20) return too_small(c, b);
    const uint8_t *p = b->body.p;
    bool obsolete = b->type == BLOCK_PACKET_OBSOLETE;
    uint32_t id = obsolete ? cf_u16(c, p) : cf_u32(c, p);
    uint32_t got = cf_u32(c, p + 12);
    *pkt = (struct packet){.has_ts = true, .len = cf_u32(c, p + 16)};
    int r = place_packet(c, b, pkt, id, 20, got);
    if (r < 0) return r;
    stamp_read(pkt, (uint64_t)cf_u32(c, p + 4) << 32 | cf_u32(c, p + 8));
    if (obsolete && cf_u16(c, p + 2) != 0xffff) {
        pkt->drops = cf_u16(c, p + 2);
        pkt->has_drops = true;
    }
    struct slice options = slice_tail(b->body, 20 + (((size_t)got + 3) & ~(size_t)3));
    if (options.n) packet_options(c, options, pkt);
    return OK;
}

static int read_simple(struct capfile *c, const struct block *b, struct packet *pkt) {
    if (b->body.n < 4) return too_small(c, b);
    uint32_t len = cf_u32(c, b->body.p), got = len;
    if (c->iface_count && c->ifaces[0]->snaplen && got > c->ifaces[0]->snaplen) got = c->ifaces[0]->snaplen;
    *pkt = (struct packet){.len = len};
    return place_packet(c, b, pkt, 0, 4, got);
}

/* set_order sets the byte order of a section from the block's third word. */
static bool set_order(struct capfile *c, const uint8_t *p) {
    if (load_le32(p + 8) == BYTE_ORDER_MAGIC) {
        c->swap = false;
    } else if (load_be32(p + 8) == BYTE_ORDER_MAGIC) {
        c->swap = true;
    } else {
        return false;
    }
    return true;
}

static int read_section(struct capfile *c, const struct block *b) {
    if (b->body.n < 16) return cf_error(c, ERR_DAMAGED, b->at, "a section header of %zu bytes is too small", b->body.n);
    uint16_t major = cf_u16(c, b->body.p + 4), minor = cf_u16(c, b->body.p + 6);
    /* 1.2 is written by some tools and is the same */
    if (major != 1 || (minor != 0 && minor != 2))
        return cf_error(c, ERR_UNSUPPORTED, b->at, "pcapng version %u.%u is not known", major, minor);
    c->section++;
    c->iface_count = 0;
    return OK;
}

static void read_secrets(struct capfile *c, const struct block *b) {
    if (!c->on_secrets || b->body.n < 8) return;
    uint32_t n = cf_u32(c, b->body.p + 4);
    if (n <= b->body.n - 8) c->on_secrets(c->secrets_to, cf_u32(c, b->body.p), slice_of(b->body.p + 8, n));
}

static bool is_packet(uint32_t type) {
    return type == BLOCK_ENHANCED || type == BLOCK_SIMPLE || type == BLOCK_PACKET_OBSOLETE;
}

static bool is_custom(uint32_t type) { return type == BLOCK_CUSTOM || type == BLOCK_CUSTOM_NO_COPY; }

/* takes_number tells blocks that Wireshark lists as records: they keep their number, so that numbers agree. */
static bool takes_number(uint32_t type) { return is_custom(type) || type == BLOCK_JOURNAL; }

static bool is_wanted(const struct capfile *c, uint32_t type) {
    return (is_packet(type) && !c->secrets_only) || (c->blocks_listed && is_custom(type)) || type == BLOCK_SECTION ||
           type == BLOCK_INTERFACE || c->on_block || (type == BLOCK_SECRETS && c->on_secrets);
}

/* check_trailer compares the length after the block (at p) with the one before it. */
static int check_trailer(struct capfile *c, uint64_t at, const uint8_t *p, uint32_t total) {
    uint32_t again = cf_u32(c, p);
    if (again == total || again == ((total + 3) & ~3u)) return OK;
    return cf_error(c, ERR_DAMAGED, at, "block length %u at its start, %u at its end", total, again);
}

/* pass_over moves past a block whose content nobody needs. */
static int pass_over(struct capfile *c, uint64_t at, uint32_t total, uint64_t whole) {
    if (!cf_skip(c, whole - 4) || !cf_need(c, 4)) return cf_short(c, at, "a block");
    int r = check_trailer(c, at, cf_at(c), total);
    c->pos += 4;
    return r;
}

/* take_block gives the next block that matters, complete in the buffer, moved past. */
static int take_block(struct capfile *c, struct block *b) {
    for (;;) {
        uint64_t at = c->record = cf_offset(c);
        c->record_unread = c->unread;
        if (!cf_need(c, BLOCK_MIN)) return cf_short(c, at, "a block");
        const uint8_t *p = cf_at(c);
        if (load_le32(p) == BLOCK_SECTION && !set_order(c, p))
            return cf_error(c, ERR_DAMAGED, at, "a section header without byte-order magic");
        uint32_t type = cf_u32(c, p), total = cf_u32(c, p + 4);
        uint64_t whole = ((uint64_t)total + 3) & ~(uint64_t)3;
        if (total < BLOCK_MIN) return cf_error(c, ERR_DAMAGED, at, "a block length of %u is less than 12", total);
        if (takes_number(type)) c->unread++;
        bool held = is_wanted(c, type) && (whole <= CAPFILE_BLOCK_MAX || !(c->on_block || is_custom(type)));
        if (!held) {
            int r = pass_over(c, at, total, whole);
            if (r < 0) return r;
            continue;
        }
        if (whole > CAPFILE_BLOCK_MAX)
            return cf_error(c, ERR_DAMAGED, at, "a block of %u bytes is larger than %u", total, CAPFILE_BLOCK_MAX);
        if (!cf_need(c, whole)) return cf_short(c, at, "a block");
        p = cf_at(c);
        c->pos += whole;
        *b = (struct block){type, at, {p + 8, whole - BLOCK_MIN}};
        return check_trailer(c, at, p + whole - 4, total);
    }
}

static int other_block(struct capfile *c, const struct block *b) {
    int r = OK;
    if (b->type == BLOCK_SECTION) {
        r = read_section(c, b);
    } else if (b->type == BLOCK_INTERFACE) {
        r = read_interface(c, b);
    } else if (b->type == BLOCK_SECRETS) {
        read_secrets(c, b);
    }
    if (r == OK && c->on_block) {
        struct capfile_block raw = {b->type, c->section, c->swap, b->body};
        c->on_block(c->block_to, &raw);
    }
    return r;
}

/* read_custom gives a custom block in the place of a packet; it took its number in take_block. */
static void read_custom(const struct capfile *c, const struct block *b, struct packet *pkt) {
    static const struct capture_interface none = {.linktype = UINT32_MAX, .ticks = 1000000};
    struct slice content = slice_tail(b->body, 4);
    *pkt = (struct packet){.number = c->packets + c->unread,
                           .len = (uint32_t)content.n,
                           .data = content,
                           .iface = &none,
                           .section = c->section,
                           .offset = b->at,
                           .is_block = true,
                           .block_copied = b->type == BLOCK_CUSTOM,
                           .block_pen = cf_u32(c, b->body.p)};
}

void capfile_list_blocks(struct capfile *c) { c->blocks_listed = true; }

static int pcapng_next(struct capfile *c, struct packet *pkt) {
    struct block *b = &c->block;
    for (;;) {
        int r = take_block(c, b);
        if (r < 0) return r;
        if (b->type == BLOCK_ENHANCED || b->type == BLOCK_PACKET_OBSOLETE) return read_enhanced(c, b, pkt);
        if (b->type == BLOCK_SIMPLE) return read_simple(c, b, pkt);
        r = other_block(c, b);
        if (r < 0) return r;
        if (c->blocks_listed && is_custom(b->type) && b->body.n >= 4) {
            read_custom(c, b, pkt);
            return OK;
        }
    }
}

static bool pcapng_glance(const struct capfile *c, const uint8_t *p, size_t n, struct slice *frame, size_t *size) {
    enum { PACKET_AT = 28, GOT_AT = 20 };
    if (n < PACKET_AT) return false;
    uint64_t whole = ((uint64_t)cf_u32(c, p + 4) + 3) & ~(uint64_t)3;
    if (whole < BLOCK_MIN || whole > n) return false;
    uint32_t got = cf_u32(c, p) == BLOCK_ENHANCED ? cf_u32(c, p + GOT_AT) : 0;
    *frame = got <= whole && whole - got >= PACKET_AT ? slice_of(p + PACKET_AT, got) : (struct slice){0};
    *size = (size_t)whole;
    return true;
}

void capfile_secrets(const char *path, void (*fn)(void *to, uint32_t type, struct slice bytes), void *to) {
    struct capfile *c;
    struct packet pkt;
    char text[8];
    struct writer why = wr_fixed(text, sizeof text);
    if (capfile_open(&c, path, &why) != OK) return;
    if (c->next == pcapng_next) {
        capfile_on_secrets(c, fn, to);
        c->secrets_only = true;
        while (capfile_next(c, &pkt) == OK) continue;
    }
    capfile_close(c);
}

bool capfile_packet_block(const struct capfile *c, struct capfile_block *b) {
    if (!is_packet(c->block.type)) return false;
    *b = (struct capfile_block){c->block.type, c->section, c->swap, c->block.body};
    return true;
}

bool capfile_is_pcapng(const struct capfile *c) { return c->next == pcapng_next; }

int pcapng_start(struct capfile *c) {
    if (c->end < 4 || load_le32(c->buf) != BLOCK_SECTION) return ERR_FORMAT;
    c->next = pcapng_next;
    c->glance = pcapng_glance;
    if (!cf_need(c, BLOCK_MIN)) return cf_short(c, 0, "the section header");
    return OK;
}
