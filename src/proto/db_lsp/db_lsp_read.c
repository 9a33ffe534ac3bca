/* SPDX-License-Identifier: Apache-2.0 */
/* What Dropbox tells the local network of itself: JSON, broadcast to one port. */
#include "proto/media/media.h"
#include "proto/protos.h"

static void discovery_read(struct decode *d, struct slice in) {
    d_begin(d, &proto_db_lsp_disc, d_off(d, in.p), (uint32_t)in.n);
    if (media_wanted(d)) media_json_read(d, (struct slice){0}, in);
    d_end(d);
}

static void discovery_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "Dropbox LAN sync Discovery Protocol, JavaScript Object Notation");
}

static const struct proto_key keys[] = {{TABLE_UDP, 17500}, {TABLE_COUNT, 0}};
const struct proto proto_db_lsp_disc = {.name = "db-lsp-disc",
                                        .column = "DB-LSP-DISC/JSON",
                                        .id = FID_DB_LSP_DISC,
                                        .end = FID_DB_LSP_DISC_END,
                                        .keys = keys,
                                        .read = discovery_read,
                                        .info = discovery_info};
