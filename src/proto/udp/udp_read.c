/* SPDX-License-Identifier: Apache-2.0 */
/* User Datagram Protocol (RFC 768; RFC 2675 for jumbograms, RFC 8200 8.1 for the checksum over IPv6). */
#include "proto/icmp/checksum.h"
#include "proto/protos.h"

enum { HEADER = 8, PORTS = 4, TRACE_FIRST = 33435, TRACE_LAST = 33464, JUMBO = 65536 };

/* port_read adds a port; one in the range classic traceroute counts through is marked. */
static uint16_t port_read(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint16_t port = get_be16(d, r, id);
    if (port < TRACE_FIRST || port > TRACE_LAST) return port;
    d->out->depth++;
    struct fval *f = d_anomaly(d, FID_UDP_POSSIBLE_TRACEROUTE, off, 2);
    if (f) f->extra = (uint16_t)(port - TRACE_FIRST);
    fv_close(d->out);
    return port;
}

static void ports_read(struct decode *d, struct reader *r, uint16_t *sport, uint16_t *dport) {
    uint32_t off = rd_off(r);
    *sport = port_read(d, r, FID_UDP_SRCPORT);
    *dport = port_read(d, r, FID_UDP_DSTPORT);
    if (!rd_ok(r)) return;
    fv_hide(fv_u(d->out, FID_UDP_PORT, off, 2, *sport));
    fv_hide(fv_u(d->out, FID_UDP_PORT, off + 2, 2, *dport));
}

/* length_read returns the datagram's length, 0 where it makes no sense. `have` is what IP says. */
static uint32_t length_read(struct decode *d, struct reader *r, uint32_t have) {
    uint32_t off = rd_off(r);
    uint16_t len = rd_be16(r);
    if (!rd_ok(r)) return 0;
    bool jumbo = len == 0 && d->src.len == 16;
    bool bad = (len < HEADER && !jumbo) || (len > have && !d->quoted);
    struct fval *f = fv_u(d->out, FID_UDP_LENGTH, off, 2, len);
    if (f && bad) f->extra = (uint16_t)(len < HEADER ? 1 : have);
    d->out->depth++;
    if (bad) {
        f = d_anomaly(d, FID_UDP_LENGTH_BAD, off, 2);
        if (f) f->extra = len;
    } else if (jumbo && have < JUMBO) {
        d_anomaly(d, FID_UDP_LENGTH_BAD_ZERO, off, 2);
    }
    fv_close(d->out);
    if (jumbo) return have;
    return len < HEADER ? 0 : len;
}

static void checksum_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint16_t sum = get_be16(d, r, FID_UDP_CHECKSUM);
    if (!rd_ok(r)) return;
    if (sum) {
        fv_u(d->out, FID_UDP_CHECKSUM_STATUS, off, 0, CHECKSUM_UNVERIFIED);
        return;
    }
    bool illegal = d->src.len == 16; /* RFC 8200 8.1: not optional over IPv6 */
    d->out->depth++;
    if (illegal) d_anomaly(d, FID_UDP_CHECKSUM_ZERO, off, 2);
    fv_u(d->out, FID_UDP_CHECKSUM_STATUS, off, 2, illegal ? CHECKSUM_ILLEGAL : CHECKSUM_ABSENT);
    fv_close(d->out);
}

/* conversation_add shows the conversation, and its times where the datagram carries something. */
static void conversation_add(struct decode *d, uint16_t sport, uint16_t dport, uint32_t off, bool timed) {
    struct conv_times t;
    if (!d->ops->udp_find || !d->ops->udp_find(d, sport, dport, &t)) return;
    fv_u(d->out, FID_UDP_STREAM, off + HEADER, 0, t.stream);
    if (!timed) return;
    fv_open(d->out, FID_UDP_TIMES, off, 0);
    fv_i(d->out, FID_UDP_TIME_RELATIVE, off, 0, t.relative);
    fv_i(d->out, FID_UDP_TIME_DELTA, off, 0, t.delta);
    fv_close(d->out);
}

