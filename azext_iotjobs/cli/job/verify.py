"""Verification of the devices that jobs have operated, behind the jobs' ends; Ctrl-C ends it early.

The rows of the devices go into the result, or into a file as they are decided. Progress goes to stderr.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from knack.log import get_logger

from azext_iotjobs.cli.hub_access.tiers import pace_of
from azext_iotjobs.cli.job.options import VerifyingPlan, WaitPlan
from azext_iotjobs.cli.output import row_writer
from azext_iotjobs.cli.output.device_row_line import HEARTBEAT_S, MAX_FAILURES, short_row
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.interrupt import stopped_by_ctrl_c
from azext_iotjobs.cli.output.result_rows import render_verified_result
from azext_iotjobs.cli.output.row_sink import row_sink
from azext_iotjobs.cli.output.status_line import StatusLine
from azext_iotjobs.cli.output.terminal_safe import print_now
from azext_iotjobs.cli.output.verification import (
    VerifiedCounts,
    command_fields,
    render_plan,
    render_verification,
    verifying_line,
)
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import Clock, StopFlag, SystemClock
from azext_iotjobs.model.errors import IotJobsError
from azext_iotjobs.model.outcome import Outcome, SuccessStatus
from azext_iotjobs.model.query_pace import QueryPace
from azext_iotjobs.model.result import DeviceResult
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.job import results
from azext_iotjobs.operations.verification.conditions import try_conditions
from azext_iotjobs.operations.verification.results import ResultVerifier

if TYPE_CHECKING:
    from azext_iotjobs.cli.output.twin_cells import TwinCells

logger = get_logger(__name__)

Document = dict[str, Any]
OnRow = Callable[[Document], None]


def check(client: HubClient, plan: VerifyingPlan, *, of_modules: bool = False) -> Document:
    """Check what can be checked before a job is created or waited for; gives what a preview shows.

    of_modules: the job is on modules.
    Raises BadValue for a condition that the hub cannot read, and for a file that cannot be written; HubAnswer,
    LinkError.
    """
    if plan.target is not None:
        row_writer.check_new(plan.target)
    met_count = try_conditions(client.queries, plan.verification, of_modules=of_modules)
    return render_plan(plan.verification, met_count)


def verify(
    cmd: Any,
    client: HubClient,
    job_ids: Sequence[str],
    plan: WaitPlan,
    document: Document,
    on_row: OnRow | None = None,
) -> tuple[Document, Outcome]:
    """Verify the devices that jobs have operated; gives the result with what became of them, and the outcome of it.

    job_ids: of jobs that have ended.  document: the result without.  on_row: gets each row, too.
    Raises HubAnswer and LinkError, after the result was printed, for what ended it.
    """
    verifying = plan.verifying
    if verifying is None:
        return document, Outcome.SUCCESS
    progress = VerificationProgress(SystemClock(), is_silent=bool(cmd.cli_ctx.only_show_errors))
    with stopped_by_ctrl_c() as stop:
        jobs = JobRows(client, job_ids, plan.success, stop)
        pace, clock = pace_of(client), SystemClock()
        verifier = ResultVerifier(client.queries, verifying.verification, pace, clock, stop, progress)
        cells = _cells(client, verifying, pace, stop)
        rows, trouble = _collect(verifier, jobs, verifying, progress, cells, on_row)
    progress.end(None if verifying.target is None else verifying.target.name)
    shown = {**render_verification(verifying.verification), **progress.counts.document(), "results": rows}
    document = {**document, "verification": shown}
    if trouble is not None:
        print_now(cmd, document)  # an error leaves no result
        raise trouble
    if progress.counts.verifying or jobs.unread:
        _report_early_end(job_ids, jobs, verifying, progress.counts.verifying)
        return document, Outcome.WAIT_OVER
    return document, Outcome.DEVICES_FAILED if progress.counts.by_class else Outcome.SUCCESS


class JobRows:
    """The rows of jobs, one job after the other, until the stop flag is set."""

    def __init__(self, client: HubClient, job_ids: Sequence[str], success: SuccessStatus, stop: StopFlag) -> None:
        self.unread = list(job_ids)  # jobs whose rows were not all read
        self._client = client
        self._success = success
        self._stop = stop

    def __iter__(self) -> Iterator[DeviceResult]:
        """Raises HubAnswer, LinkError."""
        for job_id in tuple(self.unread):
            query = results.ResultQuery(job_id=job_id, success=self._success, checks_registry=False)
            for page in results.read(self._client, query):
                yield from page.rows
                if self._stop.is_set() and page.next_token:
                    return
            self.unread.remove(job_id)


def _collect(
    verifier: ResultVerifier,
    jobs: JobRows,
    plan: VerifyingPlan,
    progress: "VerificationProgress",
    cells: "TwinCells | None",
    on_row: OnRow | None,
) -> tuple[list[Document] | None, IotJobsError | None]:
    """Write or keep each row as it is decided; gives those kept, None with a file, and what ended it.

    cells: of the columns from twins; None: there are none.
    """
    kept: list[Document] = []
    trouble: IotJobsError | None = None
    with row_sink(plan.target, plan.columns, kept, cells) as keep:

        def take(row: DeviceResult) -> None:
            progress.row(row)
            shown = render_verified_result(row)
            if on_row is not None:
                on_row(shown)
            keep(shown)

        try:
            for row in verifier.rows(jobs):
                take(row)
        except KeyboardInterrupt:
            progress.say("Left at once.")
        except IotJobsError as err:
            trouble = err
        for row in verifier.left():
            take(row)
    return None if plan.target is not None else kept, verifier.trouble or trouble


def _cells(client: HubClient, plan: VerifyingPlan, pace: QueryPace, stop: StopFlag) -> "TwinCells | None":
    """What fills the columns of twins. pace: of the verification."""
    if not plan.of_twins:
        return None
    from azext_iotjobs.cli.hub_access.twin_cells import cells_of  # here: most rows need no twin

    return cells_of(client, plan.of_twins, pace=pace, stop=stop)


def _report_early_end(job_ids: Sequence[str], jobs: JobRows, plan: VerifyingPlan, verifying_count: int) -> None:
    if verifying_count:
        who = counted(verifying_count, "device is", "devices are")
        logger.warning("The verification was ended early; %s still being verified, as the rows say.", who)
    for each in jobs.unread:
        logger.warning("Not all rows of job %s were read: its other devices have none.", each)
    for each in job_ids:
        again = suggestion("iot hub job wait", "--job-id", each, **command_fields(plan.verification))
        logger.warning("Verify the devices of job %s again: %s", each, again)


class VerificationProgress:
    """Shows what becomes of devices: a line for each that failed, and how many are being verified."""

    def __init__(self, clock: Clock, *, is_silent: bool) -> None:
        self.counts = VerifiedCounts()
        self._clock = clock
        self._said_at = clock.monotonic()
        self._has_begun = False
        self._failures_left = MAX_FAILURES
        self._line = StatusLine(is_silent=is_silent)

    def row(self, row: DeviceResult) -> None:
        """A device is decided on, or left."""
        self.counts.add(row)
        if row.error_class is None or not self._failures_left:
            return
        self._failures_left -= 1
        self.say(short_row(row))
        if not self._failures_left:
            self.say("More failures are not shown here.")

    def verifying(self, count: int, left_s: float) -> None:
        """So many devices are being verified."""
        line = f"Verification: {self._counted()}, {verifying_line(count, left_s)}"
        now = self._clock.monotonic()
        if self._line.is_live:
            self._line.show(line)
        elif not self._has_begun or now - self._said_at >= HEARTBEAT_S:
            self._said_at = now
            logger.warning("%s.", line)
        self._has_begun = True

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._line.clear()
        logger.warning("%s", text)

    def end(self, written_to: str | None) -> None:
        """Sum up. written_to: the name of the file that has the rows."""
        left = f", {self.counts.verifying} still verifying" if self.counts.verifying else ""
        written = f" Rows written to {written_to}." if written_to else ""
        self.say(f"Verification: {self._counted()}{left}.{written}")

    def _counted(self) -> str:
        by_class = self.counts.by_class
        reasons = f" ({', '.join(f'{name} {count}' for name, count in by_class.most_common())})" if by_class else ""
        return f"{self.counts.verified} verified, {by_class.total()} failed{reasons}"
