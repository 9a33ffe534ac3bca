# SPDX-License-Identifier: Apache-2.0
"""Output as people see it: languages, forms, exit status, and captures that are healthy."""
import json
import os
import re
import subprocess
import xml.dom.minidom
from pathlib import Path
from xml.etree import ElementTree

import pytest

from made import *

WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))
SAMPLE = os.environ.get("WEIR_SAMPLE", "build/sample.pcapng")
ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"


def weir(*args, env=None, **kw):
    base = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    return subprocess.run([WEIR, *map(str, args)], capture_output=True, text=True, timeout=60, env={**base, **(env or {})}, **kw)


def entries(lang):
    text = (ROOT / "po" / f"{lang}.po").read_text(encoding="utf-8")
    pairs = re.findall(r'^msgid (".*")\nmsgstr (".*")$', text, re.M)
    return {json.loads(a): json.loads(b) for a, b in pairs if a != '""'}


def marked(source):
    """The texts in N_(...), put together where they stand on several lines."""
    parts = re.findall(r'N_\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)', source)
    return {"".join(json.loads(t) for t in re.findall(r'"(?:[^"\\]|\\.)*"', p)) for p in parts}


@pytest.mark.parametrize("lang", ["ja", "zh_CN"])
def test_translations_keep_their_arguments(lang):
    for source, text in entries(lang).items():
        assert text, source
        assert set(re.findall(r"%(\d)\$s", source)) == set(re.findall(r"%(\d)\$s", text)), source


@pytest.mark.parametrize("lang", ["ja", "zh_CN"])
def test_translations_keep_the_conversions_of_printf(lang):
    """What is said of a filter is a format of printf: another order or type would read what is not there."""
    for source, text in entries(lang).items():
        assert re.findall(r"%[-+.*\d]*(?:ll|z)?[a-z]", source) == re.findall(r"%[-+.*\d]*(?:ll|z)?[a-z]", text) or "$s" in source, source


def test_one_is_not_many():
    """Numbers and their nouns agree: no letter is glued to a noun, and what is translated says how many behind its name, or has a
    sentence for one. Only words of protocols are Wireshark's. (Some numbers are never 1: what is told only from two on, and sizes.)"""
    sources = {f: f.read_text() for f in (ROOT / "src").rglob("*.[cd]*") if "proto" not in f.parts}
    assert not [f for f, text in sources.items() if re.search(r'"" : "e?s"', text)]
    texts = set().union(*map(marked, sources.values()))
    large = {"%4$s bytes", "%5$s bytes", "%6$s bytes", "All %1$s packets", "%2$s connections", "%3$s datagrams", "%4$s messages"}
    for text in texts:
        for head in re.findall(r"^.*?\$s (?:packet|connection|message|conversation|datagram|reading|byte)(?=s\b)", text):
            assert any(known in text for known in large) or any(re.match(re.escape(head) + r"\b", one) for one in texts), text


@pytest.mark.parametrize("lang", ["ja", "zh_CN"])
def test_what_is_said_of_a_wrong_filter_is_translated(lang):
    known, source = entries(lang), "".join(f.read_text() for f in (ROOT / "src/expr").glob("*.c") if not f.name.endswith("_test.c"))
    said = re.findall(r'(?:fail\(c, [^"]*|fail_code\(&?c, \w+, |unexpected\(c, )((?:"(?:[^"\\]|\\.)*"\s*)+)', source)
    texts = {"".join(json.loads(t) for t in re.findall(r'"(?:[^"\\]|\\.)*"', p)) for p in said} | marked(source)
    assert len(texts) > 70
    assert not sorted(t for t in texts if t not in known and len(re.findall("[a-z]{2}", t)) > 1)


@pytest.mark.parametrize("lang", ["ja", "zh_CN"])
def test_every_text_of_the_catalogue_is_translated(lang):
    known = entries(lang)
    source = "".join(f.read_text() for f in [*(ROOT / "src/view").rglob("*.c"), *(ROOT / "src/app").rglob("*lesson*.c"), *(ROOT / "src/app/lab").glob("*.c"), *(ROOT / "src/lab").glob("*.c"), *(ROOT / "src/analyse").rglob("*"), ROOT / "src/app/lesson/world.c"] if f.is_file())
    texts = marked(source)
    assert len(texts) > 300
    # What explain takes from the decoders: rules of MQTT that were broken, and why TLS cannot be read.
    rules = re.findall(r'^ANOMALY\(.*?, .*?, ERROR, .*?, ("[^"]*")', (ROOT / "src/proto/mqtt/mqtt.def").read_text(), re.M)
    shut = marked((ROOT / "src/proto/tls/tls_decrypt.c").read_text())
    assert len(rules) > 40 and len(shut) > 15
    assert not sorted(t for t in texts | shut | set(map(json.loads, rules)) if t not in known)


