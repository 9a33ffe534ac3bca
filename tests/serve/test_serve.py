# SPDX-License-Identifier: Apache-2.0
"""weir serve as its clients see it: the API, the page's headers, and hostile requests."""
import atexit
import glob
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

import pytest

from waiting import LONG, until

WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))
PAGE = os.path.join(os.path.dirname(__file__), "../../page/src")


def for_everybody(path):
    """A copy that the user whom root's server becomes may read, wherever the build folder lies."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    return shutil.copy(path, folder)


SAMPLE = for_everybody(os.environ.get("WEIR_SAMPLE", "build/sample.pcapng"))


class Server:
    def __init__(self, folder, *args):
        self.folder = folder
        self.err = open(f"{folder}.log", "w+")
        self.run = subprocess.Popen([WEIR, "serve", "--dir", folder, *args], stdout=subprocess.PIPE, stderr=self.err, text=True)
        self.line = self.run.stdout.readline().strip()
        m = re.match(r"http://\[?([^/\]]+?)\]?:(\d+)/(?:#token=(\w+))?$", self.line)
        assert m, self.line
        self.port, self.token = int(m[2]), m[3]

    def __call__(self, method, path, body=None, **headers):
        """status, headers, body; json where it is."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        c.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for k, v in headers.items():
            c.putheader(k.replace("_", "-"), v)
        if body is not None and "Content_Length" not in headers:
            c.putheader("Content-Length", str(len(body)))
        c.endheaders()
        if body:
            c.send(body)
        r = c.getresponse()
        data = r.read()
        c.close()
        return r.status, r.headers, json.loads(data) if "json" in (r.headers["Content-Type"] or "") else data

    def files(self):
        """What lies in the folder besides the server's own store."""
        return [n for n in os.listdir(self.folder) if not n.startswith(".weir.sqlite")]

    def get(self, path, **query):
        q = urllib.parse.urlencode(query)
        status, _, body = self("GET", "/v1/" + path + ("?" + q if q else ""))
        assert status == 200, body
        return body

    def stop(self):
        if self.err.closed:
            return self.run.returncode
        self.run.send_signal(signal.SIGTERM)
        status = self.run.wait(LONG)
        self.err.close()
        return status


@pytest.fixture
def serve(tmp_path):
    running = []

    def start(*args):
        running.append(Server(str(tmp_path / "captures"), *args))
        return running[-1]

    yield start
    for s in running:
        assert s.stop() == 0


@pytest.fixture
def server(serve):
    return serve("--listen", "127.0.0.1:0", SAMPLE)


def decoded(*args):
    out = subprocess.run([WEIR, "read", "-r", SAMPLE, *args], capture_output=True, text=True, check=True).stdout
    return out.splitlines()


def mqtt_publish(topic, payload):
    """A classic capture of one TCP segment with a PUBLISH."""
    body = struct.pack(">H", len(topic)) + topic + payload
    assert len(body) < 128
    mqtt = bytes([0x30, len(body)]) + body
    tcp = struct.pack(">HHIIBBHHH", 40000, 1883, 1, 1, 0x50, 0x18, 1024, 0, 0) + mqtt
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])) + tcp
    return struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101) + struct.pack("<IIII", 1, 0, len(ip), len(ip)) + ip


# ---- reading ----

def test_the_list_names_the_captures_of_the_command_line(server):
    (one,) = server.get("captures")["captures"]
    assert one["name"] == "sample.pcapng" and one["size"] == os.path.getsize(SAMPLE) and one["fixed"]


def test_rows_are_those_of_weir_read(server):
    got = server.get("captures/sample.pcapng/frames", limit=5000)
    lines = decoded()
    assert got["matched"] == len(lines) == len(got["frames"]) and got["complete"]
    for row, line in zip(got["frames"], lines):
        assert line.split() == f"{row['no']} {row['time']} {row['source']} → {row['destination']} {row['protocol']} {row['length']} {row['info']}".split()


def test_pages_of_a_filter_join_to_the_whole(server):
    path = "captures/sample.pcapng/frames"
    whole = server.get(path, filter="mqtt", limit=5000)["frames"]
    assert [r["no"] for r in whole] == [int(n) for n in decoded("-Y", "mqtt", "-T", "fields", "-e", "frame.number")]
    parts = []
    for offset in range(0, len(whole) + 7, 7):
        parts += server.get(path, filter="mqtt", offset=offset, limit=7)["frames"]
    assert parts == whole
    counted = server.get(path, filter="mqtt", limit=0, count=1)
    assert counted["matched"] == len(whole) and counted["frames"] == [] and counted["read"] == len(decoded())


