#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs golden documents: readable pages with a capture, commands, and what the commands print.

A document is a Markdown file in this folder. Fenced blocks mean something:

    ```capture link=1            packets of a capture: a line "SECONDS HEX" starts one, indented lines go on;
    0.000000 0200 0000 0001      blanks between digits do not count, # begins a remark
      0800 4500
    0.000000+60 0200 0000        the capture left out 60 bytes of its end
    ```
    ```capture sample            or: the sample that ships with the program
    ```
    ```
    $ weir read -r CAPTURE       a command; CAPTURE stands for the file; the rest of the block is what it must print,
    ...                          on stderr with "! " before it; "[exit 2]" ends it where the status is not 0
    ```

run.py --weir build/weir [--sample FILE] [--update] [DOCUMENT...]: --update writes what is printed now into the
documents, to be read before it is committed."""
import argparse
import difflib
import re
import shlex
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.M | re.S)


def pcap(words, text):
    """A pcap file (nanoseconds) of the packets in a capture block."""
    link = int(dict(w.split("=") for w in words).get("link", 1))
    packets = []
    for line in text.splitlines():
        line = line.split("#")[0].rstrip()
        if not line:
            continue
        if line[0].isspace():
            packets[-1][1] += line.replace(" ", "")
        else:
            seconds, _, rest = line.partition(" ")
            packets.append([seconds, rest.replace(" ", "")])
    out = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, link)
    for seconds, digits in packets:
        seconds, _, cut = seconds.partition("+")
        whole, _, part = seconds.partition(".")
        data = bytes.fromhex(digits)
        out += struct.pack("<IIII", int(whole), int(part.ljust(9, "0")[:9] or 0), len(data), len(data) + int(cut or 0)) + data
    return out


def printed(command, weir, capture, folder):
    argv = [str(capture) if w == "CAPTURE" else w for w in shlex.split(command)]
    if argv[0] != "weir":
        sys.exit(f"golden: only weir commands: {command}")
    run = subprocess.run([str(weir)] + argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         cwd=folder, timeout=120, env={"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8"})
    out, err = run.stdout.decode(errors="replace"), run.stderr.decode(errors="replace")
    lines = out.splitlines() + ["! " + line for line in err.splitlines()]
    text = "\n".join(line.rstrip().replace(str(capture), "CAPTURE") for line in lines)
    return text + (f"\n[exit {run.returncode}]" if run.returncode else "")


def renewed(doc, args, folder):
    """The document as it would read if everything printed were right."""
    capture = folder / "capture"

    def block(m):
        head, body = m[1].split(), m[2]
        if head[:1] == ["capture"]:
            capture.write_bytes(Path(args.sample).read_bytes() if head[1:] == ["sample"] else pcap(head[1:], body))
        elif body.startswith("$ weir"):
            command = body.splitlines()[0]
            now = printed(command[2:], args.weir, capture, folder)
            return f"```{m[1]}\n{command}\n{now}\n```" if now else f"```{m[1]}\n{command}\n```"
        return m[0]

    return FENCE.sub(block, doc)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--weir", type=Path, required=True)
    ap.add_argument("--sample")
    ap.add_argument("--update", action="store_true")
    ap.add_argument("documents", nargs="*", type=Path)
    args = ap.parse_args()
    args.weir = args.weir.resolve()
    bad = 0
    documents = args.documents or sorted(p for p in HERE.glob("*.md"))
    for path in documents:
        doc = path.read_text()
        with tempfile.TemporaryDirectory() as folder:
            new = renewed(doc, args, Path(folder))
        if args.update and new != doc:
            path.write_text(new)
            print(f"updated {path.name}")
        elif new != doc:
            bad += 1
            sys.stdout.writelines(difflib.unified_diff(doc.splitlines(True), new.splitlines(True), path.name, "printed now"))
    print(f"{len(documents) - bad} documents as expected, {bad} not")
    sys.exit(1 if bad else 0)


main()
