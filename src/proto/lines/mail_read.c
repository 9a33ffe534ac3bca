/* SPDX-License-Identifier: Apache-2.0 */
/* Mail: SMTP (RFC 5321), POP (RFC 1939) and IMAP (RFC 9051), line by line; after STARTTLS and its kin (RFC 3207, 2595)
 * the conversation is one of TLS. A message that SMTP carries is shown as text that is not taken apart.
 *
 * Theory of operation: the state of a conversation says what the client asked for last: TLS, or to send a message,
 * whose end is a line with a dot. */
#include "proto/lines/lines.h"
#include "proto/protos.h"

#include "field/print.h"

struct mail_state {
    bool tls_asked; /* the server's consent is still to come */
    bool data_asked, in_data;
};

enum { SMTP_READY = 220, SMTP_GO_ON = 354 };

static void smtp_request(struct decode *d, struct mail_state *st, const struct line *line) {
    struct slice rest = line->text, command = word_take(&rest);
    fv_hide(fv_u(d->out, FID_SMTP_REQ, d_off(d, line->all.p), 0, 1));
    line_open(d, FID_SMTP_COMMAND_LINE, line->all);
    line_add(d, FID_SMTP_REQ_COMMAND, command);
    if (rest.n) line_add(d, FID_SMTP_REQ_PARAMETER, rest);
    fv_close(d->out);
    st->data_asked = word_is(command, "DATA");
    st->tls_asked = word_is(command, "STARTTLS");
}

static void smtp_reply(struct decode *d, struct mail_state *st, const struct line *line) {
    int code = code_of(line->text);
    fv_hide(fv_u(d->out, FID_SMTP_RSP, d_off(d, line->all.p), 0, 1));
    line_open(d, FID_SMTP_RESPONSE, line->all);
    if (code >= 0) {
        fv_u(d->out, FID_SMTP_RESPONSE_CODE, d_off(d, line->text.p), 3, (unsigned)code);
        struct slice rest = slice_tail(line->text, 4);
        if (rest.n) line_add(d, FID_SMTP_RSP_PARAMETER, rest);
    }
    fv_close(d->out);
    bool last = line->text.n < 4 || line->text.p[3] != '-';
    if (last && st->data_asked && code == SMTP_GO_ON) st->in_data = true;
    if (last && st->tls_asked && code == SMTP_READY && d->ops->become) d->ops->become(d, &proto_tls, 0);
    if (last) st->data_asked = st->tls_asked = false;
}

static struct read_result smtp_read(struct decode *d, void *state, int from, struct slice in) {
    struct mail_state *st = state;
    struct slice left = in;
    struct line line;
    bool server = from_server(d, &proto_smtp, from);
    if (server || !st->in_data) { /* a line that is not whole waits for its end */
        left = whole_lines(in);
        if (!left.n && in.n < LINE_BYTES_MAX && !d->stream_end) return (struct read_result){.status = READ_MORE};
        if (left.n) in = left;
        left = in;
    }
    d_begin(d, &proto_smtp, d_off(d, in.p), (uint32_t)in.n);
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line); i++) {
        if (server) {
            smtp_reply(d, st, &line);
        } else if (st->in_data) {
            line_add(d, FID_SMTP_MESSAGE, line.all);
            st->in_data = !slice_eq(line.text, SLICE("."));
        } else {
            smtp_request(d, st, &line);
        }
    }
    d_end(d);
    return lines_whole(in);
}

static void joined_say(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end, uint16_t id) {
    bool first = true;
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != id) continue;
        struct slice rest = v->v[i].s;
        struct line line;
        if (!first) wr_s(w, " | ");
        if (line_take(&rest, &line)) print_string(w, line.text);
        first = false;
    }
}

static void smtp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    if (fv_first(v, FID_SMTP_RESPONSE, at, end)) {
        wr_s(w, "S: ");
        joined_say(w, v, at, end, FID_SMTP_RESPONSE);
    } else if (fv_first(v, FID_SMTP_COMMAND_LINE, at, end)) {
        wr_s(w, "C: ");
        joined_say(w, v, at, end, FID_SMTP_COMMAND_LINE);
    } else {
        wr_f(w, "C: DATA fragment, %u bytes", v->v[at].len);
    }
}

