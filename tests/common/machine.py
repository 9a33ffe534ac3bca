# SPDX-License-Identifier: Apache-2.0
"""What this machine and this build let a test do."""
import ctypes
import os
import shutil
import socket
import subprocess


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


def own_network():
    """Gives this process and all it starts a loopback of their own, where it may: captures of other tests lose packets in a flood."""
    if shutil.which("ip") and ctypes.CDLL(None).unshare(0x40000000) == 0:  # CLONE_NEWNET
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
