# SPDX-License-Identifier: Apache-2.0
"""The life of a capture on demand: from request to file, and what may go wrong on the way."""
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

import pytest
from waiting import LONG, until

from lab import OURS, OVER, WEIR, Broker, Server, children, mqtt_client, packets, status_of, udp


def test_a_capture_has_the_packets_of_its_time_and_its_file(server):
    udp(3)
    x = server.capturing("127.0.0.1", name="boot", filter=OURS)
    assert x["kind"] == "address" and x["capture"] == "boot.pcapng" and x["started"] >= x["created"]
    udp(20)
    status, _, got = server("POST", f"/v1/sessions/{x['id']}/stop")
    assert status == 200 and got["state"] == "STOPPED" and got["reason"] == "it was stopped"
    assert got["packets"] == 20 and got["ended"] >= got["started"] and got["expires"] > got["ended"]
    path = server.path(got)
    assert got["bytes"] == os.path.getsize(path) and len(packets(path)) == 20
    udp(3)
    assert len(packets(path)) == 20
    status, headers, data = server("GET", f"/v1/sessions/{x['id']}/file")
    assert status == 200 and data == open(path, "rb").read()
    status, h, part = server("GET", f"/v1/devices/127.0.0.1/captures/{x['id']}/file", Range="bytes=4-11")
    assert status == 206 and part == data[4:12] and h["Content-Range"] == f"bytes 4-11/{len(data)}"
    assert server("GET", f"/v1/sessions/{x['id']}/file", If_None_Match=headers["ETag"])[0] == 304
    rows = server("GET", "/v1/captures/boot.pcapng/frames")[2]
    assert rows["matched"] == 20
    assert server("POST", f"/v1/sessions/{x['id']}/stop")[0] == 409
    assert server("DELETE", f"/v1/sessions/{x['id']}")[0] == 204 and not os.path.exists(path)
    assert server("GET", f"/v1/sessions/{x['id']}")[0] == 404


def test_a_capture_under_way_is_read_and_not_deleted(server):
    x = server.capturing("127.0.0.1", filter=OURS)
    udp(5)
    server.has(x, 5)
    assert server("GET", f"/v1/captures/{x['capture']}/frames")[2]["matched"] == 5
    for path in (f"/v1/sessions/{x['id']}", f"/v1/captures/{x['capture']}"):
        status, _, problem = server("DELETE", path)
        assert status == 409 and "under way" in problem["detail"]
    assert server("PUT", f"/v1/captures/{x['capture']}", open(server.path(x), "rb").read())[0] == 409


@pytest.mark.parametrize("body, member", [
    ({}, "duration"), ({"duration": 29}, "duration"), ({"duration": 86401}, "duration"), ({"duration": "60"}, "duration"),
    ({"duration": 60.5}, "duration"), ({"duration": 60, "filter": "no filter at all"}, "filter"),
    ({"duration": 60, "filter": "port 1) or (host 192.0.2.1"}, "filter"), ({"duration": 60, "name": "a/b"}, "name"),
    ({"duration": 60, "name": "x" * 200}, "name"), ({"duration": 60, "redact": "everything"}, "redact"),
    ({"duration": 60, "snaplen": -1}, "snaplen"), ({"duration": 60, "max_bytes": 1}, "max_bytes"),
    ({"duration": 60, "durration": 1}, "durration"), ([], "object"), (b"{", "object"), (b"", "object")])
def test_what_is_asked_wrongly_is_refused_by_name(server, body, member):
    status, headers, problem = server("POST", "/v1/devices/192.0.2.7/captures", body)
    assert status == 400 and headers["Content-Type"] == "application/problem+json" and member in problem["detail"]
    assert server("GET", "/v1/sessions")[2] == {"captures": []}


def test_what_cannot_be_is_said_at_once(server):
    assert "no interface" in server.start("192.0.2.7", want=422, interface="nosuch0")["detail"]
    assert "rejects all" in server.start("mqtt:pump", want=422, filter="udp")["detail"]
    assert server("POST", "/v1/devices/ip:meter/captures", {"duration": 60})[0] == 400
    assert server("POST", "/v1/sessions", {"duration": 60})[0] == 405
    assert server("POST", "/v1/devices/192.0.2.7/captures", b"[" * 70000)[0] == 413
    assert server("POST", "/v1/devices/192.0.2.7/captures", b'{"a":' * 1000)[0] == 400
    for path in ("/v1/sessions/x", "/v1/sessions/../captures", "/v1/sessions/" + "0" * 24 + "/no"):
        assert server("GET", path)[0] == 404, path
    assert server("GET", "/v1/sessions/" + "0" * 24)[0] == 404


