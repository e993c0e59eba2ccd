"""Wait for a job at a terminal or in a script: progress on stderr, the job as the result, its outcome as exit code."""

from typing import Any

from knack.log import get_logger

from azext_iotjobs.cli.output.exit_code import leave_with
from azext_iotjobs.cli.output.hints import suggestion
from azext_iotjobs.cli.output.status_line import LiveLine
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.job import Job, JobTally, JobType
from azext_iotjobs.model.outcome import Outcome, SuccessStatus
from azext_iotjobs.model.waiting import WaitPolicy
from azext_iotjobs.operations.job import run as operation

logger = get_logger(__name__)


def wait(
    cmd: Any, client: HubClient, job_id: str, policy: WaitPolicy, success: SuccessStatus, *, always_zero: bool
) -> dict[str, Any] | None:
    """Wait for a job's end; gives it as last seen. Ctrl-C ends the waiting alone."""
    job, outcome = watch(client, job_id, policy, success)
    leave_with(cmd, outcome, always_zero=always_zero)
    return job.document if job else None


def watch(client: HubClient, job_id: str, policy: WaitPolicy, success: SuccessStatus) -> tuple[Job | None, Outcome]:
    """Wait for a job's end, and say on stderr what it came to; None when the hub never showed it."""
    progress = Progress(job_id)
    try:
        waited = operation.wait(client, job_id, policy, SystemClock(), progress)
    except KeyboardInterrupt:
        waited = operation.Waited(job=progress.last, finished=False)
    progress.end()
    outcome = operation.judge(client, waited, success, logger.warning)
    _say(job_id, waited, outcome, success)
    return waited.job, outcome


def say_slot_taken(reason: str) -> None:
    """A job has to wait for a free slot."""
    logger.warning("%s Waiting for a free slot; Ctrl-C ends that, and this job is not created.", reason)


class Progress:
    """Tells of a job that is waited for: one line that changes on a terminal, else a line for each change."""

    def __init__(self, job_id: str) -> None:
        self.last: Job | None = None
        self._job_id = job_id
        self._said: str | None = None
        self._line = LiveLine()

    def looked(self, job: Job, left_s: float) -> None:
        """A look at the job."""
        self.last = job
        counts = "" if job.tally is None else f": {_counts(job.tally, job.job_type)}"
        line = f"Job {self._job_id} is {job.status.value}{counts}"
        if self._line.is_live and not job.status.is_terminal:
            self._line.show(f"{line}; {left_s:.0f} s left")
        elif line != self._said:
            self.end()
            logger.warning("%s.", line)
        self._said = line

    def not_seen(self, reason: str, left_s: float) -> None:
        """The hub did not answer, or was busy."""
        self.end()
        logger.warning("%s Asking again; %.0f s left.", reason, left_s)

    def end(self) -> None:
        """Leave the line that changes."""
        self._line.clear()


def _counts(tally: JobTally, job_type: JobType) -> str:
    """The hub's counts. Of a method a device counts that has answered, whatever status it answered with."""
    done = "answered" if job_type is JobType.METHOD else "succeeded"
    return (
        f"{tally.succeeded_count} of {tally.device_count} devices {done}, {tally.failed_count} failed, "
        f"{tally.running_count} running, {tally.pending_count} pending"
    )


def _say(job_id: str, waited: operation.Waited, outcome: Outcome, success: SuccessStatus) -> None:
    job = waited.job
    match outcome:
        case Outcome.WAIT_OVER:
            state = f"still {job.status.value}" if job else "not known: the hub did not answer"
            logger.warning(
                "The waiting is over; job %s is %s, and goes on. Wait again: %s",
                job_id, state, suggestion("iot hub job wait", "--job-id", job_id),
            )  # fmt: skip
        case Outcome.JOB_FAILED:
            assert job is not None  # it has ended
            reason = job.document.get("failureReason") or job.document.get("statusMessage")
            logger.warning("Job %s ended as %s%s", job_id, job.status.value, f": {reason}" if reason else ".")
        case Outcome.NO_DEVICE:
            logger.warning("Job %s is completed, but no device matched its condition.", job_id)
        case Outcome.DEVICES_FAILED:
            assert job is not None  # it has ended
            by_status = job.tally is not None and not job.tally.failed_count
            why = f": some answered with a status outside {success}" if by_status else ""
            logger.warning(
                "Job %s is completed, but not all devices succeeded%s. Which and why: %s",
                job_id, why, suggestion("iot hub job results", "--job-id", job_id),
            )  # fmt: skip
        case _:
            pass
