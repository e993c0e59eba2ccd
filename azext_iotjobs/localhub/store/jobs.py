"""Jobs and their results per device: rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from azext_iotjobs.localhub.clock import parse, render
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.job import (
    ACTIVE,
    DeviceStatus,
    JobSpec,
    JobStatus,
    JobType,
    MethodSpec,
)
from azext_iotjobs.localhub.rules.json_values import dump_json, parse_json
from azext_iotjobs.localhub.rules.twin import Change, WholeSection
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import NUMBER, TEXT, TEXT_OR_NULL, Kinds, RowReader, RowValues, read_object


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job and its state."""

    row_id: int
    spec: JobSpec
    status: JobStatus
    created_at: datetime
    start_at: datetime  # as requested, or the time of creation
    ended_at: datetime | None
    failure_reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceJob:
    """The result of a job on one device."""

    row_id: int
    job_id: str
    address: Address
    status: DeviceStatus
    created_at: str
    updated_at: str
    outcome: Any
    error: Any  # {"code", "description"}, or None


@dataclass(frozen=True, slots=True)
class PendingDevice:
    """A device that a job has not operated yet; the part of its row that running the job needs."""

    row_id: int
    address: Address
    created_at: str


EMPTIED = "emptied"  # in a stored patch: the sections that the job clears


@dataclass(frozen=True, slots=True)
class DeviceStatusChange:
    """A new status of a device in a job."""

    row_id: int
    status: DeviceStatus
    at: datetime
    outcome: Any = field(default_factory=dict)
    error: Any = None  # {"code", "description"}, or None


class Jobs:
    """The jobs in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, job_id: str) -> Job | None:
        """A job, or None."""
        row = self._database.row("SELECT * FROM jobs WHERE job_id = ?", (job_id,))
        return _job_of(row) if row else None

    def create(self, spec: JobSpec, now: datetime) -> None:
        """Add a new job as queued."""
        method = spec.method and {
            "name": spec.method.name,
            "payload": spec.method.payload,
            "response_timeout_s": spec.method.response_timeout_s,
            "connect_timeout_s": spec.method.connect_timeout_s,
        }
        patch = _patch_document(spec) if spec.type is JobType.TWIN else None
        self._database.change(
            "INSERT INTO jobs (job_id, type, status, condition, method, patch, created_at, start_at, max_execution_s) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                spec.job_id,
                spec.type.value,
                JobStatus.QUEUED.value,
                spec.condition,
                dump_json(method) if method else None,
                dump_json(patch) if patch else None,
                render(now),
                render(spec.start_at or now),
                spec.max_execution_s,
            ),
        )

    def page(self, *, job_type: str | None, status: str | None, after: int, count: int) -> list[Job]:
        """At most `count` jobs in the order of their creation, after row `after`.

        job_type, status: the service's values in any case; None: any.
        """
        rows = self._database.rows(
            "SELECT * FROM jobs WHERE row_id > ? AND (? IS NULL OR lower(type) = lower(?)) "
            "AND (? IS NULL OR lower(status) = lower(?)) ORDER BY row_id LIMIT ?",
            (after, job_type, job_type, status, status, count),
        )
        return [_job_of(row) for row in rows]

    def active(self) -> list[Job]:
        """Jobs that have not ended, oldest first."""
        marks = ", ".join("?" * len(ACTIVE))
        sql = f"SELECT * FROM jobs WHERE status IN ({marks}) ORDER BY row_id"
        return _job_of.all(self._database.rows(sql, [each.value for each in ACTIVE]))

    def set_status(
        self, job_id: str, status: JobStatus, *, ended_at: datetime | None = None, reason: str | None = None
    ) -> None:
        """Set the status of a job."""
        self._database.change(
            "UPDATE jobs SET status = ?, ended_at = ?, failure_reason = ? WHERE job_id = ?",
            (status.value, render(ended_at) if ended_at else None, reason, job_id),
        )

    def freeze(self, job_id: str, devices: Sequence[Address], now: datetime) -> None:
        """Start a job on these devices, and no others."""
        with self._database.transaction():
            self.add_devices(job_id, devices, now)
            self.set_status(job_id, JobStatus.RUNNING)

    def add_devices(self, job_id: str, devices: Sequence[Address], now: datetime) -> None:
        """Add devices to those of a job that has not begun."""
        at = render(now)
        with self._database.transaction():
            self._database.change_many(
                "INSERT INTO device_jobs (job_id, device_id, module_id, status, created_at, updated_at, outcome) "
                "VALUES (?, ?, ?, ?, ?, ?, '{}')",
                [(job_id, d.device_id, d.module_id or "", DeviceStatus.PENDING.value, at, at) for d in devices],
            )

    def remove_devices(self, job_id: str) -> None:
        """A job has no devices any more."""
        self._database.change("DELETE FROM device_jobs WHERE job_id = ?", (job_id,))

    def rows_in(self, job_id: str, status: DeviceStatus) -> list[int]:
        """The rows of a job's devices in one state."""
        sql = "SELECT row_id FROM device_jobs WHERE job_id = ? AND status = ? ORDER BY row_id"
        return [int(row["row_id"]) for row in self._database.rows(sql, (job_id, status.value))]

    def pending(self, job_id: str, *, after: int, count: int) -> list[PendingDevice]:
        """At most `count` of the devices that a job has not operated yet, after row `after`."""
        rows = self._database.rows(
            "SELECT row_id, job_id, device_id, module_id, created_at FROM device_jobs "
            "WHERE job_id = ? AND status = ? AND row_id > ? ORDER BY row_id LIMIT ?",
            (job_id, DeviceStatus.PENDING.value, after, count),
        )
        return [_pending_of(row) for row in rows]

    def change_device_statuses(self, moves: Sequence[DeviceStatusChange]) -> None:
        """Set new statuses of devices in jobs, all of them or none."""
        if not moves:
            return
        with self._database.transaction():
            self._database.change_many(
                "UPDATE device_jobs SET status = ?, updated_at = ?, outcome = ?, error = ? WHERE row_id = ?",
                [
                    (
                        set_status.status.value,
                        render(set_status.at),
                        dump_json(set_status.outcome),
                        None if set_status.error is None else dump_json(set_status.error),
                        set_status.row_id,
                    )
                    for set_status in moves
                ],
            )

    def device_counts(self, job_id: str) -> dict[DeviceStatus, int]:
        """How many of a job's devices are in each state."""
        rows = self._database.rows(
            "SELECT job_id, status, count(*) AS devices FROM device_jobs WHERE job_id = ? GROUP BY status", (job_id,)
        )
        counted = dict(_count_of(row) for row in rows)
        return {status: counted.get(status, 0) for status in DeviceStatus}

    def forget_before(self, ended_at: datetime) -> None:
        """Remove the history of jobs that ended before an instant."""
        self._database.change("DELETE FROM jobs WHERE ended_at < ?", (render(ended_at),))


