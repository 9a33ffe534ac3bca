# SPDX-License-Identifier: Apache-2.0
"""Who speaks to the server: scripts for SORACOM Peek, weir peek, Wireshark."""
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from waiting import LONG, until

from lab import OURS, PORT, WEIR, packets, udp

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "..", "..")


def peek(server, *args, **kw):
    return subprocess.run([WEIR, "peek", *map(str, args)], capture_output=True, text=True, timeout=LONG, env=dict(os.environ, WEIR_SERVER=server.url), **kw)


def run_script(server, sim_id, out, **env):
    script = subprocess.Popen([sys.executable, os.path.join(HERE, "peek_script.py"), server.url + "/v1", sim_id, out], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, env=dict(os.environ, **env))
    assert script.stdout.readline() == "CAPTURING\n"
    udp(6)
    script.stdin.write("\n")
    script.stdin.flush()
    assert script.stdout.read() == "downloaded\n" and script.wait(LONG) == 0


def test_a_script_for_peek_works_as_it_is(server, tmp_path):
    for i in range(4):  # further pages of the list
        x = server.start("127.0.0.1")
        server("POST", f"/v1/sims/127.0.0.1/packet_capture_sessions/{x['id']}/stop")
    run_script(server, "127.0.0.1", tmp_path / "out.pcapng")
    assert len(packets(tmp_path / "out.pcapng", "-Y", f"udp.port == {PORT}")) == 6


def test_a_script_for_peek_signs_in_with_a_token(serve, tmp_path):
    token = subprocess.run([WEIR, "serve", "--dir", tmp_path / "captures", "--token-add", "capture"], capture_output=True, text=True).stdout.strip()
    server = serve("-i", "lo", "--auth")
    run_script(server, "127.0.0.1", tmp_path / "out.pcapng", AUTH_KEY=token)
    assert server("POST", "/v1/auth", {"authKeyId": "x", "authKey": "0" * 64})[0] == 401
    assert server("POST", "/v1/sims/127.0.0.1/packet_capture_sessions", {"duration": 60}, X_Soracom_Token="0" * 64)[0] == 401


def test_peeks_statuses_and_refusals(server):
    base = "/v1/sims/127.0.0.1/packet_capture_sessions"
    for body in ({"duration": 29}, {"duration": 86401}, {}, {"duration": 60, "prefix": "a.b"}, {"duration": 60, "prefix": "x" * 101}):
        assert server("POST", base, body)[0] == 400, body
    status, _, x = server("POST", base, {"duration": 60, "prefix": "p" * 100})
    assert status == 200 and set(x) >= {"sessionId", "status", "duration", "prefix", "createdTime"}
    assert server("GET", "/v1/sims/192.0.2.1/packet_capture_sessions/" + x["sessionId"])[0] == 404  # another SIM's
    assert server("DELETE", f"{base}/{x['sessionId']}")[0] == 400  # under way
    assert server("POST", f"{base}/{x['sessionId']}/stop")[2]["status"] == "STOPPED"
    assert server("POST", f"{base}/{x['sessionId']}/stop")[0] == 400
    assert server("GET", "/v1/sims/192.0.2.1/packet_capture_sessions")[2] == []


# ---- weir peek ----

def test_peek_starts_watches_and_downloads(server, tmp_path):
    out = tmp_path / "boot.pcapng"
    run = subprocess.Popen([WEIR, "peek", "-s", server.url, "start", "127.0.0.1", "--duration", "60", "-f", OURS, "--max-bytes", "5000", "-n", "boot",
                            "-w", out, "--json"], stdout=subprocess.PIPE, text=True)
    got = [json.loads(run.stdout.readline())]
    while got[-1]["state"] != "CAPTURING":
        got.append(json.loads(run.stdout.readline()))
    udp(20, text=b"x" * 900)
    got += [json.loads(line) for line in run.stdout]
    assert run.wait(LONG) == 0 and got[-1]["state"] == "DONE" and got[-1]["name"] == "boot"
    assert len(packets(out)) == got[-1]["packets"] > 1 and os.path.getsize(out) == got[-1]["bytes"]


def test_ctrl_c_stops_what_was_started_and_downloads_it(server, tmp_path):
    out = tmp_path / "got.pcapng"
    run = subprocess.Popen([WEIR, "peek", "-s", server.url, "start", "127.0.0.1", "--duration", "600", "-f", OURS, "-w", out], stdout=subprocess.PIPE, text=True)
    while "CAPTURING" not in run.stdout.readline():
        pass
    udp(4)
    run.send_signal(signal.SIGINT)
    assert run.wait(LONG) == 0 and "STOPPED" in run.stdout.read() and len(packets(out)) == 4


