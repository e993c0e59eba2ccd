"""Call a method on one device or module: its answer is the result, with what became of its verification, if any.

What a preview or a verification needs is imported there: most calls have neither.
"""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.method.options import GuardOptions
from azext_iotjobs.cli.output.exit_code import end_without_result, leave_with
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, DeviceFailed
from azext_iotjobs.model.ids import Address, name_of
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.operations.method import invoke as operation

logger = get_logger(__name__)

Document = dict[str, Any]


def call(cmd: Any, client: HubClient, address: Address, wanted: MethodCall, guards: GuardOptions) -> Document:
    """Call a method on one device, or on one module; gives the hub's own document.

    wanted: the call.
    Raises UserError before anything is sent; NotFound for a device that is not registered, other HubAnswers, LinkError.
    """
    success, verification = guards.success, guards.verifying.read()
    if not address.device_id.strip():
        raise BadValue("--device-id is empty.", hint="Give the device's id.")
    preview: Document = {}
    if verification is not None:
        from azext_iotjobs.cli.method.invoke_many import check_verification

        preview = check_verification(client, verification, of_modules=address.module_id is not None)
    if guards.dry_run:
        return {**_dry_run(client, address, wanted), **preview}
    began_at = SystemClock().now()
    try:
        response = operation.invoke(client, address.device_id, wanted, address.module_id)
    except DeviceFailed as err:
        end_without_result(err, Outcome.DEVICES_FAILED, exit_zero=guards.exit_zero)
    if response.status not in success:
        who = name_of(address.device_id, address.module_id)
        logger.warning("%s answered with status %d; success is %s.", who, response.status, guards.success_status)
        leave_with(cmd, Outcome.DEVICES_FAILED, exit_zero=guards.exit_zero)
        return response.document
    if verification is None:
        return response.document
    from azext_iotjobs.cli.method.verify_one import verified
    from azext_iotjobs.model.calling import Call, result_of

    ended = Call(address=address, began_at=began_at, ended_at=SystemClock().now(), answer=response)
    row = result_of(ended, success)
    return verified(cmd, client, row, verification, response.document, exit_zero=guards.exit_zero)


def _dry_run(client: HubClient, address: Address, wanted: MethodCall) -> Document:
    """What would be called."""
    from azext_iotjobs.cli.method.invoke_many import shown_request
    from azext_iotjobs.cli.output.dry_run import show_plan
    from azext_iotjobs.model.selection import Selection

    return show_plan(client, Selection(device_ids=(address.device_id,)), shown_request(wanted, address.module_id))
