#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Display filters against what is known of them: `filters.py --weir build/weir CASES.jsonl`.

A line of CASES is an object: filter; capture (a path beside the folder of CASES, null for none); kind: `count` with
expect_count packets, and `frames` where it lists them, `succeed` or `fail`. Cases whose field or protocol Weir does not know
are counted and listed, not failed: they are not about the language. Exit 1 where others fail, 77 (skipped) without CASES
or their captures."""
import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

UNKNOWN = "there is no field or protocol"


def asked(weir, folder, case):
    """(frames, status, stderr) of weir for a case."""
    if case["capture"]:
        argv = ["read", "-n", "-r", str(folder / case["capture"]), "-T", "fields", "-e", "frame.number", "-Y", case["filter"]]
    else:
        argv = ["read", "--explain-filter", "-Y", case["filter"]]
    run = subprocess.run([weir, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                         env={**os.environ, "TZ": "UTC"})
    return [int(n) for n in run.stdout.split()] if case["capture"] else [], run.returncode, run.stderr


def wrong(case, frames, status):
    """What differs from what the case expects, or nothing."""
    if case["kind"] == "fail":
        return "" if status == 2 else "is not refused"
    if status:
        return "is refused"
    if case["kind"] == "succeed":
        return ""
    if case.get("frames") is not None and frames != case["frames"]:
        return f"gives frames {frames[:20]}, expected {case['frames'][:20]}"
    return "" if len(frames) == case["expect_count"] else f"gives {len(frames)} packets, expected {case['expect_count']}"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--weir", required=True)
    p.add_argument("--known", type=Path, help="a list of filters, each with a capture's name before it, that are known to differ and why")
    p.add_argument("cases", type=Path)
    args = p.parse_args()
    if not args.cases.exists():
        sys.exit(77)
    known = [line.split("\t")[:2] for line in args.known.read_text().splitlines() if line and line[0] != "#"] if args.known else []
    folder, bad, foreign, told = args.cases.parent.parent, 0, [], 0
    cases = [json.loads(line) for line in args.cases.read_text().splitlines()]
    if not any((folder / case["capture"]).exists() for case in cases if case["capture"]):
        sys.exit(77)
    for case in cases:
        frames, status, err = asked(args.weir, folder, case)
        why = wrong(case, frames, status)
        if why and UNKNOWN in err:
            foreign.append(err.split("'")[1])
        elif why and [Path(case["capture"] or "-").name, case["filter"]] in known:
            told += 1
        elif why:
            bad += 1
            print(f"{case['capture']}: {case['filter']}: {why} {err.strip()}")
    print(f"{len(cases)} cases, {bad} wrong, {told} known to differ, {len(foreign)} of fields Weir does not know: {sorted(set(foreign))}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
