"""A process that executes a run ends at every request and commit, alone and with a second end soon after.

Each device is operated exactly once, or is shown uncertain; never twice, never forgotten. Devices that are verified
have completed when they report so, and have failed when they report the opposite, or nothing.
"""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.model.fleet_job import Action, Driver
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.verification import Verification
from tests.helpers.fleet_job_hub_double import Crash, Points, World, definition_of, rows_of
from tests.helpers.short_form import IN_FULL, points_of

DEVICES = tuple(f"d{number}" for number in range(8))
SIZES = parse_batch_sizes("3", "--batch")
METHOD = Action(method=MethodCall(name="reboot"))
TWIN = Action(patch=TwinPatch(document={"properties": {"desired": {"light": 7}}}))
VERIFICATION = Verification(
    condition="properties.reported.version = 2", failed_condition="properties.reported.state = 'failed'", within_s=10
)
FEW = DEVICES[:5]
CODES = {"d1": "ReportedFailure", "d2": "NotInTime"}  # of the devices that are not verified
REPORTED = {"d1": {"properties.reported.state": "failed"}, "d2": {}}
SECOND = (1, 2, 3, 5, 8)


def begin(
    world: World, action: Action, driver: Driver, concurrency: int, verification: Verification | None = None
) -> None:
    store = world.open()
    options = {"sizes": SIZES, "concurrency": concurrency, "verification": verification}
    devices = DEVICES if verification is None else FEW
    job = world.save(store, definition_of(action, devices, driver, **options))
    world.new_run(store, job)
    store.close()


def ends_of(points: Points, share: float) -> Iterator[list[int]]:
    """Where processes end one after the other: one alone, and two, of which the second does so soon.

    points: those of a run that nothing ends.  share: of what follows an end, in the full form.
    """
    chance = random.Random(6)
    for first in points_of(points.kinds, 6):
        yield [first]
        yield from ([first, second] for second in SECOND if chance.random() < (share if IN_FULL else 0.05))


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


def reports(device: str, times: int) -> list[tuple[float, dict[str, Any]]]:
    """After a few looks: that it was operated, that it failed, or nothing."""
    if CODES.get(device) == "NotInTime":
        return []
    return [(3.0, {"state": "failed"} if device in CODES else {"version": 2})]


def story(template: Path, folder: Path, ends: list[int], lag: int) -> World:
    shutil.copytree(template, folder)
    world = World(folder, lag=lag, reports=reports)
    for at in ends:
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
    for number, ends in enumerate(ends_of(whole.points, 1.0)):
        world = story(template, tmp_path / str(number), ends, lag)
        most_uncertain = max(most_uncertain, check(world, action, driver, f"ends at {ends} of {points}"))
    assert most_uncertain <= 2 * concurrency


def check_verified(world: World, what: str) -> int:
    """The number of uncertain devices."""
    store = world.open()
    run = store.runs.get("job")
    rows = rows_of(store, run)
    store.close()
    assert (run.state, set(rows)) == (RunState.COMPLETED, set(FEW)), what
    uncertain = {device for device, row in rows.items() if row.status == "uncertain"}
    for device, row in rows.items():
        times = world.hub.operated[device]
        if device in uncertain:
            assert times <= 1, (what, device)
            continue
        code = CODES.get(device)
        assert (row.status, row.error_code, times) == ("failed" if code else "completed", code, 1), (what, device)
        assert row.method_status == 200 and (row.verified_at is None) is (code is not None), (what, device)
        assert row.reported == REPORTED.get(device, {"properties.reported.version": 2}), (what, device)
    return len(uncertain)


@pytest.mark.parametrize("driver", [Driver.JOBS, Driver.CALLS])
def test_a_crash_at_every_point_of_a_run_that_is_verified(tmp_path: Path, driver: Driver) -> None:
    template = tmp_path / "begun"
    begin(World(template), METHOD, driver, 2, VERIFICATION)
    whole = story(template, tmp_path / "whole", [], 0)
    points = whole.points.count
    assert points > 50 and check_verified(whole, "no crash") == 0
    for number, ends in enumerate(ends_of(whole.points, 0.25)):
        what = f"ends at {ends} of {points}"
        uncertain = check_verified(story(template, tmp_path / str(number), ends, 0), what)
        assert uncertain <= (0 if driver is Driver.JOBS else 4), what


