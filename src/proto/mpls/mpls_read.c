/* SPDX-License-Identifier: Apache-2.0 */
/* MPLS label stacks (RFC 3032) over IP and over Ethernet pseudowires (RFC 4448). Nothing in the packet says what is
 * below the last label; the first nibble is asked, as RFC 4928 has it. */
#include "field/print.h"
#include "proto/protos.h"

enum { LABEL = 4, CONTROL_WORD = 4, MAC_HEADER = 14, LEAST_TYPE = 0x0600, LABEL_IPV4 = 0, LABEL_IPV6 = 2 };
enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TYPE_OF_LLC = 1500 };

/* label_read reads one entry of the stack; true where another one follows. */
static bool label_read(struct decode *d, struct reader *r, uint32_t *label) {
    uint32_t off = rd_off(r), word;
    d_begin(d, &proto_mpls, off, LABEL);
    word = rd_be32(r);
    if (rd_ok(r)) {
        fv_u(d->out, FID_MPLS_LABEL, off, LABEL, word >> 12);
        fv_u(d->out, FID_MPLS_EXP, off, LABEL, word >> 9 & 7);
        fv_u(d->out, FID_MPLS_BOTTOM, off, LABEL, word >> 8 & 1);
        fv_u(d->out, FID_MPLS_TTL, off, LABEL, word & 0xff);
    } else {
        d_bad(d, r);
    }
    *label = word >> 12;
    d_end(d);
    return rd_ok(r) && !(word >> 8 & 1);
}

/* looks_ethernet tells whether an Ethernet header may stand `skip` bytes into `in`. */
static bool looks_ethernet(struct decode *d, struct slice in, size_t skip) {
    if (in.n < skip + MAC_HEADER) return false;
    uint16_t type = load_be16(in.p + skip + 12);
    if (in.p[skip + 6] & 1) return false; /* nobody sends from a group address */
    if (type <= TYPE_OF_LLC) return type <= in.n - skip - MAC_HEADER || d->cut;
    return type >= LEAST_TYPE && field_value_name(&vals_ethertype, type);
}

static void pseudowire(struct decode *d, struct slice in) {
    bool word = !(in.p[0] >> 4) && looks_ethernet(d, in, CONTROL_WORD);
    if (!word && !looks_ethernet(d, in, 0)) d_data(d, in);
    else d->ops->call(d, word ? &proto_pwethcw : &proto_pwethnocw, in);
}

static void mpls_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t label;
    while (label_read(d, &r, &label)) {
    }
    struct slice payload = rd_rest(&r);
    if (!rd_ok(&r) || !payload.n) return;
    int nibble = payload.p[0] >> 4;
    if (label == LABEL_IPV4 || nibble == 4) d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV4, payload);
    else if (label == LABEL_IPV6 || nibble == 6) d->ops->next(d, TABLE_ETHERTYPE, TYPE_IPV6, payload);
    else pseudowire(d, payload);
    d->payload_end = NULL; /* what follows is not the link layer's to show */
}

static void plain_read(struct decode *d, struct slice in) {
    d_begin(d, &proto_pwethnocw, d_off(d, in.p), 0);
    d_end(d);
    d->ops->call(d, &proto_eth, in);
}

static void word_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    fv_hide(fv_u(d->out, FID_PWETH_CW, off, 0, 1)); /* beside the entry, as Wireshark has it */
    d_begin(d, &proto_pwethcw, off, CONTROL_WORD);
    rd_skip(&r, 2);
    get_be16(d, &r, FID_PWETH_CW_SEQUENCE);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r)) d->ops->call(d, &proto_eth, rd_rest(&r));
}

static bool mpls_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id == FID_MPLS_LABEL) {
        const char *name = field_value_name(&vals_mpls_label, f->u);
        print_bits(w, 32, 0xfffff000, f->u);
        wr_f(w, "MPLS Label: %s%s%u (0x%05x)", name ? name : "", name ? " " : "", (unsigned)f->u, (unsigned)f->u);
        return true;
    }
    if (f->id != FID_MPLS) return false;
    uint32_t end = fv_end(v, at);
    const struct fval *label = fv_first(v, FID_MPLS_LABEL, at, end), *exp = fv_first(v, FID_MPLS_EXP, at, end);
    const struct fval *bottom = fv_first(v, FID_MPLS_BOTTOM, at, end), *ttl = fv_first(v, FID_MPLS_TTL, at, end);
    if (!label || !exp || !bottom || !ttl) return false;
    wr_f(w, "MultiProtocol Label Switching Header, Label: %u, Exp: %u, S: %u, TTL: %u", (unsigned)label->u,
         (unsigned)exp->u, (unsigned)bottom->u, (unsigned)ttl->u);
    return true;
}

static void mpls_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "MPLS Label Switched Packet");
}

static const struct proto_key keys[] = {{TABLE_ETHERTYPE, 0x8847}, {TABLE_ETHERTYPE, 0x8848}, {TABLE_IP, 137},
                                        {TABLE_UDP, 6635},         {TABLE_PPP, 0x0281},       {TABLE_PPP, 0x0283},
                                        {TABLE_COUNT, 0}};
const struct proto proto_mpls = {.name = "mpls",
                                 .column = "MPLS",
                                 .id = FID_MPLS,
                                 .end = FID_MPLS_END,
                                 .keys = keys,
                                 .read = mpls_read,
                                 .info = mpls_info,
                                 .label = mpls_label,
                                 .carrier = true};
const struct proto proto_pwethnocw = {
    .name = "pwethnocw", .id = FID_PWETHNOCW, .end = FID_PWETHNOCW_END, .read = plain_read, .carrier = true};
const struct proto proto_pwethcw = {
    .name = "pwethcw", .id = FID_PWETHCW, .end = FID_PWETHCW_END, .read = word_read, .carrier = true};
