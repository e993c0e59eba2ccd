"""When a hub job is polled again: ever more rarely, as many end within seconds and some take an hour. Pure."""

from azext_iotjobs.model.late_dataclass import dataclass

FIRST_PAUSE_S, PAUSE_GROWTH, LONGEST_PAUSE_S = 0.5, 1.5, 5.0  # between two polls


@dataclass()
class PollSchedule:
    """When something is polled next, in monotonic seconds, and since when it is not what it should be."""

    next_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    odd_since: float | None = None

    def polled(self, now: float) -> None:
        """The next poll is later, and the one after it later still."""
        self.next_at = now + self.pause_s
        self.pause_s = min(LONGEST_PAUSE_S, self.pause_s * PAUSE_GROWTH)

    def odd_for_s(self, now: float) -> float:
        """Seconds since it was first seen to be odd: now, if it was not before."""
        if self.odd_since is None:
            self.odd_since = now
        return now - self.odd_since
