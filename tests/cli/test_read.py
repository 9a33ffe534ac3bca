# SPDX-License-Identifier: Apache-2.0
"""weir read: sources, output forms, options; against tshark where it is installed."""
import functools
import gzip
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "corpus"
TSHARK = shutil.which("tshark")
SAMPLES = ["chrissanders__packets__dns.pcap", "OISF__suricata-verify__mqtt5-sub-userpass_input.pcap",
           "chrissanders__packets__ip_frag_source.pcapng", "chrissanders__packets__arp_gratuitous.pcapng"]
SECRET = "OISF__suricata-verify__mqtt311-pub-userpass-auto-clientid_input.pcap"
HIDDEN = "(hidden, --show-secrets shows it)"


def shared(name):
    if not (SHARED / name).exists():
        pytest.skip(f"{name} is not here")
    return str(SHARED / name)


@functools.lru_cache(None)
def tshark(*args):
    if not TSHARK:
        pytest.skip("tshark is not installed")
    run = subprocess.run([TSHARK, "-n", *args], capture_output=True, timeout=60)
    return run.stdout.decode(errors="replace")


def out(weir, *args):
    run = weir("read", "-n", *args)
    assert run.returncode == 0, run.err
    return run.out


def packets(weir, *args):
    return [json.loads(line) for line in out(weir, "-T", "jsonl", *args).splitlines()]


# Sources


def test_gzip_and_zstd_are_read_as_the_plain_file(weir, sample, tmp_path):
    plain = out(weir, "-r", sample)
    (tmp_path / "f.gz").write_bytes(gzip.compress(Path(sample).read_bytes()))
    assert out(weir, "-r", tmp_path / "f.gz") == plain
    if not shutil.which("zstd"):
        pytest.skip("zstd is not installed")
    subprocess.run(["zstd", "-q", sample, "-o", tmp_path / "f.zst"], check=True)
    assert out(weir, "-r", tmp_path / "f.zst") == plain
    with open(tmp_path / "f.zst", "rb") as file:
        assert weir("read", "-n", "-r", "-", stdin=file).out == plain


