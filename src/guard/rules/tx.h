/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_TX_H
#define WEIR_GUARD_RULES_TX_H
/* A transaction: the values of one packet, what rules have changed so far, and the verdict in the making. */

#include "guard/rules/set.h"

/* target is one value a rule looks at. */
struct target {
    struct slice name, value;
    uint8_t var;
    int32_t input; /* place among the inputs, or -1 */
};

/* input is one value of the packet. */
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

/* txval is a TX variable with a fixed place, dynval one whose name a macro made. */
struct txval {
    struct slice v;
    bool set;
};
struct dynval {
    struct slice name, v;
};

enum { DYN_MAX = 256, REMOVED_MAX = 512, MATCHED_MAX = 1024, KEY_MAX = 256 };

/* removal is what a ctl action took away for the rest of this packet: rules, or a target of rules. */
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
/* known_find gives the place of a text (a and b end to end) in a table of KNOWNS, filled or not; NULL where it is too
 * long. */
struct known *known_find(struct known *table, uint8_t kind, struct slice a, struct slice b, bool *found);

/* rules_tx is a packet on its way through the rules; used again for the next one. */
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

/* tx_room returns memory that lives as long as the packet; NULL, and the transaction is limited, where there is none.
 * tx_keep copies a text there. */
void *tx_room(struct rules_tx *tx, size_t n);
struct slice tx_keep(struct rules_tx *tx, struct slice s);
/* tx_clear puts back what rules have changed; the inputs stay. */
void tx_clear(struct rules_tx *tx);
/* tx_time begins the packet's processor time; tx_late tells whether it is used up: nothing more is looked at then. */
void tx_time(struct rules_tx *tx);
bool tx_late(struct rules_tx *tx);
/* tx_macro returns a text with its variables filled in. */
struct slice tx_macro(struct rules_tx *tx, const struct macro *m);
/* tx_chain gives what a chain of transformations makes of a value. */
struct slice tx_chain(struct rules_tx *tx, const struct target *t, uint16_t chain);
/* tx_targets fills tx->targets with the values a rule looks at. */
void tx_targets(struct rules_tx *tx, const struct rule *rule);
/* tx_get reads the first value of a variable; false: it has none. tx_set sets a TX variable by its place or, where that
 * is -1, by its name; a value {NULL, 0} removes it. */
bool tx_get(struct rules_tx *tx, const struct var_ref *var, struct slice *value);
void tx_set(struct rules_tx *tx, int slot, struct slice name, struct slice value);
/* tx_collection returns which collection (enum rules_collection) a variable is, or -1. */
int tx_collection(uint8_t var);
/* var_ref_same tells whether a reference means the variable `var` of that name. */
bool var_ref_same(const struct rules_tx *tx, const struct var_ref *ref, uint8_t var, struct slice name);
/* json_read makes every value of a JSON text an input; false where it is no JSON. */
bool json_read(struct rules_tx *tx, struct slice text);

/* op_run tells whether an operator matches a value; op_verify has those that check numbers people have (credit cards
 * and the like). `rule` NULL: nothing is captured. */
bool op_run(struct rules_tx *tx, const struct rule *rule, const struct op *op, struct slice in);
bool op_verify(struct rules_tx *tx, const struct rule *rule, const struct op *op, struct slice in);
/* rx_run finds the first match from `from` on: more than 0 for a match, PCRE2_ERROR_NOMATCH, or what stopped it (the
 * transaction is `limited` then). */
int rx_run(struct rules_tx *tx, const struct rx *rx, struct slice in, size_t from, uint32_t options);

/* act_setvars does the setvar actions of a rule, which each match does; act_after all others, once its chain matched.
 */
void act_setvars(struct rules_tx *tx, const struct rule *rule);
void act_after(struct rules_tx *tx, const struct rule *rule);

/* eval_targets runs the operator of one link of a chain over its targets: true where it matched. */
bool eval_targets(struct rules_tx *tx, const struct rule *rule);
/* eval_head tells whether the operator matches any target, of the inputs none before `from` and, with `inputs`, none
 * that is known to be clean; without effects. */
bool eval_head(struct rules_tx *tx, const struct rule *rule, int32_t from, bool inputs);
/* eval_removed tells whether a ctl action took the rule away. */
bool eval_removed(const struct rules_tx *tx, const struct rule *rule);
/* eval_logged notes a rule in the verdict unless it says nolog. */
void eval_logged(struct rules_tx *tx, const struct rule *rule);
/* eval_sum completes the verdict: scores, and the rules in the order of their numbers. */
void eval_sum(struct rules_tx *tx, struct rules_verdict *v);

/* The first pass. first_scratch gives a transaction what it works in: false where there is no memory. */
bool first_scratch(struct rules_tx *tx);
void first_scratch_free(struct rules_tx *tx);
/* first_run fills tx->miss; true where some rule must be evaluated. */
bool first_run(struct rules_tx *tx);
/* first_same tells whether a chain left all values of a variable alone; false where that is not known. */
bool first_same(const struct rules_tx *tx, uint8_t var, uint16_t chain);

#endif
