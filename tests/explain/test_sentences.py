# SPDX-License-Identifier: Apache-2.0
"""What a check says depends on what it sees: the same failure, and the sentence or the next step that fits this one."""
import struct
import time

import pytest

from made import *
from test_checks import explain, pki, served


def verdict(cap, tmp_path):
    return explain(cap.write(tmp_path / "it.pcap"))


def ids(out):
    return [f["id"] for f in out["findings"] if f["severity"] != "note"]


def test_old_code_to_a_new_client(tmp_path):
    """A broker of 3.1.1 refuses a client of 5.0 with a code of its own time."""
    cap = Capture()
    t = Tcp(cap).open()
    t.c(connect(version=5))
    t.s(connack(1))
    t.close(1)
    out = verdict(cap, tmp_path)["verdict"]
    assert "unacceptable protocol version" in out["text"] and "3.1.1" in out["next"]


def test_ipv6_only_is_one_finding(tmp_path):
    """That no connection was tried is the consequence."""
    cap = Capture()
    for kind, addresses in ((1, []), (28, ["2001:db8::5"])):
        cap.dns("10.0.0.2", "10.0.0.53", "broker.example", kind=kind, ident=kind)
        cap.dns("10.0.0.2", "10.0.0.53", "broker.example", kind=kind, rcode=0, addresses=addresses, ident=kind)
    cap.wait(3)
    cap.dns("10.0.0.2", "10.0.0.53", "broker.example", ident=9)
    assert ids(verdict(cap, tmp_path)) == ["dns.only-ipv6"]


def test_name_server_that_is_none(tmp_path):
    cap = Capture()
    for n in range(3):
        cap.dns("10.0.0.2", "10.0.0.53", "broker.example", ident=n)
        cap.unreachable("10.0.0.2", 40053, "10.0.0.53", 53)
        cap.wait(1)
    out = verdict(cap, tmp_path)
    assert ids(out) == ["dns.unanswered"] and "ICMP" in out["verdict"]["text"] and 2 in out["verdict"]["frames"]


def test_clients_that_throw_each_other_out(tmp_path):
    cap = Capture()
    for n in range(5):
        t = session(cap, sport=40000 + n, addr=f"10.0.0.{2 + n % 2}")
        if n:
            before.close(1)
        before = t
        cap.wait(1)
    out = verdict(cap, tmp_path)["verdict"]
    assert out["id"] == "mqtt.client-id-twice" and "4 times" in out["text"]


def test_first_large_segments_do_not_arrive(tmp_path):
    """The server's certificate is lost on the way, what is behind it comes: seen from both ends."""
    device, server = Capture(), Capture()
    for cap in (device, server):
        t = Tcp(cap, port=8883).open()
        t.c(client_hello("broker.example"))
        start = t.seq[1]
        if cap is server:
            t.segment(1, ACK, bytes(1448))
        t.seq[1] += 1448
        t.segment(1, ACK | PSH, data(60))
        t.segment(0, ACK, ack=start)
        for n in range(4):
            cap.wait(0.4 * 2**n)
            if cap is server:
                t.segment(1, ACK, bytes(1448), seq=start)
        cap.wait(2)
        t.segment(0, FIN | ACK, ack=start)
        out = verdict(cap, tmp_path)
        assert ids(out) == ["tcp.mtu"], ids(out)
        assert "1448" in out["verdict"]["text"] and "MTU" in out["verdict"]["text"]


def test_hole_that_was_only_not_captured(tmp_path):
    cap = Capture()
    t = session(cap)
    t.seq[1] += 1448
    t.s(PINGRESP)
    cap.wait(5)
    t.c(PINGREQ)
    assert "tcp.mtu" not in ids(verdict(cap, tmp_path))


