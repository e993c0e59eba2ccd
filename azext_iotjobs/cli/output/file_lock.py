"""A lock on a file, which its process holds until it closes the file or ends, in whatever way."""

import os
import sys

LOCKED_BYTE = 1 << 30  # far behind the end: on Windows nobody else can read what is locked


def lock(file: int) -> bool:
    """Lock an open file, whose position stays where it is; False: another process has locked it.

    Elsewhere than on Windows, processes that inherit the open file hold the lock too.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            position = os.lseek(file, 0, os.SEEK_CUR)
            os.lseek(file, LOCKED_BYTE, os.SEEK_SET)
            try:
                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(file, position, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
