/* SPDX-License-Identifier: Apache-2.0 */
/* weir guard --replay: a capture held against a policy, before the policy is let near a broker.
 *
 * Theory of operation. The reader finds the MQTT packets of the capture, whatever they travel in (TCP on any port, TLS
 * with keys, WebSocket), and each one is given to a guard session of its conversation, with the capture's clock. The
 * guard runs in log mode: it records what it would do and lets all pass, as the capture's ends did what they did. A
 * conversation whose beginning was not captured, or of which bytes were lost, is joined in the middle.
 * Limits: SESSIONS_MAX conversations, FRAMES_SHOWN frames for each rule. Not done: bans set by a rule do not keep later
 * connections of the capture out. */
#include "app/guard/guard_replay.h"

#include "analyse/dissect.h"
#include "app/feed.h"
#include "guard/config/config.h"
#include "serve/proxy/rules_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SESSIONS_MAX = 1 << 20, FRAMES_SHOWN = 12, RULES_SHOWN = 512, NAME_MAX_ = 64 };

struct session {
    struct guard_session s;
    bool open, stopped; /* stopped: counted among those the policy would have touched */
    bool whole;         /* the capture has the beginning of the connection */
    bool gap;           /* the capture has lost some of its bytes since its last packet of MQTT */
    uint16_t client_port;
    struct net_addr client_addr;
};

struct rule {
    char name[NAME_MAX_], reason[100];
    enum guard_action action;
    uint64_t count, frames, last; /* last: packet it was counted for */
    uint64_t frame[FRAMES_SHOWN];
};

struct replay {
    const struct replay_plan *plan;
    struct guard_config *config;
    struct guard *g;
    struct dissector ds;
    struct feed feed;
    struct keys keys;
    struct session **session; /* by number of the conversation */
    size_t sessions;
    struct rule rule[RULES_SHOWN];
    size_t rules;
    uint64_t packets, stopped, stopped_sessions, conversations;
    bool found_in_packet;
    struct session *now;
};

static struct rule *rule_of(struct replay *r, const struct guard_event *e) {
    for (size_t i = 0; i < r->rules; i++)
        if (!strncmp(r->rule[i].name, e->rule, NAME_MAX_ - 1) && r->rule[i].action == e->action) return &r->rule[i];
    if (r->rules == RULES_SHOWN) return NULL;
    struct rule *one = &r->rule[r->rules++];
    *one = (struct rule){.action = e->action};
    snprintf(one->name, sizeof one->name, "%s", e->rule);
    snprintf(one->reason, sizeof one->reason, "%s", e->reason ? e->reason : "");
    return one;
}

static void noted(void *to, const struct guard_event *e) {
    struct replay *r = to;
    struct rule *one = rule_of(r, e);
    if (e->would) r->found_in_packet = true;
    if (e->would && r->now && !r->now->stopped) {
        r->now->stopped = true;
        r->stopped_sessions++;
    }
    if (one) {
        one->count += one->last != r->packets;
        one->last = r->packets;
        if (!one->frames || one->frame[(one->frames < FRAMES_SHOWN ? one->frames : FRAMES_SHOWN) - 1] != e->frame) {
            if (one->frames < FRAMES_SHOWN) one->frame[one->frames] = e->frame;
            one->frames++;
        }
    }
    if (!r->plan->json) return;
    char line[4096];
    struct writer w = wr_fixed(line, sizeof line);
    guard_event_json(&w, e, 0);
    fwrite(line, 1, wr_len(&w), stdout);
}

/* ends is where a packet of the capture came from and went to. */
struct ends {
    struct net_addr src, dst;
    uint16_t sport, dport;
    uint32_t stream;
    bool found, syn, gap;
};

static void ends_take(struct ends *e, const struct fval *f) {
    uint8_t four[4] = {(uint8_t)(f->u >> 24), (uint8_t)(f->u >> 16), (uint8_t)(f->u >> 8), (uint8_t)f->u};
    switch (f->id) {
    case FID_IP_SRC: e->src = addr_of(four, 4); break;
    case FID_IP_DST: e->dst = addr_of(four, 4); break;
    case FID_IPV6_SRC: e->src = addr_of(f->s.p, 16); break;
    case FID_IPV6_DST: e->dst = addr_of(f->s.p, 16); break;
    case FID_TCP_SRCPORT: e->sport = (uint16_t)f->u; break;
    case FID_TCP_DSTPORT: e->dport = (uint16_t)f->u; break;
    case FID_TCP_STREAM:
        e->stream = (uint32_t)f->u;
        e->found = true;
        break;
    case FID_TCP_FLAGS_SYN: e->syn = f->u != 0; break;
    case FID_TCP_AN_LOST_SEGMENT:
    case FID_TCP_AN_ACK_LOST: e->gap = true; break;
    default: break;
    }
}

