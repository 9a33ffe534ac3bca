# SPDX-License-Identifier: Apache-2.0
"""The stories this program was written for, played by real programs: one command gives the right verdict."""
import json
import signal
import subprocess
import time

import pytest

from lab import SERVER, WEIR, Lab, missing
from made import Capture
from test_lab import certificates

pytestmark = pytest.mark.skipif(bool(missing("ss")), reason=missing("ss") or "")
PYTHON = "/usr/bin/python3"

SERVICE = """
import socket
s = socket.create_server(("0.0.0.0", 8514))
while True:
    c, _ = s.accept()
    while (data := c.recv(1000)):
        c.send(b"201")
    c.close()
"""

LIKE_NC = """
import socket
s = socket.create_connection(("%s", 8514))
s.send(b"hoge")
s.recv(100)
s.close()
""" % SERVER

BY_HAND = """
from scapy.all import IP, TCP, conf, sr1, send
conf.verb = 0
ip = IP(dst="%s")
a = sr1(ip / TCP(sport=45678, dport=8514, flags="S", seq=100), timeout=30)
send(ip / TCP(sport=45678, dport=8514, flags="A", seq=101, ack=a.seq + 1))
send(ip / TCP(sport=45678, dport=8514, flags="PA", seq=101, ack=a.seq + 1) / b"hoge")
""" % SERVER


@pytest.fixture
def lab(tmp_path):
    with Lab(tmp_path) as made:
        yield made


def verdict(lab, path, *options):
    run = lab.explain(path, "--json", *options)
    assert run.returncode in (0, 1), run.stderr
    return json.loads(run.stdout)


def has_scapy():
    return subprocess.run([PYTHON, "-c", "import scapy.all"], capture_output=True).returncode == 0


@pytest.mark.skipif(not has_scapy(), reason="needs scapy")
def test_handshake_by_hand_is_reset_by_its_own_kernel(lab):
    """C: a handshake made with Scapy; the kernel does not know the socket and resets. Compared with a run that works, the RST in
    place of the ACK is the first difference."""
    lab.start("server", PYTHON, "-c", SERVICE)
    lab.wait_for_port("server", 8514)
    with lab.capture() as good:
        lab.inside("device", PYTHON, "-c", LIKE_NC)
    with lab.capture() as bad:
        lab.inside("device", PYTHON, "-c", BY_HAND, check=False)
    out = verdict(lab, bad.path)["verdict"]
    assert out["id"] == "tcp.handshake-reset-by-client"
    assert "iptables" in out["next"] and SERVER in out["next"]
    assert verdict(lab, good.path)["fine"]

    run = subprocess.run([WEIR, "diff", good.path, bad.path, "--json", "--lang", "en"], capture_output=True, timeout=60)
    assert run.returncode == 1
    diff = json.loads(run.stdout)
    assert diff["first"]["good"]["text"] == "ACK"
    assert "RST" in diff["text"] and diff["explain"]["id"] == "tcp.handshake-reset-by-client"
    same = subprocess.run([WEIR, "diff", good.path, good.path], capture_output=True, timeout=60)
    assert same.returncode == 0


@pytest.mark.skipif(bool(missing("dnsmasq")), reason="needs dnsmasq")
def test_did_the_data_reach_the_platform(lab):
    """C: the console counts traffic, but it is only DNS: the program never tried to connect."""
    lab.start("server", "dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", f"--address=/harvest.example/{SERVER}", "--user=root")
    lab.wait_for_port("server", 53)
    cap = Capture()
    cap.dns("10.0.0.1", "10.0.0.2", "harvest.example")
    question = cap.records[0][16 + 28 :].hex()
    ask = f"import socket\ns=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(60)\ns.sendto(bytes.fromhex('{question}'), ('{SERVER}', 53))\nprint(s.recv(500))"
    with lab.capture() as c:
        lab.inside("device", PYTHON, "-c", ask)
        time.sleep(1.5)
    out = verdict(lab, c.path)
    assert out["verdict"]["id"] == "tcp.no-attempt"
    assert "harvest.example" in out["verdict"]["text"]


