# SPDX-License-Identifier: Apache-2.0
"""weir run --pid: a process that runs already, joined without its knowing; what began after that is readable."""
import contextlib
import os
import platform
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from machine import may_capture, sanitized
from waiting import LONG, line_of, listening
from test_run import certificate, tls_broker, tshark, web  # noqa: F401 (fixtures)

ROOT = os.geteuid() == 0
PYTHON = "/usr/bin/python3"

pytestmark = [pytest.mark.skipif(not may_capture(), reason="no right to capture"),
              pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")]
needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="no tshark")
needs_root = pytest.mark.skipif(not ROOT, reason="not root")


def kernel():
    return tuple(int(n) for n in platform.release().split("-")[0].split(".")[:2])


# The child that learns a library's layout has limits a sanitizer's shadow does not fit.
needs_uprobes = pytest.mark.skipif(sanitized() or not ROOT or kernel() < (6, 0) or not os.path.exists("/sys/bus/event_source/devices/uprobe"),
                                   reason="keys are taken from a running process by root, on Linux 6.0 or later with uprobes, by a program without sanitizers")


class Joined:
    """weir run --pid, from the moment it records."""

    def __init__(self, weir, pid, file, *options):
        self.file = file
        self.process = subprocess.Popen([weir.path, "run", "--pid", str(pid), "-w", str(file), "-a", "duration:300", *map(str, options)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.err = listening(self.process).first
        if "recording" not in self.err:
            self.err += self.process.communicate(timeout=LONG)[1]

    def end(self):
        """Ctrl-C; what it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.err += self.process.communicate(timeout=LONG)[1]
        return self.err


@contextlib.contextmanager
def running(*argv, **kw):
    process = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **kw)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


@pytest.fixture
def broker(certificate):  # noqa: F811
    with tls_broker(certificate) as running_one:
        yield running_one


def publish(broker, certificate, topic, *options):  # noqa: F811
    subprocess.run(["mosquitto_pub", "--cafile", certificate / "cert.pem", "-h", "localhost", "-p", str(broker[1]), "-t", topic,
                    "-m", "open", *options], check=True, timeout=LONG)


@needs_uprobes
@needs_tshark
def test_a_broker_is_readable_in_either_version(weir, broker, certificate, tmp_path):  # noqa: F811
    joined = Joined(weir, broker[0], tmp_path / "a.pcapng")
    publish(broker, certificate, "new/13", "--tls-version", "tlsv1.3")
    publish(broker, certificate, "new/12", "--tls-version", "tlsv1.2")
    err = joined.end()
    assert joined.process.returncode == 0
    assert "with the keys of 2 TLS sessions" in err and "no keys" not in err, err
    shown = weir("read", "-r", joined.file).out
    assert "Publish Message [new/13]" in shown and "Publish Message [new/12]" in shown
    topics = tshark(joined.file, "-d", f"tls.port=={broker[1]},mqtt", "-Y", "mqtt.msgtype==3", "-T", "fields", "-e", "mqtt.topic")
    assert topics.split() == ["new/13", "new/12"]
    assert joined.file.stat().st_mode & 0o777 == 0o600


@needs_uprobes
def test_an_older_connection_is_named_and_its_keys_stay_out(weir, broker, certificate, tmp_path):  # noqa: F811
    with running("mosquitto_sub", "--cafile", certificate / "cert.pem", "-h", "localhost", "-p", broker[1], "-t", "#", "-v") as old:
        publish(broker, certificate, "before", "-r")  # kept for whoever subscribes
        assert line_of(old.stdout) == "before open\n"
        joined = Joined(weir, broker[0], tmp_path / "a.pcapng")
        publish(broker, certificate, "after")
        assert line_of(old.stdout) == "after open\n"
        err = joined.end()
    assert "1 TLS connection (" in err and "had begun before the recording: without its handshake it cannot be read" in err
    assert f"127.0.0.1:{broker[1]}" in err
    assert "with the keys of 1 TLS session" in err, err
    log = joined.file.read_bytes()
    assert log.count(b"CLIENT_TRAFFIC_SECRET_0") == 1


LOOP = """
import socket, ssl, sys
c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
c.load_verify_locations(sys.argv[2])
session = None
for n, line in enumerate(sys.stdin):
    c.maximum_version = ssl.TLSVersion.TLSv1_2 if line == "12\\n" else ssl.TLSVersion.TLSv1_3
    with c.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="localhost", session=session) as s:
        s.sendall(b"GET /status HTTP/1.0\\r\\n\\r\\n")
        while s.recv(4096):
            pass
        session = s.session if n % 2 == 0 else None
    print("done", flush=True)
"""


@needs_uprobes
@needs_tshark
def test_every_connection_of_a_client_is_readable_also_resumed_ones(weir, web, certificate, tmp_path):  # noqa: F811
    (tmp_path / "loop.py").write_text(LOOP)
    with running(PYTHON, tmp_path / "loop.py", web, certificate / "cert.pem", stdin=subprocess.PIPE) as client:
        def go(version):
            client.stdin.write(version + "\n")
            client.stdin.flush()
            assert line_of(client.stdout) == "done\n"
        go("13")
        joined = Joined(weir, client.pid, tmp_path / "a.pcapng")
        for version in ["13", "13", "12", "12", "13", "13", "12", "12"]:
            go(version)
        err = joined.end()
    assert "with the keys of 8 TLS sessions" in err and "no keys" not in err, err
    assert weir("read", "-r", joined.file, "-Y", "http.request.uri == \"/status\"").out.count("\n") == 8
    assert len(tshark(joined.file, "-d", f"tls.port=={web},http", "-Y", "http.request.uri == \"/status\"").splitlines()) == 8


@needs_uprobes
def test_openssl_s_client_is_readable(weir, web, certificate, tmp_path):  # noqa: F811
    """s_client that waits for its server to greet: the TLS handshake comes after it was joined."""
    with socket.create_server(("127.0.0.1", 0)) as greeter:
        port = greeter.getsockname()[1]
        with running("openssl", "s_client", "-starttls", "smtp", "-connect", f"127.0.0.1:{port}", "-CAfile", certificate / "cert.pem",
                     "-quiet", stdin=subprocess.PIPE) as client:
            plain, _ = greeter.accept()
            joined = Joined(weir, client.pid, tmp_path / "a.pcapng")
            with plain:
                plain.sendall(b"220 hello\r\n")
                plain.recv(1000)
                plain.sendall(b"250 STARTTLS\r\n")
                plain.recv(1000)
                plain.sendall(b"220 go\r\n")
                with socket.create_connection(("127.0.0.1", web)) as server:
                    relay_until(plain, server, b"\x17\x03\x03")
                    client.stdin.write("GET /status HTTP/1.0\r\n\r\n")
                    client.stdin.flush()
                    relay_until(plain, server, None)
            err = joined.end()
    assert "with the keys of 1 TLS session" in err, err
    assert b"CLIENT_TRAFFIC_SECRET_0" in joined.file.read_bytes()


def relay_until(a, b, _mark):
    """Hand bytes on between two sockets until both are quiet for half a second."""
    while True:
        ready = select.select([a, b], [], [], 0.5)[0]
        if not ready:
            return
        for s in ready:
            data = s.recv(65536)
            if not data:
                return
            (b if s is a else a).sendall(data)


FORKING = """
import os, socket, ssl, sys
c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
c.load_verify_locations(sys.argv[2])
print("up", flush=True)
for line in sys.stdin:
    if os.fork() == 0:
        import time
        time.sleep(0.7)  # time to be joined, on a busy machine too
        with c.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="localhost") as s:
            s.sendall(b"GET /status HTTP/1.0\\r\\n\\r\\n")
            while s.recv(4096):
                pass
        os._exit(0)
    os.wait()
    print("done", flush=True)
