"""TwinsClient: /twins. A device's, or with `module_id` that of a module of it."""

from azext_iotjobs.clients import twin_codec as codec
from azext_iotjobs.clients.request_parts import if_match, twin_path
from azext_iotjobs.clients.response import document
from azext_iotjobs.model.twin import NewTwin, Twin, TwinPatch
from azext_iotjobs.transport.http import Request, Transport


class TwinsClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, device_id: str, module_id: str | None = None) -> Twin:
        """A twin. Raises NotFound and other HubAnswers, LinkError."""
        get = Request(method="GET", path=twin_path(device_id, module_id), may_repeat=True)
        return codec.parse_twin(document(self._transport.send(get)))

    def patch(
        self, device_id: str, patch: TwinPatch, module_id: str | None = None, *, waits_out_throttling: bool = True
    ) -> Twin:
        """Merge into a twin that still has the patch's etag; gives the whole twin as it is then.

        waits_out_throttling: False raises Throttled at once, for callers that pace many requests together.
        """
        request = Request(
            method="PATCH",
            path=twin_path(device_id, module_id),
            headers=if_match(patch.etag),
            body=codec.render_twin_patch(patch),
            has_body=True,
            waits_out_throttling=waits_out_throttling,
        )
        return codec.parse_twin(document(self._transport.send(request)))

    def replace(self, device_id: str, new: NewTwin, *, etag: str, module_id: str | None = None) -> Twin:
        """Replace tags and desired properties of a twin that still has `etag` (* is any); gives the whole twin."""
        request = Request(
            method="PUT",
            path=twin_path(device_id, module_id),
            headers=if_match(etag),
            body=codec.render_new_twin(new),
            has_body=True,
        )
        return codec.parse_twin(document(self._transport.send(request)))
