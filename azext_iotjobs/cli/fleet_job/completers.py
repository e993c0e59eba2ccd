"""Tab completion of fleet jobs and device groups."""

from collections.abc import Iterable
from typing import Any

from azext_iotjobs.cli.hub_access.completers import completer, offered


@completer
def fleet_job_ids(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Ids of the fleet jobs that are kept, of the hub that the line names if it names one."""

    def ids() -> Iterable[str]:
        place = _fleet_place(cmd, namespace)
        return (job.fleet_job_id for job in place.store.fleet_jobs() if place.means(job.host))

    return offered(prefix, ids)


@completer
def device_groups(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Names of the device groups that are kept, in the same way."""

    def names() -> Iterable[str]:
        place = _fleet_place(cmd, namespace)
        return dict.fromkeys(group.name for group in place.store.groups() if place.means(group.host))

    return offered(prefix, names)


def _fleet_place(cmd: Any, namespace: Any) -> Any:
    from azext_iotjobs.cli.fleet_job.context import HUB_ARGUMENTS as ALL_ARGUMENTS
    from azext_iotjobs.cli.fleet_job.context import Access, FleetPlace

    typed = {name: getattr(namespace, name, None) for name in ALL_ARGUMENTS}
    return FleetPlace(cmd.cli_ctx, typed, getattr(namespace, "state_path", None), None, Access.READ)
