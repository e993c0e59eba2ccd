"""What `watch` shows of a run: batches as bars, its threshold, failures, who is awaited; and what has changed. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from azext_iotjobs.cli.fleet_job.progress import counts
from azext_iotjobs.cli.fleet_job.waiting import approval_lines, in_full
from azext_iotjobs.fleet_job.threshold import failure_count
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.gates import GateKind
from azext_iotjobs.model.in_progress import Awaited
from azext_iotjobs.model.rollout import Rollout, Scope
from azext_iotjobs.model.run import Batch, Run, Tally
from azext_iotjobs.model.run_state import BatchState, RunState
from azext_iotjobs.model.text import printable

BAR = 30  # characters


class Seen(NamedTuple):
    """A run as the store has it at an instant."""

    run: Run
    batches: Sequence[Batch]  # those around the one that runs
    rollout: Rollout
    awaited: Sequence[Awaited]
    at: datetime


def lines(seen: Seen) -> list[str]:
    """The whole view."""
    run = seen.run
    took = run.duration_s(seen.at)
    seconds = "" if took is None else f", {took:.0f} s"
    executed = "" if run.lease is None else f", executed by {run.lease.owner}"
    head = f"{run.name} is {run.state.value}{run.by_whom}{seconds}{executed}"
    why = [] if run.reason is None else [printable(run.reason)]
    found = [head, *why, f"all       {bar(run.tally)} {counts(run.tally)}"]
    found += [f"batch {each.ordinal:<3} {bar(each.tally)} {counts(each.tally)}" for each in seen.batches]
    hidden = run.batch_count - len(seen.batches)
    if hidden > 0:
        found.append(f"and {hidden} more {'batch' if hidden == 1 else 'batches'}")
    found += filter(None, (threshold_used(seen), failures(run.tally), _pause(seen)))
    return found + _gate(seen) + [in_full(each) for each in seen.awaited]


def changes(before: Seen | None, now: Seen) -> Iterator[str]:
    """What has changed, a line for each."""
    run = now.run
    if before is None:
        yield _state(run)
    known = {} if before is None else {each.ordinal: each for each in before.batches}
    for batch in now.batches:
        earlier = known.get(batch.ordinal)
        if batch.state is not BatchState.PENDING and (earlier is None or earlier.state is not batch.state):
            yield f"Batch {batch.ordinal} is {batch.state.value}: {counts(batch.tally)}."
        elif earlier is not None and earlier.tally != batch.tally:
            yield f"Batch {batch.ordinal}: {counts(batch.tally)}."
    if before is not None and before.run.tally.by_class != run.tally.by_class and (text := failures(run.tally)):
        yield text
    names = [] if before is None else [each.device_ids for each in before.awaited]
    yield from (in_full(each) for each in now.awaited if each.device_ids not in names)
    if (gate := _gate(now)) and (before is None or gate != _gate(before)):
        yield from gate
    if before is not None and before.run.state is not run.state:
        yield _state(run)


def bar(tally: Tally) -> str:
    """Completed, failed or uncertain, under way or verifying, and still to come, as characters."""
    total = max(1, tally.total)
    failed = tally.failed + tally.uncertain
    parts = ((tally.completed, "#"), (failed, "x"), (tally.in_progress + tally.verifying, ">"))
    drawn = ""
    reached = 0
    for count, character in parts:
        reached += count
        drawn += character * (reached * BAR // total - len(drawn))
    return f"[{drawn:.<{BAR}}]"


def threshold_used(seen: Seen) -> str | None:
    """How much of its threshold is used."""
    threshold = seen.rollout.threshold
    if threshold is None:
        return None
    where, tally, total, forgiven = "of the run", seen.run.tally, seen.run.device_count, seen.run.forgiven
    if threshold.scope is Scope.BATCH:
        batch = next((each for each in seen.batches if each.state is BatchState.RUNNING), None)
        if batch is None:
            return None
        where, tally, total, forgiven = f"of batch {batch.ordinal}", batch.tally, batch.tally.total, batch.forgiven
    used = max(0, failure_count(tally, threshold) - forgiven)
    allowed = float(threshold.share.of(total))
    return f"Threshold {where}: {used} of {allowed:g} failures that are allowed; more {threshold.action.value} it"


def failures(tally: Tally) -> str | None:
    """Failures by class."""
    found = [f"{name} {count}" for name, count in sorted(tally.by_class.items())]
    found += [f"uncertain {tally.uncertain}"] if tally.uncertain else []
    return f"Failures: {', '.join(found)}" if found else None


def _state(run: Run) -> str:
    why = "" if run.reason is None else f" {printable(run.reason)}"
    return f"{run.name} is {run.state.value}{run.by_whom}: {counts(run.tally)}.{why}"


def _gate(seen: Seen) -> list[str]:
    """What the batch whose devices have ended waits for, and what can be done about it."""
    if seen.run.state is not RunState.RUNNING:
        return []
    batch = next((each for each in seen.batches if each.state is BatchState.GATED), None)
    if batch is None or batch.gates is None or batch.gates.answer is not None:
        return []
    gates = seen.rollout.gates
    if until := gates.bakes_until(batch.gates):
        return [f"Batch {batch.ordinal} bakes until {render_instant(until.replace(microsecond=0))}."]
    kind = gates.next_kind(batch.gates)
    if kind is GateKind.MANUAL:
        return approval_lines(seen.run.fleet_job_id, batch.ordinal, batch.gates.last_at)
    return [] if kind is None else [f"Batch {batch.ordinal}, gate {kind.value}: it is evaluated."]


def _pause(seen: Seen) -> str | None:
    at = seen.run.next_batch_at
    return None if at is None or at <= seen.at else f"The next batch does not begin before {at:%H:%M:%S} UTC"
