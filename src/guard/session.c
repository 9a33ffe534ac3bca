/* SPDX-License-Identifier: Apache-2.0 */
/* A session from its first address to its end: opening, time limits, closing. What happens to bytes is in feed.c.
 *
 * Theory of operation. A session is NEW until a CONNECT was allowed, ASKED until the broker's CONNACK, UP from then on,
 * and CLOSING when either side or the policy ended it. Each state has its time limit, so that nobody holds a place by
 * being slow: NEW counts from the first moment whatever trickles in, ASKED until the broker answers, UP for a packet
 * that was started, and for silence beyond the keep alive (MQTT 3.1.2.10). A side the caller does not read, because the
 * other one is slow, is not counted against its sender. In state NEW begun[GUARD_BROKER] is when the client came, in
 * ASKED when CONNECT was forwarded. */
#include "guard/session.h"
#include "guard/rules.h"

#include "base/err.h"
#include "expr/expr.h"
#include "guard/feed.h"

#include <stdlib.h>

#define SECOND INT64_C(1000000000)

enum { PACKET_ARENA = 8 << 20 };
/* How long the broker may take to close after a client's DISCONNECT. */
#define CLOSE_TIME (5 * SECOND)

static bool op_next(struct decode *d, enum proto_table table, uint32_t key, struct slice in) {
    (void)d, (void)table, (void)key, (void)in;
    return false;
}
static void op_call(struct decode *d, const struct proto *p, struct slice in) { (void)d, (void)p, (void)in; }
static const struct decode_ops ops = {.next = op_next, .call = op_call};

int guard_make(struct guard **out, const struct guard_policy *p, struct guard_shared *shared,
               const struct guard_options *o) {
    struct guard *g = calloc(1, sizeof *g);
    if (!g) return ERR_NOMEM;
    g->policy = p;
    g->o = *o;
    g->want = p->want;
    if (!shared) {
        g->own_shared = calloc(1, guard_shared_size(1));
        g->o.writer = 0;
        shared = g->own_shared ? guard_shared_make(g->own_shared, 1) : NULL;
    }
    g->shared = shared;
    g->text = malloc(2 * TOPIC_MAX);
    g->text2 = g->text ? g->text + TOPIC_MAX : NULL;
    fvec_make(&g->fields, &g->want);
    g->arena = arena_make(PACKET_ARENA);
    g->iface = (struct capture_interface){.linktype = 1, .ticks = 1000000000};
    g->packet = (struct packet){.number = 1, .has_ts = true, .iface = &g->iface};
    g->d = (struct decode){.out = &g->fields, .arena = &g->arena, .ops = &ops, .pkt = &g->packet};
    for (int i = 0; i < GUARD_SIDES; i++) g->inject[i] = wr_grow();
    g->forward = wr_grow();
    if (!g->shared || !g->text) {
        guard_free(g);
        return ERR_NOMEM;
    }
    if (rules_renew(g) != OK) {
        guard_free(g);
        return ERR_NOMEM;
    }
    *out = g;
    return 0;
}

void guard_free(struct guard *g) {
    if (!g) return;
    rules_end(g);
    fvec_free(&g->fields);
    arena_free(&g->arena);
    for (int i = 0; i < GUARD_SIDES; i++) wr_free(&g->inject[i]);
    wr_free(&g->forward);
    free(g->text);
    free(g->own_shared);
    free(g);
}

int guard_set_policy(struct guard *g, const struct guard_policy *p) {
    const struct guard_policy *old = g->policy;
    g->policy = p;
    if (rules_renew(g) != OK) {
        g->policy = old;
        return ERR_NOMEM;
    }
    g->want = p->want;
    return 0;
}

void guard_set_wall(struct guard *g, int64_t wall) { g->o.wall = wall; }
void guard_set_frame(struct guard *g, uint64_t frame) { g->frame = frame; }

