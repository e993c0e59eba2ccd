from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.clients.job_codec import parse_job
from azext_iotjobs.model.clock import render_instant
from azext_iotjobs.model.errors import BadValue, Conflict, LinkLost, NotFound, Throttled, Unauthorized
from azext_iotjobs.model.job import Job, JobStatus, JobType
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.outcome import DEFAULT_SUCCESS_STATUS, Outcome, parse_success_status
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.waiting import WaitPolicy
from azext_iotjobs.operations.job import run
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.clock_double import START, ClockDouble
from tests.helpers.transport_double import TransportDouble, in_turn, response

REQUEST = JobRequest(
    job_id="new",
    job_type=JobType.METHOD,
    condition="*",
    method=MethodCall(name="m"),
    patch=None,
    start_at=None,
    max_execution_s=60,
)
SUCCESS = parse_success_status(DEFAULT_SUCCESS_STATUS)
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


class Told:
    """Keeps what a waiting tells."""

    def __init__(self) -> None:
        self.statuses: list[JobStatus] = []
        self.left: list[float] = []
        self.troubles: list[str] = []

    def polled(self, job: Job, left_s: float) -> None:
        self.statuses.append(job.status)
        self.left.append(left_s)

    def poll_failed(self, reason: str, left_s: float) -> None:
        self.troubles.append(reason)


def test_a_taken_slot_is_said_at_once_with_the_jobs_that_hold_it() -> None:
    rows: list[Any] = [
        {"jobId": "a", "type": "scheduleDeviceMethod", "status": "completed"},
        {"jobId": "b", "type": "scheduleUpdateTwin", "status": "scheduled"},
    ]
    client, transport = hub(in_turn(FULL, response(rows)))
    with pytest.raises(Throttled, match=r"held by b \(scheduled\)"):
        run.create(client, REQUEST)
    assert lines(transport) == ["PUT /jobs/v2/new", "GET /jobs/v2/query"]


@pytest.mark.parametrize("second", [response([]), response({"Message": "no right"}, status=401)])
def test_not_knowing_who_holds_the_slot_does_not_hide_the_refusal(second: Response) -> None:
    client, _ = hub(in_turn(FULL, second))
    with pytest.raises(Throttled) as raised:
        run.create(client, REQUEST)
    assert raised.value.hub_code == "ThrottlingMaxActiveJobCountExceeded"


def test_another_refusal_is_left_as_it_is() -> None:
    client, transport = hub(in_turn(response({"Message": "ErrorCode:JobAlreadyExists;new"}, status=409)))
    with pytest.raises(Conflict):
        run.create(client, REQUEST)
    assert len(transport.requests) == 1


def test_waiting_looks_at_once_and_then_ever_more_seldom_until_the_end() -> None:
    clock, told = ClockDouble(), Told()
    client, _ = hub(in_turn(job("queued"), *[job("running")] * 8, job("completed")))
    waited = run.wait(client, "j", WaitPolicy(interval_s=10, limit_s=600), clock, told)
    assert waited.finished and waited.job is not None and waited.job.status is JobStatus.COMPLETED
    assert told.statuses == [JobStatus.QUEUED, *[JobStatus.RUNNING] * 8, JobStatus.COMPLETED]
    assert clock.slept == pytest.approx([1, 1.5, 2.25, 3.375, 5.0625, 7.59375, 10, 10, 10])
    assert told.left[0] == 600 and told.left == sorted(told.left, reverse=True)


def test_waiting_ends_at_its_limit_with_a_last_look() -> None:
    clock = ClockDouble()
    client, transport = hub(lambda _request: job("running"))
    waited = run.wait(client, "j", WaitPolicy(interval_s=2, limit_s=6), clock, Told())
    assert not waited.finished and waited.job is not None
    assert clock.slept == pytest.approx([1, 1.5, 2, 1.5]) and clock.monotonic() == pytest.approx(6)
    assert len(transport.requests) == 5


@pytest.mark.parametrize("trouble", [response(status=429), response(status=503), LinkLost("broke")])
def test_a_hub_that_is_busy_or_away_is_asked_again(trouble: Response | LinkLost) -> None:
    answers: list[Any] = [job("running"), trouble, trouble, job("completed")]

    def answer(_request: Request) -> Response:
        found = answers.pop(0)
        if isinstance(found, LinkLost):
            raise found
        return found  # type: ignore[no-any-return]

    client, _ = hub(answer)
    told = Told()
    assert run.wait(client, "j", WaitPolicy(), ClockDouble(), told).finished
    assert len(told.troubles) == 2


