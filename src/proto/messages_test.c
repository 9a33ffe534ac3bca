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
    {&proto_ripng, "02 01 0000 20010db8000000000000000000000000 0000 20 02", FID_RIPNG_METRIC, 2,
     " Command Response, Version 1"},
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
    {&proto_rtcp, "80 c9 0001 11223344 f4a30801 80000001", FID_RTCP_SENDERSSRC, 0x11223344, "Receiver Report   "},
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
    {&proto_rtp, "80 88 0001 000000a0 d2bd4e3e 0102", FID_RTP_P_TYPE, 8,
     "PT=ITU-T G.711 PCMA, SSRC=0xD2BD4E3E, Seq=1, Time=160, Mark"},
    {&proto_sdp, "'v=0' 0d0a 'c=IN IP4 192.0.2.1' 0d0a 'm=audio 4000 RTP/AVP 0' 0d0a 'a=x' 0d0a", FID_SDP_MEDIA_PORT,
     4000, ""},
    {&proto_mgcp, "'200 10506 OK' 0d0a 'K:' 0d0a 0d0a 'v=0' 0d0a", FID_MGCP_RSP_RSPCODE, 200, "200 10506 OK"},
    {&proto_mgcp, "'RSIP 7 a@b MGCP 1.0' 0d0a 'RM: x' 0d0a", FID_NONE, 0, "RSIP 7 a@b MGCP 1.0"},
    {&proto_h225, "0e80051c06", FID_H225_RASMESSAGE, 3, "RAS: registrationRequest "},
    {&proto_bvlc, "81 0a 0012", FID_BVLC_LENGTH, 18, "BVLC Function Original-Unicast-NPDU"},
    {&proto_bacnet, "01 a8 0001 01 05 0002 00 ff 12", FID_BACNET_MESGTYP, 0x12, "What-Is-Networknumber"},
    {&proto_bacapp, "00 04 01 0c 0c", FID_BACAPP_INVOKE_ID, 1, "Confirmed-REQ   readProperty[  1] "},
    {&proto_bacapp, "10 08", FID_BACAPP_TYPE, 1, "Unconfirmed-REQ   who-Is"},
    {&proto_iec60870_asdu, "01 01 0300 0100 0a0000 01", FID_IEC60870_ASDU_IOA, 10, "ASDU=1 M_SP_NA_1 Spont IOA=10"},
    {&proto_cotp, "02 f0 80", FID_COTP_EOT, 1, "DT TPDU (0) EOT"},
    {&proto_cotp, "0e e0 0000 0001 00 0100080003000000", FID_COTP_SRCREF, 1, "CR TPDU src-ref: 0x0001 dst-ref: 0x0000"},
    {&proto_s7comm, "32 03 0000 0001 0002 0000 81 04 04 01", FID_S7COMM_HEADER_PDUREF, 1,
     "ROSCTR:[Ack_Data] Function:[Read Var] -> Errorcode:[0x8104]"},
    {&proto_rdp, "'Cookie: mstshash=a' 0d0a 01 00 0800 01000000", FID_RDP_NEG_TYPE, 1,
     "Cookie: mstshash=a, Negotiate Request"},
    {&proto_enip, "6300 0000 00000000 00000000 0000000000000000 00000000", FID_ENIP_COMMAND, 0x63,
     "List Identity (Req)"},
    {&proto_enip, "6f00 1200 00000000 00000000 0000000000000000 00000000 00000000 0000 0200 0000 0000 b200 0200 0e00",
     FID_ENIP_LENGTH, 18, ""},
    {&proto_cip, "0e 03 2001 2401 3007", FID_CIP_CLASS, 1, "Identity - Get Attribute Single"},
    {&proto_cip, "8e 00 08 00", FID_CIP_GENSTAT, 8, "Service not supported: Get Attribute Single"},
    {&proto_bt_dht, "'d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe'", FID_NONE, 0,
     "BitTorrent DHT Protocol"},
    {&proto_lsd, "'BT-SEARCH * HTTP/1.1' 0d0a 'Host: a' 0d0a 0d0a", FID_NONE, 0, ""},
    {&proto_openvpn, "38 0102030405060708 00 00000000", FID_OPENVPN_OPCODE, 7,
     "MessageType: P_CONTROL_HARD_RESET_CLIENT_V2"},
    {&proto_openvpn, "48 000001 00", FID_OPENVPN_PEERID, 1, "MessageType: P_DATA_V2"},
    {&proto_rpc, "00000001 00000000 00000002 000186a0 00000002 00000003 00000000 00000000 00000000 00000000",
     FID_RPC_CALLED_PROCEDURE, 3, ""},
    {&proto_rpc, "00000001 00000001 00000000 00000000 00000000 00000000", FID_RPC_STATE_ACCEPT, 0, ""},
    {&proto_capwap, "01 000000 15 feff 0000 000000000000 0002 02 28", FID_DTLS_ALERT_MESSAGE_DESC, 40,
     "CAPWAP-Control"},
    {&proto_cflow, "0005 0001 00000000 00000000 00000000 00000009 00000000", FID_CFLOW_SEQUENCE, 9,
     "total: 1 (v5) flow"},
    {&proto_cflow, "000a 0010 00000000 00000001 00000063", FID_CFLOW_OD_ID, 99,
     "IPFIX flow (  16 bytes) Obs-Domain-ID=   99"},
    {&proto_sflow, "00000005 00000001 c0000201 00000001 00000002 00000000 00000000", FID_SFLOW_SEQUENCE_NUMBER, 2,
     "V5, agent 192.0.2.1, sub-agent ID 1, seq 2, 0 samples"},
    {&proto_ptp, "0b 02 0040 00 00 0000 " ZEROS16 "000000000000 0007 00 00", FID_PTP_V2_SEQUENCEID, 7,
     "Announce Message"},
    {&proto_gquic, "0d 0100000000000000 'Q025' 02 00", FID_GQUIC_CID, 1, "Payload (Encrypted), PKN: 2, CID: 1"},
    {&proto_gquic, "0d 0000000000000001 'Q039' 01 00", FID_GQUIC_CID, 1, "Payload (Encrypted), PKN: 1, CID: 1"},
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
    {&proto_stun, 0, "001c 0001 0008 2112a442 000102030405060708090a0b 000d 0004 00000258",
     "Binding Request lifetime: 600", 30},
    {&proto_stun, 1,
     "0113 0020 2112a442 000102030405060708090a0b 0009 0010 00000401 'Unauthorized' 0014 0001 'r' 000000 0015 0000",
     "Allocate Error Response error-code: 401 (Unauthenticated) Unauthorized realm: r with nonce", 52},
    {&proto_ftp, 0, "'USER me' 0d0a", "Request: USER me", 9},
    {&proto_telnet, 0, "fffd03 'login: ' fffa1800787fff f0", "Telnet Data ...", 18},
    {&proto_ssh, 0, "'SSH-2.0-x' 0d0a", "Client: Protocol (SSH-2.0-x)", 11},
    {&proto_amqp, 0, "01 0001 00000004 003c 0028 ce", "Basic.40 ", 12},
    {&proto_amqp, 0, "08 0000 00000000 ce 01", "Heartbeat ", 8},
    {&proto_mbtcp, 0, "0001 0000 0006 01 03 0000 0001", "   Query: Trans:     1; Unit:   1", 12},
    {&proto_iec60870_104, 0, "68 04 07 00 00 00", "<- U ", 6},
    {&proto_tpkt, 0, "03 00 0007 02 f0 80", "", 7},
    {&proto_rtsp, 0, "'SETUP rtsp://a/b RTSP/1.0' 0d0a 'CSeq: 1' 0d0a 0d0a", "SETUP rtsp://a/b RTSP/1.0", 38},
    {&proto_rtsp, 1, "'RTSP/1.0 200 OK' 0d0a 'Transport: RTP/AVP;client_port=4000-4001' 0d0a 0d0a",
     "Reply: RTSP/1.0 200 OK", 61},
    {&proto_rtsp, 1, "24 00 000c 8000 0001 00000000 00000001", "", 16},
    {&proto_bittorrent, 0, "13 'BitTorrent protocol' 0000000000000000 " ZEROS16 "00000000 " ZEROS16 "00000000",
     "Handshake  ", 68},
    {&proto_bittorrent, 0, "00000001 02", "Interested  ", 5},
    {&proto_gnutella, 0, "'GNUTELLA CONNECT/0.6' 0d0a", "", 22},
    {&proto_openvpn, 0, "0001 30", "MessageType: P_DATA_V1", 3},
    {&proto_bgp, 0, "ffffffffffffffffffffffffffffffff 0013 04", "KEEPALIVE Message", 19},
    {&proto_tds, 0, "12 01 0008 0000 00 00", "TDS7 pre-login message ", 8},
    {&proto_tns, 0, "0008 0000 06 00 0000", "Request, Data (6)", 8},
    {&proto_rpc, 0,
     "80000028 00000001 00000000 00000002 000186a3 00000003 00000001 00000000 00000000 00000000 00000000", "", 44},
    {&proto_xmpp, 0, "'<a/>'", "", 4},
    {&proto_msnms, 0, "'PNG' 0d0a", "PNG", 5},
    {&proto_ymsg, 0, "'YMSG' 000f 0000 0000 008a 00000000 00000001", "Keep Alive (status=Default)   ", 20},
    {&proto_smpp, 0, "00000010 00000015 00000000 00000001", "Enquire_link", 16},
    {&proto_smpp, 0, "0000001f 00000009 00000000 00000001 'esme' 00 'pw' 00 00 34 00 00 00 00 00", "Bind_transceiver",
     31},
    {&proto_vnc, 1, "'RFB 003.008' 0a", "Server protocol version: 003.008", 12},
    {&proto_tacplus, 0, "c0 01 01 00 00000001 00000000", "Q: Authentication", 12},
    {&proto_diameter, 0, "01 000014 80 000118 00000000 00000001 00000002",
     "cmd=Device-Watchdog Request(280) flags=R--- appl=Diameter Common Messages(0) h2h=1 e2e=2 | ", 20},
    {&proto_x11, 0, "6c 00 0b00 0000 0000 0000 0000", "Initial connection request", 12},
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
    if (stream->end) stream->end(state);
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
    if (!p->recognises || p->recognises(bytes, KNOWN_SAID)) datagram_read(p, bytes);
}
static void harmed_stream(const void *what, struct slice bytes) {
    const struct stream_sample *s = what;
    if (bytes.n) stream_read(s, bytes);
}

