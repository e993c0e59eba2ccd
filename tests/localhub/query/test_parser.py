"""Text -> nodes, and where a wrong text goes wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query.nodes import (
    UNDEFINED,
    Aggregate,
    All,
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
    Sign,
    StartsWith,
)
from azext_iotjobs.localhub.query.parser import parse_condition, parse_query

A, B = Path(("tags", "a")), Path(("tags", "b"))


ONE, TWO, THREE = Constant(1), Constant(2), Constant(3)
ADD, SUBTRACT, MULTIPLY = Sign.ADD, Sign.SUBTRACT, Sign.MULTIPLY


def equals(path: Expr, value: object) -> Compare:
    return Compare(Operator.EQ, path, Constant(value))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("deviceId = 'x'", equals(Path(("deviceId",)), "x")),
        ("DEVICEID = 'x'", equals(Path(("deviceId",)), "x")),
        ("devices.DeviceId = 'x'", equals(Path(("deviceId",)), "x")),
        ("tags.A = 'x'", equals(Path(("tags", "A")), "x")),
        ("Tags.a='x'", equals(A, "x")),
        ("PROPERTIES.Desired.x = 1", equals(Path(("properties", "desired", "x")), 1)),
        (
            "properties.reported.$metadata.x.$lastUpdated > '2020'",
            Compare(Operator.GT, Path(("properties", "reported", "$metadata", "x", "$lastUpdated")), Constant("2020")),
        ),
        ("capabilities.IOTEDGE = true", equals(Path(("capabilities", "iotEdge")), True)),
        ("[[tags]].[[group]] = 1", equals(Path(("tags", "group")), 1)),
        ("tags.[[a.b c]] = 1", equals(Path(("tags", "a.b c")), 1)),
        ("tags.selection = 1", equals(Path(("tags", "selection")), 1)),
        ("tags.a != 1", Compare(Operator.NE, A, Constant(1))),
        ("tags.a <> 1", Compare(Operator.NE, A, Constant(1))),
        ("1 <= tags.a", Compare(Operator.LE, Constant(1), A)),
        ("tags.a = tags.b", Compare(Operator.EQ, A, B)),
        ("tags.a = -1.5e3", equals(A, -1500.0)),
        ("tags.a = 0x1F", equals(A, 31)),
        ("tags.a = -7", equals(A, -7)),
        ("tags.a = 99999999999999999999", equals(A, 1e20)),
        ("tags.a = null", equals(A, None)),
        ("tags.a = undefined", equals(A, UNDEFINED)),
        (r"tags.a = 'it\'s \"\\ \u00fc'", equals(A, "it's \"\\ ü")),
        ('tags.a = "it\'s"', equals(A, "it's")),
        ("tags.a in ['x', 2]", In(A, Array((Constant("x"), Constant(2))))),
        ("tags.a NIN ['x']", Not(In(A, Array((Constant("x"),))))),
        ("is_defined(tags.a)", IsDefined(A)),
        ("STARTSWITH(tags.a, 'x')", StartsWith(A, "x")),
        ("tags.a", A),
        ("tags.a = 1 AND tags.b = 2 OR NOT tags.a = 3", Or((And((equals(A, 1), equals(B, 2))), Not(equals(A, 3))))),
        (
            "1 + 2 * tags.a > 3",
            Compare(Operator.GT, Arithmetic(ONE, ((ADD, Arithmetic(TWO, ((MULTIPLY, A),))),)), THREE),
        ),
        ("1 - 2 + tags.a = 3", equals(Arithmetic(ONE, ((SUBTRACT, TWO), (ADD, A))), 3)),
        ("(1 - 2) * tags.a = 3", equals(Arithmetic(Arithmetic(ONE, ((SUBTRACT, TWO),)), ((MULTIPLY, A),)), 3)),
        ("-tags.a * 2 = -3", equals(Arithmetic(Negate(A), ((MULTIPLY, TWO),)), -3)),
        ("-(-2) = tags.a", Compare(Operator.EQ, TWO, A)),
        ("-true = 1", equals(Negate(Constant(True)), 1)),
        ("-false = 1", equals(Negate(Constant(False)), 1)),
        ("tags.a -1 = 1", equals(Arithmetic(A, ((SUBTRACT, ONE),)), 1)),
        ("tags.a-1 = 1", equals(Path(("tags", "a-1")), 1)),
        ("1-2 = 1", equals(Arithmetic(ONE, ((SUBTRACT, TWO),)), 1)),
        (
            "tags.a IN [-1, 'x', true, null]",
            In(A, Array((Constant(-1), Constant("x"), Constant(True), Constant(None)))),
        ),
        ("tags.a + 1 NIN [2]", Not(In(Arithmetic(A, ((ADD, ONE),)), Array((TWO,))))),
        ("tags.a = ['x']", Compare(Operator.EQ, A, Array((Constant("x"),)))),
        ("(tags.a = 1) = tags.b", Compare(Operator.EQ, equals(A, 1), B)),
        ("NOT tags.a + 1 = 2", Not(equals(Arithmetic(A, ((ADD, ONE),)), 2))),
        ("ARRAY_CONTAINS (parentscopes, 'p')", ArrayContains(Path(("parentScopes",)), Constant("p"))),
        ("array_contains(tags.a, -1)", ArrayContains(A, Constant(-1))),
        ("X509Thumbprint.PRIMARYThumbprint = 'x'", equals(Path(("x509Thumbprint", "primaryThumbprint")), "x")),
        ("tags.a = 1 AND (tags.b = 2 OR tags.b = 3)", And((equals(A, 1), Or((equals(B, 2), equals(B, 3)))))),
    ],
)
def test_a_condition_means_what_it_says(text: str, meaning: Expr) -> None:
    assert parse_condition(text).where == meaning


def test_a_condition_may_aim_at_all_devices_or_at_modules() -> None:
    everything = parse_condition(" * ")
    assert (everything.collection, everything.where) == (Collection.DEVICES, None)
    modules = parse_condition("FROM devices.modules WHERE devices.modules.moduleId = 'm'")
    assert (modules.collection, modules.where) == (Collection.MODULES, equals(Path(("moduleId",)), "m"))


def test_projections_keep_the_spelling_that_was_written() -> None:
    query = parse_query("select top 5 DeviceId, tags.a AS site, d.tags.b from devices AS d where d.tags.a = 1")
    assert query.projection == Fields((Field(Path(("deviceId",)), "DeviceId"), Field(A, "site"), Field(B, "b")))
    assert (query.top, query.collection, query.where) == (5, Collection.DEVICES, equals(A, 1))


def test_everything_and_counts() -> None:
    assert parse_query("SELECT * FROM devices").projection == All()
    assert parse_query("SELECT COUNT() AS n FROM devices").projection == Fields((Aggregate(Function.COUNT, None, "n"),))
    assert parse_query("SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'x'").where == equals(
        Path(("jobId",)), "x"
    )
    renamed = parse_query("SELECT * FROM devices.jobs WHERE createdTimeUtc > '2020'").where
    assert renamed == Compare(Operator.GT, Path(("createdDateTimeUtc",)), Constant("2020"))


def test_groups_and_aggregates() -> None:
    query = parse_query(
        "select d.tags.a AS site, COUNT(), Avg(Tags.b), max ( version ) AS v, sum(d.tags.b) from devices d "
        "where d.tags.a > 'x' Group  By devices.Tags.a, deviceid"
    )
    assert query.projection == Fields(
        (
            Field(A, "site"),
            Aggregate(Function.COUNT, None, "$1"),
            Aggregate(Function.AVG, B, "$2"),
            Aggregate(Function.MAX, Path(("version",)), "v"),
            Aggregate(Function.SUM, B, "$3"),
        )
    )
    assert (query.group_by, query.is_grouped) == ((A, Path(("deviceId",))), True)


def test_a_name_that_only_begins_like_a_keyword_is_a_name() -> None:
    query = parse_query("SELECT tags.order-id, tags.grouped, tags.[[group]], counter, minimum FROM devices likely")
    assert isinstance(query.projection, Fields)
    names = ["tags order-id", "tags grouped", "tags group", "counter", "minimum"]
    assert [field.path for field in query.projection.fields] == [Path(tuple(name.split())) for name in names]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("tags.a =", 1, 9),
        ("tags.a = 1 AND", 1, 15),
        ("tags.a = 1\n  OR OR", 2, 6),
        ("tags.a ~ 1", 1, 8),
        ("tags.group = 1", 1, 6),
        ("SELECT * FROM devices", 1, 1),
        ("WHERE tags.a = 1", 1, 1),
        ("tags.a LIKE 'x%'", 1, 8),
        ("tags.a + = 2", 1, 10),
        ("tags.a = 1 AND\nCONTAINS(tags.a, 'x')", 2, 1),
        ("tags.a = 1 GROUP BY tags.a", 1, 12),
        ("tags.a = 1 ORDER BY tags.a", 1, 12),
        ("tags.a IN []", 1, 12),
        ("tags.a = 'open", 1, 10),
        ("", 1, 1),
    ],
)
def test_an_error_points_at_the_place(text: str, line: int, column: int) -> None:
    with pytest.raises(QueryError) as caught:
        parse_condition(text)
    assert (caught.value.line, caught.value.column) == (line, column)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_raise_query_error(text: str) -> None:
    for parse in (parse_query, parse_condition):
        try:
            parse(text)
        except QueryError as err:
            assert err.line >= 1 and err.column >= 1


@given(
    st.lists(
        st.sampled_from(
            "SELECT * FROM devices WHERE tags . a = 'x' 1 ( ) [ ] , NOT AND IN - + % COUNT GROUP BY AVG".split()
        ),
        max_size=12,
    )
)
def test_no_row_of_words_does_either(words: list[str]) -> None:
    try:
        parse_query(" ".join(words))
    except QueryError as err:
        assert str(err)


@pytest.mark.parametrize("name", ["count", "SUM", "avg", "min", "Max", "is_defined", "startswith"])
def test_the_name_of_a_function_is_a_name_where_nothing_is_called(name: str) -> None:
    query = parse_query(f"SELECT COUNT() AS {name} FROM devices WHERE tags.{name} = 1")
    assert query.where == equals(Path(("tags", name)), 1)
    assert isinstance(query.projection, Fields) and query.projection.fields[0].name == name
