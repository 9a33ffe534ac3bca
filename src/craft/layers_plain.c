/* SPDX-License-Identifier: Apache-2.0 */
/* The layers that are no more than their fields one behind the other: IPv6's extension headers, the kinds of ICMPv6,
 * MQTT's packets as Scapy has them, and the records inside other layers. A header of these is a table; build_plain.c
 * writes it. */
#include "craft/layers.h"

#define N(name, wire, bits, def)                                                                                       \
    { name, wire, VALUE_NUMBER, bits, def }
#define W(name, wire, bits, def, words)                                                                                \
    { name, wire, VALUE_NUMBER, bits, def, words }
#define AUTO(name, wire, bits, how)                                                                                    \
    { name, wire, VALUE_NUMBER, bits, -1, .role = how }
#define A6(name, wire)                                                                                                 \
    { name, wire, VALUE_IP6 }
#define MAC(name, wire)                                                                                                \
    { name, wire, VALUE_MAC }
#define TEXT(name, wire)                                                                                               \
    { name, wire, VALUE_TEXT }
#define NAME(name, wire)                                                                                               \
    { name, wire, VALUE_NAME }
#define RECORDS(name, wire, of)                                                                                        \
    { name, wire, VALUE_RECORDS, .group = of }
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const struct craft_field options6[] = {AUTO("nh", "nxt", 8, ROLE_UPPER), AUTO("len", "len", 8, ROLE_LEN8),
                                              RECORDS("options", "opt", GROUP_OPT6)};
static const struct craft_field routing[] = {AUTO("nh", "ipv6.routing.nxt", 8, ROLE_UPPER),
                                             AUTO("len", "ipv6.routing.len", 8, ROLE_LEN8),
                                             N("type", "ipv6.routing.type", 8, 0),
                                             AUTO("segleft", "ipv6.routing.segleft", 8, ROLE_SEGMENTS),
                                             N("reserved", "ipv6.routing.src.reserved", 32, 0),
                                             {"addresses", "ipv6.routing.src.addr", VALUE_IP6S}};
static const struct craft_field fragment[] = {AUTO("nh", "ipv6.fraghdr.nxt", 8, ROLE_UPPER),
                                              N("res1", "ipv6.fraghdr.reserved_octet", 8, 0),
                                              N("offset", "ipv6.fraghdr.offset", 13, 0),
                                              N("res2", "ipv6.fraghdr.reserved_bits", 2, 0),
                                              N("m", "ipv6.fraghdr.more", 1, 0),
                                              N("id", "ipv6.fraghdr.ident", 32, 0)};

#define ICMP6_HEAD(type)                                                                                               \
    N("type", "icmpv6.type", 8, type), N("code", "icmpv6.code", 8, 0), AUTO("cksum", "icmpv6.checksum", 16, ROLE_SUM6)
static const struct craft_field unreach6[] = {ICMP6_HEAD(1), N("length", "icmpv6.length", 8, 0),
                                              N("unused", "icmpv6.reserved", 24, 0)};
static const struct craft_field too_big6[] = {ICMP6_HEAD(2), N("mtu", "icmpv6.mtu", 32, 1280)};
static const struct craft_field exceeded6[] = {ICMP6_HEAD(3), N("length", "icmpv6.length", 8, 0),
                                               N("unused", "icmpv6.reserved", 24, 0)};
static const struct craft_field param6[] = {ICMP6_HEAD(4), N("ptr", "icmpv6.pointer", 32, 6)};
static const struct craft_field nd_rs[] = {ICMP6_HEAD(133), N("res", "icmpv6.reserved", 32, 0)};
static const struct craft_field nd_ra[] = {ICMP6_HEAD(134),
                                           N("chlim", "icmpv6.nd.ra.cur_hop_limit", 8, 0),
                                           N("M", "icmpv6.nd.ra.flag.m", 1, 0),
                                           N("O", "icmpv6.nd.ra.flag.o", 1, 0),
                                           N("H", "icmpv6.nd.ra.flag.h", 1, 0),
                                           N("prf", "icmpv6.nd.ra.flag.prf", 2, 1),
                                           N("P", "icmpv6.nd.ra.flag.p", 1, 0),
                                           N("res", "icmpv6.nd.ra.flag.rsv", 2, 0),
                                           N("routerlifetime", "icmpv6.nd.ra.router_lifetime", 16, 1800),
                                           N("reachabletime", "icmpv6.nd.ra.reachable_time", 32, 0),
                                           N("retranstimer", "icmpv6.nd.ra.retrans_timer", 32, 0)};
