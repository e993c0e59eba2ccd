"""Contents of configurations: paths of desired properties, and what they make of them."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from azext_iotjobs.localhub.errors import INVALID_CONFIGURATION_CONTENT, HubError
from azext_iotjobs.localhub.rules.content_paths import (
    Setting,
    difference,
    expanded,
    settings_of,
    with_settings,
    without_settings,
)
from azext_iotjobs.localhub.rules.twin import merge

SCALARS = st.sampled_from([1, 2.0, True, False, "1", "a"])
KEYS = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=2))
SECTIONS = st.dictionaries(KEYS, TREES, max_size=3)


def settings(content: dict[str, Any]) -> list[Setting]:
    return settings_of(content, INVALID_CONFIGURATION_CONTENT)


def test_the_whole_section_is_set_before_its_parts_whatever_their_order() -> None:
    found = settings({"properties.desired.a.b": 1, "properties.desired": {"c": 2}})
    assert with_settings({"old": 0}, found) == {"c": 2, "a": {"b": 1}}


def test_a_value_at_a_path_replaces_what_is_there() -> None:
    found = settings({"properties.desired.fan": {"speed": 1}})
    assert with_settings({"fan": {"mode": "x"}, "lamp": 1}, found) == {"fan": {"speed": 1}, "lamp": 1}


def test_null_at_a_path_removes_what_is_there_and_nothing_when_there_is_nothing() -> None:
    assert with_settings({"a": {"b": 1, "c": 2}}, settings({"properties.desired.a.b": None})) == {"a": {"c": 2}}
    assert with_settings({"a": 1}, settings({"properties.desired.x.y": None})) == {"a": 1}


def test_the_members_of_the_whole_section_can_stand_for_it_so_that_others_are_kept() -> None:
    assert with_settings({"old": 0}, expanded(settings({"properties.desired": {"new": 1}}))) == {"old": 0, "new": 1}


def test_settings_are_taken_back_where_they_were_made_and_nowhere_else() -> None:
    made = settings({"properties.desired.a.b": 1, "properties.desired.gone": None})
    assert without_settings({"a": {"b": 7, "c": 2}, "gone": 3}, made) == {"a": {"c": 2}, "gone": 3}


@pytest.mark.parametrize(
    "content",
    [
        {"tags": {"a": 1}},
        {"properties.reported.a": 1},
        {"properties.desired.": 1},
        {"properties.desiredx": 1},
        {"properties.desired": 5},
        {"properties.desired." + ".".join("a" * 11): 1},
        {f"properties.desired.k{number}": 1 for number in range(1001)},
    ],
)
def test_other_paths_are_refused_with_the_code_of_who_asks(content: dict[str, Any]) -> None:
    with pytest.raises(HubError) as refusal:
        settings(content)
    assert refusal.value.fault is INVALID_CONFIGURATION_CONTENT


@given(SECTIONS, SECTIONS)
def test_a_difference_makes_the_new_section_of_the_old_one(old: dict[str, Any], new: dict[str, Any]) -> None:
    patch = difference(old, new)
    assert merge(old, patch) == new


@given(SECTIONS)
def test_there_is_no_difference_to_itself(section: dict[str, Any]) -> None:
    assert difference(section, section) == {}


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), ([1], [True]), ([{"a": 0}], [{"a": False}])])
def test_values_that_python_takes_for_the_same_differ_on_the_wire(old: Any, new: Any) -> None:
    assert difference({"a": old}, {"a": new}) == {"a": new}
