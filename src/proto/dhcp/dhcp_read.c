/* SPDX-License-Identifier: Apache-2.0 */
/* BOOTP (RFC 951) and DHCP (RFC 2131): the fixed header and the list of options. */
#include "proto/dhcp/dhcp.h"

#include "proto/protos.h"

enum { CHADDR = 16, SNAME = 64, FILE_NAME = 128, MAGIC = 0x63825363, VENDOR_AREA = 64, OVER_FILE = 1, OVER_SNAME = 2 };
enum { HW_ETHERNET = 1, HW_IEEE802 = 6 };

struct dhcp_msg {
    struct decode *d;
    struct slice sname, file; /* where option 52 may put further options */
    uint8_t overload;
};

struct fval *dhcp_text_get(struct decode *d, struct reader *r, uint16_t id, size_t n) {
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, n);
    if (!rd_ok(r)) return NULL;
    const uint8_t *nul = s.n ? memchr(s.p, 0, s.n) : NULL;
    return fv_s(d->out, id, off, (uint32_t)n, nul ? slice_head(s, (size_t)(nul - s.p)) : s);
}

/* option_seek returns the first byte of the first option with that code, or -1. */
static int option_seek(struct slice options, uint8_t code) {
    struct reader r = rd_init(options, options.p);
    while (rd_left(&r)) {
        uint8_t c = rd_u8(&r);
        if (c == 0) continue;
        if (c == DHCP_END) return -1;
        struct slice data = rd_take(&r, rd_u8(&r));
        if (!rd_ok(&r)) return -1;
        if (c == code && data.n) return data.p[0];
    }
    return -1;
}

static void options_read(struct dhcp_msg *m, struct reader *r, bool nested);

/* overload_read reads the options that option 52 says are in the names' places (RFC 2132, 9.3). */
static void overload_read(struct dhcp_msg *m) {
    struct fvec *out = m->d->out;
    struct {
        uint8_t bit;
        uint16_t id;
        struct slice in;
    } place[] = {{OVER_SNAME, FID_DHCP_SERVER_OPTIONS, m->sname}, {OVER_FILE, FID_DHCP_FILE_OPTIONS, m->file}};
    for (int i = 0; i < 2; i++) {
        if (!(m->overload & place[i].bit)) continue;
        struct reader r = d_reader(m->d, place[i].in);
        fv_open(out, place[i].id, rd_off(&r), (uint32_t)place[i].in.n);
        options_read(m, &r, true);
        fv_close(out);
    }
}

static void padding_read(struct decode *d, struct reader *r, uint32_t off) {
    struct slice zeros = rd_rest(r);
    size_t n = 0;
    while (n < zeros.n && !zeros.p[n]) n++;
    rd_skip(r, n);
    fv_open(d->out, FID_DHCP_OPTION_TYPE, off, 1);
    fv_s(d->out, FID_DHCP_OPTION_PADDING, off, (uint32_t)n + 1, slice_of(d_base(d) + off, n + 1));
    fv_close(d->out);
}

static void end_read(struct decode *d, uint32_t off) {
    uint32_t at = fv_open(d->out, FID_DHCP_OPTION_TYPE, off, 1);
    if (at != FV_UNWANTED) fv_at(d->out, at)->extra = DHCP_END;
    fv_u(d->out, FID_DHCP_OPTION_END, off, 1, DHCP_END);
    fv_close(d->out);
}

/* option_read reads one option; false at the end of the list. */
static bool option_read(struct dhcp_msg *m, struct reader *r, bool nested) {
    struct decode *d = m->d;
    uint32_t off = rd_off(r);
    uint8_t code = rd_u8(r);
    if (code == 0) {
        padding_read(d, r, off);
        return true;
    }
    if (code == DHCP_END) {
        end_read(d, off);
        return false;
    }
    uint8_t n = rd_u8(r);
    if (!rd_ok(r)) return false;
    uint32_t at = fv_open(d->out, FID_DHCP_OPTION_TYPE, off, n + 2u);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = code;
    fv_u(d->out, FID_DHCP_OPTION_LENGTH, off + 1, 1, n);
    struct reader data = rd_sub(r, n);
    if (rd_ok(r)) dhcp_option_read(d, &data, code);
    if (code == DHCP_OVERLOAD && !nested && m->overload) overload_read(m);
    fv_close(d->out);
    if (!rd_ok(&data)) rd_fail(r);
    return true;
}

static void options_read(struct dhcp_msg *m, struct reader *r, bool nested) {
    bool more = true;
    while (more && rd_ok(r) && rd_left(r)) more = option_read(m, r, nested);
    if (more && !nested && m->d->cut) rd_fail(r); /* the capture left the end of the list out */
    if (rd_ok(r) && rd_left(r) && !nested) get_bytes(m->d, r, FID_DHCP_OPTION_PADDING, rd_left(r));
}

