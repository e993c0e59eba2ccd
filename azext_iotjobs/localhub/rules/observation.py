"""What is observed of devices and services: connections, method calls, reported properties, HTTPS requests. Pure."""

from datetime import datetime
from enum import Enum
from typing import NamedTuple

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.json_values import Json
from azext_iotjobs.localhub.rules.twin import Section

IS_WEBSOCKET = "is_websocket"  # the extra information that a transport over WebSocket has
MAX_TEXT_CHARS = 512  # of a client's own text, such as a client id or a path


class ClientProtocol(Enum):
    """What a client speaks; the value is shown."""

    MQTT = "MQTT"
    MQTT_WEBSOCKET = "MQTT over WebSocket"
    AMQP = "AMQP"
    AMQP_WEBSOCKET = "AMQP over WebSocket"
    HTTPS = "HTTPS"
    TLS = "TLS"  # its handshake failed, so that nothing else is known


class ConnectionChange(Enum):
    """What has become of a connection; the value is on the wire."""

    CONNECTED = "connected"
    REFUSED = "refused"
    ENDED = "ended"


class Client(NamedTuple):
    """Who is at the other end of a connection, as far as it is known."""

    protocol: ClientProtocol
    name: str | None = None  # its own word for itself, not to be trusted: MQTT's client id, AMQP's container or user
    address: Address | None = None  # the device or module that it is, or says that it is


class ConnectionEntry(NamedTuple):
    """A device has connected, was not let in, or has gone; of services only what went wrong."""

    at: datetime
    client: Client
    change: ConnectionChange
    reason: str | None  # None for one that has connected

    @property
    def address(self) -> Address | None:
        """Whose entry it is."""
        return self.client.address


class CallState(Enum):
    """Where a method call is; the value is on the wire."""

    CALLING = "calling"  # the device has been sent it
    RESPONDED = "responded"
    TIMED_OUT = "timedOut"
    FAILED = "failed"
    CANCELLED = "cancelled"  # nobody waits for it any more: its job was cancelled, or the hub ends


class CallEntry(NamedTuple):
    """A method call that was sent to its device, or has ended."""

    at: datetime
    call_id: int  # the same in both entries of a call
    address: Address
    name: str
    payload: Json
    job_id: str | None  # the job that calls; None: an HTTPS request
    state: CallState
    duration_s: float = 0.0  # since the call was requested
    status: int | None = None  # of the device's response
    response: Json = None  # its payload
    error_code: str | None = None  # the service's name of what went wrong
    reason: str | None = None


class ReportedEntry(NamedTuple):
    """A device has changed its reported properties."""

    at: datetime
    address: Address
    patch: Json  # what it sent
    reported: Section  # all of them after that


class RequestEntry(NamedTuple):
    """An HTTPS request that was answered; without the query, in which a signature may be."""

    at: datetime
    verb: str
    path: str
    caller: str | None  # a policy or a device that was let in; None: nobody was
    address: Address | None  # the device or module in the path
    status: int
    error_code: str | None
    duration_s: float


Entry = ConnectionEntry | CallEntry | ReportedEntry | RequestEntry


def cut(text: str) -> str:
    """A client's text, not longer than MAX_TEXT_CHARS."""
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[:MAX_TEXT_CHARS]}..."
