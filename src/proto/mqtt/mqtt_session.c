/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT: what a conversation's earlier packets say about the next one.
 *
 * Theory of operation. A connection has one protocol version, said by CONNECT and by nothing else. Where CONNECT was
 * not captured the version is guessed from packets that only one version can have sent; 5.0 is guessed on strong
 * evidence alone, as its reading of a 3.1.1 packet would eat the first bytes of the payload. Until then packets are
 * read without properties. Which side is the client follows from the packets only one side may send.
 *
 * Topic aliases (MQTT 3.3.2.3.4) belong to a direction. Who keeps them is the caller's choice; a capture has many
 * conversations, so there both directions' aliases share one buffer of MQTT_ALIAS_BYTES, oldest first; when it is full
 * the oldest go, which is remembered so that a name that cannot be resolved is not held against the sender. A topic
 * longer than the buffer is not remembered.
 *
 * Invariants: mqtt_kept.used <= MQTT_ALIAS_BYTES and the entries fill the first `used` bytes exactly.
 * Messages in flight are counted, not remembered. Not done here: packet identifiers, keep alive, sessions across
 * connections. */
#include "base/utf8.h"
#include "proto/mqtt/mqtt.h"

#include <assert.h>

/* Who may send a packet: C the client, S the server, both, MQTT 2.1.2. */
enum { C = 1, S = 2 };
static const uint8_t senders[] = {
    [MQTT_RESERVED] = C | S, [MQTT_CONNECT] = C,    [MQTT_CONNACK] = S,        [MQTT_PUBLISH] = C | S,
    [MQTT_PUBACK] = C | S,   [MQTT_PUBREC] = C | S, [MQTT_PUBREL] = C | S,     [MQTT_PUBCOMP] = C | S,
    [MQTT_SUBSCRIBE] = C,    [MQTT_SUBACK] = S,     [MQTT_UNSUBSCRIBE] = C,    [MQTT_UNSUBACK] = S,
    [MQTT_PINGREQ] = C,      [MQTT_PINGRESP] = S,   [MQTT_DISCONNECT] = C | S, [MQTT_AUTH] = C | S,
};
static_assert(sizeof senders / sizeof *senders == MQTT_TYPES, "every packet type has its senders");

static bool may_send(const struct mqtt_message *m) {
    uint8_t who = senders[m->head.type];
    if (m->head.type == MQTT_DISCONNECT && m->version != MQTT_5 && m->version != MQTT_UNKNOWN) who = C;
    return who & (m->c->client == m->from + 1 ? C : S);
}

void mqtt_session_packet(struct mqtt_message *m, uint32_t off) {
    struct mqtt_conv *c = m->c;
    uint8_t type = m->head.type;
    uint32_t len = m->head.size + m->head.length;
    if (!c->client && senders[type] != (C | S)) c->client = (uint8_t)((senders[type] == C ? m->from : 1 - m->from) + 1);
    if (c->client && !may_send(m)) d_anomaly(m->d, FID_MQTT_A_SIDE, off, len);
    bool server = c->client == 2 - m->from;
    if (type == MQTT_CONNECT && c->connect) d_anomaly(m->d, FID_MQTT_A_CONNECT_AGAIN, off, len);
    else if (type == MQTT_CONNECT && c->spoke[m->from]) d_anomaly(m->d, FID_MQTT_A_CONNECT_FIRST, off, len);
    if (type == MQTT_CONNACK && c->connack) d_anomaly(m->d, FID_MQTT_A_CONNACK_AGAIN, off, len);
    /* In 5.0 the server may authenticate before it accepts. */
    if (server && c->connect && !c->connack && type != MQTT_CONNACK && type != MQTT_AUTH)
        d_anomaly(m->d, FID_MQTT_A_CONNACK_FIRST, off, len);
    /* ... and then the client may only go on with that or leave. */
    if (!server && c->authenticates && !c->connack && type != MQTT_AUTH && type != MQTT_DISCONNECT &&
        type != MQTT_CONNECT)
        d_anomaly(m->d, FID_MQTT_A_AUTH_FIRST, off, len);
    if (c->closed[m->from]) d_anomaly(m->d, FID_MQTT_A_CLOSED, off, len);
    if (type == MQTT_CONNACK) c->connack = true;
    if (type == MQTT_DISCONNECT) c->closed[m->from] = true;
    c->spoke[m->from] = true;
}

void mqtt_session_connect(struct mqtt_message *m, uint8_t version) {
    struct mqtt_conv *c = m->c;
    c->version = version;
    c->connect = true;
    c->alias_max[m->from] = 0;
}

/* What a side says it takes; what it does not say has the default of the specification, which for the packet size and
 * the receive maximum is the most there can be. */