"""


@needs_uprobes
def test_children_are_readable(weir, web, certificate, tmp_path):  # noqa: F811
    (tmp_path / "fork.py").write_text(FORKING)
    with running(PYTHON, tmp_path / "fork.py", web, certificate / "cert.pem", stdin=subprocess.PIPE) as parent:
        assert line_of(parent.stdout) == "up\n"
        joined = Joined(weir, parent.pid, tmp_path / "a.pcapng")
        for _ in range(3):
            parent.stdin.write("go\n")
            parent.stdin.flush()
            assert line_of(parent.stdout) == "done\n"
        err = joined.end()
    assert "with the keys of 3 TLS sessions" in err, err


@needs_uprobes
def test_a_refused_certificate_is_readable(weir, web, tmp_path):  # noqa: F811
    script = "import sys, socket, ssl\nprint('up', flush=True)\nsys.stdin.readline()\ntry: ssl.create_default_context().wrap_socket(socket.create_connection" \
             f"(('127.0.0.1', {web})), server_hostname='localhost')\nexcept ssl.SSLError: print('refused', flush=True)\nsys.stdin.readline()"
    with running(PYTHON, "-c", script, stdin=subprocess.PIPE) as client:
        assert line_of(client.stdout) == "up\n"
        joined = Joined(weir, client.pid, tmp_path / "a.pcapng")
        client.stdin.write("\n")
        client.stdin.flush()
        assert line_of(client.stdout) == "refused\n"
        joined.end()
    assert "Description: Unknown CA" in weir("read", "-r", joined.file).out


def test_the_traffic_of_others_stays_out(weir, tmp_path):
    script = "import socket, sys, time\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], flush=True)\n" \
             "while 1: c = s.accept()[0]; c.recv(100); c.close()"
    with running(PYTHON, "-c", script) as mine, running(PYTHON, "-c", script) as other:
        ports = [int(line_of(p.stdout)) for p in (mine, other)]
        joined = Joined(weir, mine.pid, tmp_path / "a.pcapng", "--quiet")
        for port, text in zip(ports, [b"mine", b"not yours"]):
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(text)
                s.recv(1)
        joined.end()
    assert b"mine" in joined.file.read_bytes() and b"not yours" not in joined.file.read_bytes()


def test_the_end_of_the_process_ends_the_recording(weir, tmp_path):
    with running("cat", stdin=subprocess.PIPE) as process:
        joined = Joined(weir, process.pid, tmp_path / "a.pcapng")
        process.stdin.close()
        joined.err += joined.process.communicate(timeout=LONG)[1]
    assert joined.process.returncode == 0 and "cat has ended" in joined.err
    assert weir("read", "-r", tmp_path / "a.pcapng").returncode == 0


def test_limits_end_it_and_the_process_goes_on(weir, tmp_path):
    script = "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n" \
             "while 1: s.sendto(b'x', ('127.0.0.1', 9)); time.sleep(0.01)"
    with running(PYTHON, "-c", script) as process:
        run = weir("run", "-p", process.pid, "-w", tmp_path / "a.pcapng", "-c", 5)
        assert run.returncode == 0 and "5 packets" in run.err
        assert weir("read", "-r", tmp_path / "a.pcapng").out.count("\n") == 5
        begun = time.monotonic()
        assert weir("run", "-p", process.pid, "-w", tmp_path / "a.pcapng", "-a", "duration:0.5").returncode == 0
        assert time.monotonic() - begun > 0.5
        assert process.poll() is None


def test_it_can_be_read_along(weir, tmp_path):
    with running("sleep", "300") as process:
        run = weir("run", "-p", process.pid, "-w", "-", "-a", "duration:0.3")
    assert run.returncode == 0 and run.stdout[:4] == b"\x0a\x0d\x0d\x0a"
    assert "in standard output" in run.err


def test_what_cannot_be_taken_is_said(weir, tmp_path):
    with running("sleep", "300") as process:
        run = weir("run", "-p", process.pid, "-w", tmp_path / "a.pcapng", "-a", "duration:0.2")
    assert run.returncode == 0
    assert "recording without TLS keys: " in run.err
    if ROOT and kernel() >= (6, 0):
        assert "no OpenSSL library is loaded in it so far" in run.err


@needs_uprobes
def test_another_tls_library_is_named(weir, tmp_path):
    import ctypes.util
    library = ctypes.util.find_library("gnutls")
    if not library:
        pytest.skip("no GnuTLS")
    with running(PYTHON, "-c", f"import ctypes, time; ctypes.CDLL('{library}'); print('up', flush=True); time.sleep(300)") as process:
        line_of(process.stdout)
        run = weir("run", "-p", process.pid, "-w", tmp_path / "a.pcapng", "-a", "duration:0.2")
    assert "its TLS is GnuTLS; keys can be taken from OpenSSL as a shared library only" in run.err


BUILT_IN = "int SSL_do_handshake(void *s) { return s != 0; }\n#include <unistd.h>\nint main(void) { sleep(300); return SSL_do_handshake(0); }\n"


@needs_uprobes
@pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc")
def test_a_tls_library_built_in_is_named(weir, tmp_path):
    (tmp_path / "a.c").write_text(BUILT_IN)
    subprocess.run(["gcc", "-o", tmp_path / "a", tmp_path / "a.c"], check=True)
    with running(tmp_path / "a") as process:
        run = weir("run", "-p", process.pid, "-w", tmp_path / "a.pcapng", "-a", "duration:0.2")
    assert "OpenSSL or one of its kin is built into the program" in run.err


def test_a_process_that_is_not_there(weir, tmp_path):
    process = subprocess.Popen(["true"])
    process.wait()
    run = weir("run", "--pid", process.pid, "-w", tmp_path / "a.pcapng")
    assert run.returncode == 2 and "there is no such process" in run.err
    assert not (tmp_path / "a.pcapng").exists()


@needs_root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv")
def test_another_users_process_needs_root(weir, tmp_path):
    program = tmp_path / "weir"
    shutil.copy(weir.path, program)
    for folder in [tmp_path, *tmp_path.parents][:4]:
        folder.chmod(0o755)
    with running("sleep", "300") as process:
        run = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program, "run", "--pid", str(process.pid)],
                             capture_output=True, text=True, cwd="/", timeout=LONG)
    assert run.returncode == 2
    assert "sleep belongs to another user; run weir as root to join it" in run.stderr


@needs_root
@pytest.mark.skipif(not shutil.which("unshare"), reason="no unshare")
def test_a_process_in_a_network_of_its_own(weir, tmp_path):
    script = "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n" \
             "while 1: s.sendto(b'inside', ('127.0.0.1', 9)); time.sleep(0.05)"
    with running("unshare", "--net", "sh", "-c", f"ip link set lo up; echo up; exec {PYTHON} -c \"{script}\"") as process:
        if line_of(process.stdout) != "up\n":
            pytest.skip("no network namespaces")
        run = weir("run", "-p", process.pid, "-w", tmp_path / "a.pcapng", "-a", "duration:1")
    assert run.returncode == 0, run.err
    assert b"inside" in (tmp_path / "a.pcapng").read_bytes(), run.err


def test_bad_use(weir):
    here = os.getpid()
    for options, sentence in [
        (["--pid", here, "--", "true"], "one of them is recorded at a time"),
        (["--pid", here, "-u", "root"], "about how a command is run"),
        (["--pid", here, "--no-preload"], "about how a command is run"),
        (["--pid", here, "-a", "hours:1"], "expected duration:SECONDS or packets:N"),
        (["-a", "duration:1", "--", "true"], "-a goes with --pid"),
        (["-c", 1, "--", "true"], "-c goes with --pid"),
        (["--pid", "0"], "--pid"),
    ]:
        run = weir("run", *options)
        assert run.returncode == 2 and sentence in run.err, run.err


def test_help_has_it(weir):
    assert "--pid" in weir("run", "--help").out and sys.version_info > (3, 0)


def libraries_of(pid):
    """The files of OpenSSL a process has loaded."""
    with open(f"/proc/{pid}/maps") as maps:
        return {line.split()[-1] for line in maps if "libssl" in line or "libcrypto" in line}


@needs_uprobes
@pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv")
def test_a_library_that_was_replaced_in_a_process_of_another_user(weir, web, certificate, tmp_path):  # noqa: F811
    """The library is a copy of its own and gone from the disk by then, as after an upgrade; the process is not root's."""
    (tmp_path / "loop.py").write_text(LOOP)
    with running(PYTHON, "-c", "import ssl; print('up', flush=True); input()", stdin=subprocess.PIPE) as any_python:
        line_of(any_python.stdout)
        files = libraries_of(any_python.pid)
    if not files:
        pytest.skip("this Python has OpenSSL built in")
    for file in files:
        shutil.copy(file, tmp_path)
    for folder in [tmp_path, *tmp_path.parents][:4] + [certificate]:
        folder.chmod(0o755)
    with running("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", PYTHON, tmp_path / "loop.py", web, certificate / "cert.pem",
                 stdin=subprocess.PIPE, env=dict(os.environ, LD_LIBRARY_PATH=str(tmp_path))) as client:
        def go(version):
            client.stdin.write(version + "\n")
            client.stdin.flush()
            assert line_of(client.stdout) == "done\n"
        go("13")
        assert all(str(tmp_path) in file for file in libraries_of(client.pid))
        for file in files:
            (tmp_path / os.path.basename(file)).unlink()
        joined = Joined(weir, client.pid, tmp_path / "a.pcapng")
        go("13")
        go("12")
        err = joined.end()
    assert "with the keys of 2 TLS sessions" in err and "no keys" not in err, err
