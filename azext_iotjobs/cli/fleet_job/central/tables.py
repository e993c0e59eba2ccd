"""What `-o table` shows of documents of IoT Central's that were imported. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from azext_iotjobs.cli.output.cells import cell
from azext_iotjobs.cli.output.tables import LONG_CELL, Row


def imported(documents: Iterable[Any]) -> list[Row]:
    """A document, and below it a line for each of its members."""
    return [row for document in documents for row in _rows(document)]


def _rows(document: Row) -> Iterator[Row]:
    became = document.get("became") or {}
    devices = document.get("deviceCount")
    yield {
        "Id": cell(document.get("id") or document.get("document"), LONG_CELL),
        "Member": "",
        "Result": cell(document.get("result")),
        "Became": cell("; ".join(f"{_words(name)} {value}" for name, value in became.items()), LONG_CELL),
        "Note": cell(document.get("reason") or ("" if devices is None else f"devices now: {devices}"), LONG_CELL),
    }
    if document.get("reason"):
        return  # none of its members became anything
    for member in document.get("members") or ():
        yield {
            "Id": "",
            "Member": cell(member.get("member")),
            "Result": "" if member.get("became") is not None else "not imported",
            "Became": cell(member.get("became"), LONG_CELL),
            "Note": cell(member.get("note"), LONG_CELL),
        }


def _words(name: str) -> str:
    return {"fleetJob": "fleet job", "group": "device group"}.get(name, name)
