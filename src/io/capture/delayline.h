/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_DELAYLINE_H
#define WEIR_IO_DELAYLINE_H

#include "base/err.h"
#include <stdbool.h>

/* A cable that takes its time: frames of one interface leave by another one so many milliseconds later, and back. The
 * kernel's netem does the same where it is built in, which cannot be relied on. */

/* delayline_run carries frames between two interfaces of this network namespace until it is killed; returns only where
 * it cannot, with errno. */
int delayline_run(const char *one, const char *other, int delay_ms);
/* delayline_plain makes an interface compute checksums itself, so that its frames can be carried; false with errno. */
bool delayline_plain(const char *name);

#endif
