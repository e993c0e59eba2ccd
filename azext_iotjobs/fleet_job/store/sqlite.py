"""FleetStore: fleet jobs, runs and results in one SQLite file; rows <-> values. Every change is one transaction.

What is kept of fleet jobs themselves is in kept_jobs.py, choosing devices in choosing.py; what only the one who carries
a run on may change is in leased.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.store import rows
from azext_iotjobs.fleet_job.store.candidates import Choosing
from azext_iotjobs.fleet_job.store.database import Access, Database
from azext_iotjobs.fleet_job.store.definition_codec import render_delivery, render_narrowed, render_tier
from azext_iotjobs.fleet_job.store.definition_store import KeptJobs
from azext_iotjobs.fleet_job.store.state_errors import damaged
from azext_iotjobs.fleet_job.store.under_way import UnderWay, shown_state
from azext_iotjobs.fleet_job.unfinished import check_ended
from azext_iotjobs.model.errors import NotFound, WrongState
from azext_iotjobs.model.fleet import Delivery, Driver
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.rollout import BatchSizes
from azext_iotjobs.model.run import Asked, Batch, Narrowed, Run, RunState, Tally
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.model.tier import TierFacts

PAGE_ROWS = 500
IS_OLD = "ended_at < ? AND state IN ('completed', 'canceled', 'failed', 'stopped')"


@dataclass(frozen=True, kw_only=True)
class RowFilter:
    """Which devices of a run; None and empty are any."""

    words: frozenset[str] = frozenset()  # of plan.WORDS; one of them has to fit
    states: frozenset[str] = frozenset()  # of plan.STATE_WORDS
    error_classes: frozenset[str] = frozenset()  # of those that failed
    device_id: str | None = None


@dataclass(frozen=True)
class ResultPage:
    """Some rows, and where those behind them begin."""

    rows: list[DeviceResult]
    next_token: str  # "" on the last page


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run to be."""

    fleet_job_id: str
    version: int
    run_key: str
    driver: Driver
    driver_reason: str
    delivery: Delivery
    sizes: BatchSizes
    at: datetime
    by: str
    tier: TierFacts | None = None
    narrowed: Narrowed | None = None