def test_a_hub_that_stays_away_is_asked_until_the_limit() -> None:
    clock = ClockDouble()
    client, _ = hub(lambda _request: response(status=503))
    waited = run.wait(client, "j", WaitPolicy(limit_s=30), clock, Told())
    assert waited == run.Waited(job=None, finished=False) and clock.monotonic() == pytest.approx(30)


def test_without_a_limit_a_job_is_waited_for_until_its_own_deadline() -> None:
    clock = ClockDouble()
    begun = {"jobId": "j", "type": "scheduleDeviceMethod", "status": "scheduled", "maxExecutionTimeInSeconds": 100}
    client, _ = hub(lambda _request: response({**begun, "startTime": render_instant(START + timedelta(seconds=50))}))
    assert not run.wait(client, "j", WaitPolicy(limit_s=None), clock, Told()).finished
    assert clock.monotonic() == pytest.approx(50 + 100 + run.GRACE_S)


def test_waiting_for_a_job_that_nobody_knows_is_an_error() -> None:
    client, _ = hub(in_turn(job("unknown", job_type="unknown")))
    with pytest.raises(NotFound, match="knows no job j"):
        run.wait(client, "j", WaitPolicy(), ClockDouble(), Told())


def test_a_refusal_while_waiting_is_not_ridden_out() -> None:
    client, transport = hub(lambda _request: response({"Message": "no right"}, status=401))
    with pytest.raises(Unauthorized):
        run.wait(client, "j", WaitPolicy(), ClockDouble(), Told())
    assert len(transport.requests) == 1


@pytest.mark.parametrize(("part", "option"), [("interval_s", "poll_interval_s"), ("limit_s", "timeout_s")])
def test_a_policy_that_would_spin_is_refused(part: str, option: str) -> None:
    with pytest.raises(BadValue, match=option):
        WaitPolicy(**{part: 0})


def test_a_job_waits_for_a_free_slot_and_says_who_has_it_once() -> None:
    clock, said = ClockDouble(), list[str]()
    holder = response([{"jobId": "b", "type": "scheduleUpdateTwin", "status": "scheduled"}])
    other = response([{"jobId": "c", "type": "scheduleUpdateTwin", "status": "running"}])
    client, transport = hub(in_turn(FULL, holder, FULL, holder, FULL, other, job("queued", "new")))
    assert run.create_when_free(client, REQUEST, 10, clock, said.append).job_id == "new"
    assert clock.slept == [1, 1.5, 2.25]
    assert [("b (scheduled)" in line, "c (running)" in line) for line in said] == [(True, False), (False, True)]
    assert lines(transport).count("PUT /jobs/v2/new") == 4


def test_only_a_taken_slot_is_waited_for() -> None:
    client, transport = hub(lambda _request: response({"Message": "busy"}, status=429, iothub_errorcode="Throttling"))
    with pytest.raises(Throttled):
        run.create_when_free(client, REQUEST, 10, ClockDouble(), lambda _reason: None)
    assert len(transport.requests) == 1


def ended(status: str = "completed", job_type: str = "scheduleDeviceMethod", **counts: int) -> run.Waited:
    statistics = {f"{name}Count": count for name, count in {"device": 3, "failed": 0, **counts}.items()}
    document = {"jobId": "j'1", "type": job_type, "status": status, "deviceJobStatistics": statistics}
    return run.Waited(job=parse_job(document), finished=True)


@pytest.mark.parametrize(
    ("waited", "outcome"),
    [
        (run.Waited(job=None, finished=False), Outcome.WAIT_OVER),
        (run.Waited(job=ended("running", failed=1).job, finished=False), Outcome.WAIT_OVER),
        (ended("failed", device=0), Outcome.JOB_FAILED),
        (ended("cancelled"), Outcome.JOB_FAILED),
        (ended(device=0), Outcome.NO_DEVICE),
        (ended(failed=1), Outcome.DEVICES_FAILED),
        (ended(job_type="scheduleUpdateTwin"), Outcome.SUCCESS),
    ],
)
def test_an_outcome_that_the_job_itself_tells_needs_no_question(waited: run.Waited, outcome: Outcome) -> None:
    client, transport = hub(lambda _request: response([]))
    assert run.outcome_of(client, waited, SUCCESS, lambda _reason: None) is outcome
    assert transport.requests == []


