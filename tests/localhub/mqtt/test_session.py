"""The protocol of one connection, for every packet in every state."""

from typing import Any

import pytest

from azext_iotjobs.localhub.mqtt.connect_fields import parse_host
from azext_iotjobs.localhub.mqtt.effects import (
    Acknowledged,
    Authenticate,
    Close,
    Effect,
    Received,
    Send,
    SubscriptionsChanged,
)
from azext_iotjobs.localhub.mqtt.packets import (
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)
from azext_iotjobs.localhub.mqtt.session import KEEP_ALIVE_CAP_S, MAX_MESSAGE_BYTES, MAX_SUBSCRIPTIONS, Session, State
from azext_iotjobs.localhub.mqtt.topics import Telemetry
from azext_iotjobs.localhub.rules.address import Address

METHODS, TWIN = "$iothub/methods/POST/#", "$iothub/twin/res/#"
MESSAGES = "devices/pump-1/messages/devicebound/#"
EVENTS = "devices/pump-1/messages/events/"
CONNECT = Connect(client_id="pump-1", username="hub/pump-1/?api-version=2021-04-12", password=b"token", keep_alive_s=60)
SAMPLES: tuple[Packet, ...] = (
    CONNECT,
    Connack(False, 0),
    Publish(EVENTS, b"x"),
    Puback(1),
    Pubrec(1),
    Pubrel(1),
    Pubcomp(1),
    Subscribe(1, ((METHODS, 1),)),
    Suback(1, (0,)),
    Unsubscribe(1, (METHODS,)),
    Unsuback(1),
    Pingreq(),
    Pingresp(),
    Disconnect(),
)
GOES_ON = {
    (State.NEW, Connect): State.AUTHENTICATING,
    (State.OPEN, Publish): State.OPEN,
    (State.OPEN, Puback): State.OPEN,
    (State.OPEN, Subscribe): State.OPEN,
    (State.OPEN, Unsubscribe): State.OPEN,
    (State.OPEN, Pingreq): State.OPEN,
}


def published(effect: Effect) -> Publish:
    """The message that is sent."""
    assert isinstance(effect, Send) and isinstance(effect.packet, Publish)
    return effect.packet


def session_in(state: State) -> Session:
    session = Session()
    if state is not State.NEW:
        session.on_packet(CONNECT)
    if state in (State.OPEN, State.CLOSED):
        session.accept(None)
    if state is State.CLOSED:
        session.on_packet(Disconnect())
    assert session.state is state
    return session


def connect(**fields: Any) -> Connect:
    known = {name: getattr(CONNECT, name) for name in ("client_id", "username", "password", "keep_alive_s")}
    return Connect(**{**known, **fields})


def closes(effects: list[Any]) -> bool:
    return len(effects) == 1 and isinstance(effects[0], Close)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("packet", SAMPLES, ids=lambda packet: type(packet).__name__)
def test_every_packet_in_every_state_goes_on_or_ends_the_connection(state: State, packet: Packet) -> None:
    session = session_in(state)
    effects = session.on_packet(packet)
    assert session.state is GOES_ON.get((state, type(packet)), State.CLOSED)
    if state is State.CLOSED:
        assert effects == []
    elif (state, type(packet)) not in GOES_ON:
        assert closes(effects)
        assert session.subscriptions == {}


def test_a_valid_connect_is_authenticated_and_then_accepted() -> None:
    session = Session()
    assert session.on_packet(CONNECT) == [Authenticate(Address("pump-1"), "hub", "token")]
    assert session.accept(None) == [Send(Connack(session_present=False, return_code=0))]
    assert session.state is State.OPEN


def test_a_token_is_not_shown() -> None:
    assert "token" not in repr(Session().on_packet(CONNECT)).replace("token=", "")


def test_a_refused_device_gets_not_authorised_and_is_closed() -> None:
    session = session_in(State.AUTHENTICATING)
    told, end = session.refuse("wrong key")
    assert told == Send(Connack(session_present=False, return_code=5)) and isinstance(end, Close)
    assert session.state is State.CLOSED


@pytest.mark.parametrize("state", [State.NEW, State.OPEN, State.CLOSED])
def test_accepting_outside_authentication_changes_nothing(state: State) -> None:
    session = session_in(state)
    assert session.accept(None) == session.refuse("") == []
    assert session.state is state


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (Connect(protocol_level=3), 1),
        (Connect(protocol_level=5), 1),
        (connect(client_id=""), 2),
        (connect(client_id="/motor"), 2),
        (connect(client_id="pump-1/"), 2),
        (connect(client_id="pump-1/motor/x"), 2),
        (connect(client_id="pump-2"), 5),
        (connect(client_id="pump"), 5),
        (connect(client_id="pump-1/motor"), 5),
        (connect(username=None, password=None), 5),
        (connect(username="hub"), 5),
        (connect(username="/pump-1/?api-version=2021-04-12"), 5),
        (connect(will=Will("devices/pump-2/messages/events/", b"", 0, False)), 5),
        (connect(will=Will("$iothub/twin/GET/?$rid=1", b"", 0, False)), 5),
    ],
)
def test_a_connect_that_cannot_be_is_refused_with_a_code(packet: Connect, code: int) -> None:
    session = Session()
    told, end = session.on_packet(packet)
    assert told == Send(Connack(session_present=False, return_code=code)) and isinstance(end, Close)
    assert session.state is State.CLOSED and session.address is None


