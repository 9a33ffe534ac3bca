/* SPDX-License-Identifier: Apache-2.0 */
/* Mail: SMTP (RFC 5321), POP (RFC 1939) and IMAP (RFC 9051), line by line; after STARTTLS and its kin (RFC 3207, 2595)
 * the conversation is one of TLS. Of a message that SMTP carries the headers are read when its end comes.
 *
 * Theory of operation: the state of a conversation says what the client asked for: TLS, or to send a message, whose end
 * is a line with a dot. Commands may come several at once and their replies later (RFC 2920); a message begins behind
 * DATA where the client does not wait, and behind the reply that says so (354, which answers nothing else) where it
 * does. Headers that came in earlier segments are kept, HEAD_MAX bytes of them. */
#include "proto/lines/login.h"
#include "proto/protos.h"

struct mail_state {
    bool tls_asked;  /* the server's consent is still to come */
    bool asked_data; /* the reply to it is still to come */
    bool in_data;
    bool fresh;   /* of the message nothing came yet */
    bool in_head; /* its headers are not at their end */
    struct arena memory;
    uint8_t *head; /* what came of them in earlier segments, in `memory`; NULL: nothing */
    size_t head_n;
    struct login login;
};

enum { SMTP_READY = 220, SMTP_CHALLENGE = 334, SMTP_GO_ON = 354, SMTP_REFUSED = 400 };

/* message_begin says that the client's next line is the first of a message. */
static void message_begin(struct mail_state *st) {
    st->in_data = st->fresh = st->in_head = true;
    st->head_n = 0;
}

static void smtp_request(struct decode *d, struct mail_state *st, const struct line *line) {
    struct slice rest = line->text, command = word_take(&rest);
    fv_hide(fv_u(d->out, FID_SMTP_REQ, d_off(d, line->all.p), 0, 1));
    struct said said = login_begin(&st->login, line);
    bool auth = word_is(login_word(&said), "AUTH") && !said.whole;
    login_mark(&st->login, &said, line_open(d, FID_SMTP_COMMAND_LINE, line->all), auth);
    login_part(&said, line_add(d, FID_SMTP_REQ_COMMAND, command), command);
    if (rest.n) login_part(&said, line_add(d, FID_SMTP_REQ_PARAMETER, rest), rest);
    fv_close(d->out);
    st->login.asked |= auth;
    if (said.whole) return;
    if (word_is(command, "DATA")) {
        message_begin(st);
        st->asked_data = true;
    }
    st->tls_asked = st->tls_asked || word_is(command, "STARTTLS");
}

/* smtp_goes_on tells whether more lines of a reply follow this one. */
static bool smtp_goes_on(struct slice text) { return text.n >= 4 && text.p[3] == '-'; }

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
    st->login.asked = code == SMTP_CHALLENGE;
    if (smtp_goes_on(line->text)) return;
    if (code == SMTP_GO_ON && !st->asked_data && !st->in_data) message_begin(st);
    if (code >= SMTP_REFUSED && st->fresh) st->asked_data = st->in_data = st->fresh = false;
    if (code == SMTP_GO_ON) st->asked_data = false;
    if (st->tls_asked && code == SMTP_READY && d->ops->become) d->ops->become(d, &proto_tls, 0);
    if (code == SMTP_READY || code >= SMTP_REFUSED) st->tls_asked = false;
}

/* mail is what a segment has of the message that is sent: its headers (RFC 5322 2.2), as far as they are there. */
struct mail {
    struct slice head;
    bool ended;
};

static void mail_take(struct mail_state *st, struct mail *mail, const struct line *line) {
    mail->ended = slice_eq(line->text, SLICE("."));
    st->fresh = false;
    st->in_data = !mail->ended;
    if (mail->ended || !line->text.n) st->in_head = false;
    if (!st->in_head) return;
    if (!mail->head.p) mail->head.p = line->all.p;
    mail->head.n += line->all.n;
}

