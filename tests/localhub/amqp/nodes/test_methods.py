"""Method calls over AMQP: each response belongs to its call, and to no other connection's."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from azext_iotjobs.localhub.amqp.nodes.call_ids import CallIds
from azext_iotjobs.localhub.amqp.wire.message import Message, Properties
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Rejected
from azext_iotjobs.localhub.engine.links import MethodResult
from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules.address import Address
from tests.helpers.amqp_device import AmqpClient, DeviceHub
from tests.helpers.moved_loop import MovedLoop, run, turns

PUMP = Address("pump-1")
METHODS = "/devices/pump-1/methods/devicebound"


async def invoke(
    hub: DeviceHub,
    name: str = "reboot",
    payload: Any = None,
    response_timeout_s: float = 300.0,
    connect_timeout_s: float = 0.0,
) -> asyncio.Task[MethodResult]:
    call = hub.links.invoke(
        PUMP, name, payload, response_timeout_s=response_timeout_s, connect_timeout_s=connect_timeout_s
    )
    task = hub.loop.create_task(call)
    await turns()
    return task


def pair(client: AmqpClient, *, credit: int = 100) -> None:
    """Attaches the two links: 0 to the hub, 1 from it."""
    properties = {"com.microsoft:channel-correlation-id": "methods:1"}
    client.sender(METHODS, 0, properties=properties)
    client.receiver(METHODS, 1, credit=credit, properties=properties)


def answer(client: AmqpClient, correlation_id: Any, body: bytes = b"1", **properties: Any) -> Any:
    response = Message(
        properties=Properties(correlation_id=correlation_id),
        application_properties={"IoThub-status": 200, **properties},
        data=(body,),
    )
    return client.message(0, response)


@pytest.mark.parametrize("form", [lambda uuid: uuid, str, lambda uuid: uuid.bytes], ids=["uuid", "text", "bytes"])
def test_a_call_reaches_the_device_and_its_response_the_caller(form: Any) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)
        call = await invoke(hub, "reboot now", {"delay": 5})
        ((transfer, message),) = client.arrived(1)
        assert message.application_properties == {"IoThub-methodname": "reboot now"}
        assert message.body == b'{"delay":5}' and transfer.settled
        assert isinstance(message.properties.correlation_id, UUID)
        response = answer(client, form(message.properties.correlation_id), b'{"ok": true}', **{"IoThub-status": 201})
        assert response == Accepted()
        assert await call == MethodResult(201, {"ok": True})

    run(main)


def test_responses_out_of_order_reach_their_callers() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)
        calls = [await invoke(hub, payload=number) for number in range(3)]
        arrived = {message.body: message.properties.correlation_id for _, message in client.arrived(1)}
        for body in (b"2", b"0", b"1"):
            answer(client, arrived[body], body)
        assert [(await call).payload for call in calls] == [0, 1, 2]

    run(main)


@pytest.mark.parametrize(("body", "properties"), [(b"not JSON", {}), (b"1", {"IoThub-status": "200"})])
def test_a_response_that_cannot_be_read_is_told_the_caller(body: bytes, properties: dict[str, Any]) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)
        call = await invoke(hub)
        ((_, message),) = client.arrived(1)
        assert answer(client, message.properties.correlation_id, body, **properties) == Accepted()
        with pytest.raises(HubError, match="cannot be read"):
            await call

    run(main)


def test_a_response_to_no_call_is_accepted_and_one_without_correlation_id_is_not() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)
        call = await invoke(hub)
        ((_, message),) = client.arrived(1)
        for wrong in (uuid4(), "no uuid", b"short", 7):
            assert answer(client, wrong) == Accepted()
        refused = answer(client, None)
        assert isinstance(refused, Rejected) and refused.error is not None
        assert refused.error.condition == "com.microsoft:argument-error"
        assert not call.done()
        answer(client, message.properties.correlation_id)
        assert (await call).status == 200

    run(main)


def test_a_call_without_credit_waits_for_it_unless_its_caller_has_gone() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client, credit=0)
        gone, waits = await invoke(hub, payload=1), await invoke(hub, payload=2)
        gone.cancel()
        await turns()
        assert client.arrived(1) == []
        client.grant(1, 10)
        ((_, message),) = client.arrived(1)
        assert message.body == b"2"
        answer(client, message.properties.correlation_id)
        assert (await waits).status == 200

    run(main)


def test_calls_whose_callers_have_gone_do_not_pile_up() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client, credit=0)
        for _ in range(50):
            task = await invoke(hub)
            task.cancel()
            await turns()
        last = await invoke(hub, payload="last")
        client.grant(1, 100)
        assert [message.body for _, message in client.arrived(1)] == [b'"last"']
        last.cancel()

    run(main)


def test_a_device_that_detaches_its_link_does_not_accept_methods() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        pair(client)
        assert hub.links.accepts_methods(PUMP)
        client.detach(1)
        assert hub.links.is_connected(PUMP) and not hub.links.accepts_methods(PUMP)
        with pytest.raises(HubError, match="not online"):
            await (await invoke(hub))

    run(main)


def test_a_caller_that_waits_for_the_device_is_served_when_it_attaches() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        call = await invoke(hub, connect_timeout_s=100)
        client = hub.connect()
        client.sender("/devices/pump-1/messages/events", 5)
        await turns()
        pair(client)
        await turns()
        ((_, message),) = client.arrived(1)
        answer(client, message.properties.correlation_id)
        assert (await call).status == 200

    run(main)


def test_ids_of_another_connection_are_of_no_call() -> None:
    own, other = CallIds(), CallIds()
    assert own.rid_of(own.uuid_of("12")) == "12"
    assert own.rid_of(other.uuid_of("12")) is None
    assert own.uuid_of("12").version == 4
