"""MethodsClient: /twins/{id}/methods."""

from urllib.parse import quote

from azext_iotjobs.clients import codec
from azext_iotjobs.clients.answer import document
from azext_iotjobs.model.method import MethodCall, MethodResponse
from azext_iotjobs.transport.http import Request, Transport

HTTP_MARGIN_S = 15.0  # beyond both of the call's own timeouts, as the official .NET client has it


class MethodsClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def invoke(self, device_id: str, call: MethodCall) -> MethodResponse:
        """Call a direct method on a device. Never repeated by itself: the device may have been reached.

        Raises NotFound (unknown or offline), HubFault (silent), other HubAnswers, LinkError.
        """
        request = Request(
            method="POST",
            path=f"/twins/{quote(device_id, safe='')}/methods",
            body=codec.render_method_call(call),
            has_body=True,
            timeout_s=HTTP_MARGIN_S + call.connect_timeout_s + call.response_timeout_s,
        )
        return codec.parse_method_response(document(self._transport.send(request)))
