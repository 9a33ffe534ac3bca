/* SPDX-License-Identifier: Apache-2.0 */
/* Records whose data has lengths, alternatives or derived values inside. */
#include "proto/dns/dns.h"

/* key_tag computes the key tag of RFC 4034, appendix B, over a whole record's data. */
static uint16_t key_tag(struct slice data, uint8_t algorithm) {
    if (algorithm == 1) return data.n >= 4 ? load_be16(data.p + data.n - 3) : 0; /* B.1 */
    uint32_t sum = 0;
    for (size_t i = 0; i < data.n; i++) sum += i & 1 ? data.p[i] : (uint32_t)data.p[i] << 8;
    return (uint16_t)(sum + (sum >> 16));
}

static void flag16(struct decode *d, uint16_t id, uint32_t off, uint16_t flags) {
    uint64_t mask = field_of(id)->mask;
    int shift = id == FID_DNS_DNSKEY_FLAGS_RESERVED ? 1 : __builtin_ctzll(mask);
    fv_u(d->out, id, off, 2, (flags & mask) >> shift);
}

/* dnskey_read: RFC 4034, 2.1. */
static void dnskey_read(struct dns_msg *m, struct reader *r) {
    static const uint16_t ids[] = {FID_DNS_DNSKEY_FLAGS_ZONE_KEY, FID_DNS_DNSKEY_FLAGS_KEY_REVOKED,
                                   FID_DNS_DNSKEY_FLAGS_SECURE_ENTRY_POINT, FID_DNS_DNSKEY_FLAGS_RESERVED};
    struct decode *d = m->d;
    struct slice whole = rd_rest(r);
    uint32_t off = rd_off(r);
    uint16_t flags = rd_be16(r);
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_DNS_DNSKEY_FLAGS, off, 2);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = flags;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) flag16(d, ids[i], off, flags);
    fv_close(d->out);
    get_u8(d, r, FID_DNS_DNSKEY_PROTOCOL);
    uint8_t algorithm = get_u8(d, r, FID_DNS_DNSKEY_ALGORITHM);
    if (!rd_ok(r)) return;
    if (d_wants(d, FID_DNS_DNSKEY_KEY_ID)) fv_u(d->out, FID_DNS_DNSKEY_KEY_ID, rd_off(r), 0, key_tag(whole, algorithm));
    if (rd_left(r)) get_bytes(d, r, FID_DNS_DNSKEY_PUBLIC_KEY, rd_left(r));
}

/* key_read: RFC 2535, 3.1. Where both of the first bits are set there is no key, and no more flags. */
static void key_read(struct dns_msg *m, struct reader *r) {
    static const uint16_t ids[] = {FID_DNS_KEY_FLAGS_AUTHENTICATION,
                                   FID_DNS_KEY_FLAGS_CONFIDENTIALITY,
                                   FID_DNS_KEY_FLAGS_REQUIRED,
                                   FID_DNS_KEY_FLAGS_ASSOCIATED_USER,
                                   FID_DNS_KEY_FLAGS_ASSOCIATED_NAMED_ENTITY,
                                   FID_DNS_KEY_FLAGS_IPSEC,
                                   FID_DNS_KEY_FLAGS_MIME,
                                   FID_DNS_KEY_FLAGS_SIGNATORY};
    struct decode *d = m->d;
    struct slice whole = rd_rest(r);
    uint32_t off = rd_off(r);
    uint16_t flags = rd_be16(r);
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_DNS_KEY_FLAGS, off, 2);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = flags;
    size_t n = (flags & 0xc000) == 0xc000 ? 2 : sizeof ids / sizeof *ids;
    for (size_t i = 0; i < n; i++) flag16(d, ids[i], off, flags);
    fv_close(d->out);
    get_u8(d, r, FID_DNS_KEY_PROTOCOL);
    uint8_t algorithm = get_u8(d, r, FID_DNS_KEY_ALGORITHM);
    if (!rd_ok(r)) return;
    if (d_wants(d, FID_DNS_KEY_KEY_ID)) fv_u(d->out, FID_DNS_KEY_KEY_ID, rd_off(r), 0, key_tag(whole, algorithm));
    if (rd_left(r)) get_bytes(d, r, FID_DNS_KEY_PUBLIC_KEY, rd_left(r));
}

