"""The CA certificates that sign devices' certificates: rows."""

from dataclasses import dataclass

from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.row_reader import BYTES, TEXT, RowReader, RowValues

COLUMNS = "name der subject thumbprint ends_at created_at updated_at".split()
SELECT = f"SELECT {', '.join(COLUMNS)} FROM authorities"


@dataclass(frozen=True, kw_only=True)
class AuthorityRow:
    """A CA certificate; instants are texts as on the wire."""

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
        row = self._database.row(f"{SELECT} WHERE name = ?", (name,))
        return _authority_of(row) if row else None

    def all(self) -> list[AuthorityRow]:
        """Every one, by name."""
        rows = self._database.rows(f"{SELECT} ORDER BY name")
        return [_authority_of(row) for row in rows]

    def save(self, authority: AuthorityRow) -> None:
        """Add one, or replace the one of the same name."""
        marks = ", ".join("?" * len(COLUMNS))
        self._database.change(
            f"INSERT OR REPLACE INTO authorities ({', '.join(COLUMNS)}) VALUES ({marks})",
            tuple(getattr(authority, column) for column in COLUMNS),
        )

    def delete(self, name: str) -> bool:
        """Remove one; gives whether there was one."""
        return self._database.change("DELETE FROM authorities WHERE name = ?", (name,)) > 0


def _read(row: RowValues) -> AuthorityRow:
    return AuthorityRow(**dict(row))


_authority_of = RowReader(
    "the CA certificate {name}",
    {"der": BYTES, **dict.fromkeys(("name", "subject", "thumbprint", "ends_at", "created_at", "updated_at"), TEXT)},
    _read,
)
