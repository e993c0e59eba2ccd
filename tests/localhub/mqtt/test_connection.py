"""Connections over real sockets: packets of a raw device, and paho as a client that others wrote."""

import asyncio
import json
import threading
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from azext_iotjobs.localhub.engine.links import MethodResult
from azext_iotjobs.localhub.errors import HubError, StoreUnavailable
from azext_iotjobs.localhub.mqtt.codec import encode
from azext_iotjobs.localhub.mqtt.packets import (
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
)
from azext_iotjobs.localhub.rules.address import Address
from tests.helpers.moved_loop import MovedLoop, run, turns, within_limit
from tests.helpers.raw_device import ALL_FILTERS, GOOD_TOKEN, Hub, hello, listening

PUMP = Address("pump-1")
EVENTS = "devices/pump-1/messages/events/"
METHODS = "$iothub/methods/POST/#"


def invoke(hub: Hub, name: str = "reboot", payload: Any = None) -> asyncio.Task[MethodResult]:
    return hub.loop.create_task(hub.links.invoke(PUMP, name, payload, response_timeout_s=300, connect_timeout_s=100))


def test_a_device_connects_and_disconnects() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device()
            assert hub.links.is_connected(PUMP)
            device.send(Disconnect())
            assert await device.is_dropped()
            assert hub.backend.calls == [("connected", "pump-1"), ("disconnected", "pump-1")]
            assert not hub.links.is_connected(PUMP)

    run(main)


@pytest.mark.parametrize(
    ("connect", "code"),
    [
        (hello(password=b"another token"), 5),
        (hello(password=None), 5),
        (hello(client_id="pump-2"), 5),
        (Connect(protocol_level=5), 1),
    ],
    ids=["wrong token", "no token", "another's name", "MQTT 5"],
)
def test_a_refused_client_gets_a_code_and_is_dropped_and_nothing_has_changed(connect: Connect, code: int) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.wire()
            device.send(connect)
            assert await device.next() == Connack(session_present=False, return_code=code)
            assert await device.is_dropped()
            assert hub.backend.calls == [] and hub.links.count_devices() == 0

    run(main)


def test_telemetry_arrives_with_its_properties_and_is_acknowledged() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device()
            device.send(Publish(f"{EVENTS}a=1&b", b"20.5", qos=1, packet_id=3, retain=True))
            assert await device.next() == Puback(3)
            assert hub.backend.calls[1:] == [
                ("telemetry", "pump-1", {"a": "1", "b": None, "mqtt-retain": "true"}, b"20.5")
            ]

    run(main)


def test_a_message_that_is_not_taken_is_not_acknowledged() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device()
            hub.backend.refuses_telemetry = True
            device.send(Publish(EVENTS, b"x", qos=1, packet_id=3), Pingreq())
            assert await device.is_dropped()
            assert hub.backend.calls == [("connected", "pump-1"), ("disconnected", "pump-1")]

    run(main)


def test_a_method_reaches_the_device_and_its_answer_the_caller() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device("pump-1", METHODS)
            call = invoke(hub, "reboot now", {"delay": 5})
            message = await device.message()
            assert message == Publish("$iothub/methods/POST/reboot%20now/?$rid=1", b'{"delay":5}')
            device.send(Publish("$iothub/methods/res/201/?$rid=1", b'{"ok":true}'))
            assert await call == MethodResult(201, {"ok": True})

    run(main)


def test_an_empty_answer_is_null() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device("pump-1", METHODS)
            call = invoke(hub)
            await device.message()
            device.send(Publish("$iothub/methods/res/200/?$rid=1", b""))
            assert await call == MethodResult(200, None)

    run(main)


@pytest.mark.parametrize(
    "body", [b"{not json", b"\xff", b"NaN", b"[" * 100_000, b'"' + b"x" * 128 * 1024 + b'"'], ids=range(5)
)
def test_an_answer_that_cannot_be_read_fails_the_call_and_not_the_device(body: bytes) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device("pump-1", METHODS)
            call = invoke(hub)
            await device.message()
            device.send(Publish("$iothub/methods/res/200/?$rid=1", body, qos=1, packet_id=1))
            assert await device.next() == Puback(1)
            with pytest.raises(HubError) as caught:
                await call
            assert caught.value.fault.number == 502000
            assert hub.links.is_connected(PUMP)

    run(main)