static void flags_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint16_t flags = rd_be16(r);
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_DHCP_FLAGS, off, 2);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = flags;
    fv_u(d->out, FID_DHCP_FLAGS_BC, off, 2, flags >> 15);
    fv_u(d->out, FID_DHCP_FLAGS_RESERVED, off, 2, flags & 0x7fff);
    fv_close(d->out);
}

static void chaddr_read(struct decode *d, struct reader *r, uint8_t type, uint8_t len) {
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, CHADDR);
    if (!rd_ok(r)) return;
    if (!len || len > CHADDR) {
        fv_open(d->out, FID_DHCP_NO_ADDRESS, off, CHADDR);
        d_anomaly(d, FID_DHCP_CLIENT_ADDRESS_NOT_GIVEN, off, CHADDR);
        fv_close(d->out);
        return;
    }
    if (len == 6 && (type == HW_ETHERNET || type == HW_IEEE802)) {
        fv_s(d->out, FID_DHCP_HW_MAC_ADDR, off, 6, slice_head(s, 6));
    } else {
        struct fval *f = fv_s(d->out, FID_DHCP_HW_ADDR, off, CHADDR, s);
        if (f) f->extra = len;
    }
    if (len < CHADDR) fv_s(d->out, FID_DHCP_HW_ADDR_PADDING, off + len, CHADDR - len, slice_tail(s, len));
}

/* name_read reads one of the two names, or says that options are in its place. */
static struct slice name_read(struct decode *d, struct reader *r, uint16_t id, size_t n, bool overloaded) {
    bool server = id == FID_DHCP_SERVER;
    struct slice s = slice_head(rd_rest(r), n);
    if (s.n < n) {
        rd_fail(r);
        return s;
    }
    if (!overloaded) {
        dhcp_text_get(d, r, id, n);
        return s;
    }
    uint32_t off = rd_off(r);
    rd_skip(r, n);
    fv_open(d->out, server ? FID_DHCP_SERVER_OVERLOADED : FID_DHCP_FILE_OVERLOADED, off, (uint32_t)n);
    d_anomaly(d, server ? FID_DHCP_SERVER_NAME_OVERLOADED_BY_DHCP : FID_DHCP_BOOT_FILENAME_OVERLOADED_BY_DHCP, off,
              (uint32_t)n);
    fv_close(d->out);
    return s;
}

static void ip_get(struct decode *d, struct reader *r, uint16_t id) { get_be32(d, r, id); }

static void body_read(struct decode *d, struct reader *r, struct slice in) {
    struct dhcp_msg m = {.d = d};
    struct slice options = slice_tail(in, 240);
    int type = option_seek(options, DHCP_MESSAGE_TYPE), overload = option_seek(options, DHCP_OVERLOAD);
    m.overload = overload > 0 && overload <= 3 ? (uint8_t)overload : 0;
    uint32_t start = rd_off(r);
    get_u8(d, r, FID_DHCP_TYPE);
    uint8_t hw = get_u8(d, r, FID_DHCP_HW_TYPE);
    uint8_t len = get_u8(d, r, FID_DHCP_HW_LEN);
    get_u8(d, r, FID_DHCP_HOPS);
    get_be32(d, r, FID_DHCP_ID);
    get_be16(d, r, FID_DHCP_SECS);
    flags_read(d, r);
    ip_get(d, r, FID_DHCP_IP_CLIENT);
    ip_get(d, r, FID_DHCP_IP_YOUR);
    ip_get(d, r, FID_DHCP_IP_SERVER);
    ip_get(d, r, FID_DHCP_IP_RELAY);
    chaddr_read(d, r, hw, len);
    m.sname = name_read(d, r, FID_DHCP_SERVER, SNAME, m.overload & OVER_SNAME);
    m.file = name_read(d, r, FID_DHCP_FILE, FILE_NAME, m.overload & OVER_FILE);
    if (!rd_ok(r)) return;
    if (type < 0) fv_hide(fv_u(d->out, FID_DHCP_BOOTP, start, 0, 1));
    uint32_t off = rd_off(r);
    struct slice rest = rd_rest(r);
    if (rest.n >= 4 && load_be32(rest.p) == MAGIC) {
        rd_skip(r, 4);
        fv_u(d->out, FID_DHCP_COOKIE, off, 4, MAGIC);
        options_read(&m, r, false);
    } else {
        get_bytes(d, r, FID_DHCP_VENDOR_SPECIFIC_OPTIONS, VENDOR_AREA);
    }
}

static void dhcp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_dhcp, rd_off(&r), (uint32_t)in.n);
    body_read(d, &r, in);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static const struct proto_key keys[] = {{TABLE_UDP, 67}, {TABLE_UDP, 68}, {TABLE_COUNT, 0}};
const struct proto proto_dhcp = {.name = "dhcp",
                                 .column = "DHCP",
                                 .column_of = dhcp_column,
                                 .id = FID_DHCP,
                                 .end = FID_DHCP_END,
                                 .keys = keys,
                                 .read = dhcp_read,
                                 .info = dhcp_info,
                                 .info_fields = dhcp_info_fields,
                                 .label = dhcp_label};
