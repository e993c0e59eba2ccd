"""AMQP 1.0 as values: where a connection goes, what it signs in with, messages. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, NamedTuple

from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.target import AMQP_PORT, HTTPS_PORT, HubTarget

HUB_WEBSOCKET_PATH = "/$iothub/websocket"
EVENT_HUB_WEBSOCKET_PATH = "/$servicebus/websocket"


class AmqpEndpoint(NamedTuple):
    """A server that speaks AMQP over TLS, directly and in a WebSocket."""

    host: str  # its name, without a port
    port: int = AMQP_PORT
    https_port: int = HTTPS_PORT  # for the WebSocket
    websocket_path: str = HUB_WEBSOCKET_PATH
    ca_file: str | None = None  # PEM file to trust; None: what this machine trusts
    is_websocket: bool = False

    @property
    def authority(self) -> str:
        """Host and port that a connection goes to, for messages."""
        return f"{self.host}:{self.https_port if self.is_websocket else self.port}"


def endpoint_of(target: HubTarget) -> AmqpEndpoint:
    """Where services reach a hub by AMQP."""
    return AmqpEndpoint(target.host, target.amqp_port, target.https_port, ca_file=target.ca_file)


class AmqpToken(NamedTuple):
    """A token for `$cbs`."""

    text: str
    expires_at: int  # Unix seconds

    def __repr__(self) -> str:
        return f"AmqpToken(expires_at={self.expires_at})"


@dataclass(frozen=True, kw_only=True)
class AmqpLogin:
    """What a connection signs in with: tokens, each for as long as it lasts.

    kind: the type of the tokens, as `$cbs` has it.  audience: what they are for.
    fetch: gives a token that is valid for some minutes at least; asked again when that one nears its end.
    """

    kind: str
    audience: str
    fetch: Callable[[], AmqpToken] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class AmqpMessage:
    """A message; texts are str, whichever of AMQP's types they had."""

    body: bytes = field(default=b"", repr=False)
    properties: Mapping[str, Any] = field(default_factory=dict)  # those that are there, such as message_id
    application: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """Where a link that was refused is to be opened instead."""

    host: str
    port: int
    address: str  # an URL, amqps://host:port/node, or a node alone