@pytest.mark.parametrize("code, words", [("404 Not Found", "nothing at"), ("200 OK", "Upgrade"), ("426", "Upgrade"), ("403 Forbidden", "Origin"), ("502 Bad Gateway", "behind")])
def test_websocket_refused(code, words, tmp_path):
    cap = Capture()
    t = Tcp(cap, port=80).open()
    t.c(b"GET /mqtt HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
    t.s(f"HTTP/1.1 {code}\r\nContent-Length: 0\r\n\r\n".encode())
    t.close(1)
    out = verdict(cap, tmp_path)["verdict"]
    assert out["id"] == "websocket.refused" and words in out["next"]
    assert f"with {code}." in out["text"]


@pytest.mark.parametrize("code, words", [(45, "clock is wrong"), (42, "rejected the certificate")])
def test_clock_of_the_client(code, words, tmp_path, pki):
    """The certificate is valid by the capture's clock, and the client says that it is not."""
    cap = Capture()
    t = served(cap, [pki["leaf"], pki["middle"]])
    t.c(alert(code))
    t.close(0)
    out = verdict(cap, tmp_path)["verdict"]
    assert out["id"] == "tls.server-certificate-rejected" and words in out["text"] and "NTP" in out["next"]
    assert time.strftime("%Y-%m-%d", time.gmtime()) in out["next"]


def test_certificate_that_is_over_is_not_the_clients_fault(tmp_path, pki):
    cap = Capture()
    t = served(cap, [pki["leaf"], pki["middle"]], when=int((time.time() + 86400 * 25) * 1e9))
    t.c(alert(45))
    t.close(0)
    out = verdict(cap, tmp_path)
    assert not [f for f in out["findings"] if "NTP" in f["next"]]


def test_name_that_an_internal_error_hides(tmp_path):
    cap = Capture()
    t = Tcp(cap, port=8883).open()
    t.c(client_hello("mqtt.shop.example"))
    t.s(server_hello() + HELLO_DONE)
    t.c(alert(80))
    t.close(0)
    assert "name" in verdict(cap, tmp_path)["verdict"]["next"]


def test_only_what_was_retained_arrived(tmp_path):
    cap = Capture()
    subscriber(cap, "cmd/#").s(publish("cmd/valve", b"open", retain=True))
    out = verdict(cap, tmp_path)
    assert out["fine"] and "before the capture began" in out["verdict"]["text"]


def test_broadcast_alone_is_another_matter(tmp_path):
    """Neighbours that are asked for once, and hosts that ask for many, are ordinary."""
    cap = Capture(ETHERNET)
    for n in range(8):
        cap.arp("10.0.0.2", f"10.0.0.{10 + n}")
    assert not ids(verdict(cap, tmp_path))
    cap = Capture(ETHERNET)
    for n in range(8):
        for _ in range(3):
            cap.arp("10.0.0.2", f"10.0.0.{10 + n}")
            cap.wait(1)
    assert "link.no-neighbour" not in ids(verdict(cap, tmp_path))


def hello_13(cap):
    t = Tcp(cap, port=8883).open()
    t.c(client_hello("broker.example"))
    t.s(server_hello_13() + CCS + record(23, bytes(1200)))
    return t


def test_short_and_healthy_tls_13(tmp_path):
    """One record each way behind the handshake, and the server closes without saying so."""
    cap = Capture()
    t = hello_13(cap)
    t.c(CCS + record(23, bytes(53)))
    t.c(record(23, bytes(21)))
    for n in (234, 234, 21):
        t.s(record(23, bytes(n)))
    t.close(1)
    assert verdict(cap, tmp_path)["fine"]


def test_client_that_loses_interest(tmp_path):
    """Browsers open more connections than they need: closed by the client behind its Finished, or before any answer."""
    cap = Capture()
    t = hello_13(cap)
    t.c(CCS + record(23, bytes(53)) + record(23, bytes(80)))
    t.fin(0)
    t.rst(1)
    early = Tcp(cap, port=8883, sport=40001).open()
    early.c(client_hello("broker.example"))
    early.fin(0)
    early.s(server_hello_13())
    early.rst(0)
    assert not ids(verdict(cap, tmp_path))


def test_server_that_rejects_a_certificate_of_tls_13(tmp_path):
    """Behind the client's certificate and Finished comes one short record, and the end."""
    cap = Capture()
    t = hello_13(cap)
    t.c(CCS + record(23, bytes(700)) + record(23, bytes(100)) + record(23, bytes(53)))
    t.s(record(23, bytes(19)))
    t.close(1)
    out = verdict(cap, tmp_path)["verdict"]
    assert out["id"] == "tls.broken-off" and out["side"] == "server" and "client's certificate" in out["next"]


def test_ping_uses_a_name(tmp_path):
    cap = Capture()
    cap.lookup("10.0.0.2", "broker.example", "10.0.0.1")
    cap.ip("10.0.0.2", "10.0.0.1", 1, bytes.fromhex("0800f7ff00000000"))
    cap.wait(3)
    cap.dns("10.0.0.2", "10.0.0.53", "broker.example", ident=9)
    assert "tcp.no-attempt" not in ids(verdict(cap, tmp_path))


@pytest.mark.parametrize("name", ["wpad.localdomain", "isatap.corp.example", "_ldap._tcp.dc._msdcs.corp.example"])
def test_curiosity_is_no_failure(name, tmp_path):
    cap = Capture()
    for n in range(3):
        cap.dns("10.0.0.2", "10.0.0.53", name, ident=n)
        cap.wait(2)
    assert not ids(verdict(cap, tmp_path))


@pytest.mark.parametrize("answered", [True, False])
def test_what_the_broker_took_is_only_claimed_where_it_spoke(answered, tmp_path):
    cap = Capture()
    t = Tcp(cap).open()
    t.c(connect())
    if answered:
        t.s(connack())
    t.c(publish("a/b"))
    assert ("broker took them" in verdict(cap, tmp_path)["verdict"]["text"]) == answered
