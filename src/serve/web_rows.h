/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_SERVE_WEB_ROWS_H
#define WEIR_SERVE_WEB_ROWS_H

#include "serve/web_read.h"
#include "view/view.h"

/* web_row_json writes a packet's row of the packet list as a JSON object. */
void web_row_json(struct writer *w, const struct decode *d, const struct view *view);
/* web_time reads how times are written from the query; false after a problem. */
bool web_time(struct web_request *q, enum time_format *out);

#endif
