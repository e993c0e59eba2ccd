"""A schedule, as typed."""

import re
from datetime import date, datetime, time
from typing import NamedTuple

from azext_iotjobs.cli.input.durations import duration_s
from azext_iotjobs.cli.input.scalars import shown
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.schedule import (
    DEFAULT_CATCH_UP_S,
    LAST_DAY,
    WEEKDAYS,
    Frequency,
    Missed,
    Overlap,
    Rule,
    Schedule,
    Window,
)

UTC = "UTC"
WALL = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::00)?)?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE | re.ASCII)
TIME = re.compile(r"(\d\d?):(\d\d)", re.ASCII)
END_OF_DAY = time(23, 59, 59)
DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class RuleOptions(NamedTuple):
    """When it is due: exactly one of the first five."""

    once: str | None = None
    daily: bool = False
    weekly: str | None = None
    monthly: str | None = None
    cron: str | None = None
    at: str | None = None
    time_zone: str | None = None

    def rule(self, window: Window | None) -> Rule:
        """The rule. Raises UserError. window: its opening is the time, where none is typed."""
        kind = self._frequency()
        if kind is Frequency.ONCE:
            return self._once(window)
        at = None if self.at is None else time_of(self.at, "--at")
        if at is None and kind is not Frequency.CRON and window is not None:
            at = window.opens
        return Rule(
            frequency=kind,
            at=at,
            weekdays=_weekdays(self.weekly or ""),
            month_days=_month_days(self.monthly or ""),
            cron=self.cron,
        )

    @property
    def zone(self) -> str:
        """The time zone. Raises MissingChoice."""
        says_utc = self.once is not None and self.once.strip().upper().endswith("Z")
        if says_utc and self.time_zone not in (None, UTC):
            raise ConflictingChoice(
                f"--once {self.once} is UTC, and --time-zone {self.time_zone} is given: leave Z out."
            )
        if not (self.time_zone or "").strip() and not says_utc:
            raise MissingChoice(
                "Say in which time zone its times are: --time-zone.",
                hint="--time-zone Europe/Berlin, or --time-zone UTC",
            )
        return self.time_zone or UTC

    def _frequency(self) -> Frequency:
        typed = {
            Frequency.ONCE: self.once is not None,
            Frequency.DAILY: self.daily,
            Frequency.WEEKLY: self.weekly is not None,
            Frequency.MONTHLY: self.monthly is not None,
            Frequency.CRON: self.cron is not None,
        }
        chosen = [kind for kind, is_typed in typed.items() if is_typed]
        names = ", ".join(f"--{each.value}" for each in Frequency)
        if not chosen:
            raise MissingChoice(f"Say when it is due: one of {names}.", hint="--daily --at 02:30 --time-zone UTC")
        if len(chosen) > 1:
            raise ConflictingChoice(f"Give one of {names}.")
        return chosen[0]

    def _once(self, window: Window | None) -> Rule:
        once = self.once or ""
        day, at, offset = _wall(once, "--once")
        if offset is not None and offset.upper() != "Z":
            raise BadValue(
                f"--once {shown(once)}: leave {offset} out, and name the zone.",
                hint="--time-zone Europe/Berlin, or --time-zone UTC",
            )
        if at is not None and self.at is not None:
            raise ConflictingChoice("--once has a time, and --at is given: give one of them.")
        if self.at is not None:
            at = time_of(self.at, "--at")
        if at is None and window is not None:
            at = window.opens
        return Rule(frequency=Frequency.ONCE, on_date=day, at=at)


class ScheduleOptions(NamedTuple):
    """A whole schedule."""

    due: RuleOptions
    starts: str | None = None
    ends: str | None = None
    times: int | None = None
    window: str | None = None
    jitter: str | None = None
    missed: str | None = None
    catch_up: str | None = None
    overlap: str | None = None

    def schedule(self) -> Schedule:
        """The schedule. Raises UserError."""
        if self.catch_up is not None and self.missed == Missed.SKIP.value:
            raise ConflictingChoice("--missed skip catches up nothing: leave --catch-up out.")
        window = None if self.window is None else _window(self.window)
        return Schedule(
            rule=self.due.rule(window),
            zone=self.due.zone,
            starts=None if self.starts is None else wall_time(self.starts, "--starts", time(0)),
            ends=None if self.ends is None else wall_time(self.ends, "--ends", END_OF_DAY),
            times=self.times,
            window=window,
            jitter_s=0.0 if self.jitter is None else duration_s(self.jitter, "--jitter"),
            missed=Missed(self.missed or Missed.ONCE),
            catch_up_s=DEFAULT_CATCH_UP_S if self.catch_up is None else duration_s(self.catch_up, "--catch-up"),
            overlap=Overlap(self.overlap or Overlap.SKIP),
        )


def wall_time(text: str, option: str, of_day: time) -> datetime:
    """A date, or date and time, on the wall. Raises BadValue. of_day: the time of a date alone."""
    day, at, offset = _wall(text, option)
    if offset is not None:
        raise BadValue(f"{option} {shown(text)}: leave {offset} out; it is a time in the schedule's time zone.")
    return datetime.combine(day, at or of_day)


def time_of(text: str, option: str) -> time:
    """A time of day, such as 02:30. Raises BadValue."""
    found = parse_time(text.strip())
    if found is None:
        raise BadValue(f"{option} {shown(text)}: give a time from 00:00 to 23:59.", hint="For example 02:30.")
    return found


def parse_time(text: str) -> time | None:
    """A time of day, such as 02:30; None for what is none."""
    found = TIME.fullmatch(text)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        return None
    return time(int(found[1]), int(found[2]))


def _wall(text: str, option: str) -> tuple[date, time | None, str | None]:
    found = WALL.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        return date.fromisoformat(found[1]), None if found[2] is None else time.fromisoformat(found[2]), found[3]
    except ValueError:
        raise BadValue(
            f"{option} {shown(text)}: give a date, or a date and a time to the minute.",
            hint=f"{option} 2026-12-01, or {option} 2026-12-01T02:30",
        ) from None


def _window(text: str) -> Window:
    opens, dash, shuts = text.partition("-")
    if not dash:
        raise BadValue(f"--window {shown(text)}: give two times.", hint="--window 02:00-04:00")
    return Window(time_of(opens, "--window"), time_of(shuts, "--window"))


def _weekdays(text: str) -> tuple[int, ...]:
    words = [each.strip().lower() for each in text.split(",") if each.strip()]
    if not set(words) <= {*WEEKDAYS, *DAY_NAMES}:
        raise BadValue(f"--weekly {shown(text)}: give days out of {', '.join(WEEKDAYS)}.", hint="--weekly mon,thu")
    return tuple(sorted({WEEKDAYS.index(each[:3]) for each in words}))


def _month_days(text: str) -> tuple[int, ...]:
    words = [each.strip().lower() for each in text.split(",") if each.strip()]
    if not all(each == "last" or (each.isascii() and each.isdigit() and len(each) < 3) for each in words):
        raise BadValue(
            f"--monthly {shown(text)}: give days of the month, 1 to 31, or last.", hint="--monthly 1,15,last"
        )
    return tuple(sorted({LAST_DAY if each == "last" else int(each) for each in words}, key=lambda day: day % 100))
