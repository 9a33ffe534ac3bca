/* SPDX-License-Identifier: Apache-2.0 */
/* Audit records: what a verdict becomes for those who read along. Values are cut and secrets left out here, before
 * anybody sees them. */
#include "guard/session.h"

#include "flow/eve.h"

enum { VALUE_MAX = 128, TOPIC_SHOWN = 256, NAME_SHOWN = 128, IP_TCP = 6 };

static const char *const actions[] = {
    [GUARD_ALLOW] = "allow",           [GUARD_LOG] = "log", [GUARD_DROP] = "drop",
    [GUARD_DISCONNECT] = "disconnect", [GUARD_BAN] = "ban",
};
_Static_assert(sizeof actions / sizeof *actions == GUARD_ACTIONS, "every action has its name");

/* told_too_often keeps who is attacked from being flooded with records of it. Refused logins are always told. */
static bool told_too_often(struct guard *g, const struct verdict *v) {
    int64_t second = g->now / 1000000000;
    unsigned rate = g->policy->audit_rate;
    if (!rate || v->login) return false;
    if (g->told_second != second) {
        g->told_second = second;
        g->told_count = 0;
    }
    return ++g->told_count > rate;
}

void event_tell(struct guard *g, struct guard_session *s, const struct verdict *v) {
    const struct mqtt_message *m = g->m;
    struct region *r = guard_region(g);
    if (v->would) stat_add(r, GUARD_STAT_WOULD_BLOCK, 1);
    else if (v->action == GUARD_LOG) stat_add(r, GUARD_STAT_LOGGED, 1);
    if (told_too_often(g, v)) {
        stat_add(r, GUARD_STAT_SUPPRESSED, 1);
        return;
    }
    stat_add(r, GUARD_STAT_AUDIT, 1);
    if (!g->o.event) return;
    const struct field *f = v->field ? field_of(v->field) : NULL;
    struct guard_event e = {
        .now = g->now,
        .session = s,
        .action = v->action,
        .would = v->would,
        .side = (uint8_t)g->side,
        .type = m ? m->head.type : 0,
        .rule = v->rule ? v->rule
                : v->by ? v->by->id
                        : "guard",
        .reason = v->reason,
        .clause = v->clause,
        .field = f ? f->name : NULL,
        .value = f && f->secret ? (struct slice){0} : slice_head(v->value, VALUE_MAX),
        .topic =
            m ? slice_head(m->head.type == MQTT_CONNECT ? m->will_topic : m->topic, TOPIC_SHOWN) : (struct slice){0},
        .frame = g->frame,
        .code = v->code,
        .login = v->login,
    };
    g->o.event(g->o.to, &e);
}

static struct slice shown(struct slice name) { return slice_head(name, NAME_SHOWN); }

static void mqtt_object(struct writer *w, const struct guard_event *e) {
    const struct guard_session *s = e->session;
    struct slice client = guard_client_id(s), subject = guard_subject(s);
    const char *type = e->type ? field_value_name(&vals_mqtt_type, e->type) : NULL;
    wr_s(w, ",\"mqtt\":{\"sender\":\"");
    wr_s(w, e->side == GUARD_CLIENT ? "client\"" : "broker\"");
    if (type) json_member(w, "type", slice_str(type));
    if (s->conv.version) {
        wr_s(w, ",\"protocol_version\":");
        wr_u(w, s->conv.version);
    }
    if (client.n) json_member(w, "client_id", shown(client));
    if (s->names && s->names->has_user) json_member(w, "username", shown(guard_user_name(s)));
    if (subject.n) json_member(w, "certificate", shown(subject));
    if (e->topic.n) json_member(w, "topic", e->topic);
    if (e->code) {
        wr_s(w, ",\"reason_code\":");
        wr_u(w, e->code);
    }
    wr_c(w, '}');
}

void guard_event_json(struct writer *w, const struct guard_event *e, int64_t wall) {
    const struct guard_peer *p = &e->session->peer;
    struct flow_ends ends = {IP_TCP, &p->client, &p->local, p->client_port, p->local_port};
    eve_begin(
        w,
        &(struct eve_head){
            .ts = e->now + wall, .type = "alert", .flow_id = p->id, .frame = e->frame, .ends = &ends, .app = "mqtt"});
    wr_s(w, ",\"alert\":{\"action\":\"");
    wr_s(w, e->would ? "would_block" : actions[e->action]);
    wr_c(w, '"');
    if (e->would) json_member(w, "would", slice_str(actions[e->action]));
    json_member(w, "rule", slice_str(e->rule));
    if (e->reason) json_member(w, "signature", slice_str(e->reason));
    if (e->clause) json_member(w, "clause", slice_str(e->clause));
    if (e->field) json_member(w, "field", slice_str(e->field));
    if (e->field && e->value.n) json_member(w, "value", e->value);
    wr_c(w, '}');
    mqtt_object(w, e);
    wr_s(w, "}\n");
}

/* word writes a name without what could look like the rest of the line. */
static void word(struct writer *w, struct slice s) {
    s = shown(s);
    for (size_t i = 0; i < s.n; i++)
        wr_c(w, s.p[i] > ' ' && s.p[i] < 0x7f && s.p[i] != '"' && s.p[i] != '\\' ? (char)s.p[i] : '?');
}

void guard_event_login(struct writer *w, const struct guard_event *e, int64_t wall) {
    const struct guard_session *s = e->session;
    eve_time(w, e->now + wall);
    wr_s(w, " weir-guard login refused from ");
    if (s->peer.client.len) guard_address_write(w, &s->peer.client);
    else wr_s(w, "unix");
    wr_s(w, " port ");
    wr_u(w, s->peer.client_port);
    wr_s(w, " user \"");
    word(w, guard_user_name(s));
    wr_s(w, "\" client \"");
    word(w, guard_client_id(s));
    wr_s(w, "\" code ");
    wr_u(w, e->code);
    wr_c(w, '\n');
}
