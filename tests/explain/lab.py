# SPDX-License-Identifier: Apache-2.0
"""A laboratory of three network namespaces: a device, a router, a server; real programs speak in it and `weir capture` listens.

    device 10.77.1.2 -- 10.77.1.1 router 10.77.2.1 -- 10.77.2.2 server

Needs root, iproute2, and what a scene runs. The network is made by `weir lab net` and ends with this process."""
import os
import shutil
import signal
import subprocess

from waiting import LONG, listening, until

WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
DEVICE, SERVER = "10.77.1.2", "10.77.2.2"


def missing(*programs):
    """What of this is not here; as a reason to skip."""
    if os.geteuid():
        return "needs root"
    gone = [p for p in ("ip", *programs) if not shutil.which(p)]
    return f"needs {', '.join(gone)}" if gone else None


class Lab:
    """The plain network of `weir lab net`, whose hosts are called as in the scenes; it ends with this process."""

    hosts = {"device": "device", "router": "gateway", "server": "broker"}
    count = 0

    def __init__(self, where):
        Lab.count += 1
        self.where, self.name = where, f"explain-{os.getpid()}-{Lab.count}"
        self.running = []

    def __enter__(self):
        self.keeper = subprocess.Popen([WEIR, "lab", "net", "up", "plain", "--hold", "--name", self.name], stdout=subprocess.PIPE)
        assert self.name.encode() in self.keeper.stdout.readline()
        return self

    def __exit__(self, *_):
        for p in reversed(self.running):
            if p.poll() is None:
                p.kill()
                p.wait(10)
        self.keeper.send_signal(signal.SIGINT)
        self.keeper.communicate(timeout=LONG)

    def enter(self, name):
        return [WEIR, "lab", "net", "enter", "--name", self.name, self.hosts[name], "--"]

    def inside(self, name, *argv, check=True, **kw):
        kw = {**QUIET, **kw} if "stdout" not in kw and "capture_output" not in kw else kw
        return subprocess.run([*self.enter(name), *argv], check=check, timeout=kw.pop("timeout", 2 * LONG), **kw)

    def start(self, name, *argv, **kw):
        p = subprocess.Popen([*self.enter(name), *argv], **{**QUIET, **kw})
        self.running.append(p)
        return p

    def mosquitto(self, *lines, name="server", port=1883):
        """A broker, ready to be spoken to."""
        conf = self.where / f"mosquitto-{port}.conf"
        conf.write_text("\n".join(lines if any(l.startswith("listener") for l in lines) else (f"listener {port}", *lines)) + "\npersistence false\nuser root\nlog_dest stderr\nlog_type all\n")
        self.log = self.where / f"mosquitto-{port}.log"
        with open(self.log, "wb") as log:
            p = self.start(name, "mosquitto", "-c", str(conf), stderr=log)
        until(lambda: " running\n" in self.log.read_text(errors="replace") or p.poll() is not None)
        assert p.poll() is None, self.log.read_text(errors="replace")
        return p

    def wait_for_port(self, name, port):
        """Until somebody takes TCP connections, or UDP, on the port."""
        until(lambda: f":{port} " in self.inside(name, "ss", "-ltun", capture_output=True, text=True).stdout)

    def wait_for_broker(self, said, count=1):
        """Until the broker has said something, a piece of a line of its log, so many times."""
        until(lambda: self.log.read_text(errors="replace").count(said) >= count)

    def wait_for_subscribers(self, count):
        self.wait_for_broker("Sending SUBACK", count)

    def capture(self, name="device", interface="eth0"):
        return Listening(self, name, interface)

    def explain(self, path, *options):
        return subprocess.run([WEIR, "explain", str(path), "--lang", "en", *options], capture_output=True, timeout=LONG, text=True)


class Listening:
    """with lab.capture() as c: ...; then c.path is the file."""

    def __init__(self, lab, name, interface):
        self.lab, self.name, self.interface = lab, name, interface
        self.path = lab.where / f"{name}-{interface}-{len(lab.running)}.pcapng"

    def __enter__(self):
        self.process = listening(self.lab.start(self.name, WEIR, "capture", "-i", self.interface, "-w", str(self.path), stderr=subprocess.PIPE))
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=LONG)
