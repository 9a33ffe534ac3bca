/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the guard: holes attackers used in other firewalls, what must not be blocked, every action, and that the way
 * bytes are cut into pieces changes nothing. */
#include "guard/guard_test.h"
#include "proto/mqtt/mqtt_write.h"

#define C GUARD_CLIENT
#define B GUARD_BROKER

static const char secret_policy[] = "topics:\n"
                                    "  rules:\n"
                                    "    - {id: own, allow: all, to: 'dev/%c/#'}\n"
                                    "    - {id: secret, deny: all, to: ['secret/#', 'dev/#']}\n";

/* Attacks of which every byte must stay away from the broker, each as one of a session that is up. */
static void holes_in_framing(void) {
    static char big[200000];
    struct tube t;
    tube_make(&t, secret_policy);

    tube_up(&t, 4, "a");
    tube_hex(&t, C, "c000 300b 0008 'secret/x' '!'");
    CHECK(tube_got(&t, B, "c000"), "an attack behind a PINGREQ in the same segment is dropped");

    tube_again(&t);
    tube_up(&t, 4, "a");
    tube_hex(&t, C, "30");
    tube_hex(&t, C, "0b 0008 'secret/x' '!' c000");
    CHECK(tube_got(&t, B, "c000"), "an attack split behind its first byte is dropped");

    tube_again(&t);
    tube_up(&t, 4, "a");
    memset(big, 'x', sizeof big - 1);
    struct slice p = test_publish(4, 0, 0, "secret/x", big);
    tube_send(&t, C, p);
    tube_hex(&t, C, "c000");
    CHECK(tube_got(&t, B, "c000"), "an attack padded past the window is swallowed to its last byte");
    free((void *)p.p);
    tube_free(&t);
}

static void holes_in_subscriptions(void) {
    struct tube t;
    tube_make(&t, secret_policy);

    tube_up(&t, 4, "a");
    tube_hex(&t, C, "8212 0001 0003 'a/b' 00 0007 'secret/'  00");
    CHECK(tube_got(&t, B, "") && tube_got(&t, C, "9004 0001 80 80"), "the second filter of a SUBSCRIBE is judged");
    tube_hex(&t, C, "8206 0002 0001 '#' 00");
    CHECK(tube_got(&t, B, "") && tube_got(&t, C, "9003 0002 80"), "a wildcard does not smuggle a denied topic");
    tube_hex(&t, C, "820a 0003 0008 '+/+/#' 00");
    CHECK(t.closed, "a SUBSCRIBE shorter than it says is malformed");

    tube_again(&t);
    tube_up(&t, 4, "a");
    tube_hex(&t, C, "8216 0003 0011 '$share/g/secret/+' 00");
    CHECK(tube_got(&t, B, "") && tube_got(&t, C, "9003 0003 80"), "a shared subscription does not smuggle it either");
    tube_hex(&t, C, "820d 0004 0008 'dev/a/up' 01");
    CHECK(tube_got(&t, B, "820d 0004 0008 'dev/a/up' 01"), "what %%c allows is allowed");
    tube_hex(&t, C, "820d 0005 0008 'dev/b/up' 01");
    CHECK(tube_got(&t, B, "") && tube_got(&t, C, "9003 0005 80"), "what %%c allows to another client is not");
    tube_free(&t);
}

static void holes_from_broker(void) {
    struct tube t;
    tube_make(&t, secret_policy);
    tube_up(&t, 4, "a");
    tube_hex(&t, B, "300b 0008 'secret/x' '!' 3005 0003 'a/b'");
    CHECK(tube_got(&t, C, "3005 0003 'a/b'"), "what the broker sends is judged as well");
    tube_hex(&t, B, "320d 0008 'secret/x' 0007 '!'");
    CHECK(tube_got(&t, C, "") && tube_got(&t, B, "4002 0007"),
          "a delivery that is dropped is acknowledged to the broker");
    tube_free(&t);
}

static void holes_before_login(void) {
    static char big[200000];
    struct tube t;
    tube_make(&t, secret_policy);

    tube_hex(&t, C, "101d 0004 'MQTT' 04 06 003c 0001 'a' 0008 'secret/x' 0004 'gone'");
    CHECK(t.closed && tube_got(&t, B, "") && tube_got(&t, C, "2002 00 05"),
          "a will on a denied topic is refused with a CONNACK");

    tube_again(&t);
    tube_hex(&t, C, "'GET / HTTP/1.1' 0d0a0d0a");
    CHECK(t.closed && tube_got(&t, B, "") && tube_saw(&t, "mqtt.anomaly.connect_first"),
          "HTTP is refused at its first byte");

    tube_again(&t);
    memset(big, 'x', sizeof big - 1);
    struct slice p = test_publish(4, 0, 0, "a", big);
    for (size_t i = 0; i < p.n && !t.closed; i += 1000) tube_send(&t, C, slice_head(slice_tail(p, i), 1000));
    CHECK(t.closed && tube_got(&t, B, ""), "a PUBLISH before the login is refused at its first byte");
    free((void *)p.p);
    tube_free(&t);
}

