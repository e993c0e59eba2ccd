"""Whether another run of a fleet job may begin: one at a time. Pure."""

from datetime import datetime

from azext_iotjobs.model.errors import RunUnfinished
from azext_iotjobs.model.run import Run, RunState
from azext_iotjobs.model.text import Text, command


def check_ended(run: Run, now: datetime) -> None:
    """Raise RunUnfinished for a run that has not ended: another one begins after it."""
    if run.state.has_ended:
        return
    job = ("-j", run.fleet_job_id)
    first, verb = ("Go on with it: ", "resume") if run.is_left_alone(now) else ("Watch it: ", "show")
    raise RunUnfinished(
        f"{run.name} is {run.state.value}{by_whom(run, now)}; another begins when it has ended."
        f"{'' if run.reason is None else f' Why: {run.reason}'}",
        hint=Text(
            first,
            command(f"iot hub fleet-job {verb}", *job),
            ". Or end it: ",
            command("iot hub fleet-job cancel", *job),
            ". A run that sees to it itself: ",
            command("iot hub fleet-job run", *job, "--if-unfinished", "resume"),
            ", or: ",
            command("iot hub fleet-job run", *job, "--if-unfinished", "cancel"),
        ),
    )


def by_whom(run: Run, now: datetime) -> str:
    """Who has it, or had it last, in words."""
    if run.lease is not None and not run.is_left_alone(now):
        return f", carried on by {run.lease.owner}"
    match run.state:
        case RunState.RUNNING:
            had = "" if run.lease is None else f": {run.lease.owner} has it no more"
            return f", and nobody carries it on{had}"
        case RunState.PENDING:
            return f", made by {run.created_by}, and not begun"
        case _:
            return "" if run.ended_by is None else f" by {run.ended_by}"
