"""What a device says when it connects by MQTT, and what comes back; the seam that a double stands in for."""

from collections.abc import Sequence
from dataclasses import field
from typing import Protocol

from azext_iotjobs.model.device_credentials import DeviceCertificate
from azext_iotjobs.model.errors import LinkError
from azext_iotjobs.model.late_dataclass import dataclass


@dataclass(frozen=True, kw_only=True)
class MqttLogin:
    """What a device says in CONNECT, and what it shows before."""

    client_id: str
    username: str
    password: str | None = field(repr=False)  # None: none is sent
    certificate: DeviceCertificate | None = None


@dataclass(frozen=True)
class Connected:
    """The hub took the device."""

    device: str


@dataclass(frozen=True)
class Refused:
    """The hub said no in CONNACK."""

    device: str
    code: int  # MQTT 3.1.1's: 1 protocol, 2 client id, 3 busy, 4 bad credentials, 5 not authorised


@dataclass(frozen=True)
class Failed:
    """No connection came about; `error` says why."""

    device: str
    error: LinkError


@dataclass(frozen=True)
class Lost:
    """The connection ended without our asking."""

    device: str


@dataclass(frozen=True)
class Arrived:
    """A message from the hub."""

    device: str
    topic: str
    payload: bytes


@dataclass(frozen=True)
class Acknowledged:
    """The hub acknowledged the SUBSCRIBE or the QoS 1 PUBLISH that had this number."""

    device: str
    number: int


Event = Connected | Refused | Failed | Lost | Arrived | Acknowledged


class DeviceLinks(Protocol):
    """The seam: the connections of one hub's devices. One loop calls everything."""

    def connect(self, device: str, login: MqttLogin) -> None:
        """Begin to connect a device, or connect it again; its end is a Connected, Refused or Failed event."""

    def subscribe(self, device: str, filters: Sequence[str]) -> int:
        """Ask for the topics of `filters`; gives the number that an Acknowledged event will carry.

        Raises BadValue for what MQTT cannot carry.
        """

    def publish(self, device: str, topic: str, payload: bytes, *, qos: int) -> int | None:
        """Send a message; one of QoS 1 is kept and sent again until its Acknowledged event, over reconnects too.

        Gives its number; None: it was not taken, as too many wait already.
        Raises BadValue for what MQTT cannot carry.
        """

    def drop(self, device: str) -> None:
        """Say DISCONNECT and close, or stop connecting; what is not yet acknowledged is kept for the next time."""

    def receive(self, timeout_s: float) -> list[Event]:
        """Wait for at most `timeout_s` (>= 0) seconds, or until something happened; give what happened."""
