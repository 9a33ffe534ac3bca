/* SPDX-License-Identifier: Apache-2.0 */
/* What MQTT adds to the records: sessions, acknowledgments under way, and the tables that tie publisher, broker and
 * subscriber together.
 *
 * A message that a broker delivers is the one a client sent before with the same topic and payload: the oldest one
 * behind those already delivered to that subscriber, since MQTT keeps the order of a topic (MQTT 4.6). */
#include "analyse/explain/gather.h"
#include "base/eight.h"
#include "proto/mqtt/mqtt.h"

#include <ctype.h>
#include <stdlib.h>

enum { CHAIN_MAX = 64 };
_Static_assert(offsetof(struct mqtt_rec, flight) == 64, "what all packets touch is one cache line");
_Static_assert(offsetof(struct mqtt_rec, max_packet) <= 3 * 64, "what most packets touch is three cache lines");
_Static_assert((FLIGHTS & (FLIGHTS - 1)) == 0 && FLIGHTS < 256, "flight_free doubles up to FLIGHTS");

struct place_key {
    uint8_t addr[16];
    uint16_t port;
};

static uint64_t endpoint_hash(const struct explain *e, const struct endpoint *broker) {
    struct place_key k = {.port = broker->port};
    memcpy(k.addr, broker->addr.bytes, broker->addr.len);
    return hash_bytes(e->key, &k, sizeof k);
}

static uint64_t topic_hash(const struct explain *e, const struct mqtt_rec *r, struct slice topic) {
    return hash_behind(e, r->broker, slice_head(topic, KEPT_TEXT));
}

/* namesake_note finds out whether a new topic is one of another broker, too. */
static void namesake_note(struct explain *e, uint32_t place) {
    struct slice text = e->topic[place].topic;
    uint64_t hash = hash_bytes(e->key, text.p, text.n);
    uint32_t other = map_find(&e->by_text, hash);
    if (other == PLACE_NONE) map_set(&e->by_text, hash, place);
    else e->topic[place].namesake = e->topic[other].namesake = true;
}

/* topic_of returns the place of a topic that a session publishes to, which is new to a table that has room. */
static uint32_t topic_of(struct explain *e, const struct conv *c, struct slice topic) {
    struct mqtt_rec *r = c->mqtt;
    uint64_t hash = topic_hash(e, r, topic);
    if (r->topic && r->topic_half == (uint32_t)hash) return r->topic - 1u; /* most publish to no other */
    uint32_t at = map_find(&e->by_topic, hash);
    if (at == PLACE_NONE && e->topics == TOPICS_MAX) {
        e->left_out++;
        return PLACE_NONE;
    }
    if (at == PLACE_NONE) {
        at = e->topics++;
        e->topic[at] = (struct topic_rec){.broker = c->end[SERVER], .topic = keep(e, topic)};
        map_set(&e->by_topic, hash, at);
        namesake_note(e, at);
    }
    if (!r->topic) {
        r->topic = (uint16_t)(at + 1);
        r->topic_half = (uint32_t)hash;
    }
    return at;
}

static uint64_t message_hash(const struct explain *e, uint32_t topic, struct slice payload) {
    return hash_text(e, &topic, sizeof topic, payload);
}

/* bucket_serial returns the serial of the last message of a hash; 0: there is none, or its place was taken since. */
static uint64_t bucket_serial(const struct explain *e, uint64_t hash) {
    uint32_t low = e->bucket[hash % MESSAGES_MAX], ago = (uint32_t)e->messages - low;
    return low && ago < MESSAGES_MAX ? e->messages - ago : 0;
}

static void message_add(struct explain *e, const struct conv *c, const struct packet_events *p, uint32_t topic,
                        const struct mqtt_event *m) {
    uint64_t hash = message_hash(e, topic, m->payload), before = bucket_serial(e, hash), serial = ++e->messages;
    e->message[serial % MESSAGES_MAX] = (struct message){.hash = hash,
                                                         .sent = mark_of(p),
                                                         .stream = c->stream,
                                                         .topic = (uint16_t)topic,
                                                         .back = before ? (uint16_t)(serial - before) : 0,
                                                         .qos = m->qos};
    e->bucket[hash % MESSAGES_MAX] = (uint32_t)serial;
}

