"""What the parts of one device's session share: the device, its random numbers, its connection, its later tasks."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from azext_iotjobs.simulator.events import DeviceInfo, Moment
from azext_iotjobs.simulator.expressions import Scope
from azext_iotjobs.simulator.rng import Rng
from azext_iotjobs.simulator.task_queue import TaskQueue


class ConnectionState(Enum):
    """The state of a device's connection."""

    OFFLINE = "offline"
    LISTENING = "listening"  # connected; its subscriptions are not yet acknowledged
    READY = "ready"


class SessionContext:
    """The shared state of one device. No number is ever drawn from `rng` itself, it is only forked: see `Rng.fork`."""

    __slots__ = ("connection", "device", "rng", "state", "tasks")

    def __init__(self, device: DeviceInfo, rng: Rng) -> None:
        self.device = device
        self.rng = rng
        self.tasks = TaskQueue()
        self.state = ConnectionState.OFFLINE
        self.connection = 0  # the number of the current connection

    @property
    def is_ready(self) -> bool:
        """Whether the device may send and report."""
        return self.state is ConnectionState.READY

    def disconnected(self) -> None:
        """The connection has ended, or is given up."""
        self.state = ConnectionState.OFFLINE
        self.connection += 1

    def scope(self, now: Moment, rng: Rng, names: Mapping[str, Any]) -> Scope:
        """The values that a template may use now.

        rng: the stream for its random values.  names: further values, by name.
        """
        return Scope(self.device, now.wall, rng, names)
