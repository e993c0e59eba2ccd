"""Standard streams that somebody has closed, or whose reader has left: neither costs a command its work.

Strategy: what is closed is opened on the null device, so that no file or socket of ours takes its number. What breaks
later, a pipe whose reader has left or a terminal that is gone, is pointed there when a write fails. A disk that is full
is another matter: somebody waits for the result that is lost then, and is told.
"""

import errno
import os
import sys
from typing import Any, TextIO

from azext_iotjobs.model.errors import BadValue

FULL = (errno.ENOSPC, errno.EDQUOT)
NOT_WRITTEN = "stdout cannot be written: there is no room on its disk."
HOW_TO_GO_ON = "Make room, or write to another disk. What the command has done stays done."


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


def wrote(file: TextIO, text: str) -> bool:
    """Write a text at once; whether there is still somebody to read it. If not, later writes go nowhere.

    Raises BadValue for stdout on a full disk.
    """
    try:
        file.write(text)
        file.flush()
    except (OSError, ValueError) as err:  # ValueError: Python itself has closed it
        give_up(file)
        if file is sys.stdout and is_full(err):
            raise BadValue(NOT_WRITTEN, hint=HOW_TO_GO_ON) from err
        return False
    return True


def is_full(err: Exception) -> bool:
    """Whether a write has failed for want of room."""
    return isinstance(err, OSError) and err.errno in FULL


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
