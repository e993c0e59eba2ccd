"""Devices as the console's API has them, with a real local hub: queries, twins, methods, messages, identities."""

import json
import shlex
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.helpers.answering_device import MqttDevice
from tests.helpers.console import ServedConsole, served
from tests.helpers.hub_process import HubProcess

COUNT = 230  # devices: more than two of the hub's pages
ODD = "a%b#c?d;e:f'g"  # what an id may be made of


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    with HubProcess(tmp_path_factory.mktemp("hub"), "--in-memory") as process:
        sites = ("north", "south")
        seeded = [{"deviceId": f"pump-{n:03}", "tags": {"site": sites[n % 2]}} for n in range(COUNT)]
        process.ok("POST", "/_local/seed", {"devices": seeded})
        for name in ("edited", "called", ODD):
            process.new_device(name)
        yield process


@pytest.fixture(scope="module")
def console(hub: HubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedConsole]:
    """One that somebody has signed in to."""
    with served(tmp_path_factory.mktemp("console"), local=hub) as running:
        running.sign_in()
        yield running


def found(console: ServedConsole, query: str = "", **more: Any) -> Any:
    answer = console.get(f"/api/devices?{urlencode({'query': query, **more}, doseq=True)}")
    assert answer.status == 200, answer.body
    return answer.json


def posted(console: ServedConsole, path: str, body: Any, status: int = 200) -> Any:
    answer = console.post(path, body)
    assert answer.status == status, answer.body
    return answer.json


# -- queries --------------------------------------------------------------------------------------------------------


def test_all_devices_are_read_page_by_page(console: ServedConsole) -> None:
    page = found(console, column=["tags.site", "status"])
    ids = [each["deviceId"] for each in page["rows"]]
    assert len(ids) < COUNT and page["columns"] == ["tags.site", "status"] and "tags.site" in page["paths"]
    while page["next"]:
        page = found(console, after=page["next"])
        ids += [each["deviceId"] for each in page["rows"]]
    assert len(ids) == len(set(ids)) == COUNT + 3


@pytest.mark.parametrize("path", ["/api/devices", "/api/hub-jobs/job/devices"])
@pytest.mark.parametrize("token", ["\N{PILE OF POO}", "\xff", "a\r\nHost: b"])
def test_a_page_after_what_the_hub_cannot_have_said_is_refused(console: ServedConsole, path: str, token: str) -> None:
    answer = console.get(f"{path}?{urlencode({'after': token})}")
    assert answer.status == 400 and "token" in answer.json["error"]["message"]


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_half_a_character_is_refused_wherever_it_stands(console: ServedConsole, text: str) -> None:
    for body in ({"body": text}, {"body": "x", "properties": {text: "1"}}, {"body": "x", "properties": {"k": [text]}}):
        posted(console, "/api/devices/called/message", body, status=400)


