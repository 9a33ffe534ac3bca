/* SPDX-License-Identifier: Apache-2.0 */
/* The operator of a rule and its parameter. */
#include "base/hex.h"
#include "guard/rules/load.h"

#include <stdio.h>
#include <stdlib.h>

enum { PHRASES_MAX = 200000 };

enum param { PARAM_NONE, PARAM_TEXT, PARAM_NUMBER, PARAM_OWN };
static const uint8_t params[OP_COUNT] = {
#define OP(id, name, arg) [OP_##id] = PARAM_##arg,
#include "guard/rules/ops.def"
#undef OP
};

static int op_regex(struct load *l, struct op *op) {
    char error[240];
    if (op->param.expands || !op->param.text.n) return 0;
    op->rx = rx_make(l->set, op->param.text, false, error, sizeof error);
    return op->rx ? 0 : load_fail(l, (const char *)op->param.text.p, "%s", error);
}

/* pm_unescape undoes |41 42| and the escapes of \ : ; and " in place of a copy. */
static struct slice pm_unescape(struct load *l, struct slice s) {
    struct slice copy = load_keep(l, s);
    uint8_t *d = (uint8_t *)copy.p;
    size_t n = 0;
    int high = -1;
    bool hex = false;
    for (size_t i = 0; i < copy.n; i++) {
        uint8_t c = copy.p[i];
        if (c == '|') {
            hex = !hex;
            high = -1;
        } else if (hex && hex_digit(c) >= 0) {
            if (high >= 0) d[n++] = (uint8_t)(high << 4 | hex_digit(c));
            high = high >= 0 ? -1 : hex_digit(c);
        } else if (!hex) {
            if (c == '\\' && i + 1 < copy.n && strchr("\\:;\"", copy.p[i + 1])) c = copy.p[++i];
            d[n++] = c;
        }
    }
    return slice_of(copy.p, n);
}

static int op_words(struct load *l, struct op *op, struct slice text, bool lines) {
    size_t n = 0, cap = 16;
    struct slice *words = malloc(cap * sizeof *words), *kept;
    for (size_t i = 0, len; words && i < text.n; i += len + 1) {
        for (len = 0; i + len < text.n && (lines ? text.p[i + len] != '\n' : !c_space(text.p[i + len]));) len++;
        struct slice one = slice_of(text.p + i, len);
        if (!one.n || (lines && s_trim(one).n && s_trim(one).p[0] == '#')) continue;
        if (n == PHRASES_MAX) {
            free(words);
            return load_fail(l, NULL, "a list holds at most %d phrases", PHRASES_MAX);
        }
        if (n == cap) {
            struct slice *grown = realloc(words, (cap *= 2) * sizeof *words);
            if (!grown) free(words);
            words = grown;
        }
        if (words) words[n++] = one;
    }
    kept = words ? arena_get(&l->set->arena, (n + 1) * sizeof *kept) : NULL;
    if (kept && n) memcpy(kept, words, n * sizeof *kept);
    free(words);
    op->phrases = kept ? pm_make(&l->set->arena, kept, n) : NULL;
    return op->phrases ? 0 : load_fail(l, NULL, "out of memory");
}

/* data_file reads the file an operator names into the set's arena. */
static int data_file(struct load *l, struct op *op, struct slice *text) {
    char name[1024], path[2048];
    struct slice raw;
    struct slice given = s_trim(op->param.text);
    if (slice_starts(given, SLICE("https://")) || slice_starts(given, SLICE("http://")))
        return load_fail(l, (const char *)given.p, "@%s takes a file here, nothing is fetched from the network",
                         op_name(op->kind));
    snprintf(name, sizeof name, "%.*s", (int)given.n, (const char *)given.p);
    int rc = load_file_text(l, name, &raw, path, sizeof path);
    if (rc) return load_fail(l, (const char *)given.p, "cannot read %s: %s", path, err_text(rc));
    *text = raw.n > RULES_TEXT_MAX ? (struct slice){0} : load_keep(l, raw);
    bool bad = raw.n && !text->p;
    l->source->files.release(l->source->files.ctx, raw);
    return bad ? load_fail(l, (const char *)given.p, "%s is too large", path) : 0;
}

static int op_addresses(struct load *l, struct op *op, struct slice text) {
    struct slice bad;
    op->prefixes = ip_parse(&l->set->arena, text, &bad);
    if (bad.p)
        return load_fail(l, (const char *)op->param.text.p, "'%.*s' is no address or prefix", (int)bad.n,
                         (const char *)bad.p);
    return 0;
}

