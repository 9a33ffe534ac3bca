/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/web_rows.h"

static struct slice column(char text[WEB_COLUMN_MAX], void (*print)(struct writer *w, const struct decode *d),
                           const struct decode *d) {
    struct writer t = wr_fixed(text, WEB_COLUMN_MAX);
    print(&t, d);
    return wr_done(&t);
}

static uint8_t digits_of(uint64_t ticks) {
    uint8_t digits = 0;
    for (uint64_t t = ticks ? ticks : 1000000; t > 1 && digits < 9; t /= 10) digits++;
    return digits;
}

void web_row_of(struct web_row *row, const struct web_reading *r, const struct decode *d, char text[WEB_ROW_TEXT]) {
    const struct packet *p = d->pkt;
    const struct flow *flow = r->ds.driver.flow;
    *row = (struct web_row){.number = p->number,
                            .offset = p->offset,
                            .ts = p->ts,
                            .has_ts = p->has_ts,
                            .len = p->len,
                            .stream = flow ? flow->stream + 1 : 0,
                            .malformed = d->out->bad && !d->cut,
                            .cut = d->out->bad && d->cut,
                            .severity = d->out->anomalies ? d->out->worst : SEV_NONE,
                            .digits = digits_of(p->iface->ticks)};
    row->source = column(text, columns_source, d);
    row->destination = column(text + WEB_COLUMN_MAX, columns_destination, d);
    row->protocol = column(text + 2 * WEB_COLUMN_MAX, columns_protocol, d);
    row->info = column(text + 3 * WEB_COLUMN_MAX, columns_info, d);
}

/* time_write has the Time column's printer look at a packet that has a time and nothing else. */
static void time_write(struct writer *w, const struct web_row *row, const struct view *view) {
    char text[64];
    struct writer t = wr_fixed(text, sizeof text);
    struct capture_interface iface = {.ticks = 1};
    for (uint8_t i = 0; i < row->digits; i++) iface.ticks *= 10;
    struct packet p = {.number = row->number, .ts = row->ts, .has_ts = row->has_ts, .iface = &iface};
    columns_time(&t, &p, view);
    json_text(w, wr_done(&t));
}

static void member(struct writer *w, const char *name, struct slice text) {
    wr_s(w, name);
    json_text(w, text);
}

void web_row_write(struct writer *w, const struct web_row *row, const struct view *view) {
    wr_s(w, "{\"no\":");
    wr_u(w, row->number);
    wr_s(w, ",\"time\":");
    time_write(w, row, view);
    member(w, ",\"source\":", row->source);
    member(w, ",\"destination\":", row->destination);
    member(w, ",\"protocol\":", row->protocol);
    wr_s(w, ",\"length\":");
    wr_u(w, row->len);
    member(w, ",\"info\":", row->info);
    if (row->stream) wr_f(w, ",\"stream\":%u", row->stream - 1);
    if (row->cut) wr_s(w, ",\"cut\":true");
    if (row->malformed) wr_s(w, ",\"malformed\":true");
    if (row->severity) wr_f(w, ",\"severity\":\"%s\"", severity_name(row->severity));
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
