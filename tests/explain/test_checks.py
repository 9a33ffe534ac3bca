# SPDX-License-Identifier: Apache-2.0
"""Every check of `weir explain --list` has a capture that triggers it and a near miss that does not. A case is a function of a
capture and of `hit`; it is the same story told twice, with one thing different."""
import json
import os
import struct
import subprocess
import time

import pytest

from made import *

WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))
CASES = {}


def case(ident):
    def add(function):
        assert ident not in CASES
        CASES[ident] = function
        return function

    return add


def explain(path):
    run = subprocess.run([WEIR, "explain", str(path), "--json", "--lang", "en"], capture_output=True, timeout=60)
    assert run.returncode in (0, 1), run.stderr.decode()
    return json.loads(run.stdout)


# The capture itself.


@case("capture.empty")
def _(cap, hit):
    if not hit:
        session(cap).close()


@case("capture.one-way")
def _(cap, hit):
    t = session(cap)
    for _ in range(6):
        t.c(publish("a/b"), acked=False)
    if hit:  # what the server sent took another way
        src = struct.pack("!BBBB", 10, 0, 0, 2)
        cap.records = [r for r in cap.records if r[16 + 12 : 16 + 16] == src]


@case("capture.cut")
def _(cap, hit):
    if hit:
        cap.snaplen = 60
    session(cap).c(publish("a/b", b"x" * 200))


@case("capture.drops")
def _(cap, hit):
    cap.as_pcapng = {"drops": 7 if hit else 0}
    session(cap).close()


@case("capture.midway")
def _(cap, hit):
    t = Tcp(cap)
    if not hit:
        t.open()
        t.c(connect())
        t.s(connack())
    t.c(PINGREQ)
    t.s(PINGRESP)


@case("capture.twice")
def _(cap, hit):
    t = session(cap)
    for n in range(4):
        for copy in range(2):  # sent again by TCP a segment has another identification
            t.segment(0, PSH | ACK, publish("a/b", b"%d" % n), ident=500 + n if hit else 500 + 2 * n + copy, step=0.001 if hit else 0.3)
        t.seq[0] += len(publish("a/b", b"0"))
        t.segment(1, ACK)


@case("capture.offload")
def _(cap, hit):
    t = session(cap)
    for _ in range(3):
        t.segment(0, PSH | ACK, publish("a/b"), summed=not hit)
        t.seq[0] += len(publish("a/b"))


@case("capture.clock")
def _(cap, hit):
    t = session(cap)
    cap.wait(-30 if hit else -0.003)
    t.c(PINGREQ)


@case("capture.others")
def _(cap, hit):
    for n in range(5):
        cap.udp("10.0.0.9", 5353, "224.0.0.251" if hit or n else "10.0.0.1", 5353, bytes(12))


@case("capture.limits")
def _(cap, hit):
    t = session(cap)
    for n in range(2050 if hit else 2000):
        t.c(publish("t/%d" % n), acked=False)


# The network below TCP.


@case("link.no-neighbour")
def _(cap, hit):
    cap.link = ETHERNET
    for n in range(3):
        cap.arp("10.0.0.2", "10.0.0.1")
        cap.wait(1)
    if not hit:
        cap.arp("10.0.0.2", "10.0.0.1", answer=True)


@case("link.no-address")
def _(cap, hit):
    for n in range(3):
        cap.dhcp(1)
        cap.wait(2)
    if not hit:
        cap.dhcp(2)


@case("udp.refused")
def _(cap, hit):
    for n in range(3):
        cap.udp("10.0.0.2", 40000, "10.0.0.1", 5683, bytes.fromhex("40010001b474656d70"))
        if hit or not n:  # one alone is chance
            cap.unreachable("10.0.0.2", 40000, "10.0.0.1", 5683)


@case("udp.no-answer")
def _(cap, hit):
    for n in range(4):
        cap.udp("10.0.0.2", 123, "10.0.0.9", 123, b"\x23" + bytes(47))
        cap.wait(2)
    if not hit:
        cap.udp("10.0.0.9", 123, "10.0.0.2", 123, b"\x24" + bytes(47))


