"""Events on disk, so that a consumer can continue where it was, also after a restart of the hub.

They are in a database of their own: registry, twins and jobs neither wait for its checkpoints nor share its damage.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from azext_iotjobs.localhub.clock import EPOCH
from azext_iotjobs.localhub.errors import StoreDamaged
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.event import AuthMethod, DeviceEvent, DeviceMessage, Sender
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import BYTES, NUMBER, TEXT, RowReader, RowValues, read_object

MIGRATIONS = (
    (
        # What is left of a partition when its events are gone: the count goes on.
        """
        CREATE TABLE partitions (
            partition INTEGER PRIMARY KEY,
            next_sequence_number INTEGER NOT NULL
        )
        """,
        """
        CREATE TABLE events (
            number INTEGER PRIMARY KEY,
            partition INTEGER NOT NULL,
            sequence_number INTEGER NOT NULL,
            enqueued_us INTEGER NOT NULL,
            description TEXT NOT NULL,
            body BLOB NOT NULL
        )
        """,
        "CREATE UNIQUE INDEX events_by_partition ON events (partition, sequence_number)",
    ),
)
COLUMNS = "number, partition, sequence_number, enqueued_us, description, body"
INSERT = f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
PAGE_EVENTS = 50  # read at once; one may have 256 KB
REMOVED_AT_ONCE = 1000  # some milliseconds; then other tasks run
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Extent:
    """The events of a partition: from `begin` up to, and without, `end`."""

    begin: int
    end: int


def write_events(path: Path, extents: Sequence[Extent], events: Iterable[DeviceEvent]) -> None:
    """Write events that were in memory only into a new database. extents: of all partitions.

    Raises StoreUnavailable, StoreDamaged.
    """
    with closing(Database(path, migrations=MIGRATIONS, is_copy=True)) as database:
        rows = EventRows(database)
        rows.prepare(len(extents))
        with database.transaction():
            rows.add(list(events))
            ends = [(extent.end, partition) for partition, extent in enumerate(extents)]
            database.change_many("UPDATE partitions SET next_sequence_number = ? WHERE partition = ?", ends)


class EventRows:
    """The events in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, events: Sequence[DeviceEvent]) -> None:
        """Add events, all or none. Raises StoreUnavailable, StoreDamaged."""
        with self._database.transaction():
            self._database.change_many(INSERT, [_values(event) for event in events])

    def prepare(self, partition_count: int) -> int:
        """Make the partitions, unless there are some already; gives how many there are.

        Raises StoreUnavailable, StoreDamaged.
        """
        if found := len(self.extents()):
            return found
        with self._database.transaction():
            self._database.change_many(
                "INSERT INTO partitions (partition, next_sequence_number) VALUES (?, 0)",
                [(partition,) for partition in range(partition_count)],
            )
        return partition_count

    def extents(self) -> list[Extent]:
        """Of each partition. Raises StoreUnavailable, StoreDamaged."""
        one = "(SELECT {}(sequence_number) FROM events WHERE events.partition = partitions.partition)"
        rows = self._database.rows(
            f"SELECT next_sequence_number AS next, {one.format('min')} AS first, {one.format('max')} AS last "
            "FROM partitions ORDER BY partition"
        )
        return [
            Extent(row["next"], row["next"]) if row["first"] is None else Extent(row["first"], row["last"] + 1)
            for row in rows
        ]

    def page(self, partition: int, sequence_number: int, count: int) -> list[DeviceEvent]:
        """At most `count` events of a partition and PAGE_EVENTS, from a sequence number on.

        It ends before one that is damaged. Raises StoreUnavailable, and StoreDamaged when that is the first.
        """
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM events WHERE partition = ? AND sequence_number >= ? "
            "ORDER BY sequence_number LIMIT ?",
            (partition, sequence_number, min(count, PAGE_EVENTS)),
        )
        return [*map(_EVENT, rows[:1]), *_until_damage(rows[1:])]

    def newest(self, count: int) -> list[DeviceEvent]:
        """The newest events of all partitions, oldest first, after any that is damaged.

        Raises StoreUnavailable, StoreDamaged.
        """
        rows = self._database.rows(f"SELECT {COLUMNS} FROM events ORDER BY number DESC LIMIT ?", (count,))
        return [*_until_damage(rows)][::-1]

    def enqueued_at(self, partition: int, sequence_number: int) -> datetime:
        """When an event was taken. Raises StoreUnavailable, StoreDamaged."""
        row = self._database.row(
            "SELECT enqueued_us FROM events WHERE partition = ? AND sequence_number = ?", (partition, sequence_number)
        )
        return EPOCH if row is None else _instant(row["enqueued_us"])

    def remove_some(self, before: datetime, max_bytes: int) -> int:
        """Remove the oldest events, at most REMOVED_AT_ONCE, that were taken `before` or are too many for the file.

        max_bytes: what the events may take in the file, without its free pages.
        Gives the number of the last one; 0 when none was removed. Raises StoreUnavailable, StoreDamaged.
        """
        limit = "1" if self._size_bytes() > max_bytes else f"enqueued_us < {_microseconds(before)}"
        oldest = f"SELECT number, enqueued_us FROM events ORDER BY number LIMIT {REMOVED_AT_ONCE}"
        (row,) = self._database.rows(f"SELECT max(number) AS last FROM ({oldest}) WHERE {limit}")
        if row["last"] is None:
            return 0
        self._remove("number <= ?", (row["last"],))
        return int(row["last"])

    def copy_to(self, path: Path) -> None:
        """Write all of them into a database of their own. Raises StoreUnavailable, StoreDamaged."""
        self._database.copy_to(path)

    def replace_by(self, path: Path) -> None:
        """Have the events of another database instead of these. Raises StoreUnavailable, StoreDamaged."""
        self._database.replace_by(path)

    def clear(self) -> None:
        """Remove all; sequence numbers and offsets go on. Raises StoreUnavailable, StoreDamaged."""
        self._remove("1", ())

    def _remove(self, which: str, values: Sequence[int]) -> None:
        with self._database.transaction():
            self._database.change(
                "UPDATE partitions SET next_sequence_number = coalesce((SELECT max(sequence_number) + 1 FROM events "
                "WHERE events.partition = partitions.partition), next_sequence_number)"
            )
            self._database.change(f"DELETE FROM events WHERE {which}", values)

    def _size_bytes(self) -> int:
        pages, free, size = (
            int(self._database.rows(f"PRAGMA {name}")[0][0]) for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size


def _values(event: DeviceEvent) -> tuple[int, int, int, int, str, bytes]:
    sender, message = event.sender, event.message
    description = {
        "deviceId": sender.address.device_id,
        "moduleId": sender.address.module_id,
        "authMethod": sender.auth_method.value,
        "generationId": sender.generation_id,
        "modelId": sender.model_id,
        "source": event.source,
        "system": dict(message.system),
        "properties": dict(message.properties),
    }
    place = event.number, event.partition, event.sequence_number, _microseconds(event.enqueued_at)
    return *place, dump_json(description), message.body


def _make_event(row: RowValues) -> DeviceEvent:
    found = read_object(row["description"])
    sender = Sender(
        address=Address(found["deviceId"], found["moduleId"]),
        auth_method=AuthMethod(found["authMethod"]),
        generation_id=found["generationId"],
        model_id=found["modelId"],
    )
    return DeviceEvent(
        number=row["number"],
        partition=row["partition"],
        sequence_number=row["sequence_number"],
        enqueued_at=_instant(row["enqueued_us"]),
        sender=sender,
        message=DeviceMessage(body=row["body"], properties=found["properties"], system=found["system"]),
        source=found["source"],
    )


def _until_damage(rows: Iterable[sqlite3.Row]) -> Iterator[DeviceEvent]:
    for row in rows:
        try:
            event = _EVENT(row)
        except StoreDamaged:  # it is reported to whoever reads it
            return
        yield event


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def _instant(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND


_EVENT = RowReader(
    "event {number}",
    {
        "number": NUMBER,
        "partition": NUMBER,
        "sequence_number": NUMBER,
        "enqueued_us": NUMBER,
        "description": TEXT,
        "body": BYTES,
    },
    _make_event,
)
