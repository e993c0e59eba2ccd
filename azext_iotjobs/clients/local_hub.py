"""LocalHubClient: what a local hub offers beyond IoT Hub's own API."""

from typing import Any

from azext_iotjobs.clients.answer import document
from azext_iotjobs.transport.http import Request, Transport


class LocalHubClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def health(self) -> Any:
        """What the hub says of itself. Raises HubAnswer when something else listens there, LinkError."""
        return document(self._transport.send(Request(method="GET", path="/_local/health", may_repeat=True)))

    def reset(self) -> None:
        """Remove all devices, twins and jobs."""
        document(self._transport.send(Request(method="POST", path="/_local/reset")))

    def stop(self) -> None:
        """Tell the hub to end."""
        document(self._transport.send(Request(method="POST", path="/_local/stop")))
