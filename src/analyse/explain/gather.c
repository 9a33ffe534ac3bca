/* SPDX-License-Identifier: Apache-2.0 */
/* Packets into records: the capture as a whole and TCP. What the protocols above say is in gather_app.c and
 * gather_mqtt.c.
 *
 * Invariants: conv[i] is room[i] where that holds a conversation, whose number is then i modulo CONVS_MAX, else NULL;
 * side CLIENT of a record is who opened the connection or, where that was not seen, who looks like it. Times are the
 * packets'. */
#include "analyse/explain/gather.h"
#include "analyse/explain/judge.h"
#include "base/err.h"
#include "base/lines.h"
#include "base/pages.h"
#include "base/rare.h"
#include "proto/mqtt/mqtt.h"
#include "proto/tls/tls.h"

#include <stdlib.h>

enum { TWICE_WITHIN_MS = 20, GAP_SECONDS = 15, BACK_MS = 5, AHEAD_SECONDS = 60 };

static const uint64_t PLACE = UINT16_MAX; /* the bits of a slot that are the place */
enum { SLOTS_A_WORD = 8 /* that share a word of marks */ };

int map_make(struct place_map *m, uint32_t entries) {
    uint32_t size = 2 * entries;
    m->mask = size - 1;
    m->slot = calloc(size + size / SLOTS_A_WORD, sizeof *m->slot);
    m->marks = m->slot ? m->slot + size : NULL;
    return m->slot && !(size & m->mask) ? OK : ERR_NOMEM;
}

static void map_free(struct place_map *m) { free(m->slot); }

/* marks_of returns the word of a hash, marks_in the two bits of it. */
static uint64_t *marks_of(const struct place_map *m, uint64_t hash) {
    return &m->marks[((uint32_t)hash & m->mask) / SLOTS_A_WORD];
}
static uint64_t marks_in(uint64_t hash) { return (uint64_t)1 << (hash >> 58) | (uint64_t)1 << (hash >> 52 & 63); }

/* slot_of returns the slot of a hash, or the free one where it would be. */
static uint64_t *slot_of(const struct place_map *m, uint64_t hash) {
    uint32_t i = (uint32_t)hash & m->mask;
    while (m->slot[i] && (m->slot[i] ^ hash) & ~PLACE) i = (i + 1) & m->mask;
    return &m->slot[i];
}

uint32_t map_find(const struct place_map *m, uint64_t hash) {
    uint64_t marks = marks_in(hash);
    if ((*marks_of(m, hash) & marks) != marks) return PLACE_NONE;
    uint64_t slot = *slot_of(m, hash);
    return slot ? (uint32_t)(slot & PLACE) - 1 : PLACE_NONE;
}

void map_set(struct place_map *m, uint64_t hash, uint32_t place) {
    *slot_of(m, hash) = (hash & ~PLACE) | (place + 1);
    *marks_of(m, hash) |= marks_in(hash);
}

struct slice keep(struct explain *e, struct slice s) {
    return arena_copy(&e->arena, slice_head(s, KEPT_TEXT));
}

uint64_t hash_behind(const struct explain *e, uint64_t head, struct slice text) {
    return hash_mix(head ^ e->key.b, hash_bytes(e->key, text.p, text.n) + 0x9e3779b97f4a7c15u) | 1;
}

uint64_t hash_text(const struct explain *e, const void *head, size_t n, struct slice text) {
    return hash_behind(e, hash_bytes(e->key, head, n), text);
}

/* room_make makes room for what packets touch most, each in cache lines of its own. */
static bool room_make(struct explain *e) {
    enum { LINE = 64 };
    size_t messages = MESSAGES_MAX * sizeof *e->message, topics = TOPICS_MAX * sizeof *e->topic,
           sessions = CONVS_MAX * sizeof *e->session,
           n = messages + topics + sessions + (CONVS_MAX + 1) * sizeof *e->room;
    e->memory = calloc(1, n + LINE - 1);
    if (!e->memory) return false;
    pages_wide(e->memory, n);
    uint8_t *line = (uint8_t *)(((uintptr_t)e->memory + LINE - 1) & ~(uintptr_t)(LINE - 1));
    e->message = (struct message *)line;
    e->topic = (struct topic_rec *)(line + messages);
    e->session = (struct mqtt_rec *)(line + messages + topics);
    e->room = (struct conv *)(line + messages + topics + sessions);
    e->room[0].stream = UINT32_MAX; /* nobody's; all other free places have 0, which is not a number of theirs */
    return true;
}

