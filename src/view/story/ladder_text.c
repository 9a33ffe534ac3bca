/* SPDX-License-Identifier: Apache-2.0 */
/* The sequence picture in a terminal: a column for each party, a line for each packet. */
#include "analyse/explain/judge.h"
#include "base/utf8.h"
#include "field/print.h"
#include "view/story/ladder_view.h"
#include "view/teach.h"
#include "view/words.h"

enum {
    MARGIN_FRAME = 7,
    MARGIN_TIME = 12,
    COLUMN_LEAST = 30,
    COLUMN_MOST = 54,
    COLUMNS_MAX = 8,
    LINE_MAX = 1024,
    SENTENCE_INDENT = 8
};

void party_name(struct writer *w, const struct party *p) {
    struct endpoint e = {p->end.addr, p->end.port};
    if (p->end.port) endpoint_write(w, &e);
    else addr_write(w, &e.addr);
}

const char *party_role(const struct party *p) {
    if (p->broker) return N_("broker");
    if (p->publishes && p->subscribes) return N_("publisher and subscriber");
    if (p->publishes) return N_("publisher");
    if (p->subscribes) return N_("subscriber");
    return "";
}

/* Publishers and other clients left, servers in the middle, subscribers right; within those as they came. */
static int rank(const struct party *p) {
    if (p->broker || p->server) return 1;
    return p->subscribes && !p->publishes ? 2 : 0;
}

/* choose fills in with the parties that are drawn where not all fit: who is wanted, then who has most to say to those
 * that are in already; to begin with, and where those speak to nobody else, a server. */
static void choose(const struct ladder *l, bool in[PARTIES_MAX], size_t max) {
    uint32_t between[PARTIES_MAX][PARTIES_MAX] = {0};
    for (uint32_t i = 0; i < l->rungs; i++) {
        between[l->rung[i].from_party][l->rung[i].to_party]++;
        between[l->rung[i].to_party][l->rung[i].from_party]++;
    }
    for (size_t n = 0; n < max; n++) {
        int best = -1;
        uint64_t most = 0;
        for (uint32_t i = 0; i < l->parties; i++) {
            const struct party *p = &l->party[i];
            uint64_t known = 0;
            for (uint32_t k = 0; k < l->parties; k++) known += in[k] ? between[i][k] : 0;
            uint64_t weight =
                (uint64_t)p->wanted << 63 | known << 40 | (uint64_t)(p->broker || p->server) << 32 | p->rungs;
            if (in[i] || !p->rungs || weight <= most || (n && n + 1 == max && !known))
                continue; /* alone it says nothing */
            best = (int)i;
            most = weight;
        }
        if (best < 0) return;
        in[best] = true;
    }
}

/* leftmost returns the party of a rank that is drawn next: as they came; -1: there is none. */
static int leftmost(const struct ladder *l, const bool in[PARTIES_MAX], int group) {
    int best = -1;
    for (uint32_t i = 0; i < l->parties; i++) {
        const struct party *p = &l->party[i];
        int mine = l->mqtts ? rank(p) : p->server;
        if (in[i] && mine == group && (best < 0 || p->first < l->party[best].first)) best = (int)i;
    }
    return best;
}

size_t parties_order(const struct ladder *l, uint8_t *order, size_t max) {
    bool in[PARTIES_MAX] = {false};
    size_t n = 0;
    int next;
    choose(l, in, max);
    for (int group = 0; group < 3; group++)
        for (; (next = leftmost(l, in, group)) >= 0; in[next] = false) order[n++] = (uint8_t)next;
    return n;
}

/* canvas is one line of the picture: a code point for each column of the terminal; behind a wide one stands COVERED. */
enum { COVERED = 0 };

struct canvas {
    uint32_t cell[LINE_MAX];
    size_t width;
};

struct drawing {
    const struct ladder *l;
    const struct ladder_view *v;
    struct writer *w;
    int column[PARTIES_MAX]; /* where a party's line stands; -1: not shown */
    size_t columns, step, width;
};

static const char *paint(const struct ladder_view *v, const char *code) { return v->color ? code : ""; }

