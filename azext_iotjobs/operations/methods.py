"""Invoke a direct method on one device or module."""

from azext_iotjobs.clients.answer import printable
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import DeviceFailed, HubAnswer, LinkError
from azext_iotjobs.model.method import DEVICE_CODES, MethodCall, MethodResponse

NOT_ONLINE = "DeviceNotOnline"  # not connected, or without a handler: what the hub says of both


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
        said = f"{err} {_where_it_is(client, device_id)}" if err.hub_code == NOT_ONLINE else str(err)
        raise DeviceFailed(said.strip(), hint=err.hint) from err


def _where_it_is(client: HubClient, device_id: str) -> str:
    """Which of three things the hub's one word for a device that was not reached means; "" where nobody can say."""
    try:
        twin = client.twins.get(device_id)
    except (HubAnswer, LinkError):  # the call's own error is the one that counts
        return ""
    if not twin.is_enabled:
        return "It is disabled, so that it cannot connect: az iot hub device-identity update --status enabled"
    if twin.is_connected:
        return "It is connected, but has no handler for methods (or has just left)."
    since = f"was last heard of at {printable(twin.last_active_at)}" if twin.last_active_at else "was never heard of"
    return f"It is not connected and {since}."
