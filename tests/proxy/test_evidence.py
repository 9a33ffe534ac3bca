# SPDX-License-Identifier: Apache-2.0
"""Captures of connections something was stopped on."""
import json
import shutil
import subprocess
import time

import pytest
from conftest import WEIR, Raw, connect_packet, packet, publish_packet, string, until
from test_rules import WebSocket


def guarded(start, listen='"127.0.0.1:0"', more="", bytes_="16Ki"):
    folder = start.folder / "evidence"
    folder.mkdir()
    broker = start.broker()
    guard = start.guard("--workers", 1, config=f"""
listen: [{listen}]
brokers: ["{broker.address}"]
evidence: {{folder: {folder}, bytes: {bytes_}, files: 3}}
topics: {{rules: [{{id: no-secrets, deny: all, to: ["secret/#"]}}]}}
{more}""")
    return guard, folder


def files(folder, n=1):
    """The n files, once they are there and have stopped growing: each is written in one go."""
    until(lambda: len(list(folder.iterdir())) == n)
    while True:
        sizes = [f.stat().st_size for f in sorted(folder.iterdir())]
        time.sleep(1)
        if sizes == [f.stat().st_size for f in sorted(folder.iterdir())]:
            return sorted(folder.iterdir())


def fields(path, *names):
    args = [a for n in names for a in ("-e", n)]
    r = subprocess.run([WEIR, "read", "-r", path, "-T", "fields", *args], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return [line.split("\t") for line in r.stdout.splitlines()]


def attack(send, read=None):
    send(publish_packet("fine/1", b"before", 1, 7))
    if read:
        assert read()[0] == 0x40
    send(publish_packet("secret/x", b"the thing", 1, 8))
    if read:
        assert read()[0] == 0x40


def test_a_stopped_packet_is_kept_with_what_came_before(start):
    guard, folder = guarded(start)
    raw = Raw(guard.port, "pump-7", flags=0xc2, more=string("someone") + string("s3cr3t-password"))
    attack(raw.send, raw.read)
    path, = files(folder)
    assert (path.stat().st_mode & 0o777) == 0o600
    got = fields(path, "tcp.srcport", "mqtt.msgtype", "mqtt.clientid", "mqtt.username", "mqtt.topic", "mqtt.msg")
    port = str(raw.s.getsockname()[1])
    assert [g[:2] for g in got] == [[port, "1"], ["1883", "2"], [port, "3"], ["1883", "4"], [port, "3"]], got
    assert got[0][2:4] == ["pump-7", "someone"] and got[2][4] == "fine/1" and got[4][4] == "secret/x"
    data = path.read_bytes()
    assert b"s3cr3t" not in data and b"*" * 15 in data
    assert b"no-secrets: a rule denies this topic" in data
    # What is stopped later continues the file.
    raw.send(publish_packet("secret/y", b"more", 0))
    until(lambda: len(fields(path, "mqtt.topic")) == 7)
    assert [g[0] for g in fields(path, "mqtt.topic")][4:] == ["secret/x", "", "secret/y"]  # with the answer in between
    assert not any("retransmission" in g[0] or "lost" in g[0] for g in fields(path, "_ws.expert.message"))
    audit = [json.loads(line) for line in guard.err.splitlines() if line.startswith("{")]
    if audit:
        assert path.name.endswith(f"-{audit[0]['flow_id']}.pcapng")


@pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark")
def test_tshark_reads_it(start):
    guard, folder = guarded(start)
    raw = Raw(guard.port, "pump-7", version=5)
    raw.send(publish_packet("secret/x", b"the thing", 0, version=5))
    path, = files(folder)
    out = subprocess.run(["tshark", "-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields", "-e",
                          "mqtt.msgtype", "-e", "mqtt.topic", "-e", "frame.comment", "-e", "tcp.checksum.status"],
                         capture_output=True, text=True).stdout.splitlines()
    assert [line.split("\t") for line in out] == [["1", "", "", "1"], ["2", "", "", "1"],
                                                  ["3", "secret/x", "no-secrets: a rule denies this topic", "1"]]


def test_inside_websocket_it_is_what_the_guard_saw(start):
    guard, folder = guarded(start, '{address: "127.0.0.1:0", websocket: true}')
    client = WebSocket(Raw(guard.port, connect=False).s, "web", 5)
    attack(client.send)
    got = fields(files(folder)[0], "mqtt.topic")
    assert got[-1][0].endswith("secret/x")


@pytest.mark.parametrize("bad", [
    packet(0x10, string("MQTT") + b"\4\xc2\0\x3c" + string("id") + string("user") + string("s3cr3t") + b"trailing"),
    packet(0x10, string("MQTT") + b"\4\xc2\0\x3c" + b"\0\x50id" + string("user") + string("s3cr3t")),
    packet(0x10, string("MQTX") + b"\4\xc2\0\x3c" + string("id") + string("user") + string("s3cr3t")),
    packet(0x10, string("MQTT") + b"\x05\xc2\0\x3c\xff\xff\xff\x7f" + string("id") + string("user") + string("s3cr3t")),
    packet(0x11, string("MQTT") + b"\4\xc2\0\x3c" + string("id") + string("user") + string("s3cr3t")),
    connect_packet("first") + connect_packet("again", flags=0xc2, more=string("user") + string("s3cr3t")),
])
def test_no_password_is_kept_however_broken_its_packet(start, bad):
    guard, folder = guarded(start)
    raw = Raw(guard.port, connect=False)
    raw.send(bad)
    assert raw.closed()
    path, = files(folder)
    assert b"s3cr3t" not in path.read_bytes()
    assert path.stat().st_size > 150


def test_limits_hold(start):
    guard, folder = guarded(start, bytes_="2Ki")
    for i in range(5):
        raw = Raw(guard.port, f"many{i}")
        fine = publish_packet("fine/1", b"x" * 100)
        for k in range(20):
            raw.send(fine * 10)
        raw.send(fine * 9 + publish_packet("secret/x", b"y" * 5000) + b"\xc0\0")
        assert raw.read() == (0xd0, b"")
        time.sleep(0.1)
    kept = files(folder, 3)  # the oldest two are gone
    for path in kept:
        assert path.stat().st_size < 8192
        assert b"secret/x" in path.read_bytes()
        assert 5000 < int(fields(path, "frame.len")[-1][0]) < 5100  # the length is told, not all of the bytes


def test_a_folder_that_is_not_there_costs_nothing_but_the_evidence(start):
    guard, folder = guarded(start)
    folder.rmdir()
    raw = Raw(guard.port, "x")
    attack(raw.send, raw.read)
    raw.send(b"\xc0\0")
    assert raw.read() == (0xd0, b"")
    until(lambda: "cannot keep evidence" in guard.err)
