/* SPDX-License-Identifier: Apache-2.0 */
/* The text of an expression becomes nodes: recursive descent, with a limit on depth. The first complaint wins. */
#include "craft/craft.h"
#include "craft/node.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

enum { DEPTH_MAX = 16 };

struct parser {
    struct slice text;
    size_t at;
    struct arena *arena;
    struct writer *why;
    int rc;
    int depth;
};

__attribute__((format(printf, 3, 4))) static struct node *complain(struct parser *p, int rc, const char *fmt, ...) {
    char text[160];
    va_list ap;
    if (p->rc) return NULL;
    p->rc = rc;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    wr_f(p->why, "at character %zu: %s", p->at + 1, text);
    return NULL;
}

static int peek(struct parser *p) {
    while (p->at < p->text.n && isspace(p->text.p[p->at])) p->at++;
    return p->at < p->text.n ? p->text.p[p->at] : -1;
}

static bool take(struct parser *p, char c) {
    if (peek(p) != c) return false;
    p->at++;
    return true;
}

static bool want(struct parser *p, char c, const char *after) {
    if (take(p, c)) return true;
    complain(p, ERR_USAGE, "'%c' is missing after %s", c, after);
    return false;
}

static struct node *node_new(struct parser *p, enum node_kind kind) {
    struct node *n = arena_get(p->arena, sizeof *n);
    if (!n) return complain(p, ERR_LIMIT, "the expression is too large");
    *n = (struct node){.kind = kind, .at = (uint32_t)p->at + 1};
    return n;
}

static bool is_name(int c) { return isalnum(c) || c == '_' || c == '.'; }

static struct slice name_take(struct parser *p) {
    size_t from = p->at;
    while (p->at < p->text.n && is_name(p->text.p[p->at])) p->at++;
    return slice_of(p->text.p + from, p->at - from);
}

static int digit(int c) { return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : 99; }

static struct node *number(struct parser *p) {
    struct node *n = node_new(p, NODE_INT);
    bool negative = take(p, '-');
    struct slice word = name_take(p);
    bool hex = word.n > 2 && word.p[0] == '0' && (word.p[1] | 32) == 'x';
    if (!n || !word.n) return complain(p, ERR_USAGE, "a number is missing");
    for (size_t i = hex ? 2 : 0; i < word.n; i++) {
        int d = digit(word.p[i]);
        if (d >= (hex ? 16 : 10))
            return complain(p, ERR_USAGE, "'%.*s' is no number (texts stand in quotes)", (int)slice_head(word, 40).n,
                            word.p);
        if (n->u > INT64_MAX / 32) return complain(p, ERR_USAGE, "the number is too large");
        n->u = n->u * (hex ? 16 : 10) + d;
    }
    if (negative) n->u = -n->u;
    return n;
}

/* escape reads what follows a backslash, as Python reads it. */
static uint8_t escape(struct parser *p) {
    uint8_t c = p->at < p->text.n ? p->text.p[p->at++] : '\\';
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case '0': return 0;
    case 'x':
        if (p->at + 2 > p->text.n || digit(p->text.p[p->at]) > 15 || digit(p->text.p[p->at + 1]) > 15) {
            complain(p, ERR_USAGE, "two hexadecimal digits belong after \\x");
            return 0;
        }
        p->at += 2;
        return (uint8_t)(digit(p->text.p[p->at - 2]) << 4 | digit(p->text.p[p->at - 1]));
    default: return c;
    }
}

/* repeated is `"text"*n`. */
static struct slice repeated(struct parser *p, struct slice s) {
    if (!take(p, '*')) return s;
    peek(p);
    struct node *times = number(p);
    if (!times) return s;
    if (times->u < 0 || (s.n && (uint64_t)times->u > CRAFT_BYTES_MAX / s.n))
        return complain(p, ERR_USAGE, "the text becomes longer than a packet"), s;
    uint8_t *all = arena_get(p->arena, s.n * (size_t)times->u + 1);
    if (!all) return complain(p, ERR_LIMIT, "the expression is too large"), s;
    for (size_t i = 0; s.n && i < (size_t)times->u; i++) memcpy(all + i * s.n, s.p, s.n);
    return slice_of(all, s.n * (size_t)times->u);
}

static struct node *quoted(struct parser *p) {
    struct node *n = node_new(p, NODE_TEXT);
    uint8_t quote = p->text.p[p->at++], *out = arena_get(p->arena, p->text.n - p->at + 1);
    size_t len = 0;
    if (!n || !out) return complain(p, ERR_LIMIT, "the expression is too large");
    for (; p->at < p->text.n && p->text.p[p->at] != quote;) {
        uint8_t c = p->text.p[p->at++];
        out[len++] = c == '\\' ? escape(p) : c;
    }
    if (p->at++ >= p->text.n) return p->at--, complain(p, ERR_USAGE, "the closing quote is missing");
    n->text = repeated(p, slice_of(out, len));
    return p->rc ? NULL : n;
}

