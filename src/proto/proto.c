/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proto.h"

#include "proto/protos.h"

/* layer_again numbers a layer whose protocol may have begun one before. The messages of a stream that come in the same
 * bytes are one layer, as the layer operator of filters counts them. */
static __attribute__((noinline)) uint8_t layer_again(const struct decode *d, const struct proto *p) {
    uint8_t seen = 1;
    int src = -1;
    for (const struct layer_mark *m = d->layer, *end = m + d->layers; m < end; m++) {
        if (m->proto != p) continue;
        if (!p->stream || m->src != src) seen++;
        src = m->src;
    }
    return p->stream && src == d->out->src ? (uint8_t)(seen - 1) : seen;
}

/* begin is d_begin for a layer that is the layer_th one of its protocol. */
static inline uint32_t begin(struct decode *d, const struct proto *p, uint32_t off, uint32_t len, uint8_t layer) {
    struct fvec *v = d->out;
    uint32_t at = v->n;
    size_t bytes = v->source[v->src].bytes.n; /* a header may be cut short */
    if (len > bytes - off) len = (uint32_t)bytes - off;
    v->layer = layer;
    uint32_t opened = fv_open(v, p->id, off, len);
    d->begun |= (uint64_t)1 << (p->id & 63);
    if (d->layers < LAYERS_MAX)
        d->layer[d->layers++] =
            (struct layer_mark){.proto = p, .at = at, .quoted = d->quoted > 0, .src = v->src, .before = d->before};
    d->before = NULL; /* the layers inside this one have begun with it */
    return opened;
}

static __attribute__((noinline)) uint32_t begin_again(struct decode *d, const struct proto *p, uint32_t off,
                                                      uint32_t len) {
    bool begun = d->begun >> (p->id & 63) & 1;
    return begin(d, p, off, len, begun ? layer_again(d, p) : 1);
}

/* Nothing is called on the way most layers take, so that the processor's registers are enough for it. */
uint32_t d_begin(struct decode *d, const struct proto *p, uint32_t off, uint32_t len) {
    bool begun = d->begun >> (p->id & 63) & 1, full = d->out->n == d->out->cap;
    return __builtin_expect(begun || full, 0) ? begin_again(d, p, off, len) : begin(d, p, off, len, 1);
}

uint32_t d_begin_inside(struct decode *d, const struct proto *p, uint32_t off, uint32_t len) {
    uint8_t layers = d->layers;
    uint32_t at = d_begin(d, p, off, len);
    if (d->layers > layers) d->layer[layers].inside = true;
    return at;
}

void d_step(struct decode *d, const char *name) {
    struct layer_step *step = d_wants(d, FID_FRAME_PROTOCOLS) ? arena_get(d->arena, sizeof *step) : NULL;
    if (!step) return;
    *step = (struct layer_step){name, d->steps, d->layers};
    d->steps = step;
}

struct fval *d_remark(struct decode *d, uint16_t id, uint32_t off, uint32_t len) {
    const struct field *f = field_of(id);
    d->out->anomalies++;
    if (f->severity > d->out->worst) d->out->worst = f->severity;
    return fv_add(d->out, id, off, len);
}

struct fval *d_anomaly(struct decode *d, uint16_t id, uint32_t off, uint32_t len) {
    return d_remark(d, id, off, len);
}

void d_bad(struct decode *d, const struct reader *r) {
    uint8_t depth = d->out->depth;
    if (d->out->bad) return; /* once a packet is enough */
    d->out->bad = d->cut ? FID_WS_SHORT : d->fragment ? FID_WS_UNREASSEMBLED : FID_WS_MALFORMED;
    d->out->depth = 0;
    fv_add(d->out, d->out->bad, rd_off(r), 0);
    d->out->depth = depth;
}

bool d_header(struct decode *d, const struct proto *p, struct slice in, size_t least) {
    if (in.n >= least) return true;
    struct reader r = d_reader(d, in);
    uint32_t fields = d->out->n;
    d_begin(d, p, rd_off(&r), 0);
    d_end(d);
    d->out->n = fields;
    d_bad(d, &r);
    return false;
}

