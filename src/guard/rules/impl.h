/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_IMPL_H
#define WEIR_GUARD_RULES_IMPL_H
/* What the files of this folder share: the compiled form of a rule set, and a transaction over it. */

#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/arena.h"
#include "base/writer.h"
#include "guard/rules/rules.h"

#include <pcre2.h>

enum var_from {
    FROM_ABSENT,
    FROM_IN_ARGS,
    FROM_IN_BODY,
    FROM_IN_HEAD,
    FROM_IN_FIELD,
    FROM_PLAIN,
    FROM_STATE,
    FROM_KEPT
};
enum { TEXTS = 3 }; /* texts of the first pass */

enum var_id {
#define VAR(id, name, from, named) V_##id,
#include "guard/rules/vars.def"
#undef VAR
    V_COUNT
};

struct var_info {
    const char *name;
    uint8_t from; /* enum var_from */
    bool named;
};
extern const struct var_info rules_vars[V_COUNT];

/* rx is a regular expression ready to run. */
struct rx {
    struct rx *next; /* all of the set, for rules_free */
    pcre2_code *code;
    struct slice text;
    bool jit, caseless;
    bool whole; /* a value cannot be tried in parts */
};

/* macro is a text with %{VARIABLE} parts. */
struct macro_part {
    struct macro_part *next;
    struct slice text;
    const struct var_ref *var; /* NULL: plain text */
};
struct macro {
    struct macro_part *first;
    struct slice text; /* as written */
    bool expands;      /* there is a variable in it */
};

enum var_select { SEL_ALL, SEL_KEY, SEL_REGEX };

/* var_ref is one target of a rule: ARGS, &ARGS:x, !ARGS:/re/. */
struct var_ref {
    struct var_ref *next;
    uint8_t var;    /* enum var_id */
    uint8_t select; /* enum var_select */
    bool count, not ;
    int slot;       /* TX with a fixed name: its place; -1 otherwise */
    uint16_t field; /* MQTT with a fixed name: the field's id */
    struct macro key;
    const struct rx *rx;
};

enum op_kind {
#define OP(id, name, arg) OP_##id,
#include "guard/rules/ops.def"
#undef OP
    OP_COUNT
};

struct phrases; /* Aho-Corasick, pm.c */
struct prefix { /* of ipMatch */
    struct prefix *next;
    uint8_t bytes[16];
    uint8_t bits;
    bool v6;
};

struct op {
    uint8_t kind;
    bool not ;
    bool never; /* cannot match here, with a note at load time */
    struct macro param;
    const struct rx *rx;
    const struct phrases *phrases;
    const struct prefix *prefixes;
    uint64_t bytes[4]; /* validateByteRange: the allowed ones */
    long number;       /* of a numeric parameter without macros */
};

enum tfn_kind {
#define TFN(id, name) T_##id,
#include "guard/rules/tfns.def"
#undef TFN
    T_COUNT
};

/* chain is a transformation after another; chain 0 is the text itself. Chains are shared by all rules. */
struct chain {
    uint16_t parent;
    uint8_t tfn;
    uint8_t depth;
};

enum act_kind {
    ACT_ENGINE,
    ACT_REMOVE_ID,
    ACT_REMOVE_TAG,
    ACT_REMOVE_MSG,
    ACT_TARGET_ID,
    ACT_TARGET_TAG,
    ACT_TARGET_MSG,
    ACT_SKIP,
    ACT_SKIP_AFTER,
    ACT_EXPIRE,
    ACT_INITCOL,
    ACT_SETSID,
    ACT_SETUID,
    ACT_ALLOW,
};
enum engine { ENGINE_ON, ENGINE_DETECT, ENGINE_OFF };
enum allow { ALLOW_NONE, ALLOW_PHASE, ALLOW_REQUEST, ALLOW_ALL };

struct act {
    struct act *next;
    uint8_t kind;
    uint8_t what;        /* enum engine, enum rules_collection or enum allow */
    uint32_t lo, hi;     /* rule ids, or rules to skip */
    struct slice name;   /* tag, message or marker */
    struct var_ref *var; /* target, or variable to expire */
    struct macro value;
};

enum set_how { SET_TO, SET_ADD, SET_SUB, SET_DROP };
struct setvar {
    struct setvar *next;
    struct var_ref *var;
    uint8_t how;
    struct macro value;
};
struct tag {
    struct tag *next;
    struct macro text;
};

enum disrupt { DIS_NONE, DIS_PASS, DIS_DENY, DIS_DROP };

