/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in, verdicts out.
 *
 * Theory of operation. The bytes of a side are taken packet by packet. A packet is judged when all of it is there; of a
 * PUBLISH whose payload is larger than the window, when the header and a window of payload are there, and the rest then
 * passes or is swallowed with it (`passing`). What the fixed header alone forbids is refused before the rest is waited
 * for. The verdict depends on the bytes only, never on how they were cut into calls.
 *
 * What was allowed is forwarded as it came: a call forwards one run of allowed packets, and stops behind the first
 * packet that is not forwarded. One kind of packet cannot pass as it came: a PUBLISH that names its topic by an alias
 * the receiver was never told, since the message that set it was dropped. The topic is put in then; nothing else
 * changes.
 *
 * What a refused packet's sender is due is answered here (reply.c), the QoS 2 exchange of 3.x to its end (ID_OURS). A
 * reply that would overtake the broker's CONNACK waits for it.
 *
 * In log mode nothing is stopped; behind bytes in which no packet can be found the session is passed on unread (BLIND).
 * Limits: GUARD_HEAD_MAX, GUARD_HOLD_OTHER, the policy's maxima. Specification: MQTT 3.1, 3.1.1, 5.0. */
#include "guard/feed.h"

#include <stdlib.h>

/* What became of the bytes at the front. */
enum step {
    STEP_WAIT,   /* more are needed */
    STEP_PASS,   /* a packet, or the part of it that is there, is forwarded */
    STEP_DROP,   /* it is not */
    STEP_REMADE, /* it is, as g->forward has it */
    STEP_CLOSE,
};

struct taking {
    struct guard_session *s;
    struct guard_out *out;
    enum guard_side side;
    struct slice in;
    struct mqtt_head head;
    size_t size;   /* bytes of `in` the step is about */
    size_t needed; /* of STEP_WAIT */
    size_t rest;   /* bytes of the packet behind `size` */
};

static uint16_t swallow_flag(enum guard_side side) {
    return side == GUARD_CLIENT ? SESSION_SWALLOW_CLIENT : SESSION_SWALLOW_BROKER;
}

/* stopped ends the connection for a verdict. In log mode the verdict is a note, and what follows is passed unread. */
static enum step stopped(struct guard *g, struct taking *t, struct verdict *v) {
    struct guard_session *s = t->s;
    event_tell(g, s, v);
    if (v->would) {
        s->flags |= SESSION_BLIND;
        t->size = t->in.n;
        return STEP_PASS;
    }
    if (v->action == GUARD_BAN) session_ban(g, s, v);
    judge_refused(g, s);
    stat_add(guard_region(g), GUARD_STAT_DISCONNECTED, 1);
    session_close(g, s, t->out, GUARD_CLOSE_NOW, v->code);
    return STEP_CLOSE;
}

static enum step stopped_by_anomaly(struct guard *g, struct taking *t, uint16_t id) {
    struct verdict v;
    stat_add(guard_region(g), GUARD_STAT_ANOMALIES, 1);
    (void)judge_anomaly(g, id, NULL, GUARD_ANOMALY_BLOCK, &v);
    return stopped(g, t, &v);
}

static enum step stopped_by_size(struct guard *g, struct taking *t, enum guard_maximum which) {
    struct verdict v;
    (void)judge_maximum(g, which, 0, (struct slice){0}, &v);
    if (v.action < GUARD_DISCONNECT) v.action = GUARD_DISCONNECT;
    v.would = g->policy->log_only;
    return stopped(g, t, &v);
}

/* payload_at returns where a PUBLISH's payload begins; 0: more than `in` is needed to know. */
static size_t payload_at(const struct taking *t, struct slice in) {
    struct reader r = rd_init(in, in.p);
    bool overlong;
    rd_skip(&r, t->head.size);
    rd_skip(&r, rd_be16(&r));
    if (t->head.flags & 6) rd_skip(&r, 2);
    if (t->s->conv.version == MQTT_5) {
        struct reader ahead = r;
        uint32_t n = mqtt_varint(&ahead, &overlong);
        if (!rd_ok(&ahead)) return 0;
        return rd_off(&ahead) + (size_t)n;
    }
    return rd_ok(&r) ? rd_off(&r) : 0;
}

