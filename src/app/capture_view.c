/* SPDX-License-Identifier: Apache-2.0 */
/* The view of `weir capture` without -w. */
#include "app/capture.h"
#include <stdio.h>
#include <string.h>

static int show(void *to, const struct packet *pkt) {
    (void)to;
    return printf("%llu %lld.%09lld %u bytes\n", (unsigned long long)pkt->number, (long long)(pkt->ts / 1000000000),
                  (long long)(pkt->ts % 1000000000), pkt->len) < 0
               ? ERR_END
               : OK;
}

static int flush(void *to) {
    (void)to;
    return fflush(stdout) == 0 ? OK : ERR_END;
}

int capture_view_open(struct capture_view *v, const struct capture_opts *o) {
    (void)o;
    *v = (struct capture_view){.packet = show, .idle = flush};
    return 0;
}
