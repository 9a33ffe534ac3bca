/* SPDX-License-Identifier: Apache-2.0 */
/* What an address means: the page, or /v1/captures/NAME/... */
#include "proto/fields.h"
#include "serve/web/web_in.h"
#include "view/view.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { PARTS_MAX = 6, PART_MAX = 128, FIELDS_MAX = 100 };

const char *web_query(struct web_request *q, const char *name) {
    return mhd.lookup_connection_value(q->c, MHD_GET_ARGUMENT_KIND, name);
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
    case 502: return "The guard does not answer";
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

static void web_filter_json(struct writer *w, struct slice text, const struct field_index *names) {
    struct expr *e = NULL;
    struct expr_error why = {0};
    if (expr_compile_said(&e, text, names, &why, words)) {
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
    if (!text || !*text || expr_compile_said(out, slice_str(text), &q->web->names, &why, words) == OK) return true;
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

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

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

/* pack writes text compressed where the client takes that; false, with nothing written, where it does not. */
static bool pack(struct web_request *q, const char *text) {
    const char *takes = mhd.lookup_connection_value(q->c, MHD_HEADER_KIND, "Accept-Encoding");
    z_stream z = {.next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)strlen(text)};
    if (!takes || !strstr(takes, "gzip")) return false;
    if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) return false;
    uLong room = deflateBound(&z, z.avail_in);
    z.next_out = malloc(room);
    z.avail_out = (uInt)room;
    Bytef *out = z.next_out;
    bool done = out && deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (done) wr_slice(&q->reply.w, slice_of(out, z.total_out));
    deflateEnd(&z);
    free(out);
    return done;
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
    q->reply.packed = pack(q, text);
    if (!q->reply.packed) wr_s(&q->reply.w, text);
    return true;
}

/* about_capture answers what is asked of a capture; false where that is no address of ours. */
static bool about_capture(struct web_request *q, const struct parts *p) {
    const char *part[PARTS_MAX];
    if (p->n < 4 || !is(p->part[1], "captures")) return false;
    for (size_t i = 3; i < p->n; i++) part[i - 3] = p->part[i];
    return web_about(q, p->part[2], part, p->n - 3);
}

static void not_found(struct web_request *q) { web_problem(q, 404, "no such address; /v1/openapi.json lists them"); }

/* get_one answers for the addresses of two parts, such as /v1/fields. */
static void get_one(struct web_request *q, const char *what) {
    const char *text = web_query(q, "text");
    if (is(what, "captures")) return web_captures(q);
    if (is(what, "fields")) return fields_list(q);
    if (is(what, "filter")) return web_filter_json(&q->reply.w, slice_str(text ? text : ""), &q->web->names);
    if (is(what, "complete")) return web_complete(q);
    if (is(what, "diff")) return web_diff(q);
    if (is(what, "jobs")) return web_jobs(q);
    if (is(what, "guard")) return web_guard(q, "");
    not_found(q);
}

static void get(struct web_request *q, const struct parts *p) {
    bool ours = p->n >= 2 && is(p->part[0], "v1"), captures = ours && is(p->part[1], "captures");
    if (ours && p->n == 2) return get_one(q, p->part[1]);
    if (ours && p->n == 3 && is(p->part[1], "guard")) return web_guard(q, p->part[2]);
    if (captures && p->n == 3) return web_capture(q, p->part[2]);
    if (captures && p->n == 4 && is(p->part[3], "file")) return web_file(q, p->part[2]);
    if (!captures || !about_capture(q, p)) not_found(q);
}

static void change(struct web_request *q, const struct parts *p) {
    bool ours = p->n >= 2 && is(p->part[0], "v1"), captures = ours && is(p->part[1], "captures");
    if (ours && p->n == 3 && is(p->part[1], "guard")) return web_guard(q, p->part[2]);
    if (ours && p->n == 3 && is(p->part[1], "jobs") && is(q->method, "DELETE")) return web_job_stop(q, p->part[2]);
    if (captures && about_capture(q, p)) return;
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
    web_language_use(q);
    if (reads && page(q)) return;
    if (web_demand(q)) return;
    if (!split(q->url, &p)) return web_problem(q, 404, "no such address; /v1/openapi.json lists them");
    if (reads) get(q, &p);
    else change(q, &p);
}