/* needed returns how many bytes of the packet must be there to judge it; 0: it is too large to be judged. */
static size_t needed(const struct guard *g, const struct taking *t) {
    size_t whole = (size_t)t->head.size + t->head.length, window = g->policy->payload_window;
    if (t->head.type != MQTT_PUBLISH) return whole <= GUARD_HOLD_OTHER || t->head.type == MQTT_CONNECT ? whole : 0;
    if (t->head.length <= window) return whole;
    size_t least = t->head.size + 2u + UINT16_MAX + 2u + MQTT_LENGTH_BYTES; /* behind it the header's length is known */
    if (least > whole) least = whole;
    size_t payload = payload_at(t, slice_head(t->in, least));
    if (!payload && t->in.n < least) return t->in.n + 1;
    if (!payload) return whole <= window + GUARD_HEAD_MAX ? whole : 0; /* malformed: the decoder says why */
    if (payload > GUARD_HEAD_MAX) return 0;
    return payload >= whole || whole - payload <= window ? whole : payload + window;
}

/* early judges what can be told from the fixed header. */
static bool early(struct guard *g, struct taking *t, enum step *step) {
    struct guard_session *s = t->s;
    uint8_t type = t->in.p[0] >> 4;
    if (s->state == GUARD_NEW && (t->side != GUARD_CLIENT || type != MQTT_CONNECT)) {
        *step = stopped_by_anomaly(g, t, t->side == GUARD_CLIENT ? FID_MQTT_A_CONNECT_FIRST : FID_MQTT_A_CONNACK_FIRST);
        return true;
    }
    enum read_status status = mqtt_head_read(t->in, &t->head);
    if (status == READ_MORE) {
        t->needed = t->in.n + 1;
        *step = STEP_WAIT;
        return true;
    }
    if (status == READ_BAD) {
        *step = stopped_by_anomaly(g, t, FID_MQTT_A_LENGTH_BAD);
        return true;
    }
    uint64_t whole = (uint64_t)t->head.size + t->head.length;
    enum guard_maximum which = type == MQTT_CONNECT ? GUARD_MAX_CONNECT : GUARD_MAX_PACKET;
    if (whole > g->policy->max[which].value) {
        *step = stopped_by_size(g, t, which);
        return true;
    }
    t->needed = needed(g, t);
    if (!t->needed) {
        *step = stopped_by_size(g, t, GUARD_MAX_PACKET);
        return true;
    }
    if (t->in.n >= t->needed) return false;
    *step = STEP_WAIT;
    return true;
}

static void address_add(struct guard *g, const struct guard_session *s, enum guard_side side) {
    struct fvec *v = &g->fields;
    const struct net_addr *from = side == GUARD_CLIENT ? &s->peer.client : &s->peer.local;
    const struct net_addr *to = side == GUARD_CLIENT ? &s->peer.local : &s->peer.client;
    uint16_t sport = side == GUARD_CLIENT ? s->peer.client_port : s->peer.local_port;
    uint16_t dport = side == GUARD_CLIENT ? s->peer.local_port : s->peer.client_port;
    if (from->len == 4) {
        fv_add(v, FID_IP, 0, 0);
        fv_u(v, FID_IP_SRC, 0, 0, load_be32(from->bytes));
        fv_u(v, FID_IP_ADDR, 0, 0, load_be32(from->bytes));
    }
    if (to->len == 4) {
        fv_u(v, FID_IP_DST, 0, 0, load_be32(to->bytes));
        fv_u(v, FID_IP_ADDR, 0, 0, load_be32(to->bytes));
    }
    if (from->len == 16) {
        fv_add(v, FID_IPV6, 0, 0);
        fv_s(v, FID_IPV6_SRC, 0, 0, slice_of(from->bytes, 16));
        fv_s(v, FID_IPV6_ADDR, 0, 0, slice_of(from->bytes, 16));
    }
    if (to->len == 16) {
        fv_s(v, FID_IPV6_DST, 0, 0, slice_of(to->bytes, 16));
        fv_s(v, FID_IPV6_ADDR, 0, 0, slice_of(to->bytes, 16));
    }
    fv_add(v, FID_TCP, 0, 0);
    fv_u(v, FID_TCP_SRCPORT, 0, 0, sport);
    fv_u(v, FID_TCP_DSTPORT, 0, 0, dport);
    fv_u(v, FID_TCP_PORT, 0, 0, sport);
    fv_u(v, FID_TCP_PORT, 0, 0, dport);
}

