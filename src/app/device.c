/* SPDX-License-Identifier: Apache-2.0 */
#include "app/device.h"

#include "app/condition.h"
#include "app/rights.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int device_begin(struct feed *f, const char *name, struct writer *why) {
    struct live_config config = {.device = name, .immediate = true};
    int rc = feed_open_live(f, &config, why);
    if (rc) return rc;
    struct rights rights;
    if (!rights_pick(&rights, NULL, false) || !rights_drop(&rights)) {
        wr_f(why, "cannot give up privileges: %s", strerror(errno));
        return ERR_DENIED;
    }
    fprintf(stderr, "Capturing on '%s'\n", name);
    return OK;
}

int device_stops(struct feed *f, const struct opt_command *cmd, const struct opt_list *stops) {
    for (size_t i = 0; stops && i < stops->n; i++) {
        static const struct condition duration = {"duration", 1000, offsetof(struct feed, stop_ms)};
        if (!condition_take(stops->item[i], &duration, 1, f))
            return opt_bad_use(cmd, "-a %s: it is duration:SECONDS", stops->item[i]);
    }
    return OPT_GO;
}
