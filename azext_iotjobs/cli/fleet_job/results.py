"""Handler of az iot hub fleet-job results: a row for each device of a run, as az's result or into a file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetJobContext
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import chosen_words
from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.columns import chosen_columns
from azext_iotjobs.cli.output.result_rows import ALL_COLUMNS, CALL_COLUMNS, RUN_COLUMNS, render_run_result
from azext_iotjobs.cli.output.row_output import RowOutputOptions, warn_of_many_rows
from azext_iotjobs.fleet_job.plan import STATE_WORDS
from azext_iotjobs.fleet_job.store.contract import ResultFilter
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.selection import Selection
from azext_iotjobs.model.text import counted

if TYPE_CHECKING:
    from azext_iotjobs.clients.selections import SelectionsClient

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


@takes_option_groups
def show_results(
    cmd: Any,
    client: FleetJobContext,
    fleet_job_id: str,
    run: int | None = None,
    check_registry: bool = False,
    *,
    wanted: ResultOptions,
    output: RowOutputOptions,
) -> list[dict[str, Any]] | None:
    """Show what a run did to each device."""
    there = (*CALL_COLUMNS, *RUN_COLUMNS, *(("deleted",) if check_registry else ()))
    columns = chosen_columns(cmd, output.columns, there, elsewhere=ALL_COLUMNS)
    rows_wanted = wanted.filter()
    output.check_file_is_named()
    job = client.store.definitions.get(fleet_job_id)
    client.check(job)
    registry = client.hub_of(job).selections if check_registry else None
    chosen = client.store.runs.get(fleet_job_id, run)
    if wanted.our_device_id is not None:
        client.store.results.check_device(chosen, wanted.our_device_id)
    target = output.target(columns, _request(chosen, rows_wanted))
    if target is None:
        warn_of_many_rows(chosen.device_count)
        return [
            {name: row[name] for name in columns}
            for rows, _ in _pages(client, chosen, rows_wanted, "", registry)
            for row in rows
        ]
    row_writer.check(target)
    count = row_writer.write(target, lambda token: _pages(client, chosen, rows_wanted, token, registry))
    logger.warning("%s written to %s.", counted(count, "row"), target.name)
    return None


def _request(run: Run, wanted: ResultFilter) -> str:
    """Which rows are wanted, as text: the same in each process, which a set's own text is not."""
    return f"{run.run_key} {sorted(wanted.states)} {sorted(wanted.error_classes)} {wanted.device_id}"


def _pages(
    context: FleetJobContext, run: Run, wanted: ResultFilter, token: str, registry: "SelectionsClient | None"
) -> Iterator[tuple[list[Mapping[str, Any]], str]]:
    for page in context.store.results.pages(run, wanted, token):
        rows = page.rows
        if registry is not None and rows:
            there = frozenset(registry.device_ids(Selection(device_ids=tuple({row.device_id: None for row in rows}))))
            rows = [replace(row, is_deleted=row.device_id not in there) for row in rows]
        yield [render_run_result(row) for row in rows], page.next_token
