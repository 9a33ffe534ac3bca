/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in JSON: one object, member by member, with problems that name the member. */
#include "guard/json.h"
#include "serve/web/web_in.h"
#include <math.h>

static int name_n(const struct web_member *m) { return m->name.n < 64 ? (int)m->name.n : 64; }

bool web_json_begin(struct web_request *q, struct slice *inside) {
    struct slice rest = wr_done(&q->body), text;
    if (q->upload_error == 413) {
        web_problem(q, 413, "a request in JSON has at most %d bytes", WEB_BODY_MAX);
        return false;
    }
    if (json_value(&rest, &text) == JSON_OBJECT && !rest.n) {
        *inside = json_inside(text);
        return true;
    }
    web_problem(q, 400, "the body must be one JSON object");
    return false;
}

bool web_json_next(struct slice *inside, struct web_member *m) {
    enum json_kind kind;
    bool more = json_next(inside, true, &m->name, &kind, &m->text);
    m->kind = (int)kind;
    return more;
}

bool web_json_text(struct web_request *q, const struct web_member *m, char *out, size_t size) {
    struct writer w = wr_fixed(out, size - 1);
    bool text = m->kind == JSON_STRING && json_string_read(m->text, &w) && !memchr(out, 0, wr_len(&w));
    *w.p = 0;
    if (text && !w.err) return true;
    *out = 0;
    if (text) web_problem(q, 400, "%.*s: at most %zu bytes", name_n(m), m->name.p, size - 1);
    else web_problem(q, 400, "%.*s: expected a text", name_n(m), m->name.p);
    return false;
}

bool web_json_number(struct web_request *q, const struct web_member *m, uint64_t min, uint64_t max, uint64_t *out) {
    double v = m->kind == JSON_NUMBER ? json_number(m->text) : -1;
    if (v >= (double)min && v <= (double)max && v == floor(v)) {
        *out = (uint64_t)v;
        return true;
    }
    web_problem(q, 400, "%.*s: expected a whole number from %llu to %llu", name_n(m), m->name.p,
                (unsigned long long)min, (unsigned long long)max);
    return false;
}
