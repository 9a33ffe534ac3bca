/* SPDX-License-Identifier: Apache-2.0 */
/* The words for a TCP segment: the Info column and the tree lines that are not the table's. */
#include "field/print.h"
#include "proto/protos.h"
#include "proto/tcp/tcp.h"

/* The prefixes of the Info column, leftmost first. */
static const struct {
    uint16_t id;
    const char *text;
} prefixes[] = {
    {FID_TCP_AN_ZERO_PROBE_ACK, "[TCP ZeroWindowProbeAck] "},
    {FID_TCP_AN_ZERO_WINDOW, "[TCP ZeroWindow] "},
    {FID_TCP_AN_ZERO_PROBE, "[TCP ZeroWindowProbe] "},
    {FID_TCP_AN_DUP_ACK, NULL},
    {FID_TCP_AN_KEEP_ALIVE_ACK, "[TCP Keep-Alive ACK] "},
    {FID_TCP_AN_KEEP_ALIVE, "[TCP Keep-Alive] "},
    {FID_TCP_AN_WINDOW_FULL, "[TCP Window Full] "},
    {FID_TCP_AN_WINDOW_UPDATE, "[TCP Window Update] "},
    {FID_TCP_AN_ACK_LOST, "[TCP ACKed unseen segment] "},
    {FID_TCP_AN_LOST_SEGMENT, "[TCP Previous segment not captured] "},
    {FID_TCP_AN_OUT_OF_ORDER, "[TCP Out-Of-Order] "},
    {FID_TCP_AN_SPURIOUS, "[TCP Spurious Retransmission] "},
    {FID_TCP_AN_FAST_RETRANSMISSION, "[TCP Fast Retransmission] "},
    {FID_TCP_AN_RETRANSMISSION, "[TCP Retransmission] "},
    {FID_TCP_AN_REUSED_PORTS, "[TCP Port numbers reused] "},
};

void tcp_info_prefix(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *flags = fv_first(v, FID_TCP_AN_FLAGS, at, end);
    if (!flags) return;
    uint32_t from = (uint32_t)(flags - v->v);
    bool named = fv_first(v, FID_TCP_AN_SPURIOUS, from, end) || fv_first(v, FID_TCP_AN_FAST_RETRANSMISSION, from, end);
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        const struct fval *f = fv_first(v, prefixes[i].id, from, end);
        if (!f || (named && f->id == FID_TCP_AN_RETRANSMISSION)) continue;
        if (prefixes[i].text) {
            wr_s(w, prefixes[i].text);
            continue;
        }
        const struct fval *number = fv_first(v, FID_TCP_AN_DUP_ACK_NUM, from, end);
        const struct fval *frame = fv_first(v, FID_TCP_AN_DUP_ACK_FRAME, from, end);
        if (number && frame)
            wr_f(w, "[TCP Dup ACK %llu#%llu] ", (unsigned long long)frame->u, (unsigned long long)number->u);
    }
}

/* flags_put puts the names of the flags that are set, FLAGS_ROOM bytes at most. */
enum { FLAGS_ROOM = 64 };
static char *flags_put(char *p, uint64_t flags) {
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"};
    static const struct {
        char text[8];
        uint8_t n;
    } usual[32] = {[TH_ACK] = {"ACK", 3},
                   [TH_PUSH | TH_ACK] = {"PSH, ACK", 8},
                   [TH_SYN] = {"SYN", 3},
                   [TH_SYN | TH_ACK] = {"SYN, ACK", 8},
                   [TH_FIN | TH_ACK] = {"FIN, ACK", 8},
                   [TH_RST] = {"RST", 3},
                   [TH_RST | TH_ACK] = {"RST, ACK", 8}};
    bool any = false;
    if (flags < 32 && usual[flags].n) {
        memcpy(p, usual[flags].text, sizeof usual[flags].text);
        return p + usual[flags].n;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(flags >> i & 1)) continue;
        if (any) p = put_s(p, ", ");
        p = put_s(p, names[i]);
        any = true;
    }
    if (flags & 0xe00) return put_s(p, any ? ", Reserved" : "Reserved");
    return any ? p : put_s(p, "<None>");
}

void tcp_flags_print(struct writer *w, uint64_t flags) {
    char text[FLAGS_ROOM];
    wr_bytes(w, text, (size_t)(flags_put(text, flags) - text));
}

static void pair(struct writer *w, const char *name, uint64_t value) {
    wr_s(w, name);
    wr_u(w, value);
}

