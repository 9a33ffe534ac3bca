# SPDX-License-Identifier: Apache-2.0
"""QUIC is opened with a key log, and what travels in its streams is decoded: MQTT, DNS, the frames of HTTP/3."""
import random
import struct

import pytest

pytest.importorskip("cryptography")

from quic_lab import CLIENT, HANDSHAKE, INITIAL, SERVER, SUITES, V1, V2, ZERO_RTT, Connection, capture, crypto, number, stream, vector, write

CONNECT = b"\x10\x11\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x14\x00\x01a"
CONNACK = b"\x20\x03\x00\x00\x00"


def publish(topic, text):
    body = vector(2, topic.encode()) + b"\0" + text.encode()
    return bytes([0x30, len(body)]) + body


def rows(weir, path, keys, *fields, want=""):
    columns = [x for f in fields for x in ("-e", f)]
    run = weir("read", "-r", path, *(["--keylog", keys] if keys else []), "-T", "fields", "-Y", want or fields[0], *columns)
    assert run.returncode == 0 and not run.err, run.err
    return [line.split("\t") for line in run.out.splitlines()]


def topics(weir, path, keys):
    return [row[0] for row in rows(weir, path, keys, "mqtt.topic", want="mqtt.msgtype == 3")]


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize("suite", SUITES)
def test_mqtt_is_decoded(weir, tmp_path, suite, version):
    c = Connection(suite=suite, version=version).handshake()
    message = publish("t/1", "hello")
    c.say(CLIENT, 0, CONNECT)
    c.say(SERVER, 0, CONNACK)
    c.say(CLIENT, 0, message[:4], 19)
    c.say(CLIENT, 0, message[4:], 23)
    c.say(CLIENT, 0, b"\xe0\x00", 19 + len(message), True)
    path, keys = capture(tmp_path, c)
    assert rows(weir, path, keys, "frame.number", "mqtt.msgtype", want="mqtt") == [["4", "1"], ["5", "2"], ["7", "3"], ["8", "14"]]
    assert rows(weir, path, keys, "mqtt.ver", "mqtt.topic", "mqtt.msg", want="mqtt.topic") == [["", "t/1", "68656c6c6f"]]
    assert rows(weir, path, keys, "tls.handshake.type") == [["1"], ["2,8,20"], ["20"]], "all of the handshake is read"
    assert rows(weir, path, keys, "weir.tls.readable") == [["1"]]


def test_streams_are_put_in_order(weir, tmp_path):
    """Pieces come in any order, overlap, and come again; each message is decoded once."""
    for seed in range(6):
        rnd = random.Random(seed)
        text = CONNECT + b"".join(publish(f"t/{i}", "x" * rnd.randrange(40)) for i in range(20))
        c = Connection(seed=seed).handshake()
        pieces = [(at, text[at:at + rnd.randrange(1, 60)]) for at in range(0, len(text), 7)]
        pieces += [(at, text[at:at + 7]) for at in range(0, len(text), 7)]
        rnd.shuffle(pieces)
        for at, piece in pieces:
            c.say(CLIENT, 0, piece, at)
        path, keys = capture(tmp_path, c)
        got = ",".join(topics(weir, path, keys)).split(",")
        assert got == [f"t/{i}" for i in range(20)], seed


def test_a_hole_is_given_up(weir, tmp_path):
    """A packet is missing for good: the messages behind it are found again."""
    c = Connection().handshake()
    c.say(CLIENT, 0, CONNECT)
    lost, at = publish("lost", "x"), len(CONNECT)
    at += len(lost)
    for i in range(600):
        message = publish(f"t/{i}", "y")
        c.say(CLIENT, 0, message, at)
        at += len(message)
    path, keys = capture(tmp_path, c)
    assert ",".join(topics(weir, path, keys)).split(",") == [f"t/{i}" for i in range(600)]


