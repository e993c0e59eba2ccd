"""Each client: which endpoint, which headers, what may be repeated."""

from collections.abc import Callable
from typing import Any

import pytest

from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadRequest, HubFault, NotFound
from azext_iotjobs.model.identity import NewIdentity, WhichKey
from azext_iotjobs.model.ids import Address
from azext_iotjobs.model.job import JobStatus, JobType
from azext_iotjobs.model.job_request import JobRequest
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.model.twin import NewTwin, TwinPatch
from azext_iotjobs.transport.http import Request
from tests.helpers.transport_double import TransportDouble, answering, in_turn, response

JOB = {"jobId": "j", "type": "scheduleDeviceMethod", "status": "queued"}
REQUEST = JobRequest(
    job_id="j'1",
    job_type=JobType.METHOD,
    condition="*",
    method=MethodCall(name="m"),
    patch=None,
    start_at=None,
    max_execution_s=60,
)
Call = Callable[[HubClient], Any]


def client(transport: TransportDouble) -> HubClient:
    return HubClient(HubTarget(host="h"), transport)


def sent_by(call: Call, document: Any, **more: Any) -> Request:
    transport = TransportDouble(answering(document, **more))
    call(client(transport))
    (request,) = transport.requests
    return request


@pytest.mark.parametrize(
    ("call", "document", "line"),
    [
        (lambda hub: hub.jobs.create(REQUEST), JOB, "PUT /jobs/v2/j%271"),
        (lambda hub: hub.jobs.get("a'b"), JOB, "GET /jobs/v2/a%27b"),
        (lambda hub: hub.jobs.cancel("j"), JOB, "POST /jobs/v2/j/cancel"),
        (lambda hub: list(hub.jobs.query()), [], "GET /jobs/v2/query"),
        (lambda hub: hub.jobs.list_v1(), [], "GET /jobs"),
        (lambda hub: hub.jobs.get_v1("j"), JOB, "GET /jobs/j"),
        (lambda hub: hub.jobs.cancel_v1("j"), None, "DELETE /jobs/j"),
        (lambda hub: hub.identities.get("a#?%;"), {}, "GET /devices/a%23%3F%25%3B"),
        (lambda hub: hub.identities.create(NewIdentity(device_id="d")), {}, "PUT /devices/d"),
        (lambda hub: hub.identities.replace("d", {}, etag="*"), {}, "PUT /devices/d"),
        (lambda hub: hub.identities.delete("d", etag="*"), None, "DELETE /devices/d"),
        (lambda hub: hub.identities.get("d#1", "$m"), {}, "GET /devices/d%231/modules/%24m"),
        (lambda hub: hub.identities.modules("d#1"), [], "GET /devices/d%231/modules"),
        (lambda hub: hub.identities.create(NewIdentity(device_id="d", module_id="m")), {}, "PUT /devices/d/modules/m"),
        (lambda hub: hub.identities.replace("d", {}, etag="*", module_id="m"), {}, "PUT /devices/d/modules/m"),
        (lambda hub: hub.identities.delete("d", etag="*", module_id="m"), None, "DELETE /devices/d/modules/m"),
        (lambda hub: hub.messages.purge("d#1"), {}, "DELETE /devices/d%231/commands"),
        (lambda hub: hub.twins.get("d"), {}, "GET /twins/d"),
        (lambda hub: hub.twins.patch("d", TwinPatch(document={"tags": {}})), {}, "PATCH /twins/d"),
        (lambda hub: hub.twins.replace("d", NewTwin(), etag="*"), {}, "PUT /twins/d"),
        (lambda hub: hub.twins.get("d", "m#1"), {}, "GET /twins/d/modules/m%231"),
        (lambda hub: hub.twins.patch("d", TwinPatch(document={"tags": {}}), "m"), {}, "PATCH /twins/d/modules/m"),
        (lambda hub: hub.twins.replace("d", NewTwin(), etag="*", module_id="m"), {}, "PUT /twins/d/modules/m"),
        (lambda hub: hub.methods.invoke("d", MethodCall(name="m")), {}, "POST /twins/d/methods"),
        (lambda hub: hub.methods.invoke("d#", MethodCall(name="m"), "m%"), {}, "POST /twins/d%23/modules/m%25/methods"),
        (lambda hub: list(hub.queries.run("SELECT * FROM devices")), [], "POST /devices/query"),
    ],
)
def test_each_call_goes_to_its_endpoint(call: Call, document: Any, line: str) -> None:
    request = sent_by(call, document)
    assert f"{request.method} {request.path}" == line


