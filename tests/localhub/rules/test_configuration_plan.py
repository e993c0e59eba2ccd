"""Which configurations apply to a target, and what they make of its desired properties."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from azext_iotjobs.localhub.rules.configuration import Kind, read_content
from azext_iotjobs.localhub.rules.configuration_plan import Candidate, desired_after, modules_of, plan, plan_edge


def device(number: int, priority: int, **settings: Any) -> Candidate:
    """A configuration that sets paths; in their names, _ stands for a dot."""
    content = {f"properties.desired.{name.replace('_', '.')}": value for name, value in settings.items()}
    read = read_content(Kind.DEVICE, content)
    return Candidate(number=number, configuration_id=f"c{number}", kind=Kind.DEVICE, priority=priority, content=read)


def edge(number: int, priority: int, content: dict[str, Any]) -> Candidate:
    read = read_content(Kind.EDGE, content)
    return Candidate(number=number, configuration_id=f"c{number}", kind=Kind.EDGE, priority=priority, content=read)


def base(number: int, priority: int, **modules: Any) -> Candidate:
    agent: dict[str, Any] = {"properties.desired": {"modules": dict.fromkeys(modules, {})}}
    others = {name: {"properties.desired": value} for name, value in modules.items()}
    return edge(number, priority, {"$edgeAgent": agent, **others})


def layer(number: int, priority: int, module: str, value: dict[str, Any]) -> Candidate:
    agent = {f"properties.desired.modules.{module}": {"n": number}}
    return edge(number, priority, {"$edgeAgent": agent, module: {"properties.desired.settings": value}})


def desired(old: dict[str, Any], *matching: Candidate, lost: tuple[Candidate, ...] = ()) -> dict[str, Any]:
    return desired_after(old, lost, plan(matching).applied)


# --- devices and modules


def test_the_higher_priority_wins_at_the_same_path_and_both_apply_elsewhere() -> None:
    low, high = device(2, 1, fan=1, lamp=1), device(1, 5, fan=5)
    assert desired({}, low, high) == {"fan": 5, "lamp": 1}
    assert plan([low, high]).statuses == {"c1": "Applied", "c2": "Applied"}


def test_one_that_is_overridden_everywhere_is_only_targeted() -> None:
    low, high = device(1, 1, fan_speed=1), device(2, 2, fan={"mode": "x"})
    assert plan([low, high]).statuses == {"c1": "Targeted", "c2": "Applied"}
    assert desired({}, low, high) == {"fan": {"mode": "x"}}


def test_a_higher_one_below_the_path_of_a_lower_one_leaves_the_rest_of_it() -> None:
    low, high = device(1, 1, fan={"mode": "x", "speed": 1}), device(2, 2, fan_speed=9)
    assert plan([low, high]).statuses == {"c1": "Applied", "c2": "Applied"}
    assert desired({}, low, high) == {"fan": {"mode": "x", "speed": 9}}


def test_among_equals_the_one_that_was_created_last_wins() -> None:
    assert desired({}, device(2, 3, fan=2), device(1, 3, fan=1)) == {"fan": 2}


def test_what_a_device_loses_is_taken_back_and_the_next_lower_takes_over() -> None:
    low, high = device(1, 1, fan=1), device(2, 2, fan=9, lamp=9)
    assert desired({"fan": 9, "lamp": 9, "own": 0}, low, lost=(high,)) == {"fan": 1, "own": 0}
    assert desired({"fan": 9, "lamp": 9, "own": 0}, lost=(high,)) == {"own": 0}


def test_a_configuration_that_sets_nothing_applies() -> None:
    nothing = read_content(Kind.DEVICE, {"properties.desired": {}})
    candidate = Candidate(number=1, configuration_id="c1", kind=Kind.DEVICE, priority=0, content=nothing)
    assert plan([candidate]).statuses == {"c1": "Applied"}


PATHS = st.sampled_from(["a", "b", "a_x", "a_y", "a_x_z"])
VALUES = st.sampled_from([None, 1, 2, {"x": 3}, {"y": {"z": 4}}])
CANDIDATES = st.lists(
    st.tuples(st.integers(0, 2), st.dictionaries(PATHS, VALUES, min_size=1, max_size=3)), max_size=4
).map(lambda drawn: [device(place + 1, priority, **paths) for place, (priority, paths) in enumerate(drawn)])
SECTIONS = st.fixed_dictionaries({"own": st.just(0)}, optional={"a": VALUES.filter(bool), "b": VALUES.filter(bool)})


@given(SECTIONS, CANDIDATES, st.randoms())
def test_applying_them_once_more_changes_nothing_and_their_order_does_not_matter(
    old: dict[str, Any], candidates: list[Candidate], random: Any
) -> None:
    matching, lost = candidates[: len(candidates) // 2], tuple(candidates[len(candidates) // 2 :])
    once = desired(old, *matching, lost=lost)
    shuffled = random.sample(matching, len(matching))
    assert desired(once, *shuffled, lost=lost) == desired(once, *shuffled) == once
    assert once["own"] == 0


# --- edge devices


def test_the_highest_base_deployment_applies_and_the_others_do_not() -> None:
    found = plan_edge([base(1, 1, old={}), base(2, 5, new={"v": 2})])
    assert found.statuses == {"c1": "Targeted", "c2": "Applied"}
    assert modules_of(found.applied) == ["$edgeAgent", "new"]


def test_layers_above_the_base_are_added_by_priority_and_those_below_it_are_not() -> None:
    layers = [layer(2, 9, "m", {"a": 9}), layer(3, 7, "m", {"a": 7}), layer(4, 1, "m", {"a": 1})]
    found = plan_edge([base(1, 5, m={"kept": True}), *layers])
    assert found.statuses == {"c1": "Applied", "c2": "Applied", "c3": "Applied", "c4": "Targeted"}
    assert desired_after({}, (), found.applied, "m") == {"kept": True, "settings": {"a": 9}}
    agent = desired_after({}, (), found.applied, "$edgeAgent")
    assert agent == {"modules": {"m": {"n": 2}}}


def test_layers_without_a_base_have_nothing_to_add_to() -> None:
    found = plan_edge([layer(1, 1, "m", {})])
    assert (found.statuses, found.applied) == ({"c1": "Targeted"}, ())


@pytest.mark.parametrize("old", [{}, {"by hand": 1}])
def test_a_base_sets_all_of_a_modules_properties_and_takes_them_back(old: dict[str, Any]) -> None:
    deployment = base(1, 1, m={"v": 1})
    assert desired_after(old, (), [deployment], "m") == {"v": 1}
    assert desired_after({"v": 1}, [deployment], (), "m") == {}
