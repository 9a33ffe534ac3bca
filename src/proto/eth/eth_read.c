/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet II and IEEE 802.3 headers, padding, trailer and frame check sequence (IEEE 802.3-2018, clause 3). */
#include "proto/eth/eth.h"

#include "proto/protos.h"

enum { TYPE_FABRICPATH = 0x8903, LEAST_TYPE = 0x0600, LEAST_FRAME = 60, FCS = 4 };

/* Which fields one of the two addresses fills. */
struct address_ids {
    uint16_t addr, resolved, oui, oui_resolved, lg, ig;
};
static const struct address_ids dst_ids = {
    FID_ETH_DST, FID_ETH_DST_RESOLVED, FID_ETH_DST_OUI, FID_ETH_DST_OUI_RESOLVED, FID_ETH_DST_LG, FID_ETH_DST_IG};
static const struct address_ids src_ids = {
    FID_ETH_SRC, FID_ETH_SRC_RESOLVED, FID_ETH_SRC_OUI, FID_ETH_SRC_OUI_RESOLVED, FID_ETH_SRC_LG, FID_ETH_SRC_IG};

static struct slice mac_text(struct decode *d, struct slice mac) {
    char *text = arena_get(d->arena, 17);
    if (!text) return (struct slice){0};
    struct writer w = wr_fixed(text, 17);
    print_ether(&w, mac.p);
    return wr_done(&w);
}

/* eth_address_names adds the hidden companions of a MAC address: its text, its vendor prefix as a number and,
 * where it is known, the vendor's name. `off` is the place of the address, `mac` its six bytes. */
static void eth_address_names(struct decode *d, uint16_t resolved, uint16_t oui, uint16_t oui_resolved, uint32_t off,
                              struct slice mac) {
    if (d_wants(d, resolved)) fv_hide(fv_s(d->out, resolved, off, 6, mac_text(d, mac)));
    fv_hide(fv_u(d->out, oui, off, 3, load_be24(mac.p)));
    if (d_wants(d, oui_resolved) && d->vendor) {
        struct slice vendor = d->vendor(d->vendors, load_be24(mac.p));
        if (vendor.n) fv_hide(fv_s(d->out, oui_resolved, off, 6, vendor));
    }
}

static void address_read(struct decode *d, struct reader *r, const struct address_ids *id) {
    uint32_t off = rd_off(r);
    struct slice mac = rd_take(r, 6);
    if (!rd_ok(r)) return;
    bool local = mac.p[0] & 2, group = mac.p[0] & 1;
    uint32_t at = fv_open(d->out, id->addr, off, 6);
    if (at != FV_UNWANTED) fv_at(d->out, at)->s = mac;
    eth_address_names(d, id->resolved, id->oui, id->oui_resolved, off, mac);
    fv_s(d->out, FID_ETH_ADDR, off, 6, mac);
    eth_address_names(d, FID_ETH_ADDR_RESOLVED, FID_ETH_ADDR_OUI, FID_ETH_ADDR_OUI_RESOLVED, off, mac);
    fv_u(d->out, id->lg, off, 3, local);
    fv_hide(fv_u(d->out, FID_ETH_LG, off, 3, local));
    fv_u(d->out, id->ig, off, 3, group);
    fv_hide(fv_u(d->out, FID_ETH_IG, off, 3, group));
    fv_close(d->out);
    if (id == &src_ids && group) d_anomaly(d, FID_ETH_SRC_NOT_GROUP, off, 6);
}

static bool all_zero(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i]) return false;
    return true;
}

/* padding_read shows the padding up to the least frame and returns what is behind it. `wire` is the frame's length.
 * false in *whole: the capture left out some of it. */
static struct slice padding_read(struct decode *d, struct slice rest, size_t before, size_t wire, bool *whole) {
    if (before >= LEAST_FRAME || wire < LEAST_FRAME) return rest;
    struct slice pad = slice_head(rest, LEAST_FRAME - before);
    if (!all_zero(pad)) {
        d_anomaly(d, FID_ETH_PADDING_BAD, d_off(d, rest.p), (uint32_t)rest.n);
        return rest;
    }
    *whole = pad.n == LEAST_FRAME - before;
    if (*whole) fv_s(d->out, FID_ETH_PADDING, d_off(d, pad.p), (uint32_t)pad.n, pad);
    return slice_tail(rest, pad.n);
}

/* trailer_read shows what follows the network packet: padding, trailer, FCS; false: the capture left out some of it
 * that has a meaning. Where the capture does not say, a frame that is long enough to have one is taken to have its
 * check sequence. */
