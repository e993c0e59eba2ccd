"""Errors of the file of fleet jobs: from SQLite, from the file system, and for damage."""

import shlex
import sqlite3
from pathlib import Path

from azext_iotjobs.model.errors import StateBusy, StateDamaged, StateError, StateFull, StateUnusable
from azext_iotjobs.model.text import Field, Shell, Text, command

BUSY_S = 10.0  # how long to wait for a lock of another process
NOTHING_LOST = "Nothing that was recorded is lost; "
SHOWN_CHARACTERS = 200  # of the description: it may quote the content of the file
NO_SPACE = 28  # ENOSPC; on Windows the text tells

# SQLite's messages for causes outside the file. Our SQL is fixed and tested, so that any other message is about the
# content of the file.
ENVIRONMENT = ("unable to open", "readonly", "disk i/o", "permission", "authorization", "interrupted", "out of memory")
NO_DATABASE = ("not a database", "unsupported file format")


def state_error(err: Exception, path: Path) -> StateError:
    """An error of SQLite or the file system, as one of ours."""
    said = str(err).lower()
    if "locked" in said or "busy" in said:
        return StateBusy(
            f"The state file {path} has been locked by another process for more than {BUSY_S:.0f} seconds.",
            hint=f"{NOTHING_LOST}try again when that process has ended: for example a database tool that has it open.",
        )
    if "disk is full" in said or getattr(err, "errno", None) == NO_SPACE:
        return StateFull(
            f"There is no room on the disk for the state file {path}.",
            hint=f"{NOTHING_LOST}make room and resume, or delete old runs.",
        )
    if any(each in said for each in NO_DATABASE):
        return not_a_store(path, str(err))
    if isinstance(err, UnicodeDecodeError):  # SQLite's own text quotes what it cannot read
        return damaged(path, "a text in it is not UTF-8")
    if isinstance(err, sqlite3.Error) and not _is_of_environment(err):
        return damaged(path, str(err))
    why = err.strerror if isinstance(err, OSError) else None
    return StateUnusable(
        f"The state file {path} cannot be used: {why or err}.",
        hint=Text.of(
            "The folder and the file must belong to this user and be writable; or give another folder: {state_dir}."
        ),
    )


def _is_of_environment(err: sqlite3.Error) -> bool:
    is_ours = isinstance(err, sqlite3.ProgrammingError | sqlite3.InterfaceError)
    return is_ours or any(each in str(err).lower() for each in ENVIRONMENT)


def not_a_store(path: Path, what: str) -> StateDamaged:
    """The error for a file that we did not write, or of which nothing can be read."""
    return StateDamaged(
        f"The state file {path} is not a database of fleet jobs, or is damaged ({_short(what)}). It was left as it is.",
        hint=Text(
            "Restore it from a backup, or give another folder: ",
            Field("state_dir"),
            ". To start from scratch, move it away: ",
            _moved(path),
        ),
    )


def damaged(path: Path, what: str) -> StateDamaged:
    """The error for a file with content that we did not write; the rest of it may be intact."""
    return StateDamaged(
        f"The state file {path} is damaged: {_short(what)}. It was left as it is.",
        hint=Text(
            "Copy it first: ",
            Shell(f"cp {_quoted(path)} {_quoted(path)}.copy"),
            ". What is intact can be saved, run by run: ",
            command("iot hub fleet-job results", fleet_job_id="ID", output_file="ID.csv"),
            ". To start from scratch, restore it from a backup or move it away: ",
            _moved(path),
        ),
    )


def _moved(path: Path) -> Shell:
    return Shell(f"mv {_quoted(path)} {_quoted(path)}.damaged")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _short(what: str) -> str:
    text = "".join(each if each.isprintable() else "?" for each in what[: SHOWN_CHARACTERS + 1])
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
