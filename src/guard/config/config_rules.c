/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says of the policy: bans, limits, groups, topics, conditions, payloads, maxima, anomalies. */
#include "guard/config/config_yaml.h"

#include "expr/expr.h"
#include "guard/schema.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct choice modes = {(const char *const[]){"enforce", "log"}, 2};
static const struct range one_and_more = {1, UINT64_MAX};

static void read_mode(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = 0;
    read_choice(b, n, &which, arg);
    *(bool *)at = which;
}

/* read_action reads "drop", "ban 10m" and their kin into a struct guard_do. */
static void read_action(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    static const char *const names[] = {
        [GUARD_ALLOW] = "allow",           [GUARD_LOG] = "log", [GUARD_DROP] = "drop",
        [GUARD_DISCONNECT] = "disconnect", [GUARD_BAN] = "ban",
    };
    _Static_assert(sizeof names / sizeof *names == GUARD_ACTIONS, "every action has its name");
    struct guard_do *act = at;
    struct slice s;
    (void)arg;
    if (!bind_text(b, n, &s)) return;
    for (size_t i = 0; i < GUARD_ACTIONS; i++) {
        if (!slice_eq(s, slice_str(names[i]))) continue;
        act->action = (enum guard_action)i;
        act->ban = INT64_C(600000000000);
        return;
    }
    if (slice_starts(s, SLICE("ban ")) && bind_time(slice_tail(s, 4), &act->ban)) act->action = GUARD_BAN;
    else
        bind_wrong(b, n, "'%.*s' is none of: allow, log, drop, disconnect, ban, ban 10m, ban forever",
                   (int)slice_head(s, 40).n, s.p);
}

static void read_listener_bits(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    static const struct range numbers = {0, 31};
    size_t count = 0;
    (void)arg;
    const uint64_t *list = bind_each(b, n, sizeof *list, 32, read_number, &numbers, &count);
    for (size_t i = 0; i < count; i++) *(uint32_t *)at |= 1u << list[i];
}

static void read_prefix(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct slice s;
    (void)arg;
    if (bind_text(b, n, &s) && !guard_prefix_read(s, at))
        bind_wrong(b, n, "'%.*s' is no address or prefix; write 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32",
                   (int)slice_head(s, 60).n, s.p);
}

static void read_prefixes(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_who *w = at;
    (void)arg;
    w->prefixes = bind_each(b, n, sizeof *w->prefixes, 100000, read_prefix, NULL, &w->prefix_count);
}

static void read_group_name(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    read_slice(b, n, at, arg);
    if (b->groups < BIND_GROUPS_MAX) {
        b->group[b->groups].node = n;
        b->group[b->groups++].name = *(struct slice *)at;
    }
}

static void read_group_names(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_list *l = at;
    l->item = bind_each(b, n, sizeof *l->item, 1000, read_group_name, arg, &l->n);
}

void groups_check(struct bind *b) {
    for (size_t i = 0; i < b->groups; i++) {
        bool known = false;
        for (size_t k = 0; k < b->p->group_count && !known; k++)
            known = guard_glob(b->group[i].name, b->p->groups[k].name);
        if (!known)
            bind_wrong(b, b->group[i].node, "there is no group '%.*s'; `groups` describes them",
                       (int)slice_head(b->group[i].name, 60).n, b->group[i].name.p);
    }
}

#define ACT_KEYS(type)                                                                                                 \
    {"id", read_text, offsetof(struct type, act.id)}, {"reason", read_text, offsetof(struct type, act.reason)},        \
        {"action", read_action, offsetof(struct type, act)}, {                                                         \
        "mode", read_mode, offsetof(struct type, act.log_only), &modes                                                 \
    }
#define WHO_KEYS(type)                                                                                                 \
    {"users", read_texts, offsetof(struct type, who.users)},                                                           \
        {"clients", read_texts, offsetof(struct type, who.clients)},                                                   \
        {"certificates", read_texts, offsetof(struct type, who.certificates)},                                         \
        {"groups", read_group_names, offsetof(struct type, who.groups)},                                               \
        {"addresses", read_prefixes, offsetof(struct type, who)},                                                      \
        {"listeners", read_listener_bits, offsetof(struct type, who.listeners)}, {                                     \
        "anonymous", read_bool, offsetof(struct type, who.anonymous)                                                   \
    }

