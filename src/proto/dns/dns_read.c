/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages (RFC 1035, 4), over UDP and in a stream (RFC 7766), mDNS (RFC 6762) and LLMNR (RFC 4795).
 *
 * The header, the question and the four sections are read here, record data in dns_rdata.c. A record shows its
 * fields only where all its data is there; the type of one that is cut is kept in its section's value for the
 * Info column. Which question an answer belongs to is the driver's to know (decode_ops.dns_match). */
#include "proto/dns/dns.h"

#include "proto/protos.h"

enum { F_RESPONSE = 0x8000, F_AUTHENTIC = 0x20, OPCODE_UPDATE = 5, OPCODE_DSO = 6 };

static void flag(struct decode *d, uint16_t id, uint32_t off, uint16_t flags) {
    fv_u(d->out, id, off, 2, (flags & field_of(id)->mask) >> __builtin_ctzll(field_of(id)->mask));
}

static void flags_read(struct dns_msg *m, uint32_t off, uint16_t flags) {
    struct decode *d = m->d;
    bool response = flags & F_RESPONSE, llmnr = m->kind == DNS_LLMNR;
    uint32_t at = fv_open(d->out, FID_DNS_FLAGS, off, 2);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = flags;
    flag(d, FID_DNS_FLAGS_RESPONSE, off, flags);
    flag(d, FID_DNS_FLAGS_OPCODE, off, flags);
    if (llmnr) {
        struct fval *f = fv_u(d->out, FID_DNS_FLAGS_CONFLICT, off, 2, flags >> 10 & 1);
        if (f && response) f->extra = DNS_X_RESPONSE;
        flag(d, FID_DNS_FLAGS_TRUNCATED, off, flags);
        flag(d, FID_DNS_FLAGS_TENTATIVE, off, flags);
    } else {
        if (response) flag(d, FID_DNS_FLAGS_AUTHORITATIVE, off, flags);
        flag(d, FID_DNS_FLAGS_TRUNCATED, off, flags);
        flag(d, FID_DNS_FLAGS_RECDESIRED, off, flags);
        if (response) flag(d, FID_DNS_FLAGS_RECAVAIL, off, flags);
        flag(d, FID_DNS_FLAGS_Z, off, flags);
        if (response) {
            flag(d, FID_DNS_FLAGS_AUTHENTICATED, off, flags);
        } else if (flags & F_AUTHENTIC) { /* a wish, RFC 6840, 5.7 */
            struct fval *f = fv_u(d->out, FID_DNS_FLAGS_AUTHENTICATED, off, 2, 1);
            if (f) f->extra = DNS_X_QUERY;
        }
        flag(d, FID_DNS_FLAGS_CHECKDISABLE, off, flags);
    }
    if (response) flag(d, FID_DNS_FLAGS_RCODE, off, flags);
    fv_close(d->out);
}

/* class_get adds a class and, in mDNS, the bit above it. */
static void class_get(struct dns_msg *m, uint32_t off, uint16_t value, uint16_t id, uint16_t bit_id) {
    bool multicast = m->kind == DNS_MULTICAST;
    struct fval *f = fv_u(m->d->out, id, off, 2, multicast ? value & 0x7fff : value);
    if (!multicast) return;
    if (f) f->extra = DNS_X_MULTICAST;
    fv_u(m->d->out, bit_id, off, 2, value >> 15);
}

static void question_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    uint32_t off = rd_off(r);
    struct slice name = {0};
    bool wanted = d_wants(d, FID_DNS_QRY_NAME) || d_wants(d, FID_DNS_QUESTION) || d_wants(d, FID_DNS_QRY_NAME_LEN) ||
                  d_wants(d, FID_DNS_COUNT_LABELS);
    uint32_t n = (uint32_t)dns_name_read(m, r, wanted ? &name : NULL);
    uint16_t type = rd_be16(r), class = rd_be16(r);
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_DNS_QUESTION, off, n + 4);
    if (at != FV_UNWANTED) fv_at(d->out, at)->s = name;
    fv_s(d->out, FID_DNS_QRY_NAME, off, n, name);
    fv_u(d->out, FID_DNS_QRY_NAME_LEN, off, n, name.n);
    if (d_wants(d, FID_DNS_COUNT_LABELS)) fv_u(d->out, FID_DNS_COUNT_LABELS, off, n, dns_name_labels(name));
    fv_u(d->out, FID_DNS_QRY_TYPE, off + n, 2, type);
    class_get(m, off + n + 2, class, FID_DNS_QRY_CLASS, FID_DNS_QRY_QU);
    fv_close(d->out);
}

