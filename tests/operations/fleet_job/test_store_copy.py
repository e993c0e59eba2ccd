"""Fleet jobs go from a file to a server and back, with all that is recorded of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, time, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.contract import Access, ResultFilter
from azext_iotjobs.fleet_job.store.postgres.place import parse_place
from azext_iotjobs.fleet_job.store.sql.copying import RowCopier
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.errors import (
    ConflictingChoice,
    IotJobsError,
    NotFound,
    RunUnfinished,
    StateUnreachable,
    StateUnusable,
    WrongState,
)
from azext_iotjobs.model.occurrence import Decided, OccurrenceState
from azext_iotjobs.model.run_state import RunEvent
from azext_iotjobs.model.schedule import Frequency, Rule, Schedule
from azext_iotjobs.model.text import Command, command, parts_of
from azext_iotjobs.operations.fleet_job.store_copy import CopiedJob, StoreCopy
from tests.fleet_job.store.test_contract import HOLDER, NOW, ended, failed, new_run, save
from tests.helpers.postgres_server import PostgresServer
from tests.helpers.stores import Stores

DAILY = Schedule(rule=Rule(frequency=Frequency.DAILY, at=time(2, 30)), zone="UTC")
SET = command("iot hub fleet-job schedule set")
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


def copied_jobs(source: SqlStore, target: SqlStore, *ids: str, moves_schedules: bool = True) -> list[CopiedJob]:
    copying = StoreCopy(source, moves_schedules, lambda _: SET, lambda: NOW)
    return list(copying.into(target, copying.chosen(ids), "there"))


def commands_of(error: IotJobsError) -> list[str]:
    return [str(each) for each in parts_of(error.hint or "") if isinstance(each, Command)]


def test_all_that_is_recorded_arrives_and_comes_back(places: tuple[SqlStore, SqlStore, SqlStore]) -> None:
    first, second, third = places
    expected, schedule = content(first), first.schedules.get("job")
    (copied,) = copied_jobs(first, second)
    assert (copied.fleet_job_id, copied.host, copied.run_count, copied.has_schedule) == ("job", "h", 1, True)
    assert content(second) == expected and second.schedules.get("job") == schedule
    assert first.schedules.get("job") is None, "two stores would start each occurrence twice"
    copied_jobs(second, third, "job")
    assert content(third) == expected and third.schedules.get("job") == schedule
    assert new_run(second).number == new_run(third).number == 2  # they count on


def test_schedules_can_stay_where_they_are(places: tuple[SqlStore, SqlStore, SqlStore]) -> None:
    first, second, third = places
    expected, schedule = content(first), first.schedules.get("job")
    first.occurrences.record("job", [Decided(NOW, OccurrenceState.WAITING, "another run")], now=NOW, by="ann")
    (copied,) = copied_jobs(first, second, moves_schedules=False)
    assert not copied.has_schedule and first.schedules.get("job") == schedule
    assert content(second) == expected, "without what only the first store may still start"
    assert second.database.rows("SELECT * FROM schedule") == [], "its next one is told from the other on the hub"
    copied_jobs(second, third)
    assert content(third) == expected and third.schedules.get("job") is None


def test_what_cannot_be_copied_is_refused_and_nothing_has_changed(
    places: tuple[SqlStore, SqlStore, SqlStore],
) -> None:
    first, second, third = places

    def refused(target: SqlStore, error: type[IotJobsError], why: str, *ids: str) -> list[str]:
        before = [job.fleet_job_id for job in target.definitions.list_all()]
        with pytest.raises(error, match=why) as caught:
            copied_jobs(first, target, *ids)
        assert [job.fleet_job_id for job in target.definitions.list_all()] == before
        assert first.schedules.get("job") is not None
        return commands_of(caught.value)

    listed = refused(second, NotFound, "^copy_from: There is no fleet job 'nobody'", "nobody")
    assert listed == ["az iot hub fleet-job list store=SOURCE-STORE"]
    third.groups.save("h", "north", "*")
    changes = refused(third, ConflictingChoice, "^copy_to: There is a device group 'north' of h with another condition")
    assert changes == [
        f"az iot hub fleet-job group {verb} group=north hub=h store=TARGET-STORE" for verb in ("update", "delete")
    ]
    save(second)
    taken = refused(second, ConflictingChoice, "^copy_to: A fleet job job already exists")
    assert taken == ["az iot hub fleet-job delete fleet_job_id=job store=TARGET-STORE"]
    save(first, "other")
    new_run(first, name="other")
    third.groups.delete("h", "north")
    ends = refused(third, RunUnfinished, "^copy_from: .*it can be copied once it has ended")
    assert ends == ["az iot hub fleet-job cancel fleet_job_id=other store=SOURCE-STORE"]
    first.history.delete_fleet_job("other")
    first.occurrences.claim("job", NOW, HOLDER, NOW)
    refused(third, RunUnfinished, "^copy_from: A run of fleet job job is about to begin")


@pytest.fixture
def as_runner(postgres: PostgresServer) -> Iterator[Callable[[str], SqlStore]]:
    """Opens the store at a URL as a role that may see it, and run what is in it."""
    opened: list[SqlStore] = []
    postgres.sql("CREATE USER u_runner")

    def as_it(url: str) -> SqlStore:
        schema = url.rpartition("=")[2]
        postgres.sql(f"GRANT USAGE ON SCHEMA {schema} TO u_runner")
        postgres.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO u_runner")
        postgres.sql(f"GRANT UPDATE (looked_at) ON {schema}.schedule TO u_runner")
        from azext_iotjobs.fleet_job.store.postgres.store import PostgresStore  # psycopg may be missing

        found = PostgresStore.open(parse_place(url.replace("me@", "u_runner@")), Access.CHANGE)
        opened.append(found)
        return found

    yield as_it
    for each in opened:
        each.close()
    postgres.sql("DROP OWNED BY u_runner")
    postgres.sql("DROP ROLE u_runner")


def test_who_may_not_remove_a_schedule_copies_nothing_but_without_schedules(
    tmp_path: Path, postgres: PostgresServer, as_runner: Callable[[str], SqlStore]
) -> None:
    server, file = Stores(tmp_path, postgres), Stores(tmp_path, None)
    owned, target = server.open(), file.open()
    fill(owned)
    assert server.url is not None
    source = as_runner(server.url)
    with pytest.raises(StateUnusable, match="^copy_from: .*permission denied for table schedule"):
        copied_jobs(source, target)
    assert target.definitions.list_all() == [] and target.groups.list_all() == []
    assert owned.schedules.get("job") is not None
    copied_jobs(source, target, moves_schedules=False)
    assert content(target) == content(owned) and target.schedules.get("job") is None
    server.close()
    file.close()


# -- whatever fails ----------------------------------------------------------------------------------------------------


class Commits:
    """Has transactions of a store that changed something fail where they are stored."""

    def __init__(self, store: SqlStore, monkeypatch: pytest.MonkeyPatch, *, stores: bool, lasts: bool) -> None:
        """stores: it is stored, and the answer is lost.  lasts: nothing works from then on."""
        self._begin = store.database.transaction
        self._database = store.database
        self._is_inside = self._has_failed = False
        self._stores, self._lasts = stores, lasts
        self.counts = True
        monkeypatch.setattr(store.database, "transaction", self.transaction)

    @contextmanager
    def transaction(self, of_run: int | None = None) -> Iterator[None]:
        if self._is_inside or not self.counts:
            with self._begin(of_run):
                yield
            return
        if self._has_failed and self._lasts:
            raise StateUnreachable("It is away.")
        self._is_inside = True
        try:
            with self._begin(of_run):
                before = self._changes()
                yield
                fails = not self._has_failed and self._changes() > before
                self._has_failed |= fails
                if fails and not self._stores:
                    raise StateUnreachable("It failed.")
            if fails:
                raise StateUnreachable("Its answer is lost.")
        finally:
            self._is_inside = False

    def _changes(self) -> int:
        return self._database._connection.total_changes  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("lasts", [False, True])
@pytest.mark.parametrize("stores", [False, True])
@pytest.mark.parametrize("which", ["source", "target"])
def test_a_schedule_is_never_in_both_stores_and_in_neither_only_with_what_sets_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str, stores: bool, lasts: bool
) -> None:
    places = Stores(tmp_path / "a", None), Stores(tmp_path / "b", None)
    source, target = (each.open() for each in places)
    fill(source)
    target.groups.save("h", "north", "tags.site = 'north'")
    schedule = source.schedules.get("job")
    monkeypatch.setattr(target.groups, "save", lambda *_: None)  # the first that is stored there is the fleet job
    commits = Commits({"source": source, "target": target}[which], monkeypatch, stores=stores, lasts=lasts)
    with pytest.raises(IotJobsError) as caught:
        copied_jobs(source, target)
    commits.counts = False
    found = [each.schedules.get("job") for each in (source, target)]
    assert None in found
    if found == [None, None]:
        assert lasts and "may be set in neither store now" in str(caught.value)
        assert commands_of(caught.value) == [
            "az iot hub fleet-job schedule show fleet_job_id=job store=TARGET-STORE",
            "az iot hub fleet-job schedule set",
        ]
    else:
        assert schedule in found
        assert str(caught.value).startswith(("copy_from: ", "copy_to: ", "The schedule of fleet job job may be"))
    assert (found[1] is not None) is (which == "target" and stores)
    assert bool(target.definitions.list_all()) is (which == "target" and stores), "each whole or not at all"
    for each in places:
        each.close()


def test_a_fleet_job_that_runs_while_it_is_copied_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Stores(tmp_path / "a", None), Stores(tmp_path / "b", None)
    source, target = (each.open() for each in places)
    fill(source)
    other = places[0].open()
    copy = RowCopier.copy

    def copy_and_record(self: RowCopier, fleet_job_id: str, *, has_schedule: bool) -> None:
        copy(self, fleet_job_id, has_schedule=has_schedule)
        other.occurrences.record("job", [Decided(NOW, OccurrenceState.MISSED, "too late")], now=NOW, by="bob")

    monkeypatch.setattr(RowCopier, "copy", copy_and_record)
    with pytest.raises(WrongState, match="^copy_from: Fleet job job was changed while it was copied"):
        copied_jobs(source, target)
    assert target.definitions.list_all() == [] and source.schedules.get("job") is not None
    for each in places:
        each.close()
