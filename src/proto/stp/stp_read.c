/* SPDX-License-Identifier: Apache-2.0 */
/* Spanning tree BPDUs: configuration, topology change and rapid ones (IEEE 802.1D-2004 9.3), also as Cisco sends them
 * for each VLAN (PVST+), and those for several trees (IEEE 802.1Q-2014 14). */
#include "proto/protos.h"

#include "field/print.h"

enum { CONFIGURATION = 0x00, RAPID = 0x02, CHANGE = 0x80, VERSION_MULTIPLE = 3, EXTENSION = 0x0fff };
enum { NAME = 32, CONFIGURED = 64, TREE = 16, TREES_MAX = 64 };

/* identifier_read reads who a bridge is: a priority in whose lower bits a number stands, and an address (9.2.5). */
static void identifier_read(struct decode *d, struct reader *r, const uint16_t ids[4]) {
    uint32_t off = rd_off(r);
    uint16_t priority = rd_be16(r);
    struct slice address = rd_take(r, 6);
    if (!rd_ok(r)) return;
    fv_open(d->out, ids[0], off, 8);
    fv_u(d->out, ids[1], off, 1, priority & ~EXTENSION & 0xffff);
    fv_u(d->out, ids[2], off, 2, priority & EXTENSION);
    fv_s(d->out, ids[3], off + 2, 6, address);
    fv_close(d->out);
}

/* seconds_read reads a time in units of 1/256 second (9.2.8). */
static void seconds_read(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint16_t value = rd_be16(r);
    struct fval *f = rd_ok(r) ? fv_add(d->out, id, off, 2) : NULL;
    if (f) f->d = value / 256.0;
}

static void flags_read(struct decode *d, struct reader *r, bool rapid) {
    static const struct d_row plain[] = {{FID_STP_FLAGS, 1}, {FID_STP_FLAGS_TCACK, 0}, {FID_STP_FLAGS_TC, 0}};
    static const struct d_row more[] = {{FID_STP_FLAGS, 1},           {FID_STP_FLAGS_TCACK, 0},
                                        {FID_STP_FLAGS_AGREEMENT, 0}, {FID_STP_FLAGS_FORWARDING, 0},
                                        {FID_STP_FLAGS_LEARNING, 0},  {FID_STP_FLAGS_PORT_ROLE, 0},
                                        {FID_STP_FLAGS_PROPOSAL, 0},  {FID_STP_FLAGS_TC, 0}};
    if (rapid) d_rows(d, r, D_ROWS(more));
    else d_rows(d, r, D_ROWS(plain));
}

static void configuration_read(struct decode *d, struct reader *r, bool rapid) {
    static const uint16_t root[] = {FID_STP_ROOT, FID_STP_ROOT_PRIO, FID_STP_ROOT_EXT, FID_STP_ROOT_HW};
    static const uint16_t bridge[] = {FID_STP_BRIDGE, FID_STP_BRIDGE_PRIO, FID_STP_BRIDGE_EXT, FID_STP_BRIDGE_HW};
    flags_read(d, r, rapid);
    identifier_read(d, r, root);
    get_be32(d, r, FID_STP_ROOT_COST);
    identifier_read(d, r, bridge);
    get_be16(d, r, FID_STP_PORT);
    seconds_read(d, r, FID_STP_MSG_AGE);
    seconds_read(d, r, FID_STP_MAX_AGE);
    seconds_read(d, r, FID_STP_HELLO);
    seconds_read(d, r, FID_STP_FORWARD);
    if (rapid) get_u8(d, r, FID_STP_VERSION_1_LENGTH);
}

/* high_read reads a priority that stands in the upper four bits. */
static void high_read(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    uint8_t value = rd_u8(r);
    if (rd_ok(r)) fv_u(d->out, id, off, 1, value >> 4);
}

static void tree_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    fv_open(d->out, FID_MSTI, off, rd_left(r) < TREE ? (uint32_t)rd_left(r) : TREE);
    get_u8(d, r, FID_MSTI_FLAGS);
    uint16_t which = rd_be16(r);
    if (rd_ok(r)) {
        fv_u(d->out, FID_MSTI_PRIORITY, off + 1, 1, which >> 12);
        fv_u(d->out, FID_MSTI_ID, off + 1, 2, which & EXTENSION);
    }
    get_bytes(d, r, FID_MSTI_ROOT_HW, 6);
    get_be32(d, r, FID_MSTI_COST);
    high_read(d, r, FID_MSTI_BRIDGE_PRIORITY);
    high_read(d, r, FID_MSTI_PORT_PRIORITY);
    get_u8(d, r, FID_MSTI_HOPS);
    fv_close(d->out);
}

/* trees_read reads what a BPDU says of several trees: their common configuration and each of them (14.4). A length that
 * has no room for the configuration cannot say where the trees end. */
