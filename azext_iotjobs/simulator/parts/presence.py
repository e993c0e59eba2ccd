"""Whether a device wants to be connected: its presence, and what it is told, such as a reboot. Pure."""

from datetime import datetime, timedelta, timezone

from azext_iotjobs.simulator.behaviour import Flapping, Presence, Span, Windows
from azext_iotjobs.simulator.events import Action, Come, Leave, Moment, Seen, What
from azext_iotjobs.simulator.parts.context import Core
from azext_iotjobs.simulator.rng import salt

OFFLINE_SALT, FLAPPING_SALT, SPREAD_SALT = salt("offline"), salt("flapping"), salt("spread")
AHEAD_DAYS = 8  # that are looked at: a week has every weekday
SOON_S = 1.0  # a window is looked at again: wall clocks are set, and the agenda's clock does not follow


class Stay:
    """One device's."""

    __slots__ = ("_back_at", "_core", "_flaps", "_is_flapped_off", "_is_outside", "_presence", "is_wanted")

    def __init__(self, presence: Presence, core: Core) -> None:
        self._presence = presence
        self._core = core
        self._flaps = 0
        self._is_flapped_off = False
        self._is_outside = False  # of its windows
        self._back_at = 0.0  # from a reboot
        self.is_wanted = True  # a connection

    def started(self, now: Moment) -> list[Action]:
        """The simulation begins."""
        self.is_wanted = False
        if self._core.dice.fork(OFFLINE_SALT).throw() < self._presence.offline_share:
            return [Seen(what=What.ABSENT)]
        actions: list[Action] = []
        if self._presence.flapping is not None:
            self._begin_flapping(self._presence.flapping, now)
        if self._presence.windows is not None:
            actions = self._look_at_windows(self._presence.windows, now)
        return actions + self._changed(now)

    def leave_for(self, seconds: float, now: Moment) -> list[Action]:
        """Be away for so long, or longer if it is away for longer already."""
        self._back_at = max(self._back_at, now.at + seconds)
        self._core.agenda.add(self._back_at, self._changed)
        return self._changed(now)

    def _changed(self, now: Moment) -> list[Action]:
        wish = not self._is_flapped_off and not self._is_outside and now.at >= self._back_at
        if wish == self.is_wanted:
            return []
        self.is_wanted = wish
        if wish:
            return [Come()]
        self._core.gone()  # at once: what else is due now must not be sent
        return [Leave()]

    def _begin_flapping(self, flapping: Flapping, now: Moment) -> None:
        """In the middle of things: as if it had been so for long."""
        share_off = flapping.off_s / (flapping.on_s + flapping.off_s)
        self._is_flapped_off = self._core.dice.fork(FLAPPING_SALT, 0).throw() < share_off
        self._plan_flap(flapping, now)

    def _plan_flap(self, flapping: Flapping, now: Moment) -> None:
        self._flaps += 1
        mean = flapping.off_s if self._is_flapped_off else flapping.on_s
        # It has no memory: what is left of a stretch is as long as a whole one.
        length_s = self._core.dice.fork(FLAPPING_SALT, self._flaps).exponential(mean)
        self._core.agenda.add(now.at + length_s, lambda then: self._flap(flapping, then))

    def _flap(self, flapping: Flapping, now: Moment) -> list[Action]:
        self._is_flapped_off = not self._is_flapped_off
        self._plan_flap(flapping, now)
        return self._changed(now)

    def _look_at_windows(self, windows: Windows, now: Moment) -> list[Action]:
        late = timedelta(seconds=windows.spread_s * self._core.dice.fork(SPREAD_SALT).throw())
        is_open, change = window_at(windows, now.wall - late)
        self._is_outside = not is_open
        if change is not None:
            pause_s = max((change + late - now.wall).total_seconds(), SOON_S)
            self._core.agenda.add(now.at + pause_s, lambda then: self._look_at_windows(windows, then))
        return self._changed(now)


def window_at(windows: Windows, at: datetime) -> tuple[bool, datetime | None]:
    """Whether a window is open at an aware instant, and when that changes next; None: never.

    A wall time that a change to summer time skips is read with the offset before it; one that comes twice is the first.
    """
    local = at.astimezone(windows.zone)
    openings = []
    for day in range(-1, AHEAD_DAYS + 2):  # the day before may reach over midnight
        date = (local + timedelta(days=day)).date()
        if date.weekday() in windows.weekdays:
            openings += [_instants(span, datetime.combine(date, span.begin, windows.zone)) for span in windows.spans]
    is_open = any(begin <= at < end for begin, end in openings)
    ahead = at + timedelta(days=AHEAD_DAYS)
    edges = sorted({edge for both in openings for edge in both if at < edge <= ahead})
    for edge in edges:
        if any(begin <= edge < end for begin, end in openings) != is_open:
            return is_open, edge
    return is_open, None


def _instants(span: Span, begin: datetime) -> tuple[datetime, datetime]:
    """When a span begins and ends that begins on the day of `begin`, in UTC: there differences are true."""
    days = 0 if span.end > span.begin else 1
    end = datetime.combine(begin.date() + timedelta(days=days), span.end, begin.tzinfo)
    return begin.astimezone(timezone.utc), end.astimezone(timezone.utc)
