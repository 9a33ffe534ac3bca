/* SPDX-License-Identifier: Apache-2.0 */
/* Fields in, events out.
 *
 * Theory of operation. The list of fields is walked once. A protocol's own entry begins an event (in TLS a record's
 * message does); the fields behind it fill it. Of what nearly every packet has, addresses, TCP and MQTT, the decoders
 * hand over the whole (struct decode), which costs less than a field for each number. Fields behind an ICMP header are
 * those of the quoted packet. The innermost addresses are the ones that talk. Limits: EVENTS_MAX messages of a packet,
 * EVENT_LIST filters or codes of a message. */
#include "analyse/events.h"

#include "proto/mqtt/mqtt.h"
#include "proto/protos.h"
#include "proto/tls/tls.h"

#include <endian.h>
#include <netinet/in.h>

static const uint16_t wanted[] = {
    FID_TCP,
    FID_TCP_SAID,
    FID_UDP_SRCPORT,
    FID_UDP_DSTPORT,
    FID_UDP_LENGTH,
    FID_ARP_OPCODE,
    FID_ARP_ISGRATUITOUS,
    FID_ARP_ISPROBE,
    FID_ARP_ISANNOUNCEMENT,
    FID_ARP_SRC_HW_MAC,
    FID_ARP_SRC_PROTO_IPV4,
    FID_ARP_DST_PROTO_IPV4,
    FID_DHCP_HW_MAC_ADDR,
    FID_DHCP_OPTION_DHCP,
    FID_ICMP,
    FID_ICMP_TYPE,
    FID_ICMP_CODE,
    FID_ICMP_MTU,
    FID_ICMPV6,
    FID_ICMPV6_TYPE,
    FID_ICMPV6_CODE,
    FID_ICMPV6_MTU,
    FID_DNS,
    FID_MDNS,
    FID_DNS_ID,
    FID_DNS_FLAGS_RESPONSE,
    FID_DNS_FLAGS_OPCODE,
    FID_DNS_FLAGS_RCODE,
    FID_DNS_QRY_NAME,
    FID_DNS_QRY_TYPE,
    FID_DNS_RESP_TYPE,
    FID_DNS_A,
    FID_DNS_AAAA,
    FID_TLS,
    FID_TLS_CONTENT_TYPE,
    FID_TLS_OPAQUE_TYPE,
    FID_TLS_RECORD_LEN,
    FID_TLS_HANDSHAKE,
    FID_TLS_HS_TYPE,
    FID_TLS_VERSION,
    FID_TLS_SUPPORTED_VERSION,
    FID_TLS_SUITE,
    FID_TLS_SNI,
    FID_TLS_ALPN,
    FID_TLS_CERT,
    FID_TLS_ALERT,
    FID_TLS_ALERT_LEVEL,
    FID_TLS_ALERT_DESC,
    FID_TLS_READABLE,
    FID_TLS_WHY,
    FID_HTTP,
    FID_HTTP_REQUEST_METHOD,
    FID_HTTP_REQUEST_URI,
    FID_HTTP_RESPONSE_CODE,
    FID_HTTP_RESPONSE_PHRASE,
    FID_HTTP_HOST,
    FID_HTTP_UPGRADE,
    FID_HTTP_SEC_WEBSOCKET_PROTOCOL,
    FID_HTTP_SERVER,
    FID_HTTP_LOCATION,
    FID_HTTP_X_FORWARDED_FOR,
    FID_HTTP_RESPONSE_LINE,
    FID_HTTP_REQUEST_LINE,
    FID_WEBSOCKET,
    FID_WEBSOCKET_OPCODE,
    FID_WEBSOCKET_CLOSE_CODE,
    FID_MQTT,
    FID_MQTT_SAID,
    FID_MQTT_UNKNOWN_TOPIC_ALIAS,
};

void events_want(struct want *w) {
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) want_add(w, wanted[i]);
    for (uint16_t id = FID_MQTT; id < FID_MQTT_END; id++)
        if (field_of(id)->severity == SEV_ERROR) want_add(w, id);
}