static void trees_read(struct decode *d, struct reader *r) {
    static const uint16_t bridge[] = {FID_MSTP_CIST_BRIDGE, FID_MSTP_CIST_BRIDGE_PRIO, FID_MSTP_CIST_BRIDGE_EXT,
                                      FID_MSTP_CIST_BRIDGE_HW};
    unsigned length = get_be16(d, r, FID_MSTP_VERSION_3_LENGTH);
    if (!length) return;
    fv_open(d->out, FID_MSTP, rd_off(r), (uint32_t)rd_left(r));
    get_u8(d, r, FID_MSTP_CONFIG_FORMAT);
    uint32_t off = rd_off(r);
    struct slice name = rd_take(r, NAME);
    if (rd_ok(r)) fv_s(d->out, FID_MSTP_CONFIG_NAME, off, NAME, slice_head(name, strnlen((const char *)name.p, NAME)));
    get_be16(d, r, FID_MSTP_CONFIG_REVISION);
    get_bytes(d, r, FID_MSTP_CONFIG_DIGEST, 16);
    get_be32(d, r, FID_MSTP_CIST_COST);
    identifier_read(d, r, bridge);
    get_u8(d, r, FID_MSTP_CIST_HOPS);
    unsigned trees = length < CONFIGURED ? TREES_MAX + 1 : (length - CONFIGURED) / TREE;
    for (unsigned i = 0; i < trees && i < TREES_MAX && rd_ok(r); i++) tree_read(d, r);
    fv_close(d->out);
}

static void stp_read(struct decode *d, struct slice in) {
    if (!d_header(d, &proto_stp, in, 3)) return;
    static const struct d_row head[] = {{FID_STP_PROTOCOL, 2}, {FID_STP_VERSION, 1}, {FID_STP_TYPE, 1}};
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_stp, off, (uint32_t)in.n);
    int version = rd_peek(&r, 2), type = rd_peek(&r, 3);
    d_rows(d, &r, D_ROWS(head));
    if (rd_ok(&r) && (type == CONFIGURATION || type == RAPID)) configuration_read(d, &r, type == RAPID);
    if (version == VERSION_MULTIPLE && type == RAPID && rd_left(&r)) trees_read(d, &r);
    fv_set_len(d->out, at, rd_off(&r) - off);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void identifier_write(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end, const uint16_t ids[3]) {
    const struct fval *priority = fv_first(v, ids[0], at, end), *extension = fv_first(v, ids[1], at, end);
    const struct fval *address = fv_first(v, ids[2], at, end);
    if (!priority || !extension || !address) return;
    wr_f(w, "%u/%u/", (unsigned)priority->u, (unsigned)extension->u);
    print_ether(w, address->s.p);
}

static void stp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    static const uint16_t root[] = {FID_STP_ROOT_PRIO, FID_STP_ROOT_EXT, FID_STP_ROOT_HW};
    const struct fval *type = fv_first(v, FID_STP_TYPE, at, end), *version = fv_first(v, FID_STP_VERSION, at, end);
    const struct fval *flags = fv_first(v, FID_STP_FLAGS, at, end), *cost = fv_first(v, FID_STP_ROOT_COST, at, end);
    const struct fval *port = fv_first(v, FID_STP_PORT, at, end);
    if (!type || !version) return;
    if (type->u == CHANGE) {
        wr_s(w, "Topology Change Notification");
        return;
    }
    if (!flags || !cost || !port) return;
    wr_s(w, type->u == CONFIGURATION ? "Conf. " : version->u >= VERSION_MULTIPLE ? "MST. " : "RST. ");
    if (flags->u & 1) wr_s(w, "TC + ");
    wr_s(w, "Root = ");
    identifier_write(w, v, at, end, root);
    wr_f(w, "  Cost = %u  Port = 0x%04x", (unsigned)cost->u, (unsigned)port->u);
}

static bool stp_label(struct writer *w, const struct fvec *v, uint32_t at) {
    static const uint16_t root[] = {FID_STP_ROOT_PRIO, FID_STP_ROOT_EXT, FID_STP_ROOT_HW};
    static const uint16_t bridge[] = {FID_STP_BRIDGE_PRIO, FID_STP_BRIDGE_EXT, FID_STP_BRIDGE_HW};
    const struct fval *f = &v->v[at];
    if (f->id != FID_STP_ROOT && f->id != FID_STP_BRIDGE) return false;
    wr_f(w, "%s: ", field_of(f->id)->label);
    identifier_write(w, v, at, fv_end(v, at), f->id == FID_STP_ROOT ? root : bridge);
    return true;
}

static const uint16_t info_fields[] = {FID_STP_TYPE,      FID_STP_VERSION,  FID_STP_FLAGS,
                                       FID_STP_ROOT_PRIO, FID_STP_ROOT_EXT, FID_STP_ROOT_HW,
                                       FID_STP_ROOT_COST, FID_STP_PORT,     0};
static const struct proto_key keys[] = {{TABLE_LLC, 0x42}, {TABLE_SNAP_CISCO, 0x010b}, {TABLE_COUNT, 0}};
const struct proto proto_stp = {.name = "stp",
                                .column = "STP",
                                .id = FID_STP,
                                .end = FID_STP_END,
                                .keys = keys,
                                .read = stp_read,
                                .info = stp_info,
                                .info_fields = info_fields,
                                .label = stp_label};
