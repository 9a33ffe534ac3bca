# SPDX-License-Identifier: Apache-2.0
"""TLS conversations made on the spot and written as captures: no interface, no root."""
import pathlib
import random
import re
import socket
import ssl
import struct
import subprocess
import threading
import time

from ports import free_port, wait_for
from waiting import LONG, until

CLIENT, SERVER = 0, 1


class Capture:
    """Packets of TCP conversations over IPv4, as a pcap or, with secrets, a pcapng file."""

    def __init__(self):
        self.packets = []
        self.conversations = 0

    def conversation(self, port=4433):
        self.conversations += 1
        return Conversation(self, 20000 + self.conversations, port)

    def write(self, path):
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101))
            for i, packet in enumerate(self.packets):
                file.write(struct.pack("<IIII", 1700000000 + i // 1000, i % 1000 * 1000, len(packet), len(packet)) + packet)
        return str(path)

    def write_ng(self, path, secrets=b"", late=False):
        """A pcapng file with the secrets in front of the packets, or behind them."""
        def block(kind, body):
            body += b"\0" * (-len(body) % 4)
            return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
        dsb = block(10, struct.pack("<II", 0x544c534b, len(secrets)) + secrets) if secrets else b""
        with open(path, "wb") as file:
            file.write(block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)) + block(1, struct.pack("<HHI", 101, 0, 0)))
            file.write(b"" if late else dsb)
            for i, packet in enumerate(self.packets):
                file.write(block(6, struct.pack("<IIIII", 0, 0, i * 1000, len(packet), len(packet)) + packet))
            file.write(dsb if late else b"")
        return str(path)


class Conversation:
    def __init__(self, capture, client_port, server_port):
        self.capture = capture
        self.ports = (client_port, server_port)
        self.seq = [1000, 2000]
        self.packet(CLIENT, 2)
        self.packet(SERVER, 0x12)
        self.packet(CLIENT, 0x10)

    def packet(self, side, flags, data=b"", lost=False):
        peer = 1 - side
        tcp = struct.pack(">HHIIBBHHH", self.ports[side], self.ports[peer], self.seq[side], self.seq[peer] if flags & 0x10 else 0,
                          0x50, flags, 65535, 0, 0) + data
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0,
                         bytes([10, 0, 0, 1 + side]), bytes([10, 0, 0, 1 + peer]))
        if not lost:
            self.capture.packets.append(ip + tcp)
        self.seq[side] = (self.seq[side] + len(data) + (1 if flags & 3 else 0)) % 2 ** 32

    def send(self, side, data, segment=1400, lost=()):
        """data in segments; those whose number is in `lost` did not get to the capture, but were acknowledged."""
        for n, at in enumerate(range(0, len(data), segment)):
            self.packet(side, 0x18, data[at:at + segment], lost=n in lost)
        self.packet(1 - side, 0x10)

    def close(self):
        self.packet(CLIENT, 0x11)
        self.packet(SERVER, 0x11)
        self.packet(CLIENT, 0x10)


class Pair:
    """A client and a server of TLS in memory."""

    def __init__(self, client, server, session=None):
        self.wire = [ssl.MemoryBIO(), ssl.MemoryBIO()]  # what each side reads
        self.ends = [client.wrap_bio(self.wire[CLIENT], self.wire[SERVER], session=session, server_hostname=None),
                     server.wrap_bio(self.wire[SERVER], self.wire[CLIENT], server_side=True)]
        self.log = []  # (side, bytes)

    def collect(self, side):
        """Takes what `side` wrote, notes it, and hands it over."""
        data = self.wire[1 - side].read()
        if data:
            self.log.append((side, data))
            self.wire[1 - side].write(data)

    def handshake(self):
        done = [False, False]
        for _ in range(40):
            for side in (CLIENT, SERVER):
                if not done[side]:
                    try:
                        self.ends[side].do_handshake()
                        done[side] = True
                    except ssl.SSLWantReadError:
                        pass
                self.collect(side)
            if all(done):
                return self
        raise AssertionError("no end of the handshake")

    def say(self, side, text):
        self.ends[side].write(text)
        self.collect(side)
        got = b""
        while len(got) < len(text):
            got += self.ends[1 - side].read(65536)
        assert got == text

    def bye(self):
        for side in (CLIENT, SERVER):
            try:
                self.ends[side].unwrap()
            except ssl.SSLError:
                pass
            self.collect(side)

    def record(self, capture, port=4433, **how):
        conversation = capture.conversation(port)
        for side, data in self.log:
            conversation.send(side, data, **how)
        conversation.close()


