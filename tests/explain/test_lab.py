# SPDX-License-Identifier: Apache-2.0
"""Real programs that fail in the ways they do, in network namespaces, and what `weir explain` says of it."""
import json
import signal
import subprocess
import time

import pytest

from lab import DEVICE, SERVER, Lab, missing

why = missing("mosquitto", "mosquitto_pub", "mosquitto_sub", "ss")
pytestmark = pytest.mark.skipif(bool(why), reason=why or "")
PUB, SUB = ["mosquitto_pub", "-h", SERVER], ["mosquitto_sub", "-h", SERVER]


@pytest.fixture
def lab(tmp_path):
    with Lab(tmp_path) as made:
        yield made


def verdict(lab, capture):
    run = lab.explain(capture.path, "--json")
    assert run.returncode in (0, 1), run.stderr
    return json.loads(run.stdout)


def ids(out, *levels):
    return {f["id"] for f in out["findings"] if f["severity"] in (levels or ("error", "warning"))}


def openssl(where, *args):
    subprocess.run(["openssl", *args], cwd=where, check=True, capture_output=True)


def certificates(where):
    """Two authorities; the first one's server certificate."""
    for ca in ("ca", "other"):
        openssl(where, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{ca}.key",
                "-out", f"{ca}.pem", "-subj", f"/CN={ca}", "-days", "2")
    openssl(where, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key", "-out", "server.csr",
            "-subj", "/CN=broker")
    (where / "ext").write_text(f"subjectAltName=IP:{SERVER}\n")
    openssl(where, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext",
            "-out", "server.pem")
    for f in where.iterdir():
        f.chmod(0o644)
    where.chmod(0o755)


def tls_lines(where, *more):
    return ("listener 8883", "allow_anonymous true", f"cafile {where}/ca.pem", f"certfile {where}/server.pem", f"keyfile {where}/server.key", *more)


def test_wrong_password(lab, tmp_path):
    tmp_path.chmod(0o755)
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(tmp_path / "users"), "device", "right"], check=True)
    (tmp_path / "users").chmod(0o644)
    lab.mosquitto(f"password_file {tmp_path}/users")
    with lab.capture() as bad:
        lab.inside("device", *PUB, "-u", "device", "-P", "wrong", "-t", "a", "-m", "x", check=False)
    with lab.capture() as good:
        lab.inside("device", *PUB, "-u", "device", "-P", "right", "-t", "a", "-m", "x")
    out = verdict(lab, bad)
    assert out["verdict"]["id"] == "mqtt.refused" and "not authorized" in out["verdict"]["text"]
    assert verdict(lab, good)["fine"]


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_wrong_authority(lab, tmp_path, version):
    certificates(tmp_path)
    lab.mosquitto(*tls_lines(tmp_path), port=8883)
    with lab.capture() as bad:
        lab.inside("device", *PUB, "-p", "8883", "--cafile", str(tmp_path / "other.pem"), "--tls-version", version, "-t", "a", "-m", "x", check=False)
    with lab.capture() as good:
        lab.inside("device", *PUB, "-p", "8883", "--cafile", str(tmp_path / "ca.pem"), "--tls-version", version, "-t", "a", "-m", "x")
    assert verdict(lab, bad)["verdict"]["id"] == "tls.unknown-ca"
    out = verdict(lab, good)
    assert out["fine"], out["verdict"]
    assert "tls.readable" in ids(out, "note")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_client_certificate_missing(lab, tmp_path, version):
    certificates(tmp_path)
    lab.mosquitto(*tls_lines(tmp_path, "require_certificate true"), port=8883)
    with lab.capture() as bad:
        lab.inside("device", "openssl", "s_client", "-connect", f"{SERVER}:8883", version, "-CAfile", str(tmp_path / "ca.pem"), "-ign_eof",
                   check=False, stdin=subprocess.DEVNULL)
    out = verdict(lab, bad)
    assert out["verdict"]["id"] == "tls.client-certificate"
    assert out["verdict"]["confidence"] == "likely"  # the alert is a general one (1.2) or encrypted (1.3)


