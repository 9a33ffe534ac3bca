# SPDX-License-Identifier: Apache-2.0
"""What works with the broker works through the guard."""
import queue
import signal
import ssl
import subprocess
import threading

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from conftest import Raw, publish_packet, until

V311, V5 = paho.MQTTv311, paho.MQTTv5


class Client:
    """A paho client with its messages in a queue."""

    def __init__(self, port, name, version=V311, tls=None, websocket=False, will=None, clean=True, host="localhost"):
        kw = {} if version == V5 else {"clean_session": clean}
        self.c = paho.Client(name, protocol=version, transport="websockets" if websocket else "tcp", **kw)
        self.messages, self.up, self.acked = queue.Queue(), threading.Event(), threading.Event()
        self.c.on_message = lambda c, u, m: self.messages.put(m)
        self.c.on_connect = lambda c, u, f, rc, *p: rc == 0 and self.up.set()
        self.c.on_subscribe = lambda *a: self.acked.set()
        if websocket:
            self.c.ws_set_options(path="/mqtt")
        if tls:
            self.c.tls_set(ca_certs=str(tls / "ca.pem"))
        if will:
            self.c.will_set(*will)
        self.c.connect(host, port, 30)
        self.c.loop_start()
        assert self.up.wait(60)

    def subscribe(self, topic, qos=2):
        self.acked.clear()
        self.c.subscribe(topic, qos)
        assert self.acked.wait(60)
        return self

    def publish(self, *args, **kw):
        info = self.c.publish(*args, **kw)
        info.wait_for_publish(60)
        assert info.is_published()

    def get(self, seconds=60):
        return self.messages.get(timeout=seconds)

    def end(self):
        self.c.disconnect()
        self.c.loop_stop()


@pytest.fixture(params=["tcp", "tls", "websocket", "websocket-tls"])
def door(request, start, certs):
    """One way in: gives connect(name, ...)."""
    broker = start.broker()
    tls, ws = "tls" in request.param, "websocket" in request.param
    config = f"""
listen:
  - address: localhost:0
    websocket: {str(ws).lower()}
""" + (f"    tls: {{certificate: {certs}/server.pem, key: {certs}/server.key}}\n" if tls else "") + f"""
brokers:
  - address: {broker.address}
"""
    guard = start.guard(config=config)
    clients = []

    def connect(name, **kw):
        clients.append(Client(guard.port, name, tls=certs if tls else None, websocket=ws, **kw))
        return clients[-1]
    connect.guard, connect.broker = guard, broker
    yield connect
    for c in clients:
        c.end()


