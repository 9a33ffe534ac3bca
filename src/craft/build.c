/* SPDX-License-Identifier: Apache-2.0 */
/* Values become headers: what depends on the layers below and above is filled in here, the bytes are written by proto/.
 */
#include "craft/build.h"
#include "base/reader.h"
#include "proto/arp/arp_write.h"
#include "proto/eth/eth_write.h"
#include "proto/icmp/icmp_write.h"
#include "proto/ip/ip_write.h"
#include "proto/ipv6/ipv6_write.h"
#include "proto/tcp/tcp_write.h"
#include "proto/udp/udp_write.h"

static int upper_of(const struct building *b, size_t at) { return at + 1 < b->n ? (int)b->layers[at + 1] : -1; }

/* ether_type and protocol say what the layer above is; -1 where nothing is registered for it. */
static int64_t ether_type(int upper) {
    switch (upper) {
    case LAYER_IP: return 0x800;
    case LAYER_ARP: return 0x806;
    case LAYER_DOT1Q: return 0x8100;
    case LAYER_IPV6: return 0x86dd;
    default: return -1;
    }
}

int64_t build_protocol(int upper) {
    if (upper > LAYER_RAW) { /* hop-by-hop options have number 0 */
        uint8_t group = layer_of(upper)->group;
        return group == GROUP_EXTENSION || group == GROUP_ICMP6 ? layer_of(upper)->number : -1;
    }
    switch (upper) {
    case LAYER_ICMP: return 1;
    case LAYER_IP: return 4;
    case LAYER_TCP: return 6;
    case LAYER_UDP: return 17;
    case LAYER_IPV6: return 41;
    case LAYER_ECHO_REQUEST6:
    case LAYER_ECHO_REPLY6: return 58;
    default: return -1;
    }
}

/* said gives the value where there is one, then what was worked out, then the last resort. */
static int64_t said(const struct value *v, int64_t worked_out, int64_t otherwise) {
    return v->set ? v->u : worked_out >= 0 ? worked_out : otherwise;
}

static void source(const struct building *b, const struct value *src, const uint8_t *dst, uint8_t *out, size_t n) {
    if (src->set || !b->env || !b->env->source || !b->env->source(b->env->to, dst, out, n)) memcpy(out, src->addr, n);
}

static struct ip_write ip_of(const struct building *b, size_t at) {
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    const struct value *v = b->values[at];
    struct ip_write h = {v[IP4_VERSION].u, v[IP4_IHL].u, v[IP4_TOS].u,
                         v[IP4_LEN].u,     v[IP4_ID].u,  v[IP4_FLAGS].u,
                         v[IP4_FRAG].u,    v[IP4_TTL].u, .checksum = v[IP4_CHKSUM].u};
    h.proto = said(&v[IP4_PROTO], build_protocol(upper_of(b, at)), 0);
    memcpy(h.dst, v[IP4_DST].set ? v[IP4_DST].addr : loopback, sizeof h.dst);
    source(b, &v[IP4_SRC], h.dst, h.src, sizeof h.src);
    return h;
}

static struct ipv6_write ipv6_of(const struct building *b, size_t at) {
    static const uint8_t loopback[16] = {[15] = 1};
    const struct value *v = b->values[at];
    struct ipv6_write h = {v[IP6_VERSION].u, v[IP6_TC].u, v[IP6_FL].u, v[IP6_PLEN].u, .hop_limit = v[IP6_HLIM].u};
    h.next = said(&v[IP6_NH], build_protocol(upper_of(b, at)), 59); /* no next header */
    int upper = upper_of(b, at);
    const struct layer *above = upper > LAYER_RAW ? layer_of(upper) : NULL;
    uint8_t all[16] = {0xff, 2, [15] = above ? above->all : 0};
    if (above && above->hops && !v[IP6_HLIM].set) h.hop_limit = above->hops;
    memcpy(h.dst, v[IP6_DST].set ? v[IP6_DST].addr : above && above->all ? all : loopback, sizeof h.dst);
    source(b, &v[IP6_SRC], h.dst, h.src, sizeof h.src);
    return h;
}

