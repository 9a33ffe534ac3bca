/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction: the variables of one packet, what rules have set, and which values a rule looks at.
 *
 * Inputs are the values the packet brought, in the order they were given and linked by variable. What a transformation
 * made of an input is kept with it, so rules that share a chain share the work. Everything lives in one arena with a
 * cap that ends with the next packet; at the cap values become empty and the transaction is marked `limited`. */
#include "guard/rules/tx.h"
#include "proto/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MATCH_PAIRS = 64, JIT_STACK = 1 << 20, HEAP_LIMIT_KB = 4096, USUAL_MEMORY = 128 << 10, SHORT = 5, LONG = 2048 };

void *tx_room(struct rules_tx *tx, size_t n) {
    void *p = arena_get(&tx->arena, n ? n : 1);
    if (!p) tx->limited = true;
    return p;
}

/* Long packets are timed exactly from the beginning: one expression may keep them longer than the cheap clock's step.
 */
void tx_time(struct rules_tx *tx) {
    size_t n = 0;
    for (uint32_t i = 1; i <= tx->n_in; i++) n += tx->in[i].value.n;
    tx->tick = tx->set->clock(false);
    if (n > LONG) tx->began = tx->set->clock(true);
}

/* The cheap clock moves every few milliseconds, and only then the exact one is asked: most packets never see that. */
bool tx_late(struct rules_tx *tx) {
    if (tx->late || !tx->tick) return tx->late;
    int64_t tick = tx->set->clock(false);
    if (tick == tx->tick) return false;
    tx->tick = tick;
    int64_t now = tx->set->clock(true);
    if (!tx->began) tx->began = now;
    tx->late = now - tx->began >= RULES_TIME_MAX;
    if (tx->late) tx->limited = true;
    return tx->late;
}

struct slice tx_keep(struct rules_tx *tx, struct slice s) {
    if (!s.n) return SLICE("");
    void *p = tx_room(tx, s.n);
    return p ? slice_of(memcpy(p, s.p, s.n), s.n) : SLICE("");
}

struct rules_tx *rules_tx_make(const struct rules_set *set, struct rules_store *store) {
    struct rules_tx *tx = calloc(1, sizeof *tx);
    if (!tx) return NULL;
    tx->set = set;
    tx->store = store;
    tx->arena = arena_make(RULES_TX_MEMORY);
    tx->match = pcre2_match_data_create(set->captures + 1 > MATCH_PAIRS ? set->captures + 1 : MATCH_PAIRS, NULL);
    tx->mctx = pcre2_match_context_create(NULL);
    tx->stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK, NULL);
    tx->in = malloc((RULES_INPUTS_MAX + 1) * sizeof *tx->in);
    tx->tx = calloc(set->n_slots + 1, sizeof *tx->tx);
    tx->known = calloc(2 * KNOWNS, sizeof *tx->known); /* libinjection's, then steady inputs */
    tx->tainted = calloc(set->n_slots + 1, 1);
    tx->read = calloc(set->n_slots + 1, 1);
    tx->miss = calloc(set->n_heads + 1, 1);
    if (!tx->match || !tx->mctx || !tx->in || !tx->tx || !tx->miss || !tx->tainted || !tx->known || !tx->read ||
        !first_scratch(tx))
        return rules_tx_free(tx), NULL;
    pcre2_set_heap_limit(tx->mctx, HEAP_LIMIT_KB);
    if (tx->stack) pcre2_jit_stack_assign(tx->mctx, NULL, tx->stack);
    (void)arena_get(&tx->arena, USUAL_MEMORY); /* the first chunk stays: ordinary packets need no other */
    rules_tx_start(tx, 0);
    return tx;
}

void rules_tx_free(struct rules_tx *tx) {
    if (!tx) return;
    first_scratch_free(tx);
    pcre2_match_data_free(tx->match);
    pcre2_match_context_free(tx->mctx);
    pcre2_jit_stack_free(tx->stack);
    free(tx->in);
    free(tx->tx);
    free(tx->tainted);
    free(tx->known);
    free(tx->read);
    free(tx->miss);
    free(tx->targets);
    arena_free(&tx->arena);
    free(tx);
}

