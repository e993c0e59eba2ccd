"""Files that hold secrets: made readable by the owner alone, without a moment in which they are not."""

import os
import secrets
from pathlib import Path


def make_private_folder(folder: Path) -> None:
    """Make a folder (and its parents) that only the owner may enter."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def write_private(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by the owner alone."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
