"""Shards merged: their result is the one that a simulation of all devices would have had."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.cli.simulate import shard_files
from azext_iotjobs.cli.simulate.expectation_texts import parse_expectation
from azext_iotjobs.cli.simulate.merged_report import MergedResult
from azext_iotjobs.cli.simulate.report import document
from azext_iotjobs.cli.simulate.shard_files import ShardResult
from azext_iotjobs.cli.simulate.shard_record import record
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.simulated_devices import Shard
from azext_iotjobs.simulator.events import Activity, ActivityKind, Moment
from azext_iotjobs.simulator.expectations import ExpectationTracker
from azext_iotjobs.simulator.histogram import RELATIVE_ERROR
from azext_iotjobs.simulator.statistics import Statistics

WALL = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
LASTS_S = 60.0
DEVICES = tuple(f"pump-{number:02}" for number in range(30))
EXPECTED = ("connected on all within 30s", "method reboot on 60% within 20s", "method reboot on 90% within 20s")
KINDS = (ActivityKind.READY, ActivityKind.METHOD, ActivityKind.ANSWER, ActivityKind.ACKNOWLEDGED, ActivityKind.REFUSED)

Happened = tuple[float, str, Activity]


def answers(device: str, at: float, took_s: float, status: int = 200) -> list[Happened]:
    details = {"name": "reboot", "rid": f"{at}"}
    return [
        (at, device, Activity(kind=ActivityKind.METHOD, details={**details, "payload": None})),
        (at + took_s, device, Activity(kind=ActivityKind.ANSWER, details={**details, "status": status})),
    ]


def connects(device: str, at: float = 1.0) -> list[Happened]:
    return [(at, device, Activity(kind=ActivityKind.READY))]


def refused(device: str, at: float) -> list[Happened]:
    return [(at, device, Activity(kind=ActivityKind.REFUSED, details={"reason": "disabled"}))]


def result_of(
    story: Sequence[Happened], devices: Sequence[str], shard: Shard | None = None, expected: Sequence[str] = EXPECTED
) -> dict[str, Any]:
    """The result of a simulation of `devices`, in which what concerns them has happened."""
    statistics = Statistics(len(devices), Moment(0.0, WALL))
    expectations = [parse_expectation(each) for each in expected]
    tracker = ExpectationTracker(expectations, devices, 0.0, is_shard=shard is not None)
    gave_up: dict[str, IotJobsError] = {}
    for at, device, activity in sorted((each for each in story if each[1] in devices), key=lambda each: each[0]):
        now = Moment(at, WALL)
        tracker.decide(now)
        statistics.on(device, activity, now)
        tracker.on(device, activity, now)
        if activity.kind is ActivityKind.REFUSED:
            gave_up[device] = IotJobsError("disabled")
    end = Moment(LASTS_S, WALL + timedelta(seconds=LASTS_S))
    found = document(statistics, tracker.end(end), gave_up, "until 60s", end)
    found = {"hub": "localhost", "seed": "7", **found, "creation": None}
    return found if shard is None else {**found, "shard": record(shard, {}, statistics.latency)}


def shards_of(story: Sequence[Happened], total: int, expected: Sequence[str] = EXPECTED) -> list[ShardResult]:
    shards = [Shard(number, total) for number in range(1, total + 1)]
    return [
        ShardResult(shard=each, where=str(each), document=result_of(story, ours, each, expected))
        for each in shards
        if (ours := [device for device in DEVICES if each.has(device)])
    ]


def verdicts(result: Mapping[str, Any]) -> list[tuple[bool, int]]:
    return [(each["cameTrue"], each["devicesNeeded"]) for each in result["expectations"]]


TIMES = st.integers(1, 50).map(float)
STORIES = st.lists(
    st.one_of(
        st.builds(answers, st.sampled_from(DEVICES), TIMES, st.floats(0.001, 9), st.sampled_from([200, 500])),
        st.builds(refused, st.sampled_from(DEVICES), TIMES),
    ),
    max_size=60,
).map(lambda parts: [each for part in parts for each in part])


@given(STORIES, st.integers(1, 6))
def test_the_merged_result_is_that_of_one_simulation(story: list[Happened], total: int) -> None:
    story = [*(each for device in DEVICES for each in connects(device)), *story]
    whole, found = result_of(story, DEVICES), MergedResult(shards_of(story, total)).document()
    for name in ("connects", "messages", "twins", "cloudToDeviceMessages", "devices", "seconds", "startedAt"):
        assert found[name] == whole[name], name
    assert found["methods"]["byName"] == [
        {**each, "statuses": dict(each["statuses"])} for each in whole["methods"]["byName"]
    ]
    ours, theirs = found["methods"]["answerSeconds"], whole["methods"]["answerSeconds"]
    assert ours == (None if theirs is None else pytest.approx(theirs, abs=2e-6)), "the same histogram"
    assert verdicts(found) == verdicts(whole)
    assert [each["count"] for each in found["trouble"]] == [each["count"] for each in whole["trouble"]]


@given(STORIES, st.integers(1, 6), st.sampled_from(EXPECTED))
def test_the_exit_code_is_that_of_one_simulation(story: list[Happened], total: int, expected: str) -> None:
    (verdict,) = result_of(story, DEVICES, expected=[expected])["expectations"]
    merged = MergedResult(shards_of(story, total, [expected]))
    assert (merged.outcome is Outcome.SUCCESS) == verdict["cameTrue"]


def test_percentiles_are_those_of_all_answers_and_not_their_mean() -> None:
    """One shard has 99 fast answers, the other one slow one: the median is fast, whatever the shards' medians are."""
    first, second = Shard(1, 2), Shard(2, 2)
    fast = next(each for each in DEVICES if first.has(each))
    slow = next(each for each in DEVICES if second.has(each))
    story = [each for at in range(99) for each in answers(fast, at / 10, 0.01)] + answers(slow, 1.0, 8.0)
    found = MergedResult(shards_of(story, 2, ())).document()["methods"]["answerSeconds"]
    assert found["p50"] == pytest.approx(0.01, rel=RELATIVE_ERROR * 2) and found["max"] == pytest.approx(8.0)
    assert found["mean"] == pytest.approx((99 * 0.01 + 8) / 100, abs=1e-5)


