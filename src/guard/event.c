/* SPDX-License-Identifier: Apache-2.0 */
/* Audit records: what a verdict becomes for those who read along. Values are cut and secrets left out here, before
 * anybody sees them. */
#include "guard/session.h"

#include "base/utf8.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <time.h>

enum { VALUE_MAX = 128, TOPIC_SHOWN = 256, NAME_SHOWN = 128 };

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
    if (v->by && v->by->number < GUARD_RULES_MAX && v->by->number < g->policy->rule_count &&
        g->policy->rule_ids[v->by->number] == v->by->id)
        r->hits[v->by->number]++;
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

/* json_text writes a string; bytes that are no UTF-8 become \ufffd, control characters their escapes. */
static void json_text(struct writer *w, struct slice s) {
    wr_c(w, '"');
    while (s.n) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (!n) {
            wr_s(w, "\\ufffd");
            n = 1;
        } else if (code == '"' || code == '\\') {
            wr_c(w, '\\');
            wr_c(w, (char)code);
        } else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029) {
            wr_s(w, "\\u");
            wr_hex(w, code, 4);
        } else {
            wr_slice(w, slice_head(s, n));
        }
        s = slice_tail(s, n);
    }
    wr_c(w, '"');
}

static void json_member(struct writer *w, const char *name, struct slice value) {
    wr_s(w, ",\"");
    wr_s(w, name);
    wr_s(w, "\":");
    json_text(w, value);
}

static void json_address(struct writer *w, const char *name, const struct net_addr *a) {
    wr_s(w, ",\"");
    wr_s(w, name);
    wr_s(w, "\":\"");
    if (a->len) guard_address_write(w, a);
    else wr_s(w, "unix");
    wr_c(w, '"');
}

static void time_write(struct writer *w, int64_t ns) {
    char buf[40];
    time_t seconds = (time_t)(ns / 1000000000);
    int64_t rest = ns % 1000000000;
    struct tm tm;
    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    gmtime_r(&seconds, &tm);
    size_t n = strftime(buf, sizeof buf, "%Y-%m-%dT%H:%M:%S", &tm);
    wr_bytes(w, buf, n);
    wr_f(w, ".%06u+0000", (unsigned)(rest / 1000));
}

static void base64(struct writer *w, const uint8_t *p, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0u);
        wr_c(w, digits[v >> 18]);
        wr_c(w, digits[v >> 12 & 63]);
        wr_c(w, i + 1 < n ? digits[v >> 6 & 63] : '=');
        wr_c(w, i + 2 < n ? digits[v & 63] : '=');
    }
}

/* community_id writes the flow's Community ID, version 1 with seed 0: the ends in ascending order. */
static void community_id(struct writer *w, const struct guard_peer *p) {
    uint8_t in[2 + 2 * 16 + 2 + 4], digest[SHA_DIGEST_LENGTH];
    size_t n = p->client.len, at = 2;
    if (!n || n != p->local.len) return;
    int order = memcmp(p->client.bytes, p->local.bytes, n);
    bool client_first = order < 0 || (order == 0 && p->client_port < p->local_port);
    const struct net_addr *first = client_first ? &p->client : &p->local,
                          *second = client_first ? &p->local : &p->client;
    uint16_t port[2] = {client_first ? p->client_port : p->local_port, client_first ? p->local_port : p->client_port};
    in[0] = in[1] = 0;
    memcpy(in + at, first->bytes, n);
    memcpy(in + at + n, second->bytes, n);
    at += 2 * n;
    in[at++] = 6; /* TCP */
    in[at++] = 0;
    for (int i = 0; i < 2; i++) {
        in[at++] = (uint8_t)(port[i] >> 8);
        in[at++] = (uint8_t)port[i];
    }
    SHA1(in, at, digest);
    wr_s(w, ",\"community_id\":\"1:");
    base64(w, digest, sizeof digest);
    wr_c(w, '"');
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
    wr_s(w, "{\"timestamp\":\"");
    time_write(w, e->now + wall);
    wr_s(w, "\",\"flow_id\":");
    wr_u(w, p->id);
    wr_s(w, ",\"event_type\":\"alert\"");
    if (e->frame) {
        wr_s(w, ",\"pcap_cnt\":");
        wr_u(w, e->frame);
    }
    json_address(w, "src_ip", &p->client);
    wr_s(w, ",\"src_port\":");
    wr_u(w, p->client_port);
    json_address(w, "dest_ip", &p->local);
    wr_s(w, ",\"dest_port\":");
    wr_u(w, p->local_port);
    wr_s(w, ",\"proto\":\"TCP\",\"app_proto\":\"mqtt\"");
    community_id(w, p);
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
    time_write(w, e->now + wall);
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
