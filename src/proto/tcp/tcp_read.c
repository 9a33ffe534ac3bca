/* SPDX-License-Identifier: Apache-2.0 */
/* TCP header and options (RFC 9293 3.1, 3.2; RFC 7323; RFC 2018; RFC 7413). What they mean in their conversation is
 * in tcp_session.c. */
#include "field/print.h"
#include "proto/protos.h"
#include "proto/tcp/tcp.h"

enum { HEADER = 20, PORTS = 4 };
enum {
    KIND_EOL,
    KIND_NOP,
    KIND_MSS,
    KIND_WSCALE,
    KIND_SACK_PERM,
    KIND_SACK,
    KIND_TS = 8,
    KIND_MD5 = 19,
    KIND_USER_TIMEOUT = 28,
    KIND_AO = 29,
    KIND_TFO = 34,
    KIND_EXPERIMENT1 = 253,
    KIND_EXPERIMENT2 = 254
};
enum { EXPERIMENT_TFO = 0xf989 }; /* RFC 7413 4.1.1 */
enum { NOPS_STRANGE = 4 };        /* alignment needs no more than three */

static const char flag_letters[] = "RRRACEUAPRSF";

static void flags_text(struct decode *d, uint32_t off, uint16_t flags) {
    if (!d_wants(d, FID_TCP_FLAGS_STR)) return;
    char *text = arena_get(d->arena, 24);
    if (!text) return;
    struct writer w = wr_fixed(text, 24);
    for (int i = 0; i < 12; i++) {
        if (flags >> (11 - i) & 1) wr_c(&w, flag_letters[i]);
        else wr_s(&w, "\xc2\xb7");
    }
    fv_s(d->out, FID_TCP_FLAGS_STR, off, 2, wr_done(&w));
}

/* flag_add adds one flag; what it means for the connection hangs below it. */
static void flag_add(struct decode *d, uint16_t id, uint32_t off, const struct tcp_segment *s, uint16_t bit,
                     uint16_t anomaly) {
    bool set = s->flags & bit;
    fv_u(d->out, id, off, 1, set);
    if (!set || !anomaly) return;
    d->out->depth++;
    struct fval *f = d_anomaly(d, anomaly, off, 1);
    if (f && bit == TH_SYN) f->extra = s->flags & TH_ACK ? s->sport : s->dport;
    fv_close(d->out);
}

static void flags_add(struct decode *d, const struct tcp_segment *s, uint32_t off, struct tcp_conv *c, int side) {
    struct fvec *v = d->out;
    uint16_t syn = s->flags & TH_ACK ? FID_TCP_CONN_SYNACK : FID_TCP_CONN_SYN;
    fv_u(v, FID_TCP_FLAGS, off, 2, s->flags);
    if (!(s->flags & (TH_SYN | TH_FIN | TH_RST)) && !want_any(v->want, FID_TCP_FLAGS_RES, FID_TCP_WINDOW_VALUE)) return;
    v->depth++;
    fv_u(v, FID_TCP_FLAGS_RES, off, 1, (s->flags & 0xe00) != 0);
    fv_u(v, FID_TCP_FLAGS_AE, off, 1, s->flags >> 8 & 1);
    fv_u(v, FID_TCP_FLAGS_CWR, off + 1, 1, s->flags >> 7 & 1);
    fv_u(v, FID_TCP_FLAGS_ECE, off + 1, 1, s->flags >> 6 & 1);
    fv_u(v, FID_TCP_FLAGS_URG, off + 1, 1, s->flags >> 5 & 1);
    fv_u(v, FID_TCP_FLAGS_ACK, off + 1, 1, s->flags >> 4 & 1);
    fv_u(v, FID_TCP_FLAGS_PUSH, off + 1, 1, s->flags >> 3 & 1);
    flag_add(d, FID_TCP_FLAGS_RESET, off + 1, s, TH_RST, FID_TCP_CONN_RST);
    flag_add(d, FID_TCP_FLAGS_SYN, off + 1, s, TH_SYN, syn);
    flag_add(d, FID_TCP_FLAGS_FIN, off + 1, s, TH_FIN, FID_TCP_CONN_FIN);
    flags_text(d, off, s->flags);
    if ((s->flags & TH_FIN) && c) { /* shown below the text of all flags */
        if (!c->closing) c->closer = (uint8_t)side;
        c->closing = true;
        v->depth++;
        d_anomaly(d, c->closer == side ? FID_TCP_CONN_FIN_ACTIVE : FID_TCP_CONN_FIN_PASSIVE, off, 0);
        v->depth--;
    }
    fv_close(v);
}

