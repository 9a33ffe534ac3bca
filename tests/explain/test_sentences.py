# SPDX-License-Identifier: Apache-2.0
"""What a check says depends on what it sees: the same failure, and the sentence or the next step that fits this one."""
import json
import ssl
import time

import pytest

from made import *
from test_checks import explain, pki, served
from test_words import weir
from tls_lab import Capture as SessionCapture, Lab, Pair


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


def test_retained_message_waits_for_the_subscriber(tmp_path):
    cap = Capture()
    t = session(cap)
    t.c(publish("alarm/fire", b"1", retain=True))
    cap.wait(1)
    subscriber(cap, "alarm/#").s(publish("alarm/fire", b"1", retain=True))
    cap.wait(3)
    t.c(PINGREQ)
    assert "leg.subscriber-away" not in ids(verdict(cap, tmp_path))


def test_restarted_broker_is_the_cause_and_refused_devices_its_consequence(tmp_path):
    cap = Capture()
    for n, t in enumerate([session(cap, f"device-{n}", 40010 + n, addr=f"10.0.0.{10 + n}") for n in range(4)]):
        t.close(1)
    for n in range(3):
        cap.wait(1)
        again = Tcp(cap, client=f"10.0.0.{10 + n}", sport=42000 + n)
        again.segment(0, SYN)
        again.rst(1)
    cap.wait(2)
    session(cap, "device-0", 43000, addr="10.0.0.10")
    out = verdict(cap, tmp_path)
    assert out["verdict"]["id"] == "mqtt.broker-gone"
    assert "ended 4 connections" in out["verdict"]["text"] and "that failed: 3" in out["verdict"]["text"] and "again after 5" in out["verdict"]["text"]
    assert [f["severity"] for f in out["findings"] if f["id"] in ("tcp.refused", "mqtt.dropped")].count("error") == 0


def test_hello_without_a_name(tmp_path):
    cap = Capture()
    t = Tcp(cap, port=8883).open()
    t.c(client_hello())
    t.s(record(21, b"\2\x70"))
    t.close(1)
    out = verdict(cap, tmp_path)["verdict"]
    assert out["id"] == "tls.unrecognized-name" and "no SNI" in out["text"] and "(none)" not in out["text"]


