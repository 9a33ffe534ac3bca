/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: packets through all their layers, with fragments, conversations and streams put together.
 *
 * Input: one byte, the link type's place in `links`; then packets, each with two bytes of length before it. */
#include "fuzz_fields.h"

#include "analyse/dissect.h"

/* make-seeds knows this list. */
static const uint32_t links[] = {1, 113, 276, 0, 108, 101, 9, 228, 229, 50, 51, 12, 105, 147, 10};

enum { CUT_BYTES = 7, MS = 1000 * 1000 };

/* infos_write writes the Info texts of all layers, as the summary line does. */
static void infos_write(const struct decode *d) {
    char text[512];
    for (uint8_t i = 0; i < d->layers; i++) {
        struct writer w = wr_fixed(text, sizeof text);
        uint32_t end = i + 1 < d->layers ? d->layer[i + 1].at : d->out->n;
        const struct proto *p = d->layer[i].proto;
        FUZZ_CHECK(d->layer[i].at <= end);
        FUZZ_CHECK(end <= d->out->n);
        if (p->info) p->info(&w, d->out, d->layer[i].at, end);
    }
}

/* packet_decode hands the dissector a copy without a byte of room behind it. */
static void packet_decode(struct dissector *ds, struct packet *p, struct slice bytes) {
    uint8_t *copy = malloc(bytes.n ? bytes.n : 1);
    if (!copy) abort();
    if (bytes.n) memcpy(copy, bytes.p, bytes.n);
    p->number++;
    p->ts += MS;
    p->data = slice_of(copy, bytes.n);
    p->len = (uint32_t)bytes.n + (bytes.n % CUT_BYTES == 0); /* now and then the capture has cut it */
    const struct decode *d = dissector_packet(ds, p);
    fuzz_fields(d->out, 0);
    infos_write(d);
    dissector_shown(ds);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct want want;
    static struct dissector ds;
    struct capture_interface iface = {.ticks = 1000000};
    struct packet p = {.iface = &iface, .has_ts = true, .ts = 1700000000000000000};
    struct reader r = rd_init(slice_of(data, size), data);
    iface.linktype = links[rd_u8(&r) % (sizeof links / sizeof *links)];
    want_all(&want);
    memset(&ds, 0, sizeof ds);
    if (dissector_make(&ds, &want) != OK) abort();
    while (rd_left(&r) >= 2) {
        size_t n = rd_be16(&r);
        packet_decode(&ds, &p, rd_take(&r, n < rd_left(&r) ? n : rd_left(&r)));
    }
    dissector_free(&ds);
    return 0;
}
