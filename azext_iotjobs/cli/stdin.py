"""Standard input: read once, bounded, and said on a terminal."""

import sys

from knack.log import get_logger

from azext_iotjobs.model.errors import BadValue, ConflictingChoice

logger = get_logger(__name__)

MARK = "-"
MAX_BYTES = 16 * 1024 * 1024

_taken_by: list[str] = []


def read(option: str) -> bytes:
    """All of standard input, for the one option that was given as "-".

    Raises ConflictingChoice when another option has read it, BadValue when it is too large.
    """
    if _taken_by:
        raise ConflictingChoice(
            f"{_taken_by[0]} and {option} both read standard input.", hint="Give a file for one of them."
        )
    _taken_by.append(option)
    if sys.stdin.isatty():
        logger.warning("%s is read from this terminal; end it with Ctrl-D.", option)
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BadValue(f"{option}: standard input has more than {MAX_BYTES // 1024**2} MB.")
    return content
