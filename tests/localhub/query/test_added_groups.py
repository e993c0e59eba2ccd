"""Groups that are added up part by part are those of the whole: generated queries and documents; pages of very many."""

import json
import math
from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from azext_iotjobs.localhub.query.added_groups import AddedGroups
from azext_iotjobs.localhub.query.evaluate import answer
from azext_iotjobs.localhub.query.grouped_sql import SORT_KEY, Group, group_parts_sql, grouped_result
from azext_iotjobs.localhub.query.nodes import Query
from azext_iotjobs.localhub.query.parser import parse_query
from azext_iotjobs.localhub.query.sql import where_sql
from azext_iotjobs.localhub.query.sql_fragments import Sql
from azext_iotjobs.localhub.query.values import exact_terms, total
from tests.localhub.query.generated import COLUMNS, DOCUMENTS, EXAMPLES, NARROW_DOCUMENTS, grouped_queries, table_of

MANY = 1000
Documents = list[dict[str, Any]]


def page(
    query: Query, documents: Documents, size: int, *, after: str = "", count: int = MANY, max_groups: int = MANY
) -> list[Group]:
    """The groups of one page, added up from slices of so many documents."""
    where, values = ("TRUE", []) if query.where is None else where_sql(query.where, COLUMNS)
    groups = AddedGroups(query, after=after, count=count, max_groups=max_groups)
    with table_of(documents) as database:
        for begin in range(0, len(documents), size):
            rows = Sql(f"FROM t WHERE id >= ? AND id < ? AND {where}", (begin, begin + size, *values))
            sql = group_parts_sql(query, rows, COLUMNS)
            groups.add(database.execute(sql.text, sql.values).fetchall())
            assert len(groups) <= max(max_groups, 2 * count)
    return groups.page()


def results(query: Query, groups: list[Group]) -> str:
    return json.dumps([grouped_result(query, group) for group in groups])


@settings(max_examples=EXAMPLES)
@given(grouped_queries(), st.lists(NARROW_DOCUMENTS, max_size=6), st.integers(1, 3))
def test_the_parts_add_up_to_the_whole(query: Query, documents: Documents, size: int) -> None:
    assert results(query, page(query, documents, size)) == json.dumps(answer(query, documents))


@settings(max_examples=EXAMPLES)
@given(grouped_queries(), st.lists(DOCUMENTS, max_size=4), st.integers(1, 2))
def test_so_they_do_of_documents_of_all_kinds(query: Query, documents: Documents, size: int) -> None:
    assert results(query, page(query, documents, size)) == json.dumps(answer(query, documents))


@settings(max_examples=EXAMPLES // 2)
@given(grouped_queries(), st.lists(NARROW_DOCUMENTS, max_size=8), st.integers(1, 3))
def test_pages_are_the_whole_in_parts_also_when_few_groups_are_kept(
    query: Query, documents: Documents, count: int
) -> None:
    if not query.group_by:
        return
    found: list[Group] = []
    while rows := page(query, documents, 2, after=found[-1][SORT_KEY] if found else "", count=count, max_groups=2):
        assert len(found) <= len(documents), "more groups than documents"
        found += rows
    assert results(query, found) == json.dumps(answer(query, documents))


def document(number: int, **tags: Any) -> dict[str, Any]:
    properties = {"desired": {"$version": 1}}
    return {"deviceId": f"d{number}", "tags": tags, "properties": properties, "capabilities": {"iotEdge": False}}


def test_of_very_many_groups_those_behind_the_page_are_not_kept() -> None:
    query = parse_query("SELECT deviceId, COUNT() AS n, SUM(tags.v) AS s FROM devices GROUP BY deviceId")
    documents = [document(number % 300, v=number) for number in range(900)]
    found: list[Group] = []
    while rows := page(query, documents, 100, after=found[-1][SORT_KEY] if found else "", count=7, max_groups=20):
        found += rows
    assert results(query, found) == json.dumps(answer(query, documents))
    assert len(found) == 300


def test_sums_of_sums_are_exact_whatever_their_order_and_size() -> None:
    query = parse_query("SELECT SUM(tags.v) AS s, AVG(tags.v) AS a, MIN(tags.v) AS l, MAX(tags.v) AS g FROM devices")
    huge = 1.7976931348623157e308
    for values in (
        [1e16, 1.0, -1e16, 1.0],
        [0.1] * 1000,
        [huge, huge, -huge, -huge, 3.0],
        [huge, huge],
        [5e-324, -5e-324, 5e-324],
        [2**53, 1, 1],
        [-0.0, 0.0],
        [number * 1.1 * (-1) ** number * 10 ** (number % 40) for number in range(500)],
    ):
        documents = [document(number, v=value) for number, value in enumerate(values)]
        assert results(query, page(query, documents, 3)) == json.dumps(answer(query, documents)), values


@settings(max_examples=EXAMPLES)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30))
def test_the_terms_of_a_sum_have_exactly_that_sum(numbers: list[float]) -> None:
    terms = exact_terms(numbers)
    assert sum(map(Fraction, terms)) == sum(map(Fraction, numbers))
    assert all(math.isfinite(term) for term in terms)
    assert total(terms) == total(numbers)


def test_a_sum_of_many_numbers_has_few_terms() -> None:
    assert len(exact_terms([number / 7 * 10 ** (number % 30) for number in range(10_000)])) <= 5
