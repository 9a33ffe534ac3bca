/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: commands are taken in their order. What names a user is kept for the connection, and what sends
 * the password makes a row of it. SMTP's AUTH LOGIN has neither word: the line behind it is the name, the next one the
 * password, both in base64 (RFC 4954 4), and shown as they stand there. */
#include "analyse/stats/stats_credentials.h"

#include "base/err.h"
#include "proto/lines/lines.h"

#include <stdlib.h>

enum step { STEP_NONE, STEP_NAME, STEP_PASSWORD }; /* what the next line of AUTH LOGIN is */

struct session {
    uint32_t stream; /* first: the key */
    uint8_t step;    /* enum step */
    uint64_t frame;  /* of the name; 0: there is none */
    struct credentials_user user;
};

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct credentials *c = state;
    (void)args, (void)why;
    c->sessions = keytab_make(sizeof(uint32_t), sizeof(struct session), CREDENTIALS_MAX);
    return OK;
}

static void want(const void *state, struct want *w) {
    static const uint16_t ids[] = {FID_TCP_STREAM,          FID_FTP_REQUEST_COMMAND,   FID_FTP_REQUEST_ARG,
                                   FID_POP_REQUEST_COMMAND, FID_POP_REQUEST_PARAMETER, FID_SMTP_REQ_COMMAND,
                                   FID_SMTP_REQ_PARAMETER,  FID_IMAP_ISREQUEST,        FID_IMAP_LINE,
                                   FID_HTTP_AUTHBASIC,      FID_HTTP_AUTHORIZATION,    FID_HTTP_PROXY_AUTHORIZATION};
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) want_add(w, ids[i]);
}

static struct credentials_user user_of(struct slice name) {
    struct credentials_user user = {.n = (uint8_t)slice_head(name, CREDENTIALS_USER).n};
    if (user.n) memcpy(user.text, name.p, user.n);
    return user;
}

static void row_add(struct credentials *c, const char *proto, uint64_t frame, uint64_t user_frame,
                    const struct credentials_user *user) {
    if (c->n == c->room) {
        uint32_t room = c->room ? c->room * 2 : 64;
        struct credential *more = room <= CREDENTIALS_MAX ? realloc(c->row, room * sizeof *more) : NULL;
        if (!more) {
            c->refused++;
            return;
        }
        c->row = more;
        c->room = room;
    }
    c->row[c->n++] = (struct credential){.frame = frame, .user_frame = user_frame, .proto = proto, .user = *user};
}

/* argument_take takes the first word of a line, or what stands between its quotes (RFC 9051 4.3), off *line. */
static struct slice argument_take(struct slice *line) {
    while (line->n && line->p[0] == ' ') *line = slice_tail(*line, 1);
    bool quoted = line->n && line->p[0] == '"';
    struct slice word = slice_tail(*line, quoted);
    size_t n = 0;
    while (n < word.n && word.p[n] != (quoted ? '"' : ' ') && word.p[n] != '\r' && word.p[n] != '\n')
        n += quoted && word.p[n] == '\\' && n + 1 < word.n ? 2 : 1;
    *line = slice_tail(word, n + quoted);
    return slice_head(word, n);
}

/* taking is where the reading of a packet stands. */
struct taking {
    struct credentials *c;
    uint64_t frame;
    uint32_t stream;
    struct slice command; /* the last one */
    bool client;          /* lines of IMAP are the client's */
};

static struct session *session_of(const struct taking *t, bool make) {
    return make ? keytab_get(&t->c->sessions, &t->stream) : keytab_find(&t->c->sessions, &t->stream);
}

static void name_note(const struct taking *t, struct slice name, enum step next) {
    struct session *s = session_of(t, true);
    if (!s) return;
    s->user = user_of(name);
    s->frame = t->frame;
    s->step = next;
}

/* password_note: one whose user nobody saw says nothing. */
static void password_note(const struct taking *t, const char *proto) {
    const struct session *s = session_of(t, false);
    if (s && s->frame) row_add(t->c, proto, t->frame, s->frame, &s->user);
}