def test_peek_lists_shows_stops_and_deletes(server, tmp_path):
    assert peek(server, "list").stdout.split() == ["ID", "STATE", "PACKETS", "BYTES", "CREATED", "DEVICE", "REASON"]
    first = json.loads(peek(server, "start", "192.0.2.1", "--duration", 60, "--json").stdout)
    second = json.loads(peek(server, "start", "mqtt:pump 12", "--duration", 60, "--json", "--redact", "all").stdout)
    assert second["device"] == "mqtt:pump 12" and second["of"] == "pump 12" and len(second["redact"]) == 4
    lines = peek(server, "list").stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [second["id"], first["id"]]
    assert [json.loads(line)["id"] for line in peek(server, "list", "192.0.2.1", "--json").stdout.splitlines()] == [first["id"]]
    assert len(peek(server, "list", "-c", 1).stdout.splitlines()) == 2
    assert f"Id         {second['id']}" in peek(server, "show", "last").stdout
    refused = peek(server, "delete", "last")
    assert refused.returncode == 2 and "under way" in refused.stderr and refused.stderr.count("\n") == 1
    assert "STOPPED" in peek(server, "stop", second["id"]).stdout
    assert peek(server, "watch", second["id"]).stdout.split()[0] == "STOPPED"
    here = peek(server, "download", second["id"], cwd=tmp_path)
    assert here.returncode == 0 and os.path.exists(tmp_path / second.get("capture", here.stderr.split()[-1]))
    assert peek(server, "download", second["id"], cwd=tmp_path).returncode == 2  # nothing is overwritten unasked
    assert peek(server, "delete", second["id"]).returncode == 0
    assert peek(server, "show", second["id"]).returncode == 2
    assert "lo" in peek(server, "interfaces").stdout.split() and peek(server, "devices").returncode == 0


@pytest.mark.parametrize("args, says", [((), "what to do"), (("strat", "x"), "did you mean 'start'"), (("start",), "which device"), (("stop",), "which capture"),
                                        (("start", "192.0.2.1"), "--duration"), (("start", "192.0.2.1", "--duration", "5"), "30"), (("show", "nonsense"), "no such"),
                                        (("list", "a", "b"), "one word too many"), (("stop", "last"), "no capture on this server")])
def test_peek_says_what_is_wrong_in_a_line(server, args, says):
    run = peek(server, *args)
    assert run.returncode == 2 and says in run.stderr and run.stderr.count("\n") == 1, run.stderr


def test_peek_without_a_server_is_a_line():
    run = subprocess.run([WEIR, "peek", "list", "-s", "http://127.0.0.1:9"], capture_output=True, text=True, timeout=LONG)
    assert run.returncode == 2 and "127.0.0.1:9" in run.stderr and run.stderr.count("\n") == 1


# ---- Wireshark ----

@pytest.fixture
def shark(server, tmp_path):
    if not shutil.which("tshark"):
        pytest.skip("there is no tshark")
    folder = tmp_path / "home" / ".config" / "wireshark" / "extcap"
    folder.mkdir(parents=True)
    shutil.copy(os.path.join(SOURCE, "src", "app", "weir-extcap"), folder)
    env = dict(os.environ, HOME=str(tmp_path / "home"), WEIR=WEIR, WEIR_SERVER=server.url)
    env.pop("XDG_CONFIG_HOME", None)
    return lambda *args: subprocess.Popen(["tshark", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def test_wireshark_lists_the_devices_and_captures_one(serve, tmp_path, shark, server):
    server.stop()
    (tmp_path / "serve.yaml").write_text("devices:\n  loop: {device: 127.0.0.1, description: the loopback}\n")
    server = serve("-i", "lo", "-c", str(tmp_path / "serve.yaml"), port=server.port)
    out, _ = shark("-D").communicate(timeout=LONG)
    assert "weir (Weir: a device of a server)" in out and "weir:loop (Weir: the loopback (127.0.0.1))" in out
    run = shark("-i", "weir:loop", "-f", OURS, "-c", "5", "-l", "-T", "fields", "-e", "udp.dstport")
    got = until(lambda: [c for c in server("GET", "/v1/sessions")[2]["captures"] if c["state"] == "CAPTURING"], step=0.1)
    udp(5, pause=0.05)
    out, err = run.communicate(timeout=LONG)
    assert out.split() == [str(PORT)] * 5, err
    got = server.until(got[0]["id"], "STOPPED")
    assert got["packets"] == 5 and got["device"] == "loop"


def test_extcap_speaks_as_it_should(server):
    env = dict(os.environ, WEIR_SERVER=server.url)
    extcap = lambda *a: subprocess.run([WEIR, "extcap", *a], capture_output=True, text=True, env=env, timeout=LONG)
    assert extcap("--extcap-interfaces", "--extcap-version=4.0").stdout.startswith("extcap {version=")
    assert extcap("--extcap-dlts", "--extcap-interface", "weir").stdout.startswith("dlt {number=1}{name=EN10MB}")
    assert "{call=--device}" in extcap("--extcap-config", "--extcap-interface", "weir").stdout
    assert "{call=--device}" not in extcap("--extcap-config", "--extcap-interface", "weir:loop").stdout
    for bad in (("--capture", "--extcap-interface", "weir:x"), ("--extcap-dlts",), ("--extcap-dlts", "--extcap-interface", "eth0"), ()):
        run = extcap(*bad)
        assert run.returncode == 2 and run.stderr.count("\n") == 1, bad
    none = subprocess.run([WEIR, "extcap", "--extcap-interfaces", "--server", "http://127.0.0.1:9"], capture_output=True, text=True, timeout=LONG)
    assert none.returncode == 0 and len(none.stdout.splitlines()) == 2
