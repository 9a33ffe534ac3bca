# SPDX-License-Identifier: Apache-2.0
"""weir read --events: one line per transaction, in the shape of Suricata's EVE."""
import datetime
import glob
import json
import os
import struct
import subprocess

import pytest

WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))
SAMPLE = os.path.abspath(os.environ.get("WEIR_SAMPLE", "build/sample.pcapng"))
CORPUS = os.path.join(os.path.dirname(__file__), "../../../shared/corpus")


def events(*args):
    out = subprocess.run([WEIR, "read", "--events", *args], capture_output=True, timeout=120)
    return [json.loads(line) for line in out.stdout.splitlines()]


def test_a_publish_is_one_event_with_its_handshake():
    lock = [e for e in events("-r", SAMPLE) if e.get("mqtt", {}).get("publish", {}).get("topic") == "home/door/lock"]
    assert [list(e["mqtt"]) for e in lock] == [["publish", "pubrec", "pubrel", "pubcomp"]] * 2
    assert [e["mqtt"]["pubcomp"]["frame"] for e in lock] == [61, 69] and lock[0]["mqtt"]["publish"]["message"] == "locked"
    assert lock[0]["pcap_cnt"] == 55 and lock[0]["community_id"].startswith("1:") and lock[0]["app_proto"] == "mqtt"


def test_the_ends_are_client_and_server_whoever_sent():
    assert {e["dest_port"] for e in events("-r", SAMPLE) if "dest_port" in e} == {1883}


def test_a_subscription_is_told_with_what_was_granted():
    one = next(e["mqtt"] for e in events("-r", SAMPLE) if "subscribe" in e.get("mqtt", {}))
    assert one["subscribe"]["topics"] == [{"topic": "home/#", "qos": 2}, {"topic": "device/#", "qos": 2}]
    assert one["suback"]["qos_granted"] == [2, 2]


def test_flows_and_totals_come_at_the_end():
    all_ = events("-r", SAMPLE)
    assert [e["event_type"] for e in all_[-6:]] == ["flow"] * 5 + ["stats"]
    assert all_[-1]["stats"]["decoder"]["pkts"] == 100 == sum(e["flow"]["pkts_toserver"] + e["flow"]["pkts_toclient"] for e in all_[-6:-1])
    assert all(e["tcp"]["syn"] for e in all_[-6:-1])


def test_a_filter_chooses_the_packets():
    assert {e["event_type"] for e in events("-r", SAMPLE, "-Y", "mqtt.msgtype == 3")} == {"mqtt", "flow", "stats"}


def test_another_form_beside_is_refused():
    out = subprocess.run([WEIR, "read", "--events", "-V", "-r", SAMPLE], capture_output=True, text=True)
    assert out.returncode == 2 and "--events" in out.stderr


@pytest.mark.skipif(not os.path.isdir(CORPUS), reason="needs the captures of ../shared")
def test_every_line_of_real_captures_is_an_object_with_a_head():
    kinds = set()
    for path in sorted(glob.glob(os.path.join(CORPUS, "*cap*")))[:60]:
        for e in events("-r", path, "-c", "400"):
            assert e["timestamp"] and e["event_type"] in ("mqtt", "tls", "http", "dns", "flow", "alert", "stats"), path
            kinds.add(e["event_type"])
    assert {"tls", "http", "dns", "flow", "stats"} <= kinds


def late_capture(path, *years):
    """A SYN of a connection of its own at the beginning of each year, in a pcapng file with microseconds."""
    block = lambda kind, body: struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)
    out = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, struct.pack("<HHI", 101, 0, 0))
    for i, year in enumerate(years):
        us = (datetime.date(year, 1, 1) - datetime.date(1970, 1, 1)).days * 86400 * 1000000
        packet = struct.pack(">BBHHHBBH4s4sHHIIBBHHH", 0x45, 0, 40, 0, 0, 64, 6, 0, b"\n\0\0\1", b"\n\0\0\2", 1000 + i, 1883,
                             1, 0, 0x50, 2, 100, 0, 0)
        out += block(6, struct.pack("<IIIII", 0, us >> 32, us & 0xFFFFFFFF, 40, 40) + packet)
    path.write_bytes(out)
    return path


@pytest.mark.parametrize("year", [2026, 2200, 2600])
def test_the_year_is_the_captures(tmp_path, year):
    told = events("-r", late_capture(tmp_path / "late.pcapng", year))
    assert [e["event_type"] for e in told] == ["flow", "stats"]
    assert {e["timestamp"][:10] for e in told} == {told[0]["flow"]["start"][:10]} == {f"{year}-01-01"}


def test_centuries_apart_are_not_one_interval(tmp_path):
    path = late_capture(tmp_path / "late.pcapng", 2026, 2200, 2600)
    run = subprocess.run([WEIR, "stats", "io", "-r", path], capture_output=True, text=True, timeout=20)
    assert run.returncode == 0 and "2 packets are later than" in run.stdout + run.stderr