static void smtp_command(const struct taking *t, struct slice text) {
    struct session *s = session_of(t, false);
    if (s && s->step == STEP_NAME) return name_note(t, text, STEP_PASSWORD);
    if (!s || s->step != STEP_PASSWORD) return;
    s->step = STEP_NONE;
    if (!slice_alike(text, SLICE("*"))) password_note(t, "SMTP"); /* which would break it off */
}

/* smtp_parameter: the name may stand behind AUTH LOGIN already. */
static void smtp_parameter(const struct taking *t, struct slice text) {
    if (!slice_alike(t->command, SLICE("AUTH")) || !slice_alike(argument_take(&text), SLICE("LOGIN"))) return;
    struct slice name = argument_take(&text);
    struct session *s = session_of(t, true);
    if (name.n) name_note(t, name, STEP_PASSWORD);
    else if (s) s->step = STEP_NAME, s->frame = 0;
}

static void imap_line(const struct taking *t, struct slice line) {
    argument_take(&line); /* the tag */
    if (!slice_alike(argument_take(&line), SLICE("LOGIN"))) return;
    struct credentials_user user = user_of(argument_take(&line));
    if (argument_take(&line).n) row_add(t->c, "IMAP", t->frame, 0, &user);
}

static void http_basic(const struct taking *t, struct slice credentials) {
    const uint8_t *colon = credentials.n ? memchr(credentials.p, ':', credentials.n) : NULL;
    if (!colon) return;
    struct credentials_user user = user_of(slice_head(credentials, (size_t)(colon - credentials.p)));
    row_add(t->c, "HTTP basic auth", t->frame, 0, &user);
}

/* http_other: what proves who asks without a password in it, as far as its scheme is known, is passed over. */
static void http_other(const struct taking *t, struct slice value) {
    static const char *const known[] = {"BASIC", "DIGEST", "NTLM", "NEGOTIATE", "KERBEROS", "CITRIXAGBASIC"};
    struct slice scheme = argument_take(&value);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_alike(scheme, slice_str(known[i]))) return;
    struct credentials_user user = user_of(SLICE("n.a."));
    row_add(t->c, "HTTP header auth", t->frame, 0, &user);
}

static void field_take(struct taking *t, const struct fval *f) {
    switch (f->id) {
    case FID_TCP_STREAM: t->stream = (uint32_t)f->u; break;
    case FID_FTP_REQUEST_COMMAND:
    case FID_POP_REQUEST_COMMAND:
        t->command = f->s;
        if (slice_alike(f->s, SLICE("PASS"))) password_note(t, f->id == FID_FTP_REQUEST_COMMAND ? "FTP" : "POP3");
        break;
    case FID_FTP_REQUEST_ARG:
    case FID_POP_REQUEST_PARAMETER:
        if (slice_alike(t->command, SLICE("USER"))) name_note(t, f->s, STEP_NONE);
        break;
    case FID_SMTP_REQ_COMMAND:
        t->command = f->s;
        smtp_command(t, f->s);
        break;
    case FID_SMTP_REQ_PARAMETER: smtp_parameter(t, f->s); break;
    case FID_IMAP_ISREQUEST: t->client = f->u; break;
    case FID_IMAP_LINE:
        if (t->client) imap_line(t, f->s);
        break;
    case FID_HTTP_AUTHBASIC: http_basic(t, f->s); break;
    case FID_HTTP_AUTHORIZATION:
    case FID_HTTP_PROXY_AUTHORIZATION: http_other(t, f->s); break;
    }
}

static void packet(void *state, const struct decode *d, int64_t begin) {
    struct taking t = {.c = state, .frame = d->pkt->number};
    (void)begin;
    for (uint32_t i = 0, end = stats_outer(d); i < end; i++) field_take(&t, &d->out->v[i]);
}

static void end(void *state) {
    struct credentials *c = state;
    free(c->row);
    keytab_free(&c->sessions);
}

const struct stats_ops stats_credentials = {.name = "credentials",
                                            .state_size = sizeof(struct credentials),
                                            .start = start,
                                            .want = want,
                                            .packet = packet,
                                            .end = end};
