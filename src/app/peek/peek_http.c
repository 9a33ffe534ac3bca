/* SPDX-License-Identifier: Apache-2.0 */
#include "app/peek/peek_http.h"
#include "base/late.h"
#include "guard/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

void peek_escape(struct writer *w, const char *text) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.~:/", c);
        if (plain) wr_c(w, (char)c);
        else wr_f(w, "%%%02X", c);
    }
}

/* ---- JSON ---- */

static enum json_kind member(struct slice object, const char *name, struct slice *value) {
    struct slice text, inside, key;
    enum json_kind kind;
    if (json_value(&object, &text) != JSON_OBJECT) return JSON_BAD;
    inside = json_inside(text);
    while (json_next(&inside, true, &key, &kind, value))
        if (json_string_eq(key, slice_str(name))) return kind;
    return JSON_BAD;
}

bool peek_text(struct slice object, const char *name, char *out, size_t size) {
    struct slice value = {0};
    struct writer w = wr_fixed(out, size - 1);
    enum json_kind kind = member(object, name, &value);
    bool fine = kind == JSON_STRING ? json_string_read(value, &w) : kind == JSON_NUMBER;
    if (kind == JSON_NUMBER) wr_slice(&w, value);
    *w.p = 0;
    return fine;
}

struct slice peek_list(struct slice object, const char *name) {
    struct slice value = {0};
    return member(object, name, &value) == JSON_ARRAY ? json_inside(value) : (struct slice){0};
}

bool peek_item(struct slice *inside, struct slice *item) {
    struct slice none;
    enum json_kind kind;
    return json_next(inside, false, &none, &kind, item) && kind == JSON_OBJECT;
}

#ifdef WEIR_CURL
#define CURL_DISABLE_TYPECHECK /* the macros that check cannot call what is loaded */
#include <curl/curl.h>

/* With the thirty libraries that it needs itself it would cost every start more than all the others together. */
/* clang-format off */
#define CALLS(X)                                                                                                       \
    X(curl_, global_init) X(curl_, easy_init) X(curl_, easy_setopt) X(curl_, easy_getinfo) X(curl_, easy_perform)      \
    X(curl_, easy_strerror) X(curl_, easy_cleanup) X(curl_, slist_append) X(curl_, slist_free_all)
/* clang-format on */
static struct { CALLS(LATE_POINTER) } curl;

static bool library_load(void) {
    static const char *const names[] = {CALLS(LATE_NAME)};
    return late_load("libcurl.so.4", names, sizeof names / sizeof *names, &curl);
}

enum { CONNECT_MS = 10000, SILENCE_S = 60 };

struct peek {
    CURL *curl;
    struct curl_slist *headers;
    char *base;
    const volatile sig_atomic_t *stop;
    char error[CURL_ERROR_SIZE];
};

/* address_read takes the server's address apart: what stands before a fragment, without slashes at its end, and a token
 * in the fragment. */
static bool address_read(struct peek *p, const char *server, char *token, size_t size) {
    const char *fragment = strchr(server, '#');
    size_t n = fragment ? (size_t)(fragment - server) : strlen(server);
    while (n && server[n - 1] == '/') n--;
    bool scheme = strncmp(server, "http://", 7) == 0 || strncmp(server, "https://", 8) == 0;
    struct writer w = wr_grow();
    wr_f(&w, "%s%.*s", scheme ? "" : "http://", (int)n, server);
    wr_c(&w, 0);
    p->base = w.err ? NULL : w.buf;
    if (fragment && strncmp(fragment, "#token=", 7) == 0) snprintf(token, size, "%s", fragment + 7);
    return p->base != NULL;
}

static void header_add(struct peek *p, const char *text) {
    struct curl_slist *more = curl.slist_append(p->headers, text);
    if (more) p->headers = more;
}

static const char *or_env(const char *given, const char *name) {
    const char *env = getenv(name);
    return given ? given : env && *env ? env : NULL;
}

bool peek_stopped(const struct peek *p) { return p->stop && *p->stop; }

static int look_up(void *to, curl_off_t all, curl_off_t now, curl_off_t up_all, curl_off_t up) {
    const struct peek *p = to;
    (void)all, (void)now, (void)up_all, (void)up;
    return peek_stopped(p);
}

