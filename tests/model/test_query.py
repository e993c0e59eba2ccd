"""Pieces of queries: nothing in a value ends the text that it stands in, and lists fit."""

from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.query.nodes import Array, Constant, In, Path
from azext_iotjobs.localhub.query.parser import parse_condition
from azext_iotjobs.model.query import MAX_CHARACTERS, in_list, in_lists, quoted

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(st.lists(texts, min_size=1, max_size=5))
def test_the_hub_reads_the_values_that_were_meant(values: list[str]) -> None:
    where = parse_condition(in_list("deviceId", values)).where
    assert where == In(Path(("deviceId",)), Array(tuple(map(Constant, values))))


def test_a_quote_and_a_backslash_are_escaped() -> None:
    assert quoted("a'b\\") == "'a\\'b\\\\'"


@given(st.lists(st.text("abc'\\", min_size=1, max_size=128), max_size=300))
def test_lists_hold_every_value_in_order_and_fit_into_a_query(values: list[str]) -> None:
    conditions = list(in_lists("deviceId", values, around=40))
    assert all(len(each) + 40 <= MAX_CHARACTERS for each in conditions)
    inside = ", ".join(each.removeprefix("deviceId IN [").removesuffix("]") for each in conditions)
    assert f"deviceId IN [{inside}]" == in_list("deviceId", values)
