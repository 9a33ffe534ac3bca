/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: a small HTTP server of the parent, for machines (/metrics, /healthz, /readyz, /bans, /talkers,
 * /events) and people (/). libmicrohttpd runs without threads: its epoll descriptor is watched by the parent's loop,
 * and it works in the parent's turn. Everything shown is read from shared memory; no worker is asked.
 *
 * There is no password: it listens on loopback unless told otherwise. What changes something needs the header
 * "X-Weir: yes", which a page of another origin cannot send, and on loopback the Host must be an address or localhost,
 * so that a foreign name pointed at 127.0.0.1 gets nothing. */
#include "base/clock.h"
#include "base/json.h"
#include "serve/mhd.h"
#include "serve/proxy/admin_page.h"
#include "serve/proxy/parent.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { REQUEST_S = 10, TALKERS_MAX = 20, CLIENTS_MAX = 64 };

struct admin {
    struct MHD_Daemon *daemon;
    bool loopback;
};

struct answer {
    unsigned status;
    const char *type;
    struct writer w;
};

/* ---- texts ---- */

static void metric_head(struct writer *w, const char *name, const char *help, bool gauge) {
    wr_f(w, "# HELP weir_%s %s\n# TYPE weir_%s %s\n", name, help, name, gauge ? "gauge" : "counter");
}

static void metric(struct writer *w, const char *name, const char *help, bool gauge, uint64_t v) {
    metric_head(w, name, help, gauge);
    wr_f(w, "weir_%s %llu\n", name, (unsigned long long)v);
}

static void write_brokers(const struct parent *p, struct writer *w) {
    metric_head(w, "broker_up", "1 where the last health check reached the broker", true);
    for (unsigned i = 0; i < p->set->brokers; i++)
        wr_f(w, "weir_broker_up{broker=\"%s\"} %d\n", p->set->broker[i].conf->address,
             !atomic_load(&p->shared->down[i]));
}

static void write_workers(const struct parent *p, struct writer *w) {
    uint64_t restarts = 0, lost = atomic_load(&p->shared->audit_lost), up = 0;
    for (unsigned k = 0; k < p->workers; k++) {
        restarts += atomic_load(&p->shared->worker[k].restarts);
        lost += atomic_load(&p->shared->worker[k].audit.lost);
        up += p->child[k].pid != 0;
    }
    metric(w, "workers", "Worker processes running", true, up);
    metric(w, "worker_restarts_total", "Worker processes that crashed and were started again", false, restarts);
    metric(w, "audit_lost_total", "Audit records a full ring or disk swallowed", false, lost);
    metric(w, "audit_written_total", "Audit records written", false, atomic_load(&p->shared->audit_written));
    metric(w, "reloads_total", "Configurations taken at reload", false, atomic_load(&p->shared->reloads));
    metric(w, "reloads_refused_total", "Configurations refused at reload", false,
           atomic_load(&p->shared->reloads_refused));
    metric(w, "uptime_seconds", "Seconds since the start", true, (uint64_t)(p->now - p->started) / 1000);
}

static void stats_write(struct writer *w, const struct stat_info *info, size_t n, const uint64_t *value) {
    for (size_t i = 0; i < n; i++) metric(w, info[i].name, info[i].help, info[i].gauge, value[i]);
}

static void write_metrics(const struct parent *p, struct answer *a) {
    uint64_t g[GUARD_STAT_COUNT], s[PROXY_STAT_COUNT];
    guard_stats_sum(p->guard_shared, g);
    shared_stats_sum(p->shared, p->workers, s);
    a->type = "text/plain; version=0.0.4; charset=utf-8";
    stats_write(&a->w, guard_stat_info, GUARD_STAT_COUNT, g);
    stats_write(&a->w, proxy_stat_info, PROXY_STAT_COUNT, s);
    write_brokers(p, &a->w);
    write_workers(p, &a->w);
}

static void json_addr(struct writer *w, const struct net_addr *a) {
    struct sock_peer peer = {.len = a->len == 4 || a->len == 16 ? a->len : 0};
    memcpy(peer.ip, a->bytes, peer.len);
    wr_c(w, '"');
    sock_peer_print(&peer, w);
}

static const char *const ban_words[] = {[GUARD_BAN_ADDRESS] = "address",
                                        [GUARD_BAN_USER] = "user",
                                        [GUARD_BAN_CLIENT] = "client",
                                        [GUARD_BAN_SUBJECT] = "subject"};
