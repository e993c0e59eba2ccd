"""Logs of events for tests: in memory, or on disk and opened again."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from azext_iotjobs.localhub.engine.event_log import EventLog, StoreError
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod, DeviceEvent, DeviceMessage, Sender
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.events import MIGRATIONS, EventRows

NOW = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)


def sender(device: str = "pump-1", module: str | None = None) -> Sender:
    """A device that has signed with its own key."""
    return Sender(address=Address(device, module), auth_method=AuthMethod.DEVICE_KEY, generation_id="7")


def message(body: bytes = b"{}", **system: str) -> DeviceMessage:
    """A message without properties of an application."""
    return DeviceMessage(body=body, properties={}, system=system)


def add(log: EventLog, device: str, *bodies: bytes, at: datetime = NOW) -> list[StoreError | None]:
    """Have a device send; gives what it is told, which is nothing yet while that waits for the disk."""
    told: list[StoreError | None] = []
    log.append(sender(device), [message(body) for body in bodies], at, told.append)
    return told


def events_of(log: EventLog, partition: int, start: int = 0) -> list[DeviceEvent]:
    """All events of a partition, page by page."""
    found: list[DeviceEvent] = []
    while page := log.read(partition, found[-1].sequence_number + 1 if found else start, 20):
        found += page
    return found


def bodies(events: Sequence[DeviceEvent]) -> list[bytes]:
    """What was sent."""
    return [event.message.body for event in events]


@contextmanager
def on_disk(folder: Path, partition_count: int = 4) -> Iterator[tuple[EventLog, Database]]:
    """A log of what is in a folder, in a running event loop."""
    database = Database(folder / "events.db", migrations=MIGRATIONS)
    try:
        rows = EventRows(database)
        found = rows.prepare(partition_count)
        yield EventLog(asyncio.get_running_loop(), found, rows), database
    finally:
        database.close()