/* base32_get shows a hash in the alphabet of RFC 4648, 7, as names of NSEC3 records have it. */
static void base32_get(struct dns_msg *m, struct reader *r, uint16_t id, size_t n) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, n);
    if (!rd_ok(r) || !d_wants(m->d, id)) return;
    size_t chars = (n * 8 + 4) / 5;
    char *text = arena_get(m->d->arena, chars + 1);
    if (!text) return;
    uint32_t bits = 0, have = 0;
    size_t out = 0;
    for (size_t i = 0; i < s.n; i++) {
        bits = bits << 8 | s.p[i];
        for (have += 8; have >= 5; have -= 5) text[out++] = digits[bits >> (have - 5) & 31];
        bits &= 0xff;
    }
    if (have) text[out++] = digits[bits << (5 - have) & 31];
    fv_s(m->d->out, id, off, (uint32_t)n, slice_of(text, out));
}

/* nsec3_read: RFC 5155, 3.2, and 4.2 for the parameters alone. */
static void nsec3_read(struct dns_msg *m, struct reader *r, bool parameters) {
    struct decode *d = m->d;
    get_u8(d, r, FID_DNS_NSEC3_ALGO);
    uint32_t off = rd_off(r);
    uint8_t flags = rd_u8(r);
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_DNS_NSEC3_FLAGS, off, 1);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = flags;
    if (!parameters) fv_u(d->out, FID_DNS_NSEC3_FLAGS_OPT_OUT, off, 1, flags & 1);
    fv_close(d->out);
    get_be16(d, r, FID_DNS_NSEC3_ITERATIONS);
    uint8_t salt = get_u8(d, r, FID_DNS_NSEC3_SALT_LENGTH);
    if (rd_ok(r)) get_bytes(d, r, FID_DNS_NSEC3_SALT_VALUE, salt);
    if (parameters) return;
    uint8_t hash = get_u8(d, r, FID_DNS_NSEC3_HASH_LENGTH);
    if (rd_ok(r)) base32_get(m, r, FID_DNS_NSEC3_HASH_VALUE, hash);
    dns_bitmap_read(m, r);
}

/* nxt_read: RFC 2535, 5.2: a name and one bit per type from 0 on. */
static void nxt_read(struct dns_msg *m, struct reader *r) {
    dns_name_get(m, r, FID_DNS_NXT_NEXT_DOMAIN_NAME);
    for (unsigned type = 0; rd_ok(r) && rd_left(r);) {
        uint32_t off = rd_off(r);
        uint8_t bits = rd_u8(r);
        for (unsigned bit = 0; bit < 8; bit++, type++) {
            struct fval *f = bits & 0x80u >> bit ? fv_u(m->d->out, FID_DNS_RESP_TYPE, off, 1, type & 0xffff) : NULL;
            if (f) f->extra = DNS_X_BITMAP;
        }
    }
}

/* wks_read: RFC 1035, 3.4.2: one bit per port. */
static void wks_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    dns_address4_get(m, r, FID_DNS_WKS_ADDRESS, 4);
    get_u8(d, r, FID_DNS_WKS_PROTOCOL);
    for (unsigned port = 0; rd_ok(r) && rd_left(r); port += 8) {
        uint32_t off = rd_off(r);
        uint8_t bits = rd_u8(r);
        struct fval *f = bits ? fv_u(d->out, FID_DNS_WKS_BITS, off, 1, bits) : NULL;
        if (f) f->extra = (uint16_t)port;
    }
}

