/* SPDX-License-Identifier: Apache-2.0 */
/* What a packet counts for in each of the trees; names and order are tshark's. */
#include "analyse/stats/stats_tree.h"
#include "base/packet.h"
#include "field/print.h"

#include <stdio.h>

static const char *value_name(const struct field_values *names, uint64_t v, char *text, size_t n) {
    const char *name = field_value_name(names, v);
    if (name) return name;
    snprintf(text, n, "Unknown (%llu)", (unsigned long long)v);
    return text;
}

static const char *addr_name(const struct net_addr *a, char text[64]) {
    struct writer w = wr_fixed(text, 63);
    if (a->len == 4) print_ipv4(&w, load_be32(a->bytes));
    else if (a->len == 16) print_ipv6(&w, a->bytes);
    *w.p = 0;
    return text;
}

/* copied writes a value of a packet as a name. */
static const char *copied(struct slice s, char text[TREE_NAME]) {
    struct writer w = wr_fixed(text, TREE_NAME - 1);
    print_string(&w, slice_head(s, TREE_NAME - 1));
    *w.p = 0;
    return text;
}

/* Packet lengths. */

static void lengths_start(struct stats_tree *t) {
    uint32_t root = tree_get(t, 0, "Packet Lengths");
    char name[32];
    tree_range(t, root, "0-19", 0, 19);
    for (int64_t low = 20; low <= 2560; low *= 2) {
        snprintf(name, sizeof name, "%lld-%lld", (long long)low, (long long)(2 * low - 1));
        tree_range(t, root, name, low, 2 * low - 1);
    }
    tree_range(t, root, "5120 and greater", 5120, INT64_MAX);
}

static void lengths_packet(struct stats_tree *t, const struct decode *d) {
    tree_clock(t);
    tree_in_range(t, tree_tick(t, 0, "Packet Lengths"), d->pkt->len);
}

/* Addresses. tshark counts once for each IP header of a packet, but by the addresses the packet has in the end. */

static uint16_t source_of(const struct stats_tree *t) {
    return strncmp(t->kind->name, "ipv6_", 5) == 0 ? FID_IPV6_SRC : FID_IP_SRC;
}

/* headers counts the IP headers; a fragment of IPv6 counts only where its datagram is whole with it. */
static unsigned headers(const struct stats_tree *t, const struct decode *d) {
    uint16_t source = source_of(t);
    unsigned n = 0;
    bool pending = false;
    for (uint32_t i = 0, end = stats_outer(d); i < end; i++) {
        const struct fval *f = &d->out->v[i];
        if (f->id == source) {
            n += pending;
            pending = true;
        } else if ((f->id == FID_IPV6_FRAGHDR_OFFSET || f->id == FID_IPV6_FRAGHDR_MORE) && f->u) {
            pending = false;
        } else if (f->id == FID_IPV6_FRAGMENTS) {
            pending = true;
        }
    }
    return n + pending;
}

/* transport returns the last transport protocol's name and its destination port; here one that is quoted counts. */
static const char *transport(const struct decode *d, uint32_t *port) {
    const char *name = "NONE";
    *port = 0;
    for (uint32_t i = 0; i < d->out->n; i++) {
        const struct fval *f = &d->out->v[i];
        if (f->id != FID_TCP_DSTPORT && f->id != FID_UDP_DSTPORT) continue;
        name = f->id == FID_TCP_DSTPORT ? "TCP" : "UDP";
        *port = (uint32_t)f->u;
    }
    return name;
}

static void types_packet(struct stats_tree *t, const struct decode *d) {
    uint32_t port;
    const char *name = transport(d, &port);
    for (unsigned n = headers(t, d); n; n--) {
        tree_clock(t);
        tree_pivot(t, 0, "IP Protocol Types", name);
    }
}

static void hosts_packet(struct stats_tree *t, const struct decode *d) {
    char text[64];
    for (unsigned n = headers(t, d); n; n--) {
        tree_clock(t);
        uint32_t root = tree_tick(t, 0, "All Addresses");
        tree_tick(t, root, addr_name(&d->src, text));
        tree_tick(t, root, addr_name(&d->dst, text));
    }
}

static void ends_count(struct stats_tree *t, const struct decode *d, const char *source, const char *destination) {
    char text[64];
    for (unsigned n = headers(t, d); n; n--) {
        tree_clock(t);
        tree_pivot(t, 0, source, addr_name(&d->src, text));
        tree_pivot(t, 0, destination, addr_name(&d->dst, text));
    }
}