/* op_range reads 0-31,127. What is no range is left out with a note, as libmodsecurity does without one. */
static int op_range(struct load *l, struct op *op) {
    struct slice text = op->param.text;
    for (size_t i = 0, n; i < text.n; i += n + 1) {
        for (n = 0; i + n < text.n && text.p[i + n] != ',';) n++;
        struct slice one = s_trim(slice_of(text.p + i, n));
        const uint8_t *dash = one.n ? memchr(one.p, '-', one.n) : NULL;
        int64_t lo = s_number(one), hi = dash ? s_number(slice_tail(one, (size_t)(dash - one.p) + 1)) : lo;
        if (!one.n || one.p[0] < '0' || one.p[0] > '9' || lo > hi || hi > 255) {
            load_note(l, "'%.*s' is no range of bytes; it is left out", (int)one.n, (const char *)one.p);
            continue;
        }
        for (int64_t c = lo; c <= hi; c++) bytes_add(op->bytes, (uint8_t)c);
    }
    return 0;
}

static int op_never(struct load *l, struct op *op, const char *why) {
    op->never = true;
    load_note(l, "@%s %s: the rule never matches", op_name(op->kind), why);
    return 0;
}

static int op_own(struct load *l, struct op *op) {
    struct slice text;
    int rc;
    switch ((enum op_kind)op->kind) {
    case OP_RX:
    case OP_RX_GLOBAL:
    case OP_VERIFY_CC:
    case OP_VERIFY_CPF:
    case OP_VERIFY_SSN:
    case OP_VERIFY_SVNR: return op_regex(l, op);
    case OP_PM: return op_words(l, op, pm_unescape(l, op->param.text), false);
    case OP_PM_F:
    case OP_PM_FROM_FILE: return (rc = data_file(l, op, &text)) ? rc : op_words(l, op, text, true);
    case OP_IP_MATCH: return op_addresses(l, op, op->param.text);
    case OP_IP_MATCH_F:
    case OP_IP_MATCH_FROM_FILE: return (rc = data_file(l, op, &text)) ? rc : op_addresses(l, op, text);
    case OP_VALIDATE_BYTE_RANGE: return op_range(l, op);
    case OP_RBL:
    case OP_GSB_LOOKUP: return op_never(l, op, "asks the network, which the guard does not do while a packet waits");
    case OP_INSPECT_FILE: return op_never(l, op, "runs a program, which the guard does not do");
    case OP_FUZZY_HASH: return op_never(l, op, "needs ssdeep, which is not part of Weir");
    case OP_VALIDATE_DTD:
    case OP_VALIDATE_SCHEMA: return op_never(l, op, "checks XML bodies, which MQTT does not have");
    default: return 0;
    }
}

static bool needs_libinjection(const struct op *op) { return op->kind == OP_DETECT_SQLI || op->kind == OP_DETECT_XSS; }

static int op_param(struct load *l, struct op *op, struct slice param) {
    int rc = 0;
    op->param.text = param;
    bool macros = params[op->kind] == PARAM_TEXT || params[op->kind] == PARAM_NUMBER || op->kind == OP_RX ||
                  op->kind == OP_RX_GLOBAL;
    if (macros) rc = load_macro(l, param, &op->param);
    if (!rc && params[op->kind] == PARAM_NUMBER) op->number = s_number(param);
    if (!rc && params[op->kind] == PARAM_OWN) rc = op_own(l, op);
    if (!rc && op->kind == OP_GEO_LOOKUP) return op_never(l, op, "has no database here");
    if (!rc && needs_libinjection(op) && (!l->source->libinjection.sqli || !l->source->libinjection.xss))
        return load_fail(l, NULL, "@%s needs libinjection: install libmodsecurity3", op_name(op->kind));
    return rc;
}

int load_op(struct load *l, struct slice text, struct op *op) {
    *op = (struct op){.kind = OP_RX};
    struct slice rest = text;
    while (rest.n && c_space(rest.p[0])) rest = slice_tail(rest, 1);
    if (rest.n > 1 && rest.p[0] == '!') {
        op->not = true;
        rest = slice_tail(rest, 1);
        while (rest.n && c_space(rest.p[0])) rest = slice_tail(rest, 1);
    }
    if (!rest.n || rest.p[0] != '@') return op_param(l, op, rest);
    size_t n = 1;
    while (n < rest.n && !c_space(rest.p[n])) n++;
    int kind = op_find(slice_of(rest.p + 1, n - 1));
    if (kind < 0)
        return load_fail(l, (const char *)rest.p, "there is no operator '%.*s'", (int)n, (const char *)rest.p);
    op->kind = (uint8_t)kind;
    return op_param(l, op, slice_tail(rest, n + 1));
}
