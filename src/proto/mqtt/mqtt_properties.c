/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of MQTT 5.0, section 2.2.2: what each one is, where it may stand and what it may hold. */
#include "proto/mqtt/mqtt.h"

/* Sets of packet types; bit 0 is the will. */
#define IN(type) (uint16_t)(1u << MQTT_##type)
enum { WILL = 1, ANYWHERE = 0xffff };

static const struct property {
    uint8_t kind; /* enum mqtt_kind */
    uint16_t places;
    uint16_t field; /* of the value, where it has one of its own */
    uint8_t least;  /* least value allowed */
    uint8_t most;   /* greatest value allowed; 0: no limit */
} properties[MQTT_PROPERTIES] = {
    [MQTT_P_PAYLOAD_FORMAT] = {MQTT_K_BYTE, IN(PUBLISH) | WILL, 0, 0, 1},
    [MQTT_P_MESSAGE_EXPIRY] = {MQTT_K_FOUR, IN(PUBLISH) | WILL},
    [MQTT_P_CONTENT_TYPE] = {MQTT_K_TEXT, IN(PUBLISH) | WILL, FID_MQTT_PROP_CONTENT_TYPE},
    [MQTT_P_RESPONSE_TOPIC] = {MQTT_K_TEXT, IN(PUBLISH) | WILL},
    [MQTT_P_CORRELATION] = {MQTT_K_BINARY, IN(PUBLISH) | WILL},
    [MQTT_P_SUBSCRIPTION_ID] = {MQTT_K_VARINT, IN(PUBLISH) | IN(SUBSCRIBE), 0, 1},
    [MQTT_P_SESSION_EXPIRY] = {MQTT_K_FOUR, IN(CONNECT) | IN(CONNACK) | IN(DISCONNECT)},
    [MQTT_P_ASSIGNED_CLIENT_ID] = {MQTT_K_TEXT, IN(CONNACK)},
    [MQTT_P_SERVER_KEEP_ALIVE] = {MQTT_K_TWO, IN(CONNACK)},
    [MQTT_P_AUTH_METHOD] = {MQTT_K_TEXT, IN(CONNECT) | IN(CONNACK) | IN(AUTH)},
    [MQTT_P_AUTH_DATA] = {MQTT_K_BINARY, IN(CONNECT) | IN(CONNACK) | IN(AUTH)},
    [MQTT_P_REQUEST_PROBLEM] = {MQTT_K_BYTE, IN(CONNECT), 0, 0, 1},
    [MQTT_P_WILL_DELAY] = {MQTT_K_FOUR, WILL},
    [MQTT_P_REQUEST_RESPONSE] = {MQTT_K_BYTE, IN(CONNECT), 0, 0, 1},
    [MQTT_P_RESPONSE_INFO] = {MQTT_K_TEXT, IN(CONNACK)},
    [MQTT_P_SERVER_REFERENCE] = {MQTT_K_TEXT, IN(CONNACK) | IN(DISCONNECT)},
    [MQTT_P_REASON_STRING] = {MQTT_K_TEXT, IN(CONNACK) | IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP) |
                                               IN(SUBACK) | IN(UNSUBACK) | IN(DISCONNECT) | IN(AUTH)},
    [MQTT_P_RECEIVE_MAX] = {MQTT_K_TWO, IN(CONNECT) | IN(CONNACK), 0, 1},
    [MQTT_P_ALIAS_MAX] = {MQTT_K_TWO, IN(CONNECT) | IN(CONNACK)},
    [MQTT_P_ALIAS] = {MQTT_K_TWO, IN(PUBLISH), FID_MQTT_PROP_TOPIC_ALIAS}, /* 0 is an anomaly of its own */
    [MQTT_P_MAX_QOS] = {MQTT_K_BYTE, IN(CONNACK), FID_MQTT_PROP_MAX_QOS, 0, 1},
    [MQTT_P_RETAIN_AVAILABLE] = {MQTT_K_BYTE, IN(CONNACK), 0, 0, 1},
    [MQTT_P_USER] = {MQTT_K_PAIR, ANYWHERE},
    [MQTT_P_MAX_PACKET] = {MQTT_K_FOUR, IN(CONNECT) | IN(CONNACK), 0, 1},
    [MQTT_P_WILDCARD_AVAILABLE] = {MQTT_K_BYTE, IN(CONNACK), 0, 0, 1},
    [MQTT_P_SUB_ID_AVAILABLE] = {MQTT_K_BYTE, IN(CONNACK), 0, 0, 1},
    [MQTT_P_SHARED_AVAILABLE] = {MQTT_K_BYTE, IN(CONNACK), 0, 0, 1},
};

