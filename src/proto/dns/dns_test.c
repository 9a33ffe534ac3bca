/* SPDX-License-Identifier: Apache-2.0 */
/* Names with pointers, records that end too early, and what hostile messages may cost. */
#include "proto/protos.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int failed;
#define CHECK(sentence, ok)                                                                                            \
    do {                                                                                                               \
        bool ok_ = (ok);                                                                                               \
        failed += !ok_;                                                                                                \
        printf("%s %s\n", ok_ ? "ok  " : "FAIL", sentence);                                                            \
    } while (0)

static struct want everything;
static struct fvec out;
static struct arena arena;
static const struct decode_ops ops;
static struct packet packet = {.number = 1};

/* read_message decodes a copy of the bytes of exactly their size, so that a sanitizer sees every overrun. */
static void read_message(const void *bytes, size_t n, bool stream, struct read_result *result) {
    static uint8_t *copy;
    static struct decode d;
    free(copy);
    copy = malloc(n ? n : 1);
    if (!copy) abort();
    memcpy(copy, bytes, n);
    arena_reset(&arena);
    fvec_start(&out, slice_of(copy, n));
    d = (struct decode){.out = &out, .arena = &arena, .ops = &ops, .pkt = &packet};
    if (stream) *result = proto_dns.stream->read(&d, NULL, 0, slice_of(copy, n));
    else proto_dns.read(&d, slice_of(copy, n));
}

static void read_query(const char *question, size_t n) {
    uint8_t bytes[600] = {0x12, 0x34, 0x01, 0x00, 0, 1};
    memcpy(bytes + 12, question, n);
    read_message(bytes, 12 + n, false, NULL);
}

static void read_answer(const char *record, size_t n) {
    uint8_t bytes[600] = {0x12, 0x34, 0x81, 0x80, 0, 0, 0, 1};
    memcpy(bytes + 12, record, n);
    read_message(bytes, 12 + n, false, NULL);
}
#define QUERY(lit) read_query(lit, sizeof(lit) - 1)
#define ANSWER(lit) read_answer(lit, sizeof(lit) - 1)

static bool says(uint16_t id, const char *text) {
    const struct fval *f = fv_first(&out, id, 0, out.n);
    return f && slice_eq(f->s, slice_str(text));
}
static bool has(uint16_t id) { return fv_first(&out, id, 0, out.n) != NULL; }

static bool info_is(const char *text) {
    char buf[300];
    struct writer w = wr_fixed(buf, sizeof buf);
    proto_dns.info(&w, &out, 0, out.n);
    return slice_eq(wr_done(&w), slice_str(text));
}

static void names(void) {
    QUERY("\7example\3com\0\0\1\0\1");
    CHECK("a question's name has dots between its labels", says(FID_DNS_QRY_NAME, "example.com") && !out.bad);
    CHECK("the Info column names type and name", info_is("Standard query 0x1234 A example.com"));
    QUERY("\0\0\2\0\1");
    CHECK("the empty name is the root", says(FID_DNS_QRY_NAME, "<Root>"));
    QUERY("\xc0\x0c\0\1\0\1");
    CHECK("a pointer to itself is a loop, and reading goes on behind it",
          says(FID_DNS_QRY_NAME, "<Name contains a pointer that loops>") && !out.bad && has(FID_DNS_QRY_TYPE));
    QUERY("\1a\xc0\x0c\0\1\0\1");
    CHECK("a pointer back into its own name is a loop", says(FID_DNS_QRY_NAME, "<Name contains a pointer that loops>"));
    QUERY("\1a\xc3\xff\0\1\0\1");
    CHECK("a pointer out of the message is malformed", out.bad && !has(FID_DNS_QRY_NAME));
    QUERY("\100a\0\0\1\0\1");
    CHECK("a label longer than 63 bytes is malformed", out.bad && !has(FID_DNS_QRY_NAME));
    QUERY("\77a");
    CHECK("a label that the message cuts is malformed", out.bad);
    QUERY("\3www\xc0");
    CHECK("half a pointer is malformed", out.bad);
    char longest[300] = {0};
    for (int i = 0; i < 4; i++) {
        longest[i * 64] = 63;
        memset(longest + i * 64 + 1, 'a' + i, 63);
    }
    memcpy(longest + 256, "\0\0\1\0\1", 5);
    read_query(longest, 261);
    CHECK("a name of 255 characters is too long, and its end is found",
          says(FID_DNS_QRY_NAME, "<Name too long>") && has(FID_DNS_QRY_TYPE));
}

