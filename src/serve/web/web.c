/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: `weir serve` is one process; libmicrohttpd gives each connection a thread, and a request that
 * reads a capture opens it, decodes it and forgets it, so requests share nothing but the folder. How many decode at the
 * same time is limited (WEB_READERS_MAX), as are connections and the seconds one may say nothing.
 *
 * Who may ask: on loopback everybody of this machine, unless --auth was said; elsewhere who has a token (web_auth.c),
 * unless --no-auth was said. The page itself is no secret and needs none. A foreign web page gets nothing: the Host
 * must be an address, localhost or a name of this server (a foreign name pointed at us is refused), no answer allows
 * other origins, and what changes something is refused where Origin or Sec-Fetch-Site say that another site asks.
 *
 * Privileges: the socket is bound, certificate and key are read, and the opener is forked (opener.c); then the process
 * becomes a plain user for good, and only then are there threads, strangers' bytes and files of the folder. */
#include "base/clock.h"
#include "base/isotime.h"
#include "io/keyfile.h"
#include "io/sock.h"
#include "proto/fields.h"
#include "serve/web/web_cache.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* Of all connections one address may hold so many, unless only this machine connects: nobody shuts others out. */
enum { CONNECTIONS_MAX = 600, CONNECTIONS_OF_ONE = 300 };
enum { STREAMS_END_MS = 2000 }; /* for readers who take what they are sent */

