/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT packets of all fifteen types, by proto/'s writers; then what was asked for wrong is put in: the fixed header,
 * the connect flags, the protocol's name. Before one of Scapy's MQTT layers, MQTT() is the fixed header alone. */
#include "craft/build.h"
#include "proto/mqtt/mqtt_write.h"

#include <ctype.h>

enum { FILTERS_MAX = 256, CODES_MAX = 256, PROPERTIES_MAX = 64 << 10 };

/* parts are what a packet is made of beside its numbers. */
struct parts {
    struct writer properties, will;
    struct mqtt_filter filters[FILTERS_MAX];
    uint8_t codes[CODES_MAX];
    size_t n_filters, n_codes;
};

/* same_words compares names of properties: letter case does not matter, and _ or - stand for a space. */
static bool same_words(struct slice s, const char *name) {
    size_t n = strlen(name);
    if (s.n != n) return false;
    for (size_t i = 0; i < n; i++) {
        int a = s.p[i] == '_' || s.p[i] == '-' ? ' ' : tolower(s.p[i]);
        if (a != tolower((unsigned char)name[i])) return false;
    }
    return true;
}

/* property_find gives the property of a name, as `weir fields` and Wireshark have them, or of a number; 0: none. */
static uint8_t property_find(const struct node *n) {
    if (n->kind == NODE_INT)
        return n->u > 0 && n->u < MQTT_PROPERTIES && mqtt_property_kind((uint8_t)n->u) != MQTT_K_NONE ? (uint8_t)n->u
                                                                                                      : 0;
    for (size_t i = 0; n->kind == NODE_TEXT && i < vals_mqtt_property.count; i++)
        if (same_words(n->text, vals_mqtt_property.list[i].name)) return (uint8_t)vals_mqtt_property.list[i].lo;
    return 0;
}

static int property_put(struct building *b, struct writer *w, const struct node *n) {
    if (n->kind == NODE_TEXT) return wr_slice(w, n->text), OK; /* bytes as they are */
    const struct node *name = n->kind == NODE_TUPLE ? n->first : NULL, *value = name ? name->next : NULL;
    uint8_t id = name && value ? property_find(name) : 0;
    if (!id)
        return build_complain(b, n,
                              "a property is its name and its value, such as (\"Session Expiry Interval\",30); `weir "
                              "fields -v mqtt.property_id` lists the names");
    const struct node *second = value->kind == NODE_TUPLE ? value->first : value;
    bool fine = false;
    if (id == MQTT_P_USER) {
        const struct node *what = value->kind == NODE_TUPLE ? second ? second->next : NULL : value->next;
        fine = second && what && second->kind == NODE_TEXT && what->kind == NODE_TEXT &&
               mqtt_put_pair(w, second->text, what->text);
    } else if (value->kind == NODE_INT) {
        fine = value->u >= 0 && value->u <= UINT32_MAX && mqtt_put_number(w, id, (uint32_t)value->u);
    } else if (value->kind == NODE_TEXT) {
        fine = mqtt_put_text(w, id, value->text);
    }
    return fine ? OK : build_complain(b, n, "this is no value of the property");
}

static int properties_put(struct building *b, struct writer *w, const struct value *v) {
    const struct node *list = v->node;
    int rc = OK;
    if (!list) return OK;
    if (list->kind == NODE_TEXT) return wr_slice(w, list->text), OK;
    if (list->kind != NODE_LIST) return build_complain(b, list, "properties are a list: [(\"Topic Alias\",1)]");
    for (const struct node *n = list->first; n && !rc; n = n->next) rc = property_put(b, w, n);
    return rc ? rc : wr_len(w) > PROPERTIES_MAX ? build_complain(b, list, "the properties are too long") : w->err;
}

