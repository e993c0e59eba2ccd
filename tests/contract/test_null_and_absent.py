"""Null, absent and of a wrong type: what each means in every body that the hub reads."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.helpers.any_hub import AnyHub
from tests.helpers.hub_process import HubProcess, sas
from tests.helpers.mqtt_device import MqttDevice

DESIRED = "$iothub/twin/PATCH/properties/desired/#"
BASE64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def data(twin: dict[str, Any], section: str) -> dict[str, Any]:
    """A section's own members."""
    part = twin.get("tags", {}) if section == "tags" else twin["properties"][section]
    return {key: value for key, value in part.items() if not key.startswith("$")}


# --- a section that is null


def test_null_in_the_place_of_tags_removes_all_of_them(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    before = hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": 1, "b": {"c": 2}}, "properties": {"desired": {"x": 1}}})
    after = hub.ok("PATCH", f"/twins/{name}", {"tags": None})
    assert (data(after, "tags"), data(after, "desired")) == ({}, {"x": 1})
    assert (after["version"], after["etag"] != before["etag"]) == (before["version"] + 1, True)
    assert after["properties"]["desired"]["$version"] == before["properties"]["desired"]["$version"]


def test_null_in_the_place_of_desired_properties_removes_all_and_the_device_is_notified_of_each(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice]
) -> None:
    device = connect(name)
    hub.ok("PATCH", f"/twins/{name}", {"tags": {"t": 1}, "properties": {"desired": {"a": 1, "b": {"c": [1]}}}})
    device.subscribe(DESIRED)
    after = hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": None}})
    assert (data(after, "desired"), data(after, "tags")) == ({}, {"t": 1})
    assert set(after["properties"]["desired"]["$metadata"]) == {"$lastUpdated", "$lastUpdatedVersion"}
    topic, told = device.next()
    assert (topic[-11:], told) == ("?$version=3", {"a": None, "b": None, "$version": 3})
    again = hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": None}})  # nothing is there, and a write
    assert again["properties"]["desired"]["$version"] == 4
    assert device.next()[1] == {"$version": 4}


def test_a_module_s_section_is_emptied_like_a_device_s(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    hub.ok("PUT", f"/devices/{name}/modules/m", {})
    hub.ok("PATCH", f"/twins/{name}/modules/m", {"tags": {"a": 1}, "properties": {"desired": {"a": 1}}})
    after = hub.ok("PATCH", f"/twins/{name}/modules/m", {"tags": None, "properties": {"desired": None}})
    assert data(after, "tags") == data(after, "desired") == {}


EMPTIED: tuple[dict[str, Any], ...] = ({"tags": None}, {"properties": {"desired": None}})


def test_a_job_empties_a_section_too_and_shows_that_it_does(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice]
) -> None:
    device = connect(name)
    hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": 1}, "properties": {"desired": {"a": 1}}})
    device.subscribe(DESIRED)
    for number, patch in enumerate(EMPTIED):
        job = {
            "type": "scheduleUpdateTwin",
            "queryCondition": f"deviceId = '{name}'",
            "updateTwin": {"etag": "*", **patch},
        }
        hub.ok("PUT", f"/jobs/v2/{name}-{number}", job)
        done = hub.wait_for_job(f"{name}-{number}")
        assert done["deviceJobStatistics"]["succeededCount"] == 1
        assert done["updateTwin"] == {"deviceId": None, "etag": "*", **patch}
    after = hub.ok("GET", f"/twins/{name}")
    assert data(after, "tags") == data(after, "desired") == {}
    assert device.next()[1] == {"a": None, "$version": 3}