/* tx_clear puts back what rules have changed; the inputs stay. */
void tx_clear(struct rules_tx *tx) {
    memset(tx->tx, 0, (tx->set->n_slots + 1) * sizeof *tx->tx);
    memset(tx->keys, 0, sizeof tx->keys);
    tx->n_dyn = tx->n_matched = tx->n_removals = 0;
    tx->has_last = tx->stop = false;
    tx->engine = tx->set->engine;
    tx->allow = ALLOW_NONE;
    tx->skip = 0;
    tx->marker = (struct slice){0};
    tx->severity = 255;
}

void rules_tx_start(struct rules_tx *tx, int64_t now) {
    arena_reset(&tx->arena);
    tx->n_in = 0;
    memset(tx->first_of, 0, sizeof tx->first_of);
    memset(tx->last_of, 0, sizeof tx->last_of);
    tx->args_size = 0;
    tx->body = (struct slice){0};
    tx->json = tx->has_body = tx->limited = tx->late = false;
    tx->tick = tx->began = 0;
    tx->now = now;
    tx->serial++;
    tx->texts_made = false;
    tx_clear(tx);
}

/* input_add appends a value; inputs are counted from 1, so that 0 ends the lists. */
static struct input *input_add(struct rules_tx *tx, uint8_t var, struct slice name, struct slice value) {
    if (tx->n_in >= RULES_INPUTS_MAX) return tx->limited = true, NULL;
    struct input *in = &tx->in[++tx->n_in];
    *in = (struct input){.name = name, .value = value, .var = var};
    if (tx->last_of[var]) tx->in[tx->last_of[var]].next = tx->n_in;
    else tx->first_of[var] = tx->n_in;
    tx->last_of[var] = tx->n_in;
    return in;
}

static void steady(struct input *in) {
    if (in) in->steady = true;
}

/* Devices have a few words for what they say, and short numbers come again; long ones do not. */
static bool comes_again(struct slice s) {
    return s.n && (s.n <= SHORT || (ascii_lower(s.p[0]) >= 'a' && ascii_lower(s.p[0]) <= 'z'));
}

static void arg_add(struct rules_tx *tx, struct slice name, struct slice value) {
    uint32_t most = tx->set->limits.args;
    if (most && tx->n_in / 2 >= most) {
        tx->limited = true;
        return;
    }
    tx->args_size += name.n + value.n;
    struct input *in = input_add(tx, V_ARGS, name, value);
    if (comes_again(value)) steady(in);
    steady(input_add(tx, V_ARGS_NAMES, name, name));
}

void rules_tx_add(struct rules_tx *tx, enum rules_var var, struct slice name, struct slice value) {
    static const uint8_t ids[RULES_VARS] = {
        [RULES_ARGS] = V_ARGS,
        [RULES_REQUEST_BODY] = V_REQUEST_BODY,
        [RULES_REQUEST_FILENAME] = V_REQUEST_FILENAME,
        [RULES_REMOTE_ADDR] = V_REMOTE_ADDR,
        [RULES_REMOTE_PORT] = V_REMOTE_PORT,
        [RULES_REMOTE_USER] = V_REMOTE_USER,
        [RULES_SERVER_ADDR] = V_SERVER_ADDR,
        [RULES_SERVER_PORT] = V_SERVER_PORT,
        [RULES_SESSION_ID] = V_SESSIONID,
        [RULES_UNIQUE_ID] = V_UNIQUE_ID,
    };
    if (var == RULES_ARGS) arg_add(tx, name, value);
    else if (!tx->first_of[ids[var]]) {
        struct input *in = input_add(tx, ids[var], (struct slice){0}, value);
        if (var != RULES_REQUEST_BODY && var != RULES_UNIQUE_ID) steady(in);
    }
    if (var == RULES_REQUEST_BODY) tx->body = value, tx->has_body = true;
}

