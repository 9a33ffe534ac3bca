# SPDX-License-Identifier: Apache-2.0
import os
import subprocess

import pytest


class Weir:
    """Runs the program: weir("read", "-r", file) gives status, out and err."""

    path = os.path.abspath(os.environ.get("WEIR", "build/weir"))

    def __call__(self, *args, stdin=subprocess.DEVNULL, timeout=120, **kw):
        run = subprocess.run([self.path, *map(str, args)], stdin=stdin, capture_output=True, timeout=timeout, **kw)
        run.out, run.err = run.stdout.decode(errors="replace"), run.stderr.decode(errors="replace")
        return run


@pytest.fixture
def weir():
    return Weir()


@pytest.fixture
def sample():
    return os.environ.get("WEIR_SAMPLE", "build/sample.pcapng")