static struct node *value(struct parser *p);

/* items reads values with commas between until `end`. */
static struct node *items(struct parser *p, enum node_kind kind, char end) {
    struct node *all = node_new(p, kind), **tail = all ? &all->first : NULL;
    while (!p->rc && !take(p, end)) {
        if (all->n && !want(p, ',', "a value")) return NULL;
        if (all->n && take(p, end)) break;
        *tail = value(p);
        if (!*tail) return NULL;
        tail = &(*tail)->next;
        all->n++;
    }
    return p->rc ? NULL : all;
}

static bool argument(struct parser *p, struct node *layer, struct node **tail) {
    size_t from = (peek(p), p->at);
    struct slice key = name_take(p);
    if (!key.n || !take(p, '=')) {
        p->at = from;
        key = slice_of(NULL, 0);
    }
    *tail = value(p);
    if (!*tail) return false;
    (*tail)->key = key;
    layer->n++;
    return true;
}

static struct node *layer(struct parser *p) {
    struct node *n = node_new(p, NODE_LAYER), **tail = n ? &n->first : NULL;
    if (!n) return NULL;
    n->text = name_take(p);
    if (!take(p, '(')) return n;
    while (!p->rc && !take(p, ')')) {
        if (n->n && !want(p, ',', "a field (or the closing bracket is missing)")) return NULL;
        if (n->n && take(p, ')')) break;
        if (!argument(p, n, tail)) return NULL;
        tail = &(*tail)->next;
    }
    return p->rc ? NULL : n;
}

static bool is_word(struct parser *p, const char *word) {
    size_t n = strlen(word);
    if (!slice_starts(slice_tail(p->text, p->at), slice_str(word))) return false;
    if (p->at + n < p->text.n && is_name(p->text.p[p->at + n])) return false;
    p->at += n;
    return true;
}

static struct node *constant(struct parser *p, enum node_kind kind, int64_t u) {
    struct node *n = node_new(p, kind);
    if (n) n->u = u;
    return n;
}

static struct node *simple(struct parser *p) {
    int c = peek(p);
    if (c == 'b' && p->at + 1 < p->text.n && (p->text.p[p->at + 1] == '"' || p->text.p[p->at + 1] == '\''))
        c = p->text.p[++p->at];
    if (c == '"' || c == '\'') return quoted(p);
    if (isdigit(c) || c == '-') return number(p);
    if (c == '[') return p->at++, items(p, NODE_LIST, ']');
    if (c == '(') return p->at++, items(p, NODE_TUPLE, ')');
    if (is_word(p, "None")) return constant(p, NODE_NONE, 0);
    if (is_word(p, "True")) return constant(p, NODE_INT, 1);
    if (is_word(p, "False")) return constant(p, NODE_INT, 0);
    if (isalpha(c)) return layer(p);
    return complain(p, ERR_USAGE, c < 0 ? "the expression ends too early" : "a value is missing");
}

/* value is one thing, or layers with / between, which become a list. */
static struct node *value(struct parser *p) {
    if (++p->depth > DEPTH_MAX) return complain(p, ERR_USAGE, "brackets are nested too deep");
    struct node *n = simple(p);
    if (n && n->kind == NODE_LAYER && peek(p) == '/') {
        struct node *all = node_new(p, NODE_LIST), *last = n;
        if (all) *all = (struct node){.kind = NODE_LIST, .at = n->at, .first = n, .n = 1};
        while (all && !p->rc && take(p, '/')) {
            last = last->next = simple(p);
            if (!last) break;
            all->n++;
        }
        n = all;
    }
    p->depth--;
    return p->rc ? NULL : n;
}

int node_parse(struct node **out, struct slice text, struct arena *a, struct writer *why) {
    struct parser p = {.text = text, .arena = a, .why = why};
    struct node *all = node_new(&p, NODE_LIST), **tail = all ? &all->first : NULL;
    if (text.n > CRAFT_TEXT_MAX) complain(&p, ERR_LIMIT, "the expression is longer than %d bytes", CRAFT_TEXT_MAX);
    do {
        struct node *n = p.rc ? NULL : simple(&p);
        if (!n) break;
        if (n->kind != NODE_LAYER && n->kind != NODE_TEXT)
            complain(&p, ERR_USAGE, "a layer such as IP() or a text in quotes belongs here");
        else if (all->n == CRAFT_LAYERS_MAX) complain(&p, ERR_LIMIT, "more than %d layers", CRAFT_LAYERS_MAX);
        *tail = n;
        tail = &n->next;
        all->n++;
    } while (!p.rc && take(&p, '/'));
    if (!p.rc && peek(&p) >= 0) complain(&p, ERR_USAGE, "'/' and a layer, or the end, belong here");
    *out = all;
    return p.rc;
}
