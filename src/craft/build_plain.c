/* SPDX-License-Identifier: Apache-2.0 */
/* Layers written by their tables: the fields one behind the other, bit by bit where they are no whole bytes. What a
 * field is worked out from stands behind it as often as before it, so such fields get their place first and their value
 * when the layer is complete. */
#include "craft/build.h"
#include "proto/dns/dns_write.h"
#include "proto/icmp/checksum.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { NO_NEXT_HEADER = 59, ICMPV6 = 58, RECORDS_DEPTH = 4 };

/* place is where a field that is worked out will stand. */
struct place {
    size_t at;   /* from the layer's beginning */
    size_t next; /* end of the field behind it */
    uint8_t field, bytes;
};

struct plain {
    struct building *b;
    struct writer *w;
    const struct layer *layer;
    const struct value *v;
    size_t begin;
    uint64_t bits;
    unsigned pending; /* bits not written yet */
    struct place places[FIELDS_PER_LAYER];
    size_t n;
};

static void bits_put(struct plain *p, uint64_t u, unsigned bits) {
    for (unsigned i = bits; i-- > 0;) {
        p->bits = p->bits << 1 | (u >> i & 1);
        if (++p->pending < 8) continue;
        put_be8(p->w, (int64_t)(p->bits & 0xff));
        p->pending = 0;
    }
}

int addresses_put(struct building *b, struct writer *w, const struct node *list, size_t n) {
    uint8_t addr[16];
    char text[64];
    for (const struct node *i = !list                     ? NULL
                                : list->kind == NODE_LIST ? list->first
                                                          : list;
         i; i = list->kind == NODE_LIST ? i->next : NULL) {
        snprintf(text, sizeof text, "%.*s", (int)slice_head(i->text, sizeof text - 1).n,
                 i->text.p ? (const char *)i->text.p : "");
        if (i->kind != NODE_TEXT || inet_pton(n == 4 ? AF_INET : AF_INET6, text, addr) != 1)
            return build_complain(b, i, "a list of addresses belongs here");
        wr_bytes(w, addr, n);
    }
    return OK;
}

static struct slice without_root(struct slice name) {
    return name.n && name.p[name.n - 1] == '.' ? slice_head(name, name.n - 1) : name;
}

static bool is_there(const struct plain *p, const struct craft_field *f) {
    if (!f->when) return true;
    if (f->when != WHEN_QOS) return p->v[f->when - 1].u != 0;
    const struct building *b = p->b;
    return b->at && b->layers[b->at - 1] == LAYER_MQTT && b->values[b->at - 1][MQTT_F_QOS].u;
}

static int records_of(struct plain *p, const struct craft_field *f, const struct value *v) {
    bool padded = f->group == GROUP_OPT6;
    return v->node || padded ? records_put(p->b, p->w, v->node, f->group, padded, wr_len(p->w) - p->begin) : OK;
}

static int field_put(struct plain *p, const struct craft_field *f, const struct value *v, uint8_t place) {
    switch (f->kind) {
    case VALUE_NUMBER:
        if (f->role && !v->set) p->places[p->n++] = (struct place){wr_len(p->w) - p->begin, 0, place, f->bits / 8};
        bits_put(p, f->role && !v->set ? 0 : (uint64_t)v->u, f->bits);
        return OK;
    case VALUE_MAC: return wr_bytes(p->w, v->addr, 6), OK;
    case VALUE_IP4: return wr_bytes(p->w, v->addr, 4), OK;
    case VALUE_IP6: return wr_bytes(p->w, v->addr, 16), OK;
    case VALUE_TEXT: return wr_slice(p->w, v->text), OK;
    case VALUE_NAME:
        return dns_write_name(p->w, without_root(v->text)) ? OK
                                                           : build_complain(p->b, NULL, "a name is no domain name");
    case VALUE_IP4S: return addresses_put(p->b, p->w, v->node, 4);
    case VALUE_IP6S: return addresses_put(p->b, p->w, v->node, 16);
    case VALUE_RECORDS: return records_of(p, f, v);
    case VALUE_NODE: break;
    }
    return OK;
}

/* upper_number says what stands above; layers of one header, as options of neighbour discovery, have no number. */
static int64_t upper_number(const struct building *b) {
    if (b->at + 1 >= b->n) return NO_NEXT_HEADER;
    int64_t n = build_protocol(b->layers[b->at + 1]);
    return n < 0 ? NO_NEXT_HEADER : n;
}

