/* SPDX-License-Identifier: Apache-2.0 */
/* SOCKS 4 and 5 (RFC 1928, 1929): the messages that ask a proxy for a connection, which then goes on through it.
 *
 * Theory of operation: the state of a conversation is where it stands and what was asked for; once the server says yes
 * the driver reads what follows as a stream to that host and port (decode_ops.tunnel). UDP through a proxy is not
 * read. */
#include "proto/protos.h"

#include "field/print.h"

enum { V4 = 4, V5 = 5, CONNECT = 1, IPV4 = 1, DOMAIN = 3, IPV6 = 4, GRANTED_V4 = 90, PASSWORD = 2 };

struct socks_state {
    enum { GREETING, METHOD, LOGIN, LOGIN_ANSWER, ASKED_V5, ANSWER } step;
    uint8_t version, command, host_n;
    uint16_t port;
    char host[255];
};

static struct read_result used(size_t n) { return (struct read_result){.status = READ_OK, .consumed = n}; }
static struct read_result more(size_t n) { return (struct read_result){.status = READ_MORE, .needed = n}; }
static const struct read_result bad = {.status = READ_BAD, .stranger = true};

static void host_keep(struct socks_state *st, struct slice host, uint16_t port) {
    st->host_n = (uint8_t)host.n;
    memcpy(st->host, host.p, host.n);
    st->port = port;
}

