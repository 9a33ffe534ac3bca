/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/layer.h"

#include "base/err.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum { IP_TCP = 6, IP_UDP = 17, FORCED = 0x8000 };
enum {
    PROTOCOLS = 0
#define PROTO(name) +1
#include "proto/protos.def"
#undef PROTO
};
_Static_assert((int)PROTOCOLS < (int)PROTOS_MAX && (int)PROTOS_MAX < (int)FORCED, "a place leaves the bit free");

static struct driver *driver_of(const struct decode *d) { return d->driver; }

/* place_of returns the place in weir_protos + 1 of a number's protocol, or 0. */
static uint16_t place_of(const struct driver *dr, enum proto_table table, uint32_t key) {
    return key < 65536 && dr->table[table] ? dr->table[table][key] & (uint16_t)~FORCED : 0;
}

const struct proto *driver_lookup(const struct driver *dr, enum proto_table table, uint32_t key) {
    uint16_t place = place_of(dr, table, key);
    return place ? weir_protos[place - 1] : NULL;
}

bool driver_forced(const struct driver *dr, enum proto_table table, uint32_t key) {
    return key < 65536 && dr->table[table] && (dr->table[table][key] & FORCED);
}

static int table_set(struct driver *dr, enum proto_table table, uint32_t key, size_t place, uint16_t forced) {
    if (!dr->table[table]) dr->table[table] = calloc(65536, sizeof *dr->table[table]);
    if (!dr->table[table]) return ERR_NOMEM;
    if (key < 65536) dr->table[table][key] = (uint16_t)((place + 1) | forced);
    return OK;
}

int driver_decode_as(struct driver *dr, enum proto_table table, uint32_t key, const struct proto *p) {
    for (size_t i = 0; weir_protos[i]; i++)
        if (weir_protos[i] == p) return table_set(dr, table, key, i, FORCED);
    return ERR_NOTFOUND;
}

static bool is_app(const struct proto *p) {
    for (const struct proto_key *k = p->keys; k && k->table != TABLE_COUNT; k++)
        if (k->table == TABLE_TCP || k->table == TABLE_UDP) return true;
    return p->stream != NULL || p->recognises != NULL || p->inner || p == &proto_data;
}

/* may_be_above tells whether a protocol may stand above the transport: one without a number is called by others, which
 * may. */
static bool may_be_above(const struct proto *p) { return is_app(p) || !p->keys; }

static bool carries_udp(const struct proto *p) { return strcmp(p->name, "udp") == 0; }

/* useful_find works out which protocols can give a wanted field: their own, or one of a protocol above them. */
static void useful_find(struct driver *dr) {
    bool transport = false;
    /* These depend on every layer of the packet. */
    dr->needs_app = want_has(&dr->want, FID_FRAME_PROTOCOLS) || want_has(&dr->want, FID_WS_MALFORMED) ||
                    want_has(&dr->want, FID_WS_SHORT) || want_has(&dr->want, FID_WS_UNREASSEMBLED);
    for (size_t i = 0; weir_protos[i]; i++) {
        const struct proto *p = weir_protos[i];
        if (may_be_above(p) && !p->carrier && want_any(&dr->want, p->id, p->end)) dr->needs_app = true;
        if (p->id == FID_TCP || carries_udp(p)) transport |= want_any(&dr->want, p->id, p->end);
    }
    dr->needs_app |= want_any(&dr->want, FID_TCP_PAYLOAD + 1, FID_TCP_END);
    dr->needs_flow = dr->needs_app || transport;
    for (size_t i = 0; weir_protos[i]; i++) {
        const struct proto *p = weir_protos[i];
        if (p->carrier || carries_udp(p)) dr->useful[i] = true; /* any packet may travel inside */
        else if (is_app(p)) dr->useful[i] = dr->needs_app;
        else dr->useful[i] = p->id != FID_TCP || dr->needs_flow;
    }
}

/* askers_find notes who knows datagrams or streams by their bytes. */
static void askers_find(struct driver *dr) {
    for (size_t i = 0; weir_protos[i]; i++) {
        const struct proto *p = weir_protos[i];
        if (p->recognises) dr->recogniser[dr->recognisers++] = p;
        if (p->stream && p->stream->probe) dr->prober[dr->probers++] = p;
    }
}

