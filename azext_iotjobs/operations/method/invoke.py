"""Invoke a direct method on one device or module."""

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import HAS_LEFT, DeviceFailed, HubAnswer, LinkError
from azext_iotjobs.model.method import DEVICE_CODES, MethodCall, MethodResponse
from azext_iotjobs.model.text import Text, command, printable

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
        if err.hub_code != NOT_ONLINE or HAS_LEFT in str(err).lower():
            raise DeviceFailed(err.message, hint=err.hint) from err
        where, hint = _where_it_is(client, device_id)
        raise DeviceFailed(f"{err} {where}".strip(), hint=hint or err.hint) from err


def _where_it_is(client: HubClient, device_id: str) -> tuple[str, Text | None]:
    """Why the device was not reached: the hub has one code for several reasons. "" when that is not known.

    With it a hint, where the hub's code would give another one.
    """
    try:
        twin = client.twins.get(device_id)
    except (HubAnswer, LinkError):  # the call's own error is the one that counts
        return "", None
    if not twin.is_enabled:
        let_in = command("iot hub device-identity update", device_id=device_id, status="enabled")
        return "It is disabled, so it cannot connect.", Text("Enable it: ", let_in)
    if twin.is_connected:
        return "It is connected, but has no handler for methods (or has just left).", None
    if not twin.last_active_at:
        return "It has never connected.", None
    return f"It is not connected; it was last active at {printable(twin.last_active_at)}.", None
