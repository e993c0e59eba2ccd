"""Handler of az iot hub job results: a row for each device, as az's result or in a file."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import chosen_words
from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.columns import chosen_columns
from azext_iotjobs.cli.output.result_rows import ALL_COLUMNS, COLUMNS, render_result
from azext_iotjobs.cli.output.row_output import RowOutputOptions, warn_of_many_rows
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import ConflictingChoice
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.result import OF_JOBS, ErrorClass
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.job import results, run
from azext_iotjobs.operations.job.results import DEVICE_STATUSES, ResultQuery

logger = get_logger(__name__)

SLOW_MINUTES = 1.0  # from here on it is said that reading takes long


class ResultOptions(NamedTuple):
    """Which rows of a job, and what is looked up for them."""

    our_status: Sequence[str] | None = None
    error_class: Sequence[str] | None = None
    skip_registry: bool = False
    success_status: str = DEFAULT_SUCCESS_STATUS

    def query(self, job_id: str, columns: tuple[str, ...]) -> ResultQuery:
        """The query for these rows of a job. Raises BadValue, naming the option."""
        statuses = chosen_words(self.our_status, DEVICE_STATUSES, "--status")
        classes = chosen_words(self.error_class, tuple(each.value for each in OF_JOBS), "--error-class")
        return ResultQuery(
            job_id=job_id,
            statuses=tuple(sorted(statuses)),
            error_classes=frozenset(map(ErrorClass, classes)),
            success=parse_success_status(self.success_status),
            checks_registry=not self.skip_registry and "deleted" in columns,
        )


@takes_option_groups
def show_results(
    cmd: Any, client: HubClient, our_job_id: str, *, wanted: ResultOptions, output: RowOutputOptions
) -> list[dict[str, Any]] | None:
    """Show what a job did to each device."""
    columns = chosen_columns(cmd, output.columns, COLUMNS, elsewhere=ALL_COLUMNS)
    if output.format is not None and output.output_file is None:
        raise ConflictingChoice("--format needs --output-file; without it, az's own -o sets the format.")
    query = wanted.query(our_job_id, columns)
    target = output.target(columns, _request(client, query))
    if target is None:
        warn_of_many_rows(_expected_count(client, query) or 0)
        return [{name: row[name] for name in columns} for rows, _ in _pages(client, query, "") for row in rows]
    row_writer.check(target)
    _expected_count(client, query)
    count = row_writer.write(target, lambda token: _pages(client, query, token))
    logger.warning("%s written to %s.", counted(count, "row"), target.name)
    return None


def _pages(client: HubClient, query: ResultQuery, token: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
    for page in results.read(client, query, token):
        yield [render_result(row) for row in page.rows], page.next_token


def _expected_count(client: HubClient, query: ResultQuery) -> int | None:
    """How many devices the job has, None when the hub does not say; warns when reading their rows may take long."""
    tally = run.show(client, query.job_id).tally
    if tally is None:
        return None
    minutes = results.expected_minutes(tally.device_count, checks_registry=query.checks_registry)
    if minutes > SLOW_MINUTES:
        logger.warning(
            "%s: a hub of the smallest tier needs up to %.0f minutes for their rows. Throttling is waited out.",
            counted(tally.device_count, "device"),
            minutes,
        )
    return tally.device_count


def _request(client: HubClient, query: ResultQuery) -> str:
    classes = ",".join(sorted(each.value for each in query.error_classes)) or "any"
    return f"{client.target.canonical} {query.text} {classes} {query.success.ranges} {query.checks_registry}"
