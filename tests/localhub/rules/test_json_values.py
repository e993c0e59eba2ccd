"""Strict JSON: what is refused, and that nothing which is taken can exhaust the stack of whoever walks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.rules.json_values import MAX_DEPTH, dump_json, parse_json

ARRAYS, OBJECTS = ("[", "]"), ('{"a":', "}")


@pytest.mark.parametrize(("before", "behind"), [ARRAYS, OBJECTS])
def test_nesting_is_taken_up_to_a_bound_and_not_beyond(before: str, behind: str) -> None:
    inner = {ARRAYS: "", OBJECTS: "1"}[before, behind]
    for encode in (str, str.encode):
        fits = before * MAX_DEPTH + inner + behind * MAX_DEPTH
        assert dump_json(parse_json(encode(fits))) == fits
        for depth in (MAX_DEPTH + 1, 970, 990, 100_000):
            with pytest.raises(ValueError, match="nested too deeply"):
                parse_json(encode(before * depth + inner + behind * depth))


def test_many_arrays_beside_each_other_are_not_deep() -> None:
    wide = "[" + ",".join(["[[]]"] * 1000) + "]"
    assert dump_json(parse_json(wide)) == wide


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "1e999", "9" * 5000, "", "{", b"\xff", b"{}\0"])
def test_what_is_no_json_that_one_can_pass_on_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@given(st.binary(max_size=40) | st.text('[]{}",:0123456789.eE+-tfn\\u \ud800', max_size=40))
def test_any_bytes_are_json_that_can_be_written_again_or_refused(text: str | bytes) -> None:
    try:
        value = parse_json(text)
    except ValueError:
        return
    assert parse_json(dump_json(value).encode()) == value
