/* SPDX-License-Identifier: Apache-2.0 */
/* The policy, in its order: the protocol gate, bans, limits, topics, conditions, rule files, shape of the payload.
 *
 * Theory of operation. Every step either has nothing to say, makes a note (a rule that logs, or would have stopped the
 * packet but for log mode) and goes on, or ends with a verdict. The first that ends it counts. Nothing here changes
 * what the session knows of the protocol; that is feed.c, when the verdict is known. */
#include "guard/session.h"

#include "expr/expr.h"
#include "field/print.h"
#include "guard/feed.h"
#include "guard/rules.h"

static bool stops(const struct verdict *v) { return !v->would && v->action >= GUARD_DROP; }

bool judge_act(const struct guard *g, const struct guard_do *act, const char *reason, struct verdict *v) {
    *v = (struct verdict){.action = act->action, .by = act, .rule = act->id, .ban = act->ban, .code = 0x98};
    v->reason = act->reason ? act->reason : reason;
    v->would = act->action >= GUARD_DROP && (act->log_only || g->policy->log_only);
    return stops(v);
}

bool judge_maximum(const struct guard *g, enum guard_maximum which, uint16_t field, struct slice value,
                   struct verdict *v) {
    static const uint8_t codes[GUARD_MAXIMUM_COUNT] = {
        [GUARD_MAX_PACKET] = 0x95,       [GUARD_MAX_CONNECT] = 0x95,     [GUARD_MAX_PAYLOAD] = 0x97,
        [GUARD_MAX_TOPIC_LENGTH] = 0x90, [GUARD_MAX_TOPIC_DEPTH] = 0x90, [GUARD_MAX_CLIENT_ID] = 0x85,
        [GUARD_MAX_USER_NAME] = 0x86,    [GUARD_MAX_FILTERS] = 0x97,     [GUARD_MAX_SUBSCRIPTIONS] = 0x97,
        [GUARD_MAX_IN_FLIGHT] = 0x93,    [GUARD_MAX_ALIASES] = 0x94,     [GUARD_MAX_KEEP_ALIVE] = 0x98,
    };
    bool stop = judge_act(g, &g->policy->max[which].act, NULL, v);
    v->code = codes[which];
    v->field = field;
    v->value = value;
    return stop;
}

/* anomaly_code returns the reason code for a DISCONNECT, MQTT 4.13. */
static uint8_t anomaly_code(uint16_t id) {
    switch (id) {
    case FID_MQTT_A_RECEIVE_MAX: return 0x93;
    case FID_MQTT_A_PACKET_MAX: return 0x95;
    case FID_MQTT_A_ALIAS_MAX:
    case FID_MQTT_A_ALIAS_ZERO: return 0x94;
    case FID_MQTT_A_NO_RETAIN: return 0x9a;
    case FID_MQTT_A_NO_QOS: return 0x9b;
    case FID_MQTT_A_NO_SHARED: return 0x9e;
    case FID_MQTT_A_NO_SUB_ID: return 0xa1;
    case FID_MQTT_A_NO_WILDCARD: return 0xa2;
    case FID_MQTT_A_PAYLOAD: return 0x99;
    case FID_MQTT_A_PROTOCOL_LEVEL:
    case FID_MQTT_A_PROTOCOL_NAME: return 0x84;
    case FID_MQTT_A_CLIENT_ID: return 0x85;
    case FID_MQTT_A_TOPIC_WILDCARD: return 0x90;
    case FID_MQTT_A_PROP_REPEATED:
    case FID_MQTT_A_PROP_PLACE:
    case FID_MQTT_A_PROP_VALUE:
    case FID_MQTT_A_AUTH_DATA:
    case FID_MQTT_A_EXPIRY:
    case FID_MQTT_ILLEGAL_TOPIC_LENGTH:
    case FID_MQTT_A_SHARE_NO_LOCAL:
    case FID_MQTT_A_NO_FILTER: return 0x82;
    default: return field_of(id)->group == GRP_SEQUENCE ? 0x82 : 0x81;
    }
}

