"""The SQL that a query becomes keeps exactly the rows that its plain meaning keeps: generated queries and documents."""

import json
import sqlite3
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from azext_iotjobs.localhub.query.evaluate import matches
from azext_iotjobs.localhub.query.functions import install
from azext_iotjobs.localhub.query.nodes import (
    UNDEFINED,
    And,
    Array,
    Compare,
    Constant,
    Expr,
    In,
    IsDefined,
    Not,
    Operator,
    Or,
    Path,
    StartsWith,
)
from azext_iotjobs.localhub.query.places import Columns, Kind
from azext_iotjobs.localhub.query.sql import where_sql

COLUMNS = Columns(
    {
        ("tags",): ("tags", Kind.JSON),
        ("properties", "desired"): ("desired", Kind.JSON),
        ("properties", "desired", "$version"): ("version", Kind.NUMBER),
        ("deviceId",): ("device_id", Kind.TEXT),
        ("capabilities", "iotEdge"): ("is_edge", Kind.BOOLEAN),
        ("deviceScope",): ("scope", Kind.TEXT),
    }
)
# Few names, so that queries and documents meet; among them what SQLite's paths stumble over.
KEYS = ["a", "b", "A", "a b", 'q"q', "back\\slash", "ü", "0", "$x", "a.b", "%", ""]
# SQLite ends a text at NUL, and a twin refuses half surrogates.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**52 - 1, -(2**52), 2**53, 2**53 + 1, 1.0, -0.0, 0.1, 1e300, float(2**53)]),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT, st.sampled_from(["", "a", "ab", "1", "true", "_", "a%"]))
TREES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(KEYS), inner)),
    max_leaves=6,
)  # fmt: skip
OBJECTS = st.dictionaries(st.sampled_from(KEYS), TREES, max_size=4)
PATHS = st.one_of(
    st.lists(st.sampled_from(KEYS), max_size=3).map(lambda keys: Path(("tags", *keys))),
    st.lists(st.sampled_from(KEYS), max_size=2).map(lambda keys: Path(("properties", "desired", *keys))),
    st.sampled_from(
        [
            Path(("deviceId",)),
            Path(("deviceId", "below")),
            Path(("properties", "desired", "$version")),
            Path(("capabilities", "iotEdge")),
            Path(("deviceScope",)),
            Path(("nowhere", "at", "all")),
        ]
    ),
)
CONSTANTS = st.one_of(SCALARS, st.just(UNDEFINED)).map(Constant)
OPERANDS = st.one_of(PATHS, CONSTANTS)
LEAVES: st.SearchStrategy[Expr] = st.one_of(
    st.builds(Compare, st.sampled_from(Operator), OPERANDS, OPERANDS),
    st.builds(In, OPERANDS, st.lists(CONSTANTS, min_size=1, max_size=3).map(tuple).map(Array)),
    st.builds(IsDefined, PATHS),
    st.builds(StartsWith, PATHS, TEXT),
    OPERANDS,
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or),
    ),
    max_leaves=5,
)


def kept_by_sqlite(expr: Expr, documents: list[dict[str, Any]]) -> list[int]:
    database = sqlite3.connect(":memory:")
    try:
        install(database)
        database.execute("CREATE TABLE t (id INTEGER, tags, desired, version, device_id, is_edge, scope)")
        for number, document in enumerate(documents):
            desired = {key: value for key, value in document["properties"]["desired"].items() if key != "$version"}
            database.execute(
                "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    json.dumps(document["tags"], ensure_ascii=False),
                    json.dumps(desired, ensure_ascii=False),
                    document["properties"]["desired"]["$version"],
                    document["deviceId"],
                    document["capabilities"]["iotEdge"],
                    document.get("deviceScope"),
                ),
            )
        sql, values = where_sql(expr, COLUMNS)
        return [row[0] for row in database.execute(f"SELECT id FROM t WHERE {sql} ORDER BY id", values)]
    finally:
        database.close()


def document(tags: dict, desired: dict, version: int, device: str, is_edge: bool, scope: str | None) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "deviceId": device,
        "tags": tags,
        "properties": {"desired": {**desired, "$version": version}},
        "capabilities": {"iotEdge": is_edge},
    }
    return whole if scope is None else {**whole, "deviceScope": scope}


DOCUMENTS = st.builds(
    document,
    OBJECTS,
    OBJECTS.map(lambda tree: {key: value for key, value in tree.items() if key != "$version"}),
    st.integers(1, 3),
    st.sampled_from(["a", "ab", "b"]),
    st.booleans(),
    st.sampled_from([None, "a"]),
)


@settings(max_examples=600, deadline=None)
@given(EXPRESSIONS, st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_sqlite_keeps_what_the_plain_meaning_keeps(expr: Expr, documents: list[dict[str, Any]]) -> None:
    expected = [number for number, each in enumerate(documents) if matches(expr, each)]
    assert kept_by_sqlite(expr, documents) == expected