@case("link.address-twice")
def _(cap, hit):
    cap.link = ETHERNET
    for n in range(3):  # a spare that takes over once is none
        cap.arp("10.0.0.7", "10.0.0.2", answer=True, mac=2 if not hit or n != 1 else 9)
        cap.wait(30)
    cap.arp("10.0.0.7", "10.0.0.2", answer=True, mac=9)


# DNS.


@case("dns.unanswered")
def _(cap, hit):
    for n in range(3):
        cap.dns("10.0.0.2", "10.0.0.53", "broker.example", ident=n)
        cap.wait(2)
    if not hit:
        cap.dns("10.0.0.2", "10.0.0.53", "broker.example", rcode=0, addresses=["10.0.0.1"], ident=2)
        session(cap)


@case("dns.nxdomain")
def _(cap, hit):
    cap.dns("10.0.0.2", "10.0.0.53", "broker.exmaple")
    cap.dns("10.0.0.2", "10.0.0.53", "broker.exmaple", rcode=3)
    if not hit:  # a step of the resolver's search list
        cap.dns("10.0.0.2", "10.0.0.53", "broker.exmaple.lan")
        cap.dns("10.0.0.2", "10.0.0.53", "broker.exmaple.lan", rcode=0, addresses=["10.0.0.1"])
        session(cap)


@case("dns.nowhere")
def _(cap, hit):
    cap.lookup("10.0.0.2", "broker.example", "0.0.0.0" if hit else "10.0.0.1")
    cap.wait(2)
    if not hit:
        session(cap)


@case("dns.servfail")
def _(cap, hit):
    cap.dns("10.0.0.2", "10.0.0.53", "broker.example")
    cap.dns("10.0.0.2", "10.0.0.53", "broker.example", rcode=2)
    if not hit:
        cap.lookup("10.0.0.2", "broker.example", "10.0.0.1")
        session(cap)


@case("dns.slow")
def _(cap, hit):
    cap.dns("10.0.0.2", "10.0.0.53", "broker.example")
    cap.wait(1.5 if hit else 0.3)
    cap.dns("10.0.0.2", "10.0.0.53", "broker.example", rcode=0, addresses=["10.0.0.1"])
    session(cap)


@case("dns.only-ipv6")
def _(cap, hit):
    cap.dns("10.0.0.2", "10.0.0.53", "broker.example", kind=28)
    cap.dns("10.0.0.2", "10.0.0.53", "broker.example", kind=28, rcode=0, addresses=["2001:db8::1"])
    cap.dns("10.0.0.2", "10.0.0.53", "broker.example", kind=1)
    cap.dns("10.0.0.2", "10.0.0.53", "broker.example", kind=1, rcode=0, addresses=[] if hit else ["10.0.0.1"])
    cap.wait(3)
    cap.udp("10.0.0.2", 123, "10.0.0.9", 123, bytes(48))


@case("dns.no-query")
def _(cap, hit):
    if not hit:
        cap.lookup("10.0.0.2", "broker.example", "10.0.0.1")
    session(cap)


# TCP.


@case("tcp.no-attempt")
def _(cap, hit):
    cap.lookup("10.0.0.2", "harvest.example", "10.0.0.1")
    cap.wait(5)
    cap.udp("10.0.0.2", 123, "10.0.0.9", 123, bytes(48))
    if not hit:
        Tcp(cap, port=8514).open().c(b"hoge")


@case("tcp.no-answer")
def _(cap, hit):
    t = Tcp(cap)
    for wait in (1, 2, 4):
        t.segment(0, SYN)
        cap.wait(wait)
    if not hit:
        t.open()


@case("tcp.refused")
def _(cap, hit):
    t = Tcp(cap)
    if hit:
        t.segment(0, SYN)
        t.segment(1, RST | ACK, ack=1001)
    else:
        t.open()
        t.rst(1)


@case("tcp.unreachable")
def _(cap, hit):
    t = Tcp(cap)
    t.segment(0, SYN)
    quoted = cap.records[-1][16:][:28]
    if not hit:
        t.segment(1, SYN | ACK, ack=1001)
    body = struct.pack("!BBHI", 3, 13, 0, 0) + quoted
    cap.ip("10.0.0.254", "10.0.0.2", 1, body[:2] + struct.pack("!H", checksum(body)) + body[4:])
    if not hit:
        t.seq = [1001, 9001]
        t.segment(0, ACK)


