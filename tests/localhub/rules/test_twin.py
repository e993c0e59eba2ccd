"""What is true of twins, without a hub around them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules import twin as rules
from azext_iotjobs.localhub.rules.twin import TwinState

NOW, LATER = "2026-11-21T08:00:00.0000000Z", "2026-11-21T08:00:01.0000000Z"
KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.one_of(
    st.booleans(), st.integers(-5, 5), st.text("xy", max_size=2), st.lists(st.integers(0, 2), max_size=2)
)
DATA = st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6)
OBJECTS = st.dictionaries(KEYS, DATA, max_size=3)
PATCHES = st.recursive(
    st.one_of(VALUES, st.none()), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
).flatmap(lambda tree: st.dictionaries(KEYS, st.just(tree), max_size=3))


def nulls(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and any(nulls(each) for each in value.values()))


@given(OBJECTS, PATCHES)
def test_a_merge_leaves_no_null_and_touches_no_other_key(target: rules.Tree, patch: rules.Tree) -> None:
    merged = rules.merge(target, patch)
    assert not nulls(merged)
    assert {key: merged[key] for key in target.keys() - patch.keys()} == {
        key: target[key] for key in target.keys() - patch.keys()
    }
    assert merged.keys() <= target.keys() | patch.keys()


@given(OBJECTS, PATCHES)
def test_merging_twice_is_merging_once(target: rules.Tree, patch: rules.Tree) -> None:
    once = rules.merge(target, patch)
    assert rules.merge(once, patch) == once


@given(OBJECTS)
def test_merging_an_object_into_nothing_gives_it_back(data: rules.Tree) -> None:
    assert rules.merge({}, data) == data


@given(st.lists(PATCHES, max_size=4))
def test_metadata_has_a_node_for_every_place_that_has_data(patches: list[rules.Tree]) -> None:
    section = rules.new_twin(NOW).desired
    for patch in patches:
        section = rules.patched(section, patch, "desired", LATER)
    assert section.version == 1 + len(patches)
    assert mirrors(section.data, section.metadata)


def mirrors(data: Any, metadata: Any) -> bool:
    keys = {key for key in metadata if not key.startswith("$")}
    expected = set(data) if isinstance(data, dict) else set()
    return "$lastUpdated" in metadata and keys == expected and all(mirrors(data[key], metadata[key]) for key in keys)


def test_nothing_moves_what_is_not_written() -> None:
    twin = rules.new_twin(NOW)
    assert rules.patch_by_service(twin, tags=None, desired=None, now_text=LATER) == twin
    tagged = rules.patch_by_service(twin, tags={"a": 1}, desired=None, now_text=LATER)
    assert (tagged.desired, tagged.reported) == (twin.desired, twin.reported)
    assert (tagged.etag, tagged.version) == (2, 3)
    reported = rules.patch_by_device(tagged, {"r": 1}, LATER)
    assert (reported.tags, reported.desired, reported.etag) == (tagged.tags, tagged.desired, tagged.etag)
    assert (reported.version, reported.reported.version) == (4, 2)


def test_without_tag_writes_the_version_is_the_sum_of_both_sections() -> None:
    twin = rules.new_twin(NOW)
    for _ in range(3):
        twin = rules.patch_by_service(twin, tags=None, desired={"a": 1}, now_text=LATER)
        twin = rules.patch_by_device(twin, {"b": 1}, LATER)
        assert twin.version == twin.desired.version + twin.reported.version


def test_a_replace_wipes_what_is_not_given_and_its_metadata() -> None:
    twin = rules.patch_by_service(rules.new_twin(NOW), tags={"t": 1}, desired={"a": {"x": 1}, "b": 2}, now_text=NOW)
    replaced = rules.replace_by_service(twin, tags={}, desired={"b": {"y": 3}}, now_text=LATER)
    assert (replaced.tags, replaced.desired.data) == ({}, {"b": {"y": 3}})
    assert mirrors(replaced.desired.data, replaced.desired.metadata)
    assert replaced.desired.version == twin.desired.version + 1


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({}, 0),
        ({"ab": 1}, 10),
        ({"ab": True}, 6),
        ({"ü": "ü"}, 4),
        ({"a": "x\u0007\u0085y"}, 3),
        ({"a": {"b": [1, "xy"]}}, 12),
        ({"a": 1.5}, 9),
    ],
)
def test_sizes_are_counted_as_documented(value: Any, size: int) -> None:
    assert rules.size_bytes(value) == size


def test_a_section_may_be_just_as_large_as_its_limit() -> None:
    twin = rules.new_twin(NOW)
    full = {"k": "v" * 4095, "l": "v" * 4095}  # 2 * (1 + 4095) = 8192
    assert rules.patch_by_service(twin, tags=full, desired=None, now_text=NOW).tags == full
    with pytest.raises(HubError):
        rules.patch_by_service(twin, tags={**full, "m": ""}, desired=None, now_text=NOW)


def test_a_small_patch_that_makes_a_section_too_large_is_refused_and_changes_nothing() -> None:
    twin = rules.patch_by_service(
        rules.new_twin(NOW), tags={"a": "v" * 4000, "b": "v" * 4000}, desired=None, now_text=NOW
    )
    before = TwinState(dict(twin.tags), twin.desired, twin.reported, twin.etag, twin.version)
    with pytest.raises(HubError) as refused:
        rules.patch_by_service(twin, tags={"c": "v" * 300}, desired=None, now_text=LATER)
    assert refused.value.fault.number == 400004
    assert twin == before
