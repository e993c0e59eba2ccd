"""Tab completion of job ids, device ids and local hubs.

A completer is quiet: whatever goes wrong, there is simply nothing to offer. It asks the hub that the line so far names,
for at most TIME_LIMIT_S, and never signs anybody in.
"""

import threading
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from azure.cli.core.decorators import Completer

MAX_OFFERED = 100  # one page of the hub's
TIME_LIMIT_S = 2.0  # a person waits with the finger on the key

HUB_ARGUMENTS = ("hub", "hub_login", "hub_group", "hub_auth")


@Completer
def job_ids(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Ids of the hub's jobs."""
    return _offered(prefix, lambda: (job.job_id for job in _client(cmd, namespace).jobs.query()))


@Completer
def device_ids(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Ids of registered devices."""
    from azext_iotjobs.model.query import quoted

    condition = f" WHERE STARTSWITH(deviceId, {quoted(prefix)})" if prefix else ""
    query = f"SELECT deviceId FROM devices{condition}"

    def rows() -> Iterable[str]:
        return (str(row.get("deviceId")) for row in _client(cmd, namespace).queries.run(query, top=MAX_OFFERED))

    return _offered(prefix, rows)


@Completer
def fleet_job_ids(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Ids of the fleet jobs that are kept, of the hub that the line names if it names one."""

    def ids() -> Iterable[str]:
        place = _fleet_place(cmd, namespace)
        return (job.fleet_job_id for job in place.store.definitions.list_all() if place.means(job.host))

    return _offered(prefix, ids)


@Completer
def device_groups(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Names of the device groups that are kept, in the same way."""

    def names() -> Iterable[str]:
        place = _fleet_place(cmd, namespace)
        return dict.fromkeys(group.name for group in place.store.groups.list_all() if place.means(group.host))

    return _offered(prefix, names)


@Completer
def hub_names(_cmd: Any, prefix: str, _namespace: Any) -> list[str]:
    """The names under which local hubs can be reached now."""
    from azext_iotjobs.cli.hub_access.running_hubs import running_hubs

    return _offered(prefix, lambda: dict.fromkeys(["localhost", *(hub.selector for hub in running_hubs())]))


@Completer
def https_ports(_cmd: Any, prefix: str, _namespace: Any) -> list[str]:
    """The HTTPS ports of local hubs that run now."""
    from azext_iotjobs.cli.hub_access.running_hubs import running_hubs

    return _offered(prefix, lambda: [str(hub.https_port) for hub in running_hubs()])


def _client(cmd: Any, namespace: Any) -> Any:
    """The client of the hub that the line so far names; of a local-hub command, the one that runs."""
    from azext_iotjobs.cli.hub_access.resolve import open_client

    typed = {name: getattr(namespace, name, None) for name in HUB_ARGUMENTS}
    if hasattr(namespace, "secure_port"):
        from azext_iotjobs.cli.hub_access.running_hubs import pick_typed

        typed["hub"] = pick_typed(typed["hub"], namespace.secure_port).selector
    return open_client(cmd.cli_ctx, typed, changes=False)


def _offered(prefix: str, find: Callable[[], Iterable[str]]) -> list[str]:
    """What `find` gives within the time limit and fits; [] when it fails."""
    from knack.util import CLIError

    from azext_iotjobs.model.errors import IotJobsError

    found: list[str] = []

    def look() -> None:
        try:
            fitting = (each for each in find() if each.startswith(prefix) and each.isprintable())
            found.extend(islice(fitting, MAX_OFFERED))
        except (IotJobsError, CLIError, OSError, ValueError):
            return

    # az leaves with os._exit once it has written what is offered: a thread that still waits holds up nobody.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(TIME_LIMIT_S)
    return list(found)


def _fleet_place(cmd: Any, namespace: Any) -> Any:
    from azext_iotjobs.cli.fleet_job.context import HUB_ARGUMENTS as ALL_ARGUMENTS
    from azext_iotjobs.cli.fleet_job.context import Access, FleetPlace

    typed = {name: getattr(namespace, name, None) for name in ALL_ARGUMENTS}
    return FleetPlace(cmd.cli_ctx, typed, getattr(namespace, "state_path", None), None, Access.READ)
