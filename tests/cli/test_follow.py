# SPDX-License-Identifier: Apache-2.0
"""weir follow."""
import json
import struct

import pytest

A, B = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
SYN, ACK, PSH = 2, 16, 8


def tcp(src, dst, sport, dport, seq, ack, flags, payload=b""):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(payload), 1, 0, 64, 6, 0, src, dst)
    return head + struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 500, 0, 0) + payload


def pcap(path, packets):
    out = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for i, p in enumerate(packets):
        out += struct.pack("<IIII", 100 + i, 500000, len(p), len(p)) + p
    path.write_bytes(out)
    return path


def client(seq, ack, flags, payload=b""):
    return tcp(A, B, 4000, 80, seq, ack, flags, payload)


def server(seq, ack, flags, payload=b""):
    return tcp(B, A, 80, 4000, seq, ack, flags, payload)


OPENING = [client(99, 0, SYN), server(499, 100, SYN | ACK), client(100, 500, ACK)]


def text(weir, path, *args):
    return weir("follow", "tcp", "0", "-r", path, *args).out


def body(out):
    return out.split("Node 1: 10.0.0.2:80\n")[1].split("====")[0]


def test_both_sides_in_order(weir, tmp_path):
    path = pcap(tmp_path / "a.pcap", OPENING + [client(100, 500, ACK | PSH, b"GET\r\n"), server(500, 105, ACK | PSH, b"\x01OK")])
    assert body(text(weir, path)) == "5\nGET\r\n\n\t3\n.OK\n"
    assert body(text(weir, path, "--form", "raw")) == "4745540d0a\n\t014f4b\n"
    assert "packet: 5\n    peer: 1\n    timestamp: 104.500000000\n    data: !!binary |\n      AU9L\n" in text(weir, path, "--form", "yaml")
    assert "00000000  47 45 54 0d 0a                                    GET..\n" in text(weir, path, "--form", "hex")


def test_a_segment_before_its_turn_waits_and_a_copy_is_dropped(weir, tmp_path):
    path = pcap(tmp_path / "a.pcap", OPENING + [client(103, 500, ACK, b"def"), client(100, 500, ACK, b"abc"), client(102, 500, ACK, b"cdefg")])
    assert body(text(weir, path)) == "3\nabc\n3\ndef\n1\ng\n"


def test_a_hole_is_said(weir, tmp_path):
    path = pcap(tmp_path / "a.pcap", OPENING + [client(100, 500, ACK, b"abc"), client(110, 500, ACK, b"xyz"), server(500, 113, ACK)])
    assert body(text(weir, path)) == "3\nabc\n34\n[7 bytes missing in capture file].\n3\nxyz\n"


def test_what_is_not_there_is_a_finding(weir, tmp_path):
    path = pcap(tmp_path / "a.pcap", OPENING)
    run = weir("follow", "tcp", "7", "-r", path)
    assert run.returncode == 1 and "weir stats conversations tcp" in run.err


@pytest.mark.parametrize("words", [("tcp",), ("ip", "0"), ("tcp", "0", "--form", "morse")])
def test_bad_use(weir, sample, words):
    assert weir("follow", *words, "-r", sample).returncode == 2


def test_mqtt_joins_the_handshake_to_its_message(weir, sample):
    run = weir("follow", "mqtt", 'mqtt.clientid == "lock"', "-r", sample, "--form", "json")
    turns = [json.loads(line) for line in run.out.splitlines()]
    assert [t["type"] for t in turns] == ["CONNECT", "CONNACK", "PUBLISH", "DISCONNECT"]
    publish = turns[2]
    assert publish["payload"] == "locked" and publish["complete"]
    assert [a["type"] for a in publish["acks"]] == ["PUBREC", "PUBREL", "PUBCOMP"]
    assert [t["from"] for t in turns] == ["client", "broker", "client", "client"]


def test_the_conversation_alone_as_a_capture(weir, sample, tmp_path):
    one = tmp_path / "one.pcapng"
    assert weir("follow", "tcp", "1", "-r", sample, "-q", "-w", one).out == ""
    alone = weir("read", "-r", one, "-T", "fields", "-e", "tcp.stream", "-e", "tcp.payload").out
    before = weir("read", "-r", sample, "-Y", "tcp.stream == 1", "-T", "fields", "-e", "tcp.stream", "-e", "tcp.payload").out
    assert alone == before.replace("1\t", "0\t", -1) and alone


def test_http_without_chunks_and_compression(weir, tmp_path):
    import gzip
    packed = gzip.compress(b"hello", mtime=0)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    ask = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    path = pcap(tmp_path / "a.pcap", OPENING + [client(100, 500, ACK | PSH, ask), server(500, 100 + len(ask), ACK | PSH, answer[:40]),
                                                server(540, 100 + len(ask), ACK | PSH, answer[40:])])
    out = weir("follow", "http", "0", "-r", path, "--form", "raw").out
    assert body(out) == f"{ask.hex()}\n\t{head.hex()}\n\t{b'hello'.hex()}\n"
    assert "Follow: http,raw\nFilter: tcp.stream eq 0\n" in out
    assert weir("read", "-r", path, "-q", "-z", "follow,http,raw,0").out == out


def test_websocket_unmasked(weir, tmp_path):
    ask = b"GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    granted = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    mask = bytes(a ^ b for a, b in zip(b"ping", b"\x11\x22\x33\x44"))
    path = pcap(tmp_path / "a.pcap", OPENING + [client(100, 500, ACK, ask), server(500, 100 + len(ask), ACK, granted),
                client(100 + len(ask), 500 + len(granted), ACK, b"\x81\x84\x11\x22\x33\x44" + mask),
                server(500 + len(granted), 110 + len(ask), ACK, b"\x81\x04pong")])
    assert body(weir("follow", "websocket", "0", "-r", path).out) == "4\nping\n\t4\npong\n"


@pytest.mark.parametrize("data, shown", [(b"ab ", "ab"), (b"01234567 ", "01234567 "), (b"0123456 ", "0123456 "), (b"0123456789abcde ", "01234567 89abcde")])
def test_hex_leaves_the_last_space_away_as_tshark(weir, tmp_path, data, shown):
    path = pcap(tmp_path / "a.pcap", OPENING + [client(100, 500, ACK | PSH, data)])
    assert text(weir, path, "--form", "hex").split("Node 1: 10.0.0.2:80\n")[1].split("\n")[0][60:] == shown


@pytest.mark.parametrize("words", [("follow", "tcp", "0"), ("stats", "endpoints", "ip")])
def test_one_source(weir, sample, words):
    run = weir(*words, "-r", sample, "-i", "lo")
    assert run.returncode == 2 and "one source" in run.err
    assert weir(*words, "-i", "lo", "-a", "packets:1").returncode == 2


def test_that_there_is_nothing_to_read_is_said(weir, sample):
    """An encrypted conversation, and one of something else, would be silence."""
    run = weir("follow", "websocket", "0", "-r", sample)
    assert run.returncode == 0 and "nothing of websocket can be read" in run.err
