"""Handler of az iot hub fleet-job import: documents of IoT Central's become device groups, fleet jobs and schedules."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from knack.log import get_logger

from azext_iotjobs.central.report import TranslatedMember, WantedGroup, WantedJob
from azext_iotjobs.central.translation import translate
from azext_iotjobs.cli.fleet_job.central.files import filter_choices, read_documents
from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule.save import new_store_key, say_who_starts, warn_of_missed
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import spelled
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.throttling import outlasting_throttling
from azext_iotjobs.fleet_job.calendar import described
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.model.clock import SystemClock
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
        _save(client, host, steps, now)
    _warn_of_refused(steps)
    _warn_of_groups_without_devices(steps)
    if any(each.effect is Effect.REFUSED for each in steps):
        leave_with(cmd, PART_DONE, exit_zero=False)
    if dry_run:
        logger.warning("Nothing was saved, because of --dry-run: this is what an import would do.")
    more = {"dryRun": True} if dry_run else {}
    return [{**_document(each), **more} for each in steps]


def _counter(hub: HubClient) -> Callable[[str], int]:
    def count(condition: str) -> int:
        # Many groups are more queries than a small hub allows in a minute.
        return outlasting_throttling(lambda: hub.selections.count(Selection(condition=condition)), CLOCK)

    return count


def _save(context: FleetJobContext, host: str, steps: Sequence[ImportStep], now: datetime) -> None:
    changes = save_import(context.store, host, steps, by=current_user(), at=now, new_key=new_store_key)
    scheduled = [each.scheduled for each in changes if each.scheduled is not None]
    for each in scheduled:
        warn_of_missed(each.missed)  # what else is to be minded is in the notes on its members
    if scheduled:
        logger.warning("%s.", counted(len(scheduled), "schedule is set", "schedules are set"))
        say_who_starts()


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


def _member(member: TranslatedMember) -> dict[str, str | None]:
    return {"member": member.name, "became": member.became, "note": spelled(member.note) or None}
