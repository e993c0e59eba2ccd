"""Receiving as a device, and following what devices send to a local hub."""

import base64
from typing import Any

import pytest

from azext_iotjobs.clients.local_hub import LocalHubClient
from azext_iotjobs.operations.message.device_messages import follow
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import ClockDouble
from tests.helpers.transport_double import TransportDouble, response


class Hub:
    """Gives out events by their numbers; an empty answer takes as long as was asked for."""

    def __init__(self, clock: ClockDouble, *devices: str) -> None:
        self._clock = clock
        self.events: list[dict[str, Any]] = [
            {"number": number, "deviceId": device, "body": base64.b64encode(b"x").decode()}
            for number, device in enumerate(devices, start=1)
        ]
        self.waits: list[str] = []

    def __call__(self, request: Request) -> Response:
        wanted = request.query.get("device")
        later = [event for event in self.events if event["number"] > int(request.query["after"])]
        found = [event for event in later if wanted in (None, event["deviceId"])][:2]
        if not found:
            self.waits.append(request.query["wait"])
            self._clock.passed_s += float(request.query["wait"])
        return response({"events": found, "nextAfter": found[-1]["number"] if found else len(self.events)})


def numbers(
    clock: ClockDouble,
    hub: Hub,
    *,
    device_id: str | None = None,
    count: int | None = None,
    silence_s: float | None = None,
) -> list[int]:
    client = LocalHubClient(TransportDouble(hub))
    events = follow(client, clock, device_id=device_id, count=count, silence_s=silence_s)
    return [event.number for event in events]


@pytest.fixture
def clock() -> ClockDouble:
    return ClockDouble()


def test_it_follows_all_pages_until_no_event_comes(clock: ClockDouble) -> None:
    hub = Hub(clock, "a", "b", "a", "b", "a")
    assert numbers(clock, hub, silence_s=5.0) == [1, 2, 3, 4, 5]
    assert clock.monotonic() >= 5


def test_it_ends_after_the_number_of_events_of_one_device(clock: ClockDouble) -> None:
    assert numbers(clock, Hub(clock, "a", "b", "a", "b", "a"), device_id="a", count=2) == [1, 3]
    assert clock.monotonic() == 0


def test_events_of_other_devices_do_not_break_a_silence(clock: ClockDouble) -> None:
    hub = Hub(clock, "b", "b")
    assert numbers(clock, hub, device_id="a", silence_s=1.0) == []


def test_no_request_waits_longer_than_ctrl_c_should(clock: ClockDouble) -> None:
    hub = Hub(clock)
    assert numbers(clock, hub, silence_s=70.0) == []
    assert max(int(wait) for wait in hub.waits) <= 20
