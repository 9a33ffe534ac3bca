/* SPDX-License-Identifier: Apache-2.0 */
/* TCP in short: how often each flag was set, what went wrong, and round-trip times by conversation. */
#include "analyse/stats/stats_talk.h"

#include <stdlib.h>

enum { FLAGS = 9, EVENTS = 8 };

static const char *const flag_names[FLAGS] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"};
static const struct {
    uint16_t id;
    const char *name;
} events[EVENTS] = {{FID_TCP_AN_RETRANSMISSION, "retransmissions"},
                    {FID_TCP_AN_FAST_RETRANSMISSION, "fast retransmissions"},
                    {FID_TCP_AN_SPURIOUS, "spurious retransmissions"},
                    {FID_TCP_AN_OUT_OF_ORDER, "out of order"},
                    {FID_TCP_AN_LOST_SEGMENT, "previous segment not captured"},
                    {FID_TCP_AN_DUP_ACK_NUM, "duplicate ACKs"},
                    {FID_TCP_AN_ZERO_WINDOW, "zero window"},
                    {FID_TCP_AN_KEEP_ALIVE, "keep-alives"}};

struct flags {
    uint64_t packets, bytes, flag[FLAGS], event[EVENTS];
};

static int flags_start(void *state, const struct stats_args *args, struct writer *why) {
    (void)state;
    (void)args;
    (void)why;
    return OK;
}

static void flags_want(const void *state, struct want *w) {
    (void)state;
    want_add(w, FID_TCP_FLAGS);
    for (size_t i = 0; i < EVENTS; i++) want_add(w, events[i].id);
}

static void flags_packet(void *state, const struct decode *d, int64_t begin) {
    struct flags *s = state;
    (void)begin;
    for (uint32_t i = 0, end = stats_outer(d); i < end; i++) {
        const struct fval *f = &d->out->v[i];
        if (f->id == FID_TCP_FLAGS) {
            s->packets++;
            s->bytes += d->pkt->len;
            for (int bit = 0; bit < FLAGS; bit++) s->flag[bit] += f->u >> bit & 1;
            continue;
        }
        for (int j = 0; j < EVENTS; j++) s->event[j] += f->id == events[j].id;
    }
}

static void share_row(struct table *t, const char *name, uint64_t n, uint64_t all) {
    struct cell *c = table_row(t);
    c[0] = cell_str(name);
    c[1] = cell_count(n);
    c[2] = cell_real(all ? 100.0 * (double)n / (double)all : 0);
}

static struct table *flags_tables(void *state) {
    static const struct table_column columns[] = {{.name = "what", .title = "TCP"},
                                                  {.name = "segments", .title = "Segments", .bar = true},
                                                  {.name = "percent", .title = "%"}};
    const struct flags *s = state;
    struct table *t = table_make("flags", "Flags", columns, 3);
    if (!t) return NULL;
    share_row(t, "all", s->packets, s->packets);
    for (int i = 0; i < FLAGS; i++) share_row(t, flag_names[i], s->flag[i], s->packets);
    for (int i = 0; i < EVENTS; i++) share_row(t, events[i].name, s->event[i], s->packets);
    return t;
}

static void flags_end(void *state) { (void)state; }

const struct stats_ops stats_flags = {.name = "flags",
                                      .purpose = "TCP flags and what its analysis found",
                                      .state_size = sizeof(struct flags),
                                      .start = flags_start,
                                      .want = flags_want,
                                      .packet = flags_packet,
                                      .tables = flags_tables,
                                      .end = flags_end};

/* rtt is one TCP conversation's round trips: from a segment to its acknowledgement, as seen where the capture was made.
 */
struct rtt {
    uint32_t stream;
    struct talk_addr a, b;
    uint64_t segments, again, samples;
    int64_t initial, least, most;
    double sum;
};

struct rtts {
    struct keytab tab;
};

static int rtt_start(void *state, const struct stats_args *args, struct writer *why) {
    (void)args;
    (void)why;
    ((struct rtts *)state)->tab = keytab_make(sizeof(uint32_t), sizeof(struct rtt), STATS_ENTRIES_MAX);
    return OK;
}

