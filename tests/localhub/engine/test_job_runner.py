"""Jobs carried out: at their time, on the devices that are there, and once, whatever ends the hub in between."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.job_runner import JobRunner
from azext_iotjobs.localhub.engine.links import Links, MethodResult
from azext_iotjobs.localhub.engine.paced_selector import ROWS_AT_ONCE, PacedSelector
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.job import CANCELLABLE, DeviceStatus, JobSpec, JobStatus, JobType, MethodSpec
from azext_iotjobs.localhub.rules.twin import new_twin
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities, Identity
from azext_iotjobs.localhub.store.jobs import DeviceJob, Jobs
from azext_iotjobs.localhub.store.messages import Message
from azext_iotjobs.localhub.store.twins import Twins
from tests.helpers.answering_device import LIMIT_S, MqttDevice
from tests.helpers.hub_process import HubProcess
from tests.helpers.job_devices import devices_in
from tests.helpers.waiting import wait_until

START = datetime(2026, 5, 1, 8, 0, tzinfo=timezone.utc)
MANY_LOOKS = 10_000


class HandClock(HubClock):
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = START
        super().__init__()

    def machine_now(self) -> datetime:
        return self.at


class Device:
    """A link whose device answers at once, or never."""

    accepts_methods = True
    accepts_messages = False

    def __init__(self, hub: "Hub", device_id: str, status: int | None = 200) -> None:
        self.address = Address(device_id)
        self.calls: list[str] = []
        self.desired: list[Any] = []
        self._hub = hub
        self._status = status
        hub.links.attach(self)
        hub.links.subscriptions_changed(self)

    def call_method(self, rid: str, name: str, payload: str) -> bool:
        self.calls.append(f"{name} {payload}")
        if self._status is not None:
            answer = MethodResult(self._status, {"ok": True})
            asyncio.get_running_loop().call_soon(self._hub.links.respond, self.address, rid, answer)
        return True

    def notify_desired(self, patch: Any, version: int) -> None:
        self.desired.append((patch, version))

    def deliver(self, message: Message) -> None:
        raise AssertionError("it accepts no messages")

    def close(self, client_error: str | None = None) -> None:
        self._hub.links.detach(self)


class Hub:
    """What a job runner needs, on one database; another one on the same database is the hub after a restart."""

    def __init__(
        self, database: Database, clock: HandClock, quotas: Quotas | None = None, *, rows_at_once: int = ROWS_AT_ONCE
    ) -> None:
        self.clock = clock
        self.database = database
        self.links = Links()
        self.jobs = Jobs(database)
        rows = Twins(database)
        self.identities = Identities(database, rows)
        self.twins = TwinService(rows, self.links, clock)
        selector = Selector(database)
        paced = PacedSelector(selector, rows_at_once=rows_at_once)
        self.runner = JobRunner(database, self.jobs, selector, self.twins, self.links, clock, quotas, paced)
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Hub":
        self._running = asyncio.create_task(self.runner.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._running is not None
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    def add(self, *device_ids: str) -> None:
        for device_id in device_ids:
            identity = Identity(device_id=device_id, generation_id="1", etag=1, sign_in="sas")
            self.identities.create(identity, new_twin(render(self.clock.now())))

    def start(self, job_id: str = "job", **members: Any) -> None:
        values: dict[str, Any] = {
            "job_id": job_id,
            "type": JobType.METHOD,
            "condition": "*",
            "method": MethodSpec(name="reboot", payload={"a": 1}, response_timeout_s=5, connect_timeout_s=0),
            "tags": None,
            "desired": None,
            "start_at": None,
            "max_execution_s": 60,
        }
        self.jobs.create(JobSpec(**{**values, **members}), self.clock.now())
        self.runner.wake()

    def status(self, job_id: str = "job") -> JobStatus | None:
        job = self.jobs.get(job_id)
        return job.status if job else None

    def rows(self, status: DeviceStatus, job_id: str = "job") -> list[DeviceJob]:
        return devices_in(self.database, job_id, status)

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the loop go on until something holds: turns of the loop, not seconds."""
        for _ in range(MANY_LOOKS):
            if condition():
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came to that")


def run(story: Callable[[Database, HandClock], Coroutine[Any, Any, None]]) -> None:
    database = Database(None)
    try:
        asyncio.run(story(database, HandClock()))
    finally:
        database.close()


def test_a_method_job_calls_every_device_and_keeps_each_answer() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as hub:
            hub.add("a", "b")
            devices = [Device(hub, "a"), Device(hub, "b", status=404)]
            hub.start()
            await hub.until(lambda: hub.status() is JobStatus.COMPLETED)
            assert [device.calls for device in devices] == [['reboot {"a":1}']] * 2
            outcomes = [row.outcome for row in hub.rows(DeviceStatus.COMPLETED)]
            assert outcomes == [
                {"deviceMethodResponse": {"status": status, "payload": {"ok": True}}} for status in (200, 404)
            ]

    run(story)


