# SPDX-License-Identifier: Apache-2.0
"""Every lesson plays to its end, in three languages, in time, and leaves nothing but what one goes on with."""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from machine import may_capture
from waiting import LONG, until

WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))
PO = Path(__file__).resolve().parents[2] / "po"
SAID = {  # what shows that the point of the lesson came across, whatever the language
    "tcp": ["FIN, ACK", '"hoge\\n"', "RST", "weir craft tcp"],
    "mqtt": ["PUBLISH topic/001", "home/meter/power", "device/pump-7/status", "Response Topic", "listener"],
    "https": ["Client Hello device.example", "GET /reading", "TLS 1.3"],
    "volume": ["127.0.0.2", "127.0.0.3", "plant/pump-7/temp"],
    "stopped": ["201", "tcp.handshake-reset-by-client", '"hoge"'],
    "guard": ["no-sql", "no-reboot", "secret", "home/garden/fountain on", "MQTT_FX_Client_9iuy876555"],
}
KEPT = {
    "tcp": ["hand.pcapng", "tcp.pcapng", "trap.pcapng"],
    "mqtt": ["mqtt.pcapng"],
    "https": ["keys.log", "older.pcapng", "readable.pcapng", "server.key", "today.pcapng"],
    "volume": ["data.db", "monday.pcapng", "public.pcapng", "tuesday.pcapng"],
    "stopped": ["bad.pcapng", "data.db", "fixed.pcapng", "good.pcapng"],
    "guard": ["bytes.pcapng", "guard.yaml", "guarded.pcapng"],
}
NEEDS = {"tcp": ["nc", "nft"], "mqtt": ["mosquitto_pub"], "https": ["curl", "openssl"], "volume": ["mosquitto_pub", "curl"],
         "stopped": ["nc", "nft"], "guard": ["mosquitto_pub", "nc"]}


pytestmark = pytest.mark.skipif(not may_capture(), reason="no right to capture")


def need(name):
    gone = [p for p in NEEDS[name] if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin")]
    if gone:
        pytest.skip(f"needs {', '.join(gone)}")


def play(name, tmp_path, *options, timeout=180, **env):
    need(name)
    begun = time.time()
    run = subprocess.run([WEIR, "lesson", name, *options], env={**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "100", **env},
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
    run.seconds = time.time() - begun
    return run


def running(folder):
    """Command lines and working folders of processes that name the folder."""
    found = []
    for p in Path("/proc").glob("[0-9]*"):
        try:
            text = (p / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace") + os.readlink(p / "cwd")
        except OSError:
            continue
        if str(folder) in text:
            found.append(text)
    return found


def sentences(name, lang):
    """What the lesson's source says, in a language."""
    source = (PO.parent / f"src/app/lesson/lesson_{name}.c").read_text()
    marked = ["".join(json.loads(x) for x in re.findall(r'"(?:[^"\\]|\\.)*"', m)) for m in re.findall(r'N_\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)', source)]
    if lang == "en":
        return marked
    pairs = dict(re.findall(r'^msgid (".*")\nmsgstr (".*")$', (PO / f"{lang}.po").read_text(encoding="utf-8"), re.M))
    pairs = {json.loads(k): json.loads(v) for k, v in pairs.items()}
    return [pairs[m] for m in marked]


@pytest.mark.parametrize("lang", ["en", "ja", "zh_CN"])
@pytest.mark.parametrize("name", sorted(SAID))
def test_lesson(name, lang, tmp_path):
    if lang != "en" and not (Path(WEIR).parent / "po").exists():
        pytest.skip("built without msgfmt")
    run = play(name, tmp_path, "--yes", "--lang", lang)
    assert run.returncode == 0, run.stderr + run.stdout[-2000:]
    assert run.stderr == ""
    assert run.seconds < 60
    for text in SAID[name]:
        assert text in run.stdout, text
    flat = re.sub(r"\s+", "", run.stdout)
    said = [s for s in sentences(name, lang) if re.sub(r"\s+", "", s) in flat]
    unsaid = [s for s in sentences(name, "en") if re.match("[a-z]", s)]  # failures, and what only the sample says
    assert len(said) >= len(sentences(name, lang)) - len(unsaid) - 1
    (folder,) = tmp_path.iterdir()
    assert sorted(f.name for f in folder.iterdir()) == KEPT[name]
    assert not running(tmp_path)


def test_what_the_lessons_show_is_true(tmp_path):
    """The commands at the end of a lesson work as typed."""
    run = play("stopped", tmp_path, "--yes", "--lang", "en")
    (folder,) = tmp_path.iterdir()
    commands = run.stdout.split("To go on:")[1].strip().splitlines()
    assert commands[0].strip() == f"cd {folder}"
    first = subprocess.run(commands[1], shell=True, cwd=folder, capture_output=True, text=True, timeout=LONG)
    assert first.returncode in (0, 1) and "fixed.pcapng" in first.stdout + first.stderr or first.returncode == 0
    listed = subprocess.run([WEIR, "lab", "sink", "--list", "--json", "--store", folder / "data.db"], capture_output=True, timeout=LONG)
    assert [g["text"] for g in json.loads(listed.stdout)] == ["hoge", "hoge"]  # of three runs one was lost


def test_the_list_names_every_lesson():
    run = subprocess.run([WEIR, "lesson"], capture_output=True, text=True, timeout=LONG)
    assert run.returncode == 0
    assert all(f"weir lesson {name}" in run.stdout for name in SAID)


def test_bad_use():
    for words, text in ((["tpc"], "did you mean"), (["astronomy"], "lists them"), (["tcp", "mqtt"], "one lesson")):
        run = subprocess.run([WEIR, "lesson", *words], capture_output=True, text=True, timeout=LONG)
        assert run.returncode == 2 and text in run.stderr and len(run.stderr.splitlines()) == 1


def test_missing_programs_are_told_with_the_remedy(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    run = subprocess.run([WEIR, "lesson", "https"], env={"PATH": str(empty)}, capture_output=True, text=True, timeout=LONG)
    if run.returncode == 0:
        pytest.skip("curl and openssl stand in the folders of the system")
    assert run.returncode == 2 and "sudo apt install" in run.stderr and len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize("when", [0, 1.0])  # seconds after it has its folder
def test_an_interrupt_leaves_nothing_behind(tmp_path, when):
    need("tcp")
    run = subprocess.Popen([WEIR, "lesson", "tcp", "--yes"], env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
    until(lambda: list(tmp_path.iterdir()) or run.poll() is not None)
    time.sleep(when)
    run.send_signal(signal.SIGINT)
    err = run.communicate(timeout=LONG)[1]
    assert run.returncode == -signal.SIGINT, err
    assert not err and not running(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_person_is_waited_for(tmp_path):
    """On a terminal a question waits for Enter before it is answered."""
    need("tcp")
    leader, follower = pty.openpty()
    run = subprocess.Popen([WEIR, "lesson", "tcp", "--lang", "en"], env={**os.environ, "TMPDIR": str(tmp_path), "TERM": "xterm"}, stdin=follower,
                           stdout=follower, stderr=follower)
    os.close(follower)
    seen, asked, end = b"", 0, time.time() + 180
    while time.time() < end:
        ready = select.select([leader], [], [], 0.7)[0]
        if ready:
            try:
                part = os.read(leader, 65536)
            except OSError:
                break
            if not part:
                break
            seen += part
        elif seen.rstrip().endswith(b"(Enter goes on)\x1b[0m"):
            asked += 1
            os.write(leader, b"\n")
    assert run.wait(LONG) == 0
    assert asked == 3 and b"\x1b[" in seen
    os.close(leader)
