"""The operations that devices use: authentication, telemetry, their twin, their messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from azext_iotjobs.localhub.auth.authenticator import Authenticator
from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.event_log import EventLog, OnStored
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.engine.twin_service import TwinService
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod, DeviceMessage, Sender
from azext_iotjobs.localhub.rules.twin import Section
from azext_iotjobs.localhub.store.identities import CONNECTED, DISCONNECTED, Identities
from azext_iotjobs.localhub.store.sessions import Filters, Sessions


class DeviceService:
    """What the hub does for the connection of a device; `quotas` is None when devices are not limited."""

    def __init__(
        self,
        authenticator: Authenticator,
        identities: Identities,
        sessions: Sessions,
        twins: TwinService,
        c2d_queue: C2dQueue,
        events: EventLog,
        clock: HubClock,
        quotas: Quotas | None = None,
    ) -> None:
        self.quotas = quotas
        self._authenticator = authenticator
        self._identities = identities
        self._sessions = sessions
        self._twins = twins
        self._c2d_queue = c2d_queue
        self._events = events
        self._clock = clock

    def authenticate(self, address: Address, host: str, token: str, certificates: Sequence[bytes]) -> datetime:
        """When its session ends, by the clock's `session_now`. Raises HubError when the device may not connect.

        host: the hub's name as the device gave it.  token: empty when it gives none.
        certificates: DER, the device's own first; not verified yet.
        """
        return self._authenticator.authenticate_device(address, host, token, certificates)

    def stored_filters(self, address: Address) -> Filters | None:
        """The subscriptions of the device's last session; None when there is none."""
        return self._sessions.get(address)

    def store_filters(self, address: Address, filters: Filters | None) -> None:
        """Store the device's subscriptions for its next session; None removes them."""
        if filters is None:
            self._sessions.delete(address)
        else:
            self._sessions.save(address, filters)

    def connected(self, address: Address, model_id: str | None) -> None:
        """The device is online; model_id: the model that it announces, if any."""
        if model_id is not None:
            self.announce_model(address, model_id)
        self._identities.presence.note_connection(address, CONNECTED, self._now())
        self._c2d_queue.deliver(address)

    def announce_model(self, address: Address, model_id: str) -> None:
        """The device announces its model."""
        self._identities.set_model(address, model_id)

    def disconnected(self, address: Address) -> None:
        """The device is offline."""
        self._identities.presence.note_connection(address, DISCONNECTED, self._now())
        self._c2d_queue.release(address)

    def subscriptions_changed(self, address: Address) -> None:
        """The device has subscribed or unsubscribed: queued messages may go out now."""
        self._c2d_queue.deliver(address)

    def message_acknowledged(self, address: Address, token: str) -> None:
        """The device has acknowledged the message that was delivered under the lock token."""
        self._c2d_queue.acknowledge(address, token)

    def sender(self, address: Address, auth_method: AuthMethod, model_id: str | None = None) -> Sender:
        """A device that was authenticated, as its events name it.

        model_id: the model that it announces, if any. Raises StoreUnavailable, StoreDamaged.
        """
        identity = self._identities.get(address)
        return Sender(
            address=address,
            auth_method=auth_method,
            generation_id="" if identity is None else identity.generation_id,
            model_id=model_id,
        )

    def telemetry(self, sender: Sender, messages: Sequence[DeviceMessage], on_stored: OnStored) -> None:
        """The device sent messages, of which all or none are stored.

        on_stored: called once, when they may be acknowledged, with None; otherwise with why they are not stored.
        """
        now = self._clock.now()
        self._events.append(sender, messages, now, on_stored)
        self._identities.presence.note_activity(sender.address, render(now))

    def twin_document(self, address: Address) -> dict[str, Any]:
        """The twin as its device reads it: properties and versions, no metadata, no tags. Raises HubError."""
        twin = self._twins.get(address)
        return {"desired": _with_version(twin.desired), "reported": _with_version(twin.reported)}

    def patch_reported(self, address: Address, patch: Any) -> int:
        """Merge reported properties; gives the new $version. Raises HubError."""
        return self._twins.patch_reported(address, patch)

    def _now(self) -> str:
        return render(self._clock.now())


def _with_version(section: Section) -> dict[str, Any]:
    return {**section.data, "$version": section.version}
