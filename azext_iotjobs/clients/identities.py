"""IdentitiesClient: /devices, the registry."""

from typing import Any
from urllib.parse import quote

from azext_iotjobs.clients import codec
from azext_iotjobs.clients.answer import document
from azext_iotjobs.clients.etags import if_match
from azext_iotjobs.model.identity import DeviceIdentity, NewIdentity
from azext_iotjobs.transport.http import Request, Transport


class IdentitiesClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, device_id: str) -> DeviceIdentity:
        """A device's record. Raises NotFound and other HubAnswers, LinkError."""
        get = Request(method="GET", path=_path(device_id), may_repeat=True)
        return codec.parse_identity(document(self._transport.send(get)))

    def create(self, new: NewIdentity) -> DeviceIdentity:
        """Register a device. Raises Conflict when its id is taken: no If-Match means "create only"."""
        put = Request(method="PUT", path=_path(new.device_id), body=codec.render_new_identity(new), has_body=True)
        return codec.parse_identity(document(self._transport.send(put)))

    def replace(self, device_id: str, record: dict[str, Any], *, etag: str) -> DeviceIdentity:
        """Replace a device's record, if it still has `etag` (* is any). Raises Conflict when it has not.

        record: the whole document; keys that it leaves out are made anew by the hub.
        """
        put = Request(method="PUT", path=_path(device_id), headers=if_match(etag), body=record, has_body=True)
        return codec.parse_identity(document(self._transport.send(put)))

    def delete(self, device_id: str, *, etag: str) -> None:
        """Remove a device and its twin, if it still has `etag` (* is any)."""
        document(self._transport.send(Request(method="DELETE", path=_path(device_id), headers=if_match(etag))))


def _path(device_id: str) -> str:
    return f"/devices/{quote(device_id, safe='')}"
