/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the MQTT decoder and writers. */
#include "proto/mqtt/mqtt_write.h"
#include "proto/proto_test.h"
#include "proto/protos.h"

static const struct stream_ops *ops;

/* feed reads all packets of the bytes from a side and returns the last status; the fields stay in the bench. */
static enum read_status feed(struct bench *b, struct mqtt_conv *c, int from, struct slice bytes) {
    enum read_status status = READ_MORE;
    bench_start(b, bytes);
    while (bytes.n) {
        struct read_result r = ops->read(&b->d, c, from, bytes);
        status = r.status;
        if (status != READ_OK) break;
        CHECK(r.consumed && r.consumed <= bytes.n, "a packet that was read has a length");
        bytes = slice_tail(bytes, r.consumed);
    }
    return status;
}

static enum read_status feed_hex(struct bench *b, struct mqtt_conv *c, int from, const char *hex) {
    /* The bytes of the last call stay while their fields are looked at. */
    static struct slice last;
    free((void *)last.p);
    last = unhex(hex);
    return feed(b, c, from, last);
}

static unsigned anomalies(const struct bench *b) {
    unsigned n = 0;
    for (uint32_t i = 0; i < b->v.n; i++) n += field_of(b->v.v[i].id)->severity >= SEV_NOTE;
    return n;
}

#define CONNECT_311 "100f 0004 'MQTT' 04 02 003c 0003 'cid' "
#define CONNECT_31 "1011 0006 'MQIsdp' 03 02 003c 0003 'cid' "
#define CONNECT_5 "1013 0004 'MQTT' 05 02 003c 03 22 0005 0003 'cid' "
#define CONNACK_5 "2006 00 00 03 22 0005 "

static const char *const well_formed[] = {
    "1067 0004 4d515454 04 c2 003c 0019 4d5154545f46585f436c69656e745f39697579383736353535 0012 "
    "696f7466726565746573742f7468696e6730 002c "
    "595537546f76387a46572b5775614c7839733949334d4b79636c69653953474475754e6b6c366f394c586f3d",
    "3026 0014 686f6d652f67617264656e2f666f756e7461696e 31323334353637383930616263646566",
    "821f 0001 001a 686f6d652f67617264656e2f666f756e7461696e64656c657465 00",
    "a21e 0002 001a 686f6d652f67617264656e2f666f756e7461696e64656c657465",
    CONNECT_311,
    CONNECT_5,
    "2002 00 00",
    "4002 0007",
    "5002 0007",
    "6202 0007",
    "7002 0007",
    "9003 0007 01",
    "b002 0007",
    "c000",
    "d000",
    "e000",
    "f002 18 00",
};

static void prefixes(struct bench *b) {
    for (size_t i = 0; i < sizeof well_formed / sizeof *well_formed; i++) {
        struct slice whole = unhex(well_formed[i]);
        for (size_t n = 0; n < whole.n; n++) {
            struct mqtt_conv c = {0};
            uint8_t *copy = malloc(n ? n : 1);
            memcpy(copy, whole.p, n);
            struct slice part = slice_of(copy, n);
            bench_start(b, part);
            struct read_result r = ops->read(&b->d, &c, 0, part), f = ops->frame(part);
            CHECK(r.status == READ_MORE && f.status == READ_MORE, "%zu bytes of vector %zu are not enough", n, i);
            CHECK(r.needed == 0 || (r.needed > n && r.needed <= whole.n), "what is needed is more, and not too much");
            CHECK(b->v.n == 0, "an unfinished packet adds no fields");
            free(copy);
        }
        struct mqtt_conv c = {.version = i == 16 ? MQTT_5 : MQTT_311};
        CHECK(feed(b, &c, 0, whole) == READ_OK && !b->v.bad, "vector %zu is read", i);
        CHECK(anomalies(b) <= (i == 6 || i == 11 || i == 12 || i == 14), "vector %zu is well-formed", i);
        free((void *)whole.p);
    }
}