def test_rows_have_the_columns_that_were_asked_for(server):
    fields = ["ip.ttl", "mqtt.topic", "tcp.flags.syn", "ip.addr"]
    rows = server.get("captures/sample.pcapng/frames", columns=",".join(fields), limit=5000)["frames"]
    lines = decoded("-T", "fields", *[w for f in fields for w in ("-e", f)])
    assert [r["columns"] for r in rows] == [line.split("\t") for line in lines]
    assert {(r["transport"], r["stream"]) for r in rows} == {("tcp", i) for i in range(5)} and {r["colour"] for r in rows} >= {"tcp", "synfin"}
    assert server("GET", "/v1/captures/sample.pcapng/frames?columns=no.such")[0] == 400
    assert server("GET", "/v1/captures/sample.pcapng/frames?columns=" + ",".join(["ip.ttl"] * 17))[0] == 400


def test_a_packet_has_its_tree_with_places_and_its_bytes(server):
    no = server.get("captures/sample.pcapng/frames", filter="mqtt.topic", limit=1)["frames"][0]["no"]
    got = server.get(f"captures/sample.pcapng/frames/{no}")
    (topic,) = [f for f in got["tree"] if f["name"] == "mqtt.topic"]
    raw = bytes.fromhex(got["sources"][topic["source"]]["hex"])
    text = raw[topic["offset"]:topic["offset"] + topic["length"]].decode()
    assert topic["label"] == f"Topic: {text}" and len(raw) == got["captured"]
    assert no in [r["no"] for r in server.get("captures/sample.pcapng/frames", filter=topic["filter"])["frames"]]
    shown = [line for line in decoded("-V", "-Y", f"frame.number == {no}") if line.strip()]
    labels = ["    " * f["depth"] + f["label"] for f in got["tree"]]
    assert [label for label in labels if label not in shown] == []


def test_every_filter_of_a_tree_finds_its_own_packet(server):
    for no in (1, 4, 8):
        for f in server.get(f"captures/sample.pcapng/frames/{no}")["tree"]:
            if "filter" in f and "displayed" not in f["name"]:  # that one depends on the filter
                rows = server.get("captures/sample.pcapng/frames", limit=5000, filter=f["filter"])["frames"]
                assert no in [r["no"] for r in rows], f


def test_a_filter_is_checked_with_place_and_suggestion(server):
    assert server.get("filter", text="mqtt && tcp.port == 1883") == {"valid": True, "warnings": []}
    bad = server.get("filter", text="tcp && mqtt.topc")
    assert not bad["valid"] and bad["offset"] == 7 and bad["length"] == 9 and "mqtt.topic" in bad["suggestions"]
    status, headers, problem = server("GET", "/v1/captures/sample.pcapng/frames?filter=mqtt.topc")
    assert status == 400 and headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == 400 and problem["offset"] == 0 and problem["parameter"] == "filter"


def test_statistics_findings_and_conversations_are_those_of_the_commands(server):
    run = lambda *a: json.loads(subprocess.run([WEIR, *a], capture_output=True, text=True).stdout)
    assert server.get("captures/sample.pcapng/stats/endpoints/ip")["tables"][0]["rows"] == run("stats", "endpoints", "ip", "--json", "-r", SAMPLE)
    found, said = server.get("captures/sample.pcapng/explain"), run("explain", SAMPLE, "--json", "--lang", "en")
    assert [f["id"] for f in found["findings"]] == [f["id"] for f in said["findings"]] != []
    follow = server.get("captures/sample.pcapng/follow/tcp/0")
    raw = "".join(decoded("-q", "-z", "follow,tcp,raw,0")[6:-1]).replace("\t", "")
    assert "".join(p["hex"] for p in follow["pieces"]) == raw
    assert {p["type"] for p in server.get("captures/sample.pcapng/follow/mqtt/0")["pieces"]} >= {"CONNECT", "PUBLISH"}
    for path in ("stats/nothing", "follow/tcp/999", "follow/sctp/0", "frames/100000", "nothing"):
        assert server("GET", f"/v1/captures/sample.pcapng/{path}")[0] == 404, path
    for path in ("stats/endpoints/nothing", "follow/tcp/-1", "frames/x", "frames?limit=1000000", "frames?offset=x", "frames?time=q"):
        assert server("GET", f"/v1/captures/sample.pcapng/{path}")[0] == 400, path


# ---- the folder ----

def test_an_upload_is_listed_read_and_deleted(server):
    data = open(SAMPLE, "rb").read()
    status, headers, one = server("PUT", "/v1/captures/a.pcapng", data)
    assert status == 201 and headers["Location"] == "/v1/captures/a.pcapng" and one["size"] == len(data)
    assert server.get("captures/a.pcapng/frames", limit=1)["frames"][0]["no"] == 1
    assert server("POST", "/v1/captures?name=a.pcapng", data)[2]["name"] == "a-2.pcapng"
    assert [c["name"] for c in server.get("captures")["captures"]] == ["sample.pcapng", "a-2.pcapng", "a.pcapng"]
    assert server("DELETE", "/v1/captures/a.pcapng")[0] == 204
    assert server("DELETE", "/v1/captures/a.pcapng")[0] == 404
    assert server("DELETE", "/v1/captures/sample.pcapng")[0] == 409 and os.path.exists(SAMPLE)
    assert sorted(server.files()) == ["a-2.pcapng"]


