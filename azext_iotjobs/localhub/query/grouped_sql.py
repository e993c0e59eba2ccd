"""A grouped query -> SQL, and its rows -> results.

Strategy: an inner SELECT finds kinds, values and numbers once for each row; the outer one groups equal kinds and
values, and orders the groups by a sort key, after which the next page begins.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

from azext_iotjobs.localhub.query import nodes
from azext_iotjobs.localhub.query.column_paths import Columns, Operand, operand_at
from azext_iotjobs.localhub.query.nodes import UNDEFINED, Function
from azext_iotjobs.localhub.query.sql_fragments import Sql, filled, joined
from azext_iotjobs.localhub.query.values import key_part, results

SORT_KEY = "sort_key"  # the column that orders groups
IN_SQL = {
    Function.COUNT: "count(*)",
    Function.SUM: "exact_sum({})",
    Function.AVG: "exact_sum({0}) / count({0})",
    Function.MIN: "min({})",
    Function.MAX: "max({})",
}


def grouped_sql(query: nodes.Query, rows: Sql, columns: Columns, *, after: str, count: int) -> Sql:
    """A SELECT of at most `count` groups after the sort key `after`.

    rows: FROM and WHERE of the rows to group.
    """
    keys = [f"key{number}" for number in range(len(query.group_by))]
    names = [f"{part} AS {key}_{name}" for key in keys for part, name in (("{}", "kind"), ("{}", "value"))]
    key_sql = [each for path in query.group_by for each in _key(operand_at(path, columns))]
    aggregates = _aggregates(query)
    numbers = list(dict.fromkeys(each.path for each in aggregates if each.path is not None))
    number_names = {path: f"number{position}" for position, path in enumerate(numbers)}
    inner = filled(
        ", ".join([*names, *(f"{{}} AS {name}" for name in number_names.values())]) or "1",
        *key_sql,
        *(operand_at(path, columns).number for path in numbers),
    )
    listed = ", ".join(f"{key}_kind, {key}_value" for key in keys)
    selected = [
        f"sort_key_of({listed}) AS {SORT_KEY}",
        *([listed] if keys else []),
        *(
            f"{IN_SQL[each.function].format(number_names.get(each.path) if each.path else '')} AS made{position}"
            for position, each in enumerate(aggregates)
        ),
    ]
    whole = joined(" ", [Sql(f"SELECT {', '.join(selected)} FROM (SELECT"), inner, rows, Sql(")")])
    if not keys:  # one group, even without rows
        return Sql(f"{whole.text} LIMIT ?", (*whole.values, count))
    ending = f"GROUP BY {listed} HAVING {SORT_KEY} > ? ORDER BY {SORT_KEY} LIMIT ?"
    return Sql(f"{whole.text} {ending}", (*whole.values, after, count))


def grouped_result(query: nodes.Query, row: sqlite3.Row) -> dict[str, Any]:
    """The result that a row of `grouped_sql` holds."""
    return results(list(_members(query, row)))


def _members(query: nodes.Query, row: sqlite3.Row) -> Iterator[tuple[str, Any]]:
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


def _aggregates(query: nodes.Query) -> tuple[nodes.Aggregate, ...]:
    return query.projection.aggregates if isinstance(query.projection, nodes.Fields) else ()


def _key(operand: Operand) -> tuple[Sql, Sql]:
    """Kind and value of an element of a group's key; both NULL for what cannot be compared."""
    if isinstance(operand.kind, str):
        return filled(f"CASE WHEN {{}} IS NOT NULL THEN '{operand.kind}' END", operand.value), operand.value
    return operand.kind, operand.value
