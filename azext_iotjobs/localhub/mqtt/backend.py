"""What the MQTT side needs of the hub."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.json_values import Json
from azext_iotjobs.localhub.store.events import DeviceMessage


class DeviceSide(Protocol):
    """The hub, as a connection of a device sees it."""

    quotas: Quotas | None  # None: devices are not limited

    def admit(self, address: Address, host: str, token: str, certificates: Sequence[bytes]) -> datetime:
        """The end of the token or certificate, aware UTC. Raises HubError when the device may not come in.

        token: empty when it gives none.  certificates: DER, its own first; unchecked.
        """

    def kept_filters(self, address: Address) -> Mapping[str, int] | None:
        """What a device listened to when it was here last, and with which QoS; None when nothing is known."""

    def keep_filters(self, address: Address, filters: dict[str, int] | None) -> None:
        """Remember what a device listens to, for its next connection; None: nothing."""

    def connected(self, address: Address, model_id: str | None) -> None:
        """A device is on line, and announces a model or none."""

    def disconnected(self, address: Address) -> None:
        """A device is off line."""

    def listens(self, address: Address) -> None:
        """What a device listens to has changed."""

    def message_taken(self, address: Address, token: str) -> None:
        """A device has acknowledged the message that was delivered under `token`."""

    def telemetry(self, address: Address, message: DeviceMessage) -> None:
        """A device sent a message."""

    def twin_document(self, address: Address) -> Json:
        """The twin as its device sees it. Raises HubError."""

    def patch_reported(self, address: Address, patch: Json) -> int:
        """Merge reported properties; gives the new $version. Raises HubError."""
