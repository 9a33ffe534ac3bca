/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/web_rows.h"

static void member(struct writer *w, const char *name, void (*print)(struct writer *w, const struct decode *d),
                   const struct decode *d) {
    char text[WEB_COLUMN_MAX];
    struct writer t = wr_fixed(text, sizeof text);
    print(&t, d);
    wr_f(w, ",\"%s\":", name);
    json_text(w, wr_done(&t));
}

void web_row_json(struct writer *w, const struct decode *d, const struct view *view) {
    char text[64];
    struct writer t = wr_fixed(text, sizeof text);
    columns_time(&t, d, view);
    wr_f(w, "{\"no\":%llu,\"time\":", (unsigned long long)d->pkt->number);
    json_text(w, wr_done(&t));
    member(w, "source", columns_source, d);
    member(w, "destination", columns_destination, d);
    member(w, "protocol", columns_protocol, d);
    wr_f(w, ",\"length\":%u", d->pkt->len);
    member(w, "info", columns_info, d);
    if (d->out->bad) wr_s(w, d->cut ? ",\"cut\":true" : ",\"malformed\":true");
    if (d->out->anomalies) wr_f(w, ",\"severity\":\"%s\"", severity_name(d->out->worst));
    wr_c(w, '}');
}

static const char *const time_words[] = {
    [TIME_RELATIVE] = "r",  [TIME_ABSOLUTE] = "a",     [TIME_ABSOLUTE_DATE] = "ad", [TIME_ABSOLUTE_DOY] = "adoy",
    [TIME_DELTA] = "d",     [TIME_DELTA_SHOWN] = "dd", [TIME_EPOCH] = "e",          [TIME_OF_DAY_UTC] = "u",
    [TIME_UTC_DATE] = "ud", [TIME_UTC_DOY] = "udoy"};

bool web_time(struct web_request *q, enum time_format *out) {
    const char *text = web_query(q, "time");
    *out = TIME_RELATIVE;
    if (!text) return true;
    for (size_t i = 0; i < sizeof time_words / sizeof *time_words; i++) {
        if (strcmp(text, time_words[i]) != 0) continue;
        *out = (enum time_format)i;
        return true;
    }
    web_problem(q, 400, "time: it is one of r, a, ad, adoy, d, dd, e, u, ud, udoy");
    return false;
}
