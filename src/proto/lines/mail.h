/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_MAIL_H
#define WEIR_PROTO_MAIL_H

#include "proto/proto.h"

/* mail_kept is what came of a message that is being sent: the lines of every segment. Its memory is part of
 * decode.kept. */
struct mail_piece;
struct mail_kept {
    struct arena memory;
    struct mail_piece *first, *last;
    size_t length;
    unsigned count;
    bool overflow; /* more came than is kept */
};

/* mail_pieces is how the pieces of a message are shown: the name of the source they make, and fields. */
struct mail_pieces {
    const char *source;
    uint16_t all, one, count, length;
};

/* mail_keep keeps a segment's lines, up to MAIL_MAX bytes of a message. */
void mail_keep(struct decode *d, struct mail_kept *k, struct slice lines);
/* mail_whole lists the segments a message came in and returns it as a new source that is selected, where it is kept
 * whole; else what there is of its headers. Empty: there is no memory. */
struct slice mail_whole(struct decode *d, const struct mail_kept *k, const struct mail_pieces *ids);
/* mail_label writes the lines of the pieces' entries; false: the field is none of them. */
bool mail_label(struct writer *w, const struct fvec *v, uint32_t at, const struct mail_pieces *ids);
void mail_drop(struct mail_kept *k);

#endif