def test_a_twin_job_patches_twins_and_notifies_connected_devices() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as hub:
            hub.add("a", "never-connected")
            device = Device(hub, "a")
            hub.start(type=JobType.TWIN, method=None, desired={"fw": "4.1"})
            await hub.until(lambda: hub.status() is JobStatus.COMPLETED)
            assert device.desired == [({"fw": "4.1"}, 2)]
            assert hub.twins.get(Address("never-connected")).desired.data == {"fw": "4.1"}

    run(story)


def test_a_twin_that_refuses_the_patch_fails_alone() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as hub:
            hub.add("full", "empty")
            hub.twins.patch(Address("full"), tags={"a": "x" * 4096, "b": "x" * 4000}, desired=None)
            before = hub.twins.get(Address("full"))
            hub.start(type=JobType.TWIN, method=None, tags={"c": "x" * 200})
            await hub.until(lambda: hub.status() is JobStatus.COMPLETED)
            (failed,) = hub.rows(DeviceStatus.FAILED)
            assert (failed.address.device_id, failed.error["code"]) == ("full", "ArgumentInvalid")
            assert hub.twins.get(Address("full")) == before

    run(story)


def test_a_scheduled_job_waits_for_its_time_and_then_sees_the_devices_of_then() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as hub:
            hub.add("a")
            hub.start(start_at=START + timedelta(hours=1))
            await hub.until(lambda: hub.status() is JobStatus.SCHEDULED)
            devices = [Device(hub, "a"), Device(hub, "b")]
            hub.add("b")
            assert not any(device.calls for device in devices)
            clock.move(timedelta(hours=1))
            await hub.until(lambda: hub.status() is JobStatus.COMPLETED)
            assert all(device.calls for device in devices)

    run(story)


def test_a_device_that_comes_after_the_start_is_no_part_of_the_job_and_one_that_comes_back_is() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as hub:
            hub.add("a")
            hub.start()
            await hub.until(lambda: hub.rows(DeviceStatus.PENDING))
            hub.add("late")
            late, back = Device(hub, "late"), Device(hub, "a")
            await hub.until(lambda: hub.status() is JobStatus.COMPLETED)
            assert (len(back.calls), late.calls) == (1, [])

    run(story)


def test_a_device_that_stays_away_fails_at_the_deadline_and_the_job_completes() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as before:
            before.add("a")
            before.start(max_execution_s=60)
            await before.until(lambda: before.rows(DeviceStatus.PENDING))
        clock.at = START + timedelta(seconds=61)
        async with Hub(database, clock) as after:
            device = Device(after, "a")  # it comes, but its time is over
            await after.until(lambda: after.status() is JobStatus.COMPLETED)
            (failed,) = after.rows(DeviceStatus.FAILED)
            assert failed.error["code"] == "JobRunPreconditionFailed"
            assert device.calls == []

    run(story)


def test_a_job_that_came_due_while_the_hub_was_down_gives_its_devices_their_whole_time() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as before:
            before.add("a")
            before.start(start_at=START + timedelta(hours=1), max_execution_s=60)
            await before.until(lambda: before.status() is JobStatus.SCHEDULED)
        clock.at = START + timedelta(hours=3)
        async with Hub(database, clock) as after:
            await after.until(lambda: after.rows(DeviceStatus.PENDING))
            for _ in range(100):  # turns of the loop in which the job could give the device up
                await asyncio.sleep(0)
            device = Device(after, "a")
            await after.until(lambda: after.status() is JobStatus.COMPLETED)
            assert len(device.calls) == 1

    run(story)


def test_a_cancelled_job_never_runs() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as hub:
            hub.add("a")
            device = Device(hub, "a")
            hub.start(start_at=START + timedelta(hours=1))
            await hub.until(lambda: hub.status() is JobStatus.SCHEDULED)
            hub.jobs.set_status("job", JobStatus.CANCELLED, ended_at=clock.now())
            clock.at = START + timedelta(hours=2)
            hub.start("other")
            await hub.until(lambda: hub.status("other") is JobStatus.COMPLETED)
            assert (hub.status(), len(device.calls)) == (JobStatus.CANCELLED, 1)

    run(story)


def test_a_call_that_was_cut_off_is_not_made_again_and_says_why() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as before:
            before.add("called", "not-yet")
            silent = Device(before, "called", status=None)
            before.start()
            await before.until(lambda: silent.calls)
        async with Hub(database, clock) as after:
            devices = [Device(after, "called"), Device(after, "not-yet")]
            await after.until(lambda: after.status() is JobStatus.COMPLETED)
            assert [len(device.calls) for device in devices] == [0, 1]
            (failed,) = after.rows(DeviceStatus.FAILED)
            assert failed.address.device_id == "called"
            assert "not known" in failed.error["description"]

    run(story)


def test_offline_devices_do_not_hold_up_those_that_are_there() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as hub:
            hub.add(*(f"off-{number:03d}" for number in range(150)), "on")
            device = Device(hub, "on")
            hub.start()
            await hub.until(lambda: hub.rows(DeviceStatus.COMPLETED))
            assert len(device.calls) == 1
            assert len(hub.rows(DeviceStatus.PENDING)) == 150

    run(story)


