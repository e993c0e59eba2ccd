"""The ready file: says that clients are served, where, and how to connect; there only as long as that is so.

For what starts a hub and waits for it, such as a job of a CI. It holds a connection string, as the printed line does.
"""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.process.config import BadConfig
from azext_iotjobs.localhub.process.folder import FolderUnusable, is_in_use
from azext_iotjobs.localhub.process.private_files import write_private


def check_ready_file(path: Path) -> None:
    """Raise BadConfig unless `path` may be written as a ready file: one that is there is of a hub that has ended."""
    if not path.parent.is_dir():
        raise BadConfig(f"--ready-file {path}: there is no folder {path.parent}; make it, or give another file.")
    if path.is_dir():
        raise BadConfig(f"--ready-file {path}: this is a folder; give a file.")
    if not path.exists():
        return
    document = _of_a_hub(path)
    if document is None:
        raise BadConfig(
            f"--ready-file {path}: this file is there, and no local hub has written it. It would be replaced: give "
            "another name, or remove it."
        )
    if is_in_use(Path(str(document.get("dataDirectory")))):
        raise BadConfig(
            f"--ready-file {path}: a local hub that runs, process {document['pid']}, has written this file: give "
            "another name, or stop that hub."
        )


def remove_old_ready_file(path: Path) -> None:
    """Remove what a killed hub has left: nobody may take it for this hub's. Raises FolderUnusable."""
    try:
        path.unlink(missing_ok=True)
    except OSError as err:
        raise FolderUnusable(f"The ready file {path} of an earlier hub cannot be removed: {err.strerror}.") from err


def write_ready_file(path: Path, document: dict[str, Any]) -> Callable[[], None]:
    """Write the file at once, readable by its owner only; gives what removes it. Raises FolderUnusable."""
    content = (json.dumps(document) + "\n").encode()
    try:
        write_private(path, content)
    except OSError as err:
        raise FolderUnusable(f"The ready file {path} cannot be written: {err.strerror}.") from err

    def remove() -> None:
        with contextlib.suppress(OSError):
            if path.read_bytes() == content:  # else another hub has replaced it with its own
                path.unlink(missing_ok=True)

    return remove


def _of_a_hub(path: Path) -> dict[str, Any] | None:
    """What a hub has written there; None when none has."""
    if not path.is_file():  # a pipe, or a device: it might never be read to its end
        return None
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    is_one = isinstance(document, dict) and {"connectionString", "httpsPort", "pid"} <= document.keys()
    return document if is_one else None