static void ends4_start(struct stats_tree *t) {
    tree_get(t, 0, "Source IPv4 Addresses");
    tree_get(t, 0, "Destination IPv4 Addresses");
}
static void ends6_start(struct stats_tree *t) {
    tree_get(t, 0, "Source IPv6 Addresses");
    tree_get(t, 0, "Destination IPv6 Addresses");
}
static void ends4_packet(struct stats_tree *t, const struct decode *d) {
    ends_count(t, d, "Source IPv4 Addresses", "Destination IPv4 Addresses");
}
static void ends6_packet(struct stats_tree *t, const struct decode *d) {
    ends_count(t, d, "Source IPv6 Addresses", "Destination IPv6 Addresses");
}

static void ports_packet(struct stats_tree *t, const struct decode *d) {
    char text[64];
    uint32_t port;
    const char *name = transport(d, &port);
    for (unsigned n = headers(t, d); n; n--) {
        tree_clock(t);
        uint32_t at = tree_tick(t, 0, "Destinations and Ports");
        at = tree_tick(t, at, addr_name(&d->dst, text));
        at = tree_tick(t, at, name);
        snprintf(text, sizeof text, "%u", port);
        tree_tick(t, at, text);
    }
}

static void types_start(struct stats_tree *t) { tree_get(t, 0, "IP Protocol Types"); }
static void hosts_start(struct stats_tree *t) { tree_get(t, 0, "All Addresses"); }
static void ports_start(struct stats_tree *t) { tree_get(t, 0, "Destinations and Ports"); }

/* HTTP. */

static const char *const classes[] = {"???: broken",      "1xx: Informational", "2xx: Success",
                                      "3xx: Redirection", "4xx: Client Error",  "5xx: Server Error"};

/* http_message is what the trees look at of one message. */
struct http_message {
    struct slice method, uri, host;
    uint64_t code;
    bool here, tunnel; /* tunnel: only what goes through a proxy is here */
    bool binary;       /* it does not begin with a letter: a part of a body, if it is no request or response */
};

static void http_start(struct stats_tree *t) {
    uint32_t root = tree_get(t, 0, "Total HTTP Packets");
    tree_get(t, root, "HTTP Request Packets");
    uint32_t answers = tree_get(t, root, "HTTP Response Packets");
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) tree_get(t, answers, classes[i]);
    tree_get(t, root, "Other HTTP Packets");
}

static void http_count(struct stats_tree *t, const struct decode *d, const struct http_message *m) {
    char text[TREE_NAME], words[64];
    (void)d;
    uint32_t root = tree_tick(t, 0, "Total HTTP Packets");
    if (m->code) {
        uint32_t at = tree_tick(t, root, "HTTP Response Packets");
        at = tree_tick(t, at, classes[m->code < 100 || m->code >= 600 ? 0 : m->code / 100]);
        snprintf(text, sizeof text, "%llu %s", (unsigned long long)m->code,
                 value_name(&vals_http_status, m->code, words, sizeof words));
        tree_tick(t, at, text);
    } else if (m->method.n) {
        /* to tshark the M- of SSDP is no part of the method */
        struct slice method = slice_starts(m->method, SLICE("M-")) ? slice_tail(m->method, 2) : m->method;
        tree_pivot(t, root, "HTTP Request Packets", copied(method, text));
    } else {
        tree_tick(t, root, "Other HTTP Packets");
    }
}

static void requests_start(struct stats_tree *t) { tree_get(t, 0, "HTTP Requests by HTTP Host"); }

static void requests_count(struct stats_tree *t, const struct decode *d, const struct http_message *m) {
    char text[TREE_NAME];
    (void)d;
    if (!m->method.n) return;
    uint32_t at = tree_tick(t, 0, "HTTP Requests by HTTP Host");
    if (!m->host.n) return;
    at = tree_tick(t, at, copied(m->host, text));
    if (m->uri.n) tree_tick(t, at, copied(m->uri, text));
}

static void servers_start(struct stats_tree *t) {
    uint32_t root = tree_get(t, 0, "HTTP Requests by Server");
    tree_get(t, root, "HTTP Requests by Server Address");
    tree_get(t, root, "HTTP Requests by HTTP Host");
    tree_get(t, 0, "HTTP Responses by Server Address");
}

