/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: `weir serve` is one process; libmicrohttpd gives each connection a thread, and a request that
 * reads a capture opens it, decodes it and forgets it, so requests share nothing but the folder. How many decode at the
 * same time is limited (WEB_READERS_MAX), as are connections and the seconds one may say nothing.
 *
 * Who may ask: on loopback everybody of this machine; elsewhere who has the token (Authorization: Bearer), unless
 * --no-auth was said. The page itself is no secret and needs none. A foreign web page gets nothing: the Host must be an
 * address, localhost or a name of this server (a foreign name pointed at us is refused), no answer allows other
 * origins, and what changes something is refused where Origin or Sec-Fetch-Site say that another site asks. */
#include "io/sock.h"
#include "proto/fields.h"
#include "serve/web_in.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_S = 30, CONNECTIONS_MAX = 600, TOKEN_BYTES = 32 };

static const char csp[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const char *header(struct web_request *q, const char *name) {
    return MHD_lookup_connection_value(q->c, MHD_HEADER_KIND, name);
}

/* ---- who asks ---- */

static bool host_is(const char *host, size_t n, const char *name) {
    return *name && strlen(name) == n && !strncasecmp(host, name, n);
}

static bool host_is_fine(struct web_request *q) {
    const char *host = header(q, "Host");
    if (!host) return false;
    if (host[0] == '[') return strspn(host, "[]:.0123456789abcdefABCDEF") == strlen(host);
    size_t n = strcspn(host, ":");
    if (strspn(host + n, ":0123456789") != strlen(host + n)) return false;
    if ((n && strspn(host, "0123456789.") == n) || host_is(host, n, "localhost") || host_is(host, n, q->web->own_host))
        return true;
    for (size_t i = 0; i < q->web->plan->n_hosts; i++)
        if (host_is(host, n, q->web->plan->hosts[i])) return true;
    return false;
}

static bool origin_is_fine(struct web_request *q) {
    const char *origin = header(q, "Origin"), *site = header(q, "Sec-Fetch-Site"), *host = header(q, "Host");
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) return false;
    if (!origin) return true;
    const char *rest = strstr(origin, "://");
    return rest && host && !strcasecmp(rest + 3, host);
}

/* token_is_right takes the same time wherever the first difference is. */
static bool token_is_right(struct web_request *q) {
    const char *given = header(q, "Authorization");
    unsigned char differs = 0;
    if (!q->web->needs_token) return true;
    if (!given || strncasecmp(given, "Bearer ", 7) != 0 || strlen(given + 7) != 2 * TOKEN_BYTES) return false;
    for (size_t i = 0; i < 2 * TOKEN_BYTES; i++) differs |= (unsigned char)(given[7 + i] ^ q->web->token[i]);
    return !differs;
}

static bool is_page(const struct web_request *q) {
    return !strcmp(q->method, "GET") && (!strcmp(q->url, "/") || !strcmp(q->url, "/weir.css") ||
                                         !strcmp(q->url, "/weir.js") || !strcmp(q->url, "/favicon.ico"));
}

static bool reads(const struct web_request *q) { return !strcmp(q->method, "GET") || !strcmp(q->method, "HEAD"); }

/* admit tells whether the request may go on; else a problem is the answer. */
static bool admit(struct web_request *q) {
    if (!host_is_fine(q)) {
        web_problem(q, 403, "this name is not the server's; --host NAME makes it known");
    } else if (!reads(q) && !origin_is_fine(q)) {
        web_problem(q, 403, "another site asked for this change");
    } else if (!is_page(q) && !token_is_right(q)) {
        web_problem(q, 401, "the token was printed when the server began: Authorization: Bearer TOKEN");
        q->reply.challenge = true;
    } else {
        return true;
    }
    q->refused = true;
    return false;
}

/* ---- requests ---- */

