"""Call a method on one device or module: its answer is the result, with what became of its verification, if any."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.tiers import pace_of
from azext_iotjobs.cli.method.invoke_many import check_verification, shown_request, verifier_of
from azext_iotjobs.cli.method.options import GuardOptions
from azext_iotjobs.cli.method.progress import CallProgress
from azext_iotjobs.cli.output.device_row_line import short_row
from azext_iotjobs.cli.output.dry_run import show_plan
from azext_iotjobs.cli.output.exit_code import end_without_result, leave_with
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.result_rows import CALL_COLUMNS, VERIFIED_COLUMNS, render_verified_result
from azext_iotjobs.cli.output.terminal_safe import print_now
from azext_iotjobs.cli.output.verification import VERIFYING, render_verification
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.calling import Call, result_of
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import BadValue, DeviceFailed, IotJobsError
from azext_iotjobs.model.ids import Address, name_of
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.operations.method import invoke as operation
from azext_iotjobs.operations.method.invoke_many import CallPlan

logger = get_logger(__name__)

Document = dict[str, Any]
SHOWN = (*CALL_COLUMNS, *VERIFIED_COLUMNS)  # of the row of a verified device


def call(cmd: Any, client: HubClient, address: Address, wanted: MethodCall, guards: GuardOptions) -> Document:
    """Call a method on one device, or on one module; gives the hub's own document.

    wanted: the call.
    Raises UserError before anything is sent; NotFound for a device that is not registered, other HubAnswers, LinkError.
    """
    success, verification = guards.success, guards.verifying.read()
    if not address.device_id.strip():
        raise BadValue("--device-id is empty.", hint="Give the device's id.")
    preview = check_verification(client, verification, of_modules=address.module_id is not None)
    if guards.dry_run:
        request = shown_request(CallPlan(call=wanted, success=success), address.module_id)
        return {**show_plan(client, Selection(device_ids=(address.device_id,)), request), **preview}
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
    ended = Call(address=address, began_at=began_at, ended_at=SystemClock().now(), answer=response)
    row, trouble = _verified(cmd, client, result_of(ended, success), verification)
    document = {**response.document, "verification": {**render_verification(verification), "result": _shown(row)}}
    if trouble is not None:
        print_now(cmd, document)  # an error leaves no result
        raise trouble
    leave_with(cmd, _outcome(row), exit_zero=guards.exit_zero)
    return document


def _verified(
    cmd: Any, client: HubClient, called: DeviceResult, verification: Verification
) -> tuple[DeviceResult, IotJobsError | None]:
    """The row of a device that was called, with what became of its verification, and what trouble ended that."""
    progress = CallProgress(1, SystemClock(), shows_rows=False, is_silent=bool(cmd.cli_ctx.only_show_errors))
    with stopped_by_ctrl_c() as stop:
        verifier = verifier_of(client, verification, pace_of(client), stop, progress)
        [row] = [*verifier.rows([called]), *verifier.left()]
    progress.say(short_row(row))
    return row, verifier.trouble


def _shown(row: DeviceResult) -> Document:
    whole = render_verified_result(row)
    return {name: whole[name] for name in SHOWN}


def _outcome(row: DeviceResult) -> Outcome:
    if row.status == VERIFYING:
        return Outcome.WAIT_OVER
    return Outcome.SUCCESS if row.error_class is None else Outcome.DEVICES_FAILED
