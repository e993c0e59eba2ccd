"""Handlers of az iot hub fleet-job schedule show | list | history. Nothing is sent to a hub."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule.documents import (
    render_both,
    render_listed,
    render_occurrence,
    render_schedule,
)
from azext_iotjobs.cli.fleet_job.schedule.held_up import say_what_to_do
from azext_iotjobs.cli.input.scalars import at_least
from azext_iotjobs.fleet_job.calendar import described, zone_of
from azext_iotjobs.fleet_job.due import delay_of, next_occurrences, opens_at
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import NotFound
from azext_iotjobs.model.occurrence import Occurrence, OccurrenceState, StoredSchedule
from azext_iotjobs.model.run import Run
from azext_iotjobs.operations.fleet_job.schedule import saved

logger = get_logger(__name__)

CLOCK = SystemClock()
SHOWN_NEXT = 5


def show(cmd: Any, client: FleetJobContext, fleet_job_id: str) -> dict[str, Any]:
    """Show the schedule of a fleet job, with its next occurrences."""
    client.check(client.store.definitions.get(fleet_job_id))
    document = shown(client, saved.get(client.store, fleet_job_id))
    say_next(document)
    return document


def list_schedules(cmd: Any, client: FleetJobContext) -> list[dict[str, Any]]:
    """List the schedules, of all hubs or of the one that is typed."""
    return [shown(client, each, 1) for each in client.store.schedules.list_all() if client.means(each.host)]


def history(cmd: Any, client: FleetJobContext, fleet_job_id: str, our_top: int = 100) -> list[dict[str, Any]]:
    """List what became of the occurrences of a fleet job and of their runs, the newest first."""
    client.check(client.store.definitions.get(fleet_job_id))
    at_least(our_top, 1, "--top")
    stored = client.store.schedules.get(fleet_job_id)  # it may have been removed
    zone = zone_of("UTC" if stored is None else stored.schedule.zone)
    found = client.store.occurrences.list_all(fleet_job_id, our_top)
    if found and found[0].state is OccurrenceState.SKIPPED:
        say_what_to_do(client, fleet_job_id)
    return [render_listed(each, zone, _run_of(client, each)) for each in found]


def _run_of(context: FleetJobContext, occurrence: Occurrence) -> Run | None:
    if occurrence.run_number is None or occurrence.run_state is None:
        return None
    try:
        return context.store.runs.get(occurrence.fleet_job_id, occurrence.run_number)
    except NotFound:  # its record was deleted meanwhile
        return None


def shown(context: FleetJobContext, stored: StoredSchedule, count: int = SHOWN_NEXT) -> dict[str, Any]:
    """A schedule as it is shown. count: of its next occurrences."""
    job, now = stored.fleet_job_id, CLOCK.now()
    occurrences = context.store.occurrences
    last_at = occurrences.last_at(job)
    zone = zone_of(stored.schedule.zone)
    opens = opens_at(stored.schedule, now)
    recorded = occurrences.list_all(job)
    counts = Counter(each.state for each in recorded)
    return {
        **render_schedule(stored, next_occurrences(stored, last_at, now, count), zone),
        "description": described(stored.schedule.rule),
        "delaySeconds": delay_of(stored).total_seconds(),
        "windowOpens": None if opens is None else render_both(opens, zone),
        "last": render_occurrence(recorded[0], zone) if recorded else None,
        "counts": {each.value: counts[each] for each in OccurrenceState},
    }


def say_next(document: Mapping[str, Any]) -> None:
    """Say the next occurrences, in the schedule's zone and in UTC, on stderr."""
    lines = [
        f"{each['local'][:16].replace('T', ' ')} {each['zone']} ({each['utc'][:16].replace('T', ' ')} UTC)"
        for each in document["next"]
    ]
    if not lines:
        logger.warning("It has ended: there is no further occurrence.")
        return
    what = f"{document['description']}, {document['timeZone']}"
    if document["delaySeconds"]:
        what += f", each {timedelta(seconds=document['delaySeconds'])} later"
    logger.warning("%s. Next:\n%s", what, "\n".join(f"  {line}" for line in lines))
