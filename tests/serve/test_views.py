# SPDX-License-Identifier: Apache-2.0
"""What the API says of a whole capture: pictures, tables, values over time; and of the guard beside it."""
import glob
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from ports import free_port, wait_for
from waiting import LONG, until

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from test_serve import SAMPLE, WEIR, decoded, serve, server  # noqa: E402,F401

ON = "captures/sample.pcapng/"


def test_the_ladder_has_the_arrows_of_the_capture(server):
    got = server.get(ON + "ladder", all=1)
    assert len(got["arrows"]) == got["all"] == len(decoded()) and got["left_out"] == 0
    roles = {p.get("client_id"): p["role"] for p in got["parties"]}
    assert roles == {"thermometer": "publisher", "meter": "publisher", "lock": "publisher", None: "broker", "dashboard": "subscriber", "pump-7": "subscriber"}
    rows = {r["no"]: r for r in server.get(ON + "frames", limit=5000)["frames"]}
    for a in got["arrows"]:
        row = rows[a["frame"]]
        assert (got["parties"][a["from"]]["address"], got["parties"][a["to"]]["address"]) == (row["source"], row["destination"])
        assert abs(float(row["time"]) - a["time"]) < 1e-6
    assert any("CONNECT" in a["text"] and a["kind"] == "mqtt" for a in got["arrows"])
    page = server.get(ON + "ladder", all=1, offset=10, limit=5)
    assert page["arrows"] == got["arrows"][10:15] and page["all"] == got["all"]
    some = server.get(ON + "ladder", all=1, filter="tcp.stream == 1")
    assert {a["stream"] for a in some["arrows"]} == {1}


def test_connections_count_what_their_filter_finds(server):
    got = server.get(ON + "connections", sort="bytes")
    rows = got["connections"]
    assert len(rows) == got["all"] == 5 and got["packets"] == len(decoded())
    assert [sum(r["bytes"]) for r in rows] == sorted((sum(r["bytes"]) for r in rows), reverse=True)
    for r in rows:
        frames = server.get(ON + "frames", filter=r["filter"], limit=5000)["frames"]
        for side, end in ((0, "client"), (1, "server")):
            mine = [f for f in frames if f["source"] == r[end]["address"]]
            assert r["packets"][side] == len(mine) and r["bytes"][side] == sum(f["length"] for f in mine)
        assert sum(r["histogram"]) == sum(r["bytes"]) and r["first_frame"] == frames[0]["no"]
        assert abs(r["start"] - float(frames[0]["time"])) < 1e-6 and abs(r["start"] + r["duration"] - float(frames[-1]["time"])) < 1e-6
        assert r["protocol"] == "MQTT" and r["state"] in ("closed", "reset") and r["from_start"] and "SYN" in r["flags"][0] and "ACK" in r["flags"][1]
        first = next(i for i, b in enumerate(r["histogram"]) if b)
        assert first == int(r["start"] / got["bin_seconds"])
    assert {r["name"] for r in rows} == {"thermometer", "meter", "lock", "dashboard", "pump-7"}
    assert [r["stream"] for r in server.get(ON + "connections")["connections"]] == [0, 1, 2, 3, 4]
    assert server.get(ON + "connections", sort="bytes", offset=1, limit=2)["connections"] == rows[1:3]
    assert server("GET", f"/v1/{ON}connections?sort=x")[0] == 400


def test_topics_have_their_values_over_time(server):
    got = server.get(ON + "mqtt")
    topics = {t["topic"]: t for t in got["topics"]}
    assert list(topics) == sorted(topics)
    for name, t in topics.items():
        frames = server.get(ON + "frames", filter=f'mqtt.msgtype == 3 && mqtt.topic == "{name}"', limit=5000)["frames"]
        assert [s["frame"] for s in t["history"]] == [f["no"] for f in frames] and t["published"] + t["delivered"] == len(frames)
        assert t["last"] == t["history"][-1] and t["step"] == 1
    warm = topics["home/kitchen/temperature"]["history"]
    assert [(s["by"], s["value"], s["text"], s["qos"]) for s in warm] == [("client", 21.5, "21.5", 1), ("broker", 21.5, "21.5", 1)]
    roles = {c["client"]: c["role"] for c in got["clients"]}
    assert roles["dashboard"] == "subscriber" and roles["lock"] == "publisher"
    (one,) = server.get(ON + "mqtt", topic="home/kitchen/temperature")["topics"]
    assert one == topics["home/kitchen/temperature"]


