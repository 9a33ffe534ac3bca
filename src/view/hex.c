/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as offset, hexadecimal and text. */
#include "view/view.h"

void hex_dump(struct writer *w, struct slice s) {
    for (size_t at = 0; at < s.n; at += 16) {
        size_t n = s.n - at < 16 ? s.n - at : 16;
        wr_hex(w, at, 4);
        wr_s(w, "  ");
        for (size_t i = 0; i < 16; i++) {
            if (i < n) wr_hex(w, s.p[at + i], 2);
            else wr_s(w, "  ");
            wr_c(w, ' ');
        }
        wr_s(w, "  ");
        for (size_t i = 0; i < n; i++) wr_c(w, s.p[at + i] >= 0x20 && s.p[at + i] < 0x7f ? (char)s.p[at + i] : '.');
        wr_c(w, '\n');
    }
}

void hex_print(struct writer *w, const struct decode *d) {
    const struct fvec *v = d->out;
    for (uint16_t i = 0; i < v->sources; i++) {
        if (v->sources > 1) wr_f(w, "%s (%zu bytes):\n", v->source[i].name, v->source[i].bytes.n);
        hex_dump(w, v->source[i].bytes);
    }
}
