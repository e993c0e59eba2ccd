"""Writing files safely: never through a symbolic link, and never over a file that somebody else has put there.

Anybody who may write to a folder can place a link where we are about to write, and so have one of the user's files
overwritten. Files with names of our own are created exclusively; a typed name that is a link to a file is refused.
"""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from azext_iotjobs.model.errors import BadValue, ConflictingChoice

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows does not have it; to make links needs a right there
PLAIN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def check_new_file(path: Path, option: str, *, overwrites: bool) -> None:
    """Raise what `write_file` would, as far as that can be known before: ConflictingChoice, BadValue.

    option: that names the file, for errors.
    """
    check_link(path, option)
    if os.path.isdir(path):
        raise BadValue(f"{option} {path} cannot be written: it is a folder.")
    if not os.path.isdir(path.parent):
        raise BadValue(f"{option} {path} cannot be written: there is no folder {path.parent}.")
    if os.path.exists(path) and not is_file(path):
        return
    if os.path.exists(path) and not overwrites:
        raise ConflictingChoice(f"{option} {path} already exists.", hint="Give another name, or --overwrite.")
    if not os.access(path.parent, os.W_OK):
        raise BadValue(f"{option} {path} cannot be written: the folder may not be changed.")


def write_file(path: Path, option: str, parts: Iterable[bytes], *, is_private: bool = False) -> None:
    """Write a file that is there as a whole or not at all; a pipe or device is written to as it is.

    option: that names it, for errors.  is_private: only its owner may read the file, from its first byte on.
    Raises BadValue for what cannot be written.
    """
    try:
        if os.path.exists(path) and not is_file(path):
            with os.fdopen(open_there(path, option), "wb", buffering=0) as there:
                for part in parts:
                    write_all(there.fileno(), part)
            return
        with _replacement(path, 0o600 if is_private else 0o666) as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
    except OSError as err:
        raise BadValue(f"{option} {path} cannot be written: {err.strerror}.") from err


def write_beside(path: Path, content: bytes) -> None:
    """Replace the file `path` atomically; only its owner may read it. Raises OSError."""
    with _replacement(path, 0o600) as file:
        file.write(content)


@contextmanager
def _replacement(path: Path, mode: int) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` once all is written; after an error there is nothing of it."""
    fresh = path.with_name(f".{path.name}.{os.urandom(4).hex()}.new")
    try:
        with os.fdopen(open_new(fresh, mode), "wb") as file:
            yield file
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def open_new(path: str | Path, mode: int = 0o666) -> int:
    """Create a file, and open it. Raises FileExistsError, also for a dangling link; OSError.

    mode: who may read and write it, without what the user's umask takes away.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | PLAIN, mode)


def open_there(path: str | Path, option: str, flags: int = 0) -> int:
    """Open what exists for writing: a file, or a pipe or device. Raises BadValue for a link to a file.

    option: for the error.  flags: more of them, such as os.O_APPEND.
    """
    check_link(path, option)
    if is_file(path):
        return os.open(path, os.O_RDWR | NO_FOLLOW | PLAIN | flags)
    if sys.platform == "win32":  # it has no named pipes in folders, only devices such as NUL
        return os.open(path, os.O_WRONLY | PLAIN)
    file = os.open(path, os.O_WRONLY | PLAIN | os.O_NONBLOCK)  # a pipe without a reader is an error, not a wait
    os.set_blocking(file, True)
    return file


def is_file(path: str | Path) -> bool:
    """Whether the path exists and is a regular file; links are followed."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def check_link(path: str | Path, option: str) -> None:
    """Raise BadValue for a link to a file, and for a dangling one; links to pipes and terminals are allowed."""
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