void d_quote(struct decode *d, enum proto_table table, uint32_t key, struct slice packet) {
    struct net_addr src = d->src, dst = d->dst, link_src = d->link_src, link_dst = d->link_dst;
    const uint8_t *end = d->payload_end;
    uint32_t wire = d->wire_len;
    uint16_t bad = d->out->bad;
    d->out->bad = FID_WS_SHORT; /* a quoted packet ends early by nature */
    d->wire_len = 0;
    d->src = d->dst = (struct net_addr){0};
    d->quoted++;
    if (packet.n && !d->ops->next(d, table, key, packet)) d_data(d, packet);
    d->quoted--;
    if (!d->quote_src.len) {
        d->quote_src = d->src;
        d->quote_dst = d->dst;
    }
    d->wire_len = wire;
    d->out->bad = bad;
    d->payload_end = end;
    d->src = src;
    d->dst = dst;
    d->link_src = link_src;
    d->link_dst = link_dst;
}

static void reverse(struct fval *v, uint32_t from, uint32_t to) {
    while (from + 1 < to) {
        struct fval one = v[from];
        v[from++] = v[--to];
        v[to] = one;
    }
}

void d_move_back(struct decode *d, uint32_t to, uint32_t from) {
    struct fval *v = d->out->v;
    uint32_t moved = d->out->n - from;
    /* Two blocks change places: each turned round, then both together. */
    reverse(v, to, from);
    reverse(v, from, d->out->n);
    reverse(v, to, d->out->n);
    for (uint8_t i = 0; i < d->layers; i++)
        if (d->layer[i].at >= to) d->layer[i].at += moved;
}

/* row_bytes reads the bytes of a row; false: there are not as many. */
static bool row_bytes(struct reader *r, const struct d_row *row, struct slice *bytes, uint64_t *number) {
    *bytes = rd_take(r, row->width);
    if (!rd_ok(r)) return false;
    *number = 0;
    for (size_t i = 0; row->width <= 8 && i < row->width; i++)
        *number = *number << 8 | bytes->p[row->little ? row->width - 1u - i : i];
    return true;
}

void d_rows(struct decode *d, struct reader *r, const struct d_row *rows, size_t n) {
    struct slice bytes = {0};
    uint64_t number = 0;
    uint32_t off = 0;
    bool parent = false; /* the row's bits are its children */
    for (size_t i = 0; i < n; i++) {
        const struct d_row *row = &rows[i];
        uint64_t mask = field_of(row->id)->mask;
        if (row->width) {
            if (parent) fv_close(d->out);
            parent = false;
            off = rd_off(r);
            if (!row_bytes(r, row, &bytes, &number)) return;
            if (!row->id) continue;
        }
        uint64_t value = mask ? (number & mask) >> __builtin_ctzll(mask) : number;
        parent |= row->width && i + 1 < n && !rows[i + 1].width;
        if (row->width && parent) d_open_u(d, row->id, off, (uint32_t)bytes.n, value);
        else if (field_is_bytes(field_of(row->id))) fv_s(d->out, row->id, off, (uint32_t)bytes.n, bytes);
        else fv_u(d->out, row->id, off, (uint32_t)bytes.n, value);
    }
    if (parent) fv_close(d->out);
}

void d_layer(struct decode *d, const struct proto *p, struct slice in, const struct d_row *rows, size_t n) {
    struct reader r = d_reader(d, in);
    d_begin(d, p, rd_off(&r), (uint32_t)in.n);
    d_rows(d, &r, rows, n);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

const char *fv_value_name(const struct fvec *v, uint16_t id, uint32_t at, uint32_t end) {
    const struct fval *f = fv_first(v, id, at, end);
    return f ? field_value_name(field_of(id)->values, f->u) : NULL;
}

void fv_value_say(struct writer *w, const struct fvec *v, uint16_t id, uint32_t at, uint32_t end) {
    const char *name = fv_value_name(v, id, at, end);
    if (name) wr_s(w, name);
}

void d_data(struct decode *d, struct slice in) {
    if (in.n) d->ops->call(d, &proto_data, in);
}
