/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_ANALYSE_AMEND_H
#define WEIR_ANALYSE_AMEND_H

#include "analyse/dissect.h"
#include "analyse/keytab.h"

/* Fields of captured packets set to other values; lengths, checksums and the numbers of later TCP segments follow. */

enum {
    AMEND_MAX = 32,              /* fields */
    AMEND_VALUE_MAX = 32 << 10,  /* bytes of a value */
    AMEND_PACKET_MAX = 262144,   /* bytes of a packet afterwards */
    AMEND_STREAMS_MAX = 1 << 16, /* directions of TCP connections whose numbers moved */
    AMEND_SHIFTS_MAX = 512,      /* edits of a direction that are told apart */
};

struct amend_edit {
    uint16_t id;
    bool is_text;
    uint64_t u;
    struct slice bytes;     /* allocated */
    uint64_t done, refused; /* how often it was set, and was not because its bytes are not the packet's own */
};

struct amend {
    struct amend_edit edit[AMEND_MAX];
    size_t n;
    struct keytab streams;
};

/* amend_make returns an empty list of changes; amend_free releases it. */
struct amend amend_make(void);
void amend_free(struct amend *a);
/* amend_add reads "field=value"; ERR_USAGE or ERR_LIMIT with a sentence. */
int amend_add(struct amend *a, const struct field_index *names, struct slice text, struct writer *why) MUST_USE;
/* amend_packet writes the packet as it is afterwards to `out`, which holds AMEND_PACKET_MAX bytes, and gives its
 * length; 0 where it became too long. The packet must have been decoded with every field wanted. */
size_t amend_packet(struct amend *a, const struct decode *d, struct slice packet, uint8_t *out);

#endif
