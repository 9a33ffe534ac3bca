/* SPDX-License-Identifier: Apache-2.0 */
/* Answers from a whole capture: statistics, findings, a conversation. */
#include "analyse/events.h"
#include "analyse/explain/explain.h"
#include "analyse/follow.h"
#include "analyse/stats/stats_io.h"
#include "serve/web/web_pick.h"
#include "view/mqtt_talk.h"
#include "view/stats/tables.h"
#include "view/story/explain_view.h"
#include <stdlib.h>

/* ---- statistics ---- */

static void kinds_tell(struct web_request *q) {
    char text[512];
    struct writer w = wr_fixed(text, sizeof text - 1);
    for (size_t i = 0; stats_kinds[i]; i++) wr_f(&w, "%s%s", i ? ", " : "", stats_kinds[i]->name);
    *w.p = 0;
    web_problem(q, 404, "what can be counted: %s", text);
}

static void tables_json(struct web_request *q, const struct stats_ops *ops, void *state, const struct web_reading *r) {
    struct writer *w = &q->reply.w;
    struct table *all = ops->tables(state);
    if (!all) return web_problem(q, 500, "out of memory");
    wr_s(w, "{\"tables\":[");
    for (struct table *t = all; t; t = t->next) {
        wr_s(w, t == all ? "\n{\"name\":" : ",\n{\"name\":");
        json_text(w, slice_str(t->name));
        wr_s(w, ",\"title\":");
        json_text(w, slice_str(t->title));
        wr_s(w, ",\"rows\":");
        table_json(w, t);
        wr_s(w, ",\"note\":");
        json_text(w, slice_str(t->short_of_memory ? "not complete: out of memory" : t->note));
        wr_c(w, '}');
    }
    wr_f(w, "],\"packets\":%llu", (unsigned long long)r->packets);
    web_reading_note(w, r);
    wr_s(w, "}\n");
    table_free(all);
}

static void count(struct web_request *q, const char *path, const struct stats_ops *ops, void *state,
                  struct expr *filter) {
    struct want want = {0};
    const struct decode *d;
    ops->want(state, &want);
    if (filter) want_union(&want, expr_want(filter));
    struct web_reading *r = web_reading_open(q, path, &want);
    if (!r) return;
    while ((d = web_reading_next(r)))
        if (!filter || expr_match(filter, d->out)) ops->packet(state, d, r->begin);
    tables_json(q, ops, state, r);
    web_reading_close(r);
}

/* asked is what the query says beside the filter. */
struct asked {
    struct stats_args args;
    const char *column[IO_COLUMNS_MAX];
};

static enum MHD_Result column_take(void *to, enum MHD_ValueKind kind, const char *key, const char *value) {
    struct asked *a = to;
    (void)kind;
    if (!strcmp(key, "column") && a->args.n_columns < IO_COLUMNS_MAX)
        a->column[a->args.n_columns++] = value ? value : "";
    return MHD_YES;
}

/* args_read: interval and columns are io's, overhead is volume's; the others take no notice. */
static bool args_read(struct web_request *q, struct asked *a) {
    const char *interval = web_query(q, "interval");
    char *end = NULL;
    double seconds = interval ? strtod(interval, &end) : 1;
    if (interval && (end == interval || *end || !(seconds >= 1e-6 && seconds < 1e9)))
        return web_problem(q, 400, "interval: expected seconds, from 0.000001"), false;
    if (!web_number(q, "overhead", 0, 65535, &a->args.overhead)) return false;
    a->args.interval = (int64_t)(seconds * 1e9 + 0.5);
    mhd.get_connection_values(q->c, MHD_GET_ARGUMENT_KIND, column_take, a);
    a->args.columns = a->column;
    return true;
}

void web_stats(struct web_request *q, const char *path, const char *kind, const char *which) {
    const struct stats_ops *ops = stats_find(kind);
    struct asked asked = {.args.which = which};
    char text[256];
    struct writer why = wr_fixed(text, sizeof text - 1);
    struct expr *filter = NULL;
    if (!ops) return kinds_tell(q);
    if (!args_read(q, &asked) || !web_filter(q, &filter)) return;
    void *state = calloc(1, ops->state_size);
    if (!state) {
        web_problem(q, 500, "out of memory");
    } else if (ops->start(state, &asked.args, &why)) {
        *why.p = 0;
        web_problem(q, 400, "%s: %s", ops->name, text);
        ops->end(state);
    } else {
        count(q, path, ops, state, filter);
        ops->end(state);
    }
    free(state);
    expr_free(filter);
}

/* ---- findings ---- */

static void explain_all(struct web_request *q, const char *path, const char *name, struct explain *e,
                        struct packet_events *events, const struct expr *filter) {
    struct want want = {0};
    const struct decode *d;
    struct explain_view view = {.file = name, .width = 100};
    events_want(&want);
    if (filter) want_union(&want, expr_want(filter));
    struct web_reading *r = web_reading_open(q, path, &want);
    if (!r) return;
    e->filtered = filter != NULL;
    while ((d = web_reading_next(r))) {
        events_read(events, d);
        explain_packet(e, events, !filter || expr_match(filter, d->out), d->pkt->has_drops ? d->pkt->drops : 0);
    }
    explain_finish(e);
    explain_json(&q->reply.w, e, &view);
    web_reading_close(r);
}

void web_explain(struct web_request *q, const char *path, const char *name) {
    struct expr *filter = NULL;
    if (!web_filter(q, &filter)) return;
    struct explain *e = calloc(1, sizeof *e);
    struct packet_events *events = malloc(sizeof *events);
    bool made = e && events && explain_make(e) == OK;
    if (made) explain_all(q, path, name, e, events, filter);
    else web_problem(q, 500, "out of memory");
    if (e) explain_free(e);
    free(events);
    free(e);
    expr_free(filter);
}