/* head_keep keeps headers of a message that goes on in a later segment. */
static void head_keep(struct decode *d, struct mail_state *st, struct slice part) {
    enum { HEAD_MAX = 8192 };
    if (!part.n) return;
    if (!st->head) {
        st->memory = arena_make_of(2 * HEAD_MAX, d->kept);
        st->head = arena_get(&st->memory, HEAD_MAX);
    }
    if (!st->head || part.n > HEAD_MAX - st->head_n) return;
    memcpy(st->head + st->head_n, part.p, part.n);
    st->head_n += part.n;
}

/* head_whole returns all headers of the message that ended, as a source of its own that is selected where part of them
 * came earlier. */
static struct slice head_whole(struct decode *d, const struct mail_state *st, struct slice part) {
    if (!st->head_n) return part;
    uint8_t *all = arena_get(d->arena, st->head_n + part.n);
    struct slice whole = slice_of(all, st->head_n + part.n);
    uint8_t source = all ? fvec_add_source(d->out, whole, "Reassembled SMTP") : 0;
    if (!source) return part;
    memcpy(all, st->head, st->head_n);
    if (part.n) memcpy(all + st->head_n, part.p, part.n);
    d->out->src = source;
    return whole;
}

/* mail_show shows the message whose end came, as a layer of its own. */
static void mail_show(struct decode *d, const struct mail_state *st, struct slice part) {
    static const struct {
        const char *name;
        uint16_t id;
    } headers[] = {{"FROM", FID_IMF_FROM},
                   {"TO", FID_IMF_TO},
                   {"SUBJECT", FID_IMF_SUBJECT},
                   {"DATE", FID_IMF_DATE},
                   {"MESSAGE-ID", FID_IMF_MESSAGE_ID}};
    uint8_t src = d->out->src;
    struct slice left = head_whole(d, st, part);
    struct line line;
    d_begin(d, &proto_imf, left.n ? d_off(d, left.p) : 0, (uint32_t)left.n);
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line); i++) {
        struct slice value, name;
        if (!header_split(line.text, &name, &value)) continue;
        while (left.n && (left.p[0] == ' ' || left.p[0] == '\t') && line_take(&left, &line)) /* RFC 5322 2.2.3 */
            value.n = (size_t)(line.text.p + line.text.n - value.p);
        for (size_t h = 0; h < sizeof headers / sizeof *headers; h++)
            if (word_is(name, headers[h].name)) line_add(d, headers[h].id, value);
    }
    d_end(d);
    d->out->src = src;
}

static struct read_result smtp_read(struct decode *d, void *state, int from, struct slice in) {
    struct mail_state *st = state;
    struct slice left = in;
    struct line line;
    struct mail mail = {0};
    bool server = from_server(d, &proto_smtp, from);
    struct slice whole = whole_lines(in); /* a line that is not whole waits for its end */
    if (!whole.n && in.n < LINE_BYTES_MAX && !d->stream_end) return (struct read_result){.status = READ_MORE};
    if (whole.n && (server || !st->in_data)) left = in = whole;
    d_begin(d, &proto_smtp, d_off(d, in.p), (uint32_t)in.n);
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line); i++) {
        if (server) {
            smtp_reply(d, st, &line);
        } else if (st->in_data) {
            line_add(d, FID_SMTP_MESSAGE, line.all);
            mail_take(st, &mail, &line);
        } else {
            smtp_request(d, st, &line);
        }
    }
    d_end(d);
    if (mail.ended) mail_show(d, st, mail.head);
    else head_keep(d, st, mail.head);
    return lines_whole(in);
}

/* joined_say says the lines one behind the other, of a reply's code only the first one's. */
static void joined_say(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end, uint16_t id) {
    bool first = true, goes_on = false;
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != id) continue;
        struct slice text = v->v[i].s;
        if (!first) wr_s(w, " | ");
        line_say(w, v, &v->v[i], goes_on ? slice_tail(text, 4) : text);
        goes_on = id == FID_SMTP_RESPONSE && smtp_goes_on(text);
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
        uint32_t n = 0;
        for (uint32_t i = at; i < end; i++)
            if (v->v[i].id == FID_SMTP_MESSAGE) n += v->v[i].len;
        wr_f(w, "C: DATA fragment, %u bytes", n);
    }
}

