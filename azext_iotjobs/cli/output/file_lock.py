"""A lock on a file, which its process holds until it closes the file or ends, in whatever way."""

import os
import sys

LOCKED_BYTE = 1 << 30  # far behind the end: on Windows nobody else can read what is locked


def lock(file: int) -> bool:
    """Lock an open file; False: another process has locked it."""
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
