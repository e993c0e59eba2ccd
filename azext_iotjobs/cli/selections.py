"""What a user types -> which devices: a condition, ids, or a file of them, without those excluded."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from azext_iotjobs.cli import stdin
from azext_iotjobs.cli.csv_cells import original
from azext_iotjobs.cli.values import at_least, bytes_of_file, text_of, whole_number
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.selection import Selection, device_ids

ID_COLUMNS = ("deviceid", "device_id", "device id", "id")  # the first that a file has, in any case


@dataclass(frozen=True, kw_only=True)
class TypedSelection:
    """What was typed about the devices; None where nothing was."""

    condition: str | None
    ids: str | None
    ids_file: str | None
    excluded: str | None

    def read(self) -> Selection:
        """Which devices are meant. Raises UserError, naming the option."""
        named: list[str] = []
        if self.ids is not None:
            named += _listed(self.ids, "--device-ids")
        if self.ids_file is not None:
            named += _ids_of(self.ids_file, "--devices-file")
        return Selection(
            condition=self.condition,
            device_ids=tuple(dict.fromkeys(named)),
            excluded=() if self.excluded is None else _listed(self.excluded, "--exclude"),
        )


def most_devices(cmd: Any, typed: int | None) -> int | None:
    """How many devices a command may touch: what was typed, else the standing limit; None: any number.

    Raises BadValue for a limit below 1.
    """
    if typed is not None:
        return at_least(typed, 1, "--max-devices")
    standing = cmd.cli_ctx.config.get("iotjobs", "max_devices", fallback=None)
    if standing is None:
        return None
    return at_least(whole_number(standing, "iotjobs.max_devices"), 1, "iotjobs.max_devices")


def _listed(text: str, option: str) -> tuple[str, ...]:
    """Ids with commas or white space between them: az itself puts a file's text where @file was typed."""
    found = device_ids(filter(None, text.replace(",", " ").split()), option)
    if not found:
        raise BadValue(f"{option} is empty.", hint=f"Give ids with commas between them: {option} pump-1,pump-2")
    return found


def _ids_of(path: str, option: str) -> tuple[str, ...]:
    content = stdin.read(option) if path == stdin.MARK else bytes_of_file(path, option)
    name = "standard input" if path == stdin.MARK else path
    found = device_ids(_ids_in(text_of(content, option), f"{option} {name}"), f"{option} {name}")
    if not found:
        raise BadValue(f"{option}: there is no device in {name}.")
    return found


def _ids_in(text: str, where: str) -> Iterator[str]:
    """The ids in a JSON array, JSON lines, a table with an id column, or plain lines."""
    start = text.lstrip()[:1]
    if start == "[":
        yield from _json_ids(_parsed(text, where), where)
    elif start == "{":
        for line in filter(str.strip, text.splitlines()):
            yield from _json_ids([_parsed(line, where)], where)
    else:
        yield from _line_ids(text)


def _json_ids(items: Any, where: str) -> Iterator[str]:
    for item in items:
        value = item
        if isinstance(item, dict):
            value = next((item[key] for key in item if key.lower() in ID_COLUMNS), None)
        if not isinstance(value, str):
            raise BadValue(
                f"{where}: {json.dumps(item)[:60]} is neither an id nor an object with deviceId.",
                hint='Give ["pump-1", "pump-2"] or [{"deviceId": "pump-1"}, …].',
            )
        yield value


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as err:
        raise BadValue(f"{where} begins as JSON, but is none: {err}.") from None


def _line_ids(text: str) -> Iterator[str]:
    """Ids may hold commas: lines are a table only if the first one names an id column."""
    header = next(csv.reader(io.StringIO(text)), [])
    names = [name.strip().lower() for name in header]
    column = next((names.index(each) for each in ID_COLUMNS if each in names), None)
    if column is None:
        yield from filter(None, map(str.strip, text.splitlines()))
        return
    rows: Iterable[list[str]] = csv.reader(io.StringIO(text))
    for number, row in enumerate(rows):
        if number and len(row) > column and row[column].strip():
            yield original(row[column].strip())