static const struct craft_field nd_ns[] = {ICMP6_HEAD(135), N("res", "icmpv6.reserved", 32, 0),
                                           A6("tgt", "icmpv6.nd.ns.target_address")};
static const struct craft_field nd_na[] = {ICMP6_HEAD(136),
                                           N("R", "icmpv6.nd.na.flag.r", 1, 1),
                                           N("S", "icmpv6.nd.na.flag.s", 1, 0),
                                           N("O", "icmpv6.nd.na.flag.o", 1, 1),
                                           N("res", "icmpv6.nd.na.flag.rsv", 29, 0),
                                           A6("tgt", "icmpv6.nd.na.target_address")};
static const struct craft_field nd_redirect[] = {ICMP6_HEAD(137), N("res", "icmpv6.reserved", 32, 0),
                                                 A6("tgt", "icmpv6.rd.na.target_address"),
                                                 A6("dst", "icmpv6.rd.na.destination_address")};
#define MULTICAST(type, delay)                                                                                         \
    ICMP6_HEAD(type), N("mrd", "icmpv6.mld.maximum_response_delay", 16, delay),                                        \
        N("reserved", "icmpv6.reserved", 16, 0), A6("mladdr", "icmpv6.mld.multicast_address")
static const struct craft_field ml_query[] = {MULTICAST(130, 10000)};
static const struct craft_field ml_report[] = {MULTICAST(131, 0)};
static const struct craft_field ml_done[] = {MULTICAST(132, 0)};
#define ND_HEAD(type) N("type", "icmpv6.opt.type", 8, type), AUTO("len", "icmpv6.opt.length", 8, ROLE_UNITS8)
static const struct craft_field nd_src[] = {ND_HEAD(1), MAC("lladdr", "icmpv6.opt.linkaddr")};
static const struct craft_field nd_dst[] = {ND_HEAD(2), MAC("lladdr", "icmpv6.opt.linkaddr")};
static const struct craft_field nd_prefix[] = {
    ND_HEAD(3),
    N("prefixlen", "icmpv6.opt.prefix.length", 8, 64),
    N("L", "icmpv6.opt.prefix.flag.l", 1, 1),
    N("A", "icmpv6.opt.prefix.flag.a", 1, 1),
    N("R", "icmpv6.opt.prefix.flag.r", 1, 0),
    N("res1", "icmpv6.opt.prefix.flag.reserved", 5, 0),
    N("validlifetime", "icmpv6.opt.prefix.valid_lifetime", 32, 0xffffffff),
    N("preferredlifetime", "icmpv6.opt.prefix.preferred_lifetime", 32, 0xffffffff),
    N("res2", "icmpv6.opt.reserved", 32, 0),
    A6("prefix", "icmpv6.opt.prefix")};
static const struct craft_field nd_mtu[] = {ND_HEAD(5), N("res", "icmpv6.opt.reserved", 16, 0),
                                            N("mtu", "icmpv6.opt.mtu", 32, 1280)};
static const struct craft_field nd_rdnss[] = {ND_HEAD(25),
                                              N("res", "icmpv6.opt.reserved", 16, 0),
                                              N("lifetime", "icmpv6.opt.rdnss.lifetime", 32, 0xffffffff),
                                              {"dns", "icmpv6.opt.rdnss", VALUE_IP6S}};

/* MQTT's packets behind MQTT(), which is then the fixed header. */
enum { CONNECT_USER = 3, CONNECT_PASSWORD, CONNECT_WILL = 7 };
#define IF(place) .when = (place) + 1
#define LENGTH_IF(name, place)                                                                                         \
    { name, "mqtt." name, VALUE_NUMBER, 16, -1, .role = ROLE_NEXT, IF(place) }
#define TEXT_IF(name, wire, place)                                                                                     \
    { name, wire, VALUE_TEXT, IF(place) }
