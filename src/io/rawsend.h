/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_RAWSEND_H
#define WEIR_IO_RAWSEND_H

#include "io/route.h"

/* Sending packets as they are. */

/* RAWSEND_MARK is the mark of packets that leave by rawsend_ip, for rules that must not catch them. */
#define RAWSEND_MARK 0x77656972

struct rawsend;

/* rawsend_open opens the sockets, for packets that leave by `device` (NULL: by any); on failure a code and a sentence
 * with the remedy in why. */
int rawsend_open(struct rawsend **out, const char *device, struct writer *why) MUST_USE;
/* rawsend_frame sends a frame with its link header. OK, or ERR_IO with errno. */
int rawsend_frame(struct rawsend *s, int device, struct slice frame) MUST_USE;
/* rawsend_ip sends an IP packet by the kernel's routes; `device` matters for addresses that mean one link only. The
 * kernel sets total length and header checksum of IPv4, and an identification of 0 to another; rawsend_direct sends
 * past it, with nothing changed, to the route's next hop. */
int rawsend_ip(struct rawsend *s, int device, struct slice packet) MUST_USE;
int rawsend_direct(struct rawsend *s, const struct route *r, const uint8_t next_mac[6], struct slice packet) MUST_USE;
void rawsend_close(struct rawsend *s);

#endif