static void servers_count(struct stats_tree *t, const struct decode *d, const struct http_message *m) {
    char host[TREE_NAME], addr[64];
    if (m->method.n) {
        uint32_t root = tree_tick(t, 0, "HTTP Requests by Server");
        uint32_t at = tree_tick(t, root, "HTTP Requests by Server Address");
        at = tree_tick(t, at, addr_name(&d->dst, addr));
        if (!m->host.n) return;
        tree_tick(t, at, copied(m->host, host));
        at = tree_tick(t, root, "HTTP Requests by HTTP Host");
        at = tree_tick(t, at, host);
        tree_tick(t, at, addr);
    } else if (m->code) {
        uint32_t at = tree_tick(t, 0, "HTTP Responses by Server Address");
        at = tree_tick(t, at, addr_name(&d->src, addr));
        tree_tick(t, at, m->code >= 100 && m->code < 400 ? "OK" : "KO");
    }
}

static bool is_binary(const struct decode *d, const struct fval *entry) {
    struct slice bytes = slice_tail(d->out->source[entry->src].bytes, entry->off);
    return bytes.n && (bytes.p[0] < 0x20 || bytes.p[0] >= 0x7f);
}

static void messages_count(struct stats_tree *t, const struct decode *d,
                           void (*take)(struct stats_tree *t, const struct decode *d, const struct http_message *m)) {
    struct http_message m = {0};
    for (uint32_t i = 0; i <= d->out->n; i++) {
        const struct fval *f = i < d->out->n ? &d->out->v[i] : NULL;
        if (!f || f->id == FID_HTTP || f->id == FID_SSDP) {
            if (m.here && !m.tunnel && (!m.binary || m.method.n || m.code)) {
                tree_clock(t);
                take(t, d, &m);
            }
            m = (struct http_message){.here = f != NULL, .binary = f && is_binary(d, f)};
            continue;
        }
        switch (f->id) {
        case FID_HTTP_REQUEST_METHOD: m.method = f->s; break;
        case FID_HTTP_REQUEST_URI: m.uri = f->s; break;
        case FID_HTTP_HOST: m.host = f->s; break;
        case FID_HTTP_RESPONSE_CODE: m.code = f->u; break;
        case FID_HTTP_PROXY_CONNECT_HOST: m.tunnel = true; break;
        default: break;
        }
    }
}

static void http_packet(struct stats_tree *t, const struct decode *d) { messages_count(t, d, http_count); }
static void requests_packet(struct stats_tree *t, const struct decode *d) { messages_count(t, d, requests_count); }
static void servers_packet(struct stats_tree *t, const struct decode *d) { messages_count(t, d, servers_count); }

/* HTTP/2. */

static void http2_start(struct stats_tree *t) { tree_get(t, tree_get(t, 0, "HTTP2"), "Type"); }

static void http2_packet(struct stats_tree *t, const struct decode *d) {
    char text[64];
    for (uint32_t i = 0; i < d->out->n; i++) {
        if (d->out->v[i].id != FID_HTTP2_TYPE) continue;
        tree_clock(t);
        uint32_t root = tree_tick(t, 0, "HTTP2");
        tree_pivot(t, root, "Type", value_name(&vals_http2_type, d->out->v[i].u, text, sizeof text));
    }
}

/* DNS. */

/* dns_message is what is counted of one message. */
struct dns_message {
    bool here, response, repeated, unsolicited, timed;
    uint64_t opcode, rcode, type, qclass, name_len, labels;
    uint64_t counts[4];
    uint32_t size;
    int64_t time; /* nanoseconds */
};

static const char *const counted[] = {"no. of questions", "no. of answers", "no. of authorities", "no. of additionals"};
static const char *const levels[] = {"4th Level or more", "1st Level", "2nd Level", "3rd Level"};

static void dns_start(struct stats_tree *t) {
    static const char *const pivots[] = {"Query/Response", "opcodes", "rcode", "Query Type", "Class"};
    uint32_t root = tree_get(t, 0, "Total Packets");
    for (size_t i = 0; i < sizeof pivots / sizeof *pivots; i++) tree_get(t, root, pivots[i]);
    tree_get(t, 0, "Payload size");
    uint32_t queries = tree_get(t, 0, "Query Stats"), labels;
    tree_get(t, queries, "Qname Len");
    labels = tree_get(t, queries, "Label Stats");
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) tree_get(t, labels, levels[i]);
    uint32_t answers = tree_get(t, 0, "Response Stats");
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) tree_get(t, answers, counted[i]);
    uint32_t service = tree_get(t, 0, "Service Stats");
    tree_get(t, service, "request-response time (msec)");
    tree_get(t, service, "no. of unsolicited responses");
    tree_get(t, service, "no. of retransmissions");
}