void session_begin(struct guard *g, struct guard_out *out, int64_t now) {
    *out = (struct guard_out){0};
    for (int i = 0; i < GUARD_SIDES; i++) wr_reset(&g->inject[i]);
    wr_reset(&g->forward);
    g->m = NULL;
    g->now = now;
}

void session_finish(struct guard *g, struct guard_out *out) {
    for (int i = 0; i < GUARD_SIDES; i++) {
        out->inject[i] = wr_done(&g->inject[i]);
        if (g->inject[i].err) out->close = GUARD_CLOSE_NOW; /* no memory to say what must be said */
    }
}

void session_close(struct guard *g, struct guard_session *s, struct guard_out *out, enum guard_close how,
                   uint8_t code) {
    if (code && s->state != GUARD_CLOSING) reply_goodbye(g, s, code);
    s->state = GUARD_CLOSING;
    out->close = (uint8_t)how;
}

void session_ban(struct guard *g, struct guard_session *s, const struct verdict *v) {
    int64_t until = v->ban == INT64_MAX ? INT64_MAX : g->now + v->ban;
    struct net_addr cut = guard_address_cut(&s->peer.client, g->policy->prefix4, g->policy->prefix6);
    struct guard_prefix p = {cut, cut.len == 4 ? g->policy->prefix4 : g->policy->prefix6};
    struct slice reason = slice_str(v->rule), client = guard_client_id(s), user = guard_user_name(s);
    if (cut.len) ban_add(g->shared, g->o.writer, GUARD_BAN_ADDRESS, &p, (struct slice){0}, reason, g->now, until);
    if (g->policy->ban_users && user.n)
        ban_add(g->shared, g->o.writer, GUARD_BAN_USER, NULL, user, reason, g->now, until);
    if (g->policy->ban_clients && client.n)
        ban_add(g->shared, g->o.writer, GUARD_BAN_CLIENT, NULL, client, reason, g->now, until);
    stat_add(guard_region(g), GUARD_STAT_BANNED, 1);
}

/* entry_refused closes a connection that was refused before its first packet. */
static bool entry_refused(struct guard *g, struct guard_session *s, const struct verdict *v, struct guard_out *out) {
    if (v->action < GUARD_DROP || v->would) return false;
    g->side = GUARD_CLIENT;
    event_tell(g, s, v);
    if (v->action == GUARD_BAN) session_ban(g, s, v);
    stat_add(guard_region(g), GUARD_STAT_REFUSED, 1);
    session_close(g, s, out, GUARD_CLOSE_NOW, 0);
    return true;
}

bool guard_open(struct guard *g, struct guard_session *s, const struct guard_peer *peer, int64_t now,
                struct guard_out *out) {
    session_begin(g, out, now);
    *s = (struct guard_session){.conv = {.aliases = &flight_aliases, .client = 1 + GUARD_CLIENT}, .peer = *peer};
    s->heard = s->begun[GUARD_BROKER] = now;
    g->side = GUARD_CLIENT;
    stat_add(guard_region(g), GUARD_STAT_CONNECTIONS, 1);
    stat_add(guard_region(g), GUARD_STAT_OPEN, 1);
    struct net_addr cut = guard_address_cut(&peer->client, g->policy->prefix4, g->policy->prefix6);
    struct talker *t = talker_get(g->shared, g->o.writer, &cut);
    t->connections++;
    s->talker = (uint32_t)(t - guard_region(g)->talkers) + 1;
    struct verdict v = judge_peer(g, s);
    bool refused = entry_refused(g, s, &v, out);
    session_finish(g, out);
    return !refused;
}

void guard_join(struct guard *g, struct guard_session *s, uint8_t version) {
    s->conv.version = version;
    s->conv.connect = s->conv.connack = true;
    s->conv.forgot[0] = s->conv.forgot[1] = true;
    s->conv.alias_max[0] = s->conv.alias_max[1] = UINT16_MAX;
    s->conv.authenticates = s->conv.expires = true;
    s->alias_roof = UINT16_MAX;
    s->state = GUARD_UP;
    s->begun[GUARD_BROKER] = 0;
    for (int i = 0; i < GUARD_SIDES; i++) s->conv.in_flight[i] = 0;
    flight_free(s);
    if (!s->names) (void)names_make(g, s, (struct slice){0}, NULL, (struct slice){0}, (struct slice){0});
}

