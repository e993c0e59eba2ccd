from datetime import datetime, timezone
from typing import Any

import pytest

from azext_iotjobs.clients import job_codec, job_request_codec, twin_codec
from azext_iotjobs.clients.identity_codec import parse_identity, render_new_identity
from azext_iotjobs.model.errors import BadValue, HubFault
from azext_iotjobs.model.identity import NewIdentity, SignIn
from azext_iotjobs.model.job import JobStatus, JobTally, JobType
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.twin import TwinPatch


def job_request(**changes: Any) -> JobRequest:
    parts: dict[str, Any] = {
        "job_id": "j",
        "job_type": JobType.METHOD,
        "condition": "*",
        "method": MethodCall(name="m"),
        "patch": None,
        "start_at": None,
        "max_execution_s": 60,
    }
    return JobRequest(**{**parts, **changes})


def test_a_method_job_leaves_absent_members_out_but_says_a_null_payload() -> None:
    assert job_request_codec.render_job(job_request()) == {
        "jobId": "j",
        "type": "scheduleDeviceMethod",
        "queryCondition": "*",
        "maxExecutionTimeInSeconds": 60,
        "cloudToDeviceMethod": {
            "methodName": "m",
            "payload": None,
            "responseTimeoutInSeconds": 30,
            "connectTimeoutInSeconds": 0,
        },
    }


def test_a_twin_job_carries_its_etag_in_the_body_and_its_time_in_utc() -> None:
    start = datetime(2026, 12, 1, 8, tzinfo=timezone.utc)
    patch = TwinPatch(document={"tags": {"a": None}})
    body = job_request_codec.render_job(job_request(job_type=JobType.TWIN, method=None, patch=patch, start_at=start))
    assert body["updateTwin"] == {"tags": {"a": None}, "etag": "*"}
    assert body["startTime"] == "2026-12-01T08:00:00Z"
    assert "cloudToDeviceMethod" not in body


def test_a_job_is_read_and_its_document_kept_whole() -> None:
    document = {
        "jobId": "j",
        "type": "scheduleUpdateTwin",
        "status": "completed",
        "somethingNew": [1],
        "deviceJobStatistics": {
            "deviceCount": 3,
            "failedCount": 1,
            "succeededCount": 2,
            "runningCount": 0,
            "pendingCount": 0,
        },
    }
    job = job_codec.parse_job(document)
    assert (job.job_id, job.job_type, job.status) == ("j", JobType.TWIN, JobStatus.COMPLETED)
    assert job.tally == JobTally(device_count=3, failed_count=1, succeeded_count=2, running_count=0, pending_count=0)
    assert job.document == document


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Running", JobStatus.RUNNING),
        ("cancelled", JobStatus.CANCELLED),
        ("canceled", JobStatus.CANCELLED),
        ("unknown", JobStatus.UNKNOWN),
        ("resting", JobStatus.UNRECOGNISED),
        (None, JobStatus.UNRECOGNISED),
    ],
)
def test_a_status_is_read_in_any_case_and_a_new_word_never_fails(word: Any, status: JobStatus) -> None:
    job = job_codec.parse_job({"jobId": "j", "status": word})
    assert job.status is status
    assert job.tally is None


def test_an_old_jobs_times_stand_under_the_new_names_too() -> None:
    old = {"jobId": "x", "type": "export", "status": "completed", "startTimeUtc": "S", "endTimeUtc": "E", "progress": 9}
    job = job_codec.parse_v1_job(old)
    assert job.job_type is JobType.EXPORT
    assert job.document == {**old, "createdTime": "S", "startTime": "S", "endTime": "E"}


def test_a_twin_patchs_etag_does_not_travel_in_its_body() -> None:
    assert twin_codec.render_twin_patch(TwinPatch(document={"tags": {}, "etag": "x"})) == {"tags": {}}


@pytest.mark.parametrize(
    ("new", "authentication"),
    [
        (NewIdentity(device_id="d"), {"type": "sas"}),
        (
            NewIdentity(device_id="d", primary_key="AAAA", secondary_key="BBBB"),
            {"type": "sas", "symmetricKey": {"primaryKey": "AAAA", "secondaryKey": "BBBB"}},
        ),
        (
            NewIdentity(device_id="d", sign_in=SignIn.THUMBPRINT, primary_thumbprint="AB"),
            {"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "AB", "secondaryThumbprint": None}},
        ),
        (NewIdentity(device_id="d", sign_in=SignIn.CA), {"type": "certificateAuthority"}),
    ],
)
def test_a_new_identity_says_how_it_signs_in(new: NewIdentity, authentication: dict[str, Any]) -> None:
    body = render_new_identity(new)
    assert body["authentication"] == authentication
    assert (body["deviceId"], body["status"], body["capabilities"]) == ("d", "enabled", {"iotEdge": False})


def test_a_new_module_has_neither_a_status_nor_capabilities() -> None:
    body = render_new_identity(NewIdentity(device_id="d", module_id="m"))
    assert body == {"deviceId": "d", "moduleId": "m", "authentication": {"type": "sas"}}


def test_a_whole_twin_can_be_sent_back_without_what_only_the_hub_writes() -> None:
    shown = {
        "deviceId": "d",
        "etag": "e",
        "version": 4,
        "tags": {"a": 1},
        "connectionState": "Connected",
        "properties": {"desired": {"b": {"c": 2}, "$version": 2, "$metadata": {}}, "reported": {"x": 1}},
    }
    new = twin_codec.parse_new_twin(shown, "--json")
    assert twin_codec.render_new_twin(new) == {"tags": {"a": 1}, "properties": {"desired": {"b": {"c": 2}}}}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"desired": {}}, "under properties"),
        ({"tag": {"a": 1}}, "which twins do not have"),
        ({"tags": 5}, "tags must be an object"),
        ({"properties": {"desried": {}}}, "not desried"),
        ({"properties": {"desired": []}}, "desired must be an object"),
    ],
)
def test_a_misspelled_twin_is_refused_before_the_rest_is_wiped(document: dict[str, Any], said: str) -> None:
    with pytest.raises(BadValue) as raised:
        twin_codec.parse_new_twin(document, "--json")
    assert said in f"{raised.value} {raised.value.hint}"


