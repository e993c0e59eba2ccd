"""Real processes that look at random schedules are killed at random moments: two hosts, one hub, clocks that move.

On each host one process or two look at an hourly schedule, hours after the last ones or minutes before them, and some
of them are killed. At the end each host has recorded each occurrence once, with an outcome; each has started on one of
them at most; no device was operated more often than runs say. A story that fails is told again by its id: `-k CALLS-3`.
"""

import random
import sys
import time as wall
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from azext_iotjobs.fleet_job.calendar import occurrences
from azext_iotjobs.fleet_job.due import delay_of, is_open
from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.occurrence import Occurrence, OccurrenceState, StoredSchedule
from azext_iotjobs.model.rollout import Rollout, parse_batch_sizes
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.schedule import Frequency, Missed, Overlap, Rule, Schedule, Window
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.operations.fleet_job import definitions, planning
from azext_iotjobs.operations.fleet_job.schedule.run_due import BY_OVERLAP
from azext_iotjobs.operations.fleet_job.schedule.saved import set_schedule
from tests.helpers.devices_on_thread import DevicesOnThread, client_of, devices_of
from tests.helpers.hub_process import HubProcess
from tests.helpers.killable_process import KILLED, KillableProcess, needs_fork
from tests.helpers.schedule_process import LOOKED, NOT_STARTED, look
from tests.helpers.short_form import IN_FULL
from tests.helpers.waiting import looks

DEVICES = tuple(f"dev-{number:02}" for number in range(6))
SEEDS = range(10) if IN_FULL else range(1)  # by each driver; in each story processes are killed up to ten times
ROUNDS = 7
STARTED, TAKEN = OccurrenceState.STARTED, OccurrenceState.TAKEN
SAID = (OccurrenceState.MISSED, OccurrenceState.SKIPPED)

pytestmark = needs_fork


@pytest.fixture(scope="module")
def devices(process: HubProcess) -> Iterator[DevicesOnThread]:
    with devices_of(process, DEVICES) as devices:
        yield devices


def schedule_of(chance: random.Random) -> Schedule:
    return Schedule(
        rule=Rule(frequency=Frequency.CRON, cron="0 * * * *"),
        zone="UTC",
        window=chance.choice([None, None, Window(time(22), time(20))]),
        jitter_s=chance.choice([0.0, 600.0]),
        missed=chance.choice(list(Missed)),
        catch_up_s=chance.choice([3600.0, 3 * 3600.0, 86_400.0]),
        overlap=chance.choice(list(Overlap)),
    )


class TwoHosts:
    """Two state folders with the same fleet job and schedule, and the processes that look at it."""

    def __init__(self, folder: Path, process: HubProcess, driver: Driver, name: str) -> None:
        self.name = name
        self.kills = 0
        self._process = process
        self._chance = random.Random(name)
        self._at = SystemClock().now() + timedelta(minutes=1)  # by their clocks
        self.looked_at = self._at  # the latest
        self._folders = [folder / "one", folder / "other"]
        schedule = schedule_of(self._chance)
        self.stores = [self._begun(each, driver, schedule) for each in self._folders]

    @property
    def stored(self) -> StoredSchedule:
        """The schedule, as both have it."""
        stored = self.stores[0].schedules.get(self.name)
        assert stored is not None
        return stored

    def play(self) -> None:
        """Have processes look, round after round, some of them killed; then until nothing is left to do."""
        for _ in range(ROUNDS):
            self._pass()
            running = [self._start(each) for each in self._folders for _ in range(self._chance.choice([1, 1, 2]))]
            self._kill_some(running)
            assert all(each.end() in (LOOKED, NOT_STARTED, KILLED) for each in running), "a process has failed"
        self._at = self.looked_at + timedelta(minutes=5)
        while not is_open(self.stored.schedule, self._at + timedelta(minutes=30)):
            self._at += timedelta(hours=1)
        for _ in looks("all runs end", limit_s=300):
            self.looked_at = max(self.looked_at, self._at)
            assert [self._start(each).end() for each in self._folders] == [LOOKED, LOOKED]
            if all(self._is_over(store) for store in self.stores):
                return
            self._at += timedelta(seconds=20)

    def _is_over(self, store: SqliteStore) -> bool:
        last = store.runs.last(self.name)
        is_left = last is None or last.state.has_ended or last.ended_by == BY_OVERLAP
        return is_left and not store.occurrences.open(self.name, self._at)

    def _pass(self) -> None:
        """Hours pass, or the clock is set back by some minutes."""
        minutes = self._chance.choice([-20, 5, 60, 61, 110, 185, 400])
        self._at += timedelta(minutes=minutes)
        self.looked_at = max(self.looked_at, self._at)

    def _start(self, folder: Path) -> KillableProcess:
        return KillableProcess(look, self._process, folder, self.name, self._at - SystemClock().now())

    def _kill_some(self, running: list[KillableProcess]) -> None:
        for each in running:
            each.has_begun()
        for victim in self._chance.sample(running, self._chance.randint(1, len(running))):
            wall.sleep(self._chance.random() * 0.6)
            self.kills += victim.kill()

    def _begun(self, folder: Path, driver: Driver, schedule: Schedule) -> SqliteStore:
        store = SqliteStore.open(folder)
        definition = Definition(
            action=Action(method=MethodCall(name="reboot")),
            targets=Targets(selection=Selection(device_ids=DEVICES)),
            rollout=Rollout(sizes=parse_batch_sizes("3", "--batch")),
            delivery=Delivery(driver=driver, concurrency=2, rate=20, job_limit_s=60),
        )
        with client_of(self._process) as client:
            definitions.create(store, self.name, planning.host_of(client), definition, by="me", at=self._at)
        key = f"{folder.name}{'x' * 8}"[:8]
        set_schedule(store, self.name, schedule, by="me", at=self._at, new_key=lambda: key)
        return store


