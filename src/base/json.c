/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/eight.h"
#include "base/utf8.h"

static bool plain(uint8_t c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

static bool all_plain(uint64_t eight) {
    return !(eight_strange(eight) | eight_equal(eight, '"') | eight_equal(eight, '\\'));
}

static bool escaped(uint32_t code) { return utf8_hidden(code) || code == 0x2028 || code == 0x2029; }

void json_text(struct writer *w, struct slice s) {
    wr_c(w, '"');
    while (s.n) {
        size_t ascii = 0;
        while (s.n - ascii >= 8 && all_plain(eight_load(s.p + ascii))) ascii += 8;
        while (ascii < s.n && plain(s.p[ascii])) ascii++;
        wr_bytes(w, s.p, ascii);
        s = slice_tail(s, ascii);
        if (!s.n) break;
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (!n) {
            wr_s(w, "\\ufffd");
            n = 1;
        } else if (code == '"' || code == '\\') {
            wr_c(w, '\\');
            wr_c(w, (char)code);
        } else if (escaped(code)) {
            if (code > 0xffff) wr_f(w, "\\u%04x", 0xd7c0 + (code >> 10)); /* a pair of surrogates */
            wr_f(w, "\\u%04x", code > 0xffff ? 0xdc00 + (code & 0x3ff) : code);
        } else {
            wr_bytes(w, s.p, n);
        }
        s = slice_tail(s, n);
    }
    wr_c(w, '"');
}

static void name_write(struct writer *w, const char *name) {
    wr_s(w, ",\"");
    wr_s(w, name);
    wr_s(w, "\":");
}

void json_member(struct writer *w, const char *name, struct slice value) {
    name_write(w, name);
    json_text(w, value);
}

void json_member_u(struct writer *w, const char *name, uint64_t value) {
    name_write(w, name);
    wr_u(w, value);
}

void base64_write(struct writer *w, struct slice s) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; s.n; s = slice_tail(s, 3)) {
        uint32_t three = 0;
        for (size_t i = 0; i < 3; i++) three = three << 8 | (i < s.n ? s.p[i] : 0);
        for (size_t i = 0; i < 4; i++) wr_c(w, i <= s.n ? digits[three >> (18 - 6 * i) & 63] : '=');
    }
}
