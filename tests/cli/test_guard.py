# SPDX-License-Identifier: Apache-2.0
"""weir guard without its sockets: the check of a configuration, the example, the dry run."""
import json
import resource

import pytest


def written(tmp_path, text):
    path = tmp_path / "guard.yaml"
    path.write_text(text)
    return path


def test_the_example_is_a_configuration(weir, tmp_path):
    example = weir("guard", "--example")
    assert example.returncode == 0 and "topics:" in example.out
    run = weir("guard", "-t", "-c", written(tmp_path, example.out))
    assert run.returncode == 0, run.err


@pytest.mark.parametrize("text,place,words", [
    ("listen: ['*:1883']\nbrokers: ['b:1']\ntopcs: {}\n", ":3:1:", "did you mean 'topics'?"),
    ("listen: ['*:1883']\nbrokers: ['b:1']\nrules:\n  - when: mqtt.topik == \"a\"\n", ":4:11:", "mqtt.topic"),
    ("listen: ['*:1883']\nbrokers: ['b:1']\ntime: {connect: soon}\n", ":3:17:", "10s"),
    ("listen: [\n", ":2:1:", ""),
])
def test_a_mistake_has_its_place(weir, tmp_path, text, place, words):
    path = written(tmp_path, text)
    run = weir("guard", "-t", "-c", path)
    assert run.returncode == 2
    assert f"{path}{place}" in run.err and words in run.err


@pytest.mark.parametrize("text", ["[" * 100000, "- " * 100000 + "a\n", "".join(f"- &a{i} x\n" for i in range(100000))],
                         ids=["brackets", "dashes", "anchors"])
def test_a_configuration_made_to_cost_much_is_refused_at_once(weir, tmp_path, text):
    path = written(tmp_path, text)
    for args in (("guard", "-t", "-c", path), ("serve", "--config", path, path)):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        run = weir(*args)
        assert run.returncode == 2 and "nested too deeply" in run.err, run.err
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 2


def test_all_mistakes_are_told_at_once(weir, tmp_path):
    run = weir("guard", "-t", "-c", written(tmp_path, "listen: ['*:1883']\nbrokers: ['b:1']\na: 1\nb: 2\nmode: maybe\n"))
    assert run.returncode == 2 and all(f":{line}:" in run.err for line in (3, 4, 5))


def test_dry_run_names_rules_and_frames(weir, tmp_path, sample):
    topics = weir("read", "-r", sample, "-Y", "mqtt.msgtype == 3", "-T", "fields", "-e", "frame.number")
    frames = topics.out.split()
    assert frames
    run = weir("guard", "--replay", sample, "-c", written(tmp_path, "rules: [{id: all-messages, when: mqtt.msgtype == 3, from: both}]\n"))
    assert run.returncode == 1, run.err
    line = next(one for one in run.out.splitlines() if one.startswith("all-messages"))
    assert line.split()[1] == "drop" and frames[0] in line.split()
    assert "would have been stopped" in run.out


def test_dry_run_that_stops_nothing(weir, sample):
    run = weir("guard", "--replay", sample)
    assert run.returncode == 0 and "0 of " in run.out


def test_dry_run_as_records(weir, tmp_path, sample):
    config = written(tmp_path, "topics: {default: deny}\n")
    run = weir("guard", "--replay", sample, "-c", config, "--json")
    records = [json.loads(line) for line in run.out.splitlines()]
    assert run.returncode == 1 and records
    for one in records:
        assert one["event_type"] == "alert" and one["app_proto"] == "mqtt" and one["pcap_cnt"] > 0
        assert one["alert"]["action"] == "would_block" and one["alert"]["rule"] == "topics.default"
        assert one["community_id"].startswith("1:")


def test_what_is_missing_is_said(weir, tmp_path):
    assert weir("guard").returncode == 2
    run = weir("guard", "--replay", tmp_path / "nothing.pcap")
    assert run.returncode == 2 and "nothing.pcap" in run.err
    run = weir("guard", "-t", "-c", tmp_path / "nothing.yaml")
    assert run.returncode == 2 and "nothing.yaml" in run.err