@pytest.mark.parametrize("version", [V311, V5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_of_each_qos_arrive_once_and_in_order(door, version, qos):
    sub = door("sub", version=version).subscribe("a/#", qos)
    pub = door("pub", version=version)
    for i in range(200):
        pub.c.publish("a/b", str(i), qos)
    assert [int(sub.get().payload) for _ in range(200)] == list(range(200))
    assert sub.messages.empty()


def test_payloads_of_all_sizes_arrive_whole(door):
    sub, pub = door("sub").subscribe("big"), door("pub")
    for n in (0, 1, 125, 126, 127, 128, 16383, 16384, 60000, 65535, 65536, 70000, 300000, 2_000_000):
        payload = (b"0123456789abcdef" * (n // 16 + 1))[:n]
        pub.publish("big", payload, 1)
        assert sub.get().payload == payload, n


def test_a_retained_message_reaches_who_comes_later(door):
    door("pub").publish("kept", "still here", 1, retain=True)
    got = door("sub").subscribe("kept").get()
    assert got.payload == b"still here" and got.retain


def test_the_will_of_a_client_that_vanished_is_published(door):
    sub = door("sub").subscribe("will/#")
    gone = door("gone", will=("will/gone", "lost", 1, False))
    gone.c._sock_close() if hasattr(gone.c, "_sock_close") else gone.c._sock.close()
    assert sub.get().payload == b"lost"


def test_a_client_that_says_goodbye_has_no_will(door):
    sub = door("sub").subscribe("#")
    door("polite", will=("will/polite", "lost", 1, False)).end()
    door("pub").publish("last", "x", 1)
    assert sub.get().topic == "last"


def test_shared_subscriptions_share(door):
    subs = [door(f"s{i}", version=V5).subscribe("$share/group/job/#", 1) for i in range(2)]
    pub = door("pub", version=V5)
    for i in range(20):
        pub.publish("job/x", str(i), 1)
    until(lambda: sum(s.messages.qsize() for s in subs) == 20)
    assert all(s.messages.qsize() for s in subs)


def test_properties_of_mqtt_5_arrive(door):
    sub, pub = door("sub", version=V5).subscribe("p"), door("pub", version=V5)
    p = Properties(PacketTypes.PUBLISH)
    p.UserProperty = [("key", "value"), ("key", "again")]
    p.ContentType, p.ResponseTopic, p.CorrelationData = "text/plain", "answer", b"\0\1\2"
    p.MessageExpiryInterval = 100
    pub.c.publish("p", "x", 1, properties=p)
    got = sub.get().properties
    assert got.UserProperty == [("key", "value"), ("key", "again")] and got.CorrelationData == b"\0\1\2"
    assert got.ContentType == "text/plain" and got.ResponseTopic == "answer"


def test_a_session_is_found_again(door):
    first = door("keeper", clean=False).subscribe("later", 1)
    first.end()
    door("pub").publish("later", "meanwhile", 1)
    assert door("keeper", clean=False).get().payload == b"meanwhile"


def test_mosquitto_clients_work(start):
    broker, guard = start.before()

    def run(name, version, *args):
        return subprocess.run([name, "-V", version, "-h", "127.0.0.1", "-p", str(guard.port), *args], check=True,
                              timeout=60, capture_output=True, text=True).stdout
    for version in ("mqttv31", "mqttv311", "mqttv5"):
        for qos in "012":
            run("mosquitto_pub", version, "-t", f"m/{version}/{qos}", "-q", qos, "-m", version + qos, "-r")
        out = run("mosquitto_sub", version, "-t", f"m/{version}/+", "-q", "2", "-C", "3", "-W", "50")
        assert sorted(out.split()) == [version + q for q in "012"]


def test_half_closed_clients_are_heard_to_the_end(start):
    """A client that ends its sending side right behind its last message: the message counts."""
    broker, guard = start.before()
    sub = Client(guard.port, "sub", host="127.0.0.1").subscribe("last/#")
    for i in range(20):
        raw = Raw(guard.port, f"r{i}")
        raw.send(publish_packet(f"last/{i}", b"x" * 1000))
        raw.s.shutdown(1)
        assert raw.closed()
    assert {sub.get().topic for _ in range(20)} == {f"last/{i}" for i in range(20)}
    sub.end()


def test_every_cut_of_a_stream_gives_the_same(start):
    """The same packets in every grouping: what the subscriber gets does not depend on segments."""
    broker, guard = start.before(workers=1)
    sub = Client(guard.port, "sub", host="127.0.0.1").subscribe("cut/#", 0)
    stream = b"".join(publish_packet(f"cut/{i}", bytes([65 + i]) * (i * 7)) for i in range(6)) + b"\xc0\0"
    for cut in range(1, len(stream), 3):
        raw = Raw(guard.port, f"cut{cut}")
        raw.send(stream[:cut])
        raw.send(stream[cut:])
        assert raw.read() == (0xd0, b"")
        raw.close()
        assert [(m.topic, len(m.payload)) for m in (sub.get() for _ in range(6))] == [(f"cut/{i}", i * 7) for i in range(6)]
    sub.end()


def test_a_unix_socket_is_a_door_too(start):
    broker = start.broker()
    path = start.folder / "guard.sock"
    start.guard("--listen", f"unix:{path}", "--broker", broker.address)
    import socket

    from conftest import connect_packet, read_packet
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(str(path))
        s.sendall(connect_packet("unix"))
        assert read_packet(s) == (0x20, b"\0\0")


def test_ipv6_is_a_door_too(start):
    broker = start.broker()
    guard = start.guard("--listen", "[::1]:0", "--broker", broker.address)
    assert Raw(guard.port, host="::1").connack == (0x20, b"\0\0")


def test_a_client_certificates_subject_is_the_identity(start, certs):
    broker = start.broker()
    config = f"""
listen:
  - address: localhost:0
    tls: {{certificate: {certs}/server.pem, key: {certs}/server.key, ca: {certs}/ca.pem, client_certificate: required}}
brokers: [{{address: "{broker.address}"}}]
"""
    guard = start.guard(config=config)
    plain = ssl.create_default_context(cafile=certs / "ca.pem")
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError, TimeoutError)):
        with plain.wrap_socket(Raw(guard.port, connect=False).s, server_hostname="localhost") as s:
            from conftest import connect_packet
            s.sendall(connect_packet())
            assert s.recv(4)
    c = paho.Client("pump")
    c.tls_set(str(certs / "ca.pem"), str(certs / "client.pem"), str(certs / "client.key"))
    up = threading.Event()
    c.on_connect = lambda *a: up.set()
    c.connect("localhost", guard.port)
    c.loop_start()
    assert up.wait(60)
    status, text = guard.get("/bans?kind=subject&value=CN%3Dpump-7,O%3DPumps", "POST", {"X-Weir": "yes"})
    assert status == 200, text
    c.disconnect()
    c.loop_stop()


def test_sessions_are_resumed_by_tickets_across_workers(start, certs):
    broker = start.broker()
    config = f"""
listen:
  - address: localhost:0
    tls: {{certificate: {certs}/server.pem, key: {certs}/server.key}}
brokers: [{{address: "{broker.address}"}}]
"""
    guard = start.guard("--workers", 4, config=config)
    context = ssl.create_default_context(cafile=certs / "ca.pem")
    session, resumed = None, 0
    for i in range(12):
        from conftest import connect_packet
        with context.wrap_socket(Raw(guard.port, connect=False).s, server_hostname="localhost", session=session) as s:
            s.sendall(connect_packet(f"r{i}"))
            assert s.recv(4)
            resumed += s.session_reused
            session = s.session
    assert resumed == 11 and guard.metric("tls_resumed_total") == 11


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_no_way_around_a_certificate(start, certs, version):
    """A ticket from a listener that asks for nothing, or from the time before another authority was believed, is worth
    nothing where a certificate is asked for; from the same listener it is."""
    from conftest import connect_packet
    broker = start.broker()
    ca = start.folder / "believed.pem"
    ca.write_bytes((certs / "ca.pem").read_bytes())
    server = f"certificate: {certs}/server.pem, key: {certs}/server.key"
    guard = start.guard(config=f"""
listen:
  - {{address: "127.0.0.1:0", tls: {{{server}}}}}
  - {{address: "127.0.0.1:0", tls: {{{server}, ca: {ca}, client_certificate: optional}}}}
  - {{address: "127.0.0.1:0", tls: {{{server}, ca: {ca}, client_certificate: required}}}}
brokers: ["{broker.address}"]
""")
    anybody, known = (ssl.create_default_context(cafile=certs / "ca.pem") for _ in range(2))
    known.load_cert_chain(certs / "client.pem", certs / "client.key")

    def come(port, context, session=None):
        context.minimum_version = context.maximum_version = version
        with context.wrap_socket(Raw(port, connect=False).s, server_hostname="localhost", session=session) as s:
            s.sendall(connect_packet("c"))
            assert s.recv(4) == b"\x20\x02\0\0"
            return s.session, s.session_reused

    for port in guard.ports[:2]:
        session, _ = come(port, anybody)
        assert come(port, anybody, session)[1]
        with pytest.raises((OSError, AssertionError)):
            come(guard.ports[2], anybody, session)
    session, _ = come(guard.ports[2], known)
    assert come(guard.ports[2], known, session)[1]
    ca.write_bytes((certs / "server.pem").read_bytes())
    guard.signal(signal.SIGHUP)
    until(lambda: guard.metric("reloads_total") == 1)
    with pytest.raises((OSError, AssertionError)):
        come(guard.ports[2], known, session)


def test_the_broker_may_ask_for_tls(start, certs):
    from conftest import free_port
    port = free_port()
    start.broker(f"listener {port} 127.0.0.1\ncertfile {certs}/server.pem\nkeyfile {certs}/server.key\n")
    config = f"""
listen: [{{address: "localhost:0"}}]
brokers:
  - address: localhost:{port}
    tls: {{ca: {certs}/ca.pem}}
"""
    guard = start.guard(config=config)
    sub = Client(guard.port, "sub").subscribe("x")
    sub.publish("x", b"y" * 100000, 1)
    assert sub.get().payload == b"y" * 100000
    sub.end()


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"])
def test_keys_of_tls_1_3_may_be_renewed(start, certs, suite):
    """openssl s_client's K asks for new keys of both directions (RFC 8446 4.6.3); k renews its own."""
    from conftest import connect_packet
    broker = start.broker()
    guard = start.guard(config=f"""
listen: [{{address: "localhost:0", tls: {{certificate: {certs}/server.pem, key: {certs}/server.key}}}}]
brokers: [{broker.address}]
""")
    with subprocess.Popen(["openssl", "s_client", "-connect", f"localhost:{guard.port}", "-CAfile", certs / "ca.pem",
                           "-ciphersuites", suite], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, bufsize=0) as c:
        import os
        import time
        os.set_blocking(c.stdout.fileno(), False)

        def say(data, want):
            c.stdin.write(data)
            got, end = b"", time.monotonic() + 60
            while want not in got and time.monotonic() < end:
                got += c.stdout.read(65536) or b""
                time.sleep(0.02)
            assert want in got, got
        say(b"", b"Verify return code")
        say(connect_packet("renewer"), b"\x20\x02\0\0")
        for letter in (b"K\n", b"k\n", b"K\n"):
            say(letter, b"KEYUPDATE")
            say(b"\xc0\0", b"\xd0\0")
        c.stdin.close()
        c.terminate()
    until(lambda: guard.metric("connections_open") == 0)


def test_tls_1_2_works_too(start, certs):
    from conftest import connect_packet
    broker = start.broker()
    guard = start.guard(config=f"""
listen: [{{address: "localhost:0", tls: {{certificate: {certs}/server.pem, key: {certs}/server.key}}}}]
brokers: [{broker.address}]
""")
    context = ssl.create_default_context(cafile=certs / "ca.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with context.wrap_socket(Raw(guard.port, connect=False).s, server_hostname="localhost") as s:
        s.sendall(connect_packet("old"))
        assert s.recv(4) == b"\x20\x02\0\0" and s.version() == "TLSv1.2"
        s.sendall(b"\xc0\0")
        assert s.recv(2) == b"\xd0\0"


def test_the_proxy_protocol_carries_the_clients_address_in_and_out(start):
    import socket

    from conftest import connect_packet
    with socket.create_server(("127.0.0.1", 0)) as broker:
        guard = start.guard(config=f"""
listen: [{{address: "127.0.0.1:0", proxy_protocol: true}}]
brokers: [{{address: "127.0.0.1:{broker.getsockname()[1]}", proxy_protocol: v1}}]
time: {{health: 0}}
""")
        line = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 1883\r\n"
        for cut in (0, 3, 20, len(line)):
            raw = Raw(guard.port, connect=False)
            data = line + connect_packet(f"c{cut}")
            raw.send(data[:cut])
            import time
            time.sleep(0.05)
            raw.send(data[cut:])
            s, _ = broker.accept()
            with s:
                s.settimeout(60)
                got = b""
                while len(got) < len(data):
                    got += s.recv(1000)
                assert got == data
            raw.close()
        raw = Raw(guard.port, connect=False)
        raw.send(connect_packet("none"))
        assert raw.closed()
