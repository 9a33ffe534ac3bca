/* SPDX-License-Identifier: Apache-2.0 */
/* Frame Relay addresses of two to four bytes (Q.922 3.2) with the two ways to name the protocol: network layer
 * protocol ids (RFC 2427) or, as Cisco has it, an EtherType; and Cisco HDLC with SLARP, by which its ends find each
 * other. */
#include "field/print.h"
#include "proto/protos.h"

enum { UNNUMBERED = 3, NLPID_SNAP = 0x80, NLPID_PAD = 0, TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, OUI_8021 = 0x0080c2 };
enum {
    NLPID_IPV4 = 0xcc,
    NLPID_IPV6 = 0x8e,
    NLPID_PPP = 0xcf,
    BRIDGED_FCS = 1,
    BRIDGED = 7,
    EXTENDED = 1,
    DL_CORE = 2
};

static uint8_t first_read(struct decode *d, struct reader *r, uint32_t *dlci) {
    uint32_t off = rd_off(r);
    uint8_t v = rd_u8(r);
    if (!rd_ok(r)) return EXTENDED;
    d_open_u(d, FID_FR_FIRST, off, 1, v);
    fv_u(d->out, FID_FR_UPPER_DLCI, off, 1, v >> 2);
    fv_u(d->out, FID_FR_CR, off, 1, v >> 1 & 1);
    fv_u(d->out, FID_FR_EA, off, 1, v & 1);
    fv_close(d->out);
    *dlci = v >> 2;
    return v;
}

static uint8_t second_read(struct decode *d, struct reader *r, uint32_t *dlci) {
    uint32_t off = rd_off(r);
    uint8_t v = rd_u8(r);
    if (!rd_ok(r)) return EXTENDED;
    d_open_u(d, FID_FR_SECOND, off, 1, v);
    fv_u(d->out, FID_FR_SECOND_DLCI, off, 1, v >> 4);
    fv_u(d->out, FID_FR_FECN, off, 1, v >> 3 & 1);
    fv_u(d->out, FID_FR_BECN, off, 1, v >> 2 & 1);
    fv_u(d->out, FID_FR_DE, off, 1, v >> 1 & 1);
    fv_u(d->out, FID_FR_EA, off, 1, v & 1);
    fv_close(d->out);
    *dlci = *dlci << 4 | v >> 4;
    return v;
}

/* address_read reads an address; false: it has no end. */
static bool address_read(struct decode *d, struct reader *r, uint32_t *circuit) {
    uint32_t start = rd_off(r), dlci = 0;
    uint8_t last = first_read(d, r, &dlci);
    if (!(last & EXTENDED)) last = second_read(d, r, &dlci);
    for (int i = 0; i < 2 && rd_ok(r) && !(last & EXTENDED); i++) { /* a third byte has 7 bits, the last one 6 */
        uint32_t off = rd_off(r);
        last = rd_u8(r);
        if (!rd_ok(r)) return false;
        if (!(last & EXTENDED)) {
            dlci = dlci << 7 | last >> 1;
            continue;
        }
        bool control = last & DL_CORE; /* Q.922 3.3.7: its bits are not of the address */
        fv_u(d->out, control ? FID_FR_DLCORE_CONTROL : FID_FR_LOWER_DLCI, off, 1, last >> 2);
        fv_u(d->out, FID_FR_DC, off, 1, last >> 1 & 1);
        fv_u(d->out, FID_FR_EA, off, 1, 1);
        if (!control) dlci = dlci << 6 | last >> 2;
    }
    if (rd_ok(r)) fv_u(d->out, FID_FR_DLCI, start, rd_off(r) - start, dlci);
    *circuit = dlci;
    return last & EXTENDED;
}

static bool snap_pass(struct decode *d, struct reader *r) {
    uint32_t oui = get_be24(d, r, FID_FR_SNAP_OUI);
    uint16_t pid = get_be16(d, r, oui ? FID_FR_SNAP_PID : FID_FR_SNAP_TYPE);
    if (!rd_ok(r)) return true;
    if (!oui) return d->ops->next(d, TABLE_ETHERTYPE, pid, rd_rest(r));
    if (oui != OUI_8021 || (pid != BRIDGED && pid != BRIDGED_FCS)) return false;
    d->ops->call(d, &proto_eth, rd_rest(r));
    return true;
}

static bool nlpid_pass(struct decode *d, uint8_t nlpid, struct slice payload) {
    switch (nlpid) {
    case NLPID_IPV4: return d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV4, payload);
    case NLPID_IPV6: return d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV6, payload);
    case NLPID_PPP: d->ops->call(d, &proto_ppp, payload); return true;
    default: return false;
    }
}

/* multiprotocol_read reads the header of RFC 2427 2 behind the address; false: the payload is of nobody. */
static bool multiprotocol_read(struct decode *d, struct reader *r, uint32_t at) {
    get_u8(d, r, FID_FR_CONTROL);
    if (rd_peek(r, 0) == NLPID_PAD) rd_skip(r, 1);
    uint8_t nlpid = get_u8(d, r, FID_FR_NLPID);
    bool snap = nlpid == NLPID_SNAP && rd_ok(r), known = false;
    if (at != FV_UNWANTED) fv_set_len(d->out, at, rd_off(r) - fv_at(d->out, at)->off + (snap ? 5 : 0));
    if (!rd_ok(r)) d_bad(d, r);
    if (snap) known = snap_pass(d, r);
    d_end(d);
    return known || (rd_ok(r) && !snap && nlpid_pass(d, nlpid, rd_rest(r)));
}