static struct session *session_of(struct replay *r, uint32_t stream) {
    if (stream >= SESSIONS_MAX) return NULL;
    if (stream >= r->sessions) {
        size_t n = r->sessions ? r->sessions : 64;
        while (n <= stream) n *= 2;
        struct session **more = realloc(r->session, n * sizeof(struct session *));
        if (!more) return NULL;
        memset(more + r->sessions, 0, (n - r->sessions) * sizeof(struct session *));
        r->session = more;
        r->sessions = n;
    }
    if (!r->session[stream]) r->session[stream] = calloc(1, sizeof(struct session));
    return r->session[stream];
}

/* sent_by_client guesses who sent the first packet seen of a conversation: by its type, else the broker has the lower
 * port. */
static bool sent_by_client(uint8_t first, const struct ends *e) {
    switch (first >> 4) {
    case MQTT_CONNECT:
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
    case MQTT_PINGREQ: return true;
    case MQTT_CONNACK:
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
    case MQTT_PINGRESP: return false;
    default: return e->dport < e->sport;
    }
}

static void session_start(struct replay *r, struct session *s, const struct ends *e, uint8_t first, int64_t now) {
    bool client = sent_by_client(first, e);
    struct guard_peer peer = {.client = client ? e->src : e->dst,
                              .local = client ? e->dst : e->src,
                              .client_port = client ? e->sport : e->dport,
                              .local_port = client ? e->dport : e->sport,
                              .id = ++r->conversations};
    struct guard_out out;
    s->open = true;
    s->client_addr = peer.client;
    s->client_port = peer.client_port;
    (void)guard_open(r->g, &s->s, &peer, now, &out);
    if (first >> 4 != MQTT_CONNECT && !s->whole) guard_join(r->g, &s->s, MQTT_UNKNOWN);
}

/* gap_close takes a session up again behind bytes that were lost; true where its packet says nothing more. The packets
 * of the login tell by themselves where the session is. */
static bool gap_close(struct replay *r, struct session *s, uint8_t type) {
    bool login = type == MQTT_CONNECT || (type == MQTT_CONNACK && s->s.state == GUARD_ASKED);
    if (login) return false;
    s->gap = false;
    guard_join(r->g, &s->s, s->s.conv.version);
    return type == MQTT_CONNACK;
}

static void packet_feed(struct replay *r, const struct ends *e, struct slice bytes, int64_t now) {
    struct guard_out out;
    struct session *s = session_of(r, e->stream);
    if (!s || !bytes.n) return;
    r->now = s;
    r->packets++;
    r->found_in_packet = false;
    if (!s->open) session_start(r, s, e, bytes.p[0], now);
    if (s->gap && gap_close(r, s, bytes.p[0] >> 4)) return;
    bool client = e->sport == s->client_port && e->src.len == s->client_addr.len &&
                  !memcmp(e->src.bytes, s->client_addr.bytes, e->src.len);
    if (guard_timer(r->g, &s->s) <= now) guard_expire(r->g, &s->s, now, &out);
    do {
        guard_feed(r->g, &s->s, client ? GUARD_CLIENT : GUARD_BROKER, bytes, now, &out);
        bytes = slice_tail(bytes, out.consumed);
    } while (out.again && bytes.n);
    r->stopped += r->found_in_packet;
}

static void frame_take(struct replay *r, const struct packet *p) {
    const struct decode *d = dissector_packet(&r->ds, p);
    const struct fvec *v = d->out;
    guard_set_frame(r->g, p->number);
    struct ends whole = {0}, e = {0};
    for (uint32_t i = 0; i < v->n; i++) ends_take(&whole, &v->v[i]);
    struct session *known = whole.found && (whole.syn || whole.gap) ? session_of(r, whole.stream) : NULL;
    if (known) {
        known->whole |= whole.syn;
        known->gap |= whole.gap;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        const struct fval *f = &v->v[i];
        ends_take(&e, f); /* of a packet in a tunnel, those that are nearest */
        if (f->id != FID_MQTT) continue;
        struct slice source = v->source[f->src].bytes;
        if (e.found && f->off <= source.n) packet_feed(r, &e, slice_head(slice_tail(source, f->off), f->len), p->ts);
    }
}

static const char *action_name(enum guard_action a) {
    static const char *const names[] = {"allow", "log", "drop", "disconnect", "ban"};
    return names[a];
}

