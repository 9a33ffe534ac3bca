/* SPDX-License-Identifier: Apache-2.0 */
/* The option parser. Words are gathered by moving them to the front of argv (they are fewer than what was read, so a
 * word never overwrites what is still to come); only OPT_LIST options allocate. */
#include "app/opt.h"

#include "base/err.h"
#include "base/near.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME 48
#define MAX_NAMES 128

struct parse {
    const struct opt_command *cmd;
    char *values;
    int argc, next; /* next: the argument to read */
    char **argv;
    int words; /* how many stand at argv[1..] already */
};

int opt_bad_use(const struct opt_command *cmd, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "weir %s: ", cmd->name);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return EXIT_TROUBLE;
}

int opt_written(const struct opt_command *cmd, int err, int rc) {
    return err && err != ERR_END ? opt_bad_use(cmd, "writing to standard output failed") : rc;
}

int opt_nearest(const char *word, const char *const *names, size_t n) {
    int best = -1, best_d = NEAR_FAR;
    for (size_t i = 0; i < n; i++) {
        if (!names[i]) continue;
        bool begins = strlen(word) >= 2 && !strncmp(word, names[i], strlen(word));
        int d = begins ? 1 : (int)near_edits(slice_str(word), slice_str(names[i]));
        if (d < best_d) best = (int)i, best_d = d;
    }
    return best_d <= 1 + (int)strlen(word) / 3 && best_d < (int)strlen(word) ? best : -1;
}

int opt_unknown(const struct opt_command *cmd, const char *what, const char *word, const char *const *names, size_t n,
                const char *told) {
    int near = opt_nearest(word, names, n);
    if (near < 0) return opt_bad_use(cmd, "%s '%s'; %s", what, word, told);
    return opt_bad_use(cmd, "%s '%s'; did you mean '%s'?", what, word, names[near]);
}

static int unknown_long(const struct parse *p, const char *name) {
    const char *names[MAX_NAMES] = {"help"};
    size_t n = 1;
    for (size_t i = 0; i < p->cmd->n_defs && n < MAX_NAMES; i++)
        if (p->cmd->defs[i].help) names[n++] = p->cmd->defs[i].name;
    int near = opt_nearest(name, names, n);
    if (near >= 0) return opt_bad_use(p->cmd, "unknown option '--%s'; did you mean '--%s'?", name, names[near]);
    return opt_bad_use(p->cmd, "unknown option '--%s'; `weir %s --help` lists them", name, p->cmd->name);
}

/* The nearest to an unknown letter is the same letter in the other case. */
static int unknown_letter(const struct parse *p, char letter) {
    for (const char *const *e = p->cmd->elsewhere; e && *e; e++)
        if (**e == letter) return opt_bad_use(p->cmd, "there is no '-%c' here: %s", letter, *e + 1);
    for (size_t i = 0; i < p->cmd->n_defs; i++)
        if (p->cmd->defs[i].letter == (letter ^ 0x20) && p->cmd->defs[i].help)
            return opt_bad_use(p->cmd, "unknown option '-%c'; did you mean '-%c' (%s)?", letter, letter ^ 0x20,
                               p->cmd->defs[i].help);
    return opt_bad_use(p->cmd, "unknown option '-%c'; `weir %s --help` lists them", letter, p->cmd->name);
}

/* How the option was most likely written, for messages. */
static const char *shown(const struct opt_def *def, char buf[static MAX_NAME]) {
    if (def->letter && def->name) snprintf(buf, MAX_NAME, "-%c (--%s)", def->letter, def->name);
    else if (def->letter) snprintf(buf, MAX_NAME, "-%c", def->letter);
    else snprintf(buf, MAX_NAME, "--%s", def->name);
    return buf;
}

