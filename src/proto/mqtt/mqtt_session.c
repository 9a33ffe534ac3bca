/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT: what a conversation's earlier packets say about the next one.
 *
 * Theory of operation. A connection has one protocol version, said by CONNECT and by nothing else. Where CONNECT was
 * not captured the version is guessed from packets that only one version can have sent; 5.0 is guessed on strong
 * evidence alone, as its reading of a 3.1.1 packet would eat the first bytes of the payload. Until then packets are
 * read without properties. Which side is the client follows from the packets only one side may send.
 *
 * Topic aliases (MQTT 3.3.2.3.4) belong to a direction. Both directions' aliases share one buffer of
 * MQTT_ALIAS_BYTES, oldest first; when it is full the oldest go, which is remembered so that a name that cannot be
 * resolved is not held against the sender. A topic longer than the buffer is not remembered.
 *
 * Invariants: alias_used <= MQTT_ALIAS_BYTES and the entries fill alias[0..alias_used) exactly.
 * Not done here: packet identifiers in flight, keep alive, sessions across connections. */
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

void mqtt_session_connack(struct mqtt_message *m) { m->c->alias_max[m->from] = m->alias_max; }

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

/* An entry of alias[]: side (1 byte), alias (2), length of the topic (2), topic. */
enum { ENTRY_HEAD = 5 };

static size_t entry_size(const struct mqtt_conv *c, size_t at) { return ENTRY_HEAD + load_be16(&c->alias[at + 3]); }

/* entry_find returns where the alias of a side stands, or alias_used. */
static size_t entry_find(const struct mqtt_conv *c, int from, uint16_t alias) {
    size_t at = 0;
    while (at < c->alias_used && (c->alias[at] != from || load_be16(&c->alias[at + 1]) != alias))
        at += entry_size(c, at);
    return at;
}

static void entry_drop(struct mqtt_conv *c, size_t at) {
    size_t size = entry_size(c, at);
    memmove(&c->alias[at], &c->alias[at + size], c->alias_used - at - size);
    c->alias_used = (uint16_t)(c->alias_used - size);
}

void mqtt_alias_set(struct mqtt_conv *c, int from, uint16_t alias, struct slice topic) {
    size_t size = ENTRY_HEAD + topic.n, at = entry_find(c, from, alias);
    if (at < c->alias_used) entry_drop(c, at);
    if (size > MQTT_ALIAS_BYTES) {
        c->forgot[from] = true;
        return;
    }
    while (c->alias_used + size > MQTT_ALIAS_BYTES) {
        c->forgot[c->alias[0]] = true;
        entry_drop(c, 0);
    }
    uint8_t head[ENTRY_HEAD] = {(uint8_t)from, (uint8_t)(alias >> 8), (uint8_t)alias, (uint8_t)(topic.n >> 8),
                                (uint8_t)topic.n};
    memcpy(&c->alias[c->alias_used], head, ENTRY_HEAD);
    memcpy(&c->alias[c->alias_used + ENTRY_HEAD], topic.p, topic.n);
    c->alias_used = (uint16_t)(c->alias_used + size);
}

struct slice mqtt_alias_get(const struct mqtt_conv *c, int from, uint16_t alias) {
    size_t at = entry_find(c, from, alias);
    if (at >= c->alias_used) return (struct slice){0};
    return slice_of(&c->alias[at + ENTRY_HEAD], entry_size(c, at) - ENTRY_HEAD);
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
    if (status != READ_OK) return PROBE_NO;
    struct slice body = slice_tail(in, h.size);
    if (h.type != MQTT_CONNECT) return plausible(&h, body) ? PROBE_UNSURE : PROBE_NO;
    if (h.flags) return PROBE_NO;
    if (body.n < 6) return slice_starts(SLICE("\0\4MQTT"), body) || slice_starts(SLICE("\0\6MQIs"), body) ? PROBE_UNSURE : PROBE_NO;
    bool name = slice_starts(body, SLICE("\0\4MQTT")) || slice_starts(body, SLICE("\0\6MQIsdp"));
    return name ? PROBE_CERTAIN : PROBE_NO;
}
