"""Schedule jobs from Python: lock the doors of some devices, then tell them which building they are in.

Run: IOTJOBS_CONNECTION_STRING="HostName=…" python schedule_jobs.py "deviceId IN ['Device-1']" [SECONDS]

SECONDS, by default 120, is how long each job may run: a device that is off line holds the first one until then.

Environment: IOTJOBS_CONNECTION_STRING is the hub's; for a local hub, REQUESTS_CA_BUNDLE names its CA bundle. Both are
what `az iot local-hub start` prints.
"""

import os
import sys
from datetime import datetime, timezone
from uuid import uuid4

from azext_iotjobs.sdk import IotJobsError, Job, JobClient, JobStatus, WaitOver

ENVIRONMENT_VARIABLE = "IOTJOBS_CONNECTION_STRING"
DEFAULT_SECONDS = 120


def main(condition: str, seconds: int = DEFAULT_SECONDS) -> None:
    """Run both jobs, one after the other, on the devices that the condition finds."""
    with JobClient.from_connection_string(os.environ[ENVIRONMENT_VARIABLE]) as client:
        lock_doors(client, condition, seconds)
        set_building(client, condition, 45, seconds)


def lock_doors(client: JobClient, condition: str, seconds: int) -> None:
    """Call the direct method lockDoor on each device, and show what each one answered."""
    job_id = f"lock-{uuid4()}"
    client.schedule_device_method(
        job_id,
        condition,
        "lockDoor",
        {"by": "schedule_jobs.py"},
        start_at=datetime.now(timezone.utc),
        max_execution_s=seconds,
        response_timeout_s=5,
        connect_timeout_s=5,
    )
    print(f"Started the method job; a device that is off line holds it for up to {seconds} seconds")
    monitor(client, job_id)
    for row in client.results(job_id):
        if row.error_class is None:
            print(f"{row.device_id}: {row.status}, answered {row.method_status} {row.payload!r}")
        else:
            print(f"{row.device_id}: {row.error_class.value}, {row.error_code or row.method_status}")


def set_building(client: JobClient, condition: str, building: int, seconds: int) -> None:
    """Write a desired property and a tag into each device's twin."""
    job_id = f"building-{uuid4()}"
    patch = {"tags": {"building": building}, "properties": {"desired": {"BuildingNo": building}}}
    client.schedule_twin_update(job_id, condition, patch, max_execution_s=seconds)
    print("Started the twin job")
    job = monitor(client, job_id)
    if job.tally is not None:
        print(f"{job.tally.succeeded_count} of {job.tally.device_count} twins updated")


def monitor(client: JobClient, job_id: str) -> Job:
    """Say how a job stands, whenever that has changed, until it is completed."""
    said = ""

    def say(job: Job) -> None:
        nonlocal said
        line = f"Job status: {job.status.value}"
        if job.tally is not None and job.tally.device_count:
            ended = job.tally.succeeded_count + job.tally.failed_count
            line += f", {ended} of {job.tally.device_count} devices have ended"
        if line != said:
            print(line, flush=True)
        said = line

    job = client.wait(job_id, poll_interval_s=2, on_look=say)
    if job.status is not JobStatus.COMPLETED:
        raise SystemExit(f"Job {job_id} {job.status.value}: {job.document.get('failureReason')!r}")
    return job


if __name__ == "__main__":
    if (
        len(sys.argv) not in (2, 3)
        or not all(map(str.isdecimal, sys.argv[2:]))
        or ENVIRONMENT_VARIABLE not in os.environ
    ):
        raise SystemExit(__doc__)
    try:
        main(sys.argv[1], *map(int, sys.argv[2:]))
    except WaitOver as over:
        raise SystemExit(f"{over} It goes on.") from over
    except IotJobsError as error:
        raise SystemExit(f"{error} {error.hint or ''}") from error
