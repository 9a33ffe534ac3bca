/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT by client, by topic and by topic filter.
 *
 * Theory of operation: a connection belongs to the client whose CONNECT it had, found by client id, so that a device
 * that comes again is one row; without a CONNECT the client is the side that speaks like one (or has the higher port),
 * under its address. Which client used which topic is a table of its own, whose entries hang on lists of both. Who
 * subscribes to a topic is counted by what was delivered: clients the broker sent a message of it. Limits:
 * STATS_ENTRIES_MAX uses, a quarter of it clients and as many topics, and STATS_STREAMS_MAX streams; names are kept up
 * to NAME_SIZE bytes, longer ones by their beginning and a hash. */
#include "analyse/mqtt_msg.h"
#include "analyse/name.h"
#include "analyse/stats/stats.h"

#include <stdlib.h>

enum { USER_SIZE = 64, LIST_MAX = 1000, DIRECTIONS = 2 };
enum { SENT, RECEIVED };
enum { USE_PUBLISH = 1, USE_DELIVER = 2, USE_FILTER = 4 };

struct client {
    struct name name;
    bool asked; /* sent a SUBSCRIBE */
    uint8_t version, clean;
    uint16_t keep_alive;
    char user[USER_SIZE];
    uint32_t user_n;
    struct talk_addr at;
    uint64_t connects, refused, packets[DIRECTIONS], bytes[DIRECTIONS], publishes[DIRECTIONS][3];
    uint64_t types[MQTT_TYPES], type_bytes[MQTT_TYPES], qos_bytes[DIRECTIONS][3];
    uint32_t uses; /* first of the list, + 1 */
};

struct topic {
    struct name name;
    bool filter; /* of subscriptions */
    uint64_t messages, bytes, deliveries, retained;
    uint32_t publishers, subscribers;
    uint8_t qos;
};

struct use {
    uint32_t client, topic;
    uint8_t how;
    uint64_t messages, bytes;
    uint32_t next; /* of the client's, + 1 */
};

struct mqtt_stats {
    struct keytab clients, topics, uses;
    struct link {
        uint32_t client; /* + 1 */
        struct talk_addr at;
    } * links; /* by TCP stream */
    uint32_t n_links;
    struct hash_key secret;
};

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct mqtt_stats *s = state;
    (void)args;
    (void)why;
    s->clients = keytab_make(sizeof(struct name), sizeof(struct client), STATS_ENTRIES_MAX / 4);
    s->topics = keytab_make(offsetof(struct topic, filter) + 1, sizeof(struct topic), STATS_ENTRIES_MAX / 4);
    s->uses = keytab_make(offsetof(struct use, how), sizeof(struct use), STATS_ENTRIES_MAX);
    s->secret = hash_key_random();
    return OK;
}

static void end(void *state) {
    struct mqtt_stats *s = state;
    keytab_free(&s->clients);
    keytab_free(&s->topics);
    keytab_free(&s->uses);
    free(s->links);
}

static void want(const void *state, struct want *w) {
    (void)state;
    mqtt_msg_want(w);
}

static struct link *link_of(struct mqtt_stats *s, uint32_t stream) {
    if (stream >= s->n_links) {
        if (stream >= STATS_STREAMS_MAX) return NULL;
        uint32_t n = s->n_links ? s->n_links * 2 : 64;
        while (n <= stream) n *= 2;
        struct link *more = realloc(s->links, n * sizeof *more);
        if (!more) return NULL;
        memset(more + s->n_links, 0, (n - s->n_links) * sizeof *more);
        s->links = more;
        s->n_links = n;
    }
    return &s->links[stream];
}

static void link_set(struct mqtt_stats *s, struct link *l, const struct talk_addr *at, struct slice id) {
    struct name name;
    char text[80];
    if (!id.n) {
        struct writer w = wr_fixed(text, sizeof text);
        talk_addr_print(&w, at);
        wr_f(&w, ":%u", at->port);
        id = wr_done(&w);
    }
    name_set(&name, s->secret, id);
    struct client *c = keytab_get(&s->clients, &name);
    if (!c) return;
    c->at = *at;
    l->client = keytab_place(&s->clients, c) + 1;
    l->at = *at;
}

