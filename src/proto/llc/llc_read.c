/* SPDX-License-Identifier: Apache-2.0 */
/* Logical Link Control (ISO/IEC 8802-2 3.2, 5.2) and SNAP (RFC 1042; bridged frames of RFC 2427 4.2). */
#include "proto/protos.h"

enum {
    SAP_SNAP = 0xaa,
    SAP_IP = 0x06,
    TYPE_IPV4 = 0x0800,
    UNNUMBERED = 3,
    POLL = 0x10,
    POLL_LONG = 0x100,
    RAW_IPX = 0xffff
};
enum { OUI_ETHER = 0x000000, OUI_CISCO = 0x00000c, OUI_BRIDGE_TUNNEL = 0x0000f8, OUI_8021 = 0x0080c2 };
enum { BRIDGED_ETHERNET_FCS = 1, BRIDGED_ETHERNET = 7 };

static uint8_t sap_read(struct decode *d, struct reader *r, uint16_t id, uint16_t sap, uint16_t bit) {
    uint32_t off = rd_off(r);
    uint8_t v = rd_u8(r);
    if (!rd_ok(r)) return 0;
    d_open_u(d, id, off, 1, v);
    fv_u(d->out, sap, off, 1, v >> 1);
    fv_u(d->out, bit, off, 1, v & 1);
    fv_close(d->out);
    return v;
}

/* control_read reads a control field of one byte (unnumbered frames) or two; true: unnumbered information. */
static bool control_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r);
    uint8_t first = rd_u8(r);
    bool one = (first & 3) == UNNUMBERED;
    uint16_t value = (uint16_t)(one ? first : rd_u8(r) << 8 | first);
    if (!rd_ok(r)) return false;
    d_open_u(d, FID_LLC_CONTROL, off, one ? 1 : 2, value);
    if (one) fv_u(d->out, FID_LLC_CONTROL_COMMAND, off, 1, first & 0xec);
    fv_u(d->out, FID_LLC_CONTROL_FTYPE, off, one ? 1 : 2, one || first & 1 ? first & 3 : 0);
    fv_close(d->out);
    return one && !(first & 0xec & ~POLL);
}

static bool snap_pass(struct decode *d, struct reader *r) {
    uint32_t oui = get_be24(d, r, FID_LLC_OUI);
    bool ether = oui == OUI_ETHER || oui == OUI_BRIDGE_TUNNEL;
    uint16_t pid = get_be16(d, r, ether ? FID_LLC_TYPE : oui == OUI_CISCO ? FID_LLC_CISCO_PID : FID_LLC_PID);
    if (!rd_ok(r)) d_bad(d, r);
    d_end(d);
    if (!rd_ok(r)) return true;
    if (ether) return d->ops->next(d, TABLE_ETHERTYPE, pid, rd_rest(r));
    if (oui == OUI_CISCO) return d->ops->next(d, TABLE_SNAP_CISCO, pid, rd_rest(r));
    if (oui != OUI_8021 || (pid != BRIDGED_ETHERNET && pid != BRIDGED_ETHERNET_FCS)) return false;
    d->ops->call(d, &proto_eth, rd_rest(r));
    return true;
}

static bool sap_pass(struct decode *d, uint8_t sap, struct slice in) {
    if (sap == SAP_IP) return d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV4, in);
    return d->ops->next(d, TABLE_LLC, sap, in);
}

static void llc_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    if (in.n >= 2 && load_be16(in.p) == RAW_IPX) { /* IPX right behind an 802.3 header: there is no LLC */
        d_data(d, in);
        return;
    }
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_llc, off, 0);
    uint8_t dsap = sap_read(d, &r, FID_LLC_DSAP, FID_LLC_DSAP_SAP, FID_LLC_DSAP_IG);
    uint8_t ssap = sap_read(d, &r, FID_LLC_SSAP, FID_LLC_SSAP_SAP, FID_LLC_SSAP_CR);
    bool information = control_read(d, &r);
    bool snap = information && dsap == SAP_SNAP && (ssap & 0xfe) == SAP_SNAP;
    bool known = false;
    fv_set_len(d->out, at, rd_off(&r) - off + (snap ? 5 : 0));
    if (!rd_ok(&r)) {
        d_bad(d, &r);
        d_end(d);
        return;
    }
    if (snap) {
        known = snap_pass(d, &r);
    } else {
        d_end(d);
        known = information && dsap && sap_pass(d, dsap, rd_rest(&r));
    }
    if (!known) d_data(d, rd_rest(&r));
}

static void sap_text(struct writer *w, const char *what, const struct fval *sap, const char *bit) {
    const char *name = field_value_name(&vals_llc_sap, sap->u & 0xfe);
    wr_f(w, "%s ", what);
    if (name) wr_s(w, name);
    else wr_f(w, "0x%02x", (unsigned)sap->u & 0xfe);
    wr_f(w, " %s", bit);
}

/* numbered_text writes the control field of a frame that has sequence numbers: ISO/IEC 8802-2 5.2. */
static void numbered_text(struct writer *w, uint16_t control, bool response) {
    static const char *const functions[4] = {"RR", "RNR", "REJ", "Unknown"};
    bool supervisory = control & 1;
    wr_c(w, supervisory ? 'S' : 'I');
    if (control & POLL_LONG) wr_s(w, response ? " F" : " P");
    if (supervisory) wr_f(w, ", func=%s", functions[control >> 2 & 3]);
    wr_f(w, ", N(R)=%u", control >> 9);
    if (!supervisory) wr_f(w, ", N(S)=%u", control >> 1 & 0x7f);
    wr_s(w, "; ");
}

static void llc_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *control = fv_first(v, FID_LLC_CONTROL, at, end);
    const struct fval *dsap = fv_first(v, FID_LLC_DSAP, at, end), *ssap = fv_first(v, FID_LLC_SSAP, at, end);
    if (!control || !dsap || !ssap) return;
    if ((control->u & 3) == UNNUMBERED) wr_s(w, "U, func=UI; ");
    else numbered_text(w, (uint16_t)control->u, ssap->u & 1);
    sap_text(w, "DSAP", dsap, dsap->u & 1 ? "Group" : "Individual");
    sap_text(w, ", SSAP", ssap, ssap->u & 1 ? "Response" : "Command");
}

static const uint16_t info_fields[] = {FID_LLC_CONTROL, FID_LLC_DSAP, FID_LLC_SSAP, 0};
static const struct proto_key keys[] = {{TABLE_LLC, 0}, {TABLE_COUNT, 0}};
const struct proto proto_llc = {.name = "llc",
                                .column = "LLC",
                                .id = FID_LLC,
                                .end = FID_LLC_END,
                                .keys = keys,
                                .read = llc_read,
                                .info = llc_info,
                                .info_fields = info_fields,
                                .carrier = true};