static const struct craft_field mqtt_connect[] = {AUTO("length", "mqtt.proto_len", 16, ROLE_NEXT),
                                                  TEXT("protoname", "mqtt.protoname"),
                                                  N("protolevel", "mqtt.ver", 8, 4),
                                                  [CONNECT_USER] = N("usernameflag", "mqtt.conflag.uname", 1, 0),
                                                  [CONNECT_PASSWORD] = N("passwordflag", "mqtt.conflag.passwd", 1, 0),
                                                  N("willretainflag", "mqtt.conflag.retain", 1, 0),
                                                  N("willQOSflag", "mqtt.conflag.qos", 2, 0),
                                                  [CONNECT_WILL] = N("willflag", "mqtt.conflag.willflag", 1, 0),
                                                  N("cleansess", "mqtt.conflag.cleansess", 1, 0),
                                                  N("reserved", "mqtt.conflag.reserved", 1, 0),
                                                  N("klive", "mqtt.kalive", 16, 0),
                                                  AUTO("clientIdlen", "mqtt.clientid_len", 16, ROLE_NEXT),
                                                  TEXT("clientId", "mqtt.clientid"),
                                                  LENGTH_IF("wtoplen", CONNECT_WILL),
                                                  TEXT_IF("willtopic", "mqtt.willtopic", CONNECT_WILL),
                                                  LENGTH_IF("wmsglen", CONNECT_WILL),
                                                  TEXT_IF("willmsg", "mqtt.willmsg", CONNECT_WILL),
                                                  LENGTH_IF("userlen", CONNECT_USER),
                                                  TEXT_IF("username", "mqtt.username", CONNECT_USER),
                                                  LENGTH_IF("passlen", CONNECT_PASSWORD),
                                                  TEXT_IF("password", "mqtt.passwd", CONNECT_PASSWORD)};
static const struct craft_field mqtt_connack[] = {N("sessPresentFlag", "mqtt.conack.flags", 8, 0),
                                                  N("retcode", "mqtt.conack.val", 8, 0)};
static const struct craft_field mqtt_publish[] = {AUTO("length", "mqtt.topic_len", 16, ROLE_NEXT),
                                                  TEXT("topic", "mqtt.topic"),
                                                  {"msgid", "mqtt.msgid", VALUE_NUMBER, 16, 0, .when = WHEN_QOS},
                                                  TEXT("value", "mqtt.msg")};
static const struct craft_field mqtt_id[] = {N("msgid", "mqtt.msgid", 16, 0)};
static const struct craft_field mqtt_topics[] = {N("msgid", "mqtt.msgid", 16, 0),
                                                 RECORDS("topics", "mqtt.topic", GROUP_TOPIC)};
static const struct craft_field mqtt_suback[] = {N("msgid", "mqtt.msgid", 16, 0),
                                                 N("retcode", "mqtt.suback.qos", 8, 0)};
static const struct craft_field topic[] = {AUTO("length", "mqtt.topic_len", 16, ROLE_NEXT),
                                           TEXT("topic", "mqtt.topic")};
static const struct craft_field topic_qos[] = {AUTO("length", "mqtt.topic_len", 16, ROLE_NEXT),
                                               TEXT("topic", "mqtt.topic"), N("QOS", "mqtt.sub.qos", 8, 0)};

#define OPT6(type) N("otype", "ipv6.opt.type", 8, type), AUTO("optlen", "ipv6.opt.length", 8, ROLE_AFTER)
static const struct craft_field opt6_any[] = {OPT6(1), TEXT("optdata", "ipv6.opt.unknown")};
static const struct craft_field opt6_pad1[] = {N("otype", "ipv6.opt.type", 8, 0)};
static const struct craft_field opt6_padn[] = {OPT6(1), TEXT("optdata", "ipv6.opt.padn")};
static const struct craft_field opt6_alert[] = {OPT6(5), N("value", "ipv6.opt.router_alert", 16, 0)};
static const struct craft_field opt6_jumbo[] = {OPT6(0xc2), N("jumboplen", "ipv6.opt.jumbo", 32, 0)};
static const struct craft_field opt6_home[] = {OPT6(0xc9), A6("hoa", "ipv6.opt.mipv6.home_address")};

#define OPT4(copy, class, number)                                                                                      \
    N("copy_flag", "ip.opt.type.copy", 1, copy), N("optclass", "ip.opt.type.class", 2, class),                         \
        N("option", "ip.opt.type.number", 5, number)
#define OPT4_LEN AUTO("length", "ip.opt.len", 8, ROLE_TOTAL)
static const struct craft_field opt4_any[] = {OPT4(0, 0, 0), OPT4_LEN, TEXT("value", "ip.opt.data")};
static const struct craft_field opt4_eol[] = {OPT4(0, 0, 0)};
static const struct craft_field opt4_nop[] = {OPT4(0, 0, 1)};
static const struct craft_field opt4_security[] = {
    OPT4(1, 0, 2),
    OPT4_LEN,
    N("security", "ip.opt.sec_rfc791_sec", 16, 0),
    N("compartment", "ip.opt.sec_rfc791_comp", 16, 0),
    N("handling_restrictions", "ip.opt.sec_rfc791_hr", 16, 0),
    N("transmission_control_code", "ip.opt.sec_rfc791_tcc", 24, 0x787878)};