static uint32_t kind_open(struct decode *d, uint16_t id, const uint8_t *p, size_t n) {
    uint32_t at = fv_open(d->out, id, d_off(d, p), (uint32_t)n);
    if (at != FV_UNWANTED) fv_at(d->out, at)->s = slice_of(p, n);
    fv_u(d->out, FID_TCP_OPT_KIND, d_off(d, p), 1, p[0]);
    if (p[0] > KIND_NOP) fv_u(d->out, FID_TCP_OPT_LEN, d_off(d, p) + 1, 1, n);
    return at;
}

static void sack_add(struct decode *d, struct reader *o, const struct tcp_segment *s, const struct tcp_conv *c,
                     int side) {
    uint32_t start = rd_off(o) - 2, first = rd_off(o), base = c ? c->side[!side].base_seq : 0, blocks = 0;
    uint32_t left0 = 0, right0 = 0;
    for (; rd_left(o) >= 8; blocks++) {
        uint32_t off = rd_off(o), left = rd_be32(o), right = rd_be32(o);
        fv_u(d->out, FID_TCP_OPT_SACK_LE, off, 4, left - base);
        fv_u(d->out, FID_TCP_OPT_SACK_RE, off + 4, 4, right - base);
        if (blocks) continue;
        left0 = left;
        right0 = right;
    }
    fv_u(d->out, FID_TCP_OPT_SACK_COUNT, start, 0, blocks);
    if (!blocks || !seq_le(right0, s->ack)) return;
    /* RFC 2883 4: a first block at or below the acknowledgment reports a segment received twice. */
    fv_u(d->out, FID_TCP_OPT_DSACK_LE, first, 4, left0 - base);
    fv_u(d->out, FID_TCP_OPT_DSACK_RE, first + 4, 4, right0 - base);
    d_anomaly(d, FID_TCP_DSACK, first, 8);
}

static uint16_t option_field(uint8_t kind) {
    switch (kind) {
    case KIND_EOL: return FID_TCP_OPT_EOL;
    case KIND_NOP: return FID_TCP_OPT_NOP;
    case KIND_MSS: return FID_TCP_OPT_MSS;
    case KIND_WSCALE: return FID_TCP_OPT_WSCALE;
    case KIND_SACK_PERM: return FID_TCP_OPT_SACK_PERM;
    case KIND_SACK: return FID_TCP_OPT_SACK;
    case KIND_TS: return FID_TCP_OPT_TS;
    case KIND_MD5: return FID_TCP_OPT_MD5;
    case KIND_USER_TIMEOUT: return FID_TCP_OPT_USER_TIMEOUT;
    case KIND_AO: return FID_TCP_OPT_AO;
    case KIND_TFO: return FID_TCP_OPT_TFO;
    case KIND_EXPERIMENT1:
    case KIND_EXPERIMENT2: return FID_TCP_OPT_EXPERIMENT;
    default: return FID_TCP_OPT_UNKNOWN;
    }
}

/* padding_ok tells whether only zeros follow the end of the options [RFC 9293 3.1], and names where not. */
static bool padding_ok(struct decode *d, struct slice rest) {
    while (rest.n && !rest.p[0]) rest = slice_tail(rest, 1);
    if (rest.n) d_anomaly(d, FID_TCP_EOL_PADDING, d_off(d, rest.p), (uint32_t)rest.n);
    return !rest.n;
}

/* fast_open_read reads a cookie, or that one is asked for [RFC 7413 2]. */
RARE static void fast_open_read(struct decode *d, struct reader *o, const struct tcp_segment *s) {
    if (!rd_left(o)) {
        fv_add(d->out, FID_TCP_OPT_TFO_REQUEST, rd_off(o), 0);
        return;
    }
    uint32_t off = rd_off(o);
    get_bytes(d, o, FID_TCP_OPT_TFO_COOKIE, rd_left(o));
    d->out->depth++;
    if ((s->flags & (TH_SYN | TH_ACK)) == TH_SYN) d_anomaly(d, FID_TCP_AN_TFO_SYN, off, 0);
    fv_close(d->out);
}