def test_an_edge_device_names_its_parent_otherwise_than_a_leaf() -> None:
    assert render_new_identity(NewIdentity(device_id="d", parent_scope="s"))["deviceScope"] == "s"
    assert render_new_identity(NewIdentity(device_id="d", parent_scope="s", is_edge=True))["parentScopes"] == ["s"]


def test_keys_of_an_identity_do_not_show() -> None:
    identity = parse_identity(
        {"deviceId": "d", "etag": "e", "authentication": {"type": "sas", "symmetricKey": {"primaryKey": "hush"}}}
    )
    assert identity.primary_key == "hush"
    assert "hush" not in repr(identity)


@pytest.mark.parametrize("document", [None, [], "text", 5])
def test_an_answer_of_the_wrong_shape_is_the_hubs_fault(document: Any) -> None:
    for parse in (job_codec.parse_job, job_codec.parse_v1_job, twin_codec.parse_twin, parse_identity):
        with pytest.raises(HubFault):
            parse(document)


METHOD_JOB = {
    "jobId": "j",
    "type": "scheduleDeviceMethod",
    "status": "completed",
    "queryCondition": "tags.a = 1",
    "maxExecutionTimeInSeconds": 60,
    "startTime": "2026-11-20T08:00:00Z",
    "cloudToDeviceMethod": {
        "methodName": "m",
        "payload": list(b'{"d": 1}'),
        "responseTimeoutInSeconds": 20,
        "connectTimeoutInSeconds": 7,
    },
}


def asked_for(**changes: Any) -> JobRequest:
    method = {**METHOD_JOB["cloudToDeviceMethod"], **changes}  # type: ignore[dict-item]
    return job_request_codec.parse_job_request(job_codec.parse_job({**METHOD_JOB, "cloudToDeviceMethod": method}))


def test_a_job_says_what_was_asked_for_but_its_start() -> None:
    method = MethodCall(name="m", payload={"d": 1}, response_timeout_s=20, connect_timeout_s=7)
    assert asked_for() == job_request(condition="tags.a = 1", method=method)


@pytest.mark.parametrize(
    ("echo", "payload"),
    [
        (list(b"null"), None),
        (list(b"[1, 2]"), [1, 2]),
        (list('"é"'.encode()), "é"),
        ("eyJkIjogMX0=", {"d": 1}),
        (None, None),
        ([], None),
        ({"d": 1}, {"d": 1}),
        (5, 5),
    ],
)
def test_a_payload_is_read_out_of_what_the_hub_gives_back(echo: Any, payload: Any) -> None:
    method = asked_for(payload=echo).method
    assert method is not None and method.payload == payload


@pytest.mark.parametrize("echo", [[1, 2, 3], [256], ["a"], "not base64", "bm90IGpzb24="])
def test_a_payload_that_cannot_be_read_must_be_given_again(echo: Any) -> None:
    with pytest.raises(BadValue) as raised:
        asked_for(payload=echo)
    assert "payload" in str(raised.value.hint)
    job = job_codec.parse_job({**METHOD_JOB, "cloudToDeviceMethod": {"methodName": "m", "payload": echo}})
    method = job_request_codec.parse_job_request(job, reads_payload=False).method
    assert method is not None and (method.name, method.payload) == ("m", None)


@pytest.mark.parametrize(
    ("echo", "patch"),
    [
        ({"deviceId": None, "etag": "*", "tags": {"a": None}}, {"tags": {"a": None}}),
        (
            {"etag": "*", "tags": {}, "properties": {"desired": {"b": 1, "$version": 1}, "reported": {}}},
            {"properties": {"desired": {"b": 1}}},
        ),
        ({"tags": {"a": 1}, "properties": {"desired": {}}}, {"tags": {"a": 1}}),
    ],
)
def test_a_patch_is_read_without_what_the_hub_adds(echo: dict[str, Any], patch: dict[str, Any]) -> None:
    document = {"jobId": "j", "type": "scheduleUpdateTwin", "queryCondition": "*", "updateTwin": echo}
    request = job_request_codec.parse_job_request(job_codec.parse_job(document))
    assert request.patch == TwinPatch(document=patch)
    assert request.max_execution_s == 3600


@pytest.mark.parametrize("document", [{"type": "export"}, {"type": "scheduleUpdateTwin"}])
def test_a_job_of_which_the_hub_says_too_little_cannot_be_made_again(document: dict[str, Any]) -> None:
    with pytest.raises(BadValue, match="does not say what job j did"):
        job_request_codec.parse_job_request(job_codec.parse_job({"jobId": "j", **document}))
