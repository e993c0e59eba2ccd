"""Checks whether an existing database is intact: its pages, indices and tables.

Damaged rows are found when they are read.
"""

from contextlib import closing
from functools import cache

from azext_iotjobs.localhub.errors import StoreDamaged
from azext_iotjobs.localhub.store.database import Database

FULL, QUICK = "integrity_check", "quick_check"  # the quick one takes a third: it does not compare indices with tables


def check_integrity(database: Database, pragma: str = FULL) -> None:
    """Raise StoreDamaged unless a database is intact and has the tables that it should have. pragma: FULL or QUICK."""
    found = str(database.rows(f"PRAGMA {pragma}(1)")[0][0])
    if found != "ok":
        raise StoreDamaged(f"its pages do not fit together ({' '.join(found.split())[:200]})")
    have = _columns(database)
    for table, columns in _columns_of_new(tuple(map(tuple, database.migrations))).items():
        if table not in have:
            raise StoreDamaged(f"the table {table} is missing")
        if missing := columns - have[table]:
            raise StoreDamaged(f"the table {table} has no column {min(missing)}")


@cache
def _columns_of_new(migrations: tuple[tuple[str, ...], ...]) -> dict[str, set[str]]:
    with closing(Database(None, migrations=migrations)) as new:
        return _columns(new)


def _columns(database: Database) -> dict[str, set[str]]:
    tables: dict[str, set[str]] = {}
    sql = (
        "SELECT tables.name AS table_name, columns.name AS column_name FROM sqlite_master AS tables "
        "JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'"
    )
    for row in database.rows(sql):
        tables.setdefault(row["table_name"], set()).add(row["column_name"])
    return tables