def test_a_file_is_given_whole_in_part_and_not_again(server):
    data, path = open(SAMPLE, "rb").read(), "/v1/captures/sample.pcapng/file"
    status, headers, body = server("GET", path)
    assert status == 200 and body == data
    for text, want in (("bytes=0-3", data[:4]), ("bytes=-5", data[-5:]), ("bytes=100-", data[100:]), ("bytes=5-999999", data[5:])):
        status, h, body = server("GET", path, Range=text)
        assert status == 206 and body == want, text
        at = len(data) - len(want) if text != "bytes=0-3" else 0
        assert h["Content-Range"] == f"bytes {at}-{at + len(want) - 1}/{len(data)}"
    assert server("GET", path, Range=f"bytes={len(data)}-")[0] == 416
    assert server("GET", path, Range="bytes=9-1")[2] == data
    assert server("GET", path, Range="bytes=0-3", If_Range='"other"')[0] == 200
    assert server("GET", path, If_None_Match=headers["ETag"])[0] == 304


def test_what_is_no_capture_or_too_large_leaves_nothing(serve):
    server = serve("--listen", "127.0.0.1:0", "--max-upload", "20000", "--quota", "25000")
    sample = open(SAMPLE, "rb").read()
    assert server("PUT", "/v1/captures/x", b"junk" * 100)[0] == 422
    assert server("PUT", "/v1/captures/x", b"")[0] == 400
    assert server("PUT", "/v1/captures/x", None, Content_Length="2000000000")[0] == 413
    c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG)
    c.request("PUT", "/v1/captures/x", iter([sample] * 4), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert c.getresponse().status == 413
    c.close()
    assert server.files() == []
    assert [server("PUT", f"/v1/captures/{n}", sample)[0] for n in "abc"] == [201, 201, 507]
    assert sorted(server.files()) == ["a", "b"]


def test_a_damaged_capture_gives_what_it_has(server):
    data = open(SAMPLE, "rb").read()
    assert server("PUT", "/v1/captures/cut.pcapng", data[:len(data) // 2])[0] == 201
    got = server.get("captures/cut.pcapng/frames", limit=5000)
    assert got["frames"] and not got["complete"] and got["damaged"]
    assert server.folder not in got["damaged"]
    assert server.get("captures/cut.pcapng/explain")["packets"] == len(got["frames"])


def test_statistics_take_what_the_command_takes(server):
    run = lambda *a: json.loads(subprocess.run([WEIR, "stats", *a, "--json", "-r", SAMPLE], capture_output=True, text=True, check=True).stdout)
    columns = ["mqtt", "AVG(frame.len)tcp.len > 0"]
    io = server("GET", "/v1/captures/sample.pcapng/stats/io?" + urllib.parse.urlencode([("interval", "0.5")] + [("column", c) for c in columns]))[2]
    assert io["tables"][0]["rows"] == run("io", "--interval", "0.5", "--column", columns[0], "--column", columns[1])
    billed = server.get("captures/sample.pcapng/stats/volume", overhead=40)
    assert {t["name"]: t["rows"] for t in billed["tables"]} == run("volume", "--overhead", "40")
    for query in ("interval=0", "interval=x", "interval=nan", "column=nosuch.field", "overhead=70000"):
        assert server("GET", "/v1/captures/sample.pcapng/stats/io?" + query)[0] == 400, query


# ---- the index of a large capture ----

def large_capture(path, packets=12000, conversations=50):
    """Many MQTT conversations whose packets stand between each other's; each third message lies in two segments."""
    out = bytearray(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101))
    seq = [1] * conversations
    rest = [b""] * conversations
    for i in range(packets):
        k = i * 7 % conversations
        if not rest[k]:
            topic, payload = b"home/%d/temp" % k, b"%d.5 %s" % (i % 90, b"x" * (40 + i % 50))
            body = struct.pack(">H", len(topic)) + topic + payload
            message = bytes([0x30, len(body)]) + body
            cut = len(message) // 2 if i % 3 == 0 else len(message)
            data, rest[k] = message[:cut], message[cut:]
        else:
            data, rest[k] = rest[k], b""
        tcp = struct.pack(">HHIIBBHHH", 40000 + k, 1883, seq[k], 1, 0x50, 0x18, 1024, 0, 0) + data
        seq[k] += len(data)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), i & 0xFFFF, 0, 64, 6, 0, bytes([192, 0, 2, 1 + k]), bytes([192, 0, 2, 200])) + tcp
        out += struct.pack("<IIII", 1700000000 + i // 100, i % 100 * 10000019 % 1000000000, len(ip), len(ip)) + ip
    with open(path, "wb") as f:
        f.write(out)
    os.utime(path, (1700000000, 1700000000))  # nobody writes it any more


def index_of(server, name):
    path = os.path.join(server.folder, ".idx-" + name)
    until(lambda: os.path.exists(path))
    return path


def test_pages_and_packets_of_a_large_capture_are_the_same_by_its_index(serve):
    server = serve("--listen", "127.0.0.1:0")
    large_capture(os.path.join(server.folder, "large.pcap"))
    base = "captures/large.pcap/frames"
    asked = [dict(offset=o, limit=40, time=t) for o in (0, 511, 6000, 11990) for t in ("r", "d", "dd", "ad", "e")]
    asked += [dict(offset=o, limit=40, time=t, filter=f) for o in (0, 100, 1500) for t in ("r", "d", "dd") for f in ("tcp.srcport == 40007", "mqtt.topic contains \"1\"")]
    assert server.get(base, limit=1)["frames"]
    index_of(server, "large.pcap")
    lines = subprocess.run([WEIR, "read", "-r", os.path.join(server.folder, "large.pcap")], capture_output=True, text=True, check=True).stdout.splitlines()
    got = server.get(base, offset=5990, limit=20)
    assert got["matched"] == got["read"] == 12000 and got["complete"]
    for row, line in zip(got["frames"], lines[5990:]):
        assert line.split() == f"{row['no']} {row['time']} {row['source']} → {row['destination']} {row['protocol']} {row['length']} {row['info']}".split()
    first = [server.get(base, **q)["frames"] for q in asked]
    for f in {q["filter"] for q in asked if "filter" in q}:
        assert server.get(base, limit=0, count=1, filter=f)["matched"] > 100
    again = [server.get(base, **q) for q in asked]
    assert [a["frames"] for a in again] == first
    assert {a["matched"] for q, a in zip(asked, again) if q.get("filter", "").startswith("tcp")} == {240}
    for no in (1, 2, 512, 513, 3001, 4444, 4494, 4544, 4444, 4494, 4495, 12000):  # also the next ones of a conversation, and back
        by_index = server.get(f"{base}/{no}")
        labels = ["    " * f["depth"] + f["label"] for f in by_index["tree"]]
        shown = subprocess.run([WEIR, "read", "-r", os.path.join(server.folder, "large.pcap"), "-V", "-Y", f"frame.number == {no}"], capture_output=True, text=True, check=True).stdout.splitlines()
        assert [line for line in labels if line not in shown and "displayed" not in line] == []
        assert by_index["no"] == no
    assert server("GET", f"/v1/{base}/12001")[0] == 404


FILTERS = ["tcp", "mqtt", "!mqtt", "dns", "mqtt && !udp || arp", "mqtt.topic contains \"7\"", "tcp.stream == 7", "tcp.stream in {3, 44}", "!(mqtt.topic)",
           "mqtt && frame.time_delta > 0.01", "tcp.len > 60 && !mqtt", "_ws.expert", "count(mqtt.topic) == 1 && tcp.srcport == 40003", "dns.id == 1", "frame.number in {1, 512, 513, 9000}",
           "tcp.segments", "frame.time_delta_displayed > 2", "mqtt contains \"home/1\"", "frame.time_relative > 100 && mqtt"]


def read_numbers(path, text):
    out = subprocess.run([WEIR, "read", "-r", path, "-Y", text, "-T", "fields", "-e", "frame.number"], capture_output=True, text=True, check=True).stdout
    return [int(n) for n in out.split()]


def streamed_numbers(server, text):
    numbers = []
    for event in Events(server, "large.pcap", filter=text, limit=100000):
        numbers += [row["no"] for row in event.get("frames", [])]
    assert event["event"] == "end" and event["complete"] and event["matched"] == len(numbers) and event["read"] == 12000
    return numbers


def test_far_times_are_kept_by_the_index(serve):
    """Microseconds of 64 bits, which a clock that fails steps into and out of, reach half a million years."""
    def block(kind, body):
        return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))

    stamps = [1422527998000000 + i if i % 700 < 400 else 2**64 - 505000000 + i for i in range(5000)]
    server = serve("--listen", "127.0.0.1:0")
    path = os.path.join(server.folder, "far.pcapng")
    with open(path, "wb") as f:
        f.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 101, 0, 0)))
        for t in stamps:
            f.write(block(6, struct.pack("<IIIII", 0, t >> 32, t & 0xFFFFFFFF, 220, 220) + b"\x45\0\0\xdc" + b"\0" * 216))
    os.utime(path, (1700000000, 1700000000))
    server.get("captures/far.pcapng/frames", limit=1)
    index_of(server, "far.pcapng")
    for form, since in (("e", lambda i: stamps[i]), ("r", lambda i: stamps[i] - stamps[0]), ("d", lambda i: stamps[i] - stamps[i - 1])):
        for at in (4700, 398):
            rows = server.get("captures/far.pcapng/frames", offset=at, limit=4, time=form)["frames"]
            assert [int(r["time"].replace(".", "")) for r in rows] == [since(i) for i in range(at, at + 4)], form


