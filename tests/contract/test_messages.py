"""Cloud-to-device messages: over MQTT with acknowledgement, over HTTPS with locks; telemetry over HTTPS; feedback."""

import base64
import http.client
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests

from tests.helpers.any_hub import AnyHub
from tests.helpers.http_line import VERSION, tls
from tests.helpers.hub_process import HubProcess, sas
from tests.helpers.mqtt_device import MqttDevice, wait_for_connection_state
from tests.helpers.waiting import wait_until

Connect = Callable[..., MqttDevice]


def send(hub: HubProcess, device: str, body: bytes = b"hello", **members: Any) -> dict[str, Any]:
    message = {"body": base64.b64encode(body).decode(), **members}
    return dict(hub.ok("POST", f"/_local/devices/{device}/messages", message))


def as_device(hub: AnyHub, device: str, method: str, path: str, **more: Any) -> requests.Response:
    key = hub.ok("GET", f"/devices/{device}")["authentication"]["symmetricKey"]["primaryKey"]
    return hub.request(method, f"/devices/{device}{path}", token=sas(key, f"{hub.host}/devices/{device}"), **more)


def waiting(hub: AnyHub, device: str) -> int:
    return int(hub.ok("GET", f"/devices/{device}")["cloudToDeviceMessageCount"])


def bag_of(topic: str) -> dict[str, str]:
    return dict(parse_qsl(topic.rsplit("/", 1)[1], keep_blank_values=True))


