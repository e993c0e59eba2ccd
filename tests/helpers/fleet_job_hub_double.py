"""A hub made of one function, for runs of fleet jobs: jobs, methods, twins; it counts what was done to each device.

And processes that end at any point: `Crash` is raised before or after the n-th request or commit, and at every one
after that, so that nothing of the process works any more, as if it had been killed.
"""

import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.gate_checker import MakeGateChecker
from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.fleet_job.store.holder import Holder, this_process
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.database import SqliteDatabase
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.clock import parse_instant, render_instant
from azext_iotjobs.model.errors import LinkLost
from azext_iotjobs.model.fleet_job import Action, Definition, Delivery, Driver, FleetJob, Targets
from azext_iotjobs.model.result import ENDED, DeviceResult
from azext_iotjobs.model.rollout import Rollout
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.run_events import Event
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.fleet_job import definitions, planning, run_loop
from azext_iotjobs.operations.fleet_job.drivers.factory import driver_factory
from azext_iotjobs.operations.fleet_job.gate_checks import gate_checker_factory
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import START, ClockDouble
from tests.helpers.reported_twins import ReportedTwins
from tests.helpers.transport_double import response

GONE_PID = 4_194_303  # above what this machine gives
AWAY = {"code": "DeviceNotOnline", "description": "away"}
LEFT = {"code": "DeviceNotOnline", "description": "Device unavailable"}  # while it was called, and operated
CONNECTION = re.compile(
    r"SELECT deviceId FROM devices WHERE deviceId IN \[(?P<ids>[^\]]*)\] AND \(?connectionState = 'Connected'"
    r"(?: OR \(properties\.reported\.(?P<name>\w+) = (?P<value>\w+)\)\))?"
)
CONTEXTS = contextmanager.__code__.co_filename
ID_IN_LIST = re.compile(r"'([^']+)'")


class Crash(BaseException):
    """The process was killed here."""


