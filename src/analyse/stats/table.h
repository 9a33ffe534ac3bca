/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_TABLE_H
#define WEIR_ANALYSE_STATS_TABLE_H

#include "base/arena.h"
#include "base/writer.h"

/* table is a result for people and programs: typed columns, rows of cells. view/ prints it aligned, as CSV, as JSON. */

enum { TABLE_TEXT_MAX = 512 << 20, COLUMNS_MAX = 32 };

enum cell_kind {
    CELL_NONE, /* nothing to say: null */
    CELL_TEXT,
    CELL_LIST, /* several texts, a NUL between: it is in no name of MQTT, and a line's end may be */
    CELL_COUNT,
    CELL_BYTES,
    CELL_CHANGE, /* of a count, with its sign */
    CELL_REAL,
    CELL_SECONDS /* nanoseconds */
};

struct table_column {
    const char *name;  /* of programs: JSON key, CSV heading, --sort */
    const char *title; /* of people; NULL: not shown to them */
    bool bar;          /* the column a bar goes with */
    bool people_only;
};

struct cell {
    uint8_t kind; /* enum cell_kind */
    uint8_t indent;
    uint32_t n; /* bytes of text */
    union {
        uint64_t u;
        int64_t i;
        double d;
        const uint8_t *text;
    };
};

struct table {
    const char *name, *title;
    const struct table_column *columns;
    size_t n_columns;
    struct cell *cells;
    size_t rows, room;
    struct arena text;
    bool short_of_memory;
    struct table *next; /* a further table of the same statistics */
    char note[200];     /* a sentence about what is missing; empty: nothing is */
};

/* table_make returns an empty table, or NULL; table_free releases it and those behind it. */
struct table *table_make(const char *name, const char *title, const struct table_column *columns, size_t n_columns);
void table_free(struct table *t);
/* table_row adds a row of empty cells; where there is no memory for it, a row that is not shown. */
struct cell *table_row(struct table *t);
/* table_text copies text into the table. */
struct slice table_text(struct table *t, struct slice s);
/* table_column returns the place of a column by name, or -1. */
int table_column(const struct table *t, const char *name);
/* table_sort orders the rows by a column, greatest number first or text from A; rows that are equal keep their order.
 */
void table_sort(struct table *t, size_t column, bool backwards);
/* table_head leaves the first n rows. */
void table_head(struct table *t, size_t n);

static inline struct cell cell_count(uint64_t u) { return (struct cell){.kind = CELL_COUNT, .u = u}; }
static inline struct cell cell_bytes(uint64_t u) { return (struct cell){.kind = CELL_BYTES, .u = u}; }
static inline struct cell cell_change(int64_t i) { return (struct cell){.kind = CELL_CHANGE, .i = i}; }
static inline struct cell cell_seconds(int64_t ns) { return (struct cell){.kind = CELL_SECONDS, .i = ns}; }
static inline struct cell cell_real(double d) { return (struct cell){.kind = CELL_REAL, .d = d}; }
static inline struct cell cell_text(struct table *t, struct slice s) {
    struct slice copy = table_text(t, s);
    return (struct cell){.kind = CELL_TEXT, .n = (uint32_t)copy.n, .text = copy.p};
}
static inline struct cell cell_str(const char *s) {
    return (struct cell){.kind = CELL_TEXT, .n = (uint32_t)strlen(s), .text = (const uint8_t *)s};
}
static inline struct slice cell_slice(const struct cell *c) { return slice_of(c->text, c->n); }
/* cell_list_next takes the first text off a list. */
struct slice cell_list_next(struct slice *list);

#endif
