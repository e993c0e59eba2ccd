"""The file that --events names: which names are allowed, and how it is opened. Each writer decides what is in it."""

import os

from azext_iotjobs.cli.output.file_writing import check_link, is_file, open_new, open_there
from azext_iotjobs.model.errors import BadValue, ConflictingChoice

OPTION = "--events"
ENDINGS = (".jsonl", ".ndjson", ".log", ".txt")  # the last two are read line by line, whatever is in them


def check_event_file(path: str, *, overwrites: bool) -> None:
    """Raise what opening the file would raise, as far as that can be known without creating it."""
    if path == "-":
        raise _stdout_is_taken()
    if not path:
        raise BadValue("--events is empty.", hint="Name a file.")
    if os.path.isdir(path):
        raise BadValue(f"--events {path} cannot be written: it is a folder.")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise BadValue(f"--events {path} cannot be written: there is no folder {folder}.")
    check_link(path, OPTION)
    if os.path.exists(path) and not is_file(path):
        return  # a pipe to another program may have any name
    ending = os.path.splitext(path)[1]
    if ending and ending.lower() not in ENDINGS:
        raise BadValue(
            f"--events {path}: events are JSON lines, whose file does not end in {ending}.",
            hint=f"Give a name that ends in {' or '.join(ENDINGS)}, or has no ending.",
        )
    if os.path.exists(path) and not overwrites:
        raise _is_there(path)


def open_event_file(path: str, *, overwrites: bool) -> int:
    """Open the file and give its descriptor; a pipe to another program is written to as it is.

    Raises ConflictingChoice for a file that exists and must not be overwritten, BadValue for standard output and for a
    link to a file; OSError.
    """
    if path == "-":
        raise _stdout_is_taken()
    try:
        return open_new(path)
    except FileExistsError:
        if is_file(path) and not overwrites:
            raise _is_there(path) from None
    return open_there(path, OPTION, os.O_TRUNC)


def open_for_appending(path: str) -> int:
    """Open the file, which may exist, to write behind what is in it. Raises BadValue for a link to a file; OSError."""
    try:
        return open_new(path)
    except FileExistsError:
        return open_there(path, OPTION, os.O_APPEND)


def unwritable(path: str, error: OSError) -> BadValue:
    """The error for a file that the system does not let us write."""
    return BadValue(f"--events {path} cannot be written: {error.strerror}.")


def _stdout_is_taken() -> BadValue:
    return BadValue("--events - is not possible: stdout is for the command's result.", hint="Name a file.")


def _is_there(path: str) -> ConflictingChoice:
    return ConflictingChoice(f"--events {path} already exists.", hint="Add --overwrite, or name another file.")