int explain_make(struct explain *e) {
    memset(e, 0, sizeof *e);
    e->key = hash_key_random();
    e->arena = arena_make(EXPLAIN_ARENA);
    e->name = calloc(NAMES_MAX, sizeof *e->name);
    e->host = calloc(HOSTS_MAX, sizeof *e->host);
    e->filter = calloc(FILTERS_MAX, sizeof *e->filter);
    e->broker = calloc(FILTERS_MAX, sizeof *e->broker);
    e->client = calloc(CLIENTS_MAX, sizeof *e->client);
    e->finding = calloc(FINDINGS_MAX, sizeof *e->finding);
    int rc = map_make(&e->by_name, NAMES_MAX) | map_make(&e->by_host, HOSTS_MAX) |
             map_make(&e->by_broker, FILTERS_MAX) | map_make(&e->by_topic, TOPICS_MAX) |
             map_make(&e->by_text, TOPICS_MAX) | map_make(&e->by_client, CLIENTS_MAX) |
             map_make(&e->by_will, WILLS_MAX) | map_make(&e->by_quic, QUIC_MAX);
    bool made = e->name && e->host && e->filter && e->broker && e->client && e->finding && rc == OK && room_make(e);
    return made ? OK : ERR_NOMEM;
}

_Static_assert(FLIGHTS * sizeof(struct flight) <= SLABS_MOST && sizeof(struct tls_rec) <= SLABS_MOST &&
                   sizeof(struct web_rec) <= SLABS_MOST,
               "slabs_free gives back what conversations own");

/* conv_release gives back what a conversation owns, and leaves its place as one that was never used: all zero. */
static void conv_release(struct explain *e, struct conv *c) {
    for (int side = 0; side < 2; side++) {
        slabs_put(&e->slabs, c->trouble[side], sizeof *c->trouble[side]);
        if (c->mqtt) flights_release(e, c->mqtt, side);
    }
    slabs_put(&e->slabs, c->tls, sizeof *c->tls);
    slabs_put(&e->slabs, c->web, sizeof *c->web);
    if (c->mqtt) memset(c->mqtt, 0, sizeof *c->mqtt);
    memset(c, 0, sizeof *c);
}

void explain_free(struct explain *e) {
    slabs_free(&e->slabs);
    free(e->memory);
    free(e->name);
    free(e->host);
    free(e->filter);
    free(e->broker);
    free(e->client);
    free(e->finding);
    map_free(&e->by_name);
    map_free(&e->by_host);
    map_free(&e->by_broker);
    map_free(&e->by_topic);
    map_free(&e->by_text);
    map_free(&e->by_client);
    map_free(&e->by_will);
    map_free(&e->by_quic);
    arena_free(&e->arena);
}

/* client_speaks guesses who opened a conversation that was on its way when the capture began. */
static bool client_speaks(const struct packet_events *p) {
    static const uint16_t service[] = {1883, 8883, 443, 80, 53, 8080, 8443, 9001, 5683, 22, 25};
    if ((p->tcp.flags & TH_SYN) != 0) return !(p->tcp.flags & TH_ACK);
    for (size_t i = 0; i < sizeof service / sizeof *service; i++) {
        if (p->dport == service[i]) return true;
        if (p->sport == service[i]) return false;
    }
    return p->dport < p->sport;
}

