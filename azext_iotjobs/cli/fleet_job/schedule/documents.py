"""Schedules and their occurrences, under the names that commands show."""

from collections.abc import Sequence
from datetime import datetime, timezone, tzinfo
from typing import Any

from azext_iotjobs.cli.fleet_job.documents import render_tally
from azext_iotjobs.model.clock import render_instant, render_millis
from azext_iotjobs.model.occurrence import Occurrence, StoredSchedule
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.schedule import LAST_DAY, WEEKDAYS, Rule, Schedule

Document = dict[str, Any]


def render_schedule(stored: StoredSchedule, next_at: Sequence[datetime], zone: tzinfo) -> Document:
    """A schedule with its next occurrences.

    next_at: aware UTC, ascending.  zone: the schedule's.
    """
    return {
        "id": stored.fleet_job_id,
        "hub": stored.host,
        **render_rules(stored.schedule),
        "set": render_millis(stored.set_at),
        "setBy": stored.set_by,
        "polled": render_millis(stored.polled_at),
        "next": [render_both(each, zone) for each in next_at],
    }


def render_rules(schedule: Schedule) -> Document:
    """A schedule itself: when runs start, and what becomes of what could not."""
    return {
        "rule": _rule(schedule.rule),
        "timeZone": schedule.zone,
        "starts": _wall(schedule.starts),
        "ends": _wall(schedule.ends),
        "times": schedule.times,
        "window": None if schedule.window is None else str(schedule.window),
        "jitterSeconds": schedule.jitter_s,
        "missed": schedule.missed.value,
        "catchUpSeconds": schedule.catch_up_s,
        "overlap": schedule.overlap.value,
    }


def render_both(at: datetime, zone: tzinfo) -> Document:
    """An instant in UTC, and as clocks of a zone show it."""
    local = at.astimezone(zone)
    return {"utc": render_instant(at), "local": local.isoformat(), "zone": local.tzname() or str(zone)}


def render_listed(occurrence: Occurrence, zone: tzinfo, run: Run | None) -> Document:
    """What became of an occurrence and of its run. run: None: it has none, or its record was deleted."""
    document = render_occurrence(occurrence, zone)
    if run is None:
        return {**document, "runReason": None, "runEndedBy": None, "runProgress": None}
    of_run = {
        "runStatus": run.state.value,
        "runReason": run.reason,
        "runEndedBy": run.ended_by,
        "runProgress": render_tally(run.tally.seen(has_runner=run.has_runner)),
    }
    return {**document, **of_run}


def render_occurrence(occurrence: Occurrence, zone: tzinfo = timezone.utc) -> Document:
    """What became of an occurrence. zone: of its schedule."""
    return {
        "id": occurrence.fleet_job_id,
        "at": render_instant(occurrence.at),
        "local": occurrence.at.astimezone(zone).isoformat(),
        "status": occurrence.state.value,
        "run": occurrence.run_number,
        "runStatus": None if occurrence.run_state is None else occurrence.run_state.value,
        "note": occurrence.note,
        "backfill": occurrence.is_backfill,
        "decided": render_millis(occurrence.decided_at),
        "by": occurrence.by,
    }


def _rule(rule: Rule) -> Document:
    return {
        "frequency": rule.frequency.value,
        "date": None if rule.on_date is None else rule.on_date.isoformat(),
        "weekdays": [WEEKDAYS[each] for each in rule.weekdays],
        "monthDays": ["last" if each == LAST_DAY else each for each in rule.month_days],
        "cron": rule.cron,
        "at": None if rule.at is None else f"{rule.at:%H:%M}",
    }


def _wall(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
