# SPDX-License-Identifier: Apache-2.0
"""A hostile day: tokens, names, sites, uploads, slow clients, and words that would be markup. Nothing leaks, runs or falls
over; run under AddressSanitizer with WEIR=build-asan/weir."""
import gzip
import html.parser
import json
import os
import random
import re
import resource
import shutil
import socket
import struct
import sys
import time
import urllib.parse

import pytest

from waiting import LONG, until

from test_serve import PATHS, SAMPLE, mqtt_publish, serve, server  # noqa: F401

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))
from sharkd import usage  # noqa: E402

TAG = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


def asan(server):
    """Memory under a sanitizer says nothing."""
    with open(f"/proc/{server.run.pid}/maps") as f:
        return re.search("lib[at]san", f.read()) is not None


def paths_of(server, auth={}):
    api = server("GET", "/v1/openapi.json", **auth)[2]
    for path, item in api["paths"].items():
        for method in item:
            if method != "parameters":
                yield path, method.upper()


def test_without_the_right_token_nothing_is_said_or_done(serve):
    server = serve("--listen", "0.0.0.0:0", SAMPLE)
    right = {"Authorization": "Bearer " + server.token}
    wrong = [{}, {"Authorization": "Bearer " + "0" * 64}, {"Authorization": "Bearer " + server.token[:-1]}, {"Authorization": "Bearer " + server.token + "0"},
             {"Authorization": "Basic " + server.token}, {"Authorization": "Bearer"}, {"Authorization": "Bearer \x01"}, {"Cookie": "token=" + server.token}]
    fill = {"capture": "sample.pcapng", "number": "1", "kind": "mqtt", "of": "tcp", "protocol": "tcp", "stream": "0", "what": "stats", "id": "0"}
    before = sorted(os.listdir(server.folder))
    asked = 0
    for path, method in paths_of(server, right):
        if path.startswith(("/v1/download/", "/v1/sims", "/v1/auth")):
            continue  # the address is the permission; another kind of key
        url = re.sub(r"\{(\w+)\}", lambda m: fill.get(m[1], "x"), path)
        for headers in wrong:
            asked += 1
            status, _, body = server(method, url, b"x" if method in ("PUT", "POST") else None, **headers)
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            assert status == 401 and server.token.encode() not in text and b"thermometer" not in text, (method, url, headers)
        assert server("GET", url + "?token=" + server.token)[0] == 401
    assert asked > 100 and sorted(os.listdir(server.folder)) == before
    assert server("GET", "/v1/captures", **right)[0] == 200


WORDS = ["frames", "frames/1", "stream", "ladder", "connections", "mqtt", "waterfall", "keys", "explain", "stats/mqtt", "follow/tcp/0"]


@pytest.mark.parametrize("name", PATHS)
def test_no_name_leaves_the_folder_whatever_is_asked(server, name):
    secret = os.path.join(os.path.dirname(server.folder), "secret.pcapng")
    shutil.copy(SAMPLE, secret)
    for word in WORDS:
        status, _, body = server("GET", f"/v1/captures/{name}/{word}")
        assert status in (400, 403, 404, 405, 414, 431), (word, status)
        assert server.folder not in str(body) and os.path.dirname(server.folder) not in str(body)
    assert server("PUT", f"/v1/captures/{name}/keys", b"CLIENT_RANDOM " + b"0" * 64 + b" " + b"1" * 96)[0] in (400, 403, 404, 405, 414, 431)
    if len(name) < 1000:
        quoted = urllib.parse.quote(name, safe="%")
        assert server("GET", f"/v1/diff?good={quoted}&bad=sample.pcapng")[0] in (400, 404)
    assert not [n for n in os.listdir(os.path.dirname(server.folder)) if n.startswith(".keys")]


def test_another_site_changes_nothing(server):
    keys, log = "/v1/captures/sample.pcapng/keys", b"CLIENT_RANDOM " + b"0" * 64 + b" " + b"1" * 96 + b"\n"
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Host": "evil.example"}):
        for method, url, body in (("PUT", keys, log), ("DELETE", keys, None), ("POST", "/v1/guard/bans?kind=client&value=x", b""), ("DELETE", "/v1/jobs/1", None),
                                  ("POST", "/v1/captures?name=x", open(SAMPLE, "rb").read()), ("DELETE", "/v1/captures/sample.pcapng", None)):
            assert server(method, url, body, **headers)[0] == 403, (method, url, headers)
    assert server.get("captures/sample.pcapng/keys") == {"secrets": 0, "private_keys": 0}
    status, headers, _ = server("GET", "/v1/captures", Origin="http://evil.example")
    assert headers["Access-Control-Allow-Origin"] is None


