/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_DNS_WRITE_H
#define WEIR_PROTO_DNS_WRITE_H

#include "proto/write.h"

/* dns_write's struct: the header of RFC 1035 4.1.1; flags are the whole second word. */
struct dns_write {
    int64_t id, flags, counts[4]; /* questions, answers, authorities, additional */
};

struct dns_write_record {
    struct slice name; /* as text: labels with dots between */
    int64_t type, class, ttl, rdlen;
    struct slice data; /* encoded */
};

/* dns_write_header appends the twelve bytes of RFC 1035 4.1.1. */
void dns_write_header(struct writer *w, const struct dns_write *h);
/* dns_write_name appends a name without compression; false, with nothing appended, where a label or the name is too
 * long (63 and 255 bytes, RFC 1035 2.3.4). */
bool dns_write_name(struct writer *w, struct slice name);
/* dns_write_question and dns_write_record append one entry; false where its name cannot be written. */
bool dns_write_question(struct writer *w, struct slice name, int64_t type, int64_t class);
bool dns_write_record(struct writer *w, const struct dns_write_record *r);

#endif
