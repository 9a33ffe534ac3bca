/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: every field says which bytes it is (off, len), so a new value is a splice: bytes out, bytes in.
 * A value is written only where reading its place gives the decoded value, so nothing computed, scaled or escaped is
 * overwritten with something that means another thing. Splices that change the size make more splices: the length
 * fields of what they stand in, from the inside out (the text's own, MQTT's properties and packet, DNS over TCP, UDP,
 * IP). All are applied in one pass; then checksums are computed over the result. What a TCP payload grew by is
 * remembered for its direction, and the sequence and acknowledgment numbers of later segments move along; selective
 * acknowledgments do not. What it does not do: values inside reassembled or decrypted bytes (they are counted as
 * refused), lengths of HTTP and TLS. */
#include "analyse/amend.h"
#include "base/hex.h"
#include "proto/dns/dns_write.h"
#include "proto/icmp/checksum.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { SPLICES_MAX = 256, SMALL = 16 };

struct splice {
    uint32_t off, len; /* bytes that go */
    struct slice in;
    uint8_t small[SMALL]; /* where `in` points for numbers */
};

struct shift {
    uint32_t seq; /* from this original number on */
    uint32_t by;
};

struct side {
    uint8_t key[36];
    uint32_t n;
    struct shift *shift;
};

struct work {
    struct amend *a;
    const struct decode *d;
    struct slice packet;
    struct splice splice[SPLICES_MAX]; /* in the order of their offsets once sorted */
    size_t n;
};

struct amend amend_make(void) {
    return (struct amend){.streams =
                              keytab_make(sizeof((struct side *)0)->key, sizeof(struct side), AMEND_STREAMS_MAX)};
}

void amend_free(struct amend *a) {
    for (size_t i = 0; i < a->n; i++) free((void *)a->edit[i].bytes.p);
    for (uint32_t i = 0; i < a->streams.n; i++) free(((struct side *)keytab_at(&a->streams, i))->shift);
    keytab_free(&a->streams);
}

/* bytes_read reads "0a:0b" or "0x0a0b" into out; 0: it is neither. */
static size_t bytes_read(struct slice s, uint8_t *out) {
    bool plain = s.n > 3 && s.p[0] == '0' && s.p[1] == 'x';
    size_t n = 0;
    if (plain) s = slice_tail(s, 2);
    while (s.n >= 2) {
        int hi = hex_digit(s.p[0]), lo = hex_digit(s.p[1]);
        if (hi < 0 || lo < 0) return 0;
        out[n++] = (uint8_t)(hi << 4 | lo);
        s = slice_tail(s, 2);
        if (!plain && s.n && s.p[0] == ':') s = slice_tail(s, 1);
        else if (!plain && s.n) return 0;
    }
    return s.n || (!plain && n < 2) ? 0 : n;
}

static bool number_read(const struct field *f, const char *text, uint64_t *u) {
    char *rest;
    if (f->type == FT_BOOL && !strcasecmp(text, "true")) return *u = 1, true;
    if (f->type == FT_BOOL && !strcasecmp(text, "false")) return *u = 0, true;
    *u = strtoull(text, &rest, 0);
    if (rest != text && !*rest && text[0] != '-') return true;
    for (size_t i = 0; f->values && i < f->values->count; i++)
        if (f->values->list[i].name && !strcasecmp(f->values->list[i].name, text))
            return *u = f->values->list[i].lo, true;
    return false;
}

