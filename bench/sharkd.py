# SPDX-License-Identifier: Apache-2.0
"""Ask sharkd, Wireshark's server without a window, over its standard input; and weir serve the same things."""
import base64
import http.client
import json
import os
import re
import subprocess
import urllib.parse


def usage(pid):
    """Processor seconds so far and peak memory in MiB of a running process."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    with open(f"/proc/{pid}/status") as f:
        peak = int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])
    return (int(fields[11]) + int(fields[12])) / 100, peak / 1024


class Sharkd:
    def __init__(self, program="sharkd"):
        self.run = subprocess.Popen([program, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.n = 0

    def __call__(self, method, **params):
        self.n += 1
        self.run.stdin.write(json.dumps({"jsonrpc": "2.0", "id": self.n, "method": method, "params": params}) + "\n")
        self.run.stdin.flush()
        answer = json.loads(self.run.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def rows(self, **query):
        """No., time, source, destination, protocol, length and info of frames."""
        return [r["c"] for r in self("frames", **query)]

    def colours(self, **query):
        """Background colour of frames, as its rules give it; None: no rule fits."""
        return [r.get("bg") for r in self("frames", **query)]

    def taps(self, *names):
        got = self("tap", **{f"tap{i}": n for i, n in enumerate(names)}).get("taps", [])
        return {t["tap"]: t.get("hosts", t.get("convs", [])) for t in got}

    def follow(self, proto, stream):
        """Pieces of a conversation: frame, side, bytes."""
        got = self("follow", follow=proto.upper(), filter=f"{proto}.stream=={stream}")
        return [(p["n"], p.get("s", 0), base64.b64decode(p["d"])) for p in got.get("payloads", [])]

    def close(self):
        self.run.kill()
        self.run.wait()
        self.run.stdin.close()
        self.run.stdout.close()


class Weir:
    def __init__(self, program, folder, *files):
        rights = [] if os.geteuid() else ["-Z", "root"]  # the folder is root's then
        self.run = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0", "--dir", folder, *rights, *files], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = int(re.search(r":(\d+)/", self.run.stdout.readline())[1])

    def open(self, path, **query):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        c.request("GET", "/v1/captures/" + path + "?" + urllib.parse.urlencode(query))
        return c.getresponse()

    def __call__(self, path, **query):
        with self.open(path, **query) as r:
            body = r.read()
        if r.status != 200:
            raise RuntimeError(body)
        return json.loads(body)

    def rows(self, name, **query):
        keys = ("no", "time", "source", "destination", "protocol", "length", "info")
        return [[str(r[k]) for k in keys] for r in self(name + "/frames", **query)["frames"]]

    def table(self, name, kind, of):
        return self(f"{name}/stats/{kind}/{of}")["tables"][0]["rows"]

    def follow(self, name, proto, stream):
        return [(p["frame"], p["side"], bytes.fromhex(p["hex"])) for p in self(f"{name}/follow/{proto}/{stream}")["pieces"]]

    def close(self):
        self.run.terminate()
        self.run.wait()
        self.run.stdout.close()