@pytest.mark.parametrize("method, severity", [("POST", "warning"), ("GET", "note")])
@pytest.mark.parametrize("status", ["401 Unauthorized", "404 Not Found", "413 Content Too Large"])
def test_data_that_a_server_refuses_is_lost(tmp_path, method, severity, status):
    """Who only asks and is told no has lost nothing."""
    cap = Capture()
    t = Tcp(cap, port=80).open()
    t.c(f"{method} /data HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".encode())
    t.s(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
    t.close()
    assert [f["severity"] for f in verdict(cap, tmp_path)["findings"] if f["id"] == "http.error"] == [severity]


def test_challenge_that_is_met_is_no_loss(tmp_path):
    cap = Capture()
    t = Tcp(cap, port=80).open()
    for status in ("401 Unauthorized", "201 Created"):
        t.c(b"POST /data HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        t.s(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
    assert not ids(verdict(cap, tmp_path))


def test_proxy_that_wants_a_password(tmp_path):
    cap = Capture()
    t = Tcp(cap, port=3128).open()
    t.c(b"CONNECT broker.example:8883 HTTP/1.1\r\nHost: broker.example:8883\r\n\r\n")
    t.s(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    t.close(1)
    out = verdict(cap, tmp_path)["verdict"]
    assert out["severity"] == "error" and "broker.example:8883" in out["text"] and "of the proxy" in out["next"]


def test_message_of_qos_0_for_a_session_that_waits(tmp_path):
    cap = Capture()
    d = subscriber(cap, "alarm/#", qos=1, clean=False)
    d.c(DISCONNECT)
    d.close()
    cap.wait(1)
    t = session(cap, "pub", 40007, addr="10.0.0.4")
    t.c(publish("alarm/fire"))
    cap.wait(2)
    t.c(PINGREQ)
    out = verdict(cap, tmp_path)["verdict"]
    assert out["id"] == "leg.subscriber-away" and "with QoS 0" in out["text"] and "QoS 1" in out["next"]


@pytest.mark.parametrize("name", ["wpad", "isatap", "wpad.lan"])
def test_names_nobody_configured(tmp_path, name):
    cap = Capture()
    cap.dns("10.0.0.2", "10.0.0.53", name)
    cap.dns("10.0.0.2", "10.0.0.53", name, rcode=3)
    assert not ids(verdict(cap, tmp_path))


def test_name_server_that_answers_others(tmp_path):
    cap = Capture()
    cap.lookup("10.0.0.2", "time.example", "10.0.0.9")
    for n in range(3):
        cap.dns("10.0.0.2", "10.0.0.53", "broker.example", ident=n)
        cap.wait(1)
    out = [f for f in verdict(cap, tmp_path)["findings"] if f["id"] == "dns.unanswered"][0]
    assert "can be reached" in out["next"] and out["frames"] == [3, 5]


@pytest.mark.parametrize("wrong", [connect(b"pump\xff"), publish("a/#")])
def test_what_a_broker_closes_on_is_named(tmp_path, wrong):
    """That the broker closed, and without a word, is the consequence."""
    cap = Capture()
    if wrong[0] == 0x10:
        t = Tcp(cap).open()
    else:
        t = session(cap)
    t.c(wrong)
    t.close(1)
    out = verdict(cap, tmp_path)
    assert ids(out) == ["mqtt.violation"] and out["verdict"]["severity"] == "error" and "closed the connection on it" in out["verdict"]["text"]


@pytest.mark.parametrize("first, ident", [(connect(), "mqtt.no-connack"), (client_hello("b.example"), "tls.no-answer")])
def test_another_service_says_who_it_is(tmp_path, first, ident):
    cap = Capture()
    t = Tcp(cap).open() if ident.startswith("mqtt") else Tcp(cap, port=8883).open()
    t.s(b"220 mail.example ESMTP\r\n")
    t.c(first)
    cap.wait(6)
    t.close(1)
    out = verdict(cap, tmp_path)["verdict"]
    assert out["id"] == ident and "220 mail.example ESMTP" in out["text"]


def test_a_bridge_is_no_other_broker(tmp_path):
    """The message is seen going to the subscriber's broker too."""
    cap = Capture()
    subscriber(cap, "home/#")
    t = Tcp(cap, server="10.0.0.9").open()
    t.c(connect())
    t.s(connack())
    t.c(publish("home/temp"))
    session(cap, "bridge", 40009, addr="10.0.0.9").c(publish("home/temp"))
    assert "leg.other-broker" not in ids(verdict(cap, tmp_path))


@pytest.mark.parametrize("refused", [True, False])
def test_refused_inside_tls_12(tmp_path, refused):
    cap = Capture()
    t = Tcp(cap, port=8883).open()
    t.c(client_hello("broker.example"))
    t.s(server_hello() + message(14, b""))
    t.c(message(16, bytes(66)) + CCS + record(22, bytes(40)))
    t.s(CCS + record(22, bytes(40)))
    t.c(record(23, bytes(60)))
    t.s(record(23, bytes(28)))
    t.close(1 if refused else 0)
    assert ("mqtt.refused-inside-tls" in ids(verdict(cap, tmp_path))) == refused


@pytest.mark.parametrize("late", [True, False])
def test_request_on_a_connection_that_has_ended(tmp_path, late):
    cap = Capture()
    t = Tcp(cap, port=80).open()
    ask = b"POST /data HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    t.c(ask)
    t.s(b"HTTP/1.1 204 No Content\r\n\r\n")
    cap.wait(5)
    t.fin(1)
    t.segment(0, ACK)
    if late:
        cap.wait(1)
        t.c(ask, acked=False)
        t.rst(1)
    else:
        t.fin(0)
    out = verdict(cap, tmp_path)
    assert ids(out) == (["http.no-answer"] if late else [])
    if late:
        assert "had closed the connection" in out["verdict"]["text"]


@pytest.mark.parametrize("other", ["10.0.0.1", "10.0.0.77", None])
def test_next_address_of_a_name(tmp_path, other):
    """An address that refuses is no failure where the next one takes the connection; that of somebody else's is no next one."""
    cap = Capture()
    first = Tcp(cap, client="2001:db8::2", server="2001:db8::1", sport=40001)
    first.segment(0, SYN)
    first.rst(1)
    if other == "10.0.0.77":  # another port
        t = Tcp(cap, port=8883).open()
        t.c(client_hello("broker.example"))
    elif other:
        session(cap).c(publish("a/b"))
    out = verdict(cap, tmp_path)
    assert [f["severity"] for f in out["findings"] if f["id"] == "tcp.refused"] == ["note" if other == "10.0.0.1" else "error"]


@pytest.mark.parametrize("topic,severity", [("home/kitchen/oven/temp", "warning"), ("home/kitchen/oven/state", "note")])
def test_a_level_too_many(tmp_path, topic, severity):
    """Where all but one level is alike, that one is too many; else it is another topic."""
    cap = Capture()
    d = subscriber(cap, "home/+/temp")
    session(cap, "pub", 40007, addr="10.0.0.4").c(publish(topic))
    cap.wait(3)
    d.c(PINGREQ)
    found = [f for f in verdict(cap, tmp_path)["findings"] if f["id"] == "leg.topic-unmatched"]
    assert [f["severity"] for f in found] == [severity] and "levels" in found[0]["text"]


@pytest.mark.parametrize("filt,topic,severity", [("a/+", "a/b/c", "warning"), ("a/+", "a/b/c/d", "warning"), ("a/+/+", "a/b", "warning"), ("a/+/set", "a/b", "note"),
                                                 ("x/+", "a/b/c", None), ("sensors/+", "sensors", "warning"), ("+/+", "a/b/c", "warning"), ("+/+", "a", "warning"),
                                                 ("$share/g/a/+", "a/b/c", "warning")])
@pytest.mark.parametrize("gets", [False, True])
def test_one_plus_for_two_levels(tmp_path, filt, topic, severity, gets):
    """Who gets nothing at all by a filter with a level too few or too many subscribed wrongly; who gets other messages did not."""
    cap = Capture()
    d = subscriber(cap, filt)
    p = session(cap, "pub", 40007, addr="10.0.0.4")
    p.c(publish(topic))
    if gets:
        other = filt.removeprefix("$share/g/").replace("+", "other")
        p.c(publish(other))
        d.s(publish(other))
    cap.wait(3)
    d.c(PINGREQ)
    found = [f for f in verdict(cap, tmp_path)["findings"] if f["id"] == "leg.topic-unmatched" and f"`{topic}`" in f["text"]]
    assert [f["severity"] for f in found] == ([] if not severity else ["note"] if gets else [severity])
    assert severity != "warning" or "levels" in found[0]["text"] and "exactly one level" in found[0]["next"]


@pytest.mark.parametrize("filt,words", [("$share/g/Sensors/#", "case"), ("$share/g/sensor/a", "spelling"), ("$share/g/other/a", None), ("sensors/+/a", "levels")])
def test_filters_of_groups_and_with_wildcards(tmp_path, filt, words):
    """What $share/NAME/ stands before is compared like any other filter (MQTT 5.0 4.8.2); a wildcard is not misspelt."""
    cap = Capture()
    d = subscriber(cap, filt)
    session(cap, "pub", 40007, addr="10.0.0.4").c(publish("sensors/a"))
    cap.wait(3)
    d.c(PINGREQ)
    found = [f["text"] for f in verdict(cap, tmp_path)["findings"] if f["id"] == "leg.topic-unmatched"]
    assert len(found) == bool(words) and (not words or words in found[0]), found


def test_message_for_nobody_whose_topic_is_not_known(tmp_path):
    cap = Capture()
    t = session(cap, version=5)
    t.seq[0] += 30  # the PUBLISH was not captured
    t.s(ack(4, code=0x10))
    said = [f["text"] for f in verdict(cap, tmp_path)["findings"] if f["id"] == "mqtt.no-subscribers"]
    assert len(said) == 1 and "unknown" not in said[0] and "(topic" not in said[0], said


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_to_wait_for_a_session_is_gone(tmp_path, kept):
    cap = Capture()
    subscriber(cap, "alarm/#", qos=1, clean=False).close()
    t = session(cap, "pub", 40007, addr="10.0.0.4")
    t.c(publish("alarm/fire", qos=1))
    t.s(ack(4))
    cap.wait(1)
    back = session(cap, "dashboard", 41001, addr="10.0.0.3", clean=False, kept=kept)
    cap.wait(3)
    back.c(PINGREQ)
    back.s(PINGRESP)
    out = verdict(cap, tmp_path)
    assert ids(out) == ["leg.not-delivered"]
    assert ("came back to its session" if kept else "no session for it") in out["verdict"]["text"]


def test_what_waited_for_a_session_is_not_slow(tmp_path):
    cap = Capture()
    subscriber(cap, "alarm/#", qos=1, clean=False).close()
    t = session(cap, "pub", 40007, addr="10.0.0.4")
    t.c(publish("alarm/fire", qos=1))
    t.s(ack(4))
    cap.wait(10)
    back = session(cap, "dashboard", 41001, addr="10.0.0.3", clean=False, kept=True)
    back.s(publish("alarm/fire", qos=1))
    back.c(ack(4))
    cap.wait(3)
    back.c(PINGREQ)
    back.s(PINGRESP)
    assert not ids(verdict(cap, tmp_path))


def test_one_device_is_enough_to_see_that_a_broker_stopped(tmp_path):
    cap = Capture()
    session(cap, "device").close(1)
    for port in (40001, 40002):
        cap.wait(1)
        t = Tcp(cap, client="10.0.0.2", sport=port)
        t.segment(0, SYN)
        t.segment(1, RST | ACK, ack=1001)
    out = verdict(cap, tmp_path)
    assert out["verdict"]["id"] == "mqtt.broker-gone" and "did not come back" in out["verdict"]["text"]
    assert {f["severity"] for f in out["findings"] if f["id"] in ("tcp.refused", "mqtt.dropped")} == {"warning"}


def test_answer_to_a_syn_does_not_arrive(tmp_path):
    """A client that repeats its SYN was not reached by the SYN/ACK; one that does not has answered it."""
    cap = Capture()
    t = Tcp(cap)
    for wait in (1, 2, 4):
        t.segment(0, SYN)
        t.segment(1, SYN | ACK, ack=1001)
        cap.wait(wait)
    out = verdict(cap, tmp_path)["verdict"]
    assert out["id"] == "tcp.handshake-ack-lost" and "keeps asking" in out["text"]


def test_neighbour_whose_address_a_name_server_told(tmp_path):
    """That other things work does not matter then, and the connection was tried."""
    cap = Capture(ETHERNET)
    cap.lookup("10.0.0.2", "broker.example", "10.0.0.9")
    for n in range(3):
        cap.arp("10.0.0.2", "10.0.0.9")
        cap.wait(1)
    out = verdict(cap, tmp_path)
    assert out["verdict"]["id"] == "link.no-neighbour" and ids(out) == ["link.no-neighbour"]


def test_dead_after_silence_is_not_closed_on_a_packet(tmp_path):
    cap = Capture()
    t = session(cap)
    cap.wait(300)
    t.c(publish("a/b"), acked=False)
    t.rst(1)
    assert ids(verdict(cap, tmp_path)) == ["tcp.idle-reset"]


def test_request_in_chunks_without_the_last_one(tmp_path):
    cap = Capture()
    t = Tcp(cap, port=80).open()
    t.c(b"POST /readings HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    cap.wait(15)
    t.close()
    out = verdict(cap, tmp_path)["verdict"]
    assert out["id"] == "http.incomplete" and "last chunk" in out["text"]


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("how", ["close", "reset", "silence", "impatience", "unseen"])
@pytest.mark.parametrize("rest", [b"Content-Length: 100\r\n\r\n" + b"a" * 40, b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"\r\nhello"])
def test_answer_that_never_comes_whole(tmp_path, rest, how):
    """Who ended it, and whether more was due, is what counts: not each answer has a length (RFC 9112 6.3), and an unending one
    in chunks may pause as long as it likes."""
    cap = Capture()
    t = Tcp(cap, port=80).open()
    t.c(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
    t.s(OK + b"Content-Length: 2\r\n\r\nok")
    t.c(b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
    for part in (OK[:9], OK[9:] + rest):  # the head comes in two segments
        t.s(part, acked=how != "unseen")
    cap.wait(20 if how in ("silence", "unseen") else 1)
    if how in ("close", "impatience"):
        t.close(how == "close")
    elif how == "reset":
        t.rst(1)
    else:
        cap.udp("10.0.0.2", 123, "10.0.0.9", 123, bytes(48))
    out = verdict(cap, tmp_path)
    due = how in ("close", "reset") and rest[0:1] != b"\r" or how == "silence" and rest[0:1] == b"C"
    assert ids(out) == ["http.answer-incomplete"] * due, ids(out)
    if due:
        words = {"close": "it closed", "reset": "it reset", "silence": "nothing more came"}[how]
        assert words in out["verdict"]["text"] and "/second" in out["verdict"]["text"]
        assert ("100 bytes" in out["verdict"]["text"] and "only 40 of" in out["verdict"]["text"]) == (rest[0:1] == b"C")


@pytest.mark.parametrize("method,answer", [("HEAD", [OK + b"Content-Length: 100\r\n\r\n"]), ("GET", [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"]),
                                           ("GET", [OK + b"Content-Length: 17\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])])
def test_answer_that_only_looks_parted(tmp_path, method, answer):
    """One that has no body (RFC 9112 6.3), and one whose body looks like an answer."""
    cap = Capture()
    t = Tcp(cap, port=80).open()
    t.c(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    for part in answer:
        t.s(part)
    t.close(1)
    assert ids(verdict(cap, tmp_path)) == []


def test_request_that_a_server_has_enough_of(tmp_path):
    """Who is refused before the body came has nothing to complete."""
    cap = Capture()
    t = Tcp(cap, port=80).open()
    t.c(b"POST /readings HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n" + b"a" * 12)
    t.s(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    t.close(1)
    assert "http.incomplete" not in ids(verdict(cap, tmp_path))


@pytest.mark.parametrize("port,severity", [(443, "note"), (8883, "warning")])
def test_handshake_of_tls_12_that_both_ended(tmp_path, port, severity):
    """Nobody broke it off: who rejects a certificate does so before it changes to the new keys."""
    cap = Capture()
    t = Tcp(cap, port=port).open()
    t.c(client_hello("broker.example"))
    t.s(server_hello())
    for side in (0, 1):
        t.send(side, CCS + record(22, bytes(40)))
    t.c(record(21, bytes(26)))
    t.close()
    found = [f for f in verdict(cap, tmp_path)["findings"] if f["id"] == "tls.broken-off"]
    assert [f["severity"] for f in found] == [severity] and "was complete" in found[0]["text"]


def test_server_that_does_not_know_a_name_and_goes_on(tmp_path):
    cap = Capture()
    t = Tcp(cap, port=443).open()
    t.c(client_hello("broker.example"))
    t.s(alert(112, level=1) + server_hello())
    for side in (0, 1):
        t.send(side, CCS + record(22, bytes(40)))
    for side in (0, 1):
        t.send(side, data())
    t.close()
    out = verdict(cap, tmp_path)
    assert not ids(out) and any("went on" in f["text"] for f in out["findings"])


def test_one_of_two_connections_is_given_up(tmp_path):
    cap = Capture()
    first = Tcp(cap, port=443).open(last_ack=False)
    first.segment(0, RST, seq=1001)
    Tcp(cap, port=443, sport=40001).open().c(b"x" * 10)
    assert not ids(verdict(cap, tmp_path))


def test_a_second_try_does_not_excuse_the_first(tmp_path):
    cap = Capture()
    first = Tcp(cap, port=443).open(last_ack=False)
    first.segment(0, RST, seq=1001)
    cap.wait(0.2)
    Tcp(cap, port=443, sport=40001).open().c(b"x" * 10)
    assert ids(verdict(cap, tmp_path)) == ["tcp.handshake-reset-by-client"]


def test_dead_after_silence_behind_something_that_acknowledges(tmp_path):
    cap = Capture()
    t = session(cap)
    cap.wait(300)
    t.c(publish("a/b"))
    t.rst(1)
    assert ids(verdict(cap, tmp_path)) == ["tcp.idle-reset"]


def test_reset_of_an_idle_connection_that_lives(tmp_path):
    """Both sides showed after the silence that they were there."""
    cap = Capture()
    t = Tcp(cap, port=9000).open()
    t.c(b"hello")
    cap.wait(60)
    t.segment(1, ACK, b"x", seq=8999)
    t.segment(0, ACK)
    cap.wait(14)
    t.rst(0)
    assert "tcp.idle-reset" not in ids(verdict(cap, tmp_path))


def test_first_answer_in_tls_was_not_captured(tmp_path):
    cap = Capture()
    t = Tcp(cap, port=443).open()
    t.c(client_hello("broker.example"))
    t.seq[1] += 1400
    t.s(b"the rest of a certificate" * 10)
    for side in (0, 1):
        t.send(side, CCS + record(22, bytes(40)))
    for side in (0, 1):
        t.send(side, data())
    t.close()
    assert "tls.no-answer" not in ids(verdict(cap, tmp_path))


def test_a_broker_with_two_addresses_is_one(tmp_path):
    """On `any` who is on the broker's machine speaks to 127.0.0.1, and everybody else to its address."""
    cap = Capture()
    d = subscriber(cap, "a/#")
    t = Tcp(cap, client="127.0.0.1", server="127.0.0.1", sport=40007).open()
    t.c(connect("pub"))
    t.s(connack())
    t.c(publish("a/b"))
    d.s(publish("a/b"))
    cap.wait(3)
    d.c(PINGREQ)
    d.s(PINGRESP)
    out = verdict(cap, tmp_path)
    assert not ids(out) and "another address" in out["verdict"]["text"]


def test_message_of_qos_0_among_others_need_not_wait(tmp_path):
    cap = Capture()
    subscriber(cap, "alarm/#", qos=1, clean=False).close()
    t = session(cap, "pub", 40007, addr="10.0.0.4")
    t.c(publish("alarm/fire", b"1", qos=1))
    t.s(ack(4))
    t.c(publish("alarm/fire", b"2"))
    cap.wait(1)
    back = session(cap, "dashboard", 41001, addr="10.0.0.3", clean=False, kept=True)
    back.s(publish("alarm/fire", b"1", qos=1))
    back.c(ack(4))
    cap.wait(3)
    back.c(PINGREQ)
    back.s(PINGRESP)
    assert not ids(verdict(cap, tmp_path))


def test_what_came_is_no_connect(tmp_path):
    """Bytes that are not MQTT, and a CONNECT that stops half-way, are not silence, however they are parted."""
    begun = connect()[:10]
    only_10 = "of 22 bytes to the broker 10.0.0.1:1883 and sent only 10"
    for parts, said in (([b"0123456789abcdef"], "bytes: 16"), ([b"0", b"123456789abcdef"], "bytes: 16"), ([begun[:1]], "bytes: 1"), ([begun], only_10), ([begun[:1], begun[1:2], begun[2:]], only_10)):
        cap = Capture()
        t = Tcp(cap).open()
        sent = [t.c(part) for part in parts][-1]
        cap.wait(8)
        t.close(1)
        out = verdict(cap, tmp_path)
        assert ids(out) == ["mqtt.no-connect"] and said in out["verdict"]["text"], out["verdict"]["text"]
        assert sent in out["verdict"]["frames"]


def test_a_connect_that_stops_is_known_on_any_port(tmp_path):
    whole = connect()
    for parts, found in (([whole[:10]], ["mqtt.no-connect"]), ([whole[:1], whole[1:2], whole[2:10]], ["mqtt.no-connect"]), ([whole[:5]], []), ([whole[:1], whole[1:2], whole[2:]], []), ([b"0123456789abcdef"], [])):
        cap = Capture()
        t = Tcp(cap, port=18831).open()
        for part in parts:
            t.c(part)
        cap.wait(8)
        t.close(1)
        assert ids(verdict(cap, tmp_path)) == found, parts


def test_what_the_capture_lost_is_not_the_clients_fault(tmp_path):
    """The broker acknowledged all of a CONNECT of which only the beginning was captured."""
    cap = Capture()
    t = Tcp(cap).open()
    data = connect(will="x" * 3000)
    t.c(data[:1400], acked=False)
    t.seq[0] += len(data) - 1400
    t.segment(1, ACK)
    cap.wait(8)
    t.fin(1)
    assert "mqtt.no-connect" not in ids(verdict(cap, tmp_path))


def test_bytes_behind_the_cut_are_not_judged(tmp_path):
    """Where the capture kept headers only, nobody knows whether it was a CONNECT; a cut elsewhere does not matter."""
    cap = Capture(snaplen=40)
    session(cap).close()
    assert ids(verdict(cap, tmp_path)) == []
    cap = Capture()
    t = Tcp(cap).open()
    t.c(connect()[:10])
    cap.wait(8)
    t.close(1)
    cap.snaplen = 60
    cap.udp("10.0.0.9", 5000, "10.0.0.8", 5001, bytes(200))
    assert "mqtt.no-connect" in ids(verdict(cap, tmp_path))


def test_packets_without_connect(tmp_path):
    """A client that goes on as if it were connected still: why nobody answers is one finding [MQTT-3.1.0-1]."""
    for data in (PINGREQ, publish("a/b", qos=1)):
        cap = Capture()
        t = Tcp(cap).open()
        t.c(data)
        cap.wait(8)
        t.fin(1)
        out = verdict(cap, tmp_path)
        assert out["verdict"]["id"] == "mqtt.no-connect" and "without a CONNECT" in out["verdict"]["text"]
        assert "mqtt.ping-unanswered" not in ids(out) and "mqtt.dropped" not in ids(out), ids(out)
    cap = Capture()
    t = Tcp(cap)  # the connection is older than the capture
    t.c(publish("a/b"))
    cap.wait(8)
    t.c(publish("a/b"))
    assert "mqtt.no-connect" not in ids(verdict(cap, tmp_path))


@pytest.mark.parametrize("suite, options", [(0x009C, ["--key FILE", "--keylog FILE"]), (0xC02F, ["--keylog FILE"])])
def test_how_an_encrypted_session_is_read(tmp_path, suite, options):
    """The server's private key opens what RSA carried the key of, and nothing else; the options are told."""
    cap = Capture()
    tls_session(cap, suite=suite).close()
    said = [f for f in verdict(cap, tmp_path)["findings"] if f["id"] == "tls.readable"]
    assert [o for o in ("--key FILE", "--keylog FILE") if o in said[0]["next"]] == options


def test_keys_that_open_nothing(tmp_path):
    """Who gave keys asked for it: the short answer says why a session stays closed, once for all of one reason."""
    cap = Capture()
    cap.secrets = FOREIGN_KEYS
    for n in range(3):
        tls_session(cap, sport=40000 + n)
    tls_session(cap, sport=40010, suite=0x00FF)
    out = verdict(cap, tmp_path)
    assert out["fine"] and [f["text"].split(":")[0] for f in out["findings"] if f["id"] == "tls.keys"] == [
        "The keys given do not open 3 of 4 TLS sessions",
        "The keys given do not open 1 of 4 TLS sessions",
    ]
    short = weir("explain", tmp_path / "it.pcap").stdout
    assert short.count("tls.keys") == 2 and "another run or program" in short and "tls.readable" not in short
    assert "Notes not shown: 5 " in short, short
    assert weir("explain", tmp_path / "it.pcap", "--md").stdout.count("The keys given") == 2
    cap.secrets = b""
    assert "tls.keys" not in [f["id"] for f in verdict(cap, tmp_path)["findings"]]


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("tls"))


def errors_in(pair, log, tmp_path):
    """The errors that are found in a session its key log opens, with what to do next."""
    wire = SessionCapture()
    pair.record(wire, port=8883)
    out = json.loads(weir("explain", wire.write(tmp_path / "tls.pcap"), "--keylog", log, "--json").stdout)
    return {f["id"]: f["next"] for f in out["findings"] if f["severity"] == "error" and f["id"] != "tls.certificate-dates"}


def in_tls(tls, tmp_path, version, *said):
    """What is explained of a session that its key log opens; the server's tickets come behind the client's first words."""
    log = tmp_path / "keys.log"
    pair = Pair(*tls.contexts(version, "DEFAULT", str(log))).handshake()
    for side, data in said:
        pair.say(side, data)
    if version == ssl.TLSVersion.TLSv1_3:
        pair.log[3], pair.log[4] = pair.log[4], pair.log[3]
    pair.bye()
    return errors_in(pair, log, tmp_path)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_answer_inside_tls(tls, tmp_path, version):
    """What the server says of TLS itself, its handshake, tickets and alerts, is no answer to what is inside."""
    get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    out = in_tls(tls, tmp_path, version, (0, get))
    assert list(out) == ["http.no-answer"] and "port of MQTT brokers" in out["http.no-answer"]
    assert not in_tls(tls, tmp_path, version, (0, get), (1, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
    assert list(in_tls(tls, tmp_path, version, (0, connect()))) == ["mqtt.no-connack"]
    assert not in_tls(tls, tmp_path, version, (0, connect()), (1, connack()), (0, DISCONNECT))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("head, body, due", [
    (b"Content-Length: 40000", [b"a" * 30000], "40000 bytes to 10.0.0.1:20001 and sent only 30000 of them"),
    (b"Content-Length: 40000", [b"a" * 10, b"a" * 19990, b"a" * 10000], "sent only 30000 of them"),
    (b"Transfer-Encoding: chunked", [b"3e8\r\n" + b"a" * 1000 + b"\r\n"] * 3, "never sent the last chunk"),
    (b"Content-Length: 30000", [b"a" * 10000] * 3, ""),
    (b"Transfer-Encoding: chunked", [b"3e8\r\n" + b"a" * 1000 + b"\r\n", b"0\r\n\r\n"], ""),
])
def test_an_answer_inside_tls_that_is_not_whole(tls, tmp_path, version, head, body, due):
    """What came of it is counted inside TLS, and who says the end there first has ended it."""
    log = tmp_path / "keys.log"
    pair = Pair(*tls.contexts(version, "DEFAULT", str(log))).handshake()
    for n in range(2):
        pair.say(0, b"GET /firmware HTTP/1.1\r\nHost: a\r\n\r\n")
        pair.say(1, b"HTTP/1.1 200 OK\r\n" + (head if n else b"Content-Length: 4") + b"\r\n\r\n" + (b"" if n else b"done"))
    for part in body:
        pair.say(1, part)
    with pytest.raises(ssl.SSLError):
        pair.ends[1].unwrap()
    pair.collect(1)
    pair.bye()
    wire = SessionCapture()
    pair.record(wire, port=443)
    out = json.loads(weir("explain", wire.write(tmp_path / "tls.pcap"), "--keylog", log, "--json").stdout)
    said = [f["text"] for f in out["findings"] if f["id"] == "http.answer-incomplete"]
    assert len(said) == bool(due) and due in "".join(said), out["findings"]
    assert all("/firmware" in text and text.endswith("it closed the connection.") for text in said)


@pytest.mark.parametrize("sent", [4, 8])
def test_a_later_request_inside_tls_that_is_not_whole(tls, tmp_path, sent):
    head = b"POST /readings HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n"
    ok = b"HTTP/1.1 204 No Content\r\n\r\n"
    said = [(0, head + b"12345678"), (1, ok), (0, head), (0, b"1234"), (0, b"5678"[:sent - 4])]
    out = in_tls(tls, tmp_path, ssl.TLSVersion.TLSv1_3, *[s for s in said if s[1]], *[(1, ok)] * (sent == 8))
    assert list(out) == ["http.incomplete"] * (sent < 8)


@pytest.mark.parametrize("first", [connect(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_an_alert_is_no_silence(tls, tmp_path, first):
    """A client of TLS 1.3 speaks before it hears that its certificate is missed: that is one fault, not two."""
    log = tmp_path / "keys.log"
    client, server = tls.contexts(ssl.TLSVersion.TLSv1_3, "DEFAULT", str(log))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(tls.cert("rsa"))
    pair = Pair(client, server)
    for side in (0, 1, 0):
        try:
            pair.ends[side].do_handshake()
        except ssl.SSLWantReadError:
            pass
        pair.collect(side)
    pair.ends[0].write(first)
    pair.collect(0)
    with pytest.raises(ssl.SSLError, match="did not return a certificate"):
        pair.ends[1].do_handshake()
    pair.collect(1)
    assert list(errors_in(pair, log, tmp_path)) == ["tls.client-certificate"]


def test_alert_behind_the_end(tls, tmp_path):
    """A client that leaves without close_notify is told decode_error (OpenSSL 3): nothing was broken off by that."""
    for first in (0, 1):
        cap = Capture()
        t = Tcp(cap, port=8883).open()
        t.c(client_hello())
        t.s(server_hello() + HELLO_DONE)
        if first == 0:
            t.fin(0)
        t.s(alert(50))
        t.fin(1)
        said = ids(verdict(cap, tmp_path))
        assert ("tls.alert" in said) == (first == 1), said