/* decode reads the packet at the front, of which t->needed bytes are there. */
static void decode(struct guard *g, struct taking *t, struct mqtt_message *m) {
    struct slice packet = slice_head(t->in, t->needed);
    fvec_start(&g->fields, packet);
    arena_reset(&g->arena);
    g->d.layers = 0;
    g->d.begun = 0;
    if (g->policy->want_addresses) address_add(g, t->s, t->side);
    *m = (struct mqtt_message){.d = &g->d, .c = &t->s->conv, .from = t->side, .head = t->head};
    m->cut = t->needed < (size_t)t->head.size + t->head.length;
    m->cut_at = (uint32_t)t->needed;
    mqtt_packet_read(m, packet);
}

/* identify notes who a CONNECT says it is, before it is judged. */
static bool identify(struct guard *g, struct taking *t, const struct mqtt_message *m) {
    struct guard_session *s = t->s;
    session_names_leave(g, s); /* only where a second CONNECT is let through */
    struct slice user = m->user_name, subject = names_subject(s->names), common = names_common(s->names);
    s->alias_roof =
        (uint16_t)(g->policy->max[GUARD_MAX_ALIASES].value < UINT16_MAX ? g->policy->max[GUARD_MAX_ALIASES].value
                                                                        : UINT16_MAX);
    return names_make(g, s, m->client_id, m->connect_flags & MQTT_USER_NAME ? &user : NULL, subject, common) == 0;
}

static void connack_taken(struct guard *g, struct guard_session *s, const struct mqtt_message *m) {
    if (m->code) {
        bool login =
            m->version == MQTT_5 ? m->code == 0x86 || m->code == 0x87 || m->code == 0x8c : m->code == 4 || m->code == 5;
        if (!login) return;
        struct verdict v = {.action = GUARD_LOG,
                            .rule = "login.refused",
                            .reason = "the broker refused the login",
                            .login = true,
                            .code = m->code};
        event_tell(g, s, &v);
        stat_add(guard_region(g), GUARD_STAT_LOGINS_REFUSED, 1);
        v = judge_login(g, s);
        if (v.action < GUARD_DROP || v.would) return;
        event_tell(g, s, &v);
        if (v.action == GUARD_BAN) session_ban(g, s, &v);
        return;
    }
    s->state = GUARD_UP;
    s->begun[GUARD_BROKER] = 0;
    s->heard = g->now;
    s->keep_alive = (uint16_t)mqtt_number(m, MQTT_N_KEEP_ALIVE, s->keep_alive);
    stat_add(guard_region(g), GUARD_STAT_SESSIONS, 1);
    struct guard_names *n = s->names;
    if (m->assigned.n && n && !n->client_n) {
        struct slice user = names_user(n);
        s->names = NULL;
        if (names_make(g, s, m->assigned, n->has_user ? &user : NULL, names_subject(n), names_common(n)) == 0) free(n);
        else s->names = n;
    }
    struct guard_flight *f = s->flight;
    if (f && f->late) {
        wr_bytes(&g->inject[GUARD_CLIENT], f->late, f->late_n);
        free(f->late);
        f->late = NULL;
        f->late_n = 0;
    }
}

static void filters_taken(struct guard *g, struct guard_session *s, const struct mqtt_message *m) {
    struct guard_flight *f = flight_get(s);
    struct slice filters = m->filters, filter;
    uint8_t options;
    while (f && mqtt_filter_next(&filters, m->head.type, &filter, &options)) {
        uint64_t hash = hash_bytes(g->shared->key, filter.p, filter.n);
        if (m->head.type == MQTT_UNSUBSCRIBE) filters_drop(f, hash);
        else (void)filters_add(f, hash);
    }
}

/* publish_taken notes a PUBLISH that is forwarded; true where its alias means nothing to the receiver. */
static bool publish_taken(struct guard *g, struct guard_session *s, const struct mqtt_message *m) {
    bool remake = false;
    stat_add(guard_region(g), g->side == GUARD_CLIENT ? GUARD_STAT_PUBLISH_IN : GUARD_STAT_PUBLISH_OUT, 1);
    if (m->head.flags & 6) {
        struct guard_flight *f = flight_get(s);
        if (f) (void)ids_set(&f->sent[g->side], m->id, m->head.flags & 4 ? ID_QOS2 : ID_QOS1);
    }
    struct alias *a = m->alias_there ? flight_alias(s, g->side, m->alias) : NULL;
    if (a) {
        remake = a->stale && m->by_alias;
        a->stale = false;
    }
    return remake;
}