/* value_read makes of a text what the field holds. */
static bool value_read(struct amend_edit *e, const struct field *f, struct slice s) {
    char text[256];
    bool quoted = s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"';
    uint8_t *bytes = malloc(s.n + 20);
    size_t n = 0;
    if (!bytes) return false;
    e->bytes = slice_of(bytes, 0);
    if (quoted) s = slice_of(s.p + 1, s.n - 2);
    snprintf(text, sizeof text, "%.*s", (int)slice_head(s, sizeof text - 1).n, (const char *)s.p);
    switch (f->type) {
    case FT_IPV4: n = inet_pton(AF_INET, text, bytes) == 1 ? 4 : 0; break;
    case FT_IPV6: n = inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0; break;
    case FT_ETHER: n = bytes_read(s, bytes) == 6 ? 6 : 0; break;
    case FT_BYTES: n = quoted ? 0 : bytes_read(s, bytes); /* else as text */ /* fall through */
    case FT_STRING:
        e->is_text = true;
        if (n) break;
        memcpy(bytes, s.p, s.n);
        e->bytes.n = s.n;
        return true;
    default: return field_is_int(f) && f->type != FT_FRAMENUM && number_read(f, text, &e->u);
    }
    e->bytes.n = n;
    return n > 0;
}

int amend_add(struct amend *a, const struct field_index *names, struct slice text, struct writer *why) {
    size_t eq = 0;
    while (eq < text.n && text.p[eq] != '=') eq++;
    struct slice name = slice_head(text, eq), value = slice_tail(text, eq + 1);
    uint16_t id = field_find(names, name);
    if (eq == text.n) return wr_s(why, "FIELD=VALUE belongs here, such as ip.dst=10.0.0.9"), ERR_USAGE;
    if (!id)
        return wr_f(why, "there is no field '%.*s'; `weir fields` lists them", (int)slice_head(name, 80).n, name.p),
               ERR_USAGE;
    if (a->n == AMEND_MAX) return wr_f(why, "more than %d fields", AMEND_MAX), ERR_LIMIT;
    if (value.n > AMEND_VALUE_MAX) return wr_f(why, "the value is longer than %d bytes", AMEND_VALUE_MAX), ERR_LIMIT;
    const struct field *f = field_of(id);
    struct amend_edit *e = &a->edit[a->n];
    *e = (struct amend_edit){.id = id};
    bool relative = id == FID_TCP_SEQ || id == FID_TCP_ACK;
    if (!relative && !f->computed && value_read(e, f, value)) return a->n++, OK;
    free((void *)e->bytes.p);
    if (relative) wr_f(why, "%s counts from the first one seen; set %s_raw", f->name, f->name);
    else if (f->computed) wr_f(why, "%s is computed, not a part of the packet", f->name);
    else
        wr_f(why, "'%.*s' is no value of %s (%s)", (int)slice_head(value, 80).n, value.p, f->name,
             field_type_name(f->type));
    return ERR_USAGE;
}

static struct splice *splice_new(struct work *k, uint32_t off, uint32_t len) {
    for (size_t i = 0; i < k->n; i++) /* what was said first stays: ip.addr names the bytes of ip.src too */
        if (k->splice[i].off == off && k->splice[i].len == len && len) return NULL;
    if (k->n == SPLICES_MAX || off > k->packet.n || len > k->packet.n - off) return NULL;
    struct splice *s = &k->splice[k->n++];
    *s = (struct splice){.off = off, .len = len};
    return s;
}

static bool splice_number(struct work *k, uint32_t off, uint32_t len, uint64_t u) {
    struct splice *s = len <= 8 ? splice_new(k, off, len) : NULL;
    if (!s) return false;
    for (uint32_t i = 0; i < len; i++) s->small[i] = (uint8_t)(u >> 8 * (len - 1 - i));
    s->in = slice_of(s->small, len);
    return true;
}

static uint64_t scale_of(uint16_t id) { return id == FID_IP_FRAG_OFFSET ? 8 : 1; }