static const struct property *property_of(uint8_t id) {
    return id < MQTT_PROPERTIES && properties[id].kind ? &properties[id] : NULL;
}

enum mqtt_kind mqtt_property_kind(uint8_t id) {
    const struct property *p = property_of(id);
    return p ? p->kind : MQTT_K_NONE;
}

bool mqtt_property_allowed(uint8_t id, uint8_t type) {
    const struct property *p = property_of(id);
    return p && type < MQTT_TYPES && p->places >> type & 1;
}

static uint32_t number_get(struct mqtt_message *m, struct reader *r, const struct property *p) {
    struct decode *d = m->d;
    uint32_t off = rd_off(r), value;
    bool overlong = false;
    switch (p->kind) {
    case MQTT_K_BYTE: value = rd_u8(r); break;
    case MQTT_K_TWO: value = rd_be16(r); break;
    case MQTT_K_FOUR: value = rd_be32(r); break;
    default: value = mqtt_varint(r, &overlong); break;
    }
    if (!rd_ok(r)) return 0;
    uint32_t len = rd_off(r) - off;
    fv_u(d->out, p->field ? p->field : FID_MQTT_PROP_NUMBER, off, len, value);
    if (overlong) d_anomaly(d, FID_MQTT_A_LENGTH, off, len);
    if (value < p->least || (p->most && value > p->most)) d_anomaly(d, FID_MQTT_A_PROP_VALUE, off, len);
    return value;
}

static struct slice text_get(struct mqtt_message *m, struct reader *r, uint16_t len_id, uint16_t id, bool text) {
    uint32_t len = get_be16(m->d, r, len_id), off = rd_off(r);
    struct slice s = get_bytes(m->d, r, id, len);
    if (text && rd_ok(r)) mqtt_text_check(m, MQTT_TEXT, s, off);
    return s;
}

/* counted_get reads a text whose length belongs to its place. */
static void counted_get(struct mqtt_message *m, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, rd_be16(r));
    if (!rd_ok(r)) return;
    fv_s(m->d->out, id, off, (uint32_t)s.n + 2, s);
    mqtt_text_check(m, MQTT_TEXT, s, off + 2);
}

/* response_topic_get reads a topic name to answer to: no wildcards, [MQTT-3.3.2-14]. */
static void response_topic_get(struct mqtt_message *m, struct reader *r) {
    uint32_t len = get_be16(m->d, r, FID_MQTT_PROP_STRING_LEN), off = rd_off(r);
    struct slice s = get_bytes(m->d, r, FID_MQTT_PROP_STRING, len);
    if (!rd_ok(r)) return;
    mqtt_text_check(m, MQTT_TOPIC, s, off);
    m->response = s;
}

/* number_note keeps the values that say what the sender can do. */
static void number_note(struct mqtt_message *m, uint8_t id, uint32_t value) {
    static const uint8_t which[MQTT_PROPERTIES] = {
        [MQTT_P_ALIAS_MAX] = 1 + MQTT_N_ALIAS_MAX,          [MQTT_P_RECEIVE_MAX] = 1 + MQTT_N_RECEIVE_MAX,
        [MQTT_P_MAX_PACKET] = 1 + MQTT_N_PACKET_MAX,        [MQTT_P_MAX_QOS] = 1 + MQTT_N_MAX_QOS,
        [MQTT_P_SERVER_KEEP_ALIVE] = 1 + MQTT_N_KEEP_ALIVE, [MQTT_P_SESSION_EXPIRY] = 1 + MQTT_N_EXPIRY,
    };
    if (!which[id]) return;
    m->number[which[id] - 1] = value;
    m->numbers |= 1u << (which[id] - 1);
}

