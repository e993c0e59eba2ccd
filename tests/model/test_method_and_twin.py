from typing import Any

import pytest

from azext_iotjobs.model.errors import BadValue, ConflictingChoice, MissingChoice
from azext_iotjobs.model.method import MethodCall
from azext_iotjobs.model.twin import TwinPatch


@pytest.mark.parametrize("payload", [None, 0, False, "", [], {}, {"a": [1, None]}])
def test_a_payload_may_be_any_json_value(payload: Any) -> None:
    assert MethodCall(name="m", payload=payload).payload == payload


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"response_timeout_s": 4}, "5 to 300"),
        ({"response_timeout_s": 301}, "5 to 300"),
        ({"connect_timeout_s": -1}, "0 to 300"),
        ({"response_timeout_s": 300, "connect_timeout_s": 301}, "0 to 300"),
    ],
)
def test_timeouts_outside_the_hubs_range_are_refused(parts: dict[str, int], named: str) -> None:
    with pytest.raises(BadValue, match=named):
        MethodCall(name="m", **parts)


def test_waiting_for_the_connection_is_part_of_waiting_for_the_answer() -> None:
    assert MethodCall(name="m", response_timeout_s=30, connect_timeout_s=30).connect_timeout_s == 30
    with pytest.raises(ConflictingChoice, match="connect_timeout_s 31 .*response_timeout_s 30"):
        MethodCall(name="m", response_timeout_s=30, connect_timeout_s=31)


def test_a_method_without_name_is_refused() -> None:
    with pytest.raises(MissingChoice, match="method_name"):
        MethodCall(name=" ")


def test_a_payload_of_128_kb_goes_and_one_byte_more_does_not() -> None:
    MethodCall(name="m", payload="x" * (128 * 1024 - 2))
    with pytest.raises(BadValue, match="^payload "):
        MethodCall(name="m", payload="x" * (128 * 1024 - 1))


@pytest.mark.parametrize(
    "document",
    [
        {"tags": {"a": None}},
        {"properties": {"desired": {"a": 1}}},
        {"tags": {"a": 1}, "properties": {"desired": {"b": {}}}, "etag": "*"},
        {"tags": None},
        {"properties": {"desired": None}},
    ],
)
def test_tags_and_desired_can_be_patched(document: dict[str, Any]) -> None:
    assert TwinPatch(document=document).document == document


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({}, "changes nothing"),
        ({"etag": "*"}, "changes nothing"),
        ({"properties": {}}, "changes nothing"),
        ({"desired": {"a": 1}}, "at its root"),
        ({"tags": {}, "colour": 1, "size": 2}, "colour, size"),
        ({"properties": {"reported": {"a": 1}}}, "reported"),
        ({"properties": {"desired": {}, "reported": {}}}, "reported"),
        ({"properties": 5}, "properties"),
        ({"properties": None}, "properties"),
        ({"tags": []}, "tags must be an object"),
        ({"properties": {"desired": 7}}, "desired must be an object"),
    ],
)
def test_a_patch_that_the_hub_would_ignore_or_refuse_is_refused_here(document: dict[str, Any], named: str) -> None:
    with pytest.raises(BadValue, match=named):
        TwinPatch(document=document)
