/* SPDX-License-Identifier: Apache-2.0 */
/* SCTP (RFC 9260 3): the common header and chunk after chunk. What a message of one chunk carries is shown behind it,
 * read by who the chunk (3.3.1) or the ports name; the chunks that follow are a layer of their own, as Wireshark shows
 * them. Messages of several chunks are not put together, what other chunks say is not taken apart. */
#include "proto/protos.h"

enum { CHUNK_HEAD = 4, DATA_HEAD = 16, DATA = 0, WHOLE = 3 /* flags: begins and ends a message */, CHUNKS_MAX = 1000 };

static void ports_add(struct decode *d, struct reader *r) {
    static const struct d_row rows[] = {
        {FID_SCTP_SRCPORT, 2}, {FID_SCTP_DSTPORT, 2}, {FID_SCTP_VERIFICATION_TAG, 4}, {FID_SCTP_CHECKSUM, 4}};
    uint32_t off = rd_off(r);
    struct slice head = rd_rest(r);
    d_rows(d, r, D_ROWS(rows));
    if (!rd_ok(r)) return;
    fv_hide(fv_u(d->out, FID_SCTP_PORT, off, 2, load_be16(head.p)));
    fv_hide(fv_u(d->out, FID_SCTP_PORT, off + 2, 2, load_be16(head.p + 2)));
}

/* chunk_read reads one chunk, without its padding, and returns what it carries, and who reads that in *ppid. */
static struct slice chunk_read(struct decode *d, struct reader *r, uint32_t *ppid) {
    static const struct d_row head[] = {
        {FID_SCTP_CHUNK_TYPE, 1}, {FID_SCTP_CHUNK_FLAGS, 1}, {FID_SCTP_CHUNK_LENGTH, 2}};
    static const struct d_row data[] = {{0, 4}, {FID_SCTP_DATA_SID, 2}, {FID_SCTP_DATA_SSN, 2}};
    int type = rd_peek(r, 0), flags = rd_peek(r, 1);
    size_t n = rd_left(r) >= CHUNK_HEAD ? load_be16(r->p + 2) : 0;
    d_rows(d, r, D_ROWS(head));
    if (n < CHUNK_HEAD) rd_fail(r);
    struct reader body = rd_sub(r, n - CHUNK_HEAD);
    size_t pad = (4 - n % 4) % 4;
    if (rd_ok(r)) rd_skip(r, pad < rd_left(r) ? pad : rd_left(r));
    if (!rd_ok(r) || type != DATA || n < DATA_HEAD) return (struct slice){0};
    d_rows(d, &body, D_ROWS(data));
    *ppid = get_be32(d, &body, FID_SCTP_DATA_PAYLOAD_PROTO_ID);
    return (flags & WHOLE) == WHOLE ? rd_rest(&body) : (struct slice){0};
}

/* carried_read reads what a whole message of a chunk carries; `head` begins with the ports. */
static void carried_read(struct decode *d, struct slice head, uint32_t ppid, struct slice carried) {
    enum { PPID_DIAMETER = 46 /* RFC 6733 4.1 */, DIAMETER_PORT = 3868, DIAMETER_VERSION = 1 };
    bool port = load_be16(head.p) == DIAMETER_PORT || load_be16(head.p + 2) == DIAMETER_PORT;
    bool diameter = (ppid == PPID_DIAMETER || port) && carried.p[0] == DIAMETER_VERSION;
    if (diameter) d->ops->call(d, &proto_diameter, carried);
    else d_data(d, carried);
}

static void sctp_read(struct decode *d, struct slice in) {
    enum { HEADER = 12 };
    if (!d_header(d, &proto_sctp, in, HEADER)) return;
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_sctp, off, (uint32_t)in.n);
    ports_add(d, &r);
    bool open = true;
    for (unsigned i = 0; i < CHUNKS_MAX && rd_ok(&r) && rd_left(&r); i++) {
        if (!open) at = d_begin(d, &proto_sctp, off = rd_off(&r), (uint32_t)rd_left(&r));
        uint32_t ppid = 0;
        struct slice carried = chunk_read(d, &r, &ppid);
        open = !carried.n;
        if (open) continue;
        fv_set_len(d->out, at, d_off(d, carried.p) - off);
        d_end(d);
        carried_read(d, in, ppid, carried);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    if (open) d_end(d);
}

static void sctp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_SCTP_CHUNK_TYPE) continue;
        const char *name = field_value_name(&vals_sctp_chunk_type, v->v[i].u);
        wr_s(w, name ? name : "RESERVED");
        wr_c(w, ' ');
    }
}

static const uint16_t info_fields[] = {FID_SCTP_CHUNK_TYPE, 0};
static const struct proto_key keys[] = {{TABLE_IP, 132}, {TABLE_COUNT, 0}};
const struct proto proto_sctp = {.name = "sctp",
                                 .column = "SCTP",
                                 .id = FID_SCTP,
                                 .end = FID_SCTP_END,
                                 .keys = keys,
                                 .read = sctp_read,
                                 .info = sctp_info,
                                 .info_fields = info_fields,
                                 .info_plain = true};
