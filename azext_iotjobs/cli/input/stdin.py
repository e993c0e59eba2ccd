"""Standard input: read once, up to a limit, with a prompt on a terminal."""

import sys
from typing import TextIO

from knack.log import get_logger

from azext_iotjobs.cli.input.scalars import MAX_FILE_BYTES
from azext_iotjobs.model.errors import BadValue, ConflictingChoice

logger = get_logger(__name__)

MARK = "-"

_read: list[tuple[object, str]] = []  # a stream that was read, and the option that read it


def read(option: str) -> bytes:
    """All of standard input, for the one option that was given as "-".

    Raises ConflictingChoice when another option has read it, BadValue when there is none, or too much.
    """
    content = taken(option).buffer.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise BadValue(f"{option}: standard input is larger than {MAX_FILE_BYTES // 1024**2} MB.")
    return content


def taken(option: str) -> TextIO:
    """Standard input, for the one option that was given as "-", to be read. Raises as `read`, but for its size."""
    stream = sys.stdin
    if stream is None or stream.closed:
        raise BadValue(f"{option} -: there is no standard input.", hint="Give a file.")
    reader = next((by for read, by in _read if read is stream), None)
    if reader is not None:
        raise ConflictingChoice(
            f"{reader} and {option} both read standard input, which can be read only once.",
            hint="Give one of them as a file.",
        )
    _read.append((stream, option))
    if stream.isatty():
        end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
        logger.warning("%s: type the input, and end it with %s on a line of its own.", option, end)
    return stream
