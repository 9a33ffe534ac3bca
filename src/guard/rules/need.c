/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes must a text hold for a regular expression to match anywhere in it?
 *
 * The expression is read as PCRE2 reads it, far enough to know what cannot be left out: every literal or class that is
 * repeated at least once gives a set of bytes of which one must be there; alternatives give the union of one set each;
 * what may be missing, look-around, back references and recursion give nothing. Anything not understood gives up, which
 * means "may match anything". Of all sets the rarest in ordinary text are kept. This is a necessary condition and no
 * more: it lets the first pass leave out expressions that need a quote, a parenthesis or an angle bracket where a text
 * has none. */
#include "guard/rules/need.h"
#include "base/hex.h"
#include "guard/rules/text.h"

enum { DEPTH_MAX = 64 };

struct parse {
    const uint8_t *p, *end;
    bool caseless, failed;
    int depth;
};

static const uint8_t common[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._-:/";

/* weight says how ordinary a set is: how many bytes of ordinary text are in it. */
static int weight(const uint64_t set[4]) {
    int n = 0;
    for (size_t i = 0; i + 1 < sizeof common; i++) n += bytes_has(set, common[i]);
    return n;
}

static void need_add(struct need *n, const uint64_t set[4]) {
    uint64_t all = set[0] & set[1] & set[2] & set[3];
    int at = n->n, w = weight(set);
    if (all == ~(uint64_t)0) return;
    if (n->n == NEED_MAX) {
        at = 0;
        for (int i = 1; i < n->n; i++)
            if (weight(n->set[i]) > weight(n->set[at])) at = i;
        if (weight(n->set[at]) <= w) return;
    } else {
        n->n++;
    }
    memcpy(n->set[at], set, sizeof n->set[at]);
}

static const uint64_t *rarest(const struct need *n) {
    int at = 0;
    for (int i = 1; i < n->n; i++)
        if (weight(n->set[i]) < weight(n->set[at])) at = i;
    return n->n ? n->set[at] : NULL;
}

bool need_special(const struct need *n) {
    const uint64_t *set = rarest(n);
    return set && weight(set) == 0;
}

bool need_met(const struct need *n, const uint64_t seen[4]) {
    for (int i = 0; i < n->n; i++)
        if (!((seen[0] & n->set[i][0]) | (seen[1] & n->set[i][1]) | (seen[2] & n->set[i][2]) |
              (seen[3] & n->set[i][3])))
            return false;
    return true;
}

void need_rarest(const struct need *n, uint64_t set[4]) {
    const uint64_t *r = rarest(n);
    for (int i = 0; i < 4; i++) set[i] |= r ? r[i] : ~(uint64_t)0;
}

static bool give_up(struct parse *p) { return p->failed = true, false; }
static bool more(const struct parse *p) { return p->p < p->end && !p->failed; }
static bool looking_at(const struct parse *p, const char *s) {
    return slice_starts(slice_of(p->p, (size_t)(p->end - p->p)), slice_str(s));
}

static void set_range(uint64_t set[4], unsigned lo, unsigned hi) {
    for (unsigned c = lo; c <= hi && c < 256; c++) bytes_add(set, (uint8_t)c);
}
static void set_not(uint64_t set[4]) {
    for (int i = 0; i < 4; i++) set[i] = ~set[i];
}
static void set_byte(const struct parse *p, uint64_t set[4], uint8_t c) {
    bytes_add(set, c);
    if (!p->caseless) return;
    if (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') bytes_add(set, c ^ 0x20);
}

/* set_class adds \d, \w, \s, \h, \v or what they exclude; false where c is none of them. */
static bool set_class(uint64_t set[4], uint8_t c) {
    uint64_t one[4] = {0};
    switch (ascii_lower(c)) {
    case 'd': set_range(one, '0', '9'); break;
    case 'w':
        set_range(one, '0', '9'), set_range(one, 'a', 'z'), set_range(one, 'A', 'Z'), set_range(one, '_', '_');
        break;
    case 's': set_range(one, 9, 13), set_range(one, ' ', ' '); break;
    case 'h': set_range(one, 9, 9), set_range(one, ' ', ' '), set_range(one, 0xa0, 0xa0); break;
    case 'v': set_range(one, 10, 13), set_range(one, 0x85, 0x85); break;
    default: return false;
    }
    if (c < 'a') set_not(one);
    for (int i = 0; i < 4; i++) set[i] |= one[i];
    return true;
}

/* escape_byte reads what follows a backslash as one byte; false where it is something else. */
static bool escape_byte(struct parse *p, uint8_t *out) {
    if (!more(p)) return give_up(p);
    uint8_t c = *p->p++;
    switch (c) {
    case 'n': return *out = '\n', true;
    case 'r': return *out = '\r', true;
    case 't': return *out = '\t', true;
    case 'f': return *out = '\f', true;
    case 'e': return *out = 27, true;
    case 'a': return *out = 7, true;
    case '0': {
        unsigned v = 0;
        for (int i = 0; i < 2 && more(p) && *p->p >= '0' && *p->p <= '7'; i++) v = v * 8 + (unsigned)(*p->p++ - '0');
        return *out = (uint8_t)v, true;
    }
    case 'x': {
        unsigned v = 0;
        if (more(p) && *p->p == '{') return give_up(p);
        for (int i = 0; i < 2 && more(p) && hex_digit(*p->p) >= 0; i++) v = v * 16 + (unsigned)hex_digit(*p->p++);
        return *out = (uint8_t)v, true;
    }
    }
    if ((c >= '1' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z')) return give_up(p);
    return *out = c, true;
}

static bool posix_class(struct parse *p, uint64_t set[4]) {
    static const struct {
        const char *name, *bytes;
    } known[] = {{"[:alpha:]", "azAZ"},    {"[:digit:]", "09"},       {"[:alnum:]", "09azAZ"},
                 {"[:upper:]", "AZ"},      {"[:lower:]", "az"},       {"[:space:]", "\t\r  "},
                 {"[:xdigit:]", "09afAF"}, {"[:punct:]", "!/:@[`{~"}, {"[:word:]", "09azAZ__"},
                 {"[:print:]", " ~"},      {"[:graph:]", "!~"},       {"[:cntrl:]", "\1\x1f\x7f\x7f"},
                 {"[:blank:]", "\t\t  "}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!looking_at(p, known[i].name)) continue;
        for (const char *b = known[i].bytes; *b; b += 2) set_range(set, (uint8_t)b[0], (uint8_t)b[1]);
        if (p->caseless && (i == 3 || i == 4)) set_range(set, 'a', 'z'), set_range(set, 'A', 'Z');
        if (i == 11) set_range(set, 0, 0);
        p->p += strlen(known[i].name);
        return true;
    }
    return false;
}

/* class_item reads one byte of a class or a whole \d and the like (*whole). */
static bool class_item(struct parse *p, uint64_t set[4], uint8_t *c, bool *whole) {
    *whole = true;
    if (looking_at(p, "[:")) return posix_class(p, set) || give_up(p);
    if (*p->p != '\\') return *whole = false, *c = *p->p++, true;
    p->p++;
    if (!more(p)) return give_up(p);
    if (set_class(set, *p->p)) return p->p++, true;
    *whole = false;
    if (*p->p == 'b') return p->p++, *c = 8, true;
    return escape_byte(p, c);
}

static bool class(struct parse *p, uint64_t set[4]) {
    bool not = more(p) && *p->p == '^', first = true, whole;
    uint8_t lo, hi;
    if (not ) p->p++;
    for (; more(p) && (*p->p != ']' || first); first = false) {
        if (!class_item(p, set, &lo, &whole)) return false;
        if (whole) continue;
        hi = lo;
        if (p->end - p->p > 1 && *p->p == '-' && p->p[1] != ']') {
            p->p++;
            if (!class_item(p, set, &hi, &whole) || whole || hi < lo) return give_up(p);
        }
        for (unsigned c = lo; c <= hi; c++) set_byte(p, set, (uint8_t)c);
    }
    if (!more(p)) return give_up(p);
    p->p++;
    if (not ) set_not(set);
    return true;
}

static void alternatives(struct parse *p, struct need *out);

/* group_flags reads (?i) or (?i:; *scoped tells the latter. False where it is neither. */
static bool group_flags(struct parse *p, bool *scoped) {
    const uint8_t *at = p->p;
    bool on = true, caseless = p->caseless;
    for (; at < p->end && *at != ')' && *at != ':'; at++) {
        if (*at == '-') on = false;
        else if (*at == 'i') caseless = on;
        else if (*at != 's' && *at != 'm') return false; /* x changes how the rest is read */
    }
    if (at >= p->end) return false;
    *scoped = *at == ':';
    p->p = at + 1;
    p->caseless = caseless;
    return true;
}

static void inside(struct parse *p, struct need *out) {
    alternatives(p, out);
    if (!more(p) || *p->p != ')') give_up(p);
    else p->p++;
}

/* group reads what follows an opening parenthesis. */
static void group(struct parse *p, struct need *out) {
    bool caseless = p->caseless, scoped = true;
    struct need ignored = {0};
    if (looking_at(p, "*")) {
        give_up(p);
        return;
    }
    if (!looking_at(p, "?")) {
        inside(p, out);
    } else if (looking_at(p, "?:") || looking_at(p, "?>")) {
        p->p += 2;
        inside(p, out);
    } else if (looking_at(p, "?=") || looking_at(p, "?!")) {
        p->p += 2;
        inside(p, &ignored);
    } else if (looking_at(p, "?<=") || looking_at(p, "?<!")) {
        p->p += 3;
        inside(p, &ignored);
    } else if (looking_at(p, "?<") || looking_at(p, "?P<")) {
        while (more(p) && *p->p != '>') p->p++;
        if (more(p)) p->p++;
        inside(p, out);
    } else {
        p->p++;
        if (!group_flags(p, &scoped)) {
            give_up(p);
            return;
        }
        if (!scoped) return; /* holds for the rest of the group around */
        inside(p, out);
    }
    p->caseless = caseless;
}

/* least reads a quantifier and returns the least number of repeats. */
static int least(struct parse *p) {
    int n = 1;
    if (!more(p)) return n;
    if (*p->p == '*' || *p->p == '?') n = 0, p->p++;
    else if (*p->p == '+') p->p++;
    else if (*p->p == '{') {
        const uint8_t *at = p->p + 1;
        unsigned v = 0, digits = 0;
        for (; at < p->end && *at >= '0' && *at <= '9' && digits < 6; at++, digits++)
            v = v * 10 + (unsigned)(*at - '0');
        bool shape = digits > 0;
        if (at < p->end && *at == ',')
            for (at++; at < p->end && *at >= '0' && *at <= '9';) at++;
        if (!shape || at >= p->end || *at != '}') return n; /* a literal brace: read next */
        p->p = at + 1;
        n = v > 0;
    } else {
        return n;
    }
    if (more(p) && (*p->p == '?' || *p->p == '+')) p->p++;
    return n;
}

static void backslash(struct parse *p, struct need *one) {
    uint64_t set[4] = {0};
    uint8_t c;
    if (!more(p)) {
        give_up(p);
        return;
    }
    if (*p->p == 'b' || *p->p == 'B' || *p->p == 'A' || *p->p == 'z' || *p->p == 'Z' || *p->p == 'G' || *p->p == 'K') {
        p->p++;
        return;
    }
    if (set_class(set, *p->p)) p->p++;
    else if (escape_byte(p, &c)) set_byte(p, set, c);
    else return;
    need_add(one, set);
}

static void atom(struct parse *p, struct need *out) {
    struct need one = {0};
    uint64_t set[4] = {0};
    uint8_t c = *p->p++;
    switch (c) {
    case '(': group(p, &one); break;
    case '[':
        if (class(p, set)) need_add(&one, set);
        break;
    case '\\': backslash(p, &one); break;
    case '^':
    case '$':
    case '.': break;
    default: set_byte(p, set, c), need_add(&one, set);
    }
    if (p->failed || !least(p)) return;
    for (int i = 0; i < one.n; i++) need_add(out, one.set[i]);
}

static void sequence(struct parse *p, struct need *out) {
    while (more(p) && *p->p != '|' && *p->p != ')') atom(p, out);
}

static void alternatives(struct parse *p, struct need *out) {
    uint64_t any[4] = {0};
    struct need one = {0};
    bool all = true, many = false;
    if (++p->depth > DEPTH_MAX) give_up(p);
    for (;;) {
        one.n = 0;
        sequence(p, &one);
        const uint64_t *r = rarest(&one);
        for (int i = 0; i < 4 && r; i++) any[i] |= r[i];
        all = all && r;
        if (!more(p) || *p->p != '|') break;
        p->p++;
        many = true;
    }
    p->depth--;
    if (p->failed) return;
    if (!many)
        for (int i = 0; i < one.n; i++) need_add(out, one.set[i]);
    else if (all) need_add(out, any);
}

void need_of_rx(struct slice text, bool caseless, struct need *out) {
    struct parse p = {.p = text.p, .end = text.p + text.n, .caseless = caseless};
    out->n = 0;
    alternatives(&p, out);
    if (p.failed || p.p != p.end) out->n = 0;
}

void need_of_literal(struct slice text, bool caseless, struct need *out) {
    struct parse p = {.caseless = caseless};
    out->n = 0;
    for (size_t i = 0; i < text.n; i++) {
        uint64_t set[4] = {0};
        set_byte(&p, set, text.p[i]);
        need_add(out, set);
    }
}