static void isdn_read(struct dns_msg *m, struct reader *r) {
    uint8_t n = get_u8(m->d, r, FID_DNS_IDSN_LENGTH);
    if (rd_ok(r)) dns_text_get(m, r, FID_DNS_IDSN_ADDRESS, n);
    if (!rd_ok(r) || !rd_left(r)) return;
    n = get_u8(m->d, r, FID_DNS_IDSN_SA_LENGTH);
    if (rd_ok(r)) dns_text_get(m, r, FID_DNS_IDSN_SA_ADDRESS, n);
}

/* loc_read: RFC 1876, 2. */
static void loc_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    if (rd_peek(r, 0) != 0) {
        size_t n = rd_left(r);
        fv_u(d->out, FID_DNS_LOC_VERSION, rd_off(r), 1, n ? r->p[0] : 0);
        get_bytes(d, r, FID_DNS_LOC_UNKNOWN_DATA, n);
        return;
    }
    get_u8(d, r, FID_DNS_LOC_VERSION);
    get_u8(d, r, FID_DNS_LOC_SIZE);
    get_u8(d, r, FID_DNS_LOC_HORIZONTAL_PRECISION);
    get_u8(d, r, FID_DNS_LOC_VERTICAL_PRECISION);
    get_be32(d, r, FID_DNS_LOC_LATITUDE);
    get_be32(d, r, FID_DNS_LOC_LONGITUDE);
    get_be32(d, r, FID_DNS_LOC_ALTITUDE);
}

/* naptr_read: RFC 3403, 4.1. */
static void naptr_read(struct dns_msg *m, struct reader *r) {
    static const uint16_t ids[3][2] = {{FID_DNS_NAPTR_FLAGS_LENGTH, FID_DNS_NAPTR_FLAGS},
                                       {FID_DNS_NAPTR_SERVICE_LENGTH, FID_DNS_NAPTR_SERVICE},
                                       {FID_DNS_NAPTR_REGEX_LENGTH, FID_DNS_NAPTR_REGEX}};
    struct decode *d = m->d;
    get_be16(d, r, FID_DNS_NAPTR_ORDER);
    get_be16(d, r, FID_DNS_NAPTR_PREFERENCE);
    for (int i = 0; i < 3; i++) {
        uint8_t n = get_u8(d, r, ids[i][0]);
        if (rd_ok(r)) dns_text_get(m, r, ids[i][1], n);
    }
    uint32_t off = rd_off(r);
    struct slice name = {0};
    bool wanted = d_wants(d, FID_DNS_NAPTR_REPLACEMENT) || d_wants(d, FID_DNS_NAPTR_REPLACEMENT_LENGTH);
    size_t n = dns_name_read(m, r, wanted ? &name : NULL);
    if (!rd_ok(r)) return;
    fv_u(d->out, FID_DNS_NAPTR_REPLACEMENT_LENGTH, off, 0, name.n);
    fv_s(d->out, FID_DNS_NAPTR_REPLACEMENT, off, (uint32_t)n, name);
}

/* a6_read: RFC 2874, 3.1: the address's last bits, then the name that has the first ones. */
static void a6_read(struct dns_msg *m, struct reader *r) {
    uint8_t prefix = get_u8(m->d, r, FID_DNS_A6_PREFIX_LEN);
    if (!rd_ok(r) || prefix > 128) return;
    size_t n = (size_t)(128 - prefix + 7) / 8;
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, n);
    uint8_t *whole = rd_ok(r) ? arena_get(m->d->arena, 16) : NULL;
    if (whole) {
        memset(whole, 0, 16);
        if (n) memcpy(whole + 16 - n, s.p, n);
        fv_s(m->d->out, FID_DNS_A6_ADDRESS_SUFFIX, off, (uint32_t)n, slice_of(whole, 16));
    }
    if (prefix) dns_name_get(m, r, FID_DNS_A6_PREFIX_NAME);
}