/* message_find returns the serial of the message that a delivery on a conversation is of; 0: none. */
static uint64_t message_find(const struct explain *e, const struct mqtt_rec *r, uint32_t topic, struct slice payload) {
    uint64_t hash = message_hash(e, topic, payload), serial = bucket_serial(e, hash), found = 0;
    for (int i = 0; i < CHAIN_MAX && serial > r->matched && serial + MESSAGES_MAX > e->messages; i++) {
        const struct message *m = &e->message[serial % MESSAGES_MAX];
        if (m->hash == hash && m->topic == topic) {
            if (found && mark_set(&r->subscribe) && m->sent.ts < r->subscribe.ts) break; /* sent before it subscribed */
            found = serial;
        }
        if (!m->back) break;
        serial -= m->back;
    }
    return found;
}

void flights_release(struct explain *e, const struct mqtt_rec *r, int sender) {
    if (r->flight[sender] != &r->one[sender])
        slabs_put(&e->slabs, r->flight[sender], r->flights[sender] * sizeof(struct flight));
}

static struct flight *flight_find(struct mqtt_rec *r, int sender, uint16_t id) {
    for (int i = 0; i < r->flights[sender]; i++) {
        struct flight *f = &r->flight[sender][i];
        if (f->state && f->id == id) return f;
    }
    return NULL;
}

/* flight_free returns an unused place; the list doubles where there is none. NULL: there are FLIGHTS already, or no
 * memory. */
static struct flight *flight_free(struct explain *e, struct mqtt_rec *r, int sender) {
    uint8_t n = r->flights[sender], more = (uint8_t)(2 * n);
    for (int i = 0; i < n; i++)
        if (!r->flight[sender][i].state) return &r->flight[sender][i];
    if (n == FLIGHTS) return NULL;
    struct flight *list = slabs_get(&e->slabs, more * sizeof *list);
    if (!list) return NULL;
    memcpy(list, r->flight[sender], n * sizeof *list);
    flights_release(e, r, sender);
    r->flight[sender] = list;
    r->flights[sender] = more;
    return &list[n];
}

static void flight_start(struct explain *e, struct mqtt_rec *r, int side, const struct packet_events *p,
                         const struct mqtt_event *m, uint32_t topic) {
    struct flight *f = flight_find(r, side, m->id);
    if (f && m->dup) {
        f->step = mark_of(p);
        return;
    }
    if (f && !mark_set(&r->id_reused)) {
        r->id_reused = mark_of(p);
        r->reused_id = m->id;
    }
    if (!f && !(f = flight_free(e, r, side))) return;
    *f = (struct flight){.state = FLIGHT_PUBLISH,
                         .qos = m->qos,
                         .id = m->id,
                         .at = mark_of(p),
                         .step = mark_of(p),
                         .topic = topic == PLACE_NONE ? 0 : (uint16_t)(topic + 1)};
}

static void published(struct explain *e, struct conv *c, const struct packet_events *p, const struct mqtt_event *m) {
    struct mqtt_rec *r = c->mqtt;
    uint32_t at = m->topic[0].n ? topic_of(e, c, m->topic[0]) : PLACE_NONE;
    if (m->qos) flight_start(e, r, CLIENT, p, m, at);
    r->last_about = at == PLACE_NONE ? 0 : (uint16_t)(at + 1);
    if (at == PLACE_NONE || m->dup) return;
    struct topic_rec *t = &e->topic[at];
    if (!t->published++) {
        t->first = mark_of(p);
        t->stream = c->stream;
        t->qos = m->qos;
    }
    t->last = mark_of(p);
    message_add(e, c, p, at, m);
}

static void will_add(struct explain *e, const struct conv *c) {
    if (e->wills == WILLS_MAX) return;
    uint64_t hash = topic_hash(e, c->mqtt, c->mqtt->will_topic);
    uint32_t before = map_find(&e->by_will, hash);
    e->will[e->wills] = (struct will_rec){.broker = c->end[SERVER],
                                          .topic = c->mqtt->will_topic,
                                          .stream = c->stream,
                                          .before = before == PLACE_NONE ? 0 : (uint16_t)(before + 1)};
    map_set(&e->by_will, hash, e->wills++);
}