bool judge_anomaly(const struct guard *g, uint16_t id, const char *name, enum guard_anomaly set, struct verdict *v) {
    const struct field *f = id ? field_of(id) : NULL;
    *v = (struct verdict){.action = set == GUARD_ANOMALY_BLOCK ? GUARD_DISCONNECT : GUARD_LOG,
                          .rule = name ? name : f->name};
    v->reason = f ? f->label : NULL;
    v->clause = f ? f->clause : NULL;
    v->code = id ? anomaly_code(id) : 0x81;
    v->would = set == GUARD_ANOMALY_BLOCK && g->policy->log_only;
    return stops(v);
}

/* note tells of a verdict that lets the packet through. */
static void note(struct guard *g, struct guard_session *s, const struct verdict *v) { event_tell(g, s, v); }

/* ended tells of a note or passes a verdict on: true where it ends the judging. */
bool judge_ended(struct guard *g, struct guard_session *s, const struct verdict *v) {
    if (stops(v)) return true;
    if (v->would || v->action == GUARD_LOG) note(g, s, v);
    return false;
}

/* gate turns the decoder's anomalies into a verdict. */
static bool gate(struct guard *g, struct guard_session *s, struct verdict *v) {
    const struct guard_policy *p = g->policy;
    const struct fvec *fields = &g->fields;
    if (!fields->anomalies && !fields->bad && !fields->overflowed) return false;
    for (uint32_t i = 0; i < fields->n; i++) {
        uint16_t id = fields->v[i].id;
        if (id <= FID_MQTT || id >= FID_MQTT_END || !field_of(id)->severity) continue;
        enum guard_anomaly set = p->anomaly[id - FID_MQTT];
        if (set == GUARD_ANOMALY_IGNORE) continue;
        stat_add(guard_region(g), GUARD_STAT_ANOMALIES, 1);
        (void)judge_anomaly(g, id, NULL, set, v);
        if (judge_ended(g, s, v)) return true;
    }
    if (!fields->bad && !fields->overflowed) return false;
    (void)judge_anomaly(g, 0, "mqtt.malformed", p->malformed, v);
    v->reason = "fields need more bytes than the packet has";
    v->clause = "MQTT 4.13.1";
    stat_add(guard_region(g), GUARD_STAT_ANOMALIES, 1);
    return judge_ended(g, s, v);
}

/* ban_says fills in a verdict on somebody who is banned. */
static bool ban_says(struct guard *g, struct guard_session *s, uint16_t field, struct slice value, struct verdict *v) {
    *v = (struct verdict){
        .action = GUARD_DISCONNECT, .rule = "bans", .reason = "banned", .field = field, .value = value, .code = 0x8a};
    v->would = g->policy->log_only;
    return judge_ended(g, s, v);
}

static bool name_banned(struct guard *g, struct guard_session *s, enum guard_ban_kind kind, uint16_t field,
                        struct slice name, struct verdict *v) {
    struct ban_slot found;
    if (!name.n) return false;
    if (!policy_ban_name(g->policy, kind, name, g->now + g->o.wall) &&
        !ban_find_name(g->shared, kind, name, g->now, &found))
        return false;
    return ban_says(g, s, field, name, v);
}

static uint64_t subject_of(struct guard *g, const struct guard_session *s, enum guard_per per) {
    const struct guard_names *n = s->names;
    switch (per) {
    case GUARD_PER_ADDRESS: {
        if (n) return n->address;
        struct net_addr cut = guard_address_cut(&s->peer.client, g->policy->prefix4, g->policy->prefix6);
        return subject_address(g->shared, &cut);
    }
    case GUARD_PER_CLIENT: return n ? n->client : 0;
    case GUARD_PER_USER: return n ? n->user : 0;
    default: return 1;
    }
}