def _device_job_of(row: RowValues) -> DeviceJob:
    return DeviceJob(
        row_id=row["row_id"],
        job_id=row["job_id"],
        address=Address(row["device_id"], row["module_id"] or None),
        status=DeviceStatus(row["status"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        outcome=parse_json(row["outcome"]),
        error=read_object(row["error"]) if row["error"] else None,
    )


def _pending(row: RowValues) -> PendingDevice:
    return PendingDevice(row["row_id"], Address(row["device_id"], row["module_id"] or None), row["created_at"])


def _count(row: RowValues) -> tuple[DeviceStatus, int]:
    return DeviceStatus(row["status"]), int(row["devices"])


def _read_job(row: RowValues) -> Job:
    method = read_object(row["method"]) if row["method"] else None
    patch = read_object(row["patch"]) if row["patch"] else {}
    if not 0 < row["max_execution_s"] < 2**31:
        raise ValueError("max_execution_s is out of range")
    spec = JobSpec(
        job_id=row["job_id"],
        type=JobType(row["type"]),
        condition=row["condition"],
        method=MethodSpec(**method) if method else None,
        tags=_change(patch, "tags"),
        desired=_change(patch, "desired"),
        start_at=parse(row["start_at"]),
        max_execution_s=row["max_execution_s"],
    )
    return Job(
        row_id=row["row_id"],
        spec=spec,
        status=JobStatus(row["status"]),
        created_at=parse(row["created_at"]),
        start_at=parse(row["start_at"]),
        ended_at=parse(row["ended_at"]) if row["ended_at"] else None,
        failure_reason=row["failure_reason"],
    )


def _patch_document(spec: JobSpec) -> dict[str, Any]:
    """The change of twins by a job; null means "no change", as it has always been in this column."""
    parts: dict[str, Change] = {"tags": spec.tags, "desired": spec.desired}
    cleared = [name for name, change in parts.items() if change is WholeSection.CLEARED]
    return {**{name: None if name in cleared else change for name, change in parts.items()}, EMPTIED: cleared}


def _change(patch: dict[str, Any], name: str) -> Change:
    return WholeSection.CLEARED if name in patch.get(EMPTIED, ()) else patch.get(name)


DEVICE = "device {device_id}, module {module_id}, of job {job_id}"
DEVICE_KINDS: Kinds = dict.fromkeys(("job_id", "device_id", "module_id", "created_at"), TEXT)
# The record that a row with the device jobs' columns holds.
device_job_of = RowReader(
    DEVICE,
    {**DEVICE_KINDS, **dict.fromkeys(("status", "updated_at", "outcome"), TEXT), "error": TEXT_OR_NULL},
    _device_job_of,
)
_pending_of = RowReader(DEVICE, DEVICE_KINDS, _pending)
_count_of = RowReader("a device of job {job_id}", {"status": TEXT}, _count)
_job_of = RowReader(
    "job {job_id}",
    {
        **dict.fromkeys(("job_id", "type", "status", "condition", "created_at", "start_at"), TEXT),
        **dict.fromkeys(("method", "patch", "ended_at", "failure_reason"), TEXT_OR_NULL),
        "max_execution_s": NUMBER,
    },
    _read_job,
)
