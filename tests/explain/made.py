# SPDX-License-Identifier: Apache-2.0
"""Captures made by hand, byte by byte: what real programs do not do on demand. Nothing here reads the clock: the same call
gives the same bytes."""
import ipaddress
import struct

ETHERNET, RAW = 1, 101
SYN, ACK, FIN, RST, PSH = 2, 16, 1, 4, 8
BEGIN = 1_760_000_000_000_000_000  # October 2025


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Capture:
    """A pcap file under construction, with a clock of its own. With `secrets`, lines of a key log, it becomes a pcapng file
    that brings them."""

    def __init__(self, link=RAW, snaplen=262144):
        self.link, self.snaplen = link, snaplen
        self.records, self.secrets = [], b""
        self.now = BEGIN
        self.ident = 0

    def wait(self, seconds):
        self.now += int(seconds * 1e9)
        return self

    def put(self, packet, step=0.001):
        kept = packet[: self.snaplen]
        self.records.append(struct.pack("<IIII", self.now // 10**9, self.now % 10**9, len(kept), len(packet)) + kept)
        self.now += int(step * 1e9)
        return len(self.records)

    def write(self, path):
        head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, self.snaplen, self.link)
        path.write_bytes(self.pcapng() if self.secrets else head + b"".join(self.records))
        return path

    def pcapng(self):
        def block(kind, body):
            body += bytes(-len(body) % 4)
            return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

        out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", self.link, 0, self.snaplen))
        out += block(10, struct.pack("<II", 0x544C534B, len(self.secrets)) + self.secrets)
        for r in self.records:
            seconds, ns, kept, whole = struct.unpack("<IIII", r[:16])
            when = seconds * 10**6 + ns // 1000
            out += block(6, struct.pack("<IIIII", 0, when >> 32, when & 0xFFFFFFFF, kept, whole) + r[16:])
        return out

    def ip(self, src, dst, proto, body, ident=None, step=0.001):
        a, b = ipaddress.ip_address(src), ipaddress.ip_address(dst)
        self.ident += 1
        number = self.ident if ident is None else ident
        if a.version == 6:
            head = struct.pack("!IHBB", 6 << 28, len(body), proto, 64) + a.packed + b.packed
        else:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number & 0xFFFF, 0x4000, 64, proto, 0) + a.packed + b.packed
            head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        return self.put((bytes(12) + b"\x08\0" if self.link == ETHERNET else b"") + head + body, step)

    def udp(self, src, sport, dst, dport, body, step=0.001):
        return self.ip(src, dst, 17, struct.pack("!HHHH", sport, dport, 8 + len(body), 0) + body, step=step)

    def dns(self, client, server, name, kind=1, rcode=None, addresses=(), ident=7, port=40053, step=0.001):
        """A question (rcode None) or an answer."""
        labels = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"
        answers = b""
        for address in addresses:
            packed = ipaddress.ip_address(address).packed
            answers += struct.pack("!HHHIH", 0xC00C, 1 if len(packed) == 4 else 28, 1, 60, len(packed)) + packed
        flags = 0x0100 if rcode is None else 0x8180 | rcode
        body = struct.pack("!HHHHHH", ident, flags, 1, len(addresses), 0, 0) + labels + struct.pack("!HH", kind, 1) + answers
        if rcode is None:
            return self.udp(client, port, server, 53, body, step)
        return self.udp(server, 53, client, port, body, step)

    def arp(self, asker, wanted, answer=False, mac=None):
        """A question, or its answer, on a capture of Ethernet; mac is the last byte of who speaks, if not that of the address."""
        macs = [b"\2\0\0\0\0" + bytes([int(a.rpartition(".")[2])]) for a in (asker, wanted)]
        if mac:
            macs[int(answer)] = b"\2\0\0\0\0" + bytes([mac])
        ips = [ipaddress.ip_address(a).packed for a in (asker, wanted)]
        head = b"\0\1\x08\0\6\4"
        if answer:
            return self.put(macs[0] + macs[1] + b"\x08\6" + head + b"\0\2" + macs[1] + ips[1] + macs[0] + ips[0])
        return self.put(b"\xff" * 6 + macs[0] + b"\x08\6" + head + b"\0\1" + macs[0] + ips[0] + bytes(6) + ips[1])

    def dhcp(self, kind, mac=b"\2\0\0\0\0\1"):
        """DHCP by broadcast: 1 Discover, 2 Offer."""
        reply = kind in (2, 5, 6)
        body = bytes([2 if reply else 1, 1, 6, 0]) + bytes(24) + mac + bytes(10 + 192) + b"\x63\x82\x53\x63" + bytes([53, 1, kind, 255])
        return self.udp("10.0.0.1" if reply else "0.0.0.0", 67 if reply else 68, "255.255.255.255", 68 if reply else 67, body)

    def unreachable(self, src, sport, dst, dport, code=3):
        """ICMP that brings a datagram back."""
        inner = struct.pack("!BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0) + ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
        body = struct.pack("!BBHI", 3, code, 0, 0) + inner + struct.pack("!HHHH", sport, dport, 8, 0)
        return self.ip(dst, src, 1, body[:2] + struct.pack("!H", checksum(body)) + body[4:])

    def lookup(self, client, name, address, server="10.0.0.53"):
        self.dns(client, server, name)
        self.dns(client, server, name, rcode=0, addresses=[address])


class Tcp:
    """One connection; c and s send as client and server."""

    def __init__(self, cap, client="10.0.0.2", server="10.0.0.1", port=1883, sport=40000):
        self.cap = cap
        self.addr = (client, server)
        self.port = (sport, port)
        self.seq = [1000, 9000]

    def segment(self, side, flags, data=b"", seq=None, ack=None, window=64240, ident=None, step=0.001, summed=True):
        src, dst = self.addr[side], self.addr[1 - side]
        seq = self.seq[side] if seq is None else seq
        ack = (self.seq[1 - side] if ack is None else ack) if flags & ACK else 0
        options = struct.pack("!BBH", 2, 4, 1460) if flags & SYN else b""
        offset = (20 + len(options)) // 4
        head = struct.pack("!HHIIBBHHH", self.port[side], self.port[1 - side], seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset << 4, flags, window, 0, 0)
        body = head + options + data
        pseudo = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed + struct.pack("!HH", 6, len(body))
        total = checksum(pseudo + body) if summed else ~checksum(pseudo) & 0xFFFF
        return self.cap.ip(src, dst, 6, body[:16] + struct.pack("!H", total) + body[18:], ident, step)

    def open(self, last_ack=True, rtt=0.001):
        self.segment(0, SYN, step=rtt)
        self.seq[0] += 1
        self.segment(1, SYN | ACK)
        self.seq[1] += 1
        if last_ack:
            self.segment(0, ACK)
        return self

    def send(self, side, data, acked=True, step=0.001):
        frame = self.segment(side, PSH | ACK, data, step=step)
        self.seq[side] += len(data)
        if acked:
            self.segment(1 - side, ACK)
        return frame

    def c(self, data, **kw):
        return self.send(0, data, **kw)

    def s(self, data, **kw):
        return self.send(1, data, **kw)

    def fin(self, side):
        frame = self.segment(side, FIN | ACK)
        self.seq[side] += 1
        return frame

    def rst(self, side):
        return self.segment(side, RST | ACK)

    def close(self, first=0):
        self.fin(first)
        self.segment(1 - first, ACK)
        self.fin(1 - first)
        self.segment(first, ACK)


# MQTT packets.


def packet(first, body):
    n, length = len(body), b""
    while True:
        n, digit = divmod(n, 128)
        length += bytes([digit | (128 if n else 0)])
        if not n:
            return bytes([first]) + length + body


def text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return struct.pack("!H", len(raw)) + raw


def connect(client="sensor-1", keep=60, version=4, will=None, user=None, password=None, clean=True, properties=b""):
    flags = 2 * clean | (0x04 if will else 0) | (0x80 if user else 0) | (0x40 if password else 0)
    body = text("MQTT") + bytes([version, flags]) + struct.pack("!H", keep)
    if version == 5:
        body += bytes([len(properties)]) + properties
    body += text(client)
    if will:
        body += (b"\0" if version == 5 else b"") + text(will) + text("gone")
    if user:
        body += text(user)
    if password:
        body += text(password)
    return packet(0x10, body)


def connack(code=0, version=4, kept=False, properties=b""):
    return packet(0x20, bytes([kept, code]) + (bytes([len(properties)]) + properties if version == 5 else b""))


def publish(topic, payload=b"21.5", qos=0, ident=1, retain=False, dup=False, version=4, properties=b""):
    body = text(topic) + (struct.pack("!H", ident) if qos else b"") + (bytes([len(properties)]) + properties if version == 5 else b"")
    return packet(0x30 | qos << 1 | retain | dup << 3, body + payload)


def ack(kind, ident=1, code=None):
    return packet(kind << 4 | (2 if kind == 6 else 0), struct.pack("!H", ident) + (bytes([code]) if code is not None else b""))


def subscribe(*filters, qos=0, ident=1, version=4):
    return packet(0x82, struct.pack("!H", ident) + (b"\0" if version == 5 else b"") + b"".join(text(f) + bytes([qos]) for f in filters))


def suback(*codes, ident=1, version=4):
    return packet(0x90, struct.pack("!H", ident) + (b"\0" if version == 5 else b"") + bytes(codes))


PINGREQ, PINGRESP, DISCONNECT = packet(0xC0, b""), packet(0xD0, b""), packet(0xE0, b"")


def session(cap, client="sensor-1", sport=40000, version=4, addr="10.0.0.2", keep=60, kept=False, connack_properties=b"", **kw):
    """A connection with CONNECT and a good CONNACK."""
    t = Tcp(cap, client=addr, sport=sport).open()
    t.c(connect(client, version=version, keep=keep, **kw))
    t.s(connack(version=version, kept=kept, properties=connack_properties))
    return t


def subscriber(cap, filt, client="dashboard", sport=41000, qos=0, addr="10.0.0.3", **kw):
    t = session(cap, client, sport, addr=addr, **kw)
    t.c(subscribe(filt, qos=qos))
    t.s(suback(qos))
    cap.wait(0.2)
    return t


# TLS records.


def record(kind, body, version=0x0303):
    return struct.pack("!BHH", kind, version, len(body)) + body


def message(kind, body):
    return record(22, bytes([kind]) + struct.pack("!I", len(body))[1:] + body)


def extension(kind, body):
    return struct.pack("!HH", kind, len(body)) + body


def client_hello(name=None, alpn=None, version=0x0303):
    ext = b""
    if name:
        ext += extension(0, struct.pack("!HBH", len(name) + 3, 0, len(name)) + name.encode())
    if alpn:
        ext += extension(16, struct.pack("!HB", len(alpn) + 1, len(alpn)) + alpn.encode())
    body = struct.pack("!H", version) + bytes(range(32)) + b"\0" + struct.pack("!HHHHH", 8, 0xC02F, 0x009C, 0xC030, 0x002F) + b"\1\0"
    return message(1, body + struct.pack("!H", len(ext)) + ext)


def server_hello(suite=0xC02F):
    return message(2, struct.pack("!H", 0x0303) + bytes(range(32)) + b"\0" + struct.pack("!HB", suite, 0))


def server_hello_13():
    ext = extension(43, struct.pack("!H", 0x0304)) + extension(51, struct.pack("!HH", 29, 32) + bytes(32))
    return message(2, struct.pack("!H", 0x0303) + bytes(range(32)) + b"\0" + struct.pack("!HBH", 0x1301, 0, len(ext)) + ext)


def certificates(*der):
    body = b"".join(struct.pack("!I", len(d))[1:] + d for d in der)
    return message(11, struct.pack("!I", len(body))[1:] + body)


def alert(code, level=2):
    return record(21, bytes([level, code]))


HELLO_DONE, CERTIFICATE_REQUEST = message(14, b""), message(13, b"\1\1" + struct.pack("!HHH", 2, 0x0401, 0))
CCS = record(20, b"\1")


def data(n=100):
    return record(23, bytes(n))


# The key log of a session that is nobody's here.
FOREIGN_KEYS = b"CLIENT_RANDOM " + b"ab" * 32 + b" " + b"cd" * 48 + b"\n"


def tls_session(cap, port=8883, name="broker.example", suite=0xC02F, **kw):
    """A handshake of TLS 1.2 that succeeds, and some data."""
    t = Tcp(cap, port=port, **kw).open()
    t.c(client_hello(name))
    t.s(server_hello(suite) + HELLO_DONE)
    t.c(CCS + record(22, bytes(40)))
    t.s(CCS + record(22, bytes(40)))
    t.c(data())
    t.s(data())
    return t
