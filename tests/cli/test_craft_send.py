# SPDX-License-Identifier: Apache-2.0
"""weir craft on the wire: answers matched, loss counted, a TCP connection by hand with and without the system's reset, captures
replayed with edits, broken MQTT packets. As root, between two network namespaces of our own."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from ports import free_port, wait_for
from waiting import LONG, line_of, listening, until

NS = f"wcraft{os.getpid() % 100000}"
ME, PEER = "10.211.7.1", "10.211.7.2"
ME6, PEER6 = "fd00:211:7::1", "fd00:211:7::2"


def run(*argv, **kw):
    return subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=120, **kw)


@pytest.fixture(scope="module")
def net():
    """Two namespaces with a wire between them: (ours, the peer's)."""
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("needs root and ip")
    here, there = NS + "a", NS + "b"
    if run("ip", "netns", "add", here).returncode:
        pytest.skip("no network namespaces here")
    try:
        run("ip", "netns", "add", there)
        run("ip", "-n", here, "link", "add", "v0", "type", "veth", "peer", "name", "v0", "netns", there)
        for ns, v4, v6 in ((here, ME, ME6), (there, PEER, PEER6)):
            run("ip", "-n", ns, "addr", "add", v4 + "/24", "dev", "v0")
            run("ip", "-n", ns, "addr", "add", v6 + "/64", "dev", "v0", "nodad")
            run("ip", "-n", ns, "link", "set", "v0", "up")
            run("ip", "-n", ns, "link", "set", "lo", "up")
        run("ip", "netns", "exec", here, "ping", "-c", "1", "-W", "2", PEER)  # the way is up
        yield here, there
    finally:
        run("ip", "netns", "del", here)
        run("ip", "netns", "del", there)


@pytest.fixture
def craft(net, weir):
    """Runs weir craft on our side of the wire."""
    def call(*args, timeout=120, **kw):
        done = subprocess.run(["ip", "netns", "exec", net[0], weir.path, "craft", *map(str, args)], stdin=kw.pop("stdin", subprocess.DEVNULL), capture_output=True,
                              text=True, timeout=timeout, **kw)
        done.json = [json.loads(line) for line in done.stdout.splitlines()] if "--json" in args else None
        return done
    return call


class Server:
    """A program on the peer's side, ended with the block."""

    def __init__(self, net, *argv, ready=None):
        self.argv, self.ready, self.net = ["ip", "netns", "exec", net[1], *map(str, argv)], ready, net

    def __enter__(self):
        self.run = subprocess.Popen(self.argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if self.ready:
            until(lambda: self.ready in run("ip", "netns", "exec", self.net[1], "ss", "-Hlntu").stdout)
        return self

    def __exit__(self, *_):
        self.run.kill()
        self.run.wait()


SINK = """
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[2], int(sys.argv[1])))
s.listen()
while True:
    c, _ = s.accept()
    try:
        data = b""
        while not data.endswith(b"\\n"):
            more = c.recv(1000)
            if not more: break
            data += more
        print("stored", data, flush=True)
        c.sendall(b"201 Created\\r\\n")
        c.recv(100)
    except OSError as e:
        print("lost", e, flush=True)
    c.close()
"""


class Listening(Server):
    """weir capture on the peer's side."""

    def __init__(self, net, weir, *args):
        super().__init__(net, weir.path, "capture", "-i", "v0", *args)

    def __enter__(self):
        self.run = listening(subprocess.Popen(self.argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        return self

    def finish(self):
        """Ended by Ctrl-C, with all that came until now in its file."""
        self.run.send_signal(signal.SIGINT)
        self.run.communicate(timeout=LONG)


def sink(net, port, address=PEER):
    return Server(net, "/usr/bin/python3", "-c", SINK, port, address, ready=f":{port} ")


def rules(ns):
    return run("ip", "netns", "exec", ns, "nft", "list", "ruleset").stdout


needs_nft = pytest.mark.skipif(not shutil.which("nft", path=os.environ["PATH"] + ":/usr/sbin"), reason="needs nft")


# Sending and answers

def test_ping(craft, tmp_path):
    out = tmp_path / "ping.pcapng"
    done = craft("--answer", "-c", 3, "--interval", "20ms", "-w", out, f'IP(dst="{PEER}")/ICMP(id=77)')
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["1", "2", "3"] and "seq=2/512" in done.stdout
    assert "3 packets sent" in done.stderr and "0 without an answer (0.0% lost)" in done.stderr and "time least/mean/most" in done.stderr


def test_what_was_sent_and_answered_is_in_the_file(craft, weir, tmp_path):
    out = tmp_path / "ping.pcapng"
    assert craft("--answer", "-w", out, f'IP(dst="{PEER}")/ICMP(id=77)').returncode == 0
    lines = weir("read", "-r", out, "-T", "fields", "-e", "icmp.type", "-e", "frame.packet_flags_direction").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["8", "0"]


def test_ping_of_ipv6_and_neighbours(craft):
    done = craft("--answer", "--json", f'IPv6(dst="{PEER6}")/ICMPv6EchoRequest(id=5)', f'Ether()/ARP(pdst="{PEER}")', f'Ether()/IPv6(dst="{PEER6}")/ICMPv6ND_NS(tgt="{PEER6}")')
    first = [a for a in done.json if not a["again"]]  # the system may have asked for its neighbour, too, and been answered
    assert done.returncode == 0 and sorted(a["number"] for a in first) == [1, 2, 3] and all(a["answered"] for a in first), done.stdout + done.stderr


def test_link_local_addresses(craft, net):
    for side in net:  # an address that is still being looked for twice answers nobody
        until(lambda: not run("ip", "-n", side, "addr", "show", "dev", "v0", "tentative").stdout, step=0.1)
    there = next(a["local"] for i in json.loads(run("ip", "-j", "-n", net[1], "addr", "show", "v0").stdout) for a in i["addr_info"] if a["local"].startswith("fe80"))
    done = craft("--answer", "-i", "v0", f'IPv6(dst="{there}")/ICMPv6EchoRequest()', 'IPv6(dst="ff02::1")/ICMPv6EchoRequest(id=3)')
    assert done.returncode == 0 and "2 answered" in done.stderr, done.stdout + done.stderr


def test_frames_get_the_addresses_of_the_way(craft, net):
    mac = json.loads(run("ip", "-j", "-n", net[1], "link", "show", "v0").stdout)[0]["address"]
    done = craft("--send", "--show", f'Ether()/IP(dst="{PEER}")/ICMP()')
    assert f"Dst: {mac}" in done.stdout and "Src: 00:00:00:00:00:00" not in done.stdout


def test_errors_count_as_answers(craft):
    done = craft("--answer", "--json", f'IP(dst="{PEER}")/UDP(dport=[9,10],sport=4444)')
    assert done.returncode == 0 and [(a["error"], "Port unreachable" in a["info"]) for a in done.json] == [(True, True)] * 2
    assert "2 answered (2 by ICMP errors)" in done.stderr


def test_nobody_answers(craft):
    done = craft("--answer", "--timeout", "200ms", 'IP(dst="10.211.7.77")/ICMP()')
    assert done.returncode == 1 and "no answer" in done.stdout and "100.0% lost" in done.stderr


@pytest.mark.parametrize("wrong", ["chksum=1", "len=20", "id=0", "ttl=0"])
def test_what_is_wrong_stays_wrong_on_the_wire(craft, net, weir, tmp_path, wrong):
    out = tmp_path / "seen.pcapng"
    with Listening(net, weir, "-w", out, "udp port 4321") as capture:
        done = craft("--send", f'IP(dst="{PEER}",{wrong})/UDP(sport=1,dport=4321)/"abc"')
        assert done.returncode == 0, done.stderr
        capture.finish()
    got = weir("read", "-r", out, "-T", "fields", "-e", "ip.checksum", "-e", "ip.len", "-e", "ip.id", "-e", "ip.ttl").out.split("\t")
    name, value = wrong.split("=")
    assert int(got[["chksum", "len", "id", "ttl"].index(name)].strip(), 0) == int(value)


@pytest.mark.skipif(not shutil.which("dnsmasq", path=os.environ["PATH"] + ":/usr/sbin"), reason="needs dnsmasq")
def test_dns(craft, net):
    with Server(net, "dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--address=/harvest.example/192.0.2.9", "--listen-address", PEER, "--bind-interfaces",
                "--user=root", ready=f"{PEER}:53 "):
        done = craft("--answer", "--json", f'IP(dst="{PEER}")/UDP(sport=5555)/DNS(id=[17,18],qd="harvest.example")', f'IP(dst="{PEER}")/UDP(sport=5555)/DNS(id=19,qd=DNSQR(qname="harvest.example",qtype="AAAA"))')
    assert done.returncode == 0 and sorted(a["number"] for a in done.json) == [1, 2, 3], done.stderr
    assert sum("A 192.0.2.9" in a["info"] for a in done.json) == 2


def test_scan_with_loss(craft, net):
    """A third of what arrives at the peer is dropped: what is lost is counted, what is answered is right."""
    rule = "table inet loss { chain input { type filter hook input priority 0; ip saddr %s tcp flags & (syn | ack | rst) == syn numgen inc mod 3 == 0 drop; }; }" % ME
    if run("ip", "netns", "exec", net[1], "nft", "-f", "-", input=rule).returncode:
        pytest.skip("needs nft")
    ports = [free_port(), free_port()]
    try:
        with sink(net, ports[0]), sink(net, ports[1]):
            done = craft("--answer", "--json", "--timeout", "3s", f'IP(dst="{PEER}")/TCP(sport=(1000,1099),dport=[{ports[0]},{ports[1]},1],flags="S")')
    finally:
        run("ip", "netns", "exec", net[1], "nft", "delete", "table", "inet", "loss")
    answered = [a for a in done.json if a["answered"]]
    lost = [a for a in done.json if not a["answered"]]
    assert len(answered) == 200 and len(lost) == 100 and "(33.3% lost)" in done.stderr, done.stderr
    assert sum("[SYN, ACK]" in a["info"] for a in answered) + sum("[RST, ACK]" in a["info"] for a in answered) == 200
    for a in answered:  # number n goes to port n % 3
        assert ("[RST, ACK]" in a["info"]) == (a["number"] % 3 == 0)


def test_garbage_while_waiting(craft, net):
    """A peer that sends all kinds of nonsense at us while we wait."""
    spray = ("import os, socket, struct, time\ns = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)\nend = time.time() + 2\nwhile time.time() < end:\n"
             "    p = bytes([0x45, 0, 0, 0, 0, 0, 0, 0, 9, os.urandom(1)[0] %% 20]) + b'\\0\\0' + socket.inet_aton('%s') + socket.inet_aton('%s') + os.urandom(60)\n"
             "    s.sendto(p, ('%s', 0)); time.sleep(0.0005)\n" % (PEER, ME, ME))
    with Server(net, "/usr/bin/python3", "-c", spray):
        time.sleep(0.2)
        done = craft("--answer", "--json", "-c", 20, "--interval", "10ms", "--timeout", "3s", f'IP(dst="{PEER}")/ICMP(id=77)', f'IP(dst="{PEER}")/TCP(dport=1)')
    answered = int(re.search(r"(\d+) answered", done.stderr)[1])
    assert done.returncode == 0 and 36 <= answered <= 40, done.stderr  # a full receive buffer may cost a few


def test_ctrl_c_prints_totals(net, weir):
    loop = subprocess.Popen(["ip", "netns", "exec", net[0], weir.path, "craft", "--answer", "--loop", "--interval", "20ms", f'IP(dst="{PEER}")/ICMP()'],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(6):
        assert line_of(loop.stdout)
    loop.send_signal(signal.SIGINT)
    out, err = loop.communicate(timeout=LONG)
    assert loop.returncode == 0 and "packets sent" in err


@pytest.mark.parametrize("args,what", [
    (["--interval", "0.0001", f'IP(dst="{PEER}")/ICMP()'], "--really"), (['IP(dst="10.211.7.255")/UDP(dport=(1,200))'], "--really"),
    (["-i", "v0", 'IP(dst="224.0.0.1")/UDP(dport=(1,200))'], "--really"), (['IP(dst="203.0.113.1")/ICMP()'], "no route"), (["-i", "nope0", "IP()/ICMP()"], "no such interface"),
    (['Ether(type=0x88b5)/"x"'], "-i"), (["--timeout", "soon", "IP()/ICMP()"], "no length of time"),
])
def test_what_is_not_sent(craft, args, what):
    done = craft("--send", *args)
    assert done.returncode == 2 and what in done.stderr, done.stderr


def test_the_rate_is_kept(craft):
    began = time.monotonic()
    assert craft("-q", "--send", "-c", 300, f'IP(dst="{PEER}")/ICMP()').returncode == 0
    assert time.monotonic() - began > 0.25


# Packets of a capture

def test_replay_with_edits(craft, net, weir, sample, tmp_path):
    out = tmp_path / "seen.pcapng"
    first = weir("read", "-r", sample, "-Y", "mqtt.topic").out.count("\n")
    with Listening(net, weir, "-w", out, f"host {PEER} and tcp") as capture:
        done = craft("-r", sample, "-Y", "mqtt.topic", "--replay", "--speed", "20", "--set", f"ip.dst={PEER}", "--set", f"ip.src={ME}", "--set", "mqtt.topic=new/topic/of/this/test")
        assert done.returncode == 0 and first, done.stderr
        capture.finish()
    topics = weir("read", "-r", out, "-o", "ip.check_checksum:TRUE", "-Y", f"ip.src=={ME} && mqtt.topic", "-T", "fields", "-e", "mqtt.topic").out.splitlines()
    assert topics and all(set(t.split(",")) == {"new/topic/of/this/test"} for t in topics)


def test_edited_captures_are_right(weir, sample, tmp_path):
    """tshark finds nothing wrong with checksums and sequence numbers of an edited capture."""
    if not shutil.which("tshark"):
        pytest.skip("needs tshark")
    out = tmp_path / "edited.pcapng"
    assert weir("craft", "-r", sample, "-w", out, "--set", "mqtt.topic=a/topic/of/another/length", "--set", "ip.ttl=3", "--set", "mqtt.msg=x").returncode == 0
    bad = run("tshark", "-r", out, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y",
              "ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0 || tcp.analysis.flags || _ws.malformed")
    was = run("tshark", "-r", sample, "-Y", "tcp.analysis.flags || _ws.malformed")
    assert bad.returncode == 0 and len(bad.stdout.splitlines()) <= len(was.stdout.splitlines()), bad.stdout
    assert "a/topic/of/another/length" in weir("read", "-r", out).out


def test_packets_of_a_capture_are_shown(weir, sample):
    syn = ["-r", sample, "-Y", "tcp.flags.syn==1 && tcp.flags.ack==0", "--set", "ip.ttl=77"]
    lines = weir("craft", *syn).out.splitlines()
    assert lines and all("[SYN]" in line for line in lines)
    assert len(weir("craft", *syn, "-x").out.split("\n\n")) - 1 == len(lines)
    assert weir("craft", *syn, "-V").out.count("Time to Live: 77") == len(lines)
    assert weir("craft", *syn, "-q").out == ""


@pytest.mark.parametrize("args,what", [
    (["--set", "ip.dst=1.2.3"], "no value of ip.dst"), (["--set", "tcp.seq=1"], "tcp.seq_raw"), (["--set", "nope=1"], "no field"), (["--topspeed"], "--really"),
    (["--speed", "0"], "above 0"), (["-Y", "ip.dst =="], "-Y"),
])
def test_what_edits_refuse(weir, sample, args, what):
    done = weir("craft", "-r", sample, *args)
    assert done.returncode == 2 and what in done.err, done.err


# TCP by hand

@needs_nft
@pytest.mark.parametrize("address", [PEER, PEER6])
def test_a_connection_by_hand(craft, net, weir, tmp_path, address):
    port, out, pcap = free_port(), tmp_path / "got", tmp_path / "hand.pcapng"
    with sink(net, port, address) as server:
        done = craft("tcp", address, port, "--data", "hoge\\n", "--wait", "1.5", "-w", pcap, "-o", out)
        assert done.returncode == 0, done.stdout + done.stderr
        assert server.run.stdout.readline() == "stored b'hoge\\n'\n"
    assert out.read_bytes() == b"201 Created\r\n" and "| 201 Created" in done.stdout and "opened and closed in order" in done.stdout
    lines = weir("read", "-r", pcap, "-T", "fields", "-e", "tcp.flags.str").out
    assert lines.count("S·") >= 1 and "R" not in lines
    assert "weir_craft" not in rules(net[0])


@needs_nft
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_what_comes_on_standard_input_is_sent(craft, net, tmp_path, way):
    port = free_port()
    if way == "file":
        (tmp_path / "data").write_bytes(b"hoge\n")
        end = open(tmp_path / "data", "rb")
    else:
        end, other = map(lambda fd, mode: os.fdopen(fd, mode), os.pipe(), ("rb", "wb"))
        other.write(b"hoge\n")
        other.close()
    with sink(net, port) as server, end:
        done = craft("tcp", PEER, port, "--wait", "1.5", stdin=end)
        assert done.returncode == 0, done.stdout + done.stderr
        assert server.run.stdout.readline() == "stored b'hoge\\n'\n"


def test_the_trap(craft, net):
    port = free_port()
    with sink(net, port):
        done = craft("tcp", PEER, port, "--data", "hoge\\n", "--wait", "1.5", "--let-rst")
    assert done.returncode == 1 and "This is the trap" in done.stdout and "ended with a reset" in done.stdout


def test_the_trap_in_other_languages(craft, net):
    port = free_port()
    with sink(net, port):
        ja = craft("tcp", PEER, port, "--let-rst", "--wait", "0.1", "--lang", "ja")
        zh = craft("tcp", PEER, port, "--let-rst", "--wait", "0.1", "--lang", "zh_CN")
    if "I ask for" in ja.stdout:
        pytest.skip("built without msgfmt")
    assert "接続" in ja.stdout and "连接" in zh.stdout


@needs_nft
def test_the_story_of_the_data_sink(craft, net, weir, tmp_path):
    """The handshake by hand against the sink: with the reset nothing is stored; without it the data is, and 201 comes back."""
    store, port = tmp_path / "sink.db", free_port()
    with Server(net, weir.path, "lab", "sink", f"{PEER}:{port}", "--store", store, ready=f":{port} "):
        trapped = craft("tcp", PEER, port, "--data", "lost\\n", "--wait", "1.5", "--let-rst")
        done = craft("tcp", PEER, port, "--data", "hoge\\n", "--wait", "1.5")
    assert trapped.returncode == 1 and done.returncode == 0 and "| 201" in done.stdout, done.stdout + done.stderr
    stored = json.loads(weir("lab", "sink", "--list", "--json", "--store", store).out)
    assert [r["text"] for r in stored] == ["hoge"]


@needs_nft
def test_refused_and_silent(craft, net):
    done = craft("tcp", PEER, free_port())
    assert done.returncode == 1 and "nobody listens on this port" in done.stdout


@needs_nft
def test_a_way_that_is_blocked(craft, net):
    rule = "table inet block { chain input { type filter hook input priority 0; tcp dport 4 reject with icmpx type admin-prohibited; }; }"
    assert run("ip", "netns", "exec", net[1], "nft", "-f", "-", input=rule).returncode == 0
    try:
        done = craft("tcp", PEER, 4), craft("tcp", PEER6, 4)
    finally:
        run("ip", "netns", "exec", net[1], "nft", "delete", "table", "inet", "block")
    assert [d.returncode for d in done] == [1, 1]
    assert f"{PEER} reports" in done[0].stdout and "ICMP type 3, code 13" in done[0].stdout and "cannot be reached" in done[0].stdout
    assert f"{PEER6} reports" in done[1].stdout and "ICMP type 1, code 1" in done[1].stdout


@needs_nft
def test_no_rule_is_left_after_kill(net, weir):
    port = free_port()
    with sink(net, port):
        hand = subprocess.Popen(["ip", "netns", "exec", net[0], weir.path, "craft", "tcp", PEER, str(port), "--wait", "200"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in hand.stdout:
            if "open in both directions" in line:
                break
        assert "drop" in rules(net[0]) and str(port) in rules(net[0])
        hand.kill()
        hand.wait()
        until(lambda: not rules(net[0]))


@needs_nft
def test_ctrl_c_resets_and_leaves_no_rule(net, weir):
    port = free_port()
    with sink(net, port):
        hand = subprocess.Popen(["ip", "netns", "exec", net[0], weir.path, "craft", "tcp", PEER, str(port), "--wait", "200"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in hand.stdout:
            if "open in both directions" in line:
                break
        hand.send_signal(signal.SIGINT)
        rest = hand.communicate(timeout=LONG)[0]
        assert "I end the connection at once" in rest and rules(net[0]) == ""


def test_without_nft(craft, net, tmp_path):
    """One sentence that says what is missing; the kernel's file system without nft is made with a mount namespace."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare")
    hide = "for d in /usr/sbin /usr/local/sbin; do [ -e $d/nft ] && mount --bind /dev/null $d/nft; done; exec \"$@\""
    done = run("unshare", "-m", "sh", "-c", hide, "-", "ip", "netns", "exec", net[0], os.path.abspath(os.environ.get("WEIR", "build/weir")), "craft", "tcp", PEER, "9")
    assert done.returncode == 2 and ("nft" in done.stderr and "--let-rst" in done.stderr or "nft cannot be started" in done.stderr), done.stderr


@needs_nft
def test_steps_wait_for_enter(net, weir):
    port = free_port()
    with sink(net, port):
        done = run("ip", "netns", "exec", net[0], weir.path, "craft", "tcp", PEER, port, "--step", "--wait", "1", input="\n\n\n\n\n\n")
    assert done.returncode == 0 and done.stderr.count("[Enter sends the next packet]") >= 3


@needs_nft
def test_much_data_with_loss(craft, net, tmp_path):
    """200 kB through a wire that loses a tenth."""
    rule = "table inet loss { chain input { type filter hook input priority 0; ip saddr %s numgen random mod 10 == 0 drop; }; }" % ME
    if run("ip", "netns", "exec", net[1], "nft", "-f", "-", input=rule).returncode:
        pytest.skip("needs nft")
    port, data = free_port(), tmp_path / "data"
    data.write_bytes(os.urandom(60000).replace(b"\n", b".") + b"\n")
    try:
        with sink(net, port) as server:
            done = craft("tcp", PEER, port, "--send", data, "--wait", "1.5")
            stored = server.run.stdout.readline()
    finally:
        run("ip", "netns", "exec", net[1], "nft", "delete", "table", "inet", "loss")
    assert done.returncode == 0 and stored == f"stored {data.read_bytes()!r}\n" and "send it again" in done.stdout


# MQTT

@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    path = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
    if not path:
        pytest.skip("needs mosquitto")
    port, where = free_port(), tmp_path_factory.mktemp("broker")
    (where / "conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    run_ = subprocess.Popen([path, "-c", str(where / "conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(port)
    yield port
    run_.kill()
    run_.wait()


def test_the_usual_conversation(weir, broker, tmp_path):
    out = tmp_path / "mqtt.pcapng"
    for level in ("3", "4", "5"):
        done = weir("craft", "mqtt", "127.0.0.1", broker, "-p", level, "-w", out)
        assert done.returncode == 0 and "Publish Ack (id=2)" in done.out and "the broker closed the connection" in done.err, done.out + done.err
        assert weir("read", "-r", out, "-d", f"tcp.port=={broker},mqtt", "-T", "fields", "-e", "mqtt.msgtype").out.split() == "1 2 8 9 3 3 4 10 11 14".split() \
            or sorted(weir("read", "-r", out, "-d", f"tcp.port=={broker},mqtt", "-T", "fields", "-e", "mqtt.msgtype").out.split(), key=int) == "1 2 3 3 4 8 9 10 11 14".split()


def test_in_pieces(weir, broker):
    assert weir("craft", "mqtt", "127.0.0.1", broker, "--split", "1").returncode == 0


def test_scripts(weir, broker, tmp_path):
    script = tmp_path / "script"
    script.write_text("""# a client with a will
MQTT(type="CONNECT",clientid="s",protolevel=5,properties=[("Session Expiry Interval",30),("user_property",("a","b"))])
expect CONNACK mqtt.connack.reason_code == 0 || mqtt.conack.val == 0 within 2
MQTT(type="SUBSCRIBE",topics=["t/1",("t/2",1)],msgid=9)
expect SUBACK mqtt.msgid == 9
MQTT(type="PUBLISH",topic="t/1",value=["one","two"],properties=[("Topic Alias",1),("Content Type","text/plain")])
expect PUBLISH mqtt.topic == "t/1" && mqtt.msg == "one"
expect PUBLISH mqtt.msg == "two"
expect nothing within 0.1
split 3
repeat 5 MQTT(type="PINGREQ")
expect PINGRESP
wait 50ms
break remaining-length-five
MQTT(type="PINGREQ")
expect close
connect
MQTT(type="CONNECT",clientid="t")
expect CONNACK
reset
""")
    done = weir("craft", "mqtt", "127.0.0.1", broker, "--script", script)
    assert done.returncode == 0, done.out + done.err


@pytest.mark.parametrize("steps,status,what", [
    (['MQTT(type="CONNECT")', "expect CONNACK mqtt.conack.val == 5 within 0.3"], 1, "line 2"), (["MQTT(type=\"CONNECT\")", "expect close within 0.2"], 1, "still open"),
    (["expect"], 2, "line 1"), (["break nonsense"], 2, "--break list"), (["MQTT(tipe=1)"], 2, "line 1"), (["expect mqtt.tpic"], 2, "mqtt.topic"), (["wait long"], 2, "length of time"),
    (["MQTT(type=\"PINGREQ\")", "expect close", "MQTT(type=\"PINGREQ\")"], 1, "no connection"),
])
def test_scripts_that_fail(weir, broker, steps, status, what):
    done = weir("craft", "mqtt", "127.0.0.1", broker, *steps)
    assert done.returncode == status and what in done.err, done.err


def breaks(weir):
    return [line.split()[0] for line in weir("craft", "mqtt", "--break", "list").out.splitlines()]


def test_every_break_is_sent_and_the_broker_lives(weir, broker):
    """mosquitto ends the connection for nearly all of them, and serves the next client."""
    closed, names = 0, breaks(weir)
    assert len(names) >= 30
    runs = [(n, subprocess.Popen([weir.path, "craft", "mqtt", "127.0.0.1", str(broker), "--break", n, "--wait", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) for n in names]
    for name, p in runs:
        out, err = p.communicate(timeout=LONG)
        assert p.returncode == 0 and ("(" in out or name == "no-connect"), name + out + err
        closed += "closed" in err or "reset" in err
    assert closed >= len(names) - 4
    assert weir("craft", "mqtt", "127.0.0.1", broker).returncode == 0


def test_the_guard_stops_every_break(weir, broker, tmp_path):
    port = free_port()
    guard = subprocess.Popen([weir.path, "guard", "--listen", f"127.0.0.1:{port}", "--broker", f"127.0.0.1:{broker}", "--workers", "1", "--admin", "none"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        names = breaks(weir)
        runs = [(n, subprocess.Popen([weir.path, "craft", "mqtt", "127.0.0.1", str(port), "-q", "--break", n], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) for n in names]
        left = [n for n, p in runs if not any(w in p.communicate(timeout=LONG)[1] for w in ("the broker closed", "the broker reset"))]
    finally:
        guard.terminate()
        guard.wait(timeout=LONG)
    assert left == []


def test_a_broker_that_answers_nonsense(weir):
    """Random bytes, an endless length, silence and a reset, instead of a broker."""
    answers = [os.urandom(3000), b"\x20\xff\xff\xff\x7f" + b"x" * 5000, b"\x30\x05\x00\xff", b"\x20\x02\x00\x00" * 5000, b""]
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        for a in answers:
            c, _ = server.accept()
            try:
                c.recv(1000)
                c.sendall(a)
                time.sleep(0.1)
            except OSError:
                pass
            c.close()
    threading.Thread(target=serve, daemon=True).start()
    for _ in answers:
        done = weir("craft", "mqtt", "127.0.0.1", server.getsockname()[1], 'MQTT(type="CONNECT",clientid="x")', "wait 0.3", "-V")
        assert done.returncode == 0 and "broker" in done.err, done.err


def test_mqtt_5_packets_are_read_back(weir, tmp_path):
    """All fifteen types, with properties by the names `weir fields` has."""
    out = tmp_path / "all.pcapng"
    head = 'IP(src="10.0.0.1",dst="10.0.0.9")/TCP(sport=40000,dport=1883,flags="PA",seq=%d)/'
    packets = ['MQTT(type="CONNECT",protolevel=5,clientid="x",willtopic="w",willmsg="m",properties=[("Receive Maximum",5)],willproperties=[("Will Delay Interval",9)])',
               'MQTT(type="CONNACK",protolevel=5,properties=[("Assigned Client Identifier","abc"),("Maximum QoS",1)])',
               'MQTT(type="PUBLISH",protolevel=5,topic="t",properties=[("Topic Alias",3),("Content Type","text/plain")],value="v")',
               *(f'MQTT(type="{t}",protolevel=5,msgid=7,retcode=0x80,properties=[("Reason String","why")])' for t in ("PUBACK", "PUBREC", "PUBREL", "PUBCOMP")),
               'MQTT(type="SUBSCRIBE",protolevel=5,topics=[("a/#",0x2d)],properties=[("Subscription Identifier",300)])', 'MQTT(type="SUBACK",protolevel=5,retcodes=[0,1,0x87])',
               'MQTT(type="UNSUBSCRIBE",protolevel=5,topics=["a/#","b"])', 'MQTT(type="UNSUBACK",protolevel=5,retcodes=[0,17])', 'MQTT(type="PINGREQ")', 'MQTT(type="PINGRESP")',
               'MQTT(type="DISCONNECT",protolevel=5,retcode=4)', 'MQTT(type="AUTH",protolevel=5,retcode=24,properties=[("Authentication Method","m"),("Authentication Data",b"\\x01")])']
    for n, p in enumerate(packets):
        assert weir("craft", "-w", out, head % 0 + "/".join(dict.fromkeys([packets[0], p]))).returncode == 0, p
        got = weir("read", "-r", out, "-T", "fields", "-e", "mqtt.msgtype").out.split()
        assert got[-1].split(",")[-1] == str(n + 1), (p, got)
        assert "Malformed" not in weir("read", "-r", out).out, p
