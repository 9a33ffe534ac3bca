/* SPDX-License-Identifier: Apache-2.0 */
#include "view/mqtt_talk.h"

#include "base/utf8.h"
#include "field/print.h"
#include "view/view.h"

#include <inttypes.h>

#define CLIENT_COLOR "\033[31m"
#define BROKER_COLOR "\033[34m"
#define DIM "\033[2m"
#define NO_COLOR "\033[0m"

enum { PAYLOAD_SHOWN = 100, HEX_SHOWN = 32 };

static void end_print(struct writer *w, const char *name, const struct talk_addr *a) {
    wr_f(w, "%s ", name);
    talk_addr_port_print(w, a);
    wr_c(w, '\n');
}

void mqtt_talk_head_print(struct writer *w, const struct mqtt_talk *t) {
    end_print(w, "client", &t->client);
    end_print(w, "broker", &t->broker);
    wr_c(w, '\n');
}

static void payload_print(struct writer *w, const struct mqtt_turn *t) {
    struct slice all = t->msg.payload, s = slice_head(all, PAYLOAD_SHOWN);
    while (s.n < all.n && s.n && (s.p[s.n] & 0xc0) == 0x80) s.n--; /* no half characters */
    if (!t->payload_n) {
        wr_s(w, ", empty");
        return;
    }
    wr_f(w, plural(t->payload_n, ", %u byte: ", ", %u bytes: "), t->payload_n);
    if (utf8_readable(s)) {
        wr_c(w, '"');
        print_string(w, s);
        wr_c(w, '"');
    } else {
        s = slice_head(all, HEX_SHOWN);
        wr_hexbytes(w, s, ' ');
    }
    if (s.n < t->payload_n) wr_s(w, " ...");
}

static void connect_print(struct writer *w, const struct mqtt_msg *m) {
    wr_c(w, ' ');
    if (m->client_id.n) print_string(w, m->client_id);
    else wr_s(w, "(no client id)");
    if (m->user.n) {
        wr_s(w, ", user ");
        print_string(w, m->user);
    }
    wr_f(w, ", MQTT %s, keep-alive %u s%s%s",
         m->version == MQTT_5     ? "5.0"
         : m->version == MQTT_311 ? "3.1.1"
                                  : "3.1",
         m->keep_alive, m->clean ? ", clean" : "", m->will ? ", with a will" : "");
}

static void body_print(struct writer *w, const struct mqtt_turn *t) {
    const struct mqtt_msg *m = &t->msg;
    wr_s(w, mqtt_msg_type_name(m->type));
    switch (m->type) {
    case MQTT_CONNECT: connect_print(w, m); break;
    case MQTT_PUBLISH:
        wr_c(w, ' ');
        print_string(w, m->topic);
        wr_f(w, ", QoS %u", m->qos);
        if (m->has_id) wr_f(w, ", id %u", m->id);
        wr_f(w, "%s%s", m->retain ? ", retained" : "", m->dup ? ", again" : "");
        payload_print(w, t);
        break;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        for (struct slice s = t->filters; s.n;) {
            const uint8_t *nl = memchr(s.p, '\n', s.n);
            size_t n = nl ? (size_t)(nl - s.p) : s.n;
            wr_s(w, s.p == t->filters.p ? " " : ", ");
            print_string(w, slice_head(s, n));
            s = slice_tail(s, n + 1);
        }
        break;
    default:
        if (m->has_id) wr_f(w, " id %u", m->id);
    }
    if (m->reason >= 0 && m->type != MQTT_PUBLISH) wr_f(w, ": %s", t->reason_text ? t->reason_text : "unknown code");
    if (m->reason >= 0 && !t->reason_text) wr_f(w, " %d", m->reason);
}

static void after_print(struct writer *w, int64_t ns) {
    wr_f(w, ns < 1000000000 ? "+%.3f ms" : "+%.1f ms", (double)ns / 1e6);
}

