"""What anybody may read of a hub, without a key."""

import http.client
import ssl
from pathlib import Path

import pytest

from tests.helpers.hub_process import HubProcess

BOTH = ("/_local/health", "/_local/ca.pem")


def test_a_hub_that_serves_says_that_it_is_up_and_nothing_else(hub: HubProcess) -> None:
    answer = hub.request("GET", "/_local/health", token="", api_version=None)
    assert (answer.status_code, answer.json()) == (200, {"status": "up"})
    assert set(answer.headers) == {"Content-Type", "Content-Length", "Date", "x-ms-request-id"}, (
        "no version of anything"
    )


def test_the_ca_is_what_clients_trust_and_no_key_is_with_it(hub: HubProcess) -> None:
    answer = hub.request("GET", "/_local/ca.pem", token="", api_version=None)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-pem-file")
    assert answer.text == Path(hub.ca).read_text()
    context = ssl.create_default_context(cadata=answer.text)
    connection = http.client.HTTPSConnection("localhost", hub.https_port, context=context)
    connection.request("GET", "/_local/health")
    assert connection.getresponse().read() == b'{"status":"up"}'
    connection.close()


@pytest.mark.parametrize("path", BOTH)
def test_head_has_the_head_of_get(hub: HubProcess, path: str) -> None:
    head, get = (hub.request(method, path, token="", api_version=None) for method in ("HEAD", "GET"))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "Content-Length"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("host", ["localhost", "LOCAL-HUB.device.localhost:1", "10.0.0.7", "a.example"])
def test_a_health_check_may_call_the_hub_what_it_likes_and_send_any_token(
    hub: HubProcess, path: str, host: str
) -> None:
    assert hub.request("GET", path, token="Bearer x", api_version="1", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_nothing_but_reading_is_for_anybody(hub: HubProcess, path: str, method: str) -> None:
    assert hub.refused(method, path, token="") == (401, "IotHubUnauthorized")
    assert hub.refused(method, path)[0] == 405
