/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_VIEW_FOLLOW_H
#define WEIR_VIEW_FOLLOW_H

#include "analyse/follow.h"

/* A followed conversation as text, in tshark's shape. */

enum follow_form { FOLLOW_ASCII, FOLLOW_EBCDIC, FOLLOW_HEX, FOLLOW_RAW, FOLLOW_YAML, FOLLOW_UTF8, FOLLOW_FORMS };

struct follow_view {
    enum follow_form form;
    bool color, headed;
    uint64_t offset[2]; /* bytes of each side shown so far */
    uint64_t chunks;
    uint64_t first, last; /* chunks to show, from 1; last 0: all */
};

/* follow_form_find returns the form of a name, or FOLLOW_FORMS. */
enum follow_form follow_form_find(const char *name, size_t n);
/* follow_head_print writes what stands before the first chunk, if it was not written yet. */
void follow_head_print(struct writer *w, const struct follow *f, struct follow_view *v);
void follow_chunk_print(struct writer *w, const struct follow *f, const struct follow_chunk *c, struct follow_view *v);
void follow_foot_print(struct writer *w, const struct follow_view *v);

#endif
