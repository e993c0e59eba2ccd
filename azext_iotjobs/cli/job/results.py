"""Handler of az iot hub job results: a row for each device, as az's result or in a file."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.input.columns import chosen_columns, twin_columns
from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.input.scalars import chosen_words
from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.cells import NO_TIME
from azext_iotjobs.cli.output.result_columns import COLUMNS, JOB_DETAILS
from azext_iotjobs.cli.output.result_rows import render_result
from azext_iotjobs.cli.output.row_output import RowOutputOptions, warn_of_many_rows
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import ConflictingChoice
from azext_iotjobs.model.job import Job
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.result import OF_JOBS, ErrorClass
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.job import results, run
from azext_iotjobs.operations.job.results import DEVICE_STATUSES, ResultQuery

if TYPE_CHECKING:
    from azext_iotjobs.cli.output.twin_cells import TwinCells
    from azext_iotjobs.model.twin_columns import TwinColumn

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


class _Rows(NamedTuple):
    """The rows of a job, and what each has beside what the hub keeps of it."""

    client: HubClient
    query: ResultQuery
    details: Mapping[str, Any]  # the same in each row
    cells: "TwinCells | None"  # None: no column stands in twins

    def pages(self, token: str = "") -> Iterator[tuple[Sequence[Mapping[str, Any]], str]]:
        """Page by page, from the one that `token` leads to."""
        return self._read(token) if self.cells is None else self.cells.fill_pages(self._read(token))

    def _read(self, token: str) -> Iterator[tuple[Sequence[Mapping[str, Any]], str]]:
        for page in results.read(self.client, self.query, token):
            yield [{**render_result(row), **self.details} for row in page.rows], page.next_token


@takes_option_groups
def show_results(
    cmd: Any,
    client: HubClient,
    our_job_id: str,
    job_details: bool = False,
    *,
    wanted: ResultOptions,
    output: RowOutputOptions,
) -> list[dict[str, Any]] | None:
    """Show what a job did to each device."""
    columns = chosen_columns(cmd, output.columns, (*COLUMNS, *JOB_DETAILS), COLUMNS)
    if job_details:
        columns = tuple(dict.fromkeys((*columns, *JOB_DETAILS)))
    of_twins = twin_columns(cmd, columns)
    if output.format is not None and output.output_file is None:
        raise ConflictingChoice("--format needs --output-file; without it, az's own -o sets the format.")
    query = wanted.query(our_job_id, columns)
    target = output.target(columns, _request(client, query))
    if target is not None:
        row_writer.check(target)
    job = run.show(client, our_job_id)
    count = 0 if job.tally is None else job.tally.device_count
    rows = _Rows(client, query, _details(client, job), _cells(cmd, client, of_twins, count))
    _warn_of_slow(count, query)
    if target is None:
        warn_of_many_rows(count)
        return [{name: row[name] for name in columns} for page, _ in rows.pages() for row in page]
    written = row_writer.write(target, rows.pages)
    logger.warning("%s written to %s.", counted(written, "row"), target.name)
    return None


def _details(client: HubClient, job: Job) -> dict[str, Any]:
    """A job in short, for each row of its results."""
    times = (job.document.get(name) for name in ("createdTime", "startTime", "endTime"))
    created, started, ended = (None if str(each).startswith(NO_TIME) else each for each in times)
    return {
        "jobId": job.job_id,
        "jobType": job.document.get("type"),
        "hub": client.target.authority,
        "jobStatus": job.document.get("status"),
        "jobReason": job.failure_reason,
        "jobCreated": created,
        "jobStarted": started,
        "jobEnded": ended,
    }


def _cells(cmd: Any, client: HubClient, columns: "Sequence[TwinColumn]", count: int) -> "TwinCells | None":
    """What fills the columns of twins. count: of the job's devices."""
    if not columns:
        return None
    from azext_iotjobs.cli.hub_access.twin_cells import cells_of  # here: most results need no twin

    cells = cells_of(client, columns, is_silent=bool(cmd.cli_ctx.only_show_errors))
    cells.expect(count)
    return cells


def _warn_of_slow(count: int, query: ResultQuery) -> None:
    """Warn when reading the rows of so many devices may take long."""
    minutes = results.expected_minutes(count, checks_registry=query.checks_registry)
    if minutes > SLOW_MINUTES:
        logger.warning(
            "%s: a hub of the smallest tier needs up to %.0f minutes for their rows. Throttling is waited out.",
            counted(count, "device"),
            minutes,
        )


def _request(client: HubClient, query: ResultQuery) -> str:
    classes = ",".join(sorted(each.value for each in query.error_classes)) or "any"
    return f"{client.target.canonical} {query.text} {classes} {query.success.ranges} {query.checks_registry}"