static struct use *use_of(struct mqtt_stats *s, uint32_t client, struct slice topic, bool filter) {
    struct topic key = {.filter = filter};
    name_set(&key.name, s->secret, topic);
    struct topic *t = keytab_get(&s->topics, &key);
    if (!t) return NULL;
    struct use u = {.client = client, .topic = keytab_place(&s->topics, t)};
    uint32_t before = s->uses.n;
    struct use *found = keytab_get(&s->uses, &u);
    if (found && s->uses.n > before) {
        struct client *c = keytab_at(&s->clients, client);
        found->next = c->uses;
        c->uses = keytab_place(&s->uses, found) + 1;
    }
    return found;
}

static void publish_count(struct mqtt_stats *s, uint32_t client, const struct mqtt_msg *m, int way) {
    struct use *u = use_of(s, client, m->topic, false);
    if (!u) return;
    struct topic *t = keytab_at(&s->topics, u->topic);
    uint8_t how = way == SENT ? USE_PUBLISH : USE_DELIVER;
    if (!(u->how & how)) {
        if (way == SENT) t->publishers++;
        else t->subscribers++;
    }
    u->how |= how;
    u->messages++;
    u->bytes += m->payload.n;
    if (way == SENT) {
        t->messages++;
        t->bytes += m->payload.n;
    } else {
        t->deliveries++;
    }
    t->retained += m->retain;
    if (m->qos > t->qos) t->qos = m->qos;
}

/* filters_count takes all topic filters of a SUBSCRIBE. */
static void filters_count(struct mqtt_stats *s, uint32_t client, const struct decode *d, const struct mqtt_msg *m) {
    struct topic *last = NULL;
    for (uint32_t i = m->at; i < m->end; i++) {
        const struct fval *f = &d->out->v[i];
        if ((f->id == FID_MQTT_SUB_QOS || f->id == FID_MQTT_SUBOPT_QOS) && last && f->u > last->qos && f->u < 3)
            last->qos = (uint8_t)f->u;
        if (f->id != FID_MQTT_TOPIC) continue;
        struct use *u = use_of(s, client, f->s, true);
        last = u ? keytab_at(&s->topics, u->topic) : NULL;
        if (!u) continue;
        if (!(u->how & USE_FILTER)) last->subscribers++;
        u->how |= USE_FILTER;
    }
}

static void connect_take(struct client *c, const struct mqtt_msg *m) {
    c->connects++;
    c->version = m->version;
    c->keep_alive = m->keep_alive;
    c->clean = m->clean;
    struct slice user = slice_head(m->user, USER_SIZE);
    c->user_n = (uint32_t)user.n;
    if (user.n) memcpy(c->user, user.p, user.n);
}

static void message(void *to, const struct decode *d, const struct mqtt_msg *m) {
    struct mqtt_stats *s = to;
    struct link *l = link_of(s, m->stream);
    if (!l) return;
    if (m->type == MQTT_CONNECT) link_set(s, l, &m->src, m->client_id);
    if (!l->client) {
        int by_client = mqtt_msg_by_client(m->type);
        bool from = by_client < 0 ? m->src.port > m->dst.port : by_client;
        link_set(s, l, from ? &m->src : &m->dst, (struct slice){0});
    }
    if (!l->client) return;
    uint32_t place = l->client - 1;
    int way = memcmp(&l->at, &m->src, sizeof m->src) == 0 ? SENT : RECEIVED;
    struct client *c = keytab_at(&s->clients, place);
    if (m->type == MQTT_CONNECT) connect_take(c, m);
    if (m->type == MQTT_CONNACK && m->reason > 0) c->refused++;
    c->packets[way]++;
    c->bytes[way] += m->size;
    c->types[m->type & 15]++;
    c->type_bytes[m->type & 15] += m->size;
    if (m->type == MQTT_PUBLISH && m->qos < 3) {
        c->publishes[way][m->qos]++;
        c->qos_bytes[way][m->qos] += m->size;
        publish_count(s, place, m, way);
    }
    if (m->type == MQTT_SUBSCRIBE) {
        c->asked |= way == SENT;
        filters_count(s, place, d, m);
    }
}

