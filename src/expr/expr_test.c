/* SPDX-License-Identifier: Apache-2.0 */
/* Filters asked of a packet made here: what matches, what does not, what is refused, and where. */
#undef NDEBUG
#include "base/check.h"
#include "expr/expr.h"
#include "proto/fields.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static struct field_index names;
static struct want all;
static struct fvec v;

static const uint8_t frame[] =
    "\x00\x09\x6b\x88\xf5\xc9\x00\x12\x34\x56\x78\x9a\x08\x00"                                    /* 0: Ethernet */
    "\x45\x00\x00\x2c\x00\x00\x00\x00\x40\x06\x00\x00\x0a\x00\x00\x05\xc0\xa8\x01\x02"            /* 14: IPv4 */
    "\xcf\x08\x07\x5b\x00\x00\x00\x01\x00\x00\x00\x01\x50\x18\x20\x00\x00\x00\x00\x00\x30\x02hi"; /* 34: TCP, 54 */

/* packet_make lists the fields of a segment from 10.0.0.5:53000 to 192.168.1.2:1883 with two MQTT messages. */
static void packet_make(void) {
    static const uint8_t ipv6[] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    want_all(&all);
    fvec_make(&v, &all);
    fvec_start(&v, slice_of(frame, sizeof frame - 1));
    fv_add(&v, FID_FRAME, 0, sizeof frame - 1);
    fv_i(&v, FID_FRAME_TIME, 0, 0, 1041342931300000000);
    fv_i(&v, FID_FRAME_TIME_DELTA, 0, 0, 700000000);
    fv_u(&v, FID_FRAME_LEN, 0, 0, sizeof frame - 1);
    fv_add(&v, FID_ETH, 0, 14);
    fv_s(&v, FID_ETH_DST, 0, 6, slice_of(frame, 6));
    fv_s(&v, FID_ETH_SRC, 6, 6, slice_of(frame + 6, 6));
    fv_add(&v, FID_IP, 14, 20);
    fv_u(&v, FID_IP_SRC, 26, 4, 0x0a000005);
    fv_u(&v, FID_IP_ADDR, 26, 4, 0x0a000005);
    fv_u(&v, FID_IP_ADDR, 30, 4, 0xc0a80102);
    v.layer = 2;
    fv_u(&v, FID_IP_ADDR, 30, 4, 0x08080808);
    v.layer = 1;
    fv_s(&v, FID_IPV6_SRC, 0, 0, slice_of(ipv6, sizeof ipv6));
    fv_add(&v, FID_TCP, 34, 20);
    fv_u(&v, FID_TCP_SRCPORT, 34, 2, 53000);
    fv_u(&v, FID_TCP_PORT, 34, 2, 53000);
    fv_u(&v, FID_TCP_PORT, 36, 2, 1883);
    fv_u(&v, FID_TCP_FLAGS, 46, 2, 0x18);
    fv_u(&v, FID_TCP_FLAGS_PUSH, 46, 2, 1);
    fv_u(&v, FID_TCP_ACK_RAW, 0, 0, 4267575889);
    for (int i = 0; i < 2; i++) {
        fv_add(&v, FID_MQTT, 54, 4);
        fv_u(&v, FID_MQTT_MSGTYPE, 54, 1, 3);
        fv_s(&v, FID_MQTT_TOPIC, 0, 0, i ? SLICE("Kitchen/temp") : SLICE("hall/door"));
    }
}

static int compile(const char *text, struct expr **e, struct expr_error *why) {
    return expr_compile(e, slice_str(text), &names, why);
}

static enum expr_guess there(void *to, uint16_t id) {
    (void)to;
    return fv_first(&v, id, 0, v.n) ? EXPR_YES : EXPR_NO;
}

static bool matches(const char *text) {
    struct expr_error why;
    struct expr *e = NULL;
    int rc = compile(text, &e, &why);
    if (rc) printf("refused: %s: %s\n", text, why.message);
    assert(rc == OK);
    bool yes = expr_match(e, &v);
    enum expr_guess guess = expr_guess(e, there, NULL);
    if (guess != EXPR_MAYBE && (guess == EXPR_YES) != yes) printf("guessed wrong: %s\n", text);
    assert(guess == EXPR_MAYBE || (guess == EXPR_YES) == yes);
    expr_free(e);
    return yes;
}

