/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_CRAFT_LAYERS_H
#define WEIR_CRAFT_LAYERS_H

#include "craft/node.h"

enum layer_id {
    LAYER_ETHER,
    LAYER_DOT1Q,
    LAYER_ARP,
    LAYER_IP,
    LAYER_IPV6,
    LAYER_ICMP,
    LAYER_ECHO_REQUEST6,
    LAYER_ECHO_REPLY6,
    LAYER_UDP,
    LAYER_TCP,
    LAYER_DNS,
    LAYER_QUESTION,
    LAYER_RECORD,
    LAYER_MQTT,
    LAYER_RAW,
    /* Plain layers: their fields follow each other as the table says. */
    LAYER_HOP_BY_HOP,
    LAYER_DEST_OPT,
    LAYER_ROUTING,
    LAYER_FRAGMENT,
    LAYER_UNREACH6,
    LAYER_TOO_BIG6,
    LAYER_EXCEEDED6,
    LAYER_PARAM6,
    LAYER_ND_RS,
    LAYER_ND_RA,
    LAYER_ND_NS,
    LAYER_ND_NA,
    LAYER_ND_REDIRECT,
    LAYER_ML_QUERY,
    LAYER_ML_REPORT,
    LAYER_ML_DONE,
    LAYER_ND_SRC,
    LAYER_ND_DST,
    LAYER_ND_PREFIX,
    LAYER_ND_MTU,
    LAYER_ND_RDNSS,
    LAYER_MQTT_CONNECT,
    LAYER_MQTT_CONNACK,
    LAYER_MQTT_PUBLISH,
    LAYER_MQTT_PUBACK,
    LAYER_MQTT_PUBREC,
    LAYER_MQTT_PUBREL,
    LAYER_MQTT_PUBCOMP,
    LAYER_MQTT_SUBSCRIBE,
    LAYER_MQTT_SUBACK,
    LAYER_MQTT_UNSUBSCRIBE,
    LAYER_MQTT_UNSUBACK,
    LAYER_MQTT_DISCONNECT,
    /* Records: they stand in another layer's field. */
    LAYER_OPT6_ANY,
    LAYER_OPT6_PAD1,
    LAYER_OPT6_PADN,
    LAYER_OPT6_ALERT,
    LAYER_OPT6_JUMBO,
    LAYER_OPT6_HOME,
    LAYER_OPT4_ANY,
    LAYER_OPT4_EOL,
    LAYER_OPT4_NOP,
    LAYER_OPT4_SECURITY,
    LAYER_OPT4_RECORD,
    LAYER_OPT4_LOOSE,
    LAYER_OPT4_STRICT,
    LAYER_OPT4_TIME,
    LAYER_OPT4_STREAM,
    LAYER_OPT4_MTU,
    LAYER_OPT4_ALERT,
    LAYER_RR_MX,
    LAYER_RR_SOA,
    LAYER_RR_SRV,
    LAYER_RR_OPT,
    LAYER_RR_DS,
    LAYER_RR_DNSKEY,
    LAYER_EDNS,
    LAYER_TOPIC,
    LAYER_TOPIC_QOS,
    LAYERS
};

/* What a plain field is worked out from where it is not said. */
enum field_role {
    ROLE_NONE,
    ROLE_UPPER,    /* protocol number of the layer above */
    ROLE_SUM6,     /* checksum of ICMPv6 */
    ROLE_LEN8,     /* eight-byte units of the layer, without the first */
    ROLE_SEGMENTS, /* addresses of a routing header */
    ROLE_UNITS8,   /* eight-byte units of the layer */
    ROLE_TOTAL,    /* bytes of the layer */
    ROLE_NEXT,     /* bytes of the field behind it */
    ROLE_AFTER,    /* bytes of the layer behind it */
};

/* Families of records, and of layers that stand together. */
enum layer_group {
    GROUP_NONE,
    GROUP_EXTENSION,
    GROUP_ICMP6,
    GROUP_MQTT,
    GROUP_OPT6,
    GROUP_OPT4,
    GROUP_RR,
    GROUP_EDNS,
    GROUP_TOPIC
};

enum { WHEN_QOS = 255 }; /* field.when: the MQTT header below has a QoS */

