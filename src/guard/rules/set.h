/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_SET_H
#define WEIR_GUARD_RULES_SET_H
/* The compiled form of a rule set. */

#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/arena.h"
#include "guard/rules/rules.h"
#include "guard/rules/text.h"
#include "guard/rules/transform.h"

#include <pcre2.h>

/* Where the values of a variable come from: nowhere, the inputs that are arguments, body, head or fields, a value of
 * the packet, what rules did so far, or a collection that is kept. */
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

enum { TFNS_MAX = 16 }; /* transformations of one rule */

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
    uint8_t tfns[TFNS_MAX];
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
    bool never;                   /* a link of the chain can never match */
    uint16_t chain;               /* transformations */
    uint16_t steps[TFNS_MAX + 1]; /* multiMatch: every chain on the way */
    uint8_t n_steps;
    struct slice marker_name;
    const char *file;
    unsigned line;
    uint32_t place;  /* among its phase's rules */
    uint32_t number; /* among all heads: bit in the candidate sets */
    uint8_t life;
};

struct limits {
    uint32_t pcre; /* steps of one match */
    int64_t ttl;   /* seconds a collection is kept */
    uint32_t args; /* 0: no limit of its own */
    size_t body;   /* 0: no limit of its own */
    bool body_reject;
    uint32_t json_depth;
};

/* sensitive is a rule that looks at the packet, by the link of its chain that does. */
struct sensitive {
    struct rule *head, *link;
};

enum { PHASES = 6 }; /* counted from 1 */

/* rules_set is the compiled form; nothing of it changes once it is loaded. */
struct rules_set {
    struct arena arena;
    struct rule *rules, **rules_end;
    struct rule **phase[PHASES];
    uint32_t n_phase[PHASES];
    uint32_t n_rules, n_heads;
    struct rx *rxs;
    struct chain *chains;
    uint16_t n_chains, cap_chains;
    struct slice *slots; /* names of TX with a fixed place, lower case */
    uint32_t n_slots, cap_slots;
    struct acts_of defaults[PHASES];
    bool has_default[PHASES];
    enum engine engine;
    struct limits limits;
    int16_t *unicode_map; /* of %uXXXX, or NULL */
    struct want wanted;
    bool wants_fields, wants_body;
    struct rules_libinjection libinjection;
    int64_t (*clock)(bool exact);
    bool interpreted;            /* memory may not be made executable */
    uint32_t captures;           /* greatest number of groups */
    struct first *first;         /* the first pass, first.c */
    struct sensitive *sensitive; /* what plan.c found out */
    uint32_t n_sensitive;
    bool always_full;    /* every packet is evaluated in full */
    bool confirm_full;   /* a candidate of the first pass means a full evaluation */
    bool names_payload;  /* a rule names ARGS:payload */
    struct txval *fixed; /* TX after all rules that do not depend on the packet */
    struct rules_verdict *fixed_verdict;
};

/* op_find returns the kind of an operator's name, or -1; op_name the name of a kind. */
int op_find(struct slice name);
const char *op_name(uint8_t kind);

/* pm_make makes the phrases that pm_find looks for without regard to case; NULL: no memory. *word becomes the phrase
 * that was found. pm_words returns how many there are, and all of them. */
struct phrases *pm_make(struct arena *arena, const struct slice *words, size_t n);
bool pm_find(const struct phrases *p, struct slice in, struct slice *word);
size_t pm_words(const struct phrases *p, const struct slice **words);
/* ip_parse reads addresses and networks with commas or line ends between them; where *bad is not empty that one is
 * wrong, or there was no memory for it. ip_match tells whether a text is an address of the list. */
const struct prefix *ip_parse(struct arena *arena, struct slice list, struct slice *bad);
bool ip_match(const struct prefix *list, struct slice address);

/* rx_compile compiles rx->text with the options all expressions have; `code` and `at` say what is wrong with it. */
bool rx_compile(struct rx *rx, int *code, size_t *at);
/* rx_make compiles an expression of the set, which owns it; NULL after a sentence in `error`. */
const struct rx *rx_make(struct rules_set *set, struct slice text, bool caseless, char *error, size_t n_error);

/* first_free releases the first pass. first_explain says in words what it does for a rule. */
void first_free(struct first *f);
void first_explain(const struct rules_set *set, const struct rule *rule, struct writer *w);

#endif
