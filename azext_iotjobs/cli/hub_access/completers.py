"""Tab completion of hubs and devices, and what every completer needs.

A completer is silent: whatever goes wrong, it offers nothing. It queries the hub that the command line names so far,
for at most TIME_LIMIT_S, and never signs anybody in.
"""

import threading
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from azure.cli.core.decorators import Completer

MAX_OFFERED = 100  # one page of the hub's
TIME_LIMIT_S = 2.0  # a person is waiting for it

Complete = Callable[[Any, str, Any], list[str]]  # az's command, what is typed so far, all that is typed -> offers

HUB_ARGUMENTS = ("our_hub_name", "our_login", "resource_group", "auth_type")


def completer(complete: Complete) -> Complete:
    """Make a function an az completer; az's own decorator has no types."""
    decorated: Complete = Completer(complete)
    return decorated


@completer
def hub_names(_cmd: Any, prefix: str, _namespace: Any) -> list[str]:
    """The names under which local hubs can be reached now."""
    from azext_iotjobs.cli.hub_access.running_hubs import running_hubs

    def names() -> Iterable[str]:
        hubs = running_hubs()
        plain = ["localhost"] if len(hubs) < 2 else []  # of several it would not say which
        return dict.fromkeys([*plain, *(hub.selector for hub in hubs)])

    return offered(prefix, names)


@completer
def device_ids(cmd: Any, prefix: str, namespace: Any) -> list[str]:
    """Ids of registered devices."""
    from azext_iotjobs.model.query import quoted

    condition = f" WHERE STARTSWITH(deviceId, {quoted(prefix)})" if prefix else ""
    query = f"SELECT deviceId FROM devices{condition}"

    def rows() -> Iterable[str]:
        return (str(row.get("deviceId")) for row in client_for(cmd, namespace).queries.run(query, top=MAX_OFFERED))

    return offered(prefix, rows)


def client_for(cmd: Any, namespace: Any) -> Any:
    """A client of the hub that the command line names so far; for a local-hub command, of the hub that runs."""
    from azext_iotjobs.cli.hub_access.resolve import open_client

    typed = {name: getattr(namespace, name, None) for name in HUB_ARGUMENTS}
    if hasattr(namespace, "https_port"):
        from azext_iotjobs.cli.hub_access.running_hubs import pick_typed

        typed["our_hub_name"] = pick_typed(typed["our_hub_name"], namespace.https_port).selector
    return open_client(cmd.cli_ctx, typed, changes=False)


def offered(prefix: str, find: Callable[[], Iterable[str]]) -> list[str]:
    """What `find` gives within the time limit that begins with `prefix`; [] when it fails."""
    from knack.util import CLIError

    from azext_iotjobs.model.errors import IotJobsError

    found: list[str] = []

    def search() -> None:
        try:
            fitting = (each for each in find() if each.startswith(prefix) and each.isprintable())
            found.extend(islice(fitting, MAX_OFFERED))
        except (IotJobsError, CLIError, OSError, ValueError):
            pass  # nothing is offered

    # az ends with os._exit once it has written the offers: a thread that still waits delays nothing.
    thread = threading.Thread(target=search, daemon=True)
    thread.start()
    thread.join(TIME_LIMIT_S)
    return list(found)
