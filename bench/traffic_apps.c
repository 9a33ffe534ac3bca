/* SPDX-License-Identifier: Apache-2.0 */
/* The conversations: MQTT 3.1, 3.1.1 and 5 (plain and inside WebSocket), HTTP/1.1 and DNS.
 *
 * apps_step plays one exchange of a slot from its first to its last frame: a connection's beginning, a message
 * with what acknowledges it, or the end. */
#include "traffic.h"

#include <string.h>

enum {
    CONNECT = 1,
    CONNACK,
    PUBLISH,
    PUBACK,
    PUBREC,
    PUBREL,
    PUBCOMP,
    SUBSCRIBE,
    SUBACK,
    UNSUBSCRIBE,
    UNSUBACK,
    PINGREQ,
    PINGRESP,
    DISCONNECT
};
enum { WS_CONTINUED, WS_BINARY = 2, WS_CLOSE = 8, WS_PING, WS_PONG, WS_FIN = 0x80, WS_MASKED = 0x80 };
enum { V31 = 3, V311, V5 };
enum {
    PROPERTY_EXPIRY = 2,
    PROPERTY_CONTENT_TYPE = 3,
    PROPERTY_SESSION_EXPIRY = 17,
    PROPERTY_RECEIVE_MAXIMUM = 33,
    PROPERTY_ALIAS_MAXIMUM = 34,
    PROPERTY_ALIAS = 35,
    PROPERTY_USER = 38
};

static const char *const kinds[] = {"temp", "humidity", "power", "vibration", "door", "battery", "status", "gps"};

/* think_for sets the slot's next time: exponential-like, with the given mean. */
static void think_for(struct traffic *t, struct slot *s, uint64_t mean) {
    uint64_t ns = 0;
    for (int i = 0; i < 2; i++) ns += mean / 1024 * rnd(t, 1024);
    s->when = t->now + 1 * MS + ns;
}

static uint32_t session_length(struct traffic *t, uint32_t mean) { return 1 + rnd(t, mean) + rnd(t, mean); }

/* WebSocket. */

/* ws_frame appends one frame with the payload [from, from + n) of `message` to `wire`. */
static void ws_frame(struct traffic *t, int side, uint8_t first, size_t from, size_t n) {
    uint8_t mask[4] = {0}, flag = side == CLIENT ? WS_MASKED : 0;
    put_u8(&t->wire, first);
    if (n < 126) {
        put_u8(&t->wire, flag | (uint32_t)n);
    } else if (n < 65536) {
        put_u8(&t->wire, flag | 126u);
        put_u16(&t->wire, (uint32_t)n);
    } else {
        put_u8(&t->wire, flag | 127u);
        put_u32(&t->wire, 0);
        put_u32(&t->wire, (uint32_t)n);
    }
    if (flag) {
        uint32_t key = rnd(t, UINT32_MAX);
        memcpy(mask, &key, 4);
        put(&t->wire, mask, 4);
    }
    size_t at = t->wire.n;
    put(&t->wire, t->message.p + from, n);
    for (size_t i = 0; flag && i < n; i++) t->wire.p[at + i] ^= mask[i & 3];
}

static void ws_upgrade(struct traffic *t, struct slot *s) {
    static const struct {
        const char *key, *accept;
    } pairs[] = {
        {"PkPZZS/2ObSQtr3B8h9z3w==", "14HjZ8EFfgVDTxqGOSaVWAO5jPI="},
        {"HhccTy+ko8Pzl5Iyet5P7g==", "9jIe37tEn0HUAYzZ2AxTxMNDoTo="},
        {"enLqR9Be0ktZTUKwwHdc4Q==", "JGUACZQzQDM8hSDNKAfAHVsZCoI="},
        {"P1iVgeuNNqvhCHrgJrrexQ==", "waqUcJymQhls6AUFh2MZIqOfgSg="},
    };
    uint32_t i = rnd(t, sizeof pairs / sizeof *pairs);
    put_f(&t->wire,
          "GET /mqtt HTTP/1.1\r\nHost: broker%u.example.net:%u\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Origin: https://console.example.net\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
          "Sec-WebSocket-Protocol: mqtt\r\n\r\n",
          s->server, s->port[SERVER], pairs[i].key);
    net_send(t, s, CLIENT);
    t->wire.n = 0;
    put_f(&t->wire,
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
          pairs[i].accept);
    net_send(t, s, SERVER);
    t->wire.n = 0;
}

