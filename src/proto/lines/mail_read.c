/* SPDX-License-Identifier: Apache-2.0 */
/* Mail on its way: SMTP (RFC 5321), line by line; after STARTTLS (RFC 3207) the conversation is one of TLS. A message
 * is read when its end comes (imf_read.c).
 *
 * Theory of operation: the state of a conversation says what the client asked for: TLS, or to send a message, whose end
 * is a line with a dot. Commands may come several at once and their replies later (RFC 2920); a message begins behind
 * DATA where the client does not wait, and behind the reply that says so (354, which answers nothing else) where it
 * does. What came of it in earlier segments is kept (mail_kept.c). A chunk behind BDAT is so many bytes, whatever they
 * are (RFC 3030 2); chunks are shown as they come and make no message. */
#include "proto/lines/login.h"
#include "proto/lines/mail.h"
#include "proto/protos.h"

struct mail_state {
    bool tls_asked;  /* the server's consent is still to come */
    bool asked_data; /* the reply to it is still to come */
    bool in_data;
    bool fresh;     /* of the message nothing came yet */
    uint32_t chunk; /* bytes that the client's last BDAT said and that are still to come */
    struct mail_kept kept;
    struct login login;
};

enum { SMTP_READY = 220, SMTP_CHALLENGE = 334, SMTP_GO_ON = 354, SMTP_REFUSED = 400 };

/* message_begin says that the client's next line is the first of a message. */
static void message_begin(struct mail_state *st) {
    st->in_data = st->fresh = true;
    mail_drop(&st->kept);
}

/* chunk_size returns the number that BDAT is followed by, 0: there is none that anybody would accept. */
static uint32_t chunk_size(struct slice text) {
    uint64_t size = 0;
    for (size_t i = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '9' && size <= UINT32_MAX; i++)
        size = size * 10 + (text.p[i] - '0');
    return size <= UINT32_MAX ? (uint32_t)size : 0;
}

static void smtp_request(struct decode *d, struct mail_state *st, const struct line *line) {
    struct slice rest = line->text, command = word_take(&rest);
    fv_hide(fv_u(d->out, FID_SMTP_REQ, d_off(d, line->all.p), 0, 1));
    struct said said = login_begin(&st->login, line);
    bool auth = slice_alike(login_word(&said), SLICE("AUTH")) && !said.whole;
    login_mark(&st->login, &said, line_open(d, FID_SMTP_COMMAND_LINE, line->all), auth);
    login_part(&said, line_add(d, FID_SMTP_REQ_COMMAND, command), command);
    if (rest.n) login_part(&said, line_add(d, FID_SMTP_REQ_PARAMETER, rest), rest);
    fv_close(d->out);
    st->login.asked |= auth;
    if (said.whole) return;
    if (slice_alike(command, SLICE("DATA"))) {
        message_begin(st);
        st->asked_data = true;
    }
    if (slice_alike(command, SLICE("BDAT"))) st->chunk = chunk_size(rest);
    st->tls_asked = st->tls_asked || slice_alike(command, SLICE("STARTTLS"));
}

/* smtp_goes_on tells whether more lines of a reply follow this one. */
static bool smtp_goes_on(struct slice text) { return text.n >= 4 && text.p[3] == '-'; }

/* reply_show shows a line of a reply, inside the entry of the reply's first line where it is not that itself. */
static void reply_show(struct decode *d, const struct line *line, int code, bool further) {
    struct slice rest = slice_tail(line->text, 4);
    if (code < 0) return;
    if (!further) {
        line_open(d, FID_SMTP_RESPONSE, line->all);
        fv_u(d->out, FID_SMTP_RESPONSE_CODE, d_off(d, line->text.p), 3, (unsigned)code);
    }
    if (line->text.n >= 4) line_add(d, FID_SMTP_RSP_PARAMETER, rest);
    if (!smtp_goes_on(line->text)) fv_close(d->out);
}

/* smtp_reply: `further` says whether the line goes on with a reply that began in the same segment; it returns whether
 * the next one does. */
static bool smtp_reply(struct decode *d, struct mail_state *st, const struct line *line, bool further) {
    int code = code_of(line->text);
    bool goes_on = code >= 0 && smtp_goes_on(line->text);
    reply_show(d, line, code, further);
    st->login.asked = code == SMTP_CHALLENGE;
    if (goes_on) return true;
    if (code == SMTP_GO_ON && !st->asked_data && !st->in_data) message_begin(st);
    if (code >= SMTP_REFUSED && st->fresh) st->asked_data = st->in_data = st->fresh = false;
    if (code == SMTP_GO_ON) st->asked_data = false;
    if (st->tls_asked && code == SMTP_READY && d->ops->become) d->ops->become(d, &proto_tls, 0);
    if (code == SMTP_READY || code >= SMTP_REFUSED) st->tls_asked = false;
    return false;
}

/* mail is what a segment has of the message that is sent, and the message that ended in it. */
struct mail {
    struct slice lines, whole;
    uint8_t src; /* of `whole` */
    bool ended;
};

static const struct mail_pieces pieces = {"Reassembled SMTP", FID_SMTP_DATA_FRAGMENTS, FID_SMTP_DATA_FRAGMENT,
                                          FID_SMTP_DATA_FRAGMENT_COUNT, FID_SMTP_DATA_REASSEMBLED_LENGTH};

/* mail_end shows that the message is at its end, and keeps it for a layer of its own. */
static void mail_end(struct decode *d, struct mail_state *st, struct mail *mail, struct slice dot) {
    uint8_t src = d->out->src;
    fv_add(d->out, FID_SMTP_EOM, d_off(d, dot.p), 1);
    mail_keep(d, &st->kept, mail->lines);
    mail->whole = mail_whole(d, &st->kept, &pieces);
    mail->src = d->out->src;
    mail->ended = true;
    mail->lines = (struct slice){0};
    d->out->src = src;
    mail_drop(&st->kept);
}

