"""JobClient against the local hub, with real devices where there are any."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from azext_iotjobs.sdk import (
    BadRequest,
    BadValue,
    CannotConnect,
    Conflict,
    ErrorClass,
    IotJobsError,
    Job,
    JobClient,
    JobStatus,
    JobType,
    NotFound,
    Unauthorized,
    UserError,
    WaitOver,
)
from tests.helpers.answering_device import MqttDevice
from tests.helpers.hub_process import HubProcess

LIMIT_S = 60
WRONG_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
TOMORROW = datetime.now(timezone.utc) + timedelta(days=1)
NOBODY = "deviceId = 'nobody'"
PATCH = {"tags": {"a": 1}}


def test_a_method_job_reaches_its_devices_and_each_result_says_what_came_of_it(
    hub: HubProcess, client: JobClient
) -> None:
    for device in ("door-1", "door-2", "door-3"):
        hub.new_device(device)
    looks: list[Job] = []
    with (
        MqttDevice(hub, "door-1", lambda name, payload: (200, {"locked": payload["level"]})) as door,
        MqttDevice(hub, "door-2", lambda *_: (501, None)),
    ):
        created = client.schedule_device_method(
            "lock", "STARTSWITH(deviceId, 'door-')", "lockDoor", {"level": 2}, max_execution_s=3
        )
        assert (created.job_id, created.job_type) == ("lock", JobType.METHOD)
        ended = client.wait("lock", LIMIT_S, 1, on_look=looks.append)
        assert door.calls == [("lockDoor", {"level": 2})]
    assert ended.status is JobStatus.COMPLETED
    assert ended.tally is not None
    assert (ended.tally.device_count, ended.tally.failed_count) == (3, 1)
    assert looks[-1] == ended
    rows = {row.device_id: row for row in client.results("lock")}
    assert (rows["door-1"].method_status, rows["door-1"].payload) == (200, {"locked": 2})
    assert {device: row.error_class for device, row in rows.items()} == {
        "door-1": None,
        "door-2": ErrorClass.REJECTED,
        "door-3": ErrorClass.OFFLINE,
    }

    def which(**only: Any) -> list[str]:
        return sorted(row.device_id for row in client.results("lock", **only))

    assert which(status="failed") == ["door-3"]
    assert which(error_class=ErrorClass.REJECTED) == ["door-2"]
    assert which(error_class=ErrorClass.REJECTED, success_status="200,501") == []


def test_a_twin_job_changes_tags_and_desired_properties(hub: HubProcess, client: JobClient) -> None:
    hub.new_device("room")
    patch = {"tags": {"floor": 3}, "properties": {"desired": {"BuildingNo": 45}}}
    client.schedule_twin_update("building", "deviceId = 'room'", patch)
    assert client.wait("building").status is JobStatus.COMPLETED
    twin = hub.ok("GET", "/twins/room")
    assert (twin["tags"]["floor"], twin["properties"]["desired"]["BuildingNo"]) == (3, 45)
    hub.ok("DELETE", "/devices/room", headers={"If-Match": "*"})
    assert [row.is_deleted for row in client.results("building", marks_deleted=True)] == [True]
    assert [row.is_deleted for row in client.results("building")] == [None]


def test_a_job_that_is_to_start_later_is_waited_for_in_vain_listed_and_cancelled(client: JobClient) -> None:
    client.schedule_twin_update("later", NOBODY, PATCH, start_at=TOMORROW)
    with pytest.raises(WaitOver, match="later is still scheduled") as over:
        client.wait("later", timeout_s=1)
    assert over.value.job == client.get_job("later")
    assert "later" in [job.job_id for job in client.list_jobs(JobType.TWIN, JobStatus.SCHEDULED)]
    assert "later" not in [job.job_id for job in client.list_jobs(JobType.METHOD)]
    cancelled = client.cancel("later")
    assert cancelled is not None
    assert client.wait("later", LIMIT_S).status is JobStatus.CANCELLED
    with pytest.raises(BadRequest) as refused:
        client.cancel("later")
    assert refused.value.status == 405


def test_what_is_not_there_is_not_found_and_what_is_taken_a_conflict(client: JobClient) -> None:
    for look in (client.get_job, client.wait, client.cancel, client.results):
        with pytest.raises(NotFound):
            look("nowhere")
    client.schedule_twin_update("taken", NOBODY, PATCH)
    with pytest.raises(Conflict) as refused:
        client.schedule_twin_update("taken", NOBODY, PATCH)
    assert "another job_id" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("names", "call"),
    [
        ("job_id", lambda c: c.schedule_twin_update("no spaces", NOBODY, PATCH)),
        ("query_condition", lambda c: c.schedule_twin_update("refused", " ", PATCH)),
        ("start_at", lambda c: c.schedule_twin_update("refused", NOBODY, PATCH, start_at=datetime(2030, 1, 1))),
        ("max_execution_s", lambda c: c.schedule_twin_update("refused", NOBODY, PATCH, max_execution_s=0)),
        ("patch", lambda c: c.schedule_twin_update("refused", NOBODY, {"properties": {"reported": {}}})),
        ("patch", lambda c: c.schedule_twin_update("refused", NOBODY, {"tags": {"at": TOMORROW}})),
        ("method_name", lambda c: c.schedule_device_method("refused", NOBODY, "")),
        ("payload", lambda c: c.schedule_device_method("refused", NOBODY, "m", float("nan"))),
        ("payload", lambda c: c.schedule_device_method("refused", NOBODY, "m", "x" * 200_000)),
        ("connect_timeout_s", lambda c: c.schedule_device_method("refused", NOBODY, "m", connect_timeout_s=31)),
        ("timeout_s", lambda c: c.wait("refused", timeout_s=0)),
        ("poll_interval_s", lambda c: c.wait("refused", poll_interval_s=0.5)),
        ("status", lambda c: c.results("refused", status="done")),
        ("success_status", lambda c: c.results("refused", success_status="ok")),
        ("limit", lambda c: c.list_jobs(limit=0)),
    ],
)
def test_what_does_not_fit_is_refused_in_the_words_of_the_call_before_it_is_sent(
    client: JobClient, names: str, call: Any
) -> None:
    with pytest.raises(UserError) as refused:
        call(client)
    said = f"{refused.value} {refused.value.hint}"
    assert names in said
    assert "--" not in said
    with pytest.raises(NotFound):
        client.get_job("refused")


METHOD_JOB = {"job_id": "j", "query_condition": NOBODY, "method_name": "m"}
TWIN_JOB = {"job_id": "j", "query_condition": NOBODY, "patch": PATCH}


@pytest.mark.parametrize(
    ("method", "arguments", "wrong"),
    [
        ("schedule_device_method", METHOD_JOB, {"job_id": "a b"}),
        ("schedule_device_method", METHOD_JOB, {"query_condition": " "}),
        ("schedule_device_method", METHOD_JOB, {"query_condition": "WHERE a = 1"}),
        ("schedule_device_method", METHOD_JOB, {"method_name": ""}),
        ("schedule_device_method", METHOD_JOB, {"payload": "x" * 2**17}),
        ("schedule_device_method", METHOD_JOB, {"response_timeout_s": 1}),
        ("schedule_device_method", METHOD_JOB, {"connect_timeout_s": 301}),
        ("schedule_device_method", METHOD_JOB, {"max_execution_s": 0}),
        ("schedule_twin_update", TWIN_JOB, {"start_at": datetime.max.replace(tzinfo=timezone.utc)}),
        ("schedule_twin_update", TWIN_JOB, {"start_at": datetime(2026, 1, 1)}),
        ("schedule_twin_update", TWIN_JOB, {"patch": {"desired": {}}}),
        ("results", {"job_id": "j"}, {"success_status": "ok"}),
        ("results", {"job_id": "j"}, {"status": "asleep"}),
        ("list_jobs", {}, {"limit": 0}),
        ("wait", {"job_id": "j"}, {"timeout_s": 0}),
        ("wait", {"job_id": "j"}, {"poll_interval_s": 0}),
    ],
    ids=str,
)
def test_an_error_names_the_parameter_that_is_wrong(
    client: JobClient, method: str, arguments: dict[str, Any], wrong: dict[str, Any]
) -> None:
    (name,) = wrong
    with pytest.raises(UserError, match=f"^{name}\\b") as raised:
        getattr(client, method)(**{**arguments, **wrong})
    assert raised.value.field == name


def test_a_wrong_key_and_an_unknown_authority_keep_it_out(hub: HubProcess, tmp_path: Any) -> None:
    host = hub.local.host_name
    wrong = JobClient.from_connection_string(
        f"HostName={host};SharedAccessKeyName=iothubowner;SharedAccessKey={WRONG_KEY}", ca_file=hub.ca
    )
    with wrong, pytest.raises(Unauthorized) as refused:
        wrong.list_jobs()
    assert WRONG_KEY not in f"{refused.value!r} {wrong!r}"
    with JobClient.from_connection_string(hub.local.connection_string) as strange:
        with pytest.raises(CannotConnect, match="not trusted"):
            strange.list_jobs()
    with pytest.raises(IotJobsError, match="SharedAccessKey"):
        JobClient.from_connection_string(f"HostName={host};DeviceId=d;SharedAccessKey={WRONG_KEY}")
    with pytest.raises(BadValue, match="CA file"):
        JobClient.from_connection_string(hub.local.connection_string, ca_file=str(tmp_path / "none.pem"))


def test_the_environments_authorities_are_trusted_as_by_requests(
    hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", hub.local.ca_bundle_path)
    with JobClient.from_connection_string(hub.local.connection_string) as client:
        client.list_jobs()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file.pem")
        with pytest.raises(CannotConnect, match=r"/no/such/file\.pem"):
            client.list_jobs()


def test_threads_share_one_client_from_its_first_request_on(hub: HubProcess, client: JobClient) -> None:
    together = threading.Barrier(8)

    def schedule(number: int) -> list[JobStatus]:
        together.wait(LIMIT_S)
        jobs = [f"thread-{number}-{turn}" for turn in range(5)]
        for job in jobs:
            client.schedule_twin_update(job, NOBODY, PATCH)
        return [client.wait(job, LIMIT_S, 1).status for job in jobs]

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(schedule, range(8)))
    assert ended == [[JobStatus.COMPLETED] * 5] * 8
    assert {f"thread-{number}-4" for number in range(8)} <= {job.job_id for job in client.list_jobs()}


@pytest.mark.parametrize("kind", ["device", "service"])
def test_a_hub_with_three_names_is_called_at_the_one_for_services(hub: HubProcess, kind: str) -> None:
    name, called = hub.info[f"{kind}HostName"], hub.info["serviceHostName"]
    string = hub.local.connection_string.replace(hub.local.host_name, name)
    with JobClient.from_connection_string(string, ca_file=hub.ca) as client:
        assert called in repr(client)
        assert client.list_jobs(limit=1) is not None, "the hub refuses services at its name for devices"
