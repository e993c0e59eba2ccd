"""The newest events as one log: whose a reader gets, how it goes on, and who waits for more."""

from pathlib import Path

import pytest

from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.engine.log_reading import Page, Wanted
from azext_iotjobs.localhub.engine.shown_events import RESPONSE_BYTES, SHOWN_EVENTS
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod, DeviceEvent, DeviceMessage, Sender
from tests.helpers.event_logs import NOW, add
from tests.helpers.moved_loop import MovedLoop, run, turns, within_limit

ANY = Wanted()


def add_of_module(log: EventLog, device: str, module: str) -> None:
    sender = Sender(address=Address(device, module), auth_method=AuthMethod.DEVICE_KEY, generation_id="1")
    log.append(sender, [DeviceMessage(body=b"", properties={}, system={})], NOW, lambda _: None)


def numbers(page: Page[DeviceEvent]) -> list[int]:
    return [number for number, _ in page.entries]


def test_events_are_those_of_a_device_of_a_module_or_all() -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        add(log, "pump-1", b"1")
        add_of_module(log, "pump-1", "camera")
        add(log, "valve-1", b"3")
        add(log, "pump-1", b"4")
        shown = log.shown
        assert numbers(shown.read(0, 100, ANY)) == [1, 2, 3, 4]
        assert numbers(shown.read(0, 100, Wanted("pump-1"))) == [1, 2, 4]
        assert numbers(shown.read(0, 100, Wanted("pump-1", "camera"))) == [2]
        assert shown.read(1, 100, Wanted("nobody")) == Page([], 4, 0)

    run(main)


def test_a_page_goes_on_after_its_last_event_or_at_the_end() -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        for device in ("pump-1", "valve-1", "pump-1", "valve-1"):
            add(log, device, b"")
        assert log.shown.read(0, 1, Wanted("pump-1")).next_after == 1
        assert log.shown.read(1, 10, Wanted("pump-1")).next_after == 4
        assert log.shown.read(4, 10, ANY) == Page([], 4, 0)

    run(main)


def test_a_page_has_so_many_bytes_at_most_and_one_event_at_least() -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        for size in (RESPONSE_BYTES + 1, RESPONSE_BYTES // 2, RESPONSE_BYTES // 2, 1):
            add(log, "pump-1", b"x" * size)
        pages, after = [], 0
        while after < log.shown.last:
            page = log.shown.read(after, 10, ANY)
            pages.append(numbers(page))
            after = page.next_after
        assert pages == [[1], [2], [3, 4]]

    run(main)


def test_a_reader_learns_how_many_are_not_shown_any_more_but_for_those_that_a_reset_removed() -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        for _ in range(SHOWN_EVENTS + 3):
            add(log, "pump-1", b"")
        assert (log.shown.read(0, 1, ANY).dropped, log.shown.read(2, 1, ANY).dropped) == (3, 1)
        assert log.shown.read(3, 1, ANY).dropped == 0
        log.clear()
        assert log.shown.read(0, 1, ANY) == Page([], SHOWN_EVENTS + 3, 0)
        add(log, "pump-1", b"")
        assert log.shown.read(0, 9, ANY).entries[0][0] == SHOWN_EVENTS + 4
        assert log.shown.read(0, 9, ANY).dropped == 0

    run(main)


@pytest.mark.parametrize(("device", "is_woken"), [(None, True), ("pump-1", True), ("valve-1", False)])
def test_who_waits_is_woken_by_an_event_that_may_be_wanted(device: str | None, is_woken: bool) -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        waiting = loop.create_task(log.shown.waits.wait(Wanted(device), 30))
        await turns()
        add(log, "pump-1", b"")
        await turns()
        assert waiting.done() is is_woken
        log.shown.waits.close()
        await within_limit(waiting)
        assert len(log.shown.waits) == 0

    run(main)


def test_after_a_snapshot_was_restored_the_numbers_are_its_own_and_who_waits_looks_again(tmp_path: Path) -> None:
    async def main(loop: MovedLoop) -> None:
        log = EventLog(loop)
        add(log, "pump-1", b"1")
        log.copy_to(tmp_path / "events.db")
        for _ in range(5):
            add(log, "pump-1", b"")
        log.clear()
        waiting = loop.create_task(log.shown.waits.wait(ANY, 30))
        await turns()
        log.replace_by(tmp_path / "events.db")
        await within_limit(waiting)
        assert log.shown.last == 1 and numbers(log.shown.read(0, 9, ANY)) == [1]
        assert log.shown.read(6, 9, ANY) == Page([], 1, 0)  # who has waited goes on from here

    run(main)