RARE static void experiment_read(struct decode *d, struct reader *o, const struct tcp_segment *s) {
    if (get_be16(d, o, FID_TCP_OPT_EXPERIMENT_ID) == EXPERIMENT_TFO) fast_open_read(d, o, s);
    else if (rd_left(o)) get_bytes(d, o, FID_TCP_OPT_EXPERIMENT_DATA, rd_left(o));
}

RARE static void option_body(struct decode *d, uint8_t kind, struct reader *o, const struct tcp_segment *s,
                             const struct tcp_conv *c, int side) {
    switch (kind) {
    case KIND_MSS:
        if (!(s->flags & TH_SYN)) d_anomaly(d, FID_TCP_MSS_PRESENT, rd_off(o) - 2, 0);
        get_be16(d, o, FID_TCP_OPT_MSS_VAL);
        break;
    case KIND_WSCALE: {
        uint8_t shift = get_u8(d, o, FID_TCP_OPT_WSCALE_SHIFT);
        if (rd_ok(o)) fv_u(d->out, FID_TCP_OPT_WSCALE_MULT, rd_off(o) - 1, 1, 1u << (shift > 14 ? 14 : shift));
        if (shift > 14) d_anomaly(d, FID_TCP_WSCALE_INVALID, rd_off(o) - 1, 1);
        break;
    }
    case KIND_SACK_PERM: break;
    case KIND_SACK: sack_add(d, o, s, c, side); break;
    case KIND_TS:
        get_be32(d, o, FID_TCP_OPT_TSVAL);
        get_be32(d, o, FID_TCP_OPT_TSECR);
        break;
    case KIND_MD5: get_bytes(d, o, FID_TCP_OPT_MD5_DIGEST, rd_left(o)); break;
    case KIND_USER_TIMEOUT: {
        uint32_t off = rd_off(o), value = rd_be16(o);
        if (!rd_ok(o)) break;
        fv_u(d->out, FID_TCP_OPT_USER_TIMEOUT_MINUTES, off, 2, value >> 15);
        fv_u(d->out, FID_TCP_OPT_USER_TIMEOUT_VAL, off, 2, value & 0x7fff);
        break;
    }
    case KIND_AO:
        get_u8(d, o, FID_TCP_OPT_AO_KEYID);
        get_u8(d, o, FID_TCP_OPT_AO_RNEXTKEYID);
        get_bytes(d, o, FID_TCP_OPT_AO_MAC, rd_left(o));
        break;
    case KIND_TFO: fast_open_read(d, o, s); break;
    case KIND_EXPERIMENT1:
    case KIND_EXPERIMENT2: experiment_read(d, o, s); break;
    default:
        if (rd_left(o)) get_bytes(d, o, FID_TCP_OPT_UNKNOWN_PAYLOAD, rd_left(o));
    }
}

/* options_plain tells whether the options are what nearly every segment has, time stamps behind two NOPs (RFC 7323,
 * appendix A): they say nothing about the conversation, and nothing can be wrong with them. */
static bool options_plain(struct slice o) { return o.n == 12 && load_be32(o.p) == 0x0101080a; }

/* stamps_add adds the numbers of plain options where nobody looks at anything else of them. */
static void stamps_add(struct decode *d, struct reader *r) {
    rd_skip(r, 4);
    d->out->depth += 2;
    get_be32(d, r, FID_TCP_OPT_TSVAL);
    get_be32(d, r, FID_TCP_OPT_TSECR);
    d->out->depth -= 2;
}

