"""Handler of az iot hub fleet-job results: a row for each device of a run, as az's result or into a file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from knack.log import get_logger

from azext_iotjobs.cli.fleet_job.context import FleetPlace
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import chosen_words
from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.columns import chosen_columns
from azext_iotjobs.cli.output.row_output import RowOutputOptions, warn_of_many_rows
from azext_iotjobs.clients.result_codec import ALL_COLUMNS, CALL_COLUMNS, RUN_COLUMNS, render_run_result
from azext_iotjobs.fleet_job.plan import STATE_WORDS
from azext_iotjobs.fleet_job.store.sqlite import RowFilter
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.model.run import Run
from azext_iotjobs.model.selection import Selection

if TYPE_CHECKING:
    from azext_iotjobs.clients.selections import SelectionsClient

logger = get_logger(__name__)


@takes_option_groups
def show_results(
    cmd: Any,
    client: FleetPlace,
    fleet_job: str,
    run_number: int | None = None,
    device_states: Sequence[str] | None = None,
    error_kinds: Sequence[str] | None = None,
    one_device: str | None = None,
    asks_registry: bool = False,
    *,
    output: RowOutputOptions,
) -> list[dict[str, Any]] | None:
    """Show what a run did to each device."""
    there = (*CALL_COLUMNS, *RUN_COLUMNS, *(("deleted",) if asks_registry else ()))
    columns = chosen_columns(cmd, output.columns, there, elsewhere=ALL_COLUMNS)
    wanted = RowFilter(
        states=chosen_words(device_states, STATE_WORDS, "--status"),
        error_classes=chosen_words(error_kinds, tuple(each.value for each in ErrorClass), "--error-class"),
        device_id=one_device,
    )
    output.check_file_is_named()
    job = client.store.fleet_job(fleet_job)
    client.check(job)
    registry = client.hub_of(job).selections if asks_registry else None
    run = client.store.run(fleet_job, run_number)
    if one_device is not None:
        client.store.check_device(run, one_device)
    target = output.target(columns, _asked(run, wanted))
    if target is None:
        warn_of_many_rows(run.device_count)
        return [
            {name: row[name] for name in columns}
            for rows, _ in _pages(client, run, wanted, "", registry)
            for row in rows
        ]
    row_writer.check(target)
    count = row_writer.write(target, lambda token: _pages(client, run, wanted, token, registry))
    logger.warning("%d rows written to %s.", count, target.name)
    return None


def _asked(run: Run, wanted: RowFilter) -> str:
    """The same for the same rows: a set's own text is another one in each process."""
    return f"{run.run_key} {sorted(wanted.states)} {sorted(wanted.error_classes)} {wanted.device_id}"


def _pages(
    place: FleetPlace, run: Run, wanted: RowFilter, token: str, registry: "SelectionsClient | None"
) -> Iterator[tuple[list[dict[str, Any]], str]]:
    for page in place.store.results(run, wanted, token):
        rows = page.rows
        if registry is not None and rows:
            there = frozenset(registry.device_ids(Selection(device_ids=tuple({row.device_id: None for row in rows}))))
            rows = [replace(row, is_deleted=row.device_id not in there) for row in rows]
        yield [render_run_result(row) for row in rows], page.next_token
