"""SQLite groups, counts and sums as the plain meaning does: generated queries and documents; pages of groups."""

import json
import sqlite3
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from azext_iotjobs.localhub.query.evaluate import answer
from azext_iotjobs.localhub.query.grouped_sql import SORT_KEY, grouped_result, grouped_sql
from azext_iotjobs.localhub.query.nodes import Query
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.query.sql import where_sql
from azext_iotjobs.localhub.query.sql_fragments import Sql
from tests.localhub.query.generated import COLUMNS, DOCUMENTS, EXAMPLES, NARROW_DOCUMENTS, grouped_queries, table_of

MANY = 1000


def page(query: Query, database: sqlite3.Connection, after: str = "", count: int = MANY) -> list[sqlite3.Row]:
    where, values = ("TRUE", []) if query.where is None else where_sql(query.where, COLUMNS)
    sql = grouped_sql(query, Sql(f"FROM t WHERE {where}", tuple(values)), COLUMNS, after=after, count=count)
    return database.execute(sql.text, sql.values).fetchall()


def given_by_sqlite(query: Query, documents: list[dict[str, Any]]) -> str:
    with table_of(documents) as database:
        return json.dumps([grouped_result(query, row) for row in page(query, database)])


def assert_alike(query: Query, documents: list[dict[str, Any]]) -> None:
    # As texts: 1, 1.0 and true are three things there.
    assert given_by_sqlite(query, documents) == json.dumps(answer(query, documents))


@settings(max_examples=EXAMPLES)
@given(grouped_queries(), st.lists(NARROW_DOCUMENTS, max_size=6))
def test_sqlite_makes_the_groups_that_the_plain_meaning_makes(query: Query, documents: list[dict[str, Any]]) -> None:
    assert_alike(query, documents)


@settings(max_examples=EXAMPLES)
@given(grouped_queries(), st.lists(DOCUMENTS, max_size=4))
def test_so_it_does_of_documents_of_all_kinds(query: Query, documents: list[dict[str, Any]]) -> None:
    assert_alike(query, documents)


@settings(max_examples=EXAMPLES // 2)
@given(grouped_queries(), st.lists(NARROW_DOCUMENTS, max_size=6), st.integers(1, 3))
def test_pages_of_groups_are_the_whole_in_parts(query: Query, documents: list[dict[str, Any]], size: int) -> None:
    if not query.group_by:
        return
    with table_of(documents) as database:
        found: list[dict[str, Any]] = []
        rows = page(query, database, count=size)
        while rows:
            assert len(found) <= len(documents), "more groups than documents"
            found += [grouped_result(query, row) for row in rows]
            rows = page(query, database, after=rows[-1][SORT_KEY], count=size)
    assert json.dumps(found) == json.dumps(answer(query, documents))


def tagged(*values: Any) -> list[dict[str, Any]]:
    """A document for each value, as its tag v; ... for none."""
    properties = {"desired": {"$version": 1}}
    rest = {"deviceId": "d", "properties": properties, "capabilities": {"iotEdge": False}}
    return [{**rest, "tags": {} if value is ... else {"v": value}} for value in values]


@pytest.mark.parametrize(
    ("selected", "values", "expected"),
    [
        ("COUNT() AS n", [], {"n": 0}),
        ("COUNT() AS n", [1, None, ...], {"n": 3}),
        ("SUM(tags.v), AVG(tags.v), MIN(tags.v), MAX(tags.v)", [], {}),
        ("SUM(tags.v), AVG(tags.v), MIN(tags.v), MAX(tags.v)", ["a", True, None, [1], ...], {}),
        (
            "SUM(tags.v), AVG(tags.v), MIN(tags.v), MAX(tags.v)",
            [1, 2.5, "9", True, None],
            {"$1": 3.5, "$2": 1.75, "$3": 1, "$4": 2.5},
        ),
        ("SUM(tags.v) AS s", [1.0, 2.0], {"s": 3}),
        ("SUM(tags.v) AS s", [0.1] * 10, {"s": 1}),
        ("SUM(tags.v) AS s", [1e308, 1e308], {}),
        ("SUM(tags.v) AS s", [1e308, 1e308, -1e308], {"s": 1e308}),
        ("AVG(tags.v) AS s", [1e308, 1e308], {}),
        ("MIN(tags.v) AS s, MAX(tags.v) AS t", [2**53, 2**53 + 1], {"s": 2**53, "t": 2**53 + 1}),
        ("COUNT() AS n, COUNT() AS m, MAX(properties.desired.$version) AS v", [1, 2], {"n": 2, "m": 2, "v": 1}),
    ],
)
def test_aggregates_of_all_rows_are_one_result(selected: str, values: list[Any], expected: dict[str, Any]) -> None:
    query = parse_query(f"SELECT {selected} FROM devices")
    assert json.loads(given_by_sqlite(query, tagged(*values))) == [expected]
    assert answer(query, tagged(*values)) == [expected]


def test_what_is_equal_is_one_group_and_nothing_else_is() -> None:
    values = [1, 1.0, True, "1", None, ..., "A", "a", 1, False, 0, [1], {}]
    query = parse_query("SELECT tags.v, COUNT() AS n FROM devices GROUP BY tags.v")
    found = {json.dumps(group.get("v", "undefined")): group["n"] for group in answer(query, tagged(*values))}
    assert found == {
        "1": 3,
        "true": 1,
        '"1"': 1,
        "null": 1,
        '"undefined"': 3,
        '"A"': 1,
        '"a"': 1,
        "false": 1,
        "0": 1,
    }
    assert_alike(query, tagged(*values))


def test_groups_of_nothing_are_none() -> None:
    query = parse_query("SELECT tags.v, COUNT() AS n FROM devices GROUP BY tags.v")
    assert answer(query, []) == []
    assert_alike(query, [])


def test_groups_need_no_aggregate_and_may_be_of_several_members() -> None:
    query = parse_query("SELECT deviceId AS id FROM devices WHERE tags.v > 1 GROUP BY deviceId, tags.v")
    assert answer(query, tagged(1, 2, 3, 2)) == [{"id": "d"}] * 2
    assert_alike(query, tagged(1, 2, 3, 2))


def test_a_groups_place_stays_when_others_come_and_go() -> None:
    query = parse_query("SELECT tags.v FROM devices GROUP BY tags.v")
    with table_of(tagged("a", "b", "c")) as database:
        before = {row["key0_value"]: row[SORT_KEY] for row in page(query, database)}
    with table_of(tagged("c", "x", "a")) as database:
        after = {row["key0_value"]: row[SORT_KEY] for row in page(query, database)}
    assert (after["a"], after["c"]) == (before["a"], before["c"])
    assert len({*before.values(), after["x"]}) == 4


def test_the_largest_grouped_query_can_be_run() -> None:
    groups = [f"tags.k{number}" for number in range(32)]
    aggregates = [f"AVG(tags.n{number})" for number in range(100)]
    query = parse_query(f"SELECT {', '.join(groups + aggregates)} FROM devices GROUP BY {', '.join(groups)}")
    assert_alike(query, tagged(1))
    assert_alike(replace(query, group_by=query.group_by[::-1]), tagged(1))
