/* SPDX-License-Identifier: Apache-2.0 */
/* Linux cooked captures: the header the kernel puts before packets of the "any" device (LINKTYPE_LINUX_SLL and
 * LINKTYPE_LINUX_SLL2 of the tcpdump-group's registry). */
#include "proto/protos.h"
#include "proto/vlan/vlan.h"

enum { HEADER_1 = 16, HEADER_2 = 20, ADDRESS = 8, LINK_SLL2 = 276, LEAST_TYPE = 0x0600, HW_GRE = 778, TYPE_LLC = 4 };
enum { HATYPE_NETLINK = 824 };

/* protocol_add shows the protocol under the name that its kind has. */
static void protocol_add(struct decode *d, uint32_t off, uint16_t hatype, uint16_t protocol) {
    uint16_t id = hatype == HW_GRE ? FID_SLL_GRETYPE : protocol < LEAST_TYPE ? FID_SLL_LTYPE : FID_SLL_ETYPE;
    fv_u(d->out, id, off, 2, protocol);
}

/* address_read reads the eight bytes of which `len` are the sender's address. */
static void address_read(struct decode *d, struct reader *r, uint16_t len) {
    uint32_t used = len < ADDRESS ? len : ADDRESS;
    struct slice all = rd_rest(r);
    if (all.n < ADDRESS) {
        rd_fail(r);
        return;
    }
    if (used == 4) get_be32(d, r, FID_SLL_SRC_IPV4);
    else if (used) get_bytes(d, r, used == 6 ? FID_SLL_SRC_ETH : FID_SLL_SRC_OTHER, used);
    if (used == 6 || used == 4) d->link_src = addr_of(all.p, (uint8_t)used);
    if (used < ADDRESS) get_bytes(d, r, FID_SLL_UNUSED, ADDRESS - used);
}

static uint16_t version_1(struct decode *d, struct reader *r) {
    get_be16(d, r, FID_SLL_PKTTYPE);
    uint16_t hatype = get_be16(d, r, FID_SLL_HATYPE);
    address_read(d, r, get_be16(d, r, FID_SLL_HALEN));
    uint32_t off = rd_off(r);
    uint16_t protocol = rd_be16(r);
    if (rd_ok(r)) protocol_add(d, off, hatype, protocol);
    return protocol;
}

static uint16_t version_2(struct decode *d, struct reader *r) {
    if (rd_left(r) < HEADER_2) {
        rd_fail(r);
        return 0;
    }
    uint32_t off = rd_off(r);
    uint16_t protocol = rd_be16(r);
    rd_skip(r, 2); /* reserved */
    protocol_add(d, off, load_be16(r->p + 4), protocol);
    get_be32(d, r, FID_SLL_IFINDEX);
    get_be16(d, r, FID_SLL_HATYPE);
    get_u8(d, r, FID_SLL_PKTTYPE);
    address_read(d, r, get_u8(d, r, FID_SLL_HALEN));
    return protocol;
}

static bool payload_pass(struct decode *d, uint16_t protocol, struct slice payload) {
    if (protocol >= LEAST_TYPE) return d->ops->next(d, TABLE_ETHERTYPE, protocol, payload);
    return protocol == TYPE_LLC && d->ops->next(d, TABLE_LLC, 0, payload);
}

static void sll_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    bool second = d->pkt->iface->linktype == LINK_SLL2;
    if (!second && in.n >= HEADER_1 && load_be16(in.p + 2) == HATYPE_NETLINK) { /* its header has the same form */
        d->ops->call(d, &proto_netlink, in);
        return;
    }
    uint32_t at = d_begin(d, &proto_sll, rd_off(&r), second ? HEADER_2 : HEADER_1);
    struct fval *own = fv_at(d->out, at);
    if (own) own->extra = second ? 2 : 1;
    uint16_t protocol = second ? version_2(d, &r) : version_1(d, &r);
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        d_end(d);
        return;
    }
    struct slice payload = rd_rest(&r);
    uint32_t own_end = d->out->n;
    d_end(d);
    d->payload_end = NULL;
    if (!payload_pass(d, protocol, payload)) d_data(d, payload);
    if (!d->payload_end || d->payload_end >= r.end || d->out->src) return;
    struct slice trailer = slice_of(d->payload_end, (size_t)(r.end - d->payload_end));
    uint32_t from = d->out->n;
    d->out->depth++;
    vlan_trailer_add(d, FID_SLL_TRAILER, trailer);
    fv_close(d->out);
    d_move_back(d, own_end, from);
}

static bool sll_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_SLL) return false;
    wr_f(w, "Linux cooked capture v%u", v->v[at].extra);
    return true;
}

static void sll_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_SLL_PKTTYPE, at, end);
    const char *name = type ? field_value_name(&vals_sll_pkttype, type->u) : NULL;
    if (name) wr_s(w, name);
    else if (type) wr_f(w, "Unknown (%u)", (unsigned)type->u);
}

static const uint16_t info_fields[] = {FID_SLL_PKTTYPE, 0};
static const struct proto_key keys[] = {{TABLE_LINK, 113}, {TABLE_LINK, LINK_SLL2}, {TABLE_COUNT, 0}};
const struct proto proto_sll = {.name = "sll",
                                .column = "SLL",
                                .id = FID_SLL,
                                .end = FID_SLL_END,
                                .keys = keys,
                                .read = sll_read,
                                .info = sll_info,
                                .info_fields = info_fields,
                                .label = sll_label};
