/* SPDX-License-Identifier: Apache-2.0 */
/* Rule files on MQTT packets.
 *
 * Theory of operation: a guard has one transaction for all its sessions, used again for every packet, and one store for
 * the collections of the rules (IP, USER, SESSION, GLOBAL), which outlives the policy. A packet's parts become
 * variables as guard/rules/rules.h says; the password is looked at and never told. A payload of which only a window is
 * held is judged by its window. A rule set that refuses a packet does so with the policy's action for rule files (drop,
 * unless it says otherwise); `drop` of a rule itself is a disconnect. A packet that reached a limit of the inspection
 * (too many values, a regular expression's match limit) is refused as well, unless the policy lets it pass. */
#include "guard/policy.h"
#include "guard/rules.h"

#include <stdio.h>

enum { STORE_VALUES = 200000, ID_TEXT = 24, MESSAGE_TEXT = 200 };

int rules_renew(struct guard *g) {
    const struct rules_set *set = g->policy->rule_files.set;
    struct rules_tx *fresh = NULL;
    if (set && !g->rules_store && !(g->rules_store = rules_store_make(STORE_VALUES))) return ERR_NOMEM;
    if (set && !(fresh = rules_tx_make(set, g->rules_store))) return ERR_NOMEM;
    rules_tx_free(g->rules_tx);
    g->rules_tx = fresh;
    return 0;
}

void rules_end(struct guard *g) {
    rules_tx_free(g->rules_tx);
    rules_store_free(g->rules_store);
}

static struct slice number_text(struct guard *g, uint64_t v) {
    char *out = arena_get(&g->arena, ID_TEXT);
    struct writer w = wr_fixed(out, out ? ID_TEXT : 0);
    if (out) wr_u(&w, v);
    return out ? wr_done(&w) : SLICE("0");
}

/* identity gives who speaks: at CONNECT the session does not know yet. */
static void identity(struct guard *g, const struct guard_session *s, const struct mqtt_message *m) {
    struct slice none = {0}, user = m->head.type == MQTT_CONNECT ? m->user_name : guard_user_name(s);
    char *text = arena_get(&g->arena, 64);
    struct writer w = wr_fixed(text, text ? 64 : 0);
    if (text && s->peer.client.len) {
        guard_address_write(&w, &s->peer.client);
        rules_tx_add(g->rules_tx, RULES_REMOTE_ADDR, none, wr_done(&w));
        rules_tx_add(g->rules_tx, RULES_REMOTE_PORT, none, number_text(g, s->peer.client_port));
    }
    if (user.n) rules_tx_add(g->rules_tx, RULES_REMOTE_USER, none, user);
    struct slice id = number_text(g, s->peer.id);
    rules_tx_add(g->rules_tx, RULES_SESSION_ID, none, id);
    rules_tx_add(g->rules_tx, RULES_UNIQUE_ID, none, id);
}

static void argument(struct guard *g, const char *name, struct slice value) {
    if (value.n) rules_tx_add(g->rules_tx, RULES_ARGS, slice_str(name), value);
}

/* properties gives the user properties of MQTT 5, each under its own name. */
static void properties(struct guard *g) {
    const struct fval *key = NULL;
    for (uint32_t i = 0; i < g->fields.n; i++) {
        const struct fval *v = &g->fields.v[i];
        if (v->id == FID_MQTT_PROP_KEY) key = v;
        if (v->id != FID_MQTT_PROP_VALUE || !key) continue;
        rules_tx_add(g->rules_tx, RULES_ARGS, key->s, v->s);
        key = NULL;
    }
}

static void filters(struct guard *g, const struct mqtt_message *m) {
    struct slice rest = m->filters, filter;
    uint8_t options;
    while (mqtt_filter_next(&rest, m->head.type, &filter, &options)) argument(g, "filter", filter);
}

static void connect_parts(struct guard *g, const struct mqtt_message *m) {
    const struct fval *password = fv_first(&g->fields, FID_MQTT_PASSWD, 0, g->fields.n);
    argument(g, "client_id", m->client_id);
    argument(g, "user", m->user_name);
    if (password) argument(g, "password", password->s);
    argument(g, "will_topic", m->will_topic);
    argument(g, "will_payload", m->will_payload);
}

static void packet(struct guard *g, const struct mqtt_message *m) {
    switch (m->head.type) {
    case MQTT_CONNECT: connect_parts(g, m); break;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE: filters(g, m); break;
    case MQTT_PUBLISH:
        rules_tx_topic(g->rules_tx, m->topic);
        rules_tx_payload(g->rules_tx, m->payload);
        break;
    default: break;
    }
    properties(g);
    rules_tx_fields(g->rules_tx, &g->fields);
}

static bool judged(uint8_t type) {
    return type == MQTT_CONNECT || type == MQTT_PUBLISH || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE;
}

static const char *kept(struct guard *g, struct slice text) {
    text = slice_head(text, MESSAGE_TEXT);
    char *out = arena_get(&g->arena, text.n + 1);
    if (!out) return NULL;
    memcpy(out, text.p, text.n);
    out[text.n] = 0;
    return out;
}

/* The rule that is named is the first finding, not the sum that decided: an operator looks for that one. */
static void name_rule(struct guard *g, const struct rules_verdict *r, struct verdict *v) {
    char *id = arena_get(&g->arena, ID_TEXT);
    uint32_t number = r->n_ids ? r->ids[0] : r->by;
    if (id && number) v->rule = (snprintf(id, ID_TEXT, "rule.%u", number), id);
    const char *msg = r->msg.n ? kept(g, r->msg) : NULL;
    if (msg) v->reason = msg;
    v->field = g->m->head.type == MQTT_PUBLISH ? FID_MQTT_MSG : 0;
    if (slice_eq(r->matched_name, SLICE("topic")) || slice_eq(r->matched_name, SLICE("REQUEST_FILENAME")))
        v->field = FID_MQTT_TOPIC;
    bool secret = slice_eq(r->matched_name, SLICE("password")) || slice_eq(r->matched_name, SLICE("passwd"));
    v->value = secret ? (struct slice){0} : r->matched_value;
}

bool rules_check(struct guard *g, struct guard_session *s, const struct mqtt_message *m, struct verdict *v) {
    const struct guard_rule_files *p = &g->policy->rule_files;
    struct rules_verdict *r = &g->rules_verdict;
    if (!g->rules_tx || !judged(m->head.type) || !(p->sides >> g->side & 1)) return false;
    rules_tx_start(g->rules_tx, g->now + g->o.wall);
    identity(g, s, m);
    packet(g, m);
    rules_tx_judge(g->rules_tx, r);
    bool refused = r->action == RULES_BLOCK || r->action == RULES_DROP, limited = r->limited && !p->pass_limited;
    if (!refused && !limited && r->action != RULES_WOULD_BLOCK) return false;
    (void)judge_act(g, &p->act, refused ? "a rule file refuses it" : "it needs more work than rule files may do", v);
    if (r->action == RULES_DROP) v->action = GUARD_DISCONNECT;
    if (r->action == RULES_WOULD_BLOCK && !limited) v->would = true;
    v->code = v->action == GUARD_DROP ? 0x87 : 0x98;
    name_rule(g, r, v);
    return judge_ended(g, s, v);
}
