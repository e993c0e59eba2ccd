"""What devices send over AMQP: single messages, batches, and what is wrong with them."""

from uuid import UUID

import pytest

from azext_iotjobs.localhub.amqp.nodes.telemetry_message import BATCH_FORMAT
from azext_iotjobs.localhub.amqp.wire.message import AmqpValue, Message, Properties, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Rejected
from azext_iotjobs.localhub.amqp.wire.types import Symbol, Timestamp, UByte
from azext_iotjobs.localhub.engine.log_reading import Wanted
from azext_iotjobs.localhub.engine.quotas import Quotas
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.quota import Quota, Throttle
from tests.helpers.amqp_device import DeviceHub
from tests.helpers.amqp_frames import transfer
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns

EVENTS = "/devices/pump-1/messages/events"


def test_a_message_arrives_with_its_properties_as_texts() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.sender(EVENTS)
        outcome = client.message(
            link,
            Message(
                properties=Properties(
                    message_id=UUID(int=7),
                    user_id=b"me",
                    to=EVENTS,
                    correlation_id=5,
                    content_type="application/json",
                    content_encoding="utf-8",
                    absolute_expiry_time=0,
                ),
                annotations={"dt-subject": "thermostat", "iothub-interface-id": "dtmi:a;1"},
                application_properties={
                    "text": "ü",
                    "yes": True,
                    "count": -5,
                    "small": UByte(3),
                    "ratio": 0.5,
                    "none": None,
                    "at": Timestamp(1000),
                    "raw": b"\x01",
                    "symbol": Symbol("s"),
                    "iothub-outputname": "alarm",
                    "iothub-creation-time-utc": "2026-01-01",
                },
                data=(b'{"t": ', b"21}"),
            ),
        )
        assert outcome == Accepted()
        (message,) = hub.sent()
        assert message.body == b'{"t": 21}'
        assert message.properties == {
            "text": "ü",
            "yes": "true",
            "count": "-5",
            "small": "3",
            "ratio": "0.5",
            "none": None,
            "at": "1970-01-01T00:00:01.0000000Z",
            "raw": "AQ==",
            "symbol": "s",
        }
        assert message.system == {
            "messageId": str(UUID(int=7)),
            "userId": "me",
            "to": EVENTS,
            "correlationId": "5",
            "contentType": "application/json",
            "contentEncoding": "utf-8",
            "expiryTimeUtc": "1970-01-01T00:00:00.0000000Z",
            "componentName": "thermostat",
            "interfaceId": "dtmi:a;1",
            "outputName": "alarm",
            "creationTimeUtc": "2026-01-01",
        }

    run(main)


def test_a_batch_is_its_messages_in_order() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        parts = [encode_message(Message(application_properties={"n": str(n)}, data=(b"%d" % n,))) for n in range(3)]
        assert client.message(client.sender(EVENTS), Message(data=tuple(parts)), message_format=BATCH_FORMAT) == (
            Accepted()
        )
        assert [(each.body, each.properties) for each in hub.sent()] == [(b"%d" % n, {"n": str(n)}) for n in range(3)]

    run(main)


@pytest.mark.parametrize(
    ("data", "message_format"),
    [
        ((encode_message(Message(data=(b"good",))), b"\x00\x53\x75\xa0\x05x"), BATCH_FORMAT),
        ((), BATCH_FORMAT),
        ((encode_message(Message(application_properties={"a": [1]})),), BATCH_FORMAT),
    ],
    ids=["one is broken", "empty", "a property that is a list"],
)
def test_a_wrong_batch_is_rejected_whole(data: tuple[bytes, ...], message_format: int) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.sender(EVENTS)
        outcome = client.message(link, Message(data=data), message_format=message_format)
        assert isinstance(outcome, Rejected) and outcome.error is not None
        assert outcome.error.condition == "com.microsoft:argument-error"
        assert hub.sent() == []
        assert client.message(link, Message(data=(b"next",))) == Accepted()

    run(main)


