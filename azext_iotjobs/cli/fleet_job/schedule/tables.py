"""What `-o table` shows of schedules and their occurrences. Pure."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.output.cells import cell, reason_cell, time_cell
from azext_iotjobs.cli.output.tables import LONG_CELL, Row


def schedules(documents: Iterable[Any]) -> list[Row]:
    """Schedules, each with its next occurrence."""
    return [_schedule(each) for each in documents]


def one(documents: Iterable[Any]) -> list[Row]:
    """A schedule: a line for each of its next occurrences."""
    rows = []
    for document in documents:
        following = document.get("next") or [{}]
        rows += [{**_schedule(document), **_both(each)} for each in following]
    return rows


def occurrences(documents: Iterable[Any]) -> list[Row]:
    """What became of occurrences, and of their runs."""
    return [_occurrence(each) for each in documents]


def _occurrence(document: Row) -> Row:
    return {
        "Id": cell(document.get("id"), LONG_CELL),
        "At": time_cell(document.get("at")),
        "Local": cell((document.get("local") or "")[:16].replace("T", " ")),
        "Status": cell(document.get("status")),
        "Run": cell(document.get("run")),
        "RunStatus": cell(document.get("runStatus")),
        **_counts(document.get("runProgress")),
        "EndedBy": cell(document.get("runEndedBy"), LONG_CELL),
        "Reason": reason_cell(document.get("runReason")),
        "Backfill": "yes" if document.get("backfill") else "",
        "Note": reason_cell(document.get("note")),
    }


def happened(documents: Iterable[Any]) -> list[Row]:
    """What a poll of schedules came to."""
    rows = []
    for each in documents:
        run = each.get("lastRun") or {}
        rows.append(
            {
                "Id": cell(each.get("id"), LONG_CELL),
                "At": time_cell(each.get("at")),
                "Status": cell(each.get("status")),
                "Run": cell(each.get("run")),
                "RunStatus": cell(run.get("status")),
                **_counts(run.get("progress")),
                "Note": reason_cell(each.get("note")),
            }
        )
    return rows


def _counts(progress: Row | None) -> Row:
    return {name.title(): cell((progress or {}).get(name)) for name in ("total", "completed", "failed", "uncertain")}


def _schedule(document: Row) -> Row:
    following = document.get("next") or [{}]
    return {
        "Id": cell(document.get("id"), LONG_CELL),
        "Hub": cell(document.get("hub")),
        "When": cell(document.get("description")),
        "TimeZone": cell(document.get("timeZone")),
        "Window": cell(document.get("window")),
        **_both(following[0]),
    }


def _both(each: Row) -> Row:
    return {"Next": cell((each.get("local") or "")[:16].replace("T", " ")), "NextUtc": time_cell(each.get("utc"))}
