"""A log of what was observed: numbers, limits, whose entries a reader gets, and who waits."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.engine.log_reading import Page, Wanted
from azext_iotjobs.localhub.engine.observation_log import MAX_BYTES, MAX_ENTRIES, ObservationLog
from azext_iotjobs.localhub.engine.observations import Observations
from azext_iotjobs.localhub.errors import GATEWAY_TIMEOUT, HubError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.observation import (
    MAX_TEXT_CHARS,
    CallState,
    Client,
    ClientProtocol,
    ConnectionChange,
    ConnectionEntry,
)
from tests.helpers.log_readers import waiting_count
from tests.helpers.moved_loop import HandClock, MovedLoop, run, turns, within_limit

ANY = Wanted()
PUMP, MODULE, VALVE = Address("pump-1"), Address("pump-1", "camera"), Address("valve-1")
Log = ObservationLog[ConnectionEntry]


def entry(address: Address | None = PUMP) -> ConnectionEntry:
    return ConnectionEntry(HandClock().now(), Client(ClientProtocol.MQTT, None, address), ConnectionChange.ENDED, None)


def filled(*addresses: Address | None) -> Log:
    log: Log = ObservationLog()
    for each in addresses:
        log.add(entry(each))
    return log


def numbers(log: Log, wanted: Wanted = ANY, after: int = 0, limit: int = 100) -> list[int]:
    return [number for number, _ in log.read(after, limit, wanted).entries]


def test_entries_are_those_of_a_device_of_a_module_or_all() -> None:
    log = filled(PUMP, MODULE, VALVE, None, PUMP)
    assert numbers(log) == [1, 2, 3, 4, 5]
    assert numbers(log, Wanted("pump-1")) == [1, 2, 5]
    assert numbers(log, Wanted("pump-1", "camera")) == [2]
    assert numbers(log, Wanted("pump-1"), after=1) == [2, 5]
    assert numbers(log, Wanted("nobody")) == []


def test_a_page_goes_on_after_its_last_entry_or_at_the_end_of_the_log() -> None:
    log = filled(PUMP, VALVE, PUMP, VALVE)
    assert log.read(0, 1, Wanted("pump-1")).next_after == 1
    assert log.read(1, 10, Wanted("pump-1")).next_after == 4
    assert log.read(4, 10, ANY) == Page([], 4, 0)


def test_only_the_newest_entries_are_kept_and_a_reader_learns_how_many_are_gone() -> None:
    log = filled(*[PUMP] * (MAX_ENTRIES + 3))
    page = log.read(0, MAX_ENTRIES + 3, ANY)
    assert (len(page.entries), page.entries[0][0], page.dropped) == (MAX_ENTRIES, 4, 3)
    assert log.read(2, 1, ANY).dropped == 1
    assert log.read(3, 1, ANY).dropped == 0


def test_large_payloads_make_room_for_the_next_and_the_newest_stays() -> None:
    log: Log = ObservationLog()
    for size in (MAX_BYTES // 2, MAX_BYTES // 2, 1):
        log.add(entry(), size)
    assert numbers(log) == [2, 3]
    log.add(entry(), 2 * MAX_BYTES)
    assert numbers(log) == [4]
    log.add(entry())
    assert numbers(log) == [5]


def test_numbers_go_on_after_a_reset_and_what_it_removed_does_not_count_as_dropped() -> None:
    log = filled(PUMP, PUMP)
    log.clear()
    log.add(entry())
    assert log.read(0, 10, ANY) == Page([(3, entry())], 3, 0)


@given(
    st.lists(st.one_of(st.sampled_from([PUMP, MODULE, VALVE, None]), st.just("clear")), max_size=60),
    st.integers(1, 4),
    st.data(),
)
def test_a_reader_that_goes_on_sees_each_entry_once(steps: list[Any], limit: int, data: st.DataObject) -> None:
    log, after = filled(), 0
    seen, expected = list[int](), list[int]()
    for step in steps:
        if step == "clear":
            while expected and expected[-1] > after:  # not read before they were removed
                expected.pop()
            log.clear()
        else:
            log.add(entry(step))
            expected += [log.last] if step in (PUMP, MODULE) else []
        if data.draw(st.booleans()):
            page = log.read(after, limit, Wanted("pump-1"))
            seen, after = seen + [number for number, _ in page.entries], page.next_after
    while rest := log.read(after, limit, Wanted("pump-1")).entries:
        seen, after = seen + [number for number, _ in rest], rest[-1][0]
    assert seen == expected


def test_readers_wait_for_the_entries_that_they_want() -> None:
    async def main(loop: MovedLoop) -> None:
        log = filled()
        of_pump, of_any = (loop.create_task(log.waits.wait(each, 60)) for each in (Wanted("pump-1"), ANY))
        await turns()
        log.add(entry(VALVE))
        await within_limit(of_any)
        assert not of_pump.done() and waiting_count(log) == 1
        log.add(entry(MODULE))
        await within_limit(of_pump)
        assert waiting_count(log) == 0

    run(main)


def test_who_stops_to_wait_or_waits_in_vain_leaves_nothing_behind() -> None:
    async def main(loop: MovedLoop) -> None:
        log = filled()
        waiting = [loop.create_task(log.waits.wait(Wanted(f"d{number % 50}"), 60)) for number in range(500)]
        await turns()
        assert waiting_count(log) == 500
        for each in waiting[::2]:
            each.cancel()
        await asyncio.gather(*waiting[::2], return_exceptions=True)
        assert waiting_count(log) == 250
        loop.advance(61)
        await within_limit(asyncio.gather(*waiting[1::2]))
        assert waiting_count(log) == 0

    run(main)


def test_as_the_hub_ends_nobody_waits() -> None:
    async def main(loop: MovedLoop) -> None:
        observations = Observations(HandClock())
        log = observations.reported
        waiting = loop.create_task(log.waits.wait(ANY, 60))
        await turns()
        observations.close()
        await within_limit(waiting)
        await within_limit(log.waits.wait(ANY, 60))
        assert log.waits.is_closed and waiting_count(log) == 0

    run(main)


def test_a_call_has_an_entry_when_it_is_sent_and_one_when_it_has_ended() -> None:
    observations = Observations(HandClock(), lambda: 5.0)
    call = observations.calls.begin(PUMP, "open", {"percent": 100}, 15, "night")
    call.sent()
    call.failed(HubError(GATEWAY_TIMEOUT, "No response."))
    begun, ended = (each for _, each in observations.calls.log.read(0, 10, ANY).entries)
    assert (begun.state, begun.call_id, begun.payload, begun.job_id) == (
        CallState.CALLING,
        1,
        {"percent": 100},
        "night",
    )
    assert (ended.state, ended.call_id, ended.reason) == (CallState.TIMED_OUT, 1, "No response.")
    assert ended.error_code == "GatewayTimeout"


def test_a_call_that_a_reset_has_outlived_is_not_noted() -> None:
    observations = Observations(HandClock())
    call = observations.calls.begin(PUMP, "open", None, 4, None)
    call.sent()
    observations.clear()
    call.responded(200, None, 0)
    observations.calls.begin(PUMP, "shut", None, 4, None).sent()
    assert [each.name for _, each in observations.calls.log.read(0, 10, ANY).entries] == ["shut"]


def test_a_clients_long_texts_are_cut() -> None:
    observations = Observations(HandClock())
    observations.connections.refused(Client(ClientProtocol.MQTT, "x" * 60_000), "y" * 60_000)
    [(_, noted)] = observations.connections.log.read(0, 1, ANY).entries
    assert noted.client.name == f"{'x' * MAX_TEXT_CHARS}..." and noted.reason == f"{'y' * MAX_TEXT_CHARS}..."
