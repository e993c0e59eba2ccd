"""Faults on request over REST: what requests meet, what is refused, what `reset` and a clear end."""

import base64
import http.client
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest

from azext_iotjobs.localhub.testing import LocalHub, LocalHubFailed, LocalHubRefused, running_hub


@pytest.fixture(scope="module")
def one_hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        for device in ("pump-1", "pump-2", "fan-1"):
            hub.create_device(device)
        yield hub


@pytest.fixture
def hub(one_hub: LocalHub) -> Iterator[LocalHub]:
    yield one_hub
    one_hub.request("DELETE", "/_local/faults")


def add(hub: LocalHub, kind: str, **members: Any) -> Any:
    return hub.request("POST", "/_local/faults", {"kind": kind, **members})


def status_of(hub: LocalHub, path: str, method: str = "GET") -> int:
    try:
        hub.request(method, path)
    except LocalHubRefused as err:
        return err.status
    return 200


def test_the_next_requests_of_a_device_are_refused_as_the_service_does(hub: LocalHub) -> None:
    fault = add(hub, "status", status=429, device="pump-1", times=2)
    with pytest.raises(LocalHubRefused) as refused:
        hub.request("GET", "/twins/pump-1")
    assert (refused.value.status, refused.value.error_code) == (429, "ThrottlingBacklogTimeout")
    assert "ErrorCode:ThrottlingBacklogTimeout;The hub refuses this request: a fault was" in refused.value.text
    assert status_of(hub, "/twins/pump-2") == 200
    assert [status_of(hub, "/devices/pump-1") for _ in range(2)] == [429, 200]
    shown = hub.request("GET", f"/_local/faults/{fault['id']}")
    assert (shown["appliedCount"], shown["active"]) == (2, False)


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "ServerError"), (502, "GenericBadGateway"), (503, "ServiceUnavailable"), (504, "GatewayTimeout")],
)
def test_a_status_comes_with_the_services_code(hub: LocalHub, status: int, code: str) -> None:
    add(hub, "status", status=status, route="GET /devices/{id}")
    with pytest.raises(LocalHubRefused) as refused:
        hub.request("GET", "/devices/fan-1")
    assert (refused.value.status, refused.value.error_code) == (status, code)
    assert status_of(hub, "/twins/fan-1") == 200


def test_a_refused_request_is_not_carried_out(hub: LocalHub) -> None:
    add(hub, "status", status=503, route="PUT /devices/{id}", times=1)
    with pytest.raises(LocalHubRefused):
        hub.create_device("fan-2")
    assert status_of(hub, "/devices/fan-2") == 404


def raw(hub: LocalHub, path: str) -> tuple[int, str | None]:
    """The status of a response, and its Retry-After."""
    context = ssl.create_default_context(cafile=hub.ca_certificate_path)
    connection = http.client.HTTPSConnection("localhost", hub.https_port, timeout=30, context=context)
    try:
        connection.request("GET", f"{path}?api-version=2021-04-12", headers={"Authorization": hub._token()})
        response = connection.getresponse()
        return response.status, response.headers["Retry-After"]
    finally:
        connection.close()


def test_retry_after_is_sent_where_it_is_requested(hub: LocalHub) -> None:
    add(hub, "status", status=429, times=1)
    assert raw(hub, "/devices") == (429, None)
    add(hub, "status", status=429, retryAfterSeconds=7)
    assert raw(hub, "/devices") == (429, "7")


def test_a_delay_comes_before_the_response(hub: LocalHub) -> None:
    add(hub, "latency", delaySeconds=0.2, route="GET /twins/{id}", times=1)
    begun = time.monotonic()
    assert status_of(hub, "/twins/pump-1") == 200
    assert time.monotonic() - begun >= 0.2


def test_a_dropped_request_has_no_response_and_is_not_carried_out(hub: LocalHub) -> None:
    add(hub, "drop", route="PUT /devices/*", times=1)
    with pytest.raises(LocalHubFailed, match="no answer"):
        hub.create_device("fan-3")
    assert status_of(hub, "/devices/fan-3") == 404
    assert "Traceback" not in hub.errors


