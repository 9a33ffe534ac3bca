# SPDX-License-Identifier: Apache-2.0
"""Who may what: roles, tokens, TLS, and the list of actions."""
import http.client
import os
import sqlite3
import subprocess

import pytest
from waiting import LONG, until

from lab import OURS, WEIR, packets, udp


def weir(*args, **kw):
    return subprocess.run([WEIR, *map(str, args)], capture_output=True, text=True, timeout=LONG, **kw)


def token(folder, role, name=""):
    run = weir("serve", "--dir", folder, "--token-add", role, "--token-name", name)
    assert run.returncode == 0 and len(run.stdout.strip()) == 64, run.stderr
    return {"Authorization": "Bearer " + run.stdout.strip()}


def test_a_role_may_what_it_may(serve, tmp_path):
    folder = tmp_path / "captures"
    view, capture, admin = token(folder, "view", "vera"), token(folder, "capture", "carl"), token(folder, "admin", "ada")
    server = serve("-i", "lo", "--auth")
    assert server.token is None  # there are tokens: none is made
    ask = {"duration": 60, "interface": "lo", "filter": OURS}
    for headers, status in ((view, 403), (capture, 201), (admin, 201), ({}, 401), ({"Authorization": "Bearer " + "0" * 64}, 401),
                            ({"Authorization": "Basic eDp5"}, 401), ({"Authorization": "Bearer "}, 401)):
        got = server("POST", "/v1/devices/127.0.0.1/captures", ask, **headers)
        assert got[0] == status, (headers, got)
        assert (got[1]["WWW-Authenticate"] == "Bearer") == (status == 401)
    ident = server("GET", "/v1/sessions", **view)[2]["captures"][1]["id"]
    for method, path, needs in (("GET", f"/v1/sessions/{ident}", 1), ("GET", "/v1/interfaces", 1), ("GET", "/v1/devices", 1), ("GET", "/v1/captures", 1),
                                ("POST", f"/v1/sessions/{ident}/address", 1), ("POST", f"/v1/sessions/{ident}/stop", 2),
                                ("GET", f"/v1/sessions/{ident}/file", 1), ("DELETE", f"/v1/sessions/{ident}", 2), ("GET", "/v1/audit", 3)):
        for rank, headers in ((0, {}), (1, view), (2, capture), (3, admin)):
            if rank < needs:
                assert server(method, path, **headers)[0] == (403 if rank else 401), (method, path, rank)
        assert server(method, path, **(view, capture, admin)[needs - 1])[0] < 300, (method, path)
    actions = server("GET", "/v1/audit?limit=1000", **admin)[2]["actions"]
    assert ("carl", "POST", 201) in [(a["who"], a["method"], a["status"]) for a in actions]
    assert ("vera", "POST", 403) in [(a["who"], a["method"], a["status"]) for a in actions]
    assert ("carl", "DELETE", f"/v1/sessions/{ident}", 204) in [(a["who"], a["method"], a["path"], a["status"]) for a in actions]
    assert [a["id"] for a in actions] == sorted((a["id"] for a in actions), reverse=True)
    one = server("GET", "/v1/audit?limit=1", **admin)[2]
    assert server("GET", f"/v1/audit?limit=1&next={one['next']}", **admin)[2]["actions"][0]["id"] < one["actions"][0]["id"]


def test_the_first_token_is_printed_once_and_kept_as_a_hash(serve, tmp_path):
    first = serve("-i", "lo", listen="0.0.0.0")
    assert len(first.token) == 64 and first("GET", "/v1/sessions")[0] == 401
    mine = {"Authorization": "Bearer " + first.token}
    assert first("GET", "/v1/audit", **mine)[0] == 200
    first.stop()
    second = serve("-i", "lo", listen="0.0.0.0")
    assert second.token is None and second("GET", "/v1/sessions", **mine)[0] == 200
    second.stop()
    for name in os.listdir(tmp_path / "captures"):
        assert first.token.encode() not in open(tmp_path / "captures" / name, "rb").read()
    assert first.token not in open(f"{tmp_path}/captures.log").read()
    assert os.stat(tmp_path / "captures" / ".weir.sqlite").st_mode & 0o77 == 0
    listed = weir("serve", "--dir", tmp_path / "captures", "--token-list").stdout
    assert listed.split("\t")[1] == "admin" and first.token not in listed
    assert weir("serve", "--dir", tmp_path / "captures", "--token-remove", listed.split("\t")[0]).returncode == 0
    assert weir("serve", "--dir", tmp_path / "captures", "--token-list").stdout == ""
    third = serve("-i", "lo", listen="0.0.0.0")
    assert third.token and third.token != first.token and third("GET", "/v1/sessions", **mine)[0] == 401


def test_without_a_token_only_where_it_was_said(serve):
    server = serve("-i", "lo", "--no-auth", listen="0.0.0.0")
    assert server.token is None and server("GET", "/v1/sessions")[0] == 200


