/* SPDX-License-Identifier: Apache-2.0 */
/* A message of each of the small protocols: what a field of it and its Info say; and that no message cut short at any
 * byte, or with any byte wrong, makes its reader leave the bytes it was given. */
#include "proto/proto_test.h"
#include "proto/protos.h"

static void test_call(struct decode *d, const struct proto *p, struct slice in) {
    if (p->read) p->read(d, in);
}
static bool test_next(struct decode *d, enum proto_table table, uint32_t key, struct slice in) {
    (void)d, (void)table, (void)key, (void)in;
    return false;
}
static const struct decode_ops ops = {.call = test_call, .next = test_next};

#define MAC1 "525400000001"
#define ZEROS16 "00000000000000000000000000000000"
static const struct sample {
    const struct proto *proto;
    const char *hex;
    uint16_t id; /* a number it has */
    uint64_t value;
    const char *info;
} samples[] = {
    {&proto_stp, "0000 00 00 00 8000 " MAC1 " 00000004 8000 525400000002 8005 0000 1400 0200 0f00", FID_STP_ROOT_COST,
     4, "Conf. Root = 32768/0/52:54:00:00:00:01  Cost = 4  Port = 0x8005"},
    {&proto_cdp, "02 b4 0000 0001 0006 'ab' 0003 0006 'e0' 000a 0006 0003", FID_CDP_NATIVE_VLAN, 3,
     "Device ID: ab  Port ID: e0  "},
    {&proto_lldp, "0207 04 " MAC1 " 0403 01 '19' 0602 0078 0000", FID_LLDP_TIME_TO_LIVE, 120,
     "MA/52:54:00:00:00:01 IA/19 120 "},
    {&proto_rip, "02 02 0000 0002 0000 c0000200 ffffff00 00000000 00000001", FID_RIP_METRIC, 1, "Response"},
    {&proto_vrrp, "21 01 64 01 00 01 0000 c0000201 0000000000000000", FID_VRRP_PRIO, 100, "Announcement (v2)"},
    {&proto_loop, "0000 0100 0700", FID_LOOP_RECEIPT_NUMBER, 7, "Reply"},
    {&proto_nbns, "1234 0110 0001 0000 0000 0000 20 'FHEPFCELEHFCEPFFFACACACACACACAAA' 00 0020 0001", FID_NBNS_TYPE, 32,
     "Name query NB WORKGROUP<00>"},
    {&proto_nbdgm,
     "11 02 0001 c0000201 008a 00bb 0000 20 'FHEPFCELEHFCEPFFFACACACACACACAAA' 00 20 "
     "'FHEPFCELEHFCEPFFFACACACACACACABN' 00"
     "ff'SMB' 25 00 00 0000 00 0000 0000 0000000000000000 0000 0000 0000 0000 0000"
     "11 0000 0400 0000 0000 00 00 0000 e8030000 0000 0000 0000 0400 5600 03 00 0100 0100 0200 1500"
     "'\\MAILSLOT\\BROWSE' 00 02 00 'a' 00",
     FID_SMB_CMD, 0x25, "Direct_group datagram"},
    {&proto_browser, "01 00 80fc0a00 'HOST' 000000000000000000000000 06 01 03100000 0f 01 55aa 00",
     FID_BROWSER_OS_MAJOR, 6, "Host Announcement HOST, Workstation, Server, NT Workstation"},
    {&proto_dhcpv6, "01 123456 0001 000a 0003 0001 " MAC1 " 0008 0002 0001", FID_DHCPV6_ELAPSED_TIME, 10,
     "Solicit XID: 0x123456 CID: 00030001525400000001 "},
    {&proto_dhcpv6, "0c 00 " ZEROS16 ZEROS16 " 0009 0004 0b 000001", FID_DHCPV6_XID, 1,
     "Relay-forw L: :: Information-request XID: 0x1 "},
    {&proto_syslog, "'<26>Jan 1 down'", FID_SYSLOG_FACILITY, 3, "DAEMON.CRIT: Jan 1 down"},
    {&proto_stun, "0101 000c 2112a442 000102030405060708090a0b 0020 0008 0001 2eb2 e112a643", FID_STUN_ATT_IPV4,
     0xc0000201, "Binding Success Response XOR-MAPPED-ADDRESS: 192.0.2.1:4000"},
    {&proto_classicstun, "0001 0000 " ZEROS16, FID_CLASSICSTUN_TYPE, 1, "Message: Binding Request"},
    {&proto_snmp,
     "30 26 02 01 01 04 06 'public' a0 19 02 01 05 02 01 00 02 01 00 30 0e 30 0c 06 08 2b06010201010300 05 00",
     FID_SNMP_REQUEST_ID, 5, "get-request 1.3.6.1.2.1.1.3.0"},
    {&proto_tftp, "0001 'boot.bin' 00 'octet' 00", FID_TFTP_OPCODE, 1,
     "Read Request, File: boot.bin, Transfer type: octet"},
    {&proto_quic, "c0 00000001 08 0102030405060708 00 00 05 aabbccddee", FID_QUIC_LENGTH, 5,
     "Initial, DCID=0102030405060708"},
    {&proto_dtls, "16 feff 0000 000000000000 000c 00 000000 0000 000000 000000", FID_DTLS_RECORD_LENGTH, 12,
     "Hello Request"},
    {&proto_rtcp, "80 c9 0001 11223344", FID_RTCP_SENDERSSRC, 0x11223344, "Receiver Report   "},
    {&proto_sip, "'OPTIONS sip:a@b SIP/2.0' 0d0a 'CSeq: 7 OPTIONS' 0d0a 0d0a", FID_SIP_CSEQ_SEQ, 7,
     "Request: OPTIONS sip:a@b | "},
    {&proto_sip, "'SIP/2.0 404 Not Found' 0d0a ': 9' 0d0a 'CSeq: 7 OPTIONS' 0d0a 0d0a", FID_SIP_CSEQ_SEQ, 7,
     "Status: 404 Not Found | "},
    {&proto_esp, "00000001 00000002 " ZEROS16, FID_ESP_SEQUENCE, 2, "ESP (SPI=0x00000001)"},
    {&proto_udpencap, "ff", FID_NONE, 0, "NAT-keepalive"},
    {&proto_isakmp, "0000000000000001 0000000000000000 21 20 22 08 00000000 0000001c", FID_ISAKMP_LENGTH, 28,
     "IKE_SA_INIT MID=00 Initiator Request"},
    {&proto_wg, "04000000 01000000 0200000000000000 " ZEROS16, FID_WG_COUNTER, 2,
     "Keepalive, receiver=0x00000001, counter=2"},
    {&proto_ospf, "02 01 002c 01010101 00000000 0000", FID_OSPF_PACKET_LENGTH, 44, "Hello Packet"},
    {&proto_eigrp, "02 05 0000 00000000 00000001 00000000 0000 0064", FID_EIGRP_AS, 100, "Hello"},
    {&proto_pim, "20 00 0000", FID_PIM_VERSION, 2, "Hello"},
    {&proto_nat_pmp, "00 80 0000 00000010 c0000201", FID_NAT_PMP_EXTERNAL_IP, 0xc0000201, NULL},
    {&proto_radius, "01 05 0014 " ZEROS16, FID_RADIUS_ID, 5, "Access-Request id=5"},
    {&proto_lcp, "09 01 0008 00000000", FID_LCP_LENGTH, 8, "Echo Request"},
    {&proto_vtp, "01 01 00 02 'ab' " ZEROS16 "0000000000000000000000000000 00000009", FID_VTP_CONF_REV_NUM, 9,
     "Summary Advertisement, Revision: 9"},
    {&proto_vsock, "0300000000000000 0200000000000000 01000000 02000000 0100 0200 2c00 0000", FID_VSOCK_DST_PORT, 2,
     "[Connect]"},
    {&proto_synphasor, "aa41 0012 0001 000000000000000000000000", FID_SYNPHASOR_IDCODE_STREAM_SOURCE, 1,
     "Command Frame"},
};

