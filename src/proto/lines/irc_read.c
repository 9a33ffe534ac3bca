/* SPDX-License-Identifier: Apache-2.0 */
/* Internet Relay Chat (RFC 2812 2.3): lines with a prefix, which is optional, and a command. */
#include "proto/lines/login.h"
#include "proto/protos.h"

/* is_service tells whether somebody is no person but a program that keeps names and their passwords: its name ends with
 * Serv, or is told with its server's. */
static bool is_service(struct slice who) {
    struct slice end = slice_tail(who, who.n > 4 ? who.n - 4 : 0);
    return slice_alike(end, SLICE("SERV")) || slice_alike(who, SLICE("NS")) || (who.n && memchr(who.p, '@', who.n));
}

/* to_service tells whether a command speaks to such a program, by name or as a message; the words up to what it is
 * asked to do are taken. */
static bool to_service(struct said *said, struct slice command) {
    bool message = slice_alike(command, SLICE("PRIVMSG")) || slice_alike(command, SLICE("NOTICE")) ||
                   slice_alike(command, SLICE("SQUERY"));
    if (!is_service(message ? login_word(said) : command)) return false;
    struct slice asked = login_word(said);
    if (asked.n == 1 && asked.p[0] == ':') login_word(said);
    return true;
}

/* irc_mark marks the field of a client's line where it is secret. */
static void irc_mark(struct login *login, const struct line *line, struct fval *f, struct said *said) {
    *said = login_begin(login, line);
    struct slice word = login_word(said);
    if (word.n && word.p[0] == ':') word = login_word(said);
    bool logs_in = slice_alike(word, SLICE("PASS")) || slice_alike(word, SLICE("OPER")) ||
                   slice_alike(word, SLICE("AUTHENTICATE")) || slice_alike(word, SLICE("IDENTIFY")) ||
                   to_service(said, word);
    login_mark(login, said, f, logs_in);
}

static struct read_result irc_read(struct decode *d, void *state, int from, struct slice in) {
    struct slice left = in;
    struct line line;
    bool server = from_server(d, &proto_irc, from);
    d_begin(d, &proto_irc, d_off(d, in.p), (uint32_t)in.n);
    for (unsigned i = 0; i < LINES_MAX && line_take(&left, &line); i++) {
        struct slice rest = line.text, word = word_take(&rest);
        struct fval *f = line.text.n ? line_open(d, server ? FID_IRC_RESPONSE : FID_IRC_REQUEST, line.text) : NULL;
        struct said said = {.line = &line};
        if (!server) irc_mark(state, &line, f, &said);
        if (!line.text.n) continue;
        if (word.n && word.p[0] == ':') word = word_take(&rest);
        if (word.n)
            login_part(&said, line_add(d, server ? FID_IRC_RESPONSE_COMMAND : FID_IRC_REQUEST_COMMAND, word), word);
        fv_close(d->out);
    }
    d_end(d);
    return lines_whole(in);
}

static void irc_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    bool server = fv_first(v, FID_IRC_RESPONSE, at, end) != NULL;
    const char *between = server ? "Response (" : "Request (";
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_IRC_REQUEST_COMMAND && v->v[i].id != FID_IRC_RESPONSE_COMMAND) continue;
        wr_s(w, between);
        line_say(w, v, &v->v[i], v->v[i].s);
        between = ") (";
    }
    wr_c(w, ')');
}

static const struct stream_ops irc_stream = {.state_size = sizeof(struct login), .read = irc_read};
static const uint16_t irc_fields[] = {FID_IRC_RESPONSE, FID_IRC_REQUEST_COMMAND, FID_IRC_RESPONSE_COMMAND, 0};
static const struct proto_key irc_keys[] = {{TABLE_TCP, 6667}, {TABLE_TCP, 57000}, {TABLE_COUNT, 0}};
const struct proto proto_irc = {LINES_PROTO(irc, IRC, "IRC"), .info_fields = irc_fields};