@pytest.mark.parametrize(
    ("devices", "failed", "outcome"),
    [(0, 0, Outcome.NO_DEVICE), (1, 1, Outcome.DEVICES_FAILED), (1, 0, Outcome.SUCCESS)],
)
def test_a_hub_that_does_not_count_is_asked_for_rows(devices: int, failed: int, outcome: Outcome) -> None:
    client, transport = hub(in_turn(response([{}] * devices), response([{}] * failed)))
    job = parse_job({"jobId": "j", "type": "scheduleUpdateTwin", "status": "completed"})
    assert run.outcome_of(client, run.Waited(job=job, finished=True), SUCCESS, lambda _reason: None) is outcome
    assert transport.requests[1].body["query"].endswith("AND status = 'failed'")


@pytest.mark.parametrize(("rows", "outcome"), [([], Outcome.SUCCESS), ([{"deviceId": "d"}], Outcome.DEVICES_FAILED)])
def test_answers_of_a_method_job_are_judged_in_one_query(rows: list[Any], outcome: Outcome) -> None:
    client, transport = hub(in_turn(response(rows)))
    assert run.outcome_of(client, ended(), SUCCESS, lambda _reason: None) is outcome
    (request,) = transport.requests
    assert request.body["query"] == (
        "SELECT * FROM devices.jobs WHERE jobId = 'j\\'1' AND NOT ((outcome.deviceMethodResponse.status >= 200 "
        "AND outcome.deviceMethodResponse.status <= 399))"
    )


@pytest.mark.parametrize(("status", "outcome"), [(200, Outcome.SUCCESS), (500, Outcome.DEVICES_FAILED)])
def test_a_hub_that_refuses_that_query_is_asked_for_all_rows_and_it_is_said(status: int, outcome: Outcome) -> None:
    rows = [{"outcome": {"deviceMethodResponse": {"status": 200}}}, {"outcome": {}}, {"outcome": None}, {}]
    rows.append({"outcome": {"deviceMethodResponse": {"status": status}}})
    client, _ = hub(in_turn(response({"Message": "ErrorCode:ArgumentInvalid;BadRequest"}, status=400), response(rows)))
    said: list[str] = []
    assert run.outcome_of(client, ended(), SUCCESS, said.append) is outcome
    assert "all rows" in said[0]


def test_show_gives_the_hubs_own_document() -> None:
    client, transport = hub(in_turn(response({"jobId": "j", "status": "running", "news": 1})))
    assert run.show(client, "j").document == {"jobId": "j", "status": "running", "news": 1}
    assert lines(transport) == ["GET /jobs/v2/j"]


def test_show_falls_back_to_the_old_jobs() -> None:
    client, transport = hub(in_turn(job("unknown"), response(OLD)))
    assert run.show(client, "x").job_type is JobType.EXPORT
    assert lines(transport) == ["GET /jobs/v2/x", "GET /jobs/x"]


def test_a_job_that_is_neither_new_nor_old_is_not_found() -> None:
    client, _ = hub(in_turn(job("unknown"), NO_JOB))
    with pytest.raises(NotFound, match="knows no job j"):
        run.show(client, "j")


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
    assert "".join(each.job_id for each in run.list_jobs(client, job_type, status, top)) == found


def test_the_old_endpoint_is_not_asked_for_what_only_the_new_one_has() -> None:
    client, transport = hub(listing)
    run.list_jobs(client, JobType.TWIN, None, None)
    assert lines(transport) == ["GET /jobs/v2/query"]


def test_a_top_below_one_is_refused_before_anything_is_sent() -> None:
    client, transport = hub(listing)
    with pytest.raises(BadValue, match="^limit "):
        run.list_jobs(client, None, None, 0)
    assert transport.requests == []


def test_a_new_job_is_cancelled_by_the_new_endpoint_and_an_old_one_by_the_old() -> None:
    client, transport = hub(in_turn(job("scheduled"), job("cancelled")))
    cancelled = run.cancel(client, "j")
    assert cancelled is not None
    assert cancelled.status is JobStatus.CANCELLED
    assert lines(transport) == ["GET /jobs/v2/j", "POST /jobs/v2/j/cancel"]
    client, transport = hub(in_turn(job("unknown"), response(OLD), response(status=204)))
    assert run.cancel(client, "x") is None
    assert lines(transport)[-1] == "DELETE /jobs/x"


def test_cancelling_what_is_not_there_sends_no_cancel() -> None:
    client, transport = hub(in_turn(job("unknown"), NO_JOB))
    with pytest.raises(NotFound):
        run.cancel(client, "j")
    assert lines(transport) == ["GET /jobs/v2/j", "GET /jobs/j"]