/* limit_over fills in a verdict on a limit that is reached. */
static bool limit_over(struct guard *g, struct guard_session *s, const struct guard_limit *l, struct verdict *v) {
    static const char *const reasons[GUARD_WHATS] = {
        [GUARD_WHAT_CONNECTIONS] = "too many open connections",
        [GUARD_WHAT_CONNECTS] = "connects too often",
        [GUARD_WHAT_LOGINS] = "too many refused logins",
        [GUARD_WHAT_PUBLISHES] = "publishes too often",
        [GUARD_WHAT_BYTES] = "sends too many bytes",
        [GUARD_WHAT_PACKETS] = "sends too many packets",
        [GUARD_WHAT_VIOLATIONS] = "too many refused packets",
    };
    (void)judge_act(g, &l->act, reasons[l->what], v);
    bool packet = l->what == GUARD_WHAT_PUBLISHES || l->what == GUARD_WHAT_BYTES || l->what == GUARD_WHAT_PACKETS;
    v->code = packet ? (v->action == GUARD_DROP ? 0x97 : 0x96) : l->what == GUARD_WHAT_CONNECTIONS ? 0x97 : 0x9f;
    return judge_ended(g, s, v);
}

/* ban_meets tells whether a ban of the session keeps away whom a limit counts. */
static bool ban_meets(const struct guard *g, const struct guard_session *s, enum guard_per per) {
    switch (per) {
    case GUARD_PER_ADDRESS: return s->peer.client.len > 0;
    case GUARD_PER_CLIENT: return g->policy->ban_clients;
    case GUARD_PER_USER: return g->policy->ban_users;
    default: return false;
    }
}

/* turns_away tells whether a limit that is exceeded is about who merely comes. To come is no offence: a limit that logs
 * or bans did so when it was exceeded; only where there was no address to ban, as on a Unix socket, it refuses here. */
static bool turns_away(const struct guard_session *s, const struct guard_limit *l) {
    return l->act.action == GUARD_BAN ? !s->peer.client.len : l->act.action >= GUARD_DROP;
}

/* graver takes over a verdict where it does more than the one there is, or the same for longer. */
static void graver(struct verdict *v, const struct verdict *one) {
    if (!stops(v) || one->action > v->action || (one->action == v->action && one->ban > v->ban)) *v = *one;
}

/* limits_check counts `add` (0: nothing happened that counts, somebody comes) for every limit of a kind; true where one
 * is exceeded that stops, and v is what the gravest of them says, or said before. What happened counts for all of them:
 * who sends on behind a limit that drops shall reach the one that bans. `per` is a set of bits. Who is banned is
 * counted anew from then on; a counter the ban does not meet goes on, or one address given up would begin it anew for
 * all others. */
static bool limits_check(struct guard *g, struct guard_session *s, enum guard_what what, unsigned per, uint64_t add,
                         struct verdict *v) {
    const struct guard_policy *p = g->policy;
    bool exact = what == GUARD_WHAT_CONNECTS || what == GUARD_WHAT_LOGINS || what == GUARD_WHAT_VIOLATIONS;
    bool over = false;
    struct verdict one;
    for (size_t i = 0; i < p->limit_count; i++) {
        const struct guard_limit *l = &p->limits[i];
        if (l->what != what || !(per >> l->per & 1)) continue;
        if (!l->everyone && !who_fits(p, &l->who, s)) continue;
        if (!add && !turns_away(s, l)) continue;
        uint64_t subject = subject_of(g, s, l->per);
        if (!subject) continue;
        uint64_t count = limit_count(g->shared, g->o.writer, l, subject, add, exact, g->now);
        if (count <= l->max || !limit_over(g, s, l, &one)) continue;
        if (one.action == GUARD_BAN && ban_meets(g, s, l->per)) limit_clear(g->shared, g->o.writer, l, subject);
        if (one.action == GUARD_BAN && !add) one.action = GUARD_DISCONNECT;
        graver(v, &one);
        over = true;
    }
    return over;
}

