"""Results of devices as commands show them: the columns, and rows, groups and counts under their names."""

from collections.abc import Iterable, Mapping
from typing import Any

from azext_iotjobs.model.clock import render_millis
from azext_iotjobs.model.grouping import Group
from azext_iotjobs.model.result import DeviceResult, ErrorClass


def render_result(result: DeviceResult) -> dict[str, Any]:
    """A row under the names that commands show, in the order of COLUMNS."""
    return {
        "deviceId": result.device_id,
        "moduleId": result.module_id,
        "status": result.status,
        "errorClass": result.error_class.value if result.error_class else None,
        "errorCode": result.error_code,
        "errorText": result.error_text,
        "methodStatus": result.method_status,
        "payload": result.payload,
        "started": render_millis(result.started_at),
        "finished": render_millis(result.finished_at),
        "durationSeconds": result.duration_s,
        "deleted": result.is_deleted,
    }


def render_verified_result(result: DeviceResult) -> dict[str, Any]:
    """The same of a device that was verified."""
    return {**render_result(result), **render_verified(result)}


def render_run_result(result: DeviceResult) -> dict[str, Any]:
    """The same of a fleet job's run, with its columns."""
    return {**render_result(result), "batch": result.batch, "tries": result.tries, **render_run_members(result)}


def render_run_members(result: DeviceResult) -> dict[str, Any]:
    """What its twin was seen to say; since when it was offline, and until when it waits to connect."""
    return {
        **render_verified(result),
        "offlineSince": render_millis(result.offline_since),
        "waitsUntil": render_millis(result.waits_until),
    }


def render_verified(result: DeviceResult) -> dict[str, Any]:
    """What its twin was seen to say."""
    return {
        "verified": render_millis(result.verified_at),
        "reported": None if result.reported is None else dict(result.reported),
    }


def render_group(group: Group) -> dict[str, Any]:
    """Devices that fared alike, under the names that commands show."""
    return {
        "status": group.method_status,
        "payload": group.payload,
        "errorClass": group.error_class.value if group.error_class else None,
        "errorCode": group.error_code,
        "verifying": group.is_verifying,
        "count": group.count,
        "devices": group.devices,
    }


def render_summary(
    by_status: Mapping[str, int],
    by_class: Mapping[ErrorClass, int],
    answers: Iterable[tuple[int, Any, int]],
    other: int,
) -> dict[str, Any]:
    """Counts of rows; `answers` are status, payload and how many devices gave it."""
    return {
        "byStatus": dict(by_status),
        "byErrorClass": {each.value: count for each, count in by_class.items()},
        "answers": [{"status": status, "payload": payload, "count": count} for status, payload, count in answers],
        "otherAnswers": other,
    }
