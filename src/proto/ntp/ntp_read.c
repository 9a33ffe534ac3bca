/* SPDX-License-Identifier: Apache-2.0 */
/* Network Time Protocol: the packet of RFC 5905 7.3 with extension fields (RFC 7822) and authenticator, the header of
 * control messages (RFC 9327) and of the private mode 7. */
#include "proto/protos.h"

#include "field/print.h"

enum { MODE_CONTROL = 6, MODE_PRIVATE = 7, EXTENSION_LEAST = 16, KEY_ID = 4 };
/* Seconds from 1900 to 1970, and from 1970 to the era that began in 2036 (RFC 5905, 6). */
static const int64_t TO_1900 = 2208988800, TO_2036 = 2085978496;

/* time_get reads a 64-bit timestamp. One that is zero says nothing and is shown as NULL. */
static void time_get(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint64_t v = rd_be64(r);
    if (!rd_ok(r)) return;
    int64_t seconds = (int64_t)(v >> 32), ns = (int64_t)((v & UINT32_MAX) * 1000000000 >> 32);
    seconds += v >> 63 ? -TO_1900 : TO_2036;
    fv_i(d->out, id, off, 8, v ? seconds * 1000000000 + ns : INT64_MIN);
}

static void flags_read(struct decode *d, uint32_t off, uint8_t flags) {
    uint32_t at = fv_open(d->out, FID_NTP_FLAGS, off, 1);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = flags;
    if ((flags & 7) == MODE_PRIVATE) {
        fv_u(d->out, FID_NTP_PRIV_FLAGS_R, off, 1, flags >> 7);
        fv_u(d->out, FID_NTP_PRIV_FLAGS_MORE, off, 1, flags >> 6 & 1);
    } else {
        fv_u(d->out, FID_NTP_FLAGS_LI, off, 1, flags >> 6);
    }
    fv_u(d->out, FID_NTP_FLAGS_VN, off, 1, flags >> 3 & 7);
    fv_u(d->out, FID_NTP_FLAGS_MODE, off, 1, flags & 7);
    fv_close(d->out);
}

/* extension_read reads an extension field; false where the bytes cannot be one. */
static bool extension_read(struct decode *d, struct reader *r) {
    struct slice rest = rd_rest(r);
    uint16_t n = rest.n >= 4 ? load_be16(rest.p + 2) : 0;
    if (n < EXTENSION_LEAST || n % 4 || n > rest.n) return false;
    fv_open(d->out, FID_NTP_EXT, rd_off(r), n);
    get_be16(d, r, FID_NTP_EXT_TYPE);
    get_be16(d, r, FID_NTP_EXT_LENGTH);
    get_bytes(d, r, FID_NTP_EXT_VALUE, n - 4u);
    fv_close(d->out);
    return true;
}

/* tail_read reads what follows the packet. Key identifier and digest take 4, 20 or 24 bytes; everything else begins
 * with extension fields where it can (RFC 7822, 7.5.1). */
static void tail_read(struct decode *d, struct reader *r, unsigned version) {
    while (rd_ok(r) && rd_left(r)) {
        size_t n = rd_left(r);
        if (version >= 4 && n != KEY_ID && n != 20 && n != 24 && extension_read(d, r)) continue;
        if (n < KEY_ID) return;
        get_bytes(d, r, FID_NTP_KEYID, KEY_ID);
        if (rd_left(r)) get_bytes(d, r, FID_NTP_MAC, rd_left(r));
    }
}

static void standard_read(struct decode *d, struct reader *r, uint8_t flags) {
    get_u8(d, r, FID_NTP_STRATUM);
    get_u8(d, r, FID_NTP_PPOLL);
    get_u8(d, r, FID_NTP_PRECISION);
    get_be32(d, r, FID_NTP_ROOTDELAY);
    get_be32(d, r, FID_NTP_ROOTDISPERSION);
    get_bytes(d, r, FID_NTP_REFID, 4);
    time_get(d, r, FID_NTP_REFTIME);
    time_get(d, r, FID_NTP_ORG);
    time_get(d, r, FID_NTP_REC);
    time_get(d, r, FID_NTP_XMT);
    tail_read(d, r, flags >> 3 & 7);
}

static void part_get(struct decode *d, uint16_t id, uint32_t off, uint32_t len, uint32_t whole) {
    uint64_t mask = field_of(id)->mask;
    fv_u(d->out, id, off, len, (whole & mask) >> __builtin_ctzll(mask));
}

