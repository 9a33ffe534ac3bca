/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_EVENTS_H
#define WEIR_ANALYSE_EVENTS_H

#include "analyse/dissect.h"

/* What a packet did, in the words of the protocols: one TCP segment or datagram, and the messages that ended in it.
 *
 * explain, ladder and diff all read this, so that they cannot disagree about what happened. The fields they need are
 * few (events_want); slices live as long as the decoded packet. */

enum { EVENTS_MAX = 96, EVENT_LIST = 16, EVENT_NAMES = 8 };

enum event_kind { EV_DNS, EV_TLS, EV_HTTP, EV_WEBSOCKET, EV_MQTT, EV_KINDS };

struct mqtt_event {
    uint8_t type, version, qos; /* enum mqtt_type; version of a CONNECT */
    bool dup, retain, session, will, user, password, clean, has_code, no_alias;
    uint8_t code; /* return or reason code, where has_code */
    uint16_t id, keep_alive;
    uint32_t length;     /* of the whole packet */
    uint32_t max_packet; /* property; 0: not said */
    struct slice client, will_topic, payload;
    uint8_t topics, n_codes;
    uint16_t violation;             /* first anomaly of severity error; 0: none */
    uint8_t codes[EVENT_LIST];      /* of SUBACK, or the QoS asked for by SUBSCRIBE */
    struct slice topic[EVENT_LIST]; /* of PUBLISH one (empty where it has none), of (UN)SUBSCRIBE the filters */
};

enum tls_what { TLS_WHAT_HANDSHAKE, TLS_WHAT_ALERT, TLS_WHAT_CCS, TLS_WHAT_DATA };

struct tls_event {
    uint8_t what;      /* enum tls_what */
    uint8_t type;      /* handshake type, or the alert's description */
    uint8_t level;     /* of an alert */
    bool encrypted;    /* type means nothing */
    uint8_t inner;     /* content type of what a record of TLS 1.3 holds, where it was opened; 0: not known */
    uint16_t version;  /* agreed on, or the highest offered */
    uint16_t suite;    /* of a ServerHello */
    uint32_t length;   /* of the record */
    struct slice name; /* server name asked for */
    struct slice alpn; /* first protocol offered, or the one chosen */
    uint8_t certificates;
    bool alpn_mqtt; /* among those offered is one of MQTT's */
    struct slice certificate[EVENT_NAMES];
};

struct http_event {
    bool response, upgrade, proxied;
    uint16_t code;
    struct slice method, uri, host, protocol, phrase, server, location, forwarded;
};

struct websocket_event {
    uint8_t opcode;
    uint16_t code; /* of Close; 0: none */
};

struct dns_event {
    bool response, multicast;
    uint8_t rcode, opcode;
    uint16_t id, type;
    struct slice name;
    uint8_t addrs;
    uint16_t answers;
    bool repeated; /* a question or answer sent again */
    struct net_addr addr[EVENT_NAMES];
};

struct event {
    uint8_t kind; /* enum event_kind */
    union {
        struct mqtt_event mqtt;
        struct tls_event tls;
        struct http_event http;
        struct websocket_event websocket;
        struct dns_event dns;
    };
};

enum transport { TRANSPORT_NONE, TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_ICMP };

struct icmp_event {
    bool v6, error;
    uint8_t type, code;
    uint32_t mtu;
    bool tcp; /* the quoted packet is of TCP */
    struct net_addr src, dst;
    uint16_t sport, dport;
};

/* link_event is what a packet says of how a host finds its neighbours and its address. */
struct link_event {
    uint8_t arp;              /* operation; 0: no ARP */
    uint8_t dhcp;             /* message type; 0: no DHCP */
    bool own;                 /* ARP about the sender's own address */
    uint8_t mac[6];           /* of the DHCP client, or who speaks ARP */
    struct net_addr from, to; /* who asks by ARP, and for whom */
};

/* packet_events is one packet's. */
struct packet_events {
    uint64_t frame;
    int64_t ts;
    int16_t era; /* of ts, base/moment.h */
    uint32_t len;
    bool cut;          /* the capture kept less than was on the wire */
    uint8_t transport; /* enum transport */
    uint16_t sport, dport;
    uint16_t ip_id;
    struct net_addr src, dst;
    bool unicast; /* neither broadcast nor multicast */
    struct tcp_said tcp;
    bool checksum_partial; /* the TCP checksum field holds the sum of the pseudo header: left to the network card */
    struct icmp_event icmp;
    struct link_event link;
    const struct http_part *http; /* as in struct decode */
    uint32_t carried;             /* as well */
    struct slice shut;            /* why the TLS session cannot be read, once it is known; empty: nothing is said */
    uint32_t payload;             /* bytes behind the TCP or UDP header */
    uint32_t n;
    struct event event[EVENTS_MAX];
};

/* events_want adds the fields events_read looks at, but FID_DNS_RETRANSMISSION, without which dns_event.repeated is not
 * set: who reads that adds it. */
void events_want(struct want *w);
/* events_read fills out from a decoded packet; events past EVENTS_MAX are left out. */
void events_read(struct packet_events *out, const struct decode *d);

#endif
