"""The HTTPS side of a device: which request, which headers, what an answer means."""

import pytest

from azext_iotjobs.clients.device import DeviceClient
from azext_iotjobs.clients.hub import HubClient
from azext_iotjobs.model.errors import BadValue, Conflict, Unauthorized
from azext_iotjobs.model.message import DeviceMessage, Settlement
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.transport.http import Response
from tests.helpers.transport_double import TransportDouble, answering


def device(transport: TransportDouble, device_id: str = "d#1") -> DeviceClient:
    return HubClient(HubTarget(host="h"), transport).device(device_id)


def test_a_message_is_a_body_and_headers() -> None:
    transport = TransportDouble(answering(status=204))
    device(transport).send(DeviceMessage(body=b"\x00", properties={"$.ct": "a/b", "$.mid": "m", "Site": "n 1"}))
    (request,) = transport.requests
    assert (request.method, request.path, request.content) == ("POST", "/devices/d%231/messages/events", b"\x00")
    assert request.headers == {"iothub-contenttype": "a/b", "iothub-messageid": "m", "iothub-app-Site": "n 1"}
    assert not request.may_repeat  # a message sent twice is two messages


def sent_headers(properties: dict[str, str]) -> dict[str, str]:
    transport = TransportDouble(answering(status=204))
    device(transport).send(DeviceMessage(body=b"", properties=properties))
    return dict(transport.requests[0].headers)


@pytest.mark.parametrize(
    "name",
    [
        "iothub-messageid",
        "IoTHub-MessageId",
        "iothub-correlationid",
        "iothub-userid",
        "iothub-app-x",
        "IoTHub-App-X",
        "iothub-creation-time-utc",
        "iothub-contenttype",
        "content-type",
        "Content-Type",
        "content-encoding",
    ],
)
def test_the_name_of_a_header_of_the_hubs_is_that_header(name: str) -> None:
    assert sent_headers({name: "v"}) == {name: "v"}


@pytest.mark.parametrize("name", ["authorization", "Host", "Content-Length", "If-Match", "x-ms-x", "$.other", "iothub"])
def test_no_other_header_can_be_set(name: str) -> None:
    assert sent_headers({name: "v"}) == {f"iothub-app-{name}": "v"}


@pytest.mark.parametrize(
    "properties",
    [
        {"Site": "1", "site": "2"},
        {"iothub-app-a": "1", "a": "2"},
        {"$.mid": "1", "iothub-messageid": "2"},
        {"content-type": "a/b", "Content-Type": "c/d"},
    ],
)
def test_two_properties_that_are_one_header_are_refused(properties: dict[str, str]) -> None:
    with pytest.raises(BadValue, match="a second time"):
        sent_headers(properties)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a b", ""),
        ("", "x"),
        ("ü", ""),
        ("a", "ü"),
        ("a", "x\r\nevil: 1"),
        ("a:", ""),
        ("a", " x"),
        ("a", "x "),
        ("iothub-app-", "x"),
        ("IOTHUB-APP-", "x"),
    ],
)
def test_a_property_that_no_header_carries_is_refused_and_nothing_is_sent(name: str, value: str) -> None:
    transport = TransportDouble(answering(status=204))
    with pytest.raises(BadValue):
        device(transport).send(DeviceMessage(body=b"", properties={name: value}))
    assert transport.requests == []


def test_a_received_message_has_its_token_and_both_kinds_of_properties() -> None:
    headers = {
        "ETag": '"t-1"',
        "iothub-app-Site": "north",
        "IoTHub-App-n": "1",
        "iothub-messageid": "m",
        "content-encoding": "utf-8",
        "Date": "now",
    }
    transport = TransportDouble(lambda _request: Response(status=200, headers=headers, body=b"x"))
    message = device(transport).receive(30)
    assert message is not None
    assert (message.lock_token, message.body, message.content_encoding) == ("t-1", b"x", "utf-8")
    assert message.properties == {"Site": "north", "n": "1"} and message.system == {
        "iothub-messageid": "m",
        "content-encoding": "utf-8",
    }
    assert transport.requests[0].headers == {"IotHub-MessageLockTimeout": "30"}
    assert not transport.requests[0].may_repeat  # each asks for another message


@pytest.mark.parametrize("names", [("content-type", "content-encoding"), ("ContentType", "ContentEncoding")])
def test_a_message_is_described_in_either_spelling(names: tuple[str, str]) -> None:
    headers = {names[0]: "a/b", names[1]: "utf-16"}
    transport = TransportDouble(lambda _request: Response(status=200, headers=headers, body=b"x"))
    message = device(transport).receive(30)
    assert message is not None and (message.content_encoding, message.system) == ("utf-16", headers)
    assert transport.requests[0].keeps_encoding  # what the message calls its body must not be undone


def test_an_empty_queue_gives_no_message() -> None:
    assert device(TransportDouble(answering(status=204))).receive(60) is None


def test_a_refusal_is_the_error_of_its_status() -> None:
    with pytest.raises(Unauthorized):
        device(TransportDouble(answering(status=401))).receive(60)
    with pytest.raises(Conflict):
        device(TransportDouble(answering(status=412))).settle("t", Settlement.COMPLETE)


@pytest.mark.parametrize(
    ("settlement", "line", "query"),
    [
        (Settlement.COMPLETE, "DELETE /devices/d%231/messages/deviceBound/t~1", {}),
        (Settlement.REJECT, "DELETE /devices/d%231/messages/deviceBound/t~1", {"reject": ""}),
        (Settlement.ABANDON, "POST /devices/d%231/messages/deviceBound/t~1/abandon", {}),
    ],
)
def test_each_settlement_has_its_request(settlement: Settlement, line: str, query: dict[str, str]) -> None:
    transport = TransportDouble(answering(status=204))
    device(transport).settle("t~1", settlement)
    (request,) = transport.requests
    assert (f"{request.method} {request.path}", request.query) == (line, query)