#define ROUTE4(copy, number)                                                                                           \
    OPT4(copy, 0, number), OPT4_LEN, N("pointer", "ip.opt.ptr", 8, 4), { "routers", "ip.rec_rt", VALUE_IP4S }
static const struct craft_field opt4_record[] = {ROUTE4(0, 7)};
static const struct craft_field opt4_loose[] = {ROUTE4(1, 3)};
static const struct craft_field opt4_strict[] = {ROUTE4(1, 9)};
enum { TIME_FLAG = 6 };
static const struct craft_field opt4_time[] = {OPT4(0, 2, 4),
                                               OPT4_LEN,
                                               N("pointer", "ip.opt.ptr", 8, 9),
                                               N("oflw", "ip.opt.overflow", 4, 0),
                                               [TIME_FLAG] = N("flg", "ip.opt.flag", 4, 1),
                                               {"internet_address", "ip.opt.time_stamp_addr", VALUE_IP4, IF(TIME_FLAG)},
                                               N("timestamp", "ip.opt.time_stamp", 32, 0)};
static const struct craft_field opt4_stream[] = {OPT4(1, 0, 8), OPT4_LEN, N("security", "ip.opt.sid", 16, 0)};
static const struct craft_field opt4_mtu[] = {OPT4(0, 0, 11), OPT4_LEN, N("mtu", "ip.opt.mtu", 16, 0)};
static const struct craft_field opt4_alert[] = {OPT4(1, 0, 20), OPT4_LEN, N("alert", "ip.opt.ra", 16, 0)};

#define RR(kind)                                                                                                       \
    NAME("rrname", "dns.resp.name"), W("type", "dns.resp.type", 16, kind, craft_dns_types),                            \
        W("rclass", "dns.resp.class", 16, 1, craft_dns_classes), N("ttl", "dns.resp.ttl", 32, 0),                      \
        AUTO("rdlen", "dns.resp.len", 16, ROLE_AFTER)
static const struct craft_field rr_mx[] = {RR(15), N("preference", "dns.mx.preference", 16, 0),
                                           NAME("exchange", "dns.mx.mail_exchange")};
static const struct craft_field rr_soa[] = {RR(6),
                                            NAME("mname", "dns.soa.mname"),
                                            NAME("rname", "dns.soa.rname"),
                                            N("serial", "dns.soa.serial_number", 32, 0),
                                            N("refresh", "dns.soa.refresh_interval", 32, 0),
                                            N("retry", "dns.soa.retry_interval", 32, 0),
                                            N("expire", "dns.soa.expire_limit", 32, 0),
                                            N("minimum", "dns.soa.minimum_ttl", 32, 0)};
static const struct craft_field rr_srv[] = {RR(33), N("priority", "dns.srv.priority", 16, 0),
                                            N("weight", "dns.srv.weight", 16, 0), N("port", "dns.srv.port", 16, 0),
                                            NAME("target", "dns.srv.target")};
static const struct craft_field rr_opt[] = {NAME("rrname", "dns.resp.name"),
                                            N("type", "dns.resp.type", 16, 41),
                                            N("rclass", "dns.rr.udp_payload_size", 16, 4096),
                                            N("extrcode", "dns.resp.ext_rcode", 8, 0),
                                            N("version", "dns.resp.edns0_version", 8, 0),
                                            N("z", "dns.resp.z", 16, 0x8000),
                                            AUTO("rdlen", "dns.resp.len", 16, ROLE_AFTER),
                                            RECORDS("rdata", "dns.opt", GROUP_EDNS)};
static const struct craft_field rr_ds[] = {
    RR(43), N("keytag", "dns.ds.key_id", 16, 0), N("algorithm", "dns.ds.algorithm", 8, 5),
    N("digesttype", "dns.ds.digest_type", 8, 5), TEXT("digest", "dns.ds.digest")};
static const struct craft_field rr_dnskey[] = {
    RR(48), N("flags", "dns.dnskey.flags", 16, 256), N("protocol", "dns.dnskey.protocol", 8, 3),
    N("algorithm", "dns.dnskey.algorithm", 8, 5), TEXT("publickey", "dns.dnskey.public_key")};
