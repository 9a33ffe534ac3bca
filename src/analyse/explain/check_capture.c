/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the capture itself, and of names looked up. */
#include "analyse/explain/judge.h"
#include "proto/fields.h"

enum { ONE_WAY_PACKETS = 4, SLOW_DNS_MS = 1000, QUIET_DNS_S = 2, OTHERS_LEAST = 3, PORT_DNS = 53 };

void check_empty(struct judge *j) {
    if (!j->e->packets) found(j);
}

/* A conversation of one direction counts where that side got as far as data or acknowledgments: a SYN without an answer
 * is another matter. */
static bool one_sided(const struct conv *c) {
    for (int side = 0; side < 2; side++) {
        const struct half *me = &c->half[side], *peer = &c->half[!side];
        if (me->packets >= ONE_WAY_PACKETS && !peer->packets && (me->segments > 1 || mark_set(&me->fin)) &&
            me->packets > me->syns + 1u && me->has_ack)
            return true;
    }
    return false;
}

void check_one_way(struct judge *j) {
    uint64_t n = 0;
    struct mark first = {0};
    for (size_t i = 0; i < CONVS_MAX; i++) {
        const struct conv *c = j->e->conv[i];
        if (!c || !one_sided(c)) continue;
        if (!n++) first = c->first;
    }
    if (!n) return;
    struct finding *f = found(j);
    say_number(j, f, n);
    cite(f, &first);
}

void check_snap(struct judge *j) {
    if (!j->e->cut) return;
    struct finding *f = found(j);
    say_number(j, f, j->e->cut);
    say_number(j, f, j->e->packets);
    cite(f, &j->e->first_cut);
}

void check_drops(struct judge *j) {
    if (!j->e->drops) return;
    struct finding *f = found(j);
    say_number(j, f, j->e->drops);
    cite(f, &j->e->first_drop);
}

void check_midway(struct judge *j) {
    if (!j->e->midway) return;
    struct finding *f = found(j);
    say_number(j, f, j->e->midway);
    say_number(j, f, j->e->convs);
}

void check_twice(struct judge *j) {
    if (j->e->twice < 2) return;
    struct finding *f = found(j);
    say_number(j, f, j->e->twice);
    say_number(j, f, j->e->first_twice.frame);
    cite(f, &j->e->first_twice);
}

void check_offload(struct judge *j) {
    if (j->e->partial < 2) return;
    struct finding *f = found(j);
    say_number(j, f, j->e->partial);
    cite(f, &j->e->partial_at);
}

void check_clock(struct judge *j) {
    const struct explain *e = j->e;
    if (!mark_set(&e->back) && !mark_set(&e->ahead)) return;
    struct finding *f = found(j);
    if (!mark_set(&e->back)) {
        f->text = N_(
            "The clock went forward by %1$s between frame %2$s and its answer in frame %3$s: times and delays around "
            "it are not to be trusted.");
        f->confidence = LIKELY;
        say_time(j, f, e->ahead_ns);
        say_number(j, f, e->before_ahead.frame);
        say_number(j, f, e->ahead.frame);
        cite(f, &e->before_ahead);
        cite(f, &e->ahead);
        return;
    }
    say_time(j, f, j->e->back_ns);
    say_number(j, f, j->e->back.frame);
    cite(f, &j->e->back);
}

void check_others(struct judge *j) {
    if (j->e->broadcast < OTHERS_LEAST || j->e->unicast || link_explains(j->e)) return;
    struct finding *f = found(j);
    say_number(j, f, j->e->packets);
    cite(f, &j->e->first);
}

void check_limits(struct judge *j) {
    if (!j->e->left_out) return;
    say_number(j, found(j), j->e->left_out);
}

/* Arguments of all sentences about a name: who asked, whom, the name. */
static struct finding *name_found(struct judge *j) {
    struct finding *f = found(j);
    say_addr(j, f, &j->n->who);
    say_addr(j, f, &j->n->server);
    say_text(j, f, j->n->name);
    return f;
}

static bool asked(const struct name_rec *n, int kind) { return mark_set(&n->asked[kind]); }
static bool got(const struct name_rec *n, int kind) { return mark_set(&n->answered[kind]); }

/* A name that came to an address by either type is fine, whatever else was said about it. */
static bool resolved(const struct name_rec *n) {
    return n->addrs[0] || n->addrs[1] || (n->other_type && (got(n, 0) || got(n, 1)) && !n->rcode[0]);
}

/* is_curious: reverse look-ups, and the names operating systems try whether they are there; nobody needs an answer. */
static bool is_curious(const struct name_rec *n) {
    static const char *const heads[] = {"wpad", "isatap", "_ldap", "_kerberos"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t len = strlen(heads[i]);
        if (n->name.n >= len && strncasecmp((const char *)n->name.p, heads[i], len) == 0 &&
            (n->name.n == len || n->name.p[len] == '.'))
            return true;
    }
    return n->other_type == 12;
}

/* answers_others tells whether a name's server gave somebody an answer about another name. */
static bool answers_others(const struct explain *e, const struct name_rec *n) {
    for (uint32_t i = 0; i < e->names; i++)
        if (&e->name[i] != n && addr_same(&e->name[i].server, &n->server) &&
            (got(&e->name[i], 0) || got(&e->name[i], 1)))
            return true;
    return false;
}