static bool everyone(const struct guard_who *w) {
    return !w->users.n && !w->clients.n && !w->certificates.n && !w->groups.n && !w->prefix_count && !w->listeners &&
           !w->anonymous;
}

/* named gives a rule that has no id the name of its place. */
static void named(struct bind *b, struct guard_do *act, const char *part, size_t number) {
    char text[64];
    if (act->id) return;
    int n = snprintf(text, sizeof text, "%s[%zu]", part, number);
    char *id = bind_get(b, (size_t)n + 1);
    if (id) memcpy(id, text, (size_t)n);
    act->id = id ? id : part;
}

static void topics_ok(struct bind *b, const yaml_node_t *n, const struct guard_list *l) {
    for (size_t i = 0; i < l->n; i++)
        if (!topic_filter_ok(l->item[i]))
            bind_wrong(b, n, "'%.*s' is no topic filter: # stands alone at the end, + is a whole level",
                       (int)slice_head(l->item[i], 80).n, l->item[i].p);
}

static void read_filters(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    read_texts(b, n, at, arg);
    topics_ok(b, n, at);
}

/* Limits. */

static const struct choice pers = {(const char *const[]){"address", "client", "user", "all"}, 4};
static const struct choice whats = {
    (const char *const[]){"connections", "connects", "refused_logins", "publishes", "bytes", "packets", "refused"}, 7};

struct limit_draft {
    struct guard_do act;
    struct guard_who who;
    uint8_t per, what;
    uint64_t max;
    int64_t window;
};

static const struct key limit_keys[] = {
    ACT_KEYS(limit_draft),
    WHO_KEYS(limit_draft),
    {"per", read_choice, offsetof(struct limit_draft, per), &pers},
    {"what", read_choice, offsetof(struct limit_draft, what), &whats},
    {"max", read_size, offsetof(struct limit_draft, max)},
    {"window", read_time, offsetof(struct limit_draft, window)},
};

static void read_limit(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct limit_draft d = {.act = {.action = GUARD_DROP}, .what = UINT8_MAX, .max = UINT64_MAX};
    (void)at, (void)arg;
    bind_map(b, n, KEYS(limit_keys), &d, "a limit");
    if (!bind_is_map(n)) return;
    if (d.what == UINT8_MAX || d.max == UINT64_MAX) bind_wrong(b, n, "a limit needs 'what' it counts and a 'max'");
    else if (d.what != GUARD_WHAT_CONNECTIONS && d.window <= 0)
        bind_wrong(b, n, "this limit needs a 'window', such as 10s");
    else if (d.window > INT64_C(7) * 86400 * 1000000000) bind_wrong(b, n, "a window is at most 7d long");
    else if (d.act.action == GUARD_ALLOW)
        bind_wrong(b, n, "a limit does not allow anything; its action is log, drop, disconnect or ban");
    struct guard_limit *l =
        guard_policy_limit(b->p, d.act.id, (enum guard_per)d.per, GUARD_WHAT_CONNECTS, d.max, d.window);
    if (!l) return;
    if (d.what < GUARD_WHATS) l->what = (enum guard_what)d.what;
    l->act = d.act;
    l->who = d.who;
    l->everyone = everyone(&d.who);
    named(b, &l->act, "limits", b->p->limit_count - 1);
}

void read_limits(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    size_t count;
    (void)at, (void)arg;
    b->p->limits_given = true;
    (void)bind_each(b, n, 1, GUARD_LIMITS_MAX, read_limit, NULL, &count);
}

/* Bans. */

struct ban_draft {
    struct guard_policy_ban ban;
    struct slice address, user, client, certificate;
    struct slice until;
};

static const struct key ban_keys[] = {
    {"address", read_slice, offsetof(struct ban_draft, address)},
    {"user", read_slice, offsetof(struct ban_draft, user)},
    {"client", read_slice, offsetof(struct ban_draft, client)},
    {"certificate", read_slice, offsetof(struct ban_draft, certificate)},
    {"reason", read_slice, offsetof(struct ban_draft, ban.reason)},
    {"until", read_slice, offsetof(struct ban_draft, until)},
};

