/* SPDX-License-Identifier: Apache-2.0 */
/* STUN (RFC 8489 5, 14) and TURN (RFC 8656): the header, what attributes say of addresses, names and errors, and data
 * in channels. It is recognised by its cookie and length, on any port; messages of RFC 3489, which have no cookie, by
 * their type and length. In TCP messages follow each other as they are (RFC 8489 6.2.2), or each behind its length (RFC
 * 4571), which the place of the cookie tells apart. */
#include "proto/protos.h"
#include "proto/stun/stun.h"

#include <zlib.h>

#include "field/print.h"

enum {
    HEADER = 20,
    COOKIE = 0x2112a442,
    FRAME_LENGTH = 2,
    CHANNEL_HEADER = 4,
    CHANNEL_FIRST = 0x4000,
    CHANNEL_LAST = 0x7fff,
    CHANNEL_MULTIPLEXED = 0xff10, /* of [MS-TURN]: many sessions of one address, whose number comes first */
    SESSION_ID = 8,
    ATTRIBUTES_MAX = 256
};
enum { CLASS = 0x0110, ERROR_CLASS = 0x0110, SUCCESS = 0x0100, INDICATION = 0x0010, VERSION_COOKIE = 3 };
enum {
    MAPPED = 0x0001,
    USERNAME = 0x0006,
    INTEGRITY = 0x0008,
    ERROR = 0x0009,
    CHANNEL_NUMBER = 0x000c,
    LIFETIME = 0x000d,
    BANDWIDTH = 0x0010,
    XOR_PEER = 0x0012,
    REALM = 0x0014,
    NONCE = 0x0015,
    XOR_RELAYED = 0x0016,
    TRANSPORT = 0x0019,
    XOR_MAPPED = 0x0020,
    PRIORITY = 0x0024,
    SOFTWARE = 0x8022,
    ALTERNATE_SERVER = 0x8023,
    FINGERPRINT = 0x8028,
    CONTROLLED = 0x8029,
    CONTROLLING = 0x802a,
    MS_CANDIDATE = 0x8054, /* [MS-ICE2] 2.2.3 */
    MS_IMPLEMENTATION = 0x8070,
    GOOG_NETWORK = 0xc057
};

/* padded returns a length with what brings it to four bytes. */
static size_t padded(size_t n) { return (n + 3) & ~(size_t)3; }

static bool is_channel_data(struct slice in) {
    if (in.n < CHANNEL_HEADER) return false;
    unsigned channel = load_be16(in.p);
    size_t n = load_be16(in.p + 2) + (size_t)CHANNEL_HEADER;
    if (channel == CHANNEL_MULTIPLEXED) return in.n == n && n >= CHANNEL_HEADER + SESSION_ID;
    return channel >= CHANNEL_FIRST && channel <= CHANNEL_LAST && (in.n == n || in.n == padded(n));
}

/* method_name names the method in a message's type, NULL: it is none (RFC 8489 18.2, RFC 8656 17, RFC 6062 6.1). */
static const char *method_name(unsigned type) {
    static const char *const methods[] = {[1] = "Binding",
                                          [2] = "SharedSecret",
                                          [3] = "Allocate",
                                          [4] = "Refresh",
                                          [6] = "Send",
                                          [7] = "Data",
                                          [8] = "CreatePermission",
                                          [9] = "Channel-Bind",
                                          [10] = "Connect",
                                          [11] = "ConnectionBind",
                                          [12] = "ConnectionAttempt"};
    unsigned method = (type & 0x0f) | (type & 0xe0) >> 1 | (type & 0x3e00) >> 2;
    return method < sizeof methods / sizeof *methods ? methods[method] : NULL;
}

static bool is_message(struct slice in) {
    return in.n >= HEADER && in.p[0] < CHANNEL_FIRST >> 8 && load_be16(in.p + 2) + (size_t)HEADER == in.n &&
           load_be32(in.p + 4) == COOKIE && method_name(load_be16(in.p));
}

static bool stun_recognises(struct slice in, enum known_as known) {
    if (known && is_channel_data(in)) return true;
    return is_message(in);
}

