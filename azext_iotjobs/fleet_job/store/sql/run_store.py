"""Runs and their batches: rows of run, batch and tally; and what is in progress, by rows of part and device."""

from collections.abc import Iterable
from dataclasses import replace

from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.store.contract import MAX_HUB_JOBS, NewRun
from azext_iotjobs.fleet_job.store.sql import rows
from azext_iotjobs.fleet_job.store.sql.candidates import CandidateTable
from azext_iotjobs.fleet_job.store.sql.database import LAST, Database
from azext_iotjobs.fleet_job.store.sql.definition_store import DefinitionStore
from azext_iotjobs.fleet_job.store.sql.occurrence_store import NO_HOLDER, take_over
from azext_iotjobs.fleet_job.store.sql.stored_row import StoredRow, number, text
from azext_iotjobs.fleet_job.store.sql.verifying_rows import verifying
from azext_iotjobs.fleet_job.store.stored_json import render_answer, render_delivery, render_narrowed, render_tier
from azext_iotjobs.fleet_job.unfinished import check_ended
from azext_iotjobs.model.errors import NotFound
from azext_iotjobs.model.gates import GateAnswer
from azext_iotjobs.model.in_progress import BeingVerified, CallInProgress, HubJobInProgress, WaitingToConnect
from azext_iotjobs.model.rollout import BatchSizes
from azext_iotjobs.model.run import Batch, Run, StopRequest, Tally
from azext_iotjobs.model.run_state import BatchState, RunState
from azext_iotjobs.model.text import Text, command

IS_SENT = "state <> 'closed' AND state IN ('submitting', 'submitted')"  # the first part is that of the index
OPEN_BATCHES = tuple(each.value for each in (BatchState.PENDING, BatchState.RUNNING, BatchState.GATED))
WITH_HOST = """
    SELECT run.*, host,
        (SELECT at FROM occurrence WHERE occurrence.fleet_job = id AND occurrence.run = run.number) AS occurrence_at
    FROM run JOIN fleet_job ON id = fleet_job
"""