/* stream_sample is the beginning of one side of a stream. */
static const struct stream_sample {
    const struct proto *proto;
    int from;
    const char *hex, *info;
    size_t consumed;
} streams[] = {
    {&proto_smtp, 1, "'220 host ESMTP' 0d0a '250-a' 0d0a '25'", "S: 220 host ESMTP | 250-a", 23},
    {&proto_smtp, 0, "'MAIL FROM:<a@b>' 0d0a", "C: MAIL FROM:<a@b>", 17},
    {&proto_pop, 0, "'STLS' 0d0a", "C: STLS", 6},
    {&proto_imap, 1, "'* OK ready' 0d0a", "Response: * OK ready", 12},
    {&proto_ftp, 0, "'USER me' 0d0a", "Request: USER me", 9},
    {&proto_telnet, 0, "fffd03 'login: ' fffa1800787fff f0", "Telnet Data ...", 18},
    {&proto_ssh, 0, "'SSH-2.0-x' 0d0a", "Client: Protocol (SSH-2.0-x)", 11},
    {&proto_amqp, 0, "01 0001 00000004 003c 0028 ce", "Basic.40 ", 12},
    {&proto_amqp, 0, "08 0000 00000000 ce 01", "Heartbeat ", 8},
};

static struct bench bench;

static const char *info_of(const struct proto *p) {
    static char text[512];
    struct writer w = wr_fixed(text, sizeof text - 1);
    if (p->info && bench.v.n) p->info(&w, &bench.v, 0, fv_end(&bench.v, 0));
    *w.p = 0;
    return text;
}

