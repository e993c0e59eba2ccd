"""The SQL at its edges: odd keys, U+0000, numbers beyond 64 bits, the largest queries; texts through the parser."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azext_iotjobs.localhub.query.builder import MAX_PATH_NAMES
from azext_iotjobs.localhub.query.column_paths import Columns, Kind
from azext_iotjobs.localhub.query.evaluate import matches
from azext_iotjobs.localhub.query.functions import install
from azext_iotjobs.localhub.query.nodes import Expr
from azext_iotjobs.localhub.query.parser import parse_condition
from azext_iotjobs.localhub.query.resolver import MAX_CONDITIONS, MAX_DEPTH, MAX_OPERANDS
from azext_iotjobs.localhub.query.sql import where_sql
from tests.localhub.query.generated import EXAMPLES

COLUMNS = Columns(
    {
        ("deviceId",): ("twins.device_id", Kind.TEXT),
        ("statusReason",): ("twins.reason", Kind.TEXT),
        ("version",): ("twins.version", Kind.NUMBER),
        ("capabilities", "iotEdge"): ("twins.is_edge", Kind.BOOLEAN),
        ("tags",): ("twins.tags", Kind.JSON),
        ("properties", "desired"): ("twins.desired", Kind.JSON),
        ("properties", "desired", "$version"): ("twins.desired_version", Kind.NUMBER),
    }
)
TABLE = """
    CREATE TABLE twins (
        device_id TEXT, reason TEXT, version INT, is_edge INT, tags TEXT, desired TEXT, desired_version INT
    )
"""
KEYS = ["a", "b", "A", "", "é", "a.b", 'a"b', "back\\slash", "$x", "[0", "0", "tab\t", "𝄞", "'", "a b", "\x7f"]
TEXTS = [
    "",
    "a",
    "A",
    "aa",
    "1",
    "é",
    "𝄞",
    "\uffff",
    "%",
    "x",
    "x\0",
    "x\0y",
    "\1",
    "\1\2",
    "\1\1",
    "\\u0000",
    "\\",
    '"',
    "'",
]
NUMBERS = [
    0,
    1,
    -1,
    1.0,
    0.1,
    -0.0,
    1.5,
    2**53,
    2**53 + 1,
    2.0**53,
    2**63 - 1,
    2**63,
    -(2**63),
    2**70 + 1,
    1e300,
    5e-324,
]

texts = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
numbers = st.sampled_from(NUMBERS) | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.dictionaries(st.sampled_from(KEYS), inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=8,
)
sections = st.dictionaries(st.sampled_from(KEYS), values, max_size=5)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = {
        "deviceId": draw(texts),
        "version": draw(st.integers(-2, 2) | st.sampled_from([2**53, 2**53 + 1])),
        "capabilities": {"iotEdge": draw(st.booleans())},
        "tags": draw(sections),
        "properties": {"desired": {**draw(sections), "$version": draw(st.integers(1, 3))}},
    }
    reason = draw(st.none() | texts)
    return document if reason is None else {**document, "statusReason": reason}


def rendered(value: Any) -> str:
    """A constant as a query writes it."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return repr(value)


quoted_keys = st.sampled_from([key for key in KEYS if key]).map("[[{}]]".format)
deep_paths = st.builds(
    lambda root, keys: ".".join([root, *keys]),
    st.sampled_from(["tags", "properties.desired"]),
    st.lists(quoted_keys, max_size=3),
)
paths = st.one_of(
    st.sampled_from(
        ["deviceId", "statusReason", "version", "capabilities.iotEdge", "capabilities", "properties", "deviceId.a"]
        + ["properties.desired.$version", "nothing", "nothing.at.all"]
    ),
    deep_paths,
    deep_paths,
)
constants = scalars.map(rendered) | st.just("undefined")
operands = paths | constants
operators = st.sampled_from(["=", "!=", "<>", "<", "<=", ">", ">="])
lists = st.lists(constants, min_size=1, max_size=4).map(lambda listed: f"[{', '.join(listed)}]")
numeric = paths | numbers.map(rendered)
calculations = st.recursive(
    numeric,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*/%"), inner),
        st.builds("({})".format, inner),
        st.builds("- {}".format, inner),
    ),
    max_leaves=5,
)
conditions = st.one_of(
    st.builds("{} {} {}".format, operands, operators, operands),
    st.builds("{} {} {}".format, calculations, operators, calculations),
    st.builds("{} IN {}".format, calculations, lists),
    st.builds("ARRAY_CONTAINS({}, {})".format, paths, constants),
    st.builds("{} {} {}".format, paths, operators, constants),
    st.builds("{} {} {}".format, operands, st.sampled_from(["IN", "NIN"]), lists),
    st.builds("IS_DEFINED({})".format, paths),
    st.builds("STARTSWITH({}, {})".format, paths, texts.map(json.dumps)),
    operands,
)
expressions = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("{} OR {}".format, inner, inner).map("({})".format),
        st.builds("(NOT {})".format, inner),
        st.builds("(({}) {} ({}))".format, inner, operators, inner),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        install(connection)
        connection.execute(TABLE)
        yield connection