/* walk is where the reading of one packet stands. */
struct walk {
    struct packet_events *out;
    struct event *now;               /* event being filled; NULL: none */
    bool quoted;                     /* fields are those of a packet quoted by an ICMP error, */
    bool again;                      /* and of another error inside it */
    const struct mqtt_message *mqtt; /* the next one */
    uint32_t record;                 /* length of the TLS record */
    uint8_t content;                 /* its type */
    bool readable;                   /* the TLS session is */
};

/* What is cleared of a new event: not the lists at its end, whose counts say how much of them is set. Of topics the
 * first counts as well, since a PUBLISH has one in any case. */
static const uint16_t event_head[] = {
    [EV_DNS] = offsetof(struct event, dns.addr),
    [EV_TLS] = offsetof(struct event, tls.certificate),
    [EV_HTTP] = offsetof(struct event, http) + sizeof(struct http_event),
    [EV_WEBSOCKET] = offsetof(struct event, websocket) + sizeof(struct websocket_event),
    [EV_MQTT] = offsetof(struct event, mqtt.topic) + sizeof(struct slice),
};
_Static_assert(sizeof event_head / sizeof *event_head == EV_KINDS, "every kind of event is cleared");

static struct event *begin(struct walk *w, enum event_kind kind) {
    struct packet_events *out = w->out;
    if (out->n == EVENTS_MAX) return w->now = NULL;
    struct event *e = &out->event[out->n++];
    memset(e, 0, event_head[kind]);
    e->kind = kind;
    return w->now = e;
}

static void addr4(struct net_addr *a, uint64_t v) {
    uint32_t wire = htobe32((uint32_t)v);
    addr_set(a, (const uint8_t *)&wire, 4);
}
static void addr6(struct net_addr *a, struct slice s) {
    if (s.n == 16) addr_set(a, s.p, 16);
    else *a = (struct net_addr){0};
}

static void ports_field(struct walk *w, const struct fval *f) {
    struct packet_events *o = w->out;
    bool source = f->id == FID_UDP_SRCPORT;
    uint16_t *port = w->quoted ? source ? &o->icmp.sport : &o->icmp.dport : source ? &o->sport : &o->dport;
    *port = (uint16_t)f->u;
    if (w->quoted) o->icmp.tcp = false;
}

/* tcp_take: `at` is the segment's own entry. Of a quoted one there may be no more than the ports. */
static void tcp_take(struct walk *w, const struct decode *d, const struct fval *at) {
    struct packet_events *o = w->out;
    struct slice head = slice_tail(d->out->source[at->src].bytes, at->off);
    if (w->quoted && head.n >= 4) {
        o->icmp.tcp = true;
        o->icmp.sport = load_be16(head.p);
        o->icmp.dport = load_be16(head.p + 2);
    }
    if (w->quoted || !d->tcp.there) return;
    o->transport = TRANSPORT_TCP;
    o->tcp = d->tcp;
    o->sport = d->tcp.sport;
    o->dport = d->tcp.dport;
    o->payload = d->tcp.len;
}

static void icmp_field(struct walk *w, const struct fval *f) {
    struct packet_events *o = w->out;
    bool begins = f->id == FID_ICMP || f->id == FID_ICMPV6;
    w->again |= w->quoted && begins;
    if (w->again) return;
    switch (f->id) {
    case FID_ICMP:
    case FID_ICMPV6:
        o->transport = TRANSPORT_ICMP;
        o->icmp.v6 = f->id == FID_ICMPV6;
        w->quoted = true;
        break;
    case FID_ICMP_TYPE:
    case FID_ICMPV6_TYPE:
        o->icmp.type = (uint8_t)f->u;
        o->icmp.error = o->icmp.v6 ? f->u < 128 : f->u == 3 || f->u == 11 || f->u == 12 || f->u == 5 || f->u == 4;
        break;
    case FID_ICMP_CODE:
    case FID_ICMPV6_CODE: o->icmp.code = (uint8_t)f->u; break;
    default: o->icmp.mtu = (uint32_t)f->u;
    }
}