static void vectors(struct bench *b) {
    struct mqtt_conv c = {0};
    CHECK(feed_hex(b, &c, 0, well_formed[0]) == READ_OK, "the CONNECT is read");
    CHECK(bench_says(b, FID_MQTT_CLIENTID, 0, "MQTT_FX_Client_9iuy876555"), "it names the client");
    CHECK(bench_says(b, FID_MQTT_USERNAME, 0, "iotfreetest/thing0"), "it names the user");
    CHECK(bench_says(b, FID_MQTT_PASSWD, 0, "YU7Tov8zFW+WuaLx9s9I3MKyclie9SGDuuNkl6o9LXo="), "it has a password");
    CHECK(!bench_find(b, FID_MQTT_WILLMSG, 0), "flags c2 mean no will");
    CHECK(anomalies(b) == 0, "it is in order");
    const struct fval *name = bench_find(b, FID_MQTT_CLIENTID, 0);
    CHECK(name && name->off == 14 && name->len == 25, "the client identifier has its place");
    feed_hex(b, &c, 0, well_formed[1]);
    CHECK(bench_is(b, FID_MQTT_LEN, 0, 38) && bench_says(b, FID_MQTT_TOPIC, 0, "home/garden/fountain"),
          "PUBLISH is read");
    CHECK(bench_says(b, FID_MQTT_MSG, 0, "1234567890abcdef"), "its payload is read");
    feed_hex(b, &c, 0, well_formed[2]);
    CHECK(bench_is(b, FID_MQTT_MSGID, 0, 1) && bench_is(b, FID_MQTT_SUB_QOS, 0, 0), "SUBSCRIBE is read");
    feed_hex(b, &c, 0, well_formed[3]);
    CHECK(bench_says(b, FID_MQTT_TOPIC, 0, "home/garden/fountaindelete") && !bench_find(b, FID_MQTT_SUB_QOS, 0),
          "UNSUBSCRIBE is read");
}

static void versions(struct bench *b) {
    struct mqtt_conv c = {0};
    feed_hex(b, &c, 0, CONNECT_5);
    CHECK(c.version == MQTT_5 && c.client == 1, "CONNECT says version and client");
    CHECK(bench_is(b, FID_MQTT_PROPERTY_LEN, 0, 3) && bench_is(b, FID_MQTT_PROP_NUMBER, 0, 5),
          "its properties are read");
    feed_hex(b, &c, 0, "3006 0003 'a/b' 00");
    const struct fval *msg = bench_find(b, FID_MQTT_MSG, 0);
    CHECK(msg && msg->s.n == 0 && msg->len == 0, "an empty payload of 5.0 has no bytes");
    CHECK(bench_find(b, FID_MQTT_PROPERTIES, 0), "the 0 is the length of the properties");
    c = (struct mqtt_conv){0};
    feed_hex(b, &c, 0, CONNECT_31);
    CHECK(c.version == MQTT_31 && anomalies(b) == 0, "3.1 is in order");
    feed_hex(b, &c, 0, "8a06 0001 0001 'a' 01");
    CHECK(bench_is(b, FID_MQTT_DUPFLAG, 0, 1) && anomalies(b) == 0, "3.1 may repeat a SUBSCRIBE");
    c = (struct mqtt_conv){0};
    feed_hex(b, &c, 0, "3006 0003 'a/b' 00 3005 0003 'a/b'");
    CHECK(c.guess == MQTT_UNKNOWN && bench_find(b, FID_MQTT_UNKNOWN_VERSION, 1), "a lone 0 is no proof of 5.0");
    feed_hex(b, &c, 0, "300d 0003 'a/b' 00 'payload'");
    CHECK(c.guess == MQTT_5 && bench_says(b, FID_MQTT_MSG, 0, "payload"), "a 0 before text is");
    c = (struct mqtt_conv){0};
    feed_hex(b, &c, 0, "300e 0003 'a/b' '{\"v\": 12}'");
    CHECK(c.guess == MQTT_UNKNOWN && bench_says(b, FID_MQTT_MSG, 0, "{\"v\": 12}"), "JSON is no properties");
}