def feedback_on(hub: AnyHub, device: str) -> list[dict[str, Any]]:
    """The feedback of a device's messages; that of others is left for their tests."""
    answer = hub.request("GET", "/messages/serviceBound/feedback")
    if answer.status_code == 204:
        return []
    token = answer.headers["ETag"].strip('"')
    found = [record for record in answer.json() if record["deviceId"] == device]
    end = "" if len(found) == len(answer.json()) else "/abandon"
    assert hub.request("POST" if end else "DELETE", f"/messages/serviceBound/feedback/{token}{end}").status_code == 204
    return found


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_a_message_waits_for_its_device_and_is_gone_once_acknowledged(
    hub: HubProcess, name: str, connect: Connect
) -> None:
    hub.new_device(name)
    send(hub, name, b'{"a": 1}', messageId="m-1", properties={"site": "a b+c", "é": ""}, ack="full")
    assert waiting(hub, name) == 1
    device = connect(name)
    device.subscribe(f"devices/{name}/messages/devicebound/#", qos=1)
    topic, payload = device.next()
    assert topic.startswith(f"devices/{name}/messages/devicebound/") and payload == {"a": 1}
    assert bag_of(topic) == {
        "$.mid": "m-1",
        "$.to": f"/devices/{name}/messages/deviceBound",
        "iothub-ack": "full",
        "site": "a b+c",
        "é": "",
    }
    wait_until("it is acknowledged", lambda: waiting(hub, name) == 0)
    (record,) = feedback_on(hub, name)
    assert (record["originalMessageId"], record["statusCode"]) == ("m-1", "Success")


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_a_message_to_a_device_that_listens_goes_out_at_once(hub: HubProcess, name: str, connect: Connect) -> None:
    device = connect(name)
    device.subscribe(f"devices/{name}/messages/devicebound/#", qos=0)
    for number in range(3):
        send(hub, name, str(number).encode())
    assert [device.next()[1] for _ in range(3)] == [0, 1, 2]
    assert waiting(hub, name) == 0


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_what_was_not_acknowledged_comes_again(hub: HubProcess, name: str, connect: Connect) -> None:
    device = connect(name, manual_ack=True)
    device.subscribe(f"devices/{name}/messages/devicebound/#", qos=1)
    send(hub, name, b"1")
    assert device.next()[1] == 1
    device.close()
    wait_for_connection_state(hub, name, "Disconnected")
    assert waiting(hub, name) == 1
    again = connect(name)
    again.subscribe(f"devices/{name}/messages/devicebound/#", qos=1)
    assert again.next()[1] == 1
    wait_until("it is acknowledged", lambda: waiting(hub, name) == 0)


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_a_kept_session_gets_its_messages_without_subscribing_again(
    hub: HubProcess, name: str, connect: Connect
) -> None:
    first = connect(name, clean_session=False)
    first.subscribe(f"devices/{name}/messages/devicebound/#", qos=1)
    first.close()
    wait_for_connection_state(hub, name, "Disconnected")
    send(hub, name, b'"while away"')
    assert connect(name, clean_session=False).next()[1] == "while away"


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_a_message_to_nobody_is_refused(hub: HubProcess) -> None:
    assert hub.refused("POST", "/_local/devices/nobody/messages", {"body": ""}) == (404, "DeviceNotFound")


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_a_queue_holds_fifty(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    for _ in range(50):
        send(hub, name)
    refused = hub.refused("POST", f"/_local/devices/{name}/messages", {"body": ""})
    assert refused == (403, "DeviceMaximumQueueDepthExceeded")
    assert hub.ok("GET", f"/twins/{name}")["cloudToDeviceMessageCount"] == 50
    query = {"query": f"SELECT deviceId FROM devices WHERE cloudToDeviceMessageCount = 50 AND deviceId = '{name}'"}
    assert hub.ok("POST", "/devices/query", query) == [{"deviceId": name}]
    purged = hub.ok("DELETE", f"/devices/{name}/commands")
    assert (purged["deviceId"], purged["totalMessagesPurged"], waiting(hub, name)) == (name, 50, 0)


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
@pytest.mark.parametrize(
    "members",
    [
        {"body": "not base64!"},
        {"body": 5},
        {"ack": "perhaps"},
        {"properties": {"a": 1}},
        {"properties": {"": "a"}},
        {"messageId": "m" * 129},
        {"expiryTimeUtc": "2020-01-01T00:00:00Z"},
        {"expiryTimeUtc": (datetime.now(timezone.utc) + timedelta(days=3)).isoformat()},
    ],
)
def test_a_message_that_is_none_is_refused(hub: HubProcess, name: str, members: dict[str, Any]) -> None:
    hub.new_device(name)
    assert hub.refused("POST", f"/_local/devices/{name}/messages", members) == (400, "ArgumentInvalid")
    assert waiting(hub, name) == 0


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_a_message_above_64_kb_is_refused(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    body = base64.b64encode(b"x" * (64 * 1024 + 1)).decode()
    assert hub.refused("POST", f"/_local/devices/{name}/messages", {"body": body}) == (413, "MessageTooLarge")


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
@pytest.mark.parametrize("properties", [{"a": "ü" * 20_000}, {"%" * 22_000: ""}, {f"{n}": "" for n in range(40_000)}])
def test_properties_that_no_topic_can_carry_are_refused_and_hold_nothing_up(
    hub: HubProcess, name: str, connect: Connect, properties: dict[str, str]
) -> None:
    device = connect(name)
    device.subscribe(f"devices/{name}/messages/devicebound/#", qos=1)
    too_large = {"body": "", "properties": properties}
    assert hub.refused("POST", f"/_local/devices/{name}/messages", too_large) == (413, "MessageTooLarge")
    send(hub, name, b"1", properties={"a": "ü" * 10_000}, userId="u" * 1000)
    assert device.next()[1] == 1


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_over_https_a_message_is_received_and_completed(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    assert as_device(hub, name, "GET", "/messages/deviceBound").status_code == 204
    send(
        hub,
        name,
        b"\x00\xff",
        messageId="m-1",
        correlationId="c",
        userId="u",
        contentType="image/png",
        ack="full",
        properties={"Site": "a", "naïve": "line\nfeed"},
    )
    got = as_device(hub, name, "GET", "/messages/DEVICEBOUND")
    assert (got.status_code, got.content, got.headers["Content-Type"]) == (200, b"\x00\xff", "image/png")
    headers = {key: value for key, value in got.headers.items() if key.lower().startswith("iothub-")}
    assert headers.pop("iothub-enqueuedtime")
    assert headers == {
        "iothub-messageid": "m-1",
        "iothub-correlationid": "c",
        "iothub-userid": "u",
        "iothub-ack": "full",
        "iothub-to": f"/devices/{name}/messages/devicebound",
        "iothub-expiry": "",
        "iothub-deliverycount": "0",
        "iothub-sequencenumber": headers["iothub-sequencenumber"],
        "iothub-app-Site": "a",
        "iothub-app-na%C3%AFve": "line%0Afeed",
    }
    assert as_device(hub, name, "GET", "/messages/deviceBound").status_code == 204  # it is locked
    path = f"/messages/deviceBound/{got.headers['ETag'].strip(chr(34))}"
    assert as_device(hub, name, "DELETE", path).status_code == 204
    lost = as_device(hub, name, "DELETE", path)
    assert (lost.status_code, lost.headers["iothub-errorcode"]) == (412, "DeviceMessageLockLost")
    assert [record["statusCode"] for record in feedback_on(hub, name)] == ["Success"]


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
@pytest.mark.parametrize("body", [b"", b"x", b"\x1f\x8b no gzip", "ü".encode("utf-16")])
@pytest.mark.parametrize("encoding", [None, "gzip", "deflate", "br", "identity", "utf-16", "no such"])
def test_over_https_a_body_comes_as_it_was_sent_and_described_as_its_sender_did(
    hub: HubProcess, name: str, body: bytes, encoding: str | None
) -> None:
    hub.new_device(name)
    send(hub, name, body, **({} if encoding is None else {"contentEncoding": encoding, "contentType": "text/x; a=b"}))
    key = hub.ok("GET", f"/devices/{name}")["authentication"]["symmetricKey"]["primaryKey"]
    connection = http.client.HTTPSConnection(hub.host, hub.https_port, timeout=30, context=tls(hub))
    token = sas(key, f"{hub.host}/devices/{name}")
    path = f"/devices/{name}/messages/deviceBound?{VERSION}"
    connection.request("GET", path, headers={"Authorization": token, "Accept-Encoding": "gzip"})
    got = connection.getresponse()
    assert (got.status, got.read()) == (200, body)
    described = None if encoding is None else "text/x; a=b"
    assert (got.headers["content-type"], got.headers["content-encoding"]) == (described, encoding)
    connection.close()


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_over_https_a_message_is_rejected_or_abandoned(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    send(hub, name, messageId="no", ack="negative")

    def receive() -> str:
        got = as_device(hub, name, "GET", "/messages/deviceBound")
        assert got.headers["iothub-messageid"] == "no"
        return got.headers["ETag"].strip('"')

    assert as_device(hub, name, "POST", f"/messages/deviceBound/{receive()}/abandon").status_code == 204
    assert as_device(hub, name, "DELETE", f"/messages/deviceBound/{receive()}?reject=").status_code == 204
    assert waiting(hub, name) == 0
    assert [record["statusCode"] for record in feedback_on(hub, name)] == ["Rejected"]


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_a_message_that_was_abandoned_too_often_is_dropped(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    send(hub, name, ack="full")
    for _ in range(10):
        token = as_device(hub, name, "GET", "/messages/deviceBound").headers["ETag"].strip('"')
        as_device(hub, name, "POST", f"/messages/deviceBound/{token}/abandon")
    assert waiting(hub, name) == 0
    assert [record["statusCode"] for record in feedback_on(hub, name)] == ["DeliveryCountExceeded"]


@pytest.mark.local_hub("sends messages to devices, which other hubs take over AMQP alone")
def test_feedback_comes_again_until_it_is_completed(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    send(hub, name, ack="full")
    hub.ok("DELETE", f"/devices/{name}/commands")
    first = hub.request("GET", "/messages/serviceBound/feedback")
    token = first.headers["ETag"].strip('"')
    assert hub.request("POST", f"/messages/serviceBound/feedback/{token}/abandon").status_code == 204
    assert [record["statusCode"] for record in feedback_on(hub, name)] == ["Purged"]
    assert hub.refused("DELETE", f"/messages/serviceBound/feedback/{token}") == (412, "DeviceMessageLockLost")


@pytest.mark.parametrize("seconds", ["4", "301", "soon"])
def test_a_lock_that_is_too_long_or_too_short_is_refused(hub: AnyHub, name: str, seconds: str) -> None:
    hub.new_device(name)
    headers = {"IotHub-MessageLockTimeout": seconds}
    assert as_device(hub, name, "GET", "/messages/deviceBound", headers=headers).status_code == 400


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_telemetry_over_https(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    headers = {"iothub-app-Site": "a", "iothub-messageid": "m", "Content-Type": "application/json"}
    sent = as_device(hub, name, "POST", "/messages/events", body=b'{"t":1}', headers=headers)
    assert (sent.status_code, sent.content) == (204, b"")
    (event,) = hub.events_of(name)
    assert base64.b64decode(event["body"]) == b'{"t":1}'
    assert (event["properties"], event["systemProperties"]) == (
        {"Site": "a"},
        {"contentType": "application/json", "messageId": "m"},
    )
    assert hub.ok("GET", f"/devices/{name}")["lastActivityTime"] > "2026"


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_telemetry_over_https_in_a_batch_is_all_or_nothing(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    headers = {"Content-Type": "application/vnd.microsoft.iothub.json"}
    good = {"body": base64.b64encode(b"1").decode(), "properties": {"iothub-app-n": "1"}}
    plain = {"body": "two", "base64Encoded": False}
    bad = json.dumps([good, {"body": "%"}]).encode()
    assert as_device(hub, name, "POST", "/messages/events", body=bad, headers=headers).status_code == 400
    body = json.dumps([good, plain]).encode()
    assert as_device(hub, name, "POST", "/messages/events", body=body, headers=headers).status_code == 204
    events = hub.events_of(name)
    assert [(base64.b64decode(each["body"]), each["properties"]) for each in events] == [
        (b"1", {"n": "1"}),
        (b"two", {}),
    ]


def test_telemetry_above_256_kb_is_refused(hub: AnyHub, name: str) -> None:
    hub.new_device(name)
    answer = as_device(hub, name, "POST", "/messages/events", body=b"x" * (256 * 1024 + 1))
    assert (answer.status_code, answer.headers["iothub-errorcode"]) == (413, "MessageTooLarge")


@pytest.mark.local_hub("needs the keys of all policies")
@pytest.mark.parametrize(("method", "path"), [("GET", "/messages/deviceBound"), ("POST", "/messages/events")])
def test_only_the_device_itself_may_speak_for_it(hub: HubProcess, name: str, method: str, path: str) -> None:
    key = hub.new_device(name)["authentication"]["symmetricKey"]["primaryKey"]
    hub.new_device(f"{name}-other")
    other = hub.ok("GET", f"/devices/{name}-other")["authentication"]["symmetricKey"]["primaryKey"]
    for token in (
        "",
        sas(other, f"{hub.host}/devices/{name}"),
        sas(key, f"{hub.host}/devices/{name}-other"),
        sas(key, f"{hub.host}/devices/{name}", life_s=-10),
        hub.token("service"),
    ):
        assert hub.refused(method, f"/devices/{name}{path}", token=token)[0] == 401
    assert hub.request(method, f"/devices/{name}{path}", token=hub.token("device")).ok


@pytest.mark.local_hub("reads what devices sent, which other hubs give over AMQP alone")
def test_events_can_be_waited_for(hub: HubProcess, name: str) -> None:
    hub.new_device(name)
    last = hub.events()
    number = last[-1]["number"] if last else 0
    as_device(hub, name, "POST", "/messages/events", body=b"1")
    page = hub.ok("GET", f"/_local/events?after={number}&wait=20")
    assert [each["deviceId"] for each in page["events"]] == [name]
    assert hub.ok("GET", f"/_local/events?after={page['nextAfter']}&wait=1&device={name}")["events"] == []
