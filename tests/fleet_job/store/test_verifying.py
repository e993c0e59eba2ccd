"""What the store says of devices that were operated and are being verified."""

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.attempt import VerifiedAttempt
from azext_iotjobs.model.errors import LeaseLost, StateDamaged
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.rollout import Retry
from azext_iotjobs.model.run_state import BatchState, DeviceState, RunEvent
from azext_iotjobs.model.verification import Verification
from tests.fleet_job.store.test_contract import DEFINITION, HOLDER, NOW, OTHER, ended, failed, new_run, save
from tests.helpers.old_state_file import make_older
from tests.helpers.stores import Stores

FAILED: dict[str, Any] = {"error_class": ErrorClass.NOT_VERIFIED, "error_code": "NotInTime", "error_text": "why"}


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def store(stores: Stores) -> SqlStore:
    return stores.open()


@pytest.fixture
def leased(store: SqlStore) -> LeasedRun:
    """Of ten devices of three batches, those of the first are verifying; the second of them first."""
    save(store)
    leased = store.take_lease(new_run(store), HOLDER, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, NOW)
    results = [
        ended(seq, DeviceState.VERIFYING, verify_by=after(s), method_status=202, payload={"a": 1}, has_payload=True)
        for seq, s in ((1, 60), (2, 30), (3, 60), (4, 90))
    ]
    leased.devices.write(NOW, ended=results)
    return leased


def row_of(store: SqlStore, device: str) -> DeviceResult:
    (page,) = store.results.pages(store.runs.get("job"), ResultFilter(device_id=device))
    return page.rows[0]


def keys(leased: LeasedRun) -> list[int]:
    return [each.key for each in leased.verifying.page(None, 10)]


def test_they_are_counted_and_have_not_ended(store: SqlStore, leased: LeasedRun) -> None:
    tally = store.runs.get("job").tally
    assert (tally.verifying, tally.pending, tally.open, tally.ended, tally.total) == (4, 6, 10, 0, 10)
    assert store.runs.batch(store.runs.get("job"), 1).tally.verifying == 4 and leased.devices.due(1, NOW, 10) == []
    row = row_of(store, "d00")
    assert (row.status, row.method_status, row.payload, row.finished_at) == ("verifying", 202, {"a": 1}, NOW)
    found = list(store.results.pages(store.runs.get("job"), ResultFilter(states=frozenset({"verifying"}))))
    assert [each.device_id for each in found[0].rows] == ["d00", "d01", "d02", "d03"]


def test_they_are_read_by_their_deadlines_page_by_page(leased: LeasedRun) -> None:
    verifying = leased.verifying
    assert keys(leased) == [2, 1, 3, 4] and verifying.first_deadline() == after(30)
    first = verifying.page(None, 2)
    assert [each.key for each in verifying.page(first[-1], 2)] == [3, 4]
    assert [each.key for each in verifying.page(None, 10, since=after(60))] == [1, 3, 4]
    assert [each.key for each in verifying.page(first[-1], 10, since=after(90))] == [4]
    assert (first[0].device_id, first[0].began_at, first[0].tries) == ("d01", NOW, 1)


def test_what_was_decided_stands_beside_the_first_answer(store: SqlStore, leased: LeasedRun) -> None:
    verified = VerifiedAttempt(seq=1, state=DeviceState.COMPLETED, reported={"tags.a": [1, None]}, verified_at=after(5))
    late = VerifiedAttempt(seq=2, state=DeviceState.FAILED, reported=None, **FAILED)
    leased.verifying.write(NOW, [verified, late])
    one, two = row_of(store, "d00"), row_of(store, "d01")
    assert (one.status, one.method_status, one.payload) == ("completed", 202, {"a": 1})
    assert (one.verified_at, one.reported, one.finished_at) == (after(5), {"tags.a": [1, None]}, NOW)
    assert (two.status, two.error_class, two.error_code, two.method_status) == (
        "failed",
        ErrorClass.NOT_VERIFIED,
        "NotInTime",
        202,
    )
    assert two.reported is None and keys(leased) == [3, 4]
    assert store.runs.get("job").tally.by_class == {"not-verified": 1}
    leased.verifying.write(NOW, [replace(verified, seq=2)])
    assert row_of(store, "d01") == two, "what has ended stays as it is"


