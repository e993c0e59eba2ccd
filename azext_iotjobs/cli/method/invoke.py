"""Handlers of az iot hub invoke-device-method and invoke-module-method.

What many devices need is imported where it is used: most calls are of one.
"""

from itertools import chain
from typing import TYPE_CHECKING, Any

from azext_iotjobs.cli.input.device_selection import SelectionOptions, most_devices
from azext_iotjobs.cli.input.option_groups import takes_option_groups, typed_options
from azext_iotjobs.cli.method import invoke_one
from azext_iotjobs.cli.method.options import CallOptions, GuardOptions
from azext_iotjobs.cli.output.row_output import OPTION, STDOUT, RowOutputOptions
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import ConflictingChoice, MissingChoice
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.selection import HOW_TO_NAME_DEVICES, Selection
from azext_iotjobs.model.text import Text, command

if TYPE_CHECKING:
    from azext_iotjobs.cli.method.invoke_many import InvokePlan


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
        return invoke_one.call(cmd, client, Address(our_device_id), call, guards)
    selected = _selected(selection)
    if selected.is_of_modules:
        raise ConflictingChoice(
            "--query-condition selects modules; this command calls devices.",
            hint=Text("For modules: ", command("iot hub invoke-module-method")),
        )
    return _call_many(cmd, client, selected, None, _plan_of_many(cmd, call, calling, guards, output))


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
        address = Address(our_device_id, _needed(our_module_id))
        return invoke_one.call(cmd, client, address, call, guards)
    selected = _selected(selection)
    module_id = None if selected.is_of_modules else _needed(our_module_id)
    if selected.is_of_modules and our_module_id is not None:
        raise ConflictingChoice(
            "--query-condition selects modules, and --module-id is given too: which of them are meant?",
            hint="Put it into the condition: FROM devices.modules WHERE moduleId = '…'",
        )
    return _call_many(cmd, client, selected, module_id, _plan_of_many(cmd, call, calling, guards, output))


def _call_many(cmd: Any, client: HubClient, selected: Selection, module_id: str | None, plan: "InvokePlan") -> Any:
    from azext_iotjobs.cli.method import invoke_many

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


def _plan_of_many(
    cmd: Any, call: MethodCall, calling: CallOptions, guards: GuardOptions, output: RowOutputOptions
) -> "InvokePlan":
    """How many devices are called, and where their rows go. Raises UserError, naming the option."""
    from azext_iotjobs.cli.input.columns import chosen_columns, twin_columns
    from azext_iotjobs.cli.method.invoke_many import InvokePlan
    from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS, VERIFIED_COLUMNS

    success = guards.success
    verification = guards.verifying.read()
    there = CALL_COLUMNS if verification is None else (*CALL_COLUMNS, *VERIFIED_COLUMNS)
    columns = chosen_columns(cmd, output.columns, there)
    plan = calling.plan(call, success)
    output.check_file_is_named()
    if output.output_file == STDOUT and calling.group_output:
        raise ConflictingChoice(
            f"{OPTION} - and --group-output both write to stdout.", hint="Give a file for the rows."
        )
    return InvokePlan(
        plan=plan,
        columns=columns,
        of_twins=twin_columns(cmd, columns),
        target=output.target(columns, "calls"),
        groups_equal=calling.group_output,
        max_devices=guards.max_devices,
        dry_run=guards.dry_run,
        exit_zero=guards.exit_zero,
        verification=verification,
    )


def _needed(module_id: str | None) -> str:
    if module_id is None or not module_id.strip():
        raise MissingChoice(
            "--module-id is missing or empty.",
            hint='Give the module\'s id, or select modules: --query-condition "FROM devices.modules WHERE …"',
        )
    return module_id
