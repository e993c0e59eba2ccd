"""Messages between devices and services: receive as a device, follow what devices send to a local hub."""

from collections.abc import Iterator

from azext_iotjobs.clients.device import DeviceClient
from azext_iotjobs.clients.local_hub import LocalHubClient
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.message import HubEvent, ReceivedMessage, Settlement

LONGEST_WAIT_S = 20  # of one request for events; Ctrl-C works during it


@dataclass(frozen=True)
class Received:
    """A message, and how it was settled; None: it stays locked."""

    message: ReceivedMessage
    settlement: Settlement | None


def receive(device: DeviceClient, lock_s: int, settlement: Settlement | None) -> Received | None:
    """Receive the oldest message that is waiting for a device, and settle it.

    lock_s: for how long the message is locked.  settlement: None: it stays locked.
    Gives None when no message is waiting.
    Raises HubAnswer, LinkError.
    """
    message = device.receive(lock_s)
    if message is None:
        return None
    if settlement is not None:
        device.settle(message.lock_token, settlement)
    return Received(message, settlement)


def follow(
    hub: LocalHubClient, clock: Clock, *, device_id: str | None, count: int | None, silence_s: float | None
) -> Iterator[HubEvent]:
    """The messages that devices have sent and send to a local hub, oldest first.

    device_id: only those of this device.  count: end after so many.  silence_s: end when no message has come for so
    long.  Without count and silence_s it does not end.
    Raises HubAnswer, LinkError.
    """
    after, given, last_event_at = 0, 0, clock.monotonic()
    while True:
        left_s = LONGEST_WAIT_S if silence_s is None else last_event_at + silence_s - clock.monotonic()
        wait_s = max(0, min(LONGEST_WAIT_S, round(left_s + 0.5)))
        events, after = hub.events(device_id, after=after, wait_s=wait_s)
        for event in events:
            yield event
            given, last_event_at = given + 1, clock.monotonic()
            if given == count:
                return
        if silence_s is not None and clock.monotonic() >= last_event_at + silence_s:
            return