void rules_tx_topic(struct rules_tx *tx, struct slice topic) {
    const uint8_t *slash = topic.n ? memrchr(topic.p, '/', topic.n) : NULL;
    rules_tx_add(tx, RULES_REQUEST_FILENAME, (struct slice){0}, topic);
    if (!tx->first_of[V_REQUEST_BASENAME])
        steady(input_add(tx, V_REQUEST_BASENAME, (struct slice){0},
                         slash ? slice_tail(topic, (size_t)(slash - topic.p) + 1) : topic));
    arg_add(tx, SLICE("topic"), topic);
    if (tx->n_in && tx->in[tx->n_in].var == V_ARGS_NAMES) steady(&tx->in[tx->n_in - 1]);
}

/* form_body makes the body a form would have: every byte but letters and digits as %XX. Only where a rule looks at it.
 */
static void form_body(struct rules_tx *tx, struct slice payload) {
    if (!tx->set->wants_body || tx->has_body) return;
    uint8_t *out = tx_room(tx, payload.n * 3 + 8), *d = out;
    if (!out) return;
    memcpy(d, "payload=", 8);
    d += 8;
    for (size_t i = 0; i < payload.n; i++) {
        uint8_t c = payload.p[i], l = ascii_lower(c);
        if ((c >= '0' && c <= '9') || (l >= 'a' && l <= 'z')) {
            *d++ = c;
            continue;
        }
        *d++ = '%';
        *d++ = (uint8_t) "0123456789ABCDEF"[c >> 4];
        *d++ = (uint8_t) "0123456789ABCDEF"[c & 15];
    }
    rules_tx_add(tx, RULES_REQUEST_BODY, (struct slice){0}, slice_of(out, (size_t)(d - out)));
}

void rules_tx_form(struct rules_tx *tx, struct slice payload) {
    arg_add(tx, SLICE("payload"), payload);
    form_body(tx, payload);
}

bool rules_tx_json(struct rules_tx *tx, struct slice body) {
    uint32_t was = tx->n_in, first[2] = {tx->first_of[V_ARGS], tx->first_of[V_ARGS_NAMES]},
             last[2] = {tx->last_of[V_ARGS], tx->last_of[V_ARGS_NAMES]};
    uint64_t size = tx->args_size;
    bool limited = tx->limited;
    if (json_read(tx, body)) {
        tx->json = true;
        rules_tx_add(tx, RULES_REQUEST_BODY, (struct slice){0}, body);
        return true;
    }
    /* Not JSON after all: what was read of it goes. */
    tx->n_in = was;
    tx->args_size = size;
    tx->limited = limited;
    for (int i = 0; i < 2; i++) {
        uint8_t var = i ? V_ARGS_NAMES : V_ARGS;
        tx->first_of[var] = first[i];
        tx->last_of[var] = last[i];
        if (last[i]) tx->in[last[i]].next = 0;
    }
    return false;
}

void rules_tx_payload(struct rules_tx *tx, struct slice payload) {
    struct slice s = s_trim(payload);
    bool maybe = s.n > 1 && ((s.p[0] == '{' && s.p[s.n - 1] == '}') || (s.p[0] == '[' && s.p[s.n - 1] == ']'));
    if (!maybe || !rules_tx_json(tx, payload)) {
        rules_tx_form(tx, payload);
        return;
    }
    struct input *in = input_add(tx, V_ARGS, SLICE("payload"), payload);
    if (in) in->named_only = true;
}

/* value_text prints a field's value as rules compare it: numbers in decimal, strings and bytes as they are. */
static struct slice value_text(struct rules_tx *tx, const struct field *f, const struct fval *v) {
    char text[32];
    if (field_is_bytes(f)) return v->s;
    int n = field_signed(f) ? snprintf(text, sizeof text, "%lld", (long long)v->i)
                            : snprintf(text, sizeof text, "%llu", (unsigned long long)v->u);
    if (f->type == FT_DOUBLE) n = snprintf(text, sizeof text, "%.15g", v->d);
    return tx_keep(tx, slice_of(text, (size_t)n));
}

