"""Who is let in, and how refusals look."""

import base64
import json
from collections.abc import Callable

import pytest
import requests

from tests.helpers.hub_process import HubProcess, sas

ROUTES = [
    ("GET", "/devices"),
    ("PUT", "/devices/x"),
    ("POST", "/devices/query"),
    ("GET", "/twins/x"),
    ("POST", "/twins/x/methods"),
    ("PUT", "/jobs/v2/x"),
    ("GET", "/jobs/v2/query"),
    ("GET", "/_local/state"),
    ("POST", "/_local/reset"),
    ("POST", "/_local/stop"),
    ("GET", "/nowhere"),
]


def refused(answer: requests.Response) -> tuple[int, str]:
    """The status and the symbolic name of a refusal in the usual shape."""
    body = answer.json()
    name = answer.headers["iothub-errorcode"]
    assert body["Message"].startswith(f"ErrorCode:{name};")
    assert body["ExceptionMessage"].startswith("Tracking ID:")
    assert answer.headers["x-ms-request-id"]
    return answer.status_code, name


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nothing_is_had_without_a_token(hub: HubProcess, method: str, path: str) -> None:
    assert refused(hub.request(method, path, token="")) == (401, "IotHubUnauthorized")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nothing_is_had_with_a_wrong_key(hub: HubProcess, method: str, path: str) -> None:
    wrong = sas(base64.b64encode(b"x" * 32).decode(), "localhost", policy="iothubowner")
    assert refused(hub.request(method, path, token=wrong)) == (401, "IotHubUnauthorizedAccess")


def test_an_expired_token_is_401003(hub: HubProcess) -> None:
    ended = sas(hub.key(), "localhost", policy="iothubowner", life_s=-10)
    assert refused(hub.request("GET", "/devices", token=ended)) == (401, "IotHubUnauthorized")


@pytest.mark.parametrize("policy", ["nobody", ""])
def test_a_policy_that_is_not_there_opens_nothing(hub: HubProcess, policy: str) -> None:
    signed = sas(hub.key(), "localhost", policy=policy)
    assert hub.request("GET", "/devices", token=signed).status_code == 401


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "localhost:{port}"])
def test_the_host_of_a_token_may_have_a_port(hub: HubProcess, host: str) -> None:
    resource = host.format(port=hub.info["httpsPort"])
    signed = sas(hub.key(), resource, policy="iothubowner")
    assert hub.request("GET", "/devices", token=signed).status_code == 200


@pytest.mark.parametrize("resource", ["example.com", "localhost:1", "localhost/devices", "localhost/job"])
def test_a_token_for_something_else_opens_no_job(hub: HubProcess, resource: str) -> None:
    signed = sas(hub.key(), resource, policy="iothubowner")
    assert hub.request("GET", "/jobs/v2/query", token=signed).status_code == 401


@pytest.mark.parametrize(
    ("policy", "method", "path", "may"),
    [
        ("registryRead", "GET", "/devices", True),
        ("registryRead", "DELETE", "/devices/nobody", False),
        ("registryReadWrite", "DELETE", "/devices/nobody", True),
        ("registryReadWrite", "GET", "/twins/nobody", False),
        ("service", "GET", "/twins/nobody", True),
        ("service", "GET", "/devices", False),
        ("service", "GET", "/jobs/v2/query", True),
        ("registryRead", "GET", "/jobs/v2/query", True),
        ("device", "GET", "/jobs/v2/query", False),
        ("device", "GET", "/devices", False),
        ("service", "GET", "/_local/state", False),
        ("registryReadWrite", "POST", "/_local/reset", False),
        ("registryReadWrite", "POST", "/_local/stop", False),
    ],
)
def test_a_policy_opens_what_it_has_the_right_for(
    hub: HubProcess, policy: str, method: str, path: str, may: bool
) -> None:
    answer = hub.request(method, path, policy=policy)
    assert (answer.status_code != 401) is may
    assert may or refused(answer) == (401, "IotHubUnauthorizedAccess")


@pytest.mark.parametrize("version", [None, "", "2021-04-13", "latest"])
def test_an_api_version_that_is_not_known_is_400001(hub: HubProcess, version: str | None) -> None:
    assert refused(hub.request("GET", "/devices", api_version=version)) == (400, "InvalidProtocolVersion")