/* read_until reads 2027-01-31 or 2027-01-31T12:00:00Z, UTC. */
static bool read_until(struct slice s, int64_t *ns) {
    char buf[32];
    struct tm tm = {0};
    if (s.n >= sizeof buf) return false;
    memcpy(buf, s.p, s.n);
    buf[s.n] = 0;
    const char *end = strptime(buf, "%Y-%m-%d", &tm);
    if (end && (*end == 'T' || *end == ' ')) end = strptime(end + 1, "%H:%M:%S", &tm);
    if (end && *end == 'Z') end++;
    if (!end || *end) return false;
    *ns = (int64_t)timegm(&tm) * 1000000000;
    return true;
}

static void read_ban(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct ban_draft d = {.ban = {.until = INT64_MAX}};
    (void)arg;
    if (bind_is_map(n)) bind_map(b, n, KEYS(ban_keys), &d, "a ban");
    else if (!bind_text(b, n, &d.address)) return;
    struct slice all[GUARD_BAN_KINDS] = {d.address, d.user, d.client, d.certificate};
    unsigned given = 0;
    for (unsigned k = 0; k < GUARD_BAN_KINDS; k++) {
        if (!all[k].n) continue;
        given++;
        d.ban.kind = (enum guard_ban_kind)k;
        d.ban.name = all[k];
    }
    if (given != 1) bind_wrong(b, n, "a ban is about one of: address, user, client, certificate");
    else if (d.address.n && !guard_prefix_read(d.address, &d.ban.prefix))
        bind_wrong(b, n, "'%.*s' is no address or prefix", (int)slice_head(d.address, 60).n, d.address.p);
    if (d.until.n && !read_until(d.until, &d.ban.until))
        bind_wrong(b, n, "'%.*s' is no date; write 2027-01-31 or 2027-01-31T12:00:00Z", (int)slice_head(d.until, 40).n,
                   d.until.p);
    *(struct guard_policy_ban *)at = d.ban;
}

void read_bans(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    (void)at, (void)arg;
    b->p->bans = bind_each(b, n, sizeof *b->p->bans, GUARD_BANS_MAX, read_ban, NULL, &b->p->ban_count);
}

/* Groups. */

static const struct key group_keys[] = {
    {"users", read_texts, offsetof(struct guard_group, users)},
    {"clients", read_texts, offsetof(struct guard_group, clients)},
    {"certificates", read_texts, offsetof(struct guard_group, certificates)},
};

struct groups {
    struct guard_group *list;
    size_t n;
};

static void read_group(struct bind *b, const yaml_node_t *key, const yaml_node_t *value, void *to) {
    struct groups *all = to;
    struct guard_group *g = &all->list[all->n++];
    read_slice(b, key, &g->name, NULL);
    bind_map(b, value, KEYS(group_keys), g, "a group");
}

void read_groups(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    (void)at, (void)arg;
    size_t count = bind_is_map(n) ? (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start) : 0;
    struct groups all = {bind_get(b, (count + 1) * sizeof(struct guard_group)), 0};
    if (!all.list) return;
    bind_pairs(b, n, read_group, &all, "groups");
    b->p->groups = all.list;
    b->p->group_count = all.n;
}

/* Topics. */

static const struct choice kinds = {(const char *const[]){"publish", "subscribe", "receive", "will", "all"}, 5};

static void read_kind(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = 0;
    (void)arg;
    read_choice(b, n, &which, &kinds);
    *(uint8_t *)at = which == 4 ? GUARD_ANY_ACCESS : (uint8_t)(1u << which);
}

static void read_kinds(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    size_t count = 0;
    (void)arg;
    const uint8_t *list = bind_each(b, n, 1, 16, read_kind, NULL, &count);
    for (size_t i = 0; i < count; i++) *(uint8_t *)at |= list[i];
}

struct access_draft {
    struct guard_do act;
    struct guard_who who;
    struct guard_list topics;
    uint8_t allow, deny;
};

