"""What the parts of one device's mind share: who it is, its chance, its connection, what it wants later."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from azext_iotjobs.simulator.events import Moment, Who
from azext_iotjobs.simulator.expressions import Scope
from azext_iotjobs.simulator.rng import Dice
from azext_iotjobs.simulator.task_queue import Agenda


class State(Enum):
    """Where a device's connection stands."""

    OFFLINE = "offline"
    LISTENING = "listening"  # connected; its subscriptions are not yet acknowledged
    READY = "ready"


class Core:
    """One device's; `dice` is never thrown itself, only forked: see `Dice.fork`."""

    __slots__ = ("agenda", "connection", "dice", "state", "who")

    def __init__(self, who: Who, dice: Dice) -> None:
        self.who = who
        self.dice = dice
        self.agenda = Agenda()
        self.state = State.OFFLINE
        self.connection = 0  # which one it is, counted

    @property
    def is_ready(self) -> bool:
        """Whether it may send and report."""
        return self.state is State.READY

    def gone(self) -> None:
        """The connection is gone, or given up."""
        self.state = State.OFFLINE
        self.connection += 1

    def scope(self, now: Moment, dice: Dice, names: Mapping[str, Any]) -> Scope:
        """What a template is filled with now."""
        return Scope(self.who, now.wall, dice, names)
