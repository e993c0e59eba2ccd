"""Whether what was asked of a twin is there already: exactly when merging it would change nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.model.applied import has_content, has_patch, wanted_of_modules
from azext_iotjobs.model.twin import Twin, TwinPatch

leaves = (
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "x"]) | st.lists(st.integers(0, 1), max_size=2)
)
names = st.sampled_from("abc")
trees = st.recursive(
    st.dictionaries(names, leaves, max_size=3),
    lambda inner: st.dictionaries(names, leaves | inner, max_size=3),
    max_leaves=8,
)


def without_nulls(tree: Any) -> Any:
    """What a twin can hold."""
    return {k: without_nulls(v) for k, v in tree.items() if v is not None} if isinstance(tree, dict) else tree


def merged(there: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The hub's merge: null removes, objects are merged, everything else replaces."""
    result = dict(there)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            inner = result.get(name)
            result[name] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            result[name] = value
    return result


def twin(desired: dict[str, Any], tags: dict[str, Any] | None = None) -> Twin:
    own = {**desired, "$version": 3, "$metadata": {}}
    return Twin(device_id="d", etag="A", document={"tags": tags or {}, "properties": {"desired": own}})


@given(there=trees.map(without_nulls), patch=trees)
def test_a_patch_is_there_when_it_would_change_nothing(there: dict[str, Any], patch: dict[str, Any]) -> None:
    changes_nothing = repr(sorted_tree(merged(there, patch))) == repr(sorted_tree(there))
    document = TwinPatch(document={"properties": {"desired": patch}})
    assert has_patch(twin(there), document) is changes_nothing
    assert has_patch(twin({}, there), TwinPatch(document={"tags": patch})) is changes_nothing
    assert has_patch(twin(merged(there, patch)), document)


@given(there=trees.map(without_nulls))
def test_a_part_that_is_to_go_is_gone_when_it_is_empty(there: dict[str, Any]) -> None:
    assert has_patch(twin({}, there), TwinPatch(document={"tags": None})) is (not there)
    assert has_patch(twin(there), TwinPatch(document={"properties": {"desired": None}})) is (not there)


def sorted_tree(tree: Any) -> Any:
    return {name: sorted_tree(tree[name]) for name in sorted(tree)} if isinstance(tree, dict) else tree


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ({"properties.desired": {"a": {"b": 1}, "c": True}}, True),
        ({"properties.desired": {"a": {"b": 1}}}, False),
        ({"properties.desired": {"a": {"b": 1}, "c": 1}}, False),
        ({"properties.desired.a.b": 1}, True),
        ({"properties.desired.a": {"b": 1}, "properties.desired.c": True}, True),
        ({"properties.desired.a.x": 1}, False),
        ({}, True),
    ],
)
def test_content_is_there_when_the_whole_or_its_paths_are(module: dict[str, Any], expected: bool) -> None:
    assert has_content(twin({"a": {"b": 1}, "c": True}), module) is expected


def test_each_module_of_a_content_is_wanted() -> None:
    assert dict(wanted_of_modules({"modulesContent": {"m": {"properties.desired": {}}, "n": None}})) == {
        "m": {"properties.desired": {}},
        "n": {},
    }