def test_a_history_stays_within_its_limit_and_lies_over_all_of_the_capture(serve):
    from test_serve import large_capture
    server = serve("--listen", "127.0.0.1:0")
    large_capture(os.path.join(server.folder, "l.pcap"))
    got = server.get("captures/l.pcap/mqtt", history=20)
    assert len(got["topics"]) == 50
    for t in got["topics"]:
        times = [s["time"] for s in t["history"]]
        assert 10 <= len(times) <= 20 and times == sorted(times) and times[-1] > 60 and times[0] < 20
        assert t["step"] * len(times) >= t["published"] - t["step"] and t["last"]["time"] >= times[-1]
    assert server.get("captures/l.pcap/mqtt", history=0)["topics"][0]["history"] == []


def test_the_waterfall_ties_answers_to_questions(server):
    rows = server.get(ON + "waterfall")["connections"]
    assert [r["stream"] for r in rows] == [0, 1, 2, 3, 4]
    pieces = {r["stream"]: server.get(ON + f"follow/mqtt/{r['stream']}")["pieces"] for r in rows}
    for r in rows:
        tcp, *bars = r["bars"]
        assert tcp["kind"] == "tcp" and tcp["state"] == "done" and tcp["end_frame"] == tcp["frame"] + 2
        for bar in bars:
            (piece,) = [p for p in pieces[r["stream"]] if p["frame"] == bar["frame"] and p["type"] == bar["type"]]
            acks = piece.get("acks", [])
            if bar["type"] == "CONNECT":  # a follow shows the CONNACK by itself
                acks = [p for p in pieces[r["stream"]] if p["type"] == "CONNACK"]
            assert bar["end_frame"] == (acks[-1]["frame"] if acks else bar["frame"]) and bar["state"] == "done"
            assert bar["from"] == ("client" if piece["from"] == "client" else "server")
    assert server.get(ON + "waterfall", stream=3)["connections"] == [rows[3]]
    assert server.get(ON + "waterfall", stream=3, bars=2)["connections"][0]["left_out"] == len(rows[3]["bars"]) - 2


