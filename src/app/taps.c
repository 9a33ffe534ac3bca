/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics beside the reading of packets, and the words tshark has for them. */
#include "app/taps.h"

#include <stdlib.h>

int taps_start(struct taps *t, const struct stats_ops *ops, const struct stats_args *args, const char *filter,
               struct writer *why) {
    if (t->n == TAPS_MAX) {
        wr_f(why, "at most %d statistics at a time", TAPS_MAX);
        return ERR_LIMIT;
    }
    struct tap *tap = &t->tap[t->n];
    *tap = (struct tap){.ops = ops, .state = calloc(1, ops->state_size), .filter = filter};
    if (!tap->state) {
        wr_s(why, "out of memory");
        return ERR_NOMEM;
    }
    t->n++; /* also where it fails: taps_free ends it */
    return ops->start(tap->state, args, why);
}

static void talk_print(struct writer *w, const struct tap *t) { tap_talk_print(w, t->state, t->filter); }
static void phs_print(struct writer *w, const struct tap *t) { tap_phs_print(w, t->state, t->filter); }

static const struct tap_kind {
    const char *name;
    const struct stats_ops *ops;
    bool which; /* a word follows: endpoints,tcp */
    void (*print)(struct writer *w, const struct tap *t);
} kinds[] = {
    {"endpoints", &stats_endpoints, true, talk_print},
    {"conv", &stats_conversations, true, talk_print},
    {"io,phs", &stats_protocols, false, phs_print},
};

/* behind returns what follows name and a comma in text: "" where nothing does, NULL where text is something else. */
static const char *behind(const char *text, const char *name) {
    size_t n = strlen(name);
    if (strncmp(text, name, n) != 0 || (text[n] && text[n] != ',')) return NULL;
    return text[n] ? text + n + 1 : text + n;
}

static int unknown(const char *text, struct writer *why) {
    wr_f(why, "-z %s is not known; there are", text);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        wr_f(why, "%s %s%s", i ? "," : "", kinds[i].name, kinds[i].which ? ",PROTOCOL" : "");
    wr_s(why, ", follow,tcp|udp,FORM,N");
    return ERR_USAGE;
}

static int follow_parse(struct taps *t, const char *rest, struct writer *why) {
    struct stats_args args = {.which = rest};
    int rc = taps_start(t, &tap_follow_ops, &args, NULL, why);
    if (rc == OK) t->tap[t->n - 1].print = tap_follow_print;
    return rc;
}

int taps_parse(struct taps *t, const char *text, struct writer *why) {
    if (strncmp(text, "follow,tcp,", 11) == 0 || strncmp(text, "follow,udp,", 11) == 0) return follow_parse(t, text + 7, why);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct tap_kind *k = &kinds[i];
        const char *rest = behind(text, k->name), *filter = rest;
        struct stats_args args = {0};
        for (size_t j = 0; rest && k->which && k->ops->which[j] && !args.which; j++)
            if ((filter = behind(rest, k->ops->which[j]))) args.which = k->ops->which[j];
        if (!rest || (k->which && !args.which)) continue;
        int rc = taps_start(t, k->ops, &args, filter && *filter ? filter : NULL, why);
        if (rc == OK) t->tap[t->n - 1].print = k->print;
        return rc;
    }
    return unknown(text, why);
}

void taps_want(const struct taps *t, struct want *w) {
    for (size_t i = 0; i < t->n; i++) t->tap[i].ops->want(t->tap[i].state, w);
}

void taps_packet(struct taps *t, const struct decode *d) {
    if (!t->begun && d->pkt->has_ts) {
        t->begin = d->pkt->ts;
        t->begun = true;
    }
    for (size_t i = 0; i < t->n; i++) t->tap[i].ops->packet(t->tap[i].state, d, t->begin);
}

void taps_print(struct writer *w, const struct taps *t) {
    for (size_t i = t->n; i > 0; i--)
        if (t->tap[i - 1].print) t->tap[i - 1].print(w, &t->tap[i - 1]);
}

void taps_free(struct taps *t) {
    for (size_t i = 0; i < t->n; i++) {
        t->tap[i].ops->end(t->tap[i].state);
        free(t->tap[i].state);
    }
    t->n = 0;
}
