/* SPDX-License-Identifier: Apache-2.0 */
/* S7 communication: the head of a message, what is agreed upon when it is set up, and which variables are read and
 * written. Nobody published it; what devices send says what it is. */
#include "proto/protos.h"

enum { JOB = 1, ACK = 2, ACK_DATA = 3, READ_VAR = 4, WRITE_VAR = 5, SETUP = 0xf0 };

/* item_read reads where a variable is. */
static void item_read(struct decode *d, struct reader *r) {
    enum { HEAD = 2, ANY = 0x10 };
    static const struct d_row head[] = {{FID_S7COMM_PARAM_ITEM_VARSPEC, 1}, {FID_S7COMM_PARAM_ITEM_VARSPEC_LENGTH, 1}};
    static const struct d_row any[] = {{FID_S7COMM_PARAM_ITEM_SYNTAXID, 1},     {FID_S7COMM_PARAM_ITEM_TRANSP_SIZE, 1},
                                       {FID_S7COMM_PARAM_ITEM_LENGTH, 2},       {FID_S7COMM_PARAM_ITEM_DB, 2},
                                       {FID_S7COMM_PARAM_ITEM_AREA, 1},         {FID_S7COMM_PARAM_ITEM_ADDRESS, 3},
                                       {FID_S7COMM_PARAM_ITEM_ADDRESS_BYTE, 0}, {FID_S7COMM_PARAM_ITEM_ADDRESS_BIT, 0}};
    size_t n = rd_left(r) >= HEAD ? rd_peek(r, 1) : 0;
    fv_open(d->out, FID_S7COMM_PARAM_ITEM, rd_off(r), (uint32_t)(HEAD + n));
    d_rows(d, r, D_ROWS(head));
    struct reader place = rd_sub(r, n);
    if (rd_left(&place) && rd_peek(&place, 0) == ANY) d_rows(d, &place, D_ROWS(any));
    if (!rd_ok(&place)) rd_fail(r);
    fv_close(d->out);
    if (n & 1 && rd_left(r)) rd_skip(r, 1);
}

/* value_size returns how many bytes a value of so many units takes: some kinds count bits. */
static size_t value_size(int kind, size_t units) { return kind >= 3 && kind <= 5 ? (units + 7) / 8 : units; }

static void value_read(struct decode *d, struct reader *r) {
    static const struct d_row head[] = {{FID_S7COMM_DATA_RETURNCODE, 1}, {FID_S7COMM_DATA_TRANSPORTSIZE, 1}};
    uint32_t off = rd_off(r), at = fv_open(d->out, FID_S7COMM_DATA_ITEM, off, 0);
    int kind = rd_left(r) ? rd_peek(r, 1) : 0;
    d_rows(d, r, D_ROWS(head));
    uint32_t length = rd_off(r);
    size_t n = value_size(kind, rd_be16(r));
    if (rd_ok(r)) fv_u(d->out, FID_S7COMM_DATA_LENGTH, length, 2, n);
    if (rd_ok(r) && n) get_bytes(d, r, FID_S7COMM_RESP_DATA, n);
    fv_set_len(d->out, at, rd_off(r) - off);
    fv_close(d->out);
    if (n & 1 && rd_left(r)) rd_skip(r, 1);
}

/* param_read reads what is asked or answered, and returns how many variables that is about. */
static unsigned param_read(struct decode *d, struct reader *r, int kind, int function) {
    static const struct d_row setup[] = {{FID_S7COMM_PARAM_SETUP_RESERVED1, 1},
                                         {FID_S7COMM_PARAM_MAXAMQ_CALLING, 2},
                                         {FID_S7COMM_PARAM_MAXAMQ_CALLED, 2},
                                         {FID_S7COMM_PARAM_PDU_LENGTH, 2}};
    get_u8(d, r, FID_S7COMM_PARAM_FUNC);
    if (function == SETUP) d_rows(d, r, D_ROWS(setup));
    if (function != READ_VAR && function != WRITE_VAR) return 0;
    unsigned count = get_u8(d, r, FID_S7COMM_PARAM_ITEMCOUNT);
    for (unsigned i = 0; kind == JOB && rd_ok(r) && i < count; i++) item_read(d, r);
    return rd_ok(r) ? count : 0;
}

static void s7comm_read(struct decode *d, struct slice in) {
    enum { LENGTHS = 6 };
    static const struct d_row head[] = {{FID_S7COMM_HEADER_PROTID, 1}, {FID_S7COMM_HEADER_ROSCTR, 1},
                                        {FID_S7COMM_HEADER_REDID, 2},  {FID_S7COMM_HEADER_PDUREF, 2},
                                        {FID_S7COMM_HEADER_PARLG, 2},  {FID_S7COMM_HEADER_DATLG, 2}},
                              errors[] = {{FID_S7COMM_HEADER_ERRCLS, 1}, {FID_S7COMM_HEADER_ERRCOD, 1}};
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_s7comm, rd_off(&r), (uint32_t)in.n);
    int kind = rd_peek(&r, 1);
    d_rows(d, &r, D_ROWS(head));
    bool answers = kind == ACK || kind == ACK_DATA, asks = kind == JOB || kind == ACK_DATA;
    if (answers) d_rows(d, &r, D_ROWS(errors));
    struct reader param = rd_sub(&r, rd_ok(&r) ? load_be16(in.p + LENGTHS) : 0);
    int function = asks && rd_left(&param) ? rd_peek(&param, 0) : -1;
    unsigned count = function >= 0 ? param_read(d, &param, kind, function) : 0;
    bool values = kind == JOB ? function == WRITE_VAR : function == READ_VAR;
    bool data = rd_ok(&r) && load_be16(in.p + LENGTHS + 2) > 0; /* an error has none */
    for (unsigned i = 0; data && rd_ok(&r) && i < count; i++) {
        if (values) value_read(d, &r);
        else if (kind == ACK_DATA) get_u8(d, &r, FID_S7COMM_DATA_RETURNCODE);
    }
    if (!rd_ok(&r) || !rd_ok(&param)) d_bad(d, &r);
    d_end(d);
}

static void s7comm_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    const struct fval *class = fv_first(v, FID_S7COMM_HEADER_ERRCLS, at, end),
                      *code = fv_first(v, FID_S7COMM_HEADER_ERRCOD, at, end);
    wr_s(w, "ROSCTR:[");
    const char *kind = fv_value_name(v, FID_S7COMM_HEADER_ROSCTR, at, end),
               *function = fv_value_name(v, FID_S7COMM_PARAM_FUNC, at, end);
    wr_f(w, "%-8s]", kind ? kind : "");
    if (function) wr_f(w, " Function:[%s]", function);
    if (class && code && (class->u || code->u))
        wr_f(w, " -> Errorcode:[0x%02x%02x]", (unsigned)class->u, (unsigned)code->u);
}

static const uint16_t info_fields[] = {FID_S7COMM_HEADER_ROSCTR, FID_S7COMM_PARAM_FUNC, FID_S7COMM_HEADER_ERRCLS,
                                       FID_S7COMM_HEADER_ERRCOD, 0};
const struct proto proto_s7comm = {.name = "s7comm",
                                   .column = "S7COMM",
                                   .id = FID_S7COMM,
                                   .end = FID_S7COMM_END,
                                   .read = s7comm_read,
                                   .info = s7comm_info,
                                   .info_fields = info_fields};
