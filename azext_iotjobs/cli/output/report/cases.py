"""Rows of devices, as commands show them -> the cases of a report. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from azext_iotjobs.cli.output.report.texts import text_of
from azext_iotjobs.model.report import Case, CaseOutcome, outcome_of

# What a table shows; `why` is the case's message.
MAIN_COLUMNS = tuple("deviceId moduleId batch status errorClass why tries finished".split())


def device_cases(rows: Iterable[Mapping[str, Any]], section: int | None = None) -> Iterator[Case]:
    """A case for each row.

    rows: under the names of output/result_rows.py.  section: of all of them; None: their batch is their section.
    """
    for row in rows:
        outcome = outcome_of(row["status"], has_failed=row["errorClass"] is not None)
        yield Case(
            section=row["batch"] if section is None else section,
            name=row["deviceId"] if row["moduleId"] is None else f"{row['deviceId']}/{row['moduleId']}",
            outcome=outcome,
            reason=_reason(row, outcome),
            message="" if outcome in (CaseOutcome.PASSED, CaseOutcome.OPEN) else _message(row),
            duration_s=row["durationSeconds"],
            row=row,
        )


def _reason(row: Mapping[str, Any], outcome: CaseOutcome) -> str | None:
    if outcome is CaseOutcome.PASSED:
        return None
    return str(row["errorClass"] or row["status"]) if outcome is CaseOutcome.FAILED else str(row["status"])


def _message(row: Mapping[str, Any]) -> str:
    if row["errorText"] or row["errorCode"]:
        return ": ".join(each for each in (row["errorCode"], row["errorText"]) if each)
    if row["methodStatus"] is None:
        return ""
    answer = text_of(row["payload"])
    return f"answered with status {row['methodStatus']}{': ' if answer else ''}{answer}"
