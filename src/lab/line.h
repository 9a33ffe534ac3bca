/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_LAB_LINE_H
#define WEIR_LAB_LINE_H

#include "base/writer.h"
#include "io/sock.h"

/* Lines about what happens at a peer of the lab, for people and as JSON. */

/* line_time writes ts as in RFC 3339, UTC, with microseconds. */
void line_time(struct writer *w, int64_t ts);
/* line_day writes day and time in local time, with milliseconds. */
void line_day(struct writer *w, int64_t ts);
/* line_begin writes time, protocol and address, padded, for a line of text. */
void line_begin(struct writer *w, int64_t ts, const char *protocol, const struct sock_peer *who);
/* line_bytes writes "1 byte", "5 bytes", in the reader's language. */
void line_bytes(struct writer *w, uint64_t n);
/* line_say writes a text in the reader's language with its numbers, %1$s to %9$s. */
void line_say(struct writer *w, const char *english, const uint64_t *number, size_t n);

#endif
