/* SPDX-License-Identifier: Apache-2.0 */
/* explain for a terminal: the verdict first, who is who, then the conversations, worst first. */
#include "analyse/explain/judge.h"
#include "field/print.h"
#include "view/story/explain_view.h"
#include "view/words.h"

#include <stdlib.h>
#include <time.h>

enum { SHOWN_CONVS = 10, SHOWN_ROLES = 12, TOLD_MAX = 64, LIST_ID = 34, LIST_LEVEL = 9 };

static const char *paint(const struct explain_view *v, const char *code) { return v->color ? code : ""; }
static const char *const level_paint[LEVELS] = {
    [LEVEL_NOTE] = "\033[36m", [LEVEL_WARNING] = "\033[33;1m", [LEVEL_ERROR] = "\033[31;1m"};
#define PLAIN "\033[0m"
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define GREEN "\033[32;1m"

const char *finding_id(const struct finding *f) {
    return f->check < explain_checks_count ? explain_checks[f->check].id : "verdict";
}

void finding_confidence(struct writer *w, const struct finding *f) {
    if (f->confidence == SURE) return;
    struct argument arg = {.text = slice_str(f->confidence == LIKELY ? N_("likely") : N_("a guess")), .words = true};
    words_fill(w, N_(" (%1$s)"), &arg, 1);
}

void finding_sentence(struct writer *w, const struct finding *f) { words_fill(w, f->text, f->arg, f->args); }
void finding_next(struct writer *w, const struct finding *f) { words_fill(w, f->next, f->arg, f->args); }

