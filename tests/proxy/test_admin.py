# SPDX-License-Identifier: Apache-2.0
"""The admin listener, and the command line around the guard."""
import json
import re
import subprocess
import time

from conftest import WEIR, Raw, free_port, publish_packet, string, until

CHANGE = {"X-Weir": "yes"}


def test_metrics_are_prometheus_text(start):
    broker, guard = start.before()
    assert Raw(guard.port).connack == (0x20, b"\0\0")
    status, text = guard.get("metrics")
    assert status == 200
    names = set()
    for line in text.splitlines():
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP weir_\w+ .+|TYPE weir_\w+ (counter|gauge))", line)
        else:
            assert re.fullmatch(r"weir_[a-z_]+(\{[a-z]+=\"[^\"]*\"\})? \d+", line), line
            name = re.match(r"\w+", line)[0]
            names.add(name)
            assert f"# TYPE {name} " in text
    assert {"weir_connections_open", "weir_guard_sessions_total", "weir_broker_up", "weir_audit_lost_total"} <= names
    assert guard.metric("accepted_total") == 1 and guard.metric("guard_sessions_total") == 1


def test_health_and_readiness(start):
    broker, guard = start.before()
    assert guard.get("healthz") == (200, "ok\n")
    assert guard.get("readyz")[0] == 200
    assert guard.get("nowhere")[0] == 404
    assert guard.get("metrics", "POST")[0] == 405


def test_a_guard_without_broker_is_not_ready(start):
    guard = start.guard("--listen", "127.0.0.1:0", "--broker", f"127.0.0.1:{free_port()}")
    until(lambda: guard.get("readyz")[0] == 503)
    assert guard.get("healthz")[0] == 200


def test_a_reload_says_what_became_of_it(start):
    broker = start.broker()
    guard = start.guard(config=f'listen: ["127.0.0.1:0"]\nbrokers: ["{broker.address}"]\n')
    raw, good = Raw(guard.port), guard.config.read_text()
    assert guard.get("/reload", "POST")[0] == 403 and guard.get("/reload", "GET", CHANGE)[0] == 404
    guard.config.write_text(good + "topics: {rules: [{deny: publish, to: 'x/#/y'}]}\n")
    status, text = guard.get("/reload", "POST", CHANGE)
    assert status == 422 and f"{guard.config}:3:" in text and "topic filter" in text and "the old one stays" in text
    guard.config.write_text(good + "topics: {rules: [{deny: publish, to: 'x/#', action: disconnect}]}\n")
    assert guard.get("/reload", "POST", CHANGE)[0] == 200
    until(lambda: guard.metric("reloads_total") == 1)
    raw.send(publish_packet("x/y"))
    assert raw.closed()


def test_bans_are_set_and_lifted(start):
    broker, guard = start.before()
    assert guard.get("/bans?kind=address&value=127.0.0.1", "POST")[0] == 403  # no header: another page's doing
    assert guard.get("/bans?kind=address&value=nonsense", "POST", CHANGE)[0] == 400
    assert guard.get("/bans?kind=planet&value=x", "POST", CHANGE)[0] == 400
    assert guard.get("/bans?kind=address&value=127.0.0.0/30&seconds=100&reason=test", "POST", CHANGE)[0] == 200
    (ban,) = json.loads(guard.get("bans")[1])
    assert ban["kind"] == "address" and ban["value"] == "127.0.0.0/30" and ban["reason"] == "test"
    assert 95 <= ban["seconds"] <= 100
    assert Raw(guard.port, connect=False).closed()
    assert guard.get("/bans?kind=address&value=127.0.0.0/30", "DELETE", CHANGE)[0] == 200
    assert json.loads(guard.get("bans")[1]) == []
    assert Raw(guard.port).connack == (0x20, b"\0\0")
    assert guard.get("/bans?kind=client&value=mallory", "POST", CHANGE)[0] == 200
    assert Raw(guard.port, "mallory").connack in (None, (0x20, b"\0\x05"), (0x20, b"\0\x02"))
    assert Raw(guard.port, "alice").connack == (0x20, b"\0\0")


def test_a_ban_that_ends_is_not_followed_by_another_without_an_offence(start):
    passwords = start.folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "bob", "right"], check=True, capture_output=True)
    broker, guard = start.before(extra=f"password_file {passwords}\n", config="limits: [{id: guessing, per: address, "
                                 "what: refused_logins, max: 3, window: 10m, action: ban 2s}]\n")

    def login(password):
        return Raw(guard.port, flags=0xc2, more=string("bob") + string(password)).connack

    for bans in (1, 2):
        for _ in range(3):
            assert login("wrong") == (0x20, b"\0\x05")
        assert guard.metric("guard_banned_total") == bans - 1
        login("wrong")
        assert guard.metric("guard_banned_total") == bans
        assert Raw(guard.port, connect=False).closed()
        time.sleep(2.5)
        for _ in range(8):  # whichever worker is asked
            assert login("right") == (0x20, b"\0\0")


def test_the_page_and_what_it_asks_for(start):
    broker, guard = start.before()
    status, page = guard.get("")
    assert status == 200 and "<title>weir guard</title>" in page
    bad = Raw(guard.port)
    bad.send(b"\x30\x02\x00\x05")
    assert bad.closed()
    until(lambda: json.loads(guard.get("events")[1]))
    assert isinstance(json.loads(guard.get("talkers")[1]), list)
    stats = json.loads(guard.get("stats")[1])
    assert stats["ready"] and stats["brokers"][0]["up"] and len(stats["workers"]) == 2


def test_a_foreign_name_gets_nothing_from_loopback(start):
    broker, guard = start.before()
    assert guard.get("stats", headers={"Host": "evil.example"})[0] == 403
    assert guard.get("stats", headers={"Host": "localhost:1"})[0] == 200


def test_the_command_line_says_what_is_missing():
    run = subprocess.run([WEIR, "guard"], capture_output=True, text=True)
    assert run.returncode == 2 and "--listen" in run.stderr
    run = subprocess.run([WEIR, "guard", "--listen", "nonsense:x", "--broker", "127.0.0.1:1"], capture_output=True, text=True)
    assert run.returncode == 2 and "nonsense:x" in run.stderr
    run = subprocess.run([WEIR, "guard", "-t", "--listen", ":1883", "--broker", "127.0.0.1:1"], capture_output=True, text=True)
    assert run.returncode == 0 and "fine" in run.stdout


def test_a_port_in_use_is_said(start):
    broker = start.broker()
    run = subprocess.run([WEIR, "guard", "--listen", broker.address, "--broker", broker.address], capture_output=True,
                         text=True)
    assert run.returncode == 2 and "cannot listen on" in run.stderr and "in use" in run.stderr
