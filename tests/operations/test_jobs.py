from collections.abc import Callable
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, Conflict, NotFound, Throttled
from azext_iotjobs.model.job import Job, JobRequest, JobStatus, JobType
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations import jobs
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import ClockDouble
from tests.helpers.transport_double import TransportDouble, in_turn, response

REQUEST = JobRequest(
    job_id="new", job_type=JobType.METHOD, condition="*", method=MethodCall(name="m"), patch=None, start_at=None,
    max_execution_s=60,
)  # fmt: skip
OLD = {"jobId": "x", "type": "export", "status": "completed"}
NO_JOB = response({"Message": "ErrorCode:JobNotFound;no", "ExceptionMessage": ""}, status=404)
FULL = response({"Message": "full"}, status=429, iothub_errorcode="ThrottlingMaxActiveJobCountExceeded")


def job(status: str, job_id: str = "j", job_type: str = "scheduleDeviceMethod") -> Response:
    return response({"jobId": job_id, "type": job_type, "status": status})


def hub(answer: Callable[[Request], Response]) -> tuple[HubClient, TransportDouble]:
    transport = TransportDouble(answer)
    return HubClient(HubTarget(host="h"), transport), transport


def lines(transport: TransportDouble) -> list[str]:
    return [f"{request.method} {request.path}" for request in transport.requests]


def ignore(_job: Job) -> None:
    pass


def test_a_taken_slot_is_said_at_once_with_the_jobs_that_hold_it() -> None:
    rows: list[Any] = [
        {"jobId": "a", "type": "scheduleDeviceMethod", "status": "completed"},
        {"jobId": "b", "type": "scheduleUpdateTwin", "status": "scheduled"},
    ]
    client, transport = hub(in_turn(FULL, response(rows)))
    with pytest.raises(Throttled, match=r"held by b \(scheduled\)"):
        jobs.create(client, REQUEST)
    assert lines(transport) == ["PUT /jobs/v2/new", "GET /jobs/v2/query"]


@pytest.mark.parametrize("second", [response([]), response({"Message": "no right"}, status=401)])
def test_not_knowing_who_holds_the_slot_does_not_hide_the_refusal(second: Response) -> None:
    client, _ = hub(in_turn(FULL, second))
    with pytest.raises(Throttled) as raised:
        jobs.create(client, REQUEST)
    assert raised.value.hub_code == "ThrottlingMaxActiveJobCountExceeded"


def test_another_refusal_is_left_as_it_is() -> None:
    client, transport = hub(in_turn(response({"Message": "ErrorCode:JobAlreadyExists;new"}, status=409)))
    with pytest.raises(Conflict):
        jobs.create(client, REQUEST)
    assert len(transport.requests) == 1


def test_waiting_looks_at_once_and_then_at_each_interval_until_the_end() -> None:
    clock, seen = ClockDouble(), list[JobStatus]()
    client, _ = hub(in_turn(job("queued"), job("running"), job("completed")))
    policy = jobs.WaitPolicy(interval_s=10, limit_s=600)
    waited = jobs.wait(client, "j", policy, clock, lambda each: seen.append(each.status))
    assert (waited.finished, waited.job.status) == (True, JobStatus.COMPLETED)
    assert seen == [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.COMPLETED]
    assert clock.slept == [10, 10]


def test_waiting_ends_at_its_limit_with_a_last_look() -> None:
    clock = ClockDouble()
    client, transport = hub(lambda _request: job("running"))
    waited = jobs.wait(client, "j", jobs.WaitPolicy(interval_s=10, limit_s=25), clock, ignore)
    assert not waited.finished
    assert clock.slept == [10, 10, 5]
    assert len(transport.requests) == 4


def test_waiting_for_a_job_that_nobody_knows_is_an_error() -> None:
    client, _ = hub(in_turn(job("unknown", job_type="unknown")))
    with pytest.raises(NotFound, match="knows no job j"):
        jobs.wait(client, "j", jobs.WaitPolicy(), ClockDouble(), ignore)


@pytest.mark.parametrize(("part", "option"), [("interval_s", "--poll-interval"), ("limit_s", "--poll-duration")])
def test_a_policy_that_would_spin_is_refused(part: str, option: str) -> None:
    with pytest.raises(BadValue, match=option):
        jobs.WaitPolicy(**{part: 0})


def test_show_gives_the_hubs_own_document() -> None:
    client, transport = hub(in_turn(response({"jobId": "j", "status": "running", "news": 1})))
    assert jobs.show(client, "j").document == {"jobId": "j", "status": "running", "news": 1}
    assert lines(transport) == ["GET /jobs/v2/j"]


def test_show_falls_back_to_the_old_jobs() -> None:
    client, transport = hub(in_turn(job("unknown"), response(OLD)))
    assert jobs.show(client, "x").job_type is JobType.EXPORT
    assert lines(transport) == ["GET /jobs/v2/x", "GET /jobs/x"]


def test_a_job_that_is_neither_new_nor_old_is_not_found() -> None:
    client, _ = hub(in_turn(job("unknown"), NO_JOB))
    with pytest.raises(NotFound, match="knows no job j"):
        jobs.show(client, "j")


def listing(request: Request) -> Response:
    if request.path == "/jobs":
        return response([OLD, {**OLD, "jobId": "y", "type": "import", "status": "failed"}])
    return response([{"jobId": name, "type": "scheduleUpdateTwin", "status": "completed"} for name in "abc"])


@pytest.mark.parametrize(
    ("job_type", "status", "top", "found"),
    [
        (None, None, None, "abcxy"),
        (None, None, 4, "abcx"),
        (None, None, 2, "ab"),
        (JobType.TWIN, None, None, "abc"),
        (JobType.EXPORT, None, None, "x"),
        (JobType.IMPORT, JobStatus.COMPLETED, None, ""),
        (None, JobStatus.COMPLETED, None, "abcx"),
    ],
)
def test_lists_hold_both_kinds_of_jobs_filtered_and_trimmed(
    job_type: JobType | None, status: JobStatus | None, top: int | None, found: str
) -> None:
    client, _ = hub(listing)
    assert "".join(each.job_id for each in jobs.list_jobs(client, job_type, status, top)) == found


def test_the_old_endpoint_is_not_asked_for_what_only_the_new_one_has() -> None:
    client, transport = hub(listing)
    jobs.list_jobs(client, JobType.TWIN, None, None)
    assert lines(transport) == ["GET /jobs/v2/query"]


def test_a_top_below_one_is_refused_before_anything_is_sent() -> None:
    client, transport = hub(listing)
    with pytest.raises(BadValue, match="--top"):
        jobs.list_jobs(client, None, None, 0)
    assert transport.requests == []


def test_a_new_job_is_cancelled_by_the_new_endpoint_and_an_old_one_by_the_old() -> None:
    client, transport = hub(in_turn(job("scheduled"), job("cancelled")))
    cancelled = jobs.cancel(client, "j")
    assert cancelled is not None
    assert cancelled.status is JobStatus.CANCELLED
    assert lines(transport) == ["GET /jobs/v2/j", "POST /jobs/v2/j/cancel"]
    client, transport = hub(in_turn(job("unknown"), response(OLD), response(status=204)))
    assert jobs.cancel(client, "x") is None
    assert lines(transport)[-1] == "DELETE /jobs/x"


def test_cancelling_what_is_not_there_sends_no_cancel() -> None:
    client, transport = hub(in_turn(job("unknown"), NO_JOB))
    with pytest.raises(NotFound):
        jobs.cancel(client, "j")
    assert all(line.startswith("GET") for line in lines(transport))
