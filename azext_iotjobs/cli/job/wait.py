"""Handler of az iot hub job wait, and waiting for other commands.

Progress goes to stderr; the job is the result, and its outcome decides the exit code, with that of the verification of
its devices, if there is one.
"""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.input.option_groups import takes_option_groups
from azext_iotjobs.cli.job.options import WaitOptions, WaitPlan
from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.status_line import StatusLine
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.job import Job, JobTally, JobType
from azext_iotjobs.model.outcome import Outcome, weightiest
from azext_iotjobs.model.text import counted
from azext_iotjobs.operations.job import run as operation

logger = get_logger(__name__)


@takes_option_groups
def wait(cmd: Any, client: HubClient, our_job_id: str, *, waiting: WaitOptions) -> dict[str, Any] | None:
    """Wait for a job's end."""
    plan = waiting.read(cmd)
    if plan.verifying is not None:
        from azext_iotjobs.cli.job import verify  # here: few jobs are verified

        verify.check(client, plan.verifying)
    return wait_for_end(cmd, client, our_job_id, plan)


def wait_for_end(cmd: Any, client: HubClient, job_id: str, plan: WaitPlan) -> dict[str, Any] | None:
    """Wait for a job's end; gives the document that the hub showed last. Ctrl-C ends the waiting, not the job.

    With it what became of the verification of its devices, where they are verified.
    Raises NotFound when the hub does not know the id; other HubAnswers.
    """
    job, outcome = watch(client, job_id, plan)
    document = None if job is None else job.document
    if job is not None and plan.looks_at_devices:
        document, outcome = _look_at_devices(cmd, client, job, plan, outcome)
    leave_with(cmd, outcome, exit_zero=plan.exit_zero)
    return document


def _look_at_devices(
    cmd: Any, client: HubClient, job: Job, plan: WaitPlan, outcome: Outcome
) -> tuple[dict[str, Any], Outcome]:
    """Verify the devices of a job, and report them, as far as the plan says; gives the document and the outcome.

    outcome: of the waiting.  Raises HubAnswer, LinkError, UserError, after the result was printed.
    """
    if outcome is Outcome.WAIT_OVER:
        if plan.reports:
            logger.warning("No report is written: job %s has not ended.", job.job_id)
        return job.document, outcome
    if plan.reports:
        from azext_iotjobs.cli.job.report import report_after_wait  # here: few jobs are reported

        return report_after_wait(cmd, client, job, plan, outcome)
    from azext_iotjobs.cli.job import verify

    document, verified = verify.verify(cmd, client, [job.job_id], plan, job.document)
    return document, weightiest((outcome, verified))


def watch(client: HubClient, job_id: str, plan: WaitPlan) -> tuple[Job | None, Outcome]:
    """Wait for a job's end, and report its outcome on stderr.

    Gives the job as the hub showed it last, None when it never did. Raises as `wait_for_end`.
    """
    progress = JobProgress(job_id)
    try:
        waited = operation.wait(client, job_id, plan.policy, SystemClock(), progress)
    except KeyboardInterrupt:
        waited = operation.Waited(job=progress.last, finished=False)
    progress.end()
    outcome = operation.outcome_of(client, waited, plan.success, logger.warning)
    _report(job_id, waited.job, outcome, plan)
    return waited.job, outcome


def say_slot_taken(reason: str) -> None:
    """Report that a job has to wait for a free slot."""
    logger.warning("%s Waiting for a free slot; Ctrl-C ends the waiting, and this job is not created.", reason)


class JobProgress:
    """Shows the progress of a job: one line that changes on a terminal, otherwise a line for each change."""

    def __init__(self, job_id: str) -> None:
        self.last: Job | None = None
        self._job_id = job_id
        self._shown: str | None = None
        self._line = StatusLine()

    def polled(self, job: Job, left_s: float) -> None:
        """The hub has shown the job."""
        self.last = job
        counts = "" if job.tally is None else f": {_counts(job.tally, job.job_type)}"
        line = f"Job {self._job_id} is {job.status.value}{counts}"
        if self._line.is_live and not job.status.is_terminal:
            self._line.show(f"{line}; {left_s:.0f} s left")
        elif line != self._shown:
            self.end()
            logger.warning("%s.", line)
        self._shown = line

    def poll_failed(self, reason: str, left_s: float) -> None:
        """The hub did not answer, or was busy."""
        self.end()
        logger.warning("%s Polling again; %.0f s left.", reason, left_s)

    def end(self) -> None:
        """Remove the line that changes."""
        self._line.clear()


def _counts(tally: JobTally, job_type: JobType) -> str:
    """The hub's counts. Of a method a device counts that has answered, whatever status it answered with."""
    done = "answered" if job_type is JobType.METHOD else "succeeded"
    return (
        f"{tally.succeeded_count} of {counted(tally.device_count, 'device')} {done}, {tally.failed_count} failed, "
        f"{tally.running_count} running, {tally.pending_count} pending"
    )


def _report(job_id: str, job: Job | None, outcome: Outcome, plan: WaitPlan) -> None:
    if outcome is Outcome.WAIT_OVER:
        state = f"still {job.status.value}" if job else "not known: the hub did not answer"
        again = suggestion("iot hub job wait", "--job-id", job_id, **_verification_fields(plan))
        logger.warning("The time for waiting is over; job %s is %s and continues. Wait again: %s", job_id, state, again)
    elif outcome is Outcome.NO_DEVICE:
        logger.warning("Job %s is completed, but no device matched its condition.", job_id)
    elif outcome is Outcome.JOB_FAILED and job is not None:
        reason = job.document.get("failureReason") or job.document.get("statusMessage")
        logger.warning("Job %s ended as %s%s", job_id, job.status.value, f": {reason}" if reason else ".")
    elif outcome is Outcome.DEVICES_FAILED and job is not None:
        by_status = job.tally is not None and not job.tally.failed_count
        why = f": some answered with a status outside {plan.success}" if by_status else ""
        where = suggestion("iot hub job results", "--job-id", job_id)
        logger.warning(
            "Job %s is completed, but not all devices succeeded%s. See which and why: %s", job_id, why, where
        )


def _verification_fields(plan: WaitPlan) -> dict[str, str]:
    if plan.verifying is None:
        return {}
    from azext_iotjobs.cli.output.verification import command_fields

    return command_fields(plan.verifying.verification)
