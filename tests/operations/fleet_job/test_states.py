"""The picture of states shows what happens: runs of all kinds go on a real store, which says what led where."""

import sqlite3
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pictures.states import BATCHES, DEVICES, HUB_JOBS, PANELS, run_arrows

from azext_iotjobs.fleet_job.hub_job import HubJobState
from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from azext_iotjobs.model.fleet_job import Action, Driver
from azext_iotjobs.model.gates import Gates
from azext_iotjobs.model.rollout import Retry, RetryWhen
from azext_iotjobs.model.run_state import TRANSITIONS, BatchState, DeviceState, RunState
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import Crash, Points, StopDouble
from tests.helpers.fleet_job_setup import METHOD, FleetJobSetup, failing, ids
from tests.helpers.transport_double import response

TWIN = Action(patch=TwinPatch(document={"properties": {"desired": {"light": 7}}}))
VERIFICATION = Verification(
    condition="properties.reported.version = 2", failed_condition="properties.reported.state = 'failed'", within_s=60
)
# A device that a hub job operates is in progress, as one that is called; its row is pending until the job has ended.
RECORDED = """
CREATE TABLE step (what TEXT, before TEXT, after TEXT);
CREATE TRIGGER step_of_device AFTER UPDATE OF state ON device WHEN OLD.state <> NEW.state BEGIN INSERT INTO step VALUES
    ('device', CASE WHEN OLD.state = 'pending' AND OLD.part IS NOT NULL THEN 'calling' ELSE OLD.state END, NEW.state);
END;
CREATE TRIGGER step_of_batch AFTER UPDATE OF state ON batch WHEN OLD.state <> NEW.state BEGIN
    INSERT INTO step VALUES ('batch', OLD.state, NEW.state); END;
CREATE TRIGGER step_of_hub_job AFTER UPDATE OF state ON part WHEN OLD.state <> NEW.state BEGIN
    INSERT INTO step VALUES ('hub job', OLD.state, NEW.state); END;
"""
STATES: dict[str, type[Enum]] = {"device": DeviceState, "batch": BatchState, "hub job": HubJobState}
Steps = set[tuple[Enum, Enum]]


def recorded(folder: Path, story: Callable[[FleetJobSetup], object]) -> Steps:
    """The steps from state to state that a story of runs takes."""
    setup = FleetJobSetup(folder)
    file = next(folder.rglob(FILE_NAME))
    with sqlite3.connect(file) as database:
        database.executescript(RECORDED)
    story(setup)
    setup.store.close()
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT DISTINCT what, before, after FROM step").fetchall()
    return {(STATES[what](before), STATES[what](after)) for what, before, after in rows}


def verified(driver: Driver) -> Callable[[FleetJobSetup], object]:
    """Devices report, report a failure, report nothing; those that failed are tried again."""

    def reports(device: str, times: int) -> list[tuple[float, dict[str, Any]]]:
        said: dict[str, dict[str, Any]] = {"d001": {}, "d002": {"state": "failed"}}
        return [(5.0, said.get(device, {"version": 2}))]

    def story(setup: FleetJobSetup) -> None:
        setup.world.hub.reports = reports
        setup.run(driver, ids(4), sizes="2", verification=VERIFICATION, retry=Retry(tries={"not-verified": 1}))

    return story


def baked(setup: FleetJobSetup) -> None:
    """One of the devices takes back what it has reported while its batch bakes."""
    setup.world.hub.reports = lambda device, times: [
        (1, {"version": 2}),
        *([(30, {"version": 1})] if device == "d001" else []),
    ]
    setup.run(Driver.CALLS, ids(4), sizes="2", verification=VERIFICATION, gates=Gates(bake_s=60))


def retried(when: RetryWhen) -> Callable[[FleetJobSetup], object]:
    """Devices that fail are tried again, at once or at the end."""

    def story(setup: FleetJobSetup) -> None:
        setup.world.hub.fails = failing("d001")
        setup.run(Driver.CALLS, ids(3), retry=Retry(tries={"offline": 1}, when=when))

    return story


def offline(action: Action) -> Callable[[FleetJobSetup], object]:
    """Devices are offline; one connects, and reports; one does not connect; one leaves before it has reported."""

    def story(setup: FleetJobSetup) -> None:
        clock = setup.world.clock
        until_s = {"d001": 300.0, "d002": 86_400.0}
        setup.world.hub.is_away = lambda device: clock.passed_s < until_s.get(device, 0.0)
        setup.world.hub.reports = lambda device, times: [
            (max(0.0, until_s.get(device, 0.0) - clock.passed_s) + 5, {"version": 2})
        ]
        setup.run(Driver.JOBS, ids(4), action, sizes="2", verification=VERIFICATION, when_online_s=600)

    return story


def canceled(setup: FleetJobSetup) -> None:
    """A run is stopped in its first batch, and canceled."""
    stopped = setup.run(Driver.JOBS, ids(6), sizes="2", stop=StopDouble(after=3))
    run_loop.cancel(stopped, setup.world.context(setup.store), by="ann", reason=None)


def refused(setup: FleetJobSetup) -> None:
    """The hub has no free slot for a job; then somebody stops the run."""

    def refuse(request: Request) -> Response | None:
        code = "ThrottlingMaxActiveJobCountExceeded"
        return response({"Message": "no"}, status=429, iothub_errorcode=code) if request.method == "PUT" else None

    setup.world.hub.refuses = refuse
    setup.run(Driver.JOBS, ids(2), stop=StopDouble(after=6))


def killed(action: Action, point: int) -> Callable[[FleetJobSetup], object]:
    """The process ends at some point, and the next one goes on.

    action: what is done to each device.  point: which of its requests and commits is the last one.
    """

    def story(setup: FleetJobSetup) -> None:
        setup.store.close()
        setup.store = setup.world.open(Points(point))
        try:
            setup.run(Driver.CALLS, ids(4), action)
        except Crash:
            setup.store.database._connection.close()
            setup.store = setup.world.open()
            setup.resume()

    return story


STORIES = (
    *(verified(driver) for driver in (Driver.JOBS, Driver.CALLS)),
    baked,
    *(retried(when) for when in RetryWhen),
    *(offline(action) for action in (METHOD, TWIN)),
    canceled,
    refused,
    *(killed(action, point) for action in (METHOD, TWIN) for point in range(8, 16, 2)),
)


def test_the_picture_of_states_has_every_step_that_runs_take_and_no_other(tmp_path: Path) -> None:
    taken: Steps = set()
    for number, story in enumerate(STORIES):
        taken |= recorded(tmp_path / str(number), story)
    assert {(one.name, other.name, type(one).__name__) for one, other in taken} == {
        (one.name, other.name, type(one).__name__) for one, other in (*BATCHES, *HUB_JOBS, *DEVICES)
    }


def test_the_picture_of_states_has_every_event_of_a_run() -> None:
    arrows = run_arrows()
    assert {(before, word) for (before, _), words in arrows.items() for word in words.split(", ")} == {
        (before, event.value) for before, event in TRANSITIONS
    }
    assert all(arrows[before, after].count(event.value) == 1 for (before, event), after in TRANSITIONS.items())


@pytest.mark.parametrize("states", [RunState, BatchState, HubJobState, DeviceState])
def test_every_state_has_its_box(states: type[Enum]) -> None:
    boxes = {state for panel in PANELS for state in panel.places}
    assert set(states) <= boxes
