"""When the runs of a fleet job start: a rule in a time zone, and what becomes of what could not start. Pure.

Which instants a rule means: fleet_job/calendar.py. Times without a zone are what clocks on a wall of its zone show.
"""

from datetime import date, datetime, time
from enum import Enum
from typing import NamedTuple

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.text import Field, Text

BY_SCHEDULE = "its schedule"  # stops a run whose window has shut, or whose process was stopped: it is resumed
LAST_DAY = -1  # of a month
MAX_TIMES = 10_000
MAX_CATCH_UP_S = 30 * 86_400.0  # a hub knows for as long which occurrences were claimed: it keeps jobs for 30 days
MAX_JITTER_S = 12 * 3_600.0
DEFAULT_CATCH_UP_S = 24 * 3_600.0
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Frequency(Enum):
    """How often."""

    ONCE = "once"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    CRON = "cron"


class Missed(Enum):
    """What becomes of occurrences that could not start when they were due."""

    ONCE = "once"  # the newest one is caught up
    SKIP = "skip"  # none
    ALL = "all"  # each one, one after the other


class Overlap(Enum):
    """What becomes of an occurrence while an earlier run of its fleet job has not ended."""

    SKIP = "skip"  # it does not run
    WAIT = "wait"  # it runs when the earlier one has ended
    STOP = "stop"  # the earlier one is stopped, and can be resumed; this one does not run
    CANCEL = "cancel"  # the earlier one is canceled, then this one runs


@dataclass(frozen=True, kw_only=True)
class Rule:
    """On which days, and when on them. Raises UserError."""

    frequency: Frequency
    at: time | None = None  # on the wall; None: of a cron expression, which says it itself
    on_date: date | None = None  # of ONCE
    weekdays: tuple[int, ...] = ()  # of WEEKLY: 0 is Monday
    month_days: tuple[int, ...] = ()  # of MONTHLY: 1 to 31, LAST_DAY
    cron: str | None = None  # of CRON: five fields

    def __post_init__(self) -> None:
        kind = self.frequency
        if (kind is Frequency.CRON) is (self.at is not None):
            if kind is Frequency.CRON:
                raise ConflictingChoice(Text.of("{cron} says the time itself: {at} goes with the other rules."))
            raise MissingChoice(Text.of("Say at which time, with {at}."), hint=Text(Field("at"), " 02:30"))
        needed = {Frequency.ONCE: self.on_date, Frequency.WEEKLY: self.weekdays, Frequency.MONTHLY: self.month_days}
        if kind in needed and not needed[kind]:
            raise MissingChoice(Text(Field(kind.value), " needs the days that are meant."))
        if kind is Frequency.CRON and not self.cron:
            raise MissingChoice(Text(Field("cron"), " needs an expression of five fields."))
        if not set(self.weekdays) <= set(range(len(WEEKDAYS))):
            raise BadValue(Text(Field("weekly"), f": give days out of {', '.join(WEEKDAYS)}."))
        if not set(self.month_days) <= {LAST_DAY, *range(1, 32)}:
            raise BadValue(Text(Field("monthly"), ": give days of the month, 1 to 31, or last."))


class Window(NamedTuple):
    """The hours in which devices may be operated, each day; past midnight when it shuts before it opens."""

    opens: time  # on the wall
    shuts: time

    @property
    def length_s(self) -> float:
        """How long it is open, but on days on which the clocks change."""
        minutes = [each.hour * 60 + each.minute for each in self]
        return (minutes[1] - minutes[0]) % (24 * 60) * 60.0

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.shuts:%H:%M}"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When the runs of a fleet job start. Raises UserError."""

    rule: Rule
    zone: str  # IANA's name
    starts: datetime | None = None  # on the wall, the first that counts; None: from when the schedule is set
    ends: datetime | None = None  # on the wall, the last instant that counts
    times: int | None = None  # how many occurrences the rule has from its start
    window: Window | None = None
    jitter_s: float = 0.0  # each starts up to so many seconds later; the same delay for all of a fleet job's
    missed: Missed = Missed.ONCE
    catch_up_s: float = DEFAULT_CATCH_UP_S  # one that is later than this is not caught up
    overlap: Overlap = Overlap.SKIP

    def __post_init__(self) -> None:
        self._check_end()
        if not 0 <= self.jitter_s <= MAX_JITTER_S:
            raise BadValue(Text(Field("jitter_s"), f": give 0 to {MAX_JITTER_S / 3600:.0f}h."))
        if not 60 <= self.catch_up_s <= MAX_CATCH_UP_S:
            raise BadValue(Text(Field("catch_up_s"), f": give 1m to {MAX_CATCH_UP_S / 86_400:.0f}d."))
        if self.window is not None:
            self._check_window(self.window)

    def _check_end(self) -> None:
        if self.ends is not None and self.times is not None:
            raise ConflictingChoice(Text.of("{ends} and {times} both say when the schedule ends: give one of them."))
        is_once = self.rule.frequency is Frequency.ONCE
        if is_once and (self.starts, self.ends, self.times) != (None, None, None):
            raise ConflictingChoice(Text.of("{once} is one instant: {starts}, {ends} and {times} go with other rules."))
        if self.times is not None and not 1 <= self.times <= MAX_TIMES:
            raise BadValue(Text(Field("times"), f" {self.times}: give 1 to {MAX_TIMES}."))
        if self.starts is not None and self.ends is not None and self.ends < self.starts:
            raise BadValue(Text(Field("ends"), " lies before ", Field("starts"), "."))

    def _check_window(self, window: Window) -> None:
        if window.opens == window.shuts:
            raise BadValue(Text(Field("window"), f" {window}: it shuts when it opens."))
        if self.jitter_s >= window.length_s:
            raise BadValue(Text(Field("jitter_s"), " is as long as ", Field("window"), f" {window} or longer."))
        at = self.rule.at
        if at is None:
            return
        if not is_within(window, at):
            raise BadValue(
                Text(Field("at"), f" {at:%H:%M} lies outside ", Field("window"), f" {window}."),
                hint="A run starts when its occurrence is due: give a time at which the window is open.",
            )
        if self.jitter_s >= window._replace(opens=at).length_s:
            raise BadValue(
                Text.of(
                    "{jitter_s} is as long as {window} {hours} is open from {at} {time} on, or longer.",
                    hours=window,
                    time=f"{at:%H:%M}",
                )
            )


def is_within(window: Window, at: time) -> bool:
    """Whether a window is open at a time of day."""
    if window.opens < window.shuts:
        return window.opens <= at < window.shuts
    return at >= window.opens or at < window.shuts