@case("tcp.handshake-reset-by-client")
def _(cap, hit):
    t = Tcp(cap, port=8514).open(last_ack=not hit)
    t.segment(0, RST, seq=1001)


@case("tcp.handshake-ack-lost")
def _(cap, hit):
    t = Tcp(cap).open(last_ack=False)
    for wait in (1, 2, 4):
        t.segment(0, ACK)
        cap.wait(wait)
        if hit:
            t.segment(1, SYN | ACK, seq=9000)


def lose(t, size, cap, times=5):
    for n in range(times):
        t.segment(0, PSH | ACK, bytes(size))
        cap.wait(0.3 * 2**n)


@case("tcp.mtu")
def _(cap, hit):
    t = Tcp(cap, port=9000).open()
    t.c(bytes(100))
    t.c(bytes(1400 if not hit else 300))
    lose(t, 1448 if hit else 1400, cap)
    t.segment(1, ACK)


@case("tcp.data-lost")
def _(cap, hit):
    t = Tcp(cap, port=9000).open()
    t.c(bytes(100))
    lose(t, 120, cap)
    if not hit:
        t.seq[0] += 120
        t.segment(1, ACK)


@case("tcp.zero-window")
def _(cap, hit):
    t = Tcp(cap, port=9000).open()
    t.c(bytes(100), acked=False)
    t.segment(1, ACK, window=0)
    cap.wait(3 if hit else 0.2)
    t.segment(1, ACK, window=5000)
    t.c(bytes(100))


@case("tcp.idle-reset")
def _(cap, hit):
    t = session(cap, keep=600)
    cap.wait(310)
    t.c(PINGREQ, acked=not hit)
    if hit:
        t.segment(1, RST)
    else:
        t.s(PINGRESP)
        t.c(DISCONNECT)


@case("tcp.half-closed")
def _(cap, hit):
    t = Tcp(cap, port=9000).open()
    t.c(b"x")
    t.fin(0)
    t.segment(1, ACK)
    cap.wait(60)
    if not hit:
        t.fin(1)
    cap.udp("10.0.0.2", 123, "10.0.0.9", 123, bytes(48))


@case("tcp.reset")
def _(cap, hit):
    t = session(cap)
    if not hit:
        t.c(DISCONNECT)
    t.rst(0)


@case("tcp.loss")
def _(cap, hit):
    t = Tcp(cap, port=9000).open()
    for n in range(100):
        t.segment(0, PSH | ACK, bytes(200), step=0.3)
        if n % 10 == 0 and (hit or n == 0):
            t.segment(0, PSH | ACK, bytes(200))
        t.seq[0] += 200
        t.segment(1, ACK)


@case("tcp.slow")
def _(cap, hit):
    for n in range(5):
        Tcp(cap, sport=40000 + n, port=9000).open(rtt=0.9 if n == 4 and hit else 0.05).c(b"x")


@case("tcp.no-data")
def _(cap, hit):
    t = Tcp(cap, port=9000).open()
    cap.wait(5)
    if not hit:
        t.c(b"x")
    t.close()


# TLS.


@case("tls.no-answer")
def _(cap, hit):
    t = Tcp(cap, port=8883).open()
    t.c(client_hello("broker.example"))
    if not hit:
        t.s(server_hello() + HELLO_DONE)
    t.fin(1)


def alerting(ident, code, side=0, near=90, asked=False, **hello):
    @case(ident)
    def _(cap, hit):
        t = Tcp(cap, port=8883).open()
        t.c(client_hello(**hello))
        if side == 0 or asked:
            t.s(server_hello() + (CERTIFICATE_REQUEST if asked else b"") + HELLO_DONE)
        t.send(side, alert(code if hit else near, 2 if hit else 1))
        t.close(side)


