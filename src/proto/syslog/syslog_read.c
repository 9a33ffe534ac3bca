/* SPDX-License-Identifier: Apache-2.0 */
/* Syslog (RFC 5424 6; RFC 3164 4): the priority and the message as it is. */
#include "proto/protos.h"

#include "field/print.h"

enum { PRIORITY_MAX = 5, LEVEL_BITS = 3, LEVEL = 7 };

/* priority_size returns how many bytes "<26>" takes, and the number in it; 0: there is none. */
static size_t priority_size(struct slice in, unsigned *priority) {
    *priority = 0;
    if (!in.n || in.p[0] != '<') return 0;
    for (size_t i = 1; i < in.n && i < PRIORITY_MAX; i++) {
        if (in.p[i] == '>') return i > 1 ? i + 1 : 0;
        if (in.p[i] < '0' || in.p[i] > '9') return 0;
        *priority = *priority * 10 + (in.p[i] - '0');
    }
    return 0;
}

static void syslog_read(struct decode *d, struct slice in) {
    unsigned priority;
    size_t n = priority_size(in, &priority);
    uint32_t off = d_off(d, in.p);
    d_begin(d, &proto_syslog, off, (uint32_t)in.n);
    if (n) fv_u(d->out, FID_SYSLOG_FACILITY, off, (uint32_t)n, priority >> LEVEL_BITS);
    if (n) fv_u(d->out, FID_SYSLOG_LEVEL, off, (uint32_t)n, priority & LEVEL);
    struct slice text = slice_tail(in, n);
    fv_s(d->out, FID_SYSLOG_MSG, off + (uint32_t)n, (uint32_t)text.n, text);
    d_end(d);
}

/* short_name writes a value's name up to what explains it: "DAEMON - system daemons". */
static void short_name(struct writer *w, const struct field_values *values, uint64_t u) {
    const char *name = field_value_name(values, u);
    const char *end = name ? strstr(name, " - ") : NULL;
    if (!name) wr_s(w, "UNKNOWN");
    else wr_slice(w, slice_of(name, end ? (size_t)(end - name) : strlen(name)));
}

static void syslog_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *facility = fv_first(v, FID_SYSLOG_FACILITY, at, end),
                      *level = fv_first(v, FID_SYSLOG_LEVEL, at, end);
    const struct fval *text = fv_first(v, FID_SYSLOG_MSG, at, end);
    if (facility && level) {
        short_name(w, &vals_syslog_facility, facility->u);
        wr_c(w, '.');
        short_name(w, &vals_syslog_level, level->u);
        wr_s(w, ": ");
    }
    if (text) print_string(w, text->s);
}

static const uint16_t info_fields[] = {FID_SYSLOG_FACILITY, FID_SYSLOG_LEVEL, FID_SYSLOG_MSG, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 514}, {TABLE_COUNT, 0}};
const struct proto proto_syslog = {.name = "syslog",
                                   .column = "Syslog",
                                   .id = FID_SYSLOG,
                                   .end = FID_SYSLOG_END,
                                   .keys = keys,
                                   .read = syslog_read,
                                   .info = syslog_info,
                                   .info_fields = info_fields};
