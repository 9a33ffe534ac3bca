/* SPDX-License-Identifier: Apache-2.0 */
/* The data of resource records that a list of steps describes; the rest is in dns_rdata2.c, dns_opt.c and
 * dns_svcb.c. Each list cites where the layout is written. */
#include "proto/dns/dns.h"

enum step_kind {
    S_END,
    S_NAME,
    S_U8,
    S_U16,
    S_U32,
    S_TIME, /* 32 bits, seconds since 1970 */
    S_IP4,
    S_IP6,
    S_TEXT,   /* length byte (id) and text (id2) */
    S_TEXTS,  /* texts up to the end of the record */
    S_REST,   /* bytes up to the end of the record */
    S_WORDS,  /* text up to the end of the record */
    S_BITMAP, /* types, RFC 4034, 4.1.2 */
    S_ETHER,
    S_8BYTES,
};

struct step {
    uint8_t kind;
    uint16_t id, id2;
};

struct layout {
    uint16_t type;
    struct step step[10];
};

/* In ascending order of types. */
static const struct layout layouts[] = {
    {DNS_T_A, {{S_IP4, FID_DNS_A}}},    /* RFC 1035, 3.4.1 */
    {DNS_T_NS, {{S_NAME, FID_DNS_NS}}}, /* 3.3.11 */
    {DNS_T_MD, {{S_NAME, FID_DNS_MD}}},
    {DNS_T_MF, {{S_NAME, FID_DNS_MF}}},
    {DNS_T_CNAME, {{S_NAME, FID_DNS_CNAME}}}, /* 3.3.1 */
    {DNS_T_SOA,                               /* 3.3.13 */
     {{S_NAME, FID_DNS_SOA_MNAME},
      {S_NAME, FID_DNS_SOA_RNAME},
      {S_U32, FID_DNS_SOA_SERIAL_NUMBER},
      {S_U32, FID_DNS_SOA_REFRESH_INTERVAL},
      {S_U32, FID_DNS_SOA_RETRY_INTERVAL},
      {S_U32, FID_DNS_SOA_EXPIRE_LIMIT},
      {S_U32, FID_DNS_SOA_MINIMUM_TTL}}},
    {DNS_T_MB, {{S_NAME, FID_DNS_MB}}},
    {DNS_T_MG, {{S_NAME, FID_DNS_MG}}},
    {DNS_T_MR, {{S_NAME, FID_DNS_MR}}},
    {DNS_T_NULL, {{S_REST, FID_DNS_NULL}}},
    {DNS_T_PTR, {{S_NAME, FID_DNS_PTR_DOMAIN_NAME}}}, /* 3.3.12 */
    {DNS_T_HINFO,
     {{S_TEXT, FID_DNS_HINFO_CPU_LENGTH, FID_DNS_HINFO_CPU}, {S_TEXT, FID_DNS_HINFO_OS_LENGTH, FID_DNS_HINFO_OS}}},
    {DNS_T_MINFO, {{S_NAME, FID_DNS_MINFO_R}, {S_NAME, FID_DNS_MINFO_E}}},
    {DNS_T_MX, {{S_U16, FID_DNS_MX_PREFERENCE}, {S_NAME, FID_DNS_MX_MAIL_EXCHANGE}}}, /* 3.3.9 */
    {DNS_T_TXT, {{S_TEXTS, FID_DNS_TXT_LENGTH, FID_DNS_TXT}}},                        /* 3.3.14 */
    {DNS_T_RP, {{S_NAME, FID_DNS_RP_MAILBOX}, {S_NAME, FID_DNS_RP_TXT_RR}}},          /* RFC 1183 */
    {DNS_T_AFSDB, {{S_U16, FID_DNS_AFSDB_SUBTYPE}, {S_NAME, FID_DNS_AFSDB_HOSTNAME}}},
    {DNS_T_X25, {{S_TEXT, FID_DNS_X25_LENGTH, FID_DNS_X25_PSDN_ADDRESS}}},
    {DNS_T_RT, {{S_U16, FID_DNS_RT_SUBTYPE}, {S_NAME, FID_DNS_RT_INTERMEDIATE_HOST}}},
    {DNS_T_NSAP, {{S_REST, FID_DNS_NSAP_RDATA}}},
    {DNS_T_NSAP_PTR, {{S_NAME, FID_DNS_NSAP_PTR_OWNER}}},
    {DNS_T_SIG, /* RFC 2535, 4.1 */
     {{S_U16, FID_DNS_RRSIG_TYPE_COVERED},
      {S_U8, FID_DNS_RRSIG_ALGORITHM},
      {S_U8, FID_DNS_RRSIG_LABELS},
      {S_U32, FID_DNS_RRSIG_ORIGINAL_TTL},
      {S_TIME, FID_DNS_RRSIG_SIGNATURE_EXPIRATION},
      {S_TIME, FID_DNS_RRSIG_SIGNATURE_INCEPTION},
      {S_U16, FID_DNS_RRSIG_KEY_TAG},
      {S_NAME, FID_DNS_RRSIG_SIGNERS_NAME},
      {S_REST, FID_DNS_RRSIG_SIGNATURE}}},
    {DNS_T_PX, {{S_U16, FID_DNS_PX_PREFERENCE}, {S_NAME, FID_DNS_PX_MAP822}, {S_NAME, FID_DNS_PX_MAP400}}},
    {DNS_T_GPOS,
     {{S_TEXT, FID_DNS_GPOS_LONGITUDE_LENGTH, FID_DNS_GPOS_LONGITUDE},
      {S_TEXT, FID_DNS_GPOS_LATITUDE_LENGTH, FID_DNS_GPOS_LATITUDE},
      {S_TEXT, FID_DNS_GPOS_ALTITUDE_LENGTH, FID_DNS_GPOS_ALTITUDE}}},
    {DNS_T_AAAA, {{S_IP6, FID_DNS_AAAA}}}, /* RFC 3596 */
    {DNS_T_SRV,                            /* RFC 2782 */
     {{S_U16, FID_DNS_SRV_PRIORITY},
      {S_U16, FID_DNS_SRV_WEIGHT},
      {S_U16, FID_DNS_SRV_PORT},
      {S_NAME, FID_DNS_SRV_TARGET}}},
    {DNS_T_KX, {{S_U16, FID_DNS_KX_PREFERENCE}, {S_NAME, FID_DNS_KX_KEY_EXCHANGE}}},
    {DNS_T_CERT, /* RFC 4398 */
     {{S_U16, FID_DNS_CERT_TYPE},
      {S_U16, FID_DNS_CERT_KEY_TAG},
      {S_U8, FID_DNS_CERT_ALGORITHM},
      {S_REST, FID_DNS_CERT_CERTIFICATE}}},
    {DNS_T_DNAME, {{S_NAME, FID_DNS_DNAME}}},
    {DNS_T_DS, /* RFC 4034, 5.1 */
     {{S_U16, FID_DNS_DS_KEY_ID},
      {S_U8, FID_DNS_DS_ALGORITHM},
      {S_U8, FID_DNS_DS_DIGEST_TYPE},
      {S_REST, FID_DNS_DS_DIGEST}}},
    {DNS_T_SSHFP, /* RFC 4255 */
     {{S_U8, FID_DNS_SSHFP_ALGORITHM}, {S_U8, FID_DNS_SSHFP_FINGERPRINT_TYPE}, {S_REST, FID_DNS_SSHFP_FINGERPRINT}}},
    {DNS_T_RRSIG, /* RFC 4034, 3.1 */
     {{S_U16, FID_DNS_RRSIG_TYPE_COVERED},
      {S_U8, FID_DNS_RRSIG_ALGORITHM},
      {S_U8, FID_DNS_RRSIG_LABELS},
      {S_U32, FID_DNS_RRSIG_ORIGINAL_TTL},
      {S_TIME, FID_DNS_RRSIG_SIGNATURE_EXPIRATION},
      {S_TIME, FID_DNS_RRSIG_SIGNATURE_INCEPTION},
      {S_U16, FID_DNS_RRSIG_KEY_TAG},
      {S_NAME, FID_DNS_RRSIG_SIGNERS_NAME},
      {S_REST, FID_DNS_RRSIG_SIGNATURE}}},
    {DNS_T_NSEC, {{S_NAME, FID_DNS_NSEC_NEXT_DOMAIN_NAME}, {S_BITMAP}}}, /* RFC 4034, 4.1 */
    {DNS_T_DHCID, {{S_REST, FID_DNS_DHCID_RDATA}}},
    {DNS_T_TLSA, /* RFC 6698, 2.1 */
     {{S_U8, FID_DNS_TLSA_CERTIFICATE_USAGE},
      {S_U8, FID_DNS_TLSA_SELECTOR},
      {S_U8, FID_DNS_TLSA_MATCHING_TYPE},
      {S_REST, FID_DNS_TLSA_CERTIFICATE_ASSOCIATION_DATA}}},
    {DNS_T_CDS, /* RFC 7344 */
     {{S_U16, FID_DNS_DS_KEY_ID},
      {S_U8, FID_DNS_DS_ALGORITHM},
      {S_U8, FID_DNS_DS_DIGEST_TYPE},
      {S_REST, FID_DNS_DS_DIGEST}}},
    {DNS_T_OPENPGPKEY, {{S_WORDS, FID_DNS_OPENPGPKEY}}}, /* RFC 7929 */
    {DNS_T_ZONEMD,                                       /* RFC 8976 */
     {{S_U32, FID_DNS_ZONEMD_SERIAL},
      {S_U8, FID_DNS_ZONEMD_SCHEME},
      {S_U8, FID_DNS_ZONEMD_HASH_ALGO},
      {S_REST, FID_DNS_ZONEMD_DIGEST}}},
    {DNS_T_SPF, {{S_TEXTS, FID_DNS_SPF_LENGTH, FID_DNS_SPF}}},
    {DNS_T_NID, {{S_U16, FID_DNS_ILNP_NID_PREFERENCE}, {S_8BYTES, FID_DNS_ILNP_NID}}}, /* RFC 6742 */
    {DNS_T_L32, {{S_U16, FID_DNS_ILNP_L32_PREFERENCE}, {S_IP4, FID_DNS_ILNP_L32}}},
    {DNS_T_L64, {{S_U16, FID_DNS_ILNP_L64_PREFERENCE}, {S_8BYTES, FID_DNS_ILNP_L64}}},
    {DNS_T_LP, {{S_U16, FID_DNS_ILNP_LP_PREFERENCE}, {S_NAME, FID_DNS_ILNP_LP}}},
    {DNS_T_EUI48, {{S_ETHER, FID_DNS_EUI48}}}, /* RFC 7043 */
    {DNS_T_EUI64, {{S_8BYTES, FID_DNS_EUI64}}},
    {DNS_T_DLV, /* RFC 4431 */
     {{S_U16, FID_DNS_DS_KEY_ID},
      {S_U8, FID_DNS_DS_ALGORITHM},
      {S_U8, FID_DNS_DS_DIGEST_TYPE},
      {S_REST, FID_DNS_DS_DIGEST}}},
};

