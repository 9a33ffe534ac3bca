/* SPDX-License-Identifier: Apache-2.0 */
/* Two runs side by side in a terminal. */
#include "analyse/explain/judge.h"
#include "field/print.h"
#include "view/story/diff_view.h"
#include "view/story/explain_view.h"
#include "view/words.h"

enum { BEFORE = 6, AFTER = 10, SIDE_LEAST = 36, TEXT_MAX = 512 };

static const char *paint(const struct diff_view *v, const char *code) { return v->color ? code : ""; }

static const struct deed *deed_at(const struct run *r, int32_t list, int32_t place) {
    return list < 0 || place < 0 ? NULL : &r->list[list].deed[place];
}

static struct argument number(char buf[24], uint64_t n) {
    struct writer w = wr_fixed(buf, 24);
    wr_u(&w, n);
    return (struct argument){.text = wr_done(&w)};
}

static struct argument side_of(const struct deed *d) {
    return (struct argument){.text = slice_str(d->side ? N_("server") : N_("client")), .words = true};
}

static struct slice or_none(struct slice s) { return s.n ? s : SLICE("-"); }

/* diff_sentence: whole sentences for each way in which runs part. */
void diff_sentence(struct writer *w, const struct comparison *c, const struct pairing *p, const struct row *r) {
    const struct deed *g = deed_at(c->good, p->good, r->good), *b = deed_at(c->bad, p->bad, r->bad);
    const struct row *next = r + 1 < p->row + p->rows ? r + 1 : NULL;
    char n1[24], n2[24];
    if (r->what == ROW_MISSING && next && next->what == ROW_EXTRA) b = deed_at(c->bad, p->bad, next->bad);
    if (r->what == ROW_EXTRA && next && next->what == ROW_MISSING) g = deed_at(c->good, p->good, next->good);
    if (r->what == ROW_VALUE) {
        const struct detail *x = r->detail < g->details ? &g->detail[r->detail] : &b->detail[r->detail];
        struct argument arg[] = {
            number(n1, g->frame),
            {.text = g->text},
            number(n2, b->frame),
            {.text = b->text},
            {.text = slice_str(x->name), .words = true},
            {.text = or_none(r->detail < g->details ? g->detail[r->detail].value : (struct slice){0})},
            {.text = or_none(r->detail < b->details ? b->detail[r->detail].value : (struct slice){0})}};
        words_fill(
            w, N_("%5$s differs: `%6$s` in the good run (frame %1$s, %2$s), `%7$s` in the bad one (frame %3$s, %4$s)."),
            arg, 7);
    } else if (g && b) {
        struct argument arg[] = {number(n1, g->frame), {.text = g->text}, number(n2, b->frame),
                                 {.text = b->text},    side_of(g),        side_of(b)};
        words_fill(w,
                   N_("Where the %5$s of the good run sends %2$s (frame %1$s), the %6$s of the bad run sends %4$s "
                      "(frame %3$s)."),
                   arg, 6);
    } else if (g && p->bad < 0) {
        struct argument arg[] = {number(n1, g->frame), {.text = g->text}};
        words_fill(w, N_("The bad run lacks this conversation; in the good run it begins with %2$s (frame %1$s)."), arg,
                   2);
    } else if (g) {
        struct argument arg[] = {number(n1, g->frame), {.text = g->text}, side_of(g)};
        words_fill(w, N_("The good run goes on with %2$s from the %3$s (frame %1$s); in the bad run it does not come."),
                   arg, 3);
    } else if (b && p->good < 0) {
        struct argument arg[] = {number(n2, b->frame), {.text = b->text}};
        words_fill(w, N_("The bad run has a conversation more; it begins with %2$s (frame %1$s)."), arg, 2);
    } else if (b) {
        struct argument arg[] = {number(n2, b->frame), {.text = b->text}, side_of(b)};
        words_fill(w, N_("The bad run has %2$s from the %3$s (frame %1$s), the good run has not."), arg, 3);
    }
}

const struct finding *diff_cause(const struct comparison *c, const struct diff_view *v) {
    if (c->first < 0 || !v->bad) return NULL;
    const struct pairing *p = &c->pair[c->first];
    int64_t stream = p->bad < 0 || c->bad->list[p->bad].is_dns ? -1 : (int64_t)c->bad->list[p->bad].stream;
    for (uint32_t i = 0; i < v->bad->findings; i++) {
        const struct finding *f = &v->bad->finding[i];
        if (f->level > LEVEL_NOTE && f->stream == stream) return f;
    }
    return NULL;
}