static void aliases(void) {
    struct tube t;
    tube_make(&t, "topics: {rules: [{deny: publish, to: 'secret/#'}]}\npayloads: [{to: 'a', max: 3}]\n");
    tube_up(&t, 5, "a");
    tube_hex(&t, C, "3010 0008 'secret/x' 03 23 0001 '!!'");
    tube_hex(&t, C, "3008 0000 03 23 0001 '!!'");
    CHECK(tube_got(&t, B, "") && !t.closed, "an alias of a denied topic is denied");
    tube_hex(&t, C, "300b 0001 'a' 03 23 0002 'long'");
    CHECK(tube_got(&t, B, ""), "a payload that is too long is dropped with the alias it sets");
    tube_hex(&t, C, "c000 3008 0000 03 23 0002 'ok'");
    CHECK(tube_got(&t, B, "c000 3009 0001 'a' 03 23 0002 'ok'"), "the next message brings the topic along");
    tube_hex(&t, C, "3008 0000 03 23 0002 'ok'");
    CHECK(tube_got(&t, B, "3008 0000 03 23 0002 'ok'"), "and the one behind it passes as it is");
    tube_hex(&t, C, "3010 0008 'secret/x' 03 23 0002 '!!'");
    tube_hex(&t, C, "3008 0000 03 23 0002 'ok'");
    CHECK(tube_got(&t, B, ""), "an alias that was set anew does not fall back to what the broker knows");
    tube_hex(&t, C, "3008 0000 03 23 000b 'ok'");
    CHECK(t.closed && tube_saw(&t, "mqtt.anomaly.alias_maximum"), "an alias above the maximum is an anomaly");
    CHECK(tube_got(&t, C, "e001 94"), "with its reason code");
    tube_free(&t);
}

static void acknowledgements(void) {
    struct tube t;
    tube_make(&t, secret_policy);
    tube_up(&t, 4, "a");
    tube_hex(&t, C, "320d 0008 'secret/x' 0007 '!'");
    CHECK(tube_got(&t, B, "") && tube_got(&t, C, "4002 0007"), "QoS 1: PUBACK in place of the broker");
    tube_hex(&t, C, "340d 0008 'secret/x' 0008 '!'");
    CHECK(tube_got(&t, C, "5002 0008"), "QoS 2 of 3.1.1: PUBREC");
    tube_hex(&t, C, "6202 0008");
    CHECK(tube_got(&t, B, "") && tube_got(&t, C, "7002 0008"), "and PUBCOMP, and the broker hears nothing of it");
    tube_hex(&t, C, "6202 0008");
    CHECK(tube_got(&t, B, "6202 0008"), "a PUBREL of a message the guard does not know is the broker's");
    tube_hex(&t, C, "3406 0001 'a' 0009 '!'");
    tube_hex(&t, B, "5002 0009");
    tube_hex(&t, C, "6202 0009");
    tube_hex(&t, B, "7002 0009");
    CHECK(tube_got(&t, B, "3406 0001 'a' 0009 '!' 6202 0009") && tube_got(&t, C, "5002 0009 7002 0009"),
          "an allowed exchange is the broker's own");
    CHECK(!t.s.flight || t.s.flight->sent[C].count == 0, "nothing is in flight then");

    tube_again(&t);
    tube_up(&t, 5, "a");
    tube_hex(&t, C, "340e 0008 'secret/x' 0008 00 '!'");
    CHECK(tube_got(&t, C, "5003 0008 87") && tube_got(&t, B, ""), "QoS 2 of 5.0: PUBREC with the reason ends it");
    tube_hex(&t, C, "320e 0008 'secret/x' 0009 00 '!'");
    CHECK(tube_got(&t, C, "4003 0009 87"), "QoS 1 of 5.0: PUBACK with the reason");
    tube_hex(&t, C, "820e 0003 00 0008 'secret/x' 00");
    CHECK(tube_got(&t, C, "9004 0003 00 87"), "SUBACK of 5.0 with the reason");

    /* A reply must not overtake the broker's CONNACK. */
    tube_again(&t);
    tube_hex(&t, C, "100d 0004 'MQTT' 04 02 003c 0001 'a' 320d 0008 'secret/x' 0007 '!'");
    CHECK(tube_got(&t, C, "") && tube_got(&t, B, "100d 0004 'MQTT' 04 02 003c 0001 'a'"), "it waits");
    tube_hex(&t, B, "2002 00 00");
    CHECK(tube_got(&t, C, "2002 00 00 4002 0007"), "and comes behind it");
    tube_free(&t);
}

/* harmless holds what must pass with the defaults. */
static void harmless(void) {
    static const char *const payloads[] = {
        "{\"temp\":21.5,\"unit\":\"C\"}",
        "{\"from\":\"pump\",\"table\":3}",
        "{\"state\":\"ON\",\"update\":{}}",
        "{\"name\":\"Temp\",\"stat_t\":\"~/state\",\"unit_of_meas\":\"\\u00b0C\",\"val_tpl\":\"{{ value_json.t "
        "}}\",\"dev\":{\"ids\":[\"x\"]}}",
        "\x01\x02\xff\xfe binary \x80",
    };
    struct tube t;
    tube_make(&t, NULL);
    for (int version = 3; version <= 5; version++) {
        tube_again(&t);
        tube_up(&t, version, "a");
        for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
            struct slice p = test_publish(version, 0, 0, "homeassistant/sensor/x/config", payloads[i]);
            wr_reset(&t.got[B]);
            tube_send(&t, C, p);
            CHECK(slice_eq(wr_done(&t.got[B]), p), "%s passes in version %d", payloads[i], version);
            free((void *)p.p);
        }
        CHECK(!t.closed && !t.rules[0], "nothing is said about it (%s)", t.rules);
    }
    for (int i = 0; i < 50; i++) {
        tube_again(&t);
        tube_up(&t, 4, "b");
        t.now += 1000000;
    }
    CHECK(!t.closed && !t.rules[0], "logins that are right may come often");
    tube_free(&t);
}