/* missing returns what a server does without when the property's value is 0. */
static uint8_t missing(uint8_t id) {
    switch (id) {
    case MQTT_P_RETAIN_AVAILABLE: return MQTT_WITHOUT_RETAIN;
    case MQTT_P_WILDCARD_AVAILABLE: return MQTT_WITHOUT_WILDCARD;
    case MQTT_P_SUB_ID_AVAILABLE: return MQTT_WITHOUT_SUB_ID;
    case MQTT_P_SHARED_AVAILABLE: return MQTT_WITHOUT_SHARED;
    default: return 0;
    }
}

static void value_get(struct mqtt_message *m, struct reader *r, uint8_t id, const struct property *p) {
    struct slice text;
    if (id == MQTT_P_RESPONSE_TOPIC) {
        response_topic_get(m, r);
        return;
    }
    switch (p->kind) {
    case MQTT_K_TEXT:
        if (p->field) {
            counted_get(m, r, p->field);
            break;
        }
        text = text_get(m, r, FID_MQTT_PROP_STRING_LEN, FID_MQTT_PROP_STRING, true);
        if (id == MQTT_P_ASSIGNED_CLIENT_ID) m->assigned = text;
        break;
    case MQTT_K_BINARY: text_get(m, r, FID_MQTT_PROP_STRING_LEN, FID_MQTT_PROP_STRING, false); break;
    case MQTT_K_PAIR:
        text_get(m, r, FID_MQTT_PROP_KEY_LEN, FID_MQTT_PROP_KEY, true);
        text_get(m, r, FID_MQTT_PROP_VALUE_LEN, FID_MQTT_PROP_VALUE, true);
        break;
    default: {
        uint32_t off = rd_off(r), value = number_get(m, r, p);
        if (!rd_ok(r)) break;
        if (id == MQTT_P_ALIAS) {
            m->alias = (uint16_t)value;
            m->alias_off = off;
            m->alias_there = true;
        }
        if (m->head.type == MQTT_CONNACK && !value) m->c->without |= missing(id);
        number_note(m, id, value);
        if (id == MQTT_P_PAYLOAD_FORMAT && m->head.type == MQTT_PUBLISH) m->text_payload = value == 1;
    }
    }
}

static void place_check(struct mqtt_message *m, uint8_t id, bool will, uint64_t *seen, uint32_t off) {
    /* DISCONNECT may hold some when it comes from one side only: [MQTT-3.14.2-2], MQTT 3.14.2.2.5. */
    bool client = m->c->client == m->from + 1, server = m->c->client == 2 - m->from;
    bool wrong_side = (m->head.type == MQTT_DISCONNECT &&
                       ((id == MQTT_P_SERVER_REFERENCE && client) || (id == MQTT_P_SESSION_EXPIRY && server)));
    if (wrong_side || !mqtt_property_allowed(id, will ? MQTT_RESERVED : m->head.type))
        d_anomaly(m->d, FID_MQTT_A_PROP_PLACE, off, 1);
    if (m->head.type == MQTT_PUBLISH && id == MQTT_P_SUBSCRIPTION_ID && client)
        d_anomaly(m->d, FID_MQTT_A_SUB_ID, off, 1);
    bool many = id == MQTT_P_USER || (id == MQTT_P_SUBSCRIPTION_ID && m->head.type == MQTT_PUBLISH);
    if (*seen >> id & 1 && !many) d_anomaly(m->d, FID_MQTT_A_PROP_REPEATED, off, 1);
    *seen |= (uint64_t)1 << id;
}