class FleetStore(KeptJobs, Choosing, UnderWay):
    """One open state folder. Raises StateError from every method."""

    def __init__(self, folder: Path, access: Access = Access.MAKE) -> None:
        """Open it. Raises StateTooNew, StateDamaged and other StateErrors."""
        self.database = Database(folder, access)

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def choose_of_run(self, run: Run, words: frozenset[str], seed: int) -> int:
        """The same with devices of an earlier run."""
        found = (
            (row["device_id"], row["module_id"])
            for page in self._pages(run, RowFilter(words=words), 0, "seq, device_id, module_id")
            for row in page
        )
        return self.choose(found, seed)

    # -- runs ---------------------------------------------------------------------------------------------------------

    def add_run(self, new: NewRun) -> Run:
        """Make a run of the devices that were chosen, in batches; from here on they are fixed.

        Raises NotFound; RunUnfinished while another run of the fleet job has not ended.
        """
        total = self._count_chosen()
        with self.database.transaction():
            self.fleet_job(new.fleet_job_id, new.version)
            last = self.last_run(new.fleet_job_id)
            if last is not None:
                check_ended(last, new.at)
            number = self._next_number(new.fleet_job_id)
            self.database.change(
                "INSERT INTO run (fleet_job, number, version, run_key, state, driver, driver_reason, delivery, "
                "device_count, batch_count, created_at, created_by, tier, narrowed) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
                (
                    new.fleet_job_id, number, new.version, new.run_key, RunState.PENDING.value, new.driver.value,
                    new.driver_reason, render_delivery(new.delivery), total, new.at.timestamp(),
                    rows.text(new.by), render_tier(new.tier), render_narrowed(new.narrowed),
                ),
            )  # fmt: skip
            made = self.database.row(
                "SELECT key FROM run WHERE fleet_job = ? AND number = ?", (new.fleet_job_id, number)
            )
            assert made is not None
            self._add_batches(made["key"], total, new.sizes)
        self.database.change("DROP TABLE temp.chosen")
        return self.run(new.fleet_job_id, number)

    def _next_number(self, fleet_job_id: str) -> int:
        self.database.change("UPDATE fleet_job SET last_run = last_run + 1 WHERE id = ?", (fleet_job_id,))
        row = self.database.row("SELECT last_run FROM fleet_job WHERE id = ?", (fleet_job_id,))
        assert row is not None
        return rows.number(row, "last_run") or 1

    def _add_batches(self, key: int, total: int, sizes: BatchSizes) -> None:
        change = self.database
        change.change_many(
            "INSERT INTO batch (run, ordinal, state, size) VALUES (?, ?, 'pending', ?)",
            ((key, each.ordinal, each.size) for each in plan.batches(total, sizes)),
        )
        # Numbers without a gap, also when some of the chosen were taken away.
        change.change_many(
            "INSERT INTO device (run, seq, device_id, module_id, batch) "
            "SELECT ?, number, device_id, module_id, ? FROM "
            "(SELECT seq AS number, device_id, module_id FROM temp.chosen WHERE seq BETWEEN ? AND ?)",
            ((key, each.ordinal, each.first, each.last) for each in plan.batches(total, sizes)),
        )
        change.change(
            "INSERT INTO tally SELECT run, batch, 'pending', '', count(*) FROM device WHERE run = ? GROUP BY batch",
            (key,),
        )
        change.change("INSERT INTO tally VALUES (?, 0, 'pending', '', ?)", (key, total))
        change.change("UPDATE run SET batch_count = (SELECT count(*) FROM batch WHERE run = key) WHERE key = ?", (key,))

    def run(self, fleet_job_id: str, number: int | None = None) -> Run:
        """A run; without a number the last one. Raises NotFound."""
        row = self.database.row(
            "SELECT run.*, host FROM run JOIN fleet_job ON id = fleet_job WHERE fleet_job = ? "
            "AND (? IS NULL OR number = ?) ORDER BY number DESC LIMIT 1",
            (fleet_job_id, number, number),
        )
        if row is None:
            self.fleet_job(fleet_job_id)
            if number is None or self.last_run(fleet_job_id) is None:
                which, verb = "has not run yet", "run"
            else:
                which, verb = f"has no run {number}", "list-runs"
            raise NotFound(
                f"Fleet job {fleet_job_id} {which}.",
                hint=Text("See: " if number else "First: ", command(f"iot hub fleet-job {verb}", "-j", fleet_job_id)),
            )
        return rows.run_of(row, row["host"], self.tally(row["key"], 0))

    def run_by_key(self, key: int) -> Run:
        """The same by its key in this store. Raises NotFound."""
        row = self.database.row(
            "SELECT run.*, host FROM run JOIN fleet_job ON id = fleet_job WHERE key = ?", (key,)
        )  # fmt: skip
        if row is None:
            raise NotFound("The run is gone: its record was deleted.")
        return rows.run_of(row, row["host"], self.tally(key, 0))

    def runs(self, fleet_job_id: str) -> list[Run]:
        """All runs of a fleet job, the last first."""
        found = self.database.rows(
            "SELECT run.*, host FROM run JOIN fleet_job ON id = fleet_job WHERE fleet_job = ? ORDER BY number DESC",
            (fleet_job_id,),
        )
        return [rows.run_of(each, each["host"], self.tally(each["key"], 0)) for each in found]

    def last_run(self, fleet_job_id: str) -> Run | None:
        """The last run; None: it has not run yet."""
        row = self.database.row("SELECT max(number) AS last FROM run WHERE fleet_job = ?", (fleet_job_id,))
        return None if row is None or row["last"] is None else self.run(fleet_job_id, row["last"])

    def ask(self, run: Run, asked: Asked) -> None:
        """Write a wish into a run's row; whoever carries it on sees it. A cancel is not turned into a stop; of a run
        that has ended nothing is asked.
        """
        with self.database.transaction():
            self.database.change(
                "UPDATE run SET wish = ?, wish_by = ?, wish_reason = ?, wish_at = ? "
                "WHERE key = ? AND state NOT IN ('completed', 'canceled') "
                "AND NOT (coalesce(wish, '') = 'cancel' AND ? = 'stop')",
                (
                    asked.wish.value,
                    rows.text(asked.by),
                    rows.text(asked.reason),
                    asked.at.timestamp(),
                    run.key,
                    asked.wish.value,
                ),
            )

    def batches(self, run: Run, after: int = 0, limit: int | None = None) -> list[Batch]:
        """Batches of a run in their order, those behind `after`."""
        found = self.database.rows(
            "SELECT * FROM batch WHERE run = ? AND ordinal > ? ORDER BY ordinal LIMIT ?",
            (run.key, after, -1 if limit is None else limit),
        )
        return [rows.batch_of(each, self.tally(run.key, each["ordinal"])) for each in found]

    def batch(self, run: Run, ordinal: int) -> Batch:
        """One batch of a run. Raises NotFound."""
        found = self.batches(run, ordinal - 1, 1)
        if not found or found[0].ordinal != ordinal:
            raise NotFound(f"{run.name} has no batch {ordinal}.")
        return found[0]

    def tally(self, key: int, batch: int) -> Tally:
        """Counts of a batch, 0 for the whole run."""
        counted = self.database.rows("SELECT state, class, count FROM tally WHERE run = ? AND batch = ?", (key, batch))
        return rows.tally_of(counted, self.in_hub_jobs(key, batch))

    def check_device(self, run: Run, device_id: str) -> None:
        """Raise NotFound for a device that a run does not have."""
        if self.database.row("SELECT 1 FROM device WHERE run = ? AND device_id = ?", (run.key, device_id)) is None:
            raise NotFound(
                f"{run.name} has no device {device_id[:128]!r}.",
                hint=Text(
                    "Its devices: ",
                    command(
                        "iot hub fleet-job results",
                        "-j",
                        run.fleet_job_id,
                        "--run",
                        str(run.number),
                        "--columns",
                        "deviceId",
                    ),
                ),
            )

    # -- results ------------------------------------------------------------------------------------------------------

    def results(self, run: Run, wanted: RowFilter, token: str = "") -> Iterator[ResultPage]:
        """Rows of a run, page by page, from the one that `token` leads to."""
        columns = f"*, {shown_state(has_runner=run.has_runner)} AS shown_state"
        for page in self._pages(run, wanted, int(token or 0), columns):
            found = [rows.result_of(each) for each in page]
            yield ResultPage(found, str(rows.number(page[-1], "seq")) if len(page) == PAGE_ROWS else "")

    def _pages(self, run: Run, wanted: RowFilter, after: int, columns: str) -> Iterator[list[rows.StoredRow]]:
        condition, values = _where(wanted, has_runner=run.has_runner)
        while True:
            page = self.database.rows(
                f"SELECT {columns} FROM device WHERE run = ? AND seq > ?{condition} ORDER BY seq LIMIT {PAGE_ROWS}",
                (run.key, after, *values),
            )
            if page:
                yield page
            if len(page) < PAGE_ROWS:
                return
            last = rows.number(page[-1], "seq") or 0
            if last <= after:  # in a damaged file the order may lead in circles
                raise damaged(page[-1].path, f"device rows of {run.name} are not in their order")
            after = last

    # -- history ------------------------------------------------------------------------------------------------------

    def prune(self, before: datetime, host: str | None = None) -> int:
        """Remove runs that ended before an instant, with their results; gives how many. Saved fleet jobs stay."""
        count = 0
        for key in self.old_runs(before, host):
            with self.database.transaction():  # one each: whoever carries on another run does not wait for all of them
                values = (key, before.timestamp())
                if self.database.row(f"SELECT key FROM run WHERE key = ? AND {IS_OLD}", values) is not None:
                    self._delete_run(key)
                    count += 1
        return count

    def old_runs(self, before: datetime, host: str | None = None) -> list[int]:
        """The keys of runs that ended before an instant."""
        found = self.database.rows(
            f"SELECT key FROM run JOIN fleet_job ON id = fleet_job WHERE {IS_OLD} AND (? IS NULL OR host = ?)",
            (before.timestamp(), host, host),
        )
        return [each["key"] for each in found]

    def delete_fleet_job(self, fleet_job_id: str) -> None:
        """Remove a fleet job, its runs and results. Raises NotFound; WrongState while a run has not ended."""
        with self.database.transaction():
            self.fleet_job(fleet_job_id)
            for run in self.runs(fleet_job_id):
                check_not_running(run)
                self._delete_run(run.key)
            self.database.change("DELETE FROM fleet_job WHERE id = ?", (fleet_job_id,))

    def _delete_run(self, key: int) -> None:
        for table in ("device", "tally", "part", "batch"):
            self.database.change(f"DELETE FROM {table} WHERE run = ?", (key,))
        self.database.change("DELETE FROM run WHERE key = ?", (key,))