@pytest.mark.parametrize("form", [[], ["-V"], ["-T", "jsonl"], ["-T", "fields", "-e", "frame.number"]])
def test_a_damaged_file_is_read_up_to_the_damage(weir, sample, tmp_path, form):
    whole = Path(sample).read_bytes()
    (tmp_path / "cut").write_bytes(whole[:len(whole) * 2 // 3 + 1])
    run = weir("read", "-n", *form, "-r", tmp_path / "cut")
    assert run.returncode == 2 and run.out and out(weir, *form, "-r", sample).startswith(run.out)
    assert "cut" in run.err and "byte" in run.err and run.err.count("\n") == 1


def test_json_and_pdml_of_a_damaged_file_are_closed(weir, sample, tmp_path):
    import xml.etree.ElementTree as tree
    (tmp_path / "cut").write_bytes(Path(sample).read_bytes()[:-9])
    run = weir("read", "-r", tmp_path / "cut", "-T", "json")
    assert run.returncode == 2 and json.loads(run.out)
    run = weir("read", "-r", tmp_path / "cut", "-T", "pdml")
    assert run.returncode == 2 and len(tree.fromstring(run.stdout).findall("packet")) > 3


def test_a_damaged_gzip_is_read_up_to_the_damage(weir, sample, tmp_path):
    packed = gzip.compress(Path(sample).read_bytes() * 1)
    (tmp_path / "f.gz").write_bytes(packed[:len(packed) // 2])
    run = weir("read", "-n", "-r", tmp_path / "f.gz")
    assert run.returncode == 2 and run.err.count("\n") == 1
    assert out(weir, "-r", sample).startswith(run.out)


@pytest.mark.parametrize("args,word", [
    ([], "FILE"), (["no-file-of-this-name"], "cannot open"), (["-r", "f", "-i", "lo"], "-i"), (["-r", "f", "-f", "udp"], "-i"),
    (["-i", "lo", "-f", "udp", "tcp"], "one"), (["-i", "lo", "-a", "moons:2"], "duration"), (["-r", "f", "-T", "yaml"], "jsonl"),
    (["-r", "f", "-T", "fields"], "-e"), (["-r", "f", "-t", "x"], "ad"), (["-r", "f", "-d", "tcp.port=1,mqtt"], "=="),
    (["-r", "f", "-d", "tcp.port==1,mqqt"], "mqqt"), (["-r", "f", "-O", "nothing"], "nothing"), (["-r", "f", "-E", "x=y"], "separator"),
])
def test_bad_use_is_one_line(weir, args, word):
    run = weir("read", *args)
    assert run.returncode == 2 and run.err.count("\n") == 1 and word in run.err and not run.out


def test_the_file_may_stand_first(weir, sample):
    """As for explain, ladder, follow and stats."""
    for args in ([], ["mqtt"], ["mqtt.qos", "==", "1"], ["-c", "3"], ["-Y", "mqtt"]):
        assert out(weir, sample, *args) == out(weir, "-r", sample, *args)


def test_an_unknown_field_suggests_the_nearest(weir, sample):
    run = weir("read", "-r", sample, "-T", "fields", "-e", "mqtt.topci")
    assert run.returncode == 2 and "mqtt.topic" in run.err


# Forms


def test_a_count_ends_it(weir, sample):
    assert len(out(weir, "-c", 3, "-r", sample).splitlines()) == 3
    assert len(packets(weir, "-c", 2, "-r", sample)) == 2


def test_fields_obey_their_options(weir, sample):
    def fields(*args):
        return out(weir, "-r", sample, "-T", "fields", "-e", "frame.number", "-e", "tcp.port", *args).splitlines()
    assert fields("-c", 1)[0].split("\t")[0] == "1" and "," in fields("-c", 1)[0]
    assert fields("-E", "header=y")[0] == "frame.number\ttcp.port"
    assert fields("-E", "separator=;")[0].startswith("1;")
    assert fields("-E", "separator=/s")[0].startswith("1 ")
    first, last = fields("-E", "occurrence=f")[0].split("\t")[1], fields("-E", "occurrence=l")[0].split("\t")[1]
    assert fields("-E", "aggregator=/s")[0] == f"1\t{first} {last}"
    assert fields("-E", "quote=d")[0] == f'"1"\t"{first},{last}"'


def test_standard_input_may_be_non_blocking(weir, sample):
    give, take = os.pipe()[::-1]
    os.set_blocking(take, False)
    with subprocess.Popen([weir.path, "read", "-n", "-r", "-"], stdin=take, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        os.close(take)
        with open(sample, "rb") as file, os.fdopen(give, "wb", buffering=0) as pipe:
            for part in iter(lambda: file.read(700), b""):
                pipe.write(part)
                time.sleep(0.001)  # it is faster than what comes
        shown, said = run.communicate(timeout=30)
    assert (run.returncode, said) == (0, b"") and shown.decode() == out(weir, "-r", sample)


def test_pipes_that_close_early_are_no_error(weir, sample):
    for form in "", "-V", "-T pdml", "-T json", "-T jsonl":
        run = subprocess.run(["bash", "-c", f"'{weir.path}' read -r '{sample}' {form} | head -1; exit ${{PIPESTATUS[0]}}"],
                             capture_output=True, timeout=30)
        assert run.stdout.count(b"\n") == 1 and not run.stderr and run.returncode in (0, 141)


def test_jsonl_is_typed_and_flat(weir, sample):
    rows = packets(weir, "-r", sample)
    assert [r["frame.number"] for r in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        assert isinstance(row["frame.len"], int) and isinstance(row["frame.time_relative"], (int, float))
        for value in row.values():
            for one in value if isinstance(value, list) else [value]:
                assert isinstance(one, (bool, int, float, str))
    topics = [t for r in rows for t in ([r["mqtt.topic"]] if isinstance(r.get("mqtt.topic"), str) else r.get("mqtt.topic", []))]
    assert topics == [t for line in out(weir, "-r", sample, "-T", "fields", "-e", "mqtt.topic").splitlines() for t in line.split(",") if t]


def test_jsonl_fields_can_be_chosen(weir, sample):
    assert packets(weir, "-c", 1, "-r", sample, "-e", "frame.number") == [{"frame.number": 1}]


def test_the_schema_holds(weir, sample):
    schema = json.loads(weir("read", "--schema").out)
    known = schema["properties"]
    assert "mqtt.topic" in known and schema["type"] == "object"
    files = [sample] + [str(SHARED / n) for n in SAMPLES if (SHARED / n).exists()]
    rows = [r for f in files for r in packets(weir, "-r", f)]
    assert not {k for r in rows for k in r} - set(known)
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft7Validator({**schema, "$schema": "http://json-schema.org/draft-07/schema#"})
    for row in rows[:200]:
        check.validate(row)


@pytest.mark.parametrize("form", [["-V"], ["-T", "fields", "-e", "mqtt.username", "-e", "mqtt.passwd"], ["-T", "json"], ["-T", "jsonl"]])
def test_secrets_are_shown_only_when_asked(weir, form):
    file = shared(SECRET)
    hidden, shown = out(weir, "-r", file, *form), out(weir, "--show-secrets", "-r", file, *form)
    assert HIDDEN in hidden and HIDDEN not in shown and hidden != shown
    assert hidden.replace(HIDDEN, "pass") == re.sub('"[0-9a-f:]*:70:61:73:73"', '"pass"', shown)


def test_decode_as_forces_a_protocol(weir, sample):
    file = shared("chrissanders__packets__dns.pcap")
    assert " DNS " in out(weir, "-r", file)
    port = out(weir, "-r", file, "-c", 1, "-T", "fields", "-e", "udp.srcport").strip()
    assert " DNS " not in out(weir, "-r", file, "-d", f"udp.port=={port},data", "-c", 1)


def test_some_protocols_in_detail(weir, sample):
    text = out(weir, "-r", sample, "-O", "mqtt")
    assert "\n    Header Flags: " in text and "\n    Source Port" not in text and "\nTransmission Control Protocol" in text


def test_preferences_that_do_not_apply_are_named(weir, sample):
    run = weir("read", "-r", sample, "-o", "gui.window:1", "-c", 1)
    assert run.returncode == 0 and "gui.window" in run.err
    assert not weir("read", "-r", sample, "-o", "tcp.desegment_tcp_streams:TRUE", "-c", 1).err


# Against tshark


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("format", "a ad adoy d dd e r u ud udoy".split())
@pytest.mark.once
def test_times_are_those_of_tshark(weir, name, format):
    file = shared(name)
    cut = [line[:40] for line in tshark("-r", file, "-t", format, "-c", "20").splitlines()]
    assert [line[:40] for line in out(weir, "-r", file, "-t", format, "-c", 20).splitlines()] == cut


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("form", [[], ["-x"], ["-P", "-x"]])
@pytest.mark.once
def test_lines_and_bytes_are_those_of_tshark(weir, name, form):
    file = shared(name)
    assert out(weir, "-r", file, *form) == tshark("-r", file, *form)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("form", [["-V"], ["-V", "-x"], ["-P", "-V"], ["-O", "udp"]])
@pytest.mark.once
def test_the_tree_is_that_of_tshark(weir, name, form):
    file = shared(name)
    assert out(weir, "--show-secrets", "-r", file, *form).splitlines() == tshark("-r", file, *form).splitlines()


def keys(value, path=""):
    if isinstance(value, dict):
        for key, below in value.items():
            yield path + "/" + key
            yield from keys(below, path + "/" + key)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.once
def test_json_has_the_keys_of_tshark(weir, name):
    file = shared(name)
    theirs, ours = json.loads(tshark("-r", file, "-T", "json")), json.loads(out(weir, "-r", file, "-T", "json"))
    assert [set(keys(p["_source"])) for p in ours] == [set(keys(p["_source"])) for p in theirs]


@pytest.mark.parametrize("extra", [[], ["-E", "header=y"], ["-E", "separator=,", "-E", "quote=d"], ["-E", "occurrence=f"],
                                   ["-E", "occurrence=l", "-E", "aggregator=;"]])
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.once
def test_fields_are_those_of_tshark(weir, name, extra):
    args = ["-r", shared(name), "-T", "fields", "-e", "frame.number", "-e", "frame.protocols", "-e", "eth.addr", "-e", "ip.addr",
            "-e", "mqtt.topic", "-e", "dns.a", "-e", "_ws.malformed", *extra]
    assert out(weir, *args) == tshark(*args)


def test_columns_and_expert_items_as_fields(weir, sample):
    fields = ["frame.number", "_ws.col.Protocol", "_ws.col.Info", "_ws.expert.message", "_ws.expert.severity", "_ws.expert.group"]
    out = weir("read", "-r", sample, "-Y", "tcp.flags.syn == 1 && tcp.flags.ack == 0", "-c", "200", "-T", "fields",
               *[a for f in fields for a in ("-e", f)]).out.splitlines()
    number, protocol, info, message, severity, group = out[0].split("\t")
    assert protocol == "TCP" and "[SYN]" in info
    assert message.startswith("Connection establish request (SYN): server port") and (severity, group) == ("2097152", "33554432")
    line = weir("read", "-r", sample, "-Y", f"frame.number == {number}").out
    assert line.rstrip().endswith(info)
    assert weir("read", "-r", sample, "-T", "fields", "-e", "_ws.col.Nothing").returncode == 2


def test_from_and_to(weir, sample):
    every = [float(t) for t in weir("read", "-r", sample, "-T", "fields", "-e", "frame.time_relative").out.split()]
    some = [float(t) for t in weir("read", "-r", sample, "--from", "+1", "--to", "+3", "-T", "fields", "-e", "frame.time_relative").out.split()]
    assert some == [t for t in every if 1 <= t < 3] and 0 < len(some) < len(every)
    assert weir("read", "-r", sample, "--from", "yesterday").returncode == 2


def tcp_capture(segments, port=50000):
    """A capture of segments from a client to port 1883: (sequence number, bytes) each."""
    import struct
    out = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
    for i, (seq, data) in enumerate(segments):
        tcp = struct.pack(">HHIIBBHHH", port, 1883, seq, 1, 0x50, 0x18, 8192, 0, 0) + data
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, 0x0a000001, 0x0a000002) + tcp
        out += struct.pack("<IIII", 1700000000 + i, 0, len(ip), len(ip)) + ip
    return out


def mqtt_publish(topic):
    body = len(topic).to_bytes(2, "big") + topic + b"x"
    return b"\x30" + bytes([len(body)]) + body


@pytest.mark.parametrize("args", [["read"], ["read", "-V"], ["read", "-T", "fields", "-e", "mqtt.topic"], ["read", "-T", "json"],
                                  ["read", "-T", "jsonl"], ["read", "-T", "ek", "-e", "mqtt.topic"], ["read", "-T", "pdml"],
                                  ["read", "--events"], ["stats", "mqtt"], ["explain", "-v"], ["explain", "--json"], ["ladder"],
                                  ["follow", "mqtt", "0"], ["follow", "tcp", "0", "-f", "utf-8"]])
def test_hidden_characters_of_a_packet_reach_no_terminal(weir, tmp_path, args):
    topic = "x\u202egnp.exe\u200b\u2066\ufeff\U000e0041\x1b[2J".encode()
    (tmp_path / "f").write_bytes(tcp_capture([(1, mqtt_publish(topic))]))
    file = [tmp_path / "f"] if args[0] in ("explain", "ladder") else ["-r", tmp_path / "f"]
    text = weir(*args, *file).out
    assert "gnp.exe" in text and not [c for c in text if c in "\u202e\u200b\u2066\ufeff\U000e0041\x1b"]


def http2_headers(*fields):
    block = b"".join(b"\x00" + bytes([len(n)]) + n + bytes([len(v)]) + v for n, v in fields)
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + len(block).to_bytes(3, "big") + b"\x01\x05\0\0\0\x01" + block


LOGIN = "YWRtaW46aHVudGVyMg=="  # admin:hunter2
TELLING = {
    "mqtt": ("hunter2", b"\x10\x1c\0\x04MQTT\x04\xc2\0\x3c\0\0\0\x05admin\0\x07hunter2"),
    "http": (LOGIN, f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {LOGIN}\r\n\r\n".encode()),
    "proxy": (LOGIN, f"GET / HTTP/1.1\r\nHost: a\r\nproxy-authorization:Basic {LOGIN}\r\n\r\n".encode()),
    "blank": (LOGIN, f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization : Basic\r\n {LOGIN}\r\n\r\n".encode()),
    "answer": (LOGIN, f"HTTP/1.1 200 OK\r\nAuthorization: Basic {LOGIN}\r\nContent-Length: 0\r\n\r\n".encode()),
    "trailer": (LOGIN, f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Basic {LOGIN}\r\n\r\n".encode()),
    "cookie": ("s3ss10n", b"GET / HTTP/1.1\r\nHost: a\r\nCookie: lang=en; id=s3ss10n\r\n\r\n"),
    "set-cookie": ("s3ss10n", b"HTTP/1.1 200 OK\r\nSet-Cookie: id=s3ss10n; Path=/\r\nContent-Length: 0\r\n\r\n"),
    "key": ("s3ss10n", b"GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: s3ss10n\r\n\r\n"),
    "token": ("s3ss10n", b"POST / HTTP/1.1\r\nHost: a\r\nx-soracom-AuthToken:s3ss10n\r\n\r\n"),
    "answered token": ("s3ss10n", b"HTTP/1.1 200 OK\r\nX_Session_Secret : s3ss10n\r\nContent-Length: 0\r\n\r\n"),
    "forwarded": (LOGIN, f"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Authorization: Basic {LOGIN}\r\n\r\n".encode()),
    "query": ("s3ss10n", b"GET /v1?a=b&access_token=s3ss10n&c=d HTTP/1.1\r\nHost: a\r\nReferer: http://b/?Key=s3ss10n\r\n\r\n"),
    "sent elsewhere": ("s3ss10n", b"HTTP/1.1 302 Found\r\nLocation: http://b/?X-Amz-Signature=s3ss10n&a=b\r\nContent-Length: 0\r\n\r\n"),
    "form": ("s3ss10n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 27\r\n\r\n"
             b"user=admin&password=s3ss10n"),
    "http2 query": ("s3ss10n", http2_headers((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/v1?token=s3ss10n"))),
    "http2 key": ("s3ss10n", http2_headers((b":method", b"GET"), (b":path", b"/"), (b"x-api-key", b"s3ss10n"))),
    "http2 cookie": ("s3ss10n", http2_headers((b":method", b"GET"), (b":path", b"/"), (b"cookie", b"id=s3ss10n"))),
    "http2": (LOGIN, http2_headers((b":method", b"GET"), (b":path", b"/"), (b"authorization", b"Basic " + LOGIN.encode()))),
}
LINES = [a for n in ("mqtt.passwd", "http.authorization", "http.proxy_authorization", "http.authbasic", "http.request.line", "http.cookie", "http.cookie_pair",
                     "http.set_cookie", "http2.headers.cookie",
                     "http.response.line", "http.unknown_header", "http.chunked_trailer_part", "http2.header", "http2.header.value", "http2.header.unescaped",
                     "http2.headers.authorization", "http.request.uri", "http.request.uri.query", "http.request.uri.query.parameter", "http.request.full_uri",
                     "http.referer", "http.location", "http2.headers.path", "http2.request.full_uri", "urlencoded-form.value") for a in ("-e", n)]
FORMS = [["-V"], *(["-T", form] for form in ("json", "jsonl", "ek")), *(["-T", form, *LINES] for form in ("fields", "json", "jsonl", "ek"))]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "".join(form[:3]))
@pytest.mark.parametrize("what", TELLING)
def test_no_form_tells_a_secret_unasked(weir, tmp_path, what, form):
    secret, data = TELLING[what]
    (tmp_path / "f").write_bytes(tcp_capture([(1, data)]))
    hidden, shown = out(weir, "-r", tmp_path / "f", *form), out(weir, "--show-secrets", "-r", tmp_path / "f", *form)
    assert secret in shown and HIDDEN in hidden and HIDDEN not in shown
    assert secret not in hidden and "hunter2" not in hidden
    raw = secret.encode().hex(":")
    if len(form) == 2 and "http2" not in what:
        assert raw in shown and raw not in hidden


@pytest.mark.parametrize("what", ["query", "http2 query"])
def test_no_line_tells_a_token(weir, tmp_path, what):
    """Neither do other commands; what stands in front of the token is told."""
    (tmp_path / "f").write_bytes(tcp_capture([(1, TELLING[what][1])]))
    assert f"token={HIDDEN}" in out(weir, "-r", tmp_path / "f") and "=s3ss10n" in out(weir, "--show-secrets", "-r", tmp_path / "f")
    for args in (["explain", "--json"], ["explain", "-v"], ["ladder"], ["read", "--events", "-r"]):
        assert "s3ss10n" not in weir(*args, tmp_path / "f").out
    assert "s3ss10n" in out(weir, "-T", "pdml", "-r", tmp_path / "f") and HIDDEN not in out(weir, "-T", "pdml", "-r", tmp_path / "f")
    assert len(out(weir, "-r", tmp_path / "f", "-Y", 'frame contains "token=s3ss10n"').splitlines()) == 1


def test_communities_are_passwords(weir, tmp_path):
    """RFC 3584 5: who knows the name of a community of SNMP may ask, or set."""
    snmp = bytes.fromhex("302602010104") + b"\x07hunter2" + bytes.fromhex("a018020101020100020100300d300b06072b0601020101010500")
    packet = bytes.fromhex("4500" f"{28 + len(snmp):04x}" "00010000401100000a0000010a000002c00000a1" f"{8 + len(snmp):04x}" "0000") + snmp
    (tmp_path / "f").write_bytes(tcp_capture([]) + len(packet).to_bytes(4, "little").join([bytes(8), b"", b""]) + packet)
    assert f"community: {HIDDEN}" in out(weir, "-r", tmp_path / "f", "-V") and "hunter2" in out(weir, "--show-secrets", "-r", tmp_path / "f", "-V")


def test_names_that_only_look_like_secrets(weir, tmp_path):
    names = ["Idempotency-Key", "Sec-WebSocket-Key", "X-RateLimit-Remaining-Tokens", "WWW-Authenticate", "Access-Control-Allow-Credentials", "X-Key", "Keypad"]
    head = "".join(f"{name}: value{i}\r\n" for i, name in enumerate(names))
    (tmp_path / "f").write_bytes(tcp_capture([(1, f"GET / HTTP/1.1\r\nHost: a\r\n{head}X-Api-Key: hunter2\r\n\r\n".encode())]))
    text = out(weir, "-r", tmp_path / "f", "-V")
    assert all(f"{name}: value{i}" in text for i, name in enumerate(names))
    assert f"X-Api-Key: {HIDDEN}" in text and "hunter2" not in text


def test_passwords_of_routers(weir, tmp_path):
    """RFC 2453 4.1, RFC 2338 5.3.6: a password that everybody on the network hears."""
    import struct
    rip = b"\2\2\0\0\xff\xff\0\2" + b"hunter2".ljust(16, b"\0")
    vrrp = b"\x21\1\x64\1\1\1\0\0\xc0\0\2\1" + b"hunter2\0"
    file = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for proto, body in ((17, struct.pack(">HHHH", 520, 520, 8 + len(rip), 0) + rip), (112, vrrp)):
        packet = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(body), 1, 0, 255, proto, 0, 0x0A000001, 0xE0000009) + body
        file += struct.pack("<IIII", 1700000000, 0, len(packet), len(packet)) + packet
    (tmp_path / "f").write_bytes(file)
    for form in (["-V"], ["-T", "fields", "-e", "rip.auth.passwd", "-e", "vrrp.auth_string"]):
        assert "hunter2" not in out(weir, "-r", tmp_path / "f", *form) and out(weir, "-r", tmp_path / "f", *form).count(HIDDEN) == 2
        assert out(weir, "--show-secrets", "-r", tmp_path / "f", *form).count("hunter2") == 2


def conversation(port, *said):
    """A capture of a client (C) and a server (S) that say these in turn; a line of several parts comes in as many segments."""
    import struct
    out, seq = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101), [1, 1]
    pieces = [(side == "S", part) for side, line in said for part in (line if isinstance(line, list) else [line])]
    for i, (side, data) in enumerate(pieces):
        ports, hosts = (50000, port), (0x0a000001, 0x0a000002)
        tcp = struct.pack(">HHIIBBHHH", ports[side], ports[not side], seq[side], seq[not side], 0x50, 0x18, 8192, 0, 0) + data
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, hosts[side], hosts[not side]) + tcp
        out += struct.pack("<IIII", 1700000000 + i, 0, len(ip), len(ip)) + ip
        seq[side] += len(data)
    return out


def basic(text):
    return ("C", f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: {text}\r\n\r\n".encode())


READABLE = {  # what was said at a port, and the rows; those of the last column are wrong in tshark 4.0
    "ftp": (21, [("S", b"220 hi\r\n"), ("C", b"USER alice\r\n"), ("S", b"331 so\r\n"), ("C", b"PASS hunter2\r\n")], ["4 FTP alice Username in packet: 2"], True),
    "pop": (110, [("S", b"+OK\r\n"), ("C", b"USER alice\r\n"), ("S", b"+OK\r\n"), ("C", b"PASS hunter2\r\n")], ["4 POP3 alice Username in packet 2"], True),
    "imap": (143, [("S", b"* OK\r\n"), ("C", b"a LOGIN alice hunter2\r\n"), ("C", b"b LOGIN {5}\r\n")], ["2 IMAP alice"], True),
    "smtp": (25, [("S", b"220 hi\r\n"), ("C", b"EHLO a\r\n"), ("S", b"250 AUTH LOGIN\r\n"), ("C", b"AUTH LOGIN\r\n"), ("S", b"334 VXNlcm5hbWU6\r\n"),
                  ("C", b"YWxpY2U=\r\n"), ("S", b"334 UGFzc3dvcmQ6\r\n"), ("C", b"aHVudGVyMg==\r\n")], ["8 SMTP YWxpY2U= Username in packet 6"], True),
    "http": (80, [basic("Basic YWxpY2U6aHVudGVyMg=="), basic("Digest a"), basic("Bearer a"), basic("Basic bm9ib2R5"), basic("Basic OmE=")],
             ["1 HTTP basic auth alice", "3 HTTP header auth n.a.", "5 HTTP basic auth"], True),
    "two users": (21, [("C", b"PASS x\r\n"), ("C", b"USER a\r\n"), ("C", b"user b\r\n"), ("C", b"pass y\r\n")], ["4 FTP b Username in packet: 3"], False),
    "no user": (110, [("C", b"PASS x\r\n"), ("C", b"USER\r\nPASS y\r\n")], [], False),
    "quotes": (143, [("S", b"* OK\r\n"), ("C", b'a LOGIN "bob \\"x" "pw"\r\n')], ['2 IMAP bob \\"x'], False),
    "name at once": (25, [("C", b"AUTH LOGIN YWxpY2U=\r\n"), ("C", b"aHVudGVyMg==\r\n"), ("C", b"AUTH LOGIN\r\n"), ("C", b"YQ==\r\n"), ("C", b"*\r\n"), ("C", b"QUIT\r\n")],
                     ["2 SMTP YWxpY2U= Username in packet 1"], False),
    "any case": (80, [basic("BASIC YWxpY2U6aHVudGVyMg==")], ["1 HTTP basic auth alice"], False),
}


@pytest.mark.parametrize("what", READABLE)
def test_who_logged_in_where_anybody_could_read_it(weir, tmp_path, what):
    port, said, rows, alike = READABLE[what]
    (tmp_path / "f").write_bytes(conversation(port, *said))
    text = out(weir, "-q", "-z", "credentials", "-r", tmp_path / "f")
    assert [" ".join(line.split()) for line in text.splitlines()[3:-1]] == rows and "hunter2" not in text
    if TSHARK and alike:
        assert text == tshark("-q", "-z", "credentials", "-r", tmp_path / "f")


IMAP = (143, ("S", b"* OK ready\r\n"), ("C", b"a1 SELECT inbox\r\na2 UID COPY 1:2 old\r\n"), ("S", b"* 3 EXISTS\r\na1 OK [READ-WRITE] done\r\n"),
        ("S", b"a2 NO none\r\n+ go on\r\n"), ("C", [b"a3 NO", b"OP"]), ("C", b"\r\na4\r\n"))


def test_replies_of_imap_say_what_they_are_for(weir, tmp_path):
    names = ["imap.request_tag", "imap.request.command", "imap.request.command.uid", "imap.command", "imap.request.folder",
             "imap.response_tag", "imap.response.status", "imap.response.command", "imap.response_to", "imap.time"]
    (tmp_path / "f").write_bytes(conversation(*IMAP))
    args = ["-r", tmp_path / "f", "-Y", "imap", "-T", "fields", *(a for name in names for a in ("-e", name))]
    text = out(weir, *args)
    rows = [line.split("\t") for line in text.splitlines()]
    assert rows[1][:5] == ["a1,a2", "SELECT,COPY", "1", "SELECT,UID", "inbox,old"]
    assert rows[2][5:] == ["a1", "OK", "[READ-WRITE]", "2", "1.000000000"] and rows[3][5:9] == ["a2,+", "NO,go", "none,on", "2"]
    assert rows[-1][:2] == ["a3,a4", "NOOP"]
    if TSHARK:
        assert text == tshark(*args)


LOGINS = {
    "ftp": (21, ("C", b"USER bob\r\n"), ("S", b"331 go on\r\n"), ("C", b"pass hunter2 x\r\n"), ("S", b"230 in\r\n"), ("C", b"ACCT hunter2\r\n"),
            ("C", b"LIST open\r\n")),
    "ftp in pieces": (21, ("C", [b"PASS hun", b"ter2", b"\r\n"]), ("S", b"230 in\r\n"), ("C", b"LIST open\r\n")),
    "pop": (110, ("C", b"USER bob\r\n"), ("S", b"+OK\r\n"), ("C", b"PASS hunter2\r\n"), ("S", b"+OK\r\n"), ("C", b"RETR open\r\n")),
    "pop at once": (110, ("C", b"USER bob\r\nPASS hunter2\r\nLIST open\r\n")),
    "pop sasl": (110, ("C", b"AUTH PLAIN\r\n"), ("S", b"+ \r\n"), ("C", b"hunter2\r\n"), ("S", b"+OK\r\n"), ("C", b"open\r\n")),
    "pop apop": (110, ("C", b"APOP bob hunter2\r\n"), ("S", b"+OK\r\n"), ("C", b"RETR open\r\n")),
    "smtp": (25, ("C", b"AUTH PLAIN hunter2\r\n"), ("S", b"235 in\r\n"), ("C", b"HELP open\r\n")),
    "smtp in turn": (25, ("C", b"AUTH LOGIN\r\n"), ("S", b"334 a\r\n"), ("C", b"hunter2=\r\n"), ("S", b"334 b\r\n"), ("C", b"hunter2==\r\n"),
                     ("S", b"235 in\r\n"), ("C", b"open\r\n")),
    "smtp one way": (25, ("C", b"AUTH LOGIN\r\n"), ("C", b"hunter2=\r\n"), ("C", b"MAIL FROM:<open>\r\n")),
    "imap": (143, ("C", b"a1 login bob hunter2\r\n"), ("S", b"a1 OK in\r\n"), ("C", b"a2 SELECT open\r\n")),
    "imap literals": (143, ("C", b"a1 LOGIN {3}\r\n"), ("S", b"+ go on\r\n"), ("C", b"bob {8}\r\n"), ("S", b"+ go on\r\n"), ("C", b"hun ter2 \r\n"),
                      ("S", b"a1 OK in\r\n"), ("C", b"a2 SELECT open\r\n")),
    "imap sasl": (143, ("C", b"a1 AUTHENTICATE PLAIN\r\n"), ("S", b"+\r\n"), ("C", b"hunter2\r\n"), ("S", b"* CAPABILITY\r\na1 OK in\r\n"),
                  ("C", b"a2 SELECT open\r\n")),
    "irc": (6667, ("C", b"PASS hunter2\r\n"), ("C", b"JOIN open\r\n")),
    "irc in pieces": (6667, ("C", [b":bob PA", b"SS hun", b"ter2\r\n"]), ("C", b"open\r\n")),
    "irc service": (6667, ("C", b"PRIVMSG NickServ :IDENTIFY hunter2\r\n"), ("C", b"PRIVMSG #open :good morning\r\n")),
    "irc service in pieces": (6667, ("C", [b"PRIVMSG nickserv@services", b".net :ident", b"ify bob hun", b"ter2\r\n"]), ("C", b"JOIN open\r\n")),
    "irc service by its name": (6667, ("C", b":bob NS : IDENTIFY hunter2\r\nQUIT open\r\n")),
    "irc account": (6667, ("C", b"PRIVMSG Q@CServe.quakenet.org :AUTH bob hunter2\r\n"), ("C", b"JOIN open\r\n")),
    "telnet": (23, ("S", b"login: "), ("C", b"bob\r\n"), ("S", b"\r\nPassword: "), ("C", b"hunter2\r\0"), ("S", b"\r\n$ "), ("C", b"open\r\0")),
    "telnet by letters": (23, ("S", [b"\xff\xfb\x01Pass", b"word:", b" "]), ("C", b"hun"), ("S", b"***"), ("C", b"ter2"), ("C", b"\r\n"),
                          ("S", b"no\r\nlogin: "), ("C", b"open\r\0")),
    "telnet again": (23, ("S", b"Password: "), ("C", b"no\r\n"), ("S", b"\nno\nmot de passe : "), ("C", b"hunter2"), ("C", b"\n"), ("S", b"\n>"), ("C", b"open\n")),
    "ftp before the blank": (21, ("C", [b"PASS", b" hunter2\r\n"]), ("S", b"230 in\r\n"), ("C", b"LIST open\r\n")),
    "ftp behind the blank": (21, ("C", [b"PASS ", b"hunter2", b"\r", b"\n"]), ("S", b"230 in\r\n"), ("C", b"LIST open\r\n")),
    "ftp in the word": (21, ("C", [b"PA", b"SS hunter2\r\n"]), ("S", b"230 in\r\n"), ("C", b"LIST open\r\n")),
    "ftp far behind": (21, ("C", [b"PASS" + b" " * 90, b" " * 9 + b"hunter2\r\n"]), ("C", b"LIST open\r\n")),
    "ftp tab": (21, ("C", b"PASS\thunter2\r\n"), ("S", b"230 in\r\n"), ("C", b"LIST open\r\n")),
    "ftp leading blank": (21, ("C", b" \tPASS hunter2\r\n"), ("S", b"230 in\r\n"), ("C", b"LIST open\r\n")),
    "pop in pieces": (110, ("C", [b"PASS", b" hunter2\r\n"]), ("S", b"+OK\r\n"), ("C", b"RETR open\r\n")),
    "pop tab": (110, ("C", b"PASS\thunter2\r\n"), ("S", b"+OK\r\n"), ("C", b"RETR open\r\n")),
    "pop sasl in pieces": (110, ("C", [b"AUTH", b" PLAIN\r\n"]), ("S", b"+ \r\n"), ("C", b"hunter2\r\n"), ("S", b"+OK\r\n"), ("C", b"open\r\n")),
    "pop sasl behind": (110, ("C", b"CAPA\r\nAUTH PLAIN\r\n"), ("S", b"+OK\r\nSASL PLAIN\r\n.\r\n"), ("S", b"+ \r\n"), ("C", b"hunter2\r\n"),
                        ("S", b"+OK\r\n"), ("C", b"open\r\n")),
    "pop sasl behind at once": (110, ("C", b"CAPA\r\nAUTH PLAIN\r\n"), ("S", b"+OK\r\nSASL PLAIN\r\n.\r\n+ \r\n"), ("C", b"hunter2\r\n"),
                                ("S", b"+OK\r\n"), ("C", b"open\r\n")),
    "pop mail with a plus": (110, ("C", b"PASS hunter2\r\n"), ("S", b"+OK\r\n"), ("C", b"RETR 1\r\n"), ("S", b"+OK\r\n+\r\n+ a\r\n"),
                             ("S", b"+\r\n.\r\n"), ("C", b"open\r\n")),
    "smtp behind": (25, ("C", b"RSET\r\nAUTH LOGIN\r\n"), ("S", b"250 ok\r\n"), ("S", b"334 a\r\n"), ("C", b"hunter2\r\n"), ("S", b"235 in\r\n"),
                    ("C", b"open\r\n")),
    "smtp midway": (25, ("S", b"334 a\r\n"), ("C", b"hunter2\r\n"), ("S", b"235 in\r\n"), ("C", b"open\r\n")),
    "imap in pieces": (143, ("C", [b"a1", b" LOG", b"IN", b" bob hunter2\r\n"]), ("S", b"a1 OK in\r\n"), ("C", b"a2 SELECT open\r\n")),
    "imap literal in pieces": (143, ("C", [b"a1 LOGIN bob {7}", b"\r\n"]), ("S", b"+\r\n"), ("C", b"hunter2\r\n"), ("S", b"a1 OK in\r\n"),
                               ("C", b"a2 SELECT open\r\n")),
    "imap sasl behind": (143, ("C", b"a1 CAPABILITY\r\na2 AUTHENTICATE PLAIN\r\n"), ("S", b"* CAPABILITY X\r\na1 OK done\r\n"), ("S", b"+ \r\n"),
                         ("C", b"hunter2\r\n"), ("S", b"a2 OK in\r\n"), ("C", b"open\r\n")),
    "imap literal behind": (143, ("C", b"a1 CAPABILITY\r\na2 LOGIN bob {7}\r\n"), ("S", b"a1 OK done\r\n+ go\r\n"), ("C", b"hunter2\r\n"),
                            ("S", b"a2 OK in\r\n"), ("C", b"a3 SELECT open\r\n")),
}
PARTS = [a for n in ("_ws.col.Info", "ftp.request.command", "ftp.request.arg", "pop.request", "pop.request.command", "pop.request.parameter",
                     "pop.request.data", "smtp.command_line", "smtp.req.command", "smtp.req.parameter", "imap.line", "imap.request", "imap.request_tag", "imap.request.command", "imap.request.username",
                     "imap.request.password", "imap.request.folder", "irc.request", "irc.request.command", "telnet.data") for a in ("-e", n)]


@pytest.mark.parametrize("form", [[], ["-V"], ["-T", "json"], ["-T", "jsonl"], ["-T", "ek"], ["-T", "fields", *PARTS]], ids=lambda form: "".join(form[:3]))
@pytest.mark.parametrize("what", LOGINS)
def test_no_form_tells_a_login_unasked(weir, tmp_path, what, form):
    (tmp_path / "f").write_bytes(conversation(*LOGINS[what]))
    hidden, shown = out(weir, "-r", tmp_path / "f", *form), out(weir, "--show-secrets", "-r", tmp_path / "f", *form)
    # IRC's summary has no more than the commands, Telnet's less; of POP's bytes alone JSON tells nothing.
    tells = not (what.startswith(("irc", "telnet")) and not form) and not (what == "pop at once" and form != ["-V"])
    for part in ("hunter2", "hun ter2", "ter2"):
        assert part not in hidden, hidden
    assert ("ter2" in shown and HIDDEN in hidden) or not tells
    assert HIDDEN not in shown and ("open" in hidden or not tells)


def test_documents_escape_a_character_wherever_it_stands(weir, tmp_path):
    import xml.etree.ElementTree as tree
    topics = ["a" * at + c + "b" * 12 for c in "&<>\"'\\é" for at in range(18)]
    messages = [mqtt_publish(topic.encode()) for topic in topics]
    (tmp_path / "f").write_bytes(tcp_capture([(1 + sum(map(len, messages[:i])), m) for i, m in enumerate(messages)]))
    found = tree.fromstring(out(weir, "-r", tmp_path / "f", "-T", "pdml")).findall(".//field[@name='mqtt.topic']")
    assert [(f.get("show"), f.get("showname")) for f in found] == [(topic, "Topic: " + topic) for topic in topics]
    whole = json.loads(out(weir, "-r", tmp_path / "f", "-T", "json"))
    assert [packet["_source"]["layers"]["mqtt"]["mqtt.topic"] for packet in whole] == topics


def test_chosen_fields_and_columns_as_json(weir, sample):
    names = ["frame.number", "ip.addr", "_ws.col.Info", "mqtt.topic", "ip.addr"]
    args = [a for name in names for a in ("-e", name)]
    plain = [line.split("\t") for line in out(weir, "-r", sample, "-T", "fields", *args, "-E", "aggregator=;").splitlines()]
    packets = json.loads(out(weir, "-r", sample, "-T", "json", *args))
    lines = out(weir, "-r", sample, "-T", "ek", *args).splitlines()
    flat = [json.loads(line) for line in out(weir, "-r", sample, "-T", "jsonl", *args).splitlines()]
    assert len(packets) == len(plain) == len(flat) == len(lines) / 2 > 5
    for packet, row, ek, typed in zip(packets, plain, lines[1::2], flat):
        layers = packet["_source"]["layers"]
        assert [";".join(layers.get(name, [])) for name in names] == row
        assert json.loads(ek)["layers"] == {name.replace(".", "_"): value for name, value in layers.items()}
        assert typed["frame.number"] == int(row[0]) and typed["_ws.col.Info"] == row[2]
    whole = out(weir, "-r", sample, "-T", "ek", "-Y", "mqtt.topic").splitlines()
    assert "index" in json.loads(whole[0])
    layers = json.loads(whole[1])["layers"]
    assert list(layers)[-1] == "mqtt" and layers["tcp"]["tcp_tcp_port"][1].isdigit() and layers["tcp"]["tcp_tcp_flags_ack"] is True


def test_segments_that_overlap_are_told_and_the_first_bytes_win(weir, tmp_path):
    message = mqtt_publish(b"overlapping/segments/of/a/topic")
    fields = ["tcp.segment", "tcp.segment.overlap", "tcp.segment.overlap.conflict", "tcp.segment.error", "mqtt.topic"]
    args = [a for field in fields for a in ("-e", field)]
    file = tmp_path / "f"
    file.write_bytes(tcp_capture([(1, message[:10]), (6, message[5:])]))
    assert out(weir, "-r", file, "-T", "fields", *args, "-Y", "tcp.segments").split("\t")[:4] == ["1,2", "1", "", ""]
    file.write_bytes(tcp_capture([(1, message[:10]), (6, b"#####" + message[10:])]))
    row = out(weir, "-r", file, "-T", "fields", *args, "-Y", "tcp.segments").strip().split("\t")
    assert row == ["1", "1", "1", "2", "overlapping/segments/of/a/topic"]
    file.write_bytes(tcp_capture([(1, message[:10]), (11, message[10:20]), (13, b"##"), (21, message[20:])]))  # repeated otherwise
    row = out(weir, "-r", file, "-T", "fields", *args, "-Y", "tcp.segments").strip().split("\t")
    assert row == ["1,2,4", "1", "1", "3", "overlapping/segments/of/a/topic"]
    file.write_bytes(tcp_capture([(1, message[:10]), (11, message[10:])]))
    assert out(weir, "-r", file, "-Y", "tcp.segment.overlap or tcp.segment.error or tcp.segment.multipletails") == ""


def test_colours_only_where_asked_for_or_on_a_terminal(weir, sample, tmp_path):
    plain = out(weir, "-r", sample)
    assert "\x1b" not in plain and "\x1b" not in out(weir, "-r", sample, "--color=never")
    coloured = out(weir, "-r", sample, "--color")
    assert "\x1b[90m" in coloured  # bare acknowledgments
    assert re.sub("\x1b\\[[0-9]*m", "", coloured) == plain
    reset = tmp_path / "reset.pcapng"
    weir("craft", "-q", "-w", reset, 'IP(src="10.0.0.1",dst="10.0.0.2")/TCP(flags="R")')
    assert out(weir, "-r", reset, "--color=always").startswith("\x1b[33m")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("command, words", [(["read", "-i", "lo"], "behind -Y"), (["capture", "-i", "lo", "-w", "x.pcapng"], "when you read")])
def test_a_display_filter_in_the_place_of_a_capture_filter(weir, command, words, tmp_path):
    run = weir(*command, "tcp.srcport == 50000 or mqtt", cwd=tmp_path)
    assert run.returncode == 2 and "display filter" in run.err and words in run.err and run.err.count("\n") == 1
    assert "display filter" not in weir(*command, "prt 5", cwd=tmp_path).err