/* The options' words stand in the order of the options. */
static void option_word(struct writer *w, const struct fval *f) {
    switch (f->id) {
    case FID_TCP_OPT_MSS_VAL: pair(w, " MSS=", f->u); break;
    case FID_TCP_OPT_WSCALE_MULT: pair(w, " WS=", f->u); break;
    case FID_TCP_OPT_SACK_PERM: wr_s(w, " SACK_PERM"); break;
    case FID_TCP_OPT_SACK_LE: pair(w, " SLE=", f->u); break;
    case FID_TCP_OPT_SACK_RE: pair(w, " SRE=", f->u); break;
    case FID_TCP_OPT_TSVAL: pair(w, " TSval=", f->u); break;
    case FID_TCP_OPT_TSECR: pair(w, " TSecr=", f->u); break;
    case FID_TCP_OPT_TFO_REQUEST: wr_s(w, " TFO=R"); break;
    case FID_TCP_OPT_TFO_COOKIE: wr_s(w, " TFO=C"); break;
    case FID_TCP_OPT_MD5: wr_s(w, " MD5"); break;
    default: break;
    }
}

enum {
    HEAD_ROOM = 320
}; /* what tcp_info says of the header, and more: eight numbers, the flags and the words between */

void tcp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *header[FID_TCP_OPTIONS - FID_TCP] = {NULL}, *segment = NULL, *begun = NULL;
    uint32_t options = end; /* the first of them */
    bool findings = false;
    for (uint32_t i = at; i < end; i++) {
        const struct fval *f = &v->v[i];
        if (f->id >= FID_TCP && f->id < FID_TCP_OPTIONS) header[f->id - FID_TCP] = f;
        else if (f->id >= FID_TCP_OPTIONS && f->id < FID_TCP_TIMES) options = options < i ? options : i;
        else if (f->id == FID_TCP_SEGMENT_DATA) segment = f->extra == TCP_PART_AGAIN ? NULL : f;
        else if (f->id == FID_TCP_BEGUN) begun = f;
        else if (f->id == FID_TCP_AN_FLAGS) findings = true;
    }
    const struct fval *sport = header[FID_TCP_SRCPORT - FID_TCP], *dport = header[FID_TCP_DSTPORT - FID_TCP];
    const struct fval *seq = header[FID_TCP_SEQ - FID_TCP], *ack = header[FID_TCP_ACK - FID_TCP];
    const struct fval *flags = header[FID_TCP_FLAGS - FID_TCP], *win = header[FID_TCP_WINDOW_SIZE - FID_TCP];
    const struct fval *len = header[FID_TCP_LEN - FID_TCP], *urgent = header[FID_TCP_URGENT - FID_TCP];
    if (begun) { /* what its protocol says of the message so far */
        tcp_info_prefix(w, v, at, end);
        print_string(w, begun->s);
        wr_s(w, "  [TCP segment of a reassembled PDU]");
        return;
    }
    if (segment && segment->extra == TCP_PART_FIRST) { /* the message began here: its protocol has taken the column */
        tcp_info_prefix(w, v, at, end);
        wr_s(w, "[TCP segment of a reassembled PDU]");
        return;
    }
    if (!sport || !dport) return;
    if (findings) tcp_info_prefix(w, v, at, end);
    char room[HEAD_ROOM], *from = put_at(w, room, HEAD_ROOM), *p = put_u(from, sport->u);
    p = put_u(put_s(p, " → "), dport->u);
    if (flags && seq) {
        p = flags_put(put_s(p, " ["), flags->u);
        p = put_u(put_s(p, "] Seq="), seq->u);
        if (flags->u & TH_ACK && ack) p = put_u(put_s(p, " Ack="), ack->u);
        if (win) p = put_u(put_s(p, " Win="), win->u);
        if (flags->u & TH_URG) p = put_u(put_s(p, " Urg="), urgent ? (uint32_t)urgent->u : 0);
        if (len) p = put_u(put_s(p, " Len="), len->u);
    }
    put_done(w, room, from, p);
    if (!flags || !seq) return;
    for (uint32_t i = options; i < end; i++) option_word(w, &v->v[i]);
    if (segment) wr_s(w, " [TCP segment of a reassembled PDU]");
}