/* guessing: refused logins lead to a ban; also by IPv6 prefix. */
static void guessing(void) {
    struct tube t;
    tube_make(&t, "limits: [{id: guess, per: address, what: refused_logins, max: 3, window: 60s, action: ban 1m}]\n");
    for (int version = 4; version <= 5; version++) {
        for (int i = 0; i < 3; i++) {
            tube_again(&t);
            tube_hex(&t, C,
                     version == 4 ? "1018 0004 'MQTT' 04 c2 003c 0001 'a' 0003 'bob' 0004 'pass'"
                                  : "1019 0004 'MQTT' 05 c2 003c 00 0001 'a' 0003 'bob' 0004 'pass'");
            tube_hex(&t, B, version == 4 ? "2002 00 04" : "2003 00 86 00");
            CHECK(!t.closed && tube_saw(&t, "!login.refused"), "a refused login is noted");
            CHECK(!strstr(t.last, "pass"), "without its password: %s", t.last);
            CHECK(strstr(t.last, "\"username\":\"bob\""), "with its user: %s", t.last);
        }
        tube_again(&t);
        tube_hex(&t, C,
                 version == 4 ? "1018 0004 'MQTT' 04 c2 003c 0001 'a' 0003 'bob' 0004 'pass'"
                              : "1019 0004 'MQTT' 05 c2 003c 00 0001 'a' 0003 'bob' 0004 'pass'");
        tube_hex(&t, B, version == 4 ? "2002 00 04" : "2003 00 86 00");
        tube_again(&t);
        CHECK(t.closed && tube_saw(&t, "bans"), "the address is banned after the fourth");
        t.now += INT64_C(70000000000);
        tube_again(&t);
        CHECK(!t.closed, "for a minute");
        t.now += INT64_C(120000000000);
    }
    struct guard_peer peer = {
        .client = {16, {0x20, 1, 0xd, 0xb8}}, .local = {16, {0}}, .client_port = 1, .local_port = 1883};
    struct guard_session s;
    struct guard_out out;
    CHECK(guard_ban_set(t.g->shared, 0, GUARD_BAN_ADDRESS, SLICE("2001:db8::/64"), SLICE("test"), t.now, INT64_MAX) ==
              0,
          "a prefix is banned");
    peer.client.bytes[15] = 9;
    CHECK(!guard_open(t.g, &s, &peer, t.now, &out) && out.close, "each of its addresses is refused");
    guard_end(t.g, &s, t.now);
    peer.client.bytes[7] = 1;
    CHECK(guard_open(t.g, &s, &peer, t.now, &out), "its neighbour is not");
    guard_end(t.g, &s, t.now);
    CHECK(guard_ban_lift(t.g->shared, 0, GUARD_BAN_ADDRESS, SLICE("2001:db8::/64"), t.now + 1) == 0,
          "the ban is lifted");
    peer.client.bytes[7] = 0;
    CHECK(guard_open(t.g, &s, &peer, t.now + 2, &out), "and they may come again");
    guard_end(t.g, &s, t.now);
    CHECK(guard_ban_set(t.g->shared, 0, GUARD_BAN_ADDRESS, SLICE("nonsense"), SLICE(""), t.now, INT64_MAX) != 0,
          "a name is no address");
    tube_free(&t);
}

static void limits(void) {
    struct tube t;
    tube_make(&t, "limits:\n"
                  "  - {id: rate, per: client, what: publishes, max: 5, window: 1s}\n"
                  "  - {id: open, per: address, what: connections, max: 2, action: drop}\n"
                  "max: {topic_depth: 3, payload: 10, filters: 2, subscriptions: 3, in_flight: 2, topic_length: 20}\n");
    tube_up(&t, 4, "a");
    for (int i = 0; i < 5; i++) tube_hex(&t, C, "3004 0001 'ax'");
    wr_reset(&t.got[B]);
    tube_hex(&t, C, "3206 0001 'a' 0001 'x'");
    CHECK(tube_got(&t, B, "") && tube_got(&t, C, "4002 0001") && tube_saw(&t, "rate"),
          "the sixth message of a second is dropped");
    t.now += INT64_C(2500000000);
    tube_hex(&t, C, "3004 0001 'ax'");
    CHECK(tube_got(&t, B, "3004 0001 'ax'"), "later ones pass");
    tube_hex(&t, C, "300a 0007 'a/b/c/d' 'x'");
    CHECK(tube_got(&t, B, "") && tube_saw(&t, "max.topic_depth"), "too many levels");
    tube_hex(&t, C, "300e 0001 'a' '01234567890'");
    CHECK(tube_got(&t, B, "") && tube_saw(&t, "max.payload"), "too much payload");
    tube_hex(&t, C, "820e 0001 0001 'a' 00 0001 'b' 00 0001 'c' 00");
    CHECK(tube_got(&t, B, "") && tube_got(&t, C, "9005 0001 80 80 80"), "too many filters");
    tube_hex(&t, C, "820a 0001 0001 'a' 00 0001 'b' 00 820a 0002 0001 'a' 00 0001 'c' 00 8206 0003 0001 'd' 00");
    CHECK(tube_got(&t, B, "820a 0001 0001 'a' 00 0001 'b' 00 820a 0002 0001 'a' 00 0001 'c' 00") &&
              tube_got(&t, C, "9003 0003 80"),
          "the fourth subscription is refused, one that is renewed is not");
    tube_hex(&t, C, "a205 0004 0001 'a' 8206 0005 0001 'd' 00");
    CHECK(tube_got(&t, B, "a205 0004 0001 'a' 8206 0005 0001 'd' 00"), "one that was given up makes room");
    struct tube *two = &t;
    struct guard_session s1, s2;
    struct guard_out out;
    CHECK(guard_open(two->g, &s1, &t.s.peer, t.now, &out), "a second connection");
    CHECK(!guard_open(two->g, &s2, &t.s.peer, t.now, &out) && out.close, "a third one is too many");
    guard_end(t.g, &s2, t.now);
    guard_end(t.g, &s1, t.now);
    CHECK(guard_open(two->g, &s1, &t.s.peer, t.now, &out), "after they went there is room");
    guard_end(t.g, &s1, t.now);
    t.now += INT64_C(2500000000);
    tube_hex(&t, C, "3206 0001 'a' 0001 'x' 3206 0001 'a' 0002 'x'");
    CHECK(!t.closed, "two in flight");
    tube_hex(&t, C, "3206 0001 'a' 0003 'x'");
    CHECK(t.closed && tube_saw(&t, "max.in_flight"), "three are too many");
    tube_free(&t);
}

