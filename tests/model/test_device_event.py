"""Which events are wanted, and where the reading of a partition goes on."""

from collections.abc import Mapping
from typing import Any

import pytest

from azext_iotjobs.model.device_event import BEGINNING, DeviceEvent, EventFilter, PartitionState, Position


def event(device: str = "pump-1", module: str = "", annotations: Mapping[str, Any] | None = None) -> DeviceEvent:
    return DeviceEvent(
        partition="0",
        offset="7",
        sequence_number=7,
        device_id=device,
        module_id=module,
        body=b"",
        system={},
        application={},
        annotations=annotations or {},
    )


@pytest.mark.parametrize(
    ("pattern", "device", "fits"),
    [
        (None, "pump-1", True),
        ("pump-1", "pump-1", True),
        ("pump-1", "Pump-1", False),
        ("pump-1", "pump-10", False),
        ("pump-*", "pump-10", True),
        ("pump-?", "pump-10", False),
        ("*", "", True),
        ("p.mp*", "pump-1", False),
        ("[p]*", "pump-1", False),
        ("[p]*", "[p]1", True),
        ("a*", "a\nb", True),
    ],
)
def test_a_pattern_has_two_characters_with_a_meaning(pattern: str | None, device: str, fits: bool) -> None:
    assert EventFilter(device=pattern).matches(event(device)) is fits


def test_all_filters_have_to_fit() -> None:
    wanted = EventFilter(device="pump-*", module="m?", interface="dtmi:x;1", device_ids=frozenset({"pump-1"}))
    fitting = {"iothub-interface-name": "dtmi:x;1"}
    assert wanted.matches(event(module="m1", annotations=fitting))
    assert not wanted.matches(event(module="m10", annotations=fitting))
    assert not wanted.matches(event(module="m1", annotations={"iothub-interface-name": "dtmi:y;1"}))
    assert not wanted.matches(event("pump-2", module="m1", annotations=fitting))


def test_the_model_id_stands_for_an_interface_that_is_not_named() -> None:
    assert event(annotations={"dt-dataschema": "dtmi:x;1"}).interface == "dtmi:x;1"
    assert event().interface == ""


def test_reading_begins_behind_the_last_event_or_at_the_beginning_of_an_empty_partition() -> None:
    assert Position.behind(PartitionState("41", 41, False)) == Position("41", None, 41)
    assert Position.behind(PartitionState("-1", -1, True)) == Position(BEGINNING)


@pytest.mark.parametrize(
    ("state", "goes_on_at"),
    [
        (PartitionState("9", 9, False), Position("7", None, 7)),
        (PartitionState("7", 7, False), Position("7", None, 7)),
        (PartitionState("3", 3, False), Position()),
        (PartitionState("-1", -1, True), Position()),
    ],
)
def test_a_partition_that_was_begun_anew_is_read_from_its_beginning(
    state: PartitionState, goes_on_at: Position
) -> None:
    assert Position("7", None, 7).still_in(state) == goes_on_at


def test_a_time_stays_where_nothing_was_read_yet() -> None:
    begun = Position(enqueued_after_ms=1000)
    assert begun.still_in(PartitionState("3", 3, False)) == begun
