"""What comes next in a schedule, from stored values and an instant."""

import random
from dataclasses import replace
from datetime import datetime, time, timedelta, timezone
from typing import Any

import pytest

from azext_iotjobs.fleet_job.due import (
    GRACE_S,
    MAX_MISSED,
    CancelEarlier,
    ClockDoubt,
    Nothing,
    Record,
    Resume,
    Start,
    Step,
    StopEarlier,
    View,
    clock_doubt,
    decide,
    delay_of,
    next_occurrences,
)
from azext_iotjobs.model.fleet_job import Delivery, Driver
from azext_iotjobs.model.occurrence import Occurrence, OccurrenceState, StoredSchedule
from azext_iotjobs.model.run import Lease, Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.schedule import BY_SCHEDULE, Frequency, Missed, Overlap, Rule, Schedule, Window

SET_AT = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
FIRST = datetime(2026, 5, 2, 2, 30, tzinfo=timezone.utc)  # of a daily rule
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
MISSED, SKIPPED, WAITING, CLAIMED = (
    OccurrenceState.MISSED,
    OccurrenceState.SKIPPED,
    OccurrenceState.WAITING,
    OccurrenceState.CLAIMED,
)


def stored(**more: Any) -> StoredSchedule:
    rule = more.pop("rule", Rule(frequency=Frequency.DAILY, at=time(2, 30)))
    schedule = Schedule(rule=rule, zone="UTC", **more)
    return StoredSchedule(
        fleet_job_id="fw-7", host="h", schedule=schedule, set_at=SET_AT, set_by="ann", store_key="abcdefgh"
    )


def step(now: datetime, last_at: datetime | None = None, **more: Any) -> Step:
    names = ("open", "run", "tried")
    given = {name: more.pop(name) for name in names if name in more}
    return decide(View(**{"stored": stored(**more), "last_at": last_at, "open": (), "run": None, "now": now} | given))


def run(state: RunState, **more: Any) -> Run:
    values: dict[str, Any] = {
        "key": 1,
        "fleet_job_id": "fw-7",
        "host": "h",
        "number": 1,
        "version": 1,
        "run_key": "abcdefgh",
        "state": state,
        "driver": Driver.CALLS,
        "driver_reason": "so",
        "delivery": Delivery(),
        "device_count": 1,
        "batch_count": 1,
        "created_at": FIRST,
        "created_by": "ann",
        "occurrence_at": FIRST,
    }
    return Run(**(values | more))


def occurrence(at: datetime, state: OccurrenceState, **more: Any) -> Occurrence:
    return Occurrence(fleet_job_id="fw-7", at=at, state=state, decided_at=at, by="ann", **more)


def recorded(found: Step) -> list[tuple[datetime, OccurrenceState]]:
    assert isinstance(found, Record), found
    return [(each.at, each.state) for each in found.decided]


def test_nothing_is_due_before_its_time_and_what_is_due_starts() -> None:
    assert step(FIRST - MINUTE) == Nothing()
    assert step(FIRST) == Start(FIRST)
    assert step(FIRST, last_at=FIRST) == Nothing(), "once"


def test_what_was_before_the_schedule_was_set_is_not_due() -> None:
    assert step(SET_AT + MINUTE) == Nothing()


@pytest.mark.parametrize(
    ("missed", "missed_days", "started"),
    [(Missed.ONCE, [0, 1, 2], 3), (Missed.SKIP, [0, 1, 2, 3], None), (Missed.ALL, [0, 1], 2)],
)
def test_after_days_without_a_look_what_was_missed_is_recorded_and_caught_up_by_its_policy(
    missed: Missed, missed_days: list[int], started: int | None
) -> None:
    now = FIRST + 3 * DAY + HOUR
    more: dict[str, Any] = {"missed": missed, "catch_up_s": 26 * 3600.0}
    assert recorded(step(now, **more)) == [(FIRST + day * DAY, MISSED) for day in missed_days]
    after = step(now, last_at=FIRST + missed_days[-1] * DAY, **more)
    assert after == (Nothing() if started is None else Start(FIRST + started * DAY))


def test_all_that_were_missed_start_one_after_the_other() -> None:
    now = FIRST + 2 * DAY
    days = []
    last_at: datetime | None = None
    while isinstance(found := step(now, last_at, missed=Missed.ALL, catch_up_s=3 * 86400.0), Start):
        last_at = found.at
        days.append(found.at)
    assert days == [FIRST, FIRST + DAY, FIRST + 2 * DAY]


def test_skip_takes_what_is_looked_for_soon_enough() -> None:
    late = timedelta(seconds=GRACE_S)
    assert step(FIRST + late, missed=Missed.SKIP) == Start(FIRST)
    assert recorded(step(FIRST + late + MINUTE, missed=Missed.SKIP)) == [(FIRST, MISSED)]


def test_later_than_catch_up_is_missed_and_says_how_late() -> None:
    found = step(FIRST + 7 * HOUR, catch_up_s=6 * 3600.0)
    assert recorded(found) == [(FIRST, MISSED)]
    assert isinstance(found, Record) and found.decided[0].note == "Nobody looked for it until 7 hours later."