static const struct key access_keys[] = {
    ACT_KEYS(access_draft),
    WHO_KEYS(access_draft),
    {"allow", read_kinds, offsetof(struct access_draft, allow)},
    {"deny", read_kinds, offsetof(struct access_draft, deny)},
    {"to", read_filters, offsetof(struct access_draft, topics)},
    {"topics", read_filters, offsetof(struct access_draft, topics)},
};

static void read_access(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct access_draft d = {.act = {.action = GUARD_DROP}};
    (void)arg;
    bind_map(b, n, KEYS(access_keys), &d, "a rule on topics");
    if (!bind_is_map(n)) return;
    if (!d.allow == !d.deny)
        bind_wrong(b, n, "a rule on topics has either 'allow' or 'deny', with: publish, subscribe, receive, will, all");
    if (!d.topics.n) bind_wrong(b, n, "a rule on topics needs 'to', a list of topic filters");
    if (d.deny && d.act.action == GUARD_ALLOW) bind_wrong(b, n, "a rule that denies cannot have the action 'allow'");
    if (d.allow) d.act.action = GUARD_ALLOW;
    *(struct guard_access *)at = (struct guard_access){d.act, d.allow | d.deny, d.who, d.topics};
}

static void read_access_list(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_policy *p = b->p;
    (void)at, (void)arg;
    p->access = bind_each(b, n, sizeof *p->access, GUARD_RULES_MAX, read_access, NULL, &p->access_count);
    for (size_t i = 0; i < p->access_count; i++) named(b, &p->access[i].act, "topics", i);
}

static const struct choice defaults = {(const char *const[]){"allow", "deny"}, 2};
static const struct choice subscriptions = {(const char *const[]){"refuse", "narrow"}, 2};

struct topics_draft {
    uint8_t deny, narrow;
    struct guard_do act;
};

static const struct key topics_keys[] = {
    {"default", read_choice, offsetof(struct topics_draft, deny), &defaults},
    {"subscriptions", read_choice, offsetof(struct topics_draft, narrow), &subscriptions},
    {"action", read_action, offsetof(struct topics_draft, act)},
    {"mode", read_mode, offsetof(struct topics_draft, act.log_only), &modes},
    {"rules", read_access_list, 0},
};

void read_topics(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct topics_draft d = {.act = b->p->access_act};
    (void)at, (void)arg;
    bind_map(b, n, KEYS(topics_keys), &d, "topics");
    b->p->access_deny = d.deny;
    b->p->narrow = d.narrow;
    b->p->access_act = d.act;
}

/* Conditions. */

static const struct choice packets = {(const char *const[]){"connect", "connack", "publish", "puback", "pubrec",
                                                            "pubrel", "pubcomp", "subscribe", "suback", "unsubscribe",
                                                            "unsuback", "pingreq", "pingresp", "disconnect", "auth"},
                                      15};
static const struct choice sides = {(const char *const[]){"client", "broker", "both"}, 3};

static void read_packet(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = 0;
    (void)arg;
    read_choice(b, n, &which, &packets);
    *(uint8_t *)at = which + 1;
}

static void read_packets(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    size_t count = 0;
    (void)arg;
    const uint8_t *list = bind_each(b, n, 1, 32, read_packet, NULL, &count);
    for (size_t i = 0; i < count; i++) *(uint16_t *)at |= (uint16_t)(1u << list[i]);
}

static void read_side(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = 2;
    (void)arg;
    read_choice(b, n, &which, &sides);
    *(uint8_t *)at = which == 2 ? 0 : (uint8_t)(1u << which);
}

static void read_when(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_condition *c = at;
    struct expr_error why = {0};
    struct slice text;
    (void)arg;
    if (!bind_text(b, n, &text)) return;
    c->text = bind_keep(b, text);
    if (c->when || !expr_compile(&c->when, c->text, &b->names, &why)) return;
    struct slice bad = slice_head(slice_tail(c->text, why.at), why.len && why.len < 60 ? why.len : 20);
    char place[100] = "";
    if (bad.n) snprintf(place, sizeof place, ", at '%.*s'", (int)bad.n, bad.p);
    bool plain = n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && n->start_mark.line == n->end_mark.line;
    size_t column = n->start_mark.column + 1 + (plain ? why.at : 0);
    mistake_add(b->m, n->start_mark.line + 1, column, "%s%s%s%s%s",
                why.message[0] ? why.message : "this is no condition", place, why.near_count ? "; did you mean '" : "",
                why.near_count ? why.near[0] : "", why.near_count ? "'?" : "");
}

