# SPDX-License-Identifier: Apache-2.0
"""bench/guard flat: half an hour of everything at once before one guard, and what its processes hold of memory meanwhile.

Messages over TCP and TLS, clients that come and go, slow ones of every kind, reloads with good and broken
configurations, a broker that dies, and the first worker killed again and again; the other workers live from the first
minute to the last, so theirs is the memory that tells. The rates are moderate: what leaks, leaks at any."""
import itertools
import json
import os
import signal
import statistics
import subprocess
import threading
import time

WARM = 120  # seconds until every kind of load was there
STEP = 30


class Loads:
    """Load generators, each started anew as soon as it has ended."""

    def __init__(self, program):
        self.program, self.stop, self.threads, self.done, self.lock = program, threading.Event(), [], {}, threading.Lock()

    def keep(self, name, *args):
        def run():
            while not self.stop.is_set():
                got = subprocess.run([self.program, *map(str, args)], capture_output=True, text=True)
                with self.lock:
                    sums = self.done.setdefault(name, {})
                    for key in ("connected", "connects", "sent", "received", "failed", "lost"):
                        sums[key] = sums.get(key, 0) + json.loads(got.stdout or "{}").get(key, 0)
                if got.returncode:
                    self.stop.wait(1)
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()


def faults(guard, workers, config, broker, stop):
    """What goes wrong, a step every five seconds: reloads, every sixth of them broken, a worker killed every minute,
    the broker every five."""
    good = config.read_text()
    for k in itertools.count(1):
        if stop.wait(5):
            break
        config.write_text(good + "nonsense: [1\n" if k % 6 == 0 else good)
        os.kill(guard, signal.SIGHUP)
        if k % 12 == 0:
            try:
                os.kill(workers()[0], signal.SIGKILL)
            except ProcessLookupError:
                pass
        if k % 60 == 0:
            broker()
    config.write_text(good)


def run(rig, minutes, family, memory):
    """Prints a line every STEP seconds; false where the memory of the last third is more than that of the first."""
    plain, tls, (guard,) = rig.guard()
    config = next(rig.dir.glob("guard*.yaml"))
    keep = family(guard)[1:]  # in the order they were started
    loads, stop, rows = Loads(rig.args.load), threading.Event(), []
    at, secure = f"127.0.0.1:{plain}", f"127.0.0.1:{tls}"
    loads.keep("messages", "--clients", 50, "--rate", 300, "--qos", 1, "--seconds", 20, "loop", at)
    loads.keep("messages of 16 kB", "--clients", 4, "--rate", 10, "--size", 16384, "--qos", 2, "--seconds", 20, "loop", at)
    loads.keep("messages, TLS", "--clients", 20, "--rate", 100, "--version", 5, "--tls", "--seconds", 20, "loop", secure)
    loads.keep("set-ups", "--clients", 5, "--rate", 50, "--seconds", 20, "connect", at)
    loads.keep("set-ups, TLS", "--clients", 5, "--rate", 10, "--polite", "--tls", "--seconds", 20, "connect", secure)
    for mode, where, many in (("trickle", at, 200), ("silent", at, 200), ("deaf", at, 50), ("halftls", secure, 200)):
        loads.keep(mode, "--clients", many, "--seconds", 25, mode, where)
    workers = lambda: [p for p in family(guard)[1:] if p != keep[1]]
    trouble = threading.Thread(target=faults, args=(guard, workers, config, rig.broker_dies, stop))
    trouble.start()
    begun = time.monotonic()
    print(f"{'seconds':>8} {'all, KiB':>9} {'oldest worker, KiB':>19} {'CPU s':>7}")
    try:
        while time.monotonic() - begun < minutes * 60:
            time.sleep(STEP)
            rows.append((time.monotonic() - begun, memory(family(guard)), memory([keep[1]])))
            print(f"{rows[-1][0]:8.0f} {rows[-1][1]:9} {rows[-1][2]:19} {rig.used(guard):7.1f}", flush=True)
    finally:
        stop.set()
        trouble.join()
        loads.end()
    time.sleep(5)
    print(f"{'at rest':>8} {memory(family(guard)):9} {memory([keep[1]]):19}")
    for name, sums in loads.done.items():
        print(f"{name}: " + ", ".join(f"{v:,} {k}" for k, v in sums.items() if v))
    rows = [r for r in rows if r[0] > WARM]
    return judge(rows) if len(rows) > 3 else print("too short to tell") or True


def judge(rows):
    third = max(1, len(rows) // 3)
    flat = True
    for name, column in (("all processes", 1), ("the oldest worker", 2)):
        values = [r[column] for r in rows]
        first, last = statistics.median(values[:third]), statistics.median(values[-third:])
        flat &= last <= first * 1.05 + 1024
        print(f"{name}: first third {first:,.0f} KiB, last third {last:,.0f} KiB, most {max(values):,} KiB")
    print("flat" if flat else "not flat")
    return flat
