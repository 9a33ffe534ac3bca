/* SPDX-License-Identifier: Apache-2.0 */
/* DTLS 1.0 and 1.2 (RFC 6347 4.1, 4.2): the records of a datagram, and of handshake messages which they are. It is
 * recognised by its records' types, versions and lengths, on any port. From epoch 1 on records are encrypted. */
#include "proto/protos.h"

enum {
    HEADER = 13,
    CHANGE_CIPHER = 20,
    ALERT,
    HANDSHAKE,
    APPLICATION,
    HANDSHAKE_HEADER = 12,
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    RECORDS_MAX = 256
};
enum { DTLS_1_0 = 0xfeff, DTLS_1_2 = 0xfefd, DTLS_OLD = 0x0100 };

/* record_size returns how many bytes the record at the start of `in` takes, 0: it is none, or not whole. */
static size_t record_size(struct slice in) {
    if (in.n < HEADER || in.p[0] < CHANGE_CIPHER || in.p[0] > APPLICATION) return 0;
    uint16_t version = load_be16(in.p + 1);
    size_t n = load_be16(in.p + 11) + (size_t)HEADER;
    return (version == DTLS_1_0 || version == DTLS_1_2 || version == DTLS_OLD) && n <= in.n ? n : 0;
}

/* dtls_recognises: the records fill the datagram. */
static bool dtls_recognises(struct slice in, enum known_as known) {
    size_t n = record_size(in);
    for (unsigned i = 0; n && known == KNOWN_NOT && n < in.n && i < RECORDS_MAX; i++) {
        in = slice_tail(in, n);
        n = record_size(in);
    }
    return n > 0;
}

/* hello_look finds out whether the ends agree on keys for RTP beside DTLS, or one of them asks for it and leaves no
 * choice (RFC 5764 4.1.1). */
static void hello_look(struct decode *d, struct reader r, bool client) {
    enum { VERSION_RANDOM = 34, SUITE_COMPRESSION = 3, USE_SRTP = 14, ONE_PROFILE = 2 };
    rd_skip(&r, VERSION_RANDOM);
    rd_skip(&r, rd_u8(&r));               /* session */
    if (client) rd_skip(&r, rd_u8(&r));   /* cookie */
    if (client) rd_skip(&r, rd_be16(&r)); /* suites */
    if (client) rd_skip(&r, rd_u8(&r));   /* compression */
    else rd_skip(&r, SUITE_COMPRESSION);
    struct reader exts = rd_sub(&r, rd_be16(&r));
    while (rd_ok(&exts) && rd_left(&exts) >= 4) {
        uint16_t type = rd_be16(&exts);
        struct reader ext = rd_sub(&exts, rd_be16(&exts));
        if (type == USE_SRTP && rd_be16(&ext) == ONE_PROFILE && rd_ok(&ext) && d->ops->beside)
            d->ops->beside(d, &proto_rtp);
    }
}

static void handshake_read(struct decode *d, struct reader *r) {
    static const struct d_row head[] = {{FID_DTLS_HANDSHAKE_TYPE, 1},
                                        {FID_DTLS_HANDSHAKE_LENGTH, 3},
                                        {FID_DTLS_HANDSHAKE_MESSAGE_SEQ, 2},
                                        {FID_DTLS_HANDSHAKE_FRAGMENT_OFFSET, 3},
                                        {FID_DTLS_HANDSHAKE_FRAGMENT_LENGTH, 3}};
    while (rd_left(r) >= HANDSHAKE_HEADER) {
        uint32_t n = load_be24(r->p + 9);
        struct reader message = rd_sub(r, n + (size_t)HANDSHAKE_HEADER);
        if (!rd_ok(r)) return;
        fv_open(d->out, FID_DTLS_HANDSHAKE, rd_off(&message), n + HANDSHAKE_HEADER);
        uint8_t type = message.p[0];
        bool hello = (type == CLIENT_HELLO || type == SERVER_HELLO) && !load_be24(message.p + 6) &&
                     load_be24(message.p + 1) == n;
        d_rows(d, &message, D_ROWS(head));
        if (hello) hello_look(d, message, type == CLIENT_HELLO);
        fv_close(d->out);
    }
}

static void alert_read(struct decode *d, struct reader *r) {
    fv_open(d->out, FID_DTLS_ALERT_MESSAGE, rd_off(r), (uint32_t)rd_left(r));
    get_u8(d, r, FID_DTLS_ALERT_MESSAGE_LEVEL);
    get_u8(d, r, FID_DTLS_ALERT_MESSAGE_DESC);
    fv_close(d->out);
}

