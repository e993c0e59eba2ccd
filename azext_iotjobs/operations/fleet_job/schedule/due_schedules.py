"""Of many schedules, those of which something is due: what several hosts that share a store begin with."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from azext_iotjobs.fleet_job.due import Nothing, Resume, Start, View, decide
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.model.errors import IotJobsError, StateDamaged
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.operations.fleet_job.schedule.saved import view_of, views_of


class DueSchedule(NamedTuple):
    """A schedule of which something is due."""

    stored: StoredSchedule
    since: datetime
    executes: bool  # whether a run is to be executed; else something is to be recorded, or an earlier run to end


def due_schedules(store: FleetJobStore, schedules: Sequence[StoredSchedule], now: datetime) -> list[DueSchedule]:
    """Those of which something is due, also those of which that cannot be known: whoever polls one says why.

    What has been due for longest comes first; what is due since the same moment stands in another order each time, so
    that hosts seldom begin with the same. What another host has begun is not due.
    """
    due = [each for stored, view in _views(store, schedules, now) if (each := _due(stored, view)) is not None]
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
            except StateDamaged:
                yield each, None


def _due(stored: StoredSchedule, view: View | None) -> DueSchedule | None:
    unknown = DueSchedule(stored, stored.set_at, executes=True)
    try:
        step = None if view is None else decide(view)
    except IotJobsError:  # this machine does not know its time zone
        return unknown
    match step:
        case None:
            return unknown
        case Nothing():
            return None
        case Start(at):
            return DueSchedule(stored, at, executes=True)
    return DueSchedule(stored, stored.set_at, executes=isinstance(step, Resume))