/* will_check looks whether a message nobody sent is a will; hash is that of broker and topic. */
static void will_check(struct explain *e, const struct conv *c, const struct packet_events *p,
                       const struct mqtt_event *m, uint64_t hash) {
    uint32_t last = map_find(&e->by_will, hash);
    for (uint32_t at = last == PLACE_NONE ? 0 : last + 1; at; at = e->will[at - 1].before) {
        const struct will_rec *w = &e->will[at - 1];
        struct conv *owner = explain_conv(e, w->stream);
        if (!owner || !owner->mqtt || !endpoint_same(&w->broker, &c->end[SERVER]) || !slice_eq(w->topic, m->topic[0]))
            continue;
        bool gone = mark_set(&owner->half[0].fin) || mark_set(&owner->half[1].fin) || mark_set(&owner->half[0].rst) ||
                    mark_set(&owner->half[1].rst);
        if (gone && !m->retain) mark_first(&owner->mqtt->will_sent, p);
    }
}

static void delivery_count(struct explain *e, struct conv *c, const struct packet_events *p, struct slice topic) {
    const struct mqtt_rec *r = c->mqtt;
    for (unsigned i = 0; i < r->filters && i < CONV_FILTERS; i++) {
        struct filter_rec *f = &e->filter[r->filter[i]];
        if (!explain_topic_matches(f->filter, topic)) continue;
        f->deliveries++;
        mark_first(&f->delivered, p);
    }
}

static void delivered(struct explain *e, struct conv *c, const struct packet_events *p, const struct mqtt_event *m) {
    struct mqtt_rec *r = c->mqtt;
    uint64_t hash = m->topic[0].n ? topic_hash(e, r, m->topic[0]) : 0;
    uint32_t at = m->topic[0].n ? map_find(&e->by_topic, hash) : PLACE_NONE;
    if (m->qos) flight_start(e, r, SERVER, p, m, at);
    delivery_count(e, c, p, m->topic[0]);
    if (m->retain) {
        mark_first(&r->retained, p);
        r->retained_count++;
    }
    uint64_t serial = at == PLACE_NONE ? 0 : message_find(e, r, at, m->payload);
    if (!serial) {
        if (m->topic[0].n) will_check(e, c, p, m, hash);
        return;
    }
    struct message *found = &e->message[serial % MESSAGES_MAX];
    struct topic_rec *t = &e->topic[at];
    int64_t took = p->ts - found->sent.ts;
    r->matched = serial;
    if (found->deliveries < MESSAGE_TO) found->to[found->deliveries] = c->stream + 1;
    found->deliveries++;
    if (m->retain || m->dup) return;
    if (!t->delivered++) {
        t->got_sent = found->sent;
        t->got = mark_of(p);
        t->delay = took;
    }
    bool kept = mark_set(&r->connect) && r->connect.ts > found->sent.ts; /* for a session that was away */
    if (took > t->slowest && !kept) {
        t->slowest = took;
        t->slow_sent = found->sent;
        t->slow_got = mark_of(p);
        t->slow_stream = c->stream;
    }
}

static void publish_take(struct explain *e, struct conv *c, int side, const struct packet_events *p,
                         const struct mqtt_event *m) {
    struct mqtt_rec *r = c->mqtt;
    uint32_t most = r->limited ? r->max_packet[!side] : 0;
    if (!r->publishes[side]++) r->first_publish[side] = mark_of(p);
    if (m->dup) {
        mark_first(&r->duplicate, p);
        r->duplicates++;
    }
    if (m->no_alias) mark_first(&r->no_alias, p);
    if (most && m->length > most && !mark_set(&r->too_large)) {
        r->too_large = mark_of(p);
        r->too_large_len = m->length;
        r->too_large_side = (uint8_t)side;
    }
    if (side == CLIENT) published(e, c, p, m);
    else delivered(e, c, p, m);
}

/* refused_note keeps the first acknowledgment that is a refusal, or says that nobody is there to receive. */
static void refused_note(struct explain *e, struct mqtt_rec *r, const struct packet_events *p,
                         const struct mqtt_event *m, const struct flight *f) {
    struct slice topic = f && f->topic ? e->topic[f->topic - 1].topic : (struct slice){0};
    if (m->code == 0x10 && !mark_set(&r->no_match)) {
        r->no_match = mark_of(p);
        r->no_match_topic = topic;
    }
    if (m->code < 0x80 || mark_set(&r->ack_refused)) return;
    r->ack_refused = mark_of(p);
    r->ack_refused_code = m->code;
    r->ack_refused_topic = topic;
}