def test_many_streams(weir, tmp_path):
    """Streams end and others take their places; none is read twice."""
    c = Connection(alpn="doq", port=853).handshake()
    name = lambda i: bytes([4]) + b"n%03d" % i + b"\0"
    for i in range(200):
        question = struct.pack(">HHHHHH", 0, 0x0100, 1, 0, 0, 0) + name(i) + b"\0\1\0\1"
        answer = struct.pack(">HHHHHH", 0, 0x8180, 1, 1, 0, 0) + name(i) + b"\0\1\0\1" + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1"
        c.say(CLIENT, 4 * i, vector(2, question), 0, True)
        c.say(SERVER, 4 * i, vector(2, answer), 0, True)
        if i % 3 == 0:
            c.say(CLIENT, 4 * i, vector(2, question), 0, True)
    path, keys = capture(tmp_path, c)
    asked = rows(weir, path, keys, "dns.qry.name", want="dns.flags.response == 0")
    assert [row[0] for row in asked] == [f"n{i:03}" for i in range(200)]
    assert len(rows(weir, path, keys, "dns.a")) == 200
    run = weir("read", "-r", path, "--keylog", keys, "-Y", "frame.number == 4")
    assert " DNS " in run.out and "Standard query 0x0000 A n000" in run.out


def test_why_it_is_closed(weir, tmp_path):
    c = Connection().handshake()
    c.say(CLIENT, 0, CONNECT)
    path, keys = capture(tmp_path, c)
    why = lambda *with_keys: rows(weir, path, *with_keys, "weir.tls.why")[0][0]
    assert "no keys were given" in why(None)
    assert not rows(weir, path, None, "frame.number", want="quic.stream_data || mqtt")
    (tmp_path / "other.keys").write_text("\n".join(Connection(seed=9).log) + "\n")
    assert "of another run" in why(tmp_path / "other.keys")
    wrong = [line[:-2] + "00" for line in c.log]
    (tmp_path / "wrong.keys").write_text("\n".join(wrong) + "\n")
    assert "do not fit" in why(tmp_path / "wrong.keys")
    assert "key log has the secrets" in why(keys)


def session(weir, tmp_path, *connections):
    path, keys = capture(tmp_path, *connections)
    return ",".join(topics(weir, path, keys)).split(",")


