"""TwinsClient: /twins."""

from urllib.parse import quote

from azext_iotjobs.clients import codec
from azext_iotjobs.clients.answer import document
from azext_iotjobs.clients.etags import if_match
from azext_iotjobs.model.twin import Twin, TwinPatch
from azext_iotjobs.transport.http import Request, Transport


class TwinsClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, device_id: str) -> Twin:
        """A device's twin. Raises NotFound and other HubAnswers, LinkError."""
        get = Request(method="GET", path=_path(device_id), may_repeat=True)
        return codec.parse_twin(document(self._transport.send(get)))

    def patch(self, device_id: str, patch: TwinPatch) -> Twin:
        """Merge into a twin that still has the patch's etag; gives the whole twin as it is then."""
        request = Request(
            method="PATCH",
            path=_path(device_id),
            headers=if_match(patch.etag),
            body=codec.render_twin_patch(patch),
            has_body=True,
        )
        return codec.parse_twin(document(self._transport.send(request)))


def _path(device_id: str) -> str:
    return f"/twins/{quote(device_id, safe='')}"
