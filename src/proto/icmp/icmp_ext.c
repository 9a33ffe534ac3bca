/* SPDX-License-Identifier: Apache-2.0 */
/* Extension structure of ICMP error messages (RFC 4884) with MPLS label stacks (RFC 4950) and interface
 * information (RFC 5837). Its fields have ICMP's names also inside ICMPv6. */
#include "proto/icmp/icmp.h"

#include "proto/icmp/checksum.h"
#include "proto/protos.h"

enum { HEADER = 4, QUOTED_LEAST = 128, VERSION = 2, CLASS_MPLS = 1, CLASS_INTERFACE = 2, AFI_IPV4 = 1, AFI_IPV6 = 2 };

static void mpls_read(struct decode *d, struct reader *r) {
    while (rd_left(r) >= 4) {
        uint32_t off = rd_off(r), entry = rd_be32(r);
        fv_open(d->out, FID_ICMP_MPLS, off, 4);
        fv_u(d->out, FID_ICMP_MPLS_LABEL, off, 3, entry >> 12);
        fv_u(d->out, FID_ICMP_MPLS_EXP, off + 2, 1, entry >> 9 & 7);
        fv_u(d->out, FID_ICMP_MPLS_S, off + 2, 1, entry >> 8 & 1);
        fv_u(d->out, FID_ICMP_MPLS_TTL, off + 3, 1, entry & 255);
        fv_close(d->out);
    }
}

static void interface_address(struct decode *d, struct reader *r) {
    uint16_t family = get_be16(d, r, FID_ICMP_INT_INFO_AFI);
    get_bytes(d, r, FID_ICMP_RESERVED, 2);
    if (!rd_ok(r)) return;
    if (family == AFI_IPV4) get_be32(d, r, FID_ICMP_INT_INFO_IPV4);
    else if (family == AFI_IPV6) get_bytes(d, r, FID_ICMP_INT_INFO_IPV6, 16);
    else get_bytes(d, r, FID_ICMP_INT_INFO_IPUNKNOWN, rd_left(r));
}

static void interface_name(struct decode *d, struct reader *r) {
    uint8_t len = get_u8(d, r, FID_ICMP_INT_INFO_NAME_LENGTH); /* counts itself */
    if (!rd_ok(r) || len < 2) return;
    uint32_t off = rd_off(r);
    struct slice name = rd_take(r, len - 1u);
    if (!rd_ok(r)) return;
    const uint8_t *nul = memchr(name.p, 0, name.n);
    fv_s(d->out, FID_ICMP_INT_INFO_NAME, off, len - 1u, nul ? slice_head(name, (size_t)(nul - name.p)) : name);
}

static void interface_read(struct decode *d, struct reader *r, uint32_t type_off, uint8_t bits) {
    static const struct {
        uint16_t id;
        uint8_t shift, mask;
    } parts[] = {{FID_ICMP_INT_INFO_ROLE, 6, 3},         {FID_ICMP_INT_INFO_RESERVED, 4, 3},
                 {FID_ICMP_INT_INFO_IFINDEX, 3, 1},      {FID_ICMP_INT_INFO_IPADDR, 2, 1},
                 {FID_ICMP_INT_INFO_NAME_PRESENT, 1, 1}, {FID_ICMP_INT_INFO_MTU_PRESENT, 0, 1}};
    d->out->depth++;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        fv_u(d->out, parts[i].id, type_off, 1, bits >> parts[i].shift & parts[i].mask);
    fv_close(d->out);
    if (bits & 8) get_be32(d, r, FID_ICMP_INT_INFO_INDEX);
    if (bits & 4) interface_address(d, r);
    if (bits & 2) interface_name(d, r);
    if (bits & 1) get_be32(d, r, FID_ICMP_INT_INFO_MTU);
}

/* object_read reads one object; false where no other can follow. */
static bool object_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    struct slice head = slice_head(rd_rest(r), HEADER);
    size_t len = head.n == HEADER ? load_be16(head.p) : 0, have = rd_left(r);
    fv_open(d->out, FID_ICMP_EXT_OBJECT, off, (uint32_t)(len && len < have ? len : have));
    get_be16(d, r, FID_ICMP_EXT_LENGTH);
    uint8_t class = get_u8(d, r, FID_ICMP_EXT_CLASS), type = get_u8(d, r, FID_ICMP_EXT_CTYPE);
    bool fits = rd_ok(r) && len >= HEADER && len <= have;
    if (fits) {
        struct reader body = rd_sub(r, len - HEADER);
        if (class == CLASS_MPLS) mpls_read(d, &body);
        else if (class == CLASS_INTERFACE) interface_read(d, &body, off + 3, type);
        else if (rd_left(&body)) get_bytes(d, &body, FID_ICMP_EXT_DATA, rd_left(&body));
    }
    fv_close(d->out);
    return fits;
}

void icmp_extension_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    fv_open(d->out, FID_ICMP_EXT, off, (uint32_t)in.n);
    uint16_t head = rd_be16(&r);
    if (rd_ok(&r)) {
        fv_u(d->out, FID_ICMP_EXT_VERSION, off, 1, head >> 12);
        fv_u(d->out, FID_ICMP_EXT_RES, off, 2, head & 0xfff);
    }
    uint16_t sum = rd_be16(&r);
    if (rd_ok(&r)) {
        bool whole = !d->quoted && !d->wire_len;
        uint16_t rest = whole ? checksum_fold(checksum_add(0, in)) : 0;
        d_open_u(d, FID_ICMP_EXT_CHECKSUM, off + 2, 2, sum);
        if (rest) {
            struct fval *f = d_anomaly(d, FID_ICMP_EXT_CHECKSUM_BAD, off + 2, 2);
            if (f) f->extra = checksum_expected(sum, rest);
        }
        fv_close(d->out);
        fv_u(d->out, FID_ICMP_EXT_CHECKSUM_STATUS, off + 2, 0,
             !whole ? CHECKSUM_UNVERIFIED
             : rest ? CHECKSUM_BAD
                    : CHECKSUM_GOOD);
    }
    while (rd_ok(&r) && rd_left(&r) >= HEADER)
        if (!object_read(d, &r)) break;
    fv_close(d->out);
}

struct slice icmp_extensions(struct decode *d, struct slice body, uint8_t words, uint8_t unit) {
    size_t quoted = words ? (size_t)words * unit : QUOTED_LEAST;
    bool short_quote = unit == 4 && quoted < QUOTED_LEAST; /* RFC 4884 4.1 */
    if (short_quote || body.n < quoted + HEADER) return body;
    struct slice in = slice_tail(body, quoted);
    /* Without a length the structure must prove that it is one: old senders put it behind 128 bytes. */
    bool plausible = in.p[0] >> 4 == VERSION && !(load_be16(in.p) & 0xfff);
    if (!words && (!plausible || checksum_fold(checksum_add(0, in)))) return body;
    icmp_extension_read(d, in);
    return slice_head(body, quoted);
}