@pytest.mark.parametrize(
    ("username", "host"),
    [
        ("hub/pump-1/?api-version=2021-04-12", "hub"),
        ("localhost:8883/pump-1/?api-version=2021-04-12", "localhost:8883"),
        ("hub/pump-1/?api-version=2021-04-12&DeviceClientType=py%2F2&model-id=dtmi%3Aa%3B1", "hub"),
        ("hub/pump-1/?", "hub"),
        ("hub/pump-1/", "hub"),
        ("hub/pump-1", "hub"),
        ("hub/pump-1/api-version=2016-11-14&DeviceClientType=c", "hub"),
        ("hub/pump-1/DeviceClientType=c", "hub"),
        ("hub/pump-1x", None),
        ("hub/pump-1?api-version=2021-04-12", None),
        ("hub/pump-1/motor", None),
        ("hub/pump-1/motor/?api-version=2021-04-12", None),
        ("hub/PUMP-1/", None),
        ("hub/", None),
        ("", None),
    ],
)
def test_a_user_name_gives_the_host_if_it_names_the_client(username: str, host: str | None) -> None:
    assert parse_host(username, "pump-1") == host


def test_a_module_connects_under_its_own_name() -> None:
    wish = Session().on_packet(connect(client_id="pump-1/motor", username="hub/pump-1/motor/?api-version=2021-04-12"))
    assert wish == [Authenticate(Address("pump-1", "motor"), "hub", "token")]


@pytest.mark.parametrize(("asked_s", "silence_s"), [(60, 90), (1, 1.5), (0, 1767), (1177, 1765.5), (1740, 1767)])
def test_silence_may_last_half_as_long_again_as_promised_and_no_longer_than_the_cap(
    asked_s: int, silence_s: float
) -> None:
    session = Session()
    session.on_packet(connect(keep_alive_s=asked_s))
    assert session.keep_alive_s == silence_s <= KEEP_ALIVE_CAP_S


def test_a_message_of_qos_1_is_acknowledged_after_it_was_taken() -> None:
    session = session_in(State.OPEN)
    publish = Publish(f"{EVENTS}a=1", b"x", qos=1, packet_id=9)
    assert session.on_packet(publish) == [Received(Telemetry({"a": "1"}, {}), publish)]
    assert session.acknowledge(publish) == [Send(Puback(9))]


def test_a_message_of_qos_0_is_not_acknowledged() -> None:
    assert session_in(State.OPEN).acknowledge(Publish(EVENTS, b"x")) == []


@pytest.mark.parametrize(
    "publish",
    [
        Publish(EVENTS, b"x", qos=2, packet_id=9),
        Publish("devices/pump-2/messages/events/", b"x"),
        Publish("anything", b"x"),
        Publish(EVENTS, b"x" * (MAX_MESSAGE_BYTES + 1)),
    ],
    ids=["QoS 2", "another device's topic", "unknown topic", "too large"],
)
def test_a_message_that_may_not_be_ends_the_connection(publish: Publish) -> None:
    session = session_in(State.OPEN)
    assert closes(session.on_packet(publish))


def test_a_message_of_the_largest_size_is_taken() -> None:
    assert isinstance(session_in(State.OPEN).on_packet(Publish(EVENTS, b"x" * MAX_MESSAGE_BYTES))[0], Received)


def test_subscriptions_are_granted_with_qos_1_at_most_and_answered_before_anything_follows() -> None:
    session = session_in(State.OPEN)
    filters = ((METHODS, 0), (TWIN, 1), ("devices/pump-1/messages/devicebound/#", 2))
    assert session.on_packet(Subscribe(4, filters)) == [Send(Suback(4, (0, 1, 1))), SubscriptionsChanged()]
    assert session.subscriptions == {METHODS: 0, TWIN: 1, MESSAGES: 1}
    assert session.accepts_methods and session.accepts_messages


def test_a_filter_that_may_not_be_ends_the_connection_and_grants_none_of_its_packet() -> None:
    session = session_in(State.OPEN)
    assert closes(session.on_packet(Subscribe(4, ((METHODS, 0), ("$SYS/#", 0)))))
    assert session.subscriptions == {}