/* list_label writes who asked (line 0) and whom (line 1). */
static void list_label(struct writer *w, const struct deed_list *l, int line, const struct diff_view *v) {
    struct endpoint client = {l->client, l->client_port}, server = {l->server, l->port};
    if (line) {
        wr_s(w, v->unicode ? "→ " : "-> ");
        endpoint_write(w, &server);
        if (!l->is_dns) wr_f(w, " (tcp.stream %u)", l->stream);
        return;
    }
    if (l->id.n) {
        print_string(w, slice_head(l->id, 40));
        wr_s(w, " ");
    }
    if (l->is_dns) addr_write(w, &client.addr);
    else endpoint_write(w, &client);
}

/* line_end ends a line that was put together in `line`, without the blanks at its end. */
static void line_end(struct writer *w, struct writer *line, const char *after) {
    struct slice s = wr_done(line);
    while (s.n && s.p[s.n - 1] == ' ') s.n--;
    wr_slice(w, s);
    wr_f(w, "%s\n", after);
    wr_free(line);
}

/* list_heads writes above both columns who spoke with whom. */
static void list_heads(struct writer *w, const struct comparison *c, const struct pairing *p, const struct diff_view *v,
                       size_t side) {
    const struct deed_list *list[] = {p->good >= 0 ? &c->good->list[p->good] : NULL,
                                      p->bad >= 0 ? &c->bad->list[p->bad] : NULL};
    for (int line = 0; line < 2; line++) {
        struct writer both = wr_grow();
        wr_f(w, "%s", paint(v, "\033[1m"));
        wr_spaces(&both, 2);
        for (int i = 0; i < 2; i++) {
            char text[TEXT_MAX];
            struct writer t = wr_fixed(text, sizeof text);
            if (list[i]) list_label(&t, list[i], line, v);
            text_cut(&both, wr_done(&t), side, v->unicode);
            if (!i) wr_spaces(&both, 3);
        }
        line_end(w, &both, paint(v, "\033[0m"));
    }
}

/* side_text writes one deed as half a line, cut to the width. */
static void side_text(struct writer *w, const struct deed *d, const struct diff_view *v, size_t width) {
    char text[TEXT_MAX];
    struct writer t = wr_fixed(text, sizeof text);
    if (!d) {
        wr_spaces(w, width);
        return;
    }
    const char *arrow = v->unicode ? (d->side ? "◀──" : "──▶") : d->side ? "<--" : "-->";
    wr_f(&t, "%6llu %s ", (unsigned long long)d->frame, arrow);
    wr_slice(&t, d->text);
    if (d->times) wr_f(&t, " x%u", d->times + 1);
    text_cut(w, wr_done(&t), width, v->unicode);
}

/* row_print prints a row; one that is missing and one that is new in its place share a line. It returns how many more
 * than one it printed. */
static uint32_t row_print(struct writer *w, const struct comparison *c, const struct pairing *p, const struct row *r,
                          const struct diff_view *v, size_t side) {
    const struct deed *g = deed_at(c->good, p->good, r->good), *b = deed_at(c->bad, p->bad, r->bad);
    bool instead = r->what == ROW_MISSING && r + 1 < p->row + p->rows && r[1].what == ROW_EXTRA;
    if (instead) b = deed_at(c->bad, p->bad, r[1].bad);
    bool differs = r->what != ROW_SAME && r->what != ROW_ALLOWED, first = r == &p->row[p->first];
    const char *mark = !differs ? " " : first ? (v->unicode ? "▶" : ">") : "*";
    struct writer line = wr_grow();
    wr_f(w, "%s", differs ? paint(v, first ? "\033[31;1m" : "\033[33m") : "");
    wr_f(&line, "%s ", mark);
    side_text(&line, g, v, side);
    wr_s(&line, v->unicode ? " │ " : " | ");
    side_text(&line, b, v, side);
    line_end(w, &line, differs ? paint(v, "\033[0m") : "");
    return instead;
}

static void pair_print(struct writer *w, const struct comparison *c, const struct pairing *p,
                       const struct diff_view *v) {
    size_t side = (v->width - 5) / 2 < SIDE_LEAST ? SIDE_LEAST : (v->width - 5) / 2;
    uint32_t before = BEFORE, from = v->all || p->first < before ? 0 : p->first - before,
             to = v->all || p->first + AFTER > p->rows ? p->rows : p->first + AFTER;
    wr_c(w, '\n');
    list_heads(w, c, p, v, side);
    if (from) wr_f(w, "  %s\n", v->unicode ? "⋮" : "...");
    for (uint32_t i = from; i < to; i++) i += row_print(w, c, p, &p->row[i], v, side);
    if (to < p->rows) wr_f(w, "  %s\n", v->unicode ? "⋮" : "...");
}

