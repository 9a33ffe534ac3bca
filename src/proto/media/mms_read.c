/* SPDX-License-Identifier: Apache-2.0 */
/* Multimedia messages (OMA-TS-MMS_ENC 1.3): headers as WSP writes them (WAP-230-WSP 8.4). What a message holds stands
 * behind its Content-Type, the last of them, and is not taken apart. */
#include "proto/protos.h"

enum { SHORT = 0x80, TEXT_FIRST = 0x20, QUOTE = 0x7f, LENGTH_FOLLOWS = 31, HEADERS_MAX = 200 };
enum { ADDRESS_PRESENT = 0x80, CONTENT_TYPE = 0x04 };

/* Assigned numbers of the headers (OMA-TS-MMS_ENC 7.4); those without a field are passed over. */
static const uint16_t headers[] = {[0x01] = FID_MMSE_BCC,
                                   [0x02] = FID_MMSE_CC,
                                   [0x03] = FID_MMSE_CONTENT_LOCATION,
                                   [0x09] = FID_MMSE_FROM,
                                   [0x0b] = FID_MMSE_MESSAGE_ID,
                                   [0x0c] = FID_MMSE_MESSAGE_TYPE,
                                   [0x0f] = FID_MMSE_PRIORITY,
                                   [0x12] = FID_MMSE_RESPONSE_STATUS,
                                   [0x13] = FID_MMSE_RESPONSE_TEXT,
                                   [0x15] = FID_MMSE_STATUS,
                                   [0x16] = FID_MMSE_SUBJECT,
                                   [0x17] = FID_MMSE_TO,
                                   [0x18] = FID_MMSE_TRANSACTION_ID};

/* uintvar_read: seven bits a byte, the first bit says that more follow, five bytes at most (WSP 8.1.2). */
static uint32_t uintvar_read(struct reader *r) {
    uint32_t v = 0;
    for (int i = 0; i < 5; i++) {
        uint8_t byte = rd_u8(r);
        v = v << 7 | (byte & 0x7f);
        if (!(byte & SHORT)) return v;
    }
    rd_fail(r);
    return 0;
}

/* text_take takes a text and the zero that ends it, which is not returned; a first quote keeps it from being something
 * else. */
static struct slice text_take(struct reader *r) {
    if (rd_left(r) && rd_peek(r, 0) == QUOTE) rd_skip(r, 1);
    struct slice rest = rd_rest(r);
    const uint8_t *end = rest.n ? memchr(rest.p, 0, rest.n) : NULL;
    struct slice text = rd_take(r, end ? (size_t)(end - rest.p) : rest.n);
    rd_skip(r, 1);
    return text;
}

/* value_take takes the value of a header (WSP 8.4.1.2): one byte, a text, or so many bytes. */
static struct slice value_take(struct reader *r) {
    int first = rd_left(r) ? rd_peek(r, 0) : 0;
    if (first >= SHORT) return rd_take(r, 1);
    if (first >= TEXT_FIRST) return text_take(r);
    rd_skip(r, 1);
    return rd_take(r, first == LENGTH_FOLLOWS ? uintvar_read(r) : (size_t)first);
}

/* text_within returns the text of a value that begins with its character set, or that an address is there. */
static struct slice text_within(struct decode *d, struct slice value) {
    struct reader r = d_reader(d, value);
    int first = value.n ? value.p[0] : TEXT_FIRST;
    if (first >= SHORT) rd_skip(&r, 1);
    else if (first < LENGTH_FOLLOWS) rd_skip(&r, 1 + (size_t)first);
    struct slice rest = rd_rest(&r);
    const uint8_t *end = rest.n ? memchr(rest.p, 0, rest.n) : NULL;
    return end ? slice_head(rest, (size_t)(end - rest.p)) : rest;
}

static void value_show(struct decode *d, uint16_t id, struct slice value) {
    uint32_t off = d_off(d, value.p), n = (uint32_t)value.n;
    if (field_of(id)->type != FT_STRING) {
        if (n == 1) fv_u(d->out, id, off, n, value.p[0]);
        return;
    }
    bool absent = id == FID_MMSE_FROM && n && value.p[0] != ADDRESS_PRESENT;
    fv_s(d->out, id, off, n, absent ? SLICE("<insert address>") : text_within(d, value));
}

static void mmse_read(struct decode *d, struct slice in) {
    struct reader r = d_reader(d, in);
    d_begin(d, &proto_mmse, rd_off(&r), (uint32_t)in.n);
    for (unsigned i = 0; i < HEADERS_MAX && rd_ok(&r) && rd_left(&r); i++) {
        int first = rd_peek(&r, 0), number = first & ~SHORT;
        if (number == CONTENT_TYPE && first >= SHORT) break;
        if (first >= SHORT) rd_skip(&r, 1);
        else if (first >= TEXT_FIRST) text_take(&r); /* a header by its name */
        else break;
        struct slice value = value_take(&r);
        bool shown = first >= SHORT && (size_t)number < sizeof headers / sizeof *headers && headers[number];
        if (rd_ok(&r) && shown) value_show(d, headers[number], value);
    }
    if (!rd_ok(&r)) d_bad(d, &r);
    d_end(d);
}

static void mmse_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end) {
    wr_s(w, "MMS ");
    fv_value_say(w, v, FID_MMSE_MESSAGE_TYPE, at, end);
}

static const uint16_t info_fields[] = {FID_MMSE_MESSAGE_TYPE, 0};
const struct proto proto_mmse = {.name = "mmse",
                                 .column = "MMSE",
                                 .id = FID_MMSE,
                                 .end = FID_MMSE_END,
                                 .read = mmse_read,
                                 .info = mmse_info,
                                 .info_fields = info_fields};
