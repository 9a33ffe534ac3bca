/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/web/web_colour.h"

/* The first rule that fits counts. Protocols we do not decode are told by the number IP has for them: 2 IGMP, 88 EIGRP,
 * 89 OSPF, 103 PIM, 112 VRRP and CARP. */
static const struct {
    const char *name, *filter;
} rules[] = {
    {"bad",
     "tcp.analysis.flags && !tcp.analysis.window_update && !tcp.analysis.keep_alive && !tcp.analysis.keep_alive_ack"},
    {"icmperr", "icmp.type in {3..5, 11} || icmpv6.type in {1..4}"},
    {"arp", "arp"},
    {"icmp", "icmp || icmpv6"},
    {"rst", "tcp.flags.reset == 1"},
    {"ttl", "(ip.ttl < 5 && ip.dst != 224.0.0.0/4 && ip.proto != 103 && ip.proto != 89) || " /* the cheap one first */
            "(ip.dst == 224.0.0.0/24 && ip.dst != 224.0.0.251 && ip.ttl != 1 && ip.proto != 112)"},
    {"checksum", "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0"},
    {"http", "http || tcp.port == 80 || http2"},
    {"routing", "ip.proto in {2, 88, 89, 112} || tcp.port == 179"},
    {"synfin", "tcp.flags & 2 || tcp.flags.fin == 1"},
    {"tcp", "tcp"},
    {"udp", "udp"},
    {"broadcast", "eth[0] & 1"},
};
enum { RULES = sizeof rules / sizeof *rules };
_Static_assert((int)RULES <= (int)WEB_COLOURS, "there is room for the rules");

bool web_colours_make(struct web_colours *c, const struct field_index *names) {
    struct expr_error why;
    *c = (struct web_colours){0};
    for (int i = 0; i < RULES; i++) {
        if (expr_compile(&c->rule[i], slice_str(rules[i].filter), names, &why)) return web_colours_free(c), false;
        want_union(&c->want, expr_want(c->rule[i]));
    }
    return true;
}

void web_colours_free(struct web_colours *c) {
    for (int i = 0; i < RULES; i++) expr_free(c->rule[i]);
    *c = (struct web_colours){0};
}

uint8_t web_colour_of(const struct web_colours *c, const struct fvec *v) {
    for (uint8_t i = 0; i < RULES; i++)
        if (c->rule[i] && expr_match(c->rule[i], v)) return i + 1;
    return 0;
}

const char *web_colour_name(uint8_t number) { return number && number <= RULES ? rules[number - 1].name : ""; }
