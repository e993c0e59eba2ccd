"""Simulate a device over HTTPS: it sends messages and polls for those sent to it, and does nothing else.

One loop on one thread; a stop is noticed between two requests.
"""

import uuid
from collections.abc import Callable

from azext_iotjobs.clients.device import DeviceClient
from azext_iotjobs.model.clock import Clock, StopFlag
from azext_iotjobs.model.errors import Conflict
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.message import DeviceMessage, ReceivedMessage, Settlement
from azext_iotjobs.simulator import telemetry
from azext_iotjobs.simulator.telemetry import TelemetryPlan

POLL_INTERVAL_S = 3.0  # between two requests for messages
LOCK_S = 60
LONGEST_SLEEP_S = 0.5  # a stop is noticed within this time

Observer = Callable[["HttpActivity"], None]


@dataclass(frozen=True, kw_only=True)
class HttpActivity:
    """A message that the device has sent, or one that it has received; the other is None."""

    sent_number: int | None = None
    received: ReceivedMessage | None = None
    settlement: Settlement | None = None  # of the received message; None: its lock had expired


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The result of a simulation."""

    sent_count: int
    received_count: int
    was_stopped: bool


def run(
    device: DeviceClient, plan: TelemetryPlan, settlement: Settlement, observer: Observer, clock: Clock, stop: StopFlag
) -> Summary:
    """Send the plan's messages, and settle those that are received meanwhile.

    observer: called, on this thread, after each message.
    Raises HubAnswer and LinkError of the first request that fails for good.
    """
    started_at = clock.monotonic()
    sent = received = 0
    poll_at = started_at
    while not stop.is_set():
        now = clock.monotonic()
        if sent < plan.count and plan.due_at(sent + 1, started_at) <= now:
            sent += 1
            body = telemetry.body(plan, sent, str(uuid.uuid4()), clock.now())
            device.send(DeviceMessage(body=body, properties=plan.properties))
            # Late messages are not sent in a burst: the rest of the plan moves.
            started_at += max(0.0, clock.monotonic() - plan.due_at(sent + 1, started_at))
            observer(HttpActivity(sent_number=sent))
        elif poll_at <= now:
            message = device.receive(LOCK_S)
            if message is not None:
                received += 1
                observer(_settle(device, message, settlement))
            # More may be waiting behind a message; but one that was abandoned would be received again at once.
            if message is None or settlement is Settlement.ABANDON:
                poll_at = now + POLL_INTERVAL_S
        elif sent == plan.count and plan.ends_at(started_at) <= now:
            break
        else:
            next_at = plan.due_at(sent + 1, started_at) if sent < plan.count else plan.ends_at(started_at)
            clock.sleep(min(LONGEST_SLEEP_S, max(0.0, min(next_at, poll_at) - now)))
    return Summary(sent_count=sent, received_count=received, was_stopped=stop.is_set())


def _settle(device: DeviceClient, message: ReceivedMessage, settlement: Settlement) -> HttpActivity:
    try:
        device.settle(message.lock_token, settlement)
    except Conflict:  # its lock has expired, or somebody has purged the queue
        return HttpActivity(received=message)
    return HttpActivity(received=message, settlement=settlement)
