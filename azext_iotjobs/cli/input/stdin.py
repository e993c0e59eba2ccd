"""Standard input: read once, bounded, and said on a terminal."""

import sys

from knack.log import get_logger

from azext_iotjobs.cli.input.scalars import MAX_FILE_BYTES
from azext_iotjobs.model.errors import BadValue, ConflictingChoice

logger = get_logger(__name__)

MARK = "-"

_read: list[tuple[object, str]] = []  # the stream that was read, and for which option


def read(option: str) -> bytes:
    """All of standard input, for the one option that was given as "-".

    Raises ConflictingChoice when another option has read it, BadValue when there is none, or too much.
    """
    stream = sys.stdin
    if stream is None or stream.closed:
        raise BadValue(f"{option} -: there is no standard input.", hint="Give a file.")
    taken = next((by for seen, by in _read if seen is stream), None)
    if taken is not None:
        raise ConflictingChoice(
            f"{taken} and {option} both ask for standard input, which can be read once.",
            hint="Give one of them as a file.",
        )
    _read.append((stream, option))
    if stream.isatty():
        end = "Ctrl-Z and Enter" if sys.platform == "win32" else "Ctrl-D"
        logger.warning("%s: type it, and end it with %s on a line of its own.", option, end)
    content = stream.buffer.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise BadValue(f"{option}: standard input is larger than {MAX_FILE_BYTES // 1024**2} MB.")
    return content
