# SPDX-License-Identifier: Apache-2.0
"""Connections of QUIC whose secrets are chosen, written as captures with their key logs.

What a key log has is all that is needed to read a connection, so the handshake is one in form only: its messages are
there, nobody agreed on anything. Clauses are those of RFC 9000 and RFC 9001 where no other is named.
"""
import hashlib
import hmac
import random
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

V1, V2 = 0x00000001, 0x6B3343CF
CLIENT, SERVER = 0, 1
SALT = {V1: bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
        V2: bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")}
SUITES = {"aes128": (0x1301, "sha256", 16, AESGCM), "aes256": (0x1302, "sha384", 32, AESGCM),
          "chacha": (0x1303, "sha256", 32, ChaCha20Poly1305), "ccm": (0x1304, "sha256", 16, AESCCM)}
INITIAL, ZERO_RTT, HANDSHAKE = 0, 1, 2


def number(v):
    """A variable-length integer (16)."""
    for size, limit in enumerate((1 << 6, 1 << 14, 1 << 30, 1 << 62)):
        if v < limit:
            return (v | size << (8 << size) - 2).to_bytes(1 << size, "big")


def expand(hash_name, secret, label, n):
    info = struct.pack(">HB", n, 6 + len(label)) + b"tls13 " + label.encode() + b"\0"
    out, block = b"", b""
    for i in range(1, 256):
        block = hmac.new(secret, block + info + bytes([i]), hash_name).digest()
        out += block
        if len(out) >= n:
            return out[:n]


class Keys:
    """What protects the packets of one side (5)."""

    def __init__(self, version, suite, secret, header=None):
        self.version, self.suite, self.secret = version, suite, secret
        _, self.hash, self.size, aead = SUITES[suite]
        prefix = "quicv2 " if version == V2 else "quic "
        make = lambda label, n: expand(self.hash, secret, prefix + label, n)
        self.aead, self.iv = aead(make("key", self.size)), make("iv", 12)
        self.header = header or make("hp", self.size)
        self.next_secret = make("ku", len(secret))

    def updated(self):
        return Keys(self.version, self.suite, self.next_secret, self.header)

    def mask(self, sample):
        if self.suite == "chacha":
            return Cipher(algorithms.ChaCha20(self.header, sample), None).encryptor().update(bytes(5))
        return Cipher(algorithms.AES(self.header), modes.ECB()).encryptor().update(sample)

    def seal(self, head, pn, plain):
        """A packet of a header that ends in its number, of two bytes."""
        plain += bytes(max(0, 4 - len(plain)))
        nonce = (int.from_bytes(self.iv, "big") ^ pn).to_bytes(12, "big")
        sealed = self.aead.encrypt(nonce, plain, head)
        mask, out = self.mask(sealed[2:18]), bytearray(head)
        out[0] ^= mask[0] & (0x0F if head[0] & 0x80 else 0x1F)
        out[-2] ^= mask[1]
        out[-1] ^= mask[2]
        return bytes(out) + sealed


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def vector(width, body):
    return len(body).to_bytes(width, "big") + body


def extension(kind, body):
    return struct.pack(">H", kind) + vector(2, body)


def crypto(data, off=0):
    return b"\x06" + number(off) + number(len(data)) + data


def stream(sid, data, off=0, fin=False):
    return bytes([0x0E | fin]) + number(sid) + number(off) + number(len(data)) + data


def new_id(seq, cid):
    return b"\x18" + number(seq) + number(0) + bytes([len(cid)]) + cid + bytes(16)


class Connection:
    """A connection: `packets` are (time, side, address pair, datagram), `log` the lines of its key log."""

    def __init__(self, alpn="mqtt", version=V1, suite="aes128", seed=1, port=14567, early=False):
        self.random = random.Random(seed)
        self.alpn, self.version, self.suite, self.early = alpn, version, suite, early
        rnd = self.random.randbytes
        self.client_random, self.first_id = rnd(32), rnd(8)
        self.ids = [rnd(5), rnd(8)]  # what each side chose for itself
        self.pn = {}
        self.ends = (("192.0.2.1", 50000), ("192.0.2.2", port))
        self.packets, self.log, self.keys = [], [], {}
        self.phase = [False, False]
        size = hashlib.new(SUITES[suite][1]).digest_size
        secret = hmac.new(SALT[version], self.first_id, "sha256").digest()
        for side, label in ((CLIENT, "client in"), (SERVER, "server in")):
            self.keys[INITIAL, side] = Keys(version, "aes128", expand("sha256", secret, label, 32))
        for name, key in (("CLIENT_EARLY_TRAFFIC_SECRET", (ZERO_RTT, CLIENT)),
                          ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", (HANDSHAKE, CLIENT)),
                          ("SERVER_HANDSHAKE_TRAFFIC_SECRET", (HANDSHAKE, SERVER)),
                          ("CLIENT_TRAFFIC_SECRET_0", ("data", CLIENT)), ("SERVER_TRAFFIC_SECRET_0", ("data", SERVER))):
            secret = rnd(size)
            self.keys[key] = Keys(version, suite, secret)
            self.log.append(f"{name} {self.client_random.hex()} {secret.hex()}")

    def next_number(self, space, side):
        space = "data" if space == ZERO_RTT else space
        pn = self.pn.get((space, side), 0)
        self.pn[space, side] = pn + 1
        return pn

    def long(self, side, kind, frames):
        pn = self.next_number(kind, side)
        if kind == INITIAL and side == CLIENT:
            frames += bytes(max(0, 1100 - len(frames)))
        to = self.ids[SERVER] if side == CLIENT and kind == HANDSHAKE else self.first_id if side == CLIENT else self.ids[CLIENT]
        bits = (kind + 1 if self.version == V2 else kind) & 3
        head = bytes([0xC1 | bits << 4]) + struct.pack(">I", self.version) + vector(1, to) + vector(1, self.ids[side])
        head += number(0) if kind == INITIAL else b""
        head += struct.pack(">H", 0x4000 | 2 + max(4, len(frames)) + 16) + struct.pack(">H", pn & 0xFFFF)
        return self.keys[kind, side].seal(head, pn, frames)

    def short(self, side, frames, pn=None, to=None):
        pn = self.next_number("data", side) if pn is None else pn
        head = bytes([0x41 | self.phase[side] << 2]) + (self.ids[1 - side] if to is None else to) + struct.pack(">H", pn & 0xFFFF)
        return self.keys["data", side].seal(head, pn, frames)

    def update(self, side):
        """A key update (6)."""
        self.keys["data", side] = self.keys["data", side].updated()
        self.phase[side] = not self.phase[side]

    def send(self, side, *packets):
        self.packets.append((side, self.ends, b"".join(packets)))

    def say(self, side, sid, data, off=0, fin=False):
        self.send(side, self.short(side, stream(sid, data, off, fin)))

    def hello(self):
        extensions = extension(43, b"\2\3\4") + extension(16, vector(2, vector(1, self.alpn.encode())))
        extensions += extension(42, b"") if self.early else b""
        suites = b"".join(struct.pack(">H", s[0]) for s in SUITES.values())
        return message(1, b"\3\3" + self.client_random + b"\0" + vector(2, suites) + b"\1\0" + vector(2, extensions))

    def handshake(self, params=b""):
        """The handshake; the server's transport parameters are `params`."""
        chosen = struct.pack(">H", SUITES[self.suite][0])
        answer = message(2, b"\3\3" + self.random.randbytes(32) + b"\0" + chosen + b"\0" + vector(2, extension(43, b"\3\4")))
        agreed = message(8, vector(2, extension(16, vector(2, vector(1, self.alpn.encode()))) + extension(57, params)))
        finished = message(20, self.random.randbytes(32))
        self.send(CLIENT, self.long(CLIENT, INITIAL, crypto(self.hello())))
        self.send(SERVER, self.long(SERVER, INITIAL, crypto(answer)), self.long(SERVER, HANDSHAKE, crypto(agreed + finished)))
        self.send(CLIENT, self.long(CLIENT, HANDSHAKE, crypto(finished)))
        return self


def ip(src, dst, payload):
    octets = lambda a: bytes(map(int, a.split(".")))
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, 17, 0) + octets(src) + octets(dst) + payload


def write(path, packets):
    """Writes a capture of IPv4 packets (LINKTYPE_RAW)."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for i, (side, ends, payload) in enumerate(packets):
            (src, sport), (dst, dport) = ends[side], ends[1 - side]
            data = ip(src, dst, struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload)
            f.write(struct.pack("<IIII", 1700000000 + i // 100, i % 100 * 10000, len(data), len(data)) + data)
    return path


def capture(folder, *connections):
    """The capture of connections one after the other, and their key log."""
    write(folder / "quic.pcap", [p for c in connections for p in c.packets])
    (folder / "quic.keys").write_text("\n".join(line for c in connections for line in c.log) + "\n")
    return folder / "quic.pcap", folder / "quic.keys"
