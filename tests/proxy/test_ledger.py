# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged arrives, and what is sent with QoS 2 arrives once, whatever dies on the way.

Publishers and a subscriber with sessions that outlive connections do what the specification asks of them (MQTT 3.1.1,
4.3 and 4.4), and keep a ledger. Meanwhile workers are killed, policies reloaded, the broker restarted.
WEIR_LONG=1 does it as often as it is promised."""
import os
import signal
import socket
import threading
import time

from conftest import LONG, connect_packet, packet, publish_packet, read_packet, string, until

WINDOW = 8


class Peer(threading.Thread):
    """A client that comes back."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.name_, self.stop, self.comings, self.failure = port, name, threading.Event(), 0, None
        self.start()

    def run(self):
        while not self.stop.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), 60) as s:
                    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    s.sendall(connect_packet(self.name_, flags=0))
                    if (read_packet(s) or (0, b"\1\1"))[1][1] == 0:
                        self.comings += 1
                        self.talk(s)
            except OSError:
                pass
            except Exception as e:  # the other side broke the protocol
                self.failure = e
                raise
            time.sleep(0.02)


class Publisher(Peer):
    def __init__(self, port, name, qos):
        self.qos, self.number, self.pending, self.acked, self.enough = qos, 0, {}, [], threading.Event()
        super().__init__(port, name)

    def talk(self, s):
        for ident, (payload, released) in self.pending.items():  # [MQTT-4.4.0-1]
            s.sendall(packet(0x62, ident.to_bytes(2, "big")) if released else self.publish(ident, payload, 8))
        while self.pending or not self.enough.is_set():
            while len(self.pending) < WINDOW and not self.enough.is_set():
                ident, self.number = self.number % 60000 + 1, self.number + 1
                self.pending[ident] = (f"{self.name_} {self.number}", False)
                s.sendall(self.publish(ident, self.pending[ident][0]))
                time.sleep(0.001)
            got = read_packet(s)
            if got is None:
                return
            kind, ident = got[0] >> 4, int.from_bytes(got[1][:2], "big")
            if kind == 5:  # PUBREC
                assert ident in self.pending
                self.pending[ident] = (self.pending[ident][0], True)
                s.sendall(packet(0x62, got[1][:2]))
            else:
                assert kind == (4 if self.qos == 1 else 7) and ident in self.pending, got
                self.acked.append(self.pending.pop(ident)[0])
        self.stop.set()

    def publish(self, ident, payload, dup=0):
        data = publish_packet("ledger", payload.encode(), self.qos, ident)
        return bytes([data[0] | dup]) + data[1:]


class Subscriber(Peer):
    def __init__(self, port, name):
        self.got, self.held, self.subscribed = [], set(), threading.Event()
        super().__init__(port, name)

    def talk(self, s):
        s.settimeout(60)
        if not self.subscribed.is_set():
            s.sendall(packet(0x82, b"\0\1" + string("ledger") + b"\2"))
        while True:
            got = read_packet(s)
            if got is None:
                return
            kind, body = got[0] >> 4, got[1]
            if kind == 9:
                self.subscribed.set()
            elif kind == 3:
                at = 2 + int.from_bytes(body[:2], "big")
                ident, payload, qos = body[at:at + 2], body[at + 2:].decode(), got[0] >> 1 & 3
                if qos != 2 or ident not in self.held:
                    self.got.append(payload)
                if qos == 2:
                    self.held.add(ident)
                s.sendall(packet(0x50 if qos == 2 else 0x40, ident))
            elif kind == 6:
                self.held.discard(body[:2])
                s.sendall(packet(0x70, body[:2]))


def audit(port, harm, times, pause):
    sub = Subscriber(port, "ledger-sub")
    assert sub.subscribed.wait(60)
    pubs = [Publisher(port, f"pub{i}", 1 + i % 2) for i in range(4)]
    for _ in range(times):
        time.sleep(pause)
        harm()
    time.sleep(pause)
    for p in pubs:
        p.enough.set()
    for p in pubs:
        p.join(60)
        assert not p.is_alive() and not p.failure, (p.name_, p.pending, p.failure)
    acked = {payload for p in pubs for payload in p.acked}
    until(lambda: acked <= set(sub.got))
    sub.stop.set()
    assert not sub.failure
    twice, seen, exactly = [], set(), {m for p in pubs if p.qos == 2 for m in p.acked}
    for m in sub.got:
        if m in seen and m in exactly:
            twice.append(m)
        seen.add(m)
    assert not twice, twice[:5]
    assert len(acked) > 20 * times
    return sub, pubs


def test_nothing_is_lost_or_doubled_when_workers_are_killed(start):
    broker, guard = start.before(workers=2)

    def kill():
        # The one with most clients: a dead worker without any would prove nothing.
        os.kill(until(lambda: [p for p in guard.workers() if p])[kill.turn % len(guard.workers())], signal.SIGKILL)
        kill.turn += 1
    kill.turn = 0
    sub, pubs = audit(guard.port, kill, 20 if LONG else 5, 0.3)
    assert sum(p.comings for p in pubs) + sub.comings > 5  # somebody had to come back
    until(lambda: all(guard.workers()))


def test_nothing_is_lost_or_doubled_by_reloads(start):
    broker = start.broker()
    guard = start.guard("--workers", 2, config=f'listen: ["127.0.0.1:0"]\nbrokers: ["{broker.address}"]\n')
    good = guard.config.read_text()

    def reload():
        until(taken)  # two signals while one is under way are one
        broken = reload.turn % 2
        reload.turn += 1
        guard.config.write_text(good + "nonsense: [1\n" if broken else good + f"# {reload.turn}\n")
        guard.signal(signal.SIGHUP)
    reload.turn = 0

    def taken():
        return guard.metric("reloads_total") + guard.metric("reloads_refused_total") == reload.turn
    times = 20 if LONG else 6
    sub, pubs = audit(guard.port, reload, times, 1 if LONG else 0.3)
    assert [p.comings for p in [sub, *pubs]] == [1] * 5  # nobody noticed
    until(taken)
    assert reload.turn == times


def test_nothing_is_lost_or_doubled_when_the_broker_restarts(start):
    store = start.folder / "store"
    store.mkdir()
    broker = start.broker(f"persistence true\npersistence_location {store}/\n")
    guard = start.guard("--listen", "127.0.0.1:0", "--broker", broker.address, "--workers", 2)

    took = []

    def restart():
        broker.process.terminate()
        broker.process.wait(60)
        time.sleep(0.2)
        broker.start()
        begun = time.monotonic()
        until(lambda: guard.metric("broker_connections_open") >= 1)
        took.append(time.monotonic() - begun)
    audit(guard.port, restart, 10 if LONG else 3, 0.5)
    assert min(took) < 1, took