static void dns_field(struct walk *w, const struct fval *f) {
    if (f->id == FID_DNS || f->id == FID_MDNS) {
        struct event *e = w->quoted ? (w->now = NULL) : begin(w, EV_DNS);
        if (e) e->dns.multicast = f->id == FID_MDNS || w->out->sport == 5355 || w->out->dport == 5355;
        return;
    }
    if (!w->now || w->now->kind != EV_DNS) return;
    struct dns_event *q = &w->now->dns;
    switch (f->id) {
    case FID_DNS_ID: q->id = (uint16_t)f->u; break;
    case FID_DNS_FLAGS_RESPONSE: q->response = f->u; break;
    case FID_DNS_FLAGS_OPCODE: q->opcode = (uint8_t)f->u; break;
    case FID_DNS_FLAGS_RCODE: q->rcode = (uint8_t)f->u; break;
    case FID_DNS_QRY_NAME:
        if (!q->name.n) q->name = f->s;
        break;
    case FID_DNS_QRY_TYPE:
        if (!q->type) q->type = (uint16_t)f->u;
        break;
    case FID_DNS_RESP_TYPE: q->answers++; break;
    case FID_DNS_RETRANSMISSION: q->repeated = true; break;
    case FID_DNS_A:
        if (q->addrs < EVENT_NAMES) addr4(&q->addr[q->addrs++], f->u);
        break;
    case FID_DNS_AAAA:
        if (q->addrs < EVENT_NAMES) addr6(&q->addr[q->addrs++], f->s);
        break;
    }
}

static bool is_mqtt_alpn(struct slice s) {
    return slice_eq(s, SLICE("mqtt")) || slice_eq(s, SLICE("x-amzn-mqtt-ca")) || slice_eq(s, SLICE("x-amzn-http-ca"));
}

static struct tls_event *tls_begin(struct walk *w, enum tls_what what) {
    struct event *e = begin(w, EV_TLS);
    if (!e) return NULL;
    e->tls.what = what;
    e->tls.length = w->record;
    return &e->tls;
}

static void tls_record_field(struct walk *w, const struct fval *f) {
    if (f->id == FID_TLS_CONTENT_TYPE && (f->flags & FV_GENERATED)) { /* of what was inside, RFC 8446 5.2 */
        if (w->now && w->now->kind == EV_TLS) w->now->tls.inner = (uint8_t)f->u;
        return;
    }
    switch (f->id) {
    case FID_TLS_CONTENT_TYPE:
    case FID_TLS_OPAQUE_TYPE: w->content = (uint8_t)f->u; break;
    case FID_TLS_RECORD_LEN:
        w->record = (uint32_t)f->u;
        if (w->content == TLS_CONTENT_DATA) tls_begin(w, TLS_WHAT_DATA);
        else if (w->content == TLS_CONTENT_CCS) tls_begin(w, TLS_WHAT_CCS);
        break;
    case FID_TLS: w->content = 0; break;
    }
}

static void tls_hello_field(struct tls_event *t, const struct fval *f) {
    switch (f->id) {
    case FID_TLS_VERSION: t->version = (uint16_t)f->u; break;
    case FID_TLS_SUPPORTED_VERSION:
        if (f->u > t->version && !tls_grease((uint16_t)f->u)) t->version = (uint16_t)f->u;
        break;
    case FID_TLS_SUITE:
        if (!t->suite) t->suite = (uint16_t)f->u;
        break;
    case FID_TLS_SNI: t->name = f->s; break;
    case FID_TLS_ALPN:
        if (!t->alpn.n) t->alpn = f->s;
        t->alpn_mqtt |= is_mqtt_alpn(f->s);
        break;
    case FID_TLS_CERT:
        if (t->certificates < EVENT_NAMES) t->certificate[t->certificates++] = f->s;
        break;
    }
}

