/* SPDX-License-Identifier: Apache-2.0 */
/* PDML, the XML that tshark -T pdml writes. It carries the packet's bytes, so it hides nothing. */
#include "base/utf8.h"
#include "field/print.h"
#include "view/view.h"

static const char *entity(uint8_t c) {
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#x27;";
    default: return NULL;
    }
}

static void escaped(struct writer *w, struct slice s) {
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        const char *instead = entity(s.p[i]);
        if (!instead) continue;
        wr_bytes(w, s.p + from, i - from);
        wr_s(w, instead);
        from = i + 1;
    }
    wr_slice(w, slice_tail(s, from));
}

/* raw writes text as it is on the wire, but for what XML cannot hold: control characters as \x and their number, bytes that
 * are not UTF-8 as U+FFFD. */
static void raw(struct writer *w, struct slice s) {
    while (s.n) {
        size_t plain = 0;
        while (plain < s.n && s.p[plain] >= 0x20 && s.p[plain] < 0x7f) plain++;
        escaped(w, slice_head(s, plain));
        s = slice_tail(s, plain);
        if (!s.n) break;
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (!n) wr_s(w, "\xef\xbf\xbd");
        else if ((code < 0x20 && code != '\t' && code != '\n' && code != '\r') || code == 0x7f || code == 0xfffe || code == 0xffff)
            wr_f(w, "\\x%x", (unsigned)code);
        else if (code > 0x7f && utf8_hidden(code)) wr_f(w, "&#x%x;", (unsigned)code); /* the same to a parser, but a terminal is safe */
        else wr_bytes(w, s.p, n);
        s = slice_tail(s, n ? n : 1);
    }
}

static void attribute(struct writer *w, const char *name, struct slice value) {
    wr_c(w, ' ');
    wr_s(w, name);
    wr_s(w, "=\"");
    escaped(w, value);
    wr_c(w, '"');
}

static void number(struct writer *w, const char *name, uint64_t value) {
    wr_c(w, ' ');
    wr_s(w, name);
    wr_s(w, "=\"");
    wr_u(w, value);
    wr_c(w, '"');
}

void pdml_begin(struct writer *w) {
    wr_s(w, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<pdml version=\"0\" creator=\"weir/" WEIR_VERSION "\">\n");
}

void pdml_end(struct writer *w) { wr_s(w, "</pdml>\n"); }

static void value_attribute(struct writer *w, const struct fvec *v, const struct fval *f, const struct field *field) {
    struct slice bytes = v->source[f->src].bytes;
    if (!f->len || (uint64_t)f->off + f->len > bytes.n) return;
    struct slice own = slice_of(bytes.p + f->off, f->len);
    wr_s(w, " value=\"");
    if (field->mask && field_is_int(field)) {
        wr_hex(w, f->u, 1);
        wr_s(w, "\" unmaskedvalue=\"");
    }
    wr_hexbytes(w, own, 0);
    wr_c(w, '"');
}

struct pdml {
    struct writer *w;
    const struct fvec *v;
    struct writer text; /* scratch */
    const struct proto *p; /* of the present field */
};

static struct slice label_of(struct pdml *x, uint32_t at) {
    wr_reset(&x->text);
    label_print(&x->text, x->v, at, x->p, true);
    struct slice s = wr_done(&x->text);
    /* the brackets of what is computed belong to the tree */
    bool brackets = s.n > 1 && s.p[0] == '[' && s.p[s.n - 1] == ']';
    return brackets ? slice_of(s.p + 1, s.n - 2) : s;
}

static struct slice show_of(struct pdml *x, const struct field *field, const struct fval *f) {
    wr_reset(&x->text);
    print_value(&x->text, field, f);
    return wr_done(&x->text);
}

static void place(struct pdml *x, const struct fval *f) {
    number(x->w, "size", f->len);
    number(x->w, "pos", f->off);
}

static void expert(struct pdml *x, uint32_t at) {
    const struct fval *f = &x->v->v[at];
    const struct field *field = field_of(f->id);
    const struct proto *p = x->p;
    wr_s(x->w, "<field name=\"_ws.expert\"");
    attribute(x->w, "showname", label_of(x, at));
    place(x, f);
    wr_s(x->w, ">\n<field");
    attribute(x->w, "name", slice_str(field->name));
    wr_reset(&x->text);
    if (!p || !p->label || !p->label(&x->text, x->v, at)) wr_s(&x->text, field->label);
    attribute(x->w, "showname", wr_done(&x->text));
    wr_s(x->w, " size=\"0\" pos=\"0\" show=\"\" value=\"\"/>\n<field name=\"_ws.expert.message\" hide=\"yes\" size=\"0\" pos=\"0\"");
    attribute(x->w, "show", wr_done(&x->text));
    wr_s(x->w, "/>\n<field name=\"_ws.expert.severity\" size=\"0\" pos=\"0\"");
    number(x->w, "show", severity_number(field->severity));
    wr_s(x->w, "/>\n<field name=\"_ws.expert.group\" size=\"0\" pos=\"0\"");
    number(x->w, "show", group_number(field->group));
    wr_s(x->w, "/>\n");
}