static void options_add(struct decode *d, struct slice options, const struct tcp_segment *s, const struct tcp_conv *c,
                        int side) {
    struct reader r = d_reader(d, options);
    bool plain = options_plain(options);
    if (plain && !(s->flags & TH_SYN) && !want_any(d->out->want, FID_TCP_OPTIONS, FID_TCP_TIMES)) return;
    bool padding =
        want_any(d->out->want, FID_TCP_OPT_KIND, FID_TCP_OPT_MSS) || /* somebody looks at what says nothing */
        (!plain && d_wants(d, FID_TCP_NOPS));
    int nops = 0;
    if (plain && !padding && !(s->flags & TH_SYN) && !d_wants(d, FID_TCP_OPTIONS) && !d_wants(d, FID_TCP_OPT_TS)) {
        stamps_add(d, &r);
        return;
    }
    uint32_t at = fv_open(d->out, FID_TCP_OPTIONS, d_off(d, options.p), (uint32_t)options.n);
    if (at != FV_UNWANTED) fv_at(d->out, at)->s = options;
    while (rd_left(&r)) {
        const uint8_t *start = r.p;
        uint8_t kind = rd_u8(&r);
        if (kind == KIND_NOP && !padding) continue;
        int len = kind <= KIND_NOP ? 1 : rd_peek(&r, 0);
        if (len < 1 || (kind > KIND_NOP && len < 2) || (size_t)len > rd_left(&r) + 1) {
            d_anomaly(d, FID_TCP_SUBOPT_LEN, d_off(d, start), 1);
            break;
        }
        nops = kind == KIND_NOP ? nops + 1 : 0;
        if (nops == NOPS_STRANGE) {
            d->out->depth++;
            d_anomaly(d, FID_TCP_NOPS, d_off(d, options.p), 0);
            fv_close(d->out);
        }
        kind_open(d, option_field(kind), start, (size_t)len);
        if (kind > KIND_NOP) {
            struct reader o = rd_sub(&r, (size_t)len - 1);
            rd_skip(&o, 1);
            option_body(d, kind, &o, s, c, side);
            if (!rd_ok(&o)) d_anomaly(d, FID_TCP_SUBOPT_LEN, d_off(d, start), (uint32_t)len);
        }
        fv_close(d->out);
        if (kind == KIND_EOL && !padding_ok(d, slice_of(r.p, rd_left(&r)))) break;
    }
    if ((s->flags & TH_SYN) && !s->has_mss) d_anomaly(d, FID_TCP_MSS_ABSENT, d_off(d, options.p), 0);
    fv_close(d->out);
}

/* options_scan takes what the conversation needs from the options. */
static void options_scan(struct slice o, struct tcp_segment *s) {
    if (options_plain(o)) return;
    while (o.n) {
        uint8_t kind = o.p[0];
        size_t len = kind <= KIND_NOP ? 1 : o.n > 1 ? o.p[1] : 0;
        if (kind == KIND_EOL || len == 0 || len > o.n || (kind > KIND_NOP && len < 2)) return;
        if (kind == KIND_WSCALE && len == 3) {
            s->has_wscale = true;
            s->wscale = o.p[2];
        } else if (kind == KIND_MSS) {
            s->has_mss = true;
        } else if (kind == KIND_TFO) {
            s->has_cookie = len > 2;
        } else if (kind >= KIND_EXPERIMENT1) {
            s->has_cookie = kind <= KIND_EXPERIMENT2 && len > 4 && load_be16(o.p + 2) == EXPERIMENT_TFO;
        } else if (kind == KIND_SACK) {
            for (size_t at = 2; at + 8 <= len; at += 8) s->sacked += load_be32(o.p + at + 4) - load_be32(o.p + at);
        }
        o = slice_tail(o, len);
    }
}

