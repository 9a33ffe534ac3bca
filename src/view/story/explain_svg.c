/* SPDX-License-Identifier: Apache-2.0 */
/* explain as a picture of the report: the words of the terminal, line by line, in one SVG document that stands on its
 * own and follows the reader's light or dark setting. The text is made by explain_text with its colours on; each change
 * of colour becomes a span. */
#include "analyse/explain/judge.h"
#include "view/story/explain_view.h"
#include "view/words.h"

enum { LEFT = 20, TOP = 32, LINE = 19, CELL = 8, LINES_MAX = 4000, COLUMNS = 100 };

static const char style[] = "<style>\n"
                            "svg{background:#fff;color:#1b1f24}text{font:13px ui-monospace,SFMono-Regular,Menlo,"
                            "Consolas,monospace;fill:currentColor;white-space:pre}\n"
                            ".b{font-weight:600}.d{fill:#6a737d}.e{fill:#c92a2a;font-weight:600}"
                            ".w{fill:#9a6700;font-weight:600}.n{fill:#0b7285}.g{fill:#2b8a3e;font-weight:600}\n"
                            "@media(prefers-color-scheme:dark){svg{background:#14181d;color:#e6e9ec}.d{fill:#a5b0bb}"
                            ".e{fill:#ff8787}.w{fill:#ffd43b}.n{fill:#66d9e8}.g{fill:#8ce99a}}\n"
                            "</style>\n";

/* class_of returns the class for the parameters of a change of colour; NULL: back to plain. */
static const char *class_of(struct slice code) {
    static const struct {
        const char *code, *class;
    } known[] = {{"1", "b"}, {"2", "d"}, {"31;1", "e"}, {"33;1", "w"}, {"36", "n"}, {"32;1", "g"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_eq(code, slice_str(known[i].code))) return known[i].class;
    return NULL;
}

/* escape_take returns how many bytes a change of colour at the head of s has, 0 where there is none. */
static size_t escape_take(struct slice s, struct slice *code) {
    if (s.n < 3 || s.p[0] != 0x1b || s.p[1] != '[') return 0;
    const uint8_t *end = memchr(s.p, 'm', s.n);
    if (!end) return 0;
    *code = slice_of(s.p + 2, (size_t)(end - s.p) - 2);
    return (size_t)(end - s.p) + 1;
}

/* line_write writes one line of the report. */
static void line_write(struct writer *w, struct slice line) {
    bool open = false;
    struct slice code;
    while (line.n) {
        size_t n = escape_take(line, &code);
        if (n) {
            const char *class = class_of(code);
            if (open) wr_s(w, "</tspan>");
            open = class != NULL;
            if (open) wr_f(w, "<tspan class=\"%s\">", class);
        } else {
            const uint8_t *next = memchr(line.p + 1, 0x1b, line.n - 1);
            n = next ? (size_t)(next - line.p) : line.n;
            xml_text(w, slice_head(line, n), SIZE_MAX);
        }
        line = slice_tail(line, n);
    }
    if (open) wr_s(w, "</tspan>");
}

/* line_columns returns the cells a line takes; letters of East Asia are two wide. */
static size_t line_columns(struct slice line) {
    size_t columns = 0;
    struct slice code;
    while (line.n) {
        size_t n = escape_take(line, &code);
        if (!n) {
            uint8_t c = line.p[0];
            if ((c & 0xc0) != 0x80) columns += c >= 0xe3 && c < 0xf0 ? 2 : 1;
            n = 1;
        }
        line = slice_tail(line, n);
    }
    return columns;
}

static struct slice line_next(struct slice *text) {
    const uint8_t *end = memchr(text->p, '\n', text->n);
    struct slice line = slice_head(*text, end ? (size_t)(end - text->p) : text->n);
    *text = slice_tail(*text, line.n + (end ? 1 : 0));
    return line;
}

void explain_svg(struct writer *w, struct explain *e, const struct explain_view *v) {
    struct explain_view view = *v;
    view.color = view.unicode = true;
    view.width = COLUMNS;
    view.rows = 0;
    struct writer made = wr_grow();
    explain_text(&made, e, &view);
    if (made.err) w->err = made.err;
    size_t lines = 0, columns = COLUMNS;
    for (struct slice rest = wr_done(&made); rest.n && lines < LINES_MAX; lines++) {
        size_t n = line_columns(line_next(&rest));
        if (n > columns) columns = n;
    }
    size_t width = 2 * LEFT + columns * CELL, height = TOP + (lines + 2) * LINE;
    wr_f(w,
         "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" viewBox=\"0 0 %zu %zu\" "
         "role=\"img\">\n%s<text class=\"b\" x=\"%d\" y=\"%d\" xml:space=\"preserve\">",
         width, height, width, height, style, LEFT, TOP - 4);
    line_write(w, slice_str(v->file ? v->file : words(N_("Live capture"))));
    wr_s(w, "</text>\n");
    struct slice rest = wr_done(&made);
    for (size_t i = 0; i < lines; i++) {
        struct slice line = line_next(&rest);
        if (!line.n) continue;
        wr_f(w, "<text x=\"%d\" y=\"%zu\" xml:space=\"preserve\">", LEFT, TOP + (i + 1) * LINE);
        line_write(w, line);
        wr_s(w, "</text>\n");
    }
    wr_s(w, "</svg>\n");
    wr_free(&made);
}