static enum expr_guess guess_of(const char *text) {
    struct expr_error why;
    struct expr *e = NULL;
    assert(compile(text, &e, &why) == OK);
    enum expr_guess guess = expr_guess(e, there, NULL);
    expr_free(e);
    return guess;
}

static void guesses(void) {
    assert(guess_of("") == EXPR_YES && guess_of("mqtt") == EXPR_YES && guess_of("dns") == EXPR_NO);
    assert(guess_of("mqtt && !dns || udp") == EXPR_YES && guess_of("!(mqtt || dns)") == EXPR_NO);
    assert(guess_of("dns.qry.name == \"a\"") == EXPR_NO && guess_of("dns.id != 1") == EXPR_NO);
    assert(guess_of("!(dns.id == 1)") == EXPR_YES && guess_of("count(dns.id) > 1") == EXPR_NO);
    assert(guess_of("tcp.port == 1") == EXPR_MAYBE && guess_of("tcp.port == 1 && dns.id == 1") == EXPR_NO);
    assert(guess_of("mqtt.topic contains \"hall\" || mqtt") == EXPR_YES);
    assert(guess_of("dns.id == tcp.port") == EXPR_NO && guess_of("tcp.port in {1, dns.id}") == EXPR_MAYBE);
    assert(guess_of("mqtt[0] == 30") == EXPR_MAYBE && guess_of("ip#2") == EXPR_MAYBE);
    assert(guess_of("max(dns.id, tcp.port) > 1") == EXPR_MAYBE && guess_of("_ws.expert") == EXPR_MAYBE);
    SAYS("what is known of a packet's fields decides a filter or leaves it open, and is never wrong");
}

static void list_check(const char *const *list, bool wanted) {
    for (; *list; list++) {
        if (matches(*list) == wanted) continue;
        printf("%s: should %smatch\n", *list, wanted ? "" : "not ");
        assert(0);
    }
}
#define HOLD(...) list_check((const char *const[]){__VA_ARGS__, NULL}, true)
#define FAIL(...) list_check((const char *const[]){__VA_ARGS__, NULL}, false)

static void quantifiers(void) {
    HOLD("tcp.port == 1883", "tcp.port eq 53000", "any tcp.port > 2000", "all tcp.port > 1000", "tcp.port ~= 1883",
         "tcp.port !== 1883", "any tcp.port != 1883", "not tcp.port == 80", "tcp.port != 80", "mqtt.msgtype === 3");
    FAIL("tcp.port != 1883", "tcp.port ne 53000", "all tcp.port > 2000", "tcp.port === 1883", "tcp.port == 80",
         "mqtt.msgtype !== 3");
    SAYS("a comparison asks for any value, != for all of them, and any and all say it");
    FAIL("http.host == \"a\"", "http.host != \"a\"", "http", "count(http.host) == 0", "tcp.port / 0 == 1",
         "max(http.content_length) > 0");
    HOLD("!(http.host == \"a\")", "tcp.port / 0 != 1", "max(http.content_length, 5) == 5");
    SAYS("nothing holds of a field that is not there");
}

static void logic(void) {
    HOLD("", "ip and tcp", "ip && !udp", "udp or tcp", "udp or udp and udp or tcp", "not udp and tcp", "!(udp and tcp)",
         "not not tcp", "tcp.srcport > 1000 and tcp.srcport < 60000", "(ip)and(tcp)",
         "tcp.srcport == tcp.srcport == tcp.srcport");
    FAIL("udp", "not tcp", "not tcp or udp", "tcp and udp", "not udp and not tcp");
    SAYS("and binds tighter than or, not tighter than both");
}