static void packet(void *state, const struct decode *d, int64_t begin) {
    (void)begin;
    mqtt_msg_each(d, message, state);
}

/* uses_list lists the topics a client used in one of the ways. */
static struct cell uses_list(struct mqtt_stats *s, struct table *out, const struct client *c, uint8_t how,
                             struct writer *w) {
    size_t n = 0;
    wr_reset(w);
    for (uint32_t at = c->uses; at;) {
        const struct use *u = keytab_at(&s->uses, at - 1);
        at = u->next;
        if (!(u->how & how) || ++n > LIST_MAX) continue;
        const struct topic *t = keytab_at(&s->topics, u->topic);
        if (wr_len(w)) wr_c(w, 0);
        wr_slice(w, name_slice(&t->name));
    }
    struct cell cell = cell_text(out, wr_done(w));
    cell.kind = CELL_LIST;
    return cell;
}

static const char *version_name(uint8_t version) {
    return version == MQTT_5 ? "5.0" : version == MQTT_311 ? "3.1.1" : version == MQTT_31 ? "3.1" : "";
}

static struct cell types_list(struct table *out, const uint64_t *types, struct writer *w) {
    wr_reset(w);
    for (uint8_t i = 1; i < MQTT_TYPES; i++) {
        if (!types[i]) continue;
        if (wr_len(w)) wr_c(w, 0);
        wr_f(w, "%s %llu", mqtt_msg_type_name(i), (unsigned long long)types[i]);
    }
    struct cell cell = cell_text(out, wr_done(w));
    cell.kind = CELL_LIST;
    return cell;
}

/* role says what a client did with messages. */
static const char *role(const struct client *c) {
    const uint64_t *sent = c->publishes[SENT], *received = c->publishes[RECEIVED];
    bool publishes = sent[0] + sent[1] + sent[2];
    bool subscribes = c->asked || received[0] + received[1] + received[2];
    if (publishes && subscribes) return "publisher and subscriber";
    return publishes ? "publisher" : subscribes ? "subscriber" : "client";
}

static struct cell addr_cell(struct table *out, const struct talk_addr *a, struct writer *w) {
    wr_reset(w);
    talk_addr_print(w, a);
    return cell_text(out, wr_done(w));
}

/* client_row adds a client's row; `w` is room to write a cell's text in. */
static void client_row(struct mqtt_stats *s, struct table *out, const struct client *p, struct writer *w) {
    const struct cell empty = {0};
    struct cell *c = table_row(out);
    *c++ = cell_text(out, name_slice(&p->name));
    *c++ = p->user_n ? cell_text(out, slice_of(p->user, p->user_n)) : empty;
    *c++ = p->version ? cell_str(version_name(p->version)) : empty;
    *c++ = p->connects ? cell_count(p->keep_alive) : empty;
    *c++ = addr_cell(out, &p->at, w);
    *c++ = cell_count(p->connects);
    *c++ = cell_count(p->refused);
    *c++ = cell_count(p->packets[SENT] + p->packets[RECEIVED]);
    *c++ = cell_bytes(p->bytes[SENT] + p->bytes[RECEIVED]);
    for (int way = SENT; way <= RECEIVED; way++)
        for (int q = 0; q < 3; q++) *c++ = cell_count(p->publishes[way][q]);
    for (int way = SENT; way <= RECEIVED; way++)
        *c++ = cell_count(p->publishes[way][0] + p->publishes[way][1] + p->publishes[way][2]);
    for (int q = 0; q < 3; q++) *c++ = cell_bytes(p->qos_bytes[SENT][q] + p->qos_bytes[RECEIVED][q]);
    *c++ = types_list(out, p->types, w);
    *c++ = types_list(out, p->type_bytes, w);
    *c++ = uses_list(s, out, p, USE_PUBLISH, w);
    *c++ = uses_list(s, out, p, USE_FILTER, w);
    *c = cell_str(role(p));
}

