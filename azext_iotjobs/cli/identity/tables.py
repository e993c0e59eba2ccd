"""What `-o table` shows of devices and modules. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from azext_iotjobs.cli.input.display_name import noted_display_name
from azext_iotjobs.cli.output.cells import cell, reason_cell, time_cell
from azext_iotjobs.cli.output.tables import LONG_CELL, Row, at, who


def identities(documents: Iterable[Any]) -> list[Row]:
    """Devices, as the registry or a query shows them; without keys."""
    return [
        {
            "DeviceId": "",  # the first column
            "DisplayName": cell(noted_display_name(each)),
            **who(each),
            "SignIn": cell(at(each, "authentication", "type") or each.get("authenticationType")),
            "Edge": cell(at(each, "capabilities", "iotEdge")),
            "LastActivity": time_cell(each.get("lastActivityTime")),
            "StatusReason": reason_cell(each.get("statusReason")),
        }
        for each in documents
    ]


def transfers(documents: Iterable[Any]) -> list[Row]:
    """Import and export jobs of the hub, which have just begun."""
    return [
        {
            "JobId": cell(each.get("jobId"), LONG_CELL),
            "Type": cell(each.get("type")),
            "Status": cell(each.get("status")),
            "Start": time_cell(each.get("startTime") or each.get("startTimeUtc")),
            "Input": cell(each.get("inputBlobName")),
            "Output": cell(each.get("outputBlobName")),
        }
        for each in documents
    ]


def imports(documents: Iterable[Any]) -> list[Row]:
    """What became of a file of devices: counts, and below them a line for each row that failed."""
    return [row for document in documents for row in _import_rows(document)]


def _import_rows(document: Row) -> Iterator[Row]:
    counts = ("rows", "importable", "created", "updated", "skipped", "failed", "left")
    names = [name for name in counts if name in document]
    yield {**{name.capitalize(): cell(document[name]) for name in names}, "Line": "", "DeviceId": "", "ErrorCode": ""}
    for each in document.get("failures") or ():
        yield {
            **{name.capitalize(): "" for name in names},
            "Line": cell(each.get("line")),
            "DeviceId": cell(each.get("deviceId")),
            "ErrorCode": cell(each.get("errorCode")),
            "ErrorText": reason_cell(each.get("errorText")),
        }
