"""Device identities: rows and etags. A twin lives and dies with its identity."""

import json
import sqlite3
from dataclasses import dataclass, field, replace

from azext_iotjobs.localhub.clock import NEVER
from azext_iotjobs.localhub.rules.jsonvalues import dump_json
from azext_iotjobs.localhub.rules.twin import TwinState
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.twins import Twins

CONNECTED, DISCONNECTED = "Connected", "Disconnected"
ENABLED, DISABLED = "enabled", "disabled"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A registry record; instants are texts as on the wire."""

    device_id: str
    generation_id: str
    etag: int
    status: str = ENABLED
    status_reason: str | None = None
    status_updated_at: str = NEVER
    connection_state: str = DISCONNECTED
    connection_updated_at: str = NEVER
    last_activity_at: str = NEVER
    sign_in: str  # sas, selfSigned or certificateAuthority
    primary_key: str | None = field(default=None, repr=False)
    secondary_key: str | None = field(default=None, repr=False)
    primary_thumbprint: str | None = None
    secondary_thumbprint: str | None = None
    is_edge: bool = False
    device_scope: str | None = None
    parent_scopes: tuple[str, ...] = ()


COLUMNS = (
    "device_id", "generation_id", "etag", "status", "status_reason", "status_updated_at", "connection_state",
    "connection_updated_at", "last_activity_at", "sign_in", "primary_key", "secondary_key", "primary_thumbprint",
    "secondary_thumbprint", "is_edge", "device_scope", "parent_scopes",
)  # fmt: skip


class Identities:
    """The identities in a database."""

    def __init__(self, database: Database, twins: Twins) -> None:
        self._database = database
        self._twins = twins

    def get(self, device_id: str) -> Identity | None:
        """A device's record, or None."""
        row = self._database.row("SELECT * FROM identities WHERE device_id = ? AND module_id = ''", (device_id,))
        return identity_of(row) if row else None

    def first(self, count: int) -> list[Identity]:
        """The first `count` devices by id."""
        sql = "SELECT * FROM identities WHERE module_id = '' ORDER BY device_id LIMIT ?"
        return [identity_of(row) for row in self._database.rows(sql, (count,))]

    def create(self, identity: Identity, twin: TwinState) -> None:
        """Enter a new device and its twin."""
        marks = ", ".join("?" * len(COLUMNS))
        with self._database.transaction():
            self._database.change(f"INSERT INTO identities ({', '.join(COLUMNS)}) VALUES ({marks})", _values(identity))
            self._twins.create(identity.device_id, twin)

    def save(self, identity: Identity) -> Identity:
        """Write a changed record under a new etag; gives it."""
        saved = replace(identity, etag=identity.etag + 1)
        sets = ", ".join(f"{column} = ?" for column in COLUMNS)
        self._database.change(
            f"UPDATE identities SET {sets} WHERE device_id = ? AND module_id = ''", (*_values(saved), saved.device_id)
        )
        return saved

    def delete(self, device_id: str) -> None:
        """Remove a device, its modules and their twins."""
        self._database.change("DELETE FROM identities WHERE device_id = ?", (device_id,))

    def delete_all(self) -> None:
        """Remove every device."""
        self._database.change("DELETE FROM identities")

    def count(self) -> tuple[int, int]:
        """How many devices there are, and how many of them are enabled."""
        row = self._database.row(
            "SELECT count(*), coalesce(sum(status = 'enabled'), 0) FROM identities WHERE module_id = ''"
        )  # fmt: skip
        assert row is not None  # an aggregate always has its row
        return row[0], row[1]

    def note_connection(self, device_id: str, state: str, now_text: str) -> None:
        """A device connected or disconnected; its etag does not move."""
        self._database.change(
            "UPDATE identities SET connection_state = ?, connection_updated_at = ?, last_activity_at = ? "
            "WHERE device_id = ? AND module_id = ''",
            (state, now_text, now_text, device_id),
        )

    def note_activity(self, device_id: str, now_text: str) -> None:
        """A device sent something."""
        self._database.change(
            "UPDATE identities SET last_activity_at = ? WHERE device_id = ? AND module_id = ''", (now_text, device_id)
        )

    def disconnect_all(self, now_text: str) -> None:
        """Nobody is connected: the hub has just started, or is about to end."""
        self._database.change(
            "UPDATE identities SET connection_state = ?, connection_updated_at = ? WHERE connection_state = ?",
            (DISCONNECTED, now_text, CONNECTED),
        )


def identity_of(row: sqlite3.Row) -> Identity:
    """The record that a row with the identities' columns holds."""
    values = {column: row[column] for column in COLUMNS}
    values["is_edge"] = bool(values["is_edge"])
    values["parent_scopes"] = tuple(json.loads(values["parent_scopes"]))
    return Identity(**values)


def _values(identity: Identity) -> tuple[object, ...]:
    values = {column: getattr(identity, column) for column in COLUMNS}
    values["parent_scopes"] = dump_json(list(identity.parent_scopes))
    return tuple(values.values())