def test_a_bulk_update_empties_a_section_too(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": 1}, "properties": {"desired": {"a": 1}}})
    item = {"id": name, "importMode": "updateTwin", "tags": None, "properties": {"desired": None}}
    assert hub.ok("POST", "/devices", [item])["isSuccessful"]
    after = hub.ok("GET", f"/twins/{name}")
    assert data(after, "tags") == data(after, "desired") == {}


@pytest.mark.parametrize("body", [{}, {"properties": {}}, {"deviceId": None, "status": None}])
def test_an_absent_section_is_left_alone(hub: AnyHub, name: str, body: dict[str, Any]) -> None:
    hub.new_device(name)
    before = hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": 1}, "properties": {"desired": {"a": 1}}})
    assert hub.ok("PATCH", f"/twins/{name}", body) == before


# --- replacing a twin


@pytest.mark.parametrize(
    "body",
    [
        {"tags": None},
        {"tags": {"a": None}},
        {"tags": {"a": {"b": {"c": None}}}},
        {"tags": {"a": 2}, "properties": {"desired": None}},
        {"tags": {"a": 2}, "properties": {"desired": {"x": None}}},
        {"tags": {"a": 2}, "properties": {"desired": {"x": {"y": None}}}},
        {"tags": {"a": 2}, "properties": {"desired": {"x": [None]}}},
        {"tags": {"a": [{"b": None}]}},
        {"tags": {"a": 2}, "properties": {"desired": {"x": [[{"y": {"z": None}}]]}}},
        {"tags": {"a": 2}, "properties": None},
    ],
)
def test_a_replacement_with_null_anywhere_is_refused_and_nothing_changes(
    hub: AnyHub, name: str, body: dict[str, Any], connect: Callable[..., MqttDevice]
) -> None:
    device = connect(name)
    before = hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": 1}, "properties": {"desired": {"x": 1}}})
    device.subscribe(DESIRED)
    assert hub.refused("PUT", f"/twins/{name}", body) == (400, "ArgumentInvalid")
    assert hub.ok("GET", f"/twins/{name}") == before
    hub.ok("PATCH", f"/twins/{name}", {"properties": {"desired": {"x": 2}}})
    assert device.next()[1] == {"x": 2, "$version": 3}  # and nothing came before


def test_a_twin_as_it_was_read_can_be_put_back(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    before = hub.ok("PATCH", f"/twins/{name}", {"tags": {"a": 1}, "properties": {"desired": {"x": 1}}})
    after = hub.ok("PUT", f"/twins/{name}", before)
    assert (data(after, "tags"), data(after, "desired")) == ({"a": 1}, {"x": 1})


# --- modules of an edge device


@pytest.mark.parametrize(
    ("content", "left"),
    [
        ({"properties.desired": None}, {}),
        ({"properties.desired.a": None}, {"b": {"c": 1, "d": 2}}),
        ({"properties.desired.b.c": None}, {"a": 1, "b": {"d": 2}}),
        ({"properties.desired.x.y": None}, {"a": 1, "b": {"c": 1, "d": 2}}),
        ({"properties.desired.a.x": None}, {"a": 1, "b": {"c": 1, "d": 2}}),
        ({"properties.desired": None, "properties.desired.n": 1}, {"n": 1}),
        ({}, {"a": 1, "b": {"c": 1, "d": 2}}),
    ],
)
def test_null_removes_what_is_at_a_path(hub: AnyHub, name: str, content: dict[str, Any], left: dict[str, Any]) -> None:
    hub.new_device(name, capabilities={"iotEdge": True})
    path = f"/devices/{name}/applyConfigurationContent"
    first = {"modulesContent": {"m": {"properties.desired": {"a": 1, "b": {"c": 1, "d": 2}}}}}
    assert hub.request("POST", path, first).status_code == 204
    assert hub.request("POST", path, {"modulesContent": {"m": content}}).status_code == 204
    assert data(hub.ok("GET", f"/twins/{name}/modules/m"), "desired") == left


def test_a_module_whose_content_is_null_is_refused_and_not_made(hub: AnyHub, name: str) -> None:
    hub.new_device(name, capabilities={"iotEdge": True})
    path = f"/devices/{name}/applyConfigurationContent"
    assert hub.refused("POST", path, {"modulesContent": {"m": None}}) == (400, "ArgumentInvalid")
    assert hub.refused("GET", f"/devices/{name}/modules/m")[0] == 404


# --- bulk changes that an etag guards


@pytest.mark.parametrize("etag", [{}, {"eTag": None, "twinETag": None}])
@pytest.mark.parametrize(
    "mode", ["updateIfMatchETag", "createOrUpdateIfMatchETag", "deleteIfMatchETag", "updateTwinIfMatchETag"]
)
def test_a_change_that_an_etag_is_to_guard_is_not_done_without_one(
    hub: AnyHub, name: str, mode: str, etag: dict[str, Any]
) -> None:
    before = hub.new_device(name)
    twin = hub.ok("GET", f"/twins/{name}")
    item = {"id": name, "importMode": mode, "status": "disabled", "tags": {"a": 1}, **etag}
    answer = hub.request("POST", "/devices", [item])
    assert [each["errorCode"] for each in answer.json()["errors"]] == ["PreconditionFailed"]
    assert (hub.ok("GET", f"/devices/{name}"), hub.ok("GET", f"/twins/{name}")) == (before, twin)


def test_a_device_that_is_not_there_needs_no_etag_to_be_made(hub: AnyHub, name: str) -> None:
    assert hub.ok("POST", "/devices", [{"id": name, "importMode": "createOrUpdateIfMatchETag"}])["isSuccessful"]


# --- every member of every body


IDENTITY: dict[str, Any] = {
    "deviceId": None,
    "status": "enabled",
    "statusReason": "r",
    "authentication": {
        "type": "sas",
        "symmetricKey": {"primaryKey": BASE64, "secondaryKey": BASE64},
        "x509Thumbprint": {"primaryThumbprint": None, "secondaryThumbprint": None},
    },
    "capabilities": {"iotEdge": False},
    "deviceScope": None,
    "parentScopes": [],
    "managedBy": "x",
}
ITEM = {
    **IDENTITY,
    "id": "bulk-null",
    "moduleId": None,
    "importMode": "createOrUpdate",
    "eTag": "*",
    "twinETag": "*",
    "tags": {"a": 1},
    "properties": {"desired": {"a": 1}},
}
METHOD = {"methodName": "m", "payload": 1, "responseTimeoutInSeconds": 5, "connectTimeoutInSeconds": 0}
TWIN_JOB = {
    "type": "scheduleUpdateTwin",
    "queryCondition": "deviceId = 'no-such'",
    "startTime": "2020-01-01T00:00:00Z",
    "maxExecutionTimeInSeconds": 60,
    "updateTwin": {"etag": "*", "tags": {"a": 1}, "properties": {"desired": {"a": 1}}},
    "cloudToDeviceMethod": None,
    "jobId": "x",
}
METHOD_JOB = {**TWIN_JOB, "type": "scheduleDeviceMethod", "updateTwin": None, "cloudToDeviceMethod": METHOD}
MESSAGE = {
    "body": "eA==",
    "messageId": "m",
    "correlationId": "c",
    "userId": "u",
    "contentType": "t",
    "contentEncoding": "e",
    "properties": {"a": "b"},
    "ack": "none",
    "expiryTimeUtc": None,
}
TWIN = {"tags": {"a": 1}, "properties": {"desired": {"a": 1}}}
BODIES: dict[str, tuple[str, str, Any]] = {
    "device": ("PUT", "/devices/null-{}", IDENTITY),
    "module": ("PUT", "/devices/null-host/modules/m-{}", IDENTITY),
    "bulk": ("POST", "/devices", [ITEM]),
    "bulk twin": ("POST", "/devices", [{**ITEM, "importMode": "updateTwinIfMatchETag"}]),
    "keys": ("POST", "/devices/keys/regenerate", {"policyKey": "both", "devices": [{"id": "null-host"}]}),
    "edge": (
        "POST",
        "/devices/null-edge/applyConfigurationContent",
        {"modulesContent": {"m": {"properties.desired": {"a": 1}, "properties.desired.b": 1}}},
    ),
    "patch": ("PATCH", "/twins/null-host", TWIN),
    "replacement": ("PUT", "/twins/null-host", TWIN),
    "method": ("POST", "/twins/null-host/methods", METHOD),
    "query": ("POST", "/devices/query", {"query": "SELECT deviceId FROM devices"}),
    "twin job": ("PUT", "/jobs/v2/null-{}", TWIN_JOB),
    "method job": ("PUT", "/jobs/v2/null-m-{}", METHOD_JOB),
    "message": ("POST", "/_local/devices/null-host/messages", MESSAGE),
    "certificate": ("PUT", "/_local/certificates/c", {"certificate": "no PEM"}),
    "import": ("POST", "/jobs/create", {"type": "import"}),
}
WRONG: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\ud800",
    [],
    [None],
    ["\ud800"],
    [[]],
    {},
    {"x": None},
    {"\ud800": 1},
    {"": ""},
]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, the whole included."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*at, key))


def replaced(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    changed = copy.deepcopy(document)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return changed


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(10**6))


@pytest.fixture(scope="module")
def own_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    process = HubProcess(tmp_path_factory.mktemp("nulls"), "--in-memory")
    process.new_device("null-host")
    process.new_device("null-edge", capabilities={"iotEdge": True})
    yield process
    assert process.stop() == 0


@pytest.mark.local_hub("starts a hub of its own")
@pytest.mark.parametrize("kind", BODIES)
def test_nothing_in_any_body_is_too_odd_for_an_answer(own_hub: HubProcess, kind: str, numbers: Iterator[int]) -> None:
    method, path, body = BODIES[kind]
    with requests.Session() as session:
        for at in places(body):
            for wrong in WRONG:
                changed = replaced(body, at, wrong)
                answer = own_hub.request(
                    method,
                    path.format(next(numbers)),
                    changed,
                    session=session,
                    body=b"null" if changed is None else None,
                )
                seen = f"{kind} {at} = {wrong!a}: {answer.status_code} {answer.text[:300]}"
                assert answer.status_code in (200, 201, 204, 207, 400, 404, 403, 501), seen
                assert answer.ok or answer.headers.get("iothub-errorcode") or "errors" in answer.json(), seen
                if wrong == "\ud800" or wrong == {"\ud800": 1}:
                    assert "\\ud800" not in own_hub.request("GET", "/twins/null-host").text, seen
    assert "Traceback" not in own_hub.errors, own_hub.errors


NULL_IS_ABSENT: dict[str, list[tuple[Any, ...]]] = {
    "device": [
        ("status",),
        ("statusReason",),
        ("authentication",),
        ("authentication", "type"),
        ("authentication", "symmetricKey"),
        ("capabilities",),
        ("capabilities", "iotEdge"),
        ("deviceScope",),
        ("parentScopes",),
        ("deviceId",),
    ],
    "bulk": [(0, "importMode"), (0, "moduleId"), (0, "tags"), (0, "properties", "desired"), (0, "status")],
    "method": [("responseTimeoutInSeconds",), ("connectTimeoutInSeconds",), ("payload",)],
    "twin job": [("cloudToDeviceMethod",), ("jobId",)],
    "method job": [("updateTwin",), ("cloudToDeviceMethod", "payload")],
    "message": [(member,) for member in MESSAGE],
}
NULL_IS_REFUSED: dict[str, list[tuple[Any, ...]]] = {
    "device": [(), ("authentication", "symmetricKey", "primaryKey")],
    "bulk": [(), (0,), (0, "id")],
    "bulk twin": [(0, "properties")],
    "keys": [(), ("policyKey",), ("devices",), ("devices", 0), ("devices", 0, "id")],
    "edge": [(), ("modulesContent",), ("modulesContent", "m")],
    "patch": [(), ("properties",)],
    "replacement": [
        (),
        ("properties",),
        ("tags",),
        ("tags", "a"),
        ("properties", "desired"),
        ("properties", "desired", "a"),
    ],
    "method": [(), ("methodName",)],
    "query": [(), ("query",)],
    "twin job": [
        (),
        ("type",),
        ("queryCondition",),
        ("startTime",),
        ("maxExecutionTimeInSeconds",),
        ("updateTwin",),
        ("updateTwin", "etag"),
        ("updateTwin", "properties"),
    ],
    "method job": [("cloudToDeviceMethod",), ("cloudToDeviceMethod", "methodName")],
    "message": [(), ("properties", "a")],
    "certificate": [(), ("certificate",)],
}


def sent_with_null(hub: AnyHub, kind: str, at: tuple[Any, ...], numbers: Iterator[int]) -> int:
    method, path, body = BODIES[kind]
    changed = replaced(body, at, None)
    whole = b"null" if changed is None else None
    return hub.request(method, path.format(next(numbers)), changed, body=whole).status_code


@pytest.mark.local_hub("starts a hub of its own")
@pytest.mark.parametrize(("kind", "at"), [(kind, at) for kind, each in NULL_IS_ABSENT.items() for at in each])
def test_null_is_taken_for_absent_where_absent_has_a_meaning_of_its_own(
    own_hub: HubProcess, kind: str, at: tuple[Any, ...], numbers: Iterator[int]
) -> None:
    status = sent_with_null(own_hub, kind, at, numbers)
    assert status == (404 if kind == "method" else 201 if kind == "message" else 200)  # the device is not on line


@pytest.mark.local_hub("starts a hub of its own")
@pytest.mark.parametrize(("kind", "at"), [(kind, at) for kind, each in NULL_IS_REFUSED.items() for at in each])
def test_null_is_refused_where_something_is_needed(
    own_hub: HubProcess, kind: str, at: tuple[Any, ...], numbers: Iterator[int]
) -> None:
    assert sent_with_null(own_hub, kind, at, numbers) == 400


# --- from devices


@pytest.mark.parametrize(
    "body", [b"null", b"5", b"[]", b'{"\\ud800": 1}', b'{"a": {"b\\udc00": 1}}', b'{"a": "\\ud800"}']
)
def test_a_report_that_is_no_object_or_no_text_changes_nothing(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice], body: bytes
) -> None:
    device = connect(name)
    device.subscribe("$iothub/twin/res/#")
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", body)
    assert device.next()[0].startswith("$iothub/twin/res/400/?$rid=1")
    assert hub.ok("GET", f"/twins/{name}")["properties"]["reported"]["$version"] == 1