_Static_assert(sizeof ban_words / sizeof *ban_words == GUARD_BAN_KINDS, "every kind of ban has a word");

struct ban_list {
    struct writer *w;
    int64_t now;
    unsigned n;
};

static void write_ban(void *to, const struct guard_ban *b) {
    struct ban_list *l = to;
    wr_f(l->w, "%s{\"kind\":\"%s\",\"value\":", l->n++ ? "," : "", ban_words[b->kind]);
    if (b->kind == GUARD_BAN_ADDRESS) {
        json_addr(l->w, &b->address);
        if (b->prefix < b->address.len * 8) wr_f(l->w, "/%u", b->prefix);
        wr_c(l->w, '"');
    } else {
        json_text(l->w, b->value);
    }
    wr_s(l->w, ",\"reason\":");
    json_text(l->w, b->reason);
    if (b->until == INT64_MAX) wr_s(l->w, ",\"seconds\":null}");
    else wr_f(l->w, ",\"seconds\":%lld}", (long long)(b->until - l->now) / 1000000000);
}

static void write_bans(const struct parent *p, struct answer *a) {
    struct ban_list l = {&a->w, clock_ns(), 0};
    a->type = "application/json";
    wr_c(&a->w, '[');
    guard_bans_each(p->guard_shared, l.now, write_ban, &l);
    wr_s(&a->w, "]\n");
}

static void write_talkers(const struct parent *p, struct answer *a) {
    struct guard_talker t[TALKERS_MAX];
    size_t n = guard_talkers(p->guard_shared, t, TALKERS_MAX);
    a->type = "application/json";
    wr_c(&a->w, '[');
    for (size_t i = 0; i < n; i++) {
        wr_s(&a->w, i ? ",{\"address\":" : "{\"address\":");
        json_addr(&a->w, &t[i].address);
        wr_f(&a->w, "\",\"packets\":%llu,\"bytes\":%llu,\"connections\":%u}", (unsigned long long)t[i].packets,
             (unsigned long long)t[i].bytes, t[i].connections);
    }
    wr_s(&a->w, "]\n");
}

static void write_events(const struct parent *p, struct answer *a) {
    const struct recent *r = &p->recent;
    unsigned first = r->n > RECENT_MAX ? r->n - RECENT_MAX : 0, shown = 0;
    a->type = "application/json";
    wr_c(&a->w, '[');
    for (unsigned i = r->n; i-- > first;) {
        const char *line = r->line[i % RECENT_MAX];
        if (*line) wr_f(&a->w, "%s%s", shown++ ? "," : "", line);
    }
    wr_s(&a->w, "]\n");
}

static void write_stats(const struct parent *p, struct answer *a) {
    uint64_t g[GUARD_STAT_COUNT], s[PROXY_STAT_COUNT];
    guard_stats_sum(p->guard_shared, g);
    shared_stats_sum(p->shared, p->workers, s);
    a->type = "application/json";
    wr_c(&a->w, '{');
    for (int i = 0; i < GUARD_STAT_COUNT; i++)
        wr_f(&a->w, "\"%s\":%llu,", guard_stat_info[i].name, (unsigned long long)g[i]);
    for (int i = 0; i < PROXY_STAT_COUNT; i++)
        wr_f(&a->w, "\"%s\":%llu,", proxy_stat_info[i].name, (unsigned long long)s[i]);
    wr_s(&a->w, "\"brokers\":[");
    for (unsigned i = 0; i < p->set->brokers; i++) {
        wr_f(&a->w, "%s{\"address\":", i ? "," : "");
        json_text(&a->w, slice_str(p->set->broker[i].conf->address));
        wr_f(&a->w, ",\"up\":%s}", atomic_load(&p->shared->down[i]) ? "false" : "true");
    }
    wr_s(&a->w, "],\"workers\":[");
    for (unsigned k = 0; k < p->workers; k++)
        wr_f(&a->w, "%s{\"pid\":%d,\"restarts\":%u,\"clients\":%llu}", k ? "," : "", (int)p->child[k].pid,
             atomic_load(&p->shared->worker[k].restarts),
             (unsigned long long)atomic_load(&p->shared->worker[k].stat[PROXY_STAT_CLIENTS]));
    wr_f(&a->w, "],\"uptime\":%lld,\"ready\":%s}\n", (long long)(p->now - p->started) / 1000,
         parent_ready(p) ? "true" : "false");
}

/* ---- requests ---- */