class RunStore:
    """Implements contract.Runs."""

    def __init__(self, database: Database, definitions: DefinitionStore, candidates: CandidateTable) -> None:
        self._database = database
        self._definitions = definitions
        self._candidates = candidates
        self._by = database.dialect.by

    def add(self, new: NewRun) -> Run:
        """Make a run of the candidates, in batches; from here on they are fixed.

        Raises NotFound, RunUnfinished; LeaseLost for an occurrence whose claim somebody took over.
        """
        total = self._candidates.count()
        with self._database.transaction():
            self._definitions.get(new.fleet_job_id, new.version)
            last = self.last(new.fleet_job_id)
            if last is not None:
                check_ended(last, new.at)
            run_number = self._next_number(new.fleet_job_id)
            self._add_batches(self._insert(new, run_number, total), total, new.sizes)
            if new.claim is not None:
                started = f"state = 'started', note = NULL, run = ?, decided_at = ?, {NO_HOLDER}"
                take_over(self._database, new.fleet_job_id, new.claim, started, run_number, new.at.timestamp())
        self._candidates.drop()
        return self.get(new.fleet_job_id, run_number)

    def get(self, fleet_job_id: str, number: int | None = None) -> Run:
        """A run; without a number the last one. Raises NotFound."""
        row = self._database.row(
            f"{WITH_HOST} WHERE fleet_job = ? AND (CAST(? AS BIGINT) IS NULL OR number = ?) "
            "ORDER BY number DESC LIMIT 1",
            (fleet_job_id, number, number),
        )
        if row is None:
            self._definitions.get(fleet_job_id)
            raise self._no_run(fleet_job_id, number)
        return self._run_of(row)

    def get_by_key(self, key: int) -> Run:
        """A run by its key in this store. Raises NotFound."""
        row = self._database.row(f"{WITH_HOST} WHERE key = ?", (key,))
        if row is None:
            raise NotFound("The run is gone: its record was deleted.")
        return self._run_of(row)

    def list_all(self, fleet_job_id: str) -> list[Run]:
        """All runs of a fleet job, the last first."""
        found = self._database.rows(f"{WITH_HOST} WHERE fleet_job = ? ORDER BY number DESC", (fleet_job_id,))
        return [self._run_of(each) for each in found]

    def last(self, fleet_job_id: str) -> Run | None:
        """The last run; None: it has not run yet."""
        row = self._database.row("SELECT max(number) AS last FROM run WHERE fleet_job = ?", (fleet_job_id,))
        return None if row is None or row["last"] is None else self.get(fleet_job_id, row["last"])

    def unfinished_of_each(self) -> dict[str, Run]:
        """The run that has not ended of every fleet job that has one, by its id."""
        keys = f"SELECT key FROM run {self._by('run_unfinished')} WHERE state NOT IN ('completed', 'canceled')"
        of_devices = f"SELECT run, state, class, count FROM tally WHERE batch = 0 AND run IN ({keys})"
        of_hub_jobs = f"SELECT run, open_count AS count FROM part WHERE {IS_SENT} AND run IN ({keys})"
        counted, in_hub_jobs = (_by_run(self._database.rows(each)) for each in (of_devices, of_hub_jobs))
        runs = {}
        for row in self._database.rows(f"{WITH_HOST} WHERE key IN ({keys})"):
            key = row["key"]
            tally = rows.tally_of(counted.get(key, ()), sum(int(each["count"]) for each in in_hub_jobs.get(key, ())))
            run = rows.run_of(row, row["host"], tally)
            runs[run.fleet_job_id] = run
        return runs

    def request_stop(self, run: Run, request: StopRequest) -> None:
        """Record a request; the process that executes the run will see it."""
        kind = request.kind.value
        with self._database.transaction():
            self._database.change(
                "UPDATE run SET wish = ?, wish_by = ?, wish_reason = ?, wish_at = ? "
                "WHERE key = ? AND state NOT IN ('completed', 'canceled') "
                "AND NOT (coalesce(wish, '') = 'cancel' AND CAST(? AS TEXT) = 'stop')",
                (kind, text(request.by), text(request.reason), request.at.timestamp(), run.key, kind),
            )

    def answer_gate(self, run: Run, batch: Batch, answer: GateAnswer) -> bool:
        """Record that somebody has approved a batch, or rejected it; False: its gates stand otherwise by now."""
        kept = replace(answer, by=text(answer.by) or "", reason=text(answer.reason))
        with self._database.transaction():
            if self.batch(run, batch.ordinal).gates != batch.gates:
                return False
            sql = "UPDATE batch SET answer = ? WHERE run = ? AND ordinal = ? AND state = 'gated'"
            return self._database.change(sql, (render_answer(kept), run.key, batch.ordinal)) == 1

    def batches(self, run: Run, after: int = 0, limit: int | None = None) -> list[Batch]:
        """Batches of a run in their order, those behind `after`."""
        found = self._database.rows(
            "SELECT * FROM batch WHERE run = ? AND ordinal > ? ORDER BY ordinal LIMIT ?",
            (run.key, after, LAST if limit is None else limit),
        )
        return [rows.batch_of(each, self.tally(run.key, each["ordinal"])) for each in found]

    def batch(self, run: Run, ordinal: int) -> Batch:
        """One batch of a run. Raises NotFound."""
        found = self.batches(run, ordinal - 1, 1)
        if not found or found[0].ordinal != ordinal:
            raise NotFound(f"{run.name} has no batch {ordinal}.")
        return found[0]

    def current_batch(self, run: Run) -> Batch | None:
        """The first batch of a run that has not ended; None: all have."""
        row = self._database.row(
            "SELECT batch.* FROM batch JOIN run ON run.key = batch.run AND ordinal = current WHERE run.key = ?",
            (run.key,),
        )
        if row is None or row["state"] not in OPEN_BATCHES:
            return None
        return rows.batch_of(row, self.tally(run.key, row["ordinal"]))

    def tally(self, key: int, batch: int) -> Tally:
        """Counts of a batch of the run with this key; 0: of the whole run."""
        counted = self._database.rows("SELECT state, class, count FROM tally WHERE run = ? AND batch = ?", (key, batch))
        row = self._database.row(
            f"SELECT coalesce(sum(open_count), 0) AS count FROM part WHERE run = ? AND {IS_SENT} AND ? IN (0, batch)",
            (key, batch),
        )
        return rows.tally_of(counted, 0 if row is None else int(row["count"]))

    def hub_jobs_in_progress(self, run: Run, limit: int = MAX_HUB_JOBS) -> list[HubJobInProgress]:
        """Hub jobs of a run that were sent and whose end is not recorded, in their order."""
        found = self._database.rows(
            f"SELECT * FROM part WHERE run = ? AND {IS_SENT} ORDER BY batch, number LIMIT ?", (run.key, limit)
        )
        return [rows.hub_job_in_progress_of(each) for each in found]

    def calls_in_progress(self, run: Run) -> list[CallInProgress]:
        """Calls that were begun and whose end is not recorded, the first begun first."""
        found = self._database.rows(
            f"SELECT device_id, module_id, batch, began_at FROM device {self._by('device_calling')} "
            "WHERE run = ? AND state = 'calling' ORDER BY began_at, seq",
            (run.key,),
        )
        return [rows.call_in_progress_of(each) for each in found]

    def being_verified(self, run: Run, limit: int) -> BeingVerified | None:
        """Devices of a run that are being verified, at most `limit` of them by name; None: there are none."""
        if not run.tally.verifying:
            return None
        of_those = verifying(self._database.dialect)
        found = self._database.rows(
            f"SELECT device_id, module_id, batch, ended_at {of_those} ORDER BY verify_by, seq LIMIT ?",
            (run.key, limit),
        )
        last = self._database.row(f"SELECT verify_by {of_those} ORDER BY verify_by DESC LIMIT 1", (run.key,))
        return None if last is None else rows.being_verified_of(found, last, run.tally.verifying)

    def waiting_to_connect(self, run: Run, limit: int) -> WaitingToConnect | None:
        """Devices of a run that wait to connect, at most `limit` of them by name; None: there are none."""
        if not run.tally.waiting:
            return None
        offline = f"FROM device {self._by('device_offline')} WHERE run = ? AND state = 'waiting'"
        found = self._database.rows(
            f"SELECT device_id, module_id, offline_since, wait_until {offline} ORDER BY wait_until, seq LIMIT ?",
            (run.key, limit),
        )
        last = self._database.rows(
            f"SELECT device_id, module_id, offline_since, wait_until {offline} ORDER BY wait_until DESC LIMIT 1",
            (run.key,),
        )
        devices = tuple(rows.waits_to_connect_of(each) for each in found)
        if not devices or not last:  # it was read while somebody wrote
            return None
        until = rows.waits_to_connect_of(last[0]).until
        return WaitingToConnect(count=run.tally.waiting, devices=devices, until=until)

    def _run_of(self, row: StoredRow) -> Run:
        return rows.run_of(row, row["host"], self.tally(row["key"], 0))

    def _no_run(self, fleet_job_id: str, number: int | None) -> NotFound:
        if number is None or self.last(fleet_job_id) is None:
            which, verb = "has not run yet", "run"
        else:
            which, verb = f"has no run {number}", "list-runs"
        return NotFound(
            f"Fleet job {fleet_job_id} {which}.",
            hint=Text(
                "See: " if number else "First: ", command(f"iot hub fleet-job {verb}", fleet_job_id=fleet_job_id)
            ),
        )

    def _next_number(self, fleet_job_id: str) -> int:
        self._database.change("UPDATE fleet_job SET last_run = last_run + 1 WHERE id = ?", (fleet_job_id,))
        row = self._database.row("SELECT last_run FROM fleet_job WHERE id = ?", (fleet_job_id,))
        assert row is not None
        return number(row, "last_run") or 1

    def _insert(self, new: NewRun, run_number: int, total: int) -> int:
        """A row of run; gives its key."""
        columns = {
            "fleet_job": new.fleet_job_id,
            "number": run_number,
            "version": new.version,
            "run_key": new.run_key,
            "state": RunState.PENDING.value,
            "driver": new.driver.value,
            "driver_reason": new.driver_reason,
            "delivery": render_delivery(new.delivery),
            "device_count": total,
            "batch_count": 0,
            "created_at": new.at.timestamp(),
            "created_by": text(new.by),
            "tier": render_tier(new.tier),
            "narrowed": render_narrowed(new.narrowed),
        }
        marks = ", ".join("?" * len(columns))
        self._database.change(f"INSERT INTO run ({', '.join(columns)}) VALUES ({marks})", tuple(columns.values()))
        row = self._database.row(
            "SELECT key FROM run WHERE fleet_job = ? AND number = ?", (new.fleet_job_id, run_number)
        )
        assert row is not None
        return int(row["key"])

    def _add_batches(self, key: int, total: int, sizes: BatchSizes) -> None:
        change, change_many = self._database.change, self._database.change_many
        change_many(
            "INSERT INTO batch (run, ordinal, state, size) VALUES (?, ?, 'pending', ?)",
            ((key, each.ordinal, each.size) for each in plan.batches(total, sizes)),
        )
        change_many(
            "INSERT INTO device (run, seq, device_id, module_id, batch) "
            "SELECT ?, number, device_id, module_id, ? FROM "
            "(SELECT seq AS number, device_id, module_id FROM chosen WHERE seq BETWEEN ? AND ?) AS member",
            ((key, each.ordinal, each.first, each.last) for each in plan.batches(total, sizes)),
        )
        change(
            "INSERT INTO tally SELECT run, batch, 'pending', '', count(*) FROM device WHERE run = ? "
            "GROUP BY run, batch",
            (key,),
        )
        change("INSERT INTO tally VALUES (?, 0, 'pending', '', ?)", (key, total))
        change("UPDATE run SET batch_count = (SELECT count(*) FROM batch WHERE run = key) WHERE key = ?", (key,))


def _by_run(found: Iterable[StoredRow]) -> dict[int, list[StoredRow]]:
    runs: dict[int, list[StoredRow]] = {}
    for row in found:
        runs.setdefault(row["run"], []).append(row)
    return runs