def mqtt_connect(client):
    body = struct.pack(">H4sBBH", 4, b"MQTT", 4, 2, 60) + struct.pack(">H", len(client)) + client
    return bytes([0x10, len(body)]) + body


def capture_of(*messages):
    """One TCP conversation that says these things."""
    out, seq = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101), 1
    for i, m in enumerate(messages):
        tcp = struct.pack(">HHIIBBHHH", 40000, 1883, seq, 1, 0x50, 0x18, 1024, 0, 0) + m
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])) + tcp
        out += struct.pack("<IIII", 1 + i, 0, len(ip), len(ip)) + ip
        seq += len(m)
    return out


def publish(topic, payload):
    body = struct.pack(">H", len(topic)) + topic + payload
    return bytes([0x30, len(body)]) + body


def test_markup_in_names_topics_and_payloads_stays_words(server):
    tag = TAG.encode()
    data = capture_of(mqtt_connect(tag[:100]), publish(tag[:50], tag[:60]), publish(b"\xff\xfe</script>\x00", b"\x80\x00<b>"), publish(b"a", b'{"v": "' + tag[:40] + b'"}'))
    status, headers, made = server("POST", "/v1/captures?name=" + urllib.parse.quote("<img src=x onerror=alert(1)>.pcap"), data)
    assert status == 201 and not set(made["name"]) & set("<>\"'& ")
    base = f"/v1/captures/{made['name']}/"
    asked = ["frames", "frames/1", "frames/2", "frames/3", "ladder", "connections", "mqtt", "waterfall", "explain", "follow/tcp/0", "follow/mqtt/0",
             "stats/mqtt", "stats/volume", "stats/protocols", "stats/expert", "keys", "frames?filter=" + urllib.parse.quote('mqtt.topic == "<script>"'),
             "frames?filter=" + urllib.parse.quote("<script>alert(1)</script>"), "stream?form=sse&filter=" + urllib.parse.quote('frame contains "<script>"')]
    for path in [base + a for a in asked] + ["/v1/captures", "/v1/jobs", "/v1/complete?text=%3Cscript%3E", "/v1/filter?text=%3Cscript%3E",
                                              f"/v1/diff?good={made['name']}&bad={made['name']}", "/v1/<script>", "/<script>alert(1)</script>", "/v1/captures/<script>"]:
        status, headers, _ = server("GET", path.replace("<", "%3C").replace(">", "%3E"))
        assert headers["Content-Type"] in ("application/json", "application/problem+json", "text/event-stream"), path
        assert headers["X-Content-Type-Options"] == "nosniff" and "script-src 'self'" in headers["Content-Security-Policy"]
    seen = json.dumps([server("GET", base + a)[2] for a in ("frames", "ladder", "connections", "mqtt", "waterfall", "follow/mqtt/0")])
    assert json.dumps(TAG[:40])[1:-1] in seen and "\\ufffd" in seen

    class Finder(html.parser.HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert not [k for k, _ in attrs if k.startswith("on")]

    Finder().feed(server("GET", "/")[2].decode())
    assert TAG not in open(f"{server.folder}.log").read()


def test_words_of_clients_reach_the_log_as_plain_letters(server):
    for word in ("%1b%5b31mred", "%0d%0aforged%20line", "%e2%80%ae", "%00"):
        server("DELETE", "/v1/captures/" + word)
    log = open(f"{server.folder}.log", "rb").read()
    assert b"\x1b" not in log and b"\nforged" not in log and b"\xe2\x80" not in log and b"DELETE" in log


# ---- uploads ----

def test_junk_is_refused_and_leaves_nothing(server):
    rnd = random.Random(7)
    sample = open(SAMPLE, "rb").read()
    junk = [b"\x00", b"\x0a\x0d\x0d\x0a" + b"\xff" * 100, b"\xd4\xc3\xb2\xa1", b"<script>", b"\x1f\x8b\x08" + rnd.randbytes(300), b"\x28\xb5\x2f\xfd" + rnd.randbytes(300),
            gzip.compress(gzip.compress(sample)), rnd.randbytes(100000), b"PK\x03\x04" + rnd.randbytes(1000)]
    before = sorted(os.listdir(server.folder))
    for body in junk:
        status, _, problem = server("POST", "/v1/captures?name=junk.pcap", body)
        assert status == 422 and server.folder not in problem["detail"], (status, body[:8])
    assert sorted(os.listdir(server.folder)) == before
    for i in range(25):  # what is a capture at its beginning is kept, and read as far as it goes
        body = bytearray(sample)
        for _ in range(rnd.choice((1, 5, 50))):
            body[rnd.randrange(40, len(body))] = rnd.randrange(256)
        status, _, got = server("PUT", "/v1/captures/damaged.pcapng", bytes(body[:rnd.randrange(200, len(body))]))
        if status != 201:
            assert status == 422
            continue
        for word in WORDS:
            assert server("GET", f"/v1/captures/damaged.pcapng/{word}")[0] in (200, 404), word
        assert server("DELETE", "/v1/captures/damaged.pcapng")[0] == 204
    assert sorted(os.listdir(server.folder)) == before


def test_two_gigabytes_are_refused_at_the_limit_without_being_kept(serve):
    server = serve("--listen", "127.0.0.1:0", "--max-upload", "64M")
    before, size = sorted(os.listdir(server.folder)), 2 << 30
    with socket.create_connection(("127.0.0.1", server.port), LONG) as s:  # said before the body comes
        s.sendall(b"PUT /v1/captures/big.pcap HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size)
        assert s.recv(12) == b"HTTP/1.1 413"
    head, piece = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101), b"\0" * (1 << 20)
    with socket.create_connection(("127.0.0.1", server.port), LONG) as s:  # no length is said
        s.sendall(b"PUT /v1/captures/big.pcap HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent, most = 0, 0
        try:
            while sent < size:
                data = head + piece if not sent else piece
                s.sendall(b"%x\r\n" % len(data) + data + b"\r\n")
                sent += len(data)
                if sent % (64 << 20) < len(data):
                    most = max([most] + [os.path.getsize(e.path) for e in os.scandir(server.folder) if e.name.startswith(".upload")])
            s.sendall(b"0\r\n\r\n")
            assert s.recv(12) == b"HTTP/1.1 413"
        except (BrokenPipeError, ConnectionResetError):
            pass  # or the connection is closed in the middle
    assert sent > 64 << 20 and most <= (64 << 20) + (1 << 20)
    assert sorted(os.listdir(server.folder)) == before
    assert asan(server) or usage(server.run.pid)[1] < 100
    assert server.get("captures")["captures"] == []

def test_uploads_at_a_time_share_what_is_left_of_the_quota(serve):
    """What is under way has no name yet and takes room all the same."""
    quota = 3 << 20
    server = serve("--listen", "127.0.0.1:0", "--max-upload", "2000000", "--quota", str(quota))
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    at_once = [socket.create_connection(("127.0.0.1", server.port), LONG) for _ in range(8)]
    try:
        for i, s in enumerate(at_once):  # no length is said
            s.sendall(b"PUT /v1/captures/u%d.pcap HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" % i)
        for piece in [head] + [b"\0" * 100000] * 15:
            for s in at_once:
                try:
                    s.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
                except OSError:
                    pass  # it was told enough
        time.sleep(1)
        assert sum(os.path.getsize(e.path) for e in os.scandir(server.folder) if e.name.startswith(".upload")) <= quota
    finally:
        for s in at_once:
            s.close()
    until(lambda: not any(e.name.startswith(".upload") for e in os.scandir(server.folder)))
    assert server("PUT", "/v1/captures/after.pcap", head)[0] == 201  # the room is given back


def test_a_small_file_that_unpacks_to_a_large_one_takes_time_not_memory(server):
    packet = struct.pack("<IIII", 1, 0, 60, 60) + b"\0" * 60
    body = gzip.compress(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + packet * 1000000)
    assert len(body) < 1 << 20 and server("PUT", "/v1/captures/bomb.pcap.gz", body)[0] == 201
    got = server.get("captures/bomb.pcap.gz/frames", count=1, limit=1)
    assert got["matched"] == 1000000
    assert asan(server) or usage(server.run.pid)[1] < 150


# ---- slow clients ----

def test_five_hundred_slow_readers_do_not_stop_the_server(serve):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    server = serve("--listen", "127.0.0.1:0", SAMPLE)
    from test_serve import large_capture
    large_capture(os.path.join(server.folder, "large.pcap"), packets=20000)
    fds = len(os.listdir(f"/proc/{server.run.pid}/fd"))
    slow = []
    for i in range(500):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.connect(("127.0.0.1", server.port))
        s.sendall(b"GET /v1/captures/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" %
                  (b"large.pcap/frames?limit=5000&filter=frame.len>%d" % (i % 40), b"large.pcap/stream?limit=100000", b"large.pcap/file", b"sample.pcapng/mqtt")[i % 4])
        slow.append(s)

    def answered():
        status = server("GET", "/v1/captures/sample.pcapng/frames?limit=10")[0]
        assert status in (200, 503)
        return status == 200
    for _ in range(20):
        until(answered, step=0)
    assert server("GET", "/v1/captures")[0] == 200
    first = [s.recv(12) for s in slow]
    assert set(first) <= {b"HTTP/1.1 200", b"HTTP/1.1 503"} and first.count(b"HTTP/1.1 200") > 200
    assert asan(server) or usage(server.run.pid)[1] < 1000
    for s in slow:
        s.close()
    until(lambda: len(os.listdir(f"/proc/{server.run.pid}/fd")) <= fds + 8 and not server.get("jobs")["jobs"], step=0.1)
    assert server.get("captures/sample.pcapng/frames", limit=1)["frames"]


def test_one_address_does_not_take_all_connections(serve):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    server = serve("--listen", "0.0.0.0:0", "--no-auth", SAMPLE)
    idle = []
    for _ in range(650):
        idle.append(socket.create_connection(("127.0.0.1", server.port), LONG))
        idle[-1].sendall(b"GET /v1/captures HTTP/1.1\r\nHost: localhost\r\nX: ")
    with socket.create_connection(("127.0.0.1", server.port), LONG, source_address=("127.0.0.2", 0)) as other:
        other.sendall(b"GET /v1/captures HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert other.recv(12) == b"HTTP/1.1 200"
    for s in idle:
        s.close()


def test_requests_in_drops_and_halves(server):
    drops = [socket.create_connection(("127.0.0.1", server.port), LONG) for _ in range(50)]
    request = b"GET /v1/captures/sample.pcapng/frames?limit=3 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for i in range(len(request)):
        for s in drops:
            s.sendall(request[i:i + 1])
    for s in drops:
        assert s.recv(12) == b"HTTP/1.1 200"
        s.close()
    for cut in range(1, 400, 7):  # a body that ends too early
        with socket.create_connection(("127.0.0.1", server.port), LONG) as s:
            s.sendall(b"PUT /v1/captures/half.pcap HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400\r\n\r\n" + mqtt_publish(b"t", b"v")[:cut])
    until(lambda: not [n for n in os.listdir(server.folder) if n.startswith(".upload")])
    assert server.get("captures")["captures"][0]["name"] == "sample.pcapng" and len(server.get("captures")["captures"]) == 1


def test_questions_beyond_measure_are_refused(server):
    for path in ("frames?limit=5001", "frames?offset=99999999999", "frames?limit=-1", "frames?limit=1e3", "ladder?limit=20001", "connections?limit=70000", "mqtt?history=20001",
                 "waterfall?bars=2001", "stream?tail=2", "stream?form=xml", "frames?time=x", "frames/0", "frames/-1", "frames/99999999999999999999", "frames/1x", "follow/tcp/99999999999", "follow/x/0"):
        assert server("GET", "/v1/captures/sample.pcapng/" + path)[0] in (400, 404), path
    long = "tcp.port == 1 || " * 1500 + "udp"
    assert server("GET", "/v1/captures/sample.pcapng/frames?limit=1&filter=" + urllib.parse.quote(long))[0] in (200, 400, 414, 431)
    deep = "(" * 3000 + "tcp" + ")" * 3000
    assert server("GET", "/v1/captures/sample.pcapng/frames?limit=1&filter=" + urllib.parse.quote(deep))[0] in (400, 414, 431)
    assert server("GET", "/v1/complete?text=" + "(" * 6000)[0] in (200, 414, 431)