alerting("tls.unknown-ca", 48, near=42)
alerting("tls.server-certificate-rejected", 42, near=48)
alerting("tls.client-certificate", 40, side=1, near=90, asked=True)
alerting("tls.no-common-parameters", 40, side=1, near=70)
alerting("tls.version", 70, side=1, near=40)
alerting("tls.unrecognized-name", 112, side=1, near=40, name="wrong.example")
alerting("tls.alpn", 120, side=1, near=40, alpn="http/1.1")
alerting("tls.alert", 80, side=1, near=40)


@case("tls.broken-off")
def _(cap, hit):
    t = Tcp(cap, port=8883).open()
    t.c(client_hello("broker.example"))
    t.s(server_hello_13() + CCS + record(23, bytes(1200)))
    t.c(CCS + record(23, bytes(19)) if hit else CCS + record(23, bytes(69)) + record(23, bytes(80)) + record(23, bytes(90)))
    if not hit:
        t.s(record(23, bytes(60)))
    t.close(0)


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """Certificates made now: leaf for broker.example by an intermediate, and both issuers."""
    d = tmp_path_factory.mktemp("pki")

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=d, check=True, capture_output=True)

    for name in ("root", "middle", "leaf"):
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
    openssl("req", "-x509", "-key", "root.key", "-subj", "/CN=Root", "-days", "30", "-out", "root.pem")
    (d / "ca.ext").write_text("basicConstraints=critical,CA:TRUE\n")
    (d / "leaf.ext").write_text("subjectAltName=DNS:broker.example\n")
    for name, by, ext in (("middle", "root", "ca.ext"), ("leaf", "middle", "leaf.ext")):
        openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key", "-CAcreateserial", "-days", "20",
                "-extfile", ext, "-out", f"{name}.pem")
    for name in ("root", "middle", "leaf"):
        openssl("x509", "-in", f"{name}.pem", "-outform", "DER", "-out", f"{name}.der")
    return {name: (d / f"{name}.der").read_bytes() for name in ("root", "middle", "leaf")}


def served(cap, chain, name="broker.example", when=None):
    cap.now = int((time.time() + 3600) * 1e9) if when is None else when
    t = Tcp(cap, port=8883).open()
    t.c(client_hello(name))
    t.s(server_hello() + certificates(*chain) + HELLO_DONE)
    return t


@case("tls.certificate-dates")
def _(cap, hit, pki):
    served(cap, [pki["leaf"], pki["middle"]], when=int((time.time() + 86400 * (25 if hit else 19)) * 1e9)).close()


@case("tls.certificate-name")
def _(cap, hit, pki):
    served(cap, [pki["leaf"], pki["middle"]], name="other.example" if hit else "BROKER.example")


@case("tls.certificate-chain")
def _(cap, hit, pki):
    served(cap, [pki["leaf"], pki["root"]] if hit else [pki["leaf"], pki["middle"]])


@case("tls.mqtt-in-clear")
def _(cap, hit):
    t = Tcp(cap, port=8883).open()
    t.c(connect())
    t.s(alert(10) if hit else connack())
    t.fin(1)


@case("tls.to-plain-port")
def _(cap, hit):
    t = Tcp(cap, port=1883).open()
    t.c(client_hello("broker.example"))
    if not hit:
        t.s(server_hello() + HELLO_DONE)
    t.fin(1)


@case("tls.readable")
def _(cap, hit):
    if hit:
        tls_session(cap)
    else:
        session(cap)


@case("tls.keys")
def _(cap, hit):
    tls_session(cap)
    if hit:
        cap.secrets = FOREIGN_KEYS


# HTTP and WebSocket.


def request(path="/", *headers, method="GET"):
    return ("%s %s HTTP/1.1\r\nHost: example\r\n%s\r\n" % (method, path, "".join(h + "\r\n" for h in headers))).encode()


def response(status, *headers):
    return ("HTTP/1.1 %s\r\n%sContent-Length: 0\r\n\r\n" % (status, "".join(h + "\r\n" for h in headers))).encode()


UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==")


def switching(*headers):
    return ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n%s\r\n" % "".join(h + "\r\n" for h in headers)).encode()


@case("http.error")
def _(cap, hit):
    t = Tcp(cap, port=80).open()
    t.c(request())
    t.s(response("502 Bad Gateway" if hit else "204 No Content"))


