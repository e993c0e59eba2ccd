"""What the devices of a simulation share: the links, the clock, the queue of devices that want to connect."""

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import LinkError
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.simulator.events import Activity, Moment
from azext_iotjobs.simulator.rng import Rng
from azext_iotjobs.transport import retry
from azext_iotjobs.transport.connect_pacing import Pacer
from azext_iotjobs.transport.mqtt_events import DeviceLinks

Observer = Callable[[str, Activity], None]  # called with a device's id and what it received or did


class QueuedDevice(Protocol):
    """A device that can wait in the queue."""

    is_queued: bool  # False: it no longer wants to connect
    is_over: bool

    @property
    def device_id(self) -> str:
        """Its id."""

    def connect(self, now: float) -> None:
        """Connect, unless it no longer wants to."""


class ConnectQueue:
    """The devices that want to connect, first come, first served."""

    def __init__(self, pacer: Pacer) -> None:
        self.pacer = pacer
        self._devices: deque[QueuedDevice] = deque()

    def add(self, device: QueuedDevice) -> None:
        self._devices.append(device)

    def next_at(self, now: float) -> float:
        """When the next device may connect; inf: not before something else happens."""
        return self.pacer.next_at(now) if self._devices else math.inf

    def connect_due(self, now: float) -> list[QueuedDevice]:
        """Connect the devices that may connect now, and give them."""
        begun = []
        while self._devices and (not self._devices[0].is_queued or self.pacer.next_at(now) <= now):
            device = self._devices.popleft()
            device.connect(now)
            begun.append(device)
        return begun


@dataclass(kw_only=True)
class SimulationContext:
    """What all devices of a simulation share."""

    links: DeviceLinks
    target: HubTarget
    observer: Observer
    clock: Clock
    seed: str
    queue: ConnectQueue
    rng: Rng  # of the times of connections, which no seed makes repeatable: they depend on the hub, too
    has_many: bool  # more than one device
    was_reached: bool = False  # the hub, by any device
    failed_count: int = 0  # connections that failed before the hub was ever reached
    failing_since: float = math.inf  # monotonic
    unreached: LinkError | None = None  # why the hub was never reached; no device tries any longer
    arrived_at: float = 0.0  # when the links were last read, monotonic

    def is_unreachable(self, tries: int) -> bool:
        """Count a connection that failed; whether to give up the hub.

        tries: of that device, this one included.
        """
        if self.was_reached:
            return False
        now = self.clock.monotonic()
        self.failed_count += 1
        self.failing_since = min(self.failing_since, now)
        failing_s = now - self.failing_since
        return retry.is_unreachable(own_tries=tries, all_tries=self.failed_count, failing_s=failing_s)

    def moment(self) -> Moment:
        """Now."""
        return Moment(self.clock.monotonic(), self.clock.now())
