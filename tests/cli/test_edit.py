# SPDX-License-Identifier: Apache-2.0
"""weir edit."""
import struct

import pytest


def fields(weir, path, *names, extra=()):
    args = [a for n in names for a in ("-e", n)]
    return weir("read", "-r", path, "-T", "fields", *args, *extra).out.splitlines()


def block(kind, body, order="<"):
    body += b"\0" * (-len(body) % 4)
    n = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + n + body + n


def option(code, value, order="<"):
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def packet(n, comment=None, order="<", data=b"\x45" + b"\0" * 19):
    body = struct.pack(order + "IIIII", 0, 0, 1000 * n, len(data), len(data)) + data
    if comment:
        body += option(1, comment, order) + option(2989, b"private", order) + option(0, b"", order)
    return block(6, body, order)


def capture(order):
    return (block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + option(1, b"section", order) + option(0, b"", order), order)
            + block(1, struct.pack(order + "HHI", 101, 0, 0) + option(2, b"eth7", order) + option(0, b"", order), order)
            + block(4, b"names that stay", order) + packet(1, b"hello", order) + block(0x7777, b"nobody knows this", order)
            + packet(2, None, order) + packet(3, b"last", order))


@pytest.mark.parametrize("order", "<>")
def test_a_copy_is_the_same_byte_by_byte(weir, tmp_path, order):
    source, copy = tmp_path / "a.pcapng", tmp_path / "b.pcapng"
    source.write_bytes(capture(order))
    run = weir("edit", source, "-w", copy)
    assert run.returncode == 0, run.err
    assert copy.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("order", "<>")
def test_what_is_no_packet_stays_when_packets_go(weir, tmp_path, order):
    source, copy = tmp_path / "a.pcapng", tmp_path / "b.pcapng"
    source.write_bytes(capture(order))
    weir("edit", source, "-w", copy, "--frames", "3-")
    assert copy.read_bytes() == capture(order).replace(packet(1, b"hello", order), b"").replace(packet(2, None, order), b"")


def test_choices(weir, sample, tmp_path):
    out = tmp_path / "out.pcapng"
    numbers = fields(weir, sample, "frame.number", "frame.time_relative", "mqtt.msgtype")

    def kept(*args):
        run = weir("edit", sample, "-w", out, *args)
        assert run.returncode == 0, run.err
        return len(fields(weir, out, "frame.number"))

    assert kept() == len(numbers)
    assert kept("--frames", "1-3,7") == 4
    assert kept("--frames", "1-3,7", "-v") == len(numbers) - 4
    assert kept("--from", "+0.5", "--to", "+1.5") == sum(0.5 <= float(n.split("\t")[1]) < 1.5 for n in numbers) > 0
    assert kept("-Y", "mqtt") == sum(n.split("\t")[2] != "" for n in numbers) > 0


def test_merge_in_the_order_of_time(weir, sample, tmp_path):
    first, second, both = (tmp_path / n for n in ("1.pcapng", "2.pcap", "both.pcapng"))
    weir("edit", sample, "-w", first, "-Y", "tcp.stream == 1")
    weir("edit", sample, "-w", second, "-F", "pcap", "-Y", "tcp.stream == 0 or tcp.stream > 1")
    run = weir("edit", second, first, "-w", both)
    assert run.returncode == 0, run.err
    assert fields(weir, both, "frame.time_epoch", "tcp.stream") == fields(weir, sample, "frame.time_epoch", "tcp.stream", extra=("-Y", "tcp"))


def test_split_by_conversation(weir, sample, tmp_path):
    weir("edit", sample, "-w", tmp_path / "s.pcapng", "--split", "tcp")
    streams = set(fields(weir, sample, "tcp.stream")) - {""}
    assert {p.name for p in tmp_path.glob("s-tcp-*")} == {f"s-tcp-{s}.pcapng" for s in streams}
    for s in streams:
        part = fields(weir, tmp_path / f"s-tcp-{s}.pcapng", "tcp.seq_raw")
        assert part == fields(weir, sample, "tcp.seq_raw", extra=("-Y", f"tcp.stream == {s}"))


def test_redaction_keeps_flows_and_lengths(weir, sample, tmp_path):
    out, again = tmp_path / "r.pcapng", tmp_path / "r2.pcapng"
    for path in out, again:
        assert weir("edit", sample, "-w", path, "--redact", "all", "--redact-key", "k").returncode == 0
    assert out.read_bytes() == again.read_bytes()
    same = ("frame.number", "frame.len", "tcp.stream", "tcp.seq", "mqtt.msgtype", "mqtt.msgid", "mqtt.len", "mqtt.topic_len")
    assert fields(weir, out, *same) == fields(weir, sample, *same)
    text = out.read_bytes()
    for secret in b"dashboard", b"thermometer", b"locked", b"kitchen", bytes((192, 0, 2, 30)):
        assert secret in open(sample, "rb").read() and secret not in text
    old, new = (fields(weir, p, "ip.src") for p in (sample, out))
    assert len(set(zip(old, new))) == len(set(old)) == len(set(new)), "one for one"


def test_checksums_stay_right(weir, sample, tmp_path):
    out = tmp_path / "r.pcapng"
    weir("edit", sample, "-w", out, "--redact", "all", "-F", "pcap")
    data = out.read_bytes()[24:]
    while data:
        n = struct.unpack("<I", data[8:12])[0]
        ip, data = data[16 + 14:16 + n], data[16 + n:]
        if ip[0] != 0x45 or ip[9] != 6:
            continue
        segment = ip[20:struct.unpack(">H", ip[2:4])[0]]
        pseudo = ip[12:20] + struct.pack(">HH", 6, len(segment))
        assert sum16(ip[:20]) == 0xFFFF and sum16(pseudo + segment) == 0xFFFF


def sum16(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_the_input_is_not_written_over(weir, tmp_path, sample):
    path = tmp_path / "a.pcapng"
    path.write_bytes(open(sample, "rb").read())
    run = weir("edit", path, "-w", path)
    assert run.returncode == 2 and path.read_bytes() == open(sample, "rb").read()


def test_a_damaged_file_goes_up_to_the_damage(weir, tmp_path):
    source, copy = tmp_path / "a.pcapng", tmp_path / "b.pcapng"
    source.write_bytes(capture("<")[:-5])
    run = weir("edit", source, "-w", copy)
    assert run.returncode == 2 and "byte" in run.err
    assert copy.read_bytes() == capture("<").replace(packet(3, b"last"), b"")