/* apl_read: RFC 3123, 4. */
static void apl_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    while (rd_ok(r) && rd_left(r)) {
        uint16_t family = get_be16(d, r, FID_DNS_APL_ADDRESS_FAMILY);
        get_u8(d, r, FID_DNS_APL_CODED_PREFIX);
        uint32_t off = rd_off(r);
        uint8_t n = rd_u8(r);
        if (!rd_ok(r)) return;
        fv_u(d->out, FID_DNS_APL_NEGATION, off, 1, n >> 7);
        n &= 0x7f;
        fv_u(d->out, FID_DNS_APL_AFDLENGTH, off, 1, n);
        if (family == 1 && n <= 4) dns_address4_get(m, r, FID_DNS_APL_AFDPART_IPV4, n);
        else if (family == 2 && n <= 16) dns_address6_get(m, r, FID_DNS_APL_AFDPART_IPV6, n);
        else get_bytes(d, r, FID_DNS_APL_AFDPART_DATA, n);
    }
}

/* ipseckey_read: RFC 4025, 2.1. */
static void ipseckey_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    get_u8(d, r, FID_DNS_IPSECKEY_GATEWAY_PRECEDENCE);
    uint8_t type = get_u8(d, r, FID_DNS_IPSECKEY_GATEWAY_TYPE);
    get_u8(d, r, FID_DNS_IPSECKEY_GATEWAY_ALGORITHM);
    if (type == 1) dns_address4_get(m, r, FID_DNS_IPSECKEY_GATEWAY_IPV4, 4);
    if (type == 2) dns_address6_get(m, r, FID_DNS_IPSECKEY_GATEWAY_IPV6, 16);
    if (type == 3) dns_name_get(m, r, FID_DNS_IPSECKEY_GATEWAY_DNS);
    if (rd_ok(r) && rd_left(r)) get_bytes(d, r, FID_DNS_IPSECKEY_PUBLIC_KEY, rd_left(r));
}

/* hip_read: RFC 8005, 5. */
static void hip_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    uint8_t hit = get_u8(d, r, FID_DNS_HIP_HIT_LENGTH);
    get_u8(d, r, FID_DNS_HIP_HIT_PK_ALGO);
    uint16_t key = get_be16(d, r, FID_DNS_HIP_PK_LENGTH);
    if (!rd_ok(r)) return;
    get_bytes(d, r, FID_DNS_HIP_HIT, hit);
    get_bytes(d, r, FID_DNS_HIP_PK, key);
    while (rd_ok(r) && rd_left(r)) dns_name_get(m, r, FID_DNS_HIP_RENDEZVOUS_SERVER);
}

/* csync_read: RFC 7477, 2.1.1. */
static void csync_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    get_be32(d, r, FID_DNS_CSYNC_SOA);
    uint32_t off = rd_off(r);
    uint16_t flags = rd_be16(r);
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_DNS_CSYNC_FLAGS, off, 2);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = flags;
    flag16(d, FID_DNS_CSYNC_FLAGS_IMMEDIATE, off, flags);
    flag16(d, FID_DNS_CSYNC_FLAGS_SOAMINIMUM, off, flags);
    fv_close(d->out);
    fv_s(d->out, FID_DNS_CSYNC_TYPE_BITMAP, rd_off(r), (uint32_t)rd_left(r), rd_rest(r));
    dns_bitmap_read(m, r);
}

/* sized_get reads a 16-bit length and that many bytes. */
static void sized_get(struct dns_msg *m, struct reader *r, uint16_t len_id, uint16_t id) {
    uint16_t n = get_be16(m->d, r, len_id);
    if (rd_ok(r) && n) get_bytes(m->d, r, id, n);
}

static void time_get(struct dns_msg *m, struct reader *r, uint16_t id, size_t n) {
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, n);
    if (rd_ok(r)) fv_i(m->d->out, id, off, (uint32_t)n, (int64_t)(load_be(s.p, n) & UINT32_MAX) * 1000000000);
}

