/* SPDX-License-Identifier: Apache-2.0 */
/* What answers what, and that bytes from outside are nothing but an answer or none. */
#undef NDEBUG
#include "base/check.h"
#include "craft/answers.h"
#include "craft/craft.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { RAW = 101 };

static struct talk_packet made(const char *text) {
    static struct craft *c;
    char buf[256];
    struct writer why = wr_fixed(buf, sizeof buf);
    struct slice s;
    struct talk_packet t;
    craft_free(c);
    assert(craft_make(&c, text, NULL, &why) == OK && craft_packet(c, 0, &s, &why) == OK);
    assert(talk_read(&t, craft_linktype(c) < 0 ? RAW : (uint32_t)craft_linktype(c), s));
    return t;
}

static uint64_t numbers;

static void sent(struct answers *a, const char *text, bool many) {
    struct answers_open lost;
    struct talk_packet t = made(text);
    numbers++;
    assert(!answers_sent(a, numbers, 1000 * (int64_t)numbers, &t, many, &lost));
}

/* answered gives the number of the packet that was answered, 0: none; +100 for an error, +1000 when it was before. */
static uint64_t answered(struct answers *a, const char *text) {
    struct talk_packet t = made(text);
    struct answer r;
    if (!answers_take(a, 1000000, &t, &r)) return 0;
    return r.number + (r.error ? 100 : 0) + (r.again ? 1000 : 0);
}

static struct answers *fresh(void) {
    numbers = 0;
    struct answers *a = answers_make();
    assert(a);
    return a;
}

#define HERE "IP(src='10.0.0.1',dst='10.0.0.9')"
#define BACK "IP(src='10.0.0.9',dst='10.0.0.1')"

static void echo(void) {
    struct answers *a = fresh();
    sent(a, HERE "/ICMP(id=7,seq=1)", false);
    sent(a, HERE "/ICMP(id=7,seq=2)", false);
    assert(answered(a, BACK "/ICMP(type=0,id=7,seq=3)") == 0 && answered(a, HERE "/ICMP(type=0,id=7,seq=1)") == 0 &&
           answered(a, BACK "/ICMP(type=8,id=7,seq=1)") == 0);
    assert(answered(a, BACK "/ICMP(type=0,id=7,seq=2)") == 2 && answered(a, BACK "/ICMP(type=0,id=7,seq=2)") == 1002);
    assert(answered(a, "IP(src='10.9.9.9',dst='10.0.0.1')/ICMP(type=11)/" HERE "/ICMP(id=7,seq=1)") == 101);
    answers_free(a);
    SAYS("an echo is answered by its identifier and number, and by the error that quotes it");
}

static void tcp(void) {
    struct answers *a = fresh();
    sent(a, HERE "/TCP(sport=5,dport=80,seq=100)", false);
    sent(a, HERE "/TCP(sport=5,dport=81,seq=100,ack=900,flags='A')", false);
    assert(answered(a, BACK "/TCP(sport=80,dport=5,flags='SA',ack=99)") == 0);
    assert(answered(a, BACK "/TCP(sport=80,dport=5,flags='SA',ack=102)") == 0);
    assert(answered(a, BACK "/TCP(sport=80,dport=6,flags='SA',ack=101)") == 0);
    assert(answered(a, BACK "/TCP(sport=80,dport=5,flags='SA',ack=101)") == 1);
    assert(answered(a, BACK "/TCP(sport=81,dport=5,flags='R',seq=901)") == 0);
    assert(answered(a, BACK "/TCP(sport=81,dport=5,flags='R',seq=900)") == 2);
    answers_free(a);
    SAYS("TCP is answered by what its acknowledgment says, and by the reset that takes up ours");
}