static void put_char(struct writer *w, uint32_t c) {
    if (c < 0x80) {
        wr_c(w, (char)c);
    } else if (c < 0x800) {
        wr_c(w, (char)(0xc0 | c >> 6));
        wr_c(w, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        wr_c(w, (char)(0xe0 | c >> 12));
        wr_c(w, (char)(0x80 | (c >> 6 & 0x3f)));
        wr_c(w, (char)(0x80 | (c & 0x3f)));
    } else {
        wr_c(w, (char)(0xf0 | c >> 18));
        wr_c(w, (char)(0x80 | (c >> 12 & 0x3f)));
        wr_c(w, (char)(0x80 | (c >> 6 & 0x3f)));
        wr_c(w, (char)(0x80 | (c & 0x3f)));
    }
}

static void lines_put(const struct drawing *d, struct canvas *c) {
    c->width = d->width < LINE_MAX ? d->width : LINE_MAX;
    for (size_t i = 0; i < c->width; i++) c->cell[i] = ' ';
    for (uint32_t i = 0; i < d->l->parties; i++)
        if (d->column[i] >= 0 && (size_t)d->column[i] < c->width) c->cell[d->column[i]] = d->v->unicode ? 0x2502 : '|';
}

/* label_put writes a label into the cells from `at` on, at most `room` of them; where it is cut an ellipsis ends it. It
 * returns how many cells it took. */
static int label_put(const struct drawing *d, struct canvas *c, int at, int room, struct slice text) {
    uint32_t code;
    int used = 0;
    bool cut = text_width(text) > (size_t)room;
    for (size_t n; text.n && (n = utf8_next(text, &code)); text = slice_tail(text, n)) {
        int width = (int)text_width(slice_head(text, n));
        if (used + width > room - cut) break;
        if (!width) continue; /* a mark upon the character before; cells hold one */
        c->cell[at + used] = code;
        if (width == 2) c->cell[at + used + 1] = COVERED;
        used += width;
    }
    if (cut && used < room) c->cell[at + used++] = d->v->unicode ? 0x2026 : '.';
    return used;
}

/* arrow_put draws the shaft from one line to the other and the label upon it. */
static void arrow_put(const struct drawing *d, struct canvas *c, int from, int to, struct slice text) {
    int lo = from < to ? from : to, hi = from < to ? to : from;
    for (int i = lo + 1; i < hi; i++) c->cell[i] = d->v->unicode ? 0x2500 : '-';
    if (to > from) c->cell[to - 1] = d->v->unicode ? 0x25b6 : '>';
    else c->cell[to + 1] = d->v->unicode ? 0x25c0 : '<';
    int room = hi - lo - 7, at = to > from ? lo + 3 : lo + 4;
    c->cell[at - 1] = ' ';
    int used = room > 0 ? label_put(d, c, at, room, text) : 0;
    c->cell[at + used] = ' ';
}

static void rung_print(const struct drawing *d, const struct rung *r, int64_t start) {
    struct canvas c;
    int from = d->column[r->from_party], to = d->column[r->to_party];
    const char *color = r->mood == MOOD_BAD     ? "\033[31;1m"
                        : r->mood == MOOD_AGAIN ? "\033[33m"
                        : r->kind == RUNG_MQTT  ? "\033[36m"
                                                : "";
    if (from < 0 || to < 0) return;
    lines_put(d, &c);
    if (from == to) return;
    arrow_put(d, &c, from, to, r->text);
    int lo = from < to ? from : to, hi = from < to ? to : from;
    wr_f(d->w, "%s%6llu %10.6f  %s", paint(d->v, "\033[2m"), (unsigned long long)r->frame,
         (double)(r->ts - start) / 1e9, paint(d->v, "\033[0m"));
    while (c.width && c.cell[c.width - 1] == ' ') c.width--;
    for (size_t i = 0; i < c.width; i++) {
        if ((int)i == lo + 1 && *color) wr_s(d->w, paint(d->v, color));
        if (c.cell[i] != COVERED) put_char(d->w, c.cell[i]);
        if ((int)i == hi - 1 && *color) wr_s(d->w, paint(d->v, "\033[0m"));
    }
    wr_c(d->w, '\n');
}

/* sentence_print writes what an arrow means below it, the first time there is one like it. */
static void sentence_print(const struct drawing *d, struct teach *t, uint32_t i) {
    const char *text = teach_rung(t, d->l, i);
    if (!text) return;
    wr_s(d->w, paint(d->v, "\033[32m"));
    wr_spaces(d->w, SENTENCE_INDENT);
    text_wrap(d->w, slice_str(words(text)), SENTENCE_INDENT, d->v->width);
    wr_s(d->w, paint(d->v, "\033[0m"));
}

/* head_line writes one line of the heads: each party's text, centred on its line. */
static void head_line(const struct drawing *d, const uint8_t *order,
                      void (*text)(struct writer *, const struct party *)) {
    size_t column = 0;
    bool any = false;
    struct writer line = wr_grow();
    for (size_t i = 0; i < d->columns; i++) {
        char buf[128];
        struct writer t = wr_fixed(buf, sizeof buf);
        text(&t, &d->l->party[order[i]]);
        size_t n = text_width(wr_done(&t)), at = (size_t)d->column[order[i]], begin = at > n / 2 ? at - n / 2 : 0;
        if (i == 0) begin = at;
        if (begin + n > d->width) begin = d->width > n ? d->width - n : 0;
        if (begin <= column && column) begin = column + 1;
        wr_spaces(&line, begin - column);
        wr_slice(&line, wr_done(&t));
        column = begin + n;
        any |= n > 0;
    }
    if (any) {
        wr_spaces(d->w, MARGIN_FRAME + MARGIN_TIME);
        wr_slice(d->w, wr_done(&line));
        wr_c(d->w, '\n');
    }
    wr_free(&line);
}

static void head_client(struct writer *w, const struct party *p) { print_string(w, p->client); }
static void head_role(struct writer *w, const struct party *p) { wr_s(w, words(party_role(p))); }

/* notes says below the picture what is not in it. */
static void notes(const struct drawing *d, uint64_t hidden) {
    const struct ladder *l = d->l;
    wr_s(d->w, paint(d->v, "\033[2m"));
    if (l->bare) text_number(d->w, d->v->width, N_("Bare acknowledgments not drawn: %1$s (-v draws them)"), l->bare);
    if (hidden)
        text_number(d->w, d->v->width,
                    N_("Packets of other parties not drawn: %1$s (name a conversation with a filter, or use --svg)"),
                    hidden);
    if (l->left_out) text_number(d->w, d->v->width, N_("Later packets not drawn: %1$s"), l->left_out);
    wr_s(d->w, paint(d->v, "\033[0m"));
}

void ladder_text(struct writer *w, const struct ladder *l, const struct ladder_view *v) {
    struct drawing d = {.l = l, .v = v, .w = w};
    struct teach teach = {0};
    uint8_t order[COLUMNS_MAX];
    size_t room = v->width > MARGIN_FRAME + MARGIN_TIME + 40 ? v->width - MARGIN_FRAME - MARGIN_TIME : 40;
    size_t most = room / COLUMN_LEAST + 1;
    d.columns = parties_order(l, order, most < COLUMNS_MAX ? most < 2 ? 2 : most : COLUMNS_MAX);
    if (!d.columns) {
        wr_f(w, "%s\n", words(N_("There is no packet to draw.")));
        notes(&d, 0);
        return;
    }
    d.step = d.columns > 1 ? (room - 1) / (d.columns - 1) : room;
    if (d.step > COLUMN_MOST) d.step = COLUMN_MOST;
    d.width = d.step * (d.columns - 1) + 1;
    for (size_t i = 0; i < PARTIES_MAX; i++) d.column[i] = -1;
    for (size_t i = 0; i < d.columns; i++) d.column[order[i]] = (int)(i * d.step);
    wr_s(w, paint(v, "\033[1m"));
    head_line(&d, order, head_role);
    head_line(&d, order, head_client);
    head_line(&d, order, party_name);
    wr_s(w, paint(v, "\033[0m"));
    uint64_t hidden = l->strangers;
    for (uint32_t i = 0; i < l->rungs; i++) {
        const struct rung *r = &l->rung[i];
        if (d.column[r->from_party] < 0 || d.column[r->to_party] < 0) hidden++;
        else {
            rung_print(&d, r, l->begin);
            if (v->teach) sentence_print(&d, &teach, i);
        }
    }
    notes(&d, hidden);
}
