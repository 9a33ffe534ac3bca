# SPDX-License-Identifier: Apache-2.0
"""Devices that fail as they do in the field, played by real programs in namespaces: the first lines name the cause."""
import subprocess
import time

import pytest

from lab import SERVER, missing
from test_lab import PUB, SUB, certificates, ids, lab, openssl, tls_lines, verdict

why = missing("mosquitto", "mosquitto_pub", "mosquitto_sub", "dnsmasq", "nft", "ss")
pytestmark = pytest.mark.skipif(bool(why), reason=why or "")
PYTHON = "/usr/bin/python3"
LISTEN = "import socket,time\nL=socket.create_server(('0.0.0.0',%d))\n"


def server(lab, code, port=1883):
    lab.start("server", PYTHON, "-c", LISTEN % port + code)
    lab.wait_for_port("server", port)


def publish(lab, *args):
    lab.inside("device", "timeout", "6", *PUB, *args, "-t", "a", "-m", "x", check=False)


def by_name(lab, tmp_path, *dnsmasq):
    """A publisher that looks its broker up at a name server of ours."""
    (tmp_path / "resolv").write_text(f"nameserver {SERVER}\n")
    lab.start("server", "dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--user=root", *dnsmasq)
    lab.wait_for_port("server", 53)
    script = f"mount --bind {tmp_path}/resolv /etc/resolv.conf; timeout 6 mosquitto_pub -h broker.example -t a -m x"
    with lab.capture() as c:
        lab.inside("device", "unshare", "-m", "sh", "-c", script, check=False)
        time.sleep(1)
    return verdict(lab, c)


def test_login_page_of_a_hotel(lab):
    server(lab, "while 1:\n c,_=L.accept()\n c.recv(999)\n c.send(b'HTTP/1.1 302 Found\\r\\nLocation: http://login.hotel.example/\\r\\n\\r\\n')\n c.close()")
    with lab.capture() as c:
        publish(lab)
    out = verdict(lab, c)
    assert out["verdict"]["id"] == "http.unexpected" and "login.hotel.example" in out["verdict"]["text"]
    assert ids(out) == {"http.unexpected"}


STUTTER = """import http.server
class H(http.server.BaseHTTPRequestHandler):
 def do_GET(s):
  s.protocol_version = 'HTTP/1.1'
  s.send_response(200); s.send_header(*{'/short': ('Content-Length', '4000'), '/whole': ('Content-Length', '1000')}.get(s.path, ('Transfer-Encoding', 'chunked'))); s.end_headers()
  s.wfile.write((b'400\\r\\n' if s.path == '/chunks' else b'') + b'a' * 1000); s.close_connection = True
http.server.HTTPServer(('', 8000), H).serve_forever()"""


@pytest.mark.skipif(bool(missing("curl")), reason=missing("curl") or "")
def test_answers_that_stop_half_way(lab):
    """A server that announces more than it sends: curl notices it (18), many devices do not."""
    lab.start("server", PYTHON, "-c", STUTTER)
    lab.wait_for_port("server", 8000)
    for path, found in (("short", {"http.answer-incomplete"}), ("chunks", {"http.answer-incomplete"}), ("whole", set())):
        with lab.capture() as c:
            assert lab.inside("device", "curl", "-s", f"http://{SERVER}:8000/{path}", check=False).returncode == (18 if found else 0)
        out = verdict(lab, c)
        assert ids(out) == found and ("4000 bytes" in out["verdict"]["text"]) == (path == "short")


def test_name_with_an_ipv6_address_only(lab, tmp_path):
    assert by_name(lab, tmp_path, "--address=/broker.example/2001:db8::5")["verdict"]["id"] == "dns.only-ipv6"


def test_name_that_a_blocker_swallows(lab, tmp_path):
    out = by_name(lab, tmp_path, "--address=/broker.example/0.0.0.0")
    assert out["verdict"]["id"] == "dns.nowhere" and ids(out) == {"dns.nowhere"}