CONNECTS, STAYS_AWAY = "d1", "d2"
OF_THREE = (CONNECTS, STAYS_AWAY, "d3")
CONNECTS_AFTER_S, WHEN_ONLINE_S = 12.0, 16.0
ONLY_VERSION = Verification(condition="properties.reported.version = 2", within_s=10)


def offline_world(folder: Path) -> World:
    """Of three devices one is online, one connects after a while, one does not."""
    world = World(folder)

    def is_away(device: str) -> bool:
        return device == STAYS_AWAY or (device == CONNECTS and world.clock.passed_s < CONNECTS_AFTER_S)

    def reports_when_connected(device: str, times: int) -> list[tuple[float, dict[str, Any]]]:
        later_s = max(0.0, CONNECTS_AFTER_S - world.clock.passed_s) if device == CONNECTS else 0.0
        return [] if device == STAYS_AWAY else [(later_s + 2.0, {"version": 2})]

    world.hub.is_away = is_away
    world.hub.reports = reports_when_connected
    return world


def offline_story(template: Path, folder: Path, ends: list[int]) -> World:
    shutil.copytree(template, folder)
    world = offline_world(folder)
    for at in ends:
        go_on_until_crash(world, Points(at))
    assert not go_on_until_crash(world, Points())
    return world


def check_offline(world: World, action: Action, driver: Driver, what: str) -> int:
    """The number of uncertain devices."""
    store = world.open()
    run = store.runs.get("job")
    rows = rows_of(store, run)
    store.close()
    assert (run.state, set(rows), run.tally.waiting) == (RunState.COMPLETED, set(OF_THREE), 0), what
    uncertain = {device for device, row in rows.items() if row.status == "uncertain"}
    assert not uncertain or (action is METHOD and driver is Driver.CALLS), what
    for device, row in rows.items():
        times = world.hub.operated[device]
        if device in uncertain:
            assert times <= 1, (what, device)
        elif device == STAYS_AWAY:
            code, operated = ("DidNotConnect", 0) if action is METHOD else ("NotInTime", 1)
            assert (row.status, row.error_code, times) == ("failed", code, operated), (what, device)
        else:
            assert (row.status, times) == ("completed", 1), (what, device, times)
    return len(uncertain)


WAYS_TO_WAIT = [
    pytest.param(METHOD, Driver.JOBS, None, id="method by job"),
    pytest.param(METHOD, Driver.CALLS, None, id="method by calls"),
    pytest.param(TWIN, Driver.CALLS, ONLY_VERSION, id="twin by calls, verified"),
]


@pytest.mark.parametrize(("action", "driver", "verification"), WAYS_TO_WAIT)
def test_a_crash_at_every_point_of_a_run_whose_devices_wait_to_connect(
    tmp_path: Path, action: Action, driver: Driver, verification: Verification | None
) -> None:
    template = tmp_path / "begun"
    world = offline_world(template)
    store = world.open()
    options: dict[str, Any] = {"sizes": parse_batch_sizes("2", "--batch"), "concurrency": 1}
    options |= {"verification": verification, "when_online_s": WHEN_ONLINE_S}
    world.new_run(store, world.save(store, definition_of(action, OF_THREE, driver, **options)))
    store.close()
    whole = offline_story(template, tmp_path / "whole", [])
    points = whole.points.count
    assert points > 50 and check_offline(whole, action, driver, "no crash") == 0
    for number, ends in enumerate(ends_of(whole.points, 0.25)):
        what = f"ends at {ends} of {points}"
        world = offline_story(template, tmp_path / str(number), ends)
        assert check_offline(world, action, driver, what) <= 2, what
