/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/web/web_rows.h"

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

/* transport_of tells what the packet's conversation is of; the innermost one counts. */
static uint8_t transport_of(const struct decode *d) {
    enum { TCP = 6, UDP = 17 };
    for (uint8_t i = d->layers; i-- > 0;) {
        const struct layer_mark *m = &d->layer[i];
        if (m->quoted) continue;
        if (m->proto->id == FID_TCP) return TCP;
        if (m->proto->id == FID_UDP) return UDP;
    }
    return 0;
}

void web_row_want(const struct web *s, struct want *want) {
    columns_want(want);
    want_union(want, &s->colours.want);
    want_add(want, FID_TCP_STREAM);
}

void web_row_of(struct web_row *row, const struct web_reading *r, const struct decode *d, char text[WEB_ROW_TEXT]) {
    const struct flow *flow = r->ds.driver.flow;
    const struct packet *p = d->pkt;
    *row = (struct web_row){.number = p->number,
                            .offset = p->offset,
                            .at = packet_moment(p),
                            .has_ts = p->has_ts,
                            .len = p->len,
                            .malformed = d->out->bad && d->out->bad != FID_WS_SHORT,
                            .cut = d->out->bad == FID_WS_SHORT,
                            .severity = d->out->anomalies ? d->out->worst : SEV_NONE,
                            .transport = flow ? transport_of(d) : 0,
                            .stream = flow ? flow->stream : 0,
                            .colour = web_colour_of(&r->web->colours, d->out),
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
    struct packet p = {.number = row->number,
                       .ts = moment_ns(row->at),
                       .era = moment_era(row->at),
                       .has_ts = row->has_ts,
                       .iface = &iface};
    columns_time(&t, &p, view);
    json_text(w, wr_done(&t));
}

static void member(struct writer *w, const char *name, struct slice text) {
    wr_s(w, name);
    json_text(w, text);
}

/* ---- further columns ---- */

bool web_cells_read(struct web_request *q, struct web_cells *cells, struct want *want) {
    const char *names = web_query(q, "columns");
    while (names && *names) {
        size_t n = strcspn(names, ",");
        uint16_t id = field_find(&q->web->names, slice_of(names, n));
        if (!id || cells->n == WEB_CELLS_MAX) {
            web_problem(q, 400, id ? "columns: more than %d fields" : "columns: there is no field '%.*s'",
                        id ? WEB_CELLS_MAX : (int)(n < 100 ? n : 100), names);
            return false;
        }
        cells->id[cells->n++] = id;
        fields_want(want, id);
        names += n + (names[n] == ',');
    }
    return true;
}

static void cells_write(struct writer *w, const struct web_cells *cells, const struct decode *d,
                        const struct view *view) {
    static const struct fields_options options = {.separator = '\t', .aggregator = ',', .occurrence = 'a'};
    char text[WEB_COLUMN_MAX];
    if (!cells || !cells->n || !d) return;
    wr_s(w, ",\"columns\":[");
    for (size_t i = 0; i < cells->n; i++) {
        struct writer t = wr_fixed(text, sizeof text);
        fields_print(&t, d, &cells->id[i], 1, &options, view);
        struct slice value = wr_done(&t);
        if (value.n && value.p[value.n - 1] == '\n') value.n--;
        if (i) wr_c(w, ',');
        json_text(w, value);
    }
    wr_c(w, ']');
}

void web_row_write(struct writer *w, const struct web_row *row, const struct view *view, const struct web_cells *cells,
                   const struct decode *d) {
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
    if (row->cut) wr_s(w, ",\"cut\":true");
    if (row->malformed) wr_s(w, ",\"malformed\":true");
    if (row->severity) wr_f(w, ",\"severity\":\"%s\"", severity_name(row->severity));
    wr_f(w, ",\"colour\":\"%s\"", web_colour_name(row->colour));
    if (row->transport)
        wr_f(w, ",\"transport\":\"%s\",\"stream\":%u", row->transport == 6 ? "tcp" : "udp", row->stream);
    cells_write(w, cells, d, view);
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
