"""Handler of az iot hub job results: a row for each device, as az's result or into a file."""

from collections.abc import Iterator
from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.columns import chosen_columns
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.result_codec import ALL_COLUMNS, COLUMNS, render_result
from azext_iotjobs.model.errors import ConflictingChoice
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, parse_success_status
from azext_iotjobs.model.result import ErrorClass
from azext_iotjobs.operations.job import results, run
from azext_iotjobs.operations.job.results import ResultQuery

logger = get_logger(__name__)

MANY_ROWS = 50_000  # az keeps a result whole until it is printed: 100,000 rows took 350 MB
SOON_MINUTES = 1.0


def show_results(
    cmd: Any,
    client: HubClient,
    job: str,
    device_state: str | None = None,
    error_kind: str | None = None,
    shown_columns: str | None = None,
    rows_file: str | None = None,
    rows_form: str | None = None,
    overwrites: bool = False,
    skips_registry: bool = False,
    success: str = DEFAULT_SUCCESS_STATUS,
) -> list[dict[str, Any]] | None:
    """Show what a job did to each device."""
    columns = chosen_columns(cmd, shown_columns, COLUMNS, elsewhere=ALL_COLUMNS)
    if rows_form is not None and rows_file is None:
        raise ConflictingChoice("--format goes with --output-file only; without it, az's own -o says the format.")
    query = ResultQuery(
        job_id=job,
        status=device_state,
        error_class=None if error_kind is None else ErrorClass(error_kind),
        success=parse_success_status(success),
        looks_in_registry=not skips_registry and "deleted" in columns,
    )
    if rows_file is None:
        return _as_result(client, query, columns, _expected(client, query))
    target = row_writer.Target(
        path=rows_file,
        form=row_writer.form_of(rows_file, rows_form),
        columns=columns,
        asked=_asked(client, query),
        overwrites=overwrites,
    )
    row_writer.check(target)
    _expected(client, query)
    count = row_writer.write(target, lambda token: _pages(client, query, token))
    logger.warning("%d rows written to %s.", count, "stdout" if rows_file == row_writer.STDOUT else rows_file)
    return None


def _as_result(
    client: HubClient, query: ResultQuery, columns: tuple[str, ...], row_count: int | None
) -> list[dict[str, Any]]:  # fmt: skip
    if row_count is not None and row_count > MANY_ROWS:
        logger.warning(
            "%d rows: az keeps them all in memory until the last one has come. --output-file writes them as they come.",
            row_count,
        )
    return [{name: row[name] for name in columns} for rows, _ in _pages(client, query, "") for row in rows]


def _pages(client: HubClient, query: ResultQuery, token: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
    for page in results.read(client, query, token):
        yield [render_result(row) for row in page.rows], page.next_token


def _expected(client: HubClient, query: ResultQuery) -> int | None:
    """How many devices the job has, None when the hub does not say; a person hears when reading may take long."""
    tally = run.show(client, query.job_id).tally
    if tally is None:
        return None
    minutes = results.expected_minutes(tally.device_count, looks_in_registry=query.looks_in_registry)
    if minutes > SOON_MINUTES:
        logger.warning(
            "%d devices: a hub of the smallest tier needs up to %.0f minutes for their rows. Throttling is waited out.",
            tally.device_count, minutes,
        )  # fmt: skip
    return tally.device_count


def _asked(client: HubClient, query: ResultQuery) -> str:
    kind = query.error_class.value if query.error_class else "any"
    return f"{client.target.canonical} {query.text} {kind} {query.success.ranges} {query.looks_in_registry}"