/* quoted writes a file name so that a shell takes it as one word. */
static void quoted(struct writer *w, const char *s) {
    bool plain = *s != 0;
    for (const char *p = s; *p; p++)
        plain &= (*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') || strchr("._-/+,:=@", *p) != NULL;
    if (plain) {
        wr_s(w, s);
        return;
    }
    wr_c(w, '\'');
    for (; *s; s++) {
        if (*s == '\'') wr_s(w, "'\\''");
        else wr_c(w, *s);
    }
    wr_c(w, '\'');
}

bool finding_command(struct writer *w, const struct finding *f, const struct explain_view *view) {
    if (!view->file || !f->frames) return false;
    wr_s(w, "weir read -r ");
    quoted(w, view->file);
    wr_s(w, " -Y 'frame.number in {");
    for (unsigned i = 0; i < f->frames; i++) wr_f(w, "%s%llu", i ? ", " : "", (unsigned long long)f->frame[i]);
    wr_s(w, "}'");
    return true;
}

static struct slice level_title(enum severity_level l) { return slice_str(words(level_name(l))); }

/* detail writes next step and command below a sentence. */
static void detail(struct writer *w, const struct finding *f, const struct explain_view *v, size_t indent) {
    struct writer t = wr_grow();
    finding_next(&t, f);
    if (wr_len(&t)) {
        wr_spaces(w, indent);
        wr_s(w, paint(v, BOLD));
        size_t label = text_label(w, N_("Next:"));
        wr_s(w, paint(v, PLAIN));
        text_wrap(w, wr_done(&t), indent + label, v->width);
    }
    wr_reset(&t);
    if (finding_command(&t, f, v)) {
        wr_spaces(w, indent);
        wr_f(w, "%s", paint(v, DIM));
        wr_slice(w, wr_done(&t));
        wr_f(w, "%s\n", paint(v, PLAIN));
    }
    wr_free(&t);
}

/* sentence writes what a finding says, from `column` on. */
static void sentence(struct writer *w, const struct finding *f, const struct explain_view *v, size_t column,
                     size_t indent) {
    struct writer t = wr_grow();
    finding_sentence(&t, f);
    finding_confidence(&t, f);
    text_wrap_from(w, wr_done(&t), column, indent, v->width);
    wr_free(&t);
}

static void finding_print(struct writer *w, const struct finding *f, const struct explain_view *v, size_t indent) {
    wr_spaces(w, indent);
    wr_f(w, "%s", paint(v, level_paint[f->level]));
    wr_slice(w, level_title(f->level));
    wr_f(w, "%s  %s\n", paint(v, PLAIN), finding_id(f));
    wr_spaces(w, indent + 2);
    sentence(w, f, v, indent + 2, indent + 2);
    detail(w, f, v, indent + 2);
}

static const char *mark_of_level(const struct explain_view *v, int worst) {
    if (!v->unicode) return worst == 3 ? "x" : worst == 2 ? "!" : "+";
    return worst == 3 ? "✗" : worst == 2 ? "!" : "✓";
}

static const char *paint_of_level(const struct explain_view *v, int worst) {
    return paint(v, worst == 3 ? level_paint[LEVEL_ERROR] : worst == 2 ? level_paint[LEVEL_WARNING] : GREEN);
}

static void verdict_print(struct writer *w, struct explain *e, const struct explain_view *v) {
    bool fine;
    const struct finding *f = explain_verdict(e, &fine);
    bool nothing = e->filtered && !e->chosen; /* is said of nobody */
    int worst = !fine ? f->level + 1 : nothing ? 2 : 0;
    wr_f(w, "%s%s ", paint_of_level(v, worst), mark_of_level(v, worst));
    if (!fine) {
        wr_slice(w, level_title(f->level));
        wr_s(w, words(N_(": ")));
    }
    wr_f(w, "%s%s", paint(v, PLAIN), paint(v, BOLD));
    sentence(w, f, v, fine ? 2 : 4 + text_width(level_title(f->level)), 2);
    wr_f(w, "%s", paint(v, PLAIN));
    detail(w, f, v, 2);
}

static void capture_print(struct writer *w, struct explain *e, const struct explain_view *v) {
    char num[4][32];
    struct argument arg[4];
    int64_t span = e->last.ts - e->first.ts;
    for (int i = 0; i < 4; i++) {
        struct writer t = wr_fixed(num[i], sizeof num[i]);
        if (i == 2) time_write(&t, span < 0 ? 0 : span);
        else
            wr_u(&t, i == 0   ? e->packets
                     : i == 1 ? e->chosen
                              : e->per_level[LEVEL_ERROR] + e->per_level[LEVEL_WARNING]);
        if (i == 1 && e->filtered) wr_f(&t, "/%llu", (unsigned long long)e->convs);
        arg[i] = (struct argument){.text = wr_done(&t)};
    }
    wr_f(w, "%s", paint(v, DIM));
    words_fill(w, N_("Packets: %1$s in %3$s; TCP conversations: %2$s; findings: %4$s"), arg, 4);
    wr_f(w, "%s\n", paint(v, PLAIN));
}

/* roles_find's order: a broker, then its clients as they came. */
static bool broker_known(const struct role *r, size_t n, const struct endpoint *p) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(r[i].name, "broker") && endpoint_same(&r[i].c->end[SERVER], p)) return true;
    return false;
}

static struct role role_of(const struct explain *e, const struct conv *c) {
    const struct mqtt_rec *m = c->mqtt;
    struct role r = {.name = N_("client"), .c = c};
    bool publishes = m->publishes[CLIENT] > 0, subscribes = m->filters > 0 || m->publishes[SERVER] > 0;
    if (publishes && subscribes) r.name = N_("publisher and subscriber");
    else if (publishes) r.name = N_("publisher");
    else if (subscribes) r.name = N_("subscriber");
    if (m->filters) {
        r.topic = e->filter[m->filter[0]].filter;
        r.more = m->filters - 1u;
    }
    for (uint32_t i = 0; m->topic && !subscribes && i < e->topics; i++)
        r.more += e->topic[i].stream == c->stream && i + 1u != m->topic;
    if (m->topic && !subscribes) r.topic = e->topic[m->topic - 1].topic;
    return r;
}

