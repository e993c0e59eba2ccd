"""What devices ask of the hub over MQTT."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from azext_iotjobs.localhub.address import Address
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.gate import Gate
from azext_iotjobs.localhub.engine.twins import TwinDesk
from azext_iotjobs.localhub.rules.twin import Section
from azext_iotjobs.localhub.store.events import Events
from azext_iotjobs.localhub.store.identities import CONNECTED, DISCONNECTED, Identities


class DeviceDesk:
    """The hub, as a device's connection sees it."""

    def __init__(
        self, gate: Gate, identities: Identities, twins: TwinDesk, events: Events, clock: HubClock
    ) -> None:  # fmt: skip
        self._gate = gate
        self._identities = identities
        self._twins = twins
        self._events = events
        self._clock = clock

    def admit(self, address: Address, host: str, token: str) -> datetime:
        """The end of the device's token. Raises HubError when it may not come in."""
        return self._gate.admit_device(address, host, token)

    def connected(self, address: Address) -> None:
        """The device is on line."""
        self._identities.note_connection(address.device_id, CONNECTED, self._now())

    def disconnected(self, address: Address) -> None:
        """The device is off line."""
        self._identities.note_connection(address.device_id, DISCONNECTED, self._now())

    def telemetry(self, address: Address, properties: Mapping[str, str | None], body: bytes) -> None:
        """The device sent a message."""
        now = self._now()
        self._events.add(address, properties, body, now)
        self._identities.note_activity(address.device_id, now)

    def twin_document(self, address: Address) -> dict[str, Any]:
        """The twin as its device sees it: properties and versions, no metadata, no tags. Raises HubError."""
        twin = self._twins.get(address.device_id)
        return {"desired": _seen(twin.desired), "reported": _seen(twin.reported)}

    def patch_reported(self, address: Address, patch: Any) -> int:
        """Merge reported properties; gives the new $version. Raises HubError."""
        return self._twins.patch_reported(address.device_id, patch)

    def _now(self) -> str:
        return render(self._clock.now())


def _seen(section: Section) -> dict[str, Any]:
    return {**section.data, "$version": section.version}
