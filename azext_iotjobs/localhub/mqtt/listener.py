"""All MQTT connections of a hub, also of clients that have not said who they are."""

import asyncio

from azext_iotjobs.localhub.clock import HubClock
from azext_iotjobs.localhub.engine.device_backend import DeviceBackend
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.mqtt.connection import Connection


class MqttListener:
    """Makes connections, over TLS or WebSocket, and ends them with the hub."""

    def __init__(self, hub: DeviceBackend, links: Links, clock: HubClock, loop: asyncio.AbstractEventLoop) -> None:
        self._hub = hub
        self._links = links
        self._clock = clock
        self._loop = loop
        self._connections: set[Connection] = set()

    def new_connection(self) -> Connection:
        """The protocol of a connection that begins now."""
        return Connection(self._hub, self._links, self._clock, self._loop, self._connections)

    def close_connections(self) -> None:
        """Close every connection."""
        for connection in list(self._connections):
            connection.close()