static void aliases(struct bench *b) {
    struct mqtt_kept kept;
    struct mqtt_conv *c = &kept.conv;
    mqtt_kept_start(&kept);
    feed_hex(b, c, 0, CONNECT_5);
    feed_hex(b, c, 1, CONNACK_5);
    feed_hex(b, c, 0, "300b 0003 'a/b' 03 23 0001 'xy'");
    CHECK(anomalies(b) == 0, "an alias is set");
    feed_hex(b, c, 0, "3008 0000 03 23 0001 'xy'");
    CHECK(bench_says(b, FID_MQTT_TOPIC, 0, "a/b") && anomalies(b) == 0, "it stands for its topic");
    const struct fval *topic = bench_find(b, FID_MQTT_TOPIC, 0);
    CHECK(topic && topic->len == 0 && topic->flags & FV_GENERATED, "the topic is computed");
    feed_hex(b, c, 1, "3008 0000 03 23 0001 'xy'");
    CHECK(bench_find(b, FID_MQTT_UNKNOWN_TOPIC_ALIAS, 0), "the other direction does not know it");
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t name[500];
        memset(name, 'a' + (int)(i % 26), sizeof name);
        size_t n = 1 + i * 7 % (MQTT_ALIAS_BYTES + 10);
        mqtt_alias_set(c, (int)(i & 1), (uint16_t)i, slice_of(name, n));
        struct slice got = mqtt_alias_get(c, (int)(i & 1), (uint16_t)i);
        CHECK(n + 5 > MQTT_ALIAS_BYTES ? got.n == 0 : slice_eq(got, slice_of(name, n)), "the last alias is known");
        CHECK(kept.used <= MQTT_ALIAS_BYTES, "aliases stay in their room");
    }
    feed_hex(b, c, 0, "3008 0000 03 23 0001 'xy'");
    CHECK(!bench_find(b, FID_MQTT_UNKNOWN_TOPIC_ALIAS, 0), "what had to be forgotten is not held against the sender");
    mqtt_kept_end(&kept);
}