/* address_read: RFC 8489 14.1, 14.2; `id` is the message from its cookie on. */
static void address_read(struct decode *d, struct reader *r, bool hidden, const uint8_t *id) {
    static const struct d_row head[] = {{FID_STUN_ATT_RESERVED, 1}, {FID_STUN_ATT_FAMILY, 1}};
    int family = rd_peek(r, 1);
    d_rows(d, r, D_ROWS(head));
    uint32_t off = rd_off(r);
    struct slice port = rd_take(r, 2);
    if (!rd_ok(r)) return;
    uint16_t number = load_be16(port.p);
    if (hidden) fv_s(d->out, FID_STUN_ATT_PORT_XORD, off, 2, port);
    fv_u(d->out, FID_STUN_ATT_PORT, off, 2, hidden ? number ^ load_be16(id) : number);
    off = rd_off(r);
    struct slice address = rd_take(r, family == 2 ? 16 : 4);
    if (!rd_ok(r)) return;
    if (family == 2) {
        uint8_t *plain = arena_get(d->arena, 16);
        if (!plain) return;
        for (size_t i = 0; i < 16; i++) plain[i] = address.p[i] ^ (hidden ? id[i] : 0);
        if (hidden) fv_s(d->out, FID_STUN_ATT_IPV6_XORD, off, 16, address);
        fv_s(d->out, FID_STUN_ATT_IPV6, off, 16, slice_of(plain, 16));
    } else {
        if (hidden) fv_s(d->out, FID_STUN_ATT_IPV4_XORD, off, 4, address);
        fv_u(d->out, FID_STUN_ATT_IPV4, off, 4, load_be32(address.p) ^ (hidden ? COOKIE : 0));
    }
}

/* text_get reads the text that is left; some pad it with NUL and count that. */
static void text_get(struct decode *d, struct reader *r, uint16_t id) {
    uint32_t off = rd_off(r);
    struct slice all = rd_rest(r), text = all;
    const uint8_t *end = all.n ? memchr(all.p, 0, all.n) : NULL;
    if (end) text.n = (size_t)(end - all.p);
    fv_s(d->out, id, off, (uint32_t)all.n, text);
}

/* fingerprint_read checks the CRC-32 of the message up to this attribute (RFC 8489 14.7). */
static void fingerprint_read(struct decode *d, struct reader *r, const uint8_t *id) {
    enum { ATTRIBUTE = 4, BEFORE_COOKIE = 4, MARK = 0x5354554e };
    uint32_t off = rd_off(r);
    const uint8_t *begin = id - BEFORE_COOKIE, *end = r->p - ATTRIBUTE;
    uint32_t sum = (uint32_t)crc32(0, begin, (uInt)(end - begin)) ^ MARK, said = get_be32(d, r, FID_STUN_ATT_CRC32);
    if (!rd_ok(r)) return;
    if (said != sum) d_anomaly(d, FID_STUN_ATT_CRC32_BAD, off, 4);
    fv_u(d->out, FID_STUN_ATT_CRC32_STATUS, off, 0, said == sum);
}

static void value_read(struct decode *d, struct reader *r, unsigned type, const uint8_t *id) {
    static const struct d_row error[] = {
        {FID_STUN_ATT_RESERVED, 2}, {0, 1}, {FID_STUN_ATT_ERROR_CLASS, 0}, {FID_STUN_ATT_ERROR, 1}};
    static const struct d_row transport[] = {{FID_STUN_ATT_TRANSP, 1}, {FID_STUN_ATT_RESERVED, 3}};
    static const struct d_row channel[] = {{FID_STUN_ATT_CHANNELNUM, 2}, {FID_STUN_ATT_RESERVED, 2}};
    static const struct d_row network[] = {{FID_STUN_ATT_GOOGLE_NETWORK_ID, 2}, {FID_STUN_ATT_GOOGLE_NETWORK_COST, 2}};
    size_t n = rd_left(r);
    switch (type) {
    case TRANSPORT: d_rows(d, r, D_ROWS(transport)); break;
    case CHANNEL_NUMBER: d_rows(d, r, D_ROWS(channel)); break;
    case ALTERNATE_SERVER:
    case MAPPED: address_read(d, r, false, id); break;
    case XOR_PEER:
    case XOR_RELAYED:
    case XOR_MAPPED: address_read(d, r, true, id); break;
    case USERNAME: text_get(d, r, FID_STUN_ATT_USERNAME); break;
    case REALM: text_get(d, r, FID_STUN_ATT_REALM); break;
    case NONCE: text_get(d, r, FID_STUN_ATT_NONCE); break;
    case SOFTWARE: text_get(d, r, FID_STUN_ATT_SOFTWARE); break;
    case INTEGRITY: get_bytes(d, r, FID_STUN_ATT_HMAC, n); break;
    case FINGERPRINT: fingerprint_read(d, r, id); break;
    case PRIORITY: get_be32(d, r, FID_STUN_ATT_PRIORITY); break;
    case LIFETIME: get_be32(d, r, FID_STUN_ATT_LIFETIME); break;
    case MS_IMPLEMENTATION: get_be32(d, r, FID_STUN_ATT_MS_VERSION_ICE); break;
    case MS_CANDIDATE: text_get(d, r, FID_STUN_ATT_MS_FOUNDATION); break;
    case GOOG_NETWORK: d_rows(d, r, D_ROWS(network)); break;
    case BANDWIDTH: get_be32(d, r, FID_STUN_PORT_BANDWIDTH); break;
    case CONTROLLED:
    case CONTROLLING: get_bytes(d, r, FID_STUN_ATT_TIE_BREAKER, n); break;
    case ERROR:
        d_rows(d, r, D_ROWS(error));
        if (rd_left(r)) text_get(d, r, FID_STUN_ATT_ERROR_REASON);
        break;
    default:
        if (n) get_bytes(d, r, FID_STUN_VALUE, n);
        break;
    }
}