def test_names_of_devices_come_back_as_they_were(server):
    for device in ("<script>alert(1)</script>", "a\"b\\c", "name with blanks", "meter/7", "日本", "10.0.0.0/8"):
        x = server.start(urllib.parse.quote(device))
        assert x["device"] == device and "/" not in x["capture"] and "<" not in x["capture"]
        got = server("GET", "/v1/devices/" + urllib.parse.quote(device) + "/captures")[2]["captures"]
        assert [g["id"] for g in got] == [x["id"]]
        server("POST", f"/v1/sessions/{x['id']}/stop")


def test_pages_join_to_the_whole(server):
    made = [server.start("192.0.2.%d" % (i % 2), name="n%d" % i)["id"] for i in range(7)]
    got, query = [], ""
    while True:
        page = server("GET", "/v1/sessions?limit=3" + query)[2]
        got += [x["id"] for x in page["captures"]]
        if "next" not in page:
            break
        assert len(page["captures"]) == 3
        query = "&next=" + page["next"]
    assert got == made[::-1]
    assert [x["id"] for x in server("GET", "/v1/devices/192.0.2.1/captures")[2]["captures"]] == made[1::2][::-1]
    assert server("GET", "/v1/sessions?limit=x")[0] == 400


def test_there_are_at_most_sixteen_at_a_time(server):
    for i in range(16):
        server.start("192.0.2.1")
    assert "16 captures" in server.start("192.0.2.1", want=503)["detail"]
    first = server("GET", "/v1/sessions")[2]["captures"][0]["id"]
    assert server("POST", f"/v1/sessions/{first}/stop")[0] == 200
    server.start("192.0.2.1")


def test_several_at_once_have_each_its_own(server):
    wells = []
    for i in range(5):
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.bind(("127.0.0.1", 0))
        port = sink.getsockname()[1]
        wells.append((sink, port, server.capturing("interface:lo", filter=f"udp port {port}")))
    for i, (_, port, _) in enumerate(wells):
        udp(10 + i, port=port)
    for i, (_, port, x) in enumerate(wells):
        got = server("POST", f"/v1/sessions/{x['id']}/stop")[2]
        assert got["packets"] == 10 + i and len(packets(server.path(got), "-Y", f"udp.dstport == {port}")) == 10 + i


def test_events_tell_every_state_and_the_progress(server):
    x = server.start("127.0.0.1", filter=OURS)
    c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG)
    c.request("GET", f"/v1/sessions/{x['id']}/events")
    r = c.getresponse()
    assert r.status == 200 and r.headers["Content-Type"] == "text/event-stream"
    events, stopped = [], False
    for line in r:
        line = line.decode().strip()
        if line.startswith("event: "):
            kind = line[7:]
        if line.startswith("data: "):
            got = json.loads(line[6:])
            events.append((kind, got["state"], got["packets"]))
            if got["state"] == "CAPTURING" and len([e for e in events if e[1] == "CAPTURING"]) == 1:
                udp(4)
            if got["packets"] == 4 and not stopped:
                stopped = server("POST", f"/v1/sessions/{x['id']}/stop")[0] == 200
    states = list(dict.fromkeys(e[1] for e in events))
    order = ["REQUESTED", "ACCEPTED", "CAPTURING", "POST_PROCESSING", "STOPPED"]
    # A state that lasts a moment may be over before it is told.
    assert states == [s for s in order if s in states] and "CAPTURING" in states and states[-1] == "STOPPED", events
    assert ("progress", "CAPTURING", 4) in events and events[-1] == ("state", "STOPPED", 4)


def test_a_file_is_followed_while_it_grows(server):
    x = server.capturing("127.0.0.1", filter=OURS)
    out = subprocess.Popen(["sh", "-c", f"curl -sN {server.url}/v1/sessions/{x['id']}/file?follow=1 | {WEIR} read -l -r - -T fields -e udp.length"],
                           stdout=subprocess.PIPE, text=True)
    udp(3)
    assert [out.stdout.readline().strip() for _ in range(3)] == ["17"] * 3
    server("POST", f"/v1/sessions/{x['id']}/stop")
    assert out.wait(LONG) == 0 and out.stdout.read() == ""