/* taken changes what the session knows by a packet that is forwarded. */
static bool taken(struct guard *g, struct guard_session *s, const struct mqtt_message *m) {
    struct guard_flight *f = s->flight;
    int sender = 1 - (int)g->side; /* of the message an acknowledgement is for */
    switch (m->head.type) {
    case MQTT_CONNECT:
        s->state = GUARD_ASKED;
        s->keep_alive = m->keep_alive;
        s->begun[GUARD_BROKER] = g->now;
        return false;
    case MQTT_CONNACK: connack_taken(g, s, m); return false;
    case MQTT_AUTH:
        if (s->state == GUARD_ASKED) s->begun[GUARD_BROKER] = g->now;
        return false;
    case MQTT_PUBLISH: return publish_taken(g, s, m);
    case MQTT_PUBREC:
        if (!f) return false;
        if (m->version == MQTT_5 && m->code >= 0x80) ids_drop(&f->sent[sender], m->id);
        else if (ids_get(&f->sent[sender], m->id) == ID_QOS2) (void)ids_set(&f->sent[sender], m->id, ID_HALF);
        return false;
    case MQTT_PUBACK:
    case MQTT_PUBCOMP:
        if (f) ids_drop(&f->sent[sender], m->id);
        return false;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE: filters_taken(g, s, m); return false;
    default: return false;
    }
}

/* ours answers what belongs to an exchange the guard has with a sender by itself: true where the packet is done with.
 */
static bool ours(struct guard *g, struct guard_session *s, const struct mqtt_message *m) {
    struct guard_flight *f = s->flight;
    if (m->head.type != MQTT_PUBREL || !f || ids_get(&f->sent[g->side], m->id) != ID_OURS) return false;
    ids_drop(&f->sent[g->side], m->id);
    if (s->conv.in_flight[g->side]) s->conv.in_flight[g->side]--;
    uint8_t ack[4] = {MQTT_PUBCOMP << 4, 2, (uint8_t)(m->id >> 8), (uint8_t)m->id};
    wr_bytes(&g->inject[g->side], ack, sizeof ack);
    return true;
}

/* remade writes the PUBLISH with its topic into g->forward, up to the bytes that are there. */
static enum step remade(struct guard *g, struct taking *t, const struct mqtt_message *m) {
    struct writer *w = &g->forward;
    uint64_t length = (uint64_t)t->head.length + m->topic.n;
    if (length > MQTT_LENGTH_MAX) return stopped_by_size(g, t, GUARD_MAX_PACKET);
    wr_c(w, (char)t->in.p[0]);
    for (; length > 127; length >>= 7) wr_c(w, (char)(length | 128));
    wr_c(w, (char)length);
    wr_c(w, (char)(m->topic.n >> 8));
    wr_c(w, (char)m->topic.n);
    wr_slice(w, m->topic);
    wr_slice(w, slice_tail(slice_head(t->in, t->needed), t->head.size + 2u));
    return w->err ? STEP_CLOSE : STEP_REMADE;
}

/* replies_wait puts what was said to the client aside where the broker's CONNACK is still to come; false: too much. */
static bool replies_wait(struct guard *g, struct guard_session *s) {
    struct slice said = wr_done(&g->inject[GUARD_CLIENT]);
    if (s->state != GUARD_ASKED || !said.n) return true;
    struct guard_flight *f = flight_get(s);
    if (!f || f->late_n + said.n > FLIGHT_LATE_MAX) return false;
    uint8_t *more = realloc(f->late, f->late_n + said.n);
    if (!more) return false;
    memcpy(more + f->late_n, said.p, said.n);
    f->late = more;
    f->late_n += said.n;
    wr_reset(&g->inject[GUARD_CLIENT]);
    return true;
}

