# SPDX-License-Identifier: Apache-2.0
"""TLS is decrypted: every suite with every version, by every kind of key, and only with the right one."""
import hashlib
import hmac
import random
import shutil
import ssl
import struct
import subprocess
import zlib

import pytest

from tls_lab import CLIENT, SERVER, Capture, Lab, Pair, Relay, Server, client, texts
from waiting import LONG, listening

VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2}
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("tls"))


def suites(version):
    listed = subprocess.run(["openssl", "ciphers", "-s", f"-tls1{version[1:].replace('.', '_') if version != '1.0' else ''}",
                             "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True, text=True).stdout.strip().split(":")
    # Python's sessions have no pre-shared keys, and no certificate for DSS; the rest is all there is.
    return [s for s in listed if s and "PSK" not in s and "SRP" not in s and "DSS" not in s and not s.startswith("TLS_")]


def said(weir, path, *keys):
    """What each side said, as read from a capture."""
    run = weir("read", "-r", path, *keys, "-T", "fields", "-E", "aggregator=,", "-e", "ip.src", "-e", "data.data")
    assert run.returncode == 0, run.err
    sides = [b"", b""]
    for line in run.out.splitlines():
        source, _, data = line.partition("\t")
        if data:
            sides[int(source.split(".")[-1]) - 1] += bytes.fromhex(data.replace(":", "").replace(",", ""))
    return sides


def why(weir, path, *keys):
    run = weir("read", "-r", path, *keys, "-T", "fields", "-e", "weir.tls.readable", "-e", "weir.tls.why")
    assert run.returncode == 0, run.err
    return [line.split("\t") for line in run.out.splitlines() if line.strip()]


def talk(lab, version, suite, log=None, session=None, words=None, contexts=None, **how):
    ends = contexts or lab.contexts(VERSIONS[version], suite, log, **how)
    pair = Pair(*ends, session=session).handshake()
    words = words or texts(suite)
    for i, text in enumerate(words):
        pair.say(CLIENT if i % 2 == 0 else SERVER, text)
    pair.bye()
    return pair, [b"".join(words[0::2]), b"".join(words[1::2])]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("etm", [True, False], ids=["etm", "mac-then-encrypt"])
def test_every_suite_by_key_log(weir, lab, tmp_path, version, etm):
    names = suites(version)
    assert len(names) > 15
    wrong = []
    for suite in names:
        log = tmp_path / (suite + ".log")
        pair, words = talk(lab, version, suite, str(log), etm=etm)
        capture = Capture()
        pair.record(capture)
        if said(weir, capture.write(tmp_path / "one.pcap"), "--keylog", log) != words:
            wrong.append(suite)
    assert not wrong


@pytest.mark.parametrize("version", VERSIONS)
def test_every_suite_of_static_rsa_by_private_key(weir, lab, tmp_path, version):
    for suite in ["AES128-SHA", "AES256-SHA", "NULL-SHA"] + (["AES128-SHA256", "AES256-GCM-SHA384", "AES128-CCM8"] if version == "1.2" else []):
        pair, words = talk(lab, version, suite)
        capture = Capture()
        pair.record(capture)
        path = capture.write(tmp_path / "one.pcap")
        assert said(weir, path, "--key", lab.key()) == words, suite
        assert why(weir, path, "--key", lab.key()) == [["1", "the RSA key given opens this session"]]
        assert said(weir, path, "-o", f"tls.keys_list:,443,http,{lab.key()}") == words
        assert said(weir, path, "-o", f'uat:rsa_keys:"{lab.key()}",""') == words


def forms(lab, tmp_path):
    """The same RSA key in all its forms: (file, passphrase)."""
    key, made = lab.key(), []

    def make(name, *args, secret=""):
        path = str(tmp_path / name)
        lab.openssl(*args, "-out", path)
        made.append((path, secret))
    make("pkcs1.pem", "rsa", "-in", key, "-traditional")
    make("pkcs1.der", "rsa", "-in", key, "-outform", "DER")
    make("pkcs8.pem", "pkcs8", "-topk8", "-nocrypt", "-in", key)
    make("pkcs8.der", "pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER")
    make("pkcs8-secret.pem", "pkcs8", "-topk8", "-in", key, "-passout", "pass:s3cret:x", secret="s3cret:x")
    make("pkcs8-secret.der", "pkcs8", "-topk8", "-in", key, "-outform", "DER", "-passout", "pass:abc", secret="abc")
    make("traditional-secret.pem", "rsa", "-in", key, "-aes128", "-traditional", "-passout", "pass:abc", secret="abc")
    make("store.p12", "pkcs12", "-export", "-inkey", key, "-in", lab.cert(), "-passout", "pass:abc", secret="abc")
    make("legacy.p12", "pkcs12", "-export", "-legacy", "-inkey", key, "-in", lab.cert(), "-passout", "pass:abc", secret="abc")
    make("open.p12", "pkcs12", "-export", "-inkey", key, "-in", lab.cert(), "-passout", "pass:")
    return made


def test_private_keys_in_all_their_forms(weir, lab, tmp_path):
    pair, words = talk(lab, "1.2", "AES128-SHA256")
    capture = Capture()
    pair.record(capture)
    path = capture.write(tmp_path / "one.pcap")
    for file, secret in forms(lab, tmp_path):
        assert said(weir, path, "--key", file + (":" + secret if secret else "")) == words, file
        if secret:
            assert said(weir, path, "-o", f'uat:rsa_keys:"{file}","{secret}"') == words, file
            refused = weir("read", "-r", path, "--key", file + ":wrong")
            assert refused.returncode == 2 and "passphrase does not open it" in refused.err
            refused = weir("read", "-r", path, "--key", file)
            assert refused.returncode == 2 and "passphrase" in refused.err


def test_a_session_that_cannot_be_read_says_why(weir, lab, tmp_path):
    def one(version, suite, *keys, log=None):
        pair, _ = talk(lab, version, suite, log)
        capture = Capture()
        pair.record(capture)
        path = capture.write(tmp_path / "one.pcap")
        assert said(weir, path, *keys) == [b"", b""]
        (readable, sentence), = why(weir, path, *keys)
        assert readable == "0"
        return sentence
    lab.openssl("genrsa", "-out", str(tmp_path / "other.key"), "2048")
    (tmp_path / "empty.log").write_text("# nothing\n")
    assert one("1.2", "ECDHE-RSA-AES128-SHA", "--key", lab.key()) == \
        "the RSA key given cannot open an ECDHE session; a key log can"
    assert "DHE session" in one("1.2", "DHE-RSA-AES128-SHA", "--key", lab.key())
    assert "not that of the server's certificate" in one("1.2", "AES128-SHA", "--key", tmp_path / "other.key")
    assert "has secrets of this session" in one("1.2", "AES128-SHA", "--keylog", tmp_path / "empty.log")
    assert "no keys were given" in one("1.2", "AES128-SHA")
    assert "pre-shared key" in one("1.2", "AES128-SHA", "--psk", "00112233")


def test_a_side_that_ended_first_does_not_blame_keys_that_nobody_has(weir, lab, tmp_path):
    pair, _ = talk(lab, "1.3", None, contexts=lab.contexts(ssl.TLSVersion.TLSv1_3, "DEFAULT", None))
    capture = Capture()
    conversation = capture.conversation()
    for side, data in pair.log[:-1]:
        conversation.send(side, data)
    last, data = pair.log[-1]
    conversation.packet(1 - last, 0x11)
    conversation.send(last, data)
    path = capture.write(tmp_path / "ended.pcap")
    assert why(weir, path, "--key", lab.key())[-1] == ["0", "the RSA key given cannot open a TLS 1.3 session; a key log can"]


def test_a_wrong_secret_gives_no_plaintext_and_is_named(weir, lab, tmp_path):
    for suite in ("AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256", "NULL-SHA256", "ECDHE-RSA-CHACHA20-POLY1305"):
        log = tmp_path / (suite + ".log")
        pair, words = talk(lab, "1.2", suite, str(log))
        capture = Capture()
        pair.record(capture)
        path = capture.write(tmp_path / "one.pcap")
        text = log.read_text()
        log.write_text(text.strip()[:-1] + ("0" if text.strip()[-1] != "0" else "1") + "\n")
        if suite.startswith("NULL"):  # what a wrong secret cannot verify stands there in the clear
            assert said(weir, path, "--keylog", log) == said(weir, path) == words
            assert why(weir, path, "--keylog", log) == why(weir, path) == [["1", "its cipher suite encrypts nothing"]]
            continue
        assert said(weir, path, "--keylog", log) == [b"", b""]
        assert why(weir, path, "--keylog", log)[-1] == ["0", "the keys found for it do not fit: its records fail verification"]


@pytest.mark.parametrize("suite", ["AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256"])
@pytest.mark.parametrize("tickets", [True, False], ids=["ticket", "session id"])
@pytest.mark.parametrize("key", ["log", "rsa"])
def test_sessions_that_are_resumed(weir, lab, tmp_path, suite, tickets, key):
    if key == "rsa" and suite != "AES128-SHA":
        pytest.skip("an RSA key opens static RSA only")
    log = tmp_path / "keys.log"
    ends = lab.contexts(VERSIONS["1.2"], suite, str(log))
    if not tickets:
        ends[1].options |= ssl.OP_NO_TICKET
    capture, all_words, session = Capture(), [b"", b""], None
    for turn in range(3):
        pair, words = talk(lab, "1.2", suite, words=texts(f"{suite}{turn}"), contexts=ends, session=session)
        assert pair.ends[CLIENT].session_reused == (turn > 0)
        session = pair.ends[CLIENT].session
        pair.record(capture)
        all_words = [a + b for a, b in zip(all_words, words)]
    path = capture.write(tmp_path / "one.pcap")
    # One secret for the first session is enough for those that resume it.
    secrets = [line for line in log.read_text().splitlines() if line.startswith("CLIENT_RANDOM")]
    log.write_text(secrets[0] + "\n")
    keys = ("--keylog", log) if key == "log" else ("--key", lab.key())
    assert said(weir, path, *keys) == all_words
    assert [s for _, s in why(weir, path, *keys)][1:] == ["it resumes a session of this capture that could be read"] * 2


def test_every_suite_of_tls13(weir, lab, tmp_path):
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256",
                  "TLS_AES_128_CCM_8_SHA256"):
        log = tmp_path / (suite + ".log")
        relay, _ = s_client(lab, log, ["-tls1_3", "-rev"], [b"first words\n", b"more words\n"], "-ciphersuites", suite,
                            server_more=["-ciphersuites", suite], wait=b"sdrow erom")
        check(weir, relay, tmp_path, log, [b"first words\nmore words\n", b"sdrow tsrif\nsdrow erom\n"])


def s_client(lab, log, server_args, lines, *args, server_more=(), wait=b"", capture=None):
    server = Server(lab, *server_args, *server_more)
    relay = Relay(server.port)
    try:
        got = client(relay.port, lines, "-keylogfile", str(log), *args, wait=wait)
    finally:
        relay.close()
        server.close()
    return relay, got


def check(weir, relay, tmp_path, log, words, **how):
    capture = Capture()
    relay.record(capture, **how)
    path = capture.write(tmp_path / "one.pcap")
    assert said(weir, path, "--keylog", log) == words
    return path


def test_keys_change_within_a_session(weir, lab, tmp_path):
    log = tmp_path / "keys.log"
    relay, _ = s_client(lab, log, ["-tls1_3", "-rev"], [b"before\n", (b"erofeb", b"K\n"), (b"KEYUPDATE", b"between\n"), (b"neewteb", b"k\n"),
                                                           (b"KEYUPDATE.*KEYUPDATE", b"after\n")], wait=b"retfa")
    path = check(weir, relay, tmp_path, log, [b"before\nbetween\nafter\n", b"erofeb\nneewteb\nretfa\n"])
    assert "Key Update" in weir("read", "-r", path, "--keylog", log).out


def test_renegotiation(weir, lab, tmp_path):
    for suite, keys in (("AES128-SHA", "rsa"), ("ECDHE-RSA-AES256-GCM-SHA384", "log"), ("ECDHE-RSA-AES128-SHA", "log")):
        log = tmp_path / (suite + ".log")
        relay, _ = s_client(lab, log, ["-tls1_2", "-rev", "-client_renegotiation"], [b"before\n", (b"erofeb", b"R\n"), (b"RENEGOTIATING", b"after\n")], "-cipher",
                            suite + ":@SECLEVEL=0", server_more=["-cipher", suite + ":@SECLEVEL=0"], wait=b"retfa")
        capture = Capture()
        relay.record(capture)
        path = capture.write(tmp_path / "one.pcap")
        given = ("--key", lab.key()) if keys == "rsa" else ("--keylog", log)
        assert said(weir, path, *given) == [b"before\nafter\n", b"erofeb\nretfa\n"], suite
        assert weir("read", "-r", path, *given, "-T", "fields", "-e", "tls.handshake.type").out.count("20") >= 4


def test_hello_retry(weir, lab, tmp_path):
    log = tmp_path / "keys.log"
    relay, _ = s_client(lab, log, ["-tls1_3", "-rev", "-groups", "P-384"], [b"words\n"], "-groups", "X25519:P-384", wait=b"sdrow")
    path = check(weir, relay, tmp_path, log, [b"words\n", b"sdrow\n"])
    assert "Hello Retry Request" in weir("read", "-r", path, "--keylog", log).out


def test_early_data(weir, lab, tmp_path):
    log, session, early = tmp_path / "keys.log", tmp_path / "session", tmp_path / "early"
    early.write_bytes(b"early words\n")
    server = Server(lab, "-tls1_3", "-early_data")
    relay = Relay(server.port)
    try:
        client(relay.port, [b"first\n"], "-keylogfile", str(log), "-sess_out", str(session), wait=session.exists)
        client(relay.port, [b"second\n"], "-keylogfile", str(log), "-sess_in", str(session), "-early_data", str(early), ready=b"")  # it tells nothing before it ends
    finally:
        relay.close()
        server.close()
    capture = Capture()
    relay.record(capture)
    path = capture.write(tmp_path / "one.pcap")
    assert said(weir, path, "--keylog", log)[CLIENT] == b"first\nearly words\nsecond\n"
    assert "End of Early Data" in weir("read", "-r", path, "--keylog", log).out


def test_early_data_that_the_server_refuses(weir, lab, tmp_path):
    log, session, early = tmp_path / "keys.log", tmp_path / "session", tmp_path / "early"
    early.write_bytes(b"early words\n")
    server = Server(lab, "-tls1_3", "-early_data")
    relay = Relay(server.port)
    try:
        client(relay.port, [b"first\n"], "-keylogfile", str(log), "-sess_out", str(session), wait=session.exists)
        server.close()
        server = Server(lab, "-tls1_3", "-early_data")  # another one, which cannot read the ticket
        relay.target = server.port
        client(relay.port, [b"second\n"], "-keylogfile", str(log), "-sess_in", str(session), "-early_data", str(early), ready=b"")  # it tells nothing before it ends
    finally:
        relay.close()
        server.close()
    capture = Capture()
    relay.record(capture)
    path = capture.write(tmp_path / "one.pcap")
    assert said(weir, path, "--keylog", log)[CLIENT] == b"first\nearly words\nsecond\n"


@pytest.mark.parametrize("suite", ["PSK-AES128-CBC-SHA", "PSK-AES256-GCM-SHA384", "PSK-CHACHA20-POLY1305", "PSK-AES128-CCM8", "RSA-PSK-AES128-CBC-SHA256"])
def test_pre_shared_keys(weir, lab, tmp_path, suite):
    psk, log = "000102030405060708090a0b0c0d0e0f", tmp_path / "unused.log"
    relay, _ = s_client(lab, log, ["-tls1_2", "-rev", "-psk", psk, "-cipher", suite + ":@SECLEVEL=0"], [b"words\n"], "-tls1_2", "-psk", psk,
                        "-psk_identity", "device", "-cipher", suite + ":@SECLEVEL=0", wait=b"sdrow")
    capture = Capture()
    relay.record(capture)
    path = capture.write(tmp_path / "one.pcap")
    extra = ("--key", lab.key()) if suite.startswith("RSA") else ()
    expected = [b"words\n", b"sdrow\n"]
    assert said(weir, path, "--psk", psk, *extra) == expected
    assert said(weir, path, "-o", "tls.psk:" + psk, *extra) == expected
    assert said(weir, path, "--psk", "other=00", "--psk", "device=" + psk, *extra) == expected
    assert said(weir, path, "--psk", "other=" + psk, *extra) == [b"", b""]


def test_secrets_in_the_capture_before_and_behind_the_packets(weir, lab, tmp_path):
    log = tmp_path / "keys.log"
    pair, words = talk(lab, "1.2", "ECDHE-RSA-AES128-GCM-SHA256", str(log))
    capture = Capture()
    pair.record(capture)
    for late in (False, True):
        path = capture.write_ng(tmp_path / "one.pcapng", log.read_bytes(), late)
        assert said(weir, path) == words
        assert why(weir, path) == [["1", "the capture file brings the secrets of this session"]]


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "TLS_AES_256_GCM_SHA384"])
def test_a_lost_segment_loses_its_record_not_the_session(weir, lab, tmp_path, suite):
    log = tmp_path / "keys.log"
    if suite.startswith("TLS_"):
        ends = lab.contexts(ssl.TLSVersion.TLSv1_3, "DEFAULT", str(log))
    else:
        ends = lab.contexts(VERSIONS["1.2"], suite, str(log))
    pair = Pair(*ends).handshake()
    words = [text + b"." for text in texts(suite, 40, 2000)]
    for text in words:
        pair.say(SERVER, text)
    capture = Capture()
    conversation = capture.conversation()
    data = [i for i, (side, _) in enumerate(pair.log) if side == SERVER][-len(words):]
    lost = {data[9], data[10], data[20]}
    for i, (side, piece) in enumerate(pair.log):
        # A lost write is one segment, so that it is records that are lost and not their boundaries.
        conversation.send(side, piece, segment=65000, lost=(0,) if i in lost else ())
    path = capture.write(tmp_path / "one.pcap")
    kept = [text for i, text in enumerate(words) if i not in (9, 10, 20)]
    assert said(weir, path, "--keylog", log) == [b"", b"".join(kept)]