RARE static struct conv *conv_new(struct explain *e, const struct packet_events *p) {
    struct conv **slot = &e->conv[p->tcp.stream % CONVS_MAX];
    if (*slot && (*slot)->stream > p->tcp.stream) {
        e->left_out++;
        return NULL; /* its place was taken by a newer one */
    }
    if (*slot) {
        judge_conv(e, *slot, true);
        judge_ahead(e, p->tcp.stream);
        e->left_out++;
        conv_release(e, *slot);
    }
    struct conv *c = *slot = &e->room[p->tcp.stream % CONVS_MAX];
    bool client = client_speaks(p);
    struct endpoint from = {p->src, p->sport}, to = {p->dst, p->dport};
    c->stream = p->tcp.stream;
    c->end[CLIENT] = client ? from : to;
    c->end[SERVER] = client ? to : from;
    c->port[CLIENT] = c->end[CLIENT].port;
    c->port[SERVER] = c->end[SERVER].port;
    c->first = mark_of(p);
    c->from_start = p->tcp.flags & TH_SYN;
    c->name = (uint16_t)gather_use(e, &c->end[CLIENT].addr, &c->end[SERVER].addr);
    e->convs++;
    if (!c->from_start) e->midway++;
    return c;
}

/* packet_digest makes one number of what copies of a packet have in common: its numbers and its IP identification. */
static uint64_t packet_digest(const struct explain *e, const struct packet_events *p) {
    const struct tcp_said *t = &p->tcp;
    uint64_t numbers = (uint64_t)t->seq << 32 | t->ack, rest = (uint64_t)t->checksum << 32 | (uint64_t)p->ip_id << 16;
    return hash_mix(numbers ^ e->key.a, (rest | t->flags) ^ (uint64_t)t->len << 40 ^ e->key.b);
}

/* seen_twice tells whether the packet is a copy of the one its side sent before. */
static bool seen_twice(struct explain *e, struct conv *c, int side, const struct packet_events *p) {
    uint64_t was = c->last_id[side];
    c->last_id[side] = packet_digest(e, p);
    if (was != c->last_id[side] || !c->half[side].packets || p->ts - c->half[side].last.ts >= TWICE_WITHIN_MS * MILLI)
        return false;
    e->twice++;
    mark_first(&e->first_twice, p);
    return true;
}

const struct trouble *conv_trouble(const struct conv *c, int side) {
    static const struct trouble none;
    return c->trouble[side] ? c->trouble[side] : &none;
}

/* trouble_of returns a side's trouble to be written to. Without memory it goes to one place that nobody reads. */
RARE static struct trouble *trouble_of(struct explain *e, struct conv *c, int side) {
    struct trouble **t = &c->trouble[side];
    if (!*t) *t = slabs_get(&e->slabs, sizeof **t);
    return *t ? *t : &e->forgotten;
}

/* stuck_note follows the oldest segment of a side that was sent again and is not acknowledged. */
RARE static void stuck_note(struct conv *c, int side, struct trouble *t, const struct packet_events *p) {
    struct half *h = &c->half[side];
    uint32_t seq = p->tcp.seq;
    if (h->stuck_times && t->stuck_seq != seq && seq_lt(t->stuck_seq, seq)) return;
    if (t->stuck_seq != seq || !h->stuck_times) {
        h->stuck_times = 0;
        t->stuck_seq = seq;
        t->stuck_len = p->tcp.len;
        t->stuck = mark_of(p);
    }
    if (h->stuck_times < UINT16_MAX) h->stuck_times++;
    c->stuck[side] = true;
    t->stuck_last = mark_of(p);
}

static void data_note(struct explain *e, struct conv *c, int side, const struct packet_events *p) {
    struct half *me = &c->half[side];
    const struct tcp_said *t = &p->tcp;
    bool again = t->found & TA_RETRANSMISSION;
    if (!t->len || (t->found & (TA_KEEP_ALIVE | TA_ZERO_PROBE))) return;
    if (!me->segments++) me->first_data = mark_of(p);
    me->last_data = mark_of(p);
    e->segments++;
    if (again) {
        e->repeats++;
        struct trouble *trouble = trouble_of(e, c, side);
        me->repeats++;
        mark_first(&trouble->resent, p);
        if (!(t->found & TA_SPURIOUS)) stuck_note(c, side, trouble, p);
    } else {
        me->bytes += t->len;
    }
}

