"""Fleet jobs are copied between stores: what is said of schedules, and which store the lines to type name."""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from azext_iotjobs.cli.errors import az_error_of
from azext_iotjobs.cli.fleet_job.copy_store import copy
from azext_iotjobs.cli.output import hints
from azext_iotjobs.fleet_job.store.sql.copying import RowCopier
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import BadValue, IotJobsError, StateUnreachable, StateUnusable
from tests.fleet_job.store.test_contract import NOW, new_run, save
from tests.operations.fleet_job.test_store_copy import DAILY

NOWHERE = "postgresql://ann@127.0.0.1:1/fleet"


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SqlStore, SqlStore]]:
    """Those in the folders `first` and `my second`; a store of a team is configured."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IOTJOBS_STORE", "postgresql://ann@db.example.com/fleet")
    hints.note(hints.typed_in({}, "iot hub fleet-job store copy"))
    found = SqliteStore.open(Path("first")), SqliteStore.open(Path("my second"))
    yield found
    for each in found:
        each.close()
    hints.note(hints.Typed())


def copied(copy_from: str = "first", copy_to: str = "my second", **typed: Any) -> list[dict[str, Any]]:
    cmd = SimpleNamespace(cli_ctx=SimpleNamespace(config=SimpleNamespace(get=lambda *_, **__: None), data={}))
    return copy(cmd, None, copy_from, copy_to, **typed)  # type: ignore[arg-type]


def said(error: type[IotJobsError], *typed: str) -> tuple[str, str]:
    """The error and its hint, as they are printed."""
    with pytest.raises(error) as caught:
        copied(*typed)
    shown = az_error_of(caught.value)
    return shown.error_msg, " ".join(str(each) for each in shown.recommendations)


def schedule(store: SqlStore, *ids: str) -> None:
    for each in ids:
        save(store, each)
        store.schedules.save(each, DAILY, at=NOW, by="ann", store_key="abcdefgh")


def test_schedules_that_move_are_said_and_who_starts_them_there(
    stores: tuple[SqlStore, SqlStore], caplog: pytest.LogCaptureFixture
) -> None:
    schedule(stores[0], *(f"j{number:02}" for number in range(12)))
    save(stores[0], "plain")
    assert len(copied()) == 13
    moved, due = (each.getMessage() for each in caplog.records)
    names = ", ".join(f"j{number:02}" for number in range(10))
    assert moved == f"Schedules that have moved from first, and are in my second alone now: {names} and 2 more."
    assert due.endswith('az iot hub fleet-job schedule run-due --state-dir "my second"')


def test_those_that_have_moved_before_an_error_are_said_too(
    stores: tuple[SqlStore, SqlStore], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(stores[0], "a", "b")
    copy_rows = RowCopier.copy

    def copy_a(self: RowCopier, fleet_job_id: str, *, has_schedule: bool) -> None:
        if fleet_job_id == "b":
            raise StateUnusable("No more.")
        copy_rows(self, fleet_job_id, has_schedule=has_schedule)

    monkeypatch.setattr(RowCopier, "copy", copy_a)
    assert said(StateUnusable) == ("--to: No more.", "")
    assert "in my second alone now: a." in caplog.text and stores[0].schedules.get("b") is not None


def test_without_schedules_nothing_is_said_and_they_stay(
    stores: tuple[SqlStore, SqlStore], caplog: pytest.LogCaptureFixture
) -> None:
    schedule(stores[0], "a")
    caplog.set_level(logging.WARNING)
    assert copied(without_schedules=True) == [{"id": "a", "hub": "h", "runs": 0, "hasSchedule": False}]
    assert not caplog.records
    assert [each.schedules.get("a") is None for each in stores] == [False, True]


def test_lines_to_type_name_the_store_that_an_error_is_of(stores: tuple[SqlStore, SqlStore]) -> None:
    save(stores[0], "loc-1")
    save(stores[1], "loc-1")
    message, hint = said(IotJobsError)
    assert message == "--to: A fleet job loc-1 already exists." and "Give another id" not in hint
    assert "with --fleet-job-id; or" in hint
    assert 'az iot hub fleet-job delete -j loc-1 --state-dir "my second"' in hint
    new_run(stores[0], name="loc-1")
    message, hint = said(IotJobsError)
    assert message.startswith("--from: ") and "az iot hub fleet-job cancel -j loc-1 --state-dir first" in hint
    message, hint = said(IotJobsError, "my second", NOWHERE)
    assert message.startswith(f"--to: The store {NOWHERE} cannot be reached")


def test_a_target_is_not_made_for_what_cannot_be_copied(stores: tuple[SqlStore, SqlStore]) -> None:
    schedule(stores[0], "a")
    new_run(stores[0], name="a")
    said(IotJobsError, "first", "third")
    assert not Path("third").exists()


def test_folders_and_sign_ins_are_named_as_copying_has_them(stores: tuple[SqlStore, SqlStore]) -> None:
    Path("odd/fleet-jobs.db").mkdir(parents=True)
    message, hint = said(StateUnusable, "first", "odd")
    assert message.startswith("--to: ") and hint.endswith("or give another folder: --to.")
    message, hint = said(BadValue, NOWHERE.replace("ann", "ann:sesame"), "odd")
    assert message.startswith("--from: ") and "sesame" not in f"{message} {hint}"
    assert "IOTJOBS_STORE_PASSWORD_FILE" in hint and "--store-password-file" not in hint


def test_a_lost_schedule_is_given_as_the_command_that_sets_it(
    stores: tuple[SqlStore, SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(stores[0], "a")

    def lose(self: Any, fleet_job_id: str, to: str) -> None:
        with self._database.transaction():
            self._database.change("UPDATE schedule SET document = NULL WHERE fleet_job = ?", (fleet_job_id,))
            self._database._connection.execute("COMMIT")
            self._database._connection.execute("BEGIN")
            raise StateUnreachable("It is away.")

    def fail(*_: Any) -> None:
        raise StateUnreachable("It is away still.")

    monkeypatch.setattr("azext_iotjobs.fleet_job.store.sql.schedule_store.ScheduleStore.give_up", lose)
    monkeypatch.setattr("azext_iotjobs.fleet_job.store.sql.schedule_store.ScheduleStore.put_back", fail)
    message, hint = said(StateUnusable)
    assert message == "The schedule of fleet job a may be set in neither store now. --from: It is away still."
    assert 'az iot hub fleet-job schedule show -j a --state-dir "my second"' in hint
    assert "az iot hub fleet-job schedule set --daily --at 02:30 --time-zone UTC -j a --state-dir first" in hint