def test_devices_of_one_shard_make_up_for_those_that_another_lacks() -> None:
    """60% of 30 are 18. Shard 2 has too few; shard 1 has more than its share, also after it has its own 60%."""
    first, second = ([each for each in DEVICES if Shard(number, 2).has(each)] for number in (1, 2))
    enough = [*first, *second[: 18 - len(first)]]
    story = [each for device in enough for each in answers(device, 5.0, 0.1)]
    merged = MergedResult(shards_of(story, 2, [EXPECTED[1]]))
    shard_verdicts = [each.document["expectations"][0]["cameTrue"] for each in shards_of(story, 2, [EXPECTED[1]])]
    assert shard_verdicts == [True, False] and merged.outcome is Outcome.SUCCESS
    fewer = MergedResult(shards_of(story[:-2], 2, [EXPECTED[1]]))
    (verdict,) = fewer.document()["expectations"]
    assert fewer.outcome is Outcome.DEVICES_FAILED
    assert (verdict["devicesNeeded"], verdict["devicesTrue"], verdict["missingCount"]) == (18, 17, 13)
    assert verdict["reason"] == "not in time"


def test_missing_shards_are_named_and_nothing_has_succeeded_without_them() -> None:
    story = [each for device in DEVICES for each in (*connects(device), *answers(device, 5.0, 0.1))]
    some = [each for each in shards_of(story, 5) if each.shard.number not in (2, 4)]
    merged = MergedResult(some)
    assert merged.document()["shards"] == {"total": 5, "merged": 3, "missing": [2, 4]}
    assert merged.outcome is Outcome.DEVICES_FAILED
    reasons = {each["reason"] for each in merged.document()["expectations"]}
    assert reasons == {"without the results of shards 2, 4"}
    assert MergedResult(shards_of(story, 5)).outcome is Outcome.SUCCESS


def test_without_expectations_devices_that_gave_up_count() -> None:
    story = [each for device in DEVICES for each in connects(device)]
    assert MergedResult(shards_of(story, 3, ())).outcome is Outcome.SUCCESS
    merged = MergedResult(shards_of([*story, *refused("pump-07", 9.0)], 3, ()))
    assert merged.outcome is Outcome.DEVICES_FAILED
    assert merged.document()["gaveUp"] == [{"deviceId": "pump-07", "error": "disabled"}]


def test_times_begin_with_the_first_shard_and_end_with_the_last() -> None:
    story = [each for device in DEVICES for each in connects(device)]
    shards = shards_of(story, 3)
    later = {**shards[1].document, "startedAt": "2026-11-30T12:00:30.000Z"}
    shards[1] = ShardResult(shard=shards[1].shard, where="later", document=later)
    found = MergedResult(shards).document()
    assert (found["startedAt"], found["seconds"]) == ("2026-11-30T12:00:00.000Z", 90.0)
    assert found["devices"]["allConnectedAfterSeconds"] == 31.0


def test_what_is_merged_is_what_the_files_hold(tmp_path: Path) -> None:
    story = [each for device in DEVICES for each in (*connects(device), *answers(device, 5.0, 0.1))]
    shards = shards_of(story, 3)
    paths = []
    for each in shards:
        path = tmp_path / f"{each.shard.number}.json"
        path.write_text(json.dumps(each.document, indent=2) + "\n")
        paths.append(str(path))
    read = shard_files.read([paths[2], paths[0], paths[1]])
    assert MergedResult(read).document() == MergedResult(shards).document()