/* What looks like a protocol at first sight, and is not. */
static const struct {
    const struct proto *proto;
    const char *hex;
} strangers[] = {
    {&proto_stun, "0001 0008 00000000 000102030405060708090a0b 000d 0004 00000258"}, /* no cookie */
    {&proto_smpp, "00000014 00000001 00000000 00000001 cafebabe"}, /* a length, a type, flags, a count */
    {&proto_smpp, "00000010 00000001 00000000 00000001"},          /* nobody binds without a name */
    {&proto_mbtcp, "0500 0000 'hello'"},                           /* a length that begins with its least byte */
    {&proto_mbtcp, "0001 0000 0002 01 00"},                        /* no function */
    {&proto_iec60870_104, "'hello' 0a"},
    {&proto_iec60870_104, "68 04 07 00 01 00"},
    {&proto_tpkt, "03 00 0008 'text'"},
    {&proto_enip, "0400 0000 00000000 00000000 0000000000000000 00000001"},
    {&proto_rtsp, "'$GPRMC,123519,A' 0d0a"},
    {&proto_x11, "'lat=35.68' 0a"},
    {&proto_xmpp, "' 12.5 kg' 0d0a"},
    {&proto_diameter, "01 000015 80 000118"},
    {&proto_tacplus, "c0 00 00 00"},
    {&proto_vnc, "'ready' 0a"},
    {&proto_bittorrent, "00000002 01 00"},
    {&proto_gnutella, "'GET / HTTP/1.1' 0d0a 0d0a"},
    {&proto_msnms, "'PING?' 0d0a"},
    {&proto_openvpn, "0010 'ABCDEFGHIJKLMNOP'"},
    {&proto_tds, "01 ff 0010 0000 00 00"},
    {&proto_tns, "0010 0000 01 00 'ab'"},
    {&proto_rpc, "80000020 00000001 00000001 00000000 00000007 cafebabe 000000000000000000000000"},
};

