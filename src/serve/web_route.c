/* SPDX-License-Identifier: Apache-2.0 */
/* What an address means: the page, or /v1/captures/NAME/... */
#include "proto/fields.h"
#include "serve/web_in.h"
#include "view/view.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { PARTS_MAX = 6, PART_MAX = 128, FIELDS_MAX = 100 };

const char *web_query(struct web_request *q, const char *name) {
    return MHD_lookup_connection_value(q->c, MHD_GET_ARGUMENT_KIND, name);
}

bool web_number(struct web_request *q, const char *name, uint64_t otherwise, uint64_t max, uint64_t *out) {
    const char *text = web_query(q, name);
    *out = otherwise;
    if (!text) return true;
    char *end = NULL;
    size_t n = strspn(text, "0123456789");
    if (n && n < 20) *out = strtoull(text, &end, 10);
    if (end && !*end && *out <= max) return true;
    web_problem(q, 400, "%s: expected a number from 0 to %llu", name, (unsigned long long)max);
    return false;
}

static const char *title(unsigned status) {
    switch (status) {
    case 400: return "Bad request";
    case 401: return "A token is needed";
    case 403: return "Forbidden";
    case 404: return "Not found";
    case 405: return "Method not allowed";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Too large";
    case 422: return "Not understood";
    case 501: return "Not in this build";
    case 503: return "Busy";
    case 507: return "No room";
    default: return "Internal error";
    }
}

static void problem_begin(struct web_request *q, unsigned status, const char *detail) {
    struct web_reply *r = &q->reply;
    wr_reset(&r->w);
    r->status = status;
    r->type = "application/problem+json";
    wr_f(&r->w, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":", title(status), status);
    json_text(&r->w, slice_str(detail));
}