/* MQTT. */

static void put_string(struct buffer *b, const char *s) {
    put_u16(b, (uint32_t)strlen(s));
    put_s(b, s);
}

static void put_varint(struct buffer *b, size_t n) {
    for (; n >= 128; n >>= 7) put_u8(b, (uint32_t)(n & 127) | 128);
    put_u8(b, (uint32_t)n);
}

/* packet_end appends the packet whose body is complete to what is sent next. */
static void packet_end(struct traffic *t, struct slot *s, int side, uint32_t type, uint32_t flags) {
    struct buffer *to = s->kind == SLOT_MQTT_WS ? &t->message : &t->wire;
    put_u8(to, type << 4 | flags);
    put_varint(to, t->body.n);
    put(to, t->body.p, t->body.n);
    t->body.n = 0;
    if (s->kind != SLOT_MQTT_WS) return;
    size_t n = t->message.n;
    if (n > 2000 && chance(t, 200)) {
        ws_frame(t, side, WS_BINARY, 0, n / 2);
        ws_frame(t, side, WS_FIN | WS_CONTINUED, n / 2, n - n / 2);
    } else {
        ws_frame(t, side, WS_FIN | WS_BINARY, 0, n);
    }
    t->message.n = 0;
}

static void send_now(struct traffic *t, struct slot *s, int side) {
    net_send(t, s, side);
    t->wire.n = 0;
}

static void cut_here(struct traffic *t) {
    if (t->ncuts < BURST_MAX) t->cuts[t->ncuts++] = t->wire.n;
}

/* packet_id_only sends an acknowledgement or a release. */
static void packet_id_only(struct traffic *t, struct slot *s, int side, uint32_t type, uint16_t id) {
    put_u16(&t->body, id);
    if (s->version == V5 && type == PUBACK && chance(t, 100)) {
        put_u8(&t->body, 0x10); /* no matching subscribers */
        put_u8(&t->body, 0);
    }
    packet_end(t, s, side, type, type == PUBREL ? 2 : 0);
    send_now(t, s, side);
}

static void json_write(struct traffic *t, struct slot *s, size_t least) {
    struct buffer *b = &t->body;
    size_t from = b->n;
    put_f(b, "{\"t\":%u.%u", rnd(t, 60), rnd(t, 10));
    if (least > 40) put_f(b, ",\"id\":\"dev-%05u\",\"ts\":%llu", s->id, (unsigned long long)((t->start + t->now) / MS));
    while (b->n - from + 2 < least)
        put_f(b, ",\"%s\":%s%u", kinds[rnd(t, 8)], chance(t, 200) ? "-" : "", rnd(t, 100000));
    put_s(b, "}");
}

static void topic_write(struct traffic *t, struct slot *s, bool command) {
    char text[64];
    snprintf(text, sizeof text, command ? "site/%02u/dev/%04u/cmd" : "site/%02u/dev/%04u/%s", s->id % 50, s->id,
             kinds[rnd(t, 8)]);
    put_string(&t->body, text);
}

/* publish_properties adds those of MQTT 5; alias: 0 none, 1 with a topic, 2 in its place. */
static void publish_properties(struct traffic *t, int alias) {
    struct buffer *b = &t->body;
    size_t at = b->n;
    put_u8(b, 0);
    if (alias) {
        put_u8(b, PROPERTY_ALIAS);
        put_u16(b, 1);
    }
    if (chance(t, 300)) {
        put_u8(b, PROPERTY_CONTENT_TYPE);
        put_string(b, "application/json");
    }
    if (chance(t, 150)) {
        put_u8(b, PROPERTY_EXPIRY);
        put_u32(b, 60 + rnd(t, 3600));
    }
    if (chance(t, 150)) {
        put_u8(b, PROPERTY_USER);
        put_string(b, "fw");
        put_string(b, "2.4.1");
    }
    b->p[at] = (uint8_t)(b->n - at - 1); /* always below 128 */
}