def test_an_address_is_good_once_and_not_for_long(server):
    x = server.capturing("127.0.0.1", filter=OURS)
    udp(2)
    server("POST", f"/v1/sessions/{x['id']}/stop")

    def address(**body):
        status, _, got = server("POST", f"/v1/sessions/{x['id']}/address", body or None)
        assert status == 201
        return got["url"][len(server.url):]

    one, other = address(), address()
    assert server("HEAD", one)[0] == 200  # looking is not taking
    status, _, data = server("GET", one)
    assert status == 200 and data == open(server.path(x), "rb").read()
    assert server("GET", one)[0] == 410 and server("GET", other)[0] == 200
    again = address()
    for wrong in (again[:-1] + ("0" if again[-1] != "0" else "1"), again.replace("expires=", "expires=9"), again.replace(x["id"], "0" * 24), again.split("&sig")[0]):
        assert server("GET", wrong)[0] == 403
    assert server("GET", again)[0] == 200
    soon = address(seconds=1)
    time.sleep(2.1)
    assert server("GET", soon)[0] == 410


def test_the_largest_size_ends_it(server):
    x = server.capturing("127.0.0.1", filter=OURS, max_bytes=20000)
    udp(100, text=b"x" * 1000)
    got = server.until(x["id"], "DONE")
    assert "largest size" in got["reason"] and os.path.getsize(server.path(got)) <= 20000 + 300
    assert len(packets(server.path(got))) == got["packets"] > 10


def test_a_killed_server_leaves_a_valid_file_and_the_next_one_knows(serve):
    first = serve("-i", "lo")
    x = first.capturing("127.0.0.1", filter=OURS)
    udp(30)
    first.stop(hard=True)
    second = serve("-i", "lo")
    got = second.until(x["id"], "STOPPED")
    assert got["reason"] == "the server ended during the capture" and got["packets"] == 30
    assert len(packets(second.path(got))) == 30 and got["bytes"] == os.path.getsize(second.path(got))


def test_a_server_that_is_stopped_ends_its_captures(serve):
    first = serve("-i", "lo")
    x = first.capturing("127.0.0.1", filter=OURS)
    udp(10)
    assert first.stop() == 0
    second = serve("-i", "lo")
    got = second.get(x["id"])
    assert got["state"] == "STOPPED" and got["reason"] == "the server was stopped" and got["packets"] == 10
    assert len(packets(second.path(got))) == 10


def test_who_follows_sees_the_end_when_the_server_stops(serve):
    first = serve("-i", "lo")
    x = first.capturing("127.0.0.1", filter=OURS)
    follow = [subprocess.Popen(["curl", "-sN", f"{first.url}/v1/sessions/{x['id']}/{what}"], stdout=subprocess.PIPE) for what in ("events", "file?follow=1")]
    udp(7)
    first.has(x, 7)
    until(lambda: all(select.select([p.stdout], [], [], 0)[0] for p in follow))  # they are served
    assert first.stop() == 0
    events, data = (p.communicate(timeout=LONG)[0] for p in follow)
    assert json.loads(events.decode().strip().rsplit("data: ", 1)[1])["state"] == "STOPPED"
    assert data == open(first.path(x), "rb").read() and len(packets(first.path(x))) == 7


def test_a_recorder_that_is_killed_is_a_failure_with_a_valid_file(server):
    x = server.capturing("127.0.0.1", filter=OURS)
    udp(5)
    server.has(x, 5)
    (opener,) = children(server.run.pid)
    (recorder,) = children(opener)
    os.kill(recorder, signal.SIGKILL)
    got = server.until(x["id"], "FAILED")
    assert "ended unexpectedly" in got["reason"] and len(packets(server.path(got))) == 5


def test_only_the_opener_may_open_interfaces(server):
    x = server.capturing("127.0.0.1")
    (opener,) = children(server.run.pid)
    (recorder,) = children(opener)
    for pid, rights in ((server.run.pid, 0), (opener, 0x3000), (recorder, 0)):
        s = status_of(pid)
        assert s["Uid"].split() == ["65534"] * 4 and int(s["CapEff"], 16) == rights and int(s["CapPrm"], 16) == rights, pid
    assert os.stat(server.path(x)).st_uid == 65534


