"""Generated documents and queries, and a table that holds the documents as the hub's tables do."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import hypothesis.strategies as st

from azext_iotjobs.localhub.query.column_paths import Columns, Kind
from azext_iotjobs.localhub.query.functions import install
from azext_iotjobs.localhub.query.nodes import (
    UNDEFINED,
    Aggregate,
    And,
    Arithmetic,
    Array,
    ArrayContains,
    Collection,
    Compare,
    Constant,
    Expr,
    Field,
    Fields,
    Function,
    In,
    IsDefined,
    Negate,
    Not,
    Operator,
    Or,
    Path,
    Query,
    Sign,
    StartsWith,
)
from azext_iotjobs.localhub.query.values import kind_of, rounded
from tests.helpers.short_form import IN_FULL

EXAMPLES = 10_000 if IN_FULL else 150

COLUMNS = Columns(
    {
        ("tags",): ("tags", Kind.JSON),
        ("properties", "desired"): ("desired", Kind.JSON),
        ("properties", "desired", "$version"): ("version", Kind.NUMBER),
        ("deviceId",): ("device_id", Kind.TEXT),
        ("capabilities", "iotEdge"): ("is_edge", Kind.BOOLEAN),
        ("deviceScope",): ("scope", Kind.TEXT),
        ("parentScopes",): ("parents", Kind.JSON),
    }
)
# Few names, so that queries and documents meet; among them what SQLite's paths stumble over.
KEYS = ["a", "b", "A", "a b", 'q"q', "back\\slash", "ü", "0", "$x", "a.b", "%", ""]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
EDGES = [
    2**52 - 1,
    -(2**52),
    2**53,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**63,
    2**70 + 1,
    1.0,
    -0.0,
    0.1,
    0.3,
    1e300,
    -1e308,
    1.7976931348623157e308,
    5e-324,
    2.0**53,
    2.0**63,
]
NUMBERS = st.one_of(
    st.integers(-3, 3), st.sampled_from(EDGES), st.floats(allow_nan=False, allow_infinity=False), st.integers(-9, 9)
)
SCALARS = st.one_of(
    st.none(), st.booleans(), NUMBERS, TEXT, st.sampled_from(["", "a", "ab", "1", "true", "_", "a%", "a\0", "a\0b"])
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner)),
    max_leaves=6,
)
# Mostly the same two keys, so that paths find something.
COMMON = ["a", "a", "a", "b", "b", *KEYS]
OBJECTS = st.dictionaries(st.sampled_from(COMMON), TREES, max_size=4)
PATHS = st.one_of(
    st.sampled_from([Path(("tags", "a")), Path(("tags", "b")), Path(("properties", "desired", "a"))]),
    st.lists(st.sampled_from(COMMON), max_size=3).map(lambda keys: Path(("tags", *keys))),
    st.lists(st.sampled_from(COMMON), max_size=2).map(lambda keys: Path(("properties", "desired", *keys))),
    st.sampled_from(
        [
            Path(("deviceId",)),
            Path(("deviceId", "below")),
            Path(("properties", "desired", "$version")),
            Path(("properties",)),
            Path(("capabilities", "iotEdge")),
            Path(("deviceScope",)),
            Path(("parentScopes",)),
            Path(("nowhere", "at", "all")),
        ]
    ),
)


def constant(value: Any) -> Constant:
    """As the parser makes it: a number beyond 64 bits is a double."""
    return Constant(rounded(value) if kind_of(value) == "number" else value)


CONSTANTS = st.one_of(SCALARS, st.just(UNDEFINED)).map(constant)
ARRAYS = st.lists(CONSTANTS, min_size=1, max_size=3).map(tuple).map(Array)
OPERANDS = st.one_of(PATHS, CONSTANTS)
NUMERIC = st.one_of(PATHS, NUMBERS.map(constant))


def calculations(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    sums = st.sampled_from([Sign.ADD, Sign.SUBTRACT])
    products = st.sampled_from([Sign.MULTIPLY, Sign.DIVIDE, Sign.MODULO])
    chains = [st.lists(st.tuples(signs, inner), min_size=1, max_size=3).map(tuple) for signs in (sums, products)]
    return st.one_of(st.builds(Arithmetic, inner, st.one_of(chains)), st.builds(Negate, inner))


CALCULATIONS = st.recursive(NUMERIC, calculations, max_leaves=6)
LEAVES: st.SearchStrategy[Expr] = st.one_of(
    st.builds(Compare, st.sampled_from(Operator), OPERANDS, OPERANDS),
    st.builds(Compare, st.sampled_from(Operator), CALCULATIONS, CALCULATIONS),
    st.builds(In, st.one_of(OPERANDS, CALCULATIONS, ARRAYS), ARRAYS),
    st.builds(IsDefined, PATHS),
    st.builds(StartsWith, PATHS, TEXT),
    st.builds(ArrayContains, PATHS, CONSTANTS),
    st.one_of(OPERANDS, CALCULATIONS, ARRAYS),
)
EXPRESSIONS: st.SearchStrategy[Expr] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(Or),
        st.builds(Compare, st.sampled_from(Operator), inner, inner),
        st.builds(In, inner, ARRAYS),
        calculations(inner),
    ),
    max_leaves=5,
)


def _document(
    tags: dict[str, Any],
    desired: dict[str, Any],
    version: int,
    device: str,
    edge: bool,
    scope: str | None,
    parents: list[Any],
) -> dict[str, Any]:
    return {
        "deviceId": device,
        "tags": tags,
        "properties": {"desired": {**desired, "$version": version}},
        "capabilities": {"iotEdge": edge},
        **({} if scope is None else {"deviceScope": scope}),
        **({"parentScopes": parents} if parents else {}),
    }


DOCUMENTS = st.builds(
    _document,
    OBJECTS,
    OBJECTS.map(lambda tree: {key: value for key, value in tree.items() if key != "$version"}),
    st.integers(1, 3),
    st.sampled_from(["a", "ab", "b"]),
    st.booleans(),
    st.sampled_from([None, "a"]),
    st.lists(SCALARS, max_size=3),
)
# Values of which several documents have the same, or almost.
SAMPLES: list[Any] = [1, 1.0, True, "1", None, 0, -0.0, False, "", "a", "a\0", 2**53, 2**53 + 1, 2.0**53, [1], {}]
ALIKE = st.sampled_from(SAMPLES)
NARROW_DOCUMENTS = st.builds(
    _document,
    st.dictionaries(st.sampled_from(["a", "b"]), ALIKE, max_size=2),
    st.dictionaries(st.sampled_from(["a", 'q"q']), st.one_of(NUMBERS, ALIKE), max_size=2),
    st.integers(1, 3),
    st.sampled_from(["a", "ab", "b"]),
    st.booleans(),
    st.sampled_from([None, "a"]),
    st.just([]),
)


@st.composite
def grouped_queries(draw: st.DrawFn) -> Query:
    """COUNT() and the like, with and without groups, in any order and with some conditions."""
    group_by = draw(st.lists(PATHS, max_size=3))
    made = draw(st.lists(st.tuples(st.sampled_from(Function), PATHS), min_size=0 if group_by else 1, max_size=4))
    aggregates = [
        Aggregate(function, None if function is Function.COUNT else path, f"${number}")
        for number, (function, path) in enumerate(made)
    ]
    chosen = draw(st.lists(st.sampled_from(group_by), max_size=3)) if group_by else []
    fields: list[Field | Aggregate] = [Field(path, f"f{number}") for number, path in enumerate(chosen)]
    selected = draw(st.permutations([*fields, *aggregates]))
    return Query(
        projection=Fields(tuple(selected or [Field(group_by[0], "f")])),
        collection=Collection.DEVICES,
        where=draw(st.none() | LEAVES),
        top=None,
        group_by=tuple(group_by),
    )


@contextmanager
def table_of(documents: list[dict[str, Any]]) -> Iterator[sqlite3.Connection]:
    """A database whose table t holds the documents, under the numbers of their order as id."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        install(database)
        database.execute("CREATE TABLE t (id INTEGER, tags, desired, version, device_id, is_edge, scope, parents)")
        for number, document in enumerate(documents):
            desired = {key: value for key, value in document["properties"]["desired"].items() if key != "$version"}
            database.execute(
                "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    json.dumps(document["tags"], ensure_ascii=False),
                    json.dumps(desired, ensure_ascii=False),
                    document["properties"]["desired"]["$version"],
                    document["deviceId"],
                    document["capabilities"]["iotEdge"],
                    document.get("deviceScope"),
                    json.dumps(document["parentScopes"], ensure_ascii=False) if "parentScopes" in document else None,
                ),
            )
        yield database