void rules_tx_fields(struct rules_tx *tx, const struct fvec *fields) {
    if (!tx->set->wants_fields) return;
    for (uint32_t i = 0; i < fields->n; i++) {
        const struct fval *v = &fields->v[i];
        if (!want_has(&tx->set->wanted, v->id)) continue;
        const struct field *f = field_of(v->id);
        struct slice name = slice_str(f->name);
        if (slice_starts(name, SLICE("mqtt."))) name = slice_tail(name, 5);
        struct input *in = input_add(tx, V_MQTT, name,
                                     f->type == FT_NONE || f->type == FT_PROTOCOL ? SLICE("1") : value_text(tx, f, v));
        if (in) in->field = v->id;
    }
}

int tx_collection(uint8_t var) {
    switch (var) {
    case V_IP: return RULES_IP;
    case V_GLOBAL: return RULES_GLOBAL;
    case V_SESSION: return RULES_SESSION;
    case V_USER: return RULES_USER;
    case V_RESOURCE: return RULES_RESOURCE;
    }
    return -1;
}

static struct slice first_value(const struct rules_tx *tx, uint8_t var) {
    return tx->first_of[var] ? tx->in[tx->first_of[var]].value : (struct slice){0};
}

/* tx_key gives the record of a collection: what initcol said, or what goes without saying. */
static struct slice tx_key(const struct rules_tx *tx, int c) {
    if (tx->keys[c].n) return slice_head(tx->keys[c], RULES_NAME_MAX);
    struct slice key = (struct slice){0};
    if (c == RULES_IP) key = first_value(tx, V_REMOTE_ADDR);
    if (c == RULES_USER) key = first_value(tx, V_REMOTE_USER);
    if (c == RULES_SESSION) key = first_value(tx, V_SESSIONID);
    return key.n ? slice_head(key, RULES_NAME_MAX) : SLICE("global");
}

static struct slice number_text(struct rules_tx *tx, long long v) {
    char text[24];
    struct writer w = wr_fixed(text, sizeof text);
    wr_i(&w, v);
    return tx_keep(tx, wr_done(&w));
}

static bool time_value(struct rules_tx *tx, uint8_t var, struct slice *value) {
    time_t t = (time_t)(tx->now / 1000000000);
    struct tm tm;
    char text[16];
    gmtime_r(&t, &tm);
    switch (var) {
    case V_TIME: *value = tx_keep(tx, slice_of(text, strftime(text, sizeof text, "%H:%M:%S", &tm))); return true;
    case V_TIME_DAY: *value = number_text(tx, tm.tm_mday); return true;
    case V_TIME_EPOCH: *value = number_text(tx, t); return true;
    case V_TIME_HOUR: *value = number_text(tx, tm.tm_hour); return true;
    case V_TIME_MIN: *value = number_text(tx, tm.tm_min); return true;
    case V_TIME_MON: *value = number_text(tx, tm.tm_mon); return true;
    case V_TIME_SEC: *value = number_text(tx, tm.tm_sec); return true;
    case V_TIME_WDAY: *value = number_text(tx, tm.tm_wday); return true;
    case V_TIME_YEAR: *value = number_text(tx, tm.tm_year + 1900); return true;
    }
    return false;
}

static bool plain_value(struct rules_tx *tx, uint8_t var, struct slice *value) {
    switch (var) {
    case V_ARGS_COMBINED_SIZE: *value = number_text(tx, (long long)tx->args_size); return true;
    case V_REQUEST_BODY_LENGTH: *value = number_text(tx, (long long)tx->body.n); return tx->has_body;
    case V_REQBODY_PROCESSOR: *value = tx->json ? SLICE("JSON") : SLICE("URLENCODED"); return true;
    case V_REQBODY_ERROR:
    case V_REQBODY_PROCESSOR_ERROR:
    case V_INBOUND_DATA_ERROR: *value = tx->limited ? SLICE("1") : SLICE("0"); return true;
    case V_DURATION: *value = SLICE("0"); return true;
    case V_MODSEC_BUILD: *value = SLICE("030009000"); return true;
    case V_WEBAPPID: *value = SLICE("default"); return true;
    }
    return time_value(tx, var, value);
}

