/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that are made of a whole capture: its conversations, and its MQTT clients and topics. */
#include "analyse/stats/stats.h"
#include "serve/web/web_read.h"
#include "view/connections.h"
#include "view/stats/tables.h"
#include "view/topics.h"
#include <stdlib.h>

enum { ROWS_USUAL = 1000, KEEP_USUAL = 100, KEEP_MAX = 20000 };

/* packets_each hands every packet a filter lets through to take; the reading is closed by the caller. NULL after a
 * problem. */
static struct web_reading *packets_each(struct web_request *q, const char *path, struct want *want,
                                        const struct expr *filter,
                                        void (*take)(void *to, const struct decode *d, int64_t begin), void *to) {
    const struct decode *d;
    if (filter) want_union(want, expr_want(filter));
    struct web_reading *r = web_reading_open(q, path, want);
    while (r && (d = web_reading_next(r)))
        if (!filter || expr_match(filter, d->out)) take(to, d, r->begin);
    return r;
}

static void finish(struct web_request *q, const struct web_reading *r) {
    wr_f(&q->reply.w, ",\"packets\":%llu", (unsigned long long)r->packets);
    web_reading_note(&q->reply.w, r);
    wr_s(&q->reply.w, "}\n");
}

/* ---- conversations ---- */

static void connections_take(void *to, const struct decode *d, int64_t begin) { connections_packet(to, d, begin); }

void web_connections(struct web_request *q, const char *path) {
    struct connections c;
    struct expr *filter = NULL;
    struct want want = {0};
    uint64_t offset, limit;
    const char *sort = web_query(q, "sort");
    enum connection_order by = sort ? connection_order_find(sort) : BY_STREAM;
    if (by == CONNECTION_ORDERS)
        return web_problem(q, 400, "sort: it is one of stream, bytes, packets, start, duration, trouble, rtt");
    if (!web_number(q, "offset", 0, UINT32_MAX, &offset) ||
        !web_number(q, "limit", ROWS_USUAL, CONNECTIONS_MAX, &limit) || !web_filter(q, &filter))
        return;
    connections_make(&c);
    connections_want(&want);
    struct web_reading *r = packets_each(q, path, &want, filter, connections_take, &c);
    if (r) {
        wr_c(&q->reply.w, '{');
        connections_json(&q->reply.w, &c, by, (uint32_t)offset, (uint32_t)limit);
        finish(q, r);
    }
    web_reading_close(r);
    connections_free(&c);
    expr_free(filter);
}

/* ---- MQTT ---- */

struct mqtt_tables {
    void *stats; /* of stats_mqtt */
    struct topics topics;
};

static void mqtt_take(void *to, const struct decode *d, int64_t begin) {
    struct mqtt_tables *m = to;
    if (m->stats) stats_mqtt.packet(m->stats, d, begin);
    topics_packet(&m->topics, d, begin);
}

/* clients_json writes clients, most bytes first, and filters, at most `limit` of each, and how many there are. */
static void clients_json(struct web_request *q, void *stats, uint64_t limit) {
    struct table *all = stats_mqtt.tables(stats);
    for (struct table *t = all; t; t = t->next) {
        if (!strcmp(t->name, "topics")) continue; /* told with their messages */
        wr_f(&q->reply.w, "\"%s_all\":%zu,\"%s\":", t->name, t->rows, t->name);
        table_head(t, limit);
        table_json(&q->reply.w, t);
        wr_s(&q->reply.w, ",\n");
    }
    if (all) table_free(all);
}

static void mqtt_answer(struct web_request *q, const char *path, struct mqtt_tables *m, uint64_t offset, uint64_t limit,
                        const struct expr *filter) {
    struct want want = {0};
    mqtt_msg_want(&want);
    struct web_reading *r = packets_each(q, path, &want, filter, mqtt_take, m);
    if (r) {
        wr_c(&q->reply.w, '{');
        if (m->stats) clients_json(q, m->stats, limit);
        topics_json(&q->reply.w, &m->topics, (uint32_t)offset, (uint32_t)limit);
        finish(q, r);
    }
    web_reading_close(r);
}

void web_mqtt(struct web_request *q, const char *path) {
    struct mqtt_tables m = {0};
    struct expr *filter = NULL;
    uint64_t offset, limit, keep;
    const char *topic = web_query(q, "topic");
    if (!web_number(q, "offset", 0, UINT32_MAX, &offset) || !web_number(q, "limit", ROWS_USUAL, TOPICS_SHOWN, &limit) ||
        !web_number(q, "history", topic ? KEEP_MAX : KEEP_USUAL, KEEP_MAX, &keep) || !web_filter(q, &filter))
        return;
    topics_make(&m.topics, (uint32_t)keep);
    if (topic) m.topics.only = slice_str(topic);
    if (!topic) m.stats = calloc(1, stats_mqtt.state_size);
    struct stats_args args = {0};
    struct writer none = wr_fixed(NULL, 0);
    bool made = topic || (m.stats && stats_mqtt.start(m.stats, &args, &none) == OK);
    if (made) mqtt_answer(q, path, &m, offset, limit, filter);
    else web_problem(q, 500, "out of memory");
    if (m.stats) stats_mqtt.end(m.stats);
    free(m.stats);
    topics_free(&m.topics);
    expr_free(filter);
}
