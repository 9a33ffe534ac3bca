/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked about a capture: the part of an address behind /v1/captures/NAME/, and who answers. */
#include "expr/complete.h"
#include "serve/web/web_cache.h"
#include "serve/web/web_keys.h"
#include "view/view.h"

/* about is one question: its first word, how many further parts it may have, who answers, and whether the answer is
 * made of the whole capture and kept for who asks again. */
struct about {
    const char *method, *word;
    size_t least, most;
    void (*answer)(struct web_request *q, const char *path, const char *const *more, const char *name);
    bool kept;
};

static void frames(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)name;
    if (more[0]) web_frame(q, path, more[0]);
    else web_frames(q, path);
}
static void stats(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)name;
    web_stats(q, path, more[0], more[1]);
}
static void follow(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)name;
    web_follow(q, path, more[0], more[1]);
}
static void explain(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)more;
    web_explain(q, path, name);
}
static void stream(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)more;
    web_stream(q, path, name);
}
static void ladder(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)more, (void)name;
    web_ladder(q, path);
}
static void connections(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)more, (void)name;
    web_connections(q, path);
}
static void mqtt(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)more, (void)name;
    web_mqtt(q, path);
}
static void waterfall(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)more, (void)name;
    web_waterfall(q, path);
}
static void keys_show(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)more, (void)name;
    web_keys_show(q, path);
}
static void keys_put(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)more, (void)name;
    web_keys_put(q, path);
}
static void keys_drop(struct web_request *q, const char *path, const char *const *more, const char *name) {
    (void)more, (void)name;
    web_keys_drop(q, path);
}

static const struct about abouts[] = {
    {"GET", "frames", 0, 1, frames},
    {"GET", "stats", 1, 2, stats, true},
    {"GET", "follow", 2, 2, follow, true},
    {"GET", "explain", 0, 0, explain, true},
    {"GET", "stream", 0, 0, stream},
    {"GET", "ladder", 0, 0, ladder, true},
    {"GET", "connections", 0, 0, connections, true},
    {"GET", "mqtt", 0, 0, mqtt, true},
    {"GET", "waterfall", 0, 0, waterfall, true},
    {"GET", "keys", 0, 0, keys_show},
    {"PUT", "keys", 0, 0, keys_put},
    {"DELETE", "keys", 0, 0, keys_drop},
};

/* asking is one question on its way through the cache. */
struct asking {
    const struct about *about;
    const char *path, *name;
    const char *const *more;
};

static void ask(struct web_request *q, void *to) {
    const struct asking *a = to;
    if (a->about->kept) q->job = web_job_begin(q, a->name);
    a->about->answer(q, a->path, a->more, a->name);
    web_job_answered(q);
}

bool web_about(struct web_request *q, const char *name, const char *const *part, size_t n) {
    const char *method = !strcmp(q->method, "HEAD") ? "GET" : q->method, *more[2] = {NULL, NULL};
    const struct about *found = NULL;
    char path[WEB_PATH_MAX];
    bool fixed;
    for (size_t i = 0; i < sizeof abouts / sizeof *abouts && !found; i++) {
        const struct about *a = &abouts[i];
        if (!strcmp(a->method, method) && !strcmp(a->word, part[0]) && n - 1 >= a->least && n - 1 <= a->most) found = a;
    }
    if (!found) return false;
    for (size_t i = 1; i < n; i++) more[i - 1] = part[i];
    struct asking a = {found, path, name, more};
    if (!web_find(q->web, name, path, &fixed)) web_problem(q, 404, "no such capture");
    else if (found->kept) web_cached(q, path, ask, &a);
    else ask(q, &a);
    return true;
}

/* ---- what may stand at a place of a filter ---- */

void web_complete(struct web_request *q) {
    struct writer *w = &q->reply.w;
    struct completion c;
    const char *text = web_query(q, "text");
    struct slice s = slice_str(text ? text : "");
    uint64_t cursor, limit;
    if (!web_number(q, "cursor", s.n, UINT32_MAX, &cursor) || !web_number(q, "limit", 20, COMPLETE_MAX, &limit)) return;
    expr_complete(&c, s, cursor, &q->web->names, limit);
    wr_f(w, "{\"from\":%zu,\"to\":%zu,\"items\":[", c.from, c.to);
    for (size_t i = 0; i < c.n; i++) {
        const struct complete_item *item = &c.item[i];
        wr_f(w, "%s{\"kind\":\"%s\",\"text\":", i ? ",\n" : "\n", complete_kind_name((enum complete_kind)item->kind));
        json_text(w, slice_str(item->text));
        if (item->label) {
            wr_s(w, ",\"label\":");
            json_text(w, slice_str(item->label));
        }
        if (item->type) wr_f(w, ",\"type\":\"%s\"", item->type);
        wr_c(w, '}');
    }
    wr_s(w, "]");
    if (c.field) wr_f(w, ",\"field\":\"%s\",\"expects\":\"%s\"", q->web->names.table->fields[c.field].name, c.expects);
    wr_s(w, "}\n");
}
