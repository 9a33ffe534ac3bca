/* SPDX-License-Identifier: Apache-2.0 */
/* Mail that is fetched: POP (RFC 1939), segment by segment; after STLS (RFC 2595) the conversation is one of TLS.
 *
 * Theory of operation: a reply begins with how it went. The message that RETR or TOP asked for is put together from the
 * segments behind a reply that stands alone, up to a line with a dot, and read then (imf_read.c); where it begins in
 * the reply's segment it is lines of data, as in Wireshark, and so is every other long reply. */
#include "proto/lines/login.h"
#include "proto/lines/mail.h"
#include "proto/protos.h"

struct pop_state {
    bool tls_asked;  /* the server's consent is still to come */
    bool asked_mail; /* the reply to it is still to come */
    bool in_mail;
    bool part_line; /* the last segment of the message ends within a line */
    struct mail_kept kept;
    struct login login;
};

static const struct mail_pieces pieces = {"Reassembled DATA", FID_POP_DATA_FRAGMENTS, FID_POP_DATA_FRAGMENT,
                                          FID_POP_DATA_FRAGMENT_COUNT, FID_POP_DATA_REASSEMBLED_LENGTH};

static void pop_reply(struct decode *d, struct pop_state *st, const struct line *line) {
    struct slice rest = line->text;
    fv_open(d->out, FID_POP_RESPONSE, d_off(d, line->all.p), (uint32_t)line->all.n);
    struct slice word = word_take(&rest);
    line_add(d, FID_POP_RESPONSE_INDICATOR, word);
    if (rest.n) line_add(d, FID_POP_RESPONSE_DESCRIPTION, rest);
    fv_close(d->out);
    if (st->tls_asked && slice_alike(word, SLICE("+OK")) && d->ops->become) d->ops->become(d, &proto_tls, 0);
    st->tls_asked = false;
    if (slice_alike(word, SLICE("+OK")) || slice_alike(word, SLICE("-ERR"))) st->login.asked = false;
}

/* pop_asks notes that a server's line asks for more of a login (RFC 5034 4), as any may where the replies to several
 * commands come at once; the line of a mail may look the same, but comes after another command. */
static void pop_asks(struct login *l, const struct line *line) {
    struct slice rest = line->text;
    if (slice_alike(word_take(&rest), SLICE("+")) && !l->elsewhere) l->asked = true;
}

/* pop_request shows the first line of a packet with its parts, the others as what they are: commands sent at once. */
static void pop_request(struct decode *d, struct pop_state *st, const struct line *line, bool first) {
    struct slice rest = line->text, word = word_take(&rest);
    uint32_t off = d_off(d, line->all.p), len = (uint32_t)line->all.n;
    struct said said = login_begin(&st->login, line);
    struct slice begun = login_word(&said);
    bool auth = slice_alike(begun, SLICE("AUTH")) && !said.whole;
    struct fval *f = first ? fv_at(d->out, fv_open(d->out, FID_POP_REQUEST, off, len))
                           : fv_add(d->out, FID_POP_REQUEST_DATA, off, len);
    login_mark(&st->login, &said, f, auth || slice_alike(begun, SLICE("PASS")) || slice_alike(begun, SLICE("APOP")));
    st->login.asked |= auth;
    if (!first) return;
    login_part(&said, line_add(d, FID_POP_REQUEST_COMMAND, word), word);
    if (rest.n) login_part(&said, line_add(d, FID_POP_REQUEST_PARAMETER, rest), rest);
    fv_close(d->out);
    st->tls_asked = slice_alike(word, SLICE("STLS"));
    st->asked_mail = slice_alike(word, SLICE("RETR")) || slice_alike(word, SLICE("TOP"));
}

/* mail_part returns what a segment has of a message, up to the line with a dot that ends it, of which *ended tells; a
 * line that may yet become that one is no part of it. */
static struct slice mail_part(struct pop_state *st, struct slice in, bool *ended) {
    static const struct slice dot = SLICE(".\r\n");
    struct slice left = in, whole = in;
    struct line line;
    for (*ended = false; !*ended && line_take(&left, &line);) {
        bool begins = !st->part_line;
        st->part_line = line.all.p[line.all.n - 1] != '\n';
        *ended = begins && slice_eq(line.all, dot);
        if (!begins || !slice_starts(dot, line.all)) continue;
        whole.n = (size_t)(line.all.p - in.p);
        st->part_line = false;
    }
    return whole;
}