/* consequences counts what is missing or more behind the first difference. */
static void consequences(struct writer *w, const struct comparison *c, const struct diff_view *v) {
    uint64_t missing = 0, extra = 0, pairs = 0;
    char n[3][24];
    for (uint32_t i = 0; i < c->pairs; i++) {
        missing += c->pair[i].missing;
        extra += c->pair[i].extra;
        pairs += c->pair[i].first < c->pair[i].rows;
    }
    struct argument arg[] = {number(n[0], missing), number(n[1], extra), number(n[2], pairs)};
    struct writer t = wr_grow();
    words_fill(&t, N_("In all: steps of the good run that are missing: %1$s, new steps: %2$s, conversations: %3$s."),
               arg, 3);
    wr_f(w, "\n%s", paint(v, "\033[2m"));
    text_wrap(w, wr_done(&t), 0, v->width);
    wr_f(w, "%s", paint(v, "\033[0m"));
    wr_free(&t);
}

static void look(struct writer *w, const struct run *r, const struct deed *d, const struct diff_view *v) {
    if (!d || !strcmp(r->name, "-")) return;
    struct finding f = {.frames = 1, .frame = {d->frame}};
    struct explain_view view = {.file = r->name};
    wr_f(w, "  %s", paint(v, "\033[2m"));
    finding_command(w, &f, &view);
    wr_f(w, "%s\n", paint(v, "\033[0m"));
}

static void head(struct writer *w, const struct comparison *c, const struct diff_view *v) {
    const struct pairing *p = &c->pair[c->first];
    const struct row *r = &p->row[p->first];
    struct writer t = wr_grow();
    wr_f(w, "%s%s %s", paint(v, "\033[31;1m"), v->unicode ? "✗" : "x", paint(v, "\033[0m"));
    wr_f(w, "%s", paint(v, "\033[1m"));
    diff_sentence(&t, c, p, r);
    text_wrap(w, wr_done(&t), 2, v->width);
    wr_f(w, "%s", paint(v, "\033[0m"));
    const struct finding *f = diff_cause(c, v);
    if (f) {
        wr_reset(&t);
        finding_sentence(&t, f);
        wr_f(w, "  %s\n    ", finding_id(f));
        text_wrap(w, wr_done(&t), 4, v->width);
        wr_reset(&t);
        finding_next(&t, f);
        wr_s(w, "    ");
        size_t label = text_label(w, N_("Next:"));
        text_wrap(w, wr_done(&t), 4 + label, v->width);
    }
    wr_free(&t);
    const struct row *next = p->first + 1 < p->rows ? r + 1 : NULL;
    const struct deed *g = deed_at(c->good, p->good, r->good), *b = deed_at(c->bad, p->bad, r->bad);
    if (!b && next && next->what == ROW_EXTRA) b = deed_at(c->bad, p->bad, next->bad);
    if (!g && next && next->what == ROW_MISSING) g = deed_at(c->good, p->good, next->good);
    look(w, c->good, g, v);
    look(w, c->bad, b, v);
}

/* name_tail returns a file's name, without its folders where it is too long for its column. */
static struct slice name_tail(const char *name, size_t width) {
    const char *slash = strrchr(name, '/');
    if (strlen(name) > width && slash) name = slash + 1;
    size_t n = strlen(name);
    return slice_str(n > width ? name + n - width : name);
}

void diff_text(struct writer *w, struct comparison *c, const struct diff_view *v) {
    size_t side = (v->width - 5) / 2 < SIDE_LEAST ? SIDE_LEAST : (v->width - 5) / 2;
    if (c->first < 0) {
        wr_f(w, "%s%s%s ", paint(v, "\033[32;1m"), v->unicode ? "✓" : "+", paint(v, "\033[0m"));
        text_number(w, v->width, N_("The runs are the same, step by step. Conversations: %1$s."), c->pairs);
        if (!v->all) return;
    } else {
        head(w, c, v);
    }
    wr_f(w, "\n%s  ", paint(v, "\033[1m"));
    text_pad(w, name_tail(c->good->name, side), side + 3);
    wr_slice(w, name_tail(c->bad->name, side));
    wr_f(w, "%s\n", paint(v, "\033[0m"));
    if (c->first >= 0) pair_print(w, c, &c->pair[c->first], v);
    for (uint32_t i = 0; i < c->pairs; i++) {
        const struct pairing *p = &c->pair[i];
        if ((int32_t)i != c->first && (v->all || p->first < p->rows)) pair_print(w, c, p, v);
    }
    if (c->first >= 0) consequences(w, c, v);
    if (c->good->left_out || c->bad->left_out)
        text_number(w, v->width, N_("Conversations left out, for only so many are compared: %1$s"),
                    c->good->left_out + c->bad->left_out);
}
