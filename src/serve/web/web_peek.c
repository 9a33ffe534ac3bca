/* SPDX-License-Identifier: Apache-2.0 */
/* Captures on demand under the paths and names of SORACOM's API, so that what was written for Peek works here: a SIM's
 * identifier is any name of a device. A list is an array, the next page's key stands in a header; times are UTC; the
 * download address stands in `url` when there is something to download. */
#include "base/isotime.h"
#include "serve/web/web_in.h"
#include "view/view.h"
#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 10, PAGE_MAX = 100 };

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static void time_member(struct writer *w, const char *name, int64_t ms) {
    if (!ms) return;
    wr_f(w, ",\"%s\":\"", name);
    iso_time(w, ms * 1000000, 0);
    wr_s(w, "Z\"");
}

static void session_json(struct web_request *q, const struct session *x) {
    struct writer *w = &q->reply.w;
    wr_f(w, "{\"sessionId\":\"%s\",\"status\":\"%s\",\"duration\":%u,\"prefix\":", x->id, session_state_name(x->state),
         x->duration);
    json_text(w, slice_str(x->name));
    time_member(w, "createdTime", x->created);
    time_member(w, "startedTime", x->started);
    time_member(w, "endedTime", x->ended);
    if (x->state == SESSION_FAILED) {
        wr_s(w, ",\"failedReason\":");
        json_text(w, slice_str(x->reason));
    }
    if (session_is_final(x->state) && x->file[0]) {
        char url[1024];
        struct writer t = wr_fixed(url, sizeof url);
        web_address_make(q, x, WEB_ADDRESS_S, &t);
        wr_s(w, ",\"url\":");
        json_text(w, wr_done(&t));
    }
    wr_c(w, '}');
}

struct listing {
    struct web_request *q;
    uint64_t n, limit;
};

static void list_one(void *to, const struct session *x) {
    struct listing *l = to;
    struct web_reply *r = &l->q->reply;
    if (l->n++ >= l->limit) return; /* there is more: the key is what this page ended with */
    if (l->n > 1) wr_s(&r->w, ",\n");
    session_json(l->q, x);
    memcpy(r->next_key, x->id, sizeof r->next_key);
}

static void list(struct web_request *q, const char *device) {
    struct listing l = {.q = q};
    if (!web_number(q, "limit", PAGE, PAGE_MAX, &l.limit)) return;
    if (!l.limit) l.limit = PAGE;
    const char *after = web_query(q, "last_evaluated_key");
    struct store_query a = {.device = device,
                            .before = after && *after && !is(after, "null") ? after : NULL,
                            .limit = (uint32_t)l.limit + 1};
    wr_c(&q->reply.w, '[');
    int rc = keeper_list(q->web->keeper, &a, list_one, &l);
    if (rc < 0) return web_problem(q, 500, "the store cannot be read: %s", err_text(rc));
    wr_s(&q->reply.w, "]\n");
    if (l.n <= l.limit) q->reply.next_key[0] = 0;
}

static void create(struct web_request *q, const char *device) {
    struct session *x = calloc(1, sizeof *x);
    if (!x) return web_problem(q, 500, "out of memory");
    if (web_session_read(q, x, true) && web_session_begin(q, device, x)) session_json(q, x);
    free(x);
}

static void stop(struct web_request *q, struct session *x) {
    int rc = keeper_end(q->web->keeper, x->id, x);
    if (rc == ERR_USAGE)
        return web_problem(q, 400, "only a session that is CAPTURING can be stopped; it is %s",
                           session_state_name(x->state));
    if (rc < 0) return web_problem(q, 500, "it could not be stopped: %s", err_text(rc));
    session_json(q, x);
}

static void forget(struct web_request *q, struct session *x) {
    int rc = keeper_remove(q->web->keeper, x->id);
    if (rc < 0)
        return web_problem(q, rc == ERR_USAGE ? 400 : 500, "it could not be deleted: %s",
                           rc == ERR_USAGE ? "it is under way; stop it first" : err_text(rc));
    x->file[0] = 0;
    session_json(q, x);
}

void web_peek(struct web_request *q, const char *device, const char *id, const char *verb) {
    bool reads = is(q->method, "GET") || is(q->method, "HEAD");
    struct session x;
    uint64_t version;
    if (!*id && reads) return list(q, device);
    if (!*id && is(q->method, "POST")) return create(q, device);
    int rc = *id ? keeper_get(q->web->keeper, id, &x, &version) : ERR_NOTFOUND;
    if (rc == OK && !is(x.asked, device) && !is(x.device.text, device)) rc = ERR_NOTFOUND;
    if (rc == ERR_NOTFOUND) return web_problem(q, 404, "no such packet capture session");
    if (rc < 0) return web_problem(q, 500, "the store cannot be read: %s", err_text(rc));
    if (!*verb && reads) session_json(q, &x);
    else if (!*verb && is(q->method, "DELETE")) forget(q, &x);
    else if (is(verb, "stop") && is(q->method, "POST")) stop(q, &x);
    else
        web_problem(q, 405, "%s is not known here",
                    is(q->method, "POST") || is(q->method, "PUT") ? q->method : "this method");
}

/* web_peek_auth answers POST /v1/auth: who has a token of this server as authKey or password gets it back as the one to
 * send on; where no token is needed, everybody gets an empty one. */
void web_peek_auth(struct web_request *q) {
    char given[WEB_TOKEN + 1] = "", text[512];
    struct slice inside;
    struct web_member m;
    if (!web_json_begin(q, &inside)) return;
    while (web_json_next(&inside, &m)) {
        bool secret = slice_eq(m.name, SLICE("authKey")) || slice_eq(m.name, SLICE("password"));
        if (secret && !web_json_text(q, &m, text, sizeof text)) return;
        if (secret) snprintf(given, sizeof given, "%.*s", WEB_TOKEN, strlen(text) == WEB_TOKEN ? text : "");
    }
    q->audited = true;
    if (web_token_role(q->web, given, q->who) == ROLE_NONE) {
        given[0] = 0;
        if (q->web->needs_token) return web_problem(q, 401, "the authKey, or password, must be a token of this server");
    }
    wr_f(&q->reply.w, "{\"apiKey\":\"weir\",\"token\":\"%s\",\"operatorId\":\"weir\",\"userName\":", given);
    json_text(&q->reply.w, slice_str(*given ? q->who : "local"));
    wr_s(&q->reply.w, "}\n");
}
