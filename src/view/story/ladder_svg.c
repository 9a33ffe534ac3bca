/* SPDX-License-Identifier: Apache-2.0 */
/* The sequence picture as SVG: stands on its own, follows the reader's light or dark setting. */
#include "analyse/explain/judge.h"
#include "view/story/ladder_view.h"
#include "view/words.h"

enum { SVG_LEFT = 150, SVG_STEP = 330, SVG_TOP = 74, SVG_ROW = 24, SVG_ROWS_MAX = 4000, SVG_TEXT = 96, SVG_NOTE = 18 };

static const char style[] = "<style>\n"
                            "svg{font:13px system-ui,sans-serif;background:#fff;color:#1b1f24}\n"
                            "text{fill:currentColor}.t{font:11px "
                            "ui-monospace,monospace;fill:#6a737d}.h{font-weight:600}.r{fill:#6a737d;font-size:12px}\n"
                            ".l{stroke:#b8c0c8}.a{stroke:#44505c;fill:none}.mqtt{stroke:#0b7285}.dns{stroke:#7048a8}."
                            "tls{stroke:#2b6cb0}.bad{stroke:#c92a2a;stroke-width:2}"
                            ".again{stroke:#b7791f;stroke-dasharray:5 3}.badt{fill:#c92a2a}\n"
                            "@media(prefers-color-scheme:dark){svg{background:#14181d;color:#e6e9ec}.l{stroke:#4a545e}."
                            "a{stroke:#a5b0bb}.mqtt{stroke:#66d9e8}"
                            ".bad{stroke:#ff8787}.badt{fill:#ff8787}}\n"
                            "</style>\n"
                            "<defs><marker id=\"p\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" "
                            "markerHeight=\"8\" orient=\"auto\">"
                            "<path d=\"M0 0L8 4L0 8z\" fill=\"context-stroke\"/></marker></defs>\n";

static void head(struct writer *w, const struct party *p, int x) {
    char name[128];
    struct writer t = wr_fixed(name, sizeof name);
    party_name(&t, p);
    wr_f(w, "<text class=\"h\" text-anchor=\"middle\" x=\"%d\" y=\"24\">", x);
    xml_text(w, p->client.n ? p->client : wr_done(&t), SVG_TEXT);
    wr_f(w, "</text>\n<text class=\"r\" text-anchor=\"middle\" x=\"%d\" y=\"42\">", x);
    if (p->client.n) xml_text(w, wr_done(&t), SVG_TEXT);
    wr_f(w, "</text>\n<text class=\"r\" text-anchor=\"middle\" x=\"%d\" y=\"58\">%s</text>\n", x, words(party_role(p)));
}

static const char *class_of(const struct rung *r) {
    if (r->mood == MOOD_BAD) return "a bad";
    if (r->mood == MOOD_AGAIN) return "a again";
    return r->kind == RUNG_MQTT ? "a mqtt" : r->kind == RUNG_DNS ? "a dns" : r->kind == RUNG_TLS ? "a tls" : "a";
}

static void arrow(struct writer *w, const struct rung *r, int from, int to, int y, int64_t start) {
    wr_f(w, "<g><title>");
    wr_f(w, "frame %llu", (unsigned long long)r->frame);
    wr_f(w,
         "</title><text class=\"t\" x=\"8\" y=\"%d\">%llu</text><text class=\"t\" text-anchor=\"end\" x=\"%d\" "
         "y=\"%d\">%.6f</text>",
         y + 4, (unsigned long long)r->frame, SVG_LEFT - 30, y + 4, (double)(r->ts - start) / 1e9);
    wr_f(w, "<line class=\"%s\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" marker-end=\"url(#p)\"/>", class_of(r), from, y,
         to, y);
    wr_f(w, "<text text-anchor=\"middle\" x=\"%d\" y=\"%d\"%s>", (from + to) / 2, y - 5,
         r->mood == MOOD_BAD ? " class=\"badt\"" : "");
    xml_text(w, r->text, SVG_TEXT);
    wr_s(w, "</text></g>\n");
}

/* note writes at *y what is not in the picture, where there is some. */
static void note(struct writer *w, int *y, const char *english, uint64_t n) {
    char digits[24], text[3 * SVG_TEXT];
    struct writer number = wr_fixed(digits, sizeof digits), line = wr_fixed(text, sizeof text);
    if (!n) return;
    wr_u(&number, n);
    struct argument arg = {.text = wr_done(&number)};
    words_fill(&line, english, &arg, 1);
    wr_f(w, "<text class=\"r\" x=\"8\" y=\"%d\">", *y);
    xml_text(w, wr_done(&line), 2 * SVG_TEXT);
    wr_s(w, "</text>\n");
    *y += SVG_NOTE;
}

void ladder_svg(struct writer *w, const struct ladder *l) {
    uint8_t order[PARTIES_MAX];
    int x[PARTIES_MAX] = {0};
    size_t columns = parties_order(l, order, PARTIES_MAX), rows = l->rungs;
    uint64_t later = l->left_out;
    if (rows > SVG_ROWS_MAX) later += rows - SVG_ROWS_MAX, rows = SVG_ROWS_MAX;
    int notes = ((l->bare > 0) + (later > 0) + (l->strangers > 0)) * SVG_NOTE;
    int width = SVG_LEFT + (int)(columns ? columns - 1 : 0) * SVG_STEP + 150,
        below = SVG_TOP + (int)rows * SVG_ROW + 30, height = below + notes;
    wr_f(w,
         "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n",
         width, height, width, height);
    wr_s(w, style);
    for (size_t i = 0; i < columns; i++) {
        x[order[i]] = SVG_LEFT + (int)i * SVG_STEP;
        head(w, &l->party[order[i]], x[order[i]]);
        wr_f(w, "<line class=\"l\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", x[order[i]], SVG_TOP - 8, x[order[i]],
             below - 12);
    }
    for (size_t row = 0; row < rows; row++) {
        const struct rung *r = &l->rung[row];
        arrow(w, r, x[r->from_party], x[r->to_party], SVG_TOP + 16 + (int)row * SVG_ROW, l->begin);
    }
    note(w, &below, N_("Bare acknowledgments not drawn: %1$s (-v draws them)"), l->bare);
    note(w, &below, N_("Packets of other parties not drawn: %1$s (name a conversation with a filter)"), l->strangers);
    note(w, &below, N_("Later packets not drawn: %1$s"), later);
    wr_s(w, "</svg>\n");
}
