/* SPDX-License-Identifier: Apache-2.0 */
/* Writing MQTT packets. Sizes are added up first, as the length stands before what it counts. */
#include "proto/mqtt/mqtt_write.h"

enum { TEXT_MAX = 65535 };

static void put_u8(struct writer *w, uint8_t v) { wr_c(w, (char)v); }
static void put_be16(struct writer *w, uint16_t v) {
    put_u8(w, (uint8_t)(v >> 8));
    put_u8(w, (uint8_t)v);
}
static void put_text(struct writer *w, struct slice s) {
    put_be16(w, (uint16_t)s.n);
    wr_slice(w, s);
}
static void put_varint(struct writer *w, size_t v) {
    for (; v > 127; v >>= 7) put_u8(w, (uint8_t)(v | 128));
    put_u8(w, (uint8_t)v);
}
static void put_properties(struct writer *w, uint8_t version, struct slice s) {
    if (version != MQTT_5) return;
    put_varint(w, s.n);
    wr_slice(w, s);
}

/* size adds up a body; it is spoilt by a part that cannot be written. */
struct size {
    size_t n;
    bool spoilt;
};

static void size_text(struct size *s, struct slice text) {
    if (text.n > TEXT_MAX) s->spoilt = true;
    s->n += 2 + text.n;
}
static void size_properties(struct size *s, uint8_t version, struct slice p) {
    if (version != MQTT_5) return;
    if (p.n > MQTT_LENGTH_MAX) s->spoilt = true;
    s->n += (p.n < 128 ? 1u : p.n < 16384 ? 2u : p.n < 2097152 ? 3u : 4u) + p.n;
}

static bool put_head(struct writer *w, uint8_t type, uint8_t flags, struct size s) {
    if (s.spoilt || s.n > MQTT_LENGTH_MAX) return false;
    put_u8(w, (uint8_t)(type << 4 | flags));
    put_varint(w, s.n);
    return true;
}

/* asks_flags returns the flags a packet's fixed header must have, MQTT 2.1.3. */
static uint8_t asks_flags(uint8_t type) {
    return type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE ? 2 : 0;
}

bool mqtt_write_connect(struct writer *w, const struct mqtt_connect *p) {
    struct slice name = p->version == MQTT_31 ? SLICE("MQIsdp") : SLICE("MQTT");
    struct size s = {.n = 2 + name.n + 4};
    size_properties(&s, p->version, p->properties);
    size_text(&s, p->client_id);
    if (p->flags & MQTT_WILL) {
        size_properties(&s, p->version, p->will_properties);
        size_text(&s, p->will_topic);
        size_text(&s, p->will_message);
    }
    if (p->flags & MQTT_USER_NAME) size_text(&s, p->user_name);
    if (p->flags & MQTT_PASSWORD) size_text(&s, p->password);
    if (!put_head(w, MQTT_CONNECT, 0, s)) return false;
    put_text(w, name);
    put_u8(w, p->version);
    put_u8(w, p->flags);
    put_be16(w, p->keep_alive);
    put_properties(w, p->version, p->properties);
    put_text(w, p->client_id);
    if (p->flags & MQTT_WILL) {
        put_properties(w, p->version, p->will_properties);
        put_text(w, p->will_topic);
        put_text(w, p->will_message);
    }
    if (p->flags & MQTT_USER_NAME) put_text(w, p->user_name);
    if (p->flags & MQTT_PASSWORD) put_text(w, p->password);
    return true;
}

bool mqtt_write_connack(struct writer *w, const struct mqtt_connack *p) {
    struct size s = {.n = 2};
    size_properties(&s, p->version, p->properties);
    if (!put_head(w, MQTT_CONNACK, 0, s)) return false;
    put_u8(w, p->session_present && p->version != MQTT_31);
    put_u8(w, p->code);
    put_properties(w, p->version, p->properties);
    return true;
}

bool mqtt_write_publish(struct writer *w, const struct mqtt_publish *p) {
    struct size s = {.n = p->qos ? 2 : 0};
    size_text(&s, p->topic);
    size_properties(&s, p->version, p->properties);
    s.n += p->payload.n;
    if (!put_head(w, MQTT_PUBLISH, (uint8_t)(p->dup << 3 | (p->qos & 3) << 1 | p->retain), s)) return false;
    put_text(w, p->topic);
    if (p->qos) put_be16(w, p->id);
    put_properties(w, p->version, p->properties);
    wr_slice(w, p->payload);
    return true;
}