/* filters_get: topics=["a",("b",1)], or topic and QOS. */
static int filters_get(struct building *b, struct parts *p, const struct value *v) {
    const struct node *list = v[MQTT_F_TOPICS].node;
    uint8_t options = (uint8_t)(v[MQTT_F_OPTIONS].set ? v[MQTT_F_OPTIONS].u : v[MQTT_F_QOS].u);
    if (!list) {
        p->filters[0] = (struct mqtt_filter){v[MQTT_F_TOPIC].text, options};
        p->n_filters = 1;
        return OK;
    }
    if (list->kind != NODE_LIST) return build_complain(b, list, "topics are a list: [\"a\",(\"b/#\",1)]");
    for (const struct node *n = list->first; n; n = n->next) {
        const struct node *name = n->kind == NODE_TUPLE ? n->first : n, *qos = name && name != n ? name->next : NULL;
        if (p->n_filters == FILTERS_MAX) return build_complain(b, n, "more than 256 topics");
        if (!name || name->kind != NODE_TEXT || (qos && (qos->kind != NODE_INT || qos->u < 0 || qos->u > 255)))
            return build_complain(b, n, "a topic is a text, or a text and its options: (\"b/#\",1)");
        p->filters[p->n_filters++] = (struct mqtt_filter){name->text, qos ? (uint8_t)qos->u : options};
    }
    return OK;
}

static int codes_get(struct building *b, struct parts *p, const struct value *v) {
    const struct node *list = v[MQTT_F_CODES].node;
    p->codes[0] = (uint8_t)v[MQTT_F_CODE].u;
    p->n_codes = 1;
    if (!list) return OK;
    p->n_codes = 0;
    if (list->kind != NODE_LIST) return build_complain(b, list, "codes are a list: [0,1,0x80]");
    for (const struct node *n = list->first; n; n = n->next) {
        if (n->kind != NODE_INT || n->u < 0 || n->u > 255 || p->n_codes == CODES_MAX)
            return build_complain(b, n, "this is no code");
        p->codes[p->n_codes++] = (uint8_t)n->u;
    }
    return OK;
}

static bool connect_put(struct writer *w, const struct value *v, const struct parts *q) {
    struct mqtt_connect p = {.version = (uint8_t)v[MQTT_F_VER].u,
                             .keep_alive = (uint16_t)v[MQTT_F_ALIVE].u,
                             .properties = wr_done(&q->properties),
                             .will_properties = wr_done(&q->will),
                             .client_id = v[MQTT_F_CLIENT].text,
                             .will_topic = v[MQTT_F_WILL_TOPIC].text,
                             .will_message = v[MQTT_F_WILL_MESSAGE].text,
                             .user_name = v[MQTT_F_USER].text,
                             .password = v[MQTT_F_PASSWORD].text};
    if (v[MQTT_F_CLEAN].u) p.flags |= MQTT_CLEAN;
    if (v[MQTT_F_WILL_TOPIC].set)
        p.flags |= (uint8_t)(MQTT_WILL | v[MQTT_F_QOS].u << 3 | (v[MQTT_F_RETAIN].u ? MQTT_WILL_RETAIN : 0));
    if (v[MQTT_F_USER].set) p.flags |= MQTT_USER_NAME;
    if (v[MQTT_F_PASSWORD].set) p.flags |= MQTT_PASSWORD;
    return mqtt_write_connect(w, &p);
}

static bool mqtt_put(struct writer *w, const struct value *v, const struct parts *q) {
    uint8_t version = (uint8_t)v[MQTT_F_VER].u, type = (uint8_t)v[MQTT_F_TYPE].u, code = (uint8_t)v[MQTT_F_CODE].u;
    uint16_t id = (uint16_t)v[MQTT_F_ID].u;
    struct slice properties = wr_done(&q->properties), codes = slice_of(q->codes, q->n_codes);
    switch (type) {
    case MQTT_CONNECT: return connect_put(w, v, q);
    case MQTT_CONNACK:
        return mqtt_write_connack(w, &(struct mqtt_connack){version, v[MQTT_F_PRESENT].u, code, properties});
    case MQTT_PUBLISH:
        return mqtt_write_publish(w, &(struct mqtt_publish){version, (uint8_t)v[MQTT_F_QOS].u, v[MQTT_F_DUP].u,
                                                            v[MQTT_F_RETAIN].u, id, v[MQTT_F_TOPIC].text, properties,
                                                            v[MQTT_F_MESSAGE].text});
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP: return mqtt_write_ack(w, &(struct mqtt_ack){version, type, id, code, properties});
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        return mqtt_write_subscribe(w,
                                    &(struct mqtt_subscribe){version, type, id, properties, q->filters, q->n_filters});
    case MQTT_SUBACK:
    case MQTT_UNSUBACK: return mqtt_write_suback(w, &(struct mqtt_suback){version, type, id, properties, codes});
    case MQTT_PINGREQ:
    case MQTT_PINGRESP: return mqtt_write_ping(w, type);
    case MQTT_DISCONNECT:
    case MQTT_AUTH: return mqtt_write_close(w, &(struct mqtt_close){version, type, code, properties});
    default: return false;
    }
}

