"""The hub's log of what devices sent: partitions, sequence numbers, offsets, and who waits for more.

Strategy: the newest events are in memory; with `rows` all of them are on disk first. What arrives in one turn of the
event loop is one transaction, and senders learn after it that their messages are stored: a transaction for each message
would cost several times as much.
Source: Event Hubs "features and terminology"; IoT Hub "read device-to-cloud messages from the built-in endpoint".
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from azext_iotjobs.localhub.clock import EPOCH, HubClock
from azext_iotjobs.localhub.engine.shown_events import SHOWN_EVENTS, ShownEvents
from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.background import run_by_clock
from azext_iotjobs.localhub.process.outages import Outages
from azext_iotjobs.localhub.rules.event import (
    DEFAULT_PARTITIONS,
    TELEMETRY,
    DeviceEvent,
    DeviceMessage,
    Sender,
    offset_of,
    partition_of,
)
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.events import MIGRATIONS as EVENT_MIGRATIONS
from azext_iotjobs.localhub.store.events import EventRows, Extent, write_events
from azext_iotjobs.localhub.store.newest_events import KEPT_EVENTS, NewestEvents

MAX_FILE_BYTES = 512 * 1024 * 1024
CHECK_INTERVAL_S = 1.0  # how late events are removed

StoreError = StoreUnavailable | StoreDamaged
OnStored = Callable[[StoreError | None], None]
Wake = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionState:
    """What a partition holds; an empty one has only its last sequence number, -1 when it never had an event."""

    begin: int  # the oldest sequence number
    last: int  # the newest one
    last_enqueued_at: datetime  # EPOCH when that is not known
    is_empty: bool

    @property
    def last_offset(self) -> str:
        """The newest offset; "-1" when there was never an event."""
        return offset_of(self.last) if self.last >= 0 else "-1"


@dataclass(slots=True)
class _Batch:
    """What one sender sent at once, and whom to tell that it is stored."""

    sender: Sender
    messages: Sequence[DeviceMessage]
    source: str
    now: datetime
    on_stored: OnStored


class EventLog:
    """The events of a hub.

    partition_count: 2..32; with `rows`, as many as they have.  retention: how long events can be read.
    rows: where events are stored; None: in memory only.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        partition_count: int = DEFAULT_PARTITIONS,
        rows: EventRows | None = None,
        retention: timedelta = timedelta(days=1),
        created_at: datetime = EPOCH,
    ) -> None:
        """created_at: the event hub, as clients see it. Raises StoreUnavailable, StoreDamaged."""
        self.created_at = created_at
        self._loop = loop
        self._rows = rows
        self._retention = retention
        self._newest = NewestEvents()
        self.shown = ShownEvents(self._newest)
        self._extents = [Extent(0, 0)] * partition_count if rows is None else rows.extents()
        self._last_enqueued_at = [EPOCH] * len(self._extents)
        self._last_at = EPOCH  # of all partitions
        self._batches: list[_Batch] = []
        self._readers: list[dict[object, Wake]] = [{} for _ in self._extents]
        self._to_wake: set[int] = set()
        if rows is not None:
            self._read_newest(rows, SHOWN_EVENTS)
        self.shown.begin(self._count)

    @property
    def partition_count(self) -> int:
        """How many partitions there are."""
        return len(self._extents)

    def append(
        self,
        sender: Sender,
        messages: Sequence[DeviceMessage],
        now: datetime,
        on_stored: OnStored,
        source: str = TELEMETRY,
    ) -> None:
        """Add what a device sent, all or nothing.

        on_stored: called once, with None when consumers can read it, or with why it is not stored. In memory that is
        at once, on disk soon after.  source: the kind of events, as iothub-message-source.
        """
        batch = _Batch(sender, messages, source, now, on_stored)
        if self._rows is None:
            self._take(self._numbered([batch]))
            on_stored(None)
            return
        self._batches.append(batch)
        if len(self._batches) == 1:
            self._loop.call_soon(self.store)

    def store(self) -> None:
        """Store what has come; called by itself in the next turn of the event loop, and as the hub ends."""
        if not self._batches:
            return
        assert self._rows is not None
        batches, self._batches = self._batches, []
        events = self._numbered(batches)
        error: StoreError | None = None
        try:
            self._rows.add(events)
        except (StoreUnavailable, StoreDamaged) as err:
            error = err
        else:
            self._take(events)
        for batch in batches:
            batch.on_stored(error)

    def state(self, partition: int) -> PartitionState:
        """What a partition holds."""
        extent = self._extents[partition]
        return PartitionState(
            begin=extent.begin,
            last=extent.end - 1,
            last_enqueued_at=self._last_enqueued_at[partition],
            is_empty=extent.begin == extent.end,
        )

    def read(self, partition: int, sequence_number: int, count: int) -> Sequence[DeviceEvent]:
        """Events of a partition from a sequence number on, at least one and at most `count`; [] when there are none.

        Those that are kept no longer are skipped. Raises StoreUnavailable, StoreDamaged.
        """
        extent = self._extents[partition]
        start = max(sequence_number, extent.begin)
        if start >= extent.end:
            return []
        if self._newest.get(partition, start) is None:
            assert self._rows is not None  # in memory, the oldest that is kept is where the partition begins
            return self._rows.page(partition, start, count)
        found = (self._newest.get(partition, each) for each in range(start, min(start + count, extent.end)))
        return [event for event in found if event is not None]

    def first_at(self, partition: int, at: datetime) -> int:
        """The sequence number of the first event that was taken at an instant or later; of the next one if none was.

        Raises StoreUnavailable, StoreDamaged.
        """
        extent = self._extents[partition]
        places = range(extent.begin, extent.end)
        return extent.begin + bisect_left(places, at, key=lambda place: self._enqueued_at(partition, place))

    def listen(self, partition: int, wake: Wake) -> Callable[[], Any]:
        """Call `wake` whenever events were added to a partition; gives what ends that."""
        key = object()
        self._readers[partition][key] = wake
        return partial(self._readers[partition].pop, key, None)

    def clear(self) -> None:
        """Remove all events; sequence numbers and offsets go on. Raises StoreUnavailable, StoreDamaged."""
        if self._rows is not None:
            self._rows.clear()
        self._newest.clear()
        self.shown.cleared()
        self._extents = [Extent(extent.end, extent.end) for extent in self._extents]
        self._last_at = EPOCH  # with what it was, its order is gone: the clock may have been set back

    def copy_to(self, path: Path) -> None:
        """Write all that can be read into a database of its own. Raises StoreUnavailable, StoreDamaged."""
        self.store()
        if self._rows is not None:
            self._rows.copy_to(path)
        else:
            write_events(path, self._extents, self._newest.all())

    def replace_by(self, path: Path) -> None:
        """Have the events of such a database, which has as many partitions, instead of these; their numbers too.

        What was not stored before is gone with them. Raises StoreUnavailable, StoreDamaged; then nothing has changed.
        """
        self.store()
        if self._rows is not None:
            self._rows.replace_by(path)
            self._begin_with(self._rows, SHOWN_EVENTS)
            return
        with closing(Database(path, migrations=EVENT_MIGRATIONS, is_copy=True)) as database:
            self._begin_with(EventRows(database), KEPT_EVENTS)
        # Older ones, of a hub that stores them on disk, are too many.
        firsts = map(self._newest.first_in, range(len(self._extents)))
        ends = [extent.end for extent in self._extents]
        self._extents = [Extent(end if first is None else first, end) for first, end in zip(firsts, ends, strict=True)]

    async def run(self, clock: HubClock, outages: Outages) -> None:
        """Remove events whose time is over, until cancelled."""
        await run_by_clock("the retention of events", lambda: self.remove_old(clock.now()), outages, clock)

    def remove_old(self, now: datetime) -> float:
        """Remove some of the events whose time is over; gives after how many seconds to go on."""
        before = now - self._retention
        removed = 0
        if self._rows is not None:
            removed = self._rows.remove_some(before, MAX_FILE_BYTES)
            if removed:
                self._extents = self._rows.extents()
        while (oldest := self._newest.oldest()) and (oldest.enqueued_at < before or oldest.number <= removed):
            self._newest.remove_oldest()
            if self._rows is None:
                self._forget(oldest)
        return 0.0 if removed else CHECK_INTERVAL_S

    @property
    def _count(self) -> int:
        """How many events there ever were: the newest one's number."""
        return sum(extent.end for extent in self._extents)

    def _begin_with(self, rows: EventRows, count: int) -> None:
        """Begin anew with what rows hold, and the newest `count` of their events in memory."""
        self._extents = rows.extents()
        self._last_enqueued_at = [EPOCH] * len(self._extents)
        self._last_at = EPOCH
        self._newest.clear()
        self._read_newest(rows, count)
        self.shown.begin(self._count)

    def _read_newest(self, rows: EventRows, count: int) -> None:
        for event in rows.newest(count):
            self._newest.add(event)
            self._last_enqueued_at[event.partition] = self._last_at = event.enqueued_at
        for partition, extent in enumerate(self._extents):
            if self._last_enqueued_at[partition] == EPOCH and extent.end > extent.begin:
                self._last_enqueued_at[partition] = rows.enqueued_at(partition, extent.end - 1)

    def _numbered(self, batches: Sequence[_Batch]) -> list[DeviceEvent]:
        """The events of batches, with their numbers and places; none of them is in the log yet."""
        number, ends, at = self._count, [extent.end for extent in self._extents], self._last_at
        events = []
        for batch in batches:
            partition = partition_of(batch.sender.address.device_id, len(ends))
            at = max(at, batch.now)  # a clock that was set back does not change the order
            for message in batch.messages:
                number += 1
                events.append(
                    DeviceEvent(
                        number=number,
                        partition=partition,
                        sequence_number=ends[partition],
                        enqueued_at=at,
                        sender=batch.sender,
                        message=message,
                        source=batch.source,
                    )
                )
                ends[partition] += 1
        return events

    def _take(self, events: Sequence[DeviceEvent]) -> None:
        for event in events:
            partition = event.partition
            self._extents[partition] = Extent(self._extents[partition].begin, event.sequence_number + 1)
            self._last_enqueued_at[partition] = self._last_at = event.enqueued_at
            gone = self._newest.add(event)
            if self._rows is None:
                for each in gone:
                    self._forget(each)
            if self._readers[partition]:
                if not self._to_wake:
                    self._loop.call_soon(self._wake)
                self._to_wake.add(partition)
            self.shown.added(event)

    def _forget(self, event: DeviceEvent) -> None:
        """An event that was in memory only is gone: its partition begins after it."""
        extent = self._extents[event.partition]
        self._extents[event.partition] = Extent(event.sequence_number + 1, extent.end)

    def _wake(self) -> None:
        partitions, self._to_wake = self._to_wake, set()
        for partition in partitions:
            for wake in list(self._readers[partition].values()):
                wake()

    def _enqueued_at(self, partition: int, sequence_number: int) -> datetime:
        event = self._newest.get(partition, sequence_number)
        if event is not None:
            return event.enqueued_at
        assert self._rows is not None
        return self._rows.enqueued_at(partition, sequence_number)
