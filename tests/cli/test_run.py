# SPDX-License-Identifier: Apache-2.0
"""weir run: the command's packets and no others, with the keys; the command notices nothing."""
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from machine import may_capture
from ports import free_port, wait_for
from waiting import LONG

pytestmark = [pytest.mark.skipif(not may_capture(), reason="no right to capture"),
              pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")]
needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="no tshark")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True)
    folder.chmod(0o755)
    (folder / "key.pem").chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def web(certificate):
    port = free_port()
    server = subprocess.Popen(["openssl", "s_server", "-quiet", "-accept", str(port), "-cert", certificate / "cert.pem", "-key",
                               certificate / "key.pem", "-www"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(port)
    yield port
    server.kill()


@contextlib.contextmanager
def tls_broker(certificate):
    """A mosquitto with the certificate: its process id and port."""
    if not shutil.which("mosquitto") or not shutil.which("mosquitto_pub"):
        pytest.skip("no mosquitto")
    port = free_port()
    config = certificate / f"mosquitto-{port}.conf"
    config.write_text(f"listener {port} 127.0.0.1\ncafile {certificate}/cert.pem\ncertfile {certificate}/cert.pem\n"
                      f"keyfile {certificate}/key.pem\nallow_anonymous true\nuser root\n")
    server = subprocess.Popen(["mosquitto", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield server.pid, port
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def broker(certificate):
    with tls_broker(certificate) as (_, port):
        yield port


def tshark(file, *args):
    run = subprocess.run(["tshark", "-r", file, *args], capture_output=True, text=True)
    return run.stdout


def publish(weir, broker, certificate, file, *options, env=None):
    return weir("run", "-w", file, *options, "--", "mosquitto_pub", "--cafile", certificate / "cert.pem", "-h", "localhost", "-p", broker,
                "-t", "kitchen/door", "-m", "open", env=env)


@needs_tshark
def test_the_publish_is_readable_without_a_key(weir, broker, certificate, tmp_path):
    file = tmp_path / "publish.pcapng"
    run = publish(weir, broker, certificate, file)
    assert run.returncode == 0, run.err
    assert "with the keys of 1 TLS session" in run.err
    shown = tshark(file, "-d", f"tls.port=={broker},mqtt", "-Y", "mqtt.msgtype==3", "-T", "fields", "-e", "mqtt.topic", "-e", "mqtt.msg")
    assert shown.split() == ["kitchen/door", "6f70656e"]


def test_weir_reads_what_it_recorded(weir, broker, certificate, tmp_path):
    file = tmp_path / "publish.pcapng"
    publish(weir, broker, certificate, file)
    shown = weir("read", "-r", file)
    assert "MQTT" in shown.out and "Publish Message [kitchen/door]" in shown.out, shown.out + shown.err
    assert "6f70656e" in weir("read", "-r", file, "-T", "fields", "-e", "mqtt.msg").out.replace(":", "")


@pytest.mark.skipif(not shutil.which("wget"), reason="no wget")
def test_a_program_with_gnutls_is_readable(weir, web, certificate, tmp_path):
    file = tmp_path / "wget.pcapng"
    run = weir("run", "-w", file, "--", "wget", "-q", "-O", "/dev/null", f"--ca-certificate={certificate}/cert.pem", f"https://localhost:{web}/status")
    assert run.returncode == 0, run.err
    assert "with the keys of 1 TLS session" in run.err
    assert "GET /status HTTP/1.1" in weir("read", "-r", file).out


@needs_tshark
@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_curl_is_readable_and_prints_what_it_prints(weir, web, certificate, tmp_path):
    file = tmp_path / "curl.pcapng"
    run = weir("run", "-w", file, "--", "curl", "-s", "--cacert", certificate / "cert.pem", f"https://localhost:{web}/status")
    assert run.returncode == 0, run.err
    assert run.out.startswith("<HTML>")
    assert tshark(file, "-d", f"tls.port=={web},http", "-Y", "http.request", "-T", "fields", "-e", "http.request.uri").split() == ["/status"]


CLIENT = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(sys.argv[2])
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="localhost") as s:
    s.sendall(b"GET /status HTTP/1.0\\r\\n\\r\\n")
    print(s.recv(9).decode())
"""


@needs_tshark
def test_a_python_client_is_readable(weir, web, certificate, tmp_path):
    file, script = tmp_path / "python.pcapng", tmp_path / "client.py"
    script.write_text(CLIENT)
    run = weir("run", "-w", file, "--", sys.executable, script, web, certificate / "cert.pem")
    assert run.returncode == 0, run.err
    assert run.out == "HTTP/1.0 \n"
    assert "with the keys of 1 TLS session" in run.err
    assert "/status" in tshark(file, "-d", f"tls.port=={web},http", "-Y", "http.request")


def test_what_it_cannot_catch_it_says(weir, web, certificate, tmp_path):
    script = tmp_path / "client.py"
    script.write_text(CLIENT + "    import time; time.sleep(1.5)\n")
    run = weir("run", "-w", tmp_path / "a.pcapng", "--no-preload", "--", sys.executable, script, web, certificate / "cert.pem")
    assert run.returncode == 0
    assert f"no keys for 1 of 1 TLS session (127.0.0.1:{web})" in run.err
    assert "could not be joined" in run.err


LOGGING_CLIENT = CLIENT.replace("with context", """import os, time
context.keylog_filename = os.environ["SSLKEYLOGFILE"]
with context""") + "    time.sleep(1.5)\n"


def test_a_key_log_of_the_user_stays_theirs_and_is_read(weir, web, certificate, tmp_path):
    log, script = tmp_path / "own.log", tmp_path / "client.py"
    log.write_text("# mine\n")
    script.write_text(LOGGING_CLIENT)
    run = weir("run", "-w", tmp_path / "a.pcapng", "--no-preload", "--", sys.executable, script, web, certificate / "cert.pem",
               env=dict(os.environ, SSLKEYLOGFILE=str(log)))
    assert run.returncode == 0, run.err
    assert log.read_text().startswith("# mine\n") and "CLIENT_TRAFFIC_SECRET_0" in log.read_text()
    assert "with the keys of 1 TLS session" in run.err


def udp_echo(s, stop):
    with s:
        s.settimeout(0.1)
        while not stop.is_set():
            try:
                data, who = s.recvfrom(100)
                s.sendto(data, who)
            except OSError:
                pass


def chatter(port, stop):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        while not stop.is_set():
            s.sendto(b"not yours", ("127.0.0.1", port))
            time.sleep(0.01)


DATAGRAM = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(60)
s.sendto(b"mine", ("127.0.0.1", int(sys.argv[1])))
print(s.recv(100).decode())
"""


def test_the_traffic_of_others_stays_out(weir, tmp_path):
    echo, stop = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), threading.Event()
    echo.bind(("127.0.0.1", 0))
    port = echo.getsockname()[1]
    threads = [threading.Thread(target=udp_echo, args=(echo, stop)), threading.Thread(target=chatter, args=(port, stop))]
    for t in threads:
        t.start()
    try:
        file = tmp_path / "a.pcapng"
        run = weir("run", "-w", file, "--", sys.executable, "-c", DATAGRAM, port)
    finally:
        stop.set()
    assert run.out == "mine\n"
    assert "2 packets" in run.err, run.err
    assert b"not yours" not in file.read_bytes()


def test_children_and_a_server_are_recorded(weir, tmp_path):
    """The command is a shell; its children talk to each other on loopback."""
    port = free_port()
    server = (f"import socket; s = socket.create_server(('127.0.0.1', {port})); print('up', flush=True); c, _ = s.accept();"
              "c.sendall(c.recv(100).upper())")
    client = f"import socket; s = socket.create_connection(('127.0.0.1', {port})); s.sendall(b'hello'); print(s.recv(9).decode())"
    (tmp_path / "s.py").write_text(server)
    (tmp_path / "c.py").write_text(client)
    script = f"{sys.executable} s.py | {{ read up; {sys.executable} c.py; }}"
    file = tmp_path / "a.pcapng"
    run = weir("run", "-w", file, "--", "sh", "-c", script, cwd=tmp_path)
    assert run.out == "HELLO\n", run.err
    shown = weir("read", "-r", file)
    assert "[SYN]" in shown.out and "[FIN, ACK]" in shown.out


STATIC = """
#include <arpa/inet.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    if (argc < 2 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0) return 3;
    if (write(fd, "static", 6) != 6) return 4;
    usleep(1500000);
    return 0;
}
"""


@pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc")
def test_a_static_program_is_found_from_outside(weir, tmp_path):
    (tmp_path / "s.c").write_text(STATIC)
    if subprocess.run(["gcc", "-static", "-o", tmp_path / "s", tmp_path / "s.c"], capture_output=True).returncode:
        pytest.skip("no static C library")
    with socket.create_server(("127.0.0.1", 0)) as server:
        file = tmp_path / "a.pcapng"
        run = weir("run", "-w", file, "--", tmp_path / "s", server.getsockname()[1])
    assert run.returncode == 0
    assert b"static" in file.read_bytes(), run.err
    assert "could not be joined (it is linked statically" in run.err


@pytest.mark.parametrize("script,status", [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_status_is_the_commands(weir, tmp_path, script, status):
    assert weir("run", "-q", "-w", tmp_path / "a.pcapng", "--", "sh", "-c", script).returncode == status


def test_a_command_that_is_not_there(weir, tmp_path):
    run = weir("run", "-w", tmp_path / "a.pcapng", "--", "no-such-command-here")
    assert run.returncode == 127
    assert "no-such-command-here: No such file or directory" in run.err
    assert not (tmp_path / "a.pcapng").exists()


def test_the_file_is_private_and_nothing_is_left_behind(weir, tmp_path):
    runtime = tmp_path / "r"
    runtime.mkdir()
    env = dict(os.environ, TMPDIR=str(runtime), HOME=str(runtime))
    run = weir("run", "-w", tmp_path / "a.pcapng", "--", "sh", "-c", "ls -ld $(dirname $SSLKEYLOGFILE); ls -l $SSLKEYLOGFILE; dirname $SSLKEYLOGFILE", env=env)
    folder, file, name = run.out.split("\n")[:3]
    assert folder.startswith("drwx------") and file.startswith("-rw-------")
    assert not os.path.exists(name)
    assert (tmp_path / "a.pcapng").stat().st_mode & 0o777 == 0o600


def test_the_command_inherits_no_descriptor(weir, tmp_path):
    run = weir("run", "-q", "-w", tmp_path / "a.pcapng", "--", "ls", "/proc/self/fd")
    assert run.out.split() == ["0", "1", "2", "3"], run.out  # the last one is the folder that ls reads


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_the_command_may_run_as_another_user(weir, web, certificate, tmp_path):
    script = tmp_path / "client.py"
    script.write_text("import os; print(os.getuid(), os.environ['SSLKEYLOGFILE'])\n" + CLIENT)
    for folder in [tmp_path, *tmp_path.parents, certificate]:
        if folder.owner() == getpass.getuser() and str(folder).startswith(tempfile.gettempdir() + "/"):
            folder.chmod(0o755)
    run = weir("run", "-u", "nobody", "-w", tmp_path / "a.pcapng", "--", "/usr/bin/python3", script, web, certificate / "cert.pem")
    assert run.returncode == 0, run.err
    user, log = run.out.split()[:2]
    assert user != "0" and not os.path.exists(os.path.dirname(log))
    assert "with the keys of 1 TLS session" in run.err and "ld.so" not in run.err


def test_a_signal_is_handed_on(weir, tmp_path):
    run = subprocess.Popen([weir.path, "run", "-q", "-w", tmp_path / "a.pcapng", "--", "sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done"],
                           stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "up\n"
    run.terminate()
    assert run.wait(timeout=LONG) == 9


def test_bad_use(weir):
    assert "which command?" in weir("run").err
    run = weir("run", "-w", "-", "--", "true")
    assert run.returncode == 2 and "name a file" in run.err
