# SPDX-License-Identifier: Apache-2.0
"""The Core Rule Set on the wire: the verdicts of `weir guard --judge`, however a packet arrives."""
import ctypes
import json
import os
import resource
import signal
import ssl
import subprocess
from pathlib import Path

import pytest
from machine import sanitized
from waiting import quickest

from conftest import LOAD, WEIR, Raw, connect_packet, packet, publish_packet, read_packet, string, until

CRS = "/usr/share/modsecurity-crs/owasp-crs.load"
SUITE = Path(__file__).resolve().parents[3] / "shared" / "suites" / "crs-attacks.jsonl"
pytestmark = pytest.mark.skipif(not os.path.exists(CRS), reason="needs modsecurity-crs")
VALUES = ["; cat /etc/passwd", "1' OR '1'='1", "<script>alert(1)</script>", '{"a":"../../../../etc/passwd"}', "21.5", '{"temp":21.5,"unit":"C"}', "ON"]


@pytest.fixture(autouse=True)
def cache(monkeypatch):
    monkeypatch.setenv("WEIR_CACHE_DIR", os.path.join(os.path.dirname(WEIR), "cache"))


def verdicts(values):
    lines = "".join(json.dumps({"topic": "t/1", "payload": v}) + "\n" for v in values)
    r = subprocess.run([WEIR, "guard", "--judge", "-", "--rules", CRS, "--paranoia", "1"], input=lines, capture_output=True, text=True)
    if "cannot run rule files" in r.stderr:
        pytest.skip("built without rule files")
    return [json.loads(line)["action"] == "block" for line in r.stdout.splitlines()]


def guarded(start, listen, files=CRS):
    broker = start.broker()
    return start.guard("--workers", 1, config=f"""
listen: [{listen}]
brokers: [{{address: "{broker.address}"}}]
rule_files: {{files: [{files}], paranoia: 1}}
"""), broker


def seen(broker):
    sub = Raw(broker.port, "sub")
    sub.send(packet(0x82, b"\0\1" + string("t/#") + b"\0"))
    assert sub.read()[0] == 0x90
    return sub


def through(sub, send, values):
    """What the subscriber got of the values."""
    for v in values:
        send(publish_packet("t/1", v.encode()))
    send(publish_packet("t/end", b"1"))
    got = []
    while True:
        body = sub.read()[1]
        n = int.from_bytes(body[:2], "big")
        if body[2:2 + n] == b"t/end":
            return got
        got.append(body[2 + n:].decode())


def test_blocked_payloads_reach_nobody_however_they_are_split(start):
    blocked = verdicts(VALUES)
    assert blocked == [True] * 4 + [False] * 3
    guard, broker = guarded(start, '{address: "127.0.0.1:0"}')
    sub, client = seen(broker), Raw(guard.port)

    def by_bytes(data):
        for i in range(len(data)):
            client.send(data[i:i + 1])
    want = [v for v, b in zip(VALUES, blocked) if not b]
    assert through(sub, client.send, VALUES) == want
    assert through(sub, by_bytes, VALUES) == want
    joined = b"".join(publish_packet("t/1", v.encode()) for v in VALUES)
    for cut in range(1, len(joined), 7):
        client.send(joined[:cut])
        client.send(joined[cut:])
        assert through(sub, client.send, []) == want


@pytest.mark.skipif(not SUITE.exists(), reason="needs the suites")
def test_attacks_of_the_core_rule_set(start, certs):
    values = [json.loads(line)["value"] for line in open(SUITE)][::7]
    blocked = verdicts(values)
    want = [v for v, b in zip(values, blocked) if not b]
    assert sum(blocked) > 50
    guard, broker = guarded(start, f'{{address: "127.0.0.1:0"}}, {{address: "127.0.0.1:0", tls: {{certificate: {certs}/server.pem, key: {certs}/server.key}}}}')
    sub = seen(broker)
    assert through(sub, Raw(guard.ports[0]).send, values) == want
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = context.wrap_socket(Raw(guard.ports[1], connect=False).s)
    tls.sendall(connect_packet("tls"))
    assert read_packet(tls)[0] == 0x20
    assert through(sub, tls.sendall, values) == want


class WebSocket:
    """MQTT in frames: what is sent goes out in frames of the given size, whatever packets it holds."""

    def __init__(self, s, name, frame=10 ** 6):
        self.s, self.frame, self.rest = s, frame, b""
        s.sendall(b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                  b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            got = s.recv(1)
            assert got, head
            head += got
        assert b" 101 " in head
        self.send(connect_packet(name))
        first = s.recv(2)
        assert first[0] == 0x82 and s.recv(first[1])[0] == 0x20

    def send(self, data):
        frames = []
        for at in range(0, len(data), self.frame):
            part, mask = data[at:at + self.frame], b"\1\2\3\4"
            n = len(part)
            length = bytes([0x80 | n]) if n < 126 else bytes([0xfe]) + n.to_bytes(2, "big") if n < 65536 else bytes([0xff]) + n.to_bytes(8, "big")
            frames.append(b"\x82" + length + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(part)))
        self.s.sendall(b"".join(frames))


