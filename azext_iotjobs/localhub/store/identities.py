"""Identities of devices and modules: rows and etags. A twin is created and deleted with its identity."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from azext_iotjobs.localhub.clock import NEVER
from azext_iotjobs.localhub.rules.address import Address
from azext_iotjobs.localhub.rules.identity import SignInKind
from azext_iotjobs.localhub.rules.json_values import dump_json
from azext_iotjobs.localhub.rules.twin import TwinState
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.presence import Presence
from azext_iotjobs.localhub.store.row_reader import (
    NUMBER,
    TEXT,
    TEXT_OR_NULL,
    Kinds,
    RowReader,
    RowValues,
    check_key,
    read_texts,
)
from azext_iotjobs.localhub.store.twins import Twins

CONNECTED, DISCONNECTED = "Connected", "Disconnected"
ENABLED, DISABLED = "enabled", "disabled"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A registry record; instants are texts as on the wire."""

    device_id: str
    module_id: str | None = None  # None: the device itself
    managed_by: str | None = None  # of a module: who deploys it
    generation_id: str
    etag: int
    status: str = ENABLED  # of a device; modules have no status
    status_reason: str | None = None
    status_updated_at: str = NEVER
    connection_state: str = DISCONNECTED
    connection_updated_at: str = NEVER
    last_activity_at: str = NEVER
    sign_in: str  # sas, selfSigned, certificateAuthority; none for the system modules of an edge device
    primary_key: str | None = field(default=None, repr=False)
    secondary_key: str | None = field(default=None, repr=False)
    primary_thumbprint: str | None = None
    secondary_thumbprint: str | None = None
    is_edge: bool = False
    device_scope: str | None = None
    parent_scopes: tuple[str, ...] = ()
    model_id: str = ""  # announced by the device when it last connected
    message_count: int = 0  # cloud-to-device messages in its queue, counted when it is read

    @property
    def address(self) -> Address:
        """The device or module."""
        return Address(self.device_id, self.module_id)


TEXT_COLUMNS = (
    "device_id module_id generation_id status status_updated_at connection_state connection_updated_at "
    "last_activity_at sign_in parent_scopes model_id"
).split()
OPTIONAL_COLUMNS = (
    "managed_by status_reason primary_key secondary_key primary_thumbprint secondary_thumbprint device_scope"
).split()
NUMBER_COLUMNS = "etag is_edge".split()
COLUMNS = (*TEXT_COLUMNS, *OPTIONAL_COLUMNS, *NUMBER_COLUMNS)
AT = "WHERE device_id = ? AND module_id = ?"
MESSAGE_COUNT = (
    "(SELECT count(*) FROM messages WHERE messages.device_id = identities.device_id "
    "AND messages.module_id = identities.module_id)"
)
SELECT = f"SELECT *, {MESSAGE_COUNT} AS message_count FROM identities"