/* tkey_read: RFC 2930, 2. */
static void tkey_read(struct dns_msg *m, struct reader *r) {
    dns_name_get(m, r, FID_DNS_TKEY_ALGO_NAME);
    time_get(m, r, FID_DNS_TKEY_SIGNATURE_INCEPTION, 4);
    time_get(m, r, FID_DNS_TKEY_SIGNATURE_EXPIRATION, 4);
    get_be16(m->d, r, FID_DNS_TKEY_MODE);
    get_be16(m->d, r, FID_DNS_TKEY_ERROR);
    sized_get(m, r, FID_DNS_TKEY_KEY_SIZE, FID_DNS_TKEY_KEY_DATA);
    sized_get(m, r, FID_DNS_TKEY_OTHER_SIZE, FID_DNS_TKEY_OTHER_DATA);
}

/* tsig_read: RFC 8945, 4.2. */
static void tsig_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    struct slice algorithm = dns_name_get(m, r, FID_DNS_TSIG_ALGORITHM_NAME);
    time_get(m, r, FID_DNS_TSIG_TIME_SIGNED, 6);
    get_be16(d, r, FID_DNS_TSIG_FUDGE);
    uint16_t n = get_be16(d, r, FID_DNS_TSIG_MAC_SIZE);
    uint32_t off = rd_off(r);
    rd_skip(r, n);
    if (rd_ok(r) && n) {
        fv_open(d->out, FID_DNS_TSIG_MAC, off, n);
        if (!slice_eq(algorithm, SLICE("gss-tsig")) && !slice_eq(algorithm, SLICE("gss.microsoft.com"))) {
            struct fval *f = d_anomaly(d, FID_DNS_TSIG_NOALG, off, n);
            if (f) f->s = algorithm;
        }
        fv_close(d->out);
    }
    get_be16(d, r, FID_DNS_TSIG_ORIGINAL_ID);
    get_be16(d, r, FID_DNS_TSIG_ERROR);
    sized_get(m, r, FID_DNS_TSIG_OTHER_LEN, FID_DNS_TSIG_OTHER_DATA);
}

/* caa_read: RFC 8659, 4.1. The line of the tag holds the value and has its parts below it. */
static void caa_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    uint32_t off = rd_off(r);
    uint8_t flags = rd_u8(r), n = (uint8_t)(rd_peek(r, 0) < 0 ? 0 : rd_peek(r, 0));
    if (!rd_ok(r)) return;
    uint32_t at = fv_open(d->out, FID_DNS_CAA_FLAGS, off, 1);
    if (at != FV_UNWANTED) fv_at(d->out, at)->u = flags;
    fv_u(d->out, FID_DNS_CAA_FLAGS_ISSUER_CRITICAL, off, 1, flags >> 7);
    fv_close(d->out);
    uint32_t start = rd_off(r), len = (uint32_t)rd_left(r);
    rd_u8(r);
    struct slice tag = rd_take(r, n), value = rd_rest(r);
    if (!rd_ok(r)) return;
    uint16_t id = FID_DNS_CAA_UNKNOWN;
    if (slice_eq(tag, SLICE("issue"))) id = FID_DNS_CAA_ISSUE;
    if (slice_eq(tag, SLICE("issuewild"))) id = FID_DNS_CAA_ISSUEWILD;
    if (slice_eq(tag, SLICE("iodef"))) id = FID_DNS_CAA_IODEF;
    at = fv_open(d->out, id, start, len);
    if (at != FV_UNWANTED) fv_at(d->out, at)->s = value;
    fv_u(d->out, FID_DNS_CAA_TAG_LENGTH, start, 1, n);
    fv_s(d->out, FID_DNS_CAA_TAG, start + 1, n, tag);
    dns_text_get(m, r, FID_DNS_CAA_VALUE, value.n);
    fv_close(d->out);
}

