# SPDX-License-Identifier: Apache-2.0
"""What holds for every command: help, versions, errors of one line, exit status."""
import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
import unicodedata

import pytest

WEIR = os.environ.get("WEIR", "build/weir")
COMMANDS = subprocess.run([WEIR, "--help=words"], capture_output=True, text=True).stdout.split()[:-1]


def one_line_error(run):
    assert run.returncode == 2
    assert run.err.count("\n") == 1 and run.err.startswith("weir"), run.err
    assert not run.out


def test_no_argument_shows_three_examples(weir):
    run = weir()
    assert run.returncode == 0
    assert run.out.count("\n  weir ") == 3


def test_help_lists_every_command(weir):
    out = weir("--help").out
    assert all(f"\n  {c} " in out for c in COMMANDS)


def test_version(weir):
    run = weir("--version")
    assert run.returncode == 0 and run.out.startswith("weir ")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(weir, command):
    by_option, by_word = weir(command, "--help"), weir("help", command)
    assert by_option.returncode == 0 and by_option.out == by_word.out
    assert "Usage: weir " + command in by_option.out and "--help" in by_option.out


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_one_line(weir, command):
    one_line_error(weir(command, "--no-such-option"))


def test_unknown_words_suggest_the_nearest(weir):
    run = weir("raed")
    one_line_error(run)
    assert "weir read" in run.err
    run = weir("fields", "--jsno")
    one_line_error(run)
    assert "--json" in run.err


def test_a_missing_file_is_one_line(weir, tmp_path):
    run = weir("read", "-r", tmp_path / "nothing.pcap")
    one_line_error(run)
    assert "nothing.pcap" in run.err


def test_an_empty_file_and_garbage_are_refused(weir, tmp_path):
    for data in b"", b"\0" * 100, b"not a capture at all, really" * 10:
        (tmp_path / "f").write_bytes(data)
        run = weir("read", "-r", tmp_path / "f")
        assert run.returncode == 2 and run.err


def test_a_cut_file_gives_what_was_readable(weir, sample, tmp_path):
    whole = open(sample, "rb").read()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2 + 1])
    run = weir("read", "-n", "-r", tmp_path / "cut")
    assert run.returncode == 2 and run.err.count("\n") == 1
    assert run.out and weir("read", "-n", "-r", sample).out.startswith(run.out)


def test_reading_from_stdin_is_the_same(weir, sample):
    with open(sample, "rb") as f:
        assert weir("read", "-n", "-r", "-", stdin=f).out == weir("read", "-n", "-r", sample).out


def test_a_reader_that_goes_away_is_no_error(weir, sample):
    run = subprocess.run(f"'{weir.path}' read -V -r '{sample}' | head -1", shell=True, capture_output=True, timeout=30)
    assert run.stdout and not run.stderr


def test_fields_are_listed(weir):
    run = weir("fields")
    assert run.returncode == 0
    rows = [line.split("\t") for line in run.out.splitlines()]
    assert all(len(r) == 4 for r in rows) and ["eth.dst", "ether", "Destination", ""] in rows
    assert all(r[0].startswith("eth") for r in map(str.split, weir("fields", "eth").out.splitlines()))
    names = [f["name"] for f in json.loads(weir("fields", "--json").out)]
    assert names == [r[0] for r in rows] and len(set(names)) == len(names)


def test_fields_that_are_not_there_are_a_finding(weir):
    run = weir("fields", "eth.dts")
    assert run.returncode == 1 and "eth.dst" in run.err


@pytest.mark.parametrize("form", ["man", "words", "zsh"])
def test_the_option_table_has_other_forms(weir, form):
    for command in COMMANDS:
        run = weir(command, f"--help={form}")
        assert run.returncode == 0 and "help" in run.out


@pytest.mark.parametrize("args, words", [(["read", "-r", "x", "-w", "y"], "weir edit"), (["read", "-D"], "weir capture -D"),
                                         (["capture", "-r", "x"], "weir read"), (["capture", "-i", "lo", "-X"], "weir read")])
def test_what_an_ancestor_does_elsewhere_is_said(weir, args, words):
    run = weir(*args)
    assert run.returncode == 2 and words in run.err and run.err.count("\n") == 1


def test_stats_knows_tsharks_names(weir, sample):
    for name in ("io,phs", "conv,tcp", "endpoints,ip"):
        run = weir("stats", name, "-r", sample)
        assert run.returncode == 0 and run.out and run.out == weir("read", "-q", "-z", name, "-r", sample).out


def in_a_terminal(columns, *args, language="C.UTF-8"):
    """What a command shows in a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LC_ALL", "LANGUAGE")}
    run = subprocess.Popen([WEIR, *map(str, args)], stdout=slave, stderr=subprocess.DEVNULL, env={**env, "LANG": language, "NO_COLOR": "1"})
    os.close(slave)
    shown = b""
    while True:
        try:
            more = os.read(master, 65536)
        except OSError:
            break
        if not more:
            break
        shown += more
    os.close(master)
    run.wait(60)
    return shown.decode().replace("\r", "").split("\n")


def columns_of(line):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


@pytest.mark.parametrize("language", ["C.UTF-8", "ja_JP.UTF-8", "zh_CN.UTF-8"])
@pytest.mark.parametrize("columns", [80, 100])
def test_nothing_wraps_in_a_terminal(sample, columns, language):
    """Commands to be copied are one line, however long; everything else is folded where it does not fit."""
    tables = [["stats", what, *of, "-r", sample] for what, *of in (
        ["endpoints", "tcp"], ["endpoints", "eth"], ["conversations", "tcp"], ["conversations", "udp"], ["protocols"], ["mqtt"],
        ["volume"], ["expert"], ["rtt"], ["flags"], ["dns"], ["io"])]
    stories = [["explain", "-v", sample], ["ladder", "-v", sample], ["ladder", "--teach", sample], ["diff", sample, sample]]
    lists = [["explain", "--list"], ["fields", "mqtt"], ["lab", "net", "list"], ["--help"]]
    for args in tables + stories + lists:
        for line in in_a_terminal(columns, *args, language=language):
            assert columns_of(line) <= columns or line.lstrip().startswith("weir "), (args, line)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_a_terminal(command):
    for line in in_a_terminal(80, command, "--help"):
        assert columns_of(line) <= 80 or line.startswith(("  ", "Usage:")) and "weir" in line, line


def test_a_folded_table_loses_nothing(weir, sample):
    whole = weir("stats", "conversations", "tcp", "-r", sample).out.split()
    folded = " ".join(in_a_terminal(60, "stats", "conversations", "tcp", "-r", sample)).split()
    assert sorted(folded) == sorted(whole)


@pytest.mark.parametrize("words, better", [
    ("port 1883", "tcp.port == 1883"), ("udp port 53", "udp.port == 53"), ("dst port 80", "tcp.dstport == 80"),
    ("host 10.0.0.5", "ip.addr == 10.0.0.5"), ("src host fe80::1", "ipv6.src == fe80::1"), ("host == 5", None), ("nonsense at all", None)])
def test_words_of_a_capture_filter_where_a_display_filter_belongs(weir, sample, words, better):
    err = weir("read", "-r", sample, "-Y", words).err
    assert ("as a display filter: " in err) == (better is not None)
    if better:
        assert err.strip().endswith(": " + better)
        assert weir("read", "-r", sample, "-Y", better).returncode == 0


def test_statistics_misspelt(weir, sample):
    assert "did you mean 'endpoints'?" in weir("stats", "endpont", "ip", "-r", sample).err