static void modes(void) {
    struct tube t;
    tube_make(&t, "mode: log\ntopics: {rules: [{id: no, deny: all, to: 'secret/#'}]}\n"
                  "limits: [{id: rate, per: client, what: publishes, max: 5, window: 1s}]\n");
    tube_up(&t, 4, "a");
    struct writer all = wr_grow();
    for (int i = 0; i < 101; i++) {
        struct slice p = test_publish(4, 0, 0, i % 2 ? "secret/x" : "a", "x");
        wr_slice(&all, p);
        tube_send(&t, C, p);
        free((void *)p.p);
    }
    CHECK(!t.closed && slice_eq(wr_done(&all), wr_done(&t.got[B])), "log mode lets everything pass");
    CHECK(tube_saw(&t, "!no") && tube_saw(&t, "!rate") && strstr(t.last, "\"would_block\""),
          "and says what it would have done: %s", t.last);
    wr_reset(&t.got[B]);
    tube_hex(&t, C, "3003 0005 'a' c000");
    CHECK(!t.closed && tube_got(&t, B, "3003 0005 'a' c000"), "also malformed packets");
    tube_hex(&t, C, "30ffffffffff 'rest'");
    CHECK(!t.closed && tube_got(&t, B, "30ffffffffff 'rest'"), "and what is no MQTT any more");
    wr_free(&all);
    tube_free(&t);

    tube_make(&t, "audit: {file: x, rate: 10}\ntopics: {rules: [{deny: all, to: 'secret/#'}]}\n");
    tube_up(&t, 4, "a");
    for (int i = 0; i < 50; i++) tube_hex(&t, C, "300b 0008 'secret/x' '!'");
    CHECK(t.events == 10 && tube_got(&t, B, ""), "records of one second have a limit");
    t.now += INT64_C(1000000000);
    tube_hex(&t, C, "300b 0008 'secret/x' '!'");
    CHECK(t.events == 11, "and go on in the next");
    tube_free(&t);

    tube_make(&t, "topics:\n  rules:\n    - {id: only-log, deny: all, to: 'secret/#', mode: log}\n    - {id: all, "
                  "deny: publish, to: 'x/#'}\n");
    tube_up(&t, 4, "a");
    tube_hex(&t, C, "300b 0008 'secret/x' '!' 3006 0003 'x/y' '!'");
    CHECK(tube_got(&t, B, "300b 0008 'secret/x' '!'") && tube_saw(&t, "!only-log") && tube_saw(&t, "all"),
          "a rule can log alone");
    tube_free(&t);
}

/* answered sends a message that asks for an answer on a topic of 3 bytes, and tells whether what was expected of it
 * came true: that it reaches the broker, or that nothing does. */
static bool answered(struct tube *t, const char *topic, bool expected) {
    char hex[64];
    snprintf(hex, sizeof hex, "300b 0001 'q' 06 08 0003 '%s' '?'", topic);
    tube_hex(t, C, hex);
    return tube_got(t, B, expected ? hex : "") && !t->closed;
}

static void responses(void) {
    struct tube t;
    tube_make(
        &t,
        "topics: {rules: [{allow: [subscribe, receive], to: 'r/%c'}, {id: no, deny: publish, to: ['r/#', 'x/y']}]}\n");
    tube_up(&t, 5, "a");
    CHECK(answered(&t, "a/b", true) && answered(&t, "q/q", true),
          "an answer may be asked for where the client may publish itself");
    CHECK(answered(&t, "r/a", true) && answered(&t, "r/b", false), "a rule that lets it listen comes first");
    CHECK(answered(&t, "x/y", false) && tube_saw(&t, "no"),
          "not where it may not publish: another one would in its stead");
    CHECK(strstr(t.last, "response topic") && strstr(t.last, "x/y"), "the record says so");
    tube_free(&t);
    tube_make(&t,
              "topics: {default: deny, rules: [{allow: publish, to: q}, {allow: [subscribe, receive], to: 'r/%c'}]}\n");
    tube_up(&t, 5, "a");
    CHECK(answered(&t, "r/a", true), "or where it may listen");
    CHECK(answered(&t, "r/b", false) && answered(&t, "a/b", false),
          "and nowhere else, where nothing is allowed by default");
    tube_free(&t);
    tube_make(&t, "topics: {rules: [{id: no, deny: publish, to: 'x/y'}]}\n");
    tube_hex(&t, C, "101b 0004 'MQTT' 05 06 003c 00 0001 'a' 06 08 0003 'x/y' 0001 'w' 0001 '!'");
    CHECK(tube_got(&t, B, "") && tube_saw(&t, "no"), "a will cannot ask for it either");
    tube_free(&t);
}

