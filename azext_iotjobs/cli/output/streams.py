"""Standard streams that are closed, or whose reader has ended: the command carries on.

Strategy: a closed stream is opened on the null device, so that no file or socket of ours gets its descriptor number. A
stream that breaks later (a pipe whose reader has ended, a terminal that is gone) is redirected there when a write
fails. A result that cannot be written to a file, because the disk is full, is an error: the user relies on that file.
"""

import atexit
import errno
import os
import stat
import sys
from collections.abc import Iterable
from typing import Any, TextIO

NO_ROOM = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no EDQUOT


def open_what_is_closed(cli_ctx: Any) -> None:
    """Make sure that the three standard streams are open, whichever of them the caller has closed."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            _point_to_nothing(number)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    if cli_ctx.out_file is None:
        cli_ctx.out_file = sys.stdout
    atexit.register(_end_quietly)


def wrote(file: TextIO, text: str) -> bool:
    """Write a text and flush it; True if that worked. If not, later writes to the file are discarded.

    Raises FileOperationError as `give_up_result` does, unless the file is stderr.
    """
    try:
        file.write(text)
        file.flush()
    except OSError as err:
        if file is sys.stderr:
            give_up(file)
        else:
            give_up_result(file, err)
        return False
    except ValueError:  # Python itself has closed it
        give_up(file)
        return False
    return True


def give_up_result(file: TextIO, err: OSError) -> None:
    """Discard later writes, as `give_up` does. Raises az's FileOperationError if a result is lost, as on a full disk.

    err: of the write that failed.
    """
    is_lost = err.errno in NO_ROOM or _is_file(file)
    give_up(file)
    if is_lost:
        from azure.cli.core.azclierror import FileOperationError  # here: only needed when something fails

        raise FileOperationError(
            f"The result could not be written to stdout: {err.strerror}. The command itself was carried out.",
            recommendation="Send the output elsewhere. Before you repeat a change, check the present state.",
        ) from err


def write_parts(parts: Iterable[bytes]) -> None:
    """Write a result to stdout, part by part. Raises FileOperationError as `give_up_result` does."""
    try:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    except OSError as err:  # who reads has had enough, or there is no room
        give_up_result(sys.stdout, err)


def _end_quietly() -> None:
    """Flush at the end of the process: if the reader has ended, Python would otherwise exit with code 120."""
    for file in (sys.stdout, sys.stderr):
        try:
            file.flush()
        except (OSError, ValueError) as err:
            if file is sys.stderr or isinstance(err, BrokenPipeError):
                give_up(file)


def _is_file(file: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (OSError, ValueError):  # a replacement, as in tests, has no descriptor
        return False


def give_up(file: TextIO) -> None:
    """Discard what is buffered and what is written later, without an error: nobody reads this file any more."""
    try:
        _point_to_nothing(file.fileno())
    except (OSError, ValueError):  # a replacement, as in tests, has no descriptor
        pass


def _point_to_nothing(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
