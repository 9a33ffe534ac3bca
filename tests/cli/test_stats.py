# SPDX-License-Identifier: Apache-2.0
"""weir stats, and tshark's -z in weir read."""
import csv
import io
import json
import struct

import pytest


def rows(weir, *args):
    run = weir("stats", *args, "--json")
    assert run.returncode == 0, run.err
    return json.loads(run.out)


def udp(src, dst, sport, dport, payload):
    """An IPv4 packet without its link layer."""
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0, bytes(src), bytes(dst))
    return head + struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


def pcap(path, packets, link=101):
    out = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for i, p in enumerate(packets):
        out += struct.pack("<IIII", 100 + i, 0, len(p), len(p)) + p
    path.write_bytes(out)
    return path


A, B, C = (10, 0, 0, 1), (10, 0, 0, 2), (10, 0, 0, 3)


@pytest.fixture
def talk(tmp_path):
    return pcap(tmp_path / "talk.pcap", [udp(B, A, 9, 5000, b"x" * 10), udp(A, B, 5000, 9, b"y" * 20), udp(A, C, 5000, 9, b""),
                                         udp(B, A, 9, 5000, b"z")])


def test_endpoints_count_both_ways(weir, talk):
    table = rows(weir, "endpoints", "ip", "-r", talk)
    a = next(r for r in table if r["address"] == "10.0.0.1")
    assert (a["packets"], a["tx_packets"], a["rx_packets"]) == (4, 2, 2)
    assert a["tx_bytes"] == 48 + 28 and a["rx_bytes"] == 38 + 29
    assert table[0]["address"] == "10.0.0.1", "most packets first"


def test_a_conversation_begins_with_who_spoke_first(weir, talk):
    table = rows(weir, "conversations", "udp", "-r", talk)
    assert [(r["stream"], r["address_a"], r["port_a"], r["packets_a_b"], r["packets_b_a"]) for r in table] == [
        (0, "10.0.0.2", 9, 2, 1), (1, "10.0.0.1", 5000, 1, 0)]
    assert table[0]["start"] == 0 and table[0]["duration"] == 3


def test_only_what_passes_the_filter_counts(weir, talk):
    assert len(rows(weir, "conversations", "udp", "-r", talk, "-Y", "ip.addr == 10.0.0.3")) == 1
    run = weir("stats", "endpoints", "ip", "-r", talk, "-Y", "ip.addr ==")
    assert run.returncode == 2 and "^" in run.err and not run.out


@pytest.mark.parametrize("kind", ["endpoints", "conv"])
def test_a_level_counts_its_own_ends_whatever_others_want(weir, sample, kind):
    levels = ["eth", "ip", "ipv6", "tcp", "udp"]
    alone = {x: weir("read", "-q", "-r", sample, "-z", f"{kind},{x}").out for x in levels}
    together = weir("read", "-q", "-r", sample, *[w for x in levels for w in ("-z", f"{kind},{x}")]).out
    assert together == "".join(alone[x] for x in reversed(levels))
    for x in levels:
        everything = "eth.src or ip.src or ipv6.src or tcp.stream or udp.stream or frame"
        filtered = weir("read", "-q", "-r", sample, "-z", f"{kind},{x},{everything}").out
        assert filtered.replace(everything, "<No Filter>") == alone[x]


def test_the_quoted_packet_does_not_count(weir, tmp_path):
    quoted = udp(A, C, 5000, 9, b"")
    icmp = struct.pack(">BBHI", 3, 3, 0, 0) + quoted
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1, 0, bytes(B), bytes(A))
    table = rows(weir, "endpoints", "ip", "-r", pcap(tmp_path / "icmp.pcap", [head + icmp]))
    assert {r["address"] for r in table} == {"10.0.0.1", "10.0.0.2"}


def test_sort_top_and_csv(weir, sample):
    run = weir("stats", "endpoints", "tcp", "-r", sample, "--csv", "--sort", "port", "--top", "2")
    table = list(csv.DictReader(io.StringIO(run.out)))
    assert len(table) == 2 and int(table[0]["port"]) >= int(table[1]["port"])
    everything = rows(weir, "endpoints", "tcp", "-r", sample)
    assert int(table[0]["port"]) == max(r["port"] for r in everything)
    run = weir("stats", "endpoints", "tcp", "-r", sample, "--sort", "weight")
    assert run.returncode == 2 and "port" in run.err


def test_the_hierarchy_adds_up(weir, sample):
    table = {r["path"]: r for r in rows(weir, "protocols", "-r", sample)}
    assert table["eth"]["packets"] >= table["eth:ip"]["packets"] >= table["eth:ip:tcp:mqtt"]["packets"] > 0
    assert table["eth"]["percent"] == 100


