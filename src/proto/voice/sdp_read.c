/* SPDX-License-Identifier: Apache-2.0 */
/* Session descriptions (RFC 4566 5): their lines, inside the messages that carry them, and the streams of RTP they
 * announce: at the address of the last line c= and the port of the line m=, with RTCP at the port behind it. A medium
 * whose own line c= comes after its line m= is announced when the medium ends. */
#include "proto/lines/lines.h"
#include "proto/protos.h"

#include <arpa/inet.h>

/* medium is what is known of the medium being read. */
struct medium {
    struct net_addr session, own; /* len 0: not said */
    uint16_t port;                /* 0: no RTP */
    bool any;                     /* a line m= was met */
};

/* address_of reads an address as text, without what follows a slash; len 0: it is none. */
static struct net_addr address_of(struct slice text) {
    char buf[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    const uint8_t *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
    size_t n = slash ? (size_t)(slash - text.p) : text.n;
    if (n >= sizeof buf) return (struct net_addr){0};
    memcpy(buf, text.p, n);
    buf[n] = 0;
    if (inet_pton(AF_INET, buf, bytes) == 1) return addr_of(bytes, 4);
    return inet_pton(AF_INET6, buf, bytes) == 1 ? addr_of(bytes, 16) : (struct net_addr){0};
}

static void medium_end(struct decode *d, const struct medium *m) {
    const struct net_addr *at = m->own.len ? &m->own : &m->session;
    if (!m->port || !at->len || d->quoted || !d->ops->announce) return;
    d->ops->announce(d, &proto_rtp, at, m->port, (struct slice){0});
    d->ops->announce(d, &proto_rtcp, at, (uint16_t)(m->port + 1), (struct slice){0});
}

static void connection_read(struct decode *d, struct slice value, struct medium *m) {
    line_add(d, FID_SDP_CONNECTION_INFO_NETWORK_TYPE, word_take(&value));
    line_add(d, FID_SDP_CONNECTION_INFO_ADDRESS_TYPE, word_take(&value));
    line_add(d, FID_SDP_CONNECTION_INFO_ADDRESS, value);
    *(m->any ? &m->own : &m->session) = address_of(value);
}

static void media_read(struct decode *d, struct slice value, struct medium *m) {
    medium_end(d, m);
    line_add(d, FID_SDP_MEDIA_MEDIA, word_take(&value));
    struct slice port = word_take(&value), proto = word_take(&value);
    uint32_t number = 0;
    for (size_t i = 0; i < port.n && port.p[i] >= '0' && port.p[i] <= '9' && number <= UINT16_MAX; i++)
        number = number * 10 + (port.p[i] - '0');
    if (number <= UINT16_MAX) fv_u(d->out, FID_SDP_MEDIA_PORT, d_off(d, port.p), (uint32_t)port.n, number);
    line_add(d, FID_SDP_MEDIA_PROTO, proto);
    *m = (struct medium){.session = m->session, .any = true};
    if (number < UINT16_MAX && slice_starts(proto, SLICE("RTP/"))) m->port = (uint16_t)number;
}

static uint16_t field_of_line(uint8_t kind, bool media) {
    switch (kind) {
    case 'v': return FID_SDP_VERSION;
    case 'o': return FID_SDP_OWNER;
    case 's': return FID_SDP_SESSION_NAME;
    case 'i': return media ? FID_SDP_MEDIA_TITLE : FID_SDP_SESSION_INFO;
    case 'u': return FID_SDP_URI;
    case 'e': return FID_SDP_EMAIL;
    case 'p': return FID_SDP_PHONE;
    case 'c': return FID_SDP_CONNECTION_INFO;
    case 'b': return FID_SDP_BANDWIDTH;
    case 't': return FID_SDP_TIME;
    case 'a': return media ? FID_SDP_MEDIA_ATTR : FID_SDP_SESSION_ATTR;
    case 'm': return FID_SDP_MEDIA;
    default: return FID_NONE;
    }
}

static void sdp_read(struct decode *d, struct slice in) {
    struct medium m = {0};
    struct line line;
    d_begin(d, &proto_sdp, d_off(d, in.p), (uint32_t)in.n);
    for (unsigned i = 0; i < LINES_MAX && line_take(&in, &line); i++) {
        if (line.text.n < 2 || line.text.p[1] != '=') continue;
        uint8_t kind = line.text.p[0];
        uint16_t id = field_of_line(kind, m.any || kind == 'm');
        struct slice value = slice_tail(line.text, 2);
        if (!id) continue;
        struct fval *f = fv_at(d->out, fv_open(d->out, id, d_off(d, line.text.p), (uint32_t)line.text.n));
        if (f) f->s = value;
        if (kind == 'c') connection_read(d, value, &m);
        if (kind == 'm') media_read(d, value, &m);
        fv_close(d->out);
    }
    medium_end(d, &m);
    d_end(d);
}

const struct proto proto_sdp = {.name = "sdp", .id = FID_SDP, .end = FID_SDP_END, .read = sdp_read, .inner = true};
