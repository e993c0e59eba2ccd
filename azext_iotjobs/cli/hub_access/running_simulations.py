"""The simulations of this user that run on this machine, as found by the state files that they write.

Each has two files: ID.json, which says what it simulates and how that fares, replaced each second; and ID.lock, which
its process holds locked, so that what a killed one leaves is told from a running one. Whoever wants it to end writes
into ID.lock: nothing here ever signals a process, since its id may belong to another one by now.
"""

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.cli.core._environment import get_config_dir

from azext_iotjobs.cli.output.file_lock import lock
from azext_iotjobs.cli.output.file_writing import NO_FOLLOW, PLAIN, open_new, write_beside
from azext_iotjobs.model.clock import Clock
from azext_iotjobs.model.errors import NotFound, StateError
from azext_iotjobs.model.text import Text, command

Document = dict[str, Any]
ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
KEPT_LOGS, KEPT_LOGS_S = 50, 24 * 3600.0  # of simulations that have ended, and for how long all of them
MAX_LOG_BYTES = 32 * 1024  # of the end of a log
END_LIMIT_S = 30.0
POLL_S = 0.1


def new_id(now: datetime) -> str:
    """A name for a simulation that begins now, aware UTC; its log has the same."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def log_of(simulation: str) -> Path:
    """Where a simulation in the background writes."""
    return Path(get_config_dir()) / "iotjobs" / "simulations" / f"{simulation}.log"


class StateFile:
    """The state file of a simulation that runs in this process."""

    def __init__(self, simulation: str, facts: Mapping[str, Any]) -> None:
        """facts: what it simulates. Raises OSError."""
        _folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        self._facts = {"id": simulation, "pid": os.getpid(), **facts}
        self._path = _folder() / f"{simulation}.json"
        self._lock = open_new(_lock_of(self._path), 0o600)
        lock(self._lock)

    @property
    def is_stop_requested(self) -> bool:
        """Whether somebody wants the simulation to end."""
        return os.fstat(self._lock).st_size > 0

    def write(self, standing: Mapping[str, Any]) -> None:
        """Say how it fares; a disk that is full ends no simulation."""
        with suppress(OSError):
            write_beside(self._path, json.dumps({**self._facts, **standing}).encode())

    def close(self) -> None:
        """The simulation has ended."""
        self._path.unlink(missing_ok=True)
        os.close(self._lock)
        with suppress(OSError):
            _lock_of(self._path).unlink(missing_ok=True)


def running_simulations() -> Iterator[Document]:
    """Each that runs, the oldest first; what killed ones have left is removed."""
    for path in sorted(_folder().glob("*.json")):
        if ID.fullmatch(path.stem) and (found := _read(path)) is not None:
            yield found


def running_simulation(simulation: str) -> Document:
    """One of them. Raises NotFound."""
    found = _read(_folder() / f"{simulation}.json") if ID.fullmatch(simulation) else None
    if found is None:
        raise NotFound(
            f"No simulation {simulation[:40]!r} runs on this machine.",
            hint=Text("Those that run: ", command("iot device simulation list")),
        )
    return found


def request_stop(simulation: str) -> Document:
    """Have a simulation end as with Ctrl-C; gives how it fared. Raises NotFound, StateError."""
    found = running_simulation(simulation)
    path = _lock_of(_folder() / f"{simulation}.json")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | NO_FOLLOW | PLAIN), "wb") as file:
            file.write(b"stop")
    except FileNotFoundError:  # it has ended just now
        pass
    except OSError as err:
        raise StateError(f"The simulation {simulation} cannot be told to end: {path}: {err.strerror}.") from err
    return found


def wait_until_ended(simulation: str, clock: Clock) -> None:
    """Wait until the devices of a simulation are disconnected. Raises StateError after END_LIMIT_S."""
    until = clock.monotonic() + END_LIMIT_S
    while _read(_folder() / f"{simulation}.json") is not None:
        if clock.monotonic() >= until:
            raise StateError(f"The simulation {simulation} was told to end {END_LIMIT_S:.0f} s ago, and still runs.")
        clock.sleep(POLL_S)


def log_end(simulation: str) -> str:
    """The last lines of the log of a simulation in the background, also of one that has ended; "": it has none."""
    if not ID.fullmatch(simulation):
        return ""
    try:
        with open(log_of(simulation), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MAX_LOG_BYTES))
            content = file.read(MAX_LOG_BYTES)
    except OSError:
        return ""
    whole = content if size <= MAX_LOG_BYTES else content.partition(b"\n")[2]
    return whole.decode("utf-8", "replace")


def remove_old_logs(now: datetime) -> None:
    """Remove logs of simulations in the background that have ended: all but the newest, and those of the last day.

    now: aware UTC.
    """
    paths = sorted(path for path in log_of("").parent.glob("*.log") if ID.fullmatch(path.stem))
    for path in paths[:-KEPT_LOGS]:
        with suppress(OSError):  # on Windows, one that a simulation has open is not removed
            is_old = now.timestamp() - path.lstat().st_mtime > KEPT_LOGS_S
            if is_old and not _is_locked(path) and not _is_locked(_lock_of(_folder() / path.name)):
                path.unlink()


def _is_locked(path: Path) -> bool:
    """Whether a process holds a file locked. Raises OSError for one that cannot be read."""
    try:
        file = os.open(path, os.O_RDWR | NO_FOLLOW | PLAIN)
    except FileNotFoundError:
        return False
    try:
        return not lock(file)
    finally:
        os.close(file)


def _folder() -> Path:
    return Path(get_config_dir()) / "iotjobs" / "running-simulations"


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _read(path: Path) -> Document | None:
    """A simulation's document; None, and nothing is left of it, where its process has ended."""
    try:
        file = os.open(_lock_of(path), os.O_RDWR | NO_FOLLOW | PLAIN)
    except OSError:
        path.unlink(missing_ok=True)
        return None
    try:
        if lock(file):
            path.unlink(missing_ok=True)
            _lock_of(path).unlink(missing_ok=True)
            return None
        document = json.loads(path.read_bytes())
        is_ending = os.fstat(file).st_size > 0
    except (OSError, ValueError):
        return None
    finally:
        os.close(file)
    return {**document, "isEnding": is_ending} if isinstance(document, dict) else None
