"""Schedules and occurrences on real files: each occurrence once, whoever is how quick, and whoever dies."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, time, timedelta, timezone
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.contract import NewRun
from azext_iotjobs.fleet_job.store.holder import Holder, this_process
from azext_iotjobs.fleet_job.store.sql.occurrence_store import BEAT_S, CLAIM_S
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.errors import LeaseLost, NotFound
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.occurrence import Decided, OccurrenceState
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunEvent, RunState
from azext_iotjobs.model.schedule import Frequency, Missed, Overlap, Rule, Schedule, Window
from azext_iotjobs.model.selection import Selection
from tests.helpers.stores import Stores

NOW = datetime(2026, 5, 1, 12, 30, 15, 250_000, tzinfo=timezone.utc)
AT = datetime(2026, 5, 2, 2, 30, tzinfo=timezone.utc)
DAY = timedelta(days=1)
HOLDER = Holder("ann@here, process 7", "another machine", 7)
OTHER = Holder("bob@there, process 8", "yet another", 8)
GONE = Holder("eve@here, process 9", this_process().machine, 4_194_303)
DEFINITION = Definition(
    action=Action(method=MethodCall(name="reboot")), targets=Targets(selection=Selection(condition="tags.site = 'n'"))
)
SCHEDULE = Schedule(
    rule=Rule(frequency=Frequency.MONTHLY, at=time(2, 30), month_days=(1, -1)),
    zone="Europe/Berlin",
    starts=datetime(2026, 5, 1),
    ends=datetime(2027, 5, 1, 23, 59, 59),
    window=Window(time(2), time(4)),
    jitter_s=90.0,
    missed=Missed.ALL,
    catch_up_s=7200.0,
    overlap=Overlap.WAIT,
)
DAILY = Schedule(rule=Rule(frequency=Frequency.DAILY, at=time(2, 30)), zone="UTC")
MISSED, SKIPPED, WAITING = OccurrenceState.MISSED, OccurrenceState.SKIPPED, OccurrenceState.WAITING


@pytest.fixture
def store(stores: Stores) -> SqlStore:
    store = stores.open()
    store.definitions.add("job", "h", DEFINITION, at=NOW, by="ann", origin=None)
    return store


def new_run(store: SqlStore, **more: Any) -> Run:
    store.candidates.collect([("d1", None)], seed=0)
    values: dict[str, Any] = {
        "fleet_job_id": "job",
        "version": 1,
        "run_key": "abcdefgh",
        "driver": Driver.CALLS,
        "driver_reason": "so",
        "delivery": Delivery(),
        "sizes": parse_batch_sizes("4", "--batch"),
        "at": NOW,
        "by": "ann",
    }
    return store.runs.add(NewRun(**(values | more)))


@pytest.mark.parametrize(
    "schedule",
    [
        SCHEDULE,
        DAILY,
        Schedule(rule=Rule(frequency=Frequency.ONCE, at=time(2), on_date=AT.date()), zone="UTC"),
        Schedule(rule=Rule(frequency=Frequency.WEEKLY, at=time(2), weekdays=(0, 6)), zone="UTC", times=3),
        Schedule(rule=Rule(frequency=Frequency.CRON, cron="30 2 * * 1-5"), zone="Asia/Kathmandu"),
    ],
)
def test_a_schedule_is_stored_whole(store: SqlStore, schedule: Schedule) -> None:
    saved = store.schedules.save("job", schedule, at=NOW, by="ann", store_key="aaaaaaaa")
    assert store.schedules.get("job") == saved and store.schedules.list_all() == [saved]
    assert (saved.schedule, saved.set_at, saved.set_by, saved.host) == (schedule, NOW, "ann", "h")


def test_another_one_takes_its_place_and_the_store_keeps_its_key(store: SqlStore) -> None:
    store.schedules.save("job", SCHEDULE, at=NOW, by="ann", store_key="aaaaaaaa")
    store.schedules.polled("job", NOW)
    store.schedules.remove("job")
    assert store.schedules.get("job") is None and store.schedules.list_all() == []
    again = store.schedules.save("job", DAILY, at=NOW + DAY, by="bob", store_key="bbbbbbbb")
    assert (again.schedule, again.set_by, again.store_key, again.polled_at) == (DAILY, "bob", "aaaaaaaa", None)


def test_a_fleet_job_that_is_not_there_has_no_schedule(store: SqlStore) -> None:
    with pytest.raises(NotFound):
        store.schedules.save("other", DAILY, at=NOW, by="ann", store_key="aaaaaaaa")
    assert store.schedules.get("other") is None


def test_one_claims_it_and_nobody_else_does_while_that_process_lives(store: SqlStore) -> None:
    claim = store.occurrences.claim("job", AT, HOLDER, NOW)
    assert claim is not None
    assert store.occurrences.claim("job", AT, OTHER, NOW) is None
    assert [each.is_held for each in store.occurrences.open("job", NOW)] == [True]
    later = NOW + timedelta(seconds=CLAIM_S - 1)
    claim.beat(later)
    assert store.occurrences.claim("job", AT, OTHER, later + timedelta(seconds=BEAT_S)) is None, "it is kept alive"


def test_who_is_silent_for_too_long_has_lost_it_and_makes_no_run(store: SqlStore) -> None:
    claim = store.occurrences.claim("job", AT, HOLDER, NOW)
    later = NOW + timedelta(seconds=CLAIM_S + 1)
    other = store.occurrences.claim("job", AT, OTHER, later)
    assert claim is not None and other is not None
    for lost in (
        lambda: claim.beat(later),
        lambda: claim.release("why", later),
        lambda: claim.settle(OccurrenceState.TAKEN, "why", later),
        lambda: new_run(store, claim=claim.key),
    ):
        with pytest.raises(LeaseLost, match="silent for too long"):
            lost()
    assert store.runs.last("job") is None, "nothing of the run is left"
    assert new_run(store, claim=other.key).occurrence_at == AT


def test_who_is_gone_has_lost_it_at_once(store: SqlStore) -> None:
    assert store.occurrences.claim("job", AT, GONE, NOW) is not None
    assert [each.is_held for each in store.occurrences.open("job", NOW)] == [False]
    assert store.occurrences.claim("job", AT, HOLDER, NOW) is not None


def test_its_run_takes_the_claim_over_in_one_change(store: SqlStore) -> None:
    claim = store.occurrences.claim("job", AT, HOLDER, NOW)
    assert claim is not None
    run = new_run(store, claim=claim.key)
    found = store.occurrences.get("job", AT)
    assert found is not None
    assert (found.state, found.run_number, found.is_held) == (OccurrenceState.STARTED, run.number, False)
    assert store.runs.get("job").occurrence_at == AT and store.occurrences.open("job", NOW) == []
    assert store.occurrences.claim("job", AT, OTHER, NOW + DAY) is None, "it is started once"
    with pytest.raises(LeaseLost):
        claim.settle(MISSED, "too late", NOW)


def test_what_was_left_says_why_and_is_claimed_again(store: SqlStore) -> None:
    claim = store.occurrences.claim("job", AT, HOLDER, NOW)
    assert claim is not None
    claim.release("The hub was away.", NOW)
    (left,) = store.occurrences.open("job", NOW)
    assert (left.note, left.is_held, left.state) == ("The hub was away.", False, OccurrenceState.CLAIMED)
    assert store.occurrences.claim("job", AT, OTHER, NOW) is not None


def test_what_became_of_it_is_recorded_once(store: SqlStore) -> None:
    decided = [Decided(AT, MISSED, "too late"), Decided(AT + DAY, WAITING, "behind run 1")]
    first = store.occurrences.record("job", decided, now=NOW, by="ann")
    assert [(each.at, each.state, each.note) for each in first] == [
        (each.at, each.state, each.note) for each in decided
    ]
    again = [decided[0]._replace(state=SKIPPED), decided[1]._replace(state=SKIPPED)]
    second = store.occurrences.record("job", again, now=NOW, by="bob")
    assert [each.at for each in second] == [AT + DAY], "one that waits may still be skipped; what is missed is missed"
    held = store.occurrences.claim("job", AT + 2 * DAY, HOLDER, NOW)
    assert held is not None
    assert store.occurrences.record("job", [Decided(AT + 2 * DAY, MISSED, "")], now=NOW, by="bob") == []


def test_the_newest_divides_time_and_backfills_do_not(store: SqlStore) -> None:
    assert store.occurrences.last_at("job") is None
    store.occurrences.record("job", [Decided(AT, MISSED, "too late")], now=NOW, by="ann")
    assert store.occurrences.claim("job", AT + DAY, HOLDER, NOW, is_backfill=True) is not None
    assert store.occurrences.last_at("job") == AT
    assert [each.is_backfill for each in store.occurrences.list_all("job")] == [True, False]
    assert len(store.occurrences.list_all("job", 1)) == 1


def test_many_at_once_start_one_run(store: SqlStore, stores: Stores) -> None:
    barrier = threading.Barrier(8)

    def claims(number: int) -> bool:
        own = stores.open()
        barrier.wait(30)
        claim = own.occurrences.claim("job", AT, replace(HOLDER, pid=number), NOW)
        if claim is not None:
            new_run(own, claim=claim.key)
        own.close()
        return claim is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claims, range(8))) == 1
    assert [run.number for run in store.runs.list_all("job")] == [1]


def test_old_history_goes_and_what_has_run_and_the_newest_occurrence_stay(store: SqlStore) -> None:
    claim = store.occurrences.claim("job", AT, HOLDER, NOW)
    assert claim is not None
    run = new_run(store, claim=claim.key)
    lease = store.take_lease(run, HOLDER, NOW)
    lease.end(RunEvent.CANCEL, NOW, reason=None, by=None)
    store.occurrences.record(
        "job", [Decided(AT + DAY, MISSED, ""), Decided(AT + 2 * DAY, MISSED, "")], now=NOW, by="me"
    )
    assert store.history.prune(AT + 90 * DAY) == 1
    assert [(each.at, each.state, each.run_number) for each in store.occurrences.list_all("job")] == [
        (AT + 2 * DAY, MISSED, None),
        (AT, OccurrenceState.STARTED, None),
    ], "a backfill must not run it again"
    store.history.delete_fleet_job("job")
    assert store.occurrences.list_all("job") == [] and store.schedules.list_all() == []


def test_an_occurrence_that_was_started_says_what_has_become_of_its_run(store: SqlStore) -> None:
    store.occurrences.record("job", (Decided(AT - DAY, MISSED, "Nobody looked."),), now=NOW, by="ann")
    claim = store.occurrences.claim("job", AT, HOLDER, NOW)
    assert claim is not None
    run = new_run(store, claim=claim.key)

    def states() -> list[RunState | None]:
        got = store.occurrences.get("job", AT)
        found = store.occurrences.list_all("job")
        assert got == found[0]
        return [each.run_state for each in found]

    assert states() == [RunState.PENDING, None]
    leased = store.take_lease(run, HOLDER, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    assert states() == [RunState.RUNNING, None]
    leased.end(RunEvent.CANCEL, NOW, reason=None, by="ann")
    assert states() == [RunState.CANCELED, None]
    assert store.history.prune(NOW + DAY) == 1
    assert states() == [None], "its record was deleted, and what was missed with it"