void web_problem(struct web_request *q, unsigned status, const char *fmt, ...) {
    char detail[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    problem_begin(q, status, detail);
    wr_s(&q->reply.w, "}\n");
}

/* ---- filters ---- */

static void error_json(struct writer *w, const struct expr_error *why) {
    wr_f(w, "\"offset\":%zu,\"length\":%zu,\"message\":", why->at, why->len);
    json_text(w, slice_str(why->message));
    wr_s(w, ",\"suggestions\":[");
    for (size_t i = 0; i < why->near_count; i++) {
        if (i) wr_c(w, ',');
        json_text(w, slice_str(why->near[i]));
    }
    wr_c(w, ']');
}

void web_filter_json(struct writer *w, struct slice text, const struct field_index *names) {
    struct expr *e = NULL;
    struct expr_error why = {0};
    if (expr_compile(&e, text, names, &why)) {
        wr_s(w, "{\"valid\":false,");
        error_json(w, &why);
        wr_s(w, "}\n");
        return;
    }
    wr_s(w, "{\"valid\":true,\"warnings\":[");
    for (size_t i = 0; expr_warning(e, i); i++) {
        if (i) wr_c(w, ',');
        json_text(w, slice_str(expr_warning(e, i)));
    }
    wr_s(w, "]}\n");
    expr_free(e);
}

bool web_filter(struct web_request *q, struct expr **out) {
    const char *text = web_query(q, "filter");
    struct expr_error why = {0};
    *out = NULL;
    if (!text || !*text || expr_compile(out, slice_str(text), &q->web->names, &why) == OK) return true;
    problem_begin(q, 400, why.message);
    wr_s(&q->reply.w, ",\"parameter\":\"filter\",");
    error_json(&q->reply.w, &why);
    wr_s(&q->reply.w, "}\n");
    return false;
}

static void fields_list(struct web_request *q) {
    const char *prefix = web_query(q, "prefix");
    const struct field_index *x = &q->web->names;
    uint64_t limit, n = 0;
    if (!web_number(q, "limit", 20, FIELDS_MAX, &limit)) return;
    wr_s(&q->reply.w, "{\"fields\":[");
    for (size_t i = 0; i < x->table->count && n < limit; i++) {
        const struct field *f = &x->table->fields[x->by_name[i]];
        if (!f->name || !f->name[0] || (prefix && strncmp(f->name, prefix, strlen(prefix)) != 0)) continue;
        wr_s(&q->reply.w, n++ ? ",\n{\"name\":" : "{\"name\":");
        json_text(&q->reply.w, slice_str(f->name));
        wr_s(&q->reply.w, ",\"label\":");
        json_text(&q->reply.w, slice_str(f->label));
        wr_f(&q->reply.w, ",\"type\":\"%s\"}", field_type_name(f->type));
    }
    wr_s(&q->reply.w, "]}\n");
}

/* ---- addresses ---- */

struct parts {
    char part[PARTS_MAX][PART_MAX];
    size_t n;
};

/* split parts an address at its slashes; false where it is longer than any of ours. */
static bool split(const char *url, struct parts *p) {
    while (*url == '/') {
        size_t n = strcspn(++url, "/");
        if (p->n == PARTS_MAX || n >= PART_MAX) return false;
        memcpy(p->part[p->n], url, n);
        p->part[p->n++][n] = 0;
        url += n;
    }
    return !*url;
}

static bool page(struct web_request *q) {
    const char *text = NULL, *type = NULL;
    if (!strcmp(q->url, "/")) text = web_page_html(), type = "text/html; charset=utf-8";
    else if (!strcmp(q->url, "/weir.css")) text = web_page_css(), type = "text/css; charset=utf-8";
    else if (!strcmp(q->url, "/weir.js")) text = web_page_js(), type = "text/javascript; charset=utf-8";
    else if (!strcmp(q->url, "/v1/openapi.json")) text = web_openapi(), type = "application/json";
    if (!strcmp(q->url, "/favicon.ico")) return q->reply.status = 204, true; /* browsers ask unasked */
    if (!text) return false;
    q->reply.type = type;
    wr_s(&q->reply.w, text);
    return true;
}

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static void about_capture(struct web_request *q, const struct parts *p) {
    const char *name = p->part[2], *what = p->part[3], *more = p->part[4], *last = p->part[5];
    char path[WEB_PATH_MAX];
    bool fixed;
    if (p->n == 3) return web_capture(q, name);
    if (p->n == 4 && is(what, "file")) return web_file(q, name);
    if (!web_find(q->web, name, path, &fixed)) return web_problem(q, 404, "no such capture");
    if (p->n == 4 && is(what, "frames")) return web_frames(q, path);
    if (p->n == 5 && is(what, "frames")) return web_frame(q, path, more);
    if (p->n == 4 && is(what, "explain")) return web_explain(q, path, name);
    if ((p->n == 5 || p->n == 6) && is(what, "stats")) return web_stats(q, path, more, p->n == 6 ? last : NULL);
    if (p->n == 6 && is(what, "follow")) return web_follow(q, path, more, last);
    web_problem(q, 404, "no such address; /v1/openapi.json lists them");
}

static void get(struct web_request *q, const struct parts *p) {
    const char *text = web_query(q, "text");
    if (p->n < 2 || !is(p->part[0], "v1")) return web_problem(q, 404, "no such address; /v1/openapi.json lists them");
    if (p->n == 2 && is(p->part[1], "captures")) return web_captures(q);
    if (p->n == 2 && is(p->part[1], "fields")) return fields_list(q);
    if (p->n == 2 && is(p->part[1], "filter")) return web_filter_json(&q->reply.w, slice_str(text), &q->web->names);
    if (p->n > 2 && is(p->part[1], "captures")) return about_capture(q, p);
    web_problem(q, 404, "no such address; /v1/openapi.json lists them");
}

static void change(struct web_request *q, const struct parts *p) {
    bool captures = p->n >= 2 && is(p->part[0], "v1") && is(p->part[1], "captures");
    if (captures && p->n == 2 && is(q->method, "POST")) {
        const char *name = web_query(q, "name");
        return web_upload_end(q, name ? name : "capture.pcapng", false);
    }
    if (captures && p->n == 3 && is(q->method, "PUT")) {
        if (web_name_fine(p->part[2])) return web_upload_end(q, p->part[2], true);
        return web_problem(q, 400, "a name has letters, digits, dots, dashes and underscores, at most %d",
                           WEB_NAME_MAX);
    }
    if (captures && p->n == 3 && is(q->method, "DELETE")) {
        pthread_mutex_lock(&q->web->changing);
        web_delete(q, p->part[2]);
        pthread_mutex_unlock(&q->web->changing);
        return;
    }
    web_problem(q, 405, "%s is not known here",
                is(q->method, "PUT") || is(q->method, "POST") || is(q->method, "DELETE") ? q->method : "this method");
}

void web_route(struct web_request *q) {
    struct parts p = {0};
    bool reads = is(q->method, "GET") || is(q->method, "HEAD");
    if (reads && page(q)) return;
    if (web_demand(q)) return;
    if (!split(q->url, &p)) return web_problem(q, 404, "no such address; /v1/openapi.json lists them");
    if (reads) get(q, &p);
    else change(q, &p);
}
