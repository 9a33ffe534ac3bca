# SPDX-License-Identifier: Apache-2.0
"""A program with mqtt.js works through the guard as it does without (Debian: node-mqtt)."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENT = Path(__file__).with_name("mqttjs_client.js")
ENV = {**os.environ, "NODE_PATH": f"{os.environ.get('NODE_PATH', '')}:/usr/share/nodejs"}
pytestmark = pytest.mark.skipif(
    not shutil.which("node") or subprocess.run(["node", "-e", "require('mqtt')"], env=ENV, capture_output=True).returncode != 0,
    reason="needs node-mqtt")


def talk(url, version, name):
    r = subprocess.run(["node", CLIENT, url, str(version), name], env=ENV, capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout.replace(name, "NAME"))


@pytest.mark.parametrize("version", [3, 4, 5])
def test_mqttjs_sees_no_difference(start, certs, version):
    broker = start.broker()
    tls = f"tls: {{certificate: {certs}/server.pem, key: {certs}/server.key}}"
    guard = start.guard(config=f"""
listen:
  - {{address: "127.0.0.1:0"}}
  - {{address: "127.0.0.1:0", {tls}}}
  - {{address: "127.0.0.1:0", websocket: true}}
  - {{address: "127.0.0.1:0", websocket: true, {tls}}}
brokers: ["{broker.address}"]
""")
    direct = talk(f"mqtt://{broker.address}", version, "direct")
    assert len(direct["messages"]) >= 60 and direct["large"] == 300000 and direct["wills"] == ["lost"]
    for scheme, port in zip(("mqtt", "mqtts", "ws", "wss"), guard.ports):
        assert talk(f"{scheme}://127.0.0.1:{port}", version, f"by{scheme}") == direct, scheme