/* Every anomaly, once. */
static const struct {
    uint16_t id;
    const char *before; /* from the client */
    const char *back;   /* then from the server */
    int from;
    const char *hex;
} wrong[] = {
    {FID_MQTT_UNKNOWN_VERSION, NULL, NULL, 0, "c000"},
    {FID_MQTT_ILLEGAL_TOPIC_LENGTH, CONNECT_311, NULL, 0, "3003 0000 'x'"},
    {FID_MQTT_ILLEGAL_TOPIC_LENGTH, CONNECT_5, NULL, 0, "3004 0000 00 'x'"},
    {FID_MQTT_ILLEGAL_TOPIC_LENGTH, CONNECT_311, NULL, 0, "8205 0001 0000 01"},
    {FID_MQTT_UNKNOWN_TOPIC_ALIAS, CONNECT_5, NULL, 0, "3007 0000 03 23 0001 'x'"},
    {FID_MQTT_A_TYPE, CONNECT_311, NULL, 0, "0000"},
    {FID_MQTT_A_TYPE, CONNECT_311, NULL, 0, "f000"},
    {FID_MQTT_A_FLAGS, CONNECT_311, NULL, 0, "8006 0001 0001 'a' 00"},
    {FID_MQTT_A_FLAGS, CONNECT_311, NULL, 0, "c100"},
    {FID_MQTT_A_FLAGS, CONNECT_31, NULL, 0, "8006 0001 0001 'a' 00"},
    {FID_MQTT_A_LENGTH, CONNECT_311, NULL, 0, "308400 0001 'a' 'x'"},
    {FID_MQTT_A_LENGTH, CONNECT_5, NULL, 0, "3006 0001 'a' 8000 'x'"},
    {FID_MQTT_A_LENGTH_BAD, CONNECT_311, NULL, 0, "30ffffffff01"},
    {FID_MQTT_A_TRAILING, CONNECT_311, NULL, 0, "c001 00"},
    {FID_MQTT_A_TRAILING, NULL, NULL, 0, "1011 0004 'MQTT' 04 02 003c 0003 'cid' 0000"},
    {FID_MQTT_A_QOS, CONNECT_311, NULL, 0, "3606 0001 'a' 0001 'x'"},
    {FID_MQTT_A_DUP, CONNECT_311, NULL, 0, "3804 0001 'a' 'x'"},
    {FID_MQTT_A_PACKET_ID, CONNECT_311, NULL, 0, "4002 0000"},
    {FID_MQTT_A_UTF8, CONNECT_311, NULL, 0, "3005 0003 'a' c080"},
    {FID_MQTT_A_UTF8, CONNECT_311, NULL, 0, "3005 0003 eda080"},
    {FID_MQTT_A_NUL, CONNECT_311, NULL, 0, "3005 0003 'a' 00 'b'"},
    {FID_MQTT_A_CONTROL, CONNECT_311, NULL, 0, "3005 0003 'a' 07 'b'"},
    {FID_MQTT_A_TOPIC_WILDCARD, CONNECT_311, NULL, 0, "3005 0003 'a/#'"},
    {FID_MQTT_A_TOPIC_WILDCARD, CONNECT_5, NULL, 0, "300a 0001 'a' 06 08 0003 'a/+'"},
    {FID_MQTT_A_FILTER_HASH, CONNECT_311, NULL, 0, "820a 0001 0005 'a/#/b' 00"},
    {FID_MQTT_A_FILTER_HASH, CONNECT_311, NULL, 0, "8208 0001 0003 'a/#' 00 8209 0001 0004 'a/b#' 00"},
    {FID_MQTT_A_FILTER_PLUS, CONNECT_311, NULL, 0, "820a 0001 0005 'a/b+/' 00"},
    {FID_MQTT_A_SHARE, CONNECT_5, NULL, 0, "820e 0001 00 0008 '$share/g' 00"},
    {FID_MQTT_A_SHARE, CONNECT_5, NULL, 0, "8211 0001 00 000b '$share/g+/a' 00"},
    {FID_MQTT_A_SHARE_NO_LOCAL, CONNECT_5, NULL, 0, "8210 0001 00 000a '$share/g/a' 04"},
    {FID_MQTT_A_PROTOCOL_NAME, NULL, NULL, 0, "100f 0004 'MQTX' 04 02 003c 0003 'cid'"},
    {FID_MQTT_A_PROTOCOL_LEVEL, NULL, NULL, 0, "100f 0004 'MQTT' 06 02 003c 0003 'cid'"},
    {FID_MQTT_A_PROTOCOL_LEVEL, NULL, NULL, 0, "100f 0004 'MQTT' 03 02 003c 0003 'cid'"},
    {FID_MQTT_A_CONNECT_FLAG, NULL, NULL, 0, "100f 0004 'MQTT' 04 03 003c 0003 'cid'"},
    {FID_MQTT_A_WILL_QOS, NULL, NULL, 0, "1014 0004 'MQTT' 04 1e 003c 0003 'cid' 0001 'w' 0000"},
    {FID_MQTT_A_WILL_FLAGS, NULL, NULL, 0, "100f 0004 'MQTT' 04 22 003c 0003 'cid'"},
    {FID_MQTT_A_PASSWORD, NULL, NULL, 0, "1012 0004 'MQTT' 04 42 003c 0003 'cid' 0001 'p'"},
    {FID_MQTT_A_CLIENT_ID, NULL, NULL, 0, "100c 0004 'MQTT' 04 00 003c 0000"},
    {FID_MQTT_A_CONACK_FLAGS, CONNECT_311, NULL, 1, "2002 02 00"},
    {FID_MQTT_A_SESSION_PRESENT, CONNECT_311, NULL, 1, "2002 01 05"},
    {FID_MQTT_A_REASON, CONNECT_311, NULL, 1, "2002 00 06"},
    {FID_MQTT_A_REASON, CONNECT_5, NULL, 1, "2003 00 01 00"},
    {FID_MQTT_A_REASON, CONNECT_5, NULL, 0, "4003 0001 92"},
    {FID_MQTT_A_REASON, CONNECT_5, CONNACK_5, 1, "9004 0001 00 03"},
    {FID_MQTT_A_REASON, CONNECT_5, CONNACK_5, 1, "b004 0001 00 01"},
    {FID_MQTT_A_REASON, CONNECT_5, NULL, 0, "e001 01"},
    {FID_MQTT_A_REASON, CONNECT_5, NULL, 0, "f001 01"},
    {FID_MQTT_A_SUBACK, CONNECT_311, NULL, 1, "9003 0001 03"},
    {FID_MQTT_A_NO_FILTER, CONNECT_311, NULL, 0, "8202 0001"},
    {FID_MQTT_A_NO_FILTER, CONNECT_5, NULL, 0, "a203 0001 00"},
    {FID_MQTT_A_NO_CODE, CONNECT_311, NULL, 1, "9002 0001"},
    {FID_MQTT_A_SUBOPT, CONNECT_311, NULL, 0, "8206 0001 0001 'a' 04"},
    {FID_MQTT_A_SUBOPT, CONNECT_5, NULL, 0, "8207 0001 00 0001 'a' 40"},
    {FID_MQTT_A_SUB_QOS, CONNECT_5, NULL, 0, "8207 0001 00 0001 'a' 03"},
    {FID_MQTT_A_RETAIN_HANDLING, CONNECT_5, NULL, 0, "8207 0001 00 0001 'a' 30"},
    {FID_MQTT_A_PROP_UNKNOWN, CONNECT_5, NULL, 0, "3006 0001 'a' 02 7f 01"},
    {FID_MQTT_A_PROP_REPEATED, CONNECT_5, NULL, 0, "3008 0001 'a' 04 0101 0101"},
    {FID_MQTT_A_PROP_PLACE, CONNECT_5, NULL, 0, "3007 0001 'a' 03 21 0001"},
    {FID_MQTT_A_PROP_PLACE, NULL, NULL, 0, "1017 0004 'MQTT' 05 06 003c 00 0001 'c' 03 13 0001 0001 'w' 0000"},
    {FID_MQTT_A_PROP_VALUE, CONNECT_5, NULL, 0, "3006 0001 'a' 02 01 02"},
    {FID_MQTT_A_PROP_VALUE, NULL, NULL, 0, "1013 0004 'MQTT' 05 02 003c 03 21 0000 0003 'cid'"},
    {FID_MQTT_A_AUTH_DATA, NULL, NULL, 0, "1014 0004 'MQTT' 05 02 003c 04 16 0001 'x' 0003 'cid'"},
    {FID_MQTT_A_ALIAS_ZERO, CONNECT_5, CONNACK_5, 0, "3007 0001 'a' 03 23 0000"},
    {FID_MQTT_A_ALIAS_MAX, CONNECT_5, CONNACK_5, 0, "3007 0001 'a' 03 23 0006"},
    {FID_MQTT_A_PAYLOAD, CONNECT_5, NULL, 0, "3007 0001 'a' 02 0101 ff"},
    {FID_MQTT_A_CONNECT_FIRST, "c000", NULL, 0, CONNECT_311},
    {FID_MQTT_A_CONNECT_AGAIN, CONNECT_311, NULL, 0, CONNECT_311},
    {FID_MQTT_A_CONNACK_FIRST, CONNECT_311, NULL, 1, "3004 0001 'a' 'x'"},
    {FID_MQTT_A_CONNACK_AGAIN, CONNECT_311, "2002 00 00", 1, "2002 00 00"},
    {FID_MQTT_A_SIDE, CONNECT_311, NULL, 0, "d000"},
    {FID_MQTT_A_SIDE, CONNECT_311, "2002 00 00", 1, "e000"},
    {FID_MQTT_A_CLOSED, CONNECT_311 "e000", NULL, 0, "c000"},
    {FID_MQTT_A_AUTH_FIRST, "1014 0004 'MQTT' 05 02 003c 04 15 0001 'x' 0003 'cid'", NULL, 0, "c000"},
    {FID_MQTT_A_AUTH, CONNECT_5, CONNACK_5, 0, "f002 19 00"},
    {FID_MQTT_A_EXPIRY, CONNECT_5, CONNACK_5, 0, "e007 00 05 11 00000005"},
    {FID_MQTT_A_RECEIVE_MAX, CONNECT_5, "2006 00 00 03 21 0001", 0, "3206 0001 'a' 0001 00 3206 0001 'a' 0002 00"},
    {FID_MQTT_A_PACKET_MAX, CONNECT_5, "2008 00 00 05 27 00000008", 0, "3008 0001 'a' 00 'abcd'"},
    {FID_MQTT_A_NO_RETAIN, CONNECT_5, "2005 00 00 02 25 00", 0, "3104 0001 'a' 00"},
    {FID_MQTT_A_NO_QOS, CONNECT_5, "2005 00 00 02 24 00", 0, "3206 0001 'a' 0001 00"},
    {FID_MQTT_A_NO_WILDCARD, CONNECT_5, "2005 00 00 02 28 00", 0, "8207 0001 00 0001 '#' 00"},
    {FID_MQTT_A_NO_SUB_ID, CONNECT_5, "2005 00 00 02 29 00", 0, "8209 0001 02 0b01 0001 'a' 00"},
    {FID_MQTT_A_SUB_ID, CONNECT_5, CONNACK_5, 0, "3006 0001 'a' 02 0b01"},
    {FID_MQTT_A_NO_SHARED, CONNECT_5, "2005 00 00 02 2a 00", 0, "8210 0001 00 000a '$share/g/a' 00"},
};