class Points:
    """Where a process can end; `at` is the number of the point where it does, None: it lives on."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.kinds: list[str] = []  # of those that were passed
        self.is_dead = False
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        return len(self.kinds)

    def passed(self, kind: str) -> None:
        """One more point was reached. kind: what is done there, and whether it is before or after."""
        with self._lock:
            self.kinds.append(kind)
            self.is_dead = self.is_dead or self.count == self.at
        self.check()

    def check(self) -> None:
        """Nothing works in a dead process."""
        if not self.is_dead:
            return
        if threading.current_thread() is not threading.main_thread():
            raise LinkLost("the process was killed")  # the main thread ends at its next point
        raise Crash


class CrashingDatabase(SqliteDatabase):
    """Points before and after each commit."""

    def __init__(self, folder: Path, points: Points) -> None:
        self.points = points
        super().__init__(folder)
        for pragma in ("synchronous=OFF", "journal_mode=MEMORY"):  # it is processes that end here, not machines
            self.change(f"PRAGMA {pragma}")

    @contextmanager
    def transaction(self, of_run: int | None = None) -> Iterator[None]:
        if self._depth:
            yield
            return
        what = who_changes()
        with super().transaction(of_run):
            yield
            self.points.passed(f"before the commit of {what}")
        self.points.passed(f"after the commit of {what}")


def who_changes() -> str:
    """The function whose change a transaction is: past those that only pass it on."""
    frame = sys._getframe(1)
    while frame.f_back is not None and (frame.f_code.co_name == "transaction" or frame.f_code.co_filename == CONTEXTS):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"


class PointClock(ClockDouble):
    """Time stands still for the dead."""

    points = Points()

    def now(self) -> datetime:
        if threading.current_thread() is threading.main_thread():
            self.points.check()
        return super().now()


@dataclass
class HubDouble:
    """The hub; `operated` counts what was done to each device."""

    clock: "HubClock"
    fails: Callable[[str], dict[str, Any] | None] = lambda device: None  # a device -> its error, or None
    holds: Callable[[str], bool] = lambda device: False  # a device that is away: its job runs until its time is over
    is_away: Callable[[str], bool] = lambda device: False  # it is offline now
    seems_away: Callable[[str], bool] | None = None  # by queries, whose answers lag; None: as it is
    lag: int = 0  # how many looks a new job is not seen by GET
    slots: int | None = None
    counts: Callable[[str], int] | None = None  # what a count gives; None: it is of what devices report
    refuses: Callable[[Request], Response | None] = lambda request: None
    operated: Counter[str] = field(default_factory=Counter)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    twins: dict[str, dict[str, Any]] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    # What a device reports after it was operated for the nth time: after so many seconds, which members.
    reports: Callable[[str, int], Iterable[tuple[float, dict[str, Any]]]] = lambda device, times: ()
    _to_report: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.reported = ReportedTwins(self.clock.now_of_hub)
        self.reported.is_connected = lambda device: not self.is_away(device)
        self.connection_queries: list[str] = []

    def _operate(self, device: str) -> None:
        self.operated[device] += 1
        self.reported.add(device)
        now_s = self.clock.passed_s
        self._to_report += [(now_s + s, device, members) for s, members in self.reports(device, self.operated[device])]

    def answer(self, request: Request) -> Response:
        with self._lock:
            refused = self.refuses(request)
            return refused if refused is not None else self._answer(request)

    def _answer(self, request: Request) -> Response:
        kind, _, rest = request.path.lstrip("/").partition("/")
        if request.path.startswith("/jobs/v2/"):
            return self._job(request, rest.removeprefix("v2/"))
        if request.path == "/devices/query":
            return self._query(request)
        if kind == "twins" and rest.endswith("/methods"):
            return self._method(rest.removesuffix("/methods"))
        if kind == "twins":
            return self._twin(request, rest)
        raise AssertionError(f"{request.method} {request.path}")

    def _method(self, device: str) -> Response:
        error = self.fails(device)
        if self.is_away(device) or (error is not None and error["code"] == "DeviceNotOnline"):
            if error == LEFT:
                self._operate(device)
            said = "{}" if error is None else error["description"]
            return response({"Message": said}, status=404, iothub_errorcode="DeviceNotOnline")
        self._operate(device)
        if error is not None and error["code"] == "GatewayTimeout":
            return response({"Message": "{}"}, status=504, iothub_errorcode="GatewayTimeout")
        return response({"status": 500 if error else 200, "payload": {"n": 1}})

    def _twin(self, request: Request, device: str) -> Response:
        twin = self.twins.setdefault(device, {"tags": {}, "properties": {"desired": {"$version": 1}, "reported": {}}})
        if request.method == "PATCH":
            self._operate(device)
            twin["tags"].update(request.body.get("tags") or {})
            twin["properties"]["desired"].update((request.body.get("properties") or {}).get("desired") or {})
        return response({"deviceId": device, "etag": "AA", **twin})

    def _job(self, request: Request, job_id: str) -> Response:
        if request.method == "PUT":
            return self._put(request, job_id)
        job_id = job_id.removesuffix("/cancel")
        job = self.jobs.get(job_id)
        if job is None or (request.method == "GET" and job["unseen"] > 0):
            if job is not None:
                job["unseen"] -= 1
            return response({"jobId": job_id, "type": "unknown", "status": "unknown"})
        if request.method == "POST":
            if job["status"] not in ("queued", "scheduled"):
                return response({"Message": "no"}, status=405, iothub_errorcode="OperationNotAllowedInCurrentState")
            job["status"] = "cancelled"
        else:
            self._go_on(job)
        return response({name: value for name, value in job.items() if name not in ("unseen", "rows")})

    def _put(self, request: Request, job_id: str) -> Response:
        self.puts.append(job_id)
        if job_id in self.jobs:
            return response({"Message": "no"}, status=409, iothub_errorcode="JobAlreadyExists")
        active = sum(1 for each in self.jobs.values() if each["status"] in ("queued", "running"))
        if self.slots is not None and active >= self.slots:
            code = "ThrottlingMaxActiveJobCountExceeded"
            return response({"Message": "no"}, status=429, iothub_errorcode=code)
        now = render_instant(self.clock.now_of_hub())
        self.jobs[job_id] = {
            **request.body,
            "status": "queued",
            "createdTime": now,
            "startTime": now,
            "unseen": self.lag,
            "rows": [],
        }
        return response({"jobId": job_id, "type": request.body["type"], "status": "queued"})

    def _go_on(self, job: dict[str, Any]) -> None:
        """A look at a job finds it a step further; its devices are operated when it begins to run."""
        if job["status"] == "queued":
            job["status"] = "running"
            for device in ID_IN_LIST.findall(job["queryCondition"].partition(" IN ")[2]):
                if self.holds(device):
                    job["rows"].append({"deviceId": device, "jobId": job["jobId"], "status": "pending"})
                    continue
                error = AWAY if self.is_away(device) and "cloudToDeviceMethod" in job else self.fails(device)
                if error is None or error["code"] != "DeviceNotOnline" or error == LEFT:
                    self._operate(device)
                outcome = {"deviceMethodResponse": {"status": 200, "payload": {"n": 1}}}
                row = {"deviceId": device, "jobId": job["jobId"], "status": "failed" if error else "completed"}
                job["rows"].append({**row, "outcome": {} if error else outcome, **({"error": error} if error else {})})
        elif job["status"] == "running":
            self._end_if_it_can(job)
        if job["status"] != "queued" and any(row["status"] == "pending" for row in job["rows"]):
            job["deviceJobStatistics"] = _statistics(job["rows"])

    def _end_if_it_can(self, job: dict[str, Any]) -> None:
        passed_s = (self.clock.now_of_hub() - parse_instant(job["startTime"]).at).total_seconds()
        for row in (row for row in job["rows"] if row["status"] == "pending"):
            if not self.holds(row["deviceId"]):
                self._operate(row["deviceId"])
                row |= {"status": "completed", "outcome": {"deviceMethodResponse": {"status": 200, "payload": None}}}
            elif passed_s >= job["maxExecutionTimeInSeconds"]:
                row |= {"status": "failed", "error": {"code": "JobRunPreconditionFailed", "description": "away"}}
        if all(row["status"] != "pending" for row in job["rows"]):
            job["status"] = "completed"
            job["deviceJobStatistics"] = _statistics(job["rows"])

    def _query(self, request: Request) -> Response:
        self._to_report.sort(key=lambda each: each[0])
        while self._to_report and self._to_report[0][0] <= self.clock.passed_s:
            _, device, members = self._to_report.pop(0)
            self.reported.report(device, **members)
        text = request.body["query"]
        if self.counts is not None and text.startswith("SELECT COUNT()"):
            return response([{"total": self.counts(text)}])
        if (found := CONNECTION.fullmatch(text)) is not None:
            return self._query_connections(found)
        return self.reported.answer(request) or self._query_jobs(text)

    def _query_connections(self, query: "re.Match[str]") -> Response:
        self.connection_queries.append(query[0])
        seems_away = self.seems_away or self.is_away
        devices = [
            each
            for each in ID_IN_LIST.findall(query["ids"])
            if not seems_away(each) or (query["name"] and self.reported.reports(each, query["name"], query["value"]))
        ]
        return response([{"deviceId": each} for each in devices])

    def _query_jobs(self, text: str) -> Response:
        found = re.fullmatch(r"SELECT \* FROM devices\.jobs WHERE jobId = '([^']*)'( AND status <> .*)?", text)
        assert found is not None, text
        rows = self.jobs[found[1]]["rows"]
        return response([row for row in rows if row["status"] not in ENDED] if found[2] else rows)


def _statistics(rows: list[dict[str, Any]]) -> dict[str, int]:
    count = Counter(row["status"] for row in rows)
    return {
        "deviceCount": len(rows),
        "failedCount": count["failed"],
        "succeededCount": count["completed"],
        "runningCount": 0,
        "pendingCount": count["pending"],
    }


class HubClock(PointClock):
    """The hub's time goes on when a process is dead."""

    def now_of_hub(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)  # whatever this machine's clock is set to