static const char *query(struct MHD_Connection *c, const char *name) {
    return mhd.lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);
}

static void refuse(struct answer *a, unsigned status, const char *text) {
    a->status = status;
    wr_f(&a->w, "%s\n", text);
}

static int ban_kind(const char *word) {
    for (int i = 0; word && i < GUARD_BAN_KINDS; i++)
        if (!strcmp(word, ban_words[i])) return i;
    return -1;
}

/* may_change: a page of somebody else can make a browser ask, but not with this header. */
static bool may_change(struct MHD_Connection *c, struct answer *a) {
    const char *header = mhd.lookup_connection_value(c, MHD_HEADER_KIND, "X-Weir");
    if (header && !strcmp(header, "yes")) return true;
    return refuse(a, 403, "changes need the header X-Weir: yes"), false;
}

/* change_policy is what SIGHUP does. */
static void change_policy(struct parent *p, struct MHD_Connection *c, struct answer *a) {
    if (!may_change(c, a)) return;
    switch (parent_reload(p, &a->w)) {
    case PARENT_RELOADED: return refuse(a, 200, "the new configuration is in order; the workers take it");
    case PARENT_LATER: return refuse(a, 202, "one reload is under way; this one follows");
    case PARENT_REFUSED: return refuse(a, 422, "the new configuration was refused; the old one stays");
    case PARENT_ENDING: return refuse(a, 503, "the guard is about to end");
    }
}

/* change_bans sets or lifts a ban: ?kind=address&value=192.0.2.0/24&seconds=600&reason=... */
static void change_bans(struct parent *p, struct MHD_Connection *c, bool set, struct answer *a) {
    const char *value = query(c, "value"), *reason = query(c, "reason"), *text = query(c, "seconds");
    int kind = ban_kind(query(c, "kind"));
    if (!may_change(c, a)) return;
    if (kind < 0 || !value) return refuse(a, 400, "expected ?kind=address|user|client|subject&value=...");
    char *rest = NULL;
    long long seconds = text ? strtoll(text, &rest, 10) : 0;
    if (text && (*rest || rest == text || seconds <= 0 || seconds > INT32_MAX))
        return refuse(a, 400, "seconds: expected a number from 1");
    int64_t now = clock_ns(), until = text ? now + seconds * 1000000000 : INT64_MAX;
    struct slice v = slice_str(value);
    int r =
        set ? guard_ban_set(p->guard_shared, p->workers, kind, v, slice_str(reason ? reason : "by hand"), now, until)
            : guard_ban_lift(p->guard_shared, p->workers, kind, v, now);
    if (r == OK) return refuse(a, 200, set ? "banned" : "lifted");
    refuse(a, r == ERR_LIMIT ? 507 : 400, err_text(r));
}

static bool host_is_fine(const struct parent *p, struct MHD_Connection *c) {
    const char *host = mhd.lookup_connection_value(c, MHD_HEADER_KIND, "Host");
    if (!p->admin->loopback || !host) return true;
    size_t n = strcspn(host, ":");
    return host[0] == '[' || (n == 9 && !strncmp(host, "localhost", 9)) || strspn(host, "0123456789.") == n;
}

static void get(struct parent *p, const char *url, struct answer *a) {
    if (!strcmp(url, "/metrics")) return write_metrics(p, a);
    if (!strcmp(url, "/healthz")) return refuse(a, 200, "ok");
    if (!strcmp(url, "/readyz")) return refuse(a, parent_ready(p) ? 200 : 503, parent_ready(p) ? "ready" : "not ready");
    if (!strcmp(url, "/bans")) return write_bans(p, a);
    if (!strcmp(url, "/talkers")) return write_talkers(p, a);
    if (!strcmp(url, "/events")) return write_events(p, a);
    if (!strcmp(url, "/stats")) return write_stats(p, a);
    if (strcmp(url, "/") != 0)
        return refuse(a, 404, "not found; /metrics /healthz /readyz /stats /bans /talkers /events");
    a->type = "text/html; charset=utf-8";
    wr_s(&a->w, admin_page);
}

static void route(struct parent *p, struct MHD_Connection *c, const char *url, const char *method, struct answer *a) {
    bool reads = !strcmp(method, "GET") || !strcmp(method, "HEAD");
    bool bans = !strcmp(url, "/bans");
    if (!host_is_fine(p, c)) refuse(a, 403, "this name is not the guard's");
    else if (reads) get(p, url, a);
    else if (bans && !strcmp(method, "POST")) change_bans(p, c, true, a);
    else if (!strcmp(url, "/reload") && !strcmp(method, "POST")) change_policy(p, c, a);
    else if (bans && !strcmp(method, "DELETE")) change_bans(p, c, false, a);
    else refuse(a, 405, "method not allowed");
}