/* refused does what a verdict that stops a packet says. */
static enum step refused(struct guard *g, struct taking *t, const struct mqtt_message *m, struct verdict *v) {
    struct guard_session *s = t->s;
    if (v->action != GUARD_DROP || m->head.type == MQTT_CONNECT) return stopped(g, t, v);
    event_tell(g, s, v);
    judge_refused(g, s);
    stat_add(guard_region(g), GUARD_STAT_DROPPED, 1);
    reply_refuse(g, s, m, t->side, v);
    if (!replies_wait(g, s)) {
        session_close(g, s, t->out, GUARD_CLOSE_NOW, 0);
        return STEP_CLOSE;
    }
    s->flags |= swallow_flag(t->side);
    return STEP_DROP;
}

/* id_check finds a packet identifier that is used for two messages at a time, [MQTT-2.2.1-3]. */
static bool id_check(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    if (g->policy->packet_id_used == GUARD_ANOMALY_IGNORE || m->head.type != MQTT_PUBLISH || !(m->head.flags & 6))
        return false;
    if (m->head.flags & 8 || !s->flight || ids_get(&s->flight->sent[g->side], m->id) == ID_NONE) return false;
    stat_add(guard_region(g), GUARD_STAT_ANOMALIES, 1);
    bool stop = judge_anomaly(g, 0, "packet_id_used", (enum guard_anomaly)g->policy->packet_id_used, v);
    v->reason = "packet identifier is in use";
    v->clause = "[MQTT-2.2.1-3], 3.1.1 [MQTT-2.3.1-2]";
    if (!stop) event_tell(g, s, v);
    return stop;
}

/* ack_check finds an acknowledgement that does not belong to its message, MQTT 4.3; one for a message of an earlier
 * connection of the same session is not known here and passes. */
static bool ack_check(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    enum id_state state = s->flight ? ids_get(&s->flight->sent[1 - g->side], m->id) : ID_NONE;
    if (g->policy->ack_mismatch == GUARD_ANOMALY_IGNORE || state == ID_NONE || state == ID_OURS) return false;
    bool right = true;
    if (m->head.type == MQTT_PUBACK) right = state == ID_QOS1;
    if (m->head.type == MQTT_PUBREC) right = state == ID_QOS2 || state == ID_HALF;
    if (m->head.type == MQTT_PUBCOMP) right = state == ID_HALF;
    if (right) return false;
    stat_add(guard_region(g), GUARD_STAT_ANOMALIES, 1);
    bool stop = judge_anomaly(g, 0, "ack_mismatch", (enum guard_anomaly)g->policy->ack_mismatch, v);
    v->reason = "acknowledgement does not belong to its message";
    v->clause = "MQTT 4.3.2, 4.3.3";
    v->code = 0x82;
    if (!stop) event_tell(g, s, v);
    return stop;
}

static enum step judged(struct guard *g, struct taking *t) {
    struct guard_session *s = t->s;
    struct mqtt_message m;
    struct verdict v = {0};
    decode(g, t, &m);
    g->m = &m;
    t->size = t->needed;
    t->rest = (size_t)t->head.size + t->head.length - t->needed;
    s->flags &= (uint16_t)~swallow_flag(t->side);
    stat_add(guard_region(g), t->side == GUARD_CLIENT ? GUARD_STAT_PACKETS_IN : GUARD_STAT_PACKETS_OUT, 1);
    if (m.head.type == MQTT_CONNECT && t->side == GUARD_CLIENT && !identify(g, t, &m)) {
        session_close(g, s, t->out, GUARD_CLOSE_NOW, 0);
        return STEP_CLOSE;
    }
    if (s->policy != g->policy->generation) names_refresh(g, s);
    if (id_check(g, s, &m, &v) || ack_check(g, s, &m, &v)) return refused(g, t, &m, &v);
    v = judge_packet(g, s);
    bool stop = v.action >= GUARD_DROP && !v.would;
    if (!stop && m.cut && g->policy->window_refuse) {
        stop = judge_act(g, &g->policy->window_act, NULL, &v);
        v.code = 0x97;
        if (!stop) event_tell(g, s, &v);
    }
    if (stop) return refused(g, t, &m, &v);
    if (ours(g, s, &m)) {
        s->flags |= swallow_flag(t->side);
        return replies_wait(g, s) ? STEP_DROP : STEP_CLOSE;
    }
    return taken(g, s, &m) ? remade(g, t, &m) : STEP_PASS;
}

static enum step take(struct guard *g, struct taking *t) {
    enum step step;
    t->size = t->rest = 0;
    g->m = NULL;
    return early(g, t, &step) ? step : judged(g, t);
}

