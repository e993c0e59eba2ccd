"""The hub's own documents: what they may have, and what is said of anything else."""

from typing import Any

import pytest

from azext_iotjobs.localhub.rules.own_document import (
    DocumentMistake,
    Member,
    parse_document,
    read_members,
    read_parameters,
)

MEMBERS = {
    "name": Member(kind=str, is_required=True, least=1, most=5),
    "count": Member(kind=int, least=1, most=1000),
    "share": Member(kind=float),
    "code": Member(kind=int, one_of=(3, 5)),
    "live": Member(kind=bool),
}


@pytest.mark.parametrize(
    "document",
    [
        {"name": "a"},
        {"name": "a", "count": 1000, "share": 1, "code": 5, "live": False},
        {"name": "a", "share": 0.5},
    ],
)
def test_what_is_allowed_is_read_as_it_is(document: Any) -> None:
    assert read_members(document, MEMBERS) == document


def test_null_is_as_if_a_member_were_absent() -> None:
    assert read_members({"name": "a", "count": None}, MEMBERS) == {"name": "a"}


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ([], "The body must be a JSON object, and is an array. It may have name, count, share, code, live."),
        ({}, "name: It is missing. It is a text of 1 to 5 characters."),
        ({"name": None}, "name: It is missing. It is a text of 1 to 5 characters."),
        (
            {"name": "a", "nam\n": 1},
            "'nam\\n': There is no such member. There may be name, count, share, code, live.",
        ),
        ({"name": ""}, "name: '' is not allowed. It is a text of 1 to 5 characters."),
        ({"name": "\ud800"}, "name: '\\ud800' is not allowed. It is a text of 1 to 5 characters."),
        ({"name": 1}, "name: 1, a number, is not allowed. It is a text of 1 to 5 characters."),
        ({"name": "a", "count": 0}, "count: 0 is not allowed. It is a whole number, 1 to 1,000."),
        ({"name": "a", "count": 1.5}, "count: 1.5, a number, is not allowed. It is a whole number, 1 to 1,000."),
        ({"name": "a", "count": True}, "count: true is not allowed. It is a whole number, 1 to 1,000."),
        ({"name": "a", "share": "1"}, "share: '1', a text, is not allowed. It is a number."),
        ({"name": "a", "code": 4}, "code: 4 is not allowed. It is 3 or 5."),
        ({"name": "a", "code": True}, "code: true is not allowed. It is 3 or 5."),
        ({"name": "a", "live": 1}, "live: 1, a number, is not allowed. It is true or false."),
    ],
)
def test_anything_else_is_named_with_what_is_allowed(document: Any, text: str) -> None:
    with pytest.raises(DocumentMistake) as raised:
        read_members(document, MEMBERS)
    assert str(raised.value) == text


def test_a_long_value_is_not_repeated_whole() -> None:
    with pytest.raises(DocumentMistake) as raised:
        read_members({"name": "x" * 1000}, MEMBERS)
    assert len(str(raised.value)) < 150


INNER = {
    "texts": Member(kind=dict, each=Member(kind=str, example="north")),
    "number": Member(kind=int, default=7),
    "items": Member(kind=list, most=2, each=Member(kind=dict, members={"id": Member(kind=int, is_required=True)})),
    "any": Member(kind=object),
}