size_t roles_find(const struct explain *e, struct role *out, size_t max, size_t *all) {
    size_t n = 0;
    *all = 0;
    for (size_t i = 0; i < CONVS_MAX && n < max; i++) {
        const struct conv *c = e->conv[i];
        if (c && c->mqtt && explain_chosen(e, c) && !broker_known(out, n, &c->end[SERVER]))
            out[n++] = (struct role){.name = N_("broker"), .c = c};
    }
    *all = n;
    for (size_t i = 0; i < CONVS_MAX; i++) {
        const struct conv *c = e->conv[i];
        if (!c || !c->mqtt || !explain_chosen(e, c)) continue;
        ++*all;
        if (n < max) out[n++] = role_of(e, c);
    }
    return n;
}

enum { ROLE_LABEL = 34, ROLE_LABEL_MOST = 60 };

static void role_label(struct writer *w, const struct role *r) {
    conv_label(w, r->c, !strcmp(r->name, "broker") ? SERVER : CLIENT);
}

/* role_print writes one line, or two where the topics would pass the edge of the terminal. */
static void role_print(struct writer *w, const struct role *r, size_t name_width, size_t label_width,
                       const struct explain_view *v) {
    char text[512], topic_text[3 * KEPT_TEXT];
    struct writer label = wr_fixed(text, sizeof text), topic = wr_fixed(topic_text, sizeof topic_text);
    wr_s(w, "  ");
    text_pad(w, slice_str(words(r->name)), name_width + 2);
    role_label(&label, r);
    print_string(&topic, r->topic);
    if (r->more) wr_f(&topic, " +%u", r->more);
    size_t at = name_width + 4, used = text_width(wr_done(&label));
    if (used < label_width) used = label_width;
    if (!r->topic.n) {
        wr_slice(w, wr_done(&label));
    } else if (at + used + 2 + text_width(wr_done(&topic)) <= v->width) {
        text_pad(w, wr_done(&label), used + 2);
    } else {
        wr_slice(w, wr_done(&label));
        wr_c(w, '\n');
        wr_spaces(w, at + 2);
    }
    wr_slice(w, wr_done(&topic));
    wr_c(w, '\n');
}

static void roles_print(struct writer *w, const struct explain *e, const struct explain_view *v) {
    struct role roles[ROLES_MAX];
    size_t all, n = roles_find(e, roles, v->verbose ? ROLES_MAX : SHOWN_ROLES, &all), width = 0, labels = 0;
    if (!n) return;
    wr_f(w, "\n%s%s%s\n", paint(v, BOLD), words(N_("Roles")), paint(v, PLAIN));
    for (size_t i = 0; i < n; i++) {
        size_t k = text_width(slice_str(words(roles[i].name)));
        if (k > width) width = k;
        char text[512];
        struct writer label = wr_fixed(text, sizeof text);
        role_label(&label, &roles[i]);
        k = text_width(wr_done(&label));
        if (k > labels && k <= (v->width >= 100 ? ROLE_LABEL_MOST : ROLE_LABEL)) labels = k;
    }
    for (size_t i = 0; i < n; i++) role_print(w, &roles[i], width, labels, v);
    if (all > n) {
        char num[24];
        struct writer t = wr_fixed(num, sizeof num);
        wr_u(&t, all - n);
        struct argument arg = {.text = wr_done(&t)};
        wr_s(w, "  ");
        words_fill(w, N_("and %1$s more (-v shows them)"), &arg, 1);
        wr_c(w, '\n');
    }
}

static int compare_conv(const void *a, const void *b) {
    const struct conv *x = *(const struct conv *const *)a, *y = *(const struct conv *const *)b;
    if (x->worst != y->worst) return y->worst - x->worst;
    if (!x->mqtt != !y->mqtt) return !x->mqtt - !y->mqtt;
    return (x->stream > y->stream) - (x->stream < y->stream);
}

static size_t convs_with_findings(const struct explain *e, enum severity_level least, const struct conv **out,
                                  size_t max, size_t *all) {
    const struct conv **list = malloc(CONVS_MAX * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list && i < CONVS_MAX; i++)
        if (e->conv[i] && e->conv[i]->worst > least) list[n++] = e->conv[i];
    *all = n;
    if (n) qsort(list, n, sizeof *list, compare_conv);
    if (n > max) n = max;
    for (size_t i = 0; i < n; i++) out[i] = list[i];
    free(list);
    return n;
}

