/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/dissect.h"

#include "base/err.h"

int dissector_make(struct dissector *ds, const struct want *want) {
    ds->times = (struct frame_times){0};
    return driver_make(&ds->driver, want);
}

void dissector_free(struct dissector *ds) { driver_free(&ds->driver); }

const struct decode *dissector_packet(struct dissector *ds, const struct packet *p) {
    driver_begin(&ds->driver, p);
    frame_begin(&ds->driver.d, &ds->times);
    driver_layers(&ds->driver);
    frame_end(&ds->driver.d);
    if (p->has_ts) {
        __int128 at = packet_moment(p);
        if (!ds->times.has_first) ds->times.first = at;
        ds->times.has_first = true;
        ds->times.previous = at;
    }
    return &ds->driver.d;
}

void dissector_shown(struct dissector *ds) {
    if (!ds->driver.d.pkt->has_ts) return;
    ds->times.displayed = packet_moment(ds->driver.d.pkt);
    ds->times.has_displayed = true;
}
