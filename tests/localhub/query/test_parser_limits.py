"""What the parser refuses, where it points, and the sizes it bounds."""

import pytest

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query.names import MAX_CONDITIONS, MAX_DEPTH
from azext_iotjobs.localhub.query.nodes import UNDEFINED, Compare, Constant, Operator, Path
from azext_iotjobs.localhub.query.parser import (
    MAX_CHARACTERS,
    MAX_PATH_NAMES,
    parse_condition,
    parse_query,
)

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
        ("SELECT * FROM devices WHERE tags.a + 1 = 2", 1, 36),
        ("SELECT * FROM devices WHERE tags.a IN []", 1, 40),
        ("SELECT * FROM devices WHERE tags.order = 1", 1, 34),
        ("SELECT * FROM devices WHERE CONTAINS(tags.a, 'x')", 1, 37),
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
        ("SELECT AVG(version) FROM devices", 1, 11),
        ("SELECT COUNT(*) FROM devices", 1, 14),
        ("SELECT COUNT(), deviceId FROM devices", 1, 15),
        ("SELECT DISTINCT deviceId FROM devices", 1, 17),
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
    "text", ["SELECT * FROM devices GROUP BY tags.a", "SELECT * FROM devices WHERE tags.a = 1 ORDER BY deviceId"]
)
def test_a_clause_that_is_not_there_yet_is_refused_and_never_passed_over(text: str) -> None:
    with pytest.raises(QueryError):
        parse_query(text)


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
    "conditions": lambda beyond: " OR ".join(["a=1"] * (MAX_CONDITIONS + beyond)),
    "names": lambda beyond: ".".join(["a"] * (MAX_PATH_NAMES + beyond)) + " = 1",
}


@pytest.mark.parametrize("text", AT_THE_LIMIT.values(), ids=AT_THE_LIMIT.keys())
def test_a_text_of_just_the_limit_is_parsed_and_one_more_is_refused(text) -> None:  # type: ignore[no-untyped-def]
    assert parse_condition(text(0)).where is not None
    with pytest.raises(QueryError):
        parse_condition(text(1))


def test_parentheses_that_change_nothing_may_be_many() -> None:
    assert parse_condition("(" * 4000 + "tags.a = 1" + ")" * 4000).where == A_IS_1
