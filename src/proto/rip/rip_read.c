/* SPDX-License-Identifier: Apache-2.0 */
/* Routing Information Protocol, versions 1 (RFC 1058 3.1) and 2 (RFC 2453 4), and that of IPv6 (RFC 2080 2.1). */
#include "proto/protos.h"

#include "field/print.h"

enum { ENTRY = 20, AUTHENTICATION = 0xffff, PASSWORD = 2, DIGEST = 3, PASSWORD_SIZE = 16 };

/* authentication_read: RFC 2453 4.1, RFC 4822 2. */
static void authentication_read(struct decode *d, struct reader *r) {
    static const struct d_row digest[] = {
        {FID_RIP_DIGEST_OFFSET, 2}, {FID_RIP_KEY_ID, 1}, {FID_RIP_AUTH_DATA_LEN, 1}, {FID_RIP_SEQ_NUM, 4}};
    uint16_t type = get_be16(d, r, FID_RIP_AUTH_TYPE);
    if (type == DIGEST) d_rows(d, r, D_ROWS(digest));
    if (type != PASSWORD) return;
    uint32_t off = rd_off(r);
    struct slice password = rd_take(r, PASSWORD_SIZE);
    const uint8_t *end = password.n ? memchr(password.p, 0, password.n) : NULL;
    if (end) password.n = (size_t)(end - password.p);
    if (rd_ok(r)) fv_s(d->out, FID_RIP_AUTH_PASSWD, off, PASSWORD_SIZE, password);
}

static void entry_read(struct decode *d, struct reader *r, uint8_t version) {
    static const struct d_row route[] = {{FID_RIP_IP, 4}, {FID_RIP_NETMASK, 4}, {FID_RIP_NEXT_HOP, 4}};
    uint16_t family = rd_left(r) >= 2 ? load_be16(r->p) : 0;
    fv_open(d->out, FID_RIP_ENTRY, rd_off(r), ENTRY);
    get_be16(d, r, FID_RIP_FAMILY);
    if (version > 1 && family == AUTHENTICATION) {
        authentication_read(d, r);
        fv_close(d->out);
        return;
    }
    if (version > 1) {
        get_be16(d, r, FID_RIP_ROUTE_TAG);
        d_rows(d, r, D_ROWS(route));
    } else {
        rd_skip(r, 2);
        get_be32(d, r, FID_RIP_IP);
        rd_skip(r, 8);
    }
    get_be32(d, r, FID_RIP_METRIC);
    fv_close(d->out);
}

static void rip_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_rip, rd_off(&r), (uint32_t)in.n);
    get_u8(d, &r, FID_RIP_COMMAND);
    uint8_t version = get_u8(d, &r, FID_RIP_VERSION);
    if (version == 2) get_be16(d, &r, FID_RIP_ROUTING_DOMAIN);
    else rd_skip(&r, 2);
    while (rd_left(&r) >= ENTRY) {
        struct reader entry = rd_sub(&r, ENTRY);
        entry_read(d, &entry, version);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void ripng_read(struct decode *d, struct slice in) {
    enum { RESERVED = 2, ADDRESS = 16 };
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_ripng, rd_off(&r), (uint32_t)in.n);
    get_u8(d, &r, FID_RIPNG_CMD);
    get_u8(d, &r, FID_RIPNG_VERSION);
    get_bytes(d, &r, FID_RIPNG_RESERVED, RESERVED);
    while (rd_ok(&r) && rd_left(&r)) {
        fv_open(d->out, FID_RIPNG_RTE, rd_off(&r), rd_left(&r) < ENTRY ? (uint32_t)rd_left(&r) : ENTRY);
        get_bytes(d, &r, FID_RIPNG_PREFIX, ADDRESS);
        get_be16(d, &r, FID_RIPNG_ROUTE_TAG);
        get_u8(d, &r, FID_RIPNG_PREFIX_LENGTH);
        get_u8(d, &r, FID_RIPNG_METRIC);
        fv_close(d->out);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void ripng_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *command = fv_first(v, FID_RIPNG_CMD, at, end),
                      *version = fv_first(v, FID_RIPNG_VERSION, at, end);
    if (!command || !version) return;
    const char *name = field_value_name(&vals_ripng_command, command->u);
    if (name) wr_f(w, " Command %s", name);
    else wr_f(w, " Command Unknown (%u)", (unsigned)command->u);
    wr_f(w, ", Version %u", (unsigned)version->u);
}

static bool ripng_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_RIPNG_RTE) return false;
    uint32_t end = fv_end(v, at);
    const struct fval *prefix = fv_first(v, FID_RIPNG_PREFIX, at, end),
                      *metric = fv_first(v, FID_RIPNG_METRIC, at, end),
                      *length = fv_first(v, FID_RIPNG_PREFIX_LENGTH, at, end);
    if (!prefix) return false;
    wr_s(w, "Route Table Entry: IPv6 Prefix: ");
    print_ipv6(w, prefix->s.p);
    if (length) wr_f(w, "/%u", (unsigned)length->u);
    if (metric) wr_f(w, " Metric: %u", (unsigned)metric->u);
    return true;
}

static const char *rip_column(const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *version = fv_first(v, FID_RIP_VERSION, at, end);
    return version ? field_value_name(&vals_rip_version, version->u) : NULL;
}

static void rip_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *command = fv_first(v, FID_RIP_COMMAND, at, end);
    if (!command) return;
    const char *name = field_value_name(&vals_rip_command, command->u);
    if (name) wr_s(w, name);
    else wr_f(w, "Unknown command (%u)", (unsigned)command->u);
}

static bool rip_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_RIP_ENTRY) return false;
    const struct fval *ip = fv_first(v, FID_RIP_IP, at, fv_end(v, at)),
                      *metric = fv_first(v, FID_RIP_METRIC, at, fv_end(v, at));
    if (!ip || !metric) return false;
    wr_s(w, "IP Address: ");
    print_ipv4(w, (uint32_t)ip->u);
    wr_f(w, ", Metric: %u", (unsigned)metric->u);
    return true;
}

static const uint16_t info_fields[] = {FID_RIP_COMMAND, FID_RIP_VERSION, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 520}, {TABLE_COUNT, 0}};
const struct proto proto_rip = {.name = "rip",
                                .column = "RIP",
                                .column_of = rip_column,
                                .id = FID_RIP,
                                .end = FID_RIP_END,
                                .keys = keys,
                                .read = rip_read,
                                .info = rip_info,
                                .info_fields = info_fields,
                                .label = rip_label};

static const uint16_t ripng_fields[] = {FID_RIPNG_CMD, FID_RIPNG_VERSION, 0};
static const struct proto_key ripng_keys[] = {{TABLE_UDP, 521}, {TABLE_COUNT, 0}};
const struct proto proto_ripng = {.name = "ripng",
                                  .column = "RIPng",
                                  .id = FID_RIPNG,
                                  .end = FID_RIPNG_END,
                                  .keys = ripng_keys,
                                  .read = ripng_read,
                                  .info = ripng_info,
                                  .info_fields = ripng_fields,
                                  .label = ripng_label};
