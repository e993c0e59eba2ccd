"""Excluded ids that leave nobody out, and ids that were taken apart at their commas."""

from collections.abc import Sequence

import pytest

from azext_iotjobs.model.errors import BadValue
from azext_iotjobs.model.exclusions import idle_exclusions
from azext_iotjobs.model.query import in_list


def test_who_is_not_selected_is_told_of() -> None:
    assert idle_exclusions(("a", "b", "c"), {"b", "d"}.intersection) == ["a", "c"]
    assert idle_exclusions((), {"b"}.intersection) == []
    assert idle_exclusions(("b",), {"b"}.intersection) == []


@pytest.mark.parametrize(
    "excluded", [("x", "y:z=w"), ("x", "y:z=w", "t1"), ("t1", "x", "y:z=w"), ("t1", "x", "y:z=w", "t2")]
)
def test_a_selected_device_whose_id_was_taken_apart_is_refused_not_operated(excluded: tuple[str, ...]) -> None:
    with pytest.raises(BadValue, match="'x,y:z=w' is one device, and was read as 2") as caught:
        idle_exclusions(excluded, {"x,y:z=w", "t1", "t2"}.intersection)
    assert caught.value.hint is not None and "exclude '\"x,y:z=w\"'" in caught.value.hint


def test_an_id_of_three_parts_of_which_one_is_a_device_too_is_refused() -> None:
    with pytest.raises(BadValue, match="'x,t1,y' is one device, and was read as 3"):
        idle_exclusions(("x", "t1", "y"), {"x,t1,y", "t1"}.intersection)


def test_devices_that_are_all_there_are_left_out_whatever_they_make_together() -> None:
    assert idle_exclusions(("a", "b"), {"a", "b", "a,b"}.intersection) == []


def test_long_lists_are_asked_for_once_and_their_neighbours_once() -> None:
    asked: list[Sequence[str]] = []

    def which_of(ids: Sequence[str]) -> list[str]:
        asked.append(ids)
        return []

    excluded = tuple(f"device-{number:04}" for number in range(1000))
    assert idle_exclusions(excluded, which_of) == list(excluded)
    assert asked[0] == excluded and len(asked) == 2
    assert len(in_list("deviceId", asked[1])) < 6100, "one query, however long the list is"