static void dns_counts(struct stats_tree *t, uint32_t answers, const struct dns_message *m) {
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        tree_value(t, answers, counted[i], TREE_WHOLE, (double)m->counts[i]);
}

static void dns_count(struct stats_tree *t, const struct dns_message *m) {
    char text[64];
    uint32_t root = tree_tick(t, 0, "Total Packets"), queries = tree_get(t, 0, "Query Stats");
    uint32_t answers = tree_get(t, 0, "Response Stats"), service = tree_get(t, 0, "Service Stats");
    tree_pivot(t, root, "Query/Response", m->response ? "Response" : "Query");
    tree_pivot(t, root, "opcodes", value_name(&vals_dns_flags_opcode, m->opcode, text, sizeof text));
    tree_pivot(t, root, "rcode", value_name(&vals_dns_rcode, m->rcode, text, sizeof text));
    tree_pivot(t, root, "Query Type", value_name(&vals_dns_type, m->type, text, sizeof text));
    tree_pivot(t, root, "Class", value_name(&vals_dns_class, m->qclass, text, sizeof text));
    tree_value(t, 0, "Payload size", TREE_WHOLE, m->size);
    if (!m->response) {
        tree_value(t, queries, "Qname Len", TREE_WHOLE, (double)m->name_len);
        tree_tick(t, tree_get(t, queries, "Label Stats"), levels[m->labels >= 1 && m->labels <= 3 ? m->labels : 0]);
    } else {
        dns_counts(t, answers, m);
        if (m->unsolicited) {
            tree_tick(t, service, "no. of unsolicited responses");
        } else { /* tshark counts these a second time */
            dns_counts(t, answers, m);
            if (m->repeated) tree_tick(t, service, "no. of retransmissions"); /* questions sent again do not count */
            else if (m->timed)
                tree_value(t, service, "request-response time (msec)", TREE_PARTS, (double)m->time / 1e6);
        }
    }
}

static void dns_packet(struct stats_tree *t, const struct decode *d) {
    struct dns_message m = {0};
    for (uint32_t i = 0, end = stats_outer(d); i <= end; i++) {
        const struct fval *f = i < end ? &d->out->v[i] : NULL;
        if (!f || f->id == FID_DNS || f->id == FID_MDNS) { /* tshark does not count what is mDNS */
            if (m.here) {
                tree_clock(t);
                dns_count(t, &m);
            }
            m = (struct dns_message){.here = f && f->id == FID_DNS, .size = f ? f->len : 0};
            continue;
        }
        switch (f->id) {
        case FID_DNS_FLAGS_RESPONSE: m.response = f->u; break;
        case FID_DNS_FLAGS_OPCODE: m.opcode = f->u; break;
        case FID_DNS_FLAGS_RCODE: m.rcode = f->u; break;
        case FID_DNS_QRY_TYPE: m.type = f->u; break;
        case FID_DNS_QRY_CLASS: m.qclass = f->u; break;
        case FID_DNS_QRY_NAME_LEN: m.name_len = f->u; break;
        case FID_DNS_COUNT_LABELS: m.labels = f->u; break;
        case FID_DNS_COUNT_ZONES: /* sections of an update stand in the places of the others (RFC 2136 2.2) */
        case FID_DNS_COUNT_QUERIES: m.counts[0] = f->u; break;
        case FID_DNS_COUNT_PREREQUISITES:
        case FID_DNS_COUNT_ANSWERS: m.counts[1] = f->u; break;
        case FID_DNS_COUNT_UPDATES:
        case FID_DNS_COUNT_AUTH_RR: m.counts[2] = f->u; break;
        case FID_DNS_COUNT_ADD_RR: m.counts[3] = f->u; break;
        case FID_DNS_UNSOLICITED: m.unsolicited = true; break;
        case FID_DNS_RETRANSMISSION: m.repeated = true; break;
        case FID_DNS_TIME:
            m.timed = true;
            m.time = f->i;
            break;
        default: break;
        }
    }
}