def test_mqtt_by_client_topic_and_filter(weir, sample):
    tables = rows(weir, "mqtt", "-r", sample)
    clients = {c["client"]: c for c in tables["clients"]}
    assert clients["dashboard"]["delivered"] == 4 and "home/#" in clients["dashboard"]["filters"]
    assert clients["lock"]["sent_qos2"] == 1 and clients["lock"]["topics_published"] == ["home/door/lock"]
    topics = {t["topic"]: t for t in tables["topics"]}
    assert topics["home/kitchen/temperature"]["retained"] == 2
    assert topics["home/door/lock"]["publishers"] == topics["home/door/lock"]["subscribers"] == 1


def test_volume_is_billed_by_the_packet(weir, sample):
    plain, billed = rows(weir, "volume", "-r", sample), rows(weir, "volume", "-r", sample, "--overhead", "40")
    packets = sum(c["packets"] for c in plain["classes"])
    assert sum(c["billed"] for c in billed["classes"]) == sum(c["billed"] for c in plain["classes"]) + 40 * packets
    assert sum(c["billed"] for c in plain["classes"]) == sum(d["billed"] for d in plain["devices"])


def test_volume_against_itself_changes_nothing(weir, sample):
    tables = rows(weir, "volume", "-r", sample, "--baseline", sample)
    same = weir("stats", "volume", "-r", sample, "--baseline", sample, "--alarm", "1")
    assert same.returncode == 0 and not same.err
    assert all(r["change"] == 0 and r["baseline"] == r["billed"] for t in tables.values() for r in t)


def test_volume_that_grew_gives_an_alarm(weir, sample, talk):
    run = weir("stats", "volume", "-r", sample, "--baseline", talk, "--alarm", "50")
    lines = run.err.splitlines()
    assert run.returncode == 1 and run.out and len(lines) > 1 and all(l.startswith("weir stats: alarm: ") for l in lines)
    assert lines[0].startswith("weir stats: alarm: all: ") and all(l.endswith(" before") for l in lines)
    alone = weir("stats", "volume", "-r", sample, "--alarm", "50")
    assert alone.returncode == 2 and "--baseline" in alone.err


def named(tmp_path, file, *answers, address):
    """A device asks for names, is told addresses, and sends a datagram to one of them."""
    def name(text):
        return b"".join(bytes([len(p)]) + p.encode() for p in text.split(".")) + b"\0"
    device, server, packets = (10, 0, 0, 9), (10, 0, 0, 53), []
    for asked, owner, told in answers:
        body = struct.pack(">6H", 7, 0x8180, 1, 1, 0, 0) + name(asked) + struct.pack(">HH", 1, 1)
        packets.append(udp(server, device, 53, 4000, body + name(owner) + struct.pack(">HHIH4s", 1, 1, 60, 4, bytes(told))))
    return pcap(tmp_path / file, packets + [udp(device, address, 50000, 7777, b"x" * 100)])


def test_volume_by_name(weir, tmp_path):
    first, second, third = (192, 0, 2, 1), (192, 0, 2, 2), (192, 0, 2, 3)
    was = named(tmp_path, "was.pcap", ("IoT.example", "iot.EXAMPLE", first), address=first)
    now = named(tmp_path, "now.pcap", ("iot.example", "iot.example", second), address=second)
    here = {d["name"]: d for d in rows(weir, "volume", "-r", now)["destinations"]}
    assert here["iot.example:7777"]["also"] == ["192.0.2.2"]
    rotated = {d["name"]: d for d in rows(weir, "volume", "-r", now, "--baseline", was)["destinations"]}
    assert rotated["iot.example:7777"]["change"] == 0 and len(rotated) == 2
    assert weir("stats", "volume", "-r", now, "--baseline", was, "--alarm", "1").returncode == 0
    # The record of another name says nothing of the one asked for; an address with two names keeps its own.
    stray = named(tmp_path, "stray.pcap", ("iot.example", "other.example", third), address=third)
    assert "192.0.2.3:7777" in {d["name"] for d in rows(weir, "volume", "-r", stray)["destinations"]}
    both = named(tmp_path, "both.pcap", ("a.example", "a.example", first), ("b.example", "b.example", first), address=first)
    line = next(d for d in rows(weir, "volume", "-r", both)["destinations"] if d["name"] == "192.0.2.1:7777")
    assert line["also"] == ["a.example", "b.example"]


def test_values_per_interval(weir, talk):
    run = weir("stats", "io", "-r", talk, "--interval", "2", "--column", "SUM(udp.length)udp.srcport == 9", "--column", "FRAMES", "--json")
    table = json.loads(run.out)
    assert [list(r.values()) for r in table] == [[0, 18, 2], [2, 9, 2]]
    run = weir("stats", "io", "-r", talk, "--column", "SUM(ip.nothing)")
    assert run.returncode == 2 and "SUM(FIELD)" in run.err


