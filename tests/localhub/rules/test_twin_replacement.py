"""Replacing desired properties: nothing of the old ones is left, and a device that merges ends with the new ones."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.rules.twin import merge, new_twin, patch_by_service, replace_by_service, replacement

BORN, LATER = "2026-05-01T08:00:00.0000000Z", "2026-05-01T08:00:01.0000000Z"
LEAVES = st.integers(-9, 9) | st.booleans() | st.text("ab", max_size=2) | st.lists(st.integers(0, 3), max_size=2)
TREES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), LEAVES | inner, max_size=3),
    max_leaves=8,
)


def shape(tree: Any) -> Any:
    """The keys of a tree, without what the metadata says about them."""
    return {key: shape(value) for key, value in tree.items() if key[0] != "$"} if isinstance(tree, dict) else {}


@given(TREES, TREES)
def test_a_notification_turns_the_old_properties_into_the_new_ones(old: Any, new: Any) -> None:
    assert merge(old, replacement(old, new)) == new


@given(TREES, TREES)
def test_no_metadata_is_left_of_what_is_gone_at_any_depth(old: Any, new: Any) -> None:
    twin = patch_by_service(new_twin(BORN), tags=None, desired=old, now_text=BORN)
    twin = replace_by_service(twin, tags={}, desired=new, now_text=LATER)
    assert twin.desired.data == new
    assert shape(twin.desired.metadata) == shape(new)