static struct read_result pop_read(struct decode *d, void *state, int from, struct slice in) {
    struct mail_state *st = state;
    struct slice left = in;
    struct line line;
    bool server = from_server(d, &proto_pop, from);
    d_begin(d, &proto_pop, d_off(d, in.p), (uint32_t)in.n);
    if (line_take(&left, &line)) {
        struct slice rest = line.text;
        line_open(d, server ? FID_POP_RESPONSE : FID_POP_REQUEST, line.all);
        struct slice word = word_take(&rest);
        line_add(d, server ? FID_POP_RESPONSE_INDICATOR : FID_POP_REQUEST_COMMAND, word);
        if (rest.n) line_add(d, server ? FID_POP_RESPONSE_DESCRIPTION : FID_POP_REQUEST_PARAMETER, rest);
        fv_close(d->out);
        if (server && st->tls_asked && word_is(word, "+OK") && d->ops->become) d->ops->become(d, &proto_tls, 0);
        st->tls_asked = !server && word_is(word, "STLS");
    }
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line); i++)
        line_add(d, server ? FID_POP_RESPONSE_DATA : FID_POP_REQUEST_DATA, line.all);
    d_end(d);
    return lines_whole(in);
}

static void pop_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    bool server = fv_first(v, FID_POP_RESPONSE, at, end) != NULL;
    wr_s(w, server ? "S: " : "C: ");
    joined_say(w, v, at, end, server ? FID_POP_RESPONSE : FID_POP_REQUEST);
}

static struct read_result imap_read(struct decode *d, void *state, int from, struct slice in) {
    struct mail_state *st = state;
    struct slice left = in;
    struct line line;
    bool server = from_server(d, &proto_imap, from);
    d_begin(d, &proto_imap, d_off(d, in.p), (uint32_t)in.n);
    fv_hide(fv_u(d->out, FID_IMAP_ISREQUEST, d_off(d, in.p), 0, !server));
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line); i++) {
        struct slice rest = line.text;
        word_take(&rest); /* the tag */
        struct slice word = word_take(&rest);
        line_add(d, FID_IMAP_LINE, line.all);
        if (server && st->tls_asked && word_is(word, "OK") && d->ops->become) d->ops->become(d, &proto_tls, 0);
        st->tls_asked = (server ? st->tls_asked : false) || (!server && word_is(word, "STARTTLS"));
    }
    d_end(d);
    return lines_whole(in);
}

static void imap_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *request = fv_first(v, FID_IMAP_ISREQUEST, at, end), *text = fv_first(v, FID_IMAP_LINE, at, end);
    struct line line;
    if (!request || !text) return;
    struct slice rest = text->s;
    wr_s(w, request->u ? "Request: " : "Response: ");
    if (line_take(&rest, &line)) print_string(w, line.text);
}

static const uint16_t smtp_fields[] = {FID_SMTP_RESPONSE, FID_SMTP_COMMAND_LINE, 0};
static const struct stream_ops smtp_stream = {.state_size = sizeof(struct mail_state), .read = smtp_read};
static const struct proto_key smtp_keys[] = {{TABLE_TCP, 25}, {TABLE_TCP, 587}, {TABLE_COUNT, 0}};
const struct proto proto_smtp = {.name = "smtp",
                                 .column = "SMTP",
                                 .id = FID_SMTP,
                                 .end = FID_SMTP_END,
                                 .keys = smtp_keys,
                                 .stream = &smtp_stream,
                                 .info = smtp_info,
                                 .info_fields = smtp_fields};
static const uint16_t pop_fields[] = {FID_POP_RESPONSE, FID_POP_REQUEST, 0};
static const struct stream_ops pop_stream = {.state_size = sizeof(struct mail_state), .read = pop_read};
static const struct proto_key pop_keys[] = {{TABLE_TCP, 110}, {TABLE_COUNT, 0}};
const struct proto proto_pop = {.name = "pop",
                                .column = "POP",
                                .id = FID_POP,
                                .end = FID_POP_END,
                                .keys = pop_keys,
                                .stream = &pop_stream,
                                .info = pop_info,
                                .info_fields = pop_fields};
static const uint16_t imap_fields[] = {FID_IMAP_ISREQUEST, FID_IMAP_LINE, 0};
static const struct stream_ops imap_stream = {.state_size = sizeof(struct mail_state), .read = imap_read};
static const struct proto_key imap_keys[] = {{TABLE_TCP, 143}, {TABLE_COUNT, 0}};
const struct proto proto_imap = {.name = "imap",
                                 .column = "IMAP",
                                 .id = FID_IMAP,
                                 .end = FID_IMAP_END,
                                 .keys = imap_keys,
                                 .stream = &imap_stream,
                                 .info = imap_info,
                                 .info_fields = imap_fields};