static int64_t size_unit(const char *s) {
    static const struct {
        const char *name;
        int64_t times;
    } units[] = {{"", 1},           {"B", 1},        {"k", 1000},     {"K", 1000},    {"M", 1000000},
                 {"G", 1000000000}, {"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (!strcmp(s, units[i].name)) return units[i].times;
    return 0;
}

static int set_number(const struct parse *p, const struct opt_def *def, const char *text) {
    char buf[MAX_NAME], *end;
    errno = 0;
    int64_t v = strtoll(text, &end, 0), unit = def->kind == OPT_SIZE ? size_unit(end) : *end == 0;
    if (end == text || !unit)
        return opt_bad_use(p->cmd, "%s wants a %s, not '%s'", shown(def, buf),
                           def->kind == OPT_SIZE ? "size such as 500k or 10M" : "number", text);
    int64_t max = def->max ? def->max : INT64_MAX;
    if (errno || __builtin_mul_overflow(v, unit, &v) || v < def->min || v > max) {
        if (def->max)
            return opt_bad_use(p->cmd, "%s wants %lld to %lld, not '%s'", shown(def, buf), (long long)def->min,
                               (long long)def->max, text);
        return opt_bad_use(p->cmd, "%s wants %lld or more, not '%s'", shown(def, buf), (long long)def->min, text);
    }
    memcpy(p->values + def->at, &v, sizeof v);
    return 0;
}

static int set_choice(const struct parse *p, const struct opt_def *def, const char *text) {
    char buf[MAX_NAME];
    int place = 0;
    for (const char *s = def->arg; s; place++) {
        const char *bar = strchr(s, '|');
        size_t n = bar ? (size_t)(bar - s) : strlen(s);
        if (n == strlen(text) && !memcmp(s, text, n)) {
            memcpy(p->values + def->at, &place, sizeof place);
            return 0;
        }
        s = bar ? bar + 1 : NULL;
    }
    return opt_bad_use(p->cmd, "%s wants one of %s, not '%s'", shown(def, buf), def->arg, text);
}

static int append(const struct parse *p, const struct opt_def *def, char *text) {
    struct opt_list *list = (struct opt_list *)(void *)(p->values + def->at);
    char **item = realloc(list->item, (list->n + 1) * sizeof *item);
    if (!item) return opt_bad_use(p->cmd, "out of memory");
    list->item = item;
    list->item[list->n++] = text;
    return 0;
}

static int set(const struct parse *p, const struct opt_def *def, char *text) {
    char *at = p->values + def->at;
    switch (def->kind) {
    case OPT_FLAG: *(bool *)(void *)at = true; return 0;
    case OPT_COUNT: ++*(int *)(void *)at; return 0;
    case OPT_TEXT: *(const char **)(void *)at = text; return 0;
    case OPT_NUMBER:
    case OPT_SIZE: return set_number(p, def, text);
    case OPT_CHOICE: return set_choice(p, def, text);
    case OPT_LIST: return append(p, def, text);
    case OPT_KINDS: break;
    }
    return 0;
}

static bool takes_argument(const struct opt_def *def) { return def->kind != OPT_FLAG && def->kind != OPT_COUNT; }

static int wants_argument(const struct parse *p, const struct opt_def *def) {
    char buf[MAX_NAME];
    return opt_bad_use(p->cmd, "%s needs an argument: %s", shown(def, buf), def->arg);
}

/* The option of that exact name, else the only one it is the beginning of. */
static const struct opt_def *find_long(const struct opt_command *cmd, const char *name, size_t n) {
    const struct opt_def *found = NULL;
    size_t hits = 0;
    for (size_t i = 0; i < cmd->n_defs; i++) {
        const char *have = cmd->defs[i].name;
        if (!have || strncmp(have, name, n)) continue;
        if (!have[n]) return &cmd->defs[i];
        found = &cmd->defs[i];
        hits++;
    }
    return hits == 1 ? found : NULL;
}

static int parse_long(struct parse *p, char *arg) {
    char *eq = strchr(arg, '='), *value = eq ? eq + 1 : NULL, buf[MAX_NAME];
    size_t n = eq ? (size_t)(eq - arg) : strlen(arg);
    const struct opt_def *def = n ? find_long(p->cmd, arg, n) : NULL;
    if (!def) {
        if (n == 4 && !memcmp(arg, "help", 4))
            return opt_print(p->cmd, value ? value : "help")
                       ? EXIT_FINE
                       : opt_bad_use(p->cmd, "--help wants one of help|man|words|parts|zsh, not '%s'", value);
        if (eq) *eq = 0;
        return unknown_long(p, arg);
    }
    if (!takes_argument(def)) {
        if (value) return opt_bad_use(p->cmd, "%s takes no argument", shown(def, buf));
    } else if (!value && def->bare) {
        return set(p, def, (char *)(uintptr_t)def->bare) ? EXIT_TROUBLE : OPT_GO;
    } else if (!value) {
        if (p->next >= p->argc) return wants_argument(p, def);
        value = p->argv[p->next++];
    }
    return set(p, def, value) ? EXIT_TROUBLE : OPT_GO;
}

static const struct opt_def *find_letter(const struct opt_command *cmd, char letter) {
    for (size_t i = 0; i < cmd->n_defs; i++)
        if (cmd->defs[i].letter == letter) return &cmd->defs[i];
    return NULL;
}

/* One argument of bundled letters; the first that takes an argument eats the rest of it. */
static int parse_letters(struct parse *p, char *arg) {
    for (char *s = arg; *s; s++) {
        const struct opt_def *def = find_letter(p->cmd, *s);
        if (!def && *s == 'h') return opt_print(p->cmd, "help") ? EXIT_FINE : EXIT_TROUBLE;
        if (!def) return unknown_letter(p, *s);
        if (!takes_argument(def)) {
            if (set(p, def, NULL)) return EXIT_TROUBLE;
            continue;
        }
        if (!s[1] && p->next >= p->argc) return wants_argument(p, def);
        return set(p, def, s[1] ? s + 1 : p->argv[p->next++]) ? EXIT_TROUBLE : OPT_GO;
    }
    return OPT_GO;
}

static void take_rest(struct parse *p) {
    while (p->next < p->argc) p->argv[++p->words] = p->argv[p->next++];
}

static int parse_all(struct parse *p) {
    while (p->next < p->argc) {
        char *arg = p->argv[p->next++];
        if (!strcmp(arg, "--")) {
            take_rest(p);
        } else if (arg[0] == '-' && arg[1]) {
            int rc = arg[1] == '-' ? parse_long(p, arg + 2) : parse_letters(p, arg + 1);
            if (rc != OPT_GO) return rc;
        } else {
            p->argv[++p->words] = arg;
            if (p->cmd->stop_at_word) take_rest(p);
        }
    }
    if (p->cmd->words_at == OPT_NO_WORDS) {
        if (p->words)
            return opt_bad_use(p->cmd, "'%s' is not expected here; `weir %s --help` says how", p->argv[1],
                               p->cmd->name);
        return OPT_GO;
    }
    struct opt_list *words = (struct opt_list *)(void *)(p->values + p->cmd->words_at);
    *words = (struct opt_list){.item = p->argv + 1, .n = (size_t)p->words};
    return OPT_GO;
}

int opt_parse(const struct opt_command *cmd, void *values, int argc, char **argv) {
    struct parse p = {.cmd = cmd, .values = values, .argc = argc, .next = 1, .argv = argv};
    int rc = parse_all(&p);
    if (rc != OPT_GO) opt_release(cmd, values);
    return rc;
}

void opt_release(const struct opt_command *cmd, void *values) {
    for (size_t i = 0; i < cmd->n_defs; i++) {
        if (cmd->defs[i].kind != OPT_LIST) continue;
        struct opt_list *list = (struct opt_list *)(void *)((char *)values + cmd->defs[i].at);
        free(list->item);
        *list = (struct opt_list){0};
    }
}