static void table_print(const struct replay *r) {
    int width = 4;
    for (size_t i = 0; i < r->rules; i++)
        if ((int)strlen(r->rule[i].name) > width) width = (int)strlen(r->rule[i].name);
    if (r->rules) printf("%-*s  %-10s  %7s  frames\n", width, "rule", "action", "packets");
    for (size_t i = 0; i < r->rules; i++) {
        const struct rule *one = &r->rule[i];
        printf("%-*s  %-10s  %7llu  ", width, one->name, action_name(one->action), (unsigned long long)one->count);
        for (uint64_t k = 0; k < one->frames && k < FRAMES_SHOWN; k++)
            printf("%s%llu", k ? " " : "", (unsigned long long)one->frame[k]);
        printf("%s%s%s%s\n", one->frames > FRAMES_SHOWN ? " ..." : "", one->reason[0] ? "   (" : "", one->reason,
               one->reason[0] ? ")" : "");
    }
    printf("%s%llu of %llu MQTT %s, in %llu of %llu %s, would have been stopped.\n", r->rules ? "\n" : "",
           (unsigned long long)r->stopped, (unsigned long long)r->packets, plural(r->packets, "packet", "packets"),
           (unsigned long long)r->stopped_sessions, (unsigned long long)r->conversations,
           plural(r->conversations, "connection", "connections"));
}

static int prepare(struct replay *r, const struct opt_command *cmd) {
    struct guard_mistakes m;
    const char *name = r->plan->config ? r->plan->config : "weir guard";
    int rc = guard_config_make(&r->config, slice_of(r->plan->text, r->plan->text_len), &m);
    for (size_t i = 0; i < m.count; i++)
        fprintf(stderr, "%s:%u:%u: %s\n", name, m.list[i].line, m.list[i].column, m.list[i].text);
    guard_mistakes_free(&m);
    if (rc) return rc == ERR_NOMEM ? opt_bad_use(cmd, "out of memory") : EXIT_TROUBLE;
    struct rules_source source = rules_source_here();
    struct rules_report e;
    if (guard_config_rules(r->config, &source, &e) != OK)
        return fprintf(stderr, "%s:%u:%u: %s\n", e.file, e.line, e.column, e.text), EXIT_TROUBLE;
    guard_config_log_only(r->config);
    if (guard_make(&r->g, r->config->policy, NULL, &(struct guard_options){.event = noted, .to = r}))
        return opt_bad_use(cmd, "out of memory");
    static const uint16_t ids[] = {
        FID_MQTT,           FID_IP_SRC,      FID_IP_DST,     FID_IPV6_SRC,      FID_IPV6_DST,
        FID_TCP_SRCPORT,    FID_TCP_DSTPORT, FID_TCP_STREAM, FID_TCP_FLAGS_SYN, FID_TCP_AN_LOST_SEGMENT,
        FID_TCP_AN_ACK_LOST};
    struct want want = {0};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) want_add(&want, ids[i]);
    if (dissector_make(&r->ds, &want)) return opt_bad_use(cmd, "out of memory");
    rc = keys_open(&r->keys, cmd, r->plan->keys, &(struct opt_list){0}, false);
    if (rc != OPT_GO) return rc;
    r->ds.driver.d.tls_keys = &r->keys.store;
    char text[512];
    struct writer why = wr_fixed(text, sizeof text - 1);
    if (feed_open_file(&r->feed, r->plan->capture, &why)) {
        *why.p = 0;
        return opt_bad_use(cmd, "%s", text);
    }
    keys_watch_file(&r->keys, r->plan->capture, r->feed.file);
    feed_watch_signals(&r->feed);
    return OPT_GO;
}

static void release(struct replay *r) {
    for (size_t i = 0; i < r->sessions; i++) {
        if (!r->session[i]) continue;
        if (r->session[i]->open) guard_end(r->g, &r->session[i]->s, r->session[i]->s.heard);
        free(r->session[i]);
    }
    free(r->session);
    feed_close(&r->feed);
    dissector_free(&r->ds);
    keys_close(&r->keys);
    guard_free(r->g);
    guard_config_free(r->config);
    free(r);
}

int guard_replay(const struct opt_command *cmd, const struct replay_plan *plan) {
    struct replay *r = calloc(1, sizeof *r);
    struct packet p;
    if (!r) return opt_bad_use(cmd, "out of memory");
    r->plan = plan;
    int rc = prepare(r, cmd);
    if (rc != OPT_GO) {
        release(r);
        return rc;
    }
    while ((rc = feed_next(&r->feed, &p)) == OK) frame_take(r, &p);
    if (rc != ERR_END) fprintf(stderr, "weir guard: %s\n", feed_why(&r->feed));
    if (!plan->json) table_print(r);
    int status = rc != ERR_END ? EXIT_TROUBLE : r->stopped ? EXIT_FINDING : EXIT_FINE;
    if (fflush(stdout) || ferror(stdout)) status = opt_bad_use(cmd, "cannot write to stdout");
    release(r);
    return status;
}
