# SPDX-License-Identifier: Apache-2.0
"""weir serve against Wireshark's sharkd on the same files: the packet list, who talks with whom, conversations' bytes."""
import glob
import os
import re
import shutil
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "bench"))
from sharkd import Sharkd, Weir  # noqa: E402

WEIR = os.path.abspath(os.environ.get("WEIR", "build/weir"))
SAMPLE = os.path.abspath(os.environ.get("WEIR_SAMPLE", "build/sample.pcapng"))
SHARED = os.path.join(HERE, "..", "..", "..", "shared", "corpus")
CAPTURES = [SAMPLE] + sorted(glob.glob(os.path.join(SHARED, "*mqtt*"))) + [
    p for p in (os.path.join(SHARED, n) for n in ("chrissanders__packets__dns.pcap", "zeek__zeek__mqtt.pcap")) if os.path.exists(p)]

pytestmark = pytest.mark.skipif(not shutil.which("sharkd"), reason="sharkd is not installed")


@pytest.fixture(scope="module")
def weir(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("sharkd"))
    for path in CAPTURES:
        shutil.copy(path, folder)
    server = Weir(WEIR, folder)
    yield server
    server.close()


@pytest.fixture(scope="module", params=sorted(set(CAPTURES)), ids=os.path.basename)
def both(request, weir):
    shark = Sharkd()
    for name in ("mac_name", "network_name", "transport_name"):
        shark("setconf", name=f"nameres.{name}", value="FALSE")
    shark("load", file=request.param)
    yield shark, os.path.basename(request.param), weir
    shark.close()


def plain(rows):
    """Without what sharkd knows of a frame from those behind it, as it reads a file twice: that a message goes on in later
    segments, and the TLS version agreed on after a ClientHello; and without the type it tells of an MQTT payload's content."""
    out = []
    for row in rows:
        if row[6].startswith("Client Hello"):
            row = row[:4] + ["TLS"] + row[5:]
        if row[4] == "MQTT":
            row = row[:6] + [re.sub(r" \(\w+/[\w.+-]+\)$", "", row[6])]
        out.append(None if "segment of a reassembled PDU" in row[6] else row)
    return out


def test_the_packet_list_is_the_same(both):
    shark, name, weir = both
    ours, theirs = plain(weir.rows(name, limit=5000)), plain(shark.rows(limit=5000))
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs):
        assert a == b or a is None or b is None


BACKGROUND = {"bad": "12272e", "icmperr": "12272e", "arp": "faf0d7", "icmp": "fce0ff", "rst": "a40000", "ttl": "a40000", "checksum": "12272e", "http": "e4ffc7",
              "routing": "fff3d6", "synfin": "a0a0a0", "tcp": "e7e6ff", "udp": "daeeff", "broadcast": "ffffff", "": None}


def test_colours_are_the_same(both):
    shark, name, weir = both
    rows = weir(f"{name}/frames", limit=5000)["frames"]
    for row, theirs in zip(rows, shark.colours(limit=5000)):
        assert BACKGROUND[row["colour"]] == theirs, row


def test_a_filter_finds_the_same(both):
    shark, name, weir = both
    for text in ("mqtt", "tcp.flags.syn == 1", "tcp.len > 0 && !mqtt", "frame.len < 80 || udp", "mqtt.msgtype in {1, 3..5}"):
        ours = [r[0] for r in weir.rows(name, limit=5000, filter=text)]
        assert ours == [r[0] for r in shark.rows(limit=5000, filter=text)], text


def host(h):
    return h["address"], str(h.get("port", "")), h["tx_packets"], h["tx_bytes"], h["rx_packets"], h["rx_bytes"]


@pytest.mark.parametrize("tap, of", [("IPv4", "ip"), ("IPv6", "ipv6"), ("TCP", "tcp"), ("UDP", "udp")])
def test_endpoints_are_the_same(both, tap, of):
    shark, name, weir = both
    theirs = [(h["host"], str(h.get("port", "")), h["txf"], h["txb"], h["rxf"], h["rxb"]) for h in shark.taps("endpt:" + tap).get("endpt:" + tap, [])]
    assert sorted(host(h) for h in weir.table(name, "endpoints", of)) == sorted(theirs)


@pytest.mark.parametrize("tap, of", [("TCP", "tcp"), ("UDP", "udp")])
def test_conversations_are_the_same(both, tap, of):
    shark, name, weir = both

    def either_way(a, b, ab, ba):
        return (a, b) + ab + ba if a < b else (b, a) + ba + ab

    theirs = [either_way((c["saddr"], int(c["sport"])), (c["daddr"], int(c["dport"])), (c["txf"], c["txb"]), (c["rxf"], c["rxb"]))
              for c in shark.taps("conv:" + tap).get("conv:" + tap, [])]
    ours = [either_way((c["address_a"], c["port_a"]), (c["address_b"], c["port_b"]), (c["packets_a_b"], c["bytes_a_b"]), (c["packets_b_a"], c["bytes_b_a"]))
            for c in weir.table(name, "conversations", of)]
    assert sorted(ours) == sorted(theirs)
    # and the page's table of connections counts the same
    rows = weir(f"{name}/connections")["connections"]
    table = [either_way((c["client"]["address"], c["client"]["port"]), (c["server"]["address"], c["server"]["port"]),
                        (c["packets"][0], c["bytes"][0]), (c["packets"][1], c["bytes"][1])) for c in rows if c["transport"] == of]
    assert sorted(table) == sorted(theirs)


def test_followed_conversations_are_the_same(both):
    shark, name, weir = both
    for proto in ("tcp", "udp"):
        for stream in range(min(5, len(weir.table(name, "conversations", proto)))):
            theirs = shark.follow(proto, stream)
            if not theirs:
                continue
            assert weir.follow(name, proto, stream) == theirs, (proto, stream)
