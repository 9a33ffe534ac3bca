# SPDX-License-Identifier: Apache-2.0
"""The project's own tools."""
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def check(tmp_path, room, text):
    for name in {room, *(folder.name for folder in (ROOT / "src").iterdir() if folder.is_dir())}:
        (tmp_path / "src" / name).mkdir(parents=True)
    shutil.copy(ROOT / "ARCHITECTURE.md", tmp_path)
    (tmp_path / "src" / room / "x.c").write_text(text)
    return subprocess.run([ROOT / "tools/check-layers", tmp_path], capture_output=True, text=True)


@pytest.mark.parametrize("room,text", [
    ("base", '#include "proto/proto.h"\n'),
    ("io", '#include "view/view.h"\n'),
    ("cellar", "int x;\n"),
    ("view", 'void f(void) {\n    int n = open("x", 0);\n}\n'),
    ("flow", "int f(int fd) {\n    return read(fd, 0, 0);\n}\n"),
    ("proto", "void f(void) {\n    char *p = malloc(3);\n}\n"),
    ("proto", "static int count;\n"),
    ("proto", "void f(void) {\n    static unsigned calls;\n}\n"),
    ("proto", 'void f(void) {\n    printf("x");\n}\n'),
])
def test_a_breach_is_found(tmp_path, room, text):
    run = check(tmp_path, room, text)
    assert run.returncode == 1 and "x.c" in run.stdout


@pytest.mark.parametrize("room,text", [
    ("app", '#include "view/view.h"\nint f(void) {\n    return open("x", 0);\n}\n'),
    ("proto", '#include "base/slice.h"\n/* malloc( is not used */\nstatic const int table[] = {1};\n'),
    ("proto", "static void read(int x) { (void)x; }\nvoid f(const struct ops *o) { o->read(3); }\n"),
])
def test_what_is_allowed_passes(tmp_path, room, text):
    run = check(tmp_path, room, text)
    assert run.returncode == 0, run.stdout


def test_a_new_protocol_is_registered(tmp_path):
    for name in "src/proto", "tools":
        shutil.copytree(ROOT / name, tmp_path / name)
    run = subprocess.run([tmp_path / "tools/new-proto", "modbus", "Modbus"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    proto = tmp_path / "src/proto"
    assert sorted(p.name for p in (proto / "modbus").iterdir()) == ["modbus.def", "modbus.h", "modbus_read.c"]
    assert '"proto/modbus/modbus.def"' in (proto / "all.def").read_text()
    assert "PROTO(modbus)\nPROTO(data)" in (proto / "protos.def").read_text()
    assert "'modbus/modbus_read.c'" in (proto / "meson.build").read_text()
