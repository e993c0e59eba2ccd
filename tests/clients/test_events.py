"""The client of the built-in endpoint, and how a hub is asked where that is."""

from typing import Any

import pytest

from azext_iotjobs.clients.events import EventsClient, find_event_hub
from azext_iotjobs.model.amqp import AmqpEndpoint, AmqpMessage, Redirect
from azext_iotjobs.model.device_event import EventHub, Position
from azext_iotjobs.model.errors import LinkLost
from azext_iotjobs.model.target import SasKey
from azext_iotjobs.transport.amqp_errors import LinkRedirected
from tests.helpers.amqp_double import AmqpDouble
from tests.helpers.clock_double import ClockDouble

KEY = SasKey(policy="service", key="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
HUB = EventHub(endpoint=AmqpEndpoint("localhost"), name="local-hub", key=KEY)
DESCRIBED: dict[str, dict[str, Any]] = {
    "com.microsoft:eventhub": {"partition_ids": ["0", "1"]},
    "1": {"last_enqueued_offset": "5", "last_enqueued_sequence_number": 5, "is_partition_empty": False},
}


def test_partitions_are_asked_for_and_followed() -> None:
    link = AmqpDouble(DESCRIBED)
    client = EventsClient(HUB, "$Default", ClockDouble(), link)
    assert client.partitions() == ("0", "1") and client.state("1").last_offset == "5"
    client.follow("1", Position("5"))
    (receiver,) = link.receivers
    assert receiver.address == "local-hub/ConsumerGroups/$Default/Partitions/1"
    assert receiver.selector == "amqp.annotation.x-opt-offset > '5'"
    receiver.put(AmqpMessage(body=b"x", annotations={"iothub-connection-device-id": "d"}))
    assert [(each.device_id, each.partition) for each in client.take()] == [("d", "1")]
    client.close()
    assert link.is_closed


def test_it_signs_in_to_the_event_hub_itself() -> None:
    link = AmqpDouble(DESCRIBED)
    EventsClient(HUB, "$Default", ClockDouble(), link)
    assert link.opened_with is not None and link.opened_with[1].audience == "sb://localhost/local-hub"


def test_a_hub_says_where_its_events_are() -> None:
    link = AmqpDouble()
    link.raises = LinkRedirected(Redirect(host="eh", port=5671, address="amqps://eh:5671/hub-1/$management"))
    found = find_event_hub(AmqpEndpoint("hub.example.net"), KEY, ClockDouble(), link)
    assert (found.name, found.endpoint.host, link.is_closed) == ("hub-1", "eh", True)
    assert link.receivers[0].address == "amqps://hub.example.net/messages/events/$management"


def test_a_hub_that_does_not_answer_is_left() -> None:
    link = AmqpDouble()
    link.raises = LinkLost("gone")
    with pytest.raises(LinkLost):
        find_event_hub(AmqpEndpoint("hub.example.net"), KEY, ClockDouble(), link)
    assert link.is_closed
