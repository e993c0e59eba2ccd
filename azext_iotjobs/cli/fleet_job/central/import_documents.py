"""Handler of az iot hub fleet-job import: documents of IoT Central's become device groups, fleet jobs and schedules."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from knack.log import get_logger

from azext_iotjobs.central.report import Member, WantedGroup, WantedJob
from azext_iotjobs.central.translation import translate
from azext_iotjobs.cli.fleet_job.central.files import filter_choices, read_documents
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule.save import new_store_key
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import spelled, suggestion
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.fleet_job.calendar import described
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.model.clock import SystemClock, render_instant
from azext_iotjobs.model.occurrence import Occurrence
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.text import counted, printable
from azext_iotjobs.operations.fleet_job.central_import import (
    Effect,
    ImportPolicy,
    ImportStep,
    plan_import,
    save_import,
)
from azext_iotjobs.operations.fleet_job.planning import host_of

logger = get_logger(__name__)

CLOCK = SystemClock()
PART_DONE = Outcome.DEVICES_FAILED  # the code of what was done in part
MAX_SHOWN = 10  # refused documents on stderr; the result has all


def import_documents(
    cmd: Any,
    client: FleetJobContext,
    from_central: list[str],
    our_map: list[str] | None = None,
    assume: list[str] | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """Import documents of IoT Central's; with --dry-run show what would become of them."""
    choices = filter_choices(our_map, assume)
    documents = read_documents(from_central)
    hub = client.hub()
    host, now = host_of(hub), CLOCK.now()
    saved_groups = [each.name for each in client.store.groups.list_all() if each.host == host]
    translated = translate(documents, choices, saved_groups)
    steps = plan_import(client.store, host, translated, _counter(hub), ImportPolicy(overwrite, now))
    if not dry_run:
        _warn_of_missed(save_import(client.store, host, steps, by=current_user(), at=now, new_key=new_store_key))
        _say_what_starts_schedules(steps)
    _warn_of_refused(steps)
    _warn_of_groups_without_devices(steps)
    if any(each.effect is Effect.REFUSED for each in steps):
        leave_with(cmd, PART_DONE, exit_zero=False)
    more = {"dryRun": True} if dry_run else {}
    return [{**_document(each), **more} for each in steps]


def _counter(hub: HubClient) -> Callable[[str], int]:
    return lambda condition: hub.selections.count(Selection(condition=condition))


def _warn_of_missed(missed: Iterable[Occurrence]) -> None:
    for each in missed:
        logger.warning("%s was due and had not started: it is recorded as missed.", render_instant(each.at))


def _warn_of_refused(steps: Sequence[ImportStep]) -> None:
    found = [each.translated for each in steps if each.effect is Effect.REFUSED]
    for each in found[:MAX_SHOWN]:
        logger.warning("%s is not imported: %s", printable(each.place), printable(spelled(each.reason)))
    if len(found) > MAX_SHOWN:
        logger.warning("%d more are not imported; the result has all.", len(found) - MAX_SHOWN)


def _warn_of_groups_without_devices(steps: Iterable[ImportStep]) -> None:
    for each in steps:
        if each.device_count == 0 and isinstance(each.translated.wanted, WantedGroup):
            name = printable(each.translated.wanted.name)
            logger.warning("Device group %s selects no device now: are its names where its condition has them?", name)


def _say_what_starts_schedules(steps: Iterable[ImportStep]) -> None:
    count = sum(map(_has_new_schedule, steps))
    if count:
        due = suggestion("iot hub fleet-job schedule run-due")
        set_ = counted(count, "schedule is set", "schedules are set")
        logger.warning("%s. Nothing starts by itself: have this called every few minutes: %s", set_, due)


def _has_new_schedule(step: ImportStep) -> bool:
    wanted = step.translated.wanted
    return step.effect.is_saved and isinstance(wanted, WantedJob) and wanted.schedule is not None


def _document(step: ImportStep) -> dict[str, Any]:
    translated = step.translated
    return {
        "document": translated.place,
        "id": translated.central_id,
        "kind": translated.kind.value,
        "result": step.effect.value,
        "reason": spelled(translated.reason) or None,
        "became": _became(translated.wanted),
        "deviceCount": step.device_count,
        "members": [_member(each) for each in translated.members],
        "notImported": [each.name for each in translated.members if each.became is None],
    }


def _became(wanted: WantedGroup | WantedJob | None) -> dict[str, str] | None:
    if wanted is None:
        return None
    if isinstance(wanted, WantedGroup):
        return {"group": wanted.name}
    became = {"fleetJob": wanted.fleet_job_id}
    if wanted.schedule is not None:
        became["schedule"] = f"{described(wanted.schedule.rule)} {wanted.schedule.zone}"
    return became


def _member(member: Member) -> dict[str, str | None]:
    return {"member": member.name, "became": member.became, "note": spelled(member.note) or None}
