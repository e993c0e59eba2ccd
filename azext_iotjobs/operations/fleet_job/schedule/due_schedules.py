"""Of many schedules, those of which something is due: what several hosts that share a store begin with."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from azext_iotjobs.fleet_job.due import Nothing, Record, Resume, Start, Step, StopEarlier, View, decide
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.model.errors import IotJobsError, NotFound, StateDamaged
from azext_iotjobs.model.occurrence import Decided, Occurrence, OccurrenceState, StoredSchedule
from azext_iotjobs.operations.fleet_job.schedule.saved import view_of, views_of


class DueSchedule(NamedTuple):
    """A schedule of which something is due."""

    stored: StoredSchedule
    since: datetime
    executes: bool  # whether whoever polls it executes a run; else it records something, or ends an earlier run


def due_schedules(store: FleetJobStore, schedules: Sequence[StoredSchedule], now: datetime) -> list[DueSchedule]:
    """Those of which something is due, also those of which that cannot be known: whoever polls one says why.

    What has been due for longest comes first; what is due since the same moment stands in another order each time, so
    that hosts seldom begin with the same. What another host has begun is not due.
    """
    due = [each for stored, view in _views(store, schedules, now) if (each := _due(stored, view, now)) is not None]
    random.shuffle(due)
    return sorted(due, key=lambda each: each.since)


def _views(
    store: FleetJobStore, schedules: Sequence[StoredSchedule], now: datetime
) -> Iterator[tuple[StoredSchedule, View | None]]:
    """Each with what is known of it; None: that cannot be read."""
    try:
        yield from zip(schedules, list(views_of(store, schedules, now)), strict=True)
    except StateDamaged:  # a row of one of them
        for each in schedules:
            try:
                yield each, view_of(store, each, now, frozenset())
            except (StateDamaged, NotFound):
                yield each, None


def _due(stored: StoredSchedule, view: View | None, now: datetime) -> DueSchedule | None:
    try:
        step = None if view is None else decide(view)
    except IotJobsError:  # this machine does not know its time zone
        step = None
    if view is None or step is None:
        return DueSchedule(stored, now, executes=True)
    if isinstance(step, Nothing):
        return None
    return DueSchedule(stored, _since(step, now), _executes(view, step))


def _since(step: Step, now: datetime) -> datetime:
    match step:
        case Start(at):
            return at
        case Resume(run):
            return run.occurrence_at or now
        case Record(decided):
            return decided[0].at
        case StopEarlier(_, decided):
            return decided.at
    return now


def _executes(view: View, step: Step) -> bool:
    """Whether a run is executed, now or once what comes before it is recorded."""
    while isinstance(step, Record):
        view = _after(view, step.decided)
        step = decide(view)
    return isinstance(step, Start | Resume)


def _after(view: View, decided: Sequence[Decided]) -> View:
    """What is known once something was recorded."""
    of = {each.at: each for each in decided}
    waiting = [
        Occurrence(fleet_job_id=view.stored.fleet_job_id, at=at, state=each.state, decided_at=view.now, by="")
        for at, each in of.items()
        if each.state is OccurrenceState.WAITING
    ]
    left = [each for each in view.open if each.at not in of]
    last_at = max(filter(None, (view.last_at, *of)))
    return replace(view, last_at=last_at, open=tuple(sorted([*left, *waiting], key=lambda each: each.at)))
