/* SPDX-License-Identifier: Apache-2.0 */
/* Readings where the program was built without SQLite: a sentence with the remedy. */
#include "io/readings.h"

bool readings_available(void) { return false; }

int readings_open(struct readings **out, const char *path, bool only_read, uint64_t most, struct writer *why) {
    (void)out, (void)path, (void)only_read, (void)most;
    wr_s(why, "this weir was built without SQLite; install libsqlite3-dev and build it again");
    return ERR_UNSUPPORTED;
}
int readings_add(struct readings *r, struct reading *reading) { return (void)r, (void)reading, ERR_UNSUPPORTED; }
int readings_commit(struct readings *r) { return (void)r, ERR_UNSUPPORTED; }
const char *readings_why(const struct readings *r) { return (void)r, ""; }
int readings_each(struct readings *r, uint64_t last, int (*take)(void *to, const struct reading *reading), void *to) {
    return (void)r, (void)last, (void)take, (void)to, ERR_UNSUPPORTED;
}
uint64_t readings_count(struct readings *r) { return (void)r, 0; }
void readings_close(struct readings *r) { (void)r; }
