"""Indices of paths in twins and of what identities have: key -> rows, for large hubs.

Strategy: an index is of the first rows up to one, and grows by those that follow it. Row ids only grow, so that a new
row is one that the index does not have yet. A trigger notes which of its rows changes, and the key that it had; before
the index is used, the entries of these rows are brought up to date. So a change costs little, and cannot fail because
of an index; one that is rolled back is noted in vain. While nothing is indexed there is no trigger.

What is found may be too much, never too little. Once all rows are others, nothing is indexed.
"""

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

from azext_iotjobs.localhub.errors import StoreDamaged
from azext_iotjobs.localhub.query.column_paths import Kind
from azext_iotjobs.localhub.query.lookups import IndexedColumn, IndexKey, Lookup, indexed_column, key_sql
from azext_iotjobs.localhub.store.database import Database
from azext_iotjobs.localhub.store.index_entries import IndexEntries

MAX_PATHS = 8
MAX_CHANGES = 50_000  # of rows, that an index is behind: beyond, it is cheaper to make it anew
COUNTED = (100, 1_000, 10_000, 100_000)  # rows of a lookup: further, as long as none has fewer
NOTE = "note_index_change"  # the SQL function that triggers call

Path = tuple[str, ...]

logger = logging.getLogger(__name__)


@dataclass
class _Index:
    path: Path
    number: int
    until: int = 0  # it is of the rows up to this one
    changed: dict[int, IndexKey | None] = field(default_factory=dict)  # rows of these, and the keys that it has of them
    is_whole: bool = False  # it had all rows once
    used: int = 0  # the greater, the later


