"""BulkClient: POST /devices, many changes of the registry in one request, each with its own success or failure."""

from collections.abc import Mapping, Sequence
from typing import Any

from azext_iotjobs.clients import bulk_codec
from azext_iotjobs.clients.response import document
from azext_iotjobs.model.bulk import BulkResult, IdentityChange, NewDevice
from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.transport.http import Request, Transport

TELLS_EACH = (200, 400)  # all, or not all: the body says what became of each


class BulkClient:
    """One method, one kind of change, of at most MAX_IN_BULK devices; each device may be named once.

    A request whose answer was lost is sent again. What it did the first time is then told as a failure: a device that
    was to be made is there already, one that was to be removed is gone.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, new: Sequence[NewDevice], *, may_repeat: bool = True) -> BulkResult:
        """Register devices that are not there yet.

        may_repeat: False for callers who have to know whether a request may have been carried out before.
        Raises HubAnswer when the whole was refused; LinkError.
        """
        return self._post([bulk_codec.render_creation(each) for each in new], may_repeat=may_repeat)

    def change(self, changes: Sequence[IdentityChange]) -> BulkResult:
        """Change the identities of devices that are as they were read. Raises as `create`."""
        return self._post([bulk_codec.render_change(each) for each in changes])

    def delete(self, etags: Mapping[str, str]) -> BulkResult:
        """Remove devices and their twins whose identities still have these etags. Raises as `create`."""
        return self._post([bulk_codec.render_deletion(name, etag) for name, etag in etags.items()])

    def set_tags(self, tags: Mapping[str, Mapping[str, Any]]) -> BulkResult:
        """Merge tags into twins, by device. Raises as `create`."""
        return self._post([bulk_codec.render_tags(each, of_device) for each, of_device in tags.items()])

    def _post(self, items: list[dict[str, Any]], *, may_repeat: bool = True) -> BulkResult:
        post = Request(method="POST", path="/devices", body=items, has_body=True, may_repeat=may_repeat)
        response = self._transport.send(post)
        if response.status in TELLS_EACH and (result := bulk_codec.read_bulk_result(response.body)) is not None:
            return result
        document(response)  # raises what the status stands for
        raise HubFault("The hub's answer does not say what happened to the devices.", status=response.status)