static bool set_number(struct work *k, const struct amend_edit *e, const struct fval *f) {
    const struct field *def = field_of(f->id);
    if (f->len == 0 || f->len > 8) return false;
    uint64_t raw = load_be(k->packet.p + f->off, f->len),
             all = f->len == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * f->len) - 1;
    uint64_t mask = def->mask ? def->mask & all : all, scale = scale_of(f->id);
    if (!mask) return false;
    int shift = __builtin_ctzll(mask);
    if (((raw & mask) >> shift) * scale != f->u || e->u / scale > mask >> shift) return false;
    /* several fields of the same bytes: later ones change what the first one made */
    for (size_t i = 0; i < k->n; i++) {
        struct splice *s = &k->splice[i];
        if (s->off != f->off || s->len != f->len || s->in.p != s->small) continue;
        uint64_t now = (load_be(s->small, f->len) & ~mask) | (e->u / scale) << shift;
        for (uint32_t b = 0; b < f->len; b++) s->small[b] = (uint8_t)(now >> 8 * (f->len - 1 - b));
        return true;
    }
    return splice_number(k, f->off, f->len, (raw & ~mask) | (e->u / scale) << shift);
}

static bool is_name(uint16_t id) {
    return id == FID_DNS_QRY_NAME || id == FID_DNS_RESP_NAME || id == FID_DNS_CNAME || id == FID_DNS_PTR_DOMAIN_NAME ||
           id == FID_DNS_SRV_TARGET;
}

/* set_name writes a domain name; only where it stands without a pointer, since others may point into it: one of the
 * same length then keeps them right. */
static bool set_name(struct work *k, const struct amend_edit *e, const struct fval *f, uint8_t *room) {
    struct writer w = wr_fixed(room, 256);
    struct slice was = slice_of(k->packet.p + f->off, f->len);
    if (!was.n || was.p[was.n - 1] || !dns_write_name(&w, e->bytes) || w.err) return false;
    const struct fval *answers = fv_first(k->d->out, FID_DNS_COUNT_ANSWERS, 0, k->d->out->n);
    if (wr_len(&w) != was.n && answers && answers->u) return false;
    struct splice *s = splice_new(k, f->off, f->len);
    if (s) s->in = wr_done(&w);
    return s != NULL;
}

static bool set_bytes(struct work *k, const struct amend_edit *e, const struct fval *f, uint8_t *room) {
    if (is_name(f->id)) return set_name(k, e, f, room);
    bool address = field_of(f->id)->type == FT_IPV4;
    struct slice was = slice_of(k->packet.p + f->off, f->len);
    if (address ? f->len != 4 || load_be32(was.p) != f->u : !slice_eq(was, f->s)) return false;
    if (!e->is_text && e->bytes.n != f->len) return false;
    struct splice *s = splice_new(k, f->off, f->len);
    if (s) s->in = e->bytes;
    return s != NULL;
}

/* quoted_from returns the place from which on fields belong to a packet quoted in an error. */
static uint32_t quoted_from(const struct decode *d) {
    for (uint8_t i = 0; i < d->layers; i++)
        if (d->layer[i].quoted) return d->layer[i].at;
    return d->out->n;
}

static void edits_find(struct work *k, uint8_t (*rooms)[256]) {
    const struct fvec *v = k->d->out;
    uint32_t end = quoted_from(k->d); /* what an error quotes stays a quotation */
    for (size_t i = 0; i < k->a->n; i++) {
        struct amend_edit *e = &k->a->edit[i];
        for (uint32_t at = 0; at < end; at++) {
            const struct fval *f = &v->v[at];
            if (f->id != e->id) continue;
            bool here =
                f->src == 0 && f->off <= k->packet.n && f->len <= k->packet.n - f->off && !(f->flags & FV_GENERATED);
            bool number = field_is_int(field_of(f->id));
            if (here && (number ? set_number(k, e, f) : set_bytes(k, e, f, rooms[i]))) e->done++;
            else e->refused++;
        }
    }
}

/* grown returns by how many bytes the splices inside [from, to) change its size. */
static int64_t grown(const struct work *k, uint64_t from, uint64_t to) {
    int64_t by = 0;
    for (size_t i = 0; i < k->n; i++)
        if (k->splice[i].off >= from && (uint64_t)k->splice[i].off + k->splice[i].len <= to)
            by += (int64_t)k->splice[i].in.n - k->splice[i].len;
    return by;
}

