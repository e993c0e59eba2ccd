"""Whoever reads events at the hub's own address is sent on to the Event Hubs endpoint."""

from collections.abc import Iterator

import pytest

from azext_iotjobs.localhub.amqp import dispatch
from azext_iotjobs.localhub.amqp.nodes.base import Direction
from tests.helpers.hub_in_memory import HubInMemory, InLinkOfTest, LinkOfTest, OutLinkOfTest

SAS = "servicebus.windows.net:sastoken"


@pytest.fixture
def hub() -> Iterator[HubInMemory]:
    with HubInMemory() as hub:
        yield hub


@pytest.mark.parametrize(
    ("rest", "path"),
    [
        ("", "local-hub"),
        ("/", "local-hub"),
        ("/$management", "local-hub/$management"),
        ("/ConsumerGroups/a%20b/Partitions/0", "local-hub/ConsumerGroups/a%20b/Partitions/0"),
    ],
)
@pytest.mark.parametrize("link", [InLinkOfTest(""), OutLinkOfTest("")], ids=["sender", "receiver"])
def test_a_link_is_redirected_with_host_port_and_address(
    hub: HubInMemory, link: LinkOfTest, rest: str, path: str
) -> None:
    context = hub.context()
    context.peer.put_token(SAS, hub.token("localhost", policy="service"))
    link.address = f"amqps://localhost/messages/events{rest}"
    link.ended_with.clear()
    dispatch.open_link(context, link, Direction.IN if isinstance(link, InLinkOfTest) else Direction.OUT)
    (error,) = link.ended_with
    assert error is not None and error.condition == "amqp:link:redirect"
    assert error.info == {
        "hostname": "localhost",
        "network-host": "localhost",
        "port": 5671,
        "address": f"amqps://localhost:5671/{path}",
    }


def test_nobody_is_sent_on_without_the_right_to_read(hub: HubInMemory) -> None:
    context, link = hub.context(), OutLinkOfTest("/messages/events/$management")
    dispatch.open_link(context, link, Direction.OUT)
    context.peer.put_token(SAS, hub.token("localhost", policy="registryRead"))
    dispatch.open_link(context, link, Direction.OUT)
    assert [error.condition for error in link.ended_with if error] == ["amqp:unauthorized-access"] * 2


def test_a_client_that_calls_the_hub_by_a_name_of_its_own_is_sent_on_to_that_name(hub: HubInMemory) -> None:
    context, link = hub.context(), OutLinkOfTest("/messages/events/$management")
    context.peer.host = "IoTHub"
    context.peer.put_token(SAS, hub.token("iothub", policy="service"))
    dispatch.open_link(context, link, Direction.OUT)
    (error,) = link.ended_with
    assert error is not None and error.info is not None
    assert error.info["hostname"] == "iothub" and error.info["address"].startswith("amqps://iothub:5671/")