/* acts_of is what an action list says; a SecDefaultAction is one of these as well. */
struct acts_of {
    uint32_t id;
    uint8_t phase;
    uint8_t disrupt;
    bool block, capture, multimatch, chain, none; /* none: t:none */
    int8_t log;                                   /* -1 not said */
    int8_t severity;                              /* -1 not said */
    struct setvar *sets;
    struct act *acts;
    struct tag *tags;
    struct macro msg, logdata;
    bool has_msg, has_logdata;
    uint8_t tfns[16];
    uint8_t n_tfns;
};

enum life { LIFE_SENSITIVE, LIFE_DEAD, LIFE_FIXED }; /* what the plan found out about a rule */

struct rule {
    struct rule *next;  /* in the order of the files */
    struct rule *child; /* next link of the chain */
    const struct rule *head;
    struct acts_of a;
    struct var_ref *vars;
    struct op op;
    bool unconditional; /* SecAction */
    bool marker;
    bool removed;
    bool never;         /* a link of the chain can never match */
    uint16_t chain;     /* transformations */
    uint16_t steps[17]; /* multiMatch: every chain on the way */
    uint8_t n_steps;
    struct slice marker_name;
    const char *file;
    unsigned line;
    uint32_t place;  /* among its phase's rules */
    uint32_t number; /* among all heads: bit in the candidate sets */
    uint8_t life;
};

struct limits {
    uint32_t pcre;
    int64_t ttl;
    uint32_t args; /* 0: no limit of its own */
    size_t body;   /* 0: no limit of its own */
    bool body_reject;
    uint32_t json_depth;
};

struct first; /* the first pass, first.c */

/* sensitive is a rule that looks at the packet, by the link of its chain that does. */
struct sensitive {
    struct rule *head, *link;
};

struct rules_set {
    struct arena arena;
    struct rule *rules, **rules_end;
    struct rule **phase[6];
    uint32_t n_phase[6];
    uint32_t n_rules, n_heads;
    struct rx *rxs;
    struct chain *chains;
    uint16_t n_chains, cap_chains;
    struct slice *slots; /* names of TX with a fixed place, lower case */
    uint32_t n_slots, cap_slots;
    struct acts_of defaults[6];
    bool has_default[6];
    enum engine engine;
    struct limits limits;
    int16_t *unicode_map; /* of %uXXXX, or NULL */
    struct want wanted;
    bool wants_fields, wants_body;
    struct rules_libinjection libinjection;
    int64_t (*clock)(bool exact);
    bool interpreted;  /* memory may not be made executable */
    uint32_t captures; /* greatest number of groups */
    struct first *first;
    struct sensitive *sensitive; /* what plan.c found out */
    uint32_t n_sensitive;
    bool always_full;    /* every packet is evaluated in full */
    bool confirm_full;   /* a candidate of the first pass means a full evaluation */
    bool names_payload;  /* a rule names ARGS:payload */
    struct txval *fixed; /* TX after all rules that do not depend on the packet */
    struct rules_verdict *fixed_verdict;
};

/* target is one value a rule looks at. */
struct target {
    struct slice name, value;
    uint8_t var;
    int32_t input; /* place among the inputs, or -1 */
};

struct input {
    struct slice name, value;
    uint8_t var;
    bool named_only;    /* not part of the whole collection */
    bool steady;        /* stays the same from packet to packet: names of members, topics, addresses */
    bool clean;         /* known to be harmless to every rule that looks at inputs only */
    uint32_t next;      /* next of the same variable, 0 for none */
    struct slice *made; /* by chain; NULL until one was asked for */
    uint64_t seen[4];   /* bytes in the value */
    bool has_seen;
    uint16_t field;
};

struct txval {
    struct slice v;
    bool set;
};
struct dynval {
    struct slice name, v;
};

enum { DYN_MAX = 256, REMOVED_MAX = 512, MATCHED_MAX = 1024, KEY_MAX = 256 };

struct removal {
    uint8_t kind; /* enum act_kind */
    uint32_t lo, hi;
    struct slice name;
    const struct var_ref *var;
};

/* known is a short text found harmless before: devices say the same things all day. An entry is compared whole. */
enum { KNOWN_MAX = 93, KNOWNS = 4096 };
struct known {
    uint8_t n, kind; /* kind: V_COUNT for libinjection's, else the variable */
    uint8_t split;   /* the name ends here */
    uint8_t text[KNOWN_MAX];
};
struct known *known_find(struct known *table, uint8_t kind, struct slice a, struct slice b, bool *found);