int peek_open(struct peek **out, const struct peek_plan *plan, struct writer *why) {
    if (!library_load()) {
        wr_s(why, "no HTTP client: libcurl.so.4 cannot be loaded");
        return ERR_UNSUPPORTED;
    }
    struct peek *p = calloc(1, sizeof *p);
    char token[256] = "", header[320];
    const char *server = or_env(plan->server, "WEIR_SERVER"), *given = or_env(plan->token, "WEIR_TOKEN");
    if (p && curl.global_init(CURL_GLOBAL_DEFAULT) == 0) p->curl = curl.easy_init();
    if (!p || !p->curl || !address_read(p, server ? server : "http://127.0.0.1:8080", token, sizeof token)) {
        wr_s(why, err_text(ERR_NOMEM));
        peek_free(p);
        return ERR_NOMEM;
    }
    if (given) snprintf(token, sizeof token, "%s", given);
    snprintf(header, sizeof header, "Authorization: Bearer %s", token);
    if (token[0] && !strpbrk(token, "\r\n")) header_add(p, header);
    header_add(p, "Content-Type: application/json");
    header_add(p, "Expect:");
    curl.easy_setopt(p->curl, CURLOPT_HTTPHEADER, p->headers);
    curl.easy_setopt(p->curl, CURLOPT_ERRORBUFFER, p->error);
    curl.easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(p->curl, CURLOPT_USERAGENT, "weir-peek/" WEIR_VERSION);
    curl.easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl.easy_setopt(p->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(plan->connect_ms ? plan->connect_ms : CONNECT_MS));
    curl.easy_setopt(p->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl.easy_setopt(p->curl, CURLOPT_XFERINFOFUNCTION, look_up);
    curl.easy_setopt(p->curl, CURLOPT_XFERINFODATA, p);
    p->stop = plan->stop;
    if (plan->ca) curl.easy_setopt(p->curl, CURLOPT_CAINFO, plan->ca);
    if (plan->insecure)
        curl.easy_setopt(p->curl, CURLOPT_SSL_VERIFYPEER, 0L), curl.easy_setopt(p->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    *out = p;
    return OK;
}

void peek_free(struct peek *p) {
    if (!p) return;
    curl.slist_free_all(p->headers);
    if (p->curl) curl.easy_cleanup(p->curl);
    free(p->base);
    free(p);
}

/* request is one being answered. An answer that is no success is a problem, kept in `text`. */
struct request {
    struct peek *p;
    bool (*take)(void *to, struct slice piece);
    void *to;
    struct writer *text;
    struct writer problem;
    bool ended;
};

static size_t take_piece(char *bytes, size_t one, size_t n, void *to) {
    struct request *q = to;
    long status = 0;
    curl.easy_getinfo(q->p->curl, CURLINFO_RESPONSE_CODE, &status);
    struct slice piece = slice_of(bytes, one * n);
    struct writer *text = status / 100 == 2 ? q->text : &q->problem;
    if (status / 100 == 2 && q->take) {
        q->ended = !q->take(q->to, piece);
        return q->ended ? 0 : piece.n;
    }
    if (wr_len(text) + piece.n > PEEK_ANSWER_MAX) return 0;
    wr_slice(text, piece);
    return piece.n;
}

static int code_of(long status) {
    switch (status) {
    case 401:
    case 403: return ERR_DENIED;
    case 404:
    case 410: return ERR_NOTFOUND;
    case 409:
    case 400:
    case 422: return ERR_USAGE;
    case 503:
    case 507: return ERR_LIMIT;
    default: return ERR_IO;
    }
}

static int outcome(struct request *q, CURLcode rc, struct writer *why) {
    char detail[PEEK_WHY_MAX] = "";
    long status = 0;
    curl.easy_getinfo(q->p->curl, CURLINFO_RESPONSE_CODE, &status);
    if (rc == CURLE_ABORTED_BY_CALLBACK) return OK;
    if (rc != CURLE_OK && !q->ended) {
        wr_f(why, "%s: %s", q->p->base, q->p->error[0] ? q->p->error : curl.easy_strerror(rc));
        return ERR_IO;
    }
    if (status / 100 == 2) return OK;
    if (!peek_text(wr_done(&q->problem), "detail", detail, sizeof detail))
        snprintf(detail, sizeof detail, "it answered %ld", status);
    for (char *c = detail; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?'; /* a stranger's words on a terminal */
    wr_f(why, "%s: %s", q->p->base, detail);
    return code_of(status);
}

static int send_request(struct request *q, const char *method, const char *path, const char *body, struct writer *why) {
    CURL *c = q->p->curl;
    struct writer url = wr_grow();
    wr_s(&url, q->p->base);
    wr_s(&url, path);
    wr_c(&url, 0);
    q->problem = wr_grow();
    q->p->error[0] = 0;
    curl.easy_setopt(c, CURLOPT_URL, url.err ? "" : url.buf);
    curl.easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    curl.easy_setopt(c, CURLOPT_POST, body ? 1L : 0L);
    curl.easy_setopt(c, CURLOPT_POSTFIELDS, body);
    curl.easy_setopt(c, CURLOPT_POSTFIELDSIZE, body ? (long)strlen(body) : 0L);
    if (!body) curl.easy_setopt(c, CURLOPT_HTTPGET, 1L);
    curl.easy_setopt(c, CURLOPT_WRITEFUNCTION, take_piece);
    curl.easy_setopt(c, CURLOPT_WRITEDATA, q);
    curl.easy_setopt(c, CURLOPT_NOPROGRESS,
                     q->take && q->p->stop ? 0L : 1L); /* what is asked at the end is not to end at once */
    curl.easy_setopt(c, CURLOPT_LOW_SPEED_TIME, q->take ? 0L : (long)SILENCE_S);
    int rc = outcome(q, curl.easy_perform(c), why);
    wr_free(&q->problem);
    wr_free(&url);
    return rc;
}

int peek_ask(struct peek *p, const char *method, const char *path, const char *body, struct writer *answer,
             struct writer *why) {
    struct request q = {.p = p, .text = answer};
    return send_request(&q, method, path, body, why);
}

int peek_stream(struct peek *p, const char *path, bool (*take)(void *to, struct slice piece), void *to,
                struct writer *why) {
    struct request q = {.p = p, .take = take, .to = to};
    return send_request(&q, "GET", path, NULL, why);
}
#else
int peek_open(struct peek **out, const struct peek_plan *plan, struct writer *why) {
    (void)out, (void)plan;
    wr_s(why, "this build has no HTTP client (libcurl)");
    return ERR_UNSUPPORTED;
}
void peek_free(struct peek *p) { (void)p; }
bool peek_stopped(const struct peek *p) { return (void)p, false; }
int peek_ask(struct peek *p, const char *method, const char *path, const char *body, struct writer *answer,
             struct writer *why) {
    return (void)p, (void)method, (void)path, (void)body, (void)answer, (void)why, ERR_UNSUPPORTED;
}
int peek_stream(struct peek *p, const char *path, bool (*take)(void *to, struct slice piece), void *to,
                struct writer *why) {
    return (void)p, (void)path, (void)take, (void)to, (void)why, ERR_UNSUPPORTED;
}
#endif