/* last_of gives the last address of a list of them. */
static void last_of(const struct building *b, const struct node *list, size_t size, uint8_t *dst) {
    const struct node *n = list && list->kind == NODE_LIST ? list->first : list;
    struct building quiet = *b;
    uint8_t address[16];
    char ignored[64];
    struct writer w = wr_fixed(address, sizeof address), why = wr_fixed(ignored, sizeof ignored);
    while (n && n->next && list->kind == NODE_LIST) n = n->next;
    quiet.why = &why;
    if (n && !addresses_put(&quiet, &w, &(struct node){.kind = n->kind, .text = n->text}, size))
        memcpy(dst, address, size);
}

static const struct node *record_field(const struct node *record, const char *name) {
    for (const struct node *a = record->first; a; a = a->next)
        if (slice_eq(a->key, slice_str(name))) return a;
    return NULL;
}

/* ends_by_options: what the checksum counts is where a packet comes from and goes to in the end, whatever hop the
 * header names (RFC 791 source routes, RFC 8200 8.1, RFC 6275 6.3). */
static void ends_by_options(const struct building *b, size_t at, struct pseudo *ps) {
    const struct value *v = b->values[at];
    enum layer_id layer = b->layers[at];
    if (layer == LAYER_ROUTING && !(v[ROUTING_SEGLEFT].set && !v[ROUTING_SEGLEFT].u))
        last_of(b, v[ROUTING_ADDRESSES].node, 16, ps->dst);
    if (layer != LAYER_IP && layer != LAYER_DEST_OPT) return;
    const struct node *list = v[layer == LAYER_IP ? (int)IP4_OPTIONS : (int)OPTIONS6_LIST].node;
    for (const struct node *n = list && list->kind == NODE_LIST ? list->first : NULL; n; n = n->next) {
        int id = n->kind == NODE_LAYER ? layer_find(n->text) : -1;
        if (id == LAYER_OPT4_LOOSE || id == LAYER_OPT4_STRICT) last_of(b, record_field(n, "routers"), 4, ps->dst);
        if (id == LAYER_OPT6_HOME) last_of(b, record_field(n, "hoa"), 16, ps->src);
    }
}

struct pseudo build_pseudo(const struct building *b) {
    size_t at = b->at;
    struct pseudo ps = {0};
    while (at && b->layers[at - 1] > LAYER_RAW && layer_of(b->layers[at - 1])->group == GROUP_EXTENSION) at--;
    if (at && b->layers[at - 1] == LAYER_IP) {
        struct ip_write h = ip_of(b, at - 1);
        h.options = slice_of(NULL, 0);
        ps = ip_pseudo(&h);
        ends_by_options(b, at - 1, &ps);
    } else if (at && b->layers[at - 1] == LAYER_IPV6) {
        struct ipv6_write h = ipv6_of(b, at - 1);
        ps = ipv6_pseudo(&h);
        for (size_t i = at; i < b->at; i++) ends_by_options(b, i, &ps);
    }
    return ps;
}

/* link_addresses fills what is not said from where the packet goes. */
static void link_addresses(const struct building *b, uint8_t next[6], uint8_t own[6]) {
    const struct craft_env *env = b->env;
    size_t at = b->at + 1;
    memset(next, 0xff, 6);
    memset(own, 0, 6);
    while (at < b->n && b->layers[at] == LAYER_DOT1Q) at++;
    if (!env || !env->link || at == b->n) return;
    const struct value *v = b->values[at];
    if (b->layers[at] == LAYER_ARP) (void)env->link(env->to, v[ARP_PDST].addr, 4, NULL, own);
    if (b->layers[at] == LAYER_IP) {
        struct ip_write h = ip_of(b, at);
        (void)env->link(env->to, h.dst, 4, next, own);
    }
    if (b->layers[at] == LAYER_IPV6) {
        struct ipv6_write h = ipv6_of(b, at);
        (void)env->link(env->to, h.dst, 16, next, own);
    }
}