static void udp_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    uint16_t sport, dport;
    if (!d_header(d, &proto_udp, in, PORTS)) return;
    d_begin(d, &proto_udp, off, in.n < HEADER ? (uint32_t)in.n : HEADER);
    ports_read(d, &r, &sport, &dport);
    uint32_t len = length_read(d, &r, d->wire_len ? d->wire_len : (uint32_t)in.n);
    if (rd_ok(&r) && len) checksum_read(d, &r);
    if (!rd_ok(&r)) d_bad(d, &r);
    if (!rd_ok(&r) || !len) {
        d_end(d);
        return;
    }
    struct slice payload = slice_head(rd_rest(&r), len - HEADER);
    conversation_add(d, sport, dport, off, len > HEADER && !d->quoted);
    if (payload.n) {
        struct fval *f = fv_s(d->out, FID_UDP_PAYLOAD, off + HEADER, (uint32_t)rd_left(&r), rd_rest(&r));
        if (f) f->extra = (uint16_t)payload.n;
    }
    d_end(d);
    if (len > HEADER) d->ops->udp_data(d, sport, dport, payload);
}

static void udp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *src = fv_first(v, FID_UDP_SRCPORT, at, end), *dst = fv_first(v, FID_UDP_DSTPORT, at, end);
    const struct fval *len = fv_first(v, FID_UDP_LENGTH, at, end), *bad = fv_first(v, FID_UDP_LENGTH_BAD, at, end);
    const struct fval *status = fv_first(v, FID_UDP_CHECKSUM_STATUS, at, end);
    if (!src || !dst) return;
    wr_f(w, "%u → %u", (unsigned)src->u, (unsigned)dst->u);
    if (!len) return;
    if (bad && bad->extra < HEADER) {
        wr_f(w, " [BAD UDP LENGTH %u < 8]", bad->extra);
        return;
    }
    if (bad) wr_f(w, " [BAD UDP LENGTH %u > IP PAYLOAD LENGTH]", bad->extra);
    const struct fval *payload = fv_first(v, FID_UDP_PAYLOAD, at, end);
    if (len->u) wr_f(w, " Len=%u", (unsigned)len->u - HEADER);
    else wr_f(w, " Len=%u [Jumbogram]", payload ? payload->extra : 0);
    if (status && status->u == CHECKSUM_ILLEGAL) wr_s(w, " [ILLEGAL CHECKSUM (0)]");
}

static bool udp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    switch (f->id) {
    case FID_UDP: {
        const struct fval *src = fv_first(v, FID_UDP_SRCPORT, at, v->n), *dst = fv_first(v, FID_UDP_DSTPORT, at, v->n);
        if (!src || !dst) return false;
        wr_number(w, "User Datagram Protocol, Src Port: ", src->u, ", Dst Port: ");
        wr_u(w, dst->u);
        return true;
    }
    case FID_UDP_LENGTH:
        wr_number(w, "Length: ", f->u, "");
        if (f->extra && f->u < HEADER) wr_s(w, " (bogus, must be >= 8)");
        else if (f->extra) wr_f(w, " (bogus, payload length %u)", f->extra);
        return true;
    case FID_UDP_CHECKSUM:
        wr_hexnumber(w, "Checksum: 0x", f->u, 4, " ");
        if (f->u) wr_s(w, "[unverified]");
        else
            wr_s(w, fv_first(v, FID_UDP_CHECKSUM_ZERO, at, fv_end(v, at)) ? "[zero-value illegal]"
                                                                          : "[zero-value ignored]");
        return true;
    case FID_UDP_PAYLOAD: wr_number(w, "UDP payload (", f->extra, f->extra == 1 ? " byte)" : " bytes)"); return true;
    case FID_UDP_LENGTH_BAD:
        if (f->extra < HEADER) wr_f(w, "Bad length value %u < 8", f->extra);
        else wr_f(w, "Bad length value %u > IP payload length", f->extra);
        return true;
    case FID_UDP_POSSIBLE_TRACEROUTE:
        wr_f(w, "Possible traceroute: hop #%u, attempt #%u", f->extra / 3 + 1, f->extra % 3 + 1);
        return true;
    default: return false;
    }
}

static const uint16_t info_fields[] = {
    FID_UDP_SRCPORT, FID_UDP_DSTPORT, FID_UDP_LENGTH, FID_UDP_LENGTH_BAD, FID_UDP_CHECKSUM_STATUS, FID_UDP_PAYLOAD, 0};
static const struct proto_key keys[] = {{TABLE_IP, 17}, {TABLE_COUNT, 0}};
const struct proto proto_udp = {.name = "udp",
                                .column = "UDP",
                                .id = FID_UDP,
                                .end = FID_UDP_END,
                                .keys = keys,
                                .read = udp_read,
                                .info = udp_info,
                                .info_fields = info_fields,
                                .label = udp_label};
