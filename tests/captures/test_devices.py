# SPDX-License-Identifier: Apache-2.0
"""Three devices in networks of their own, one captured on demand: all of its packets, and no other's.

Every device is a network namespace on a bridge; the gateway's namespace has the bridge and the server. Each device also
records itself with tcpdump, and what the server recorded is compared with that, packet by packet."""
import json
import os
import re
import subprocess
import sys
import time

import pytest
from waiting import LONG, until

from lab import Server, packets

TAG = "wc%d" % (os.getpid() % 100000)
HUB = TAG + "h"
DEVICES = {n: {"ns": f"{TAG}d{n}", "ip": f"10.91.7.{n}", "ip6": f"fd91::{n}", "mac": f"02:00:5e:91:00:0{n}"} for n in (1, 2, 3)}
TALK = """
import socket, sys, time
me, hub, hub6, rounds = sys.argv[1], "10.91.7.254", "fd91::254", int(sys.argv[2])
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
v = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for i in range(rounds):
    u.sendto(b"%s reading %d" % (me.encode(), i), (hub, 7000))
    u.sendto(b"x" * 4000, (hub, 7000))  # in fragments
    v.sendto(b"%s six %d" % (me.encode(), i), (hub6, 7000))
    for other in "123":
        if other != me: u.sendto(b"hello", ("10.91.7." + other, 7001))
    if i % 5 == 0:
        with socket.create_connection((hub, 7002), timeout=60) as s:
            s.sendall(b"a line\\n"); s.recv(100)
    time.sleep(0.02)
u.sendto(b"all is said", (hub, 7000))
"""
ECHO = """
import socket
l = socket.create_server(("10.91.7.254", 7002))
print("up", flush=True)
while True:
    c, _ = l.accept()
    c.sendall(c.recv(100)); c.close()
"""


def ip(*args):
    subprocess.run(["ip", *map(str, args)], check=True, capture_output=True)


def inside(ns, *args):
    return ["ip", "netns", "exec", ns, *map(str, args)]


@pytest.fixture
def network():
    spaces = [HUB, *(d["ns"] for d in DEVICES.values())]
    try:
        try:
            ip("netns", "add", HUB)
        except subprocess.CalledProcessError:
            pytest.skip("no network namespaces here")
        ip("-n", HUB, "link", "add", "br0", "type", "bridge")
        ip("-n", HUB, "addr", "add", "10.91.7.254/24", "dev", "br0")
        ip("-n", HUB, "addr", "add", "fd91::254/64", "dev", "br0", "nodad")
        for name in ("br0", "lo"):
            ip("-n", HUB, "link", "set", name, "up")
        for n, d in DEVICES.items():
            ip("netns", "add", d["ns"])
            ip("link", "add", f"p{n}", "netns", HUB, "type", "veth", "peer", "name", "eth0", "netns", d["ns"])
            ip("-n", HUB, "link", "set", f"p{n}", "master", "br0", "up")
            ip("-n", d["ns"], "link", "set", "eth0", "address", d["mac"])
            ip("-n", d["ns"], "addr", "add", d["ip"] + "/24", "dev", "eth0")
            ip("-n", d["ns"], "addr", "add", d["ip6"] + "/64", "dev", "eth0", "nodad")
            ip("-n", d["ns"], "link", "set", "eth0", "up")
        for ns, name in ((HUB, "br0"), *((HUB, f"p{n}") for n in DEVICES), *((d["ns"], "eth0") for d in DEVICES.values())):
            until(lambda: json.loads(subprocess.run(["ip", "-j", "-n", ns, "link", "show", name], capture_output=True).stdout)[0]["operstate"] == "UP")
        echo = subprocess.Popen(inside(HUB, sys.executable, "-c", ECHO), stdout=subprocess.PIPE, text=True)
        assert echo.stdout.readline() == "up\n"
        yield
        echo.kill()
        echo.wait()
    finally:
        for ns in spaces:
            subprocess.run(["ip", "netns", "del", ns], capture_output=True)


def request(method, path, body=None):
    """The server listens in the hub's loopback: curl goes there."""
    args = ["curl", "-s", "-X", method, "http://127.0.0.1:8080" + path] + (["-d", json.dumps(body)] if body is not None else [])
    out = subprocess.run(inside(HUB, *args), capture_output=True, text=True, timeout=LONG).stdout
    return json.loads(out)


class HubServer(Server):
    def get(self, ident, **_):
        return request("GET", f"/v1/sessions/{ident}")


@pytest.fixture
def hub(network, tmp_path):
    server = HubServer(str(tmp_path / "captures"), netns=HUB, port=8080)
    yield server
    server.stop()