static void records(void) {
    ANSWER("\1a\0\0\1\0\1\0\0\0\1\0\4\1\2\3\4");
    CHECK("an address record shows its address",
          has(FID_DNS_A) && fv_first(&out, FID_DNS_A, 0, out.n)->u == 0x01020304);
    CHECK("without a table of questions no answer is called unsolicited", !has(FID_DNS_UNSOLICITED));
    CHECK("the Info column shows the address", info_is("Standard query response 0x1234 A 1.2.3.4"));
    ANSWER("\1a\0\0\1\0\1\0\0\0\1\0\4\1\2\3");
    CHECK("a record that the message cuts shows no field but its type in the Info column",
          out.bad && !has(FID_DNS_RESP_NAME) && info_is("Standard query response 0x1234 A"));
    ANSWER("\1a\0\0\34\0\1\0\0\0\1\0\3\1\2\3");
    CHECK("an IPv6 address of three bytes is malformed", out.bad && !has(FID_DNS_AAAA) && has(FID_DNS_RESP_LEN));
    ANSWER("\1a\0\0\20\0\1\0\0\0\1\0\3\7ab");
    CHECK("a text longer than its record is malformed", out.bad && !has(FID_DNS_TXT));
    ANSWER("\1a\0\0\20\0\1\200\0\0\1\0\3\2ab");
    CHECK("a time to live with the top bit set is an anomaly, and decoding goes on",
          !out.bad && has(FID_DNS_TTL_HIGH_BIT_SET) && says(FID_DNS_TXT, "ab"));
    ANSWER("\1a\0\xff\xf0\0\1\0\0\0\1\0\2ab");
    CHECK("data of an unknown type is shown as bytes", has(FID_DNS_UNDECODED_TYPE) && says(FID_DNS_DATA, "ab"));
    ANSWER("\1a\0\0\1\0\1\0\0\0\1\0\4\1\2\3\4rest");
    CHECK("bytes behind the last record are shown", says(FID_DNS_EXTRANEOUS_DATA, "rest"));
    read_message("\1\2\3", 3, false, NULL);
    CHECK("a header of three bytes is malformed", out.bad);
}

static void streams(void) {
    struct read_result r;
    read_message("\0", 1, true, &r);
    CHECK("one byte of a stream asks for more", r.status == READ_MORE && !out.n);
    read_message("\0\21\1\2", 4, true, &r);
    CHECK("part of a message asks for all of it", r.status == READ_MORE && r.needed == 19 && !out.n);
    read_message("\0\21\x12\x34\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1more", 23, true, &r);
    CHECK("a whole message is taken and no more", r.status == READ_OK && r.consumed == 19 && has(FID_DNS_LENGTH));
    read_message("\0\0more", 6, true, &r);
    CHECK("an empty message is malformed but leaves the framing", r.status == READ_OK && r.consumed == 2 && out.bad);
}

static bool recognised(const char *bytes, size_t n) {
    return proto_dns.recognises(slice_of((const void *)bytes, n), KNOWN_NOT);
}
#define RECOGNISED(lit) recognised(lit, sizeof(lit) - 1)
#define ASKED "\x12\x34\1\0\0\1\0\0\0\0\0"

static void any_port(void) {
    CHECK("a question for a host is known by its bytes", RECOGNISED(ASKED "\0\3www\2eu\0\0\1\0\1"));
    CHECK("so is one with an OPT record", RECOGNISED(ASKED "\1\3www\2eu\0\0\1\0\1\0\0\x29\4\xd0\0\0\0\0\0\0"));
    CHECK("one with bytes behind it is none", !RECOGNISED(ASKED "\0\3www\2eu\0\0\1\0\1more"));
    CHECK("one that ends in its name is none", !RECOGNISED(ASKED "\0\3www\2e"));
    CHECK("no host has such a name", !RECOGNISED(ASKED "\0\3w\1w\2eu\0\0\1\0\1"));
    CHECK("there is no such class", !RECOGNISED(ASKED "\0\3www\2eu\0\0\1\0\x10"));
    CHECK("zeros are no question", !RECOGNISED("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"));
}

/* A message of 64 KiB in which thousands of names point into one long chain of labels. */
static void hostile(void) {
    enum { SIZE = 65000 };
    static uint8_t bytes[SIZE] = {0, 1, 0x81, 0x80, 0, 0, 0xff, 0xff};
    size_t at = 12, chain = SIZE / 2;
    while (at + 12 < chain) {
        static const uint8_t record[12] = {0xc0 | (SIZE / 2 >> 8 & 0x3f), SIZE / 2 & 255, 0, 99, 0, 1};
        memcpy(bytes + at, record, sizeof record);
        at += sizeof record;
    }
    for (at = chain; at + 2 < SIZE; at += 2) bytes[at] = 1, bytes[at + 1] = 'x';
    bytes[SIZE - 2] = 0xc0 | 0x3f;
    clock_t start = clock();
    read_message(bytes, SIZE, false, NULL);
    CHECK("names that point into a long chain cost no more than the message allows",
          (double)(clock() - start) / CLOCKS_PER_SEC < 0.5);
}

int main(void) {
    want_all(&everything);
    fvec_make(&out, &everything);
    arena = arena_make(4 << 20);
    names();
    records();
    streams();
    any_port();
    hostile();
    arena_free(&arena);
    fvec_free(&out);
    return failed != 0;
}
