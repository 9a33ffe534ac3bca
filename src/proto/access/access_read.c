/* SPDX-License-Identifier: Apache-2.0 */
/* Who may enter a network, where others are, and how many are reached: EAPOL (IEEE 802.1X-2010 11.3) with EAP (RFC 3748
 * 4), LISP's messages (RFC 9301 5) and data (RFC 9300 5.1), PGM (RFC 3208 8). Their heads are read, and what LISP and
 * PGM carry. */
#include "proto/protos.h"

static void eapol_read(struct decode *d, struct slice in) {
    enum { EAP_PACKET = 0, KEY = 3 };
    static const struct d_row rows[] = {{FID_EAPOL_VERSION, 1}, {FID_EAPOL_TYPE, 1}, {FID_EAPOL_LEN, 2}};
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_eapol, off, (uint32_t)in.n);
    int type = rd_peek(&r, 1);
    d_rows(d, &r, D_ROWS(rows));
    size_t n = rd_ok(&r) ? load_be16(in.p + 2) : 0;
    struct reader body = rd_sub(&r, n);
    if (type == KEY && rd_left(&body)) get_u8(d, &body, FID_EAPOL_KEYDES_TYPE);
    fv_set_len(d->out, at, type == EAP_PACKET ? rd_off(&body) - off : (uint32_t)n + 4);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (type == EAP_PACKET && rd_left(&body)) d->ops->call(d, &proto_eap, rd_rest(&body));
}

static void eapol_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_EAPOL_TYPE, at, end);
}

static void eap_read(struct decode *d, struct slice in) {
    enum { REQUEST = 1, RESPONSE = 2 };
    static const struct d_row rows[] = {{FID_EAP_CODE, 1}, {FID_EAP_ID, 1}, {FID_EAP_LEN, 2}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_eap, rd_off(&r), (uint32_t)in.n);
    int code = rd_peek(&r, 0);
    d_rows(d, &r, D_ROWS(rows));
    if (code == REQUEST || code == RESPONSE) get_u8(d, &r, FID_EAP_TYPE);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void eap_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_EAP_CODE, at, end);
    if (fv_first(v, FID_EAP_TYPE, at, end)) wr_s(w, ", ");
    fv_value_say(w, v, FID_EAP_TYPE, at, end);
}

/* packet_call reads the packet of IP that begins `in`; false: there is none. */
static bool packet_call(struct decode *d, struct slice in) {
    unsigned version = in.n ? in.p[0] >> 4 : 0;
    if (version == 4) d->ops->call(d, &proto_ip, in);
    else if (version == 6) d->ops->call(d, &proto_ipv6, in);
    return version == 4 || version == 6;
}

static void lisp_read(struct decode *d, struct slice in) {
    enum { ENCAPSULATED = 0x80, HEAD = 4 };
    static const struct d_row rows[] = {{0, 1}, {FID_LISP_TYPE, 0}, {0, 3}};
    struct reader r = d_reader(d, in);
    bool carries = (rd_peek(&r, 0) & 0xf0) == ENCAPSULATED;
    d_begin(d, &proto_lisp, rd_off(&r), carries ? HEAD : (uint32_t)in.n);
    d_rows(d, &r, D_ROWS(rows));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (carries && rd_left(&r) && !packet_call(d, rd_rest(&r))) d_data(d, rd_rest(&r));
}

static void lisp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    fv_value_say(w, v, FID_LISP_TYPE, at, end);
}

static void lisp_data_read(struct decode *d, struct slice in) {
    enum { HEAD = 8 };
    static const struct d_row rows[] = {{FID_LISP_DATA_FLAGS, 1}, {0, 7}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_lisp_data, rd_off(&r), HEAD);
    d_rows(d, &r, D_ROWS(rows));
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_left(&r) && !packet_call(d, rd_rest(&r))) d_data(d, rd_rest(&r));
}

static void lisp_data_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    (void)v, (void)at, (void)end;
    wr_s(w, "LISP Encapsulation Header");
}