class PathIndex:
    """The indices of a database. max_paths: indexed at once.  max_changes: that an index may be behind."""

    def __init__(self, database: Database, *, max_paths: int = MAX_PATHS, max_changes: int = MAX_CHANGES) -> None:
        self._database = database
        self._max_paths = max_paths
        self._max_changes = max_changes
        self._entries: IndexEntries | None = None  # there is one once there is an index
        self._indices: dict[Path, _Index] = {}
        self._by_number: dict[int, _Index] = {}  # those that are maintained
        self._refused: set[Path] = set()  # a row that they would be of is damaged
        self._numbers = count(1)
        self._uses = count(1)
        self._generation = database.generation
        self._has_failed = False
        self._triggers: dict[int, list[str]] = {}  # by the number of an index, perhaps of one that has ended
        database.function(NOTE, 3, self._note)
        database.at_close(self._end)

    def want(self, paths: Iterable[Path]) -> None:
        """Index these paths from now on, in the place of those that have not been used for longest.

        Raises StoreUnavailable.
        """
        self._clean()
        for path in paths:
            if path in self._indices or path in self._refused:
                continue
            if len(self._indices) >= self._max_paths:
                self._drop(min(self._indices.values(), key=lambda index: index.used))
            if self._has_failed:  # perhaps just now
                return
            index = _Index(path, next(self._numbers), used=next(self._uses))
            with self._guarded():
                self._make_triggers(index)
                if self._entries is None:
                    self._entries = IndexEntries()
                self._entries.create(index.number)
                self._indices[path] = self._by_number[index.number] = index

    def has(self, lookups: Iterable[Lookup]) -> bool:
        """Whether the path of one of these lookups is indexed."""
        self._clean()
        return any(each.path in self._indices for each in lookups)

    def best(self, lookups: Sequence[Lookup]) -> Lookup | None:
        """The lookup that leads to the fewest rows, of those whose paths are indexed; None: no path is."""
        self._clean()
        indexed = [each for each in lookups if each.path in self._indices]
        if len(indexed) < 2:
            return indexed[0] if indexed else None
        longest = max(self._indices[each.path].until for each in indexed)
        indexed = [each for each in indexed if self._indices[each.path].until == longest]
        with self._guarded():
            for most in COUNTED:
                counts = {each: self._made.count(self._indices[each.path].number, each.keys, most) for each in indexed}
                best = min(counts, key=counts.__getitem__)
                if counts[best] < most:
                    break
            return best
        return None

    def grow(self, rows: int) -> Path | None:
        """Add the next rows to an index that does not have all: its path; None: all have all. rows: at most so many.

        Raises StoreUnavailable.
        """
        self._clean()
        index = self._behind(last := self._last_row())
        if index is None:
            return None
        until = min(last, index.until + rows)
        found = self._read(index, "row_id > ? AND row_id <= ?", (index.until, until))
        if found is not None:
            with self._guarded():
                self._made.change(index.number, add=[(key, row_id) for row_id, key in found if key is not None])
                index.until = until
                if until == last and not index.is_whole:
                    index.is_whole = True
                    logger.info("conditions on %s go by an index now", ascii(".".join(index.path))[1:-1])
        return index.path

    @property
    def are_behind(self) -> bool:
        """Whether an index does not have all rows."""
        return self._behind(self._last_row()) is not None

    def bring_up_to_date(self, lookup: Lookup, rows: int) -> bool:
        """Note of the index of a lookup what has changed in at most so many rows; gives whether it is up to date then.

        Raises StoreUnavailable.
        """
        self._clean()
        index = self._indices.get(lookup.path)
        if index is None or not index.changed:
            return True
        some = list(islice(index.changed.items(), rows))
        row_ids = [row_id for row_id, _ in some]
        found = self._read(index, "row_id IN (SELECT value FROM json_each(?))", (json.dumps(row_ids),))
        if found is None:
            return True
        with self._guarded():
            self._made.change(
                index.number,
                remove=[(key, row_id) for row_id, key in some if key is not None],
                add=[(key, row_id) for row_id, key in found if key is not None],
            )
            for row_id in row_ids:
                del index.changed[row_id]
        return not index.changed

    def found(self, lookup: Lookup, *, after: int, count: int) -> tuple[list[int], int] | None:
        """At most `count` rows after row `after` that a lookup leads to, in order, and up to which row that are all.

        None: no index has the row after `after`. The index is up to date.
        """
        index = self._indices.get(lookup.path)
        if index is None or index.until <= after:
            return None
        index.used = next(self._uses)
        with self._guarded():
            rows = self._made.rows(index.number, lookup.keys, after=after, until=index.until, count=count)
            return rows, rows[-1] if len(rows) == count else index.until
        return None

    def _read(self, index: _Index, where: str, values: Sequence[Any]) -> list[tuple[int, IndexKey | None]] | None:
        """Rows and their keys. None: one of them is damaged, which a query says if it reads it; then the index ends."""
        table = _column(index.path).table
        key = key_sql(index.path, table)
        tables = table if table == "twins" else "twins JOIN identities USING (device_id, module_id)"
        sql = f"SELECT twins.row_id, {key.text} FROM {tables} WHERE twins.{where}"
        try:
            return [(row[0], row[1]) for row in self._database.rows(sql, (*key.values, *values))]
        except StoreDamaged:
            self._refused.add(index.path)
            self._drop(index)
            return None

    def _behind(self, last: int) -> _Index | None:
        return next((each for each in self._indices.values() if each.until < last), None)

    def _last_row(self) -> int:
        if not self._indices:
            return 0
        row = self._database.row("SELECT max(row_id) FROM twins")
        return 0 if row is None or row[0] is None else int(row[0])

    def _make_triggers(self, index: _Index) -> None:
        column = _column(index.path)
        old, new = _text(index.path, "OLD"), _text(index.path, "NEW")
        if column.kind is Kind.JSON:  # a document that is none would let the change fail, also one that repairs it
            old, new = (
                f"CASE WHEN json_valid({row}.{column.name}) THEN {key} END" for row, key in (("OLD", old), ("NEW", new))
            )
        row_id = "OLD.row_id"
        if column.table != "twins":
            row_id = "(SELECT row_id FROM twins WHERE device_id = OLD.device_id AND module_id = OLD.module_id)"
        noted = f"BEGIN SELECT {NOTE}({index.number}, {row_id}, {old}); END"
        is_other = f"OLD.{column.name} IS NOT NEW.{column.name} AND {old} IS NOT {new}"
        for name, event in (
            ("changed", f"AFTER UPDATE OF {column.name} ON main.{column.table} WHEN {is_other}"),
            ("deleted", f"BEFORE DELETE ON main.{column.table}"),
        ):
            trigger = f"index_{index.number}_{name}"
            self._triggers.setdefault(index.number, []).append(trigger)
            self._database.change_connection(f"CREATE TEMP TRIGGER {trigger} {event} {noted}")

    def _note(self, number: int, row_id: int | None, key: IndexKey | None) -> None:
        """The function of triggers: a row changes, which has had a key."""
        index = self._by_number.get(number)
        if index is None or row_id is None or row_id > index.until:
            return
        index.changed.setdefault(row_id, key)
        if len(index.changed) > self._max_changes:
            index.changed = {}
            del self._by_number[number]

    def _clean(self) -> None:
        """End indices that are no longer maintained, and triggers of such."""
        if self._generation != self._database.generation:
            self._generation = self._database.generation
            self._refused.clear()
            self._by_number.clear()
        if len(self._by_number) < len(self._indices):
            for index in [each for each in self._indices.values() if each.number not in self._by_number]:
                self._drop(index)
        if len(self._by_number) < len(self._triggers):
            for number in [each for each in self._triggers if each not in self._by_number]:
                self._remove_triggers(number)

    def _drop(self, index: _Index) -> None:
        self._indices.pop(index.path, None)
        self._by_number.pop(index.number, None)
        if self._entries is not None:  # they have not failed as another index ended
            with self._guarded():
                self._entries.drop(index.number)
        self._remove_triggers(index.number)

    def _remove_triggers(self, number: int) -> None:
        for trigger in self._triggers[number]:
            self._database.change_connection(f"DROP TRIGGER IF EXISTS temp.{trigger}")
        del self._triggers[number]

    @property
    def _made(self) -> IndexEntries:
        assert self._entries is not None, "there is no index"
        return self._entries

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Where the entries fail there are no indices until the hub's next start, and nothing else happens."""
        try:
            yield
        except sqlite3.Error as err:
            self._give_up()
            logger.warning("queries go without an index until the hub's next start: %s", err)

    def _give_up(self) -> None:
        self._has_failed = True
        self._indices.clear()
        self._by_number.clear()
        if self._entries is not None:
            self._entries.close()
            self._entries = None

    def _end(self) -> None:
        """The database is closed: its triggers are gone."""
        self._give_up()
        self._triggers.clear()


def _column(path: Path) -> IndexedColumn:
    found = indexed_column(path)
    assert found is not None, "no such path is wanted"
    return found[0]


def _text(path: Path, row: str) -> str:
    """The key of a row as SQL without parameters, which triggers cannot have."""
    key = key_sql(path, row)
    texts = key.text.split("?")
    quoted = ("'" + value.replace("'", "''") + "'" for value in key.values)
    return texts[0] + "".join(value + text for value, text in zip(quoted, texts[1:], strict=True))
