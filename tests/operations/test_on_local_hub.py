"""The operations over real transports, against the local hub as a process."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.clock import SystemClock
from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.errors import Conflict, HubAnswer, NotFound, Unauthorized
from azext_iotjobs.model.identity import NewIdentity
from azext_iotjobs.model.job import Job, JobStatus, JobType
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.message import Settlement
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.target import HubTarget, SasKey
from azext_iotjobs.model.twin import TwinPatch
from azext_iotjobs.model.waiting import WaitPolicy
from azext_iotjobs.operations.job import run
from azext_iotjobs.operations.message import device_messages
from azext_iotjobs.operations.method import invoke
from azext_iotjobs.operations.simulate import event_loop
from azext_iotjobs.simulator.behaviour import Behaviour, MethodRule
from azext_iotjobs.simulator.events import Activity, ActivityKind
from azext_iotjobs.simulator.telemetry import TelemetryPlan
from azext_iotjobs.simulator.template import constant
from tests.helpers.hub_process import HubProcess

LIMIT_S = 30
CLOCK = SystemClock()
WRONG_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
POLICY = WaitPolicy(interval_s=1, limit_s=LIMIT_S)


@pytest.fixture(scope="module")
def hub(process: HubProcess) -> HubClient:
    target = HubTarget(
        host="localhost",
        https_port=process.info["httpsPort"],
        mqtt_port=process.info["mqttPort"],
        ca_file=process.info["caCertificatePath"],
        is_local=True,
    )
    return HubClient.open(target, SasKey(policy="iothubowner", key=process.policies["iothubowner"]), CLOCK)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "utf-8", "no such"])
def test_a_message_can_be_taken_whatever_it_says_of_its_body(
    process: HubProcess, hub: HubClient, encoding: str
) -> None:
    device = f"encoded-{encoding.replace(' ', '-')}"
    process.new_device(device)
    message = {"body": "bm90IGVuY29kZWQ=", "contentEncoding": encoding, "contentType": "text/plain"}
    process.ok("POST", f"/_local/devices/{device}/messages", message)
    client = hub.device(device)
    received = device_messages.receive(client, 60, Settlement.COMPLETE)
    assert received is not None and received.message.body == b"not encoded"
    assert received.message.content_encoding == received.message.system["content-encoding"] == encoding
    assert device_messages.receive(client, 60, None) is None


class Living:
    """A simulated device on a thread; `seen` is what it reported."""

    def __init__(self, hub: HubClient, device: str, behaviour: Behaviour, count: int = 1000) -> None:
        key = hub.identities.create(NewIdentity(device_id=device)).primary_key
        assert key is not None
        self.seen: list[Activity] = []
        self.stop = threading.Event()
        self._ready = threading.Event()
        plan = TelemetryPlan(text="ping", count=count, interval_s=0.05)
        self._simulated = event_loop.SimulatedDevice(
            device_id=device, credential=DeviceKey(device_id=device, key=key), behaviour=behaviour, plan=plan
        )
        self._hub = hub
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> "Living":
        self.end = self._thread.submit(
            event_loop.run, self._hub.target, [self._simulated], self._report, CLOCK, self.stop
        )
        assert self._ready.wait(LIMIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.shutdown()

    def _report(self, _device: str, activity: Activity) -> None:
        self.seen.append(activity)
        if activity.kind is ActivityKind.READY:
            self._ready.set()


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(LIMIT_S * 20):
        if holds():
            return
        CLOCK.sleep(0.05)
    raise AssertionError("it did not happen")


def request(job: str, **changes: Any) -> JobRequest:
    parts: dict[str, Any] = {
        "job_id": job,
        "job_type": JobType.METHOD,
        "condition": "deviceId = 'nobody'",
        "method": MethodCall(name="reboot"),
        "patch": None,
        "start_at": None,
        "max_execution_s": 60,
    }
    return JobRequest(**{**parts, **changes})


@pytest.mark.parametrize("payload", [0, {}, False, [], None, "", {"é": [1, None]}])
def test_a_method_goes_to_the_device_and_its_answer_comes_back(hub: HubClient, payload: Any) -> None:
    device = f"method-{json.dumps(payload).encode().hex()}"
    with Living(hub, device, Behaviour(any_method=MethodRule(status=0, payload=constant(payload)))) as living:
        answer = invoke.invoke(hub, device, MethodCall(name="set it", payload=payload, connect_timeout_s=10))
    assert (answer.status, answer.payload) == (0, payload)
    (call,) = (activity for activity in living.seen if activity.kind is ActivityKind.METHOD)
    assert (call.details["name"], call.details["payload"]) == ("set it", payload)


class Ignored:
    """Ignores polled jobs and failed polls."""

    def polled(self, job: Job, left_s: float) -> None:
        """Does nothing."""

    def poll_failed(self, reason: str, left_s: float) -> None:
        """Does nothing."""


def test_a_job_of_a_method_runs_on_the_device_to_its_end(hub: HubClient) -> None:
    with Living(hub, "job-device", Behaviour()):
        created = run.create(hub, request("job-method", condition="deviceId = 'job-device'"))
        assert created.status is JobStatus.QUEUED
        waited = run.wait(hub, "job-method", POLICY, CLOCK, Ignored())
    assert waited.finished and waited.job is not None
    assert waited.job.status is JobStatus.COMPLETED
    assert waited.job.tally is not None
    assert waited.job.tally.succeeded_count == 1


def test_a_twin_job_is_echoed_by_the_device(hub: HubClient) -> None:
    patch = TwinPatch(document={"properties": {"desired": {"BuildingNo": 45}}})
    condition = "deviceId = 'echo-device'"
    with Living(hub, "echo-device", Behaviour(first_reported=constant({"start": True}))):
        twin_job = request("job-twin", job_type=JobType.TWIN, method=None, patch=patch, condition=condition)
        run.create(hub, twin_job)
        assert run.wait(hub, "job-twin", POLICY, CLOCK, Ignored()).finished

        def reported() -> dict[str, Any]:
            return dict(hub.twins.get("echo-device").document["properties"]["reported"])

        eventually(lambda: reported().get("BuildingNo") == 45)
        assert reported()["start"] is True


def test_a_device_ends_when_all_is_sent_and_acknowledged_and_is_gone_then(hub: HubClient) -> None:
    with Living(hub, "ends", Behaviour(), count=5) as living:
        summary = living.end.result(LIMIT_S)
    assert (summary.sent_count, summary.acknowledged_count, summary.was_stopped) == (5, 5, False)
    eventually(lambda: hub.identities.get("ends").document["connectionState"] == "Disconnected")


def test_a_device_with_a_wrong_key_is_refused(hub: HubClient) -> None:
    hub.identities.create(NewIdentity(device_id="wrong"))
    plan = TelemetryPlan(text="ping", count=1, interval_s=1)
    wrong = event_loop.SimulatedDevice(
        device_id="wrong", credential=DeviceKey(device_id="wrong", key=WRONG_KEY), behaviour=Behaviour(), plan=plan
    )
    with pytest.raises(Unauthorized, match="refused wrong"):
        event_loop.run(hub.target, [wrong], lambda _device, _seen: None, CLOCK, threading.Event())
    assert hub.identities.get("wrong").document["connectionState"] == "Disconnected"


def test_a_deleted_device_is_thrown_out_and_then_refused(hub: HubClient) -> None:
    with Living(hub, "deleted", Behaviour()) as living:
        hub.identities.delete("deleted", etag="*")
        with pytest.raises(Unauthorized, match="refused deleted"):
            living.end.result(LIMIT_S)
    assert any(activity.kind is ActivityKind.LOST for activity in living.seen)


def test_a_hundred_devices_live_in_one_loop(hub: HubClient) -> None:
    plan = TelemetryPlan(text="ping", count=3, interval_s=0.05)
    fleet = []
    for number in range(100):
        key = hub.identities.create(NewIdentity(device_id=f"fleet-{number}")).primary_key
        assert key is not None
        fleet.append(
            event_loop.SimulatedDevice(
                device_id=f"fleet-{number}",
                credential=DeviceKey(device_id=f"fleet-{number}", key=key),
                behaviour=Behaviour(),
                plan=plan,
            )
        )
    summary = event_loop.run(hub.target, fleet, lambda _device, _seen: None, CLOCK, threading.Event())
    assert (summary.acknowledged_count, dict(summary.failures)) == (300, {})


def test_a_scheduled_job_is_cancelled_and_an_ended_one_refuses(hub: HubClient) -> None:
    run.create(hub, request("job-ended"))
    assert run.wait(hub, "job-ended", POLICY, CLOCK, Ignored()).finished
    with pytest.raises(HubAnswer) as raised:
        run.cancel(hub, "job-ended")
    assert raised.value.status == 405
    assert run.show(hub, "job-ended").status is JobStatus.COMPLETED


def test_a_job_id_that_is_taken_is_a_conflict_and_the_first_job_stays(hub: HubClient) -> None:
    run.create(hub, request("job-taken"))
    with pytest.raises(Conflict) as raised:
        run.create(hub, request("job-taken", condition="deviceId = 'other'"))
    assert raised.value.hub_code == "JobAlreadyExists"
    assert run.show(hub, "job-taken").document["queryCondition"] == "deviceId = 'nobody'"


def test_an_unknown_job_is_not_found(hub: HubClient) -> None:
    for look in (run.show, run.cancel):
        with pytest.raises(NotFound):
            look(hub, "job-nowhere")


def test_jobs_are_listed_by_type(hub: HubClient) -> None:
    run.create(hub, request("job-listed"))
    assert "job-listed" in {job.job_id for job in run.list_jobs(hub, JobType.METHOD, None, None)}
    assert "job-listed" not in {job.job_id for job in run.list_jobs(hub, JobType.TWIN, None, None)}
    assert len(run.list_jobs(hub, None, None, 1)) == 1
