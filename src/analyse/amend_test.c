/* SPDX-License-Identifier: Apache-2.0 */
/* Fields set anew: lengths, checksums and later segments follow; damaged packets do no harm. */
#undef NDEBUG
#include "analyse/amend.h"
#include "base/check.h"
#include "proto/icmp/checksum.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t out[AMEND_PACKET_MAX];
static struct capture_interface raw = {.linktype = 101, .ticks = 1000000000};

/* A PUBLISH of QoS 1, "a/b" = "21.5", from 10.0.0.1:40000 to 10.0.0.9:1883; checksums are not right yet. */
static const uint8_t publish[] = {0x45, 0, 0,    53,   0,    1,    0, 0, 64,  6,   0,   0, 10, 0,   0,    1,    10, 0,
                                  0,    9, 0x9c, 0x40, 0x07, 0x5b, 0, 0, 1,   0,   0,   0, 2,  0,   0x50, 0x18, 1,  0,
                                  0,    0, 0,    0,    0x32, 11,   0, 3, 'a', '/', 'b', 0, 7,  '2', '1',  '.',  '5'};

static struct field_index names;

static struct amend edits(const char *const *text, size_t n) {
    struct amend a = amend_make();
    char buf[300];
    for (size_t i = 0; i < n; i++) {
        struct writer why = wr_fixed(buf, sizeof buf);
        assert(amend_add(&a, &names, slice_str(text[i]), &why) == OK);
    }
    return a;
}

static size_t one(struct dissector *ds, struct amend *a, const uint8_t *bytes, size_t n) {
    static uint64_t number;
    number++;
    struct packet p = {.number = number,
                       .ts = (int64_t)number,
                       .has_ts = true,
                       .len = (uint32_t)n,
                       .data = slice_of(bytes, n),
                       .iface = &raw};
    return amend_packet(a, dissector_packet(ds, &p), p.data, out);
}

static bool sums_fit(size_t n) {
    uint64_t pseudo = checksum_add(0, slice_of(out + 12, 8)) + 6 + (n - 20);
    return !checksum_fold(checksum_add(0, slice_of(out, 20))) &&
           !checksum_fold(checksum_add(pseudo, slice_of(out + 20, n - 20)));
}

static void grows(struct dissector *ds) {
    static const char *const text[] = {"mqtt.topic=a/much/longer/topic", "ip.dst=192.0.2.7", "mqtt.qos=2",
                                       "mqtt.msg=hot"};
    struct amend a = edits(text, 4);
    uint8_t later[40];
    size_t n = one(ds, &a, publish, sizeof publish);
    assert(n == sizeof publish + 15 && load_be16(out + 2) == n && sums_fit(n) && out[16] == 192 && out[40] == 0x34 &&
           out[41] == 26);
    assert(load_be16(out + 42) == 19 && !memcmp(out + 44, "a/much/longer/topic", 19) && !memcmp(out + n - 3, "hot", 3));
    memcpy(later, publish, sizeof later);
    later[3] = 40;
    later[27] = 13; /* seq 0x100 + 13 */
    n = one(ds, &a, later, sizeof later);
    assert(n == 40 && load_be32(out + 24) == 0x100 + 13 + 15 && sums_fit(n));
    amend_free(&a);
    SAYS("a longer topic moves lengths, checksums and the numbers of the segments behind it");
}

static void refuses(void) {
    static const char *const bad[] = {"ip.dst",    "ip.nope=1", "ip.dst=1.2.3", "tcp.seq=5",
                                      "tcp.len=1", "ip.ttl=x",  "frame.time=1"};
    char buf[300];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct amend a = amend_make();
        struct writer why = wr_fixed(buf, sizeof buf);
        assert(amend_add(&a, &names, slice_str(bad[i]), &why) != OK && wr_len(&why));
        amend_free(&a);
    }
    SAYS("what is no field, no value, or computed is refused with a sentence");
}

static void damaged(struct dissector *ds) {
    static const char *const text[] = {"mqtt.topic=long long long long long topic",
                                       "ip.addr=1.2.3.4",
                                       "mqtt.clientid=y",
                                       "dns.qry.name=b.example",
                                       "tcp.port=1",
                                       "ip.ttl=1"};
    struct amend a = edits(text, 6);
    srand(3);
    for (int i = 0; i < 30000; i++) {
        size_t n = (size_t)rand() % (sizeof publish + 1);
        uint8_t *exact = malloc(n + 1);
        memcpy(exact, publish, n);
        for (int k = rand() % 4; k-- > 0 && n;) exact[(size_t)rand() % n] = (uint8_t)rand();
        (void)one(ds, &a, exact, n);
        free(exact);
    }
    amend_free(&a);
    SAYS("damaged packets are edited where they can be");
}

int main(void) {
    struct dissector ds;
    static struct want all;
    want_all(&all);
    assert(!field_index_make(&names, &weir_fields) && !dissector_make(&ds, &all));
    grows(&ds);
    refuses();
    damaged(&ds);
    dissector_free(&ds);
    field_index_free(&names);
    return 0;
}
