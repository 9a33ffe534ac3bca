/* SPDX-License-Identifier: Apache-2.0 */
/* TLS inside QUIC (RFC 9001 4.1.3): handshake messages without records, and the extension with QUIC's transport
 * parameters (RFC 9000 18). */
#include "proto/protos.h"
#include "proto/quic/quic.h"
#include "proto/tls/tls.h"

/* What a parameter's value is. */
enum kind { KIND_BYTES, KIND_NUMBER, KIND_TEXT, KIND_VERSION, KIND_VERSIONS, KIND_ADDRESS, KIND_FLAG };

static const struct {
    uint64_t type;
    enum kind kind;
    uint16_t id;
    const char *unit; /* of the number in the parameter's own line */
} params[] = {
    {0x00, KIND_BYTES, FID_TLS_QUIC_ORIGINAL_ID, NULL},
    {0x01, KIND_NUMBER, FID_TLS_QUIC_IDLE_TIMEOUT, " ms"},
    {0x02, KIND_BYTES, FID_TLS_QUIC_RESET_TOKEN, NULL},
    {0x03, KIND_NUMBER, FID_TLS_QUIC_UDP_PAYLOAD, NULL},
    {0x04, KIND_NUMBER, FID_TLS_QUIC_MAX_DATA, NULL},
    {0x05, KIND_NUMBER, FID_TLS_QUIC_BIDI_LOCAL, NULL},
    {0x06, KIND_NUMBER, FID_TLS_QUIC_BIDI_REMOTE, NULL},
    {0x07, KIND_NUMBER, FID_TLS_QUIC_UNI, NULL},
    {0x08, KIND_NUMBER, FID_TLS_QUIC_STREAMS_BIDI, NULL},
    {0x09, KIND_NUMBER, FID_TLS_QUIC_STREAMS_UNI, NULL},
    {0x0a, KIND_NUMBER, FID_TLS_QUIC_ACK_EXPONENT, NULL},
    {0x0b, KIND_NUMBER, FID_TLS_QUIC_ACK_DELAY, NULL},
    {0x0d, KIND_ADDRESS, 0, NULL},
    {0x0e, KIND_NUMBER, FID_TLS_QUIC_ID_LIMIT, NULL},
    {0x0f, KIND_BYTES, FID_TLS_QUIC_SOURCE_ID, NULL},
    {0x10, KIND_BYTES, FID_TLS_QUIC_RETRY_ID, NULL},
    {0x11, KIND_VERSIONS, 0, NULL},
    {0x20, KIND_NUMBER, FID_TLS_QUIC_DATAGRAM, NULL},
    {0x1057, KIND_NUMBER, FID_TLS_QUIC_LOSS_BITS, NULL},
    {0x3127, KIND_NUMBER, FID_TLS_QUIC_GOOGLE_RTT, " us"},
    {0x3128, KIND_BYTES, FID_TLS_QUIC_GOOGLE_OPTIONS, NULL},
    {0x3129, KIND_TEXT, FID_TLS_QUIC_GOOGLE_AGENT, NULL},
    {0x312a, KIND_FLAG, FID_TLS_QUIC_GOOGLE_DONE, NULL},
    {0x312b, KIND_FLAG, FID_TLS_QUIC_GOOGLE_NO_UPDATE, NULL},
    {0x4751, KIND_BYTES, FID_TLS_QUIC_GOOGLE_PARAMS, NULL},
    {0x4752, KIND_VERSION, FID_TLS_QUIC_GOOGLE_VERSION, NULL},
    {0x7158, KIND_NUMBER, FID_TLS_QUIC_TIME_STAMP, NULL},
    {0xde1a, KIND_NUMBER, FID_TLS_QUIC_MIN_ACK_DELAY, NULL},
    {0xff00, KIND_NUMBER, FID_TLS_QUIC_FACEBOOK_PARTIAL, NULL},
};

/* param_at returns the place of a type in the table, or -1. */
static int param_at(uint64_t type) {
    for (int i = 0; i < (int)(sizeof params / sizeof *params); i++)
        if (params[i].type == type) return i;
    return -1;
}

/* RFC 9000 18.2 */
static void address_read(struct decode *d, struct reader *r, bool sure) {
    enum { TOKEN = 16 };
    get_be32(d, r, FID_TLS_QUIC_IPV4);
    get_be16(d, r, FID_TLS_QUIC_IPV4_PORT);
    get_bytes(d, r, FID_TLS_QUIC_IPV6, 16);
    get_be16(d, r, FID_TLS_QUIC_IPV6_PORT);
    struct slice id = tls_opaque(d, r, FID_TLS_QUIC_ID_LEN, 1, FID_TLS_QUIC_ID);
    get_bytes(d, r, FID_TLS_QUIC_TOKEN, TOKEN);
    if (sure && rd_ok(r) && d->ops->known_as) d->ops->known_as(d, id); /* packets to that address are for it */
}