def test_one_that_is_tried_again_waits_and_its_next_result_replaces_what_was_reported(
    store: SqlStore, leased: LeasedRun
) -> None:
    again = VerifiedAttempt(seq=1, state=DeviceState.FAILED, reported={"tags.a": 1}, due_at=after(10), **FAILED)
    leased.verifying.write(NOW, [again])
    assert leased.devices.due(1, after(9), 10) == []
    (attempt,) = leased.devices.due(1, after(10), 10)
    assert (attempt.seq, attempt.tries) == (1, 1) and row_of(store, "d00").status == "pending"
    leased.devices.write(NOW, ended=[failed(1)])
    row = row_of(store, "d00")
    assert (row.error_class, row.reported, row.verified_at) == (ErrorClass.OFFLINE, None, None)


def test_at_the_end_they_are_tried_again_in_a_batch_of_their_own(store: SqlStore, leased: LeasedRun) -> None:
    late = [VerifiedAttempt(seq=seq, state=DeviceState.FAILED, reported={}, **FAILED) for seq in range(1, 5)]
    leased.verifying.write(NOW, late)
    leased.begin_retries(Retry(tries={"not-verified": 1}), NOW, NOW)
    assert [each.seq for each in leased.devices.due(4, NOW, 10)] == [1, 2, 3, 4]


def test_a_cancel_says_that_they_were_operated(store: SqlStore, leased: LeasedRun) -> None:
    leased.end(RunEvent.CANCEL, NOW, reason="enough", by="ann")
    run = store.runs.get("job")
    assert (run.tally.by_class, run.tally.pending, run.tally.verifying) == ({"not-verified": 4}, 6, 0)
    row = row_of(store, "d00")
    assert (row.status, row.error_code, row.method_status) == ("failed", "NotVerified", 202)
    assert "was operated" in str(row.error_text) and store.runs.batch(run, 1).state is BatchState.CANCELED


def test_a_stop_leaves_them_and_whoever_takes_the_run_over_finds_them(store: SqlStore, leased: LeasedRun) -> None:
    leased.end(RunEvent.STOP, NOW, reason=None, by="ann")
    other = store.take_lease(store.runs.get("job"), OTHER, NOW)
    assert keys(other) == [2, 1, 3, 4] and other.snapshot(None).cut_off_count == 0
    with pytest.raises(LeaseLost):
        leased.verifying.write(NOW, [VerifiedAttempt(seq=1, state=DeviceState.COMPLETED, reported={})])
    assert keys(other) == [2, 1, 3, 4]


def test_those_who_look_at_the_run_see_some_of_them_and_until_when(store: SqlStore, leased: LeasedRun) -> None:
    found = store.runs.being_verified(store.runs.get("job"), 2)
    assert found is not None
    assert (found.batch, found.count, found.devices) == (1, 4, (("d01", None), ("d00", None)))
    assert (found.since, found.until) == (NOW, after(90))
    leased.end(RunEvent.CANCEL, NOW, reason=None, by=None)
    assert store.runs.being_verified(store.runs.get("job"), 2) is None


def test_a_definition_keeps_its_verification(store: SqlStore) -> None:
    verification = Verification(condition="tags.a = 1", within_s=90, failed_condition="tags.a = 2")
    definition = replace(DEFINITION, verification=verification)
    store.definitions.add("job", "h", definition, at=NOW, by="ann", origin=None)
    assert store.definitions.get("job").definition == definition


def test_a_file_from_before_is_taken_over_and_its_devices_can_be_verified(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    save(store)
    new_run(store)
    store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as raw:
        make_older(raw, 3)
    raw.close()
    store = SqliteStore.open(tmp_path)
    leased = store.take_lease(store.runs.get("job"), HOLDER, NOW)
    leased.devices.write(NOW, ended=[ended(1, DeviceState.VERIFYING, verify_by=after(1))])
    assert keys(leased) == [1] and store.definitions.get("job").definition.verification is None
    store.close()


@pytest.mark.parametrize("value", ["no JSON", "[1]", "7"])
def test_what_was_reported_and_is_none_is_said_to_be_damaged(store: SqlStore, leased: LeasedRun, value: str) -> None:
    store.database.change("UPDATE device SET reported = ? WHERE seq = 1", (value,))
    with pytest.raises(StateDamaged, match="reported|JSON"):
        row_of(store, "d00")
