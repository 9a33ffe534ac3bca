/* SPDX-License-Identifier: Apache-2.0 */
/* An expression as a counter: every field that was given is a wheel with as many values as it stands for; packet number
 * i is one position of all wheels, the last one written turning fastest. The packet is then written from its end to its
 * beginning, so that every header knows what it carries. */
#include "craft/build.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

enum { ARENA_MAX = 16 << 20, WHEELS_MAX = 256 };

struct wheel {
    uint8_t layer, field;
    const struct node *node;
    uint64_t count;
};

struct craft {
    struct arena arena;
    const struct craft_env *env;
    enum layer_id layers[CRAFT_LAYERS_MAX];
    size_t n;
    struct wheel wheels[WHEELS_MAX]; /* slowest first */
    size_t n_wheels;
    uint64_t count;
    struct value values[CRAFT_LAYERS_MAX][FIELDS_PER_LAYER];
    struct writer header;
    uint8_t bytes[CRAFT_BYTES_MAX];
};

/* host_look_up turns a host's name into its address. */
static void host_look_up(struct craft *c, size_t n, struct node *a) {
    char name[256], text[INET6_ADDRSTRLEN];
    uint8_t addr[16];
    bool letters = false;
    for (size_t i = 0; i < a->text.n && !letters; i++) letters = isalpha(a->text.p[i]) || a->text.p[i] == '_';
    if (a->kind != NODE_TEXT || !letters || !a->text.n || a->text.n >= sizeof name || memchr(a->text.p, ':', a->text.n))
        return;
    memcpy(name, a->text.p, a->text.n);
    name[a->text.n] = 0;
    if (!c->env->lookup(c->env->to, name, addr, n) || !inet_ntop(n == 4 ? AF_INET : AF_INET6, addr, text, sizeof text))
        return;
    struct slice known = arena_copy(&c->arena, slice_str(text));
    if (known.n) a->text = known;
}

static void hosts_look_up(struct craft *c, const struct craft_field *f, struct node *a) {
    size_t n = f->kind == VALUE_IP4 ? 4 : 16;
    if ((f->kind != VALUE_IP4 && f->kind != VALUE_IP6) || !c->env || !c->env->lookup) return;
    host_look_up(c, n, a);
    for (struct node *i = a->kind == NODE_LIST ? a->first : NULL; i; i = i->next) host_look_up(c, n, i);
}

static int wheel_add(struct craft *c, struct node *a, int field, struct writer *why) {
    const struct layer *l = layer_of(c->layers[c->n]);
    hosts_look_up(c, &l->fields[field], a);
    uint64_t count = value_count(&l->fields[field], a, why);
    if (!count) return ERR_USAGE;
    if (c->n_wheels == WHEELS_MAX) return wr_f(why, "more than %d fields", WHEELS_MAX), ERR_LIMIT;
    if (count > CRAFT_PACKETS_MAX / c->count)
        return wr_f(why, "the expression stands for more than %d packets", CRAFT_PACKETS_MAX), ERR_LIMIT;
    c->count *= count;
    c->wheels[c->n_wheels++] = (struct wheel){(uint8_t)c->n, (uint8_t)field, a, count};
    return OK;
}

static int layer_unknown(const struct node *n, struct writer *why) {
    wr_f(why, "at character %u: there is no layer '%.*s'; the layers are", n->at, (int)slice_head(n->text, 40).n,
         n->text.p);
    for (int i = 0; i <= LAYER_RAW; i++)
        if (!layer_of(i)->record) wr_f(why, " %s", layer_of(i)->name);
    wr_s(why, " and those `weir craft --layers` lists");
    return ERR_USAGE;
}