static void numbers(void) {
    HOLD("tcp.port == 0x75b", "tcp.port == 03533", "tcp.port == 0b11101011011", "tcp.flags & 0x08",
         "tcp.flags & 0x0f == 8", "tcp.port + 1 == 1884", "tcp.port == 1880 + 3", "tcp.port == {2 + 1} * 627 + 2",
         "tcp.port % 1000 == 883", "tcp.port - 2000 < 0", "-tcp.port == -1883", "tcp.port in {80, 1880 .. 1890}",
         "tcp.port not in {80, 81}", "tcp.flags.push == True", "tcp.flags.push == 1", "tcp.flags.push == set",
         "mqtt.msgtype == \"Publish Message\"", "mqtt.msgtype == \"publish message\"", "abs(tcp.port - 2000) == 117",
         "tcp.port in {1 .. tcp.srcport}", "tcp.srcport in {5, tcp.port}", "max(tcp.port) == 53000",
         "min(tcp.port, 7) == 7", "max(tcp.port) - min(tcp.port) == 51117", "tcp.srcport == +53000",
         "tcp.port == '\\t' or tcp", "all tcp.port in {1000 .. 60000}");
    FAIL("tcp.flags & 4", "tcp.port == -1", "tcp.port > -1", "tcp.port in {90 .. 80}", "tcp.ack_raw * 2 > 0",
         "all tcp.port in {1883, 53000}", "tcp.flags.push == False");
    SAYS("numbers: bases, calculations within 32 bits, names, sets");
}

static void texts(void) {
    HOLD("mqtt.topic == \"hall/door\"", "mqtt.topic contains \"chen\"", "mqtt.topic matches \"^kit.*P$\"",
         "mqtt.topic ~ r\"\\w/t\"", "lower(mqtt.topic) == \"kitchen/temp\"", "lower(mqtt.topic) contains \"kit\"",
         "upper(mqtt.topic) matches \"(?-i)^HALL\"", "mqtt.topic[0:4] == \"hall\"", "mqtt.topic[0] == 'K'",
         "mqtt.topic[-4:] == \"temp\"", "mqtt.topic[0,-1] == \"hr\"", "len(mqtt.topic) == 12", "mqtt.topic > \"h\"",
         "mqtt.topic in {\"a\", \"hall/door\"}", "mqtt.topic == \"\\x68all\\057door\"",
         "mqtt.topic[0:4] == 68:61:6c:6c", "string(tcp.port) contains \"88\"", "string(ip.src) == \"10.0.0.5\"",
         "count(mqtt.topic) == 2", "frame[1000] == \"\"");
    FAIL("mqtt.topic contains \"CHEN\"", "mqtt.topic matches \"(?-i)KIT\"", "mqtt.topic == \"hall\"",
         "mqtt.topic contains \"\"", "mqtt.topic[50]", "mqtt.topic[0:50] contains \"h\"",
         "lower(mqtt.topic) contains \"K\"");
    SAYS("texts: contains tells cases apart and matches does not; parts that are not there are empty");
}

static void bytes(void) {
    HOLD("eth.dst == 00:09:6b:88:f5:c9", "eth.dst == 00-09-6b-88-f5-c9", "eth.dst == 0009.6b88.f5c9",
         "eth.dst == 00096b88f5c9", "eth.dst[0:3] == 00:09:6b", "eth.dst contains 6b:88", "eth contains \"hi\"",
         "eth[12:2] == 08:00", "len(eth) == 14", "tcp[13] & 8", "tcp[13] == 18", "tcp contains \"hi\"",
         "frame[-2:] == \"hi\"", "frame[0-5] == eth.dst", "ip[12:4] == ip.src", "ip.src == ip[12:4]",
         "frame[12:2] & ff:00 == 08:00", "frame contains 'h'", "mqtt[0] == 30", "frame[1] == 9");
    FAIL("eth[14]", "tcp[0:21]", "eth.dst == 00:09:6b:88:f5:ca", "mqtt contains 20:00", "frame[0:2] & 00:f0");
    SAYS("bytes: a header's slice ends with the header, a search goes on into what it carries");
}

