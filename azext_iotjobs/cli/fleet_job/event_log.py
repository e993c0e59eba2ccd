"""--events of a run: each event as a line of JSON, as it happens; and the observers of a run."""

import json
import os
from dataclasses import replace
from datetime import datetime

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.event_documents import render_event
from azext_iotjobs.cli.fleet_job.progress import Progress
from azext_iotjobs.cli.output.event_file import check_event_file, open_event_file, open_for_appending, unwritable
from azext_iotjobs.cli.output.file_writing import write_all
from azext_iotjobs.model.clock import parse_instant
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.run_events import Event

logger = get_logger(__name__)

LAST_BYTES = 256 * 1024  # of a file that is added to; an event is shorter


class EventFile:
    """An open file of events."""

    def __init__(self, path: str, *, overwrites: bool, adds: bool) -> None:
        """adds: behind what is there.  Raises ConflictingChoice, BadValue."""
        check_event_file(path, overwrites=overwrites or adds)
        self._path = path
        appends = adds and not overwrites
        try:
            self._file = open_for_appending(path) if appends else open_event_file(path, overwrites=overwrites)
        except OSError as err:
            raise unwritable(path, err) from err
        self._is_whole = True
        self._floor = _last_instant(path) if appends and os.path.isfile(path) else None

    def add(self, event: Event) -> None:
        """Write an event. A file that cannot be written ends the writing, with a warning; the run continues."""
        if not self._is_whole:
            return
        if self._floor is not None and event.at < self._floor:  # the clock was set back since the last process
            event = replace(event, at=self._floor)
        line = json.dumps(render_event(event, event.at)).encode("ascii") + b"\n"
        try:
            write_all(self._file, line)
        except OSError as err:
            self._is_whole = False
            logger.warning(
                "--events %s can no longer be written (%s); the run continues without it.", self._path, err.strerror
            )

    def close(self) -> None:
        """Close it."""
        os.close(self._file)


class RunObservers:
    """Passes events of a run on to what a person sees, and to a file."""

    def __init__(self, progress: Progress | None, events: EventFile | None) -> None:
        self._progress = progress
        self._events = events

    def on_event(self, event: Event) -> None:
        """Something has happened."""
        if self._events is not None:
            self._events.add(event)
        if self._progress is not None:
            self._progress.on_event(event)

    def close(self) -> None:
        """The run is over, as far as this process is concerned."""
        if self._progress is not None:
            self._progress.end()
        if self._events is not None:
            self._events.close()


def _last_instant(path: str) -> datetime | None:
    """The instant of the last event in a file; None: there is none that can be read."""
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - LAST_BYTES))
        lines = file.read().splitlines()
    for line in reversed(lines):
        try:
            return parse_instant(json.loads(line)["at"]).at
        except (ValueError, LookupError, TypeError, BadValue):  # cut short by a full disk, or by a kill
            continue
    return None