static void op_md5(uint8_t digest[16], struct slice text) {
    if (!EVP_Digest(text.p, text.n, digest, NULL, EVP_md5(), NULL)) memset(digest, 0, 16);
}

static void op_sha256(uint8_t digest[32], struct slice text) {
    if (!EVP_Digest(text.p, text.n, digest, NULL, EVP_sha256(), NULL)) memset(digest, 0, 32);
}

static const struct decode_ops ops;

int driver_make(struct driver *dr, const struct want *want) {
    memset(dr, 0, sizeof *dr);
    dr->want = *want;
    dr->arena = arena_make(PACKET_ARENA);
    fvec_make(&dr->fields, &dr->want);
    useful_find(dr);
    dr->kept.cap = KEPT_MAX;
    dr->d = (struct decode){.out = &dr->fields, .arena = &dr->arena, .kept = &dr->kept, .ops = &ops, .driver = dr};
    dr->d.quic_connections = &dr->quic_connections;
    dr->d.tcp_fields = want_any(want, FID_TCP_STREAM + 1, FID_TCP_PAYLOAD);
    dr->d.tcp_heard = want_has(want, FID_TCP_SAID);
    dr->d.mqtt_heard = want_has(want, FID_MQTT_SAID);
    dr->needs_unacked = want_any(want, FID_TCP_ANALYSIS, FID_TCP_AN_FLAGS) || /* round trips and what is under way */
                        want_any(want, FID_TCP_AN_RTO, FID_TCP_AN_DUP_ACK_NUM);
    dr->d.tcp_analysis = dr->d.tcp_heard || want_any(want, FID_TCP_ANALYSIS, FID_TCP_CONN_SYN);
    for (size_t i = 0; weir_protos[i]; i++)
        for (const struct proto_key *k = weir_protos[i]->keys; k && k->table != TABLE_COUNT; k++)
            if (table_set(dr, (enum proto_table)k->table, k->key, i, 0)) return ERR_NOMEM;
    askers_find(dr);
    int rc = flow_table_make(&dr->flows);
    dr->flows.streams_unused = !dr->needs_app;
    return rc;
}

static void retired_free(struct driver *dr) {
    while (dr->retired_count) free(dr->retired[--dr->retired_count]);
}

void driver_free(struct driver *dr) {
    retired_free(dr);
    free(dr->retired);
    for (size_t i = 0; i < TABLE_COUNT; i++) free(dr->table[i]);
    flow_table_free(&dr->flows);
    frag_table_free(&dr->frags);
    match_table_free(&dr->matches);
    announced_table_free(&dr->announced);
    match_table_free(&dr->names);
    fvec_free(&dr->fields);
    arena_free(&dr->arena);
}

bool driver_retire(struct driver *dr, void *buffer) {
    if (dr->retired_count == dr->retired_cap) {
        size_t cap = dr->retired_cap ? dr->retired_cap * 2 : 8;
        uint8_t **more = realloc(dr->retired, cap * sizeof *more);
        if (!more) {
            fvec_start(&dr->fields, dr->d.pkt->data); /* nothing may point into it */
            free(buffer);
            return false;
        }
        dr->retired = more;
        dr->retired_cap = cap;
    }
    dr->retired[dr->retired_count++] = buffer;
    return true;
}

bool driver_message_retire(struct driver *dr, struct stream *s) {
    uint8_t *buffer = stream_release(s, &dr->flows.limits);
    return !buffer || driver_retire(dr, buffer);
}

static void op_call(struct decode *d, const struct proto *p, struct slice in) {
    if (d->nesting >= NESTING_MAX || !p->read) return;
    d->nesting++;
    p->read(d, in);
    d->nesting--;
}

/* left_out says that the capture left out all bytes of the layer that comes next, of protocol p; NULL: not known. */
static void left_out(struct decode *d, const struct proto *p, struct slice in) {
    struct reader r = d_reader(d, in);
    if (p && p->shown_empty) d_begin(d, p, rd_off(&r), 0);
    d_bad(d, &r);
    if (p && p->shown_empty) d_end(d);
}