/* ack_take moves a delivery on; sender is the side whose PUBLISH it is about. */
static void ack_take(struct explain *e, struct conv *c, int side, const struct packet_events *p,
                     const struct mqtt_event *m) {
    struct mqtt_rec *r = c->mqtt;
    int sender = m->type == MQTT_PUBREL ? side : !side;
    struct flight *f = flight_find(r, sender, m->id);
    if (m->has_code) refused_note(e, r, p, m, f);
    if (!f) return;
    f->step = mark_of(p);
    struct topic_rec *t = f->topic ? &e->topic[f->topic - 1] : NULL;
    switch (m->type) {
    case MQTT_PUBREC: f->state = m->has_code && m->code >= 0x80 ? FLIGHT_NONE : FLIGHT_PUBREC; break;
    case MQTT_PUBREL: f->state = FLIGHT_PUBREL; break;
    default: f->state = FLIGHT_NONE;
    }
    if (!t) return;
    if (sender == CLIENT && m->type != MQTT_PUBREL) mark_first(&t->first_ack, p);
}

/* probe_set finds what tells most topics that do not match: the end of what stands before the first wildcard. */
static void probe_set(struct filter_rec *f) {
    struct slice s = f->filter;
    size_t n = 0;
    while (n < s.n && s.p[n] != '+' && s.p[n] != '#') n++;
    if (n && n < s.n && s.p[n] == '#') n--; /* "a/#" matches "a" */
    if (n < sizeof f->probe || filter_shared(s)) return;
    f->probe_end = (uint16_t)n;
    f->probe = eight_load(s.p + n - sizeof f->probe);
}

/* filter_chain puts a new filter behind those its broker was asked for before. */
static void filter_chain(struct explain *e, uint32_t place) {
    uint64_t hash = endpoint_hash(e, &e->filter[place].broker);
    uint32_t at = map_find(&e->by_broker, hash);
    if (at == PLACE_NONE) {
        at = e->brokers++;
        map_set(&e->by_broker, hash, at);
        e->broker[at].first = (uint16_t)(place + 1);
    } else {
        e->filter[e->broker[at].last - 1].next = (uint16_t)(place + 1);
    }
    e->broker[at].last = (uint16_t)(place + 1);
}

uint32_t broker_filter(const struct explain *e, const struct endpoint *broker) {
    uint32_t at = map_find(&e->by_broker, endpoint_hash(e, broker));
    return at == PLACE_NONE ? 0 : e->broker[at].first;
}

static void subscribe_take(struct explain *e, struct conv *c, const struct packet_events *p,
                           const struct mqtt_event *m) {
    struct mqtt_rec *r = c->mqtt;
    mark_first(&r->subscribe, p);
    unsigned turn = r->sub_next++ % 4;
    r->sub_id[turn] = m->id;
    r->sub_first[turn] = (uint16_t)e->filters;
    r->sub_count[turn] = 0;
    r->last_about = m->topics && e->filters < FILTERS_MAX ? (uint16_t)(e->filters + 1) : 0;
    for (unsigned i = 0; i < m->topics; i++) {
        if (e->filters == FILTERS_MAX) {
            e->left_out++;
            return;
        }
        e->filter[e->filters] = (struct filter_rec){.broker = c->end[SERVER],
                                                    .filter = keep(e, m->topic[i]),
                                                    .stream = c->stream,
                                                    .qos = m->codes[i],
                                                    .at = mark_of(p)};
        probe_set(&e->filter[e->filters]);
        filter_chain(e, e->filters);
        if (r->filters < CONV_FILTERS) r->filter[r->filters++] = (uint16_t)e->filters;
        e->filters++;
        r->sub_count[turn]++;
    }
}

static void suback_take(struct explain *e, struct conv *c, const struct packet_events *p, const struct mqtt_event *m) {
    struct mqtt_rec *r = c->mqtt;
    for (unsigned turn = 0; turn < 4; turn++) {
        if (r->sub_id[turn] != m->id || !r->sub_count[turn]) continue;
        for (unsigned i = 0; i < r->sub_count[turn] && i < m->n_codes; i++) {
            struct filter_rec *f = &e->filter[r->sub_first[turn] + i];
            f->answered = true;
            f->code = m->codes[i];
            if (m->codes[i] < 0x80 || mark_set(&r->suback_failed)) continue;
            r->suback_failed = mark_of(p);
            r->suback_code = m->codes[i];
            r->suback_topic = f->filter;
        }
        r->sub_count[turn] = 0;
    }
}