static void udp_and_dns(void) {
    struct answers *a = fresh();
    sent(a, HERE "/UDP(sport=9,dport=53)/DNS(id=1,qd='a.example')", false);
    sent(a, HERE "/UDP(sport=9,dport=53)/DNS(id=2,qd='a.example')", false);
    sent(a, HERE "/UDP(sport=9,dport=7)/'x'", false);
    assert(answered(a, BACK "/UDP(sport=53,dport=9)/DNS(id=3,qr=1)") == 0 &&
           answered(a, BACK "/UDP(sport=53,dport=9)/DNS(id=1,qr=0)") == 0);
    assert(answered(a, BACK "/UDP(sport=53,dport=9)/DNS(id=1,qr=1)") == 1);
    assert(answered(a, "IP(src='10.0.0.77',dst='10.0.0.1')/ICMP(type=3,code=3)/" HERE "/UDP(sport=9,dport=7)") == 103);
    assert(answered(a, BACK "/UDP(sport=53,dport=9)/DNS(id=2,qr=1)") == 2 && answers_waiting(a) == 0);
    answers_free(a);
    SAYS("UDP is answered by its ports, DNS by its transaction");
}

static void links(void) {
    struct answers *a = fresh();
    sent(a, "Ether()/ARP(psrc='10.0.0.1',pdst='10.0.0.9')", true);
    sent(a, "IPv6(src='fe80::1')/ICMPv6ND_NS(tgt='fe80::9')", true);
    sent(a, "IP(src='10.0.0.1',dst='10.0.0.255')/ICMP(id=1,seq=1)", true);
    assert(answered(a, "Ether()/ARP(op=2,psrc='10.0.0.8',pdst='10.0.0.1')") == 0 &&
           answered(a, "Ether()/ARP(op=2,psrc='10.0.0.9',pdst='10.0.0.1')") == 1);
    assert(answered(a, "IPv6(src='fe80::9',dst='fe80::1')/ICMPv6ND_NA(tgt='fe80::9')") == 2);
    assert(answered(a, "IP(src='10.0.0.3',dst='10.0.0.1')/ICMP(type=0,id=1,seq=1)") == 3);
    assert(answered(a, "IP(src='10.0.0.4',dst='10.0.0.1')/ICMP(type=0,id=1,seq=1)") == 1003);
    answers_free(a);
    SAYS("questions to many are answered by anybody");
}

static void expiry(void) {
    struct answers *a = fresh();
    struct answers_open lost;
    for (int i = 0; i < 5000; i++) sent(a, HERE "/ICMP(id=7,seq=9)", false); /* the same packet: one long chain */
    assert(answers_waiting(a) == 5000 && answered(a, BACK "/ICMP(type=0,id=7,seq=9)") == 5000);
    for (uint64_t i = 1; i <= 3000; i++)
        assert(answers_expire(a, 3000 * 1000 + 1, &lost) && lost.number == i && lost.to[3] == 9);
    assert(!answers_expire(a, 3000 * 1000 + 1, &lost) && answers_waiting(a) == 1999);
    answers_free(a);
    SAYS("what is not answered in time comes out in the order it was sent");
}

static void garbage(void) {
    struct answers *a = fresh();
    uint8_t bytes[128];
    struct talk_packet t;
    struct answer r;
    sent(a, HERE "/TCP(sport=5,dport=80,seq=100)", false);
    srand(1);
    for (int i = 0; i < 300000; i++) {
        size_t n = (size_t)rand() % sizeof bytes;
        uint8_t *exact = malloc(n + 1); /* so that a read behind the end is seen */
        static const uint32_t links[] = {1, 101, 113, 276, 12, 9999};
        for (size_t k = 0; k < n; k++) bytes[k] = (uint8_t)rand();
        if (n) bytes[0] = (uint8_t)(i & 1 ? 0x45 : 0x60);
        memcpy(exact, bytes, n);
        if (talk_read(&t, links[i % 6], slice_of(exact, n))) (void)answers_take(a, 1, &t, &r);
        free(exact);
    }
    answers_free(a);
    SAYS("garbage answers nothing and breaks nothing");
}

int main(void) {
    echo();
    tcp();
    udp_and_dns();
    links();
    expiry();
    garbage();
    return 0;
}