def test_how_late_is_by_the_look_and_not_by_the_later_one() -> None:
    found = step(FIRST + DAY + 2 * HOUR)
    assert isinstance(found, Record)
    assert found.decided[0].note == "Nobody looked for it until 26 hours later; a later one was due by then."


def test_very_many_that_were_missed_are_counted() -> None:
    rule = Rule(frequency=Frequency.CRON, cron="*/5 * * * *")
    found = step(SET_AT + 10 * DAY, rule=rule)
    assert isinstance(found, Record) and len(found.decided) == MAX_MISSED - 1
    total = 10 * 24 * 12
    assert f"So were {total - MAX_MISSED} before it." in found.decided[0].note


def test_very_many_that_are_all_in_time_start_but_for_those_that_are_counted() -> None:
    rule = Rule(frequency=Frequency.CRON, cron="* * * * *")
    now = SET_AT + (MAX_MISSED + 5) * MINUTE
    more: dict[str, Any] = {"rule": rule, "missed": Missed.ALL, "catch_up_s": 7 * 86_400.0}
    found = step(now, **more)
    assert isinstance(found, Record) and recorded(found) == [(SET_AT + 6 * MINUTE, MISSED)]
    assert found.decided[0].note.endswith("So were 5 before it.")
    assert step(now, last_at=found.decided[0].at, **more) == Start(SET_AT + 7 * MINUTE)


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [(Overlap.SKIP, SKIPPED), (Overlap.WAIT, WAITING), (Overlap.STOP, StopEarlier), (Overlap.CANCEL, CancelEarlier)],
)
def test_while_an_earlier_run_has_not_ended_its_policy_decides(overlap: Overlap, expected: Any) -> None:
    lease = Lease(owner="bob", until=FIRST + 2 * DAY, beat_at=FIRST)
    found = step(FIRST + DAY, last_at=FIRST, run=run(RunState.RUNNING, lease=lease), overlap=overlap)
    if isinstance(expected, OccurrenceState):
        assert recorded(found) == [(FIRST + DAY, expected)]
    else:
        assert isinstance(found, expected)


def test_a_run_that_is_stopped_already_is_not_stopped_again() -> None:
    stopped = run(RunState.STOPPED, ended_by="bob")
    found = step(FIRST + DAY, last_at=FIRST, run=stopped, overlap=Overlap.STOP)
    assert recorded(found) == [(FIRST + DAY, SKIPPED)]
    assert isinstance(found, Record) and found.decided[0].note == "Run 1 had not ended: it was stopped by bob."


def test_one_waits_the_next_is_skipped_and_the_first_starts_when_the_run_has_ended() -> None:
    waiting = (occurrence(FIRST + DAY, WAITING),)
    busy = run(RunState.RUNNING, lease=Lease(owner="bob", until=FIRST + 9 * DAY, beat_at=FIRST))
    more: dict[str, Any] = {"open": waiting, "overlap": Overlap.WAIT}
    assert recorded(step(FIRST + 2 * DAY, last_at=FIRST + DAY, run=busy, **more)) == [(FIRST + 2 * DAY, SKIPPED)]
    ended = run(RunState.COMPLETED)
    assert step(FIRST + 2 * DAY + HOUR, last_at=FIRST + 2 * DAY, run=ended, **more) == Start(FIRST + DAY)


@pytest.mark.parametrize(
    ("state", "more", "is_resumed"),
    [
        (RunState.RUNNING, {}, True),  # its process is gone
        (RunState.PENDING, {}, True),
        (RunState.FAILED, {}, True),
        (RunState.STOPPED, {"ended_by": BY_SCHEDULE}, True),
        (RunState.STOPPED, {"ended_by": "ann"}, False),
        (RunState.STOPPED, {"ended_by": None}, False),  # its threshold, or Ctrl-C
        (RunState.RUNNING, {"lease": Lease(owner="bob", until=FIRST + DAY, beat_at=FIRST)}, False),
        (RunState.RUNNING, {"occurrence_at": None}, False),  # somebody's own
        (RunState.COMPLETED, {}, False),
    ],
)
def test_which_unfinished_runs_continue_by_themselves(state: RunState, more: dict[str, Any], is_resumed: bool) -> None:
    unfinished = run(state, **more)
    expected = Resume(unfinished) if is_resumed else Nothing()
    assert step(FIRST + HOUR, last_at=FIRST, run=unfinished) == expected
    assert step(FIRST + HOUR, last_at=FIRST, run=unfinished, tried=frozenset({1})) == Nothing(), "once a look"


def test_what_is_caught_up_one_after_the_other_waits_for_its_turn() -> None:
    now = FIRST + 3 * DAY
    lease = Lease(owner="bob", until=now + DAY, beat_at=now)
    first = run(RunState.RUNNING, lease=lease, created_at=FIRST + DAY + HOUR)
    more: dict[str, Any] = {"missed": Missed.ALL, "catch_up_s": 9 * 86400.0}
    assert step(now, last_at=FIRST, run=first, **more) == Nothing(), "the second was due when the first began"
    lost = replace(first, lease=None)
    assert step(now, last_at=FIRST, run=lost, **more) == Resume(lost)
    assert recorded(step(now, last_at=FIRST + DAY, run=first, **more)) == [(FIRST + 2 * DAY, SKIPPED)], "a later one"


