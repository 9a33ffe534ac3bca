/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_STATS_STATS_IO_H
#define WEIR_ANALYSE_STATS_STATS_IO_H

#include "analyse/stats/stats.h"
#include "expr/expr.h"

/* Packets, bytes and values of fields per interval of time. */

enum { IO_COLUMNS_MAX = 20, IO_INTERVALS_MAX = 1 << 20 };

enum io_calc { IO_BOTH, IO_FRAMES, IO_BYTES, IO_SUM, IO_COUNT, IO_MIN, IO_MAX, IO_AVG, IO_CALCS };

struct io_cell {
    uint64_t frames, bytes, values;
    double sum, least, most;
};

struct io_column {
    const char *text; /* as asked: "SUM(frame.len)tcp"; "" : every packet */
    enum io_calc calc;
    uint16_t id; /* field of the calculation */
    struct expr *filter;
    struct io_cell *cell;
};

struct io_stats {
    int64_t interval; /* ns; 0: all of the capture */
    struct io_column column[IO_COLUMNS_MAX];
    size_t n_columns;
    uint32_t n, room; /* intervals */
    uint64_t refused;
    int64_t last; /* ns since the first packet */
    int16_t era;  /* of that packet */
    bool begun;
    char *text; /* the columns' texts */
    int digits; /* of the interval's fraction, as written */
};

/* io_calc_name returns "AVG" and its kin. */
const char *io_calc_name(enum io_calc c);
/* io_value returns what a calculation gave in an interval; times in seconds. */
double io_value(const struct io_column *c, uint32_t interval);
/* io_is_real tells whether values of the column have a fraction. */
bool io_is_real(const struct io_column *c);

#endif
