"""Many hosts look at the schedules of one team's store for a day, with one hub; some of them die, some never wake.

An hour passes between two rounds. In each, every host starts what is due, beside the others, and some are killed in the
middle of it. To the others each is another machine: nobody knows that it has ended, and what it had begun is free
only once its lease, or its claim, has expired by the database's clock, which all of their clocks are ahead of.
"""

import random
import sys
import time as wall
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from azext_iotjobs.fleet_job.calendar import occurrences
from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, Targets
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.occurrence import OccurrenceState, StoredSchedule
from azext_iotjobs.model.run_state import RunState
from azext_iotjobs.model.schedule import Frequency, Missed, Overlap, Rule, Schedule
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.operations.fleet_job import definitions, planning
from azext_iotjobs.operations.fleet_job.schedule.due_schedules import due_schedules
from azext_iotjobs.operations.fleet_job.schedule.saved import set_schedule
from tests.helpers.devices_on_thread import DevicesOnThread, client_of, devices_of
from tests.helpers.hub_process import HubProcess
from tests.helpers.killable_process import KILLED, KillableProcess, needs_fork
from tests.helpers.postgres_server import PostgresServer
from tests.helpers.schedule_process import LOOKED, ShiftedClock, look_at_all, store_at
from tests.helpers.short_form import IN_FULL
from tests.helpers.waiting import looks

HOSTS, SCHEDULES, HOURS = (20, 1000, 24) if IN_FULL else (4, 12, 3)
MOST_KILLED = 4 if IN_FULL else 0  # in a round; whoever is killed holds others up for the two minutes of a claim
DEVICES = tuple(f"dev-{number:02}" for number in range(20))
END_LIMIT_S = 400.0

pytestmark = needs_fork


@pytest.fixture
def devices(process: HubProcess) -> Iterator[DevicesOnThread]:
    with devices_of(process, DEVICES) as devices:
        yield devices


class Day:
    """A store with many schedules, and the hosts that look at them."""

    def __init__(self, process: HubProcess, url: str) -> None:
        self.killed: Counter[str] = Counter()
        self._process = process
        self._url = url
        self._chance = random.Random(1)
        self._ahead = timedelta(days=1)
        self.store = store_at(url, ShiftedClock(self._ahead))
        self.began_at = self.now
        with client_of(process) as client:
            for number in range(SCHEDULES):
                self._begin(f"job-{number}", planning.host_of(client), DEVICES[number % len(DEVICES)])

    @property
    def now(self) -> datetime:
        """By the hosts' clocks."""
        return ShiftedClock(self._ahead).now()

    def _begin(self, name: str, host: str, device: str) -> None:
        """A fleet job that is due one to three times a day."""
        definition = Definition(
            action=Action(method=MethodCall(name="reboot")),
            targets=Targets(selection=Selection(device_ids=(device,))),
            delivery=Delivery(driver=Driver.CALLS),
        )
        definitions.create(self.store, name, host, definition, by="me", at=self.began_at)
        times = self._chance.randint(1, 3) if IN_FULL else 24
        hours = ",".join(map(str, sorted(self._chance.sample(range(24), times))))
        schedule = Schedule(
            rule=Rule(frequency=Frequency.CRON, cron=f"{self._chance.choice([0, 0, 17, 42])} {hours} * * *"),
            zone="UTC",
            missed=Missed.ALL,
            catch_up_s=2 * 86_400.0,
            overlap=Overlap.WAIT,
        )
        set_schedule(self.store, name, schedule, by="me", at=self.began_at, new_key=lambda: "teamteam")

    def pass_by(self) -> None:
        """Hour after hour, until it is over and all that was begun has ended."""
        for _ in range(HOURS):
            self._ahead += timedelta(hours=1)
            running = {host: self._start(host) for host in self._hosts()}
            for victim in self._chance.sample(sorted(running), self._chance.randint(0, MOST_KILLED)):
                running[victim].has_begun()
                wall.sleep(self._chance.random() * 0.5)
                self.killed[victim] += running[victim].kill()
            assert {each.end() for each in running.values()} <= {LOOKED, KILLED}, "a process has failed"
        for _ in looks("all that was begun has ended", limit_s=END_LIMIT_S):
            assert self._start("host-0").end() == LOOKED
            is_left = self.store.runs.unfinished_of_each() or self.store.occurrences.open_of_each(self.now)
            if not is_left and not due_schedules(self.store, self.store.schedules.list_all(), self.now):
                return

    def _hosts(self) -> list[str]:
        return [f"host-{number}" for number in range(HOSTS)]

    def _start(self, host: str) -> KillableProcess:
        return KillableProcess(look_at_all, self._process, self._url, host, self._ahead)


def due_by(stored: StoredSchedule, until: datetime) -> set[datetime]:
    """All occurrences from when the schedule was set."""
    found = set()
    for at in occurrences(stored.schedule, stored.set_at, stored.set_at):
        if at > until:
            break
        found.add(at)
    return found


def test_each_occurrence_has_one_run_whoever_dies_and_all_hosts_share_the_work(
    process: HubProcess, devices: DevicesOnThread, postgres: PostgresServer
) -> None:
    day = Day(process, postgres.url())
    began = wall.monotonic()
    day.pass_by()
    took_s = wall.monotonic() - began
    by_host: Counter[str] = Counter()
    for stored in day.store.schedules.list_all():
        check(day, stored, by_host)
    calls = called(day.store)
    for device in DEVICES:
        completed, uncertain = calls[device, "completed"], calls[device, "uncertain"]
        assert completed <= devices.calls[device] <= completed + uncertain, (device, calls, devices.calls)
    uncertain = sum(count for (_, status), count in calls.items() if status == "uncertain")
    assert uncertain <= day.killed.total(), "whoever is killed has one call in flight at most"
    assert len(by_host) == HOSTS, f"all of them have done something: {by_host}"
    day.store.close()
    sys.stdout.write(
        f"{by_host.total()} runs by {HOSTS} hosts, the most {max(by_host.values())}, the fewest "
        f"{min(by_host.values())}; {day.killed.total()} killed, {uncertain} calls uncertain; {took_s:.0f} s\n"
    )


def check(day: Day, stored: StoredSchedule, by_host: Counter[str]) -> None:
    """Each occurrence has one run; or, while the run of a host that had died was not free yet, is skipped with why."""
    job = stored.fleet_job_id
    history = {each.at: each for each in day.store.occurrences.list_all(job)}
    assert set(history) == due_by(stored, day.now), job
    started = {at for at, each in history.items() if each.state is OccurrenceState.STARTED}
    for at in set(history) - started:
        assert day.killed and history[at].state is OccurrenceState.SKIPPED and history[at].note, history[at]
    runs = day.store.runs.list_all(job)
    assert Counter(run.occurrence_at for run in runs) == Counter(dict.fromkeys(started, 1))
    assert all(run.state is RunState.COMPLETED for run in runs), runs
    by_host.update(run.created_by for run in runs)


def called(store: SqlStore) -> Counter[tuple[str, str]]:
    """How many calls results say of each device, by their status."""
    found: Counter[tuple[str, str]] = Counter()
    for stored in store.schedules.list_all():
        for run in store.runs.list_all(stored.fleet_job_id):
            for page in store.results.pages(run, ResultFilter()):
                found.update((row.device_id, row.status) for row in page.rows)
    return found