static void build_ether(struct building *b, const struct value *v) {
    struct eth_write h = {.type = said(&v[ETHER_TYPE], ether_type(upper_of(b, b->at)), 0x9000)};
    if (!v[ETHER_DST].set || !v[ETHER_SRC].set) link_addresses(b, h.dst, h.src);
    if (v[ETHER_DST].set) memcpy(h.dst, v[ETHER_DST].addr, 6);
    if (v[ETHER_SRC].set) memcpy(h.src, v[ETHER_SRC].addr, 6);
    eth_write(b->w, &h);
}

static void build_dot1q(struct building *b, const struct value *v) {
    struct vlan_write h = {v[DOT1Q_PRIO].u, v[DOT1Q_DEI].u, v[DOT1Q_VLAN].u,
                           said(&v[DOT1Q_TYPE], ether_type(upper_of(b, b->at)), 0)};
    vlan_write(b->w, &h);
}

static void build_arp(struct building *b, const struct value *v) {
    struct arp_write h = {v[ARP_HWTYPE].u, v[ARP_PTYPE].u, v[ARP_HWLEN].u, v[ARP_PLEN].u, v[ARP_OP].u};
    if (v[ARP_HWSRC].set || !b->env || !b->env->link || !b->env->link(b->env->to, v[ARP_PDST].addr, 4, NULL, h.src_hw))
        memcpy(h.src_hw, v[ARP_HWSRC].addr, 6);
    memcpy(h.dst_hw, v[ARP_HWDST].addr, 6);
    memcpy(h.dst_proto, v[ARP_PDST].addr, 4);
    source(b, &v[ARP_PSRC], h.dst_proto, h.src_proto, 4);
    arp_write(b->w, &h);
}

/* sequence is that of an echo: what was said, else the round's. */
static int64_t sequence(const struct building *b, const struct value *v) {
    return v->set || !b->env ? v->u : b->env->round & 0xffff;
}

/* build_icmp: the second word by type, RFC 792 (RFC 1191 for the MTU, RFC 4884 for the length), and what follows it in
 * questions for the time and the mask (RFC 950). */
static int build_icmp(struct building *b, const struct value *v) {
    struct icmp_write h = {v[ICMP_TYPE].u, v[ICMP_CODE].u, v[ICMP_CHKSUM].u, 0};
    const uint8_t *gw = v[ICMP_GW].addr;
    struct writer all = wr_grow(); /* the layer's own data goes before what follows it */
    uint32_t length = (uint32_t)v[ICMP_LENGTH].u << 16;
    switch (h.type) {
    case 3: h.rest = length | (uint32_t)v[ICMP_MTU].u; break;
    case 5: h.rest = load_be32(gw); break;
    case 12: h.rest = (uint32_t)v[ICMP_PTR].u << 24 | length | (v[ICMP_UNUSED].u & 0xffff); break;
    case 11: h.rest = length | (v[ICMP_UNUSED].u & 0xffff); break;
    case 0:
    case 8:
    case 13:
    case 14:
    case 15:
    case 16:
    case 17:
    case 18: h.rest = (uint32_t)(v[ICMP_ID].u << 16 | sequence(b, &v[ICMP_SEQ])); break;
    default: h.rest = (uint32_t)v[ICMP_UNUSED].u; break;
    }
    if (h.type == 13 || h.type == 14)
        for (int i = ICMP_ORIGINATE; i <= ICMP_TRANSMIT; i++) put_be32(&all, v[i].u);
    if (h.type == 17 || h.type == 18) wr_bytes(&all, v[ICMP_MASK].addr, 4);
    size_t own = wr_len(&all);
    wr_slice(&all, b->payload);
    int rc = all.err;
    if (!rc) icmp_write(b->w, &h, wr_done(&all));
    wr_slice(b->w, slice_head(wr_done(&all), own));
    wr_free(&all);
    return rc;
}

