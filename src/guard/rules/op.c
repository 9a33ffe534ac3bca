/* SPDX-License-Identifier: Apache-2.0 */
/* The operators. */
#include "base/hex.h"
#include "guard/rules/tx.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const names[OP_COUNT] = {
#define OP(id, name, arg) [OP_##id] = name,
#include "guard/rules/ops.def"
#undef OP
};

const char *op_name(uint8_t kind) { return names[kind]; }

int op_find(struct slice name) {
    for (int i = 0; i < OP_COUNT; i++)
        if (s_is(name, names[i])) return i;
    return -1;
}

/* capture puts the groups of the last match into TX:0, TX:1 and so on. */
static void capture(struct rules_tx *tx, struct slice in, int groups, int from) {
    PCRE2_SIZE *at = pcre2_get_ovector_pointer(tx->match);
    for (int i = 0; i < groups; i++) {
        PCRE2_SIZE a = at[2 * i], b = at[2 * i + 1];
        if (b > in.n || a > b) continue;
        char name[16];
        int n = snprintf(name, sizeof name, "%d", from + i);
        int slot = from + i < 10 ? from + i : -1;
        tx_set(tx, slot, slice_of(name, (size_t)n), slice_of(in.p + a, b - a));
    }
}

static void capture_text(struct rules_tx *tx, const struct rule *rule, struct slice text) {
    if (rule && rule->a.capture) tx_set(tx, 0, SLICE("0"), tx_keep(tx, text));
}

static const struct rx *op_rx(struct rules_tx *tx, const struct op *op, struct rx *made) {
    if (!op->param.expands) return op->rx;
    /* The pattern depends on the packet: compiled here, freed by the caller. */
    struct slice text = tx_macro(tx, &op->param);
    int code;
    size_t at;
    *made = (struct rx){.text = text.n ? text : SLICE(".*")};
    return rx_compile(made, &code, &at) ? made : NULL;
}

static bool op_regex(struct rules_tx *tx, const struct rule *rule, const struct op *op, struct slice in) {
    struct rx made = {0};
    if (!op->param.expands && !op->param.text.n) return true;
    const struct rx *rx = op_rx(tx, op, &made);
    int n = rx ? rx_run(tx, rx, in, 0, 0) : -1;
    if (n > 0 && rule && rule->a.capture) capture(tx, in, n, 0);
    pcre2_code_free(made.code);
    return n > 0;
}

static bool op_regex_global(struct rules_tx *tx, const struct rule *rule, const struct op *op, struct slice in) {
    struct rx made = {0};
    if (!op->param.expands && !op->param.text.n) return true;
    const struct rx *rx = op_rx(tx, op, &made);
    int found = 0;
    bool empty = false;
    for (size_t from = 0; rx && from <= in.n && found < 1000;) {
        int n = rx_run(tx, rx, in, from, empty ? PCRE2_NOTEMPTY_ATSTART | PCRE2_ANCHORED : 0);
        if (n <= 0 && !empty) break;
        if (n <= 0) {
            from++;
            empty = false;
            continue;
        }
        PCRE2_SIZE *at = pcre2_get_ovector_pointer(tx->match);
        if (rule && rule->a.capture) capture(tx, in, n, found);
        found += n;
        empty = at[1] == at[0];
        if (empty && from == in.n) break;
        if (!empty || at[1] > from) from = at[1];
    }
    pcre2_code_free(made.code);
    return found > 0;
}

