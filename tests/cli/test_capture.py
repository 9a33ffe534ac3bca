# SPDX-License-Identifier: Apache-2.0
"""weir capture on loopback: what stops it, what it says, and that its files are whole."""
import os
import signal
import socket
import subprocess
import time

import pytest


def may_capture():
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
        return "capture" in subprocess.run([os.environ.get("WEIR", "build/weir"), "--help=words"], capture_output=True,
                                           text=True).stdout.split()
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not may_capture(), reason="no right to capture")


@pytest.fixture
def port():
    """A UDP port of loopback that nobody else uses."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    yield s.getsockname()[1]
    s.close()


def start(weir, *args):
    run = subprocess.Popen([weir.path, "capture", *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.7)
    return run


def send(port, n):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(n):
        s.sendto(b"datagram %d" % i, ("127.0.0.1", port))
    s.close()


def lines(weir, file):
    run = weir("read", "-n", "-r", file)
    assert run.returncode == 0, run.err
    return run.out.splitlines()


def test_a_silent_link_ends_by_the_clock(weir, tmp_path, port):
    began = time.monotonic()
    run = weir("capture", "-i", "lo", "-a", "duration:1", "-w", tmp_path / "f.pcapng", "udp", "port", port)
    assert run.returncode == 0, run.err
    assert 0.9 < time.monotonic() - began < 3
    assert lines(weir, tmp_path / "f.pcapng") == []


def test_rotation_on_a_silent_link_ends_by_the_clock(weir, tmp_path, port):
    began = time.monotonic()
    run = weir("capture", "-i", "lo", "-G", 1, "-W", 1, "-w", tmp_path / "f-%s.pcapng", "udp", "port", port)
    assert run.returncode == 0, run.err
    assert 0.5 < time.monotonic() - began < 3
    assert len(list(tmp_path.iterdir())) == 1


def test_a_count_ends_it(weir, tmp_path, port):
    run = start(weir, "-i", "lo", "-c", 3, "-w", tmp_path / "f.pcapng", "udp", "port", port)
    send(port, 5)
    assert run.wait(10) == 0, run.stderr.read()
    assert len(lines(weir, tmp_path / "f.pcapng")) == 3


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_file_and_prints_totals(weir, tmp_path, port, sig):
    run = start(weir, "-i", "lo", "-w", tmp_path / "f.pcapng", "udp", "port", port)
    send(port, 4)
    time.sleep(0.5)
    run.send_signal(sig)
    err = run.communicate(timeout=10)[1]
    assert run.returncode == 0, err
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
