"""What one device has to do later, soonest first. Pure."""

import heapq
import math
from collections.abc import Callable

from azext_iotjobs.simulator.events import Action, Moment

Task = Callable[[Moment], list[Action]]


class TaskQueue:
    """A heap of tasks. Two tasks that are due at the same time run in the order in which they were added."""

    __slots__ = ("_added_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Task]] = []
        self._added_count = 0

    @property
    def next_at(self) -> float:
        """When the first task is due, on the clock of `Moment.at`; inf when there is none."""
        return self._heap[0][0] if self._heap else math.inf

    def add(self, at: float, task: Task) -> None:
        """Run `task` at `at`."""
        self._added_count += 1
        heapq.heappush(self._heap, (at, self._added_count, task))

    def run_due(self, now: Moment) -> list[Action]:
        """Run the tasks that are due now. Those that they add wait for the next call, so that this one ends."""
        ready = []
        while self._heap and self._heap[0][0] <= now.at:
            ready.append(heapq.heappop(self._heap)[2])
        return [action for task in ready for action in task(now)]