/* opt_head_read shows what OPT keeps in place of class and time to live (RFC 6891, 6.1.3). */
static void opt_head_read(struct dns_msg *m, uint32_t off, uint16_t class, uint32_t ttl) {
    struct decode *d = m->d;
    bool multicast = m->kind == DNS_MULTICAST;
    struct fval *f = fv_u(d->out, FID_DNS_RR_UDP_PAYLOAD_SIZE, off, 2, multicast ? class & 0x7fff : class);
    if (f && multicast) {
        f->extra = DNS_X_MULTICAST;
        f->flags |= FV_HEX;
    }
    if (multicast) fv_u(d->out, FID_DNS_RESP_CACHE_FLUSH, off, 2, class >> 15);
    fv_u(d->out, FID_DNS_RESP_EXT_RCODE, off + 2, 1, ttl >> 24);
    fv_u(d->out, FID_DNS_RESP_EDNS0_VERSION, off + 3, 1, ttl >> 16 & 255);
    uint32_t at = fv_open(d->out, FID_DNS_RESP_Z, off + 4, 2);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = ttl & 0xffff;
    fv_u(d->out, FID_DNS_RESP_Z_DO, off + 4, 2, ttl >> 15 & 1);
    fv_u(d->out, FID_DNS_RESP_Z_RESERVED, off + 4, 2, ttl & 0x7fff);
    fv_close(d->out);
}

static void ttl_read(struct decode *d, uint32_t off, uint32_t ttl) {
    uint32_t at = fv_open(d->out, FID_DNS_RESP_TTL, off, 4);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = ttl;
    if (ttl >> 31) d_anomaly(d, FID_DNS_TTL_HIGH_BIT_SET, off, 4);
    fv_close(d->out);
}

/* srv_name_read shows the owner of an SRV record in its parts: _service._protocol.name (RFC 2782). */
static void srv_name_read(struct decode *d, uint32_t off, uint32_t n, struct slice name) {
    static const uint16_t ids[] = {FID_DNS_SRV_SERVICE, FID_DNS_SRV_PROTO, FID_DNS_SRV_NAME};
    for (int i = 0; i < 3 && name.n; i++) {
        const uint8_t *dot = i < 2 ? memchr(name.p, '.', name.n) : NULL;
        struct slice part = dot ? slice_head(name, (size_t)(dot - name.p)) : name;
        fv_s(d->out, ids[i], off, n, part);
        name = slice_tail(name, part.n + 1);
    }
}

