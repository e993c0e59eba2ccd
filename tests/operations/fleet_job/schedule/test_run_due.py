"""Polls of a schedule: what is due starts once, what cannot is said, windows and earlier runs are minded."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.due import delay_of
from azext_iotjobs.fleet_job.store.holder import Holder
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import BadValue, LinkLost, NotFound
from azext_iotjobs.model.fleet_job import Driver, FleetJob
from azext_iotjobs.model.ids import JOB, can_be
from azext_iotjobs.model.occurrence import OccurrenceState
from azext_iotjobs.model.rollout import Threshold, ThresholdAction
from azext_iotjobs.model.run import RequestKind, StopRequest
from azext_iotjobs.model.run_events import RunEnded
from azext_iotjobs.model.run_state import RunEvent, RunState
from azext_iotjobs.model.schedule import BY_SCHEDULE, Frequency, Missed, Overlap, Rule, Schedule, Window
from azext_iotjobs.model.share import parse_share
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.operations.fleet_job.schedule import saved
from azext_iotjobs.operations.fleet_job.schedule.claims import claim_id
from azext_iotjobs.operations.fleet_job.schedule.run_due import What, backfill, poll_all
from tests.helpers.fleet_job_hub_double import StopDouble, definition_of
from tests.helpers.fleet_job_setup import OFFLINE, CallingList, by_both
from tests.helpers.schedule_setup import DAY, DEVICES, FIRST, HOUR, METHOD, ScheduledWorld, daily
from tests.helpers.transport_double import response

SECOND = FIRST + DAY


@pytest.fixture
def world(tmp_path: Path) -> ScheduledWorld:
    return ScheduledWorld(tmp_path / "state")


@by_both
def test_what_is_due_starts_once_and_its_devices_are_chosen_anew(world: ScheduledWorld, driver: Driver) -> None:
    store = world.begin(daily(), driver)
    assert world.poll(store) == [] and world.called() == {0}
    assert world.poll_at(store, FIRST) == [("started", FIRST)]
    assert world.poll(store) == [] and world.called() == {1}
    assert world.poll_at(store, SECOND) == [("started", SECOND)] and world.called() == {2}
    assert [(run.number, run.occurrence_at) for run in store.runs.list_all("job")] == [(2, SECOND), (1, FIRST)]
    assert [each.run_number for each in store.occurrences.list_all("job")] == [2, 1]


def test_more_devices_than_are_allowed_here_are_not_operated(world: ScheduledWorld) -> None:
    def to_three(job: FleetJob) -> FleetJob:
        definition = job.definition
        return replace(job, definition=replace(definition, targets=replace(definition.targets, max_devices=3)))

    store = world.begin(daily())
    (found,) = _at(world, store, FIRST, limited=to_three)
    assert found.what.value == "not-started" and "3" in (found.note or "") and world.called() == {0}
    assert [each.what.value for each in world.poll(store)] == ["started"]


def test_two_processes_on_one_store_start_it_once(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    claim = store.occurrences.claim("job", FIRST, replace(world.holder, machine="other"), FIRST)
    assert claim is not None and world.poll_at(store, FIRST) == [], "the other one makes its run"
    claim.release(None, FIRST)
    assert world.poll(store)[0].at == FIRST and world.called() == {1}


@by_both
def test_of_two_stores_on_one_hub_one_starts_it(tmp_path: Path, world: ScheduledWorld, driver: Driver) -> None:
    store = world.begin(daily(), driver)
    other = world.beside(tmp_path / "other")
    other_store = other.begin(daily(), Driver.CALLS)
    assert world.poll_at(store, FIRST) == [("started", FIRST)]
    assert [(each.what.value, each.note) for each in other.poll(other_store)] == [
        ("taken", "It was started from another state folder, by ann@here.")
    ]
    assert other.poll(other_store) == [] and world.called() == {1}
    assert other.poll_at(other_store, SECOND) == [("started", SECOND)], "the next is whoever's is quicker"
    assert world.poll(store)[0].what.value == "taken" and world.called() == {2}


def test_a_copy_of_a_store_starts_nothing_again_and_says_whose_it_was(world: ScheduledWorld, tmp_path: Path) -> None:
    store = world.begin(daily())
    copy = world.beside(tmp_path / "copy", key=world.key)
    copied = copy.begin(daily())
    assert world.poll_at(store, FIRST) == [("started", FIRST)]
    (left,) = copy.poll(copied)
    note = "It was claimed by a copy of this state folder, by ann@here; look there whether it ran."
    assert (left.what.value, left.note) == ("missed", note) and world.called() == {1}
    assert copy.poll(copied) == []


def test_fleet_jobs_with_names_that_a_hub_cannot_tell_apart_have_claims_of_their_own() -> None:
    names = ("fw.eu", "fw_eu", "fw-eu")
    claims = [claim_id(each, FIRST) for each in names]
    assert len(set(claims)) == 3 and all(each.startswith("fw-eu-20260102t050000z-") for each in claims)
    assert can_be(JOB, claim_id("x" * 40, FIRST)), "of the longest name"


def test_a_claim_whose_answer_was_lost_is_known_as_our_own(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    lost: list[str] = []

    def loses(request: Any) -> Any:
        if request.method == "PUT" and not lost:
            lost.append(request.path)
            world.hub._put(request, request.path.rpartition("/")[2])
            raise LinkLost("the connection broke")
        return None

    world.hub.refuses = loses
    assert [(each.what.value, each.note) for each in _at(world, store, FIRST)] == [
        ("not-started", "the connection broke")
    ]
    (left,) = store.occurrences.open("job", FIRST)
    assert (left.state, left.note) == (OccurrenceState.CLAIMED, "the connection broke")
    assert [each.what.value for each in world.poll(store)] == ["started"] and world.called() == {1}


def test_a_foreign_job_of_that_id_takes_it_and_is_named(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    now = "2026-01-01T00:00:00Z"
    job = {"jobId": claim_id("job", FIRST), "type": "scheduleUpdateTwin", "status": "completed", "startTime": now}
    world.hub.jobs[claim_id("job", FIRST)] = {**job, "queryCondition": "*", "unseen": 3, "rows": []}
    (taken,) = _at(world, store, FIRST)
    assert (
        taken.note
        == f"It was started from another state folder, by a job {claim_id('job', FIRST)} that is not a claim."
    )
    assert world.called() == {0}


def test_while_all_job_slots_are_taken_a_claim_waits(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    world.hub.slots = 0
    world.clock.set_s += (FIRST - world.clock.now()).total_seconds()
    since = world.clock.passed_s

    def free() -> bool:
        if world.clock.passed_s - since > 30:
            world.hub.slots = None
        return False

    assert [each.what.value for each in world.poll(store, StopDouble(when=free))] == ["started"]
    assert 30 < world.clock.passed_s - since < 60


def test_ctrl_c_while_a_claim_waits_leaves_it_to_the_next_look(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    world.hub.slots = 0
    (left,) = _at(world, store, FIRST, StopDouble(after=1))
    assert left.what.value == "not-started" and "Ctrl-C" in (left.note or "")
    world.hub.slots = None
    assert [each.what.value for each in world.poll(store)] == ["started"]


def test_an_error_of_one_schedule_keeps_nobody_from_the_others(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    world.save(store, definition_of(METHOD, DEVICES, Driver.CALLS), "a-first")
    odd = replace(daily(), zone="Moon/Tranquility")
    store.schedules.save("a-first", odd, at=world.clock.now(), by="ann", store_key=world.key)
    world.clock.set_s += (FIRST - world.clock.now()).total_seconds()
    happened = poll_all(store.schedules.list_all(), world.due_context(store))
    assert [(each.fleet_job_id, each.what.value) for each in happened] == [
        ("a-first", "not-started"),
        ("job", "started"),
    ]
    assert "Moon/Tranquility" in (happened[0].note or "")
    with pytest.raises(BadValue, match="Moon/Tranquility"):
        poll_all(store.schedules.list_all()[:1], world.due_context(store))


def test_a_claim_that_another_process_has_taken_over_is_left_to_it(world: ScheduledWorld) -> None:
    store = world.begin(daily())

    def slow(request: Any) -> Any:
        later = world.clock.now() + timedelta(hours=1)
        store.occurrences.claim("job", FIRST, replace(world.holder, machine="other"), later)
        raise LinkLost("the hub is away")

    world.hub.refuses = slow
    assert world.poll_at(store, FIRST) == [("not-started", FIRST)]
    (other,) = store.occurrences.open("job", world.clock.now())
    assert other.is_held


def test_a_hub_that_is_away_is_said_and_the_next_look_starts_it(world: ScheduledWorld) -> None:
    store = world.begin(daily())

    def away(request: Any) -> Any:
        raise LinkLost("the hub is away")

    world.hub.refuses = away
    assert world.poll_at(store, FIRST) == [("not-started", FIRST)]
    world.hub.refuses = lambda request: None
    assert world.poll_at(store, FIRST + HOUR) == [("started", FIRST)] and world.called() == {1}


def test_what_could_not_start_until_the_next_was_due_is_missed(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    refused = response({"Message": "no"}, status=403, iothub_errorcode="Forbidden")
    world.hub.refuses = lambda request: refused
    assert world.poll_at(store, FIRST) == [("not-started", FIRST)]
    world.hub.refuses = lambda request: None
    assert world.poll_at(store, SECOND) == [("missed", FIRST), ("started", SECOND)]
    note = store.occurrences.list_all("job")[1].note or ""
    assert note.startswith("It could not be started before the next was due.") and len(note) > 60


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        (Missed.ONCE, [("missed", 0), ("missed", 1), ("started", 2)]),
        (Missed.SKIP, [("missed", 0), ("missed", 1), ("missed", 2)]),
        (Missed.ALL, [("missed", 0), ("started", 1), ("started", 2)]),
    ],
)
def test_after_three_days_off_each_policy_is_kept_and_nothing_is_unsaid(
    world: ScheduledWorld, missed: Missed, expected: list[tuple[str, int]]
) -> None:
    store = world.begin(daily(missed=missed, catch_up_s=30 * 3600.0))
    found = world.poll_at(store, FIRST + 2 * DAY + HOUR)
    assert found == [(what, FIRST + day * DAY) for what, day in expected]
    assert world.poll(store) == []


def test_a_window_stops_a_run_and_it_goes_on_when_that_opens_again(world: ScheduledWorld) -> None:
    window = Window(time(5), time(5, 2))
    store = world.begin(daily(window=window, overlap=Overlap.SKIP), sizes="1", pause_s=50)
    (first,) = _at(world, store, FIRST)
    assert first.run is not None
    assert (first.run.state, first.run.ended_by, first.run.tally.completed) == (RunState.STOPPED, BY_SCHEDULE, 3)
    assert first.note == "Its window has shut; it continues when that opens again."
    assert world.poll_at(store, FIRST + 2 * HOUR) == []
    assert world.poll_at(store, SECOND) == [("skipped", SECOND), ("resumed", FIRST)]
    assert store.runs.get("job").state is RunState.COMPLETED and world.called() == {1}


def test_a_window_that_shuts_while_a_run_is_made_lets_no_device_be_operated(world: ScheduledWorld) -> None:
    store = world.begin(daily(window=Window(time(5), time(5, 2))))
    world.hub.slots = 0
    world.clock.set_s += (FIRST - world.clock.now()).total_seconds()

    def free() -> bool:
        if world.clock.now() > FIRST + timedelta(minutes=3):
            world.hub.slots = None
        return False

    (found,) = world.poll(store, StopDouble(when=free))
    assert found.run is not None and world.called() == {0}
    assert (found.run.state, found.run.ended_by) == (RunState.STOPPED, BY_SCHEDULE)
    assert world.poll_at(store, FIRST + DAY - HOUR) == [] and world.called() == {0}
    assert world.poll_at(store, SECOND)[-1] == ("resumed", FIRST) and world.called() == {1}


def test_outside_its_window_a_late_one_waits_for_it(world: ScheduledWorld) -> None:
    store = world.begin(daily(window=Window(time(4), time(6))))
    assert world.poll_at(store, FIRST + 2 * HOUR) == []
    assert world.poll_at(store, FIRST + 23 * HOUR) == [("started", FIRST)]


@pytest.mark.parametrize(
    ("overlap", "expected", "state"),
    [
        (Overlap.SKIP, [("skipped", SECOND)], RunState.STOPPED),
        (Overlap.STOP, [("skipped", SECOND)], RunState.STOPPED),
        (Overlap.WAIT, [("waiting", SECOND)], RunState.STOPPED),
        (Overlap.CANCEL, [("started", SECOND)], RunState.CANCELED),
    ],
)
def test_a_run_that_somebody_stopped_waits_for_somebody(
    world: ScheduledWorld, overlap: Overlap, expected: list[tuple[str, datetime]], state: RunState
) -> None:
    store = world.begin(daily(overlap=overlap))
    found = _at(world, store, FIRST, StopDouble(after=8))
    assert [each.run.state for each in found if each.run is not None] == [RunState.STOPPED]
    assert world.poll(store) == [], "Ctrl-C was somebody"
    assert world.poll_at(store, SECOND) == expected
    assert store.runs.get("job", 1).state is state
    if overlap is Overlap.WAIT:
        run_loop.resume(store.runs.get("job"), world.context(store))
        assert world.poll_at(store, SECOND + HOUR) == [("started", SECOND)], "now that the first has ended"


@by_both
def test_a_run_whose_process_a_signal_stopped_goes_on_at_the_next_look(world: ScheduledWorld, driver: Driver) -> None:
    store = world.begin(daily(), driver)
    (found,) = _at(world, store, FIRST, StopDouble(after=8), stop_by=BY_SCHEDULE)
    assert found.run is not None and found.run.state is RunState.STOPPED
    assert (found.run.ended_by, found.note) == (BY_SCHEDULE, "Stopped by Ctrl-C or a signal.")
    assert [each.what.value for each in world.poll(store)] == ["resumed"]
    assert store.runs.get("job").state is RunState.COMPLETED and world.called() == {1}


def test_a_run_that_a_second_ctrl_c_left_at_once_goes_on_at_the_next_look(world: ScheduledWorld) -> None:
    store = world.begin(daily())

    def second() -> bool:
        if any(world.hub.operated.values()):
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        _at(world, store, FIRST, StopDouble(when=second), stop_by=BY_SCHEDULE)
    run = store.runs.get("job")
    assert (run.state, run.ended_by) == (RunState.STOPPED, BY_SCHEDULE)
    assert [each.what.value for each in world.poll(store)] == ["resumed"]


def test_overlap_stop_stops_a_run_that_another_process_executes(world: ScheduledWorld) -> None:
    store = world.begin(daily(overlap=Overlap.STOP))
    _at(world, store, FIRST, StopDouble(after=8))
    run = store.runs.get("job")
    other = Holder("bob@there", "another machine", 7)
    lease = store.take_lease(run, other, world.clock.now() + DAY)
    lease.begin(RunEvent.RESUME, SECOND, forgiven_of_run=0, forgiven_of_batch=0)
    assert world.poll_at(store, SECOND) == [("skipped", SECOND)]
    request = store.runs.get("job").stop_request
    assert request is not None and request.by == "its schedule's overlap policy"


def test_a_run_that_its_threshold_stopped_is_not_resumed(world: ScheduledWorld) -> None:
    threshold = Threshold(share=parse_share("0", "--cth"), action=ThresholdAction.STOP)
    world.hub.fails = lambda device: OFFLINE if device == "d0" else None
    store = world.begin(daily(), threshold=threshold, sizes="1")
    (found,) = _at(world, store, FIRST)
    assert found.run is not None and found.run.state is RunState.STOPPED
    assert world.poll(store) == []


@pytest.mark.parametrize(
    ("kind", "state"), [(RequestKind.STOP, RunState.STOPPED), (RequestKind.CANCEL, RunState.CANCELED)]
)
def test_what_a_person_requested_of_a_run_whose_process_is_gone_is_done(
    world: ScheduledWorld, kind: RequestKind, state: RunState
) -> None:
    store = world.begin(daily(), sizes="1")
    _at(world, store, FIRST, StopDouble(when=lambda: bool(world.hub.operated)))
    run = store.runs.get("job")
    lease = store.take_lease(run, world.holder, world.clock.now())
    lease.begin(RunEvent.RESUME, world.clock.now(), forgiven_of_run=0, forgiven_of_batch=0)
    store.runs.request_stop(run, StopRequest(kind=kind, by="bob", reason="enough", at=world.clock.now()))
    (found,) = world.poll(store)
    assert found.run is not None and (found.run.state, found.run.ended_by) == (state, "bob")
    assert found.run.tally.completed == 1 and world.poll(store) == []


def test_who_stops_a_run_that_waits_for_its_window_keeps_it_stopped(world: ScheduledWorld) -> None:
    store = world.begin(daily(window=Window(time(5), time(5, 2))), sizes="1", pause_s=50)
    _at(world, store, FIRST)
    paused = store.runs.get("job")
    stopped = run_loop.stop(store, paused, world.holder, by="bob", reason="not tonight", clock=world.clock)
    assert (stopped.state, stopped.ended_by, stopped.reason) == (RunState.STOPPED, "bob", "not tonight")
    assert stopped.is_unattended(world.clock.now()) and stopped.tally == paused.tally
    assert world.poll_at(store, FIRST + DAY - 4 * HOUR) == []
    assert world.poll_at(store, SECOND) == [("skipped", SECOND)]


def broken_off(world: ScheduledWorld) -> SqliteStore:
    """A store whose scheduled run breaks off each time that it is resumed: the hub lets nobody in."""
    store = world.begin(daily(), sizes="1")
    world.hub.refuses = lambda request: response({"Message": "no"}, status=401) if "/methods" in request.path else None
    (found,) = _at(world, store, FIRST)
    assert found.run is not None and (found.run.state, found.run.ended_by) == (RunState.FAILED, None)
    assert [each.what for each in world.poll(store)] == [What.RESUMED], "again and again"
    return store


@pytest.mark.parametrize("reason", [None, "not tonight"])
def test_who_stops_a_run_that_broke_off_keeps_its_schedule_from_resuming_it(
    world: ScheduledWorld, reason: str | None
) -> None:
    store = broken_off(world)
    failed = store.runs.get("job")
    stopped = run_loop.stop(store, failed, world.holder, by="bob", reason=reason, clock=world.clock)
    assert (stopped.state, stopped.ended_by, stopped.tally) == (RunState.STOPPED, "bob", failed.tally)
    assert stopped.reason == (reason or failed.reason) and stopped.is_unattended(world.clock.now())
    assert world.poll(store) == [] and world.poll_at(store, SECOND) == [("skipped", SECOND)]
    world.hub.refuses = lambda _: None
    resumed = run_loop.resume(stopped, world.context(store))
    assert (resumed.state, world.called()) == (RunState.COMPLETED, {1}), "a person goes on with it"


def test_who_cancels_a_run_that_broke_off_lets_the_next_occurrence_start(world: ScheduledWorld) -> None:
    store = broken_off(world)
    canceled = run_loop.cancel(store.runs.get("job"), world.context(store), by="bob", reason="enough")
    assert (canceled.state, canceled.ended_by) == (RunState.CANCELED, "bob") and world.poll(store) == []
    world.hub.refuses = lambda _: None
    assert world.poll_at(store, SECOND) == [("started", SECOND)] and world.called() == {1}


def test_a_clock_that_went_back_repeats_nothing(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    assert world.poll_at(store, SECOND)[-1] == ("started", SECOND)
    assert world.poll_at(store, FIRST - HOUR) == [] and world.poll_at(store, SECOND + HOUR) == []
    assert world.called() == {1} and "set back" in world.notices[0]


def test_a_clock_that_is_far_ahead_is_compared_with_the_hubs(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    assert world.poll_at(store, FIRST) == [("started", FIRST)] and world.asked == []
    ahead = FIRST + 9 * DAY
    hub_says = {"date": "Fri, 02 Jan 2026 05:10:00 GMT"}
    world.hub.refuses = lambda request: response({}, date=hub_says["date"]) if request.path.endswith("/clock") else None

    def refuse(stored: Any, at: datetime | None) -> None:
        raise BadValue(f"the hub says {at}")

    with pytest.raises(BadValue, match="2026-01-02 05:10"):
        world.poll_at(store, ahead, confirm_clock=refuse)
    assert world.called() == {1} and len(store.occurrences.list_all("job")) == 1, "nothing has changed"
    with pytest.raises(BadValue):
        world.poll_at(store, ahead, confirm_clock=refuse)
    hub_says["date"] = "Sun, 11 Jan 2026 05:10:00 GMT"
    assert world.poll_at(store, ahead, confirm_clock=refuse)[-1] == ("started", ahead), "it is right: nobody is asked"


def test_a_clock_that_nobody_can_confirm_is_asked_about(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    world.poll_at(store, FIRST + 9 * DAY)
    assert world.asked == [None]
    world.poll_at(store, FIRST + 9 * DAY + HOUR)
    assert len(world.asked) == 1


def test_a_schedule_that_is_changed_or_removed_says_what_had_not_started(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    world.clock.set_s += (FIRST + HOUR - world.clock.now()).total_seconds()
    assert not world.set_schedule(store, daily()).is_new
    changed = world.set_schedule(store, daily(overlap=Overlap.WAIT))
    assert [(each.at, each.note) for each in changed.missed] == [(FIRST, "The schedule was changed before it started.")]
    assert world.poll(store) == [] and world.poll_at(store, SECOND)[0] == ("started", SECOND)
    world.clock.set_s += DAY.total_seconds()
    assert [each.at for each in saved.remove(store, "job", by="ann", at=world.clock.now())] == [SECOND + DAY]
    with pytest.raises(NotFound, match="has no schedule"):
        saved.get(store, "job")


def test_one_whose_delay_is_not_over_is_said_too(world: ScheduledWorld) -> None:
    store = world.begin(daily(jitter_s=3_600.0))
    delay = delay_of(saved.get(store, "job"))
    assert delay > timedelta(seconds=1)
    assert world.poll_at(store, FIRST + delay - timedelta(seconds=1)) == []
    changed = world.set_schedule(store, daily(jitter_s=3_600.0, overlap=Overlap.WAIT))
    assert [(each.at, each.note) for each in changed.missed] == [(FIRST, "The schedule was changed before it started.")]
    assert world.poll_at(store, FIRST + delay) == [] and world.called() == {0}
    assert world.poll_at(store, SECOND + delay) == [("started", SECOND)]
    assert saved.remove(store, "job", by="ann", at=SECOND + DAY - HOUR) == ()


def test_a_schedule_that_means_nothing_more_is_refused_and_the_old_one_stays(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    past = Rule(frequency=Frequency.ONCE, at=time(5), on_date=FIRST.date() - DAY)
    with pytest.raises(BadValue, match="no day and time"):
        world.set_schedule(store, Schedule(rule=past, zone="UTC"))
    with pytest.raises(BadValue, match="not a time zone"):
        world.set_schedule(store, replace(daily(), zone="Moon/Tranquility"))
    assert saved.get(store, "job").schedule == daily()


def test_after_its_last_time_nothing_is_due(world: ScheduledWorld) -> None:
    store = world.begin(daily(times=1))
    assert world.poll_at(store, FIRST + timedelta(minutes=1)) == [("started", FIRST)]
    assert world.poll_at(store, FIRST + 5 * DAY) == []


def test_a_backfill_runs_what_has_not_run_and_moves_nothing_else(world: ScheduledWorld) -> None:
    store = world.begin(daily(missed=Missed.SKIP))
    assert world.poll_at(store, FIRST + HOUR) == [("missed", FIRST)]
    assert world.poll_at(store, SECOND) == [("started", SECOND)]
    stored = saved.get(store, "job")
    before = FIRST - 2 * DAY
    wanted = saved.past_occurrences(store, stored, before, SECOND + DAY)
    assert wanted == [before, before + DAY, FIRST], "not the one that ran, and none that is still to come"
    done = backfill(stored, wanted, world.due_context(store))
    assert [(each.what.value, each.at) for each in done] == [("started", at) for at in wanted]
    assert world.called() == {4} and store.occurrences.last_at("job") == SECOND
    assert saved.past_occurrences(store, stored, before, SECOND) == []
    assert world.poll_at(store, SECOND + DAY) == [("started", SECOND + DAY)]
    with pytest.raises(BadValue, match="More than 100"):
        saved.past_occurrences(store, stored, FIRST - 200 * DAY, SECOND)


def test_a_backfill_begins_nothing_more_when_its_window_has_shut(world: ScheduledWorld) -> None:
    store = world.begin(daily(window=Window(time(5), time(5, 2))), sizes="4")
    stored = saved.get(store, "job")
    world.clock.set_s += (FIRST - DAY - world.clock.now()).total_seconds()
    wanted = saved.past_occurrences(store, stored, FIRST - 9 * DAY, FIRST - DAY)

    def shut(event: Any) -> None:
        world.clock.set_s += 600 if isinstance(event, RunEnded) else 0

    world.events = CallingList(shut)
    done = backfill(stored, wanted, world.due_context(store))
    assert [(each.at, each.run and each.run.state) for each in done] == [(wanted[0], RunState.COMPLETED)]
    assert store.occurrences.get("job", wanted[1]) is None and "window" in world.notices[0]


def test_a_backfill_ends_with_a_run_that_does_not_end(world: ScheduledWorld) -> None:
    store = world.begin(daily())
    stored = saved.get(store, "job")
    wanted = saved.past_occurrences(store, stored, FIRST - 3 * DAY, FIRST)
    done = backfill(stored, wanted, world.due_context(store, StopDouble(after=8)))
    assert [each.at for each in done] == wanted[:1] and "was not started" in world.notices[0]


def _at(world: ScheduledWorld, store: SqliteStore, at: datetime, stop: Any = None, **more: Any) -> list[Any]:
    world.clock.set_s += (at - world.clock.now()).total_seconds()
    return world.poll(store, stop, **more)