static const struct key condition_keys[] = {
    ACT_KEYS(guard_condition),
    WHO_KEYS(guard_condition),
    {"when", read_when, 0},
    {"on", read_packets, offsetof(struct guard_condition, types)},
    {"from", read_side, offsetof(struct guard_condition, sides)},
};

static void read_condition(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_condition *c = at;
    (void)arg;
    c->act.action = GUARD_DROP;
    c->sides = 1;
    bind_map(b, n, KEYS(condition_keys), c, "a rule");
    if (bind_is_map(n) && !c->text.n) bind_wrong(b, n, "a rule needs 'when', a display filter");
    c->everyone = everyone(&c->who);
}

void read_conditions(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_policy *p = b->p;
    (void)at, (void)arg;
    p->conditions = bind_each(b, n, sizeof *p->conditions, GUARD_RULES_MAX, read_condition, NULL, &p->condition_count);
    for (size_t i = 0; i < p->condition_count; i++) named(b, &p->conditions[i].act, "rules", i);
}

/* Rule files. */

static const struct range levels = {1, 4};
static const struct choice limited_ways = {(const char *const[]){"refuse", "pass"}, 2};

static void read_limited(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = 0;
    read_choice(b, n, &which, arg);
    *(bool *)at = which;
}

static void read_path(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct slice s;
    (void)arg;
    if (!bind_text(b, n, &s)) return;
    if (!s.n || memchr(s.p, 0, s.n)) bind_wrong(b, n, "this is no path");
    else read_text(b, n, at, NULL);
}

static void read_paths(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_rule_files *r = at;
    (void)arg;
    r->files = bind_each(b, n, sizeof *r->files, RULES_FILES_MAX, read_path, NULL, &r->n);
}

static const struct key rule_file_keys[] = {
    ACT_KEYS(guard_rule_files),
    {"files", read_paths, 0},
    {"paranoia", read_number, offsetof(struct guard_rule_files, paranoia), &levels},
    {"from", read_side, offsetof(struct guard_rule_files, sides)},
    {"limited", read_limited, offsetof(struct guard_rule_files, pass_limited), &limited_ways},
};

void read_rule_files(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_rule_files *r = &b->p->rule_files;
    (void)at, (void)arg;
    r->sides = 1;
    r->act = (struct guard_do){.id = "rule_files", .action = GUARD_DROP};
    bind_map(b, n, KEYS(rule_file_keys), r, "rule_files");
}

/* Payloads. */

static const struct choice musts = {(const char *const[]){"json", "utf8"}, 2};

static void read_must(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    uint8_t which = 0;
    (void)at, (void)arg;
    read_choice(b, n, &which, &musts);
    *(uint8_t *)at = which + 1;
}

static void read_musts(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_shape *r = at;
    size_t count = 0;
    (void)arg;
    const uint8_t *list = bind_each(b, n, 1, 2, read_must, NULL, &count);
    for (size_t i = 0; i < count; i++) {
        if (list[i] == 1) r->json = true;
        else r->utf8 = true;
    }
}

static const struct key shape_keys[] = {
    ACT_KEYS(guard_shape),
    WHO_KEYS(guard_shape),
    {"to", read_filters, offsetof(struct guard_shape, topics)},
    {"topics", read_filters, offsetof(struct guard_shape, topics)},
    {"must", read_musts, 0},
    {"max", read_size, offsetof(struct guard_shape, max), &one_and_more},
    {"min", read_size, offsetof(struct guard_shape, min)},
    {"schema", read_schema, offsetof(struct guard_shape, schema)},
    {"from", read_side, offsetof(struct guard_shape, sides)},
};

