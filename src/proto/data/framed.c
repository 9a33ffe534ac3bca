/* SPDX-License-Identifier: Apache-2.0 */
/* Theory of operation: messages of protocols that are not decoded but say up front how long they are.
 *
 * Their bytes are shown as data, yet whole: a message over several segments is put together, and of several in one
 * segment each is shown. Every row knows its protocol by the first bytes of a message alone, so nothing rests on a port
 * and after a hole the next message is found again. Invariant: a row's check reads no more than HEAD bytes. What it
 * does not do: look inside a message. */
#include "proto/proto.h"
#include "proto/protos.h"

enum { HEAD = 16 }; /* bytes of a message in which its protocol and its length are found */

/* framing tells how long the message is that begins at p, which has HEAD bytes; 0: it is none of the protocol. */
typedef size_t framing(const uint8_t *p);

/* DCE 1.1 RPC 12.6.3: version 5, a type, then how integers are written, which the length follows. */
static size_t dcerpc(const uint8_t *p) {
    enum { VERSION = 5, TYPE_MAX = 20, LITTLE = 0x10, HEADER = 16 };
    if (p[0] != VERSION || p[1] > 1 || p[2] > TYPE_MAX || (p[4] != LITTLE && p[4] != 0) || p[5] || p[6] || p[7])
        return 0;
    size_t n = p[4] == LITTLE ? load_le16(p + 8) : load_be16(p + 8);
    return n >= HEADER ? n : 0;
}

/* RFC 1002 4.3.1 with a message of SMB in it: FF, FE, FD or FC and "SMB". */
static size_t smb(const uint8_t *p) {
    bool magic = p[4] >= 0xfc && p[5] == 'S' && p[6] == 'M' && p[7] == 'B';
    return p[0] == 0 && magic ? 4 + (size_t)load_be24(p + 1) : 0;
}

/* RFC 4511 4.1.1: a BER sequence of a message number and an operation (application class). */
static size_t ldap(const uint8_t *p) {
    enum { SEQUENCE = 0x30, INTEGER = 2, APPLICATION = 0x40, CLASS = 0xc0, LONG = 0x80 };
    size_t more = p[1] > LONG ? p[1] - LONG : 0, n = more ? 0 : p[1], at = 2 + more;
    if (p[0] != SEQUENCE || p[1] == LONG || more > 4) return 0;
    for (size_t i = 0; i < more; i++) n = n << 8 | p[2 + i];
    bool message = p[at] == INTEGER && p[at + 1] && p[at + 1] <= 4 && (p[at + 2 + p[at + 1]] & CLASS) == APPLICATION;
    return message ? at + n : 0;
}

static framing *const framings[] = {dcerpc, smb, ldap};

/* length_of tells how long the message at the beginning of `in` is, 0: it is none that is known. */
static size_t length_of(struct slice in) {
    uint8_t head[HEAD] = {0}; /* what is not there yet reads as zeros, which fit no check */
    struct slice there = slice_head(in, HEAD);
    if (there.n) memcpy(head, there.p, there.n);
    for (size_t i = 0; i < sizeof framings / sizeof *framings; i++) {
        size_t n = framings[i](head);
        if (n) return n;
    }
    return 0;
}

static struct read_result framed_cut(struct slice in) {
    size_t n = length_of(in);
    if (!n && in.n < HEAD) return (struct read_result){.status = READ_MORE, .needed = HEAD};
    if (!n) return (struct read_result){.status = READ_BAD, .stranger = true};
    if (n > in.n) return (struct read_result){.status = READ_MORE, .needed = n};
    return (struct read_result){.status = READ_OK, .consumed = n};
}

static enum probe_result framed_probe(struct slice in) { return length_of(in) ? PROBE_CERTAIN : PROBE_NO; }

static struct read_result framed_read(struct decode *d, void *state, int from, struct slice in) {
    (void)state, (void)from;
    struct read_result r = framed_cut(in);
    if (r.status == READ_OK) d_data(d, slice_head(in, r.consumed));
    return r;
}

static const struct stream_ops stream = {.read = framed_read, .frame = framed_cut, .probe = framed_probe};
const struct proto proto_framed = {.name = "framed", .id = FID_DATA, .end = FID_DATA_END, .stream = &stream};
