"""What a store of fleet jobs promises, on real files and a real server."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.hub_job import HubJob, HubJobState
from azext_iotjobs.fleet_job.store.contract import NewRun, ResultFilter
from azext_iotjobs.fleet_job.store.holder import Holder, is_gone, this_process
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.fleet_job.store.sql.device_rows import change_of_devices
from azext_iotjobs.fleet_job.store.sql.lease import LEASE_S
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sql.stored_row import StoredRow
from azext_iotjobs.model.attempt import Attempt, AttemptResult
from azext_iotjobs.model.errors import (
    BadValue,
    ConflictingChoice,
    LeaseHeld,
    LeaseLost,
    NotFound,
    WrongState,
)
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.rollout import Retry, parse_batch_sizes
from azext_iotjobs.model.run import RequestKind, Run, StopRequest
from azext_iotjobs.model.run_state import BatchState, DeviceState, RunEvent, RunState
from azext_iotjobs.model.selection import Selection
from tests.helpers.stores import Stores
from tests.helpers.waiting import wait_until

NOW = datetime(2026, 5, 1, 12, 30, 15, 250_000, tzinfo=timezone.utc)
DEFINITION = Definition(
    action=Action(method=MethodCall(name="reboot", payload={"a": [1, None]})),
    targets=Targets(selection=Selection(condition="tags.site = 'north'", excluded=("d9",))),
    display_name="Café",
    labels={"team": "north"},
)
HOLDER = Holder("ann@here, process 7", "another machine", 7)
OTHER = Holder("bob@there, process 8", "yet another", 8)


@pytest.fixture
def store(stores: Stores) -> SqlStore:
    return stores.open()


def save(store: SqlStore, name: str = "job") -> None:
    store.definitions.add(name, "h", DEFINITION, at=NOW, by="ann", origin=None)


def new_run(store: SqlStore, devices: int = 10, sizes: str = "4", name: str = "job", **more: Any) -> Run:
    store.candidates.collect(((f"d{number:02}", None) for number in range(devices)), seed=0)
    return store.runs.add(
        NewRun(
            fleet_job_id=name,
            version=1,
            run_key="abcdefgh",
            driver=Driver.CALLS,
            driver_reason="so",
            at=NOW,
            by="ann",
            delivery=Delivery(rate=2.5),
            sizes=parse_batch_sizes(sizes, "--batch"),
            **more,
        )
    )


def ended(seq: int, state: DeviceState = DeviceState.COMPLETED, **more: Any) -> AttemptResult:
    return AttemptResult(seq=seq, state=state, tries=1, began_at=NOW, ended_at=NOW, **more)


def failed(seq: int, error_class: ErrorClass = ErrorClass.OFFLINE, **more: Any) -> AttemptResult:
    return ended(seq, DeviceState.FAILED, error_class=error_class, error_code="C", error_text="why", **more)


@pytest.fixture
def leased(store: SqlStore) -> LeasedRun:
    save(store)
    leased = store.take_lease(new_run(store), HOLDER, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, NOW)
    return leased


# -- fleet jobs and versions -------------------------------------------------------------------------------------------


def test_a_fleet_job_comes_back_as_it_was_saved_also_from_another_process(stores: Stores) -> None:
    first = stores.open()
    save(first)
    saved = first.definitions.get("job")
    first.close()
    second = stores.open()
    assert second.definitions.get("job") == saved
    assert (saved.definition, saved.version, saved.created_at, saved.host) == (DEFINITION, 1, NOW, "h")
    second.close()


def test_an_id_is_taken_once_and_the_first_stays(store: SqlStore) -> None:
    save(store)
    with pytest.raises(ConflictingChoice, match="A fleet job job already exists"):
        store.definitions.add("job", "h2", replace(DEFINITION, display_name="B"), at=NOW, by="bob", origin=None)
    assert store.definitions.get("job").display_name == "Café"


def test_an_edit_is_a_new_version_and_a_run_keeps_its_own(store: SqlStore) -> None:
    save(store)
    run = new_run(store)
    edited = store.definitions.edit("job", replace(DEFINITION, display_name="B"), at=NOW, by="bob")
    assert (edited.version, edited.display_name, edited.edited_by, edited.created_by) == (2, "B", "bob", "ann")
    assert store.definitions.edit("job", edited.definition, at=NOW, by="eve") == edited  # nothing has changed
    assert store.definitions.of_run(run).display_name == "Café" and store.definitions.get("job", 1).version == 1
    with pytest.raises(NotFound):
        store.definitions.get("job", 3)


def test_fleet_jobs_of_a_hub_newest_first_and_groups(store: SqlStore) -> None:
    for number, (name, host) in enumerate([("a", "h"), ("b", "h"), ("c", "other")]):
        store.definitions.add(name, host, DEFINITION, at=NOW + timedelta(hours=number), by="ann", origin=None)
    assert [each.fleet_job_id for each in store.definitions.list_all("h")] == ["b", "a"]
    assert [each.fleet_job_id for each in store.definitions.list_all()] == ["c", "b", "a"]
    store.groups.save("h", "north", "tags.site = 'n'")
    store.groups.save("h", "north", "tags.site = 'north'")
    store.groups.save("other", "north", "*")
    assert store.groups.condition_of("h", "north") == "tags.site = 'north'"
    assert [(each.host, each.name) for each in store.groups.list_all()] == [("h", "north"), ("other", "north")]
    store.groups.delete("h", "north")
    assert [each.host for each in store.groups.list_all()] == ["other"]
    store.groups.save("h", "north", "*")
    with pytest.raises(NotFound, match="there are: north"):
        store.groups.condition_of("h", "south")


# -- runs --------------------------------------------------------------------------------------------------------------


def test_a_run_has_its_devices_in_batches_and_counts(store: SqlStore) -> None:
    save(store)
    run = new_run(store, devices=10, sizes="1,4")
    assert (run.number, run.state, run.device_count, run.batch_count) == (1, RunState.PENDING, 10, 4)
    assert (run.tally.pending, run.tally.total, run.delivery.rate) == (10, 10, 2.5)
    assert [(each.ordinal, each.size, each.tally.pending) for each in store.runs.batches(run)] == [
        (1, 1, 1),
        (2, 4, 4),
        (3, 4, 4),
        (4, 1, 1),
    ]
    with pytest.raises(WrongState, match="pending, made by ann, and not started; another can begin when it has"):
        new_run(store)
    store.take_lease(run, HOLDER, NOW).end(RunEvent.CANCEL, NOW, reason=None, by=None)
    assert new_run(store).number == 2 and store.runs.get("job").number == 2 and store.runs.get("job", 1).key == run.key


def test_devices_are_chosen_once_in_order_limited_or_sampled(store: SqlStore) -> None:
    save(store)
    named = [("b", None), ("a", None), ("b", None), ("a", "m"), ("a", "m")]
    assert store.candidates.collect(named, seed=0) == 3
    store.candidates.sort()
    assert store.candidates.keep_first(2) == 2
    samples = []
    for _ in range(2):
        store.candidates.collect(((f"d{number}", None) for number in range(200)), seed=7)
        assert store.candidates.keep_sample(10) == 10
        run = _made(store)
        samples.append({row.device_id for page in store.results.pages(run, ResultFilter()) for row in page.rows})
        store.take_lease(run, HOLDER, NOW).end(RunEvent.CANCEL, NOW, reason=None, by=None)
    assert samples[0] == samples[1] and len(samples[0]) == 10


def _made(store: SqlStore) -> Run:
    return store.runs.add(
        NewRun(
            fleet_job_id="job",
            version=1,
            run_key="k",
            driver=Driver.CALLS,
            driver_reason="",
            delivery=Delivery(),
            sizes=parse_batch_sizes("3", "--batch"),
            at=NOW,
            by="ann",
        )
    )


def test_a_run_of_no_device_is_one(store: SqlStore) -> None:
    save(store)
    run = new_run(store, devices=0)
    assert (run.device_count, run.batch_count, run.tally.total, store.runs.batches(run)) == (0, 0, 0, [])


def test_each_change_of_a_device_is_counted_in_its_batch_and_run(store: SqlStore, leased: LeasedRun) -> None:
    devices = leased.devices.due(1, NOW, 10)
    assert [each.seq for each in devices] == [1, 2, 3, 4]
    leased.devices.write(NOW, ended=[], begun=devices)
    assert leased.snapshot(None).run.tally.calling == 4 and leased.devices.due(1, NOW, 10) == []
    leased.devices.write(NOW, ended=[ended(1), failed(2), failed(3, ErrorClass.REJECTED)], again=[4])
    tally = leased.snapshot(None).run.tally
    assert (tally.completed, tally.failed, tally.pending, tally.calling) == (1, 2, 7, 0)
    assert tally.by_class == {"offline": 1, "rejected": 1}
    seen = leased.snapshot(None).batch
    assert seen is not None
    assert (seen.tally.completed, seen.tally.failed, seen.tally.pending) == (1, 2, 1)
    assert [each.seq for each in leased.devices.due(1, NOW, 10)] == [4]
    _recount(store, leased)


def _recount(store: SqlStore, leased: LeasedRun) -> None:
    """The counts that triggers keep are those of the rows."""
    kept = store.database.rows(
        "SELECT batch, state, class, count FROM tally WHERE run = ? AND count > 0", (leased.key,)
    )
    klass = "CASE state WHEN 'failed' THEN error_class ELSE '' END"
    true = store.database.rows(
        f"SELECT 0 AS batch, state, {klass} AS class, count(*) AS count FROM device WHERE run = ?1 GROUP BY 2, 3 "
        f"UNION ALL SELECT batch, state, {klass}, count(*) FROM device WHERE run = ?1 GROUP BY 1, 2, 3",
        (leased.key,),
    )
    assert sorted(map(_values, kept)) == sorted(map(_values, true))


def _values(row: StoredRow) -> tuple[Any, ...]:
    return row[0], row[1], row[2], row[3]


ODD_TEXTS = ("NULL", "", "{a,b}", '{"a": "b"}', "back\\slash", "quote\" and '", "a, b", "Café ☕", "line\nbreak", None)


def test_many_devices_end_at_once_each_with_values_of_its_own(store: SqlStore) -> None:
    save(store)
    count, texts = 2_100, len(ODD_TEXTS)
    run = new_run(store, count, sizes="100%")
    leased = store.take_lease(run, HOLDER, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, NOW)

    def end(seq: int) -> AttemptResult:
        if seq % 2:
            return ended(seq, payload=ODD_TEXTS[seq % texts], has_payload=True, method_status=seq if seq % 3 else None)
        text = ODD_TEXTS[seq % texts]
        return ended(seq, DeviceState.FAILED, error_class=ErrorClass.OFFLINE, error_code=f"C{seq}", error_text=text)

    leased.devices.write(NOW, ended=map(end, range(1, count + 1)))
    found = [row for page in store.results.pages(run, ResultFilter()) for row in page.rows]
    assert [each.device_id for each in found] == [f"d{number:02}" for number in range(count)]
    for seq, each in enumerate(found, 1):
        expected = end(seq)
        assert each.payload == expected.payload and each.method_status == expected.method_status, seq
        assert (each.error_code, each.error_text) == (expected.error_code, expected.error_text), seq
        assert each.finished_at == NOW and each.tries == 1
    tally = store.runs.get("job").tally
    assert (tally.completed, tally.failed, tally.pending) == (1_050, 1_050, 0)


def test_numbers_of_devices_that_change_at_once_may_be_of_several_types(store: SqlStore, leased: LeasedRun) -> None:
    change = change_of_devices("method_status = :method_status, due_at = :due_at", "method_status due_at")
    given = ((True, 1), (700, 2.5), (None, None), (False, 2**40), (2**40, True))
    with store.database.transaction(of_run=leased.key):
        store.database.change_rows(change, ((*each, leased.key, seq) for seq, each in enumerate(given, 1)))
    found = store.database.rows("SELECT method_status, due_at FROM device WHERE seq <= 5 ORDER BY seq")
    assert [(row[0], row[1]) for row in found] == list(given)


def test_a_device_that_changes_twice_at_once_is_as_if_it_did_so_one_after_the_other(
    store: SqlStore, leased: LeasedRun
) -> None:
    ends = "state = 'failed', error_class = :error_class, error_text = coalesce(:error_text, error_text)"
    of_any = change_of_devices(ends, "error_class error_text")
    of_pending = change_of_devices(ends, "error_class error_text", only_in=DeviceState.PENDING)
    key = leased.key
    others = (("other", None, key, seq) for seq in range(1_000, 2_100))  # there are none
    both = [("first", "why", key, 1), ("last", None, key, 1), ("first", "why", key, 2), *others, ("last", None, key, 2)]
    with store.database.transaction(of_run=key):
        store.database.change_rows(of_any, both)
        store.database.change_rows(of_pending, ((*row[:3], row[3] + 2) for row in both))
    found = store.database.rows("SELECT error_class, error_text FROM device WHERE seq <= 4 ORDER BY seq")
    assert [(row[0], row[1]) for row in found] == [("last", "why")] * 2 + [("first", "why")] * 2
    _recount(store, leased)


def test_a_device_that_is_tried_again_in_its_batch_waits_until_it_is_due(leased: LeasedRun) -> None:
    leased.devices.write(NOW, ended=[failed(1, due_at=NOW + timedelta(seconds=9))])
    assert [each.seq for each in leased.devices.due(1, NOW, 9)] == [2, 3, 4]
    (again, *_) = leased.devices.due(1, NOW + timedelta(seconds=9), 9)
    assert (again.seq, again.tries) == (1, 1) and leased.snapshot(None).run.tally.pending == 10


def test_devices_that_are_tried_again_at_the_end_move_to_a_batch_of_their_own(
    store: SqlStore, leased: LeasedRun
) -> None:
    leased.devices.write(NOW, ended=[ended(1), failed(2), failed(3, ErrorClass.REJECTED), ended(4)])
    for ordinal in (1, 2, 3):
        leased.end_batch(ordinal, NOW, NOW)
    retry = Retry(tries={"offline": 1})
    assert leased.snapshot(retry).retry_count == 1 and leased.snapshot(None).retry_count == 0
    leased.begin_retries(retry, NOW, NOW + timedelta(seconds=10))
    seen = leased.snapshot(retry)
    assert seen.batch is not None
    assert (seen.batch.ordinal, seen.batch.is_retry, seen.batch.size, seen.run.batch_count) == (4, True, 1, 4)
    assert seen.run.next_batch_at == NOW + timedelta(seconds=10) and seen.run.tally.total == 10
    (again,) = leased.devices.due(4, NOW, 9)
    assert again.device_id == "d01"
    leased.devices.write(NOW, ended=[replace(failed(2), tries=2)])
    assert leased.snapshot(retry).retry_count == 0
    _recount(store, leased)


def test_rows_are_read_page_by_page_and_filtered(store: SqlStore, leased: LeasedRun) -> None:
    payload = ended(1, method_status=200, payload={"é": [1]}, has_payload=True)
    leased.devices.write(
        NOW,
        ended=[payload, failed(2), ended(3, DeviceState.UNCERTAIN)],
        begun=[Attempt(seq=4, device_id="d03", module_id=None, tries=0)],
    )
    run = store.runs.get("job")

    def ids(*states: str, classes: tuple[str, ...] = (), **wanted: Any) -> list[str]:
        wanted = {**wanted, "states": frozenset(states), "error_classes": frozenset(classes)}
        return [row.device_id for page in store.results.pages(run, ResultFilter(**wanted)) for row in page.rows]

    assert ids("completed") == ["d00"] and ids(classes=("offline",)) == ["d01"] and ids(classes=("other",)) == []
    assert ids("uncertain") == ["d02"] and ids(device_id="d05") == ["d05"] and len(ids("pending")) == 6
    assert ids("in-progress") == ["d03"] == ids(words=frozenset({"in-progress"}))
    assert ids("completed", "uncertain") == ["d00", "d02"] and ids(classes=("timeout", "offline")) == ["d01"]
    assert ids("failed", "uncertain", classes=("offline",)) == ["d01"] and ids("completed", classes=("offline",)) == []
    assert ids(words=frozenset({"failed", "uncertain"})) == ["d01", "d02"] and len(ids(words=frozenset({"all"}))) == 10
    assert ids(words=frozenset({"rejected"})) == []
    (page,) = store.results.pages(run, ResultFilter(device_id="d00"))
    assert (page.rows[0].payload, page.rows[0].method_status, page.rows[0].duration_s) == ({"é": [1]}, 200, 0)
    assert (page.rows[0].batch, page.rows[0].tries) == (1, 1)
    leased.release()
    run = store.runs.get("job")
    assert ids("uncertain") == ["d02", "d03"]  # nobody is there to on_event how that call ends


def test_a_page_leads_to_the_next(store: SqlStore) -> None:
    save(store)
    run = new_run(store, devices=1203, sizes="100%")
    pages = list(store.results.pages(run, ResultFilter()))
    assert [len(page.rows) for page in pages] == [500, 500, 203] and pages[-1].next_token == ""
    (second, _) = store.results.pages(run, ResultFilter(), pages[0].next_token)
    assert second.rows == pages[1].rows


# -- leases ------------------------------------------------------------------------------------------------------------


def test_a_second_holder_is_refused_with_who_and_until_when(store: SqlStore, leased: LeasedRun) -> None:
    later = NOW + timedelta(seconds=LEASE_S - 1)
    with pytest.raises(LeaseHeld, match=r"by ann@here, process 7, which holds it until 12:30:45 UTC"):
        store.take_lease(store.runs.get("job"), OTHER, later)
    leased.devices.write(later, ended=[ended(1)])  # a heartbeat, too
    with pytest.raises(LeaseHeld):
        store.take_lease(store.runs.get("job"), OTHER, NOW + timedelta(seconds=LEASE_S + 5))


def test_who_was_silent_for_too_long_can_change_nothing_any_more(store: SqlStore, leased: LeasedRun) -> None:
    later = NOW + timedelta(seconds=LEASE_S + 1)
    store.take_lease(store.runs.get("job"), OTHER, later)
    for change in (
        lambda: leased.devices.write(later, ended=[ended(1)], begun=leased.devices.due(1, later, 2)),
        lambda: leased.end(RunEvent.STOP, later, reason=None, by=None),
        lambda: leased.end_batch(1, later, later),
        lambda: leased.beat(later + timedelta(seconds=60)),
        lambda: leased.settle_own(later, is_repeatable=True),
    ):
        with pytest.raises(LeaseLost):
            change()
    run = store.runs.get("job")
    assert (run.state, run.tally.pending) == (RunState.RUNNING, 10)
    leased.release()
    assert store.runs.get("job").lease is not None


@pytest.mark.skipif(os.name == "nt", reason="Windows is not asked: that would end the process")
def test_a_holder_that_is_gone_is_noticed_at_once_on_its_own_machine(store: SqlStore) -> None:
    save(store)
    run = new_run(store)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mine = replace(this_process(), pid=child.pid)
    store.take_lease(run, mine, NOW)
    assert not is_gone(mine)
    with pytest.raises(LeaseHeld):
        store.take_lease(run, OTHER, NOW)
    assert store.runs.get("job").has_runner
    child.kill()
    if hasattr(os, "waitid"):  # it has ended, and nobody has taken note
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(mine) or not Path("/proc").exists()
    child.communicate()
    assert is_gone(mine) and not store.runs.get("job").has_runner
    store.take_lease(run, OTHER, NOW)
    assert not is_gone(OTHER)  # of another machine nobody knows


def test_what_a_process_that_is_gone_had_begun_is_uncertain_or_looked_at_again(
    store: SqlStore, leased: LeasedRun
) -> None:
    leased.devices.write(NOW, ended=[], begun=leased.devices.due(1, NOW, 2))
    leased.release()
    second = store.take_lease(store.runs.get("job"), OTHER, NOW)
    assert second.snapshot(None).cut_off_count == 2
    second.devices.write(NOW, ended=[], begun=second.devices.due(1, NOW, 1))  # its own is none of those
    assert second.settle(NOW, is_repeatable=False) == 2
    assert (second.snapshot(None).cut_off_count, second.snapshot(None).run.tally.uncertain) == (0, 2)
    assert second.settle_own(NOW, is_repeatable=True) == 1
    assert [(each.seq, each.was_cut_off) for each in second.devices.due(1, NOW, 9)] == [(3, True), (4, False)]


def test_what_a_run_is_asked_for_at_each_step_is_read_again_once_anybody_has_changed_something(
    store: SqlStore, leased: LeasedRun, stores: Stores
) -> None:
    wait_until("it is not read again", lambda: leased.snapshot(None) is leased.snapshot(None))  # others use the server
    leased.end(RunEvent.STOP, NOW, reason=None, by="ann")
    stopped = leased.snapshot(None)
    assert stopped.run.state is RunState.STOPPED
    other = stores.open()
    other.runs.request_stop(stopped.run, StopRequest(kind=RequestKind.CANCEL, by="bob", reason=None, at=NOW))
    assert leased.snapshot(None).run.stop_request is not None
    other.close()


def test_counts_are_those_that_another_process_reads_after_each_move_of_devices(
    stores: Stores, leased: LeasedRun
) -> None:
    other = stores.open()
    leased.snapshot(None)
    begun = leased.devices.due(1, NOW, 10)
    moves: tuple[Callable[[], None], ...] = (
        lambda: leased.devices.write(NOW, ended=[], begun=begun),
        lambda: leased.devices.write(NOW, ended=[ended(1), failed(2)]),
        lambda: leased.devices.write(NOW, ended=[failed(3)], again=[4]),
    )
    for move in moves:
        move()
        seen, run = leased.snapshot(None), other.runs.get("job")
        assert (seen.run.tally, seen.batch) == (run.tally, other.runs.current_batch(run))


@pytest.mark.parametrize("is_own", [True, False], ids=["of this process", "of another process"])
@pytest.mark.parametrize("comes_first", [True, False], ids=["before", "after"])
def test_a_request_is_seen_whether_it_comes_before_or_after_devices_have_moved(
    store: SqlStore, stores: Stores, leased: LeasedRun, is_own: bool, comes_first: bool
) -> None:
    asking = store if is_own else stores.open()
    run = leased.snapshot(None).run
    request = StopRequest(kind=RequestKind.STOP, by="bob", reason=None, at=NOW)
    steps: list[Callable[[], None]] = [
        lambda: asking.runs.request_stop(run, request),
        lambda: leased.devices.write(NOW, ended=[], begun=leased.devices.due(1, NOW, 1)),
    ]
    for step in steps if comes_first else reversed(steps):
        step()
    seen = leased.snapshot(None).run
    assert (seen.stop_request, seen.tally.calling) == (request, 1)


def test_anybody_can_request_a_stop_and_a_cancel_stays_one(store: SqlStore, leased: LeasedRun) -> None:
    def request(kind: RequestKind) -> None:
        store.runs.request_stop(store.runs.get("job"), StopRequest(kind=kind, by="bob", reason="why", at=NOW))

    request(RequestKind.STOP)
    found = leased.snapshot(None).run.stop_request
    assert found == StopRequest(kind=RequestKind.STOP, by="bob", reason="why", at=NOW)
    request(RequestKind.CANCEL)
    request(RequestKind.STOP)
    assert leased.snapshot(None).run.stop_request == StopRequest(
        kind=RequestKind.CANCEL, by="bob", reason="why", at=NOW
    )
    leased.end(RunEvent.CANCEL, NOW, reason="why", by="bob")
    run = store.runs.get("job")
    assert (run.state, run.ended_by, run.reason) == (RunState.CANCELED, "bob", "why")
    assert run.stop_request is None and run.lease is None
    states = [each.state for each in store.runs.batches(run)]
    assert states == [BatchState.CANCELED, BatchState.SKIPPED, BatchState.SKIPPED]


def test_a_run_that_goes_on_keeps_its_start_and_forgets_why_it_was_stopped(store: SqlStore, leased: LeasedRun) -> None:
    leased.end(RunEvent.STOP, NOW + timedelta(seconds=60), reason="lunch", by="bob")
    stopped = store.runs.get("job")
    assert (stopped.reason, stopped.ended_by, stopped.duration_s(NOW + timedelta(days=1))) == ("lunch", "bob", 60)
    later = NOW + timedelta(seconds=3600)
    store.take_lease(stopped, OTHER, later).begin(RunEvent.RESUME, later, forgiven_of_run=3, forgiven_of_batch=2)
    run, batch = store.runs.get("job"), store.runs.batch(stopped, 1)
    assert (run.state, run.reason, run.ended_by, run.ended_at) == (RunState.RUNNING, None, None, None)
    assert (run.started_at, run.duration_s(later)) == (NOW, 3600)
    assert (run.forgiven, batch.forgiven, store.runs.batch(run, 2).forgiven) == (3, 2, 0)


def rows_of_runs(store: SqlStore) -> dict[str, list[dict[str, object]]]:
    """All that is stored of runs, but for leases."""
    found = {
        table: [{name: row[name] for name in row.keys()} for row in store.database.rows(f"SELECT * FROM {table}")]
        for table in ("run", "batch", "part", "device", "tally")
    }
    found["run"] = [
        {name: value for name, value in row.items() if "lease" not in name and name != "epoch"} for row in found["run"]
    ]
    found["tally"] = [row for row in found["tally"] if row["count"]]
    return {table: sorted(rows, key=repr) for table, rows in found.items()}


@pytest.mark.parametrize("event", [RunEvent.STOP, RunEvent.BREAK])
@pytest.mark.parametrize("has_begun", [True, False])
def test_a_resume_that_is_undone_has_changed_nothing(
    store: SqlStore, leased: LeasedRun, event: RunEvent, has_begun: bool
) -> None:
    """Neither of the run, nor of the batch that it had begun or was about to, its hub jobs and its devices."""
    leased.devices.write(NOW, ended=[ended(1)], begun=[])
    if not has_begun:
        leased.devices.write(NOW, ended=[ended(each) for each in (2, 3, 4)])
        leased.end_batch(1, NOW, NOW + timedelta(seconds=300))
    batch = 1 if has_begun else 2
    open_ones = leased.devices.due(batch, NOW, 10)
    planned = plan.PlannedHubJob(condition="c", devices=tuple(open_ones[:1]))
    of_before = HubJob(batch=batch, number=1, job_id="a-1", condition="c", state=HubJobState.PLANNED)
    leased.hub_jobs.add(of_before, planned, NOW)
    tried = open_ones[1]
    leased.devices.write(NOW, ended=[failed(tried.seq, due_at=NOW + timedelta(seconds=10))])
    leased.end(event, NOW + timedelta(seconds=60), reason="lunch", by="bob")
    before, rows = store.runs.get("job"), rows_of_runs(store)
    later = NOW + timedelta(seconds=3600)
    again = store.take_lease(before, OTHER, later)
    again.withdraw_request(later, Delivery(rate=9))
    again.begin(RunEvent.RESUME, later, forgiven_of_run=3, forgiven_of_batch=2)
    again.begin_batch(batch, later)
    again.hub_jobs.save(replace(of_before, intended_at=later, limit_s=60), later)
    due = again.devices.due(batch, later, 10)
    again.devices.write(later, ended=[], begun=due)
    again.devices.write(later, ended=[], again=[each.seq for each in due])
    of_now = replace(of_before, number=2, job_id="a-2")
    again.hub_jobs.add(of_now, plan.PlannedHubJob(condition="c", devices=tuple(due[:1])), later)
    assert rows_of_runs(store) != rows
    again.undo_resume(later)
    again.release()
    assert store.runs.get("job") == before and rows_of_runs(store) == rows
    assert before.ended_at == NOW + timedelta(seconds=60)


def test_an_end_that_its_state_does_not_allow_changes_nothing(store: SqlStore, leased: LeasedRun) -> None:
    leased.end(RunEvent.FINISH, NOW, reason=None, by=None)
    again = store.take_lease(store.runs.get("job"), OTHER, NOW)
    with pytest.raises(WrongState):
        again.end(RunEvent.STOP, NOW, reason="x", by="x")
    assert (store.runs.get("job").state, store.runs.get("job").reason) == (RunState.COMPLETED, None)


# -- history -----------------------------------------------------------------------------------------------------------


def test_old_runs_are_pruned_with_all_their_rows_and_others_stay(store: SqlStore, leased: LeasedRun) -> None:
    leased.end(RunEvent.FINISH, NOW, reason=None, by=None)
    second = new_run(store)
    assert store.history.prune(NOW) == 0 and store.history.prune(NOW + timedelta(seconds=1), "other") == 0
    assert store.history.prune(NOW + timedelta(seconds=1)) == 1
    assert [run.number for run in store.runs.list_all("job")] == [2] and store.definitions.get("job").version == 1
    counts = [store.database.rows(f"SELECT * FROM {table} WHERE run = 1") for table in ("device", "batch", "tally")]
    assert counts == [[], [], []]
    assert second.number == 2


def test_a_fleet_job_is_deleted_but_not_while_it_runs(store: SqlStore, leased: LeasedRun) -> None:
    with pytest.raises(WrongState, match="is running"):
        store.history.delete_fleet_job("job")
    leased.end(RunEvent.STOP, NOW, reason=None, by=None)
    store.history.delete_fleet_job("job")
    with pytest.raises(NotFound):
        store.definitions.get("job")
    assert store.database.rows("SELECT * FROM device") == []


def test_a_name_that_is_not_text_is_refused(store: SqlStore, leased: LeasedRun) -> None:
    nonsense = "x\udcff"
    for look in (
        lambda: store.definitions.get(nonsense),
        lambda: store.groups.condition_of("h", nonsense),
        lambda: list(store.results.pages(store.runs.get("job"), ResultFilter(device_id=nonsense))),
        lambda: store.candidates.collect([(nonsense, None)], seed=0),
    ):
        with pytest.raises(BadValue, match="is not text"):
            look()
