"""Invoke a direct method on one device."""

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.method import MethodCall, MethodResponse


def invoke(client: HubClient, device_id: str, call: MethodCall) -> MethodResponse:
    """Call a method and give the device's answer.

    Raises NotFound when the device is unknown or offline, HubFault when it does not answer, LinkError.
    """
    return client.methods.invoke(device_id, call)
