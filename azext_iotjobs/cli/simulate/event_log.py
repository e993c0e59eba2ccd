"""--events: each thing that a simulated device sees or does, as a line of JSON, in the order in which it happened.

What a device receives is in the file before the device answers: a program that counts the lines never counts less than
what was answered, even if this process is killed. Other lines are kept for a second at most. docs/simulator.md has the
form of the lines.
"""

import base64
import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from azext_iotjobs.cli.output.file_writing import check_link, is_file, open_new, open_there
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.simulator.events import Moment, Seen, What
from azext_iotjobs.simulator.expectations import Verdict

OPTION = "--events"
ENDINGS = (".jsonl", ".ndjson", ".log", ".txt")  # the last two of what is read line by line, whatever it is
MAX_VALUE = 8192  # characters of one value's JSON; a method's payload may have 128 KB
MAX_KEPT = 64 * 1024  # characters that wait for the file
RECEIVED = frozenset({What.METHOD, What.DESIRED, What.MESSAGE})
RENAMED = {"retry_in_s": "retryInSeconds"}
LEFT_OUT = ("count",)  # of the plan's messages: no news

_encode = json.JSONEncoder(separators=(", ", ": "), default=str).encode  # ASCII alone


class EventFile:
    """An open file of events."""

    def __init__(self, path: str, *, overwrites: bool) -> None:
        """Raises ConflictingChoice for a file that is there, BadValue for one that cannot be written."""
        self._path = path
        self._kept: list[str] = []
        self._kept_size = 0
        if path == "-":
            raise BadValue("--events - is not possible: stdout is for the command's result.", hint="Name a file.")
        try:
            self._file = opened(path, overwrites)
        except OSError as err:
            raise self._unwritable(err) from err

    def add(self, device: str, seen: Seen, now: Moment) -> None:
        """Write what `device` saw or did. Raises BadValue when the file takes no more."""
        values = _values(seen.details) if seen.details else ""
        self._keep(
            f'{{"at": "{_instant(now.wall)}", "device": {_encode(device)}, "event": "{seen.what.value}"{values}}}\n'
        )
        if seen.what in RECEIVED:
            self.flush()

    def add_verdict(self, verdict: Verdict, now: Moment) -> None:
        """Write what an expectation came to, and a line for each device of which it was not true."""
        at, text = _instant(now.wall), _encode(verdict.expectation.text)
        came_true = _encode(verdict.came_true)
        self._keep(f'{{"at": "{at}", "event": "verdict", "expectation": {text}, "cameTrue": {came_true}}}\n')
        for device in verdict.missing:
            self._keep(f'{{"at": "{at}", "device": {_encode(device)}, "event": "missing", "expectation": {text}}}\n')

    def flush(self) -> None:
        """Hand all to the system: it is in the file, whatever becomes of this process."""
        if not self._kept:
            return
        rest = memoryview("".join(self._kept).encode("ascii"))
        self._kept, self._kept_size = [], 0
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as err:
            raise self._unwritable(err) from err

    def close(self) -> None:
        """Write what is left, and close."""
        try:
            self.flush()
        finally:
            os.close(self._file)

    def _keep(self, line: str) -> None:
        self._kept.append(line)
        self._kept_size += len(line)
        if self._kept_size > MAX_KEPT:
            self.flush()

    def _unwritable(self, err: OSError) -> BadValue:
        return BadValue(f"--events {self._path} cannot be written: {err.strerror}.")


def check(path: str, *, overwrites: bool) -> None:
    """Raise what opening the file would, as far as that can be told without making it."""
    if path == "-":
        raise BadValue("--events - is not possible: stdout is for the command's result.", hint="Name a file.")
    if not path:
        raise BadValue("--events is empty.", hint="Name a file.")
    if os.path.isdir(path):
        raise BadValue(f"--events {path} cannot be written: it is a folder.")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise BadValue(f"--events {path} cannot be written: there is no folder {folder}.")
    check_link(path, OPTION)
    if os.path.exists(path) and not is_file(path):
        return  # a pipe to another program: it has no form of its own
    ending = os.path.splitext(path)[1]
    if ending and ending.lower() not in ENDINGS:
        raise BadValue(
            f"--events {path}: events are JSON lines, and no name of theirs ends in {ending}.",
            hint=f"Give a name that ends in {' or '.join(ENDINGS)}, or in nothing.",
        )
    if os.path.exists(path) and not overwrites:
        raise _is_there(path)


def _is_there(path: str) -> ConflictingChoice:
    return ConflictingChoice(f"--events {path} is there already.", hint="Add --overwrite, or name another file.")


def opened(path: str, overwrites: bool) -> int:
    """A file descriptor. What is no file, such as a pipe to another program, is written to as it is."""
    try:
        return open_new(path)
    except FileExistsError:
        if is_file(path) and not overwrites:
            raise _is_there(path) from None
    return open_there(path, OPTION, os.O_TRUNC)


def _values(details: Mapping[str, Any]) -> str:
    text = ""
    for name, value in details.items():
        if name in LEFT_OUT:
            continue
        key = RENAMED.get(name, name)
        if isinstance(value, bytes):
            key, value = _text_of(key, value)
        encoded = _encode(value)
        if len(encoded) <= MAX_VALUE:
            text += f', "{key}": {encoded}'
        else:
            text += f', "{key}": {_encode(encoded[:MAX_VALUE])}, "{key}CutFrom": {len(encoded)}'
    return text


def _text_of(key: str, value: bytes) -> tuple[str, str]:
    try:
        return key, value.decode("utf-8")
    except UnicodeDecodeError:
        return f"{key}Base64", base64.b64encode(value).decode("ascii")


def _instant(at: datetime) -> str:
    return render_instant(at, "microseconds")