static bool op_next(struct decode *d, enum proto_table table, uint32_t key, struct slice in) {
    struct driver *dr = driver_of(d);
    uint16_t place = place_of(dr, table, key);
    if (!place && table == TABLE_ETHERTYPE) d->unknown_type = (int32_t)key;
    if (!place) return false;
    const struct proto *p = weir_protos[place - 1];
    if (!dr->useful[place - 1]) return true; /* known, and nobody asked */
    if (in.n) op_call(d, p, in);
    else if (d->cut) left_out(d, p, in);
    return true;
}

static const struct proto *op_lookup(struct decode *d, enum proto_table table, uint32_t key) {
    return driver_lookup(driver_of(d), table, key);
}

static void fragments_add(struct decode *d, const struct fragment *f, const struct frag_datagram *g, uint8_t source) {
    struct fvec *v = d->out;
    uint8_t src = v->src;
    struct slice whole = v->source[source].bytes;
    v->src = source;
    uint32_t at = fv_open(v, f->ids.tree, 0, g->end);
    if (at != FV_UNWANTED) fv_at(v, at)->s = whole;
    for (uint32_t i = 0; i < g->pieces; i++) fv_u(v, f->ids.piece, g->piece[i].off, g->piece[i].len, g->piece[i].frame);
    fv_u(v, f->ids.count, 0, 0, g->pieces);
    fv_u(v, f->ids.length, 0, 0, g->end);
    fv_s(v, f->ids.data, 0, g->end, whole);
    fv_close(v);
    v->src = src;
}

static bool op_fragment(struct decode *d, const struct fragment *f, struct slice *whole) {
    struct driver *dr = driver_of(d);
    if (!f->off && !f->more) {
        *whole = f->data;
        return true;
    }
    const struct frag_datagram *g = frag_add(&dr->frags, f, d->pkt->number);
    if (!g) return false;
    uint8_t *copy = malloc(g->end ? g->end : 1);
    if (!copy) return false;
    memcpy(copy, g->bytes, g->end);
    if (!driver_retire(dr, copy)) return false;
    uint8_t source =
        fvec_add_source(d->out, slice_of(copy, g->end), f->src.len == 16 ? "Reassembled IPv6" : "Reassembled IPv4");
    if (!source) return false;
    fragments_add(d, f, g, source);
    d->out->src = source;
    *whole = d->out->source[source].bytes;
    return true;
}

static struct tcp_conv *op_tcp_find(struct decode *d, const struct tcp_segment *s, int *side) {
    struct driver *dr = driver_of(d);
    int hint = s->flags & TH_SYN ? !(s->flags & TH_ACK) : -1;
    struct flow *f = flow_find(&dr->flows, &(struct flow_ends){IP_TCP, &d->src, &d->dst, s->sport, s->dport}, hint,
                               d->pkt->ts, side);
    if (!d->quoted) dr->flow = f;
    if (!f) return NULL;
    struct tcp_conv *c = &flow_tcp(f)->conv;
    if (!d->quoted && tcp_is_new(c, s, *side)) {
        flow_restart(&dr->flows, f, *side, d->pkt->ts);
        *side = 0;
        c = &flow_tcp(f)->conv;
    }
    d->times =
        (struct conv_times){.stream = f->stream, .relative = d->pkt->ts - f->first, .delta = d->pkt->ts - f->last};
    if (!d->quoted) f->last = d->pkt->ts;
    return c;
}

static void op_tcp_update(struct decode *d, struct tcp_conv *c, const struct tcp_segment *s, int side,
                          struct tcp_analysis *out) {
    struct driver *dr = driver_of(d);
    struct pool *unacked = dr->needs_unacked ? &dr->flows.unacked : NULL;
    tcp_conv_update(c, s, side, d->pkt->number, d->pkt->ts, d->tcp_analysis, unacked, out);
}

