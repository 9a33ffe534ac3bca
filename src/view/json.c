/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: tshark's shape (objects within objects, values as text) and ours (one flat, typed object per line). */
#include "base/utf8.h"
#include "field/print.h"
#include "view/view.h"

#include <time.h>

void json_shown(struct writer *w, const struct fval *f, bool secrets) {
    const struct field *field = field_of(f->id);
    if (is_secret(f) && !secrets) {
        json_text(w, slice_str(HIDDEN_SECRET));
    } else if (field->type == FT_STRING) {
        json_text(w, f->s);
    } else { /* other values are numbers, digits and names of our own */
        wr_c(w, '"');
        print_value(w, field, f);
        wr_c(w, '"');
    }
}

/* Of a packet with more secrets than SPANS all bytes from the first to the last of the further ones are taken for one.
 */
enum { SPANS = 8 };

struct span {
    uint32_t from, to;
    uint8_t src;
};

static size_t spans_find(const struct fvec *v, struct span span[SPANS]) {
    size_t n = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        const struct fval *f = &v->v[i];
        if (!is_secret(f) || !f->len) continue;
        uint32_t head = f->flags & FV_SECRET && f->extra < f->len ? f->extra : 0;
        struct span here = {f->off + head, f->off + f->len, f->src}, *last = &span[SPANS - 1];
        if (n < SPANS) span[n++] = here;
        else if (here.src == last->src) {
            if (here.from < last->from) last->from = here.from;
            if (here.to > last->to) last->to = here.to;
        }
    }
    return n;
}

/* holds tells whether a value has a secret in it: of bytes some of it, of text, where it stands beside others, all. */
static bool holds(const struct fval *f, const struct span *s) {
    uint32_t end = f->off + f->len;
    if (f->src != s->src) return false;
    if (field_of(f->id)->type == FT_BYTES) return f->off < s->to && s->from < end;
    return field_of(f->id)->type == FT_STRING && f->off <= s->from && s->to <= end;
}

void secrets_spread(struct fvec *v) {
    struct span span[SPANS];
    size_t n = spans_find(v, span);
    for (uint32_t at = 0; n && at < v->n; at++) {
        struct fval *f = &v->v[at];
        bool found = false;
        for (size_t i = 0; i < n; i++) found |= holds(f, &span[i]);
        if (!found || is_secret(f)) continue;
        f->extra = 0;
        fv_secret(f);
    }
}

void json_begin(struct writer *w) { wr_s(w, "["); }
void json_end(struct writer *w) { wr_s(w, "\n]\n"); }

static void indent(struct writer *w, uint32_t depth) {
    wr_c(w, '\n');
    wr_spaces(w, 2 * (size_t)depth);
}

/* Keys of an object: tshark writes the field's name, and the words of those that have none. */
static void key(struct writer *w, const struct fvec *v, uint32_t at, bool tree, bool secrets) {
    const struct field *field = field_of(v->v[at].id);
    bool expert = field->severity && !(v->v[at].flags & FV_PLAIN);
    const char *end = tree && field->type != FT_PROTOCOL && field->type != FT_NONE ? "_tree" : "";
    if (field->name[0] || expert) {
        wr_c(w, '"');
        wr_s(w, expert ? "_ws.expert" : field->name);
        wr_s(w, end);
        wr_s(w, "\": ");
        return;
    }
    char text[256];
    struct writer t = wr_fixed(text, sizeof text);
    label_print(&t, v, at, proto_of(v->v[at].id), secrets);
    if (wr_len(&t) > 1 && text[0] == '[') { /* the brackets of what is computed belong to the tree */
        memmove(text, text + 1, wr_len(&t) - 2);
        t.p -= 2;
    }
    wr_s(&t, end);
    json_text(w, wr_done(&t));
    wr_s(w, ": ");
}

static uint32_t object(struct writer *w, const struct fvec *v, uint32_t at, uint32_t indents, const struct view *view);