#define HTTP_FIELDS                                                                                                    \
    {                                                                                                                  \
        FID_HTTP, FID_SSDP, FID_HTTP_REQUEST_METHOD, FID_HTTP_REQUEST_URI, FID_HTTP_HOST, FID_HTTP_RESPONSE_CODE,      \
            FID_HTTP_PROXY_CONNECT_HOST                                                                                \
    }
#define IP_FIELDS                                                                                                      \
    { FID_IP_SRC, FID_TCP_DSTPORT, FID_UDP_DSTPORT, FID_ICMP }
#define IPV6_FIELDS                                                                                                    \
    {                                                                                                                  \
        FID_IPV6_SRC, FID_TCP_DSTPORT, FID_UDP_DSTPORT, FID_ICMPV6, FID_IPV6_FRAGHDR, FID_IPV6_FRAGMENTS,              \
            FID_IPV6_FRAGHDR_OFFSET, FID_IPV6_FRAGHDR_MORE                                                             \
    }

const struct tree_kind tree_kinds[] = {
    {"plen,tree", "Packet Lengths", {FID_FRAME_LEN}, lengths_start, lengths_packet},
    {"ptype,tree", "IPv4 Statistics/IP Protocol Types", IP_FIELDS, types_start, types_packet},
    {"ip_hosts,tree", "IPv4 Statistics/All Addresses", IP_FIELDS, hosts_start, hosts_packet},
    {"ip_srcdst,tree", "IPv4 Statistics/Source and Destination Addresses", IP_FIELDS, ends4_start, ends4_packet},
    {"dests,tree", "IPv4 Statistics/Destinations and Ports", IP_FIELDS, ports_start, ports_packet},
    {"ipv6_ptype,tree", "IPv6 Statistics/IP Protocol Types", IPV6_FIELDS, types_start, types_packet},
    {"ipv6_hosts,tree", "IPv6 Statistics/All Addresses", IPV6_FIELDS, hosts_start, hosts_packet},
    {"ipv6_srcdst,tree", "IPv6 Statistics/Source and Destination Addresses", IPV6_FIELDS, ends6_start, ends6_packet},
    {"ipv6_dests,tree", "IPv6 Statistics/Destinations and Ports", IPV6_FIELDS, ports_start, ports_packet},
    {"http,tree", "HTTP/Packet Counter", HTTP_FIELDS, http_start, http_packet},
    {"http_req,tree", "HTTP/Requests", HTTP_FIELDS, requests_start, requests_packet},
    {"http_srv,tree", "HTTP/Load Distribution", HTTP_FIELDS, servers_start, servers_packet},
    {"http_seq,tree",
     "HTTP/Request Sequences",
     {FID_HTTP, FID_SSDP, FID_HTTP_REQUEST_METHOD, FID_HTTP_REQUEST_FULL_URI, FID_HTTP_REFERER, FID_HTTP_LOCATION,
      FID_HTTP_RESPONSE_FOR_URI, FID_HTTP_PROXY_CONNECT_HOST, FID_UDP_STREAM},
     http_seq_start,
     http_seq_packet},
    {"http,stat", "HTTP Statistics", HTTP_FIELDS, http_stat_start, http_stat_packet},
    {"http2,tree", "HTTP2", {FID_HTTP2_TYPE}, http2_start, http2_packet},
    {"dns,tree",
     "DNS",
     {FID_DNS, FID_MDNS, FID_DNS_FLAGS_RESPONSE, FID_DNS_FLAGS_OPCODE, FID_DNS_FLAGS_RCODE, FID_DNS_QRY_TYPE,
      FID_DNS_QRY_CLASS, FID_DNS_QRY_NAME_LEN, FID_DNS_COUNT_LABELS, FID_DNS_COUNT_QUERIES, FID_DNS_COUNT_ANSWERS,
      FID_DNS_COUNT_AUTH_RR, FID_DNS_COUNT_ADD_RR, FID_DNS_COUNT_ZONES, FID_DNS_COUNT_PREREQUISITES,
      FID_DNS_COUNT_UPDATES, FID_DNS_UNSOLICITED, FID_DNS_RETRANSMISSION, FID_DNS_TIME},
     dns_start,
     dns_packet},
    {NULL, NULL, {0}, NULL, NULL},
};
