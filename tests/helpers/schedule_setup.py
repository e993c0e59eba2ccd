"""Processes that look at a schedule, each with a hub that is a function: the setup of tests of schedules."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.fleet_job import Action, Driver
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.rollout import parse_batch_sizes
from azext_iotjobs.model.schedule import Frequency, Rule, Schedule
from azext_iotjobs.operations.fleet_job.schedule import saved
from azext_iotjobs.operations.fleet_job.schedule.run_due import DueContext, Happened, poll
from tests.helpers.clock_double import START
from tests.helpers.fleet_job_hub_double import StopDouble, World, definition_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRST = START.replace(hour=5, minute=0, second=0)  # of `daily`: two hours after the schedule is set
DEVICES = tuple(f"d{number}" for number in range(4))
METHOD = Action(method=MethodCall(name="reboot"))


def daily(**more: Any) -> Schedule:
    return Schedule(rule=Rule(frequency=Frequency.DAILY, at=time(5)), zone="UTC", **more)


class ScheduledWorld(World):
    """A store with a fleet job that has a schedule, and processes that look at it."""

    def __init__(self, folder: Path, key: str = "aaaaaaaa", **hub: Any) -> None:
        super().__init__(folder, **hub)
        self.key = key
        self.asked: list[datetime | None] = []
        self.notices: list[str] = []

    def beside(self, folder: Path, key: str = "bbbbbbbb") -> "ScheduledWorld":
        """Another store, on another machine, with the same hub at the same time."""
        other = ScheduledWorld(folder, key)
        other.clock, other.hub = self.clock, self.hub
        return other

    def begin(self, schedule: Schedule, driver: Driver = Driver.CALLS, **rollout: Any) -> SqliteStore:
        store = self.open()
        sizes = parse_batch_sizes(rollout.pop("sizes", "2"), "--batch")
        self.save(store, definition_of(rollout.pop("action", METHOD), DEVICES, driver, sizes=sizes, **rollout))
        self.set_schedule(store, schedule)
        return store

    def set_schedule(self, store: SqliteStore, schedule: Schedule) -> saved.SetSchedule:
        return saved.set_schedule(store, "job", schedule, by="ann", at=self.clock.now(), new_key=lambda: self.key)

    def due_context(self, store: SqliteStore, stop: Any = None, **more: Any) -> DueContext:
        flag, stop_by = stop or StopDouble(), more.pop("stop_by", None)
        values: dict[str, Any] = {
            "store": store,
            "clock": self.clock,
            "holder": self.holder,
            "by": "ann@here",
            "stop": flag,
            "open_hub": lambda job: (self.client, None),
            "limited": lambda job: job,
            "run_context": lambda hub, shuts_at: replace(self.context(store, flag), shuts_at=shuts_at, stop_by=stop_by),
            "confirm_clock": self.confirm,
            "on_notice": self.notices.append,
        }
        return DueContext(**(values | more))

    def confirm(self, stored: StoredSchedule, at: datetime | None) -> None:
        self.asked.append(at)

    def poll(self, store: SqliteStore, stop: Any = None, **more: Any) -> list[Happened]:
        stored = store.schedules.get("job")
        assert stored is not None
        return poll(stored, self.due_context(store, stop, **more))

    def poll_at(
        self, store: SqliteStore, at: datetime, stop: Any = None, **more: Any
    ) -> list[tuple[str, datetime | None]]:
        """What comes of a poll at an instant, in short."""
        self.clock.set_s += (at - self.clock.now()).total_seconds()
        return [(each.what.value, each.at) for each in self.poll(store, stop, **more)]

    def called(self) -> set[int]:
        """How often devices were operated."""
        return {self.hub.operated[device] for device in DEVICES}
