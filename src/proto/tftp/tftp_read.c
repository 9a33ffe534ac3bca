/* SPDX-License-Identifier: Apache-2.0 */
/* Trivial File Transfer Protocol (RFC 1350 5; options RFC 2347). A request is found by its port, 69; what
 * follows goes to and from the port it came from, wherever the server answers from. */
#include "proto/protos.h"

#include "field/print.h"

enum { READ = 1, WRITE, DATA, ACK, ERROR, OPTIONS, OPTIONS_MAX = 64 };

static struct slice text_get(struct decode *d, struct reader *r, uint16_t id) {
    const uint8_t *end = rd_left(r) ? memchr(r->p, 0, rd_left(r)) : NULL;
    size_t n = end ? (size_t)(end - r->p) : rd_left(r);
    uint32_t off = rd_off(r);
    struct slice text = rd_take(r, n);
    rd_skip(r, end != NULL);
    if (rd_ok(r)) fv_s(d->out, id, off, (uint32_t)(n + (end != NULL)), text);
    return text;
}

static void options_read(struct decode *d, struct reader *r) {
    for (unsigned i = 0; i < OPTIONS_MAX && rd_left(r); i++) {
        text_get(d, r, FID_TFTP_OPTION_NAME);
        if (rd_left(r)) text_get(d, r, FID_TFTP_OPTION_VALUE);
    }
}

static bool is_message(struct slice in) { return in.n >= 4 && in.p[0] == 0 && in.p[1] >= READ && in.p[1] <= OPTIONS; }

static void tftp_read(struct decode *d, struct slice in) {
    if (!is_message(in)) {
        d_data(d, in);
        return;
    }
    struct reader r = d_reader(d, in);
    uint32_t off = rd_off(&r), at = d_begin(d, &proto_tftp, off, (uint32_t)in.n);
    uint16_t opcode = get_be16(d, &r, FID_TFTP_OPCODE);
    struct slice rest = {0};
    switch (rd_ok(&r) ? opcode : 0) {
    case READ:
    case WRITE:
        text_get(d, &r, opcode == READ ? FID_TFTP_SOURCE_FILE : FID_TFTP_DESTINATION_FILE);
        text_get(d, &r, FID_TFTP_TYPE);
        options_read(d, &r);
        break;
    case DATA:
        get_be16(d, &r, FID_TFTP_BLOCK);
        rest = rd_rest(&r);
        fv_set_len(d->out, at, rd_off(&r) - off);
        break;
    case ACK: get_be16(d, &r, FID_TFTP_BLOCK); break;
    case ERROR:
        get_be16(d, &r, FID_TFTP_ERROR_CODE);
        text_get(d, &r, FID_TFTP_ERROR_MESSAGE);
        break;
    case OPTIONS: options_read(d, &r); break;
    default: break;
    }
    if ((opcode == READ || opcode == WRITE) && !d->quoted && d->ops->announce)
        d->ops->announce(d, &proto_tftp, &d->src, d->sport, (struct slice){0});
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
    if (rd_ok(&r)) d_data(d, rest);
}

static bool tftp_recognises(struct slice in, enum known_as known) { return known == KNOWN_SAID && is_message(in); }

static void tftp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *type = fv_first(v, FID_TFTP_TYPE, at, end);
    const struct fval *file = fv_first(v, FID_TFTP_SOURCE_FILE, at, end), *block = fv_first(v, FID_TFTP_BLOCK, at, end);
    if (!file) file = fv_first(v, FID_TFTP_DESTINATION_FILE, at, end);
    const char *name = fv_value_name(v, FID_TFTP_OPCODE, at, end);
    if (!name) return;
    wr_s(w, name);
    if (file) {
        wr_s(w, ", File: ");
        print_string(w, file->s);
    }
    if (type) {
        wr_s(w, ", Transfer type: ");
        print_string(w, type->s);
    }
    if (block) wr_f(w, ", Block: %u", (unsigned)block->u);
    for (uint32_t i = at; i < end; i++) {
        bool name_of = v->v[i].id == FID_TFTP_OPTION_NAME;
        if (!name_of && v->v[i].id != FID_TFTP_OPTION_VALUE) continue;
        wr_s(w, name_of ? ", " : "=");
        print_string(w, v->v[i].s);
    }
}

static const uint16_t info_fields[] = {FID_TFTP_OPCODE, FID_TFTP_SOURCE_FILE, FID_TFTP_DESTINATION_FILE, FID_TFTP_TYPE,
                                       FID_TFTP_BLOCK,  FID_TFTP_OPTION_NAME, FID_TFTP_OPTION_VALUE,     0};
static const struct proto_key keys[] = {{TABLE_UDP, 69}, {TABLE_COUNT, 0}};
const struct proto proto_tftp = {.name = "tftp",
                                 .column = "TFTP",
                                 .id = FID_TFTP,
                                 .end = FID_TFTP_END,
                                 .keys = keys,
                                 .read = tftp_read,
                                 .recognises = tftp_recognises,
                                 .info = tftp_info,
                                 .info_fields = info_fields};
