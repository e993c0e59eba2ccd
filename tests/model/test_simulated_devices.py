"""Which devices are simulated, and whether they may be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.model.created_devices import CreatedDevices, first_entry, parse_log
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.simulated_devices import (
    DeviceFacts,
    Shard,
    check_simulation_allowed,
    numbered_ids,
    obstacles,
    parse_shard,
    registry_time,
)


def facts(name: str, *, connected: bool = False, marked: bool = False) -> DeviceFacts:
    tags = {"simulated": True} if marked else {}
    return DeviceFacts(device_id=name, etag="e", is_connected=connected, sign_in="sas", tags=tags)


def in_the_way(
    *there: DeviceFacts, size: int | None = None, is_local: bool = False, takes_over: bool = False
) -> list[str]:
    return obstacles(there, total_count=size or len(there), is_local=is_local, takes_over=takes_over)


@pytest.mark.parametrize(
    ("count", "first", "last"), [(1, "P1", "P1"), (9, "P1", "P9"), (10, "P01", "P10"), (1000, "P0001", "P1000")]
)
def test_ids_are_numbered_from_1_with_the_digits_of_the_last(count: int, first: str, last: str) -> None:
    ids = numbered_ids("P", count)
    assert (ids[0], ids[-1], len(ids), sorted(ids) == list(ids)) == (first, last, count, True)


@pytest.mark.parametrize(("prefix", "count"), [("P", 0), ("P", -1), ("a b", 3), ("x" * 127, 10), ("a/b", 1)])
def test_what_makes_no_ids_is_refused(prefix: str, count: int) -> None:
    with pytest.raises(BadValue, match="^(count|prefix) "):
        numbered_ids(prefix, count)


@given(st.text(min_size=1), st.integers(1, 50))
def test_every_device_is_in_exactly_one_shard(device: str, total: int) -> None:
    assert sum(Shard(number, total).has(device) for number in range(1, total + 1)) == 1


def test_shards_are_about_equal_and_the_same_everywhere() -> None:
    sizes = [sum(Shard(number, 5).has(name) for name in numbered_ids("P", 10_000)) for number in range(1, 6)]
    assert all(1850 < size < 2150 for size in sizes)
    assert [name for name in numbered_ids("pump-", 9) if Shard(1, 3).has(name)] == ["pump-5", "pump-7"]  # for ever


@pytest.mark.parametrize("text", ["0/5", "6/5", "1/0", "2", "a/b", "-1/5", "1/5/2", "", "1.0/5"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="^shard "):
        parse_shard(text)
    assert parse_shard(" 2 / 5 ") == Shard(2, 5)


def test_more_than_one_device_must_be_marked_on_a_hub_that_is_not_local() -> None:
    bare = [facts(f"d{number}") for number in range(7)]
    [said] = in_the_way(*bare, facts("m", marked=True))
    assert said.startswith("7 devices (d0, d1, d2, d3, d4, …) are not marked as simulated")
    assert in_the_way(*bare, is_local=True) == []
    assert in_the_way(*bare, takes_over=True) == []
    assert in_the_way(facts("m", marked=True), facts("n", marked=True)) == []
    assert in_the_way(facts("one")) == []  # one device alone
    assert in_the_way(facts("one"), size=2) != []  # beside those that this run makes
    assert in_the_way(size=100) == []  # only those


@pytest.mark.parametrize("value", ["true", 1, None, "yes", {}])
def test_only_true_marks_a_device(value: object) -> None:
    tagged = DeviceFacts(device_id="d", etag="e", is_connected=False, sign_in="sas", tags={"simulated": value})
    assert len(in_the_way(tagged, size=2)) == 1


@pytest.mark.parametrize("is_local", [True, False])
@pytest.mark.parametrize("marked", [True, False])
def test_a_connected_device_is_in_the_way_on_every_hub(is_local: bool, marked: bool) -> None:
    there = facts("live", connected=True, marked=marked)
    assert "1 device (live) is connected" in in_the_way(there, is_local=is_local)[0]
    assert in_the_way(there, is_local=is_local, takes_over=True) == []
    with pytest.raises(ConflictingChoice, match="live"):
        check_simulation_allowed([there], total_count=1, is_local=is_local, takes_over=False)


@pytest.mark.parametrize(
    ("count", "slow", "fast"), [(50, "30 s", "1 s"), (1000, "10 min", "12 s"), (100_000, "16.7 h", "20 min")]
)
def test_the_time_that_the_quota_requires_is_shown(count: int, slow: str, fast: str) -> None:
    assert f"about {slow} on an S1" in registry_time(count)
    assert registry_time(count).endswith(f"{fast} on S3")


@given(st.lists(st.sampled_from(["intended", "made", "etags", "notMade", "gone", "left"]), max_size=12), st.data())
def test_a_log_that_was_cut_off_anywhere_reads_as_its_whole_lines(words: list[str], data: st.DataObject) -> None:
    names = st.lists(st.sampled_from("abc"), max_size=3)
    entries = [
        {word: dict.fromkeys(data.draw(names), f"e{number}") if word == "etags" else data.draw(names)}
        for number, word in enumerate(words)
    ]
    started = CreatedDevices(run="r", hub="h:443", is_temporary=True)
    first = json.dumps(first_entry(started)) + "\n"
    text = first + "".join(json.dumps(entry) + "\n" for entry in entries)
    cut = data.draw(st.integers(len(first), len(text)))
    for entry in entries[: text[len(first) : cut].count("\n")]:
        started.apply(entry)
    assert parse_log(text[:cut].splitlines(keepends=True)) == started


@pytest.mark.parametrize(
    "text", ["", "[]\n", '{"run": "r"}\n', "{broken\n", '{"run":"r","hub":"h","isTemporary":1}\n7\n']
)
def test_a_text_that_is_no_log_is_refused(text: str) -> None:
    with pytest.raises(BadValue, match="not a list"):
        parse_log(text.splitlines(keepends=True))
