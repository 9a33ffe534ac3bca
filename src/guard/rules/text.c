/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers on slices, for the rule files and the values they look at. */
#include "base/hash.h"
#include "guard/rules/impl.h"

bool s_same(struct slice a, struct slice b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (c_lower(a.p[i]) != c_lower(b.p[i])) return false;
    return true;
}

bool s_is(struct slice a, const char *b) { return s_same(a, slice_str(b)); }

struct slice s_trim(struct slice s) {
    while (s.n && c_space(s.p[0])) s = slice_tail(s, 1);
    while (s.n && c_space(s.p[s.n - 1])) s.n--;
    return s;
}

int64_t s_number(struct slice s) {
    size_t i = 0;
    bool minus = false;
    int64_t v = 0;
    while (i < s.n && c_space(s.p[i])) i++;
    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+')) minus = s.p[i++] == '-';
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
        if (v > (INT64_MAX - 9) / 10) return minus ? INT64_MIN : INT64_MAX;
        v = v * 10 + (s.p[i] - '0');
    }
    return minus ? -v : v;
}

struct slice s_find(struct slice in, struct slice what) {
    if (!what.n) return slice_of(in.p ? in.p : (const uint8_t *)"", 0);
    const uint8_t *at = in.n >= what.n ? memmem(in.p, in.n, what.p, what.n) : NULL;
    return at ? slice_of(at, what.n) : (struct slice){0};
}

int c_hex(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = c_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void bytes_noted(const struct bytes_table *t, uint64_t set[4]) {
    for (unsigned i = 0; i < 32; i++) {
        uint64_t eight;
        memcpy(&eight, t->seen + 8 * i, 8);
        /* Eight bytes of 0 or 1 become eight bits. */
        uint64_t bits = eight * 0x0102040810204080u >> 56;
        set[i / 8] |= bits << (i % 8 * 8);
    }
}

void bytes_seen(struct slice s, uint64_t set[4]) {
    struct bytes_table t = {0};
    bytes_note(&t, s);
    bytes_noted(&t, set);
}

/* known_find gives the place of a text (a and b end to end) in a table of KNOWNS, filled or not; NULL where it is too
 * long. */
struct known *known_find(struct known *table, uint8_t kind, struct slice a, struct slice b, bool *found) {
    uint8_t text[KNOWN_MAX + 8] = {0};
    size_t n = a.n + b.n;
    uint64_t h = n + kind * 256u + (a.n << 16), x;
    *found = false;
    if (n > KNOWN_MAX) return NULL;
    if (a.n) memcpy(text, a.p, a.n);
    if (b.n) memcpy(text + a.n, b.p, b.n);
    for (size_t i = 0; i < n; i += 8) {
        memcpy(&x, text + i, 8);
        h = hash_mix(h ^ x, 0x9e3779b97f4a7c15u);
    }
    struct known *k = &table[h % KNOWNS];
    *found = k->n == n && k->kind == kind && k->split == a.n && n && !memcmp(k->text, text, n);
    if (*found) return k;
    k->n = 0; /* taken over: whoever finds the text harmless sets n */
    k->kind = kind;
    k->split = (uint8_t)a.n;
    memcpy(k->text, text, n);
    return k;
}
