"""Files with secrets, readable by their owner only from the moment they are created, and files for everyone."""

import os
import re
import secrets
import sys
from pathlib import Path

_HALF_WRITTEN = re.compile(r"\..+\.[0-9a-f]{8}")  # the name of a file until write_private has completed it


def make_private_folder(folder: Path) -> None:
    """Create a folder (and its parents) that only its owner can enter; those that are there stay as they are."""
    for parent in reversed(folder.parents):  # `parents=True` would make them for everyone
        if not parent.exists():
            parent.mkdir(exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a file completely or not at all, readable by its owner only."""
    _write(path, content, 0o600)


def write_public(path: Path, content: bytes) -> None:
    """The same for a file that everyone may read."""
    _write(path, content, 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            if mode & 0o077 and sys.platform != "win32":  # for others, whatever the umask takes away
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:  # such as a full disk: the incomplete file takes space too
        beside.unlink(missing_ok=True)
        raise


def remove_half_written(folder: Path) -> None:
    """Remove the incomplete files of a process that was killed. Only for a folder to which no other process writes."""
    for path in folder.iterdir():
        if _HALF_WRITTEN.fullmatch(path.name) and path.is_file():
            path.unlink()
