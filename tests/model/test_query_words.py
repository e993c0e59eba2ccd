"""Words of other query languages are refused before they cost a job its id, with what this language has instead."""

import pytest

from azext_iotjobs.localhub.errors import QueryError
from azext_iotjobs.localhub.query.parser import parse_condition, parse_query
from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.query_words import check_words, foreign_words
from azext_iotjobs.model.selection import Selection

CONDITIONS = [
    ("deviceId NOT IN ['a', 'b']", "NOT IN", "deviceId NIN ['a', 'b']"),
    ("deviceId not in ('a', 'b')", "NOT IN", "deviceId NIN ['a', 'b']"),
    ("tags.x = 1 AND deviceId IN ('a','b')", "IN (…)", "deviceId IN ['a','b']"),
    ("deviceId NIN('a')", "NIN (…)", "deviceId NIN ['a']"),
    ("tags.site LIKE 'north%'", "LIKE", "STARTSWITH(tags.site, 'north')"),
    ("tags.site NOT LIKE 'north%'", "LIKE", "STARTSWITH(tags.site, 'north')"),
    ("tags.site like '%n_rth'", "LIKE", "STARTSWITH(tags.site, 'north')"),
    ("tags.site IS NULL", "IS NULL", "NOT IS_DEFINED(tags.site)"),
    ("tags.[[group]].a is not null", "IS NOT NULL", "tags.[[group]].a != null"),
    ("tags.n BETWEEN 1 AND 5", "BETWEEN", "tags.n >= 1 AND tags.n <= 9"),
    ("tags.a = 1 ORDER BY deviceId", "ORDER BY", "sort_by"),
    ("tags.a = 1 LIMIT 5", "LIMIT", "max_devices"),
    ("ENDSWITH(deviceId, 'x')", "ENDSWITH()", "STARTSWITH(path, 'text')"),
    ("contains(deviceId, 'x')", "contains()", "ARRAY_CONTAINS"),
    ("STARTS_WITH(deviceId, 'x')", "STARTS_WITH()", "STARTSWITH(tags.site"),
    ("IS_NULL(tags.a)", "IS_NULL()", "NOT IS_DEFINED"),
    ("EXISTS(tags.a)", "EXISTS()", "IS_DEFINED"),
    ("LOWER(deviceId) = 'a'", "LOWER()", "STARTSWITH"),
    ("tags.a == 1", "==", "Write =."),
    ("tags.a = 1 && tags.b = 2", "&&", "AND"),
    ("tags.a = 1 || tags.b = 2", "||", "OR"),
    ("tags.a = 1;", "; at the end", "Leave it out"),
]
QUERIES = [
    ("SELECT COUNT(*) FROM devices", "COUNT of something", "COUNT() AS n"),
    ("select count(deviceId) as n from devices", "COUNT of something", "COUNT()"),
    ("SELECT DISTINCT tags.site FROM devices", "DISTINCT", "GROUP BY tags.site"),
    ("SELECT * FROM devices ORDER BY deviceId DESC", "ORDER BY", "sort_by"),
    ("SELECT * FROM devices LIMIT 10", "LIMIT", "top"),
    ("SELECT * FROM devices;", "; at the end", "Leave it out"),
    ("SELECT tags.a, COUNT() AS n FROM devices GROUP BY tags.a HAVING n > 5", "HAVING", "query"),
]
RIGHT = [
    "*",
    "deviceId IN ['a', \"b\"]",
    "deviceId NIN ['a']",
    "tags.[[like]] = 1 AND tags.limit = 5",
    "tags.[[order]].by_x = 2",
    "tags.site = 'NOT IN (a) LIKE x; && || =='",
    "NOT (tags.a = 1)",
    "NOT tags.a IN ['x']",
    "(tags.a = 1) OR (tags.b = 2)",
    "STARTSWITH(deviceId, 'a') AND IS_DEFINED(tags.x) AND ARRAY_CONTAINS(parentScopes, 'p')",
    "tags.is = null AND tags.a != null AND tags.b <> 2",
    "tags.contains = 1 AND tags.length.count > 1",
    "FROM devices.modules WHERE moduleId = 'm'",
]


@pytest.mark.parametrize(("text", "seen", "instead"), CONDITIONS + QUERIES)
def test_a_word_of_another_language_is_refused_with_what_this_one_has(text: str, seen: str, instead: str) -> None:
    with pytest.raises(BadValue) as raised:
        check_words(text, "query_condition")
    assert seen in str(raised.value)
    assert instead in str(raised.value.hint)


@pytest.mark.parametrize("text", [text for text, _, _ in CONDITIONS])
def test_a_selection_does_not_take_it_and_neither_does_a_hub(text: str) -> None:
    with pytest.raises(BadValue):
        Selection(condition=text)
    with pytest.raises(QueryError):
        parse_condition(text)


@pytest.mark.parametrize("text", [text for text, _, _ in QUERIES])
def test_a_hub_does_not_take_such_a_query(text: str) -> None:
    with pytest.raises(QueryError):
        parse_query(text)


@pytest.mark.parametrize("condition", RIGHT)
def test_what_a_hub_takes_passes(condition: str) -> None:
    parse_condition(condition)
    assert list(foreign_words(condition)) == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT TOP 5 deviceId AS d, tags.is FROM devices WHERE tags.limit = 5",
        "SELECT COUNT() AS n FROM devices",
        "SELECT tags.site, COUNT() AS n, AVG(tags.x) FROM devices GROUP BY tags.site",
        "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j'",
    ],
)
def test_a_query_that_a_hub_takes_passes(query: str) -> None:
    parse_query(query)
    assert list(foreign_words(query)) == []


def test_a_long_or_odd_piece_is_not_repeated() -> None:
    for text in (f"deviceId IN ({'1, ' * 5000}2)", "tags.\u202ex IS NULL", "x" * 5000 + " IS NULL"):
        with pytest.raises(BadValue) as raised:
            check_words(text, "query_condition")
        assert len(str(raised.value.hint)) < 900
        assert str(raised.value.hint).isprintable()
