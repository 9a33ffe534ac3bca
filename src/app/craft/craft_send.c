/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: packets leave one after the other, each when it is due; the time in between goes to listening.
 * Before the first one leaves, a capture is open, so that no answer is missed; craft/answers.h says what answers what,
 * and what was not answered within the time-out is listed as it expires. Routes are asked once per destination and kept
 * in a table of fixed size.
 *
 * A packet leaves by the kernel's own path wherever that leaves it as it is, and past it, straight to the next hop,
 * where the kernel would correct it. */
#include "app/children.h"
#include "app/craft/craft.h"
#include "app/span.h"
#include "base/clock.h"
#include "base/hash.h"
#include "proto/icmp/checksum.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUTES = 4096,           /* kept */
    NEXT_HOP_MS = 3500,      /* the kernel asks three times, a second apart */
    MANY_MAX = 100,          /* packets to many at once in a run without --really */
    ARP_MAX = 1024,          /* questions of ARP and neighbour discovery, which always go to many */
    RATE_MAX = 1000,         /* packets per second without --really */
    LATE_MAX_NS = 100000000, /* what may be caught up after a pause */
    WAIT_MS = 100,
};

struct known_route {
    uint8_t n, dst[16];
    bool asked, has_mac;
    int rc, mac_rc;
    uint8_t mac[6];
    struct route route;
};

struct sender {
    const struct opt_command *cmd;
    const struct send_opts *o;
    struct craft_out *out;
    struct rawsend *raw;
    struct live *live;
    struct answers *answers;
    struct hash_key secret;
    struct route device; /* of -i */
    int64_t interval, timeout, next;
    uint64_t sent, bytes, answered, errors, again, lost, failed;
    uint64_t to_many, asked;
    int64_t second; /* what `burst` counts in, of packets that leave at a time of their own */
    uint64_t burst;
    int64_t least, most, sum; /* ns of the answers */
    int64_t began;
    bool corrected; /* the kernel changed something; said once */
    struct known_route routes[ROUTES];
};

static struct known_route *route_to(struct sender *s, const uint8_t *dst, size_t n) {
    struct known_route *k = &s->routes[hash_bytes(s->secret, dst, n) % ROUTES];
    if (k->asked && k->n == n && !memcmp(k->dst, dst, n)) return k;
    *k = (struct known_route){.n = (uint8_t)n, .asked = true};
    memcpy(k->dst, dst, n);
    k->rc = route_find(&k->route, dst, n, s->o->device);
    return k;
}

static int next_mac(struct known_route *k) {
    if (!k->has_mac) k->mac_rc = route_next_mac(&k->route, k->mac, NEXT_HOP_MS);
    k->has_mac = true;
    return k->mac_rc;
}

static bool env_source(void *to, const uint8_t *dst, uint8_t *src, size_t n) {
    const struct known_route *k = route_to(to, dst, n);
    if (!k->rc) memcpy(src, k->route.source, n);
    return !k->rc;
}

static bool env_link(void *to, const uint8_t *dst, size_t n, uint8_t next[6], uint8_t own[6]) {
    struct sender *s = to;
    struct known_route *k = route_to(s, dst, n);
    const struct route *r = s->o->device ? &s->device : &k->route;
    if ((k->rc && !s->o->device) || !r->ether) return false;
    memcpy(own, r->mac, 6);
    if (!next || k->rc) return true;
    if (next_mac(k)) return false;
    memcpy(next, k->mac, 6);
    return true;
}

struct craft_env sender_env(struct sender *s) {
    return (struct craft_env){.source = env_source, .link = env_link, .to = s};
}

static bool time_of(const struct opt_command *cmd, const char *name, const char *text, int64_t otherwise, int64_t *ns,
                    int *rc) {
    *ns = otherwise;
    if (!text || span_parse(text, ns)) return true;
    *rc = opt_bad_use(cmd, "--%s %s: no length of time (" SPAN_HELP ")", name, text);
    return false;
}

