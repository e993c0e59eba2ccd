"""What connections of devices need of the hub, as a protocol; `DeviceService` implements it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from azext_iotjobs.localhub.engine.event_log import OnStored
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod, DeviceMessage, Sender
from azext_iotjobs.localhub.rules.json_values import Json


class DeviceBackend(Protocol):
    """What the hub does for the connection of a device."""

    quotas: Quotas | None  # None: devices are not limited

    def authenticate(self, address: Address, host: str, token: str, certificates: Sequence[bytes]) -> datetime:
        """When its session ends, by the clock's `session_now`. Raises HubError when the device may not connect.

        host: the hub's name as the device gave it.  token: empty when it gives none.
        certificates: DER, the device's own first; not verified yet.
        """

    def stored_filters(self, address: Address) -> Mapping[str, int] | None:
        """The subscriptions of the device's last session, with their QoS; None when there is none."""

    def store_filters(self, address: Address, filters: dict[str, int] | None) -> None:
        """Store a device's subscriptions for its next session; None removes them."""

    def connected(self, address: Address, model_id: str | None) -> None:
        """A device is online; model_id: the model that it announces, if any."""

    def disconnected(self, address: Address) -> None:
        """A device is offline."""

    def subscriptions_changed(self, address: Address) -> None:
        """A device has subscribed or unsubscribed."""

    def message_acknowledged(self, address: Address, token: str) -> None:
        """A device has acknowledged the message that was delivered under the lock token."""

    def sender(self, address: Address, auth_method: AuthMethod, model_id: str | None = None) -> Sender:
        """A device that was authenticated, as its events name it; model_id: as of `connected`."""

    def telemetry(self, sender: Sender, messages: Sequence[DeviceMessage], on_stored: OnStored) -> None:
        """A device sent messages; `on_stored` is called once, with None when they may be acknowledged."""

    def twin_document(self, address: Address) -> Json:
        """The twin as its device reads it. Raises HubError."""

    def patch_reported(self, address: Address, patch: Json) -> int:
        """Merge reported properties; gives the new $version. Raises HubError."""
