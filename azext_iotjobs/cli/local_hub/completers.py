"""Tab completion of local hubs' ports."""

from typing import Any

from azext_iotjobs.cli.hub_access.completers import completer, offered


@completer
def https_ports(_cmd: Any, prefix: str, _namespace: Any) -> list[str]:
    """The HTTPS ports of local hubs that run now."""
    from azext_iotjobs.cli.hub_access.running_hubs import running_hubs

    return offered(prefix, lambda: [str(hub.https_port) for hub in running_hubs()])