static int listen_open(struct sender *s, struct writer *why) {
    struct live_config config = {
        .device = s->o->device ? s->o->device : "any", .immediate = true, .no_promiscuous = true, .direction = LIVE_IN};
    s->answers = answers_make();
    return s->answers ? live_open(&s->live, &config, why) : ERR_NOMEM;
}

int sender_open(struct sender **out, const struct opt_command *cmd, const struct send_opts *o, struct craft_out *to) {
    char buf[256];
    struct writer why = wr_fixed(buf, sizeof buf - 1);
    struct sender *s = calloc(1, sizeof *s);
    int rc = OPT_GO;
    if (!s) return opt_bad_use(cmd, "out of memory");
    *out = s;
    s->cmd = cmd;
    s->o = o;
    s->out = to;
    s->secret = hash_key_random();
    s->least = INT64_MAX;
    if (!time_of(cmd, "interval", o->interval, o->really ? 0 : 1000000000 / RATE_MAX, &s->interval, &rc)) return rc;
    if (!time_of(cmd, "timeout", o->timeout, 2000000000, &s->timeout, &rc)) return rc;
    if (s->interval < 1000000000 / RATE_MAX && !o->really)
        return opt_bad_use(cmd, "more than %d packets a second: add --really if the network is yours to load",
                           RATE_MAX);
    if (o->device && route_device(&s->device, o->device))
        return opt_bad_use(cmd, "-i %s: no such interface; `weir capture -D` lists them", o->device);
    int err = rawsend_open(&s->raw, o->device, &why);
    if (!err && o->answer) err = listen_open(s, &why);
    *why.p = 0;
    if (err) return opt_bad_use(cmd, "%s", buf[0] ? buf : err_text(err));
    children_watch();
    s->began = s->next = clock_ns();
    return OPT_GO;
}

static void address_put(struct writer *w, const uint8_t *a, size_t n, uint16_t port) {
    char text[INET6_ADDRSTRLEN];
    inet_ntop(n == 4 ? AF_INET : AF_INET6, a, text, sizeof text);
    if (port) wr_f(w, n == 4 ? "%s:%u" : "[%s]:%u", text, port);
    else wr_s(w, text);
}

static void lost_print(struct sender *s, const struct answers_open *l) {
    char text[80];
    struct writer w = wr_fixed(text, sizeof text - 1);
    bool ports = l->proto == 6 || l->proto == 17;
    address_put(&w, l->to, l->n, ports ? l->port : 0);
    *w.p = 0;
    s->lost++;
    if (s->o->json)
        wr_f(&s->out->out, "{\"number\":%llu,\"answered\":false,\"to\":\"%s\"}\n", (unsigned long long)l->number, text);
    else if (!s->out->quiet) wr_f(&s->out->out, "%6llu  %-22s no answer\n", (unsigned long long)l->number, text);
}

static void answer_json(struct writer *w, const struct decode *d, const struct answer *a) {
    char text[512];
    struct writer part = wr_fixed(text, sizeof text);
    wr_f(w, "{\"number\":%llu,\"answered\":true,\"seconds\":%.9f,\"error\":%s,\"again\":%s,\"from\":",
         (unsigned long long)a->number, (double)a->after / 1e9, a->error ? "true" : "false",
         a->again ? "true" : "false");
    columns_source(&part, d);
    json_text(w, wr_done(&part));
    wr_s(w, ",\"protocol\":");
    wr_reset(&part);
    columns_protocol(&part, d);
    json_text(w, wr_done(&part));
    wr_s(w, ",\"info\":");
    wr_reset(&part);
    columns_info(&part, d);
    json_text(w, wr_done(&part));
    wr_s(w, "}\n");
}

