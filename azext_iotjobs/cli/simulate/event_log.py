"""--events: each activity of a simulated device as a line of JSON, in the order in which they happen.

What a device receives is in the file before the device responds: a program that counts the lines never counts fewer
than were answered, even if this process is killed. Other lines are buffered for a second at most.
docs/how-to/simulator.md describes the lines.
"""

import base64
import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from azext_iotjobs.cli.output.event_file import open_event_file, unwritable
from azext_iotjobs.cli.output.file_writing import write_all
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.simulator.events import Activity, ActivityKind, Moment
from azext_iotjobs.simulator.expectations import Verdict

MAX_VALUE = 8192  # characters of one value's JSON; a method's payload may have 128 KB
MAX_BUFFERED = 64 * 1024  # characters
RECEIVED = frozenset({ActivityKind.METHOD, ActivityKind.DESIRED, ActivityKind.MESSAGE})
RENAMED = {"retry_in_s": "retryInSeconds"}
OMITTED = ("count",)  # the same for all messages of a plan

_encode = json.JSONEncoder(separators=(", ", ": "), default=str).encode  # ASCII alone


class EventFile:
    """An open file of events."""

    def __init__(self, path: str, *, overwrites: bool) -> None:
        """Raises ConflictingChoice for an existing file, unless `overwrites`; BadValue if it cannot be written."""
        self._path = path
        self._buffer: list[str] = []
        self._buffered_count = 0
        try:
            self._file = open_event_file(path, overwrites=overwrites)
        except OSError as err:
            raise unwritable(path, err) from err

    def add(self, device: str, activity: Activity, now: Moment) -> None:
        """Write an activity of `device`, at `now`. Raises BadValue when the file cannot be written."""
        values = _values(activity.details) if activity.details else ""
        self._write(
            f'{{"at": "{_instant(now.wall)}", "device": {_encode(device)}, "event": "{activity.kind.value}"{values}}}\n'
        )
        if activity.kind in RECEIVED:
            self.flush()

    def add_verdict(self, verdict: Verdict, now: Moment) -> None:
        """Write the result of an expectation, and a line for each device that did not satisfy it."""
        at, text = _instant(now.wall), _encode(verdict.expectation.text)
        came_true = _encode(verdict.came_true)
        self._write(f'{{"at": "{at}", "event": "verdict", "expectation": {text}, "cameTrue": {came_true}}}\n')
        for device in verdict.missing:
            self._write(f'{{"at": "{at}", "device": {_encode(device)}, "event": "missing", "expectation": {text}}}\n')

    def flush(self) -> None:
        """Hand all lines to the operating system, so that they are in the file even if this process is killed."""
        if not self._buffer:
            return
        content = "".join(self._buffer).encode("ascii")
        self._buffer, self._buffered_count = [], 0
        try:
            write_all(self._file, content)
        except OSError as err:
            raise unwritable(self._path, err) from err

    def close(self) -> None:
        """Write what is buffered, and close the file."""
        try:
            self.flush()
        finally:
            os.close(self._file)

    def _write(self, line: str) -> None:
        self._buffer.append(line)
        self._buffered_count += len(line)
        if self._buffered_count > MAX_BUFFERED:
            self.flush()


def _values(details: Mapping[str, Any]) -> str:
    text = ""
    for name, value in details.items():
        if name in OMITTED:
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