static void value_read(struct decode *d, struct reader *r, int at, bool sure) {
    uint32_t off = rd_off(r);
    switch (params[at].kind) {
    case KIND_NUMBER: get_quic_number(d, r, params[at].id); break;
    case KIND_BYTES:
    case KIND_TEXT: get_bytes(d, r, params[at].id, rd_left(r)); break;
    case KIND_FLAG: fv_add(d->out, params[at].id, off, 0); break;
    case KIND_VERSION: get_be32(d, r, params[at].id); break;
    case KIND_VERSIONS: /* RFC 9368 3 */
        get_be32(d, r, FID_TLS_QUIC_VERSION_CHOSEN);
        while (rd_left(r) >= 4) get_be32(d, r, FID_TLS_QUIC_VERSION_OTHER);
        break;
    case KIND_ADDRESS: address_read(d, r, sure); break;
    }
}

/* number_read reads a type or a length: of two bytes in the list of early drafts. */
static uint64_t number_read(struct decode *d, struct reader *r, uint16_t id, bool old) {
    return old ? get_be16(d, r, id) : get_quic_number(d, r, id);
}

static void param_read(struct decode *d, struct reader *r, bool old, bool sure) {
    uint32_t off = rd_off(r), at = fv_open(d->out, FID_TLS_QUIC_PARAM, off, 0);
    uint64_t type = number_read(d, r, FID_TLS_QUIC_TYPE, old);
    uint64_t n = number_read(d, r, old ? FID_TLS_QUIC_LENGTH_OLD : FID_TLS_QUIC_LENGTH, old);
    struct reader value = rd_sub(r, n < SIZE_MAX ? (size_t)n : SIZE_MAX);
    int known = param_at(type);
    if (rd_ok(&value)) {
        fv_s(d->out, FID_TLS_QUIC_VALUE, rd_off(&value), (uint32_t)n, rd_rest(&value));
        if (known >= 0) value_read(d, &value, known, sure);
    }
    fv_set_len(d->out, at, rd_off(r) - off);
    fv_close(d->out);
}

/* list_has_length tells whether the list begins with its own length, as in drafts before 27. */
static bool list_has_length(const struct reader *r) { return rd_left(r) >= 2 && load_be16(r->p) == rd_left(r) - 2; }

void tls_quic_params_read(struct decode *d, struct reader *r, bool sure) {
    bool old = list_has_length(r);
    if (old) get_be16(d, r, FID_TLS_QUIC_LEN);
    while (rd_ok(r) && rd_left(r)) param_read(d, r, old, sure);
}

static bool is_reserved(uint64_t type) { return type % 31 == 27; }

static void type_write(struct writer *w, uint64_t type) {
    const char *name = field_value_name(&vals_tls_quic_param, type);
    wr_s(w, name ? name : is_reserved(type) ? "GREASE" : "Unknown");
}

bool tls_quic_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *type = fv_first(v, FID_TLS_QUIC_TYPE, at, fv_end(v, at));
    const struct fval *value = fv_first(v, FID_TLS_QUIC_VALUE, at, fv_end(v, at));
    if (!type) return false;
    if (v->v[at].id == FID_TLS_QUIC_TYPE) {
        wr_s(w, "Type: ");
        type_write(w, type->u);
        wr_hexnumber(w, " (0x", type->u, 2, ")");
        return true;
    }
    int known = param_at(type->u);
    const struct fval *number =
        known >= 0 && params[known].kind == KIND_NUMBER ? fv_first(v, params[known].id, at, fv_end(v, at)) : NULL;
    wr_s(w, "Parameter: ");
    type_write(w, type->u);
    if (known < 0 && !is_reserved(type->u) && !field_value_name(&vals_tls_quic_param, type->u))
        wr_hexnumber(w, " 0x", type->u, 2, "");
    wr_number(w, " (len=", value ? value->len : 0, ")");
    if (number) wr_number(w, " ", number->u, params[known].unit ? params[known].unit : "");
    return true;
}

void tls_quic_start(struct tls_state *st) { *st = (struct tls_state){.quic = true, .version = TLS13, .opened = true}; }

const struct proto *tls_quic_inner(const struct tls_state *st) {
    switch (st->alpn) {
    case ALPN_MQTT: return &proto_mqtt;
    case ALPN_DNS: return &proto_dns;
    case ALPN_HTTP3: return &proto_http3;
    default: return NULL;
    }
}

void tls_quic_read(struct decode *d, struct tls_state *st, int from, struct slice in) {
    uint32_t at = d_begin_inside(d, &proto_tls, d_off(d, in.p), (uint32_t)in.n);
    struct fval *f = fv_at(d->out, at);
    if (f) f->extra = TLS13;
    tls_handshake_read(d, st, from, in);
    if (st->damaged) {
        struct reader r = d_reader(d, slice_tail(in, in.n));
        st->damaged = false;
        d_bad(d, &r);
    }
    d_end(d);
}
