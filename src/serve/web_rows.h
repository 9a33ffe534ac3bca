/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_ROWS_H
#define WEIR_SERVE_WEB_ROWS_H

#include "serve/web_read.h"
#include "view/view.h"

/* web_row is a row of the packet list, and what is needed to show it again later. */
struct web_row {
    uint64_t number, offset;
    int64_t ts;
    uint32_t len, stream, group; /* stream: number of its conversation and 1, 0: none; group: see web_index.h */
    bool has_ts, malformed, cut;
    uint8_t severity; /* the worst of its anomalies */
    uint8_t digits;   /* of its clock's second */
    struct slice source, destination, protocol, info;
};

enum { WEB_ROW_TEXT = 4 * WEB_COLUMN_MAX };
/* web_row_of fills row from the packet that was decoded last; its texts lie in text. */
void web_row_of(struct web_row *row, const struct web_reading *r, const struct decode *d, char text[WEB_ROW_TEXT]);
/* web_row_write writes a row as a JSON object; times counts its time from. */
void web_row_write(struct writer *w, const struct web_row *row, const struct view *view);
static inline void web_row_json(struct writer *w, const struct web_reading *r, const struct decode *d,
                                const struct view *view) {
    char text[WEB_ROW_TEXT];
    struct web_row row;
    web_row_of(&row, r, d, text);
    web_row_write(w, &row, view);
}
/* web_time reads how times are written from the query; false after a problem. */
bool web_time(struct web_request *q, enum time_format *out);

#endif