/* Places of the fields in the tables of layers.c. */
enum { ETHER_DST, ETHER_SRC, ETHER_TYPE };
enum { DOT1Q_PRIO, DOT1Q_DEI, DOT1Q_VLAN, DOT1Q_TYPE };
enum { ARP_HWTYPE, ARP_PTYPE, ARP_HWLEN, ARP_PLEN, ARP_OP, ARP_HWSRC, ARP_PSRC, ARP_HWDST, ARP_PDST };
enum {
    IP4_VERSION,
    IP4_IHL,
    IP4_TOS,
    IP4_LEN,
    IP4_ID,
    IP4_FLAGS,
    IP4_FRAG,
    IP4_TTL,
    IP4_PROTO,
    IP4_CHKSUM,
    IP4_SRC,
    IP4_DST,
    IP4_OPTIONS
};
enum { IP6_VERSION, IP6_TC, IP6_FL, IP6_PLEN, IP6_NH, IP6_HLIM, IP6_SRC, IP6_DST };
enum {
    ICMP_TYPE,
    ICMP_CODE,
    ICMP_CHKSUM,
    ICMP_ID,
    ICMP_SEQ,
    ICMP_GW,
    ICMP_PTR,
    ICMP_MTU,
    ICMP_LENGTH,
    ICMP_UNUSED,
    ICMP_ORIGINATE,
    ICMP_RECEIVE,
    ICMP_TRANSMIT,
    ICMP_MASK
};
enum { ECHO_TYPE, ECHO_CODE, ECHO_CHKSUM, ECHO_ID, ECHO_SEQ, ECHO_DATA };
enum { UDP_SPORT, UDP_DPORT, UDP_LEN, UDP_CHKSUM };
enum {
    TCPF_SPORT,
    TCPF_DPORT,
    TCPF_SEQ,
    TCPF_ACK,
    TCPF_DATAOFS,
    TCPF_RESERVED,
    TCPF_FLAGS,
    TCPF_WINDOW,
    TCPF_CHKSUM,
    TCPF_URGPTR,
    TCPF_OPTIONS
};
enum {
    DNS_ID,
    DNS_QR,
    DNS_OPCODE,
    DNS_AA,
    DNS_TC,
    DNS_RD,
    DNS_RA,
    DNS_Z,
    DNS_AD,
    DNS_CD,
    DNS_RCODE,
    DNS_COUNTS,
    DNS_SECTIONS = DNS_COUNTS + 4,
    DNS_LENGTH = DNS_SECTIONS + 4
};
enum { QUESTION_NAME, QUESTION_TYPE, QUESTION_CLASS };
enum { RECORD_NAME, RECORD_TYPE, RECORD_CLASS, RECORD_TTL, RECORD_RDLEN, RECORD_RDATA };
enum {
    MQTT_F_TYPE,
    MQTT_F_VER,
    MQTT_F_CLIENT,
    MQTT_F_CLEAN,
    MQTT_F_ALIVE,
    MQTT_F_USER,
    MQTT_F_PASSWORD,
    MQTT_F_WILL_TOPIC,
    MQTT_F_WILL_MESSAGE,
    MQTT_F_TOPIC,
    MQTT_F_MESSAGE,
    MQTT_F_QOS,
    MQTT_F_DUP,
    MQTT_F_RETAIN,
    MQTT_F_ID,
    MQTT_F_CODE,
    MQTT_F_PRESENT,
    MQTT_F_FLAGS,
    MQTT_F_LEN,
    MQTT_F_PROTONAME,
    MQTT_F_CONFLAGS,
    MQTT_F_PROPERTIES,
    MQTT_F_WILL_PROPERTIES,
    MQTT_F_TOPICS,
    MQTT_F_CODES,
    MQTT_F_OPTIONS
};
enum { RAW_LOAD };
enum { OPTIONS6_LIST = 2 };
enum { ROUTING_SEGLEFT = 3, ROUTING_ADDRESSES = 5 };
enum { FIELDS_PER_LAYER = 28 };

enum value_kind {
    VALUE_NUMBER,
    VALUE_MAC,
    VALUE_IP4,
    VALUE_IP6,
    VALUE_TEXT,
    VALUE_NODE,
    VALUE_NAME,    /* text: a domain name */
    VALUE_RECORDS, /* a list of records of field.group */
    VALUE_IP4S,    /* lists of addresses */
    VALUE_IP6S
};

struct word {
    const char *name;
    int64_t u;
};

struct craft_field {
    const char *name, *wire; /* Scapy's and Wireshark's (or a second usual name) */
    enum value_kind kind;
    uint8_t bits;             /* of VALUE_NUMBER */
    int64_t by_default;       /* -1: worked out */
    const struct word *words; /* names of values, NULL at the end */
    const char *letters;      /* flags by letters, lowest bit first */
    uint8_t role;             /* plain: enum field_role */
    uint8_t when;             /* plain: place + 1 of the field that must not be 0; WHEN_QOS */
    uint8_t group;            /* of VALUE_RECORDS: enum layer_group */
};

struct layer {
    const char *name, *proto; /* Scapy's and Wireshark's */
    const struct craft_field *fields;
    size_t n;
    bool record;       /* stands inside another layer's field only */
    bool plain;        /* written by the table */
    uint8_t group;     /* enum layer_group */
    uint8_t number;    /* IP protocol; of an MQTT packet its type */
    uint8_t hops, all; /* IPv6 below: hop limit, and the last byte of ff02::, where they are not said; 0: the usual */
    uint8_t align, align_at; /* of IPv6 options: x and y of xn+y */
};

/* craft_layer_table and the plain layers' part of it. */
extern const struct layer craft_layer_table[LAYERS];
extern const struct layer craft_plain_table[LAYERS];
/* layer_of gives a layer's description. */
const struct layer *layer_of(int id);

extern const struct word craft_dns_types[], craft_dns_classes[], craft_protocols[];

/* value is what a field has in one packet. */
struct value {
    int64_t u;
    uint8_t addr[16];
    struct slice text;
    const struct node *node; /* of VALUE_NODE */
    bool set;
};

/* layer_find gives the layer of that name, or -1. field_find gives the field's place, or -1. */
int layer_find(struct slice name);
int layer_field(const struct layer *l, struct slice name);
/* field_is_node tells whether a field's value is a part of the expression as it stands. */
static inline bool field_is_node(const struct craft_field *f) {
    return f->kind == VALUE_NODE || f->kind >= VALUE_RECORDS;
}
/* value_defaults fills what is not said. */
void value_defaults(const struct layer *l, struct value *v);
/* value_count says how many values a node stands for in a field: at least 1, or 0 with a sentence where one is wrong.
 */
uint64_t value_count(const struct craft_field *f, const struct node *n, struct writer *why);
/* value_get makes the i-th of them; it has been checked by value_count. */
void value_get(const struct craft_field *f, const struct node *n, uint64_t i, struct value *v);
/* values_of reads the arguments of a layer inside a field, which stand for one value each; ERR_USAGE with a sentence.
 */
int values_of(const struct layer *l, const struct node *n, struct value *v, struct writer *why) MUST_USE;

#endif
