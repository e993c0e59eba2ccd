"""Whatever devices send on their links: each message has an outcome, and the connection goes on.

The short form is the same on every run; IOTJOBS_TORTURE=1 looks further.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from azext_iotjobs.localhub.amqp.nodes.telemetry_message import BATCH_FORMAT
from azext_iotjobs.localhub.amqp.protocol.connection import State
from azext_iotjobs.localhub.amqp.wire.encoder import encode
from azext_iotjobs.localhub.amqp.wire.message import Message, encode_message
from azext_iotjobs.localhub.amqp.wire.performatives import Accepted, Modified, Rejected, Released
from tests.helpers.amqp_device import DeviceHub
from tests.helpers.amqp_values import SIMPLE, VALUES
from tests.helpers.moved_loop import MovedLoop, run
from tests.helpers.short_form import examples

ADDRESSES = tuple(f"/devices/pump-1/{each}" for each in ("messages/events", "twin", "methods/devicebound"))
NAMES = st.sampled_from(["operation", "resource", "dt-subject", "IoThub-status", "iothub-outputname", "a"])
WORDS = st.sampled_from(["GET", "PATCH", "PUT", "/properties/reported", "/notifications/twin/properties/desired", ""])
MEMBERS = st.dictionaries(NAMES, WORDS | VALUES, max_size=4)
SIMPLE_IDS = st.one_of(st.none(), st.uuids(), st.binary(max_size=20), st.text(max_size=20))
BODIES = st.one_of(st.just(b"{}"), st.just(b'{"a": 1}'), st.binary(max_size=40))


def section(code: int, value: Any) -> bytes:
    return bytes([0x00, 0x53, code]) + encode(value)


@st.composite
def payloads(draw: st.DrawFn) -> bytes:
    """Sections whose values are of any kind, in their order; or any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=60))
    properties = [None, None, None, None, None, draw(SIMPLE_IDS), *draw(st.lists(SIMPLE, max_size=7))]
    parts = {
        0x72: draw(MEMBERS),
        0x73: properties,
        0x74: draw(MEMBERS),
        draw(st.sampled_from([0x75, 0x75, 0x77])): draw(BODIES),
    }
    return b"".join(section(code, value) for code, value in parts.items() if draw(st.integers(0, 5)))


def bounds(short: int) -> settings:
    return examples(short, short * 30)


@bounds(30)
@given(st.lists(st.tuples(st.integers(0, 2), payloads(), st.sampled_from([0, BATCH_FORMAT])), min_size=1, max_size=8))
def test_each_message_has_an_outcome_and_the_next_ones_too(sent: list[tuple[int, bytes, int]]) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        for handle, address in enumerate(ADDRESSES):
            client.sender(address, handle)
            client.receiver(address.replace("messages/events", "messages/devicebound"), handle + 3)
        for handle, payload, message_format in sent:
            assert isinstance(client.message(handle, payload, message_format=message_format), Accepted | Rejected)
        assert client.message(0, Message(data=(b"last",))) == Accepted()
        assert hub.sent()[-1].body == b"last"
        assert client.talk.hub.state is State.OPEN

    run(main)


@bounds(20)
@given(st.lists(payloads(), min_size=1, max_size=5))
def test_a_batch_of_anything_is_stored_whole_or_not_at_all(parts: list[bytes]) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        client.sender(ADDRESSES[0])
        outcome = client.message(0, encode_message(Message(data=tuple(parts))), message_format=BATCH_FORMAT)
        assert len(hub.sent()) == (len(parts) if outcome == Accepted() else 0)

    run(main)


@bounds(20)
@given(st.sampled_from([Accepted(), Rejected(), Released(), Modified(), None]), st.booleans(), st.integers(0, 3))
def test_any_settlement_of_a_delivery_that_was_not_made_changes_nothing(
    outcome: Any, settled: bool, number: int
) -> None:
    async def main(loop: MovedLoop) -> None:
        hub = DeviceHub(loop, "pump-1")
        client = hub.connect()
        client.receiver("/devices/pump-1/messages/devicebound")
        client.settle_number(number, outcome, settled=settled)
        client.sender(ADDRESSES[0], 5)
        assert client.message(5, Message(data=(b"last",))) == Accepted()

    run(main)
