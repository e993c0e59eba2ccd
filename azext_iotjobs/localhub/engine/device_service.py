"""What devices ask of the hub."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from azext_iotjobs.localhub.auth.authenticator import Gate
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.c2d_queue import Mailbox
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.engine.twin_service import TwinDesk
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.twin import Section
from azext_iotjobs.localhub.store.events import DeviceMessage, Events
from azext_iotjobs.localhub.store.identities import CONNECTED, DISCONNECTED, Identities
from azext_iotjobs.localhub.store.sessions import Filters, Sessions


class DeviceDesk:
    """The hub, as a device's connection sees it."""

    def __init__(
        self,
        gate: Gate,
        identities: Identities,
        sessions: Sessions,
        twins: TwinDesk,
        mailbox: Mailbox,
        events: Events,
        clock: HubClock,
        quotas: Quotas | None = None,
    ) -> None:
        self.quotas = quotas  # None: devices are not limited
        self._gate = gate
        self._identities = identities
        self._sessions = sessions
        self._twins = twins
        self._mailbox = mailbox
        self._events = events
        self._clock = clock

    def admit(self, address: Address, host: str, token: str, certificates: Sequence[bytes]) -> datetime:
        """The end of the device's token or certificate. Raises HubError when it may not come in."""
        return self._gate.admit_device(address, host, token, certificates)

    def kept_filters(self, address: Address) -> Filters | None:
        """What the device listened to when it was here last; None when nothing is known."""
        return self._sessions.get(address)

    def keep_filters(self, address: Address, filters: Filters | None) -> None:
        """Remember what the device listens to, for its next connection; None: nothing."""
        if filters is None:
            self._sessions.forget(address)
        else:
            self._sessions.keep(address, filters)

    def connected(self, address: Address, model_id: str | None) -> None:
        """The device is on line, and announces a model or none."""
        if model_id is not None:
            self._identities.note_model(address, model_id)
        self._identities.presence.note_connection(address, CONNECTED, self._now())
        self._mailbox.deliver(address)

    def disconnected(self, address: Address) -> None:
        """The device is off line."""
        self._identities.presence.note_connection(address, DISCONNECTED, self._now())
        self._mailbox.released(address)

    def listens(self, address: Address) -> None:
        """What the device listens to has changed: what waits for it may go out."""
        self._mailbox.deliver(address)

    def message_taken(self, address: Address, token: str) -> None:
        """The device has acknowledged a cloud-to-device message."""
        self._mailbox.taken(address, token)

    def telemetry(self, address: Address, message: DeviceMessage) -> None:
        """The device sent a message."""
        now = self._now()
        self._events.add(address, message, now)
        self._identities.presence.note_activity(address, now)

    def twin_document(self, address: Address) -> dict[str, Any]:
        """The twin as its device sees it: properties and versions, no metadata, no tags. Raises HubError."""
        twin = self._twins.get(address)
        return {"desired": _seen(twin.desired), "reported": _seen(twin.reported)}

    def patch_reported(self, address: Address, patch: Any) -> int:
        """Merge reported properties; gives the new $version. Raises HubError."""
        return self._twins.patch_reported(address, patch)

    def _now(self) -> str:
        return render(self._clock.now())


def _seen(section: Section) -> dict[str, Any]:
    return {**section.data, "$version": section.version}
