/* SPDX-License-Identifier: Apache-2.0 */
/* Images: known by their first bytes whatever their media type says, named, and gone through as far as it takes to see
 * that they are whole. */
#include "proto/media/media.h"
#include "proto/protos.h"

/* png_walk goes from chunk to chunk: ISO 15948 5.3. */
static void png_walk(struct reader *r) {
    enum { SIGNATURE = 8, TYPE = 4, CRC = 4 };
    rd_skip(r, SIGNATURE);
    while (rd_left(r)) {
        uint32_t len = rd_be32(r);
        rd_skip(r, TYPE);
        rd_skip(r, len);
        rd_skip(r, CRC);
    }
}

/* gif_colours passes over a colour table: GIF89a 19, 21. */
static void gif_colours(struct reader *r, uint8_t flags) {
    if (flags & 0x80) rd_skip(r, (size_t)3 << ((flags & 7) + 1));
}

static void gif_walk(struct reader *r) {
    enum { EXTENSION = 0x21, IMAGE = 0x2c, HEADER = 6 };
    rd_skip(r, HEADER + 4);
    uint8_t flags = rd_u8(r), block;
    rd_skip(r, 2);
    gif_colours(r, flags);
    while ((block = rd_u8(r)) == EXTENSION || block == IMAGE) {
        if (block == IMAGE) {
            rd_skip(r, 8);
            gif_colours(r, rd_u8(r));
        }
        rd_skip(r, 1); /* the extension's label, or how wide the codes are */
        for (uint8_t n; (n = rd_u8(r));) rd_skip(r, n);
    }
}

/* jpeg_walk goes from marker to marker: ITU-T T.81 B.1.1. */
static void jpeg_walk(struct reader *r) {
    enum { SOI = 0xffd8, EOI = 0xffd9, SOS = 0xffda, STUFFED = 0, RST0 = 0xd0, RST7 = 0xd7 };
    rd_skip(r, 2);
    for (;;) {
        uint16_t marker = rd_be16(r);
        if (!rd_ok(r) || marker == EOI || marker < SOI) return;
        uint16_t len = rd_be16(r);
        if (len < 2) return;
        rd_skip(r, len - 2);
        if (marker != SOS) continue;
        for (int next; rd_ok(r); rd_skip(r, 1)) { /* up to what is a marker and no byte of the picture */
            const uint8_t *ff = rd_left(r) ? memchr(r->p, 0xff, rd_left(r)) : NULL;
            rd_skip(r, ff ? (size_t)(ff - r->p) : rd_left(r) + 1);
            next = rd_peek(r, 1);
            if (next != STUFFED && (next < RST0 || next > RST7)) break;
        }
    }
}

const struct proto *media_image_of(struct slice data) {
    enum { LEAST = 20 };
    if (data.n < LEAST) return NULL;
    if (slice_starts(data, SLICE("\x89PNG\r\n\x1a\n"))) return &proto_png;
    if (slice_starts(data, SLICE("GIF87a")) || slice_starts(data, SLICE("GIF89a"))) return &proto_image_gif;
    bool jpeg = slice_starts(data, SLICE("\xff\xd8\xff")) && (data.p[3] & 0xf0) == 0xe0; /* T.81 B.2.4.6 */
    return jpeg ? &proto_image_jfif : NULL;
}

void media_image_read(struct decode *d, const struct proto *image, struct slice type, struct slice data) {
    struct reader r = d_reader(d, data);
    media_begin(d, image, type, data);
    d_end(d);
    if (image == &proto_png) png_walk(&r);
    else if (image == &proto_image_gif) gif_walk(&r);
    else jpeg_walk(&r);
    if (!rd_ok(&r)) d_bad(d, &r);
}
