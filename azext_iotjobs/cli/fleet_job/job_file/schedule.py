"""What a file says of a schedule -> the schedule."""

import re
from datetime import date, datetime, time

from azext_iotjobs.cli.fleet_job.schedule.options import END_OF_DAY, parse_time
from azext_iotjobs.cli.input.document_members import Given
from azext_iotjobs.fleet_job.calendar import check_rule, zone_of
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.schedule import WEEKDAYS, Frequency, Missed, Overlap, Rule, Schedule, Window
from azext_iotjobs.model.text import Field, Text

WALL = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?))?", re.ASCII)


def schedule_of(given: Given) -> Schedule:
    """The schedule. Raises UserError, naming the field."""
    schedule = Schedule(
        rule=_rule(given["rule"]),
        zone=given["timeZone"],
        starts=_wall(given, "starts", time(0)),
        ends=_wall(given, "ends", END_OF_DAY),
        times=given.get("times"),
        window=_window(given["window"]) if "window" in given else None,
        missed=Missed(given.get("missed", Missed.ONCE)),
        overlap=Overlap(given.get("overlap", Overlap.SKIP)),
        **{
            field: given[name]
            for name, field in (("jitterSeconds", "jitter_s"), ("catchUpSeconds", "catch_up_s"))
            if name in given
        },
    )
    zone_of(schedule.zone)
    check_rule(schedule.rule)
    return schedule


def _rule(given: Given) -> Rule:
    return Rule(
        frequency=Frequency(given["frequency"]),
        at=_time(given["at"], "at") if "at" in given else None,
        on_date=_date(given["date"]) if "date" in given else None,
        weekdays=tuple(sorted({WEEKDAYS.index(each) for each in given.get("weekdays", ())})),
        month_days=tuple(sorted(set(given.get("monthDays", ())), key=lambda day: day % 100)),
        cron=given.get("cron"),
    )


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadValue(Text(Field("once"), f" {text[:60]!r}: give a date, such as 2027-12-01.")) from None


def _wall(given: Given, name: str, of_day: time) -> datetime | None:
    """A date, or a date and time, on the wall. of_day: the time of a date alone."""
    if name not in given:
        return None
    found = WALL.fullmatch(given[name])
    try:
        if found is None:
            raise ValueError
        return datetime.combine(date.fromisoformat(found[1]), time.fromisoformat(found[2]) if found[2] else of_day)
    except ValueError:
        text = f" {given[name][:60]!r}: give a date, or a date and a time, such as 2027-12-01T02:30."
        raise BadValue(Text(Field(name), text)) from None


def _time(text: str, name: str) -> time:
    found = parse_time(text)
    if found is None:
        raise BadValue(Text(Field(name), f" {text[:60]!r}: give a time from 00:00 to 23:59."))
    return found


def _window(text: str) -> Window:
    opens, dash, shuts = text.partition("-")
    if not dash:
        raise BadValue(Text(Field("window"), f" {text[:60]!r}: give two times, such as 02:00-04:00."))
    return Window(_time(opens.strip(), "window"), _time(shuts.strip(), "window"))