/* mail_read reads a segment of a message. */
static struct read_result mail_read(struct decode *d, struct pop_state *st, struct slice in) {
    bool ended;
    struct slice part = mail_part(st, in, &ended);
    size_t used = part.n + (ended ? 3 : 0);
    if (!used) return (struct read_result){.status = READ_MORE};
    d_begin(d, &proto_pop, d_off(d, in.p), (uint32_t)used);
    uint8_t src = d->out->src;
    if (st->kept.count || !ended) mail_keep(d, &st->kept, part);
    if (ended && st->kept.count) part = mail_whole(d, &st->kept, &pieces);
    uint8_t whole = d->out->src;
    d->out->src = src;
    d_end(d);
    d->out->src = whole;
    if (ended && part.n) d->ops->call(d, &proto_imf, part);
    d->out->src = src;
    if (ended) mail_drop(&st->kept);
    st->in_mail = !ended;
    return (struct read_result){.status = READ_OK, .consumed = used};
}

static bool is_reply(struct slice text) { return slice_starts(text, SLICE("+")) || slice_starts(text, SLICE("-ERR")); }

static void pop_server(struct decode *d, struct pop_state *st, const struct line *line, bool first, bool alone) {
    pop_asks(&st->login, line);
    if (!first || !is_reply(line->text)) {
        fv_add(d->out, FID_POP_RESPONSE_DATA, d_off(d, line->all.p), (uint32_t)line->all.n);
        return;
    }
    pop_reply(d, st, line);
    st->in_mail = st->asked_mail && alone && slice_starts(line->text, SLICE("+OK"));
    st->part_line = st->asked_mail = false;
}

static struct read_result pop_read(struct decode *d, void *state, int from, struct slice in) {
    struct pop_state *st = state;
    struct slice left = in;
    struct line line;
    bool server = from_server(d, &proto_pop, from);
    if (server && st->in_mail) return mail_read(d, st, in);
    d_begin(d, &proto_pop, d_off(d, in.p), (uint32_t)in.n);
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line); i++) {
        if (server) pop_server(d, st, &line, i == 0, !left.n);
        else pop_request(d, st, &line, i == 0);
    }
    d_end(d);
    return lines_whole(in);
}

/* pop_lost: nobody knows where in a message what comes next is. */
static void pop_lost(void *state, int from) {
    struct pop_state *st = state;
    (void)from;
    st->in_mail = st->asked_mail = false;
    mail_drop(&st->kept);
}

static void pop_end(void *state) { mail_drop(&((struct pop_state *)state)->kept); }

static struct slice bytes_of(const struct fvec *v, const struct fval *f) {
    return slice_head(slice_tail(v->source[f->src].bytes, f->off), f->len);
}

static void pop_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    bool server = fv_first(v, FID_POP_RESPONSE, at, end) != NULL;
    const struct fval *f = fv_first(v, server ? FID_POP_RESPONSE : FID_POP_REQUEST, at, end);
    if (!f) {
        wr_f(w, "S: DATA fragment, %u byte%s", (unsigned)v->v[at].len, v->v[at].len == 1 ? "" : "s");
        return;
    }
    wr_s(w, server ? "S: " : "C: ");
    line_say(w, v, f, bytes_of(v, f));
}

/* pop_label: the entry of a line has no value of its own, as in Wireshark; its words are its bytes. */
static bool pop_label(struct writer *w, const struct fvec *v, uint32_t at) {
    switch (v->v[at].id) {
    case FID_POP_RESPONSE:
    case FID_POP_REQUEST:
    case FID_POP_RESPONSE_DATA:
    case FID_POP_REQUEST_DATA: print_string(w, bytes_of(v, &v->v[at])); return true;
    default: return mail_label(w, v, at, &pieces);
    }
}

static const uint16_t pop_fields[] = {FID_POP, FID_POP_RESPONSE, FID_POP_REQUEST, 0};
static const struct stream_ops pop_stream = {
    .state_size = sizeof(struct pop_state), .read = pop_read, .end = pop_end, .lost = pop_lost};
static const struct proto_key pop_keys[] = {{TABLE_TCP, 110}, {TABLE_COUNT, 0}};
const struct proto proto_pop = {LINES_PROTO(pop, POP, "POP"), .info_fields = pop_fields, .label = pop_label};
