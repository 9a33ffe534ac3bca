/* SPDX-License-Identifier: Apache-2.0 */
#include "app/craft/mqtt_script.h"
#include "app/filter.h"
#include "app/span.h"
#include "craft/mqtt_break.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reading {
    struct script *s;
    const struct opt_command *cmd;
    const char *where;
    const struct craft_env *env;
    unsigned line;
};

static int complain(const struct reading *r, const char *what) {
    return opt_bad_use(r->cmd, "%s, line %u: %s", r->where, r->line, what);
}

static char *word_take(char **at) {
    char *p = *at + strspn(*at, " \t"), *word = p;
    p += strcspn(p, " \t");
    if (*p) *p++ = 0;
    *at = p + strspn(p, " \t");
    return word;
}

/* within_take cuts "within TIME" off the end of a line. */
static int within_take(const struct reading *r, char *rest, int64_t *span) {
    char *found = NULL;
    for (char *p = rest; (p = strstr(p, "within ")); p++)
        if (p == rest || p[-1] == ' ') found = p;
    if (!found) return OPT_GO;
    if (!span_parse(found + 7, span)) return complain(r, "after `within` belongs a length of time, such as 2 or 500ms");
    while (found > rest && found[-1] == ' ') found--;
    *found = 0;
    return OPT_GO;
}

/* filter_of makes a filter of "CONNACK", "CONNACK mqtt.conack.val == 0" or a filter as it is. */
static void filter_of(const char *rest, char *out, size_t size) {
    static const char *const types[] = {"",        "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
                                        "PUBREL",  "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
                                        "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"};
    size_t n = strcspn(rest, " ");
    for (size_t i = 1; i < sizeof types / sizeof *types; i++) {
        if (strlen(types[i]) != n || strncasecmp(types[i], rest, n)) continue;
        const char *more = rest + n + strspn(rest + n, " ");
        snprintf(out, size, *more ? "mqtt.msgtype == %zu && (%s)" : "mqtt.msgtype == %zu", i, more);
        return;
    }
    snprintf(out, size, "%s", rest);
}

static int expect_read(const struct reading *r, struct step *t, char *rest) {
    char filter[4096], name[64];
    int rc = within_take(r, rest, &t->span);
    if (rc != OPT_GO) return rc;
    t->kind = !strcmp(rest, "close") ? STEP_CLOSED : !strcmp(rest, "nothing") ? STEP_SILENCE : STEP_EXPECT;
    if (t->kind != STEP_EXPECT) return OPT_GO;
    if (!*rest) return complain(r, "after `expect` belongs a packet type, a display filter, `close` or `nothing`");
    if (strlen(rest) > sizeof filter - 64) return complain(r, "the filter is too long");
    if (r->s->n_expects == SCRIPT_EXPECTS_MAX) return complain(r, "more than 256 expectations");
    filter_of(rest, filter, sizeof filter);
    snprintf(name, sizeof name, "line %u", r->line);
    t->expect = r->s->n_expects;
    rc = filter_compile(r->cmd, name, slice_str(filter), &r->s->expects[t->expect]);
    if (rc == OPT_GO) r->s->n_expects++;
    return rc;
}

static int send_read(const struct reading *r, struct step *t, const char *text) {
    char buf[512];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    t->kind = STEP_SEND;
    if (!t->times) t->times = 1;
    int rc = craft_make(&t->craft, text, r->env, &why);
    *why.p = 0;
    return rc ? complain(r, buf) : OPT_GO;
}

static int number_read(const struct reading *r, const char *word, uint64_t most, uint64_t *n) {
    char *end;
    unsigned long long v = strtoull(word, &end, 10);
    if (end == word || *end || v > most) return complain(r, "a number belongs here");
    *n = v;
    return OPT_GO;
}

static int step_read(const struct reading *r, struct step *t, char *line) {
    char *rest = line;
    uint64_t n = 0;
    if (!strncmp(line, "repeat ", 7)) {
        rest += 7;
        int rc = number_read(r, word_take(&rest), SCRIPT_REPEAT_MAX, &t->times);
        return rc == OPT_GO ? send_read(r, t, rest) : rc;
    }
    size_t word = strcspn(line, " \t");
    bool is[] = {!strncmp(line, "wait", word) && word == 4,
                 !strncmp(line, "expect", word) && word == 6,
                 !strncmp(line, "break", word) && word == 5,
                 !strncmp(line, "split", word) && word == 5,
                 !strcmp(line, "connect"),
                 !strcmp(line, "close"),
                 !strcmp(line, "reset")};
    rest += word + strspn(line + word, " \t");
    if (is[0])
        return t->kind = STEP_WAIT, span_parse(rest, &t->span)
                                        ? OPT_GO
                                        : complain(r, "after `wait` belongs a length of time, such as 0.5 or 200ms");
    if (is[1]) return expect_read(r, t, rest);
    if (is[2])
        return t->kind = STEP_BREAK, t->breaks = mqtt_break_find(rest),
               t->breaks >= 0 ? OPT_GO : complain(r, "no such break; --break list lists them");
    if (is[3]) {
        int rc = number_read(r, rest, 1 << 20, &n);
        return t->kind = STEP_SPLIT, t->pieces = (size_t)n, rc;
    }
    t->kind = is[4] ? STEP_CONNECT : is[5] ? STEP_CLOSE : STEP_RESET;
    return is[4] || is[5] || is[6] ? OPT_GO : send_read(r, t, line);
}

static char *trim(char *line) {
    line += strspn(line, " \t\r");
    size_t n = strlen(line);
    while (n && isspace((unsigned char)line[n - 1])) line[--n] = 0;
    return line;
}

int script_read(struct script *s, const struct opt_command *cmd, const char *where, char *text,
                const struct craft_env *env) {
    struct reading r = {s, cmd, where, env, 0};
    char *next = text;
    s->text = text;
    s->steps = calloc(SCRIPT_STEPS_MAX, sizeof *s->steps);
    if (!s->steps) return opt_bad_use(cmd, "out of memory");
    for (char *line = text; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        line = trim(line);
        r.line++;
        if (!*line || *line == '#') continue;
        if (s->n == SCRIPT_STEPS_MAX) return complain(&r, "more than 10000 steps");
        struct step *t = &s->steps[s->n++];
        *t = (struct step){.line = r.line, .text = line, .breaks = -1};
        int rc = step_read(&r, t, line);
        if (rc != OPT_GO) return rc;
    }
    return OPT_GO;
}

void script_free(struct script *s) {
    for (size_t i = 0; i < s->n; i++) craft_free(s->steps[i].craft);
    for (unsigned i = 0; i < s->n_expects; i++) expr_free(s->expects[i]);
    free(s->steps);
    free(s->text);
}
