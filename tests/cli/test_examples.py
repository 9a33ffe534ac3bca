# SPDX-License-Identifier: Apache-2.0
"""Every example of the README files, of docs/ and of --help: its options exist, and what needs neither rights nor network nor a
server works as typed, on a capture of the name it uses."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))
SAMPLE = os.path.abspath(os.environ.get("WEIR_SAMPLE", "build/sample.pcapng"))
ROOT = Path(__file__).resolve().parents[2]
COMMANDS = subprocess.run([WEIR, "--help=words"], capture_output=True, text=True).stdout.split()[:-1]
PAGES = [*ROOT.glob("README*.md"), *sorted((ROOT / "docs").glob("*.md"))]

CAPTURES = "capture mqtt good bad in yesterday monday tuesday today traffic out public publish readable edited scan x 20261121T055404-7".split()
# What takes packets from an interface, waits for somebody, or speaks to a server.
LIVE = re.compile(
    r"weir (capture|run|serve|peek|extcap|demo|lesson|lab)\b|weir craft (tcp|mqtt)\b|--send|--answer|--replay --speed|--replay$"
    r"| -i [a-z]|--listen|guard -c|--broker|-r - |\bFILE\b|EXPRESSION|COMMAND"
)


def lines_of_page(path):
    inside = re.findall(r"^    (?:\$ )?(.*)$", path.read_text(encoding="utf-8"), re.M)
    return [line for line in inside if re.match(r"(sudo |[a-z].* \| (sudo )?)?(build/)?weir ", line)]


def lines_of_help(command):
    out = subprocess.run([WEIR, *command.split(), "--help"], capture_output=True, text=True).stdout
    return [line.strip() for line in out.partition("\nExamples:\n")[2].splitlines() if "weir " in line]


def plain(line):
    """The command without sudo, the folder, a remark behind it, and what stands for something else."""
    line = re.split(r"\s{2,}|\s+#\s", line)[0].strip()
    line = re.sub(r"\bsudo ", "", line).replace("build/weir", "weir").replace('"$(pidof -s mosquitto)"', "1")
    return re.sub(r"\b(\w+)\|[\w|]+", r"\1", line)  # one of several


def examples():
    found = {}
    for page in PAGES:
        for line in lines_of_page(page):
            found.setdefault(plain(line), str(page.relative_to(ROOT)))
    for command in [*COMMANDS, "lab echo", "lab sink", "lab net", "craft tcp", "craft mqtt"]:
        for line in lines_of_help(command):
            found.setdefault(plain(line), command + " --help")
    return sorted((where, line) for line, where in found.items() if not re.search(r"\.\.\.|…|\[options\]", line))


EXAMPLES = examples()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the examples read."""
    where = tmp_path_factory.mktemp("examples")
    (where / "bin").mkdir()
    (where / "bin" / "weir").symlink_to(WEIR)
    for name in CAPTURES:
        shutil.copy(SAMPLE, where / f"{name}.pcapng")
    shutil.copy(SAMPLE, where / "monday.pcap")
    (where / "keys.log").write_text(f"CLIENT_RANDOM {'00' * 32} {'11' * 48}\n")
    if shutil.which("openssl"):
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", where / "server.pem", "2048"], capture_output=True)
    example = subprocess.run([WEIR, "guard", "--example"], capture_output=True, text=True).stdout
    (where / "guard.yaml").write_text(example)
    return where


def test_there_are_examples():
    assert len(EXAMPLES) > 120
    assert {where for where, _ in EXAMPLES} >= {"README.md", "docs/stats.md", "explain --help"}


def in_shell(place, line):
    env = {**os.environ, "PATH": f"{place}/bin:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    return subprocess.run(["bash", "-c", "set -o pipefail; " + line], cwd=place, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("where, line", EXAMPLES)
def test_example(where, line, place):
    programs = set(re.findall(r"(?:^|\| )(\w+)", line)) - {"weir"}
    if any(not shutil.which(p) for p in programs):
        pytest.skip(f"needs {programs}")
    if LIVE.search(line):  # its options, and no more: --help is given before they are obeyed
        part = next(p for p in re.split(r" \| |; ", line) if p.startswith("weir "))
        command, dashes, behind = part.partition(" -- ")
        command = re.sub(r" [>&<].*", "", command)
        done = in_shell(place, f"{command} --help")
        assert done.returncode == 0 and "Usage: weir" in done.stdout, done.stderr
        return
    done = in_shell(place, line)
    assert done.returncode in (0, 1), done.stderr
    assert "unknown option" not in done.stderr and "--help" not in done.stderr, done.stderr
