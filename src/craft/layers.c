/* SPDX-License-Identifier: Apache-2.0 */
/* The layers and fields an expression may name, and how a node becomes a value of a field. */
#include "craft/layers.h"
#include "base/hash.h"
#include "craft/craft.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define NUMBER(name, wire, bits, def, ...)                                                                             \
    { name, wire, VALUE_NUMBER, bits, def, __VA_ARGS__ }
#define ADDRESS(name, wire, kind)                                                                                      \
    { name, wire, kind }
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct word ether_types[] = {
    {"IPv4", 0x800}, {"ARP", 0x806}, {"n_802_1Q", 0x8100}, {"IPv6", 0x86dd}, {NULL, 0}};
static const struct word arp_ops[] = {{"who-has", 1}, {"is-at", 2}, {"request", 1}, {"reply", 2}, {NULL, 0}};
const struct word craft_protocols[] = {{"icmp", 1},  {"igmp", 2}, {"tcp", 6},        {"udp", 17},
                                       {"ipv6", 41}, {"gre", 47}, {"ipv6_icmp", 58}, {NULL, 0}};
static const struct word ip_flags[] = {{"MF", 1}, {"DF", 2}, {"evil", 4}, {"MF+DF", 3}, {"", 0}, {NULL, 0}};
static const struct word icmp_types[] = {
    {"echo-reply", 0},   {"dest-unreach", 3},   {"source-quench", 4},      {"redirect", 5},
    {"echo-request", 8}, {"time-exceeded", 11}, {"parameter-problem", 12}, {NULL, 0}};
static const struct word ports[] = {{"domain", 53}, {"http", 80},   {"https", 443},        {"mqtt", 1883}, {"ssh", 22},
                                    {"ntp", 123},   {"telnet", 23}, {"secure_mqtt", 8883}, {NULL, 0}};
const struct word craft_dns_types[] = {{"A", 1},     {"NS", 2},    {"CNAME", 5}, {"SOA", 6},  {"PTR", 12},
                                       {"MX", 15},   {"TXT", 16},  {"AAAA", 28}, {"SRV", 33}, {"HTTPS", 65},
                                       {"ALL", 255}, {"ANY", 255}, {NULL, 0}};
const struct word craft_dns_classes[] = {{"IN", 1}, {"CH", 3}, {"ANY", 255}, {NULL, 0}};
static const struct word dns_codes[] = {{"ok", 0},         {"format-error", 1},    {"server-failure", 2},
                                        {"name-error", 3}, {"not-implemented", 4}, {"refused", 5},
                                        {NULL, 0}};
static const struct word mqtt_types[] = {{"CONNECT", 1},   {"CONNACK", 2},      {"PUBLISH", 3},   {"PUBACK", 4},
                                         {"PUBREC", 5},    {"PUBREL", 6},       {"PUBCOMP", 7},   {"SUBSCRIBE", 8},
                                         {"SUBACK", 9},    {"UNSUBSCRIBE", 10}, {"UNSUBACK", 11}, {"PINGREQ", 12},
                                         {"PINGRESP", 13}, {"DISCONNECT", 14},  {"AUTH", 15},     {NULL, 0}};
static const struct word mqtt_versions[] = {{"3.1", 3}, {"3.1.1", 4}, {"5", 5}, {"5.0", 5}, {NULL, 0}};

static const struct craft_field ether[] = {[ETHER_DST] = ADDRESS("dst", "eth.dst", VALUE_MAC),
                                           [ETHER_SRC] = ADDRESS("src", "eth.src", VALUE_MAC),
                                           [ETHER_TYPE] = NUMBER("type", "eth.type", 16, -1, ether_types)};
static const struct craft_field dot1q[] = {[DOT1Q_PRIO] = NUMBER("prio", "vlan.priority", 3, 0),
                                           [DOT1Q_DEI] = NUMBER("id", "vlan.dei", 1, 0),
                                           [DOT1Q_VLAN] = NUMBER("vlan", "vlan.id", 12, 1),
                                           [DOT1Q_TYPE] = NUMBER("type", "vlan.etype", 16, -1, ether_types)};
