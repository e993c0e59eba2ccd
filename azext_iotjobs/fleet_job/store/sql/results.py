"""What came of each device of a run: rows of device, page by page, filtered by SQL."""

from collections.abc import Iterator, Sequence

from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.fleet_job.store.sql import rows
from azext_iotjobs.fleet_job.store.sql.database import Database
from azext_iotjobs.fleet_job.store.sql.stored_row import StoredRow, number
from azext_iotjobs.model.errors import NotFound
from azext_iotjobs.model.result import ResultPage
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.text import Text, command

PAGE_ROWS = 500


class ResultStore:
    """Implements contract.Results."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def pages(self, run: Run, wanted: ResultFilter, token: str = "") -> Iterator[ResultPage]:
        """Results of a run, page by page, from the one that `token` leads to."""
        columns = f"*, {shown_state(has_runner=run.has_runner)} AS shown_state"
        for page in self._pages(run, wanted, int(token or 0), columns):
            found = [rows.result_of(each) for each in page]
            yield ResultPage(found, str(number(page[-1], "seq")) if len(page) == PAGE_ROWS else "")

    def device_ids(self, run: Run, words: frozenset[str]) -> Iterator[tuple[str, str | None]]:
        """Devices of a run, with their modules, by their results. words: of plan.WORDS."""
        for page in self._pages(run, ResultFilter(words=words), 0, "seq, device_id, module_id"):
            for row in page:
                yield row["device_id"], row["module_id"]

    def check_device(self, run: Run, device_id: str) -> None:
        """Raise NotFound for a device that a run does not have."""
        if self._database.row("SELECT 1 FROM device WHERE run = ? AND device_id = ?", (run.key, device_id)) is None:
            devices = command(
                "iot hub fleet-job results", fleet_job_id=run.fleet_job_id, run=str(run.number), columns="deviceId"
            )
            raise NotFound(
                f"{run.name} has no device {device_id[:128]!r}.",
                hint=Text("Its devices: ", devices),
            )

    def _pages(self, run: Run, wanted: ResultFilter, after: int, columns: str) -> Iterator[Sequence[StoredRow]]:
        condition, values = _where(wanted, has_runner=run.has_runner)
        while True:
            page = self._database.rows(
                f"SELECT {columns} FROM device WHERE run = ? AND seq > ?{condition} ORDER BY seq LIMIT {PAGE_ROWS}",
                (run.key, after, *values),
            )
            if page:
                yield page
            if len(page) < PAGE_ROWS:
                return
            last = number(page[-1], "seq") or 0
            if last <= after:  # in a damaged file the order may lead in circles
                raise page[-1].damaged(f"device rows of {run.name} are not in their order")
            after = last


def shown_state(*, has_runner: bool) -> str:
    """A device's state as results show it, as SQL.

    What a call or a hub job is operating is in progress; a call whose process is gone is uncertain.
    """
    word = plan.IN_PROGRESS
    return (
        f"CASE WHEN state = 'calling' THEN '{word if has_runner else 'uncertain'}' "
        "WHEN state = 'pending' AND part IS NOT NULL AND EXISTS (SELECT 1 FROM part AS job WHERE job.run = device.run "
        "AND job.batch = device.batch AND job.number = device.part AND job.state IN ('submitting', 'submitted')) "
        f"THEN '{word}' ELSE state END"
    )


def _where(wanted: ResultFilter, *, has_runner: bool) -> tuple[str, Sequence[str]]:
    """A filter as SQL."""
    state = f"({shown_state(has_runner=has_runner)})"
    conditions, values = [], []
    words = wanted.words - {plan.ALL}
    if words and words == wanted.words:
        conditions.append(f"({state} IN ({_marks(words)}) OR (state = 'failed' AND error_class IN ({_marks(words)})))")
        values += 2 * sorted(words)
    if wanted.states:
        conditions.append(f"{state} IN ({_marks(wanted.states)})")
        values += sorted(wanted.states)
    if wanted.error_classes:
        conditions.append(f"state = 'failed' AND error_class IN ({_marks(wanted.error_classes)})")
        values += sorted(wanted.error_classes)
    if wanted.device_id is not None:
        conditions.append("device_id = ?")
        values.append(wanted.device_id)
    return "".join(f" AND {each}" for each in conditions), values


def _marks(values: frozenset[str]) -> str:
    return ", ".join("?" * len(values))
