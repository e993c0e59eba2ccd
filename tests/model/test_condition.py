"""Conditions that no hub takes are explained, those that look wrong are told of, and the rest passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.query.parser import parse_condition
from azext_iotjobs.model.condition import check_condition, doubts
from azext_iotjobs.model.errors import BadValue

OPTION = "--query-condition"

# Each is taken by the local hub's grammar too.
RIGHT = [
    "*",
    "deviceId IN ['a', \"b\"]",
    "deviceId = 'it\\'s'",
    "tags.site = 'where group by order' AND NOT (tags.a = true OR tags.b != null)",
    "tags.[[group]] = 'US'",
    "properties.reported.$version > 3 and capabilities.iotEdge = true",
    "properties.desired.fw = '“curly” is text'",
    "STARTSWITH(deviceId, 'pump') AND IS_DEFINED(tags.x)",
    "FROM devices.modules WHERE moduleId = 'm'",
    "tags.in-stock = 1 AND tags.selected = 2 AND tags.nothing = 3",
    "devices.deviceId <> 'a'",
]


@pytest.mark.parametrize("condition", RIGHT)
def test_a_right_condition_passes_without_a_word(condition: str) -> None:
    parse_condition(condition)
    check_condition(condition, OPTION)
    assert doubts(condition) == []


@pytest.mark.parametrize(
    ("condition", "said", "shown"),
    [
        ("SELECT * FROM devices WHERE tags.a = 'b'", "a whole query", "\"tags.a = 'b'\""),
        (" select *\nfrom devices", "a whole query", '"*"'),
        (
            "SELECT * FROM devices.modules WHERE moduleId = 'm'",
            "a whole query",
            "\"FROM devices.modules WHERE moduleId = 'm'\"",
        ),
        ("WHERE tags.a = 1", "begins with WHERE", '"tags.a = 1"'),
        ("where", "begins with WHERE", "tags.site"),
        ("tags.group = 'US' AND tags.Top.x = 1", "group, Top", "tags.[[group]] = 'US' AND tags.[[Top]].x = 1"),
        ("select = 1", "select is a word", '"[[select]] = 1"'),
        ("tags.$x = 1 AND tags.by = 'a'", "by is a word", "Write: tags.$x = 1 AND tags.[[by]] = 'a'"),
        ("deviceId = 'a", "opened and not closed", None),
        ("deviceId = \"a'", "opened and not closed", None),
        ("deviceId = ‘a’", "typographic quote, ‘, at character 12", None),
        ("'*'", "is in quotes as a whole", '"*"'),
    ],
)
def test_what_no_hub_takes_is_refused_with_what_to_write(condition: str, said: str, shown: str | None) -> None:
    with pytest.raises(BadValue) as raised:
        check_condition(condition, OPTION)
    assert str(raised.value).startswith(OPTION)
    assert said in str(raised.value)
    assert (shown or "") in str(raised.value.hint)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("deviceId = pump-1", "pump-1 has no quotes"),
        ("deviceId IN [a, 'b']", "a has no quotes"),
        ("tags.site != north AND tags.x = 1", "north has no quotes"),
        ("tags.order = 1", "[[order]]"),
        ("tags.a == 1", "= is"),
        ("tags.a = 1 && tags.b = 2", "write AND"),
        ("STARTS_WITH(deviceId, 'a')", "STARTSWITH"),
        ("tags.path = 'C:\\'", "backslash"),
    ],
)
def test_what_looks_wrong_is_told_and_sent(condition: str, said: str) -> None:
    check_condition(condition, OPTION)
    (doubt,) = doubts(condition)
    assert said in doubt


@given(st.text(min_size=1, max_size=60).filter(str.strip))
def test_no_text_breaks_the_look_at_it(condition: str) -> None:
    try:
        check_condition(condition, OPTION)
    except BadValue as err:
        assert str(err).startswith(OPTION)
    for doubt in doubts(condition):
        assert doubt.strip().endswith("."), "a sentence"


def test_no_control_character_of_a_condition_reaches_what_is_said_of_it() -> None:
    told = doubts("'\x1b[2J' = foo AND \x1b = bar")
    assert len(told) == 2 and all(each.isprintable() for each in told)
    with pytest.raises(BadValue) as caught:
        check_condition("'tags.a \x1b[2J'", OPTION)
    assert str(caught.value).isprintable()