static bool is_set(const struct work *k, const struct fval *f) {
    for (size_t i = 0; i < k->n; i++)
        if (k->splice[i].off == f->off && k->splice[i].len == f->len) return true;
    return false;
}

static void varint_splice(struct work *k, const struct fval *f, uint64_t u) {
    struct splice *s = splice_new(k, f->off, f->len);
    if (!s) return;
    size_t n = 0;
    for (; u > 127 && n < 8; u >>= 7) s->small[n++] = (uint8_t)(u | 128);
    s->small[n++] = (uint8_t)u;
    s->in = slice_of(s->small, n);
}

/* text_length corrects the length that stands right before a text. */
static void text_length(struct work *k, uint32_t at) {
    const struct fvec *v = k->d->out;
    const struct fval *f = &v->v[at];
    if (f->src || f->len > 2 || !f->len || is_set(k, f)) return;
    int64_t by = grown(k, f->off + f->len, f->off + f->len + f->u);
    bool own = false;
    for (size_t i = 0; i < k->n; i++) own |= k->splice[i].off == f->off + f->len && k->splice[i].len == f->u && f->u;
    if (by && own && load_be(k->packet.p + f->off, f->len) == f->u)
        (void)splice_number(k, f->off, f->len, f->u + (uint64_t)by);
}

/* lengths corrects the lengths of what has grown, from the last field to the first: what is inside stands behind. */
static void lengths(struct work *k) {
    const struct fvec *v = k->d->out;
    for (uint32_t at = v->n; at-- > 0;) {
        const struct fval *f = &v->v[at];
        uint64_t from = f->off, bytes = f->u;
        if (f->src || f->off > k->packet.n || f->len > k->packet.n - f->off || is_set(k, f)) continue;
        switch (f->id) {
        case FID_MQTT_LEN:
        case FID_MQTT_PROPERTY_LEN:
            from += f->len;
            if (grown(k, from, from + bytes)) varint_splice(k, f, bytes + (uint64_t)grown(k, from, from + bytes));
            continue;
        case FID_DNS_LENGTH: from += 2; break;
        case FID_UDP_LENGTH: from -= 4; break;
        case FID_IP_LEN: from -= 2; break;
        case FID_IPV6_PLEN: from += 36; break;
        default:
            if (field_is_int(field_of(f->id))) text_length(k, at);
            continue;
        }
        int64_t by = grown(k, from, from + bytes);
        if (by && f->len == 2) (void)splice_number(k, f->off, 2, bytes + (uint64_t)by);
    }
}

static int by_offset(const void *x, const void *y) {
    const struct splice *a = x, *b = y;
    return a->off != b->off ? (a->off < b->off ? -1 : 1) : a->len != b->len ? (a->len < b->len ? -1 : 1) : 0;
}

/* apply writes the packet; 0 where it becomes too long. */
static size_t apply(struct work *k, uint8_t *out) {
    size_t n = 0, at = 0;
    qsort(k->splice, k->n, sizeof *k->splice, by_offset);
    for (size_t i = 0; i <= k->n; i++) {
        struct splice *s = i < k->n ? &k->splice[i] : NULL;
        size_t to = s ? s->off : k->packet.n;
        if (to < at) continue; /* inside one that was set as a whole */
        size_t in = !s ? 0 : s->in.n;
        if (n + (to - at) + in > AMEND_PACKET_MAX) return 0;
        memcpy(out + n, k->packet.p + at, to - at);
        n += to - at;
        if (!s) break;
        bool own = s->in.n <= SMALL && s->in.p >= (const uint8_t *)k->splice &&
                   s->in.p < (const uint8_t *)(k->splice + SPLICES_MAX);
        if (in) memcpy(out + n, own ? s->small : s->in.p, in);
        n += in;
        at = to + s->len;
    }
    return n;
}