/* publish adds a PUBLISH of about n payload bytes to what is sent next and returns its packet identifier. */
static uint16_t publish(struct traffic *t, struct slot *s, int side, uint32_t qos, size_t n) {
    int alias = side == SERVER || s->version != V5 ? 0 : s->alias_known ? (chance(t, 500) ? 2 : 0) : chance(t, 100);
    uint32_t retain = chance(t, 20);
    if (alias == 2) put_u16(&t->body, 0);
    else topic_write(t, s, side == SERVER);
    if (alias == 1) s->alias_known = true;
    if (qos) {
        if (++s->message_id == 0) s->message_id = 1;
        put_u16(&t->body, s->message_id);
    }
    if (s->version == V5) publish_properties(t, alias);
    json_write(t, s, n);
    packet_end(t, s, side, PUBLISH, qos << 1 | retain);
    return s->message_id;
}

static size_t payload_length(struct traffic *t) { return 20 + (chance(t, 700) ? rnd(t, 120) : rnd(t, 380)); }

static void publish_exchange(struct traffic *t, struct slot *s, int side, uint32_t qos, size_t n) {
    uint16_t id = publish(t, s, side, qos, n);
    send_now(t, s, side);
    if (qos == 1) packet_id_only(t, s, !side, PUBACK, id);
    if (qos == 2) {
        packet_id_only(t, s, !side, PUBREC, id);
        packet_id_only(t, s, side, PUBREL, id);
        packet_id_only(t, s, !side, PUBCOMP, id);
    }
    net_ack(t, s, qos ? side : !side);
}

/* publish_many sends several packets at once: in one segment or each in its own, one right behind the other. */
static void publish_many(struct traffic *t, struct slot *s) {
    bool apart = chance(t, 400);
    for (uint32_t i = 2 + rnd(t, 7); i; i--) {
        publish(t, s, CLIENT, 0, payload_length(t));
        if (apart) cut_here(t);
    }
    send_now(t, s, CLIENT);
    net_ack(t, s, SERVER);
}

static void ping(struct traffic *t, struct slot *s) {
    packet_end(t, s, CLIENT, PINGREQ, 0);
    send_now(t, s, CLIENT);
    packet_end(t, s, SERVER, PINGRESP, 0);
    send_now(t, s, SERVER);
    net_ack(t, s, CLIENT);
}

static void subscribe(struct traffic *t, struct slot *s, bool un) {
    uint16_t id = ++s->message_id ? s->message_id : ++s->message_id;
    put_u16(&t->body, id);
    if (s->version == V5) put_u8(&t->body, 0);
    topic_write(t, s, true);
    if (!un) put_u8(&t->body, 1);
    packet_end(t, s, CLIENT, un ? UNSUBSCRIBE : SUBSCRIBE, 2);
    send_now(t, s, CLIENT);
    put_u16(&t->body, id);
    if (s->version == V5) put_u8(&t->body, 0);
    if (!un) put_u8(&t->body, 1);
    if (un && s->version == V5) put_u8(&t->body, 0);
    packet_end(t, s, SERVER, un ? UNSUBACK : SUBACK, 0);
    send_now(t, s, SERVER);
    net_ack(t, s, CLIENT);
    s->subscribed = !un;
}

static void connect_write(struct traffic *t, struct slot *s) {
    struct buffer *b = &t->body;
    bool will = s->id % 5 == 0, user = s->id % 2 == 0;
    char name[32];
    put_string(b, s->version == V31 ? "MQIsdp" : "MQTT");
    put_u8(b, s->version);
    put_u8(b, 2u | (will ? 0x0cu : 0) | (user ? 0xc0u : 0));
    put_u16(b, 60);
    if (s->version == V5) {
        put_u8(b, 8);
        put_u8(b, PROPERTY_SESSION_EXPIRY);
        put_u32(b, 3600);
        put_u8(b, PROPERTY_RECEIVE_MAXIMUM);
        put_u16(b, 20);
    }
    snprintf(name, sizeof name, "dev-%05u", s->id);
    put_string(b, name);
    if (will) {
        if (s->version == V5) put_u8(b, 0);
        topic_write(t, s, false);
        put_string(b, "offline");
    }
    if (user) {
        put_string(b, name);
        put_string(b, "secret-of-a-device");
    }
    packet_end(t, s, CLIENT, CONNECT, 0);
}

