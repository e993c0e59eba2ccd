"""Devices that fared alike are one group."""

from dataclasses import replace
from typing import Any

from azext_iotjobs.model.grouping import MAX_GROUPS, SHOWN_DEVICES, Groups
from azext_iotjobs.model.result import DeviceResult, ErrorClass


def row(device: str, status: int | None, payload: Any = None, **more: Any) -> DeviceResult:
    given: dict[str, Any] = {
        "module_id": None,
        "status": "completed",
        "error_class": None,
        "error_code": None,
        "error_text": None,
        "started_at": None,
        "finished_at": None,
        **more,
    }
    return DeviceResult(device_id=device, method_status=status, payload=payload, **given)


def grouped(*rows: DeviceResult) -> list[tuple[Any, ...]]:
    groups = Groups()
    for each in rows:
        groups.add(each)
    return [(each.method_status, each.payload, each.error_code, each.count, each.devices) for each in groups.ranked()]


def test_equal_answers_are_one_and_the_most_frequent_comes_first() -> None:
    gone = {"error_class": ErrorClass.OFFLINE, "error_code": "DeviceNotOnline"}
    assert grouped(
        row("a", 200, 1),
        row("b", 200, True),
        row("c", None, **gone, error_text="c is off line"),
        row("d", 200, {"x": 1, "y": 2}),
        row("e", 200, {"y": 2, "x": 1}),
        row("f", 500, 1),
        row("g", 200, 1.0),
        row("h", None, **gone, error_text="h is off line", module_id="m"),
        row("i", 200, {"x": 1, "y": 2}),
    ) == [
        (200, {"x": 1, "y": 2}, None, 3, ["d", "e", "i"]),
        (None, None, "DeviceNotOnline", 2, ["c", "h/m"]),
        (200, 1, None, 1, ["a"]),
        (200, True, None, 1, ["b"]),
        (500, 1, None, 1, ["f"]),
        (200, 1.0, None, 1, ["g"]),
    ]


def test_groups_and_their_devices_have_bounds() -> None:
    found = grouped(*(row(f"d{number}", 200, number // 20) for number in range(20 * MAX_GROUPS + 33)))
    assert len(found) == MAX_GROUPS + 1
    assert found[-1] == (None, None, None, 33, [f"d{20 * MAX_GROUPS + n}" for n in range(SHOWN_DEVICES)])
    assert {count for *_, count, _ in found[:-1]} == {20}


def test_what_simulated_devices_tell_back_by_default_is_one_group_whatever_the_calls_ids() -> None:
    groups = Groups()
    for number in range(30):
        told = {"methodName": "ping", "methodRequestId": str(number), "methodRequestPayload": {"n": 1}}
        groups.add(row(f"d{number}", 200, told))
    (group,) = groups.ranked()
    assert (group.count, group.payload) == (30, {"methodName": "ping", "methodRequestPayload": {"n": 1}})


def test_another_answer_that_has_such_an_id_is_grouped_as_it_is() -> None:
    groups = Groups()
    for number in range(2):
        groups.add(row(f"a{number}", 200, {"methodRequestId": number}))
        groups.add(row(f"b{number}", 200, {"methodName": "ping", "methodRequestId": number, "ok": True}))
        told = {"methodName": "ping", "methodRequestId": "1", "methodRequestPayload": number}
        groups.add(row(f"c{number}", 200, told))
    assert [each.count for each in groups.ranked()] == [1] * 6


def test_devices_on_which_nothing_is_decided_are_no_group_with_those_that_are_verified() -> None:
    groups = Groups()
    for each in (row("a", 202), row("b", 202), replace(row("c", 202), status="verifying")):
        groups.add(each)
    assert [(each.devices, each.is_verifying) for each in groups.ranked()] == [(["a", "b"], False), (["c"], True)]