/* ---- conversations ---- */

struct following {
    struct web_request *q;
    uint64_t pieces;
    bool cut;
};

static bool room_for_piece(struct following *f) {
    if (wr_len(&f->q->reply.w) > WEB_FOLLOW_MAX) f->cut = true;
    if (f->cut) return false;
    wr_s(&f->q->reply.w, f->pieces++ ? ",\n" : "\n");
    return true;
}

static void chunk_take(void *to, const struct follow *follow, const struct follow_chunk *c) {
    struct following *f = to;
    (void)follow;
    if (!room_for_piece(f)) return;
    struct writer *w = &f->q->reply.w;
    wr_f(w, "{\"side\":%d,\"frame\":%llu,\"text\":", c->side, (unsigned long long)c->frame);
    json_text(w, c->bytes);
    wr_s(w, ",\"hex\":\"");
    wr_hexbytes(w, c->bytes, 0);
    wr_s(w, "\"}");
}

static void turn_take(void *to, const struct mqtt_talk *talk, const struct mqtt_turn *turn) {
    struct following *f = to;
    (void)talk;
    if (room_for_piece(f)) mqtt_turn_json(&f->q->reply.w, turn);
}

static void follow_finish(struct following *f, const struct web_reading *r, const struct talk_addr *a,
                          const struct talk_addr *b) {
    struct writer *w = &f->q->reply.w;
    if (!f->pieces && !a) return web_problem(f->q, 404, "no such conversation");
    wr_s(w, "\n],\"ends\":[");
    if (a) {
        talk_addr_json(w, a);
        wr_c(w, ',');
        talk_addr_json(w, b);
    }
    wr_f(w, "],\"complete\":%s", f->cut ? "false" : "true");
    web_reading_note(w, r);
    wr_s(w, "}\n");
}

/* talking is a conversation being read: with an index only its own frames are. */
struct talking {
    struct web_reading *r;
    struct web_index *index;
    struct web_pick pick;
    bool picked;
};

/* talk_open begins to read conversation `stream`; false after a problem. */
static bool talk_open(struct talking *t, struct web_request *q, const char *path, const struct want *want, bool tcp,
                      uint32_t stream) {
    struct web_index *x = web_index_of(q->web, path);
    bool whole = x && web_index_wait(x, 0, web_gone_away, q);
    t->picked = false;
    t->r = web_reading_open(q, path, want);
    if (t->r && whole && !(t->picked = web_pick_begin(&t->pick, t->r, x))) {
        web_reading_close(t->r); /* its first packet is read */
        t->r = web_reading_open(q, path, want);
    }
    if (t->picked) web_pick_stream(&t->pick, tcp, stream);
    t->index = x;
    if (!t->r) web_index_release(x);
    return t->r != NULL;
}

static const struct decode *talk_next(struct talking *t) {
    return t->picked ? web_pick_next(&t->pick, UINT64_MAX) : web_reading_next(t->r);
}

static void talk_close(struct talking *t) {
    if (t->picked) web_pick_end(&t->pick);
    web_reading_close(t->r);
    web_index_release(t->index);
}

static void follow_bytes(struct web_request *q, const char *path, enum follow_proto proto, uint32_t stream) {
    struct following f = {.q = q};
    struct talking t;
    struct follow follow = {.proto = proto, .by_stream = true, .stream = stream, .take = chunk_take, .to = &f};
    struct want want = {0};
    const struct decode *d;
    follow_want(&follow, &want);
    if (!talk_open(&t, q, path, &want, proto == FOLLOW_TCP, stream)) return;
    wr_s(&q->reply.w, "{\"pieces\":[");
    while (!f.cut && (d = talk_next(&t))) follow_packet(&follow, d);
    follow_finish(&f, t.r, follow.begun ? &follow.end[0] : NULL, &follow.end[1]);
    follow_end(&follow);
    talk_close(&t);
}

static void follow_mqtt(struct web_request *q, const char *path, uint32_t stream) {
    struct following f = {.q = q};
    struct talking t;
    struct mqtt_talk talk = {.stream = stream, .take = turn_take, .to = &f};
    struct want want = {0};
    const struct decode *d;
    mqtt_msg_want(&want);
    if (!talk_open(&t, q, path, &want, true, stream)) return;
    wr_s(&q->reply.w, "{\"pieces\":[");
    while (!f.cut && (d = talk_next(&t))) mqtt_talk_packet(&talk, d, t.r->begin);
    mqtt_talk_end(&talk);
    follow_finish(&f, t.r, talk.client_known ? &talk.client : NULL, &talk.broker);
    talk_close(&t);
}

void web_follow(struct web_request *q, const char *path, const char *proto, const char *number) {
    char *end;
    size_t n = strspn(number, "0123456789");
    unsigned long long stream = n && n < 12 && !number[n] ? strtoull(number, &end, 10) : UINT64_MAX;
    if (stream > UINT32_MAX) return web_problem(q, 400, "a conversation has a number, from 0");
    if (!strcmp(proto, "mqtt")) return follow_mqtt(q, path, (uint32_t)stream);
    if (!strcmp(proto, "tcp")) return follow_bytes(q, path, FOLLOW_TCP, (uint32_t)stream);
    if (!strcmp(proto, "udp")) return follow_bytes(q, path, FOLLOW_UDP, (uint32_t)stream);
    web_problem(q, 404, "tcp, udp or mqtt can be followed");
}