static bool op_udp_find(struct decode *d, uint16_t sport, uint16_t dport, struct conv_times *times) {
    struct driver *dr = driver_of(d);
    int side;
    if (!dr->needs_flow) return false;
    struct flow *f =
        flow_find(&dr->flows, &(struct flow_ends){IP_UDP, &d->src, &d->dst, sport, dport}, -1, d->pkt->ts, &side);
    dr->flow = f;
    if (!f) return false;
    d->from = (uint8_t)side;
    *times = (struct conv_times){.stream = f->stream, .relative = d->pkt->ts - f->first, .delta = d->pkt->ts - f->last};
    if (!d->quoted) f->last = d->pkt->ts;
    return true;
}

/* datagram_recognise returns the first protocol that says a datagram is its own, of those that are `certain` alone or
 * of all; NULL: none does. */
static const struct proto *datagram_recognise(const struct driver *dr, bool certain, struct slice in) {
    for (size_t i = 0; i < dr->recognisers; i++) {
        const struct proto *p = dr->recogniser[i];
        if ((!certain || p->certain) && p->recognises(in, KNOWN_NOT)) return p;
    }
    return NULL;
}

/* datagram_claim is datagram_recognise, after which the conversation speaks what was recognised. */
static const struct proto *datagram_claim(struct driver *dr, bool certain, struct slice in) {
    const struct proto *p = datagram_recognise(dr, certain, in);
    if (p && dr->flow) flow_app_start(&dr->flows, dr->flow, p);
    return p;
}

/* agreed_on returns what was announced at either end of a datagram, or its conversation agreed to speak; NULL: nothing.
 */
static const struct proto *agreed_on(struct driver *dr, uint16_t sport, uint16_t dport) {
    const struct announced_table *t = &dr->announced;
    if (dr->flow && dr->flow->beside) return dr->flow->beside;
    if (!t->datagrams) return NULL;
    const struct announced *a = announced_find(t, &dr->d.src, sport, true);
    if (!a) a = announced_find(t, &dr->d.dst, dport, true);
    return a ? a->proto : NULL;
}

/* port_reader returns who is registered for the ports of a datagram, but where another is certain that it is its own,
 * or recognises it and that one does not; NULL: nobody is. */
static const struct proto *port_reader(struct driver *dr, uint16_t sport, uint16_t dport, struct slice in) {
    uint16_t low = sport < dport ? sport : dport, high = sport < dport ? dport : sport;
    const struct proto *p = driver_lookup(dr, TABLE_UDP, low);
    if (!p) p = driver_lookup(dr, TABLE_UDP, low = high);
    if (!p || !dr->needs_app || driver_forced(dr, TABLE_UDP, low)) return p;
    const struct proto *other = datagram_claim(dr, true, in);
    if (!other && p->recognises && !p->recognises(in, KNOWN_SPOKEN)) other = datagram_recognise(dr, false, in);
    return other ? other : p;
}

/* datagram_reader returns who reads a datagram: who recognised one of its conversation, here or under other addresses,
 * what that agreed upon, who is certain of it, who is registered for its ports, what was `agreed` there, who recognises
 * it. What is announced anybody can say, also of the port of a server of names. */
static const struct proto *datagram_reader(struct driver *dr, const struct proto *agreed, uint16_t sport,
                                           uint16_t dport, struct slice in) {
    const struct proto *app = dr->flow ? dr->flow->app : NULL;
    if (!app && dr->name_lengths) app = driver_moved(dr, in);
    if (app && app->recognises && app->recognises(in, KNOWN_SPOKEN)) return app;
    if (agreed && !agreed->recognises(in, KNOWN_SAID)) agreed = NULL;
    if (agreed && dr->flow && dr->flow->beside) return agreed;
    const struct proto *p = port_reader(dr, sport, dport, in);
    if (!p) p = agreed;
    return p ? p : dr->needs_app ? datagram_claim(dr, false, in) : NULL;
}

static void op_udp_data(struct decode *d, uint16_t sport, uint16_t dport, struct slice in) {
    struct driver *dr = driver_of(d);
    if (!in.n && d->cut) left_out(d, NULL, in);
    if (!in.n) return;
    d->sport = sport;
    const struct proto *agreed = agreed_on(dr, sport, dport), *p = datagram_reader(dr, agreed, sport, dport, in);
    d->secured = agreed && p == agreed && dr->flow && dr->flow->beside;
    if (p && p->renumbers && dr->flow && !d->quoted && p->renumbers(in)) flow_number_again(dr->flow);
    if (!dr->needs_app && !(p && p->carrier)) return;
    if (agreed && agreed != p && agreed->names_others && agreed->names_others(in)) {
        fv_open(d->out, agreed->id, d_off(d, in.p), (uint32_t)in.n);
        fv_close(d->out);
    }
    if (p) op_call(d, p, in);
    else d_data(d, in);
}

