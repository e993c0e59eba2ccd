"""The clock is as far ahead after a restart of the hub, and a crash never takes its time back."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from azext_iotjobs.localhub.clock import NO_TIME
from azext_iotjobs.localhub.engine.clock_service import MAX_AHEAD, STORE_INTERVAL_S, ClockService, TooFarAhead
from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.store.clock_offset import ClockOffset
from azext_iotjobs.localhub.store.database import Database
from tests.helpers.moved_loop import HandClock

HOUR = timedelta(hours=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "hub.db")
    yield opened
    opened.close()


def stored(database: Database) -> timedelta:
    return ClockOffset(database).load()


def test_what_it_was_moved_by_is_stored_and_gone_with_everything_else(database: Database) -> None:
    assert stored(database) == NO_TIME
    service = ClockService(database, HandClock())
    service.advance(2 * HOUR)
    service.advance(timedelta(seconds=0.25))
    assert stored(database) == service.clock.offset == 2 * HOUR + timedelta(seconds=0.25)
    database.empty()
    service.reload()
    assert stored(database) == service.clock.offset == NO_TIME


def test_it_may_be_ten_years_ahead_and_no_more(database: Database) -> None:
    service = ClockService(database, HandClock())
    service.advance(MAX_AHEAD)
    with pytest.raises(TooFarAhead):
        service.advance(timedelta(microseconds=1))
    assert stored(database) == service.clock.offset == MAX_AHEAD


def test_a_move_that_cannot_be_stored_is_not_made(database: Database, tmp_path: Path) -> None:
    service = ClockService(database, HandClock())
    database.change("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "hub.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        service.advance(HOUR)
    other.execute("ROLLBACK")
    other.close()
    assert stored(database) == service.clock.offset == NO_TIME


@pytest.mark.parametrize("scale", [0.5, 100.0])
def test_after_a_crash_the_time_of_a_hub_at_a_scale_goes_on_and_never_back(database: Database, scale: float) -> None:
    clock = HandClock(scale=scale)
    service = ClockService(database, clock)
    service.advance(HOUR)
    for _ in range(3):
        clock.advance(service._step())
        offset = stored(database)
        assert clock.offset <= offset <= clock.offset + timedelta(seconds=2 * STORE_INTERVAL_S * scale)
    service.end()
    assert stored(database) == clock.offset


@pytest.mark.parametrize("value", ["'soon'", "9e999", "1e15", "-1e13"])
def test_a_damaged_offset_is_told(database: Database, value: str) -> None:
    database.change(f"INSERT INTO clock VALUES (1, {value})")
    with pytest.raises(StoreDamaged, match="The row of the hub's clock in the hub's database is damaged"):
        stored(database)
