/* SPDX-License-Identifier: Apache-2.0 */
/* What the guard says itself, in place of a packet it did not forward: the acknowledgement the sender is due, so that
 * it neither stalls nor sends the message for ever, and goodbyes. */
#include "guard/session.h"
#include "proto/mqtt/mqtt_write.h"

static uint8_t version_of(const struct guard_session *s) { return s->conv.version ? s->conv.version : MQTT_311; }

static void ack(struct writer *w, uint8_t version, uint8_t type, uint16_t id, uint8_t reason) {
    (void)mqtt_write_ack(w, &(struct mqtt_ack){.version = version, .type = type, .id = id, .reason = reason});
}

/* publish_code returns a reason code a PUBACK or PUBREC may have, MQTT 3.4.2.1. */
static uint8_t publish_code(uint8_t code) {
    switch (code) {
    case 0x90:
    case 0x97:
    case 0x99: return code;
    default: return 0x87;
    }
}

/* publish_refuse acknowledges a PUBLISH of QoS 1 or 2. In 5.0 the reason code ends the exchange, MQTT 4.3.3; before,
 * QoS 2 goes on to its PUBCOMP with the guard. */
static void publish_refuse(struct guard *g, struct guard_session *s, const struct mqtt_message *m, enum guard_side side,
                           const struct verdict *v) {
    uint8_t qos = m->head.flags >> 1 & 3, version = version_of(s);
    struct writer *w = &g->inject[side];
    if (!qos || !m->id) return;
    enum id_state state = s->flight ? ids_get(&s->flight->sent[side], m->id) : ID_NONE;
    if (state != ID_NONE && state != ID_OURS)
        return; /* sent again; the first one got through, and its receiver answers */
    uint8_t code = version == MQTT_5 ? publish_code(v->code) : 0;
    ack(w, version, qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, m->id, code);
    bool counted = !(m->head.flags & 8) && s->conv.in_flight[side];
    if ((qos == 1 || version == MQTT_5) && counted) s->conv.in_flight[side]--;
    if (qos == 2 && version != MQTT_5 && flight_get(s)) (void)ids_set(&s->flight->sent[side], m->id, ID_OURS);
}

/* subscribe_refuse refuses every filter of a SUBSCRIBE or UNSUBSCRIBE. */
static void subscribe_refuse(struct guard *g, struct guard_session *s, const struct mqtt_message *m,
                             const struct verdict *v) {
    uint8_t version = version_of(s), options;
    bool asks = m->head.type == MQTT_SUBSCRIBE;
    struct slice filters = m->filters, filter;
    struct writer codes = wr_grow();
    uint8_t code = version == MQTT_5 ? (v->code == 0x97 || v->code == 0x8f ? v->code : 0x87) : 0x80;
    if (version == MQTT_5 && !asks && code == 0x97) code = 0x83;
    while (mqtt_filter_next(&filters, m->head.type, &filter, &options)) wr_c(&codes, (char)code);
    (void)mqtt_write_suback(&g->inject[GUARD_CLIENT], &(struct mqtt_suback){.version = version,
                                                                            .type = asks ? MQTT_SUBACK : MQTT_UNSUBACK,
                                                                            .id = m->id,
                                                                            .codes = wr_done(&codes)});
    wr_free(&codes);
}

/* connack_code returns the return code of 3.x for a reason code of 5.0. */
static uint8_t connack_code(uint8_t code) {
    switch (code) {
    case 0x84: return 1;
    case 0x85: return 2;
    case 0x86: return 4;
    case 0x88:
    case 0x89:
    case 0x97:
    case 0x9f: return 3;
    default: return 5;
    }
}

void reply_goodbye(struct guard *g, struct guard_session *s, uint8_t code) {
    struct writer *w = &g->inject[GUARD_CLIENT];
    if (s->state == GUARD_UP) {
        if (s->conv.version == MQTT_5)
            (void)mqtt_write_close(w, &(struct mqtt_close){.version = MQTT_5, .type = MQTT_DISCONNECT, .reason = code});
        return;
    }
    /* Before CONNACK there is no DISCONNECT, [MQTT-3.14.0-1]; without a CONNECT there is nothing to answer. */
    if (!s->conv.connect) return;
    uint8_t version = version_of(s);
    if (version != MQTT_5 && code >= 0x80 && code <= 0x82) return; /* 3.1.1 closes without a word, [MQTT-3.1.4-1] */
    (void)mqtt_write_connack(
        w, &(struct mqtt_connack){.version = version, .code = version == MQTT_5 ? code : connack_code(code)});
}

void reply_refuse(struct guard *g, struct guard_session *s, const struct mqtt_message *m, enum guard_side side,
                  const struct verdict *v) {
    switch (m->head.type) {
    case MQTT_PUBLISH: publish_refuse(g, s, m, side, v); break;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE: subscribe_refuse(g, s, m, v); break;
    case MQTT_PINGREQ: (void)mqtt_write_ping(&g->inject[GUARD_CLIENT], MQTT_PINGRESP); break;
    default: break;
    }
}
