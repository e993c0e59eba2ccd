"""MessagesClient: what services do with cloud-to-device messages over REST; sending goes over AMQP alone."""

from typing import Any

from azext_iotjobs.clients.request_parts import identity_path
from azext_iotjobs.clients.response import document
from azext_iotjobs.transport.http import Request, Transport


class MessagesClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def purge(self, device_id: str) -> Any:
        """Remove all messages that wait for a device; gives the hub's document of how many there were."""
        path = f"{identity_path(device_id)}/commands"
        return document(self._transport.send(Request(method="DELETE", path=path, may_repeat=True)))