struct rules_tx {
    const struct rules_set *set;
    struct rules_store *store;
    struct arena arena;
    pcre2_match_data *match;
    pcre2_match_context *mctx;
    pcre2_jit_stack *stack;
    int64_t now;
    struct input *in;
    uint32_t n_in;
    uint32_t first_of[V_COUNT], last_of[V_COUNT];
    uint64_t args_size;
    struct slice body;
    bool json, has_body;
    struct txval *tx;
    struct dynval dyn[DYN_MAX];
    uint32_t n_dyn;
    struct slice keys[RULES_COLLECTIONS]; /* of the collections; empty: not initialised */
    struct target matched[MATCHED_MAX];
    uint32_t n_matched;
    struct target last;
    bool has_last;
    struct removal removals[REMOVED_MAX];
    uint32_t n_removals;
    enum engine engine;
    enum allow allow;
    uint32_t skip;
    struct slice marker;
    int severity;
    bool stop, limited, dry;
    int64_t tick, began; /* of the set's clock: its cheap time, and its exact time when that first moved; 0: none yet */
    bool late;           /* the time is over */
    const struct rule *now_rule;
    uint8_t *miss;    /* by rule number: the first pass says it cannot match */
    uint8_t *tainted; /* dry run: by TX slot, the value came from the packet */
    uint8_t *read;    /* dry run: by TX slot, a rule that depends on the packet looks at it */
    struct target *targets;
    uint32_t n_targets, cap_targets;
    struct rules_verdict *out;
    uint32_t serial;
    struct known *known;
    struct first_state *first;
    bool texts_made; /* the first pass has been over this packet */
    bool effects;    /* dry run: something outside of the packet was changed */
};

/* text.c: small helpers on slices. */
bool s_same(struct slice a, struct slice b); /* without regard to case */
bool s_is(struct slice a, const char *b);    /* the same with a C string */
struct slice s_trim(struct slice s);
int64_t s_number(struct slice s);                        /* as strtoll reads it: leading blanks, sign, digits */
struct slice s_find(struct slice in, struct slice what); /* {NULL, 0} where it is missing */
static inline uint8_t c_lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; }
static inline bool c_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
int c_hex(uint8_t c); /* 0 to 15, or -1 */
static inline bool bytes_has(const uint64_t set[4], uint8_t c) { return set[c >> 6] >> (c & 63) & 1; }
static inline void bytes_add(uint64_t set[4], uint8_t c) { set[c >> 6] |= (uint64_t)1 << (c & 63); }
/* bytes_note notes which bytes occur, bytes_noted makes a set of them. */
struct bytes_table {
    uint8_t seen[256];
};
static inline void bytes_note(struct bytes_table *t, struct slice s) {
    for (size_t i = 0; i < s.n; i++) t->seen[s.p[i]] = 1;
}
void bytes_noted(const struct bytes_table *t, uint64_t set[4]);
void bytes_seen(struct slice s, uint64_t set[4]);

/* transform.c */
int tfn_find(struct slice name); /* enum tfn_kind, or -1 */
const char *tfn_name(uint8_t tfn);
size_t tfn_room(uint8_t tfn, size_t n); /* bytes the result may take */
size_t tfn_run(uint8_t tfn, const int16_t *unicode_map, struct slice in, uint8_t *out);
bool tfn_idle(uint8_t tfn, const uint64_t seen[4]); /* a text of only these bytes stays as it is */
size_t tfn_html(struct slice in, uint8_t *out);     /* transform_decode.c from here */
size_t tfn_js(struct slice in, uint8_t *out);
size_t tfn_css(struct slice in, uint8_t *out);
size_t tfn_escape(struct slice in, uint8_t *out);
size_t tfn_url(struct slice in, uint8_t *out);
size_t tfn_url_uni(struct slice in, const int16_t *map, uint8_t *out);
size_t tfn_utf8(struct slice in, uint8_t *out);
size_t tfn_sql_hex(struct slice in, uint8_t *out);
size_t tfn_base64(struct slice in, uint8_t *out);
size_t tfn_base64_ext(struct slice in, uint8_t *out);

/* op.c, op_verify.c, pm.c */
int op_find(struct slice name);
const char *op_name(uint8_t kind);
bool op_run(struct rules_tx *tx, const struct rule *rule, const struct op *op, struct slice in);
bool op_verify(struct rules_tx *tx, const struct rule *rule, const struct op *op, struct slice in);
struct phrases *pm_make(struct arena *arena, const struct slice *words, size_t n);
bool pm_find(const struct phrases *p, struct slice in, struct slice *word);
size_t pm_words(const struct phrases *p, const struct slice **words);
const struct prefix *ip_parse(struct arena *arena, struct slice list, struct slice *bad);
bool ip_match(const struct prefix *list, struct slice address);

/* rx.c: rx_compile compiles rx->text with the options all expressions have; `code` and `at` say what is wrong with it.
 * rx_run finds the first match from `from` on: more than 0 for a match, PCRE2_ERROR_NOMATCH, or what stopped it (the
 * transaction is `limited` then). */
