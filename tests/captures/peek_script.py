# SPDX-License-Identifier: Apache-2.0
"""A script as people write it for SORACOM Peek: peek_script.py API SIM_ID OUT. It knows SORACOM's API and nothing of Weir.

Signs in, creates a session, waits until it captures, stops it, waits until it is over, pages through the list to find it
again, downloads the file from its url, deletes the session."""
import json
import os
import sys
import time
import urllib.parse
import urllib.request

api, sim_id, out = sys.argv[1:4]
headers = {"Content-Type": "application/json"}


def call(method, path, body=None):
    r = urllib.request.Request(api + path, method=method, headers=headers, data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(r, timeout=60) as answer:
        assert answer.status == 200, answer.status
        return json.load(answer), answer.headers


auth, _ = call("POST", "/auth", {"authKeyId": "keyId-x", "authKey": os.environ.get("AUTH_KEY", "secret-x")})
headers.update({"X-Soracom-API-Key": auth["apiKey"], "X-Soracom-Token": auth["token"]})
base = f"/sims/{urllib.parse.quote(sim_id)}/packet_capture_sessions"
session, _ = call("POST", base, {"duration": 60, "prefix": "peek-script"})
assert session["status"] in ("REQUESTED", "ACCEPTED") and session["duration"] == 60 and session["prefix"] == "peek-script" and "url" not in session
one = f"{base}/{session['sessionId']}"
while session["status"] != "CAPTURING":
    time.sleep(0.2)
    session, _ = call("GET", one)
print("CAPTURING", flush=True)
sys.stdin.readline()
session, _ = call("POST", one + "/stop")
while session["status"] in ("CAPTURING", "POST_PROCESSING"):
    time.sleep(0.2)
    session, _ = call("GET", one)
assert session["status"] in ("DONE", "STOPPED") and session["createdTime"] <= session["startedTime"] <= session["endedTime"], session
found, key = [], ""
while key is not None:
    page, h = call("GET", base + "?limit=2" + ("&last_evaluated_key=" + key if key else ""))
    assert isinstance(page, list) and len(page) <= 2
    found += page
    key = h["x-soracom-next-key"]
mine = [s for s in found if s["sessionId"] == session["sessionId"]]
assert len(mine) == 1 and len({s["sessionId"] for s in found}) == len(found)
with urllib.request.urlopen(mine[0]["url"], timeout=60) as answer:  # no headers: the address is the permission
    open(out, "wb").write(answer.read())
gone, _ = call("DELETE", one)
assert gone["sessionId"] == session["sessionId"]
try:
    call("GET", one)
    sys.exit("the session is still there")
except urllib.error.HTTPError as e:
    assert e.code == 404
print("downloaded", flush=True)