bool guard_secured(struct guard *g, struct guard_session *s, struct slice subject, struct slice common_name,
                   int64_t now, struct guard_out *out) {
    session_begin(g, out, now);
    struct verdict v = judge_subject(g, s, subject);
    bool refused = entry_refused(g, s, &v, out);
    if (!refused && names_make(g, s, (struct slice){0}, NULL, subject, common_name)) {
        session_close(g, s, out, GUARD_CLOSE_NOW, 0);
        refused = true;
    }
    session_finish(g, out);
    return !refused;
}

void guard_eof(struct guard *g, struct guard_session *s, enum guard_side side, int64_t now, struct guard_out *out) {
    session_begin(g, out, now);
    (void)side;
    session_close(g, s, out, GUARD_CLOSE_SOON, 0);
    session_finish(g, out);
}

void guard_unavailable(struct guard *g, struct guard_session *s, int64_t now, struct guard_out *out) {
    session_begin(g, out, now);
    session_close(g, s, out, GUARD_CLOSE_SOON, s->state == GUARD_UP ? 0x8b : 0x88);
    session_finish(g, out);
}

void guard_shutdown(struct guard *g, struct guard_session *s, int64_t now, struct guard_out *out) {
    session_begin(g, out, now);
    session_close(g, s, out, GUARD_CLOSE_SOON, s->state == GUARD_UP ? 0x8b : 0x88);
    session_finish(g, out);
}

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t after(int64_t start, int64_t limit) { return start && limit ? start + limit : INT64_MAX; }

/* idle_end returns when the client has been silent for too long. */
static int64_t idle_end(const struct guard_policy *p, const struct guard_session *s) {
    if (s->flags & SESSION_PAUSED_CLIENT) return INT64_MAX;
    if (s->keep_alive && p->idle_percent) return s->heard + s->keep_alive * (SECOND / 100) * p->idle_percent;
    return after(s->heard, p->idle_time);
}

static int64_t packet_end(const struct guard_policy *p, const struct guard_session *s, enum guard_side side) {
    uint16_t paused = side == GUARD_CLIENT ? SESSION_PAUSED_CLIENT : SESSION_PAUSED_BROKER;
    return s->flags & paused ? INT64_MAX : after(s->begun[side], p->packet_time);
}

int64_t guard_timer(const struct guard *g, const struct guard_session *s) {
    const struct guard_policy *p = g->policy;
    if (s->flags & SESSION_BLIND) return INT64_MAX;
    switch (s->state) {
    case GUARD_NEW: return after(s->begun[GUARD_BROKER], p->connect_time);
    case GUARD_ASKED: return sooner(after(s->begun[GUARD_BROKER], p->connack_time), packet_end(p, s, GUARD_CLIENT));
    case GUARD_UP:
        if (s->conv.closed[GUARD_CLIENT]) return s->heard + CLOSE_TIME;
        return sooner(idle_end(p, s), sooner(packet_end(p, s, GUARD_CLIENT), packet_end(p, s, GUARD_BROKER)));
    default: return INT64_MAX;
    }
}

/* late_verdict says which time limit it is. */
static struct verdict late_verdict(const struct guard_policy *p, const struct guard_session *s, int64_t now) {
    struct verdict v = {.action = GUARD_DISCONNECT, .code = 0x98};
    if (s->state == GUARD_NEW) {
        v.rule = "time.connect";
        v.reason = "no CONNECT in time";
    } else if (s->state == GUARD_ASKED && after(s->begun[GUARD_BROKER], p->connack_time) <= now) {
        v.rule = "time.connack";
        v.reason = "the broker did not answer the CONNECT in time";
        v.code = 0x88;
    } else if (s->state == GUARD_UP && idle_end(p, s) <= now) {
        v.rule = "time.idle";
        v.reason = "silent for longer than the keep alive allows";
        v.clause = "[MQTT-3.1.2-22]";
        v.code = 0x8d;
    } else {
        v.rule = "time.packet";
        v.reason = "a packet was started and not finished in time";
    }
    return v;
}

