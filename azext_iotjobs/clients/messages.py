"""MessagesClient: what services do with cloud-to-device messages over REST; sending goes over AMQP alone."""

from typing import Any
from urllib.parse import quote

from azext_iotjobs.clients.answer import document
from azext_iotjobs.transport.http import Request, Transport


class MessagesClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def purge(self, device_id: str) -> Any:
        """Remove all messages that wait for a device; gives the hub's document of how many there were."""
        path = f"/devices/{quote(device_id, safe='')}/commands"
        return document(self._transport.send(Request(method="DELETE", path=path, may_repeat=True)))
