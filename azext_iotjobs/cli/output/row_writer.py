"""Write rows to a file or to stdout, as CSV, JSON lines or one JSON array; an unfinished file is resumed.

Strategy: beside an unfinished file stands `<file>.unfinished`, a note that holds the request, how many bytes of the
file are complete pages, and which page comes next. It is written before the first row and removed after the last one:
a file without a note is complete.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from azext_iotjobs.cli.output.csv_cells import cell, csv_line
from azext_iotjobs.cli.output.file_writing import check_link, open_new, open_there, write_beside
from azext_iotjobs.cli.output.row_output import STDOUT, RowTarget
from azext_iotjobs.cli.output.streams import give_up, give_up_result
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.late_dataclass import dataclass

Row = Mapping[str, Any]
Pages = Iterable[tuple[Sequence[Row], str]]  # rows, and the token of the next page; "" behind the last


def check(target: RowTarget) -> None:
    """Raise what `write` would for a file that cannot be written, before anything is asked of the hub."""
    if target.path == STDOUT:
        return
    path = Path(target.path)
    if os.path.isdir(path):
        raise BadValue(f"{target.option} {path} cannot be written: it is a folder.")
    if not os.path.isdir(path.parent):
        raise BadValue(f"{target.option} {path} cannot be written: there is no folder {path.parent}.")
    check_link(path, target.option)
    _note_of(path, target)


def write(target: RowTarget, read: Callable[[str], Pages]) -> int:
    """Write the rows of `read`, which is given the token to go on from; gives how many there were now.

    Raises ConflictingChoice for a file that is there, BadValue for one that cannot be written.
    """
    if target.path == STDOUT:
        try:
            return _write_to_stdout(target, read)
        except OSError as err:  # who reads has had enough, or there is no room
            give_up_result(sys.stdout, err)
            return 0
    path = Path(target.path)
    try:
        note = _note_of(path, target)
        with os.fdopen(_opened(target, is_begun=note is not None), "r+b") as file:
            count = _write_on(file, target, note or _begin(file, target), read)
        _unfinished(path).unlink(missing_ok=True)
    except OSError as err:
        raise BadValue(f"{target.option} {path} cannot be written: {err.strerror}.") from err
    return count


def check_new(target: RowTarget) -> None:
    """Raise ConflictingChoice for a file that is there, BadValue where none can be made; nothing is written."""
    path = Path(target.path)
    if target.path == STDOUT:
        return
    check_link(path, target.option)
    if os.path.exists(path) and not target.overwrites:
        raise _is_there(target)
    if (
        not os.path.isdir(path.parent)
        or os.path.isdir(path)
        or not os.access(path if os.path.exists(path) else path.parent, os.W_OK)
    ):
        raise BadValue(f"{target.option} {path} cannot be written.")


@contextmanager
def new_rows(target: RowTarget) -> Iterator[Callable[[Row], bool]]:
    """What takes row after row, for rows that cannot be asked for again: no unfinished file is continued.

    It says whether there is still someone who reads. A file whose note stays was never brought to its end.
    Raises ConflictingChoice for a file that is there, BadValue for one that cannot be written.
    """
    check_new(target)
    try:
        if target.path == STDOUT:
            yield from _rows_onto(sys.stdout.buffer, target)
            return
        with os.fdopen(_opened(target, is_begun=False), "wb") as file:
            _begin(file, target)
            yield from _rows_onto(file, target)
        _unfinished(Path(target.path)).unlink(missing_ok=True)
    except OSError as err:
        raise BadValue(f"{target.option} {target.path} cannot be written: {err.strerror}.") from err


def _opened(target: RowTarget, *, is_begun: bool) -> int:
    """is_begun: it is there, and is continued."""
    check_link(target.path, target.option)
    try:
        if not is_begun:
            return open_new(target.path)
    except FileExistsError:
        if not target.overwrites:
            raise
    return open_there(target.path, target.option, 0 if is_begun else os.O_TRUNC)


def _rows_onto(file: BinaryIO, target: RowTarget) -> Iterator[Callable[[Row], bool]]:
    count, is_read = 0, True

    def put(text: bytes) -> None:
        nonlocal is_read
        try:
            file.write(text)
            file.flush()
        except BrokenPipeError:
            is_read = False
            give_up(sys.stdout)

    def add(row: Row) -> bool:
        nonlocal count
        put(_line(target, row, is_first=not count))
        count += 1
        return is_read

    if target.path == STDOUT:
        put(_head(target))
    yield add
    put(_tail(target, has_rows=count > 0))


def _write_to_stdout(target: RowTarget, read: Callable[[str], Pages]) -> int:
    file, count = sys.stdout.buffer, 0
    file.write(_head(target))
    for rows, _ in read(""):
        for row in rows:
            file.write(_line(target, row, is_first=not count))
            count += 1
        file.flush()
    file.write(_tail(target, has_rows=count > 0))
    file.flush()
    return count


@dataclass(frozen=True, kw_only=True)
class Note:
    """How far an unfinished file is."""

    size_bytes: int  # of whole pages, with what stands before them
    token: str | None  # of the next page, "" for the first; None: all are there
    has_rows: bool


def _begin(file: BinaryIO, target: RowTarget) -> Note:
    file.write(_head(target))
    return _noted(file, target, Note(size_bytes=file.tell(), token="", has_rows=False))


def _write_on(file: BinaryIO, target: RowTarget, note: Note, read: Callable[[str], Pages]) -> int:
    file.truncate(note.size_bytes)
    file.seek(note.size_bytes)
    count = 0
    for rows, token in read(note.token) if note.token is not None else ():
        for row in rows:
            file.write(_line(target, row, is_first=not note.has_rows and not count))
            count += 1
        note = _noted(
            file, target, Note(size_bytes=file.tell(), token=token or None, has_rows=note.has_rows or count > 0)
        )
    file.write(_tail(target, has_rows=note.has_rows))
    return count


def _noted(file: BinaryIO, target: RowTarget, note: Note) -> Note:
    """Write a note whole before the old one goes: one that is cut off would cost all that was read."""
    file.flush()
    path = Path(target.path)
    document = {"asked": _asked(target), "bytes": note.size_bytes, "token": note.token, "hasRows": note.has_rows}
    write_beside(_unfinished(path), json.dumps(document).encode())
    return note


def _head(target: RowTarget) -> bytes:
    if target.form == "csv":
        return csv_line(target.columns)
    return b"[" if target.form == "json" else b""


def _tail(target: RowTarget, *, has_rows: bool) -> bytes:
    return (b"\n]\n" if has_rows else b"]\n") if target.form == "json" else b""


def _line(target: RowTarget, row: Row, *, is_first: bool) -> bytes:
    kept = {name: row[name] for name in target.columns}
    if target.form == "csv":
        return csv_line(map(cell, kept.values()))
    text = json.dumps(kept).encode()  # ASCII alone: nothing that a device said reaches a terminal raw
    return text + b"\n" if target.form == "jsonl" else (b"\n" if is_first else b",\n") + text


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.unfinished")


def _note_of(path: Path, target: RowTarget) -> Note | None:
    """The note of an unfinished file of the same rows; None when the file is to be begun anew."""
    if target.overwrites or not os.path.exists(path):
        return None
    try:
        found = json.loads(_unfinished(path).read_bytes())
        note = Note(size_bytes=int(found["bytes"]), token=found["token"], has_rows=bool(found["hasRows"]))
        is_same = found["asked"] == _asked(target) and 0 <= note.size_bytes <= path.stat().st_size
    except FileNotFoundError:
        raise _is_there(target) from None
    except (ValueError, KeyError, TypeError, OverflowError):
        is_same = False
    if not is_same:
        raise ConflictingChoice(
            f"{target.option} {path} is unfinished, but has other rows or another format.",
            hint="Give another name, or --overwrite.",
        )
    return note


def _asked(target: RowTarget) -> list[Any]:
    return [target.request, target.form, list(target.columns)]


def _is_there(target: RowTarget) -> ConflictingChoice:
    return ConflictingChoice(
        f"{target.option} {target.path} already exists.", hint="Give another name, or --overwrite."
    )