def test_a_body_that_is_neither_data_nor_text_is_rejected() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.sender(EVENTS)
        assert isinstance(client.message(link, Message(value=AmqpValue(value={"t": 1}))), Rejected)
        assert client.message(link, Message(value=AmqpValue(value="21"))) == Accepted()
        assert [each.body for each in hub.sent()] == [b"21"]

    run(main)


def test_a_message_that_was_sent_settled_has_no_outcome() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        assert client.message(client.sender(EVENTS), Message(data=(b"x",)), settled=True) is None
        assert len(hub.sent()) == 1

    run(main)


def test_a_message_above_256_kb_ends_the_link() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        link = client.sender(EVENTS)
        whole = encode_message(Message(data=(b"x" * 256 * 1024,)))
        for at in range(0, len(whole), 60_000):
            client.send(transfer(0, handle=link, more=True), payload=whole[at : at + 60_000])
        assert client.ended(link) == "amqp:link:message-size-exceeded"
        assert hub.sent() == []

    run(main)


def test_a_module_sends_under_its_own_name() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1", "pump-1/valve#2")
        client = hub.connect()
        client.message(
            client.sender("amqps://any/devices/pump-1/modules/valve%232/messages/Events"), Message(data=(b"x",))
        )
        assert [each.sender.address for _, each in hub.event_log.shown.read(0, 9, Wanted()).entries] == [
            Address("pump-1", "valve#2")
        ]

    run(main)


def throttled(loop: MovedLoop, clock: HandClock, **quotas: Quota) -> DeviceHub:
    granted = {throttle: Quota(rate=1e9, burst=1e9) for throttle in Throttle}
    granted.update({Throttle[name]: quota for name, quota in quotas.items()})
    return DeviceHub(loop, "pump-1", "pump-2", quotas=Quotas(granted, clock))


def test_above_the_quota_messages_wait_in_order_and_other_devices_do_not() -> None:
    async def main(loop: MovedLoop) -> None:
        clock = HandClock()
        hub = throttled(loop, clock, SENDS=Quota(rate=0.5, burst=2))
        client = hub.connect()
        client.sender(EVENTS)
        reading = client.sender("/devices/pump-2/twin", 1)
        outcomes = [client.message(0, Message(data=(b"%d" % n,))) for n in range(4)]
        assert outcomes == [Accepted(), Accepted(), None, None]
        assert client.message(reading, b"\x00\x53\x75\xa0\x00") is not None  # at once, though it is refused
        for expected in (2, 4):
            loop.advance(expected)
            clock.advance(expected)
            await turns()
        assert [each.body for each in hub.sent()] == [b"0", b"1", b"2", b"3"]
        assert [client.outcome(n) for n in (2, 3)] == [Accepted(), Accepted()]

    run(main)


def test_far_above_the_quota_messages_are_rejected() -> None:
    async def main(loop: MovedLoop) -> None:
        hub = throttled(loop, HandClock(), SENDS=Quota(rate=0.01, burst=1))
        client = hub.connect()
        client.sender(EVENTS)
        first, second = (client.message(0, Message(data=(b"x",))) for _ in range(2))
        assert first == Accepted() and second.error.condition == "com.microsoft:device-container-throttled"

    run(main)


def test_what_waits_when_the_link_ends_is_processed_and_when_the_hub_ends_it_is_not() -> None:
    async def main(loop: MovedLoop) -> None:
        for is_dropped in (False, True):
            hub = throttled(loop, HandClock(), SENDS=Quota(rate=0.5, burst=1))
            client = hub.connect()
            client.sender(EVENTS)
            for body in (b"first", b"waits"):
                client.message(0, Message(data=(body,)))
            if is_dropped:
                hub.links.drop(Address("pump-1"))
            client.lose()
            assert [each.body for each in hub.sent()] == ([b"first"] if is_dropped else [b"first", b"waits"])

    run(main)