static void control_status_read(struct decode *d, struct reader *r, bool system) {
    static const uint16_t ids[] = {FID_NTP_CTRL_SYS_STATUS_LI, FID_NTP_CTRL_SYS_STATUS_CLKSRC,
                                   FID_NTP_CTRL_SYS_STATUS_COUNT, FID_NTP_CTRL_SYS_STATUS_CODE};
    uint32_t off = rd_off(r);
    uint16_t status = rd_be16(r);
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_NTP_CTRL_STATUS, off, 2);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = status;
    for (size_t i = 0; system && i < sizeof ids / sizeof *ids; i++) part_get(d, ids[i], off, 2, status);
    fv_close(d->out);
}

static void control_read(struct decode *d, struct reader *r) {
    static const uint16_t ids[] = {FID_NTP_CTRL_FLAGS2_R, FID_NTP_CTRL_FLAGS2_ERROR, FID_NTP_CTRL_FLAGS2_MORE,
                                   FID_NTP_CTRL_FLAGS2_OPCODE};
    uint32_t off = rd_off(r);
    uint8_t flags = rd_u8(r);
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_NTP_CTRL_FLAGS2, off, 1);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = flags;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) part_get(d, ids[i], off, 1, flags);
    fv_close(d->out);
    get_be16(d, r, FID_NTP_CTRL_SEQUENCE);
    bool system = flags & 0x80 && !(flags & 0x40) && rd_peek(r, 2) == 0 && rd_peek(r, 3) == 0;
    control_status_read(d, r, system);
    get_be16(d, r, FID_NTP_CTRL_ASSOCID);
    get_be16(d, r, FID_NTP_CTRL_OFFSET);
    uint16_t n = get_be16(d, r, FID_NTP_CTRL_COUNT);
    if (!rd_ok(r) || !n) return;
    off = rd_off(r);
    rd_skip(r, n);
    if (rd_ok(r)) fv_add(d->out, FID_NTP_CTRL_DATA, off, n);
}

static void private_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint8_t seq = rd_u8(r);
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_NTP_PRIV_AUTH_SEQ, off, 1);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = seq;
    fv_u(d->out, FID_NTP_PRIV_AUTH, off, 1, seq >> 7);
    fv_u(d->out, FID_NTP_PRIV_SEQ, off, 1, seq & 0x7f);
    fv_close(d->out);
    get_u8(d, r, FID_NTP_PRIV_IMPL);
    get_u8(d, r, FID_NTP_PRIV_REQCODE);
    off = rd_off(r);
    uint16_t items = rd_be16(r), size = rd_be16(r);
    if (!rd_ok(r)) return;
    fv_u(d->out, FID_NTP_PRIV_ERR, off, 1, items >> 12);
    fv_u(d->out, FID_NTP_PRIV_NUMITEMS, off, 2, items & 0xfff);
    fv_u(d->out, FID_NTP_PRIV_RESERVED, off + 2, 1, size >> 12);
    fv_u(d->out, FID_NTP_PRIV_ITEMSIZE, off + 2, 2, size & 0xfff);
}

static void ntp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    d_begin(d, &proto_ntp, off, (uint32_t)in.n);
    uint8_t flags = rd_u8(&r);
    if (rd_ok(&r)) flags_read(d, off, flags);
    if ((flags & 7) == MODE_CONTROL) control_read(d, &r);
    else if ((flags & 7) == MODE_PRIVATE) private_read(d, &r);
    else standard_read(d, &r, flags);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static const char *name_of(const struct field_values *values, uint64_t v) {
    const char *name = field_value_name(values, v);
    return name ? name : "Unknown";
}

static const char *mode_short(unsigned mode) {
    if (mode == MODE_CONTROL) return "control";
    if (mode == MODE_PRIVATE) return "private";
    return name_of(&vals_ntp_flags_mode, mode);
}

static void ntp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *flags = fv_first(v, FID_NTP_FLAGS, at, end), *code = fv_first(v, FID_NTP_PRIV_REQCODE, at, end);
    if (!flags) return;
    wr_f(w, "%s, %s", name_of(&vals_ntp_flags_vn, flags->u >> 3 & 7), mode_short(flags->u & 7));
    if ((flags->u & 7) != MODE_PRIVATE || !code) return;
    wr_f(w, ", %s, %s", flags->u & 0x80 ? "Response" : "Request", name_of(&vals_ntp_priv_reqcode, code->u));
}

/* seconds_write writes a fixed-point number of seconds with 16 bits behind the point. */
static void seconds_write(struct writer *w, const struct fval *f) {
    wr_f(w, "%s: %.6f seconds", field_of(f->id)->label, (double)f->u / 65536);
}

