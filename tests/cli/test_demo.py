# SPDX-License-Identifier: Apache-2.0
"""weir demo, as far as it goes without rights, and with them where the tests have them."""
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from machine import may_capture
from waiting import LONG, until


def may_play():
    """Whether the lesson can be played, not only shown."""
    return may_capture() and shutil.which("mosquitto_pub") and (shutil.which("mosquitto") or Path("/usr/sbin/mosquitto").exists())


def running(folder):
    """Command lines of processes that name the folder."""
    found = []
    for p in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = p.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_the_sample_is_shown_when_asked(weir, tmp_path):
    run = weir("demo", "--sample", env={**os.environ, "TMPDIR": str(tmp_path)})
    assert run.returncode == 0, run.err
    assert "Publish Message" in run.out and "home/door/lock" in run.out
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not may_play(), reason="no right to capture, or no mosquitto")
def test_the_conversation_is_captured_and_read(weir, tmp_path):
    run = weir("demo", env={**os.environ, "TMPDIR": str(tmp_path)})
    assert run.returncode == 0, run.err
    for text in "home/meter/power", "home/door/state", "home/door/lock", "device/pump-7/status", "Response Topic":
        assert text in run.out, text
    (folder,) = tmp_path.iterdir()
    assert [f.name for f in folder.iterdir()] == ["mqtt.pcapng"]
    assert not running(tmp_path)


@pytest.mark.skipif(not may_play(), reason="no right to capture, or no mosquitto")
def test_an_interrupt_leaves_nothing_behind(weir, tmp_path):
    run = subprocess.Popen([weir.path, "demo"], env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
    until(lambda: running(tmp_path) or run.poll() is not None)  # others have been started
    run.send_signal(signal.SIGINT)
    err = run.communicate(timeout=LONG)[1]
    assert run.returncode == -signal.SIGINT, err
    assert not err and not running(tmp_path)
    assert not list(tmp_path.iterdir())
