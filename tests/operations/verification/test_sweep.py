"""Which queries a sweep makes, and what it decides from their rows; against twins that report when they are told to."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.queries import QueriesClient
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.verification import Verdict, Verification, VerificationFailure, VerifyingDevice
from azext_iotjobs.operations.verification.device_list import DeviceList
from azext_iotjobs.operations.verification.rounds import PageQuery
from azext_iotjobs.operations.verification.sweep import Sweep
from tests.helpers.clock_double import START, ClockDouble
from tests.helpers.reported_twins import ReportedTwins

VERIFICATION = Verification(
    condition="properties.reported.version = 2", failed_condition="properties.reported.state = 'failed'", within_s=600
)
ONLY_VERSION = Verification(condition="properties.reported.version = 2", within_s=600)
FAILED, LATE = VerificationFailure.REPORTED_FAILURE, VerificationFailure.NOT_IN_TIME


class World:
    """A hub's twins, devices that are verified, a clock."""

    def __init__(self, verification: Verification = VERIFICATION) -> None:
        self.clock = ClockDouble()
        self.twins = ReportedTwins(self.clock.now)
        self.devices = DeviceList()
        self.sweep = Sweep(self.devices, verification, self.clock.now)
        self._queries: QueriesClient = HubClient(HubTarget(host="h.example"), self.twins).queries
        self._within = timedelta(seconds=verification.within_s)

    def operate(self, *devices: str, module: str | None = None) -> None:
        """They are verifying from now on."""
        for each in devices:
            now = self.clock.now()
            self.devices.add(
                VerifyingDevice(
                    key=len(self.twins.queries) * 1_000_000 + len(self.devices),
                    device_id=each,
                    module_id=module,
                    began_at=now,
                    verify_by=now + self._within,
                )
            )

    def round(self, on_query: Any = None) -> dict[str, Verdict]:
        """One round; its verdicts by device. `queries` are those of this round."""
        self.twins.queries.clear()
        found: dict[str, Verdict] = {}
        steps = self.sweep.round()
        page = None
        try:
            while True:
                step = steps.send(page)
                page = None
                if isinstance(step, PageQuery):
                    if on_query is not None:
                        on_query(step.text)
                    page = next(self._queries.run_pages(step.text, step.token))
                    continue
                for each in step:
                    assert each.device.device_id not in found, "decided once"
                    found[each.device.device_id] = each
                    self.devices.remove(each.device)
        except StopIteration:
            return found

    @property
    def queries(self) -> list[str]:
        return self.twins.queries


@pytest.fixture
def world() -> Iterator[World]:
    yield World()


def ids(count: int) -> list[str]:
    return [f"device-{number:05}" for number in range(count)]


def failures(found: dict[str, Verdict]) -> dict[str, VerificationFailure | None]:
    return {name: each.failure for name, each in found.items()}


def test_a_device_is_verified_when_it_reports_so_and_what_it_reports_is_kept(world: World) -> None:
    world.twins.add("a", "b")
    world.operate("a", "b")
    world.twins.report("a", version=2, state="idle", other=1)
    found = world.round()
    assert failures(found) == {"a": None}
    assert found["a"].reported == {"properties.reported.state": "idle", "properties.reported.version": 2}
    assert len(world.queries) == 2 and world.round() == {}


def test_nothing_to_verify_needs_no_query(world: World) -> None:
    assert world.round() == {} and world.queries == []


def test_a_reported_failure_wins_over_what_would_verify_it(world: World) -> None:
    world.operate("a")
    world.twins.report("a", version=2, state="failed")
    assert failures(world.round()) == {"a": FAILED}


def test_a_failure_that_was_reported_before_is_not_this_ones(world: World) -> None:
    world.twins.report("a", state="failed", version=1)
    world.clock.passed_s = 100
    world.operate("a")
    world.twins.report("a", version=1)  # something else was reported since
    assert world.round() == {}
    world.clock.passed_s = 101
    world.twins.report("a", state="failed")
    assert failures(world.round()) == {"a": FAILED}


def test_a_failure_that_stands_from_before_does_not_keep_a_device_from_being_verified(world: World) -> None:
    world.twins.report("a", state="failed")
    world.clock.passed_s = 1
    world.operate("a")
    world.twins.report("a", version=2)
    assert failures(world.round()) == {"a": None}