void mqtt_session_takes(struct mqtt_message *m) {
    struct mqtt_conv *c = m->c;
    c->alias_max[m->from] = (uint16_t)mqtt_number(m, MQTT_N_ALIAS_MAX, 0);
    c->receive_max[m->from] = (uint16_t)mqtt_number(m, MQTT_N_RECEIVE_MAX, 0);
    c->packet_max[m->from] = mqtt_number(m, MQTT_N_PACKET_MAX, 0);
    if (m->head.type == MQTT_CONNECT) {
        c->authenticates = m->method;
        c->expires = mqtt_number(m, MQTT_N_EXPIRY, 0) != 0;
    } else {
        c->max_qos = m->numbers >> MQTT_N_MAX_QOS & 1 ? (uint8_t)(1 + m->number[MQTT_N_MAX_QOS]) : 0;
    }
}

/* flight_count counts messages of QoS 1 and 2 on their way, MQTT 4.9: those sent again are not counted again. */
static void flight_count(struct mqtt_message *m, uint32_t off, uint32_t len) {
    struct mqtt_conv *c = m->c;
    int to = 1 - m->from;
    bool last = m->head.type == MQTT_PUBACK || m->head.type == MQTT_PUBCOMP ||
                (m->head.type == MQTT_PUBREC && m->version == MQTT_5 && m->code >= 0x80);
    if (last && c->in_flight[to]) c->in_flight[to]--;
    if (m->head.type != MQTT_PUBLISH || !(m->head.flags & 6) || m->head.flags & 8) return;
    if (c->in_flight[m->from] < UINT16_MAX) c->in_flight[m->from]++;
    if (c->receive_max[to] && c->in_flight[m->from] > c->receive_max[to])
        d_anomaly(m->d, FID_MQTT_A_RECEIVE_MAX, off, len);
}

/* subscribe_check finds what the server said it does not offer, MQTT 3.2.2.3. */
static void subscribe_check(struct mqtt_message *m, uint32_t off, uint32_t len) {
    uint8_t without = m->c->without, options;
    struct slice filters = m->filters, filter;
    bool wildcard = false, shared = false;
    if (m->sub_id && without & MQTT_WITHOUT_SUB_ID) d_anomaly(m->d, FID_MQTT_A_NO_SUB_ID, off, len);
    if (!(without & (MQTT_WITHOUT_WILDCARD | MQTT_WITHOUT_SHARED))) return;
    while (mqtt_filter_next(&filters, m->head.type, &filter, &options)) {
        wildcard |= filter.n && (memchr(filter.p, '#', filter.n) || memchr(filter.p, '+', filter.n));
        shared |= mqtt_filter_shared(filter);
    }
    if (wildcard && without & MQTT_WITHOUT_WILDCARD) d_anomaly(m->d, FID_MQTT_A_NO_WILDCARD, off, len);
    if (shared && without & MQTT_WITHOUT_SHARED) d_anomaly(m->d, FID_MQTT_A_NO_SHARED, off, len);
}

void mqtt_session_done(struct mqtt_message *m, uint32_t off) {
    struct mqtt_conv *c = m->c;
    uint32_t len = m->head.size + m->head.length;
    if (c->packet_max[1 - m->from] && len > c->packet_max[1 - m->from])
        d_anomaly(m->d, FID_MQTT_A_PACKET_MAX, off, len);
    flight_count(m, off, len);
    switch (m->head.type) {
    case MQTT_PUBLISH:
        if (c->client != m->from + 1) break;
        if (m->head.flags & 1 && c->without & MQTT_WITHOUT_RETAIN) d_anomaly(m->d, FID_MQTT_A_NO_RETAIN, off, len);
        if (c->max_qos && (m->head.flags >> 1 & 3) >= c->max_qos) d_anomaly(m->d, FID_MQTT_A_NO_QOS, off, len);
        break;
    case MQTT_SUBSCRIBE: subscribe_check(m, off, len); break;
    case MQTT_DISCONNECT:
        if (c->client == m->from + 1 && c->connect && !c->expires && mqtt_number(m, MQTT_N_EXPIRY, 0))
            d_anomaly(m->d, FID_MQTT_A_EXPIRY, off, len);
        break;
    case MQTT_AUTH:
        if (c->connect && c->version == MQTT_5 && !c->authenticates) d_anomaly(m->d, FID_MQTT_A_AUTH, off, len);
        break;
    default: break;
    }
}

