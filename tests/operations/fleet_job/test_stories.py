"""Runs that meet everything at once: crashes, stops, lost answers, one job slot, a GET that lags, offline devices.

Seeded, so that a story that fails can be told again. Whatever happens, in the end each device was operated once, or is
shown as uncertain or failed; never twice, never forgotten.
"""

import random
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import CannotConnect, LinkLost
from azext_iotjobs.model.fleet_job import Action, Driver
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.rollout import Retry, RetryWhen, parse_batch_sizes
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.operations.fleet_job import run_loop
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.fleet_job_hub_double import Crash, HubDouble, Points, StopDouble, Wire, World, definition_of, rows_of
from tests.helpers.short_form import IN_FULL

DEVICES = tuple(f"d{number}" for number in range(12))
METHOD = Action(method=MethodCall(name="reboot"))
TWIN = Action(patch=TwinPatch(document={"tags": {"ring": 2}}))
STORIES = 250 if IN_FULL else 25
ODDS = {"crash": 0.35, "ctrl-c": 0.2, "stop": 0.1, "as it comes": 0.35}


class LossyWire(Wire):
    """Requests and answers are lost now and then."""

    def __init__(self, hub: HubDouble, points: Points, chance: random.Random) -> None:
        super().__init__(hub, points)
        self._chance = chance

    def send(self, request: Request) -> Response:
        fate = self._chance.random()
        if fate < 0.04:
            raise CannotConnect("no way to the hub")
        answer = super().send(request)
        if fate > 0.96:
            raise LinkLost("the answer was lost")
        return answer


class BadDay(World):
    """A world whose processes have a bad link to the hub."""

    def __init__(self, folder: Path, chance: random.Random, **hub: Any) -> None:
        super().__init__(folder, **hub)
        self.chance = chance

    @property
    def client(self) -> HubClient:
        return HubClient(HubTarget(host="h.example"), LossyWire(self.hub, self.points, self.chance))


@pytest.mark.parametrize("seed", range(STORIES))
@pytest.mark.parametrize("driver", [Driver.JOBS, Driver.CALLS])
def test_random_crashes_stops_and_resumes_operate_no_device_twice(tmp_path: Path, driver: Driver, seed: int) -> None:
    chance = random.Random(f"{driver} {seed}")
    offline = {each for each in DEVICES if chance.random() < 0.15}
    fails_once = set(offline) if chance.random() < 0.5 else set()

    def fails(device: str) -> dict[str, Any] | None:
        if device in fails_once and chance.random() < 0.5:
            return None
        return {"code": "DeviceNotOnline", "description": "away"} if device in offline else None

    world = BadDay(tmp_path / "state", chance, fails=fails, slots=1, lag=chance.choice([0, 1, 2]))
    action = chance.choice([METHOD, TWIN])
    is_twin_by_calls = action is TWIN and driver is Driver.CALLS  # these reach also who is not there
    retry = chance.choice([None, Retry(tries={"offline": 2}, when=chance.choice(list(RetryWhen)))])
    store = world.open()
    sizes = parse_batch_sizes(chance.choice(["100%", "5", "1,4"]), "--batch")
    definition = definition_of(
        action, DEVICES, driver, sizes=sizes, retry=retry, pause_s=chance.choice([0, 90]), concurrency=4
    )
    world.new_run(store, world.save(store, definition))
    store.close()
    for _ in range(60):
        if _process(world, chance).has_ended:
            break
    store = world.open()
    run = store.runs.get("job")
    rows = rows_of(store, run)
    store.close()
    assert (run.state, set(rows), run.tally.total) == (RunState.COMPLETED, set(DEVICES), len(DEVICES))
    for device, row in rows.items():
        times = world.hub.operated[device]
        if row.status == "uncertain":
            assert times <= 1 and not is_twin_by_calls, device
        elif row.status == "failed":
            assert times == 0 and device in offline, (device, row)
        else:
            assert (row.status, times) == ("completed", 1), (device, times)


def _process(world: World, chance: random.Random) -> RunState:
    """One process that executes the run, with a fate; gives the run's state as it is stored then."""
    fate = chance.choices(list(ODDS), list(ODDS.values()))[0]
    store = world.open(Points(chance.randrange(1, 80) if fate == "crash" else None))
    try:
        run = world.resume(store, StopDouble(chance.randrange(12)) if fate == "ctrl-c" else None)
        if fate == "stop" and not run.state.has_ended and run.state is not RunState.STOPPED:
            context = world.context(store)
            run_loop.stop(store, run, context.holder, by="someone", reason=None, clock=world.clock)
        assert store.runs.get("job").lease is None
        return run.state
    except Crash:
        store.database._connection.close()
        store = world.open()
        return store.runs.get("job").state
    finally:
        store.close()