static void unsubscribe_take(struct explain *e, struct conv *c, const struct packet_events *p,
                             const struct mqtt_event *m) {
    for (unsigned i = 0; i < m->topics; i++)
        for (unsigned k = 0; k < c->mqtt->filters; k++) {
            struct filter_rec *f = &e->filter[c->mqtt->filter[k]];
            if (slice_eq(f->filter, slice_head(m->topic[i], KEPT_TEXT))) f->ended = mark_of(p);
        }
}

static bool conv_open(const struct conv *c) {
    const struct mqtt_rec *r = c->mqtt;
    for (int side = 0; side < 2; side++)
        if (mark_set(&c->half[side].fin) || mark_set(&c->half[side].rst) || (r && mark_set(&r->disconnect[side])))
            return false;
    return true;
}

/* client_note finds out whether another connection uses the same client identifier at the same broker. */
static void client_note(struct explain *e, struct conv *c, const struct packet_events *p, struct slice id) {
    uint64_t hash = hash_behind(e, c->mqtt->broker, id);
    uint32_t at = map_find(&e->by_client, hash);
    if (at == PLACE_NONE) {
        if (e->clients == CLIENTS_MAX) return;
        at = e->clients++;
        map_set(&e->by_client, hash, at);
        e->client[at] = (struct client_rec){.broker = c->end[SERVER], .id = keep(e, id), .stream = c->stream};
    }
    struct client_rec *k = &e->client[at];
    struct conv *before = k->stream == c->stream ? NULL : explain_conv(e, k->stream);
    k->connects++;
    k->stream = c->stream;
    if (!before || !before->mqtt || !conv_open(before)) return;
    k->takeovers++;
    before->mqtt->after = c->stream + 1;
    before->mqtt->taken_over = mark_of(p);
}

const struct client_rec *client_of(const struct explain *e, const struct conv *c) {
    uint32_t at = map_find(&e->by_client, hash_behind(e, c->mqtt->broker, c->mqtt->client));
    return at == PLACE_NONE ? NULL : &e->client[at];
}

static void limit_note(struct mqtt_rec *r, int side, const struct mqtt_event *m) {
    r->max_packet[side] = m->max_packet;
    r->limited |= m->max_packet != 0;
}

static void connect_take(struct explain *e, struct conv *c, int side, const struct packet_events *p,
                         const struct mqtt_event *m) {
    struct mqtt_rec *r = c->mqtt;
    mark_first(&r->connect, p);
    r->version = m->version;
    r->keep_alive = m->keep_alive;
    r->client = keep(e, m->client);
    r->will = m->will;
    r->user = m->user;
    r->password = m->password;
    r->clean = m->clean;
    limit_note(r, side, m);
    if (m->will && m->will_topic.n) {
        r->will_topic = keep(e, m->will_topic);
        will_add(e, c);
    }
    if (m->client.n) client_note(e, c, p, m->client);
}

static void connack_take(struct explain *e, struct conv *c, int side, const struct packet_events *p,
                         const struct mqtt_event *m) {
    struct mqtt_rec *r = c->mqtt;
    if (mark_set(&r->connack)) return;
    r->connack = mark_of(p);
    r->connack_code = m->code;
    r->session = m->session;
    if (m->client.n && !r->client.n) r->client = keep(e, m->client);
    if (m->keep_alive) r->keep_alive = m->keep_alive;
    limit_note(r, side, m);
}

/* rec_new: from here on the sides stay what they are. conv_release left the place all zero. */
static void rec_new(struct explain *e, struct conv *c) {
    c->mqtt = &e->session[c - e->room];
    c->mqtt->broker = endpoint_hash(e, &c->end[SERVER]);
    for (int side = 0; side < 2; side++) {
        c->mqtt->flight[side] = &c->mqtt->one[side];
        c->mqtt->flights[side] = 1;
    }
}

