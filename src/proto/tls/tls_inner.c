/* SPDX-License-Identifier: Apache-2.0 */
/* What travels inside TLS: its name, and handing it on once it is decrypted. */
#include "proto/protos.h"
#include "proto/tls/tls_session.h"

/* What runs inside TLS at a port: those of TLS, and those where a protocol begins in clear and goes on in TLS. */
static const struct {
    uint16_t port;
    const char *name;
    const struct proto *proto; /* NULL: one that Weir does not decode */
} inner[] = {
    {21, "File Transfer Protocol (FTP)", NULL},
    {25, "Simple Mail Transfer Protocol", NULL},
    {110, "Post Office Protocol", NULL},
    {143, "Internet Message Access Protocol", NULL},
    {389, "Lightweight Directory Access Protocol", NULL},
    {443, "Hypertext Transfer Protocol", &proto_http},
    {465, "Simple Mail Transfer Protocol", NULL},
    {587, "Simple Mail Transfer Protocol", NULL},
    {636, "Lightweight Directory Access Protocol", NULL},
    {802, "Modbus/TCP", NULL},
    {853, "Domain Name System", &proto_dns},
    {993, "Internet Message Access Protocol", NULL},
    {995, "Post Office Protocol", NULL},
    {3306, "MySQL Protocol", NULL},
    {5061, "Session Initiation Protocol", NULL},
    {5432, "PostgreSQL", NULL},
    {5671, "Advanced Message Queuing Protocol", NULL},
    {5684, "Constrained Application Protocol", NULL},
    {5868, "Diameter Protocol", NULL},
    {8883, "MQ Telemetry Transport Protocol", &proto_mqtt},
    {11207, "Couchbase Protocol", NULL},
    {19999, "Distributed Network Protocol 3.0", NULL},
    {27017, "Mongo Wire Protocol", NULL},
};

const char *tls_inner_name(const struct decode *d, const struct tls_state *st) {
    if (st->alpn == ALPN_HTTP2) return "HyperText Transfer Protocol 2";
    if (st->alpn == ALPN_HTTP1) return "Hypertext Transfer Protocol";
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        if (inner[i].port == d->service) return inner[i].name;
    return NULL;
}

static const struct proto *port_proto(uint16_t port) {
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        if (inner[i].port == port) return inner[i].proto;
    return NULL;
}

void tls_inner_read(struct decode *d, struct tls_state *st, int from, const struct tls_plain *list) {
    struct carry how = {
        .by = &proto_tls,
        .proto = st->alpn == ALPN_HTTP2   ? &proto_http2
                 : st->alpn == ALPN_HTTP1 ? &proto_http
                                          : NULL,
        .likely = port_proto(d->service),
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
