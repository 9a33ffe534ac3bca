/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_TEXT_H
#define WEIR_GUARD_RULES_TEXT_H
/* Small helpers on texts, for the rule files and the values rules look at. */

#include "base/slice.h"

/* s_is compares with a C string, without regard to the case of ASCII letters. */
static inline bool s_is(struct slice a, const char *b) { return slice_alike(a, slice_str(b)); }
/* s_trim takes blanks off both ends. */
struct slice s_trim(struct slice s);
/* s_number reads a number as strtoll does, base 10: leading blanks, sign, digits; what follows is passed over. */
int64_t s_number(struct slice s);
/* s_find returns where `what` stands in `in` first; {NULL, 0} where it does not. */
struct slice s_find(struct slice in, struct slice what);

static inline bool c_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Sets of byte values, a bit for each. bytes_seen adds all bytes of a text. */
static inline bool bytes_has(const uint64_t set[4], uint8_t c) { return set[c >> 6] >> (c & 63) & 1; }
static inline void bytes_add(uint64_t set[4], uint8_t c) { set[c >> 6] |= (uint64_t)1 << (c & 63); }
void bytes_seen(struct slice s, uint64_t set[4]);

/* bytes_note notes in a table which bytes occur, text by text; bytes_noted adds what was noted to a set. */
struct bytes_table {
    uint8_t seen[256];
};
static inline void bytes_note(struct bytes_table *t, struct slice s) {
    for (size_t i = 0; i < s.n; i++) t->seen[s.p[i]] = 1;
}
void bytes_noted(const struct bytes_table *t, uint64_t set[4]);

#endif
