"""The lists of what was created for simulations, on this machine's disk: one file for each creation.

A file is only ever added to, and locked while its process lives; one that is not locked is of a run that has ended,
however it ended. It holds ids and etags, and no key.
"""

import json
import os
import secrets
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.cli.core._environment import get_config_dir
from knack.log import get_logger

from azext_iotjobs.cli.output.file_writing import NO_FOLLOW, PLAIN
from azext_iotjobs.model.created import Created, head, hub_name, read_list
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.host_names import canonical_host
from azext_iotjobs.model.target import HubTarget

logger = get_logger(__name__)

LOCKED_BYTE = 1 << 30  # far behind the end: Windows lets nobody else read what is locked


class CreatedList:
    """A list that is this process's; `created` is what it says."""

    def __init__(self, path: Path, file: int, created: Created) -> None:
        self.path = path
        self.created = created
        self._file = file

    def note(self, entry: Mapping[str, Any]) -> None:
        """Add an entry; it is on the disk when this returns. Raises BadValue when the disk does not take it."""
        try:
            _append(self._file, entry)
        except OSError as err:
            raise BadValue(f"The list of created devices {self.path} cannot be written: {err.strerror}.") from err
        self.created.apply(entry)

    def close(self) -> None:
        """Give it back; a list of nothing is removed."""
        if not self.created.etags and sys.platform != "win32":
            self.path.unlink(missing_ok=True)
        os.close(self._file)
        if not self.created.etags and sys.platform == "win32":  # which removes no open file
            self.path.unlink(missing_ok=True)


def folder() -> Path:
    """Where the lists are, under az's configuration folder."""
    return Path(get_config_dir()) / "iotjobs" / "simulated"


def begin(target: HubTarget, now: datetime, *, is_temporary: bool) -> CreatedList:
    """A new list. Raises BadValue when it cannot be written."""
    run = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    created = Created(run=run, hub=name_of(target), is_temporary=is_temporary)
    path = folder() / f"{run}.jsonl"
    try:
        folder().mkdir(parents=True, exist_ok=True)
        folder().chmod(0o700)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | PLAIN, 0o600)
        _lock(file)
        _append(file, head(created))
    except OSError as err:
        raise BadValue(f"The list of created devices {path} cannot be written: {err.strerror}.") from err
    return CreatedList(path, file, created)


def left_over(target: HubTarget) -> tuple[list[CreatedList], list[str]]:
    """The lists for a hub whose runs have ended, taken over; and the runs that go on."""
    taken, running = [], []
    for path in sorted(folder().glob("*.jsonl")):
        created = _read(path)
        if created is None or created.hub != name_of(target):
            continue
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND | NO_FOLLOW | PLAIN)
        except FileNotFoundError:  # that run has ended just now, and left nothing
            continue
        except OSError as err:
            raise BadValue(f"The list of created devices {path} cannot be written: {err.strerror}.") from err
        if not _lock(file):
            os.close(file)
            running.append(created.run)
            continue
        taken.append(CreatedList(path, file, _read(path) or created))
        _end_torn_line(file, path)
    return taken, running


def name_of(target: HubTarget) -> str:
    """The hub's name in a list."""
    return hub_name("localhost" if target.is_loopback else canonical_host(target.host), target.https_port)


def _read(path: Path) -> Created | None:
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            lines = file.readlines()
        # Without a whole first line its run has just begun, or died before it asked for anything.
        return read_list(lines) if lines and lines[0].endswith("\n") else None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, BadValue) as err:
        logger.warning("%s is left alone, it cannot be read: %s", path, err)
        return None


def _append(file: int, entry: Mapping[str, Any]) -> None:
    line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
    while line:
        line = line[os.write(file, line) :]
    os.fsync(file)


def _end_torn_line(file: int, path: Path) -> None:
    """What is added behind a line that was cut off must not become part of it."""
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        os.ftruncate(file, content.rfind(b"\n") + 1)


def _lock(file: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
