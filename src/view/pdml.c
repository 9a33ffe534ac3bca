/* SPDX-License-Identifier: Apache-2.0 */
/* PDML, the XML that tshark -T pdml writes. It carries the packet's bytes, so it hides nothing. */
#include "base/eight.h"
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

/* no_entity tells whether none of eight bytes has one; it looks for two at a time that differ in a bit. */
static bool no_entity(uint64_t v) {
    return !(eight_equal(v | EIGHT_ONES, '&' | '\'') | eight_equal(v | 2 * EIGHT_ONES, '<' | '>') |
             eight_equal(v, '"'));
}

static void escaped(struct writer *w, struct slice s) {
    while (s.n) {
        size_t plain = 0;
        while (s.n - plain >= 8 && no_entity(eight_load(s.p + plain))) plain += 8;
        while (plain < s.n && !entity(s.p[plain])) plain++;
        wr_bytes(w, s.p, plain);
        s = slice_tail(s, plain);
        if (!s.n) break;
        wr_s(w, entity(s.p[0]));
        s = slice_tail(s, 1);
    }
}

/* raw writes text as it is on the wire, but for what XML cannot hold: control characters as \x and their number, bytes
 * that are not UTF-8 as U+FFFD. */
static void raw(struct writer *w, struct slice s) {
    while (s.n) {
        size_t plain = 0;
        while (s.n - plain >= 8 && !eight_strange(eight_load(s.p + plain))) plain += 8;
        while (plain < s.n && s.p[plain] >= 0x20 && s.p[plain] < 0x7f) plain++;
        escaped(w, slice_head(s, plain));
        s = slice_tail(s, plain);
        if (!s.n) break;
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (!n) wr_s(w, "\xef\xbf\xbd");
        else if ((code < 0x20 && code != '\t' && code != '\n' && code != '\r') || code == 0x7f || code == 0xfffe ||
                 code == 0xffff)
            wr_f(w, "\\x%x", (unsigned)code);
        else if (code > 0x7f && utf8_hidden(code))
            wr_f(w, "&#x%x;", (unsigned)code); /* the same to a parser, but a terminal is safe */
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
    struct writer text;    /* scratch */
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

/* name_put writes the name of a field, which needs no escapes, behind the name of its element. */
static void name_put(struct pdml *x, const char *element, const struct field *field) {
    wr_s(x->w, element);
    wr_s(x->w, " name=\"");
    wr_s(x->w, field->name);
    wr_c(x->w, '"');
}

static void show_put(struct pdml *x, uint32_t at, const struct field *field) {
    const struct fval *f = &x->v->v[at];
    wr_s(x->w, " show=\"");
    if (field->type == FT_STRING) raw(x->w, f->s);
    else if (!field->name[0]) escaped(x->w, label_of(x, at));
    else print_value(x->w, field, f); /* a number, digits or a name of our own: nothing to escape */
    wr_c(x->w, '"');
}

static void place(struct pdml *x, const struct fval *f) {
    wr_number(x->w, " size=\"", f->len, "\"");
    wr_number(x->w, " pos=\"", f->off, "\"");
}

static void expert(struct pdml *x, uint32_t at) {
    const struct fval *f = &x->v->v[at];
    const struct field *field = field_of(f->id);
    const struct proto *p = x->p;
    wr_s(x->w, "<field name=\"_ws.expert\"");
    attribute(x->w, "showname", label_of(x, at));
    place(x, f);
    name_put(x, ">\n<field", field);
    wr_reset(&x->text);
    if (!p || !p->label || !p->label(&x->text, x->v, at)) wr_s(&x->text, field->label);
    attribute(x->w, "showname", wr_done(&x->text));
    wr_s(x->w, " size=\"0\" pos=\"0\" show=\"\" value=\"\"/>\n<field name=\"_ws.expert.message\" hide=\"yes\" "
               "size=\"0\" pos=\"0\"");
    attribute(x->w, "show", wr_done(&x->text));
    wr_number(x->w, "/>\n<field name=\"_ws.expert.severity\" size=\"0\" pos=\"0\" show=\"",
              severity_number(field->severity), "\"/>\n");
    wr_number(x->w, "<field name=\"_ws.expert.group\" size=\"0\" pos=\"0\" show=\"", group_number(field->group),
              "\"/>\n");
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
    name_put(x, proto ? "<proto" : "<field", field);
    if (field->name[0]) attribute(x->w, "showname", label_of(x, at));
    if (field->hidden || (f->flags & FV_HIDDEN)) wr_s(x->w, " hide=\"yes\"");
    place(x, f);
    if (!proto) {
        show_put(x, at, field);
        if (field->type == FT_NONE) wr_s(x->w, " value=\"\"");
        else value_attribute(x->w, x->v, f, field);
    }
    wr_s(x->w, parent || proto ? ">\n" : "/>\n");
    return proto ? "</proto>\n" : parent ? "</field>\n" : NULL;
}

/* general_field writes a number of the packet, in the three ways readers know. */
static void general_field(struct writer *w, const char *name, const char *words, uint64_t value, size_t size) {
    wr_s(w, "<field name=\"");
    wr_s(w, name);
    wr_number(w, "\" pos=\"0\" show=\"", value, "\" showname=\"");
    wr_s(w, words);
    wr_hexnumber(w, "\" value=\"", value, 1, "\"");
    wr_number(w, " size=\"", size, "\"/>\n");
}

static void general(struct pdml *x, const struct decode *d) {
    char text[64];
    struct writer t = wr_fixed(text, sizeof text);
    const struct packet *p = d->pkt;
    wr_number(x->w, "<packet>\n<proto name=\"geninfo\" pos=\"0\" showname=\"General information\" size=\"", p->data.n,
              "\">\n");
    general_field(x->w, "num", "Number", p->number, p->data.n);
    general_field(x->w, "len", "Frame Length", p->len, p->data.n);
    general_field(x->w, "caplen", "Captured Length", p->data.n, p->data.n);
    print_abstime(&t, packet_moment(p), true);
    wr_s(x->w, "<field name=\"timestamp\" pos=\"0\"");
    attribute(x->w, "show", wr_done(&t));
    wr_s(x->w, " showname=\"Captured Time\" value=\"");
    print_reltime(x->w, packet_moment(p), 9);
    wr_number(x->w, "\" size=\"", p->data.n, "\"/>\n</proto>\n");
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