/* expert writes the object of an expert item. */
static void expert(struct writer *w, const struct fvec *v, uint32_t at, uint32_t indents) {
    const struct field *field = field_of(v->v[at].id);
    const struct proto *p = proto_of(v->v[at].id);
    struct writer t = wr_grow();
    if (!p || !p->label || !p->label(&t, v, at)) wr_s(&t, field->label);
    wr_s(w, "\"_ws.expert\": {");
    indent(w, indents + 1);
    json_text(w, slice_str(field->name));
    wr_s(w, ": \"\",");
    indent(w, indents + 1);
    wr_s(w, "\"_ws.expert.message\": ");
    json_text(w, wr_done(&t));
    wr_c(w, ',');
    indent(w, indents + 1);
    wr_f(w, "\"_ws.expert.severity\": \"%llu\",", (unsigned long long)severity_number(field->severity));
    indent(w, indents + 1);
    wr_f(w, "\"_ws.expert.group\": \"%llu\"", (unsigned long long)group_number(field->group));
    indent(w, indents);
    wr_c(w, '}');
    wr_free(&t);
}

/* member writes one field, and its children as a second member where it has a value of its own. */
static uint32_t member(struct writer *w, const struct fvec *v, uint32_t at, uint32_t indents, const struct view *view) {
    const struct fval *f = &v->v[at];
    const struct field *field = field_of(f->id);
    bool parent = at + 1 < v->n && v->v[at + 1].depth > f->depth;
    bool bare = field->type == FT_PROTOCOL || field->type == FT_NONE;
    if (field->severity && !(f->flags & FV_PLAIN) && !parent) {
        expert(w, v, at, indents);
        return at + 1;
    }
    if (!(bare && parent)) {
        key(w, v, at, false, view->show_secrets);
        json_shown(w, f, view->show_secrets);
        if (!parent) return at + 1;
        wr_c(w, ',');
        indent(w, indents);
    }
    key(w, v, at, !bare, view->show_secrets);
    return object(w, v, at + 1, indents, view);
}

static uint32_t object(struct writer *w, const struct fvec *v, uint32_t at, uint32_t indents, const struct view *view) {
    uint8_t depth = v->v[at].depth;
    bool any = false;
    wr_c(w, '{');
    while (at < v->n && v->v[at].depth >= depth) {
        if (any) wr_c(w, ',');
        indent(w, indents + 1);
        at = member(w, v, at, indents + 1, view);
        any = true;
    }
    indent(w, indents);
    wr_c(w, '}');
    return at;
}

static void day_write(struct writer *w, const struct packet *p) {
    char text[40];
    time_t t = (time_t)moment_clock(packet_moment(p)).seconds;
    struct tm tm;
    wr_bytes(w, text, localtime_r(&t, &tm) ? strftime(text, sizeof text, "%Y-%m-%d", &tm) : 0);
}

/* packet_begin writes what stands around the layers of a packet. */
static void packet_begin(struct writer *w, const struct decode *d, struct view *view) {
    wr_s(w, view->ended_once ? ",\n  {" : "\n  {");
    view->ended_once = true;
    wr_s(w, "\n    \"_index\": \"packets-");
    day_write(w, d->pkt);
    wr_s(w, "\",\n    \"_type\": \"doc\",\n    \"_score\": null,\n    \"_source\": {\n      \"layers\": ");
}

void json_print(struct writer *w, const struct decode *d, struct view *view) {
    packet_begin(w, d, view);
    if (d->out->n) object(w, d->out, 0, 3, view);
    else wr_s(w, "{}");
    wr_s(w, "\n    }\n  }");
}

static bool is_number(const struct field *f) { return field_is_int(f) && f->type != FT_BOOL; }

