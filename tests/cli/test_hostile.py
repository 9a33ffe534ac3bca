# SPDX-License-Identifier: Apache-2.0
"""Captures made to cost much: four times as much of them may cost about four times as much, and no memory without end."""
import csv
import fcntl
import io
import json
import os
import re
import resource
import signal
import struct
import subprocess
import termios
import xml.dom.minidom
import zlib

import pytest

from machine import sanitized
from waiting import LONG, until

CLIENT, SERVER = 0x0a000001, 0x0a000002


def frame(src, dst, sport, dport, seq, payload=b"", flags=0x18, ack=5000):
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq & 0xffffffff, ack, 0x50, flags, 65535, 0, 0) + payload
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, src, dst)
    return bytes(12) + b"\x08\x00" + ip + tcp


def write(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for i, one in enumerate(frames):
            file.write(struct.pack("<IIII", 1700000000 + i // 10000, i % 10000 * 100, len(one), len(one)) + one)


def one_sided(n):
    """A connection of which nothing is acknowledged, with one segment sent twice."""
    yield frame(CLIENT, SERVER, 40000, 7777, 1000, b"a" * 10)
    for i in range(n):
        yield frame(CLIENT, SERVER, 40000, 7777, 1000 + 10 * i, b"a" * 10)


def early(n):
    """Segments that wait for one that never comes, and acknowledgments of nothing."""
    for i in range(5000):
        yield frame(CLIENT, SERVER, 40000, 7777, 20000 - 2 * i, b"a")
    for _ in range(n):
        yield frame(SERVER, CLIENT, 7777, 40000, 5000, flags=0x10, ack=1000)


def pings(n):
    """MQTT packets of two bytes, as many as a segment holds."""
    connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01c"
    yield frame(CLIENT, SERVER, 40000, 1883, 1000, connect)
    for i in range(4):
        yield frame(CLIENT, SERVER, 40000, 1883, 1000 + len(connect) + i * 2 * n, b"\xc0\x00" * n)


def unanswered(n):
    """Messages of QoS 1 that wait for their acknowledgment."""
    at = 1000
    for i in range(n):
        publish = b"\x32\x06\x00\x01t" + struct.pack(">H", i % 65535 + 1) + b"x"
        yield frame(CLIENT, SERVER, 40000, 1883, at, publish)
        at += len(publish)


def spent(weir, *args):
    """Processor time in seconds; the exit status may be that of a finding."""
    with subprocess.Popen([weir.path, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    assert run.returncode in (0, 1), args
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("made, n, args", [
    (one_sided, 15000, ["read", "-r"]),
    (early, 15000, ["read", "-r"]),
    (early, 15000, ["follow", "tcp", "0", "-r"]),
    (pings, 6000, ["guard", "--replay"]),
    (unanswered, 10000, ["follow", "mqtt", "0", "-r"]),
])
def test_cost_grows_with_length(weir, tmp_path, made, n, args):
    one, four = str(tmp_path / "one"), str(tmp_path / "four")
    write(one, made(n))
    write(four, made(4 * n))
    packets = 4 * n if made is not pings else 16 * n
    times = []
    for _ in range(5):  # who shares a processor's caches with others pays for them: one quiet moment is enough
        times.append((spent(weir, *args, one), spent(weir, *args, four)))
        least, most = map(min, zip(*times))
        # What is quadratic costs sixteen times as much; what walks a list at its limit for each packet, 10 µs and more of them.
        if len(times) > 1 and most < 9 * least + 0.1 and (sanitized() or most / packets < 8e-6):
            return
    raise AssertionError(times)


def websocket(i, payload):
    """A connection with its upgrade and one compressed message from each side."""
    extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
    ask = (b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + extension + b"\r\n")
    answer = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" + extension + b"\r\n")
    message = bytes([0xc2, len(payload)]) + payload
    port = 1024 + i
    yield frame(CLIENT, SERVER, port, 80, 1000, ask)
    yield frame(SERVER, CLIENT, 80, port, 5000, answer, ack=1000 + len(ask))
    yield frame(SERVER, CLIENT, 80, port, 5000 + len(answer), message, ack=1000 + len(ask))
    yield frame(CLIENT, SERVER, port, 80, 1000 + len(ask), message, ack=5000 + len(answer) + len(message))


@pytest.mark.skipif(sanitized(), reason="memory is the sanitizer's")
def test_states_of_all_conversations_share_a_limit(weir, tmp_path):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = (deflate.compress(b"hello") + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    path = str(tmp_path / "many.pcap")
    write(path, (one for i in range(20000) for one in websocket(i, payload)))
    with subprocess.Popen([weir.path, "read", "-q", "-r", path, "-Y", "websocket.payload.text"], stdout=subprocess.DEVNULL) as run:
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    assert run.returncode == 0
    assert used.ru_maxrss < 256 << 10, "KiB: 20000 connections with inflaters would take half a gigabyte"


def reset_after(frames):
    """These frames, and a reset from each side."""
    yield from (frames := list(frames))
    seq, ack = struct.unpack(">II", frames[-1][38:46])
    seq += len(frames[-1]) - 54
    port = int.from_bytes(frames[-1][34:36], "big")
    yield frame(CLIENT, SERVER, port, 80, seq, flags=0x14, ack=ack)
    yield frame(SERVER, CLIENT, 80, port, ack, flags=0x14, ack=seq)


def test_a_reset_gives_back_what_its_side_held(weir, tmp_path):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = (deflate.compress(b"hello" * 6400) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]
    path = str(tmp_path / "many.pcap")
    write(path, (one for i in range(5000) for one in reset_after(websocket(i, payload))))
    run = weir("read", "-q", "-r", path, "-z", "expert")
    assert run.returncode == 0 and "Decompression failed" not in run.out + run.err and "RST" in run.out


def test_limit_of_a_table_is_named(weir, tmp_path):
    path = str(tmp_path / "c.pcap")
    write(path, unanswered(10))
    text = subprocess.run([weir.path, "read", "-r", path, "-Y", 'mqtt.msg matches "^((x|y)+)+$"'], capture_output=True, text=True, check=True)
    assert len(text.stdout.splitlines()) == 10 and text.stderr == ""
    long = b"xy" * 600 + b"z"
    publish = b"\x30" + bytes([0x80 | (len(long) + 3) % 128, (len(long) + 3) // 128]) + b"\x00\x01t" + long
    write(path, [frame(CLIENT, SERVER, 40000, 1883, 1000, publish)])
    found = subprocess.run([weir.path, "read", "-r", path, "-Y", 'mqtt.msg matches "^(x|y)+z$"'], capture_output=True, text=True, check=True)
    assert len(found.stdout.splitlines()) == 1 and found.stderr == ""
    lost = subprocess.run([weir.path, "read", "-r", path, "-Y", 'mqtt.msg matches "^((x|y)+)+$"'], capture_output=True, text=True, check=True)
    assert lost.stdout == "" and "in 1 packet the filter" in lost.stderr


@pytest.mark.parametrize("args", [["read"], ["stats", "mqtt"], ["follow", "tcp", "0"]])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_command_that_waits(weir, tmp_path, args, sent):
    path = tmp_path / "c.pcap"
    write(path, unanswered(100))
    with subprocess.Popen([weir.path, *args, "-r", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        run.stdin.write(path.read_bytes())
        run.stdin.flush()
        until(lambda: fcntl.ioctl(run.stdin, termios.FIONREAD, b"\0" * 4) == b"\0" * 4)  # all of it was taken
        run.send_signal(sent)
        run.wait(timeout=LONG)


@pytest.mark.parametrize("args", [["read", "-r", "F"], ["explain", "F"], ["explain", "--list"], ["ladder", "F"], ["ladder", "--svg", "F"],
                                  ["diff", "F", "F"], ["stats", "mqtt", "-r", "F"], ["follow", "tcp", "0", "-r", "F"], ["craft", "-l"],
                                  ["guard", "--replay", "F"], ["guard", "--example"], ["fields"], ["--help"]])
def test_full_disk_is_told(weir, tmp_path, args):
    path = str(tmp_path / "c.pcap")
    write(path, unanswered(100))
    with open("/dev/full", "wb") as full:
        run = subprocess.run([weir.path, *[path if a == "F" else a for a in args]], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 2 and ("failed" in run.stderr or "cannot write" in run.stderr), run


def closed():
    for fd in range(3):
        os.close(fd)


def test_closed_streams_are_not_files(weir, tmp_path):
    path, made = str(tmp_path / "c.pcap"), str(tmp_path / "e.pcapng")
    write(path, unanswered(100))
    assert subprocess.run([weir.path, "edit", path, "-w", made], preexec_fn=closed, check=False).returncode == 0
    lines = subprocess.run([weir.path, "read", "-r", made], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 100
    assert subprocess.run([weir.path, "read", "-r", path], preexec_fn=closed, check=False).returncode == 2


def test_limit_of_file_size_is_told(weir, tmp_path):
    path, made = str(tmp_path / "c.pcap"), str(tmp_path / "e.pcapng")
    write(path, unanswered(1000))
    run = subprocess.run([weir.path, "edit", path, "-w", made], capture_output=True, text=True, check=False,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
    assert run.returncode == 2 and "full" in run.stderr


def strangers(n, says=b"", own=lambda i: b""):
    """Connections with one segment each."""
    for i in range(n):
        yield frame(CLIENT + i // 60000, SERVER, 1024 + i % 60000, 1883, 1000, says + own(i))


@pytest.mark.skipif(sanitized(), reason="memory is the sanitizer's")
@pytest.mark.parametrize("what, made", [
    (["mqtt"], strangers(140000, b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04", struct.Struct(">I").pack)),
    (["conversations", "tcp"], strangers(530000)),
])
def test_a_table_of_strangers_has_a_limit_that_is_told(weir, tmp_path, what, made):
    path = str(tmp_path / "many.pcap")
    write(path, made)
    with subprocess.Popen([weir.path, "stats", *what, "-r", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
        told = run.stderr.read()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    assert run.returncode == 0 and "the limit of" in told and used.ru_maxrss < 256 << 10, (told, used.ru_maxrss)


@pytest.mark.skipif(sanitized(), reason="memory is the sanitizer's")
def test_states_of_strangers_stay_within_their_limit(weir, tmp_path):
    path = str(tmp_path / "many.pcap")
    write(path, strangers(66000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
    with subprocess.Popen([weir.path, "read", "-r", path, "-Y", "http2.magic"], stdout=subprocess.PIPE) as run:
        lines = sum(1 for _ in run.stdout)
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    assert lines == 66000 and used.ru_maxrss < 256 << 10, used.ru_maxrss


NAMES = [b"<script>alert(1)</script>", b"]]>", b"\x1b[31mred", b"\x1b]0;title\x07", b"\x9b31m", "\u202eevil".encode(), b"\xff\xfe", "\u00e9".encode() * 60, b"=cmd|' /c calc'!A0",
         b"@SUM(1)", b"+cmd|x", b"\r\nforged", b"../../x", "\uffff".encode()]


def named():
    """MQTT clients, topics and a broken web server that bear these names."""
    def text(s):
        return struct.pack(">H", len(s)) + s

    for i, name in enumerate(NAMES):
        connect = b"\x00\x04MQTT\x04\x02\x00\x3c" + text(name)
        publish = text(name) + b"\x00\x01" + name
        said = b"\x10" + struct.pack("B", len(connect)) + connect
        yield frame(CLIENT, SERVER, 2000 + i, 1883, 1000, said)
        yield frame(SERVER, CLIENT, 1883, 2000 + i, 5000, b"\x20\x02\x00\x00", ack=1000 + len(said))
        yield frame(CLIENT, SERVER, 2000 + i, 1883, 1000 + len(said), b"\x32" + bytes([len(publish) % 128 + 128, len(publish) // 128]) + publish, ack=5004)
        yield frame(CLIENT, SERVER, 3000 + i, 80, 1000, b"GET /" + name + b" HTTP/1.1\r\nHost: " + name + b"\r\n\r\n")
        yield frame(SERVER, CLIENT, 80, 3000 + i, 5000, b"HTTP/1.1 404 " + name + b"\r\nContent-Type: " + name + b"\r\nContent-Length: 1\r\n\r\nx", ack=1000)


@pytest.mark.parametrize("args", [["read", "-r", "F"], ["read", "-V", "-r", "F"], ["read", "-T", "fields", "-e", "_ws.col.Info", "-e", "mqtt.topic", "-r", "F"], ["explain", "-v", "F"],
                                  ["explain", "--md", "F"], ["explain", "--svg", "F"], ["ladder", "F"], ["ladder", "--svg", "F"], ["diff", "-v", "F", "G"], ["diff", "--svg", "F", "G"],
                                  ["stats", "mqtt", "-r", "F"], ["stats", "mqtt", "--csv", "-r", "F"], ["stats", "volume", "--csv", "-r", "F"], ["follow", "mqtt", "0", "-r", "F"],
                                  ["read", "-q", "-z", "http,tree", "-z", "expert", "-z", "flow,any,standard", "-r", "F"], ["guard", "--replay", "F"]])
def test_names_are_shown_and_do_nothing(weir, tmp_path, args):
    write(tmp_path / "F", named())
    write(tmp_path / "G", list(named())[:30])
    run = weir(*args, cwd=tmp_path)
    text = run.stdout.decode()  # UTF-8 whatever came
    assert run.returncode in (0, 1) and len(text) > 300 and not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]", text)
    if "--svg" in args:
        assert not {e.tagName for e in xml.dom.minidom.parseString(text).getElementsByTagName("*")} & {"script", "image"}
    if "--csv" in args:
        cells = [c for row in csv.reader(io.StringIO(text, newline="")) for c in row]
        assert "'=cmd|' /c calc'!A0" in cells and not [c for c in cells if c[:1] in ("=", "@", "\t", "\r") and c]


def test_a_split_does_with_the_descriptors_there_are(weir, tmp_path):
    write(tmp_path / "F", (one for _ in range(2) for one in strangers(40)))
    for folder in "few", "many":
        (tmp_path / folder).mkdir()
    limits = {"few": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12)), "many": None}
    for folder, limit in limits.items():
        assert weir("edit", "F", "-w", folder + "/o.pcapng", "--split", "tcp", cwd=tmp_path, preexec_fn=limit).returncode == 0
    names = sorted(p.name for p in (tmp_path / "few").iterdir())
    assert len(names) == 40 and all((tmp_path / "few" / n).read_bytes() == (tmp_path / "many" / n).read_bytes() for n in names)


def test_what_could_not_be_written_leaves_no_empty_capture(weir, tmp_path):
    write(tmp_path / "F", strangers(30))
    run = weir("edit", "F", "-w", "o.pcapng", "--split", "tcp", cwd=tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)))
    assert run.returncode == 2 and "full" in run.err and [p.name for p in tmp_path.iterdir()] == ["F"]


def test_a_line_in_a_topic_makes_no_second_topic(weir, tmp_path):
    write(tmp_path / "F", named())
    clients = json.loads(weir("stats", "mqtt", "--json", "-r", tmp_path / "F").out)["clients"]
    (forged,) = [c for c in clients if "forged" in c["client"]]
    assert forged["topics_published"] == ["\r\nforged"] and forged["packets_by_type"] == ["CONNECT 1", "CONNACK 1", "PUBLISH 1"]
