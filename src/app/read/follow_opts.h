/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_APP_READ_FOLLOW_OPTS_H
#define WEIR_APP_READ_FOLLOW_OPTS_H

#include "view/follow.h"

/* follow_which_parse reads which conversation is meant, "3" or "10.0.0.1:40000,10.0.0.2:1883" ([address]:port for IPv6
 * is fine), up to the end of text or a comma, and returns what follows; NULL where it is neither. */
const char *follow_which_parse(const char *text, struct follow *f);
/* follow_substream_parse reads the stream of HTTP/2 behind that, and returns what follows; text where there is no
 * number. */
const char *follow_substream_parse(const char *text, struct follow *f);
/* follow_range_parse reads which chunks to show, "2" or "2-5"; false where it is neither. */
bool follow_range_parse(const char *text, struct follow_view *v);

#endif
