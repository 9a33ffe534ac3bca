/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include "base/eight.h"

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
        if (s.n >= 8 && !(eight_load(s.p) & EIGHT_TOPS)) { /* ASCII: the common case */
            s = slice_tail(s, 8);
            continue;
        }
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (!n) return false;
        s = slice_tail(s, n);
    }
    return true;
}

bool utf8_hidden(uint32_t code) {
    static const struct {
        uint32_t from, to;
    } format[] = {{0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},
                  {0x890, 0x891},     {0x8e2, 0x8e2},     {0x180e, 0x180e},   {0x200b, 0x200f},   {0x202a, 0x202e},
                  {0x2060, 0x2064},   {0x2066, 0x206f},   {0xfeff, 0xfeff},   {0xfff9, 0xfffb},   {0x110bd, 0x110bd},
                  {0x110cd, 0x110cd}, {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0001, 0xe0001},
                  {0xe0020, 0xe007f}};
    if (code < 0xa0) return code < 0x20 || code >= 0x7f;
    for (size_t i = 0; i < sizeof format / sizeof *format && code >= format[i].from; i++)
        if (code <= format[i].to) return true;
    return false;
}

bool utf8_readable(struct slice s) {
    while (s.n) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (!n || (code < 0x20 && code != '\n' && code != '\t' && code != '\r') || (code >= 0x7f && code < 0xa0))
            return false;
        s = slice_tail(s, n);
    }
    return true;
}