def test_diff_of_captures_says_where_they_part(server):
    same = server.get("diff", good="sample.pcapng", bad="sample.pcapng")
    assert same["same"] and all(not c["differs"] for c in same["conversations"])
    data = open(SAMPLE, "rb").read()
    assert server("PUT", "/v1/captures/bad.pcapng", data[:len(data) * 3 // 4])[0] == 201
    got = server.get("diff", good="sample.pcapng,sample.pcapng", bad="bad.pcapng")
    assert not got["same"] and got["text"] and got["first"]["what"] == "missing"
    assert server("GET", "/v1/diff?good=sample.pcapng")[0] == 400
    assert server("GET", "/v1/diff?good=sample.pcapng&bad=../x")[0] == 404
    assert server("GET", "/v1/diff?good=" + "sample.pcapng," * 20 + "&bad=bad.pcapng")[0] == 400


@pytest.mark.parametrize("text, has, first", [
    ("mqtt.qo", "mqtt.qos", "mqtt.qos"),
    ("mq", "mqtt", "mqtt"),
    ("tcp && mqtt.top", "mqtt.topic", "mqtt.topic"),
    ("temperat", None, None),
    ("mqtt.msgtype == pub", "3", "3"),
    ("mqtt.msgtype in {1, 3..", "8", None),
    ("mqtt.qos ", ">=", "=="),
    ("mqtt.topic ", "contains", "=="),
    ("mqtt ", "&&", "contains"),
    ("mqtt.topic == \"a\" ", "&&", "&&"),
    ("tcp.flags.syn == ", "1", "1"),
    ("(ip.sr", "ip.src", "ip.src"),
    ("mqtt.topic in ", "{", "{"),
])
def test_completion_knows_what_comes_next(server, text, has, first):
    got = server.get("complete", text=text, limit=100)
    texts = [i["text"] for i in got["items"]]
    assert (has is None or has in texts) and (first is None or texts[0] == first)
    for i in got["items"][:20]:  # what it offers can be typed
        whole = text[:got["from"]] + i["text"]
        bad = server.get("filter", text=whole)
        assert bad["valid"] or bad["offset"] >= len(whole) - 2 or i["kind"] in ("operator", "function") or "{" in text or "(" in text, (whole, bad)


def test_completion_replaces_the_whole_word_and_is_quiet_in_strings(server):
    got = server.get("complete", text="tcp && mqtt.to == 1", cursor=len("tcp && mqtt.t"))
    assert (got["from"], got["to"]) == (7, 14) and got["items"][0]["text"] == "mqtt.topic"
    assert server.get("complete", text='mqtt.topic == "mqtt.t')["items"] == []
    assert server.get("complete", text="mqtt.topic == ")["expects"] == "string"
    for junk in ("\x00", "((((", "in in in", "mqtt.qos == == ", "[", "#", "mqtt.topic[", "é", "\"", "{,,"):
        assert "items" in server.get("complete", text=junk)


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_keys_decrypt_and_are_never_given_out(serve, tmp_path):
    import ssl
    from tls_lab import CLIENT, Capture, Lab, Pair
    server = serve("--listen", "127.0.0.1:0")
    lab, log = Lab(tmp_path), tmp_path / "keys.log"
    pair = Pair(*lab.contexts(ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-GCM-SHA256", str(log))).handshake()
    pair.say(CLIENT, b"a secret word")
    pair.bye()
    capture = Capture()
    pair.record(capture)
    capture.write(os.path.join(server.folder, "tls.pcap"))
    keys, word = "/v1/captures/tls.pcap/keys", "captures/tls.pcap/frames"

    def found():
        return server.get(word, filter='data contains "secret word"')["matched"]

    assert found() == 0 and server.get("captures/tls.pcap/keys") == {"secrets": 0, "private_keys": 0}
    assert server("PUT", keys, b"nothing of the kind\n")[0] == 422 and server("PUT", keys, b"-----BEGIN PRIVATE KEY-----\nx\n")[0] == 422
    status, _, body = server("PUT", keys, log.read_bytes())
    assert status == 201 and body["secrets"] >= 1 and found() == 1
    secret = [w for line in log.read_text().splitlines() if not line.startswith("#") for w in line.split()[1:]]
    hidden = [n for n in os.listdir(server.folder) if n.startswith(".keys")]
    assert hidden == [".keys-log-tls.pcap"] and os.stat(os.path.join(server.folder, hidden[0])).st_mode & 0o77 == 0
    everything = b""
    for path in ("captures", "captures/tls.pcap", "captures/tls.pcap/keys", word, "captures/tls.pcap/explain", "captures/tls.pcap/file",
                 "captures/.keys-log-tls.pcap/file", "captures/.keys-log-tls.pcap", "jobs", "captures/tls.pcap/connections"):
        got = server("GET", "/v1/" + path)[2]
        everything += got if isinstance(got, bytes) else json.dumps(got).encode()
    for s in secret:
        assert s.encode() not in everything
    assert server("PUT", keys, log.read_bytes(), Origin="http://evil.example")[0] == 403
    assert server("DELETE", keys)[0] == 204 and found() == 0
    assert server("PUT", keys, log.read_bytes())[0] == 201 and server("DELETE", "/v1/captures/tls.pcap")[0] == 204
    assert [n for n in os.listdir(server.folder) if "tls.pcap" in n] == []


def test_an_answer_is_kept_and_belongs_to_its_file_its_question_and_its_keys(serve):
    from test_serve import large_capture
    server = serve("--listen", "127.0.0.1:0")
    path = os.path.join(server.folder, "l.pcap")
    large_capture(path, packets=250000)  # what costs little is not kept
    asked = [("connections", {}), ("connections", {"limit": 3}), ("connections", {"filter": "tcp.srcport == 40007"}), ("mqtt", {}), ("stats/io", {"interval": 1}),
             ("stats/io", {"interval": 10}), ("ladder", {"limit": 5}), ("explain", {}), ("stats/conversations/tcp", {}), ("stats/endpoints/tcp", {})]
    ask = lambda: [server.get("captures/l.pcap/" + what, **query) for what, query in asked]
    begin = time.monotonic()
    first = ask()
    middle = time.monotonic()
    assert ask() == first
    assert time.monotonic() - middle < middle - begin
    assert len({json.dumps(a) for a in first}) == len(asked)
    kept = [n for n in os.listdir(server.folder) if n.startswith(".ans-l.pcap-")]
    assert kept and not [n for n in os.listdir(server.folder) if n.startswith(".new")]
    server.stop()
    for name in kept[1:]:  # a damaged one is no answer
        with open(os.path.join(server.folder, name), "r+b") as f:
            f.truncate(os.path.getsize(f.name) - 1)
    server = serve("--listen", "127.0.0.1:0")
    assert ask() == first
    large_capture(path, packets=50000)
    os.utime(path, (1700000001, 1700000001))
    assert server.get("captures/l.pcap/connections")["packets"] == 50000
    assert sum(c["packets"][0] for c in server.get("captures/l.pcap/connections")["connections"]) == 50000
    assert len(server.get("captures/l.pcap/connections", limit=3)["connections"]) == 3
    assert server("DELETE", "/v1/captures/l.pcap")[0] == 204
    assert not [n for n in os.listdir(server.folder) if n.startswith(".ans")]


def test_the_guard_is_shown_and_its_bans_are_lifted(serve):
    admin, port = free_port(), free_port()
    guard = subprocess.Popen([WEIR, "guard", "--listen", f"127.0.0.1:{port}", "--broker", f"127.0.0.1:{free_port()}", "--admin", f"127.0.0.1:{admin}"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(admin)
        server = serve("--listen", "127.0.0.1:0", "--guard", f"http://127.0.0.1:{admin}")
        assert server.get("guard") == {"configured": True}
        stats = server.get("guard/stats")
        assert stats["brokers"] and "uptime" in stats and server.get("guard/bans") == [] and server.get("guard/talkers") == []
        assert isinstance(server.get("guard/events"), list)
        value = "2001:db8::/32"
        assert server("POST", "/v1/guard/bans?kind=address&value=2001:db8::%2F32&seconds=600&reason=a%26b%20%3Cscript%3E")[0] == 204
        (ban,) = server.get("guard/bans")
        assert ban["value"] == value and ban["reason"] == "a&b <script>" and 590 < ban["seconds"] <= 600
        assert server("DELETE", "/v1/guard/bans?kind=address&value=2001:db8::%2F32", Origin="http://evil.example")[0] == 403
        assert len(server.get("guard/bans")) == 1
        assert server("DELETE", "/v1/guard/bans?kind=address&value=2001:db8::%2F32")[0] == 204 and server.get("guard/bans") == []
        assert server("POST", "/v1/guard/bans?kind=nobody&value=x")[0] == 400
        assert server("POST", "/v1/guard/bans?kind=client&value=a%0d%0aX:%20y%20HTTP/1.1")[0] in (204, 400)
        for what in ("metrics", "..", "%2e%2e", "stats%3fx", "bans/x", "%0d%0a"):
            assert server("GET", "/v1/guard/" + what)[0] == 404, what
        assert server("POST", "/v1/guard/stats")[0] == 405
    finally:
        guard.terminate()
        guard.wait(LONG)
        guard.stderr.close()
    assert server("GET", "/v1/guard/stats")[0] == 502


def test_without_a_guard_nothing_is_asked(server):
    assert server.get("guard") == {"configured": False}
    assert server("GET", "/v1/guard/stats")[0] == 404 and server("POST", "/v1/guard/bans?kind=client&value=x")[0] == 404


# ---- languages ----

def verdict(server, query="", **headers):
    status, _, body = server("GET", f"/v1/{ON}explain{query}", **headers)
    assert status == 200
    return body["verdict"]["text"]


def language(text):
    return "ja" if any("\u3040" <= c <= "\u30ff" for c in text) else "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"


@pytest.mark.skipif(not glob.glob(os.path.join(os.path.dirname(WEIR), "po", "ja", "*", "weir.mo")), reason="built without translations")
def test_each_request_is_answered_in_its_own_language(server):
    for query, header, want in (("?lang=ja", "en", "ja"), ("?lang=zh", "", "zh"), ("?lang=en", "ja", "en"), ("?lang=zh-Hans", "", "zh"), ("", "", "en"), ("", "ja", "ja"),
                                ("", "fr, ja-JP;q=0.8, en;q=0.5", "ja"), ("", "en;q=0.5, zh-CN", "zh"), ("", "zh-TW, ja;q=0.2", "ja"), ("", "zh-Hant-HK", "en"), ("", "de", "en"),
                                ("", "ja;q=0, zh;q=0.001", "zh"), ("?lang=xx", "ja", "ja"), ("", "jam, english", "en"), ("?lang=../../ja", "", "en"),
                                ("", "," * 3000 + "x;q=,;q=1e9,ja;q=nan" + ",y" * 500, "en")):
        assert language(verdict(server, query, **({"Accept_Language": header} if header else {}))) == want, (query, header)
    got = []
    ask = lambda lang: got.extend((lang, language(verdict(server, "?lang=" + lang))) for _ in range(20))
    threads = [threading.Thread(target=ask, args=(lang,)) for lang in ("en", "ja", "zh") * 2]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(got) == 120 and all(want == is_ for want, is_ in got)


@pytest.mark.skipif(not glob.glob(os.path.join(os.path.dirname(WEIR), "po", "ja", "*", "weir.mo")), reason="built without translations")
def test_a_difference_and_what_is_kept_of_a_large_capture_have_their_language(serve):
    from test_serve import large_capture
    server = serve("--listen", "127.0.0.1:0", SAMPLE)
    large_capture(os.path.join(server.folder, "l.pcap"), packets=60000)
    for _ in range(2):  # the second time it is the kept one
        for lang in ("en", "ja", "zh"):
            assert language(server.get("captures/l.pcap/explain", lang=lang)["findings"][0]["text"]) == lang
            assert language(server.get("diff", good="sample.pcapng", bad="l.pcap", lang=lang)["text"]) == lang


# ---- what was uploaded does not stay for ever ----

def test_uploads_expire_and_what_lay_in_the_folder_stays(serve):
    server = serve("--listen", "127.0.0.1:0", "--expiry", "6s")
    if server.get("sessions") is None:
        pytest.skip("built without a store")
    with open(SAMPLE, "rb") as f:
        sample = f.read()
    for name in ("mine.pcapng", "changed.pcapng", "again.pcapng"):
        assert server("PUT", "/v1/captures/" + name, sample)[0] == 201
    with open(os.path.join(server.folder, "laid.pcapng"), "wb") as f:
        f.write(sample)
    os.utime(os.path.join(server.folder, "laid.pcapng"), (1600000000, 1600000000))
    os.utime(os.path.join(server.folder, "changed.pcapng"), (time.time() + 3600,) * 2)  # somebody wrote it since
    expires = {c["name"]: "expires" in c for c in server.get("captures")["captures"]}
    assert expires == {"mine.pcapng": True, "again.pcapng": True, "changed.pcapng": False, "laid.pcapng": False}
    server.stop()  # what was promised outlives the server
    server = serve("--listen", "127.0.0.1:0", "--expiry", "6s")
    time.sleep(3)
    assert server("PUT", "/v1/captures/again.pcapng", sample)[0] == 201  # its time begins anew
    names = lambda: [c["name"] for c in server.get("captures")["captures"]]
    until(lambda: "mine.pcapng" not in names())
    assert "again.pcapng" in names()
    until(lambda: "again.pcapng" not in names())
    assert names() == ["changed.pcapng", "laid.pcapng"]
    assert ("expiry", "/v1/captures/mine.pcapng") in [(a["who"], a["path"]) for a in server.get("audit")["actions"]]
    server.stop()
    server = serve("--listen", "127.0.0.1:0", "--expiry", "0")
    assert server("PUT", "/v1/captures/kept.pcapng", sample)[0] == 201
    assert "expires" not in server.get("captures/kept.pcapng")