def fill(database: sqlite3.Connection, rows: list[dict[str, Any]]) -> None:
    database.execute("DELETE FROM twins")
    for row in rows:
        desired = {key: value for key, value in row["properties"]["desired"].items() if key != "$version"}
        database.execute(
            "INSERT INTO twins VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                row["deviceId"],
                row.get("statusReason"),
                row["version"],
                row["capabilities"]["iotEdge"],
                json.dumps(row["tags"], ensure_ascii=False),
                json.dumps(desired, ensure_ascii=False),
                row["properties"]["desired"]["$version"],
            ),
        )


def where(text: str) -> Expr:
    expr = parse_condition(text).where
    assert expr is not None
    return expr


def chosen(database: sqlite3.Connection, expr: Expr) -> list[int]:
    sql, parameters = where_sql(expr, COLUMNS)
    statement = f"SELECT rowid FROM twins WHERE rowid > ? AND TRUE AND ({sql}) ORDER BY rowid LIMIT ?"
    return [row[0] - 1 for row in database.execute(statement, (0, *parameters, 1000))]


def assert_alike(database: sqlite3.Connection, text: str, rows: list[dict[str, Any]]) -> None:
    expr = where(text)
    fill(database, rows)
    assert chosen(database, expr) == [number for number, row in enumerate(rows) if matches(expr, row)]


@settings(max_examples=EXAMPLES)
@given(text=expressions, rows=st.lists(documents(), min_size=1, max_size=4))
def test_sqlite_chooses_the_rows_that_match(
    database: sqlite3.Connection, text: str, rows: list[dict[str, Any]]
) -> None:
    assert_alike(database, text, rows)


def twin(tags: dict[str, Any]) -> dict[str, Any]:
    properties = {"desired": {"$version": 1}}
    return {
        "deviceId": "d",
        "version": 1,
        "capabilities": {"iotEdge": False},
        "tags": tags,
        "properties": properties,
    }


@pytest.mark.parametrize("right", [*NUMBERS, *TEXTS, None, True, False], ids=repr)
def test_every_pair_of_values_compares_in_sqlite_as_in_the_plain_meaning(
    database: sqlite3.Connection, right: Any
) -> None:
    lefts = [*NUMBERS, *TEXTS, None, True, False, {}, [], {"a": 1}, [1]]
    rows = [twin({"v": left}) for left in lefts] + [twin({})]
    for operator in ("=", "!=", "<", "<=", ">", ">="):
        assert_alike(database, f"tags.v {operator} {rendered(right)}", rows)
        assert_alike(database, f"NOT {rendered(right)} {operator} tags.v", rows)


@pytest.mark.parametrize("key", [key for key in KEYS if key], ids=repr)
def test_a_key_of_any_characters_is_found_and_no_other_is(database: sqlite3.Connection, key: str) -> None:
    rows = [twin({other: {other: 1}}) for other in KEYS]
    for text in (f"tags.[[{key}]].[[{key}]] = 1", f"IS_DEFINED(tags.[[{key}]])"):
        fill(database, rows)
        assert chosen(database, where(text)) == [KEYS.index(key)]


