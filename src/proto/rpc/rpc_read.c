/* SPDX-License-Identifier: Apache-2.0 */
/* Remote procedure calls (RFC 5531 9) in datagrams and, behind record marks (11), in streams: their heads, and as a
 * layer of its own the program that is called. Calls are recognised by the version and a program that is known; an
 * answer names no program, so the last CALLS_MAX calls of a conversation are remembered. Arguments and results are not
 * taken apart. */
#include "proto/protos.h"
#include "proto/sized.h"

enum { CALL = 0, REPLY = 1, RPC_VERSION = 2, MARK = 4, CALLS_MAX = 32, LEAST_CALL = 24, LEAST_REPLY = 12 };
enum { FRAGMENT_MOST = 4 << 20, LAST = 0x80 };

static const char *const portmap_2[] = {"NULL", "SET", "UNSET", "GETPORT", "DUMP", "CALLIT"};
static const char *const mount_3[] = {"NULL", "MNT", "DUMP", "UMNT", "UMNTALL", "EXPORT"};
static const char *const nfs_3[] = {"NULL",   "GETATTR", "SETATTR",  "LOOKUP", "ACCESS",  "READLINK",
                                    "READ",   "WRITE",   "CREATE",   "MKDIR",  "SYMLINK", "MKNOD",
                                    "REMOVE", "RMDIR",   "RENAME",   "LINK",   "READDIR", "READDIRPLUS",
                                    "FSSTAT", "FSINFO",  "PATHCONF", "COMMIT"};
static const char *const nfs_2[] = {"NULL", "GETATTR",    "SETATTR", "ROOT",   "LOOKUP",  "READLINK",
                                    "READ", "WRITECACHE", "WRITE",   "CREATE", "REMOVE",  "RENAME",
                                    "LINK", "SYMLINK",    "MKDIR",   "RMDIR",  "READDIR", "STATFS"};
static const char *const nfs_4[] = {"NULL", "COMPOUND"};
static const char *const nlm_4[] = {"NULL", "TEST", "LOCK", "CANCEL", "UNLOCK", "GRANTED"};

/* Programs with a layer, and the names of the procedures of their versions. */
static const struct program {
    uint32_t number;
    const struct proto *proto;
    struct {
        const char *const *list;
        size_t n;
    } version[4]; /* from the first that is named on */
    unsigned first;
} programs[] = {
#define NAMES(list_)                                                                                                   \
    { (list_), sizeof(list_) / sizeof *(list_) }
    {100000, &proto_portmap, {NAMES(portmap_2)}, 2},
    {100003, &proto_nfs, {NAMES(nfs_2), NAMES(nfs_3), NAMES(nfs_4)}, 2},
    {100005, &proto_mount, {NAMES(mount_3), NAMES(mount_3), NAMES(mount_3)}, 1},
    {100021, &proto_nlm, {NAMES(nlm_4)}, 4},
    {100024, &proto_stat, {{0}}, 1},
};

static const struct program *program_of(uint32_t number) {
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (programs[i].number == number) return &programs[i];
    return NULL;
}

struct call {
    uint32_t xid, program, version, procedure;
    uint64_t frame;
};
struct rpc_state {
    struct call call[CALLS_MAX];
    uint32_t calls; /* in all */
};

static bool is_call(struct slice in) {
    return in.n >= LEAST_CALL && load_be32(in.p + 4) == CALL && load_be32(in.p + 8) == RPC_VERSION &&
           program_of(load_be32(in.p + 12));
}

/* is_reply: a call was denied, or accepted, and then a verifier of 400 bytes at most follows (8.2). */
static bool is_reply(struct slice in) {
    enum { VERIFIED = 20, VERIFIER_MOST = 400 };
    if (in.n < LEAST_REPLY || load_be32(in.p + 4) != REPLY || load_be32(in.p + 8) > 1) return false;
    return load_be32(in.p + 8) || in.n < VERIFIED || load_be32(in.p + 16) <= VERIFIER_MOST;
}

