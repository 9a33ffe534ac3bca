/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_BASE_JSON_H
#define WEIR_BASE_JSON_H

#include "base/writer.h"

/* json_text writes a JSON string [RFC 8259 7]. What is not UTF-8 becomes U+FFFD; controls and line separators, which a
 * terminal or a script could take for more than text, become escapes. */
void json_text(struct writer *w, struct slice s);
/* json_member writes `,"name":` and the value as a string; name is written as it is. */
void json_member(struct writer *w, const char *name, struct slice value);
/* json_member_u writes `,"name":` and a whole number. */
void json_member_u(struct writer *w, const char *name, uint64_t value);
/* base64_write writes bytes in base64 with padding [RFC 4648 4]. */
void base64_write(struct writer *w, struct slice s);

#endif