static int layer_take(struct craft *c, struct node *n, struct writer *why) {
    int id = n->kind == NODE_TEXT ? LAYER_RAW : layer_find(n->text);
    if (id < 0 || layer_of(id)->record) return layer_unknown(n, why);
    const struct layer *l = layer_of(id);
    uint32_t seen = 0;
    c->layers[c->n] = (enum layer_id)id;
    if (n->kind == NODE_TEXT) return wheel_add(c, n, RAW_LOAD, why);
    for (struct node *a = n->first; a; a = a->next) {
        int at = a->key.n ? layer_field(l, a->key) : a == n->first && l->n == 1 ? 0 : -1;
        if (at < 0 && !a->key.n)
            return wr_f(why, "at character %u: a field of %s needs its name: name=value", a->at, l->name), ERR_USAGE;
        if (at < 0) {
            wr_f(why, "at character %u: %s has no field '%.*s'; its fields are", a->at, l->name,
                 (int)slice_head(a->key, 40).n, a->key.p);
            for (size_t i = 0; i < l->n; i++) wr_f(why, " %s", l->fields[i].name);
            return ERR_USAGE;
        }
        if (seen >> at & 1) return wr_f(why, "at character %u: %s is said twice", a->at, l->fields[at].name), ERR_USAGE;
        seen |= 1u << at;
        int rc = wheel_add(c, a, at, why);
        if (rc) return rc;
    }
    return OK;
}

int craft_make(struct craft **out, const char *text, const struct craft_env *env, struct writer *why) {
    struct craft *c = calloc(1, sizeof *c);
    struct node *all;
    *out = NULL;
    if (!c) return ERR_NOMEM;
    c->arena = arena_make(ARENA_MAX);
    c->header = wr_grow();
    c->env = env;
    c->count = 1;
    int rc = node_parse(&all, slice_str(text), &c->arena, why);
    for (struct node *n = rc ? NULL : all->first; n && !rc; n = n->next) {
        rc = layer_take(c, n, why);
        c->n++;
    }
    if (rc) return craft_free(c), rc;
    *out = c;
    return OK;
}

void craft_free(struct craft *c) {
    if (!c) return;
    arena_free(&c->arena);
    wr_free(&c->header);
    free(c);
}

uint64_t craft_count(const struct craft *c) { return c->count; }

int craft_linktype(const struct craft *c) {
    enum { ETHERNET = 1, RAW_IP = 101 };
    if (c->layers[0] == LAYER_ETHER) return ETHERNET;
    return c->layers[0] == LAYER_IP || c->layers[0] == LAYER_IPV6 ? RAW_IP : -1;
}

static void wheels_turn(struct craft *c, uint64_t i) {
    for (size_t l = 0; l < c->n; l++) value_defaults(layer_of(c->layers[l]), c->values[l]);
    for (size_t k = c->n_wheels; k-- > 0;) {
        const struct wheel *w = &c->wheels[k];
        value_get(&layer_of(c->layers[w->layer])->fields[w->field], w->node, i % w->count,
                  &c->values[w->layer][w->field]);
        i /= w->count;
    }
}

int craft_packet(struct craft *c, uint64_t i, struct slice *bytes, struct writer *why) {
    size_t from = sizeof c->bytes;
    wheels_turn(c, i);
    for (size_t at = c->n; at-- > 0;) {
        struct slice payload = slice_of(c->bytes + from, sizeof c->bytes - from);
        struct building b = {
            c->layers, (const struct value(*)[FIELDS_PER_LAYER])c->values, c->n, at, c->env, payload, &c->header, why,
            0};
        wr_reset(&c->header);
        int rc = build_layer(&b);
        if (!rc) rc = c->header.err;
        if (rc) return rc;
        struct slice head = wr_done(&c->header);
        if (head.n > from) return wr_f(why, "the packet is larger than %d bytes", CRAFT_BYTES_MAX), ERR_LIMIT;
        from -= head.n;
        if (head.n) memcpy(c->bytes + from, head.p, head.n);
    }
    *bytes = slice_of(c->bytes + from, sizeof c->bytes - from);
    return OK;
}