static const struct layout *layout_find(uint16_t type) {
    size_t lo = 0, hi = sizeof layouts / sizeof *layouts;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (layouts[mid].type == type) return &layouts[mid];
        if (layouts[mid].type < type) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}

void dns_text_get(struct dns_msg *m, struct reader *r, uint16_t id, size_t n) {
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, n);
    if (!rd_ok(r)) return;
    const uint8_t *nul = s.n ? memchr(s.p, 0, s.n) : NULL;
    fv_s(m->d->out, id, off, (uint32_t)n, nul ? slice_head(s, (size_t)(nul - s.p)) : s);
}

void dns_address4_get(struct dns_msg *m, struct reader *r, uint16_t id, size_t n) {
    uint32_t off = rd_off(r), value = 0;
    struct slice s = rd_take(r, n);
    for (size_t i = 0; i < s.n && i < 4; i++) value |= (uint32_t)s.p[i] << (24 - 8 * i);
    if (rd_ok(r)) fv_u(m->d->out, id, off, (uint32_t)n, value);
}

void dns_address6_get(struct dns_msg *m, struct reader *r, uint16_t id, size_t n) {
    uint32_t off = rd_off(r);
    struct slice s = rd_take(r, n);
    if (!rd_ok(r) || !d_wants(m->d, id)) return;
    if (s.n != 16) {
        uint8_t *whole = arena_get(m->d->arena, 16);
        if (!whole) return;
        memset(whole, 0, 16);
        if (s.n) memcpy(whole, s.p, s.n < 16 ? s.n : 16);
        s = slice_of(whole, 16);
    }
    fv_s(m->d->out, id, off, (uint32_t)n, s);
}

