"""The data folder: one hub at a time uses it, because of a lock that always ends with the process."""

import os
import sys
from pathlib import Path

from azext_iotjobs.localhub.process.private_files import make_private_folder, remove_half_written

LOCK = "hub.lock"


class FolderUnusable(Exception):
    """The data folder, or what it holds, cannot be used; the text says why and what to do."""


class FolderLock:
    """Tries to lock a folder; `is_ours` says whether that worked. Raises OSError when the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        self.is_ours = _lock(self._file)
        if not self.is_ours:
            os.close(self._file)

    def release(self) -> None:
        """Unlock the folder."""
        os.close(self._file)


def claim_folder(folder: Path) -> FolderLock:
    """Make the folder, lock it, and remove files that a killed process left half-written. Raises FolderUnusable."""
    try:
        make_private_folder(folder)
        lock = FolderLock(folder)
        if lock.is_ours:
            remove_half_written(folder)
    except OSError as err:
        raise FolderUnusable(f"The data folder {folder} cannot be used: {err.strerror}.") from err
    if not lock.is_ours:
        raise FolderUnusable(f"The data folder {folder} is in use by another local hub: give another --data-dir.")
    return lock


def is_in_use(folder: Path) -> bool:
    """Whether a hub that runs uses a folder."""
    if not (folder / LOCK).exists():
        return False
    try:
        lock = FolderLock(folder)
    except OSError:  # another user's
        return False
    if lock.is_ours:
        lock.release()
    return not lock.is_ours


def _lock(file: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