@pytest.mark.parametrize("version", ["2018-06-30", "2020-05-31-preview", "2020-09-30", "2021-04-12", "2024-03-31"])
def test_the_api_versions_that_clients_send_are_taken(hub: HubProcess, version: str) -> None:
    assert hub.request("GET", "/devices", api_version=version).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PATCH", "/devices/x", 405)])
def test_a_path_or_verb_that_is_not_served_says_so(hub: HubProcess, method: str, path: str, status: int) -> None:
    assert refused(hub.request(method, path))[0] == status


def test_a_slash_behind_a_path_changes_nothing(hub: HubProcess, fresh: Callable[[str], str]) -> None:
    device = fresh("dev")
    assert hub.ok("PUT", f"/devices/{device}/", {})["deviceId"] == device
    assert device in [each["deviceId"] for each in hub.ok("GET", "/devices/")]
    assert refused(hub.request("GET", "/devices/", token="")) == (401, "IotHubUnauthorized")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b'{"a": NaN}', b'{"a": 1e999}', b"[" * 100_000, b'{"a":' * 100_000],
)
def test_a_body_that_is_no_json_object_is_400(hub: HubProcess, body: bytes) -> None:
    assert refused(hub.request("PUT", "/devices/nobody", body=body)) == (400, "GenericBadRequest")
    assert hub.request("GET", "/devices/nobody").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/devices/nobody", rb'{"statusReason": "\ud800"}'),
        ("POST", "/twins/{device}/methods", rb'{"methodName": "\ud800"}'),
        (
            "PUT",
            "/jobs/v2/nothing",
            rb'{"type": "scheduleUpdateTwin", "queryCondition": "\ud800", "updateTwin": {"etag": "*", "tags": {}}}',
        ),
    ],
)
def test_half_a_character_is_refused_and_not_kept(
    hub: HubProcess, fresh: Callable[[str], str], method: str, path: str, body: bytes
) -> None:
    device = fresh("dev")
    hub.new_device(device)
    assert refused(hub.request(method, path.format(device=device), body=body)) == (400, "ArgumentInvalid")
    assert hub.request("GET", "/devices/nobody").status_code == 404
    assert hub.ok("GET", "/jobs/v2/nothing")["status"] == "unknown"


def test_a_body_that_is_too_large_is_413(hub: HubProcess) -> None:
    body = json.dumps({"deviceId": "nobody", "statusReason": "x" * 2_000_000}).encode()
    assert refused(hub.request("PUT", "/devices/nobody", body=body)) == (413, "MessageTooLarge")


def test_a_method_on_a_device_that_is_off_line_has_the_nested_shape(
    hub: HubProcess, fresh: Callable[[str], str]
) -> None:
    device = fresh("dev")
    hub.new_device(device)
    answer = hub.request("POST", f"/twins/{device}/methods", json={"methodName": "m"})
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (404, "DeviceNotOnline")
    outer = answer.json()
    inner = json.loads(outer["Message"])
    assert outer["ExceptionMessage"] == ""
    assert inner["errorCode"] == 404103
    assert inner["trackingId"] and inner["message"] and inner["timestampUtc"].endswith("Z")
    assert inner["info"] == {"timeout": "00:00:00"}


@pytest.mark.parametrize(
    "call",
    [
        {},
        {"methodName": ""},
        {"methodName": 5},
        {"methodName": "m", "responseTimeoutInSeconds": 4},
        {"methodName": "m", "responseTimeoutInSeconds": 301},
        {"methodName": "m", "responseTimeoutInSeconds": "soon"},
        {"methodName": "m", "connectTimeoutInSeconds": -1},
        {"methodName": "m", "connectTimeoutInSeconds": True},
        {"methodName": "m", "connectTimeoutInSeconds": 20, "responseTimeoutInSeconds": 10},
    ],
)
def test_a_method_call_out_of_its_limits_is_refused(
    hub: HubProcess, fresh: Callable[[str], str], call: dict[str, object]
) -> None:
    device = fresh("dev")
    hub.new_device(device)
    assert refused(hub.request("POST", f"/twins/{device}/methods", json=call)) == (400, "ArgumentInvalid")


def test_a_method_on_an_unknown_device_is_404001(hub: HubProcess) -> None:
    answer = hub.request("POST", "/twins/nobody/methods", json={"methodName": "m"})
    assert refused(answer) == (404, "DeviceNotFound")
