"""What an unfinished run forbids: another run of its fleet job, and its own deletion. Pure."""

from datetime import datetime

from azext_iotjobs.model.errors import LeaseHeld, RunUnfinished, WrongState
from azext_iotjobs.model.run import Run, next_state
from azext_iotjobs.model.run_state import RunEvent, RunState
from azext_iotjobs.model.text import Text, command


def check_ended(run: Run, now: datetime) -> None:
    """Raise RunUnfinished for a run that has not ended: another one can only begin after it."""
    if run.state.has_ended:
        return
    job = run.fleet_job_id
    first, verb = ("Resume it: ", "resume") if run.is_unattended(now) else ("Watch it: ", "watch")
    raise RunUnfinished(
        f"{run.name} is {run.state.value}{by_whom(run, now)}; another can begin when it has ended."
        f"{'' if run.reason is None else f' Why: {run.reason}'}",
        hint=Text(
            first,
            command(f"iot hub fleet-job {verb}", fleet_job_id=job),
            ". Or end it: ",
            command("iot hub fleet-job cancel", fleet_job_id=job),
            ". Or have the new run do that: ",
            command("iot hub fleet-job run", fleet_job_id=job, if_unfinished="resume"),
            ", or: ",
            command("iot hub fleet-job run", fleet_job_id=job, if_unfinished="cancel"),
        ),
    )


def check_resumable(run: Run, now: datetime) -> None:
    """Raise WrongState for a run that cannot be resumed, LeaseHeld for one that another process executes."""
    next_state(run, RunEvent.RESUME)
    if run.lease is not None and not run.is_unattended(now):
        raise executed_by(run, run.lease.owner, run.lease.until)


def executed_by(run: Run, owner: str, until: datetime) -> LeaseHeld:
    """The error for a run that another process executes.

    owner: that process, for people.  until: when its lease ends, unless it renews that.
    """
    return LeaseHeld(
        f"{run.name} is executed by {owner}, which holds it until {until:%H:%M:%S} UTC, and longer while that "
        "process lives.",
        hint=Text(
            "Watch it: ",
            command("iot hub fleet-job watch", fleet_job_id=run.fleet_job_id),
            ". End it: ",
            command("iot hub fleet-job stop", fleet_job_id=run.fleet_job_id),
        ),
    )


def check_not_running(run: Run) -> None:
    """Raise WrongState for a run that is running: its record is needed until it has ended."""
    if run.state is RunState.RUNNING:
        raise WrongState(
            f"{run.name} is running; its record is needed until it has ended.",
            hint=Text("End it: ", command("iot hub fleet-job cancel", fleet_job_id=run.fleet_job_id)),
        )


def by_whom(run: Run, now: datetime) -> str:
    """Which process executes it, or did last, in words that follow its state."""
    if run.lease is not None and not run.is_unattended(now):
        return f", executed by {run.lease.owner}"
    match run.state:
        case RunState.RUNNING:
            had = "" if run.lease is None else f": {run.lease.owner} is gone"
            return f", and no process executes it{had}"
        case RunState.PENDING:
            return f", made by {run.created_by}, and not started"
        case _:
            return run.by_whom
