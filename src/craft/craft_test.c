/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: what they stand for, what is refused, and that the readers' checksum rule holds for what is written. */
#undef NDEBUG
#include "base/check.h"
#include "craft/craft.h"
#include "proto/icmp/checksum.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static char why_text[1024];

static struct craft *make(const char *text) {
    struct writer why = wr_fixed(why_text, sizeof why_text - 1);
    struct craft *c;
    int rc = craft_make(&c, text, NULL, &why);
    *why.p = 0;
    if (rc) fprintf(stderr, "%s\n", why_text);
    assert(!rc == !!c);
    return c;
}

static struct slice packet(struct craft *c, uint64_t i) {
    struct writer why = wr_fixed(why_text, sizeof why_text - 1);
    struct slice s;
    assert(craft_packet(c, i, &s, &why) == OK);
    return s;
}

static void checksums(void) {
    struct craft *c = make("IP(src='10.0.0.1',dst='10.0.0.2')/UDP(sport=1,dport=2)/'odd'");
    struct slice s = packet(c, 0);
    assert(s.n == 31 && checksum_fold(checksum_add(0, slice_head(s, 20))) == 0);
    uint64_t sum = checksum_add(0, slice_of(s.p + 12, 8)) + 17 + 11;
    assert(checksum_fold(checksum_add(sum, slice_tail(s, 20))) == 0);
    craft_free(c);
    SAYS("checksums of IP and UDP come out as zero when summed with what they cover");
}

static void counting(void) {
    struct craft *c = make("IP(src='1.1.1.1',dst='10.0.0.0/30')/TCP(dport=[80,(1000,1002)],ttl=None)");
    assert(!c);
    SAYS("a field of another layer is refused");
    c = make("IP(src='1.1.1.1',dst='10.0.0.0/30')/TCP(dport=[80,(1000,1002)])");
    assert(craft_count(c) == 16);
    assert(load_be16(packet(c, 0).p + 22) == 80 && load_be16(packet(c, 3).p + 22) == 1002 && packet(c, 3).p[19] == 0 &&
           packet(c, 4).p[19] == 1);
    craft_free(c);
    SAYS("lists, ranges and networks multiply, the first one slowest");
    assert(!make("IP(dst='0.0.0.0/0')") && !make("IP(dst='10.0.0.0/8')/UDP(dport=[1,2])"));
    SAYS("too many packets are refused before one is made");
}

static void refused(void) {
    static const char *const bad[] = {"",
                                      "IP(",
                                      "IP()/",
                                      "IP(ttl=256)",
                                      "IP(ttl=-1)",
                                      "IP(dst='x')",
                                      "IP(dst=\"1.2.3.4)",
                                      "Nope()",
                                      "IP(nope=1)",
                                      "IP(ttl=1,ttl=2)",
                                      "IP() UDP()",
                                      "12",
                                      "IP(ttl=[])",
                                      "Raw('x'*9999999)",
                                      "IP(ttl=0x)",
                                      "IP(ttl=1e)",
                                      "DNSQR()",
                                      "IP(ttl=[[[[[[[[[[[[[[[[[[[[1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert(!make(bad[i]));
    SAYS("what is no expression is refused with a sentence");
    struct craft *c = make("IP()/IP()/Raw('x'*65535)");
    struct writer why = wr_fixed(why_text, sizeof why_text);
    struct slice s;
    assert(craft_packet(c, 0, &s, &why) == ERR_LIMIT);
    craft_free(c);
    SAYS("a packet that is too large is refused");
}

/* Expressions cut and damaged anywhere: nothing but an answer or a refusal. */
static void damaged(void) {
    static const char text[] =
        "Ether()/IP(dst='10.0.0.1-3')/TCP(flags='SA',options=[('MSS',1),('NOP',None),('Timestamp',(1,2))])/"
        "DNS(qd=DNSQR(qname='a.b')/DNSQR(),an=DNSRR())/MQTT(len=3)/b'\\x00'";
    char copy[sizeof text];
    for (size_t at = 0; at < sizeof text - 1; at++)
        for (int how = 0; how < 8; how++) {
            struct writer why = wr_fixed(why_text, sizeof why_text);
            struct craft *c;
            struct slice s;
            memcpy(copy, text, sizeof text);
            copy[at] = how ? "()[,'0\xff"[how - 1] : 0;
            if (craft_make(&c, copy, NULL, &why) == OK && craft_packet(c, craft_count(c) - 1, &s, &why) == OK)
                assert(s.n <= CRAFT_BYTES_MAX);
            craft_free(c);
        }
    SAYS("damaged expressions end in a packet or a sentence");
}

int main(void) {
    checksums();
    counting();
    refused();
    damaged();
    return 0;
}
