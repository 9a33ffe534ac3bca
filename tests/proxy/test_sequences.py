# SPDX-License-Identifier: Apache-2.0
"""Known packet sequences and byte streams on sockets, through the guard to a real broker. They are not part of the source:
skipped where the folder is missing."""
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from paho.mqtt import publish

from conftest import Raw, until

SUITES = Path(__file__).resolve().parents[2] / ".." / "shared" / "suites"
HELLO = {3: "1011 0006 4d514973647003 02 003c 0003 636964", 4: "100f 0004 4d515454 04 02 003c 0003",
         5: "1010 0004 4d515454 05 02 003c 00 0003"}
TIMES = "time: {connect: 1s, packet: 1s, handshake: 1s}\n"


def hello(version, name):
    """A CONNECT with a client id of three characters."""
    head = bytes.fromhex(HELLO[3].rsplit(" ", 1)[0] if version == 3 else HELLO[version])
    return head + name.encode()[:3].ljust(3, b"_")


def octets(text):
    return bytes.fromhex(text.replace(" ", ""))


def play(port, case, name, patience=1):
    """Sends a sequence: (what came back, whether the other side closed). `patience` times as long as usual is waited for what
    may come or not."""
    got, closed = b"", False
    first = next((m["payload"] for m in case["msgs"] if m["type"] == "send"), "")
    connects = first.replace(" ", "").startswith("10") or "3.1.0-1" in case["name"]
    with socket.create_connection(("127.0.0.1", port), 60) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if not connects:
                s.sendall(hello(case["ver"], name))
                s.settimeout(60)
                s.recv(100)
            for m in case["msgs"]:
                if m["type"] == "send":
                    s.sendall(octets(m["payload"]))
                elif m["type"] == "publish":
                    publish.single(m["topic"], m["payload"], m["qos"], hostname="127.0.0.1", port=port)
                else:
                    want = len(octets(m["payload"])) if m["type"] == "recv" else 0
                    s.settimeout(patience)
                    while want > 0:
                        more = s.recv(want)
                        if not more:
                            return got, True
                        got, want = got + more, want - len(more)
            s.settimeout(60 if case["expect_disconnect"] else 0.15 * patience)
            while more := s.recv(1000):
                got += more
            closed = True
        except TimeoutError:
            pass
        except ConnectionError:
            closed = True
    return got, closed


@pytest.fixture
def cases():
    path = SUITES / "mqtt-sequences.jsonl"
    if not path.exists():
        pytest.skip("the sequences are not here")
    return [json.loads(line) for line in path.read_text().splitlines()]


def names():
    """Client ids of three characters, one for each case."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return [a + b + c for a in letters[:2] for b in letters for c in letters]


def test_where_the_specification_closes_the_guard_closes(start, cases):
    broker = start.broker()
    guard = start.guard(config=f"listen: [127.0.0.1:0]\nbrokers: [{broker.address}]\nlimits: []\n" + TIMES)
    wrong = []

    def one(work):
        case, name = work
        if case["name"] == "NanoMQ CWE-119":
            return  # a well-formed CONNECT with a password: whether it is right is the broker's to say
        if not play(guard.port, case, name)[1]:
            wrong.append((case["group"], case["name"]))
    closing = [(c, n) for c, n in zip(cases, names()) if c["expect_disconnect"]]
    helped = [w for w in closing if any(m["type"] == "publish" for m in w[0]["msgs"])]  # they share a topic
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(one, [w for w in closing if w not in helped]))
    for w in helped:
        one(w)
    assert not wrong
    until(lambda: guard.metric("connections_open") == 0)


def test_where_it_does_not_the_guard_changes_nothing(start, cases):
    one_broker, other = start.broker(), start.broker()
    guard = start.guard(config=f"listen: [127.0.0.1:0]\nbrokers: [{one_broker.address}]\nlimits: []\n")
    wrong = []

    # One after the other, since they share topics; with the broker and with the guard at the same time.
    with ThreadPoolExecutor(2) as pool:
        for case, name in zip(cases, names()):
            if case["expect_disconnect"]:
                continue
            for patience in 1, 20:  # what is told late is told all the same
                through, direct = pool.map(lambda port: play(port, case, name, patience), (guard.port, other.port))
                if through == direct:
                    break
            else:
                wrong.append((case["group"], case["name"], through, direct))
    assert not wrong


def test_byte_streams_from_either_side_do_no_harm(start):
    folder = SUITES / "mqtt-bytes"
    if not folder.exists():
        pytest.skip("the byte streams are not here")
    files = sorted(p for p in folder.iterdir() if p.is_file())
    streams = [p.read_bytes()[:200_000] for p in files]
    turn = iter(streams * 2)
    # a "broker" that answers everything with a stream of the collection
    with socket.socket() as bad:
        bad.bind(("127.0.0.1", 0))
        bad.listen(100)
        port = bad.getsockname()[1]

        def serve():
            while True:
                try:
                    s, _ = bad.accept()
                except OSError:
                    return
                with s:
                    try:
                        s.settimeout(0.2)
                        if s.recv(1000):
                            s.sendall(next(turn, b""))
                            s.recv(100)
                    except OSError:
                        pass
        threads = [threading.Thread(target=serve, daemon=True) for _ in range(8)]
        for t in threads:
            t.start()
        good = start.broker()
        config = TIMES + "limits: []\n"
        behind_bad = start.guard("--listen", "127.0.0.1:0", "--broker", f"127.0.0.1:{port}", config=config)
        behind_good = start.guard("--listen", "127.0.0.1:0", "--broker", good.address, config=config)
        workers = behind_bad.workers() + behind_good.workers()

        def feed(stream):
            for guard, data in ((behind_good, stream), (behind_bad, hello(4, "cid"))):
                try:
                    raw = Raw(guard.port, connect=False, timeout=10)
                    raw.send(data)
                    raw.s.settimeout(0.1)
                    raw.s.recv(1000)
                    raw.close()
                except OSError:
                    pass
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(feed, streams))
        assert behind_bad.workers() + behind_good.workers() == workers
        assert Raw(behind_good.port, "after").connack == (0x20, b"\0\0")
        for guard in (behind_bad, behind_good):
            until(lambda: guard.metric("connections_open") <= 1 and guard.metric("buffered_bytes") == 0)
