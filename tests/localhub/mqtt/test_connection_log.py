"""What the log of connections says of devices over MQTT, on TCP and WebSocket."""

from collections.abc import Awaitable, Callable

import pytest

from azext_iotjobs.localhub.engine.log_reading import Wanted
from azext_iotjobs.localhub.mqtt.packets import Disconnect, Pingresp, Publish
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.fault import read_fault
from azext_iotjobs.localhub.rules.observation import ConnectionEntry
from tests.helpers.moved_loop import MovedLoop, run, turns
from tests.helpers.raw_device import ALL_FILTERS, DOORS, Door, Hub, RawDevice, hello, listening

PUMP = Wanted("pump-1")
SECRET = "SharedAccessSignature sr=localhost&sig=c2VjcmV0&se=1"


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    chosen: Door = request.param
    return chosen


def noted(hub: Hub, wanted: Wanted = PUMP) -> list[ConnectionEntry]:
    return [entry for _, entry in hub.links.observations.connections.log.read(0, 100, wanted).entries]


def texts(hub: Hub) -> list[str]:
    return [f"{each.change.value}: {each.reason}" for each in noted(hub)]


async def farewell(_hub: Hub, device: RawDevice) -> None:
    device.send(Disconnect())


async def cut(_hub: Hub, device: RawDevice) -> None:
    await device.gone()


async def wrong_topic(_hub: Hub, device: RawDevice) -> None:
    device.send(Publish("elsewhere", b""))


async def wrong_packet(_hub: Hub, device: RawDevice) -> None:
    device.send(Pingresp())


async def dropped(hub: Hub, _device: RawDevice) -> None:
    hub.links.drop(Address("pump-1"))


async def silence(hub: Hub, _device: RawDevice) -> None:
    hub.advance(91)


async def another(hub: Hub, _device: RawDevice) -> None:
    await hub.device()


ENDS: dict[str, tuple[Callable[[Hub, RawDevice], Awaitable[None]], str]] = {
    "farewell": (farewell, "it sent DISCONNECT"),
    "cut": (cut, "connection lost"),
    "wrong topic": (wrong_topic, "it published to 'elsewhere', which is not a topic that it may publish to"),
    "wrong packet": (wrong_packet, "it sent PINGRESP where it has no place"),
    "dropped": (dropped, "the hub ended it"),
    "silence": (silence, "keep-alive: nothing came for 90 s, one and a half times what it promised"),
    "another": (another, "another connection came for the same device or module, which may have one at a time"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_connection_and_why_it_ended(door: Door, end: str) -> None:
    act, reason = ENDS[end]

    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            device = await hub.device()
            await act(hub, device)
            await hub.until_said("disconnected", "pump-1") if end != "another" else await turns()
            assert texts(hub)[:2] == ["connected: None", f"ended: {reason}"]
            assert texts(hub)[2:] == (["connected: None"] if end == "another" else [])
            client = noted(hub)[0].client
            protocol = "MQTT" if door == "TCP" else "MQTT over WebSocket"
            assert (client.protocol.value, client.name, client.address) == (protocol, "pump-1", Address("pump-1"))

    run(main)


def test_who_is_not_let_in_is_noted_with_the_reason_and_without_its_password(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            for fields in ({"password": SECRET.encode()}, {"username": "localhost/pump-2/"}):
                device = await hub.wire()
                device.send(hello(**fields))
                assert await device.next() is not None
                assert await device.is_dropped()
            assert texts(hub) == [
                "refused: it was not let in: Not this token.",
                "refused: its user name is 'localhost/pump-2/'; it must be HOST/{client id}/?api-version=...",
            ]
            assert "sig=" not in repr(noted(hub, Wanted()))

    run(main)


def test_a_fault_that_was_requested_is_the_reason() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            hub.links.faults.add(read_fault({"kind": "connack", "code": 3, "times": 1}))
            device = await hub.wire()
            device.send(hello())
            assert await device.next() is not None
            assert await device.is_dropped()
            assert texts(hub) == ["refused: a fault was requested for it"]

    run(main)


def test_who_only_tries_the_port_is_not_noted_and_what_is_no_mqtt_is() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            silent, other = await hub.wire(), await hub.wire()
            await silent.gone()
            other.writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await other.is_dropped()
            [only] = noted(hub, Wanted())
            assert only.address is None and only.client.name is None
            assert only.reason is not None and only.reason.startswith("what it sent is not MQTT")

    run(main)


def test_a_method_call_is_noted_as_it_is_sent_and_as_the_device_responds() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            device = await hub.device("pump-1", *ALL_FILTERS)
            limits = {"response_timeout_s": 300, "connect_timeout_s": 0}
            call = loop.create_task(
                hub.links.invoke(Address("pump-1"), "open", {"percent": 9}, job_id="night", **limits)
            )
            request = await device.message()
            calls = hub.links.observations.calls.log
            assert [each.state.value for _, each in calls.read(0, 9, Wanted()).entries] == ["calling"]
            device.send(Publish(f"$iothub/methods/res/201/?$rid={request.topic.rpartition('=')[2]}", b'{"open":true}'))
            await call
            [(_, ended)] = calls.read(1, 9, Wanted("pump-1")).entries
            assert (ended.name, ended.payload, ended.job_id) == ("open", {"percent": 9}, "night")
            assert (ended.state.value, ended.status, ended.response) == ("responded", 201, {"open": True})

    run(main)
