"""Rows of devices that were operated, each once it is decided whether its device is verified; time is not real."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import Forbidden, LinkLost
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.operations.verification.results import ResultVerifier
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import START, ClockDouble
from tests.helpers.reported_twins import ReportedTwins
from tests.helpers.transport_double import response

VERIFICATION = Verification(
    condition="properties.reported.version = 2", failed_condition="properties.reported.state = 'failed'", within_s=600
)


class World:
    """A hub whose devices report when they are told to, and rows of devices that were operated."""

    def __init__(self) -> None:
        self.clock = ClockDouble()
        self.twins = ReportedTwins(self.clock.now)
        self.stop = threading.Event()
        self.said: list[str] = []
        self.seen: list[tuple[int, float]] = []  # how many were being verified, and for how long at most
        self.refuses = False
        self.on_query: Callable[[], object] = lambda: None
        client = HubClient(HubTarget(host="h.example"), self)
        self.verifier = ResultVerifier(client.queries, VERIFICATION, QueryPace(None), self.clock, self.stop, self)

    def send(self, request: Request) -> Response:
        """As a transport's; on the verifier's thread."""
        self.on_query()
        return response({}, status=403) if self.refuses else self.twins.send(request)

    def verifying(self, count: int, left_s: float) -> None:
        """As an observer's."""
        self.seen.append((count, left_s))

    def say(self, text: str) -> None:
        """As an observer's."""
        self.said.append(text)

    def at(self, passed_s: float, happens: Callable[[], object]) -> None:
        """Have something happen at the first query after a time."""

        def look() -> None:
            if self.clock.passed_s >= passed_s:
                self.on_query = lambda: None
                happens()

        self.on_query = look

    def rows(self, *operated: DeviceResult) -> dict[str, DeviceResult]:
        found = list(self.verifier.rows(operated))
        assert len({each.device_id for each in found}) == len(found)
        return {each.device_id: each for each in found}


@pytest.fixture
def world() -> World:
    return World()


def operated(device: str, **more: Any) -> DeviceResult:
    given: dict[str, Any] = {
        "module_id": None,
        "status": "completed",
        "error_class": None,
        "error_code": None,
        "error_text": None,
        "method_status": 202,
        "payload": {"accepted": device},
        "started_at": START,
        "finished_at": START + timedelta(seconds=1),
        **more,
    }
    return DeviceResult(device_id=device, **given)


def offline(device: str) -> DeviceResult:
    more = {"method_status": None, "payload": None, "error_code": "DeviceNotOnline"}
    return operated(device, status="failed", error_class=ErrorClass.OFFLINE, **more)


def test_a_row_has_what_its_device_answered_and_what_it_reported(world: World) -> None:
    world.twins.report("a", version=2)
    world.at(30, lambda: world.twins.report("b", version=2))
    found = world.rows(operated("a"), operated("b"))
    assert list(found) == ["a", "b"]
    row = found["b"]
    assert (row.status, row.error_class, row.method_status, row.payload) == ("completed", None, 202, {"accepted": "b"})
    assert row.reported == {"properties.reported.version": 2} and row.finished_at == START + timedelta(seconds=1)
    assert row.verified_at is not None and row.verified_at >= START + timedelta(seconds=30)
    assert list(world.verifier.left()) == [] and world.verifier.trouble is None


def test_a_device_that_was_not_operated_has_its_row_at_once_and_is_never_looked_for(world: World) -> None:
    world.twins.report("b", version=2)
    rows = world.verifier.rows([offline("b"), operated("c", status="scheduled", method_status=None)])
    assert [(each.device_id, each.error_class, each.verified_at) for each in rows] == [
        ("b", ErrorClass.OFFLINE, None),
        ("c", None, None),
    ]
    assert world.twins.queries == []


