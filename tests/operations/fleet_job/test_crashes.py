"""A process that executes a run ends at every request and commit, alone and with a second end soon after.

Each device is operated exactly once, or is shown uncertain; never twice, never forgotten.
"""

import os
import random
import shutil
from pathlib import Path

import pytest

from azext_iotjobs.model.fleet_job import Action, Driver
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.twin import TwinPatch
from tests.helpers.fleet_job_hub_double import Crash, Points, World, definition_of, rows_of

DEVICES = tuple(f"d{number}" for number in range(8))
SIZES = parse_batch_sizes("3", "--batch")
METHOD = Action(method=MethodCall(name="reboot"))
TWIN = Action(patch=TwinPatch(document={"properties": {"desired": {"light": 7}}}))
SECOND = (None, 1, 2, 3, 5, 8)
SHARE = 1.0 if os.environ.get("IOTJOBS_TORTURE") else 0.2  # of the stories


def begin(world: World, action: Action, driver: Driver, concurrency: int) -> None:
    store = world.open()
    job = world.save(store, definition_of(action, DEVICES, driver, sizes=SIZES, concurrency=concurrency))
    world.new_run(store, job)
    store.close()


def go_on_until_crash(world: World, points: Points) -> bool:
    """One process; whether it was killed before its end."""
    store = world.open(points)
    try:
        world.execute(store)
    except Crash:
        return True
    finally:
        store.database._connection.close()  # what the system does with a dead process's files
    return False


def story(template: Path, folder: Path, ends: list[int | None], lag: int) -> World:
    shutil.copytree(template, folder)
    world = World(folder, lag=lag)
    for at in ends:
        if at is not None:
            go_on_until_crash(world, Points(at))
    assert not go_on_until_crash(world, Points())
    return world


def check(world: World, action: Action, driver: Driver, what: str) -> int:
    """The number of uncertain devices."""
    store = world.open()
    run = store.runs.get("job")
    rows = rows_of(store, run)
    store.close()
    assert (run.state, set(rows)) == (RunState.COMPLETED, set(DEVICES)), what
    uncertain = 0
    for device, row in rows.items():
        times = world.hub.operated[device]
        if row.status == "uncertain":
            assert driver is Driver.CALLS and action is METHOD and times <= 1, (what, device)
            uncertain += 1
        else:
            assert (row.status, times) == ("completed", 1), (what, device, times)
    return uncertain


WAYS = [
    pytest.param(METHOD, Driver.JOBS, 0, 1, id="method by job"),
    pytest.param(METHOD, Driver.JOBS, 1, 1, id="method by job, GET lags one look"),
    pytest.param(TWIN, Driver.JOBS, 0, 1, id="twin by job"),
    pytest.param(METHOD, Driver.CALLS, 0, 1, id="method by calls, one at a time"),
    pytest.param(METHOD, Driver.CALLS, 0, 3, id="method by calls, three at a time"),
    pytest.param(TWIN, Driver.CALLS, 0, 2, id="twin by calls"),
]


@pytest.mark.parametrize(("action", "driver", "lag", "concurrency"), WAYS)
def test_a_crash_at_every_point(tmp_path: Path, action: Action, driver: Driver, lag: int, concurrency: int) -> None:
    template = tmp_path / "begun"
    begin(World(template), action, driver, concurrency)
    whole = story(template, tmp_path / "whole", [], lag)
    points = whole.points.count
    assert points > 30 and check(whole, action, driver, "no crash") == 0
    most_uncertain = 0
    chance = random.Random(6)
    for first in range(1, points + 1):
        for second in SECOND:
            if second is not None and chance.random() > SHARE:
                continue
            what = f"ends at {first} of {points}, then at {second}"
            world = story(template, tmp_path / f"{first}-{second}", [first, second], lag)
            most_uncertain = max(most_uncertain, check(world, action, driver, what))
    assert most_uncertain <= 2 * concurrency
