#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Verdicts against libmodsecurity's: `parity.py --weir WEIR SUITES [--live N]`.

The suites' lines hold rule ids and scores at paranoia 4, of libmodsecurity with the Core Rule Set, for a value as the argument
of a form and as the member of a JSON body. --live asks libmodsecurity itself about N values made from them by chance.
Exit 77 (skipped) where suites or rule set are missing."""
import argparse
import ctypes
import json
import random
import re
import subprocess
import sys
from pathlib import Path

CRS = "/usr/share/modsecurity-crs/owasp-crs.load"


def judge(weir, values, form, paranoia, *more):
    lines = "".join(json.dumps({"payload": v}, ensure_ascii=False) + "\n" for v in values)
    p = subprocess.run([weir, "guard", "--judge", "-", "--rules", CRS, "--paranoia", str(paranoia), f"--{form}", *more],
                       input=lines.encode(), capture_output=True)
    assert p.returncode in (0, 1), p.stderr.decode()
    out = [json.loads(line) for line in p.stdout.splitlines()]
    assert len(out) == len(values)
    return out


def wrapped(value):
    return json.dumps({"payload": value}, ensure_ascii=False)


def body_of(value):
    try:
        if isinstance(json.loads(value), (dict, list)):
            return value
    except ValueError:
        pass
    return wrapped(value)


def compare(what, got, want):
    differing = [(g, w) for g, w in zip(got, want) if g["ids"] != w["ids"] or g["score"] != w["score"]]
    for g, w in differing[:5]:
        print(f"  {what}: {g['ids']} {g['score']}, not {w['ids']} {w['score']}")
    return len(differing)


def suites(weir, folder):
    bad = lines = 0
    for name, key in (("crs-attacks", "value"), ("crs-benign", "payload")):
        cases = [json.loads(line) for line in open(folder / f"{name}.jsonl")]
        values = [c[key] for c in cases]
        bodies = [wrapped(v) if key == "value" else body_of(v) for v in values]
        for form, given, place in (("form", values, "arg"), ("json", bodies, "json")):
            bad += compare(name, judge(weir, given, form, 4), [c[place] for c in cases])
            lines += len(cases)
            for got, c in zip(judge(weir, given, form, 1), cases):
                if (got["action"] == "block") != (c[place]["score"]["pl1"] >= 5):
                    print(f"  {name}: paranoia 1 says {got['action']}, not as {c[place]['score']}")
                    bad += 1
    print(f"{lines - bad} of {lines} lines equal")
    return bad


class Modsecurity:
    """libmodsecurity with the Core Rule Set at a paranoia level."""

    def __init__(self, paranoia):
        self.lib = lib = ctypes.CDLL("libmodsecurity.so.3")
        for f in ("msc_init", "msc_create_rules_set", "msc_new_transaction"):
            getattr(lib, f).restype = ctypes.c_void_p
        lib.msc_new_transaction.argtypes = [ctypes.c_void_p] * 3
        self.logged = []
        callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
        self.callback = callback(lambda _, text: self.logged.append(text))
        self.ms = lib.msc_init()
        lib.msc_set_log_cb.argtypes = [ctypes.c_void_p, callback]
        lib.msc_set_log_cb(self.ms, self.callback)
        self.rules = lib.msc_create_rules_set()
        error = ctypes.c_char_p()
        lib.msc_rules_add.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)]
        scores = " ".join(f"{n}=%{{tx.anomaly_score{s}}}" for n, s in
                          [("total", "")] + [(f"pl{i}", f"_pl{i}") for i in range(1, 5)])
        text = f'''SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:1,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecAction "id:2,phase:1,nolog,pass,t:none,setvar:tx.paranoia_level={paranoia}"
Include {CRS}
SecAction "id:3,phase:2,log,pass,t:none,msg:'{scores}'"
'''.replace("Include " + CRS, "Include /etc/modsecurity/crs/crs-setup.conf\nInclude /usr/share/modsecurity-crs/rules/*.conf")
        assert lib.msc_rules_add(self.rules, text.encode(), ctypes.byref(error)) >= 0, error.value

    def judge(self, body, kind):
        lib = self.lib
        self.logged.clear()
        tx = ctypes.c_void_p(lib.msc_new_transaction(self.ms, self.rules, None))
        lib.msc_process_connection(tx, b"127.0.0.1", 1234, b"127.0.0.1", 80)
        lib.msc_process_uri(tx, b"/", b"POST", b"1.1")
        for name, value in ((b"Host", b"localhost"), (b"User-Agent", b"test"), (b"Accept", b"*/*"), (b"Content-Type", kind),
                            (b"Content-Length", str(len(body)).encode())):
            lib.msc_add_request_header(tx, name, value)
        lib.msc_process_request_headers(tx)
        lib.msc_append_request_body(tx, body, ctypes.c_size_t(len(body)))
        lib.msc_process_request_body(tx)
        lib.msc_transaction_cleanup(tx)
        ids, score = set(), {}
        for text in self.logged:
            number = int(re.search(rb'\[id "(\d+)"\]', text)[1])
            if number == 3:
                score = {n.decode(): int(v or 0) for n, v in re.findall(rb"(total|pl\d)=(\d*)", text)}
            else:
                ids.add(number)
        return {"ids": sorted(ids), "score": score}


def encoded(value):
    return "payload=" + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02X}" for b in value.encode())


def mutated(rng, values):
    """A value of the suites with parts of another, doubled, cut, encoded or sprinkled with odd characters."""
    v = rng.choice(values)
    for _ in range(rng.randint(1, 3)):
        at, how = rng.randint(0, len(v)), rng.randint(0, 7)
        if how == 0:
            v = v[:at] + rng.choice(values) + v[at:]
        elif how == 1:
            v = v[:at]
        elif how == 2:
            v = v[:at] + rng.choice(["'", '"', "\n", " ", "/**/", "%27", "\\u0027", "&lt;", "<", "(", ";", "\0", "é", "\u2028", "--", "0x41", "+", "%u0041"]) + v[at:]
        elif how == 3:
            v = v.swapcase()
        elif how == 4:
            v = v[at:] + v[:at]
        elif how == 5:
            v = v[:at] + "".join(f"%{b:02x}" for b in v[at:at + 3].encode()) + v[at + 3:]
        elif how == 6:
            v = v.replace(" ", rng.choice(["\t", "  ", "+", "/*x*/"]))
        else:
            v = v + "\n" + v[:at]
    return v[:2000]


def live(weir, folder, count, seed):
    rng = random.Random(seed)
    values = [json.loads(line).get("value") for line in open(folder / "crs-attacks.jsonl")]
    values += [json.loads(line)["payload"] for line in open(folder / "crs-benign.jsonl")]
    made = [mutated(rng, values) for _ in range(count)]
    bad = 0
    for paranoia in (1, 4):
        peer = Modsecurity(paranoia)
        for form in ("form", "json"):
            given = made if form == "form" else [wrapped(v) for v in made]
            got = judge(weir, given, form, paranoia)
            for v, g in zip(made, got):
                body, kind = (encoded(v), b"application/x-www-form-urlencoded") if form == "form" else (wrapped(v), b"application/json")
                want = peer.judge(body.encode(), kind)
                if g["ids"] != want["ids"] or g["score"] != want["score"]:
                    bad += 1
                    if bad <= 10:
                        print(f"  {form} {paranoia} {v[:300]!r}: missing {set(want['ids']) - set(g['ids'])}, "
                              f"extra {set(g['ids']) - set(want['ids'])}, {g['score']} not {want['score']}")
    print(f"live: {4 * count - bad} of {4 * count} equal (seed {seed})")
    return bad


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--weir", required=True)
    args.add_argument("--live", type=int, default=0)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("suites", type=Path)
    a = args.parse_args()
    if not (a.suites / "crs-attacks.jsonl").exists() or not Path(CRS).exists():
        sys.exit(77)
    bad = suites(a.weir, a.suites)
    if a.live:
        bad += live(a.weir, a.suites, a.live, a.seed)
    sys.exit(1 if bad else 0)


main()