@case("http.redirect")
def _(cap, hit):
    t = Tcp(cap, port=80).open()
    t.c(request("/data", method="POST"))
    t.s(response("301 Moved Permanently", "Location: https://iot.example/data"))
    t.close()
    if not hit:  # it goes there
        cap.wait(0.5)
        Tcp(cap, port=443, sport=40001).open().c(client_hello("iot.example"))


@case("http.no-answer")
def _(cap, hit):
    t = Tcp(cap, port=80).open()
    t.c(request())
    cap.wait(20)
    if not hit:
        t.s(response("200 OK"))
    t.close()


@case("http.incomplete")
def _(cap, hit):
    t = Tcp(cap, port=80).open()
    t.c(b"POST /readings HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n" + b"a" * 12)
    cap.wait(2)
    if not hit:
        t.c(b"a" * 8)
        t.s(response("200 OK"))
    cap.wait(10)
    t.close()


@case("http.answer-incomplete")
def _(cap, hit):
    t = Tcp(cap, port=80).open()
    t.c(request("/firmware"))
    t.s(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"a" * 1000)
    t.s(b"a" * (1000 if hit else 2000))
    t.close(1)


@case("websocket.refused")
def _(cap, hit):
    t = Tcp(cap, port=80).open()
    t.c(request("/mqtt", *UPGRADE, "Sec-WebSocket-Protocol: mqtt"))
    t.s(response("404 Not Found") if hit else switching("Sec-WebSocket-Protocol: mqtt"))


@case("websocket.subprotocol")
def _(cap, hit):
    t = Tcp(cap, port=80).open()
    t.c(request("/mqtt", *UPGRADE, "Sec-WebSocket-Protocol: mqtt"))
    t.s(switching() if hit else switching("Sec-WebSocket-Protocol: mqtt"))


@case("http.proxy")
def _(cap, hit):
    t = Tcp(cap, port=80).open()
    t.c(request("/", "X-Forwarded-For: 203.0.113.9") if hit else request("/", "X-Request-Id: 1"))
    t.s(response("200 OK"))


# MQTT.


@case("mqtt.no-connect")
def _(cap, hit):
    t = Tcp(cap).open()
    cap.wait(8)
    if not hit:
        t.c(connect())
        t.s(connack())
    t.close()


@case("mqtt.no-connack")
def _(cap, hit):
    t = Tcp(cap).open()
    t.c(connect())
    if not hit:
        t.s(connack())
    t.fin(1)


@case("mqtt.refused")
def _(cap, hit):
    t = Tcp(cap).open()
    t.c(connect(user="u", password="wrong"))
    t.s(connack(5 if hit else 0))


@case("mqtt.client-id-twice")
def _(cap, hit):
    a = session(cap, "sensor-1", 40000, addr="10.0.0.2")
    cap.wait(1)
    b = Tcp(cap, client="10.0.0.4", sport=40001).open()
    b.c(connect("sensor-1" if hit else "sensor-2"))
    a.fin(1)
    b.s(connack())


@case("mqtt.ping-unanswered")
def _(cap, hit):
    t = session(cap)
    cap.wait(5)
    t.c(PINGREQ)
    if not hit:
        t.s(PINGRESP)
    cap.wait(12)
    t.c(publish("a/b"))


@case("mqtt.keep-alive")
def _(cap, hit):
    t = session(cap, keep=20)
    cap.wait(30 if hit else 12)
    t.fin(1)


@case("mqtt.qos1-unacknowledged")
def _(cap, hit):
    t = session(cap)
    t.c(publish("a/b", qos=1, ident=5))
    if not hit:
        t.s(ack(4, 5))
    cap.wait(10)
    t.c(PINGREQ)


@case("mqtt.qos2-stuck")
def _(cap, hit):
    t = session(cap)
    t.c(publish("a/b", qos=2, ident=5))
    t.s(ack(5, 5))
    t.c(ack(6, 5))
    if not hit:
        t.s(ack(7, 5))
    cap.wait(10)
    t.c(PINGREQ)


@case("mqtt.packet-id-reused")
def _(cap, hit):
    t = session(cap)
    t.c(publish("a/b", qos=1, ident=5))
    t.c(publish("a/c", qos=1, ident=5, dup=not hit))
    t.s(ack(4, 5))


