"""Handler of az iot hub fleet-job results: a row for each device of a run, as az's result or into a file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.fleet_job.documents import render_run_details
from azext_iotjobs.cli.input.columns import chosen_columns, twin_columns
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import chosen_words
from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS, RUN_COLUMNS, RUN_DETAILS
from azext_iotjobs.cli.output.result_rows import render_run_result
from azext_iotjobs.cli.output.row_output import RowOutputOptions, warn_of_many_rows
from azext_iotjobs.fleet_job.plan import STATE_WORDS
from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.text import counted

if TYPE_CHECKING:
    from azext_iotjobs.cli.output.twin_cells import TwinCells
    from azext_iotjobs.clients.hub import HubClient
    from azext_iotjobs.clients.selections import SelectionsClient
    from azext_iotjobs.model.twin_columns import TwinColumn

logger = get_logger(__name__)


class ResultOptions(NamedTuple):
    """Which devices of a run; None: any."""

    our_status: Sequence[str] | None = None
    error_class: Sequence[str] | None = None
    our_device_id: str | None = None

    def filter(self) -> ResultFilter:
        """As the store has it. Raises BadValue, naming the option."""
        return ResultFilter(
            states=chosen_words(self.our_status, STATE_WORDS, "--status"),
            error_classes=chosen_words(self.error_class, tuple(each.value for each in ErrorClass), "--error-class"),
            device_id=self.our_device_id,
        )


class _Rows(NamedTuple):
    """The rows of a run, and what each has beside what is stored."""

    context: FleetJobContext
    run: Run
    wanted: ResultFilter
    registry: "SelectionsClient | None"  # says which devices are gone; None: nobody asks
    details: Mapping[str, Any]  # the same in each row
    cells: "TwinCells | None"  # None: no column stands in twins

    def pages(self, token: str = "") -> Iterator[tuple[Sequence[Mapping[str, Any]], str]]:
        """Page by page, from the one that `token` leads to."""
        return self._stored(token) if self.cells is None else self.cells.fill_pages(self._stored(token))

    def _stored(self, token: str) -> Iterator[tuple[Sequence[Mapping[str, Any]], str]]:
        for page in self.context.store.results.pages(self.run, self.wanted, token):
            rows = page.rows
            if self.registry is not None and rows:
                ids = tuple({row.device_id: None for row in rows})
                there = frozenset(self.registry.device_ids(Selection(device_ids=ids)))
                rows = [replace(row, is_deleted=row.device_id not in there) for row in rows]
            yield [{**render_run_result(row), **self.details} for row in rows], page.next_token


@takes_option_groups
def show_results(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str,
    run: int | None = None,
    check_registry: bool = False,
    job_details: bool = False,
    *,
    wanted: ResultOptions,
    output: RowOutputOptions,
) -> list[dict[str, Any]] | None:
    """Show what a run did to each device."""
    columns = _columns(cmd, output.columns, has_deleted=check_registry, has_details=job_details)
    of_twins = twin_columns(cmd, columns)
    rows_wanted = wanted.filter()
    output.check_file_is_named()
    job = client.store.definitions.get(fleet_job_id)
    client.check(job)
    chosen = client.store.runs.get(fleet_job_id, run)
    if wanted.our_device_id is not None:
        client.store.results.check_device(chosen, wanted.our_device_id)
    target = output.target(columns, _request(chosen, rows_wanted))
    if target is not None:
        row_writer.check(target)
    hub = client.hub_of(job) if check_registry or of_twins else None
    rows = _Rows(
        context=client,
        run=chosen,
        wanted=rows_wanted,
        registry=hub.selections if hub is not None and check_registry else None,
        details=_details(client, chosen) if set(columns) & set(RUN_DETAILS) else {},
        cells=_cells(cmd, client, hub, of_twins, 1 if wanted.our_device_id else chosen.device_count),
    )
    if target is None:
        warn_of_many_rows(chosen.device_count)
        return [{name: row[name] for name in columns} for page, _ in rows.pages() for row in page]
    count = row_writer.write(target, rows.pages)
    logger.warning("%s written to %s.", counted(count, "row"), target.name)
    return None


def _columns(cmd: Any, typed: str | None, *, has_deleted: bool, has_details: bool) -> tuple[str, ...]:
    """The columns to show. has_deleted: whether devices are deleted is known.  has_details: those of the run, too."""
    unasked = (*CALL_COLUMNS, *RUN_COLUMNS, *(("deleted",) if has_deleted else ()))
    columns = chosen_columns(cmd, typed, (*unasked, *RUN_DETAILS), unasked)
    return tuple(dict.fromkeys((*columns, *RUN_DETAILS))) if has_details else columns


def _details(context: FleetJobContext, run: Run) -> Mapping[str, Any]:
    return render_run_details(context.store.definitions.get(run.fleet_job_id, run.version), run)


def _cells(
    cmd: Any, context: FleetJobContext, hub: "HubClient | None", columns: "Sequence[TwinColumn]", count: int
) -> "TwinCells | None":
    """What fills the columns of twins; None: there are none.

    hub: of the fleet job, which nobody has to name; None: it is not needed.  count: of the devices.
    """
    if hub is None or not columns:
        return None
    from azext_iotjobs.cli.hub_access.twin_cells import cells_of  # here: most results need no twin

    name = None if context.names_hub else hub.target.authority
    cells = cells_of(hub, columns, hub=name, is_silent=bool(cmd.cli_ctx.only_show_errors))
    cells.expect(count)
    return cells


def _request(run: Run, wanted: ResultFilter) -> str:
    """Which rows are wanted, as text: the same in each process, which a set's own text is not."""
    return f"{run.run_key} {sorted(wanted.states)} {sorted(wanted.error_classes)} {wanted.device_id}"