static void wins_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    uint32_t off = rd_off(r), flags = rd_be32(r);
    if (rd_ok(r)) fv_u(d->out, FID_DNS_WINS_LOCAL_FLAG, off, 4, flags & 1);
    get_be32(d, r, FID_DNS_WINS_LOOKUP_TIMEOUT);
    get_be32(d, r, FID_DNS_WINS_CACHE_TIMEOUT);
    uint32_t n = get_be32(d, r, FID_DNS_WINS_NB_WINS_SERVERS);
    for (uint32_t i = 0; i < n && rd_ok(r); i++) dns_address4_get(m, r, FID_DNS_WINS_WINS_SERVER, 4);
}

static void winsr_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    uint32_t off = rd_off(r), flags = rd_be32(r);
    if (rd_ok(r)) fv_u(d->out, FID_DNS_WINSR_LOCAL_FLAG, off, 4, flags & 1);
    get_be32(d, r, FID_DNS_WINSR_LOOKUP_TIMEOUT);
    get_be32(d, r, FID_DNS_WINSR_CACHE_TIMEOUT);
    dns_name_get(m, r, FID_DNS_WINSR_NAME_RESULT_DOMAIN);
}

static void xpf_read(struct dns_msg *m, struct reader *r) {
    struct decode *d = m->d;
    uint8_t version = get_u8(d, r, FID_DNS_XPF_IP_VERSION);
    if (version != 4 && version != 6) return;
    get_u8(d, r, FID_DNS_XPF_PROTOCOL);
    if (version == 4) {
        dns_address4_get(m, r, FID_DNS_XPF_SOURCE_IPV4, 4);
        dns_address4_get(m, r, FID_DNS_XPF_DESTINATION_IPV4, 4);
    } else {
        dns_address6_get(m, r, FID_DNS_XPF_SOURCE_IPV6, 16);
        dns_address6_get(m, r, FID_DNS_XPF_DESTINATION_IPV6, 16);
    }
    get_be16(d, r, FID_DNS_XPF_SPORT);
    get_be16(d, r, FID_DNS_XPF_DPORT);
}

bool dns_rdata_special(struct dns_msg *m, struct reader *r, uint16_t type) {
    switch (type) {
    case DNS_T_WKS: wks_read(m, r); break;
    case DNS_T_ISDN: isdn_read(m, r); break;
    case DNS_T_KEY: key_read(m, r); break;
    case DNS_T_LOC: loc_read(m, r); break;
    case DNS_T_NXT: nxt_read(m, r); break;
    case DNS_T_NAPTR: naptr_read(m, r); break;
    case DNS_T_A6: a6_read(m, r); break;
    case DNS_T_OPT: dns_options_read(m, r); break;
    case DNS_T_APL: apl_read(m, r); break;
    case DNS_T_IPSECKEY: ipseckey_read(m, r); break;
    case DNS_T_DNSKEY:
    case DNS_T_CDNSKEY: dnskey_read(m, r); break;
    case DNS_T_NSEC3: nsec3_read(m, r, false); break;
    case DNS_T_NSEC3PARAM: nsec3_read(m, r, true); break;
    case DNS_T_HIP: hip_read(m, r); break;
    case DNS_T_CSYNC: csync_read(m, r); break;
    case DNS_T_SVCB:
    case DNS_T_HTTPS: dns_svcb_read(m, r); break;
    case DNS_T_TKEY: tkey_read(m, r); break;
    case DNS_T_TSIG: tsig_read(m, r); break;
    case DNS_T_CAA: caa_read(m, r); break;
    case DNS_T_WINS: wins_read(m, r); break;
    case DNS_T_WINSR: winsr_read(m, r); break;
    case DNS_T_XPF: xpf_read(m, r); break;
    default: return false;
    }
    return true;
}