def test_a_job_is_forgotten_30_days_after_its_end() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock) as hub:
            hub.add("a")
            Device(hub, "a")
            hub.start()
            await hub.until(lambda: hub.status() is JobStatus.COMPLETED)
            clock.at = START + timedelta(days=30, seconds=1)
            hub.runner.wake()
            await hub.until(lambda: hub.status() is None)
            assert hub.rows(DeviceStatus.COMPLETED) == []

    run(story)


def test_a_real_device_is_called_once_though_the_hub_is_killed_during_the_call(tmp_path: Path) -> None:
    job = {
        "type": "scheduleDeviceMethod",
        "queryCondition": "*",
        "maxExecutionTimeInSeconds": 600,
        "cloudToDeviceMethod": {"methodName": "reboot", "payload": None},
    }
    with HubProcess(tmp_path) as hub:
        for device in ("silent", "away"):
            hub.new_device(device)
        with MqttDevice(hub, "silent", lambda *_: None) as silent:
            hub.ok("PUT", "/jobs/v2/job", json=job)
            assert silent.called.wait(LIMIT_S)
            ports = hub.ports
            hub.kill()
    with HubProcess(tmp_path, ports=ports) as again:
        assert again.ok("GET", "/devices/silent")["connectionState"] == "Disconnected"
        with (
            MqttDevice(again, "silent", lambda *_: (200, None)) as silent,
            MqttDevice(again, "away", lambda *_: (200, {"ok": True})) as away,
        ):
            wait_until("the job has ended", lambda: again.ok("GET", "/jobs/v2/job")["status"] == "completed")
            assert (silent.calls, away.calls) == ([], [("reboot", None)])
        counts = again.ok("GET", "/jobs/v2/job")["deviceJobStatistics"]
        assert (counts["deviceCount"], counts["succeededCount"], counts["failedCount"]) == (
            2,
            1,
            1,
        )


def test_deleting_or_disabling_a_device_ends_its_connection(tmp_path: Path) -> None:
    with HubProcess(tmp_path, "--in-memory") as hub:
        for device in ("gone", "off"):
            hub.new_device(device)
        with (
            MqttDevice(hub, "gone", lambda *_: (200, None)) as gone,
            MqttDevice(hub, "off", lambda *_: (200, None)) as off,
        ):
            wait_until("both are connected", lambda: hub.ok("GET", "/_local/state")["connectedDeviceCount"] == 2)
            hub.request("DELETE", "/devices/gone", headers={"If-Match": "*"})
            identity = hub.ok("GET", "/devices/off")
            hub.ok("PUT", "/devices/off", json={**identity, "status": "disabled"}, headers={"If-Match": "*"})
            wait_until("none is connected", lambda: hub.ok("GET", "/_local/state")["connectedDeviceCount"] == 0)
            assert gone.calls == off.calls == []


def test_a_job_on_more_devices_than_are_found_at_once_has_them_all_once_it_runs() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock, rows_at_once=2) as hub:
            ids = [f"d{number}" for number in range(7)]
            hub.add(*ids)
            hub.start(type=JobType.TWIN, method=None, desired={"fw": "4.1"}, condition="deviceId <> 'd3'")
            await hub.until(lambda: hub.status() is JobStatus.COMPLETED)
            operated = [row.address.device_id for row in hub.rows(DeviceStatus.COMPLETED)]
            assert operated == [each for each in ids if each != "d3"]

    run(story)


def test_a_large_job_that_is_cancelled_while_it_begins_operates_nothing() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock, rows_at_once=1) as hub:
            hub.add("a", "b", "c", "d")
            hub.start(type=JobType.TWIN, method=None, desired={"fw": "4.1"})
            await hub.until(lambda: hub.rows(DeviceStatus.PENDING))
            assert len(hub.rows(DeviceStatus.PENDING)) < 4 and hub.status() in CANCELLABLE
            hub.jobs.set_status("job", JobStatus.CANCELLED, ended_at=clock.now())
            await hub.until(lambda: not hub.rows(DeviceStatus.PENDING))
            assert hub.status() is JobStatus.CANCELLED
            assert hub.twins.get(Address("a")).desired.data == {}

    run(story)


def test_a_large_job_whose_beginning_was_interrupted_begins_anew() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock, rows_at_once=1) as hub:
            hub.add("a", "b", "c", "d")
            hub.start(type=JobType.TWIN, method=None, desired={"fw": "4.1"})
            await hub.until(lambda: hub.rows(DeviceStatus.PENDING))
        async with Hub(database, clock, rows_at_once=1) as hub:
            await hub.until(lambda: hub.status() is JobStatus.COMPLETED)
            assert [row.address.device_id for row in hub.rows(DeviceStatus.COMPLETED)] == ["a", "b", "c", "d"]

    run(story)


def test_a_large_job_with_a_condition_that_cannot_be_read_fails_as_others_do() -> None:
    async def story(database: Database, clock: HandClock) -> None:
        async with Hub(database, clock, rows_at_once=1) as hub:
            hub.add("a", "b", "c")
            hub.start(condition="tags.site =")
            await hub.until(lambda: hub.status() is JobStatus.FAILED)
            job = hub.jobs.get("job")
            assert job is not None and "SqlQueryParser: " in str(job.failure_reason)

    run(story)
