"""Rows of a store -> values."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from azext_iotjobs.fleet_job.plan import RUN_KEY_LENGTH
from azext_iotjobs.fleet_job.store.contract import DeviceGroup
from azext_iotjobs.fleet_job.store.holder import Holder, is_gone
from azext_iotjobs.fleet_job.store.shapes import BadField, check_shape, shown
from azext_iotjobs.fleet_job.store.sql.stored_row import StoredRow, instant, instant_or_none, stored, word
from azext_iotjobs.fleet_job.store.stored_json import (
    parse_answer,
    parse_definition,
    parse_delivery,
    parse_narrowed,
    parse_origin,
    parse_tier,
    parse_verdicts,
    read_json,
)
from azext_iotjobs.model.attempt import Attempt
from azext_iotjobs.model.fleet_job import Definition, Driver, FleetJob, check_id
from azext_iotjobs.model.gates import BatchGates
from azext_iotjobs.model.in_progress import BeingVerified, CallInProgress, HubJobInProgress, WaitsToConnect
from azext_iotjobs.model.job import JobTally
from azext_iotjobs.model.result import DeviceResult, ErrorClass
from azext_iotjobs.model.run import Batch, Lease, RequestKind, Run, StopRequest, Tally
from azext_iotjobs.model.run_state import BatchState, DeviceState, RunState
from azext_iotjobs.model.verification import VerifyingDevice
from azext_iotjobs.model.when_online import OfflineWait, WaitingDevice

WAIT_COLUMNS = "offline_since, wait_until, times_offline, look_at"
ATTEMPT_COLUMNS = f"seq, device_id, module_id, tries, was_cut_off, {WAIT_COLUMNS}"
VERIFYING_COLUMNS = f"seq, device_id, module_id, tries, began_at, verify_by, {WAIT_COLUMNS}"


@stored("fleet_job")
def fleet_job_of(row: StoredRow) -> FleetJob:
    """A row of fleet_job joined with one of definition."""
    return FleetJob(
        fleet_job_id=check_id(row["id"], "id"),
        host=row["host"],
        version=row["version"],
        definition=parse_definition(row["document"]),
        created_at=instant(row["created_at"]),
        created_by=row["created_by"],
        edited_at=instant(row["edited_at"]),
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
        created_at=instant(row["created_at"]),
        created_by=row["created_by"],
        started_at=instant_or_none(row["started_at"]),
        ended_at=instant_or_none(row["ended_at"]),
        next_batch_at=instant_or_none(row["go_on_at"]),
        reason=row["reason"],
        ended_by=row["ended_by"],
        stop_request=_stop_request(row),
        lease=_lease(row),
        tier=parse_tier(row["tier"]),
        narrowed=parse_narrowed(row["narrowed"]),
        forgiven=row["forgiven"],
        occurrence_at=instant_or_none(row["occurrence_at"]),
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
        is_of_offline=bool(row["is_of_offline"]),
        joined=row["joined"],
        started_at=instant_or_none(row["started_at"]),
        ended_at=instant_or_none(row["ended_at"]),
        forgiven=row["forgiven"],
        gates=_gates(row),
        tally=tally,
    )


def _gates(row: StoredRow) -> BatchGates | None:
    if row["gated_at"] is None:
        return None
    return BatchGates(
        since=instant(row["gated_at"]),
        verdicts=parse_verdicts(row["verdicts"]),
        answer=parse_answer(row["answer"]),
    )


def tally_of(found: Iterable[StoredRow], in_hub_jobs: int) -> Tally:
    """Counts of a batch.

    found: its rows of tally.  in_hub_jobs: how many of its devices hub jobs operate.
    """
    counts = {each.value: 0 for each in DeviceState}
    by_class: dict[str, int] = {}
    for row in found:
        state, error_class, count = _count_of(row)
        counts[state.value] += count
        if error_class and count:
            by_class[error_class] = count
    return Tally(**counts, by_class=by_class, in_hub_jobs=in_hub_jobs)


@stored("part")
def hub_job_in_progress_of(row: StoredRow) -> HubJobInProgress:
    """A row of part, of a hub job that was sent."""
    submitted_at = instant_or_none(row["submitted_at"])
    limit_s = row["limit_s"]
    return HubJobInProgress(
        batch=row["batch"],
        job_id=row["job_id"],
        status=row["status"],
        submitted_at=submitted_at,
        until=None if submitted_at is None or limit_s is None else submitted_at + timedelta(seconds=limit_s),
        size=row["size"],
        open_count=row["open_count"],
        tally=None if row["counts"] is None else JobTally(**read_json(row["counts"])),
        seen_at=instant_or_none(row["seen_at"]),
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
def call_in_progress_of(row: StoredRow) -> CallInProgress:
    """A row of device whose call was begun."""
    return CallInProgress(row["device_id"], row["module_id"], row["batch"], instant_or_none(row["began_at"]))


def being_verified_of(found: Sequence[StoredRow], last: StoredRow, count: int) -> BeingVerified:
    """Rows of device that are being verified, the first first.

    last: of them, by its deadline.  count: how many there are.
    """
    ended = [each for each in map(_operated_at, found) if each is not None]
    return BeingVerified(
        batch=found[0]["batch"],
        count=count,
        devices=tuple((each["device_id"], each["module_id"]) for each in found),
        since=min(ended, default=None),
        until=_verify_by(last),
    )


@stored("device")
def _operated_at(row: StoredRow) -> datetime | None:
    return instant_or_none(row["ended_at"])


@stored("device")
def _verify_by(row: StoredRow) -> datetime | None:
    return instant_or_none(row["verify_by"])


@stored("device_group")
def group_of(row: StoredRow) -> DeviceGroup:
    """A row of device_group."""
    return DeviceGroup(host=row["host"], name=row["name"], condition=row["condition"])


@stored("device")
def attempt_of(row: StoredRow) -> Attempt:
    """A row of device that is to be operated: ATTEMPT_COLUMNS of it."""
    return Attempt(
        seq=row["seq"],
        device_id=row["device_id"],
        module_id=row["module_id"],
        tries=row["tries"],
        was_cut_off=bool(row["was_cut_off"]),
        wait=_wait(row),
    )


def _wait(row: StoredRow) -> OfflineWait | None:
    """How a row of device waits to connect, or did: WAIT_COLUMNS of it."""
    if row["offline_since"] is None:
        return None
    until = instant(row["wait_until"])
    return OfflineWait(
        since=instant(row["offline_since"]),
        until=until,
        times=row["times_offline"],
        look_at=instant_or_none(row["look_at"]) or until,
    )


@stored("device")
def waiting_device_of(row: StoredRow) -> WaitingDevice:
    """A row of device that waits to connect."""
    wait = _wait(row)
    if wait is None:
        raise BadField("offline_since is None")
    return WaitingDevice(
        key=row["seq"],
        device_id=row["device_id"],
        module_id=row["module_id"],
        batch=row["batch"],
        tries=row["tries"],
        wait=wait,
        was_operated=row["verify_by"] is not None,
    )


@stored("device")
def waits_to_connect_of(row: StoredRow) -> WaitsToConnect:
    """The same, for those who look at a run."""
    return WaitsToConnect(
        device_id=row["device_id"],
        module_id=row["module_id"],
        since=instant(row["offline_since"]),
        until=instant(row["wait_until"]),
    )


@stored("device")
def verifying_device_of(row: StoredRow) -> VerifyingDevice:
    """A row of device that is being verified."""
    return VerifyingDevice(
        key=row["seq"],
        device_id=row["device_id"],
        module_id=row["module_id"],
        began_at=instant(row["began_at"]),
        verify_by=instant(row["verify_by"]),
        tries=row["tries"],
        wait=_wait(row),
    )


@stored("device")
def result_of(row: StoredRow) -> DeviceResult:
    """A row of device with `shown_state`: its state as results show it."""
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
        started_at=instant_or_none(row["began_at"]),
        finished_at=instant_or_none(row["ended_at"]) if state.was_operated else None,
        batch=row["batch"],
        tries=row["tries"],
        verified_at=instant_or_none(row["verified_at"]),
        reported=None if row["reported"] is None else read_json(row["reported"]),
        offline_since=instant_or_none(row["offline_since"]),
        waits_until=instant_or_none(row["wait_until"]) if state is DeviceState.WAITING else None,
    )


@stored("run")
def epoch_of(row: StoredRow) -> int:
    """How often somebody took the lease of a row of run."""
    if not isinstance(row["epoch"], int):
        raise BadField(f"epoch is {shown(row['epoch'])}")
    return row["epoch"]


@stored("run")
def holder_of(row: StoredRow) -> tuple[Holder, datetime] | None:
    """Who has the lease of a row of run, and until when by this machine's clock; None: nobody."""
    if row["lease_owner"] is None:
        return None
    holder = Holder(row["lease_owner"], row["lease_machine"], row["lease_pid"])
    check_shape(holder)
    return holder, instant(row["lease_until"] - row.clock_ahead_s)


def _stop_request(row: StoredRow) -> StopRequest | None:
    if row["wish"] is None:
        return None
    kind = word(RequestKind, row, "wish")
    return StopRequest(kind=kind, by=row["wish_by"], reason=row["wish_reason"], at=instant(row["wish_at"]))


def _lease(row: StoredRow) -> Lease | None:
    found = holder_of(row)
    if found is None:
        return None
    holder, until = found
    beat_at = instant(row["lease_beat_at"] - row.clock_ahead_s)
    return Lease(owner=holder.owner, until=until, beat_at=beat_at, is_gone=is_gone(holder))
