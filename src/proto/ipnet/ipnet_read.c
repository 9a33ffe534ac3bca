/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of Solaris IP observability devices (LINKTYPE_IPNET) and of what Apple's systems watch, which names the
 * process (LINKTYPE_PKTAP); both in the registry of the tcpdump-group. */
#include "proto/protos.h"

enum { HEADER = 24, FAMILY_INET = 2, FAMILY_INET6 = 26, TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };

static void ipnet_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_ipnet, rd_off(&r), HEADER);
    get_u8(d, &r, FID_IPNET_VERSION);
    uint8_t family = get_u8(d, &r, FID_IPNET_FAMILY);
    get_be16(d, &r, FID_IPNET_HTYPE);
    get_be32(d, &r, FID_IPNET_PKTLEN);
    get_be32(d, &r, FID_IPNET_IFINDEX);
    get_be32(d, &r, FID_IPNET_GRIFINDEX);
    get_be32(d, &r, FID_IPNET_ZSRC);
    get_be32(d, &r, FID_IPNET_ZDST);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (!rd_ok(&r)) return;
    uint16_t type = family == FAMILY_INET ? TYPE_IPV4 : family == FAMILY_INET6 ? TYPE_IPV6 : 0;
    if (!type || !d->ops->next(d, TABLE_ETHERTYPE, type, rd_rest(&r))) d_data(d, rd_rest(&r));
}

static const struct proto_key keys[] = {{TABLE_LINK, 226}, {TABLE_COUNT, 0}};
const struct proto proto_ipnet = {.name = "ipnet",
                                  .column = "IPNET",
                                  .id = FID_IPNET,
                                  .end = FID_IPNET_END,
                                  .keys = keys,
                                  .read = ipnet_read,
                                  .carrier = true};

enum { PKTAP_NAME = 24, PKTAP_COMMAND = 20, PKTAP_HEADER = 108, PKTAP_PACKET = 1 };

/* text_read reads a text that ends with a byte 0 where it is shorter than its place. */
static void text_read(struct decode *d, struct reader *r, uint16_t id, size_t n) {
    uint32_t off = rd_off(r);
    struct slice place = rd_take(r, n);
    if (rd_ok(r)) fv_s(d->out, id, off, (uint32_t)n, slice_of(place.p, strnlen((const char *)place.p, n)));
}

static void pktap_header(struct decode *d, struct reader *r) {
    static const struct d_row head[] = {
        {FID_PKTAP_HDRLEN, 4, true}, {FID_PKTAP_RECTYPE, 4, true}, {FID_PKTAP_DLT, 4, true}};
    static const struct d_row middle[] = {{FID_PKTAP_FLAGS, 4, true},
                                          {FID_PKTAP_PFAMILY, 4, true},
                                          {FID_PKTAP_LLHDRLEN, 4, true},
                                          {FID_PKTAP_LLTRLRLEN, 4, true},
                                          {FID_PKTAP_PID, 4, true}};
    static const struct d_row rest[] = {{FID_PKTAP_SVC_CLASS, 4, true},
                                        {FID_PKTAP_IFTYPE, 2, true},
                                        {FID_PKTAP_IFUNIT, 2, true},
                                        {FID_PKTAP_EPID, 4, true}};
    d_rows(d, r, D_ROWS(head));
    text_read(d, r, FID_PKTAP_IFNAME, PKTAP_NAME);
    d_rows(d, r, D_ROWS(middle));
    text_read(d, r, FID_PKTAP_CMDNAME, PKTAP_COMMAND);
    d_rows(d, r, D_ROWS(rest));
    text_read(d, r, FID_PKTAP_ECMDNAME, PKTAP_COMMAND);
}

static void pktap_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_pktap, off, (uint32_t)in.n);
    struct slice fixed = slice_head(in, PKTAP_HEADER);
    pktap_header(d, &r);
    uint32_t len = rd_ok(&r) ? load_le32(fixed.p) : 0, kind = rd_ok(&r) ? load_le32(fixed.p + 4) : 0;
    if (!rd_ok(&r)) d_bad(d, &r);
    else if (len < PKTAP_HEADER) d_anomaly(d, FID_PKTAP_HDRLEN_TOO_SHORT, off, 4);
    else fv_set_len(d->out, at, len);
    d_end(d);
    if (len < PKTAP_HEADER || kind != PKTAP_PACKET) return;
    struct slice packet = slice_tail(in, len);
    if (!d->ops->next(d, TABLE_LINK, load_le32(fixed.p + 8), packet)) d_data(d, packet);
}

static const struct proto_key pktap_keys[] = {{TABLE_LINK, 258}, {TABLE_COUNT, 0}};
const struct proto proto_pktap = {.name = "pktap",
                                  .column = "PKTAP",
                                  .id = FID_PKTAP,
                                  .end = FID_PKTAP_END,
                                  .keys = pktap_keys,
                                  .read = pktap_read,
                                  .carrier = true};
