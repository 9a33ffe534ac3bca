/* SPDX-License-Identifier: Apache-2.0 */
/* IMAP (RFC 9051), line by line; after STARTTLS the conversation is one of TLS.
 *
 * Theory of operation: every command begins with a tag of the client's, and the reply that ends it has the same one
 * (RFC 9051 2.2.1). The last few commands are remembered by their tags, so that a reply says what it is for. Words are
 * parted by one blank each, as the grammar has it. What a FETCH brings stands behind a line that ends with its size
 * (4.3), and the line goes on behind it: it is waited for, and the first of such literals is shown as a message. */
#include "proto/lines/login.h"
#include "proto/protos.h"

enum { TAG_MAX = 15, ASKED_MAX = 16, MAILS_MAX = 32 /* in one segment; further ones are read as the next */ };

struct asked {
    uint64_t frame; /* 0: none */
    int64_t ts;
    uint8_t tag_n, tag[TAG_MAX]; /* longer ones are not remembered */
};

struct imap_state {
    bool tls_asked; /* the server's consent is still to come */
    bool fetching;  /* the server's next line is the rest of a FETCH */
    struct login login;
    struct asked asked[ASKED_MAX];
    unsigned turn; /* the place that is taken next */
};

/* token_take takes the text up to the first blank off *text, and that blank. */
static struct slice token_take(struct slice *text) {
    const uint8_t *space = text->n ? memchr(text->p, ' ', text->n) : NULL;
    struct slice token = slice_head(*text, space ? (size_t)(space - text->p) : text->n);
    *text = slice_tail(*text, space ? token.n + 1 : token.n);
    return token;
}

static void asked_keep(struct decode *d, struct imap_state *st, struct slice tag) {
    if (!tag.n || tag.n > TAG_MAX) return;
    struct asked *a = &st->asked[st->turn++ % ASKED_MAX];
    *a = (struct asked){.frame = d->pkt->number, .ts = d->pkt->ts, .tag_n = (uint8_t)tag.n};
    memcpy(a->tag, tag.p, tag.n);
}

/* asked_find returns the last command with a tag, NULL: it is not remembered. */
static const struct asked *asked_find(const struct imap_state *st, struct slice tag) {
    for (unsigned back = 1; back <= ASKED_MAX; back++) {
        const struct asked *a = &st->asked[(st->turn - back) % ASKED_MAX];
        if (a->frame && slice_eq(slice_of(a->tag, a->tag_n), tag)) return a;
    }
    return NULL;
}