/* Who is refused here is not counted as open. The key is the subject's own, whatever limits there are. */
static bool open_check(struct guard *g, struct guard_session *s, enum guard_per per, uint8_t flag, struct verdict *v) {
    const struct guard_policy *p = g->policy;
    uint64_t subject = subject_of(g, s, per), all = 0;
    bool counted = false, over = false;
    struct verdict one;
    for (size_t i = 0; i < p->limit_count; i++) {
        const struct guard_limit *l = &p->limits[i];
        if (l->what != GUARD_WHAT_CONNECTIONS ||
            (l->per != per && !(l->per == GUARD_PER_ALL && per == GUARD_PER_ADDRESS)))
            continue;
        if (!subject || (!l->everyone && !who_fits(p, &l->who, s))) continue;
        if (l->per == GUARD_PER_ALL) {
            uint64_t sum[GUARD_STAT_COUNT];
            guard_stats_sum(g->shared, sum);
            if (sum[GUARD_STAT_OPEN] <= l->max || !limit_over(g, s, l, &one)) continue;
        } else {
            if (!counted) all = open_count(g->shared, g->o.writer, subject, 1, g->now);
            counted = true;
            s->flags |= flag;
            if (all <= l->max || !limit_over(g, s, l, &one)) continue;
        }
        graver(v, &one);
        over = true;
    }
    return over;
}

struct verdict judge_peer(struct guard *g, struct guard_session *s) {
    struct verdict v = {0};
    struct ban_slot found;
    if (s->peer.client.len &&
        (policy_ban_address(g->policy, &s->peer.client, g->now + g->o.wall) ||
         ban_find_address(g->shared, &s->peer.client, g->now, &found)) &&
        ban_says(g, s, 0, (struct slice){0}, &v))
        return v;
    unsigned per = 1u << GUARD_PER_ADDRESS | 1u << GUARD_PER_ALL;
    if (limits_check(g, s, GUARD_WHAT_CONNECTS, per, 1, &v)) return v;
    if (limits_check(g, s, GUARD_WHAT_LOGINS, per, 0, &v)) return v;
    if (open_check(g, s, GUARD_PER_ADDRESS, SESSION_OPEN, &v)) return v;
    return (struct verdict){0};
}

struct verdict judge_subject(struct guard *g, struct guard_session *s, struct slice subject) {
    struct verdict v = {0};
    if (name_banned(g, s, GUARD_BAN_SUBJECT, 0, subject, &v)) return v;
    return (struct verdict){0};
}

static const unsigned ANY_PER = (1u << GUARD_PERS) - 1;

struct verdict judge_login(struct guard *g, struct guard_session *s) {
    struct verdict v = {0};
    if (limits_check(g, s, GUARD_WHAT_LOGINS, ANY_PER, 1, &v)) return v;
    return (struct verdict){0};
}

void judge_refused(struct guard *g, struct guard_session *s) {
    struct verdict v = {0};
    if (!limits_check(g, s, GUARD_WHAT_VIOLATIONS, ANY_PER, 1, &v) || v.action != GUARD_BAN) return;
    event_tell(g, s, &v);
    session_ban(g, s, &v);
}

static bool over(const struct guard *g, enum guard_maximum which, uint64_t value) {
    return value > g->policy->max[which].value;
}

/* maximum stops a packet for one of the single numbers. */
static bool maximum(struct guard *g, struct guard_session *s, enum guard_maximum which, uint64_t value, uint16_t field,
                    struct slice text, struct verdict *v) {
    if (!over(g, which, value)) return false;
    (void)judge_maximum(g, which, field, text, v);
    return judge_ended(g, s, v);
}

static bool topic_size(struct guard *g, struct guard_session *s, struct slice topic, uint16_t field,
                       struct verdict *v) {
    return maximum(g, s, GUARD_MAX_TOPIC_LENGTH, topic.n, field, topic, v) ||
           (topic.n && maximum(g, s, GUARD_MAX_TOPIC_DEPTH, topic_levels(topic), field, topic, v));
}

static bool connect_maxima(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    if (!(g->policy->versions >> (m->version & 7) & 1)) {
        *v = (struct verdict){
            .action = GUARD_DISCONNECT, .rule = "versions", .reason = "protocol version is not allowed", .code = 0x84};
        v->would = g->policy->log_only;
        if (judge_ended(g, s, v)) return true;
    }
    uint64_t keep = m->keep_alive ? m->keep_alive : g->policy->keep_alive_required ? UINT64_MAX : 0;
    return maximum(g, s, GUARD_MAX_CLIENT_ID, m->client_id.n, FID_MQTT_CLIENTID, m->client_id, v) ||
           maximum(g, s, GUARD_MAX_USER_NAME, m->user_name.n, FID_MQTT_USERNAME, m->user_name, v) ||
           maximum(g, s, GUARD_MAX_KEEP_ALIVE, keep, 0, (struct slice){0}, v) ||
           topic_size(g, s, m->will_topic, FID_MQTT_WILLTOPIC, v);
}