/* moved returns where an offset of the packet is afterwards. */
static size_t moved(const struct work *k, size_t off) {
    size_t to = off;
    for (size_t i = 0; i < k->n && k->splice[i].off + k->splice[i].len <= off; i++)
        to += k->splice[i].in.n - k->splice[i].len;
    return to;
}

static void put16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* sum_of returns the checksum of `bytes` with the pseudo header of the IP header at ip; 0 there: without one. */
static uint16_t sum_of(const uint8_t *ip, uint8_t proto, struct slice bytes) {
    uint64_t sum = 0;
    if (ip) {
        bool v4 = ip[0] >> 4 == 4;
        sum = checksum_add(0, slice_of(ip + (v4 ? 12 : 8), v4 ? 8 : 32)) + proto + bytes.n;
    }
    return checksum_fold(checksum_add(sum, bytes));
}

struct under {
    size_t ip, end; /* IP header and end of what it carries, afterwards */
    bool fragment;
};

/* under_of finds the IP header below a field: the last one before it. */
static bool under_of(const struct work *k, uint32_t at, const uint8_t *out, size_t n, struct under *u) {
    const struct fvec *v = k->d->out;
    while (at-- > 0) {
        const struct fval *f = &v->v[at];
        if ((f->id != FID_IP && f->id != FID_IPV6) || f->src) continue;
        u->ip = moved(k, f->off);
        bool v4 = f->id == FID_IP;
        if (u->ip + (v4 ? 20 : 40) > n) return false;
        const uint8_t *p = out + u->ip;
        u->end = u->ip + (v4 ? load_be16(p + 2) : 40u + load_be16(p + 4));
        u->fragment = v4 && (load_be16(p + 6) & 0x3fff);
        return u->end <= n && !u->fragment;
    }
    return false;
}

static void transport_sum(const struct work *k, uint32_t at, uint8_t *out, size_t n) {
    const struct fval *f = &k->d->out->v[at];
    struct under u;
    uint8_t proto = 0;
    size_t back = 2;
    switch (f->id) {
    case FID_TCP_CHECKSUM: proto = 6, back = 16; break;
    case FID_UDP_CHECKSUM: proto = 17, back = 6; break;
    case FID_ICMPV6_CHECKSUM: proto = 58; break;
    default: break;
    }
    if (!under_of(k, at, out, n, &u)) return;
    size_t field = moved(k, f->off);
    if (field < u.ip + back || field + 2 > u.end) return;
    if (proto == 17 && out[u.ip] >> 4 == 4 && !load_be16(out + field)) return; /* there is none */
    put16(out + field, 0);
    uint16_t sum = sum_of(proto ? out + u.ip : NULL, proto, slice_of(out + field - back, u.end - (field - back)));
    put16(out + field, proto == 17 && !sum ? 0xffff : sum);
}

static void header_sum(const struct work *k, const struct fval *f, uint8_t *out, size_t n) {
    size_t field = moved(k, f->off), header = field - 10;
    if (field < 10 || field + 10 > n) return;
    size_t size = (size_t)(out[header] & 15) * 4;
    if (size < 20 || header + size > n) return;
    put16(out + field, 0);
    put16(out + field, checksum_fold(checksum_add(0, slice_of(out + header, size))));
}

static bool was_edited(const struct work *k, uint16_t id) {
    for (size_t i = 0; i < k->a->n; i++)
        if (k->a->edit[i].id == id) return true;
    return false;
}

/* checksums computes all of them anew, save one that was set, from the inside out. */
static void checksums(const struct work *k, uint8_t *out, size_t n) {
    for (uint32_t at = quoted_from(k->d); at-- > 0;) {
        const struct fval *f = &k->d->out->v[at];
        if (f->src || f->len != 2 || was_edited(k, f->id)) continue;
        if (f->id == FID_IP_CHECKSUM) header_sum(k, f, out, n);
        if (f->id == FID_TCP_CHECKSUM || f->id == FID_UDP_CHECKSUM || f->id == FID_ICMP_CHECKSUM ||
            f->id == FID_ICMPV6_CHECKSUM)
            transport_sum(k, at, out, n);
    }
}