NGINX = """
user root; worker_processes 1; pid {where}/nginx.pid; error_log {where}/error.log; daemon off;
events {{ worker_connections 64; }}
http {{ access_log off;
 server {{ listen 443 ssl; ssl_certificate {where}/server.pem; ssl_certificate_key {where}/server.key; ssl_protocols TLSv1.2;
  location / {{ proxy_pass http://127.0.0.1:8080; proxy_set_header X-Forwarded-For $remote_addr; }} }} }}
"""
BACKEND = "import http.server\nclass H(http.server.BaseHTTPRequestHandler):\n def do_GET(s):\n  s.send_response(200); s.send_header('Content-Length','2'); s.end_headers(); s.wfile.write(b'ok')\nhttp.server.HTTPServer(('127.0.0.1',8080),H).serve_forever()"


@pytest.mark.skipif(bool(missing("nginx", "curl")), reason=missing("nginx", "curl") or "")
def test_https_through_a_reverse_proxy(lab, tmp_path):
    """D: TLS ends at a proxy; captured on the proxy's machine both legs are seen. With the backend down the verdict names it."""
    certificates(tmp_path)
    (tmp_path / "nginx.conf").write_text(NGINX.format(where=tmp_path))
    lab.start("server", "nginx", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path))
    lab.wait_for_port("server", 443)
    curl = ["curl", "-s", "-m", "50", "--cacert", str(tmp_path / "ca.pem"), f"https://{SERVER}/status"]
    with lab.capture("server", "any") as down:
        lab.inside("device", *curl, check=False)
    out = verdict(lab, down.path)
    assert out["verdict"]["id"] == "tcp.refused" and "127.0.0.1:8080" in out["verdict"]["text"]

    lab.start("server", PYTHON, "-c", BACKEND)
    lab.wait_for_port("server", 8080)
    with lab.capture("server", "any") as up:
        lab.inside("device", *curl)
    out = verdict(lab, up.path)
    assert out["fine"], out["verdict"]
    notes = {f["id"]: f["text"] for f in out["findings"]}
    assert "http.proxy" in notes
    assert "Diffie-Hellman" in notes["tls.readable"]


@pytest.mark.skipif(bool(missing("mosquitto", "mosquitto_pub", "mosquitto_sub")), reason="needs mosquitto")
def test_publisher_subscriber_and_broker_on_one_loopback(lab):
    """A: all three are 127.0.0.1; the roles are named, and the filter that misses by a letter's case is found."""
    lab.mosquitto("allow_anonymous true", name="device")
    with lab.capture("device", "lo") as c:
        sub = lab.start("device", "mosquitto_sub", "-h", "127.0.0.1", "-i", "watcher", "-t", "Topic/001")
        lab.wait_for_subscribers(1)
        lab.inside("device", "mosquitto_pub", "-h", "127.0.0.1", "-i", "writer", "-t", "topic/001", "-q", "1", "-m", "hello!")
        time.sleep(1.5)
        sub.send_signal(signal.SIGINT)
        sub.wait(60)
    out = verdict(lab, c.path)
    assert out["verdict"]["id"] == "leg.topic-unmatched"
    assert "Topic/001" in out["verdict"]["text"] and "the case differs" in out["verdict"]["text"]
    roles = {(r["role"], r.get("client_id"), r.get("topic")) for r in out["roles"]}
    assert roles == {("broker", None, None), ("publisher", "writer", "topic/001"), ("subscriber", "watcher", "Topic/001")}
    ladder = subprocess.run([WEIR, "ladder", str(c.path), "--lang", "en"], capture_output=True, text=True, timeout=60).stdout
    assert "broker" in ladder and "writer" in ladder and "PUBLISH topic/001" in ladder

    with lab.capture("device", "lo") as good:
        sub = lab.start("device", "mosquitto_sub", "-h", "127.0.0.1", "-i", "watcher", "-t", "topic/001", "-C", "1")
        lab.wait_for_subscribers(2)
        lab.inside("device", "mosquitto_pub", "-h", "127.0.0.1", "-i", "writer", "-t", "topic/001", "-q", "1", "-m", "hello!")
        sub.wait(60)
    out = verdict(lab, good.path)
    assert out["fine"] and "topic/001" in out["verdict"]["text"]
    diff = subprocess.run([WEIR, "diff", str(good.path), str(c.path), "--lang", "en"], capture_output=True, text=True, timeout=60)
    assert diff.returncode == 1 and "`topic/001`" in diff.stdout and "`Topic/001`" in diff.stdout
