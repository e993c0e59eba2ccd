"""What devices sent is kept within a number of events and a number of bytes: memory does not grow with what is sent."""

import pytest

from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.store.events import KEPT_BYTES, KEPT_EVENTS, RESPONSE_BYTES, DeviceMessage, Events

PUMP, NOW = Address("pump-1"), "2026-05-01T08:00:00.0000000Z"
LARGE = 256 * 1024


def all_of(events: Events) -> list[int]:
    numbers: list[int] = []
    while page := events.after(numbers[-1] if numbers else 0, 100):
        numbers += [each.number for each in page]
        assert len(page) == 1 or sum(each.size_bytes for each in page) <= RESPONSE_BYTES
    return numbers


@pytest.mark.parametrize(
    "message",
    [
        DeviceMessage(body=b"x" * LARGE, properties={}, system={}),
        DeviceMessage(body=b"", properties={"name" * 10_000: "v" * 20_000}, system={}),
        DeviceMessage(body=b"", properties={}, system={"messageId": "v" * 60_000}),
    ],
)
def test_large_messages_are_kept_up_to_a_number_of_bytes_the_newest_first(message: DeviceMessage) -> None:
    events = Events()
    for _ in range(KEPT_EVENTS):
        events.add(PUMP, message, NOW)
    kept = all_of(events)
    assert kept == list(range(KEPT_EVENTS - len(kept) + 1, KEPT_EVENTS + 1))
    size = events.after(KEPT_EVENTS - 1, 1)[0].size_bytes
    assert size >= 60_000 and KEPT_BYTES - size < len(kept) * size <= KEPT_BYTES


def test_small_ones_are_kept_up_to_their_number() -> None:
    events = Events()
    for number in range(KEPT_EVENTS + 5):
        events.add(PUMP, DeviceMessage(body=str(number).encode(), properties={}, system={}), NOW)
    assert all_of(events) == list(range(6, KEPT_EVENTS + 6))
    events.clear()
    assert all_of(events) == []
    events.add(PUMP, DeviceMessage(body=b"", properties={}, system={}), NOW)
    assert [each.number for each in events.after(0, 10)] == [KEPT_EVENTS + 6]
