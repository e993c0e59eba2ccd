"""What the store says of what is under way: devices in hub jobs are not pending, and clocks do not turn time round."""

import sqlite3
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import pytest

from azext_iotjobs.fleet_job.hub_job import HubJob, HubJobState
from azext_iotjobs.fleet_job.plan import PlannedHubJob, hub_job_id, parse_words
from azext_iotjobs.fleet_job.store.contract import NewRun, ResultFilter
from azext_iotjobs.fleet_job.store.holder import Holder, this_process
from azext_iotjobs.fleet_job.store.leased_contract import LeasedRun
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.attempt import AttemptResult
from azext_iotjobs.model.errors import BadValue, RunUnfinished
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets, check_id
from azext_iotjobs.model.ids import JOB, can_be
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.run import Narrowed
from azext_iotjobs.model.run_state import BatchState, DeviceState, RunEvent, RunState
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.tier import TierFacts
from tests.helpers.old_state_file import make_older
from tests.helpers.stores import Stores

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=timezone.utc)
GONE = Holder("ann@here, process 7", this_process().machine, 4_194_303)
DEFINITION = Definition(
    action=Action(method=MethodCall(name="reboot")), targets=Targets(selection=Selection(condition="tags.a = 1"))
)


@pytest.fixture
def store(stores: Stores) -> SqlStore:
    store = stores.open()
    store.definitions.add("job", "h", DEFINITION, at=NOW, by="ann", origin=None)
    return store


def begun(store: SqlStore, holder: Holder, driver: Driver = Driver.JOBS, devices: int = 10) -> LeasedRun:
    store.candidates.collect(((f"d{number:02}", None) for number in range(devices)), seed=0)
    new = NewRun(
        fleet_job_id="job",
        version=1,
        run_key="abcdefgh",
        driver=driver,
        driver_reason="so",
        delivery=Delivery(),
        sizes=parse_batch_sizes("6", "--batch"),
        at=NOW,
        by="ann",
        tier=TierFacts("S2", 3),
        narrowed=Narrowed(sample_percent=Fraction("2.5"), seed=7),
    )
    leased = store.take_lease(store.runs.add(new), holder, NOW)
    leased.begin(RunEvent.START, NOW, forgiven_of_run=0, forgiven_of_batch=0)
    leased.begin_batch(1, NOW)
    return leased


def in_job(leased: LeasedRun, number: int = 1, count: int = 4, state: HubJobState = HubJobState.SUBMITTED) -> HubJob:
    part = HubJob(
        batch=1, number=number, job_id=f"x-{number}", condition="c", state=state, submitted_at=NOW, limit_s=90
    )
    leased.hub_jobs.add(part, PlannedHubJob("c", tuple(leased.devices.due(1, NOW, count))), NOW)
    leased.hub_jobs.save(part, NOW)
    return part


def completed(seq: int) -> AttemptResult:
    return AttemptResult(seq=seq, state=DeviceState.COMPLETED, tries=1, began_at=NOW, ended_at=NOW)


def counts(store: SqlStore) -> tuple[int, ...]:
    """How many wait, are in progress, have completed, have failed and are uncertain, as people see it."""
    run = store.runs.get("job")
    tally = run.tally.seen(has_runner=run.has_runner)
    counted = (tally.not_begun, tally.in_progress, tally.completed, tally.failed, tally.uncertain)
    assert sum(counted) == tally.total
    return counted


def words(store: SqlStore) -> dict[str, int]:
    found: dict[str, int] = {}
    run = store.runs.get("job")
    for page in store.results.pages(run, ResultFilter()):
        for row in page.rows:
            found[row.status] = found.get(row.status, 0) + 1
            assert row.device_id in [
                each.device_id
                for one in store.results.pages(run, ResultFilter(words=frozenset({row.status})))
                for each in one.rows
            ]
    return found