static void addresses(void) {
    HOLD("ip.src == 10.0.0.5", "ip.src == 10.0.0.0/8", "ip.addr == 192.168.0.0/16", "ip.src > 9.0.0.0",
         "ip.src in {10.0.0.1 .. 10.0.0.9}", "ip.src & 255.0.0.0 == 10.0.0.0", "ipv6.src == 2001:db8::1",
         "ipv6.src == 2001:db8::/32", "ipv6.src == 2001:d00::/24", "ip.src[0] == 0a", "ip.addr#2 == 8.8.8.8",
         "ip.addr#[-1] == 8.8.8.8", "ip.addr#1 == 10.0.0.5", "ip.addr#[1-2] == 10.0.0.5");
    FAIL("ip.src == 10.1.0.0/16", "ip.src != 10.0.0.0/8", "ipv6.src == 2001:db9::/32", "ip.addr#1 == 8.8.8.8",
         "ip.addr#3", "ip.src < 10.0.0.0/24");
    SAYS("addresses: prefixes, ranges, layers");
}

static void times(void) {
    HOLD("frame.time == \"2002-12-31 13:55:31.3Z\"", "frame.time == \"Dec 31, 2002 13:55:31.3 UTC\"",
         "frame.time == \"2002-12-31T14:55:31.3+01:00\"", "frame.time > \"2002-12-31 13:55 UTC\"",
         "frame.time > \"2002-12-30\"", "frame.time > 2002-12-30", "frame.time_delta == 0.7",
         "frame.time_delta + 0.3 == 1", "frame.time_delta in {-20 .. 0.75}", "-frame.time_delta < 0");
    FAIL("frame.time_delta in {-20 .. -0.7}", "frame.time < \"2002-12-31 13:55:31Z\"");
    SAYS("times: points with and without a zone, and spans");
}

static void refused(const char *text, size_t at, size_t len, const char *words) {
    struct expr_error why;
    struct expr *e = NULL;
    int rc = compile(text, &e, &why);
    bool right = rc == ERR_USAGE && why.at == at && why.len == len && strstr(why.message, words);
    if (!right) printf("%s: %d, %zu+%zu: %s\n", text, rc, why.at, why.len, rc ? why.message : "");
    assert(right && !e);
}

static void refusals(void) {
    struct expr_error why;
    struct expr *e = NULL;
    refused("tcp.port = 80", 9, 1, "==");
    refused("ip and tcp.prot == 80", 7, 8, "tcp.prot");
    assert(compile("mqtt.topik == 1", &e, &why) && why.near_count && strcmp(why.near[0], "mqtt.topic") == 0);
    SAYS("a misspelt field is answered with the place and the nearest name");
    refused("tcp.port == 65536", 12, 5, "too big");
    refused("tcp.port == http", 12, 4, "compare");
    refused("tcp.port == \"http\"", 12, 6, "quotes");
    refused("mqtt.msgtype == \"Publish\"", 16, 9, "names");
    refused("ip.src == example.org", 10, 11, "looked up");
    refused("ip.src == 10.0.0.0/33", 10, 11, "32");
    refused("eth.src == 00:12", 11, 5, "bytes");
    refused("tcp.port contains 80", 0, 8, "contains");
    refused("tcp.flags[0] == 1", 0, 9, "bytes");
    refused("http.host + 1 == 2", 0, 9, "'+'");
    refused("frame.time == \"2002-12-31 13:55.3\"", 14, 20, "second");
    refused("tcp.analysis.retransmission == 1", 0, 27, "label");
    refused("len(tcp.port)", 0, 13, "function");
    refused("frame matches \"(\"", 14, 3, "regular expression");
    refused("icmp.type == \"Redirect\"", 13, 10, "quotes");
    refused("tcp.flags.syn == true", 17, 4, "boolean");
    refused("tcp.flags.syn == -1", 18, 1, "boolean");
    refused("eth.src contains \"a\"", 17, 3, "quotes");
    refused("tcp.port == '\\n'", 12, 4, "line break");
    refused("frame.time_delta > 1s", 19, 2, "time span");
    SAYS("values of the wrong type are refused where they stand");
    refused("max(1, tcp.port) == 2", 4, 1, "begins");
    refused("max(tcp.port, \"1\") == 2", 14, 3, "quoted");
    refused("max(tcp.port, tcp.seq) == 2", 14, 7, "width");
    refused("len(tcp.port) in {2}", 0, 13, "field");
    refused("len(lower(http.host)) == 2", 4, 16, "field");
    refused("tcp.port in {1+1}", 14, 1, "}");
    refused("tcp.payload contains {1}", 21, 1, "value");
    refused("http.host == a:z", 13, 3, "colons");
    SAYS("functions, sets and searches take what they take in Wireshark 4.0");
    refused("1 + tcp.port == 2", 0, 1, "left");
    refused("123 in {ip}", 0, 3, "set");
    refused("(tcp.port + 1) == 2", 15, 2, "{ }");
    refused("ip xor tcp", 3, 3, "xor");
    refused("tcp.port == 80)", 14, 1, "(");
    refused("(ip", 3, 1, ")");
    refused("tcp.port in {}", 13, 1, "value");
    refused("mqtt.topic == \"a", 14, 2, "quote");
    refused("mqtt.topic == \"\\q\"", 15, 2, "escape");
    refused("frame[2-1]", 6, 3, "behind");
    refused("upper(tcp.seq) == 4", 6, 7, "string");
    refused("foo(tcp.seq) == 4", 0, 3, "function");
    SAYS("what is no filter is refused where it ends to be one");
}