# Words that stay as they are in any language: names of protocols, their packets and fields, programs, options.
TERMS = set("""
    A ACK AES ALPN ARP AUTH AWS Broker CA CID CLIENT CONNACK CONNECT CoAP Connection Core DHCP DHE DISCONNECT DNS DUP Diffie ECDHE ECH EXPORT FORMERR Handling
    ClientHello Hello Hellman ICMP ID IPv IoT LAN Local MAC MQTT MSS MTU NAT NOTAUTH NOTIMP NTP NXDOMAIN No OS PINGREQ PINGRESP PSK PUBACK
    PUBCOMP PUBLISH PUBREC PUBREL QUIC QoS REFUSED RSA RST Retain SERVFAIL SNI SSLKEYLOGFILE SUBACK SUBSCRIBE SYN Scapy TCP TLS
    TTL UDP URL UTF Upgrade VLAN Via WebSocket Weir Will X raw s xx mosquitto nginx ms kbit weir explain mqtt x -v
    ESTABLISHED Enter FIN HTTP HTTPS IP RECEIVED SELECT SENT TIME UNION WAIT close curl door home key lock nc notify openssl pump server
    sudo xc C Content Ctrl Length POST PUT PROXY HAProxy Wireshark UTC chunked http https""".split())


@pytest.mark.parametrize("lang", ["ja", "zh_CN"])
def test_no_english_is_left_in_translations(lang):
    for source, text in entries(lang).items():
        plain = re.sub(r"`[^`]*`|\[[^\]]*\]|%\d\$s|%[-+.*\d]*(?:ll|z)?[a-z]|\\\\[a-z%]|--?[a-z-]+|Sec-WebSocket-Protocol|X-Forwarded-For|U\+0000", " ", text)
        words = set(re.findall(r"[A-Za-z]+", plain)) - TERMS
        assert not words, (words, source, text)
        if re.search("[a-z]{3}", re.sub("|".join(TERMS), "", source)):
            assert re.search("[\u3040-\u30ff\u4e00-\u9fff]", text) or text in ("Retain", "Broker"), source


@pytest.mark.parametrize("lang, word", [("ja", "パケット"), ("zh_CN", "数据包")])
def test_language_by_option_and_by_environment(lang, word):
    if not (Path(WEIR).parent / "po").exists():
        pytest.skip("built without msgfmt")
    assert word in weir("explain", SAMPLE, "--lang", lang).stdout
    assert word in weir("explain", SAMPLE, env={"LC_ALL": f"{lang}.UTF-8"}).stdout
    assert word not in weir("explain", SAMPLE, "--lang", "en", env={"LC_ALL": f"{lang}.UTF-8"}).stdout


