"""Events on disk: what was acknowledged is there after any end, once, at the same place."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.engine.log_reading import Page, Wanted
from azext_iotjobs.localhub.engine.shown_events import SHOWN_EVENTS
from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod, DeviceEvent, DeviceMessage, Sender, partition_of
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.events import REMOVED_AT_ONCE, EventRows, Extent, write_events
from azext_iotjobs.localhub.store.newest_events import KEPT_BYTES
from tests.helpers.event_logs import NOW, add, bodies, events_of, on_disk
from tests.helpers.moved_loop import MovedLoop, run, turns

PUMP = partition_of("pump-1", 4)
HUGE = 2**60


class CountedRows(EventRows):
    """Notes how many events each transaction adds."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.transactions: list[int] = []

    def add(self, events: Sequence[DeviceEvent]) -> None:
        self.transactions.append(len(events))
        super().add(events)


def places(log: EventLog) -> list[tuple[int, int, int, bytes]]:
    return [
        (event.number, partition, event.sequence_number, event.message.body)
        for partition in range(log.partition_count)
        for event in events_of(log, partition)
    ]


def test_a_sender_is_told_when_its_messages_are_stored_and_not_before(tmp_path: Path) -> None:
    async def main(_loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (log, _):
            told = add(log, "pump-1", b"1")
            assert told == [] and events_of(log, PUMP) == []
            await turns()
            assert told == [None] and bodies(events_of(log, PUMP)) == [b"1"]

    run(main)


def test_what_comes_in_one_turn_is_one_transaction(tmp_path: Path) -> None:
    async def main(loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (_, database):
            rows = CountedRows(database)
            log = EventLog(loop, rows=rows)
            told = [add(log, f"d{number}", b"1", b"2") for number in range(20)]
            await turns()
            assert told == [[None]] * 20
            assert rows.transactions == [40]

    run(main)


def test_every_field_of_an_event_is_the_same_after_a_restart(tmp_path: Path) -> None:
    full = Sender(
        address=Address("pump-1", "m"), auth_method=AuthMethod.CERTIFICATE, generation_id="638", model_id="dtmi:a;1"
    )
    sent = DeviceMessage(body=b"\x00\xff", properties={"é": "ü", "none": None}, system={"messageId": "m1"})

    async def main(_loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (log, _):
            log.append(full, [sent], NOW + timedelta(microseconds=123456), lambda _: None, source="twinChangeEvents")
            log.store()
            (before,) = events_of(log, PUMP)
        with on_disk(tmp_path) as (log, _):
            (after,) = events_of(log, PUMP)
        assert isinstance(before, DeviceEvent) and after == before

    run(main)


def test_after_a_restart_all_are_read_and_the_counts_go_on(tmp_path: Path) -> None:
    async def main(_loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (log, _):
            for number in range(3 * SHOWN_EVENTS):
                add(log, f"d{number % 7}", str(number).encode())
            log.store()
            before, states = places(log), [log.state(each) for each in range(4)]
        with on_disk(tmp_path) as (log, _):
            assert places(log) == before
            assert [log.state(each) for each in range(4)] == states
            page = log.shown.read(0, 2, Wanted())
            assert [number for number, _ in page.entries] == [2 * SHOWN_EVENTS + 1, 2 * SHOWN_EVENTS + 2]
            assert (page.dropped, log.shown.last) == (2 * SHOWN_EVENTS, 3 * SHOWN_EVENTS)
            add(log, "d1", b"new")
            log.store()
            (new,) = set(places(log)) - set(before)
            assert new[0] == 3 * SHOWN_EVENTS + 1
            assert new[2] == states[partition_of("d1", 4)].last + 1

    run(main)


def test_what_is_older_than_memory_holds_is_read_from_the_disk_and_found_by_its_time(tmp_path: Path) -> None:
    async def main(_loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (log, _):
            for number in range(2 * SHOWN_EVENTS):
                add(log, "pump-1", str(number).encode(), at=NOW + timedelta(seconds=number))
            log.store()
        with on_disk(tmp_path) as (log, _):
            at = log.first_at(PUMP, NOW + timedelta(seconds=123))
            assert bodies(log.read(PUMP, at, 1)) == [b"123"]
            assert bodies(events_of(log, PUMP, start=123)) == [str(each).encode() for each in range(123, 2000)]

    run(main)


def test_a_full_disk_is_told_to_every_sender_and_nothing_of_theirs_is_read(tmp_path: Path) -> None:
    async def main(_loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (log, database):
            add(log, "pump-1", b"before")
            log.store()
            (pages,) = database.rows("PRAGMA page_count")
            database.rows(f"PRAGMA max_page_count = {pages[0]}")
            told = [add(log, "pump-1", b"x" * 100_000), add(log, "d2", b"small")]
            await turns()
            assert [type(each) for (each,) in told] == [StoreUnavailable, StoreUnavailable]
            assert [each[3] for each in places(log)] == [b"before"]
            database.rows("PRAGMA max_page_count = 100000")
            add(log, "pump-1", b"after")
            log.store()
            after = events_of(log, PUMP)
            assert [(each.number, each.sequence_number, each.message.body) for each in after] == [
                (1, 0, b"before"),
                (2, 1, b"after"),
            ]

    run(main)


def test_old_events_are_removed_and_the_counts_go_on_after_a_restart(tmp_path: Path) -> None:
    async def main(_loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (log, _):
            for number in range(REMOVED_AT_ONCE + 5):
                add(log, "pump-1", str(number).encode(), at=NOW + timedelta(seconds=number))
            log.store()
            assert log.remove_old(NOW + timedelta(days=1, seconds=2)) == 0
            assert log.state(PUMP).begin == 2 and bodies(events_of(log, PUMP)[:1]) == [b"2"]
            late = NOW + timedelta(days=2)
            while not log.remove_old(late):
                pass
            state = log.state(PUMP)
            assert (state.is_empty, state.last, events_of(log, PUMP)) == (True, 1004, [])
            assert log.shown.read(0, 10, Wanted()) == Page([], 1005, 1005)
        with on_disk(tmp_path) as (log, _):
            assert (log.state(PUMP).is_empty, log.state(PUMP).last) == (True, 1004)
            add(log, "pump-1", b"new")
            log.store()
            assert [(each.number, each.sequence_number) for each in events_of(log, PUMP)] == [(1006, 1005)]

    run(main)


def test_more_bytes_than_the_file_may_have_end_the_oldest(tmp_path: Path) -> None:
    async def main(_loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (log, database):
            for _ in range(REMOVED_AT_ONCE + 100):
                add(log, "pump-1", b"x" * 500)
            log.store()
            rows = EventRows(database)
            assert rows.remove_some(NOW - timedelta(days=1), HUGE) == 0
            assert rows.remove_some(NOW - timedelta(days=1), 200_000) == REMOVED_AT_ONCE
            assert rows.remove_some(NOW - timedelta(days=1), 200_000) == 0
            assert rows.extents()[PUMP].begin == REMOVED_AT_ONCE

    run(main)


def test_a_reset_removes_what_is_on_disk_and_the_counts_go_on(tmp_path: Path) -> None:
    async def main(_loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (log, _):
            add(log, "pump-1", b"1", b"2")
            log.store()
            log.clear()
        with on_disk(tmp_path) as (log, _):
            assert (log.state(PUMP).begin, log.state(PUMP).last, places(log)) == (2, 1, [])

    run(main)


@pytest.mark.parametrize("content", ["not JSON", "{}", "[]", '{"deviceId": "d", "moduleId": null}'])
def test_a_damaged_event_is_named(tmp_path: Path, content: str) -> None:
    async def main(_loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (log, database):
            for number in range(SHOWN_EVENTS + 5):
                add(log, "pump-1", str(number).encode())
            log.store()
            database.change("UPDATE events SET description = ? WHERE number = 3", (content,))
        with on_disk(tmp_path) as (log, _):
            assert bodies(log.read(PUMP, 0, 20)) == [b"0", b"1"]
            with pytest.raises(StoreDamaged, match="event 3"):
                log.read(PUMP, 2, 20)
            assert bodies(log.read(PUMP, 3, 1)) == [b"3"]

    run(main)


def test_partitions_are_made_once(tmp_path: Path) -> None:
    async def main(_loop: MovedLoop) -> None:
        with on_disk(tmp_path, 8) as (log, _):
            assert log.partition_count == 8
        with on_disk(tmp_path, 2) as (log, _):
            assert log.partition_count == 8

    run(main)


def test_events_are_copied_from_disk_to_memory_and_back_at_their_places(tmp_path: Path) -> None:
    async def main(loop: MovedLoop) -> None:
        with on_disk(tmp_path) as (log, _):
            for number in range(20):
                add(log, f"d{number % 3}", str(number).encode())
            log.store()
            before = places(log)
            log.copy_to(tmp_path / "copy.db")
            in_memory = EventLog(loop)
            add(in_memory, "pump-1", b"gone")
            in_memory.replace_by(tmp_path / "copy.db")
            assert places(in_memory) == before
            add(in_memory, "d1", b"more")
            in_memory.copy_to(tmp_path / "again.db")
            log.replace_by(tmp_path / "again.db")
            assert places(log) == places(in_memory) != before
            log.clear()
            log.copy_to(tmp_path / "none.db")
            in_memory.replace_by(tmp_path / "none.db")
            assert places(in_memory) == []
            add(in_memory, "d1", b"next")
            assert [number for number, _ in in_memory.shown.read(0, 10, Wanted()).entries] == [22]

    run(main)


def test_of_more_events_than_fit_into_memory_the_newest_are_there(tmp_path: Path) -> None:
    async def main(loop: MovedLoop) -> None:
        body, log = b"x" * 200 * 1024, EventLog(loop)
        add(log, "pump-1", body)
        (first,) = events_of(log, PUMP)
        count = KEPT_BYTES // len(body) + 10
        many = [replace(first, number=number + 1, sequence_number=number) for number in range(count)]
        extents = [Extent(0, count if partition == PUMP else 0) for partition in range(log.partition_count)]
        write_events(tmp_path / "many.db", extents, many)
        log.replace_by(tmp_path / "many.db")
        state = log.state(PUMP)
        assert 10 <= state.begin < state.last == count - 1
        assert [each.number for each in events_of(log, PUMP)] == list(range(state.begin + 1, count + 1))

    run(main)
