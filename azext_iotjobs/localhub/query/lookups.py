"""Which conditions of a query an index may answer, and what an index holds for them.

Strategy: a row that matches has, at the path of each equality that AND combines, one of the constants there. An index
holds a key for each row and path. Equal values have equal keys, so that the keys of the constants lead to every row
that matches, and perhaps to some more: the whole condition is applied to these as to all others.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.column_paths import Columns, Kind, operand_at
from azext_iotjobs.localhub.query.sql_fragments import Sql, filled
from azext_iotjobs.localhub.query.values import kind_of

# As SQLite has it: bytes for a text, a text for a boolean, a number.
IndexKey = bytes | str | int | float
KEY_BYTES = 200  # of a longer text the beginning alone
MAX_KEYS = 50  # of one lookup; more constants are looked for among all rows
MAX_LOOKUPS = 3  # of one query
KEY = (  # SQLite's substr makes NULL of no bytes
    f"CASE {{}} WHEN 'text' THEN coalesce(substr(CAST({{}} AS BLOB), 1, {KEY_BYTES}), x'') WHEN 'number' THEN {{}} "
    "WHEN 'boolean' THEN CASE {} WHEN 1 THEN 'true' ELSE 'false' END END"
)


@dataclass(frozen=True)
class IndexedColumn:
    """A column whose values, or what is below them, an index may hold."""

    table: str
    name: str
    kind: Kind  # TEXT or JSON
    except_for: frozenset[str] = frozenset()  # names directly below it that are not in it


_NOT_IN_SECTIONS = frozenset({"$metadata", "$version"})
INDEXED: Mapping[tuple[str, ...], IndexedColumn] = {
    ("tags",): IndexedColumn("twins", "tags", Kind.JSON),
    ("properties", "desired"): IndexedColumn("twins", "desired", Kind.JSON, _NOT_IN_SECTIONS),
    ("properties", "reported"): IndexedColumn("twins", "reported", Kind.JSON, _NOT_IN_SECTIONS),
    ("status",): IndexedColumn("identities", "status", Kind.TEXT),
    ("connectionState",): IndexedColumn("identities", "connection_state", Kind.TEXT),
}


@dataclass(frozen=True)
class Lookup:
    """Every row that matches has one of these keys at this path."""

    path: tuple[str, ...]
    keys: tuple[IndexKey, ...]


def lookups_of(collection: nodes.Collection, where: nodes.Expr | None) -> tuple[Lookup, ...]:
    """The lookups of a condition, at most MAX_LOOKUPS; each of them alone leads to all rows that match."""
    if where is None or collection is nodes.Collection.JOBS:
        return ()
    found: dict[tuple[str, ...], Lookup] = {}
    for path, constants in _equalities(where):
        keys = _keys(constants)
        if keys and len(keys) <= MAX_KEYS and indexed_column(path) is not None and len(found) < MAX_LOOKUPS:
            found.setdefault(path, Lookup(path, keys))
    return tuple(found.values())


def indexed_column(path: tuple[str, ...]) -> tuple[IndexedColumn, tuple[str, ...]] | None:
    """The column that an index of a path is made of, and the path below it; None: there is no such index."""
    for length in (1, 2):
        if column := INDEXED.get(path[:length]):
            rest = path[length:]
            is_there = column.kind is Kind.JSON if rest else column.kind is not Kind.JSON
            # U+0000 cannot be in SQL, and is in no key of a twin.
            is_there = is_there and column.except_for.isdisjoint(rest[:1]) and "\0" not in "".join(rest)
            return (column, rest) if is_there else None
    return None


def key_sql(path: tuple[str, ...], row: str) -> Sql:
    """SQL of the key of a row at a path that has an `indexed_column`; NULL for what no lookup leads to.

    row: names the row in SQL: a table, or OLD or NEW in a trigger.
    """
    found = indexed_column(path)
    assert found is not None
    column, rest = found
    columns = Columns({("value",): (f"{row}.{column.name}", column.kind)})
    operand = operand_at(nodes.Path(("value", *rest)), columns)
    kind = Sql(f"'{operand.kind}'") if isinstance(operand.kind, str) else operand.kind
    return filled(KEY, kind, operand.value, operand.value, operand.value)


def _equalities(expr: nodes.Expr) -> Iterator[tuple[tuple[str, ...], tuple[nodes.Constant, ...]]]:
    """The paths that have one of some constants in every row that matches."""
    match expr:
        case nodes.And(items):
            for item in items:
                yield from _equalities(item)
        case nodes.Compare(nodes.Operator.EQ, nodes.Path(parts), nodes.Constant() as constant):
            yield parts, (constant,)
        case nodes.Compare(nodes.Operator.EQ, nodes.Constant() as constant, nodes.Path(parts)):
            yield parts, (constant,)
        case nodes.In(nodes.Path(parts), nodes.Array(items)):
            yield parts, items


def _keys(constants: tuple[nodes.Constant, ...]) -> tuple[IndexKey, ...]:
    """The different keys of some constants; none when a constant has no key."""
    keys: list[IndexKey] = []
    for constant in constants:
        match kind_of(constant.value), constant.value:
            case "text", str(text):
                keys.append(text.encode("utf-8", "surrogatepass")[:KEY_BYTES])
            case "boolean", value:
                keys.append("true" if value else "false")
            case "number", (int() | float()) as number:
                keys.append(number)
            case "null", _:
                return ()
    return tuple(dict.fromkeys(keys))