enum MHD_Result web_reply_send(struct web_request *q) {
    struct web_reply *r = &q->reply;
    if (!r->made) {
        struct slice body = wr_done(&r->w);
        r->made = MHD_create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
        wr_free(&r->w);
        r->w = wr_grow();
    }
    if (!r->made) return MHD_NO;
    if (r->status != 204) MHD_add_response_header(r->made, "Content-Type", r->type);
    MHD_add_response_header(r->made, "Cache-Control",
                            r->type && !strcmp(r->type, "application/octet-stream") ? "private, no-cache" : "no-store");
    MHD_add_response_header(r->made, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r->made, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(r->made, "Cross-Origin-Resource-Policy", "same-origin");
    MHD_add_response_header(r->made, "X-Frame-Options", "DENY");
    MHD_add_response_header(r->made, "Content-Security-Policy", csp);
    if (r->location[0]) MHD_add_response_header(r->made, "Location", r->location);
    if (r->status == 503) MHD_add_response_header(r->made, "Retry-After", "1");
    if (r->challenge) MHD_add_response_header(r->made, "WWW-Authenticate", "Bearer");
    enum MHD_Result ok = MHD_queue_response(q->c, r->status, r->made);
    MHD_destroy_response(r->made);
    r->made = NULL;
    return ok;
}

/* tell_change writes one line about what changed something or was refused; what an outsider wrote is cut to plain
 * letters. */
static void tell_change(struct web_request *q) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(q->c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char from[128] = "", when[32] = "", url[160];
    struct writer w = wr_fixed(from, sizeof from - 1);
    time_t now = time(NULL);
    struct tm tm;
    size_t n = 0;
    if (info && info->client_addr) {
        struct sock_addr a = {.len = info->client_addr->sa_family == AF_INET6 ? sizeof a.v6 : sizeof a.v4};
        memcpy(&a.any, info->client_addr, a.len);
        sock_print(&a, &w);
    }
    for (; q->url[n] && n < sizeof url - 1; n++) url[n] = q->url[n] > ' ' && q->url[n] < 0x7f ? q->url[n] : '?';
    url[n] = 0;
    if (gmtime_r(&now, &tm)) strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    fprintf(stderr, "%s %s %.8s %s %u\n", when, from, q->method, url, q->reply.status);
}

static struct web_request *request_make(struct web *s, struct MHD_Connection *c, const char *method, const char *url) {
    struct web_request *q = calloc(1, sizeof *q);
    if (!q) return NULL;
    *q = (struct web_request){.web = s, .c = c, .method = method, .url = url, .upload_fd = -1};
    q->reply = (struct web_reply){.status = 200, .type = "application/json", .w = wr_grow()};
    return q;
}

static enum MHD_Result finish(struct web_request *q) {
    if (!q->refused) web_route(q);
    web_upload_drop(q); /* what got no name is gone before the answer says so */
    if (!reads(q) || q->refused) tell_change(q);
    return web_reply_send(q);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *data, size_t *n, void **state) {
    (void)version;
    struct web_request *q = *state;
    if (!q) {
        if (!(*state = q = request_make(cls, c, method, url))) return MHD_NO;
        if (!admit(q)) return finish(q);
        if (!strcmp(method, "PUT") || !strcmp(method, "POST")) web_upload_begin(q);
        return q->upload_error ? finish(q) : MHD_YES; /* too large: said before the body comes */
    }
    if (*n) {
        if (q->upload_fd >= 0) web_upload_data(q, slice_of(data, *n));
        *n = 0;
        return MHD_YES;
    }
    return finish(q);
}

static void on_end(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code) {
    (void)cls, (void)c, (void)code;
    struct web_request *q = *state;
    if (!q) return;
    web_upload_drop(q);
    wr_free(&q->reply.w);
    free(q);
    *state = NULL;
}

/* ---- life ---- */

static bool is_loopback(const struct sock_addr *a) {
    if (a->any.sa_family == AF_INET) return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
    return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

static bool complain(const char *what, const char *why) {
    fprintf(stderr, "weir serve: %s: %s\n", what, why);
    return false;
}

static bool address_read(const char *text, struct sock_addr *at) {
    char local[24], reason[256] = "";
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    if (strspn(text, "0123456789") == strlen(text) && strlen(text) < 6) {
        snprintf(local, sizeof local, "127.0.0.1:%s", text);
        text = local;
    }
    if (sock_parse(at, text, 0, &why) == OK && !sock_is_local(at)) return true;
    return complain(text, *reason ? reason : "expected ADDRESS:PORT");
}

static bool token_make(struct web *s) {
    uint8_t bytes[TOKEN_BYTES];
    struct writer w = wr_fixed(s->token, sizeof s->token);
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return complain("token", strerror(errno));
    wr_hexbytes(&w, slice_of(bytes, sizeof bytes), 0);
    return true;
}

/* unescape undoes percent signs in an address, but for that of NUL, which would end a name before its end. */
static size_t unescape(void *cls, struct MHD_Connection *c, char *text) {
    char *out = text;
    (void)cls, (void)c;
    for (const char *at = text; *at; at++) {
        char two[3] = {at[0] == '%' ? at[1] : 0, 0, 0}, *end;
        if (two[0]) two[1] = at[2];
        unsigned long v = strtoul(two, &end, 16);
        bool hex = two[1] && !*end && end == two + 2 && two[0] != ' ' && two[0] != '+' && two[0] != '-';
        if (hex && v) at += 2;
        *out++ = hex && v ? (char)v : *at;
    }
    *out = 0;
    return (size_t)(out - text);
}

static struct MHD_Daemon *start(struct web *s, const struct sock_addr *at) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
                     (at->any.sa_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, &at->any,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)IDLE_S, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED,
                            on_end, NULL, MHD_OPTION_END);
}