static void precision_write(struct writer *w, uint64_t u) {
    int exponent = (int8_t)u;
    double seconds = 1;
    for (int i = 0; i < exponent; i++) seconds *= 2;
    for (int i = 0; i > exponent; i--) seconds /= 2;
    wr_f(w, "Peer Clock Precision: %f seconds", seconds);
}

/* Clock sources of RFC 5905, 7.3, figure 12, and those in use besides. */
static const struct {
    char id[5];
    const char *name;
} sources[] = {
    {"LOCL", "uncalibrated local clock"},
    {"GPS", "Global Position System"},
    {"PPS", "calibrated quartz clock or other pulse-per-second source"},
    {"DCF", "LF Radio DCF77 Mainflingen, DE 77.5 kHz"},
    {"GOES", "Geosynchronous Orbit Environment Satellite"},
    {"CDMA", "CDMA mobile cellular/PCS telephone system"},
};

static void reference_write(struct writer *w, const struct fvec *v, uint32_t at) {
    struct slice s = v->v[at].s;
    const struct fval *stratum = at >= 5 ? fv_first(v, FID_NTP_STRATUM, at - 5, at) : NULL;
    wr_s(w, "Reference ID: ");
    if (load_be32(s.p) == 0 && (!stratum || stratum->u < 2)) {
        wr_s(w, "NULL");
    } else if (stratum && stratum->u < 2) {
        for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
            if (memcmp(sources[i].id, s.p, 4) != 0) continue;
            wr_s(w, sources[i].name);
            return;
        }
        const uint8_t *nul = memchr(s.p, 0, s.n);
        wr_s(w, "Unidentified reference source '");
        print_string(w, nul ? slice_head(s, (size_t)(nul - s.p)) : s);
        wr_c(w, '\'');
    } else {
        print_ipv4(w, load_be32(s.p));
    }
}

static bool flags_label(struct writer *w, unsigned flags) {
    wr_f(w, "Flags: 0x%02x, ", flags);
    if ((flags & 7) == MODE_PRIVATE) wr_f(w, "Response bit: %s", flags & 0x80 ? "Response" : "Request");
    else wr_f(w, "Leap Indicator: %s", name_of(&vals_ntp_flags_li, flags >> 6));
    wr_f(w, ", Version number: %s, Mode: %s", name_of(&vals_ntp_flags_vn, flags >> 3 & 7),
         name_of(&vals_ntp_flags_mode, flags & 7));
    return true;
}

static bool ntp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    const struct fval *flags = f->id == FID_NTP ? fv_first(v, FID_NTP_FLAGS, at, fv_end(v, at)) : NULL;
    switch (f->id) {
    case FID_NTP:
        wr_s(w, field_of(FID_NTP)->label);
        if (flags) wr_f(w, " (%s, %s)", name_of(&vals_ntp_flags_vn, flags->u >> 3 & 7), mode_short(flags->u & 7));
        return true;
    case FID_NTP_FLAGS: return flags_label(w, (unsigned)f->u);
    case FID_NTP_PPOLL:
        if (f->u < 4 || f->u > 17) wr_f(w, "Peer Polling Interval: invalid (%u)", (unsigned)f->u);
        else wr_f(w, "Peer Polling Interval: %u (%u seconds)", (unsigned)f->u, 1u << f->u);
        return true;
    case FID_NTP_PRECISION: precision_write(w, f->u); return true;
    case FID_NTP_ROOTDELAY:
    case FID_NTP_ROOTDISPERSION: seconds_write(w, f); return true;
    case FID_NTP_REFID:
        if (f->s.n != 4) return false;
        reference_write(w, v, at);
        return true;
    case FID_NTP_CTRL_FLAGS2:
        wr_f(w, "Flags 2: 0x%02x, Response bit: %s, Opcode: %s", (unsigned)f->u, f->u & 0x80 ? "Response" : "Request",
             name_of(&vals_ntp_ctrl_flags2_opcode, f->u & 31));
        return true;
    default: return false;
    }
}

static const uint16_t info_fields[] = {FID_NTP_FLAGS, FID_NTP_PRIV_REQCODE, 0};
static const struct proto_key keys[] = {{TABLE_UDP, 123}, {TABLE_COUNT, 0}};
const struct proto proto_ntp = {.name = "ntp",
                                .column = "NTP",
                                .id = FID_NTP,
                                .end = FID_NTP_END,
                                .keys = keys,
                                .read = ntp_read,
                                .info = ntp_info,
                                .info_fields = info_fields,
                                .label = ntp_label};
