# SPDX-License-Identifier: Apache-2.0
"""weir lab echo and sink: what they do with friends, with crowds, with garbage, and when they are killed."""
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from ports import free_port
from waiting import LONG, until

WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))


class Peer:
    """A server of the lab; `with Peer("echo") as p: p.connect()`."""

    def __init__(self, kind, *options):
        self.kind, self.options, self.port = kind, options, free_port()

    def __enter__(self):
        self.process = subprocess.Popen([WEIR, "lab", self.kind, f"127.0.0.1:{self.port}", *map(str, self.options)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert str(self.port).encode() in self.process.stderr.readline()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), LONG)

    def say(self, data, end=True):
        """Send, end, read until the server has closed."""
        with self.connect() as s:
            s.sendall(data)
            if end:
                s.shutdown(socket.SHUT_WR)
            got = b""
            while (part := s.recv(65536)):
                got += part
            return got

    def stop(self):
        """Ctrl-C: exit status, standard output, standard error."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=LONG)
        return self.process.returncode, out.decode(), err.decode()


def stored(path):
    run = subprocess.run([WEIR, "lab", "sink", "--list", "--json", "--store", str(path)], capture_output=True, timeout=LONG)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def status(answer):
    return int(answer.split(b" ")[1 if answer.startswith(b"HTTP") else 0].split(b"\n")[0])


# ---- echo ----

def test_what_comes_goes_back():
    big = random.Random(1).randbytes(3_000_000)
    with Peer("echo") as p:
        assert p.say(b"hoge\n") == b"hoge\n"
        assert p.say(b"caf\xc3\xa9 \x1b[2J\x00\n") == b"caf\xc3\xa9 \x1b[2J\x00\n"
        with p.connect() as s:  # more than the kernel's buffers hold, read only while writing
            got = bytearray()
            s.setblocking(False)
            sent = 0
            end = time.time() + LONG
            while len(got) < len(big) and time.time() < end:
                try:
                    sent += s.send(big[sent:sent + 65536]) if sent < len(big) else 0
                except BlockingIOError:
                    pass
                try:
                    got += s.recv(65536)
                except BlockingIOError:
                    pass
            assert bytes(got) == big
        with socket.socket(type=socket.SOCK_DGRAM) as u:
            u.settimeout(LONG)
            u.sendto(b"ping", ("127.0.0.1", p.port))
            assert u.recv(100) == b"ping"
        rc, out, err = p.stop()
    assert rc == 0
    assert '5 bytes  "hoge\\n"' in out and "\x1b" not in out and "\\x1b[2J\\x00" in out
    assert "closed by the peer; bytes in: 5, back: 5" in out
    assert "connections: 3 " in err and "datagrams: 1," in err


def test_hellos_are_told_in_words():
    connect = bytes.fromhex("101400044d515454040200000008736c6565706572") + b"1"
    with Peer("echo") as p:
        p.say(connect)
        p.say(b"GET /abc HTTP/1.1\r\nHost: a\r\n\r\n")
        p.say("GET /\u202egnp HTTP/1.1\r\n\r\n".encode())  # text that turns around what follows it
        p.say(bytes(range(32)) * 8)
        _, out, _ = p.stop()
    assert "MQTT CONNECT sleeper1" in out and "CONNACK" in out
    assert "HTTP GET /abc" in out and "HTTP GET /\\u202Egnp" in out
    assert "00 01 02 03" in out and "and 224 bytes more" in out


def test_events_as_json():
    with Peer("echo", "--json") as p:
        p.say(b'a "quoted" \xff word')
        _, out, _ = p.stop()
    events = [json.loads(line) for line in out.splitlines()]
    assert [e["event"] for e in events] == ["connected", "data", "closed"]
    assert events[1]["bytes"] == 17 and events[2]["echoed"] == 17


def test_a_peer_that_never_reads_costs_little():
    with Peer("echo", "-q") as p:
        with p.connect() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.setblocking(False)
            sent, still = 0, 0
            while still < 20:
                try:
                    sent += s.send(bytes(65536))
                    still = 0
                except BlockingIOError:
                    still += 1
                    time.sleep(0.02)
            rss = int(next(l for l in open(f"/proc/{p.process.pid}/status") if l.startswith("VmRSS")).split()[1])
            assert rss < 100_000
        assert p.say(b"others are served") == b"others are served"


@pytest.mark.parametrize("kind", ["echo", "sink"])
def test_garbage_and_broken_peers(kind, tmp_path):
    r = random.Random(7)
    options = ["-q"] if kind == "echo" else ["-q", "--store", tmp_path / "db", "--rate", "0"]
    with Peer(kind, *options) as p:
        for i in range(300):
            with p.connect() as s:
                if i % 3 == 0:  # reset, with bytes unread
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                head = r.choice([b"", b"POST / HTTP/1.1\r\n", b"\x16\x03\x01", b"\x10\x10\0\4MQTT", b"PO", b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"])
                try:
                    for part in range(r.randrange(4)):
                        s.sendall(head + r.randbytes(r.randrange(4000)))
                        head = b""
                except OSError:
                    pass
            with socket.socket(type=socket.SOCK_DGRAM) as u:
                u.sendto(r.randbytes(r.randrange(2000)), ("127.0.0.1", p.port))
        assert b"well" in p.say(b"well\n") or kind == "sink"
        rc, _, err = p.stop()
    assert rc == 0 and ("connections: 300 " in err or "connections: 301 " in err), err


@pytest.mark.parametrize("kind", ["echo", "sink"])
def test_ten_thousand_connections(kind, tmp_path):
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 10_000
    if hard < count + 200:
        pytest.skip(f"only {hard} open files are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    socks = []
    try:
        with Peer(kind, "-q", *([] if kind == "echo" else ["--store", tmp_path / "db", "--rate", "0"])) as p:
            for i in range(count):
                socks.append(p.connect())
            for i, s in enumerate(socks):
                s.sendall(b"%05d\n" % i)
            for i, s in enumerate(socks):
                got = b""
                while not got.endswith(b"\n"):
                    got += s.recv(100)
                assert got == (b"%05d\n" % i if kind == "echo" else b"201\n")
            rc, _, err = p.stop()
        assert rc == 0 and "at once: 10000" in err, err
    finally:
        for s in socks:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if kind == "sink":
        assert sorted(g["text"] for g in stored(tmp_path / "db")) == [f"{i:05d}" for i in range(count)]


def test_who_comes_when_all_places_are_taken_is_turned_away():
    with Peer("echo", "--connections", "2") as p:
        with p.connect() as a, p.connect() as b:
            a.sendall(b"x")
            assert a.recv(1) == b"x"
            b.sendall(b"y")
            assert b.recv(1) == b"y"
            with p.connect() as c:
                assert c.recv(1) == b""

        def served():
            try:
                return p.say(b"z") == b"z"
            except OSError:
                return False
        until(served)  # the places are free again
        assert "turned away" in p.stop()[2]


def test_a_port_is_taken_once(weir):
    with Peer("echo") as p:
        run = weir("lab", "echo", f"127.0.0.1:{p.port}")
        assert run.returncode == 2 and "in use" in run.err and len(run.err.splitlines()) == 1


def test_bad_use(weir):
    assert weir("lab").returncode == 2
    assert "did you mean" in weir("lab", "eco").err
    assert weir("lab", "echo").returncode == 2
    assert weir("lab", "echo", "nonsense").returncode == 2
    assert weir("lab", "sink", "--list", "127.0.0.1:1").returncode == 2
    assert "may be open" in weir("lab", "echo", "127.0.0.1:1", "--connections", "1000000").err
    for part in "echo", "sink", "net":
        assert "Examples" in weir("lab", part, "--help").out


def complete(*words):
    """What bash offers for the last word."""
    script = Path(__file__).resolve().parents[2] / "docs/completion/weir.bash"
    code = f'source "{script}"; compopt() {{ :; }}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir; echo "${{COMPREPLY[@]}}"'
    run = subprocess.run(["bash", "-c", code, "bash", *words], capture_output=True, text=True, timeout=LONG,
                         env={**os.environ, "PATH": os.path.dirname(WEIR) + ":" + os.environ["PATH"]})
    return run.stdout.split()


def test_completion_knows_the_parts():
    assert complete("weir", "lab", "") == ["echo", "sink", "net"]
    assert complete("weir", "lab", "net", "e") == ["enter"]
    assert complete("weir", "lab", "sink", "--max-si") == ["--max-size="]
    assert complete("weir", "lesson", "st") == ["stopped"]
    assert "--display-filter=" in complete("weir", "read", "--dis")


# ---- sink ----

def have_sqlite():
    return "without SQLite" not in subprocess.run([WEIR, "lab", "sink", "--list", "--store", "/nonexistent"], capture_output=True,
                                                  text=True).stderr


needs_sqlite = pytest.mark.skipif(not have_sqlite(), reason="built without SQLite")
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"


@needs_sqlite
def test_lines_datagrams_and_requests_are_stored(tmp_path):
    db = tmp_path / "data.db"
    with Peer("sink", "--store", db) as p:
        assert p.say(b"hoge\n") == b"201\n"
        assert p.say(b"one\r\ntwo\n\nthree without an end") == b"201\n" * 3
        with socket.socket(type=socket.SOCK_DGRAM) as u:
            u.settimeout(LONG)
            u.sendto(b"datagram", ("127.0.0.1", p.port))
            assert u.recv(100) == b"201\n"
        answer = p.say(POST % (13, b'{"temp":21.5}'))
        assert status(answer) == 201 and json.loads(answer.split(b"\r\n\r\n")[1]) == {"id": 6, "size": 13}
        assert status(p.say(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nT: x\r\n\r\n")) == 201
        two = p.say(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\na" + POST % (2, b"bc"))
        assert two.count(b"201 Created") == 2
        rc, out, err = p.stop()
    assert rc == 0 and "readings stored: 9" in err
    got = stored(db)
    assert [g["text"] for g in got] == ["hoge", "one", "two", "three without an end", "datagram", '{"temp":21.5}', "hello!", "a", "bc"]
    assert [g["protocol"] for g in got] == ["tcp"] * 4 + ["udp"] + ["http"] * 4
    assert all(g["source"] == "127.0.0.1" and g["port"] and g["size"] == len(g["text"]) and g["time"].endswith("Z") for g in got)
    assert '"hoge"' in out


@needs_sqlite
def test_slow_peers_are_understood(tmp_path):
    db = tmp_path / "data.db"
    with Peer("sink", "--store", db, "--line-wait", "1000") as p:
        with p.connect() as s:  # a request, byte by byte, with a pause longer than a line's
            for i, b in enumerate(POST % (3, b"abc")):
                s.sendall(bytes([b]))
                time.sleep(1.5 if i == 20 else 0.001)
            assert b"201 Created" in s.recv(1000)
        with p.connect() as s:  # a line without an end, and silence
            s.sendall(b"hoge")
            assert s.recv(100) == b"201\n"
            s.sendall(b"more\n")
            assert s.recv(100) == b"201\n"
    assert [g["text"] for g in stored(db)] == ["abc", "hoge", "more"]


@needs_sqlite
@pytest.mark.parametrize("say, code", [
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 411),
    (b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 413),
    (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nshort", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400),
    (b"POST / HTTP/2.5\r\n\r\n", 505),
    (b"POST / HTTP/1.1\r\nX: " + b"a" * 9000, 431),
    (b"\x16\x03\x01\x02\x00\x01\x00", 426),
    (bytes.fromhex("101000044d51545404020000000441424344"), 415),
    (b"x" * 1001 + b"\n", 413),
])
def test_what_is_refused_is_told_why(tmp_path, say, code):
    with Peer("sink", "--store", tmp_path / "db", "--max-size", "1000") as p:
        answer = p.say(say)
        assert status(answer) == code
        assert len(answer.split(b"\r\n\r\n")[-1].split(b" ", 1)[1]) > 15  # a sentence
        assert f"{code} " in p.stop()[2]
    assert stored(tmp_path / "db") == []


@needs_sqlite
def test_rate_and_room_are_limited(tmp_path):
    with Peer("sink", "--store", tmp_path / "a", "--rate", "10") as p:
        answers = p.say(b"x\n" * 50).split(b"\n")
        assert answers.count(b"201") in range(10, 15) and sum(a.startswith(b"429 ") for a in answers) >= 35
    assert len(stored(tmp_path / "a")) == answers.count(b"201")
    with Peer("sink", "--store", tmp_path / "b", "--max-store", "2000") as p:
        answers = p.say((b"y" * 100 + b"\n") * 30).split(b"\n")
        assert answers.count(b"201") == 10 and sum(a.startswith(b"507 ") for a in answers) == 20
    with Peer("sink", "--store", tmp_path / "b", "--max-store", "2000") as p:  # and it is remembered
        assert p.say(b"y" * 100).startswith(b"507")


def has(s, n):
    """Whether so many bytes have come."""
    try:
        return len(s.recv(n, socket.MSG_PEEK | socket.MSG_DONTWAIT)) == n
    except BlockingIOError:
        return False


@needs_sqlite
def test_killed_during_writes_loses_nothing_that_was_acknowledged(tmp_path):
    db, acknowledged = tmp_path / "data.db", set()
    for turn in range(4):
        with Peer("sink", "-q", "--store", db, "--rate", "0") as p:
            socks = [p.connect() for _ in range(20)]
            waiting = {s: [] for s in socks}
            n, end = 0, time.time() + 0.4
            while time.time() < end or not has(socks[-1], 8):
                for k, s in enumerate(socks):
                    s.setblocking(True)
                    word = f"{turn}-{k}-{n}"
                    s.sendall(word.encode() + b"\n")
                    waiting[s].append(word)
                n += 1
            p.process.send_signal(signal.SIGKILL)
            p.process.wait(LONG)
            for s in socks:
                got = b""
                try:
                    while (part := s.recv(65536)):
                        got += part
                except OSError:
                    pass
                acknowledged |= set(waiting[s][:got.count(b"201\n")])
                s.close()
    kept = {g["text"] for g in stored(db)}
    assert len(acknowledged) > 100
    assert acknowledged <= kept
    assert sqlite3.connect(db).execute("PRAGMA integrity_check").fetchone() == ("ok",)


@needs_sqlite
def test_a_full_disk_is_told_and_survived(tmp_path):
    if not os.path.exists("/dev/full") or os.geteuid():
        pytest.skip("needs root for a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", disk], capture_output=True).returncode:
        pytest.skip("no tmpfs here")
    try:
        with Peer("sink", "-q", "--store", disk / "db", "--rate", "0") as p:
            answers = p.say((b"z" * 1000 + b"\n") * 600).split(b"\n")
            good = answers.count(b"201")
            assert 0 < good < 600 and sum(a.startswith(b"507 ") for a in answers) == 600 - good
            assert p.stop()[0] == 0
        assert len(stored(disk / "db")) >= good
    finally:
        subprocess.run(["umount", "-l", disk])


@needs_sqlite
def test_a_file_of_somebody_else_is_not_touched(weir, tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as c:
        c.execute("CREATE TABLE mine (x)")
    before = other.read_bytes()
    run = weir("lab", "sink", "127.0.0.1:1", "--store", other)
    assert run.returncode == 2 and "something else" in run.err and other.read_bytes() == before
    assert weir("lab", "sink", "--list", "--store", tmp_path / "missing").returncode == 2


# ---- networks ----

def may_make_networks():
    return subprocess.run(["unshare", "-Urn", "true"], capture_output=True).returncode == 0 and \
        subprocess.run([WEIR, "lab", "net", "list"], capture_output=True).returncode == 0


@pytest.mark.skipif(not may_make_networks(), reason="no namespaces here")
class TestNetworks:
    def net(self, *args, **kw):
        return subprocess.run([WEIR, "lab", "net", *args], capture_output=True, text=True, timeout=2 * LONG, **kw)

    def name(self, what):
        return f"t{os.getpid()}-{what}"

    def ask(self, name, port):
        """The device asks the broker's echo server; what came back."""
        code = f"import socket\ns=socket.create_connection(('10.77.2.2',{port}),3)\ns.settimeout(3)\ns.send(b'x'*1400)\nprint(len(s.recv(5000)))"
        return self.net("enter", "--name", name, "device", "--", "/usr/bin/python3", "-c", code)

    def scene(self, kind, port=7000):
        name = self.name(kind)
        made = self.net("up", kind, "--name", name)
        if made.returncode:
            pytest.skip(made.stderr.strip())
        echo = subprocess.Popen([WEIR, "lab", "net", "enter", "--name", name, "broker", "--", WEIR, "lab", "echo", "-q", f"10.77.2.2:{port}"],
                                stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        echo.stderr.readline()
        try:
            return self.ask(name, port), name
        finally:
            ended = self.net("down", name)
            assert ended.returncode == 0, ended.stderr
            echo.wait(LONG)
            assert name not in self.net("list").stdout

    def test_a_network_that_works(self):
        run, _ = self.scene("plain")
        assert run.returncode == 0 and run.stdout.strip() == "1400", run.stderr

    def test_large_packets_vanish(self):
        run, _ = self.scene("mtu")
        assert run.returncode != 0 and "timed out" in run.stderr

    def test_everything_takes_longer(self):
        begun = time.time()
        run, _ = self.scene("delay")
        assert run.returncode == 0 and run.stdout.strip() == "1400", run.stderr
        assert time.time() - begun > 1.2  # a handshake and an echo are four ways of 300 ms

    def test_a_port_that_is_rejected(self):
        run, _ = self.scene("reject", 1883)
        assert run.returncode != 0 and "timed out" not in run.stderr

    def test_every_kind_can_be_made(self):
        kinds = [line.split()[0] for line in self.net("list").stdout.splitlines() if line[:2] == "  " and line[2] != " "]
        assert len(kinds) == 9
        for kind in kinds:
            name = self.name(kind)
            run = self.net("up", kind, "--name", name)
            assert run.returncode == 0, run.stderr
            assert self.net("up", kind, "--name", name).returncode == 2
            assert self.net("down", name).returncode == 0
            assert name not in self.net("list").stdout

    def test_nothing_is_left_of_one_that_was_killed(self):
        name = self.name("killed")
        keeper = subprocess.Popen([WEIR, "lab", "net", "up", "plain", "--name", name, "--hold"], stdout=subprocess.PIPE)
        keeper.stdout.readline()
        assert name in self.net("list").stdout
        assert self.net("enter", "--name", name, "device", "--", "ip", "route").returncode == 0
        keeper.kill()
        keeper.communicate()
        until(lambda: name not in self.net("list").stdout)
        assert self.net("enter", "--name", name, "device", "--", "true").returncode == 2
        assert self.net("up", "plain", "--name", name).returncode == 0
        assert self.net("down", name).returncode == 0