def test_an_answer_to_another_device_s_method_ends_nothing() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device, other = await hub.device("pump-1", METHODS), await hub.device("pump-2", METHODS)
            call = invoke(hub)
            await device.message()
            other.send(Publish("$iothub/methods/res/500/?$rid=1", b"1", qos=1, packet_id=1))
            assert await other.next() == Puback(1)
            assert not call.done()
            device.send(Publish("$iothub/methods/res/200/?$rid=1", b"2"))
            assert await call == MethodResult(200, 2)

    run(main)


def test_a_method_waits_until_the_device_subscribes() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            call = invoke(hub)
            device = await hub.device()
            device.send(Subscribe(7, ((METHODS, 0),)))
            assert await device.next() == Suback(7, (0,))
            assert (await device.message()).topic == "$iothub/methods/POST/reboot/?$rid=1"
            device.send(Publish("$iothub/methods/res/200/?$rid=1", b"null"))
            assert (await call).status == 200

    run(main)


def test_the_twin_is_read_and_reported_and_a_change_of_desired_properties_arrives() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device("pump-1", *ALL_FILTERS)
            device.send(Publish("$iothub/twin/PATCH/properties/reported/?$rid=a%2fb", b'{"fw":"4.1"}'))
            assert await device.next() == Publish("$iothub/twin/res/204/?$rid=a%2fb&$version=2", b"")
            device.send(Publish("$iothub/twin/GET/?$rid=9", b" "))
            answer = await device.message()
            assert answer.topic == "$iothub/twin/res/200/?$rid=9"
            assert json.loads(answer.payload) == {"desired": {"$version": 1}, "reported": {"fw": "4.1", "$version": 2}}
            hub.links.notify_desired(PUMP, {"fw": "4.2", "old": None}, 5)
            change = await device.message()
            assert change.topic == "$iothub/twin/PATCH/properties/desired/?$version=5"
            assert json.loads(change.payload) == {"fw": "4.2", "old": None, "$version": 5}

    run(main)


@pytest.mark.parametrize(("body", "number"), [(b"{not json", 400000), (b"", 400000), (b"[]", 400004)])
def test_a_report_that_is_none_is_refused_and_changes_nothing(body: bytes, number: int) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device("pump-1", *ALL_FILTERS)
            device.send(Publish("$iothub/twin/PATCH/properties/reported/?$rid=1", body))
            answer = await device.message()
            assert answer.topic == "$iothub/twin/res/400/?$rid=1"
            assert json.loads(answer.payload)["errorCode"] == number
            assert (hub.backend.version, hub.backend.reported) == (1, {})

    run(main)


def test_a_device_receives_nothing_it_has_not_subscribed_to() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device()
            hub.links.notify_desired(PUMP, {"fw": 1}, 5)
            device.send(Publish("$iothub/twin/GET/?$rid=1", b""), Pingreq())
            assert await device.next() == Pingresp()

    run(main)


def test_a_second_connection_of_a_device_ends_the_first() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            first = await hub.device("pump-1", METHODS)
            call = invoke(hub)
            await first.message()
            second = await hub.device("pump-1")
            assert await first.is_dropped()
            with pytest.raises(HubError) as caught:
                await call
            assert caught.value.fault.number == 404103
            second.send(Pingreq())
            assert await second.next() == Pingresp()
            assert [what for what, _ in hub.backend.calls] == ["connected", "disconnected", "connected"]

    run(main)


def test_a_session_that_is_not_clean_listens_on_when_it_comes_back() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            first = await hub.device("pump-1", METHODS, clean_session=False)
            await first.gone()
            call = invoke(hub)
            second = await hub.wire()
            second.send(hello(clean_session=False))
            assert await second.next() == Connack(session_present=True, return_code=0)
            await second.message()
            second.send(Publish("$iothub/methods/res/200/?$rid=1", b"null"))
            assert (await call).status == 200

    run(main)


