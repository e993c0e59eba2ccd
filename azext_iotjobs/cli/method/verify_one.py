"""What becomes of the verification of one device or module that was called: a part of the call's result."""

from typing import Any

from azext_iotjobs.cli.hub_access.tiers import pace_of
from azext_iotjobs.cli.method.invoke_many import verifier_of
from azext_iotjobs.cli.method.progress import CallProgress
from azext_iotjobs.cli.output.device_row_line import short_row
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS, VERIFIED_COLUMNS
from azext_iotjobs.cli.output.result_rows import render_verified_result
from azext_iotjobs.cli.output.terminal_safe import print_now
from azext_iotjobs.cli.output.verification import VERIFYING, render_verification
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.verification import Verification

Document = dict[str, Any]
SHOWN = (*CALL_COLUMNS, *VERIFIED_COLUMNS)  # of the row of a verified device


def verified(
    cmd: Any,
    client: HubClient,
    called: DeviceResult,
    verification: Verification,
    answered: Document,
    *,
    exit_zero: bool,
) -> Document:
    """Wait for what verifies the device; gives the answer with what became of it. Raises HubAnswer, LinkError.

    called: its row.  answered: the hub's document of the call.
    """
    row, trouble = _verified(cmd, client, called, verification)
    document = {**answered, "verification": {**render_verification(verification), "result": _shown(row)}}
    if trouble is not None:
        print_now(cmd, document)  # an error leaves no result
        raise trouble
    leave_with(cmd, _outcome(row), exit_zero=exit_zero)
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
