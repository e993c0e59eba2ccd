"""The schedule of an IoT Central scheduled job -> a Schedule. Pure.

IoT Central keeps the instant of the first run, in UTC, and how often it recurs; a weekly one recurs on the weekday of
that instant, a monthly one on its day.
Source: IoT Central data plane 2022-07-31: JobSchedule, DateJobScheduleEnd, OccurrencesJobScheduleEnd.
"""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from azext_iotjobs.central.documents import object_of, others, shown
from azext_iotjobs.central.report import MemberList
from azext_iotjobs.model.clock import parse_instant
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.schedule import MAX_TIMES, WEEKDAYS, Frequency, Rule, Schedule

UTC = "UTC"
END_OF_DAY = time(23, 59, 59)
SHORT_MONTH = 28
RECURRENCES = {each.value: each for each in Frequency if each is not Frequency.CRON}
END_SUFFIX = "jobscheduleend"  # DateJobScheduleEnd is date, as the API's reference and its definition have it
IN_UTC = "in UTC, as IoT Central keeps it"
NO_SECONDS = f"{IN_UTC}; to the minute: seconds are left out"
SHORT_MONTHS = "months without that day are passed over"


def schedule_of(value: object, members: MemberList) -> Schedule:
    """The schedule of a scheduled job.

    value: the member `schedule`.  members: where each of its members is recorded.  Raises BadValue.
    """
    document = object_of(value, "schedule")
    start = _start(document)
    frequency = _frequency(document.get("recurrence"))
    minute = start.replace(second=0, microsecond=0, tzinfo=None)
    members.became(
        "schedule.start", f"{minute:%Y-%m-%d %H:%M}", IN_UTC if minute == start.replace(tzinfo=None) else NO_SECONDS
    )
    rule = _rule(frequency, minute)
    note = SHORT_MONTHS if rule.month_days and rule.month_days[0] > SHORT_MONTH else ""
    if document.get("recurrence") is None:
        note = "without a recurrence it runs once"
    members.became("schedule.recurrence", _in_words(rule), note)
    for name in others(document, ("start", "recurrence", "end")):
        members.left_out(f"schedule.{name}", "not known")
    if frequency is Frequency.ONCE:
        if document.get("end") is not None:
            members.left_out("schedule.end", "a schedule of one instant has no end")
        return Schedule(rule=rule, zone=UTC)
    return Schedule(rule=rule, zone=UTC, starts=minute, **_end(document.get("end"), members))


def _start(document: Mapping[str, Any]) -> datetime:
    start = document.get("start")
    if not isinstance(start, str) or len(start) > 60:
        raise BadValue("schedule.start is missing, or no instant such as 2026-12-01T08:00:00Z.")
    return parse_instant(start, "schedule.start").at


def _frequency(recurrence: object) -> Frequency:
    if recurrence is None:
        return Frequency.ONCE
    word = recurrence.lower() if isinstance(recurrence, str) else ""
    if word not in RECURRENCES:
        seen = f" {shown(recurrence)}" if isinstance(recurrence, str) else ""
        raise BadValue(f"schedule.recurrence{seen} is none of {', '.join(RECURRENCES)}.")
    return RECURRENCES[word]


def _rule(frequency: Frequency, start: datetime) -> Rule:
    return Rule(
        frequency=frequency,
        at=start.time(),
        on_date=start.date() if frequency is Frequency.ONCE else None,
        weekdays=(start.weekday(),) if frequency is Frequency.WEEKLY else (),
        month_days=(start.day,) if frequency is Frequency.MONTHLY else (),
    )


def _in_words(rule: Rule) -> str:
    if rule.weekdays:
        return f"weekly on {WEEKDAYS[rule.weekdays[0]]}"
    return f"monthly on day {rule.month_days[0]}" if rule.month_days else rule.frequency.value


def _end(value: object, members: MemberList) -> dict[str, Any]:
    """When it ends, as members of a Schedule; {}: never."""
    if value is None:
        return {}
    document = object_of(value, "schedule.end")
    word = document.get("type")
    kind = word.lower().removesuffix(END_SUFFIX) if isinstance(word, str) else ""
    for name in others(document, ("type", "date", "occurrences")):
        members.left_out(f"schedule.end.{name}", "not known")
    if kind == "occurrences":
        return {"times": _times(document, members)}
    if kind == "date":
        return {"ends": _last(document, members)}
    raise BadValue("schedule.end.type is none of date and occurrences.")


def _times(document: Mapping[str, Any], members: MemberList) -> int:
    times = document.get("occurrences")
    if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= MAX_TIMES:
        raise BadValue(f"schedule.end.occurrences is not a whole number from 1 to {MAX_TIMES}.")
    members.became("schedule.end", f"{times} occurrences", "counted from its start")
    return times


def _last(document: Mapping[str, Any], members: MemberList) -> datetime:
    date = document.get("date")
    if not isinstance(date, str) or len(date) > 60:
        raise BadValue("schedule.end.date is missing, or no date such as 2026-12-31.")
    at = parse_instant(date, "schedule.end.date").at.replace(tzinfo=None, microsecond=0)
    is_day = len(date.strip()) == len("2026-12-31")
    ends = datetime.combine(at.date(), END_OF_DAY) if is_day else at
    members.became(
        "schedule.end", f"until {ends:%Y-%m-%d %H:%M:%S}", "in UTC, that day included" if is_day else "in UTC"
    )
    return ends