/* record_read reads one resource record; where it is cut, its type and 0x10000 go to *cut. */
static void record_read(struct dns_msg *m, struct reader *r, uint64_t *cut) {
    struct decode *d = m->d;
    uint32_t off = rd_off(r);
    struct slice name = {0};
    uint32_t n = (uint32_t)dns_name_read(m, r, want_any(d->out->want, FID_DNS_QUERIES, FID_DNS_END) ? &name : NULL);
    uint16_t type = rd_be16(r), class = rd_be16(r);
    uint32_t ttl = rd_be32(r);
    uint16_t len = rd_be16(r);
    if (!rd_ok(r)) return;
    uint32_t type_off = off + n;
    struct reader data = rd_sub(r, len);
    if (!rd_ok(r)) {
        *cut = 0x10000u | type | (uint64_t)(m->kind == DNS_MULTICAST && class >> 15) << 17;
        return;
    }
    uint32_t at = fv_open(d->out, FID_DNS_RR, off, n + 10u + len);
    if (at != FV_UNWANTED) fv_at(d->out, at)->s = name;
    if (type == DNS_T_SRV) srv_name_read(d, off, n, name);
    else fv_s(d->out, FID_DNS_RESP_NAME, off, n, name);
    fv_u(d->out, FID_DNS_RESP_TYPE, type_off, 2, type);
    if (type == DNS_T_OPT) {
        opt_head_read(m, type_off + 2, class, ttl);
    } else {
        class_get(m, type_off + 2, class, FID_DNS_RESP_CLASS, FID_DNS_RESP_CACHE_FLUSH);
        ttl_read(d, type_off + 4, ttl);
    }
    fv_u(d->out, FID_DNS_RESP_LEN, type_off + 8, 2, len);
    if (len) dns_rdata_read(m, &data, type, type_off);
    if (!rd_ok(&data)) rd_fail(r);
    fv_close(d->out);
}

static const uint16_t section_ids[4] = {FID_DNS_QUERIES, FID_DNS_ANSWERS, FID_DNS_AUTHORITY, FID_DNS_ADDITIONAL};

static void section_read(struct dns_msg *m, struct reader *r, unsigned which, uint16_t count, bool update) {
    struct fvec *out = m->d->out;
    uint32_t start = rd_off(r);
    uint32_t at = fv_open(out, section_ids[which], start, (uint32_t)rd_left(r));
    uint64_t cut = 0;
    for (uint16_t i = 0; i < count && rd_ok(r); i++) {
        if (which == 0) question_read(m, r);
        else record_read(m, r, &cut);
    }
    if (rd_ok(r)) fv_set_len(out, at, rd_off(r) - start);
    if (at != FV_UNWANTED) {
        fv_at(out, at)->u = cut;
        if (update) fv_at(out, at)->extra = DNS_X_UPDATE;
    }
    fv_close(out);
}

/* What the driver said of the message's place among question and answer. */
struct turn {
    enum dns_turn kind;
    uint64_t frame;
    int64_t ns;
};

/* turn_wanted tells whether somebody asks for the other half: remembering questions costs more than reading them. */
static bool turn_wanted(const struct decode *d) {
    return want_any(d->out->want, FID_DNS_RESPONSE_TO, FID_DNS_UNSOLICITED + 1) ||
           want_any(d->out->want, FID_DNS_RETRANSMIT_REQUEST, FID_DNS_RETRANSMIT_RESPONSE + 1);
}

static struct turn match(struct dns_msg *m, uint16_t id, bool response) {
    struct turn t = {.kind = DNS_TURN_UNKNOWN};
    if (!turn_wanted(m->d)) return t;
    if (m->d->quoted) t.kind = response ? DNS_TURN_UNASKED : DNS_TURN_UNKNOWN; /* a copy is no turn of its own */
    else if (m->d->ops->dns_match) t.kind = m->d->ops->dns_match(m->d, id, response, &t.frame, &t.ns);
    return t;
}

/* turn_show adds what is known of the other half; it stands behind everything else and has no bytes. */
static void turn_show(struct decode *d, const struct turn *t, bool response, uint32_t off) {
    if (t->kind == DNS_TURN_AGAIN) {
        fv_u(d->out, response ? FID_DNS_RETRANSMIT_RESPONSE_IN : FID_DNS_RETRANSMIT_REQUEST_IN, off, 0, t->frame);
        fv_u(d->out, FID_DNS_RETRANSMISSION, off, 0, 1);
    } else if (t->kind == DNS_TURN_ANSWER) {
        fv_u(d->out, FID_DNS_RESPONSE_TO, off, 0, t->frame);
        fv_i(d->out, FID_DNS_TIME, off, 0, t->ns);
    } else if (t->kind == DNS_TURN_UNASKED) {
        fv_u(d->out, FID_DNS_UNSOLICITED, off, 0, 1);
    }
}