/* typed writes a value as the JSON type it has: number, boolean, text. */
static void typed(struct writer *w, const struct fval *f, const struct view *view) {
    const struct field *field = field_of(f->id);
    if (field->type == FT_BOOL) wr_s(w, f->u ? "true" : "false");
    else if (field->type == FT_NONE || field->type == FT_PROTOCOL) wr_s(w, "true");
    else if (field_signed(field)) wr_i(w, f->i);
    else if (is_number(field)) wr_u(w, f->u);
    else if (field->type == FT_DOUBLE) wr_f(w, "%.17g", f->d);
    else if (field->type == FT_RELTIME) print_reltime(w, fv_time(f), 9);
    else json_shown(w, f, view->show_secrets);
}

void jsonl_print(struct writer *w, const struct decode *d, const struct view *view) {
    const struct fvec *v = d->out;
    uint64_t done[FIELD_MAX / 64] = {0};
    bool any = false;
    wr_c(w, '{');
    for (uint32_t i = 0; i < v->n; i++) {
        const struct fval *f = &v->v[i];
        const struct field *field = field_of(f->id);
        if (!field->name[0] || done[f->id >> 6] >> (f->id & 63) & 1) continue;
        done[f->id >> 6] |= (uint64_t)1 << (f->id & 63);
        if (any) wr_c(w, ',');
        any = true;
        json_text(w, slice_str(field->name));
        wr_c(w, ':');
        uint32_t more = i + 1;
        while (more < v->n && v->v[more].id != f->id) more++;
        bool array = more < v->n;
        if (array) wr_c(w, '[');
        typed(w, f, view);
        for (; more < v->n; more++) {
            if (v->v[more].id != f->id) continue;
            wr_c(w, ',');
            typed(w, &v->v[more], view);
        }
        if (array) wr_c(w, ']');
    }
    wr_s(w, "}\n");
}

/* as_text writes one value of field `id` as text. */
static void as_text(struct writer *w, const struct fvec *v, uint32_t at, uint16_t id, const struct view *view) {
    const struct fval *f = &v->v[at];
    if (f->id == id && field_of(id)->type == FT_STRING) {
        json_shown(w, f, view->show_secrets);
        return;
    }
    struct writer t = wr_grow();
    field_show(&t, v, at, id, view);
    json_text(w, wr_done(&t));
    wr_free(&t);
}

static void column_text(struct writer *w, const struct decode *d, uint16_t id, const struct view *view) {
    struct writer t = wr_grow();
    column_show(&t, d, id, view);
    json_text(w, wr_done(&t));
    wr_free(&t);
}

/* arrays writes the members of the fields that are there, each an array of texts; `compact` in one line, names without
 * dots. */
static bool arrays(struct writer *w, const struct decode *d, const uint16_t *ids, size_t n, char occurrence,
                   bool compact, const struct view *view) {
    const char *parts[] = {compact ? "," : ",\n          ", compact ? "" : "\n        "};
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        bool col = ids[i] >= COLUMN_NUMBER;
        uint32_t at = col ? 0 : field_next(d->out, ids[i], occurrence, 0);
        if (!col && at == d->out->n) continue;
        wr_s(w, any ? "," : "");
        wr_s(w, parts[1]);
        any = true;
        wr_c(w, '"');
        for (const char *c = field_title(ids[i]); *c; c++) wr_c(w, compact && *c == '.' ? '_' : *c);
        wr_s(w, compact ? "\":[" : "\": [");
        wr_s(w, parts[0] + 1);
        if (col) column_text(w, d, ids[i], view);
        for (bool more = false; !col && at < d->out->n;
             at = field_next(d->out, ids[i], occurrence, at + 1), more = true) {
            if (more) wr_s(w, parts[0]);
            as_text(w, d->out, at, ids[i], view);
        }
        wr_s(w, parts[1]);
        wr_c(w, ']');
    }
    return any;
}