static size_t stages_width(const struct explain *e, const struct conv *c) {
    size_t n = 0;
    for (enum stage s = STAGE_DNS; s < STAGES; s++)
        if (conv_stage(e, c, s) != STAGE_ABSENT) n += text_width(slice_str(words(stage_name(s)))) + 4;
    return n;
}

static void stages_print(struct writer *w, const struct explain *e, const struct conv *c,
                         const struct explain_view *v) {
    for (enum stage s = STAGE_DNS; s < STAGES; s++) {
        enum stage_state state = conv_stage(e, c, s);
        if (state == STAGE_ABSENT) continue;
        const char *mark =
            state == STAGE_UNSEEN ? (v->unicode ? "·" : "?") : mark_of_level(v, state == STAGE_FAILED ? 3 : 0);
        wr_f(w, "  %s %s%s%s", words(stage_name(s)),
             state == STAGE_UNSEEN ? "" : paint_of_level(v, state == STAGE_FAILED ? 3 : 0), mark, paint(v, PLAIN));
    }
}

static void conv_head(struct writer *w, const struct explain *e, const struct conv *c, const struct explain_view *v) {
    wr_f(w, "%s%s%s tcp.stream %u  ", paint_of_level(v, c->worst), mark_of_level(v, c->worst), paint(v, PLAIN),
         c->stream);
    char text[1024];
    struct writer sides = wr_fixed(text, sizeof text);
    conv_label(&sides, c, CLIENT);
    wr_s(&sides, v->unicode ? " → " : " -> ");
    conv_label(&sides, c, SERVER);
    wr_f(w, "%s", paint(v, BOLD));
    wr_slice(w, wr_done(&sides));
    wr_f(w, "%s", paint(v, PLAIN));
    enum { NUMBERED = 21 }; /* what stands before them, with a number of five digits */
    if (NUMBERED + text_width(wr_done(&sides)) + stages_width(e, c) > v->width) wr_s(w, "\n  ");
    stages_print(w, e, c, v);
    wr_c(w, '\n');
}

/* told_before tells whether the same was said, with the same next step, of a conversation that stands above. */
static bool told_before(const struct finding **told, size_t *n, const struct finding *f) {
    for (size_t i = 0; i < *n; i++)
        if (told[i]->check == f->check && told[i]->text == f->text && told[i]->next == f->next) return true;
    if (*n < TOLD_MAX) told[(*n)++] = f;
    return false;
}

static void finding_line(struct writer *w, const struct finding *f, const char *remark, const struct explain_view *v,
                         size_t indent) {
    wr_spaces(w, indent);
    wr_f(w, "%s", paint(v, level_paint[f->level]));
    wr_slice(w, level_title(f->level));
    wr_f(w, "%s  %s%s%s\n", paint(v, PLAIN), finding_id(f), *remark ? "  " : "", words(remark));
}

static void conv_print(struct writer *w, const struct explain *e, const struct conv *c, const struct finding *cause,
                       enum severity_level least, const struct finding **told, size_t *n_told,
                       const struct explain_view *v) {
    conv_head(w, e, c, v);
    for (uint32_t i = 0; i < e->findings; i++) {
        const struct finding *f = &e->finding[i];
        if (f->stream != (int64_t)c->stream || f->level < least) continue;
        bool before = told_before(told, n_told, f);
        if (f == cause) finding_line(w, f, N_("(the verdict above)"), v, 4);
        else if (before && !v->verbose) finding_line(w, f, N_("(as above; -v says it in full)"), v, 4);
        else finding_print(w, f, v, 4);
    }
}

