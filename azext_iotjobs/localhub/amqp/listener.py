"""All AMQP connections of a hub."""

from azext_iotjobs.localhub.amqp.connection import Connection
from azext_iotjobs.localhub.amqp.nodes.base import HubParts
from azext_iotjobs.localhub.auth.authenticator import Authenticator


class AmqpListener:
    """Makes connections, over TCP, TLS or WebSocket, and ends them with the hub."""

    def __init__(self, hub: HubParts, authenticator: Authenticator) -> None:
        self._hub = hub
        self._authenticator = authenticator
        self._connections: set[Connection] = set()

    def new_connection(self) -> Connection:
        """The protocol of a connection that begins now."""
        return Connection(self._hub, self._authenticator, self._connections)

    def close_connections(self, reason: str = "The hub ends.") -> None:
        """Close every connection. reason: for its client."""
        for connection in list(self._connections):
            connection.close(reason)