static void narrowed(void) {
    struct tube t;
    tube_make(&t, "topics: {subscriptions: narrow, rules: [{id: no, deny: [subscribe, receive], to: 'secret/#'}]}\n");
    tube_up(&t, 4, "a");
    tube_hex(&t, C, "8206 0001 0001 '#' 00");
    CHECK(tube_got(&t, B, "8206 0001 0001 '#' 00"), "a subscription that is narrowed is forwarded as it is");
    tube_hex(&t, B, "300b 0008 'secret/x' '!' 3004 0001 'a' '!' 340d 0008 'secret/x' 0003 '!'");
    CHECK(tube_got(&t, C, "3004 0001 'a' '!'") && tube_got(&t, B, "5002 0003"),
          "what is denied of it is not delivered");
    tube_hex(&t, B, "6202 0003");
    CHECK(tube_got(&t, C, "") && tube_got(&t, B, "7002 0003"), "and the broker gets its acknowledgements");
    tube_hex(&t, C, "820f 0002 000a 'secret/a/b' 00");
    CHECK(tube_got(&t, B, "") && tube_got(&t, C, "9003 0002 80"), "one that is denied altogether is refused");
    tube_free(&t);
}

static void times(void) {
    struct tube t;
    struct guard_out out;
    const int64_t s = 1000000000;
    tube_make(&t, "time: {connect: 5s, packet: 3s, connack: 4s}\n");
    tube_hex(&t, C, "10");
    CHECK(guard_timer(t.g, &t.s) == t.now + 5 * s, "CONNECT has its time");
    t.now += 4 * s;
    tube_hex(&t, C, "0f");
    CHECK(guard_timer(t.g, &t.s) == t.now + s, "which more bytes do not extend");
    guard_expire(t.g, &t.s, t.now, &out);
    CHECK(!out.close, "before it nothing is due");
    guard_expire(t.g, &t.s, t.now + s, &out);
    CHECK(out.close && tube_saw(&t, "time.connect"), "then the client is closed");

    tube_again(&t);
    tube_hex(&t, C, "1010 0004 'MQTT' 05 02 003c 00 0003 'cid'");
    CHECK(guard_timer(t.g, &t.s) == t.now + 4 * s, "CONNACK has its time");
    guard_expire(t.g, &t.s, t.now + 4 * s, &out);
    CHECK(out.close && out.inject[C].n == 5 && out.inject[C].p[3] == 0x88,
          "then the client hears that the server is unavailable");

    tube_again(&t);
    tube_up(&t, 5, "a");
    CHECK(guard_timer(t.g, &t.s) == t.now + 90 * s, "silence may last 1.5 times the keep alive");
    tube_hex(&t, C, "30");
    CHECK(guard_timer(t.g, &t.s) == t.now + 3 * s, "a started packet has its time");
    guard_pause(&t.s, C, true, t.now);
    CHECK(guard_timer(t.g, &t.s) == INT64_MAX, "which stands still while nobody reads");
    guard_pause(&t.s, C, false, t.now + s);
    CHECK(guard_timer(t.g, &t.s) == t.now + 4 * s, "and starts over");
    tube_hex(&t, C, "04 0001 'a' 00");
    CHECK(guard_timer(t.g, &t.s) == t.now + 90 * s, "it ends with the packet");
    guard_expire(t.g, &t.s, t.now + 90 * s, &out);
    CHECK(out.close && out.inject[C].n == 3 && out.inject[C].p[2] == 0x8d, "a silent client hears why");
    tube_free(&t);
}

static void shapes(void) {
    struct tube t;
    tube_make(&t, "payloads:\n"
                  "  - {id: j, to: 'json/#', must: json}\n"
                  "  - {id: u, to: 'utf8/#', must: utf8}\n"
                  "  - id: s\n"
                  "    to: 'sensor/+'\n"
                  "    schema:\n"
                  "      type: object\n"
                  "      required: [temp]\n"
                  "      properties: {temp: {type: number, minimum: -50, maximum: 150}, unit: {enum: [C, F]}}\n"
                  "      additionalProperties: false\n");
    static const struct {
        const char *topic, *payload;
        bool passes;
    } all[] = {
        {"json/a", "{\"a\": [1, 2.5e3, \"x\\u00e4\", null]}", true},
        {"json/a", "{\"a\": }", false},
        {"json/a", "{} x", false},
        {"json/a", "", false},
        {"other", "{", true},
        {"utf8/a", "gr\xc3\xbc\xc3\x9f", true},
        {"utf8/a", "\xff", false},
        {"sensor/1", "{\"temp\": 21.5, \"unit\": \"C\"}", true},
        {"sensor/1", "{\"temp\": 21.5, \"unit\": \"K\"}", false},
        {"sensor/1", "{\"temp\": 200}", false},
        {"sensor/1", "{\"temp\": 20, \"temp\": 200}", false},
        {"sensor/1", "{\"t\\u0065mp\": 20}", true},
        {"sensor/1", "{\"unit\": \"C\"}", false},
        {"sensor/1", "{\"temp\": 20, \"x\": 1}", false},
    };
    tube_up(&t, 4, "a");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct slice p = test_publish(4, 0, 0, all[i].topic, all[i].payload);
        wr_reset(&t.got[B]);
        tube_send(&t, C, p);
        CHECK((wr_len(&t.got[B]) != 0) == all[i].passes, "%s on %s %s", all[i].payload, all[i].topic,
              all[i].passes ? "passes" : "does not pass");
        free((void *)p.p);
    }
    tube_free(&t);
}