/* options_skip passes over the options of PGM (RFC 3208 9.1): the first one says how long they all are. */
static void options_skip(struct reader *r) { rd_skip(r, rd_left(r) >= 4 ? load_be16(r->p + 2) : 4); }

static void pgm_read(struct decode *d, struct slice in) {
    enum { SOURCE_PATH = 0, ORIGINAL = 4, REPAIR = 5, OPTIONS = 1, LEAST = 18 };
    static const struct d_row rows[] = {{FID_PGM_SPORT, 2},  {FID_PGM_DPORT, 2},    {FID_PGM_TYPE, 1},
                                        {FID_PGM_OPTS, 1},   {FID_PGM_CHECKSUM, 2}, {FID_PGM_GSI, 6},
                                        {FID_PGM_TSDULEN, 2}};
    static const struct d_row data[] = {{FID_PGM_SQN, 4}, {FID_PGM_TRAIL, 4}};
    if (in.n < LEAST && !d->cut) {
        d_data(d, in);
        return;
    }
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_pgm, rd_off(&r), (uint32_t)in.n);
    int type = rd_peek(&r, 4), options = rd_peek(&r, 5);
    bool carries = type == ORIGINAL || type == REPAIR;
    d_rows(d, &r, D_ROWS(rows));
    if (carries || type == SOURCE_PATH) d_rows(d, &r, D_ROWS(data));
    if (carries && options & OPTIONS) options_skip(&r);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (carries && rd_ok(&r)) d_data(d, rd_rest(&r));
}

static void pgm_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const char *name = fv_value_name(v, FID_PGM_TYPE, at, end);
    const struct fval *sqn = fv_first(v, FID_PGM_SQN, at, end), *gsi = fv_first(v, FID_PGM_GSI, at, end);
    const struct fval *n = fv_first(v, FID_PGM_TSDULEN, at, end);
    wr_f(w, "%-5s", name ? name : "");
    if (sqn) wr_f(w, " sqn 0x%x", (unsigned)sqn->u);
    if (gsi) wr_s(w, " gsi ");
    for (size_t i = 0; gsi && i < gsi->s.n; i++) wr_f(w, "%02x", gsi->s.p[i]);
    if (sqn && n && n->u) wr_f(w, " tsdulen %u", (unsigned)n->u);
}

#define LAYER(name_, filter_, ID_, COLUMN_)                                                                            \
    .name = (filter_), .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .read = name_##_read,             \
    .info = name_##_info, .info_fields = name_##_fields
static const uint16_t eapol_fields[] = {FID_EAPOL_TYPE, 0}, eap_fields[] = {FID_EAP_CODE, FID_EAP_TYPE, 0},
                      lisp_fields[] = {FID_LISP_TYPE, 0}, lisp_data_fields[] = {0},
                      pgm_fields[] = {FID_PGM_TYPE, FID_PGM_SQN, FID_PGM_GSI, FID_PGM_TSDULEN, 0};
static const struct proto_key eapol_keys[] = {{TABLE_ETHERTYPE, 0x888e}, {TABLE_ETHERTYPE, 0x88c7}, {TABLE_COUNT, 0}},
                              lisp_keys[] = {{TABLE_UDP, 4342}, {TABLE_COUNT, 0}},
                              lisp_data_keys[] = {{TABLE_UDP, 4341}, {TABLE_COUNT, 0}},
                              pgm_keys[] = {{TABLE_IP, 113}, {TABLE_COUNT, 0}};
const struct proto proto_eapol = {LAYER(eapol, "eapol", EAPOL, "EAPOL"), .keys = eapol_keys};
const struct proto proto_eap = {LAYER(eap, "eap", EAP, "EAP")};
const struct proto proto_lisp = {LAYER(lisp, "lisp", LISP, "LISP"), .keys = lisp_keys, .carrier = true};
const struct proto proto_lisp_data = {LAYER(lisp_data, "lisp-data", LISP_DATA, "LISP"), .keys = lisp_data_keys,
                                      .carrier = true};
const struct proto proto_pgm = {LAYER(pgm, "pgm", PGM, "PGM"), .keys = pgm_keys};