static const struct craft_field edns[] = {N("optcode", "dns.opt.code", 16, 0),
                                          AUTO("optlen", "dns.opt.len", 16, ROLE_AFTER),
                                          TEXT("optdata", "dns.opt.data")};

#define PLAIN(name, proto, fields, ...)                                                                                \
    { name, proto, fields, COUNT(fields), .plain = true, __VA_ARGS__ }
#define RECORD(name, proto, fields, of, ...)                                                                           \
    { name, proto, fields, COUNT(fields), .plain = true, .record = true, .group = of, __VA_ARGS__ }
#define ICMP6(name, fields, ...) PLAIN(name, "icmpv6", fields, .group = GROUP_ICMP6, .number = 58, __VA_ARGS__)
#define MQTT(name, fields, type) PLAIN(name, "mqtt", fields, .group = GROUP_MQTT, .number = type)

const struct layer craft_plain_table[LAYERS] = {
    [LAYER_HOP_BY_HOP] = PLAIN("IPv6ExtHdrHopByHop", "ipv6.hopopts", options6, .group = GROUP_EXTENSION, .number = 0),
    [LAYER_DEST_OPT] = PLAIN("IPv6ExtHdrDestOpt", "ipv6.dstopts", options6, .group = GROUP_EXTENSION, .number = 60),
    [LAYER_ROUTING] = PLAIN("IPv6ExtHdrRouting", "ipv6.routing", routing, .group = GROUP_EXTENSION, .number = 43),
    [LAYER_FRAGMENT] = PLAIN("IPv6ExtHdrFragment", "ipv6.fraghdr", fragment, .group = GROUP_EXTENSION, .number = 44),
    [LAYER_UNREACH6] = ICMP6("ICMPv6DestUnreach", unreach6),
    [LAYER_TOO_BIG6] = ICMP6("ICMPv6PacketTooBig", too_big6),
    [LAYER_EXCEEDED6] = ICMP6("ICMPv6TimeExceeded", exceeded6),
    [LAYER_PARAM6] = ICMP6("ICMPv6ParamProblem", param6),
    [LAYER_ND_RS] = ICMP6("ICMPv6ND_RS", nd_rs, .hops = 255, .all = 2),
    [LAYER_ND_RA] = ICMP6("ICMPv6ND_RA", nd_ra, .hops = 255, .all = 1),
    [LAYER_ND_NS] = ICMP6("ICMPv6ND_NS", nd_ns, .hops = 255, .all = 1),
    [LAYER_ND_NA] = ICMP6("ICMPv6ND_NA", nd_na, .hops = 255, .all = 1),
    [LAYER_ND_REDIRECT] = ICMP6("ICMPv6ND_Redirect", nd_redirect, .hops = 255, .all = 1),
    [LAYER_ML_QUERY] = ICMP6("ICMPv6MLQuery", ml_query, .hops = 1, .all = 1),
    [LAYER_ML_REPORT] = ICMP6("ICMPv6MLReport", ml_report, .hops = 1),
    [LAYER_ML_DONE] = ICMP6("ICMPv6MLDone", ml_done, .hops = 1, .all = 2),
    [LAYER_ND_SRC] = PLAIN("ICMPv6NDOptSrcLLAddr", "icmpv6.opt", nd_src),
    [LAYER_ND_DST] = PLAIN("ICMPv6NDOptDstLLAddr", "icmpv6.opt", nd_dst),
    [LAYER_ND_PREFIX] = PLAIN("ICMPv6NDOptPrefixInfo", "icmpv6.opt", nd_prefix),
    [LAYER_ND_MTU] = PLAIN("ICMPv6NDOptMTU", "icmpv6.opt", nd_mtu),
    [LAYER_ND_RDNSS] = PLAIN("ICMPv6NDOptRDNSS", "icmpv6.opt", nd_rdnss),
    [LAYER_MQTT_CONNECT] = MQTT("MQTTConnect", mqtt_connect, 1),
    [LAYER_MQTT_CONNACK] = MQTT("MQTTConnack", mqtt_connack, 2),
    [LAYER_MQTT_PUBLISH] = MQTT("MQTTPublish", mqtt_publish, 3),
    [LAYER_MQTT_PUBACK] = MQTT("MQTTPuback", mqtt_id, 4),
    [LAYER_MQTT_PUBREC] = MQTT("MQTTPubrec", mqtt_id, 5),
    [LAYER_MQTT_PUBREL] = MQTT("MQTTPubrel", mqtt_id, 6),
    [LAYER_MQTT_PUBCOMP] = MQTT("MQTTPubcomp", mqtt_id, 7),
    [LAYER_MQTT_SUBSCRIBE] = MQTT("MQTTSubscribe", mqtt_topics, 8),
    [LAYER_MQTT_SUBACK] = MQTT("MQTTSuback", mqtt_suback, 9),
    [LAYER_MQTT_UNSUBSCRIBE] = MQTT("MQTTUnsubscribe", mqtt_topics, 10),
    [LAYER_MQTT_UNSUBACK] = MQTT("MQTTUnsuback", mqtt_id, 11),
    [LAYER_MQTT_DISCONNECT] = {"MQTTDisconnect", "mqtt", NULL, 0, .plain = true, .group = GROUP_MQTT, .number = 14},
    [LAYER_OPT6_ANY] = RECORD("HBHOptUnknown", "ipv6.opt", opt6_any, GROUP_OPT6),
    [LAYER_OPT6_PAD1] = RECORD("Pad1", "ipv6.opt", opt6_pad1, GROUP_OPT6),
    [LAYER_OPT6_PADN] = RECORD("PadN", "ipv6.opt", opt6_padn, GROUP_OPT6),
    [LAYER_OPT6_ALERT] = RECORD("RouterAlert", "ipv6.opt", opt6_alert, GROUP_OPT6, .align = 2),
    [LAYER_OPT6_JUMBO] = RECORD("Jumbo", "ipv6.opt", opt6_jumbo, GROUP_OPT6, .align = 4, .align_at = 2),
    [LAYER_OPT6_HOME] = RECORD("HAO", "ipv6.opt", opt6_home, GROUP_OPT6, .align = 8, .align_at = 6),
    [LAYER_OPT4_ANY] = RECORD("IPOption", "ip.opt", opt4_any, GROUP_OPT4),
    [LAYER_OPT4_EOL] = RECORD("IPOption_EOL", "ip.opt", opt4_eol, GROUP_OPT4),
    [LAYER_OPT4_NOP] = RECORD("IPOption_NOP", "ip.opt", opt4_nop, GROUP_OPT4),
    [LAYER_OPT4_SECURITY] = RECORD("IPOption_Security", "ip.opt", opt4_security, GROUP_OPT4),
    [LAYER_OPT4_RECORD] = RECORD("IPOption_RR", "ip.opt", opt4_record, GROUP_OPT4),
    [LAYER_OPT4_LOOSE] = RECORD("IPOption_LSRR", "ip.opt", opt4_loose, GROUP_OPT4),
    [LAYER_OPT4_STRICT] = RECORD("IPOption_SSRR", "ip.opt", opt4_strict, GROUP_OPT4),
    [LAYER_OPT4_TIME] = RECORD("IPOption_Timestamp", "ip.opt", opt4_time, GROUP_OPT4),
    [LAYER_OPT4_STREAM] = RECORD("IPOption_Stream_Id", "ip.opt", opt4_stream, GROUP_OPT4),
    [LAYER_OPT4_MTU] = RECORD("IPOption_MTU_Probe", "ip.opt", opt4_mtu, GROUP_OPT4),
    [LAYER_OPT4_ALERT] = RECORD("IPOption_Router_Alert", "ip.opt", opt4_alert, GROUP_OPT4),
    [LAYER_RR_MX] = RECORD("DNSRRMX", "dns.mx", rr_mx, GROUP_RR),
    [LAYER_RR_SOA] = RECORD("DNSRRSOA", "dns.soa", rr_soa, GROUP_RR),
    [LAYER_RR_SRV] = RECORD("DNSRRSRV", "dns.srv", rr_srv, GROUP_RR),
    [LAYER_RR_OPT] = RECORD("DNSRROPT", "dns.opt", rr_opt, GROUP_RR),
    [LAYER_RR_DS] = RECORD("DNSRRDS", "dns.ds", rr_ds, GROUP_RR),
    [LAYER_RR_DNSKEY] = RECORD("DNSRRDNSKEY", "dns.dnskey", rr_dnskey, GROUP_RR),
    [LAYER_EDNS] = RECORD("EDNS0TLV", "dns.opt", edns, GROUP_EDNS),
    [LAYER_TOPIC] = RECORD("MQTTTopic", "mqtt.topic", topic, GROUP_TOPIC),
    [LAYER_TOPIC_QOS] = RECORD("MQTTTopicQOS", "mqtt.topic", topic_qos, GROUP_TOPIC),
};

_Static_assert(COUNT(mqtt_connect) <= FIELDS_PER_LAYER, "the widest layer fits");
