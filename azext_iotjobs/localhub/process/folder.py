"""One hub, one data folder: an operating system's lock, which ends with the process however it ends."""

import os
import sys
from pathlib import Path


class FolderLock:
    """Tries to lock a folder; `is_ours` says whether that worked. Raises OSError when the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "hub.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self.is_ours = _lock(self._file)
        if not self.is_ours:
            os.close(self._file)

    def release(self) -> None:
        """Give the folder back."""
        os.close(self._file)


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