/* passing_take takes what is there of a payload that is on its way. */
static enum step passing_take(struct guard_session *s, struct taking *t) {
    uint32_t *left = &s->passing[t->side];
    t->size = t->in.n < *left ? t->in.n : *left;
    t->rest = 0;
    *left -= (uint32_t)t->size;
    return s->flags & swallow_flag(t->side) ? STEP_DROP : STEP_PASS;
}

/* waited keeps the time since when a side has owed the rest of a packet. */
static void waited(struct guard *g, struct guard_session *s, enum guard_side side, bool owes, bool progress) {
    if (side == GUARD_BROKER && s->state != GUARD_UP) return; /* begun has another meaning there */
    if (!owes) s->begun[side] = 0;
    else if (!s->begun[side] || progress) s->begun[side] = g->now;
}

/* talker_count counts what a client sent, refused or not. */
static void talker_count(struct guard *g, struct guard_session *s, uint64_t packets, uint64_t bytes) {
    if (!s->talker) return;
    struct talker *t = &guard_region(g)->talkers[s->talker - 1];
    t->packets += packets;
    t->bytes += bytes;
}

enum { PROGRESS = 1024 }; /* bytes of a streamed payload in one call that show that its sender is not stalling */

/* remade_behind returns what came before a packet that was made anew, and that packet, as one run. */
static struct slice remade_behind(struct guard *g, struct slice before) {
    struct writer run = wr_grow();
    wr_slice(&run, before);
    wr_slice(&run, wr_done(&g->forward));
    wr_free(&g->forward);
    g->forward = run;
    return wr_done(&g->forward);
}

/* feed_all takes packets until something other than forwarding is to be done. Returns bytes taken. */
static size_t feed_all(struct guard *g, struct guard_session *s, enum guard_side side, struct slice in,
                       struct guard_out *out) {
    struct taking t = {.s = s, .out = out, .side = side};
    size_t at = 0;
    while (at < in.n) {
        t.in = slice_tail(in, at);
        bool passes = s->passing[side] > 0;
        enum step step = passes ? passing_take(s, &t) : take(g, &t);
        if (step == STEP_WAIT) {
            out->needed = t.needed;
            break;
        }
        if (step == STEP_CLOSE) {
            out->forward = slice_head(in, at);
            out->consumed = in.n;
            if (!out->close) session_close(g, s, out, GUARD_CLOSE_NOW, 0);
            return at;
        }
        if (!passes) s->passing[side] = (uint32_t)t.rest;
        struct slice before = slice_head(in, at);
        at += t.size;
        if (step == STEP_DROP || step == STEP_REMADE) {
            out->forward = step == STEP_DROP ? before : remade_behind(g, before);
            out->consumed = at;
            out->again = at < in.n;
            return at;
        }
        /* What is to be said to a side comes behind what was forwarded to it: end the call where something is. */
        if (wr_len(&g->inject[GUARD_CLIENT]) || wr_len(&g->inject[GUARD_BROKER])) {
            out->again = at < in.n;
            break;
        }
    }
    out->forward = slice_head(in, at);
    out->consumed = at;
    return at;
}

void guard_feed(struct guard *g, struct guard_session *s, enum guard_side side, struct slice in, int64_t now,
                struct guard_out *out) {
    session_begin(g, out, now);
    g->side = side;
    if (s->state == GUARD_CLOSING) {
        out->consumed = in.n;
        out->close = GUARD_CLOSE_NOW;
        return;
    }
    if (side == GUARD_CLIENT && in.n) s->heard = now;
    if (s->flags & SESSION_BLIND) {
        out->forward = in;
        out->consumed = in.n;
        return;
    }
    uint64_t before = guard_region(g)->stats[GUARD_STAT_PACKETS_IN];
    size_t taken_bytes = in.n ? feed_all(g, s, side, in, out) : 0;
    if (side == GUARD_CLIENT) talker_count(g, s, guard_region(g)->stats[GUARD_STAT_PACKETS_IN] - before, out->consumed);
    bool owes = s->passing[side] || (out->consumed < in.n && !out->again);
    waited(g, s, side, owes, taken_bytes >= PROGRESS || (taken_bytes && !s->passing[side]));
    stat_add(guard_region(g), side == GUARD_CLIENT ? GUARD_STAT_BYTES_IN : GUARD_STAT_BYTES_OUT, out->forward.n);
    session_finish(g, out);
}