static const struct craft_field arp[] = {[ARP_HWTYPE] = NUMBER("hwtype", "arp.hw.type", 16, 1),
                                         [ARP_PTYPE] = NUMBER("ptype", "arp.proto.type", 16, 0x800, ether_types),
                                         [ARP_HWLEN] = NUMBER("hwlen", "arp.hw.size", 8, -1),
                                         [ARP_PLEN] = NUMBER("plen", "arp.proto.size", 8, -1),
                                         [ARP_OP] = NUMBER("op", "arp.opcode", 16, 1, arp_ops),
                                         [ARP_HWSRC] = ADDRESS("hwsrc", "arp.src.hw_mac", VALUE_MAC),
                                         [ARP_PSRC] = ADDRESS("psrc", "arp.src.proto_ipv4", VALUE_IP4),
                                         [ARP_HWDST] = ADDRESS("hwdst", "arp.dst.hw_mac", VALUE_MAC),
                                         [ARP_PDST] = ADDRESS("pdst", "arp.dst.proto_ipv4", VALUE_IP4)};
static const struct craft_field ip[] = {[IP4_VERSION] = NUMBER("version", "ip.version", 4, 4),
                                        [IP4_IHL] = NUMBER("ihl", "ip.hdr_words", 4, -1),
                                        [IP4_TOS] = NUMBER("tos", "ip.dsfield", 8, 0),
                                        [IP4_LEN] = NUMBER("len", "ip.len", 16, -1),
                                        [IP4_ID] = NUMBER("id", "ip.id", 16, 1),
                                        [IP4_FLAGS] = NUMBER("flags", "ip.flags", 3, 0, ip_flags),
                                        [IP4_FRAG] = NUMBER("frag", "ip.frag_offset", 13, 0),
                                        [IP4_TTL] = NUMBER("ttl", "ip.ttl", 8, 64),
                                        [IP4_PROTO] = NUMBER("proto", "ip.proto", 8, -1, craft_protocols),
                                        [IP4_CHKSUM] = NUMBER("chksum", "ip.checksum", 16, -1),
                                        [IP4_SRC] = ADDRESS("src", "ip.src", VALUE_IP4),
                                        [IP4_DST] = ADDRESS("dst", "ip.dst", VALUE_IP4),
                                        [IP4_OPTIONS] = {"options", "ip.options", VALUE_RECORDS, .group = GROUP_OPT4}};
static const struct craft_field ipv6[] = {[IP6_VERSION] = NUMBER("version", "ipv6.version", 4, 6),
                                          [IP6_TC] = NUMBER("tc", "ipv6.tclass", 8, 0),
                                          [IP6_FL] = NUMBER("fl", "ipv6.flow", 20, 0),
                                          [IP6_PLEN] = NUMBER("plen", "ipv6.plen", 16, -1),
                                          [IP6_NH] = NUMBER("nh", "ipv6.nxt", 8, -1, craft_protocols),
                                          [IP6_HLIM] = NUMBER("hlim", "ipv6.hlim", 8, 64),
                                          [IP6_SRC] = ADDRESS("src", "ipv6.src", VALUE_IP6),
                                          [IP6_DST] = ADDRESS("dst", "ipv6.dst", VALUE_IP6)};
static const struct craft_field icmp[] = {[ICMP_TYPE] = NUMBER("type", "icmp.type", 8, 8, icmp_types),
                                          [ICMP_CODE] = NUMBER("code", "icmp.code", 8, 0),
                                          [ICMP_CHKSUM] = NUMBER("chksum", "icmp.checksum", 16, -1),
                                          [ICMP_ID] = NUMBER("id", "icmp.ident", 16, 0),
                                          [ICMP_SEQ] = NUMBER("seq", "icmp.seq", 16, 0),
                                          [ICMP_GW] = ADDRESS("gw", "icmp.redir_gw", VALUE_IP4),
                                          [ICMP_PTR] = NUMBER("ptr", "icmp.pointer", 8, 0),
                                          [ICMP_MTU] = NUMBER("nexthopmtu", "icmp.mtu", 16, 0),
                                          [ICMP_LENGTH] = NUMBER("length", "icmp.length", 8, 0),
                                          [ICMP_UNUSED] = NUMBER("unused", "icmp.unused", 32, 0),
                                          [ICMP_ORIGINATE] = NUMBER("ts_ori", "icmp.originate_timestamp", 32, 0),
                                          [ICMP_RECEIVE] = NUMBER("ts_rx", "icmp.receive_timestamp", 32, 0),
                                          [ICMP_TRANSMIT] = NUMBER("ts_tx", "icmp.transmit_timestamp", 32, 0),
                                          [ICMP_MASK] = ADDRESS("addr_mask", "icmp.address_mask", VALUE_IP4)};
