# SPDX-License-Identifier: Apache-2.0
"""Waiting for what is to happen, not for time to pass: bounds are generous, since a machine may have other things to do."""
import os
import select
import time

LONG = 60  # seconds: when it is given up


def until(what, seconds=LONG, step=0.02):
    """Returns what what() gives once that is true."""
    end = time.monotonic() + seconds
    while not (got := what()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(step)
    return got


def line_of(pipe, seconds=LONG):
    """The next line of a pipe, and no byte more of it, so that communicate() gets the rest. "" at its end."""
    line = b""
    while not line.endswith(b"\n"):
        assert select.select([pipe], [], [], seconds)[0], f"nothing was said after {line!r}"
        byte = os.read(pipe.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode(errors="replace")


def listening(run):
    """A capture that was started with its standard error in a pipe, once it captures; what it says first is in run.first.
    Where it ended instead, that is left to the test."""
    run.first = ""
    while not any(word in run.first for word in ("listening on", "Capturing on", "recording")):
        line = line_of(run.stderr)
        if not line:
            break
        run.first += line
    return run


def quickest(times, limit):
    """Something that is to be quick, done three times: a machine that stands still does not do so every time. Each of `times`
    takes seconds and gives how many."""
    took = []
    for _ in range(3):
        took.append(times())
        if took[-1] < limit:
            return
    raise AssertionError(f"not within {limit} s: {took}")