void check_dns_unanswered(struct judge *j) {
    const struct name_rec *n = j->n;
    for (int kind = 0; kind < 2; kind++) {
        if (!asked(n, kind) || got(n, kind) || resolved(n)) continue;
        if ((double)(j->now - n->asked[kind].ts) < QUIET_DNS_S * 1e9 && n->tries[kind] < 2) continue;
        struct finding *f = name_found(j);
        say_number(j, f, n->tries[0] + n->tries[1]);
        cite(f, &n->asked[kind]);
        cite(f, &n->last);
        if (f != &j->spare && answers_others(j->e, n))
            f->next = N_("The name server %2$s can be reached, it answers about other names: ask it for %3$s by hand "
                         "(`dig @%2$s %3$s`), and try another name server.");
        const struct sought_rec *back = sought_refused(j->e, &n->who, &n->server, PORT_DNS);
        if (back) {
            f->text = N_("%1$s asked %2$s for the address of %3$s (queries: %4$s), and ICMP came back: no name server "
                         "takes queries there.");
            f->next = N_("Configure another name server in the device, or start the one at %2$s (UDP port 53).");
            cite(f, &back->first);
        }
        if (is_curious(n)) f->level = LEVEL_NOTE;
        else if (n->tries[kind] < 2) f->level = LEVEL_WARNING; /* one query alone may have been lost */
        return;
    }
}

/* longer_known tells whether the name without its last labels, or with a search domain behind it, came to an address:
 * then the failure was one step of the resolver's search list. */
static bool searched(const struct explain *e, const struct name_rec *n) {
    for (uint32_t i = 0; i < e->names; i++) {
        const struct name_rec *o = &e->name[i];
        if (o == n || !addr_same(&o->who, &n->who) || !resolved(o)) continue;
        struct slice a = o->name.n < n->name.n ? o->name : n->name, b = o->name.n < n->name.n ? n->name : o->name;
        if (a.n && b.n > a.n && b.p[a.n] == '.' && slice_starts(b, a)) return true;
    }
    return false;
}

/* rcode_words returns a response code in words (RFC 6895 2.3). */
static const char *rcode_words(uint8_t code) {
    switch (code) {
    case 1: return N_("it could not read the query (FORMERR)");
    case 2: return N_("it failed (SERVFAIL)");
    case 3: return N_("there is no such name (NXDOMAIN)");
    case 4: return N_("it does not know this kind of query (NOTIMP)");
    case 5: return N_("it refuses to answer (REFUSED)");
    case 9: return N_("it is not responsible for the name (NOTAUTH)");
    default: return N_("it gave an unusual response code");
    }
}

static void failed(struct judge *j, bool nxdomain) {
    const struct name_rec *n = j->n;
    for (int kind = 0; kind < 2; kind++) {
        uint8_t code = n->rcode[kind];
        if (!got(n, kind) || !code || (code == 3) != nxdomain || resolved(n)) continue;
        struct finding *f = name_found(j);
        say_words(f, rcode_words(code));
        if (asked(n, kind)) cite(f, &n->asked[kind]);
        cite(f, &n->answered[kind]);
        if (is_curious(n) || searched(j->e, n)) f->level = LEVEL_NOTE;
        else if (n->other_type) f->level = LEVEL_WARNING;
        return;
    }
}

void check_dns_nxdomain(struct judge *j) { failed(j, true); }
void check_dns_servfail(struct judge *j) { failed(j, false); }

void check_dns_slow(struct judge *j) {
    if (j->n->slowest <= SLOW_DNS_MS * MILLI) return;
    struct finding *f = name_found(j);
    say_time(j, f, j->n->slowest);
    cite(f, &j->n->slow_asked);
    cite(f, &j->n->slow_answered);
    if (is_curious(j->n)) f->level = LEVEL_NOTE;
}

static bool v6_only(const struct explain *e, const struct name_rec *n) {
    return n->addrs[1] && !n->addrs[0] && asked(n, 0) && got(n, 0) && !n->used && !e->ipv6_used;
}

void check_dns_v6_only(struct judge *j) {
    const struct name_rec *n = j->n;
    if (!v6_only(j->e, n)) return;
    struct finding *f = name_found(j);
    cite(f, &n->answered[1]);
    cite(f, &n->answered[0]);
}

static bool leads_nowhere(const struct name_rec *n) {
    return n->nowhere.len && !n->used && !slice_eq(n->name, SLICE("localhost"));
}

void check_dns_nowhere(struct judge *j) {
    const struct name_rec *n = j->n;
    if (!leads_nowhere(n)) return;
    struct finding *f = name_found(j);
    say_addr(j, f, &n->nowhere);
    for (int kind = 0; kind < 2; kind++)
        if (n->addrs[kind]) cite(f, &n->answered[kind]);
}

void check_dns_no_query(struct judge *j) {
    const struct explain *e = j->e;
    if (e->any_dns || !e->tcp_packets || e->midway == e->convs) return;
    found(j);
}

/* The program got an address and never used it. A name that another answer used (the same address under another name)
 * counts as used too; so does one asked for right before the end of the capture. */
void check_no_syn(struct judge *j) {
    const struct name_rec *n = j->n;
    int kind = n->addrs[0] ? 0 : 1;
    if (!n->addrs[kind] || n->used || !asked(n, kind) || is_curious(n)) return;
    if (v6_only(j->e, n) || leads_nowhere(n)) return; /* these say why */
    if ((double)(j->now - n->answered[kind].ts) < 1e9 && j->e->convs) return;
    struct finding *f = name_found(j);
    cite(f, &n->asked[kind]);
    cite(f, &n->answered[kind]);
    if (j->now - n->answered[kind].ts < SECOND) f->confidence = LIKELY; /* the capture ends here */
    if (j->e->convs) f->level = LEVEL_NOTE; /* others things worked: a prefetch, or one of several addresses */
}