#define ECHO(type)                                                                                                     \
    {                                                                                                                  \
        [ECHO_TYPE] = NUMBER("type", "icmpv6.type", 8, type), [ECHO_CODE] = NUMBER("code", "icmpv6.code", 8, 0),       \
        [ECHO_CHKSUM] = NUMBER("cksum", "icmpv6.checksum", 16, -1),                                                    \
        [ECHO_ID] = NUMBER("id", "icmpv6.echo.identifier", 16, 0),                                                     \
        [ECHO_SEQ] = NUMBER("seq", "icmpv6.echo.sequence_number", 16, 0), [ECHO_DATA] = {                              \
            "data",                                                                                                    \
            "data.data",                                                                                               \
            VALUE_TEXT                                                                                                 \
        }                                                                                                              \
    }
static const struct craft_field echo_request6[] = ECHO(128), echo_reply6[] = ECHO(129);
static const struct craft_field udp[] = {[UDP_SPORT] = NUMBER("sport", "udp.srcport", 16, 53, ports),
                                         [UDP_DPORT] = NUMBER("dport", "udp.dstport", 16, 53, ports),
                                         [UDP_LEN] = NUMBER("len", "udp.length", 16, -1),
                                         [UDP_CHKSUM] = NUMBER("chksum", "udp.checksum", 16, -1)};
static const struct craft_field tcp[] = {[TCPF_SPORT] = NUMBER("sport", "tcp.srcport", 16, -1, ports),
                                         [TCPF_DPORT] = NUMBER("dport", "tcp.dstport", 16, -1, ports),
                                         [TCPF_SEQ] = NUMBER("seq", "tcp.seq_raw", 32, 0),
                                         [TCPF_ACK] = NUMBER("ack", "tcp.ack_raw", 32, 0),
                                         [TCPF_DATAOFS] = NUMBER("dataofs", "tcp.hdr_words", 4, -1),
                                         [TCPF_RESERVED] = NUMBER("reserved", "tcp.flags.res", 3, 0),
                                         [TCPF_FLAGS] = NUMBER("flags", "tcp.flags", 9, 2, NULL, "FSRPAUECN"),
                                         [TCPF_WINDOW] = NUMBER("window", "tcp.window_size_value", 16, 8192),
                                         [TCPF_CHKSUM] = NUMBER("chksum", "tcp.checksum", 16, -1),
                                         [TCPF_URGPTR] = NUMBER("urgptr", "tcp.urgent_pointer", 16, 0),
                                         [TCPF_OPTIONS] = {"options", "tcp.options", VALUE_NODE}};
static const struct craft_field dns[] = {[DNS_ID] = NUMBER("id", "dns.id", 16, 0),
                                         [DNS_QR] = NUMBER("qr", "dns.flags.response", 1, 0),
                                         [DNS_OPCODE] = NUMBER("opcode", "dns.flags.opcode", 4, 0),
                                         [DNS_AA] = NUMBER("aa", "dns.flags.authoritative", 1, 0),
                                         [DNS_TC] = NUMBER("tc", "dns.flags.truncated", 1, 0),
                                         [DNS_RD] = NUMBER("rd", "dns.flags.recdesired", 1, 1),
                                         [DNS_RA] = NUMBER("ra", "dns.flags.recavail", 1, 0),
                                         [DNS_Z] = NUMBER("z", "dns.flags.z", 1, 0),
                                         [DNS_AD] = NUMBER("ad", "dns.flags.authenticated", 1, 0),
                                         [DNS_CD] = NUMBER("cd", "dns.flags.checkdisable", 1, 0),
                                         [DNS_RCODE] = NUMBER("rcode", "dns.flags.rcode", 4, 0, dns_codes),
                                         [DNS_COUNTS] = NUMBER("qdcount", "dns.count.queries", 16, -1),
                                         NUMBER("ancount", "dns.count.answers", 16, -1),
                                         NUMBER("nscount", "dns.count.auth_rr", 16, -1),
                                         NUMBER("arcount", "dns.count.add_rr", 16, -1),
                                         [DNS_SECTIONS] = {"qd", "dns.qry", VALUE_NODE},
                                         {"an", "dns.answers", VALUE_NODE},
                                         {"ns", "dns.authority", VALUE_NODE},
                                         {"ar", "dns.additional", VALUE_NODE},
                                         [DNS_LENGTH] = NUMBER("length", "dns.length", 16, -1)};
