"""Messages that a device sends over MQTT, over links that are a script, in no real time."""

from collections.abc import Callable
from typing import Any

import pytest

from azext_iotjobs.model.device_credentials import DeviceKey
from azext_iotjobs.model.errors import AnswerTooLate, BadValue, CannotConnect, LinkLost, Unauthorized
from azext_iotjobs.model.message import DeviceMessage
from azext_iotjobs.model.target import HubTarget
from azext_iotjobs.operations.simulate.send_d2c import (
    LONGEST_SILENCE_S,
    MAX_MESSAGE_BYTES,
    MOST_UNDER_WAY,
    Sender,
    check,
    send_over,
)
from azext_iotjobs.transport.mqtt_events import Connected, Event, Failed, Lost, Refused
from tests.helpers.clock_double import ClockDouble
from tests.helpers.transport_double import LinksDouble

TARGET = HubTarget(host="h.azure-devices.net")
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
MESSAGE = DeviceMessage(body=b"x", properties={"$.ct": "text/plain", "ort": "Köln"})
MODEL = "dtmi:com:example:Thermostat;1"


def send(count: int = 1, *, model_id: str | None = None, **script: Any) -> LinksDouble:
    links = LinksDouble(ClockDouble(), **script)
    run(links, count, model_id)
    return links


def run(links: LinksDouble, count: int = 1, model_id: str | None = None) -> None:
    sender = Sender(device_id="d", credential=DeviceKey(device_id="d", key=KEY), model_id=model_id)
    send_over(links, TARGET, sender, MESSAGE, count, links.clock)


def first(*events: Event) -> Callable[[str, int], list[Event]]:
    """The first connects come to one event each, those after them to a connection."""
    return lambda name, before: [events[before]] if before < len(events) else [Connected(name)]


def test_every_message_is_sent_and_acknowledged_and_nothing_is_subscribed_to() -> None:
    links = send(3)
    topic = "devices/d/messages/events/$.ct=text%2Fplain&ort=K%C3%B6ln"
    assert links.published == [(0.0, topic, b"x")] * 3
    assert links.subscribed == []


def test_the_model_is_announced() -> None:
    ((_, login),) = send(model_id=MODEL).logins
    assert login.username.endswith("&model-id=dtmi%3Acom%3Aexample%3AThermostat%3B1")
    ((_, login),) = send().logins
    assert "model-id" not in login.username


def test_no_more_are_under_way_than_are_taken() -> None:
    links = LinksDouble(ClockDouble(), acknowledges=False)
    with pytest.raises(AnswerTooLate, match="0 of 200 acknowledged"):
        run(links, 200)
    assert len(links.published) == MOST_UNDER_WAY
    assert links.clock.monotonic() < LONGEST_SILENCE_S + 2


def test_a_hub_that_takes_no_more_is_waited_for() -> None:
    links = LinksDouble(ClockDouble(), acknowledges=False, outbox=2)
    with pytest.raises(AnswerTooLate):
        run(links, 5)
    assert len(links.published) == 2


def test_a_connection_that_fails_once_is_tried_again() -> None:
    links = send(on_connect=first(Failed("d", CannotConnect("no route"))))
    assert len(links.logins) == 2 and len(links.published) == 1
    assert 0 < links.clock.monotonic() <= 1


def test_a_hub_that_is_not_there_is_given_up() -> None:
    failed = Failed("d", CannotConnect("no route"))
    with pytest.raises(CannotConnect, match="no route"):
        send(on_connect=lambda _name, _before: [failed])


def test_a_refused_device_is_said_at_once() -> None:
    links = LinksDouble(ClockDouble(), on_connect=lambda name, _before: [Refused(name, 5)])
    with pytest.raises(Unauthorized, match="refused d"):
        run(links)
    assert len(links.logins) == 1 and links.published == []


def test_a_busy_hub_is_waited_for() -> None:
    links = send(on_connect=first(Refused("d", 3)))
    assert len(links.published) == 1
    assert links.clock.monotonic() >= 10


def test_a_connection_that_the_hub_ends_each_time_is_said_with_what_arrived() -> None:
    links = LinksDouble(ClockDouble(), acknowledges=False, on_connect=lambda name, _n: [Connected(name), Lost(name)])
    with pytest.raises(LinkLost, match="ends the connections of d: 0 of 2 acknowledged"):
        run(links, 2)
    assert len(links.logins) == 3


@pytest.mark.parametrize("device", ["a+b", "a#", "#"])
def test_an_id_that_no_topic_holds_is_refused_before_anything_is_asked(device: str) -> None:
    with pytest.raises(BadValue, match="MQTT cannot carry the device id"):
        check(device, MESSAGE)


def test_a_message_that_no_hub_takes_is_refused() -> None:
    check("d", DeviceMessage(body=bytes(MAX_MESSAGE_BYTES), properties={}))
    with pytest.raises(BadValue, match="262145 bytes; a hub takes 262144"):
        check("d", DeviceMessage(body=bytes(MAX_MESSAGE_BYTES + 1), properties={}))