static void acks_print(struct writer *w, const struct mqtt_turn *t) {
    for (unsigned i = 0; i < t->acks; i++) {
        const struct mqtt_ack *a = &t->ack[i];
        wr_f(w, "%s%s ", i ? ", " : "", mqtt_msg_type_name(a->type));
        after_print(w, a->after);
        wr_f(w, " (frame %" PRIu64 ")", a->frame);
        if (a->reason_text && a->reason > 0) wr_f(w, " %s", a->reason_text);
    }
    if (t->waits)
        wr_f(w, "%s%s", t->acks ? ", then nothing more: " : "",
             t->msg.type == MQTT_PINGREQ ? "no answer" : "not acknowledged to the end");
}

void mqtt_turn_print(struct writer *w, const struct mqtt_turn *t, bool color) {
    wr_f(w, "%12.6f  frame %-6" PRIu64 "  ", (double)t->at / 1e9, t->frame);
    if (color) wr_s(w, t->from_client ? CLIENT_COLOR : BROKER_COLOR);
    wr_s(w, t->from_client ? "client → broker  " : "client ← broker  ");
    body_print(w, t);
    if (color) wr_s(w, NO_COLOR);
    wr_c(w, '\n');
    if (!t->acks && !t->waits) return;
    wr_spaces(w, 28);
    if (color) wr_s(w, DIM);
    wr_s(w, "└ ");
    acks_print(w, t);
    if (color) wr_s(w, NO_COLOR);
    wr_c(w, '\n');
}

static void json_named(struct writer *w, const char *name, struct slice s) {
    wr_f(w, ",\"%s\":", name);
    json_text(w, s);
}

static void json_filters(struct writer *w, struct slice s) {
    wr_s(w, ",\"filters\":[");
    while (s.n) {
        const uint8_t *nl = memchr(s.p, '\n', s.n);
        size_t n = nl ? (size_t)(nl - s.p) : s.n;
        json_text(w, slice_head(s, n));
        s = slice_tail(s, n + 1);
        if (s.n) wr_c(w, ',');
    }
    wr_c(w, ']');
}

void mqtt_turn_json(struct writer *w, const struct mqtt_turn *t) {
    const struct mqtt_msg *m = &t->msg;
    wr_f(w, "{\"time\":%.6f,\"frame\":%" PRIu64 ",\"from\":\"%s\",\"type\":\"%s\",\"size\":%u", (double)t->at / 1e9,
         t->frame, t->from_client ? "client" : "broker", mqtt_msg_type_name(m->type), m->size);
    if (m->type == MQTT_CONNECT) {
        json_named(w, "client_id", m->client_id);
        if (m->user.n) json_named(w, "user", m->user);
        wr_f(w, ",\"version\":%u,\"keep_alive\":%u,\"clean\":%s,\"will\":%s", m->version, m->keep_alive,
             m->clean ? "true" : "false", m->will ? "true" : "false");
    }
    if (m->type == MQTT_PUBLISH) {
        json_named(w, "topic", m->topic);
        wr_f(w, ",\"qos\":%u,\"retain\":%s,\"dup\":%s,\"payload_bytes\":%u", m->qos, m->retain ? "true" : "false",
             m->dup ? "true" : "false", t->payload_n);
        if (utf8_readable(m->payload)) json_named(w, "payload", m->payload);
        else {
            wr_s(w, ",\"payload_hex\":\"");
            wr_hexbytes(w, m->payload, 0);
            wr_c(w, '"');
        }
    }
    if (t->filters.n) json_filters(w, t->filters);
    if (m->has_id) wr_f(w, ",\"id\":%u", m->id);
    if (m->reason >= 0) wr_f(w, ",\"reason\":%d", m->reason);
    if (t->acks || t->waits) {
        wr_s(w, ",\"acks\":[");
        for (unsigned i = 0; i < t->acks; i++)
            wr_f(w, "%s{\"type\":\"%s\",\"frame\":%" PRIu64 ",\"after\":%.6f}", i ? "," : "",
                 mqtt_msg_type_name(t->ack[i].type), t->ack[i].frame, (double)t->ack[i].after / 1e9);
        wr_f(w, "],\"complete\":%s", t->waits ? "false" : "true");
    }
    wr_s(w, "}\n");
}
