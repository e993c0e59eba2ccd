"""The protocol of one connection: the state table over every state and packet."""

import pytest

from azext_iotjobs.localhub.address import Address
from azext_iotjobs.localhub.mqtt import packets
from azext_iotjobs.localhub.mqtt.session import (
    KEEP_ALIVE_CAP_S,
    Admit,
    Close,
    Listening,
    Received,
    Send,
    Session,
    State,
    parse_username,
)
from azext_iotjobs.localhub.mqtt.topics import Subscription, Telemetry

CONNECT = packets.Connect(client_id="d1", username="hub/d1/?api-version=2021-04-12", password=b"token", keep_alive_s=60)
TELEMETRY = packets.Publish("devices/d1/messages/events/a=1", b"x")
SUBSCRIBE = packets.Subscribe(1, (("$iothub/methods/POST/#", 2),))

PACKETS = {
    "Connect": CONNECT,
    "Connack": packets.Connack(False, 0),
    "Publish": TELEMETRY,
    "Puback": packets.Puback(1),
    "Pubrec": packets.Pubrec(1),
    "Pubrel": packets.Pubrel(1),
    "Pubcomp": packets.Pubcomp(1),
    "Subscribe": SUBSCRIBE,
    "Suback": packets.Suback(1, (0,)),
    "Unsubscribe": packets.Unsubscribe(1, ("$iothub/methods/POST/#",)),
    "Unsuback": packets.Unsuback(1),
    "Pingreq": packets.Pingreq(),
    "Pingresp": packets.Pingresp(),
    "Disconnect": packets.Disconnect(),
}
# What does not close an open connection.
OPEN = {"Publish", "Puback", "Subscribe", "Unsubscribe", "Pingreq"}


def session_in(state: State) -> Session:
    session = Session()
    if state is not State.NEW:
        session.on_packet(CONNECT)
    if state is State.OPEN:
        session.accept()
    if state is State.CLOSED:
        session.accept()
        session.on_packet(packets.Disconnect())
    assert session.state is state
    return session


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", PACKETS)
def test_every_packet_in_every_state_goes_on_or_closes(state: State, kind: str) -> None:
    session = session_in(state)
    effects = session.on_packet(PACKETS[kind])
    if state is State.CLOSED:
        assert (effects, session.state) == ([], State.CLOSED)
    elif (state is State.NEW and kind == "Connect") or (state is State.OPEN and kind in OPEN):
        assert session.state is not State.CLOSED
        assert not any(isinstance(effect, Close) for effect in effects)
    else:
        assert session.state is State.CLOSED
        assert isinstance(effects[-1], Close)


def test_connecting_asks_who_it_is_and_then_answers() -> None:
    session = Session()
    assert session.on_packet(CONNECT) == [Admit(Address("d1"), "hub", "token")]
    assert session.accept() == [Send(packets.Connack(False, 0))]
    assert session.keep_alive_s == 90
    refused = session_in(State.ADMITTING)
    answer, close = refused.refuse()
    assert answer == Send(packets.Connack(False, 5))
    assert isinstance(close, Close)


@pytest.mark.parametrize(
    ("promised", "allowed"), [(0, KEEP_ALIVE_CAP_S), (60, 90), (1177, 1765.5), (1740, KEEP_ALIVE_CAP_S)]
)
def test_silence_is_allowed_half_as_long_again_as_promised_up_to_the_cap(promised: int, allowed: float) -> None:
    session = Session()
    session.on_packet(packets.Connect(client_id="d1", username="hub/d1", keep_alive_s=promised))
    assert session.keep_alive_s == allowed


def test_a_subscription_is_granted_and_told() -> None:
    session = session_in(State.OPEN)
    granted, listening = session.on_packet(SUBSCRIBE)
    assert (granted, listening) == (Send(packets.Suback(1, (1,))), Listening(Subscription.METHODS))
    assert Subscription.METHODS in session.subscriptions
    session.on_packet(PACKETS["Unsubscribe"])
    assert session.subscriptions == {}


def test_a_message_is_acknowledged_only_when_it_is_taken() -> None:
    session = session_in(State.OPEN)
    message = packets.Publish("devices/d1/messages/events/a=1", b"x", qos=1, packet_id=7)
    (received,) = session.on_packet(message)
    assert received == Received(Telemetry({"a": "1"}), message)
    assert session.acknowledge(message) == [Send(packets.Puback(7))]
    assert session.acknowledge(TELEMETRY) == []


@pytest.mark.parametrize("topic", ["devices/d2/messages/events/", "x", "$iothub/methods/res/2x/?$rid=1"])
def test_a_forbidden_topic_closes(topic: str) -> None:
    session = session_in(State.OPEN)
    assert isinstance(session.on_packet(packets.Publish(topic, b""))[-1], Close)


def test_a_will_must_be_the_devices_own_and_goodbye_takes_it_back() -> None:
    foreign = packets.Will("devices/d2/messages/events/", b"", 0, False)
    refused = Session().on_packet(packets.Connect(client_id="d1", username="hub/d1", will=foreign))
    assert refused[0] == Send(packets.Connack(False, 5))
    session = Session()
    own = packets.Will("devices/d1/messages/events/", b"", 0, False)
    session.on_packet(packets.Connect(client_id="d1", username="hub/d1", will=own))
    session.accept()
    assert session.will == own
    session.on_packet(packets.Disconnect())
    assert session.will is None


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("hub/d1/?api-version=2021-04-12", ("hub", Address("d1"))),
        ("hub/d1/m1/?api-version=2021-04-12&DeviceClientType=x", ("hub", Address("d1", "m1"))),
        ("hub/d1/api-version=2016-11-14", ("hub", Address("d1"))),
        ("hub/d1/api-version=2016-11-14&DeviceClientType=c%2F1", ("hub", Address("d1"))),
        ("hub/d1", ("hub", Address("d1"))),
        ("hub/d1/m1", ("hub", Address("d1", "m1"))),
        ("hub", None),
        ("", None),
        ("hub//?api-version=2021-04-12", None),
        ("hub/d1/m1/x/?api-version=2021-04-12", None),
    ],
)
def test_user_names(text: str, meaning: object) -> None:
    assert parse_username(text) == meaning
