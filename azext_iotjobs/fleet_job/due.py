"""What comes next in a schedule: `decide(view) -> step`. Pure: no clock, no store.

Strategy: the newest recorded occurrence divides time; whatever the rule means behind it, up to now, is decided once and
recorded: started, missed or skipped. A clock that went back finds nothing behind it, so nothing runs twice.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum
from itertools import islice, takewhile
from typing import NamedTuple

from azext_iotjobs.fleet_job.calendar import next_opening, occurrences, window_at, zone_of
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.occurrence import Decided, Occurrence, OccurrenceState, StoredSchedule
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.schedule import BY_SCHEDULE, Missed, Overlap, Schedule

GRACE_S = 15 * 60.0  # one that starts within this was not missed: timers look every few minutes
MAX_MISSED = 1_000  # that are recorded one by one; earlier ones are counted
TRUSTED_S = 24 * 3_600.0  # a clock that went ahead by more since the last poll is compared with the hub's
SET_BACK_S = 60.0  # further, and a clock has been set back


@dataclass(frozen=True, kw_only=True)
class View:
    """All that a step is decided from."""

    stored: StoredSchedule
    last_at: datetime | None  # the newest occurrence that is recorded, but for those of a backfill
    open: tuple[Occurrence, ...]  # whose runs can still be made, ascending
    run: Run | None  # the last of the fleet job
    tried: frozenset[object] = frozenset()  # occurrences and runs that this process has tried already
    now: datetime


@dataclass(frozen=True)
class Record:
    """Record what became of occurrences."""

    decided: tuple[Decided, ...]


@dataclass(frozen=True)
class Start:
    """Claim an occurrence, make its run and execute it."""

    at: datetime


@dataclass(frozen=True)
class Resume:
    """Execute a run of the schedule further."""

    run: Run


@dataclass(frozen=True)
class StopEarlier:
    """Stop an earlier run; then record that the occurrence was skipped."""

    run: Run
    decided: Decided


@dataclass(frozen=True)
class CancelEarlier:
    """Cancel an earlier run, so that an occurrence can start."""

    run: Run


@dataclass(frozen=True)
class Nothing:
    """Nothing is due."""


Step = Record | Start | Resume | StopEarlier | CancelEarlier | Nothing


class ClockDoubt(Enum):
    """What is odd about the machine's clock."""

    AHEAD = "ahead"  # by more than a day since the last poll: set wrongly, or nobody has looked
    BACK = "back"


class Due(NamedTuple):
    """What the rule means by now."""

    missed: tuple[Decided, ...]
    to_start: tuple[datetime, ...]  # ascending


def decide(view: View) -> Step:
    """The one thing to do next."""
    due = due_now(view)
    given_up = due.missed + tuple(_given_up(view, due))
    if given_up:
        return Record(given_up)
    run = view.run
    if run is not None and not run.state.has_ended:
        if due.to_start and not _is_behind(view, run, due.to_start[0]):
            return _overlapping(view, run, due.to_start[0])
        if run.key not in view.tried and is_to_be_resumed(run, view.now) and is_open(view.stored.schedule, view.now):
            return Resume(run)
        return Nothing()
    if not is_open(view.stored.schedule, view.now):
        return Nothing()
    waiting = [each.at for each in view.open if not each.is_held]
    for at in (*waiting, *due.to_start):
        return Nothing() if at in view.tried else Start(at)  # one that could not start holds those behind it
    return Nothing()


def due_now(view: View) -> Due:
    """Which occurrences start now, and which have been missed."""
    schedule, now = view.stored.schedule, view.now
    delay = delay_of(view.stored)
    last = view.stored.set_at if view.last_at is None else max(view.stored.set_at, view.last_at)
    newest: deque[datetime] = deque(maxlen=MAX_MISSED)
    count = 0
    for at in occurrences(schedule, view.stored.set_at, last):
        if at + delay > now:
            break
        newest.append(at)
        count += 1
    late_s = {at: (now - at - delay).total_seconds() for at in newest}
    allowed_s = min(GRACE_S, schedule.catch_up_s) if schedule.missed is Missed.SKIP else schedule.catch_up_s
    in_time = [at for at in newest if late_s[at] <= allowed_s]
    to_start = in_time if schedule.missed is Missed.ALL else in_time[-1:]
    if count > len(newest) == len(to_start):
        to_start = to_start[1:]  # the first is recorded, and says how many there were before it
    missed = [
        Decided(at, OccurrenceState.MISSED, _why_missed(late_s[at], is_last=at == newest[-1]))
        for at in newest
        if at not in to_start
    ]
    if count > len(newest):
        first = missed[0]
        missed[0] = first._replace(note=f"{first.note} So were {count - len(newest)} before it.")
    return Due(tuple(missed), tuple(to_start))


def next_occurrences(stored: StoredSchedule, last_at: datetime | None, now: datetime, count: int) -> list[datetime]:
    """The next occurrences that are not due yet, at most `count`.

    last_at: the newest that is recorded; None: none is.
    """
    return list(islice(_not_due(stored, last_at, now), count))


