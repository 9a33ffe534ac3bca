/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as offset, hexadecimal and text. */
#include "view/view.h"

void hex_dump(struct writer *w, struct slice s) {
    enum { LINE = 16 };
    for (size_t at = 0; at < s.n; at += LINE) {
        struct slice line = slice_head(slice_tail(s, at), LINE);
        char text[LINE];
        for (size_t i = 0; i < line.n; i++) text[i] = line.p[i] >= 0x20 && line.p[i] < 0x7f ? (char)line.p[i] : '.';
        wr_hex(w, at, 4);
        wr_s(w, "  ");
        wr_hexbytes(w, line, ' ');
        wr_spaces(w, 3 * (LINE - line.n) + 3);
        wr_bytes(w, text, line.n);
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
