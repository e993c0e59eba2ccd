"""Which expectations come true, for four devices."""

from datetime import datetime, timezone
from typing import Any

import pytest

from azext_iotjobs.cli.simulate.expectation_texts import parse_expectation, parse_until
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.simulator.events import Activity, ActivityKind, Moment
from azext_iotjobs.simulator.expectations import EndConditions, ExpectationTracker, Verdict
from azext_iotjobs.simulator.statistics import Statistics

DEVICES = ("a", "b", "c", "d")
WALL = datetime(2026, 11, 21, tzinfo=timezone.utc)
START = 100.0

Happened = tuple[float, str, ActivityKind, dict[str, Any]]  # seconds after the start, device, kind, details


def moment(after_s: float) -> Moment:
    return Moment(START + after_s, WALL)


def answered(name: str, *devices: str, at: float = 1.0) -> list[Happened]:
    return [(at, each, ActivityKind.ANSWER, {"rid": "1", "name": name, "status": 200}) for each in devices]


def was(kind: ActivityKind, *devices: str, at: float = 1.0, **details: Any) -> list[Happened]:
    return [(at, each, kind, details) for each in devices]


def judged(text: str, *story: list[Happened], end: float = 100.0) -> Verdict:
    tracker = ExpectationTracker([parse_expectation(text)], DEVICES, START)
    for at, device, kind, details in (each for part in story for each in part):
        tracker.on(device, Activity(kind=kind, details=details), moment(at))
    (verdict,) = tracker.end(moment(end))
    return verdict


def reports_firmware(device: str) -> list[Happened]:
    return was(ActivityKind.REPORT, device, rid="7", patch={"fw": {"version": "2.0"}})


def connects_and(kind: ActivityKind) -> list[Happened]:
    """Device a connects, then this happens to it; b connects and stays."""
    return was(ActivityKind.READY, "a") + was(kind, "a") + was(ActivityKind.READY, "b")


FW = 'twin reported.fw.version = "2.0" on 1'

TRUE: tuple[tuple[str, list[Happened], float], ...] = (
    ("method reboot on all", answered("reboot", *DEVICES, at=3), 3.0),
    ("method * on 2", answered("x", "a") + answered("y", "b", at=2), 2.0),
    ("method reboot on 51%", answered("reboot", "a", "b") + answered("reboot", "c", at=4), 4.0),
    ("method reboot on all within 5s", answered("reboot", *DEVICES, at=5), 5.0),
    ("connected on 3 within 9s", was(ActivityKind.READY, "a", "b", "c", at=2) + was(ActivityKind.LOST, "a", at=3), 2.0),
    ("message on 1", was(ActivityKind.MESSAGE, "b", at=6), 6.0),
    ("telemetry on 1", was(ActivityKind.ACKNOWLEDGED, "b", at=6), 6.0),
    ("twin desired.fan = 3 on 1", was(ActivityKind.DESIRED, "c", patch={"fan": 3.0}), 1.0),
    ('twin desired.fan = {"a": [1]} on 1', was(ActivityKind.DESIRED, "c", patch={"fan": {"a": [1]}}), 1.0),
    ("twin desired.fan = null on 1", was(ActivityKind.DESIRED, "c", patch={"fan": None}), 1.0),
    (FW, reports_firmware("a") + was(ActivityKind.REPORT_ACCEPTED, "a", at=2, rid="7"), 2.0),
)

AT_END, TOO_LATE, TOO_FEW = "not before the end", "not in time", "too few devices are left"
REBOOT_CALLED = was(ActivityKind.METHOD, "a", rid="1", name="reboot")
TWO_REFUSED = was(ActivityKind.REFUSED, "a", "b") + answered("x", "c", "d")
REFUSED_LATER = answered("x", "a", "b") + was(ActivityKind.REFUSED, "a", "c", "d")
REPORT_REFUSED = reports_firmware("a") + was(ActivityKind.REPORT_REFUSED, "a", rid="7", status=429)
OTHERS_ACCEPTED = was(ActivityKind.REPORT_ACCEPTED, "a", rid="6") + was(ActivityKind.REPORT_ACCEPTED, "b", rid="7")