void gather_mqtt(struct explain *e, struct conv *c, int side, const struct packet_events *p,
                 const struct mqtt_event *m) {
    if (!c->mqtt) rec_new(e, c);
    struct mqtt_rec *r = c->mqtt;
    if (side == CLIENT) {
        r->last_client = mark_of(p);
        r->last_type = m->type;
        r->last_len = m->length;
    } else {
        r->last_server = mark_of(p);
    }
    if (m->violation && !r->violations++) {
        r->violation = mark_of(p);
        r->violation_id = m->violation;
        r->violation_side = (uint8_t)side;
    }
    switch (m->type) {
    case MQTT_CONNECT: connect_take(e, c, side, p, m); break;
    case MQTT_CONNACK: connack_take(e, c, side, p, m); break;
    case MQTT_PUBLISH: publish_take(e, c, side, p, m); break;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP: ack_take(e, c, side, p, m); break;
    case MQTT_SUBSCRIBE: subscribe_take(e, c, p, m); break;
    case MQTT_SUBACK: suback_take(e, c, p, m); break;
    case MQTT_UNSUBSCRIBE: unsubscribe_take(e, c, p, m); break;
    case MQTT_PINGREQ:
        if (!r->pinging) r->ping = mark_of(p);
        r->pinging = true;
        break;
    case MQTT_PINGRESP: r->pinging = false; break;
    case MQTT_DISCONNECT:
        mark_first(&r->disconnect[side], p);
        r->disconnect_code[side] = m->code;
        r->has_disconnect_code[side] = m->has_code;
        break;
    }
}

void gather_connect_begun(struct conv *c, struct slice in) {
    struct mqtt_head h;
    in = slice_head(in, sizeof c->begun - c->begun_n);
    if (in.n) memcpy(c->begun + c->begun_n, in.p, in.n);
    c->begun_n = (uint8_t)(c->begun_n + in.n);
    in = slice_of(c->begun, c->begun_n);
    enum probe_result found = mqtt_probe(in), least = c->end[SERVER].port == 1883 ? PROBE_UNSURE : PROBE_CERTAIN;
    enum read_status status = mqtt_head_read(in, &h);
    bool connect = h.type == MQTT_CONNECT && found >= PROBE_UNSURE;
    c->begins = connect && (status == READ_MORE || found < least) && in.n < sizeof c->begun;
    if (connect && status == READ_OK && found >= least) c->connect_due = h.size + h.length;
}

/* same_letter compares two bytes, case aside where it is to be folded. */
static inline bool same_letter(uint8_t a, uint8_t b, bool fold) { return a == b || (fold && tolower(a) == tolower(b)); }

bool filter_shared(struct slice filter) { return slice_starts(filter, SLICE("$share/")); }

struct slice filter_unshared(struct slice filter) {
    if (!filter_shared(filter)) return filter;
    filter = slice_tail(filter, sizeof "$share/" - 1);
    const uint8_t *end = memchr(filter.p, '/', filter.n);
    return end ? slice_tail(filter, (size_t)(end - filter.p) + 1) : (struct slice){0};
}

static inline bool topic_matches(struct slice filter, struct slice topic, bool fold) {
    filter = filter_unshared(filter);
    if (topic.n && topic.p[0] == '$' && filter.n && (filter.p[0] == '#' || filter.p[0] == '+'))
        return false; /* [MQTT-4.7.2-1] */
    while (filter.n) {
        if (filter.p[0] == '#') return true;
        if (filter.p[0] == '+') {
            filter = slice_tail(filter, 1);
            while (topic.n && topic.p[0] != '/') topic = slice_tail(topic, 1);
        } else {
            while (filter.n && filter.p[0] != '/') {
                if (!topic.n || !same_letter(topic.p[0], filter.p[0], fold)) return false;
                filter = slice_tail(filter, 1);
                topic = slice_tail(topic, 1);
            }
            if (topic.n && topic.p[0] != '/') return false;
        }
        if (!filter.n) return !topic.n;
        if (!topic.n) return slice_eq(filter, SLICE("/#")); /* "a/#" matches "a" */
        filter = slice_tail(filter, 1);
        topic = slice_tail(topic, 1);
        if (!filter.n) return !topic.n; /* both end with an empty level */
    }
    return !topic.n;
}

bool explain_topic_matches(struct slice filter, struct slice topic) { return topic_matches(filter, topic, false); }
bool explain_topic_matches_folded(struct slice filter, struct slice topic) {
    return topic_matches(filter, topic, true);
}