static void strangers_test(void) {
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        struct slice bytes = unhex(strangers[i].hex);
        CHECK(strangers[i].proto->stream->probe(bytes) == PROBE_NO, "%s is not %s", strangers[i].hex,
              strangers[i].proto->name);
        free((void *)bytes.p);
    }
    struct slice attribute = unhex("0001 0008 00000000000000000000000000000001 0003 0008 00000000");
    CHECK(!proto_classicstun.recognises(attribute, KNOWN_NOT), "an attribute does not end behind its message");
    free((void *)attribute.p);
}

static void short_test(void) {
    static const struct {
        const struct proto *proto;
        size_t least;
    } heads[] = {{&proto_tcp, 4}, {&proto_udp, 4}, {&proto_icmp, 6}, {&proto_gre, 4}, {&proto_sctp, 12}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        datagram_read(heads[i].proto, slice_of("\0\0\0\0\0\0\0\0\0\0\0\0", heads[i].least - 1));
        CHECK(bench.v.bad == FID_WS_MALFORMED && !bench_find(&bench, heads[i].proto->id, 0),
              "less than a beginning of %s has no entry", heads[i].proto->name);
        CHECK(bench.d.layers == 1, "but is one");
    }
    datagram_read(&proto_vrrp, SLICE("\x21\1\x64\1\1\1\0\0\x0a\0\0\1pass"));
    CHECK(bench.v.bad, "a password that is not whole is malformed");
}