/* ack_note takes the acknowledgment of one side for what the other sent. */
static void ack_note(struct conv *c, int side, const struct packet_events *p) {
    struct half *me = &c->half[side];
    const struct tcp_said *t = &p->tcp;
    if (!(t->flags & TH_ACK) || (t->flags & TH_RST)) return;
    if (me->has_ack && seq_lt(me->acked, t->ack)) {
        uint32_t got = t->ack - me->acked;
        if (got > me->largest_ack && got < 65536) me->largest_ack = got;
    }
    me->acked = t->ack;
    me->has_ack = true;
    if (c->stuck[!side] && seq_lt(conv_trouble(c, !side)->stuck_seq, t->ack)) {
        c->stuck[!side] = false;
        c->half[!side].stuck_times = 0;
    }
}

static void window_note(struct explain *e, struct conv *c, int side, const struct packet_events *p) {
    struct half *me = &c->half[side];
    if (p->tcp.found & TA_ZERO_WINDOW) {
        if (!me->zero_open) trouble_of(e, c, side)->zero = mark_of(p);
        me->zero_open = true;
    } else if (me->zero_open && !(p->tcp.flags & TH_RST)) {
        me->zero_open = false;
        trouble_of(e, c, side)->zero_end = mark_of(p);
    }
}

static void handshake_note(struct conv *c, int side, const struct packet_events *p) {
    struct half *me = &c->half[side], *peer = &c->half[!side];
    uint16_t flags = p->tcp.flags;
    if (c->up && !(flags & (TH_SYN | TH_FIN | TH_RST))) return;
    if (flags & TH_SYN) {
        mark_first(&me->syn, p);
        if (me->syns < UINT8_MAX) me->syns++;
        if (side == SERVER && me->syns == 1 && mark_set(&peer->syn)) c->syn_rtt = p->ts - peer->syn.ts;
    } else if (!c->up && side == CLIENT && !(flags & TH_RST)) {
        c->up = true;
        if (mark_set(&peer->syn) && mark_set(&me->syn)) c->established = mark_of(p);
    }
    if ((flags & TH_FIN) && !me->has_fin) {
        me->has_fin = true;
        me->fin = mark_of(p);
    }
    if (flags & TH_RST) mark_first(&me->rst, p);
}

/* gap_note remembers the last long silence, as long as what follows is short: it may be what killed the connection. */
static void gap_note(struct conv *c, int side, const struct packet_events *p) {
    int64_t gap = mark_set(&c->last) ? p->ts - c->last.ts : 0;
    if (gap >= GAP_SECONDS * SECOND) {
        c->gap = mark_of(p);
        c->gap_before = c->last;
        c->silent = true;
        c->since_gap = 0;
        c->gap_side = (uint8_t)side;
        c->gap_answered = false;
    } else if (c->silent) {
        c->since_gap++;
        if (side != c->gap_side && !(p->tcp.flags & TH_RST)) c->gap_answered = true;
    }
}

static uint8_t payload_kind(const struct packet_events *p) {
    struct slice in = p->tcp.data;
    if (!p->tcp.len) return PAYLOAD_NONE;
    /* Who answers in TLS on a conversation taken for MQTT is read as MQTT: the bytes say it. */
    if (in.n >= 3 && in.p[0] >= TLS_CONTENT_CCS && in.p[0] <= TLS_CONTENT_DATA && in.p[1] == 3 && in.p[2] <= 4)
        return PAYLOAD_TLS;
    if (slice_starts(in, SLICE("HTTP/1."))) return PAYLOAD_HTTP;
    if (slice_starts(in, SLICE("PROXY ")) || slice_starts(in, SLICE("\r\n\r\n\0\r\nQUIT\n"))) return PAYLOAD_PROXY;
    if (!p->n) return PAYLOAD_OTHER;
    switch (p->event[0].kind) {
    case EV_TLS: return PAYLOAD_TLS;
    case EV_MQTT: return PAYLOAD_MQTT;
    case EV_HTTP: return PAYLOAD_HTTP;
    default: return PAYLOAD_OTHER;
    }
}

