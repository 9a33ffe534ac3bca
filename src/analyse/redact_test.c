/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "analyse/redact.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const struct capture_interface raw = {.linktype = 101, .ticks = 1000000};

/* map redacts a packet from one IPv4 address to another and returns what the first became. */
static uint32_t map(const struct redact *r, struct dissector *ds, uint32_t addr) {
    uint8_t was[28] = {0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17}, now[28];
    for (int i = 0; i < 4; i++) was[12 + i] = was[16 + i] = (uint8_t)(addr >> (24 - 8 * i));
    was[25] = 8;
    struct packet p = {
        .number = 1, .has_ts = true, .len = sizeof was, .data = slice_of(was, sizeof was), .iface = &raw};
    memcpy(now, was, sizeof now);
    redact_packet(r, dissector_packet(ds, &p), now);
    assert(memcmp(now + 12, now + 16, 4) == 0);
    return load_be32(now + 12);
}

static int common_prefix(uint32_t a, uint32_t b) { return a == b ? 32 : __builtin_clz(a ^ b); }

int main(void) {
    struct redact r = {.what = REDACT_ADDRESSES, .secret = redact_key(SLICE("test"))};
    struct want want = {0};
    struct dissector *ds = calloc(1, sizeof *ds);
    redact_want(&r, &want);
    assert(ds && dissector_make(ds, &want) == OK);
    const uint32_t addrs[] = {0x0a000001, 0x0a000002, 0x0a0000ff, 0x0a010001,
                              0x0b000001, 0xc0a80001, 0xc0a80102, 0x08080808};
    enum { N = sizeof addrs / sizeof *addrs };
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            assert(common_prefix(addrs[i], addrs[j]) == common_prefix(map(&r, ds, addrs[i]), map(&r, ds, addrs[j])));
    puts("ok addresses keep the length of their common prefix");
    const uint32_t kept[] = {0x7f000001, 0xe0000001, 0xffffffff, 0};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) assert(map(&r, ds, kept[i]) == kept[i]);
    puts("ok loopback, multicast, broadcast and unspecified addresses stay");
    r.secret = redact_key(SLICE("other"));
    assert(map(&r, ds, addrs[7]) != map(&(struct redact){REDACT_ADDRESSES, redact_key(SLICE("test"))}, ds, addrs[7]));
    puts("ok another key gives other addresses");
    unsigned what;
    assert(redact_parse("all", &what) && what == REDACT_ALL);
    assert(redact_parse("topics,clients", &what) && what == (REDACT_TOPICS | REDACT_CLIENTS));
    assert(!redact_parse("", &what) && !redact_parse("topic", &what) && !redact_parse("all,alles", &what));
    puts("ok what is to be replaced is named by words");
    dissector_free(ds);
    free(ds);
    return 0;
}
