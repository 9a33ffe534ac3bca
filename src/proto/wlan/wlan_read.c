/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE 802.11 MAC headers (IEEE 802.11-2016 9.2, 9.3) as far as needed to find the packet in a data frame, and
 * the tagged items of management frames. Protected frames stay closed. */
#include "proto/wlan/wlan.h"

#include "proto/protos.h"

enum { TYPE_MANAGEMENT, TYPE_CONTROL, TYPE_DATA, KIND_CTS = 0x1c, KIND_ACK = 0x1d };
enum { TAG_SSID = 0, TO_DS = 1, FROM_DS = 2, PROTECTED = 0x40, ORDER = 0x80, MORE_FRAGMENTS = 4 };
enum { SUBTYPE_QOS = 8, SUBTYPE_NULL = 4, QOS_AMSDU = 0x80, HT_CONTROL = 4, SUBFRAME_HEADER = 14, SUBFRAMES_MAX = 64 };

struct mac_header {
    uint8_t kind; /* type and subtype */
    uint8_t flags;
    uint16_t seq, qos;
};

static void control_add(struct decode *d, const struct mac_header *h, uint32_t off, uint16_t raw, bool swapped) {
    uint32_t low = swapped ? off + 1 : off, high = swapped ? off : off + 1;
    fv_u(d->out, FID_WLAN_KIND, low, 1, h->kind);
    d_open_u(d, FID_WLAN_FC, off, 2, raw);
    fv_u(d->out, FID_WLAN_FC_VERSION, low, 1, (swapped ? raw : raw >> 8) & 3);
    fv_u(d->out, FID_WLAN_FC_TYPE, low, 1, h->kind >> 4);
    fv_u(d->out, FID_WLAN_FC_SUBTYPE, low, 1, h->kind & 15);
    d_open_u(d, FID_WLAN_FLAGS, high, 1, h->flags);
    fv_u(d->out, FID_WLAN_FC_DS, high, 1, h->flags & 3);
    fv_hide(fv_u(d->out, FID_WLAN_FC_TODS, high, 1, h->flags & 1));
    fv_hide(fv_u(d->out, FID_WLAN_FC_FROMDS, high, 1, h->flags >> 1 & 1));
    static const uint16_t bits[] = {FID_WLAN_FC_FRAG,     FID_WLAN_FC_RETRY,     FID_WLAN_FC_PWRMGT,
                                    FID_WLAN_FC_MOREDATA, FID_WLAN_FC_PROTECTED, FID_WLAN_FC_ORDER};
    for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++) fv_u(d->out, bits[i], high, 1, h->flags >> (i + 2) & 1);
    fv_close(d->out);
    fv_close(d->out);
}

static void address_add(struct decode *d, uint16_t id, struct slice mac) {
    if (mac.n == 6) fv_s(d->out, id, d_off(d, mac.p), 6, mac);
}

static void duration_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint16_t v = rd_le16(r);
    if (rd_ok(r) && !(v & 0x8000)) fv_u(d->out, FID_WLAN_DURATION, off, 2, v);
}

/* addresses_read reads what follows the duration in data and management frames: 9.2.4.3, table 9-26. */
static void addresses_read(struct decode *d, struct reader *r, struct mac_header *h) {
    bool data = h->kind >> 4 == TYPE_DATA, to = data && (h->flags & TO_DS), from = data && (h->flags & FROM_DS);
    struct slice a1 = rd_take(r, 6), a2 = rd_take(r, 6), a3 = rd_take(r, 6);
    uint32_t off = rd_off(r);
    h->seq = rd_le16(r);
    struct slice a4 = to && from ? rd_take(r, 6) : (struct slice){0};
    if (!rd_ok(r)) return;
    struct slice da = to ? a3 : a1, sa = to && from ? a4 : from ? a3 : a2;
    address_add(d, FID_WLAN_RA, a1);
    address_add(d, FID_WLAN_TA, a2);
    address_add(d, FID_WLAN_DA, da);
    address_add(d, FID_WLAN_SA, sa);
    if (!to || !from) address_add(d, FID_WLAN_BSSID, to ? a1 : from ? a2 : a3);
    fv_u(d->out, FID_WLAN_FRAG, off, 2, h->seq & 15);
    fv_u(d->out, FID_WLAN_SEQ, off, 2, h->seq >> 4);
    d->link_dst = addr_of(da.p, 6);
    d->link_src = addr_of(sa.p, 6);
}

static void control_addresses(struct decode *d, struct reader *r, uint8_t kind) {
    get_bytes(d, r, FID_WLAN_RA, 6);
    if (kind != KIND_CTS && kind != KIND_ACK) get_bytes(d, r, FID_WLAN_TA, 6);
}