static bool word_byte(uint8_t c) {
    return (c >= '0' && c <= '9') || c == '_' || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

/* plain_word: letters, digits and underscores, or a decimal number: libinjection sees one token there, which is never
 * an injection. Most of what devices send ends here. */
static bool plain_word(struct slice in) {
    size_t i = 0, dots = 0;
    if (slice_starts(in, SLICE("json."))) {
        while (i < in.n && (word_byte(in.p[i]) || in.p[i] == '.')) i++;
        return i == in.n;
    }
    while (i < in.n &&
           (hex_digit(in.p[i]) >= 0 || in.p[i] == '_' || (ascii_lower(in.p[i]) >= 'a' && ascii_lower(in.p[i]) <= 'z')))
        i++;
    if (i == in.n) return true;
    for (i = in.p[0] == '-'; i < in.n && ((in.p[i] >= '0' && in.p[i] <= '9') || in.p[i] == '.'); i++)
        dots += in.p[i] == '.';
    return i == in.n && dots <= 1 && in.p[in.n - 1] != '.' && in.p[in.p[0] == '-' && in.n > 1] != '.';
}

/* libinjection reads C strings: the value is ended with a NUL. */
static const char *ended(struct rules_tx *tx, struct slice in) {
    char *text = tx_room(tx, in.n + 1);
    if (!text) return NULL;
    if (in.n) memcpy(text, in.p, in.n);
    text[in.n] = 0;
    return text;
}

static bool op_sqli(struct rules_tx *tx, const struct rule *rule, struct slice in) {
    char fingerprint[16] = "";
    if (plain_word(in)) return false;
    bool found;
    struct known *k = known_find(tx->known, V_COUNT, in, (struct slice){0}, &found);
    if (found) return false;
    const char *text = ended(tx, in);
    if (!text) return false;
    if (!tx->set->libinjection.sqli(text, in.n, fingerprint)) {
        if (k) k->n = (uint8_t)in.n;
        return false;
    }
    capture_text(tx, rule, slice_str(fingerprint));
    return true;
}

static bool op_xss(struct rules_tx *tx, const struct rule *rule, struct slice in) {
    /* A tag needs < and an attribute =. */
    if (!in.n || (!memchr(in.p, '<', in.n) && !memchr(in.p, '=', in.n))) return false;
    const char *text = ended(tx, in);
    if (!text || !tx->set->libinjection.xss(text, in.n)) return false;
    capture_text(tx, rule, in);
    return true;
}

static bool word_edge(struct slice s, size_t i) {
    return i < s.n && !(ascii_lower(s.p[i]) >= 'a' && ascii_lower(s.p[i]) <= 'z');
}

static bool contains_word(struct slice in, struct slice word) {
    if (!word.n) return true;
    if (!in.n) return false;
    if (slice_eq(in, word)) return true;
    struct slice at, rest = in;
    while (rest.n && (at = s_find(rest, word)).p) {
        size_t i = (size_t)(at.p - in.p), end = i + word.n;
        bool before = i == 0 || word_edge(in, i - 1), after = end == in.n || word_edge(in, end);
        if (before && after) return true;
        rest = slice_tail(in, i + 1);
    }
    return false;
}

static bool out_of_range(const struct op *op, struct slice in) {
    for (size_t i = 0; i < in.n; i++)
        if (!bytes_has(op->bytes, in.p[i])) return true;
    return false;
}

static bool op_url_bad(struct slice in) {
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '%') continue;
        if (i + 2 >= in.n || hex_digit(in.p[i + 1]) < 0 || hex_digit(in.p[i + 2]) < 0) return true;
        i += 2;
    }
    return false;
}

/* utf8_step returns the length of the character at the start, 0 where it is not UTF-8 (RFC 3629). */
static size_t utf8_step(struct slice s) {
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t c = s.p[0];
    size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 && c < 0xf5 ? 4 : 0;
    if (n < 2) return n;
    if (s.n < n) return 0;
    uint32_t code = c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s.p[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (s.p[i] & 0x3f);
    }
    return code < least[n] || (code >= 0xd800 && code <= 0xdfff) ? 0 : n;
}

static bool op_utf8_bad(struct slice in) {
    for (size_t n; in.n; in = slice_tail(in, n))
        if (!(n = utf8_step(in))) return true;
    return false;
}