static bool rule_value(struct rules_tx *tx, const struct var_ref *v, struct slice *value) {
    const struct rule *r = tx->now_rule ? tx->now_rule->head : NULL;
    struct slice key = v->key.text;
    if (!r) return false;
    if (s_is(key, "id")) *value = number_text(tx, r->a.id);
    else if (s_is(key, "msg") && r->a.has_msg) *value = tx_macro(tx, &r->a.msg);
    else if (s_is(key, "logdata") && r->a.has_logdata) *value = tx_macro(tx, &r->a.logdata);
    else if (s_is(key, "severity") && r->a.severity >= 0) *value = number_text(tx, r->a.severity);
    else return false;
    return true;
}

static struct slice full_name(struct rules_tx *tx, const struct target *t) {
    const char *var = rules_vars[t->var].name;
    size_t n = strlen(var);
    if (!rules_vars[t->var].named || !t->name.n) return slice_of(var, n);
    uint8_t *out = tx_room(tx, n + 1 + t->name.n);
    if (!out) return slice_of(var, n);
    memcpy(out, var, n);
    out[n] = ':';
    memcpy(out + n + 1, t->name.p, t->name.n);
    return slice_of(out, n + 1 + t->name.n);
}

static bool state_value(struct rules_tx *tx, const struct var_ref *v, struct slice *value) {
    switch (v->var) {
    case V_RULE: return rule_value(tx, v, value);
    case V_HIGHEST_SEVERITY: *value = number_text(tx, tx->severity); return true;
    case V_MATCHED_VAR:
    case V_MATCHED_VAR_NAME:
        if (tx->has_last) *value = v->var == V_MATCHED_VAR ? tx->last.value : full_name(tx, &tx->last);
        return tx->has_last;
    }
    return false;
}

/* tx_named finds a TX variable, by place or by name. */
static bool tx_named(struct rules_tx *tx, const struct var_ref *v, struct slice *value) {
    int slot = v->slot;
    struct slice name = v->key.expands ? tx_macro(tx, &v->key) : v->key.text;
    for (uint32_t i = 0; slot < 0 && i < tx->set->n_slots; i++)
        if (slice_alike(tx->set->slots[i], name)) slot = (int)i;
    if (slot >= 0) {
        *value = tx->tx[slot].v;
        return tx->tx[slot].set;
    }
    for (uint32_t i = 0; i < tx->n_dyn; i++)
        if (slice_alike(tx->dyn[i].name, name)) return *value = tx->dyn[i].v, true;
    return false;
}

static bool kept_value(struct rules_tx *tx, const struct var_ref *v, struct slice *value) {
    int c = tx_collection(v->var);
    if (!tx->store || v->select != SEL_KEY || c < 0 || tx->dry) return false;
    struct slice name = v->key.expands ? tx_macro(tx, &v->key) : v->key.text, found;
    if (!tx->store->get(tx->store->ctx, (enum rules_collection)c, tx_key(tx, c), name, tx->now / 1000000000, &found))
        return false;
    *value = tx_keep(tx, found);
    return true;
}

static bool input_meant(const struct rules_tx *tx, const struct var_ref *v, const struct input *in) {
    if (v->select == SEL_ALL) return !in->named_only;
    if (v->var == V_MQTT && v->select == SEL_KEY)
        return in->field == v->field || !strcmp(field_of(in->field)->name, field_of(v->field)->name);
    return var_ref_same(tx, v, in->var, in->name) && (v->select == SEL_KEY || !in->named_only);
}

bool var_ref_same(const struct rules_tx *tx, const struct var_ref *ref, uint8_t var, struct slice name) {
    if (ref->var != var && !(ref->var == V_ARGS_POST && var == V_ARGS) &&
        !(ref->var == V_ARGS_POST_NAMES && var == V_ARGS_NAMES))
        return false;
    if (ref->select == SEL_ALL) return true;
    if (ref->select == SEL_KEY) return slice_alike(ref->key.text, name);
    return ref->rx && rx_run((struct rules_tx *)tx, ref->rx, name, 0, 0) > 0;
}

