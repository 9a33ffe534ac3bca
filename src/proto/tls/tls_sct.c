/* SPDX-License-Identifier: Apache-2.0 */
/* Signed certificate timestamps, in an extension of TLS or of a certificate: RFC 6962 3.2 and 3.3. */
#include "proto/tls/tls.h"

static void sct_read(struct decode *d, struct reader *r) {
    get_u8(d, r, FID_TLS_SCT_VERSION);
    get_bytes(d, r, FID_TLS_SCT_LOG, 32);
    uint32_t off = rd_off(r);
    uint64_t ms = rd_be64(r);
    if (rd_ok(r)) fv_i(d->out, FID_TLS_SCT_TIME, off, 8, (int64_t)(ms % ((uint64_t)1 << 43)) * 1000000);
    struct reader exts = tls_vector(d, r, FID_TLS_SCT_EXTS_LEN, 2, 0, 0xffff);
    if (rd_left(&exts)) fv_add(d->out, FID_TLS_SCT_EXTS, rd_off(&exts), (uint32_t)rd_left(&exts));
    tls_sigalg_read(d, r);
    tls_opaque(d, r, FID_TLS_SCT_SIG_LEN, 2, FID_TLS_SCT_SIG);
}

void tls_scts_read(struct decode *d, struct reader *r) {
    struct reader list = tls_vector(d, r, FID_TLS_SCTS_LEN, 2, 1, 0xffff);
    while (rd_ok(&list) && rd_left(&list)) {
        uint32_t off = rd_off(&list), at = fv_open(d->out, FID_TLS_SCT_TEXT, off, 0);
        struct reader one = tls_vector(d, &list, FID_TLS_SCT_LEN, 2, 1, 0xffff);
        fv_set_len(d->out, at, rd_off(&list) - off);
        if (rd_left(&one)) sct_read(d, &one);
        fv_close(d->out);
    }
}