const uint16_t tcp_info_fields[] = {FID_TCP_SRCPORT,
                                    FID_TCP_DSTPORT,
                                    FID_TCP_SEQ,
                                    FID_TCP_ACK,
                                    FID_TCP_FLAGS,
                                    FID_TCP_WINDOW_SIZE,
                                    FID_TCP_LEN,
                                    FID_TCP_URGENT,
                                    FID_TCP_SEGMENT_DATA,
                                    FID_TCP_BEGUN,
                                    FID_TCP_OPT_MSS_VAL,
                                    FID_TCP_OPT_WSCALE_MULT,
                                    FID_TCP_OPT_SACK_PERM,
                                    FID_TCP_OPT_SACK_LE,
                                    FID_TCP_OPT_SACK_RE,
                                    FID_TCP_OPT_TSVAL,
                                    FID_TCP_OPT_TSECR,
                                    FID_TCP_OPT_TFO_REQUEST,
                                    FID_TCP_OPT_TFO_COOKIE,
                                    FID_TCP_OPT_MD5,
                                    FID_TCP_AN_FLAGS,
                                    FID_TCP_AN_RETRANSMISSION,
                                    FID_TCP_AN_FAST_RETRANSMISSION,
                                    FID_TCP_AN_SPURIOUS,
                                    FID_TCP_AN_OUT_OF_ORDER,
                                    FID_TCP_AN_REUSED_PORTS,
                                    FID_TCP_AN_LOST_SEGMENT,
                                    FID_TCP_AN_ACK_LOST,
                                    FID_TCP_AN_WINDOW_UPDATE,
                                    FID_TCP_AN_WINDOW_FULL,
                                    FID_TCP_AN_KEEP_ALIVE,
                                    FID_TCP_AN_KEEP_ALIVE_ACK,
                                    FID_TCP_AN_DUP_ACK,
                                    FID_TCP_AN_DUP_ACK_NUM,
                                    FID_TCP_AN_DUP_ACK_FRAME,
                                    FID_TCP_AN_ZERO_PROBE,
                                    FID_TCP_AN_ZERO_PROBE_ACK,
                                    FID_TCP_AN_ZERO_WINDOW,
                                    0};

static void title(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at);
    const struct fval *sport = fv_first(v, FID_TCP_SRCPORT, at, end), *dport = fv_first(v, FID_TCP_DSTPORT, at, end);
    const struct fval *seq = fv_first(v, FID_TCP_SEQ, at, end), *ack = fv_first(v, FID_TCP_ACK, at, end);
    const struct fval *len = fv_first(v, FID_TCP_LEN, at, end), *flags = fv_first(v, FID_TCP_FLAGS, at, end);
    wr_s(w, "Transmission Control Protocol");
    if (sport) pair(w, ", Src Port: ", sport->u);
    if (dport) pair(w, ", Dst Port: ", dport->u);
    if (seq) pair(w, ", Seq: ", seq->u);
    if (ack && flags && flags->u & TH_ACK) pair(w, ", Ack: ", ack->u);
    if (len) pair(w, ", Len: ", len->u);
}

static void options_title(struct writer *w, const struct fvec *v, uint32_t at) {
    static const struct slice head = {(const uint8_t *)"TCP Option - ", 13};
    uint32_t end = fv_end(v, at);
    wr_number(w, "Options: (", v->v[at].len, " bytes)");
    for (uint32_t i = at + 1; i < end; i++) {
        if (v->v[i].depth != v->v[at].depth + 1) continue;
        const struct field *field = field_of(v->v[i].id);
        struct slice label = slice_of(field->label, field->label_len);
        wr_s(w, ", ");
        wr_slice(w, slice_starts(label, head) ? slice_tail(label, head.n) : label);
    }
}

static bool is_segment(const struct fval *f) { return f->id == FID_TCP_SEGMENT || f->id == FID_TCP_SEGMENT_ERROR; }

static void segments_title(struct writer *w, const struct fvec *v, uint32_t at) {
    uint32_t end = fv_end(v, at), count = 0;
    for (uint32_t i = at + 1; i < end; i++) count += is_segment(&v->v[i]);
    wr_number(w, "[", count, " Reassembled TCP Segments (");
    wr_number(w, "", v->v[at].len, " bytes): ");
    bool any = false;
    for (uint32_t i = at + 1; i < end; i++) {
        if (!is_segment(&v->v[i])) continue;
        wr_number(w, any ? ", #" : "#", v->v[i].u, "(");
        wr_number(w, "", v->v[i].len, ")");
        any = true;
    }
    wr_c(w, ']');
}

static void option_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    uint32_t end = fv_end(v, at);
    const struct fval *a, *b;
    wr_s(w, field_of(f->id)->label);
    if (f->id == FID_TCP_OPT_MSS && (a = fv_first(v, FID_TCP_OPT_MSS_VAL, at, end)))
        wr_f(w, ": %u bytes", (unsigned)a->u);
    if (f->id == FID_TCP_OPT_WSCALE && (a = fv_first(v, FID_TCP_OPT_WSCALE_SHIFT, at, end)))
        wr_f(w, ": %u (multiply by %u)", (unsigned)a->u, 1u << (a->u > 14 ? 14 : a->u));
    if (f->id == FID_TCP_OPT_TS && (a = fv_first(v, FID_TCP_OPT_TSVAL, at, end)) &&
        (b = fv_first(v, FID_TCP_OPT_TSECR, at, end))) {
        pair(w, ": TSval ", a->u);
        pair(w, ", TSecr ", b->u);
    }
    if (f->id == FID_TCP_OPT_SACK)
        for (uint32_t i = at + 1; i + 1 < end; i++)
            if (v->v[i].id == FID_TCP_OPT_SACK_LE)
                wr_f(w, " %llu-%llu", (unsigned long long)v->v[i].u, (unsigned long long)v->v[i + 1].u);
}

