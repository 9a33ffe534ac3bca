/* SPDX-License-Identifier: Apache-2.0 */
/* Answers and the requests they belong to: ICMP echo, DNS. */
#include "flow/layer.h"

enum { KIND_DNS = 1000, DNS_AGAIN_WITHIN = 5 }; /* seconds */

/* request_id is what a request and its answer share. Compared as bytes, so it has no holes. */
struct request_id {
    uint8_t from[16], to[16]; /* of the request */
    uint32_t kind, a, b, stream;
};

static struct request_id id_make(const struct decode *d, uint32_t kind, uint32_t a, uint32_t b, bool request) {
    struct request_id id = {.kind = kind, .a = a, .b = b};
    memcpy(id.from, request ? d->src.bytes : d->dst.bytes, 16);
    memcpy(id.to, request ? d->dst.bytes : d->src.bytes, 16);
    return id;
}

bool driver_echo_match(struct decode *d, uint8_t kind, uint16_t ident, uint16_t seq, bool request, uint64_t *frame,
                       int64_t *ns) {
    struct driver *dr = d->driver;
    struct request_id id = id_make(d, kind, ident, seq, request);
    if (request) {
        match_add(&dr->matches, &id, sizeof id, d->pkt->number, d->pkt->ts);
        return true;
    }
    struct match_slot *s = match_find(&dr->matches, &id, sizeof id);
    if (!s || s->answer) return false; /* one answer each */
    s->answer = d->pkt->number;
    *frame = s->frame;
    *ns = d->pkt->ts - s->ts;
    return true;
}

enum dns_turn driver_dns_match(struct decode *d, uint16_t id, bool response, uint64_t *frame, int64_t *ns) {
    struct driver *dr = d->driver;
    /* The conversation stands for addresses and ports: it is the same in both directions. */
    struct request_id key = {.kind = KIND_DNS, .a = id};
    if (dr->flow) {
        key.b = flow_key_proto(&dr->flow->key);
        key.stream = dr->flow->stream;
    }
    memcpy(key.from, &d->exchange, sizeof d->exchange); /* RFC 8484 4.1: over HTTP/2 all may have one identifier */
    struct match_slot *s = match_find(&dr->matches, &key, sizeof key);
    if (!response) {
        bool again = s && !s->answer && d->pkt->ts - s->ts < (int64_t)DNS_AGAIN_WITHIN * 1000000000;
        if (again) {
            *frame = s->frame;
            return DNS_TURN_AGAIN;
        }
        match_add(&dr->matches, &key, sizeof key, d->pkt->number, d->pkt->ts);
        return DNS_TURN_FIRST;
    }
    if (!s) return DNS_TURN_UNASKED;
    if (s->answer) {
        *frame = s->answer;
        return DNS_TURN_AGAIN;
    }
    s->answer = d->pkt->number;
    *frame = s->frame;
    *ns = d->pkt->ts - s->ts;
    return DNS_TURN_ANSWER;
}
