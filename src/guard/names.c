/* SPDX-License-Identifier: Apache-2.0 */
/* Who a session is: its client identifier, user name and certificate, and which access rules are about it. The rules
 * are looked through once, when the identity is known and when the policy changes, so that a packet need not. */
#include "guard/session.h"

#include "base/err.h"

#include <stdlib.h>

static const uint8_t *text_at(const struct guard_names *n, size_t skip) {
    return (const uint8_t *)&n->bits[n->words] + skip;
}

struct slice names_client(const struct guard_names *n) {
    return n ? slice_of(text_at(n, 0), n->client_n) : (struct slice){0};
}
struct slice names_user(const struct guard_names *n) {
    return n ? slice_of(text_at(n, n->client_n), n->user_n) : (struct slice){0};
}
struct slice names_subject(const struct guard_names *n) {
    return n ? slice_of(text_at(n, (size_t)n->client_n + n->user_n), n->subject_n) : (struct slice){0};
}
struct slice names_common(const struct guard_names *n) {
    return n ? slice_of(text_at(n, (size_t)n->client_n + n->user_n + n->subject_n), n->common_n) : (struct slice){0};
}

struct slice guard_client_id(const struct guard_session *s) {
    return names_client(s->names);
}
struct slice guard_user_name(const struct guard_session *s) {
    return names_user(s->names);
}
struct slice guard_subject(const struct guard_session *s) {
    return names_subject(s->names);
}

static bool certificate_in(const struct guard_list *l, const struct guard_names *n) {
    struct slice subject = names_subject(n), common = names_common(n);
    return (subject.n && guard_list_has(l, subject)) || (common.n && guard_list_has(l, common));
}

static bool in_group(const struct guard_group *group, const struct guard_names *n) {
    return (n && n->has_user && guard_list_has(&group->users, names_user(n))) ||
           guard_list_has(&group->clients, names_client(n)) || certificate_in(&group->certificates, n);
}

static bool in_groups(const struct guard_policy *p, const struct guard_list *names, const struct guard_names *n) {
    for (size_t i = 0; i < p->group_count; i++)
        if (guard_list_has(names, p->groups[i].name) && in_group(&p->groups[i], n)) return true;
    return false;
}

bool who_fits(const struct guard_policy *p, const struct guard_who *w, const struct guard_session *s) {
    const struct guard_names *n = s->names;
    if (w->users.n && !(n && n->has_user && guard_list_has(&w->users, names_user(n)))) return false;
    if (w->clients.n && !guard_list_has(&w->clients, names_client(n))) return false;
    if (w->certificates.n && !certificate_in(&w->certificates, n)) return false;
    if (w->groups.n && !in_groups(p, &w->groups, n)) return false;
    if (w->anonymous && n && n->has_user) return false;
    if (w->listeners && !(s->peer.listener < 32 && w->listeners >> s->peer.listener & 1)) return false;
    for (size_t i = 0; i < w->prefix_count; i++)
        if (guard_prefix_has(&w->prefixes[i], &s->peer.client)) return true;
    return !w->prefix_count;
}

static void bits_make(struct guard *g, struct guard_session *s) {
    const struct guard_policy *p = g->policy;
    struct guard_names *n = s->names;
    memset(n->bits, 0, n->words * sizeof *n->bits);
    for (size_t i = 0; i < p->access_count; i++)
        if (who_fits(p, &p->access[i].who, s)) n->bits[i / 64] |= (uint64_t)1 << i % 64;
    s->policy = p->generation;
}

int names_make(struct guard *g, struct guard_session *s, struct slice client, const struct slice *user,
               struct slice subject, struct slice common) {
    size_t words = (g->policy->access_count + 63) / 64;
    struct slice name = user ? *user : (struct slice){0};
    client = slice_head(client, UINT16_MAX);
    name = slice_head(name, UINT16_MAX);
    subject = slice_head(subject, UINT16_MAX);
    common = slice_head(common, UINT16_MAX);
    struct guard_names *n = malloc(sizeof *n + words * sizeof *n->bits + client.n + name.n + subject.n + common.n);
    if (!n) return ERR_NOMEM;
    struct net_addr cut = guard_address_cut(&s->peer.client, g->policy->prefix4, g->policy->prefix6);
    *n = (struct guard_names){.address = subject_address(g->shared, &cut),
                              .user = user ? subject_name(g->shared, GUARD_PER_USER, name) : 0,
                              .client = client.n ? subject_name(g->shared, GUARD_PER_CLIENT, client) : 0,
                              .client_n = (uint16_t)client.n,
                              .user_n = (uint16_t)name.n,
                              .subject_n = (uint16_t)subject.n,
                              .common_n = (uint16_t)common.n,
                              .words = (uint16_t)words,
                              .has_user = user != NULL};
    uint8_t *at = (uint8_t *)text_at(n, 0);
    const struct slice parts[] = {client, name, subject, common};
    for (size_t i = 0; i < 4; at += parts[i++].n)
        if (parts[i].n) memcpy(at, parts[i].p, parts[i].n);
    free(s->names);
    s->names = n;
    bits_make(g, s);
    return 0;
}

void names_refresh(struct guard *g, struct guard_session *s) {
    struct guard_names *n = s->names;
    if (s->policy == g->policy->generation || !n) return;
    struct slice user = names_user(n);
    s->names = NULL; /* the texts are read from the old block */
    if (names_make(g, s, names_client(n), n->has_user ? &user : NULL, names_subject(n), names_common(n)) == 0) {
        free(n);
        return;
    }
    s->names = n; /* no memory: no rule is about it, and what is denied by default stays denied */
    memset(n->bits, 0, n->words * sizeof *n->bits);
}
