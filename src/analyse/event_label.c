/* SPDX-License-Identifier: Apache-2.0 */
/* The words of an event, short enough for an arrow. */
#include "analyse/ladder.h"
#include "field/print.h"
#include "proto/mqtt/mqtt.h"
#include "proto/protos.h"
#include "proto/tls/tls.h"

static void value_name(struct writer *w, const struct field_values *v, uint64_t n) {
    const char *name = field_value_name(v, n);
    if (name) wr_s(w, name);
    else wr_u(w, n);
}

static const char *const mqtt_names[] = {
    [MQTT_RESERVED] = "RESERVED", [MQTT_CONNECT] = "CONNECT",         [MQTT_CONNACK] = "CONNACK",
    [MQTT_PUBLISH] = "PUBLISH",   [MQTT_PUBACK] = "PUBACK",           [MQTT_PUBREC] = "PUBREC",
    [MQTT_PUBREL] = "PUBREL",     [MQTT_PUBCOMP] = "PUBCOMP",         [MQTT_SUBSCRIBE] = "SUBSCRIBE",
    [MQTT_SUBACK] = "SUBACK",     [MQTT_UNSUBSCRIBE] = "UNSUBSCRIBE", [MQTT_UNSUBACK] = "UNSUBACK",
    [MQTT_PINGREQ] = "PINGREQ",   [MQTT_PINGRESP] = "PINGRESP",       [MQTT_DISCONNECT] = "DISCONNECT",
    [MQTT_AUTH] = "AUTH",
};
_Static_assert(sizeof mqtt_names / sizeof *mqtt_names == MQTT_TYPES, "every packet type has a name");

static void mqtt_code(struct writer *w, const struct mqtt_event *m, say_fn *say) {
    if (!m->has_code) return;
    if (m->type == MQTT_CONNACK && m->code) {
        static const char again[] = "Connection Refused: "; /* so the names of 3.1.1 begin */
        const char *name = field_value_name(m->code >= 0x80 ? &vals_mqtt_connack_reason : &vals_mqtt_return, m->code);
        wr_f(w, " %s: ", say_by(say, N_("refused")));
        if (!name) wr_u(w, m->code);
        else wr_s(w, strncmp(name, again, sizeof again - 1) ? name : name + sizeof again - 1);
    } else if (m->type == MQTT_CONNACK) {
        wr_c(w, ' ');
        value_name(w, &vals_mqtt_return, m->code);
    } else if (m->type == MQTT_SUBACK && m->code < 0x80) {
        wr_f(w, " QoS %u", m->code);
    } else if (m->code) {
        wr_f(w, " 0x%02x", m->code);
    }
}

static void mqtt_words(struct writer *w, const struct mqtt_event *m, say_fn *say) {
    wr_s(w, mqtt_names[m->type & 15]);
    if (m->type == MQTT_CONNECT && m->client.n) {
        wr_c(w, ' ');
        print_string(w, slice_head(m->client, 48));
    }
    for (unsigned i = 0; i < m->topics && i < 3; i++) {
        wr_c(w, i ? ',' : ' ');
        print_string(w, slice_head(m->topic[i], 64));
    }
    if (m->type == MQTT_PUBLISH) wr_f(w, " QoS %u%s%s", m->qos, m->retain ? " retain" : "", m->dup ? " DUP" : "");
    mqtt_code(w, m, say);
    if (m->id) wr_f(w, " (%u)", m->id);
}

static void tls_words(struct writer *w, const struct tls_event *t) {
    switch (t->what) {
    case TLS_WHAT_HANDSHAKE: {
        const char *name = t->encrypted ? "Encrypted Handshake" : tls_message_name(t->type);
        wr_s(w, name ? name : "Handshake");
        if (t->type == CLIENT_HELLO && t->name.n && !t->encrypted) {
            wr_c(w, ' ');
            print_string(w, slice_head(t->name, 48));
        }
        break;
    }
    case TLS_WHAT_ALERT:
        wr_s(w, t->encrypted ? "Encrypted Alert" : "Alert: ");
        if (!t->encrypted) value_name(w, &vals_tls_alert, t->type);
        break;
    case TLS_WHAT_CCS: wr_s(w, "Change Cipher Spec"); break;
    default: wr_f(w, "TLS data %u", t->length);
    }
}

