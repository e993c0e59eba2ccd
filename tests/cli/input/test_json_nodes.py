"""JSON is read as json reads it, and each value knows its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.cli.input import json_nodes
from azext_iotjobs.cli.input.strict_json import parse_json
from azext_iotjobs.cli.input.yaml_items import Item, Limits, Source
from azext_iotjobs.model.errors import BadValue

LIMITS = Limits(size_bytes=1000, values=10_000, depth=20, digits=4300)
TEXTS = st.text(max_size=8)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


def read(text: str) -> Item:
    source = Source(name="file", limits=LIMITS, has_columns=True)
    return Item(json_nodes.read(text, source), "", source)


@given(value=VALUES, indent=st.sampled_from((None, 2, "\t")), ascii_alone=st.booleans())
def test_json_is_read_as_json_reads_it(value: Any, indent: Any, ascii_alone: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_alone)
    assert repr(read(text).value()) == repr(json.loads(text))


@given(text=st.text(st.sampled_from('{}[]",:\\u0e1-.tfn lrua\n'), max_size=12))
def test_what_json_refuses_is_refused(text: str) -> None:
    try:
        expected = parse_json(text)
    except ValueError:
        with pytest.raises(BadValue):
            read(text).value()
    else:
        assert read(text).value() == expected


def test_every_value_knows_its_place() -> None:
    item = read('{"a": [1,\r\n\t"x"],\n "b": {"é": null}}')
    places = {path: item.at(path).place for path in (("a",), ("a", 0), ("a", 1), ("b", "é"))}
    assert places == {("a",): (1, 7), ("a", 0): (1, 8), ("a", 1): (2, 2), ("b", "é"): (3, 13)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n}', "file:2:1: this is not JSON: a key in double quotes"),
        ('{"a" 1}', "file:1:6: this is not JSON: a colon"),
        ("[1 2]", "file:1:4: this is not JSON: a comma or ]"),
        ("[01]", "file:1:2: this is not JSON: a value"),
        ("[NaN]", "file:1:2: this is not JSON: a value"),
        ("[1e999]", "file:1:2: this is not JSON: the number is too large"),
        ('["a\nb"]', "file:1:2: this is not JSON: a text has no end in its line"),
        (r'["a\x"]', "file:1:4: this is not JSON: Invalid \\\\escape"),
        ("[1] 2", "file:1:5: this is not JSON: there is more"),
        ("[" * 30, "file:1:22: this is not JSON: it is nested more than 20 deep"),
        ("", "file:1:1: this is not JSON: a value"),
    ],
)
def test_what_is_no_json_is_refused_at_its_place(text: str, said: str) -> None:
    with pytest.raises(BadValue, match=f"^{said}".replace("(", r"\(")):
        read(text)
