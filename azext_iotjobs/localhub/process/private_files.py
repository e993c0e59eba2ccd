"""Files that hold secrets: made readable by the owner alone, without a moment in which they are not."""

import os
import re
import secrets
from pathlib import Path

_HALF_WRITTEN = re.compile(r"\..+\.[0-9a-f]{8}")  # the name that write_private gives a file until it is whole


def make_private_folder(folder: Path) -> None:
    """Make a folder (and its parents) that only the owner may enter."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by the owner alone."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError:  # such as a full disk: what is there of it takes room too
        beside.unlink(missing_ok=True)
        raise


def remove_half_written(folder: Path) -> None:
    """Remove what a process left that was killed while it wrote. Only for a folder in which nobody writes now."""
    for path in folder.iterdir():
        if _HALF_WRITTEN.fullmatch(path.name) and path.is_file():
            path.unlink()
