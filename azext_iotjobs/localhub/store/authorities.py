"""The CA certificates that may vouch for devices."""

import sqlite3
from dataclasses import dataclass

from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import BYTES, TEXT, RowReader

COLUMNS = "name, der, subject, thumbprint, ends_at, created_at, updated_at"


@dataclass(frozen=True, kw_only=True)
class AuthorityRow:
    """One of them; instants are texts as on the wire."""

    name: str
    der: bytes
    subject: str
    thumbprint: str
    ends_at: str
    created_at: str
    updated_at: str


class Authorities:
    """The CA certificates in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> AuthorityRow | None:
        """One by its name, or None."""
        row = self._database.row(f"SELECT {COLUMNS} FROM authorities WHERE name = ?", (name,))
        return _authority_of(row) if row else None

    def all(self) -> list[AuthorityRow]:
        """Every one, by name."""
        rows = self._database.rows(f"SELECT {COLUMNS} FROM authorities ORDER BY name")
        return [_authority_of(row) for row in rows]

    def save(self, authority: AuthorityRow) -> None:
        """Enter one, in the place of one of the same name."""
        self._database.change(
            f"INSERT OR REPLACE INTO authorities ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                authority.name, authority.der, authority.subject, authority.thumbprint, authority.ends_at,
                authority.created_at, authority.updated_at,
            ),
        )  # fmt: skip

    def delete(self, name: str) -> bool:
        """Remove one; gives whether it was there."""
        return self._database.change("DELETE FROM authorities WHERE name = ?", (name,)) > 0


def _read(row: sqlite3.Row) -> AuthorityRow:
    return AuthorityRow(**dict(row))


_authority_of = RowReader(
    "the CA certificate {name}",
    {"der": BYTES, **dict.fromkeys(("name", "subject", "thumbprint", "ends_at", "created_at", "updated_at"), TEXT)},
    _read,
)
