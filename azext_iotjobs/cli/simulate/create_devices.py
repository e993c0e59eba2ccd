"""Register the missing devices of a simulation, and remove them at its end; remove what earlier runs have left."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.simulate import created_devices_log, select_devices
from azext_iotjobs.cli.simulate.created_devices_log import CreatedDevicesLog
from azext_iotjobs.cli.simulate.credentials import CredentialPlan
from azext_iotjobs.cli.simulate.options import EVERYTHING, SimulateOptions
from azext_iotjobs.cli.simulate.select_devices import SimulatedDevices
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import StopFlag, SystemClock
from azext_iotjobs.model.errors import IotJobsError, NotFound
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.simulated_devices import BY_KEY, RUN_TAG, SIMULATED_TAG, DeviceFacts, registry_time
from azext_iotjobs.model.text import Text, command, counted, printable
from azext_iotjobs.operations.simulate import provisioning as operation
from azext_iotjobs.operations.simulate.provisioning import Deletion

logger = get_logger(__name__)

MAX_SHOWN = 100  # ids of a kind in a result
PROGRESS_LINES = 10  # at most


@dataclass(kw_only=True)
class RegisteredDevices:
    """The devices of a simulation, all registered, and what this run has created and removed."""

    devices: SimulatedDevices
    run: str | None = None  # None: none was missing
    created_count: int = 0
    deletion: Deletion | None = None  # with --delete-after, once it has ended
    left_count: int = 0  # devices that --delete-after could not remove

    def document(self) -> dict[str, Any] | None:
        """For the result of the simulation; None when no device was missing."""
        if self.run is None:
            return None
        removed = {} if self.deletion is None else deletion_document(self.deletion)
        return {"run": self.run, "made": self.created_count, **removed, "left": self.left_count}


@contextmanager
def registered(
    client: HubClient, devices: SimulatedDevices, options: SimulateOptions, plan: CredentialPlan, stop: StopFlag
) -> Iterator[RegisteredDevices]:
    """Register the missing devices; with --delete-after, remove them at the end, even after an error.

    plan: how the devices are to sign in.
    After a second Ctrl-C, or if the process is killed, nothing is removed; the log on disk names what is left.
    Raises HubAnswer, LinkError; ConflictingChoice for a device that was registered meanwhile and may not be simulated.
    """
    if not devices.missing:
        yield RegisteredDevices(devices=devices)
        return
    _announce(client, len(devices.missing), deletes_after=options.delete_after)
    log = created_devices_log.create(client.target, SystemClock().now(), is_temporary=options.delete_after)
    result = RegisteredDevices(devices=devices, run=log.created.run)
    is_interrupted = False
    try:
        _create(client, result, options, plan, log, stop)
        yield result
    except KeyboardInterrupt:
        is_interrupted = True
        raise
    finally:
        if options.delete_after and not is_interrupted:
            result.deletion = _delete(client, log)
        result.left_count = len(log.created.etags) if options.delete_after else 0
        if result.left_count:
            logger.warning(
                "%s still registered that this run registered. Remove them: %s",
                counted(result.left_count, "device is", "devices are"),
                suggestion("iot device simulate", "--clean-up"),
            )
        log.close()


def _announce(client: HubClient, count: int, *, deletes_after: bool) -> None:
    if client.target.is_local:
        return
    again = " Removing them takes as long again." if deletes_after else ""
    logger.warning("Registering %s: %s.%s", counted(count, "device"), registry_time(count), again)


def _create(
    client: HubClient,
    result: RegisteredDevices,
    options: SimulateOptions,
    plan: CredentialPlan,
    log: CreatedDevicesLog,
    stop: StopFlag,
) -> None:
    devices = result.devices
    new = [plan.new_device(name, log.created.run, options.extra_tags) for name in devices.missing]
    creation = operation.create(client, new, log, SystemClock(), stop, _progress("registered"))
    select_devices.check(client, creation.existing, options, total_count=devices.count, is_single=False)
    sign_in = BY_KEY if plan.certificates is None else plan.certificates.kind.value
    tags = {**options.extra_tags, SIMULATED_TAG: True, RUN_TAG: log.created.run}
    created = tuple(
        DeviceFacts(device_id=name, etag="", is_connected=False, sign_in=sign_in, tags=tags)
        for name in creation.created
    )
    result.devices = SimulatedDevices(
        existing=(*devices.existing, *creation.existing, *created),
        missing=(),
        numbers=devices.numbers,
        own_keys=devices.own_keys,
    )
    result.created_count = len(created)


def clean_up(cmd: Any, client: HubClient, options: SimulateOptions) -> dict[str, Any]:
    """Remove what earlier runs with --delete-after have left on this hub, or all that one run has created."""
    logs, running = created_devices_log.take_over_ended_runs(client.target)
    run = options.clean_up if options.clean_up != EVERYTHING else None
    try:
        _check_run(client, run, logs, running)
        runs, kept, has_failed = _remove(client, run, logs, is_dry_run=options.dry_run)
    finally:
        for log in logs:
            log.close()
    if kept and run is None:
        logger.warning(
            "%s without --delete-after registered devices that stay; --clean-up RUN removes those of one run.",
            counted(len(kept), "run"),
        )
    if has_failed:
        leave_with(cmd, Outcome.DEVICES_FAILED, exit_zero=False)
    dry = {"dryRun": True} if options.dry_run else {}
    return {**dry, "hub": client.target.authority, "runs": runs, "kept": kept, "running": running}


def _check_run(client: HubClient, run: str | None, logs: Sequence[CreatedDevicesLog], running: Sequence[str]) -> None:
    """Raise NotFound for a run that has no log here, or has not ended."""
    if run is None or run in [log.created.run for log in logs]:
        return
    if run in running:
        raise NotFound(f"Run {printable(run)} is still running.", hint="End it first, with Ctrl-C.")
    raise NotFound(
        f"There is no list of run {printable(run)} for {client.target.authority} on this machine.",
        hint=Text("They are listed by: ", command("iot device simulate", "--clean-up", "--dry-run")),
    )


def _remove(
    client: HubClient, run: str | None, logs: Sequence[CreatedDevicesLog], *, is_dry_run: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    """Remove the devices of a run, or of all temporary runs: the runs removed, those kept, and whether any failed."""
    runs: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    has_failed = False
    for log in logs:
        created = log.created
        shown = {"run": created.run, "deviceCount": len(created.etags)}
        if not (created.is_temporary if run is None else created.run == run):
            kept.append(shown)
        elif is_dry_run:
            runs.append({**shown, "devices": list(created.etags)[:MAX_SHOWN]})
        else:
            deletion = operation.delete(client, log, SystemClock(), _progress("removed"))
            has_failed = has_failed or bool(deletion.failed)
            runs.append({**shown, **deletion_document(deletion), "left": len(created.etags)})
    return runs, kept, has_failed


def deletion_document(deletion: Deletion) -> dict[str, Any]:
    """For a result: counts of what was removed, and the ids of devices that were not."""
    return {
        "deleted": len(deletion.deleted),
        "goneAlready": len(deletion.missing),
        "changed": deletion.changed[:MAX_SHOWN],
        "changedCount": len(deletion.changed),
        "notDeleted": [
            {"deviceId": each.device_id, "error": f"{each.code}: {each.reason}"} for each in deletion.failed[:MAX_SHOWN]
        ],
    }


def _delete(client: HubClient, log: CreatedDevicesLog) -> Deletion | None:
    """Remove devices at the end of a run. Errors become warnings: the result of the run is worth more."""
    try:
        deletion = operation.delete(client, log, SystemClock(), _progress("removed"))
    except IotJobsError as err:
        logger.warning("Removing the devices broke off: %s", err)
        return None
    if deletion.changed:
        logger.warning(
            "%s not removed, because somebody has changed them since they were registered: %s",
            counted(len(deletion.changed), "device was", "devices were"),
            ", ".join(deletion.changed[:MAX_SHOWN]),
        )
    return deletion


def _progress(verb: str) -> operation.OnBatch:
    """Prints how many devices are done, now and then."""

    last_shown = 0

    def on_batch(done: int, total: int) -> None:
        nonlocal last_shown
        if total > done and done - last_shown >= total / PROGRESS_LINES:
            logger.warning("%d of %d %s.", done, total, verb)
            last_shown = done

    return on_batch
