/* SPDX-License-Identifier: Apache-2.0 */
/* The words of an entry may hold numbers of the packet (a port, a count), so packets could make as many entries as they
 * like: EXPERT_ENTRIES_MAX is the limit. */
#include "analyse/stats/stats_expert.h"

/* From the greatest severity down. */
static const char *const severities[] = {"error", "warn", "note", "chat", "comment", NULL};

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct expert *e = state;
    (void)why;
    e->least = SEV_COMMENT;
    for (uint8_t i = 0; args->which && severities[i]; i++)
        if (strcmp(args->which, severities[i]) == 0) e->least = (uint8_t)(SEV_ERROR - i);
    e->tab =
        keytab_make(offsetof(struct expert_entry, text) + EXPERT_TEXT, sizeof(struct expert_entry), EXPERT_ENTRIES_MAX);
    return OK;
}

static void end(void *state) { keytab_free(&((struct expert *)state)->tab); }

static void want(const void *state, struct want *w) {
    (void)state;
    for (size_t id = 1; id < weir_fields.count; id++)
        if (weir_fields.fields[id].severity) want_add(w, (uint16_t)id);
    want_add(w, FID_FRAME_PROTOCOLS); /* of every layer */
}

static const struct proto *owner(uint16_t id) {
    for (size_t i = 0; weir_protos[i]; i++)
        if (id >= weir_protos[i]->id && id < weir_protos[i]->end) return weir_protos[i];
    return NULL;
}

const char *expert_protocol(const struct expert_entry *e) {
    const struct proto *p = owner(e->id);
    /* tshark names who was at work: what stands behind the packet is found while the type field is followed */
    if (p == &proto_eth) return "Ethertype";
    return !p ? "" : p->column ? p->column : p->name;
}

static void packet(void *state, const struct decode *d, int64_t begin) {
    struct expert *x = state;
    (void)begin;
    for (uint32_t i = 0; i < d->out->n; i++) {
        const struct fval *f = &d->out->v[i];
        if (field_of(f->id)->severity < x->least || (f->flags & FV_PLAIN)) continue;
        struct expert_entry key = {.id = f->id};
        struct writer w = wr_fixed(key.text, sizeof key.text - 1);
        const struct proto *p = owner(f->id);
        if (!p || !p->label || !p->label(&w, d->out, i)) wr_s(&w, field_of(f->id)->label);
        struct expert_entry *e = keytab_get(&x->tab, &key);
        if (!e) continue;
        if (!e->count++) e->first = d->pkt->number;
    }
}

static struct table *tables(void *state) {
    static const struct table_column columns[] = {
        {.name = "severity", .title = "Severity"},
        {.name = "count", .title = "Count", .bar = true},
        {.name = "group", .title = "Group"},
        {.name = "protocol", .title = "Protocol"},
        {.name = "summary", .title = "Summary"},
        {.name = "field"},
        {.name = "first_frame", .title = "First frame"},
    };
    const struct expert *x = state;
    struct table *out = table_make("expert", "Findings", columns, sizeof columns / sizeof *columns);
    for (int severity = SEV_ERROR; out && severity > SEV_NONE; severity--)
        for (uint32_t i = 0; i < x->tab.n; i++) {
            const struct expert_entry *e = keytab_at(&x->tab, i);
            if (expert_severity(e) != severity) continue;
            struct cell *c = table_row(out);
            c[0] = cell_str(severity_name((enum severity)severity));
            c[1] = cell_count(e->count);
            c[2] = cell_str(anomaly_group_name((enum anomaly_group)field_of(e->id)->group));
            c[3] = cell_str(expert_protocol(e));
            c[4] = cell_text(out, slice_str(e->text));
            c[5] = cell_str(field_of(e->id)->name);
            c[6] = cell_count(e->first);
        }
    if (out) stats_note(out, &x->tab, "findings");
    return out;
}

const struct stats_ops stats_expert = {.name = "expert",
                                       .purpose = "what the decoders found worth saying",
                                       .which = severities,
                                       .which_optional = true,
                                       .state_size = sizeof(struct expert),
                                       .start = start,
                                       .want = want,
                                       .packet = packet,
                                       .tables = tables,
                                       .end = end};