static void extraneous_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r), n = (uint32_t)rd_left(r);
    fv_open(d->out, FID_DNS_EXTRANEOUS_LINE, off, n);
    fv_s(d->out, FID_DNS_EXTRANEOUS_DATA, off, n, rd_rest(r));
    fv_i(d->out, FID_DNS_EXTRANEOUS_LENGTH, off, 0, n);
    d_anomaly(d, FID_DNS_EXTRANEOUS, off, n);
    fv_close(d->out);
}

/* message_read reads a message; `start` is where the layer began: at it, or at the length before it. */
static void message_read(struct dns_msg *m, uint32_t start) {
    static const uint16_t counts[4] = {FID_DNS_COUNT_QUERIES, FID_DNS_COUNT_ANSWERS, FID_DNS_COUNT_AUTH_RR,
                                       FID_DNS_COUNT_ADD_RR};
    static const uint16_t update_counts[4] = {FID_DNS_COUNT_ZONES, FID_DNS_COUNT_PREREQUISITES, FID_DNS_COUNT_UPDATES,
                                              FID_DNS_COUNT_ADD_RR};
    struct decode *d = m->d;
    struct reader r = d_reader(d, m->in);
    uint32_t off = rd_off(&r);
    uint16_t id = rd_be16(&r), flags = rd_be16(&r), count[4];
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        return;
    }
    unsigned opcode = flags >> 11 & 15;
    bool response = flags & F_RESPONSE, update = opcode == OPCODE_UPDATE;
    struct turn t = match(m, id, response);
    uint32_t at = fv_open(d->out, FID_DNS_ID, off, 2);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = id;
    if (t.kind == DNS_TURN_AGAIN) {
        struct fval *f = d_anomaly(d, response ? FID_DNS_RETRANSMIT_RESPONSE : FID_DNS_RETRANSMIT_REQUEST, off, 2);
        if (f) f->u = t.frame;
    }
    fv_close(d->out);
    flags_read(m, off + 2, flags);
    for (unsigned i = 0; i < 4; i++) count[i] = get_be16(d, &r, update ? update_counts[i] : counts[i]);
    for (unsigned i = 0; i < 4 && rd_ok(&r); i++)
        if (count[i]) section_read(m, &r, i, count[i], update);
    if (opcode == OPCODE_DSO && rd_left(&r) && !(count[0] | count[1] | count[2] | count[3])) dns_dso_read(m, &r);
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        return;
    }
    turn_show(d, &t, response, start);
    if (rd_left(&r)) extraneous_read(d, &r);
}

static void datagram_read(struct decode *d, struct slice in, const struct proto *p, enum dns_kind kind) {
    struct dns_msg m = {.d = d, .in = in, .kind = kind, .work = DNS_NAME_WORK};
    uint32_t off = d_off(d, in.p);
    d_begin(d, p, off, (uint32_t)in.n);
    message_read(&m, off);
    d_end(d);
}

static void dns_read(struct decode *d, struct slice in) { datagram_read(d, in, &proto_dns, DNS_PLAIN); }
static void mdns_read(struct decode *d, struct slice in) { datagram_read(d, in, &proto_mdns, DNS_MULTICAST); }
static void llmnr_read(struct decode *d, struct slice in) { datagram_read(d, in, &proto_llmnr, DNS_LLMNR); }

static bool host_byte(uint8_t c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '_';
}

/* name_likely passes over a name that hosts and services have: without compression, not the root. */
static bool name_likely(struct reader *r) {
    enum { LABEL_MAX = 63 };
    size_t labels = 0;
    for (uint8_t n = rd_u8(r); n; n = rd_u8(r), labels++) {
        struct slice label = rd_take(r, n);
        if (!rd_ok(r) || n > LABEL_MAX) return false;
        for (size_t i = 0; i < label.n; i++)
            if (!host_byte(label.p[i])) return false;
    }
    return rd_ok(r) && labels > 0;
}

/* dns_recognises knows a message on any port by its question: one, for a host's name, in a class there is; and a query
 * by having nothing else but what stands in an OPT record. */
