"""Call a method on many devices: counted, only shown, with a row for each or equal responses as one, stopped."""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.tiers import pace_of
from azext_iotjobs.cli.input.device_selection import check_exclusions
from azext_iotjobs.cli.method.progress import CallProgress
from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.dry_run import show_plan
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.result_rows import render_group, render_verified_result
from azext_iotjobs.cli.output.row_output import RowTarget, warn_of_many_rows
from azext_iotjobs.cli.output.row_sink import row_sink
from azext_iotjobs.cli.output.terminal_safe import print_now
from azext_iotjobs.cli.output.verification import render_plan
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.method_codec import render_method_call
from azext_iotjobs.model.clock import StopFlag, SystemClock
from azext_iotjobs.model.grouping import Groups
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.late_dataclass import dataclass
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import Outcome, weightiest
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.text import counted
from azext_iotjobs.model.verification import Verification
from azext_iotjobs.operations.method.invoke_many import CallMany, CallPlan
from azext_iotjobs.operations.verification.conditions import try_conditions
from azext_iotjobs.operations.verification.results import ResultVerifier

logger = get_logger(__name__)

if TYPE_CHECKING:
    from azext_iotjobs.cli.output.twin_cells import TwinCells
    from azext_iotjobs.model.twin_columns import TwinColumn

Result = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class InvokePlan:
    """How devices are called, and what becomes of their rows."""

    plan: CallPlan
    columns: tuple[str, ...]
    target: RowTarget | None  # None: the rows are az's result
    groups_equal: bool
    max_devices: int | None  # None: any number
    dry_run: bool
    exit_zero: bool
    verification: Verification | None = None  # None: a device that was called has completed
    of_twins: "tuple[TwinColumn, ...]" = ()  # those columns that stand in twins

    @property
    def shows_rows(self) -> bool:
        """Whether rows are shown at all."""
        return self.target is not None or not self.groups_equal

    @property
    def gives_rows(self) -> bool:
        """Whether az's result is the rows."""
        return self.target is None and not self.groups_equal


def call(
    cmd: Any, client: HubClient, selection: Selection, module_id: str | None, plan: InvokePlan
) -> Result | dict[str, Any] | None:
    """Call each device of a selection; gives what az is to print.

    selection: the devices, or modules.  module_id: the module to call on each device; None: the device itself, or what
    a condition on modules selects.
    Raises UserError before anything is sent; HubAnswer and LinkError, after the rows were printed, for what ended it.
    """
    if plan.target is not None:
        row_writer.check_new(plan.target)
    check_exclusions(client, selection)
    total = _count(client, selection, plan)
    of_modules = selection.is_of_modules or module_id is not None
    preview = check_verification(client, plan.verification, of_modules=of_modules)
    if plan.dry_run:
        return {**show_plan(client, selection, shown_request(plan.plan.call, module_id)), **preview}
    if plan.gives_rows:
        warn_of_many_rows(total or 0)
    progress = CallProgress(
        total,
        SystemClock(),
        shows_rows=plan.gives_rows,
        is_silent=bool(cmd.cli_ctx.only_show_errors),
    )
    with stopped_by_ctrl_c() as stop:
        run = CallMany(client, plan.plan, SystemClock(), stop, progress.say)
        pace = pace_of(client)
        verifier = None if plan.verification is None else verifier_of(client, plan.verification, pace, stop, progress)
        rows = run.rows(_addresses(client, selection, module_id))
        cells = _cells(client, plan, pace, stop)
        if cells is not None:
            cells.expect(total or 0)
        result = _collect(rows, verifier, plan, progress, stop, cells)
    progress.end(None if plan.target is None else plan.target.name)
    outcome = _outcome(run, progress, total, was_stopped=stop.is_set())
    ended_by = run.ended_by or (None if verifier is None else verifier.trouble)
    if ended_by is not None:
        if result:
            print_now(cmd, result)  # an error leaves no result
        raise ended_by
    leave_with(cmd, outcome, exit_zero=plan.exit_zero)
    return result


def check_verification(client: HubClient, verification: Verification | None, *, of_modules: bool) -> dict[str, Any]:
    """Have the hub read what verifies the devices, before any is called; gives what a preview shows of it.

    verification: None: nothing does.  of_modules: modules are called.
    Raises BadValue for a condition that the hub cannot read; HubAnswer, LinkError.
    """
    if verification is None:
        return {}
    return render_plan(verification, try_conditions(client.queries, verification, of_modules=of_modules))