def test_tsharks_form(weir, talk):
    out = weir("read", "-q", "-z", "conv,udp", "-z", "io,stat,2", "-r", talk).out
    assert out.index("IO Statistics") < out.index("UDP Conversations"), "the last one asked for comes first"
    assert "|  0 <> 2  |      2 |    86 |" in out
    assert "10.0.0.2:9                 <-> 10.0.0.1:5000                    1 48 bytes        2 67 bytes        3 115 bytes" in out
    run = weir("read", "-q", "-z", "conv,carrier-pigeon", "-r", talk)
    assert run.returncode == 2 and "endpoints" in run.err


def test_a_damaged_file_is_counted_up_to_the_damage(weir, talk):
    talk.write_bytes(talk.read_bytes()[:-3])
    run = weir("stats", "endpoints", "ip", "-r", talk, "--json")
    assert run.returncode == 2 and "byte" in run.err
    assert sum(r["tx_packets"] for r in json.loads(run.out)) == 3


def tree_rows(out):
    """Name, indented as printed, and the columns of a tree's rows."""
    lines = out.split("\n")
    width = lines[3].index("Count")
    return {line[:width].rstrip(): line[width:].split() for line in lines[5:] if line.strip() and not line.startswith("---")}


def test_tree_of_lengths_and_of_addresses(weir, sample):
    every = [int(n) for n in weir("read", "-r", sample, "-T", "fields", "-e", "frame.len").out.split()]
    rows = tree_rows(weir("read", "-r", sample, "-q", "-z", "plen,tree").out)
    assert int(rows["Packet Lengths"][0]) == len(every) and rows["Packet Lengths"][2:4] == [str(min(every)), str(max(every))]
    small = [n for n in every if 40 <= n <= 79]
    assert int(rows[" 40-79"][0]) == len(small) and rows[" 40-79"][1] == f"{sum(small) / len(small):.2f}"
    assert list(rows)[1:4] == [" 0-19", " 20-39", " 40-79"]  # ranges stay in order
    hosts = tree_rows(weir("read", "-r", sample, "-q", "-z", "ip_hosts,tree,tcp").out)
    counts = [int(c[0]) for c in hosts.values()]
    assert counts[0] == int(weir("read", "-r", sample, "-Y", "tcp", "-T", "fields", "-e", "frame.number").out.count("\n"))
    assert counts[1:] == sorted(counts[1:], reverse=True)
    assert weir("read", "-r", sample, "-q", "-z", "nothing,tree").returncode == 2


def test_expert_from_a_severity_up(weir, sample):
    severities = lambda *args: {r["severity"] for r in json.loads(weir("stats", "expert", *args, "-r", sample, "--json").out)}
    assert severities("warn") <= {"Warning", "Error"} and severities("warn") < severities("chat")
    assert severities() == severities("comment")


def http(uri, referer=None):
    return (f"GET {uri} HTTP/1.1\r\nHost: h\r\n" + (f"Referer: http://h{referer}\r\n" if referer else "") + "\r\n").encode()


def packets(*payloads, proto=6):
    """A capture of one packet for each payload, from ports 20000 up to port 80; or of ICMP messages, there and back."""
    import struct
    out = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101)
    for i, data in enumerate(payloads):
        ends = (0x0a000001, 0x0a000002) if proto == 6 or data[0] == 8 else (0x0a000002, 0x0a000001)
        head = struct.pack(">HHIIBBHHH", 20000 + i, 80, 1, 1, 0x50, 0x18, 8192, 0, 0) if proto == 6 else b""
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(head + data), i, 0, 64, proto, 0, *ends) + head + data
        out += struct.pack("<IIII", 1700000000, i * 10000, len(ip), len(ip)) + ip
    return out


def test_requests_stand_below_the_page_that_led_to_them(weir, tmp_path):
    (tmp_path / "f").write_bytes(packets(http("/a", "/"), http("/b", "/a"), http("/" + "x" * 300, "/a"), http("/none")))
    out = weir("read", "-r", tmp_path / "f", "-q", "-z", "http_seq,tree").out
    lines = [line.split()[:2] for line in out.splitlines() if line.lstrip().startswith("http")]
    assert lines == [["http://h/", "4"], ["http://h/a", "5"], ["http://h/" + "x" * 300, "1"], ["http://h/b", "1"]]
    out = weir("read", "-r", tmp_path / "f", "-q", "-z", "http,stat").out
    assert "* HTTP Request Methods" in out and out.splitlines()[-2].split() == ["GET", "4"]