void driver_become(struct decode *d, const struct proto *p, uint16_t port) {
    struct driver *dr = d->driver;
    dr->become.asked = true;
    dr->become.proto = p;
    dr->become.port = port;
}

void driver_tunnel(struct decode *d, const struct proto *p, struct slice host, uint16_t port) {
    struct driver *dr = d->driver;
    driver_become(d, NULL, port);
    if (dr->flow && flow_is_tcp(dr->flow)) flow_tunnel_set(flow_tcp(dr->flow), p, host, port);
}

static void op_beside(struct decode *d, const struct proto *p) {
    struct flow *f = driver_of(d)->flow;
    if (f && !d->quoted) f->beside = p;
}

static void *op_udp_state(struct decode *d, const struct proto *p) {
    struct flow *f = driver_of(d)->flow;
    if (!f) return NULL;
    if (f->app != p) flow_app_start(&driver_of(d)->flows, f, p);
    return f->app == p ? f->app_state : NULL;
}

static void op_announce(struct decode *d, const struct proto *p, const struct net_addr *addr, uint16_t port,
                        struct slice about) {
    announce(&driver_of(d)->announced, p, addr, port, about);
}

static const struct decode_ops ops = {
    .next = op_next,
    .lookup = op_lookup,
    .call = op_call,
    .fragment = op_fragment,
    .tcp_find = op_tcp_find,
    .tcp_update = op_tcp_update,
    .tcp_data = driver_tcp_data,
    .become = driver_become,
    .tunnel = driver_tunnel,
    .announce = op_announce,
    .beside = op_beside,
    .stream_feed = driver_stream_feed,
    .carry = driver_carry,
    .udp_find = op_udp_find,
    .echo_match = driver_echo_match,
    .dns_match = driver_dns_match,
    .udp_state = op_udp_state,
    .known_as = driver_known_as,
    .udp_data = op_udp_data,
    .md5 = op_md5,
    .sha256 = op_sha256,
};

const struct proto *driver_probe(const struct driver *dr, struct slice in) {
    for (size_t i = 0; i < dr->probers; i++)
        if (dr->prober[i]->stream->probe(in) == PROBE_CERTAIN) return dr->prober[i];
    return NULL;
}

void driver_begin(struct driver *dr, const struct packet *p) {
    struct decode *d = &dr->d;
    retired_free(dr);
    stream_packet_done(&dr->flows.limits);
    arena_reset(&dr->arena);
    fvec_start(&dr->fields, p->data);
    d->pkt = p;
    d->link_src.len = d->link_dst.len = d->src.len = d->dst.len = d->quote_src.len = 0;
    d->quoted = d->nesting = d->layers = 0;
    d->steps = NULL;
    d->service = 0;
    d->begun = 0;
    d->tcp.there = false;
    d->mqtt = NULL;
    d->http = NULL;
    d->carried = 0;
    d->cut = p->len > p->data.n;
    d->fragment = false;
    d->unknown_type = -1;
    d->wire_len = 0;
    d->ip_id = 0;
    d->payload_end = NULL;
}

bool driver_ahead_pays(const struct driver *dr) {
    enum { MANY = 256 }; /* fewer conversations stay near the processor without being asked for */
    return dr->needs_flow && dr->flows.count > MANY;
}

void driver_ahead(struct driver *dr, uint32_t link, struct slice frame) { flow_ahead(&dr->flows, link, frame); }

void driver_layers(struct driver *dr) {
    struct decode *d = &dr->d;
    if (!d->pkt->data.n) {
        left_out(d, NULL, d->pkt->data);
        return;
    }
    if (!op_next(d, TABLE_LINK, d->pkt->iface->linktype, d->pkt->data)) d_data(d, d->pkt->data);
    if (d->out->bad || d->cut || d->out->anomalies) fvec_clamp(d->out);
}