static bool trailer_read(struct decode *d, struct slice frame, struct slice rest) {
    bool outer = frame.p == d->pkt->data.p, whole = true;
    size_t missing = outer && d->cut ? d->pkt->len - d->pkt->data.n : 0, wire = frame.n + missing;
    struct slice trailer = padding_read(d, rest, (size_t)(rest.p - frame.p), wire, &whole);
    if (!whole) return false;
    bool has_fcs = outer && (d->pkt->iface->fcs_len ? d->pkt->iface->fcs_len == FCS : wire >= LEAST_FRAME + FCS) &&
                   trailer.n + missing >= FCS;
    size_t own = trailer.n + missing - (has_fcs ? FCS : 0);
    trailer = slice_head(trailer, own);
    if (trailer.n) fv_s(d->out, FID_ETH_TRAILER, d_off(d, trailer.p), (uint32_t)trailer.n, trailer);
    if (has_fcs && missing) return false;
    if (has_fcs) {
        uint32_t off = d_off(d, rest.p + rest.n - FCS);
        fv_u(d->out, FID_ETH_FCS, off, FCS, load_be32(rest.p + rest.n - FCS));
        fv_u(d->out, FID_ETH_FCS_STATUS, off, 0, 2);
    }
    return true;
}

/* short_say says that the capture ends within the trailer, at `end`, also where something before it is malformed. */
RARE static void short_say(struct decode *d, const uint8_t *end) {
    uint8_t depth = d->out->depth;
    d->out->depth = 0;
    if (d->out->bad != FID_WS_SHORT) fv_add(d->out, FID_WS_SHORT, d_off(d, end), 0);
    if (!d->out->bad) d->out->bad = FID_WS_SHORT;
    d->out->depth = depth;
}

/* other_read reads what is no header of Ethernet; it has no entry, but the layer is named. */
RARE static void other_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t at = d_begin(d, &proto_eth, rd_off(&r), (uint32_t)in.n);
    if (at != FV_UNWANTED) d->out->n = at;
    if (in.n < 14) d_bad(d, &r);
    d_end(d);
    if (in.n >= 14) d->ops->call(d, &proto_cfp, in); /* its header stands in this one's place */
}

static void eth_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    if (in.n < 14 || load_be16(in.p + 12) == TYPE_FABRICPATH) {
        other_read(d, in);
        return;
    }
    d_begin(d, &proto_eth, rd_off(&r), 14);
    if (want_any(d->out->want, FID_ETH_DST, FID_ETH_TYPE) || (in.p[6] & 1)) {
        address_read(d, &r, &dst_ids);
        address_read(d, &r, &src_ids);
    } else {
        rd_skip(&r, 12);
    }
    uint32_t off = rd_off(&r);
    uint16_t type = rd_be16(&r);
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        d_end(d);
        return;
    }
    addr_set(&d->link_dst, in.p, 6);
    addr_set(&d->link_src, in.p + 6, 6);
    struct slice payload = rd_rest(&r);
    uint32_t own_end;
    if (type >= LEAST_TYPE || !type) { /* no frame is that short: it is a type, of nothing */
        fv_u(d->out, FID_ETH_TYPE, off, 2, type);
        own_end = d->out->n;
        d_end(d);
        d->payload_end = NULL;
        if (!d->ops->next(d, TABLE_ETHERTYPE, type, payload)) d_data(d, payload);
    } else {
        fv_u(d->out, FID_ETH_LEN, off, 2, type);
        own_end = d->out->n;
        struct slice llc = slice_head(payload, type);
        d_end(d);
        if (!d->ops->next(d, TABLE_LLC, 0, llc)) d_data(d, llc);
        d->payload_end = llc.p + llc.n;
    }
    /* The upper layers say where their packet ended; what is behind it is the link layer's again. */
    if (d->payload_end && d->payload_end < in.p + in.n && d->out->src == 0) {
        uint32_t from = d->out->n;
        uint8_t depth = d->out->depth;
        d->out->depth = (uint8_t)(depth + 1);
        bool whole = trailer_read(d, in, slice_of(d->payload_end, (size_t)(in.p + in.n - d->payload_end)));
        d->out->depth = depth;
        d_move_back(d, own_end, from);
        if (!whole) short_say(d, in.p + in.n);
    }
}

static bool eth_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id != FID_ETH || at + 1 >= v->n) return false;
    const struct fval *src = fv_first(v, FID_ETH_SRC, at, v->n), *dst = fv_first(v, FID_ETH_DST, at, v->n);
    if (!src || !dst) return false;
    wr_s(w, fv_first(v, FID_ETH_LEN, at, fv_end(v, at)) ? "IEEE 802.3 Ethernet" : "Ethernet II, Src: ");
    if (fv_first(v, FID_ETH_LEN, at, fv_end(v, at))) return true;
    print_ether(w, src->s.p);
    wr_s(w, ", Dst: ");
    print_ether(w, dst->s.p);
    return true;
}

static void eth_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "Ethernet II");
}

/* 0x6558 is transparent Ethernet bridging (RFC 1701 appendix). */
static const struct proto_key keys[] = {{TABLE_LINK, 1}, {TABLE_ETHERTYPE, 0x6558}, {TABLE_COUNT, 0}};
const struct proto proto_eth = {.name = "eth",
                                .column = "Ethernet",
                                .id = FID_ETH,
                                .end = FID_ETH_END,
                                .keys = keys,
                                .read = eth_read,
                                .info = eth_info,
                                .label = eth_label};