static void violations(struct bench *b) {
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct mqtt_conv c = {0};
        if (wrong[i].before) feed_hex(b, &c, 0, wrong[i].before);
        if (wrong[i].back) {
            feed_hex(b, &c, 1, wrong[i].back);
            CHECK(anomalies(b) == 0, "the server's part before %s is in order", wrong[i].hex);
        }
        enum read_status status = feed_hex(b, &c, wrong[i].from, wrong[i].hex);
        CHECK(status == (wrong[i].id == FID_MQTT_A_LENGTH_BAD ? READ_BAD : READ_OK), "%s keeps the framing",
              wrong[i].hex);
        CHECK(bench_find(b, wrong[i].id, 0), "%s is %s", wrong[i].hex, field_of(wrong[i].id)->name);
        CHECK(!b->v.bad, "%s is not malformed", wrong[i].hex);
    }
    for (uint16_t id = FID_MQTT_UNKNOWN_VERSION; id < FID_MQTT_END; id++) {
        bool tried = false;
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) tried |= wrong[i].id == id;
        CHECK(tried, "%s has its test", field_of(id)->name);
    }
}

static void malformed(struct bench *b) {
    static const char *const bodies[] = {
        "1000",
        "3001 00",
        "3003 0005 'a'",
        "3203 0001 'a'",
        "4001 00",
        "2001 00",
        "8205 0001 0001 'a'",
        "8205 0001 0009 'a'",
        "100e 0004 'MQTT' 04 c2 003c 0002 'ci'",
    };
    static const char *const bodies5[] = {
        "3003 0001 'a'",
        "3005 0001 'a' 05 'x'",
        "3006 0001 'a' 02 2300",
        "3007 0001 'a' ffffff7f",
        "3008 0001 'a' 03 03 0008 'x'",
        "9002 0001",
        "3008 0001 'a' ffffffff01",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct mqtt_conv c = {.version = MQTT_311};
        CHECK(feed_hex(b, &c, 0, bodies[i]) == READ_OK && b->v.bad, "%s is malformed", bodies[i]);
        CHECK(b->v.depth == 0, "%s leaves the tree closed", bodies[i]);
    }
    for (size_t i = 0; i < sizeof bodies5 / sizeof *bodies5; i++) {
        struct mqtt_conv c = {.version = MQTT_5};
        CHECK(feed_hex(b, &c, 0, bodies5[i]) == READ_OK && b->v.bad, "%s is malformed", bodies5[i]);
        CHECK(b->v.depth == 0, "%s leaves the tree closed", bodies5[i]);
    }
}

