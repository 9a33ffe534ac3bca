/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: what stands at the left edge of the packet's tree is its chain of protocols, in the order they
 * were decoded; the chain is a path in a tree of counters. The list of segments a message was put together from, of TCP
 * or TLS, is shown before the message but comes to be when the message is done, so its place in the chain is behind it;
 * where the end of the stream completes the message it is the other way round, and where the message is malformed there
 * is none, but of protocols that tell a message's length up front: the list is not reached any more. What a quoted
 * datagram carried is a level, too, the quoted headers are not, nor is that of NFLOG: tshark has it so. Limits:
 * PHS_NODES_MAX nodes, PHS_DEPTH_MAX deep.
 */
#include "analyse/stats/stats_phs.h"

#include <inttypes.h>
#include <stdlib.h>

static int start(void *state, const struct stats_args *args, struct writer *why) {
    struct phs *p = state;
    (void)args;
    p->room = 64;
    p->node = calloc(p->room, sizeof *p->node);
    p->n = 1;
    if (!p->node) wr_s(why, "out of memory");
    return p->node ? OK : ERR_NOMEM;
}

static void end(void *state) { free(((struct phs *)state)->node); }

static void want(const void *state, struct want *w) {
    (void)state;
    for (size_t i = 0; weir_protos[i]; i++) want_add(w, weir_protos[i]->id);
    for (size_t id = 1; id < weir_fields.count; id++)
        if (weir_fields.fields[id].type == FT_PROTOCOL) want_add(w, (uint16_t)id);
    static const uint16_t more[] = {FID_FRAME_PROTOCOLS, FID_TCP_SEGMENTS, FID_TCP_SEGMENT_DATA, FID_TCP_LEN,
                                    FID_TLS_SEGMENTS, FID_WS_MALFORMED, FID_WS_SHORT, FID_WS_UNREASSEMBLED,
                                    /* what has an entry beside its protocol's */
                                    FID_WEBSOCKET_FRAGMENTS, FID_WEBSOCKET_CONTINUE, FID_FTP_CURRENT_WORKING_DIRECTORY,
                                    FID_PWETH_CW, FID_OSI_NLPID, FID_FTP_DATA_SETUP_FRAME, FID_FTP_DATA_SETUP_METHOD,
                                    FID_FTP_DATA_COMMAND, FID_FTP_DATA_COMMAND_FRAME,
                                    FID_FTP_DATA_CURRENT_WORKING_DIRECTORY,
                                    /* where one quoted packet ends and the next one begins */
                                    FID_SFLOW_SAMPLE, FID_WLAN_AGGREGATE_SUBFRAME};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) want_add(w, more[i]);
}

/* child_of returns the node for id below `at`, made where there is none; 0: no room. */
static uint32_t child_of(struct phs *p, uint32_t at, uint16_t id) {
    uint32_t last = 0;
    for (uint32_t c = p->node[at].child; c; c = p->node[c].sibling) {
        if (p->node[c].id == id) return c;
        last = c;
    }
    if (p->n == p->room) {
        if (p->room >= PHS_NODES_MAX) return 0;
        struct phs_node *more = realloc(p->node, (size_t)p->room * 2 * sizeof *more);
        if (!more) return 0;
        p->node = more;
        p->room *= 2;
    }
    uint32_t made = p->n++;
    p->node[made] = (struct phs_node){.id = id};
    if (last) p->node[last].sibling = made;
    else p->node[at].child = made;
    return made;
}

static bool skipped(const struct fval *f) {
    return f->depth || f->id == FID_FRAME || f->id == FID_TCP_LEN || f->id == FID_FRAME_PROTOCOLS ||
           f->id == FID_TCP_SEGMENT_DATA || f->id == FID_NFLOG;
}

struct chain {
    uint16_t id[PHS_DEPTH_MAX];
    size_t n;
};

static void chain_add(struct chain *c, uint16_t id) {
    if (c->n < PHS_DEPTH_MAX) c->id[c->n++] = id;
}

/* frames tells whether the packet's stream is one whose messages tell their length up front. */
static bool frames(const struct decode *d) {
    const struct driver *dr = d->driver;
    const struct proto *app = dr->flow ? dr->flow->app : NULL;
    return app && app->stream && app->stream->frame;
}