static uint8_t listed_as(const struct rules_tx *tx, uint8_t var) {
    if (tx->json) return var;
    return var == V_ARGS_POST ? V_ARGS : var == V_ARGS_POST_NAMES ? V_ARGS_NAMES : var;
}

bool tx_get(struct rules_tx *tx, const struct var_ref *v, struct slice *value) {
    switch ((enum var_from)rules_vars[v->var].from) {
    case FROM_ABSENT: return false;
    case FROM_PLAIN: return plain_value(tx, v->var, value);
    case FROM_KEPT: return kept_value(tx, v, value);
    case FROM_STATE: return v->var == V_TX ? v->select == SEL_KEY && tx_named(tx, v, value) : state_value(tx, v, value);
    default: break;
    }
    for (uint32_t i = tx->first_of[listed_as(tx, v->var)]; i; i = tx->in[i].next)
        if (input_meant(tx, v, &tx->in[i])) return *value = tx->in[i].value, true;
    return false;
}

struct slice tx_macro(struct rules_tx *tx, const struct macro *m) {
    struct slice part[32];
    size_t n = 0, total = 0;
    if (!m->expands) return m->text;
    for (const struct macro_part *p = m->first; p && n < 32; p = p->next) {
        part[n] = p->text;
        if (p->var && !tx_get(tx, p->var, &part[n])) continue;
        total += part[n++].n;
    }
    if (n == 1) return part[0];
    uint8_t *out = tx_room(tx, total), *d = out;
    for (size_t i = 0; out && i < n; d += part[i++].n)
        if (part[i].n) memcpy(d, part[i].p, part[i].n);
    return slice_of(out ? out : (uint8_t *)"", (size_t)(d - out));
}

void tx_set(struct rules_tx *tx, int slot, struct slice name, struct slice value) {
    for (uint32_t i = 0; slot < 0 && i < tx->set->n_slots; i++)
        if (slice_alike(tx->set->slots[i], name)) slot = (int)i;
    if (slot >= 0) {
        tx->tx[slot] = (struct txval){value, value.p != NULL};
        return;
    }
    uint32_t i = 0;
    while (i < tx->n_dyn && !slice_alike(tx->dyn[i].name, name)) i++;
    if (!value.p) {
        if (i < tx->n_dyn) tx->dyn[i] = tx->dyn[--tx->n_dyn];
        return;
    }
    if (i == DYN_MAX) {
        tx->limited = true;
        return;
    }
    if (i == tx->n_dyn) tx->dyn[tx->n_dyn++].name = tx_keep(tx, name);
    tx->dyn[i].v = value;
}

/* tx_chain gives what a chain of transformations makes of a value. */
struct slice tx_chain(struct rules_tx *tx, const struct target *t, uint16_t chain) {
    if (!chain || (t->input > 0 && first_same(tx, t->var, chain))) return t->value;
    struct input *in = t->input > 0 ? &tx->in[t->input] : NULL;
    if (in && in->made && in->made[chain].p) return in->made[chain];
    const struct chain *c = &tx->set->chains[chain];
    struct slice from = tx_chain(tx, t, c->parent), made = from;
    bool same = in && from.p == in->value.p && from.n == in->value.n;
    if (same && !in->has_seen) {
        bytes_seen(in->value, in->seen);
        in->has_seen = true;
    }
    if (!same || !tfn_idle(c->tfn, in->seen)) {
        uint8_t *out = tx_room(tx, tfn_room(c->tfn, from.n));
        made = out ? slice_of(out, tfn_run(c->tfn, tx->set->unicode_map, from, out)) : SLICE("");
        if (made.n == from.n && from.n && !memcmp(made.p, from.p, made.n)) made = from;
    }
    if (!made.p) made.p = (const uint8_t *)"";
    if (in && !in->made && (in->made = tx_room(tx, tx->set->n_chains * sizeof *in->made)))
        memset(in->made, 0, tx->set->n_chains * sizeof *in->made);
    if (in && in->made) in->made[chain] = made;
    return made;
}