@case("mqtt.subscribe-refused")
def _(cap, hit):
    t = session(cap)
    t.c(subscribe("secret/#"))
    t.s(suback(0x80 if hit else 0))


@case("mqtt.publish-refused")
def _(cap, hit):
    t = session(cap, version=5)
    t.c(publish("a/b", qos=1, version=5))
    t.s(ack(4, 1, 0x87 if hit else 0))


@case("mqtt.no-subscribers")
def _(cap, hit):
    t = session(cap, version=5)
    t.c(publish("a/b", qos=1, version=5))
    t.s(ack(4, 1, 0x10 if hit else 0))


@case("mqtt.too-large")
def _(cap, hit):
    t = session(cap, version=5, connack_properties=b"\x27" + struct.pack("!I", 64))
    t.c(publish("a/b", bytes(100 if hit else 20), version=5))


@case("mqtt.unknown-alias")
def _(cap, hit):
    t = session(cap, version=5, connack_properties=b"\x22\0\x05")
    if not hit:
        t.c(publish("a/b", version=5, properties=b"\x23\0\x01"))
    t.c(publish("", version=5, properties=b"\x23\0\x01"))


@case("mqtt.closed-by-broker")
def _(cap, hit):
    t = session(cap, version=5)
    if hit:
        t.s(packet(0xE0, b"\x97\0"))
    else:
        t.c(packet(0xE0, b"\0"))
    t.close()


@case("mqtt.wide-subscription")
def _(cap, hit):
    d = subscriber(cap, "#" if hit else "cmd/#")
    d.c(publish("state/pump"))
    t = session(cap, "pump", 40007, addr="10.0.0.4")
    for n in range(120):
        topic = f"{'state' if hit else 'cmd'}/{n}"
        t.c(publish(topic), acked=False)
        d.s(publish(topic), acked=False)


@case("mqtt.retained")
def _(cap, hit):
    t = subscriber(cap, "a/b")
    t.s(publish("a/b", retain=hit))


@case("mqtt.duplicate")
def _(cap, hit):
    t = session(cap)
    t.c(publish("a/b", qos=1))
    cap.wait(1)
    if hit:
        t.c(publish("a/b", qos=1, dup=True))
    t.s(ack(4))


@case("mqtt.will-sent")
def _(cap, hit):
    d = subscriber(cap, "status/#")
    t = session(cap, "pump", 40005, will="status/pump", addr="10.0.0.4")
    if hit:
        t.rst(0)
        d.s(publish("status/pump", b"gone"))
    else:
        t.c(DISCONNECT)
        t.close()


@case("mqtt.violation")
def _(cap, hit):
    t = session(cap)
    t.c(publish("a/+" if hit else "a/b"))


@case("mqtt.password-in-clear")
def _(cap, hit):
    session(cap, user="u", password="secret" if hit else None)


# From the publisher to the subscriber.


@case("leg.topic-unmatched")
def _(cap, hit):
    d = subscriber(cap, "Topic/001" if hit else "topic/001")
    t = session(cap, "pub", 40007, addr="10.0.0.4")
    t.c(publish("topic/001"))
    if not hit:
        d.s(publish("topic/001"))
    cap.wait(3)
    t.c(PINGREQ)


@case("leg.not-delivered")
def _(cap, hit):
    d = subscriber(cap, "topic/#", qos=1)
    t = session(cap, "pub", 40007, addr="10.0.0.4")
    t.c(publish("topic/001", qos=1))
    t.s(ack(4))
    if not hit:
        d.s(publish("topic/001", qos=1))
        d.c(ack(4))
    cap.wait(3)
    t.c(PINGREQ)


@case("leg.subscriber-away")
def _(cap, hit):
    d = subscriber(cap, "alarm/#", qos=1)
    if hit:
        d.c(DISCONNECT)
        d.close()
    cap.wait(1)
    t = session(cap, "pub", 40007, addr="10.0.0.4")
    t.c(publish("alarm/fire", b"1"))
    if not hit:
        d.s(publish("alarm/fire", b"1"))
    cap.wait(2)
    t.c(PINGREQ)