@pytest.mark.parametrize(
    ("call", "document"),
    [
        (lambda hub: hub.jobs.create(REQUEST), JOB),
        (lambda hub: hub.jobs.cancel("j"), JOB),
        (lambda hub: hub.methods.invoke("d", MethodCall(name="m")), {}),
        (lambda hub: hub.identities.create(NewIdentity(device_id="d")), {}),
        (lambda hub: hub.identities.delete("d", etag="*"), None),
        (lambda hub: hub.identities.renew_keys(WhichKey.BOTH, [Address("d")]), {"errors": []}),
        (lambda hub: hub.twins.replace("d", NewTwin(), etag="*"), {}),
        (lambda hub: hub.twins.patch("d", TwinPatch(document={"tags": {}})), {}),
    ],
)
def test_what_changes_something_is_never_repeated_by_itself(call: Call, document: Any) -> None:
    assert not sent_by(call, document).may_repeat


def test_creating_a_device_sends_no_if_match_for_that_would_mean_update() -> None:
    assert dict(sent_by(lambda hub: hub.identities.create(NewIdentity(device_id="d")), {}).headers) == {}


@pytest.mark.parametrize(("etag", "header"), [("*", "*"), ("AAA=", '"AAA="'), ('"AAA="', '"AAA="')])
def test_an_etag_goes_quoted_and_the_star_goes_bare(etag: str, header: str) -> None:
    request = sent_by(lambda hub: hub.identities.delete("d", etag=etag), None)
    assert request.headers["If-Match"] == header


def test_a_method_call_waits_longer_for_http_than_the_hub_for_the_device() -> None:
    call = MethodCall(name="m", response_timeout_s=300, connect_timeout_s=60)
    assert sent_by(lambda hub: hub.methods.invoke("d", call), {}).timeout_s == 375


def test_jobs_are_filtered_by_the_hub_in_its_own_words() -> None:
    request = sent_by(lambda hub: list(hub.jobs.query(JobType.TWIN, JobStatus.RUNNING)), [])
    assert dict(request.query) == {"jobType": "scheduleUpdateTwin", "jobStatus": "running"}


def test_pages_are_followed_until_no_token_is_given_and_only_as_far_as_asked() -> None:
    transport = TransportDouble(in_turn(response([{"a": 1}], x_ms_continuation="t1"), response([{"a": 2}])))
    rows = client(transport).queries.run("SELECT a FROM devices")
    assert transport.requests == []
    assert list(rows) == [{"a": 1}, {"a": 2}]
    assert "x-ms-continuation" not in transport.requests[0].headers
    assert transport.requests[1].headers["x-ms-continuation"] == "t1"
    assert transport.requests[1].body == {"query": "SELECT a FROM devices"}


def test_a_limit_is_never_asked_for_beyond_the_hubs_page_nor_beyond_what_is_missing() -> None:
    page = [{"a": number} for number in range(100)]
    transport = TransportDouble(
        in_turn(response(page, x_ms_continuation="t"), response(page[:20], x_ms_continuation="u"))
    )
    assert len(list(client(transport).queries.run("q", top=120))) == 120
    assert [request.headers["x-ms-max-item-count"] for request in transport.requests] == ["100", "20"]


def test_an_empty_page_in_the_middle_does_not_end_the_list() -> None:
    transport = TransportDouble(in_turn(response([], x_ms_continuation="t"), response([{"a": 1}])))
    assert list(client(transport).queries.run("q")) == [{"a": 1}]


def test_pages_that_go_in_a_circle_are_noticed() -> None:
    transport = TransportDouble(answering([{}], x_ms_continuation="same"))
    with pytest.raises(HubFault, match="repeat"):
        list(client(transport).queries.run("q"))
    assert len(transport.requests) == 2


def test_a_list_that_is_none_is_the_hubs_fault() -> None:
    with pytest.raises(HubFault, match="array"):
        list(client(TransportDouble(answering({"items": []}))).queries.run("q"))


@pytest.mark.parametrize("status", [200, 207, 400])
def test_renewed_keys_are_read_whatever_the_status_says_of_all_of_them(status: int) -> None:
    body = {"policyKey": "primaryKey", "rotatedKeys": [{"id": "a"}], "errors": [{"deviceId": "b", "errorCode": "X"}]}
    hub = client(TransportDouble(answering(body, status=status)))
    renewal = hub.identities.renew_keys(WhichKey.PRIMARY, [Address("a"), Address("b")])
    assert renewal.renewed == ({"id": "a"},)
    assert [(str(each.address), each.reason) for each in renewal.failed] == [("device b", "X")]


@pytest.mark.parametrize(
    ("status", "body", "error"), [(400, {"Message": "ErrorCode:ArgumentInvalid;no"}, BadRequest), (200, [], HubFault)]
)
def test_a_renewal_that_was_refused_as_a_whole_raises(status: int, body: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        client(TransportDouble(answering(body, status=status))).identities.renew_keys(WhichKey.BOTH, [Address("a")])


def test_what_the_hub_does_not_know_is_not_found() -> None:
    body = {"Message": "ErrorCode:DeviceNotFound;d", "ExceptionMessage": "Tracking ID:1"}
    with pytest.raises(NotFound) as raised:
        client(TransportDouble(answering(body, status=404))).twins.get("d")
    assert raised.value.hub_code == "DeviceNotFound"
