/* SPDX-License-Identifier: Apache-2.0 */
/* LDAP messages (RFC 4511 4.1.1) one after the other, or buffers of a security layer (RFC 4422 3.7), and what they are;
 * Kerberos messages (RFC 4120 5.10, 7.2.2) by their type. What they say is not taken apart. */
#include "proto/protos.h"
#include "proto/sized.h"
#include "proto/x509/der.h"

enum { SEQUENCE = 0x30, INTEGER = 0x02, APPLICATION = 0x60, APPLICATION_MASK = 0xe0, NUMBER = 0x1f, HEAD = 4 };

/* ber_size is the length of a BER element with its head (X.690 8.1.3), 0: it has none, or one beyond reason. */
static size_t ber_size(struct slice in) {
    size_t more = in.p[1] & 0x80 ? in.p[1] & 0x7f : 0;
    if (!more) return in.p[1] & 0x80 ? 0 : 2u + in.p[1];
    return more > 4 || in.n < 2 + more ? 0 : 2 + more + (size_t)load_be(in.p + 2, more);
}

static size_t ldap_size(struct slice in) {
    enum { BER_HEAD = 6 };
    if (in.p[0] == 0) return HEAD + (size_t)load_be32(in.p);
    if (in.p[0] != SEQUENCE) return 0;
    size_t n = ber_size(in), least = in.n < BER_HEAD ? (size_t)BER_HEAD : 0; /* the length is not there yet */
    return n ? (n < HEAD ? HEAD : n) : (in.p[1] & 0x7f) <= 4 ? least : 0;
}

static enum probe_result ldap_probe(struct slice in) {
    return in.n && (in.p[0] == SEQUENCE || in.p[0] == 0) ? PROBE_UNSURE : PROBE_NO;
}

/* message_read shows who the message is for and what it is; the reader stands at the sequence. */
static void message_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    struct der message = der_enter(&r, SEQUENCE), id = der_enter(&message.in, INTEGER);
    size_t n = rd_left(&id.in);
    uint32_t off = rd_off(&id.in);
    struct slice number = rd_take(&id.in, n);
    if (!rd_ok(&id.in) || !n || n > 4) return;
    fv_u(d->out, FID_LDAP_MESSAGEID, off, (uint32_t)n, load_be(number.p, n));
    int op = rd_peek(&message.in, 0);
    if (op >= 0) fv_u(d->out, FID_LDAP_PROTOCOLOP, rd_off(&message.in), 1, (unsigned)op & NUMBER);
}

static void ldap_read(struct decode *d, struct slice in) {
    d_begin(d, &proto_ldap, d_off(d, in.p), (uint32_t)in.n);
    if (in.p[0] == 0 && in.n >= HEAD) fv_u(d->out, FID_LDAP_SASL_BUFFER_LENGTH, d_off(d, in.p), 4, load_be32(in.p));
    else message_read(d, in);
    d_end(d);
}

static void cldap_read(struct decode *d, struct slice in) {
    if (in.p[0] != SEQUENCE) {
        d_data(d, in);
        return;
    }
    d_begin(d, &proto_cldap, d_off(d, in.p), (uint32_t)in.n);
    message_read(d, in);
    d_end(d);
}

static void ldap_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *id = fv_first(v, FID_LDAP_MESSAGEID, at, end);
    fv_value_say(w, v, FID_LDAP_PROTOCOLOP, at, end);
    if (id) wr_f(w, "(%u) ", (unsigned)id->u);
}

static bool is_ticket(struct slice in) {
    return in.n && (in.p[0] & APPLICATION_MASK) == APPLICATION &&
           field_value_name(&vals_kerberos_msg_type, in.p[0] & NUMBER);
}

static void type_add(struct decode *d, struct slice in) {
    if (is_ticket(in)) fv_u(d->out, FID_KERBEROS_MSG_TYPE, d_off(d, in.p), 1, in.p[0] & NUMBER);
}

static size_t kerberos_size(struct slice in) {
    size_t n = HEAD + (size_t)(load_be32(in.p) & 0x7fffffff);
    return is_ticket(slice_tail(in, HEAD)) ? n : 0;
}

static enum probe_result kerberos_probe(struct slice in) {
    return in.n > HEAD && !is_ticket(slice_tail(in, HEAD)) ? PROBE_NO : PROBE_UNSURE;
}

/* kerberos_read reads a message behind its length, as it is in streams. */
static void kerberos_read(struct decode *d, struct slice in) {
    static const struct d_row rows[] = {{FID_KERBEROS_RM_LENGTH, 4}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_kerberos, rd_off(&r), (uint32_t)in.n);
    d_rows(d, &r, D_ROWS(rows));
    type_add(d, rd_rest(&r));
    d_end(d);
}

static void ticket_read(struct decode *d, struct slice in) {
    if (!is_ticket(in)) {
        d_data(d, in);
        return;
    }
    d_begin(d, &proto_kerberos, d_off(d, in.p), (uint32_t)in.n);
    type_add(d, in);
    d_end(d);
}

static void kerberos_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    static const char *const short_names[] = {[10] = "AS-REQ", [11] = "AS-REP", [12] = "TGS-REQ",  [13] = "TGS-REP",
                                              [14] = "AP-REQ", [15] = "AP-REP", [21] = "KRB-PRIV", [30] = "KRB Error"};
    const struct fval *type = fv_first(v, FID_KERBEROS_MSG_TYPE, at, end);
    if (type && type->u < sizeof short_names / sizeof *short_names && short_names[type->u])
        wr_s(w, short_names[type->u]);
}

SIZED_STREAM(ldap, HEAD, ldap_probe)
SIZED_STREAM(kerberos, HEAD + 1, kerberos_probe)
#define LAYER(name_, ID_, COLUMN_)                                                                                     \
    .name = #name_, .column = (COLUMN_), .id = FID_##ID_, .end = FID_##ID_##_END, .keys = name_##_keys
static const uint16_t ldap_fields[] = {FID_LDAP_MESSAGEID, FID_LDAP_PROTOCOLOP, 0},
                      kerberos_fields[] = {FID_KERBEROS_MSG_TYPE, 0};
static const struct proto_key ldap_keys[] = {{TABLE_TCP, 389}, {TABLE_TCP, 3268}, {TABLE_TLS, 636}, {TABLE_COUNT, 0}},
                              cldap_keys[] = {{TABLE_UDP, 389}, {TABLE_COUNT, 0}},
                              kerberos_keys[] = {{TABLE_TCP, 88}, {TABLE_UDP, 88}, {TABLE_COUNT, 0}};
const struct proto proto_ldap = {LAYER(ldap, LDAP, "LDAP"), .stream = &ldap_stream, .info = ldap_info,
                                 .info_fields = ldap_fields, .info_plain = true};
const struct proto proto_cldap = {LAYER(cldap, CLDAP, "CLDAP"), .read = cldap_read, .info = ldap_info,
                                  .info_fields = ldap_fields};
const struct proto proto_kerberos = {LAYER(kerberos, KERBEROS, "KRB5"), .read = ticket_read, .stream = &kerberos_stream,
                                     .info = kerberos_info, .info_fields = kerberos_fields};
