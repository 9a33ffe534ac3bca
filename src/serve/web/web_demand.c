/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of captures on demand. A device's name may hold slashes (a prefix, a client identifier), so an address is
 * read from its end: /v1/devices/DEVICE/captures[/ID[/VERB]], and under SORACOM Peek's names
 * /v1/sims/DEVICE/packet_capture_sessions[/ID[/VERB]] (of gateways, too). An id is the same everywhere; /v1/sessions/ID
 * needs no device.
 */
#include "serve/web/web_in.h"
#include "view/view.h"
#include <stdio.h>
#include <stdlib.h>

enum { VERB_MAX = 16 };

struct demand {
    char device[DEVICE_ID_MAX + 1], id[SESSION_ID + 1], verb[VERB_MAX + 1];
};

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static const char *behind(const char *url, const char *head) {
    size_t n = strlen(head);
    return strncmp(url, head, n) == 0 ? url + n : NULL;
}

/* tail_read reads "", "/ID" or "/ID/VERB". */
static bool tail_read(const char *at, struct demand *d) {
    d->id[0] = d->verb[0] = 0;
    if (!*at) return true;
    if (*at++ != '/') return false;
    size_t n = strcspn(at, "/");
    if (n != SESSION_ID || strspn(at, "0123456789abcdef") != n) return false;
    memcpy(d->id, at, n);
    d->id[n] = 0;
    at += n;
    if (!*at) return true;
    n = strlen(++at);
    if (!n || n > VERB_MAX || strchr(at, '/')) return false;
    memcpy(d->verb, at, n + 1);
    return true;
}

/* device_tail finds the last `middle` of an address that is followed by what an address ends with. */
static bool device_tail(const char *at, const char *middle, struct demand *d) {
    bool found = false;
    for (const char *m = strstr(at, middle); m; m = strstr(m + 1, middle)) {
        struct demand one;
        size_t n = (size_t)(m - at);
        if (!n || n > DEVICE_ID_MAX || !tail_read(m + strlen(middle), &one)) continue;
        memcpy(one.device, at, n);
        one.device[n] = 0;
        *d = one;
        found = true;
    }
    return found;
}

/* ---- the answers ---- */

static void nothing_here(struct web_request *q) { web_problem(q, 404, "no such address; /v1/openapi.json lists them"); }

bool web_keeper(struct web_request *q) {
    if (q->web->keeper) return true;
    web_problem(q, 503, "there are no captures on demand: %s", q->web->store_why);
    return false;
}

struct listing {
    struct web_request *q;
    uint64_t n, limit;
    char last[SESSION_ID + 1];
};

static void list_one(void *to, const struct session *x) {
    struct listing *l = to;
    if (l->n++ >= l->limit) return; /* there is more */
    if (l->n > 1) wr_s(&l->q->reply.w, ",\n");
    web_session_write(l->q->web, &l->q->reply.w, x);
    memcpy(l->last, x->id, sizeof l->last);
}

static void list(struct web_request *q, const char *device) {
    struct listing l = {.q = q};
    const char *next = web_query(q, "next");
    if (!web_number(q, "limit", 100, WEB_LIST_MAX, &l.limit)) return;
    struct store_query a = {.device = device, .before = next, .limit = (uint32_t)l.limit + 1};
    wr_s(&q->reply.w, "{\"captures\":[");
    int rc = keeper_list(q->web->keeper, &a, list_one, &l);
    if (rc < 0) return web_problem(q, 500, "the store cannot be read: %s", err_text(rc));
    wr_s(&q->reply.w, "]");
    if (l.n > l.limit && l.limit) wr_f(&q->reply.w, ",\"next\":\"%s\"", l.last);
    wr_s(&q->reply.w, "}\n");
}

static void begin(struct web_request *q, const char *device) {
    struct session *x = calloc(1, sizeof *x);
    if (!x) return web_problem(q, 500, "out of memory");
    if (web_session_read(q, x, false) && web_session_begin(q, device, x)) {
        q->reply.status = 201;
        snprintf(q->reply.location, sizeof q->reply.location, "/v1/sessions/%s", x->id);
        web_session_json(q, x);
    }
    free(x);
}

static void stop(struct web_request *q, struct session *x) {
    int rc = keeper_end(q->web->keeper, x->id, x);
    if (rc == ERR_USAGE) return web_problem(q, 409, "the capture is over: it is %s", session_state_name(x->state));
    if (rc < 0) return web_problem(q, 500, "it could not be stopped: %s", err_text(rc));
    web_session_json(q, x);
}

static void forget(struct web_request *q, const struct session *x) {
    int rc = keeper_remove(q->web->keeper, x->id);
    if (rc == ERR_USAGE) return web_problem(q, 409, "the capture is under way; stop it first");
    if (rc < 0) return web_problem(q, 500, "it could not be deleted: %s", err_text(rc));
    q->reply.status = 204;
}