static void info_is(struct bench *b, const char *hex, const char *text) {
    struct mqtt_conv c = {.version = MQTT_311};
    char buf[200];
    struct writer w = wr_fixed(buf, sizeof buf);
    feed_hex(b, &c, 0, hex);
    mqtt_info(&w, &b->v, 0, b->v.n);
    CHECK(slice_eq(wr_done(&w), slice_str(text)), "Info is \"%s\", not \"%.*s\"", text, (int)wr_len(&w), buf);
}

static void infos(struct bench *b) {
    info_is(b, CONNECT_311, "Connect Command");
    info_is(b, "2002 00 00", "Connect Ack");
    info_is(b, "3006 0003 'a/b' 'x'", "Publish Message [a/b]");
    info_is(b, "3208 0003 'a/b' 0001 'x'", "Publish Message (id=1) [a/b]");
    info_is(b, "3003 0000 'x'", "Publish Message []");
    info_is(b, "820a 0001 0001 'a' 00 0001 'b' 00", "Subscribe Request (id=1) [a] [b]");
    info_is(b, "a205 0002 0001 'a'", "Unsubscribe Request (id=2)");
    info_is(b, "c000", "Ping Request");
    info_is(b, "e000", "Disconnect Req");
    info_is(b, "3006 0003 'a' 0a 'b' 'x'", "Publish Message [a\\nb]");
}

static void probes(void) {
    static const struct {
        const char *hex;
        enum probe_result result;
    } all[] = {
        {CONNECT_311, PROBE_CERTAIN},
        {CONNECT_31, PROBE_CERTAIN},
        {"3006 0003 'a/b' 'x'", PROBE_UNSURE},
        {"2002 00 00", PROBE_UNSURE},
        {"c000", PROBE_UNSURE},
        {"8206 0001 0001 'a' 00", PROBE_UNSURE},
        {"", PROBE_NO},
        {"10", PROBE_UNSURE}, /* too short to say no */
        {"'GET / HTTP/1.1'", PROBE_UNLIKELY},
        {"160301 0200 01 0001fc 0303", PROBE_UNLIKELY},
        {"100f 0004 'MQTX' 04 02", PROBE_UNLIKELY},
        {"0000", PROBE_NO},
        {"30ffffffff01", PROBE_UNLIKELY},
        {"3003 0000 'x'", PROBE_UNLIKELY},
        {"'2.0 hello world'", PROBE_UNLIKELY},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct slice s = unhex(all[i].hex);
        CHECK(ops->probe(s) == all[i].result, "%s is recognised as it should be", all[i].hex);
        free((void *)s.p);
    }
}

