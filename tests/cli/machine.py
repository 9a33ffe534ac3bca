# SPDX-License-Identifier: Apache-2.0
"""What this machine lets a test do."""
import socket


def may_capture():
    """Whether packets of an interface may be taken."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
        return True
    except OSError:
        return False
