/* SPDX-License-Identifier: Apache-2.0 */
/* Access to topics.
 *
 * Theory of operation. Rules are tried in their order; the first that is about the session, the kind of access and the
 * topic decides, else the default. For a topic name an index gives the rules whose filters match.
 *
 * A subscription names many topics at once, and is denied when one of them would be: when a denying rule has a topic in
 * common with it (the meet of two filters is a filter again) that no single filter of an allowing rule before it
 * covers. Several allowing filters that cover it only together are not seen through: the answer errs on the safe side.
 * A subscription is also denied where what is behind $share/name/ is, and receiving is judged for each message again.
 */
#include "guard/session.h"

struct search {
    const struct guard_policy *p;
    const struct guard_names *names;
    unsigned kind;
    uint32_t best, note; /* first rule that fits, and first that only logs */
};

static bool about(const struct guard_names *n, uint32_t rule) {
    return n && rule / 64 < n->words && n->bits[rule / 64] >> rule % 64 & 1;
}

/* kinds_of returns the kinds a rule must have one of. Where a client asks for an answer on a topic, somebody else
 * publishes there in its stead: it may not ask for what it may not do, but for what it may listen to. */
static unsigned kinds_of(unsigned kind, bool allows) {
    if (kind != GUARD_RESPONSE) return kind;
    return allows ? GUARD_PUBLISH | GUARD_SUBSCRIBE | GUARD_RECEIVE : GUARD_PUBLISH;
}

static void rule_hit(void *to, uint32_t number, bool loose) {
    struct search *f = to;
    const struct guard_access *a = &f->p->access[number];
    bool allows = a->act.action == GUARD_ALLOW, logs = a->act.log_only || a->act.action == GUARD_LOG;
    if (!(a->kinds & kinds_of(f->kind, allows)) || !about(f->names, number) || (loose && allows)) return;
    uint32_t *first = logs ? &f->note : &f->best;
    if (number < *first) *first = number;
}

/* denied fills in a verdict; true where the packet may pass all the same, which the record then says. */
static bool denied(struct guard *g, struct guard_session *s, const struct guard_do *act, const char *reason,
                   struct slice topic, unsigned kind, struct verdict *v) {
    bool whole = v->whole, stops = judge_act(g, act, reason, v);
    v->field = kind == GUARD_WILL ? FID_MQTT_WILLTOPIC : kind == GUARD_RESPONSE ? FID_MQTT_PROP_STRING : FID_MQTT_TOPIC;
    v->value = topic;
    v->code = 0x87;
    v->whole = whole;
    if (!stops) event_tell(g, s, v);
    return !stops;
}

static bool one_topic(struct guard *g, struct guard_session *s, unsigned kind, struct slice topic, struct verdict *v) {
    const struct guard_policy *p = g->policy;
    struct search f = {p, s->names, kind, UINT32_MAX, UINT32_MAX};
    const char *denying = kind == GUARD_RESPONSE ? "a rule denies this response topic" : "a rule denies this topic";
    topic_index_match(p->access_index, topic, &g->names, rule_hit, &f);
    if (f.note < f.best) (void)denied(g, s, &p->access[f.note].act, denying, topic, kind, v);
    if (f.best != UINT32_MAX) {
        const struct guard_do *act = &p->access[f.best].act;
        return act->action == GUARD_ALLOW || denied(g, s, act, denying, topic, kind, v);
    }
    return !p->access_deny || denied(g, s, &p->access_act, NULL, topic, kind, v);
}

/* delayed returns the topic some brokers publish to after a while: what is behind $delayed/seconds/. */
static struct slice delayed(struct slice topic) {
    struct slice rest = slice_tail(topic, sizeof "$delayed/" - 1);
    const uint8_t *at = rest.n && slice_starts(topic, SLICE("$delayed/")) ? memchr(rest.p, '/', rest.n) : NULL;
    return at ? slice_tail(rest, (size_t)(at - rest.p) + 1) : (struct slice){0};
}

bool access_topic(struct guard *g, struct guard_session *s, unsigned kind, struct slice topic, struct verdict *v) {
    if (!(g->policy->access_kinds & kinds_of(kind, false))) return true;
    g->names = (struct topic_names){names_client(s->names), names_user(s->names)};
    struct slice behind = delayed(topic);
    return one_topic(g, s, kind, topic, v) && (!behind.n || one_topic(g, s, kind, behind, v));
}

/* covered tells whether a rule before `end` allows all of a set of topics. */
static bool covered(struct guard *g, struct guard_session *s, size_t end, struct slice set, unsigned kind) {
    const struct guard_policy *p = g->policy;
    struct slice filter;
    for (size_t i = 0; i < end; i++) {
        const struct guard_access *a = &p->access[i];
        if (a->act.action != GUARD_ALLOW || !(a->kinds & kind) || !about(s->names, (uint32_t)i)) continue;
        for (size_t k = 0; k < a->topics.n; k++)
            if (topic_expand(a->topics.item[k], &g->names, (struct slice){0}, g->text2, &filter) &&
                topic_covers(filter, set))
                return true;
    }
    return false;
}

/* any_allowed tells whether some rule allows a topic of the filter. */
static bool any_allowed(struct guard *g, struct guard_session *s, struct slice filter) {
    const struct guard_policy *p = g->policy;
    struct slice allowing, common;
    for (size_t i = 0; i < p->access_count; i++) {
        const struct guard_access *a = &p->access[i];
        if (a->act.action != GUARD_ALLOW || !(a->kinds & GUARD_SUBSCRIBE) || !about(s->names, (uint32_t)i)) continue;
        for (size_t k = 0; k < a->topics.n; k++)
            if (topic_expand(a->topics.item[k], &g->names, (struct slice){0}, g->text2, &allowing) &&
                topic_meet(filter, allowing, g->text, &common))
                return true;
    }
    return false;
}

static bool one_filter(struct guard *g, struct guard_session *s, struct slice filter, struct verdict *v) {
    const struct guard_policy *p = g->policy;
    struct slice denying, common;
    for (size_t i = 0; i < p->access_count; i++) {
        const struct guard_access *a = &p->access[i];
        if (a->act.action == GUARD_ALLOW || !(a->kinds & GUARD_SUBSCRIBE) || !about(s->names, (uint32_t)i)) continue;
        for (size_t k = 0; k < a->topics.n; k++) {
            if (!topic_expand(a->topics.item[k], &g->names, SLICE("+"), g->text2, &denying) ||
                !topic_meet(filter, denying, g->text, &common) || covered(g, s, i, common, GUARD_SUBSCRIBE))
                continue;
            v->whole = topic_covers(denying, filter);
            if (!denied(g, s, &a->act, "the subscription could match a denied topic", filter, GUARD_SUBSCRIBE, v))
                return false;
        }
    }
    if (!p->access_deny || covered(g, s, p->access_count, filter, GUARD_SUBSCRIBE)) return true;
    v->whole = !any_allowed(g, s, filter);
    return denied(g, s, &p->access_act, "no rule allows all of this subscription", filter, GUARD_SUBSCRIBE, v);
}

bool access_filter(struct guard *g, struct guard_session *s, struct slice filter, struct verdict *v) {
    if (!(g->policy->access_kinds & GUARD_SUBSCRIBE)) return true;
    g->names = (struct topic_names){names_client(s->names), names_user(s->names)};
    return one_filter(g, s, topic_subscription(filter), v);
}