static void address(struct web_request *q, const struct session *x) {
    uint64_t seconds = WEB_ADDRESS_S;
    struct slice inside;
    struct web_member m;
    if (!x->file[0]) return web_problem(q, 404, "the capture has no file");
    if (wr_len(&q->body) && !web_json_begin(q, &inside)) return;
    while (wr_len(&q->body) && web_json_next(&inside, &m)) {
        if (!slice_eq(m.name, SLICE("seconds")))
            return web_problem(q, 400, "%.*s: the body may have seconds only", (int)(m.name.n < 64 ? m.name.n : 64),
                               m.name.p);
        if (!web_json_number(q, &m, 1, 86400, &seconds)) return;
    }
    char url[1024];
    struct writer w = wr_fixed(url, sizeof url);
    web_address_make(q, x, (int64_t)seconds, &w);
    q->reply.status = 201;
    q->audited = true;
    wr_s(&q->reply.w, "{\"url\":");
    json_text(&q->reply.w, wr_done(&w));
    wr_f(&q->reply.w, ",\"seconds\":%llu}\n", (unsigned long long)seconds);
}

/* about_one answers for one capture. */
static void about_one(struct web_request *q, const struct demand *d) {
    static struct {
        const char *method, *verb;
    } const known[] = {{"GET", ""},     {"DELETE", ""},      {"POST", "stop"},
                       {"GET", "file"}, {"POST", "address"}, {"GET", "events"}};
    struct session x;
    uint64_t version;
    size_t i = 0, n = sizeof known / sizeof *known;
    const char *method = is(q->method, "HEAD") ? "GET" : q->method;
    while (i < n && !(is(known[i].verb, d->verb) && is(known[i].method, method))) i++;
    if (i == n) {
        for (i = 0; i < n; i++)
            if (is(known[i].verb, d->verb)) return web_problem(q, 405, "%s takes %s", q->url, known[i].method);
        return nothing_here(q);
    }
    int rc = keeper_get(q->web->keeper, d->id, &x, &version);
    bool other = rc == OK && d->device[0] && !is(d->device, x.asked) && !is(d->device, x.device.text);
    if (rc == ERR_NOTFOUND || other) return web_problem(q, 404, "no such capture");
    if (rc < 0) return web_problem(q, 500, "the store cannot be read: %s", err_text(rc));
    if (is(d->verb, "stop")) return stop(q, &x);
    if (is(d->verb, "file")) return web_query(q, "follow") ? web_session_tail(q, &x) : web_session_file(q, &x);
    if (is(d->verb, "address")) return address(q, &x);
    if (is(d->verb, "events")) return web_session_events(q, &x);
    if (is(q->method, "DELETE")) return forget(q, &x);
    web_session_json(q, &x);
}

static void about_all(struct web_request *q, const char *device) {
    bool reads = is(q->method, "GET") || is(q->method, "HEAD");
    if (reads) return list(q, device);
    if (is(q->method, "POST") && device) return begin(q, device);
    web_problem(q, 405,
                device ? "GET lists, POST starts"
                       : "GET lists; a capture is started under /v1/devices/DEVICE/captures");
}

bool web_demand_json(const struct web_request *q) {
    return is(q->method, "POST") &&
           (behind(q->url, "/v1/devices/") || behind(q->url, "/v1/sessions") || behind(q->url, "/v1/sims/") ||
            behind(q->url, "/v1/virtual_private_gateways/") || is(q->url, "/v1/auth"));
}

bool web_demand(struct web_request *q) {
    struct demand d = {0};
    const char *rest;
    bool reads = is(q->method, "GET") || is(q->method, "HEAD");
    if (is(q->url, "/v1/auth") && is(q->method, "POST")) return web_peek_auth(q), true;
    if (reads && is(q->url, "/v1/interfaces")) return web_interfaces(q), true;
    if (reads && is(q->url, "/v1/audit")) return web_audit_list(q), true;
    if (reads && behind(q->url, "/v1/download/")) return web_address_use(q), true;
    if (reads && is(q->url, "/v1/devices")) return web_devices(q), true;
    if (((rest = behind(q->url, "/v1/sims/")) || (rest = behind(q->url, "/v1/virtual_private_gateways/"))) &&
        device_tail(rest, "/packet_capture_sessions", &d)) {
        if (web_keeper(q)) web_peek(q, d.device, d.id, d.verb);
    } else if ((rest = behind(q->url, "/v1/devices/")) && device_tail(rest, "/captures", &d)) {
        if (web_keeper(q)) d.id[0] ? about_one(q, &d) : about_all(q, d.device);
    } else if ((rest = behind(q->url, "/v1/sessions")) && tail_read(rest, &d)) {
        if (web_keeper(q)) d.id[0] ? about_one(q, &d) : about_all(q, NULL);
    } else if (reads && (rest = behind(q->url, "/v1/devices/")) && *rest) {
        web_device(q, rest);
    } else {
        return false;
    }
    return true;
}
