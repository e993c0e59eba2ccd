"""Jobs in the hub as the console's API has them, and what it says where no hub is named or none answers."""

from datetime import datetime, time, timezone
from pathlib import Path

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.errors import CannotConnect
from azext_iotjobs.model.occurrence import StoredSchedule
from azext_iotjobs.model.schedule import Frequency, Rule, Schedule
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.fleet_job.schedule.claims import HubClaims
from azext_iotjobs.transport.http import Request, Response
from tests.helpers.console import served
from tests.helpers.transport_double import TransportDouble, response

AT = datetime(2026, 11, 29, 2, 30, tzinfo=timezone.utc)
DAILY = Schedule(rule=Rule(frequency=Frequency.DAILY, at=time(2, 30)), zone="UTC")
HOSTILE = "night</script><img src=x>"
JOB = {
    "jobId": HOSTILE,
    "type": "scheduleUpdateTwin",
    "status": "running",
    "createdTime": "2026-11-29T10:00:00Z",
    "deviceJobStatistics": {
        "deviceCount": 3,
        "failedCount": 1,
        "succeededCount": 1,
        "runningCount": 1,
        "pendingCount": 0,
    },
}
ROW = {
    "deviceId": "d1",
    "jobId": HOSTILE,
    "status": "failed",
    "error": {"code": "DeviceNotOnline", "description": "away"},
}


class Hub:
    """A hub with one job."""

    def __init__(self) -> None:
        self.transport = TransportDouble(self.answer)
        self.client = HubClient(HubTarget(host="h.example"), self.transport)

    def answer(self, request: Request) -> Response:
        if request.path == "/jobs/v2/query":
            return response([JOB])
        if request.path.startswith("/jobs/v2/"):
            return response(JOB)
        return response([ROW])


def test_a_job_of_the_hub_is_listed_and_shown_with_its_devices(tmp_path: Path) -> None:
    with served(tmp_path, hub=Hub().client) as console:
        console.sign_in()
        (listed,) = console.document("hub-jobs")["jobs"]
        assert (listed["id"], listed["status"], listed["progress"]["failed"]) == (HOSTILE, "running", 1)
        one = console.document("hub-job:night")
        assert one["document"] == JOB and [each["name"] for each in one["actions"]] == ["cancel"]
        (row,) = console.get("/api/hub-jobs/night/devices").json["devices"]
        assert (row["deviceId"], row["status"], row["errorClass"]) == ("d1", "failed", "offline")


def test_a_job_that_claims_a_scheduled_run_says_whose_claim_it_is(tmp_path: Path) -> None:
    sent: list[Request] = []

    def answer(request: Request) -> Response:
        if request.method == "PUT":
            sent.append(request)
            return response({})
        return response([{**JOB, "jobId": "claim", "queryCondition": sent[0].body["queryCondition"]}, JOB])

    client = HubClient(HubTarget(host="h.example"), TransportDouble(answer))
    stored = StoredSchedule(
        fleet_job_id="fw", host="h.example", schedule=DAILY, set_at=AT, set_by="ann", store_key="abcdefgh"
    )
    HubClaims(client, stored, SystemClock(), lambda: None).taken_by(AT, "ann o'hara@plant-2", may_be_ours=False)
    with served(tmp_path, hub=client) as console:
        console.sign_in()
        jobs = console.document("hub-jobs")["jobs"]
    assert [(each["id"], each["claimedBy"]) for each in jobs] == [("claim", "ann o'hara@plant-2"), (HOSTILE, None)]


def test_a_cancellation_reaches_the_hub(tmp_path: Path) -> None:
    hub = Hub()
    with served(tmp_path, hub=hub.client) as console:
        console.sign_in()
        assert console.post("/api/hub-jobs/night/actions/cancel", {}).status == 200
    assert ("POST", "/jobs/v2/night/cancel") in [(each.method, each.path) for each in hub.transport.requests]


def test_who_may_only_look_cancels_nothing(tmp_path: Path) -> None:
    hub = Hub()
    with served(tmp_path, hub=hub.client, is_read_only=True) as console:
        console.sign_in()
        assert console.post("/api/hub-jobs/night/actions/cancel", {}).status == 403
    assert hub.transport.requests == []


def test_without_a_hub_there_are_no_jobs_of_it(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        console.sign_in()
        assert console.document("hub-jobs")["jobs"] == []
        assert console.document("hub-job:night")["error"]["code"] == "missing"


def test_a_hub_that_does_not_answer_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    def silent(_request: Request) -> Response:
        raise CannotConnect("h.example does not answer.")

    hub = HubClient(HubTarget(host="h.example"), TransportDouble(silent))
    with served(tmp_path, hub=hub) as console:
        console.sign_in()
        assert console.document("hub-jobs")["error"]["message"] == "h.example does not answer."
        assert console.get("/api/hub-jobs/night/devices").status == 502
        assert console.document("fleet-jobs")["jobs"] == []