/* subscribe_fits tells whether a SUBSCRIBE or UNSUBSCRIBE body is a list of filters to its end. */
static bool subscribe_fits(struct slice body, uint8_t type, bool properties) {
    struct reader r = rd_init(body, body.p);
    rd_skip(&r, 2);
    size_t size = 0;
    if (properties && !mqtt_properties_plausible(rd_rest(&r), type, &size)) return false;
    rd_skip(&r, size);
    if (!rd_left(&r)) return false;
    while (rd_ok(&r) && rd_left(&r)) {
        struct slice filter = rd_take(&r, rd_be16(&r));
        if (type == MQTT_SUBSCRIBE) rd_skip(&r, 1);
        if (rd_ok(&r) && !filter.n) return false;
    }
    return rd_ok(&r);
}

/* publish_guess looks for properties where 3.1.1 has the payload. A length of 0 is believed where text follows: a
 * payload that begins with a zero byte and goes on as text is the rarer thing. */
static uint8_t publish_guess(const struct mqtt_head *h, struct slice body) {
    struct reader r = rd_init(body, body.p);
    rd_skip(&r, rd_be16(&r));
    if (h->flags & 6) rd_skip(&r, 2);
    struct slice rest = rd_rest(&r);
    size_t size;
    if (!rd_ok(&r) || !mqtt_properties_plausible(rest, MQTT_PUBLISH, &size)) return MQTT_UNKNOWN;
    struct slice payload = slice_tail(rest, size);
    if (size > 1) return MQTT_5;
    return payload.n && payload.p[0] >= 0x20 && utf8_valid(payload) ? MQTT_5 : MQTT_UNKNOWN;
}

static uint8_t guess(const struct mqtt_head *h, struct slice body) {
    switch (h->type) {
    case MQTT_CONNACK: return h->length > 2 ? MQTT_5 : h->length == 2 ? MQTT_311 : MQTT_UNKNOWN;
    case MQTT_PUBLISH: return publish_guess(h, body);
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP: return h->length > 2 ? MQTT_5 : MQTT_UNKNOWN;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        if (subscribe_fits(body, h->type, false)) return MQTT_311;
        return subscribe_fits(body, h->type, true) ? MQTT_5 : MQTT_UNKNOWN;
    case MQTT_UNSUBACK: return h->length > 2 ? MQTT_5 : h->length == 2 ? MQTT_311 : MQTT_UNKNOWN;
    case MQTT_DISCONNECT: return h->length ? MQTT_5 : MQTT_UNKNOWN;
    case MQTT_AUTH: return MQTT_5;
    default: return MQTT_UNKNOWN;
    }
}

uint8_t mqtt_session_version(struct mqtt_conv *c, const struct mqtt_head *h, struct slice body) {
    if (c->version != MQTT_UNKNOWN || h->type == MQTT_CONNECT) return c->version;
    if (c->guess == MQTT_UNKNOWN) c->guess = guess(h, body);
    return c->guess == MQTT_5 ? MQTT_5 : MQTT_UNKNOWN;
}

/* An entry of the aliases: side (1 byte), alias (2), length of the topic (2), topic. */
enum { ENTRY_HEAD = 5 };

static uint8_t *entries_of(const struct mqtt_kept *c) { return c->many ? c->many : (uint8_t *)c->few; }

static size_t entry_size(const uint8_t *entry) { return ENTRY_HEAD + load_be16(entry + 3); }

/* entry_find returns where the alias of a side stands, or used. */
static size_t entry_find(const struct mqtt_kept *c, int from, uint16_t alias) {
    const uint8_t *entry = entries_of(c);
    size_t at = 0;
    while (at < c->used && (entry[at] != from || load_be16(entry + at + 1) != alias)) at += entry_size(entry + at);
    return at;
}

static void entry_drop(struct mqtt_kept *c, size_t at) {
    uint8_t *entry = entries_of(c) + at;
    size_t size = entry_size(entry);
    memmove(entry, entry + size, c->used - at - size);
    c->used = (uint16_t)(c->used - size);
}

/* room_make makes room for n bytes, of MQTT_ALIAS_BYTES at most; false without memory. */
static bool room_make(struct mqtt_kept *c, size_t n) {
    if (n <= MQTT_ALIAS_FEW || c->many) return true;
    uint8_t *many = arena_get(&c->memory, MQTT_ALIAS_BYTES);
    if (!many) return false;
    memcpy(many, c->few, c->used);
    c->many = many;
    return true;
}

