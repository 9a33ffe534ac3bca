/* SPDX-License-Identifier: Apache-2.0 */
/* Two runs side by side as SVG, and as JSON. */
#include "analyse/explain/judge.h"
#include "view/story/diff_view.h"
#include "view/story/explain_view.h"
#include "view/words.h"

enum { HALF = 430, LANE = 300, LEFT = 90, ROW = 24, TOP = 70, ROWS_MAX = 1000, TEXT = 44 };

static const struct deed *deed_at(const struct run *r, int32_t list, int32_t place) {
    return list < 0 || place < 0 ? NULL : &r->list[list].deed[place];
}

static void deed_svg(struct writer *w, const struct deed *d, int x, int y, bool differs) {
    if (!d) return;
    const char *class = differs ? "a bad" : "a";
    int from = d->side ? x + LANE : x, to = d->side ? x : x + LANE;
    wr_f(w,
         "<text class=\"t\" text-anchor=\"end\" x=\"%d\" y=\"%d\">%llu</text><line class=\"%s\" x1=\"%d\" y1=\"%d\" "
         "x2=\"%d\" y2=\"%d\" marker-end=\"url(#p)\"/>",
         x - 10, y + 4, (unsigned long long)d->frame, class, from, y, to, y);
    wr_f(w, "<text text-anchor=\"middle\" x=\"%d\" y=\"%d\"%s>", x + LANE / 2, y - 5, differs ? " class=\"badt\"" : "");
    xml_text(w, d->text, TEXT);
    wr_s(w, "</text>\n");
}

static void lane(struct writer *w, const char *name, int x, int height) {
    wr_f(w, "<text class=\"h\" x=\"%d\" y=\"24\" text-anchor=\"middle\">", x + LANE / 2);
    xml_text(w, slice_str(name), SIZE_MAX);
    wr_f(w,
         "</text><text class=\"r\" x=\"%d\" y=\"48\" text-anchor=\"middle\">%s</text><text class=\"r\" x=\"%d\" "
         "y=\"48\" text-anchor=\"middle\">%s</text>",
         x, words(N_("client")), x + LANE, words(N_("server")));
    for (int k = 0; k < 2; k++)
        wr_f(w, "<line class=\"l\" x1=\"%d\" y1=\"56\" x2=\"%d\" y2=\"%d\"/>", x + k * LANE, x + k * LANE, height - 10);
    wr_c(w, '\n');
}

void diff_svg(struct writer *w, struct comparison *c, const struct diff_view *v) {
    (void)v;
    uint32_t rows = 0;
    for (uint32_t i = 0; i < c->pairs; i++) rows += c->pair[i].rows + 1;
    if (rows > ROWS_MAX) rows = ROWS_MAX;
    int width = 2 * HALF + LEFT, height = TOP + (int)rows * ROW + 20;
    wr_f(w,
         "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n",
         width, height, width, height);
    wr_s(w,
         "<style>svg{font:13px system-ui,sans-serif;background:#fff;color:#1b1f24}text{fill:currentColor}.t{font:11px "
         "ui-monospace,monospace;fill:#6a737d}"
         ".h{font-weight:600}.r{fill:#6a737d;font-size:12px}.l{stroke:#b8c0c8}.a{stroke:#44505c}.bad{stroke:#c92a2a;"
         "stroke-width:2}.badt{fill:#c92a2a}"
         ".f{fill:#c92a2a;fill-opacity:.1}@media(prefers-color-scheme:dark){svg{background:#14181d;color:#e6e9ec}.l{"
         "stroke:#4a545e}.a{stroke:#a5b0bb}"
         ".bad{stroke:#ff8787}.badt{fill:#ff8787}}</style>\n"
         "<defs><marker id=\"p\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" "
         "orient=\"auto\">"
         "<path d=\"M0 0L8 4L0 8z\" fill=\"context-stroke\"/></marker></defs>\n");
    lane(w, c->good->name, LEFT, height);
    lane(w, c->bad->name, LEFT + HALF, height);
    uint32_t at = 0;
    for (uint32_t i = 0; i < c->pairs; i++, at++) {
        const struct pairing *p = &c->pair[i];
        for (uint32_t k = 0; k < p->rows && at < rows; k++, at++) {
            const struct row *r = &p->row[k];
            bool differs = r->what != ROW_SAME && r->what != ROW_ALLOWED;
            int y = TOP + 16 + (int)at * ROW;
            if ((int32_t)i == c->first && k == p->first)
                wr_f(w, "<rect class=\"f\" x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", y - 17, width, ROW);
            deed_svg(w, deed_at(c->good, p->good, r->good), LEFT, y, differs);
            deed_svg(w, deed_at(c->bad, p->bad, r->bad), LEFT + HALF, y, differs);
        }
    }
    wr_s(w, "</svg>\n");
}
