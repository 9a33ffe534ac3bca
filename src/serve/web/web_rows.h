/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_ROWS_H
#define WEIR_SERVE_WEB_ROWS_H

#include "serve/web/web_read.h"
#include "view/view.h"

/* web_row is a row of the packet list, and what is needed to show it again later. */
struct web_row {
    uint64_t number, offset;
    __int128 at;                 /* when, in nanoseconds since 1970 */
    uint32_t len, stream, group; /* stream: number of its conversation; group: see web_index.h */
    bool has_ts, malformed, cut;
    uint8_t transport; /* 6 TCP, 17 UDP, 0 neither */
    uint8_t colour;    /* number of its colouring rule */
    uint8_t severity;  /* the worst of its anomalies */
    uint8_t digits;    /* of its clock's second */
    struct slice source, destination, protocol, info;
};

enum { WEB_ROW_TEXT = 4 * WEB_COLUMN_MAX };
/* web_row_of fills row from the packet r decoded last; its texts lie in text. web_row_want adds what it reads. */
void web_row_of(struct web_row *row, const struct web_reading *r, const struct decode *d, char text[WEB_ROW_TEXT]);
void web_row_want(const struct web *s, struct want *want);

/* web_cells is further columns that were asked for: fields. */
enum { WEB_CELLS_MAX = 16 };
struct web_cells {
    uint16_t id[WEB_CELLS_MAX];
    size_t n;
};
/* web_cells_read takes the query's columns, names with commas between them; false after a problem. */
bool web_cells_read(struct web_request *q, struct web_cells *cells, struct want *want);
/* web_row_write writes a row as a JSON object; its time counts as view says. d has the fields of cells; NULL: there are
 * none. web_row_json does both for the packet decoded last. */
void web_row_write(struct writer *w, const struct web_row *row, const struct view *view, const struct web_cells *cells,
                   const struct decode *d);
static inline void web_row_json(struct writer *w, const struct web_reading *r, const struct decode *d,
                                const struct view *view, const struct web_cells *cells) {
    char text[WEB_ROW_TEXT];
    struct web_row row;
    web_row_of(&row, r, d, text);
    web_row_write(w, &row, view, cells, d);
}
/* web_time reads how times are written from the query; false after a problem. */
bool web_time(struct web_request *q, enum time_format *out);

#endif
