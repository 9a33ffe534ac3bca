/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers on slices, for the rule files and the values they look at. */
#include "guard/rules/text.h"

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
