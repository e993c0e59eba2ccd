"""Who is on line and was heard when: read at once, written a little later, in the end by nobody but its own device."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from azext_iotjobs.localhub.engine.selector import Selector
from azext_iotjobs.localhub.query.parser import parse_condition
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.twin import new_twin
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import CONNECTED, DISCONNECTED, Identities, Identity
from azext_iotjobs.localhub.store.presence import ROWS_AT_ONCE
from azext_iotjobs.localhub.store.twins import Twins
from tests.helpers.moved_loop import MovedLoop, run, turns, within_limit

T1, T2 = "2026-05-01T08:00:01.0000000Z", "2026-05-01T08:00:02.0000000Z"
PUMP = Address("pump-1")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "hub.db")
    yield opened
    opened.close()


def house(database: Database, *device_ids: str) -> Identities:
    identities = Identities(database, Twins(database))
    for each in device_ids:
        identities.create(Identity(device_id=each, generation_id="1", etag=1, sign_in="sas"), new_twin(T1))
    return identities


def in_rows(database: Database, device_id: str = "pump-1") -> tuple[str, str, str]:
    """State, its instant and the last activity, as another hub would find them."""
    sql = "SELECT connection_state, connection_updated_at, last_activity_at FROM identities WHERE device_id = ?"
    row = database.row(sql, (device_id,))
    assert row is not None
    return tuple(row)


def presence(identity: Identity | None) -> tuple[str, str, str]:
    assert identity is not None
    return identity.connection_state, identity.connection_updated_at, identity.last_activity_at


def test_what_is_read_is_the_newest_though_nothing_is_written_yet(database: Database) -> None:
    identities = house(database, "pump-1")
    never = in_rows(database)
    identities.presence.note_connection(PUMP, CONNECTED, T1)
    identities.presence.note_activity(PUMP, T2)
    assert presence(identities.get(PUMP)) == presence(identities.first(1)[0]) == (CONNECTED, T1, T2)
    assert in_rows(database) == never
    identities.presence.write()
    assert in_rows(database) == (CONNECTED, T1, T2)


def test_activity_alone_leaves_the_connection_as_it_is(database: Database) -> None:
    identities = house(database, "pump-1")
    identities.presence.note_connection(PUMP, CONNECTED, T1)
    identities.presence.write()
    identities.presence.note_activity(PUMP, T2)
    assert presence(identities.get(PUMP)) == (CONNECTED, T1, T2)
    identities.presence.write()
    assert in_rows(database) == (CONNECTED, T1, T2)


def test_a_changed_record_takes_along_what_was_not_written(database: Database) -> None:
    identities = house(database, "pump-1")
    identities.presence.note_connection(PUMP, CONNECTED, T1)
    found = identities.get(PUMP)
    assert found is not None
    identities.save(found)
    identities.presence.note_connection(PUMP, DISCONNECTED, T2)
    identities.presence.write()
    assert in_rows(database) == (DISCONNECTED, T2, T2)


def test_a_device_that_was_made_anew_was_never_seen(database: Database) -> None:
    identities = house(database, "pump-1")
    identities.presence.note_connection(PUMP, CONNECTED, T1)
    identities.delete(PUMP)
    identities.presence.note_connection(PUMP, DISCONNECTED, T2)  # its connection ends, as its record is gone
    house_again = Identity(device_id="pump-1", generation_id="2", etag=1, sign_in="sas")
    identities.create(house_again, new_twin(T2))
    identities.presence.write()
    assert presence(identities.get(PUMP)) == in_rows(database) == presence(house_again)


def test_a_query_sees_what_was_not_written(database: Database) -> None:
    identities = house(database, "pump-1", "pump-2")
    selector = Selector(database, identities.presence)
    identities.presence.note_connection(PUMP, CONNECTED, T1)
    assert selector.devices("connectionState = 'Connected'") == [PUMP]
    condition = parse_condition("connectionState = 'Disconnected'")
    rows = selector.page(condition.collection, condition.where, after=0, count=10)
    assert [row["device_id"] for row in rows] == ["pump-2"]


def test_it_is_written_within_a_second_or_so_and_a_fleet_in_pieces(database: Database) -> None:
    ids = [f"pump-{number}" for number in range(ROWS_AT_ONCE + 1)]
    identities = house(database, *ids)

    async def story(loop: MovedLoop) -> None:
        running = loop.create_task(identities.presence.run())
        await turns()
        for each in ids:
            identities.presence.note_connection(Address(each), CONNECTED, T1)
        loop.advance(1.0)
        while in_rows(database, ids[0])[0] != CONNECTED:
            await asyncio.sleep(0)
        assert in_rows(database, ids[-1])[0] == DISCONNECTED  # not in one piece: others have their turn
        while in_rows(database, ids[-1])[0] != CONNECTED:
            await asyncio.sleep(0)
        running.cancel()

    run(lambda loop: within_limit(story(loop)))


def test_a_full_disk_loses_nothing_and_is_logged_once(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    identities = house(database, "pump-1")
    identities.presence.note_connection(PUMP, CONNECTED, T1)
    database.change("PRAGMA query_only = ON")  # every write fails, as on a full disk
    with caplog.at_level(logging.WARNING):
        identities.presence.write()
        identities.presence.write()
    assert len(caplog.records) == 1
    assert presence(identities.get(PUMP)) == (CONNECTED, T1, T1)
    database.change("PRAGMA query_only = OFF")
    identities.presence.write()
    assert in_rows(database) == (CONNECTED, T1, T1)
