# SPDX-License-Identifier: Apache-2.0
"""Captures for the page's tests: made.py FOLDER writes tls.pcap with keys.log, hostile.pcap and long.pcap there."""
import os
import ssl
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "common"))
from tls_lab import CLIENT, SERVER, Capture, Lab, Pair  # noqa: E402

LONG = 420000  # rows: higher than a browser lets a box be
EVIL = "<script>window.hacked=1</script><img src=x onerror=window.hacked=2>"


def text(s):
    raw = s.encode()
    return struct.pack(">H", len(raw)) + raw


def packet(kind, body):
    length, n = b"", len(body)
    while True:
        length += bytes([n % 128 | (128 if n > 127 else 0)])
        n //= 128
        if not n:
            return bytes([kind]) + length + body


def connect(client):
    return packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text(client))


CONNACK = b"\x20\x02\x00\x00"


def tls(folder):
    log = os.path.join(folder, "keys.log")
    pair = Pair(*Lab(folder).contexts(ssl.TLSVersion.TLSv1_3, "DEFAULT", log)).handshake()
    pair.say(CLIENT, connect("secret-sensor"))
    pair.say(SERVER, CONNACK)
    pair.say(CLIENT, packet(0x30, text("vault/temperature") + b"4.5"))
    capture = Capture()
    pair.record(capture, port=8883)
    capture.write(os.path.join(folder, "tls.pcap"))


def hostile(folder):
    capture = Capture()
    talk = capture.conversation(1883)
    talk.send(CLIENT, connect(EVIL))
    talk.send(SERVER, CONNACK)
    talk.send(CLIENT, packet(0x30, text("home/" + EVIL) + EVIL.encode()))
    talk.close()
    capture.write(os.path.join(folder, "hostile.pcap"))


def long(folder):
    udp = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 32, 0, 0, 64, 17, 0, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])) + struct.pack(">HHHH", 5000, 6000, 12, 0)
    with open(os.path.join(folder, "long.pcap"), "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for i in range(LONG):
            out.write(struct.pack("<IIII", 1700000000 + i // 1000, i % 1000 * 1000, 32, 32) + udp + struct.pack(">I", i))


tls(sys.argv[1])
hostile(sys.argv[1])
long(sys.argv[1])