static void qos_read(struct decode *d, struct reader *r, struct mac_header *h) {
    uint32_t off = rd_off(r);
    h->qos = rd_le16(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_WLAN_QOS, off, 2, h->qos);
    fv_u(d->out, FID_WLAN_QOS_TID, off, 2, h->qos & 15);
    fv_close(d->out);
    if (h->flags & ORDER) rd_skip(r, HT_CONTROL);
}

static void llc_pass(struct decode *d, struct slice in) {
    if (in.n && !d->ops->next(d, TABLE_LLC, 0, in)) d_data(d, in);
}

/* subframe_read reads one packet of an A-MSDU; false: it is not all there. */
static bool subframe_read(struct decode *d, struct reader *r, int number) {
    uint32_t off = rd_off(r), at = fv_open(d->out, FID_WLAN_AGGREGATE_SUBFRAME, off, 0);
    if (at != FV_UNWANTED) fv_at(d->out, at)->extra = (uint16_t)number;
    get_bytes(d, r, FID_WLAN_DA, 6);
    get_bytes(d, r, FID_WLAN_SA, 6);
    uint16_t len = get_be16(d, r, FID_WLAN_AGGREGATE_LENGTH);
    struct slice packet = rd_take(r, len);
    fv_set_len(d->out, at, rd_off(r) - off);
    if (rd_ok(r)) llc_pass(d, packet);
    fv_close(d->out);
    return rd_ok(r);
}

/* subframes_pass hands on the packets of an A-MSDU (9.3.2.2). */
static void subframes_pass(struct decode *d, struct reader *r) {
    d_begin(d, &proto_wlan_aggregate, rd_off(r), (uint32_t)rd_left(r));
    for (int i = 1; i <= SUBFRAMES_MAX && rd_left(r) >= SUBFRAME_HEADER; i++) {
        uint32_t start = rd_off(r);
        if (!subframe_read(d, r, i)) break;
        uint32_t pad = (4 - (rd_off(r) - start) % 4) % 4;
        rd_skip(r, pad < rd_left(r) ? pad : rd_left(r));
    }
    if (!rd_ok(r)) d_bad(d, r);
    d_end(d);
}

/* fixed_size returns how many bytes of a management frame stand before its tagged items (9.3.3); -1: it has none. */
static int fixed_size(uint8_t subtype) {
    static const int8_t sizes[16] = {[0] = 4,  [1] = 6,  [2] = 10, [3] = 6,  [4] = 0,  [5] = 12,  [6] = -1,  [7] = -1,
                                     [8] = 12, [9] = -1, [10] = 2, [11] = 6, [12] = 2, [13] = -1, [14] = -1, [15] = -1};
    return sizes[subtype & 15];
}

static void tag_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint8_t number = rd_u8(r), n = rd_u8(r);
    if (n > rd_left(r)) rd_fail(r);
    if (!rd_ok(r)) return;
    fv_open(d->out, FID_WLAN_TAG, off, n + 2u);
    fv_u(d->out, FID_WLAN_TAG_NUMBER, off, 1, number);
    fv_u(d->out, FID_WLAN_TAG_LENGTH, off + 1, 1, n);
    if (number == TAG_SSID) get_bytes(d, r, FID_WLAN_SSID, n);
    else rd_skip(r, n);
    fv_close(d->out);
}

/* management_read shows the body of a management frame: its tagged items, of which the name of the network is read. */
static void management_read(struct decode *d, const struct mac_header *h, struct reader *r) {
    int fixed = fixed_size(h->kind & 15);
    if (!rd_left(r)) return;
    if (h->flags & PROTECTED) {
        d_data(d, rd_rest(r));
        return;
    }
    d_begin(d, &proto_wlan_mgt, rd_off(r), (uint32_t)rd_left(r));
    rd_skip(r, fixed < 0 ? rd_left(r) : (size_t)fixed);
    while (rd_left(r)) tag_read(d, r);
    if (!rd_ok(r)) d_bad(d, r);
    d_end(d);
}

static void body_pass(struct decode *d, const struct mac_header *h, struct reader *r) {
    bool data = h->kind >> 4 == TYPE_DATA && !(h->kind & SUBTYPE_NULL);
    if (!data || !rd_left(r)) return;
    if (h->flags & (PROTECTED | MORE_FRAGMENTS)) d_data(d, rd_rest(r));
    else if ((h->kind & SUBTYPE_QOS) && (h->qos & QOS_AMSDU)) subframes_pass(d, r);
    else llc_pass(d, rd_rest(r));
}