def test_a_device_fails_only_by_a_look_after_its_time(world: World) -> None:
    world.twins.report("a", version=1)
    world.operate("a")
    world.clock.passed_s = 600
    assert world.round() == {}, "its time is over now, not before"
    world.clock.passed_s = 700
    found = world.round()
    assert failures(found) == {"a": LATE} and found["a"].reported == {"properties.reported.version": 1}
    world.twins.report("b", version=2)
    world.operate("b")
    world.clock.passed_s += 100_000
    assert failures(world.round()) == {"b": None}, "after a night it is looked at first"


def test_a_device_that_reports_while_its_last_look_is_made_is_verified(world: World) -> None:
    world.twins.add("a")
    world.operate("a")
    world.clock.passed_s = 601

    def report(text: str) -> None:
        if "(" not in text:  # what it reports is read
            world.twins.report("a", version=2)

    found = world.round(report)
    assert failures(found) == {"a": None} and len(world.queries) == 4


def test_a_device_that_is_gone_has_no_twin_to_show(world: World) -> None:
    world.operate("a")
    world.clock.passed_s = 601
    found = world.round()
    assert failures(found) == {"a": LATE} and found["a"].reported is None


def test_modules_are_looked_at_by_their_names(world: World) -> None:
    world.twins.add("a", "b", module="m")
    world.twins.add("a", module="n")
    world.operate("a", "b", module="m")
    world.operate("c", module="n")
    world.twins.report("a", version=2)
    world.twins.report("a", "n", version=2)
    assert world.round() == {}, "neither the device's own twin nor that of another module"
    world.twins.report("a", "m", version=2)
    assert failures(world.round()) == {"a": None}
    assert all("FROM devices.modules WHERE moduleId = '" in each for each in world.queries)


def test_the_twins_of_modules_may_verify_their_device() -> None:
    world = World(Verification(condition="FROM devices.modules WHERE properties.reported.version = 2"))
    world.twins.add("a", "b", module="$edgeAgent")
    world.operate("a", "b")
    world.twins.report("a", "$edgeAgent", version=2)
    assert failures(world.round()) == {"a": None}
    assert "moduleId" not in world.queries[0]


class TestManyDevices:
    """More than one query holds."""

    COUNT = 2_500

    @pytest.fixture
    def world(self) -> World:
        world = World(ONLY_VERSION)
        world.twins.add(*ids(self.COUNT))
        world.operate(*ids(self.COUNT))
        world.clock.passed_s = 1
        return world

    def test_one_count_says_that_nobody_is_there_yet(self, world: World) -> None:
        assert world.round() == {} and len(world.queries) == 1 and "COUNT()" in world.queries[0]

    def test_all_are_found_page_by_page_with_one_query_for_some_hundreds(self, world: World) -> None:
        for each in ids(self.COUNT):
            world.twins.report(each, version=2)
        assert set(failures(world.round()).values()) == {None} and len(world.devices) == 0
        assert len(world.queries) < self.COUNT / 100 * 1.6 + 2
        assert max(map(len, world.queries)) <= 8192

    def test_while_the_count_stands_still_they_are_not_looked_at_again(self, world: World) -> None:
        world.twins.report("device-00007", version=2)
        assert list(world.round()) == ["device-00007"]
        assert world.round() == {} and len(world.queries) == 1
        world.twins.report("device-02400", version=2)
        assert list(world.round()) == ["device-02400"]

    def test_those_that_came_since_are_looked_at_even_so(self, world: World) -> None:
        world.twins.report("device-00007", version=2)
        world.round()
        world.clock.passed_s = 5
        world.twins.report("new", version=2)
        world.twins.reported.pop(("device-00007", None))  # so that the count is as before
        world.operate("new")
        assert list(world.round()) == ["new"] and len(world.queries) == 2

    def test_those_whose_time_is_over_are_looked_at_even_so(self, world: World) -> None:
        world.clock.passed_s = 300
        world.operate("late")
        world.clock.passed_s = 601
        found = world.round()
        assert set(failures(found).values()) == {LATE} and len(found) == self.COUNT
        assert len(world.devices) == 1

    def test_the_first_to_be_verified_are_looked_at_first(self, world: World) -> None:
        first = world.devices.page(None, 3)
        assert [each.device_id for each in first] == ids(3)
        deadline: datetime | None = world.devices.first_deadline()
        assert deadline == START + timedelta(seconds=600)
