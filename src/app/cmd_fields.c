/* SPDX-License-Identifier: Apache-2.0 */
/* weir fields: every field of the program and what it means, straight from the field table. */
#include "app/cmd.h"
#include "app/opt.h"
#include "base/json.h"
#include "proto/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fields_opts {
    bool json, values;
    struct opt_list words;
};

static const struct opt_def defs[] = {
    {'j', "json", NULL, "one JSON array, an object per field", OPT_FLAG, offsetof(struct fields_opts, json)},
    {'v', "values", NULL, "also the names of a field's values", OPT_FLAG, offsetof(struct fields_opts, values)},
};

static const char *const examples[] = {
    "weir fields mqtt", "weir fields mqtt reason", "weir fields -v mqtt.msgtype", "weir fields --json", NULL,
};

static const struct opt_command command = {
    .name = "fields",
    .synopsis = "[-v] [--json] [PROTOCOL | FIELD | WORD]...",
    .purpose = "list every field and what it means",
    .description =
        "Without words, all fields. A protocol's name gives its fields, a field's name that field; any other word is "
        "looked for in names and labels, without regard to case. A field is listed where every word fits.\n\n"
        "The columns are name, type, label, and the clause of the specification the field comes from; aligned on a "
        "terminal, separated by tabs otherwise. Names are those of Wireshark where it has the field; the type "
        "`anomaly` marks what is reported when a packet breaks its specification.",
    .examples = examples,
    .defs = defs,
    .n_defs = sizeof defs / sizeof defs[0],
    .words_at = offsetof(struct fields_opts, words),
};

/* listing is the fields to print, in the table's order. */
struct listing {
    const struct field *field[FIELD_MAX];
    const char *proto[FIELD_MAX]; /* name of the protocol it belongs to */
    size_t n;
};

static const char *type_of(const struct field *f) { return f->severity ? "anomaly" : field_type_name(f->type); }

static bool is_protocol(const char *word) {
    for (size_t id = 1; id < weir_fields.count; id++)
        if (field_of((uint16_t)id)->type == FT_PROTOCOL && !strcmp(field_of((uint16_t)id)->name, word)) return true;
    return false;
}

static bool is_field(const char *word) {
    for (size_t id = 1; id < weir_fields.count; id++)
        if (!strcmp(field_of((uint16_t)id)->name, word)) return true;
    return false;
}

static bool fits(const struct field *f, const char *proto, const char *word) {
    if (is_protocol(word)) return !strcmp(proto, word);
    if (is_field(word)) return !strcmp(f->name, word);
    return strcasestr(f->name, word) || strcasestr(f->label, word);
}

/* A name may stand in the table more than once (one entry per version or width); the first speaks for all. */
static bool listed(const struct listing *l, const char *name) {
    for (size_t i = l->n; i-- > 0;)
        if (!strcmp(l->field[i]->name, name)) return true;
    return false;
}

static void collect(struct listing *l, const struct opt_list *words) {
    const char *proto = "";
    for (size_t id = 1; id < weir_fields.count; id++) {
        const struct field *f = field_of((uint16_t)id);
        if (f->type == FT_PROTOCOL) proto = f->name;
        if (!f->name || !f->name[0]) continue;
        bool all = true;
        for (size_t i = 0; i < words->n && all; i++) all = fits(f, proto, words->item[i]);
        if (!all || listed(l, f->name)) continue;
        l->field[l->n] = f;
        l->proto[l->n++] = proto;
    }
}

static void print_values(const struct field *f) {
    for (size_t i = 0; f->values && i < f->values->count; i++) {
        const struct field_value *v = &f->values->list[i];
        if (v->lo == v->hi) printf("\t%llu\t%s\n", (unsigned long long)v->lo, v->name);
        else printf("\t%llu-%llu\t%s\n", (unsigned long long)v->lo, (unsigned long long)v->hi, v->name);
    }
    if (f->set || f->unset) printf("\t1\t%s\n\t0\t%s\n", f->set ? f->set : "True", f->unset ? f->unset : "False");
}

/* print_row aligns a field for people; a clause that would pass the edge of the terminal goes below its label. */
static void print_row(const struct field *f, int name_width, int label_width, int screen) {
    const char *clause = f->clause ? f->clause : "";
    int name = (int)strlen(f->name), label = (int)strlen(f->label), at = (name > name_width ? name : name_width) + 12;
    printf("%-*s  %-8s  ", name_width, f->name, type_of(f));
    if (screen && at + label > screen) {
        opt_wrapped(f->label, at, at);
        if (clause[0]) printf("%*s", at, ""), opt_wrapped(clause, at, at);
        return;
    }
    printf("%s", f->label);
    int pad = label < label_width ? label_width - label : 0;
    if (clause[0] && screen && at + label + pad + 2 + (int)strlen(clause) > screen) {
        printf("\n%*s", at, "");
        opt_wrapped(clause, at, at);
    } else {
        printf(clause[0] ? "%*s  %s\n" : "\n", pad, "", clause);
    }
}