/* element_open writes the start of a field and tells whether it needs closing. */
static const char *element_open(struct pdml *x, uint32_t at, bool parent) {
    const struct fval *f = &x->v->v[at];
    const struct field *field = field_of(f->id);
    if (field->severity && !(f->flags & FV_PLAIN)) {
        expert(x, at);
        return "</field>\n";
    }
    bool proto = field->type == FT_PROTOCOL && (f->depth == 0 || field->name[0] != '_');
    wr_s(x->w, proto ? "<proto" : "<field");
    attribute(x->w, "name", slice_str(field->name));
    if (field->name[0]) attribute(x->w, "showname", label_of(x, at));
    if (field->hidden || (f->flags & FV_HIDDEN)) wr_s(x->w, " hide=\"yes\"");
    place(x, f);
    if (!proto) {
        if (field->type == FT_STRING) {
            wr_s(x->w, " show=\"");
            raw(x->w, f->s);
            wr_c(x->w, '"');
        } else {
            attribute(x->w, "show", field->name[0] ? show_of(x, field, f) : label_of(x, at));
        }
        if (field->type == FT_NONE) wr_s(x->w, " value=\"\"");
        else value_attribute(x->w, x->v, f, field);
    }
    wr_s(x->w, parent || proto ? ">\n" : "/>\n");
    return proto ? "</proto>\n" : parent ? "</field>\n" : NULL;
}

static void general(struct pdml *x, const struct decode *d) {
    char text[64];
    struct writer t = wr_fixed(text, sizeof text);
    const struct packet *p = d->pkt;
    wr_f(x->w, "<packet>\n<proto name=\"geninfo\" pos=\"0\" showname=\"General information\" size=\"%zu\">\n", p->data.n);
    wr_f(x->w, "<field name=\"num\" pos=\"0\" show=\"%llu\" showname=\"Number\" value=\"%llx\" size=\"%zu\"/>\n",
         (unsigned long long)p->number, (unsigned long long)p->number, p->data.n);
    wr_f(x->w, "<field name=\"len\" pos=\"0\" show=\"%u\" showname=\"Frame Length\" value=\"%x\" size=\"%zu\"/>\n", p->len, p->len,
         p->data.n);
    wr_f(x->w, "<field name=\"caplen\" pos=\"0\" show=\"%zu\" showname=\"Captured Length\" value=\"%zx\" size=\"%zu\"/>\n", p->data.n,
         p->data.n, p->data.n);
    print_abstime(&t, p->ts, true);
    wr_s(x->w, "<field name=\"timestamp\" pos=\"0\"");
    attribute(x->w, "show", wr_done(&t));
    wr_s(x->w, " showname=\"Captured Time\" value=\"");
    print_reltime(x->w, p->ts);
    wr_f(x->w, "\" size=\"%zu\"/>\n</proto>\n", p->data.n);
}

void pdml_print(struct writer *w, const struct decode *d) {
    const struct fvec *v = d->out;
    struct pdml x = {.w = w, .v = v, .text = wr_grow()};
    const char *close[FVEC_DEPTH + 2];
    uint32_t depth = 0; /* open elements; depths of fields may jump where parents are not wanted */
    uint8_t at_depth[FVEC_DEPTH + 2];
    general(&x, d);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct fval *f = &v->v[i];
        if (field_of(f->id)->own) continue; /* they have no children */
        x.p = proto_near(x.p, f->id);
        while (depth && at_depth[depth - 1] >= f->depth) wr_s(w, close[--depth]);
        bool parent = i + 1 < v->n && v->v[i + 1].depth > f->depth;
        bool wrap = f->depth == 0 && field_of(f->id)->type != FT_PROTOCOL;
        if (wrap) wr_s(w, "<proto name=\"fake-field-wrapper\">\n");
        const char *end = element_open(&x, i, parent);
        if (wrap) end = end ? "</field>\n</proto>\n" : "</proto>\n";
        if (end) {
            close[depth] = end;
            at_depth[depth++] = f->depth;
        }
    }
    while (depth) wr_s(w, close[--depth]);
    wr_s(w, "</packet>\n\n");
    wr_free(&x.text);
}