def verifier_of(
    client: HubClient, verification: Verification, pace: QueryPace, stop: StopFlag, progress: CallProgress
) -> ResultVerifier:
    """What verifies the devices that are called. pace: of its queries."""
    return ResultVerifier(client.queries, verification, pace, SystemClock(), stop, progress)


def shown_request(call: MethodCall, module_id: str | None) -> dict[str, Any]:
    """The request that each device would get."""
    request = render_method_call(call)
    return request if module_id is None else {"moduleId": module_id, **request}


def _count(client: HubClient, selection: Selection, plan: InvokePlan) -> int | None:
    if plan.max_devices is not None:
        return client.selections.check_at_most(selection, plan.max_devices)
    if selection.condition is None:
        return len(selection.named)
    # The hub counts no modules: for knowing beforehand all of them would have to be read.
    return None if selection.is_of_modules or plan.dry_run else client.selections.count(selection)


def _addresses(client: HubClient, selection: Selection, module_id: str | None) -> Iterator[Address]:
    if selection.is_of_modules:
        return (Address(device, module) for device, module in client.selections.module_ids(selection))
    # Named devices are called also if they are not registered: their rows say so.
    ids = iter(selection.named) if selection.condition is None else client.selections.device_ids(selection)
    return (Address(device, module_id) for device in ids)


def _collect(
    calls: Iterator[DeviceResult],
    verifier: ResultVerifier | None,
    plan: InvokePlan,
    progress: CallProgress,
    stop: threading.Event,
    cells: "TwinCells | None",
) -> Result | None:
    """Write or keep each row as it comes; gives az's result.

    calls: a row for each call, as it ends.  verifier: holds them until what verifies their devices is decided; None:
    nothing does.  cells: of the columns from twins; None: there are none, or nothing shows them.
    """
    result: Result = []
    groups = Groups()
    rows = calls if verifier is None else verifier.rows(calls)
    with row_sink(plan.target, plan.columns, result, cells, on_reader_gone=stop.set) as keep:

        def take(row: DeviceResult) -> None:
            progress.row(row)
            if plan.groups_equal:
                groups.add(row)
            if plan.shows_rows:
                keep(render_verified_result(row))

        try:
            for row in rows:
                take(row)
        except KeyboardInterrupt:
            progress.say(
                "Left at once while calls were under way: their devices may have been called, and have no row."
            )
        for row in () if verifier is None else verifier.left():
            take(row)
    if plan.groups_equal:
        return [render_group(each) for each in groups.ranked()]
    return result if plan.target is None else None


def _cells(client: HubClient, plan: InvokePlan, pace: QueryPace, stop: StopFlag) -> "TwinCells | None":
    """What fills the columns of twins; None: there are none, or no row is shown. pace: of the verification."""
    if not plan.of_twins or not plan.shows_rows:
        return None
    from azext_iotjobs.cli.hub_access.twin_cells import cells_of  # here: most rows need no twin

    return cells_of(client, plan.of_twins, pace=pace, stop=stop)


def _outcome(run: CallMany, progress: CallProgress, total: int | None, *, was_stopped: bool) -> Outcome:
    """The outcome, explained on stderr where the rows do not show it."""
    outcome = _outcome_of_calls(run, progress, total, was_stopped=was_stopped)
    if not progress.left_count:
        return outcome
    who = counted(progress.left_count, "device that was called is", "devices that were called are")
    logger.warning("The verification was ended early; %s still being verified, as the rows say.", who)
    return weightiest((outcome, Outcome.WAIT_OVER))


def _outcome_of_calls(run: CallMany, progress: CallProgress, total: int | None, *, was_stopped: bool) -> Outcome:
    missing = None if total is None else max(0, total - progress.count - run.in_flight_count)
    if run.ended_by is not None or was_stopped:
        if missing != 0:
            who = "The other devices were" if missing is None else counted(missing, "device was", "devices were")
            why = "the error below ended it" if run.ended_by else "it was stopped"
            logger.warning("%s not called: %s.", who, why)
        if missing != 0 or run.in_flight_count:
            return Outcome.DEVICES_FAILED
    if not progress.count:
        logger.warning("No device matched the condition; nothing was called.")
        return Outcome.NO_DEVICE
    return Outcome.DEVICES_FAILED if progress.failed_count else Outcome.SUCCESS
