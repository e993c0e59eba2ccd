"""Twins over AMQP: requests and responses by correlation id, changes of desired properties, what is wrong with them."""

import json
from typing import Any

import pytest

from azext_iotjobs.localhub.amqp.wire.message import Message, Properties
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Rejected
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.quota import Quota, Throttle
from tests.helpers.amqp_device import AmqpClient, DeviceHub
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns

PUMP = Address("pump-1")
TWIN = "/devices/pump-1/twin"
REPORTED, DESIRED = "/properties/reported", "/notifications/twin/properties/desired"


def pair(client: AmqpClient, *, first: int = 0, name: str = "twin:1", credit: int = 100) -> None:
    """Attaches the two links: `first` to the hub, the next one from it."""
    properties = {"com.microsoft:channel-correlation-id": name}
    client.sender(TWIN, first, properties=properties)
    client.receiver(TWIN, first + 1, credit=credit, properties=properties)


def ask(
    client: AmqpClient,
    operation: str,
    resource: str | None = None,
    body: bytes = b"",
    *,
    handle: int = 0,
    correlation_id: Any = "c1",
    **fields: Any,
) -> Any:
    annotations = {"operation": operation, "resource": resource}
    message = Message(annotations=annotations, properties=Properties(correlation_id=correlation_id), data=(body,))
    return client.message(handle, message, **fields)


def answer(client: AmqpClient, handle: int = 1) -> tuple[int, Any, Message]:
    """Status, document, and the message of the only response that has come."""
    ((_, message),) = client.arrived(handle)
    return message.annotations["status"], json.loads(message.body) if message.body else None, message


def test_the_device_reads_its_twin() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)
        assert ask(client, "GET") == Accepted()
        status, document, message = answer(client)
        assert (status, document) == (200, {"desired": {"$version": 1}, "reported": {"$version": 1}})
        assert message.properties.correlation_id == "c1"

    run(main)


def test_the_device_reports_properties_and_learns_their_version() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)
        assert ask(client, "PATCH", REPORTED, b'{"fan": 1}', settled=True) is None  # as SDKs send it
        status, document, message = answer(client)
        assert (status, document, message.annotations["version"]) == (200, None, 2)
        assert hub.twins.get(PUMP).reported.data == {"fan": 1}

    run(main)


@pytest.mark.parametrize(
    ("operation", "resource", "body"),
    [
        ("PATCH", REPORTED, b"not JSON"),
        ("PATCH", REPORTED, b"[]"),
        ("PATCH", REPORTED, b'{"a.b": 1}'),
        ("PATCH", "/properties/desired", b"{}"),
        ("PUT", "/elsewhere", b""),
        ("POST", None, b""),
    ],
)
def test_a_wrong_request_is_answered_with_400_and_changes_nothing(operation: str, resource: Any, body: bytes) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)
        ask(client, operation, resource, body)
        status, document, _ = answer(client)
        assert status == 400 and document["errorCode"] // 1000 == 400 and document["message"]
        assert hub.twins.get(PUMP).reported.version == 1

    run(main)


def test_a_request_without_correlation_id_is_rejected() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)
        refused = ask(client, "GET", correlation_id=None)
        assert isinstance(refused, Rejected) and client.arrived(1) == []

    run(main)


def test_changes_of_desired_properties_come_while_the_device_subscribes() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)

        def change(number: int) -> list[tuple[Any, Any]]:
            hub.twins.patch(PUMP, tags=None, desired={"n": number})
            return [(message.properties.correlation_id, json.loads(message.body)) for _, message in client.arrived(1)]

        assert change(1) == []
        ask(client, "PUT", DESIRED)
        assert answer(client)[0] == 200
        assert change(2) == [(None, {"n": 2, "$version": 3})]
        ask(client, "DELETE", DESIRED)
        answer(client)
        assert change(3) == []

    run(main)


def test_two_pairs_of_links_do_not_mix() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)
        pair(client, first=2, name="twin:2")
        ask(client, "PUT", DESIRED, handle=2)
        assert client.arrived(1) == [] and answer(client, 3)[0] == 200
        hub.twins.patch(PUMP, tags=None, desired={"n": 1})
        assert client.arrived(1) == [] and len(client.arrived(3)) == 1

    run(main)


def test_a_response_waits_for_its_link_and_for_credit() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        properties = {"com.microsoft:channel-correlation-id": "twin:1"}
        client.sender(TWIN, 0, properties=properties)
        ask(client, "GET")
        client.receiver(TWIN, 1, credit=0, properties=properties)
        assert client.arrived(1) == []
        client.grant(1, 1)
        assert answer(client)[0] == 200

    run(main)


def test_a_device_that_takes_nothing_is_detached_before_much_waits() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client, credit=0)
        for _ in range(101):
            ask(client, "GET")
        assert client.ended(0) == client.ended(1) == "amqp:resource-limit-exceeded"
        assert not hub.links.is_connected(PUMP)

    run(main)


def test_above_the_quota_requests_wait_and_then_are_refused() -> None:
    async def main(loop: MovedLoop) -> None:
        clock = HandClock()
        granted = {throttle: Quota(rate=1e9, burst=1e9) for throttle in Throttle}
        granted[Throttle.TWIN_READS] = Quota(rate=0.2, burst=1)
        hub = DeviceHub(loop, "pump-1", quotas=Quotas(granted, clock))
        client = hub.connect()
        pair(client)
        for number in range(3):
            ask(client, "GET", correlation_id=f"c{number}")
        ask(client, "PATCH", REPORTED, b"{}", correlation_id="after them")
        assert answer(client)[2].properties.correlation_id == "c0"
        for _ in range(2):
            loop.advance(5)
            clock.advance(5)
            await turns()
        arrived = [message.properties.correlation_id for _, message in client.arrived(1)]
        assert arrived == ["c1", "c2", "after them"]

    run(main)


def test_a_module_has_its_own_twin() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1", "pump-1/valve")
        client = hub.connect()
        client.sender("/devices/pump-1/modules/valve/twin", 0)
        client.receiver("/devices/pump-1/modules/valve/twin", 1)
        ask(client, "PATCH", REPORTED, b'{"open": true}')
        assert answer(client)[0] == 200
        assert hub.twins.get(Address("pump-1", "valve")).reported.data == {"open": True}
        assert hub.twins.get(PUMP).reported.data == {}

    run(main)
