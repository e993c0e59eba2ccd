"""What the log of connections says of devices over AMQP: each device on a connection has entries of its own."""

import pytest

from azext_iotjobs.localhub.amqp.wire.frames import SASL_FRAME, SASL_HEADER, encode_frame
from azext_iotjobs.localhub.amqp.wire.performatives import Close, Detach, SaslInit
from azext_iotjobs.localhub.engine.log_reading import Wanted
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.observation import ConnectionEntry
from tests.helpers.amqp_frames import attach_receiver, attach_sender
from tests.helpers.hub_in_memory import OTHER_KEY
from tests.helpers.moved_loop import MovedLoop, run, turns
from tests.helpers.raw_amqp import AmqpHub, RawClient, listening
from tests.helpers.raw_device import DOORS, Door

EVENTS = "/devices/pump-1/messages/events"
PUMP = Wanted("pump-1")


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> Door:
    chosen: Door = request.param
    return chosen


def noted(hub: AmqpHub, wanted: Wanted = PUMP) -> list[ConnectionEntry]:
    return [entry for _, entry in hub.memory.links.observations.connections.log.read(0, 100, wanted).entries]


def texts(hub: AmqpHub, wanted: Wanted = PUMP) -> list[str]:
    return [f"{each.change.value}: {each.reason}" for each in noted(hub, wanted)]


async def device(hub: AmqpHub) -> RawClient:
    """A device with its two links."""
    client = await hub.device(life_s=60)
    await client.attach(attach_sender(EVENTS, 1))
    await client.attach(attach_receiver("/devices/pump-1/messages/devicebound", 2))
    return client


@pytest.mark.parametrize("end", ["links", "close", "cut", "expiry", "error", "drop"])
def test_a_device_and_why_it_has_gone(door: Door, end: str) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            client = await device(hub)
            assert texts(hub) == ["connected: None"]
            protocol = "AMQP" if door == "TCP" else "AMQP over WebSocket"
            assert noted(hub)[0].client == (noted(hub)[0].client.protocol, "pump-1", Address("pump-1"))
            assert noted(hub)[0].client.protocol.value == protocol
            match end:
                case "links":
                    client.send(Detach(1, True), Detach(2, True))
                case "close":
                    client.send(Close())
                case "cut":
                    client.transport.abort()
                case "expiry":
                    hub.advance(61)
                case "error":
                    client.write(b"\x00\x00\x00\x08\x02\x09\x00\x00")
                case "drop":
                    hub.memory.links.drop(Address("pump-1"))
            while len(noted(hub)) < 2:
                await turns()
            reason = {
                "links": "its links were detached",
                "close": "it closed the connection",
                "cut": "connection lost",
                "expiry": "its token or certificate has expired",
                "drop": "The hub ended the device's connection.",
            }
            [_, ended] = texts(hub)
            assert ended == f"ended: {reason[end]}" if end in reason else ended.startswith("ended: "), ended

    run(main)


def test_a_token_that_is_refused_is_noted_with_its_device_and_without_the_token(door: Door) -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop, door) as hub:
            client = await hub.client()
            bad = hub.memory.token("localhost/devices/pump-1", key="AAAA" + OTHER_KEY[4:])
            assert (await client.put_token(bad)).application_properties["status-code"] == 401
            assert texts(hub) == ["refused: The token's signature does not fit."]
            client.send(attach_sender(EVENTS, 1))
            await client.until(Detach)
            assert texts(hub)[1].startswith("refused: The connection has no valid token")
            await client.put_token("sig=secret")
            assert len(noted(hub, Wanted())) == 3
            assert "sig" not in repr(noted(hub, Wanted())).replace("signature", "")

    run(main)


def test_a_password_that_is_refused_is_noted_with_its_user_name() -> None:
    async def main(loop: MovedLoop) -> None:
        async with listening(loop) as hub:
            client = await hub.wire()
            client.write(SASL_HEADER.encoded())
            client.write(encode_frame(0, SaslInit("PLAIN", b"\0pump-1@sas.localhost\0nonsense"), kind=SASL_FRAME))
            while not noted(hub):
                await turns()
            [only] = noted(hub)
            assert only.change.value == "refused" and only.client.name == "pump-1@sas.localhost"
            assert only.reason is not None and only.reason.startswith("it was not let in: ")
            assert "nonsense" not in repr(only)

    run(main)
