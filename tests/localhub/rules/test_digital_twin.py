"""Digital twins: what a twin looks like in the terms of its model, and what a JSON Patch of it sets."""

from typing import Any

import pytest

from azext_iotjobs.localhub.errors import HubError
from azext_iotjobs.localhub.rules.digital_twin import desired_patch, digital_twin_document
from azext_iotjobs.localhub.rules.twin import TwinState, new_twin, patch_by_device, patch_by_service

AT, LATER = "2026-05-01T08:00:00.0000000Z", "2026-05-01T09:00:00.0000000Z"
MODEL = "dtmi:com:example:TemperatureController;1"


def twin(desired: dict[str, Any], reported: dict[str, Any]) -> TwinState:
    changed = patch_by_service(new_twin(AT), tags=None, desired=desired, now_text=AT)
    return patch_by_device(changed, reported, LATER)


def shown(desired: dict[str, Any], reported: dict[str, Any]) -> dict[str, Any]:
    return digital_twin_document("pump", MODEL, twin(desired, reported))


def patch(operations: list[dict[str, Any]], desired: dict[str, Any], reported: dict[str, Any]) -> dict[str, Any]:
    return desired_patch(twin(desired, reported), operations)


def operation(op: str, path: Any, value: Any = None) -> dict[str, Any]:
    return {"op": op, "path": path, **({} if value is None else {"value": value})}


ACKNOWLEDGED = {"value": 20.4, "ac": 200, "av": 2, "ad": "done"}


def test_a_device_without_a_model_has_no_properties() -> None:
    document = digital_twin_document("pump", "", twin({"a": 1}, {"b": 2}))
    assert document == {"$dtId": "pump", "$metadata": {"$model": ""}}


def test_a_property_is_what_the_device_reports() -> None:
    assert shown({}, {"serialNumber": "x"}) == {
        "$dtId": "pump",
        "serialNumber": "x",
        "$metadata": {"$model": MODEL, "serialNumber": {"lastUpdateTime": LATER}},
    }


def test_a_writable_property_has_its_desired_value_and_what_the_device_says_of_it() -> None:
    document = shown({"target": 21.8}, {"target": ACKNOWLEDGED})
    assert document["target"] == 20.4
    assert document["$metadata"]["target"] == {
        "desiredValue": 21.8,
        "desiredVersion": 2,
        "ackVersion": 2,
        "ackCode": 200,
        "ackDescription": "done",
        "lastUpdateTime": LATER,
    }


def test_a_desired_value_that_was_not_reported_is_in_the_metadata_alone() -> None:
    document = shown({"target": 21.8}, {})
    assert "target" not in document
    assert document["$metadata"]["target"] == {"desiredValue": 21.8, "desiredVersion": 2}


def test_a_component_is_an_object_with_metadata_of_its_own() -> None:
    component = {"__t": "c", "target": ACKNOWLEDGED, "highest": 25.3}
    document = shown({"thermostat": {"__t": "c", "target": 21.8}}, {"thermostat": component})
    assert set(document) == {"$dtId", "thermostat", "$metadata"}
    assert document["$metadata"] == {"$model": MODEL}
    thermostat = document["thermostat"]
    assert (thermostat["target"], thermostat["highest"]) == (20.4, 25.3)
    assert "__t" not in thermostat
    assert thermostat["$metadata"]["highest"] == {"lastUpdateTime": LATER}
    assert thermostat["$metadata"]["target"]["desiredValue"] == 21.8


def test_an_object_that_is_no_component_is_a_value() -> None:
    assert shown({}, {"location": {"lat": 1, "value": 2}})["location"] == {"lat": 1, "value": 2}


COMPONENT = {"thermostat": {"__t": "c", "target": 1, "other": 2}}


@pytest.mark.parametrize(
    ("operations", "desired", "expected"),
    [
        ([operation("add", "/target", 5)], {}, {"target": 5}),
        ([operation("replace", "/target", {"a": 1})], {"target": {"b": 2}}, {"target": {"a": 1, "b": None}}),
        ([operation("remove", "/target")], {"target": 5}, {"target": None}),
        ([operation("remove", "/target")], {}, {}),
        ([operation("add", "/thermostat/target", 5)], {}, {"thermostat": {"__t": "c", "target": 5}}),
        ([operation("replace", "/thermostat/target", 5)], COMPONENT, {"thermostat": {"target": 5}}),
        ([operation("remove", "/thermostat/target")], COMPONENT, {"thermostat": {"target": None}}),
        (
            [operation("remove", "/thermostat/target"), operation("remove", "/thermostat/other")],
            COMPONENT,
            {"thermostat": None},
        ),
        (
            [operation("add", "/thermostat", {"target": 5, "$metadata": {}})],
            COMPONENT,
            {"thermostat": {"target": 5, "other": None}},
        ),
        (
            [operation("add", "/thermostat", {"target": 5, "$metadata": {}})],
            {},
            {"thermostat": {"__t": "c", "target": 5}},
        ),
        ([operation("remove", "/thermostat")], COMPONENT, {"thermostat": None}),
        ([operation("add", "/a", 1), operation("remove", "/a"), operation("add", "/b", 2)], {}, {"b": 2}),
    ],
)
def test_a_patch_sets_desired_properties(
    operations: list[dict[str, Any]], desired: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert patch(operations, desired, {}) == expected


def test_a_component_that_was_only_reported_is_known() -> None:
    with pytest.raises(HubError) as refusal:
        patch([operation("add", "/thermostat", {"target": 5})], {}, {"thermostat": {"__t": "c"}})
    assert refusal.value.fault.name == "ArgumentInvalid"


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ([], "InvalidDigitalTwinJsonPatch"),
        ([operation("test", "/a", 1)], "InvalidDigitalTwinJsonPatch"),
        ([{"path": "/a", "value": 1}], "InvalidDigitalTwinJsonPatch"),
        ([operation("add", "/a")], "InvalidDigitalTwinJsonPatch"),
        ([operation("add", "/a", 1)] * 1001, "InvalidDigitalTwinJsonPatch"),
        ([operation("add", "a", 1)], "InvalidDigitalTwinPatchPath"),
        ([operation("add", 5, 1)], "InvalidDigitalTwinPatchPath"),
        ([operation("add", "/", 1)], "InvalidDigitalTwinPatchPath"),
        ([operation("add", "/a/b/c", 1)], "InvalidDigitalTwinPatchPath"),
        ([operation("add", "/$metadata", {})], "InvalidDigitalTwinPatchPath"),
        ([operation("add", "/1a", 1)], "InvalidDigitalTwinPatchPath"),
        ([operation("add", "/a_", 1)], "InvalidDigitalTwinPatchPath"),
        ([operation("add", f"/{'a' * 65}", 1)], "InvalidDigitalTwinPatchPath"),
        ([operation("add", "/t", {"$metadata": {}, "a b": 1})], "InvalidDigitalTwinPatchPath"),
        ([operation("add", "/t", {"$metadata": {"a": 1}})], "ArgumentInvalid"),
        ([operation("add", "/plain/a", 1)], "ArgumentInvalid"),
    ],
)
def test_what_digital_twins_do_not_have_is_refused(operations: list[dict[str, Any]], code: str) -> None:
    with pytest.raises(HubError) as refusal:
        patch(operations, {"plain": {"a": 0}}, {})
    assert refusal.value.fault.name == code
