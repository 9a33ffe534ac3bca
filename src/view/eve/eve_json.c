/* SPDX-License-Identifier: Apache-2.0 */
/* Members of EVE events, by protocol; names are Suricata's where it has the thing. */
#include "base/utf8.h"
#include "field/print.h"
#include "proto/fields.h"
#include "proto/mqtt/mqtt.h"
#include "view/eve/eve.h"

static const char *const names[] = {
    [MQTT_CONNECT] = "connect",         [MQTT_CONNACK] = "connack",       [MQTT_PUBLISH] = "publish",
    [MQTT_PUBACK] = "puback",           [MQTT_PUBREC] = "pubrec",         [MQTT_PUBREL] = "pubrel",
    [MQTT_PUBCOMP] = "pubcomp",         [MQTT_SUBSCRIBE] = "subscribe",   [MQTT_SUBACK] = "suback",
    [MQTT_UNSUBSCRIBE] = "unsubscribe", [MQTT_UNSUBACK] = "unsuback",     [MQTT_PINGREQ] = "pingreq",
    [MQTT_PINGRESP] = "pingresp",       [MQTT_DISCONNECT] = "disconnect", [MQTT_AUTH] = "auth",
};

const char *eve_mqtt_name(uint8_t type) { return type < sizeof names / sizeof *names ? names[type] : NULL; }

static void truth(struct writer *w, const char *name, bool yes) { wr_f(w, ",\"%s\":%s", name, yes ? "true" : "false"); }

static void value_name(struct writer *w, const char *name, const struct field_values *table, uint64_t value) {
    const char *text = field_value_name(table, value);
    if (text) json_member(w, name, slice_str(text));
    else json_member_u(w, name, value);
}

static bool is_text(struct slice s) {
    uint32_t code;
    for (size_t n; s.n; s = slice_tail(s, n)) {
        n = utf8_next(s, &code);
        if (!n) return false;
    }
    return true;
}

/* payload_write shows text as text and the rest in base64; a long one is cut between two characters. */
static void payload_write(struct writer *w, struct slice payload) {
    struct slice shown = slice_head(payload, EVE_PAYLOAD_MAX);
    while (shown.n && shown.n < payload.n && (payload.p[shown.n] & 0xc0) == 0x80) shown.n--;
    json_member_u(w, "length", payload.n);
    if (is_text(shown)) {
        json_member(w, "message", shown);
    } else {
        wr_s(w, ",\"message_b64\":\"");
        base64_write(w, shown);
        wr_c(w, '"');
    }
    if (shown.n < payload.n) truth(w, "truncated", true);
}

static void filters_write(struct writer *w, const struct mqtt_event *m) {
    wr_s(w, ",\"topics\":[");
    for (uint8_t i = 0; i < m->topics && i < EVENT_LIST; i++) {
        if (i) wr_c(w, ',');
        if (m->type == MQTT_UNSUBSCRIBE) {
            json_text(w, m->topic[i]);
            continue;
        }
        wr_s(w, "{\"topic\":");
        json_text(w, m->topic[i]);
        json_member_u(w, "qos", m->codes[i] & 3);
        wr_c(w, '}');
    }
    wr_c(w, ']');
    if (m->topics > EVENT_LIST) json_member_u(w, "topics_in_all", m->topics);
}

static void codes_write(struct writer *w, const struct mqtt_event *m) {
    wr_s(w, m->type == MQTT_SUBACK ? ",\"qos_granted\":[" : ",\"reason_codes\":[");
    for (uint8_t i = 0; i < m->n_codes && i < EVENT_LIST; i++) wr_f(w, "%s%u", i ? "," : "", m->codes[i]);
    wr_c(w, ']');
}

static void connect_write(struct writer *w, const struct mqtt_event *m) {
    json_member_u(w, "protocol_version", m->version);
    wr_f(w, ",\"flags\":{\"username\":%s,\"password\":%s,\"will\":%s,\"clean_session\":%s}", m->user ? "true" : "false",
         m->password ? "true" : "false", m->will ? "true" : "false", m->clean ? "true" : "false");
    json_member(w, "client_id", m->client);
    json_member_u(w, "keepalive", m->keep_alive);
    if (m->will) {
        wr_s(w, ",\"will\":{\"topic\":");
        json_text(w, m->will_topic);
        wr_c(w, '}');
    }
}

void eve_mqtt(struct writer *w, const struct mqtt_event *m, uint64_t frame) {
    wr_f(w, "{\"frame\":%llu,\"qos\":%u,\"retain\":%s,\"dup\":%s", (unsigned long long)frame,
         m->type == MQTT_PUBLISH ? m->qos : 0, m->retain ? "true" : "false", m->dup ? "true" : "false");
    if (m->id) json_member_u(w, "message_id", m->id);
    switch (m->type) {
    case MQTT_CONNECT: connect_write(w, m); break;
    case MQTT_CONNACK: truth(w, "session_present", m->session); break;
    case MQTT_PUBLISH:
        json_member(w, "topic", m->topics ? m->topic[0] : (struct slice){0});
        payload_write(w, m->payload);
        break;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE: filters_write(w, m); break;
    case MQTT_SUBACK:
    case MQTT_UNSUBACK: codes_write(w, m); break;
    default: break;
    }
    if (m->has_code && m->type != MQTT_SUBACK && m->type != MQTT_UNSUBACK)
        json_member_u(w, m->type == MQTT_CONNACK ? "return_code" : "reason_code", m->code);
    wr_c(w, '}');
}

void eve_tls_hello(struct writer *w, const struct tls_event *t) {
    if (t->name.n) json_member(w, "sni", t->name);
    if (t->alpn.n) json_member(w, "client_alpn", t->alpn);
}

void eve_tls_server(struct writer *w, const struct tls_event *t) {
    value_name(w, "version", &vals_tls_version, t->version);
    value_name(w, "cipher", &vals_tls_suite, t->suite);
    if (t->alpn.n) json_member(w, "server_alpn", t->alpn);
}

void eve_http_request(struct writer *w, const struct http_event *h) {
    json_member(w, "hostname", h->host);
    json_member(w, "url", h->uri);
    json_member(w, "http_method", h->method);
}

void eve_http_response(struct writer *w, const struct http_event *h) {
    json_member_u(w, "status", h->code);
    if (h->location.n) json_member(w, "redirect", h->location);
}

void eve_dns(struct writer *w, const struct dns_event *q) {
    wr_f(w, ",\"dns\":{\"type\":\"%s\"", q->response ? "answer" : "query");
    json_member_u(w, "id", q->id);
    json_member(w, "rrname", q->name);
    const char *type = field_value_name(&vals_dns_type, q->type); /* "A (Host Address)": the name is its first word */
    if (type) json_member(w, "rrtype", slice_of(type, strcspn(type, " ")));
    else json_member_u(w, "rrtype", q->type);
    if (q->response) {
        value_name(w, "rcode", &vals_dns_rcode, q->rcode);
        json_member_u(w, "answer_count", q->answers);
        wr_s(w, ",\"answers\":[");
        for (uint8_t i = 0; i < q->addrs && i < EVENT_NAMES; i++) {
            wr_s(w, i ? ",\"" : "\"");
            if (q->addr[i].len == 4) print_ipv4(w, load_be32(q->addr[i].bytes));
            else print_ipv6(w, q->addr[i].bytes);
            wr_c(w, '"');
        }
        wr_c(w, ']');
    }
    wr_c(w, '}');
}