static void list_read(struct mqtt_message *m, struct reader *r, bool will, bool cut) {
    uint64_t seen = 0;
    while (rd_ok(r) && rd_left(r)) {
        uint32_t off = rd_off(r);
        uint8_t id = get_u8(m->d, r, FID_MQTT_PROPERTY_ID);
        const struct property *p = property_of(id);
        if (p) {
            place_check(m, id, will, &seen, off);
            value_get(m, r, id, p);
            continue;
        }
        d_anomaly(m->d, FID_MQTT_A_PROP_UNKNOWN, off, 1);
        if (cut) rd_fail(r);
        else get_bytes(m->d, r, FID_MQTT_PROP_UNKNOWN, rd_left(r)); /* its length is unknown: the rest goes with it */
    }
    if (!will) {
        m->method = seen >> MQTT_P_AUTH_METHOD & 1;
        m->sub_id = seen >> MQTT_P_SUBSCRIPTION_ID & 1;
    }
    if (seen >> MQTT_P_AUTH_DATA & 1 && !(seen >> MQTT_P_AUTH_METHOD & 1))
        d_anomaly(m->d, FID_MQTT_A_AUTH_DATA, rd_off(r), 0);
}

void mqtt_properties_read(struct mqtt_message *m, bool will) {
    struct decode *d = m->d;
    bool overlong;
    uint32_t off = rd_off(&m->r);
    uint32_t length = mqtt_varint(&m->r, &overlong);
    if (!rd_ok(&m->r)) return;
    uint32_t head = rd_off(&m->r) - off;
    bool cut = length > rd_left(&m->r);
    struct reader list = rd_sub(&m->r, cut ? rd_left(&m->r) : length);
    fv_open(d->out, will ? FID_MQTT_WILL_PROPERTIES : FID_MQTT_PROPERTIES, off, head + (uint32_t)rd_left(&list));
    fv_u(d->out, FID_MQTT_PROPERTY_LEN, off, head, length);
    if (overlong) d_anomaly(d, FID_MQTT_A_LENGTH, off, head);
    list_read(m, &list, will, cut);
    fv_close(d->out);
    if (cut || !rd_ok(&list)) rd_fail(&m->r);
}

static void value_skip(struct reader *r, uint8_t kind) {
    bool overlong;
    switch (kind) {
    case MQTT_K_BYTE: rd_skip(r, 1); break;
    case MQTT_K_TWO: rd_skip(r, 2); break;
    case MQTT_K_FOUR: rd_skip(r, 4); break;
    case MQTT_K_VARINT: (void)mqtt_varint(r, &overlong); break;
    case MQTT_K_PAIR: rd_skip(r, rd_be16(r)); /* fall through */
    default: rd_skip(r, rd_be16(r)); break;
    }
}

bool mqtt_properties_plausible(struct slice s, uint8_t type, size_t *size) {
    struct reader r = rd_init(s, s.p);
    bool overlong;
    uint32_t length = mqtt_varint(&r, &overlong);
    struct reader list = rd_sub(&r, length);
    if (!rd_ok(&r) || overlong) return false;
    while (rd_ok(&list) && rd_left(&list)) {
        uint8_t id = rd_u8(&list);
        if (!mqtt_property_allowed(id, type)) return false;
        value_skip(&list, properties[id].kind);
    }
    *size = rd_off(&r);
    return rd_ok(&list);
}

bool mqtt_properties_have(struct slice s, uint8_t id) {
    struct reader r = rd_init(s, s.p);
    bool overlong;
    uint32_t length = mqtt_varint(&r, &overlong);
    struct reader list = rd_sub(&r, length);
    while (rd_ok(&list) && rd_left(&list)) {
        uint8_t one = rd_u8(&list);
        const struct property *p = property_of(one);
        if (one == id) return true;
        if (!p) return false;
        value_skip(&list, p->kind);
    }
    return false;
}