static void start(struct slice bytes) {
    bench_start(&bench, bytes);
    bench.d.ops = &ops;
}

static void datagram_read(const struct proto *p, struct slice bytes) {
    start(bytes);
    p->read(&bench.d, bytes);
    info_of(p); /* whatever there is can be said */
}

/* stream_read reads as the first bytes of a conversation. */
static struct read_result stream_read(const struct stream_sample *s, struct slice bytes) {
    const struct stream_ops *stream = s->proto->stream;
    void *state = calloc(1, stream->state_size + 1);
    start(bytes);
    struct read_result r = stream->read(&bench.d, state, s->from, bytes);
    info_of(s->proto);
    free(state);
    return r;
}

/* harmed calls `read` with every shorter copy of the bytes, and with each byte changed. Copies have exactly their size.
 */
static void harmed(const void *what, struct slice bytes, void (*read)(const void *what, struct slice bytes)) {
    static const uint8_t wrong[] = {0x00, 0x7f, 0x80, 0xff};
    for (size_t n = 0; n < bytes.n; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, bytes.p, n);
        read(what, slice_of(copy, n));
        free(copy);
    }
    uint8_t *copy = malloc(bytes.n);
    for (size_t i = 0; i < bytes.n * sizeof wrong; i++) {
        memcpy(copy, bytes.p, bytes.n);
        copy[i / sizeof wrong] = wrong[i % sizeof wrong];
        read(what, slice_of(copy, bytes.n));
    }
    free(copy);
}

static void harmed_datagram(const void *what, struct slice bytes) {
    const struct proto *p = what;
    if (!p->recognises || p->recognises(bytes, KNOWN_NOT)) datagram_read(p, bytes);
}
static void harmed_stream(const void *what, struct slice bytes) {
    const struct stream_sample *s = what;
    if (bytes.n) stream_read(s, bytes);
}

int main(void) {
    bench_make(&bench);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *s = &samples[i];
        struct slice bytes = unhex(s->hex);
        datagram_read(s->proto, bytes);
        CHECK(!bench.v.bad, "%s is well formed", s->proto->name);
        if (s->id) CHECK(bench_is(&bench, s->id, 0, s->value), "%s: %s", s->proto->name, field_of(s->id)->name);
        if (s->info)
            CHECK(strcmp(info_of(s->proto), s->info) == 0, "%s says \"%s\"", s->proto->name, info_of(s->proto));
        if (s->proto->recognises) CHECK(s->proto->recognises(bytes, KNOWN_NOT), "%s is recognised", s->proto->name);
        harmed(s->proto, bytes, harmed_datagram);
        free((void *)bytes.p);
    }
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        const struct stream_sample *s = &streams[i];
        struct slice bytes = unhex(s->hex);
        struct read_result r = stream_read(s, bytes);
        CHECK(r.status == READ_OK && r.consumed == s->consumed, "%s takes %zu bytes", s->proto->name, r.consumed);
        CHECK(strcmp(info_of(s->proto), s->info) == 0, "%s says \"%s\"", s->proto->name, info_of(s->proto));
        harmed(s, bytes, harmed_stream);
        free((void *)bytes.p);
    }
    bench_free(&bench);
    return test_failures != 0;
}
