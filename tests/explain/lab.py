# SPDX-License-Identifier: Apache-2.0
"""A laboratory of three network namespaces: a device, a router, a server; real programs speak in it and `weir capture` listens.

    device 10.77.1.2 -- 10.77.1.1 router 10.77.2.1 -- 10.77.2.2 server

Needs root, iproute2, and what a scene runs. The network is made by `weir lab net` and ends with this process."""
import os
import shutil
import signal
import subprocess
import time

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
        self.keeper.communicate(timeout=20)

    def enter(self, name):
        return [WEIR, "lab", "net", "enter", "--name", self.name, self.hosts[name], "--"]

    def inside(self, name, *argv, check=True, **kw):
        kw = {**QUIET, **kw} if "stdout" not in kw and "capture_output" not in kw else kw
        return subprocess.run([*self.enter(name), *argv], check=check, timeout=kw.pop("timeout", 60), **kw)

    def start(self, name, *argv, **kw):
        p = subprocess.Popen([*self.enter(name), *argv], **{**QUIET, **kw})
        self.running.append(p)
        return p

    def mosquitto(self, *lines, name="server", port=1883):
        """A broker, ready to be spoken to."""
        conf = self.where / f"mosquitto-{port}.conf"
        conf.write_text("\n".join(lines if any(l.startswith("listener") for l in lines) else (f"listener {port}", *lines)) + "\npersistence false\nuser root\n")
        p = self.start(name, "mosquitto", "-c", str(conf))
        self.wait_for_port(name, port)
        return p

    def wait_for_port(self, name, port):
        for _ in range(100):
            out = self.inside(name, "ss", "-ltn", capture_output=True, text=True).stdout
            if f":{port} " in out:
                return
            time.sleep(0.05)
        raise AssertionError(f"nobody listens on {port}")

    def wait_for_clients(self, count, name="server", port=1883):
        """So many clients are connected, and have said what they want."""
        for _ in range(200):
            out = self.inside(name, "ss", "-Htn", "state", "established", f"( sport = :{port} )", capture_output=True, text=True).stdout
            if len(out.splitlines()) >= count:
                time.sleep(0.3)
                return
            time.sleep(0.05)
        raise AssertionError(f"fewer than {count} clients came to {port}")

    def capture(self, name="device", interface="eth0"):
        return Listening(self, name, interface)

    def explain(self, path, *options):
        return subprocess.run([WEIR, "explain", str(path), "--lang", "en", *options], capture_output=True, timeout=60, text=True)


class Listening:
    """with lab.capture() as c: ...; then c.path is the file."""

    def __init__(self, lab, name, interface):
        self.lab, self.name, self.interface = lab, name, interface
        self.path = lab.where / f"{name}-{interface}-{len(lab.running)}.pcapng"

    def __enter__(self):
        self.process = self.lab.start(self.name, WEIR, "capture", "-i", self.interface, "-w", str(self.path), stderr=subprocess.PIPE)
        self.process.stderr.readline()  # "Capturing on": it has begun
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        time.sleep(0.5)
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=20)
