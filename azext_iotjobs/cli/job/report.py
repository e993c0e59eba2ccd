"""Handler of az iot hub job report: what a job did to its devices, as JUnit XML, Markdown or an HTML page."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from knack.log import get_logger

from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.job.options import WaitPlan
from azext_iotjobs.cli.output.cells import time_cell
from azext_iotjobs.cli.output.report.cases import MAIN_COLUMNS, device_cases
from azext_iotjobs.cli.output.report.spool import CaseSpool
from azext_iotjobs.cli.output.report.writing import write, write_spooled
from azext_iotjobs.cli.output.report_target import ReportOptions
from azext_iotjobs.cli.output.result_columns import CALL_COLUMNS, VERIFIED_COLUMNS
from azext_iotjobs.cli.output.result_rows import render_result
from azext_iotjobs.cli.output.terminal_safe import print_now
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock, parse_known_instant
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.job import Job, JobStatus
from azext_iotjobs.model.outcome import (
    DEFAULT_SUCCESS_STATUS,
    Outcome,
    SuccessStatus,
    parse_success_status,
    weightiest,
)
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
    job = run.show(client, our_job_id)
    if not job.status.is_terminal:
        logger.warning("Job %s is %s: the report shows it as it is now.", job.job_id, job.status.value)
    cases = device_cases(_rows(client, job, success), ONLY_SECTION)
    write(report_of(job, client.target.authority), cases, [target])


def report_after_wait(
    cmd: Any, client: HubClient, job: Job, plan: WaitPlan, outcome: Outcome
) -> tuple[dict[str, Any], Outcome]:
    """Report the devices of a job that has ended, verified where the plan says so; gives the document and the outcome.

    outcome: of the waiting.  Raises HubAnswer, LinkError, UserError, after the result was printed.
    """
    document = job.document
    with CaseSpool() as spool:
        if plan.verifying is not None:
            from azext_iotjobs.cli.job import verify  # here: few jobs are verified

            def add(row: dict[str, Any]) -> None:
                spool.add(device_cases([row], ONLY_SECTION))

            document, verified = verify.verify(cmd, client, [job.job_id], plan, document, add)
            outcome = weightiest((outcome, verified))
        try:
            if plan.verifying is None:
                spool.add(device_cases(_rows(client, job, plan.success), ONLY_SECTION))
            write_spooled(report_of(job, client.target.authority), spool, plan.reports)
        except IotJobsError:
            print_now(cmd, document)  # an error leaves no result
            raise
    return document, outcome


def _rows(client: HubClient, job: Job, success: SuccessStatus) -> Iterator[Mapping[str, Any]]:
    """The rows of a job; says so when there are none."""
    query = results.ResultQuery(job_id=job.job_id, success=success, checks_registry=False)
    has_rows = False
    for page in results.read(client, query):
        for row in page.rows:
            has_rows = True
            yield render_result(row)
    if not has_rows:
        logger.warning("Job %s has no device: neither has the report.", job.job_id)


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


def _facts(job: Job, host: str) -> Iterator[tuple[str, str | None]]:
    method = (job.document.get("cloudToDeviceMethod") or {}).get("methodName")
    yield "job", job.job_id
    yield "hub", host
    yield "action", f"method {method}" if method else job.job_type.value
    yield "devices", job.condition
    yield "status", job.status.value
    yield "reason", job.failure_reason
    for name, member in (("created", "createdTime"), ("started", "startTime"), ("ended", "endTime")):
        yield name, time_cell(job.document.get(member))
