/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEIR_IO_READINGS_H
#define WEIR_IO_READINGS_H

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"

/* Readings that devices sent, in a file of SQLite. What readings_commit has answered OK for is on the disk: the journal
 * is written ahead and synchronised, so neither a killed process nor a power cut loses it. */

/* readings_available tells whether the program was built with SQLite. */
bool readings_available(void);

struct reading {
    int64_t id;                     /* set by the store */
    int64_t ts;                     /* nanoseconds since 1970 */
    struct slice how, source, type; /* "tcp", "udp", "http"; an IP address; a media type or empty */
    uint16_t port;
    struct slice data;
};

struct readings;

/* readings_open opens or makes the file; it holds at most `most` bytes of readings (0: no limit). With `only_read` the
 * file must be there. Says why where it fails. */
int readings_open(struct readings **out, const char *path, bool only_read, uint64_t most, struct writer *why) MUST_USE;
/* readings_add takes a reading into the present batch and numbers it: OK, ERR_LIMIT where the store is full, ERR_IO. */
int readings_add(struct readings *r, struct reading *reading) MUST_USE;
/* readings_commit makes the batch last: OK, or ERR_IO and nothing of the batch is kept. */
int readings_commit(struct readings *r) MUST_USE;
/* readings_why is what SQLite said of the last failure. */
const char *readings_why(const struct readings *r);
/* readings_each calls take with every reading, oldest first, at most the last `last` (0: all), until it gives not 0. */
int readings_each(struct readings *r, uint64_t last, int (*take)(void *to, const struct reading *reading),
                  void *to) MUST_USE;
/* readings_count returns how many readings there are. */
uint64_t readings_count(struct readings *r);
void readings_close(struct readings *r);

#endif
