# SPDX-License-Identifier: Apache-2.0
"""weir capture and weir read -i: what stops it, what it says, and that its files are whole."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import xml.etree.ElementTree as tree
from pathlib import Path

import pytest
from machine import may_capture
from ports import free_port, wait_for
from waiting import LONG, line_of, listening, quickest, until

pytestmark = pytest.mark.skipif(not may_capture(), reason="no right to capture")


@pytest.fixture
def port():
    """A UDP port of loopback that nobody else uses."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    yield s.getsockname()[1]
    s.close()


def start(weir, *args):
    return listening(subprocess.Popen([weir.path, "capture", *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))


def send(port, n):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(n):
        s.sendto(b"datagram %d" % i, ("127.0.0.1", port))
    s.close()


def lines(weir, file):
    run = weir("read", "-n", "-r", file)
    assert run.returncode == 0, run.err
    return run.out.splitlines()


def seconds_of(weir, least, *args):
    """How long a capture took that ends by the clock, after so many seconds at least."""
    began = time.monotonic()
    run = weir("capture", *args)
    took = time.monotonic() - began
    assert run.returncode == 0 and took > least, run.err
    return took


def test_a_silent_link_ends_by_the_clock(weir, tmp_path, port):
    quickest(lambda: seconds_of(weir, 0.9, "-i", "lo", "-a", "duration:1", "-w", tmp_path / "f.pcapng", "udp", "port", port), 3)
    assert lines(weir, tmp_path / "f.pcapng") == []


def test_rotation_on_a_silent_link_ends_by_the_clock(weir, tmp_path, port):
    def once():
        for old in tmp_path.iterdir():
            old.unlink()
        took = seconds_of(weir, 0.5, "-i", "lo", "-G", 1, "-W", 1, "-w", tmp_path / "f-%s.pcapng", "udp", "port", port)
        assert len(list(tmp_path.iterdir())) == 1
        return took
    quickest(once, 3)


def test_a_count_ends_it(weir, tmp_path, port):
    run = start(weir, "-i", "lo", "-c", 3, "-w", tmp_path / "f.pcapng", "udp", "port", port)
    send(port, 5)
    assert run.wait(LONG) == 0, run.stderr.read()
    assert len(lines(weir, tmp_path / "f.pcapng")) == 3


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_file_and_prints_totals(weir, tmp_path, port, sig):
    run = start(weir, "-i", "lo", "-w", tmp_path / "f.pcapng", "udp", "port", port)
    send(port, 4)
    err = finish(run, sig)
    assert "captured" in err and "received by filter" in err and "dropped by kernel" in err
    assert len(lines(weir, tmp_path / "f.pcapng")) == 4


def test_interfaces_are_listed(weir):
    run = weir("capture", "-D")
    assert run.returncode == 0 and "lo" in run.out


@pytest.mark.parametrize("args", [
    ["-i", "nosuchlink0", "-w", "f"],
    ["-i", "lo", "-w", "f", "no", "such", "filter"],
    ["-i", "lo", "-w", "/nonexistent/folder/f"],
    ["-i", "lo", "-a", "moons:3", "-w", "f"],
])
def test_what_cannot_be_is_refused(weir, tmp_path, args):
    run = weir("capture", *args, cwd=tmp_path)
    assert run.returncode == 2 and "weir capture: " in run.err


# Links of their own: a veth pair carries nothing but what a test sends.


@pytest.fixture
def pair():
    """Two names of a veth pair in this network namespace."""
    names = f"wt{os.getpid() % 10000}a", f"wt{os.getpid() % 10000}b"
    made = subprocess.run(["ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1]], capture_output=True) \
        if shutil.which("ip") else None
    if not made or made.returncode:
        pytest.skip("no veth pair can be made here")
    for name in names:
        quiet = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
        if quiet.exists():
            quiet.write_text("1")
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
    yield names
    subprocess.run(["ip", "link", "del", names[0]])


def send_frames(link, n):
    """Ethernet frames of a local experimental type."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((link, 0))
    for i in range(n):
        s.send(b"\x02\0\0\0\0\1\x02\0\0\0\0\2\x88\xb5" + b"frame %3d " % i * 10)
    s.close()


def finish(run, sig=signal.SIGINT):
    """What it says at its end, which what was sent before has reached."""
    run.send_signal(sig)
    err = run.communicate(timeout=LONG)[1]
    assert run.returncode == 0, err
    return err


@pytest.mark.parametrize("args", [["-G", 2, "-W", 1], ["-a", "duration:2"]])
def test_a_silent_link_does_not_hold_the_clock(weir, tmp_path, pair, args):
    quickest(lambda: seconds_of(weir, 1.9, "-i", pair[0], *args, "-w", tmp_path / "f.pcapng"), 3.5)
    assert lines(weir, tmp_path / "f.pcapng") == []


def test_counts_agree_and_others_read_the_file(weir, tmp_path, pair):
    run = start(weir, "-i", pair[0], "-w", tmp_path / "f.pcapng")
    send_frames(pair[1], 500)
    assert "500 packets captured" in finish(run)
    assert len(lines(weir, tmp_path / "f.pcapng")) == 500
    for tool in ["tshark", "-r"], ["capinfos", "-c", "-M"]:
        if not shutil.which(tool[0]):
            continue
        other = subprocess.run([*tool, tmp_path / "f.pcapng"], capture_output=True, text=True)
        assert other.returncode == 0 and "500" in other.stdout
        assert not [x for x in other.stderr.splitlines() if x and "Running as user" not in x]


@pytest.mark.parametrize("options", [[], ["-U"]])
def test_who_is_kept_from_looking_loses_nothing(weir, tmp_path, pair, options):
    run = start(weir, "-i", pair[0], *options, "-w", tmp_path / "f.pcapng")
    run.send_signal(signal.SIGSTOP)
    send_frames(pair[1], 500)
    run.send_signal(signal.SIGCONT)
    assert "0 packets dropped by kernel" in finish(run)
    assert len(lines(weir, tmp_path / "f.pcapng")) == 500


@pytest.mark.parametrize("way,n", [("in", 7), ("out", 4), ("inout", 11)])
def test_a_direction_is_kept(weir, tmp_path, pair, way, n):
    run = start(weir, "-i", pair[0], "-Q", way, "-w", tmp_path / "f.pcapng")
    send_frames(pair[1], 7)
    send_frames(pair[0], 4)
    finish(run)
    assert len(lines(weir, tmp_path / "f.pcapng")) == n


def test_files_of_so_many_packets_make_a_ring(weir, tmp_path, pair):
    run = start(weir, "-i", pair[0], "-b", "packets:10", "-b", "files:3", "-w", tmp_path / "f.pcapng")
    send_frames(pair[1], 55)
    finish(run)
    files = sorted(tmp_path.iterdir())
    assert [f.name.split("_")[1] for f in files] == ["00004", "00005", "00006"]
    assert [len(lines(weir, f)) for f in files] == [10, 10, 5]


def test_names_of_complete_files_are_told(weir, tmp_path, pair):
    (tmp_path / "files").mkdir()
    run = start(weir, "-i", pair[0], "-b", "packets:10", "-b", f"printname:{tmp_path}/names", "-w", tmp_path / "files" / "f.pcapng", "-Z", "root")
    send_frames(pair[1], 25)
    finish(run)
    assert (tmp_path / "names").read_text().splitlines() == sorted(str(f) for f in (tmp_path / "files").iterdir())


def test_a_ring_of_sizes_within_each_time_as_tcpdump_has_it(weir, tmp_path, pair):
    run = start(weir, "-i", pair[0], "-G", "60", "-C", "4k", "-W", "3", "-w", tmp_path / "f-%H.pcapng", "-Z", "root")
    send_frames(pair[1], 200)
    finish(run)
    assert {f.name.rpartition(".pcapng")[2] for f in tmp_path.iterdir()} == {"0", "1", "2"}


def test_files_of_a_size_lose_nothing(weir, tmp_path, pair):
    run = start(weir, "-i", pair[0], "-C", "4k", "-w", tmp_path / "f.pcapng", "-Z", "root")
    send_frames(pair[1], 100)
    finish(run)
    files = list(tmp_path.iterdir())
    assert len(files) > 2 and sum(len(lines(weir, f)) for f in files) == 100


def test_an_interval_ends_files_on_the_clock(weir, tmp_path, pair):
    run = start(weir, "-i", pair[0], "-b", "interval:1", "-w", tmp_path / "f.pcapng")
    until(lambda: len(list(tmp_path.iterdir())) >= 3)
    send_frames(pair[1], 3)
    finish(run)
    files = list(tmp_path.iterdir())
    assert sum(len(lines(weir, f)) for f in files) == 3


def test_totals_are_told_while_it_goes_on(weir, tmp_path, pair):
    run = start(weir, "-i", pair[0], "-w", tmp_path / "f.pcapng")
    send_frames(pair[1], 6)
    told = ""
    while not told.startswith("weir: 6 packets captured, 6 packets received"):  # the kernel hands them out when it likes
        run.send_signal(signal.SIGUSR1)
        told = line_of(run.stderr)
        assert re.match("weir: [0-9]+ packets? captured, ", told)
    err = finish(run)
    assert "6 packets captured\n" in err


def test_privileges_are_given_up(weir, tmp_path, pair):
    if os.geteuid():
        pytest.skip("not root: nothing to give up")
    for args, uid in (["-Z", "nobody"], "65534"), ([], None), (["-Z", "root"], "0"):
        os.chmod(tmp_path, 0o777)
        run = start(weir, "-i", pair[0], *args, "-w", tmp_path / "f.pcapng")
        uids = [x.split()[1:] for x in Path(f"/proc/{run.pid}/status").read_text().splitlines() if x.startswith("Uid:")][0]
        finish(run)
        assert uid is None or set(uids) == {uid}
        assert uid is not None or "0" not in uids


def test_a_pipe_into_read_shows_the_packets(weir, pair):
    script = f"'{weir.path}' capture -i {pair[0]} -c 5 -w - 2>/dev/null | '{weir.path}' read -n -r -"
    run = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    def one_more():  # how soon it listens is not known from outside
        send_frames(pair[1], 1)
        return run.poll() is not None
    until(one_more, step=0.1)
    out, err = run.communicate(timeout=LONG)
    assert run.returncode == 0 and len(out.splitlines()) == 5 and not err


# Decoded, live


@pytest.mark.parametrize("command", [["capture"], ["read"], ["read", "-V"], ["read", "-T", "fields", "-e", "frame.number"]])
def test_decoded_packets_come_as_they_are_seen(weir, pair, command):
    run = listening(subprocess.Popen([weir.path, *command, "-n", "-i", pair[0]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    send_frames(pair[1], 1)
    assert run.stdout.readline()  # before anything ends
    send_frames(pair[1], 2)
    assert "3 packets captured" in finish(run)


@pytest.mark.parametrize("form", ["json", "pdml", "jsonl"])
def test_documents_are_whole_after_an_interrupt(weir, pair, form):
    run = start_read(weir, "-i", pair[0], "-T", form)
    send_frames(pair[1], 3)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=LONG)
    assert run.returncode == 0 and "3 packets captured" in err
    if form == "pdml":
        assert len(tree.fromstring(out).findall("packet")) == 3
    else:
        assert len(json.loads(out) if form == "json" else [json.loads(x) for x in out.splitlines()]) == 3


def start_read(weir, *args):
    return listening(subprocess.Popen([weir.path, "read", *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))


def test_live_reading_ends_by_count_and_clock(weir, pair, port):
    def silent():
        began = time.monotonic()
        run = weir("read", "-i", pair[0], "-a", "duration:1")
        assert run.returncode == 0 and not run.out and "0 packets captured" in run.err
        return time.monotonic() - began
    quickest(silent, 2.5)
    run = start_read(weir, "-n", "-i", "lo", "-c", 2, "udp", "port", port)
    send(port, 4)
    out, err = run.communicate(timeout=LONG)
    assert run.returncode == 0 and len(out.splitlines()) == 2 and f" {port} " in out and "2 packets captured" in err


def test_an_mqtt_conversation_is_decoded_live(weir):
    broker = shutil.which("mosquitto") or (Path("/usr/sbin/mosquitto").exists() and "/usr/sbin/mosquitto")
    if not broker or not shutil.which("mosquitto_pub"):
        pytest.skip("mosquitto is not installed")
    port = free_port()
    serving = subprocess.Popen([broker, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        run = start_read(weir, "-i", "lo", "-T", "fields", "-e", "mqtt.topic", "-l", "tcp", "port", port)
        subprocess.run(["mosquitto_pub", "-p", str(port), "-t", "a/b", "-m", "hi"], check=True, timeout=LONG)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=LONG)
    finally:
        serving.terminate()
        serving.wait()
    assert run.returncode == 0, err
    assert "a/b" in out.splitlines()
