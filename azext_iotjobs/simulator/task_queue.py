"""What one device wants to do later, soonest first. Pure."""

import heapq
import math
from collections.abc import Callable

from azext_iotjobs.simulator.events import Action, Moment

Task = Callable[[Moment], list[Action]]


class Agenda:
    """A heap of tasks. Of two that are due at the same time the one added first comes first."""

    __slots__ = ("_added", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Task]] = []
        self._added = 0

    @property
    def next_at(self) -> float:
        """When the first one is due, as `Moment.at` has it; inf: never."""
        return self._heap[0][0] if self._heap else math.inf

    def add(self, at: float, task: Task) -> None:
        """Have `task` done at `at`."""
        self._added += 1
        heapq.heappush(self._heap, (at, self._added, task))

    def due(self, now: Moment) -> list[Action]:
        """Do what is due; not what is added meanwhile, so that this ends."""
        ready = []
        while self._heap and self._heap[0][0] <= now.at:
            ready.append(heapq.heappop(self._heap)[2])
        return [action for task in ready for action in task(now)]