static int64_t worked_out(const struct plain *p, const struct place *k, size_t size) {
    switch ((enum field_role)p->layer->fields[k->field].role) {
    case ROLE_UPPER: return upper_number(p->b);
    case ROLE_LEN8: return (int64_t)(size / 8) - 1;
    case ROLE_UNITS8: return (int64_t)(size + 7) / 8;
    case ROLE_SEGMENTS: return (int64_t)(size - 8) / 16;
    case ROLE_TOTAL: return (int64_t)size;
    case ROLE_NEXT: return (int64_t)(k->next - k->at - k->bytes);
    case ROLE_AFTER: return (int64_t)(size - k->at - k->bytes);
    case ROLE_SUM6:
    case ROLE_NONE: break;
    }
    return 0;
}

static void patch(struct plain *p, const struct place *k, int64_t u) {
    for (uint8_t i = 0; i < k->bytes; i++)
        p->w->buf[p->begin + k->at + i] = (char)(uint8_t)(u >> 8 * (k->bytes - 1 - i));
}

static void places_fill(struct plain *p) {
    size_t size = wr_len(p->w) - p->begin;
    const struct place *sum = NULL;
    for (size_t i = 0; i < p->n; i++) {
        patch(p, &p->places[i], worked_out(p, &p->places[i], size));
        if (p->layer->fields[p->places[i].field].role == ROLE_SUM6) sum = &p->places[i];
    }
    if (!sum) return;
    struct pseudo ps = build_pseudo(p->b);
    struct slice head = slice_of(p->w->buf + p->begin, size);
    patch(p, sum,
          ps.version ? write_checksum(&ps, ICMPV6, head, p->b->payload)
                     : checksum_fold(checksum_add(checksum_add(0, head), p->b->payload)));
}

static int plain_put(struct building *b, struct writer *w, const struct layer *l, const struct value *v) {
    struct plain p = {.b = b, .w = w, .layer = l, .v = v, .begin = wr_len(w)};
    for (size_t i = 0; i < l->n; i++) {
        if (!is_there(&p, &l->fields[i])) continue;
        size_t noted = p.n;
        int rc = field_put(&p, &l->fields[i], &v[i], (uint8_t)i);
        if (rc) return rc;
        for (size_t k = 0; k < noted; k++)
            if (p.places[k].field + 1u == i) p.places[k].next = wr_len(w) - p.begin;
    }
    if (w->err) return w->err;
    places_fill(&p);
    return OK;
}

/* option_pad fills up with Pad1 or PadN. */
static void option_pad(struct writer *w, size_t n) {
    if (n == 1) put_be8(w, 0);
    if (n < 2) return;
    put_be8(w, 1);
    put_be8(w, (int64_t)n - 2);
    for (size_t i = 2; i < n; i++) put_be8(w, 0);
}

static size_t until(size_t at, size_t x, size_t y) { return x ? (x - (at - y + 8 * x) % x) % x : 0; }

static int record_put(struct building *b, struct writer *w, const struct node *n, uint8_t group, bool padded,
                      size_t at) {
    struct value v[FIELDS_PER_LAYER];
    int id = n->kind == NODE_LAYER ? layer_find(n->text) : -1;
    if (n->kind == NODE_TEXT) return wr_slice(w, n->text), OK;
    if (id < 0 || layer_of(id)->group != group || !layer_of(id)->record)
        return build_complain(b, n, "another kind of record belongs here; `weir craft --layers` lists them");
    const struct layer *l = layer_of(id);
    if (id == LAYER_OPT4_ANY && n->first && !n->first->key.n && n->first->kind == NODE_TEXT)
        return wr_slice(w, n->first->text), OK;
    int rc = values_of(l, n, v, b->why);
    if (rc) return rc;
    if (padded) option_pad(w, until(at + wr_len(w), l->align, l->align_at));
    return plain_put(b, w, l, v);
}

int records_put(struct building *b, struct writer *w, const struct node *list, uint8_t group, bool padded, size_t at) {
    struct writer all = wr_grow();
    int rc = ++b->depth > RECORDS_DEPTH ? build_complain(b, list, "records are nested too deep") : OK;
    for (const struct node *n = !list                     ? NULL
                                : list->kind == NODE_LIST ? list->first
                                                          : list;
         n && !rc; n = list->kind == NODE_LIST ? n->next : NULL)
        rc = record_put(b, &all, n, group, padded, at);
    if (!rc && padded) option_pad(&all, (8 - (at + wr_len(&all)) % 8) % 8);
    if (!rc && all.err) rc = all.err;
    wr_slice(w, wr_done(&all));
    wr_free(&all);
    b->depth--;
    return rc;
}

int build_record(struct building *b, struct writer *w, const struct node *n, uint8_t group) {
    return record_put(b, w, n, group, false, 0);
}

int build_plain(struct building *b) { return plain_put(b, b->w, layer_of(b->layers[b->at]), b->values[b->at]); }
