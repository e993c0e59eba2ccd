"""MethodsClient: /twins/{id}[/modules/{module}]/methods."""

from azext_iotjobs.clients import method_codec as codec
from azext_iotjobs.clients.request_parts import twin_path
from azext_iotjobs.clients.response import document
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.method import MethodCall, MethodResponse
from azext_iotjobs.transport.http import Request, Response, Transport

HTTP_MARGIN_S = 15.0  # beyond both of the call's own timeouts, as the official .NET client has it


class MethodsClient:
    """One method, one endpoint."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def invoke(
        self, device_id: str, call: MethodCall, module_id: str | None = None, *, waits_out_throttling: bool = True
    ) -> MethodResponse:
        """Call a direct method on a device or module. Never repeated by itself: the device may have been reached.

        waits_out_throttling: False gives Throttled at once, for who makes many calls.

        Raises NotFound (unknown or offline), HubFault (silent), other HubAnswers, LinkError.
        """
        request = self.request(device_id, call, module_id, waits_out_throttling=waits_out_throttling)
        return self.response(self._transport.send(request))

    def request(
        self, device_id: str, call: MethodCall, module_id: str | None = None, *, waits_out_throttling: bool = True
    ) -> Request:
        """The request of a call, for who sends it himself. Raises BadValue for what is no id."""
        return Request(
            method="POST",
            path=f"{twin_path(device_id, module_id)}/methods",
            body=codec.render_method_call(call),
            has_body=True,
            timeout_s=HTTP_MARGIN_S + call.connect_timeout_s + call.response_timeout_s,
            waits_out_throttling=waits_out_throttling,
        )

    @staticmethod
    def response(response: Response) -> MethodResponse:
        """What a call came to. Raises as `invoke` does, but for LinkError."""
        return codec.parse_method_response(document(response))


def answer_of(outcome: Response | IotJobsError) -> MethodResponse | IotJobsError:
    """What a call came to, errors included, from its response or from an error on the way."""
    if isinstance(outcome, IotJobsError):
        return outcome
    try:
        return MethodsClient.response(outcome)
    except IotJobsError as err:
        return err
