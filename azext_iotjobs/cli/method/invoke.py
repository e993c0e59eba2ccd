"""Handlers of az iot hub invoke-device-method | invoke-module-method: one device, or many at once."""

from dataclasses import dataclass
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.input.device_selection import TypedSelection, most_devices
from azext_iotjobs.cli.input.json_option import Given, json_or_file
from azext_iotjobs.cli.method import invoke_many
from azext_iotjobs.cli.output.columns import chosen_columns
from azext_iotjobs.cli.output.dry_run import show_plan
from azext_iotjobs.cli.output.exit_code import end_without_result, leave_with
from azext_iotjobs.cli.output.row_writer import Target, form_of
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import ALL_COLUMNS, CALL_COLUMNS
from azext_iotjobs.model.errors import BadValue, ConflictingChoice, DeviceFailed, MissingChoice
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, Outcome, SuccessStatus, parse_success_status
from azext_iotjobs.model.selection import HOW_TO_NAME_DEVICES, Selection
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.method import invoke as operation
from azext_iotjobs.operations.method.invoke_many import Plan

logger = get_logger(__name__)

CONCURRENCY = 10


@dataclass(frozen=True, kw_only=True)
class ForMany:
    """What was typed that goes with many devices only; None or False where nothing was."""

    condition: str | None
    named_devices: str | None
    devices_path: str | None
    left_out: str | None
    concurrency: int | None
    calls_a_second: float | None
    merges_equal: bool
    shown_columns: str | None
    rows_file: str | None
    rows_form: str | None
    overwrites: bool

    def refuse_beside_one_device(self) -> None:
        """Raise ConflictingChoice when any of it was typed."""
        options = {
            "--query-condition": self.condition, "--device-ids": self.named_devices,
            "--devices-file": self.devices_path, "--exclude": self.left_out, "--concurrency": self.concurrency,
            "--rate": self.calls_a_second, "--group-output": self.merges_equal or None,
            "--columns": self.shown_columns, "--output-file": self.rows_file, "--format": self.rows_form,
            "--overwrite": self.overwrites or None,
        }  # fmt: skip
        for option, value in options.items():
            if value is not None:
                raise ConflictingChoice(
                    f"--device-id is one device; {option} goes with many.",
                    hint="Leave one of them out; --device-ids takes one id too.",
                )

    def selection(self) -> Selection:
        """Which devices are meant. Raises UserError, naming the option."""
        if self.condition is None and self.named_devices is None and self.devices_path is None:
            raise MissingChoice("No device is named: --device-id is missing.", hint=f"For many: {HOW_TO_NAME_DEVICES}")
        return TypedSelection(
            condition=self.condition, ids=self.named_devices, ids_file=self.devices_path, excluded=self.left_out
        ).read()  # fmt: skip

    def target(self, columns: tuple[str, ...]) -> Target | None:
        """Where the rows go; None: they are az's result. Raises ConflictingChoice."""
        if self.rows_file is None:
            if self.rows_form is not None or self.overwrites:
                raise ConflictingChoice("--format and --overwrite go with --output-file only.")
            return None
        if self.rows_file == "-" and self.merges_equal:
            raise ConflictingChoice(
                "--output-file - and --group-output both write to stdout.", hint="Give a file for the rows."
            )
        return Target(
            path=self.rows_file,
            form=form_of(self.rows_file, self.rows_form),
            columns=columns,
            asked="calls",
            overwrites=self.overwrites,
        )


@dataclass(frozen=True, kw_only=True)
class Guards:
    """Limits and consequences, for one device or many."""

    devices_at_most: int | None
    only_plans: bool
    success: str
    always_zero: bool


def invoke(
    cmd: Any,
    client: HubClient,
    method: str,
    device: str | None = None,
    method_json: Given = "{}",
    timeout_s: int = 30,
    connect_limit_s: int | None = None,
    condition: str | None = None,
    named_devices: str | None = None,
    devices_path: str | None = None,
    left_out: str | None = None,
    devices_at_most: int | None = None,
    only_plans: bool = False,
    concurrency: int | None = None,
    calls_a_second: float | None = None,
    merges_equal: bool = False,
    shown_columns: str | None = None,
    rows_file: str | None = None,
    rows_form: str | None = None,
    overwrites: bool = False,
    success: str = DEFAULT_SUCCESS_STATUS,
    always_zero: bool = False,
) -> Any:
    """Call a direct method on one device and print its answer, or on many."""
    call = _call(method, method_json, timeout_s, connect_limit_s)
    for_many = ForMany(
        condition=condition, named_devices=named_devices, devices_path=devices_path, left_out=left_out,
        concurrency=concurrency, calls_a_second=calls_a_second, merges_equal=merges_equal,
        shown_columns=shown_columns, rows_file=rows_file, rows_form=rows_form, overwrites=overwrites,
    )  # fmt: skip
    guards = Guards(
        devices_at_most=most_devices(cmd, devices_at_most), only_plans=only_plans, success=success,
        always_zero=always_zero,
    )  # fmt: skip
    if device is not None:
        for_many.refuse_beside_one_device()
        return _one(cmd, client, device, None, call, guards)
    selection = for_many.selection()
    if selection.is_of_modules:
        raise ConflictingChoice(
            "--query-condition selects modules; this command calls devices.",
            hint=Text("For modules: ", command("iot hub invoke-module-method")),
        )
    return _many(cmd, client, selection, None, call, for_many, guards)