static void mqtt_open(struct traffic *t, struct slot *s) {
    s->alias_known = s->subscribed = false;
    s->message_id = 0;
    s->left = session_length(t, 40);
    net_open(t, s);
    if (s->kind == SLOT_MQTT_WS) ws_upgrade(t, s);
    connect_write(t, s);
    send_now(t, s, CLIENT);
    net_ack(t, s, SERVER);
    put_u16(&t->body, 0);
    if (s->version == V5) {
        put_u8(&t->body, 3);
        put_u8(&t->body, PROPERTY_ALIAS_MAXIMUM);
        put_u16(&t->body, 10);
    }
    packet_end(t, s, SERVER, CONNACK, 0);
    send_now(t, s, SERVER);
    net_ack(t, s, CLIENT);
    if (chance(t, 300)) subscribe(t, s, false);
}

static void mqtt_close(struct traffic *t, struct slot *s) {
    uint32_t way = rnd(t, 100);
    if (way < 5) return; /* gone without a word */
    if (way < 75) {
        packet_end(t, s, CLIENT, DISCONNECT, 0);
        if (s->kind == SLOT_MQTT_WS) {
            put_u16(&t->message, 1000);
            ws_frame(t, CLIENT, WS_FIN | WS_CLOSE, 0, 2);
            t->message.n = 0;
        }
        send_now(t, s, CLIENT);
    }
    net_close(t, s, way >= 90);
}

static void mqtt_step(struct traffic *t, struct slot *s) {
    uint32_t dice = rnd(t, 1000);
    uint32_t qos = rnd(t, 100);
    qos = qos < 55 ? 0 : qos < 90 ? 1 : 2;
    if (dice < 2) publish_exchange(t, s, CLIENT, qos, 10000 + rnd(t, 50000));
    else if (dice < 90) ping(t, s);
    else if (dice < 110) subscribe(t, s, s->subscribed);
    else if (dice < 200 && s->subscribed) publish_exchange(t, s, SERVER, qos, payload_length(t));
    else if (dice < 300) publish_many(t, s);
    else publish_exchange(t, s, CLIENT, qos, payload_length(t));
}

/* HTTP/1.1. */

static void http_body(struct traffic *t, struct slot *s) {
    t->body.n = 0;
    json_write(t, s, chance(t, 20) ? 20000 + rnd(t, 60000) : 30 + rnd(t, 1500));
}

static void http_step(struct traffic *t, struct slot *s) {
    bool post = chance(t, 300), missing = chance(t, 30);
    if (post) http_body(t, s);
    put_f(&t->wire,
          "%s /api/v1/devices/%u%s HTTP/1.1\r\nHost: api%u.example.net\r\nUser-Agent: console/3.1\r\n"
          "Accept: application/json\r\n",
          post ? "POST" : "GET", rnd(t, 10000), chance(t, 300) ? "?fields=temp,status" : "", s->server);
    if (post) put_f(&t->wire, "Content-Type: application/json\r\nContent-Length: %zu\r\n", t->body.n);
    put_s(&t->wire, "\r\n");
    if (post) put(&t->wire, t->body.p, t->body.n);
    send_now(t, s, CLIENT);
    net_ack(t, s, SERVER);
    t->now += (1 + rnd(t, 20)) * MS;
    t->body.n = 0;
    if (!post && !missing) http_body(t, s);
    put_f(&t->wire,
          "HTTP/1.1 %s\r\nServer: api/2.0\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
          "Connection: keep-alive\r\n\r\n",
          missing ? "404 Not Found"
          : post  ? "201 Created"
                  : "200 OK",
          t->body.n);
    put(&t->wire, t->body.p, t->body.n);
    t->body.n = 0;
    send_now(t, s, SERVER);
    net_ack(t, s, CLIENT);
}