def test_a_session_without_subscriptions_is_stored_too() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            await (await hub.device("pump-1", clean_session=False)).gone()
            again = await hub.wire()
            again.send(hello(clean_session=False))
            assert await again.next() == Connack(session_present=True, return_code=0)

    run(main)


def test_a_clean_session_forgets_what_was_listened_to_before() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            await (await hub.device("pump-1", METHODS, clean_session=False)).gone()
            await (await hub.device("pump-1", clean_session=True)).gone()
            await hub.device("pump-1", clean_session=False)  # finds no session: it says so in its CONNACK
            assert not await hub.links.wait_until_ready(PUMP, 0)

    run(main)


def test_packets_sent_together_with_connect_are_processed() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.wire()
            device.send(hello(), Subscribe(1, ((METHODS, 0),)), Pingreq())
            assert [await device.next() for _ in range(3)] == [Connack(False, 0), Suback(1, (0,)), Pingresp()]

    run(main)


def test_good_packets_ahead_of_a_malformed_one_count() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device()
            device.writer.write(encode(Publish(EVENTS, b"x")) + b"\x00\x00")
            assert await device.is_dropped()
            assert ("telemetry", "pump-1", {}, b"x") in hub.backend.calls

    run(main)


def test_packets_may_come_byte_by_byte() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.wire()
            for byte in encode(hello()) + encode(Pingreq()):
                device.writer.write(bytes([byte]))
                await turns(2)
            assert [await device.next() for _ in range(2)] == [Connack(False, 0), Pingresp()]

    run(main)


def test_paho_connects_subscribes_answers_a_method_and_reads_its_twin() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            subscriptions_changed, twin = threading.Event(), threading.Event()
            client = paho_client(subscriptions_changed, twin)
            client.connect_async("127.0.0.1", hub.port)
            client.loop_start()
            try:
                await loop.run_in_executor(None, subscriptions_changed.wait, 30)
                answer = await within_limit(
                    hub.links.invoke(PUMP, "echo", [1, "ü"], response_timeout_s=300, connect_timeout_s=100)
                )
                assert answer == MethodResult(202, [1, "ü"])
                client.publish("$iothub/twin/GET/?$rid=1")
                assert await loop.run_in_executor(None, twin.wait, 30)
                info = client.publish(f"{EVENTS}from=paho", "hello", qos=1)
                await loop.run_in_executor(None, info.wait_for_publish, 30)
                assert ("telemetry", "pump-1", {"from": "paho"}, b"hello") in hub.backend.calls
            finally:
                await loop.run_in_executor(None, client.disconnect)
                await loop.run_in_executor(None, client.loop_stop)
            await hub.until_said("disconnected", "pump-1")

    run(main)


def paho_client(is_subscribed: threading.Event, twin: threading.Event) -> paho.Client:
    """A device by paho: it sends back what a method brings."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="pump-1", clean_session=False)
    client.username_pw_set("localhost/pump-1/?api-version=2021-04-12", GOOD_TOKEN)

    def on_message(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if message.topic.startswith("$iothub/twin/res/200/"):
            twin.set()
            return
        rid = message.topic.partition("$rid=")[2]
        client.publish(f"$iothub/methods/res/202/?$rid={rid}", message.payload)

    def on_connect(*_: object) -> None:
        client.subscribe([(each, 0) for each in ALL_FILTERS])

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: is_subscribed.set()
    client.on_message = on_message
    return client


def test_a_message_is_acknowledged_once_it_is_stored_and_not_before() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            hub.backend.stores_later = True
            device = await hub.device()
            device.send(Publish(EVENTS, b"x", qos=1, packet_id=3), Pingreq())
            assert isinstance(await device.next(), Pingresp)
            hub.backend.unstored.pop()(None)
            assert await device.next() == Puback(3)

    run(main)


def test_a_message_that_cannot_be_stored_is_not_acknowledged_and_ends_the_connection() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            hub.backend.stores_later = True
            device = await hub.device()
            device.send(Publish(EVENTS, b"x", qos=1, packet_id=3), Pingreq())
            assert isinstance(await device.next(), Pingresp)
            hub.backend.unstored.pop()(StoreUnavailable("the disk is full"))
            assert await device.is_dropped()

    run(main)