class StopDouble:
    """Ctrl-C after so many looks, or once something holds, if at all."""

    def __init__(self, after: int | None = None, when: Callable[[], bool] | None = None) -> None:
        self.after = after
        self.when = when

    def is_set(self) -> bool:
        if self.when is not None:
            return self.when()
        if self.after is None:
            return False
        self.after -= 1
        return self.after < 0


class Wire:
    """What one process has to its hub. A thread of one that has died sends nothing in the name of the next."""

    def __init__(self, hub: HubDouble, points: Points) -> None:
        self._hub = hub
        self._points = points

    def send(self, request: Request) -> Response:
        what = kind_of(request)
        self._points.passed(f"before {what}")
        answer = self._hub.answer(json_copy(request))
        self._points.passed(f"after {what}")
        return answer


class World:
    """A hub, a state folder, and processes that execute the same run one after the other."""

    def __init__(self, folder: Path, **hub: Any) -> None:
        self.folder = folder
        self.clock = HubClock()
        self.hub = HubDouble(self.clock, **hub)
        self.events: list[Event] = []
        self.points = Points()
        self.make_gate_checker: MakeGateChecker | None = None  # None: the real one
        self.holder = Holder("a test, process 1", this_process().machine, GONE_PID)

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    @property
    def client(self) -> HubClient:
        return HubClient(HubTarget(host="h.example"), Wire(self.hub, self.points))

    def open(self, points: Points | None = None) -> SqliteStore:
        """A new process."""
        self.points = self.clock.points = points or Points()
        SqliteDatabase(self.folder).close()  # its tables are made before anything can end
        return SqliteStore(CrashingDatabase(self.folder, self.points))

    def save(self, store: SqlStore, definition: Definition, name: str = "job") -> FleetJob:
        at = self.clock.now_of_hub()
        return definitions.create(store, name, planning.host_of(self.client), definition, by="me", at=at)

    def new_run(self, store: SqlStore, job: FleetJob) -> Run:
        return planning.new_run(store, self.client, job, by="me", at=self.clock.now_of_hub())

    def context(self, store: SqlStore, stop: Any = None) -> run_loop.RunContext:
        return run_loop.RunContext(
            store=store,
            make_driver=driver_factory(lambda: self.client),
            make_gate_checker=self.make_gate_checker or gate_checker_factory(lambda: self.client),
            clock=self.clock,
            observer=self,
            stop=stop or StopDouble(),
            holder=self.holder,
        )

    def execute(self, store: SqlStore, stop: Any = None) -> Run:
        run = store.runs.get("job")
        return run_loop.execute(run, self.context(store, stop))

    def resume(self, store: SqlStore, stop: Any = None) -> Run:
        run = store.runs.get("job")
        return run_loop.resume(run, self.context(store, stop))


def kind_of(request: Request) -> str:
    """What is asked, without the names of devices and jobs."""
    route, *rest = request.path.strip("/").split("/")
    action = rest[-1] if rest[-1] in ("methods", "query", "cancel") else ""
    query = " ".join(request.body["query"].split()[:4]) if action == "query" else ""
    return f"{request.method} {route} {action} {query}".rstrip()


def json_copy(request: Request) -> Request:
    """The request, checked to be JSON."""
    json.dumps(request.body)
    return request


def definition_of(action: Action, devices: tuple[str, ...], driver: Driver, **rollout: Any) -> Definition:
    """A definition that names its devices."""
    verification = rollout.pop("verification", None)
    delivery = {name: rollout.pop(name) for name in ("concurrency", "rate", "when_online_s") if name in rollout}
    return Definition(
        action=action,
        targets=Targets(selection=Selection(device_ids=devices)),
        rollout=Rollout(**rollout),
        delivery=Delivery(driver=driver, **delivery),
        verification=verification,
    )


def rows_of(store: SqliteStore, run: Run, **wanted: Any) -> dict[str, DeviceResult]:
    """A run's rows by device."""
    return {row.device_id: row for page in store.results.pages(run, ResultFilter(**wanted)) for row in page.rows}
