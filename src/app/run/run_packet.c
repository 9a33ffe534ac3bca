/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of a packet, straight from its bytes: this decides what is recorded, and the decoders are for what is shown.
 */
#include "app/run/run.h"
#include "base/reader.h"

#include <netinet/in.h>

enum {
    LINK_ETHERNET = 1,
    LINK_RAW = 101,
    LINK_SLL = 113,
    LINK_NULL = 0,
    LINK_SLL2 = 276,
    TYPE_VLAN = 0x8100,
    TYPE_QINQ = 0x88a8,
    IP6_HOP = 0,
    IP6_ROUTING = 43,
    IP6_OPTIONS = 60,
    EXTENSIONS_MOST = 8,
};

/* network_find leaves the network packet. */
static struct reader network_find(uint32_t linktype, struct slice frame) {
    struct reader r = rd_init(frame, frame.p);
    if (linktype == LINK_SLL2) rd_skip(&r, 20);
    else if (linktype == LINK_SLL) rd_skip(&r, 16);
    else if (linktype == LINK_NULL) rd_skip(&r, 4);
    else if (linktype == LINK_ETHERNET) {
        rd_skip(&r, 12);
        uint16_t type = rd_be16(&r);
        while (type == TYPE_VLAN || type == TYPE_QINQ) {
            rd_skip(&r, 2);
            type = rd_be16(&r);
        }
    }
    return r;
}

static struct shim_end end_of(struct slice addr) {
    struct shim_end e = {.len = (uint8_t)addr.n};
    if (addr.n) memcpy(e.addr, addr.p, addr.n);
    return e;
}

static void ports_read(struct reader *r, struct run_packet *out) {
    out->src.port = rd_be16(r);
    out->dst.port = rd_be16(r);
    if (out->proto == IPPROTO_UDP) {
        rd_skip(r, 4);
    } else {
        rd_skip(r, 8);
        size_t words = rd_u8(r) >> 4;
        rd_skip(r, words >= 5 ? words * 4 - 13 : 7);
    }
    out->payload = rd_rest(r);
}

static bool ip_read(struct reader *r, struct run_packet *out, bool quoted);

/* transport_read takes ports, the identifier of an echo, or what an error is about. */
static bool transport_read(struct reader *r, struct run_packet *out, bool quoted) {
    if (out->proto == IPPROTO_TCP || out->proto == IPPROTO_UDP) {
        struct reader ports = *r;
        ports_read(r, out);
        return rd_left(&ports) >= 4; /* a quoted header may end with them */
    }
    bool v4 = out->proto == IPPROTO_ICMP;
    if (!v4 && out->proto != IPPROTO_ICMPV6) return false;
    uint8_t type = rd_u8(r);
    rd_skip(r, 3);
    if (v4 ? type == 8 || type == 0 : type == 128 || type == 129) {
        uint16_t id = rd_be16(r);
        bool asks = v4 ? type == 8 : type == 128;
        *(asks ? &out->src.port : &out->dst.port) = id;
        return rd_ok(r);
    }
    rd_skip(r, 4);
    bool error = v4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
    return error && !quoted && ip_read(r, out, true);
}

static bool ip_read(struct reader *r, struct run_packet *out, bool quoted) {
    int first = rd_peek(r, 0);
    if (first >> 4 == 4) {
        struct slice head = rd_take(r, 20);
        if (!head.n) return false;
        out->proto = head.p[9];
        out->src = end_of(slice_of(head.p + 12, 4));
        out->dst = end_of(slice_of(head.p + 16, 4));
        rd_skip(r, (size_t)(first & 15) * 4 > 20 ? (size_t)(first & 15) * 4 - 20 : 0);
        if (load_be16(head.p + 6) & 0x1fff) return false; /* a later fragment has no ports */
        return rd_ok(r) && transport_read(r, out, quoted);
    }
    if (first >> 4 != 6) return false;
    struct slice head = rd_take(r, 40);
    if (!head.n) return false;
    out->proto = head.p[6];
    out->src = end_of(slice_of(head.p + 8, 16));
    out->dst = end_of(slice_of(head.p + 24, 16));
    for (int i = 0;
         i < EXTENSIONS_MOST && (out->proto == IP6_HOP || out->proto == IP6_ROUTING || out->proto == IP6_OPTIONS);
         i++) {
        out->proto = rd_u8(r);
        rd_skip(r, (size_t)rd_u8(r) * 8 + 6);
    }
    return rd_ok(r) && transport_read(r, out, quoted);
}

bool run_packet_read(uint32_t linktype, struct slice frame, struct run_packet *out) {
    struct reader r = network_find(linktype, frame);
    *out = (struct run_packet){0};
    return rd_ok(&r) && ip_read(&r, out, false);
}

struct slice run_hello_random(struct slice in) {
    enum { RECORD = 5, MESSAGE = 4, VERSION = 2, HANDSHAKE = 22, CLIENT_HELLO = 1 };
    struct slice random = slice_head(slice_tail(in, RECORD + MESSAGE + VERSION), RUN_RANDOM);
    bool hello =
        random.n == RUN_RANDOM && in.p[0] == HANDSHAKE && in.p[1] == 3 && in.p[2] <= 4 && in.p[RECORD] == CLIENT_HELLO;
    return hello ? random : (struct slice){0};
}
