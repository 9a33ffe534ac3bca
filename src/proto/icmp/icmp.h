/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_ICMP_H
#define WEIR_PROTO_ICMP_H

#include "proto/proto.h"

/* What ICMP for IPv4 and for IPv6 share. */

/* icmp_extensions shows the extension structure (RFC 4884 7) of an error message, if it has one. `body` is what
 * follows the first eight bytes; `words` is the length the message gives for the quoted packet, in units of
 * `unit` bytes, 0 where it gives none. It returns the quoted packet. */
struct slice icmp_extensions(struct decode *d, struct slice body, uint8_t words, uint8_t unit);
/* icmp_extension_read shows an extension structure that is known to stand there. */
void icmp_extension_read(struct decode *d, struct slice in);

/* icmp_echo_add shows which request a reply answers. It is given what the driver matches by, and the ids of
 * the fields for frame number and milliseconds. */
struct icmp_echo {
    uint8_t kind;
    uint16_t ident, seq;
    bool request;
    uint16_t to, time;
};
void icmp_echo_add(struct decode *d, const struct icmp_echo *e, uint32_t off);

/* icmp_checksum_text writes the checksum's line: `field` and the places of its status and, where it is wrong, of
 * the anomaly. */
void icmp_checksum_text(struct writer *w, const struct fvec *v, uint32_t at, uint16_t status, uint16_t bad);

/* What struct proto calls info and label. */
bool icmp_label(struct writer *w, const struct fvec *v, uint32_t at);
void icmp_info(struct writer *w, const struct fvec *v, uint32_t at, uint32_t end);
extern const uint16_t icmp_info_fields[];

#endif
