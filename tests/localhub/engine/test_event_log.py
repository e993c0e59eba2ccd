"""The log of events: places in partitions, who is woken, and that memory does not grow with what is sent."""

import asyncio
from datetime import timedelta

import pytest

from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.engine.log_reading import Wanted
from azext_iotjobs.localhub.engine.shown_events import RESPONSE_BYTES, SHOWN_EVENTS
from azext_iotjobs.localhub.process.outages import Outages
from azext_iotjobs.localhub.rules.event import DeviceMessage, partition_of
from azext_iotjobs.localhub.store.newest_events import KEPT_BYTES, KEPT_EVENTS
from tests.helpers.event_logs import NOW, add, bodies, events_of, sender
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns

LARGE = 256 * 1024
PUMP = partition_of("pump-1", 4)
LATER = NOW + timedelta(seconds=1)


def shown(log: EventLog) -> list[int]:
    numbers: list[int] = []
    after = 0
    while (page := log.shown.read(after, 100, Wanted())).entries:
        numbers += [number for number, _ in page.entries]
        assert [each.number for _, each in page.entries] == numbers[-len(page.entries) :]
        assert len(page.entries) == 1 or sum(each.size_bytes for _, each in page.entries) <= RESPONSE_BYTES
        after = page.next_after
    return numbers


def in_another_partition(partition_count: int = 4) -> str:
    names = (f"valve-{number}" for number in range(100))
    return next(each for each in names if partition_of(each, partition_count) != PUMP)


@pytest.mark.parametrize("partition_count", [2, 4, 32])
def test_each_device_has_one_partition_and_each_partition_its_own_count_from_0(partition_count: int) -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop, partition_count)
        for number in range(300):
            assert add(log, f"d{number % 30}", str(number).encode()) == [None]
        devices: list[str] = []
        for partition in range(partition_count):
            events = events_of(log, partition)
            assert [each.sequence_number for each in events] == list(range(len(events)))
            offsets = [int(each.offset) for each in events]
            assert offsets == sorted(set(offsets))
            assert bodies(events) == sorted(bodies(events), key=int)
            devices += {each.sender.address.device_id for each in events}
        assert sorted(devices) == sorted(f"d{number}" for number in range(30))

    run(main)


def test_many_devices_are_spread_over_the_partitions() -> None:
    counts = [0] * 32
    for number in range(10_000):
        counts[partition_of(f"sim-{number:05}", 32)] += 1
    assert min(counts) > 200 and max(counts) < 500


def test_a_partition_says_what_it_holds() -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        new = log.state(PUMP)
        assert (new.begin, new.last, new.last_offset, new.is_empty) == (0, -1, "-1", True)
        add(log, "pump-1", b"1", b"2", at=LATER)
        used = log.state(PUMP)
        (_, last) = events_of(log, PUMP)
        assert (used.begin, used.last, used.last_offset, used.is_empty) == (0, 1, last.offset, False)
        assert used.last_enqueued_at == LATER

    run(main)


def test_a_reader_is_woken_once_for_what_came_together_and_only_for_its_partition() -> None:
    async def main(loop: MovedLoop) -> None:
        log, woken = EventLog(loop), []
        end = log.listen(PUMP, lambda: woken.append(bodies(events_of(log, PUMP))))
        add(log, in_another_partition(), b"not here")
        await turns()
        assert woken == []
        add(log, "pump-1", b"1")
        add(log, "pump-1", b"2")
        await turns()
        assert woken == [[b"1", b"2"]]
        end()
        end()
        add(log, "pump-1", b"3")
        await turns()
        assert len(woken) == 1

    run(main)


@pytest.mark.parametrize(
    "message",
    [
        DeviceMessage(body=b"x" * LARGE, properties={}, system={}),
        DeviceMessage(body=b"", properties={"name" * 10_000: "v" * 20_000}, system={}),
        DeviceMessage(body=b"", properties={}, system={"messageId": "v" * 60_000}),
    ],
)
def test_large_messages_are_kept_up_to_a_number_of_bytes_the_newest_first(message: DeviceMessage) -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        for _ in range(2000):
            log.append(sender(), [message], NOW, lambda _: None)
        events = events_of(log, PUMP)
        assert [each.sequence_number for each in events] == list(range(2000 - len(events), 2000))
        assert log.state(PUMP).begin == 2000 - len(events)
        size = events[0].size_bytes
        assert size >= 60_000 and KEPT_BYTES - size < len(events) * size <= KEPT_BYTES
        assert shown(log)[-1] == 2000

    run(main)


def test_small_ones_are_kept_up_to_their_number_and_the_newest_of_them_are_shown() -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        for _ in range(KEPT_EVENTS // 5 + 1):
            add(log, "pump-1", b"", b"", b"", b"", b"")
        assert log.state(PUMP).begin == 5
        assert events_of(log, PUMP)[0].sequence_number == 5
        assert shown(log) == list(range(KEPT_EVENTS + 5 - SHOWN_EVENTS + 1, KEPT_EVENTS + 6))

    run(main)


def test_after_all_were_removed_numbers_and_offsets_go_on() -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        add(log, "pump-1", b"1", b"2")
        log.clear()
        assert shown(log) == [] and events_of(log, PUMP) == []
        state = log.state(PUMP)
        assert (state.begin, state.last, state.is_empty) == (2, 1, True)
        add(log, "pump-1", b"3")
        (event,) = events_of(log, PUMP)
        assert (event.number, event.sequence_number) == (3, 2)
        assert shown(log) == [3]

    run(main)


def test_the_first_event_at_an_instant_is_found_also_when_the_clock_was_set_back() -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        for seconds in (0, 10, 5, 20):
            add(log, "pump-1", b"", at=NOW + timedelta(seconds=seconds))
        times = [(each.enqueued_at - NOW).total_seconds() for each in events_of(log, PUMP)]
        assert times == [0, 10, 10, 20]
        found = [log.first_at(PUMP, NOW + timedelta(seconds=at)) for at in (-1, 0, 1, 10, 11, 21)]
        assert found == [0, 0, 1, 1, 3, 4]

    run(main)


def test_with_the_events_what_was_last_is_forgotten_too_and_a_clock_that_was_set_back_counts() -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        add(log, "pump-1", b"", at=NOW + timedelta(days=1))
        log.clear()
        add(log, "pump-1", b"", at=NOW)
        assert [each.enqueued_at for each in events_of(log, PUMP)] == [NOW]

    run(main)


def test_when_the_clock_is_moved_events_end_at_once() -> None:
    async def main(loop: MovedLoop) -> None:
        clock = HandClock()
        log = EventLog(loop, retention=timedelta(days=1))
        add(log, "pump-1", b"old", at=clock.now())
        task = asyncio.ensure_future(log.run(clock, Outages()))
        await turns()
        assert shown(log) == [1]
        clock.move(timedelta(days=1, seconds=1))
        await turns()
        assert shown(log) == []
        task.cancel()

    run(main)


def test_events_in_memory_end_with_their_time() -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop, retention=timedelta(days=1))
        add(log, "pump-1", b"old")
        add(log, "pump-1", b"new", at=NOW + timedelta(hours=12))
        log.remove_old(NOW + timedelta(hours=30))
        assert bodies(events_of(log, PUMP)) == [b"new"]
        assert log.state(PUMP).begin == 1

    run(main)
