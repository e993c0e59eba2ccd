"""Whether a device wants to be connected: by its presence rule, and by steps that take it off line. Pure."""

from datetime import datetime, timedelta, timezone

from azext_iotjobs.simulator.behaviour import Flapping, PresenceRule, Span, Windows
from azext_iotjobs.simulator.events import Action, Activity, ActivityKind, Connect, Disconnect, Moment
from azext_iotjobs.simulator.parts.context import SessionContext
from azext_iotjobs.simulator.rng import stream_key

OFFLINE_STREAM, FLAPPING_STREAM, SPREAD_STREAM = stream_key("offline"), stream_key("flapping"), stream_key("spread")
AHEAD_DAYS = 8  # that are searched for the next change: a week has every weekday
RECHECK_S = 1.0  # at least, until windows are checked again: wall clocks are set, and the tasks' clock does not follow


class Presence:
    """Whether one device is to be connected now, and when that changes."""

    __slots__ = ("_back_at", "_context", "_flap_count", "_is_flapped_off", "_is_outside", "_rule", "is_wanted")

    def __init__(self, rule: PresenceRule, context: SessionContext) -> None:
        self._rule = rule
        self._context = context
        self._flap_count = 0
        self._is_flapped_off = False
        self._is_outside = False  # of its windows
        self._back_at = 0.0  # when steps such as a reboot let it connect again
        self.is_wanted = True  # whether it is to be connected

    def on_started(self, now: Moment) -> list[Action]:
        """The simulation begins."""
        self.is_wanted = False
        if self._context.rng.fork(OFFLINE_STREAM).random() < self._rule.offline_share:
            return [Activity(kind=ActivityKind.ABSENT)]
        actions: list[Action] = []
        if self._rule.flapping is not None:
            self._start_flapping(self._rule.flapping, now)
        if self._rule.windows is not None:
            actions = self._check_windows(self._rule.windows, now)
        return actions + self._update(now)

    def go_offline_for(self, seconds: float, now: Moment) -> list[Action]:
        """Stay off line for so long, or longer if an earlier step asked for more."""
        self._back_at = max(self._back_at, now.at + seconds)
        self._context.tasks.add(self._back_at, self._update)
        return self._update(now)

    def _update(self, now: Moment) -> list[Action]:
        is_wanted = not self._is_flapped_off and not self._is_outside and now.at >= self._back_at
        if is_wanted == self.is_wanted:
            return []
        self.is_wanted = is_wanted
        if is_wanted:
            return [Connect()]
        self._context.disconnected()  # at once: nothing else that is due now may be sent
        return [Disconnect()]

    def _start_flapping(self, flapping: Flapping, now: Moment) -> None:
        """Start as if the device had been flapping for a long time."""
        share_off = flapping.off_s / (flapping.on_s + flapping.off_s)
        self._is_flapped_off = self._context.rng.fork(FLAPPING_STREAM, 0).random() < share_off
        self._plan_flap(flapping, now)

    def _plan_flap(self, flapping: Flapping, now: Moment) -> None:
        self._flap_count += 1
        mean_s = flapping.off_s if self._is_flapped_off else flapping.on_s
        # The exponential distribution has no memory: the rest of a period is as long as a whole one.
        length_s = self._context.rng.fork(FLAPPING_STREAM, self._flap_count).exponential(mean_s)
        self._context.tasks.add(now.at + length_s, lambda then: self._flap(flapping, then))

    def _flap(self, flapping: Flapping, now: Moment) -> list[Action]:
        self._is_flapped_off = not self._is_flapped_off
        self._plan_flap(flapping, now)
        return self._update(now)

    def _check_windows(self, windows: Windows, now: Moment) -> list[Action]:
        delay = timedelta(seconds=windows.spread_s * self._context.rng.fork(SPREAD_STREAM).random())
        is_open, change_at = window_at(windows, now.wall - delay)
        self._is_outside = not is_open
        if change_at is not None:
            pause_s = max((change_at + delay - now.wall).total_seconds(), RECHECK_S)
            self._context.tasks.add(now.at + pause_s, lambda then: self._check_windows(windows, then))
        return self._update(now)


def window_at(windows: Windows, at: datetime) -> tuple[bool, datetime | None]:
    """Whether a window is open at an aware instant, and when that changes next; None: never.

    A wall time that a change to summer time skips is read with the offset before it; one that occurs twice, the first.
    """
    local = at.astimezone(windows.zone)
    openings = []
    for day in range(-1, AHEAD_DAYS + 2):  # a window of the day before may span midnight
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
    """When the span that begins on the day of `begin` begins and ends, in UTC, where differences are exact."""
    days = 0 if span.end > span.begin else 1
    end = datetime.combine(begin.date() + timedelta(days=days), span.end, begin.tzinfo)
    return begin.astimezone(timezone.utc), end.astimezone(timezone.utc)
