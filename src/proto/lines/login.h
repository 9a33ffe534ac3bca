/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_LOGIN_H
#define WEIR_PROTO_LOGIN_H

#include "proto/lines/lines.h"

/* What of a client's lines is secret: what follows a command that logs in, and what answers the server's questions.
 *
 * A line may come in any number of segments and each shows its own part, so the beginning of the line is kept until the
 * line ends: the command is looked for in all of it, no matter where the segments part it. Servers take tabs for blanks
 * and some take blanks in front of a command, so both are looked past here, whatever the fields show as words. */

enum { LOGIN_BEGUN_MAX = 64, LOGIN_TAG_MAX = 16 };

/* login is what is known of the client's secrets that are still to come. */
struct login {
    bool asked;     /* a login has begun: the next lines answer what the server asks, in base64 (RFC 4422), */
    bool literal;   /* or are what line before promised with its length (RFC 9051 4.3) */
    bool elsewhere; /* the client's last line has nothing to do with a login */
    bool going;     /* the last line has no end yet, */
    bool open;      /* and is secret as far as it came */
    uint8_t begun_n, tag_n;
    uint8_t begun[LOGIN_BEGUN_MAX]; /* the beginning of the last line */
    uint8_t tag[LOGIN_TAG_MAX];     /* that the login's last reply will have, its beginning (RFC 9051 2.2.1) */
};

/* said is a client's line, or a further part of one, on its way through login_begin, login_word and login_mark. */
struct said {
    const struct line *line;
    struct slice begun, left; /* the beginning of the line with what came earlier of it; what no word was taken of */
    size_t before;            /* bytes of `begun` that came earlier */
    bool whole;               /* all of it is secret, by what came before */
    bool secret;              /* so is what stands behind its first `head` bytes */
    size_t head;
};

/* login_begin is called for every line of a client's, or part of one, before any other. The words it leaves are valid
 * until the next call. */
static inline struct said login_begin(struct login *l, const struct line *line) {
    struct slice text = line->text;
    if (!l->going) {
        l->begun_n = 0;
        l->open = false;
        if (l->asked && !l->literal && text.n && memchr(text.p, ' ', text.n)) l->asked = false; /* no base64 */
    }
    struct said said = {.line = line, .before = l->begun_n, .whole = l->going ? l->open : l->asked};
    struct slice add = slice_head(text, LOGIN_BEGUN_MAX - l->begun_n);
    if (add.n) memcpy(l->begun + l->begun_n, add.p, add.n);
    l->begun_n = (uint8_t)(l->begun_n + add.n);
    l->going = line->all.p[line->all.n - 1] != '\n';
    said.begun = said.left = slice_of(l->begun, l->begun_n);
    return said;
}

static inline void blanks_skip(struct slice *s) {
    while (s->n && (s->p[0] == ' ' || s->p[0] == '\t')) *s = slice_tail(*s, 1);
}

/* login_word takes the next word of the line. */
static inline struct slice login_word(struct said *said) {
    struct slice word = {0};
    blanks_skip(&said->left);
    word.p = said->left.p;
    while (word.n < said->left.n && word.p[word.n] != ' ' && word.p[word.n] != '\t') word.n++;
    said->left = slice_tail(said->left, word.n);
    blanks_skip(&said->left);
    return word;
}

/* login_line marks another field that shows the whole line; NULL is fine. */
static inline void login_line(const struct said *said, struct fval *f) {
    if (!f || !said->secret) return;
    fv_secret(f);
    f->extra = (uint16_t)said->head;
}

/* login_mark marks the field of a line, what fv_add returned for it; NULL is fine. What is behind the words that were
 * taken is secret where they log in, which is what `logs_in` says. */
static inline void login_mark(struct login *l, struct said *said, struct fval *f, bool logs_in) {
    size_t head = said->begun.n - said->left.n;
    bool more = said->before + said->line->text.n > head;
    if (!said->whole) said->head = head > said->before ? head - said->before : 0;
    said->secret = said->whole || (logs_in && more);
    l->open = l->going && said->secret;
    l->elsewhere = !said->whole && !logs_in;
    login_line(said, f);
}

/* login_part marks the field of a part of the line where the part reaches into what is secret; NULL is fine. */
static inline void login_part(const struct said *said, struct fval *f, struct slice part) {
    if (f && said->secret && part.n && part.p + part.n > said->line->text.p + said->head) fv_secret(f);
}

#endif