static void convs_print(struct writer *w, struct explain *e, const struct finding *cause,
                        const struct explain_view *v) {
    const struct conv *list[256];
    enum severity_level least = v->verbose ? LEVEL_NOTE : LEVEL_WARNING;
    size_t all, n = convs_with_findings(e, least, list, v->verbose ? 256 : SHOWN_CONVS, &all);
    if (n) wr_f(w, "\n%s%s%s\n", paint(v, BOLD), words(N_("Conversations")), paint(v, PLAIN));
    const struct finding *told[TOLD_MAX];
    size_t n_told = 0;
    if (cause->stream >= 0) told[n_told++] = cause;
    for (size_t i = 0; i < n; i++) conv_print(w, e, list[i], cause, least, told, &n_told, v);
    if (all > n) text_number(w, v->width, N_("Further conversations with findings: %1$s (-v shows more)"), all - n);
    if (e->chosen > all && all)
        text_number(w, v->width,
                    v->verbose ? N_("Other conversations: %1$s, nothing to say of them")
                               : N_("Other conversations: %1$s, nothing wrong with them"),
                    e->chosen - all);
}

static void others_print(struct writer *w, const struct explain *e, const struct finding *cause,
                         const struct explain_view *v) {
    bool any = false;
    for (uint32_t i = 0; i < e->findings; i++) {
        const struct finding *f = &e->finding[i];
        if (f->stream >= 0 || f == cause || !finding_shown(f, v)) continue;
        if (!any) wr_f(w, "\n%s%s%s\n", paint(v, BOLD), words(N_("The capture")), paint(v, PLAIN));
        any = true;
        finding_print(w, f, v, 2);
    }
}

static void report_print(struct writer *w, struct explain *e, const struct explain_view *v) {
    bool fine;
    const struct finding *cause = explain_verdict(e, &fine);
    verdict_print(w, e, v);
    wr_c(w, '\n');
    capture_print(w, e, v);
    roles_print(w, e, v);
    convs_print(w, e, cause, v);
    others_print(w, e, cause, v);
    uint32_t left_out = 0;
    for (uint32_t i = 0; i < e->findings; i++) left_out += !finding_shown(&e->finding[i], v);
    if (left_out) {
        wr_c(w, '\n');
        wr_f(w, "%s", paint(v, DIM));
        text_number(w, v->width, N_("Notes not shown: %1$s (-v shows them)"), left_out);
        wr_f(w, "%s", paint(v, PLAIN));
    }
}

void explain_text(struct writer *w, struct explain *e, const struct explain_view *v) {
    if (!v->rows) return report_print(w, e, v);
    struct writer t = wr_grow();
    report_print(&t, e, v);
    struct slice all = wr_done(&t);
    size_t lines = 0;
    for (size_t i = 0; i < all.n; i++) lines += all.p[i] == '\n';
    wr_slice(w, all);
    wr_free(&t);
    if (lines < v->rows) return;
    wr_c(w, '\n'); /* the first line has left the screen */
    verdict_print(w, e, v);
}

void explain_one(struct writer *w, const struct finding *f, bool again, const struct explain_view *v) {
    char clock[16];
    time_t t = (time_t)(f->ts / SECOND);
    struct tm tm;
    if (!finding_shown(f, v)) return;
    localtime_r(&t, &tm);
    if (f->ts && strftime(clock, sizeof clock, "%H:%M:%S", &tm)) wr_f(w, "%s  ", clock);
    if (!again || v->verbose) {
        finding_print(w, f, v, 0);
        return;
    }
    finding_line(w, f, "", v, 0);
    wr_spaces(w, 2);
    sentence(w, f, v, 2, 2);
}

void explain_list(struct writer *w, const struct explain_view *v) {
    for (enum stage s = 0; s < STAGES; s++) {
        wr_f(w, "%s%s%s\n", paint(v, BOLD), words(stage_name(s)), paint(v, PLAIN));
        for (size_t i = 0; i < explain_checks_count; i++) {
            const struct check *c = &explain_checks[i];
            if (c->stage != s) continue;
            wr_s(w, "  ");
            text_pad(w, slice_str(c->id), LIST_ID);
            text_pad(w, slice_str(words(level_name(c->level))), LIST_LEVEL);
            text_wrap(w, slice_str(words(c->title)), 2 + LIST_ID + LIST_LEVEL, v->width);
        }
    }
}