def due_by(hosts: TwoHosts) -> set[datetime]:
    """All occurrences from when the schedule was set to when somebody looked last."""
    stored, found = hosts.stored, set()
    for at in occurrences(stored.schedule, stored.set_at, stored.set_at):
        if at + delay_of(stored) > hosts.looked_at:
            break
        found.add(at)
    return found


def check(hosts: TwoHosts, devices: DevicesOnThread) -> None:
    histories = [{each.at: each for each in store.occurrences.list_all(hosts.name)} for store in hosts.stores]
    due = due_by(hosts)
    for store, history in zip(hosts.stores, histories, strict=True):
        assert set(history) >= due, "an occurrence is lost"
        check_outcomes(history, store.runs.list_all(hosts.name))
    for at in set(histories[0]) | set(histories[1]):
        both = [history[at] for history in histories if at in history]
        states = [each.state for each in both]
        assert states.count(STARTED) <= 1, f"it ran twice: {both}"
        assert states != [TAKEN, TAKEN], f"each says that the other has started it: {both}"
    check_devices(hosts, devices)


def check_outcomes(history: dict[datetime, Occurrence], runs: list[Run]) -> None:
    """Of one folder: what has started has one run, and of all else it is said why not."""
    runs_at = Counter(run.occurrence_at for run in runs)
    assert set(runs_at.values()) <= {1}, "an occurrence has two runs"
    assert set(runs_at) == {at for at, each in history.items() if each.state is STARTED}
    for each in history.values():
        assert each.state is STARTED or (each.state in (TAKEN, *SAID) and each.note), each


def check_devices(hosts: TwoHosts, devices: DevicesOnThread) -> None:
    """Devices count as many calls as the runs of both folders; what may have been called is said."""
    completed: Counter[str] = Counter()
    uncertain: Counter[str] = Counter()
    for store in hosts.stores:
        for run in store.runs.list_all(hosts.name):
            assert run.state in (RunState.COMPLETED, RunState.CANCELED) or run.ended_by == BY_OVERLAP, run
            rows: list[Any] = [row for page in store.results.pages(run, ResultFilter()) for row in page.rows]
            assert sorted(row.device_id for row in rows) == sorted(DEVICES)
            completed.update(row.device_id for row in rows if row.status == "completed")
            left = [row.device_id for row in rows if row.status == "uncertain"]
            # Of a hub job that was being sent, nobody knows once its run is canceled: it is not sent again.
            assert not left or run.driver is Driver.CALLS or run.state is RunState.CANCELED, rows
            # A run that was stopped leaves hub jobs that run to the hub.
            uncertain.update([*left, *(row.device_id for row in rows if row.status == "in-progress")])
    for device in DEVICES:
        most = completed[device] + uncertain[device]
        assert completed[device] <= devices.calls[device] <= most, (device, completed, uncertain, devices.calls)
    assert uncertain.total() <= 3 * hosts.kills, "a batch, or two calls, for each process that was killed"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("driver", [Driver.JOBS, Driver.CALLS])
def test_no_occurrence_runs_twice_and_none_is_lost_unsaid(
    tmp_path: Path, process: HubProcess, devices: DevicesOnThread, driver: Driver, seed: int
) -> None:
    devices.calls.clear()
    hosts = TwoHosts(tmp_path, process, driver, f"due-{driver.value}-{seed}")
    hosts.play()
    check(hosts, devices)
    outcomes = Counter(each.state.value for store in hosts.stores for each in store.occurrences.list_all(hosts.name))
    for store in hosts.stores:
        store.close()
    sys.stdout.write(f"{hosts.name}: killed {hosts.kills}, {dict(outcomes)}\n")