static void target_add(struct rules_tx *tx, struct target t) {
    if (tx->n_targets == tx->cap_targets) {
        uint32_t cap = tx->cap_targets ? tx->cap_targets * 2 : 64;
        struct target *grown = realloc(tx->targets, cap * sizeof *grown);
        if (!grown) {
            tx->limited = true;
            return;
        }
        tx->targets = grown;
        tx->cap_targets = cap;
    }
    if (!t.value.p) t.value.p = (const uint8_t *)"";
    tx->targets[tx->n_targets++] = t;
}

/* tx_collect appends every value a target means. */
static void tx_collect(struct rules_tx *tx, const struct var_ref *v) {
    struct slice value;
    enum var_from from = rules_vars[v->var].from;
    if (from >= FROM_IN_ARGS && from <= FROM_IN_FIELD) {
        for (uint32_t i = tx->first_of[listed_as(tx, v->var)]; i; i = tx->in[i].next)
            if (input_meant(tx, v, &tx->in[i]))
                target_add(tx, (struct target){tx->in[i].name, tx->in[i].value, v->var, (int32_t)i});
    } else if (v->var == V_MATCHED_VARS || v->var == V_MATCHED_VARS_NAMES) {
        for (uint32_t i = 0; i < tx->n_matched; i++) {
            struct slice name = full_name(tx, &tx->matched[i]);
            if (v->select != SEL_ALL && !(v->select == SEL_KEY && slice_alike(v->key.text, name)) &&
                !(v->select == SEL_REGEX && rx_run(tx, v->rx, name, 0, 0) > 0))
                continue;
            target_add(tx, (struct target){name, v->var == V_MATCHED_VARS ? tx->matched[i].value : name, v->var, -1});
        }
    } else if (v->var == V_TX && v->select != SEL_KEY) {
        for (uint32_t i = 0; i < tx->set->n_slots; i++)
            if (tx->tx[i].set && (v->select == SEL_ALL || rx_run(tx, v->rx, tx->set->slots[i], 0, 0) > 0))
                target_add(tx, (struct target){tx->set->slots[i], tx->tx[i].v, V_TX, -1});
        for (uint32_t i = 0; i < tx->n_dyn; i++)
            if (v->select == SEL_ALL || rx_run(tx, v->rx, tx->dyn[i].name, 0, 0) > 0)
                target_add(tx, (struct target){tx->dyn[i].name, tx->dyn[i].v, V_TX, -1});
    } else if (tx_get(tx, v, &value)) {
        target_add(tx, (struct target){v->key.text, value, v->var, -1});
    }
}

static bool excluded(struct rules_tx *tx, const struct rule *r, const struct target *t) {
    for (const struct var_ref *v = r->vars; v; v = v->next)
        if (v->not &&var_ref_same(tx, v, t->var, t->name)) return true;
    for (uint32_t i = 0; i < tx->n_removals; i++) {
        const struct removal *m = &tx->removals[i];
        bool meant = m->kind == ACT_TARGET_ID && r->a.id >= m->lo && r->a.id <= m->hi;
        if (m->kind == ACT_TARGET_MSG) meant = r->a.has_msg && slice_eq(r->a.msg.text, m->name);
        for (const struct tag *g = m->kind == ACT_TARGET_TAG ? r->a.tags : NULL; g && !meant; g = g->next)
            meant = slice_eq(g->text.text, m->name);
        if (meant && var_ref_same(tx, m->var, t->var, t->name)) return true;
    }
    return false;
}

void tx_targets(struct rules_tx *tx, const struct rule *r) {
    uint32_t kept = 0;
    tx->n_targets = 0;
    for (const struct var_ref *v = r->vars; v; v = v->next) {
        if (v->not || rules_vars[v->var].from == FROM_ABSENT) continue;
        uint32_t before = tx->n_targets;
        tx_collect(tx, v);
        if (!v->count) continue;
        uint32_t n = tx->n_targets - before;
        tx->n_targets = before;
        target_add(tx, (struct target){v->key.text, number_text(tx, n), v->var, -1});
    }
    for (uint32_t i = 0; i < tx->n_targets; i++)
        if (!excluded(tx, r, &tx->targets[i])) tx->targets[kept++] = tx->targets[i];
    tx->n_targets = kept;
}