/* mail_take: nothing but CRLF ends the last line (RFC 5321 4.1.1.4). */
static void mail_take(struct decode *d, struct mail_state *st, struct mail *mail, const struct line *line) {
    st->in_data = !slice_eq(line->all, SLICE(".\r\n"));
    st->fresh = false;
    if (!st->in_data) {
        mail_end(d, st, mail, line->text);
        return;
    }
    if (!mail->lines.p) mail->lines.p = line->all.p;
    mail->lines.n += line->all.n;
}

/* text_show shows what a segment has of what is sent. */
static void text_show(struct decode *d, struct slice text) {
    if (!text.n) return;
    fv_hide(fv_add(d->out, FID_SMTP_PART, d_off(d, text.p), (uint32_t)text.n));
    d->ops->call(d, &proto_data_text_lines, text);
}

/* chunk_take takes what there is of a chunk off *left and shows it. */
static void chunk_take(struct decode *d, struct mail_state *st, struct slice *left) {
    struct slice chunk = slice_head(*left, st->chunk);
    *left = slice_tail(*left, chunk.n);
    st->chunk -= (uint32_t)chunk.n;
    text_show(d, chunk);
}

static void mail_show(struct decode *d, const struct mail *mail) {
    uint8_t src = d->out->src;
    d->out->src = mail->src;
    d->ops->call(d, &proto_imf, mail->whole);
    d->out->src = src;
}

static struct read_result smtp_read(struct decode *d, void *state, int from, struct slice in) {
    struct mail_state *st = state;
    struct slice left = in;
    struct line line;
    struct mail mail = {0};
    bool server = from_server(d, &proto_smtp, from);
    struct slice whole = whole_lines(in); /* a line that is not whole waits for its end */
    bool text = !server && (st->in_data || st->chunk);
    if (!(text && st->chunk) && lines_wait(d, in, whole)) return (struct read_result){.status = READ_MORE};
    bool dot = slice_starts(SLICE(".\r"), slice_tail(in, whole.n)); /* perhaps of the last line */
    size_t held = whole.n && (!text || dot) ? in.n - whole.n : 0;   /* unless they turn out to be of a chunk */
    left.n -= held;
    uint32_t at = d_begin(d, &proto_smtp, d_off(d, in.p), (uint32_t)left.n);
    bool reply_open = false;
    if (server) fv_hide(fv_u(d->out, FID_SMTP_RSP, d_off(d, in.p), 0, 1));
    for (unsigned i = 0; i < LINES_MAX; i++) {
        if (!server && st->chunk) {
            left.n += held;
            held = 0;
            chunk_take(d, st, &left);
        }
        if (!line_take(&left, &line)) break;
        if (server) reply_open = smtp_reply(d, st, &line, reply_open);
        else if (st->in_data) mail_take(d, st, &mail, &line);
        else smtp_request(d, st, &line);
    }
    if (reply_open) fv_close(d->out);
    text_show(d, mail.lines);
    in.n -= held;
    fv_set_len(d->out, at, (uint32_t)in.n);
    d_end(d);
    if (mail.lines.n) mail_keep(d, &st->kept, mail.lines);
    if (mail.ended) mail_show(d, &mail);
    return lines_whole(in);
}

/* joined_say says the lines one behind the other, of a reply's code only the first one's. */
static void joined_say(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end, uint16_t id) {
    bool first = true, first_part = true;
    for (uint32_t i = at; i < end; i++) {
        bool part = id == FID_SMTP_RESPONSE && v->v[i].id == FID_SMTP_RSP_PARAMETER;
        if (v->v[i].id != id && !(part && !first_part)) {
            first_part = first_part && !part;
            continue;
        }
        if (!first) wr_s(w, " | ");
        line_say(w, v, &v->v[i], v->v[i].s);
        if (!part) first_part = true;
        first = false;
    }
}

static void smtp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *part = fv_first(v, FID_SMTP_PART, at, end);
    if (fv_first(v, FID_SMTP_RESPONSE, at, end)) {
        wr_s(w, "S: ");
        joined_say(w, v, at, end, FID_SMTP_RESPONSE);
    } else if (fv_first(v, FID_SMTP_COMMAND_LINE, at, end)) {
        wr_s(w, "C: ");
        joined_say(w, v, at, end, FID_SMTP_COMMAND_LINE);
    } else {
        wr_f(w, "C: DATA fragment, %u bytes", part ? (unsigned)part->len : 0u);
    }
}

static bool smtp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id == FID_SMTP_EOM) wr_s(w, "C: .");
    else return mail_label(w, v, at, &pieces);
    return true;
}

static void smtp_end(void *state) { mail_drop(&((struct mail_state *)state)->kept); }

static const uint16_t smtp_fields[] = {FID_SMTP_RESPONSE, FID_SMTP_COMMAND_LINE, FID_SMTP_RSP_PARAMETER, FID_SMTP_PART,
                                       0};
static const struct stream_ops smtp_stream = {
    .state_size = sizeof(struct mail_state), .read = smtp_read, .end = smtp_end};
static const struct proto_key smtp_keys[] = {{TABLE_TCP, 25}, {TABLE_TCP, 587}, {TABLE_COUNT, 0}};
const struct proto proto_smtp = {LINES_PROTO(smtp, SMTP, "SMTP"), .info_fields = smtp_fields, .label = smtp_label};