static void pop_reply(struct decode *d, struct mail_state *st, const struct line *line) {
    struct slice rest = line->text;
    fv_open(d->out, FID_POP_RESPONSE, d_off(d, line->all.p), (uint32_t)line->all.n);
    struct slice word = word_take(&rest);
    line_add(d, FID_POP_RESPONSE_INDICATOR, word);
    if (rest.n) line_add(d, FID_POP_RESPONSE_DESCRIPTION, rest);
    fv_close(d->out);
    if (st->tls_asked && word_is(word, "+OK") && d->ops->become) d->ops->become(d, &proto_tls, 0);
    st->tls_asked = false;
    if (word_is(word, "+OK") || word_is(word, "-ERR")) st->login.asked = false;
}

/* pop_asks notes that a server's line asks for more of a login (RFC 5034 4), as any may where the replies to several
 * commands come at once; the line of a mail may look the same, but comes after another command. */
static void pop_asks(struct login *l, const struct line *line) {
    struct slice rest = line->text;
    if (word_is(word_take(&rest), "+") && !l->elsewhere) l->asked = true;
}

/* pop_request shows the first line of a packet with its parts, the others as what they are: commands sent at once. */
static void pop_request(struct decode *d, struct mail_state *st, const struct line *line, bool first) {
    struct slice rest = line->text, word = word_take(&rest);
    uint32_t off = d_off(d, line->all.p), len = (uint32_t)line->all.n;
    struct said said = login_begin(&st->login, line);
    struct slice begun = login_word(&said);
    bool auth = word_is(begun, "AUTH") && !said.whole;
    struct fval *f = first ? fv_at(d->out, fv_open(d->out, FID_POP_REQUEST, off, len))
                           : fv_add(d->out, FID_POP_REQUEST_DATA, off, len);
    login_mark(&st->login, &said, f, auth || word_is(begun, "PASS") || word_is(begun, "APOP"));
    st->login.asked |= auth;
    if (!first) return;
    login_part(&said, line_add(d, FID_POP_REQUEST_COMMAND, word), word);
    if (rest.n) login_part(&said, line_add(d, FID_POP_REQUEST_PARAMETER, rest), rest);
    fv_close(d->out);
    st->tls_asked = word_is(word, "STLS");
}

static struct read_result pop_read(struct decode *d, void *state, int from, struct slice in) {
    struct mail_state *st = state;
    struct slice left = in;
    struct line line;
    bool server = from_server(d, &proto_pop, from);
    d_begin(d, &proto_pop, d_off(d, in.p), (uint32_t)in.n);
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line); i++) {
        if (server) pop_asks(&st->login, &line);
        if (!server) pop_request(d, st, &line, i == 0);
        else if (i == 0) pop_reply(d, st, &line);
        else fv_add(d->out, FID_POP_RESPONSE_DATA, d_off(d, line.all.p), (uint32_t)line.all.n);
    }
    d_end(d);
    return lines_whole(in);
}

static struct slice bytes_of(const struct fvec *v, const struct fval *f) {
    return slice_head(slice_tail(v->source[f->src].bytes, f->off), f->len);
}

static void pop_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    bool server = fv_first(v, FID_POP_RESPONSE, at, end) != NULL;
    const struct fval *f = fv_first(v, server ? FID_POP_RESPONSE : FID_POP_REQUEST, at, end);
    if (!f) return;
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
    default: return false;
    }
}

/* imap_login notes what a line that logs in, or goes on with it, says of the lines to come. */
static void imap_login(struct login *l, const struct said *said, struct slice tag, bool auth, bool login) {
    struct slice text = said->line->text;
    if (auth || login) {
        l->literal = login;
        l->tag_n = (uint8_t)(tag.n < LOGIN_TAG_MAX ? tag.n : LOGIN_TAG_MAX);
        memcpy(l->tag, tag.p, l->tag_n);
    }
    if (said->before && !text.n) return; /* no more than the end of a line */
    if (auth) l->asked = true;
    else if (login || (said->whole && l->literal)) l->asked = text.n && text.p[text.n - 1] == '}';
}