def test_another_sites_page_starts_nothing(server):
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}):
        assert server("POST", "/v1/devices/127.0.0.1/captures", {"duration": 60}, **headers)[0] == 403
        assert server("POST", "/v1/sims/127.0.0.1/packet_capture_sessions", {"duration": 60}, **headers)[0] == 403
    assert server("GET", "/v1/sessions")[2]["captures"] == []


@pytest.mark.parametrize("args, says", [(("--token-add", "boss"), "view, capture, admin"), (("--token-remove", "9"), "no such token"),
                                        (("--expiry", "soon"), "7d"), (("--cert", "x"), "belong together"), (("--auth", "--no-auth"), "contradict"),
                                        (("-Z", "nobody-at-all"), "no such user")])
def test_bad_use_is_one_line(tmp_path, args, says):
    run = weir("serve", "--dir", tmp_path / "captures", *args)
    assert run.returncode == 2 and says in run.stderr and run.stderr.count("\n") == 1


def test_a_folder_of_somebody_else_is_refused_with_the_remedy(tmp_path):
    run = weir("serve", "--dir", tmp_path, "--listen", "127.0.0.1:0")
    assert run.returncode == 2 and "chown" in run.stderr and "-Z root" in run.stderr


@pytest.fixture
def pem(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def test_tls_from_end_to_end(serve, pem, tmp_path):
    cert, key = pem
    server = serve("-i", "lo", "--cert", str(cert), "--key", str(key), listen="0.0.0.0")
    assert server.scheme == "https" and server.token
    env = dict(os.environ, WEIR_SERVER=f"{server.url}/#token={server.token}")
    out = tmp_path / "got.pcapng"
    refused = weir("peek", "list", env=env)
    assert refused.returncode == 2 and "certificate" in refused.stderr
    started = weir("peek", "start", "127.0.0.1", "--duration", 60, "-f", OURS, "-i", "lo", "--cafile", cert, "--json", env=env)
    assert started.returncode == 0, started.stderr
    mine = {"Authorization": "Bearer " + server.token}
    server.until(server("GET", "/v1/sessions", **mine)[2]["captures"][0]["id"], "CAPTURING", **mine)
    udp(4)
    assert weir("peek", "stop", "last", "--cafile", cert, env=env).returncode == 0
    assert weir("peek", "download", "last", "-w", out, "--cafile", cert, env=env).returncode == 0
    assert len(packets(str(out))) == 4
    url = server("POST", f"/v1/sessions/{server('GET', '/v1/sessions', **mine)[2]['captures'][0]['id']}/address", **mine)[2]["url"]
    assert url.startswith("https://") and server("GET", url[len(server.url):])[0] == 200


def test_a_key_that_does_not_fit_is_refused(tmp_path, pem):
    cert, key = pem
    key.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    run = weir("serve", "--dir", tmp_path / "captures", "--listen", "127.0.0.1:0", "--cert", cert, "--key", key)
    assert run.returncode == 2 and "PEM" in run.stderr


def test_many_followers_leave_room_for_others(server):
    x = server.capturing("127.0.0.1")
    streams, statuses = [], []
    for i in range(150):
        c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG)
        c.request("GET", f"/v1/sessions/{x['id']}/" + ("events" if i % 2 else "file?follow=1"))
        streams.append(c)
    for c in streams:
        statuses.append(c.getresponse().status)
    assert statuses.count(200) == 100 and statuses.count(503) == 50
    assert server("POST", f"/v1/sessions/{x['id']}/stop")[0] == 200
    for c in streams:
        c.close()
    until(lambda: server("GET", f"/v1/sessions/{x['id']}/events")[0] == 200)


@pytest.mark.parametrize("harm, says", [("junk", "not a database"), ("newer", "newer weir"), ("link", "unable to open")])
def test_a_store_that_cannot_be_used_is_said_and_captures_are_still_read(serve, tmp_path, harm, says):
    folder = tmp_path / "captures"
    folder.mkdir()
    store = folder / ".weir.sqlite"
    if harm == "junk":
        store.write_bytes(b"this is no database at all, only words" * 100)
    elif harm == "newer":
        db = sqlite3.connect(store)
        db.execute("PRAGMA user_version = 99")
        db.commit()
        db.close()
    else:
        (folder / ".elsewhere").write_bytes(b"")
        store.symlink_to(".elsewhere")
    for path in (folder, *folder.iterdir()):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    server = serve("-i", "lo", listen="0.0.0.0")
    mine = {"Authorization": "Bearer " + server.token}  # not stored: it ends with the server
    status, _, problem = server("POST", "/v1/devices/127.0.0.1/captures", {"duration": 60}, **mine)
    assert status == 503 and says in problem["detail"], problem
    assert server("GET", "/v1/captures", **mine)[2] == {"captures": []} and server("GET", "/v1/captures")[0] == 401
