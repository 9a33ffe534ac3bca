/* SPDX-License-Identifier: Apache-2.0 */
/* Names, strings, times: RFC 5280 4.1.2.4 to 4.1.2.6, RFC 4519; X.520 for the attributes' syntaxes. */
#include "proto/x509/x509.h"

/* What the value of an attribute is written as. */
enum syntax { SYNTAX_DIRECTORY, SYNTAX_COUNTRY, SYNTAX_PRINTABLE, SYNTAX_IA5 };

static enum syntax syntax_of(struct slice oid) {
    static const uint8_t mail[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1};
    static const uint8_t component[] = {0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25};
    static const uint8_t inc_country[] = {0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, 3};
    if (slice_eq(oid, slice_of(mail, sizeof mail)) || slice_eq(oid, slice_of(component, sizeof component)))
        return SYNTAX_IA5;
    if (slice_eq(oid, slice_of(inc_country, sizeof inc_country))) return SYNTAX_COUNTRY;
    if (oid.n != 3 || oid.p[0] != 0x55 || oid.p[1] != 4) return SYNTAX_DIRECTORY;
    switch (oid.p[2]) {
    case 6: return SYNTAX_COUNTRY;
    case 5:
    case 46: return SYNTAX_PRINTABLE;
    default: return SYNTAX_DIRECTORY;
    }
}

static size_t utf8_put(uint8_t *out, uint32_t code) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* wide_text makes UTF-8 of characters of `width` bytes each. */
static struct slice wide_text(struct decode *d, struct reader in, size_t width) {
    uint8_t *text = arena_get(d->arena, rd_left(&in) / width * 4 + 1);
    size_t n = 0;
    while (text && rd_left(&in) >= width) n += utf8_put(text + n, (uint32_t)load_be(rd_take(&in, width).p, width));
    return slice_of(text, n);
}

void x509_string_add(struct decode *d, uint16_t id, const struct der *e) {
    if (!d_wants(d, id)) return;
    size_t width = e->tag == DER_BMP ? 2 : e->tag == DER_UNIVERSAL ? 4 : 1;
    struct slice text = width > 1 ? wide_text(d, e->in, width) : rd_rest(&e->in);
    fv_s(d->out, id, rd_off(&e->in), (uint32_t)rd_left(&e->in), text);
}

static void directory_string(struct decode *d, const struct der *e) {
    static const struct {
        uint8_t tag;
        uint16_t id;
    } kinds[] = {{DER_TELETEX, FID_X509_TELETEX},
                 {DER_PRINTABLE, FID_X509_PRINTABLE},
                 {DER_UNIVERSAL, FID_X509_UNIVERSAL},
                 {DER_BMP, FID_X509_BMP},
                 {DER_UTF8, FID_X509_UTF8}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].tag != e->tag) continue;
        d_open_u(d, FID_X509_DIRECTORY_STRING, e->off, e->len, i);
        x509_string_add(d, kinds[i].id, e);
        fv_close(d->out);
        return;
    }
    if (e->tag == DER_IA5) x509_string_add(d, FID_X509_IA5_STRING, e); /* not allowed, and met */
}

static void attribute_read(struct decode *d, struct reader *r) {
    struct der pair = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&pair.in)) return;
    fv_open(d->out, FID_X509_RDN, pair.off, pair.len);
    struct slice oid = x509_oid_read(d, &pair.in, FID_X509_ATTRIBUTE_ID);
    struct der value = der_next(&pair.in);
    bool extension = oid.n == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d; /* its number in the place of an attribute's */
    d_step(d, extension ? "x509ce" : "x509sat");
    if (rd_ok(&value.in)) switch (syntax_of(oid)) {
        case SYNTAX_COUNTRY: x509_string_add(d, FID_X509_COUNTRY, &value); break;
        case SYNTAX_PRINTABLE: x509_string_add(d, FID_X509_PRINTABLE_STRING, &value); break;
        case SYNTAX_IA5: x509_string_add(d, FID_X509_IA5_STRING, &value); break;
        case SYNTAX_DIRECTORY: directory_string(d, &value); break;
        }
    fv_close(d->out);
}

void x509_rdns_read(struct decode *d, struct reader r) {
    while (rd_ok(&r) && rd_left(&r)) {
        struct der set = der_enter(&r, DER_SET);
        if (!rd_ok(&set.in)) return;
        d_open_u(d, FID_X509_RDN_ITEM, rd_off(&set.in), (uint32_t)rd_left(&set.in), der_count(set.in));
        while (rd_ok(&set.in) && rd_left(&set.in)) attribute_read(d, &set.in);
        fv_close(d->out);
    }
}

void x509_name_read(struct decode *d, struct reader *r, uint16_t kind_id, uint16_t list_id) {
    struct der name = der_enter(r, DER_SEQUENCE);
    if (!rd_ok(&name.in)) {
        rd_fail(r);
        return;
    }
    d_open_u(d, kind_id, name.off, name.len, 0);
    d_open_u(d, list_id, rd_off(&name.in), (uint32_t)rd_left(&name.in), der_count(name.in));
    x509_rdns_read(d, name.in);
    fv_close(d->out);
    fv_close(d->out);
}

static unsigned two(const uint8_t *p) { return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0'); }

static bool digits(struct slice s, size_t n) {
    if (s.n < n) return false;
    for (size_t i = 0; i < n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return true;
}

/* days_of returns the days from 1970 to a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = year / 400;
    unsigned of_era = (unsigned)(year - era * 400),
             of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void x509_time_read(struct decode *d, const struct der *e, uint16_t id) {
    struct slice s = rd_rest(&e->in);
    if (e->tag != DER_GENERALIZED_TIME || !digits(s, 14)) return;
    unsigned month = two(s.p + 4), day = two(s.p + 6);
    if (month < 1 || month > 12 || day < 1 || day > 31) return;
    int64_t days = days_of(two(s.p) * 100 + two(s.p + 2), month, day);
    int64_t seconds = days * 86400 + two(s.p + 8) * 3600 + two(s.p + 10) * 60 + two(s.p + 12);
    if (seconds > INT64_MAX / 1000000000 || seconds < INT64_MIN / 1000000000)
        return; /* year 2262: certificates without an end */
    fv_i(d->out, id, rd_off(&e->in), (uint32_t)s.n, seconds * 1000000000);
}

void x509_utc_read(struct decode *d, const struct der *e) {
    enum { SHORT = 10, FULL = 12 };
    struct slice s = rd_rest(&e->in);
    bool full = digits(s, FULL);
    if (!d_wants(d, FID_X509_UTC_TIME) || !digits(s, SHORT)) return;
    char *text = arena_get(d->arena, 40);
    if (!text) return;
    struct writer w = wr_fixed(text, 40);
    /* RFC 5280 4.1.2.5.1: from 50 on it is the century before. */
    wr_f(&w, "%u%.2s-%.2s-%.2s %.2s:%.2s", two(s.p) >= 50 ? 19u : 20u, s.p, s.p + 2, s.p + 4, s.p + 6, s.p + 8);
    if (full) wr_f(&w, ":%.2s", s.p + 10);
    struct slice zone = slice_tail(s, full ? FULL : SHORT);
    if (slice_eq(zone, SLICE("Z"))) wr_s(&w, " (UTC)");
    else if (zone.n == 5) wr_f(&w, " (UTC%.5s)", zone.p);
    fv_s(d->out, FID_X509_UTC_TIME, rd_off(&e->in), (uint32_t)s.n, wr_done(&w));
}
