/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/eve.h"
#include "base/isotime.h"
#include "base/moment.h"

#include "field/print.h"

#include <openssl/sha.h>

enum { IP_TCP = 6, IP_UDP = 17 };

void eve_time(struct writer *w, __int128 ns) {
    iso_time(w, ns, 6);
    wr_s(w, "+0000");
}

static void address(struct writer *w, const char *name, const struct net_addr *a) {
    wr_f(w, ",\"%s\":\"", name);
    if (a->len == 4) print_ipv4(w, load_be32(a->bytes));
    else if (a->len == 16) print_ipv6(w, a->bytes);
    else wr_s(w, "unix");
    wr_c(w, '"');
}

/* community_id writes the flow's Community ID, version 1 with seed 0: the ends in ascending order. */
static void community_id(struct writer *w, const struct flow_ends *e) {
    uint8_t in[2 + 2 * 16 + 2 + 4], digest[SHA_DIGEST_LENGTH];
    size_t n = e->src->len, at = 2;
    if (!n || n != e->dst->len || (e->proto != IP_TCP && e->proto != IP_UDP)) return;
    int order = memcmp(e->src->bytes, e->dst->bytes, n);
    bool forward = order < 0 || (order == 0 && e->sport < e->dport);
    uint16_t port[2] = {forward ? e->sport : e->dport, forward ? e->dport : e->sport};
    in[0] = in[1] = 0;
    memcpy(in + at, (forward ? e->src : e->dst)->bytes, n);
    memcpy(in + at + n, (forward ? e->dst : e->src)->bytes, n);
    at += 2 * n;
    in[at++] = e->proto;
    in[at++] = 0;
    for (int i = 0; i < 2; i++) {
        in[at++] = (uint8_t)(port[i] >> 8);
        in[at++] = (uint8_t)port[i];
    }
    SHA1(in, at, digest);
    wr_s(w, ",\"community_id\":\"1:");
    base64_write(w, slice_of(digest, sizeof digest));
    wr_c(w, '"');
}

void eve_begin(struct writer *w, const struct eve_head *h) {
    const struct flow_ends *e = h->ends;
    wr_s(w, "{\"timestamp\":\"");
    eve_time(w, moment_of(h->ts, h->era));
    wr_c(w, '"');
    if (e) json_member_u(w, "flow_id", h->flow_id);
    json_member(w, "event_type", slice_str(h->type));
    if (h->frame) json_member_u(w, "pcap_cnt", h->frame);
    if (e) {
        address(w, "src_ip", e->src);
        json_member_u(w, "src_port", e->sport);
        address(w, "dest_ip", e->dst);
        json_member_u(w, "dest_port", e->dport);
        json_member(w, "proto", slice_str(e->proto == IP_TCP ? "TCP" : e->proto == IP_UDP ? "UDP" : "IP"));
    }
    if (h->app) json_member(w, "app_proto", slice_str(h->app));
    if (e) community_id(w, e);
}