static void imap_request(struct decode *d, struct mail_state *st, const struct line *line) {
    struct said said = login_begin(&st->login, line);
    struct slice tag = login_word(&said), word = login_word(&said);
    bool auth = !said.whole && word_is(word, "AUTHENTICATE"), login = !said.whole && word_is(word, "LOGIN");
    login_mark(&st->login, &said, line_add(d, FID_IMAP_LINE, line->all), auth || login);
    imap_login(&st->login, &said, tag, auth, login);
    st->tls_asked = word_is(word, "STARTTLS");
}

/* imap_reply: a login ends with the reply that has its tag; those to other commands may come while it goes on. */
static void imap_reply(struct decode *d, struct mail_state *st, const struct line *line) {
    struct slice rest = line->text, tag = word_take(&rest), word = word_take(&rest);
    line_add(d, FID_IMAP_LINE, line->all);
    if (st->tls_asked && word_is(word, "OK") && d->ops->become) d->ops->become(d, &proto_tls, 0);
    if (slice_eq(slice_head(tag, LOGIN_TAG_MAX), slice_of(st->login.tag, st->login.tag_n))) st->login.asked = false;
}

static struct read_result imap_read(struct decode *d, void *state, int from, struct slice in) {
    struct mail_state *st = state;
    struct slice left = in;
    struct line line;
    bool server = from_server(d, &proto_imap, from);
    d_begin(d, &proto_imap, d_off(d, in.p), (uint32_t)in.n);
    fv_hide(fv_u(d->out, FID_IMAP_ISREQUEST, d_off(d, in.p), 0, !server));
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line); i++) {
        if (server) imap_reply(d, st, &line);
        else imap_request(d, st, &line);
    }
    d_end(d);
    return lines_whole(in);
}

static void imap_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *request = fv_first(v, FID_IMAP_ISREQUEST, at, end), *text = fv_first(v, FID_IMAP_LINE, at, end);
    if (!request || !text) return;
    wr_s(w, request->u ? "Request: " : "Response: ");
    line_say(w, v, text, text->s);
}

static void imf_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *from = fv_first(v, FID_IMF_FROM, at, end), *subject = fv_first(v, FID_IMF_SUBJECT, at, end);
    if (from) wr_s(w, "from: ");
    if (from) print_string(w, from->s);
    if (subject) wr_s(w, from ? ", subject: " : "subject: ");
    if (subject) print_string(w, subject->s);
}

static void smtp_end(void *state) { arena_free(&((struct mail_state *)state)->memory); }

static const uint16_t smtp_fields[] = {FID_SMTP_RESPONSE, FID_SMTP_COMMAND_LINE, FID_SMTP_MESSAGE, 0};
static const struct stream_ops smtp_stream = {
    .state_size = sizeof(struct mail_state), .read = smtp_read, .end = smtp_end};
static const struct proto_key smtp_keys[] = {{TABLE_TCP, 25}, {TABLE_TCP, 587}, {TABLE_COUNT, 0}};
const struct proto proto_smtp = {LINES_PROTO(smtp, SMTP, "SMTP"), .info_fields = smtp_fields};

static const uint16_t imf_fields[] = {FID_IMF_FROM, FID_IMF_SUBJECT, 0};
const struct proto proto_imf = {.name = "imf",
                                .column = "SMTP/IMF",
                                .id = FID_IMF,
                                .end = FID_IMF_END,
                                .inner = true,
                                .info = imf_info,
                                .info_fields = imf_fields};
static const uint16_t pop_fields[] = {FID_POP_RESPONSE, FID_POP_REQUEST, 0};
static const struct stream_ops pop_stream = {.state_size = sizeof(struct mail_state), .read = pop_read};
static const struct proto_key pop_keys[] = {{TABLE_TCP, 110}, {TABLE_COUNT, 0}};
const struct proto proto_pop = {LINES_PROTO(pop, POP, "POP"), .info_fields = pop_fields, .label = pop_label};
static const uint16_t imap_fields[] = {FID_IMAP_ISREQUEST, FID_IMAP_LINE, 0};
static const struct stream_ops imap_stream = {.state_size = sizeof(struct mail_state), .read = imap_read};
static const struct proto_key imap_keys[] = {{TABLE_TCP, 143}, {TABLE_COUNT, 0}};
const struct proto proto_imap = {LINES_PROTO(imap, IMAP, "IMAP"), .info_fields = imap_fields};