static const struct craft_field question[] = {[QUESTION_NAME] = {"qname", "dns.qry.name", VALUE_TEXT},
                                              [QUESTION_TYPE] = NUMBER("qtype", "dns.qry.type", 16, 1, craft_dns_types),
                                              [QUESTION_CLASS] =
                                                  NUMBER("qclass", "dns.qry.class", 16, 1, craft_dns_classes)};
static const struct craft_field record[] = {[RECORD_NAME] = {"rrname", "dns.resp.name", VALUE_TEXT},
                                            [RECORD_TYPE] = NUMBER("type", "dns.resp.type", 16, 1, craft_dns_types),
                                            [RECORD_CLASS] =
                                                NUMBER("rclass", "dns.resp.class", 16, 1, craft_dns_classes),
                                            [RECORD_TTL] = NUMBER("ttl", "dns.resp.ttl", 32, 0),
                                            [RECORD_RDLEN] = NUMBER("rdlen", "dns.resp.len", 16, -1),
                                            [RECORD_RDATA] = {"rdata", "dns.resp.data", VALUE_TEXT}};
static const struct craft_field mqtt[] = {
    [MQTT_F_TYPE] = NUMBER("type", "mqtt.msgtype", 4, 1, mqtt_types),
    [MQTT_F_VER] = NUMBER("protolevel", "mqtt.ver", 8, 4, mqtt_versions),
    [MQTT_F_CLIENT] = {"clientId", "mqtt.clientid", VALUE_TEXT},
    [MQTT_F_CLEAN] = NUMBER("cleansess", "mqtt.conflag.cleansess", 1, 1),
    [MQTT_F_ALIVE] = NUMBER("klive", "mqtt.kalive", 16, 60),
    [MQTT_F_USER] = {"username", "mqtt.username", VALUE_TEXT},
    [MQTT_F_PASSWORD] = {"password", "mqtt.passwd", VALUE_TEXT},
    [MQTT_F_WILL_TOPIC] = {"willtopic", "mqtt.willtopic", VALUE_TEXT},
    [MQTT_F_WILL_MESSAGE] = {"willmsg", "mqtt.willmsg", VALUE_TEXT},
    [MQTT_F_TOPIC] = {"topic", "mqtt.topic", VALUE_TEXT},
    [MQTT_F_MESSAGE] = {"value", "mqtt.msg", VALUE_TEXT},
    [MQTT_F_QOS] = NUMBER("QOS", "mqtt.qos", 2, 0),
    [MQTT_F_DUP] = NUMBER("DUP", "mqtt.dupflag", 1, 0),
    [MQTT_F_RETAIN] = NUMBER("RETAIN", "mqtt.retain", 1, 0),
    [MQTT_F_ID] = NUMBER("msgid", "mqtt.id", 16, 1),
    [MQTT_F_CODE] = NUMBER("retcode", "mqtt.reason_code", 8, 0),
    [MQTT_F_PRESENT] = NUMBER("sessPresentFlag", "mqtt.conack.flags.sp", 1, 0),
    [MQTT_F_FLAGS] = NUMBER("hdrflags", "mqtt.hdrflags_low", 4, -1),
    [MQTT_F_LEN] = NUMBER("len", "mqtt.len", 28, -1),
    [MQTT_F_PROTONAME] = {"protoname", "mqtt.protoname", VALUE_TEXT},
    [MQTT_F_CONFLAGS] = NUMBER("conflags", "mqtt.conflags", 8, -1),
    [MQTT_F_PROPERTIES] = {"properties", "mqtt.properties", VALUE_NODE},
    [MQTT_F_WILL_PROPERTIES] = {"willproperties", "mqtt.will_properties", VALUE_NODE},
    [MQTT_F_TOPICS] = {"topics", "mqtt.topics", VALUE_NODE},
    [MQTT_F_CODES] = {"retcodes", "mqtt.suback.reason_code", VALUE_NODE},
    [MQTT_F_OPTIONS] = NUMBER("options", "mqtt.subscription_options", 8, -1)};
