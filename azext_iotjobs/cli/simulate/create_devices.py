"""Register the devices of a fleet that are missing, and remove them at its end; and what earlier runs have left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.simulate import created_devices_log, select_devices
from azext_iotjobs.cli.simulate.created_devices_log import CreatedList
from azext_iotjobs.cli.simulate.credentials import Ways
from azext_iotjobs.cli.simulate.options import EVERYTHING, FleetOptions
from azext_iotjobs.cli.simulate.select_devices import Fleet
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import StopFlag, SystemClock
from azext_iotjobs.model.errors import IotJobsError, NotFound
from azext_iotjobs.model.fleets import BY_KEY, RUN_TAG, SIMULATED_TAG, DeviceFacts, registry_time
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.text import Text, command, printable
from azext_iotjobs.operations.simulate import provisioning as operation
from azext_iotjobs.operations.simulate.provisioning import Deletion

logger = get_logger(__name__)

MAX_SHOWN = 100  # ids of a kind in a result
TOLD_STEPS = 10  # of progress


@dataclass(kw_only=True)
class Made:
    """A fleet whose devices are all registered, and what this run made of it."""

    fleet: Fleet
    run: str | None = None  # None: nothing was missing
    count: int = 0
    deletion: Deletion | None = None  # once it is over, with --delete-after
    left_count: int = 0  # that --delete-after could not remove

    def document(self) -> dict[str, Any] | None:
        """For a simulation's result; None: nothing was missing."""
        if self.run is None:
            return None
        removed = {} if self.deletion is None else deletion_document(self.deletion)
        return {"run": self.run, "made": self.count, **removed, "left": self.left_count}


@contextmanager
def made(client: HubClient, found: Fleet, options: FleetOptions, ways: Ways, stop: StopFlag) -> Iterator[Made]:
    """Register what is missing; with --delete-after, remove it at the end, however that comes.

    A second Ctrl-C leaves at once, and so does a process that is killed: the list on the disk says what is left.
    Raises HubAnswer, LinkError; ConflictingChoice when a device was registered meanwhile that may not be simulated.
    """
    if not found.missing:
        yield Made(fleet=found)
        return
    more_tags = options.tags
    target = client.target
    if not target.is_local:
        again = " Removing them takes as long again." if options.deletes_after else ""
        logger.warning("Registering %d devices: %s.%s", len(found.missing), registry_time(len(found.missing)), again)
    log = created_devices_log.begin(target, SystemClock().now(), is_temporary=options.deletes_after)
    result = Made(fleet=found, run=log.created.run)
    leaves_at_once = False
    try:
        new = [ways.new_device(name, log.created.run, more_tags) for name in found.missing]
        creation = operation.create(client, new, log, SystemClock(), stop, _say("registered"))
        select_devices.check(client, creation.there, options, fleet_size=found.size, is_single=False)
        kind = BY_KEY if ways.certificates is None else ways.certificates.kind.value
        tags = {**more_tags, SIMULATED_TAG: True, RUN_TAG: log.created.run}
        fresh = tuple(
            DeviceFacts(device_id=name, etag="", is_connected=False, sign_in=kind, tags=tags) for name in creation.made
        )
        result.fleet = Fleet(
            there=(*found.there, *creation.there, *fresh), missing=(), numbers=found.numbers, own_keys=found.own_keys
        )
        result.count = len(fresh)
        yield result
    except KeyboardInterrupt:
        leaves_at_once = True
        raise
    finally:
        if options.deletes_after and not leaves_at_once:
            result.deletion = _removed(client, log)
        result.left_count = len(log.created.etags) if options.deletes_after else 0
        if result.left_count:
            logger.warning(
                "%d devices that this run made are left. Remove them: %s",
                result.left_count, suggestion("iot device simulate", "--clean-up"),
            )  # fmt: skip
        log.close()


def clean_up(cmd: Any, client: HubClient, options: FleetOptions) -> dict[str, Any]:
    """Remove what earlier runs with --delete-after left on this hub, or all that one run made; tell what was done."""
    lists, running = created_devices_log.left_over(client.target)
    asked_for = options.cleans_up if options.cleans_up != EVERYTHING else None
    if asked_for is not None and asked_for not in [each.created.run for each in lists]:
        for each in lists:
            each.close()
        if asked_for in running:
            raise NotFound(f"Run {printable(asked_for)} is still going on.", hint="End it first, with Ctrl-C.")
        raise NotFound(
            f"There is no list of run {printable(asked_for)} for {client.target.authority} on this machine.",
            hint=Text("They are listed by: ", command("iot device simulate", "--clean-up", "--dry-run")),
        )
    runs, kept, failed = [], [], False
    try:
        for each in lists:
            created = each.created
            shown = {"run": created.run, "deviceCount": len(created.etags)}
            if not (created.is_temporary if asked_for is None else created.run == asked_for):
                kept.append(shown)
            elif options.only_plans:
                runs.append({**shown, "devices": list(created.etags)[:MAX_SHOWN]})
            else:
                deletion = operation.delete(client, each, SystemClock(), _say("removed"))
                failed = failed or bool(deletion.failed)
                runs.append({**shown, **deletion_document(deletion), "left": len(created.etags)})
    finally:
        for each in lists:
            each.close()
    if kept and asked_for is None:
        logger.warning(
            "%d runs without --delete-after made devices that stay; --clean-up RUN removes those of one.", len(kept)
        )
    if failed:
        leave_with(cmd, Outcome.DEVICES_FAILED, exit_zero=False)
    dry = {"dryRun": True} if options.only_plans else {}
    return {**dry, "hub": client.target.authority, "runs": runs, "kept": kept, "running": running}


def deletion_document(deletion: Deletion) -> dict[str, Any]:
    """For a result: what became of devices that were to be removed; ids where somebody may want to look."""
    return {
        "deleted": len(deletion.deleted),
        "goneAlready": len(deletion.missing),
        "changed": deletion.changed[:MAX_SHOWN],
        "changedCount": len(deletion.changed),
        "notDeleted": [
            {"deviceId": each.device_id, "error": f"{each.code}: {each.reason}"} for each in deletion.failed[:MAX_SHOWN]
        ],
    }


def _removed(client: HubClient, log: CreatedList) -> Deletion | None:
    """What is removed at a run's end. Its errors are told: what the run itself came to is worth more."""
    try:
        deletion = operation.delete(client, log, SystemClock(), _say("removed"))
    except IotJobsError as err:
        logger.warning("Removing the devices broke off: %s", err)
        return None
    if deletion.changed:
        logger.warning(
            "%d devices stay, because somebody has changed them since they were made: %s",
            len(deletion.changed), ", ".join(deletion.changed[:MAX_SHOWN]),
        )  # fmt: skip
    return deletion


def _say(what: str) -> operation.OnBatch:
    def say(done: int, total: int) -> None:
        nonlocal said
        if total > done and done - said >= total / TOLD_STEPS:
            logger.warning("%d of %d %s.", done, total, what)
            said = done

    said = 0

    return say
