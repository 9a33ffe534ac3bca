/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics beside the reading of packets, and the words tshark has for them. */
#include "app/read/taps.h"

#include <stdlib.h>

int taps_start(struct taps *t, const struct stats_ops *ops, const struct stats_args *args, struct writer *why) {
    if (t->n == TAPS_MAX) {
        wr_f(why, "at most %d statistics at a time", TAPS_MAX);
        return ERR_LIMIT;
    }
    struct tap *tap = &t->tap[t->n];
    *tap = (struct tap){.ops = ops, .state = calloc(1, ops->state_size)};
    if (!tap->state) {
        wr_s(why, "out of memory");
        return ERR_NOMEM;
    }
    t->n++; /* also where it fails: taps_free ends it */
    return ops->start(tap->state, args, why);
}

static void talk_print(struct writer *w, const struct tap *t) { tap_talk_print(w, t->state, t->filter); }
static void phs_print(struct writer *w, const struct tap *t) { tap_phs_print(w, t->state, t->filter); }

static void expert_print(struct writer *w, const struct tap *t) { tap_expert_print(w, t->state); }

static void tree_print_tap(struct writer *w, const struct tap *t) { tap_tree_print(w, t->state); }

static void lists_print(struct writer *w, const struct tap *t) { tap_lists_print(w, t->state, t->filter); }

static void srt_print(struct writer *w, const struct tap *t) { tap_srt_print(w, t->state, t->filter); }

static void hosts_print(struct writer *w, const struct tap *t) { tap_hosts_print(w, t->state, t->from); }

static void dhcp_print(struct writer *w, const struct tap *t) { tap_dhcp_print(w, t->state, t->filter); }

static void credentials_print(struct writer *w, const struct tap *t) { tap_credentials_print(w, t->state); }

static void io_print(struct writer *w, const struct tap *t) { tap_io_print(w, t->state); }

static const struct tap_kind {
    const char *name;
    const struct stats_ops *ops;
    bool which;      /* a word follows: endpoints,tcp */
    bool takes_text; /* what follows is its own, not a filter */
    void (*print)(struct writer *w, const struct tap *t);
    const char *is; /* which it is, where its name says it */
} kinds[] = {
    {"endpoints", &stats_endpoints, true, false, talk_print},
    {"conv", &stats_conversations, true, false, talk_print},
    {"io,phs", &stats_protocols, false, false, phs_print},
    {"io,stat", &stats_io, false, true, io_print},
    {"expert", &stats_expert, false, false, expert_print},
    {"icmp,srt", &stats_srt, false, false, srt_print, "icmp"},
    {"hosts", &stats_hosts, false, true, hosts_print},
    {"dhcp,stat", &stats_dhcp, false, false, dhcp_print},
    {"credentials", &stats_credentials, false, false, credentials_print},
    {"icmpv6,srt", &stats_srt, false, false, srt_print, "icmpv6"},
};

/* behind returns what follows name and a comma in text: "" where nothing does, NULL where text is something else. */
static const char *behind(const char *text, const char *name) {
    size_t n = strlen(name);
    if (strncmp(text, name, n) != 0 || (text[n] && text[n] != ',')) return NULL;
    return text[n] ? text + n + 1 : text + n;
}

int taps_filter(struct taps *t, const struct opt_command *cmd, const char *option, const char *filter) {
    struct tap *tap = &t->tap[t->n - 1];
    if (!filter || !*filter) return OPT_GO;
    tap->filter = filter;
    tap->cmd = cmd;
    return filter_compile(cmd, option, slice_str(filter), &tap->program);
}

static int unknown(const struct opt_command *cmd, const char *text) {
    char list[1024];
    struct writer w = wr_fixed(list, sizeof list - 1);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        wr_f(&w, "%s%s%s", i ? ", " : "", kinds[i].name, kinds[i].which ? ",PROTOCOL" : "");
    for (const struct tree_kind *k = tree_kinds; k->name; k++) wr_f(&w, ", %s", k->name);
    wr_s(&w, ", flow,any|tcp|icmp|icmpv6,standard|network, follow,tcp|udp|tls|http|http2|websocket,FORM,N");
    *w.p = 0;
    return opt_bad_use(cmd, "-z %s is not known; there are %s", text, list);
}