def test_subscribing_again_is_no_further_subscription() -> None:
    session = session_in(State.OPEN)
    for packet_id in range(1, 20):
        session.on_packet(Subscribe(packet_id, ((METHODS, 0),)))
    assert session.state is State.OPEN and len(session.subscriptions) == 1


def test_unsubscribing_ends_a_subscription_before_it_is_answered() -> None:
    session = session_in(State.OPEN)
    session.on_packet(Subscribe(4, ((METHODS, 0), (TWIN, 0))))
    assert session.on_packet(Unsubscribe(5, (METHODS, "never/held"))) == [SubscriptionsChanged(), Send(Unsuback(5))]
    assert session.subscriptions == {TWIN: 0} and not session.accepts_methods


def test_a_session_that_is_not_clean_finds_its_subscriptions_again() -> None:
    session = Session()
    session.on_packet(connect(clean_session=False))
    assert session.accept({METHODS: 1}) == [Send(Connack(session_present=True, return_code=0))]
    assert session.subscriptions == {METHODS: 1} and session.accepts_methods


def test_a_session_that_is_not_clean_but_new_finds_none() -> None:
    session = Session()
    session.on_packet(connect(clean_session=False))
    assert session.accept(None) == [Send(Connack(session_present=False, return_code=0))]


def test_a_clean_session_has_no_subscriptions_whatever_was_stored() -> None:
    session = Session()
    session.on_packet(connect(clean_session=True))
    assert session.accept({METHODS: 1}) == [Send(Connack(session_present=False, return_code=0))]
    assert session.subscriptions == {}


def test_a_farewell_takes_the_will_back() -> None:
    will = Will(EVENTS, b"gone", 0, False)
    session = Session()
    session.on_packet(connect(will=will))
    session.accept(None)
    assert session.will == will
    session.on_packet(Disconnect())
    assert session.will is None


def test_a_ping_is_answered() -> None:
    assert session_in(State.OPEN).on_packet(Pingreq()) == [Send(Pingresp())]


def test_a_message_is_held_until_its_own_acknowledgement() -> None:
    session = session_in(State.OPEN)
    session.on_packet(Subscribe(1, ((MESSAGES, 1),)))
    first, second = (session.deliver("devices/pump-1/messages/devicebound/", b"x", token) for token in ("t1", "t2"))
    assert [(each.qos, each.packet_id) for each in map(published, (*first, *second))] == [(1, 1), (1, 2)]
    assert session.on_packet(Puback(2)) == [Acknowledged("t2")]
    assert session.on_packet(Puback(2)) == session.on_packet(Puback(99)) == []
    assert session.on_packet(Puback(1)) == [Acknowledged("t1")]


def test_a_message_without_qos_is_taken_once_it_is_sent() -> None:
    session = session_in(State.OPEN)
    session.on_packet(Subscribe(1, ((MESSAGES, 0),)))
    topic = "devices/pump-1/messages/devicebound/"
    assert session.deliver(topic, b"x", "t1") == [Send(Publish(topic, b"x")), Acknowledged("t1")]


def test_a_packet_id_is_not_used_again_while_it_waits() -> None:
    session = session_in(State.OPEN)
    session.on_packet(Subscribe(1, ((MESSAGES, 1),)))
    topic = "devices/pump-1/messages/devicebound/"
    session.deliver(topic, b"", "stays")
    for _ in range(0xFFFF):
        (sent,) = session.deliver(topic, b"", "goes")
        packet_id = published(sent).packet_id
        assert packet_id is not None and packet_id != 1
        session.on_packet(Puback(packet_id))
    assert session.on_packet(Puback(1)) == [Acknowledged("stays")]


def test_nothing_is_delivered_without_a_subscription() -> None:
    for state in State:
        assert session_in(state).deliver("devices/pump-1/messages/devicebound/", b"x", "t1") == []


@pytest.mark.parametrize(
    "name", ["devices/pump-1/messages/devicebound/#", "devices/pump-1/messages/#", "devices/pump-1/modules/rotor/#"]
)
def test_a_module_does_not_listen_for_its_device_or_another_module(name: str) -> None:
    session = module_session()
    assert closes(session.on_packet(Subscribe(1, ((name, 0),))))


@pytest.mark.parametrize("name", ["#", "devices/pump-1/#", "devices/pump-1/modules/#", "devices/+/modules/motor/#"])
def test_a_module_receives_nothing_of_its_device_s_by_a_filter_that_covers_both(name: str) -> None:
    session = module_session()
    assert session.on_packet(Subscribe(1, ((name, 0),)))[0] == Send(Suback(1, (0,)))
    assert not session.accepts_messages


def module_session() -> Session:
    session = Session()
    session.on_packet(connect(client_id="pump-1/motor", username="hub/pump-1/motor/?api-version=2021-04-12"))
    session.accept(None)
    return session