static void tell(struct web *s, struct MHD_Daemon *daemon, struct sock_addr at) {
    char text[160];
    const union MHD_DaemonInfo *port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
    if (port && port->port) at.v4.sin_port = htons(port->port);
    struct writer w = wr_fixed(text, sizeof text - 1);
    sock_print(&at, &w);
    *w.p = 0;
    if (s->needs_token) printf("http://%s/#token=%s\n", text, s->token);
    else printf("http://%s/\n", text);
    fflush(stdout);
    fprintf(stderr, "captures in %s; Ctrl-C ends\n", s->plan->dir);
    if (!s->needs_token && !s->loopback)
        fprintf(stderr, "weir serve: --no-auth: everybody who reaches this address may read and delete\n");
}

static void serve_until_stopped(struct web *s, struct MHD_Daemon *daemon, const sigset_t *stops) {
    int which;
    sigwait(stops, &which);
    atomic_store(&s->stopping, true);
    MHD_stop_daemon(daemon);
}

bool web_run(const struct web_plan *plan) {
    struct web s = {.plan = plan, .changing = PTHREAD_MUTEX_INITIALIZER, .jobs_lock = PTHREAD_MUTEX_INITIALIZER};
    struct sock_addr at;
    sigset_t stops;
    if (!address_read(plan->listen, &at)) return false;
    s.loopback = is_loopback(&at);
    s.needs_token = !s.loopback && !plan->no_auth;
    if (s.needs_token && !token_make(&s)) return false;
    if (gethostname(s.own_host, sizeof s.own_host - 1)) s.own_host[0] = 0;
    if (field_index_make(&s.names, &weir_fields)) return complain("start", "out of memory");
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct MHD_Daemon *daemon = start(&s, &at);
    if (daemon) {
        tell(&s, daemon, at);
        serve_until_stopped(&s, daemon, &stops);
    } else {
        complain(plan->listen, errno ? strerror(errno) : "cannot listen");
    }
    field_index_free(&s.names);
    return daemon != NULL;
}