static void dns_words(struct writer *w, const struct dns_event *q, say_fn *say) {
    wr_s(w, "DNS ");
    if (!q->response) {
        value_name(w, &vals_dns_type, q->type);
        wr_s(w, "? ");
        print_string(w, slice_head(q->name, 64));
        return;
    }
    if (q->rcode) {
        value_name(w, &vals_dns_rcode, q->rcode);
        return;
    }
    if (!q->addrs) wr_s(w, say_by(say, N_("no address")));
    for (unsigned i = 0; i < q->addrs && i < 2; i++) {
        const uint8_t *b = q->addr[i].bytes;
        if (i) wr_s(w, ", ");
        if (q->addr[i].len == 4)
            print_ipv4(w, (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]);
        else print_ipv6(w, b);
    }
    if (q->addrs > 2) wr_f(w, " +%u", q->addrs - 2);
}

static void http_words(struct writer *w, const struct http_event *h) {
    if (h->response) {
        wr_f(w, "HTTP %u ", h->code);
        print_string(w, slice_head(h->phrase, 40));
    } else if (h->method.n) {
        print_string(w, slice_head(h->method, 16));
        wr_c(w, ' ');
        print_string(w, slice_head(h->uri, 64));
    } else {
        wr_s(w, "HTTP");
    }
}

static void websocket_words(struct writer *w, const struct websocket_event *s) {
    static const char *const names[16] = {
        [0] = "continuation", [1] = "text", [2] = "binary", [8] = "close", [9] = "ping", [10] = "pong"};
    const char *name = names[s->opcode & 15];
    wr_f(w, "WebSocket %s", name ? name : "frame");
    if (s->code) wr_f(w, " %u", s->code);
}

void event_label(struct writer *w, const struct event *e, say_fn *say) {
    switch (e->kind) {
    case EV_DNS: dns_words(w, &e->dns, say); break;
    case EV_TLS: tls_words(w, &e->tls); break;
    case EV_HTTP: http_words(w, &e->http); break;
    case EV_WEBSOCKET: websocket_words(w, &e->websocket); break;
    case EV_MQTT: mqtt_words(w, &e->mqtt, say); break;
    }
}

/* flags_label writes what a segment is: the flags that matter, or its bytes. */
static void flags_words(struct writer *w, const struct tcp_said *t, bool bytes, say_fn *say) {
    bool any = false;
    static const struct {
        uint16_t bit;
        const char *name;
    } flags[] = {{TH_SYN, "SYN"}, {TH_FIN, "FIN"}, {TH_RST, "RST"}, {TH_ACK, "ACK"}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (!(t->flags & flags[i].bit) || (flags[i].bit == TH_ACK && t->len)) continue;
        wr_f(w, "%s%s", any ? ", " : "", flags[i].name);
        any = true;
    }
    if (t->len && bytes) wr_f(w, "%s%u %s", any ? ", " : "", t->len, say_by(say, N_("bytes")));
}

bool packet_bare(const struct packet_events *p) {
    return p->transport == TRANSPORT_TCP && !p->n && !p->tcp.len && !(p->tcp.flags & (TH_SYN | TH_FIN | TH_RST));
}

enum lead packet_lead(const struct packet_events *p) {
    uint32_t found = p->transport == TRANSPORT_TCP ? p->tcp.found : 0;
    return found & TA_RETRANSMISSION ? LEAD_AGAIN
           : found & TA_KEEP_ALIVE   ? LEAD_KEEP_ALIVE
           : found & TA_ZERO_WINDOW  ? LEAD_WINDOW
                                     : LEAD_NONE;
}

const char *lead_words(enum lead lead) {
    static const char *const names[] = {[LEAD_NONE] = "",
                                        [LEAD_AGAIN] = N_("again"),
                                        [LEAD_KEEP_ALIVE] = N_("TCP keep-alive"),
                                        [LEAD_WINDOW] = N_("window 0")};
    _Static_assert(sizeof names / sizeof *names == LEADS, "every lead has its words");
    return names[lead];
}

void packet_label(struct writer *w, const struct packet_events *p, say_fn *say) {
    if (p->transport == TRANSPORT_ICMP) {
        wr_s(w, "ICMP ");
        value_name(w, p->icmp.v6 ? &vals_icmpv6_type : &vals_icmp_type, p->icmp.type);
        return;
    }
    enum lead lead = packet_lead(p);
    if (lead != LEAD_NONE) wr_f(w, "%s: ", say_by(say, lead_words(lead)));
    bool special = p->transport == TRANSPORT_TCP && (p->tcp.flags & (TH_SYN | TH_FIN | TH_RST));
    if (special || (!p->n && p->transport == TRANSPORT_TCP)) flags_words(w, &p->tcp, !p->n, say);
    for (uint32_t i = 0; i < p->n && i < 6; i++) {
        if (i || special) wr_s(w, ", ");
        event_label(w, &p->event[i], say);
    }
    if (p->n > 6) wr_f(w, " +%u", p->n - 6);
    if (p->transport == TRANSPORT_UDP && !p->n) wr_f(w, "UDP %u %s", p->payload, say_by(say, N_("bytes")));
}