static void record_read(struct decode *d, struct reader *r) {
    static const struct d_row head[] = {{FID_DTLS_RECORD_CONTENT_TYPE, 1},
                                        {FID_DTLS_RECORD_VERSION, 2},
                                        {FID_DTLS_RECORD_EPOCH, 2},
                                        {FID_DTLS_RECORD_SEQUENCE_NUMBER, 6},
                                        {FID_DTLS_RECORD_LENGTH, 2}};
    int type = rd_peek(r, 0);
    bool plain = rd_peek(r, 3) == 0 && rd_peek(r, 4) == 0;
    uint32_t off = rd_off(r), at = fv_open(d->out, FID_DTLS_RECORD, off, 0);
    uint16_t n = rd_left(r) >= HEADER ? load_be16(r->p + 11) : 0;
    d_rows(d, r, D_ROWS(head));
    struct reader body = rd_sub(r, n);
    if (rd_ok(r)) {
        struct fval *f = fv_at(d->out, at);
        if (f) f->u = plain || type == APPLICATION;
        fv_set_len(d->out, at, n + (uint32_t)HEADER);
        if (type == APPLICATION) get_bytes(d, &body, FID_DTLS_APP_DATA, n);
        else if (type == HANDSHAKE && plain) handshake_read(d, &body);
        else if (type == HANDSHAKE) fv_add(d->out, FID_DTLS_HANDSHAKE, off + HEADER, n);
        else if (type == ALERT && plain) alert_read(d, &body);
        else if (type == ALERT) fv_add(d->out, FID_DTLS_ALERT_MESSAGE, off + HEADER, n);
    }
    fv_close(d->out);
}

static void dtls_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_dtls, rd_off(&r), (uint32_t)in.n);
    for (unsigned i = 0; i < RECORDS_MAX && rd_ok(&r) && rd_left(&r); i++) record_read(d, &r);
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

/* record_say says what a record carries: the names of its handshake messages, or that it is encrypted. */
static void record_say(struct writer *w, const struct fvec *v, uint32_t at, bool *first) {
    uint32_t end = fv_end(v, at);
    const struct fval *type = fv_first(v, FID_DTLS_RECORD_CONTENT_TYPE, at, end);
    const struct fval *alert = fv_first(v, FID_DTLS_ALERT_MESSAGE_DESC, at, end);
    bool named = false;
    for (uint32_t i = at; i < end; i++) {
        if (v->v[i].id != FID_DTLS_HANDSHAKE_TYPE) continue;
        const char *name = field_value_name(&vals_dtls_handshake_type, v->v[i].u);
        wr_f(w, "%s%s", *first ? "" : ", ", name ? name : "Unknown Handshake");
        *first = false;
        named = true;
    }
    if (named || !type) return;
    const char *name = type->u == CHANGE_CIPHER ? "Change Cipher Spec"
                       : type->u == ALERT       ? (alert ? "Alert" : "Encrypted Alert")
                       : type->u == HANDSHAKE   ? "Encrypted Handshake Message"
                                                : "Application Data";
    wr_f(w, "%s%s", *first ? "" : ", ", name);
    *first = false;
}

static void dtls_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    bool first = true;
    for (uint32_t i = at; i < end; i++)
        if (v->v[i].id == FID_DTLS_RECORD) record_say(w, v, i, &first);
}

static const char *dtls_column(const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *version = fv_first(v, FID_DTLS_RECORD_VERSION, at, end);
    if (!version) return NULL;
    return version->u == DTLS_1_2 ? "DTLSv1.2" : version->u == DTLS_1_0 ? "DTLSv1.0" : "DTLS";
}

static const uint16_t info_fields[] = {FID_DTLS_RECORD,         FID_DTLS_RECORD_CONTENT_TYPE, FID_DTLS_RECORD_VERSION,
                                       FID_DTLS_HANDSHAKE_TYPE, FID_DTLS_ALERT_MESSAGE_DESC,  0};
const struct proto proto_dtls = {.name = "dtls",
                                 .column = "DTLS",
                                 .column_of = dtls_column,
                                 .id = FID_DTLS,
                                 .end = FID_DTLS_END,
                                 .read = dtls_read,
                                 .recognises = dtls_recognises,
                                 .certain = true,
                                 .info = dtls_info,
                                 .info_fields = info_fields};
