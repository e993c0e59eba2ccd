"""Which device behaves how."""

from typing import Any

import pytest

from azext_iotjobs.simulator.behaviour import Behaviour, Group, SimulationBehaviour
from azext_iotjobs.simulator.events import DeviceInfo

ANY = Behaviour()


def group(name: str, share: float | None = None, **tags: Any) -> Group:
    return Group(
        name=name, behaviour=ANY, share=share, tags={tuple(key.split("_")): each for key, each in tags.items()}
    )


def names(behaviour: SimulationBehaviour, count: int = 2000, seed: str = "1", **device: Any) -> list[str]:
    return [behaviour.group_of(DeviceInfo(device_id=f"d-{number}", **device), seed).name for number in range(count)]


def test_shares_are_kept_and_more_devices_or_other_tags_change_nobodys_group() -> None:
    behaviour = SimulationBehaviour(otherwise=group("rest"), groups=(group("a", 0.1), group("b", 0.25)))
    found = names(behaviour)
    assert found.count("a") == pytest.approx(200, abs=45)
    assert found.count("b") == pytest.approx(500, abs=65)
    assert names(behaviour, 100) == found[:100]
    assert names(behaviour, 100, tags={"x": 1}, number=7) == found[:100]
    assert names(behaviour, seed="2") != found


def test_the_first_group_that_takes_a_device_has_it() -> None:
    behaviour = SimulationBehaviour(
        otherwise=group("rest"), groups=(group("north", site="north"), group("half", 0.5), group("deep", place_floor=3))
    )
    assert set(names(behaviour, 100, tags={"site": "north"})) == {"north"}
    assert set(names(behaviour, 100, tags={"site": "south", "place": {"floor": 3}})) == {"half", "deep"}
    assert set(names(behaviour, 100, tags={"site": "south", "place": {"floor": 4}})) == {"half", "rest"}
    assert set(names(behaviour, 100, tags={"place": 3})) == {"half", "rest"}


@pytest.mark.parametrize(("tag", "is_taken"), [(1, True), (1.0, True), (True, False), ("1", False), (None, False)])
def test_tags_are_compared_as_json(tag: Any, is_taken: bool) -> None:
    behaviour = SimulationBehaviour(otherwise=group("rest"), groups=(group("one", ring=1),))
    assert (names(behaviour, 1, tags={"ring": tag}) == ["one"]) is is_taken