static void window(void) {
    static char big[300000];
    memset(big, 'x', sizeof big - 1);
    struct slice p = test_publish(4, 1, 7, "a", big);
    struct tube t;
    for (int refuse = 0; refuse < 2; refuse++) {
        tube_make(&t, refuse ? "beyond_window: refuse\n" : NULL);
        tube_up(&t, 4, "a");
        for (size_t i = 0; i < p.n; i += 7777) {
            tube_send(&t, C, slice_head(slice_tail(p, i), 7777));
            CHECK(wr_len(&t.held[C]) <= guard_hold_max(t.config->policy), "no more is held than promised");
        }
        tube_hex(&t, C, "c000");
        if (refuse) {
            CHECK(tube_got(&t, B, "c000") && tube_got(&t, C, "4002 0007"),
                  "a payload past the window is refused where that is asked for");
        } else {
            CHECK(wr_len(&t.got[B]) == p.n + 2 && memcmp(t.got[B].buf, p.p, p.n) == 0,
                  "a payload past the window is streamed");
        }
        tube_free(&t);
    }
    tube_make(&t, "max: {packet: 1000}\n");
    tube_up(&t, 5, "a");
    tube_send(&t, C, slice_head(p, 5));
    CHECK(t.closed && tube_got(&t, B, "") && tube_got(&t, C, "e001 95"),
          "a packet above the maximum is refused at its header");
    tube_free(&t);
    free((void *)p.p);
}

static void reload(void) {
    struct tube t;
    struct guard_config *other;
    struct guard_mistakes m;
    tube_make(&t, secret_policy);
    tube_up(&t, 4, "a");
    CHECK(guard_config_make(&other, SLICE("topics: {rules: [{id: new, deny: publish, to: 'a/#', clients: a}]}\n"),
                            &m) == 0,
          "a new policy");
    guard_mistakes_free(&m);
    CHECK(guard_set_policy(t.g, other->policy) == 0, "is set");
    guard_config_free(t.config);
    t.config = other;
    tube_hex(&t, C, "3006 0003 'a/b' '!' 300b 0008 'secret/x' '!'");
    CHECK(tube_got(&t, B, "300b 0008 'secret/x' '!'") && tube_saw(&t, "new"),
          "and holds for sessions that were up before");
    tube_free(&t);
}