def invoke_module(
    cmd: Any,
    client: HubClient,
    method: str,
    module: str | None = None,
    device: str | None = None,
    method_json: Given = "{}",
    timeout_s: int = 30,
    connect_limit_s: int | None = None,
    condition: str | None = None,
    named_devices: str | None = None,
    devices_path: str | None = None,
    left_out: str | None = None,
    devices_at_most: int | None = None,
    only_plans: bool = False,
    concurrency: int | None = None,
    calls_a_second: float | None = None,
    merges_equal: bool = False,
    shown_columns: str | None = None,
    rows_file: str | None = None,
    rows_form: str | None = None,
    overwrites: bool = False,
    success: str = DEFAULT_SUCCESS_STATUS,
    always_zero: bool = False,
) -> Any:
    """Call a direct method on a module of one device and print its answer, or on modules of many."""
    call = _call(method, method_json, timeout_s, connect_limit_s)
    for_many = ForMany(
        condition=condition, named_devices=named_devices, devices_path=devices_path, left_out=left_out,
        concurrency=concurrency, calls_a_second=calls_a_second, merges_equal=merges_equal,
        shown_columns=shown_columns, rows_file=rows_file, rows_form=rows_form, overwrites=overwrites,
    )  # fmt: skip
    guards = Guards(
        devices_at_most=most_devices(cmd, devices_at_most), only_plans=only_plans, success=success,
        always_zero=always_zero,
    )  # fmt: skip
    if device is not None:
        for_many.refuse_beside_one_device()
        return _one(cmd, client, device, _needed(module), call, guards)
    selection = for_many.selection()
    if not selection.is_of_modules:
        return _many(cmd, client, selection, _needed(module), call, for_many, guards)
    if module is not None:
        raise ConflictingChoice(
            "--query-condition selects modules, and --module-id is given too: which of them are meant?",
            hint="Say it in the condition: FROM devices.modules WHERE moduleId = '…'",
        )
    return _many(cmd, client, selection, None, call, for_many, guards)


def _one(
    cmd: Any, client: HubClient, device: str, module: str | None, call: MethodCall, guards: Guards
) -> dict[str, Any]:  # fmt: skip
    """The hub's own document."""
    success = parse_success_status(guards.success)
    if not device.strip():
        raise BadValue("--device-id is empty.", hint="Give the device's id.")
    if guards.only_plans:
        plan = Plan(call=call, success=success)
        return show_plan(client, Selection(device_ids=(device,)), invoke_many.shown_request(plan, module))
    try:
        response = operation.invoke(client, device, call, module)
    except DeviceFailed as err:
        end_without_result(err, Outcome.DEVICES_FAILED, always_zero=guards.always_zero)
    if response.status not in success:
        who = device if module is None else f"{device}/{module}"
        logger.warning("%s answered with status %d; success is %s.", who, response.status, guards.success)
        leave_with(cmd, Outcome.DEVICES_FAILED, always_zero=guards.always_zero)
    return response.document


def _many(
    cmd: Any,
    client: HubClient,
    selection: Selection,
    module: str | None,
    call: MethodCall,
    for_many: ForMany,
    guards: Guards,
) -> Any:
    """A row for each device."""
    success: SuccessStatus = parse_success_status(guards.success)
    columns = chosen_columns(cmd, for_many.shown_columns, CALL_COLUMNS, elsewhere=ALL_COLUMNS)
    manner = invoke_many.Manner(
        plan=Plan(
            call=call,
            success=success,
            concurrency=CONCURRENCY if for_many.concurrency is None else for_many.concurrency,
            rate=for_many.calls_a_second,
        ),
        columns=columns,
        target=for_many.target(columns),
        groups_equal=for_many.merges_equal,
        devices_at_most=guards.devices_at_most,
        only_plans=guards.only_plans,
        always_zero=guards.always_zero,
    )
    return invoke_many.call(cmd, client, selection, module, manner)


def _call(method: str, method_json: Given, timeout_s: int, connect_limit_s: int | None) -> MethodCall:
    return MethodCall(
        name=method,
        payload=json_or_file(method_json, "--method-payload"),
        response_timeout_s=timeout_s,
        # One option for both waits, as the reference has it, unless the other is given.
        connect_timeout_s=timeout_s if connect_limit_s is None else connect_limit_s,
    )


def _needed(module: str | None) -> str:
    if module is None or not module.strip():
        raise MissingChoice(
            "--module-id is missing or empty.",
            hint='Give the module\'s id, or select modules: --query-condition "FROM devices.modules WHERE …"',
        )
    return module
