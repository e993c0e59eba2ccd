"""What `-o table` shows of direct methods. Pure."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.output.cells import cell
from azext_iotjobs.cli.output.tables import LONG_CELL, Row, any_documents, device_rows, dry_run_rows


def method_answers(documents: Iterable[Any]) -> list[Row]:
    """Answers of devices to a direct method: one's alone, a row for each of many, or equal ones as one."""
    answers = list(documents)
    if any("deviceId" in each for each in answers):
        return device_rows(answers)
    if any("devices" in each or "dryRun" in each for each in answers):
        return [
            row for each in answers for row in (dry_run_rows(each) if each.get("dryRun") else any_documents([each]))
        ]
    return [_answer(each) for each in answers]


def _answer(document: Row) -> Row:
    """One device's answer, and what became of its verification."""
    row = {"Status": cell(document.get("status")), "Payload": cell(document.get("payload"), LONG_CELL)}
    verification = document.get("verification")
    if not isinstance(verification, dict):
        return row
    result = verification["result"]  # its row
    return {
        **row,
        "Verification": cell(result["status"]),
        "ErrorCode": cell(result["errorCode"]),
        "Reported": cell(result["reported"], LONG_CELL),
    }