def test_clear_and_encrypted_at_the_wrong_port(lab, tmp_path):
    certificates(tmp_path)
    lab.mosquitto(*tls_lines(tmp_path), "listener 8884", *tls_lines(tmp_path)[2:], "listener 1883", port=8884)
    with lab.capture() as plain:
        lab.inside("device", *PUB, "-p", "8884", "-t", "a", "-m", "x", check=False)
    with lab.capture() as encrypted:
        lab.inside("device", *PUB, "-p", "1883", "--cafile", str(tmp_path / "ca.pem"), "-t", "a", "-m", "x", check=False)
    out = verdict(lab, plain)["verdict"]  # this broker just resets the connection; others answer with an alert
    assert out["id"] == "tls.mqtt-in-clear" or (out["id"] == "mqtt.no-connack" and "TLS" in out["next"])
    assert verdict(lab, encrypted)["verdict"]["id"] == "tls.to-plain-port"


def test_client_id_twice(lab):
    lab.mosquitto("allow_anonymous true")
    with lab.capture() as c:
        first = lab.start("device", *SUB, "-i", "sensor-1", "-t", "a")
        lab.wait_for_subscribers(1)
        second = lab.start("device", *SUB, "-i", "sensor-1", "-t", "a")
        lab.wait_for_broker("already connected")
        lab.wait_for_subscribers(2)
        for p in (first, second):
            p.kill()
    out = verdict(lab, c)
    assert out["verdict"]["id"] == "mqtt.client-id-twice" and "sensor-1" in out["verdict"]["text"]


def test_refused_dropped_rejected(lab):
    with lab.capture() as refused:
        lab.inside("device", *PUB, "-t", "a", "-m", "x", check=False)
    assert verdict(lab, refused)["verdict"]["id"] == "tcp.refused"


@pytest.mark.skipif(bool(missing("nft")), reason="needs nft")
class TestFirewall:
    def rules(self, lab, *rules):
        text = "table inet t { chain f { type filter hook forward priority 0;\n" + "\n".join(rules) + "\n}\n}\n"
        lab.inside("router", "nft", "-f", "-", input=text.encode())

    def test_dropped(self, lab):
        self.rules(lab, "tcp dport 1883 drop")
        with lab.capture() as c:
            lab.inside("device", "timeout", "4", *PUB, "-t", "a", "-m", "x", check=False)
        assert verdict(lab, c)["verdict"]["id"] == "tcp.no-answer"

    def test_rejected(self, lab):
        self.rules(lab, "tcp dport 1883 reject with icmpx admin-prohibited")
        with lab.capture() as c:
            lab.inside("device", "timeout", "4", *PUB, "-t", "a", "-m", "x", check=False)
        out = verdict(lab, c)
        assert out["verdict"]["id"] == "tcp.unreachable" and "prohibited" in out["verdict"]["text"]

    def test_large_packets_do_not_pass(self, lab, tmp_path):
        lab.mosquitto("allow_anonymous true")
        self.rules(lab, f"ip saddr {DEVICE} meta length > 1000 drop")
        (tmp_path / "big").write_bytes(b"x" * 6000)
        with lab.capture() as c:
            lab.inside("device", "timeout", "6", *PUB, "-t", "a", "-q", "1", "-f", str(tmp_path / "big"), check=False)
        assert verdict(lab, c)["verdict"]["id"] == "tcp.mtu"

    def test_answers_dropped(self, lab):
        lab.mosquitto("allow_anonymous true")
        self.rules(lab, "tcp flags & (syn | ack) == ack drop")
        with lab.capture("server") as c:
            lab.inside("device", "timeout", "5", *PUB, "-t", "a", "-m", "x", check=False)
            time.sleep(3)
        assert "tcp.handshake-ack-lost" in ids(verdict(lab, c))


@pytest.mark.skipif(bool(missing("nft", "conntrack", "python3")), reason="needs nft and conntrack")
def test_nat_forgets(lab):
    """The router translates addresses, forgets the connection while it is idle, and resets what it does not know."""
    lab.mosquitto("allow_anonymous true")
    lab.inside("router", "nft", "-f", "-", input=(
        "table ip n {\nchain post {\ntype nat hook postrouting priority 100\noifname \"broker\" masquerade\n}\n"
        "chain f {\ntype filter hook forward priority 0\ntcp flags & syn != syn ct state new reject with tcp reset\n}\n}\n").encode())
    with lab.capture() as c:
        p = lab.start("device", *SUB, "-i", "sleepy", "-t", "a", "-k", "25")
        lab.wait_for_subscribers(1)
        time.sleep(1)  # the last acknowledgment may take a fifth of a second
        lab.inside("router", "conntrack", "-F")
        lab.wait_for_subscribers(2)  # it was reset when it spoke again, and came back
        p.kill()
    out = verdict(lab, c)
    assert "tcp.idle-reset" in ids(out), out["verdict"]
    assert "25 s" in next(f["text"] for f in out["findings"] if f["id"] == "tcp.idle-reset")


