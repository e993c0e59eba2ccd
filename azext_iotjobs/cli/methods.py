"""Handler of az iot hub invoke-device-method."""

from typing import Any

from azext_iotjobs.cli.values import json_or_file
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.operations import methods as operation


def invoke(
    client: HubClient, device: str, method: str, method_json: str = "{}", timeout_s: int = 30
) -> dict[str, Any]:  # fmt: skip
    """Call a direct method on one device and print its answer."""
    call = MethodCall(
        name=method,
        payload=json_or_file(method_json, "--method-payload"),
        # One option for both waits, as the reference has it.
        response_timeout_s=timeout_s,
        connect_timeout_s=timeout_s,
    )
    return operation.invoke(client, device, call).document
