/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/talk_addr.h"

#include "base/reader.h"
#include "field/print.h"

void talk_addr_print(struct writer *w, const struct talk_addr *a) {
    if (a->len == 4) print_ipv4(w, load_be32(a->bytes));
    else if (a->len == 16) print_ipv6(w, a->bytes);
    else wr_hexbytes(w, slice_of(a->bytes, a->len), ':');
}

void talk_addr_port_print(struct writer *w, const struct talk_addr *a) {
    if (a->len == 16) wr_c(w, '[');
    talk_addr_print(w, a);
    wr_f(w, "%s:%u", a->len == 16 ? "]" : "", a->port);
}

void talk_addr_json(struct writer *w, const struct talk_addr *a) {
    wr_s(w, "{\"address\":\"");
    talk_addr_print(w, a);
    wr_f(w, "\",\"port\":%u}", a->port);
}

void talk_ends_want(struct want *w) {
    static const uint16_t ids[] = {FID_IP_SRC,      FID_IP_DST,      FID_IPV6_SRC,    FID_IPV6_DST,
                                   FID_TCP_SRCPORT, FID_TCP_DSTPORT, FID_UDP_SRCPORT, FID_UDP_DSTPORT};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) want_add(w, ids[i]);
}
