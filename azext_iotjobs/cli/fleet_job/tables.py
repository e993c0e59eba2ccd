"""What `-o table` shows of fleet jobs, their runs and batches. Pure."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.output.cells import cell, reason_cell, time_cell
from azext_iotjobs.cli.output.tables import LONG_CELL, Row


def fleet_jobs(documents: Iterable[Any]) -> list[Row]:
    """Fleet jobs, each with the counts of its last run; what --dry-run gives is shown as that."""
    return [_plan(each) if each.get("dryRun") else _fleet_job(each) for each in documents]


def runs(documents: Iterable[Any]) -> list[Row]:
    """Runs with their counts; what --dry-run gives is shown as that."""
    return [_plan(each) if each.get("dryRun") else _run(each) for each in documents]


def created(documents: Iterable[Any]) -> list[Row]:
    """What `create` gives: a fleet job that was saved, or the run of one."""
    return [
        _plan(each) if each.get("dryRun") else _run(each) if "run" in each else _fleet_job(each) for each in documents
    ]


def applied(documents: Iterable[Any]) -> list[Row]:
    """What `apply` did to each fleet job of a file, or would do."""
    return [
        {
            "Id": cell(each.get("id"), LONG_CELL),
            "Hub": cell(each.get("hub")),
            "Applied": cell(f"would be {each.get('applied')}" if each.get("dryRun") else each.get("applied")),
            "Version": cell(each.get("version")),
            "Changes": cell(", ".join(change["member"] for change in each.get("changes") or ()), LONG_CELL),
        }
        for each in documents
    ]


def one(documents: Iterable[Any]) -> list[Row]:
    """A fleet job: its last run as a whole, then each batch; one that has not run is a line alone."""
    rows: list[Row] = []
    for document in documents:
        run = document.get("lastRun")
        rows += _run_and_batches(run) if run else [_fleet_job(document)]
    return rows


def _run_and_batches(run: Row) -> list[Row]:
    jobs, batches = run.get("hubJobs") or (), run.get("batchList") or ()
    which = {"Run": cell(run.get("run")), "Version": cell(run.get("version"))}
    why = {"EndedBy": cell(run.get("endedBy"), LONG_CELL), "Reason": reason_cell(run.get("reason"))}
    rows = [{"Id": cell(run.get("id"), LONG_CELL), **which, "Batch": "all", **_progress(run, jobs), **why}]
    for batch in batches:
        own = [each for each in jobs if each.get("batch") == batch.get("batch")]
        rows.append({"Id": "", "Run": "", "Version": "", "Batch": batch.get("batch"), **_progress(batch, own)})
    standings = [each.get("gates") for each in batches]
    if any(standings):
        for row, standing in zip(rows, [None, *standings], strict=True):
            row["Gate"] = _gate(standing)
    return rows


def _gate(standing: Row | None) -> str:
    """Where a batch stands with its gates: passed, manual: waits, query: stop."""
    if not standing:
        return ""
    awaited = standing.get("awaits")
    if awaited is None:
        return "passed"
    said = next((each["verdict"] for each in standing["verdicts"] if each["gate"] == awaited), "waits")
    return f"{awaited}: {said}"


def _fleet_job(document: Row) -> Row:
    run = document.get("lastRun") or {}
    action = document.get("action")
    return {
        "Id": cell(document.get("id"), LONG_CELL),
        "DisplayName": cell(document.get("displayName")),
        "Hub": cell(document.get("hub")),
        "Action": cell(action.get("kind") if isinstance(action, dict) else action),
        "Version": cell(document.get("version")),
        "RunVersion": cell(run.get("version")),
        **_progress({**run, "status": document.get("status")}),
    }


def _run(document: Row) -> Row:
    return {
        "Id": cell(document.get("id"), LONG_CELL),
        "Run": cell(document.get("run")),
        "Version": cell(document.get("version")),
        "Driver": cell(document.get("driver")),
        **_progress(document),
        "EndedBy": cell(document.get("endedBy"), LONG_CELL),
        "Reason": reason_cell(document.get("reason")),
    }


def _progress(document: Row, hub_jobs: Iterable[Row] = ()) -> Row:
    """Counts; beside them what hub jobs in progress have done by the hub's own count, which is not recorded yet."""
    counts = document.get("progress") or {}
    by_hub = [each["progress"] for each in hub_jobs if each.get("progress")]
    seconds = document.get("durationSeconds")
    return {
        "Status": cell(document.get("status")),
        "Devices": cell(counts.get("total")),
        **{name.title(): cell(counts.get(name)) for name in ("completed", "failed", "uncertain")},
        "InProgress": cell(counts.get("inProgress") or None),
        "Verifying": cell(counts.get("verifying") or None),
        "Waiting": cell(counts.get("waiting") or None),
        "EndedByHub": cell(sum(each["completed"] + each["failed"] for each in by_hub)) if by_hub else "",
        "Pending": cell(counts.get("pending")),
        "Started": time_cell(document.get("started")),
        "Ended": time_cell(document.get("ended")),
        "Seconds": "" if seconds is None else cell(round(seconds, 1)),
    }


def _plan(document: Row) -> Row:
    """What --dry-run gives."""
    times = (
        f"{each.get('driver')} {each['seconds']:.0f}" for each in document.get("estimates") or () if each.get("seconds")
    )
    return {
        "Hub": cell(document.get("hub")),
        "Devices": cell(document.get("deviceCount")),
        "Batches": cell(document.get("batches")),
        "Sizes": cell(", ".join(map(str, document.get("batchSizes") or ()))),
        "Driver": cell(document.get("driver")),
        "Seconds": cell(", ".join(times)),
        "PauseSeconds": cell(round(document.get("pausesSeconds") or 0) or None),
    }