static enum MHD_Result send_answer(struct MHD_Connection *c, struct answer *a) {
    struct slice body = wr_done(&a->w);
    struct MHD_Response *r = mhd.create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
    wr_free(&a->w);
    if (!r) return MHD_NO;
    mhd.add_response_header(r, "Content-Type", a->type);
    mhd.add_response_header(r, "Cache-Control", "no-store");
    mhd.add_response_header(r, "X-Content-Type-Options", "nosniff");
    mhd.add_response_header(
        r, "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'");
    enum MHD_Result ok = mhd.queue_response(c, a->status, r);
    mhd.destroy_response(r);
    return ok;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *data, size_t *n, void **state) {
    static int seen;
    (void)version, (void)data;
    if (!*state) return *state = &seen, MHD_YES; /* the header is there, the body is not */
    if (*n) return *n = 0, MHD_YES;              /* bodies mean nothing here */
    struct answer a = {200, "text/plain; charset=utf-8", wr_grow()};
    route(cls, c, url, method, &a);
    return send_answer(c, &a);
}

/* ---- life ---- */

static struct MHD_Daemon *start_daemon(struct parent *p, const struct sock_addr *at) {
    unsigned flags = MHD_USE_EPOLL | (at->any.sa_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    return mhd.start_daemon(flags, 0, NULL, NULL, on_request, p, MHD_OPTION_SOCK_ADDR, &at->any,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)REQUEST_S, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
}

static bool is_loopback(const struct sock_addr *a) {
    if (a->any.sa_family == AF_INET) return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
    return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

static void tell(struct parent *p, struct sock_addr at) {
    char text[160];
    const union MHD_DaemonInfo *port = mhd.get_daemon_info(p->admin->daemon, MHD_DAEMON_INFO_BIND_PORT);
    if (port && port->port) at.v4.sin_port = htons(port->port);
    struct writer w = wr_fixed(text, sizeof text - 1);
    sock_print(&at, &w);
    *w.p = 0;
    parent_say("admin page on http://%s/", text);
}

bool admin_open(struct parent *p) {
    const char *where = p->plan->admin ? p->plan->admin : p->set->config->admin;
    char text[256] = "";
    struct writer why = wr_fixed(text, sizeof text - 1);
    struct sock_addr at;
    if (!where || !strcmp(where, "none")) return true;
    char local[16]; /* a port alone: on loopback */
    if (strspn(where, "0123456789") == strlen(where) && strlen(where) < 6) {
        snprintf(local, sizeof local, "127.0.0.1:%s", where);
        where = local;
    }
    if (sock_parse(&at, where, 0, &why) != OK || sock_is_local(&at))
        return parent_say("admin: %s", *text ? text : "expected ADDRESS:PORT"), false;
    if (!mhd_load()) return parent_say("admin: " MHD_LIBRARY " cannot be loaded"), false;
    if (!(p->admin = calloc(1, sizeof *p->admin))) return false;
    p->admin->loopback = is_loopback(&at);
    p->admin->daemon = start_daemon(p, &at);
    if (!p->admin->daemon) return parent_say("admin: cannot listen on %s: %s", where, strerror(errno)), false;
    const union MHD_DaemonInfo *fd = mhd.get_daemon_info(p->admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct loop_ref ref = {.kind = PEV_ADMIN};
    tell(p, at);
    return fd && loop_add(&p->loop, fd->epoll_fd, EPOLLIN, ref) == OK;
}

void admin_turn(struct parent *p) {
    if (p->admin && p->admin->daemon) mhd.run(p->admin->daemon);
}

void admin_forget(struct parent *p) {
    if (!p->admin || !p->admin->daemon) return;
    const union MHD_DaemonInfo *fd = mhd.get_daemon_info(p->admin->daemon, MHD_DAEMON_INFO_LISTEN_FD);
    if (fd) close(fd->listen_fd);
    fd = mhd.get_daemon_info(p->admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (fd) close(fd->epoll_fd);
}

void admin_close(struct parent *p) {
    if (p->admin && p->admin->daemon) mhd.stop_daemon(p->admin->daemon);
    free(p->admin);
    p->admin = NULL;
}
