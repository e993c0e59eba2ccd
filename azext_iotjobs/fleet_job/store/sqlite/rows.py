"""Rows of the fleet database -> values. Instants are stored as Unix seconds.

What stands in a file is looked at here, once: a value that leaves this module is whole, and a row that makes none is
StateDamaged, with its file, its table and what is wrong.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, NoReturn, ParamSpec, TypeVar

from azext_iotjobs.fleet_job.plan import RUN_KEY_LENGTH
from azext_iotjobs.fleet_job.store.definition_codec import (
    parse_definition,
    parse_delivery,
    parse_narrowed,
    parse_origin,
    parse_tier,
    read_json,
)
from azext_iotjobs.fleet_job.store.holder import Holder, is_gone
from azext_iotjobs.fleet_job.store.shapes import check_shape, shown
from azext_iotjobs.fleet_job.store.sqlite.state_errors import BadField, damaged
from azext_iotjobs.model.errors import UserError
from azext_iotjobs.model.fleet_job import Definition, Driver, FleetJob, check_id
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.run import (
    Asked,
    Attempt,
    Batch,
    BatchState,
    DeviceState,
    HubJob,
    Lease,
    Run,
    RunState,
    Tally,
    Wish,
)


class StoredRow(sqlite3.Row):
    """A row that knows its file, for errors."""

    path: Path

    def __getitem__(self, key: Any) -> Any:
        """A column. Raises StateDamaged where there is none."""
        try:
            return super().__getitem__(key)
        except IndexError as err:
            raise damaged(self.path, f"there is no column {key}") from err


Given = ParamSpec("Given")
Made = TypeVar("Made")
Kind = TypeVar("Kind", bound=Enum)
NAMING = ("id", "fleet_job", "name", "number", "version", "key", "run", "ordinal", "batch", "state", "seq", "device_id")
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, OSError, RecursionError, UserError)
SHOWN_NAMES = 3


def stored(
    table: str,
) -> Callable[
    [Callable[Concatenate[StoredRow, Given], Made]], Callable[Concatenate[StoredRow, Given], Made]
]:  # fmt: skip
    """What makes a value of a row of `table`: it raises StateDamaged for a row that makes none."""

    def checked(
        make: Callable[Concatenate[StoredRow, Given], Made],
    ) -> Callable[Concatenate[StoredRow, Given], Made]:
        @wraps(make)
        def made(row: StoredRow, /, *given: Given.args, **named: Given.kwargs) -> Made:
            try:
                value = make(row, *given, **named)
                if is_dataclass(value):
                    check_shape(value)
            except UNREADABLE as err:
                _refuse(table, row, err)
            return value

        return made

    return checked


def number(row: StoredRow, name: str) -> int | None:
    """A whole number of a row; None where there is none. Raises StateDamaged."""
    value = row[name]
    if value is not None and not isinstance(value, int):
        raise damaged(row.path, f"{name} is {shown(value)}, not a number")
    return value


def _refuse(table: str, row: StoredRow, err: Exception) -> NoReturn:
    names = [f"{name} {shown(row[name])}" for name in row.keys() if name in NAMING][:SHOWN_NAMES]
    what = f"{err} is missing" if isinstance(err, KeyError) else str(err)
    raise damaged(row.path, f"a row of {table} ({', '.join(names)}): {what}") from err


def instant(seconds: float | None) -> datetime | None:
    """A stored instant, aware UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def seconds(at: datetime | None) -> float | None:
    """An aware instant as it is stored."""
    return None if at is None else at.timestamp()


def text(typed: str | None) -> str | None:
    """What somebody typed, as SQLite takes it: bytes that were no text come in as halves of characters."""
    return None if typed is None else typed.encode("utf-8", "replace").decode()


@stored("fleet_job")
def fleet_job_of(row: StoredRow) -> FleetJob:
    """A row of fleet_job joined with one of definition."""
    return FleetJob(
        fleet_job_id=check_id(row["id"], "id"),
        host=row["host"],
        version=row["version"],
        definition=parse_definition(row["document"]),
        created_at=_there(row["created_at"]),
        created_by=row["created_by"],
        edited_at=_there(row["edited_at"]),
        edited_by=row["edited_by"],
        origin=parse_origin(row["origin"]),
    )


@stored("definition")
def definition_of(row: StoredRow) -> Definition:
    """The document of a row of definition."""
    return parse_definition(row["document"])


@stored("run")
def run_of(row: StoredRow, host: str, tally: Tally) -> Run:
    """A row of run."""
    if not isinstance(row["run_key"], str) or len(row["run_key"]) > RUN_KEY_LENGTH:
        raise BadField(f"run_key is {shown(row['run_key'])}")
    return Run(
        key=row["key"],
        fleet_job_id=check_id(row["fleet_job"], "fleet_job"),
        host=host,
        number=row["number"],
        version=row["version"],
        run_key=row["run_key"],
        state=word(RunState, row, "state"),
        driver=word(Driver, row, "driver"),
        driver_reason=row["driver_reason"],
        delivery=parse_delivery(row["delivery"]),
        device_count=row["device_count"],
        batch_count=row["batch_count"],
        created_at=_there(row["created_at"]),
        created_by=row["created_by"],
        started_at=instant(row["started_at"]),
        ended_at=instant(row["ended_at"]),
        go_on_at=instant(row["go_on_at"]),
        reason=row["reason"],
        ended_by=row["ended_by"],
        asked=_asked(row),
        lease=_lease(row),
        tier=parse_tier(row["tier"]),
        narrowed=parse_narrowed(row["narrowed"]),
        forgiven=row["forgiven"],
        tally=tally,
    )