def identities(path, keep):
    """What tells a packet on both ends of a wire: its bytes behind the link header."""
    out = subprocess.run(["tcpdump", "-nn", "-x", "-r", path, *keep], capture_output=True, text=True, timeout=LONG).stdout
    found = []
    for line in out.splitlines():
        if not line.startswith("\t"):
            found.append("")
        else:
            found[-1] += re.sub(r"^\t0x[0-9a-f]+:|\s", "", line)
    return sorted(found)


def talk_all(rounds):
    """The three devices speak at the same time while each records itself."""
    records = {}
    for n, d in DEVICES.items():
        path = f"/tmp/{TAG}-{n}.pcap"
        records[n] = (path, subprocess.Popen(inside(d["ns"], "tcpdump", "-i", "eth0", "-s0", "-U", "--immediate-mode", "-B", "65536", "-Z", "root", "-w", path), stderr=subprocess.PIPE, text=True))
        while "listening" not in records[n][1].stderr.readline():
            pass
    talks = [subprocess.Popen(inside(d["ns"], sys.executable, "-c", TALK, n, rounds)) for n, d in DEVICES.items()]
    assert [t.wait(2 * LONG) for t in talks] == [0, 0, 0]
    for path, _ in records.values():
        until(lambda: b"all is said" in open(path, "rb").read())
    for path, p in records.values():
        p.terminate()
        p.communicate()
    return {n: path for n, (path, _) in records.items()}


# All that is device 2's own passes its port, and the bridge.
@pytest.mark.parametrize("device, face, keep, mine", [
    ("10.91.7.2", "p2", ["host", "10.91.7.2"], {"10.91.7.2"}), ("10.91.7.2", "br0", ["host", "10.91.7.2"], {"10.91.7.2"}),
    ("fd91::2", "br0", ["host", "fd91::2"], {"fd91::2"}), ("02:00:5e:91:00:02", "br0", ["ether", "host", "02:00:5e:91:00:02"], {"02:00:5e:91:00:02"}),
    ("10.91.7.2/31", "br0", ["net", "10.91.7.2/31"], {"10.91.7.2", "10.91.7.3"}), ("interface:p2", "p2", [], None)])
def test_one_device_of_three_is_captured_whole_and_alone(hub, device, face, keep, mine):
    got = request("POST", f"/v1/devices/{device}/captures", {"duration": 60, "interface": face})
    ident = hub.until(got["id"], "CAPTURING")["id"]
    own = talk_all(15)
    got = request("POST", f"/v1/sessions/{ident}/stop")
    assert got["state"] == "STOPPED" and got["dropped"] == 0
    have, want = identities(hub.path(got), []), identities(own[2], keep)
    assert [p for p in want if p not in have] == [] and len(have) >= len(want) > 20
    fields = ("eth.src", "eth.dst", "ip.addr", "ipv6.addr", "arp.src.proto_ipv4", "arp.dst.proto_ipv4")
    for line in packets(hub.path(got), "-T", "fields", *(a for f in fields for a in ("-e", f))):
        assert not mine or mine & set(re.split("[\t,]", line)), line
    for path in own.values():
        os.unlink(path)


def test_a_mac_address_is_looked_for_where_it_is(hub):
    assert "MAC" in request("POST", "/v1/devices/02:00:5e:91:00:02/captures", {"duration": 60})["detail"]  # nobody knows it yet
    assert [os.unlink(p) for p in talk_all(1).values()]
    got = request("POST", "/v1/devices/02:00:5e:91:00:02/captures", {"duration": 60})
    assert got["interface"] == "br0" and got["kind"] == "mac"
    assert {"10.91.7.2", "10.91.7.1", "10.91.7.3"} <= {d["id"] for d in request("GET", "/v1/devices")["devices"]}


def test_a_capture_ends_by_itself_and_has_every_reading_of_one_device(hub):
    got = request("POST", "/v1/devices/10.91.7.2/captures", {"duration": 30, "name": "whole"})  # on any interface
    ident = hub.until(got["id"], "CAPTURING")["id"]
    own = talk_all(30)
    for path in own.values():
        os.unlink(path)
    got = hub.until(ident, "DONE")
    assert "reason" not in got and 29 <= (_seconds(got["ended"]) - _seconds(got["started"])) <= 40
    data = subprocess.run(["tcpdump", "-nn", "-A", "-r", hub.path(got)], capture_output=True).stdout
    for i in range(30):
        assert b"2 reading %d" % i in data
    assert b"1 reading" not in data and b"3 reading" not in data
    for line in packets(hub.path(got), "-T", "fields", "-e", "ip.addr", "-e", "arp.src.proto_ipv4", "-e", "arp.dst.proto_ipv4"):
        assert "10.91.7.2" in re.split(r"[\t,]", line), line


def _seconds(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
