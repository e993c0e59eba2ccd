"""Handlers of az iot hub fleet-job schedule set | remove. Nothing is sent to a hub."""

import secrets
from collections.abc import Sequence
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.schedule.documents import render_occurrence
from azext_iotjobs.cli.fleet_job.schedule.options import ScheduleOptions
from azext_iotjobs.cli.fleet_job.schedule.read import CLOCK, SHOWN_NEXT, say_next, shown
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.fleet_job import plan
from azext_iotjobs.fleet_job.calendar import zone_of
from azext_iotjobs.fleet_job.due import delay_of, is_open, next_occurrences
from azext_iotjobs.fleet_job.store.holder import current_user
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.occurrence import Occurrence, StoredSchedule
from azext_iotjobs.model.schedule import Rule
from azext_iotjobs.operations.fleet_job.schedule import saved
from azext_iotjobs.operations.fleet_job.schedule.saved import SetSchedule

logger = get_logger(__name__)

DAYS_OF_SHORT_MONTHS = 28


@takes_option_groups
def set_schedule(cmd: Any, client: FleetJobContext, fleet_job_id: str, *, schedule: ScheduleOptions) -> dict[str, Any]:
    """Set the schedule of a fleet job, in place of the one that it had."""
    client.check(client.store.definitions.get(fleet_job_id))
    wanted = schedule.schedule()
    done = saved.set_schedule(
        client.store, fleet_job_id, wanted, by=current_user(), at=CLOCK.now(), new_key=new_store_key
    )
    warn_of_set(done)
    if not done.is_new:
        logger.warning("The schedule is as it was.")
    document = shown(client, done.stored)
    say_next(document)
    if done.is_new:
        say_who_starts()
    return document


def remove(cmd: Any, client: FleetJobContext, fleet_job_id: str) -> dict[str, Any]:
    """Remove the schedule of a fleet job; what is recorded of its occurrences stays."""
    job = client.store.definitions.get(fleet_job_id)
    client.check(job)
    zone = zone_of(saved.get(client.store, fleet_job_id).schedule.zone)
    missed = saved.remove(client.store, fleet_job_id, by=current_user(), at=CLOCK.now())
    warn_of_removed(client, fleet_job_id, missed)
    return {"id": fleet_job_id, "removed": True, "missed": [render_occurrence(each, zone) for each in missed]}


def warn_of_set(done: SetSchedule) -> None:
    """Warn of what was missed by the schedule before, and of what people may not expect of the one that was set."""
    warn_of_missed(done.missed)
    _warn_of_short_months(done.stored.schedule.rule)
    _warn_of_shut_windows(done.stored)


def warn_of_removed(context: FleetJobContext, fleet_job_id: str, missed: Sequence[Occurrence]) -> None:
    """Warn of what nothing starts or continues any more. missed: what was due by the schedule that was removed."""
    warn_of_missed(missed)
    run = context.store.runs.last(fleet_job_id)
    if run is not None and run.occurrence_at is not None and not run.state.has_ended:
        resume = suggestion("iot hub fleet-job resume", fleet_job_id=fleet_job_id)
        logger.warning("%s is %s; no schedule continues it any more: %s", run.name, run.state.value, resume)


def say_who_starts() -> None:
    """Say that a schedule needs something that looks for due occurrences."""
    due = suggestion("iot hub fleet-job schedule run-due")
    logger.warning("Nothing starts by itself: have this called every few minutes, as `schedule export` does: %s", due)


def new_store_key() -> str:
    """Random letters that tell this store's claims on the hub from those of others."""
    return plan.run_key([secrets.randbelow(len(plan.RUN_KEY_LETTERS)) for _ in range(plan.RUN_KEY_LENGTH)])


def warn_of_missed(missed: Sequence[Occurrence]) -> None:
    """Warn of what was due by a schedule that was replaced or removed, and had not started."""
    for each in missed:
        logger.warning("%s was due and had not started: it is recorded as missed.", render_instant(each.at))


def _warn_of_short_months(rule: Rule) -> None:
    days = [str(each) for each in rule.month_days if each > DAYS_OF_SHORT_MONTHS]
    if days:
        logger.warning("Months without a day %s are passed over; `last` is the last day of each.", ", ".join(days))


def _warn_of_shut_windows(stored: StoredSchedule) -> None:
    """Say when the window is shut as an occurrence of a cron expression is due; other rules are refused then."""
    schedule, delay = stored.schedule, delay_of(stored)
    for at in next_occurrences(stored, None, CLOCK.now(), SHOWN_NEXT):
        if not is_open(schedule, at + delay):
            logger.warning(
                "Its window %s is shut at %s, when it is due: it starts once that opens, if it is not missed by then.",
                schedule.window,
                render_instant(at + delay),
            )
            return
