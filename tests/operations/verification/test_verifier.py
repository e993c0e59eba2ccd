"""How a verifier goes about its queries: at a pace, beside other work, waiting out trouble."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import CannotConnect, Forbidden, HubFault, IotJobsError
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.verification import Verdict, Verification, VerifyingDevice
from azext_iotjobs.operations.verification.device_list import DeviceList
from azext_iotjobs.operations.verification.verifier import LONGEST_PAUSE_S, Verifier
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import START, ClockDouble
from tests.helpers.reported_twins import ReportedTwins
from tests.helpers.transport_double import response

VERIFICATION = Verification(condition="properties.reported.version = 2", within_s=600)


class World:
    """A hub, a clock, a verifier of some devices."""

    def __init__(self, a_minute: int | None = None) -> None:
        self.clock = ClockDouble()
        self.twins = ReportedTwins(self.clock.now)
        self.devices = DeviceList()
        self.said: list[str] = []
        self.made_at: list[float] = []
        self.trouble: list[Response | IotJobsError] = []
        self.holds: threading.Event | None = None
        self.on_query: Any = lambda: None
        client = HubClient(HubTarget(host="h.example"), self)
        pace = QueryPace(a_minute)
        self.verifier = Verifier(client.queries, VERIFICATION, self.devices, pace, self.clock, self.said.append)

    def send(self, request: Request) -> Response:
        """As a transport's; on the verifier's thread."""
        if self.holds is not None:
            assert self.holds.wait(30)
        self.made_at.append(self.clock.monotonic())
        self.on_query()
        if self.trouble:
            trouble = self.trouble.pop(0)
            if isinstance(trouble, IotJobsError):
                raise trouble
            return trouble
        return self.twins.send(request)

    def operate(self, *devices: str) -> None:
        now = self.clock.now()
        for each in devices:
            deadline = now + timedelta(seconds=600)
            device = VerifyingDevice(
                key=len(self.devices), device_id=each, module_id=None, began_at=now, verify_by=deadline
            )
            self.devices.add(device)

    def until_s(self, end_s: float) -> list[Verdict]:
        """Turns until an instant."""
        found: list[Verdict] = []
        while self.clock.monotonic() < end_s and self.verifier.trouble is None:
            decided = self.verifier.turn()
            found += decided
            for each in decided:
                self.devices.remove(each.device)
            if not decided:
                self.verifier.nap()
        return found


@pytest.fixture
def world() -> World:
    return World()


def test_nobody_to_verify_makes_no_query_and_no_haste(world: World) -> None:
    assert world.until_s(60) == [] and world.made_at == [] and len(world.clock.slept) < 300


def test_the_first_look_comes_soon_and_later_ones_ever_more_rarely(world: World) -> None:
    world.until_s(10)
    world.operate("a")
    world.until_s(200)
    gaps = [two - one for one, two in zip(world.made_at, world.made_at[1:], strict=False)]
    assert world.made_at[0] < 11 and gaps == sorted(gaps) and gaps[0] < 3
    assert LONGEST_PAUSE_S <= gaps[-1] < LONGEST_PAUSE_S + 1


def test_what_is_decided_brings_the_next_look_nearer(world: World) -> None:
    world.operate("a", "b")
    world.until_s(100)
    world.twins.report("a", version=2)
    (verdict,) = world.until_s(120)
    decided_s = (verdict.at - START).total_seconds()
    assert any(decided_s < each < decided_s + 3 for each in world.made_at)


def test_a_look_is_made_when_the_time_is_over_and_decides(world: World) -> None:
    world.operate("a")
    world.until_s(599)
    assert len(world.devices) == 1
    assert [each.failure is not None for each in world.until_s(605)] == [True]


@pytest.mark.parametrize("row", ["no twin", None, 7, ["a"]])
def test_a_row_that_is_no_object_ends_the_verification_with_an_error_that_says_so(world: World, row: Any) -> None:
    world.operate("a")
    world.trouble.append(response([row]))
    assert world.until_s(60) == [] and isinstance(world.verifier.trouble, HubFault)
    assert "JSON object" in str(world.verifier.trouble) and world.verifier.turn() == []


def test_in_no_minute_are_there_more_queries_than_the_pace_allows() -> None:
    world = World(a_minute=6)
    names = [f"device-{number:05}" for number in range(3_000)]
    world.operate(*names)
    for each in names[:1_000]:
        world.twins.report(each, version=2)
    found = world.until_s(590)
    assert len(found) == 1_000
    for number, at in enumerate(world.made_at):
        assert sum(1 for each in world.made_at[number:] if each < at + 60) <= 6


def test_a_small_number_of_devices_is_looked_at_evenly() -> None:
    world = World(a_minute=6)
    world.operate("a")
    world.until_s(300)
    gaps = [two - one for one, two in zip(world.made_at, world.made_at[1:], strict=False)]
    assert 10 <= min(gaps) and max(gaps) <= LONGEST_PAUSE_S + 1, "not six at once, and then none for a minute"


def test_a_turn_does_not_wait_for_a_hub_that_is_slow(world: World) -> None:
    world.holds = threading.Event()
    world.operate("a")
    world.twins.report("a", version=2)
    for _ in range(20):
        assert world.verifier.turn() == []
    assert world.made_at == []
    world.holds.set()
    assert [each.device.device_id for each in world.until_s(5)] == ["a"]


def test_trouble_that_passes_is_waited_out_and_said(world: World) -> None:
    world.trouble = [response({}, status=429), CannotConnect("gone"), response({}, status=503)]
    world.operate("a")
    world.twins.report("a", version=2)
    assert len(world.until_s(30)) == 1 and len(world.said) == 3
    assert "gone The next try is in 2 s." in world.said[1]


@pytest.mark.parametrize(("trouble", "kind"), [(403, Forbidden), (503, HubFault)])
def test_trouble_that_does_not_pass_ends_it_and_decides_nothing(
    world: World, trouble: int, kind: type[IotJobsError]
) -> None:
    world.trouble = [response({}, status=trouble)] * 20
    world.operate("a")
    assert world.until_s(10_000) == [] and isinstance(world.verifier.trouble, kind)
    assert len(world.devices) == 1 and world.verifier.turn() == []
