"""Handler of az iot hub fleet-job store copy."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.job_form.typed import schedule_options, words
from azext_iotjobs.cli.fleet_job.schedule.read import CLOCK
from azext_iotjobs.cli.fleet_job.team_store import configured_team_store, open_team_store
from azext_iotjobs.cli.input.option_groups import option_of_dest
from azext_iotjobs.cli.output import hints
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.postgres.place import database_name, is_place, parse_place
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.fleet_job import check_id
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.text import MAX_NAMES, Command, command
from azext_iotjobs.operations.fleet_job.store_copy import (
    COPY_FROM,
    COPY_TO,
    STORES,
    CopiedJob,
    StoreCopy,
    errors_of,
)

logger = get_logger(__name__)


def copy(
    cmd: Any,
    client: FleetJobContext,
    copy_from: str,
    copy_to: str,
    copied_jobs: list[str] | None = None,
    without_schedules: bool = False,
) -> list[dict[str, Any]]:
    """Copy fleet jobs from one store into another; gives what was copied."""
    if copy_from.strip() == copy_to.strip():
        raise ConflictingChoice("--from and --to name the same store.")
    ids = [check_id(each, "--fleet-job-id") for each in copied_jobs or ()]
    hints.know(STORES[COPY_FROM], lambda: _named(copy_from))
    hints.know(STORES[COPY_TO], lambda: _named(copy_to))
    access = Access.READ if without_schedules else Access.CHANGE
    copied: list[CopiedJob] = []
    source = _opened(cmd.cli_ctx, copy_from, COPY_FROM, access)
    try:
        copying = StoreCopy(source, not without_schedules, _set_again, CLOCK.now)
        jobs = copying.chosen(ids)
        target = _opened(cmd.cli_ctx, copy_to, COPY_TO, Access.MAKE)
        try:
            copied.extend(copying.into(target, jobs, _name_of(copy_to)))
        finally:
            target.close()
            _warn_of_moved([each.fleet_job_id for each in copied if each.has_schedule], copy_from, copy_to)
    finally:
        source.close()
    return [
        {"id": each.fleet_job_id, "hub": each.host, "runs": each.run_count, "hasSchedule": each.has_schedule}
        for each in copied
    ]


def _opened(cli_ctx: Any, place: str, field: str, access: Access) -> SqlStore:
    """The store at a URL or in a folder. Raises BadValue for one that has to be there and is not."""
    with errors_of(field):
        if is_place(place):
            store: SqlStore = open_team_store(cli_ctx, configured_team_store(cli_ctx, place), access)
        else:
            if not place.strip():
                raise BadValue("It is empty.", hint="Name a folder, or a URL that begins with postgresql://")
            if access is not Access.MAKE and not (Path(place) / FILE_NAME).exists():
                raise BadValue(f"{place}: there are no fleet jobs in that folder.")
            store = SqliteStore.open(Path(place), access)
        if access is not Access.MAKE and not store.database.is_there:
            store.close()
            raise BadValue(f"{place}: nobody has made a store there.")
    return store


def _name_of(place: str) -> str:
    """What tells a store from others, whoever signs in to it, and wherever this is typed."""
    return database_name(parse_place(place)) if is_place(place) else os.path.realpath(place)


def _named(place: str) -> tuple[str, ...]:
    """The words that name a store in a command."""
    return hints.typed_in({"store": place}).store if is_place(place) else ("--state-dir", place)


def _set_again(stored: StoredSchedule) -> Command:
    options = words(schedule_options(stored.schedule))
    typed = [word for dest, values in options for word in (option_of_dest(dest), *values)]
    return command("iot hub fleet-job schedule set", *typed, fleet_job_id=stored.fleet_job_id, store=STORES[COPY_FROM])


def _warn_of_moved(ids: Sequence[str], copy_from: str, copy_to: str) -> None:
    if not ids:
        return
    more = f" and {len(ids) - MAX_NAMES} more" if len(ids) > MAX_NAMES else ""
    logger.warning(
        "Schedules that have moved from %s, and are in %s alone now: %s%s.",
        copy_from,
        copy_to,
        ", ".join(ids[:MAX_NAMES]),
        more,
    )
    due = hints.suggestion("iot hub fleet-job schedule run-due", store=STORES[COPY_TO])
    logger.warning("What is due there is started by: %s", due)
