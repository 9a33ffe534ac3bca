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
    LAYERS
};

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
    IP4_DST
};
enum { IP6_VERSION, IP6_TC, IP6_FL, IP6_PLEN, IP6_NH, IP6_HLIM, IP6_SRC, IP6_DST };
enum { ICMP_TYPE, ICMP_CODE, ICMP_CHKSUM, ICMP_ID, ICMP_SEQ, ICMP_GW, ICMP_PTR, ICMP_MTU };
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
    MQTT_F_LEN
};
enum { RAW_LOAD };
enum { FIELDS_PER_LAYER = 24 };

enum value_kind { VALUE_NUMBER, VALUE_MAC, VALUE_IP4, VALUE_IP6, VALUE_TEXT, VALUE_NODE };

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
};

struct layer {
    const char *name, *proto; /* Scapy's and Wireshark's */
    const struct craft_field *fields;
    size_t n;
    bool record; /* stands inside another layer's field only */
};

extern const struct layer craft_layer_table[LAYERS];

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