static const struct craft_field raw[] = {[RAW_LOAD] = {"load", "data.data", VALUE_TEXT}};

const struct layer craft_layer_table[LAYERS] =
    {/* see layer_of */
     [LAYER_ETHER] = {"Ether", "eth", ether, COUNT(ether)},
     [LAYER_DOT1Q] = {"Dot1Q", "vlan", dot1q, COUNT(dot1q)},
     [LAYER_ARP] = {"ARP", "arp", arp, COUNT(arp)},
     [LAYER_IP] = {"IP", "ip", ip, COUNT(ip)},
     [LAYER_IPV6] = {"IPv6", "ipv6", ipv6, COUNT(ipv6)},
     [LAYER_ICMP] = {"ICMP", "icmp", icmp, COUNT(icmp)},
     [LAYER_ECHO_REQUEST6] = {"ICMPv6EchoRequest", "icmpv6", echo_request6, COUNT(echo_request6)},
     [LAYER_ECHO_REPLY6] = {"ICMPv6EchoReply", "icmpv6", echo_reply6, COUNT(echo_reply6)},
     [LAYER_UDP] = {"UDP", "udp", udp, COUNT(udp)},
     [LAYER_TCP] = {"TCP", "tcp", tcp, COUNT(tcp)},
     [LAYER_DNS] = {"DNS", "dns", dns, COUNT(dns)},
     [LAYER_QUESTION] = {"DNSQR", "dns.qry", question, COUNT(question), true},
     [LAYER_RECORD] = {"DNSRR", "dns.resp", record, COUNT(record), true},
     [LAYER_MQTT] = {"MQTT", "mqtt", mqtt, COUNT(mqtt)},
     [LAYER_RAW] = {"Raw", "data", raw, COUNT(raw)}};

_Static_assert(COUNT(dns) <= FIELDS_PER_LAYER && COUNT(mqtt) <= FIELDS_PER_LAYER, "the widest layers fit");

const struct layer *layer_of(int id) { return id <= LAYER_RAW ? &craft_layer_table[id] : &craft_plain_table[id]; }

static bool same(struct slice s, const char *name) { return slice_alike(s, slice_str(name)); }

int layer_find(struct slice name) {
    for (int i = 0; i < LAYERS; i++)
        if (same(name, layer_of(i)->name)) return i;
    for (int i = 0; i <= LAYER_RAW; i++)
        if (same(name, layer_of(i)->proto)) return i;
    return -1;
}

int layer_field(const struct layer *l, struct slice name) {
    for (size_t i = 0; i < l->n; i++)
        if (same(name, l->fields[i].name) || same(name, l->fields[i].wire)) return (int)i;
    size_t proto = strlen(l->proto);
    for (size_t i = 0; i < l->n; i++) /* Wireshark's without its protocol */
        if (slice_starts(slice_str(l->fields[i].wire), slice_str(l->proto)) && l->fields[i].wire[proto] == '.' &&
            same(name, l->fields[i].wire + proto + 1))
            return (int)i;
    return -1;
}

void value_defaults(const struct layer *l, struct value *v) {
    memset(v, 0, FIELDS_PER_LAYER * sizeof *v);
    for (size_t i = 0; i < l->n; i++) v[i].u = l->fields[i].by_default;
}

static const char *text_of(const struct node *n, char *buf, size_t size) {
    snprintf(buf, size, "%.*s", (int)slice_head(n->text, size - 1).n, n->text.p);
    return buf;
}

static bool letters_read(const char *letters, struct slice s, int64_t *u) {
    *u = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *at = s.p[i] ? strchr(letters, s.p[i]) : NULL;
        if (!at) return false;
        *u |= (int64_t)1 << (at - letters);
    }
    return true;
}