def test_the_hubs_own_routes_do_not_go_wrong(hub: LocalHub) -> None:
    fault = add(hub, "status", status=500)
    add(hub, "clock-skew", skewSeconds=86400)
    assert status_of(hub, "/devices") == 401
    hub.request("GET", "/_local/state")
    assert raw(hub, "/_local/health") == (200, None)
    hub.request("DELETE", f"/_local/faults/{fault['id']}")
    hub.request("DELETE", "/_local/faults")
    assert status_of(hub, "/devices") == 200


def exchange(hub: LocalHub, verb: str, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
    """A response, whose body is read. path: with its query."""
    context = ssl.create_default_context(cafile=hub.ca_certificate_path)
    connection = http.client.HTTPSConnection("localhost", hub.https_port, timeout=30, context=context)
    try:
        connection.request(verb, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        response.read()
        return response
    finally:
        connection.close()


def upload(hub: LocalHub, device: str, content: bytes) -> http.client.HTTPResponse:
    """The response to a device's file, at the place that the hub has told it."""
    token = {"Authorization": hub.device_token(device)}
    place = hub.request("POST", f"/devices/{device}/files", {"blobName": "log.txt"}, headers=token)
    path = f"/{place['containerName']}/{place['blobName']}{place['sasToken']}"
    return exchange(hub, "PUT", path, content, x_ms_blob_type="BlockBlob")


def test_an_upload_of_a_device_is_refused_as_the_storage_account_does(hub: LocalHub) -> None:
    fault = add(hub, "status", status=503, route="PUT /uploads/**", device="pump-1", retryAfterSeconds=2, times=1)
    large = b"x" * 3_000_000  # more than is sent before a response is read
    refused = upload(hub, "pump-1", large)
    assert (refused.status, refused.headers["x-ms-error-code"], refused.headers["Retry-After"]) == (
        503,
        "ServerBusy",
        "2",
    )
    assert [upload(hub, device, large).status for device in ("pump-2", "pump-1")] == [201, 201]
    assert hub.request("GET", f"/_local/faults/{fault['id']}")["appliedCount"] == 1


def test_an_upload_is_dropped_or_takes_longer(hub: LocalHub) -> None:
    add(hub, "drop", route="/uploads/pump-1/log.txt", times=1)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        upload(hub, "pump-1", b"x")
    add(hub, "latency", route="PUT /uploads/{device}/*", delaySeconds=0.2, times=1)
    begun = time.monotonic()
    assert upload(hub, "pump-1", b"x").status == 201
    assert time.monotonic() - begun >= 0.2


def test_who_may_not_write_a_file_learns_that_and_not_of_a_fault(hub: LocalHub) -> None:
    add(hub, "status", status=500, route="/uploads/**")
    assert exchange(hub, "PUT", "/uploads/pump-1/log.txt", b"x", x_ms_blob_type="BlockBlob").status == 403
    assert upload(hub, "pump-1", b"x").headers["x-ms-error-code"] == "InternalError"


def shake_hands(hub: LocalHub, path: str = "/$iothub/websocket", subprotocol: str = "mqtt") -> int:
    """The status of the response to a WebSocket handshake."""
    key = base64.b64encode(bytes(16)).decode()
    asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": key}
    return exchange(hub, "GET", path, b"", **asked, Sec_WebSocket_Protocol=subprotocol).status


@pytest.mark.parametrize(
    ("path", "subprotocol"),
    [("/$iothub/websocket", "mqtt"), ("/$iothub/websocket", "AMQPWSB10"), ("/$servicebus/websocket", "AMQPWSB10")],
)
def test_a_websocket_handshake_is_refused_or_dropped(hub: LocalHub, path: str, subprotocol: str) -> None:
    add(hub, "status", status=503, route=f"GET {path}", times=1)
    assert [shake_hands(hub, path, subprotocol) for _ in range(2)] == [503, 101]
    add(hub, "drop", route=path, times=1)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        shake_hands(hub, path, subprotocol)
    assert shake_hands(hub, path, subprotocol) == 101
    assert "Traceback" not in hub.errors


def test_a_handshake_is_of_no_device_and_a_bad_one_has_no_fault(hub: LocalHub) -> None:
    add(hub, "status", status=503, device="pump-1")
    assert shake_hands(hub) == 101
    fault = add(hub, "status", status=503, route="/$iothub/**")
    assert shake_hands(hub, subprotocol="chat") == 400
    assert hub.request("GET", f"/_local/faults/{fault['id']}")["appliedCount"] == 0


def test_tokens_are_judged_by_a_clock_that_is_wrong(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert running_hub.TOKEN_LIFE_S == 600
    ahead = add(hub, "clock-skew", skewSeconds=590)
    assert status_of(hub, "/devices") == 200
    assert hub.request("GET", f"/_local/faults/{ahead['id']}")["appliedCount"] == 1
    hub.request("DELETE", "/_local/faults")
    add(hub, "clock-skew", skewSeconds=601, times=1)
    assert [status_of(hub, "/devices") for _ in range(2)] == [401, 200]
    add(hub, "clock-skew", skewSeconds=601, device="pump-1")
    assert status_of(hub, "/devices") == 200  # the token is a policy's, of no device
    hub.request("DELETE", "/_local/faults")
    add(hub, "clock-skew", skewSeconds=-3600, times=1)
    with monkeypatch.context() as changed:
        changed.setattr(running_hub, "TOKEN_LIFE_S", -60)
        assert [status_of(hub, "/devices") for _ in range(2)] == [200, 401]


def test_faults_are_listed_as_they_were_requested(hub: LocalHub) -> None:
    first = add(hub, "latency", delaySeconds=0.001, operation="connect", device="pump-*", percent=50, seed=7)
    second = add(hub, "connack", code=5, forSeconds=3600)
    assert [first, second] == hub.request("GET", "/_local/faults")
    created = first.pop("createdTime")
    assert created.endswith("Z")
    assert first == {
        "id": first["id"],
        "kind": "latency",
        "operation": "connect",
        "delaySeconds": 0.001,
        "device": "pump-*",
        "percent": 50,
        "seed": 7,
        "appliedCount": 0,
        "active": True,
    }
    assert (second["code"], second["forSeconds"], second["operation"]) == (5, 3600, "connect")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"kind": "drop", "nth": 3}, "'nth': There is no such member. There may be kind, operation, device"),
        ([], "The body must be a JSON object, and is an array. It may have kind, operation"),
        ({"kind": "drop", "times": 0}, "times: 0 is not allowed. It is a whole number, 1 to 1,000,000, such as 3."),
        ({"kind": "drop", "route": "GET /twinz/x"}, "route: 'GET /twinz/x' is none of the hub's routes that can go"),
        (
            {"kind": "drop", "route": "POST /uploads/**"},
            "route: 'POST /uploads/**' is none of the hub's routes that can",
        ),
        ({"kind": "drop", "route": "/_local/state"}, "route: '/_local/state' is none of the hub's routes that can go"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(hub: LocalHub, document: Any, text: str) -> None:
    with pytest.raises(LocalHubRefused) as refused:
        hub.request("POST", "/_local/faults", document)
    assert (refused.value.status, refused.value.error_code) == (400, "ArgumentInvalid")
    assert text in refused.value.text
    assert hub.request("GET", "/_local/faults") == []


def test_a_parameter_and_an_unknown_fault_are_refused(hub: LocalHub) -> None:
    assert status_of(hub, "/_local/faults?kind=drop") == 400
    assert [status_of(hub, "/_local/faults/99999", verb) for verb in ("GET", "DELETE")] == [404, 404]


def test_reset_clears_faults(hub: LocalHub) -> None:
    with LocalHub() as other:
        add(other, "status", status=500)
        other.request("POST", "/_local/reset")
        assert other.request("GET", "/_local/faults") == []
        assert status_of(other, "/devices") == 200


def test_a_fault_of_a_test_is_counted_and_cleared_at_its_end(hub: LocalHub) -> None:
    with hub.fault("status", status=503, retry_after_s=1, device="pump-1", for_s=60) as fault:
        assert (fault.count, fault.is_active) == (0, True)
        assert [status_of(hub, f"/twins/{device}") for device in ("pump-1", "fan-1")] == [503, 200]
        assert fault.count == 1
        assert (fault.document["retryAfterSeconds"], fault.document["forSeconds"]) == (1, 60)
    assert hub.faults() == []
    fault.clear()
    hub.fault("drop", operation="telemetry")
    hub.clear_faults()
    assert hub.faults() == []
    with pytest.raises(TypeError, match="A fault has no argument 'nth'. There may be .*, for_s, delay_s"):
        hub.fault("drop", nth=3)