/* eq reads numbers as C's int and takes one that does not fit for 0; the others read 64 bits. */
static int64_t narrow(int64_t v) { return v < INT32_MIN || v > INT32_MAX ? 0 : v; }

static bool op_number(struct rules_tx *tx, const struct op *op, struct slice in) {
    int64_t want = op->param.expands ? s_number(tx_macro(tx, &op->param)) : op->number, have = s_number(in);
    switch (op->kind) {
    case OP_EQ: return narrow(have) == narrow(want);
    case OP_GE: return have >= want;
    case OP_GT: return have > want;
    case OP_LE: return have <= want;
    default: return have < want;
    }
}

static bool op_text(struct rules_tx *tx, const struct op *op, struct slice in) {
    struct slice text = op->param.expands ? tx_macro(tx, &op->param) : op->param.text;
    switch (op->kind) {
    case OP_BEGINS_WITH: return slice_starts(in, text);
    case OP_ENDS_WITH: return in.n >= text.n && slice_eq(slice_tail(in, in.n - text.n), text);
    case OP_CONTAINS_WORD: return contains_word(in, text);
    case OP_STR_EQ: return slice_eq(in, text);
    case OP_WITHIN: return !in.n || s_find(text, in).p;
    default: return s_find(in, text).p != NULL; /* contains, strmatch */
    }
}

static bool op_phrases(struct rules_tx *tx, const struct rule *rule, const struct op *op, struct slice in) {
    struct slice word;
    if (!pm_find(op->phrases, in, &word)) return false;
    capture_text(tx, rule, word);
    return true;
}

static bool op_positive(struct rules_tx *tx, const struct rule *rule, const struct op *op, struct slice in) {
    switch ((enum op_kind)op->kind) {
    case OP_RX: return op_regex(tx, rule, op, in);
    case OP_RX_GLOBAL: return op_regex_global(tx, rule, op, in);
    case OP_PM:
    case OP_PM_F:
    case OP_PM_FROM_FILE: return op_phrases(tx, rule, op, in);
    case OP_BEGINS_WITH:
    case OP_ENDS_WITH:
    case OP_CONTAINS:
    case OP_CONTAINS_WORD:
    case OP_STR_EQ:
    case OP_STR_MATCH:
    case OP_WITHIN: return op_text(tx, op, in);
    case OP_EQ:
    case OP_GE:
    case OP_GT:
    case OP_LE:
    case OP_LT: return op_number(tx, op, in);
    case OP_DETECT_SQLI: return op_sqli(tx, rule, in);
    case OP_DETECT_XSS: return op_xss(tx, rule, in);
    case OP_IP_MATCH:
    case OP_IP_MATCH_F:
    case OP_IP_MATCH_FROM_FILE: return ip_match(op->prefixes, in);
    case OP_VALIDATE_BYTE_RANGE: return out_of_range(op, in);
    case OP_VALIDATE_URL_ENCODING: return op_url_bad(in);
    case OP_VALIDATE_UTF8_ENCODING: return op_utf8_bad(in);
    case OP_VERIFY_CC:
    case OP_VERIFY_CPF:
    case OP_VERIFY_SSN:
    case OP_VERIFY_SVNR: return op_verify(tx, rule, op, in);
    case OP_UNCONDITIONAL_MATCH:
    case OP_RSUB:
    case OP_VALIDATE_HASH: return true; /* the last two do nothing in libmodsecurity 3 either */
    case OP_FUZZY_HASH:
    case OP_GEO_LOOKUP:
    case OP_GSB_LOOKUP:
    case OP_INSPECT_FILE:
    case OP_NO_MATCH:
    case OP_RBL:
    case OP_VALIDATE_DTD:
    case OP_VALIDATE_SCHEMA:
    case OP_COUNT: break;
    }
    return false;
}

bool op_run(struct rules_tx *tx, const struct rule *rule, const struct op *op, struct slice in) {
    return op_positive(tx, rule, op, in) != op->not ;
}