static void findings_add(struct decode *d, const struct tcp_analysis *a, uint32_t off) {
    static const struct {
        uint32_t bit;
        uint16_t id;
    } list[] = {
        {TA_RETRANSMISSION, FID_TCP_AN_RETRANSMISSION},
        {TA_FAST, FID_TCP_AN_FAST_RETRANSMISSION},
        {TA_SPURIOUS, FID_TCP_AN_SPURIOUS},
        {TA_OUT_OF_ORDER, FID_TCP_AN_OUT_OF_ORDER},
        {TA_REUSED_PORTS, FID_TCP_AN_REUSED_PORTS},
        {TA_LOST, FID_TCP_AN_LOST_SEGMENT},
        {TA_ACK_LOST, FID_TCP_AN_ACK_LOST},
        {TA_WINDOW_UPDATE, FID_TCP_AN_WINDOW_UPDATE},
        {TA_WINDOW_FULL, FID_TCP_AN_WINDOW_FULL},
        {TA_KEEP_ALIVE, FID_TCP_AN_KEEP_ALIVE},
        {TA_KEEP_ALIVE_ACK, FID_TCP_AN_KEEP_ALIVE_ACK},
        {TA_ZERO_PROBE, FID_TCP_AN_ZERO_PROBE},
        {TA_ZERO_WINDOW, FID_TCP_AN_ZERO_WINDOW},
        {TA_ZERO_PROBE_ACK, FID_TCP_AN_ZERO_PROBE_ACK},
    };
    struct fvec *v = d->out;
    fv_gen(fv_add(v, FID_TCP_AN_FLAGS, off, 0));
    v->depth++;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (a->flags & list[i].bit) d_anomaly(d, list[i].id, off, 0);
    struct fval *plain = a->flags & TA_DUP_ACK ? fv_add(v, FID_TCP_AN_DUP_ACK, off, 0) : NULL;
    if (plain) plain->flags |= FV_PLAIN;
    if (a->rto) {
        fv_i(v, FID_TCP_AN_RTO, off, 0, a->rto);
        fv_u(v, FID_TCP_AN_RTO_FRAME, off, 0, a->rto_frame);
    }
    fv_close(v);
    if (a->flags & TA_DUP_ACK) {
        fv_u(v, FID_TCP_AN_DUP_ACK_NUM, off, 0, a->dup_num);
        fv_u(v, FID_TCP_AN_DUP_ACK_FRAME, off, 0, a->dup_frame);
        v->depth++;
        struct fval *f = d_anomaly(d, FID_TCP_AN_DUP_ACK, off, 0);
        if (f) f->extra = a->dup_num > UINT16_MAX ? UINT16_MAX : (uint16_t)a->dup_num;
        fv_close(v);
    }
}

static void analysis_add(struct decode *d, const struct tcp_analysis *a, const struct tcp_conv *c, uint32_t off) {
    if (!a->has_acked && !a->flags && !a->counted && !a->beyond) return;
    struct fvec *v = d->out;
    fv_gen(fv_add(v, FID_TCP_ANALYSIS, off, 0));
    v->depth++;
    if (a->has_acked) {
        fv_u(v, FID_TCP_AN_ACKS_FRAME, off, 0, a->acked_frame);
        if (a->rtt) fv_i(v, FID_TCP_AN_ACK_RTT, off, 0, a->rtt);
    }
    if (c->initial_rtt) fv_i(v, FID_TCP_AN_INITIAL_RTT, off, 0, c->initial_rtt);
    if (a->in_flight) {
        fv_u(v, FID_TCP_AN_IN_FLIGHT, off, 0, a->in_flight);
        fv_u(v, FID_TCP_AN_PUSH_BYTES, off, 0, a->push_bytes);
    }
    if (a->flags) findings_add(d, a, off);
    fv_close(v);
}

static void window_add(struct decode *d, const struct tcp_segment *s, const struct tcp_conv *c, int side,
                       uint32_t off) {
    int scale = c ? c->side[side].wscale : WSCALE_UNKNOWN;
    bool syn = s->flags & TH_SYN;
    fv_u(d->out, FID_TCP_WINDOW_VALUE, off, 2, s->window);
    fv_u(d->out, FID_TCP_WINDOW_SIZE, off, 2, syn || scale < 0 ? s->window : (uint32_t)s->window << scale);
    if (!syn && !(s->flags & TH_RST && !c)) fv_i(d->out, FID_TCP_WINDOW_SCALE, off, 2, scale < 0 ? scale : 1 << scale);
}

