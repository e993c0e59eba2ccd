"""Whether another run of a fleet job may begin: one at a time. Pure."""

from datetime import datetime

from azext_iotjobs.model.errors import RunUnfinished
from azext_iotjobs.model.run import Run, RunState


def check_ended(run: Run, now: datetime) -> None:
    """Raise RunUnfinished for a run that has not ended: another one begins after it."""
    if run.state.has_ended:
        return
    job = f"-j {run.fleet_job_id}"
    is_free = run.is_left_alone(now)
    first = f"Go on with it: az iot hub fleet-job resume {job}"
    if not is_free:
        first = f"Watch it: az iot hub fleet-job show {job}"
    raise RunUnfinished(
        f"{run.name} is {run.state.value}{by_whom(run, now)}; another begins when it has ended."
        f"{'' if run.reason is None else f' Why: {run.reason}'}",
        hint=f"{first}. Or end it: az iot hub fleet-job cancel {job}. A run that sees to it itself: az iot hub "
        f"fleet-job run {job} --if-unfinished resume, or: az iot hub fleet-job run {job} --if-unfinished cancel",
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
