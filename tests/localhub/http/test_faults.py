"""Faults on request over REST: what requests meet, what is refused, what `reset` and a clear end."""

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
        ([], "It must be a JSON object. It may have kind, operation"),
        ({"kind": "drop", "times": 0}, "times: 0 is not allowed. It is a whole number, 1 to 1,000,000."),
        ({"kind": "drop", "route": "GET /twinz/x"}, "route: 'GET /twinz/x' is none of the hub's routes that can go"),
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
    with pytest.raises(LocalHubRefused, match="'nth': There is no such member"):
        hub.fault("drop", nth=3)