def test_echo_times_and_the_flow_graph(weir, tmp_path):
    ask, answer = bytes([8, 0, 0, 0, 0, 1, 0, 1]), bytes([0, 0, 0, 0, 0, 1, 0, 1])
    lost = bytes([8, 0, 0, 0, 0, 1, 0, 2])
    (tmp_path / "f").write_bytes(packets(ask, answer, lost, proto=1))
    out = weir("read", "-r", tmp_path / "f", "-q", "-z", "icmp,srt").out.splitlines()
    assert out[6].split() == ["2", "1", "1", "50.0%"] and out[9].split()[:4] == ["10.000"] * 4 and out[9].split()[5:] == ["2", "2"]
    out = weir("read", "-r", tmp_path / "f", "-q", "-z", "flow,icmp,network").out.splitlines()
    assert "10.0.0.1" in out[0] and "10.0.0.2" in out[1] and len(out) == 8
    assert "------------------>" in out[3] and "(2048)" in out[3] and "<------------------" in out[5]
    for wrong in ("flow,tcp", "flow,sctp,network", "follow,http2,raw,0", "icmp,srt,tcp.port =="):
        assert weir("read", "-r", tmp_path / "f", "-q", "-z", wrong).returncode == 2


def test_hosts_and_messages_of_dhcp(weir, tmp_path):
    """The names of DNS answers and those a pcapng file brings; the last one stands, case aside."""
    import struct

    def block(kind, body, order):
        body += bytes(-len(body) % 4)
        return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)

    def datagram(port, body, order):
        udp = struct.pack(">HHHH", port, 4000, 8 + len(body), 0) + body
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, 0x0A000001, 0x0A000002) + udp
        return block(6, struct.pack(order + "IIIII", 0, 0, 0, len(ip), len(ip)) + ip, order)

    def answer(name, kind, address):
        label = bytes([len(name)]) + name + b"\0"
        return struct.pack(">HHHHHH", 1, 0x8180, 1, 1, 0, 0) + label + struct.pack(">HH", kind, 1) + label + struct.pack(">HHIH", kind, 1, 9, len(address)) + address

    def dhcp(kind):
        return bytes([2, 1, 6, 0]) + bytes(232) + b"\x63\x82\x53\x63" + bytes([53, 1, kind, 255])

    for order in "<>":
        named = b"".join(struct.pack(order + "HH", kind, len(body)) + body + bytes(-len(body) % 4)
                         for kind, body in ((1, b"\x0a\0\0\x05" + b"first\0second\0"), (9, b"?"), (2, bytes(15) + b"\1" + b"six\0"), (1, b"cut"), (0, b"")))
        packets = b"".join(datagram(53, a, order) for a in (answer(b"Broker", 1, b"\x0a\0\0\x09"), answer(b"broker", 1, b"\x0a\0\0\x09"), answer(b"other", 28, bytes(15) + b"\2")))
        packets += b"".join(datagram(67, dhcp(kind), order) for kind in (2, 5, 5, 99))
        file = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order) + block(1, struct.pack(order + "HHI", 101, 0, 0), order) + block(4, named, order)
        (tmp_path / "f").write_bytes(file + packets)
        for which, lines in (("", ["10.0.0.5\tsecond", "10.0.0.9\tBroker", "::1\tsix", "::2\tother"]), (",ip", ["10.0.0.5\tsecond", "10.0.0.9\tBroker"]), (",ipv6", ["::1\tsix", "::2\tother"])):
            out = weir("read", "-r", tmp_path / "f", "-q", "-z", "hosts" + which).out.splitlines()
            assert out[2] == f"# Host data gathered from {tmp_path / 'f'}" and out[4:] == lines
        count = [line.split("|")[:2] for line in weir("read", "-r", tmp_path / "f", "-q", "-z", "dhcp,stat").out.splitlines() if " |" in line]
        assert {a.strip(): int(b) for a, b in count[1:] if int(b)} == {"Offer": 1, "ACK": 2} and len(count) == 19
    assert weir("read", "-r", tmp_path / "f", "-q", "-z", "hosts,tcp").returncode == 2


def test_a_change_of_millions_is_told_to_the_byte(weir, tmp_path):
    (tmp_path / "few").write_bytes(packets(b"x"))
    (tmp_path / "many").write_bytes(packets(*[bytes(1357)] * 1001))
    few, many = 41, 1001 * (1357 + 40)
    for now, was, change in (("many", "few", many - few), ("few", "many", few - many)):
        args = ("stats", "volume", "-r", tmp_path / now, "--baseline", tmp_path / was)
        row = next(r for r in csv.DictReader(weir(*args, "--csv").out.splitlines()) if r["name"] == "payload")
        assert int(row["change"]) == change and json.loads(weir(*args, "--json").out)["classes"][0]["change"] == change
        assert f" {change:+d} " in weir(*args).out
    row = next(csv.DictReader(weir("stats", "io", "--interval", "100", "--column", "SUM(ip.len)ip.len", "-r", tmp_path / "many", "--csv").out.splitlines()))
    assert str(many) in row.values()