def test_a_filter_by_the_index_lets_the_same_frames_through(serve):
    server = serve("--listen", "127.0.0.1:0")
    path = os.path.join(server.folder, "large.pcap")
    large_capture(path)
    want = {text: read_numbers(path, text) for text in FILTERS}
    assert sum(0 < len(n) < 12000 for n in want.values()) > 10
    assert {text: streamed_numbers(server, text) for text in FILTERS} == want  # some while the index is being made
    index_of(server, "large.pcap")
    server.stop()
    rows = lambda text: [r["no"] for r in server.get("captures/large.pcap/frames", filter=text, limit=5000)["frames"]]
    for by, most in ((lambda text: streamed_numbers(server, text), 12000), (rows, 5000)):
        server = serve("--listen", "127.0.0.1:0")  # nothing is remembered, all comes from the index
        assert {text: by(text) for text in FILTERS} == {text: n[:most] for text, n in want.items()}
        server.stop()


def test_columns_of_ones_own_and_conversations_come_out_the_same_by_the_index(serve):
    server = serve("--listen", "127.0.0.1:0")
    path = os.path.join(server.folder, "large.pcap")
    large_capture(path)
    page = dict(offset=7000, limit=300, columns="mqtt.topic,tcp.seq,tcp.stream,frame.time_delta")
    talks = ("tcp/0", "tcp/31", "mqtt/7")
    server.get("captures/large.pcap/frames", limit=1)
    index_of(server, "large.pcap")
    rows = server.get("captures/large.pcap/frames", **page)["frames"]
    fields = subprocess.run([WEIR, "read", "-r", path, "-Y", "frame.number > 7000 && frame.number <= 7300", "-T", "fields", "-e", "mqtt.topic", "-e", "tcp.seq", "-e", "tcp.stream", "-e", "frame.time_delta"], capture_output=True, text=True, check=True).stdout
    assert [r["columns"] for r in rows] == [line.split("\t") for line in fields.splitlines()]
    by_index = [server.get("captures/large.pcap/follow/" + t) for t in talks]
    assert all(len(t["pieces"]) > 100 for t in by_index) and server("GET", "/v1/captures/large.pcap/follow/tcp/50")[0] == 404
    with open(path, "rb") as f, gzip.open(os.path.join(server.folder, "packed.pcap.gz"), "wb", 1) as out:
        out.write(f.read())  # in a compressed file nothing can be begun in the middle
    assert [server.get("captures/packed.pcap.gz/follow/" + t) for t in talks] == by_index
    assert server.get("captures/packed.pcap.gz/frames", **page)["frames"] == rows