def test_records_are_found_again_behind_a_lost_piece_of_one(weir, lab, tmp_path):
    log = tmp_path / "keys.log"
    pair = Pair(*lab.contexts(VERSIONS["1.2"], "ECDHE-RSA-AES128-GCM-SHA256", str(log))).handshake()
    words = [bytes([65 + i % 26]) * 5000 for i in range(30)]
    for text in words:
        pair.say(SERVER, text)
    stream = b"".join(piece for side, piece in pair.log[-len(words):])
    capture = Capture()
    conversation = capture.conversation()
    for side, piece in pair.log[:-len(words)]:
        conversation.send(side, piece)
    for at in range(0, len(stream), 4 * 1448):  # acknowledged every four segments
        conversation.send(SERVER, stream[at:at + 4 * 1448], segment=1448, lost=(1, 2) if at == 28960 else (3,) if at == 86880 else ())
    path = capture.write(tmp_path / "one.pcap")
    got = said(weir, path, "--keylog", log)[SERVER]
    missing = [text[:1] for text in words if text not in got]
    assert len(missing) <= 4, missing
    assert set(got) <= set(b"".join(words))


def damaged(data, source):
    """A copy with something broken: bytes changed, cut, doubled, moved."""
    data = bytearray(data)
    for _ in range(source.randint(1, 4)):
        at, n = source.randrange(len(data) + 1), source.randint(1, 40)
        how = source.randrange(6)
        if how == 0:
            data[at:at + 1] = bytes([source.randrange(256)])
        elif how == 1:
            del data[at:at + n]
        elif how == 2:
            data[at:at] = data[at:at + n]
        elif how == 3:
            data[at:at] = source.randbytes(n)
        elif how == 4:
            data[at:at + 1] = source.choice([b"\n", b" ", b"0", b"f", b"g", b"\0"])
        else:
            del data[source.randrange(len(data) + 1):]
    return bytes(data)


