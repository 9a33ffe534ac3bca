/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/mqtt_msg.h"

#include "analyse/stats/stats.h"

static const char *const names[] = {"reserved", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
                                    "PUBREL",   "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
                                    "PINGREQ",  "PINGRESP", "DISCONNECT", "AUTH"};
_Static_assert(sizeof names / sizeof *names == MQTT_TYPES, "every packet type has a name");

const char *mqtt_msg_type_name(uint8_t type) { return names[type < MQTT_TYPES ? type : 0]; }

int mqtt_msg_by_client(uint8_t type) {
    switch (type) {
    case MQTT_CONNECT:
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
    case MQTT_PINGREQ: return 1;
    case MQTT_CONNACK:
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
    case MQTT_PINGRESP: return 0;
    default: return -1;
    }
}

void mqtt_msg_want(struct want *w) {
    static const uint16_t ids[] = {FID_TCP_STREAM,
                                   FID_MQTT,
                                   FID_MQTT_MSGTYPE,
                                   FID_MQTT_DUPFLAG,
                                   FID_MQTT_QOS,
                                   FID_MQTT_RETAIN,
                                   FID_MQTT_LEN,
                                   FID_MQTT_VER,
                                   FID_MQTT_KALIVE,
                                   FID_MQTT_CLIENTID,
                                   FID_MQTT_USERNAME,
                                   FID_MQTT_CONFLAG_CLEAN,
                                   FID_MQTT_CONFLAG_WILL,
                                   FID_MQTT_CONACK_VAL,
                                   FID_MQTT_CONNACK_REASON,
                                   FID_MQTT_MSGID,
                                   FID_MQTT_TOPIC,
                                   FID_MQTT_MSG,
                                   FID_MQTT_SUBACK_QOS,
                                   FID_MQTT_SUBOPT_QOS,
                                   FID_MQTT_SUB_QOS,
                                   FID_MQTT_PUBACK_REASON,
                                   FID_MQTT_PUBREC_REASON,
                                   FID_MQTT_PUBREL_REASON,
                                   FID_MQTT_PUBCOMP_REASON,
                                   FID_MQTT_SUBACK_REASON,
                                   FID_MQTT_UNSUBACK_REASON,
                                   FID_MQTT_DISCONNECT_REASON,
                                   FID_MQTT_AUTH_REASON,
                                   0};
    talk_ends_want(w);
    for (const uint16_t *id = ids; *id; id++) want_add(w, *id);
}

/* length_size returns the bytes of the fixed header for a length that follows. */
static uint32_t head_size(uint64_t length) { return 2 + (length > 127) + (length > 16383) + (length > 2097151); }

static void field_take(struct mqtt_msg *m, const struct fval *f) {
    switch (f->id) {
    case FID_MQTT_MSGTYPE: m->type = (uint8_t)f->u; break;
    case FID_MQTT_DUPFLAG: m->dup = f->u; break;
    case FID_MQTT_QOS: m->qos = (uint8_t)f->u; break;
    case FID_MQTT_RETAIN: m->retain = f->u; break;
    case FID_MQTT_LEN: m->size = head_size(f->u) + (uint32_t)f->u; break;
    case FID_MQTT_VER: m->version = (uint8_t)f->u; break;
    case FID_MQTT_KALIVE: m->keep_alive = (uint16_t)f->u; break;
    case FID_MQTT_CLIENTID: m->client_id = f->s; break;
    case FID_MQTT_USERNAME: m->user = f->s; break;
    case FID_MQTT_CONFLAG_CLEAN: m->clean = f->u; break;
    case FID_MQTT_CONFLAG_WILL: m->will = f->u; break;
    case FID_MQTT_MSGID:
        m->id = (uint16_t)f->u;
        m->has_id = true;
        break;
    case FID_MQTT_TOPIC:
        if (!m->topic.n) m->topic = f->s;
        break;
    case FID_MQTT_MSG: m->payload = f->s; break;
    case FID_MQTT_CONACK_VAL:
    case FID_MQTT_CONNACK_REASON:
    case FID_MQTT_PUBACK_REASON:
    case FID_MQTT_PUBREC_REASON:
    case FID_MQTT_PUBREL_REASON:
    case FID_MQTT_PUBCOMP_REASON:
    case FID_MQTT_SUBACK_QOS:
    case FID_MQTT_SUBACK_REASON:
    case FID_MQTT_UNSUBACK_REASON:
    case FID_MQTT_DISCONNECT_REASON:
    case FID_MQTT_AUTH_REASON:
        if (m->reason >= 0) break;
        m->reason = (int)f->u;
        m->reason_text = field_of(f->id)->values ? field_value_name(field_of(f->id)->values, f->u) : NULL;
        break;
    default: break;
    }
}

void mqtt_msg_each(const struct decode *d, void (*fn)(void *to, const struct decode *d, const struct mqtt_msg *m),
                   void *to) {
    struct mqtt_msg m = {.reason = -1};
    struct talk_addr src = {0}, dst = {0};
    uint32_t end = stats_outer(d), stream = 0;
    bool open = false;
    for (uint32_t i = 0; i < end; i++) {
        const struct fval *f = &d->out->v[i];
        switch (f->id) {
        case FID_TCP_STREAM: stream = (uint32_t)f->u; break;
        case FID_MQTT:
            if (open) {
                m.end = i;
                fn(to, d, &m);
            }
            m = (struct mqtt_msg){.at = i, .reason = -1, .stream = stream, .src = src, .dst = dst};
            open = true;
            break;
        default:
            talk_ends_take(&src, &dst, f);
            if (open) field_take(&m, f);
        }
    }
    m.end = end;
    if (open) fn(to, d, &m);
}
