"""Handler of az iot hub job report: what a job did to its devices, as JUnit XML, Markdown or an HTML page."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.output.report.cases import MAIN_COLUMNS, device_cases
from azext_iotjobs.cli.output.report.writing import write
from azext_iotjobs.cli.output.report_target import ReportOptions, ReportTarget
from azext_iotjobs.cli.output.result_rows import CALL_COLUMNS, VERIFIED_COLUMNS, render_result
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock, parse_known_instant
from azext_iotjobs.model.job import Job, JobStatus
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, SuccessStatus, parse_success_status
from azext_iotjobs.model.report import DEVICES, Fact, Report, Section
from azext_iotjobs.operations.job import results, run

logger = get_logger(__name__)

CLOCK = SystemClock()
ONLY_SECTION = 1


class JudgingOptions(NamedTuple):
    """What counts as success."""

    success_status: str = DEFAULT_SUCCESS_STATUS


@takes_option_groups
def report(
    cmd: Any,
    client: HubClient,
    our_job_id: str,
    *,
    judging: JudgingOptions,
    output: ReportOptions,
) -> None:
    """Write a report of a job."""
    target = output.target()
    success = parse_success_status(judging.success_status)
    write_report(client, run.show(client, our_job_id), success, [target])


def write_report(client: HubClient, job: Job, success: SuccessStatus, targets: Iterable[ReportTarget]) -> None:
    """Read the rows of a job, and write a report of them. Raises HubAnswer, LinkError, UserError.

    success: which statuses of a method's answer are a success.
    """
    if not job.status.is_terminal:
        logger.warning("Job %s is %s: the report shows it as it is now.", job.job_id, job.status.value)
    query = results.ResultQuery(job_id=job.job_id, success=success, checks_registry=False)
    rows = (render_result(row) for page in results.read(client, query) for row in page.rows)
    write(report_of(job, client.target.authority), device_cases(_warning(job, rows), ONLY_SECTION), targets)


def report_of(job: Job, host: str) -> Report:
    """What a report of a job is about."""
    document = job.document
    started_at, ended_at = (
        parse_known_instant(document.get(f"{name}Time") or document.get(f"{name}TimeUtc")) for name in ("start", "end")
    )
    ended_at = ended_at if job.status.is_terminal else None
    section = Section(
        number=ONLY_SECTION, name="devices", status=job.status.value, started_at=started_at, ended_at=ended_at
    )
    return Report(
        title=f"Job {job.job_id}",
        subject=job.job_id,
        status=job.status.value,
        ended_well=job.status is JobStatus.COMPLETED if job.status.is_terminal else None,
        wording=DEVICES,
        facts=tuple(Fact(name, value) for name, value in _facts(job, host) if value),
        sections=(section,),
        columns=(*CALL_COLUMNS, *VERIFIED_COLUMNS),
        main_columns=MAIN_COLUMNS,
        host=host,
        started_at=started_at,
        ended_at=ended_at,
        made_at=CLOCK.now(),
    )


def _warning(job: Job, rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The rows; says so when there are none."""
    has_rows = False
    for row in rows:
        has_rows = True
        yield row
    if not has_rows:
        logger.warning("Job %s has no device yet: the report has none.", job.job_id)


def _facts(job: Job, host: str) -> Iterator[tuple[str, str | None]]:
    method = (job.document.get("cloudToDeviceMethod") or {}).get("methodName")
    yield "job", job.job_id
    yield "hub", host
    yield "action", f"method {method}" if method else job.job_type.value
    yield "devices", job.condition
    yield "status", job.status.value
    yield "reason", job.failure_reason
    for name in ("created", "start", "end"):
        yield f"{name} time", job.document.get(f"{name}Time")
