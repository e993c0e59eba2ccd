"""Snapshots of a hub: all that it keeps, as one file; and bringing a hub back to one.

Strategy: a snapshot is checked, and brought to this version's formats, before anything changes. Then everything happens
in one turn of the event loop: connections end, and the database has other content in one transaction of SQLite's. A
request is served before that or after it. Events have a database of their own, so that a hub on disk first writes down
what it is about to do: when it is killed halfway, its next start completes that (`data_folder.complete_restore`).

Not in a snapshot: the policies' keys and certificates, which are the hub's own, files of blobs, and faults.
"""

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from azext_iotjobs.localhub.clock import HubClock, render
from azext_iotjobs.localhub.engine.c2d_queue import C2dQueue
from azext_iotjobs.localhub.engine.event_log import EventLog
from azext_iotjobs.localhub.engine.job_runner import JobRunner
from azext_iotjobs.localhub.engine.links import Links
from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.private_files import write_private
from azext_iotjobs.localhub.store.clock_offset import ClockOffset
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.identities import Identities
from azext_iotjobs.localhub.store.messages import Messages
from azext_iotjobs.localhub.store.snapshot_file import EVENTS, HUB, NotASnapshot, pack, partition_count, unpack
from azext_iotjobs.localhub.store.twins import Twins

PARTS_FOLDER = ".snapshot"  # in the data folder, while a snapshot is made or read
RESTORING = "restoring.snapshot"  # there while a hub on disk is brought to this snapshot
TURNS = 3  # of the event loop, for connections to AMQP clients to end

logger = logging.getLogger(__name__)


class SnapshotParts(NamedTuple):
    """What a snapshot is made of, and what has to know when there is another state.

    forget: called then, to discard what belongs to the state before.
    """

    database: Database
    event_log: EventLog
    identities: Identities
    links: Links
    job_runner: JobRunner
    forget: tuple[Callable[[], None], ...]


class Snapshots:
    """Makes snapshots of a hub, and brings it back to them.

    close_more: what ends connections of clients that are not devices.
    """

    def __init__(
        self, parts: SnapshotParts, clock: HubClock, folder: Path, *, is_on_disk: bool, stop: Callable[[], None]
    ) -> None:
        """folder: the hub's data folder.  is_on_disk: whether the hub's state outlives it.  stop: ends the hub."""
        self.close_more: Callable[[], None] = lambda: None
        self._parts = parts
        self._clock = clock
        self._folder = folder
        self._is_on_disk = is_on_disk
        self._stop = stop
        self._one_at_a_time = asyncio.Lock()

    async def create(self) -> bytes:
        """A snapshot of what the hub holds now. Raises StoreUnavailable, StoreDamaged."""
        async with self._one_at_a_time:
            with parts_folder(self._folder) as folder:
                self._parts.identities.presence.write()
                self._parts.database.copy_to(folder / HUB)
                self._parts.event_log.copy_to(folder / EVENTS)
                return await asyncio.to_thread(pack, folder, render(self._clock.now()))

    async def restore(self, content: bytes) -> None:
        """Bring the hub back to a snapshot; devices are disconnected.

        Raises NotASnapshot, StoreUnavailable, StoreDamaged; then nothing but the connections has changed.
        """
        async with self._one_at_a_time:
            with parts_folder(self._folder) as folder:
                await asyncio.to_thread(_prepare, content, folder, self._clock)
                self._check_partitions(partition_count(folder))
                await self._parts.job_runner.pause()
                try:
                    await self._end_other_connections()
                    self._replace(content, folder)
                finally:
                    self._parts.job_runner.resume()
        logger.info("the hub is as it was in a snapshot")

    def _check_partitions(self, count: int) -> None:
        have = self._parts.event_log.partition_count
        if count != have:
            raise NotASnapshot(
                f"The snapshot's events are in {count} partitions, and this hub has {have}, a number that cannot be "
                f"changed while it runs: start it with {count}."
            )

    async def _end_other_connections(self) -> None:
        self.close_more()
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def _replace(self, content: bytes, folder: Path) -> None:
        """Without an await: nothing else happens at the hub meanwhile."""
        parts = self._parts
        self.close_more()
        parts.links.drop_all()
        parts.event_log.store()  # the last wills of those that were connected
        restoring = self._folder / RESTORING
        if self._is_on_disk:
            write_private(restoring, content)
        try:
            parts.database.replace_by(folder / HUB)
        except BaseException:
            restoring.unlink(missing_ok=True)
            raise
        try:
            parts.event_log.replace_by(folder / EVENTS)
        except (StoreUnavailable, StoreDamaged) as err:
            logger.error(
                "the events of a snapshot are not restored: %s The hub ends; its next start does it.", err.text
            )
            self._stop()
            raise
        restoring.unlink(missing_ok=True)
        for forget in parts.forget:
            forget()


def _prepare(content: bytes, folder: Path, clock: HubClock) -> None:
    """Put the parts of a snapshot into a folder, as a hub that has just started has them. Raises NotASnapshot."""
    unpack(content, folder)
    with closing(Database(folder / HUB, is_copy=True)) as database:
        try:
            ClockOffset(database).load()
        except StoreDamaged as err:
            raise NotASnapshot(f"The snapshot is damaged: {err.text}") from err
        identities = Identities(database, Twins(database))
        identities.disconnect_all(render(clock.now()))
        C2dQueue(database, Messages(database), identities, Links(), clock).recover()


@contextmanager
def parts_folder(data_folder: Path) -> Iterator[Path]:
    """A folder for the parts of one snapshot. Raises StoreUnavailable when it cannot be used."""
    folder = data_folder / PARTS_FOLDER
    try:
        remove_parts(data_folder)
        folder.mkdir(mode=0o700)
        yield folder
    except OSError as err:
        raise StoreUnavailable(f"{folder} cannot be written ({err.strerror})") from err
    finally:
        remove_parts(data_folder)


def remove_parts(data_folder: Path) -> None:
    """Remove what is left of such a folder."""
    shutil.rmtree(data_folder / PARTS_FOLDER, ignore_errors=True)