#define SWAP(a, b)                                                                                                     \
    do {                                                                                                               \
        __typeof__(a) kept = (a);                                                                                      \
        (a) = (b);                                                                                                     \
        (b) = kept;                                                                                                    \
    } while (0)

RARE static void conv_swap(struct conv *c) {
    SWAP(c->end[0], c->end[1]);
    SWAP(c->port[0], c->port[1]);
    SWAP(c->stuck[0], c->stuck[1]);
    SWAP(c->half[0], c->half[1]);
    SWAP(c->trouble[0], c->trouble[1]);
    SWAP(c->last_id[0], c->last_id[1]);
    SWAP(c->first_bytes[0], c->first_bytes[1]);
}

/* roles_fix turns a conversation around whose start was not seen, when MQTT tells who the client is. */
static int roles_fix(struct conv *c, int side, const struct packet_events *p) {
    if (c->from_start || c->mqtt) return side;
    for (uint32_t i = 0; i < p->n; i++) {
        if (p->event[i].kind != EV_MQTT) continue;
        uint8_t type = p->event[i].mqtt.type;
        bool client =
            type == MQTT_CONNECT || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE || type == MQTT_PINGREQ;
        bool server = type == MQTT_CONNACK || type == MQTT_SUBACK || type == MQTT_UNSUBACK || type == MQTT_PINGRESP;
        if ((client && side == SERVER) || (server && side == CLIENT)) {
            conv_swap(c);
            return !side;
        }
    }
    return side;
}

/* hole_note remembers what the receiver missed when the first segment behind a missing one came. */
RARE static void hole_note(struct explain *e, struct conv *c, int side, const struct packet_events *p) {
    const struct half *peer = &c->half[!side];
    if (!peer->has_ack || !p->tcp.len || seq_lt(p->tcp.seq, peer->acked)) return;
    struct trouble *t = trouble_of(e, c, side);
    if (mark_set(&t->hole)) return;
    t->hole = mark_of(p);
    t->hole_seq = peer->acked;
    t->hole_len = p->tcp.seq - peer->acked;
}

static struct slice line_of(struct slice s) {
    const uint8_t *end = s.n ? memchr(s.p, '\r', s.n) : NULL;
    return end ? slice_head(s, (size_t)(end - s.p)) : slice_head(s, 80);
}

/* greeting_note keeps the first line of a server's first bytes, where they are text that nobody decodes. */
RARE static void greeting_note(struct explain *e, struct conv *c, struct slice in) {
    enum { GREETING_LEAST = 4, GREETING_MOST = 80 };
    size_t n = 0;
    while (n < in.n && n < GREETING_MOST && in.p[n] >= 0x20 && in.p[n] < 0x7f) n++;
    bool ends = n == in.n || n == GREETING_MOST || in.p[n] == '\r' || in.p[n] == '\n';
    if (n >= GREETING_LEAST && ends) c->greeting = keep(e, slice_head(in, n));
}

/* stray_note keeps the status line of an answer in HTTP to a client that speaks something else, and where it leads. */
RARE static void stray_note(struct explain *e, struct conv *c, struct slice in) {
    static const char location[] = "\r\nLocation: ";
    char text[KEPT_TEXT];
    struct writer w = wr_fixed(text, sizeof text);
    wr_slice(&w, slice_head(line_of(in), 80));
    const uint8_t *to = memmem(in.p, in.n, location, sizeof location - 1);
    if (to) {
        wr_s(&w, ", ");
        wr_slice(&w, slice_head(line_of(slice_tail(in, (size_t)(to - in.p) + 2)), 120));
    }
    c->stray = keep(e, wr_done(&w));
}

