"""Real processes of two state folders that look at one fleet job's schedule are killed at random moments; one hub.

No occurrence runs twice, none is lost; no device is called twice for one.
"""

import random
import time as wall
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.occurrence import OccurrenceState
from azext_iotjobs.model.rollout import Rollout, parse_batch_sizes
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.schedule import Frequency, Missed, Rule, Schedule
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.operations.fleet_job import definitions, planning
from azext_iotjobs.operations.fleet_job.schedule.saved import set_schedule
from tests.helpers.devices_on_thread import DevicesOnThread, client_of, devices_of
from tests.helpers.hub_process import HubProcess
from tests.helpers.killable_process import KillableProcess, needs_fork
from tests.helpers.schedule_process import LOOKED, look
from tests.helpers.short_form import IN_FULL

DEVICES = tuple(f"dev-{number:02}" for number in range(8))
STORIES = 10 if IN_FULL else 1  # by each driver; each has some kills
DAYS = 3  # occurrences that are due
MAX_KILLS = 6
CLOCK = SystemClock()

pytestmark = needs_fork


@pytest.fixture(scope="module")
def devices(process: HubProcess) -> Iterator[DevicesOnThread]:
    with devices_of(process, DEVICES) as devices:
        yield devices


def begin(folder: Path, process: HubProcess, driver: Driver, set_at: datetime, name: str) -> None:
    """A store with a fleet job that is due on three days, since before they were."""
    store = SqliteStore.open(folder)
    definition = Definition(
        action=Action(method=MethodCall(name="reboot")),
        targets=Targets(selection=Selection(device_ids=DEVICES)),
        rollout=Rollout(sizes=parse_batch_sizes("3", "--batch")),
        delivery=Delivery(driver=driver, concurrency=2, rate=40, job_limit_s=60),
    )
    at = set_at + timedelta(minutes=5)
    rule = Rule(frequency=Frequency.DAILY, at=time(at.hour, at.minute))
    schedule = Schedule(rule=rule, zone="UTC", missed=Missed.ALL, catch_up_s=10 * 86400.0)
    with client_of(process) as client:
        definitions.create(store, name, planning.host_of(client), definition, by="me", at=set_at)
    key = f"{folder.name}{'x' * 8}"[:8]
    set_schedule(store, name, schedule, by="me", at=set_at, new_key=lambda: key)
    store.close()


@pytest.mark.parametrize("seed", range(STORIES))
@pytest.mark.parametrize("driver", [Driver.JOBS, Driver.CALLS])
def test_killed_again_and_again_on_two_hosts(
    tmp_path: Path, process: HubProcess, devices: DevicesOnThread, driver: Driver, seed: int
) -> None:
    chance = random.Random(f"{driver} {seed}")
    name = f"job-{driver.value}-{seed}"  # another one for each story: the hub remembers what was claimed
    set_at = CLOCK.now() - timedelta(days=DAYS - 1, minutes=10)
    folders = [tmp_path / "one", tmp_path / "other"]
    devices.calls.clear()
    for folder in folders:
        begin(folder, process, driver, set_at, name)
    kills = 0
    while kills < MAX_KILLS:
        running = [KillableProcess(look, process, folder, name) for folder in folders]
        for each in running:
            each.has_begun()
        wall.sleep(chance.random() * 1.5)
        is_alive = chance.choice(running).kill()
        for each in running:
            each.end()
        if not is_alive:
            break
        kills += 1
    for folder in (*folders, *folders):
        assert KillableProcess(look, process, folder, name).end() == LOOKED
    check(folders, devices, name, kills)


def check(folders: list[Path], devices: DevicesOnThread, name: str, kills: int) -> None:
    """Each occurrence has started in one store and is taken in the other; devices were called for each."""
    started: Counter[datetime] = Counter()
    known: Counter[datetime] = Counter()
    uncertain: Counter[str] = Counter()
    for folder in folders:
        store = SqliteStore.open(folder)
        for each in store.occurrences.list_all(name):
            known[each.at] += 1
            started[each.at] += each.state is OccurrenceState.STARTED
            assert each.state in (OccurrenceState.STARTED, OccurrenceState.TAKEN), each
        for run in store.runs.list_all(name):
            assert run.state is RunState.COMPLETED, (run.name, run.reason)
            rows = [row for page in store.results.pages(run, ResultFilter()) for row in page.rows]
            assert len(rows) == len(DEVICES)
            uncertain.update(row.device_id for row in rows if row.status == "uncertain")
        store.close()
    assert len(started) == DAYS and set(started.values()) == {1}, started
    assert set(known.values()) == {2}, "neither store has lost one"
    for device in DEVICES:
        least = DAYS - uncertain[device]
        assert least <= devices.calls[device] <= DAYS, (device, devices.calls[device], uncertain[device])
    assert sum(uncertain.values()) <= (2 * kills if Driver.CALLS.value in name else 0)