static void attributes_read(struct decode *d, struct reader *r, const uint8_t *id) {
    fv_open(d->out, FID_STUN_ATTRIBUTES, rd_off(r), (uint32_t)rd_left(r));
    for (unsigned i = 0; i < ATTRIBUTES_MAX && rd_ok(r) && rd_left(r) >= 4; i++) {
        uint32_t off = rd_off(r);
        uint16_t type = rd_be16(r), n = rd_be16(r);
        bool cut = n > rd_left(r);
        struct reader value = rd_sub(r, cut ? rd_left(r) : n);
        d_open_u(d, FID_STUN_ATTRIBUTE, off, n + 4u, type);
        d_open_u(d, FID_STUN_ATT_TYPE, off, 2, type);
        fv_u(d->out, FID_STUN_ATT_TYPE_COMPREHENSION, off, 2, type >> 15);
        fv_u(d->out, FID_STUN_ATT_TYPE_ASSIGNMENT, off, 2, type >> 14 & 1);
        fv_close(d->out);
        fv_u(d->out, FID_STUN_ATT_LENGTH, off + 2, 2, n);
        value_read(d, &value, type, id);
        size_t padding = padded(n) - n;
        if (padding && rd_left(r)) fv_u(d->out, FID_STUN_ATT_PADDING, rd_off(r), (uint32_t)padding, padding);
        rd_skip(r, padding < rd_left(r) ? padding : rd_left(r));
        if (cut) rd_fail(r);
        fv_close(d->out);
    }
    fv_close(d->out);
}

static void channel_read(struct decode *d, struct reader *r) {
    uint32_t off = rd_off(r), at = d_begin(d, &proto_stun, off, CHANNEL_HEADER);
    unsigned channel = get_be16(d, r, FID_STUN_CHANNEL);
    size_t n = get_be16(d, r, FID_STUN_LENGTH);
    if (channel == CHANNEL_MULTIPLEXED) {
        get_be64(d, r, FID_STUN_ATT_MS_TURN_SESSION_ID);
        n -= SESSION_ID; /* is_channel_data: it is not less */
    }
    fv_set_len(d->out, at, CHANNEL_HEADER);
    d_end(d);
    d_data(d, slice_head(rd_rest(r), n));
}

/* classic_recognises: without a cookie it takes the length of the first attribute as well (RFC 3489 11.2). */
static bool classic_recognises(struct slice in, enum known_as known) {
    (void)known;
    if (in.n < HEADER || load_be16(in.p + 2) + (size_t)HEADER != in.n) return false;
    if (!field_value_name(&vals_classicstun_type, load_be16(in.p))) return false;
    return in.n == HEADER || (in.n >= HEADER + 4 && load_be16(in.p + HEADER + 2) + (size_t)HEADER + 4 <= in.n);
}

static void classic_read(struct decode *d, struct slice in) {
    static const struct d_row head[] = {
        {FID_CLASSICSTUN_TYPE, 2}, {FID_CLASSICSTUN_LENGTH, 2}, {FID_CLASSICSTUN_ID, 16}};
    d_layer(d, &proto_classicstun, in, D_ROWS(head));
}

