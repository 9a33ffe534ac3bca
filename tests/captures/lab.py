# SPDX-License-Identifier: Apache-2.0
"""A server of captures on demand, and clients and devices for it."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

from waiting import LONG, until

WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))
SINK = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # a port of this process alone, where somebody listens
SINK.bind(("127.0.0.1", 0))
PORT = SINK.getsockname()[1]
OURS = f"udp port {PORT}"  # the filter that shows its packets
OVER = ("DONE", "FAILED", "STOPPED")


class Server:
    def __init__(self, folder, *args, netns=None, port=0, listen="127.0.0.1"):
        self.folder, self.args = folder, args
        self.err = open(f"{folder}.log", "a+")
        inside = ["ip", "netns", "exec", netns] if netns else []
        self.run = subprocess.Popen([*inside, WEIR, "serve", "--dir", folder, "--listen", f"{listen}:{port}", *args],
                                    stdout=subprocess.PIPE, stderr=self.err, text=True)
        self.line = self.run.stdout.readline().strip()
        m = re.match(r"(https?)://\[?([^/\]]+?)\]?:(\d+)/(?:#token=(\w+))?$", self.line)
        assert m, (self.line, open(f"{folder}.log").read())
        self.scheme, self.port, self.token = m[1], int(m[3]), m[4]
        self.url = f"{m[1]}://127.0.0.1:{m[3]}"

    def __call__(self, method, path, body=None, **headers):
        """status, headers, body; json where it is."""
        if self.scheme == "https":
            c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=LONG, context=ssl._create_unverified_context())
        else:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        c.request(method, path, data, {k.replace("_", "-"): v for k, v in headers.items()})
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, r.headers, json.loads(text) if "json" in (r.headers["Content-Type"] or "") else text

    def start(self, device, want=201, **body):
        body.setdefault("duration", 600)
        body.setdefault("interface", "lo")
        status, headers, got = self("POST", f"/v1/devices/{device}/captures", body)
        assert status == want, got
        if want == 201:
            assert headers["Location"] == f"/v1/sessions/{got['id']}"
        return got

    def get(self, ident, **headers):
        status, _, got = self("GET", f"/v1/sessions/{ident}", **headers)
        assert status == 200, got
        return got

    def until(self, ident, *states, **headers):
        """The capture once it is in one of the states."""
        end = time.monotonic() + LONG
        while (got := self.get(ident, **headers))["state"] not in states:
            assert got["state"] not in OVER and time.monotonic() < end, got
            time.sleep(0.05)
        return got

    def capturing(self, device, **body):
        return self.until(self.start(device, **body)["id"], "CAPTURING")

    def has(self, got, n):
        """Once so many packets are in its file."""
        until(lambda: self.get(got["id"])["packets"] == n)

    def path(self, got):
        return os.path.join(self.folder, got["capture"])

    def stop(self, hard=False):
        if self.run.poll() is None:
            self.run.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
        self.err.close()
        return self.run.wait(LONG)


def packets(path, *args):
    """Lines of weir read; the file must be a whole one."""
    run = subprocess.run([WEIR, "read", "-r", path, *args], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def udp(n, to="127.0.0.1", port=PORT, text=b"reading %d", pause=0.0, sock=None):
    s = sock or socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(n):
        try:
            s.sendto(text % i if b"%d" in text else text, (to, port))
        except ConnectionRefusedError:
            pass
        if pause:
            time.sleep(pause)


class Broker:
    """Answers every CONNECT and QoS 1 PUBLISH on loopback; enough for clients that are watched."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.live, daemon=True).start()

    def live(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        with c:
            while data := c.recv(4096):
                if data[0] >> 4 == 1:
                    c.sendall(b"\x20\x02\x00\x00")

    def close(self):
        self.listener.close()


def mqtt_client(port, ident, publishes, wait=0.0):
    """Connects, publishes and leaves; returns the client's own port."""
    s = socket.create_connection(("127.0.0.1", port))
    time.sleep(wait)
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(ident)) + ident
    s.sendall(b"\x10" + bytes([len(body)]) + body)
    s.recv(4)
    for i in range(publishes):
        topic = b"a/b"
        body = struct.pack(">H", len(topic)) + topic + b"%d" % i
        s.sendall(b"\x30" + bytes([len(body)]) + body)
        time.sleep(0.02)
    s.sendall(b"\xe0\x00")
    port = s.getsockname()[1]
    s.close()
    return port


def status_of(pid):
    return dict(line.split(":", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":" in line)


def children(pid):
    found = []
    for p in os.listdir("/proc"):
        try:
            if p.isdigit() and status_of(p)["PPid"].strip() == str(pid):
                found.append(int(p))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def clear(folder):
    shutil.rmtree(folder, ignore_errors=True)
