/* SPDX-License-Identifier: Apache-2.0 */
/* The radiotap header (radiotap.org): read as far as the flags that say how the 802.11 frame behind it looks. */
#include "proto/protos.h"
#include "proto/wlan/wlan.h"

enum { HAS_MACTIME = 1, HAS_FLAGS = 2, FLAG_FCS = 0x10, FLAG_PADDED = 0x20, FCS = 4, MACTIME = 8, WORDS_MAX = 32 };

/* words_skip reads the words that say which fields are there, and returns the first; bit 31 says that one more follows.
 */
static uint32_t words_skip(struct reader *r) {
    uint32_t first = rd_le32(r), more = first;
    for (int i = 0; (more >> 31) && i < WORDS_MAX && rd_ok(r); i++) more = rd_le32(r);
    return first;
}

static void radiotap_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t start = rd_off(&r), at = d_begin(d, &proto_radiotap, start, 0);
    uint8_t flags = 0;
    get_u8(d, &r, FID_RADIOTAP_VERSION);
    get_u8(d, &r, FID_RADIOTAP_PAD);
    uint16_t len = rd_le16(&r);
    if (rd_ok(&r)) fv_u(d->out, FID_RADIOTAP_LENGTH, start + 2, 2, len);
    uint32_t present = words_skip(&r);
    if (present & HAS_MACTIME) {
        rd_skip(&r, (MACTIME - (rd_off(&r) - start) % MACTIME) % MACTIME); /* aligned to its own size */
        struct slice time = rd_take(&r, MACTIME);
        if (rd_ok(&r)) fv_u(d->out, FID_RADIOTAP_MACTIME, d_off(d, time.p), MACTIME, load_le64(time.p));
    }
    if (present & HAS_FLAGS) flags = get_u8(d, &r, FID_RADIOTAP_FLAGS);
    if (len > in.n || len < rd_off(&r) - start) rd_fail(&r);
    if (rd_ok(&r)) fv_set_len(d->out, at, len);
    else d_bad(d, &r);
    d_end(d);
    if (!rd_ok(&r)) return;
    struct slice frame = slice_tail(in, len);
    if ((flags & FLAG_FCS) && !d->cut && frame.n >= FCS) frame.n -= FCS;
    const struct wlan_frame how = {.padded = flags & FLAG_PADDED};
    d_begin(d, &proto_wlan_radio, d_off(d, frame.p), 0);
    d_end(d);
    wlan_frame_read(d, frame, &how);
}

static const struct proto_key keys[] = {{TABLE_LINK, 127}, {TABLE_COUNT, 0}};
const struct proto proto_radiotap = {.name = "radiotap",
                                     .column = "Radiotap",
                                     .id = FID_RADIOTAP,
                                     .end = FID_RADIOTAP_END,
                                     .keys = keys,
                                     .read = radiotap_read,
                                     .carrier = true};
