"""What the devices of a simulation share: the connections, the clock, the line of those that want to connect."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import LinkError
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.simulator.events import Moment, Seen
from azext_iotjobs.simulator.rng import Dice
from azext_iotjobs.transport import retry
from azext_iotjobs.transport.mqtt_events import DeviceLinks
from azext_iotjobs.transport.pacing import Pacer

Reporter = Callable[[str, Seen], None]  # device id, what there is to tell


class Guest(Protocol):
    """Who may stand in the line."""

    is_in_line: bool  # False: it has left
    is_over: bool

    @property
    def device_id(self) -> str:
        """Its name."""

    def connect(self, now: float) -> None:
        """Its turn has come, unless it left the line."""


class Line:
    """Who wants to connect, in the order in which they came."""

    def __init__(self, pacer: Pacer) -> None:
        self.pacer = pacer
        self._devices: deque[Guest] = deque()

    def join(self, device: Guest) -> None:
        self._devices.append(device)

    def next_at(self, now: float) -> float:
        """When somebody may be let in; inf: not before something else happens."""
        return self.pacer.next_at(now) if self._devices else math.inf

    def let_in(self, now: float) -> list[Guest]:
        """Connect those whose turn it is."""
        begun = []
        while self._devices and (not self._devices[0].is_in_line or self.pacer.next_at(now) <= now):
            device = self._devices.popleft()
            device.connect(now)
            begun.append(device)
        return begun


@dataclass(kw_only=True)
class Around:
    """What every device of a simulation shares."""

    links: DeviceLinks
    target: HubTarget
    reporter: Reporter
    clock: Clock
    seed: str
    line: Line
    dice: Dice  # of the connections' times, which no seed can make the same: the hub has a part in them
    is_fleet: bool
    was_reached: bool = False  # the hub, by any device
    failed_count: int = 0  # connections that did not come about, before the hub was ever reached
    failing_since: float = math.inf  # monotonic
    unreached: LinkError | None = None  # why it never was; no device tries any more
    arrived_at: float = 0.0  # when the connections were last read, monotonic

    def is_unreachable(self, tries: int) -> bool:
        """Count a connection that did not come about; whether to give the hub up.

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