@pytest.mark.parametrize("part", ["tags", "desired"])
@pytest.mark.parametrize("value", [{"\ud800": 1}, {"a": {"\udfff": 1}}, {"a": [{"x\ud800": 1}]}, {"a": "\ud800"}])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_names_that_are_no_text_are_refused_like_values(
    hub: AnyHub, name: str, part: str, value: dict[str, Any], method: str
) -> None:
    hub.new_device(name)
    before = hub.ok("GET", f"/twins/{name}")
    body = {"tags": value} if part == "tags" else {"properties": {"desired": value}}
    assert hub.refused(method, f"/twins/{name}", body) == (400, "ArgumentInvalid")
    assert hub.ok("GET", f"/twins/{name}") == before


def test_names_that_are_no_text_reach_and_leave_a_method_as_values_do(
    hub: AnyHub, name: str, connect: Callable[..., MqttDevice]
) -> None:
    odd = {"\ud800": 1, "a": "\udc00"}
    connect(name).answer_methods(lambda _name, payload: (200, payload))
    assert hub.ok("POST", f"/twins/{name}/methods", {"methodName": "m", "payload": odd})["payload"] == odd


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_a_header_that_is_no_text_is_refused_as_a_property(hub: HubProcess, name: str) -> None:
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    token = sas(key, f"{hub.host}/devices/{name}")
    for header in ("iothub-app-a", "iothub-messageid"):
        answer = hub.request(
            "POST",
            f"/devices/{name}/messages/events",
            token=token,
            body=b"x",
            headers={header: b"\xff\xfe"},  # type: ignore[dict-item]
        )
        assert (answer.status_code, answer.headers["iothub-errorcode"]) == (400, "ArgumentInvalid")
    assert hub.events_of(name) == []
