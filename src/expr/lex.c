/* SPDX-License-Identifier: Apache-2.0 */
/* Text to tokens. Names, numbers, addresses and times are one kind of token, a word: what it is depends on what it is
 * compared with, which only the checker knows. */
#include "expr/compile.h"

#include "base/hex.h"

#include <arpa/inet.h>
#include <stdlib.h>

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static bool is_letter(uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
static bool in_word(uint8_t c) {
    return is_digit(c) || is_letter(c) || c == '_' || c == '.' || c == ':' || c == '-' || c >= 0x80;
}

static uint8_t peek(const struct compiling *c, uint32_t ahead) {
    return c->at + ahead < c->text.n ? c->text.p[c->at + ahead] : 0;
}

static void put_utf8(uint8_t **to, uint32_t code) {
    uint8_t *p = *to;
    if (code < 0x80) {
        *p++ = (uint8_t)code;
    } else if (code < 0x800) {
        *p++ = (uint8_t)(0xc0 | code >> 6);
        *p++ = (uint8_t)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *p++ = (uint8_t)(0xe0 | code >> 12);
        *p++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        *p++ = (uint8_t)(0x80 | (code & 0x3f));
    } else {
        *p++ = (uint8_t)(0xf0 | code >> 18);
        *p++ = (uint8_t)(0x80 | (code >> 12 & 0x3f));
        *p++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        *p++ = (uint8_t)(0x80 | (code & 0x3f));
    }
    *to = p;
}

/* hex_digits reads up to max hexadecimal digits behind an escape's letter and gives how many there were. */
static unsigned hex_digits(struct compiling *c, unsigned max, uint32_t *value) {
    unsigned n = 0;
    *value = 0;
    for (int d; n < max && (d = hex_digit(peek(c, 2 + n))) >= 0; n++) *value = *value << 4 | (uint32_t)d;
    return n;
}

/* universal reads \u0123 or \U00000123: characters that have no simpler form, no halves of a pair. */
static uint32_t universal(struct compiling *c, unsigned digits, uint8_t **to) {
    uint32_t code;
    unsigned n = hex_digits(c, digits, &code);
    bool simple = code < 0xa0 && code != '$' && code != '@' && code != '`';
    if (n < digits || simple || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) {
        fail(c, c->at, 2 + n, "\\%c and %u hexadecimal digits name a character beyond the simple ones",
             digits == 4 ? 'u' : 'U', digits);
        return 0;
    }
    put_utf8(to, code);
    return 2 + n;
}

static uint32_t octal(struct compiling *c, uint8_t **to) {
    unsigned n = 0, value = 0;
    for (; n < 3 && peek(c, 1 + n) >= '0' && peek(c, 1 + n) <= '7'; n++) value = value * 8 + (peek(c, 1 + n) - '0');
    if (value > 255) fail(c, c->at, 1 + n, "the character \\%o is more than 255", value);
    else *(*to)++ = (uint8_t)value;
    return 1 + n;
}

/* escape reads one escape sequence, appends what it stands for and returns its length; 0 after an error. */
static uint32_t escape(struct compiling *c, uint8_t **to) {
    static const char names[] = "\"\\'abfnrtv", values[] = "\"\\'\a\b\f\n\r\t\v";
    uint8_t letter = peek(c, 1);
    const char *simple = letter ? strchr(names, letter) : NULL;
    uint32_t value;
    if (simple) {
        *(*to)++ = (uint8_t)values[simple - names];
        return 2;
    }
    if (letter == 'x') {
        unsigned n = hex_digits(c, 2, &value);
        if (n) *(*to)++ = (uint8_t)value;
        else fail(c, c->at, 2, "\\x needs one or two hexadecimal digits");
        return 2 + n;
    }
    if (letter == 'u') return universal(c, 4, to);
    if (letter == 'U') return universal(c, 8, to);
    if (letter >= '0' && letter <= '7') return octal(c, to);
    fail(c, c->at, 2, "there is no escape \\%c in a string", letter >= 0x20 && letter < 0x7f ? letter : '?');
    return 0;
}

/* quote_end returns the place of the closing quote, or the end of the text. */
static uint32_t quote_end(const struct compiling *c, uint8_t quote) {
    uint32_t at = c->at;
    while (at < c->text.n && c->text.p[at] != quote) at += c->text.p[at] == '\\' ? 2 : 1;
    return at < c->text.n ? at : (uint32_t)c->text.n;
}

/* quoted reads up to the closing quote; c->at is behind the opening one. raw: backslashes stay. */
static struct slice quoted(struct compiling *c, uint8_t quote, bool raw) {
    uint32_t opened = c->at - 1, end = quote_end(c, quote);
    uint8_t *text = take(c, end - c->at + 1), *to = text;
    if (end == c->text.n) fail(c, opened, end - opened, "the closing quote is missing");
    while (!c->err && c->at < end) {
        if (!raw && c->text.p[c->at] == '\\') c->at += escape(c, &to);
        else *to++ = c->text.p[c->at++];
    }
    c->at = end + 1;
    return slice_of(text, text ? (size_t)(to - text) : 0);
}

static bool number(struct slice s, int32_t *out) {
    char text[16], *end;
    if (!s.n || s.n >= sizeof text) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    if (text[0] != '-' && !is_digit((uint8_t)text[0])) return false;
    long v = strtol(text, &end, 0);
    if (*end || v < -1000000000 || v > 1000000000) return false;
    *out = (int32_t)v;
    return true;
}

static struct slice trimmed(struct slice s) {
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = slice_tail(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
    return s;
}

static bool split(struct slice s, size_t at, struct slice *left, struct slice *right) {
    *left = trimmed(slice_head(s, at));
    *right = trimmed(slice_tail(s, at + 1));
    return true;
}

/* divide finds what parts a span's two numbers: a colon, or a minus that does not begin a number. */
static bool divide(struct slice s, struct slice *left, struct slice *right, uint8_t *by) {
    const uint8_t *colon = memchr(s.p, ':', s.n);
    const uint8_t *minus = s.n > 1 ? memchr(s.p + 1, '-', s.n - 1) : NULL;
    *by = colon ? ':' : '-';
    if (!colon && !minus) return false;
    return split(s, (size_t)((colon ? colon : minus) - s.p), left, right);
}

static const char *span_read(struct slice s, struct span *out) {
    struct slice left, right;
    uint8_t by;
    int32_t last;
    *out = (struct span){0, 1};
    if (!divide(s, &left, &right, &by)) return number(s, &out->first) ? NULL : "a place is a whole number";
    if (left.n && !number(left, &out->first)) return N_("a place is a whole number");
    if (!left.n && by == '-') return N_("the first place is missing");
    if (by == ':') {
        out->n = 0;
        if (!right.n) return left.n ? NULL : "there is no number at either side of the colon";
        return number(right, &out->n) && out->n > 0 ? NULL : "a length is a whole number above 0";
    }
    if (!number(right, &last)) return N_("the last place is missing");
    if ((out->first < 0) != (last < 0)) return N_("both places count from the beginning, or both from the end");
    if (last <= out->first) return N_("the last place is not behind the first");
    out->n = last - out->first + 1;
    return NULL;
}

/* bracketed reads "[a:b, c, d-e]"; c->at is behind the bracket. */
static void bracketed(struct compiling *c, struct spans *out) {
    const uint8_t *close = memchr(c->text.p + c->at, ']', c->text.n - c->at);
    struct span *list = take(c, SPANS_MAX * sizeof *list);
    if (!close) fail(c, c->at - 1, 1, "the closing ] is missing");
    while (!c->err) {
        uint32_t end = (uint32_t)(close - c->text.p);
        const uint8_t *comma = memchr(c->text.p + c->at, ',', end - c->at);
        uint32_t stop = comma ? (uint32_t)(comma - c->text.p) : end;
        struct slice s = slice_of(c->text.p + c->at, stop - c->at);
        if (out->count >= SPANS_MAX) fail(c, c->at, (uint32_t)s.n, "more than %d parts", SPANS_MAX);
        const char *why = c->err ? NULL : span_read(trimmed(s), &list[out->count]);
        if (why) fail(c, c->at, s.n ? (uint32_t)s.n : 1, "%s", say_by(c->say, why));
        out->count++;
        c->at = stop + 1;
        if (!comma) break;
    }
    out->list = list;
}

static void layers(struct compiling *c, struct token *t) {
    t->kind = TOK_LAYERS;
    c->at++;
    if (peek(c, 0) == '[') {
        c->at++;
        bracketed(c, &t->spans);
        return;
    }
    uint32_t from = c->at;
    while (is_digit(peek(c, 0))) c->at++;
    struct span *one = take(c, sizeof *one);
    if (!one) return;
    one->n = 1;
    if (!number(slice_of(c->text.p + from, c->at - from), &one->first))
        fail(c, from - 1, 1, "a number or [ must follow #");
    t->spans = (struct spans){one, 1};
}

struct mark {
    const char *text;
    uint8_t kind, op, quant;
    bool said;
};

/* Longer ones first. */
static const struct mark marks[] = {
    {"===", TOK_RELATION, REL_EQ, QUANT_ALL, true},
    {"!==", TOK_RELATION, REL_NE, QUANT_ANY, true},
    {"==", TOK_RELATION, REL_EQ, QUANT_ANY, false},
    {"!=", TOK_RELATION, REL_NE, QUANT_ALL, false},
    {"~=", TOK_RELATION, REL_NE, QUANT_ANY, true},
    {"<=", TOK_RELATION, REL_LE, QUANT_ANY, false},
    {">=", TOK_RELATION, REL_GE, QUANT_ANY, false},
    {"&&", TOK_AND},
    {"||", TOK_OR},
    {"..", TOK_DOTS},
    {"<", TOK_RELATION, REL_LT, QUANT_ANY, false},
    {">", TOK_RELATION, REL_GT, QUANT_ANY, false},
    {"~", TOK_RELATION, REL_MATCHES, QUANT_ANY, false},
    {"!", TOK_NOT},
    {"&", TOK_ARITH, ARITH_AND},
    {"+", TOK_ARITH, ARITH_ADD},
    {"-", TOK_ARITH, ARITH_SUB},
    {"*", TOK_ARITH, ARITH_MUL},
    {"/", TOK_ARITH, ARITH_DIV},
    {"%", TOK_ARITH, ARITH_MOD},
    {"(", TOK_OPEN},
    {")", TOK_CLOSE},
    {"{", TOK_BRACE},
    {"}", TOK_UNBRACE},
    {",", TOK_COMMA},
};

static const struct mark keywords[] = {
    {"and", TOK_AND},
    {"or", TOK_OR},
    {"not", TOK_NOT},
    {"in", TOK_IN},
    {"any", TOK_ANY},
    {"all", TOK_ALL},
    {"eq", TOK_RELATION, REL_EQ, QUANT_ANY, false},
    {"any_eq", TOK_RELATION, REL_EQ, QUANT_ANY, true},
    {"all_eq", TOK_RELATION, REL_EQ, QUANT_ALL, true},
    {"ne", TOK_RELATION, REL_NE, QUANT_ALL, false},
    {"all_ne", TOK_RELATION, REL_NE, QUANT_ALL, true},
    {"any_ne", TOK_RELATION, REL_NE, QUANT_ANY, true},
    {"gt", TOK_RELATION, REL_GT, QUANT_ANY, false},
    {"ge", TOK_RELATION, REL_GE, QUANT_ANY, false},
    {"lt", TOK_RELATION, REL_LT, QUANT_ANY, false},
    {"le", TOK_RELATION, REL_LE, QUANT_ANY, false},
    {"contains", TOK_RELATION, REL_CONTAINS, QUANT_ANY, false},
    {"matches", TOK_RELATION, REL_MATCHES, QUANT_ANY, false},
    {"bitwise_and", TOK_ARITH, ARITH_AND},
};

static void mark_set(struct token *t, const struct mark *m) {
    t->kind = m->kind;
    t->op = m->op;
    t->quant = m->quant;
    t->quant_said = m->said;
}

/* other_tongue names the right form of what people bring along from other languages. */
static bool other_tongue(struct compiling *c, struct slice s) {
    static const struct {
        const char *typed, *instead;
    } forms[] = {{"xor", N_("write (A and not B) or (not A and B)")},
                 {"^^", N_("write (A and not B) or (not A and B)")},
                 {"=~", N_("write matches, or ~")},
                 {"=", N_("write == for a comparison")},
                 {"AND", N_("write and")},
                 {"OR", N_("write or")},
                 {"NOT", N_("write not")},
                 {"|", N_("write || or or")},
                 {"@", N_("raw fields came with Wireshark 4.2")},
                 {"$", N_("references and macros need a selected packet")},
                 {"#", N_("# stands behind a field: ip.addr#2")}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!slice_eq(s, slice_str(forms[i].typed))) continue;
        fail(c, c->at, (uint32_t)s.n, "'%s' is not of this language; %s", forms[i].typed,
             say_by(c->say, forms[i].instead));
        return true;
    }
    return false;
}

/* word_end returns the end of the word at c->at. Two dots end it; an address takes its prefix length along. */
static uint32_t word_end(const struct compiling *c) {
    uint32_t at = c->at;
    unsigned dots = 0, colons = 0;
    bool address = true;
    for (; at < c->text.n && in_word(c->text.p[at]); at++) {
        uint8_t ch = c->text.p[at];
        if (ch == '.' && at + 1 < c->text.n && c->text.p[at + 1] == '.') break;
        dots += ch == '.';
        colons += ch == ':';
        address = address && (hex_digit(ch) >= 0 || ch == '.' || ch == ':');
    }
    bool takes = address && (dots == 3 || colons >= 2) && at + 1 < c->text.n && c->text.p[at] == '/' &&
                 is_digit(c->text.p[at + 1]);
    if (takes)
        for (at++; at < c->text.n && is_digit(c->text.p[at]);) at++;
    return at;
}

/* colons_fit tells whether the colons of a word are those of an IPv6 address or part bytes of two digits. */
static bool colons_fit(struct slice s) {
    uint8_t address[16];
    char text[64];
    size_t n = 0, digits = 0;
    if (s.p[0] == ':' && !memchr(s.p + 1, ':', s.n - 1))
        return s.n > 1; /* bytes with a colon in front, so that they are no name */
    for (size_t i = 0; i < s.n; i++) {
        bool pair = hex_digit(s.p[i]) >= 0 && ++digits <= 2;
        if (!pair && (s.p[i] != ':' || (digits != 2 && i))) break;
        if (!pair) digits = 0;
        if (i + 1 == s.n && digits == 2) return true;
    }
    for (; n < s.n && n + 1 < sizeof text && s.p[n] != '/' && s.p[n] != '%'; n++) text[n] = (char)s.p[n];
    text[n] = 0;
    return inet_pton(AF_INET6, text, address) == 1;
}

static void word(struct compiling *c, struct token *t) {
    uint32_t end = word_end(c);
    t->kind = TOK_WORD;
    t->text = slice_of(c->text.p + c->at, end - c->at);
    if (memchr(t->text.p, ':', t->text.n) && !colons_fit(t->text)) {
        fail(c, c->at, (uint32_t)t->text.n, "colons stand in addresses and between bytes; a text has double quotes");
        return;
    }
    if (t->text.n > 1 && t->text.p[t->text.n - 1] == '.') {
        fail(c, end - 1, 1, "a word does not end with a dot; a text has double quotes");
        return;
    }
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (slice_eq(t->text, slice_str(keywords[i].text))) mark_set(t, &keywords[i]);
    if (t->kind == TOK_WORD && t->text.n < 4 && other_tongue(c, t->text)) return;
    c->at = end;
}

static void string(struct compiling *c, struct token *t, bool raw) {
    c->at += raw ? 2 : 1;
    t->kind = TOK_STRING;
    t->text = quoted(c, '"', raw);
}

static void character(struct compiling *c, struct token *t) {
    uint32_t from = c->at++;
    t->kind = TOK_CHAR;
    if (peek(c, 0) == '\\' && peek(c, 1) == 'n') { /* Wireshark 4.0 has no such constant either */
        fail(c, from, 4, "a character constant cannot be a line break: write '\\x0a'");
        return;
    }
    t->text = quoted(c, '\'', false);
    if (!c->err && t->text.n != 1)
        fail(c, from, c->at - from,
             "a character constant is one character in single quotes; a string has double quotes");
}

static void mark(struct compiling *c, struct token *t) {
    struct slice rest = slice_tail(c->text, c->at);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (!slice_starts(rest, slice_str(marks[i].text))) continue;
        mark_set(t, &marks[i]);
        c->at += (uint32_t)strlen(marks[i].text);
        return;
    }
    if (other_tongue(c, slice_head(rest, 2)) || other_tongue(c, slice_head(rest, 1))) return;
    fail(c, c->at, 1, "this character has no meaning here");
}

void lex_next(struct compiling *c) {
    c->last_end = c->now.at + c->now.len;
    c->now = (struct token){.kind = TOK_END};
    if (c->err) return;
    while (c->at < c->text.n && strchr(" \t\r\n", c->text.p[c->at]) && c->text.p[c->at]) c->at++;
    struct token *t = &c->now;
    uint8_t first = peek(c, 0);
    t->at = c->at;
    if (c->at >= c->text.n) return;
    if (first == '"') string(c, t, false);
    else if ((first | 0x20) == 'r' && peek(c, 1) == '"') string(c, t, true);
    else if (first == '\'') character(c, t);
    else if (first == '#' && c->at) layers(c, t);
    else if (first == '[') {
        t->kind = TOK_SPANS;
        c->at++;
        bracketed(c, &t->spans);
    } else if (in_word(first) && first != '-' && !(first == '.' && peek(c, 1) == '.')) word(c, t);
    else mark(c, t);
    t->len = c->at - t->at;
    if (c->err) t->kind = TOK_END;
}
