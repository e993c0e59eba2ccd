"""Modules of devices: the hub refuses a module of a missing or disabled device as unauthorized; here it says why."""

from collections.abc import Callable
from typing import TypeVar

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import IotJobsError, NotFound, StateError, Unauthorized
from azext_iotjobs.model.text import Text, command

Result = TypeVar("Result")


def on_device(client: HubClient, device_id: str, call: Callable[[], Result]) -> Result:
    """Make a call about a device's modules; when the hub refuses it as unauthorized, check the device itself.

    device_id: the device that `call` is about.  call: makes the request and gives its result.
    Raises NotFound when the device does not exist, StateError when it is disabled, else what `call` raises.
    """
    try:
        return call()
    except Unauthorized as refused:
        try:
            device = client.identities.get(device_id)
        except NotFound as missing:
            raise missing from refused
        except IotJobsError:
            raise refused from None
        if not device.is_enabled:
            raise StateError(
                f"Device {device_id} is disabled; until it is enabled, the hub refuses requests about its modules.",
                hint=Text(
                    "Enable it: ", command("iot hub device-identity update", device_id=device_id, status="enabled")
                ),
            ) from refused
        raise