def test_host_that_is_off(lab):
    with lab.capture() as c:
        lab.inside("device", "timeout", "4", "mosquitto_pub", "-h", "10.77.1.99", "-t", "a", "-m", "x", check=False)
    out = verdict(lab, c)["verdict"]
    assert out["id"] == "link.no-neighbour" and "10.77.1.99" in out["text"]


def test_certificate_does_not_pass_the_way(lab, tmp_path):
    certificates(tmp_path)
    names = ",".join([f"IP:{SERVER}", *(f"DNS:host-number-{i}.example.org" for i in range(80))])
    (tmp_path / "ext").write_text(f"subjectAltName={names}\n")
    openssl(tmp_path, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-extfile", "ext", "-out", "server.pem")
    lab.mosquitto(*tls_lines(tmp_path), port=8883)
    rule = f"table inet t {{ chain f {{ type filter hook forward priority 0;\nip saddr {SERVER} meta length > 1300 drop\n}}\n}}\n"
    lab.inside("router", "nft", "-f", "-", input=rule.encode())
    with lab.capture() as device, lab.capture("server") as broker:
        publish(lab, "-p", "8883", "--cafile", str(tmp_path / "ca.pem"))
    for side in (device, broker):
        out = verdict(lab, side)
        assert out["verdict"]["id"] == "tcp.mtu" and ids(out) == {"tcp.mtu"}


def test_two_programs_and_one_client_id(lab):
    lab.mosquitto("allow_anonymous true")
    with lab.capture() as c:
        both = [lab.start("device", *SUB, "-i", "sensor-1", "-t", "a") for _ in range(2)]
        lab.wait_for_broker("already connected", 5)
        for p in both:
            p.kill()
    out = verdict(lab, c)["verdict"]
    assert out["id"] == "mqtt.client-id-twice" and "throw each other out" in out["text"]


def test_message_that_is_too_large(lab, tmp_path):
    lab.mosquitto("allow_anonymous true", "max_packet_size 2000")
    (tmp_path / "big").write_bytes(b"x" * 6000)
    with lab.capture() as c:
        lab.inside("device", "timeout", "4", *PUB, "-t", "a", "-q", "1", "-f", str(tmp_path / "big"), check=False)
    out = verdict(lab, c)["verdict"]
    assert out["id"] == "mqtt.closed-on-packet" and "6008 bytes" in out["text"] and "max_packet_size" in out["next"]


def test_clock_of_the_device(lab, tmp_path):
    certificates(tmp_path)
    lab.mosquitto(*tls_lines(tmp_path), port=8883)
    later = str(int(time.time()) + 86400 * 400)
    with lab.capture() as c:
        lab.inside("device", "openssl", "s_client", "-connect", f"{SERVER}:8883", "-tls1_2", "-CAfile", str(tmp_path / "ca.pem"),
                   "-verify_return_error", "-attime", later, check=False, stdin=subprocess.DEVNULL)
    out = verdict(lab, c)["verdict"]
    assert out["id"] == "tls.server-certificate-rejected" and "clock is wrong" in out["text"]


def test_service_that_is_not_there(lab):
    send = f"import socket,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nfor i in range(4):\n try: s.sendto(b'hoge',('{SERVER}',8514))\n except OSError: s.sendto(b'hoge',('{SERVER}',8514))\n time.sleep(1.1)"
    with lab.capture() as c:
        lab.inside("device", PYTHON, "-c", send, check=False)
    assert verdict(lab, c)["verdict"]["id"] == "udp.refused"


def test_message_stuck_behind_pubrec(lab):
    server(lab, "c,_=L.accept()\nc.recv(999)\nc.send(b'\\x20\\x02\\0\\0')\nc.recv(999)\nc.send(b'\\x50\\x02\\0\\x01')\ntime.sleep(200)")
    with lab.capture() as c:
        publish(lab, "-q", "2")
    out = verdict(lab, c)["verdict"]
    assert out["id"] == "mqtt.qos2-stuck" and "PUBCOMP" in out["text"]
