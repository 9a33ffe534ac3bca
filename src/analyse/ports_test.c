/* SPDX-License-Identifier: Apache-2.0 */
/* A port is a hint. MQTT, TLS and HTTP, over UDP DTLS, STUN and QUIC are found by their bytes on every port some
 * protocol is registered for, and what somebody's own device says there is nobody's. */
#undef NDEBUG
#include "analyse/dissect.h"
#include "base/err.h"
#include "proto/protos.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { IP_TCP = 6, IP_UDP = 17, IP_HEAD = 20, TCP_HEAD = 20, UDP_HEAD = 8, BYTES_MAX = 512, CLIENT_PORT = 50123 };

static void be(uint8_t *p, uint32_t v, int n) {
    for (int i = n - 1; i >= 0; i--, v >>= 8) p[i] = (uint8_t)v;
}

/* sent decodes `payload` as the first packet to a port. */
static const struct decode *sent(struct dissector *ds, uint8_t ip_proto, uint16_t port, struct slice payload) {
    static uint8_t bytes[BYTES_MAX];
    static uint64_t number;
    static const struct capture_interface raw = {.linktype = 101, .ticks = 1000000};
    size_t head = IP_HEAD + (ip_proto == IP_TCP ? TCP_HEAD : UDP_HEAD), all = head + payload.n;
    assert(all <= BYTES_MAX);
    memset(bytes, 0, head);
    bytes[0] = 0x45;
    be(bytes + 2, (uint32_t)all, 2);
    bytes[8] = 64;
    bytes[9] = ip_proto;
    be(bytes + 12, 0x0a000001 + (uint32_t)++number, 4); /* every packet begins a conversation */
    be(bytes + 16, 0x0b000001, 4);
    be(bytes + IP_HEAD, CLIENT_PORT, 2);
    be(bytes + IP_HEAD + 2, port, 2);
    if (ip_proto == IP_TCP) be(bytes + IP_HEAD + 12, 0x5018, 2);
    else be(bytes + IP_HEAD + 4, (uint32_t)(UDP_HEAD + payload.n), 2);
    memcpy(bytes + head, payload.p, payload.n);
    struct packet p = {.number = number,
                       .ts = (int64_t)number * 1000,
                       .has_ts = true,
                       .len = (uint32_t)all,
                       .data = slice_of(bytes, all),
                       .iface = &raw};
    return dissector_packet(ds, &p);
}

static const struct proto *last_layer(const struct decode *d) { return d->layer[d->layers - 1].proto; }

/* ports_try calls `try` with every port of a protocol in a table. */
static void ports_try(struct dissector *ds, const struct proto *p, enum proto_table table,
                      void (*try)(struct dissector *ds, const struct proto *p, uint16_t port)) {
    for (const struct proto_key *k = p->keys; k && k->table != TABLE_COUNT; k++)
        if (k->table == table) try(ds, p, (uint16_t)k->key);
}

static bool has_layer(const struct decode *d, const struct proto *p) {
    for (uint8_t i = 0; i < d->layers; i++)
        if (d->layer[i].proto == p) return true;
    return false;
}