static int build_echo6(struct building *b, const struct value *v) {
    struct icmp_write h = {v[ECHO_TYPE].u, v[ECHO_CODE].u, v[ECHO_CHKSUM].u,
                           (uint32_t)(v[ECHO_ID].u << 16 | sequence(b, &v[ECHO_SEQ]))};
    struct pseudo ps = build_pseudo(b);
    struct writer all = wr_grow(); /* the layer's own data goes before what follows it */
    wr_slice(&all, v[ECHO_DATA].text);
    wr_slice(&all, b->payload);
    int rc = all.err;
    icmpv6_write(b->w, &h, &ps, wr_done(&all));
    wr_slice(b->w, v[ECHO_DATA].text);
    wr_free(&all);
    return rc;
}

static void build_udp(struct building *b, const struct value *v) {
    struct udp_write h = {v[UDP_SPORT].u, v[UDP_DPORT].u, v[UDP_LEN].u, v[UDP_CHKSUM].u};
    struct pseudo ps = build_pseudo(b);
    udp_write(b->w, &h, &ps, b->payload);
}

int build_complain(struct building *b, const struct node *n, const char *what) {
    if (n) wr_f(b->why, "at character %u: ", n->at);
    wr_s(b->why, what);
    return ERR_USAGE;
}

struct tcp_option {
    const char *name;
    uint8_t kind, widths[2]; /* bytes of its numbers; 0: none */
    bool bytes;              /* its value is bytes as they are */
    bool list;               /* any number of four-byte numbers */
};
static const struct tcp_option tcp_options[] = {{"EOL", 0, {0}},
                                                {"NOP", 1, {0}},
                                                {"MSS", 2, {2}},
                                                {"WScale", 3, {1}},
                                                {"SAckOK", 4, {0}},
                                                {"Timestamp", 8, {4, 4}},
                                                {"SAck", 5, {0}, .list = true},
                                                {"AltChkSum", 14, {1, 2}},
                                                {"MD5", 19, {0}, .bytes = true},
                                                {"UTO", 28, {2}},
                                                {"TFO", 34, {4, 4}}};

static void put_number(struct writer *w, int64_t u, uint8_t width) {
    while (width--) put_be8(w, u >> 8 * width);
}

/* option_value writes what follows the name: numbers in the widths given, or bytes as they are. */
static int option_value(struct building *b, struct writer *w, const struct tcp_option *o, const struct node *n) {
    const struct node *list = n && n->kind == NODE_TUPLE ? n->first : n;
    for (int i = 0; i < 2 && o->widths[i]; i++, list = list->next) {
        if (!list || list->kind != NODE_INT || list->u < 0 || list->u >= (int64_t)1 << 8 * o->widths[i])
            return build_complain(b, n, "this is no value of the option");
        put_number(w, list->u, o->widths[i]);
    }
    return OK;
}

/* numbers_put writes the edges of a selective acknowledgment. */
static int numbers_put(struct building *b, struct writer *w, const struct node *n, const struct node *data) {
    if (!data || data->kind != NODE_TUPLE || data->n > 9)
        return build_complain(b, n, "SAck has the edges in brackets: (\"SAck\",(1000,2000))");
    put_be8(w, 2 + 4 * (int64_t)data->n);
    for (const struct node *i = data->first; i; i = i->next) {
        if (i->kind != NODE_INT || i->u < 0 || i->u > UINT32_MAX)
            return build_complain(b, i, "this is no sequence number");
        put_be32(w, i->u);
    }
    return OK;
}

static int tcp_option(struct building *b, struct writer *w, const struct node *n) {
    const struct node *name = n->kind == NODE_TUPLE ? n->first : n, *data = name && name != n ? name->next : NULL;
    const size_t count = sizeof tcp_options / sizeof tcp_options[0];
    size_t i = 0;
    if (!name) return build_complain(b, n, "an option is a name and a value, such as (\"MSS\",1460)");
    if (name->kind == NODE_INT && name->u > 1 && name->u < 256 && data && data->kind == NODE_TEXT &&
        data->text.n <= TCP_WRITE_OPTIONS_MAX - 2) {
        put_be8(w, name->u);
        put_be8(w, (int64_t)data->text.n + 2);
        wr_slice(w, data->text);
        return OK;
    }
    while (i < count && !(name->kind == NODE_TEXT && slice_eq(name->text, slice_str(tcp_options[i].name)))) i++;
    if (i == count)
        return build_complain(b, n,
                              "a TCP option is EOL, NOP, MSS, WScale, SAckOK, SAck, Timestamp, AltChkSum, MD5, UTO, "
                              "TFO, or a number with bytes");
    const struct tcp_option *o = &tcp_options[i];
    put_be8(w, o->kind);
    if (o->kind < 2) return OK;
    if (o->list) return numbers_put(b, w, n, data);
    if (o->bytes && data && data->kind == NODE_TEXT) {
        put_be8(w, 2 + (int64_t)data->text.n);
        return wr_slice(w, data->text), OK;
    }
    put_be8(w, 2 + o->widths[0] + o->widths[1]);
    if (o->widths[0] && !data) return build_complain(b, n, "the option's value is missing");
    return option_value(b, w, o, data);
}