def test_what_is_old_is_gone(serve):
    server = serve("-i", "lo", "--expiry", "2s")
    x = server.capturing("127.0.0.1")
    server("POST", f"/v1/sessions/{x['id']}/stop")
    assert os.path.exists(server.path(x))
    until(lambda: server("GET", f"/v1/sessions/{x['id']}")[0] == 404 and not os.path.exists(server.path(x)))
    assert ("expiry", "DELETE") in [(a["who"], a["method"]) for a in server("GET", "/v1/audit")[2]["actions"]]


def test_the_quota_ends_a_capture_and_refuses_the_next(serve):
    server = serve("-i", "lo", "--quota", "50000")
    x = server.capturing("127.0.0.1", filter=OURS)
    udp(200, text=b"x" * 1000)
    got = server.until(x["id"], "FAILED")
    assert "quota" in got["reason"] and os.path.getsize(server.path(got)) <= 50300 and len(packets(server.path(got))) == got["packets"]
    open(os.path.join(server.folder, "more.pcapng"), "wb").write(b"x" * 2000)
    assert "quota" in server.start("127.0.0.1", want=507)["detail"]


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=1777", "none", folder]).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    until(lambda: subprocess.run(["umount", folder]).returncode == 0, step=0.2)


def test_a_full_disk_is_a_failure_with_a_valid_file(small_disk):
    server = Server(str(small_disk / "captures"), "-i", "lo")
    try:
        x = server.capturing("127.0.0.1", filter=OURS)
        def is_over():
            udp(100, text=b"x" * 1000)
            return server.get(x["id"])["state"] in OVER
        until(is_over, step=0.1)
        got = server.until(x["id"], "FAILED")
        assert "no space left" in got["reason"] and got["bytes"] == os.path.getsize(server.path(got))
        assert len(packets(server.path(got))) > 100
        assert server("DELETE", f"/v1/captures/{got['capture']}")[0] == 204  # room again
        assert server.stop() == 0
        again = Server(str(small_disk / "captures"), "-i", "lo")
        assert again.get(x["id"])["state"] == "FAILED"
        assert again.stop() == 0
    finally:
        server.stop()


def test_a_folder_that_cannot_be_written_is_said(server):
    os.chmod(server.folder, 0o500)
    got = server.start("127.0.0.1")
    assert got["state"] == "FAILED" and "cannot be made" in got["reason"] and "capture" not in got
    os.chmod(server.folder, 0o700)
    server.capturing("127.0.0.1")


def test_an_interface_that_goes_away_is_a_failure_with_a_valid_file(serve):
    name = "wd%d" % (os.getpid() % 100000)
    subprocess.run(["ip", "link", "add", name, "type", "veth", "peer", "name", name + "b"], check=True)
    try:
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        server = serve("-i", name)
        x = server.capturing("interface:" + name, interface=name)
        subprocess.run(["ip", "link", "del", name], check=True)
        got = server.until(x["id"], "FAILED")
        assert got["reason"] and packets(server.path(got)) is not None
    finally:
        subprocess.run(["ip", "link", "del", name], capture_output=True)


def test_two_servers_do_not_share_a_folder(serve):
    first = serve("-i", "lo")
    x = first.capturing("127.0.0.1")
    second = serve("-i", "lo")
    assert "another weir serve" in second.start("127.0.0.1", want=503)["detail"]
    assert second("GET", f"/v1/captures/{x['capture']}/frames")[0] == 200
    second.stop()
    assert first.get(x["id"])["state"] == "CAPTURING"


def test_a_killed_server_frees_its_port_at_once(serve):
    first = serve("-i", "lo")
    first.capturing("127.0.0.1")
    first.stop(hard=True)
    assert serve("-i", "lo", port=first.port).port == first.port


