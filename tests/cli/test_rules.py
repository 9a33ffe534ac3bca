# SPDX-License-Identifier: Apache-2.0
"""weir guard --judge and --explain-rule: rule files without a broker."""
import base64
import hashlib
import json
import os
import resource
import subprocess

import pytest

CRS = "/usr/share/modsecurity-crs/owasp-crs.load"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Compiled rules of the tests are kept beside the program under test."""
    monkeypatch.setenv("WEIR_CACHE_DIR", os.path.join(os.path.dirname(os.environ.get("WEIR", "build/weir")), "cache"))


@pytest.fixture
def judge(weir, tmp_path):
    def run(rules, *lines, more=()):
        path = tmp_path / "rules.conf"
        path.write_text(rules)
        given = tmp_path / "lines.jsonl"
        given.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        r = weir("guard", "--judge", given, "--rules", path, *more)
        if "cannot run rule files" in r.err:
            pytest.skip("built without rule files")
        r.lines = [json.loads(line) for line in r.out.splitlines()]
        return r
    return run


def test_a_line_gives_a_line(judge):
    r = judge('SecRule ARGS "@contains evil" "id:7,deny,msg:\'found it\'"', {"topic": "a/b", "payload": "an evil thing"}, {"payload": "fine"})
    assert r.returncode == 1
    assert r.lines[0]["ids"] == [7] and r.lines[0]["action"] == "block" and r.lines[0]["msg"] == "found it"
    assert r.lines[1] == {"ids": [], "score": {"total": 0, "pl1": 0, "pl2": 0, "pl3": 0, "pl4": 0}, "action": "allow"}


def test_nothing_blocked_is_fine(judge):
    assert judge('SecRule ARGS "@contains evil" "id:7,deny"', {"payload": "fine"}).returncode == 0


def test_a_list_of_very_many_phrases_is_loaded_in_a_moment(judge, tmp_path):
    """Longer lists than rule sets have: the engine of the first pass would take minutes over it."""
    words = [hashlib.sha256(b"%d" % i).hexdigest()[:12] for i in range(30000)]
    (tmp_path / "words.data").write_text("\n".join(words) + "\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    r = judge('SecRule ARGS "@pmFromFile words.data" "id:7,deny"', {"payload": f"say {words[-1].upper()} now"}, {"payload": "say nothing"})
    assert [line["ids"] for line in r.lines] == [[7], []]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 10


def test_a_list_beyond_the_limit_is_refused_and_not_cut(judge, tmp_path):
    (tmp_path / "words.data").write_text("".join(f"{i:x}\n" for i in range(1 << 20, (1 << 20) + 300000)))
    r = judge('SecRule ARGS "@pmFromFile words.data" "id:7,deny"', {"payload": f"{(1 << 20) + 299999:x}"})
    assert r.returncode == 2 and "at most 200000 phrases" in r.err


def test_payload_in_base64_may_hold_any_bytes(judge):
    line = {"payload_b64": base64.b64encode(b"\x00\xff\n;").decode()}
    assert judge(r'SecRule ARGS:payload "@rx ^\x00\xff\n;$" "id:1,pass"', line).lines[0]["ids"] == [1]
    assert judge('SecAction "id:1"', {"payload_b64": "!"}).returncode == 2


def test_bad_lines_are_told_and_the_rest_is_judged(judge):
    r = judge('SecAction "id:1,pass"', "not json", {"payload": "x"}, {"other": 1})
    assert r.returncode == 2 and len(r.lines) == 1
    assert ":1: this is not a line of JSON" in r.err and ":3: the line has neither" in r.err


def test_stdin(weir, tmp_path):
    (tmp_path / "r.conf").write_text('SecRule ARGS "@streq a" "id:1,pass"')
    r = subprocess.run([weir.path, "guard", "--judge", "-", "--rules", tmp_path / "r.conf"], input='{"payload":"a"}\n',
                       capture_output=True, text=True)
    if "cannot run rule files" in r.stderr:
        pytest.skip("built without rule files")
    assert json.loads(r.stdout)["ids"] == [1]


def test_forms(judge):
    rules = ('SecRule ARGS:payload "@streq x y" "id:1,pass"\nSecRule ARGS:json.payload "@streq x y" "id:2,pass"\n'
             'SecRule REQUEST_BODY "@streq payload=x%20y" "id:3,pass"\nSecRule REQUEST_BODY "@beginsWith {" "id:4,pass"')
    assert judge(rules, {"payload": "x y"}).lines[0]["ids"] == [1, 3]
    assert judge(rules, {"payload": "x y"}, more=["--form"]).lines[0]["ids"] == [1, 3]
    assert judge(rules, {"payload": "x y"}, more=["--json"]).lines[0]["ids"] == [2, 4]
    assert judge(rules, {"payload": '{"payload":"x y"}'}).lines[0]["ids"] == [2, 4]


def test_a_broken_file_is_refused_with_its_place(judge):
    r = judge('# a comment\n\nSecRule ARGS \\\n  "@rx (" "id:1"', {"payload": "x"})
    assert r.returncode == 2 and "rules.conf:4:8: the regular expression is wrong" in r.err and not r.out


def test_files_include_files_beside_them(judge, tmp_path):
    (tmp_path / "more-1.conf").write_text('SecRule ARGS "@pmFromFile words.data" "id:1,pass"')
    (tmp_path / "words.data").write_text("# comment\nneedle\n")
    assert judge("Include more-*.conf", {"payload": "a NEEDLE"}).lines[0]["ids"] == [1]


def test_explain(weir, tmp_path):
    (tmp_path / "r.conf").write_text('SecRule ARGS|REQUEST_HEADERS "@rx a+b" "id:5,deny,t:lowercase"\nSecRule REQUEST_METHOD "GET" "id:6,deny"')
    r = weir("guard", "--explain-rule", 5, "--rules", tmp_path / "r.conf")
    if "cannot run rule files" in r.err:
        pytest.skip("built without rule files")
    assert "looks at: ARGS" in r.out and "lowercase" in r.out and "first pass" in r.out
    assert "can never match" in weir("guard", "--explain-rule", 6, "--rules", tmp_path / "r.conf").out
    assert weir("guard", "--explain-rule", 7, "--rules", tmp_path / "r.conf").returncode == 2


@pytest.mark.skipif(not os.path.exists(CRS), reason="needs modsecurity-crs")
def test_the_rule_sets_that_ship(weir, tmp_path):
    here = os.path.join(os.path.dirname(__file__), "..", "..", "rules")
    lines = [{"topic": "home/1/temperature", "payload": '{"temp":21.5,"unit":"C"}'}, {"topic": "a/b", "payload": '{"from":"pump","table":3}'},
             {"topic": "a/b", "payload": '{"state":"ON","update":{}}'}, {"topic": "chat", "payload": "Привет, мир! Всё ок."},
             {"topic": "cmnd/plug/Power", "payload": "x; reboot"}, {"topic": "a/../b", "payload": "1"}, {"topic": "a", "payload": "1' or 1=1--"}]
    path = tmp_path / "lines"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    r = weir("guard", "--judge", path, "--rules", f"{here}/crs.conf", "--rules", f"{here}/mqtt.conf", "--paranoia", 1, timeout=300)
    if "cannot run rule files" in r.err:
        pytest.skip("built without rule files")
    assert [json.loads(line)["action"] for line in r.out.splitlines()] == ["allow"] * 4 + ["block"] * 3, r.out + r.err