void wlan_frame_read(struct decode *d, struct slice in, const struct wlan_frame *how) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_wlan, off, (uint32_t)in.n);
    uint16_t raw = rd_be16(&r);
    uint8_t first = (uint8_t)(how->swapped ? raw : raw >> 8);
    struct mac_header h = {.kind = (uint8_t)((first >> 2 & 3) << 4 | first >> 4),
                           .flags = (uint8_t)(how->swapped ? raw >> 8 : raw)};
    uint8_t type = h.kind >> 4;
    if (rd_ok(&r)) control_add(d, &h, off, raw, how->swapped);
    if (rd_ok(&r)) duration_read(d, &r);
    if (type == TYPE_CONTROL) control_addresses(d, &r, h.kind);
    else if (type <= TYPE_DATA) addresses_read(d, &r, &h);
    if (type == TYPE_DATA && (h.kind & SUBTYPE_QOS)) qos_read(d, &r, &h);
    uint32_t len = rd_off(&r) - off;
    if (type == TYPE_DATA) fv_set_len(d->out, at, len);
    if (how->padded && len % 4) rd_skip(&r, 4 - len % 4);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r) && type == TYPE_MANAGEMENT) management_read(d, &h, &r);
    else if (rd_ok(&r)) body_pass(d, &h, &r);
    d->payload_end = NULL;
}

static void wlan_read(struct decode *d, struct slice in) {
    static const struct wlan_frame plain = {0};
    wlan_frame_read(d, in, &plain);
}

static void flags_text(struct writer *w, uint8_t flags) {
    static const char letters[] = "opmPRMFT";
    for (unsigned i = 0; i < 8; i++) wr_c(w, flags & 0x80 >> i ? letters[i] : '.');
}

static void wlan_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *kind = fv_first(v, FID_WLAN_KIND, at, end), *flags = fv_first(v, FID_WLAN_FLAGS, at, end);
    const struct fval *seq = fv_first(v, FID_WLAN_SEQ, at, end), *frag = fv_first(v, FID_WLAN_FRAG, at, end);
    if (!kind || !flags) return;
    const char *name = field_value_name(&vals_wlan_kind, kind->u);
    wr_s(w, name ? name : "Unrecognized (Reserved frame)");
    if (seq && frag) wr_f(w, ", SN=%u, FN=%u", (unsigned)seq->u, (unsigned)frag->u);
    wr_s(w, ", Flags=");
    flags_text(w, (uint8_t)flags->u);
}

static bool wlan_label(struct writer *w, const struct fvec *v, uint32_t at) {
    if (v->v[at].id == FID_WLAN_AGGREGATE_SUBFRAME) {
        wr_f(w, "A-MSDU Subframe #%u", v->v[at].extra);
        return true;
    }
    if (v->v[at].id != FID_WLAN) return false;
    uint32_t end = fv_end(v, at);
    const struct fval *kind = fv_first(v, FID_WLAN_KIND, at, end), *flags = fv_first(v, FID_WLAN_FLAGS, at, end);
    const char *name = kind ? field_value_name(&vals_wlan_kind, kind->u) : NULL;
    if (!name || !flags) return false;
    wr_f(w, "IEEE 802.11 %s, Flags: ", name);
    flags_text(w, (uint8_t)flags->u);
    return true;
}

static const uint16_t info_fields[] = {FID_WLAN_KIND, FID_WLAN_FLAGS, FID_WLAN_SEQ, FID_WLAN_FRAG, 0};
static const struct proto_key keys[] = {{TABLE_LINK, 105}, {TABLE_COUNT, 0}};
const struct proto proto_wlan = {.name = "wlan",
                                 .column = "802.11",
                                 .id = FID_WLAN,
                                 .end = FID_WLAN_END,
                                 .keys = keys,
                                 .read = wlan_read,
                                 .info = wlan_info,
                                 .info_fields = info_fields,
                                 .label = wlan_label,
                                 .carrier = true};
const struct proto proto_wlan_mgt = {
    .name = "wlan.mgt", .id = FID_WLAN_MGT, .end = FID_WLAN_MGT_END, .inner = true, .unlisted = true};
const struct proto proto_wlan_aggregate = {.name = "wlan_aggregate",
                                           .id = FID_WLAN_AGGREGATE,
                                           .end = FID_WLAN_AGGREGATE_END,
                                           .inner = true,
                                           .unlisted = true,
                                           .label = wlan_label};
/* What Wireshark knows of the radio beside the frame; here only its place among the layers. */
const struct proto proto_wlan_radio = {
    .name = "wlan_radio", .id = FID_WLAN_RADIO, .end = FID_WLAN_RADIO_END, .inner = true};
