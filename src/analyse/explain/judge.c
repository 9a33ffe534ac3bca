/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue, how findings are made, and the order they come in. */
#include "analyse/explain/judge.h"
#include "base/lines.h"
#include "base/moment.h"
#include "field/print.h"
#include "proto/mqtt/mqtt.h"

#include <stdlib.h>
#include <time.h>

#define CHECK(name, ident, st, lv, sc, bl, ti, te, ne)                                                                 \
    {.id = ident,                                                                                                      \
     .stage = STAGE_##st,                                                                                              \
     .level = LEVEL_##lv,                                                                                              \
     .scope = PER_##sc,                                                                                                \
     .blame = BLAME_##bl,                                                                                              \
     .title = ti,                                                                                                      \
     .text = te,                                                                                                       \
     .next = ne,                                                                                                       \
     .run = check_##name},
const struct check explain_checks[] = {
#include "analyse/explain/checks.def"
};
#undef CHECK
const size_t explain_checks_count = sizeof explain_checks / sizeof *explain_checks;
_Static_assert(sizeof explain_checks / sizeof *explain_checks <= 256, "said[] has a bit for every check");

const char *stage_name(enum stage s) {
    static const char *const names[] = {[STAGE_CAPTURE] = N_("capture"),
                                        [STAGE_LINK] = N_("network"),
                                        [STAGE_DNS] = "DNS",
                                        [STAGE_TCP] = "TCP",
                                        [STAGE_TLS] = "TLS",
                                        [STAGE_WEB] = "HTTP",
                                        [STAGE_MQTT] = "MQTT",
                                        [STAGE_LEG] = N_("delivery")};
    _Static_assert(sizeof names / sizeof *names == STAGES, "every stage has a name");
    return names[s];
}

const char *level_name(enum severity_level l) {
    static const char *const names[] = {
        [LEVEL_NOTE] = N_("note"), [LEVEL_WARNING] = N_("warning"), [LEVEL_ERROR] = N_("error")};
    _Static_assert(sizeof names / sizeof *names == LEVELS, "every level has a name");
    return names[l];
}

void addr_write(struct writer *w, const struct net_addr *a) {
    if (a->len == 4)
        print_ipv4(w, (uint32_t)a->bytes[0] << 24 | (uint32_t)a->bytes[1] << 16 | (uint32_t)a->bytes[2] << 8 |
                          a->bytes[3]);
    else if (a->len == 16) print_ipv6(w, a->bytes);
    else wr_c(w, '?');
}

void endpoint_write(struct writer *w, const struct endpoint *p) {
    if (p->addr.len == 16) wr_c(w, '[');
    addr_write(w, &p->addr);
    if (p->addr.len == 16) wr_c(w, ']');
    wr_c(w, ':');
    wr_u(w, p->port);
}

void conv_label(struct writer *w, const struct conv *c, int side) {
    if (side == CLIENT && c->mqtt && c->mqtt->client.n) {
        print_string(w, slice_head(c->mqtt->client, 64));
        wr_s(w, " (");
        endpoint_write(w, &c->end[side]);
        wr_c(w, ')');
    } else {
        endpoint_write(w, &c->end[side]);
    }
}

void time_write(struct writer *w, int64_t ns) {
    double s = (double)ns / 1e9;
    if (ns < MILLI) wr_f(w, "%.0f µs", s * 1e6);
    else if (ns < 10 * MILLI) wr_f(w, "%.1f ms", s * 1e3);
    else if (ns < SECOND) wr_f(w, "%.0f ms", s * 1e3);
    else if (s < 120) wr_f(w, "%.3g s", s);
    else if (s < 7200) wr_f(w, "%.3g min", s / 60);
    else if (s < 48 * 3600) wr_f(w, "%.3g h", s / 3600);
    else wr_f(w, "%.0f d", s / 86400);
}

static void say_writer(struct judge *j, struct finding *f, const struct writer *w) {
    if (f->args < FINDING_ARGS) f->arg[f->args++].text = arena_copy(&j->e->arena, wr_done(w));
}

void say_text(struct judge *j, struct finding *f, struct slice s) {
    char buf[3 * KEPT_TEXT];
    struct writer w = wr_fixed(buf, sizeof buf);
    print_string(&w, slice_head(s, KEPT_TEXT));
    say_writer(j, f, &w);
}

void say_number(struct judge *j, struct finding *f, uint64_t v) {
    char buf[24];
    struct writer w = wr_fixed(buf, sizeof buf);
    wr_u(&w, v);
    say_writer(j, f, &w);
}

void say_time(struct judge *j, struct finding *f, int64_t ns) {
    char buf[40];
    struct writer w = wr_fixed(buf, sizeof buf);
    time_write(&w, ns);
    say_writer(j, f, &w);
}

void say_clock(struct judge *j, struct finding *f, int64_t ts) {
    char buf[40];
    struct tm tm;
    struct moment_clock at = moment_clock(moment_of(ts, j->e->era));
    time_t t = (time_t)at.seconds;
    localtime_r(&t, &tm);
    size_t n = strftime(buf, sizeof buf, "%H:%M:%S", &tm);
    struct writer w = wr_fixed(buf + n, sizeof buf - n);
    wr_f(&w, ".%03d", (int)(at.ns / MILLI));
    say_text(j, f, slice_of(buf, n + wr_len(&w)));
}

void say_words(struct finding *f, const char *words) {
    if (f->args < FINDING_ARGS) f->arg[f->args++] = (struct argument){.text = slice_str(words), .words = true};
}

void say_endpoint(struct judge *j, struct finding *f, const struct endpoint *p) {
    char buf[80];
    struct writer w = wr_fixed(buf, sizeof buf);
    endpoint_write(&w, p);
    say_writer(j, f, &w);
}

void say_addr(struct judge *j, struct finding *f, const struct net_addr *a) {
    char buf[80];
    struct writer w = wr_fixed(buf, sizeof buf);
    addr_write(&w, a);
    say_writer(j, f, &w);
}

void cite(struct finding *f, const struct mark *m) {
    if (!m->frame) return;
    for (unsigned i = 0; i < f->frames; i++)
        if (f->frame[i] == m->frame) return;
    if (f->frames < FINDING_FRAMES) f->frame[f->frames++] = m->frame;
    if (m->ts > f->ts) f->ts = m->ts;
}

/* room returns where the next finding goes; where there is no more room a note gives way to what is worse. */
static struct finding *room(struct judge *j) {
    struct explain *e = j->e;
    if (e->findings < FINDINGS_MAX) return &e->finding[e->findings++];
    e->left_out++;
    if (j->check->level == LEVEL_NOTE) return &j->spare;
    while (e->graver < e->findings && e->finding[e->graver].level > LEVEL_NOTE) e->graver++;
    return e->graver < e->findings ? &e->finding[e->graver] : &j->spare;
}

static void sides_say(struct judge *j, struct finding *f) {
    for (int side = 0; side < 2; side++) {
        char buf[512];
        struct writer w = wr_fixed(buf, sizeof buf);
        conv_label(&w, j->c, side);
        say_writer(j, f, &w);
    }
}

struct finding *found(struct judge *j) {
    size_t n = (size_t)(j->check - explain_checks);
    uint64_t bit = (uint64_t)1 << (n & 63), *said = j->c ? j->c->said : NULL;
    bool seen = said && (said[n >> 6] & bit);
    bool shown = !j->c || explain_chosen(j->e, j->c);
    if (j->n && j->e->filtered) shown = j->n->selected;
    const struct conv *publisher = j->t ? explain_conv(j->e, j->t->stream) : NULL;
    if (publisher) shown = explain_chosen(j->e, publisher);
    struct finding *f = seen || !shown ? &j->spare : room(j);
    if (said) said[n >> 6] |= bit;
    *f = (struct finding){.check = (uint16_t)n,
                          .level = j->check->level,
                          .blame = j->check->blame,
                          .stream = -1,
                          .text = j->check->text,
                          .next = j->check->next};
    if (j->c) {
        f->stream = j->c->stream;
        sides_say(j, f);
    }
    return f;
}

static bool device_port(uint16_t port) { return port == 1883 || port == 8883; }

/* settle takes over into the conversation what a check decided about its finding. */
static void settle(struct explain *e, struct finding *f) {
    struct conv *c = f->stream >= 0 ? explain_conv(e, (uint32_t)f->stream) : NULL;
    f->matters = explain_checks[f->check].scope == PER_TOPIC || (c && (c->mqtt || device_port(c->end[SERVER].port)));
    if (!c) return;
    if (f->level + 1 > c->worst) c->worst = f->level + 1;
    if (f->level == LEVEL_ERROR) c->failed |= (uint8_t)(1 << explain_checks[f->check].stage);
}

bool quiet_for(const struct judge *j, const struct mark *m, double seconds) {
    return (double)(j->now - m->ts) >= seconds * 1e9 || (j->c && conv_closed(j->c));
}

bool conv_closed(const struct conv *c) {
    for (int side = 0; side < 2; side++)
        if (mark_set(&c->half[side].fin) || mark_set(&c->half[side].rst)) return true;
    return false;
}

bool conv_handshaken(const struct conv *c) { return mark_set(&c->half[SERVER].syn) && mark_set(&c->half[CLIENT].syn); }

bool conv_is_mqtt(const struct conv *c) { return c->mqtt && (mark_set(&c->mqtt->connect) || !c->from_start); }

static void run(struct judge *j, enum scope scope) {
    struct explain *e = j->e;
    for (size_t i = 0; i < explain_checks_count; i++) {
        if (explain_checks[i].scope != scope) continue;
        uint32_t before = e->findings;
        j->check = &explain_checks[i];
        j->check->run(j);
        for (; before < e->findings; before++) {
            settle(e, &e->finding[before]);
            if (e->told) e->told(e->told_to, &e->finding[before]);
        }
    }
}

void judge_conv(struct explain *e, struct conv *c, bool final) {
    struct judge j = {.e = e, .c = c, .final = final, .now = e->last.ts};
    run(&j, PER_CONV);
}

void explain_tick(struct explain *e, int64_t now) {
    for (size_t i = 0; i < CONVS_MAX; i++) {
        struct conv *c = e->conv[i];
        if (!c || now - c->last.ts > 600 * SECOND) continue;
        struct judge j = {.e = e, .c = c, .now = now};
        run(&j, PER_CONV);
    }
}

static int compare_time(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

enum { MEDIAN_LEAST = 3 };

static void median_find(struct explain *e) {
    int64_t *times = malloc(CONVS_MAX * sizeof *times);
    size_t n = 0;
    for (size_t i = 0; times && i < CONVS_MAX; i++)
        if (e->conv[i] && e->conv[i]->syn_rtt > 0) times[n++] = e->conv[i]->syn_rtt;
    if (n >= MEDIAN_LEAST) {
        qsort(times, n, sizeof *times, compare_time);
        e->rtt_median = times[n / 2];
    }
    free(times);
}

/* Worst first; within a level the stage that comes first on the way, since what follows is often its consequence. */
static int compare_finding(const void *a, const void *b) {
    const struct finding *x = a, *y = b;
    if (x->level != y->level) return y->level - x->level;
    if (x->matters != y->matters) return y->matters - x->matters;
    int stage = explain_checks[x->check].stage - explain_checks[y->check].stage;
    if (stage) return stage;
    uint64_t f = x->frames ? x->frame[0] : 0, g = y->frames ? y->frame[0] : 0;
    return f != g ? (f > g) - (f < g) : x->check - y->check;
}

void judge_ahead(const struct explain *e, uint32_t stream) {
    const struct conv *next = e->conv[(stream + 1) % CONVS_MAX], *after = e->conv[(stream + 2) % CONVS_MAX];
    if (after) lines_ask(after, sizeof *after);
    if (next && next->mqtt) lines_ask(next->mqtt, sizeof *next->mqtt);
}

void explain_finish(struct explain *e) {
    median_find(e);
    struct judge j = {.e = e, .final = true, .now = e->last.ts};
    for (uint32_t i = 0; i < e->names; i++) {
        j.n = &e->name[i];
        run(&j, PER_NAME);
    }
    j.n = NULL;
    for (size_t i = 0; i < CONVS_MAX; i++) {
        judge_ahead(e, (uint32_t)i);
        if (e->conv[i]) judge_conv(e, e->conv[i], true);
    }
    for (uint32_t i = 0; i < e->topics; i++) {
        j.t = &e->topic[i];
        run(&j, PER_TOPIC);
    }
    j.t = NULL;
    run(&j, PER_CAPTURE);
    qsort(e->finding, e->findings, sizeof *e->finding, compare_finding);
    for (uint32_t i = 0; i < e->findings; i++) e->per_level[e->finding[i].level]++;
}
