"""Handler of az iot hub fleet-job store copy."""

from pathlib import Path
from typing import Any

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.team_store import configured_team_store, open_team_store
from azext_iotjobs.fleet_job.store.contract import Access
from azext_iotjobs.fleet_job.store.postgres.place import is_place
from azext_iotjobs.fleet_job.store.sql.store import SqlStore
from azext_iotjobs.fleet_job.store.sqlite.database import FILE_NAME
from azext_iotjobs.fleet_job.store.sqlite.store import SqliteStore
from azext_iotjobs.model.errors import BadValue, ConflictingChoice
from azext_iotjobs.model.fleet_job import check_id
from azext_iotjobs.operations.fleet_job.store_copy import copy_jobs


def copy(
    cmd: Any, client: FleetJobContext, copy_from: str, copy_to: str, copied_jobs: list[str] | None = None
) -> list[dict[str, Any]]:
    """Copy fleet jobs from one store into another; gives what was copied."""
    if copy_from.strip() == copy_to.strip():
        raise ConflictingChoice("--from and --to name the same store.")
    ids = [check_id(each, "--fleet-job-id") for each in copied_jobs or ()]
    source = _opened(cmd.cli_ctx, copy_from, "--from", Access.CHANGE)
    try:
        target = _opened(cmd.cli_ctx, copy_to, "--to", Access.MAKE)
        try:
            copied = copy_jobs(source, target, ids)
        finally:
            target.close()
    finally:
        source.close()
    return [
        {"id": each.fleet_job_id, "hub": each.host, "runs": each.run_count, "hasSchedule": each.has_schedule}
        for each in copied
    ]


def _opened(cli_ctx: Any, place: str, option: str, access: Access) -> SqlStore:
    """The store at a URL or in a folder. Raises BadValue for one that has to be there and is not."""
    if is_place(place):
        store: SqlStore = open_team_store(cli_ctx, configured_team_store(cli_ctx, place), access)
    else:
        if not place.strip():
            raise BadValue(f"{option} is empty.", hint="Name a folder, or a URL that begins with postgresql://")
        if access is not Access.MAKE and not (Path(place) / FILE_NAME).exists():
            raise BadValue(f"{option} {place}: there are no fleet jobs in that folder.")
        store = SqliteStore.open(Path(place), access)
    if access is not Access.MAKE and not store.database.is_there:
        store.close()
        raise BadValue(f"{option} {place}: nobody has made a store there.")
    return store