static void tls_field(struct walk *w, const struct fval *f) {
    struct tls_event *t;
    switch (f->id) {
    case FID_TLS_READABLE: w->readable = f->u; return;
    case FID_TLS_WHY: w->out->shut = w->readable ? (struct slice){0} : f->s; return;
    case FID_TLS:
    case FID_TLS_CONTENT_TYPE:
    case FID_TLS_OPAQUE_TYPE:
    case FID_TLS_RECORD_LEN: tls_record_field(w, f); return;
    case FID_TLS_HANDSHAKE:
        t = tls_begin(w, TLS_WHAT_HANDSHAKE);
        if (t) t->encrypted = f->extra & TLS_EXTRA_ENCRYPTED;
        return;
    case FID_TLS_ALERT:
        t = tls_begin(w, TLS_WHAT_ALERT);
        if (t) t->encrypted = f->extra & TLS_EXTRA_ENCRYPTED;
        return;
    }
    if (!w->now || w->now->kind != EV_TLS) return;
    t = &w->now->tls;
    if (f->id == FID_TLS_HS_TYPE || f->id == FID_TLS_ALERT_DESC) t->type = (uint8_t)f->u;
    else if (f->id == FID_TLS_ALERT_LEVEL) t->level = (uint8_t)f->u;
    else tls_hello_field(t, f);
}

/* starts_nocase tells whether s begins with head, which is in small letters; most do not with its first. */
static inline bool starts_nocase(struct slice s, struct slice head) {
    return s.n >= head.n && (s.p[0] | 0x20) == head.p[0] &&
           strncasecmp((const char *)s.p, (const char *)head.p, head.n) == 0;
}

/* untold returns the text of a field up to what is secret in it: events are told and logged. */
static struct slice untold(const struct fval *f) { return f->flags & FV_SECRET ? slice_head(f->s, f->extra) : f->s; }

static void http_field(struct walk *w, const struct fval *f) {
    if (f->id == FID_HTTP) {
        begin(w, EV_HTTP);
        return;
    }
    if (!w->now || w->now->kind != EV_HTTP) return;
    struct http_event *h = &w->now->http;
    switch (f->id) {
    case FID_HTTP_REQUEST_METHOD: h->method = f->s; break;
    case FID_HTTP_REQUEST_URI: h->uri = untold(f); break;
    case FID_HTTP_RESPONSE_CODE:
        h->response = true;
        h->code = (uint16_t)f->u;
        break;
    case FID_HTTP_RESPONSE_PHRASE: h->phrase = f->s; break;
    case FID_HTTP_HOST: h->host = f->s; break;
    case FID_HTTP_UPGRADE: h->upgrade = starts_nocase(f->s, SLICE("websocket")); break;
    case FID_HTTP_SEC_WEBSOCKET_PROTOCOL: h->protocol = f->s; break;
    case FID_HTTP_SERVER: h->server = f->s; break;
    case FID_HTTP_LOCATION: h->location = untold(f); break;
    case FID_HTTP_X_FORWARDED_FOR:
        h->forwarded = f->s;
        h->proxied = true;
        break;
    case FID_HTTP_RESPONSE_LINE:
    case FID_HTTP_REQUEST_LINE: h->proxied |= starts_nocase(f->s, SLICE("via:")); break;
    }
}

static void websocket_field(struct walk *w, const struct fval *f) {
    if (f->id == FID_WEBSOCKET) begin(w, EV_WEBSOCKET);
    if (!w->now || w->now->kind != EV_WEBSOCKET) return;
    if (f->id == FID_WEBSOCKET_OPCODE) w->now->websocket.opcode = (uint8_t)f->u;
    if (f->id == FID_WEBSOCKET_CLOSE_CODE) w->now->websocket.code = (uint16_t)f->u;
}

static void filters_take(struct mqtt_event *e, const struct mqtt_message *m) {
    struct slice rest = m->filters, filter;
    uint8_t options;
    while (e->topics < EVENT_LIST && mqtt_filter_next(&rest, m->head.type, &filter, &options)) {
        if (!filter.n) continue;
        e->codes[e->topics] = m->version == MQTT_5 ? options & 3 : options;
        e->topic[e->topics++] = filter;
    }
}

static void connect_take(struct mqtt_event *e, const struct mqtt_message *m) {
    e->version = m->version & 0x7f;
    e->user = m->connect_flags & MQTT_USER_NAME;
    e->password = m->connect_flags & MQTT_PASSWORD;
    e->will = m->connect_flags & MQTT_WILL;
    e->clean = m->connect_flags & MQTT_CLEAN;
    e->keep_alive = m->keep_alive;
    e->client = m->client_id;
    e->will_topic = m->will_topic;
    e->max_packet = mqtt_number(m, MQTT_N_PACKET_MAX, 0);
}

