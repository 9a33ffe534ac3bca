/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_PROTO_NETBIOS_H
#define WEIR_PROTO_NETBIOS_H

#include "proto/proto.h"

/* What the readers of names and of datagrams share. */

enum { NETBIOS_NAME = 16, NETBIOS_TEXT_MAX = NETBIOS_NAME * 4 };

/* netbios_name_text writes the 16 bytes of a name: its text without the spaces behind it, and the last byte, which says
 * what the name is of, as <1d>. */
void netbios_name_text(struct writer *w, const uint8_t name[NETBIOS_NAME]);
/* netbios_name_read reads an encoded name (RFC 1002 4.1) at the reader and moves behind it; `whole` is the message,
 * which pointers lead into. *text lives as long as the packet and says so where the letters are none of a name's; *type
 * is the name's last byte. The reader fails where the name does not end. */
void netbios_name_read(struct decode *d, struct reader *r, struct slice whole, struct slice *text, uint8_t *type);

#endif
