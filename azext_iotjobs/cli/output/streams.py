"""Standard streams that somebody has closed, or whose reader has left: neither costs a command its work.

Strategy: what is closed is opened on the null device, so that no file or socket of ours takes its number. What breaks
later, a pipe whose reader has left or a terminal that is gone, is pointed there when a write fails. A result that did
not get into a file, whose disk is full, is another matter: somebody counts on it, and is told.
"""

import atexit
import errno
import os
import stat
import sys
from typing import Any, TextIO

NO_ROOM = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota's number


def open_what_is_closed(cli_ctx: Any) -> None:
    """Give the command standard streams, whatever its caller has closed."""
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
    """Write a text at once; whether there is still somebody to read it. If not, later writes go nowhere.

    Raises what `give_up_result` does for a result.
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
    """The same as `give_up`; raises az's FileOperationError where a result is lost that nobody chose to leave."""
    is_lost = err.errno in NO_ROOM or _is_file(file)
    give_up(file)
    if is_lost:
        from azure.cli.core.azclierror import FileOperationError  # here: az has loaded it only when something fails

        raise FileOperationError(
            f"The result could not be written to stdout: {err.strerror}. The command itself was carried out.",
            recommendation="Send the output elsewhere. Before you repeat a change, check the present state.",
        ) from err


def _end_quietly() -> None:
    """What az and its log wrote may still wait for a reader that has left: Python would end with 120."""
    for file in (sys.stdout, sys.stderr):
        try:
            file.flush()
        except (OSError, ValueError) as err:
            if file is sys.stderr or isinstance(err, BrokenPipeError):
                give_up(file)


def _is_file(file: TextIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (OSError, ValueError):  # what stands for it has no number
        return False


def give_up(file: TextIO) -> None:
    """Nobody reads this file any more: what was written and what is to come goes nowhere, without a complaint."""
    try:
        _point_to_nothing(file.fileno())
    except (OSError, ValueError):  # what stands for it has no number
        pass


def _point_to_nothing(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