def test_work_on_a_whole_capture_can_be_watched_and_stopped_and_ends_with_its_client(serve):
    server = serve("--listen", "127.0.0.1:0")
    large_capture(os.path.join(server.folder, "large.pcap"), packets=400000)
    job = "0123456789abcdef"
    answers = []
    ask = lambda: answers.append(server("GET", f"/v1/captures/large.pcap/explain?job={job}")[0])
    under_way = lambda: [j for j in server.get("jobs")["jobs"] if j["id"] == job]

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: any(0 < j["done"] < j["size"] and j["read"] for j in under_way()), step=0.002)
    assert server("DELETE", "/v1/jobs/" + job)[0] == 204
    asking.join(LONG)
    assert answers == [409] and not under_way()
    c = http.client.HTTPConnection("127.0.0.1", server.port)
    c.request("GET", f"/v1/captures/large.pcap/explain?job={job}&filter=tcp")
    until(under_way, step=0.002)
    c.sock.close()
    until(lambda: not under_way())


def test_an_index_belongs_to_one_file_and_survives_nothing_else(serve):
    server = serve("--listen", "127.0.0.1:0")
    path = os.path.join(server.folder, "large.pcap")
    large_capture(path)
    base = "captures/large.pcap/frames"
    server.get(base, limit=1)
    index = index_of(server, "large.pcap")
    assert [c["name"] for c in server.get("captures")["captures"]] == ["large.pcap"]
    assert server("GET", "/v1/captures/.idx-large.pcap/file")[0] == 404
    large_capture(path, packets=11000)
    assert server.get(base, offset=10990, limit=500)["frames"][-1]["no"] == 11000
    for damage in (lambda b: b[:1000], lambda b: b"", lambda b: b[:5000] + b"\xff" * (len(b) - 5000), lambda b: b[:-9], lambda b: b"\0" * len(b)):
        whole = open(index, "rb").read()
        server.stop()
        with open(index, "wb") as f:
            f.write(damage(whole))
        server = serve("--listen", "127.0.0.1:0")
        rows = server.get(base, offset=10990, limit=500)["frames"]
        assert [r["no"] for r in rows] == list(range(10991, 11001))
    assert server("DELETE", "/v1/captures/large.pcap")[0] == 204
    until(lambda: not server.files())  # what was being made stops at the next packet