/* all_properties writes every property a packet type may hold. */
static struct slice all_properties(struct writer *w, uint8_t type) {
    for (uint8_t id = 0; id < MQTT_PROPERTIES; id++) {
        if (!mqtt_property_allowed(id, type)) continue;
        switch (mqtt_property_kind(id)) {
        case MQTT_K_TEXT:
        case MQTT_K_BINARY: CHECK(mqtt_put_text(w, id, SLICE("text")), "a text is written"); break;
        case MQTT_K_PAIR: CHECK(mqtt_put_pair(w, SLICE("name"), SLICE("value")), "a pair is written"); break;
        default: CHECK(mqtt_put_number(w, id, 1), "a number is written"); break;
        }
    }
    return wr_done(w);
}

static void round_trip_is(struct bench *b, struct writer *w, uint8_t version, int from, uint8_t type) {
    struct mqtt_conv c = {
        .version = version, .client = 1, .connect = type != MQTT_CONNECT, .connack = type != MQTT_CONNACK};
    c.alias_max[0] = c.alias_max[1] = 10;
    c.authenticates = c.expires = true;
    if (type == MQTT_DISCONNECT) c.client = 0; /* neither side may say all it holds here */
    CHECK(!w->err, "type %d was written", type);
    CHECK(feed(b, &c, from, wr_done(w)) == READ_OK && !b->v.bad, "type %d of version %d comes back", type, version);
    CHECK(anomalies(b) == 0, "type %d of version %d is in order", type, version);
    CHECK(bench_is(b, FID_MQTT_MSGTYPE, 0, type) && !bench_find(b, FID_MQTT_MSGTYPE, 1),
          "it is one packet of its type");
    wr_reset(w);
}

static void round_trip(struct bench *b, uint8_t version) {
    struct writer w = wr_grow(), will = wr_grow(), p[MQTT_TYPES];
    struct slice props[MQTT_TYPES];
    for (uint8_t t = 0; t < MQTT_TYPES; t++) {
        p[t] = wr_grow();
        props[t] = all_properties(&p[t], t);
    }
    struct slice will_props = all_properties(&will, MQTT_RESERVED);
    struct mqtt_connect connect = {version,
                                   MQTT_USER_NAME | MQTT_PASSWORD | MQTT_WILL | MQTT_CLEAN,
                                   60,
                                   props[MQTT_CONNECT],
                                   SLICE("me"),
                                   will_props,
                                   SLICE("will/topic"),
                                   SLICE("gone"),
                                   SLICE("user"),
                                   SLICE("word")};
    CHECK(mqtt_write_connect(&w, &connect), "CONNECT is written");
    round_trip_is(b, &w, 0, 0, MQTT_CONNECT);
    CHECK(bench_says(b, FID_MQTT_WILLMSG, 0, "gone") && bench_says(b, FID_MQTT_PASSWD, 0, "word"),
          "CONNECT comes back");
    CHECK(mqtt_write_connack(&w, &(struct mqtt_connack){version, true, 0, props[MQTT_CONNACK]}), "CONNACK is written");
    round_trip_is(b, &w, version, 1, MQTT_CONNACK);
    struct mqtt_publish publish = {version, 2, true, true, 77, SLICE("a/b"), props[MQTT_PUBLISH], SLICE("payload")};
    CHECK(mqtt_write_publish(&w, &publish), "PUBLISH is written");
    round_trip_is(b, &w, version, 1, MQTT_PUBLISH);
    CHECK(bench_is(b, FID_MQTT_MSGID, 0, 77) && bench_says(b, FID_MQTT_MSG, 0, "payload"), "PUBLISH comes back");
    for (uint8_t t = MQTT_PUBACK; t <= MQTT_PUBCOMP; t++) {
        for (int full = 0; full < 2; full++) {
            struct mqtt_ack ack = {version, t, 9, 0, full ? props[t] : (struct slice){0}};
            CHECK(mqtt_write_ack(&w, &ack), "an acknowledgement is written");
            round_trip_is(b, &w, version, 1, t);
        }
    }
    struct mqtt_filter filters[] = {{SLICE("a/#"), 0}, {SLICE("+/b"), 1}, {SLICE("$share/g/x"), 2}};
    for (uint8_t t = MQTT_SUBSCRIBE; t <= MQTT_UNSUBSCRIBE; t += 2) {
        CHECK(mqtt_write_subscribe(&w, &(struct mqtt_subscribe){version, t, 3, props[t], filters, 3}),
              "filters are written");
        round_trip_is(b, &w, version, 0, t);
        CHECK(bench_says(b, FID_MQTT_TOPIC, 2, "$share/g/x"), "filters come back");
        uint8_t ack = (uint8_t)(t + 1);
        CHECK(mqtt_write_suback(&w, &(struct mqtt_suback){version, ack, 3, props[ack], slice_of("\0\0\0", 3)}),
              "codes too");
        round_trip_is(b, &w, version, 1, ack);
    }
    CHECK(mqtt_write_ping(&w, MQTT_PINGREQ), "PINGREQ is written");
    round_trip_is(b, &w, version, 0, MQTT_PINGREQ);
    CHECK(mqtt_write_ping(&w, MQTT_PINGRESP), "PINGRESP is written");
    round_trip_is(b, &w, version, 1, MQTT_PINGRESP);
    for (uint8_t t = MQTT_DISCONNECT; t <= MQTT_AUTH; t++) {
        if (t == MQTT_AUTH && version != MQTT_5) continue;
        CHECK(mqtt_write_close(&w, &(struct mqtt_close){version, t, 0, props[t]}), "the end is written");
        round_trip_is(b, &w, version, 0, t);
    }
    wr_free(&w);
    wr_free(&will);
    for (uint8_t t = 0; t < MQTT_TYPES; t++) wr_free(&p[t]);
}