static bool dns_recognises(struct slice in, enum known_as known) {
    enum {
        IN_USE = 0x7840,
        RCODE = 0xf,
        TYPE_MAX = 260,
        CLASS_IN = 1,
        CLASS_CHAOS = 3,
        CLASS_ANY = 255,
        RECORDS = 256
    };
    struct reader r = rd_init(in, in.p);
    (void)known;
    rd_skip(&r, 2);
    uint16_t flags = rd_be16(&r), questions = rd_be16(&r), answers = rd_be16(&r), authorities = rd_be16(&r),
             more = rd_be16(&r);
    bool response = flags & F_RESPONSE;
    if (questions != 1 || flags & IN_USE || answers > RECORDS || authorities > RECORDS || more > RECORDS) return false;
    if (!response && (answers || authorities || more > 1 || flags & RCODE)) return false;
    if (!name_likely(&r)) return false;
    uint16_t type = rd_be16(&r), class = rd_be16(&r);
    if (!type || type > TYPE_MAX || (class != CLASS_IN && class != CLASS_CHAOS && class != CLASS_ANY)) return false;
    return rd_ok(&r) && (response || (rd_left(&r) == 0) == (more == 0));
}

static void stream_start(void *state) { (void)state; }

/* stream_frame: over TCP a message follows its length in two bytes, RFC 1035 4.2.2. */
static struct read_result stream_frame(struct slice in) {
    if (in.n < 2) return (struct read_result){.status = READ_MORE};
    size_t whole = load_be16(in.p) + 2u;
    return (struct read_result){.status = in.n < whole ? READ_MORE : READ_OK, .consumed = whole};
}

static struct read_result stream_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state;
    (void)from;
    struct read_result r = stream_frame(in);
    if (r.status != READ_OK) return r;
    size_t whole = r.consumed, len = whole - 2;
    struct dns_msg m = {.d = d, .in = slice_head(slice_tail(in, 2), len), .work = DNS_NAME_WORK};
    uint32_t off = d_off(d, in.p);
    d_begin(d, &proto_dns, off, (uint32_t)whole);
    fv_u(d->out, FID_DNS_LENGTH, off, 2, len);
    message_read(&m, off);
    d_end(d);
    return r;
}

static const struct stream_ops stream = {.start = stream_start, .frame = stream_frame, .read = stream_read};
static const struct proto_key dns_keys[] = {
    {TABLE_UDP, 53}, {TABLE_TCP, 53}, {TABLE_TCP, 5353}, {TABLE_TLS, 853}, {TABLE_COUNT, 0}};
static const struct proto_key mdns_keys[] = {{TABLE_UDP, 5353}, {TABLE_COUNT, 0}};
static const struct proto_key llmnr_keys[] = {{TABLE_UDP, 5355}, {TABLE_COUNT, 0}};

const struct proto proto_dns = {.name = "dns",
                                .column = "DNS",
                                .id = FID_DNS,
                                .end = FID_DNS_END,
                                .keys = dns_keys,
                                .read = dns_read,
                                .stream = &stream,
                                .recognises = dns_recognises,
                                .info = dns_info,
                                .info_fields = dns_info_fields,
                                .info_last = true,
                                .label = dns_label};
/* The other two have their own entry in the tree; their fields are DNS's. */
const struct proto proto_mdns = {.name = "mdns",
                                 .column = "MDNS",
                                 .id = FID_MDNS,
                                 .end = FID_MDNS_END,
                                 .keys = mdns_keys,
                                 .read = mdns_read,
                                 .info = dns_info,
                                 .info_fields = dns_info_fields,
                                 .label = dns_label};
const struct proto proto_llmnr = {.name = "llmnr",
                                  .column = "LLMNR",
                                  .id = FID_LLMNR,
                                  .end = FID_LLMNR_END,
                                  .keys = llmnr_keys,
                                  .read = llmnr_read,
                                  .info = dns_info,
                                  .info_fields = dns_info_fields,
                                  .label = dns_label};