static bool rpc_recognises(struct slice in, enum known_as known) { return is_call(in) || (known && is_reply(in)); }

static const struct call *call_find(const struct rpc_state *st, uint32_t xid) {
    for (uint32_t i = 0; st && i < CALLS_MAX && i < st->calls; i++) {
        const struct call *c = &st->call[(st->calls - 1 - i) % CALLS_MAX];
        if (c->xid == xid) return c;
    }
    return NULL;
}

static void call_read(struct decode *d, struct reader *r, struct call *c) {
    get_be32(d, r, FID_RPC_VERSION);
    c->program = get_be32(d, r, FID_RPC_PROGRAM);
    c->version = get_be32(d, r, FID_RPC_PROGRAMVERSION);
    c->procedure = get_be32(d, r, FID_RPC_PROCEDURE);
    for (int i = 0; rd_ok(r) && i < 2; i++) { /* who asks, and how that is known */
        rd_skip(r, 4);
        uint32_t n = rd_be32(r);
        rd_skip(r, n <= rd_left(r) ? (n + 3) & ~3u : n);
    }
}

static void reply_read(struct decode *d, struct reader *r) {
    uint32_t state = get_be32(d, r, FID_RPC_REPLYSTAT);
    if (state) return;
    rd_skip(r, 4);
    uint32_t n = rd_be32(r);
    rd_skip(r, n <= rd_left(r) ? (n + 3) & ~3u : n);
    get_be32(d, r, FID_RPC_STATE_ACCEPT);
}

/* program_show adds the layer of what is called, with the words the Info column has. */
static void program_show(struct decode *d, const struct call *c, bool reply, struct slice rest) {
    const struct program *p = program_of(c->program);
    if (!p) return;
    d_begin(d, p->proto, d_off(d, rest.p), (uint32_t)rest.n);
    fv_gen(fv_u(d->out, FID_RPC_CALLED_PROGRAM, d_off(d, rest.p), 0, c->program));
    fv_gen(fv_u(d->out, FID_RPC_CALLED_VERSION, d_off(d, rest.p), 0, c->version));
    fv_gen(fv_u(d->out, FID_RPC_CALLED_PROCEDURE, d_off(d, rest.p), 0, c->procedure));
    if (reply) fv_gen(fv_u(d->out, FID_RPC_ANSWERS, d_off(d, rest.p), 0, c->frame));
    d_end(d);
}

/* message_read reads a message; the reader stands at its xid, `at` is the layer's entry that began at `off`. */
static void message_read(struct decode *d, struct rpc_state *st, struct reader *r, uint32_t at, uint32_t off) {
    struct call c = {.xid = get_be32(d, r, FID_RPC_XID), .frame = d->pkt->number};
    uint32_t type = get_be32(d, r, FID_RPC_MSGTYP);
    const struct call *asked = NULL;
    if (type == CALL) call_read(d, r, &c);
    else if (type == REPLY) reply_read(d, r);
    if (type == REPLY) asked = call_find(st, c.xid);
    bool ok = rd_ok(r);
    fv_set_len(d->out, at, rd_off(r) - off);
    d_end(d);
    if (!ok) return;
    if (type == CALL && st) st->call[st->calls++ % CALLS_MAX] = c;
    if (type == CALL) asked = &c;
    if (asked) program_show(d, asked, type == REPLY, rd_rest(r));
}

static void rpc_read(struct decode *d, struct slice in) {
    if (!is_call(in) && !is_reply(in)) {
        d_data(d, in);
        return;
    }
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r);
    struct rpc_state *st = !d->quoted && d->ops->udp_state ? d->ops->udp_state(d, &proto_rpc) : NULL;
    uint32_t at = d_begin(d, &proto_rpc, off, (uint32_t)in.n);
    message_read(d, st, &r, at, off);
}

static size_t fragment_size(struct slice in) {
    size_t n = load_be32(in.p) & 0x7fffffff;
    return n <= FRAGMENT_MOST ? MARK + n : 0;
}