static void kept_set(struct mqtt_conv *conv, int from, uint16_t alias, struct slice topic) {
    struct mqtt_kept *c = (struct mqtt_kept *)conv;
    size_t size = ENTRY_HEAD + topic.n, at = entry_find(c, from, alias);
    if (at < c->used) entry_drop(c, at);
    if (size > MQTT_ALIAS_BYTES || !room_make(c, c->used + size)) {
        c->conv.forgot[from] = true;
        return;
    }
    while (c->used + size > MQTT_ALIAS_BYTES) {
        c->conv.forgot[*entries_of(c)] = true;
        entry_drop(c, 0);
    }
    uint8_t head[ENTRY_HEAD] = {(uint8_t)from, (uint8_t)(alias >> 8), (uint8_t)alias, (uint8_t)(topic.n >> 8),
                                (uint8_t)topic.n};
    uint8_t *entry = entries_of(c) + c->used;
    memcpy(entry, head, ENTRY_HEAD);
    memcpy(entry + ENTRY_HEAD, topic.p, topic.n);
    c->used = (uint16_t)(c->used + size);
}

static struct slice kept_get(const struct mqtt_conv *conv, int from, uint16_t alias) {
    const struct mqtt_kept *c = (const struct mqtt_kept *)conv;
    size_t at = entry_find(c, from, alias);
    if (at >= c->used) return (struct slice){0};
    const uint8_t *entry = entries_of(c) + at;
    return slice_of(entry + ENTRY_HEAD, entry_size(entry) - ENTRY_HEAD);
}

void mqtt_kept_start(struct mqtt_kept *k) {
    static const struct mqtt_alias_ops kept = {kept_set, kept_get};
    *k = (struct mqtt_kept){.conv = {.aliases = &kept}, .memory = arena_make(MQTT_ALIAS_BYTES)};
}

void mqtt_kept_end(struct mqtt_kept *k) { arena_free(&k->memory); }

void mqtt_alias_set(struct mqtt_conv *c, int from, uint16_t alias, struct slice topic) {
    if (c->aliases) c->aliases->set(c, from, alias, topic);
}

struct slice mqtt_alias_get(const struct mqtt_conv *c, int from, uint16_t alias) {
    return c->aliases ? c->aliases->get(c, from, alias) : (struct slice){0};
}

enum { SHORT_BODY = 4 }; /* of the packets that only carry an identifier or a code */

/* plausible tells whether a packet that is not CONNECT could stand at the start of what was captured. Bytes that are
 * still to come speak for it. */
static bool plausible(const struct mqtt_head *h, struct slice body) {
    struct reader r = rd_init(body, body.p);
    if (h->overlong) return false;
    if (h->type == MQTT_PUBLISH) {
        uint16_t size = rd_be16(&r);
        if ((h->flags & 6) == 6 || h->length < 3) return false;
        if (!rd_ok(&r)) return true;
        if (!size || size + 2u > h->length) return false;
        struct slice topic = slice_head(rd_rest(&r), size);
        for (struct slice s = topic; s.n; s = slice_tail(s, 1))
            if (s.p[0] < 0x20 || s.p[0] == '#' || s.p[0] == '+') return false;
        return topic.n < size || utf8_valid(topic);
    }
    bool asks = h->type == MQTT_PUBREL || h->type == MQTT_SUBSCRIBE || h->type == MQTT_UNSUBSCRIBE;
    if (h->flags != (asks ? 2 : 0)) return false;
    if (body.n < h->length) return h->length <= SHORT_BODY || asks;
    body = slice_head(body, h->length);
    switch (h->type) {
    case MQTT_CONNACK: return h->length == 2 && body.p[0] <= 1 && body.p[1] <= 5;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP: return h->length == 2 && load_be16(body.p);
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE: return subscribe_fits(body, h->type, false) || subscribe_fits(body, h->type, true);
    case MQTT_PINGREQ:
    case MQTT_PINGRESP: return h->length == 0;
    default: return false;
    }
}

enum probe_result mqtt_probe(struct slice in) {
    struct mqtt_head h;
    enum read_status status = mqtt_head_read(in, &h);
    if (status == READ_MORE) return in.n && in.p[0] >> 4 ? PROBE_UNSURE : PROBE_NO;
    if (!(in.p[0] >> 4)) return PROBE_NO;
    if (status != READ_OK) return PROBE_UNLIKELY;
    struct slice body = slice_tail(in, h.size);
    if (h.type != MQTT_CONNECT) return plausible(&h, body) ? PROBE_UNSURE : PROBE_UNLIKELY;
    if (h.flags) return PROBE_UNLIKELY;
    if (body.n < 6)
        return slice_starts(SLICE("\0\4MQTT"), body) || slice_starts(SLICE("\0\6MQIs"), body) ? PROBE_UNSURE
                                                                                              : PROBE_UNLIKELY;
    bool name = slice_starts(body, SLICE("\0\4MQTT")) || slice_starts(body, SLICE("\0\6MQIsdp"));
    return name ? PROBE_CERTAIN : PROBE_UNLIKELY;
}