static void write_refusals(void) {
    struct writer w = wr_grow();
    static const uint8_t big[70000];
    struct slice s = slice_of(big, sizeof big);
    CHECK(!mqtt_write_publish(&w, &(struct mqtt_publish){.version = MQTT_311, .topic = s}),
          "a topic of 70000 bytes is refused");
    CHECK(!mqtt_put_text(&w, MQTT_P_CONTENT_TYPE, s), "a text of 70000 bytes is refused");
    CHECK(!mqtt_put_text(&w, MQTT_P_ALIAS, SLICE("a")), "a number is no text");
    CHECK(!mqtt_put_number(&w, MQTT_P_ALIAS, 70000), "an alias has two bytes");
    CHECK(!mqtt_put_number(&w, MQTT_P_CONTENT_TYPE, 1), "a text is no number");
    CHECK(!mqtt_put_number(&w, 0x7f, 1), "an unknown property is refused");
    CHECK(wr_len(&w) == 0, "what is refused leaves nothing");
    wr_free(&w);
}

/* fuzz reads packets with one byte changed: nothing may be read past the end (AddressSanitizer sees to it). */
static void damage(struct bench *b) {
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct slice s = unhex(wrong[i].hex);
        uint8_t *p = (uint8_t *)s.p;
        for (size_t at = 0; at < s.n; at++) {
            uint8_t was = p[at];
            for (unsigned v = 0; v < 256; v += 15) {
                p[at] = (uint8_t)v;
                for (uint8_t version = MQTT_UNKNOWN; version <= MQTT_5; version = version ? version + 1 : MQTT_31) {
                    struct mqtt_conv c = {.version = version};
                    feed(b, &c, 0, s);
                    CHECK(b->v.depth == 0, "the tree is closed");
                }
                ops->probe(s);
            }
            p[at] = was;
        }
        free(p);
    }
}

int main(void) {
    struct bench b;
    ops = proto_mqtt.stream;
    bench_make(&b);
    prefixes(&b);
    vectors(&b);
    versions(&b);
    aliases(&b);
    violations(&b);
    malformed(&b);
    infos(&b);
    probes();
    round_trip(&b, MQTT_31);
    round_trip(&b, MQTT_311);
    round_trip(&b, MQTT_5);
    write_refusals();
    damage(&b);
    bench_free(&b);
    return test_failures != 0;
}
