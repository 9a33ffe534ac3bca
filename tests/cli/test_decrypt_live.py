# SPDX-License-Identifier: Apache-2.0
"""Live captures with keys decrypt completely: openssl, curl and mosquitto, TLS 1.2 and 1.3, every suite both sides have."""
import os
import re
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from machine import may_capture
from ports import free_port, wait_for
from tls_lab import Lab
from waiting import LONG, listening

pytestmark = [pytest.mark.once,  # test_decrypt.py opens the same suites in both builds
              pytest.mark.skipif(not may_capture(), reason="no right to capture"),
              pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")]
SUITES13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256",
            "TLS_AES_128_CCM_8_SHA256"]


def suites12():
    """Suites of TLS 1.2 with a certificate of RSA or ECDSA, at the library's own level of security."""
    listed = subprocess.run(["openssl", "ciphers", "-s", "-tls1_2", "ALL"], capture_output=True, text=True).stdout.strip().split(":")
    return [s for s in listed if s and not re.search("PSK|SRP|DSS|ADH|AECDH|TLS_", s)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("live"))
    lab.folder.chmod(0o755)
    for name in os.listdir(lab.folder):
        os.chmod(lab.folder / name, 0o644)
    return lab


class Web:
    """openssl s_server -www with both certificates, and a capture of what it says."""

    def __init__(self, weir, lab, folder, *args):
        self.port, self.file = free_port(), folder / "live.pcapng"
        self.server = subprocess.Popen(["openssl", "s_server", "-quiet", "-www", "-accept", str(self.port), "-cert", lab.cert("rsa"), "-key",
                                        lab.key("rsa"), "-dcert", lab.cert("ec"), "-dkey", lab.key("ec"), *args],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.port)
        self.capture = subprocess.Popen([weir.path, "capture", "-i", "lo", "-w", str(self.file), "-U", "tcp", "port", str(self.port)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        listening(self.capture)

    def stop(self):
        self.capture.send_signal(signal.SIGINT)
        self.capture.communicate(timeout=LONG)
        self.server.kill()
        self.server.wait()


def requests(weir, file, *keys):
    """The paths asked for over TLS, and how many answers begin."""
    run = weir("read", "-r", file, *keys, "-T", "fields", "-e", "http.request.uri", "-e", "weir.tls.readable", "-e", "tls.record.content_type")
    assert run.returncode == 0, run.err
    rows = [line.split("\t") for line in run.out.splitlines()]
    return sorted(row[0] for row in rows if row[0]), {row[1] for row in rows if row[1]}


@pytest.mark.parametrize("program", ["s_client", "curl"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_openssl_server(weir, lab, tmp_path, program, version):
    if not shutil.which("curl") and program == "curl":
        pytest.skip("no curl")
    log, suites = tmp_path / "keys.log", suites12() if version == "1.2" else SUITES13
    all12 = "ALL:@SECLEVEL=1"
    web = Web(weir, lab, tmp_path, "-cipher", all12, "-ciphersuites", ":".join(SUITES13), "-dhparam", lab.path("dh.pem"))
    spoken = []
    try:
        for suite in suites:
            if program == "curl":
                only = ["--tls-max", "1.2", "--ciphers", suite + ":@SECLEVEL=1"] if version == "1.2" else ["--tlsv1.3", "--tls13-ciphers", suite]
                run = subprocess.run(["curl", "-sk", *only, f"https://127.0.0.1:{web.port}/{suite}"], capture_output=True, timeout=LONG,
                                     env=dict(os.environ, SSLKEYLOGFILE=str(log)))
                worked = run.returncode == 0
            else:
                only = ["-tls1_2", "-cipher", suite + ":@SECLEVEL=1"] if version == "1.2" else ["-tls1_3", "-ciphersuites", suite]
                run = subprocess.run(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{web.port}", "-keylogfile", str(log), *only],
                                     input=f"GET /{suite} HTTP/1.0\r\n\r\n".encode(), capture_output=True, timeout=LONG)
                worked = b"HTTP/1.0 200" in run.stdout
            if worked:
                spoken.append("/" + suite)
    finally:
        web.stop()
    assert len(spoken) >= (20 if version == "1.2" else 4), spoken
    paths, readable = requests(weir, web.file, "--keylog", log)
    assert paths == sorted(spoken)
    assert "1" in readable


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_mosquitto(weir, lab, tmp_path, version):
    if not shutil.which("mosquitto") or not shutil.which("mosquitto_pub"):
        pytest.skip("no mosquitto")
    suites = [s for s in suites12() if "ECDSA" not in s] if version == "1.2" else SUITES13[:3]

    def speak(n, suite):
        """What is shown of a message that was sent with this suite, and what weir run said; None where the two do not have it in common."""
        port, config, file = free_port(), tmp_path / f"{n}.conf", tmp_path / f"{n}.pcapng"
        choice = f"ciphers {suite}:@SECLEVEL=1\ntls_version tlsv1.2\n" if version == "1.2" else f"ciphers_tls1.3 {suite}\ntls_version tlsv1.3\n"
        config.write_text(f"listener {port} 127.0.0.1\ncafile {lab.cert()}\ncertfile {lab.cert()}\nkeyfile {lab.key()}\n"
                          f"dhparamfile {lab.path('dh.pem')}\nallow_anonymous true\nuser root\n{choice}")
        broker = subprocess.Popen(["mosquitto", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(port)
            client = ["--ciphers", suite + ":@SECLEVEL=1"] if version == "1.2" else []
            run = weir("run", "-w", file, "--", "mosquitto_pub", "-h", "127.0.0.1", "-p", port, "--cafile", lab.cert(), "--insecure", "-t",
                       f"suite/{suite}", "-m", "words", "-q", "1", "--tls-version", "tlsv" + version, *client)
        finally:
            broker.kill()
            broker.wait()
        return None if run.returncode else weir("read", "-r", file, "-T", "fields", "-e", "mqtt.topic").out + run.err

    with ThreadPoolExecutor(4) as pool:
        shown = {suite: text for suite, text in zip(suites, pool.map(speak, range(len(suites)), suites)) if text is not None}
    assert len(shown) >= (8 if version == "1.2" else 3)
    assert {suite: text for suite, text in shown.items() if f"suite/{suite}" not in text} == {}
