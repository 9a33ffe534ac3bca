/* SPDX-License-Identifier: Apache-2.0 */
/* The header of Solaris IP observability devices (LINKTYPE_IPNET of the tcpdump-group's registry). */
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