/* message_read reads a message with the `before` bytes of its length in TCP before it. */
static void message_read(struct decode *d, struct stun_state *st, struct slice in, size_t before) {
    static const struct d_row head[] = {
        {FID_STUN_TYPE, 2},   {FID_STUN_TYPE_CLASS, 0}, {FID_STUN_TYPE_METHOD, 0}, {FID_STUN_TYPE_METHOD_ASSIGNMENT, 0},
        {FID_STUN_LENGTH, 2}, {FID_STUN_COOKIE, 4},     {FID_STUN_ID, 12}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_stun, rd_off(&r), (uint32_t)in.n);
    if (before) get_be16(d, &r, FID_STUN_TCP_FRAME_LENGTH);
    unsigned class = in.n >= before + HEADER ? load_be16(in.p + before) & CLASS : INDICATION;
    if (st && class != INDICATION) stun_match(d, st, class != 0, in.p + before + 8, rd_off(&r));
    d_rows(d, &r, D_ROWS(head));
    if (rd_ok(&r) && rd_left(&r)) {
        fv_gen(fv_u(d->out, FID_STUN_NETWORK_VERSION, rd_off(&r), 0, VERSION_COOKIE));
        attributes_read(d, &r, in.p + before + 4);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void stun_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    if (is_channel_data(in)) {
        channel_read(d, &r);
        return;
    }
    if (!is_message(in)) {
        if (classic_recognises(in, KNOWN_SPOKEN)) classic_read(d, in);
        else d_data(d, in);
        return;
    }
    message_read(d, d->ops->udp_state && !d->quoted ? d->ops->udp_state(d, &proto_stun) : NULL, in, 0);
}

/* begins_message tells whether the header of a message with its cookie is there. */
static bool begins_message(struct slice in) {
    return in.n >= HEADER && in.p[0] < CHANNEL_FIRST >> 8 && load_be32(in.p + 4) == COOKIE && in.p[3] % 4 == 0 &&
           method_name(load_be16(in.p));
}

/* is_framed tells whether a message begins behind its length. */
static bool is_framed(struct slice in) {
    struct slice message = slice_tail(in, FRAME_LENGTH);
    return begins_message(message) && load_be16(in.p) == load_be16(message.p + 2) + HEADER;
}

static struct read_result stun_frame(struct slice in) {
    size_t n = 0;
    if (in.n < FRAME_LENGTH + HEADER && (in.n < CHANNEL_HEADER || in.p[0] < CHANNEL_FIRST >> 8))
        n = begins_message(in) ? HEADER : FRAME_LENGTH + HEADER;
    else if (is_framed(in)) n = FRAME_LENGTH + (size_t)load_be16(in.p);
    else if (begins_message(in)) n = HEADER + (size_t)load_be16(in.p + 2);
    else if (in.p[0] >= CHANNEL_FIRST >> 8 && in.p[0] <= CHANNEL_LAST >> 8)
        n = CHANNEL_HEADER + padded(load_be16(in.p + 2)); /* RFC 8656 12.5: padded over TCP */
    if (!n) return (struct read_result){.status = READ_BAD};
    if (n > in.n) return (struct read_result){.status = READ_MORE, .needed = n};
    return (struct read_result){.status = READ_OK, .consumed = n};
}

static struct read_result stun_message(struct decode *d, void *state, int from, struct slice in) {
    (void)from;
    struct reader r = d_reader(d, in);
    if (is_framed(in)) message_read(d, state, in, FRAME_LENGTH);
    else if (begins_message(in)) message_read(d, state, in, 0);
    else if (is_channel_data(in)) channel_read(d, &r);
    else return (struct read_result){.status = READ_BAD};
    return (struct read_result){.status = READ_OK, .consumed = in.n};
}

static enum probe_result stun_probe(struct slice in) {
    return begins_message(in) || is_framed(in) ? PROBE_CERTAIN : PROBE_NO;
}

static void type_write(struct writer *w, unsigned type) {
    wr_s(w, method_name(type));
    unsigned class = type & CLASS;
    wr_s(w, class == ERROR_CLASS  ? " Error Response"
            : class == SUCCESS    ? " Success Response"
            : class == INDICATION ? " Indication"
                                  : " Request");
}

static void error_say(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *class = fv_first(v, FID_STUN_ATT_ERROR_CLASS, at, end),
                      *error = fv_first(v, FID_STUN_ATT_ERROR, at, end),
                      *reason = fv_first(v, FID_STUN_ATT_ERROR_REASON, at, end);
    if (!class || !error) return;
    unsigned code = (unsigned)(class->u * 100 + error->u);
    const char *name = field_value_name(&vals_stun_error, code);
    wr_f(w, " error-code: %u (%s)", code, name ? name : "Unknown error code");
    if (!reason) return;
    wr_c(w, ' ');
    print_string(w, reason->s);
}

/* attribute_say says of an attribute what the Info column has. */
static void attribute_say(struct writer *w, const struct fvec *v, uint32_t at) {
    static const struct {
        uint16_t id;
        const char *word;
    } texts[] = {{FID_STUN_ATT_USERNAME, " user: "}, {FID_STUN_ATT_REALM, " realm: "}};
    uint32_t end = fv_end(v, at);
    const struct fval *port = fv_first(v, FID_STUN_ATT_PORT, at, end), *ip = fv_first(v, FID_STUN_ATT_IPV4, at, end);
    const struct fval *lifetime = fv_first(v, FID_STUN_ATT_LIFETIME, at, end),
                      *channel = fv_first(v, FID_STUN_ATT_CHANNELNUM, at, end);
    if (!ip) ip = fv_first(v, FID_STUN_ATT_IPV6, at, end);
    if (port && ip) {
        const char *name = field_value_name(&vals_stun_attribute, v->v[at].u);
        wr_f(w, " %s: ", name ? name : "Unknown");
        print_value(w, field_of(ip->id), ip);
        wr_f(w, ":%u", (unsigned)port->u);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct fval *text = fv_first(v, texts[i].id, at, end);
        if (!text) continue;
        wr_s(w, texts[i].word);
        print_string(w, text->s);
    }
    error_say(w, v, at, end);
    if (channel) wr_f(w, " ChannelNumber=0x%04x", (unsigned)channel->u);
    if (lifetime) wr_f(w, " lifetime: %u", (unsigned)lifetime->u);
    if (fv_first(v, FID_STUN_ATT_NONCE, at, end)) wr_s(w, " with nonce");
    const char *transport = fv_value_name(v, FID_STUN_ATT_TRANSP, at, end);
    if (transport) wr_f(w, " %s", transport);
}

static void stun_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_STUN_TYPE, at, end);
    if (fv_first(v, FID_STUN_CHANNEL, at, end)) wr_s(w, "ChannelData TURN Message");
    if (!type) return;
    type_write(w, (unsigned)type->u);
    for (uint32_t i = at; i < end; i++)
        if (v->v[i].id == FID_STUN_ATTRIBUTE) attribute_say(w, v, i);
}