static void completeness(struct writer *w, uint64_t seen) {
    static const struct {
        uint8_t bits;
        const char *text;
    } names[] = {{31, "Complete, WITH_DATA"}, {47, "Complete, WITH_DATA"},    {63, "Complete, WITH_DATA"},
                 {23, "Complete, NO_DATA"},   {39, "Complete, NO_DATA"},      {55, "Complete, NO_DATA"},
                 {15, "Incomplete, DATA"},    {7, "Incomplete, ESTABLISHED"}, {3, "Incomplete, CLIENT_ESTABLISHED"},
                 {1, "Incomplete, SYN_SENT"}};
    const char *text = "Incomplete";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].bits == seen) text = names[i].text;
    wr_s(w, "[Conversation completeness: ");
    wr_s(w, text);
    wr_number(w, " (", seen, ")]");
}

static void ack_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *flags = fv_first(v, FID_TCP_FLAGS, at, v->n);
    pair(w, "Acknowledgment Number: ", v->v[at].u);
    if (!flags || flags->u & TH_ACK) wr_s(w, "    (relative ack number)");
}

bool tcp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    switch (f->id) {
    case FID_TCP: title(w, v, at); return true;
    case FID_TCP_COMPLETENESS: completeness(w, f->u); return true;
    case FID_TCP_ACK: ack_label(w, v, at); return true;
    case FID_TCP_HDR_LEN:
        print_bits(w, 8, 0xf0, f->u / 4);
        wr_number(w, "Header Length: ", f->u, " bytes (");
        wr_number(w, "", f->u / 4, ")");
        return true;
    case FID_TCP_FLAGS:
        wr_hexnumber(w, "Flags: 0x", f->u, 3, " (");
        tcp_flags_print(w, f->u);
        wr_c(w, ')');
        return true;
    case FID_TCP_WINDOW_SCALE:
        wr_s(w, "[Window size scaling factor: ");
        wr_i(w, f->i);
        wr_s(w, f->i == WSCALE_UNKNOWN ? " (unknown)]" : f->i == WSCALE_NONE ? " (no window scaling used)]" : "]");
        return true;
    case FID_TCP_CHECKSUM: wr_hexnumber(w, "Checksum: 0x", f->u, 4, " [unverified]"); return true;
    case FID_TCP_OPTIONS: options_title(w, v, at); return true;
    case FID_TCP_OPT_MSS:
    case FID_TCP_OPT_WSCALE:
    case FID_TCP_OPT_TS:
    case FID_TCP_OPT_SACK:
    case FID_TCP_OPT_NOP:
    case FID_TCP_OPT_EOL:
    case FID_TCP_OPT_SACK_PERM: option_label(w, v, at); return true;
    case FID_TCP_OPT_SACK_LE: wr_number(w, "left edge = ", f->u, " (relative)"); return true;
    case FID_TCP_OPT_SACK_RE: wr_number(w, "right edge = ", f->u, " (relative)"); return true;
    case FID_TCP_OPT_DSACK_LE: wr_number(w, "D-SACK Left Edge = ", f->u, " (relative)"); return true;
    case FID_TCP_OPT_DSACK_RE: wr_number(w, "D-SACK Right Edge = ", f->u, " (relative)"); return true;
    case FID_TCP_CONN_SYN:
    case FID_TCP_CONN_SYNACK: wr_f(w, "%s: server port %u", field_of(f->id)->label, f->extra); return true;
    case FID_TCP_AN_DUP_ACK:
        if (f->flags & FV_PLAIN) wr_s(w, "[This is a TCP duplicate ack]");
        else wr_f(w, "Duplicate ACK (#%u)", f->extra);
        return true;
    case FID_TCP_PAYLOAD:
    case FID_TCP_SEGMENT_DATA:
        if (f->id == FID_TCP_SEGMENT_DATA && f->extra == TCP_PART_AGAIN) wr_s(w, "Retransmitted ");
        wr_s(w, field_of(f->id)->label);
        wr_number(w, " (", f->len, f->len == 1 ? " byte)" : " bytes)");
        return true;
    case FID_TCP_SEGMENTS: segments_title(w, v, at); return true;
    case FID_TCP_SEGMENT:
    case FID_TCP_SEGMENT_ERROR:
        wr_f(w, "[Frame: %llu, payload: %u-%u (%u bytes)]", (unsigned long long)f->u, f->off, f->off + f->len - 1,
             f->len);
        return true;
    default: return false;
    }
}
