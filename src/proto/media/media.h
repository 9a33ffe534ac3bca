/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_MEDIA_H
#define WEIR_PROTO_MEDIA_H

#include "proto/proto.h"

/* media_kind is what a media type's content is to a reader. DATA: bytes of which nothing is known. SILENT: a form of
 * its own that is not taken apart here. */
enum media_kind {
    MEDIA_OTHER,
    MEDIA_DATA,
    MEDIA_TEXT,
    MEDIA_JSON,
    MEDIA_XML,
    MEDIA_MULTIPART,
    MEDIA_MAIL,
    MEDIA_SILENT
};
/* media_kind_of goes by the type, in lower case and without parameters, not by how its name ends. */
enum media_kind media_kind_of(struct slice type);
/* media_text_is_xml tells whether text says of itself that it is XML. */
static inline bool media_text_is_xml(struct slice text) { return slice_alike(slice_head(text, 5), SLICE("<?XML")); }
/* media_wanted tells whether anybody asked for what content is. */
bool media_wanted(const struct decode *d);
/* media_read shows `data`, which lies in the present source, as what its media type says: in lower case and without
 * parameters, empty where nobody said: then an image is known by its bytes; false where nobody here knows the type. It
 * begins layers, so the carrier's own entry must be closed. media_or_data_read shows what nobody knows as a layer
 * without fields, or as data where it has no type. */
bool media_read(struct decode *d, struct slice type, struct slice data);
void media_or_data_read(struct decode *d, struct slice type, struct slice data);
/* media_json_read shows JSON texts, one behind the other, and returns how many bytes of `data` they take; 0 where it is
 * something else: then there is an empty layer. */
size_t media_json_read(struct decode *d, struct slice type, struct slice data);
/* media_begin begins a layer of content; its entry is closed with d_end. */
void media_begin(struct decode *d, const struct proto *p, struct slice type, struct slice data);

/* media_image_of returns the layer of the image that `data` is; NULL: it is none. media_image_read shows it. */
const struct proto *media_image_of(struct slice data);
void media_image_read(struct decode *d, const struct proto *image, struct slice type, struct slice data);

/* media_parts goes from boundary to boundary through a body of several parts (RFC 2046 5.1). media_parts_begin goes to
 * the first boundary of a body of the media type in `value`: `part` is what stands before it. media_part_next goes to
 * the next one; false where there is none. */
struct media_parts {
    struct slice part, boundary, rest; /* between the boundaries; the last one with its line ends; behind it */
    bool last;                         /* it ends the body */
    uint16_t mark_len;
    char mark[2 + 255];
};
bool media_parts_begin(struct media_parts *m, struct slice value, struct slice body);
bool media_part_next(struct media_parts *m);
/* media_multipart_read shows a body of several parts, whose media type with its parameters is `value`. */
void media_multipart_read(struct decode *d, struct slice value, struct slice data);
bool media_multipart_label(struct writer *w, const struct fvec *v, uint32_t at);

#endif
