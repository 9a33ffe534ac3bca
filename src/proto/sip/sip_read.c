/* SPDX-License-Identifier: Apache-2.0 */
/* Session Initiation Protocol in datagrams and streams (RFC 3261 7, 18): the first line and the headers as they stand.
 * Of bodies session descriptions are read. */
#include "proto/lines/lines.h"
#include "proto/protos.h"

#include "field/print.h"

/* Headers with a field of their own, with their compact forms (RFC 3261 7.3.3). */
static const struct {
    const char *name, *compact; /* compact: NULL where there is none */
    uint16_t id;
} headers[] = {
    {"VIA", "V", FID_SIP_VIA},
    {"FROM", "F", FID_SIP_FROM},
    {"TO", "T", FID_SIP_TO},
    {"CALL-ID", "I", FID_SIP_CALL_ID},
    {"CSEQ", NULL, FID_SIP_CSEQ},
    {"MAX-FORWARDS", NULL, FID_SIP_MAX_FORWARDS},
    {"CONTACT", "M", FID_SIP_CONTACT},
    {"USER-AGENT", NULL, FID_SIP_USER_AGENT},
    {"SERVER", NULL, FID_SIP_SERVER},
    {"EXPIRES", NULL, FID_SIP_EXPIRES},
    {"ALLOW", NULL, FID_SIP_ALLOW},
    {"SUPPORTED", "K", FID_SIP_SUPPORTED},
    {"CONTENT-TYPE", "C", FID_SIP_CONTENT_TYPE},
    {"CONTENT-LENGTH", "L", FID_SIP_CONTENT_LENGTH},
    {"ROUTE", NULL, FID_SIP_ROUTE},
    {"RECORD-ROUTE", NULL, FID_SIP_RECORD_ROUTE},
    {"EVENT", "O", FID_SIP_EVENT},
    {"ACCEPT", NULL, FID_SIP_ACCEPT},
};

/* is_first tells whether a line is a request's or a reply's: "METHOD uri SIP/2.0", "SIP/2.0 200 OK". */
static bool is_first(struct slice text) {
    if (slice_starts(text, SLICE("SIP/2.0 "))) return true;
    return text.n > 8 && memcmp(text.p + text.n - 8, " SIP/2.0", 8) == 0 && text.p[0] >= 'A' && text.p[0] <= 'Z';
}

static bool sip_recognises(struct slice in, enum known_as known) {
    struct line line;
    (void)known;
    return in.n && in.p[0] >= 'A' && in.p[0] <= 'Z' && line_take(&in, &line) && is_first(line.text);
}

static void first_read(struct decode *d, struct slice text) {
    struct slice rest = text, word;
    if (slice_starts(text, SLICE("SIP/2.0 "))) {
        line_open(d, FID_SIP_STATUS_LINE, text);
        word_take(&rest);
        int code = code_of(rest);
        if (code >= 0) fv_u(d->out, FID_SIP_STATUS_CODE, d_off(d, rest.p), 3, (unsigned)code);
    } else {
        line_open(d, FID_SIP_REQUEST_LINE, text);
        word = word_take(&rest);
        line_add(d, FID_SIP_METHOD, word);
        line_add(d, FID_SIP_R_URI, word_take(&rest));
    }
    fv_close(d->out);
}

static uint64_t digits(struct slice s) {
    uint64_t n = 0;
    for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && n < UINT32_MAX; i++) n = n * 10 + (s.p[i] - '0');
    return n;
}

static void sequence_read(struct decode *d, struct slice value) {
    struct slice number = word_take(&value);
    fv_u(d->out, FID_SIP_CSEQ_SEQ, d_off(d, number.p), (uint32_t)number.n, digits(number));
    if (value.n) line_add(d, FID_SIP_CSEQ_METHOD, value);
}

static void header_read(struct decode *d, const struct line *line) {
    struct slice name, value;
    if (!header_split(line->text, &name, &value)) return;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        bool compact = headers[i].compact && slice_alike(name, slice_str(headers[i].compact));
        if (!compact && !slice_alike(name, slice_str(headers[i].name))) continue;
        uint32_t off = d_off(d, line->all.p);
        struct fval *f = fv_at(d->out, fv_open(d->out, headers[i].id, off, (uint32_t)line->all.n));
        bool number = !field_is_bytes(field_of(headers[i].id));
        if (f && number) f->u = digits(value);
        else if (f) f->s = value;
        if (headers[i].id == FID_SIP_CSEQ) sequence_read(d, value);
        fv_close(d->out);
        return;
    }
}

/* body_read shows what stands behind the headers: a description of a session is taken apart. */
static void body_read(struct decode *d, struct slice body, bool described) {
    if (!body.n) return;
    fv_open(d->out, FID_SIP_MSG_BODY, d_off(d, body.p), (uint32_t)body.n);
    if (described) d->ops->call(d, &proto_sdp, body);
    fv_close(d->out);
}

static bool is_description(const struct line *line) {
    static const char type[] = "APPLICATION/SDP";
    struct slice name, value;
    if (!header_split(line->text, &name, &value)) return false;
    return (slice_alike(name, SLICE("CONTENT-TYPE")) || slice_alike(name, SLICE("C"))) &&
           slice_alike(slice_head(value, sizeof type - 1), slice_str(type));
}