static const char csp[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const char *header(struct web_request *q, const char *name) {
    return mhd.lookup_connection_value(q->c, MHD_HEADER_KIND, name);
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

static bool is_page(const struct web_request *q) {
    return !strcmp(q->method, "GET") && (!strcmp(q->url, "/") || !strcmp(q->url, "/weir.css") ||
                                         !strcmp(q->url, "/weir.js") || !strcmp(q->url, "/favicon.ico"));
}

static bool reads(const struct web_request *q) { return !strcmp(q->method, "GET") || !strcmp(q->method, "HEAD"); }

/* admit tells whether the request may go on; else a problem is the answer. */
static bool admit(struct web_request *q) {
    enum store_role needed = web_role_needed(q);
    if (!host_is_fine(q)) {
        web_problem(q, 403, "this name is not the server's; --host NAME makes it known");
    } else if (!reads(q) && !origin_is_fine(q)) {
        web_problem(q, 403, "another site asked for this change");
    } else if (is_page(q) || needed == ROLE_NONE) {
        return true;
    } else if ((q->role = web_auth(q)) == ROLE_NONE) {
        web_problem(q, 401, "a token of this server is needed: Authorization: Bearer TOKEN");
        q->reply.challenge = true;
    } else if (q->role < needed) {
        web_problem(q, 403, "the role %s is needed for this; the token's role is %s", store_role_name(needed),
                    store_role_name(q->role));
    } else {
        return true;
    }
    q->refused = true;
    return false;
}

/* ---- requests ---- */

static enum MHD_Result reply_send(struct web_request *q) {
    struct web_reply *r = &q->reply;
    if (!r->made) {
        struct slice body = wr_done(&r->w);
        r->made = mhd.create_response_from_buffer(body.n, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
        wr_free(&r->w);
        r->w = wr_grow();
    }
    if (!r->made) return MHD_NO;
    if (r->status != 204) mhd.add_response_header(r->made, "Content-Type", r->type);
    mhd.add_response_header(r->made, "Cache-Control",
                            r->type && !strcmp(r->type, "application/octet-stream") ? "private, no-cache" : "no-store");
    mhd.add_response_header(r->made, "X-Content-Type-Options", "nosniff");
    mhd.add_response_header(r->made, "Referrer-Policy", "no-referrer");
    mhd.add_response_header(r->made, "Cross-Origin-Resource-Policy", "same-origin");
    mhd.add_response_header(r->made, "X-Frame-Options", "DENY");
    mhd.add_response_header(r->made, "Content-Security-Policy", csp);
    if (r->next_key[0]) mhd.add_response_header(r->made, "x-soracom-next-key", r->next_key);
    if (r->location[0]) mhd.add_response_header(r->made, "Location", r->location);
    if (r->status == 503) mhd.add_response_header(r->made, "Retry-After", "1");
    if (r->packed) mhd.add_response_header(r->made, "Content-Encoding", "gzip");
    if (q->language && *q->language) mhd.add_response_header(r->made, "Vary", "Accept-Language");
    if (r->challenge) mhd.add_response_header(r->made, "WWW-Authenticate", "Bearer");
    enum MHD_Result ok = mhd.queue_response(q->c, r->status, r->made);
    mhd.destroy_response(r->made);
    r->made = NULL;
    return ok;
}

static void from_write(struct web_request *q) {
    const union MHD_ConnectionInfo *info = mhd.get_connection_info(q->c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct writer w = wr_fixed(q->from, sizeof q->from - 1);
    if (!info || !info->client_addr) return;
    struct sock_addr a = {.len = info->client_addr->sa_family == AF_INET6 ? sizeof a.v6 : sizeof a.v4};
    memcpy(&a.any, info->client_addr, a.len);
    sock_print(&a, &w);
}

/* tell_change writes one line about what changed something or was refused; what an outsider wrote is cut to plain
 * letters. */
static void tell_change(struct web_request *q) {
    char when[32], url[160];
    struct writer w = wr_fixed(when, sizeof when);
    size_t n = 0;
    for (; q->url[n] && n < sizeof url - 1; n++) url[n] = q->url[n] > ' ' && q->url[n] < 0x7f ? q->url[n] : '?';
    url[n] = 0;
    iso_time(&w, (int64_t)time(NULL) * 1000000000, 0);
    wr_c(&w, 0);
    fprintf(stderr, "%sZ %s %s %.8s %s %u\n", when, q->from, *q->who ? q->who : "-", q->method, url, q->reply.status);
    web_audit(q);
}

static struct web_request *request_make(struct web *s, struct MHD_Connection *c, const char *method, const char *url) {
    struct web_request *q = calloc(1, sizeof *q);
    if (!q) return NULL;
    *q = (struct web_request){
        .web = s, .c = c, .method = method, .url = url, .upload_fd = -1, .language = "", .body = wr_grow()};
    q->reply = (struct web_reply){.status = 200, .type = "application/json", .w = wr_grow()};
    return q;
}

static enum MHD_Result finish(struct web_request *q) {
    mhd.set_connection_option(q->c, MHD_CONNECTION_OPTION_TIMEOUT, 0u); /* the time we take is not the client's */
    if (!q->refused) web_route(q);
    mhd.set_connection_option(q->c, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)WEB_IDLE_S);
    web_upload_drop(q); /* what got no name is gone before the answer says so */
    if (!reads(q) || q->refused || q->audited) tell_change(q);
    return reply_send(q);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *data, size_t *n, void **state) {
    (void)version;
    struct web_request *q = *state;
    if (!q) {
        if (!(*state = q = request_make(cls, c, method, url))) return MHD_NO;
        from_write(q);
        if (!admit(q)) return finish(q);
        q->takes_json = web_demand_json(q);
        if (!q->takes_json && (!strcmp(method, "PUT") || !strcmp(method, "POST"))) web_upload_begin(q);
        return q->upload_error ? finish(q) : MHD_YES; /* too large: said before the body comes */
    }
    if (*n) {
        if (q->takes_json && wr_len(&q->body) + *n > WEB_BODY_MAX) q->upload_error = 413;
        else if (q->takes_json) wr_bytes(&q->body, data, *n);
        else if (q->upload_fd >= 0) web_upload_data(q, slice_of(data, *n));
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
    wr_free(&q->body);
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
    return complain("--listen", *reason ? reason : "expected ADDRESS:PORT");
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

/* ---- what is opened before privileges go ---- */

struct opened {
    int sock;
    struct sock_addr at; /* with the port it got */
    struct slice cert, key;
    struct opener *opener;
    int folder; /* locked */
};

static bool listen_open(struct opened *o, const char *text) {
    int on = 1;
    o->sock = socket(o->at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (o->sock < 0) return complain(text, strerror(errno));
    (void)setsockopt(o->sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(o->sock, &o->at.any, o->at.len) < 0 || listen(o->sock, 128) < 0 ||
        getsockname(o->sock, &o->at.any, &o->at.len) < 0)
        return complain(text, strerror(errno));
    return true;
}

/* pem_read reads a PEM file, with a NUL behind it, as the library wants it. */
static bool pem_read(const char *path, struct slice *out) {
    char reason[256] = "";
    struct writer why = wr_fixed(reason, sizeof reason - 1);
    struct slice file;
    if (keyfile_read(path, &file, &why) < 0) return complain(path, reason);
    char *text = malloc(file.n + 1);
    if (text) memcpy(text, file.p, file.n), text[file.n] = 0;
    *out = slice_of(text, text ? file.n : 0);
    keyfile_release(&file);
    return text || complain(path, "out of memory");
}

static bool open_all(struct web *s, struct opened *o) {
    const struct web_plan *plan = s->plan;
    if (!address_read(plan->listen, &o->at)) return false;
    if (opener_start(&o->opener, &plan->user) < 0)
        return complain("start", strerror(errno)); /* it holds nothing of ours */
    if (!listen_open(o, plan->listen)) return false;
    if (plan->cert && (!pem_read(plan->cert, &o->cert) || !pem_read(plan->key, &o->key))) return false;
    if (!opener_user_become(&plan->user)) return complain("privileges cannot be given up", strerror(errno));
    for (size_t i = 0; i < plan->n_files; i++) {
        int fd = open(plan->files[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return complain(plan->files[i], "the user the server becomes cannot read it; -Z root keeps root's rights");
        close(fd);
    }
    return true;
}

static void close_all(struct opened *o) {
    if (o->sock >= 0) close(o->sock);
    if (o->key.n) explicit_bzero((void *)(uintptr_t)o->key.p, o->key.n);
    free((void *)(uintptr_t)o->cert.p);
    free((void *)(uintptr_t)o->key.p);
    opener_free(o->opener);
    if (o->folder >= 0) close(o->folder);
}

/* ---- captures on demand ---- */

static uint64_t keeper_used(void *to) { return web_used(to); }
static int keeper_create(void *to, char name[SESSION_NAME_MAX + 1]) { return web_capture_make(to, name); }
static void keeper_removed(void *to, const char *path) { web_gone(to, path); }
_Static_assert((int)SESSION_NAME_MAX == (int)WEB_NAME_MAX, "a capture on demand is a capture of the folder");

/* folder_take makes this server the only one that keeps captures in its folder, for as long as it lives. */
static bool folder_take(struct opened *o, const char *dir, struct writer *why) {
    o->folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (o->folder >= 0 && flock(o->folder, LOCK_EX | LOCK_NB) == 0) return true;
    wr_s(why, o->folder >= 0 && errno == EWOULDBLOCK ? "another weir serve keeps its captures in this folder"
                                                     : strerror(errno));
    return false;
}

static void keeper_expire(void *to) { web_uploads_expire(to); }

/* keep_begin opens the store and takes over the captures of it; without a store the server only reads. */
static bool keep_begin(struct web *s, struct opened *o) {
    char path[WEB_PATH_MAX];
    struct writer why = wr_fixed(s->store_why, sizeof s->store_why - 1);
    snprintf(path, sizeof path, "%s/" WEB_STORE_NAME, s->plan->dir);
    if (!folder_take(o, s->plan->dir, &why) || store_open(&s->store, path, &why) < 0) {
        fprintf(stderr, "weir serve: no captures on demand: %s\n", s->store_why);
        return web_tokens_begin(s);
    }
    web_sweep(s);
    struct keeper_plan plan = {.store = s->store,
                               .opener = o->opener,
                               .dir = s->plan->dir,
                               .expiry_ms = s->plan->expiry_ms,
                               .quota = s->plan->quota,
                               .used = keeper_used,
                               .create = keeper_create,
                               .expire = keeper_expire,
                               .removed = keeper_removed,
                               .to = s};
    if (!web_tokens_begin(s)) return false;
    return keeper_start(&s->keeper, &plan) == OK || complain("start", "captures on demand cannot be kept");
}

/* ---- life of the server ---- */

static struct MHD_Daemon *start(struct web *s, const struct opened *o) {
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
                     (o->at.any.sa_family == AF_INET6 ? MHD_USE_IPv6 : 0) | (s->tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->cert.p},
                                   {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->key.p},
                                   {MHD_OPTION_END, 0, NULL}};
    return mhd.start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, o->sock, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT, s->loopback ? 0u : (unsigned)CONNECTIONS_OF_ONE,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEB_IDLE_S, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_ARRAY, s->tls ? tls : &tls[2], MHD_OPTION_END);
}

/* tell ends with the address: who waits for that has read the rest. */
static void tell(struct web *s, const struct sock_addr *at) {
    char text[160];
    const char *scheme = s->tls ? "https" : "http";
    struct writer w = wr_fixed(text, sizeof text - 1);
    sock_print(at, &w);
    *w.p = 0;
    fprintf(stderr, "captures in %s; Ctrl-C ends\n", s->plan->shown);
    if (s->needs_token && !s->token[0])
        fprintf(stderr,
                "a token is needed; it was printed when it was made, `weir serve --token-add ROLE` makes another\n");
    if (!s->needs_token && !s->loopback)
        fprintf(stderr, "weir serve: --no-auth: everybody who reaches this address may read and delete\n");
    if (s->token[0]) printf("%s://%s/#token=%s\n", scheme, text, s->token);
    else printf("%s://%s/\n", scheme, text);
    fflush(stdout);
}

/* streams_end waits until who follows a capture has been told its end: the library cuts connections off when it ends.
 */
static void streams_end(struct web *s) {
    for (int64_t until = clock_ms() + STREAMS_END_MS; atomic_load(&s->event_streams) && clock_ms() < until;)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static void serve_until_stopped(struct web *s, struct MHD_Daemon *daemon, const sigset_t *stops) {
    int which;
    sigwait(stops, &which);
    atomic_store(&s->stopping, true);
    keeper_stop(s->keeper);
    streams_end(s);
    mhd.stop_daemon(daemon);
}

static bool serve(struct web *s, struct opened *o) {
    sigset_t stops;
    if (!mhd_load()) return complain("start", MHD_LIBRARY " cannot be loaded");
    if (gethostname(s->own_host, sizeof s->own_host - 1)) s->own_host[0] = 0;
    s->cache = web_cache_make();
    if (field_index_make(&s->names, &weir_fields) || !web_colours_make(&s->colours, &s->names))
        return complain("start", "out of memory");
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    struct sigaction hup; /* nohup has set SIGHUP to be ignored: it stays so */
    if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN) sigaddset(&stops, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (!keep_begin(s, o)) return false;
    struct MHD_Daemon *daemon = start(s, o);
    if (!daemon) {
        keeper_stop(s->keeper);
        return complain(s->plan->listen, s->tls
                                             ? "cannot serve TLS: certificate and key must be PEM and belong together"
                                             : strerror(errno));
    }
    o->sock = -1; /* the daemon's */
    tell(s, &o->at);
    serve_until_stopped(s, daemon, &stops);
    return true;
}

bool web_run(const struct web_plan *plan) {
    struct web s = {.plan = plan,
                    .changing = PTHREAD_MUTEX_INITIALIZER,
                    .jobs_lock = PTHREAD_MUTEX_INITIALIZER,
                    .index_lock = PTHREAD_MUTEX_INITIALIZER,
                    .tls = plan->cert};
    struct opened o = {.sock = -1, .folder = -1};
    bool fine = open_all(&s, &o);
    if (fine) {
        s.loopback = is_loopback(&o.at);
        s.needs_token = s.loopback ? plan->auth : !plan->no_auth;
        fine = serve(&s, &o);
    }
    close_all(&o);
    keeper_free(s.keeper);
    store_close(s.store);
    web_index_end(&s);
    web_cache_free(s.cache);
    web_colours_free(&s.colours);
    field_index_free(&s.names);
    return fine;
}
