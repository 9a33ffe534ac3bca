/* SPDX-License-Identifier: Apache-2.0 */
/* Fiber Distributed Data Interface (ISO 9314-2 7): one byte of frame control, two addresses, and for LLC frames what
 * follows. Captures hold the addresses as they were on the ring, the lowest bit of every byte first. */
#include "proto/protos.h"

enum { ADDRESS = 6, HEADER = 1 + 2 * ADDRESS };
enum { CLASS_SMT = 0x4, CLASS_ASYNC_LLC = 0x5, CLASS_MAC = 0xc, CLASS_SYNC_LLC = 0xd };

static bool is_llc(uint8_t control) { return control >> 4 == CLASS_ASYNC_LLC || control >> 4 == CLASS_SYNC_LLC; }

static void control_add(struct decode *d, uint32_t off, uint8_t control) {
    uint8_t kind = control >> 4;
    d_open_u(d, FID_FDDI_FC, off, 1, control);
    fv_u(d->out, FID_FDDI_FC_CLASS, off, 1, kind);
    if (kind == CLASS_SMT) fv_u(d->out, FID_FDDI_FC_SMT, off, 1, control & 0x0f);
    else if (kind == CLASS_MAC) fv_u(d->out, FID_FDDI_FC_MAC, off, 1, control & 0x0f);
    else if (kind == CLASS_ASYNC_LLC) fv_u(d->out, FID_FDDI_FC_PRIORITY, off, 1, control & 0x07);
    fv_close(d->out);
}

static uint8_t bits_turned(uint8_t v) {
    v = (uint8_t)((v & 0xf0) >> 4 | (v & 0x0f) << 4);
    v = (uint8_t)((v & 0xcc) >> 2 | (v & 0x33) << 2);
    return (uint8_t)((v & 0xaa) >> 1 | (v & 0x55) << 1);
}

/* address_add adds an address under its name and under that of either side, which is hidden; Wireshark has both twice.
 */
static void address_add(struct decode *d, struct reader *r, uint16_t id, struct net_addr *to) {
    uint32_t off = rd_off(r);
    struct slice raw = rd_take(r, ADDRESS);
    uint8_t *turned = rd_ok(r) ? arena_get(d->arena, ADDRESS) : NULL;
    if (!turned) return;
    for (int i = 0; i < ADDRESS; i++) turned[i] = bits_turned(raw.p[i]);
    *to = addr_of(turned, ADDRESS);
    for (int i = 0; i < 2; i++) {
        struct fval *own = fv_s(d->out, id, off, ADDRESS, slice_of(turned, ADDRESS));
        if (i) fv_hide(own);
        fv_hide(fv_s(d->out, FID_FDDI_ADDR, off, ADDRESS, slice_of(turned, ADDRESS)));
    }
}

static void fddi_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    d_begin(d, &proto_fddi, off, HEADER);
    uint8_t control = rd_u8(&r);
    if (rd_ok(&r)) control_add(d, off, control);
    address_add(d, &r, FID_FDDI_DST, &d->link_dst);
    address_add(d, &r, FID_FDDI_SRC, &d->link_src);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (!rd_ok(&r) || !rd_left(&r)) return;
    struct slice payload = rd_rest(&r);
    if (!is_llc(control) || !d->ops->next(d, TABLE_LLC, 0, payload)) d_data(d, payload);
}

/* control_words says what a frame control is: "Async LLC frame, priority 1". */
static void control_words(struct writer *w, uint8_t control) {
    const char *name = field_value_name(&vals_fddi_class, control >> 4);
    wr_s(w, name ? name : "Unknown");
    wr_s(w, " frame");
    if (control >> 4 == CLASS_ASYNC_LLC) wr_f(w, ", priority %u", control & 7);
}

static bool fddi_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    const struct fval *control = f->id == FID_FDDI ? fv_first(v, FID_FDDI_FC, at, fv_end(v, at)) : f;
    if ((f->id != FID_FDDI && f->id != FID_FDDI_FC) || !control) return false;
    if (f->id == FID_FDDI) wr_s(w, "Fiber Distributed Data Interface, ");
    else wr_f(w, "Frame Control: 0x%02x (", (unsigned)control->u);
    control_words(w, (uint8_t)control->u);
    if (f->id == FID_FDDI_FC) wr_c(w, ')');
    return true;
}

static void fddi_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *control = fv_first(v, FID_FDDI_FC, at, end);
    if (control) control_words(w, (uint8_t)control->u);
}

static const struct proto_key keys[] = {{TABLE_LINK, 10}, {TABLE_COUNT, 0}};
static const uint16_t info_fields[] = {FID_FDDI_FC, 0};

const struct proto proto_fddi = {.name = "fddi",
                                 .column = "FDDI",
                                 .id = FID_FDDI,
                                 .end = FID_FDDI_END,
                                 .keys = keys,
                                 .read = fddi_read,
                                 .info = fddi_info,
                                 .info_fields = info_fields,
                                 .carrier = true,
                                 .label = fddi_label};