def test_what_a_killed_server_left_is_swept(serve):
    server = serve("--listen", "127.0.0.1:0")
    large_capture(os.path.join(server.folder, "large.pcap"))
    server.get("captures/large.pcap/frames", limit=1)
    index_of(server, "large.pcap")
    for name in (".upload-abcdef", ".new-idx-abcdef", ".idx-gone.pcap", ".ans-gone.pcap-a"):
        open(os.path.join(server.folder, name), "w").close()
    server.stop()
    serve("--listen", "127.0.0.1:0")
    left = [n for n in os.listdir(server.folder) if n.startswith((".upload", ".new", ".idx", ".ans"))]
    assert left == [".idx-large.pcap"]


# ---- rows as they are found ----

class Events:
    """Events of a stream, one after the other."""

    def __init__(self, server, path, **query):
        self.c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG)
        self.c.request("GET", f"/v1/captures/{path}/stream?" + urllib.parse.urlencode({"form": "jsonl", **query}))
        self.r = self.c.getresponse()
        assert self.r.status == 200 and self.r.headers["Content-Type"] == "application/x-ndjson"

    def __iter__(self):
        for line in self.r:
            if line.strip():
                yield json.loads(line)

    def until(self, name):
        got = []
        for e in self:
            got.append(e)
            if e["event"] == name:
                return got
        raise AssertionError((name, got))


def rows_of(events):
    return [row for e in events if e["event"] == "rows" for row in e["frames"]]


def test_a_stream_has_the_rows_of_a_page_and_says_how_it_went(server):
    whole = server.get("captures/sample.pcapng/frames", filter="mqtt", limit=5000)["frames"]
    events = Events(server, "sample.pcapng", filter="mqtt").until("end")
    assert events[0]["event"] == "job" and rows_of(events) == whole
    end = events[-1]
    assert end["complete"] and not end["cancelled"] and end["matched"] == len(whole) and end["read"] == len(decoded())
    assert end["done"] == end["size"] == os.path.getsize(SAMPLE)
    events = Events(server, "sample.pcapng", filter="mqtt", limit=3).until("end")
    assert rows_of(events) == whole[:3] and events[-1]["matched"] == len(whole)
    assert rows_of(Events(server, "sample.pcapng", **{"from": whole[4]["no"]}, filter="mqtt").until("end")) == whole[5:]
    _, headers, body = server("GET", "/v1/captures/sample.pcapng/stream?limit=1")
    assert headers["Content-Type"] == "text/event-stream" and body.startswith(b"event: job\ndata: {") and b"\n\nevent: end\ndata: {" in body


def test_rows_come_while_a_file_grows(server):
    data = open(SAMPLE, "rb").read()
    path = os.path.join(server.folder, "grows.pcapng")
    whole = server.get("captures/sample.pcapng/frames", limit=5000)["frames"]
    with open(path, "wb") as f:
        f.write(data[:3000])
        f.flush()
        events = Events(server, "grows.pcapng", tail=1)
        rows = rows_of(events.until("caught_up"))
        assert 0 < len(rows) < len(whole)
        for at in range(3000, len(data), 1111):
            f.write(data[at:at + 1111])
            f.flush()
            time.sleep(0.02)
        for e in events:
            rows += rows_of([e])
            if len(rows) == len(whole):
                break
        assert rows == whole
        (job,) = server.get("jobs")["jobs"]
        assert job["capture"] == "grows.pcapng"
        assert server("DELETE", "/v1/jobs/" + job["id"])[0] == 204
        assert events.until("end")[-1]["cancelled"]
    until(lambda: not server.get("jobs")["jobs"])
    assert server("DELETE", "/v1/jobs/" + job["id"])[0] == 404


def test_watching_does_not_keep_readers_out(server):
    shutil.copy(SAMPLE, os.path.join(server.folder, "a.pcapng"))
    watching = [Events(server, "a.pcapng", tail=1) for _ in range(40)]
    for w in watching:
        w.until("caught_up")
    assert len(server.get("jobs")["jobs"]) == 40
    assert server.get("captures/sample.pcapng/frames", limit=1)["frames"]
    for w in watching:
        w.r.close(), w.c.close()
    until(lambda: not server.get("jobs")["jobs"])  # who went away is served no longer


# ---- hostile ----

PATHS = ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "..", ".", ".upload-x", "a%00b",
         "sample.pcapng%00", "..%5c..%5cx", "a%0d%0aX:%20y", "%ff%fe", "a" * 5000, "-rf", "sample.pcapng/../x", "%", "%4", "%zz"]