@pytest.mark.skipif(bool(missing("nft")), reason="needs nft")
def test_loss(lab):
    """Every seventh packet to the server is lost: tc's netem is not in every kernel, and chance might lose too little."""
    lab.mosquitto("allow_anonymous true")
    lab.inside("router", "nft", "-f", "-", input=(
        f"table ip l {{\nchain f {{\ntype filter hook forward priority 0\nip saddr {DEVICE} numgen inc mod 7 == 6 drop\n}}\n}}\n").encode())
    with lab.capture() as c:
        slow = f"i=0; while [ $i -lt 250 ]; do echo $i; i=$((i+1)); sleep 0.03; done | {' '.join(PUB)} -t a -q 1 -l"
        lab.inside("device", "timeout", "100", "sh", "-c", slow, check=False)
    assert "tcp.loss" in ids(verdict(lab, c))


def raw_client(lab, code, **kw):
    return lab.inside("device", "/usr/bin/python3", "-c", code, check=False, **kw)


CONNECT_2S = "import socket,time\ns=socket.create_connection(('%s',1883))\ns.send(bytes.fromhex('101100044d5154540402%04x000573696c6e74'))\n"


def test_silent_longer_than_keep_alive(lab):
    lab.mosquitto("allow_anonymous true")
    with lab.capture() as c:
        raw_client(lab, CONNECT_2S % (SERVER, 2) + "s.settimeout(60)\nwhile s.recv(100): pass\n")
    assert verdict(lab, c)["verdict"]["id"] == "mqtt.keep-alive"


def test_will(lab):
    lab.mosquitto("allow_anonymous true")
    with lab.capture() as c:
        watch = lab.start("device", *SUB, "-i", "watch", "-t", "status/#")
        lab.wait_for_subscribers(1)
        p = lab.start("device", *SUB, "-i", "pump", "-t", "x", "--will-topic", "status/pump", "--will-payload", "gone")
        lab.wait_for_subscribers(2)
        p.kill()
        lab.wait_for_broker("Sending PUBLISH to watch")
        watch.send_signal(signal.SIGINT)
        watch.wait(60)
    assert "mqtt.will-sent" in ids(verdict(lab, c))


def test_not_allowed_to_subscribe_and_publish(lab, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "acl").write_text("topic readwrite open/#\n")
    (tmp_path / "acl").chmod(0o644)
    lab.mosquitto("allow_anonymous true", f"acl_file {tmp_path}/acl")
    with lab.capture() as c:
        lab.inside("device", "timeout", "2", *PUB, "-V", "5", "-q", "1", "-t", "secret/x", "-m", "x", check=False)
    assert verdict(lab, c)["verdict"]["id"] == "mqtt.publish-refused"


def test_nobody_subscribes(lab):
    lab.mosquitto("allow_anonymous true")
    with lab.capture() as c:
        lab.inside("device", *PUB, "-V", "5", "-q", "1", "-t", "nobody/x", "-m", "x")
    assert verdict(lab, c)["verdict"]["id"] == "mqtt.no-subscribers"


def test_websocket_without_subprotocol(lab):
    try:
        lab.mosquitto("listener 9001", "protocol websockets", "allow_anonymous true", port=9001)
    except AssertionError:
        pytest.skip("this mosquitto does not serve WebSocket here")
    hello = "GET /mqtt HTTP/1.1\\r\\nHost: b\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\\r\\nSec-WebSocket-Version: 13\\r\\n%s\\r\\n"
    code = "import socket\ns=socket.create_connection(('%s',9001))\ns.send(b'%s')\ns.settimeout(2)\nprint(s.recv(1000))\n"
    with lab.capture() as bad:
        raw_client(lab, code % (SERVER, hello % ""))
    with lab.capture() as good:
        raw_client(lab, code % (SERVER, hello % "Sec-WebSocket-Protocol: mqtt\\r\\n"))
    assert ids(verdict(lab, bad)) & {"websocket.subprotocol", "websocket.refused"}
    assert verdict(lab, good)["fine"]