@case("leg.other-broker")
def _(cap, hit):
    server = "10.0.0.9" if hit else "10.0.0.1"
    d = Tcp(cap, client="10.0.0.3", server=server, sport=41000).open()
    d.c(connect("dashboard"))
    d.s(connack())
    d.c(subscribe("home/#"))
    d.s(suback(0))
    t = session(cap, "pump", 40007, addr="10.0.0.4")
    t.c(publish("home/temp"))
    if not hit:
        d.s(publish("home/temp"))


@case("leg.slow")
def _(cap, hit):
    d = subscriber(cap, "topic/#")
    t = session(cap, "pub", 40007, addr="10.0.0.4")
    t.c(publish("topic/001"))
    cap.wait(2.5 if hit else 0.01)
    d.s(publish("topic/001"))


@case("leg.not-acknowledged")
def _(cap, hit):
    d = subscriber(cap, "topic/#", qos=1)
    t = session(cap, "pub", 40007, addr="10.0.0.4")
    t.c(publish("topic/001", qos=1))
    t.s(ack(4))
    d.s(publish("topic/001", qos=1, ident=9))
    if not hit:
        d.c(ack(4, 9))
    cap.wait(8)
    t.c(PINGREQ)


@case("http.unexpected")
def _(cap, hit):
    t = Tcp(cap).open()
    t.c(connect())
    t.s(b"HTTP/1.1 302 Found\r\nServer: x\r\nLocation: http://login.example/\r\n\r\n" if hit else connack())
    t.close(1)


@case("mqtt.closed-on-packet")
def _(cap, hit):
    t = session(cap)
    t.c(publish("secret/a", b"x" * 50, qos=1))
    if not hit:
        t.s(ack(4))
    t.close(1)


@case("tcp.proxy-header")
def _(cap, hit):
    t = Tcp(cap).open()
    t.c(b"PROXY TCP4 10.0.0.9 10.0.0.1 40000 1883\r\n" + connect())
    if not hit:
        t.s(connack())
    t.close(1)


@case("mqtt.refused-inside-tls")
def _(cap, hit):
    t = Tcp(cap, port=8883).open()
    t.c(client_hello("broker.example"))
    t.s(server_hello_13() + CCS + record(23, bytes(1200)))
    t.c(CCS + record(23, bytes(69)))
    t.s(record(23, bytes(250)) + record(23, bytes(250)))
    t.c(record(23, bytes(43)))  # CONNECT
    t.s(record(23, bytes(21)))  # CONNACK
    if not hit:
        t.c(record(23, bytes(40)))
    t.s(record(23, bytes(19)))
    t.close(1)


@case("mqtt.dropped")
def _(cap, hit):
    t = subscriber(cap, "a/#")
    cap.wait(5)
    if not hit:
        t.c(DISCONNECT)
    t.close(1)


@case("mqtt.broker-gone")
def _(cap, hit):
    devices = [session(cap, f"device-{n}", 40010 + n, addr=f"10.0.0.{10 + n}") for n in range(4)]
    for n, t in enumerate(devices):
        cap.wait(0.1 if hit else 4)
        t.close(1)


@case("leg.no-subscriber-seen")
def _(cap, hit):
    t = session(cap)
    t.c(publish("a/b"))
    if not hit:
        subscriber(cap, "a/#").s(publish("a/b"))


@case("leg.delivered")
def _(cap, hit):
    d = subscriber(cap, "topic/#")
    t = session(cap, "pub", 40007, addr="10.0.0.4")
    t.c(publish("topic/001"))
    if hit:
        d.s(publish("topic/001"))


def pcapng(cap, path, drops):
    """The capture as pcapng, with a drop count on its second packet."""

    def block(kind, body):
        n = 12 + len(body) + -len(body) % 4
        return struct.pack("<II", kind, n) + body + b"\0" * (-len(body) % 4) + struct.pack("<I", n)

    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", cap.link, 0, 0))
    for i, r in enumerate(cap.records):
        s, ns, kept, size = struct.unpack("<IIII", r[:16])
        us = s * 10**6 + ns // 1000
        option = struct.pack("<HHQHH", 4, 8, drops, 0, 0) if i == 1 and drops else b""
        out += block(6, struct.pack("<IIIII", 0, us >> 32, us & 0xFFFFFFFF, kept, size) + r[16:] + b"\0" * (-kept % 4) + option)
    path.write_bytes(out)
    return path