def test_keys_are_updated(weir, tmp_path):
    """Both sides update their keys, more than once; packets of the phase before come late."""
    c = Connection(suite="aes256").handshake()
    c.say(CLIENT, 0, CONNECT)
    at = len(CONNECT)
    for i in range(30):
        if i % 10 == 9:
            late = c.short(CLIENT, stream(0, publish(f"late/{i}", "x"), at))
            at += len(publish(f"late/{i}", "x"))
            c.update(CLIENT)
            c.update(SERVER)
        message = publish(f"t/{i}", "x")
        c.say(CLIENT, 0, message, at)
        at += len(message)
        if i % 10 == 9:
            c.send(CLIENT, late)
            c.say(SERVER, 0, CONNACK if i == 9 else b"\xd0\x00", 0 if i == 9 else 5 + 2 * (i // 10 - 1))
    got = session(weir, tmp_path, c)
    assert [t for t in got if t[0] == "t"] == [f"t/{i}" for i in range(30)]
    assert len(got) == 33
    run = weir("read", "-r", tmp_path / "quic.pcap", "--keylog", tmp_path / "quic.keys")
    assert "(KP1)" in run.out and not rows(weir, tmp_path / "quic.pcap", tmp_path / "quic.keys", "quic.remaining_payload")


@pytest.mark.parametrize("suite", SUITES)
def test_early_data(weir, tmp_path, suite):
    c = Connection(suite=suite, early=True)
    hello = c.hello()
    c.handshake()
    early = c.long(CLIENT, ZERO_RTT, stream(0, CONNECT + publish("early", "x")))
    c.packets.insert(1, (CLIENT, c.ends, early))
    c.say(SERVER, 0, CONNACK)
    c.say(CLIENT, 0, publish("t", "x"), len(CONNECT + publish("early", "x")))
    assert hello and session(weir, tmp_path, c) == ["early", "t"]


def test_the_address_changes(weir, tmp_path):
    """A client goes on from elsewhere: under its id (its network's doing) and under new ones (its own)."""
    c = Connection().handshake()
    fresh = bytes(range(12))
    c.say(CLIENT, 0, CONNECT)
    c.say(SERVER, 0, CONNACK)
    c.send(SERVER, c.short(SERVER, b"\x18\x01\x00" + bytes([len(fresh)]) + fresh + bytes(16)))
    home, at = c.ends, len(CONNECT)
    for i in range(12):
        c.ends = ((f"198.51.100.{i % 3}", 40000 + i % 3), home[1]) if i % 4 else home
        message = publish(f"t/{i}", "x")
        c.send(CLIENT, c.short(CLIENT, stream(0, message, at), to=fresh if i > 5 else None))
        at += len(message)
        c.say(SERVER, 0, b"\xd0\x00", len(CONNACK) + 2 * i)
    assert session(weir, tmp_path, c) == [f"t/{i}" for i in range(12)]
    answers = rows(weir, tmp_path / "quic.pcap", tmp_path / "quic.keys", "ip.src", want="mqtt.msgtype == 13")
    assert answers == [["192.0.2.2"]] * 12, "both directions are read, each from its side"


def test_datagrams_of_several_packets(weir, tmp_path):
    """A sender that leaves segmentation to its interface: packets with short headers follow each other."""
    c = Connection(alpn="mqtt").handshake()

    c.say(CLIENT, 0, CONNECT)
    at, packets = len(CONNECT), []
    for i in range(40):
        message = publish(f"t/{i}", "x" * 80)
        packets.append(c.short(CLIENT, stream(0, message, at)))
        at += len(message)
    c.send(CLIENT, *packets[:2])
    c.send(CLIENT, *packets[2:])
    assert session(weir, tmp_path, c) == [f"t/{i}" for i in range(40)]


def test_secrets_that_come_late(weir, tmp_path):
    """The file brings the secrets after the first packets: what follows is read, and the numbers are found."""
    c = Connection().handshake()
    c.say(CLIENT, 0, CONNECT)
    at = len(CONNECT)
    for i in range(300):
        message = publish(f"t/{i}", "x")
        c.say(CLIENT, 0, message, at)
        at += len(message)
    path, keys = capture(tmp_path, c)
    block = lambda kind, body: struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
    pad = lambda data: data + bytes(-len(data) % 4)
    raw = path.read_bytes()[24:]
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 101, 0, 0))
    n = 0
    while raw:
        size = struct.unpack_from("<I", raw, 8)[0]
        out += block(6, struct.pack("<IIIII", 0, 0, n, size, size) + pad(raw[16:16 + size]))
        raw, n = raw[16 + size:], n + 1
        if n == 250:
            text = keys.read_bytes()
            out += block(10, struct.pack("<II", 0x544C534B, len(text)) + pad(text))
    (tmp_path / "late.pcapng").write_bytes(out)
    (tmp_path / "none.keys").write_text("# no secrets yet\n")
    got = ",".join(topics(weir, tmp_path / "late.pcapng", tmp_path / "none.keys")).split(",")
    assert got == [f"t/{i}" for i in range(300)][-len(got):] and len(got) >= 50
    with open(tmp_path / "late.pcapng", "rb") as f:
        run = weir("read", "-r", "-", "-T", "fields", "-Y", "mqtt.topic", "-e", "mqtt.topic", stdin=f)
    piped = ",".join(run.out.split()).split(",")
    assert piped == got[-len(piped):] and len(piped) >= 50, "from a pipe, where no other key is"
    run = weir("edit", path, "--inject-secrets", keys, "-w", tmp_path / "all.pcapng")
    assert run.returncode == 0, run.err
    assert len(",".join(topics(weir, tmp_path / "all.pcapng", None)).split(",")) == 300