def test_devices_of_hub_jobs_are_in_progress_from_the_sending_until_their_end_is_recorded(store: SqlStore) -> None:
    leased = begun(store, this_process())
    planned = in_job(leased, state=HubJobState.PLANNED)
    assert counts(store) == (10, 0, 0, 0, 0) and words(store) == {"pending": 10}
    for state in (HubJobState.SUBMITTING, HubJobState.SUBMITTED):
        leased.hub_jobs.save(HubJob(**{**vars(planned), "state": state}), NOW)
        assert counts(store) == (6, 4, 0, 0, 0) and words(store) == {"pending": 6, "in-progress": 4}
    other = in_job(leased, number=2, count=1)
    assert counts(store) == (5, 5, 0, 0, 0)
    leased.devices.write(NOW, ended=[completed(1), completed(2)])
    assert counts(store) == (5, 3, 2, 0, 0)
    leased.hub_jobs.close(planned, NOW, ended=[completed(3)], note="cancelled")  # the fourth waits again
    assert counts(store) == (6, 1, 3, 0, 0) and words(store) == {"pending": 6, "in-progress": 1, "completed": 3}
    leased.end(RunEvent.STOP, NOW, reason=None, by=None)
    run = store.runs.get("job")
    assert counts(store) == (6, 1, 3, 0, 0), "a hub's job goes on when its run is stopped"
    (batch, later) = store.runs.batches(run)
    assert batch.tally.seen(has_runner=run.has_runner).in_progress == 1 and later.tally.in_progress == 0
    assert [each.job_id for each in store.runs.hub_jobs_in_progress(run)] == [other.job_id]


def test_calls_under_way_are_in_progress_and_those_of_a_process_that_is_gone_uncertain(store: SqlStore) -> None:
    leased = begun(store, this_process(), Driver.CALLS)
    leased.devices.write(NOW, ended=[], begun=leased.devices.due(1, NOW, 3))
    assert counts(store) == (7, 3, 0, 0, 0) and words(store) == {"pending": 7, "in-progress": 3}
    assert [(each.device_id, each.began_at) for each in store.runs.calls_in_progress(store.runs.get("job"))] == [
        (each, NOW) for each in ("d00", "d01", "d02")
    ]
    leased.release()
    assert counts(store) == (7, 0, 0, 0, 3) and words(store) == {"pending": 7, "uncertain": 3}


def test_what_the_hub_counts_is_kept_with_its_instant(store: SqlStore) -> None:
    leased = begun(store, this_process())
    hub_job = in_job(leased)
    tally = JobTally(device_count=4, failed_count=1, succeeded_count=2, running_count=0, pending_count=1)
    leased.hub_jobs.save_progress(hub_job, tally, ("d03", "half\ud800"), NOW)
    (job,) = store.runs.hub_jobs_in_progress(store.runs.get("job"))
    assert (job.tally, job.seen_at, job.awaited[0], len(job.awaited)) == (tally, NOW, "d03", 2)
    assert (job.until, job.size, job.open_count, job.ended_count) == (NOW + timedelta(seconds=90), 4, 4, 3)
    leased.devices.write(NOW, ended=[completed(1), completed(2)])  # read from the hub's rows
    (job,) = store.runs.hub_jobs_in_progress(store.runs.get("job"))
    assert (job.open_count, job.ended_count) == (2, 1), "no device is counted twice"


def test_a_runs_tier_and_fewer_devices_are_kept(store: SqlStore) -> None:
    begun(store, this_process())
    run = store.runs.get("job")
    assert (run.tier, run.narrowed) == (TierFacts("S2", 3), Narrowed(sample_percent=Fraction("2.5"), seed=7))


def test_a_file_of_the_second_version_with_hub_jobs_under_way_is_taken_over(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path)
    store.definitions.add("job", "h", DEFINITION, at=NOW, by="ann", origin=None)
    leased = begun(store, GONE)
    in_job(leased)
    closed = in_job(leased, number=2, count=1)
    leased.devices.write(NOW, ended=[completed(1)])
    leased.hub_jobs.close(closed, NOW, ended=[completed(5)])
    store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as raw:  # as it was then
        make_older(raw, 2)
    raw.close()
    store = SqliteStore.open(tmp_path)
    assert counts(store) == (5, 3, 2, 0, 0)
    (job,) = store.runs.hub_jobs_in_progress(run := store.runs.get("job"))
    assert (job.open_count, job.until, job.tally, run.tier, run.narrowed) == (3, None, None, None, None)
    store.take_lease(run, this_process(), NOW).devices.write(NOW, ended=[completed(2)])
    assert counts(store) == (5, 2, 3, 0, 0), "counted on from there"
    store.close()


def test_a_clock_that_is_set_back_between_processes_moves_no_stored_instant_before_another(store: SqlStore) -> None:
    leased = begun(store, this_process())
    leased.devices.write(NOW, ended=[completed(number) for number in range(1, 7)])
    leased.end_batch(1, NOW + timedelta(seconds=50), NOW)
    leased.release()
    earlier = NOW - timedelta(days=1)
    later = store.take_lease(store.runs.get("job"), this_process(), earlier)
    later.begin_batch(2, earlier)
    later.devices.write(earlier, ended=[completed(number) for number in range(7, 11)])
    later.end_batch(2, earlier, earlier)
    later.end(RunEvent.FINISH, earlier, reason=None, by=None)
    run = store.runs.get("job")
    instants = [run.created_at, run.started_at]
    for batch in store.runs.batches(run):
        assert batch.state is BatchState.COMPLETED
        instants += [batch.started_at, batch.ended_at]
    instants.append(run.ended_at)
    assert None not in instants and instants == sorted(instants, key=lambda each: each or NOW)
    assert run.ended_at == NOW + timedelta(seconds=50)


