/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_GUARD_CONFIG_CONFIG_YAML_H
#define WEIR_GUARD_CONFIG_CONFIG_YAML_H

#include "guard/config/config_in.h"

#include <yaml.h>

/* Binding of YAML to structs by tables. A reader gets a node and the place its value goes to; what is wrong becomes a
 * mistake with the node's line and column, and reading goes on, so that all mistakes are found at once. */

enum { BIND_NODES_MAX = 1000000, BIND_DEPTH_MAX = 32, BIND_TEXT_MAX = 64 * 1024, BIND_GROUPS_MAX = 1000 };

struct bind {
    yaml_document_t doc;
    struct guard_config *c;
    struct guard_policy *p;
    struct guard_mistakes *m;
    struct field_index names;
    bool no_memory;
    unsigned nodes; /* met so far; aliases could make a small file large */
    unsigned depth;
    /* Names of groups that were used, to be looked for when all groups are known. */
    struct {
        const yaml_node_t *node;
        struct slice name;
    } group[BIND_GROUPS_MAX];
    size_t groups;
};

typedef void bind_reader(struct bind *b, const yaml_node_t *n, void *at, const void *arg);

struct key {
    const char *name;
    bind_reader *read;
    size_t at;       /* offset in the struct */
    const void *arg; /* the reader's own */
};

/* yaml_fault says why a text is no document; line and column count from 1, the texts are constants. */
struct yaml_fault {
    size_t line, column;
    const char *problem, *context;
};
/* yaml_load makes a document of a text, the caller's to delete; 0, ERR_FORMAT or ERR_NOMEM. */
int yaml_load(yaml_document_t *doc, struct slice text, struct yaml_fault *why);

/* bind_map reads a mapping by a table; what: what it is called in complaints. */
void bind_map(struct bind *b, const yaml_node_t *n, const struct key *keys, size_t count, void *base, const char *what);
/* bind_each calls `reader` for every element of a sequence (a single value counts as one), and returns the array of
 * elements of `size` bytes, zeroed, in the policy's arena. */
void *bind_each(struct bind *b, const yaml_node_t *n, size_t size, size_t max, bind_reader *reader, const void *arg,
                size_t *count);
/* bind_pairs calls `pair` for every member of a mapping whose names are free. */
void bind_pairs(struct bind *b, const yaml_node_t *n,
                void (*pair)(struct bind *b, const yaml_node_t *key, const yaml_node_t *value, void *to), void *to,
                const char *what);
/* bind_wrong notes a mistake at a node's place. */
void bind_wrong(struct bind *b, const yaml_node_t *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* bind_text returns a scalar's text, which lives as long as the document; false after a complaint. */
bool bind_text(struct bind *b, const yaml_node_t *n, struct slice *text);
bool bind_is_map(const yaml_node_t *n);
/* bind_get returns zeroed memory of the policy, bind_keep copies a text there; NULL and empty where there is none,
 * which is noted. */
void *bind_get(struct bind *b, size_t n);
struct slice bind_keep(struct bind *b, struct slice text);

/* read_choice: arg is a struct choice; the place an uint8_t. */
struct choice {
    const char *const *names;
    uint8_t count;
};
/* read_number: arg is a struct range or NULL; the place an uint64_t. */
struct range {
    uint64_t min, max;
};
bind_reader read_text, read_slice, read_bool, read_number, read_unsigned, read_size, read_time, read_choice, read_texts;
/* bind_time reads "10s". */
bool bind_time(struct slice text, int64_t *ns);

/* groups_check complains about groups that are used and not described. */
void groups_check(struct bind *b);

/* The parts of the policy, each with its own table: config_rules.c, config_schema.c. */
bind_reader read_limits, read_bans, read_groups, read_topics, read_conditions, read_rule_files, read_shapes,
    read_maxima, read_anomalies, read_schema, read_versions;

#define KEYS(k) k, sizeof(k) / sizeof *(k)

#endif
