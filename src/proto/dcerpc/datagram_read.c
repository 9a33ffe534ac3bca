/* SPDX-License-Identifier: Apache-2.0 */
/* Remote procedure calls without connections (DCE 1.1 RPC 12.5): the head of each packet, and by its name the service
 * that is called. */
#include "proto/dcerpc/dcerpc.h"

#include "proto/protos.h"

enum { HEAD = 80, VERSION = 4, TYPE_MAX = 19, UUID = 16, INTERFACE = 24, LITTLE = 0x10 };

/* dcerpc_is_datagram: of the flags and of how data is represented, bits that nobody gave a meaning are 0. */
bool dcerpc_is_datagram(struct slice in, enum known_as known) {
    enum { FLAGS1_NONE = 0x81, FLAGS2_NONE = 0xfd, ORDER_NONE = 0xee, FLOAT_MAX = 4 };
    (void)known;
    if (in.n < HEAD || in.p[0] != VERSION || in.p[1] > TYPE_MAX) return false;
    return !(in.p[2] & FLAGS1_NONE) && !(in.p[3] & FLAGS2_NONE) && !(in.p[4] & ORDER_NONE) && in.p[5] <= FLOAT_MAX;
}

static void copy_backwards(uint8_t *to, const uint8_t *from, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] = from[n - 1 - i];
}

/* uuid_swap turns a UUID of one order of bytes into the other: its first three parts are numbers. */
static void uuid_swap(uint8_t *to, const uint8_t *from) {
    copy_backwards(to, from, 4);
    copy_backwards(to + 4, from + 4, 2);
    copy_backwards(to + 6, from + 6, 2);
    memcpy(to + 8, from + 8, 8);
}

/* uuid_read reads a UUID; fields have the one that is sent biggest byte first. */
static void uuid_read(struct decode *d, struct reader *r, uint16_t id, bool little) {
    uint32_t off = rd_off(r);
    struct slice sent = rd_take(r, UUID);
    if (!rd_ok(r) || !d_wants(d, id)) return;
    uint8_t *shown = little ? arena_get(d->arena, UUID) : NULL;
    if (shown) uuid_swap(shown, sent.p);
    fv_s(d->out, id, off, UUID, shown ? slice_of(shown, UUID) : sent);
}

void dcerpc_datagram_read(struct decode *d, struct slice in) {
    static const struct d_row first[] = {{FID_DCERPC_VER, 1},
                                         {FID_DCERPC_PKT_TYPE, 1},
                                         {FID_DCERPC_DG_FLAGS1, 1},
                                         {FID_DCERPC_DG_FLAGS1_BROADCAST, 0},
                                         {FID_DCERPC_DG_FLAGS1_IDEMPOTENT, 0},
                                         {FID_DCERPC_DG_FLAGS1_MAYBE, 0},
                                         {FID_DCERPC_DG_FLAGS1_NOFACK, 0},
                                         {FID_DCERPC_DG_FLAGS1_FRAG, 0},
                                         {FID_DCERPC_DG_FLAGS1_LAST_FRAG, 0},
                                         {FID_DCERPC_DG_FLAGS2, 1},
                                         {FID_DCERPC_DG_FLAGS2_CANCEL_PENDING, 0},
                                         {FID_DCERPC_DREP, 3},
                                         {FID_DCERPC_DG_SERIAL_HI, 1}};
    if (!d_header(d, &proto_dcerpc, in, HEAD)) return;
    bool little = in.p[4] & LITTLE;
    const struct d_row rest[] = {{0, 4},
                                 {FID_DCERPC_DG_IF_VER, 4, little},
                                 {FID_DCERPC_DG_SEQNUM, 4, little},
                                 {FID_DCERPC_OPNUM, 2, little},
                                 {FID_DCERPC_DG_IHINT, 2, little},
                                 {FID_DCERPC_DG_AHINT, 2, little},
                                 {FID_DCERPC_DG_FRAG_LEN, 2, little},
                                 {FID_DCERPC_DG_FRAG_NUM, 2, little},
                                 {FID_DCERPC_DG_AUTH_PROTO, 1},
                                 {FID_DCERPC_DG_SERIAL_LO, 1}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_dcerpc, rd_off(&r), (uint32_t)in.n);
    d_rows(d, &r, D_ROWS(first));
    uuid_read(d, &r, FID_DCERPC_OBJ_ID, little);
    uuid_read(d, &r, FID_DCERPC_DG_IF_ID, little);
    uuid_read(d, &r, FID_DCERPC_DG_ACT_ID, little);
    d_rows(d, &r, D_ROWS(rest));
    d_end(d);
    uint8_t interface[UUID];
    if (little) memcpy(interface, in.p + INTERFACE, UUID);
    else uuid_swap(interface, in.p + INTERFACE);
    const struct proto *service = dcerpc_service(interface);
    bool call = in.p[1] == 0 || in.p[1] == 2; /* a request, or the answer to one */
    if (service && call) d_layer(d, service, rd_rest(&r), NULL, 0);
}