static bool stun_label(struct writer *w, const struct fvec *v, uint32_t at) {
    const struct fval *f = &v->v[at];
    if (f->id != FID_STUN_TYPE) return false;
    wr_f(w, "Message Type: 0x%04x (", (unsigned)f->u);
    type_write(w, (unsigned)f->u);
    wr_c(w, ')');
    return true;
}

static void classic_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const char *name = fv_value_name(v, FID_CLASSICSTUN_TYPE, at, end);
    if (name) wr_f(w, "Message: %s", name);
}

static const uint16_t info_fields[] = {FID_STUN_TYPE,
                                       FID_STUN_CHANNEL,
                                       FID_STUN_ATTRIBUTE,
                                       FID_STUN_ATT_PORT,
                                       FID_STUN_ATT_IPV4,
                                       FID_STUN_ATT_IPV6,
                                       FID_STUN_ATT_USERNAME,
                                       FID_STUN_ATT_REALM,
                                       FID_STUN_ATT_NONCE,
                                       FID_STUN_ATT_LIFETIME,
                                       FID_STUN_ATT_CHANNELNUM,
                                       FID_STUN_ATT_TRANSP,
                                       FID_STUN_ATT_ERROR_CLASS,
                                       FID_STUN_ATT_ERROR,
                                       FID_STUN_ATT_ERROR_REASON,
                                       0};
static const struct stream_ops stream = {
    .state_size = sizeof(struct stun_state), .read = stun_message, .frame = stun_frame, .probe = stun_probe};
static const struct proto_key keys[] = {{TABLE_UDP, 3478}, {TABLE_TCP, 3478}, {TABLE_COUNT, 0}};
const struct proto proto_stun = {.name = "stun",
                                 .column = "STUN",
                                 .keys = keys,
                                 .id = FID_STUN,
                                 .end = FID_STUN_END,
                                 .read = stun_read,
                                 .stream = &stream,
                                 .recognises = stun_recognises,
                                 .certain = true,
                                 .info = stun_info,
                                 .info_last = true,
                                 .info_fields = info_fields,
                                 .label = stun_label};
static const uint16_t classic_fields[] = {FID_CLASSICSTUN_TYPE, 0};
const struct proto proto_classicstun = {.name = "classicstun",
                                        .column = "CLASSIC-STUN",
                                        .id = FID_CLASSICSTUN,
                                        .end = FID_CLASSICSTUN_END,
                                        .read = classic_read,
                                        .recognises = classic_recognises,
                                        .info = classic_info,
                                        .info_fields = classic_fields};