@pytest.mark.skipif(not SUITE.exists(), reason="needs the suites")
@pytest.mark.parametrize("tls", [False, True])
def test_attacks_inside_websocket(start, certs, tls):
    values = [json.loads(line)["value"] for line in open(SUITE)][::7]
    blocked = verdicts(values)
    want = [v for v, b in zip(values, blocked) if not b]
    assert sum(blocked) > 50
    with_tls = f", tls: {{certificate: {certs}/server.pem, key: {certs}/server.key}}" if tls else ""
    guard, broker = guarded(start, f'{{address: "127.0.0.1:0", websocket: true{with_tls}}}')
    sub = seen(broker)

    def client(name, frame):
        s = Raw(guard.port, connect=False).s
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            s = context.wrap_socket(s)
        return WebSocket(s, name, frame)
    assert through(sub, client("whole", 10 ** 6).send, values) == want
    assert through(sub, client("threes", 3).send, values) == want
    # Some of them with every byte in a frame and a segment of its own.
    c = client("bytes", 1)

    def by_bytes(data):
        for i in range(len(data)):
            c.send(data[i:i + 1])
    some = values[::10]
    assert through(sub, by_bytes, some) == [v for v in some if v in want]


def test_a_broken_rule_file_under_load_changes_nothing(start):
    rules = start.folder / "rules.conf"
    good, bad = 'SecRule ARGS "@streq evil" "id:1,deny"\n', 'SecRule ARGS "@rx (" "id:1,deny"\n'
    rules.write_text(good)
    guard, broker = guarded(start, '{address: "127.0.0.1:0"}', rules)
    sub, client = seen(broker), Raw(guard.port)
    pid = guard.workers()
    with subprocess.Popen([LOAD, "--clients", "10", "--rate", "1000", "--seconds", "4", "--qos", "1", "loop",
                           f"127.0.0.1:{guard.port}"], stdout=subprocess.PIPE) as run:
        for i in range(6):
            rules.write_text(bad)
            guard.signal(signal.SIGHUP)
            until(lambda: guard.metric("reloads_refused_total") == i + 1)
            assert through(sub, client.send, ["evil", "fine"]) == ["fine"]
        got = json.loads(run.communicate()[0])
    assert got["lost"] == got["failed"] == 0 and got["received"] == got["sent"] > 2000
    assert guard.workers() == pid and guard.metric("reloads_total") == 0


def test_a_broken_rule_file_is_refused_and_the_old_rules_stay(start):
    rules = start.folder / "rules.conf"
    rules.write_text('SecRule ARGS "@streq evil" "id:1,deny"\n')
    guard, broker = guarded(start, '{address: "127.0.0.1:0"}', rules)
    sub, client = seen(broker), Raw(guard.port)
    assert through(sub, client.send, ["evil", "fine"]) == ["fine"]
    rules.write_text('SecRule ARGS "@rx (" "id:1,deny"\n')
    guard.signal(signal.SIGHUP)
    until(lambda: "the old one stays" in guard.err)
    assert f"{rules}:1:19: the regular expression is wrong" in guard.err
    assert through(sub, client.send, ["evil", "fine"]) == ["fine"]
    rules.write_text('SecRule ARGS "@streq fine" "id:1,deny"\n')
    guard.signal(signal.SIGHUP)
    until(lambda: guard.metric("reloads_total") == 1)
    assert through(sub, client.send, ["evil", "fine"]) == ["evil"]


def deny():
    """From now on no memory may be made executable, as in a hardened unit."""
    if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE
        os._exit(77)


HOSTILE = ["' or 1=1-- ", "\"\\'\\\\\"", "=='\"=='\"", "0x41,0x42 and 1=1 ", "%25%32%37%u0027&#x27;\\u0027", "((((((((("]


@pytest.mark.parametrize("interpreted", [False, True])
def test_no_value_takes_long(interpreted):
    lines = "".join(json.dumps({"topic": "t/1", "payload": (v * 65536)[:65536]}) + "\n" for v in HOSTILE)

    def judge(text):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        r = subprocess.run([WEIR, "guard", "--judge", "-", "--rules", CRS, "--paranoia", "4"], input=text, capture_output=True,
                           text=True, preexec_fn=deny if interpreted else None)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return r, after.ru_utime - before.ru_utime
    r, empty = judge("")
    if r.returncode == 77:
        pytest.skip("this kernel cannot forbid it")
    if "cannot run rule files" in r.stderr:
        pytest.skip("built without rule files")
    r, _ = judge(lines)
    got = [json.loads(line) for line in r.stdout.splitlines()]
    assert len(got) == len(HOSTILE)
    # Whatever did not get to its verdict in time is marked, which the guard takes for a refusal.
    assert all(g["action"] == "block" or g.get("limited") for g in got), got
    if not sanitized():
        quickest(lambda: judge(lines)[1] - empty, 0.05 * len(HOSTILE))


def test_where_memory_may_not_be_made_executable_the_verdicts_stay_and_it_is_said(tmp_path):
    conf = tmp_path / "g.yaml"
    conf.write_text(f"listen: [127.0.0.1:1]\nbrokers: [127.0.0.1:2]\nrule_files:\n  files: [{CRS}]\n")
    free, bound = (subprocess.run([WEIR, "guard", "-t", "-c", conf], capture_output=True, text=True, preexec_fn=how)
                   for how in (None, deny))
    if bound.returncode == 77:
        pytest.skip("this kernel cannot forbid it")
    if "cannot run rule files" in free.stderr:
        pytest.skip("built without rule files")
    assert free.returncode == 0 and "interpreted" not in free.stderr, free.stderr
    assert bound.returncode == 0 and "MemoryDenyWriteExecute" in bound.stderr, bound.stderr
    lines = "".join(json.dumps({"topic": "t/1", "payload": v}) + "\n" for v in VALUES)
    bound = subprocess.run([WEIR, "guard", "--judge", "-", "--rules", CRS, "--paranoia", "1"], input=lines, capture_output=True,
                           text=True, preexec_fn=deny)
    assert [json.loads(line)["action"] == "block" for line in bound.stdout.splitlines()] == verdicts(VALUES)