static void segment_note(struct explain *e, struct conv *c, int side, const struct packet_events *p) {
    struct half *me = &c->half[side];
    gap_note(c, side, p);
    me->packets++;
    me->last = mark_of(p);
    handshake_note(c, side, p);
    data_note(e, c, side, p);
    ack_note(c, side, p);
    window_note(e, c, side, p);
    if (p->tcp.found & TA_ACK_LOST) c->unseen = true;
    if (p->tcp.found & TA_LOST) {
        c->lost++;
        hole_note(e, c, side, p);
    }
    if (!c->first_bytes[side] && !(p->tcp.found & TA_RETRANSMISSION)) {
        c->first_bytes[side] = payload_kind(p);
        if (side == CLIENT && c->first_bytes[CLIENT] == PAYLOAD_OTHER) gather_connect_begun(c, p->tcp.data);
        if (side == SERVER && c->first_bytes[SERVER] == PAYLOAD_OTHER) greeting_note(e, c, p->tcp.data);
        bool other = c->first_bytes[CLIENT] == PAYLOAD_MQTT || c->first_bytes[CLIENT] == PAYLOAD_TLS;
        if (side == SERVER && other && c->first_bytes[SERVER] == PAYLOAD_HTTP) stray_note(e, c, p->tcp.data);
    } else if (c->begins && side == CLIENT && !(p->tcp.found & (TA_RETRANSMISSION | TA_KEEP_ALIVE | TA_ZERO_PROBE))) {
        gather_connect_begun(c, p->tcp.data);
    }
}

static void events_take(struct explain *e, struct conv *c, int side, const struct packet_events *p) {
    for (uint32_t i = 0; i < p->n; i++) {
        const struct event *ev = &p->event[i];
        switch (ev->kind) {
        case EV_TLS: gather_tls(e, c, side, p, &ev->tls); break;
        case EV_HTTP: gather_http(e, c, side, p, &ev->http); break;
        case EV_WEBSOCKET: gather_websocket(e, c, side, p, &ev->websocket); break;
        case EV_MQTT: gather_mqtt(e, c, side, p, &ev->mqtt); break;
        }
    }
}

/* ahead_note finds a clock that went forward. Silence alone says nothing; but who sends data or SYN sends it again long
 * before AHEAD_SECONDS have passed (RFC 6298 2.4 lets no timer be longer), so where the very next packet of the capture
 * is the acknowledgment, that time cannot have passed. */
static void ahead_note(struct explain *e, const struct conv *c, int side, const struct packet_events *p) {
    const struct half *me = &c->half[side], *peer = &c->half[!side];
    int64_t step = p->ts - e->previous.ts;
    if (!mark_set(&e->previous) || step < AHEAD_SECONDS * SECOND || mark_set(&e->ahead) || !(p->tcp.flags & TH_ACK) ||
        (p->tcp.found & TA_LOST))
        return;
    bool data = peer->last_data.frame == e->previous.frame && me->has_ack && seq_lt(me->acked, p->tcp.ack);
    bool syn = (p->tcp.flags & TH_SYN) && peer->syn.frame == e->previous.frame;
    if (!data && !syn) return;
    e->before_ahead = e->previous;
    e->ahead = mark_of(p);
    e->ahead_ns = step;
}

/* side_of tells which side sent a packet: the ports do, unless they are the same. */
static int side_of(const struct conv *c, const struct packet_events *p) {
    if (c->port[CLIENT] != c->port[SERVER]) return p->sport == c->port[CLIENT] ? CLIENT : SERVER;
    struct endpoint from = {p->src, p->sport};
    return endpoint_same(&from, &c->end[CLIENT]) ? CLIENT : SERVER;
}

static void tcp_take(struct explain *e, const struct packet_events *p, bool selected) {
    struct conv *c = explain_conv(e, p->tcp.stream);
    e->tcp_packets++;
    if (p->checksum_partial && p->tcp.checksum) {
        e->partial++;
        mark_first(&e->partial_at, p);
    }
    if (!c) c = conv_new(e, p);
    if (!c) return;
    if (selected && !c->selected) {
        c->selected = true;
        e->chosen++;
    }
    c->cut |= p->cut;
    int side = side_of(c, p);
    if (seen_twice(e, c, side, p)) return;
    side = roles_fix(c, side, p);
    ahead_note(e, c, side, p);
    segment_note(e, c, side, p);
    events_take(e, c, side, p);
    if (c->part_begun || p->http) gather_http_part(e, c, side, p);
    c->last = mark_of(p);
    if (e->live && (p->tcp.flags & (TH_RST | TH_FIN))) judge_conv(e, c, false);
}