def test_a_json_true_is_not_the_number_one(database: sqlite3.Connection) -> None:
    fill(database, [twin({"v": True}), twin({"v": 1}), twin({"v": 1.0}), twin({"v": "1"})])
    assert chosen(database, where("tags.v = 1")) == [1, 2]
    assert chosen(database, where("tags.v = true")) == [0]


def test_numbers_beyond_the_doubles_whole_ones_are_told_apart(database: sqlite3.Connection) -> None:
    fill(database, [twin({"v": 2**53}), twin({"v": 2**53 + 1})])
    assert chosen(database, where(f"tags.v = {2**53 + 1}")) == [1]
    assert chosen(database, where(f"tags.v = {2.0**53!r}")) == [0]


def test_a_text_is_compared_past_its_u0000(database: sqlite3.Connection) -> None:
    fill(database, [twin({"v": "x"}), twin({"v": "x\0y"}), twin({"v": "x\0z"}), twin({"v": "x\\u0000y"})])
    assert chosen(database, where("tags.v = 'x'")) == [0]
    assert chosen(database, where("tags.v = 'x\\u0000y'")) == [1]
    assert chosen(database, where("STARTSWITH(tags.v, 'x\\u0000')")) == [1, 2]


def test_a_text_in_a_query_is_never_read_as_sql(database: sqlite3.Connection) -> None:
    fill(database, [twin({"v": "'; DROP TABLE twins; --"})])
    assert chosen(database, where('tags.v = "\'; DROP TABLE twins; --"')) == [0]
    assert chosen(database, where("tags.[['); DROP TABLE twins; --]] = 1")) == []


def nested(condition: str, depth: int) -> str:
    text = condition
    for level in range(depth):
        text = f"({condition} {'AND' if level % 2 else 'OR'} {text})"
    return text


def nested_with(around: str, text: str, depth: int) -> str:
    for _ in range(depth):
        text = around.format(text)
    return text


LARGEST = {
    "AND and OR in one another": nested("tags.a=1", MAX_DEPTH),
    "the same, with the costliest conditions": nested("tags.[[\"]].b.c.[[\"]] IN [1,'a',null]", MAX_DEPTH),
    "NOT of NOT": "NOT " * MAX_DEPTH + "STARTSWITH(tags.[[\"]].b, 'x')",
    "as many conditions as there may be": " OR ".join(["a=b.c"] * MAX_CONDITIONS),
    "as many names as there may be": "tags" + '.[["]]' * (MAX_PATH_NAMES - 1) + " = 1",
    "a list as long as there is room for": f"tags.a IN [{','.join(['1'] * 4000)}]",
    "comparisons in one another": nested_with("(tags.b = {})", "(tags.a = 1)", MAX_DEPTH),
    "the same, of odd keys": nested_with('(tags.[["]].b = {})', "(tags.a = 1)", MAX_DEPTH),
    "comparisons and conjunctions in turn": nested_with("(tags.a = 2 OR tags.b = ({}))", "tags.a = 1", MAX_DEPTH // 2),
    "IN in one another": nested_with("({}) IN [1, 'a', true, null]", "tags.a IN [1, 'a', null]", MAX_DEPTH),
    "sums and products in one another": nested_with("(1 + 2 * ({}))", "tags.a", MAX_DEPTH // 2) + " > 1",
    "a calculation of comparisons": nested_with("1 + (tags.a = {})", "tags.a", MAX_DEPTH // 2) + " > 1",
    "a sum as long as may be": " + ".join(["tags.a"] * MAX_OPERANDS) + f" = {MAX_OPERANDS}",
    "such sums": " OR ".join(["+".join(["tags"] * MAX_OPERANDS) + "=1"] * 16),
    "signs": "-" * MAX_DEPTH + "tags.a = 1",
    "as many places as there is room for": " OR ".join(["tags=tags"] * 600),
    "the same of long names": " OR ".join(["tags.a.b.c=properties.desired.c.d"] * 200),
    "a thousand parentheses": "(" * 1000 + "tags.a = 1" + ")" * 1000,
}


@pytest.mark.parametrize("text", LARGEST.values(), ids=LARGEST.keys())
def test_the_largest_query_that_is_parsed_can_be_run(database: sqlite3.Connection, text: str) -> None:
    assert_alike(database, text, [twin({"a": 1}), twin({'"': {"b": "x"}})])