static void answer_print(struct sender *s, const struct decode *d, const struct answer *a) {
    struct writer *w = &s->out->out;
    char text[64];
    struct writer from = wr_fixed(text, sizeof text - 1);
    columns_source(&from, d);
    *from.p = 0;
    wr_f(w, "%6llu  %-22s ", (unsigned long long)a->number, text);
    wr_reset(&from);
    columns_protocol(&from, d);
    *from.p = 0;
    wr_f(w, "%-7s ", text);
    columns_info(w, d);
    wr_f(w, "  %.3f ms%s\n", (double)a->after / 1e6, a->again ? "  again" : "");
}

static void answer_count(struct sender *s, const struct answer *a) {
    if (a->again) {
        s->again++;
        return;
    }
    s->answered++;
    s->errors += a->error;
    s->sum += a->after;
    if (a->after < s->least) s->least = a->after;
    if (a->after > s->most) s->most = a->after;
}

static int packet_came(struct sender *s, const struct packet *p) {
    struct talk_packet t;
    struct answer a;
    const struct decode *d;
    if (!talk_read(&t, p->iface->linktype, p->data) || !answers_take(s->answers, p->ts, &t, &a)) return OK;
    answer_count(s, &a);
    int rc = craft_out_packet(s->out, (int)p->iface->linktype, p->data, p->ts, CRAFT_IN, &d);
    if (rc || !d || s->out->quiet) return rc;
    if (s->o->json) return answer_json(&s->out->out, d, &a), s->out->out.err;
    answer_print(s, d, &a);
    if (s->out->show || s->out->hex) return craft_out_print(s->out, d, p->data);
    return s->out->out.err;
}

static int expire(struct sender *s, int64_t before) {
    struct answers_open l;
    while (answers_expire(s->answers, before, &l)) lost_print(s, &l);
    return s->out->out.err;
}

/* hear takes what comes until `until` (ns of clock_ns). */
static int hear(struct sender *s, int64_t until) {
    struct packet p;
    int rc = OK;
    for (;;) {
        int64_t left = until - clock_ns();
        int ms = left > WAIT_MS * 1000000LL ? WAIT_MS : left > 0 ? (int)(left / 1000000) : 0;
        if (ms && (rc = wr_flush(&s->out->out))) return rc; /* nobody should wait for what is known */
        int got = live_next(s->live, &p, ms);
        if (got == OK) rc = packet_came(s, &p);
        else if (got != LIVE_NOTHING) return fprintf(stderr, "weir craft: %s\n", live_why(s->live)), got;
        if (!rc) rc = expire(s, clock_wall_ns() - s->timeout);
        if (rc || children_stopped()) return rc;
        if (got != LIVE_NOTHING) continue;
        if (left <= 0) return OK;
        if (left < 1000000) return nanosleep(&(struct timespec){.tv_nsec = left}, NULL), OK;
    }
}

static int wait_until(struct sender *s, int64_t due) {
    if (s->live) return hear(s, due);
    int64_t left = due - clock_ns();
    if (left > 1000000 && wr_flush(&s->out->out) == ERR_END) return ERR_END;
    while ((left = due - clock_ns()) > 0 && !children_stopped()) {
        int64_t nap = left < WAIT_MS * 1000000LL ? left : WAIT_MS * 1000000LL;
        nanosleep(&(struct timespec){.tv_nsec = nap}, NULL);
    }
    return OK;
}

/* as_it_is tells whether the kernel's output path leaves an IPv4 packet unchanged. */
static bool as_it_is(struct slice p) {
    if (p.n < 20 || p.p[0] >> 4 != 4) return p.n >= 40 && p.p[0] >> 4 == 6;
    size_t header = (size_t)(p.p[0] & 15) * 4;
    return header >= 20 && header <= p.n && load_be16(p.p + 2) == p.n && load_be16(p.p + 4) &&
           !checksum_fold(checksum_add(0, slice_head(p, header)));
}