void guard_expire(struct guard *g, struct guard_session *s, int64_t now, struct guard_out *out) {
    session_begin(g, out, now);
    if (guard_timer(g, s) <= now) {
        if (s->state == GUARD_UP && s->conv.closed[GUARD_CLIENT]) {
            session_close(g, s, out, GUARD_CLOSE_SOON, 0);
            return;
        }
        struct verdict v = late_verdict(g->policy, s, now);
        g->side = s->state == GUARD_ASKED && v.code == 0x88 ? GUARD_BROKER : GUARD_CLIENT;
        v.would = g->policy->log_only;
        event_tell(g, s, &v);
        if (v.would) {
            s->heard = now;
            for (int i = 0; i < GUARD_SIDES; i++)
                if (s->begun[i]) s->begun[i] = now;
        } else {
            stat_add(guard_region(g), GUARD_STAT_TIMEOUTS, 1);
            session_close(g, s, out, GUARD_CLOSE_NOW, v.code);
        }
    }
    session_finish(g, out);
}

bool guard_said_goodbye(const struct guard_session *s) { return s->conv.closed[GUARD_CLIENT]; }

void guard_pause(struct guard_session *s, enum guard_side side, bool paused, int64_t now) {
    uint16_t flag = side == GUARD_CLIENT ? SESSION_PAUSED_CLIENT : SESSION_PAUSED_BROKER;
    if (paused) {
        s->flags |= flag;
        return;
    }
    if (!(s->flags & flag)) return;
    s->flags &= (uint16_t)~flag;
    if (s->begun[side] && s->state == GUARD_UP) s->begun[side] = now;
    if (side == GUARD_CLIENT) s->heard = now;
}

static void count_out(struct guard *g, struct guard_session *s, enum guard_per per, uint16_t flag, int64_t now) {
    uint64_t subject = 0;
    if (!(s->flags & flag)) return;
    s->flags &= (uint16_t)~flag;
    if (per == GUARD_PER_USER && s->names) subject = s->names->user;
    if (per == GUARD_PER_CLIENT && s->names) subject = s->names->client;
    if (per == GUARD_PER_ADDRESS) {
        struct net_addr cut = guard_address_cut(&s->peer.client, g->policy->prefix4, g->policy->prefix6);
        subject = s->names ? s->names->address : subject_address(g->shared, &cut);
    }
    if (subject) (void)open_count(g->shared, g->o.writer, subject, -1, now);
}

void session_names_leave(struct guard *g, struct guard_session *s) {
    count_out(g, s, GUARD_PER_USER, SESSION_USER_OPEN, g->now);
    count_out(g, s, GUARD_PER_CLIENT, SESSION_CLIENT_OPEN, g->now);
}

void guard_end(struct guard *g, struct guard_session *s, int64_t now) {
    count_out(g, s, GUARD_PER_ADDRESS, SESSION_OPEN, now);
    count_out(g, s, GUARD_PER_USER, SESSION_USER_OPEN, now);
    count_out(g, s, GUARD_PER_CLIENT, SESSION_CLIENT_OPEN, now);
    struct region *r = guard_region(g);
    if (r->stats[GUARD_STAT_OPEN]) stat_add(r, GUARD_STAT_OPEN, (uint64_t)-1);
    if (s->talker) {
        struct talker *t = &r->talkers[s->talker - 1];
        struct net_addr cut = guard_address_cut(&s->peer.client, g->policy->prefix4, g->policy->prefix6);
        if (t->key == subject_address(g->shared, &cut) && t->connections) t->connections--;
    }
    flight_free(s);
    free(s->names);
    *s = (struct guard_session){.state = GUARD_CLOSING};
}