def test_forms(tmp_path):
    cap = Capture()
    t = Tcp(cap).open()
    t.c(connect(client='<b>"x"&|'))
    t.s(connack(5))
    t.close()
    path = cap.write(tmp_path / "it's <here>.pcap")
    run = weir("explain", path)
    assert run.returncode == 1 and "not authorized" in run.stdout and "\x1b" not in run.stdout
    # The command that is printed works as typed.
    command = re.search(r"^ *(weir read .*)$", run.stdout, re.M).group(1)
    shown = subprocess.run(command.replace("weir", WEIR, 1), shell=True, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0 and "Connect Ack" in shown.stdout
    out = json.loads(weir("explain", path, "--json").stdout)
    assert out["verdict"]["id"] == "mqtt.refused" and out["verdict"]["frames"]
    assert weir("explain", path, "--md").stdout.startswith("# ")
    svg = weir("explain", path, "--svg").stdout
    shown = ["".join(line.itertext()).rstrip() for line in ElementTree.fromstring(svg) if line.tag.endswith("text")]
    assert set(weir("explain", path).stdout.splitlines()) - {""} <= set(shown) and "\x1b" not in svg
    assert "<b>" not in weir("explain", path, "--md").stdout.replace("\\<b\\>", "")
    svg = weir("ladder", path, "--svg").stdout
    xml.dom.minidom.parseString(svg)
    assert "CONNECT" in svg
    assert "\x1b[" in weir("explain", path, "--color=always").stdout


def test_acknowledgments_leave_the_ladder_room(tmp_path):
    """A ladder has 20,000 arrows: what only acknowledges is counted, but for the third step of a handshake."""
    cap = Capture()
    t = Tcp(cap).open()
    for n in range(20010):
        t.segment(1, ACK, ack=t.seq[0], window=1000 + n)
    t.c(connect("late"))
    path = cap.write(tmp_path / "acks.pcap")
    drawn = weir("ladder", path).stdout
    assert "CONNECT" in drawn and "ACK" in drawn and "acknowledgments not drawn: 20011 " in drawn and "Later" not in drawn, drawn
    assert "CONNECT" in weir("ladder", path, "--svg").stdout
    everything = weir("ladder", "-v", path).stdout
    assert "CONNECT" not in everything and "Later packets not drawn: 15" in everything and "acknowledgments" not in everything


def test_a_picture_says_what_it_leaves_out(tmp_path):
    """Arrows beyond those a document or a screen can hold, those of parties beyond the last column, bare acknowledgments."""
    cap = Capture()
    devices = [session(cap, f"device-{n}", 40000 + n, addr=f"10.0.1.{n + 2}") for n in range(70)]
    for _ in range(4100):
        devices[0].c(publish("a/b"), acked=False)
    path = cap.write(tmp_path / "long.pcap")
    packets = len(cap.records)
    svg = ElementTree.fromstring(weir("ladder", path, "--svg").stdout)
    said = [text for text in ("".join(line.itertext()) for line in svg) if "not drawn" in text]
    drawn = sum(1 for g in svg if g.tag.endswith("}g"))
    numbers = [int(re.search(r": (\d+)", text).group(1)) for text in said]
    assert drawn == 4000 and drawn + sum(numbers) == packets
    assert [text.split(" not drawn")[0] for text in said] == ["Bare acknowledgments", "Packets of other parties", "Later packets"]
    bottom = max(float(line.get("y", 0)) for line in svg)
    assert bottom < float(svg.get("height"))


def test_lines_fit_the_terminal(tmp_path):
    for lang in ("en", "ja", "zh_CN"):
        for line in weir("explain", SAMPLE, "-v", "--lang", lang, env={"COLUMNS": "80"}).stdout.splitlines():
            width = sum(2 if ord(c) >= 0x1100 and not 0x2000 <= ord(c) < 0x2e80 else 1 for c in line)
            assert width <= 82 or "weir read" in line or "tcp.stream" in line or "192.0.2" in line, line


def test_exit_status(tmp_path):
    good = Capture()
    session(good).close()
    assert weir("explain", good.write(tmp_path / "good.pcap")).returncode == 0
    assert weir("explain", tmp_path / "none.pcap").returncode == 2
    assert weir("explain").returncode == 2
    assert weir("diff", tmp_path / "good.pcap").returncode == 2
    assert weir("diff", tmp_path / "good.pcap", tmp_path / "good.pcap").returncode == 0
    bad = weir("explain", tmp_path / "good.pcap", "mqtt.topik == 1")
    assert bad.returncode == 2 and "^" in bad.stderr


def test_filter_limits_findings(tmp_path):
    cap = Capture()
    for n, code in ((0, 5), (1, 4)):
        t = Tcp(cap, client=f"10.0.0.{n + 2}", sport=40000 + n).open()
        t.c(connect(client=f"c{n}"))
        t.s(connack(code))
        t.close()
    path = cap.write(tmp_path / "two.pcap")
    assert {f["tcp.stream"] for f in json.loads(weir("explain", path, "--json").stdout)["findings"] if f["severity"] == "error"} == {0, 1}
    out = json.loads(weir("explain", path, "ip.addr == 10.0.0.3", "--json").stdout)
    assert {f["tcp.stream"] for f in out["findings"] if f["severity"] == "error"} == {1}


def test_nothing_is_said_of_what_a_filter_leaves_out(tmp_path):
    cap = Capture()
    for n, code in ((0, 5), (1, 0)):
        t = Tcp(cap, client=f"10.0.0.{n + 2}", sport=40000 + n).open()
        t.c(connect(client=f"c{n}"))
        t.s(connack(code))
        t.close()
    path = cap.write(tmp_path / "two.pcap")
    fine = weir("explain", path, "tcp.stream == 1").stdout
    assert "conversations: 1/2" in fine and "Other conversations" not in fine and "c0" not in fine
    refused = weir("explain", path, "tcp.stream == 0").stdout
    assert "mqtt.refused" in refused and "Other conversations" not in refused
    nobody = weir("explain", path, "tcp.stream == 9").stdout
    assert "lets no TCP conversation" in nobody and "nothing wrong" not in nobody
    out = json.loads(weir("explain", path, "tcp.stream == 1", "--json").stdout)
    assert out["conversations"] == 1 and [s["tcp.stream"] for s in out["streams"]] == [1]


def test_diff_learns_from_several_good_runs(tmp_path):
    def run(name, keep, extra=False, code=0):
        cap = Capture()
        t = Tcp(cap).open()
        t.c(connect(keep=keep))
        t.s(connack(code))
        if extra:
            t.c(publish("status", b"up", retain=True))
        if not code:
            t.c(publish("a/b"))
        t.close()
        return cap.write(tmp_path / name)

    one, two, three, bad = run("1", 60), run("2", 30, True), run("3", 45, True), run("4", 60, False, 5)
    assert weir("diff", one, three).returncode == 1  # keep-alive differs, and a message more
    assert weir("diff", one, two, three).returncode == 0  # which is what good runs do
    out = weir("diff", one, two, bad, "--json")
    assert out.returncode == 1
    first = json.loads(out.stdout)
    assert first["first"]["good"]["text"].startswith("CONNACK") and "not authorized" in first["text"].lower()
    xml.dom.minidom.parseString(weir("diff", one, bad, "--svg").stdout)


@pytest.mark.skipif(not CORPUS.exists(), reason="needs the corpus")
@pytest.mark.parametrize("name", ["OISF__suricata-verify__mqtt311-pub-qos2_input.pcap", "OISF__suricata-verify__mqtt5-sub-userpass_input.pcap",
                                  "OISF__suricata-verify__mqtt31-unsub-qos1_input.pcap", "zeek__zeek__mqtt.pcap", "arkime__arkime__websocket.pcap",
                                  "Voev__snet__TLS1_3_TLS_AES_128_GCM_SHA256.pcap", "chrissanders__packets__http_post.pcapng",
                                  "chrissanders__packets__dns.pcap", "zeek__zeek__two-binary-fragments.pcap"])
def test_healthy_traffic_has_no_errors(name):
    out = json.loads(weir("explain", CORPUS / name, "--json").stdout)
    assert not [f for f in out["findings"] if f["severity"] == "error"]


def test_the_same_is_said_once(tmp_path):
    """Ten devices with one fault: the verdict stays on the screen."""
    cap = Capture()
    for n in range(10):
        t = Tcp(cap, client=f"10.0.0.{n + 2}", sport=40000 + n).open()
        t.c(connect(client=f"c{n}"))
        t.s(connack(5))
        t.close()
    path = cap.write(tmp_path / "ten.pcap")
    short, full = weir("explain", path).stdout, weir("explain", path, "-v").stdout
    assert short.count("Next:") == 1 and short.count("as above") == 9
    assert full.count("Next:") >= 10 and "as above" not in full


@pytest.mark.parametrize("lang", ["en", "ja", "zh_CN"])
def test_diff_fits_the_terminal(lang, tmp_path):
    runs = []
    for n in range(2):
        cap = Capture()
        t = Tcp(cap, client="192.168.100.102", server="192.168.100.101").open()
        t.c(connect())
        t.s(connack(5 * n))
        t.close()
        runs.append(cap.write(tmp_path / str(n)))
    out = weir("diff", *runs, "--lang", lang, env={"COLUMNS": "80"}).stdout
    assert out.count("sensor-1 192.168.100.102:40000") == 2 and out.count("→ 192.168.100.101:1883 (tcp.stream 0)") == 2
    for line in out.splitlines():
        width = sum(2 if ord(c) >= 0x1100 and not 0x2000 <= ord(c) < 0x2e80 else 1 for c in line)
        assert width <= 82 or "weir read" in line, line


def test_networks_are_told_in_the_readers_language():
    if not (Path(WEIR).parent / "po").exists():
        pytest.skip("built without msgfmt")
    for lang, word in (("ja", "ゲートウェイ"), ("zh_CN", "网关"), ("en", "gateway")):
        out = weir("lab", "net", "list", "--lang", lang, env={"COLUMNS": "80"}).stdout
        assert word in out
        assert all(sum(1 + (ord(c) >= 0x2e80) for c in line) <= 80 for line in out.splitlines())


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_narrow_ladder_has_whom_the_verdict_is_about(tmp_path, columns):
    """However many others there are, and however much they say."""
    cap = Capture()
    for n in range(80):
        t = session(cap, f"talker-{n}", 40000 + n, addr=f"10.0.1.{n}")
        for _ in range(3):
            t.c(publish("a/b"))
    cap.wait(1)
    lost = Tcp(cap, client="10.0.0.77", server="10.0.0.9", port=1884)
    lost.segment(0, SYN)
    lost.segment(1, RST | ACK, ack=1001)
    path = cap.write(tmp_path / "many.pcap")
    assert "10.0.0.9:1884 refused" in weir("explain", path, "--lang", "en").stdout.replace("\n  ", " ")
    picture = weir("ladder", path, "--lang", "en", env={"COLUMNS": str(columns)}).stdout
    assert "10.0.0.9:1884" in picture and "10.0.0.77" in picture and "RST" in picture
    assert max(len(line) for line in picture.splitlines()) <= columns
