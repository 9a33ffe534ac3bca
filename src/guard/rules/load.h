/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_RULES_LOAD_H
#define WEIR_GUARD_RULES_LOAD_H
/* Reading rule files into a set. What returns an int gives 0, or a negative code after load_fail. */

#include "guard/rules/set.h"

/* load is the reading of a set, and where it stands. */
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

/* load_fail says what is wrong at `at` of the line being read, NULL: at its beginning; returns ERR_FORMAT. load_note
 * says something about the line that is no mistake. */
int load_fail(struct load *l, const char *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void load_note(struct load *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* load_path reads the rule files a path or pattern names; load_directive takes one directive, its words unquoted. */
int load_path(struct load *l, const char *path);
int load_directive(struct load *l, struct slice *word, size_t n);
/* The parts of a rule: its variables, operator and actions; a text with %{VARIABLE} in it. */
int load_vars(struct load *l, struct slice text, struct var_ref **out);
int load_op(struct load *l, struct slice text, struct op *op);
int load_acts(struct load *l, struct slice text, struct acts_of *a);
int load_macro(struct load *l, struct slice text, struct macro *out);
/* load_slot gives the place of a TX variable, by its name in lower case; -1 without memory. */
int load_slot(struct rules_set *set, struct slice name);
/* load_keep copies a text into the set; empty without memory. */
struct slice load_keep(struct load *l, struct slice s);
/* load_file_text reads a data file that stands beside the rule file; the caller releases it. */
int load_file_text(struct load *l, const char *name, struct slice *text, char *path, size_t n_path);

/* load_finish puts together what is known only when all rules are there: updates and removals, chains of
 * transformations, the places of rules; then plan_make decides what does not depend on a packet. first_make compiles
 * the first pass over what is left. */
int load_finish(struct load *l);
int plan_make(struct load *l);
int first_make(struct load *l);

#endif