bool rx_compile(struct rx *rx, int *code, size_t *at);
const struct rx *rx_make(struct rules_set *set, struct slice text, bool caseless, char *error, size_t n_error);
int rx_run(struct rules_tx *tx, const struct rx *rx, struct slice in, size_t from, uint32_t options);

/* load.c and its parts */
struct load {
    struct rules_set *set;
    const struct rules_source *source;
    struct rules_report *error;
    const char *file;
    unsigned line;
    unsigned column;
    int depth, files;
    struct rule *open; /* last rule, when its chain goes on */
    struct update *updates, **updates_end;
};
int load_fail(struct load *l, const char *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void load_note(struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int load_acts(struct load *l, struct slice text, struct acts_of *a);
int load_vars(struct load *l, struct slice text, struct var_ref **out);
int load_op(struct load *l, struct slice text, struct op *op);
int load_macro(struct load *l, struct slice text, struct macro *out);
int load_finish(struct load *l);
int load_slot(struct rules_set *set, struct slice name);
struct slice load_keep(struct load *l, struct slice s);
int load_directive(struct load *l, struct slice *word, size_t n);
int load_path(struct load *l, const char *path);
int load_file_text(struct load *l, const char *name, struct slice *text, char *path, size_t n_path);

/* SecRuleUpdate… wait until all rules are there. */
enum update_kind {
    UPDATE_TARGET_ID,
    UPDATE_TARGET_TAG,
    UPDATE_TARGET_MSG,
    UPDATE_ACTION,
    REMOVE_ID,
    REMOVE_TAG,
    REMOVE_MSG
};
struct update {
    struct update *next;
    uint8_t kind;
    uint32_t lo, hi;
    struct slice name;
    struct var_ref *vars;
    struct acts_of acts;
};

/* tx.c */
struct slice tx_macro(struct rules_tx *tx, const struct macro *m);
struct slice tx_chain(struct rules_tx *tx, const struct target *t, uint16_t chain);
void tx_targets(struct rules_tx *tx, const struct rule *rule);
void tx_set(struct rules_tx *tx, int slot, struct slice name, struct slice value);
bool tx_get(struct rules_tx *tx, const struct var_ref *var, struct slice *value);
struct slice tx_keep(struct rules_tx *tx, struct slice s);
void tx_time(struct rules_tx *tx); /* its time begins */
bool tx_late(struct rules_tx *tx); /* the packet has had its processor time: nothing more is looked at */
void *tx_room(struct rules_tx *tx, size_t n);
void tx_clear(struct rules_tx *tx);
int tx_collection(uint8_t var); /* enum rules_collection, or -1 */
bool var_ref_same(const struct rules_tx *tx, const struct var_ref *ref, uint8_t var, struct slice name);
bool json_read(struct rules_tx *tx, struct slice text);

/* act.c, eval.c, plan.c, first.c */
void act_setvars(struct rules_tx *tx, const struct rule *rule);
void act_after(struct rules_tx *tx, const struct rule *rule);
bool eval_rule(struct rules_tx *tx, const struct rule *rule);
/* eval_head tells whether the operator matches any target, of the inputs none before `from` and, with `inputs`, none
 * that is known to be clean; without effects. */
bool eval_head(struct rules_tx *tx, const struct rule *rule, int32_t from, bool inputs);
void eval_phase(struct rules_tx *tx, int phase);
bool eval_removed(const struct rules_tx *tx, const struct rule *rule);
void eval_log(struct rules_tx *tx, const struct rule *rule);
void eval_logged(struct rules_tx *tx, const struct rule *rule); /* unless it says nolog */
bool eval_targets(struct rules_tx *tx, const struct rule *rule);
void eval_sum(struct rules_tx *tx, struct rules_verdict *v);
/* need.c: what a text must hold for an expression to match in it: of every set one byte. No set: nothing is known. */
enum { NEED_MAX = 6 };
struct need {
    int n;
    uint64_t set[NEED_MAX][4];
};
void need_of_rx(struct slice text, bool caseless, struct need *out);
void need_of_literal(struct slice text, bool caseless, struct need *out);
bool need_special(const struct need *n); /* one of the sets has no byte of ordinary text */
bool need_met(const struct need *n, const uint64_t seen[4]);
void need_rarest(const struct need *n, uint64_t set[4]); /* adds the rarest set, or all bytes */

int plan_make(struct load *l);
int first_make(struct load *l);
void first_free(struct first *f);
bool first_scratch(struct rules_tx *tx);
void first_scratch_free(struct rules_tx *tx);
bool first_run(struct rules_tx *tx); /* fills miss; true where some rule must be evaluated */
/* first_same tells whether a chain left all values of a variable alone; false where that is not known. */
bool first_same(const struct rules_tx *tx, uint8_t var, uint16_t chain);
void first_explain(const struct rules_set *set, const struct rule *rule, FILE *to);

#endif
