# SPDX-License-Identifier: Apache-2.0
"""Ports on loopback: one that is free, and waiting until somebody listens."""
import socket
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    """Return when somebody listens on the port; fail after ten seconds."""
    for _ in range(200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", int(port))) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens on port {port}")