def test_what_broke_off_is_resumed_but_not_while_somebody_cancels_it() -> None:
    failed = run(RunState.FAILED)
    assert step(FIRST + HOUR, last_at=FIRST, run=failed) == Resume(failed)
    assert step(FIRST + HOUR, last_at=FIRST, run=replace(failed, ended_by="ann")) == Nothing()


def test_outside_its_window_nothing_starts_or_continues() -> None:
    window = Window(time(2), time(4))
    shut = FIRST.replace(hour=4, minute=0)
    paused = run(RunState.STOPPED, ended_by=BY_SCHEDULE)
    assert step(shut, window=window) == Nothing()
    assert step(shut - MINUTE, window=window) == Start(FIRST)
    assert step(shut, last_at=FIRST, run=paused, window=window) == Nothing()
    again = FIRST.replace(hour=2, minute=0) + DAY
    assert step(again, last_at=FIRST, run=paused, window=window) == Resume(paused)


def test_what_was_claimed_by_a_process_that_is_gone_is_started_and_one_that_is_held_is_left() -> None:
    claimed = occurrence(FIRST, CLAIMED)
    assert step(FIRST + HOUR, last_at=FIRST, open=(claimed,)) == Start(FIRST)
    assert step(FIRST + HOUR, last_at=FIRST, open=(replace(claimed, is_held=True),)) == Nothing()
    assert step(FIRST + HOUR, last_at=FIRST, open=(claimed,), tried=frozenset({FIRST})) == Nothing()


def test_what_was_claimed_and_could_not_start_is_missed_in_the_end_and_says_why() -> None:
    claimed = occurrence(FIRST, CLAIMED, note="The hub was away.")
    late = step(FIRST + 25 * HOUR, last_at=FIRST + DAY, open=(claimed,))
    assert isinstance(late, Record)
    assert late.decided[0].note == "It could not be started in time. The hub was away."
    assert recorded(step(FIRST + DAY, last_at=FIRST, open=(claimed,))) == [(FIRST, MISSED)], "the next is due"
    every = step(FIRST + DAY, last_at=FIRST, open=(claimed,), missed=Missed.ALL)
    assert every == Start(FIRST), "in their order"


def test_the_delay_is_the_same_for_each_and_keeps_their_order() -> None:
    jittered = stored(jitter_s=600.0)
    delay = delay_of(jittered)
    assert timedelta(0) < delay <= timedelta(seconds=600) and delay == delay_of(jittered)
    assert delay_of(stored()) == timedelta(0)
    assert step(FIRST + delay - timedelta(seconds=1), jitter_s=600.0) == Nothing()
    assert step(FIRST + delay, jitter_s=600.0) == Start(FIRST)
    others = {delay_of(replace(jittered, fleet_job_id=f"j{number}")) for number in range(20)}
    assert len(others) > 10


def test_the_next_ones_are_those_that_are_not_due_yet() -> None:
    assert next_occurrences(stored(), None, SET_AT, 2) == [FIRST, FIRST + DAY]
    assert next_occurrences(stored(), FIRST, FIRST, 1) == [FIRST + DAY]
    once = Rule(frequency=Frequency.ONCE, at=time(2, 30), on_date=FIRST.date())
    assert next_occurrences(stored(rule=once), FIRST, FIRST, 5) == []


def test_a_clock_that_jumps_is_doubted() -> None:
    polled = replace(stored(), polled_at=FIRST)
    assert clock_doubt(polled, FIRST + 24 * HOUR) is None
    assert clock_doubt(polled, FIRST + 25 * HOUR) is ClockDoubt.AHEAD
    assert clock_doubt(polled, FIRST - 2 * MINUTE) is ClockDoubt.BACK


@pytest.mark.parametrize("seed", range(4))
def test_however_the_clock_moves_no_occurrence_is_decided_twice_and_none_is_left_out(seed: int) -> None:
    chance = random.Random(seed)
    policy = chance.choice(list(Missed))
    more: dict[str, Any] = {"missed": policy, "rule": Rule(frequency=Frequency.CRON, cron="*/20 * * * *")}
    decided: list[datetime] = []
    now, furthest = SET_AT, SET_AT
    for _ in range(25):
        now += timedelta(minutes=chance.randrange(-200, 400))
        furthest = max(now, furthest)
        while not isinstance(found := step(now, max(decided, default=None), **more), Nothing):
            assert isinstance(found, (Record, Start))
            decided += [each.at for each in found.decided] if isinstance(found, Record) else [found.at]
    assert len(decided) == len(set(decided)), "none twice"
    every = [SET_AT + number * 20 * MINUTE for number in range(1, (furthest - SET_AT) // (20 * MINUTE) + 1)]
    assert sorted(decided) == every, "none left out"
