"""A clock moved by hand, or by whoever sleeps on it."""

from datetime import datetime, timedelta, timezone

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


class ClockDouble:
    """Starts at START and at 0.0 monotonic seconds; both move together unless `set_s` is changed.

    `slept` is what was slept, in order.
    """

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.set_s = 0.0  # by how much somebody has set the clock on the wall: less than 0 is back
        self.slept: list[float] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s + self.set_s)

    def monotonic(self) -> float:
        return self.passed_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed_s += seconds
