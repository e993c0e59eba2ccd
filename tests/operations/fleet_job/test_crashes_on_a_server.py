"""A process that executes a run ends at every request and commit, with its store on a server of PostgreSQL.

As in test_crashes.py: each device is operated exactly once, or is shown uncertain; never twice, never forgotten.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.errors import StateUnreachable
from azext_iotjobs.model.fleet_job import Action, Driver
from tests.helpers.fleet_job_hub_double import Crash, Points, World, definition_of, who_changes
from tests.helpers.postgres_server import PostgresServer
from tests.helpers.short_form import points_of
from tests.operations.fleet_job.test_crashes import DEVICES, METHOD, SIZES, TWIN, check

WAYS = [
    pytest.param(METHOD, Driver.JOBS, 1, id="method by job"),
    pytest.param(TWIN, Driver.JOBS, 1, id="twin by job"),
    pytest.param(METHOD, Driver.CALLS, 3, id="method by calls, three at a time"),
]


class ServedWorld(World):
    """Processes whose store is on a server; a process that ends leaves its transaction to it."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.url = url
        self.cuts_at: int | None = None  # the commit before which the connection is lost

    def open(self, points: Points | None = None) -> SqlStore:  # type: ignore[override]
        from azext_iotjobs.fleet_job.store.contract import Access
        from azext_iotjobs.fleet_job.store.postgres.database import PostgresDatabase
        from azext_iotjobs.fleet_job.store.postgres.place import parse_place

        self.points = self.clock.points = points or Points()
        world, commits = self, 0

        class Crashing(PostgresDatabase):
            @contextmanager
            def transaction(self, of_run: int | None = None) -> Iterator[None]:
                nonlocal commits
                if self._depth:
                    yield
                    return
                what = who_changes()
                with super().transaction(of_run):
                    yield
                    commits += 1
                    if commits == world.cuts_at:
                        self._connection.pgconn.finish()
                    world.points.passed(f"before the commit of {what}")
                world.points.passed(f"after the commit of {what}")

        place = parse_place(self.url)
        PostgresDatabase(place, Access.MAKE).close()  # its tables are made before anything can end
        return SqlStore(Crashing(place, Access.MAKE))


def begun(world: ServedWorld, action: Action, driver: Driver, concurrency: int) -> None:
    store = world.open()
    definition = definition_of(action, DEVICES, driver, sizes=SIZES, concurrency=concurrency)
    world.new_run(store, world.save(store, definition))
    store.close()


def ends(world: ServedWorld, points: Points, error: type[BaseException] = Crash) -> bool:
    """One process; whether it ended before its run did."""
    store = world.open(points)
    try:
        world.execute(store)
    except error:
        return True
    finally:
        store.close()
    return False


@pytest.mark.parametrize(("action", "driver", "concurrency"), WAYS)
def test_wherever_the_process_ends_each_device_is_operated_once_or_uncertain(
    tmp_path: Path, postgres: PostgresServer, action: Action, driver: Driver, concurrency: int
) -> None:
    whole = ServedWorld(tmp_path, postgres.url())
    begun(whole, action, driver, concurrency)
    passed = Points()
    assert not ends(whole, passed)
    check(whole, action, driver, "nothing ends it")
    for at in points_of(passed.kinds, 6):
        world = ServedWorld(tmp_path, postgres.url())
        begun(world, action, driver, concurrency)
        ends(world, Points(at))
        assert not ends(world, Points())
        check(world, action, driver, f"ended at {at}")


@pytest.mark.parametrize(("action", "driver", "concurrency"), WAYS)
def test_wherever_the_connection_is_lost_the_next_process_goes_on(
    tmp_path: Path, postgres: PostgresServer, action: Action, driver: Driver, concurrency: int
) -> None:
    whole = ServedWorld(tmp_path, postgres.url())
    begun(whole, action, driver, concurrency)
    passed = Points()
    assert not ends(whole, passed)
    commits = [each for each in passed.kinds if each.startswith("before the commit")]
    for at in points_of(commits, 6):
        world = ServedWorld(tmp_path, postgres.url())
        begun(world, action, driver, concurrency)
        world.cuts_at = at
        was_lost = ends(world, Points(), StateUnreachable)
        assert was_lost or concurrency > 1, at  # calls that end together have one commit: there may be fewer of them
        world.cuts_at = None
        assert not ends(world, Points())
        check(world, action, driver, f"lost at commit {at}")
