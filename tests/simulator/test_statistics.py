from datetime import datetime, timezone
from typing import Any

import pytest

from azext_iotjobs.simulator.events import Activity, ActivityKind, Moment
from azext_iotjobs.simulator.statistics import FIRST_DEVICES, MAX_NAMES, OTHERS, Statistics

WALL = datetime(2026, 11, 21, tzinfo=timezone.utc)


class Counted(Statistics):
    """Two devices, counted from second 10."""

    def __init__(self, device_count: int = 2) -> None:
        super().__init__(device_count, Moment(10.0, WALL))

    def saw(self, what: ActivityKind, device: str = "a", at: float = 10.0, **details: Any) -> None:
        self.on(device, Activity(kind=what, details=details), Moment(at, WALL))

    def call(self, name: str, rid: str, at: float, answered_at: float, status: Any = 200, device: str = "a") -> None:
        self.saw(ActivityKind.METHOD, device, at, rid=rid, name=name)
        self.saw(ActivityKind.ANSWER, device, answered_at, rid=rid, name=name, status=status)


def test_calls_are_counted_by_name_and_status_and_answers_are_timed() -> None:
    counted = Counted()
    counted.call("reboot", "1", 11, 11.5)
    counted.call("reboot", "1", 11, 11.5, device="b", status=500)
    counted.call("reboot", "2", 20, 22)
    counted.saw(ActivityKind.METHOD, rid="3", name="lock")
    reboot, lock = counted.methods["reboot"], counted.methods["lock"]
    assert (reboot.received_count, reboot.answered_count, reboot.statuses) == (3, 3, {200: 2, 500: 1})
    assert (lock.received_count, lock.answered_count, lock.statuses) == (1, 0, {})
    assert list(counted.latency.percentiles(0.5, 0.99)) == pytest.approx([0.5, 2], rel=0.01)


def test_answers_that_come_out_of_order_are_timed_by_their_own_calls() -> None:
    counted = Counted()
    counted.saw(ActivityKind.METHOD, at=11, rid="1", name="x")
    counted.saw(ActivityKind.METHOD, at=12, rid="2", name="x")
    counted.saw(ActivityKind.ANSWER, at=12.25, rid="2", name="x", status=200)
    counted.saw(ActivityKind.ANSWER, at=15, rid="1", name="x", status=200)
    assert counted.latency.sum_s == 4.25


def test_a_call_that_is_observed_late_is_timed_from_its_arrival() -> None:
    counted = Counted()
    counted.on(
        "a", Activity(kind=ActivityKind.METHOD, details={"rid": "1", "name": "x"}, arrived_at=10.5), Moment(11.0, WALL)
    )
    counted.saw(ActivityKind.ANSWER, at=12.0, rid="1", name="x", status=200)
    assert counted.latency.sum_s == 1.5


def test_names_and_statuses_that_callers_choose_do_not_fill_the_memory() -> None:
    counted = Counted()
    for number in range(MAX_NAMES + 50):
        counted.call(f"m{number}", str(number), 11, 11)
        counted.call("m0", str(number), 11, 11, status=number)
    assert len(counted.methods) == MAX_NAMES + 1
    assert counted.methods[OTHERS].received_count == 50
    assert counted.methods["m0"].statuses[OTHERS] == 50


def test_calls_that_are_never_answered_are_forgotten() -> None:
    counted = Counted()
    for second in range(2000):
        counted.saw(ActivityKind.METHOD, at=10 + second, rid=str(second), name="x")
    assert len(counted._open_calls) <= 601
    assert counted.methods["x"].received_count == 2000


def test_connected_devices_are_known_however_they_disconnect() -> None:
    counted = Counted()
    counted.saw(ActivityKind.READY, "a", 11)
    assert counted.all_ready_at is None
    counted.saw(ActivityKind.READY, "b", 12)
    counted.saw(ActivityKind.READY, "b", 13)  # a new token: it left, and that is told after
    assert counted.connected == {"a", "b"}
    assert counted.all_ready_at == pytest.approx(12)
    for what in (ActivityKind.LOST, ActivityKind.LEFT, ActivityKind.REFUSED, ActivityKind.NOT_CONNECTED):
        counted.saw(ActivityKind.READY, "a", 14)
        counted.saw(what, "a", 15)
        assert counted.connected == {"b"}


def test_rates_are_those_of_the_last_whole_seconds() -> None:
    counted = Counted()
    for tenth in range(200):
        if tenth == 15:
            assert counted.rates(Moment(13.5, WALL))["messages"] == pytest.approx(10 / 3)  # in seconds 10, 11 and 12
        counted.saw(ActivityKind.ACKNOWLEDGED, at=12 + tenth / 10, number=tenth)
    assert counted.rates(Moment(32.0, WALL)) == {"connects": 0, "messages": 10, "methods": 0}
    assert counted.rates(Moment(37.5, WALL))["messages"] == 5
    assert counted.rates(Moment(99.0, WALL))["messages"] == 0


def test_trouble_is_counted_by_kind_with_the_first_devices_and_the_first_reason() -> None:
    counted = Counted(100)
    for number in range(20):
        counted.saw(ActivityKind.NOT_CONNECTED, f"d{number % 10}", reason=f"reason {number}" + "x" * 1000)
    counted.saw(ActivityKind.REPORT_REFUSED, "z", rid="1", status=429)
    trouble = counted.trouble[ActivityKind.NOT_CONNECTED]
    assert trouble.count == 20
    assert trouble.devices == [f"d{number}" for number in range(FIRST_DEVICES)]
    assert trouble.reason is not None
    assert trouble.reason.startswith("reason 0x") and len(trouble.reason) == 300
    assert counted.trouble[ActivityKind.REPORT_REFUSED].reason == "429"
