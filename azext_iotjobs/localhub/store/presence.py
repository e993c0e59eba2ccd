"""Which devices are online, and the last activity of each: kept in memory, written within about a second.

This is the only data that is written late. Every message of a device changes `lastActivityTime`; a write for each would
cost more than the rest of the message. Readers always see the newest value: `Identities` applies it to its rows, and
a query has it written first. A crash loses the last second; after a crash, no device is connected anyway.
"""

from dataclasses import dataclass
from itertools import islice

from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.background import run_repeatedly
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.store.database import Database

WRITE_INTERVAL_S = 1.0
ROWS_AT_ONCE = 1000  # some milliseconds; then other tasks run


@dataclass(slots=True)
class UnsavedPresence:
    """What is newer than a device's row; None: the row is current."""

    last_activity_at: str
    connection_state: str | None = None
    connection_updated_at: str | None = None


class Presence:
    """The presence that is not written yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unsaved: dict[tuple[str, str], UnsavedPresence] = {}

    def note_connection(self, address: Address, state: str, now_text: str) -> None:
        """A device or module connected or disconnected; its etag does not change."""
        self._unsaved[address.key] = UnsavedPresence(now_text, state, now_text)

    def note_activity(self, address: Address, now_text: str) -> None:
        """A device or module sent something."""
        key = address.key
        if unsaved := self._unsaved.get(key):
            unsaved.last_activity_at = now_text
        else:
            self._unsaved[key] = UnsavedPresence(now_text)

    def of(self, key: tuple[str, str]) -> UnsavedPresence | None:
        """What is newer than the row of a device or module; None when the row is current."""
        return self._unsaved.get(key)

    def forget(self, address: Address) -> None:
        """Discard what was noted: the address belongs to a new device or module from now on."""
        self._unsaved.pop(address.key, None)

    def forget_all(self) -> None:
        """Discard all that was noted: the rows are others now."""
        self._unsaved.clear()

    def write(self) -> None:
        """Write all of it; it stays in memory while the database is unavailable."""
        while self._unsaved and self._write_some():
            pass

    async def run(self) -> None:
        """Write every second, until cancelled."""
        await run_repeatedly("the writer of presence", self._step, self._database.outages)

    def _step(self) -> float:
        is_written = not self._unsaved or self._write_some()
        return 0.0 if self._unsaved and is_written else WRITE_INTERVAL_S

    def _write_some(self) -> bool:
        """Write the oldest entries; gives whether that succeeded."""
        some = list(islice(self._unsaved.items(), ROWS_AT_ONCE))
        values = [
            (seen.connection_state, seen.connection_updated_at, seen.last_activity_at, *key) for key, seen in some
        ]
        try:
            with self._database.transaction():
                self._database.change_many(
                    "UPDATE identities SET connection_state = coalesce(?, connection_state), "
                    "connection_updated_at = coalesce(?, connection_updated_at), last_activity_at = ? "
                    "WHERE device_id = ? AND module_id = ?",
                    values,
                )
        except (StoreUnavailable, StoreDamaged):  # logged by the store, or reported to readers of these devices
            return False
        for key, _ in some:
            del self._unsaved[key]
        return True