static int build_tcp(struct building *b, const struct value *v) {
    uint8_t options[TCP_WRITE_OPTIONS_MAX];
    struct writer w = wr_fixed(options, sizeof options);
    const struct node *list = v[TCPF_OPTIONS].node;
    if (list && list->kind != NODE_LIST) return build_complain(b, list, "options are a list: [(\"MSS\",1460)]");
    for (const struct node *n = list ? list->first : NULL; n; n = n->next) {
        int rc = tcp_option(b, &w, n);
        if (rc) return rc;
    }
    if (w.err) return build_complain(b, list, "TCP has room for 40 bytes of options");
    int upper = upper_of(b, b->at);
    struct tcp_write h = {said(&v[TCPF_SPORT], upper == LAYER_DNS ? 53 : -1, 20),
                          said(&v[TCPF_DPORT],
                               upper == LAYER_MQTT  ? 1883
                               : upper == LAYER_DNS ? 53
                                                    : -1,
                               80),
                          v[TCPF_SEQ].u,
                          v[TCPF_ACK].u,
                          v[TCPF_DATAOFS].u,
                          v[TCPF_RESERVED].u,
                          v[TCPF_FLAGS].u,
                          v[TCPF_WINDOW].u,
                          v[TCPF_CHKSUM].u,
                          v[TCPF_URGPTR].u,
                          wr_done(&w)};
    struct pseudo ps = build_pseudo(b);
    tcp_write(b->w, &h, &ps, b->payload);
    return OK;
}

static int build_ip(struct building *b, const struct value *v) {
    uint8_t options[IP_WRITE_OPTIONS_MAX];
    struct writer w = wr_fixed(options, sizeof options);
    struct ip_write h = ip_of(b, b->at);
    if (v[IP4_OPTIONS].node) {
        int rc = records_put(b, &w, v[IP4_OPTIONS].node, GROUP_OPT4, false, 0);
        if (rc || w.err) return rc ? rc : build_complain(b, v[IP4_OPTIONS].node, "IP has room for 40 bytes of options");
        h.options = wr_done(&w);
    }
    return ip_write(b->w, &h, b->payload.n), OK;
}

int build_layer(struct building *b) {
    const struct value *v = b->values[b->at];
    switch (b->layers[b->at]) {
    case LAYER_ETHER: return build_ether(b, v), OK;
    case LAYER_DOT1Q: return build_dot1q(b, v), OK;
    case LAYER_ARP: return build_arp(b, v), OK;
    case LAYER_IP: return build_ip(b, v);
    case LAYER_IPV6: {
        struct ipv6_write h = ipv6_of(b, b->at);
        return ipv6_write(b->w, &h, b->payload.n), OK;
    }
    case LAYER_ICMP: return build_icmp(b, v);
    case LAYER_ECHO_REQUEST6:
    case LAYER_ECHO_REPLY6: return build_echo6(b, v);
    case LAYER_UDP: return build_udp(b, v), OK;
    case LAYER_TCP: return build_tcp(b, v);
    case LAYER_DNS: return build_dns(b);
    case LAYER_MQTT: return build_mqtt(b);
    case LAYER_RAW: return wr_slice(b->w, v[RAW_LOAD].text), OK;
    default: break;
    }
    return layer_of(b->layers[b->at])->plain ? build_plain(b) : ERR_USAGE;
}
