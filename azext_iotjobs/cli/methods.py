"""Handler of az iot hub invoke-device-method."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.exit import end_without_result, leave_with
from azext_iotjobs.cli.json_values import Given, json_or_file
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import DeviceFailed
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, Outcome, parse_success_status
from azext_iotjobs.operations import methods as operation

logger = get_logger(__name__)


def invoke(
    cmd: Any,
    client: HubClient,
    device: str,
    method: str,
    method_json: Given = "{}",
    timeout_s: int = 30,
    success: str = DEFAULT_SUCCESS_STATUS,
    always_zero: bool = False,
) -> dict[str, Any]:
    """Call a direct method on one device and print its answer."""
    success_status = parse_success_status(success)
    call = MethodCall(
        name=method,
        payload=json_or_file(method_json, "--method-payload"),
        # One option for both waits, as the reference has it.
        response_timeout_s=timeout_s,
        connect_timeout_s=timeout_s,
    )
    try:
        response = operation.invoke(client, device, call)
    except DeviceFailed as err:
        end_without_result(err, Outcome.DEVICES_FAILED, always_zero=always_zero)
    if response.status not in success_status:
        logger.warning("%s answered with status %d; success is %s.", device, response.status, success)
        leave_with(cmd, Outcome.DEVICES_FAILED, always_zero=always_zero)
    return response.document
