# SPDX-License-Identifier: Apache-2.0
"""A real mosquitto, the guard before it, and clients. Nothing leaves the loopback interface."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from machine import own_network
from ports import free_port, listens
from waiting import until

LONG = bool(os.environ.get("WEIR_LONG"))  # as much and as long as it is promised, not as a test may take
WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))
LOAD = os.path.abspath(os.environ.get("WEIR_LOAD", "build/bench/mqtt-load"))


def pytest_configure():
    own_network()


def with_ports(text):
    """Every port 0 becomes a free port."""
    return re.sub(r"(?<=[\w\]]):0\b", lambda m: f":{free_port()}", text)


class Mosquitto:
    def __init__(self, folder, extra="", port=None):
        self.port = port or free_port()
        self.folder, self.extra, self.process = folder, extra, None
        self.start()

    def start(self):
        conf = self.folder / f"mosquitto-{self.port}.conf"
        conf.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 0\n"
                        f"max_inflight_messages 100\n{self.extra}")
        self.log = open(self.folder / f"mosquitto-{self.port}.log", "ab")
        self.process = subprocess.Popen(["mosquitto", "-c", conf], stdout=self.log, stderr=self.log)
        until(lambda: listens(("127.0.0.1", self.port)))

    def kill(self):
        self.process.kill()
        self.process.wait()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


class Guard:
    """Runs `weir guard` with a configuration file; `ports` are its listeners' in order."""

    def __init__(self, folder, *args, config=None, env=None, preexec=None, wait=True, pass_fds=()):
        self.folder = folder
        self.err_path = folder / f"guard-{free_port()}.err"
        self.err_file = open(self.err_path, "wb")
        argv = [WEIR, "guard", *map(str, args)]
        if "--admin" not in args:
            argv += ["--admin", "127.0.0.1:0"]
        if config is not None:
            self.config = folder / f"guard-{free_port()}.yaml"
            self.config.write_text(with_ports(config))
            argv += ["-c", str(self.config)]
        self.argv = argv
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.err_file, stderr=self.err_file,
                                        env={**os.environ, **(env or {})}, preexec_fn=preexec, pass_fds=pass_fds)
        if wait:
            until(lambda: re.search(r"\d+ workers?;", self.err) or self.process.poll() is not None)
            assert self.process.poll() is None, self.err

    @property
    def err(self):
        return self.err_path.read_text(errors="replace")

    @property
    def ports(self):
        return [int(m) for m in re.findall(r"listening on [^(]*:(\d+) \(", self.err)]

    @property
    def port(self):
        return self.ports[0]

    @property
    def admin(self):
        return re.search(r"admin page on (http://\S+/)", self.err)[1]

    def get(self, path, method="GET", headers=None):
        """(status, text) of an admin page."""
        request = urllib.request.Request(self.admin + path.lstrip("/"), method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metric(self, name):
        for line in self.get("metrics")[1].splitlines():
            if line.split(" ")[0] == "weir_" + name:
                return int(line.split(" ")[1])
        raise KeyError(name)

    def workers(self):
        return [w["pid"] for w in json.loads(self.get("stats")[1])["workers"]]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.err_file.close()


@pytest.fixture
def start(tmp_path):
    """start.guard(...) and start.broker(...); everything is ended after the test."""
    if not shutil.which("mosquitto"):
        pytest.skip("needs mosquitto")
    running = []

    class Start:
        folder = tmp_path

        @staticmethod
        def guard(*args, **kw):
            running.append(Guard(tmp_path, *args, **kw))
            return running[-1]

        @staticmethod
        def broker(extra="", port=None):
            running.append(Mosquitto(tmp_path, extra, port))
            return running[-1]

        @staticmethod
        def before(*args, extra="", workers=2, config=None, **kw):
            """A broker and a plain guard before it."""
            broker = Start.broker(extra)
            guard = Start.guard("--listen", "127.0.0.1:0", "--broker", broker.address, "--workers", workers, *args,
                                config=config, **kw)
            return broker, guard

    yield Start
    for r in running:
        if isinstance(r, Mosquitto):
            r.kill()
    for r in running:
        if isinstance(r, Guard):
            r.stop()
            bad = [line for line in r.err.splitlines() if "Sanitizer" in line or "runtime error" in line]
            assert not bad, r.err


@pytest.fixture(scope="session")
def certs(tmp_path_factory):
    """A CA, a server's and a client's certificate, made on the spot."""
    folder = tmp_path_factory.mktemp("certs")

    def run(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out",
        "ca.pem", "-subj", "/CN=Test CA", "-days", "2")
    for name, subject in (("server", "/CN=localhost"), ("server2", "/CN=localhost/O=second"),
                          ("client", "/O=Pumps/CN=pump-7")):
        (folder / f"{name}.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out",
            f"{name}.csr", "-subj", subject)
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
            f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext")
    return folder


def load(*args, timeout=120):
    """Runs the load generator and gives its result."""
    run = subprocess.run([LOAD, *map(str, args)], capture_output=True, timeout=timeout, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


# ---- MQTT by hand, for what no client library sends ----

def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first, body=b""):
    n, length = len(body), b""
    while True:
        length += bytes([n % 128 | (128 if n > 127 else 0)])
        n //= 128
        if not n:
            return bytes([first]) + length + body


def connect_packet(client_id="raw", version=4, keep_alive=60, flags=2, more=b""):
    return packet(0x10, string("MQTT") + bytes([version, flags]) + keep_alive.to_bytes(2, "big") +
                  (b"\0" if version == 5 else b"") + string(client_id) + more)


def publish_packet(topic, payload=b"", qos=0, ident=1, version=4, retain=0):
    return packet(0x30 | qos << 1 | retain, string(topic) + (ident.to_bytes(2, "big") if qos else b"") +
                  (b"\0" if version == 5 else b"") + payload)


def read_packet(s):
    """One packet from a socket: (first byte, body), or None at the end."""
    def exactly(n):
        data = b""
        while len(data) < n:
            got = s.recv(n - len(data))
            if not got:
                return None
            data += got
        return data
    first = exactly(1)
    if not first:
        return None
    n = shift = 0
    while True:
        b = exactly(1)
        if b is None:
            return None
        n |= (b[0] & 127) << shift
        shift += 7
        if not b[0] & 128:
            break
    body = exactly(n) if n else b""
    return None if body is None else (first[0], body)


class Raw:
    """A client on a socket."""

    def __init__(self, port, client_id="raw", version=4, connect=True, host="127.0.0.1", timeout=60, **kw):
        try:
            self.s = socket.create_connection((host, port), timeout)
        except ConnectionResetError:
            if connect:
                raise
            self.s = None  # ended as soon as it was accepted
            return
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if connect:
            self.s.sendall(connect_packet(client_id, version, **kw))
            self.connack = read_packet(self.s)

    def send(self, data):
        self.s.sendall(data)

    def read(self):
        return read_packet(self.s)

    def closed(self, seconds=60):
        """True when the other side ends the connection within the time, whatever it sends before."""
        if not self.s:
            return True
        self.s.settimeout(seconds)
        try:
            while self.s.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self):
        if self.s:
            self.s.close()