static void print_rows(const struct listing *l, bool aligned, bool values) {
    int name_width = 0, label_width = 0, screen = (int)opt_screen();
    for (size_t i = 0; aligned && i < l->n; i++) {
        int name = (int)strlen(l->field[i]->name), label = (int)strlen(l->field[i]->label);
        if (name > name_width && name <= 44) name_width = name;
        if (label > label_width && label <= 40) label_width = label;
    }
    for (size_t i = 0; i < l->n; i++) {
        const struct field *f = l->field[i];
        if (aligned) print_row(f, name_width, label_width, screen);
        else printf("%s\t%s\t%s\t%s\n", f->name, type_of(f), f->label, f->clause ? f->clause : "");
        if (values) print_values(f);
    }
}

/* said adds a member where there is something to say. */
static void said(struct writer *w, const char *name, const char *value) {
    if (value && value[0]) json_member(w, name, slice_str(value));
}

static void json_values(struct writer *w, const struct field *f) {
    if (!f->values) return;
    wr_s(w, ",\"values\":[");
    for (size_t i = 0; i < f->values->count; i++) {
        const struct field_value *v = &f->values->list[i];
        wr_f(w, "%s{\"from\":%llu,\"to\":%llu,\"name\":", i ? "," : "", (unsigned long long)v->lo,
             (unsigned long long)v->hi);
        json_text(w, slice_str(v->name));
        wr_c(w, '}');
    }
    wr_c(w, ']');
}

static void json_field(struct writer *w, const struct field *f, const char *proto) {
    wr_s(w, "{\"name\":");
    json_text(w, slice_str(f->name));
    said(w, "protocol", proto);
    said(w, "type", type_of(f));
    said(w, "label", f->label);
    said(w, "clause", f->clause);
    said(w, "unit", f->unit);
    if (f->mask) wr_f(w, ",\"mask\":\"0x%llx\"", (unsigned long long)f->mask);
    if (f->severity) said(w, "severity", severity_name(f->severity));
    if (f->severity) said(w, "group", anomaly_group_name(f->group));
    said(w, "set", f->set);
    said(w, "unset", f->unset);
    json_values(w, f);
    if (f->computed) wr_s(w, ",\"computed\":true");
    if (f->hidden) wr_s(w, ",\"hidden\":true");
    if (f->secret) wr_s(w, ",\"secret\":true");
    wr_c(w, '}');
}

static int to_stdout(void *to, struct slice bytes) {
    (void)to;
    return fwrite(bytes.p, 1, bytes.n, stdout) == bytes.n ? 0 : -1;
}

static void print_json(const struct listing *l) {
    char buf[4096];
    struct writer w = wr_sink(buf, sizeof buf, to_stdout, NULL);
    wr_c(&w, '[');
    for (size_t i = 0; i < l->n; i++) {
        wr_s(&w, i ? ",\n" : "\n");
        json_field(&w, l->field[i], l->proto[i]);
    }
    wr_s(&w, "\n]\n");
    (void)wr_flush(&w);
}

static int nothing(const struct opt_list *words) {
    struct field_index index;
    uint16_t near = 0;
    if (words->n == 1 && field_index_make(&index, &weir_fields) == 0) {
        if (!field_nearest(&index, slice_str(words->item[0]), &near, 1)) near = 0;
        field_index_free(&index);
    }
    fprintf(stderr, "weir fields: no field has all of these words");
    if (near) fprintf(stderr, "; the nearest name is '%s'", field_of(near)->name);
    fputc('\n', stderr);
    return EXIT_FINDING;
}

int cmd_fields(int argc, char **argv) {
    struct fields_opts o = {0};
    int rc = opt_parse(&command, &o, argc, argv);
    if (rc != OPT_GO) return rc;
    struct listing *l = calloc(1, sizeof *l);
    if (!l) return opt_bad_use(&command, "out of memory");
    collect(l, &o.words);
    if (o.json) print_json(l);
    else if (l->n) print_rows(l, isatty(STDOUT_FILENO), o.values);
    rc = l->n ? EXIT_FINE : nothing(&o.words);
    if (fflush(stdout) || ferror(stdout)) rc = opt_bad_use(&command, "cannot write to stdout");
    free(l);
    return rc;
}
