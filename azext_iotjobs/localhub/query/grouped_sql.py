"""A grouped query -> SQL, and its rows -> results.

Strategy: an inner SELECT finds kinds, values and numbers once for each row; the outer one groups equal kinds and
values, and orders the groups by a sort key, after which the next page begins.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.column_paths import Columns, Operand, operand_at
from azext_iotjobs.localhub.query.nodes import UNDEFINED, Function
from azext_iotjobs.localhub.query.sql_fragments import Sql, filled, joined
from azext_iotjobs.localhub.query.values import key_part, results

Group = sqlite3.Row | dict[str, Any]
SORT_KEY = "sort_key"  # the column that orders groups
# The value of an aggregate; and what `AddedGroups` adds up to it.
IN_SQL = {
    Function.COUNT: "count(*)",
    Function.SUM: "exact_sum({})",
    Function.AVG: "exact_sum({0}) / count({0})",
    Function.MIN: "min({})",
    Function.MAX: "max({})",
}
PARTS_IN_SQL = IN_SQL | {Function.SUM: "sum_part({})", Function.AVG: "sum_part({})"}


def grouped_sql(query: nodes.Query, rows: Sql, columns: Columns, *, after: str, count: int) -> Sql:
    """A SELECT of at most `count` groups after the sort key `after`.

    rows: FROM and WHERE of the rows to group.
    """
    groups, listed = _all_groups_sql(query, rows, columns, IN_SQL), ", ".join(key_names(query))
    if not query.group_by:  # one group, even without rows
        return Sql(f"SELECT sort_key_of() AS {SORT_KEY}, * FROM ({groups.text}) LIMIT ?", (*groups.values, count))
    # LIMIT -1 keeps the sort key out of the inner SELECT, where SQLite would compute it for every row.
    sql = f"SELECT sort_key_of({listed}) AS {SORT_KEY}, * FROM ({groups.text} LIMIT -1)"
    ending = f"WHERE {SORT_KEY} > ? ORDER BY {SORT_KEY} LIMIT ?"
    return Sql(f"{sql} {ending}", (*groups.values, after, count))


def group_parts_sql(query: nodes.Query, rows: Sql, columns: Columns) -> Sql:
    """A SELECT of all groups of some rows, in any order, for `AddedGroups`. rows: as for `grouped_sql`."""
    return _all_groups_sql(query, rows, columns, PARTS_IN_SQL)


def _all_groups_sql(query: nodes.Query, rows: Sql, columns: Columns, in_sql: Mapping[Function, str]) -> Sql:
    """A SELECT of all groups, without their sort keys and in any order."""
    keys = key_names(query)
    key_sql = [each for path in query.group_by for each in _key(operand_at(path, columns))]
    aggregates = aggregates_of(query)
    numbers = list(dict.fromkeys(each.path for each in aggregates if each.path is not None))
    number_names = {path: f"number{position}" for position, path in enumerate(numbers)}
    inner = filled(
        ", ".join([*(f"{{}} AS {name}" for name in (*keys, *number_names.values()))]) or "1",
        *key_sql,
        *(operand_at(path, columns).number for path in numbers),
    )
    selected = [
        *keys,
        *(
            f"{in_sql[each.function].format(number_names.get(each.path) if each.path else '')} AS made{position}"
            for position, each in enumerate(aggregates)
        ),
    ]
    whole = joined(" ", [Sql(f"SELECT {', '.join(selected)} FROM (SELECT"), inner, rows, Sql(")")])
    return Sql(f"{whole.text} GROUP BY {', '.join(keys)}", whole.values) if keys else whole


def grouped_result(query: nodes.Query, row: Group) -> dict[str, Any]:
    """The result that a row of `grouped_sql` holds."""
    return results(list(_members(query, row)))


def _members(query: nodes.Query, row: Group) -> Iterator[tuple[str, Any]]:
    assert isinstance(query.projection, nodes.Fields)  # SELECT * is not grouped
    made = 0
    for field in query.projection.fields:
        if isinstance(field, nodes.Aggregate):
            value = row[f"made{made}"]
            made += 1
            yield field.name, UNDEFINED if value is None else value
        else:
            name = f"key{query.group_by.index(field.path)}"
            kind, value = key_part(row[f"{name}_kind"], row[f"{name}_value"])
            yield field.name, UNDEFINED if kind is None else value


def key_names(query: nodes.Query) -> list[str]:
    """The columns of a group's key: kind and value of each of its elements."""
    return [f"key{number}_{part}" for number in range(len(query.group_by)) for part in ("kind", "value")]


def aggregates_of(query: nodes.Query) -> tuple[nodes.Aggregate, ...]:
    """The aggregates of a query, in the order of the columns `made0`, `made1`, …"""
    return query.projection.aggregates if isinstance(query.projection, nodes.Fields) else ()


def _key(operand: Operand) -> tuple[Sql, Sql]:
    """Kind and value of an element of a group's key; both NULL for what cannot be compared."""
    if isinstance(operand.kind, str):
        return filled(f"CASE WHEN {{}} IS NOT NULL THEN '{operand.kind}' END", operand.value), operand.value
    return operand.kind, operand.value