@stored("batch")
def batch_of(row: StoredRow, tally: Tally) -> Batch:
    """A row of batch."""
    return Batch(
        ordinal=row["ordinal"],
        state=word(BatchState, row, "state"),
        size=row["size"],
        is_retry=bool(row["is_retry"]),
        started_at=instant(row["started_at"]),
        ended_at=instant(row["ended_at"]),
        forgiven=row["forgiven"],
        tally=tally,
    )


def tally_of(found: Iterable[StoredRow], in_hub_jobs: int) -> Tally:
    """Rows of tally, all of one batch; and how many of its devices hub jobs operate."""
    counts = {each.value: 0 for each in DeviceState}
    by_class: dict[str, int] = {}
    for row in found:
        state, error_class, count = _count_of(row)
        counts[state.value] += count
        if error_class and count:
            by_class[error_class] = count
    return Tally(**counts, by_class=by_class, in_hub_jobs=in_hub_jobs)


@stored("part")
def hub_job_of(row: StoredRow) -> HubJob:
    """A row of part that was sent."""
    submitted_at = instant(row["submitted_at"])
    limit_s = row["limit_s"]
    return HubJob(
        batch=row["batch"],
        job_id=row["job_id"],
        status=row["status"],
        submitted_at=submitted_at,
        until=None if submitted_at is None or limit_s is None else submitted_at + timedelta(seconds=limit_s),
        size=row["size"],
        open_count=row["open_count"],
        tally=None if row["counts"] is None else JobTally(**read_json(row["counts"])),
        seen_at=instant(row["seen_at"]),
        awaited=() if row["awaited"] is None else tuple(read_json(row["awaited"])),
    )


def counts_text(tally: JobTally | None) -> str | None:
    """A hub's counts as they are stored."""
    return None if tally is None else json.dumps(vars(tally))


@stored("tally")
def _count_of(row: StoredRow) -> tuple[DeviceState, str, int]:
    if not isinstance(row["count"], int) or not isinstance(row["class"], str):
        raise BadField(f"count is {shown(row['count'])}, class {shown(row['class'])}")
    return word(DeviceState, row, "state"), row["class"], row["count"]


@stored("device")
def attempt_of(row: StoredRow) -> Attempt:
    """A row of device that is to be operated."""
    return Attempt(
        seq=row["seq"],
        device_id=row["device_id"],
        module_id=row["module_id"],
        tries=row["tries"],
        was_cut_off=bool(row["was_cut_off"]),
    )


@stored("device")
def result_of(row: StoredRow) -> DeviceResult:
    """A row of device, as results show it: with `shown_state`, which counts calls and hub jobs under way."""
    state = word(DeviceState, row, "state")
    return DeviceResult(
        device_id=row["device_id"],
        module_id=row["module_id"],
        status=row["shown_state"],
        error_class=word(ErrorClass, row, "error_class") if row["error_class"] and state.has_ended else None,
        error_code=row["error_code"],
        error_text=row["error_text"],
        method_status=row["method_status"],
        payload=None if row["payload"] is None else read_json(row["payload"]),
        started_at=instant(row["began_at"]),
        finished_at=instant(row["ended_at"]) if state.has_ended else None,
        batch=row["batch"],
        tries=row["tries"],
    )


@stored("run")
def epoch_of(row: StoredRow) -> int:
    """How often somebody took the lease of a row of run."""
    if not isinstance(row["epoch"], int):
        raise BadField(f"epoch is {shown(row['epoch'])}")
    return row["epoch"]


@stored("run")
def holder_of(row: StoredRow) -> tuple[Holder, datetime] | None:
    """Who has the lease of a row of run, and until when; None: nobody."""
    if row["lease_owner"] is None:
        return None
    holder = Holder(row["lease_owner"], row["lease_machine"], row["lease_pid"])
    check_shape(holder)
    return holder, _there(row["lease_until"])


def word(kind: type[Kind], row: StoredRow, name: str) -> Kind:
    """A word of an enumeration. Raises BadField, saying which there are."""
    try:
        return kind(row[name])
    except ValueError as err:
        known = ", ".join(str(each.value) for each in kind)
        raise BadField(f"{name} is {shown(row[name])}, which is none of {known}") from err


def _asked(row: StoredRow) -> Asked | None:
    if row["wish"] is None:
        return None
    return Asked(wish=word(Wish, row, "wish"), by=row["wish_by"], reason=row["wish_reason"], at=_there(row["wish_at"]))


def _lease(row: StoredRow) -> Lease | None:
    found = holder_of(row)
    if found is None:
        return None
    holder, until = found
    return Lease(owner=holder.owner, until=until, beat_at=_there(row["lease_beat_at"]), is_gone=is_gone(holder))


def _there(value: float) -> datetime:
    return datetime.fromtimestamp(value, timezone.utc)