static void numbers_add(struct decode *d, const struct tcp_segment *s, const struct tcp_conv *c, int side,
                        uint32_t off) {
    struct fvec *v = d->out;
    bool relative = c && !s->short_header;
    uint32_t base = relative ? c->side[side].base_seq : 0, peer = relative ? c->side[!side].base_seq : 0;
    uint32_t seq = s->seq - base, ack = s->flags & TH_ACK ? s->ack - peer : s->ack;
    if (relative) fv_u(v, FID_TCP_LEN, off, 0, s->len);
    if (s->short_header && c) d_anomaly(d, FID_TCP_SHORT_SEGMENT, off, 0);
    fv_u(v, FID_TCP_SEQ, off + 4, 4, seq);
    fv_u(v, FID_TCP_SEQ_RAW, off + 4, 4, s->seq);
    if (relative) fv_u(v, FID_TCP_NXTSEQ, off, 0, seq + s->len + (s->flags & (TH_SYN | TH_FIN) ? 1 : 0));
    if (!(s->flags & TH_ACK) && s->ack && !d->quoted) d_anomaly(d, FID_TCP_ACK_NONZERO, off + 8, 4);
    fv_u(v, FID_TCP_ACK, off + 8, 4, ack);
    fv_u(v, FID_TCP_ACK_RAW, off + 8, 4, s->ack);
    if (!relative || !c->fast_open || (s->flags & (TH_SYN | TH_ACK)) != (TH_SYN | TH_ACK)) return;
    v->depth++;
    d_anomaly(d, ack > 1 ? FID_TCP_AN_TFO_ACK : FID_TCP_AN_TFO_IGNORED, off + 8, 4);
    fv_close(v);
}

static void ports_add(struct decode *d, const struct tcp_segment *s, uint32_t off) {
    struct fvec *v = d->out;
    fv_u(v, FID_TCP_SRCPORT, off, 2, s->sport);
    fv_u(v, FID_TCP_DSTPORT, off + 2, 2, s->dport);
    fv_hide(fv_u(v, FID_TCP_PORT, off, 2, s->sport));
    fv_hide(fv_u(v, FID_TCP_PORT, off + 2, 2, s->dport));
}

/* header_cut shows what there is of a header that is not all there. */
RARE static void header_cut(struct decode *d, struct reader *r, uint32_t off) {
    struct tcp_segment s = {0};
    if (rd_left(r) < 4) {
        get_be16(d, r, FID_TCP_SRCPORT);
        get_be16(d, r, FID_TCP_DSTPORT);
        return;
    }
    s.sport = rd_be16(r);
    s.dport = rd_be16(r);
    ports_add(d, &s, off);
    uint32_t seq = rd_be32(r);
    if (rd_ok(r) && d->quoted) { /* quoted: eight bytes are all there is, RFC 792 */
        fv_u(d->out, FID_TCP_SEQ, off + 4, 4, seq);
        fv_u(d->out, FID_TCP_SEQ_RAW, off + 4, 4, seq);
    } else {
        rd_fail(r);
    }
}

/* header_read reads the fixed header; false where it is not all there. */
static bool header_read(struct decode *d, struct reader *r, struct tcp_segment *s, uint32_t off) {
    const uint8_t *p = r->p;
    if (rd_left(r) < HEADER) {
        header_cut(d, r, off);
        return false;
    }
    uint16_t word = load_be16(p + 12);
    *s = (struct tcp_segment){.sport = load_be16(p),
                              .dport = load_be16(p + 2),
                              .seq = load_be32(p + 4),
                              .ack = load_be32(p + 8),
                              .hlen = (uint8_t)(word >> 12 << 2),
                              .flags = word & 0xfff,
                              .window = load_be16(p + 14)};
    ports_add(d, s, off);
    return true;
}

/* fields_add adds what a segment says besides its ports. */
static void fields_add(struct decode *d, struct slice in, const struct tcp_segment *s, struct tcp_conv *c, int side,
                       uint32_t off) {
    numbers_add(d, s, c, side, off);
    fv_u(d->out, FID_TCP_HDR_LEN, off + 12, 1, s->hlen);
    flags_add(d, s, off + 12, c, side);
    window_add(d, s, c, side, off + 14);
    fv_u(d->out, FID_TCP_CHECKSUM, off + 16, 2, load_be16(in.p + 16));
    fv_u(d->out, FID_TCP_CHECKSUM_STATUS, off + 16, 0, 2);
    uint16_t urgent = load_be16(in.p + 18);
    fv_u(d->out, FID_TCP_URGENT, off + 18, 2, urgent);
    if (urgent && !(s->flags & TH_URG) && !d->quoted) {
        d->out->depth++;
        d_anomaly(d, FID_TCP_URGENT_NONZERO, off + 18, 2);
        fv_close(d->out);
    }
    if (s->hlen > HEADER) options_add(d, slice_head(slice_tail(in, HEADER), s->hlen - HEADER), s, c, side);
}