static void rtt_end(void *state) { keytab_free(&((struct rtts *)state)->tab); }

static void rtt_want(const void *state, struct want *w) {
    static const uint16_t ids[] = {FID_TCP_STREAM, FID_TCP_AN_ACK_RTT, FID_TCP_AN_INITIAL_RTT,
                                   FID_TCP_AN_RETRANSMISSION, 0};
    (void)state;
    talk_ends_want(w);
    for (const uint16_t *id = ids; *id; id++) want_add(w, *id);
}

static void sample_add(struct rtt *r, int64_t ns) {
    if (!r->samples || ns < r->least) r->least = ns;
    if (!r->samples || ns > r->most) r->most = ns;
    r->sum += (double)ns;
    r->samples++;
}

static void rtt_packet(void *state, const struct decode *d, int64_t begin) {
    struct rtts *s = state;
    struct talk_addr src = {0}, dst = {0};
    struct rtt *r = NULL;
    (void)begin;
    for (uint32_t i = 0, end = stats_outer(d); i < end; i++) {
        const struct fval *f = &d->out->v[i];
        switch (f->id) {
        case FID_TCP_STREAM: {
            uint32_t stream = (uint32_t)f->u;
            r = keytab_get(&s->tab, &stream);
            if (r && !r->segments++) {
                r->a = src;
                r->b = dst;
            }
            break;
        }
        case FID_TCP_AN_RETRANSMISSION:
            if (r) r->again++;
            break;
        case FID_TCP_AN_INITIAL_RTT:
            if (r) r->initial = f->i;
            break;
        case FID_TCP_AN_ACK_RTT:
            if (r) sample_add(r, f->i);
            break;
        default: talk_ends_take(&src, &dst, f);
        }
    }
}

static struct cell end_cell(struct table *t, const struct talk_addr *a) {
    char text[80];
    struct writer w = wr_fixed(text, sizeof text);
    if (a->len == 16) wr_c(&w, '[');
    talk_addr_print(&w, a);
    wr_f(&w, "%s:%u", a->len == 16 ? "]" : "", a->port);
    return cell_text(t, wr_done(&w));
}

static struct table *rtt_tables(void *state) {
    static const struct table_column columns[] = {
        {.name = "stream", .title = "Stream"},         {.name = "client", .title = "Client"},
        {.name = "server", .title = "Server"},         {.name = "segments", .title = "Segments"},
        {.name = "retransmissions", .title = "Again"}, {.name = "initial_ms", .title = "Initial ms"},
        {.name = "samples", .title = "Samples"},       {.name = "least_ms", .title = "Least ms"},
        {.name = "average_ms", .title = "Average ms"}, {.name = "most_ms", .title = "Most ms"}};
    const struct rtts *s = state;
    struct table *t = table_make("rtt", "Round-trip times", columns, sizeof columns / sizeof *columns);
    for (uint32_t i = 0; t && i < s->tab.n; i++) {
        const struct rtt *r = keytab_at(&s->tab, i);
        struct cell *c = table_row(t);
        c[0] = cell_count(r->stream);
        c[1] = end_cell(t, &r->a);
        c[2] = end_cell(t, &r->b);
        c[3] = cell_count(r->segments);
        c[4] = cell_count(r->again);
        if (r->initial) c[5] = cell_real((double)r->initial / 1e6);
        c[6] = cell_count(r->samples);
        if (!r->samples) continue;
        c[7] = cell_real((double)r->least / 1e6);
        c[8] = cell_real(r->sum / (double)r->samples / 1e6);
        c[9] = cell_real((double)r->most / 1e6);
    }
    if (t) stats_note(t, &s->tab, "conversations");
    return t;
}

const struct stats_ops stats_rtt = {.name = "rtt",
                                    .purpose = "round-trip times by TCP conversation",
                                    .state_size = sizeof(struct rtts),
                                    .start = rtt_start,
                                    .want = rtt_want,
                                    .packet = rtt_packet,
                                    .tables = rtt_tables,
                                    .end = rtt_end};