/* DNS. */

static void dns_name(struct buffer *b, const char *name) {
    for (const char *dot; *name; name = *dot ? dot + 1 : dot) {
        dot = strchrnul(name, '.');
        put_u8(b, (uint32_t)(dot - name));
        put(b, name, (size_t)(dot - name));
    }
    put_u8(b, 0);
}

static void dns_record(struct buffer *b, uint32_t type, uint32_t ttl) {
    put_u16(b, 0xc00c);
    put_u16(b, type);
    put_u16(b, 1);
    put_u32(b, ttl);
}

static void dns_answer(struct traffic *t, uint32_t type) {
    struct buffer *b = &t->wire;
    dns_record(b, type, 300);
    if (type == 1) {
        put_u16(b, 4);
        put_u32(b, 0xc000020au + rnd(t, 4));
    } else if (type == 28) {
        put_u16(b, 16);
        put_u32(b, 0x20010db8);
        put_u32(b, 2);
        put_u32(b, 0);
        put_u32(b, 10 + rnd(t, 4));
    } else { /* SRV */
        put_u16(b, 6 + 21);
        put_u16(b, 10);
        put_u16(b, 5);
        put_u16(b, 1883);
        dns_name(b, "broker0.example.net");
    }
}

static void dns_message(struct traffic *t, uint32_t id, bool answer, bool missing, const char *name, uint32_t type) {
    struct buffer *b = &t->wire;
    b->n = 0;
    put_u16(b, id);
    put_u16(b, answer ? (missing ? 0x8183 : 0x8180) : 0x0100);
    put_u16(b, 1);
    put_u16(b, answer && !missing);
    put_u16(b, 0);
    put_u16(b, 1);
    dns_name(b, name);
    put_u16(b, type);
    put_u16(b, 1);
    if (answer && !missing) dns_answer(t, type);
    put(b, (uint8_t[]){0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0}, 11); /* EDNS(0) */
}

static void dns_step(struct traffic *t, struct slot *s) {
    static const uint32_t types[] = {1, 1, 1, 28, 28, 33};
    uint32_t type = types[rnd(t, 6)], id = rnd(t, 65536);
    bool missing = chance(t, 50);
    char name[64];
    snprintf(name, sizeof name, type == 33 ? "_mqtt._tcp.site%02u.example.net" : "broker%u.example.net", rnd(t, 50));
    s->port[CLIENT] = (uint16_t)(32768 + rnd(t, 28000));
    dns_message(t, id, false, missing, name, type);
    net_datagram(t, s, CLIENT);
    if (chance(t, 990)) {
        dns_message(t, id, true, missing, name, type);
        net_datagram(t, s, SERVER);
    }
    t->wire.n = 0;
}

void apps_step(struct traffic *t, struct slot *s) {
    bool mqtt = s->kind == SLOT_MQTT || s->kind == SLOT_MQTT_WS;
    t->now = s->when;
    if (s->kind == SLOT_DNS) {
        dns_step(t, s);
        think_for(t, s, 3ull * SECOND);
    } else if (s->state == SLOT_CLOSED) {
        s->port[CLIENT] = (uint16_t)(s->port[CLIENT] < 60000 ? s->port[CLIENT] + 1 : 32768);
        s->state = SLOT_OPEN;
        if (mqtt) {
            mqtt_open(t, s);
        } else {
            s->left = session_length(t, 4);
            net_open(t, s);
            http_step(t, s);
        }
        think_for(t, s, 2ull * SECOND);
    } else if (s->left == 0) {
        s->state = SLOT_CLOSED;
        if (mqtt) mqtt_close(t, s);
        else net_close(t, s, chance(t, 100));
        think_for(t, s, 3ull * SECOND);
    } else {
        s->left--;
        if (mqtt) mqtt_step(t, s);
        else http_step(t, s);
        think_for(t, s, 2ull * SECOND);
    }
}
