/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual networks over UDP: VXLAN (RFC 7348, with the extensions for group policies and for other protocols than
 * Ethernet) and Geneve (RFC 8926; its options are passed over). */
#include "proto/fabric/fabric.h"
#include "proto/protos.h"

enum { HEADER = 8, UNIT = 4, GROUP_POLICY = 0x80, NEXT_PROTOCOL = 0x04, NEXT_AT = 3 };

static void flags_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint16_t v = rd_be16(r);
    if (!rd_ok(r)) return;
    d_open_u(d, FID_VXLAN_FLAGS, off, 2, v);
    fv_u(d->out, FID_VXLAN_FLAG_G, off, 2, v >> 15);
    fv_u(d->out, FID_VXLAN_FLAG_I, off, 2, v >> 11 & 1);
    fv_u(d->out, FID_VXLAN_FLAG_D, off, 2, v >> 6 & 1);
    fv_u(d->out, FID_VXLAN_FLAG_A, off, 2, v >> 3 & 1);
    fv_u(d->out, FID_VXLAN_FLAGS_RESERVED, off, 2, v & 0x77b7);
    fv_close(d->out);
}

/* names_next tells whether the header says what follows, as draft-ietf-nvo3-vxlan-gpe-12 3.1 has it. There are senders
 * that name it without the bit that says so; without the extension nothing but a group policy stands there. */
static bool names_next(struct slice in) {
    return in.n > NEXT_AT && (in.p[0] & NEXT_PROTOCOL || (!(in.p[0] & GROUP_POLICY) && in.p[NEXT_AT]));
}

/* next_read reads the first half of a header that names what follows, and returns that. */
static uint8_t next_read(struct decode *d, struct reader *r) {
    static const struct d_row flags[] = {
        {FID_VXLAN_FLAGS, 1}, {FID_VXLAN_VER, 0}, {FID_VXLAN_I_BIT, 0}, {FID_VXLAN_P_BIT, 0}, {FID_VXLAN_O_BIT, 0}};
    d_rows(d, r, D_ROWS(flags));
    get_be16(d, r, FID_VXLAN_RESERVED16);
    return get_u8(d, r, FID_VXLAN_NEXT_PROTO);
}

static void vxlan_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint8_t next = FABRIC_ETHERNET;
    d_begin(d, &proto_vxlan, rd_off(&r), HEADER);
    if (names_next(in)) {
        next = next_read(d, &r);
    } else {
        flags_read(d, &r);
        get_be16(d, &r, FID_VXLAN_GBP);
    }
    get_be24(d, &r, FID_VXLAN_VNI);
    get_u8(d, &r, FID_VXLAN_RESERVED8);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r)) fabric_next(d, next, rd_rest(&r));
}

static void geneve_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_geneve, off, HEADER);
    uint8_t first = rd_u8(&r);
    size_t options = (first & 0x3fu) * UNIT;
    if (rd_ok(&r)) fv_u(d->out, FID_GENEVE_VERSION, off, 1, first >> 6);
    if (rd_ok(&r)) fv_u(d->out, FID_GENEVE_OPTION_LENGTH, off, 1, options);
    get_u8(d, &r, FID_GENEVE_FLAGS);
    uint16_t type = get_be16(d, &r, FID_GENEVE_PROTO);
    get_be24(d, &r, FID_GENEVE_VNI);
    rd_skip(&r, 1);
    rd_skip(&r, options);
    if (rd_ok(&r)) fv_set_len(d->out, at, rd_off(&r) - off);
    else d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r) && !d->ops->next(d, TABLE_ETHERTYPE, type, rd_rest(&r))) d_data(d, rd_rest(&r));
}

static const struct proto_key vxlan_keys[] = {
    {TABLE_UDP, 4789}, {TABLE_UDP, 4790}, {TABLE_UDP, 8472}, {TABLE_COUNT, 0}};
const struct proto proto_vxlan = {.name = "vxlan",
                                  .column = "VXLAN",
                                  .id = FID_VXLAN,
                                  .end = FID_VXLAN_END,
                                  .keys = vxlan_keys,
                                  .read = vxlan_read,
                                  .carrier = true};
static const struct proto_key geneve_keys[] = {{TABLE_UDP, 6081}, {TABLE_COUNT, 0}};
const struct proto proto_geneve = {.name = "geneve",
                                   .column = "Geneve",
                                   .id = FID_GENEVE,
                                   .end = FID_GENEVE_END,
                                   .keys = geneve_keys,
                                   .read = geneve_read,
                                   .carrier = true};