/* conversation_add says which conversation it is. A quoted segment belongs to it, too, and changes nothing of it. */
static void conversation_add(struct decode *d, const struct tcp_conv *c, uint32_t off) {
    fv_u(d->out, FID_TCP_STREAM, off, 0, d->times.stream);
    if (d->tcp_fields) fv_u(d->out, FID_TCP_COMPLETENESS, off, 0, d->quoted ? c->seen : c->seen_before);
}

static void times_add(struct decode *d, uint32_t off) {
    if (!want_any(d->out->want, FID_TCP_TIMES, FID_TCP_ANALYSIS)) return;
    fv_gen(fv_add(d->out, FID_TCP_TIMES, off, 0));
    d->out->depth++;
    fv_i(d->out, FID_TCP_TIME_RELATIVE, off, 0, d->times.relative);
    fv_i(d->out, FID_TCP_TIME_DELTA, off, 0, d->times.delta);
    fv_close(d->out);
}

static void said_set(struct decode *d, struct slice in, const struct tcp_segment *s, const struct tcp_analysis *a) {
    bool all = !s->short_header;
    d->tcp = (struct tcp_said){.there = true,
                               .header = s->hlen,
                               .sport = s->sport,
                               .dport = s->dport,
                               .flags = s->flags,
                               .checksum = load_be16(in.p + 16),
                               .stream = d->times.stream,
                               .seq = s->seq,
                               .ack = s->ack,
                               .len = all ? s->len : 0,
                               .found = tcp_meant(a->flags),
                               .data = all ? s->payload : (struct slice){0}};
}

static void tcp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    struct tcp_segment s;
    if (!d_header(d, &proto_tcp, in, PORTS)) return;
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_tcp, off, HEADER);
    if (!header_read(d, &r, &s, off)) {
        if (!rd_ok(&r)) d_bad(d, &r);
        d_end(d);
        return;
    }
    if (s.hlen < HEADER) {
        d_anomaly(d, FID_TCP_BOGUS_HLEN, off + 12, 1);
        fv_u(d->out, FID_TCP_HDR_LEN, off + 12, 1, s.hlen);
        d_end(d);
        return;
    }
    fv_set_len(d->out, at, s.hlen);
    uint32_t whole = d->wire_len > in.n ? d->wire_len : (uint32_t)in.n;
    s.payload = slice_tail(in, s.hlen);
    s.len = whole > s.hlen ? whole - s.hlen : 0;
    s.short_header = s.hlen > whole && !d->quoted;
    options_scan(slice_head(slice_tail(in, HEADER), s.hlen - HEADER), &s);
    int side = 0;
    struct tcp_analysis a; /* where there is a conversation */
    struct tcp_conv *met = d->ops->tcp_find ? d->ops->tcp_find(d, &s, &side) : NULL, *c = d->quoted ? NULL : met;
    if (c) d->ops->tcp_update(d, c, &s, side, &a);
    if (c && d->tcp_heard) said_set(d, in, &s, &a);
    if (met) conversation_add(d, met, off);
    if (d->tcp_fields) fields_add(d, in, &s, c, side, off);
    if (met && d->tcp_fields) times_add(d, off);
    if (c && d->tcp_fields) analysis_add(d, &a, c, off);
    if (c && !s.short_header) {
        d->ops->tcp_data(d, &s, side);
    } else {
        d_end(d);
        if (!d->quoted) d_data(d, s.payload);
    }
    if (s.hlen > in.n) {
        struct reader rest = d_reader(d, in);
        rd_skip(&rest, s.hlen);
        d_bad(d, &rest);
    }
}

static const struct proto_key keys[] = {{TABLE_IP, 6}, {TABLE_COUNT, 0}};
const struct proto proto_tcp = {.name = "tcp",
                                .column = "TCP",
                                .id = FID_TCP,
                                .end = FID_TCP_END,
                                .keys = keys,
                                .read = tcp_read,
                                .info = tcp_info,
                                .info_fields = tcp_info_fields,
                                .label = tcp_label};
