# SPDX-License-Identifier: Apache-2.0
"""The description of the API says what the server does: every path about captures on demand is asked, and what it answers
is held against the description."""
import os
import sys

from lab import OURS, udp

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "serve"))
from test_serve import conforms  # noqa: E402

OF_CAPTURES = ("/v1/devices", "/v1/sessions", "/v1/interfaces", "/v1/download", "/v1/audit", "/v1/auth", "/v1/sims", "/v1/virtual")


def test_every_path_answers_as_described(server):
    api = server("GET", "/v1/openapi.json")[2]
    asked = set()

    def ask(method, template, body=None, want="200", query="", **fill):
        path = template
        for k, v in fill.items():
            path = path.replace("{%s}" % k, v)
        status, headers, got = server(method.upper(), path + query, body)
        described = api["paths"][template][method]["responses"]
        assert str(status) == want and want in described, (method, path, status, got)
        schema = described[want].get("content", {}).get("application/json", {}).get("schema")
        if schema:
            conforms(got, schema, api, f"{method} {template}")
        asked.add((method, template))
        return got

    for path in ("interfaces", "devices", "sessions", "audit"):
        ask("get", "/v1/" + path)
    ask("get", "/v1/devices/{device}", device="192.0.2.7")
    ask("post", "/v1/auth", {"authKeyId": "a", "authKey": "b"})
    request = {"duration": 60, "interface": "lo", "filter": OURS, "name": "all", "snaplen": 100, "max_bytes": 100000, "redact": ["topics"]}
    assert set(request) == set(api["components"]["schemas"]["SessionRequest"]["properties"])
    for head, fill in (("/v1/devices/{device}/captures/{session}", {"device": "127.0.0.1"}), ("/v1/sessions/{session}", {})):
        x = ask("post", "/v1/devices/{device}/captures", request, want="201", device="127.0.0.1")
        fill["session"] = x["id"]
        server.until(x["id"], "CAPTURING")
        ask("get", "/v1/devices/{device}/captures", device="127.0.0.1", query="?limit=1")
        ask("get", head, **fill)
        ask("delete", head, want="409", **fill)
        udp(2)
        ask("post", head + "/stop", **fill)
        ask("post", head + "/stop", want="409", **fill)
        ask("get", head + "/file", **fill)
        ask("get", head + "/file", query="?follow=1", **fill)
        ask("get", head + "/events", **fill)
        url = ask("post", head + "/address", {"seconds": 60}, want="201", **fill)["url"]
        ask("get", "/v1/download/{session}/{name}", query="?" + url.split("?")[1], session=x["id"], name=x["capture"])
        ask("get", "/v1/download/{session}/{name}", want="410", query="?" + url.split("?")[1], session=x["id"], name=x["capture"])
        ask("delete", head, want="204", **fill)
        ask("get", head, want="404", **fill)
    for base, name, device in (("/v1/sims/{sim_id}", "sim_id", "127.0.0.1"), ("/v1/virtual_private_gateways/{vpg_id}", "vpg_id", "interface:lo")):
        base, fill = base + "/packet_capture_sessions", {name: device}
        x = ask("post", base, {"duration": 60, "prefix": "p"}, **fill)
        ask("post", base, {"duration": 6}, want="400", **fill)
        ask("get", base, **fill)
        fill["session_id"] = x["sessionId"]
        ask("get", base + "/{session_id}", **fill)
        ask("post", base + "/{session_id}/stop", **fill)
        ask("get", base + "/{session_id}", **fill)
        ask("delete", base + "/{session_id}", **fill)
    every = {(m, p) for p, item in api["paths"].items() if p.startswith(OF_CAPTURES) for m in item if m != "parameters"}
    assert every == asked