static void limits(void) {
    static char text[EXPR_TEXT_MAX + 16];
    struct expr_error why;
    struct expr *e = NULL;
    memset(text, '(', 5000);
    assert(compile(text, &e, &why) == ERR_USAGE && strstr(why.message, "levels"));
    memset(text, '!', 5000);
    assert(compile(text, &e, &why) == ERR_USAGE);
    memset(text, ' ', EXPR_TEXT_MAX + 1);
    assert(compile(text, &e, &why) == ERR_LIMIT);
    size_t n = 0;
    memset(text, 0, sizeof text);
    while (n < 60000) n += (size_t)sprintf(text + n, "%stcp.port == %zu", n ? " or " : "", n % 1000);
    assert(compile(text, &e, &why) == OK && !expr_match(e, &v));
    expr_free(e);
    SAYS("depth and length have limits; thousands of tests in a row are fine");
}

/* topic_matches asks a packet whose only field is a topic of n bytes: "ab" again and again, then a "c". */
static bool topic_matches(const char *text, size_t n, bool *unsure) {
    char *topic = malloc(n + 1);
    struct expr_error why;
    struct expr *e = NULL;
    struct fvec one;
    assert(topic && compile(text, &e, &why) == OK);
    for (size_t i = 0; i < n; i++) topic[i] = "ab"[i & 1];
    topic[n] = 'c';
    fvec_make(&one, &all);
    fvec_start(&one, slice_of(frame, sizeof frame - 1));
    for (int i = 0; i < 1000; i++) fv_s(&one, FID_MQTT_TOPIC, 0, 0, slice_of(topic, n + 1));
    bool yes = expr_ask(e, &one, unsure);
    assert(expr_unsure(e) == *unsure);
    fvec_free(&one);
    expr_free(e);
    free(topic);
    return yes;
}

static void long_texts(void) {
    static const char *const same[] = {"^(a|b)+c$", "^(?:ab)+c$", "^([ab]b?)*c", "^(.b)*c"};
    char text[64];
    bool unsure;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        snprintf(text, sizeof text, "mqtt.topic matches \"%s\"", same[i]);
        for (size_t n = 10; n < 200000; n *= 10) assert(topic_matches(text, n, &unsure) && !unsure);
    }
    SAYS("a pattern that repeats over a long text is found in it");
    assert(!topic_matches("mqtt.topic matches \"((a|b)+)+d?$\" and mqtt.topic matches \"x\"", 2000, &unsure));
    assert(!topic_matches("mqtt.topic matches \"((.*)*)*d$\" or mqtt.topic matches \"((a|b)*)*cc$\"", 2000, &unsure));
    assert(unsure);
    SAYS("a search that would not end is given up, and that is told");
}

int main(void) {
    if (field_index_make(&names, &weir_fields)) return 1;
    packet_make();
    quantifiers();
    logic();
    numbers();
    texts();
    guesses();
    bytes();
    addresses();
    times();
    refusals();
    limits();
    long_texts();
    fvec_free(&v);
    field_index_free(&names);
    return 0;
}