def build(ident, hit, tmp_path, pki):
    cap = Capture()
    function = CASES[ident]
    function(cap, hit, pki) if function.__code__.co_argcount == 3 else function(cap, hit)
    path = tmp_path / f"{ident}-{'hit' if hit else 'near'}.pcap"
    if hasattr(cap, "as_pcapng"):
        return pcapng(cap, path, cap.as_pcapng["drops"])
    return cap.write(path)


def catalogue():
    return json.loads(subprocess.run([WEIR, "explain", "--list", "--json"], capture_output=True, check=True).stdout)


@pytest.mark.parametrize("ident", sorted(CASES))
def test_hit(ident, tmp_path, pki):
    found = explain(build(ident, True, tmp_path, pki))["findings"]
    mine = [f for f in found if f["id"] == ident]
    assert mine, [f["id"] for f in found]
    level = next(c["severity"] for c in catalogue() if c["id"] == ident)
    assert mine[0]["severity"] == level
    assert "%" not in mine[0]["text"].replace(" %", ""), mine[0]["text"]


@pytest.mark.parametrize("ident", sorted(CASES))
def test_near_miss(ident, tmp_path, pki):
    found = explain(build(ident, False, tmp_path, pki))["findings"]
    said = [f for f in found if f["id"] == ident]
    level = next(c["severity"] for c in catalogue() if c["id"] == ident)
    # A near miss may still be worth a note where the check itself is about an error.
    assert not said or (level != "note" and all(f["severity"] == "note" for f in said)), said


def test_every_check_has_its_cases():
    assert sorted(c["id"] for c in catalogue()) == sorted(CASES)


def test_frames_are_cited(tmp_path, pki):
    """Every finding about a conversation names frames, and they exist."""
    for ident in CASES:
        path = build(ident, True, tmp_path, pki)
        out = explain(path)
        for f in out["findings"]:
            assert all(1 <= n <= out["packets"] for n in f["frames"]), f
            if "tcp.stream" in f:
                assert f["frames"], f


@pytest.mark.parametrize("jumped", [True, False])
def test_clock_goes_forward(jumped, tmp_path):
    """An hour between a message and its acknowledgment that nobody sent again in is no hour; silence before it is."""
    cap = Capture()
    t = session(cap)
    if not jumped:
        cap.wait(3600)
    t.c(PINGREQ, acked=False)
    if jumped:
        cap.wait(3600)
    t.s(PINGRESP)
    said = [f for f in explain(cap.write(tmp_path / "clock.pcap"))["findings"] if f["id"] == "capture.clock"]
    assert bool(said) == jumped
    if jumped:
        assert "forward by 60 min" in said[0]["text"] and said[0]["confidence"] == "likely" and len(said[0]["frames"]) == 2


@pytest.mark.parametrize("why", [None, "speaks QUIC", "ended other connections"])
def test_a_handshake_given_up(why, tmp_path):
    """A client that answers SYN/ACK with RST does not know the connection; one that chose another way, or ends, is healthy."""
    cap = Capture()
    others = [Tcp(cap, port=443, server=f"10.0.1.{n}", sport=41000 + n).open() for n in range(2)]
    cap.wait(10)
    if why == "speaks QUIC":
        cap.udp("10.0.0.2", 50000, "10.0.0.1", 443, bytes(1200))
        cap.udp("10.0.0.1", 443, "10.0.0.2", 50000, bytes(1200))
    t = Tcp(cap, port=443)
    t.segment(0, SYN)
    for other in others if why == "ended other connections" else []:
        other.fin(0)
    t.segment(1, SYN | ACK, ack=1001)
    t.segment(0, RST, seq=1001)
    said = [f for f in explain(cap.write(tmp_path / "up.pcap"))["findings"] if f["id"] == "tcp.handshake-reset-by-client"]
    assert [f["severity"] for f in said] == ["note" if why else "error"]
    assert (why or "does not know that connection") in said[0]["text"]
