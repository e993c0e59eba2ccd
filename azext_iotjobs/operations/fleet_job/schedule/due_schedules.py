"""Of many schedules, those of which something is due: what several hosts that share a store begin with."""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime

from azext_iotjobs.fleet_job.due import Nothing, Start, View, decide
from azext_iotjobs.fleet_job.store.contract import FleetJobStore
from azext_iotjobs.model.errors import IotJobsError, StateDamaged
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.operations.fleet_job.schedule.saved import view_of, views_of


def due_schedules(store: FleetJobStore, schedules: Sequence[StoredSchedule], now: datetime) -> list[StoredSchedule]:
    """Those of which something is due, also those of which that cannot be known: whoever polls one says why.

    What has been due for longest comes first; what is due since the same moment stands in another order each time, so
    that hosts seldom begin with the same. What another host has begun is not due.
    """
    found = [
        (since, random.random(), stored)
        for stored, view in _views(store, schedules, now)
        if (since := stored.set_at if view is None else _due_since(view)) is not None
    ]
    return [stored for _, _, stored in sorted(found, key=lambda each: each[:2])]


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


def _due_since(view: View) -> datetime | None:
    """Since when something is to be done; None: nothing is."""
    try:
        step = decide(view)
    except IotJobsError:  # this machine does not know its time zone
        return view.stored.set_at
    if isinstance(step, Nothing):
        return None
    return step.at if isinstance(step, Start) else view.stored.set_at