static void chain_make(struct chain *c, const struct decode *d) {
    const struct fval *v = d->out->v, *end = v + d->out->n;
    struct {
        uint16_t id;
        uint8_t src;
    } waiting[PHS_DEPTH_MAX];
    size_t n_waiting = 0;
    bool empty = false; /* the segment has no bytes of its own */
    uint8_t quoted = 0; /* depth of a quoted datagram's header; 0: there is none */
    for (const struct fval *f = v; f < end; f++) {
        if (f->id == FID_TCP_LEN) empty = f->u == 0;
        if (f->id == FID_UDP) quoted = f->depth;
        else if (f->depth < quoted) quoted = 0;
        else if (quoted && f->depth == quoted) chain_add(c, f->id);
        if (skipped(f)) continue;
        if (f->id == FID_WS_MALFORMED && !frames(d)) n_waiting = 0;
        while (n_waiting && f->src < waiting[n_waiting - 1].src) chain_add(c, waiting[--n_waiting].id);
        bool waits = (f->id == FID_TCP_SEGMENTS && !empty) || f->id == FID_TLS_SEGMENTS;
        if (waits && n_waiting < PHS_DEPTH_MAX) {
            waiting[n_waiting].id = f->id;
            waiting[n_waiting++].src = f->src;
        } else chain_add(c, f->id);
    }
    while (n_waiting) chain_add(c, waiting[--n_waiting].id);
}

static void packet(void *state, const struct decode *d, int64_t begin) {
    struct phs *p = state;
    struct chain c = {.n = 0};
    (void)begin;
    chain_make(&c, d);
    uint32_t at = 0;
    for (size_t i = 0; i < c.n; i++) {
        at = child_of(p, at, c.id[i]);
        if (!at) {
            p->refused++;
            return;
        }
        p->node[at].packets++;
        p->node[at].bytes += d->pkt->len;
    }
    p->node[0].packets++;
    p->node[0].bytes += d->pkt->len;
}

static void rows_add(const struct phs *p, struct table *out, uint32_t at, uint8_t depth, struct writer *path) {
    for (uint32_t c = p->node[at].child; c; c = p->node[c].sibling) {
        const struct phs_node *n = &p->node[c];
        size_t mark = wr_len(path);
        if (mark) wr_c(path, ':');
        wr_s(path, field_of(n->id)->name);
        struct cell *row = table_row(out);
        row[0] = cell_str(field_of(n->id)->name);
        row[0].indent = depth;
        row[1] = cell_text(out, wr_done(path));
        row[2] = cell_count(n->packets);
        row[3] = cell_real(p->node[0].packets ? 100.0 * (double)n->packets / (double)p->node[0].packets : 0);
        row[4] = cell_bytes(n->bytes);
        rows_add(p, out, c, (uint8_t)(depth + 1), path);
        path->p = path->buf + mark;
    }
}

static struct table *tables(void *state) {
    static const struct table_column columns[] = {
        {.name = "protocol", .title = "Protocol"},        {.name = "path"},
        {.name = "packets", .title = "Packets"},          {.name = "percent", .title = "% packets"},
        {.name = "bytes", .title = "Bytes", .bar = true},
    };
    const struct phs *p = state;
    struct table *out = table_make("protocols", "Protocols", columns, sizeof columns / sizeof *columns);
    struct writer path = wr_grow();
    if (out) rows_add(p, out, 0, 0, &path);
    wr_free(&path);
    if (out && p->refused) {
        struct writer w = wr_fixed(out->note, sizeof out->note - 1);
        wr_f(&w,
             plural(p->refused, "%" PRIu64 " packet is counted in part: the limit of %d nodes is reached",
                    "%" PRIu64 " packets are counted in part: the limit of %d nodes is reached"),
             p->refused, PHS_NODES_MAX);
        *w.p = 0;
    }
    return out;
}

const struct stats_ops stats_protocols = {.name = "protocols",
                                          .purpose = "which protocols travel in which",
                                          .state_size = sizeof(struct phs),
                                          .start = start,
                                          .want = want,
                                          .packet = packet,
                                          .tables = tables,
                                          .end = end};
