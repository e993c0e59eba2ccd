"""Files of devices: one id in a line, a table with an id column, a JSON array or JSON lines; also our own results.

A device's connection string may stand where its id does, or beside it.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from azext_iotjobs.cli import stdin
from azext_iotjobs.cli.csv_cells import original
from azext_iotjobs.cli.values import bytes_of_file, text_of
from azext_iotjobs.model.errors import BadValue, UserError
from azext_iotjobs.model.target import looks_like_connection_string, parse_connection_string

ID_NAMES = ("deviceid", "device_id", "device id", "id")  # the first that a row has, in any case
CONNECTION_NAMES = ("connectionstring", "connection_string", "connection string")

Row = Mapping[str, str]  # names in lower case; what a row does not have, or has empty, is left out


def rows_of(path: str, option: str) -> Iterator[Row]:
    """The rows of a file, or of standard input for "-", each with its id under "deviceid".

    A device's connection string is under "connectionstring", whatever its column was called.
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
        yield from _line_rows(text, where)


def _json_rows(items: Any, where: str) -> Iterator[Row]:
    for number, item in enumerate(items, start=1):
        row = item if isinstance(item, dict) else {"deviceId": item}
        named = {name.lower(): value for name, value in row.items() if isinstance(value, str) and value}
        found = _with_id(named, f"{where}, device {number}")
        if found is None:
            text = json.dumps(item)
            shown = "a connection string" if looks_like_connection_string(text) else text[:60]
            raise BadValue(
                f"{where}: {shown} is neither an id nor an object with deviceId.",
                hint='Give ["pump-1", "pump-2"] or [{"deviceId": "pump-1"}, …].',
            )
        yield found


def _line_rows(text: str, where: str) -> Iterator[Row]:
    """Ids may hold commas: lines are a table only if the first one names a column of ids or connection strings."""
    names = [name.strip().lower() for name in next(csv.reader(io.StringIO(text)), [])]
    if not {*ID_NAMES, *CONNECTION_NAMES} & set(names):
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                yield _with_id({"deviceid": line.strip()}, f"{where}, line {number}") or {}
        return
    lines = csv.reader(io.StringIO(text))
    next(lines)
    for cells in lines:
        texts = (original(cell.strip()) for cell in cells)
        row = {name: value for name, value in zip(names, texts, strict=False) if value}
        found = _with_id(row, f"{where}, line {lines.line_num}")
        if found is not None:  # a line of empty cells, as spreadsheets leave them
            yield found


def _with_id(row: dict[str, str], where: str) -> Row | None:
    found = next((row[name] for name in ID_NAMES if name in row), None)
    connection = next((row[name] for name in CONNECTION_NAMES if name in row), None)
    if found is not None and looks_like_connection_string(found):
        found, connection = None, found
    if connection is None:
        return None if found is None else {**row, "deviceid": found}
    named = _device_of(connection, where)
    if found not in (None, named):
        raise BadValue(f"{where}: deviceId is {found[:128]!r}, and the connection string is that of {named!r}.")
    return {**row, "deviceid": named, CONNECTION_NAMES[0]: connection}


def _device_of(connection: str, where: str) -> str:
    """The device of a connection string. Whatever is wrong, no part of it is shown: it holds a key."""
    try:
        parsed = parse_connection_string(connection)
    except UserError as err:
        raise BadValue(f"{where}: {err}", hint=err.hint) from None
    if parsed.device_id is None or parsed.module_id is not None:
        raise BadValue(
            f"{where}: this is not a device's connection string.",
            hint="It reads HostName=…;DeviceId=…;SharedAccessKey=…; a hub's or a module's is none.",
        )
    return parsed.device_id


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as err:
        raise BadValue(f"{where} begins as JSON, but is none: {err}.") from None