NOT_TRUE: tuple[tuple[str, list[Happened], str, tuple[str, ...]], ...] = (
    ("method reboot on all", answered("reboot", "a", "c"), AT_END, ("b", "d")),
    ("method reboot on all", answered("reset", *DEVICES), AT_END, DEVICES),
    ("method reboot on 1", REBOOT_CALLED, AT_END, DEVICES),
    ("method reboot on 3 within 5s", answered("reboot", *DEVICES, at=5.1), TOO_LATE, DEVICES),
    ("connected on 2", connects_and(ActivityKind.LOST), AT_END, ("a", "c", "d")),
    ("connected on 2", connects_and(ActivityKind.LEFT), AT_END, ("a", "c", "d")),
    ("method x on 3", TWO_REFUSED, TOO_FEW, DEVICES),
    ("method x on 3", REFUSED_LATER, TOO_FEW, ("c", "d")),
    ("twin desired.on = true on 1", was(ActivityKind.DESIRED, "c", patch={"on": 1}), AT_END, DEVICES),
    ("twin desired.a = {} on 1", was(ActivityKind.DESIRED, "c", patch={"a": {"b": 1}}), AT_END, DEVICES),
    ("twin desired.a = 1 on 1", was(ActivityKind.REPORT, "c", rid="1", patch={"a": 1}), AT_END, DEVICES),
    (FW, REPORT_REFUSED, AT_END, DEVICES),
    (FW, reports_firmware("a") + OTHERS_ACCEPTED, AT_END, DEVICES),
)


@pytest.mark.parametrize(("text", "story", "after_s"), TRUE)
def test_an_expectation_comes_true(text: str, story: list[Happened], after_s: float) -> None:
    verdict = judged(text, story)
    assert (verdict.came_true, verdict.after_s, verdict.reason, verdict.missing) == (True, after_s, "", [])
    assert verdict.held_count >= verdict.needed_count


@pytest.mark.parametrize(("text", "story", "reason", "missing"), NOT_TRUE)
def test_an_expectation_that_does_not_come_true_names_the_devices(
    text: str, story: list[Happened], reason: str, missing: tuple[str, ...]
) -> None:
    verdict = judged(text, story)
    assert (verdict.came_true, verdict.reason, tuple(verdict.missing)) == (False, reason, missing)
    assert verdict.held_count == len(DEVICES) - len(missing)


def test_what_came_true_stays_true() -> None:
    assert judged("connected on 1", was(ActivityKind.READY, "a"), was(ActivityKind.LOST, "a")).came_true


def test_all_is_decided_at_the_last_deadline_and_not_before() -> None:
    texts = ("method x on all within 5s", "connected on 1 within 9s")
    tracker = ExpectationTracker([parse_expectation(text) for text in texts], DEVICES, START)
    tracker.decide(moment(5.0))
    assert not tracker.is_decided
    tracker.decide(moment(5.1))
    assert not tracker.is_decided
    tracker.decide(moment(9.1))
    assert tracker.is_decided
    assert [verdict.after_s for verdict in tracker.end(moment(50))] == [5.0, 9.0]


def test_a_device_that_gave_up_and_came_back_counts_again() -> None:
    story = was(ActivityKind.REFUSED, "a") + was(ActivityKind.READY, "a") + answered("x", *DEVICES)
    assert not judged("method x on all", story).came_true, "it failed when the first device gave up"
    others = was(ActivityKind.REFUSED, "b") + answered("x", "a", "c", "d")
    assert judged("method x on 3", was(ActivityKind.REFUSED, "a"), was(ActivityKind.READY, "a"), others).came_true


def test_more_devices_than_there_are_cannot_be_expected() -> None:
    with pytest.raises(BadValue, match="needs 5 devices; this run has 4"):
        judged("method x on 5")


@pytest.mark.parametrize(
    ("conditions", "story", "at", "reached"),
    [
        (("60s",), [], 59.9, None),
        (("60s",), [], 60.0, "60s"),
        (("forever",), answered("x", *DEVICES), 1e9, None),
        (("60s", "2 messages"), was(ActivityKind.ACKNOWLEDGED, "a", "a"), 2.0, "2 messages"),
        (("2 messages",), was(ActivityKind.SENT, "a", "a"), 2.0, None),
        (("3 methods",), answered("x", "a", "b", "b"), 2.0, "3 methods"),
        (("all methods",), answered("x", "a", "b", "b", "c"), 2.0, None),
        (("all methods",), answered("x", "a", "b") + answered("y", "c", "d"), 2.0, "all methods"),
        (("method y on 2", "1h"), answered("x", "a", "b") + answered("y", "c", "d"), 2.0, "method y on 2"),
    ],
)
def test_a_run_ends_at_the_first_condition_that_holds(
    conditions: tuple[str, ...], story: list[Happened], at: float, reached: str | None
) -> None:
    conditions_of_run = EndConditions([parse_until(each) for each in conditions], DEVICES, START)
    statistics = Statistics(len(DEVICES), moment(0))
    for after_s, device, kind, details in story:
        for each in (conditions_of_run, statistics):
            each.on(device, Activity(kind=kind, details=details), moment(after_s))
    assert conditions_of_run.reached(statistics, moment(at)) == reached