static void codes_take(struct mqtt_event *e, const struct mqtt_message *m) {
    if (!m->codes.n) return;
    e->code = m->code;
    e->has_code = true;
    e->n_codes = (uint8_t)slice_head(m->codes, EVENT_LIST).n;
    memcpy(e->codes, m->codes.p, e->n_codes);
}

static void mqtt_take(struct mqtt_event *e, const struct mqtt_message *m) {
    e->type = m->head.type;
    e->id = m->id;
    e->dup = m->dup;
    switch (m->head.type) {
    case MQTT_PUBLISH:
        e->qos = m->head.flags >> 1 & 3;
        e->retain = m->head.flags & 1;
        e->topic[0] = m->topic;
        e->topics = m->topic.n > 0;
        e->payload = m->payload;
        break;
    case MQTT_CONNECT: connect_take(e, m); break;
    case MQTT_CONNACK:
        e->session = m->session;
        e->client = m->assigned;
        e->keep_alive = (uint16_t)mqtt_number(m, MQTT_N_KEEP_ALIVE, 0);
        e->max_packet = mqtt_number(m, MQTT_N_PACKET_MAX, 0);
        codes_take(e, m);
        break;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE: filters_take(e, m); break;
    default: codes_take(e, m);
    }
}

static void mqtt_field(struct walk *w, const struct fval *f) {
    if (f->id == FID_MQTT) {
        const struct mqtt_message *m = w->mqtt;
        struct event *e = begin(w, EV_MQTT);
        if (e) e->mqtt.length = f->len;
        if (!m || m->off != f->off || m->src != f->src) return; /* its framing is lost */
        if (e) mqtt_take(&e->mqtt, m);
        w->mqtt = m->next;
        return;
    }
    if (!w->now || w->now->kind != EV_MQTT) return;
    struct mqtt_event *m = &w->now->mqtt;
    if (f->id == FID_MQTT_UNKNOWN_TOPIC_ALIAS) m->no_alias = true;
    else if (!m->violation && field_of(f->id)->severity == SEV_ERROR) m->violation = f->id;
}

static void udp_field(struct walk *w, const struct fval *f) {
    if (w->quoted) return;
    w->out->transport = TRANSPORT_UDP;
    w->out->payload = f->u > 8 ? (uint32_t)f->u - 8 : 0;
}

static void link_field(struct walk *w, const struct fval *f) {
    struct link_event *l = &w->out->link;
    switch (f->id) {
    case FID_ARP_OPCODE: l->arp = (uint8_t)f->u; break;
    case FID_ARP_ISGRATUITOUS:
    case FID_ARP_ISPROBE:
    case FID_ARP_ISANNOUNCEMENT: l->own |= f->u != 0; break;
    case FID_ARP_SRC_PROTO_IPV4: addr4(&l->from, f->u); break;
    case FID_ARP_DST_PROTO_IPV4: addr4(&l->to, f->u); break;
    case FID_ARP_SRC_HW_MAC:
    case FID_DHCP_HW_MAC_ADDR:
        if (f->s.n == sizeof l->mac) memcpy(l->mac, f->s.p, sizeof l->mac);
        break;
    case FID_DHCP_OPTION_DHCP: l->dhcp = (uint8_t)f->u; break;
    }
}

/* Who takes a field. One look into a table instead of a comparison with each protocol's range: this runs for every
 * field of every packet. */