int main(void) {
    bench_make(&bench);
    short_test();
    strangers_test();
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        const struct sample *s = &samples[i];
        struct slice bytes = unhex(s->hex);
        datagram_read(s->proto, bytes);
        CHECK(!bench.v.bad, "%s is well formed", s->proto->name);
        if (s->id) CHECK(bench_is(&bench, s->id, 0, s->value), "%s: %s", s->proto->name, field_of(s->id)->name);
        if (s->info)
            CHECK(strcmp(info_of(s->proto), s->info) == 0, "%s says \"%s\"", s->proto->name, info_of(s->proto));
        if (s->proto->recognises) CHECK(s->proto->recognises(bytes, KNOWN_SAID), "%s is recognised", s->proto->name);
        harmed(s->proto, bytes, harmed_datagram);
        free((void *)bytes.p);
    }
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        const struct stream_sample *s = &streams[i];
        struct slice bytes = unhex(s->hex);
        struct read_result r = stream_read(s, bytes);
        if (s->proto->stream->probe)
            CHECK(s->proto->stream->probe(bytes) != PROBE_NO, "%s may begin so", s->proto->name);
        CHECK(r.status == READ_OK && r.consumed == s->consumed, "%s takes %zu bytes", s->proto->name, r.consumed);
        CHECK(strcmp(info_of(s->proto), s->info) == 0, "%s says \"%s\"", s->proto->name, info_of(s->proto));
        harmed(s, bytes, harmed_stream);
        free((void *)bytes.p);
    }
    bench_free(&bench);
    return test_failures != 0;
}