class Identities:
    """The identities in a database, with their presence."""

    def __init__(self, database: Database, twins: Twins) -> None:
        self._database = database
        self._twins = twins
        self.presence = Presence(database)

    @property
    def generation(self) -> int:
        """Another number once all rows are others."""
        return self._database.generation

    def get(self, address: Address) -> Identity | None:
        """A device's or module's record, or None."""
        row = self._database.row(f"{SELECT} {AT}", address.key)
        return self._present(row) if row else None

    def status(self, address: Address) -> str | None:
        """The status of a device or module; None for one that is not registered. Cheaper than the whole record."""
        row = self._database.row(f"SELECT status FROM identities {AT}", address.key)
        return str(row["status"]) if row else None

    def first(self, count: int) -> list[Identity]:
        """The first `count` devices by id."""
        sql = f"{SELECT} WHERE module_id = '' ORDER BY device_id LIMIT ?"
        return [self._present(row) for row in self._database.rows(sql, (count,))]

    def modules(self, device_id: str) -> list[Identity]:
        """A device's modules by id."""
        sql = f"{SELECT} WHERE device_id = ? AND module_id <> '' ORDER BY module_id"
        return [self._present(row) for row in self._database.rows(sql, (device_id,))]

    def has_edge_scope(self, scope: str) -> bool:
        """Whether a scope is that of an edge device."""
        sql = "SELECT 1 FROM identities WHERE device_scope = ? AND is_edge"
        return self._database.row(sql, (scope,)) is not None

    def page(self, after: tuple[str, str], count: int) -> tuple[list[tuple[str, str]], list[Identity]]:
        """The next `count` devices and modules behind a key, a device before its modules: their keys, and the records
        of those whose rows can be read.
        """
        sql = f"{SELECT} WHERE (device_id, module_id) > (?, ?) ORDER BY device_id, module_id LIMIT ?"
        rows = self._database.rows(sql, (*after, count))
        return [(row["device_id"], row["module_id"]) for row in rows], identity_of.all(rows)

    def count_with_modules(self) -> int:
        """How many devices and modules there are."""
        row = self._database.row("SELECT count(*) FROM identities")
        assert row is not None  # an aggregate always has its row
        return int(row[0])

    def registered(self, device_ids: Sequence[str]) -> set[str]:
        """Which of these devices, at most some hundred, are registered."""
        marks = ", ".join("?" * len(device_ids))
        sql = f"SELECT device_id FROM identities WHERE module_id = '' AND device_id IN ({marks})"
        return {str(row["device_id"]) for row in self._database.rows(sql, device_ids)}

    def create(self, identity: Identity, twin: TwinState) -> None:
        """Add a new device or module, and its twin."""
        self.create_many([identity], twin)

    def create_many(self, identities: Sequence[Identity], twin: TwinState) -> None:
        """Add new devices or modules, each with such a twin."""
        marks = ", ".join("?" * len(COLUMNS))
        for identity in identities:
            self.presence.forget(identity.address)
        with self._database.transaction():
            self._database.change_many(
                f"INSERT INTO identities ({', '.join(COLUMNS)}) VALUES ({marks})",
                [_values(each) for each in identities],
            )
            self._twins.create_many([each.address for each in identities], twin)

    def save(self, identity: Identity) -> Identity:
        """Store a changed record with a new etag; gives it."""
        saved = replace(identity, etag=identity.etag + 1)
        sets = ", ".join(f"{column} = ?" for column in COLUMNS)
        self._database.change(f"UPDATE identities SET {sets} {AT}", (*_values(saved), *saved.address.key))
        return saved

    def delete(self, address: Address) -> None:
        """Remove a module, or a device with its modules; twins and messages go with them."""
        if address.module_id is None:
            self._database.change("DELETE FROM identities WHERE device_id = ?", (address.device_id,))
        else:
            self._database.change(f"DELETE FROM identities {AT}", address.key)

    def count(self) -> tuple[int, int]:
        """How many devices there are, and how many of them are enabled."""
        # The conditions must be the indices', verbatim, or all rows would be read.
        row = self._database.row(
            "SELECT (SELECT count(*) FROM identities WHERE module_id = ''), "
            "(SELECT count(*) FROM identities WHERE status <> 'enabled' AND module_id = '')"
        )
        assert row is not None  # it always has its row
        return row[0], row[0] - row[1]

    def any_with_certificate(self) -> bool:
        """Whether some device or module signs in with a certificate."""
        # The condition must be the index's, verbatim, or the index would not be used.
        sql = "SELECT 1 FROM identities WHERE sign_in IN ('selfSigned', 'certificateAuthority') LIMIT 1"
        return self._database.row(sql) is not None

    def set_model(self, address: Address, model_id: str) -> None:
        """Store the model that a device or module announced."""
        self._database.change(f"UPDATE identities SET model_id = ? {AT}", (model_id, *address.key))

    def disconnect_all(self, now_text: str) -> None:
        """Mark all as disconnected: the hub has just started, or is about to end."""
        self._database.change(
            "UPDATE identities SET connection_state = ?, connection_updated_at = ? WHERE connection_state = ?",
            (DISCONNECTED, now_text, CONNECTED),
        )

    def _present(self, row: sqlite3.Row) -> Identity:
        """A row's record, with presence that is not written yet."""
        identity = identity_of(row)
        seen = self.presence.of(identity.address.key)
        if seen is None:
            return identity
        return replace(
            identity,
            last_activity_at=seen.last_activity_at,
            connection_state=seen.connection_state or identity.connection_state,
            connection_updated_at=seen.connection_updated_at or identity.connection_updated_at,
        )


def _identity_of(row: RowValues) -> Identity:
    values = {column: row[column] for column in (*COLUMNS, "message_count")}
    values["module_id"] = values["module_id"] or None
    values["is_edge"] = bool(values["is_edge"])
    values["parent_scopes"] = read_texts(values["parent_scopes"])
    SignInKind(values["sign_in"])
    if values["etag"] < 0:
        raise TypeError("etag is negative")
    check_key(values["primary_key"])
    check_key(values["secondary_key"])
    return Identity(**values)


KINDS: Kinds = {
    **dict.fromkeys(TEXT_COLUMNS, TEXT),
    **dict.fromkeys(OPTIONAL_COLUMNS, TEXT_OR_NULL),
    **dict.fromkeys(NUMBER_COLUMNS, NUMBER),
}
# The record that a row with the identities' columns and `message_count` holds.
identity_of = RowReader("device {device_id}, module {module_id}", KINDS, _identity_of)


def _values(identity: Identity) -> tuple[object, ...]:
    values = {column: getattr(identity, column) for column in COLUMNS}
    values["module_id"] = identity.module_id or ""
    values["parent_scopes"] = dump_json(list(identity.parent_scopes))
    return tuple(values.values())