/* begin starts a statistic; what -z was is told where it cannot. */
static int begin(struct taps *t, const struct opt_command *cmd, const char *text, const struct tap_kind *k,
                 const struct stats_args *args, const char *filter) {
    char reason[512];
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    if (taps_start(t, k->ops, args, &why)) {
        *why.p = 0;
        return opt_bad_use(cmd, "-z %s: %s", text, reason);
    }
    t->tap[t->n - 1].print = k->print;
    return taps_filter(t, cmd, "-z", filter);
}

int taps_parse(struct taps *t, const struct opt_command *cmd, const char *text) {
    static const struct tap_kind follow = {.ops = &tap_follow_ops, .print = tap_follow_print};
    size_t proto = strncmp(text, "follow,", 7) == 0 ? strcspn(text + 7, ",") : 0;
    enum follow_proto followed = proto ? follow_proto_find(text + 7, proto) : FOLLOW_PROTOS;
    if (followed != FOLLOW_PROTOS && text[7 + proto])
        return begin(t, cmd, text, &follow, &(struct stats_args){.which = text + 7}, NULL);
    static const struct tap_kind flow = {.ops = &tap_flow_ops, .print = tap_flow_print};
    if (strncmp(text, "flow,", 5) == 0)
        return begin(t, cmd, text, &flow, &(struct stats_args){.which = text + 5}, tap_flow_filter(text + 5));
    for (const struct tree_kind *k = tree_kinds; k->name; k++) {
        const char *filter = behind(text, k->name);
        const struct tap_kind tree = {.ops = &stats_trees,
                                      .print = strstr(k->name, ",tree") ? tree_print_tap : lists_print};
        if (filter) return begin(t, cmd, text, &tree, &(struct stats_args){.which = k->name}, filter);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct tap_kind *k = &kinds[i];
        const char *rest = behind(text, k->name), *filter = rest;
        struct stats_args args = {.text = rest, .which = k->is};
        for (size_t j = 0; rest && !k->takes_text && k->ops->which && k->ops->which[j] && !args.which; j++) {
            const char *after = behind(rest, k->ops->which[j]);
            if (!after) continue;
            args.which = k->ops->which[j];
            filter = after;
        }
        if (!rest || (k->which && !args.which)) continue;
        return begin(t, cmd, text, k, &args, k->takes_text ? NULL : filter);
    }
    return unknown(cmd, text);
}

static void block_take(void *to, const struct capfile_block *b) {
    enum { BLOCK_NAMES = 4 };
    struct taps *t = to;
    for (size_t i = 0; i < t->n && b->type == BLOCK_NAMES; i++)
        if (t->tap[i].ops == &stats_hosts) hosts_block(t->tap[i].state, b->body, b->big_endian);
}

void taps_watch_file(struct taps *t, struct capfile *c) {
    for (size_t i = 0; i < t->n; i++)
        if (t->tap[i].ops == &stats_hosts) capfile_on_block(c, block_take, t);
}

void taps_want(const struct taps *t, struct want *w) {
    for (size_t i = 0; i < t->n; i++) {
        t->tap[i].ops->want(t->tap[i].state, w);
        if (t->tap[i].program) want_union(w, expr_want(t->tap[i].program));
    }
}

void taps_packet(struct taps *t, const struct decode *d) {
    if (!t->begun) {
        /* as in tshark, time counts from the first record, which may be one without packet and time */
        t->begin = d->pkt->has_ts && d->pkt->number == 1 ? d->pkt->ts : 0;
        t->begun = true;
    }
    for (size_t i = 0; i < t->n; i++) {
        const struct tap *tap = &t->tap[i];
        if (!tap->program || expr_match(tap->program, d->out)) tap->ops->packet(tap->state, d, t->begin);
    }
}

void taps_print(struct writer *w, struct taps *t, const char *from) {
    for (size_t i = t->n; i > 0; i--) {
        struct tap *tap = &t->tap[i - 1];
        tap->from = from;
        if (tap->print) tap->print(w, tap);
    }
}

void taps_free(struct taps *t) {
    for (size_t i = 0; i < t->n; i++) {
        t->tap[i].ops->end(t->tap[i].state);
        filter_free(t->tap[i].cmd, t->tap[i].program);
        free(t->tap[i].state);
    }
    t->n = 0;
}
