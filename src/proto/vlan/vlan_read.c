/* SPDX-License-Identifier: Apache-2.0 */
/* VLAN tags: IEEE 802.1Q customer tags and 802.1ad provider tags (IEEE 802.1Q-2014, clause 9). */
#include "proto/vlan/vlan.h"

#include "proto/protos.h"

enum { TAG = 4, LEAST_TYPE = 0x0600, LEAST_FRAME = 60 };

static bool all_zero(struct slice s) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i]) return false;
    return true;
}

void vlan_trailer_add(struct decode *d, uint16_t id, struct slice rest) {
    uint32_t off = d_off(d, rest.p);
    size_t pad = off < LEAST_FRAME && d->pkt->len >= LEAST_FRAME && !d->cut ? LEAST_FRAME - off : 0;
    bool zeros = pad && all_zero(slice_head(rest, pad));
    if (zeros) {
        fv_s(d->out, FID_ETH_PADDING, off, (uint32_t)pad, slice_head(rest, pad));
        rest = slice_tail(rest, pad);
        off += (uint32_t)pad;
    }
    if (!rest.n) return;
    struct fval *f = fv_at(d->out, fv_open(d->out, id, off, (uint32_t)rest.n));
    if (f) f->s = rest;
    if (pad && !zeros) d_anomaly(d, FID_ETH_PADDING_BAD, off, (uint32_t)rest.n);
    fv_close(d->out);
}

/* payload_read hands on what the tag precedes and shows what is left behind it. */
static void payload_read(struct decode *d, struct reader *r, uint16_t type) {
    struct slice payload = rd_rest(r);
    uint32_t own_end = d->out->n;
    d_end(d);
    d->payload_end = NULL;
    if (type >= LEAST_TYPE) {
        if (!d->ops->next(d, TABLE_ETHERTYPE, type, payload)) d_data(d, payload);
    } else {
        struct slice llc = slice_head(payload, type);
        if (!d->ops->next(d, TABLE_LLC, 0, llc)) d_data(d, llc);
        d->payload_end = llc.p + llc.n;
    }
    if (d->payload_end && d->payload_end < r->end && d->out->src == 0) {
        uint32_t from = d->out->n;
        d->out->depth++;
        vlan_trailer_add(d, FID_VLAN_TRAILER, slice_of(d->payload_end, (size_t)(r->end - d->payload_end)));
        fv_close(d->out);
        d_move_back(d, own_end, from);
    }
    d->payload_end = NULL; /* nothing is left for the layer below */
}

static void vlan_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    d_begin(d, &proto_vlan, off, TAG);
    uint16_t tci = rd_be16(&r), type = rd_be16(&r);
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        d_end(d);
        return;
    }
    fv_u(d->out, FID_VLAN_PRIORITY, off, 2, tci >> 13);
    fv_u(d->out, FID_VLAN_DEI, off, 2, tci >> 12 & 1);
    fv_u(d->out, FID_VLAN_ID, off, 2, tci & 0xfff);
    if (type >= LEAST_TYPE) {
        fv_u(d->out, FID_VLAN_ETYPE, off + 2, 2, type);
    } else {
        d_open_u(d, FID_VLAN_LEN, off + 2, 2, type);
        if (type > rd_left(&r) && !d->cut) d_anomaly(d, FID_VLAN_LEN_PAST_END, off + 2, 2);
        fv_close(d->out);
    }
    payload_read(d, &r, type);
}

static void provider_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    d_begin(d, &proto_ieee8021ad, off, TAG);
    uint16_t tci = rd_be16(&r), type = rd_be16(&r);
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        d_end(d);
        return;
    }
    fv_u(d->out, FID_IEEE8021AD_PRIORITY, off, 1, tci >> 13);
    fv_u(d->out, FID_IEEE8021AD_DEI, off, 1, tci >> 12 & 1);
    fv_u(d->out, FID_IEEE8021AD_ID, off, 2, tci & 0xfff);
    d_end(d);
    if (!d->ops->next(d, TABLE_ETHERTYPE, type, rd_rest(&r))) d_data(d, rd_rest(&r));
    d->payload_end = NULL;
}

static bool vlan_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id != FID_VLAN) return false;
    const struct fval *pri = fv_first(v, FID_VLAN_PRIORITY, at, v->n), *dei = fv_first(v, FID_VLAN_DEI, at, v->n);
    const struct fval *id = fv_first(v, FID_VLAN_ID, at, v->n);
    if (!pri || !dei || !id) return false;
    wr_f(w, "802.1Q Virtual LAN, PRI: %u, DEI: %u, ID: %u", (unsigned)pri->u, (unsigned)dei->u, (unsigned)id->u);
    return true;
}

static void vlan_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *pri = fv_first(v, FID_VLAN_PRIORITY, at, end), *dei = fv_first(v, FID_VLAN_DEI, at, end);
    const struct fval *id = fv_first(v, FID_VLAN_ID, at, end);
    if (pri && dei && id) wr_f(w, "PRI: %u  DEI: %u  ID: %u", (unsigned)pri->u, (unsigned)dei->u, (unsigned)id->u);
}

static bool provider_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id != FID_IEEE8021AD) return false;
    const struct fval *id = fv_first(v, FID_IEEE8021AD_ID, at, v->n);
    if (!id) return false;
    wr_f(w, "IEEE 802.1ad, ID: %u", (unsigned)id->u);
    return true;
}

static const uint16_t info_fields[] = {FID_VLAN_PRIORITY, FID_VLAN_DEI, FID_VLAN_ID, 0};
static const struct proto_key keys[] = {{TABLE_ETHERTYPE, 0x8100}, {TABLE_ETHERTYPE, 0x9100}, {TABLE_COUNT, 0}};
const struct proto proto_vlan = {.name = "vlan",
                                 .column = "VLAN",
                                 .id = FID_VLAN,
                                 .end = FID_VLAN_END,
                                 .keys = keys,
                                 .read = vlan_read,
                                 .info = vlan_info,
                                 .info_fields = info_fields,
                                 .label = vlan_label};

static const struct proto_key provider_keys[] = {{TABLE_ETHERTYPE, 0x88a8}, {TABLE_COUNT, 0}};
const struct proto proto_ieee8021ad = {.name = "ieee8021ad",
                                       .column = "802.1ad",
                                       .id = FID_IEEE8021AD,
                                       .end = FID_IEEE8021AD_END,
                                       .keys = provider_keys,
                                       .read = provider_read,
                                       .label = provider_label};
