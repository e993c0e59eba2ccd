"""Who is on line and when each was heard last: kept in memory, written to the database within about a second.

The one thing that a hub writes late. A fleet's every message moves `lastActivityTime`; a write for each would cost more
than the rest of the message. What is read is always the newest: `Identities` lays it over its rows, and a query has it
written first. A crash loses what the last second brought; after one, nobody is connected anyway.
"""

from dataclasses import dataclass
from itertools import islice

from azext_iotjobs.localhub.errors import StoreDamaged, StoreUnavailable
from azext_iotjobs.localhub.process.background import run_repeatedly
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.store.database import Database

WRITE_INTERVAL_S = 1.0
ROWS_AT_ONCE = 1000  # some milliseconds; then others have their turn


@dataclass(slots=True)
class Seen:
    """What is newer than a device's row; None: nothing is."""

    last_activity_at: str
    connection_state: str | None = None
    connection_updated_at: str | None = None


class Presence:
    """What is not written yet."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[tuple[str, str], Seen] = {}

    def note_connection(self, address: Address, state: str, now_text: str) -> None:
        """A device or module connected or disconnected; its etag does not move."""
        self._seen[address.key] = Seen(now_text, state, now_text)

    def note_activity(self, address: Address, now_text: str) -> None:
        """A device or module sent something."""
        key = address.key
        if seen := self._seen.get(key):
            seen.last_activity_at = now_text
        else:
            self._seen[key] = Seen(now_text)

    def of(self, key: tuple[str, str]) -> Seen | None:
        """What is newer than the row of a device or module; None when nothing is."""
        return self._seen.get(key)

    def forget(self, address: Address) -> None:
        """What was noted was not of the one that has this address from now on."""
        self._seen.pop(address.key, None)

    def write(self) -> None:
        """Write all of it; it stays in memory where the database cannot be written."""
        while self._seen and self._write_some():
            pass

    async def run(self) -> None:
        """Write every second, until cancelled."""
        await run_repeatedly("writing who is connected", self._turn, self._database.outages)

    def _turn(self) -> float:
        is_written = not self._seen or self._write_some()
        return 0.0 if self._seen and is_written else WRITE_INTERVAL_S

    def _write_some(self) -> bool:
        """Write the oldest; gives whether that went well."""
        some = list(islice(self._seen.items(), ROWS_AT_ONCE))
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
        except (StoreUnavailable, StoreDamaged):  # the store has said so; or says it to those who ask for these devices
            return False
        for key, _ in some:
            del self._seen[key]
        return True
