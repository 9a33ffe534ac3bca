/* SPDX-License-Identifier: Apache-2.0 */
/* CAPWAP: the preamble, DTLS behind it, and the data channel's header and the frames behind that (RFC 5415 4.1 to 4.3,
 * 4.4.2; RFC 5416 for 802.11). Fragments are not put together; of the control channel in the clear the name is all. */
#include "proto/protos.h"
#include "proto/wlan/wlan.h"

enum { FLAG_NATIVE = 0x100, FLAG_FRAGMENT = 0x80, FLAG_KEEP_ALIVE = 0x08, BINDING_80211 = 1, UNIT = 4 };
enum { PREAMBLE = 4, TYPE_DTLS = 1 };

/* preamble_read reads what every packet begins with, and where it says so the DTLS behind it. true: the packet is read.
 */
static bool preamble_read(struct decode *d, struct reader *r, uint32_t at) {
    uint32_t off = rd_off(r);
    uint8_t preamble = rd_u8(r);
    if (!rd_ok(r)) return false;
    fv_u(d->out, FID_CAPWAP_VERSION, off, 1, preamble >> 4);
    fv_u(d->out, FID_CAPWAP_TYPE, off, 1, preamble & 15);
    if (!(preamble & 15)) return false;
    uint32_t reserved = rd_be24(r);
    if (rd_ok(r)) fv_u(d->out, FID_CAPWAP_RESERVED, off + 1, 3, reserved);
    else d_bad(d, r);
    struct slice rest = rd_rest(r);
    bool dtls = (preamble & 15) == TYPE_DTLS && proto_dtls.recognises(rest, KNOWN_SAID);
    if (dtls) fv_set_len(d->out, at, PREAMBLE);
    d_end(d);
    if (dtls) d->ops->call(d, &proto_dtls, rest);
    return true;
}

static void data_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_capwap_data, off, (uint32_t)in.n);
    if (preamble_read(d, &r, at)) return;
    uint32_t word = rd_be24(&r), flags = word & 0x1ff, len = (word >> 19) * UNIT;
    if (rd_ok(&r)) {
        fv_u(d->out, FID_CAPWAP_LENGTH, off + 1, 3, word >> 19);
        fv_u(d->out, FID_CAPWAP_RID, off + 1, 3, word >> 14 & 31);
        fv_u(d->out, FID_CAPWAP_WBID, off + 1, 3, word >> 9 & 31);
        fv_u(d->out, FID_CAPWAP_FLAGS, off + 1, 3, flags);
    }
    get_be16(d, &r, FID_CAPWAP_FRAGMENT_ID);
    uint16_t place = rd_be16(&r);
    if (rd_ok(&r)) fv_u(d->out, FID_CAPWAP_FRAGMENT_OFFSET, off + 6, 2, place >> 3);
    if (len < rd_off(&r) - off || len > in.n) rd_fail(&r);
    if (!rd_ok(&r)) d_bad(d, &r);
    else fv_set_len(d->out, at, len);
    d_end(d);
    if (!rd_ok(&r) || (flags & FLAG_KEEP_ALIVE)) return;
    struct slice frame = slice_tail(in, len);
    /* The frame control field's bytes come swapped from the access points in the field. */
    static const struct wlan_frame swapped = {.swapped = true};
    if (flags & FLAG_FRAGMENT) d_data(d, frame);
    else if (!(flags & FLAG_NATIVE)) d->ops->call(d, &proto_eth, frame);
    else if ((word >> 9 & 31) == BINDING_80211) wlan_frame_read(d, frame, &swapped);
    else d_data(d, frame);
}

static void control_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t at = d_begin(d, &proto_capwap, rd_off(&r), (uint32_t)in.n);
    if (!preamble_read(d, &r, at)) d_end(d);
}

static void data_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "CAPWAP-Data");
}

static void control_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "CAPWAP-Control");
}

static const struct proto_key control_keys[] = {{TABLE_UDP, 5246}, {TABLE_COUNT, 0}};
const struct proto proto_capwap = {.name = "capwap",
                                   .column = "CAPWAP-Control",
                                   .id = FID_CAPWAP,
                                   .end = FID_CAPWAP_END,
                                   .keys = control_keys,
                                   .read = control_read,
                                   .info = control_info,
                                   .carrier = true};
static const struct proto_key data_keys[] = {{TABLE_UDP, 5247}, {TABLE_COUNT, 0}};
const struct proto proto_capwap_data = {.name = "capwap.data",
                                        .column = "CAPWAP-Data",
                                        .id = FID_CAPWAP_DATA,
                                        .end = FID_CAPWAP_DATA_END,
                                        .keys = data_keys,
                                        .read = data_read,
                                        .info = data_info,
                                        .carrier = true};
