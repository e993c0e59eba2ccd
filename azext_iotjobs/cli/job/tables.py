"""What `-o table` shows of jobs. Pure."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.output.cells import cell, reason_cell, time_cell
from azext_iotjobs.cli.output.tables import LONG_CELL, Row, device_rows, dry_run_rows
from azext_iotjobs.model.job import JobType

STATISTICS = "deviceJobStatistics"


def jobs(documents: Iterable[Any]) -> list[Row]:
    """Jobs of either kind; one with a summary is shown as that."""
    return [row for document in documents for row in _job(document)]


def reruns(documents: Iterable[Any]) -> list[Row]:
    """The jobs of reruns, each with its parent."""
    rows: list[Row] = []
    for document in documents:
        if document.get("dryRun"):
            rows += dry_run_rows(document)
        if verified := _verified(document):
            rows += verified
            continue
        for job in document.get("jobs") or ():
            rows += [{"ParentJobId": cell(document.get("parentJobId"), LONG_CELL), **row} for row in _job(job)]
    return rows


def _job(document: Row) -> list[Row]:
    if document.get("dryRun"):
        return dry_run_rows(document)
    if isinstance(document.get("summary"), dict):
        return _summary(document)
    if verified := _verified(document):
        return verified
    counts = document.get(STATISTICS) or {}
    row = {
        "JobId": cell(document.get("jobId"), LONG_CELL),
        "Type": cell(document.get("type")),
        "Status": cell(document.get("status")),
        "Start": time_cell(document.get("startTime") or document.get("startTimeUtc")),
        "End": time_cell(document.get("endTime") or document.get("endTimeUtc")),
        "Devices": cell(counts.get("deviceCount")),
        **_succeeded(document, counts),
        **{name.title(): cell(counts.get(f"{name}Count")) for name in ("failed", "running", "pending")},
        **_verified_counts(document),
        "Progress": cell(document.get("progress")),
        "Reason": reason_cell(document.get("failureReason") or document.get("statusMessage")),
    }
    return [row]


def _succeeded(document: Row, counts: Row) -> Row:
    """What a hub counts as succeeded is, of a method, a device that has answered, whatever status it answered with."""
    name = "Answered" if document.get("type") == JobType.METHOD.value else "Succeeded"
    return {"Answered": "", "Succeeded": "", name: cell(counts.get("succeededCount"))}


def _verified(document: Row) -> list[Row]:
    """The devices of a job that were verified, if their rows are in the document."""
    return device_rows((document.get("verification") or {}).get("results") or ())


def _verified_counts(document: Row) -> Row:
    """How many there are, where their rows are in a file."""
    counts = document.get("verification") or {}
    return {name: cell(counts.get(name[0].lower() + name[1:])) for name in ("Verified", "NotVerified", "Verifying")}


def _summary(document: Row) -> list[Row]:
    """The counts of a job's rows, one below the other."""
    summary = document["summary"]
    counted = [
        *(("status", name, count) for name, count in (summary.get("byStatus") or {}).items()),
        *(("error class", name, count) for name, count in (summary.get("byErrorClass") or {}).items()),
        *(
            ("answer", f"{cell(each.get('status'))} {cell(each.get('payload'), LONG_CELL)}", each.get("count"))
            for each in summary.get("answers") or ()
        ),
        *([("answer", "others", summary["otherAnswers"])] if summary.get("otherAnswers") else []),
    ]
    return [
        {"JobId": cell(document.get("jobId"), LONG_CELL), "By": by, "Value": value, "Devices": count}
        for by, value, count in counted
    ]
