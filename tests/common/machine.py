# SPDX-License-Identifier: Apache-2.0
"""What this machine and this build let a test do."""
import os
import socket


def may_capture():
    """Whether packets of an interface may be taken."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
        return True
    except OSError:
        return False


def sanitized():
    """Whether the program under test was built with AddressSanitizer, which has its own way with memory and time."""
    with open(os.environ.get("WEIR", "build/weir"), "rb") as file:
        return b"__asan_init" in file.read()