def test_a_device_that_reports_a_failure_or_nothing_in_time_has_failed_and_keeps_its_answer(world: World) -> None:
    world.twins.report("silent", version=1)
    world.at(10, lambda: world.twins.report("failing", state="failed"))
    found = world.rows(operated("failing"), operated("silent"))
    assert list(found) == ["failing", "silent"]
    for name, code in (("failing", "ReportedFailure"), ("silent", "NotInTime")):
        row = found[name]
        assert (row.status, row.error_class, row.error_code) == ("failed", ErrorClass.NOT_VERIFIED, code)
        assert (row.method_status, row.payload, row.verified_at) == (202, {"accepted": name}, None)
    assert found["silent"].reported == {"properties.reported.version": 1}
    assert world.clock.passed_s >= 600, "nothing is concluded before the deadline"
    assert "failed" in (found["failing"].error_text or "")


def test_a_failure_from_before_the_device_was_operated_does_not_count(world: World) -> None:
    world.twins.report("a", state="failed")
    world.at(20, lambda: world.twins.report("a", version=2))
    found = world.rows(operated("a", started_at=START + timedelta(seconds=5)))
    assert found["a"].error_class is None and found["a"].verified_at is not None


def test_devices_are_verified_while_others_are_still_operated(world: World) -> None:
    world.twins.report("a", version=2)

    def ever_more() -> Iterator[DeviceResult]:
        yield operated("a")
        for number in range(50):
            world.clock.passed_s += 1
            yield offline(f"other-{number}")

    names = [each.device_id for each in world.verifier.rows(ever_more())]
    assert "a" in names[:-1] and len(names) == 51


def test_a_stop_leaves_the_undecided_as_being_verified(world: World) -> None:
    world.twins.report("a", version=2)
    world.at(5, world.stop.set)
    found = world.rows(operated("a"), operated("b"), operated("c"))
    assert list(found) == ["a"]
    left = list(world.verifier.left())
    assert [(each.device_id, each.status, each.error_class, each.method_status) for each in left] == [
        ("b", "verifying", None, 202),
        ("c", "verifying", None, 202),
    ]
    assert world.clock.passed_s < 60


def test_what_was_operated_after_a_stop_is_not_forgotten(world: World) -> None:
    def stopped() -> Iterator[DeviceResult]:
        yield operated("a")
        world.stop.set()
        yield operated("b")
        yield offline("c")

    assert [each.device_id for each in world.verifier.rows(stopped())] == ["c"]
    assert [each.device_id for each in world.verifier.left()] == ["a", "b"]


def test_a_hub_that_refuses_the_queries_ends_it_and_nobody_has_failed_for_that(world: World) -> None:
    world.refuses = True
    assert world.rows(operated("a"), offline("b")) == {"b": offline("b")}
    assert isinstance(world.verifier.trouble, Forbidden)
    assert [(each.device_id, each.status) for each in world.verifier.left()] == [("a", "verifying")]


def test_trouble_of_who_operates_is_passed_on_and_what_was_operated_is_left(world: World) -> None:
    def broken() -> Iterator[DeviceResult]:
        yield operated("a")
        raise LinkLost("gone")

    with pytest.raises(LinkLost):
        list(world.verifier.rows(broken()))
    assert [each.device_id for each in world.verifier.left()] == ["a"]


def test_who_watches_hears_how_many_are_left_and_for_how_long(world: World) -> None:
    world.rows(operated("a"), operated("b"))
    assert [count for count, _ in world.seen[:2]] == [1, 2] and {count for count, _ in world.seen[1:]} == {2}
    left = [left_s for _, left_s in world.seen]
    assert left == sorted(left, reverse=True) and left[0] == 600 and left[-1] == 0


def test_modules_are_looked_at_as_modules(world: World) -> None:
    world.twins.report("a", "filter", version=2)
    world.twins.report("a", version=1)
    found = world.rows(operated("a", module_id="filter"))
    assert found["a"].verified_at is not None and found["a"].module_id == "filter"
    assert all("devices.modules" in each for each in world.twins.queries)
