/* SPDX-License-Identifier: Apache-2.0 */
/* The live capture on a device that is made up: a handle of libpcap that is none of an interface, with packets and
 * counters of our own. */
#include "io/capture/live.h"

#include "base/check.h"
#include "io/capture/libpcap.h"

#include <stdio.h>
#include <stdlib.h>

enum { DROPPED_EACH = 199 }; /* for every packet that comes */

static uint64_t given;

static pcap_t *create(const char *device, char *error) {
    (void)device, (void)error;
    return libpcap.open_dead(DLT_EN10MB, 64);
}
static int activate(pcap_t *p) { return (void)p, 0; }
static int setnonblock(pcap_t *p, int on, char *error) { return (void)p, (void)on, (void)error, 0; }

static int next_ex(pcap_t *p, struct pcap_pkthdr **head, const u_char **bytes) {
    static struct pcap_pkthdr h = {.caplen = 4, .len = 60};
    static const u_char frame[4];
    (void)p;
    given++;
    *head = &h;
    *bytes = frame;
    return 1;
}

static int stats(pcap_t *p, struct pcap_stat *s) {
    (void)p;
    *s = (struct pcap_stat){.ps_recv = (u_int)(given * (1 + DROPPED_EACH)), .ps_drop = (u_int)(given * DROPPED_EACH)};
    return 0;
}

static void counts_do_not_wrap_round(void) {
    enum { PACKETS = 50000000 }; /* ten thousand million with those that are dropped */
    struct live_config config = {.device = "made up"};
    struct writer why = wr_grow();
    struct live *l;
    struct packet p = {0};
    struct live_counts c;
    CHECK(live_open(&l, &config, &why) == OK);
    while (p.number < PACKETS) CHECK(live_next(l, &p, 0) == OK && p.data.n == 4 && p.len == 60);
    CHECK(live_counts(l, &c) == OK && c.received == (uint64_t)PACKETS * (1 + DROPPED_EACH));
    CHECK(c.dropped == (uint64_t)PACKETS * DROPPED_EACH && c.dropped_by_interface == 0);
    SAYS("packets are counted beyond the 32 bits of libpcap's counters");
    live_close(l);
    wr_free(&why);
}

int main(void) {
    struct writer why = wr_grow();
    if (!libpcap_load(&why)) return 77; /* skipped */
    wr_free(&why);
    libpcap.create = create;
    libpcap.activate = activate;
    libpcap.setnonblock = setnonblock;
    libpcap.next_ex = next_ex;
    libpcap.stats = stats;
    counts_do_not_wrap_round();
    return 0;
}
