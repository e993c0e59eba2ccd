"""Changes of several fleet jobs are saved as one, and only where nobody else has changed them meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timezone
from pathlib import Path

import pytest

from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import BadValue, IotJobsError, WrongState
from azext_iotjobs.model.fleet_job import Action, Definition, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.schedule import Frequency, Rule, Schedule
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.operations.fleet_job import definitions
from azext_iotjobs.operations.fleet_job.changes import JobChange, SavedChange, read_before, save_changes
from azext_iotjobs.operations.fleet_job.schedule import saved

HOST = "h.example"
NOW = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)
METHOD = MethodCall(name="reboot", response_timeout_s=30, connect_timeout_s=30)
OLD = Definition(action=Action(method=METHOD), targets=Targets(selection=Selection(device_ids=("d1",))))
NEW = replace(OLD, description="new")
DAILY = Schedule(rule=Rule(frequency=Frequency.DAILY, at=time(2, 30)), zone="UTC")
PAST = Schedule(rule=Rule(frequency=Frequency.ONCE, at=time(2, 30), on_date=datetime(2020, 1, 1).date()), zone="UTC")


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    made = SqliteStore.open(tmp_path / "state")
    definitions.create(made, "a", HOST, OLD, by="me", at=NOW)
    return made


def change_of(store: SqliteStore, name: str, definition: Definition, schedule: Schedule | None = None) -> JobChange:
    return JobChange(name, HOST, definition, schedule, read_before(store, name))


def save(store: SqliteStore, *changes: JobChange) -> list[SavedChange]:
    return save_changes(store, changes, by="ann", at=NOW, new_key=lambda: "aaaaaaaa")


def test_one_is_made_another_edited_and_schedules_are_set_and_removed(store: SqliteStore) -> None:
    made, edited = save(store, change_of(store, "b", NEW, DAILY), change_of(store, "a", NEW))
    assert (made.job.version, edited.job.version, edited.scheduled) == (1, 2, None)
    assert made.scheduled is not None and made.scheduled.stored.schedule == DAILY
    (again,) = save(store, change_of(store, "b", NEW))
    assert (again.job.version, again.scheduled, again.removed) == (1, None, ())
    assert store.schedules.get("b") is None


def _edited(store: SqliteStore) -> None:
    definitions.edit(store, "a", replace(OLD, description="bob's"), by="bob", at=NOW)


def _scheduled(store: SqliteStore) -> None:
    saved.set_schedule(store, "a", DAILY, by="bob", at=NOW, new_key=lambda: "bbbbbbbb")


def _made(store: SqliteStore) -> None:
    definitions.create(store, "b", HOST, OLD, by="bob", at=NOW)


@pytest.mark.parametrize("meanwhile", [_edited, _scheduled, _made])
def test_what_somebody_else_has_changed_meanwhile_is_kept_and_nothing_is_saved(
    store: SqliteStore, meanwhile: Callable[[SqliteStore], None]
) -> None:
    changes = [change_of(store, "c", NEW), change_of(store, "a", NEW), change_of(store, "b", NEW)]
    meanwhile(store)
    _nothing_is_saved(store, changes, WrongState)


def test_nothing_is_saved_where_the_last_cannot_be(store: SqliteStore) -> None:
    changes = [change_of(store, "c", NEW), change_of(store, "a", NEW), change_of(store, "b", NEW, PAST)]
    _nothing_is_saved(store, changes, BadValue)


def _nothing_is_saved(store: SqliteStore, changes: list[JobChange], error: type[IotJobsError]) -> None:
    before = store.definitions.list_all()
    with pytest.raises(error):
        save(store, *changes)
    assert store.definitions.list_all() == before