static void mistakes(void) {
    static const struct {
        const char *yaml;
        unsigned line, column;
        const char *says;
    } all[] = {
        {"listen: nonsense\n", 1, 9, "no address"},
        {"topics:\n  rules:\n    - deny: publsh\n      to: a\n", 3, 13, "none of"},
        {"topics:\n  rules:\n    - deny: publish\n      to: 'a/#/b'\n", 4, 11, "topic filter"},
        {"topcs: {}\n", 1, 1, "did you mean 'topics'?"},
        {"limits:\n  - {what: publishes, max: 5}\n", 2, 5, "window"},
        {"payload_window: 12x\n", 1, 17, "no size"},
        {"bans: [10.0.0.0/33]\n", 1, 8, "no address"},
        {"a: [\n", 2, 1, ""},
        {"topics: {rules: [{deny: all, to: a, groups: nobody}]}\n", 1, 45, "no group"},
        {"rules:\n  - when: mqtt.topik == 1\n", 2, 11, "mqtt.topic"},
        {"rules:\n  - when: mqtt.topic ==\n", 2, 24, ""},
        {"anomalies: {utf9: block}\n", 1, 13, "no anomaly"},
        {"max: {payload: -1}\n", 1, 16, "no size"},
        {"time: {connect: soon}\n", 1, 17, "no time"},
        {"listen:\n  - address: '*:1883'\n    tls: {certificate: c.pem}\n", 3, 10, "'key'"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct guard_config *c = NULL;
        struct guard_mistakes m;
        int rc = guard_config_make(&c, slice_str(all[i].yaml), &m);
        CHECK(rc != 0 && m.count > 0, "%s is refused", all[i].yaml);
        if (m.count) {
            CHECK(m.list[0].line == all[i].line && m.list[0].column == all[i].column, "%s: place %u:%u", all[i].yaml,
                  m.list[0].line, m.list[0].column);
            CHECK(strstr(m.list[0].text, all[i].says), "%s: %s", all[i].yaml, m.list[0].text);
        }
        guard_mistakes_free(&m);
        if (!rc) guard_config_free(c);
    }
}

static void conditions(void) {
    struct tube t;
    tube_make(&t, "rules:\n"
                  "  - {id: admins, when: 'mqtt.clientid == \"root\" or mqtt.topic == \"free\"', action: allow}\n"
                  "  - {id: reboot, when: 'mqtt.topic matches \"^cmd/\" and mqtt.msg contains \"reboot\" and !(ip.src "
                  "in {10.0.0.0/8})'}\n"
                  "  - {id: property, when: 'mqtt.prop_value contains \"evil\"', action: disconnect, reason: 'an evil "
                  "property'}\n"
                  "  - {id: will, when: 'mqtt.willtopic contains \"alarm\"', on: connect}\n"
                  "  - {id: note, when: 'tcp.dstport == 1883 and mqtt.qos == 2', action: log}\n"
                  "  - {id: broker, when: 'mqtt.msg contains \"leak\"', from: broker}\n");
    tube_up(&t, 5, "a");
    tube_hex(&t, C, "3010 0005 'cmd/x' 00 'reboot!!' 300d 0005 'cmd/x' 00 'hello'");
    CHECK(tube_got(&t, B, "300d 0005 'cmd/x' 00 'hello'") && tube_saw(&t, "reboot"),
          "a condition drops what it is about");
    tube_hex(&t, C, "3406 0001 'a' 0001 00");
    CHECK(tube_got(&t, B, "3406 0001 'a' 0001 00") && tube_saw(&t, "!note"), "one that logs lets pass");
    tube_hex(&t, B, "3009 0001 'a' 00 'leaky'");
    CHECK(tube_got(&t, C, ""), "what the broker sends can be judged");
    tube_hex(&t, C, "3014 0001 'a' 10 26 0001 'k' 000a 'very evil!'");
    CHECK(t.closed && tube_saw(&t, "property"), "properties of 5.0 are seen (%s)", t.rules);
    CHECK(strstr(t.last, "an evil property") && strstr(t.last, "\"value\":\"very evil!\""),
          "the record has the reason: %s", t.last);
    tube_again(&t);
    tube_hex(&t, C, "1018 0004 'MQTT' 04 06 003c 0001 'a' 0005 'alarm' 0002 'xy'");
    CHECK(t.closed && tube_saw(&t, "will"), "a will is judged");
    tube_free(&t);
}

/* publish_long sends a PUBLISH to "x" whose payload is n bytes of "ab" and a "c". */
static void publish_long(struct tube *t, size_t n) {
    char payload[8192];
    for (size_t i = 0; i < n; i++) payload[i] = "ab"[i & 1];
    memcpy(payload + n, "c", 2);
    struct slice s = test_publish(5, 0, 0, "x", payload);
    tube_send(t, C, s);
    free((void *)s.p);
}

static void undecided(void) {
    struct tube t;
    tube_make(&t, "rules:\n"
                  "  - {id: allowed, when: 'mqtt.msg matches \"^(a|b)+d$\"', action: allow}\n"
                  "  - {id: long, when: 'mqtt.msg matches \"^(a|b)+c$\"'}\n");
    tube_up(&t, 5, "a");
    publish_long(&t, 6000);
    CHECK(tube_got(&t, B, "") && tube_saw(&t, "long"), "a long payload is searched to its end (%s)", t.rules);
    tube_free(&t);
    tube_make(&t, "rules:\n"
                  "  - {id: allowed, when: 'mqtt.msg matches \"^((a|b)+)+$\"', action: allow}\n"
                  "  - {id: endless, when: 'mqtt.msg matches \"^((a|b)+)+$\"'}\n");
    tube_up(&t, 5, "a");
    publish_long(&t, 6000);
    CHECK(tube_got(&t, B, "") && tube_saw(&t, "endless") && strstr(t.last, "undecided"),
          "what a search cannot decide is stopped, and never allowed (%s)", t.rules);
    tube_free(&t);
}

static void example(void) {
    struct guard_config *c = NULL;
    struct guard_mistakes m;
    int rc = guard_config_make(&c, slice_str(guard_config_example()), &m);
    for (size_t i = 0; i < m.count; i++)
        CHECK(0, "example.yaml:%u:%u: %s", m.list[i].line, m.list[i].column, m.list[i].text);
    CHECK(!rc && c->policy->access_count == 6 && c->policy->limit_count == 6 && c->policy->shape_count == 3,
          "the example is read");
    guard_mistakes_free(&m);
    if (!rc) guard_config_free(c);
}

/* Splitting: what comes out depends on the bytes, not on how they are cut. */

struct part {
    enum guard_side from;
    const char *hex;
};

static const struct part scripts[][12] = {
    {{C, "100d 0004 'MQTT' 04 02 003c 0001 'a'"},
     {B, "2002 00 00"},
     {C, "c000 300b 0008 'secret/x' '!' 3004 0001 'ax'"},
     {B, "d000 300b 0008 'secret/x' '!' 3004 0001 'ax'"},
     {C, "820a 0001 0001 'a' 00 0001 '#' 00 8206 0002 0001 'a' 00"},
     {B, "9003 0002 00"},
     {C, "340d 0008 'secret/x' 0008 '!' 6202 0008 3206 0001 'a' 0009 'x' e000"},
     {B, "4002 0009"},
     {C, NULL}},
    {{C, "1010 0004 'MQTT' 05 02 003c 00 0003 'cid' 320e 0008 'secret/x' 0007 00 '!'"},
     {B, "2006 00 00 03 22 000a"},
     {C, "3010 0008 'secret/x' 03 23 0001 '!!' 3008 0000 03 23 0001 '!!' 3008 0001 'a' 03 23 0001 3008 0000 03 23 0001 "
         "'yy'"},
     {B, "3206 0001 'a' 0001 00"},
     {C, "4002 0001 3003 0001 '+'"},
     {C, NULL}},
    {{C, "100d 0004 'MQTT' 04 02 003c 0001 'a' c000 1000"}, {C, NULL}},
    {{C, "100d 0004 'MQTT' 04 02 003c 0001 'a'"}, {B, "2002 00 00 d000 30ffffffff"}, {C, "c000"}, {C, NULL}},
    {{C, "'POST / HTTP/1.1' 0d0a"}, {C, NULL}},
    {{C, "1011 0006 'MQIsdp' 03 02 003c 0003 'cid' 8a06 0001 0001 'a' 01 300b 0008 'secret/x' '!' 3003 0001 'a'"},
     {B, "2002 00 00 9003 0001 01"},
     {C, NULL}},
};

struct outcome {
    struct slice got[GUARD_SIDES];
    uint8_t closed;
    char rules[4096];
};

enum cut_kind { WHOLE, BYTES, AT, GROUPED };

static struct outcome run(const struct part *script, enum cut_kind kind, size_t at) {
    struct tube t;
    struct outcome o = {0};
    tube_make(&t, secret_policy);
    size_t seen = 0;
    for (; script->hex; script++) {
        struct slice s = test_hex(script->hex);
        if (kind == BYTES)
            for (size_t i = 0; i < s.n; i++) tube_send(&t, script->from, slice_of(s.p + i, 1));
        else if (kind == AT && at > seen && at < seen + s.n) {
            tube_send(&t, script->from, slice_head(s, at - seen));
            tube_send(&t, script->from, slice_tail(s, at - seen));
        } else tube_send(&t, script->from, s);
        seen += s.n;
        free((void *)s.p);
    }
    for (int i = 0; i < GUARD_SIDES; i++) {
        struct slice got = wr_done(&t.got[i]);
        uint8_t *copy = malloc(got.n + 1);
        memcpy(copy, got.p ? got.p : (const uint8_t *)"", got.n);
        o.got[i] = slice_of(copy, got.n);
    }
    o.closed = t.closed;
    memcpy(o.rules, t.rules, sizeof o.rules);
    tube_free(&t);
    return o;
}

static void outcome_free(struct outcome *o) {
    for (int i = 0; i < GUARD_SIDES; i++) free((void *)o->got[i].p);
}

static void same(const struct outcome *a, struct outcome b, const char *how, size_t script, size_t at) {
    CHECK(slice_eq(a->got[C], b.got[C]) && slice_eq(a->got[B], b.got[B]), "script %zu %s %zu: the same bytes arrive",
          script, how, at);
    CHECK(a->closed == b.closed && !strcmp(a->rules, b.rules), "script %zu %s %zu: the same verdicts: %s and %s",
          script, how, at, a->rules, b.rules);
    outcome_free(&b);
}

static void splitting(void) {
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        size_t total = 0;
        for (const struct part *p = scripts[i]; p->hex; p++) {
            struct slice s = test_hex(p->hex);
            total += s.n;
            free((void *)s.p);
        }
        struct outcome whole = run(scripts[i], WHOLE, 0);
        same(&whole, run(scripts[i], BYTES, 0), "byte by byte", i, 0);
        for (size_t at = 1; at < total; at++) same(&whole, run(scripts[i], AT, at), "cut at", i, at);
        outcome_free(&whole);
    }
}