static int no_way(struct sender *s, const uint8_t *dst, size_t n, const char *what) {
    char text[80];
    struct writer w = wr_fixed(text, sizeof text - 1);
    address_put(&w, dst, n, 0);
    *w.p = 0;
    return opt_bad_use(s->cmd, "%s: %s", text, what);
}

static int send_ip(struct sender *s, const struct talk_packet *t, struct slice bytes) {
    size_t n = t->family == TALK_IP4 ? 4 : 16;
    struct known_route *k = route_to(s, t->dst, n);
    if (k->rc) return no_way(s, t->dst, n, "there is no route to this address");
    if (as_it_is(bytes) || k->route.kind == ROUTE_LOCAL) {
        if (!s->corrected && !as_it_is(bytes)) {
            s->corrected = true;
            fprintf(stderr, "weir craft: note: to an address of this machine the system sets length, checksum and "
                            "identification of IP right\n");
        }
        return rawsend_ip(s->raw, k->route.device, bytes);
    }
    int rc = next_mac(k);
    if (rc == ERR_NOTFOUND) return errno = EHOSTUNREACH, ERR_IO;
    if (rc) return no_way(s, t->dst, n, "the next hop's Ethernet address cannot be asked for; run it with sudo");
    return rawsend_direct(s->raw, &k->route, k->mac, bytes);
}

static int send_frame(struct sender *s, const struct talk_packet *t, struct slice bytes) {
    int device = s->device.device;
    if (!device && t->family != TALK_NONE) {
        struct known_route *k = route_to(s, t->dst, t->family == TALK_IP6 ? 16 : 4);
        if (!k->rc) device = k->route.device;
    }
    if (!device) return opt_bad_use(s->cmd, "the interface for this frame is not known: name it with -i");
    return rawsend_frame(s->raw, device, bytes);
}

/* to_many tells whether the packet goes to more than one. */
static bool to_many(struct sender *s, const struct talk_packet *t) {
    if (t->has_link && (t->link_dst[0] & 1)) return true;
    if (t->family == TALK_IP4 && t->dst[0] >= 224) return true;
    if (t->family == TALK_IP6) return t->dst[0] == 0xff;
    return t->family == TALK_IP4 && !t->has_link && route_to(s, t->dst, 4)->route.kind == ROUTE_BROADCAST;
}

static bool is_flood(struct sender *s, const struct talk_packet *t) {
    bool asks = t->family == TALK_ARP || (t->proto == 58 && t->type == 135);
    uint64_t n = asks ? ++s->asked : ++s->to_many;
    return !s->o->really && n > (asks ? ARP_MAX : MANY_MAX);
}

/* sent notes what left and shows it. */
static int sent(struct sender *s, const struct talk_packet *t, int linktype, struct slice bytes, int64_t ts,
                bool many) {
    struct answers_open lost;
    const struct decode *d;
    s->sent++;
    s->bytes += bytes.n;
    if (s->answers && answers_sent(s->answers, s->sent, ts, t, many, &lost)) lost_print(s, &lost);
    int rc = craft_out_packet(s->out, linktype, bytes, ts, CRAFT_OUT, &d);
    if (rc || s->answers || s->out->quiet || (s->out->file && !s->out->show && !s->out->hex)) return rc;
    return craft_out_print(s->out, d, bytes);
}

static int trouble(struct sender *s, int rc) {
    if (rc == ERR_END) return EXIT_FINE;
    return rc ? opt_bad_use(s->cmd, "%s", err_text(rc)) : OPT_GO;
}

/* too_fast counts packets whose time the caller chose. */
static bool too_fast(struct sender *s, int64_t due) {
    int64_t second = due / 1000000000;
    if (second != s->second) s->burst = 0;
    s->second = second;
    return ++s->burst > RATE_MAX && !s->o->really;
}

