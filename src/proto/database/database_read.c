/* SPDX-License-Identifier: Apache-2.0 */
/* MySQL's packets (its client/server protocol, "MySQL Packets") and PostgreSQL's messages (its frontend/backend
 * protocol, "Message Formats"), each with its length in front; after a request for TLS the conversation is one of TLS.
 * What they ask and answer is not taken apart. */
#include "proto/protos.h"
#include "proto/sized.h"

enum { MYSQL_HEAD = 4, SSL_REQUEST = 36, CLIENT_SSL = 0x0800, PGSQL_HEAD = 5 };

static size_t mysql_size(struct slice in) { return MYSQL_HEAD + (size_t)(load_le32(in.p) & 0xffffff); }

static void mysql_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_MYSQL_PACKET_LENGTH, 3, true}, {FID_MYSQL_PACKET_NUMBER, 1}};
    d_layer(d, &proto_mysql, in, D_ROWS(rows));
    bool tls = in.n == SSL_REQUEST && in.p[3] == 1 && load_le16(in.p + MYSQL_HEAD) & CLIENT_SSL;
    if (tls && d->ops->become) d->ops->become(d, &proto_tls, 0);
}

/* What is behind the request for TLS is one byte, without a length. */
struct pgsql_state {
    bool tls_asked;
    bool spoken; /* messages were read */
};

static size_t pgsql_size(struct slice in) {
    return in.p[0] ? 1 + (size_t)load_be32(in.p + 1) : (size_t)load_be32(in.p);
}

static void message_show(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_pgsql, rd_off(&r), (uint32_t)in.n);
    if (in.p[0]) get_bytes(d, &r, FID_PGSQL_TYPE, 1);
    if (in.n >= PGSQL_HEAD) get_be32(d, &r, FID_PGSQL_LENGTH);
    d_end(d);
}

static struct read_result pgsql_read(struct decode *d, void *state, int from, struct slice in) {
    static const uint8_t ask_tls[] = {0, 0, 0, 8, 4, 210, 22, 47}; /* "SSLRequest" */
    struct pgsql_state *st = state;
    (void)from;
    struct read_result r = sized_cut(in, PGSQL_HEAD, pgsql_size);
    bool answer = st->tls_asked && in.n == 1;
    if (answer || (r.status == READ_MORE && d->stream_end))
        r = (struct read_result){.status = READ_OK, .consumed = in.n};
    if (r.status == READ_BAD && st->spoken) { /* a length without room for itself */
        d_header(d, &proto_pgsql, slice_head(in, pgsql_size(in)), PGSQL_HEAD);
        return (struct read_result){.status = READ_OK, .consumed = in.n};
    }
    if (r.status != READ_OK) return r;
    st->spoken = true;
    message_show(d, slice_head(in, r.consumed));
    if (answer && in.p[0] == 'S' && d->ops->become) d->ops->become(d, &proto_tls, 0);
    st->tls_asked = r.consumed == sizeof ask_tls && memcmp(in.p, ask_tls, sizeof ask_tls) == 0;
    return r;
}

static void mysql_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *number = fv_first(v, FID_MYSQL_PACKET_NUMBER, at, end);
    if (number) wr_f(w, "Packet %u ", (unsigned)number->u);
}

static void pgsql_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_PGSQL_TYPE, at, end);
    if (type && type->s.n && type->s.p[0] > ' ' && type->s.p[0] < 0x7f) wr_c(w, (char)type->s.p[0]);
}

SIZED_STREAM(mysql, MYSQL_HEAD, NULL)
static const struct stream_ops pgsql_stream = {.state_size = sizeof(struct pgsql_state), .read = pgsql_read};
#define LAYER(name_, ID_, COLUMN_)                                                                                     \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .keys = name_##_keys,                \
    .stream = &name_##_stream, .info = name_##_info, .info_fields = name_##_fields
static const uint16_t mysql_fields[] = {FID_MYSQL_PACKET_NUMBER, 0}, pgsql_fields[] = {FID_PGSQL_TYPE, 0};
static const struct proto_key mysql_keys[] = {{TABLE_TCP, 3306}, {TABLE_COUNT, 0}},
                              pgsql_keys[] = {{TABLE_TCP, 5432}, {TABLE_COUNT, 0}};
const struct proto proto_mysql = {LAYER(mysql, MYSQL, "MySQL"), .info_plain = true};
const struct proto proto_pgsql = {LAYER(pgsql, PGSQL, "PGSQL")};