WIDE, NARROW = "$iothub/#", "$iothub/methods/POST/reboot/#"


def test_a_message_comes_with_the_highest_qos_that_was_granted_to_a_filter_which_fits_it() -> None:
    session = session_in(State.OPEN)
    for packet_id, (name, qos) in enumerate(((MESSAGES, 0), ("devices/+/messages/#", 1), ("#", 0)), 1):
        session.on_packet(Subscribe(packet_id, ((name, qos),)))
    topic = "devices/pump-1/messages/devicebound/a=1"
    (sent,) = session.deliver(topic, b"x", "t1")
    assert sent == Send(Publish(topic, b"x", qos=1, packet_id=1))
    session.on_packet(Unsubscribe(4, ("devices/+/messages/#",)))
    assert session.deliver(topic, b"x", "t2") == [Send(Publish(topic, b"x")), Acknowledged("t2")]
    session.on_packet(Unsubscribe(5, (MESSAGES, "#")))
    assert session.deliver(topic, b"x", "t3") == [] and not session.accepts_messages


def test_unsubscribing_from_one_of_two_filters_leaves_what_the_other_covers() -> None:
    session = session_in(State.OPEN)
    session.on_packet(Subscribe(1, ((WIDE, 0), (NARROW, 0))))
    session.on_packet(Unsubscribe(2, (WIDE,)))
    heard = {name: session.qos_of(f"$iothub/methods/POST/{name}/?$rid=1") for name in ("reboot", "other")}
    assert heard == {"reboot": 0, "other": None} and session.accepts_methods
    assert session.qos_of("$iothub/twin/res/200/?$rid=1") is None


def test_a_filter_that_a_client_has_not_subscribed_to_as_it_is_written_is_not_taken_back() -> None:
    session = session_in(State.OPEN)
    session.on_packet(Subscribe(1, ((WIDE, 0),)))
    session.on_packet(Unsubscribe(2, (METHODS, "#")))
    assert session.subscriptions == {WIDE: 0}


def test_a_stored_session_has_its_wide_filters_and_not_those_that_are_no_longer_its_own() -> None:
    session = Session()
    session.on_packet(connect(clean_session=False))
    session.accept({WIDE: 1, "devices/pump-2/#": 1, "#": 0})
    assert session.filters() == {WIDE: 1, "#": 0}
    assert session.accepts_methods and session.accepts_messages


def test_subscriptions_are_bounded() -> None:
    session = session_in(State.OPEN)
    names = [f"$iothub/methods/POST/m{number}/#" for number in range(MAX_SUBSCRIPTIONS + 1)]
    session.on_packet(Subscribe(1, tuple((name, 0) for name in names[:-1])))
    assert session.state is State.OPEN and len(session.subscriptions) == MAX_SUBSCRIPTIONS
    assert closes(session.on_packet(Subscribe(2, ((names[-1], 0),))))


@pytest.mark.parametrize("device", ["+", "#", "a+b", "pump#1"])
@pytest.mark.parametrize("name", ["devices/pump-1/#", "devices/+/messages/devicebound/#", "#", "devices/#"])
def test_a_device_whose_id_no_topic_can_contain_receives_no_messages_of_others(device: str, name: str) -> None:
    session = Session()
    session.on_packet(connect(client_id=device, username=f"hub/{device}/?api-version=2021-04-12"))
    session.accept(None)
    assert closes(session.on_packet(Subscribe(1, ((name, 0),))))


def test_a_module_listens_to_five_things() -> None:
    session = Session()
    session.on_packet(connect(client_id="pump-1/motor", username="hub/pump-1/motor/?api-version=2021-04-12"))
    session.accept(None)
    own = ("devices/pump-1/modules/motor/inputs/#", "devices/pump-1/modules/motor/#")
    names = (METHODS, TWIN, "$iothub/twin/PATCH/properties/desired/#", *own)
    session.on_packet(Subscribe(1, tuple((name, 1) for name in names)))
    assert session.filters() == dict.fromkeys(names, 1)


@pytest.mark.parametrize(
    ("username", "model_id"),
    [
        ("hub/pump-1/?api-version=2020-09-30&model-id=dtmi%3Acom%3Aexample%3APump%3B1", "dtmi:com:example:Pump;1"),
        ("hub/pump-1/?model-id=dtmi:a;1&api-version=2020-09-30", "dtmi:a;1"),
        ("hub/pump-1/?api-version=2021-04-12&model-id=", None),
        ("hub/pump-1/?api-version=2021-04-12", None),
        ("hub/pump-1", None),
    ],
)
def test_a_user_name_may_announce_a_model(username: str, model_id: str | None) -> None:
    (authenticate,) = Session().on_packet(connect(username=username))
    assert isinstance(authenticate, Authenticate) and authenticate.model_id == model_id
