"""What `-o table` shows: a command's result -> rows of short cells. Pure, but for the words on stderr.

Strategy: each kind of document has a view, in the `tables.py` of its command room; a command that names none gets the
general one, which flattens what it is given. Keys are in no table but the one they were asked for in.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.cells import CELL, NOISE, cell, heading, printable, reason_cell, value_cell
from azext_iotjobs.cli.output.table_fitting import fitted
from azext_iotjobs.model.ids import in_lists

logger = get_logger(__name__)

Row = dict[str, Any]
View = Callable[[Any], list[Row]]

LONG_CELL = 80  # of the one cell that a table is about
REASONS = ("errorText", "jobReason", "runReason")  # columns of results that are not cut
MAX_COLUMNS = 12
KEYS = "symmetricKey"  # of identities
MAX_DEPTH = 3  # of what is flattened; what lies deeper is shown as JSON


def table_rows(command: str, view: View | None, result: Any) -> Any:
    """The rows that az prints as a table for the result of `command`.

    view: what makes rows of its documents; None: `any_documents`.
    """
    if not isinstance(result, dict | list):
        return printable(result)
    documents = [each if isinstance(each, dict) else {"result": each} for each in _listed(result)]
    made = any_documents(documents, isinstance(result, list)) if view is None else view(documents)
    rows = _printable_rows(_without_empty_columns(made))
    return rows if view is whole else fitted(rows, command, _of_twins(rows) if view is device_rows else ())


def device_rows(documents: Iterable[Any]) -> list[Row]:
    """What jobs did to devices, in the order of columns that was asked for."""
    headings, cells = cache(_headings), cache(_cells)  # all documents have the same columns, nearly always
    rows = []
    for document in documents:
        names = tuple(document)
        made = (make(value) for make, value in zip(cells(names), document.values(), strict=True))
        rows.append(dict(zip(headings(names), made, strict=True)))
    return rows


def twins(documents: Iterable[Any]) -> list[Row]:
    """Twins: tags and properties in short."""
    return [
        {
            **who(each),
            "Version": cell(each.get("version")),
            "Tags": cell(each.get("tags")),
            "Desired": cell(at(each, "properties", "desired")),
            "Reported": cell(at(each, "properties", "reported")),
        }
        for each in documents
    ]


def whole(documents: Iterable[Any]) -> list[Row]:
    """Documents whose values are there to be copied: nothing is shortened."""
    return [{heading(name): value for name, value in document.items()} for document in documents]


def any_documents(documents: Iterable[Any], is_list: bool = True) -> list[Row]:
    """Documents of any kind: inner objects become columns with dots in their names; keys are left out.

    is_list: az has a list of them, not one alone, for which --query is written otherwise.
    """
    flat = [dict(_flattened(document, "", 1)) for document in documents]
    names = list(dict.fromkeys(name for row in flat for name in row))
    if len(names) > MAX_COLUMNS:
        example = f'--query "{"[]." if is_list else ""}{{a:{names[MAX_COLUMNS]}}}"'
        logger.warning(
            "The table shows %d of %d columns; choose others with --query, for example %s.",
            *(MAX_COLUMNS, len(names), example),
        )
    return [{heading(name): value_cell(row.get(name)) for name in names[:MAX_COLUMNS]} for row in flat]


def dry_run_rows(document: Row) -> list[Row]:
    """What --dry-run gives."""
    return [
        {
            "Hub": cell(document.get("hub")),
            "Devices": cell(document.get("deviceCount")),
            "Sample": cell(", ".join(in_lists(str(each)) for each in document.get("sample") or ()), LONG_CELL),
            "NotRegistered": cell(document.get("notRegisteredCount")),
        }
    ]


def who(document: Row) -> Row:
    return {
        "DeviceId": cell(document.get("deviceId"), LONG_CELL),
        "ModuleId": cell(document.get("moduleId")),
        "Status": cell(document.get("status")),
        "Connection": cell(document.get("connectionState")),
    }


def _headings(names: tuple[str, ...]) -> list[str]:
    """The columns' names. Of a path that is too long the end counts; where two would be the same, they are whole."""
    found = [heading(name) if len(name) <= CELL else f"…{name[-CELL + 1 :]}" for name in names]
    return found if len(set(found)) == len(names) else list(names)


def _cells(names: tuple[str, ...]) -> list[Callable[[Any], str]]:
    """What makes the cell of each column."""
    return [reason_cell if name in REASONS else value_cell for name in names]


def _of_twins(rows: list[Row]) -> list[str]:
    """The columns of results that stand in twins: they are shown because somebody has named them."""
    return [name for name in rows[0] if "." in name or name == "DisplayName"] if rows else []


def _flattened(document: Mapping[str, Any], before: str, depth: int) -> Iterable[tuple[str, Any]]:
    for name, value in document.items():
        if name == KEYS or (name in NOISE and before):
            continue
        if isinstance(value, dict) and value and depth < MAX_DEPTH:
            yield from _flattened(value, f"{before}{name}.", depth + 1)
        else:
            yield f"{before}{name}", value


def _listed(result: Any) -> list[Any]:
    return result if isinstance(result, list) else [result]


def _printable_rows(rows: list[Row]) -> list[Row]:
    """The same as `printable` gives. Rows are many, and have their names in common; most cells are printable."""
    names = {name: printable(name) for row in rows[:1] for name in row}
    return [
        {
            names[name]: each if isinstance(each, str) and each.isprintable() else printable(each)
            for name, each in row.items()
        }
        for row in rows
    ]


def _without_empty_columns(rows: list[Row]) -> list[Row]:
    """az puts a column where its first value is, and leaves out None: every row has every column, or none has."""
    all_names = dict.fromkeys(name for row in rows for name in row)
    names = [name for name in all_names if any(row.get(name, "") not in ("", None) for row in rows)]
    return [{name: "" if (each := row.get(name)) is None else each for name in names} for row in rows]


def at(document: Any, *path: str) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document
