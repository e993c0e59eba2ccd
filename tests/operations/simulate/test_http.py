"""A device over HTTPS: what is due happens on time, what waits is settled, and what fails is told."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from azext_iotjobs.clients.device import DeviceClient
from azext_iotjobs.model.errors import Unauthorized
from azext_iotjobs.model.message import Settlement
from azext_iotjobs.operations.simulate.http import HttpActivity, Summary, run
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import ClockDouble
from tests.helpers.transport_double import TransportDouble, response


@dataclass
class Hub:
    """Takes every message and has some for the device."""

    clock: ClockDouble
    queue: list[str] = field(default_factory=list)
    happened: list[tuple[float, str]] = field(default_factory=list)
    slow_s: float = 0.0  # of each message sent
    lock_is_lost: bool = False

    def __call__(self, request: Request) -> Response:
        verb = f"{request.method} {request.path.removeprefix('/devices/d/messages/')}"
        self.happened.append((self.clock.monotonic(), verb))
        if request.method == "GET":
            headers = {"ETag": f'"{self.queue[0]}"'} if self.queue else {}
            return Response(status=200 if self.queue else 204, headers=headers, body=b"")
        if verb == "POST events":
            self.clock.passed_s += self.slow_s
        elif self.lock_is_lost:
            self.queue.pop(0)
            return response(status=412)
        elif request.method == "DELETE":
            self.queue.pop(0)
        return response(status=204)

    def times(self, verb: str) -> list[float]:
        return [at for at, what in self.happened if what == verb]


class Stop:
    """Says stop once the clock is there."""

    def __init__(self, clock: ClockDouble, at: float) -> None:
        self._clock = clock
        self._at = at

    def is_set(self) -> bool:
        return self._clock.monotonic() >= self._at


def simulate(
    hub: Callable[[Request], Response],
    clock: ClockDouble,
    *,
    settlement: Settlement = Settlement.COMPLETE,
    stop_at: float = 1e9,
    count: int = 3,
) -> tuple[Summary, list[HttpActivity]]:
    activity: list[HttpActivity] = []
    device = DeviceClient(TransportDouble(hub), "d")
    plan = TelemetryPlan(text="t", count=count, interval_s=2)
    return run(device, plan, settlement, activity.append, clock, Stop(clock, stop_at)), activity


def test_messages_are_sent_at_their_times_and_it_ends_an_interval_later() -> None:
    clock = ClockDouble()
    hub = Hub(clock)
    summary, activity = simulate(hub, clock)
    assert summary == Summary(sent_count=3, received_count=0, was_stopped=False)
    assert hub.times("POST events") == pytest.approx([0, 2, 4]) and clock.monotonic() == pytest.approx(6)
    assert [each.sent_number for each in activity] == [1, 2, 3]
    assert hub.times("GET deviceBound") == pytest.approx([0, 3, 6], abs=0.51)


def test_all_waiting_messages_are_settled_without_a_pause_between() -> None:
    clock = ClockDouble()
    hub = Hub(clock, queue=["a", "b"])
    summary, activity = simulate(hub, clock, settlement=Settlement.REJECT)
    assert summary.received_count == 2 and hub.queue == []
    assert hub.times("GET deviceBound")[:3] == [0, 0, 0]
    assert [each.settlement for each in activity if each.received] == [Settlement.REJECT] * 2


def test_an_abandoned_message_is_not_received_again_at_once() -> None:
    clock = ClockDouble()
    hub = Hub(clock, queue=["a"])
    simulate(hub, clock, settlement=Settlement.ABANDON)
    assert hub.times("GET deviceBound") == pytest.approx([0, 3, 6], abs=0.51)


def test_a_lost_lock_is_reported_and_the_simulation_continues() -> None:
    clock = ClockDouble()
    summary, activity = simulate(Hub(clock, queue=["a"], lock_is_lost=True), clock)
    assert [each.settlement for each in activity if each.received] == [None]
    assert summary.sent_count == 3


def test_late_messages_are_not_sent_in_a_burst() -> None:
    clock = ClockDouble()
    hub = Hub(clock, slow_s=5)
    simulate(hub, clock)
    gaps = [
        later - earlier for earlier, later in zip(hub.times("POST events"), hub.times("POST events")[1:], strict=False)
    ]
    assert min(gaps) >= 5


def test_a_stop_is_noticed_soon() -> None:
    clock = ClockDouble()
    summary, _ = simulate(Hub(clock), clock, stop_at=2.3, count=100)
    assert summary.was_stopped and clock.monotonic() < 3


def test_a_refusal_ends_it() -> None:
    clock = ClockDouble()
    with pytest.raises(Unauthorized):
        simulate(lambda _request: response(status=401), clock)
