"""Fleet jobs go from a file to a server and back, with all that is recorded of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.errors import ConflictingChoice, IotJobsError, NotFound, RunUnfinished
from azext_iotjobs.model.occurrence import Decided, OccurrenceState
from azext_iotjobs.model.run_state import RunEvent
from azext_iotjobs.model.schedule import Frequency, Rule, Schedule
from azext_iotjobs.operations.fleet_job.store_copy import copy_jobs
from tests.fleet_job.store.test_contract import HOLDER, NOW, ended, failed, new_run, save
from tests.helpers.postgres_server import PostgresServer
from tests.helpers.stores import Stores

DAILY = Schedule(rule=Rule(frequency=Frequency.DAILY, at=time(2, 30)), zone="UTC")
AT = datetime(2026, 4, 30, 2, 30, tzinfo=timezone.utc)


@pytest.fixture
def places(tmp_path: Path, postgres: PostgresServer) -> Iterator[tuple[SqlStore, SqlStore, SqlStore]]:
    """A file with a fleet job that has run, a server, and another file."""
    found = [Stores(tmp_path / "a", None), Stores(tmp_path / "b", postgres), Stores(tmp_path / "c", None)]
    first, second, third = (each.open() for each in found)
    fill(first)
    yield first, second, third
    for each in found:
        each.close()


def fill(store: SqlStore) -> None:
    save(store)
    store.definitions.edit("job", replace(store.definitions.get("job").definition, display_name="B"), at=NOW, by="bob")
    store.groups.save("h", "north", "tags.site = 'north'")
    store.schedules.save("job", DAILY, at=NOW, by="ann", store_key="abcdefgh")
    store.occurrences.record("job", [Decided(AT, OccurrenceState.MISSED, "too late")], now=NOW, by="ann")
    leased = store.take_lease(new_run(store, devices=1100, sizes="100%"), HOLDER, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, NOW)
    leased.devices.write(NOW, ended=[ended(1, method_status=200, payload={"é": [1]}, has_payload=True), failed(2)])
    leased.end_batch(1, NOW, NOW)
    leased.end(RunEvent.FINISH, NOW, reason="so", by="ann")


def content(store: SqlStore) -> list[Any]:
    """All that is shown of the fleet job."""
    runs = store.runs.list_all("job")
    return [
        store.definitions.get("job"),
        store.definitions.get("job", 1),
        [replace(each, key=0) for each in runs],
        [store.runs.batches(each) for each in runs],
        [page.rows for each in runs for page in store.results.pages(each, ResultFilter())],
        store.occurrences.list_all("job"),
        store.groups.list_all(),
    ]


def test_all_that_is_recorded_arrives_and_comes_back(places: tuple[SqlStore, SqlStore, SqlStore]) -> None:
    first, second, third = places
    expected, schedule = content(first), first.schedules.get("job")
    (copied,) = copy_jobs(first, second)
    assert (copied.fleet_job_id, copied.host, copied.run_count, copied.has_schedule) == ("job", "h", 1, True)
    assert content(second) == expected and second.schedules.get("job") == schedule
    assert first.schedules.get("job") is None, "two stores would start each occurrence twice"
    copy_jobs(second, third, ["job"])
    assert content(third) == expected and third.schedules.get("job") == schedule
    assert new_run(second).number == new_run(third).number == 2  # they count on


def test_what_cannot_be_copied_is_refused_and_nothing_has_changed(
    places: tuple[SqlStore, SqlStore, SqlStore],
) -> None:
    first, second, third = places

    def refused(target: SqlStore, error: type[IotJobsError], why: str, *ids: str) -> None:
        before = [job.fleet_job_id for job in target.definitions.list_all()]
        with pytest.raises(error, match=why):
            copy_jobs(first, target, ids)
        assert [job.fleet_job_id for job in target.definitions.list_all()] == before
        assert first.schedules.get("job") is not None

    refused(second, NotFound, "no fleet job 'nobody'", "nobody")
    third.groups.save("h", "north", "*")
    refused(third, ConflictingChoice, "device group 'north' of h with another condition")
    save(second)
    refused(second, ConflictingChoice, "A fleet job job already exists")
    save(first, "other")
    new_run(first, name="other")
    third.groups.delete("h", "north")
    refused(third, RunUnfinished, "it can be copied once it has ended")
