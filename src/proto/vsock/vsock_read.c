/* SPDX-License-Identifier: Apache-2.0 */
/* The head of what vsockmon captures between a virtual machine and its host; the transport's own header and the payload
 * are not taken apart. */
#include "proto/protos.h"

static void vsock_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_VSOCK_SRC_CID, 8, true},   {FID_VSOCK_DST_CID, 8, true},
                                        {FID_VSOCK_SRC_PORT, 4, true},  {FID_VSOCK_DST_PORT, 4, true},
                                        {FID_VSOCK_OP, 2, true},        {FID_VSOCK_TRANS, 2, true},
                                        {FID_VSOCK_TRANS_LEN, 2, true}, {FID_VSOCK_RESERVED, 2}};
    d_layer(d, &proto_vsock, in, D_ROWS(rows));
}

static void vsock_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const char *name = fv_value_name(v, FID_VSOCK_OP, at, end);
    if (name) wr_f(w, "[%s]", name);
}

static const uint16_t info_fields[] = {FID_VSOCK_OP, 0};
static const struct proto_key keys[] = {{TABLE_LINK, 271}, {TABLE_COUNT, 0}};
const struct proto proto_vsock = {.name = "vsock",
                                  .column = "vSocket",
                                  .id = FID_VSOCK,
                                  .end = FID_VSOCK_END,
                                  .keys = keys,
                                  .read = vsock_read,
                                  .info = vsock_info,
                                  .info_fields = info_fields};
