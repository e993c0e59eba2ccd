"""IdentitiesClient: /devices, the registry. A device, or with `module_id` a module of it."""

from collections.abc import Sequence
from typing import Any

from azext_iotjobs.clients import identity_codec
from azext_iotjobs.clients.request_parts import identity_path, if_match
from azext_iotjobs.clients.response import document
from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.model.identity import Identity, NewIdentity, WhichKey
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.key_renewal import Renewal
from azext_iotjobs.transport.http import Request, Transport

RENEWAL_API_VERSION = "2024-03-31"  # the first that has it; undocumented, Microsoft's own extension sends it
MAX_RENEWED = 100  # in one request
MAX_LISTED = 1000  # devices that the registry's own list has, IoT Hub REST "get devices"
BULK_ANSWERS = (200, 207, 400)  # all, some, none: the body says of each what became of it


class IdentitiesClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, device_id: str, module_id: str | None = None) -> Identity:
        """A record. Raises NotFound and other HubAnswers, LinkError."""
        get = Request(method="GET", path=identity_path(device_id, module_id), may_repeat=True)
        return identity_codec.parse_identity(document(self._transport.send(get)))

    def first_devices(self) -> list[Identity]:
        """The records of MAX_LISTED devices, or of all if there are fewer: this list has no pages."""
        listing = Request(method="GET", path="/devices", query={"top": str(MAX_LISTED)}, may_repeat=True)
        return self._records(listing)

    def modules(self, device_id: str) -> list[Identity]:
        """The records of a device's modules, all of them: a device has at most 50."""
        return self._records(Request(method="GET", path=f"{identity_path(device_id)}/modules", may_repeat=True))

    def create(self, new: NewIdentity) -> Identity:
        """Register it. Raises Conflict when its id is taken: no If-Match means "create only"."""
        path = identity_path(new.device_id, new.module_id)
        put = Request(method="PUT", path=path, body=identity_codec.render_new_identity(new), has_body=True)
        return identity_codec.parse_identity(document(self._transport.send(put)))

    def replace(self, device_id: str, record: dict[str, Any], *, etag: str, module_id: str | None = None) -> Identity:
        """Replace a record, if it still has `etag` (* is any). Raises Conflict when it has not.

        record: the whole document; keys that it leaves out are made anew by the hub.
        """
        path = identity_path(device_id, module_id)
        put = Request(method="PUT", path=path, headers=if_match(etag), body=record, has_body=True)
        return identity_codec.parse_identity(document(self._transport.send(put)))

    def delete(self, device_id: str, *, etag: str, module_id: str | None = None) -> None:
        """Remove it and its twin, if it still has `etag` (* is any)."""
        path = identity_path(device_id, module_id)
        document(self._transport.send(Request(method="DELETE", path=path, headers=if_match(etag))))

    def renew_keys(self, which: WhichKey, addresses: Sequence[Address]) -> Renewal:
        """Have the hub make keys anew, of at most MAX_RENEWED identities; each succeeds or fails by itself."""
        post = Request(
            method="POST",
            path="/devices/keys/regenerate",
            query={"api-version": RENEWAL_API_VERSION},
            body=identity_codec.render_renewal(which, addresses),
            has_body=True,
        )
        response = self._transport.send(post)
        if response.status in BULK_ANSWERS and (renewal := identity_codec.read_renewal(response.body)) is not None:
            return renewal
        document(response)  # raises what the status stands for
        raise HubFault("The hub's answer does not say which keys were renewed.", status=response.status)

    def _records(self, listing: Request) -> list[Identity]:
        response = self._transport.send(listing)
        records = document(response)
        if not isinstance(records, list):
            raise HubFault("The hub's answer is not the JSON array that was expected.", status=response.status)
        return [identity_codec.parse_identity(each) for each in records]
