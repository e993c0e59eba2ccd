"""Run a job again: the job to repeat, and ids that are free for the new ones."""

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import WrongState
from azext_iotjobs.model.job import Job, JobStatus
from azext_iotjobs.model.rerun import new_job_id, part_ids
from azext_iotjobs.model.text import Text, command
from azext_iotjobs.operations.job.run import unknown_job


def original(client: HubClient, job_id: str) -> Job:
    """A job that is to be repeated. Raises NotFound; other HubAnswers, LinkError."""
    job = client.jobs.get(job_id)
    if job.status is JobStatus.UNKNOWN:
        raise unknown_job(job_id)
    return job


def ended(job: Job) -> Job:
    """The job, when it has ended: before that it is not known which devices fail. Raises WrongState."""
    if not job.status.is_terminal:
        raise WrongState(
            f"Job {job.job_id} is {job.status.value}: which devices fail is not known yet.",
            hint=Text("Wait for its end: ", command("iot hub job wait", job_id=job.job_id)),
        )
    return job


def free_ids(client: HubClient, parent_id: str, parts: int) -> list[str]:
    """Ids for the jobs that repeat a job: <parent>-r1, or the first such number that is free.

    parent_id: of the job.  parts: how many ids, 1 or more.
    Raises HubAnswer, LinkError.
    """
    number = 1
    while True:
        ids = part_ids(new_job_id(parent_id, f"-r{number}"), parts)
        if client.jobs.get(ids[0]).status is JobStatus.UNKNOWN:
            return ids
        number += 1
