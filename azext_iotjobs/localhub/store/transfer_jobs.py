"""Import and export jobs: rows, and the errors of imported lines."""

from dataclasses import dataclass
from datetime import datetime

from azext_iotjobs.localhub.clock import parse, render
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.rules.transfer_job import LIVE, TransferSpec, TransferStatus
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import NUMBER, TEXT, TEXT_OR_NULL, RowReader, RowValues, read_object

_LIVE = ", ".join(f"'{each.value}'" for each in LIVE)


@dataclass(frozen=True, kw_only=True)
class TransferJob:
    """A job as it is stored."""

    job_id: str
    spec: TransferSpec
    status: TransferStatus
    progress_percent: int
    started_at: datetime
    ended_at: datetime | None
    failure_reason: str | None
    input_etag: str | None  # of the blob that an import reads, once it has begun
    position: int  # in that blob, in bytes: what is before it was applied


class TransferJobs:
    """The jobs in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job_id: str, spec: TransferSpec, now: datetime) -> None:
        """Add a job, enqueued."""
        self._database.change(
            "INSERT INTO transfer_jobs (job_id, type, status, spec, started_at) VALUES (?, ?, ?, ?, ?)",
            (job_id, spec.kind.value, TransferStatus.ENQUEUED.value, dump_json(spec.stored()), render(now)),
        )

    def get(self, job_id: str) -> TransferJob | None:
        """A job, or None."""
        row = self._database.row("SELECT * FROM transfer_jobs WHERE job_id = ?", (job_id,))
        return _job_of(row) if row else None

    def all(self) -> list[TransferJob]:
        """All jobs, the newest first."""
        return _job_of.all(self._database.rows("SELECT * FROM transfer_jobs ORDER BY row_id DESC"))

    def live(self) -> TransferJob | None:
        """The job that is enqueued or runs, or None."""
        found = self._database.rows(f"SELECT * FROM transfer_jobs WHERE status IN ({_LIVE}) ORDER BY row_id")
        return next(iter(_job_of.all(found)), None)

    def begin(self, job_id: str, input_etag: str | None) -> None:
        """A job runs. input_etag: of the blob that it reads."""
        self._database.change(
            "UPDATE transfer_jobs SET status = ?, input_etag = ? WHERE job_id = ?",
            (TransferStatus.RUNNING.value, input_etag, job_id),
        )

    def advance(self, job_id: str, position: int, percent: int) -> None:
        """A job has come this far."""
        sql = "UPDATE transfer_jobs SET position = ?, progress = ? WHERE job_id = ?"
        self._database.change(sql, (position, percent, job_id))

    def end(self, job_id: str, status: TransferStatus, now: datetime, reason: str | None = None) -> None:
        """A job has ended; what it had to remember is removed."""
        with self._database.transaction():
            self._database.change(
                "UPDATE transfer_jobs SET status = ?, ended_at = ?, failure_reason = ?, progress = "
                "CASE WHEN ? THEN 100 ELSE progress END WHERE job_id = ?",
                (status.value, render(now), reason, status is TransferStatus.COMPLETED, job_id),
            )
            self._database.change("DELETE FROM transfer_errors WHERE job_id = ?", (job_id,))

    def forget_before(self, at: datetime) -> None:
        """Remove jobs that ended before an instant."""
        self._database.change("DELETE FROM transfer_jobs WHERE ended_at < ?", (render(at),))

    def add_error(self, job_id: str, line: str) -> None:
        """Add a line that is to be in the log of errors."""
        self._database.change("INSERT INTO transfer_errors (job_id, line) VALUES (?, ?)", (job_id, line))

    def errors(self, job_id: str, after: int, count: int) -> list[tuple[int, str]]:
        """Lines of the log of errors behind number `after`, in order, with their numbers."""
        sql = "SELECT row_id, line FROM transfer_errors WHERE job_id = ? AND row_id > ? ORDER BY row_id LIMIT ?"
        return [(int(row["row_id"]), str(row["line"])) for row in self._database.rows(sql, (job_id, after, count))]


def _read_job(row: RowValues) -> TransferJob:
    return TransferJob(
        job_id=row["job_id"],
        spec=TransferSpec.read(read_object(row["spec"])),
        status=TransferStatus(row["status"]),
        progress_percent=row["progress"],
        started_at=parse(row["started_at"]),
        ended_at=parse(row["ended_at"]) if row["ended_at"] else None,
        failure_reason=row["failure_reason"],
        input_etag=row["input_etag"],
        position=row["position"],
    )


_job_of = RowReader(
    "import or export job {job_id}",
    {
        **dict.fromkeys(("job_id", "status", "spec", "started_at"), TEXT),
        **dict.fromkeys(("ended_at", "failure_reason", "input_etag"), TEXT_OR_NULL),
        **dict.fromkeys(("progress", "position"), NUMBER),
    },
    _read_job,
)
