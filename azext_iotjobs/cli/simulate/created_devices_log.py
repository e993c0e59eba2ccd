"""The logs of devices that simulations have created, on this machine's disk: one file for each run.

A file is append-only, and locked while its process runs; one that is not locked belongs to a run that has ended in
some way. It holds ids and etags, and no key.
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

from azext_iotjobs.cli.output.file_lock import lock
from azext_iotjobs.cli.output.file_writing import NO_FOLLOW, PLAIN, write_all
from azext_iotjobs.model.created_devices import CreatedDevices, first_entry, hub_name, parse_log
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.host_names import canonical_host
from azext_iotjobs.model.target import HubTarget

logger = get_logger(__name__)


class CreatedDevicesLog:
    """A log that this process has locked; `created` is its content."""

    def __init__(self, path: Path, file: int, created: CreatedDevices) -> None:
        self.path = path
        self.created = created
        self._file = file

    def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry and apply it to `created`; it is on the disk then. Raises BadValue if it cannot be."""
        try:
            _append(self._file, entry)
        except OSError as err:
            raise BadValue(f"The list of created devices {self.path} cannot be written: {err.strerror}.") from err
        self.created.apply(entry)

    def close(self) -> None:
        """Unlock the file, and remove it if no device is left."""
        if not self.created.etags and sys.platform != "win32":
            self.path.unlink(missing_ok=True)
        os.close(self._file)
        if not self.created.etags and sys.platform == "win32":  # which removes no open file
            self.path.unlink(missing_ok=True)


def folder() -> Path:
    """The folder of the logs, in az's configuration folder."""
    return Path(get_config_dir()) / "iotjobs" / "simulated"


def create(target: HubTarget, now: datetime, *, is_temporary: bool) -> CreatedDevicesLog:
    """Start the log of a run.

    now: aware UTC, part of the run's name.  is_temporary: whether the devices are removed at the end of the run.
    Raises BadValue when it cannot be written.
    """
    run = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
    created = CreatedDevices(run=run, hub=name_of(target), is_temporary=is_temporary)
    path = folder() / f"{run}.jsonl"
    try:
        folder().mkdir(parents=True, exist_ok=True)
        folder().chmod(0o700)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | PLAIN, 0o600)
        lock(file)
        _append(file, first_entry(created))
    except OSError as err:
        raise BadValue(f"The list of created devices {path} cannot be written: {err.strerror}.") from err
    return CreatedDevicesLog(path, file, created)


def take_over_ended_runs(target: HubTarget) -> tuple[list[CreatedDevicesLog], list[str]]:
    """Lock and give the logs for a hub whose runs have ended; and the names of runs that have not."""
    taken, running = [], []
    for path in sorted(folder().glob("*.jsonl")):
        created = _read(path)
        if created is None or created.hub != name_of(target):
            continue
        try:
            file = os.open(path, os.O_RDWR | os.O_APPEND | NO_FOLLOW | PLAIN)
        except FileNotFoundError:  # that run has ended just now, and left no device
            continue
        except OSError as err:
            raise BadValue(f"The list of created devices {path} cannot be written: {err.strerror}.") from err
        if not lock(file):
            os.close(file)
            running.append(created.run)
            continue
        taken.append(CreatedDevicesLog(path, file, _read(path) or created))
        _cut_torn_line(file, path)
    return taken, running


def name_of(target: HubTarget) -> str:
    """The hub's name in a log, the same however a hub on this machine was named."""
    return hub_name("localhost" if target.is_loopback else canonical_host(target.host), target.https_port)


def _read(path: Path) -> CreatedDevices | None:
    try:
        with open(path, encoding="utf-8", newline="\n") as file:
            lines = file.readlines()
        # Without a whole first line its run has just begun, or died before its first request.
        return parse_log(lines) if lines and lines[0].endswith("\n") else None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, BadValue) as err:
        logger.warning("%s is left alone, it cannot be read: %s", path, err)
        return None


def _append(file: int, entry: Mapping[str, Any]) -> None:
    write_all(file, json.dumps(entry, separators=(",", ":")).encode() + b"\n")
    os.fsync(file)


def _cut_torn_line(file: int, path: Path) -> None:
    """Remove a last line that is not whole, so that the next entry does not become part of it."""
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        os.ftruncate(file, content.rfind(b"\n") + 1)