static void sip_read(struct decode *d, struct slice in) {
    struct slice left = in;
    struct line line;
    bool described = false;
    if (!sip_recognises(in, KNOWN_NOT)) {
        d_data(d, in);
        return;
    }
    d_begin(d, &proto_sip, d_off(d, in.p), (uint32_t)in.n);
    if (line_take(&left, &line)) first_read(d, line.text);
    struct fval *f = fv_at(d->out, fv_open(d->out, FID_SIP_MSG_HDR, d_off(d, left.p), (uint32_t)left.n));
    if (f) f->s = left;
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line) && line.text.n; i++) {
        header_read(d, &line);
        described |= is_description(&line);
    }
    fv_close(d->out);
    body_read(d, left, described);
    d_end(d);
}

/* stream_frame finds the end of a message in a stream: its length is in its header (RFC 3261 18.3). Empty lines before
 * it keep the connection open (RFC 5626 3.5.1). */
static struct read_result stream_frame(struct slice in) {
    enum { HEADER_MAX = 16384 };
    struct slice left = in, name, value;
    struct line line = {0};
    uint64_t body = 0;
    size_t blank = 0;
    while (blank < in.n && (in.p[blank] == '\r' || in.p[blank] == '\n')) blank++;
    if (blank) return (struct read_result){.status = READ_OK, .consumed = blank};
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line) && line.all.p[line.all.n - 1] == '\n'; i++) {
        if (i == 0 && !is_first(line.text)) return (struct read_result){.status = READ_BAD, .stranger = true};
        if (!line.text.n) {
            uint64_t all = in.n - left.n + body;
            if (all > in.n) return (struct read_result){.status = READ_MORE, .needed = all};
            return (struct read_result){.status = READ_OK, .consumed = all};
        }
        if (!header_split(line.text, &name, &value)) continue;
        if (slice_alike(name, SLICE("CONTENT-LENGTH")) || slice_alike(name, SLICE("L"))) body = digits(value);
    }
    return (struct read_result){.status = in.n > HEADER_MAX ? READ_BAD : READ_MORE};
}

static struct read_result stream_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state, (void)from;
    struct read_result r = stream_frame(in);
    bool blank = r.status == READ_OK && (in.p[0] == '\r' || in.p[0] == '\n');
    if (r.status == READ_OK && !blank) sip_read(d, slice_head(in, r.consumed));
    return r;
}

static enum probe_result stream_probe(struct slice in) {
    return sip_recognises(in, KNOWN_NOT) ? PROBE_CERTAIN : PROBE_NO;
}

/* contacts_of returns how many addresses a line Contact lists. */
static unsigned contacts_of(struct slice s) {
    unsigned n = s.n > 0;
    bool quoted = false, angle = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' && !angle) quoted = !quoted;
        else if (!quoted && (s.p[i] == '<' || s.p[i] == '>')) angle = s.p[i] == '<';
        else n += s.p[i] == ',' && !quoted && !angle;
    }
    return n;
}

/* bindings_say tells what a registration asks for or came to (RFC 3261 10.2, 10.3). */
static void bindings_say(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end, bool request) {
    unsigned n = 0;
    bool all = false;
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_SIP_CONTACT) continue;
        n += contacts_of(v->v[i].s);
        all |= slice_eq(v->v[i].s, SLICE("*"));
    }
    if (request && all) wr_s(w, "  (remove all bindings)");
    else if (request && !n) wr_s(w, "  (fetch bindings)");
    else wr_f(w, "  (%u binding%s)", n, n == 1 ? "" : "s");
}

static void sip_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *method = fv_first(v, FID_SIP_METHOD, at, end), *uri = fv_first(v, FID_SIP_R_URI, at, end);
    const struct fval *status = fv_first(v, FID_SIP_STATUS_LINE, at, end),
                      *sequence = fv_first(v, FID_SIP_CSEQ_METHOD, at, end);
    if (method && uri) {
        wr_s(w, "Request: ");
        print_string(w, method->s);
        wr_c(w, ' ');
        print_string(w, uri->s);
        if (slice_eq(method->s, SLICE("REGISTER"))) bindings_say(w, v, at, end, true);
    } else if (status) {
        struct slice words = slice_tail(status->s, sizeof "SIP/2.0");
        wr_s(w, "Status: ");
        print_string(w, words);
        if (sequence && slice_starts(words, SLICE("200"))) { /* what succeeded */
            wr_s(w, " (");
            print_string(w, sequence->s);
            wr_c(w, ')');
            if (slice_eq(sequence->s, SLICE("REGISTER"))) bindings_say(w, v, at, end, false);
        }
    }
    wr_s(w, " | ");
}

static const char *sip_column(const struct fvec *v, uint32_t at, uint32_t end) {
    return fv_first(v, FID_SDP_VERSION, at, end) ? "SIP/SDP" : NULL;
}

static bool sip_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_SIP_MSG_HDR) return false;
    wr_s(w, "Message Header");
    return true;
}

static const uint16_t info_fields[] = {
    FID_SIP_METHOD, FID_SIP_R_URI, FID_SIP_STATUS_LINE, FID_SIP_CSEQ_METHOD, FID_SIP_CONTACT, FID_SDP_VERSION, 0};
static const struct stream_ops stream = {.read = stream_read, .frame = stream_frame, .probe = stream_probe};
static const struct proto_key keys[] = {{TABLE_UDP, 5060}, {TABLE_TCP, 5060}, {TABLE_COUNT, 0}};
const struct proto proto_sip = {.name = "sip",
                                .column = "SIP",
                                .column_of = sip_column,
                                .id = FID_SIP,
                                .end = FID_SIP_END,
                                .keys = keys,
                                .read = sip_read,
                                .stream = &stream,
                                .recognises = sip_recognises,
                                .info = sip_info,
                                .info_fields = info_fields,
                                .label = sip_label};