void json_fields(struct writer *w, const struct decode *d, const uint16_t *ids, size_t n, char occurrence,
                 struct view *view) {
    packet_begin(w, d, view);
    wr_c(w, '{');
    if (arrays(w, d, ids, n, occurrence, false, view)) wr_s(w, "\n      ");
    wr_s(w, "}\n    }\n  }");
}

void ek_begin(struct writer *w, const struct decode *d) {
    wr_s(w, "{\"index\":{\"_index\":\"packets-");
    day_write(w, d->pkt);
    struct moment_clock at = moment_clock(packet_moment(d->pkt));
    wr_s(w, "\",\"_type\":\"doc\"}}\n{\"timestamp\":\"");
    wr_i(w, at.seconds);
    wr_uz(w, at.ns / 1000000, 3);
    wr_s(w, "\",\"layers\":{");
}

void ek_fields(struct writer *w, const struct decode *d, const uint16_t *ids, size_t n, char occurrence,
               const struct view *view) {
    ek_begin(w, d);
    arrays(w, d, ids, n, occurrence, true, view);
    wr_s(w, "}}\n");
}

/* typed_as writes one value of field `id` as typed has it; what an anomaly is said to be has the types of those fields.
 */
static void typed_as(struct writer *w, const struct fvec *v, uint32_t at, uint16_t id, const struct view *view) {
    if (v->v[at].id == id) typed(w, &v->v[at], view);
    else if (is_number(field_of(id))) field_show(w, v, at, id, view);
    else as_text(w, v, at, id, view);
}

void jsonl_fields(struct writer *w, const struct decode *d, const uint16_t *ids, size_t n, char occurrence,
                  const struct view *view) {
    bool any = false;
    wr_c(w, '{');
    for (size_t i = 0; i < n; i++) {
        bool col = ids[i] >= COLUMN_NUMBER;
        uint32_t at = col ? 0 : field_next(d->out, ids[i], occurrence, 0);
        uint32_t more = col ? 0 : at == d->out->n ? at : field_next(d->out, ids[i], occurrence, at + 1);
        if (!col && at == d->out->n) continue;
        bool array = !col && more < d->out->n;
        if (any) wr_c(w, ',');
        any = true;
        json_text(w, slice_str(field_title(ids[i])));
        wr_s(w, array ? ":[" : ":");
        if (ids[i] == COLUMN_NUMBER || ids[i] == COLUMN_LENGTH) column_show(w, d, ids[i], view);
        else if (col) column_text(w, d, ids[i], view);
        else typed_as(w, d->out, at, ids[i], view);
        for (; array && more < d->out->n; more = field_next(d->out, ids[i], occurrence, more + 1)) {
            wr_c(w, ',');
            typed_as(w, d->out, more, ids[i], view);
        }
        if (array) wr_c(w, ']');
    }
    wr_s(w, "}\n");
}

static const char *schema_type(const struct field *f) {
    if (f->type == FT_BOOL || f->type == FT_NONE || f->type == FT_PROTOCOL) return "boolean";
    if (f->type == FT_DOUBLE || f->type == FT_RELTIME) return "number";
    return field_is_int(f) ? "integer" : "string";
}

void jsonl_schema(struct writer *w) {
    wr_s(w,
         "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"weir packet\",\"type\":\"object\","
         "\"additionalProperties\":false,\"properties\":{");
    bool any = false;
    for (size_t id = 1; id < weir_fields.count; id++) {
        const struct field *f = &weir_fields.fields[id];
        if (!f->name || !f->name[0]) continue;
        wr_s(w, any ? ",\n" : "\n");
        any = true;
        json_text(w, slice_str(f->name));
        wr_f(w, ":{\"description\":");
        json_text(w, slice_str(f->label));
        wr_f(w, ",\"anyOf\":[{\"type\":\"%s\"},{\"type\":\"array\",\"items\":{\"type\":\"%s\"}}]}", schema_type(f),
             schema_type(f));
    }
    wr_s(w, "\n}}\n");
}