static bool number_read(const struct craft_field *f, const struct node *n, int64_t *u) {
    if (n->kind == NODE_INT) *u = n->u;
    else if (n->kind != NODE_TEXT) return false;
    else if (f->letters) return letters_read(f->letters, n->text, u);
    else {
        const struct word *w = f->words;
        while (w && w->name && !same(n->text, w->name)) w++;
        if (!w || !w->name) return false;
        *u = w->u;
    }
    return *u >= 0 && *u < (int64_t)1 << f->bits;
}

static bool mac_read(const char *text, uint8_t *addr) {
    int used = 0;
    unsigned b[6];
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &used) != 6 || text[used])
        return false;
    for (int i = 0; i < 6; i++) addr[i] = (uint8_t)b[i];
    return true;
}

/* ip4_read reads an address, a network or a range of the last number: how many addresses, from which; 0: none. */
static uint64_t ip4_read(const char *text, uint8_t *addr) {
    char buf[64], *mark, *end;
    snprintf(buf, sizeof buf, "%s", text);
    mark = strpbrk(buf, "/-");
    char how = mark ? *mark : 0;
    if (mark) *mark++ = 0;
    if (inet_pton(AF_INET, buf, addr) != 1) return 0;
    if (!how) return 1;
    unsigned long v = strtoul(mark, &end, 10);
    if (*end || end == mark) return 0;
    if (how == '-') return v >= addr[3] && v < 256 ? v - addr[3] + 1 : 0;
    if (v > 32) return 0;
    uint64_t n = (uint64_t)1 << (32 - v);
    uint32_t base;
    memcpy(&base, addr, 4);
    base = htonl(ntohl(base) & (uint32_t) ~(n - 1));
    memcpy(addr, &base, 4);
    return n;
}

static uint64_t complain(const struct craft_field *f, const struct node *n, struct writer *why) {
    char buf[64];
    if (n->kind == NODE_INT && f->kind == VALUE_NUMBER)
        wr_f(why, "at character %u: %lld is no value of %s, which has %d bits", n->at, (long long)n->u, f->name,
             f->bits);
    else
        wr_f(why, "at character %u: %s is no value of %s", n->at,
             n->kind == NODE_TEXT ? text_of(n, buf, sizeof buf) : "this", f->name);
    return 0;
}

/* is_random: Scapy's RandShort(), RandInt(), RandByte(), RandIP(), RandMAC() and the like: any value of the field,
 * another one for each packet. */
static bool is_random(const struct node *n) {
    return n->kind == NODE_LAYER && slice_starts(n->text, SLICE("Rand")) && n->text.n > 4;
}

static uint64_t random_value(void) {
    static struct hash_key state;
    if (!state.a) state = hash_key_random();
    state.a += 0x9e3779b97f4a7c15u;
    return hash_mix(state.a ^ state.b, state.a | 1);
}

static void random_get(const struct craft_field *f, struct value *v) {
    uint64_t u = random_value(), more = random_value();
    v->u = (int64_t)(u & (((uint64_t)1 << f->bits) - 1));
    memcpy(v->addr, &u, 8);
    memcpy(v->addr + 8, &more, 8);
    if (f->kind == VALUE_MAC) v->addr[0] = (uint8_t)((v->addr[0] & 0xfc) | 2); /* a local address of one station */
}

/* single_count counts and checks one value that is no list. */
static uint64_t single_count(const struct craft_field *f, const struct node *n, struct writer *why) {
    struct value v = {0};
    char buf[64];
    uint64_t count = 1;
    if (is_random(n)) return f->kind <= VALUE_IP6 ? 1 : complain(f, n, why);
    switch (f->kind) {
    case VALUE_NUMBER:
        if (n->kind == NODE_TUPLE && n->n == 2) {
            int64_t lo, hi;
            bool fine = number_read(f, n->first, &lo) && number_read(f, n->first->next, &hi) && lo <= hi;
            return fine ? (uint64_t)(hi - lo) + 1 : complain(f, n, why);
        }
        return number_read(f, n, &v.u) ? 1 : complain(f, n, why);
    case VALUE_MAC:
        return n->kind == NODE_TEXT && mac_read(text_of(n, buf, sizeof buf), v.addr) ? 1 : complain(f, n, why);
    case VALUE_IP4:
        count = n->kind == NODE_TEXT ? ip4_read(text_of(n, buf, sizeof buf), v.addr) : 0;
        return count ? count : complain(f, n, why);
    case VALUE_IP6:
        return n->kind == NODE_TEXT && inet_pton(AF_INET6, text_of(n, buf, sizeof buf), v.addr) == 1
                   ? 1
                   : complain(f, n, why);
    case VALUE_NAME:
    case VALUE_TEXT: return n->kind == NODE_TEXT ? 1 : complain(f, n, why);
    case VALUE_NODE:
    case VALUE_RECORDS:
    case VALUE_IP4S:
    case VALUE_IP6S: break;
    }
    return 1;
}

