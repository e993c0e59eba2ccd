"""Direct methods, values <-> wire JSON."""

from typing import Any

from azext_iotjobs.clients.response import json_object
from azext_iotjobs.model.errors import HubFault
from azext_iotjobs.model.method import MethodCall, MethodResponse


def render_method_call(call: MethodCall) -> dict[str, Any]:
    """The body that calls a method, alone or in a job; timeouts are numbers."""
    return {
        "methodName": call.name,
        "payload": call.payload,
        "responseTimeoutInSeconds": call.response_timeout_s,
        "connectTimeoutInSeconds": call.connect_timeout_s,
    }


def parse_method_response(document: Any) -> MethodResponse:
    """What the device answered."""
    body = json_object(document)
    status = body.get("status", 0)
    if not isinstance(status, int):
        raise HubFault("The hub's answer holds no method status.", status=200)
    return MethodResponse(status=status, payload=body.get("payload"), document=body)
