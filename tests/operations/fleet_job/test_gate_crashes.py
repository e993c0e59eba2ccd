"""A process that executes a run ends at every request, commit and check of a gate,
alone and with a second end soon after.

No gate is passed over, and no device is operated twice or forgotten.
"""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.store.contract import NewRun
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.fleet_job import Driver
from azext_iotjobs.model.gates import (
    CommandGate,
    GateAnswer,
    GateDecision,
    GateKind,
    Gates,
    GateVerdict,
    QueryGate,
)
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.run import Batch, Run
from azext_iotjobs.model.run_events import GateAwaited
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.share import parse_share
from azext_iotjobs.operations.fleet_job import run_loop
from tests.helpers.fleet_job_hub_double import Crash, Points, World, definition_of, rows_of
from tests.helpers.fleet_job_setup import METHOD, CallingList, ids
from tests.helpers.short_form import IN_FULL, points_of


class CountingChecker:
    """A GateChecker that says go at its second turn; it counts what was evaluated to its end."""

    def __init__(self, counts: Counter[tuple[int, GateKind]], points: Points, clock: Any) -> None:
        self.counts = counts
        self.points = points
        self.clock = clock
        self.begun: GateKind | None = None

    def turn(self, kind: GateKind, run: Run, batch: Batch) -> GateVerdict | None:
        self.points.passed(f"begins {kind.value}")
        if self.begun is not kind:
            self.begun = kind
            return None
        self.begun = None
        self.counts[batch.ordinal, kind] += 1
        self.points.passed(f"evaluates {kind.value}")
        return GateVerdict(kind=kind, decision=GateDecision.GO, reason="go", at=self.clock.now())

    def abandon(self) -> None:
        self.begun = None

    def close(self) -> None:
        pass


DEVICES = ids(6)
ALL_GATES = Gates(
    bake_s=5,
    success=parse_share("30%", "x"),
    query=QueryGate(condition="tags.alarm = true", most=parse_share("5", "x")),
    command=CommandGate(line="check"),
    is_manual=True,
)


def go_on_until_crash(world: World, points: Points, counts: Counter[tuple[int, GateKind]]) -> bool:
    """One process; whether it was killed before its end. Somebody approves as soon as it waits."""
    store = world.open(points)
    world.make_gate_checker = lambda clock, leased, definition, on_event: CountingChecker(counts, points, world.clock)

    def approve(event: Any) -> None:
        if isinstance(event, GateAwaited):
            other = SqliteStore.open(world.folder)
            given = GateAnswer(is_approved=True, by="ann", reason=None, at=world.clock.now_of_hub())
            run = other.runs.get("job")
            batch = other.runs.current_batch(run)
            assert batch is not None and batch.gates is not None
            if batch.gates.answer is None:
                assert other.runs.answer_gate(run, batch, given)
            other.close()

    world.events = CallingList(approve)
    try:
        run_loop.execute(store.runs.get("job"), world.context(store))
    except Crash:
        return True
    finally:
        store.database._connection.close()
    return False


SECOND = (1, 4, 9) if IN_FULL else ()


@pytest.mark.parametrize("driver", [Driver.CALLS, Driver.JOBS])
def test_a_crash_at_every_point_passes_no_gate_over_and_operates_nothing_twice(tmp_path: Path, driver: Driver) -> None:
    template = World(tmp_path / "begun")
    store = template.open()
    rollout: dict[str, Any] = {"sizes": parse_batch_sizes("3", "--batch"), "gates": ALL_GATES}
    definition = definition_of(METHOD, DEVICES, driver, concurrency=1, **rollout)
    job = template.save(store, definition)
    run = store.runs.add(_new_run(job, driver, store))
    assert run.batch_count == 2
    store.close()
    whole = Points()
    story(tmp_path / "begun", tmp_path / "whole", [whole])
    assert whole.count > 40
    for first in points_of(whole.kinds, 1):
        for second in (None, *SECOND, *((5,) if first % 7 == 0 else ())):
            ends = [Points(first), *([] if second is None else [Points(second)]), Points()]
            story(tmp_path / "begun", tmp_path / f"{first}-{second}", ends)


def _new_run(job: Any, driver: Driver, store: SqliteStore) -> Any:
    """A run of DEVICES; the command of its gates is not there, and is not looked for."""
    store.candidates.collect(((each, None) for each in DEVICES), 0)
    definition = job.definition
    return NewRun(
        fleet_job_id=job.fleet_job_id,
        version=1,
        run_key="abcdefgh",
        driver=driver,
        driver_reason="",
        delivery=definition.delivery,
        sizes=definition.rollout.sizes,
        at=job.created_at,
        by="me",
    )


def story(template: Path, folder: Path, ends: list[Points]) -> None:
    shutil.copytree(template, folder)
    world, counts = World(folder), Counter[tuple[int, GateKind]]()
    crashes = 0
    for points in ends:
        if not go_on_until_crash(world, points, counts):
            break
        crashes += 1
    store = world.open()
    run = store.runs.get("job")
    rows = rows_of(store, run)
    batches = store.runs.batches(run)
    store.close()
    shutil.rmtree(folder)
    assert run.state is RunState.COMPLETED and set(rows) == set(DEVICES)
    for device, row in rows.items():
        times = world.hub.operated[device]
        assert times == 1 if row.status == "completed" else (row.status, times <= 1) == ("uncertain", True)
    gates = batches[0].gates
    assert gates is not None and batches[1].gates is None
    assert [each.kind for each in gates.verdicts] == list(GateKind), "each gate has said go, in its order"
    assert all(each.decision is GateDecision.GO for each in gates.verdicts)
    for kind in (GateKind.QUERY, GateKind.COMMAND):
        assert 1 <= counts[1, kind] <= 1 + crashes, "one that was cut off is evaluated again"
    assert set(counts) == {(1, GateKind.QUERY), (1, GateKind.COMMAND)}