def test_a_canceled_run_that_never_began_ends_no_sooner_than_it_was_made(store: SqlStore) -> None:
    store.candidates.collect([("d", None)], seed=0)
    new = NewRun(
        fleet_job_id="job",
        version=1,
        run_key="abcdefgh",
        driver=Driver.CALLS,
        driver_reason="so",
        delivery=Delivery(),
        sizes=parse_batch_sizes("6", "--batch"),
        at=NOW,
        by="ann",
    )
    run = store.runs.add(new)
    earlier = NOW - timedelta(hours=1)
    store.take_lease(run, this_process(), earlier).end(RunEvent.CANCEL, earlier, reason=None, by="ann")
    assert store.runs.get("job").ended_at == NOW


@pytest.mark.parametrize(
    "fleet_job_id", ["night.fw", "night_fw", "fw-4.10_b", "0.1", "a_", "a.", "a..b", "x" * 40, "a" + "._-" * 13]
)
def test_ids_may_hold_dots_and_underscores_and_hub_job_ids_stay_legal(fleet_job_id: str) -> None:
    assert check_id(fleet_job_id) == fleet_job_id
    for batch, part in ((1, 1), (999_999, 1), (1, 50)):
        job_id = hub_job_id(fleet_job_id, "abcdefgh", batch, part)
        assert can_be(JOB, job_id) and "." not in job_id and "_" not in job_id


@pytest.mark.parametrize("fleet_job_id", [".a", "_a", "-a", "..", "A", "a b", "a/b", "é", "a'b", "x" * 41, ""])
def test_other_ids_are_refused(fleet_job_id: str) -> None:
    with pytest.raises(BadValue, match="dot and underscore"):
        check_id(fleet_job_id)


@pytest.mark.parametrize("fleet_job_id", ["Reboot-1", "FW_7.A", "A"])
def test_an_id_with_capitals_is_told_why_and_the_one_without(fleet_job_id: str) -> None:
    with pytest.raises(BadValue) as refused:
        check_id(fleet_job_id, "-j")
    hint = str(refused.value.hint)
    assert hint.startswith(f"For example -j {fleet_job_id.lower()}. ") and "refused by hubs" in hint


def test_devices_in_progress_can_be_meant_by_a_word_of_their_own() -> None:
    assert parse_words("pending,in-progress") == {"pending", "in-progress"}


@pytest.mark.parametrize(
    ("state", "holder", "said"),
    [
        (RunState.RUNNING, this_process(), f"is running, executed by {this_process().owner}"),
        (RunState.RUNNING, GONE, "is running, and no process executes it: ann@here, process 7 is gone"),
        (RunState.STOPPED, GONE, "is stopped by bob; another can begin when it has ended. Why: lunch"),
    ],
    ids=["executed", "unattended", "stopped"],
)
def test_another_run_is_refused_with_the_one_that_has_not_ended_its_state_and_whose_it_is(
    store: SqlStore, state: RunState, holder: Holder, said: str
) -> None:
    leased = begun(store, holder)
    if state is RunState.STOPPED:
        leased.end(RunEvent.STOP, NOW, reason="lunch", by="bob")
    store.candidates.collect([("d", None)], seed=0)
    with pytest.raises(RunUnfinished) as raised:
        store.runs.add(
            NewRun(
                fleet_job_id="job",
                version=1,
                run_key="12345678",
                driver=Driver.CALLS,
                driver_reason="so",
                delivery=Delivery(),
                sizes=parse_batch_sizes("6", "--batch"),
                at=NOW,
                by="ann",
            )
        )
    assert f"Run 1 of fleet job job {said}" in str(raised.value)
    is_led = holder == this_process()
    for way in ("watch" if is_led else "resume", "cancel", "run"):
        assert f"az iot hub fleet-job {way} fleet_job_id=job" in str(raised.value.hint)
    for way in ("resume", "cancel"):
        assert f"az iot hub fleet-job run fleet_job_id=job if_unfinished={way}" in str(raised.value.hint)
    assert len(store.runs.list_all("job")) == 1