def _where(wanted: RowFilter, *, has_runner: bool) -> tuple[str, Sequence[str]]:
    """A filter as SQL."""
    state = f"({shown_state(has_runner=has_runner)})"
    parts, values = [], []
    words = wanted.words - {plan.ALL}
    if words and words == wanted.words:
        marks = ", ".join("?" * len(words))
        parts.append(f"({state} IN ({marks}) OR (state = 'failed' AND error_class IN ({marks})))")
        values += 2 * sorted(words)
    if wanted.states:
        parts.append(f"{state} IN ({', '.join('?' * len(wanted.states))})")
        values += sorted(wanted.states)
    if wanted.error_classes:
        parts.append(f"state = 'failed' AND error_class IN ({', '.join('?' * len(wanted.error_classes))})")
        values += sorted(wanted.error_classes)
    if wanted.device_id is not None:
        parts.append("device_id = ?")
        values.append(wanted.device_id)
    return "".join(f" AND {each}" for each in parts), values


def check_not_running(run: Run) -> None:
    """Raise WrongState for a run that is running: its record is kept."""
    if run.state is RunState.RUNNING:
        raise WrongState(
            f"{run.name} is running; its record is kept until it has ended.",
            hint=Text("End it: ", command("iot hub fleet-job cancel", "-j", run.fleet_job_id)),
        )