@pytest.mark.parametrize("name", PATHS)
def test_no_name_leaves_the_folder(server, name):
    secret = os.path.join(os.path.dirname(server.folder), "secret.pcapng")
    shutil.copy(SAMPLE, secret)
    os.symlink(secret, os.path.join(server.folder, "link.pcapng"))
    for path in (f"/v1/captures/{name}/file", f"/v1/captures/{name}", f"/v1/captures/{name}/frames"):
        assert server("GET", path)[0] in (400, 404, 414, 431), path
    assert server("PUT", f"/v1/captures/{name}", open(SAMPLE, "rb").read())[0] in (400, 405, 409, 404, 414, 431)
    assert server("DELETE", f"/v1/captures/{name}")[0] in (400, 405, 404, 409, 414, 431)
    assert server("GET", "/v1/captures/link.pcapng/file")[0] == 404
    assert server("POST", "/v1/captures?name=../secret.pcapng", open(SAMPLE, "rb").read())[2]["name"] == "_secret.pcapng"
    assert sorted(server.files()) == ["_secret.pcapng", "link.pcapng"] and os.path.exists(secret)


def test_a_foreign_name_or_site_is_refused(server):
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "localhost.evil", "127.0.0.1:80@evil", "", "a:b:c"):
        assert server("GET", "/v1/captures", Host=host)[0] in (400, 403), host
        assert server("GET", "/", Host=host)[0] in (400, 403), host
    for host in ("localhost", f"127.0.0.1:{server.port}", f"[::1]:{server.port}"):
        assert server("GET", "/v1/captures", Host=host)[0] == 200, host
    data = open(SAMPLE, "rb").read()
    assert server("POST", "/v1/captures?name=x", data, Origin="http://evil.example")[0] == 403
    assert server("POST", "/v1/captures?name=x", data, Origin="null")[0] == 403
    assert server("POST", "/v1/captures?name=x", data, Sec_Fetch_Site="cross-site")[0] == 403
    assert server.files() == []
    assert server("POST", "/v1/captures?name=x", data, Origin=f"http://127.0.0.1:{server.port}", Sec_Fetch_Site="same-origin")[0] == 201


def test_other_addresses_need_the_token(serve):
    server = serve("--listen", "0.0.0.0:0")
    assert re.fullmatch(r"[0-9a-f]{64}", server.token)
    good, bad = "Bearer " + server.token, "Bearer " + "0" * 64
    for path in ("/v1/captures", "/v1/openapi.json", "/v1/filter?text=tcp"):
        assert server("GET", path)[0] == 401
        status, headers, problem = server("GET", path, Authorization=bad)
        assert status == 401 and headers["WWW-Authenticate"] == "Bearer" and server.token not in json.dumps(problem)
        assert server("GET", path, Authorization=good[:-1])[0] == 401
        assert server("GET", path, Authorization=good)[0] == 200
    assert server("PUT", "/v1/captures/x", open(SAMPLE, "rb").read())[0] == 401 and server.files() == []
    assert server("GET", "/")[0] == 200


def test_no_auth_is_said_and_warned_of(serve):
    server = serve("--listen", "0.0.0.0:0", "--no-auth", "--host", "probe.example")
    assert server.token is None and server("GET", "/v1/captures")[0] == 200
    assert server("GET", "/v1/captures", Host="probe.example")[0] == 200
    assert server("GET", "/v1/captures", Host="other.example")[0] == 403
    assert "--no-auth" in open(f"{server.folder}.log").read()


def test_every_answer_has_the_headers_that_keep_scripts_out(server):
    for path in ("/", "/weir.js", "/weir.css", "/v1/captures", "/v1/captures/sample.pcapng/file", "/nothing"):
        _, h, _ = server("GET", path)
        assert h["X-Content-Type-Options"] == "nosniff" and "default-src 'none'" in h["Content-Security-Policy"], path
        assert "unsafe" not in h["Content-Security-Policy"] and h["Access-Control-Allow-Origin"] is None
    page = server("GET", "/")[2].decode() + server("GET", "/weir.js")[2].decode() + server("GET", "/weir.css")[2].decode()
    hosts = set(re.findall(r"https?://([\w.-]+)", page)) - {"www.w3.org"}  # names of XML vocabularies, not addresses
    assert not hosts - {"192.0.2.1"} and not re.search(r"document\.write|[^.\w]eval\(", page), hosts
    ours = "".join(open(p, encoding="utf-8").read() for p in glob.glob(os.path.join(PAGE, "**", "*.ts*"), recursive=True))
    assert ours and not re.search(r"innerHTML|InnerHTML|outerHTML|insertAdjacentHTML", ours)
    assert not re.search(r"\son\w+=|\sstyle=|<script>", server("GET", "/")[2].decode())


def test_a_script_in_a_topic_stays_text(server):
    tag = b"<script>alert(1)</script>"
    assert server("PUT", "/v1/captures/x.pcap", mqtt_publish(tag, b'"</script>\x00\xff\\'))[0] == 201
    (row,) = server.get("captures/x.pcap/frames")["frames"]
    assert tag.decode() in row["info"]
    frame = server.get("captures/x.pcap/frames/1")
    (topic,) = [f for f in frame["tree"] if f["name"] == "mqtt.topic"]
    assert topic["label"] == "Topic: " + tag.decode()
    assert server.get("captures/x.pcap/frames", filter=topic["filter"])["matched"] == 1
    server.get("captures/x.pcap/follow/tcp/0"), server.get("captures/x.pcap/explain"), server.get("captures/x.pcap/stats/mqtt")
    assert server("POST", "/v1/captures?name=" + urllib.parse.quote("<script>.pcap"), mqtt_publish(b"t", b""))[2]["name"] == "_script_.pcap"


