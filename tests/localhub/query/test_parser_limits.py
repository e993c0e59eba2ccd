"""What the parser refuses, where it points, and the sizes it bounds."""

import pytest

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query.builder import MAX_PATH_NAMES
from azext_iotjobs.localhub.query.grouping import MAX_AGGREGATES, MAX_GROUP_PATHS
from azext_iotjobs.localhub.query.nodes import UNDEFINED, Compare, Constant, Operator, Path
from azext_iotjobs.localhub.query.parser import (
    MAX_CHARACTERS,
    parse_condition,
    parse_query,
)
from azext_iotjobs.localhub.query.resolver import MAX_CONDITIONS, MAX_DEPTH, MAX_OPERANDS

A_IS_1 = Compare(Operator.EQ, Path(("tags", "a")), Constant(1))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1", -1),
        ("1.50", 1.5),
        ("-2e3", -2000.0),
        ("0xFf", 255),
        ("-0x10", -16),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), 2.0**63),
        ("''", ""),
        ("'a'", "a"),
        ('"a\'b"', "a'b"),
        (r"'a\'b'", "a'b"),
        (r'"\"\\\/"', '"\\/'),
        (r"'\u00e9\n'", "é\n"),
        (r"'\ud834\udd1e'", "𝄞"),
        ("'𝄞'", "𝄞"),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("Undefined", UNDEFINED),
    ],
)
def test_a_constant_has_its_value_and_type(text: str, value: object) -> None:
    where = parse_condition(f"tags.a = {text}").where
    assert where == Compare(Operator.EQ, Path(("tags", "a")), Constant(value))  # type: ignore[arg-type]
    assert isinstance(where, Compare) and isinstance(where.right, Constant)
    assert type(where.right.value) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("SELECT", 1, 7),
        ("SELECT * FROM", 1, 14),
        ("SELECT * FROM rooms", 1, 15),
        ("SELECT *\nFROM devices\nWHERE ;", 3, 7),
        ("SELECT * FROM devices WHERE tags.a = ", 1, 38),
        ("SELECT * FROM devices WHERE tags.a LIKE 'x'", 1, 36),
        ("SELECT * FROM devices WHERE tags.a + = 2", 1, 38),
        ("SELECT * FROM devices WHERE tags.a - - = 2", 1, 40),
        ("SELECT * FROM devices WHERE tags.a IN []", 1, 40),
        ("SELECT * FROM devices WHERE tags.order = 1", 1, 34),
        ("SELECT * FROM devices WHERE CONTAINS(tags.a, 'x')", 1, 29),
        ("SELECT * FROM devices WHERE tags.a = 'x", 1, 38),
        ("SELECT * FROM devices WHERE tags.a = 1 = 1", 1, 40),
        (r"SELECT * FROM devices WHERE tags.a = 'C:\dir'", 1, 38),
        (r"SELECT * FROM devices WHERE tags.a = '\u12'", 1, 38),
        (r"SELECT * FROM devices WHERE tags.a = '\ud834'", 1, 38),
        ("SELECT * FROM devices WHERE tags.[[\ud834]] = 1", 1, 36),
        ("SELECT * FROM devices WHERE tags.a = 1e999", 1, 38),
        ("SELECT * FROM devices WHERE tags.a = " + "9" * 5000, 1, 38),
        ("SELECT * FROM devices WHERE tags.a = 0x" + "f" * 2000, 1, 38),
        ("SELECT TOP 1.5 * FROM devices", 1, 13),
        ("SELECT TOP -1 * FROM devices", 1, 12),
        ("SELECT TOP 9999999999 * FROM devices", 1, 12),
        ("SELECT AVG() FROM devices", 1, 12),
        ("SELECT COUNT(*) FROM devices", 1, 14),
        ("SELECT COUNT(), deviceId FROM devices", 1, 17),
        ("SELECT DISTINCT deviceId FROM devices", 1, 8),
        ("SELECT * FROM devices ORDER BY deviceId", 1, 23),
        ("SELECT * FROM devices JOIN devices.modules", 1, 23),
        ("SELECT * FROM devices d JOIN devices.modules", 1, 25),
        ("SELECT * FROM devices WHERE tags.a = 1\nORDER BY deviceId", 2, 1),
        ("SELECT * FROM devices WHERE (SELECT tags.a FROM devices) = 1", 1, 30),
        ("SELECT * FROM devices WHERE EXISTS(SELECT 1)", 1, 29),
        ("SELECT tags.a FROM devices GROUP BY tags.a HAVING COUNT() > 1", 1, 44),
        ("SELECT tags.a FROM devices GROUP BY tags.a ORDER BY tags.a", 1, 44),
        ("SELECT tags.a FROM devices GROUP tags.a", 1, 28),
        ("SELECT tags.a FROM devices GROUP BY COUNT()", 1, 37),
        ("SELECT tags.a FROM devices GROUP BY tags.a WHERE tags.a = 1", 1, 44),
        ("SELECT tags.b FROM devices GROUP BY tags.a", 1, 8),
        ("SELECT COUNT(),\ntags.a.b FROM devices GROUP BY tags.a", 2, 1),
        ("SELECT * FROM devices GROUP BY tags.a", 1, 23),
        ("SELECT * FROM devices WHERE AVG(tags.a) = 1", 1, 29),
        ("SELECT * FROM devices WHERE COUNT() = 1", 1, 29),
        ("SELECT tags.a + 1 FROM devices", 1, 15),
        ("SELECT MAX(tags.a + 1) FROM devices", 1, 19),
        ("SELECT COUNT() FROM devices.modules", 1, 8),
        ("SELECT moduleId, SUM(version) FROM devices.modules", 1, 18),
        ("SELECT moduleId FROM devices.modules GROUP BY moduleId", 1, 38),
        ("SELECT jobId FROM devices.jobs", 1, 8),
        ("SELECT COUNT() FROM devices.jobs", 1, 8),
        ("SELECT * FROM devices.jobs GROUP BY jobId", 1, 28),
        ("SELECT * FROM devices.jobs WHERE tags.a = 1", 1, 34),
        ("SELECT * FROM devices.jobs WHERE 1 = 1 AND IS_DEFINED(properties.desired)", 1, 55),
        ("SELECT * FROM devices.jobs WHERE STARTSWITH(jobId, 'a')", 1, 34),
        ("SELECT * FROM devices.jobs WHERE ARRAY_CONTAINS(outcome, 'a')", 1, 34),
        ("SELECT * FROM devices WHERE IS_DEFINED(tags.a + 1)", 1, 47),
        ("SELECT * FROM devices WHERE ARRAY_CONTAINS(tags.a, tags.b)", 1, 52),
        ("SELECT * FROM devices WHERE tags.a IN tags.b", 1, 39),
        ("SELECT * FROM devices WHERE tags.a IN [tags.b]", 1, 40),
        ("SELECT * FROM devices WHERE tags.a IN [-'x']", 1, 41),
        ("SELECT * FROM devices; SELECT * FROM devices", 1, 22),
        ("tags.a = 1", 1, 1),
        ("*", 1, 1),
    ],
)
def test_a_query_outside_the_language_is_refused_where_it_leaves_it(text: str, line: int, column: int) -> None:
    with pytest.raises(QueryError) as refusal:
        parse_query(text)
    assert (refusal.value.line, refusal.value.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CONTAINS(tags.a, 'x')", "CONTAINS is a function of message routing"),
        ("NOT is_null (tags.a)", "is_null is a function of message routing"),
        ("ENDSWITH(tags.a, 'x')", "message routing"),
        ("STARTS_WITH(tags.a, 'x')", "message routing; here there are IS_DEFINED, STARTSWITH"),
        ("SHOUT(tags.a)", "there is no function 'SHOUT'"),
        ("SUM(tags.a) > 1", "SUM may only stand between SELECT and FROM"),
        ("tags.a = 1 order by deviceId", "there is no ORDER here"),
        ("tags.order = 1", r"as a name it is written \[\[order\]\]"),
        ("tags.and = 1", r"'and' is a reserved word; as a name it is written \[\[and\]\]"),
        ("tags.a = 1 tags", "unexpected 'tags'"),
    ],
)
def test_a_refusal_says_what_is_wrong_with_the_word(text: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        parse_condition(text)


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_an_empty_text_is_refused_and_does_not_mean_everything(text: str) -> None:
    for parse in (parse_query, parse_condition):
        with pytest.raises(QueryError, match="empty"):
            parse(text)


@pytest.mark.parametrize("text", ["FROM devices.jobs WHERE status = 'failed'", "WHERE tags.a = 1", "* AND tags.a = 1"])
def test_a_condition_outside_the_language_is_refused(text: str) -> None:
    with pytest.raises(QueryError):
        parse_condition(text)


@pytest.mark.parametrize("projection", ["COUNT()", "jobId", "jobId, deviceId"])
def test_device_jobs_are_read_whole(projection: str) -> None:
    with pytest.raises(QueryError, match=r"SELECT \*"):
        parse_query(f"SELECT {projection} FROM devices.jobs")


def test_two_members_of_one_name_are_refused_because_one_would_be_lost() -> None:
    with pytest.raises(QueryError, match="'a'"):
        parse_query("SELECT tags.a, properties.desired.a FROM devices")


def or_within_and(depth: int) -> str:
    text = "a=1"
    for level in range(depth):
        text = f"(a=1 {'AND' if level % 2 else 'OR'} {text})"
    return text


AT_THE_LIMIT = {
    "characters": lambda beyond: "a = '" + "x" * (MAX_CHARACTERS - 6 + beyond) + "'",
    "depth": lambda beyond: or_within_and(MAX_DEPTH + beyond),
    "depth of NOT": lambda beyond: "NOT " * (MAX_DEPTH + beyond) + "a=1",
    "depth of comparisons": lambda beyond: "(a=" * (MAX_DEPTH + beyond) + "(a=1)" + ")" * (MAX_DEPTH + beyond),
    "depth of sums": lambda beyond: "(1+" * (MAX_DEPTH + beyond) + "a" + ")" * (MAX_DEPTH + beyond) + "=1",
    "depth of signs": lambda beyond: "-" * (MAX_DEPTH + beyond) + "a=1",
    "values": lambda beyond: "*".join(["a"] * (MAX_OPERANDS - 2 + beyond)) + "+1+1=1",
    "conditions": lambda beyond: " OR ".join(["a=1"] * (MAX_CONDITIONS + beyond)),
    "names": lambda beyond: ".".join(["a"] * (MAX_PATH_NAMES + beyond)) + " = 1",
}


@pytest.mark.parametrize("text", AT_THE_LIMIT.values(), ids=AT_THE_LIMIT.keys())
def test_a_text_of_just_the_limit_is_parsed_and_one_more_is_refused(text) -> None:  # type: ignore[no-untyped-def]
    assert parse_condition(text(0)).where is not None
    with pytest.raises(QueryError):
        parse_condition(text(1))


GROUPED_AT_THE_LIMIT = {
    "groups": lambda beyond: (["COUNT()"], [f"tags.a{number}" for number in range(MAX_GROUP_PATHS + beyond)]),
    "aggregates": lambda beyond: (["SUM(tags.a)"] * (MAX_AGGREGATES + beyond), ["tags.a"]),
}


@pytest.mark.parametrize("parts", GROUPED_AT_THE_LIMIT.values(), ids=GROUPED_AT_THE_LIMIT.keys())
def test_a_grouped_query_of_just_the_limit_is_parsed_and_one_more_is_refused(parts) -> None:  # type: ignore[no-untyped-def]
    def text(beyond: int) -> str:
        selected, groups = parts(beyond)
        return f"SELECT {', '.join(selected)} FROM devices GROUP BY {', '.join(groups)}"

    assert parse_query(text(0)).is_grouped
    with pytest.raises(QueryError, match="more than"):
        parse_query(text(1))


@pytest.mark.parametrize(
    "text",
    [
        "-" * 8000 + "1 = 1",
        "-" * 8000 + "a = 1",
        "(1+" * 2000 + "a" + ")" * 2000 + " = 1",
        "(a=" * 2000 + "1" + ")" * 2000,
        "+".join("a" * 4000) + " = 1",
        "a = " + "%".join("1" * 4000),
        "NOT " * 2000 + "a = 1",
        "(a = 1) IN [1] " * 500,
    ],
)
def test_no_text_however_deep_or_long_does_more_than_be_refused_or_parsed(text: str) -> None:
    try:
        parse_condition(text)
    except QueryError as err:
        assert str(err)


def test_parentheses_that_change_nothing_may_be_many() -> None:
    assert parse_condition("(" * 4000 + "tags.a = 1" + ")" * 4000).where == A_IS_1