static bool subscribe_maxima(struct guard *g, struct guard_session *s, const struct mqtt_message *m,
                             struct verdict *v) {
    struct slice filters = m->filters, filter;
    uint64_t n = 0, fresh = 0;
    uint8_t options;
    while (mqtt_filter_next(&filters, m->head.type, &filter, &options)) {
        n++;
        if (topic_size(g, s, filter, FID_MQTT_TOPIC, v)) return true;
        fresh += !s->flight || !filters_have(s->flight, hash_bytes(g->shared->key, filter.p, filter.n));
        if (over(g, GUARD_MAX_FILTERS, n)) break;
    }
    if (maximum(g, s, GUARD_MAX_FILTERS, n, 0, (struct slice){0}, v)) return true;
    uint64_t have = s->flight ? s->flight->filter_count : 0;
    return m->head.type == MQTT_SUBSCRIBE &&
           maximum(g, s, GUARD_MAX_SUBSCRIPTIONS, have + fresh, 0, (struct slice){0}, v);
}

/* payload_total is how many bytes a PUBLISH's payload has, with what is not there yet. */
static uint64_t payload_total(const struct mqtt_message *m) {
    return m->payload.n + (m->cut ? (uint64_t)m->head.size + m->head.length - m->cut_at : 0);
}

static bool maxima(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    switch (m->head.type) {
    case MQTT_CONNECT: return connect_maxima(g, s, m, v);
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE: return subscribe_maxima(g, s, m, v);
    case MQTT_PUBLISH: {
        uint64_t flying = s->flight ? s->flight->sent[g->side].count : 0;
        bool aims = m->head.flags & 6;
        return topic_size(g, s, m->topic, FID_MQTT_TOPIC, v) ||
               maximum(g, s, GUARD_MAX_PAYLOAD, payload_total(m), 0, (struct slice){0}, v) ||
               (aims && maximum(g, s, GUARD_MAX_IN_FLIGHT, flying + 1, 0, (struct slice){0}, v)) ||
               (s->flight && s->flight->full && maximum(g, s, GUARD_MAX_ALIASES, UINT64_MAX, 0, (struct slice){0}, v));
    }
    default: return false;
    }
}

/* limits are those of clients; what the broker sends is its own business. */
static bool limits(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    if (m->head.type == MQTT_CONNECT) {
        unsigned named = 1u << GUARD_PER_CLIENT | 1u << GUARD_PER_USER;
        return limits_check(g, s, GUARD_WHAT_CONNECTS, named, 1, v) ||
               limits_check(g, s, GUARD_WHAT_LOGINS, named, 0, v) ||
               open_check(g, s, GUARD_PER_USER, SESSION_USER_OPEN, v) ||
               open_check(g, s, GUARD_PER_CLIENT, SESSION_CLIENT_OPEN, v);
    }
    if (g->side == GUARD_BROKER || !g->policy->limit_count) return false;
    bool over = m->head.type == MQTT_PUBLISH && limits_check(g, s, GUARD_WHAT_PUBLISHES, ANY_PER, 1, v);
    over |= limits_check(g, s, GUARD_WHAT_PACKETS, ANY_PER, 1, v);
    over |= limits_check(g, s, GUARD_WHAT_BYTES, ANY_PER, m->head.size + m->head.length, v);
    return over;
}

static bool filters_access(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    struct slice filters = m->filters, filter;
    uint8_t options;
    if (!(g->policy->access_kinds & GUARD_SUBSCRIBE)) return false;
    while (mqtt_filter_next(&filters, m->head.type, &filter, &options)) {
        if (access_filter(g, s, filter, v)) continue;
        if (g->policy->narrow && !v->whole) continue; /* what is denied of it is dropped when it is delivered */
        return true;
    }
    return false;
}

