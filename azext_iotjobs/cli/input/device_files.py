"""Files of devices: one id a line, a table with an id column, a JSON array or JSON lines; also our own results.

A device's connection string may stand in the place of its id, or beside it.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from azext_iotjobs.cli.input import stdin
from azext_iotjobs.cli.input.device_tables import CONNECTION_NAME, ID_NAMES, is_table, plain_name, rows_in
from azext_iotjobs.cli.input.scalars import bytes_of_file, text_of
from azext_iotjobs.cli.input.strict_json import NotAllowed, parse_json
from azext_iotjobs.model.connection_string import parse_connection_string
from azext_iotjobs.model.errors import BadValue, UserError
from azext_iotjobs.model.ids import DEVICE, check_id, looks_like_connection_string
from azext_iotjobs.model.text import Text

# Spreadsheets on Windows write this, or another one-byte encoding that has ASCII at the same place, as ids are.
ONE_BYTE = "cp1252"

Row = Mapping[str, str]  # by plain names; without empty cells


def rows_of(path: str, option: str) -> Iterator[Row]:
    """The rows of a file of devices, each with its id under "deviceid".

    path: "-" is standard input.  option: its name, for errors.
    Gives a device's connection string under "connectionstring", whatever its column is called.
    Raises BadValue, naming the option and the line, for a file that cannot be read and a row without an id.
    """
    content = stdin.read(option) if path == stdin.MARK else bytes_of_file(path, option)
    name = "standard input" if path == stdin.MARK else path
    where = f"{option} {name}"
    text = _text_of(content, option, name)
    start = text.lstrip()[:1]
    if start == "[":
        yield from _json_rows(_parsed(text, where), where)
    elif start == "{":
        yield from _json_line_rows(text, where)
    else:
        yield from line_rows(text, where)


def _text_of(content: bytes, option: str, name: str) -> str:
    try:
        return text_of(content, option, name)
    except BadValue:
        text = content.decode(ONE_BYTE, "replace")
        if is_table(text):
            return text
        raise


def _json_line_rows(text: str, where: str) -> Iterator[Row]:
    """JSON lines, or one object over several lines."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    for number, line in lines:
        try:
            item = parse_json(line)
        except NotAllowed as err:
            raise BadValue(f"{where}, line {number}, begins like JSON, but {err}.") from None
        except ValueError:
            whole = _parsed(text, where) if number == lines[0][0] else _parsed(line, f"{where}, line {number}")
            yield from _json_rows([whole], where)
            return
        yield from _json_rows([item], where, first=number)


def _json_rows(items: Any, where: str, first: int = 1) -> Iterator[Row]:
    for number, item in enumerate(items, start=first):
        row = item if isinstance(item, dict) else {"deviceId": item}
        typed = [(plain_name(name), value) for name, value in row.items() if isinstance(value, str) and value]
        named = dict(typed)
        twice = next((name for name in ID_NAMES if [each for each, _ in typed].count(name) > 1), None)
        if twice is not None:  # ambiguous
            raise BadValue(f"{where}, device {number}: two of its members are called {twice}.")
        found = _with_id(named, f"{where}, device {number}")
        if found is None:
            text = json.dumps(item)
            shown = "a connection string" if looks_like_connection_string(text) else text[:60]
            raise BadValue(
                f"{where}: {shown} is neither an id nor an object with deviceId.",
                hint='Give ["pump-1", "pump-2"] or [{"deviceId": "pump-1"}, …].',
            )
        yield found


def line_rows(text: str, where: str) -> Iterator[Row]:
    """The rows of a table, or of lines with an id or a connection string each. Raises as `rows_of`."""
    for line, cells in rows_in(text, where):
        found = _with_id(cells, f"{where}, line {line}")
        assert found is not None  # rows_in gives no row without an id
        yield found


def _with_id(row: dict[str, str], where: str) -> Row | None:
    found = next((row[name] for name in ID_NAMES if name in row), None)
    connection = row.get(CONNECTION_NAME)
    if found is not None and looks_like_connection_string(found):
        found, connection = None, found
    if connection is None:
        if found is not None:
            check_id(DEVICE, found, where)
        return None if found is None else {**row, "deviceid": found}
    named = _device_of(connection, where)
    if found not in (None, named):
        raise BadValue(f"{where}: deviceId is {found[:128]!r}, and the connection string is that of {named!r}.")
    return {**row, "deviceid": named, CONNECTION_NAME: connection}


def _device_of(connection: str, where: str) -> str:
    """The device of a connection string. Errors show no part of it: it holds a key."""
    try:
        parsed = parse_connection_string(connection)
    except UserError as err:
        raise BadValue(Text(where, ": ", err.message), hint=err.hint) from None
    if parsed.device_id is None or parsed.module_id is not None:
        raise BadValue(
            f"{where}: this is not a device's connection string.",
            hint="A device's reads HostName=…;DeviceId=…;SharedAccessKey=…; give neither a hub's nor a module's.",
        )
    return parsed.device_id


def _parsed(text: str, where: str) -> Any:
    try:
        return parse_json(text)
    except NotAllowed as err:
        raise BadValue(f"{where} begins like JSON, but {err}.") from None
    except ValueError as err:
        raise BadValue(f"{where} begins like JSON, but is not JSON: {err}.") from None