/* The numbers of TCP. */

static void key_make(uint8_t key[36], const struct decode *d, uint16_t from, uint16_t to, bool back) {
    memset(key, 0, 36);
    memcpy(key, back ? d->dst.bytes : d->src.bytes, 16);
    memcpy(key + 16, back ? d->src.bytes : d->dst.bytes, 16);
    put16(key + 32, back ? to : from);
    put16(key + 34, back ? from : to);
}

static uint32_t shift_at(const struct side *s, uint32_t seq) {
    for (uint32_t i = s ? s->n : 0; i-- > 0;)
        if ((int32_t)(seq - s->shift[i].seq) >= 0) return s->shift[i].by;
    return 0;
}

static void shift_add(struct amend *a, const uint8_t key[36], uint32_t seq, int64_t by) {
    struct side *s = keytab_get(&a->streams, key);
    if (!s) return;
    if (s->n && (int32_t)(seq - s->shift[s->n - 1].seq) <= 0) return; /* sent before */
    if (!s->shift) s->shift = malloc(AMEND_SHIFTS_MAX * sizeof *s->shift);
    if (!s->shift) return;
    uint32_t sum = (s->n ? s->shift[s->n - 1].by : 0) + (uint32_t)by;
    if (s->n == AMEND_SHIFTS_MAX) memmove(s->shift, s->shift + 1, --s->n * sizeof *s->shift);
    s->shift[s->n++] = (struct shift){seq, sum};
}

static bool number_of(const struct work *k, uint16_t id, uint32_t end, const struct fval **f) {
    *f = fv_first(k->d->out, id, 0, end);
    return *f && !(*f)->src;
}

/* tcp_numbers moves sequence and acknowledgment number by what earlier segments grew, and notes what this one does. */
static void tcp_numbers(struct work *k) {
    const struct fval *seq, *ack, *from, *to, *len, *header;
    uint32_t end = quoted_from(k->d);
    uint8_t there[36], back[36];
    if (!number_of(k, FID_TCP_SEQ_RAW, end, &seq) || !number_of(k, FID_TCP_SRCPORT, end, &from) ||
        !number_of(k, FID_TCP_DSTPORT, end, &to))
        return;
    len = fv_first(k->d->out, FID_TCP_LEN, 0, end);
    header = fv_first(k->d->out, FID_TCP_HDR_LEN, 0, end);
    key_make(there, k->d, (uint16_t)from->u, (uint16_t)to->u, false);
    key_make(back, k->d, (uint16_t)from->u, (uint16_t)to->u, true);
    uint32_t move = shift_at(keytab_find(&k->a->streams, there), (uint32_t)seq->u);
    if (move && !is_set(k, seq)) (void)splice_number(k, seq->off, 4, (uint32_t)seq->u + move);
    if (number_of(k, FID_TCP_ACK_RAW, end, &ack) && !is_set(k, ack)) {
        uint32_t answered = shift_at(keytab_find(&k->a->streams, back), (uint32_t)ack->u);
        if (answered) (void)splice_number(k, ack->off, 4, (uint32_t)ack->u + answered);
    }
    if (!len || !header) return;
    uint64_t payload = (uint64_t)from->off + header->u;
    int64_t by = grown(k, payload, payload + len->u);
    if (by) shift_add(k->a, there, (uint32_t)seq->u + (uint32_t)len->u, by);
}

size_t amend_packet(struct amend *a, const struct decode *d, struct slice packet, uint8_t *out) {
    uint8_t rooms[AMEND_MAX][256];
    struct work k = {.a = a, .d = d, .packet = packet};
    edits_find(&k, rooms);
    tcp_numbers(&k);
    lengths(&k);
    size_t n = apply(&k, out);
    if (n && k.n) checksums(&k, out, n);
    return n;
}