@pytest.fixture(scope="session")
def sessions(lab, tmp_path_factory):
    """A capture of sessions of all kinds: its path, its key log, what was said in it."""
    folder = tmp_path_factory.mktemp("sessions")
    log, capture, spoken = folder / "keys.log", Capture(), [[], []]
    for suite in ("AES128-SHA", "AES256-SHA256", "NULL-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "TLS13"):
        ends = lab.contexts(ssl.TLSVersion.TLSv1_3, "DEFAULT", str(log)) if suite == "TLS13" else lab.contexts(VERSIONS["1.2"], suite, str(log))
        pair, words = talk(lab, "1.2", suite, contexts=ends)
        pair.record(capture)
        for side in (CLIENT, SERVER):
            spoken[side].append(words[side])
    return capture.write(folder / "all.pcap"), log.read_bytes(), spoken


def pieces(weir, path, *keys):
    """The pieces of plaintext by side; the program must end by itself, and as it should."""
    run = weir("read", "-r", path, *keys, "-T", "fields", "-E", "aggregator=,", "-e", "ip.src", "-e", "data.data")
    assert run.returncode in (0, 2), (run.returncode, run.err)
    assert run.returncode == 0 or run.err.startswith("weir read: "), run.err
    for line in run.out.splitlines():
        source, _, data = line.partition("\t")
        for piece in data.replace(":", "").split(",") if data else []:
            yield int(source.split(".")[-1]) - 1, bytes.fromhex(piece)


@pytest.mark.parametrize("block", range(5))
def test_damaged_key_logs_give_no_wrong_plaintext(weir, sessions, tmp_path, block):
    path, log, spoken = sessions
    everything = {side: b"|".join(spoken[side]) for side in (CLIENT, SERVER)}
    assert all(piece in everything[side] for side, piece in pieces(weir, path, "--keylog", write(tmp_path, "good", log)))
    read = 0
    for seed in range(50):
        bad = write(tmp_path, "bad", damaged(log, random.Random(1000 * block + seed)))
        for side, piece in pieces(weir, path, "--keylog", bad):
            assert piece in everything[side], seed
            read += 1
    assert read > 50  # most lines are whole: what they open is still read


@pytest.mark.parametrize("form", range(10))
def test_damaged_private_keys_give_no_wrong_plaintext(weir, lab, sessions, tmp_path, form):
    path, _, spoken = sessions
    everything = {side: b"|".join(spoken[side]) for side in (CLIENT, SERVER)}
    file, secret = forms(lab, tmp_path)[form]
    whole = open(file, "rb").read()
    for seed in range(25):
        bad = write(tmp_path, "bad", damaged(whole, random.Random(1000 * form + seed)))
        for side, piece in pieces(weir, path, "--key", bad + (":" + secret if secret else "")):
            assert piece in everything[side], seed


def write(folder, name, data):
    (folder / name).write_bytes(data)
    return str(folder / name)


def test_a_damaged_record_is_left_out_and_the_rest_is_read(weir, lab, tmp_path):
    for suite in ("AES128-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "NULL-SHA256"):
        log = tmp_path / (suite + ".log")
        pair = Pair(*lab.contexts(VERSIONS["1.2"], suite, str(log))).handshake()
        words = [b"message %d" % i for i in range(20)]
        for text in words:
            pair.say(CLIENT, text)
        first = len(pair.log) - len(words)
        side, data = pair.log[first + 7]
        pair.log[first + 7] = (side, data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
        capture = Capture()
        pair.record(capture)
        assert said(weir, capture.write(tmp_path / "one.pcap"), "--keylog", log)[CLIENT] == b"".join(words[:7] + words[8:]), suite


def test_what_is_inside_is_read_on(weir, lab, tmp_path):
    """HTTP that becomes WebSocket that carries MQTT; DNS; HTTP on a port of its own; by ALPN HTTP/2."""
    connect, connack = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04weir", b"\x20\x02\x00\x00"
    upgrade = [(CLIENT, b"GET /c HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"),
               (SERVER, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"),
               (CLIENT, b"\x82\x92\0\0\0\0" + connect), (SERVER, b"\x82\x04" + connack)]
    mqtt = [(CLIENT, connect), (SERVER, connack), (CLIENT, b"\x30\x06\x00\x01thi"), (CLIENT, b"!")]
    question = b"\0\x1d\x12\x34\x01\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1"
    http = [(CLIENT, b"GET /x HTTP/1.1\r\nHost: there\r\n\r\n"), (SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh"), (SERVER, b"i")]
    log = tmp_path / "keys.log"

    def names(port, what, *fields):
        pair = Pair(*lab.contexts(ssl.TLSVersion.TLSv1_3, "DEFAULT", str(log))).handshake()
        for side, text in what:
            pair.say(side, text)
        capture = Capture()
        pair.record(capture, port=port)
        path = capture.write(tmp_path / "one.pcap")
        run = weir("read", "-r", path, "--keylog", log, "-T", "fields", *[a for f in fields for a in ("-e", f)])
        return [line for line in run.out.splitlines() if line.strip()]
    assert names(443, upgrade, "mqtt.clientid") == ["weir"]
    assert names(8883, mqtt, "mqtt.topic", "mqtt.clientid") == ["\tweir", "t\t"]
    assert names(9999, mqtt, "mqtt.clientid") == ["weir"]
    assert names(853, [(CLIENT, question)], "dns.qry.name") == ["example.com"]
    assert names(9999, http, "http.request.full_uri", "http.response.code") == ["https://there/x\t", "\t200"]


def test_levels_tell_which_messages_came_in_several_records(weir, lab, tmp_path):
    log = tmp_path / "keys.log"
    pair = Pair(*lab.contexts(ssl.TLSVersion.TLSv1_3, "DEFAULT", str(log))).handshake()
    for text in (b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04weir", b"\x30\x06\x00\x01thi", b"!"):
        pair.say(CLIENT, text)
    capture = Capture()
    pair.record(capture, port=8883)
    path = capture.write(tmp_path / "one.pcap")
    levels = weir("read", "-q", "-z", "io,phs", "-r", path, "--keylog", log).out.splitlines()
    mqtt = next(i for i, line in enumerate(levels) if line.split()[:2] == ["mqtt", "frames:2"])
    assert levels[mqtt + 1].split()[:2] == ["tls.segments", "frames:1"]
    assert levels[mqtt + 1].index("tls") == levels[mqtt].index("mqtt") + 2


def test_edit_makes_one_self_contained_file(weir, lab, tmp_path):
    log = tmp_path / "keys.log"
    pair, words = talk(lab, "1.2", "ECDHE-RSA-AES128-GCM-SHA256", str(log))
    capture = Capture()
    pair.record(capture)
    classic = capture.write(tmp_path / "one.pcap")
    with_keys, without, again = (str(tmp_path / name) for name in ("with.pcapng", "without.pcapng", "again.pcapng"))
    assert weir("edit", classic, "-w", with_keys, "--inject-secrets", log).returncode == 0
    assert said(weir, with_keys) == words
    assert weir("edit", with_keys, "-w", without, "--strip-secrets").returncode == 0
    assert said(weir, without) == [b"", b""]
    assert weir("edit", without, "-w", again, "--inject-secrets", log).returncode == 0
    assert said(weir, again) == words
    if shutil.which("tshark"):
        run = subprocess.run(["tshark", "-r", again, "-T", "fields", "-e", "data.data"], capture_output=True, text=True)
        assert bytes.fromhex("".join(run.stdout.split()).replace(",", "")) != b""
    (tmp_path / "no.log").write_text("nothing\n")
    refused = weir("edit", classic, "-w", without, "--inject-secrets", tmp_path / "no.log")
    assert refused.returncode == 2 and "key log" in refused.err


def root_and_loopback():
    import os
    return os.geteuid() == 0


@pytest.mark.skipif(not root_and_loopback(), reason="capturing needs root")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_key_log_is_followed_while_it_grows(weir, lab, tmp_path, version):
    log = tmp_path / "keys.log"
    log.touch()  # opened before privileges are given up
    server = Server(lab, version, "-rev")
    reader = subprocess.Popen([weir.path, "read", "-i", "lo", "--keylog", str(log), "-l", "-a", "duration:300", "-T", "fields", "-e", "data.data",
                               "tcp", "port", str(server.port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        listening(reader)
        for text in (b"first words\n", b"more words\n"):
            client(server.port, [text], "-keylogfile", str(log), wait=text[-2::-1])
        reader.terminate()
        got = bytes.fromhex(reader.communicate(timeout=LONG)[0].decode().replace(":", "").replace(",", "").replace("\n", ""))
    finally:
        reader.kill()
        server.close()
    for text in (b"first words", b"more words"):
        assert text in got and text[::-1] in got


class ByHand:
    """A session written by hand from its master secret, for what no library speaks any more. Each side's records are sealed by
    `seal(type, data)`."""

    def __init__(self, version, suite, compression=0):
        self.version, self.master = version, bytes(range(48))
        self.randoms = [bytes(range(100, 132)), bytes(range(150, 182))]
        hello = struct.pack(">H", version)
        self.clear = [(CLIENT, 22, self.message(1, hello + self.randoms[0] + b"\0" + struct.pack(">HH", 2, suite) + b"\2\0\1")),
                      (SERVER, 22, self.message(2, hello + self.randoms[1] + b"\0" + struct.pack(">HB", suite, compression))),
                      (SERVER, 22, self.message(14, b"")), (CLIENT, 22, self.message(16, bytes(128)))]

    def message(self, kind, body):
        return struct.pack(">I", kind << 24 | len(body)) + body

    def record(self, kind, body):
        return struct.pack(">BHH", kind, self.version, len(body)) + body

    def log(self):
        return f"CLIENT_RANDOM {self.randoms[0].hex()} {self.master.hex()}\n".encode()

    def write(self, path, seal, said):
        capture = Capture()
        conversation = capture.conversation()
        for side, kind, body in self.clear:
            conversation.send(side, self.record(kind, body))
        for side in (CLIENT, SERVER):
            conversation.send(side, self.record(20, b"\1"))
            conversation.send(side, self.record(22, seal[side](22, self.message(20, bytes(36 if self.version == 0x300 else 12)))))
        for side, text in said:
            conversation.send(side, self.record(23, seal[side](23, text)))
        conversation.close()
        return capture.write(path)


def p_hash(secret, seed, n):
    out, a = b"", seed
    while len(out) < n:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + seed, "sha256")
    return out[:n]


def test_ssl3(weir, tmp_path):
    hand = ByHand(0x300, 0x35)  # AES-256-CBC with SHA-1
    need, block, letter = 2 * (20 + 32 + 16), b"", 0
    while len(block) < need:
        letter += 1
        inner = hashlib.sha1(bytes([64 + letter]) * letter + hand.master + hand.randoms[1] + hand.randoms[0]).digest()
        block += hashlib.md5(hand.master + inner).digest()

    class Seal:
        def __init__(self, side):
            self.mac, self.key = block[20 * side:][:20], block[40 + 32 * side:][:32]
            self.iv, self.seq = block[104 + 16 * side:][:16], 0

        def __call__(self, kind, data):
            head = struct.pack(">QBH", self.seq, kind, len(data))
            inner = hashlib.sha1(self.mac + b"\x36" * 40 + head + data).digest()
            text = data + hashlib.sha1(self.mac + b"\x5c" * 40 + inner).digest()
            pad = 15 - len(text) % 16
            text += bytes(pad) + bytes([pad])  # the padding may be anything but its length
            run = subprocess.run(["openssl", "enc", "-aes-256-cbc", "-nopad", "-K", self.key.hex(), "-iv", self.iv.hex()], input=text,
                                 capture_output=True)
            self.iv, self.seq = run.stdout[-16:], self.seq + 1
            return run.stdout
    said_by = [(i % 2, text) for i, text in enumerate(texts("ssl3"))]
    path = hand.write(tmp_path / "one.pcap", [Seal(CLIENT), Seal(SERVER)], said_by)
    log = write(tmp_path, "keys.log", hand.log())
    assert said(weir, path, "--keylog", log) == [b"".join(t for s, t in said_by if s == side) for side in (CLIENT, SERVER)]
    shown = weir("read", "-r", path, "--keylog", log).out
    assert "SSLv3" in shown and "Finished" in shown


def test_compressed_records(weir, tmp_path):
    hand = ByHand(0x303, 0x3b, compression=1)  # NULL with SHA-256
    block = p_hash(hand.master, b"key expansion" + hand.randoms[1] + hand.randoms[0], 64)

    class Seal:
        def __init__(self, side):
            self.mac, self.seq, self.z = block[32 * side:][:32], 0, zlib.compressobj()

        def __call__(self, kind, data):
            packed = self.z.compress(data) + self.z.flush(zlib.Z_SYNC_FLUSH)
            head = struct.pack(">QBHH", self.seq, kind, 0x303, len(packed))
            self.seq += 1
            return packed + hmac.digest(self.mac, head + packed, "sha256")
    said_by = [(i % 2, text) for i, text in enumerate(texts("deflate"))]
    path = hand.write(tmp_path / "one.pcap", [Seal(CLIENT), Seal(SERVER)], said_by)
    log = write(tmp_path, "keys.log", hand.log())
    assert said(weir, path, "--keylog", log) == [b"".join(t for s, t in said_by if s == side) for side in (CLIENT, SERVER)]
