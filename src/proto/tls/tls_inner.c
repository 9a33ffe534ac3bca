/* SPDX-License-Identifier: Apache-2.0 */
/* What travels inside TLS: its name, and handing it on once it is decrypted. */
#include "proto/protos.h"
#include "proto/tls/tls_session.h"

/* Names of what runs inside TLS at a port and has no decoder: protocols of TLS, and those that begin in clear and go on
 * in TLS. Those with a decoder are registered under TABLE_TLS. */
static const struct {
    uint16_t port;
    const char *name;
} inner[] = {
    {21, "File Transfer Protocol (FTP)"},
    {25, "Simple Mail Transfer Protocol"},
    {110, "Post Office Protocol"},
    {143, "Internet Message Access Protocol"},
    {389, "Lightweight Directory Access Protocol"},
    {465, "Simple Mail Transfer Protocol"},
    {587, "Simple Mail Transfer Protocol"},
    {636, "Lightweight Directory Access Protocol"},
    {802, "Modbus/TCP"},
    {993, "Internet Message Access Protocol"},
    {995, "Post Office Protocol"},
    {3306, "MySQL Protocol"},
    {5061, "Session Initiation Protocol"},
    {5432, "PostgreSQL"},
    {5671, "Advanced Message Queuing Protocol"},
    {5684, "Constrained Application Protocol"},
    {5868, "Diameter Protocol"},
    {11207, "Couchbase Protocol"},
    {19999, "Distributed Network Protocol 3.0"},
    {27017, "Mongo Wire Protocol"},
};

static const struct proto *alpn_proto(const struct tls_state *st) {
    return st->alpn == ALPN_HTTP2 ? &proto_http2 : st->alpn == ALPN_HTTP1 ? &proto_http : NULL;
}

static const struct proto *port_proto(struct decode *d) {
    return d->ops && d->ops->lookup ? d->ops->lookup(d, TABLE_TLS, d->service) : NULL;
}

struct slice tls_inner_name(struct decode *d, const struct tls_state *st) {
    const struct proto *p = alpn_proto(st);
    if (st->alpn == ALPN_SPDY) return SLICE("SPDY");
    if (!p) p = port_proto(d);
    if (p) return slice_of(field_of(p->id)->label, field_of(p->id)->label_len);
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        if (inner[i].port == d->service) return slice_str(inner[i].name);
    return (struct slice){0};
}

void tls_inner_read(struct decode *d, struct tls_state *st, int from, const struct tls_plain *list) {
    struct carry how = {
        .by = &proto_tls,
        .proto = alpn_proto(st),
        .likely = port_proto(d),
        .port = d->service,
        .name = "Reassembled TLS",
        .segment_data = FID_TLS_SEGMENT_DATA,
        .segments = FID_TLS_SEGMENTS,
        .segment = FID_TLS_SEGMENT,
        .segment_count = FID_TLS_SEGMENT_COUNT,
        .length = FID_TLS_REASSEMBLED_LEN,
        .data = FID_TLS_REASSEMBLED_DATA,
    };
    uint8_t src = d->out->src;
    for (; list; list = list->next) {
        d->out->src = list->source;
        if (list->lost && st->inner) st->inner->lost(st->inner, from);
        if (list->bytes.n && d->ops->carry) d->ops->carry(d, &st->inner, &how, from, list->bytes);
        else if (list->bytes.n) d_data(d, list->bytes);
    }
    d->out->src = src;
}