def test_a_query_finds_some_and_says_how_many_and_its_command(console: ServedConsole) -> None:
    query = "SELECT * FROM devices WHERE tags.site = 'north' AND deviceId != 'pump-000'"
    page = found(console, query, column="tags.site")
    assert {each["cells"][0] for each in page["rows"]} == {"north"}
    assert shlex.split(page["lines"]["query"]) == ["az", "iot", "hub", "query", "-q", query]
    counted = console.get(f"/api/devices/count?{urlencode({'query': query})}").json
    assert counted == {"count": COUNT // 2 - 1}


def test_rows_that_are_no_twins_have_columns_of_their_own(console: ServedConsole) -> None:
    query = "SELECT tags.site AS site, COUNT() AS devices FROM devices WHERE IS_DEFINED(tags.site) GROUP BY tags.site"
    page = found(console, query, column="status")
    assert not page["areTwins"] and sorted(page["columns"]) == ["devices", "site"]
    assert console.get(f"/api/devices/count?{urlencode({'query': query})}").json == {"count": None}


def test_what_is_wrong_in_a_query_is_said_with_its_place(console: ServedConsole) -> None:
    refused = console.get(f"/api/devices?{urlencode({'query': 'SELECT * FROM devices WHERE tags.site = = 1'})}")
    assert refused.status == 400 and "(line 1, column 41)" in refused.json["error"]["message"]
    foreign = console.get(f"/api/devices?{urlencode({'query': 'SELECT * FROM devices ORDER BY deviceId'})}")
    assert foreign.status == 400 and "ORDER BY" in foreign.json["error"]["message"]


def test_a_query_of_the_longest_that_there_may_be_is_carried(console: ServedConsole) -> None:
    start, end = "SELECT * FROM devices WHERE tags.site = '", "'"
    longest = start + "é" * (8192 - len(start) - len(end)) + end
    assert found(console, longest)["rows"] == []
    refused = console.get(f"/api/devices?{urlencode({'query': longest + ' ' * 3 + '.'})}")
    assert refused.status == 400 and "at most 8192" in refused.json["error"]["message"]


# -- a device -------------------------------------------------------------------------------------------------------


def test_an_edit_of_a_twin_reaches_the_hub_and_one_of_an_older_twin_does_not(
    console: ServedConsole, hub: HubProcess
) -> None:
    before = console.document("twin:edited")
    patch = {"tags": {"site": "<b>north</b>"}, "properties": {"desired": {"speed": 1}}}
    saved = posted(console, "/api/devices/edited/twin", {"patch": patch, "etag": before["etag"]})
    assert (saved["tags"], saved["desired"]) == (patch["tags"], {"speed": 1})
    late = posted(console, "/api/devices/edited/twin", {"patch": {"tags": None}, "etag": before["etag"]}, 409)
    assert late["error"]["code"] == "hub-conflict"
    assert hub.ok("GET", "/twins/edited")["tags"] == patch["tags"]


@pytest.mark.parametrize("etag", ["", "*", '"*"'])
def test_an_edit_without_the_etag_of_a_twin_is_refused(console: ServedConsole, etag: str) -> None:
    refused = posted(console, "/api/devices/edited/twin", {"patch": {"tags": {"a": 1}}, "etag": etag}, 400)
    assert "etag" in refused["error"]["message"]


def test_an_edit_of_what_is_the_devices_own_is_refused(console: ServedConsole) -> None:
    body = {"patch": {"properties": {"reported": {"a": 1}}}, "etag": "AAAA"}
    assert "reported" in posted(console, "/api/devices/edited/twin", body, 400)["error"]["message"]


def test_a_method_reaches_the_device_and_its_answer_comes_back(console: ServedConsole, hub: HubProcess) -> None:
    with MqttDevice(hub, "called", lambda name, payload: (207, {"name": name, "had": payload})):
        console.document("twin:called", lambda each: each["isConnected"])
        answer = posted(console, "/api/devices/called/method", {"name": "reboot", "payload": '{"in": 5}'})
    assert (answer["status"], answer["payload"]) == (207, {"name": "reboot", "had": {"in": 5}})


def test_what_keeps_a_method_from_its_device_is_said(console: ServedConsole) -> None:
    offline = posted(console, "/api/devices/edited/method", {"name": "reboot"}, 502)
    assert "never connected" in offline["error"]["message"]
    wrong = posted(console, "/api/devices/edited/method", {"name": "reboot", "payload": '{"a": NaN}'}, 400)
    assert "not JSON" in wrong["error"]["message"]
    wrong = posted(console, "/api/devices/edited/method", {"name": "reboot", "payload": "{\n5"}, 400)
    assert "(line 2, column 1)" in wrong["error"]["message"]
    late = posted(console, "/api/devices/edited/method", {"name": "reboot", "responseTimeout": 1}, 400)
    assert "5 to 300" in late["error"]["message"]


def test_a_message_waits_for_its_device(console: ServedConsole, hub: HubProcess) -> None:
    body = {"body": "Grüße", "properties": {"kind": "greeting"}, "messageId": "m-1"}
    assert posted(console, "/api/devices/edited/message", body) == {"messageId": "m-1"}
    received = hub.request("GET", "/devices/edited/messages/deviceBound")
    assert received.content.decode() == "Grüße" and received.headers["iothub-app-kind"] == "greeting"
    large = posted(console, "/api/devices/edited/message", {"body": "x" * 65_537}, 400)
    assert "65536" in large["error"]["message"]


def test_keys_are_given_to_who_asks_for_them_and_stand_nowhere_else(console: ServedConsole, hub: HubProcess) -> None:
    key = hub.ok("GET", "/devices/edited")["authentication"]["symmetricKey"]["primaryKey"]
    assert key not in json.dumps([console.document("twin:edited"), found(console)])
    given = posted(console, "/api/devices/edited/keys", {})
    assert given["primaryKey"] == key
    assert given["connectionString"] == f"HostName=localhost;DeviceId=edited;SharedAccessKey={key}"


def test_a_device_is_created_disabled_enabled_and_deleted(console: ServedConsole, hub: HubProcess) -> None:
    name = "made'1"
    made = {"deviceId": name, "isEdge": True, "isEnabled": False}
    path = f"/api/devices/{quote(name, safe='')}"
    assert posted(console, "/api/devices", made) == {"id": name}
    assert posted(console, "/api/devices", made, 409)["error"]["code"] == "hub-conflict"
    assert [each["name"] for each in console.document(f"twin:{name}")["actions"]] == ["enable", "delete"]
    posted(console, f"{path}/actions/enable", {})
    posted(console, f"{path}/actions/disable", {"reason": "in repair"})
    shown = console.document(f"twin:{name}", lambda each: each["facts"]["statusReason"] == "in repair")
    assert not shown["isEnabled"] and shown["isEdge"]
    assert "typed" in posted(console, f"{path}/actions/delete", {"typed": "made"}, 400)["error"]["message"]
    posted(console, f"{path}/actions/delete", {"typed": name})
    assert hub.request("GET", f"/devices/{quote(name, safe='')}").status_code == 404
    assert console.document(f"twin:{name}", lambda each: "error" in each)["error"]["code"] == "hub-not-found"


def test_modules_are_made_edited_and_deleted(console: ServedConsole) -> None:
    path = f"/api/devices/{quote(ODD, safe='')}/modules"
    posted(console, path, {"moduleId": "camera"})
    (listed,) = console.get(path).json["modules"]
    assert listed["id"] == "camera" and not listed["isConnected"]
    twin = console.document(f"twin:{ODD}/camera")
    assert [each["name"] for each in twin["actions"]] == ["delete"]
    saved = posted(console, f"{path}/camera/twin", {"patch": {"tags": {"a": 1}}, "etag": twin["etag"]})
    assert saved["tags"] == {"a": 1}
    posted(console, f"{path}/camera/actions/disable", {}, 404)
    posted(console, f"{path}/camera/actions/delete", {"typed": "camera"})
    assert console.get(path).json["modules"] == []


def test_a_twin_at_the_limit_of_its_size_is_shown_and_is_cut_in_the_table(
    console: ServedConsole, hub: HubProcess
) -> None:
    hub.new_device("large")
    desired = {f"k{n:02}": {"n": "x" * 900} for n in range(30)}
    tags = {f"<i>{n}": "y" * 450 for n in range(16)}
    hub.ok("PATCH", "/twins/large", {"tags": tags, "properties": {"desired": desired}})
    shown = console.document("twin:large")
    assert (shown["tags"], shown["desired"]) == (tags, desired)
    page = found(console, "SELECT * FROM devices WHERE deviceId = 'large'", column=["tags", "properties.desired.k00.n"])
    assert [len(each) for each in page["rows"][0]["cells"]] == [201, 201]
    assert len(json.dumps(page)) < 5_000


# -- telemetry ------------------------------------------------------------------------------------------------------


def test_a_message_expires_when_it_is_told_to(console: ServedConsole, hub: HubProcess) -> None:
    hub.new_device("brief")
    path, soon_ms = "/api/devices/brief/message", round((time.time() + 3600) * 1000)
    posted(console, path, {"body": "x", "expiry": soon_ms, "ack": "full"})
    received = hub.request("GET", "/devices/brief/messages/deviceBound")
    expiry = datetime.strptime(received.headers["iothub-expiry"], "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=timezone.utc)
    assert abs(expiry.timestamp() * 1000 - soon_ms) < 2000 and received.headers["iothub-ack"] == "full"
    for wrong, said in ((1, "before it is sent"), (-1, "expiry"), (10**30, "this is not a time")):
        assert said in posted(console, path, {"body": "x", "expiry": wrong}, 400)["error"]["message"]


def test_the_newest_messages_of_a_device_are_shown_with_their_numbers(console: ServedConsole, hub: HubProcess) -> None:
    hub.new_device("sender")
    with console.stream("telemetry:sender") as events:
        document: Any = {"state": "connecting"}
        while document["state"] != "reading":
            event = events.next()
            assert event is not None
            document = event.data["document"]
        for number in range(60):
            body = {"temp": number, "on": True, "at": {"x": 0.5}}
            hub.ok("POST", "/devices/sender/messages/events", body)
        hub.request("POST", "/devices/sender/messages/events", body=b"\xff\x00<script>")
        while document["count"] < 61:
            event = events.next()
            assert event is not None
            document = event.data["document"]
    assert len(document["messages"]) == 50
    newest = document["messages"][0]
    assert (newest["isText"], newest["body"][:5], newest["bytes"]) == (False, "ff 00", 10)
    assert [each["name"] for each in document["series"]] == ["temp", "at.x"]
    assert [value for _, value in document["series"][0]["points"]] == list(range(60))