/* icmp_take ties an error to the conversation it quotes: a scan, since errors are rare; bounded by CONVS_MAX. */
RARE static void icmp_take(struct explain *e, const struct packet_events *p) {
    const struct icmp_event *i = &p->icmp;
    struct endpoint src = {i->src, i->sport}, dst = {i->dst, i->dport};
    e->icmp_packets++;
    if (!i->error) gather_use(e, &p->src, &p->dst); /* a ping */
    if (i->error && !i->tcp) gather_refused(e, p);
    if (!i->error || !i->tcp || e->icmp_packets > CONVS_MAX) return;
    struct conv *best = NULL;
    for (size_t n = 0; n < CONVS_MAX; n++) {
        struct conv *c = e->conv[n];
        if (!c) continue;
        bool here = (endpoint_same(&c->end[0], &src) && endpoint_same(&c->end[1], &dst)) ||
                    (endpoint_same(&c->end[1], &src) && endpoint_same(&c->end[0], &dst));
        if (here && (!best || c->stream > best->stream)) best = c;
    }
    if (!best || mark_set(&best->icmp)) return;
    best->icmp = mark_of(p);
    best->icmp_type = i->type;
    best->icmp_code = i->code;
    best->icmp_v6 = i->v6;
    best->icmp_mtu = i->mtu;
    best->icmp_from = p->src;
}

static void clock_take(struct explain *e, const struct packet_events *p) {
    int64_t step = p->ts - e->last.ts;
    if (e->packets && p->ts > 0 && e->last.ts > 0 && step < -BACK_MS * MILLI && !mark_set(&e->back)) {
        e->back = mark_of(p);
        e->back_ns = -step;
    }
}

void explain_expect(const struct explain *e, uint32_t stream) {
    const struct conv *c = &e->room[stream % CONVS_MAX];
    line_ask(c);
    line_ask(&c->half[0]);
    line_ask(&c->half[1]);
    lines_ask(&e->session[stream % CONVS_MAX], offsetof(struct mqtt_rec, max_packet));
}

void explain_packet(struct explain *e, const struct packet_events *p, bool selected, uint64_t drops) {
    clock_take(e, p);
    e->packets++;
    mark_first(&e->first, p);
    e->previous = e->last;
    e->era = p->era;
    e->last = mark_of(p);
    if (p->cut) {
        e->cut++;
        mark_first(&e->first_cut, p);
    }
    if (drops) {
        e->drops += drops;
        mark_first(&e->first_drop, p);
    }
    if (p->unicast && !p->icmp.error) e->unicast++;
    else if (p->dst.len) e->broadcast++;
    if (p->src.len == 16 && p->unicast && !(p->src.bytes[0] == 0xfe && (p->src.bytes[1] & 0xc0) == 0x80))
        e->ipv6_used = true;
    if (p->link.arp | p->link.dhcp) gather_link(e, p);
    switch (p->transport) {
    case TRANSPORT_TCP: tcp_take(e, p, selected); break;
    case TRANSPORT_ICMP: icmp_take(e, p); break;
    case TRANSPORT_UDP:
        if (p->unicast && (port_answers(p->dport) || port_answers(p->sport))) gather_service(e, p);
        if (p->unicast && p->sport == PORT_QUIC) gather_quic(e, p);
        for (uint32_t i = 0; i < p->n; i++)
            if (p->event[i].kind == EV_DNS) gather_dns(e, p, &p->event[i].dns, selected);
        if (e->hosts && p->sport != 53 && p->dport != 53) gather_use(e, &p->src, &p->dst);
        break;
    }
}