/* host_keep_v4 keeps an address in its words, as the tunnel shows it. */
static void host_keep_v4(struct socks_state *st, const uint8_t *p, uint16_t port) {
    struct writer w = wr_fixed(st->host, sizeof st->host);
    wr_f(&w, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
    st->host_n = (uint8_t)wr_len(&w);
    st->port = port;
}

static void layer(struct decode *d, const struct socks_state *st, struct slice in, bool request) {
    uint32_t off = d_off(d, in.p);
    d_begin(d, &proto_socks, off, (uint32_t)in.n);
    fv_u(d->out, FID_SOCKS_VERSION, off, 1, st->version);
    if (request) {
        fv_u(d->out, FID_SOCKS_COMMAND, off + 1, 1, st->command);
        fv_s(d->out, FID_SOCKS_REMOTE_NAME, off, 0, arena_copy(d->arena, slice_of(st->host, st->host_n)));
        fv_u(d->out, FID_SOCKS_DSTPORT, off, 0, st->port);
    }
    d_end(d);
}

static struct read_result asked_v4(struct decode *d, struct socks_state *st, struct slice in) {
    enum { HEAD = 8 };
    if (in.n < HEAD + 1) return more(HEAD + 1);
    const uint8_t *user_end = memchr(in.p + HEAD, 0, in.n - HEAD);
    if (!user_end) return in.n > 512 ? bad : more(0);
    size_t n = (size_t)(user_end - in.p) + 1;
    st->command = in.p[1];
    host_keep_v4(st, in.p + 4, load_be16(in.p + 2));
    if (load_be24(in.p + 4) == 0 && in.p[7]) { /* 4a: the name stands behind */
        const uint8_t *end = in.n > n ? memchr(in.p + n, 0, in.n - n) : NULL;
        if (!end) return in.n > 1024 ? bad : more(0);
        struct slice name = slice_of(in.p + n, (size_t)(end - in.p) - n);
        if (name.n > sizeof st->host) return bad;
        host_keep(st, name, st->port);
        n += name.n + 1;
    }
    st->step = ANSWER;
    layer(d, st, slice_head(in, n), true);
    return used(n);
}

/* place_size is how many bytes an address and a port take at their type's place: RFC 1928 4; 0: unknown. */
static size_t place_size(struct slice in) {
    return in.p[3] == IPV4 ? 6 : in.p[3] == IPV6 ? 18 : in.p[3] == DOMAIN ? 3u + in.p[4] : 0;
}

static struct read_result asked_v5(struct decode *d, struct socks_state *st, struct slice in) {
    enum { HEAD = 4 };
    if (in.n <= HEAD) return more(HEAD + 1);
    size_t n = HEAD + place_size(in);
    if (in.p[0] != V5 || n == HEAD) return bad;
    if (in.n < n) return more(n);
    st->command = in.p[1];
    uint16_t port = load_be16(in.p + n - 2);
    if (in.p[3] == DOMAIN) host_keep(st, slice_of(in.p + HEAD + 1, in.p[4]), port);
    else if (in.p[3] == IPV4) host_keep_v4(st, in.p + HEAD, port);
    else host_keep(st, (struct slice){in.p, 0}, port);
    st->step = ANSWER;
    layer(d, st, slice_head(in, n), true);
    return used(n);
}

static struct read_result client_read(struct decode *d, struct socks_state *st, struct slice in) {
    size_t n = in.n;
    if (st->step == ASKED_V5) return asked_v5(d, st, in);
    if (st->step == LOGIN) st->step = LOGIN_ANSWER;
    else if (st->step == GREETING) {
        st->version = in.p[0];
        if (st->version == V4) return asked_v4(d, st, in);
        if (st->version != V5) return bad;
        if (in.n < 2) return more(2);
        n = 2u + in.p[1];
        if (in.n < n) return more(n);
        st->step = METHOD;
    } else return bad;
    layer(d, st, slice_head(in, n), false);
    return used(n);
}

static struct read_result server_read(struct decode *d, struct socks_state *st, struct slice in) {
    size_t n = 2;
    if (st->step == ANSWER) {
        if (in.n <= 4) return more(5);
        n = st->version == V4 ? 8 : 4 + place_size(in);
        if (st->version == V5 && n == 4) return bad;
    }
    if (in.n < n) return more(n);
    layer(d, st, slice_head(in, n), false);
    bool granted = st->version == V4 ? in.p[1] == GRANTED_V4 : in.p[1] == 0;
    if (st->step == ANSWER && granted && st->command == CONNECT && d->ops->tunnel)
        d->ops->tunnel(d, &proto_socks, slice_of(st->host, st->host_n), st->port);
    if (st->step == METHOD) st->step = in.p[1] == PASSWORD ? LOGIN : ASKED_V5;
    else if (st->step == LOGIN_ANSWER) st->step = ASKED_V5;
    return used(n);
}

static struct read_result socks_read(struct decode *d, void *state, int from, struct slice in) {
    return from ? server_read(d, state, in) : client_read(d, state, in);
}

static void socks_tunnel(struct decode *d, struct slice host, uint16_t port, struct slice in) {
    uint32_t off = d_off(d, in.p);
    d_begin(d, &proto_socks, off, (uint32_t)in.n);
    fv_s(d->out, FID_SOCKS_REMOTE_NAME, off, 0, arena_copy(d->arena, host));
    fv_u(d->out, FID_SOCKS_DSTPORT, off, 0, port);
    d_end(d);
}

static void socks_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *version = fv_first(v, FID_SOCKS_VERSION, at, end);
    if (version) wr_f(w, "Version: %u", (unsigned)version->u);
}

static enum probe_result socks_probe(struct slice in) {
    return in.n && (in.p[0] == V4 || in.p[0] == V5) ? PROBE_UNSURE : PROBE_NO;
}

static const uint16_t info_fields[] = {FID_SOCKS_VERSION, 0};
static const struct stream_ops stream = {
    .state_size = sizeof(struct socks_state), .read = socks_read, .probe = socks_probe};
static const struct proto_key keys[] = {{TABLE_TCP, 1080}, {TABLE_COUNT, 0}};
const struct proto proto_socks = {.name = "socks",
                                  .column = "Socks",
                                  .id = FID_SOCKS,
                                  .end = FID_SOCKS_END,
                                  .keys = keys,
                                  .stream = &stream,
                                  .tunnel = socks_tunnel,
                                  .by_segment = true,
                                  .info = socks_info,
                                  .info_fields = info_fields};