def test_http3_frames(weir, tmp_path):
    """Frames of HTTP/3 in their streams, a great body among them."""
    c = Connection(alpn="h3", port=443).handshake()
    frame = lambda kind, body: number(kind) + number(len(body)) + body
    settings = frame(4, number(1) + number(4096) + number(7) + number(16))
    c.say(CLIENT, 2, number(0) + settings)
    c.say(CLIENT, 6, number(2))
    c.say(CLIENT, 0, frame(1, b"\0\0\xd1"), 0, True)
    answer = frame(1, b"\0\0\xd9") + number(0) + number(3 << 20)
    c.say(SERVER, 0, answer)
    for at in range(0, 3 << 20, 32768):
        c.say(SERVER, 0, bytes(32768), len(answer) + at)
    c.say(SERVER, 0, frame(1, b"\0\0\xc0") + frame(0, b"end"), len(answer) + (3 << 20), True)
    path, keys = capture(tmp_path, c)
    get = lambda *fields, **kw: rows(weir, path, keys, *fields, **kw)
    assert get("http3.stream_type") == [["0"], ["2"]]
    assert get("http3.settings.qpack.max_table_capacity", "http3.settings.qpack.blocked_streams") == [["4096", "16"]]
    assert [row[0] for row in get("http3.frame_type")] == ["4", "1", "1,0", "1,0"]
    assert get("http3.frame_length", want="http3.frame_length > 1000000") == [["3,%d" % (3 << 20)]]
    assert get("http3.frame_payload")[-1] == ["0000c0,656e64"]


def forged(c, seed=77):
    """What a stranger can make of nothing but the addresses: (side, datagram)."""
    other = Connection(seed=seed, version=c.version)
    hello = crypto(other.hello())
    yield CLIENT, other.long(CLIENT, INITIAL, hello)
    yield SERVER, other.long(SERVER, INITIAL, b"\x02\0\0\0\0")
    for side in (CLIENT, SERVER):
        ids = vector(1, c.ids[1 - side]) + vector(1, bytes(range(17)))
        yield side, b"\xe1" + struct.pack(">I", c.version) + ids + b"\x40\x30" + bytes(48)
        yield side, b"\xf0" + struct.pack(">I", V2) + ids + b"\x40\x30" + bytes(48)
        yield side, b"\xf1" + struct.pack(">I", c.version) + ids + bytes(40)  # a Retry
    yield CLIENT, Connection(seed=seed + 1).long(CLIENT, INITIAL, hello)


def test_strangers_change_nothing(weir, tmp_path):
    """Packets anybody can make do not end a connection that is there, at any time of it (RFC 9000 7.2, 17.2.5.2)."""
    plain = Connection().handshake()
    at = len(CONNECT)
    plain.say(CLIENT, 0, CONNECT)
    for i in range(8):
        plain.say(CLIENT, 0, publish(f"t/{i}", "x"), at)
        plain.say(SERVER, 0, b"\xd0\x00", 2 * i)
        at += len(publish(f"t/{i}", "x"))
    for when in range(2, len(plain.packets)):
        c = Connection()
        c.packets = plain.packets[:when] + [(side, plain.ends, data) for side, data in forged(c)] + plain.packets[when:]
        c.log = plain.log
        assert session(weir, tmp_path, c) == [f"t/{i}" for i in range(8)], when
        got = rows(weir, tmp_path / "quic.pcap", tmp_path / "quic.keys", "mqtt.msgtype", want="mqtt.msgtype == 13")
        assert len(got) == 8, when


def test_ports_are_used_again(weir, tmp_path):
    """Another connection of the same addresses follows, however the first one ended."""
    connections = []
    for seed in range(4):
        c = Connection(seed=seed).handshake()
        c.say(CLIENT, 0, CONNECT)
        c.say(CLIENT, 0, publish(f"t/{seed}", "x"), len(CONNECT))
        connections.append(c)
    assert session(weir, tmp_path, *connections) == [f"t/{i}" for i in range(4)]
    run = weir("read", "-r", tmp_path / "quic.pcap", "-Y", "tls.handshake.type == 2")
    assert len(run.out.splitlines()) == 4, "and is read as far as it can be without keys"


