# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from lab import WEIR, Server  # noqa: E402


def pytest_collection_modifyitems(items):
    why = None
    if os.geteuid() != 0:
        why = "capturing needs root"
    elif "no SQLite" in subprocess.run([WEIR, "serve", "--dir", "/tmp", "--token-list", "-Z", "root"], capture_output=True, text=True).stderr:
        why = "this build has no SQLite"
    for item in items if why else []:
        item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture
def serve(tmp_path):
    running = []

    def start(*args, **kw):
        running.append(Server(str(tmp_path / "captures"), *args, **kw))
        return running[-1]

    yield start
    for s in running:
        s.stop()
    shutil.rmtree(tmp_path / "captures", ignore_errors=True)


@pytest.fixture
def server(serve):
    return serve("-i", "lo")