enum taker { BY_NOBODY, BY_LINK, BY_PORTS, BY_UDP, BY_ICMP, BY_DNS, BY_TLS, BY_HTTP, BY_WEBSOCKET, BY_MQTT };
static const uint8_t takers[FID_COUNT] = {
    [FID_ARP... FID_ARP_END - 1] = BY_LINK,
    [FID_DHCP... FID_DHCP_END - 1] = BY_LINK,
    [FID_TCP] = BY_NOBODY, /* events_read sees to it */
    [FID_UDP_SRCPORT] = BY_PORTS,
    [FID_UDP_DSTPORT] = BY_PORTS,
    [FID_UDP_LENGTH] = BY_UDP,
    [FID_ICMP... FID_ICMP_END - 1] = BY_ICMP,
    [FID_ICMPV6... FID_ICMPV6_END - 1] = BY_ICMP,
    [FID_DNS... FID_DNS_END - 1] = BY_DNS,
    [FID_MDNS] = BY_DNS,
    [FID_TLS... FID_TLS_END - 1] = BY_TLS,
    [FID_HTTP... FID_HTTP_END - 1] = BY_HTTP,
    [FID_WEBSOCKET... FID_WEBSOCKET_END - 1] = BY_WEBSOCKET,
    [FID_MQTT... FID_MQTT_END - 1] = BY_MQTT,
};
static void field_take(struct walk *w, const struct fval *f) {
    switch ((enum taker)takers[f->id]) {
    case BY_LINK: link_field(w, f); break;
    case BY_PORTS: ports_field(w, f); break;
    case BY_UDP: udp_field(w, f); break;
    case BY_ICMP: icmp_field(w, f); break;
    case BY_DNS: dns_field(w, f); break;
    case BY_TLS: tls_field(w, f); break;
    case BY_HTTP: http_field(w, f); break;
    case BY_WEBSOCKET: websocket_field(w, f); break;
    case BY_MQTT: mqtt_field(w, f); break;
    case BY_NOBODY: break;
    }
}

/* addr_sum adds the words of an address as they lie in memory. */
static uint64_t addr_sum(const struct net_addr *a) {
    uint32_t word[4];
    memcpy(word, a->bytes, sizeof word);
    return a->len == 4 ? word[0] : (uint64_t)word[0] + word[1] + word[2] + word[3];
}

/* partial_sum is what a TCP stack leaves in the checksum field when the network card is to do the sum: that of the
 * addresses, the protocol and the length (RFC 9293 3.1), not inverted. A sum of 16-bit words may be made of greater
 * ones and in any byte order as long as it is folded at the end (RFC 1071 2). */
static uint16_t partial_sum(const struct decode *d, uint32_t tcp_len) {
    uint64_t sum = addr_sum(&d->src) + addr_sum(&d->dst) + htobe16(IPPROTO_TCP) + htobe32(tcp_len);
    for (int i = 0; i < 3; i++) sum = (sum & 0xffff) + (sum >> 16);
    return be16toh((uint16_t)sum);
}

static bool is_unicast(const struct net_addr *a) {
    static const uint8_t all[4] = {255, 255, 255, 255};
    if (a->len == 4) return (a->bytes[0] & 0xf0) != 0xe0 && memcmp(a->bytes, all, 4) != 0;
    return a->len == 16 && a->bytes[0] != 0xff;
}

static void network_take(struct packet_events *o, const struct decode *d) {
    if (d->src.len) {
        o->src = d->src;
        o->dst = d->dst;
        o->ip_id = d->ip_id;
    }
    if (d->quote_src.len) {
        o->icmp.src = d->quote_src;
        o->icmp.dst = d->quote_dst;
    }
}

void events_read(struct packet_events *o, const struct decode *d) {
    const struct fvec *v = d->out;
    memset(o, 0, offsetof(struct packet_events, event));
    o->frame = d->pkt->number;
    o->ts = d->pkt->ts;
    o->era = d->pkt->era;
    o->len = d->pkt->len;
    o->cut = d->cut;
    o->http = d->http;
    o->carried = d->carried;
    network_take(o, d);
    struct walk w = {.out = o, .mqtt = d->mqtt};
    const struct fval *f = v->v; /* NULL where nobody wanted anything yet */
    for (uint32_t left = v->n; left; left--, f++) {
        if (f->id == FID_TCP) tcp_take(&w, d, f);
        else if (takers[f->id] == BY_MQTT) mqtt_field(&w, f); /* most of what is left */
        else field_take(&w, f);
    }
    o->unicast = is_unicast(&d->dst);
    if (o->transport == TRANSPORT_TCP)
        o->checksum_partial = d->tcp.checksum == partial_sum(d, d->tcp.header + d->tcp.len);
}
