"""Files of devices: one id in a line, a table with an id column, a JSON array or JSON lines; also our own results."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from azext_iotjobs.cli import stdin
from azext_iotjobs.cli.csv_cells import original
from azext_iotjobs.cli.values import bytes_of_file, text_of
from azext_iotjobs.model.errors import BadValue

ID_NAMES = ("deviceid", "device_id", "device id", "id")  # the first that a row has, in any case

Row = Mapping[str, str]  # names in lower case; what a row does not have, or has empty, is left out


def rows_of(path: str, option: str) -> Iterator[Row]:
    """The rows of a file, or of standard input for "-", each with its id under "deviceid".

    Raises BadValue, naming the option, for what cannot be read and for a row without an id.
    """
    content = stdin.read(option) if path == stdin.MARK else bytes_of_file(path, option)
    name = "standard input" if path == stdin.MARK else path
    where = f"{option} {name}"
    text = text_of(content, option, name)
    start = text.lstrip()[:1]
    if start == "[":
        yield from _json_rows(_parsed(text, where), where)
    elif start == "{":
        for line in filter(str.strip, text.splitlines()):
            yield from _json_rows([_parsed(line, where)], where)
    else:
        yield from _line_rows(text)


def _json_rows(items: Any, where: str) -> Iterator[Row]:
    for item in items:
        row = item if isinstance(item, dict) else {"deviceId": item}
        named = {name.lower(): value for name, value in row.items() if isinstance(value, str) and value}
        found = _with_id(named)
        if found is None:
            raise BadValue(
                f"{where}: {json.dumps(item)[:60]} is neither an id nor an object with deviceId.",
                hint='Give ["pump-1", "pump-2"] or [{"deviceId": "pump-1"}, …].',
            )
        yield found


def _line_rows(text: str) -> Iterator[Row]:
    """Ids may hold commas: lines are a table only if the first one names an id column."""
    names = [name.strip().lower() for name in next(csv.reader(io.StringIO(text)), [])]
    if not set(ID_NAMES) & set(names):
        yield from ({"deviceid": line.strip()} for line in text.splitlines() if line.strip())
        return
    lines = csv.reader(io.StringIO(text))
    next(lines)
    for cells in lines:
        texts = (original(cell.strip()) for cell in cells)
        found = _with_id({name: value for name, value in zip(names, texts, strict=False) if value})
        if found is not None:  # a line of empty cells, as spreadsheets leave them
            yield found


def _with_id(row: dict[str, str]) -> Row | None:
    found = next((row[name] for name in ID_NAMES if name in row), None)
    return None if found is None else {**row, "deviceid": found}


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as err:
        raise BadValue(f"{where} begins as JSON, but is none: {err}.") from None