static uint32_t random_next(uint32_t *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Random valid packets, a part of them denied, in random pieces: exactly the allowed ones arrive. */
static void random_streams(void) {
#define RANDOM() random_next(&seed)
    uint32_t seed = 12345;
    for (int round = 0; round < 60; round++) {
        struct tube t;
        struct writer all = wr_grow(), allowed = wr_grow();
        int version = 3 + (int)(RANDOM() % 3);
        static char payload[70000];
        tube_make(&t, "payload_window: 1000\ntopics: {rules: [{deny: publish, to: 'secret/#'}]}\n");
        tube_up(&t, version, "a");
        for (int i = 0; i < 40; i++) {
            bool deny = RANDOM() % 3 == 0;
            size_t n = RANDOM() % 8 ? RANDOM() % 50 : RANDOM() % 69000;
            memset(payload, 'p', n);
            payload[n] = 0;
            int qos = (int)(RANDOM() % 3);
            struct slice p =
                RANDOM() % 5 ? test_publish(version, qos, 1 + RANDOM() % 60000, deny ? "secret/a" : "free/a", payload)
                             : test_hex("c000");
            wr_slice(&all, p);
            if (!deny || p.n == 2) wr_slice(&allowed, p);
            free((void *)p.p);
        }
        struct slice rest = wr_done(&all);
        while (rest.n) {
            size_t n = 1 + RANDOM() % (RANDOM() % 4 ? 20 : 30000);
            tube_send(&t, C, slice_head(rest, n));
            rest = slice_tail(rest, n);
        }
        CHECK(!t.closed && slice_eq(wr_done(&t.got[B]), wr_done(&allowed)),
              "round %d: the allowed packets arrive, exactly (%s)", round, t.rules);
        wr_free(&all);
        wr_free(&allowed);
        tube_free(&t);
    }
}

int main(void) {
    holes_in_framing();
    holes_in_subscriptions();
    holes_from_broker();
    holes_before_login();
    aliases();
    acknowledgements();
    harmless();
    guessing();
    limits();
    modes();
    narrowed();
    responses();
    times();
    shapes();
    window();
    reload();
    mistakes();
    example();
    conditions();
    undecided();
    splitting();
    random_streams();
    return test_failures != 0;
}