int sender_packet(struct sender *s, int linktype, struct slice bytes, int64_t due) {
    struct talk_packet t;
    bool known = talk_read(&t, (uint32_t)linktype, bytes), many = known && to_many(s, &t);
    if (!known && linktype != 1)
        return opt_bad_use(s->cmd, "this is no whole IP packet; with Ether() before it, it can be sent");
    if (linktype == 1 && bytes.n >= 6 && (bytes.p[0] & 1)) many = true;
    if (many && is_flood(s, &t))
        return opt_bad_use(
            s->cmd, "more than %d packets to broadcast or multicast addresses: add --really if all who hear them agree",
            t.family == TALK_ARP ? ARP_MAX : MANY_MAX);
    if (!due) {
        due = s->next;
        int64_t now = clock_ns();
        if (due < now - LATE_MAX_NS) due = now;
        s->next = due + s->interval;
    } else if (too_fast(s, due))
        return opt_bad_use(s->cmd,
                           "the capture has more than %d packets in a second: replay it with --speed below 1, or add "
                           "--really if the network is yours to load",
                           RATE_MAX);
    int rc = wait_until(s, due);
    if (rc) return trouble(s, rc);
    if (children_stopped()) return EXIT_FINE;
    int64_t ts = clock_wall_ns();
    rc = linktype == 1 ? send_frame(s, &t, bytes) : send_ip(s, &t, bytes);
    if (rc == ERR_IO && !s->failed++)
        fprintf(stderr, "weir craft: packet %llu could not be sent: %s\n", (unsigned long long)s->sent + 1,
                strerror(errno));
    if (rc && rc != ERR_IO) return rc;
    return rc == ERR_IO ? OPT_GO : trouble(s, sent(s, &t, linktype, bytes, ts, many));
}

static void totals(const struct sender *s) {
    double took = (double)(clock_ns() - s->began) / 1e9;
    fprintf(stderr, "%llu %s sent, %llu %s", (unsigned long long)s->sent, plural(s->sent, "packet", "packets"),
            (unsigned long long)s->bytes, plural(s->bytes, "byte", "bytes"));
    if (s->failed) fprintf(stderr, ", %llu could not be sent", (unsigned long long)s->failed);
    if (!s->answers) {
        fprintf(stderr, " in %.3f s\n", took);
        return;
    }
    fprintf(stderr, "; %llu answered", (unsigned long long)s->answered);
    if (s->errors)
        fprintf(stderr, plural(s->errors, " (%llu by an ICMP error)", " (%llu by ICMP errors)"),
                (unsigned long long)s->errors);
    fprintf(stderr, ", %llu without an answer (%.1f%% lost)", (unsigned long long)s->lost,
            s->sent ? 100.0 * (double)s->lost / (double)s->sent : 0.0);
    if (s->again) fprintf(stderr, ", %llu answered again", (unsigned long long)s->again);
    fprintf(stderr, "\n");
    if (s->answered)
        fprintf(stderr, "time least/mean/most %.3f/%.3f/%.3f ms\n", (double)s->least / 1e6,
                (double)s->sum / (double)s->answered / 1e6, (double)s->most / 1e6);
}

static void sender_free(struct sender *s) {
    rawsend_close(s->raw);
    live_close(s->live);
    answers_free(s->answers);
    free(s);
}

int sender_end(struct sender *s, int rc) {
    if (!s) return rc;
    if (!s->raw || rc == EXIT_TROUBLE) return sender_free(s), rc;
    int64_t end = clock_ns() + s->timeout;
    while (s->answers && answers_waiting(s->answers) && clock_ns() < end && !children_stopped())
        if (hear(s, clock_ns() + 10000000)) break;
    if (s->answers) (void)expire(s, INT64_MAX);
    (void)wr_flush(&s->out->out);
    totals(s);
    if (s->failed && !s->sent) rc = EXIT_TROUBLE;
    else if (s->answers && !s->answered) rc = EXIT_FINDING;
    else rc = EXIT_FINE;
    sender_free(s);
    return rc;
}