static void put_varint(struct writer *w, int64_t v) {
    for (; v > 127; v >>= 7) put_be8(w, (v & 127) | 128);
    put_be8(w, v);
}

/* body_put writes the body of a packet, with another protocol name or other connect flags where they were given. */
static void body_put(struct writer *w, struct slice body, const struct value *v) {
    if (v[MQTT_F_TYPE].u != MQTT_CONNECT) return wr_slice(w, body);
    size_t name = 2 + ((size_t)body.p[0] << 8 | body.p[1]);
    if (v[MQTT_F_PROTONAME].set) {
        put_be16(w, (int64_t)v[MQTT_F_PROTONAME].text.n);
        wr_slice(w, v[MQTT_F_PROTONAME].text);
    } else {
        wr_slice(w, slice_head(body, name));
    }
    body = slice_tail(body, name);
    wr_slice(w, slice_head(body, 1));
    put_be8(w, v[MQTT_F_CONFLAGS].set ? v[MQTT_F_CONFLAGS].u : body.p[1]);
    wr_slice(w, slice_tail(body, 2));
}

/* head_only writes the fixed header before one of Scapy's MQTT layers: with the flags as they are said. */
static int head_only(struct building *b, const struct value *v, int upper) {
    int64_t type = v[MQTT_F_TYPE].set ? v[MQTT_F_TYPE].u : layer_of(upper)->number;
    int64_t flags = v[MQTT_F_DUP].u << 3 | v[MQTT_F_QOS].u << 1 | v[MQTT_F_RETAIN].u;
    put_be8(b->w, type << 4 | (v[MQTT_F_FLAGS].set ? v[MQTT_F_FLAGS].u : flags));
    put_varint(b->w, v[MQTT_F_LEN].set ? v[MQTT_F_LEN].u : (int64_t)b->payload.n);
    return OK;
}

static int packet_put(struct building *b, const struct value *v, const struct parts *q, struct writer *whole,
                      struct writer *body) {
    if (!mqtt_put(whole, v, q))
        return build_complain(b, NULL, "MQTT has no such packet, or one of its texts is longer than 65535 bytes");
    if (whole->err) return whole->err;
    struct slice s = wr_done(whole);
    size_t head = 1;
    while (s.p[head] & 128) head++;
    body_put(body, slice_tail(s, head + 1), v);
    put_be8(b->w, v[MQTT_F_FLAGS].set ? (s.p[0] & 0xf0) | v[MQTT_F_FLAGS].u : s.p[0]);
    put_varint(b->w, v[MQTT_F_LEN].set ? v[MQTT_F_LEN].u : (int64_t)wr_len(body));
    wr_slice(b->w, wr_done(body));
    return body->err;
}

int build_mqtt(struct building *b) {
    struct value own[FIELDS_PER_LAYER];
    const struct value *v = b->values[b->at];
    int upper = b->at + 1 < b->n ? (int)b->layers[b->at + 1] : LAYER_RAW;
    if (upper > LAYER_RAW && layer_of(upper)->group == GROUP_MQTT) return head_only(b, v, upper);
    if (b->env && b->env->mqtt_version && !v[MQTT_F_VER].set) {
        memcpy(own, v, sizeof own);
        own[MQTT_F_VER].u = b->env->mqtt_version;
        v = own;
    }
    struct parts q = {.properties = wr_grow(), .will = wr_grow()};
    struct writer whole = wr_grow(), body = wr_grow();
    int rc = properties_put(b, &q.properties, &v[MQTT_F_PROPERTIES]);
    if (!rc) rc = properties_put(b, &q.will, &v[MQTT_F_WILL_PROPERTIES]);
    if (!rc) rc = filters_get(b, &q, v);
    if (!rc) rc = codes_get(b, &q, v);
    if (!rc) rc = packet_put(b, v, &q, &whole, &body);
    wr_free(&q.properties);
    wr_free(&q.will);
    wr_free(&whole);
    wr_free(&body);
    return rc;
}
