"""A process that looks at a schedule ends at every request and commit; so does one of another store on the same hub.

Each occurrence runs once, from one of the stores; none is lost; no device is operated twice for it.
"""

import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.occurrence import OccurrenceState
from azext_iotjobs.model.run_state import RunState
from tests.helpers.clock_double import START
from tests.helpers.fleet_job_hub_double import Crash, Points, rows_of
from tests.helpers.schedule_setup import DAY, DEVICES, FIRST, ScheduledWorld, daily
from tests.helpers.short_form import IN_FULL

OCCURRENCES = (FIRST, FIRST + DAY, FIRST + 2 * DAY)
SHARE = 1.0 if IN_FULL else 0.04  # of the stories
STARTED, TAKEN = OccurrenceState.STARTED, OccurrenceState.TAKEN


def looks_until_crash(world: ScheduledWorld, at: datetime, points: Points) -> bool:
    """One process that looks at an instant; whether it was killed before its end."""
    world.clock.passed_s = max(world.clock.passed_s, (at - START).total_seconds())  # also at the hub
    store = world.open(points)
    try:
        world.poll(store)
    except Crash:
        return True
    finally:
        store.database._connection.close()  # what the system does with a dead process's files
    return False


def story(one: ScheduledWorld, other: ScheduledWorld, ends: list[int]) -> int:
    """Three days; on each, processes of both stores look, and end at a point. Gives how many were killed."""
    kills = 0
    for at in OCCURRENCES:
        for number in ends:
            kills += looks_until_crash(one, at, Points(number))
            kills += looks_until_crash(other, at, Points(number // 2 + 1))
        for _ in range(2):
            assert not looks_until_crash(one, at, Points())
            assert not looks_until_crash(other, at, Points())
    return kills


def states(store: SqliteStore) -> dict[datetime, OccurrenceState]:
    return {each.at: each.state for each in store.occurrences.list_all("job")}


def stories() -> Iterator[tuple[Driver, list[int]]]:
    chance = random.Random(3)
    for driver in (Driver.JOBS, Driver.CALLS):
        for first in range(1, 60):
            for more in ([], [1], [chance.randrange(1, 30)]):
                if chance.random() < SHARE:
                    yield driver, [first, *more]


@pytest.mark.parametrize("driver", [Driver.JOBS, Driver.CALLS])
def test_every_occurrence_runs_once_whoever_dies_where(tmp_path: Path, driver: Driver) -> None:
    kills = 0
    for number, (kind, ends) in enumerate(stories()):
        if kind is not driver:
            continue
        one = ScheduledWorld(tmp_path / f"{number}-one")
        one.begin(daily(), driver).close()
        other = one.beside(tmp_path / f"{number}-other")
        other.begin(daily(), driver).close()
        kills += story(one, other, ends)
        stores = [world.open() for world in (one, other)]
        uncertain = dict.fromkeys(DEVICES, 0)
        for at in OCCURRENCES:
            found = [states(store).get(at) for store in stores]
            assert sorted(found, key=str) == sorted([STARTED, TAKEN], key=str), (ends, at, found)
        for store in stores:
            for run in store.runs.list_all("job"):
                assert run.state is RunState.COMPLETED, (ends, run.name, run.reason)
                for row in rows_of(store, run).values():
                    uncertain[row.device_id] += row.status == "uncertain"
            store.close()
        for device in DEVICES:
            times = one.hub.operated[device]
            assert 3 - uncertain[device] <= times <= 3, (ends, device, times, uncertain[device])
    assert kills > 5, "processes were killed"