def test_methods_and_junk_do_not_hurt(server):
    for method in ("PATCH", "TRACE", "OPTIONS", "FOO"):
        assert server(method, "/v1/captures")[0] == 405
    for junk in (b"\0" * 4096, b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"/" * 70000 + b" HTTP/1.1\r\n\r\n", b"PUT /v1/captures/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), LONG) as s:
            s.sendall(junk)
    slow = [socket.create_connection(("127.0.0.1", server.port), LONG) for _ in range(200)]
    for s in slow:
        s.sendall(b"GET /v1/captures HTTP/1.1\r\nHost: localhost\r\nX: ")
    assert server.get("captures/sample.pcapng/frames", limit=1)["frames"]
    for s in slow:
        s.close()
    assert server.files() == []


def test_readers_that_do_not_read_do_not_keep_others_out(server):
    assert server("PUT", "/v1/captures/x.pcap", mqtt_publish(b"t", b"v"))[0] == 201
    slow = [socket.create_connection(("127.0.0.1", server.port), LONG) for _ in range(300)]
    for s in slow:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.sendall(b"GET /v1/captures/sample.pcapng/frames?limit=5000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: server("GET", "/v1/captures/x.pcap/frames")[0] == 200, step=0.1)
    first = {s.recv(12) for s in slow}
    assert first <= {b"HTTP/1.1 200", b"HTTP/1.1 503"} and b"HTTP/1.1 200" in first
    for s in slow:
        s.close()


TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}


def conforms(value, schema, api, at="answer"):
    """What JSON Schema would say, of the few words the description uses."""
    if "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if value is None:
        assert schema.get("nullable"), at
        return
    if "type" in schema:
        assert isinstance(value, TYPES[schema["type"]]) and (schema["type"] == "boolean" or not isinstance(value, bool)), (at, value)
    assert "enum" not in schema or value in schema["enum"], (at, value)
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value), (at, set(schema["required"]) - set(value))
        assert "properties" not in schema or set(value) <= set(schema["properties"]), (at, set(value) - set(schema["properties"]))
        for k, v in schema.get("properties", {}).items():
            if k in value:
                conforms(value[k], v, api, f"{at}.{k}")
    if isinstance(value, list) and "items" in schema:
        for i, v in enumerate(value):
            conforms(v, schema["items"], api, f"{at}[{i}]")


def test_the_description_names_every_path_and_they_answer(server):
    api = server.get("openapi.json")
    assert api["openapi"].startswith("3.")
    fill = {"capture": "sample.pcapng", "number": "4", "kind": "conversations", "of": "tcp", "protocol": "tcp", "stream": "0"}
    ask = {"/v1/diff": "?good=sample.pcapng,sample.pcapng&bad=sample.pcapng", "/v1/complete": "?text=mqtt.m"}
    refused = {"/v1/guard/{what}": 404}  # none runs here
    for path, item in api["paths"].items():
        assert {m for m in item if m != "parameters"} <= {"get", "post", "put", "delete"}
        if not set(re.findall(r"\{(\w+)\}", path)) <= set(fill) and path not in refused or "get" not in item:
            continue  # of somebody else's things
        url = re.sub(r"\{(\w+)\}", lambda m: fill.get(m[1], "stats"), path) + ask.get(path, "")
        url = url.replace("/stats/conversations", "/stats/mqtt") if path.endswith("{kind}") else url
        status, _, body = server("GET", url)
        assert status == refused.get(path, 200), url
        schema = item["get"]["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema and status == 200:
            conforms(body, schema, api, path)
    row = api["components"]["schemas"]["Row"]
    got = server.get("captures/sample.pcapng/frames")["frames"][0]
    assert set(row["required"]) <= set(got) <= set(row["properties"])
    field = api["components"]["schemas"]["Field"]
    for f in server.get("captures/sample.pcapng/frames/4")["tree"]:
        assert set(field["required"]) <= set(f) <= set(field["properties"])


def test_it_says_why_it_does_not_begin(tmp_path):
    run = lambda *a: subprocess.run([WEIR, "serve", "--dir", tmp_path / "d", *a], capture_output=True, text=True, timeout=LONG)
    for args in (["--listen", "nonsense"], ["--listen", "127.0.0.1:99999"], ["/nothing/here"], ["--max-upload", "x"]):
        r = run(*args)
        assert r.returncode == 2 and r.stderr.startswith("weir serve: ") and not r.stdout, args
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        r = run("--listen", f"127.0.0.1:{s.getsockname()[1]}")
        assert r.returncode == 2 and "127.0.0.1" in r.stderr
