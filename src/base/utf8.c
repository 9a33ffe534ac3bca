/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

size_t utf8_next(struct slice s, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (!s.n) return 0;
    uint8_t c = s.p[0];
    if (c < 0x80) {
        *code = c;
        return 1;
    }
    size_t n = c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
    if (n == 0 || c >= 0xf8 || s.n < n) return 0;
    uint32_t v = c & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s.p[i] & 0xc0) != 0x80) return 0;
        v = v << 6 | (s.p[i] & 0x3fu);
    }
    if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff)) return 0;
    *code = v;
    return n;
}

bool utf8_valid(struct slice s) {
    while (s.n) {
        uint64_t eight;
        if (s.n >= 8) { /* eight ASCII bytes at a time: the common case */
            memcpy(&eight, s.p, 8);
            if (!(eight & 0x8080808080808080u)) {
                s = slice_tail(s, 8);
                continue;
            }
        }
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (!n) return false;
        s = slice_tail(s, n);
    }
    return true;
}