def test_what_is_inside_is_read_too_and_what_is_absent_has_its_default() -> None:
    assert read_members({"items": [{"id": 1}], "any": [None]}, INNER) == {
        "number": 7,
        "items": [{"id": 1}],
        "any": [None],
    }


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"texts": []}, "texts: [], an array, is not allowed. It is a JSON object."),
        ({"texts": {"a": 1}}, 'texts.a: 1, a number, is not allowed. It is a text, such as "north".'),
        ({"texts": {"a b": None}}, "texts.'a b': null is not allowed. It is a text, such as \"north\"."),
        ({"items": [{"id": 1}, {"id": "x"}]}, "items[1].id: 'x', a text, is not allowed. It is a whole number."),
        ({"items": [{"id": 1, "x": 2}]}, "items[0].'x': There is no such member. There may be id."),
        ({"items": [{}]}, "items[0].id: It is missing. It is a whole number."),
        ({"items": [{}, {}, {}]}, "items: [{}, {}, {}] is not allowed. It is an array of at most 2 items."),
    ],
)
def test_a_mistake_inside_is_named_by_its_path(document: Any, text: str) -> None:
    with pytest.raises(DocumentMistake) as raised:
        read_members(document, INNER)
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "The body is not JSON: expecting property name enclosed in double quotes at line 1, column 2."),
        (b'{"a": 1}\n{"a": 2}', "The body is not JSON: extra data at line 2, column 1."),
        (b'{"a": "\xff"}', "The body is not JSON: it is not UTF-8, at byte 7."),
        (b'{"a": NaN}', "The body is not JSON: NaN is not JSON."),
        (b"[" * 101 + b"]" * 101, "The body is not JSON: nested too deeply."),
        (b'{"a": 1, "b": 2, "a": 1}', "a: It is there twice."),
        (b'{"a": 1, "\\u0061": 1}', "a: It is there twice."),
        (b'{"a": [{}, {"b": {"c d": 1, "c d": null}}]}', "a[1].b.'c d': It is there twice."),
        (b'{"a": {"x": 1, "x": 2}, "a": 1}', "a: It is there twice."),
        (b'[[{"a": 1, "a": 1}]]', "[0][0].a: It is there twice."),
    ],
)
def test_a_body_that_is_no_json_and_a_member_that_is_there_twice_are_refused(body: bytes, text: str) -> None:
    with pytest.raises(DocumentMistake) as raised:
        parse_document(body)
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b"", None),
        (b" \n", None),
        (b"null", None),
        (b'{"a": {"b": 1}, "c": {"b": 1}, "A": 1}', {"a": {"b": 1}, "c": {"b": 1}, "A": 1}),
    ],
)
def test_a_body_that_is_json_is_read(body: bytes, document: Any) -> None:
    assert parse_document(body) == document


PARAMETERS = {
    "wait": Member(kind=int, least=0, most=30, default=0),
    "percent": Member(kind=float),
    "keys": Member(kind=bool),
    "device": Member(kind=str, is_required=True, least=1),
}


def test_parameters_are_read_from_their_texts() -> None:
    given = [("device", "1"), ("wait", "30"), ("percent", "-1.5"), ("keys", "true")]
    assert read_parameters(given, PARAMETERS) == {"device": "1", "wait": 30, "percent": -1.5, "keys": True}
    assert read_parameters([("device", "d")], PARAMETERS) == {"device": "d", "wait": 0}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([("wait", "x")], "wait: 'x' is not allowed. It is a whole number, 0 to 30."),
        ([("wait", "31")], "wait: 31 is not allowed. It is a whole number, 0 to 30."),
        ([("wait", "\u0663")], "wait: '\\u0663' is not allowed. It is a whole number, 0 to 30."),
        ([("wait", "9" * 5000)], f"wait: '{'9' * 59}... is not allowed. It is a whole number, 0 to 30."),
        ([("percent", "inf")], "percent: 'inf' is not allowed. It is a number."),
        ([("keys", "True")], "keys: 'True' is not allowed. It is true or false."),
        ([("device", "")], "device: '' is not allowed. It is a text of at least 1 characters."),
        ([], "device: It is missing. It is a text of at least 1 characters."),
        ([("device", "a"), ("device", "a")], "device: It is there twice."),
        ([("Wait", "1")], "'Wait': There is no such parameter. There may be wait, percent, keys, device."),
    ],
)
def test_any_other_parameter_is_named_with_what_is_allowed(given: list[tuple[str, str]], text: str) -> None:
    with pytest.raises(DocumentMistake) as raised:
        read_parameters(given, PARAMETERS)
    assert str(raised.value) == text