static struct read_result rpc_frame(struct slice in) { return sized_cut(in, MARK + 1, fragment_size); }

static enum probe_result rpc_probe(struct slice in) {
    if (in.n < MARK + LEAST_CALL) return PROBE_UNSURE;
    struct slice message = slice_tail(in, MARK);
    if (is_call(message)) return in.p[0] & LAST ? PROBE_CERTAIN : PROBE_UNSURE;
    return is_reply(message) ? PROBE_UNSURE : PROBE_NO;
}

static struct read_result rpc_stream_read(struct decode *d, void *state, int from, struct slice in) {
    static const struct d_row mark[] = {{0, 4}, {FID_RPC_LASTFRAG, 0}, {FID_RPC_FRAGLEN, 0}};
    (void)from;
    struct read_result got = rpc_frame(in);
    if (got.status != READ_OK) return got;
    struct slice whole = slice_head(in, got.consumed);
    struct reader r = d_reader(d, whole);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_rpc, off, (uint32_t)whole.n);
    d_rows(d, &r, D_ROWS(mark));
    if (is_call(slice_tail(whole, MARK)) || is_reply(slice_tail(whole, MARK))) message_read(d, state, &r, at, off);
    else d_end(d);
    return got;
}

static void rpc_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    if (!fv_first(v, FID_RPC_XID, at, end)) wr_s(w, "Continuation");
}

static void program_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *number = fv_first(v, FID_RPC_CALLED_PROGRAM, at, end);
    const struct fval *version = fv_first(v, FID_RPC_CALLED_VERSION, at, end);
    const struct fval *procedure = fv_first(v, FID_RPC_CALLED_PROCEDURE, at, end);
    const struct fval *reply = fv_first(v, FID_RPC_ANSWERS, at, end);
    const struct program *p = number ? program_of((uint32_t)number->u) : NULL;
    if (!p || !version || !procedure) return;
    wr_f(w, "V%u ", (unsigned)version->u);
    uint64_t i = version->u - p->first;
    if (i < sizeof p->version / sizeof *p->version && procedure->u < p->version[i].n)
        wr_s(w, p->version[i].list[procedure->u]);
    else wr_f(w, "proc-%u", (unsigned)procedure->u);
    if (reply) wr_f(w, " Reply (Call In %llu)", (unsigned long long)reply->u);
    else wr_s(w, " Call");
}

static const uint16_t rpc_fields[] = {FID_RPC_XID, 0},
                      program_fields[] = {FID_RPC_CALLED_PROGRAM, FID_RPC_CALLED_VERSION, FID_RPC_CALLED_PROCEDURE,
                                          FID_RPC_ANSWERS, 0};
static const struct proto_key keys[] = {{TABLE_TCP, 111}, {TABLE_UDP, 111}, {TABLE_COUNT, 0}};
static const struct stream_ops stream = {
    .state_size = sizeof(struct rpc_state), .read = rpc_stream_read, .frame = rpc_frame, .probe = rpc_probe};
const struct proto proto_rpc = {.name = "rpc",
                                .column = "RPC",
                                .id = FID_RPC,
                                .end = FID_RPC_END,
                                .keys = keys,
                                .read = rpc_read,
                                .stream = &stream,
                                .recognises = rpc_recognises,
                                .info = rpc_info,
                                .info_fields = rpc_fields};
#define PROGRAM(name_, ID_, COLUMN_)                                                                                   \
    const struct proto proto_##name_ = {.name = #name_,                                                                \
                                        .column = (COLUMN_),                                                           \
                                        .id = FID_##ID_,                                                               \
                                        .end = FID_##ID_##_END,                                                        \
                                        .info = program_info,                                                          \
                                        .info_fields = program_fields};
PROGRAM(portmap, PORTMAP, "Portmap")
PROGRAM(nfs, NFS, "NFS")
PROGRAM(mount, MOUNT, "MOUNT")
PROGRAM(nlm, NLM, "NLM")
PROGRAM(stat, STAT, "STAT")
