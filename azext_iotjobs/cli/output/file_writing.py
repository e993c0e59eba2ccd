"""Files that we write: no link is written through, and nobody else's file is taken for ours.

Who may write into a folder can put a link where we are about to write, and so choose which of the user's files is
overwritten. Our own names are made exclusively; a typed name that is a link to a file is refused.
"""

import os
import stat
import sys
from pathlib import Path

from azext_iotjobs.model.errors import BadValue

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none, and needs a right to make links
PLAIN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def write_beside(path: Path, content: bytes) -> None:
    """Put a file of ours in the place of `path`, whole or not at all; for its owner alone. Raises OSError."""
    import tempfile  # with what it needs, far more than this module

    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)  # exclusively, 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(fresh, path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def open_new(path: str | Path) -> int:
    """A file that is not there yet. Raises FileExistsError, also for a link to nothing; OSError."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | PLAIN, 0o666)


def open_there(path: str | Path, option: str, flags: int = 0) -> int:
    """What is there: a file, or what is none, such as a pipe to another program. Raises BadValue for a link to a file.

    flags: such as os.O_APPEND, beside those for writing.
    """
    check_link(path, option)
    if is_file(path):
        return os.open(path, os.O_RDWR | NO_FOLLOW | PLAIN | flags)
    if sys.platform == "win32":  # which has no pipes in its folders, only devices such as NUL
        return os.open(path, os.O_WRONLY | PLAIN)
    file = os.open(path, os.O_WRONLY | PLAIN | os.O_NONBLOCK)  # a pipe that nobody reads is an error, not a wait
    os.set_blocking(file, True)
    return file


def is_file(path: str | Path) -> bool:
    """Whether what is there, if anything, is a file; of a link, what it leads to."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def check_link(path: str | Path, option: str) -> None:
    """Raise BadValue for a link to a file, or to nothing. One to a pipe or a terminal, as /dev/stdout is, may stay."""
    if not os.path.islink(path) or (os.path.exists(path) and not is_file(path)):
        return
    raise BadValue(
        f"{option} {path} is a symbolic link; files are not written through links.",
        hint=f"Name the file itself: {option} {os.path.realpath(path)}",
    )


def write_all(file: int, content: bytes) -> None:
    """Write to a file descriptor until all is written: one call may take only a part. Raises OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(file, rest) :]
