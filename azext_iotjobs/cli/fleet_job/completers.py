"""Tab completion of fleet jobs and device groups."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.hub_access.completers import HUB_ARGUMENTS, completer, offered


@completer
def fleet_job_ids(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Ids of the saved fleet jobs, of the hub that the line names if it names one."""

    def ids() -> Iterable[str]:
        context = _context(cmd, namespace)
        return (job.fleet_job_id for job in context.store.definitions.list_all() if context.means(job.host))

    return offered(prefix, ids)


@completer
def waiting_fleet_job_ids(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Ids of those whose last run waits at the gates of a batch."""

    def ids() -> Iterable[str]:
        context = _context(cmd, namespace)
        for job in context.store.definitions.list_all():
            run = context.store.runs.last(job.fleet_job_id)
            batch = None if run is None or not context.means(job.host) else context.store.runs.current_batch(run)
            if batch is not None and batch.gates is not None:
                yield job.fleet_job_id

    return offered(prefix, ids)


@completer
def device_groups(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Names of the saved device groups, in the same way."""

    def names() -> Iterable[str]:
        context = _context(cmd, namespace)
        return dict.fromkeys(group.name for group in context.store.groups.list_all() if context.means(group.host))

    return offered(prefix, names)


def _context(cmd: Any, namespace: Any) -> Any:
    from azext_iotjobs.cli.fleet_job.context import STORE_OPTIONS, FleetJobContext, team_store_of
    from azext_iotjobs.fleet_job.store.contract import Access

    typed = {name: getattr(namespace, name, None) for name in HUB_ARGUMENTS}
    folder = getattr(namespace, "state_dir", None)
    team = team_store_of(cmd.cli_ctx, {name: getattr(namespace, name, None) for name in STORE_OPTIONS}, folder)
    return FleetJobContext(cmd.cli_ctx, typed, folder, None, Access.READ, team=team)