uint64_t value_count(const struct craft_field *f, const struct node *n, struct writer *why) {
    if (n->kind == NODE_NONE || field_is_node(f)) return 1;
    if (n->kind != NODE_LIST) return single_count(f, n, why);
    uint64_t sum = 0;
    for (const struct node *i = n->first; i; i = i->next) {
        uint64_t one = single_count(f, i, why);
        if (!one) return 0;
        sum += one;
    }
    if (!sum) wr_f(why, "at character %u: the list of %s is empty", n->at, f->name);
    return sum;
}

static void single_get(const struct craft_field *f, const struct node *n, uint64_t i, struct value *v) {
    char buf[64];
    uint32_t address;
    if (is_random(n)) {
        random_get(f, v);
        v->set = true;
        return;
    }
    switch (f->kind) {
    case VALUE_NUMBER:
        (void)number_read(f, n->kind == NODE_TUPLE ? n->first : n, &v->u);
        v->u += (int64_t)i;
        break;
    case VALUE_MAC: (void)mac_read(text_of(n, buf, sizeof buf), v->addr); break;
    case VALUE_IP4:
        (void)ip4_read(text_of(n, buf, sizeof buf), v->addr);
        memcpy(&address, v->addr, 4);
        address = htonl(ntohl(address) + (uint32_t)i);
        memcpy(v->addr, &address, 4);
        break;
    case VALUE_IP6: (void)inet_pton(AF_INET6, text_of(n, buf, sizeof buf), v->addr); break;
    case VALUE_NAME:
    case VALUE_TEXT: v->text = n->text; break;
    case VALUE_NODE:
    case VALUE_RECORDS:
    case VALUE_IP4S:
    case VALUE_IP6S: v->node = n; break;
    }
    v->set = true;
}

void value_get(const struct craft_field *f, const struct node *n, uint64_t i, struct value *v) {
    if (n->kind == NODE_NONE) return;
    if (n->kind != NODE_LIST || field_is_node(f)) return single_get(f, n, i, v);
    for (const struct node *k = n->first; k; k = k->next) {
        uint64_t one = f->kind == VALUE_NUMBER && k->kind != NODE_TUPLE ? 1 : single_count(f, k, NULL);
        if (i < one) return single_get(f, k, i, v);
        i -= one;
    }
}

int values_of(const struct layer *l, const struct node *n, struct value *v, struct writer *why) {
    value_defaults(l, v);
    for (const struct node *a = n->first; a; a = a->next) {
        int at = a->key.n ? layer_field(l, a->key) : a == n->first && l->n ? 0 : -1;
        if (at < 0) return wr_f(why, "at character %u: %s has no such field", a->at, l->name), ERR_USAGE;
        uint64_t count = value_count(&l->fields[at], a, why);
        if (!count) return ERR_USAGE;
        if (count > 1) return wr_f(why, "at character %u: one value belongs here", a->at), ERR_USAGE;
        value_get(&l->fields[at], a, 0, &v[at]);
    }
    return OK;
}

void craft_layers(struct writer *w) {
    for (int i = 0; i < LAYERS; i++) {
        static const char *const groups[] = {[GROUP_OPT6] = " (in the options of IPv6 headers)",
                                             [GROUP_OPT4] = " (in the options of IP)",
                                             [GROUP_RR] = " (in DNS)",
                                             [GROUP_EDNS] = " (in DNSRROPT)",
                                             [GROUP_TOPIC] = " (in topics)"};
        const struct layer *l = layer_of(i);
        wr_f(w, "%s%s\n", l->name, !l->record ? "" : groups[l->group] ? groups[l->group] : " (in DNS)");
        for (size_t f = 0; f < l->n; f++) wr_f(w, "    %-16s %s\n", l->fields[f].name, l->fields[f].wire);
    }
}
