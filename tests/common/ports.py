# SPDX-License-Identifier: Apache-2.0
"""Ports on loopback: one that stays free until the test takes it, and waiting until somebody listens."""
import random
import socket

from waiting import until

held = []  # names that say which ports are this process'


def free_port():
    """A port that nobody has. The system gives none of these to clients, and no other test gets it while this process lives."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        low, high = map(int, file.read().split())
    fixed = [n for n in range(10000, 60000) if not low <= n <= high] or range(10000, 60000)
    while True:
        port = random.SystemRandom().choice(fixed)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0weir-test-port-{port}")
            for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
                with socket.socket(socket.AF_INET, kind) as s:
                    s.bind(("", port))
        except OSError:
            name.close()
            continue
        held.append(name)
        return port


def listens(address):
    """Whether somebody accepts connections there: an address and a port, or the path of a socket."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as s:
        s.settimeout(5)
        return s.connect_ex(address) == 0


def wait_for(port):
    """Returns when somebody listens on the port of loopback."""
    until(lambda: listens(("127.0.0.1", int(port))))
