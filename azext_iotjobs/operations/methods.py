"""Invoke a direct method on one device or module."""

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import DeviceFailed, HubAnswer
from azext_iotjobs.model.method import DEVICE_CODES, MethodCall, MethodResponse


def invoke(client: HubClient, device_id: str, call: MethodCall, module_id: str | None = None) -> MethodResponse:
    """Call a method and give the device's answer.

    Raises DeviceFailed when the device is off line or does not answer; NotFound when it is unknown, other HubAnswers,
    LinkError.
    """
    try:
        return client.methods.invoke(device_id, call, module_id)
    except HubAnswer as err:
        if err.hub_code not in DEVICE_CODES:
            raise
        raise DeviceFailed(str(err), hint=err.hint) from err
