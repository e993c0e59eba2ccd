"""A schedule's rule -> its occurrences, and when its window is open. Pure; zones are those of the system or of tzdata.

Strategy: dates and times are counted as clocks on the wall show them, by dateutil's rrule and by cronsim; each is made
an instant last. A time that the clocks skip is the first instant after the gap; one that they show twice is its first.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.schedule import WEEKDAYS, Frequency, Rule, Schedule, Window
from azext_iotjobs.model.text import Field, Text

if TYPE_CHECKING:
    from dateutil.rrule import rrule

CRON_FIELDS = 5
DAY = timedelta(days=1)
LATEST = datetime(9998, 12, 31)  # Python's years end at 9999


class WindowHours(NamedTuple):
    """One day's hours of a window: aware UTC instants."""

    opens_at: datetime
    shuts_at: datetime


@cache
def zone_of(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Raises BadValue."""
    try:
        if name.isprintable() and not name.startswith(("/", ".")):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise BadValue(
        Text(Field("time_zone"), f" {name[:60]!r} is not a time zone that this machine knows."),
        hint="Give a name of the IANA list, such as Europe/Berlin, America/New_York or UTC. Where these are not known "
        "either, time zone data is missing: install your system's tzdata, or Python's package tzdata.",
    )


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """When clocks show `wall`, aware UTC: the first of two instants; where they skip it, the first after the gap."""
    at = wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)
    if wall_of(at, zone) == wall:
        return at
    # Read with the offset after the gap it lies before the change, with the offset before the gap behind it.
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(timezone.utc), at
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def wall_of(at: datetime, zone: ZoneInfo) -> datetime:
    """What clocks of a zone show at an instant."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def occurrences(schedule: Schedule, since: datetime, after: datetime) -> Iterator[datetime]:
    """The occurrences of a schedule behind an instant: aware UTC, ascending, each once, as they are asked for.

    since: when the schedule was set: the rule counts from here where it does not say from when.
    after: exclusive.
    """
    zone = zone_of(schedule.zone)
    begins = wall_of(since, zone) if schedule.starts is None else schedule.starts
    if schedule.times is None:
        begins = max(begins, wall_of(after, zone) - DAY)
        walls = _walls(schedule.rule, begins)
    else:
        walls = islice(_walls(schedule.rule, begins), schedule.times)
    last = after
    for wall in walls:
        if schedule.ends is not None and wall > schedule.ends:
            return
        at = instant_of(wall, zone)
        if at > last:  # several times in one gap are one instant
            last = at
            yield at


def check_rule(rule: Rule) -> None:
    """Raise BadValue for a cron expression that cannot be read, or that no day fits."""
    if rule.frequency is not Frequency.CRON:
        return
    from cronsim import CronSimError

    text = rule.cron or ""
    hint = Text(
        "Five fields: minute, hour, day of the month, month, day of the week. ", Field("cron"), " '30 2 * * 1-5'"
    )
    try:
        if len(text.split()) != CRON_FIELDS:
            raise BadValue(Text(Field("cron"), f" {text[:60]!r} has not {CRON_FIELDS} fields."), hint=hint)
        if next(_cron_walls(text, datetime(2000, 1, 1)), None) is None:
            raise BadValue(Text(Field("cron"), f" {text[:60]!r} means no day that there is."), hint=hint)
    except CronSimError as err:
        raise BadValue(Text(Field("cron"), f" {text[:60]!r} cannot be read: {err}."), hint=hint) from err


def window_at(window: Window, zone: ZoneInfo, now: datetime) -> WindowHours | None:
    """The hours of a window that is open at an instant; None: it is shut."""
    return next((each for each in _hours(window, zone, now) if each.opens_at <= now < each.shuts_at), None)


def next_opening(window: Window, zone: ZoneInfo, now: datetime) -> datetime:
    """When a window opens next, after an instant."""
    return next(each.opens_at for each in _hours(window, zone, now) if each.opens_at > now)


def _hours(window: Window, zone: ZoneInfo, around: datetime) -> Iterator[WindowHours]:
    """The hours of the days around an instant, ascending; a day whose hours the clocks skip has none."""
    day = wall_of(around, zone).date() - DAY
    for number in range(8):
        opens = datetime.combine(day + number * DAY, window.opens)
        shuts = datetime.combine(opens.date(), window.shuts)
        found = WindowHours(instant_of(opens, zone), instant_of(shuts if shuts > opens else shuts + DAY, zone))
        if found.opens_at < found.shuts_at:
            yield found


def _walls(rule: Rule, begins: datetime) -> Iterator[datetime]:
    """The times of a rule on the wall, from `begins` on, inclusive."""
    if rule.frequency is Frequency.CRON:
        return _cron_walls(rule.cron or "", begins)
    assert rule.at is not None
    if rule.frequency is Frequency.ONCE:
        assert rule.on_date is not None
        once = datetime.combine(rule.on_date, rule.at)
        return iter([once] if once >= begins else [])
    return (each for each in _recurrence(rule, begins.date(), rule.at) if each >= begins)


def _recurrence(rule: Rule, begins: date, at: time) -> "rrule":
    from dateutil import rrule  # here: it is needed where a schedule is read, and takes some milliseconds

    frequencies: dict[Frequency, Any] = {
        Frequency.DAILY: rrule.DAILY,
        Frequency.WEEKLY: rrule.WEEKLY,
        Frequency.MONTHLY: rrule.MONTHLY,
    }
    return rrule.rrule(
        frequencies[rule.frequency],
        dtstart=datetime.combine(begins, at),
        until=LATEST,
        byweekday=rule.weekdays or None,
        bymonthday=rule.month_days or None,
    )


def _cron_walls(text: str, begins: datetime) -> Iterator[datetime]:
    """Without a zone: cronsim has rules of its own for changes of clocks."""
    from cronsim import CronSim

    found: Iterator[datetime] = CronSim(text, begins.replace(microsecond=0) - timedelta(seconds=1))
    first = next(found, None)
    return iter(()) if first is None else (each for each in chain([first], found) if each >= begins)


def described(rule: Rule) -> str:
    """A rule in words, such as "weekly on mon, thu at 02:30"."""
    at = "" if rule.at is None else f" at {rule.at:%H:%M}"
    match rule.frequency:
        case Frequency.ONCE:
            return f"once on {rule.on_date}{at}"
        case Frequency.DAILY:
            return f"daily{at}"
        case Frequency.WEEKLY:
            return f"weekly on {', '.join(WEEKDAYS[each] for each in rule.weekdays)}{at}"
        case Frequency.MONTHLY:
            days = ", ".join("last" if each < 0 else str(each) for each in rule.month_days)
            return f"monthly on {days}{at}"
        case Frequency.CRON:
            return f"cron {rule.cron}"