/* plain_read reads what stands behind the address where it is not the header of RFC 2427: signals of LAPF on the first
 * circuit, else a frame of Ethernet, whose address begins with 0, or an EtherType as Cisco has it. */
static bool plain_read(struct decode *d, struct reader *r, uint32_t at, bool ended, uint32_t dlci) {
    bool signals = ended && !dlci, bare = ended && dlci && rd_peek(r, 0) == 0;
    uint16_t type = signals || bare ? 0 : get_be16(d, r, FID_FR_CHDLC_TYPE);
    if (at != FV_UNWANTED) fv_set_len(d->out, at, rd_off(r) - fv_at(d->out, at)->off);
    if (!rd_ok(r)) d_bad(d, r);
    d_end(d);
    if (!rd_ok(r)) return true;
    if (signals) fv_add(d->out, FID_FR_LAPF, rd_off(r), (uint32_t)rd_left(r));
    if (bare) d->ops->call(d, &proto_eth, rd_rest(r));
    return bare || (!signals && d->ops->next(d, TABLE_ETHERTYPE, type, rd_rest(r)));
}

static void fr_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t at = d_begin(d, &proto_fr, rd_off(&r), 0), dlci = 0;
    bool ended = address_read(d, &r, &dlci);
    bool known = rd_peek(&r, 0) == UNNUMBERED ? multiprotocol_read(d, &r, at) : plain_read(d, &r, at, ended, dlci);
    if (rd_ok(&r) && !known) d_data(d, rd_rest(&r));
    d->payload_end = NULL;
}

static void fr_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *dlci = fv_first(v, FID_FR_DLCI, at, end);
    if (dlci) wr_f(w, "DLCI %u", (unsigned)dlci->u);
}

static const uint16_t fr_info_fields[] = {FID_FR_DLCI, 0};
static const struct proto_key fr_keys[] = {{TABLE_LINK, 107}, {TABLE_COUNT, 0}};
const struct proto proto_fr = {.name = "fr",
                               .column = "FR",
                               .id = FID_FR,
                               .end = FID_FR_END,
                               .keys = fr_keys,
                               .read = fr_read,
                               .info = fr_info,
                               .info_fields = fr_info_fields,
                               .carrier = true};

static void chdlc_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_chdlc, rd_off(&r), 4);
    get_u8(d, &r, FID_CHDLC_ADDRESS);
    get_u8(d, &r, FID_CHDLC_CONTROL);
    uint16_t type = get_be16(d, &r, FID_CHDLC_PROTOCOL);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (!rd_ok(&r)) return;
    enum { OSI = 0xfefe, OSI_SAP = 0xfe, SLARP = 0x8035 };
    bool known = true;
    if (type == SLARP) d->ops->call(d, &proto_slarp, rd_rest(&r));
    else if (type == OSI) known = d->ops->next(d, TABLE_LLC, OSI_SAP, rd_rest(&r));
    else known = d->ops->next(d, TABLE_ETHERTYPE, type, rd_rest(&r));
    if (!known) d_data(d, rd_rest(&r));
    d->payload_end = NULL;
}

static const struct proto_key chdlc_keys[] = {{TABLE_LINK, 104}, {TABLE_COUNT, 0}};
const struct proto proto_chdlc = {.name = "chdlc",
                                  .column = "CHDLC",
                                  .id = FID_CHDLC,
                                  .end = FID_CHDLC_END,
                                  .keys = chdlc_keys,
                                  .read = chdlc_read,
                                  .carrier = true};

static void slarp_read(struct decode *d, struct slice in) {
    enum { KEEPALIVE = 2, UNTIL_TYPE = 4 };
    static const struct d_row address[] = {{FID_SLARP_PTYPE, 4}, {FID_SLARP_ADDRESS, 4}, {FID_SLARP_NETMASK, 4}};
    static const struct d_row alive[] = {
        {FID_SLARP_PTYPE, 4}, {FID_SLARP_MYSEQUENCE, 4}, {FID_SLARP_YOURSEQUENCE, 4}, {FID_SLARP_RELIABILITY, 2}};
    bool keepalive = in.n >= UNTIL_TYPE && load_be32(in.p) == KEEPALIVE;
    if (keepalive) d_layer(d, &proto_slarp, in, D_ROWS(alive));
    else d_layer(d, &proto_slarp, in, D_ROWS(address));
}

static void slarp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *sent = fv_first(v, FID_SLARP_MYSEQUENCE, at, end);
    const struct fval *returned = fv_first(v, FID_SLARP_YOURSEQUENCE, at, end);
    const struct fval *address = fv_first(v, FID_SLARP_ADDRESS, at, end);
    const struct fval *mask = fv_first(v, FID_SLARP_NETMASK, at, end);
    fv_value_say(w, v, FID_SLARP_PTYPE, at, end);
    if (sent && returned)
        wr_f(w, ", outgoing sequence %u, returned sequence %u", (unsigned)sent->u, (unsigned)returned->u);
    if (!address || !mask) return;
    wr_s(w, ", from ");
    print_ipv4(w, (uint32_t)address->u);
    wr_s(w, ", mask ");
    print_ipv4(w, (uint32_t)mask->u);
}

static const uint16_t slarp_fields[] = {FID_SLARP_PTYPE,      FID_SLARP_ADDRESS,      FID_SLARP_NETMASK,
                                        FID_SLARP_MYSEQUENCE, FID_SLARP_YOURSEQUENCE, 0};
const struct proto proto_slarp = {.name = "slarp",
                                  .column = "SLARP",
                                  .id = FID_SLARP,
                                  .end = FID_SLARP_END,
                                  .read = slarp_read,
                                  .info = slarp_info,
                                  .info_fields = slarp_fields};