static void read_shape(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_shape *r = at;
    (void)arg;
    r->act.action = GUARD_DROP;
    r->sides = 1;
    bind_map(b, n, KEYS(shape_keys), r, "a rule on payloads");
    if (bind_is_map(n) && !r->topics.n) bind_wrong(b, n, "a rule on payloads needs 'to', a list of topic filters");
    if (r->act.action == GUARD_ALLOW) bind_wrong(b, n, "a rule on payloads cannot have the action 'allow'");
    r->everyone = everyone(&r->who);
}

void read_shapes(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_policy *p = b->p;
    (void)at, (void)arg;
    p->shapes = bind_each(b, n, sizeof *p->shapes, GUARD_RULES_MAX, read_shape, NULL, &p->shape_count);
    for (size_t i = 0; i < p->shape_count; i++) named(b, &p->shapes[i].act, "payloads", i);
}

/* Single numbers. */

static const struct key maximum_keys[] = {
    {"value", read_size, offsetof(struct guard_maximum_rule, value)},
    {"action", read_action, offsetof(struct guard_maximum_rule, act)},
    {"mode", read_mode, offsetof(struct guard_maximum_rule, act.log_only), &modes},
};

static void read_maximum(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    struct guard_maximum_rule *r = at;
    if (bind_is_map(n)) bind_map(b, n, KEYS(maximum_keys), r, "a maximum");
    else read_size(b, n, &r->value, arg);
}

void read_maxima(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    static const struct key keys[] = {
#define X(id, member, name, value, action, reason)                                                                     \
    {name, read_maximum, GUARD_MAX_##id * sizeof(struct guard_maximum_rule)},
        GUARD_MAXIMA(X)
#undef X
    };
    (void)at, (void)arg;
    bind_map(b, n, KEYS(keys), b->p->max, "max");
    if (b->p->max[GUARD_MAX_CONNECT].value > 16 << 20) bind_wrong(b, n, "'connect' is at most 16Mi");
}

/* Anomalies. */

static const struct choice settings = {(const char *const[]){"ignore", "log", "block"}, 3};

static void read_anomaly(struct bind *b, const yaml_node_t *key, const yaml_node_t *value, void *to) {
    struct guard_policy *p = to;
    struct slice name;
    if (!bind_text(b, key, &name)) return;
    uint8_t *at = NULL;
    if (slice_eq(name, SLICE("malformed"))) at = &p->malformed;
    if (slice_eq(name, SLICE("packet_id_used"))) at = &p->packet_id_used;
    if (slice_eq(name, SLICE("ack_mismatch"))) at = &p->ack_mismatch;
    for (uint16_t id = FID_MQTT + 1; !at && id < FID_MQTT_END; id++) {
        const struct field *f = field_of(id);
        struct slice whole = slice_str(f->name), shortened = slice_tail(whole, sizeof "mqtt.anomaly." - 1);
        bool is_short = slice_starts(whole, SLICE("mqtt.anomaly.")) && slice_eq(name, shortened);
        if (f->severity && (slice_eq(name, whole) || is_short)) at = &p->anomaly[id - FID_MQTT];
    }
    if (at) read_choice(b, value, at, &settings);
    else
        bind_wrong(b, key, "'%.*s' is no anomaly; `weir fields mqtt anomaly` lists them", (int)slice_head(name, 60).n,
                   name.p);
}

void read_anomalies(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    (void)at, (void)arg;
    bind_pairs(b, n, read_anomaly, b->p, "anomalies");
}

static const struct choice versions = {(const char *const[]){"3.1", "3.1.1", "5", "5.0"}, 4};

static void read_version(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    static const uint8_t bits[] = {1 << MQTT_31, 1 << MQTT_311, 1 << MQTT_5, 1 << MQTT_5};
    uint8_t which = 0;
    (void)at, (void)arg;
    read_choice(b, n, &which, &versions);
    b->p->versions |= bits[which];
}

void read_versions(struct bind *b, const yaml_node_t *n, void *at, const void *arg) {
    size_t count;
    (void)at, (void)arg;
    b->p->versions = 0;
    (void)bind_each(b, n, 1, 4, read_version, NULL, &count);
    if (!count) bind_wrong(b, n, "at least one version is expected here");
}