def as_nobody(*args):
    return subprocess.Popen(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


@pytest.fixture
def open_folder():
    folder = tempfile.mkdtemp(prefix="weir-nobody-", dir="/tmp")
    os.chown(folder, 65534, 65534)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("right", [False, True])
def test_a_plain_user_needs_the_right_and_loses_it(open_folder, right):
    weir = os.path.join(open_folder, "weir")
    shutil.copy(WEIR, weir)
    os.chmod(weir, 0o755)
    if right and subprocess.run(["setcap", "cap_net_raw,cap_net_admin=ep", weir]).returncode:
        pytest.skip("no capabilities of files here")
    run = as_nobody(weir, "serve", "--dir", open_folder + "/captures", "--listen", "127.0.0.1:0")
    try:
        server = Server.__new__(Server)
        server.scheme, server.folder = "http", open_folder + "/captures"
        server.port = int(run.stdout.readline().rsplit(":", 1)[1].strip("/\n"))
        assert int(status_of(run.pid)["CapPrm"], 16) == 0
        got = server.start("127.0.0.1", filter=OURS)
        if right:
            server.until(got["id"], "CAPTURING")
        else:
            got = server.until(got["id"], "FAILED")
            assert "setcap" in got["reason"] and "capture" not in got
    finally:
        run.terminate()
        run.wait(LONG)


# ---- devices ----

def test_a_client_is_found_by_its_connect_with_what_came_before(server):
    broker = Broker()
    x = server.capturing("mqtt:pump-12", filter=f"port {broker.port}")
    others = [mqtt_client(broker.port, b"pump-%d" % i, 3) for i in (1, 2)]
    own = [mqtt_client(broker.port, b"pump-12", 3, wait=0.3), mqtt_client(broker.port, b"pump-12", 2)]
    others.append(mqtt_client(broker.port, b"pump-120", 3))
    with socket.create_connection(("127.0.0.1", broker.port)) as s:  # never says who it is
        others.append(s.getsockname()[1])
    got = server("POST", f"/v1/sessions/{x['id']}/stop")[2]
    broker.close()
    lines = packets(server.path(got), "-T", "fields", "-e", "tcp.port", "-e", "tcp.flags.syn", "-e", "mqtt.msgtype", "-e", "tcp.flags.fin")
    ports = {int(p) for line in lines for p in line.split("\t")[0].split(",")}
    assert ports == {broker.port, *own}
    for port in own:
        of = [line.split("\t") for line in lines if str(port) in line.split("\t")[0].split(",")]
        assert of[0][1] == "1" and of[1][1] == "1", "the handshake is there"
        assert sum(f[2].split(",").count("3") for f in of if f[2]) == (3 if port == own[0] else 2)
        assert sum(f[3] == "1" for f in of) == 2, "and the end"


def test_redacted_captures_hold_no_secret(server):
    broker = Broker()
    x = server.capturing("127.0.0.1", filter=f"port {broker.port}", redact=["clients", "topics", "payloads"])
    assert x["redact"] == ["clients", "topics", "payloads"]
    mqtt_client(broker.port, b"secret-client", 3)
    got = server("POST", f"/v1/sessions/{x['id']}/stop")[2]
    broker.close()
    data = open(server.path(got), "rb").read()
    assert b"secret-client" not in data and b"a/b" not in data and packets(server.path(got), "-Y", "mqtt.clientid")


def test_labels_interfaces_and_neighbours_are_listed(serve, tmp_path):
    config = tmp_path / "serve.yaml"
    config.write_text("devices:\n  loop: 127.0.0.1\n  pump:\n    device: mqtt:pump-12\n    interface: lo\n    description: north hall\n")
    server = serve("-i", "lo", "-c", str(config))
    got = server("GET", "/v1/devices")[2]["devices"]
    assert got[0] == {"id": "loop", "kind": "address", "of": "127.0.0.1", "known_by": "configuration"}
    assert got[1] == {"id": "pump", "kind": "client", "of": "pump-12", "interface": "lo", "description": "north hall", "known_by": "configuration"}
    assert server("GET", "/v1/devices/pump")[2]["of"] == "pump-12"
    assert server("GET", "/v1/devices/192.0.2.7")[2] == {"id": "192.0.2.7", "kind": "address", "of": "192.0.2.7"}
    faces = {i["name"]: i for i in server("GET", "/v1/interfaces")[2]["interfaces"]}
    assert faces["lo"]["loopback"] and faces["lo"]["default"] and "127.0.0.1" in faces["lo"]["addresses"]
    x = server.start("pump")
    assert x["device"] == "pump" and x["of"] == "pump-12" and x["interface"] == "lo"


@pytest.mark.parametrize("text, says", [("devices: [a]", "line 1"), ("devices:\n  a: {devise: x}", "line 2"), ("other: 1", "line 1"), ("a: [", "line")])
def test_a_wrong_configuration_is_refused_with_its_line(tmp_path, text, says):
    (tmp_path / "c.yaml").write_text(text)
    run = subprocess.run([WEIR, "serve", "-c", tmp_path / "c.yaml", "--dir", tmp_path / "d"], capture_output=True, text=True, timeout=LONG)
    assert run.returncode == 2 and says in run.stderr and run.stderr.count("\n") == 1