def test_two_connections_at_once(weir, tmp_path):
    """A client opens another connection from the same port, and uses both."""
    one, other = Connection(seed=1).handshake(), Connection(seed=2)
    one.say(CLIENT, 0, CONNECT)
    other.handshake()
    one.packets += other.packets
    at = len(CONNECT)
    one.log += other.log
    other.say(CLIENT, 0, CONNECT)
    one.packets.append(other.packets[-1])
    for i in range(20):
        for name, c in (("one", one), ("other", other)):
            message = publish(f"{name}/{i}", "x" * (7 - len(name)))
            c.say(CLIENT, 0, message, at)
        at += len(message)
        one.packets.append(other.packets[-1])
    assert session(weir, tmp_path, one) == [f"{name}/{i}" for i in range(20) for name in ("one", "other")]


def test_an_address_is_not_believed(weir, tmp_path):
    """A stranger's datagram under a connection's id does not take the connection away (RFC 9000 9)."""
    c = Connection()
    c.ids[CLIENT] = b""  # the server's packets name nobody
    c.handshake()
    c.say(CLIENT, 0, CONNECT)
    at = len(CONNECT)
    for i in range(6):
        home, c.ends = c.ends, (("203.0.113.9", 999 + i), c.ends[1])
        c.send(CLIENT, b"\x41" + c.ids[SERVER] + bytes(40))
        c.ends = home
        c.say(SERVER, 0, b"\xd0\x00", 2 * i)
        c.say(CLIENT, 0, publish(f"t/{i}", "x"), at)
        at += len(publish(f"t/{i}", "x"))
    assert session(weir, tmp_path, c) == [f"t/{i}" for i in range(6)]
    assert len(rows(weir, tmp_path / "quic.pcap", tmp_path / "quic.keys", "mqtt.msgtype", want="mqtt.msgtype == 13")) == 6


def test_the_server_prefers_an_address(weir, tmp_path):
    """The client goes on to the address the server names, under the id it names (RFC 9000 9.6)."""
    fresh = bytes(range(100, 111))
    place = bytes([198, 51, 100, 7]) + struct.pack(">H", 8443) + bytes(18) + vector(1, fresh) + bytes(16)
    c = Connection().handshake(number(0x0D) + number(len(place)) + place)
    c.say(CLIENT, 0, CONNECT)
    c.ends = (c.ends[0], ("198.51.100.7", 8443))
    c.send(CLIENT, c.short(CLIENT, stream(0, publish("t", "x"), len(CONNECT)), to=fresh))
    assert session(weir, tmp_path, c) == ["t"]
    assert rows(weir, tmp_path / "quic.pcap", tmp_path / "quic.keys", "quic.dcid", want="mqtt.topic") == [[fresh.hex()]]


def test_disorder_without_end(weir, tmp_path):
    """There is a hole at all times for more bytes than may wait: nothing is lost."""
    c = Connection().handshake()
    c.say(CLIENT, 0, CONNECT)
    text = "x" * 900
    message = lambda i: b"\x30" + struct.pack("<H", 0x0780 + len(text) + 8 - 896) + vector(2, b"t%05d" % i) + text.encode()
    at, late = len(CONNECT), []
    for i in range(1500):
        data = message(i)
        if i % 4 == 0:
            late.append((data, at))
        else:
            c.say(CLIENT, 0, data, at)
        if i % 4 == 2 and len(late) > 1:
            c.say(CLIENT, 0, *late.pop(0))
        at += len(data)
    path, keys = capture(tmp_path, c)
    got = ",".join(topics(weir, path, keys)).split(",")
    assert got == [f"t{i:05}" for i in range(len(got))] and len(got) > 1490


def test_frames_without_number(weir, tmp_path):
    """As many frames and ranges as fit a packet are read."""
    c = Connection().handshake()
    c.send(CLIENT, c.short(CLIENT, b"\x01" * 1200 + stream(0, CONNECT)))
    c.send(SERVER, c.short(SERVER, b"\x02" + number(5000) + b"\0" + number(400) + b"\0" + b"\1\1" * 400 + stream(0, CONNACK)))
    path, keys = capture(tmp_path, c)
    assert rows(weir, path, keys, "mqtt.msgtype") == [["1"], ["2"]]