/* certain_try: what is certain wins over the port it came to. */
static void certain_try(struct dissector *ds, const struct proto *p, uint16_t port) {
    static uint8_t quic[400] = "\xc3\0\0\0\1\x08"
                               "12345678"
                               "\0\0\x41\x80";
    static const struct {
        const struct proto *proto;
        struct slice bytes;
    } known[] = {
        {&proto_dtls, SLICE("\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\x0c\x0e\0\0\0\0\3\0\0\0\0\0\0")},
        {&proto_stun, SLICE("\0\1\0\0\x21\x12\xa4\x42"
                            "123456789012")},
        {&proto_quic, {quic, sizeof quic}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        bool found = has_layer(sent(ds, IP_UDP, port, known[i].bytes), known[i].proto);
        if (!found) fprintf(stderr, "%s is not found on UDP port %u of %s\n", known[i].proto->name, port, p->name);
        assert(found);
    }
}

static void known_try(struct dissector *ds, const struct proto *p, uint16_t port) {
    static const uint8_t hello[] = "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03"
                                   "0123456789abcdef0123456789abcdef"
                                   "\x00\x00\x04\x13\x01\xc0\x2f\x01\x00";
    static const struct {
        const struct proto *proto;
        struct slice bytes;
    } known[] = {
        {&proto_mqtt, SLICE("\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03"
                            "abc")},
        {&proto_tls, {hello, sizeof hello - 1}},
        {&proto_http, SLICE("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n")},
        {&proto_http, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok")},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        bool found = has_layer(sent(ds, IP_TCP, port, known[i].bytes), known[i].proto);
        if (!found) fprintf(stderr, "%s is not found on port %u of %s\n", known[i].proto->name, port, p->name);
        assert(found);
    }
}

/* What devices say in words and bytes of their own. */
static const struct slice own[] = {
    SLICE("hello from sensor 17, 21.5 C\r\n"),
    SLICE("lat=35.68;lon=139.76;alt=40\n"),
    SLICE("BEGIN temp 21.5 END\n"),
    SLICE("$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n"),
    SLICE("{\"temp\":21.5,\"hum\":40,\"id\":\"sensor-17\"}"),
    SLICE(" 12.50 kg\r\n"),
    SLICE("\x00\x00\x00\x1c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x07\xca\xfe\xba\xbe\x00\x01\x02\x03\x04\x05\x06"
          "\x07"),
    SLICE("\x1c\x00\x00\x00\x01\x00\x00\x00\x07\x00\x00\x00\xca\xfe\xba\xbe\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"
          "\x0b"),
    SLICE("\x00\x1a\x00\x03sensor-17 temp 21.5 ok\x01\x02"),
    SLICE("\xaa\x55\x01\x10\x00\x00\x00\x17\x00\x00\x00\x15\x80\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"),
    SLICE("\x68\x65\x6c\x6c\x6f\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08"),
    SLICE("\x7e\xff\x03\x00\x21\x45\x00\x00\x3c\x1c\x46\x40\x00\x40\x06\x00\x00\x7e"),
};

static unsigned found;

static void own_try(struct dissector *ds, const struct proto *p, uint16_t port) {
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        for (int udp = 0; udp < 2; udp++) {
            if (udp ? !p->read || p == &proto_openvpn /* whose datagrams have a byte that can be told */ : !p->stream)
                continue;
            const struct decode *d = sent(ds, udp ? IP_UDP : IP_TCP, port, own[i]);
            if (has_layer(d, p)) fprintf(stderr, "port %u: message %zu is read as %s\n", port, i, last_layer(d)->name);
            found += has_layer(d, p);
        }
    }
}

/* announced_test: what a call announces is read so, but not where somebody is registered. */
static void announced_test(struct dissector *ds) {
    static const struct slice rtp = SLICE("\x80\x00\x00\x01\x00\x00\x00\xa0\x11\x22\x33\x44 sound"),
                              names = SLICE("\x80\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01"
                                            "a\x00\x00\x01\x00\x01");
    assert(!has_layer(sent(ds, IP_UDP, 40000, rtp), &proto_rtp));
    sent(ds, IP_UDP, 5060,
         SLICE("INVITE sip:a@b SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 11.0.0.1\r\n"
               "m=audio 40000 RTP/AVP 0\r\nm=audio 53 RTP/AVP 0\r\n"));
    assert(has_layer(sent(ds, IP_UDP, 40000, rtp), &proto_rtp));
    assert(has_layer(sent(ds, IP_UDP, 53, names), &proto_dns));
    puts("ok what is announced of a registered port changes nothing");
}

/* Protocols whose messages have a form that can be told. */
static const struct proto *const telling[] = {
    &proto_mbtcp,    &proto_iec60870_104, &proto_bvlc, &proto_tpkt,       &proto_enip,     &proto_vnc,  &proto_tacplus,
    &proto_diameter, &proto_x11,          &proto_rpc,  &proto_bittorrent, &proto_gnutella, &proto_xmpp, &proto_msnms,
    &proto_cflow,    &proto_sflow,        &proto_ptp,  &proto_mgcp,       &proto_rtsp,     &proto_sip,  &proto_stun,
    &proto_tftp,     &proto_bgp,          &proto_tds,  &proto_tns,        &proto_openvpn,
};

int main(void) {
    struct want want;
    struct dissector *ds = calloc(1, sizeof *ds);
    want_all(&want);
    assert(ds && dissector_make(ds, &want) == OK);
    for (size_t i = 0; weir_protos[i]; i++) ports_try(ds, weir_protos[i], TABLE_TCP, known_try);
    known_try(ds, &proto_data, 40001);
    puts("ok MQTT, TLS and HTTP are found by their bytes on the ports of all protocols");
    for (size_t i = 0; weir_protos[i]; i++) ports_try(ds, weir_protos[i], TABLE_UDP, certain_try);
    puts("ok DTLS, STUN and QUIC are found by their bytes on the ports of all protocols");
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++) {
        ports_try(ds, telling[i], TABLE_TCP, own_try);
        ports_try(ds, telling[i], TABLE_UDP, own_try);
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        assert(last_layer(sent(ds, IP_TCP, 40001, own[i])) == &proto_data);
        assert(last_layer(sent(ds, IP_UDP, 40001, own[i])) == &proto_data);
    }
    assert(!found);
    puts("ok what is of no protocol is data, whatever the port");
    announced_test(ds);
    dissector_free(ds);
    free(ds);
    return 0;
}
