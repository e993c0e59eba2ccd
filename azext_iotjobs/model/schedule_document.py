"""Schedules <-> documents of plain values under our own names; the store keeps these. Pure."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from azext_iotjobs.model.schedule import Frequency, Missed, Overlap, Rule, Schedule, Window

Document = dict[str, Any]


def schedule_document(schedule: Schedule) -> Document:
    """A schedule as a document, the same for equal schedules."""
    return {
        "rule": _rule_document(schedule.rule),
        "zone": schedule.zone,
        "starts": _text(schedule.starts),
        "ends": _text(schedule.ends),
        "times": schedule.times,
        "window": None if schedule.window is None else [each.isoformat() for each in schedule.window],
        "jitter_s": schedule.jitter_s,
        "missed": schedule.missed.value,
        "catch_up_s": schedule.catch_up_s,
        "overlap": schedule.overlap.value,
    }


def parse_schedule(document: Mapping[str, Any]) -> Schedule:
    """What `schedule_document` gave. Raises LookupError, TypeError, ValueError, UserError."""
    window = document["window"]
    return Schedule(
        rule=_parse_rule(document["rule"]),
        zone=document["zone"],
        starts=None if document["starts"] is None else datetime.fromisoformat(document["starts"]),
        ends=None if document["ends"] is None else datetime.fromisoformat(document["ends"]),
        times=document["times"],
        window=None if window is None else Window(*map(time.fromisoformat, window)),
        jitter_s=document["jitter_s"],
        missed=Missed(document["missed"]),
        catch_up_s=document["catch_up_s"],
        overlap=Overlap(document["overlap"]),
    )


def _rule_document(rule: Rule) -> Document:
    return {
        "frequency": rule.frequency.value,
        "at": _text(rule.at),
        "on_date": _text(rule.on_date),
        "weekdays": list(rule.weekdays),
        "month_days": list(rule.month_days),
        "cron": rule.cron,
    }


def _parse_rule(document: Mapping[str, Any]) -> Rule:
    return Rule(
        frequency=Frequency(document["frequency"]),
        at=None if document["at"] is None else time.fromisoformat(document["at"]),
        on_date=None if document["on_date"] is None else date.fromisoformat(document["on_date"]),
        weekdays=tuple(document["weekdays"]),
        month_days=tuple(document["month_days"]),
        cron=document["cron"],
    )


def _text(value: date | datetime | time | None) -> str | None:
    return None if value is None else value.isoformat()
