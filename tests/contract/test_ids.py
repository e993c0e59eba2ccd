"""What can be no id is refused in every way into the hub, and reaches nothing that has another name."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.helpers.any_hub import AnyHub
from tests.helpers.http_line import Line
from tests.helpers.hub_process import HubProcess
from tests.helpers.mqtt_device import MqttDevice

DOTS = [".", "..", "%2e", "%2E%2e", ".%2e", "%252e%252e"]  # in a path as it is sent; the last is the id "%2e%2e"
OUTSIDE = ["a%20b", "a%2Fb", "..%2F..", "a%5Cb", "a%00", "%C3%BC", "a%7Eb", "a%22b", "a%7Cb", "x" * 129]
IDENTITY, TWIN = "/devices/{}", "/twins/{}"
DEVICE_WAYS = [
    ("GET", IDENTITY),
    ("PUT", IDENTITY),
    ("DELETE", IDENTITY),
    ("GET", f"{IDENTITY}/modules"),
    ("PUT", f"{IDENTITY}/modules/m"),
    ("DELETE", f"{IDENTITY}/commands"),
    ("POST", f"{IDENTITY}/applyConfigurationContent"),
    ("GET", TWIN),
    ("PATCH", TWIN),
    ("PUT", TWIN),
    ("POST", f"{TWIN}/methods"),
    ("GET", f"{TWIN}/modules/m"),
    ("POST", f"{TWIN}/modules/m/methods"),
    ("POST", "/_local/devices/{}/messages"),
]
MODULE_WAYS = [
    ("GET", "/devices/victim/modules/{}"),
    ("PUT", "/devices/victim/modules/{}"),
    ("DELETE", "/devices/victim/modules/{}"),
    ("GET", "/twins/victim/modules/{}"),
    ("PATCH", "/twins/victim/modules/{}"),
    ("PUT", "/twins/victim/modules/{}"),
    ("POST", "/twins/victim/modules/{}/methods"),
]
JOB_WAYS = [("GET", "/jobs/v2/{}"), ("PUT", "/jobs/v2/{}"), ("POST", "/jobs/v2/{}/cancel"), ("DELETE", "/jobs/{}")]
CERTIFICATE_WAYS = [("PUT", "/_local/certificates/{}"), ("DELETE", "/_local/certificates/{}")]
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "methods"): {"methodName": "x"},
    ("PUT", "v2"): {
        "type": "scheduleUpdateTwin",
        "queryCondition": "*",
        "updateTwin": {"etag": "*", "tags": {"hit": 1}},
    },
}
NO_IDS = ["", ".", "..", "%2e%2e", "%2E", "a b", "a/b", "..\\x", "ü", "x" * 129, "\ud800"]


@pytest.fixture(scope="module")
def line(hub: HubProcess) -> Iterator[Line]:
    line = Line(hub)
    yield line
    line.connection.close()


@pytest.fixture(scope="module")
def victim(hub: HubProcess) -> dict[str, Any]:
    hub.new_device("victim")
    return seen(hub)


def seen(hub: HubProcess) -> dict[str, Any]:
    return {"identity": hub.ok("GET", "/devices/victim"), "twin": hub.ok("GET", "/twins/victim")}


def body_of(method: str, path: str) -> Any:
    for (verb, part), body in BODIES.items():
        if verb == method and part in path:
            return body
    return {"tags": {"hit": 1}}


def assert_refused(line: Line, method: str, path: str) -> None:
    answer = line.ask(method, path, body_of(method, path), If_Match="*" if method == "DELETE" else '"x"')
    assert (answer.status, answer.error_code) == (400, "ArgumentInvalid"), f"{method} {path}: {answer.text}"
    assert answer.json()["Message"].startswith("ErrorCode:ArgumentInvalid;")


@pytest.mark.local_hub("sends paths that no library sends")
@pytest.mark.parametrize("text", [*DOTS, *OUTSIDE])
@pytest.mark.parametrize(("method", "path"), DEVICE_WAYS)
def test_no_path_takes_what_can_be_no_device(line: Line, method: str, path: str, text: str) -> None:
    assert_refused(line, method, path.format(text))


@pytest.mark.local_hub("sends paths that no library sends")
@pytest.mark.parametrize("text", [*DOTS, *OUTSIDE])
@pytest.mark.parametrize(("method", "path"), MODULE_WAYS)
def test_no_path_takes_what_can_be_no_module_and_its_device_is_not_meant_instead(
    hub: HubProcess, line: Line, victim: dict[str, Any], method: str, path: str, text: str
) -> None:
    assert_refused(line, method, path.format(text))
    assert seen(hub) == victim


@pytest.mark.local_hub("sends paths that no library sends")
@pytest.mark.parametrize("text", [*DOTS, *OUTSIDE, "a_b", "a.b", "x" * 65])
@pytest.mark.parametrize(("method", "path"), JOB_WAYS)
def test_no_path_takes_what_can_be_no_job(line: Line, method: str, path: str, text: str) -> None:
    assert_refused(line, method, path.format(text))


@pytest.mark.local_hub("sends paths that no library sends")
@pytest.mark.parametrize("text", [*DOTS, *OUTSIDE, "a'b"])
@pytest.mark.parametrize(("method", "path"), CERTIFICATE_WAYS)
def test_no_path_takes_what_can_be_no_certificate(line: Line, method: str, path: str, text: str) -> None:
    assert_refused(line, method, path.format(text))


@pytest.mark.local_hub("sends paths that no library sends")
@pytest.mark.parametrize(
    "path",
    [
        "//devices/victim",
        "/devices//victim",
        "/devices/victim//",
        "/devices/../devices/victim",
        "/x/../devices/victim",
        "/./devices/victim",
        "/devices/victim/modules//",
        "/devices//modules/m",
        "/devices/victim/modules//..",
    ],
)
def test_a_path_with_empty_parts_or_steps_up_leads_nowhere(
    hub: HubProcess, line: Line, victim: dict[str, Any], path: str
) -> None:
    assert line.ask("DELETE", path, If_Match="*").status in (400, 404, 405)
    assert seen(hub) == victim


@pytest.mark.local_hub("sends paths that no library sends")
@pytest.mark.parametrize("path", ["/devices/victim/modules/", "/twins/victim/modules/", "/devices/victim/modules"])
@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
def test_an_empty_module_is_not_its_device(
    hub: HubProcess, line: Line, victim: dict[str, Any], method: str, path: str
) -> None:
    assert line.ask(method, path, {"tags": {"hit": 1}}, If_Match="*").status in (404, 405)
    assert seen(hub) == victim


@pytest.mark.local_hub("sends paths that no library sends")
def test_a_path_that_a_fragment_ends_is_refused(hub: HubProcess, line: Line, victim: dict[str, Any]) -> None:
    for text in ("victim#1", "victim#", "#victim"):
        answer = line.connection, line.ask("DELETE", f"/devices/{text}", If_Match="*")
        assert answer[1].status in (400, 404, 405), text
    assert seen(hub) == victim
    hub.new_device("victim#1")
    assert hub.request("DELETE", "/devices/victim%231", headers={"If-Match": "*"}).status_code == 204
    assert seen(hub) == victim


@pytest.mark.local_hub("changes a device that is called victim")
@pytest.mark.parametrize("mode", ["create", "createOrUpdate", "update", "delete", "updateTwin"])
@pytest.mark.parametrize("text", NO_IDS)
def test_no_bulk_request_takes_what_can_be_no_id(hub: HubProcess, victim: dict[str, Any], mode: str, text: str) -> None:
    more = {"importMode": mode, "status": "disabled", "tags": {"hit": 1}}
    items = [{"id": text, **more}, {"id": "victim", "moduleId": text, **more}, {"id": text, "moduleId": "m", **more}]
    answer = hub.request("POST", "/devices", items)
    assert answer.status_code == 400
    assert [each["errorCode"] for each in answer.json()["errors"]] == ["ArgumentInvalid"] * 3
    assert seen(hub) == victim


@pytest.mark.local_hub("changes a device that is called victim")
@pytest.mark.parametrize("text", NO_IDS)
def test_no_keys_are_renewed_for_what_can_be_no_id(hub: HubProcess, victim: dict[str, Any], text: str) -> None:
    devices = [{"id": text}, {"id": "victim", "moduleId": text}]
    answer = hub.request("POST", "/devices/keys/regenerate", {"policyKey": "both", "devices": devices})
    assert answer.status_code == 400
    assert [each["errorCode"] for each in answer.json()["errors"]] == ["ArgumentInvalid"] * 2
    assert seen(hub) == victim


@pytest.mark.parametrize("text", NO_IDS)
def test_no_module_is_set_under_what_can_be_no_id(hub: AnyHub, name: str, text: str) -> None:
    hub.new_device(name, capabilities={"iotEdge": True})
    before = hub.ok("GET", f"/devices/{name}/modules")
    body = {"modulesContent": {text: {"properties.desired": {"hit": 1}}}}
    assert hub.refused("POST", f"/devices/{name}/applyConfigurationContent", body) == (400, "ArgumentInvalid")
    assert hub.ok("GET", f"/devices/{name}/modules") == before


@pytest.mark.parametrize("text", [each for each in NO_IDS if each and each.isprintable() and "/" not in each])
@pytest.mark.parametrize("module", [False, True])
def test_no_mqtt_client_connects_under_an_impossible_id(hub: AnyHub, name: str, text: str, module: bool) -> None:
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    client = f"{name}/{text}" if module else text
    device = MqttDevice(hub, name, key, client_id=client, username=f"{hub.host}/{client}/?api-version=2021-04-12")
    assert device.connect() == 2  # identifier rejected [MQTT 3.1.1, 3.2.2.3]
    device.close()


def test_every_character_that_an_id_may_hold_is_taken_everywhere(
    hub: AnyHub, connect: Callable[..., MqttDevice]
) -> None:
    odd = "-.+%_#*?!(),:;=@$'Az09"
    hub.new_device(odd)
    path = quote(odd, safe="")
    assert hub.ok("PUT", f"/devices/{path}/modules/m{path}", {})["moduleId"] == f"m{odd}"
    assert hub.ok("PATCH", f"/twins/{path}/modules/m{path}", {"tags": {"a": 1}})["tags"] == {"a": 1}
    assert hub.request("DELETE", f"/devices/{path}", headers={"If-Match": "*"}).status_code == 204
    for text in ("...", "..a", ".a", "%", "%2", "a%2e%2e", "$x"):
        assert hub.new_device(text)["deviceId"] == text


@pytest.mark.parametrize("word", ["query", "Query"])
def test_no_job_is_called_as_the_list_of_jobs_is(hub: AnyHub, word: str) -> None:
    job = BODIES["PUT", "v2"] | {"jobId": word}
    assert hub.refused("PUT", f"/jobs/v2/{word}", job) == (400, "ArgumentInvalid")