void dns_bitmap_read(struct dns_msg *m, struct reader *r) {
    while (rd_ok(r) && rd_left(r)) {
        unsigned type = rd_u8(r) * 256u;
        unsigned n = rd_u8(r);
        for (unsigned i = 0; i < n && rd_ok(r); i++) {
            uint32_t off = rd_off(r);
            uint8_t bits = rd_u8(r);
            for (unsigned bit = 0; bit < 8; bit++, type++) {
                if (!(bits & 0x80u >> bit)) continue;
                struct fval *f = fv_u(m->d->out, FID_DNS_RESP_TYPE, off, 1, type);
                if (f) f->extra = DNS_X_BITMAP;
            }
        }
    }
}

static void step_read(struct dns_msg *m, struct reader *r, const struct step *s) {
    struct decode *d = m->d;
    uint32_t off = rd_off(r);
    switch ((enum step_kind)s->kind) {
    case S_END: break;
    case S_NAME: dns_name_get(m, r, s->id); break;
    case S_U8: get_u8(d, r, s->id); break;
    case S_U16: get_be16(d, r, s->id); break;
    case S_U32: get_be32(d, r, s->id); break;
    case S_TIME: {
        uint32_t seconds = rd_be32(r);
        if (rd_ok(r)) fv_i(d->out, s->id, off, 4, (int64_t)seconds * 1000000000);
        break;
    }
    case S_IP4: dns_address4_get(m, r, s->id, 4); break;
    case S_IP6: dns_address6_get(m, r, s->id, 16); break;
    case S_TEXTS:
    case S_TEXT: {
        uint8_t n = get_u8(d, r, s->id);
        if (rd_ok(r)) dns_text_get(m, r, s->id2, n);
        break;
    }
    case S_REST:
        if (rd_left(r)) get_bytes(d, r, s->id, rd_left(r));
        break;
    case S_WORDS: dns_text_get(m, r, s->id, rd_left(r)); break;
    case S_BITMAP: dns_bitmap_read(m, r); break;
    case S_ETHER: get_bytes(d, r, s->id, 6); break;
    case S_8BYTES: get_bytes(d, r, s->id, 8); break;
    }
}

void dns_rdata_read(struct dns_msg *m, struct reader *r, uint16_t type, uint32_t type_off) {
    const struct layout *l = layout_find(type);
    if (l) {
        for (const struct step *s = l->step; s->kind != S_END && rd_ok(r); s++) {
            do step_read(m, r, s);
            while (s->kind == S_TEXTS && rd_ok(r) && rd_left(r));
        }
        return;
    }
    if (dns_rdata_special(m, r, type)) return;
    struct fval *f = d_anomaly(m->d, FID_DNS_UNDECODED_TYPE, type_off, 2);
    if (f) f->u = type;
    get_bytes(m->d, r, FID_DNS_DATA, rd_left(r));
}