/* responses tells whether an answer is asked for where the client may not have one. */
static bool responses(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    return m->response.n && g->side == GUARD_CLIENT && !access_topic(g, s, GUARD_RESPONSE, m->response, v);
}

/* topics tells whether the packet's topics are denied. */
static bool topics(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    switch (m->head.type) {
    case MQTT_CONNECT: return m->connect_flags & MQTT_WILL && !(access_topic(g, s, GUARD_WILL, m->will_topic, v));
    case MQTT_PUBLISH: {
        unsigned kind = g->side == GUARD_CLIENT ? GUARD_PUBLISH : GUARD_RECEIVE;
        if (kind == GUARD_RECEIVE && g->policy->narrow) kind |= GUARD_SUBSCRIBE;
        return !access_topic(g, s, kind, m->topic, v);
    }
    case MQTT_SUBSCRIBE: return filters_access(g, s, m, v);
    default: return false;
    }
}

/* matched returns the value a record shows for a condition: its first field of MQTT, else its first one. */
static const struct fval *matched(const struct guard *g, const struct expr *when) {
    const struct want *want = expr_want(when);
    const struct fval *other = NULL;
    for (uint32_t i = 0; i < g->fields.n; i++) {
        const struct fval *f = &g->fields.v[i];
        uint8_t type = field_of(f->id)->type;
        if (!want_has(want, f->id) || type == FT_NONE || type == FT_PROTOCOL) continue;
        if (f->id > FID_MQTT && f->id < FID_MQTT_END) return f;
        if (!other) other = f;
    }
    return other;
}

static void matched_show(struct guard *g, const struct expr *when, struct verdict *v) {
    const struct fval *f = matched(g, when);
    if (!f) return;
    const struct field *field = field_of(f->id);
    v->field = f->id;
    v->value = f->s;
    if (field->type == FT_STRING || field->type == FT_BYTES) return;
    struct writer w = wr_fixed(g->text, TOPIC_MAX);
    print_value(&w, field, f);
    v->value = wr_done(&w);
}

static bool conditions(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    const struct guard_policy *p = g->policy;
    for (size_t i = 0; i < p->condition_count; i++) {
        const struct guard_condition *c = &p->conditions[i];
        if (c->types && !(c->types >> m->head.type & 1)) continue;
        if (c->sides && !(c->sides >> g->side & 1)) continue;
        if (!c->everyone && !who_fits(p, &c->who, s)) continue;
        bool unsure, fits = expr_ask(c->when, &g->fields, &unsure);
        if (unsure) fits = c->act.action != GUARD_ALLOW; /* what cannot be judged gains nobody anything */
        if (!fits) continue;
        if (c->act.action == GUARD_ALLOW) return false;
        (void)judge_act(g, &c->act, unsure ? "a condition is undecided at its limits" : "a condition is fulfilled", v);
        v->code = v->action == GUARD_DROP ? 0x87 : 0x98;
        matched_show(g, c->when, v);
        if (judge_ended(g, s, v)) return true;
    }
    return false;
}

static bool shapes(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    if (!g->policy->shape_count) return false;
    if (m->head.type == MQTT_CONNECT && m->connect_flags & MQTT_WILL)
        return !shape_check(g, s, m->will_topic, m->will_payload, m->will_payload.n, true, v);
    return m->head.type == MQTT_PUBLISH && !shape_check(g, s, m->topic, m->payload, payload_total(m), false, v);
}

struct verdict judge_packet(struct guard *g, struct guard_session *s) {
    const struct mqtt_message *m = g->m;
    struct verdict v = {0};
    if (gate(g, s, &v)) return v;
    if (m->head.type == MQTT_CONNECT && (name_banned(g, s, GUARD_BAN_USER, FID_MQTT_USERNAME, m->user_name, &v) ||
                                         name_banned(g, s, GUARD_BAN_CLIENT, FID_MQTT_CLIENTID, m->client_id, &v)))
        return v;
    if (maxima(g, s, m, &v) || limits(g, s, m, &v) || topics(g, s, m, &v) || responses(g, s, m, &v) ||
        conditions(g, s, m, &v) || rules_check(g, s, m, &v) || shapes(g, s, m, &v))
        return v;
    return (struct verdict){0};
}
