"""Events, partitions, filters and connection strings of the built-in endpoint."""

import pytest

from azext_iotjobs.clients.event_codec import (
    is_event_hub_string,
    parse_event,
    parse_event_hub_string,
    parse_partitions,
    parse_redirect,
    parse_state,
    render_selector,
)
from azext_iotjobs.model.amqp import EVENT_HUB_WEBSOCKET_PATH, AmqpEndpoint, AmqpMessage, Redirect
from azext_iotjobs.model.device_event import Position
from azext_iotjobs.model.errors import HubFault, UserError
from azext_iotjobs.model.target import SasKey

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
STRING = f"Endpoint=sb://hub.servicebus.windows.net/;SharedAccessKeyName=service;SharedAccessKey={KEY};EntityPath=hub-1"
POLICY = SasKey(policy="service", key=KEY)


def test_an_event_is_what_the_hubs_annotations_say() -> None:
    annotations = {
        "iothub-connection-device-id": "pump-1",
        "iothub-connection-module-id": "m1",
        "x-opt-offset": "4294967296",
        "x-opt-sequence-number": 12,
    }
    made = parse_event(AmqpMessage(body=b"{}", properties={"message_id": "a"}, annotations=annotations), "3")
    assert (made.device_id, made.module_id, made.partition) == ("pump-1", "m1", "3")
    assert (made.offset, made.sequence_number, made.system) == ("4294967296", 12, {"message_id": "a"})


def test_an_event_of_no_device_is_one_too() -> None:
    made = parse_event(AmqpMessage(), "0")
    assert (made.device_id, made.module_id, made.offset, made.sequence_number) == ("", "", "-1", -1)


def test_positions_are_filters() -> None:
    assert render_selector(Position("12")) == "amqp.annotation.x-opt-offset > '12'"
    assert render_selector(Position(enqueued_after_ms=5)) == "amqp.annotation.x-opt-enqueued-time > '5'"


def test_a_partitions_state_is_read() -> None:
    described = {"last_enqueued_offset": "7", "last_enqueued_sequence_number": 3, "is_partition_empty": False}
    assert parse_state(described) == ("7", 3, False)
    assert parse_state({"is_partition_empty": True}) == ("-1", -1, True)


@pytest.mark.parametrize("described", [{}, {"partition_ids": []}, {"partition_ids": "0"}])
def test_an_event_hub_without_partitions_is_a_fault(described: dict[str, object]) -> None:
    with pytest.raises(HubFault):
        parse_partitions(described)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("amqps://eh.example.net:5671/hub%2D1/$management", "eh.example.net", 5671),
        ("amqps://eh.example.net:15671/hub-1/ConsumerGroups/$Default/Partitions/0", "eh.example.net", 15671),
        ("hub-1/$management", "other.example.net", 5672),
    ],
)
def test_a_redirect_leads_to_an_event_hub(address: str, host: str, port: int) -> None:
    hub = AmqpEndpoint("hub.example.net", 5671, 8443, ca_file="ca.pem", is_websocket=True)
    found = parse_redirect(Redirect(host="other.example.net", port=5672, address=address), hub, POLICY)
    assert (found.name, found.endpoint.host, found.endpoint.port) == ("hub-1", host, port)
    assert (found.endpoint.https_port, found.endpoint.ca_file, found.endpoint.is_websocket) == (8443, "ca.pem", True)
    assert found.endpoint.websocket_path == EVENT_HUB_WEBSOCKET_PATH


def test_a_redirect_to_nowhere_is_a_fault() -> None:
    with pytest.raises(HubFault):
        parse_redirect(Redirect(host="", port=5671, address=""), AmqpEndpoint("hub"), POLICY)


def test_a_connection_string_is_read_and_its_key_is_not_shown() -> None:
    found = parse_event_hub_string(f' "{STRING};UseDevelopmentEmulator=false" ')
    assert (found.name, found.key, found.endpoint.authority) == ("hub-1", POLICY, "hub.servicebus.windows.net:5671")
    assert KEY not in repr(found)
    local = parse_event_hub_string(STRING.replace("hub.servicebus.windows.net", "localhost:15671"))
    assert local.endpoint.authority == "localhost:15671"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (STRING.replace("EntityPath=hub-1", ""), "EntityPath"),
        (STRING.replace("sb://", "https://"), "Endpoint="),
        (STRING.replace("sb://hub.servicebus.windows.net/", "sb://hub:port/"), "Endpoint="),
        (STRING.replace(KEY, "no key"), "SharedAccessKey"),
        (STRING + ";HostName=x", "part"),
        (STRING + ";nonsense", "part"),
    ],
)
def test_a_wrong_connection_string_is_an_error_that_shows_no_key(text: str, named: str) -> None:
    with pytest.raises(UserError, match=named) as raised:
        parse_event_hub_string(text)
    assert KEY not in f"{raised.value} {raised.value.hint}" and "nonsense" not in str(raised.value)


def test_which_kind_a_connection_string_is() -> None:
    assert is_event_hub_string(STRING)
    assert is_event_hub_string(f"EntityPath=x;endpoint={STRING}")
    assert not is_event_hub_string(f"HostName=hub;SharedAccessKeyName=service;SharedAccessKey={KEY}")
