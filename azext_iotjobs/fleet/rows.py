"""Rows of the fleet database -> values. Instants are stored as Unix seconds."""

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from azext_iotjobs.fleet.definitions import (
    parse_definition,
    parse_delivery,
    parse_narrowed,
    parse_origin,
    parse_tier,
)
from azext_iotjobs.fleet.holder import Holder, is_gone
from azext_iotjobs.model.fleet import Driver, FleetJob
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


def instant(seconds: float | None) -> datetime | None:
    """A stored instant, aware UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)


def seconds(at: datetime | None) -> float | None:
    """An aware instant as it is stored."""
    return None if at is None else at.timestamp()


def text(typed: str | None) -> str | None:
    """What somebody typed, as SQLite takes it: bytes that were no text come in as halves of characters."""
    return None if typed is None else typed.encode("utf-8", "replace").decode()


def fleet_job_of(row: sqlite3.Row) -> FleetJob:
    """A row of fleet_job joined with one of definition."""
    return FleetJob(
        fleet_job_id=row["id"],
        host=row["host"],
        version=row["version"],
        definition=parse_definition(row["document"]),
        created_at=_there(row["created_at"]),
        created_by=row["created_by"],
        edited_at=_there(row["edited_at"]),
        edited_by=row["edited_by"],
        origin=parse_origin(row["origin"]),
    )


def run_of(row: sqlite3.Row, host: str, tally: Tally) -> Run:
    """A row of run."""
    return Run(
        key=row["key"],
        fleet_job_id=row["fleet_job"],
        host=host,
        number=row["number"],
        version=row["version"],
        run_key=row["run_key"],
        state=RunState(row["state"]),
        driver=Driver(row["driver"]),
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


def batch_of(row: sqlite3.Row, tally: Tally) -> Batch:
    """A row of batch."""
    return Batch(
        ordinal=row["ordinal"],
        state=BatchState(row["state"]),
        size=row["size"],
        is_retry=bool(row["is_retry"]),
        started_at=instant(row["started_at"]),
        ended_at=instant(row["ended_at"]),
        forgiven=row["forgiven"],
        tally=tally,
    )


def tally_of(rows: Iterable[sqlite3.Row], in_hub_jobs: int) -> Tally:
    """Rows of tally, all of one batch; and how many of its devices hub jobs operate."""
    counts = {each.value: 0 for each in DeviceState}
    by_class: dict[str, int] = {}
    for row in rows:
        counts[row["state"]] += row["count"]
        if row["class"] and row["count"]:
            by_class[row["class"]] = row["count"]
    return Tally(**counts, by_class=by_class, in_hub_jobs=in_hub_jobs)


def hub_job_of(row: sqlite3.Row) -> HubJob:
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
        tally=None if row["counts"] is None else JobTally(**json.loads(row["counts"])),
        seen_at=instant(row["seen_at"]),
        awaited=() if row["awaited"] is None else tuple(json.loads(row["awaited"])),
    )


def counts_text(tally: JobTally | None) -> str | None:
    """A hub's counts as they are stored."""
    return None if tally is None else json.dumps(vars(tally))


def attempt_of(row: sqlite3.Row) -> Attempt:
    """A row of device that is to be operated."""
    return Attempt(
        seq=row["seq"],
        device_id=row["device_id"],
        module_id=row["module_id"],
        tries=row["tries"],
        was_cut_off=bool(row["was_cut_off"]),
    )


def result_of(row: sqlite3.Row) -> DeviceResult:
    """A row of device, as results show it: with `shown_state`, which counts calls and hub jobs under way."""
    state, word = DeviceState(row["state"]), row["shown_state"]
    return DeviceResult(
        device_id=row["device_id"],
        module_id=row["module_id"],
        status=word,
        error_class=ErrorClass(row["error_class"]) if row["error_class"] and state.has_ended else None,
        error_code=row["error_code"],
        error_text=row["error_text"],
        method_status=row["method_status"],
        payload=None if row["payload"] is None else json.loads(row["payload"]),
        started_at=instant(row["began_at"]),
        finished_at=instant(row["ended_at"]) if state.has_ended else None,
    )


def _asked(row: sqlite3.Row) -> Asked | None:
    if row["wish"] is None:
        return None
    return Asked(wish=Wish(row["wish"]), by=row["wish_by"], reason=row["wish_reason"], at=_there(row["wish_at"]))


def _lease(row: sqlite3.Row) -> Lease | None:
    if row["lease_owner"] is None:
        return None
    return Lease(
        owner=row["lease_owner"],
        until=_there(row["lease_until"]),
        beat_at=_there(row["lease_beat_at"]),
        is_gone=is_gone(Holder(row["lease_owner"], row["lease_machine"], row["lease_pid"])),
    )


def _there(value: float) -> datetime:
    return datetime.fromtimestamp(value, timezone.utc)