static struct table *clients_table(struct mqtt_stats *s) {
    static const struct table_column columns[] = {
        {.name = "client", .title = "Client"},
        {.name = "user", .title = "User"},
        {.name = "version", .title = "MQTT"},
        {.name = "keep_alive", .title = "Keep-alive s"},
        {.name = "address"},
        {.name = "connects", .title = "Connects"},
        {.name = "refused", .title = "Refused"},
        {.name = "packets", .title = "Packets"},
        {.name = "bytes", .title = "Bytes", .bar = true},
        {.name = "sent_qos0"},
        {.name = "sent_qos1"},
        {.name = "sent_qos2"},
        {.name = "received_qos0"},
        {.name = "received_qos1"},
        {.name = "received_qos2"},
        {.name = "published", .title = "Sent msgs"},
        {.name = "delivered", .title = "Recv msgs"},
        {.name = "bytes_qos0"},
        {.name = "bytes_qos1"},
        {.name = "bytes_qos2"},
        {.name = "packets_by_type"},
        {.name = "bytes_by_type"},
        {.name = "topics_published"},
        {.name = "filters"},
        {.name = "role"},
    };
    _Static_assert(sizeof columns / sizeof *columns <= COLUMNS_MAX, "a table has room for the columns");
    struct table *out = table_make("clients", "Clients", columns, sizeof columns / sizeof *columns);
    struct writer w = wr_grow();
    for (uint32_t i = 0; out && i < s->clients.n; i++) client_row(s, out, keytab_at(&s->clients, i), &w);
    wr_free(&w);
    if (out) stats_note(out, &s->clients, "clients");
    return out;
}

static struct table *topics_table(struct mqtt_stats *s) {
    static const struct table_column columns[] = {
        {.name = "topic", .title = "Topic"},
        {.name = "messages", .title = "Messages"},
        {.name = "bytes", .title = "Bytes", .bar = true},
        {.name = "publishers", .title = "Publishers"},
        {.name = "subscribers", .title = "Subscribers"},
        {.name = "deliveries", .title = "Deliveries"},
        {.name = "retained", .title = "Retained"},
        {.name = "qos", .title = "QoS"},
    };
    struct table *out = table_make("topics", "Topics", columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; out && i < s->topics.n; i++) {
        const struct topic *t = keytab_at(&s->topics, i);
        if (t->filter) continue;
        struct cell *c = table_row(out);
        *c++ = cell_text(out, name_slice(&t->name));
        *c++ = cell_count(t->messages);
        *c++ = cell_bytes(t->bytes);
        *c++ = cell_count(t->publishers);
        *c++ = cell_count(t->subscribers);
        *c++ = cell_count(t->deliveries);
        *c++ = cell_count(t->retained);
        *c = cell_count(t->qos);
    }
    if (out) stats_note(out, &s->topics, "topics");
    return out;
}

static struct table *filters_table(struct mqtt_stats *s) {
    static const struct table_column columns[] = {{.name = "filter", .title = "Topic filter"},
                                                  {.name = "subscribers", .title = "Subscribers"},
                                                  {.name = "qos", .title = "QoS"}};
    struct table *out = table_make("filters", "Topic filters", columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; out && i < s->topics.n; i++) {
        const struct topic *t = keytab_at(&s->topics, i);
        if (!t->filter) continue;
        struct cell *c = table_row(out);
        *c++ = cell_text(out, name_slice(&t->name));
        *c++ = cell_count(t->subscribers);
        *c = cell_count(t->qos);
    }
    if (out) stats_note(out, &s->uses, "uses of topics");
    return out;
}

static struct table *tables(void *state) {
    struct mqtt_stats *s = state;
    struct table *clients = clients_table(s);
    if (!clients) return NULL;
    clients->next = topics_table(s);
    if (clients->next) clients->next->next = filters_table(s);
    table_sort(clients, (size_t)table_column(clients, "bytes"), false);
    if (clients->next) table_sort(clients->next, (size_t)table_column(clients->next, "messages"), false);
    return clients;
}

const struct stats_ops stats_mqtt = {.name = "mqtt",
                                     .purpose = "MQTT by client, topic and topic filter",
                                     .state_size = sizeof(struct mqtt_stats),
                                     .start = start,
                                     .want = want,
                                     .packet = packet,
                                     .tables = tables,
                                     .end = end};
