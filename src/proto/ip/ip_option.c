/* SPDX-License-Identifier: Apache-2.0 */
/* The options of IPv4 (RFC 791 3.1): where a packet was and is to go, when it was there, router alert (RFC 2113). */
#include "field/print.h"
#include "proto/ip/ip.h"
#include "proto/protos.h"

enum { OPT_EOL = 0, OPT_NOP = 1, OPT_RR = 7, OPT_TS = 68, OPT_LSR = 131, OPT_SSR = 137, OPT_RA = 148 };

static struct slice host_text(struct decode *d, uint32_t address) {
    char *text = arena_get(d->arena, 16);
    if (!text) return (struct slice){0};
    struct writer w = wr_fixed(text, 16);
    print_ipv4(&w, address);
    return wr_done(&w);
}

void ip_address_add(struct decode *d, uint16_t id, uint16_t host_id, uint32_t off, uint32_t address) {
    fv_u(d->out, id, off, 4, address);
    fv_hide(fv_u(d->out, FID_IP_ADDR, off, 4, address));
    if (!d_wants(d, host_id) && !d_wants(d, FID_IP_HOST)) return;
    struct slice text = host_text(d, address);
    fv_hide(fv_s(d->out, host_id, off, 4, text));
    fv_hide(fv_s(d->out, FID_IP_HOST, off, 4, text));
}

void ip_stop_add(struct decode *d, uint16_t id, uint16_t host_id, uint32_t off, uint32_t address) {
    fv_u(d->out, id, off, 4, address);
    if (d_wants(d, host_id)) fv_hide(fv_s(d->out, host_id, off, 4, host_text(d, address)));
}

static uint16_t option_field(uint8_t type) {
    switch (type) {
    case OPT_EOL: return FID_IP_OPTIONS_EOL;
    case OPT_NOP: return FID_IP_OPTIONS_NOP;
    case OPT_RR: return FID_IP_OPTIONS_RR;
    case OPT_TS: return FID_IP_OPTIONS_TIMESTAMP;
    case OPT_LSR: return FID_IP_OPTIONS_LSR;
    case OPT_SSR: return FID_IP_OPTIONS_SSR;
    case OPT_RA: return FID_IP_OPTIONS_RA;
    default: return FID_IP_OPTIONS_UNKNOWN;
    }
}

static void option_type_add(struct decode *d, uint32_t off, uint8_t type) {
    fv_u(d->out, FID_IP_OPT_TYPE, off, 1, type);
    d->out->depth++;
    fv_u(d->out, FID_IP_OPT_COPY, off, 1, type >> 7);
    fv_u(d->out, FID_IP_OPT_CLASS, off, 1, type >> 5 & 3);
    fv_u(d->out, FID_IP_OPT_NUMBER, off, 1, type & 31);
    fv_close(d->out);
}

/* route_read reads the stops of a route, of which those before `next` bytes of the option were made. Of those to come
 * the one at `goal` is where the packet goes. */
static void route_read(struct decode *d, struct reader *o, bool source, const uint8_t *goal, size_t len) {
    const uint8_t *start = o->p - 2;
    size_t next = get_u8(d, o, FID_IP_OPT_PTR);
    for (; rd_left(o) >= 4; rd_skip(o, 4)) {
        uint32_t off = rd_off(o), address = load_be32(o->p);
        bool made = (size_t)(o->p - start) + 1 < next || next > len;
        if (made) ip_stop_add(d, FID_IP_REC_RT, FID_IP_REC_RT_HOST, off, address);
        else if (!source) ip_stop_add(d, FID_IP_EMPTY_RT, FID_IP_EMPTY_RT_HOST, off, address);
        else if (o->p != goal) ip_stop_add(d, FID_IP_SRC_RT, FID_IP_SRC_RT_HOST, off, address);
        else ip_address_add(d, FID_IP_DST, FID_IP_DST_HOST, off, address);
    }
}

static void stamps_read(struct decode *d, struct reader *o) {
    enum { STAMPS_ONLY = 0, FLAG = 0x0f };
    static const struct d_row head[] = {{FID_IP_OPT_PTR, 1}, {0, 1}, {FID_IP_OPT_OVERFLOW, 0}, {FID_IP_OPT_FLAG, 0}};
    bool addresses = (rd_peek(o, 1) & FLAG) != STAMPS_ONLY;
    d_rows(d, o, D_ROWS(head));
    while (rd_left(o) >= (addresses ? 8 : 4)) {
        if (addresses) get_be32(d, o, FID_IP_OPT_TIME_STAMP_ADDR);
        get_be32(d, o, FID_IP_OPT_TIME_STAMP);
    }
}

/* option_body reads what stands behind the length of an option of `len` bytes. */
static void option_body(struct decode *d, uint8_t type, struct reader *o, size_t len, const uint8_t *goal) {
    if (type == OPT_RA && rd_left(o) == 2) get_be16(d, o, FID_IP_OPT_RA);
    else if (type == OPT_TS) stamps_read(d, o);
    else if (type == OPT_RR || type == OPT_LSR || type == OPT_SSR) route_read(d, o, type != OPT_RR, goal, len);
}

const uint8_t *ip_route_goal(struct slice options) {
    enum { FIRST_STOP = 3 };
    struct reader r = rd_init(options, options.p);
    while (rd_left(&r)) {
        uint8_t type = rd_u8(&r);
        int len = rd_peek(&r, 0);
        if (type == OPT_EOL) return NULL;
        if (type == OPT_NOP) continue;
        if (len < 2 || (size_t)len > rd_left(&r) + 1) return NULL;
        const uint8_t *option = r.p - 1;
        rd_skip(&r, (size_t)len - 1);
        if (type != OPT_LSR && type != OPT_SSR) continue;
        int stops = (len - FIRST_STOP) / 4, next = len > FIRST_STOP ? option[2] : 0;
        return stops && next > FIRST_STOP && next <= len ? option + FIRST_STOP + (stops - 1) * 4 : NULL;
    }
    return NULL;
}

void ip_options(struct decode *d, struct reader *r, const uint8_t *goal) {
    while (rd_left(r)) {
        uint32_t off = rd_off(r);
        const uint8_t *start = r->p;
        uint8_t type = rd_u8(r);
        bool single = type <= OPT_NOP;
        int len = single ? 1 : rd_peek(r, 0);
        if (!single && (len < 2 || (size_t)len > rd_left(r) + 1)) {
            d_anomaly(d, FID_IP_OPT_LEN_INVALID, off, 1);
            return;
        }
        uint32_t at = fv_open(d->out, option_field(type), off, (uint32_t)len);
        if (at != FV_UNWANTED) fv_at(d->out, at)->s = slice_of(start, (size_t)len);
        option_type_add(d, off, type);
        if (!single) {
            struct reader o = rd_sub(r, (size_t)len - 1);
            get_u8(d, &o, FID_IP_OPT_LEN);
            option_body(d, type, &o, (size_t)len, goal);
        }
        fv_close(d->out);
        if (type == OPT_EOL) return;
    }
}