def delayed(stored: StoredSchedule, last_at: datetime | None, now: datetime) -> list[datetime]:
    """The occurrences that have come and are not due yet: their delay is not over.

    last_at: the newest that is recorded; None: none is.
    """
    return list(takewhile(lambda at: at <= now, _not_due(stored, last_at, now)))


def delay_of(stored: StoredSchedule) -> timedelta:
    """By how much each occurrence starts later: the same for all of a fleet job's, so that their order stays."""
    digest = hashlib.blake2b(f"{stored.host}\n{stored.fleet_job_id}".encode(), digest_size=8).digest()
    share = int.from_bytes(digest, "big") / 2**64
    return timedelta(seconds=int(share * (stored.schedule.jitter_s + 1)))


def is_to_be_resumed(run: Run, now: datetime) -> bool:
    """Whether a run continues by its schedule: its process is gone, it broke off, or its schedule stopped it.

    A schedule stops a run when its window shuts, and when the process that starts what is due is stopped. What a
    person, a threshold or a gate has stopped waits for a person.
    """
    if run.occurrence_at is None or not run.is_unattended(now):
        return False
    if run.state is RunState.STOPPED:
        return run.ended_by == BY_SCHEDULE
    if run.state is RunState.FAILED:
        return run.ended_by is None  # else it broke off while it was being canceled
    return run.state in (RunState.PENDING, RunState.RUNNING)


def is_open(schedule: Schedule, now: datetime) -> bool:
    """Whether devices may be operated now."""
    return schedule.window is None or window_at(schedule.window, zone_of(schedule.zone), now) is not None


def shuts_at(schedule: Schedule, now: datetime) -> datetime | None:
    """When the window shuts: now where it is shut already; None: there is none."""
    if schedule.window is None:
        return None
    hours = window_at(schedule.window, zone_of(schedule.zone), now)
    return now if hours is None else hours.shuts_at


def opens_at(schedule: Schedule, now: datetime) -> datetime | None:
    """When the window opens next; None: there is none."""
    return None if schedule.window is None else next_opening(schedule.window, zone_of(schedule.zone), now)


def clock_doubt(stored: StoredSchedule, now: datetime) -> ClockDoubt | None:
    """What is odd about the clock, by the last poll."""
    last = stored.set_at if stored.polled_at is None else stored.polled_at
    passed_s = (now - last).total_seconds()
    if passed_s > TRUSTED_S:
        return ClockDoubt.AHEAD
    return ClockDoubt.BACK if passed_s < -SET_BACK_S else None


def _not_due(stored: StoredSchedule, last_at: datetime | None, now: datetime) -> Iterator[datetime]:
    begins = max(stored.set_at, now - delay_of(stored))
    after = begins if last_at is None else max(begins, last_at)
    return occurrences(stored.schedule, stored.set_at, after)


def _given_up(view: View, due: Due) -> Iterator[Decided]:
    """Claimed occurrences whose runs could not be made, and will not be any more."""
    schedule, delay = view.stored.schedule, delay_of(view.stored)
    for each in view.open:
        if each.is_held or each.is_backfill or each.state is not OccurrenceState.CLAIMED:
            continue
        why = "" if each.note is None else f" {each.note}"
        if (view.now - each.at - delay).total_seconds() > schedule.catch_up_s:
            yield Decided(each.at, OccurrenceState.MISSED, f"It could not be started in time.{why}")
        elif due.to_start and schedule.missed is not Missed.ALL:
            yield Decided(each.at, OccurrenceState.MISSED, f"It could not be started before the next was due.{why}")


def _is_behind(view: View, run: Run, at: datetime) -> bool:
    """Whether an occurrence is caught up behind a run, one after the other: it was due when that run was made."""
    is_in_turn = view.stored.schedule.missed is Missed.ALL and run.occurrence_at is not None
    return is_in_turn and at + delay_of(view.stored) <= run.created_at


def _why_missed(late_s: float, *, is_last: bool) -> str:
    if is_last:
        return f"Nobody looked for it until {_duration(late_s)} later."
    return f"Nobody looked for it until {_duration(late_s)} later; a later one was due by then."


def _overlapping(view: View, run: Run, at: datetime) -> Step:
    overlap = view.stored.schedule.overlap
    skipped = Decided(
        at, OccurrenceState.SKIPPED, f"Run {run.number} had not ended: it was {run.state.value}{run.by_whom}."
    )
    if overlap is Overlap.WAIT:
        waiting = next((each.at for each in view.open if each.state is OccurrenceState.WAITING), None)
        if waiting is None:
            return Record((Decided(at, OccurrenceState.WAITING, f"It runs when run {run.number} has ended."),))
        note = f"{skipped.note} The occurrence of {render_instant(waiting)} waits for that already."
        return Record((skipped._replace(note=note),))
    if overlap is Overlap.CANCEL:
        return Nothing() if run.key in view.tried else CancelEarlier(run)
    if overlap is Overlap.STOP and run.state is RunState.RUNNING:
        return StopEarlier(run, skipped._replace(note=f"Run {run.number} had not ended; it was stopped."))
    return Record((skipped,))


def _duration(seconds: float) -> str:
    """In words: 5 minutes, 3 hours, 2 days."""
    for size, word in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} seconds"
