/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/protos.h"

const struct proto *const weir_protos[] = {
    &proto_frame,  &proto_eth,    &proto_vlan, &proto_ieee8021ad, &proto_sll,   &proto_null, &proto_raw,
    &proto_ppp,    &proto_pppoe,  &proto_pppoes, &proto_pppoed,   &proto_arp,   &proto_ip,   &proto_ipv6,
    &proto_ah,     &proto_icmp,   &proto_icmpv6, &proto_igmp,     &proto_udp,   &proto_tcp,  &proto_data,
    &proto_dns, &proto_mdns, &proto_llmnr,
    NULL,
};

const struct proto *proto_of(uint16_t id) {
    for (size_t i = 0; weir_protos[i]; i++)
        if (id >= weir_protos[i]->id && id < weir_protos[i]->end) return weir_protos[i];
    return NULL;
}

const struct proto *proto_find(struct slice name) {
    for (size_t i = 0; weir_protos[i]; i++)
        if (slice_eq(name, slice_str(weir_protos[i]->name))) return weir_protos[i];
    return NULL;
}