bool mqtt_write_ack(struct writer *w, const struct mqtt_ack *p) {
    bool properties = p->version == MQTT_5 && p->properties.n;
    bool reason = p->version == MQTT_5 && (p->reason || properties);
    struct size s = {.n = reason ? 3 : 2};
    if (properties) size_properties(&s, p->version, p->properties);
    if (!put_head(w, p->type, asks_flags(p->type), s)) return false;
    put_be16(w, p->id);
    if (reason) put_u8(w, p->reason);
    if (properties) put_properties(w, p->version, p->properties);
    return true;
}

bool mqtt_write_subscribe(struct writer *w, const struct mqtt_subscribe *p) {
    struct size s = {.n = 2};
    bool options = p->type == MQTT_SUBSCRIBE;
    size_properties(&s, p->version, p->properties);
    for (size_t i = 0; i < p->count; i++) {
        size_text(&s, p->filters[i].filter);
        s.n += options;
    }
    if (!put_head(w, p->type, asks_flags(p->type), s)) return false;
    put_be16(w, p->id);
    put_properties(w, p->version, p->properties);
    for (size_t i = 0; i < p->count; i++) {
        put_text(w, p->filters[i].filter);
        if (options) put_u8(w, p->filters[i].options);
    }
    return true;
}

bool mqtt_write_suback(struct writer *w, const struct mqtt_suback *p) {
    bool codes = p->type == MQTT_SUBACK || p->version == MQTT_5;
    struct size s = {.n = 2 + (codes ? p->codes.n : 0)};
    size_properties(&s, p->version, p->properties);
    if (!put_head(w, p->type, 0, s)) return false;
    put_be16(w, p->id);
    put_properties(w, p->version, p->properties);
    if (codes) wr_slice(w, p->codes);
    return true;
}

bool mqtt_write_close(struct writer *w, const struct mqtt_close *p) {
    bool properties = p->version == MQTT_5 && p->properties.n;
    bool reason = p->version == MQTT_5 && (p->reason || properties);
    struct size s = {.n = reason};
    if (properties) size_properties(&s, p->version, p->properties);
    if (!put_head(w, p->type, 0, s)) return false;
    if (reason) put_u8(w, p->reason);
    if (properties) put_properties(w, p->version, p->properties);
    return true;
}

bool mqtt_write_ping(struct writer *w, uint8_t type) { return put_head(w, type, 0, (struct size){0}); }

bool mqtt_put_number(struct writer *w, uint8_t property, uint32_t value) {
    enum mqtt_kind kind = mqtt_property_kind(property);
    if (kind == MQTT_K_BYTE && value > UINT8_MAX) return false;
    if (kind == MQTT_K_TWO && value > UINT16_MAX) return false;
    if (kind == MQTT_K_VARINT && value > MQTT_LENGTH_MAX) return false;
    if (kind < MQTT_K_BYTE || kind > MQTT_K_VARINT) return false;
    put_u8(w, property);
    switch (kind) {
    case MQTT_K_BYTE: put_u8(w, (uint8_t)value); break;
    case MQTT_K_TWO: put_be16(w, (uint16_t)value); break;
    case MQTT_K_FOUR:
        put_be16(w, (uint16_t)(value >> 16));
        put_be16(w, (uint16_t)value);
        break;
    default: put_varint(w, value); break;
    }
    return true;
}

bool mqtt_put_text(struct writer *w, uint8_t property, struct slice text) {
    enum mqtt_kind kind = mqtt_property_kind(property);
    if ((kind != MQTT_K_TEXT && kind != MQTT_K_BINARY) || text.n > TEXT_MAX) return false;
    put_u8(w, property);
    put_text(w, text);
    return true;
}

bool mqtt_put_pair(struct writer *w, struct slice name, struct slice value) {
    if (name.n > TEXT_MAX || value.n > TEXT_MAX) return false;
    put_u8(w, MQTT_P_USER);
    put_text(w, name);
    put_text(w, value);
    return true;
}