class Lab:
    """Certificates and contexts, in a folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        for kind, how in (("rsa", ["-newkey", "rsa:2048"]), ("ec", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])):
            self.openssl("req", "-x509", "-nodes", *how, "-keyout", self.key(kind), "-out", self.cert(kind), "-subj", "/CN=weir.test",
                         "-days", "2")
        self.openssl("dhparam", "-dsaparam", "-out", self.path("dh.pem"), "2048")

    def path(self, name):
        return str(self.folder / name)

    def key(self, kind="rsa"):
        return self.path(kind + ".key")

    def cert(self, kind="rsa"):
        return self.path(kind + ".pem")

    def openssl(self, *args, **kw):
        run = subprocess.run(["openssl", *args], capture_output=True, timeout=60, **kw)
        assert run.returncode == 0, run.stderr.decode(errors="replace")
        return run.stdout

    def contexts(self, version, suite, log=None, etm=True):
        client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        for context in (client, server):
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = version
            context.set_ciphers(suite + ":@SECLEVEL=0")
            context.minimum_version = version
            if not etm:
                context.options |= 1 << 19  # SSL_OP_NO_ENCRYPT_THEN_MAC
        server.load_cert_chain(self.cert("rsa"), self.key("rsa"))
        server.load_cert_chain(self.cert("ec"), self.key("ec"))
        server.load_dh_params(self.path("dh.pem"))
        if log:
            client.keylog_filename = log
        return client, server


class Relay:
    """Stands between a client and a server on loopback and writes down what they say."""

    def __init__(self, target):
        self.target = target
        self.log = []  # one list of (side, bytes) for each connection
        self.lock = threading.Lock()
        self.pumps = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            log = []
            self.log.append(log)
            for side, a, b in ((CLIENT, near, far), (SERVER, far, near)):
                self.pumps.append(threading.Thread(target=self.pump, args=(log, side, a, b), daemon=True))
                self.pumps[-1].start()

    def pump(self, log, side, source, sink):
        try:
            while data := source.recv(65536):
                with self.lock:
                    log.append((side, data))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        """Once both sides of every connection have ended, so that all they said is written down."""
        for pump in self.pumps:
            pump.join(LONG)
        self.listener.close()

    def record(self, capture, port=4433, **how):
        for log in self.log:
            conversation = capture.conversation(port)
            for side, data in log:
                conversation.send(side, data, **how)
            conversation.close()


class Server:
    """openssl s_server that answers with what it reads turned round (-rev)."""

    def __init__(self, lab, *args):
        self.port = free_port()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-cert", lab.cert("rsa"), "-key", lab.key("rsa"), "-quiet", *args],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        wait_for(self.port)

    def close(self):
        self.process.kill()
        self.process.wait()


def client(port, lines, *args, pause=0.05, ready=b"Verify return code", wait=b""):
    """openssl s_client, once the output has `ready` in it, sending lines one after the other, of (answer, line) each only after its
    answer; it is ended once the output has `wait` in it. What is waited for is a pattern, or a function that says whether it is there."""
    process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *args],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    got = bytearray()

    def read():
        while data := process.stdout.read1(65536):
            got.extend(data)
    reader = threading.Thread(target=read, daemon=True)
    reader.start()

    def wait_for_output(what):
        there = what if callable(what) else lambda: re.search(what, bytes(got), re.S)
        until(lambda: there() or process.poll() is not None, step=0.005)
    wait_for_output(ready)
    for line in lines:
        answer, line = line if isinstance(line, tuple) else (b"", line)
        wait_for_output(answer)
        time.sleep(pause)
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except OSError:
            break
    wait_for_output(wait)
    try:
        process.stdin.close()
    except OSError:
        pass
    try:
        process.wait(LONG)
    except subprocess.TimeoutExpired:
        process.kill()
    reader.join()
    return bytes(got)


def texts(seed, count=4, most=3000):
    source = random.Random(seed)
    return [bytes(source.choices(b"abcdefghijklmnopqrstuvwxyz 0123456789", k=source.randint(1, most))) for _ in range(count)]
