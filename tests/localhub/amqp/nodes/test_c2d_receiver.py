"""Cloud-to-device messages over AMQP: credit, settlement, and what the end of a link does to them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Disposition, Modified, Rejected, Released
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.c2d_message import Ack, NewMessage, expiry
from tests.helpers.amqp_device import AmqpClient, DeviceHub
from tests.helpers.moved_loop import MovedLoop, run

PUMP = Address("pump-1")
MESSAGES = "/devices/pump-1/messages/devicebound"


def post(hub: DeviceHub, *bodies: str, address: Address = PUMP, life_s: float = 3600, **fields: Any) -> None:
    now = hub.clock.now()
    for body in bodies:
        end = expiry(now + timedelta(seconds=life_s), now)
        message = NewMessage(
            **{"body": body.encode(), "message_id": body, "ack": Ack.FULL, "expires_at": end, **fields}
        )
        hub.c2d_queue.send(address, message)


def fates(hub: DeviceHub) -> dict[str, str]:
    batch = hub.c2d_queue.feedback()
    return {each.message_id: each.outcome.value for each in batch.records} if batch else {}


def bodies(client: AmqpClient, handle: int = 1) -> list[str]:
    return [message.body.decode() for _, message in client.arrived(handle)]


def test_a_message_arrives_with_all_that_its_sender_said() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.receiver(MESSAGES)
        post(
            hub,
            "hello",
            user_id="boss",
            correlation_id="c",
            content_type="text/plain",
            content_encoding="utf-8",
            properties={"a": "ü"},
            has_expiry=True,
        )
        ((transfer, message),) = client.arrived(link)
        assert message.properties.message_id == "hello" and message.properties.user_id == b"boss"
        assert message.properties.to == MESSAGES and message.properties.correlation_id == "c"
        assert (message.properties.content_type, message.properties.content_encoding) == ("text/plain", "utf-8")
        assert message.properties.absolute_expiry_time == int((hub.clock.now().timestamp() + 3600) * 1000)
        assert message.application_properties == {"a": "ü", "iothub-ack": "full"}
        assert transfer.delivery_tag == message.annotations["x-opt-lock-token"].bytes
        assert message.annotations["iothub-enqueuedtime"] == int(hub.clock.now().timestamp() * 1000)
        assert (message.annotations["iothub-deliverycount"], message.annotations["x-opt-sequence-number"]) == (0, 1)

    run(main)


@pytest.mark.parametrize("is_settled", [True, False], ids=["settled first", "settled second"])
@pytest.mark.parametrize(("outcome", "fate"), [(Accepted(), "Success"), (Rejected(), "Rejected")])
def test_the_device_accepts_or_rejects_a_message(outcome: Any, fate: str, is_settled: bool) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.receiver(MESSAGES, rcv_settle_mode=0 if is_settled else 1)
        post(hub, "hello")
        ((transfer, _),) = client.arrived(link)
        client.settle(transfer, outcome, settled=is_settled)
        assert fates(hub) == {"hello": fate}
        confirmed = [each for each in client.seen(Disposition) if each.role is False]
        assert [(each.settled, each.state) for each in confirmed] == ([] if is_settled else [(True, outcome)])

    run(main)


@pytest.mark.parametrize("outcome", [Released(), Modified(delivery_failed=True), None])
def test_a_message_that_the_device_does_not_take_comes_again(outcome: Any) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.receiver(MESSAGES)
        post(hub, "hello")
        ((first, _),) = client.arrived(link)
        client.settle(first, outcome)
        ((second, message),) = client.arrived(link)
        assert message.annotations["iothub-deliverycount"] == 1
        assert first.delivery_tag != second.delivery_tag

    run(main)


def test_after_ten_deliveries_a_message_is_given_up() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.receiver(MESSAGES)
        post(hub, "hello")
        for _ in range(10):
            ((transfer, _message),) = client.arrived(link)
            client.settle(transfer, Released())
        assert client.arrived(link) == [] and fates(hub) == {"hello": "DeliveryCountExceeded"}

    run(main)


def test_only_as_many_come_as_there_is_credit_for() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.receiver(MESSAGES, credit=0)
        post(hub, "1", "2", "3", "4")
        assert bodies(client) == []
        client.grant(link, 1)
        assert bodies(client) == ["1"]
        client.grant(link, 2, count=1)
        assert bodies(client) == ["2", "3"]
        client.grant(link, 5, count=3, drain=True)
        assert bodies(client) == ["4"]
        post(hub, "5")
        assert bodies(client) == []  # the rest of the credit was drained

    run(main)


def test_what_was_not_settled_when_the_link_ends_comes_on_the_next_one() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        client.sender("/devices/pump-1/messages/events")  # the device stays online
        link = client.receiver(MESSAGES)
        post(hub, "1", "2")
        first, _second = client.arrived(link)
        client.settle(first[0], Accepted())
        client.detach(link)
        assert hub.links.is_connected(PUMP) and not hub.links.accepts_messages(PUMP)
        client.receiver(MESSAGES, 5)
        assert bodies(client, 5) == ["2"]

    run(main)


def test_a_lost_connection_returns_its_messages() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        client.receiver(MESSAGES)
        post(hub, "1")
        client.lose()
        again = hub.connect()
        again.receiver(MESSAGES)
        assert bodies(again) == ["1"]

    run(main)


def test_a_second_link_takes_the_messages_over() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        older = client.receiver(MESSAGES)
        post(hub, "1")
        assert bodies(client) == ["1"]
        client.receiver(MESSAGES, 2)
        assert client.ended(older) == "amqp:link:stolen"
        assert bodies(client, 2) == ["1"] and hub.links.accepts_messages(PUMP)

    run(main)


def test_an_outcome_that_comes_after_the_message_expired_is_told_that_the_lock_is_lost() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.receiver(MESSAGES, rcv_settle_mode=1)
        post(hub, "1", life_s=5)
        ((transfer, _),) = client.arrived(link)
        hub.clock.advance(6)
        client.settle(transfer, Accepted(), settled=False)
        (confirmed,) = [each for each in client.seen(Disposition) if each.role is False]
        assert confirmed.state.error.condition == "com.microsoft:message-lock-lost"
        assert fates(hub) == {"1": "Expired"}

    run(main)


def test_a_link_that_wants_messages_settled_gets_each_once() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.receiver(MESSAGES, snd_settle_mode=1)
        post(hub, "1", "2")
        assert [transfer.settled for transfer, _ in client.arrived(link)] == [True, True]
        assert fates(hub) == {"1": "Success", "2": "Success"}

    run(main)


def test_a_module_receives_its_own_messages() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1", "pump-1/valve")
        client = hub.connect()
        link = client.receiver("devices/pump-1/modules/valve/messages/deviceBound")
        post(hub, "1")
        post(hub, "2", address=Address("pump-1", "valve"))
        ((transfer, message),) = client.arrived(link)
        assert message.properties.to == "/devices/pump-1/modules/valve/messages/devicebound"
        assert message.body == b"2" and UUID(bytes=transfer.delivery_tag)

    run(main)
