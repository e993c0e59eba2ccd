"""SQLite keeps exactly the rows that the plain meaning keeps: generated queries and documents."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from azext_iotjobs.localhub.query.evaluate import matches
from azext_iotjobs.localhub.query.nodes import Compare, Expr, Operator
from azext_iotjobs.localhub.query.sql import where_sql
from tests.localhub.query.generated import CALCULATIONS, COLUMNS, DOCUMENTS, EXAMPLES, EXPRESSIONS, table_of


def kept_by_sqlite(expr: Expr, documents: list[dict[str, Any]]) -> list[int]:
    with table_of(documents) as database:
        sql, values = where_sql(expr, COLUMNS)
        return [row[0] for row in database.execute(f"SELECT id FROM t WHERE {sql} ORDER BY id", values)]


def assert_alike(expr: Expr, documents: list[dict[str, Any]]) -> None:
    expected = [number for number, each in enumerate(documents) if matches(expr, each)]
    assert kept_by_sqlite(expr, documents) == expected


@settings(max_examples=EXAMPLES)
@given(EXPRESSIONS, st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_sqlite_keeps_what_the_plain_meaning_keeps(expr: Expr, documents: list[dict[str, Any]]) -> None:
    assert_alike(expr, documents)


@settings(max_examples=EXAMPLES)
@given(st.builds(Compare, st.sampled_from(Operator), CALCULATIONS, CALCULATIONS), st.lists(DOCUMENTS, max_size=3))
def test_sqlite_calculates_to_the_last_bit_as_the_plain_meaning_does(
    expr: Compare, documents: list[dict[str, Any]]
) -> None:
    # Each way to compare, so that of any two numbers that differ at least one way tells.
    for operator in Operator:
        assert_alike(Compare(operator, expr.left, expr.right), documents)