/* login_note notes what a line that logs in, or goes on with it, says of the lines to come. */
static void login_note(struct login *l, const struct said *said, struct slice tag, bool auth, bool login) {
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

/* word_add adds a word of a request's line, which may be secret. */
static void word_add(struct decode *d, const struct said *said, uint16_t id, struct slice word, bool hidden) {
    struct fval *f = line_add(d, id, word);
    login_part(said, f, word);
    if (hidden) fv_hide(f);
}

static struct slice unquoted(struct slice s) {
    return s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' ? slice_head(slice_tail(s, 1), s.n - 2) : s;
}

static bool among(struct slice word, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (slice_alike(word, slice_str(list[i]))) return true;
    return false;
}

/* arguments_add shows what a command is about: who logs in, or a mailbox. */
static void arguments_add(struct decode *d, const struct said *said, struct slice command, struct slice rest) {
    static const char *const of_folder[] = {"SELECT",    "EXAMINE",     "CREATE", "DELETE", "RENAME",
                                            "SUBSCRIBE", "UNSUBSCRIBE", "STATUS", "APPEND"};
    bool login = slice_alike(command, SLICE("LOGIN")), copy = slice_alike(command, SLICE("COPY"));
    if (!login && !copy && !among(command, of_folder, sizeof of_folder / sizeof *of_folder)) return;
    struct slice first = token_take(&rest), folder = copy ? token_take(&rest) : first;
    if (login) {
        struct slice password = token_take(&rest);
        if (first.n) word_add(d, said, FID_IMAP_REQUEST_USERNAME, first, false);
        if (password.n) word_add(d, said, FID_IMAP_REQUEST_PASSWORD, unquoted(password), false);
    } else if (folder.n) {
        word_add(d, said, FID_IMAP_REQUEST_FOLDER, folder, false);
    }
}

static void request_add(struct decode *d, const struct said *said) {
    struct slice text = said->line->text, rest = text, tag = token_take(&rest), first = token_take(&rest);
    bool uid = slice_alike(first, SLICE("UID"));
    struct slice command = uid ? token_take(&rest) : first;
    login_line(said, line_add(d, FID_IMAP_REQUEST, text));
    word_add(d, said, FID_IMAP_REQUEST_TAG, tag, false);
    word_add(d, said, FID_IMAP_TAG, tag, true);
    if (uid) fv_u(d->out, FID_IMAP_REQUEST_UID, d_off(d, first.p), (uint32_t)first.n, 1);
    if (!command.n) return;
    word_add(d, said, FID_IMAP_REQUEST_COMMAND, command, false);
    word_add(d, said, FID_IMAP_COMMAND, first, true);
    arguments_add(d, said, command, rest);
}

static void imap_request(struct decode *d, struct imap_state *st, const struct line *line) {
    struct said said = login_begin(&st->login, line);
    struct slice tag = login_word(&said), word = login_word(&said);
    bool auth = !said.whole && slice_alike(word, SLICE("AUTHENTICATE")),
         login = !said.whole && slice_alike(word, SLICE("LOGIN"));
    login_mark(&st->login, &said, line_open(d, FID_IMAP_LINE, line->all), auth || login);
    if (line->text.n) request_add(d, &said);
    fv_close(d->out);
    if (!said.whole) asked_keep(d, st, tag);
    login_note(&st->login, &said, tag, auth, login);
    st->tls_asked = slice_alike(word, SLICE("STARTTLS"));
}

/* reply_add: `rest` follows the tag and the status. */
static void reply_add(struct decode *d, const struct imap_state *st, struct slice text, struct slice tag,
                      struct slice status, struct slice rest) {
    struct slice command = token_take(&rest);
    const struct asked *asked = asked_find(st, tag);
    line_add(d, FID_IMAP_RESPONSE, text);
    line_add(d, FID_IMAP_RESPONSE_TAG, tag);
    fv_hide(line_add(d, FID_IMAP_TAG, tag));
    if (status.n) line_add(d, FID_IMAP_RESPONSE_STATUS, status);
    if (command.n) {
        line_add(d, FID_IMAP_RESPONSE_COMMAND, command);
        fv_hide(line_add(d, FID_IMAP_COMMAND, command));
    }
    if (!asked) return;
    fv_u(d->out, FID_IMAP_RESPONSE_TO, d_off(d, text.p), 0, asked->frame);
    fv_i(d->out, FID_IMAP_TIME, d_off(d, text.p), 0, d->pkt->ts - asked->ts);
}

/* imap_reply: a login ends with the reply that has its tag; those to other commands may come while it goes on. */
static void imap_reply(struct decode *d, struct imap_state *st, const struct line *line) {
    struct slice rest = line->text, tag = token_take(&rest), status = token_take(&rest);
    line_open(d, FID_IMAP_LINE, line->all);
    if (tag.n && !slice_eq(tag, SLICE("*"))) reply_add(d, st, line->text, tag, status, rest);
    fv_close(d->out);
    if (st->tls_asked && slice_alike(status, SLICE("OK")) && d->ops->become) d->ops->become(d, &proto_tls, 0);
    if (slice_eq(slice_head(tag, LOGIN_TAG_MAX), slice_of(st->login.tag, st->login.tag_n))) st->login.asked = false;
}

/* fetches tells whether a server's line says what a message has: "* 12 FETCH ..." (RFC 9051 7.5.2). */
static bool fetches(struct slice text) {
    struct slice star = token_take(&text), number = token_take(&text);
    return slice_eq(star, SLICE("*")) && number.n && slice_alike(token_take(&text), SLICE("FETCH"));
}

/* literal_size returns the size between braces that a line ends with (RFC 9051 4.3), 0: there is none. */
static uint32_t literal_size(struct slice text) {
    uint64_t size = 0, scale = 1;
    size_t n = text.n;
    if (!n || text.p[n - 1] != '}') return 0;
    for (n--; n && text.p[n - 1] >= '0' && text.p[n - 1] <= '9' && scale <= UINT32_MAX; n--, scale *= 10)
        size += scale * (text.p[n - 1] - '0');
    return n && text.p[n - 1] == '{' && size <= UINT32_MAX ? (uint32_t)size : 0;
}

/* reply_literal returns the size of what stands behind a server's line and is not more lines of its own. */
static uint32_t reply_literal(const struct imap_state *st, struct slice text) {
    return st->fetching || fetches(text) ? literal_size(text) : 0;
}

/* line_wait returns READ_MORE where the first line of `in` is to wait for its end, or for its literal and what follows
 * that, else READ_OK. Every segment of a literal has an entry, save of one that is very long. */
static struct read_result line_wait(const struct decode *d, const struct imap_state *st, bool server, struct slice in) {
    enum { SHOWN_MAX = 1 << 20 };
    const struct read_result more = {.status = READ_MORE}, no = {.status = READ_OK};
    struct line line;
    struct slice left = in;
    if (d->stream_end || !line_take(&left, &line)) return no;
    if (line.all.p[line.all.n - 1] != '\n') return in.n < LINE_BYTES_MAX ? more : no;
    size_t literal = server ? reply_literal(st, line.text) : 0, needed = literal ? line.all.n + literal + 1 : 0;
    bool shown = needed <= SHOWN_MAX;
    if (needed <= in.n) return no;
    return (struct read_result){.status = READ_MORE, .needed = shown ? 0 : needed, .shown = shown};
}

/* reply_read reads a server's line and takes its literal off *left; it returns that where it is a message. */
static struct slice reply_read(struct decode *d, struct imap_state *st, const struct line *line, struct slice *left) {
    struct slice literal = slice_head(*left, reply_literal(st, line->text));
    struct line part;
    bool mail = literal.n && !st->fetching;
    imap_reply(d, st, line);
    st->fetching = literal.n > 0;
    *left = slice_tail(*left, literal.n);
    if (mail) return literal;
    for (unsigned i = 0; i < LINES_MAX && line_take(&literal, &part); i++) line_add(d, FID_IMAP_LINE, part.all);
    return (struct slice){0};
}

static void imap_part(struct decode *d, int from, uint32_t off) {
    fv_hide(fv_u(d->out, FID_IMAP_ISREQUEST, off, 0, !from_server(d, &proto_imap, from)));
}

static struct read_result imap_read(struct decode *d, void *state, int from, struct slice in) {
    struct imap_state *st = state;
    bool server = from_server(d, &proto_imap, from);
    struct slice left = in, mails[MAILS_MAX];
    unsigned mail_count = 0;
    struct line line;
    struct read_result wait = line_wait(d, st, server, in);
    if (wait.status == READ_MORE) return wait;
    uint32_t at = d_begin(d, &proto_imap, d_off(d, in.p), (uint32_t)in.n);
    imap_part(d, from, d_off(d, in.p));
    for (unsigned i = 0; i < LINES_MAX && mail_count < MAILS_MAX; i++) {
        if ((i > 0 && line_wait(d, st, server, left).status == READ_MORE) || !line_take(&left, &line)) break;
        if (!server) imap_request(d, st, &line);
        else mails[mail_count] = reply_read(d, st, &line, &left);
        if (server && mails[mail_count].n) mail_count++;
    }
    fv_set_len(d->out, at, (uint32_t)(in.n - left.n));
    d_end(d);
    for (unsigned i = 0; i < mail_count; i++) d->ops->call(d, &proto_imf, mails[i]);
    return (struct read_result){.status = READ_OK, .consumed = in.n - left.n};
}

static void imap_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *request = fv_first(v, FID_IMAP_ISREQUEST, at, end), *text = fv_first(v, FID_IMAP_LINE, at, end);
    if (!request || !text) return;
    wr_s(w, request->u ? "Request: " : "Response: ");
    line_say(w, v, text, text->s);
}

static const uint16_t imap_fields[] = {FID_IMAP_ISREQUEST, FID_IMAP_LINE, 0};
static const struct stream_ops imap_stream = {
    .state_size = sizeof(struct imap_state), .read = imap_read, .part = imap_part};
static const struct proto_key imap_keys[] = {{TABLE_TCP, 143}, {TABLE_COUNT, 0}};
const struct proto proto_imap = {LINES_PROTO(imap, IMAP, "IMAP"), .info_fields = imap_fields};
