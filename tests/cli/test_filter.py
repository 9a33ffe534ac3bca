# SPDX-License-Identifier: Apache-2.0
"""Display filters at the command line: where they are taken from, and against tshark on the sample."""
import shutil
import subprocess

import pytest

TSHARK = shutil.which("tshark")
FILTERS = ["mqtt", "!mqtt", "mqtt.topic", "tcp.port != 1883", "any tcp.port != 1883", "all ip.addr == 192.0.2.0/24",
           "mqtt.msgtype == \"Publish Message\" && mqtt.qos > 0", "mqtt.topic matches \"(?-i)^home/.*e$\"", "lower(mqtt.topic) contains \"kitchen\"",
           "tcp.len in {1 .. 20, 69}", "tcp.flags & 0x12 == 0x12", "tcp.flags.syn == True and not tcp.flags.ack == 1",
           "frame.time_delta > 0.0003", "frame.time_relative in {0.4 .. 1.3}", "tcp[13] == 02", "ip[12:4] == ip.src",
           "eth.src[0:3] == eth.dst[0:3]", "frame contains \"kitchen\"", "tcp contains 6b:69", "tcp.srcport - 40000 == 3",
           "max(tcp.port) - min(tcp.port) > 38120", "count(mqtt) == 1", "len(mqtt.topic) >= 15", "mqtt.topic[-4:] == \"ture\"",
           "string(tcp.stream) == \"1\"", "frame.time > \"2020-01-01\"", "tcp.analysis.ack_rtt < 0.0003 or mqtt", "ip.addr#1 == 192.0.2.30",
           "tcp.srcport % 2 == 1 and {tcp.len + 1} * 2 > 100", "mqtt.len === 2", "tcp.window_size_value !== 502", "udp or tcp.port >= 40003",
           "_ws.expert.severity == \"Chat\" and _ws.expert.message contains \"SYN\"", "_ws.expert.group == Sequence", "frame[0:2] < 00:00:01"]


def frames(weir, *args):
    run = weir("read", "-n", "-T", "fields", "-e", "frame.number", *args)
    assert run.returncode == 0, run.err
    return run.out.split()


@pytest.mark.once
@pytest.mark.skipif(not TSHARK, reason="tshark is not installed")
def test_filters_choose_the_packets_tshark_chooses(weir, sample):
    for text in FILTERS:
        other = subprocess.run([TSHARK, "-n", "-r", sample, "-T", "fields", "-e", "frame.number", "-Y", text], capture_output=True,
                               text=True, timeout=60)
        assert other.returncode == 0, (text, other.stderr)
        assert frames(weir, "-r", sample, "-Y", text) == other.stdout.split(), text


def test_words_at_the_end_are_the_filter_too(weir, sample):
    assert frames(weir, "-r", sample, "mqtt.msgtype", "==", "3") == frames(weir, "-r", sample, "-Y", "mqtt.msgtype == 3") != []


def test_fields_of_the_filter_need_not_be_shown(weir, sample):
    run = weir("read", "-n", "-r", sample, "-Y", "mqtt.msgtype == 1", "-T", "fields", "-e", "ip.src")
    assert run.out.split()[:3] == ["192.0.2.21", "192.0.2.30", "192.0.2.22"]


def test_all_forms_are_filtered(weir, sample):
    count = len(frames(weir, "-r", sample, "-Y", "mqtt.topic"))
    for form, mark in [("text", "\n"), ("pdml", "<packet>"), ("json", '"_source"'), ("jsonl", "\n")]:
        run = weir("read", "-n", "-r", sample, "-T", form, "-Y", "mqtt.topic")
        assert run.out.count(mark) == count > 0, form


def test_count_stops_after_packets_read_not_shown(weir, sample):
    assert frames(weir, "-r", sample, "-c", "10", "-Y", "mqtt") == [n for n in frames(weir, "-r", sample, "-Y", "mqtt") if int(n) <= 10]


def test_a_bad_filter_is_told_before_anything_is_opened(weir):
    run = weir("read", "-r", "/nonexistent", "-Y", "ip.src == 10.0.0.256")
    assert run.returncode == 2 and "IPv4" in run.err and "nonexistent" not in run.err
    assert run.err.splitlines()[2].index("^") == run.err.splitlines()[1].index("10.0.0.256")


def test_old_names_work_and_are_told(weir):
    run = weir("read", "--explain-filter", "-Y", "ssl.handshake.type == 1 or bootp")
    assert run.returncode == 0 and "tls.handshake.type" in run.out and "is now called dhcp" in run.err
