"""Handlers of az iot hub invoke-device-method | invoke-module-method: one device, or many at once."""

from itertools import chain
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.input.device_selection import SelectionOptions, most_devices
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.method import invoke_many
from azext_iotjobs.cli.method.options import CallOptions, GuardOptions, typed_options
from azext_iotjobs.cli.output.columns import chosen_columns
from azext_iotjobs.cli.output.dry_run import show_plan
from azext_iotjobs.cli.output.exit_code import end_without_result, leave_with
from azext_iotjobs.cli.output.result_rows import ALL_COLUMNS, CALL_COLUMNS
from azext_iotjobs.cli.output.row_output import OPTION, STDOUT, RowOutputOptions
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, DeviceFailed, MissingChoice
from azext_iotjobs.model.ids import name_of
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import Outcome
from azext_iotjobs.model.selection import HOW_TO_NAME_DEVICES, Selection
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.method import invoke as operation
from azext_iotjobs.operations.method.invoke_many import CallPlan

logger = get_logger(__name__)


@takes_option_groups
def invoke(
    cmd: Any,
    client: HubClient,
    our_device_id: str | None = None,
    *,
    calling: CallOptions,
    selection: SelectionOptions,
    guards: GuardOptions,
    output: RowOutputOptions,
) -> Any:
    """Call a direct method on one device and print its answer, or on many."""
    call = calling.call()
    guards = guards._replace(max_devices=most_devices(cmd, guards.max_devices))
    if our_device_id is not None:
        _refuse_beside_one_device(selection, calling, output)
        return _one(cmd, client, our_device_id, None, call, guards)
    selected = _selected(selection)
    if selected.is_of_modules:
        raise ConflictingChoice(
            "--query-condition selects modules; this command calls devices.",
            hint=Text("For modules: ", command("iot hub invoke-module-method")),
        )
    plan = _plan_of_many(cmd, call, calling, guards, output)
    return invoke_many.call(cmd, client, selected, None, plan)


@takes_option_groups
def invoke_module(
    cmd: Any,
    client: HubClient,
    our_module_id: str | None = None,
    our_device_id: str | None = None,
    *,
    calling: CallOptions,
    selection: SelectionOptions,
    guards: GuardOptions,
    output: RowOutputOptions,
) -> Any:
    """Call a direct method on a module of one device and print its answer, or on modules of many."""
    call = calling.call()
    guards = guards._replace(max_devices=most_devices(cmd, guards.max_devices))
    if our_device_id is not None:
        _refuse_beside_one_device(selection, calling, output)
        return _one(cmd, client, our_device_id, _needed(our_module_id), call, guards)
    selected = _selected(selection)
    module_id = None if selected.is_of_modules else _needed(our_module_id)
    if selected.is_of_modules and our_module_id is not None:
        raise ConflictingChoice(
            "--query-condition selects modules, and --module-id is given too: which of them are meant?",
            hint="Put it into the condition: FROM devices.modules WHERE moduleId = '…'",
        )
    plan = _plan_of_many(cmd, call, calling, guards, output)
    return invoke_many.call(cmd, client, selected, module_id, plan)


def _refuse_beside_one_device(selection: SelectionOptions, calling: CallOptions, output: RowOutputOptions) -> None:
    """Raise ConflictingChoice when anything was typed that goes with many devices."""
    of_selection, of_output = typed_options(**selection._asdict()), typed_options(**output._asdict())
    for option in chain(of_selection, calling.typed_for_many(), of_output):
        raise ConflictingChoice(
            f"--device-id names one device; {option} is for many.",
            hint="Leave one of them out; --device-ids also takes a single id.",
        )


def _selected(selection: SelectionOptions) -> Selection:
    """The devices or modules that are meant. Raises UserError, naming the option."""
    if not selection.names_devices:
        raise MissingChoice("No device is named: --device-id is missing.", hint=f"For many: {HOW_TO_NAME_DEVICES}")
    return selection.read()


def _one(
    cmd: Any, client: HubClient, device_id: str, module_id: str | None, call: MethodCall, guards: GuardOptions
) -> dict[str, Any]:
    """Call one device, or one module; gives the hub's own document."""
    success = guards.success
    if not device_id.strip():
        raise BadValue("--device-id is empty.", hint="Give the device's id.")
    if guards.dry_run:
        request = invoke_many.shown_request(CallPlan(call=call, success=success), module_id)
        return show_plan(client, Selection(device_ids=(device_id,)), request)
    try:
        response = operation.invoke(client, device_id, call, module_id)
    except DeviceFailed as err:
        end_without_result(err, Outcome.DEVICES_FAILED, exit_zero=guards.exit_zero)
    if response.status not in success:
        who = name_of(device_id, module_id)
        logger.warning("%s answered with status %d; success is %s.", who, response.status, guards.success_status)
        leave_with(cmd, Outcome.DEVICES_FAILED, exit_zero=guards.exit_zero)
    return response.document


def _plan_of_many(
    cmd: Any, call: MethodCall, calling: CallOptions, guards: GuardOptions, output: RowOutputOptions
) -> invoke_many.InvokePlan:
    """How many devices are called, and where their rows go. Raises UserError, naming the option."""
    success = guards.success
    columns = chosen_columns(cmd, output.columns, CALL_COLUMNS, elsewhere=ALL_COLUMNS)
    plan = calling.plan(call, success)
    output.check_file_is_named()
    if output.output_file == STDOUT and calling.group_output:
        raise ConflictingChoice(
            f"{OPTION} - and --group-output both write to stdout.", hint="Give a file for the rows."
        )
    return invoke_many.InvokePlan(
        plan=plan,
        columns=columns,
        target=output.target(columns, "calls"),
        groups_equal=calling.group_output,
        max_devices=guards.max_devices,
        dry_run=guards.dry_run,
        exit_zero=guards.exit_zero,
    )


def _needed(module_id: str | None) -> str:
    if module_id is None or not module_id.strip():
        raise MissingChoice(
            "--module-id is missing or empty.",
            hint='Give the module\'s id, or select modules: --query-condition "FROM devices.modules WHERE …"',
        )
    return module_id
